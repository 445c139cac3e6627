/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>

#include "front-testing.h"

/* Events and profiling: the calls that look at time. */

#define REGISTER(d, types, set) NV(nvmlDeviceRegisterEvents, device, uint64_t, void *)(d, types, set)
#define WAIT(set, data, ms) NV(nvmlEventSetWait_v2, void *, void *, unsigned)(set, data, ms)

static int64_t mono_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static void *make_set(void)
{
	void *set = NULL;
	IS(OK, NV(nvmlEventSetCreate, void **)(&set));
	return set;
}

static void test_an_xid_arrives_where_it_was_asked_for(void **state)
{
	(void)state;
	unsigned char data[32] = { 0 }, old[32];
	uint64_t types = 0;
	begin("gpus: 2");
	command("xid 1 48"); /* before anybody asked */
	void *set = make_set();
	IS(OK, NV(nvmlDeviceGetSupportedEventTypes, device, uint64_t *)(board(1), &types));
	assert_true((types & 0x108) == 0x108);
	IS(UNSUPPORTED, REGISTER(board(1), UINT64_C(1) << 40, set));
	IS(INVALID, REGISTER(board(1), 8, board(1)));
	IS(OK, REGISTER(board(1), 8, set));
	IS(TIMEOUT, WAIT(set, data, 0));
	command("xid 0 31");
	command("ecc 1 sbe 1");
	command("xid 1 79");
	IS(OK, WAIT(set, data, 1000));
	void *d = NULL;
	memcpy(&d, data, sizeof(d));
	assert_ptr_equal(d, board(1));
	assert_int_equal(u64_at(data, 8), 8);
	assert_int_equal(u64_at(data, 16), 79);
	assert_int_equal(u32_at(data, 24), UINT32_MAX);
	assert_int_equal(u32_at(data, 28), UINT32_MAX);
	IS(TIMEOUT, WAIT(set, data, 1));
	command("xid 1 13");
	memset(old, 0xA7, sizeof(old));
	IS(OK, NV(nvmlEventSetWait, void *, void *, unsigned)(set, old, 1000));
	assert_int_equal(u64_at(old, 16), 13);
	assert_int_equal(u32_at(old, 24), 0xA7A7A7A7); /* the first form ends there */
	IS(OK, NV(nvmlEventSetFree, void *)(set));
	IS(INVALID, NV(nvmlEventSetFree, void *)(set));
	IS(INVALID, WAIT(set, data, 0));
}

static void test_waiting_takes_as_long_as_it_says(void **state)
{
	(void)state;
	unsigned char data[32];
	begin("gpus: 1");
	void *set = make_set();
	IS(OK, REGISTER(board(0), 8, set));
	int64_t from = mono_ms();
	IS(TIMEOUT, WAIT(set, data, 150));
	assert_in_range(mono_ms() - from, 150, 1000);
}

struct waiter {
	void *set;
	int rc;
	int64_t ms;
	unsigned char data[32];
};

static void *wait_long(void *arg)
{
	struct waiter *w = arg;
	int (*wait)(void *, void *, unsigned) =
		(int (*)(void *, void *, unsigned))(uintptr_t)dlsym(bench.library, "nvmlEventSetWait_v2");
	int64_t from = mono_ms();
	w->rc = wait(w->set, w->data, 20000);
	w->ms = mono_ms() - from;
	return NULL;
}

/* Others go on while one waits, and what comes from another process wakes it. */
static void test_a_waiter_is_woken_and_stops_nobody(void **state)
{
	(void)state;
	pthread_t thread;
	unsigned mw;
	begin("gpus: 1");
	struct waiter w = { .set = make_set(), .rc = -1 };
	IS(OK, REGISTER(board(0), 8, w.set));
	assert_int_equal(pthread_create(&thread, NULL, wait_long, &w), 0);
	for (int i = 0; i < 20; i++)
		IS(OK, NV(nvmlDeviceGetPowerUsage, device, unsigned *)(board(0), &mw));
	command("xid 0 94");
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(w.rc, OK);
	assert_int_equal(u64_at(w.data, 16), 94);
	assert_true(w.ms < 5000);
}

static void test_a_lost_board_ends_every_wait_at_once(void **state)
{
	(void)state;
	unsigned char data[32];
	pthread_t thread;
	begin("gpus: 2");
	struct waiter w = { .set = make_set(), .rc = -1 };
	IS(OK, REGISTER(board(0), 8, w.set));
	assert_int_equal(pthread_create(&thread, NULL, wait_long, &w), 0);
	command("lost 0");
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(w.rc == LOST || (w.rc == OK && u64_at(w.data, 16) == 79));
	assert_true(w.ms < 5000);
	int rc = WAIT(w.set, data, 20000);
	IS(LOST, rc == OK ? WAIT(w.set, data, 20000) : rc);
	int64_t from = mono_ms();
	for (int i = 0; i < 3; i++)
		IS(LOST, WAIT(w.set, data, 20000));
	assert_true(mono_ms() - from < 2000);
}

