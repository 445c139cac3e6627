/* SPDX-License-Identifier: MIT */
#include "store-test.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/auto.h"
#include "base/vec.h"

/* Times rising from `from`, `step` apart. */
static int64_t *times_of(int64_t from, int64_t step, size_t count)
{
	int64_t *t = gm_xalloc(count * sizeof(*t));

	for (size_t i = 0; i < count; i++)
		t[i] = from + (int64_t)i * step;
	return t;
}

static int setup(void **state)
{
	struct place *p = gm_xalloc(sizeof(*p));

	place_init(p);
	place_open(p);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	place_fini(*state);
	free(*state);
	return 0;
}

static struct gm_store_stats stats(struct place *p)
{
	struct gm_store_stats s;

	gm_store_stats(p->store, &s);
	return s;
}

static void test_chart_is_the_same_wherever_samples_lie(void **state)
{
	struct place *p = *state;
	GM_AUTO(gm_free_p) int64_t *t = times_of(T0, 10 * SECOND, 3 * 360);

	append_range(p, 1, 5, T0, 10 * SECOND, 2 * 360);
	check_chart(p, 3, GM_FIELD_POWER, T0, T0 + 4 * HOUR, 10 * SECOND, GM_TIER_RAW, t, 2 * 360);
	/* Sorted into runs, the hours not over yet. */
	p->clock.wall_ms = T0;
	settle(p, T0 + 10 * MINUTE);
	assert_int_equal(stats(p).packed_blocks, 0);
	assert_int_equal(stats(p).journal_bytes, 0);
	check_chart(p, 3, GM_FIELD_POWER, T0, T0 + 4 * HOUR, 10 * SECOND, GM_TIER_RAW, t, 2 * 360);
	/* The first hour packed, the second in runs, the third in the journal. */
	settle(p, T0 + 70 * MINUTE);
	assert_int_equal(stats(p).packed_blocks, 5);
	append_range(p, 1, 5, T0 + 2 * HOUR, 10 * SECOND, 360);
	for (enum gm_field f = 0; f < GM_FIELD_COUNT; f++)
		check_chart(p, 3, f, T0, T0 + 4 * HOUR, 10 * SECOND, GM_TIER_RAW, t, 3 * 360);
	place_open(p);
	check_chart(p, 3, GM_FIELD_POWER, T0, T0 + 4 * HOUR, MINUTE, GM_TIER_RAW, t, 3 * 360);
	/* All packed: five-minute rollups, cut ranges, and a series that is not there. */
	settle(p, T0 + 5 * HOUR);
	assert_int_equal(stats(p).packed_blocks, 10);
	check_chart(p, 5, GM_FIELD_POWER, T0, T0 + 4 * HOUR, 5 * MINUTE, GM_TIER_5M, t, 3 * 360);
	check_chart(p, 5, GM_FIELD_ENERGY, T0, T0 + 4 * HOUR, 15 * MINUTE, GM_TIER_5M, t, 3 * 360);
	check_chart(p, 5, GM_FIELD_POWER, T0 + 33 * MINUTE, T0 + 70 * MINUTE, MINUTE, GM_TIER_RAW, t + 33 * 6, 37 * 6);
	check_chart(p, 6, GM_FIELD_POWER, T0, T0 + 4 * HOUR, MINUTE, GM_TIER_RAW, NULL, 0);
	check_chart(p, 5, GM_FIELD_FAN, T0, T0 + 4 * HOUR, 5 * MINUTE, GM_TIER_5M, NULL, 0);
}

