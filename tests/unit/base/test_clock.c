/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "test-random.h"

static void test_the_system_clock_runs(void **state)
{
	(void)state;
	const struct gm_clock *c = gm_clock_system();
	assert_true(gm_wall_ms(c) > INT64_C(1700000000000));
	int64_t a = gm_mono_ms(c);
	assert_true(gm_mono_ms(c) >= a);
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	int64_t off = gm_wall_ms(c) - (int64_t)ts.tv_sec * 1000;
	assert_true(off > -5000 && off < 5000);
}

static void test_the_manual_clock_obeys(void **state)
{
	(void)state;
	struct gm_manual_clock c;
	gm_manual_clock_init(&c, 1000);
	assert_int_equal(gm_wall_ms(&c.clock), 1000);
	assert_int_equal(gm_mono_ms(&c.clock), 0);
	gm_manual_clock_advance(&c, 250);
	assert_int_equal(gm_wall_ms(&c.clock), 1250);
	assert_int_equal(gm_mono_ms(&c.clock), 250);
	c.wall_ms = 3; /* a step */
	assert_int_equal(gm_wall_ms(&c.clock), 3);
	assert_int_equal(gm_mono_ms(&c.clock), 250);
}

static const struct {
	int64_t ms;
	const char *text;
} texts[] = {
	{ 0, "1970-01-01T00:00:00Z" },
	{ 1, "1970-01-01T00:00:00.001Z" },
	{ -1, "1969-12-31T23:59:59.999Z" },
	{ INT64_C(1764000848123), "2025-11-24T16:14:08.123Z" },
	{ INT64_C(951782400000), "2000-02-29T00:00:00Z" },
	{ INT64_C(4107542400000), "2100-03-01T00:00:00Z" },
	{ INT64_C(-62135596800000), "0001-01-01T00:00:00Z" },
	{ INT64_C(253402300799999), "9999-12-31T23:59:59.999Z" },
};

static void test_times_are_written_and_read_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < GM_LEN(texts); i++) {
		char buf[GM_TIME_TEXT_SIZE];
		assert_int_equal(gm_time_format(texts[i].ms, buf), strlen(texts[i].text));
		assert_string_equal(buf, texts[i].text);
		int64_t back = 77;
		assert_true(gm_time_parse(gm_str(texts[i].text), &back));
		assert_int_equal(back, texts[i].ms);
	}
}

static void test_outside_the_years_the_nearest_end(void **state)
{
	(void)state;
	char buf[GM_TIME_TEXT_SIZE];
	gm_time_format(INT64_MIN, buf);
	assert_string_equal(buf, "0001-01-01T00:00:00Z");
	gm_time_format(INT64_MAX, buf);
	assert_string_equal(buf, "9999-12-31T23:59:59.999Z");
}

static void test_forms_of_rfc_3339(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{ "2025-11-24T16:14:08Z", INT64_C(1764000848000) },
		{ "2025-11-24t16:14:08z", INT64_C(1764000848000) },
		{ "2025-11-24 16:14:08Z", INT64_C(1764000848000) },
		{ "2025-11-25T01:14:08+09:00", INT64_C(1764000848000) },
		{ "2025-11-24T10:44:08-05:30", INT64_C(1764000848000) },
		{ "2025-11-24T16:14:08.1Z", INT64_C(1764000848100) },
		{ "2025-11-24T16:14:08.123999999999Z", INT64_C(1764000848123) },
		{ "2016-12-31T23:59:60Z", INT64_C(1483228800000) },
		{ "1764000848", INT64_C(1764000848000) },
		{ "0", 0 },
	};
	static const char *const bad[] = {
		"",
		" ",
		"2025-11-24",
		"2025-11-24T16:14:08",
		"2025-11-24T16:14Z",
		"2025-11-24T16:14:08.Z",
		"2025-13-24T16:14:08Z",
		"2025-00-24T16:14:08Z",
		"2025-02-29T16:14:08Z",
		"2025-04-31T16:14:08Z",
		"2025-11-24T24:00:00Z",
		"2025-11-24T16:60:08Z",
		"2025-11-24T16:14:61Z",
		"2025-11-24T16:14:08+0900",
		"2025-11-24T16:14:08+24:00",
		"2025-11-24T16:14:08ZZ",
		"0000-11-24T16:14:08Z",
		"25-11-24T16:14:08Z",
		"2025-11-24T16:14:08Z ",
		"-5",
		"1764000848.5",
		"99999999999999999999",
		"253402300800",
		"1900-02-29T00:00:00Z",
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(good); i++) {
		int64_t ms = 77;
		assert_true(gm_time_parse(gm_str(good[i].text), &ms));
		assert_int_equal(ms, good[i].ms);
	}
	for (size_t i = 0; i < GM_LEN(bad); i++) {
		int64_t ms = 77;
		assert_false(gm_time_parse(gm_str(bad[i]), &ms));
		assert_int_equal(ms, 77);
	}
}

static void test_any_time_agrees_with_libc(void **state)
{
	(void)state;
	for (int i = 0; i < 20000; i++) {
		int64_t span = INT64_C(253402300800000) + INT64_C(62135596800000);
		int64_t ms = (int64_t)test_random_below((uint64_t)span) - INT64_C(62135596800000), back = 0;
		char buf[GM_TIME_TEXT_SIZE], want[40];
		(void)gm_time_format(ms, buf);
		assert_true(gm_time_parse(gm_str(buf), &back));
		assert_int_equal(back, ms);
		time_t t = (time_t)((ms - (((ms % 1000) + 1000) % 1000)) / 1000);
		struct tm tm;
		gmtime_r(&t, &tm);
		assert_true(strftime(want, sizeof(want), "-%m-%dT%H:%M:%S", &tm) > 0);
		assert_memory_equal(buf + 4, want, 15);
		int64_t year = 0;
		for (int k = 0; k < 4; k++)
			year = year * 10 + (buf[k] - '0');
		assert_int_equal(year, tm.tm_year + 1900);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_system_clock_runs),
		cmocka_unit_test(test_the_manual_clock_obeys),
		cmocka_unit_test(test_times_are_written_and_read_back),
		cmocka_unit_test(test_outside_the_years_the_nearest_end),
		cmocka_unit_test(test_forms_of_rfc_3339),
		cmocka_unit_test(test_any_time_agrees_with_libc),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
