/* SPDX-License-Identifier: MIT */
#include "core/fleet/chart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/alloc.h"

#define MIN INT64_C(60000)
#define HOUR (60 * MIN)
#define DAY (24 * HOUR)
#define T0 (INT64_C(1764000000000) / DAY * DAY)

static void test_the_step_is_the_smallest_nice_one(void **state)
{
	static const struct {
		int64_t range_ms, sample_ms, step_ms;
	} cases[] = {
		{ 25 * MIN, 0, 1000 },	  { 25 * MIN + 1, 0, 5000 },  { HOUR, 1000, 5000 },
		{ HOUR, 30000, 30000 },	  { 10 * MIN, 30000, 30000 }, { 10 * MIN, 20000, 30000 },
		{ 4 * HOUR, 0, 10000 },	  { 6 * HOUR, 0, 15000 },     { DAY, 0, MIN },
		{ 7 * DAY, 0, 15 * MIN }, { 30 * DAY, 0, HOUR },      { 365 * DAY, 0, 6 * HOUR },
		{ 1500 * DAY, 0, DAY },	  { 1501 * DAY, 0, 2 * DAY }, { 20000 * DAY, 0, 14 * DAY },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		GM_AUTO(gm_chart_fini_p) struct gm_chart c = { 0 };
		assert_int_equal(gm_chart_init(&c, GM_FIELD_POWER, T0, T0 + cases[i].range_ms, 0, cases[i].sample_ms,
					       NULL),
				 0);
		assert_int_equal(c.step_ms, cases[i].step_ms);
		assert_in_range(c.count, 1, GM_CHART_POINTS_MAX);
	}
}

static void test_buckets_begin_at_multiples(void **state)
{
	static const struct {
		int64_t from, to, step, first;
		size_t count;
	} cases[] = {
		{ 0, 100, 10, 0, 10 },	{ 5, 100, 10, 0, 10 }, { 5, 101, 10, 0, 11 },	{ -5, 5, 10, -10, 2 },
		{ -10, 0, 10, -10, 1 }, { 19, 20, 10, 10, 1 }, { 0, 1500, 1, 0, 1500 },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		GM_AUTO(gm_chart_fini_p) struct gm_chart c = { 0 };
		assert_int_equal(gm_chart_init(&c, GM_FIELD_POWER, cases[i].from, cases[i].to, cases[i].step, 0, NULL),
				 0);
		assert_int_equal(c.from_ms, cases[i].first);
		assert_int_equal(c.to_ms, cases[i].to);
		assert_int_equal(c.count, cases[i].count);
	}
}

static void test_bad_ranges_are_refused(void **state)
{
	static const struct {
		int64_t from, to, step;
		const char *where, *text;
	} cases[] = {
		{ 5, 5, 0, "from", "before" },
		{ 6, 5, 0, "from", "before" },
		{ INT64_MIN, INT64_MAX, 0, "from", "too large" },
		{ 0, 100, -1, "step", "out of range" },
		{ 0, 100, INT64_MAX, "step", "out of range" },
		{ 0, HOUR, 1000, "step",
		  "a step of 1s gives more than 1500 points; the smallest allowed for this range is 5s" },
		{ 1, 1502, 1, "step", "smallest allowed" },
		{ 1, 15010, 10, "step", "smallest allowed" },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		struct gm_chart c = { .count = 3 };
		struct gm_err err;
		assert_int_equal(gm_chart_init(&c, GM_FIELD_POWER, cases[i].from, cases[i].to, cases[i].step, 0, &err),
				 GM_ERR_INVALID);
		assert_string_equal(err.where, cases[i].where);
		assert_non_null(strstr(err.text, cases[i].text));
		assert_int_equal(c.count, 3);
	}
	struct gm_chart c = { 0 };
	gm_alloc_fail_at(1);
	assert_int_equal(gm_chart_init(&c, GM_FIELD_POWER, 0, 10, 0, 0, NULL), GM_ERR_NO_MEMORY);
	gm_alloc_fail_at(0);
	gm_chart_fini(&c);
	gm_chart_fini(NULL);
}

static void test_values_meet_in_their_buckets(void **state)
{
	(void)state;
	GM_AUTO(gm_chart_fini_p) struct gm_chart c = { 0 };
	assert_int_equal(gm_chart_init(&c, GM_FIELD_POWER, 5, 40, 10, 0, NULL), 0);
	assert_int_equal(c.count, 4);
	gm_chart_add(&c, -1, 1000);
	gm_chart_add(&c, 40, 1000);
	gm_chart_add(&c, 3, 7); /* the first bucket begins at 0 */
	gm_chart_add(&c, 9, -7);
	gm_chart_add(&c, 10, INT64_MAX);
	gm_chart_add(&c, 19, INT64_MAX);
	gm_chart_add(&c, 39, 5);
	gm_chart_add_rollup(&c, 30, 1, 3, 9, 10);
	gm_chart_add_rollup(&c, 30, -100, 0, 100, 0); /* of nothing */
	assert_int_equal(c.buckets[0].count, 2);
	assert_true(c.buckets[0].min == -7 && c.buckets[0].max == 7 && c.buckets[0].sum == 0);
	assert_true(c.buckets[1].sum == (__int128)INT64_MAX * 2);
	assert_int_equal(c.buckets[2].count, 0);
	assert_int_equal(c.buckets[3].count, 11);
	assert_true(c.buckets[3].min == 1 && c.buckets[3].max == 9 && c.buckets[3].sum == 35);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_step_is_the_smallest_nice_one),
		cmocka_unit_test(test_buckets_begin_at_multiples),
		cmocka_unit_test(test_bad_ranges_are_refused),
		cmocka_unit_test(test_values_meet_in_their_buckets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
