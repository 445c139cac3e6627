/* SPDX-License-Identifier: MIT */
#include "app/agent/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/auto.h"
#include "../../base/test-random.h"

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)
#define SYMBOL 7

/* Children that do what a test says, and a clock that it sets. */
struct stage {
	struct gm_watch watch;
	struct gm_watch_seen seen;
	struct gm_watch_orders orders;
};

static void begin(struct stage *s, int64_t interval_ms)
{
	*s = (struct stage){ 0 };
	gm_watch_init(&s->watch);
	s->seen.now_ns = 1000 * SECOND;
	s->seen.interval_ns = interval_ms * MS;
	s->seen.hung_after_ns = 2 * SECOND;
}

static void decide(struct stage *s)
{
	gm_watch_decide(&s->watch, &s->seen, &s->orders);
	assert_true(s->orders.next_ns > s->seen.now_ns);
	if (s->orders.start >= 0)
		s->seen.children[s->orders.start] = (struct gm_watch_child_seen){ 0 };
}

static void after(struct stage *s, int64_t ms)
{
	s->seen.now_ns += ms * MS;
	decide(s);
}

static void works(struct stage *s, int child, unsigned boards)
{
	s->seen.children[child].state = GM_AGENT_CHILD_WORKING;
	s->seen.children[child].board_count = boards;
	s->seen.children[child].main = (struct gm_watch_call){ 0 };
}

static void calls(struct stage *s, int child, unsigned board, int64_t began_ms_ago)
{
	s->seen.children[child].boards[board].call =
		(struct gm_watch_call){ SYMBOL + 1, s->seen.now_ns - began_ms_ago * MS };
}

static void reads(struct stage *s, int child, uint64_t boards)
{
	for (unsigned b = 0; b < GM_AGENT_BOARDS_MAX; b++) {
		if (!(boards >> b & 1))
			continue;
		s->seen.children[child].boards[b].call = (struct gm_watch_call){ 0 };
		s->seen.children[child].boards[b].reported_ns = s->seen.now_ns;
	}
}

static void ended(struct stage *s, int child, int code)
{
	gm_watch_ended(&s->watch, (unsigned)child, code, s->seen.now_ns);
}

/* A child that reads 8 boards. */
static void begin_working(struct stage *s, int64_t interval_ms)
{
	begin(s, interval_ms);
	decide(s);
	assert_int_equal(s->orders.start, 0);
	works(s, 0, 8);
	decide(s);
	assert_int_equal(s->orders.children[0].boards, 0xff);
	reads(s, 0, 0xff);
	after(s, 200);
	assert_int_equal(s->orders.start, -1);
}

/* All of a child's calls hang, board `first` since `ms`, the others since a millisecond less. */
static void all_stuck(struct stage *s, int child, unsigned boards, unsigned first, int64_t ms)
{
	for (unsigned b = 0; b < boards; b++)
		calls(s, child, b, b == first ? ms : ms - 1);
}

static void test_watch_one_hung_board_changes_nothing_for_the_others(void **state)
{
	(void)state;
	struct stage s;
	begin_working(&s, 100);
	calls(&s, 0, 3, 0);
	for (int ms = 0; ms < 1999; ms += 50) {
		after(&s, ms ? 50 : 0);
		reads(&s, 0, 0xf7);
		assert_int_equal(s.orders.hung, 0);
		assert_int_equal(s.orders.start, -1);
	}
	after(&s, 50);
	assert_int_equal(s.orders.hung, 1 << 3);
	assert_int_equal(s.orders.hung_call[3], SYMBOL);
	for (int i = 0; i < 600; i++) {
		after(&s, 100);
		reads(&s, 0, 0xf7);
		assert_int_equal(s.orders.start, -1);
		assert_int_equal(s.orders.children[0].order, GM_AGENT_RUN);
		assert_int_equal(s.orders.children[0].boards, 0xff);
	}
	reads(&s, 0, 0xff);
	decide(&s);
	assert_int_equal(s.orders.hung, 0);
	assert_int_equal(s.orders.alive, 1);
}