static void test_rollups_meet_full_resolution_where_a_range_is_cut(void **state)
{
	struct place *p = *state;
	GM_AUTO(gm_chart_fini_p) struct gm_chart c = { 0 };
	enum gm_tier tier = GM_TIER_MEMORY;
	const int64_t until = T0 + 93 * MINUTE + 20 * SECOND;

	append_range(p, 1, 1, T0, 10 * SECOND, 2 * 360);
	settle(p, T0 + 5 * HOUR);
	assert_ok(gm_chart_init(&c, GM_FIELD_UTILIZATION, T0, T0 + 2 * HOUR, 5 * MINUTE, 0, err));
	assert_ok(fleet(p)->chart(fleet(p)->ctx, 1, &c, until, &tier, err));
	assert_int_equal(tier, GM_TIER_5M);
	size_t got = 0;
	for (size_t i = 0; i < c.count; i++)
		got += c.buckets[i].count;
	assert_int_equal(got, 93 * 6 + 2);
}

static void test_days_are_rolled_up(void **state)
{
	struct place *p = *state;
	const int64_t step = 2 * MINUTE;
	const size_t a_day = 720, count = 3 * a_day + 100;
	GM_AUTO(gm_free_p) int64_t *t = times_of(T0, step, count);

	append_range(p, 7, 8, T0, step, count);
	settle(p, T0 + 3 * DAY + 3 * HOUR);
	check_chart(p, 7, GM_FIELD_TEMPERATURE, T0, T0 + 4 * DAY, HOUR, GM_TIER_1H, t, count);
	check_chart(p, 8, GM_FIELD_POWER, T0, T0 + 4 * DAY, 6 * HOUR, GM_TIER_1H, t, count);
	check_chart(p, 8, GM_FIELD_POWER, T0, T0 + 40 * DAY, DAY, GM_TIER_1D, t, count);
	check_chart(p, 8, GM_FIELD_ENERGY, T0 - 40 * DAY, T0 + 40 * DAY, DAY, GM_TIER_1D, t, count);
	/* A step no rollup divides. */
	check_chart(p, 8, GM_FIELD_POWER, T0, T0 + 4 * DAY, 7 * MINUTE, GM_TIER_RAW, t, count);
	/* The next days' rows change neither of the rows that hold 32 days. */
	append_range(p, 7, 7, T0 + 3 * DAY + 100 * step, step, a_day);
	settle(p, T0 + 5 * DAY);
	GM_AUTO(gm_free_p) int64_t *more = times_of(T0, step, count + a_day);
	check_chart(p, 7, GM_FIELD_POWER, T0, T0 + 5 * DAY, DAY, GM_TIER_1D, more, count + a_day);
	check_chart(p, 8, GM_FIELD_POWER, T0, T0 + 5 * DAY, DAY, GM_TIER_1D, t, count);
}

static void test_duplicates_leave_what_is_there(void **state)
{
	struct place *p = *state;
	int64_t t[] = { T0 + MINUTE, T0 + 2 * MINUTE };
	struct gm_sample_row other = { .series = 1, .sample = sample_at(99, T0 + MINUTE) };

	append_one(p, 1, t[0]);
	append_one(p, 1, t[1]);
	/* In the journal, in a run, in a block: each time the first one stays. */
	const int64_t when[] = { T0 + 3 * MINUTE, T0 + 20 * MINUTE, T0 + 2 * HOUR };
	for (size_t i = 0; i < GM_LEN(when); i++) {
		assert_ok(fleet(p)->append(fleet(p)->ctx, &other, 1, err));
		check_chart(p, 1, GM_FIELD_ENERGY, T0, T0 + HOUR, SECOND * 3, GM_TIER_RAW, t, 2);
		settle(p, when[i]);
		check_chart(p, 1, GM_FIELD_ENERGY, T0, T0 + HOUR, SECOND * 3, GM_TIER_RAW, t, 2);
	}
	/* A sample that lacks a field hides a later one that has it. */
	struct gm_sample_row bare = { .series = 2, .sample = { .at_ms = T0 + MINUTE } };
	gm_sample_set(&bare.sample, GM_FIELD_FAN, 1, GM_MEASURED, GM_SOURCE_DCGM);
	other.series = 2;
	assert_ok(fleet(p)->append(fleet(p)->ctx, &bare, 1, err));
	assert_ok(fleet(p)->append(fleet(p)->ctx, &other, 1, err));
	check_chart(p, 2, GM_FIELD_ENERGY, T0, T0 + HOUR, SECOND * 3, GM_TIER_RAW, NULL, 0);
	settle(p, T0 + 3 * HOUR);
	check_chart(p, 2, GM_FIELD_ENERGY, T0, T0 + HOUR, SECOND * 3, GM_TIER_RAW, NULL, 0);
	assert_true(stats(p).duplicate_rows >= 4);
}

