/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void test_codes_have_name_and_status(void **state)
{
	static const struct {
		int code, status;
		const char *name;
	} cases[] = {
		{ GM_OK, 200, "ok" },
		{ GM_ERR_INVALID, 400, "invalid" },
		{ GM_ERR_PARSE, 400, "parse_error" },
		{ GM_ERR_NOT_FOUND, 404, "not_found" },
		{ GM_ERR_NO_SPACE, 507, "no_space" },
		{ GM_ERR_NO_MEMORY, 503, "out_of_memory" },
		{ 1, 500, "internal" },
		{ -1 - GM_ERR_COUNT, 500, "internal" },
		{ -100000, 500, "internal" },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		assert_string_equal(gm_err_name(cases[i].code), cases[i].name);
		assert_int_equal(gm_err_http_status(cases[i].code), cases[i].status);
	}
}

static void test_each_code_is_negative_and_its_name_unique(void **state)
{
	(void)state;
	for (int a = 1; a <= GM_ERR_COUNT; a++) {
		assert_in_range(gm_err_http_status(-a), 400, 599);
		for (int b = a + 1; b <= GM_ERR_COUNT; b++)
			assert_string_not_equal(gm_err_name(-a), gm_err_name(-b));
	}
	assert_int_equal(GM_ERR_INVALID, -1);
	assert_int_equal(GM_ERR_NO_MEMORY, -GM_ERR_COUNT);
}

static void test_fail_sets_all_and_returns_the_code(void **state)
{
	(void)state;
	struct gm_err err = { .code = 5, .where = "old", .text = "old" };
	assert_int_equal(gm_fail(&err, GM_ERR_CONFLICT, "device %d is %s", 3, "held"), GM_ERR_CONFLICT);
	assert_int_equal(err.code, GM_ERR_CONFLICT);
	assert_string_equal(err.where, "");
	assert_string_equal(err.text, "device 3 is held");
	assert_int_equal(gm_fail_at(&err, GM_ERR_PARSE, "a.yml:3:7", "no %s", "colon"), GM_ERR_PARSE);
	assert_string_equal(err.where, "a.yml:3:7");
	assert_string_equal(err.text, "no colon");
	gm_err_reset(&err);
	assert_int_equal(err.code, GM_OK);
	assert_string_equal(err.where, "");
	assert_string_equal(err.text, "");
}

static void test_without_a_place_only_the_code(void **state)
{
	(void)state;
	assert_int_equal(gm_fail(NULL, GM_ERR_BUSY, "%s", "x"), GM_ERR_BUSY);
	assert_int_equal(gm_fail_at(NULL, GM_ERR_BUSY, "w", "%s", "x"), GM_ERR_BUSY);
	assert_int_equal(gm_fail_errno(NULL, ENOSPC, "%s", "x"), GM_ERR_NO_SPACE);
	assert_int_equal(gm_err_wrap(NULL, "%s", "x"), GM_ERR_INTERNAL);
	gm_err_reset(NULL);
}

static void test_errno_chooses_the_code(void **state)
{
	static const struct {
		int errnum, code;
	} cases[] = {
		{ ENOSPC, GM_ERR_NO_SPACE },  { EDQUOT, GM_ERR_NO_SPACE },  { EROFS, GM_ERR_READ_ONLY },
		{ ENOENT, GM_ERR_NOT_FOUND }, { ENOMEM, GM_ERR_NO_MEMORY }, { EACCES, GM_ERR_IO },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		struct gm_err err;
		char want[200];
		assert_int_equal(gm_fail_errno(&err, cases[i].errnum, "open '%s'", "f"), cases[i].code);
		snprintf(want, sizeof(want), "open 'f': %s", strerror(cases[i].errnum));
		assert_string_equal(err.text, want);
		assert_int_equal(err.code, cases[i].code);
	}
}

static void test_wrap_puts_context_before(void **state)
{
	(void)state;
	struct gm_err err;
	(void)gm_fail_at(&err, GM_ERR_IO, "here", "broken");
	assert_int_equal(gm_err_wrap(&err, "node '%s'", "w1"), GM_ERR_IO);
	assert_string_equal(err.text, "node 'w1': broken");
	assert_string_equal(err.where, "here");
}

static void test_text_may_come_from_itself(void **state)
{
	(void)state;
	struct gm_err err;
	(void)gm_fail(&err, GM_ERR_IO, "first");
	(void)gm_fail(&err, GM_ERR_INTERNAL, "again %s", err.text);
	assert_string_equal(err.text, "again first");
}

static void test_long_texts_are_cut_visibly(void **state)
{
	(void)state;
	char longer[1000];
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	struct gm_err err;
	(void)gm_fail_at(&err, GM_ERR_IO, longer, "%s", longer);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_string_equal(err.text + sizeof(err.text) - 5, "x...");
	assert_int_equal(strlen(err.where), sizeof(err.where) - 1);
	assert_string_equal(err.where + sizeof(err.where) - 5, "x...");
	for (int i = 0; i < 3; i++) {
		(void)gm_err_wrap(&err, "context %d", i);
		assert_string_equal(err.text + sizeof(err.text) - 4, "...");
	}
	assert_memory_equal(err.text, "context 2: context 1: context 0: xxx", 36);
	(void)gm_fail_errno(&err, EACCES, "%s", longer);
	assert_string_equal(err.text + sizeof(err.text) - 4, "...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes_have_name_and_status),
		cmocka_unit_test(test_each_code_is_negative_and_its_name_unique),
		cmocka_unit_test(test_fail_sets_all_and_returns_the_code),
		cmocka_unit_test(test_without_a_place_only_the_code),
		cmocka_unit_test(test_errno_chooses_the_code),
		cmocka_unit_test(test_wrap_puts_context_before),
		cmocka_unit_test(test_text_may_come_from_itself),
		cmocka_unit_test(test_long_texts_are_cut_visibly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
