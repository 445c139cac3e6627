/* SPDX-License-Identifier: MIT */
#include "store-test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "adapter/store/writer.h"
#include "base/alloc.h"
#include "fakes/crash_vfs.h"

struct bed {
	struct place place;
	struct crash_vfs *vfs;
	struct gm_store_writer *w;
	int began, ended; /* failures told */
	int last_code;
};

static void changed(void *ctx, const struct gm_err *err)
{
	struct bed *b = ctx;

	b->began += err != NULL;
	b->ended += err == NULL;
	b->last_code = err ? err->code : 0;
}

/* Time goes by itself, beginning at T0. */
static int64_t running_wall(void *ctx)
{
	(void)ctx;
	return T0 + gm_mono_ms(gm_clock_system()) % HOUR;
}

static int64_t running_mono(void *ctx)
{
	(void)ctx;
	return gm_mono_ms(gm_clock_system());
}
static const struct gm_clock running = { .wall_ms = running_wall, .mono_ms = running_mono };

/* clock NULL: the one set by hand. */
static void begin(struct bed *b, const struct gm_clock *clock, uint64_t queue_rows)
{
	b->place.conf.clock = clock ? clock : &b->place.clock.clock;
	place_open(&b->place);
	const struct gm_store_writer_conf conf = {
		.store = b->place.store,
		.clock = b->place.conf.clock,
		.queue_rows = queue_rows,
		.retry_min_ms = clock ? 5 : 0,
		.changed = changed,
		.ctx = b,
	};
	b->w = gm_store_writer_new(&conf);
}

static int setup(void **state)
{
	struct bed *b = gm_xalloc(sizeof(*b));

	place_init(&b->place);
	b->vfs = crash_vfs_new("writer", 1);
	b->place.conf.vfs = "writer";
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bed *b = *state;

	gm_store_writer_free(b->w);
	place_fini(&b->place);
	crash_vfs_free(b->vfs);
	free(b);
	return 0;
}

static void push(struct bed *b, uint32_t series, int64_t at_ms, size_t count)
{
	struct gm_sample_row *rows = gm_xalloc(count * sizeof(*rows));

	for (size_t i = 0; i < count; i++)
		rows[i] = (struct gm_sample_row){ .series = series,
						  .sample = sample_at(series, at_ms + (int64_t)i * SECOND) };
	gm_store_writer_samples(b->w, rows, count);
}

static struct gm_store_writer_stats stats(struct bed *b)
{
	struct gm_store_writer_stats s;

	gm_store_writer_stats(b->w, &s);
	return s;
}

static void check_there(struct bed *b, uint32_t series, int64_t at_ms, size_t count)
{
	int64_t times[1000];

	for (size_t i = 0; i < count; i++)
		times[i] = at_ms + (int64_t)i * SECOND;
	b->place.clock.wall_ms = T0;
	check_chart(&b->place, series, GM_FIELD_ENERGY, at_ms, at_ms + 10 * MINUTE, SECOND, GM_TIER_RAW, times, count);
}

static int count_series(void *ctx, const struct gm_series_def *def, struct gm_err *err)
{
	(void)err;
	if (def->series == 1)
		assert_string_equal(def->node, "worker-09");
	++*(int *)ctx;
	return 0;
}

static void test_what_waits_together_is_one_transaction(void **state)
{
	struct bed *b = *state;
	struct gm_series_def defs[] = { series_def(1, "GPU-1"), series_def(2, "GPU-2") };
	int series = 0;

	begin(b, NULL, 0);
	assert_true(gm_store_writer_turn(b->w, 0));
	assert_int_equal(stats(b).commits, 0);
	gm_store_writer_series(b->w, &defs[0]);
	gm_store_writer_series(b->w, &defs[1]);
	defs[0].node = "worker-09";
	gm_store_writer_series(b->w, &defs[0]);
	for (int i = 0; i < 10; i++)
		push(b, 1, T0 + i * 10 * SECOND, 10);
	assert_int_equal(stats(b).queued_rows, 100);
	assert_int_equal(stats(b).queued_items, 12);
	assert_true(gm_store_writer_turn(b->w, 0));
	const struct gm_store_writer_stats s = stats(b);
	assert_int_equal(s.commits, 1);
	assert_int_equal(s.written_rows, 100);
	assert_int_equal(s.queued_items, 0);
	assert_false(s.failing);
	check_there(b, 1, T0, 100);
	assert_ok(fleet(&b->place)->load_series(fleet(&b->place)->ctx, count_series, &series, err));
	assert_int_equal(series, 2);
}

