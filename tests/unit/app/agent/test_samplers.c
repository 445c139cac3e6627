/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "stage.h"

#define BOARDS 8
#define SOON_MS 10000 /* on a machine that others keep busy, too */

static unsigned board; /* that a test is about */

static bool in_state(const struct gm_agent_view *v, unsigned b, enum gm_board_state state)
{
	return b < v->board_count && v->boards[b].state == state;
}

static unsigned count_in(const struct gm_agent_view *v, enum gm_board_state state)
{
	unsigned n = 0;

	for (unsigned b = 0; b < v->board_count; b++)
		n += v->boards[b].state == state;
	return n;
}

static bool all_read(const struct gm_agent_view *v)
{
	return v->state == GM_AGENT_WORKING && v->board_count == BOARDS && count_in(v, GM_BOARD_OK) == BOARDS;
}

static bool board_hung(const struct gm_agent_view *v)
{
	return in_state(v, board, GM_BOARD_HUNG);
}

static bool board_lost(const struct gm_agent_view *v)
{
	return in_state(v, board, GM_BOARD_LOST);
}

static bool one_abandoned(const struct gm_agent_view *v)
{
	return v->abandoned == 1;
}

static bool settled(const struct gm_agent_view *v)
{
	return all_read(v) && v->abandoned == 0 && v->children == 1;
}

static void begin(struct stage *s, int64_t interval_ms)
{
	stage_begin(s, interval_ms, NULL);
	(void)stage_until(s, all_read, SOON_MS);
}

static uint64_t missed_in_all(const struct gm_agent_view *v)
{
	uint64_t n = 0;

	for (unsigned b = 0; b < v->board_count; b++)
		n += v->boards[b].missed;
	return n;
}

static void test_samplers_read_every_board_each_round(void **state)
{
	(void)state;
	struct stage s;
	begin(&s, 100);
	stage_rounds(&s, 2);
	const uint64_t missed = missed_in_all(stage_view(&s)), samples = stage_view(&s)->boards[3].samples;
	const int64_t began = gm_mono_ms(gm_clock_system());
	stage_rounds(&s, 10);
	const int64_t took = gm_mono_ms(gm_clock_system()) - began;
	assert_in_range(took, 800, 1200);
	assert_in_range(stage_view(&s)->boards[3].samples - samples, 9, 11);
	assert_int_equal(missed_in_all(stage_view(&s)), missed);
	for (unsigned b = 0; b < BOARDS; b++) {
		const struct gm_agent_board *g = &stage_view(&s)->boards[b];
		struct gm_window_value power;
		assert_int_equal(strncmp(g->reading.facts.uuid, "GPU-", 4), 0);
		assert_true(gm_sample_has(&g->reading.sample, GM_FIELD_POWER));
		assert_true(gm_sample_has(&g->reading.sample, GM_FIELD_XID));
		gm_window_show(&g->window, 30000, gm_mono_ms(gm_clock_system()), GM_WINDOW_POWER, &power);
		assert_true(power.count >= 10);
	}
	assert_int_equal(stage_view(&s)->child_starts, 1);
	stage_end(&s);
}

static int log_pipe[2];

static void log_begin(void)
{
	assert_int_equal(pipe2(log_pipe, O_CLOEXEC | O_NONBLOCK), 0);
	gm_log_setup(GM_LOG_LOGFMT, GM_LOG_INFO, log_pipe[1], gm_clock_system());
}

/* Each text is part of one line that was logged since. */
static void log_has(const char *level, const char *first, const char *second)
{
	char text[16 * 1024], *rest = text, *line;
	const ssize_t n = read(log_pipe[0], text, sizeof(text) - 1);

	assert_true(n > 0);
	text[n] = '\0';
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (strstr(line, level) && strstr(line, first) && strstr(line, second))
			return;
	}
	fail_msg("no line with '%s', '%s', '%s'", level, first, second);
}

static void log_end(void)
{
	gm_log_setup(GM_LOG_LOGFMT, GM_LOG_INFO, STDERR_FILENO, gm_clock_system());
	close(log_pipe[0]);
	close(log_pipe[1]);
}

