/* SPDX-License-Identifier: MIT */
#include "adapter/http/route.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/arena.h"

static int handler(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	(void)req;
	(void)res;
	(void)ctx;
	(void)err;
	return 0;
}

#define ROW(m, p, op, ...)                                                                                             \
	{                                                                                                              \
		.method = (m), .path = (p), .handler = handler, .operation = (op), ##__VA_ARGS__                       \
	}
static const struct gm_route table[] = {
	ROW(GM_HTTP_GET, "/api/v1/gpu/overview", "overview"),
	ROW(GM_HTTP_GET, "/api/v1/gpu/devices", "devices"),
	ROW(GM_HTTP_GET, "/api/v1/gpu/devices/{id}", "device"),
	ROW(GM_HTTP_GET, "/api/v1/gpu/devices/{id}/metrics", "deviceMetrics"),
	ROW(GM_HTTP_GET, "/api/v1/gpu/devices/all", "allDevices"),
	ROW(GM_HTTP_GET, "/api/v1/a/{x}/b/{y}", "two"),
	ROW(GM_HTTP_POST, "/api/v1/auth/keys", "createKey", .request = "NewKey"),
	ROW(GM_HTTP_GET, "/api/v1/auth/keys", "keys"),
	ROW(GM_HTTP_DELETE, "/api/v1/auth/keys/{id}", "revokeKey"),
	ROW(GM_HTTP_GET, "/metrics", "metrics", .flags = GM_ROUTE_ROOT),
};

struct fixture {
	struct gm_router *router;
	struct gm_arena arena;
};

static int set_up(void **state)
{
	static struct fixture f;

	f = (struct fixture){ 0 };
	*state = &f;
	return gm_router_new(table, GM_LEN(table), "/k8s-monitor", &f.router, NULL);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	gm_router_free(f->router);
	gm_arena_fini(&f->arena);
	return 0;
}

