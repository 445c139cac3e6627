/* SPDX-License-Identifier: MIT */
#include "app/agent/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define LENGTH_MS 30000

static void add(struct gm_window *w, int64_t at_ms, int64_t power)
{
	struct gm_sample s = { 0 };
	gm_sample_set(&s, GM_FIELD_POWER, power, GM_MEASURED, GM_SOURCE_NVML);
	gm_window_add(w, LENGTH_MS, at_ms, &s);
}

static struct gm_window_value show(const struct gm_window *w, int64_t at_ms, enum gm_window_field f)
{
	struct gm_window_value v = { .count = -1 };
	gm_window_show(w, LENGTH_MS, at_ms, f, &v);
	return v;
}

static void test_window_shows_a_spike_of_one_sample_for_its_length(void **state)
{
	(void)state;
	struct gm_window w = { 0 };
	const int64_t spike_ms = 1000000;
	for (int64_t t = spike_ms - 60000; t <= spike_ms + 60000; t += 1000) {
		add(&w, t, t == spike_ms ? 700000 : t % 2000 ? 100000 : 200000);
		const struct gm_window_value v = show(&w, t, GM_WINDOW_POWER);
		if (t >= spike_ms && t < spike_ms + LENGTH_MS)
			assert_int_equal(v.most, 700000);
		if (t < spike_ms || t >= spike_ms + LENGTH_MS + LENGTH_MS / GM_WINDOW_PARTS)
			assert_int_equal(v.most, 200000);
		if (t > spike_ms - 30000) {
			assert_int_equal(v.least, 100000);
			/* At least the length, and at most one part more. */
			assert_in_range(v.count, LENGTH_MS / 1000,
					LENGTH_MS / 1000 + LENGTH_MS / 1000 / GM_WINDOW_PARTS);
		}
	}
}

static void test_window_mean_is_of_all_values_in_it(void **state)
{
	(void)state;
	struct gm_window w = { 0 };
	for (int64_t i = 0; i < 20; i++)
		add(&w, 500000 + i * 1000, i * 10);
	const struct gm_window_value v = show(&w, 519000, GM_WINDOW_POWER);
	assert_int_equal(v.count, 20);
	assert_int_equal(v.mean, 95);
	assert_int_equal(v.least, 0);
	assert_int_equal(v.most, 190);
}

static void test_window_counts_no_value_that_was_not_measured(void **state)
{
	(void)state;
	struct gm_window w = { 0 };
	assert_int_equal(show(&w, 1000, GM_WINDOW_POWER).count, 0);
	add(&w, 1000, 5);
	assert_int_equal(show(&w, 1000, GM_WINDOW_POWER).count, 1);
	assert_int_equal(show(&w, 1000, GM_WINDOW_TEMPERATURE).count, 0);
}

static void test_window_forgets_when_nothing_comes(void **state)
{
	(void)state;
	struct gm_window w = { 0 };
	add(&w, 1000, 5);
	assert_int_equal(show(&w, 1000 + LENGTH_MS - 1, GM_WINDOW_POWER).count, 1);
	assert_int_equal(show(&w, 1000 + 2 * LENGTH_MS, GM_WINDOW_POWER).count, 0);
	add(&w, 1000 + 10 * LENGTH_MS, 9);
	assert_int_equal(show(&w, 1000 + 10 * LENGTH_MS, GM_WINDOW_POWER).least, 9);
}

static void test_window_survives_values_that_overflow(void **state)
{
	(void)state;
	struct gm_window w = { 0 };
	add(&w, 1000, INT64_MAX);
	add(&w, 1001, INT64_MAX);
	add(&w, 1002, INT64_MIN);
	const struct gm_window_value v = show(&w, 1002, GM_WINDOW_POWER);
	assert_int_equal(v.most, INT64_MAX);
	assert_int_equal(v.least, INT64_MIN);
	assert_true(v.count > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window_shows_a_spike_of_one_sample_for_its_length),
		cmocka_unit_test(test_window_mean_is_of_all_values_in_it),
		cmocka_unit_test(test_window_counts_no_value_that_was_not_measured),
		cmocka_unit_test(test_window_forgets_when_nothing_comes),
		cmocka_unit_test(test_window_survives_values_that_overflow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
