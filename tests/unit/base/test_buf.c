/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "test-random.h"

static void test_begins_empty(void **state)
{
	(void)state;
	struct gm_buf b = { 0 };
	assert_int_equal(gm_buf_str(&b).n, 0);
	assert_string_equal(gm_buf_cstr(&b), "");
	assert_non_null(b.p);
	gm_buf_fini(&b);
	gm_buf_fini(NULL);
	size_t n = 9;
	char *p = gm_buf_steal(&b, &n);
	assert_string_equal(p, "");
	assert_int_equal(n, 0);
	free(p);
}

static void test_adds_in_order_and_ends_with_nul(void **state)
{
	(void)state;
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
	gm_buf_add(&b, "ab", 2);
	gm_buf_add_char(&b, 'c');
	gm_buf_add_cstr(&b, "de");
	gm_buf_add_str(&b, GM_STR("fg"));
	gm_buf_add(&b, NULL, 0);
	gm_buf_add_str(&b, (struct gm_str){ 0 });
	gm_buf_addf(&b, "-%d-", 5);
	assert_string_equal(b.p, "abcdefg-5-");
	assert_int_equal(b.n, 10);
	char *p = gm_buf_reserve(&b, 100);
	memset(p, 'x', 100);
	gm_buf_advance(&b, 100);
	assert_int_equal(strlen(b.p), 110);
	size_t n = 0;
	char *stolen = gm_buf_steal(&b, &n);
	assert_int_equal(n, 110);
	assert_null(b.p);
	free(stolen);
}

static void test_grows_over_many_sizes(void **state)
{
	(void)state;
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
	char chunk[257];
	size_t n = 0;
	for (size_t i = 0; i < 2000; i++) {
		size_t k = test_random_below(sizeof(chunk));
		memset(chunk, (int)('a' + i % 26), k);
		gm_buf_add(&b, chunk, k);
		n += k;
		assert_int_equal(b.n, n);
		assert_int_equal(b.p[n], 0);
		if (k)
			assert_int_equal(b.p[n - 1], (int)('a' + i % 26));
	}
	assert_false(b.failed);
}

static void test_past_the_limit_it_keeps_what_it_has(void **state)
{
	(void)state;
	for (size_t limit = 1; limit < 200; limit++) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf b = { .limit = limit };
		for (size_t i = 0; i < limit; i++)
			gm_buf_add_char(&b, 'a');
		assert_false(b.failed);
		assert_int_equal(b.n, limit);
		gm_buf_add_char(&b, 'b');
		assert_true(b.failed);
		assert_int_equal(b.n, limit);
		assert_int_equal(b.p[limit - 1], 'a');
		assert_int_equal(b.p[limit], 0);
		gm_buf_reset(&b);
		assert_false(b.failed);
		assert_int_equal(b.n, 0);
		gm_buf_addf(&b, "%*s", (int)limit + 1, "");
		assert_true(b.failed);
		assert_string_equal(b.p, "");
		assert_null(gm_buf_reserve(&b, 0));
	}
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
	assert_null(gm_buf_reserve(&b, SIZE_MAX));
	assert_true(b.failed);
}

static void test_without_memory_it_says_so(void **state)
{
	(void)state;
	for (unsigned n = 1;; n++) {
		struct gm_buf b = { 0 };
		gm_alloc_fail_at(n);
		for (int i = 0; i < 1000; i++)
			gm_buf_addf(&b, "%d,", i);
		bool failed = gm_alloc_failed();
		gm_alloc_fail_at(0);
		assert_int_equal(b.failed, failed);
		if (b.n)
			assert_int_equal(b.p[b.n - 1], ',');
		assert_int_equal(strlen(gm_buf_cstr(&b)), b.n);
		gm_buf_fini(&b);
		if (!failed)
			break;
		assert_true(n < 100);
	}
}

static void test_integers_as_printf_writes_them(void **state)
{
	static const int64_t ends[] = { 0, 1, -1, 9, 10, 99, 100, 101, -100, INT64_MAX, INT64_MIN, INT64_MIN + 1 };
	(void)state;
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
	char want[40];
	for (size_t i = 0; i < 20000; i++) {
		int64_t v = i < GM_LEN(ends) ? ends[i] : (int64_t)test_random_any() * (i % 2 ? -1 : 1);
		gm_buf_reset(&b);
		gm_buf_add_i64(&b, v);
		snprintf(want, sizeof(want), "%" PRId64, v);
		assert_string_equal(b.p, want);
		gm_buf_reset(&b);
		gm_buf_add_u64(&b, (uint64_t)v);
		snprintf(want, sizeof(want), "%" PRIu64, (uint64_t)v);
		assert_string_equal(b.p, want);
	}
}