static void test_samplers_one_hung_board_stops_no_other(void **state)
{
	(void)state;
	struct stage s;
	begin(&s, 100);
	const uint64_t missed = missed_in_all(stage_view(&s));
	board = 3;
	log_begin();
	stage_tell(&s, "fault nvmlDeviceGetUtilizationRates gpu=3 block");
	const int64_t took = stage_until(&s, board_hung, stage_hung_after_ms() + 1000);
	assert_true(took >= stage_hung_after_ms() - 100);
	assert_string_equal(gm_agent_state_name(stage_view(&s)->state), "working");
	assert_int_equal(stage_view(&s)->boards[3].hung_call, GM_NVML_SYMBOL_utilization);
	assert_int_equal(count_in(stage_view(&s), GM_BOARD_OK), BOARDS - 1);
	log_has("level=warn", "to=hung", "call=nvmlDeviceGetUtilizationRates");
	stage_rounds(&s, 5);
	assert_int_equal(missed_in_all(stage_view(&s)),
			 missed); /* those of board 3 are counted when it is read again */
	stage_tell(&s, "clear all");
	(void)stage_until(&s, all_read, SOON_MS);
	log_has("level=info", "from=hung", "to=ok");
	log_end();
	assert_int_equal(stage_view(&s)->child_starts, 1);
	assert_int_equal(stage_view(&s)->boards[3].hangs, 1);
	stage_rounds(&s, 2); /* what was missed is known with the next round in time */
	assert_true(stage_view(&s)->boards[3].missed >= (uint64_t)(stage_hung_after_ms() / 100 - 2));
	stage_end(&s);
}

/* The promise: one sample in 1,000 of those that could go on. GM_LONG plays all 1,000. */
static void test_samplers_a_hang_that_spreads_costs_the_others_one_sample(void **state)
{
	(void)state;
	struct stage s;
	uint64_t before[BOARDS];
	begin(&s, 100);
	stage_rounds(&s, 3);
	for (unsigned b = 0; b < BOARDS; b++)
		before[b] = stage_view(&s)->boards[b].missed;
	board = 5;
	stage_tell(&s, "fault nvmlDeviceGetUtilizationRates gpu=5 block-library times=1");
	(void)stage_until(&s, one_abandoned, SOON_MS);
	(void)stage_until(&s, board_hung, stage_hung_after_ms() + 1000);
	stage_rounds(&s, getenv("GM_LONG") ? 1000 : 10);
	for (unsigned b = 0; b < BOARDS; b++) {
		if (b != 5)
			assert_in_range(stage_view(&s)->boards[b].missed - before[b], 0, 1);
	}
	assert_int_equal(stage_view(&s)->child_starts, 2);
	/* Its call returns, its process ends, its board goes to the other one. */
	stage_tell(&s, "clear all");
	(void)stage_until(&s, settled, SOON_MS);
	assert_int_equal(stage_view(&s)->child_starts, 2);
	assert_int_equal(stage_view(&s)->child_crashes, 0);
	stage_end(&s);
}

static bool agent_hung(const struct gm_agent_view *v)
{
	return v->state == GM_AGENT_HUNG;
}

static bool two_abandoned(const struct gm_agent_view *v)
{
	return v->abandoned == 2;
}

/* Which one is left out is a guess when calls of several begin at once: the one whose call began first. */
static bool two_hung(const struct gm_agent_view *v)
{
	return count_in(v, GM_BOARD_HUNG) == 2;
}

/* Three boards that each hold up their whole process: the third is waited for, and nobody is killed. */
static void test_samplers_abandon_two_and_no_third(void **state)
{
	(void)state;
	struct stage s;
	begin(&s, 100);
	stage_rounds(&s, 2);
	stage_tell(&s, "fault nvmlDeviceGetUtilizationRates gpu=1 block-library times=1");
	(void)stage_until(&s, one_abandoned, SOON_MS);
	stage_rounds(&s, 12);
	stage_tell(&s, "fault nvmlDeviceGetUtilizationRates gpu=4 block-library times=1");
	(void)stage_until(&s, two_abandoned, SOON_MS);
	(void)stage_until(&s, two_hung, SOON_MS);
	assert_int_equal(stage_view(&s)->state, GM_AGENT_WORKING);
	assert_int_equal(count_in(stage_view(&s), GM_BOARD_OK), BOARDS - 2);
	stage_rounds(&s, 12);
	stage_tell(&s, "fault nvmlDeviceGetUtilizationRates gpu=6 block-library times=1");
	(void)stage_until(&s, agent_hung, SOON_MS);
	assert_non_null(strstr(stage_view(&s)->reason, "two sampling processes"));
	for (int i = 0; i < 10; i++)
		stage_turn(&s);
	assert_int_equal(stage_view(&s)->abandoned, 2);
	assert_int_equal(stage_view(&s)->child_starts, 3);
	stage_tell(&s, "clear all");
	(void)stage_until(&s, settled, SOON_MS);
	assert_int_equal(stage_view(&s)->child_crashes, 0);
	stage_end(&s);
}

