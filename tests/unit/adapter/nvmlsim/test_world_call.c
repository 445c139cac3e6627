/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#include "world-testing.h"

#define NAME "nvmlDeviceGetName"

static struct nvs_call_fault *first_fault(struct nvs_world *w)
{
	return &w->file->shared.calls[0];
}

/* Until so many calls wait in the first fault: what the other process does is seen in the file. */
static void until_blocked(struct nvs_world *w, unsigned count)
{
	int64_t deadline = gm_mono_ms(gm_clock_system()) + 10000;
	for (;;) {
		(void)nvs_world_lock(w);
		unsigned blocked = first_fault(w)->blocked;
		nvs_world_unlock(w);
		if (blocked >= count)
			return;
		if (gm_mono_ms(gm_clock_system()) > deadline)
			fail_msg("nobody blocked");
		(void)sched_yield();
	}
}

static void test_call_meets_its_fault(void **state)
{
	static const struct {
		const char *fault, *function;
		int board, answer;
	} rows[] = {
		{ "fault nvmlDeviceGetName error 15", NAME, 0, 15 },
		{ "fault nvmlDeviceGetName error gpu-is-lost", NAME, 7, 15 },
		{ "fault nvmlDeviceGetName error GPU_IS_LOST gpu=2", NAME, 2, 15 },
		{ "fault nvmlDeviceGetName error 15 gpu=2", NAME, 1, 0 },
		{ "fault nvmlDeviceGetName error 15 gpu=2", NAME, -1, 0 },
		{ "fault nvmlDeviceGetName garbage", NAME, 0, -1 },
		{ "fault nvmlDeviceGetMemoryInfo error 999", "nvmlDeviceGetMemoryInfo_v2", 0, 999 },
		{ "fault nvmlDeviceGetMemoryInfo_v2 error 999", "nvmlDeviceGetMemoryInfo", 0, 0 },
		{ "fault nvmlDeviceGetMemoryInfo_v2 error 999", "nvmlDeviceGetMemoryInfo_v2", 0, 999 },
		{ "fault nvmlDeviceGet error 999", NAME, 0, 0 },
		{ "fault nvmlDeviceGet* error 3", NAME, 0, 3 },
		{ "fault nvmlInit error 9", "nvmlInit_v2", -1, 9 },
		{ "fault nvmlInit error 9", "nvmlInitWithFlags", -1, 0 },
		{ "fault * error 9", "nvmlShutdown", -1, 9 },
		{ "fault nvmlDeviceGetName slow 1ms", NAME, 0, 0 },
		{ "fault nvmlDeviceGetName block 1ms", NAME, 0, 0 },
		{ "fault nvmlDeviceGetName block-driver 1ms", NAME, 0, 0 },
		{ "fault nvmlDeviceGetName block-library 1ms", NAME, 0, 0 },
	};
	(void)state;
	struct nvs_world *w = open_world("", NULL, NULL);
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		assert_int_equal(nvs_call_begin(w, rows[i].function, rows[i].board), 0);
		command(w, rows[i].fault);
		int answer = nvs_call_begin(w, rows[i].function, rows[i].board);
		if (answer != rows[i].answer)
			fail_msg("%s: %s of %d answers %d", rows[i].fault, rows[i].function, rows[i].board, answer);
		command(w, "clear all");
	}
	nvs_world_close(w);
}

static void test_call_fault_ends_by_count(void **state)
{
	(void)state;
	struct nvs_world *w =
		open_world("{call-faults: [{function: nvmlDeviceGetName, does: error, value: 2, times: 3}]}", NULL,
			   NULL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(nvs_call_begin(w, NAME, 0), 2);
	for (int i = 0; i < 3; i++)
		assert_int_equal(nvs_call_begin(w, NAME, 0), 0);
	assert_int_equal(atomic_load(&w->file->fault_count), 0); /* calls are quick again */
	nvs_world_close(w);
}

static void test_call_fault_has_its_time(void **state)
{
	(void)state;
	struct gm_manual_clock clock;
	gm_manual_clock_init(&clock, START_MS);
	struct nvs_world *w = open_world("{}", NULL, &clock);
	command(w, "fault nvmlDeviceGetName error 10 after=2s for=3s");
	static const struct {
		int64_t at_ms;
		int answer;
	} rows[] = { { 0, 0 }, { 1999, 0 }, { 2000, 10 }, { 4999, 10 }, { 5000, 0 } };
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		gm_manual_clock_advance(&clock, START_MS + rows[i].at_ms - clock.wall_ms);
		assert_int_equal(nvs_call_begin(w, NAME, 0), rows[i].answer);
	}
	nvs_world_close(w);
}

