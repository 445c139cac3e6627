/* SPDX-License-Identifier: MIT */
#include "base/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test-random.h"

static void test_whole_numbers(void **state)
{
	static const struct {
		const char *text;
		uint64_t min, max, want;
		bool ok;
	} cases[] = {
		{ "0", 0, 10, 0, true },
		{ "10", 0, 10, 10, true },
		{ "11", 0, 10, 0, false },
		{ "4", 5, 10, 0, false },
		{ "007", 0, 10, 7, true },
		{ "18446744073709551615", 0, UINT64_MAX, UINT64_MAX, true },
		{ "18446744073709551616", 0, UINT64_MAX, 0, false },
		{ "99999999999999999999", 0, UINT64_MAX, 0, false },
		{ "", 0, 10, 0, false },
		{ "-1", 0, 10, 0, false },
		{ "+1", 0, 10, 0, false },
		{ " 1", 0, 10, 0, false },
		{ "1 ", 0, 10, 0, false },
		{ "1a", 0, 10, 0, false },
		{ "0x1", 0, 10, 0, false },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		uint64_t v = 77;
		assert_int_equal(gm_parse_u64(gm_str(cases[i].text), cases[i].min, cases[i].max, &v), cases[i].ok);
		assert_int_equal(v, cases[i].ok ? cases[i].want : 77);
	}
}

static void test_signed_numbers(void **state)
{
	static const struct {
		const char *text;
		int64_t want;
		bool ok;
	} cases[] = {
		{ "0", 0, true },
		{ "-0", 0, true },
		{ "-5", -5, true },
		{ "9223372036854775807", INT64_MAX, true },
		{ "9223372036854775808", 0, false },
		{ "-9223372036854775808", INT64_MIN, true },
		{ "-9223372036854775809", 0, false },
		{ "-", 0, false },
		{ "--5", 0, false },
		{ "", 0, false },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		int64_t v = 77;
		assert_int_equal(gm_parse_i64(gm_str(cases[i].text), INT64_MIN, INT64_MAX, &v), cases[i].ok);
		assert_int_equal(v, cases[i].ok ? cases[i].want : 77);
	}
	int64_t v = 77;
	assert_false(gm_parse_i64(GM_STR("-6"), -5, 5, &v));
	assert_false(gm_parse_i64(GM_STR("6"), -5, 5, &v));
	assert_true(gm_parse_i64(GM_STR("-5"), -5, 5, &v));
}