static void test_late_rows_are_merged(void **state)
{
	struct place *p = *state;
	GM_AUTO(gm_free_p) int64_t *t = times_of(T0, MINUTE, 25 * 60);

	/* Every second minute first; the others when hours, then the whole day, have been packed already. */
	for (size_t i = 0; i < 24 * 60; i += 2)
		append_one(p, 1, t[i]);
	settle(p, T0 + 12 * HOUR);
	for (size_t i = 1; i < 6 * 60; i += 2)
		append_one(p, 1, t[i]);
	settle(p, T0 + 26 * HOUR);
	for (size_t i = 24 * 60 - 1; i > 6 * 60; i -= 2)
		append_one(p, 1, t[i]);
	check_chart(p, 1, GM_FIELD_POWER, T0, T0 + DAY, MINUTE, GM_TIER_RAW, t, 24 * 60);
	settle(p, T0 + 27 * HOUR);
	check_chart(p, 1, GM_FIELD_POWER, T0, T0 + DAY, MINUTE, GM_TIER_RAW, t, 24 * 60);
	check_chart(p, 1, GM_FIELD_POWER, T0, T0 + DAY, 5 * MINUTE, GM_TIER_5M, t, 24 * 60);
	check_chart(p, 1, GM_FIELD_POWER, T0, T0 + DAY, HOUR, GM_TIER_1H, t, 24 * 60);
	check_chart(p, 1, GM_FIELD_POWER, T0, T0 + DAY, DAY, GM_TIER_1D, t, 24 * 60);
}

static void test_rows_out_of_range_are_refused(void **state)
{
	struct place *p = *state;
	const int64_t ok[] = { T0 - 30 * DAY, T0, T0 + DAY };

	append_one(p, 1, T0 - 30 * DAY - 1);
	append_one(p, 1, -5);
	append_one(p, 1, T0 + DAY + 1);
	for (size_t i = 0; i < GM_LEN(ok); i++)
		append_one(p, 1, ok[i]);
	assert_int_equal(stats(p).refused_old_rows, 2);
	assert_int_equal(stats(p).refused_future_rows, 1);
	assert_int_equal(stats(p).appended_rows, 3);
	check_chart(p, 1, GM_FIELD_ENERGY, T0 - 30 * DAY, T0 + 2 * DAY, 45 * MINUTE + 1, GM_TIER_RAW, ok, 3);
}