/* A lock of the driver itself: no other process gets further, and that is what is told. */
static void test_samplers_tell_when_the_whole_driver_hangs(void **state)
{
	(void)state;
	struct stage s;
	begin(&s, 100);
	stage_rounds(&s, 2);
	stage_tell(&s, "fault nvmlDeviceGetUtilizationRates gpu=1 block-driver times=1");
	(void)stage_until(&s, agent_hung, stage_hung_after_ms() + 1500);
	assert_int_equal(count_in(stage_view(&s), GM_BOARD_HUNG), BOARDS);
	stage_tell(&s, "clear all");
	(void)stage_until(&s, settled, SOON_MS);
	assert_in_range(stage_view(&s)->child_starts, 1, 3);
	stage_end(&s);
}

/* Hangs that pass: the patience grows with them, so that no process is made for each. */
static void test_samplers_get_used_to_a_driver_that_often_stops_for_a_while(void **state)
{
	(void)state;
	const int cycles = getenv("GM_LONG") ? 2000 : 5;
	struct stage s;
	begin(&s, 100);
	for (int i = 0; i < cycles; i++) {
		stage_tell(&s, "fault nvmlDeviceGetUtilizationRates gpu=1 block-library 130ms times=1");
		stage_rounds(&s, 3);
	}
	(void)stage_until(&s, settled, SOON_MS);
	assert_in_range(stage_view(&s)->child_starts, 2, 4);
	assert_int_equal(stage_view(&s)->child_crashes, 0);
	stage_end(&s);
}

static void test_samplers_a_crash_is_made_good_at_once(void **state)
{
	(void)state;
	struct stage s;
	begin(&s, 100);
	const uint64_t missed = stage_view(&s)->boards[0].missed;
	stage_tell(&s, "fault nvmlDeviceGetUtilizationRates gpu=6 crash times=1");
	while (stage_view(&s)->child_crashes == 0)
		stage_turn(&s);
	(void)stage_until(&s, all_read, SOON_MS);
	stage_rounds(&s, 3);
	assert_int_equal(stage_view(&s)->child_starts, 2);
	assert_string_equal(gm_agent_state_name(stage_view(&s)->state), "working");
	assert_in_range(stage_view(&s)->boards[0].missed - missed, 0, 1);
	stage_end(&s);
}

/* Turns until all boards are read again; none may be told as read before it was. */
static void turn_until_read_after(struct stage *s, int64_t wall_ms)
{
	while (!all_read(stage_view(s))) {
		const struct gm_agent_view *v = stage_view(s);

		for (unsigned b = 0; v->state == GM_AGENT_WORKING && b < v->board_count; b++) {
			const struct gm_sample *sample = &v->boards[b].reading.sample;
			assert_true(sample->at_ms >= wall_ms || (!sample->valid && v->boards[b].state == GM_BOARD_NEW));
		}
		stage_turn(s);
	}
	for (unsigned b = 0; b < BOARDS; b++)
		assert_true(stage_view(s)->boards[b].reading.sample.at_ms >= wall_ms);
}

/* A round may end between the order for a further board and the moment it is heard: such a board has nothing to look at. */
static void test_samplers_an_order_on_its_way_disturbs_no_round(void **state)
{
	(void)state;
	struct stage s;
	begin(&s, 100);
	(void)atomic_fetch_or(&s.shared->children[0].boards, UINT64_C(1) << BOARDS);
	stage_rounds(&s, 5);
	assert_int_equal(stage_view(&s)->child_crashes, 0);
	assert_int_equal(stage_view(&s)->child_starts, 1);
	stage_end(&s);
}

static bool no_driver(const struct gm_agent_view *v)
{
	return v->state == GM_AGENT_NO_DRIVER;
}

static void test_samplers_follow_a_driver_that_goes_and_comes(void **state)
{
	(void)state;
	struct stage s;
	begin(&s, 100);
	stage_tell(&s, "unload-driver");
	(void)stage_until(&s, no_driver, SOON_MS);
	assert_non_null(strstr(stage_view(&s)->reason, "DRIVER_NOT_LOADED"));
	stage_turn(&s);
	assert_int_equal(count_in(stage_view(&s), GM_BOARD_FAILED), BOARDS);
	const int64_t loaded_ms = gm_wall_ms(gm_clock_system());
	stage_tell(&s, "load-driver");
	turn_until_read_after(&s, loaded_ms);
	const uint64_t starts = stage_view(&s)->child_starts;
	stage_tell(&s, "mismatch on");
	(void)stage_until(&s, no_driver, SOON_MS);
	assert_non_null(strstr(stage_view(&s)->reason, "LIB_RM_VERSION_MISMATCH"));
	/* A process that begins now loads the library that fits: no restart of the agent. */
	(void)stage_until(&s, all_read, SOON_MS);
	assert_in_range(stage_view(&s)->child_starts, starts + 1, starts + 2);
	stage_tell(&s, "mismatch off");
	(void)stage_until(&s, all_read, SOON_MS);
	assert_int_equal(stage_view(&s)->child_crashes, 0);
	stage_end(&s);
}

