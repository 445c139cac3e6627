/* SPDX-License-Identifier: MIT */
#include "adapter/http/static.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define BYTES(text) .raw = (const uint8_t *)(text), .raw_n = sizeof(text) - 1
static const struct gm_asset assets[] = {
	{ .path = "/assets/index-abcdefgh.js",
	  .type = "text/javascript",
	  .sha = "0123456789abcdef",
	  .hashed = true,
	  BYTES("script"),
	  .gz = (const uint8_t *)"gz",
	  .gz_n = 2,
	  .br = (const uint8_t *)"b",
	  .br_n = 1 },
	{ .path = "/favicon.svg", .type = "image/svg+xml", .sha = "1123456789abcdef", BYTES("<svg/>") },
	{ .path = "/index.html",
	  .type = "text/html",
	  .sha = "2123456789abcdef",
	  BYTES("<html><head><title>x</title></head></html>") },
};

static struct gm_static *make(const char *context)
{
	struct gm_static *s = NULL;
	struct gm_err err = { 0 };

	if (gm_static_new(assets, GM_LEN(assets), context, &s, &err) != 0)
		fail_msg("%s", err.text);
	return s;
}

static int ask(struct gm_static *s, const char *path, struct gm_http_response *res)
{
	struct gm_http_request req = { .path = gm_str(path) };

	*res = (struct gm_http_response){ 0 };
	return gm_static_handle(&req, res, s, NULL);
}

static const struct {
	const char *path;
	const char *body; /* beginning; NULL: 404 */
} paths[] = {
	{ "/", "<html>" },
	{ "", "<html>" },
	{ "/index.html", "<html>" },
	{ "/gpus", "<html>" },
	{ "/nodes/worker-01.rack.example", "<html>" },
	{ "/metricsx", "<html>" },
	{ "/assets/index-abcdefgh.js", "script" },
	{ "/favicon.svg", "<svg/>" },
	{ "/assets/index-oldoldol.js", NULL },
	{ "/assets/x", NULL },
	{ "/favicon.ico", NULL },
	{ "/robots.txt", NULL },
	{ "/.git/config.json", NULL },
	{ "/api/v1/nothing", NULL },
	{ "/api", NULL },
	{ "/metrics", NULL },
	{ "/healthz", NULL },
	{ "/openapi.json", NULL },
};

static void test_paths_answer_files_and_pages(void **state)
{
	GM_AUTO(gm_static_free_p) struct gm_static *s = make("/k8s-monitor");
	(void)state;

	for (size_t i = 0; i < GM_LEN(paths); i++) {
		struct gm_http_response res;
		int rc = ask(s, paths[i].path, &res);
		if (rc != (paths[i].body ? 0 : GM_ERR_NOT_FOUND))
			fail_msg("%s: %d", paths[i].path, rc);
		if (paths[i].body)
			assert_true(gm_str_starts(gm_http_shared_body(res.shared), gm_str(paths[i].body)));
		gm_http_response_fini(&res);
	}
}

static void check_base(const char *context, const char *expected)
{
	GM_AUTO(gm_static_free_p) struct gm_static *s = make(context);
	struct gm_http_response res;

	assert_int_equal(ask(s, "/", &res), 0);
	struct gm_str page = gm_http_shared_body(res.shared);
	if (!memmem(page.p, page.n, expected, strlen(expected)))
		fail_msg("%.*s", GM_STR_ARG(page));
	assert_false(gm_str_is(gm_http_shared_etag(res.shared), "2123456789abcdef"));
	gm_http_response_fini(&res);
}

static void test_page_gets_its_base(void **state)
{
	(void)state;
	check_base("", "<head><base href=\"/\"><title>");
	check_base("/k8s-monitor", "<head><base href=\"/k8s-monitor/\"><title>");
	check_base("/a\"b<", "<head><base href=\"/a&#34;b&#60;/\"><title>");
}

static void test_base_of_the_page_is_replaced(void **state)
{
	static const struct gm_asset own[] = {
		{ .path = "/index.html",
		  .type = "text/html",
		  .sha = "2123456789abcdef",
		  BYTES("<head><meta><base href=\"/dev/\" /><link></head>") },
	};
	GM_AUTO(gm_static_free_p) struct gm_static *s = NULL;
	struct gm_http_response res;
	(void)state;

	assert_int_equal(gm_static_new(own, 1, "/k", &s, NULL), 0);
	assert_int_equal(ask(s, "/", &res), 0);
	assert_true(gm_str_is(gm_http_shared_body(res.shared), "<head><meta><base href=\"/k/\"><link></head>"));
	gm_http_response_fini(&res);
}

static void test_etag_of_the_page_depends_on_the_context(void **state)
{
	GM_AUTO(gm_static_free_p) struct gm_static *a = make("/a");
	GM_AUTO(gm_static_free_p) struct gm_static *b = make("/b");
	struct gm_http_response ra, rb;
	(void)state;

	assert_int_equal(ask(a, "/", &ra), 0);
	assert_int_equal(ask(b, "/", &rb), 0);
	assert_false(gm_str_eq(gm_http_shared_etag(ra.shared), gm_http_shared_etag(rb.shared)));
	gm_http_response_fini(&ra);
	gm_http_response_fini(&rb);
}

static void test_headers_keep_the_page_in_its_cage(void **state)
{
	GM_AUTO(gm_static_free_p) struct gm_static *s = make("");
	struct gm_http_response res;
	bool policy = false, referrer = false;
	(void)state;

	assert_int_equal(ask(s, "/", &res), 0);
	for (size_t i = 0; i < res.header_count; i++) {
		policy |= gm_str_is(res.headers[i].name, "Content-Security-Policy") &&
			  gm_str_starts(res.headers[i].value, GM_STR("default-src 'self'; "));
		referrer |= gm_str_is(res.headers[i].name, "Referrer-Policy");
	}
	assert_true(policy);
	assert_true(referrer);
	gm_http_response_fini(&res);
}

static void test_bad_tables_are_refused(void **state)
{
	static const struct gm_asset unsorted[] = { { .path = "/index.html", BYTES("<head>") },
						    { .path = "/a", BYTES("") } };
	static const struct gm_asset headless[] = { { .path = "/index.html", BYTES("<html>") } };
	struct gm_static *s = NULL;
	(void)state;

	assert_int_equal(gm_static_new(unsorted, 2, "", &s, NULL), GM_ERR_INVALID);
	assert_int_equal(gm_static_new(assets, 2, "", &s, NULL), GM_ERR_INVALID);
	assert_int_equal(gm_static_new(assets, 0, "", &s, NULL), GM_ERR_INVALID);
	struct gm_asset copy = headless[0];
	copy.type = "text/html";
	copy.sha = "0";
	assert_int_equal(gm_static_new(&copy, 1, "", &s, NULL), GM_ERR_INVALID);
	assert_null(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths_answer_files_and_pages),
		cmocka_unit_test(test_page_gets_its_base),
		cmocka_unit_test(test_base_of_the_page_is_replaced),
		cmocka_unit_test(test_etag_of_the_page_depends_on_the_context),
		cmocka_unit_test(test_headers_keep_the_page_in_its_cage),
		cmocka_unit_test(test_bad_tables_are_refused),
	};

	return cmocka_run_group_tests_name("http/static", tests, NULL, NULL);
}