static void test_a_failing_database_loses_the_oldest_only(void **state)
{
	struct bed *b = *state;
	const struct gm_series_def def = series_def(3, "GPU-3");
	int series = 0;

	begin(b, NULL, 100);
	crash_vfs_fail_at(b->vfs, 1, SQLITE_FULL, true);
	gm_store_writer_series(b->w, &def);
	push(b, 1, T0, 10);
	assert_true(gm_store_writer_turn(b->w, 0));
	struct gm_store_writer_stats s = stats(b);
	assert_true(s.failing);
	assert_int_equal(s.error.code, GM_ERR_NO_SPACE);
	assert_int_equal(s.since_ms, T0);
	assert_int_equal(s.written_rows, 0);
	assert_int_equal(b->began, 1);
	assert_int_equal(b->last_code, GM_ERR_NO_SPACE);
	/* Within the pause nothing is tried; the queue drops its oldest. */
	const uint64_t ops = crash_vfs_ops(b->vfs);
	for (int i = 0; i < 15; i++)
		push(b, 2, T0 + i * 10 * SECOND, 10);
	b->place.clock.mono_ms += 500;
	assert_true(gm_store_writer_turn(b->w, 0));
	assert_int_equal(crash_vfs_ops(b->vfs), ops);
	s = stats(b);
	assert_int_equal(s.dropped_rows, 50);
	assert_int_equal(s.queued_rows, 100);
	/* The pause grows, up to its end; being told once is enough. */
	const uint64_t failures = s.failures;
	for (int i = 0; i < 60; i++) {
		b->place.clock.mono_ms += 1000;
		assert_true(gm_store_writer_turn(b->w, 0));
	}
	assert_in_range(stats(b).failures - failures, 4, 20);
	assert_int_equal(b->began, 1);
	/* Space again: what was held and what waits is written, the series too. */
	crash_vfs_fail_at(b->vfs, 0, 0, false);
	b->place.clock.wall_ms += 5;
	for (int i = 0; i < 4; i++) {
		b->place.clock.mono_ms += 31000;
		assert_true(gm_store_writer_turn(b->w, 0));
	}
	s = stats(b);
	assert_false(s.failing);
	assert_int_equal(s.since_ms, T0 + 5);
	assert_int_equal(s.error.code, GM_ERR_NO_SPACE);
	assert_int_equal(b->ended, 1);
	assert_int_equal(s.written_rows, 110);
	check_there(b, 1, T0, 10);
	check_there(b, 2, T0 + 50 * SECOND, 100);
	assert_ok(fleet(&b->place)->load_series(fleet(&b->place)->ctx, count_series, &series, err));
	assert_int_equal(series, 1);
}

/* A job: one audit row, or a failure. */
struct note {
	const struct gm_auth_store *auth;
	int fail_with;
	atomic_int *freed;
};

static int write_note(void *ctx, struct gm_err *err)
{
	const struct note *n = ctx;
	const struct gm_audit row = { .at_ms = T0, .action = GM_STR("note") };
	const int r = n->auth->append_audit(n->auth->ctx, &row, 1, err);

	return r || !n->fail_with ? r : gm_fail(err, n->fail_with, "as asked");
}

static void free_note(void *ctx)
{
	struct note *n = ctx;

	atomic_fetch_add(n->freed, 1);
	free(n);
}

static int count_audit(void *ctx, const struct gm_audit *row, struct gm_err *err)
{
	(void)row;
	(void)err;
	++*(int *)ctx;
	return 0;
}

static int audit_rows(struct bed *b)
{
	const struct gm_audit_query all = { .limit = 10000 };
	int count = 0;

	assert_ok(auth(&b->place)->read_audit(auth(&b->place)->ctx, &all, count_audit, &count, err));
	return count;
}

static int do_note(struct bed *b, int fail_with, struct gm_err *err)
{
	struct note n = { .auth = auth(&b->place), .fail_with = fail_with };
	const struct gm_store_job job = { .run = write_note, .ctx = &n };

	return gm_store_writer_do(b->w, &job, 20000, err);
}

static void test_jobs_are_durable_or_told(void **state)
{
	struct bed *b = *state;
	struct gm_err failure = { 0 };

	begin(b, &running, 0);
	assert_ok(gm_store_writer_start(b->w, err));
	assert_ok(do_note(b, 0, err));
	assert_int_equal(audit_rows(b), 1);
	/* A job that fails undoes what it did. */
	assert_int_equal(do_note(b, GM_ERR_CONFLICT, &failure), GM_ERR_CONFLICT);
	assert_string_equal(failure.text, "as asked");
	assert_int_equal(audit_rows(b), 1);
	/* A full disk is told to who asks, at once, each time. */
	crash_vfs_fail_at(b->vfs, 1, SQLITE_FULL, true);
	for (int i = 0; i < 3; i++)
		assert_int_equal(do_note(b, 0, &failure), GM_ERR_NO_SPACE);
	crash_vfs_fail_at(b->vfs, 0, 0, false);
	assert_ok(do_note(b, 0, err));
	assert_int_equal(audit_rows(b), 2);
	assert_true(gm_store_writer_stop(b->w, 10000));
	assert_int_equal(do_note(b, 0, &failure), GM_ERR_STOPPED);
	assert_int_equal(audit_rows(b), 2);
}