#define C "/k8s-monitor"
static const struct {
	enum gm_http_method method;
	const char *target;
	enum gm_route_result result;
	const char *operation; /* FOUND */
	const char *first;     /* first path parameter */
} cases[] = {
	{ GM_HTTP_GET, C "/api/v1/gpu/overview", GM_ROUTE_FOUND, "overview", NULL },
	{ GM_HTTP_HEAD, C "/api/v1/gpu/overview", GM_ROUTE_FOUND, "overview", NULL },
	{ GM_HTTP_GET, C "/api/v1/gpu/overview/", GM_ROUTE_FOUND, "overview", NULL },
	{ GM_HTTP_GET, C "/api/v1/gpu/overview//", GM_ROUTE_NOT_FOUND, NULL, NULL },
	{ GM_HTTP_GET, C "/api//v1/gpu/overview", GM_ROUTE_NOT_FOUND, NULL, NULL },
	{ GM_HTTP_GET, C "/api/v1/gpu/overview?x=1", GM_ROUTE_FOUND, "overview", NULL },
	{ GM_HTTP_GET, "http://host:80" C "/api/v1/gpu/overview", GM_ROUTE_FOUND, "overview", NULL },
	{ GM_HTTP_GET, C "/api/v1/gpu/%6fverview", GM_ROUTE_FOUND, "overview", NULL },
	{ GM_HTTP_GET, C "/api/v1/gpu/Overview", GM_ROUTE_NOT_FOUND, NULL, NULL },
	{ GM_HTTP_GET, C "/api/v1/gpu", GM_ROUTE_NOT_FOUND, NULL, NULL },
	{ GM_HTTP_GET, C "/api/v1/gpu/devices/worker-01-GPU-00", GM_ROUTE_FOUND, "device", "worker-01-GPU-00" },
	{ GM_HTTP_GET, C "/api/v1/gpu/devices/a%20b%2Fc", GM_ROUTE_FOUND, "device", "a b/c" },
	{ GM_HTTP_GET, C "/api/v1/gpu/devices/%ED%95%9C", GM_ROUTE_FOUND, "device", "\xed\x95\x9c" },
	{ GM_HTTP_GET, C "/api/v1/gpu/devices/a+b", GM_ROUTE_FOUND, "device", "a+b" },
	{ GM_HTTP_GET, C "/api/v1/gpu/devices/all", GM_ROUTE_FOUND, "allDevices", NULL },
	{ GM_HTTP_GET, C "/api/v1/gpu/devices/all/metrics", GM_ROUTE_FOUND, "deviceMetrics", "all" },
	{ GM_HTTP_GET, C "/api/v1/gpu/devices/", GM_ROUTE_FOUND, "devices", NULL },
	{ GM_HTTP_GET, C "/api/v1/a/1/b/2", GM_ROUTE_FOUND, "two", "1" },
	{ GM_HTTP_POST, C "/api/v1/auth/keys", GM_ROUTE_FOUND, "createKey", NULL },
	{ GM_HTTP_DELETE, C "/api/v1/auth/keys/7", GM_ROUTE_FOUND, "revokeKey", "7" },
	{ GM_HTTP_PUT, C "/api/v1/auth/keys", GM_ROUTE_NOT_METHOD, NULL, NULL },
	{ GM_HTTP_METHOD_COUNT, C "/api/v1/auth/keys", GM_ROUTE_NOT_METHOD, NULL, NULL },
	{ GM_HTTP_HEAD, C "/api/v1/auth/keys/7", GM_ROUTE_NOT_METHOD, NULL, NULL },
	{ GM_HTTP_OPTIONS, C "/api/v1/auth/keys", GM_ROUTE_OPTIONS, NULL, NULL },
	{ GM_HTTP_OPTIONS, C "/api/v1/nothing", GM_ROUTE_NOT_FOUND, NULL, NULL },
	{ GM_HTTP_OPTIONS, "*", GM_ROUTE_OPTIONS, NULL, NULL },
	{ GM_HTTP_GET, "*", GM_ROUTE_BAD, NULL, NULL },
	{ GM_HTTP_GET, "", GM_ROUTE_BAD, NULL, NULL },
	{ GM_HTTP_GET, "/", GM_ROUTE_REDIRECT, NULL, NULL },
	{ GM_HTTP_GET, "http://host", GM_ROUTE_REDIRECT, NULL, NULL },
	{ GM_HTTP_GET, C, GM_ROUTE_REDIRECT, NULL, NULL },
	{ GM_HTTP_GET, C "?lang=ko", GM_ROUTE_REDIRECT, NULL, NULL },
	{ GM_HTTP_GET, C "/", GM_ROUTE_NOT_FOUND, NULL, NULL },
	{ GM_HTTP_GET, C "x/api/v1/gpu/overview", GM_ROUTE_NOT_FOUND, NULL, NULL },
	{ GM_HTTP_GET, "/metrics", GM_ROUTE_FOUND, "metrics", NULL },
	{ GM_HTTP_GET, C "/metrics", GM_ROUTE_FOUND, "metrics", NULL },
	{ GM_HTTP_GET, "/api/v1/gpu/overview", GM_ROUTE_NOT_FOUND, NULL, NULL },
	{ GM_HTTP_GET, C "/api/v1/gpu/devices/a%00b", GM_ROUTE_BAD, NULL, NULL },
	{ GM_HTTP_GET, C "/api/v1/gpu/devices/a%0ab", GM_ROUTE_BAD, NULL, NULL },
	{ GM_HTTP_GET, C "/api/v1/gpu/devices/a%", GM_ROUTE_BAD, NULL, NULL },
	{ GM_HTTP_GET, C "/api/v1/gpu/devices/a%4", GM_ROUTE_BAD, NULL, NULL },
	{ GM_HTTP_GET, C "/api/v1/gpu/devices/a%g0", GM_ROUTE_BAD, NULL, NULL },
	{ GM_HTTP_GET, C "/api/v1/gpu/devices/%ff", GM_ROUTE_BAD, NULL, NULL },
	{ GM_HTTP_GET, C "/api/v1/gpu/devices/../overview", GM_ROUTE_BAD, NULL, NULL },
	{ GM_HTTP_GET, C "/api/v1/gpu/devices/%2e%2e/overview", GM_ROUTE_BAD, NULL, NULL },
	{ GM_HTTP_GET, C "/./api", GM_ROUTE_BAD, NULL, NULL },
	{ GM_HTTP_GET, C "/api#x", GM_ROUTE_BAD, NULL, NULL },
	{ GM_HTTP_GET, C "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18", GM_ROUTE_NOT_FOUND, NULL, NULL },
};

static void test_match_finds_the_row(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < GM_LEN(cases); i++) {
		struct gm_route_match m;
		enum gm_route_result r =
			gm_router_match(f->router, cases[i].method, gm_str(cases[i].target), &f->arena, &m);
		if (r != cases[i].result)
			fail_msg("%s: result %d, not %d", cases[i].target, (int)r, (int)cases[i].result);
		assert_int_equal(m.route != NULL, r == GM_ROUTE_FOUND);
		if (cases[i].operation)
			assert_string_equal(m.route->operation, cases[i].operation);
		if (cases[i].first)
			assert_true(gm_str_is(m.path_params[0], cases[i].first));
		else if (r == GM_ROUTE_FOUND)
			assert_int_equal(m.path_param_count, 0);
	}
}

static void test_match_gives_path_and_query(void **state)
{
	struct fixture *f = *state;
	struct gm_route_match m;

	assert_int_equal(gm_router_match(f->router, GM_HTTP_GET, GM_STR(C "/gpus/a%20b?x=%20&y"), &f->arena, &m),
			 GM_ROUTE_NOT_FOUND);
	assert_true(gm_str_is(m.path, "/gpus/a b"));
	assert_true(gm_str_is(m.raw_query, "x=%20&y"));
	/* Outside the context path there is nothing for the fallback. */
	assert_int_equal(gm_router_match(f->router, GM_HTTP_GET, GM_STR("/elsewhere"), &f->arena, &m),
			 GM_ROUTE_NOT_FOUND);
	assert_int_equal(m.path.n, 0);
}