static void test_watch_asks_to_be_called_when_a_call_becomes_a_hang(void **state)
{
	(void)state;
	struct stage s;
	begin_working(&s, 60000);
	calls(&s, 0, 3, 0);
	decide(&s);
	assert_int_equal(s.orders.next_ns - s.seen.now_ns, SECOND); /* the patience */
	after(&s, 1000);
	assert_int_equal(s.orders.next_ns - s.seen.now_ns, SECOND);
	after(&s, 1000);
	assert_int_equal(s.orders.hung, 1 << 3);
}

static void test_watch_a_spreading_hang_is_taken_over_without_its_culprit(void **state)
{
	(void)state;
	struct stage s;
	begin_working(&s, 100);
	all_stuck(&s, 0, 8, 5, 49);
	decide(&s);
	assert_int_equal(s.orders.start, -1);
	assert_true(s.orders.next_ns - s.seen.now_ns <= 1 * MS);
	after(&s, 2);
	assert_int_equal(s.orders.start, 1);
	assert_int_equal(s.orders.children[0].order, GM_AGENT_RUN); /* not yet: it may come back by itself */
	works(&s, 1, 8);
	after(&s, 10);
	assert_int_equal(s.orders.children[1].boards, 0xff & ~(1 << 5));
	reads(&s, 1, 0xff & ~(1 << 5));
	after(&s, 5);
	assert_true(s.orders.took_over);
	assert_int_equal(s.orders.children[0].order, GM_AGENT_ABANDON);
	assert_int_equal(s.orders.children[0].boards, 0);
	assert_int_equal(s.orders.abandoned, 1);
	assert_int_equal(s.orders.hung, 0);
	after(&s, 2000);
	assert_int_equal(s.orders.hung, 1 << 5);
	/* The call returns and the process ends: its board goes to the one that works. */
	ended(&s, 0, GM_AGENT_EXIT_ABANDONED);
	reads(&s, 1, 0xff & ~(1 << 5));
	decide(&s);
	assert_int_equal(s.orders.hung, 0);
	assert_int_equal(s.orders.children[1].boards, 0xff);
	assert_int_equal(s.orders.start, -1);
	assert_int_equal(s.orders.abandoned, 0);
}

static void test_watch_calls_that_return_while_another_starts_cost_nothing(void **state)
{
	(void)state;
	struct stage s;
	begin_working(&s, 100);
	all_stuck(&s, 0, 8, 5, 60);
	decide(&s);
	assert_int_equal(s.orders.start, 1);
	reads(&s, 0, 0xff);
	after(&s, 5);
	assert_int_equal(s.orders.children[0].order, GM_AGENT_RUN);
	assert_int_equal(s.orders.children[0].boards, 0xff);
	assert_int_equal(s.orders.children[1].order, GM_AGENT_END);
	ended(&s, 1, GM_AGENT_EXIT_OK);
	after(&s, 5);
	assert_int_equal(s.orders.alive, 1);
}

static void test_watch_a_board_that_was_hung_before_is_the_culprit(void **state)
{
	(void)state;
	struct stage s;
	begin_working(&s, 100);
	calls(&s, 0, 2, 5000);
	decide(&s);
	assert_int_equal(s.orders.start, -1);
	for (unsigned b = 0; b < 8; b++)
		calls(&s, 0, b, b == 2 ? 5100 : b == 6 ? 80 : 70);
	decide(&s);
	assert_int_equal(s.orders.start, 1);
	works(&s, 1, 8);
	after(&s, 5);
	assert_int_equal(s.orders.children[1].boards, 0xff & ~(1 << 2));
}

static void hang_and_take_over(struct stage *s, int old, int young, uint64_t boards, unsigned culprit)
{
	s->seen.now_ns += 200 * MS;
	for (unsigned b = 0; b < 8; b++) {
		if (boards >> b & 1)
			calls(s, old, b, b == culprit ? 100 : 99);
	}
	after(s, 5000);
	assert_int_equal(s->orders.start, young);
	works(s, young, 8);
	after(s, 5);
	reads(s, young, s->orders.children[young].boards);
	after(s, 5);
	assert_true(s->orders.took_over);
}

