/* SPDX-License-Identifier: MIT */
#include "app/agent/shared.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <string.h>

#define REPORTS 20000

static struct gm_agent_shared *map(void)
{
	struct gm_agent_shared *s = NULL;
	struct gm_err err = { 0 };

	assert_int_equal(gm_agent_shared_map(&s, &err), 0);
	return s;
}

/* Every part of a report says the same number. */
static void *write_reports(void *arg)
{
	struct gm_agent_cell *c = arg;

	gm_agent_cell_begin(c);
	for (int64_t n = 1; n <= REPORTS; n++) {
		struct gm_agent_report *r = gm_agent_cell_back(c);
		r->round = n;
		r->reading.sample.at_ms = n;
		r->reading.process_count = (uint32_t)(n % GM_READING_PROCESSES_MAX);
		for (uint32_t i = 0; i < r->reading.process_count; i++)
			r->reading.processes[i].used_bytes = n;
		gm_agent_cell_publish(c);
		/* Now and then until it was taken: else a machine with one core could write all before any is read. */
		while (n % 1000 == 1 && (atomic_load(&c->middle) & GM_AGENT_FRESH))
			(void)sched_yield();
	}
	return NULL;
}

static void test_shared_reports_are_whole_and_only_go_on(void **state)
{
	(void)state;
	struct gm_agent_shared *s = map();
	struct gm_agent_cell *c = &s->cells[2][5];
	pthread_t writer;
	int64_t last = 0;
	unsigned taken = 0;

	assert_int_equal(pthread_create(&writer, NULL, write_reports, c), 0);
	while (last < REPORTS) {
		const struct gm_agent_report *r = gm_agent_cell_take(c);
		if (!r)
			continue;
		assert_true(r->round > last);
		last = r->round;
		taken++;
		assert_int_equal(r->reading.sample.at_ms, last);
		assert_int_equal(r->reading.process_count, last % GM_READING_PROCESSES_MAX);
		for (uint32_t i = 0; i < r->reading.process_count; i++)
			assert_int_equal(r->reading.processes[i].used_bytes, last);
	}
	assert_int_equal(pthread_join(writer, NULL), 0);
	assert_null(gm_agent_cell_take(c));
	assert_true(taken >= REPORTS / 1000);
	gm_agent_shared_unmap(s);
}

static void test_shared_the_next_report_begins_as_the_last(void **state)
{
	(void)state;
	struct gm_agent_shared *s = map();
	struct gm_agent_cell *c = &s->cells[0][0];

	gm_agent_cell_begin(c);
	for (int64_t n = 1; n < 20; n++) {
		struct gm_agent_report *r = gm_agent_cell_back(c);
		assert_int_equal(r->round, n - 1);
		assert_int_equal(r->reading.facts.cuda_version, n - 1);
		r->round = n;
		r->reading.facts.cuda_version = (int32_t)n;
		gm_agent_cell_publish(c);
		if (n % 3 == 0)
			assert_int_equal(gm_agent_cell_take(c)->round, n);
	}
	gm_agent_shared_unmap(s);
}

static void test_shared_what_was_begun_but_not_published_is_not_seen(void **state)
{
	(void)state;
	struct gm_agent_shared *s = map();
	struct gm_agent_cell *c = &s->cells[0][0];

	gm_agent_cell_begin(c);
	gm_agent_cell_back(c)->round = 1;
	gm_agent_cell_publish(c);
	gm_agent_cell_back(c)->round = 2; /* and the child dies here */
	assert_int_equal(gm_agent_cell_take(c)->round, 1);
	assert_null(gm_agent_cell_take(c));
	gm_agent_shared_unmap(s);
}