static void test_a_deadline_hands_the_job_over(void **state)
{
	struct bed *b = *state;
	atomic_int freed = 0;
	struct note *n = gm_xalloc(sizeof(*n));
	struct gm_err failure = { 0 };

	begin(b, NULL, 0);
	*n = (struct note){ .auth = auth(&b->place), .freed = &freed };
	const struct gm_store_job job = { .run = write_note, .ctx = n, .free_ctx = free_note };
	/* No thread runs: nobody answers. */
	assert_int_equal(gm_store_writer_do(b->w, &job, 1, &failure), GM_ERR_DEADLINE);
	assert_int_equal(atomic_load(&freed), 0);
	assert_true(gm_store_writer_turn(b->w, 0));
	assert_int_equal(atomic_load(&freed), 1);
	assert_int_equal(audit_rows(b), 0);
}

/* More threads read than there are connections. */
static int read_chart(struct bed *b)
{
	GM_AUTO(gm_chart_fini_p) struct gm_chart c = { 0 };
	enum gm_tier tier = GM_TIER_MEMORY;
	const int r = gm_chart_init(&c, GM_FIELD_ENERGY, T0 - DAY, T0, MINUTE, 0, NULL);

	return r ? r : fleet(&b->place)->chart(fleet(&b->place)->ctx, 1, &c, c.to_ms, &tier, NULL);
}

static void *many_notes(void *p)
{
	struct bed *b = p;

	for (int i = 0; i < 50; i++) {
		struct gm_err failure = { 0 };
		const int r = do_note(b, i % 10 == 9 ? GM_ERR_CONFLICT : 0, &failure);
		if (r != (i % 10 == 9 ? GM_ERR_CONFLICT : 0) || read_chart(b))
			return b;
	}
	return NULL;
}

static void test_many_ask_at_once(void **state)
{
	struct bed *b = *state;
	pthread_t threads[8];

	b->place.conf.readers = 3;
	begin(b, &running, 0);
	assert_ok(gm_store_writer_start(b->w, err));
	for (size_t i = 0; i < GM_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, many_notes, b), 0);
	for (int i = 0; i < 200; i++)
		push(b, 1, T0 - DAY + i * MINUTE, 5);
	for (size_t i = 0; i < GM_LEN(threads); i++) {
		void *failed = NULL;
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	assert_true(gm_store_writer_stop(b->w, 10000));
	const struct gm_store_writer_stats s = stats(b);
	assert_int_equal(audit_rows(b), 8 * 45);
	assert_int_equal(s.jobs, 8 * 45);
	assert_int_equal(s.written_rows, 1000);
	/* One sync answers many. */
	assert_true(s.commits < 8 * 50 + 200);
	assert_true(s.maintain_steps > 0);
}

static void test_stopping_writes_what_waits(void **state)
{
	struct bed *b = *state;

	begin(b, &running, 0);
	for (int i = 0; i < 90; i++)
		push(b, 1, T0 + i * 10 * SECOND, 10);
	assert_ok(gm_store_writer_start(b->w, err));
	assert_true(gm_store_writer_stop(b->w, 10000));
	assert_int_equal(stats(b).written_rows, 900);
	check_there(b, 1, T0, 600);
	/* What comes later is dropped, not kept for nobody. */
	push(b, 1, T0, 1);
	assert_int_equal(stats(b).queued_rows, 0);
}

static void test_stopping_does_not_wait_for_ever(void **state)
{
	struct bed *b = *state;

	begin(b, &running, 0);
	crash_vfs_fail_at(b->vfs, 1, SQLITE_IOERR_WRITE, true);
	push(b, 1, T0, 10);
	assert_ok(gm_store_writer_start(b->w, err));
	assert_false(gm_store_writer_stop(b->w, 50));
	const struct gm_store_writer_stats s = stats(b);
	assert_int_equal(s.dropped_rows, 10);
	assert_true(s.failing);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_what_waits_together_is_one_transaction),
		TEST(test_a_failing_database_loses_the_oldest_only),
		TEST(test_jobs_are_durable_or_told),
		TEST(test_a_deadline_hands_the_job_over),
		TEST(test_many_ask_at_once),
		TEST(test_stopping_writes_what_waits),
		TEST(test_stopping_does_not_wait_for_ever),
	};
	return cmocka_run_group_tests_name("store/writer", tests, NULL, NULL);
}