/*
 * A takeover may have to wait longer than a call takes to be a hang: for its turn behind another, or for room. Even so only the
 * board that got stuck first is left out.
 */
static void test_watch_a_takeover_that_had_to_wait_leaves_out_one_board(void **state)
{
	(void)state;
	struct stage s;
	begin_working(&s, 100);
	s.seen.hung_after_ns = 1107 * MS;
	hang_and_take_over(&s, 0, 1, 0xff, 1);
	for (unsigned b = 0; b < 8; b++)
		if (b != 1)
			calls(&s, 1, b, b == 4 ? 9 : 8 - (int64_t)(b % 3));
	after(&s, 600); /* the second after the takeover before it is not over */
	assert_int_equal(s.orders.start, -1);
	after(&s, 500); /* five are hung by now, two nearly */
	assert_int_equal(s.orders.start, 2);
	works(&s, 2, 8);
	after(&s, 5);
	assert_int_equal(s.orders.children[2].boards, 0xff & ~(1 << 1 | 1 << 4));
}

/* A lock that some boards share, not all: they wait for room, and are taken over when there is some. */
static void test_watch_some_boards_wait_for_room_together(void **state)
{
	(void)state;
	struct stage s;
	begin_working(&s, 100);
	hang_and_take_over(&s, 0, 1, 0xff, 1);
	hang_and_take_over(&s, 1, 2, 0xfd, 4);
	reads(&s, 2, 0xed);
	s.seen.now_ns += 100 * MS;
	for (unsigned b = 5; b < 8; b++)
		calls(&s, 2, b, b == 6 ? 10 : 9);
	for (unsigned i = 0; i < 30; i++) {
		after(&s, 100);
		reads(&s, 2, 0x0d);
		assert_int_equal(s.orders.start, -1);
		assert_false(s.orders.limit); /* boards are read */
	}
	assert_int_equal(s.orders.hung & 0xe0, 0xe0);
	ended(&s, 0, GM_AGENT_EXIT_ABANDONED);
	decide(&s);
	assert_int_equal(s.orders.start, 0);
	works(&s, 0, 8);
	after(&s, 5);
	assert_int_equal(s.orders.children[0].boards, 0xff & ~(1 << 4 | 1 << 6));
}

static void test_watch_slow_drivers_are_given_the_time_they_are_used_to_take(void **state)
{
	(void)state;
	struct stage s;
	begin_working(&s, 100);
	assert_int_equal(gm_watch_patience_ns(&s.watch, 100 * MS, 2 * SECOND), 50 * MS);
	s.seen.longest_ns = 150 * MS;
	decide(&s);
	s.seen.longest_ns = 0;
	assert_int_equal(gm_watch_patience_ns(&s.watch, 100 * MS, 2 * SECOND), 450 * MS);
	all_stuck(&s, 0, 8, 5, 300);
	decide(&s);
	assert_int_equal(s.orders.start, -1);
	reads(&s, 0, 0xff);
	/* Fades, and is never more than a hang; a hang is not what calls usually take. */
	after(&s, 31000);
	assert_int_equal(gm_watch_patience_ns(&s.watch, 100 * MS, 2 * SECOND), 225 * MS);
	s.seen.longest_ns = 1900 * MS;
	decide(&s);
	assert_int_equal(gm_watch_patience_ns(&s.watch, 100 * MS, 2 * SECOND), 2 * SECOND);
	s.seen.longest_ns = 60 * SECOND;
	after(&s, 600000);
	assert_int_equal(gm_watch_patience_ns(&s.watch, 100 * MS, 2 * SECOND), 50 * MS);
}

/* Calls of an abandoned child that wait behind its lock, for boards that were read long since by who took over. */
static void test_watch_boards_do_not_hang_because_who_read_them_last_is_gone(void **state)
{
	(void)state;
	struct stage s;
	begin_working(&s, 100);
	hang_and_take_over(&s, 0, 1, 0xff, 1);
	after(&s, 2000);
	assert_int_equal(s.orders.hung, 1 << 1);
	s.seen.held = true;
	decide(&s);
	ended(&s, 1, GM_AGENT_EXIT_OK);
	after(&s, 10);
	assert_int_equal(s.orders.hung, 1 << 1);
}