static bool same(double a, double b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

static void test_decimals_are_correctly_rounded(void **state)
{
	/* Among them the hard ones: halfway cases, subnormals, more digits than any integer holds. */
	static const char *const texts[] = {
		"0",
		"-0",
		"1",
		"-1.5",
		"85.23",
		"112.252",
		"1e5",
		"1E+05",
		"1.5e-3",
		".5",
		"5.",
		"+2",
		"1764000000.123",
		"9007199254740992",
		"9007199254740993",
		"9007199254740995",
		"9007199254740993.0000000000000000000001",
		"1e22",
		"1e23",
		"123456789e-22",
		"123456789e-23",
		"1.7976931348623157e308",
		"1.7976931348623158e308",
		"2.2250738585072014e-308",
		"2.2250738585072011e-308",
		"4.9e-324",
		"2.4703282292062327e-324",
		"2.4703282292062328e-324",
		"1e-400",
		"0e999999999",
		"0.000000000000000000000000000001",
		"179769313486231570000000000000000000000000000000000000000000000000000000000000000000000000000000",
		"0.1000000000000000055511151231257827021181583404541015625",
		"12345678901234567890",
		"1234567890123456789012345",
		"0.30000000000000004",
		"6.02214076e23",
		"000000000000000000000000000000000000000001.5",
		"8.98846567431158e307",
		"3.14159265358979323846264338327950288419716939937510",
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(texts); i++) {
		double v = 77;
		assert_true(gm_parse_f64(gm_str(texts[i]), &v));
		if (!same(v, strtod(texts[i], NULL)))
			fail_msg("%s gives %.17g", texts[i], v);
	}
}

static void test_words_and_refused_text(void **state)
{
	static const char *const bad[] = {
		"",	" 1",	 "1 ",	     "e5",   "1e",   "1e+",   ".",	"-",   "+",   "-.",  "1.2.3",
		"0x10", "1_000", "infinity", "nanx", "-nan", "1e400", "-1e400", "1,5", "--1", "1d5",
	};
	(void)state;
	double v = 0;
	assert_true(gm_parse_f64(GM_STR("NaN"), &v) && isnan(v));
	assert_true(gm_parse_f64(GM_STR("nan"), &v) && isnan(v));
	assert_true(gm_parse_f64(GM_STR("+Inf"), &v) && isinf(v) && v > 0);
	assert_true(gm_parse_f64(GM_STR("INF"), &v) && isinf(v) && v > 0);
	assert_true(gm_parse_f64(GM_STR("-inf"), &v) && isinf(v) && v < 0);
	for (size_t i = 0; i < GM_LEN(bad); i++) {
		v = 77;
		if (gm_parse_f64(gm_str(bad[i]), &v))
			fail_msg("'%s' was taken", bad[i]);
		assert_true(same(v, 77));
	}
}

static void test_any_double_reads_back(void **state)
{
	(void)state;
	for (int i = 0; i < 60000; i++) {
		uint64_t bits = test_random();
		double v = 0, back = 0;
		memcpy(&v, &bits, sizeof(v));
		if (i % 2)
			v = (double)(int64_t)(bits >> 30) / 1000;
		if (!isfinite(v))
			continue;
		char text[400];
		switch (i % 4) {
		case 0:
			snprintf(text, sizeof(text), "%.17g", v);
			break;
		case 1:
			snprintf(text, sizeof(text), "%.3f", v);
			break;
		case 2:
			snprintf(text, sizeof(text), "%.25e", v);
			break;
		case 3:
			snprintf(text, sizeof(text), "%.6g", v);
			break;
		}
		assert_true(gm_parse_f64(gm_str(text), &back));
		if (!same(back, strtod(text, NULL)))
			fail_msg("%s gives %.17g", text, back);
	}
}

/* The point halfway between two neighbours, written out in full, and a hair to either side of it. */
static void test_halfway_points(void **state)
{
	(void)state;
	for (int i = 0; i < 3000; i++) {
		double a = ldexp((double)((test_random() >> 11) | UINT64_C(1) << 52), (int)test_random_below(120) - 90),
		       b = 0;
		uint64_t bits = 0;
		memcpy(&bits, &a, sizeof(bits));
		bits++; /* the next double */
		memcpy(&b, &bits, sizeof(b));
		long double half = ((long double)a + (long double)b) / 2;
		char text[1200];
		int n = snprintf(text, sizeof(text), "%.150Lf", half);
		if (i % 3 == 1)
			snprintf(text + n, sizeof(text) - (size_t)n, "%0800d1", 0);
		double v = 0;
		assert_true(gm_parse_f64(gm_str(text), &v));
		assert_true(same(v, strtod(text, NULL)));
	}
}

static void test_fixed(void **state)
{
	static const struct {
		const char *text;
		unsigned decimals;
		int64_t want;
		bool ok;
	} cases[] = {
		{ "112.252", 3, 112252, true },
		{ "85.235", 2, 8524, true },
		{ "85.2349999999999999999999999", 2, 8523, true },
		{ "-85.235", 2, -8524, true },
		{ "0.5", 0, 1, true },
		{ "-0.5", 0, -1, true },
		{ "0.49999999999999999999999", 0, 0, true },
		{ "1.5e+09", 0, 1500000000, true },
		{ "1.5e9", 3, INT64_C(1500000000000), true },
		{ "123e-2", 2, 123, true },
		{ "1e-30", 12, 0, true },
		{ "5e-13", 12, 1, true },
		{ "4e-13", 12, 0, true },
		{ "0e99999999999999999999", 3, 0, true },
		{ "0.000000000000000000000000005e30", 0, 5000, true },
		{ "9223372036854775807", 0, INT64_MAX, true },
		{ "9223372036854775807.4", 0, INT64_MAX, true },
		{ "9223372036854775807.5", 0, 0, false },
		{ "9223372036854775808", 0, 0, false },
		{ "-9223372036854775808", 0, INT64_MIN, true },
		{ "-9223372036854775808.6", 0, 0, false },
		{ "1234567890123456789.5", 0, INT64_C(1234567890123456790), true },
		{ "12345678901234567890123e-4", 0, INT64_C(1234567890123456789), true },
		{ "92233720368547758", 2, INT64_C(9223372036854775800), true },
		{ "92233720368547759", 2, 0, false },
		{ "1e18", 0, INT64_C(1000000000000000000), true },
		{ "1e19", 0, 0, false },
		{ "1e999999999999", 0, 0, false },
		{ "1e-999999999999", 0, 0, true },
		{ "NaN", 0, 0, false },
		{ "Inf", 0, 0, false },
		{ "", 0, 0, false },
		{ "1 ", 0, 0, false },
		{ "1e", 0, 0, false },
		{ "-", 0, 0, false },
		{ "+7", 1, 70, true },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		int64_t v = 77;
		if (gm_parse_fixed(gm_str(cases[i].text), cases[i].decimals, &v) != cases[i].ok ||
		    v != (cases[i].ok ? cases[i].want : 77))
			fail_msg("%s, %u: %" PRId64, cases[i].text, cases[i].decimals, v);
	}
}

/* Any int64 written as decimals with any point reads back as itself. */
static void test_any_fixed_reads_back(void **state)
{
	(void)state;
	for (int i = 0; i < 50000; i++) {
		int64_t v = (int64_t)test_random_any() * (i % 2 ? -1 : 1), back = 0;
		unsigned decimals = (unsigned)test_random_below(13);
		uint64_t size = v < 0 ? -(uint64_t)v : (uint64_t)v, scale = 1;
		for (unsigned k = 0; k < decimals; k++)
			scale *= 10;
		char text[64];
		if (decimals)
			snprintf(text, sizeof(text), "%s%" PRIu64 ".%0*" PRIu64, v < 0 ? "-" : "", size / scale,
				 (int)decimals, size % scale);
		else
			snprintf(text, sizeof(text), "%" PRId64, v);
		assert_true(gm_parse_fixed(gm_str(text), decimals, &back));
		assert_int_equal(back, v);
		snprintf(text, sizeof(text), "%" PRId64 "e-%u", v, decimals);
		assert_true(gm_parse_fixed(gm_str(text), decimals, &back));
		assert_int_equal(back, v);
	}
}

static void test_bools(void **state)
{
	static const struct {
		const char *text;
		bool want;
	} good[] = { { "true", true },	 { "TRUE", true }, { "yes", true }, { "On", true },
		     { "false", false }, { "No", false },  { "off", false } };
	static const char *const bad[] = { "", "1", "0", "t", "truee", " true", "y" };
	(void)state;
	for (size_t i = 0; i < GM_LEN(good); i++) {
		bool v = !good[i].want;
		assert_true(gm_parse_bool(gm_str(good[i].text), &v));
		assert_int_equal(v, good[i].want);
	}
	for (size_t i = 0; i < GM_LEN(bad); i++) {
		bool v = true;
		assert_false(gm_parse_bool(gm_str(bad[i]), &v));
	}
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t want;
		bool ok;
	} cases[] = {
		{ "500ms", 500, true },
		{ "30s", 30000, true },
		{ "5m", 300000, true },
		{ "1h30m", 5400000, true },
		{ "7d", 604800000, true },
		{ "1d1h1m1s1ms", 90061001, true },
		{ "0", 0, true },
		{ "0s", 0, true },
		{ "90s", 90000, true },
		{ "106751991167d", INT64_C(9223372036828800000), true },
		{ "106751991168d", 0, false },
		{ "", 0, false },
		{ "5", 0, false },
		{ "s", 0, false },
		{ "-5s", 0, false },
		{ "5 s", 0, false },
		{ "1.5h", 0, false },
		{ "30m1h", 0, false },
		{ "1s1s", 0, false },
		{ "5x", 0, false },
		{ "1h30", 0, false },
		{ "00", 0, false },
		{ "99999999999999999999ms", 0, false },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		int64_t v = 77;
		if (gm_parse_duration_ms(gm_str(cases[i].text), &v) != cases[i].ok ||
		    v != (cases[i].ok ? cases[i].want : 77))
			fail_msg("'%s': %" PRId64, cases[i].text, v);
	}
}

