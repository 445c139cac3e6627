/* SPDX-License-Identifier: MIT */
#include "base/money.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "test-random.h"

static void test_amounts_are_read_exactly(void **state)
{
	static const struct {
		const char *text;
		int64_t micros;
	} good[] = {
		{ "8", 8000000 },
		{ "8.0", 8000000 },
		{ "0.123456", 123456 },
		{ "0", 0 },
		{ "-2.5", -2500000 },
		{ "0.000001", 1 },
		{ "007", 7000000 },
		{ "9223372036854.775807", INT64_MAX },
		{ "-9223372036854.775808", INT64_MIN },
	};
	static const char *const bad[] = {
		"",	     "-",
		".",	     ".5",
		"5.",	     "+5",
		"1e3",	     "0.1234567",
		"8.0000000", "1,5",
		" 8",	     "8 ",
		"8.0.0",     "--8",
		"0x10",	     "9223372036854.775808",
		"NaN",	     "99999999999999999999",
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(good); i++) {
		int64_t v = 77;
		assert_true(gm_money_parse(gm_str(good[i].text), &v));
		assert_int_equal(v, good[i].micros);
	}
	for (size_t i = 0; i < GM_LEN(bad); i++) {
		int64_t v = 77;
		assert_false(gm_money_parse(gm_str(bad[i]), &v));
		assert_int_equal(v, 77);
	}
}

static void test_rate_over_time_rounds_half_to_even(void **state)
{
	static const struct {
		int64_t rate, ms, want;
	} cases[] = {
		{ 8000000, 3600000, 8000000 },
		{ 8000000, 1800000, 4000000 },
		{ 1, 1800000, 0 }, /* 0.5 */
		{ 3, 1800000, 2 }, /* 1.5 */
		{ 5, 1800000, 2 }, /* 2.5 */
		{ 1, 1800001, 1 },
		{ -1, 1800000, 0 },
		{ -3, 1800000, -2 },
		{ -5, 1800000, -2 },
		{ -1, 1800001, -1 },
		{ 0, 12345, 0 },
		{ INT64_MAX, 3600000, INT64_MAX },
		{ INT64_MIN, 3600000, INT64_MIN },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		int64_t v = 77;
		assert_true(gm_money_over(cases[i].rate, cases[i].ms, &v));
		assert_int_equal(v, cases[i].want);
	}
	int64_t v = 77;
	assert_false(gm_money_over(INT64_MAX, 3600001, &v));
	assert_false(gm_money_over(INT64_MIN, INT64_MAX, &v));
	assert_int_equal(v, 77);
}

static void test_share(void **state)
{
	static const struct {
		int64_t micros, part, whole, want;
	} cases[] = {
		{ 10, 1, 4, 2 },
		{ 10, 3, 4, 8 },
		{ -10, 1, 4, -2 },
		{ 10, -1, 4, -2 },
		{ 10, 1, -4, -2 },
		{ 10, -1, -4, 2 },
		{ 7, 1, 3, 2 },
		{ INT64_MAX, 1, 1, INT64_MAX },
		{ INT64_MIN, -1, INT64_MIN, -1 },
		{ INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		int64_t v = 77;
		assert_true(gm_money_share(cases[i].micros, cases[i].part, cases[i].whole, &v));
		assert_int_equal(v, cases[i].want);
	}
	int64_t v = 77;
	assert_false(gm_money_share(10, 1, 0, &v));
	assert_false(gm_money_share(INT64_MIN, 1, -1, &v));
	assert_false(gm_money_share(INT64_MAX, 2, 1, &v));
	assert_int_equal(v, 77);
}

/* Rounding is never off by more than half a unit, and a tie goes to the even neighbour. */
static void test_any_share_is_nearest(void **state)
{
	(void)state;
	for (int i = 0; i < 50000; i++) {
		int64_t micros = (int64_t)(test_random_any() >> 34) * (i % 2 ? -1 : 1);
		int64_t part = (int64_t)(test_random_any() >> 34), whole = (int64_t)(test_random_any() >> 50) + 1,
			v = 0;
		assert_true(gm_money_share(micros, part, whole, &v));
		__int128 twice = ((__int128)micros * part - (__int128)v * whole) * 2;
		assert_true(twice >= -whole && twice <= whole);
		if (twice == whole || twice == -whole)
			assert_int_equal(v & 1, 0);
	}
}

static void test_sums_that_overflow_are_refused(void **state)
{
	(void)state;
	int64_t v = 77;
	assert_false(gm_money_add(INT64_MAX, 1, &v));
	assert_false(gm_money_add(INT64_MIN, -1, &v));
	assert_int_equal(v, 77);
	assert_true(gm_money_add(INT64_MAX, INT64_MIN, &v));
	assert_int_equal(v, -1);
}

static void test_currency_codes(void **state)
{
	(void)state;
	assert_true(gm_currency_ok(GM_STR("USD")));
	assert_true(gm_currency_ok(GM_STR("KRW")));
	assert_false(gm_currency_ok(GM_STR("usd")));
	assert_false(gm_currency_ok(GM_STR("US")));
	assert_false(gm_currency_ok(GM_STR("USDT")));
	assert_false(gm_currency_ok(GM_STR("U$D")));
	assert_false(gm_currency_ok(GM_STR("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_amounts_are_read_exactly),
		cmocka_unit_test(test_rate_over_time_rounds_half_to_even),
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_any_share_is_nearest),
		cmocka_unit_test(test_sums_that_overflow_are_refused),
		cmocka_unit_test(test_currency_codes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
