/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"

static void check(struct gm_buf *b, const char *want)
{
	assert_false(b->failed);
	assert_string_equal(gm_buf_cstr(b), want);
	gm_buf_fini(b);
}

static void test_json_puts_commas_between_values_and_members(void **state)
{
	struct gm_buf b = { 0 };
	struct gm_json w;

	(void)state;
	gm_json_init(&w, &b);
	gm_json_object(&w);
	gm_json_kstr(&w, "a", GM_STR("x"));
	gm_json_key(&w, "list");
	gm_json_array(&w);
	gm_json_i64(&w, -1);
	gm_json_array(&w);
	gm_json_end_array(&w);
	gm_json_object(&w);
	gm_json_end_object(&w);
	gm_json_u64(&w, UINT64_MAX);
	gm_json_end_array(&w);
	gm_json_kbool(&w, "t", true);
	gm_json_kbool(&w, "f", false);
	gm_json_knull(&w, "n");
	gm_json_kcstr(&w, "none", NULL);
	gm_json_end_object(&w);
	check(&b,
	      "{\"a\":\"x\",\"list\":[-1,[],{},18446744073709551615],\"t\":true,\"f\":false,\"n\":null,\"none\":null}");
}

static void test_json_takes_a_scalar_at_the_top(void **state)
{
	struct gm_buf b = { 0 };
	struct gm_json w;

	(void)state;
	gm_json_init(&w, &b);
	gm_json_i64(&w, INT64_MIN);
	check(&b, "-9223372036854775808");
}

static const struct {
	const char *name;
	struct gm_str in;
	const char *want;
} TEXTS[] = {
	{ "empty", GM_STR(""), "\"\"" },
	{ "plain, shorter than a word", GM_STR("abc"), "\"abc\"" },
	{ "plain, a word", GM_STR("12345678"), "\"12345678\"" },
	{ "plain, longer", GM_STR("worker-01-GPU-00 ~!@"), "\"worker-01-GPU-00 ~!@\"" },
	{ "quote in the second word", GM_STR("01234567ab\"cd"), "\"01234567ab\\\"cd\"" },
	{ "backslash", GM_STR("C:\\x"), "\"C:\\\\x\"" },
	{ "short escapes", GM_STR("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"" },
	{ "other controls", GM_STR("a\x01\x1f\0z"), "\"a\\u0001\\u001f\\u0000z\"" },
	{ "DEL is plain", GM_STR("\x7f"), "\"\x7f\"" },
	{ "two, three and four bytes", GM_STR("\xc3\xa9\xed\x95\x9c\xf0\x9f\x98\x80"),
	  "\"\xc3\xa9\xed\x95\x9c\xf0\x9f\x98\x80\"" },
	{ "lone continuation", GM_STR("a\x80z"), "\"a\xef\xbf\xbdz\"" },
	{ "overlong slash", GM_STR("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ "surrogate", GM_STR("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ "past 10FFFF", GM_STR("\xf4\x90\x80\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ "cut at the end", GM_STR("ab\xe2\x82"), "\"ab\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ "overlong three", GM_STR("\xe0\x80\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
};

static void test_json_escapes_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < GM_LEN(TEXTS); i++) {
		struct gm_buf b = { 0 };
		struct gm_json w;
		gm_json_init(&w, &b);
		gm_json_str(&w, TEXTS[i].in);
		if (!gm_str_is(gm_buf_str(&b), TEXTS[i].want))
			print_error("case '%s'\n", TEXTS[i].name);
		check(&b, TEXTS[i].want);
	}
}

/* The fast copy looks at eight bytes at a time: each byte value at each place must still be seen. */
static void test_json_sees_a_special_byte_at_every_place(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		for (size_t at = 0; at < 20; at++) {
			char text[21];
			struct gm_buf b = { 0 };
			struct gm_json w;
			bool special = c < 0x20 || c == '"' || c == '\\' || c >= 0x80;

			memset(text, 'a', sizeof(text));
			text[at] = (char)c;
			gm_json_init(&w, &b);
			gm_json_str(&w, gm_str_n(text, sizeof(text)));
			if (special)
				assert_true(b.n > sizeof(text) + 2);
			else
				assert_int_equal(b.n, sizeof(text) + 2);
			gm_buf_fini(&b);
		}
	}
}

static void test_json_escapes_keys_that_are_data(void **state)
{
	struct gm_buf b = { 0 };
	struct gm_json w;

	(void)state;
	gm_json_init(&w, &b);
	gm_json_object(&w);
	gm_json_key_str(&w, GM_STR("a\"b"));
	gm_json_i64(&w, 1);
	gm_json_key_str(&w, GM_STR("c"));
	gm_json_i64(&w, 2);
	gm_json_end_object(&w);
	check(&b, "{\"a\\\"b\":1,\"c\":2}");
}

static void test_json_writes_numbers_and_times(void **state)
{
	struct gm_buf b = { 0 };
	struct gm_json w;

	(void)state;
	gm_json_init(&w, &b);
	gm_json_array(&w);
	gm_json_f64(&w, 67.5);
	gm_json_f64(&w, 0.1);
	gm_json_f64(&w, NAN);
	gm_json_f64(&w, INFINITY);
	gm_json_fixed(&w, 6750, 2);
	gm_json_time(&w, 1764000000123);
	gm_json_time(&w, 0);
	gm_json_time(&w, INT64_MIN);
	gm_json_base64(&w, "abc", 3);
	gm_json_raw(&w, GM_STR("{\"x\":1}"));
	gm_json_end_array(&w);
	check(&b, "[67.5,0.1,null,null,67.5,\"2025-11-24T16:00:00.123Z\",null,null,\"YWJj\",{\"x\":1}]");
}

static void test_json_nests_32_levels(void **state)
{
	struct gm_buf b = { 0 };
	struct gm_json w;

	(void)state;
	gm_json_init(&w, &b);
	for (int i = 0; i < 16; i++) {
		gm_json_array(&w);
		gm_json_object(&w);
		gm_json_key(&w, "k");
	}
	gm_json_null(&w);
	for (int i = 0; i < 16; i++) {
		gm_json_end_object(&w);
		gm_json_end_array(&w);
	}
	assert_int_equal(w.depth, 0);
	assert_int_equal(b.n, 16 * strlen("[{\"k\":}]") + 4);
	gm_buf_fini(&b);
}

static void test_json_past_the_limit_of_the_buffer_adds_nothing(void **state)
{
	struct gm_buf b = { .limit = 100 };
	struct gm_json w;

	(void)state;
	gm_json_init(&w, &b);
	gm_json_array(&w);
	for (int i = 0; i < 50; i++)
		gm_json_str(&w, GM_STR("0123456789"));
	gm_json_end_array(&w);
	assert_true(b.failed);
	assert_true(b.n <= 100);
	gm_buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_puts_commas_between_values_and_members),
		cmocka_unit_test(test_json_takes_a_scalar_at_the_top),
		cmocka_unit_test(test_json_escapes_text),
		cmocka_unit_test(test_json_sees_a_special_byte_at_every_place),
		cmocka_unit_test(test_json_escapes_keys_that_are_data),
		cmocka_unit_test(test_json_writes_numbers_and_times),
		cmocka_unit_test(test_json_nests_32_levels),
		cmocka_unit_test(test_json_past_the_limit_of_the_buffer_adds_nothing),
	};
	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