static void test_samplers_a_lost_board_comes_back(void **state)
{
	(void)state;
	struct stage s;
	char uuid[48];
	begin(&s, 100);
	board = 2;
	memcpy(uuid, stage_view(&s)->boards[2].reading.facts.uuid, sizeof(uuid));
	stage_tell(&s, "lost 2");
	(void)stage_until(&s, board_lost, SOON_MS);
	stage_rounds(&s, 3);
	assert_int_equal(count_in(stage_view(&s), GM_BOARD_OK), BOARDS - 1);
	assert_string_equal(stage_view(&s)->boards[2].reading.facts.uuid, uuid);
	stage_tell(&s, "back 2");
	(void)stage_until(&s, all_read, SOON_MS);
	assert_int_equal(stage_view(&s)->child_starts, 1);
	stage_end(&s);
}

static bool xid_seen(const struct gm_agent_view *v)
{
	return v->board_count > 4 && v->boards[4].xid_at_ms > 0;
}

static void test_samplers_tell_the_last_xid(void **state)
{
	(void)state;
	struct stage s;
	begin(&s, 100);
	assert_int_equal(stage_view(&s)->boards[4].reading.sample.value[GM_FIELD_XID], 0);
	stage_rounds(&s, 2);
	stage_tell(&s, "xid 4 79");
	(void)stage_until(&s, xid_seen, SOON_MS);
	stage_rounds(&s, 2);
	assert_int_equal(stage_view(&s)->boards[4].reading.sample.value[GM_FIELD_XID], 79);
	assert_int_equal(stage_view(&s)->boards[3].reading.sample.value[GM_FIELD_XID], 0);
	stage_end(&s);
}

static bool all_heard(const struct gm_agent_view *v)
{
	return v->board_count > 4 && v->boards[4].events.counts[GM_BOARD_EVENT_XID] == 2 &&
	       v->boards[4].events.counts[GM_BOARD_EVENT_ECC_UNCORRECTED] == 1;
}

/* Two XIDs between two looks, and an event that is none: all of them are told. */
static void test_samplers_tell_every_event(void **state)
{
	(void)state;
	struct stage s;
	begin(&s, 100);
	stage_rounds(&s, 2);
	stage_tell(&s, "xid 4 48");
	stage_tell(&s, "xid 4 63");
	stage_tell(&s, "ecc 4 dbe 1");
	(void)stage_until(&s, all_heard, SOON_MS);
	const struct gm_board_events *events = &stage_view(&s)->boards[4].events;
	assert_int_equal(events->xids[0].code, 48);
	assert_int_equal(events->xids[1].code, 63);
	assert_int_equal(gm_board_events_get(events, 2)->data, 48);
	assert_true(gm_wall_ms(gm_clock_system()) - gm_board_events_get(events, 2)->at_ms < SOON_MS);
	assert_int_equal(stage_view(&s)->boards[3].events.made, 0);
	stage_end(&s);
}

static void test_samplers_let_go_of_the_driver_while_they_are_held(void **state)
{
	(void)state;
	struct stage s;
	begin(&s, 100);
	gm_samplers_tell_pause(s.samplers, 12345, "asked for");
	gm_samplers_hold(s.samplers, GM_HOLD_PAUSE);
	gm_samplers_hold(s.samplers, GM_HOLD_MIG);
	for (int64_t until = gm_mono_ms(gm_clock_system()) + SOON_MS; !gm_samplers_quiet(s.samplers);) {
		assert_true(gm_mono_ms(gm_clock_system()) < until);
		stage_turn(&s);
	}
	assert_int_equal(stage_view(&s)->state, GM_AGENT_PAUSED);
	assert_int_equal(stage_view(&s)->paused_until_ms, 12345);
	assert_string_equal(stage_view(&s)->reason, "asked for");
	assert_int_equal(stage_view(&s)->abandoned, 0);
	gm_samplers_release(s.samplers, GM_HOLD_PAUSE);
	for (int i = 0; i < 5; i++)
		stage_turn(&s);
	assert_true(gm_samplers_quiet(s.samplers));
	const uint64_t missed = missed_in_all(stage_view(&s));
	const int64_t released_ms = gm_wall_ms(gm_clock_system());
	gm_samplers_release(s.samplers, GM_HOLD_MIG);
	stage_turn(&s);
	turn_until_read_after(&s, released_ms);
	assert_int_equal(missed_in_all(stage_view(&s)), missed);
	assert_int_equal(stage_view(&s)->child_starts, 2);
	stage_end(&s);
}

