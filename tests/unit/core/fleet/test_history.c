/* SPDX-License-Identifier: MIT */
#include "core/fleet/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/fleet/rows-internal.h"
#include "curves.h"

#define MIN INT64_C(60000)
#define HOUR (60 * MIN)
#define T0 INT64_C(1764000000000)

struct points {
	struct gm_point p[8000];
	size_t count, stop_at;
};

static bool collect(void *ctx, const struct gm_point *point)
{
	struct points *all = ctx;
	assert_true(all->count < GM_LEN(all->p));
	if (all->count > 0)
		assert_true(point->at_ms > all->p[all->count - 1].at_ms);
	all->p[all->count++] = *point;
	return all->count != all->stop_at;
}

static struct points points;

static size_t read_all(struct gm_history *h, uint32_t series, enum gm_field f, int64_t from, int64_t to)
{
	points.count = 0;
	points.stop_at = 0;
	assert_int_equal(gm_history_read(h, series, f, from, to, collect, &points, NULL), 0);
	return points.count;
}

static struct gm_history_stats stats(struct gm_history *h)
{
	struct gm_history_stats s;
	gm_history_stats(h, &s);
	return s;
}

static struct gm_sample power_at(int64_t at_ms, int64_t value)
{
	struct gm_sample s = { .at_ms = at_ms };
	test_set(&s, GM_FIELD_POWER, value);
	return s;
}

static void test_an_unknown_series_has_nothing(void **state)
{
	(void)state;
	GM_AUTO(gm_history_free_p) struct gm_history *h = gm_history_new(HOUR);
	assert_int_equal(read_all(h, 7, GM_FIELD_POWER, INT64_MIN, INT64_MAX), 0);
	assert_true(gm_history_since(h, 7) == INT64_MAX);
	struct gm_err err;
	assert_int_equal(gm_history_read(h, 7, GM_FIELD_COUNT, 0, 1, collect, &points, &err), GM_ERR_INVALID);
	assert_int_equal(stats(h).series, 0);
	gm_history_free(NULL);
}

static void test_only_newer_samples_are_kept(void **state)
{
	(void)state;
	GM_AUTO(gm_history_free_p) struct gm_history *h = gm_history_new(HOUR);
	struct gm_sample s = power_at(T0, 1);
	assert_true(gm_history_append(h, 1, &s));
	assert_false(gm_history_append(h, 1, &s));
	s = power_at(T0 - 1, 2);
	assert_false(gm_history_append(h, 1, &s));
	s = power_at(T0 + 1, 3);
	assert_true(gm_history_append(h, 1, &s));
	assert_int_equal(read_all(h, 1, GM_FIELD_POWER, INT64_MIN, INT64_MAX), 2);
	assert_int_equal(points.p[1].value, 3);
	assert_int_equal(stats(h).samples, 2);
}

/* Against plain arrays, over many rates, with gaps in fields and in time, and from and to anywhere. */
static void test_it_gives_back_what_was_put_in(void **state)
{
	static const int64_t steps[] = { 1000, 5000, 30000, 7 * MIN, 2 * HOUR };
	static struct gm_sample kept[6000];
	(void)state;
	for (size_t k = 0; k < GM_LEN(steps); k++) {
		GM_AUTO(gm_history_free_p) struct gm_history *h = gm_history_new(75 * MIN);
		struct test_curves c;
		test_curves_begin(&c);
		size_t count = steps[k] < 5000 ? GM_LEN(kept) : 700;
		for (size_t i = 0; i < count; i++) {
			if (i == 300)
				c.at_ms += 20 * MIN;
			test_curves_next(&c, steps[k], &kept[i]);
			if (i % 9 == 4 || i / 50 % 3 == 1)
				gm_sample_miss(&kept[i], GM_FIELD_POWER, GM_ERROR, GM_SOURCE_DCGM);
			assert_true(gm_history_append(h, 42, &kept[i]));
			if (i % 97 != 0 && i + 1 != count)
				continue;
			int64_t last = kept[i].at_ms, span = 80 * MIN;
			int64_t from = last - (int64_t)test_random_below((uint64_t)span),
				to = from + (int64_t)test_random_below((uint64_t)span);
			(void)read_all(h, 42, GM_FIELD_POWER, from, to);
			size_t n = 0;
			for (size_t j = 0; j <= i; j++) {
				int64_t at = kept[j].at_ms;
				if (at < from || at >= to || at < last - 75 * MIN ||
				    !gm_sample_has(&kept[j], GM_FIELD_POWER))
					continue;
				assert_true(n < points.count);
				assert_int_equal(points.p[n].at_ms, at);
				assert_int_equal(points.p[n++].value, kept[j].value[GM_FIELD_POWER]);
			}
			assert_int_equal(points.count, n);
		}
		assert_true(stats(h).samples <= (uint64_t)(75 * MIN * 9 / 8 / steps[k]) + 64);
		assert_true(gm_history_since(h, 42) >= kept[count - 1].at_ms - 75 * MIN);
	}
}