static void test_retention_deletes_in_small_steps(void **state)
{
	struct place *p = *state;
	GM_AUTO(gm_free_p) int64_t *t = times_of(T0, 10 * MINUTE, 6 * 24 * 4);

	p->conf.retention_ms = DAY;
	p->conf.retention_5m_ms = 2 * DAY;
	p->conf.retention_1h_ms = 40 * DAY;
	p->conf.retention_1d_ms = 0;
	place_open(p);
	append_range(p, 1, 700, T0, 10 * MINUTE, 6);
	for (int day = 0; day < 4; day++) {
		append_range(p, 1, 1, T0 + day * DAY + (day ? 0 : HOUR), 10 * MINUTE, (day ? 24 : 23) * 6);
		settle(p, T0 + (day + 1) * DAY + 10 * MINUTE);
		/* What is past its time is looked for once a minute. */
		settle(p, T0 + (day + 1) * DAY + 12 * MINUTE);
	}
	assert_true(stats(p).expired_blobs > 1400);
	const size_t a_day = 6 * 24;
	check_chart(p, 1, GM_FIELD_POWER, T0, T0 + 4 * DAY, HOUR, GM_TIER_1H, t, 4 * a_day);
	check_chart(p, 1, GM_FIELD_POWER, T0, T0 + 4 * DAY, DAY, GM_TIER_1D, t, 4 * a_day);
	check_chart(p, 700, GM_FIELD_POWER, T0, T0 + 4 * DAY, DAY, GM_TIER_1D, t, 6);
	/* A range that full resolution no longer reaches comes from what does. */
	check_chart(p, 1, GM_FIELD_POWER, T0 + 2 * DAY + 6 * HOUR, T0 + 3 * DAY, 5 * MINUTE, GM_TIER_5M,
		    t + 2 * a_day + 36, a_day - 36);
	/* The newest sample is of 23:50 of the fourth day: the hour a day before it is the first that is kept. */
	p->clock.wall_ms = T0 + 3 * DAY;
	check_chart(p, 1, GM_FIELD_POWER, T0 + 2 * DAY + 12 * HOUR, T0 + 3 * DAY + 12 * HOUR, 90 * SECOND, GM_TIER_RAW,
		    t + 3 * a_day - 6, a_day / 2 + 6);
}

static void test_clock_steps(void **state)
{
	struct place *p = *state;
	int64_t t[] = { T0, T0 + MINUTE, T0 + 2 * MINUTE };

	append_one(p, 1, t[0]);
	append_one(p, 1, t[1]);
	settle(p, T0 + 2 * HOUR);
	/* Set forward by ten years: nothing is deleted, and what comes with its right time is taken. */
	settle(p, T0 + 3650 * DAY);
	append_one(p, 1, t[2]);
	settle(p, T0 + 3650 * DAY + 10 * MINUTE);
	p->clock.wall_ms = T0 + 3 * HOUR;
	check_chart(p, 1, GM_FIELD_ENERGY, T0, T0 + HOUR, 3 * SECOND, GM_TIER_RAW, t, 3);
	/* Set back by a year: the same. */
	p->clock.wall_ms = T0 - 365 * DAY;
	p->clock.mono_ms += HOUR;
	bool more = false;
	assert_ok(fleet(p)->maintain(fleet(p)->ctx, p->clock.wall_ms, &more, err));
	append_one(p, 1, T0 - 365 * DAY);
	check_chart(p, 1, GM_FIELD_ENERGY, T0, T0 + HOUR, 3 * SECOND, GM_TIER_RAW, t, 3);
	check_chart(p, 1, GM_FIELD_ENERGY, T0 - 365 * DAY, T0 - 365 * DAY + HOUR, 3 * SECOND, GM_TIER_RAW,
		    (int64_t[]){ T0 - 365 * DAY }, 1);
}

/* Days and hours of eight thousand years would take minutes, with a transaction open all the time. */
static void test_a_range_ends_where_the_data_do(void **state)
{
	struct place *p = *state;
	GM_AUTO(gm_chart_fini_p) struct gm_chart c = { 0 };
	const int64_t last = INT64_C(253402300799000), ahead = T0 + 20 * HOUR;
	enum gm_tier tier;
	uint64_t count = 0;

	append_range(p, 1, 1, T0, MINUTE, 30);
	settle(p, T0 + 2 * HOUR);
	append_one(p, 1, ahead);
	assert_ok(gm_chart_init(&c, GM_FIELD_ENERGY, 0, last, 3000 * DAY, 0, err));
	assert_ok(fleet(p)->chart(fleet(p)->ctx, 1, &c, c.to_ms, &tier, err));
	for (size_t i = 0; i < c.count; i++)
		count += c.buckets[i].count;
	assert_int_equal(tier, GM_TIER_1D);
	assert_int_equal(count, 31);
	assert_ok(fleet(p)->chart(fleet(p)->ctx, 2, &c, c.to_ms, &tier, err));
}