/* A child that calls and says what it was answered; the fault holds it meanwhile. */
static pid_t start_caller(struct nvs_world *w)
{
	pid_t pid;
	CHILD(pid, _exit(nvs_call_begin(w, NAME, 0) == 0 ? 0 : 1));
	until_blocked(w, 1);
	return pid;
}

static void test_call_blocked_is_freed_by_clear(void **state)
{
	static const char *const faults[] = { "fault nvmlDeviceGetName block", "fault nvmlDeviceGetName block-library",
					      "fault nvmlDeviceGetName block-driver", "fault nvmlDeviceGetName slow 1h",
					      "fault nvmlDeviceGetName block 1h times=1" };
	(void)state;
	GM_AUTO(folder_fini_p) struct folder folder = folder_make();
	struct nvs_world *w = open_world("", folder.path, NULL);
	for (size_t i = 0; i < GM_LEN(faults); i++) {
		command(w, faults[i]);
		pid_t pid = start_caller(w);
		assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
		command(w, "clear all");
		assert_int_equal(wait_child(pid), 0);
	}
	nvs_world_close(w);
}

static void test_call_blocked_is_freed_by_time(void **state)
{
	(void)state;
	GM_AUTO(folder_fini_p) struct folder folder = folder_make();
	struct nvs_world *w = open_world("{speed: 100}", folder.path, NULL);
	command(w, "fault nvmlDeviceGetName block for=10s"); /* the world's time: 100 ms here */
	int64_t before = gm_mono_ms(gm_clock_system());
	assert_int_equal(nvs_call_begin(w, NAME, 0), 0);
	int64_t took = gm_mono_ms(gm_clock_system()) - before;
	assert_in_range(took, 50, 5000);
	command(w, "fault nvmlDeviceGetName block 50ms"); /* the caller's time */
	before = gm_mono_ms(gm_clock_system());
	assert_int_equal(nvs_call_begin(w, NAME, 0), 0);
	took = gm_mono_ms(gm_clock_system()) - before;
	assert_in_range(took, 50, 5000);
	nvs_world_close(w);
}

static void test_call_blocked_is_freed_by_reset(void **state)
{
	(void)state;
	GM_AUTO(folder_fini_p) struct folder folder = folder_make();
	struct nvs_world *w = open_world("", folder.path, NULL);
	command(w, "fault nvmlDeviceGetName block-driver");
	pid_t pid = start_caller(w);
	command(w, "reset");
	assert_int_equal(wait_child(pid), 0);
	nvs_world_close(w);
}

static void test_call_driver_lock_stops_all_and_outlives_a_kill(void **state)
{
	(void)state;
	GM_AUTO(folder_fini_p) struct folder folder = folder_make();
	struct nvs_world *w = open_world("", folder.path, NULL);
	command(w, "fault nvmlDeviceGetName gpu=0 block-driver times=1");
	pid_t holder = start_caller(w), other;
	CHILD(other, _exit(nvs_call_begin(w, "nvmlDeviceGetCount_v2", -1) == 0 ? 0 : 1));
	assert_int_equal(pthread_mutex_trylock(&w->file->driver), EBUSY);
	command(w, "show"); /* the control program is not stopped by it */
	assert_int_equal(waitpid(other, NULL, WNOHANG), 0);
	assert_int_equal(kill(holder, SIGKILL), 0);
	assert_true(WIFSIGNALED(wait_child(holder)));
	assert_int_equal(wait_child(other), 0);
	assert_int_equal(nvs_call_begin(w, NAME, 0), 0);
	command(w, "clear all");
	nvs_world_close(w);
}