static void test_reading_stops_when_told(void **state)
{
	(void)state;
	GM_AUTO(gm_history_free_p) struct gm_history *h = gm_history_new(HOUR);
	for (int i = 0; i < 100; i++) {
		struct gm_sample s = power_at(T0 + i * 1000, i);
		assert_true(gm_history_append(h, 1, &s));
	}
	static const size_t stops[] = { 1, 20, 64, 97, 100 };
	for (size_t i = 0; i < GM_LEN(stops); i++) {
		points.count = 0;
		points.stop_at = stops[i];
		assert_int_equal(gm_history_read(h, 1, GM_FIELD_POWER, T0, T0 + HOUR, collect, &points, NULL), 0);
		assert_int_equal(points.count, stops[i]);
	}
}

/* All parts of it. */
static void expire(struct gm_history *h, int64_t now_ms)
{
	for (int i = 0; i < 64; i++)
		gm_history_expire(h, now_ms);
}

static void test_series_that_ended_give_their_memory_back(void **state)
{
	(void)state;
	GM_AUTO(gm_history_free_p) struct gm_history *h = gm_history_new(HOUR);
	uint64_t before = stats(h).bytes;
	for (uint32_t series = 1; series <= 200; series++) {
		for (int i = 0; i < 70; i++) {
			struct gm_sample s = power_at(T0 + i * 1000, i);
			assert_true(gm_history_append(h, series, &s));
		}
	}
	assert_int_equal(stats(h).series, 200);
	assert_int_equal(stats(h).samples, 200 * 70);
	uint64_t full = stats(h).bytes;
	expire(h, T0 + HOUR + 69 * 1000);
	assert_int_equal(stats(h).series, 200); /* an hour, and not more */
	struct gm_sample on = power_at(T0 + HOUR, 1);
	assert_true(gm_history_append(h, 9, &on));
	expire(h, T0 + HOUR + 70 * 1000);
	assert_int_equal(stats(h).series, 1);
	assert_int_equal(read_all(h, 9, GM_FIELD_POWER, INT64_MIN, INT64_MAX), 71);
	expire(h, T0 + 3 * HOUR);
	struct gm_history_stats s = stats(h);
	assert_int_equal(s.series, 0);
	assert_int_equal(s.samples, 0);
	assert_true(s.bytes - before < (full - before) / 2);
	assert_int_equal(read_all(h, 5, GM_FIELD_POWER, INT64_MIN, INT64_MAX), 0);
	struct gm_sample again = power_at(T0, 1);
	assert_true(gm_history_append(h, 5, &again));
}

/* 80,000 of these must fit beside everything else. */
static void test_an_hour_of_a_busy_board_takes_few_bytes(void **state)
{
	(void)state;
	GM_AUTO(gm_history_free_p) struct gm_history *h = gm_history_new(HOUR);
	uint64_t empty = stats(h).bytes, most = 0;
	struct test_curves c;
	test_curves_begin(&c);
	for (int i = 0; i < 360; i++) {
		struct gm_sample s;
		test_curves_next(&c, 30000, &s);
		gm_sample_miss(&s, GM_FIELD_XID, GM_UNSUPPORTED, GM_SOURCE_DCGM);
		gm_sample_miss(&s, GM_FIELD_PCIE_REPLAY, GM_UNSUPPORTED, GM_SOURCE_DCGM);
		assert_true(gm_history_append(h, 1, &s));
		uint64_t now = stats(h).bytes - empty;
		most = now > most ? now : most;
	}
	print_message("# at most %d bytes for an hour of 14 fields every 30 s\n", (int)most);
	assert_true(most <= 5 * 1024);
}