static bool no_library(const struct gm_agent_view *v)
{
	return v->state == GM_AGENT_NO_LIBRARY;
}

static void test_samplers_wait_for_a_library_that_is_not_there_yet(void **state)
{
	(void)state;
	struct stage s;
	char path[] = "/tmp/gm-stage-library-XXXXXX";
	assert_non_null(mkdtemp(path));
	char file[64];
	(void)snprintf(file, sizeof(file), "%s/libnvidia-ml.so.1", path);
	stage_begin(&s, 100, file);
	(void)stage_until(&s, no_library, SOON_MS);
	assert_true(stage_view(&s)->reason[0] != '\0');
	assert_int_equal(symlink(getenv("NVML_SIM_LIBRARY"), file), 0);
	(void)stage_until(&s, all_read, SOON_MS);
	stage_end(&s);
	(void)unlink(file);
	(void)rmdir(path);
}

static void test_samplers_tell_of_an_init_that_hangs(void **state)
{
	(void)state;
	struct stage s;
	stage_begin(&s, 100, NULL);
	log_begin();
	stage_tell(&s, "fault nvmlInit block");
	(void)stage_until(&s, agent_hung, stage_hung_after_ms() + 1000);
	log_has("level=warn", "agent changed its state", "to=hung");
	log_end();
	assert_non_null(strstr(stage_view(&s)->reason, "nvmlInit"));
	stage_tell(&s, "clear all");
	(void)stage_until(&s, all_read, SOON_MS);
	assert_int_equal(stage_view(&s)->child_starts, 1);
	stage_end(&s);
}

static void test_samplers_change_their_interval_while_they_run(void **state)
{
	(void)state;
	struct stage s;
	begin(&s, 60000);
	const uint64_t missed = missed_in_all(stage_view(&s));
	gm_samplers_set_interval(s.samplers, 100, 30000);
	const int64_t began = gm_mono_ms(gm_clock_system());
	stage_rounds(&s, 8);
	assert_true(gm_mono_ms(gm_clock_system()) - began < 2000);
	assert_int_equal(missed_in_all(stage_view(&s)), missed);
	stage_end(&s);
}

static void test_samplers_children_end_when_the_agent_is_gone(void **state)
{
	(void)state;
	struct stage s;
	begin(&s, 100);
	const pid_t pid = gm_samplers_pid(s.samplers, 0);
	const int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	assert_true(pid > 0 && fd >= 0);
	stage_end(&s);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	assert_int_equal(poll(&p, 1, SOON_MS), 1);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samplers_read_every_board_each_round),
		cmocka_unit_test(test_samplers_one_hung_board_stops_no_other),
		cmocka_unit_test(test_samplers_a_hang_that_spreads_costs_the_others_one_sample),
		cmocka_unit_test(test_samplers_abandon_two_and_no_third),
		cmocka_unit_test(test_samplers_tell_when_the_whole_driver_hangs),
		cmocka_unit_test(test_samplers_get_used_to_a_driver_that_often_stops_for_a_while),
		cmocka_unit_test(test_samplers_a_crash_is_made_good_at_once),
		cmocka_unit_test(test_samplers_an_order_on_its_way_disturbs_no_round),
		cmocka_unit_test(test_samplers_follow_a_driver_that_goes_and_comes),
		cmocka_unit_test(test_samplers_a_lost_board_comes_back),
		cmocka_unit_test(test_samplers_tell_the_last_xid),
		cmocka_unit_test(test_samplers_tell_every_event),
		cmocka_unit_test(test_samplers_let_go_of_the_driver_while_they_are_held),
		cmocka_unit_test(test_samplers_wait_for_a_library_that_is_not_there_yet),
		cmocka_unit_test(test_samplers_tell_of_an_init_that_hangs),
		cmocka_unit_test(test_samplers_change_their_interval_while_they_run),
		cmocka_unit_test(test_samplers_children_end_when_the_agent_is_gone),
	};
	cmocka_set_test_filter(getenv("TEST"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