static void test_match_says_which_methods_are_allowed(void **state)
{
	struct fixture *f = *state;
	struct gm_route_match m;

	(void)gm_router_match(f->router, GM_HTTP_PUT, GM_STR(C "/api/v1/auth/keys"), &f->arena, &m);
	assert_int_equal(m.allow, 1u << GM_HTTP_GET | 1u << GM_HTTP_HEAD | 1u << GM_HTTP_POST | 1u << GM_HTTP_OPTIONS);
	(void)gm_router_match(f->router, GM_HTTP_GET, GM_STR(C "/api/v1/auth/keys/1"), &f->arena, &m);
	assert_int_equal(m.allow, 1u << GM_HTTP_DELETE | 1u << GM_HTTP_OPTIONS);
}

static const struct gm_route_param no_choices[] = { { .name = "a", .type = GM_PARAM_CHOICE }, { 0 } };
static const struct gm_route_param bad_default[] = {
	{ .name = "a", .type = GM_PARAM_INT, .min = 1, .max = 5, .def = "9" },
	{ 0 },
};
static const struct gm_route_param twice[] = { { .name = "a" }, { .name = "a" }, { 0 } };
static const struct {
	struct gm_route rows[2];
	size_t count;
	const char *context;
} bad_tables[] = {
	{ { ROW(GM_HTTP_GET, "/a", "x"), ROW(GM_HTTP_GET, "/a", "y") }, 2, "" },
	{ { ROW(GM_HTTP_GET, "/{a}", "x"), ROW(GM_HTTP_GET, "/{b}", "y") }, 2, "" },
	{ { ROW(GM_HTTP_GET, "a", "x") }, 1, "" },
	{ { ROW(GM_HTTP_GET, "/a//b", "x") }, 1, "" },
	{ { ROW(GM_HTTP_GET, "/a b", "x") }, 1, "" },
	{ { ROW(GM_HTTP_GET, "/a{b}", "x") }, 1, "" },
	{ { ROW(GM_HTTP_GET, "/{a}/{b}/{c}/{d}/{e}", "x") }, 1, "" },
	{ { ROW(GM_HTTP_HEAD, "/a", "x") }, 1, "" },
	{ { ROW(GM_HTTP_GET, "/a", NULL) }, 1, "" },
	{ { ROW(GM_HTTP_GET, "/a", "x", .params = no_choices) }, 1, "" },
	{ { ROW(GM_HTTP_GET, "/a", "x", .params = bad_default) }, 1, "" },
	{ { ROW(GM_HTTP_GET, "/a", "x", .params = twice) }, 1, "" },
	{ { ROW(GM_HTTP_GET, "/a", "x") }, 1, "k8s" },
	{ { ROW(GM_HTTP_GET, "/a", "x") }, 1, "/" },
	{ { ROW(GM_HTTP_GET, "/a", "x") }, 1, "/k8s/" },
	{ { ROW(GM_HTTP_GET, "/a", "x") }, 1, "/k 8" },
};

static void test_new_refuses_bad_tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < GM_LEN(bad_tables); i++) {
		struct gm_router *r = NULL;
		struct gm_err err = { 0 };
		int rc = gm_router_new(bad_tables[i].rows, bad_tables[i].count, bad_tables[i].context, &r, &err);
		if (rc != GM_ERR_INVALID)
			fail_msg("table %zu: taken", i);
		assert_null(r);
		assert_true(err.text[0]);
	}
}

static void test_empty_context_serves_from_the_root(void **state)
{
	GM_AUTO(gm_arena_fini_p) struct gm_arena arena = { 0 };
	GM_AUTO(gm_router_free_p) struct gm_router *r = NULL;
	struct gm_route_match m;
	(void)state;

	assert_int_equal(gm_router_new(table, GM_LEN(table), "", &r, NULL), 0);
	assert_int_equal(gm_router_match(r, GM_HTTP_GET, GM_STR("/metrics"), &arena, &m), GM_ROUTE_FOUND);
	assert_int_equal(gm_router_match(r, GM_HTTP_GET, GM_STR("/"), &arena, &m), GM_ROUTE_NOT_FOUND);
	assert_true(gm_str_is(m.path, "/"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_match_finds_the_row, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_match_gives_path_and_query, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_match_says_which_methods_are_allowed, set_up, tear_down),
		cmocka_unit_test(test_new_refuses_bad_tables),
		cmocka_unit_test(test_empty_context_serves_from_the_root),
	};

	return cmocka_run_group_tests_name("http/route", tests, NULL, NULL);
}