static void test_rows_come_back(void **state)
{
	(void)state;
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
	static struct gm_sample put[300];
	struct gm_sample before = { 0 }, got = { 0 };
	for (size_t i = 0; i < GM_LEN(put); i++) {
		put[i].at_ms = (int64_t)test_random();
		uint64_t fields = i % 3 ? i / 20 * 12345 : test_random();
		for (int f = 0; f < GM_FIELD_COUNT; f++)
			if (fields >> f & 1)
				gm_sample_set(&put[i], (enum gm_field)f, (int64_t)test_random_any(), GM_DERIVED,
					      (enum gm_source)(i / 50 % GM_SOURCE_COUNT));
		gm_row_put(&b, &before, &put[i]);
	}
	struct gm_str in = gm_buf_str(&b);
	for (size_t i = 0; i < GM_LEN(put); i++) {
		assert_true(gm_row_take(&in, &got));
		assert_int_equal(got.at_ms, put[i].at_ms);
		assert_int_equal(got.valid, put[i].valid);
		for (int f = 0; f < GM_FIELD_COUNT; f++) {
			if (!gm_sample_has(&put[i], (enum gm_field)f))
				continue;
			assert_int_equal(got.value[f], put[i].value[f]);
			assert_int_equal(got.validity[f], GM_DERIVED);
			assert_int_equal(got.source[f], put[i].source[f]);
		}
	}
	assert_false(gm_row_take(&in, &got));
	for (size_t n = 0; n < 400 && n < b.n; n++) { /* cut anywhere: it ends */
		struct gm_str cut = gm_str_n(b.p, n);
		memset(&got, 0, sizeof(got));
		while (gm_row_take(&cut, &got))
			;
	}
}

struct shared {
	struct gm_history *h;
	atomic_bool stop;
	atomic_size_t reads;
};

/* Each value is its time: a torn or mixed read would show. */
static bool check_point(void *ctx, const struct gm_point *point)
{
	int64_t *last = ctx;
	if (point->value != point->at_ms || point->at_ms <= *last)
		abort();
	*last = point->at_ms;
	return true;
}

static void *keep_reading(void *arg)
{
	struct shared *s = arg;
	uint32_t series = 0;
	do {
		int64_t last = INT64_MIN;
		series = series % 80 + 1;
		if (gm_history_read(s->h, series, GM_FIELD_POWER, INT64_MIN, INT64_MAX, check_point, &last, NULL) != 0)
			abort();
		struct gm_history_stats st;
		gm_history_stats(s->h, &st);
		(void)gm_history_since(s->h, series);
		atomic_fetch_add(&s->reads, 1);
	} while (!atomic_load(&s->stop));
	return NULL;
}

static void test_readers_beside_the_writer(void **state)
{
	(void)state;
	GM_AUTO(gm_history_free_p) struct gm_history *h = gm_history_new(10 * MIN);
	struct shared s = { .h = h };
	pthread_t threads[2];
	for (size_t i = 0; i < GM_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, keep_reading, &s), 0);
	for (int i = 0; i < 400; i++) {
		for (uint32_t series = 1; series <= 80; series++) {
			struct gm_sample p = power_at(T0 + i * 5000, T0 + i * 5000);
			if (series % 13 || i < 100 || i > 300)
				assert_true(gm_history_append(h, series, &p));
		}
		gm_history_expire(h, T0 + i * 5000);
	}
	atomic_store(&s.stop, true);
	for (size_t i = 0; i < GM_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	assert_true(s.reads >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_unknown_series_has_nothing),
		cmocka_unit_test(test_only_newer_samples_are_kept),
		cmocka_unit_test(test_it_gives_back_what_was_put_in),
		cmocka_unit_test(test_reading_stops_when_told),
		cmocka_unit_test(test_series_that_ended_give_their_memory_back),
		cmocka_unit_test(test_an_hour_of_a_busy_board_takes_few_bytes),
		cmocka_unit_test(test_rows_come_back),
		cmocka_unit_test(test_readers_beside_the_writer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