static void test_call_library_lock_stops_its_process_only(void **state)
{
	(void)state;
	GM_AUTO(folder_fini_p) struct folder folder = folder_make();
	struct nvs_world *w = open_world("", folder.path, NULL);
	command(w, "fault nvmlDeviceGetName gpu=0 block-library");
	pid_t holder = start_caller(w);
	assert_int_equal(nvs_call_begin(w, "nvmlDeviceGetUUID", 1), 0); /* this process goes on */
	assert_int_equal(kill(holder, SIGKILL), 0);
	(void)wait_child(holder);
	command(w, "clear all");
	nvs_world_close(w);
}

static void *call_in_thread(void *world)
{
	(void)nvs_call_begin(world, NAME, 0);
	return NULL;
}

static void test_call_library_lock_is_free_in_a_forked_child(void **state)
{
	(void)state;
	struct nvs_world *w = open_world("", NULL, NULL);
	pthread_t thread;
	command(w, "fault nvmlDeviceGetName gpu=0 block-library times=1");
	assert_int_equal(pthread_create(&thread, NULL, call_in_thread, w), 0);
	until_blocked(w, 1);
	assert_int_equal(pthread_mutex_trylock(&w->library), EBUSY);
	pid_t pid;
	CHILD(pid, _exit(nvs_call_begin(w, NAME, 0) == 0 ? 0 : 1));
	assert_int_equal(wait_child(pid), 0);
	command(w, "clear all");
	assert_int_equal(pthread_join(thread, NULL), 0);
	nvs_world_close(w);
}

static void test_call_crash_is_a_segfault(void **state)
{
	(void)state;
	struct nvs_world *w = open_world("", NULL, NULL);
	command(w, "fault nvmlDeviceGetName crash");
	pid_t pid;
	CHILD(pid, {
		(void)signal(SIGSEGV, SIG_DFL);
		(void)nvs_call_begin(w, NAME, 0);
	});
	int status = wait_child(pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
	nvs_world_close(w);
}

static void test_call_faults_have_a_limit(void **state)
{
	(void)state;
	struct nvs_world *w = open_world("", NULL, NULL);
	char said[400], line[40];
	for (int i = 0; i < NVS_CALLS_MAX; i++)
		command(w, "fault nvmlDeviceGetName error 3");
	assert_int_equal(try_command(w, "fault nvmlDeviceGetName error 3", said, sizeof(said)), GM_ERR_TOO_LARGE);
	command(w, "clear 5");
	assert_int_equal(try_command(w, "clear 5", said, sizeof(said)), GM_ERR_NOT_FOUND);
	assert_int_equal(try_command(w, "fault nvmlDeviceGetUUID error 4", said, sizeof(said)), 0);
	(void)snprintf(line, sizeof(line), "%d\n", NVS_CALLS_MAX + 1);
	assert_string_equal(said, line); /* numbers are not used again */
	assert_int_equal(nvs_call_begin(w, "nvmlDeviceGetUUID", 0), 4);
	nvs_world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_call_meets_its_fault),
		cmocka_unit_test(test_call_fault_ends_by_count),
		cmocka_unit_test(test_call_fault_has_its_time),
		cmocka_unit_test(test_call_blocked_is_freed_by_clear),
		cmocka_unit_test(test_call_blocked_is_freed_by_time),
		cmocka_unit_test(test_call_blocked_is_freed_by_reset),
		cmocka_unit_test(test_call_driver_lock_stops_all_and_outlives_a_kill),
		cmocka_unit_test(test_call_library_lock_stops_its_process_only),
		cmocka_unit_test(test_call_library_lock_is_free_in_a_forked_child),
		cmocka_unit_test(test_call_crash_is_a_segfault),
		cmocka_unit_test(test_call_faults_have_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