static void test_watch_a_third_hang_waits(void **state)
{
	(void)state;
	struct stage s;
	begin_working(&s, 100);
	hang_and_take_over(&s, 0, 1, 0xff, 1);
	assert_int_equal(s.orders.children[1].boards, 0xfd);
	hang_and_take_over(&s, 1, 2, 0xfd, 4);
	assert_int_equal(s.orders.children[2].boards, 0xed);
	assert_int_equal(s.orders.abandoned, 2);
	s.seen.now_ns += 200 * MS;
	for (unsigned b = 0; b < 8; b++) {
		if (0xed >> b & 1)
			calls(&s, 2, b, b == 6 ? 100 : 99);
	}
	for (int i = 0; i < 300; i++) {
		after(&s, 500);
		assert_int_equal(s.orders.start, -1);
		assert_int_equal(s.orders.abandoned, 2);
		assert_int_equal(s.orders.limit, i >= 3); /* once it is a hang, not a stop that may pass */
		assert_int_equal(s.orders.children[2].order, GM_AGENT_RUN);
	}
	assert_int_equal(s.orders.hung, 0xff);
	/* One of the abandoned ends: now the third hang is dealt with. */
	ended(&s, 0, GM_AGENT_EXIT_ABANDONED);
	decide(&s);
	assert_int_equal(s.orders.start, 0);
	assert_false(s.orders.limit);
}

static void test_watch_a_crash_costs_one_round_and_a_crash_loop_no_core(void **state)
{
	(void)state;
	struct stage s;
	begin_working(&s, 100);
	static const int64_t delay_ms[] = { 0, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000 };
	for (size_t i = 0; i < GM_LEN(delay_ms); i++) {
		ended(&s, 0, -1);
		decide(&s);
		if (delay_ms[i]) {
			assert_int_equal(s.orders.start, -1);
			after(&s, delay_ms[i] - 1);
			assert_int_equal(s.orders.start, -1);
			after(&s, 1);
		}
		assert_int_equal(s.orders.start, 0);
		works(&s, 0, 8);
		decide(&s);
	}
	after(&s, 60000);
	ended(&s, 0, -1);
	decide(&s);
	assert_int_equal(s.orders.start, 0); /* it had lasted: at once again */
}

static void test_watch_what_others_must_mend_is_asked_again_every_few_seconds(void **state)
{
	(void)state;
	static const int codes[] = { GM_AGENT_EXIT_NO_LIBRARY, GM_AGENT_EXIT_INIT };
	static const int64_t delay_ms[] = { 1000, 2000, 4000, 5000, 5000 };
	for (size_t c = 0; c < GM_LEN(codes); c++) {
		struct stage s;
		begin(&s, 1000);
		decide(&s);
		for (size_t i = 0; i < GM_LEN(delay_ms); i++) {
			ended(&s, 0, codes[c]);
			after(&s, delay_ms[i] - 1);
			assert_int_equal(s.orders.start, -1);
			after(&s, 1);
			assert_int_equal(s.orders.start, 0);
		}
	}
}

static void test_watch_a_driver_reload_is_followed_at_once(void **state)
{
	(void)state;
	struct stage s;
	begin_working(&s, 1000);
	ended(&s, 0, GM_AGENT_EXIT_DRIVER);
	decide(&s);
	assert_int_equal(s.orders.start, 0);
}

static void test_watch_a_hold_ends_all_and_starts_none(void **state)
{
	(void)state;
	struct stage s;
	begin_working(&s, 100);
	s.seen.held = true;
	decide(&s);
	assert_int_equal(s.orders.children[0].order, GM_AGENT_END);
	calls(&s, 0, 3, 0);
	after(&s, 1999);
	assert_int_equal(s.orders.abandoned, 0);
	after(&s, 1);
	/* It may not be killed, so it is left to itself, and does not stand in the way of what comes after the hold. */
	assert_int_equal(s.orders.children[0].order, GM_AGENT_ABANDON);
	after(&s, 60000);
	assert_int_equal(s.orders.start, -1);
	s.seen.held = false;
	decide(&s);
	assert_int_equal(s.orders.start, 1);
	works(&s, 1, 8);
	decide(&s);
	assert_int_equal(s.orders.children[1].boards, 0xff & ~(1 << 3));
	ended(&s, 0, GM_AGENT_EXIT_ABANDONED);
	decide(&s);
	assert_int_equal(s.orders.children[1].boards, 0xff);
}

