/* SPDX-License-Identifier: MIT */
#include "base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

static void test_set_replaces_and_fini_clears(void **state)
{
	(void)state;
	struct gm_secret s = { 0 };
	gm_secret_set(&s, GM_STR("hunter2"));
	assert_string_equal(s.p, "hunter2");
	assert_int_equal(s.n, 7);
	gm_secret_set(&s, gm_str_n(s.p + 1, 3)); /* of itself */
	assert_string_equal(s.p, "unt");
	gm_secret_set(&s, GM_STR(""));
	assert_string_equal(s.p, "");
	gm_secret_fini(&s);
	assert_null(s.p);
	assert_int_equal(s.n, 0);
	gm_secret_fini(&s);
	gm_secret_fini(NULL);
}

static void test_wipe_and_compare(void **state)
{
	(void)state;
	char a[] = "same bytes", b[] = "same bytes";
	assert_true(gm_secret_eq(a, b, sizeof(a)));
	b[9] = 'S';
	assert_false(gm_secret_eq(a, b, sizeof(a)));
	assert_true(gm_secret_eq(a, b, 9));
	assert_true(gm_secret_eq(NULL, NULL, 0));
	gm_wipe(a, sizeof(a));
	for (size_t i = 0; i < sizeof(a); i++)
		assert_int_equal(a[i], 0);
}

static void test_random_bytes_differ(void **state)
{
	(void)state;
	uint8_t a[32] = { 0 }, b[32] = { 0 }, none[32] = { 0 };
	gm_random_bytes(a, sizeof(a));
	gm_random_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_memory_not_equal(a, none, sizeof(a));
}

static void test_digest_is_blake2b_256(void **state)
{
	static const struct {
		const char *text, *hex;
	} cases[] = {
		{ "", "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8" },
		{ "abc", "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319" },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		uint8_t digest[GM_DIGEST_BYTES];
		char hex[GM_DIGEST_BYTES * 2 + 1];
		gm_digest(gm_str(cases[i].text), digest);
		gm_hex(digest, sizeof(digest), hex);
		assert_string_equal(hex, cases[i].hex);
	}
}

static void test_base64url_of_each_remainder(void **state)
{
	static const struct {
		const char *bytes, *text;
	} cases[] = { { "", "" }, { "f", "Zg" }, { "fo", "Zm8" }, { "foo", "Zm9v" }, { "\xff\xfe\xfd\xfb", "__79-w" } };
	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		size_t n = strlen(cases[i].bytes), room = (n * 4 + 2) / 3 + 1;
		char out[32];
		memset(out, '#', sizeof(out));
		assert_int_equal(gm_base64url((const uint8_t *)cases[i].bytes, n, out), strlen(cases[i].text));
		assert_string_equal(out, cases[i].text);
		assert_int_equal(out[room], '#');
		uint8_t back[8];
		size_t back_n = 99;
		assert_true(gm_base64url_decode(gm_str(cases[i].text), back, &back_n));
		assert_int_equal(back_n, n);
		assert_memory_equal(back, cases[i].bytes, n);
	}
}

static void test_base64url_takes_only_its_own(void **state)
{
	static const char *const bad[] = { "Z", "Zg==", "Zh", "Zm9+", "Zm 9v", "Zm9v\n" };
	uint8_t out[8];
	size_t n = 99;
	(void)state;
	for (size_t i = 0; i < GM_LEN(bad); i++)
		assert_false(gm_base64url_decode(gm_str(bad[i]), out, &n));
	assert_int_equal(n, 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_replaces_and_fini_clears),
		cmocka_unit_test(test_wipe_and_compare),
		cmocka_unit_test(test_random_bytes_differ),
		cmocka_unit_test(test_digest_is_blake2b_256),
		cmocka_unit_test(test_base64url_of_each_remainder),
		cmocka_unit_test(test_base64url_takes_only_its_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