static void test_more_than_a_block_takes(void **state)
{
	struct place *p = *state;
	const size_t count = 7300;
	struct gm_sample_row *rows = gm_xalloc(count * sizeof(*rows));
	GM_AUTO(gm_free_p) int64_t *t = times_of(T0, 400, count);

	for (size_t i = 0; i < count; i++)
		rows[i] = (struct gm_sample_row){ .series = 1, .sample = sample_at(1, t[i]) };
	assert_ok(fleet(p)->append(fleet(p)->ctx, rows, count, err));
	free(rows);
	settle(p, T0 + 2 * HOUR);
	assert_int_equal(stats(p).overfull_rows, 100);
	check_chart(p, 1, GM_FIELD_POWER, T0, T0 + HOUR, 10 * SECOND, GM_TIER_RAW, t, 7200);
}

struct seen {
	GM_VEC(struct gm_sample_row) rows;
	size_t stop_at;
};

static bool see(void *ctx, const struct gm_sample_row *row)
{
	struct seen *s = ctx;

	gm_vec_push(&s->rows, *row);
	return s->rows.count != s->stop_at;
}

static void test_samples_come_back_whole(void **state)
{
	struct place *p = *state;
	struct seen s = { 0 };

	/* One hour packed, one in runs, some in the journal; duplicates in each. */
	append_range(p, 1, 3, T0, MINUTE, 100);
	settle(p, T0 + 100 * MINUTE);
	append_range(p, 1, 3, T0 + 50 * MINUTE, MINUTE, 60);
	assert_ok(gm_store_each_sample(p->store, T0 + 10 * MINUTE, see, &s, err));
	assert_int_equal(s.rows.count, 3 * 100);
	for (size_t i = 0; i < s.rows.count; i++) {
		const struct gm_sample_row *row = &s.rows.items[i];
		struct gm_sample want = sample_at(1 + (uint32_t)(i / 100), T0 + (10 + (int64_t)(i % 100)) * MINUTE);
		/* Why a value is missing is not kept. */
		want.validity[GM_FIELD_FAN] = GM_ABSENT;
		want.source[GM_FIELD_FAN] = GM_SOURCE_NONE;
		assert_int_equal(row->series, 1 + i / 100);
		assert_memory_equal(&row->sample, &want, sizeof(want));
	}
	gm_vec_reset(&s.rows);
	s.stop_at = 7;
	assert_ok(gm_store_each_sample(p->store, T0, see, &s, err));
	assert_int_equal(s.rows.count, 7);
	gm_vec_fini(&s.rows);
}

static int keep_id(void *ctx, const struct gm_series_def *def, struct gm_err *err)
{
	struct gm_series_def *kept = ctx;

	(void)err;
	assert_true(def->series >= 1 && def->series <= 3);
	assert_string_equal(def->cluster, "default");
	/* Boards before instances. */
	assert_int_equal(kept[0].series, 0);
	kept[def->series] = *def;
	assert_true((def->gi_id >= 0) == (def->series == 2));
	if (def->series == 2) {
		assert_string_equal(def->profile, "3g.40gb");
		assert_string_equal(def->mig_uuid, "MIG-1");
		kept[0] = *def;
	} else {
		assert_null(def->profile);
	}
	if (def->series == 1) {
		assert_string_equal(def->uuid, "GPU-1");
		assert_string_equal(def->node, "worker-02");
	}
	return 0;
}

static int refuse(void *ctx, const struct gm_series_def *def, struct gm_err *err)
{
	(void)ctx;
	return gm_fail(err, GM_ERR_CONFLICT, "not %u", def->series);
}