static void test_fixed_has_no_trailing_zeros(void **state)
{
	static const struct {
		int64_t value;
		unsigned decimals;
		const char *text;
	} cases[] = {
		{ 1230, 2, "12.3" },
		{ -5, 1, "-0.5" },
		{ 0, 3, "0" },
		{ 5, 0, "5" },
		{ -5, 0, "-5" },
		{ 100, 2, "1" },
		{ 8523, 2, "85.23" },
		{ 1, 18, "0.000000000000000001" },
		{ -1000, 3, "-1" },
		{ 10, 6, "0.00001" },
		{ INT64_MAX, 18, "9.223372036854775807" },
		{ INT64_MIN, 18, "-9.223372036854775808" },
		{ INT64_MIN, 0, "-9223372036854775808" },
		{ INT64_MAX, 1, "922337203685477580.7" },
	};
	(void)state;
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		gm_buf_reset(&b);
		gm_buf_add_fixed(&b, cases[i].value, cases[i].decimals);
		assert_string_equal(b.p, cases[i].text);
	}
}

static void test_doubles(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{ 0.0, "0" },
		{ -0.0, "-0" },
		{ 1, "1" },
		{ -12.5, "-12.5" },
		{ 85.23, "85.23" },
		{ 0.1, "0.1" },
		{ 0.3, "0.3" },
		{ 0.1 + 0.2, "0.30000000000000004" },
		{ 1e15, "1e+15" },
		{ 123456789012345.0, "123456789012345" },
		{ 1e-5, "1e-05" },
		{ 1.5e300, "1.5e+300" },
		{ 5e-324, "4.94065645841247e-324" },
		{ 1764000000.123, "1764000000.123" },
		{ NAN, "NaN" },
		{ INFINITY, "+Inf" },
		{ -INFINITY, "-Inf" },
	};
	(void)state;
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		gm_buf_reset(&b);
		gm_buf_add_f64(&b, cases[i].value);
		assert_string_equal(b.p, cases[i].text);
	}
}

/* The rule itself, by libc. */
static void want_f64(double v, char *out, size_t size)
{
	snprintf(out, size, "%.15g", v);
	double back = strtod(out, NULL);
	if (memcmp(&back, &v, sizeof(v)) != 0)
		snprintf(out, size, "%.17g", v);
}

static void test_doubles_as_the_rule_says(void **state)
{
	(void)state;
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
	for (size_t i = 0; i < 60000; i++) {
		double v = 0;
		uint64_t bits = test_random();
		int64_t small = (int64_t)test_random_any() * (i % 2 ? -1 : 1);
		switch (i % 4) {
		case 0:
			memcpy(&v, &bits, sizeof(v));
			break;
		case 1:
			v = (double)(small % 100000000) / 1000;
			break;
		case 2:
			v = (double)small / 1e6;
			break;
		case 3:
			v = (double)(bits >> 11) * 0x1p-53 * 100;
			break;
		}
		if (!isfinite(v))
			continue;
		char want[40];
		want_f64(v, want, sizeof(want));
		gm_buf_reset(&b);
		gm_buf_add_f64(&b, v);
		assert_string_equal(b.p, want);
	}
}

static void test_base64_of_each_remainder(void **state)
{
	static const struct {
		const char *bytes, *text;
	} cases[] = {
		{ "", "" },	   { "f", "Zg==" },	     { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foobar", "Zm9vYmFy" }, { "\xff\xfe\xfd", "//79" },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
		gm_buf_add_cstr(&b, "Basic ");
		gm_buf_add_base64(&b, cases[i].bytes, strlen(cases[i].bytes));
		assert_string_equal(b.p + 6, cases[i].text);
		assert_int_equal(b.n, 6 + strlen(cases[i].text));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_begins_empty),
		cmocka_unit_test(test_adds_in_order_and_ends_with_nul),
		cmocka_unit_test(test_grows_over_many_sizes),
		cmocka_unit_test(test_past_the_limit_it_keeps_what_it_has),
		cmocka_unit_test(test_without_memory_it_says_so),
		cmocka_unit_test(test_integers_as_printf_writes_them),
		cmocka_unit_test(test_fixed_has_no_trailing_zeros),
		cmocka_unit_test(test_doubles),
		cmocka_unit_test(test_doubles_as_the_rule_says),
		cmocka_unit_test(test_base64_of_each_remainder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