static void test_watch_an_init_that_hangs_is_told_and_another_tried_later(void **state)
{
	(void)state;
	struct stage s;
	begin(&s, 1000);
	decide(&s);
	s.seen.children[0].main = (struct gm_watch_call){ 1, s.seen.now_ns };
	after(&s, 1999);
	assert_false(s.orders.init_hung);
	after(&s, 1);
	assert_true(s.orders.init_hung);
	after(&s, 57999);
	assert_int_equal(s.orders.start, -1);
	after(&s, 1);
	assert_int_equal(s.orders.start, 1);
	works(&s, 1, 8);
	after(&s, 10);
	assert_int_equal(s.orders.children[1].boards, 0xff);
	reads(&s, 1, 0xff);
	after(&s, 10);
	assert_int_equal(s.orders.children[0].order, GM_AGENT_ABANDON);
	assert_false(s.orders.init_hung);
}

static void test_watch_a_renewal_is_a_takeover_in_peace(void **state)
{
	(void)state;
	struct stage s;
	begin_working(&s, 1000);
	s.seen.renew = true;
	decide(&s);
	assert_int_equal(s.orders.start, 1);
	works(&s, 1, 7);
	after(&s, 10);
	assert_int_equal(s.orders.children[0].boards, 0xff);
	assert_int_equal(s.orders.children[1].boards, 0x7f);
	reads(&s, 1, 0x7f);
	s.seen.renew = false;
	after(&s, 10);
	assert_int_equal(s.orders.children[0].order, GM_AGENT_END);
	assert_int_equal(s.orders.children[1].boards, 0x7f);
	ended(&s, 0, GM_AGENT_EXIT_OK);
	after(&s, 10);
	assert_int_equal(s.orders.alive, 1);
	assert_int_equal(s.watch.failures, 0);
}

static void test_watch_a_crash_of_the_first_makes_the_second_the_first(void **state)
{
	(void)state;
	struct stage s;
	begin_working(&s, 100);
	all_stuck(&s, 0, 8, 5, 60);
	decide(&s);
	assert_int_equal(s.orders.start, 1);
	ended(&s, 0, -1);
	works(&s, 1, 8);
	after(&s, 5);
	assert_int_equal(s.orders.start, -1);
	assert_int_equal(s.orders.children[1].boards, 0xff);
}

static void test_watch_a_start_that_failed_is_tried_again(void **state)
{
	(void)state;
	struct stage s;
	begin(&s, 1000);
	decide(&s);
	gm_watch_not_started(&s.watch, 0, s.seen.now_ns);
	after(&s, 999);
	assert_int_equal(s.orders.start, -1);
	after(&s, 1);
	assert_int_equal(s.orders.start, 0);
}

/* What must hold whatever happens, however unlikely. */
static void check_invariants(const struct stage *s)
{
	unsigned roles[GM_WATCH_ABANDONED + 1] = { 0 };
	for (unsigned c = 0; c < GM_AGENT_CHILDREN_MAX; c++)
		roles[s->watch.children[c].role]++;
	assert_true(roles[GM_WATCH_PRIMARY] <= 1 && roles[GM_WATCH_SUCCESSOR] <= 1);
	assert_int_equal(roles[GM_WATCH_PRIMARY], s->watch.primary >= 0);
	assert_int_equal(roles[GM_WATCH_SUCCESSOR], s->watch.successor >= 0);
	assert_true(s->orders.abandoned <= GM_WATCH_ABANDONED_MAX);
	assert_true(s->watch.successor < 0 || s->watch.primary >= 0);
	if (s->seen.held)
		assert_int_equal(s->orders.start, -1);
	for (unsigned c = 0; c < GM_AGENT_CHILDREN_MAX; c++) {
		const enum gm_watch_role role = s->watch.children[c].role;
		if (role != GM_WATCH_PRIMARY && role != GM_WATCH_SUCCESSOR)
			assert_int_equal(s->orders.children[c].boards, 0);
		assert_true((s->orders.children[c].order == GM_AGENT_ABANDON) == (role == GM_WATCH_ABANDONED));
	}
}

