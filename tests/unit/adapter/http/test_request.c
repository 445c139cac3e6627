/* SPDX-License-Identifier: MIT */
#include "adapter/http/http.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct gm_route_param params[] = { { .name = "a" }, { .name = "b", .type = GM_PARAM_INT }, { 0 } };
static const struct gm_route route = { .path = "/x/{first}/y/{second}", .params = params };

static void test_accessors_find_by_name(void **state)
{
	const struct gm_http_header headers[] = { { GM_STR("Accept"), GM_STR("text/plain") },
						  { GM_STR("If-None-Match"), GM_STR("\"v1-gz\"") } };
	struct gm_http_request req = {
		.route = &route,
		.headers = headers,
		.header_count = GM_LEN(headers),
		.path_params = { GM_STR("1"), GM_STR("2") },
		.path_param_count = 2,
		.params = { { .present = true, .text = GM_STR("t") }, { 0 } },
	};
	(void)state;

	assert_true(gm_str_is(gm_http_header(&req, "ACCEPT"), "text/plain"));
	assert_int_equal(gm_http_header(&req, "Host").n, 0);
	assert_true(gm_str_is(gm_http_path(&req, "first"), "1"));
	assert_true(gm_str_is(gm_http_path(&req, "second"), "2"));
	assert_true(gm_str_is(gm_http_param_text(&req, "a"), "t"));
	assert_int_equal(gm_http_param_number(&req, "b", -7), -7);
	assert_false(gm_http_param(&req, "b")->present);
	assert_true(gm_http_not_modified(&req, GM_STR("v1")));
	assert_false(gm_http_not_modified(&req, GM_STR("v2")));
}

struct source {
	int reads, frees;
};

static ssize_t read_once(void *ctx, char *buf, size_t max)
{
	struct source *s = ctx;

	if (s->reads++ > 0 || max < 2)
		return 0;
	memcpy(buf, "hi", 2);
	return 2;
}

static void free_source(void *ctx)
{
	((struct source *)ctx)->frees++;
}

static void test_handlers_of_streams_work_without_a_server(void **state)
{
	static const struct gm_http_stream_ops ops = { read_once, free_source };
	struct gm_http_request req = { 0 };
	struct gm_http_response res = { 0 };
	struct gm_http_stream *stream = NULL;
	struct source source = { 0 };
	char buf[16];
	(void)state;

	assert_int_equal(gm_http_stream_open(&req, &res, &ops, &source, &stream, NULL), 0);
	assert_int_equal(gm_http_stream_read(stream, buf, sizeof(buf)), 2);
	assert_int_equal(gm_http_stream_read(stream, buf, sizeof(buf)), 0);
	gm_http_stream_wake(stream);
	assert_false(gm_http_stream_ended(stream));
	gm_http_response_fini(&res);
	assert_int_equal(source.frees, 1);
	assert_true(gm_http_stream_ended(stream));
	gm_http_stream_wake(stream);
	gm_http_stream_unref(stream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accessors_find_by_name),
		cmocka_unit_test(test_handlers_of_streams_work_without_a_server),
	};

	return cmocka_run_group_tests_name("http/request", tests, NULL, NULL);
}
