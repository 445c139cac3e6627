/* SPDX-License-Identifier: MIT */
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

static void test_order_is_by_bytes_then_length(void **state)
{
	static const struct {
		const char *a, *b;
		int want;
	} cases[] = {
		{ "", "", 0 },	 { "", "a", -1 },    { "a", "b", -1 }, { "ab", "a", 1 },
		{ "a", "a", 0 }, { "\x80", "a", 1 }, { "B", "a", -1 },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		struct gm_str a = gm_str(cases[i].a), b = gm_str(cases[i].b);
		assert_int_equal(sign(gm_str_cmp(a, b)), cases[i].want);
		assert_int_equal(sign(gm_str_cmp(b, a)), -cases[i].want);
		assert_int_equal(gm_str_eq(a, b), cases[i].want == 0);
	}
	assert_int_equal(gm_str_cmp((struct gm_str){ 0 }, GM_STR("")), 0);
}

static void test_beginnings_and_ends(void **state)
{
	(void)state;
	assert_true(gm_str_starts(GM_STR("DCGM_FI_X"), GM_STR("DCGM_")));
	assert_true(gm_str_starts(GM_STR("a"), (struct gm_str){ 0 }));
	assert_false(gm_str_starts(GM_STR("DC"), GM_STR("DCGM_")));
	assert_true(gm_str_ends(GM_STR("x_total"), GM_STR("_total")));
	assert_false(gm_str_ends(GM_STR("total"), GM_STR("_total")));
	assert_true(gm_str_is(gm_str_n("abc", 2), "ab"));
	assert_false(gm_str_is(GM_STR("ab"), "abc"));
	assert_int_equal(gm_str(NULL).n, 0);
}

static void test_letters_alike(void **state)
{
	(void)state;
	assert_true(gm_str_ieq(GM_STR("HeLLo-1"), GM_STR("hEllO-1")));
	assert_false(gm_str_ieq(GM_STR("@"), GM_STR("`")));
	assert_false(gm_str_ieq(GM_STR("["), GM_STR("{")));
	assert_false(gm_str_ieq(GM_STR("a"), GM_STR("ab")));
	assert_true(gm_str_icontains(GM_STR("NVIDIA H100 PCIe"), GM_STR("h100 p")));
	assert_true(gm_str_icontains(GM_STR("aab"), GM_STR("AB")));
	assert_true(gm_str_icontains(GM_STR(""), GM_STR("")));
	assert_false(gm_str_icontains(GM_STR("a"), GM_STR("ab")));
	assert_false(gm_str_icontains(GM_STR("NVIDIA"), GM_STR("H100")));
}

static void test_trim(void **state)
{
	(void)state;
	assert_true(gm_str_is(gm_str_trim(GM_STR(" \t a b\r\n")), "a b"));
	assert_int_equal(gm_str_trim(GM_STR(" \n\t ")).n, 0);
	assert_int_equal(gm_str_trim((struct gm_str){ 0 }).n, 0);
}

static void test_split(void **state)
{
	static const struct {
		const char *text, *parts[4];
	} cases[] = {
		{ "a,,b", { "a", "", "b" } }, { "", { NULL } },	 { "abc", { "abc" } },
		{ ",a", { "", "a" } },	      { "a,", { "a" } },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		struct gm_str rest = gm_str(cases[i].text), part;
		size_t n = 0;
		for (; gm_str_split(&rest, ',', &part); n++)
			assert_true(gm_str_is(part, cases[i].parts[n]));
		assert_null(cases[i].parts[n]);
	}
}

static void test_find_dup_copy(void **state)
{
	(void)state;
	assert_int_equal(gm_str_find(GM_STR("a=b=c"), '='), 1);
	assert_int_equal(gm_str_find(GM_STR("abc"), '='), 3);
	assert_int_equal(gm_str_find((struct gm_str){ 0 }, '='), 0);
	char *p = gm_str_dup(gm_str_n("abcdef", 3));
	assert_string_equal(p, "abc");
	free(p);
	char buf[5] = "####";
	assert_true(gm_str_copy(GM_STR("abcd"), buf, sizeof(buf)));
	assert_string_equal(buf, "abcd");
	assert_false(gm_str_copy(GM_STR("xyz"), buf, 3));
	assert_string_equal(buf, "xy");
	assert_int_equal(buf[3], 'd');
	assert_false(gm_str_copy(GM_STR("x"), buf, 0));
	assert_true(gm_str_copy((struct gm_str){ 0 }, buf, 1));
	assert_string_equal(buf, "");
}

static void test_utf8(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} cases[] = {
		{ "", true },
		{ "plain ascii that is longer than a word", true },
		{ "한국어 대시보드", true },
		{ "\xc2\x80\xdf\xbf", true },
		{ "\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf", true },
		{ "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", true },
		{ "\x80", false },
		{ "\xc0\x80", false },
		{ "\xc1\xbf", false },
		{ "\xe0\x9f\xbf", false },
		{ "\xed\xa0\x80", false },
		{ "\xf0\x8f\xbf\xbf", false },
		{ "\xf4\x90\x80\x80", false },
		{ "\xf5\x80\x80\x80", false },
		{ "\xff", false },
		{ "\xc2", false },
		{ "\xe1\x80", false },
		{ "\xf1\x80\x80", false },
		{ "\xc2g", false },
		{ "12345678\xe1\x80g", false },
		{ "1234567\xff", false },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++)
		assert_int_equal(gm_str_utf8_ok(gm_str(cases[i].text)), cases[i].ok);
	assert_true(gm_str_utf8_ok(gm_str_n("a\0b", 3)));
}

static size_t encode(uint32_t c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = n; i-- > 1; c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(c | (0xf00u >> n & 0xff));
	return n;
}

static void test_plain_text(void **state)
{
	(void)state;
	assert_true(gm_str_plain_ok(GM_STR("")));
	assert_true(gm_str_plain_ok(GM_STR("worker-01 ~ \xc3\xa9")));
	assert_false(gm_str_plain_ok(GM_STR("a\tb")));
	assert_false(gm_str_plain_ok(GM_STR("a\x7f")));
	assert_false(gm_str_plain_ok(GM_STR("a\0b")));
	assert_false(gm_str_plain_ok(GM_STR("\xc3\xa9\n")));
	assert_false(gm_str_plain_ok(GM_STR("\xc3")));
}

static void test_each_code_point(void **state)
{
	(void)state;
	for (uint32_t c = 0; c < 0x110100; c++) {
		char text[4];
		size_t n = encode(c, text);
		bool ok = c < 0x110000 && !(c >= 0xd800 && c < 0xe000);
		if (gm_str_utf8_ok(gm_str_n(text, n)) != ok)
			fail_msg("U+%04X", c);
		if (n > 1 && gm_str_utf8_ok(gm_str_n(text, n - 1)))
			fail_msg("U+%04X cut", c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_is_by_bytes_then_length),
		cmocka_unit_test(test_beginnings_and_ends),
		cmocka_unit_test(test_letters_alike),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_find_dup_copy),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_plain_text),
		cmocka_unit_test(test_each_code_point),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