static void test_durations_are_written_and_read_back(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
		{ 0, "0s" },
		{ 1, "1ms" },
		{ 90000, "1m30s" },
		{ 3600000, "1h" },
		{ 604800000, "7d" },
		{ 90061001, "1d1h1m1s1ms" },
		{ -1500, "-1s500ms" },
		{ INT64_MAX, "106751991167d7h12m55s807ms" },
		{ INT64_MIN, "-106751991167d7h12m55s808ms" },
	};
	(void)state;
	char buf[40];
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		gm_format_duration_ms(cases[i].ms, buf);
		assert_string_equal(buf, cases[i].text);
	}
	for (int i = 0; i < 20000; i++) {
		int64_t ms = (int64_t)(test_random_any() >> 1), back = -1;
		gm_format_duration_ms(ms, buf);
		assert_true(gm_parse_duration_ms(gm_str(buf), &back));
		assert_int_equal(back, ms);
	}
}

static void test_bytes(void **state)
{
	static const struct {
		const char *text;
		int64_t want;
		bool ok;
	} cases[] = {
		{ "1024", 1024, true },
		{ "0", 0, true },
		{ "64KiB", 65536, true },
		{ "1.5GiB", 1610612736, true },
		{ "100MB", 100000000, true },
		{ "100kB", 100000, true },
		{ "100KB", 100000, true },
		{ "5B", 5, true },
		{ "2TiB", INT64_C(2199023255552), true },
		{ "8191PiB", INT64_C(8191) << 50, true },
		{ "8192PiB", 0, false },
		{ "9223372036854775807", INT64_MAX, true },
		{ "9223372036854775808", 0, false },
		{ "1.5", 0, false },
		{ "", 0, false },
		{ "KiB", 0, false },
		{ "5K", 0, false },
		{ "5 KiB", 0, false },
		{ "-5KiB", 0, false },
		{ ".5KiB", 0, false },
		{ "5.KiB", 0, false },
		{ "1.2.3KiB", 0, false },
		{ "5kib", 0, false },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		int64_t v = 77;
		if (gm_parse_bytes(gm_str(cases[i].text), &v) != cases[i].ok || v != (cases[i].ok ? cases[i].want : 77))
			fail_msg("'%s': %" PRId64, cases[i].text, v);
	}
}