static void do_something(struct stage *s)
{
	const unsigned c = (unsigned)(test_random() % GM_AGENT_CHILDREN_MAX);
	const unsigned b = (unsigned)(test_random() % 8);
	if (s->watch.children[c].role == GM_WATCH_FREE)
		return;
	const bool is_abandoned = s->watch.children[c].role == GM_WATCH_ABANDONED;
	switch (test_random() % 8) {
	case 0:
	case 1:
		works(s, (int)c, 8);
		break;
	case 2:
		calls(s, (int)c, b, 0);
		break;
	case 3:
		reads(s, (int)c, s->orders.children[c].boards & (test_random() | test_random()));
		break;
	case 4:
		all_stuck(s, (int)c, 8, b, 1);
		break;
	case 5:
		if (test_random() % (is_abandoned ? 4 : 40) == 0)
			ended(s, (int)c, is_abandoned ? GM_AGENT_EXIT_ABANDONED : -1);
		break;
	case 6:
		s->seen.held = test_random() % 64 == 0;
		s->seen.renew = test_random() % 8 == 0;
		break;
	default:
		s->seen.children[c].main = (struct gm_watch_call){ (uint32_t)(test_random() % 2), s->seen.now_ns };
	}
}

static void test_watch_keeps_its_promises_in_any_order_of_events(void **state)
{
	(void)state;
	unsigned takeovers = 0, most = 0;
	struct stage s;
	test_random_seed(7);
	begin(&s, 100);
	for (int i = 0; i < 60000; i++) {
		do_something(&s);
		after(&s, (int64_t)(test_random() % 400));
		check_invariants(&s);
		takeovers += s.orders.took_over;
		if (s.orders.abandoned > most)
			most = s.orders.abandoned;
	}
	/* The run has met what it is about. */
	assert_true(takeovers > 50);
	assert_true(most >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_watch_one_hung_board_changes_nothing_for_the_others),
		cmocka_unit_test(test_watch_asks_to_be_called_when_a_call_becomes_a_hang),
		cmocka_unit_test(test_watch_a_spreading_hang_is_taken_over_without_its_culprit),
		cmocka_unit_test(test_watch_calls_that_return_while_another_starts_cost_nothing),
		cmocka_unit_test(test_watch_a_board_that_was_hung_before_is_the_culprit),
		cmocka_unit_test(test_watch_a_takeover_that_had_to_wait_leaves_out_one_board),
		cmocka_unit_test(test_watch_some_boards_wait_for_room_together),
		cmocka_unit_test(test_watch_slow_drivers_are_given_the_time_they_are_used_to_take),
		cmocka_unit_test(test_watch_boards_do_not_hang_because_who_read_them_last_is_gone),
		cmocka_unit_test(test_watch_a_third_hang_waits),
		cmocka_unit_test(test_watch_a_crash_costs_one_round_and_a_crash_loop_no_core),
		cmocka_unit_test(test_watch_what_others_must_mend_is_asked_again_every_few_seconds),
		cmocka_unit_test(test_watch_a_driver_reload_is_followed_at_once),
		cmocka_unit_test(test_watch_a_hold_ends_all_and_starts_none),
		cmocka_unit_test(test_watch_an_init_that_hangs_is_told_and_another_tried_later),
		cmocka_unit_test(test_watch_a_renewal_is_a_takeover_in_peace),
		cmocka_unit_test(test_watch_a_crash_of_the_first_makes_the_second_the_first),
		cmocka_unit_test(test_watch_a_start_that_failed_is_tried_again),
		cmocka_unit_test(test_watch_keeps_its_promises_in_any_order_of_events),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