static void test_shared_a_cleared_row_is_like_new_and_others_stay(void **state)
{
	(void)state;
	struct gm_agent_shared *s = map();

	for (unsigned child = 0; child < 2; child++) {
		gm_agent_cell_begin(&s->cells[child][7]);
		gm_agent_cell_back(&s->cells[child][7])->round = 5;
		gm_agent_cell_publish(&s->cells[child][7]);
		atomic_store(&s->children[child].order, GM_AGENT_ABANDON);
		atomic_store(&s->children[child].init_rc, 9);
	}
	gm_agent_shared_clear(s, 0);
	assert_null(gm_agent_cell_take(&s->cells[0][7]));
	assert_int_equal(atomic_load(&s->children[0].order), GM_AGENT_RUN);
	assert_int_equal(atomic_load(&s->children[0].init_rc), -1);
	assert_int_equal(s->cells[0][7].reports[1].round, 0);
	assert_int_equal(gm_agent_cell_take(&s->cells[1][7])->round, 5);
	assert_int_equal(atomic_load(&s->children[1].order), GM_AGENT_ABANDON);
	gm_agent_shared_unmap(s);
}

static void test_shared_events_are_kept_until_newer_ones_need_the_room(void **state)
{
	(void)state;
	struct gm_agent_shared *s = map();
	struct gm_agent_child *c = &s->children[1];
	struct gm_reading_event e = { .type = 8, .gi = -1, .ci = 3 };
	unsigned board = 0;

	for (uint64_t n = 1; n <= GM_AGENT_EVENTS_MAX + 5; n++) {
		e.data = n;
		e.at_ms = (int64_t)n * 10;
		gm_agent_event_put(c, (unsigned)n % 8, &e);
	}
	for (uint64_t n = 0; n <= GM_AGENT_EVENTS_MAX + 6; n++) {
		struct gm_reading_event got = { 0 };
		const bool there = n > 5 && n <= GM_AGENT_EVENTS_MAX + 5;
		assert_int_equal(gm_agent_event_get(c, n, &board, &got), there);
		if (!there)
			continue;
		assert_int_equal(board, n % 8);
		assert_int_equal(got.data, n);
		assert_int_equal(got.at_ms, n * 10);
		assert_int_equal(got.gi, -1);
		assert_int_equal(got.ci, 3);
	}
	gm_agent_shared_unmap(s);
}

static void *write_events(void *arg)
{
	for (uint64_t n = 1; n <= REPORTS; n++) {
		const struct gm_reading_event e = { .type = n, .data = n, .at_ms = (int64_t)n };
		gm_agent_event_put(arg, (unsigned)(n % GM_AGENT_BOARDS_MAX), &e);
	}
	return NULL;
}

static void test_shared_events_are_whole_while_they_are_overwritten(void **state)
{
	(void)state;
	struct gm_agent_shared *s = map();
	struct gm_agent_child *c = &s->children[0];
	pthread_t writer;
	uint64_t n = 0;

	assert_int_equal(pthread_create(&writer, NULL, write_events, c), 0);
	while (n < REPORTS) {
		struct gm_reading_event e;
		unsigned board;
		n = atomic_load(&c->events_made);
		/* Also the one that is just being overwritten. */
		for (uint64_t i = n > GM_AGENT_EVENTS_MAX ? n - GM_AGENT_EVENTS_MAX : 1; i <= n; i++) {
			if (!gm_agent_event_get(c, i, &board, &e))
				continue;
			assert_int_equal(e.data, i);
			assert_int_equal(e.type, i);
			assert_int_equal(e.at_ms, i);
			assert_int_equal(board, i % GM_AGENT_BOARDS_MAX);
		}
	}
	assert_int_equal(pthread_join(writer, NULL), 0);
	gm_agent_shared_unmap(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared_reports_are_whole_and_only_go_on),
		cmocka_unit_test(test_shared_the_next_report_begins_as_the_last),
		cmocka_unit_test(test_shared_what_was_begun_but_not_published_is_not_seen),
		cmocka_unit_test(test_shared_a_cleared_row_is_like_new_and_others_stay),
		cmocka_unit_test(test_shared_events_are_kept_until_newer_ones_need_the_room),
		cmocka_unit_test(test_shared_events_are_whole_while_they_are_overwritten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