static void test_hex(void **state)
{
	static const struct {
		const char *text;
		uint64_t want;
		bool ok;
	} cases[] = {
		{ "0", 0, true },
		{ "ff", 255, true },
		{ "DeadBeef", 0xdeadbeef, true },
		{ "ffffffffffffffff", UINT64_MAX, true },
		{ "10000000000000000", 0, false },
		{ "", 0, false },
		{ "0x1", 0, false },
		{ "g", 0, false },
		{ "-1", 0, false },
		{ "@", 0, false },
		{ "`", 0, false },
		{ ":", 0, false },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		uint64_t v = 77;
		assert_int_equal(gm_parse_hex64(gm_str(cases[i].text), &v), cases[i].ok);
		assert_int_equal(v, cases[i].ok ? cases[i].want : 77);
	}
}

/* Views need no NUL behind them: what follows is never read. */
static void test_views_end_where_they_end(void **state)
{
	(void)state;
	double d = 0;
	int64_t v = 0;
	uint64_t u = 0;
	assert_true(gm_parse_f64(gm_str_n("12.59", 4), &d) && same(d, 12.5));
	assert_true(gm_parse_fixed(gm_str_n("1e55", 3), 0, &v) && v == 100000);
	assert_true(gm_parse_u64(gm_str_n("123", 2), 0, 99, &u) && u == 12);
	char *heap = malloc(3);
	memcpy(heap, "1e9", 3);
	assert_true(gm_parse_f64(gm_str_n(heap, 3), &d) && same(d, 1e9));
	assert_false(gm_parse_f64(gm_str_n(heap, 2), &d));
	free(heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_numbers),
		cmocka_unit_test(test_signed_numbers),
		cmocka_unit_test(test_decimals_are_correctly_rounded),
		cmocka_unit_test(test_words_and_refused_text),
		cmocka_unit_test(test_any_double_reads_back),
		cmocka_unit_test(test_halfway_points),
		cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_any_fixed_reads_back),
		cmocka_unit_test(test_bools),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_durations_are_written_and_read_back),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_views_end_where_they_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