static void test_a_changed_layout_is_an_event(void **state)
{
	(void)state;
	unsigned char data[32];
	void *gi = NULL;
	begin("gpus: 1\nmig: [{gpu: 0, mode: on}]");
	void *set = make_set();
	IS(OK, REGISTER(board(0), 0x100, set));
	IS(OK, NV(nvmlDeviceCreateGpuInstance, device, unsigned, void **)(board(0), 19, &gi));
	IS(OK, WAIT(set, data, 1000));
	assert_int_equal(u64_at(data, 8), 0x100);
}

static uint32_t metric(void *older, void *newer, uint32_t id, double *out)
{
	static unsigned char get[24 + 40 * 333];
	memset(get, 0, sizeof(get));
	put_u32(get, 0, 1);
	put_u32(get, 4, 1);
	put_ptr(get, 8, older);
	put_ptr(get, 16, newer);
	put_u32(get, 24, id);
	IS(OK, NV(nvmlGpmMetricsGet, void *)(get));
	memcpy(out, get + 32, sizeof(*out));
	return u32_at(get, 28);
}

static void test_profiling_tells_of_the_slice(void **state)
{
	(void)state;
	void *older = NULL, *newer = NULL;
	device mig = NULL;
	unsigned gi = 0;
	double value = 0;
	char line[32];
	begin("gpus: 2\nspeed: 100\nmig: [{gpu: 0, layout: \"1g.10gb@0, 3g.40gb@4\"}]");
	IS(OK, NV(nvmlDeviceGetMigDeviceHandleByIndex, device, unsigned, device *)(board(0), 1, &mig));
	IS(OK, NV(nvmlDeviceGetGpuInstanceId, device, unsigned *)(mig, &gi));
	(void)snprintf(line, sizeof(line), "load 0/%u 60", gi);
	command(line);
	IS(OK, NV(nvmlGpmSampleAlloc, void **)(&older));
	IS(OK, NV(nvmlGpmSampleAlloc, void **)(&newer));
	IS(OK, NV(nvmlGpmMigSampleGet, device, unsigned, void *)(board(0), gi, older));
	IS(OK, NV(nvmlGpmSampleGet, device, void *)(mig, newer)); /* either way to the same instance */
	unsigned t;
	IS(OK, NV(nvmlDeviceGetPcieThroughput, device, unsigned, unsigned *)(board(1), 0, &t)); /* 2 s of this world */
	IS(OK, NV(nvmlGpmMigSampleGet, device, unsigned, void *)(board(0), gi, newer));
	assert_int_equal(metric(older, newer, 1, &value), OK);
	assert_true(fabs(value - 60.0) < 1.0);				 /* of the instance */
	assert_int_equal(metric(older, newer, 20, &value), UNSUPPORTED); /* links are not dealt out */
	assert_int_equal(metric(older, newer, 400, &value), INVALID);
	assert_int_equal(metric(newer, newer, 1, &value), NO_DATA);
	IS(OK, NV(nvmlGpmSampleGet, device, void *)(board(0), newer));
	unsigned char get[24 + 40] = { 0 };
	put_u32(get, 0, 1);
	put_u32(get, 4, 1);
	put_ptr(get, 8, older);
	put_ptr(get, 16, newer);
	IS(INVALID, NV(nvmlGpmMetricsGet, void *)(get)); /* samples of two things */
	put_u32(get, 0, 2);
	IS(WRONG_VERSION, NV(nvmlGpmMetricsGet, void *)(get));
	IS(INVALID, NV(nvmlGpmMigSampleGet, device, unsigned, void *)(board(0), 99, older));
	IS(UNSUPPORTED, NV(nvmlGpmMigSampleGet, device, unsigned, void *)(board(1), 0, older));
	IS(OK, NV(nvmlGpmSampleFree, void *)(older));
	IS(INVALID, NV(nvmlGpmSampleFree, void *)(older));
}