static void test_series_are_kept(void **state)
{
	struct place *p = *state;
	struct gm_series_def defs[] = { series_def(1, "GPU-1"), series_def(2, "GPU-1"), series_def(3, "GPU-3") };
	struct gm_series_def kept[4] = { 0 };
	struct gm_err failure = { 0 };

	defs[1].gi_id = 1;
	defs[1].ci_id = 0;
	defs[1].mig_uuid = "MIG-1";
	defs[1].profile = "3g.40gb";
	defs[1].placement_start = 0;
	defs[1].placement_size = 4;
	assert_ok(fleet(p)->save_series(fleet(p)->ctx, defs, 3, err));
	/* A device that moved: seen later, never first seen later. */
	defs[0].node = "worker-02";
	defs[0].first_seen_ms = T0 + HOUR;
	defs[0].last_seen_ms = T0 + 2 * HOUR;
	assert_ok(fleet(p)->save_series(fleet(p)->ctx, defs, 1, err));
	place_open(p);
	assert_ok(fleet(p)->load_series(fleet(p)->ctx, keep_id, kept, err));
	assert_int_equal(kept[1].first_seen_ms, T0);
	assert_int_equal(kept[1].last_seen_ms, T0 + 2 * HOUR);
	assert_int_equal(kept[1].memory_total_bytes, defs[0].memory_total_bytes);
	assert_int_equal(kept[2].placement_size, 4);
	assert_int_equal(kept[3].placement_size, -1);
	assert_int_equal(fleet(p)->load_series(fleet(p)->ctx, refuse, NULL, &failure), GM_ERR_CONFLICT);
	/* The failure of a callback leaves the connection usable. */
	(void)memset(kept, 0, sizeof(kept));
	assert_ok(fleet(p)->load_series(fleet(p)->ctx, keep_id, kept, err));
}

static void test_small_steps_come_to_the_same(void **state)
{
	struct place *p = *state;
	GM_AUTO(gm_free_p) int64_t *t = times_of(T0, 30 * SECOND, 26 * 120);
	bool more = true;
	int steps = 0;

	p->conf.clock = &p->ticking;
	p->conf.step_ms = 4;
	p->conf.batch_rows = 7;
	p->conf.sort_after_bytes = 2000;
	place_open(p);
	append_range(p, 1, 20, T0, 30 * SECOND, 130);
	settle(p, T0 + 70 * MINUTE);
	append_range(p, 1, 20, T0 + 65 * MINUTE, 30 * SECOND, 26 * 120 - 130);
	gm_manual_clock_advance(&p->clock, T0 + 27 * HOUR - p->clock.wall_ms);
	for (; more; steps++) {
		assert_ok(fleet(p)->maintain(fleet(p)->ctx, p->clock.wall_ms, &more, err));
		if (steps % 50 == 7)
			check_chart(p, 1 + (uint32_t)steps % 20, GM_FIELD_POWER, T0, T0 + 26 * HOUR, 90 * SECOND,
				    GM_TIER_RAW, t, 26 * 120);
		if (steps % 400 == 399)
			place_open(p);
		assert_true(steps < 100000);
	}
	assert_true(steps > 100);
	check_chart(p, 20, GM_FIELD_POWER, T0, T0 + 26 * HOUR, HOUR, GM_TIER_1H, t, 26 * 120);
	check_chart(p, 1, GM_FIELD_POWER, T0, T0 + 30 * DAY, DAY, GM_TIER_1D, t, 26 * 120);
	assert_ok(gm_store_check(p->store, err));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_chart_is_the_same_wherever_samples_lie),
		TEST(test_rollups_meet_full_resolution_where_a_range_is_cut),
		TEST(test_days_are_rolled_up),
		TEST(test_duplicates_leave_what_is_there),
		TEST(test_late_rows_are_merged),
		TEST(test_rows_out_of_range_are_refused),
		TEST(test_retention_deletes_in_small_steps),
		TEST(test_clock_steps),
		TEST(test_a_range_ends_where_the_data_do),
		TEST(test_more_than_a_block_takes),
		TEST(test_samples_come_back_whole),
		TEST(test_series_are_kept),
		TEST(test_small_steps_come_to_the_same),
	};
	return cmocka_run_group_tests_name("store/samples", tests, NULL, NULL);
}
