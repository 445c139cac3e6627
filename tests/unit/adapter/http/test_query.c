/* SPDX-License-Identifier: MIT */
#include "adapter/http/route.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/arena.h"

static const char *const sorts[] = { "name", "-name", "utilization", NULL };
enum { Q, LIMIT, ANY, LIVE, FROM, STEP, SORT, NODE };
static const struct gm_route_param params[] = {
	[Q] = { .name = "q", .type = GM_PARAM_TEXT, .max = 10 },
	[LIMIT] = { .name = "limit", .type = GM_PARAM_INT, .min = 1, .max = 1000, .def = "100" },
	[ANY] = { .name = "any", .type = GM_PARAM_INT },
	[LIVE] = { .name = "live", .type = GM_PARAM_BOOL },
	[FROM] = { .name = "from", .type = GM_PARAM_TIME },
	[STEP] = { .name = "step", .type = GM_PARAM_DURATION, .min = 1000, .max = 3600 * 1000 },
	[SORT] = { .name = "sort", .type = GM_PARAM_CHOICE, .choices = sorts, .def = "-name" },
	[NODE] = { .name = "nodeName", .type = GM_PARAM_TEXT, .min = 1 },
	{ 0 },
};
static const struct gm_route route = { .path = "/x", .operation = "listDevices", .params = params };

static const struct {
	const char *query;
	int param;
	const char *text;
	int64_t number;
} good[] = {
	{ "q=abc", Q, "abc", 0 },
	{ "q=a+b%2Bc", Q, "a b+c", 0 },
	{ "q=", Q, "", 0 },
	{ "q", Q, "", 0 },
	{ "&&q=x&", Q, "x", 0 },
	{ "q=a=b", Q, "a=b", 0 },
	{ "%71=x", Q, "x", 0 },
	{ "q=%ED%95%9C", Q, "\xed\x95\x9c", 0 },
	{ "limit=1", LIMIT, "1", 1 },
	{ "limit=1000", LIMIT, "1000", 1000 },
	{ "", LIMIT, "100", 100 },
	{ "any=-9223372036854775808", ANY, "-9223372036854775808", INT64_MIN },
	{ "live", LIVE, "", 1 },
	{ "live=true", LIVE, "true", 1 },
	{ "live=no", LIVE, "no", 0 },
	{ "from=1764000000", FROM, "1764000000", INT64_C(1764000000000) },
	{ "from=2025-11-24T16:00:00Z", FROM, "2025-11-24T16:00:00Z", INT64_C(1764000000000) },
	{ "from=2025-11-24T17:00:00%2B01:00", FROM, "2025-11-24T17:00:00+01:00", INT64_C(1764000000000) },
	{ "step=1m30s", STEP, "1m30s", 90000 },
	{ "sort=utilization", SORT, "utilization", 2 },
	{ "", SORT, "-name", 1 },
	{ "nodeName=worker-01", NODE, "worker-01", 0 },
};

static void test_values_are_read_by_their_type(void **state)
{
	GM_AUTO(gm_arena_fini_p) struct gm_arena arena = { 0 };
	struct gm_param_value v[GM_ROUTE_PARAMS_MAX];
	(void)state;

	for (size_t i = 0; i < GM_LEN(good); i++) {
		struct gm_err err = { 0 };
		if (gm_route_query(&route, gm_str(good[i].query), &arena, v, &err) != 0)
			fail_msg("'%s': %s", good[i].query, err.text);
		const struct gm_param_value *value = &v[good[i].param];
		assert_true(value->present);
		assert_int_equal(value->given, good[i].query[0] != '\0');
		assert_true(gm_str_is(value->text, good[i].text));
		assert_int_equal(value->number, good[i].number);
	}
}

static const struct {
	const char *query;
	const char *where;
	const char *text; /* part of it */
} bad[] = {
	{ "limit=0", "limit", "from 1 to 1000" },
	{ "limit=1001", "limit", "from 1 to 1000" },
	{ "limit=ten", "limit", "whole number" },
	{ "limit=", "limit", "whole number" },
	{ "limit=1&limit=2", "limit", "twice" },
	{ "any=9223372036854775808", "any", "whole number" },
	{ "live=maybe", "live", "true or false" },
	{ "from=yesterday", "from", "time" },
	{ "step=5", "step", "duration" },
	{ "step=1ms", "step", "from 1s to 1h" },
	{ "sort=size", "sort", "name, -name, utilization" },
	{ "nodeName=", "nodeName", "at least 1" },
	{ "q=12345678901", "q", "at most 10" },
	{ "q=%00", "q", "encoded" },
	{ "q=%0d%0a", "q", "encoded" },
	{ "q=%zz", "q", "encoded" },
	{ "q=%ff", "q", "encoded" },
	{ "%ff=1", "", "encoded" },
	{ "nodename=x", "nodename", "not a parameter of listDevices" },
	{ "=x", "", "not a parameter" },
};

static void test_errors_name_the_parameter(void **state)
{
	GM_AUTO(gm_arena_fini_p) struct gm_arena arena = { 0 };
	struct gm_param_value v[GM_ROUTE_PARAMS_MAX];
	(void)state;

	for (size_t i = 0; i < GM_LEN(bad); i++) {
		struct gm_err err = { 0 };
		int rc = gm_route_query(&route, gm_str(bad[i].query), &arena, v, &err);
		if (rc != GM_ERR_INVALID || strcmp(err.where, bad[i].where) != 0 || !strstr(err.text, bad[i].text))
			fail_msg("'%s': %d where '%s' text '%s'", bad[i].query, rc, err.where, err.text);
	}
}

static void test_required_parameter_must_be_there(void **state)
{
	static const struct gm_route_param required[] = { { .name = "from", .type = GM_PARAM_TIME, .required = true },
							  { 0 } };
	static const struct gm_route r = { .path = "/x", .operation = "x", .params = required };
	GM_AUTO(gm_arena_fini_p) struct gm_arena arena = { 0 };
	struct gm_param_value v[GM_ROUTE_PARAMS_MAX];
	struct gm_err err = { 0 };
	(void)state;

	assert_int_equal(gm_route_query(&r, GM_STR(""), &arena, v, &err), GM_ERR_INVALID);
	assert_string_equal(err.where, "from");
	assert_int_equal(gm_route_query(&r, GM_STR("from=1764000000"), &arena, v, &err), 0);
}

static void test_route_without_parameters_refuses_any(void **state)
{
	static const struct gm_route r = { .path = "/x", .operation = "x" };
	GM_AUTO(gm_arena_fini_p) struct gm_arena arena = { 0 };
	struct gm_param_value v[GM_ROUTE_PARAMS_MAX];
	(void)state;

	assert_int_equal(gm_route_query(&r, GM_STR(""), &arena, v, NULL), 0);
	assert_int_equal(gm_route_query(&r, GM_STR("a=1"), &arena, v, NULL), GM_ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_are_read_by_their_type),
		cmocka_unit_test(test_errors_name_the_parameter),
		cmocka_unit_test(test_required_parameter_must_be_there),
		cmocka_unit_test(test_route_without_parameters_refuses_any),
	};

	return cmocka_run_group_tests_name("http/query", tests, NULL, NULL);
}