static void test_profiling_of_a_whole_board_has_its_links(void **state)
{
	(void)state;
	void *older = NULL, *newer = NULL;
	unsigned t;
	double value = -1;
	begin("gpus: 1\nspeed: 100");
	command("load 0 50");
	IS(OK, NV(nvmlGpmSampleAlloc, void **)(&older));
	IS(OK, NV(nvmlGpmSampleAlloc, void **)(&newer));
	IS(OK, NV(nvmlGpmSampleGet, device, void *)(board(0), older));
	IS(OK, NV(nvmlDeviceGetPcieThroughput, device, unsigned, unsigned *)(board(0), 0, &t));
	IS(OK, NV(nvmlGpmSampleGet, device, void *)(board(0), newer));
	assert_int_equal(metric(older, newer, 1, &value), OK);
	assert_true(fabs(value - 50.0) < 1.0);
	assert_int_equal(metric(older, newer, 21, &value), OK);
	assert_true(value > 0);
	assert_int_equal(metric(older, newer, 60, &value), OK);
	begin("gpus: 1\nmodels: A100_SXM4_80GB");
	IS(OK, NV(nvmlGpmSampleAlloc, void **)(&older));
	IS(UNSUPPORTED, NV(nvmlGpmSampleGet, device, void *)(board(0), older));
}

#define ROUNDS 100

static void *use_library(void *arg)
{
	unsigned *good = arg;
	int (*by_index)(unsigned, device *) =
		(int (*)(unsigned, device *))(uintptr_t)dlsym(bench.library, "nvmlDeviceGetHandleByIndex_v2");
	int (*power)(device, unsigned *) =
		(int (*)(device, unsigned *))(uintptr_t)dlsym(bench.library, "nvmlDeviceGetPowerUsage");
	int (*alloc)(void **) = (int (*)(void **))(uintptr_t)dlsym(bench.library, "nvmlGpmSampleAlloc");
	int (*get)(device, void *) = (int (*)(device, void *))(uintptr_t)dlsym(bench.library, "nvmlGpmSampleGet");
	int (*release)(void *) = (int (*)(void *))(uintptr_t)dlsym(bench.library, "nvmlGpmSampleFree");
	for (unsigned i = 0; i < ROUNDS; i++) {
		device d = NULL;
		void *sample = NULL;
		unsigned mw = 0;
		*good += by_index(i % 2, &d) == OK && power(d, &mw) == OK && mw > 0 && alloc(&sample) == OK &&
			 get(d, sample) == OK && release(sample) == OK;
	}
	return NULL;
}

static void test_threads_share_the_library(void **state)
{
	(void)state;
	pthread_t threads[4];
	unsigned good[4] = { 0 };
	begin("gpus: 2\nspeed: 1000");
	for (size_t i = 0; i < GM_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use_library, &good[i]), 0);
	for (size_t i = 0; i < GM_LEN(threads); i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(good[i], ROUNDS);
	}
}

static void *init_forever(void *arg)
{
	int (*init)(void) = (int (*)(void))(uintptr_t)dlsym(bench.library, "nvmlInit_v2");
	*(int *)arg = init();
	return NULL;
}

/* One thread of the parent is stuck in an initialisation: its child is not. */
static void test_a_forked_child_does_not_inherit_who_is_stuck(void **state)
{
	(void)state;
	pthread_t thread;
	unsigned n = 0;
	int rc = -1, status = -1;
	begin("gpus: 3");
	command("fault nvmlInit_v2 block times=1");
	assert_int_equal(pthread_create(&thread, NULL, init_forever, &rc), 0);
	for (int blocked = 0; !blocked;) { /* until it stands there */
		struct nvs_shared *s = nvs_world_lock(bench.control);
		blocked = s->calls[0].blocked == 1;
		nvs_world_unlock(bench.control);
	}
	(void)fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		(void)alarm(20);
		_exit(NV(nvmlInit_v2, void)() == OK && NV(nvmlDeviceGetCount_v2, unsigned *)(&n) == OK && n == 3 ? 0
														 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	command("clear all");
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(rc, OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_xid_arrives_where_it_was_asked_for),
		cmocka_unit_test(test_waiting_takes_as_long_as_it_says),
		cmocka_unit_test(test_a_waiter_is_woken_and_stops_nobody),
		cmocka_unit_test(test_a_lost_board_ends_every_wait_at_once),
		cmocka_unit_test(test_a_changed_layout_is_an_event),
		cmocka_unit_test(test_profiling_tells_of_the_slice),
		cmocka_unit_test(test_profiling_of_a_whole_board_has_its_links),
		cmocka_unit_test(test_threads_share_the_library),
		cmocka_unit_test(test_a_forked_child_does_not_inherit_who_is_stuck),
	};
	return cmocka_run_group_tests(tests, bench_open, bench_close);
}
