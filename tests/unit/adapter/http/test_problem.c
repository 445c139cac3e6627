/* SPDX-License-Identifier: MIT */
#include "adapter/http/problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void test_problem_has_the_members_of_rfc9457(void **state)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };
	struct gm_err err = { 0 };
	(void)state;

	gm_fail(&err, GM_ERR_NOT_FOUND, "device '%s': not known", "a\"b");
	gm_problem_write(&out, &err, 0, NULL, GM_STR("r-1"));
	assert_string_equal(gm_buf_cstr(&out), "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
					       "\"code\":\"not_found\",\"detail\":\"device 'a\\\"b': not known\","
					       "\"errors\":[],\"request_id\":\"r-1\"}");
}

static void test_place_of_the_error_becomes_a_pointer(void **state)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };
	struct gm_err err = { 0 };
	(void)state;

	gm_fail_at(&err, GM_ERR_INVALID, "/name", "must not be empty");
	gm_problem_write(&out, &err, 0, NULL, GM_STR("r-1"));
	assert_non_null(
		strstr(gm_buf_cstr(&out), "\"errors\":[{\"pointer\":\"/name\",\"detail\":\"must not be empty\"}]"));
}

static void test_status_may_be_given(void **state)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };
	struct gm_err err = { 0 };
	(void)state;

	gm_fail(&err, GM_ERR_TOO_LARGE, "x");
	gm_problem_write(&out, &err, 414, NULL, GM_STR("r-1"));
	assert_non_null(strstr(gm_buf_cstr(&out), "\"title\":\"URI Too Long\",\"status\":414,\"code\":\"too_large\""));
}

static void test_issues_are_listed_up_to_a_limit(void **state)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };
	GM_AUTO(gm_arena_fini_p) struct gm_arena arena = { 0 };
	struct gm_issues issues = { 0 };
	struct gm_err err = { 0 };
	(void)state;

	for (int i = 0; i < GM_ISSUES_MAX + 5; i++)
		gm_issues_add(&issues, &arena, "/a", "issue %d", i);
	assert_int_equal(issues.count, GM_ISSUES_MAX);
	gm_fail(&err, GM_ERR_INVALID, "x");
	gm_problem_write(&out, &err, 0, &issues, GM_STR("r-1"));
	assert_non_null(strstr(gm_buf_cstr(&out), "\"issue 0\""));
	assert_non_null(strstr(gm_buf_cstr(&out), "\"issue 15\""));
	assert_null(strstr(gm_buf_cstr(&out), "\"issue 16\""));
	gm_issues_add(NULL, &arena, "/a", "nobody listens");
}

static void test_each_error_has_a_title(void **state)
{
	(void)state;
	for (int code = -1; code >= -(int)GM_ERR_COUNT; code--)
		assert_string_not_equal(gm_http_status_title(gm_err_http_status(code)), "Error");
	assert_string_equal(gm_http_status_title(299), "Error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_problem_has_the_members_of_rfc9457),
		cmocka_unit_test(test_place_of_the_error_becomes_a_pointer),
		cmocka_unit_test(test_status_may_be_given),
		cmocka_unit_test(test_issues_are_listed_up_to_a_limit),
		cmocka_unit_test(test_each_error_has_a_title),
	};

	return cmocka_run_group_tests_name("http/problem", tests, NULL, NULL);
}
