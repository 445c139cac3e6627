/* SPDX-License-Identifier: MIT */
#include "adapter/http/http.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <semaphore.h>
#include <zlib.h>

#include "adapter/http/body.h"
#include "core/auth/auth.h"
#include "wire.h"

#define C "/k8s-monitor"
#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define GET_WITH(path, headers) "GET " path " HTTP/1.1\r\nHost: localhost\r\n" headers "\r\n"

/* What the server told the application. */
struct app {
	struct gm_http_server *server;
	_Atomic int refused_status;
	_Atomic int refused_count;
	_Atomic int observed_count;
	_Atomic int observed_status;
	_Atomic int handled;
	_Atomic bool loopback;
	struct gm_http_shared *shared;
};

static int on_hello(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct app *app = ctx;
	(void)err;

	app->loopback = req->peer->loopback;
	app->handled++;
	gm_buf_addf(&res->body, "{\"limit\":%lld,\"q\":\"%.*s\"}", (long long)gm_http_param_number(req, "limit", -1),
		    GM_STR_ARG(gm_http_param_text(req, "q")));
	return 0;
}

static int on_device(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct gm_str id = gm_http_path(req, "id");
	(void)ctx;

	if (!gm_str_is(id, "gpu 0"))
		return gm_fail(err, GM_ERR_NOT_FOUND, "device '%.*s': not known", GM_STR_ARG(id));
	res->etag = GM_STR("v1");
	gm_buf_addf(&res->body, "{\"agent\":\"%.*s\"}", GM_STR_ARG(gm_http_header(req, "user-agent")));
	return 0;
}

static const struct gm_body_field fields[] = {
	{ .name = "name", .type = GM_BODY_TEXT, .required = true, .min = 1 },
};

static int on_create(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct gm_str name = { 0 };
	(void)ctx;

	int rc = gm_body_read(req->body, fields, GM_LEN(fields), sizeof(name), req->arena, &name, NULL, req->issues,
			      err);
	if (rc != 0)
		return rc;
	gm_http_add_header(res, "Location", GM_STR("/k8s-monitor/api/keys/7"));
	gm_buf_addf(&res->body, "{\"name\":\"%.*s\",\"by\":\"%s\"}", GM_STR_ARG(name), req->identity->name);
	return 0;
}

static int on_delete(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	(void)req;
	(void)res;
	(void)ctx;
	(void)err;
	return 0;
}

static int on_large(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	(void)ctx;
	(void)err;
	res->etag = GM_STR("big");
	for (int64_t i = 0; i < gm_http_param_number(req, "lines", 0); i++)
		gm_buf_addf(&res->body, "line %lld of many that compress well\n", (long long)i);
	res->content_type = "text/plain";
	return 0;
}

static int on_shared(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct app *app = ctx;
	(void)req;
	(void)err;

	gm_http_answer_shared(res, app->shared);
	return 0;
}

static int on_fail(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	(void)req;
	(void)ctx;
	gm_buf_add_cstr(&res->body, "half an answer");
	gm_http_add_header(res, "X-Half", GM_STR("yes"));
	return gm_fail(err, GM_ERR_BUSY, "not now");
}

static const struct gm_route_param hello_params[] = {
	{ .name = "limit", .type = GM_PARAM_INT, .min = 1, .max = 1000, .def = "100" },
	{ .name = "q", .type = GM_PARAM_TEXT },
	{ 0 },
};
static const struct gm_route_param large_params[] = {
	{ .name = "lines", .type = GM_PARAM_INT, .min = 1, .max = 100000, .def = "1000" },
	{ 0 },
};
#define ROW(m, p, r, h, ...)                                                                                           \
	{                                                                                                              \
		.method = (m), .path = (p), .role = (r), .handler = (h), .operation = #h, ##__VA_ARGS__                \
	}
static const struct gm_route routes[] = {
	ROW(GM_HTTP_GET, "/api/hello", GM_ROLE_NONE, on_hello, .params = hello_params),
	ROW(GM_HTTP_GET, "/api/devices/{id}", GM_ROLE_VIEWER, on_device),
	ROW(GM_HTTP_POST, "/api/keys", GM_ROLE_ADMIN, on_create, .request = "NewKey", .success = 201),
	ROW(GM_HTTP_POST, "/api/open", GM_ROLE_NONE, on_create, .request = "NewKey"),
	ROW(GM_HTTP_DELETE, "/api/keys/{id}", GM_ROLE_NONE, on_delete),
	ROW(GM_HTTP_GET, "/api/large", GM_ROLE_NONE, on_large, .params = large_params),
	ROW(GM_HTTP_GET, "/api/shared", GM_ROLE_NONE, on_shared),
	ROW(GM_HTTP_GET, "/api/fail", GM_ROLE_NONE, on_fail),
	ROW(GM_HTTP_GET, "/healthz", GM_ROLE_NONE, on_delete, .flags = GM_ROUTE_ROOT),
};

static int identify(void *ctx, const struct gm_http_peer *peer, struct gm_str authorization, struct gm_identity *out,
		    struct gm_err *err)
{
	static const struct {
		const char *text;
		enum gm_role role;
	} keys[] = { { "Bearer v", GM_ROLE_VIEWER }, { "Bearer a", GM_ROLE_ADMIN } };
	(void)ctx;
	(void)peer;

	if (authorization.n == 0) {
		*out = (struct gm_identity){ .role = GM_ROLE_NONE, .anonymous = true };
		return 0;
	}
	for (size_t i = 0; i < GM_LEN(keys); i++) {
		if (!gm_str_is(authorization, keys[i].text))
			continue;
		*out = (struct gm_identity){ .role = keys[i].role, .key_id = 1, .name = "someone" };
		return 0;
	}
	return gm_fail(err, GM_ERR_UNAUTHENTICATED, "the key is not known");
}

static void refused(void *ctx, const struct gm_http_peer *peer, int status)
{
	struct app *app = ctx;

	assert_string_equal(peer->address, "127.0.0.1");
	app->refused_status = status;
	app->refused_count++;
}

static void observe(void *ctx, const struct gm_route *route, int status, int64_t micros)
{
	struct app *app = ctx;
	(void)route;

	app->observed_status = micros >= 0 ? status : -1;
	app->observed_count++;
}

static int on_page(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	(void)ctx;
	(void)err;
	char *filler = gm_arena_alloc(req->arena, 1500);
	memset(filler, 'x', 1499);
	gm_http_add_header(res, "X-Long", gm_str(filler));
	res->content_type = "text/html";
	gm_buf_addf(&res->body, "page %.*s", GM_STR_ARG(req->path));
	return 0;
}

static struct app app;

static void start(struct gm_http_conf conf)
{
	struct gm_buf body = { 0 };
	struct gm_err err = { 0 };

	app = (struct app){ 0 };
	for (int i = 0; i < 200; i++)
		gm_buf_addf(&body, "{\"row\":%d}\n", i);
	app.shared = gm_http_shared_new(&body, &(struct gm_http_shared_info){ .gzip = GM_HTTP_GZIP_LAZY });
	conf.context = C;
	conf.routes = routes;
	conf.route_count = GM_LEN(routes);
	conf.ctx = &app;
	conf.identify = identify;
	conf.refused = refused;
	conf.observe = observe;
	conf.fallback = on_page;
	conf.threads = conf.threads ? conf.threads : 2;
	if (gm_http_server_start(&conf, &app.server, &err) != 0)
		fail_msg("%s", err.text);
}

static int set_up(void **state)
{
	(void)state;
	start((struct gm_http_conf){ 0 });
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	gm_http_server_free(app.server);
	gm_http_shared_unref(app.shared);
	return 0;
}

static void open_wire(struct wire *w)
{
	assert_true(wire_open(w, gm_http_server_port(app.server)));
}

static bool body_has(const struct wire *w, const char *text)
{
	return memmem(w->body.p, w->body.n, text, strlen(text)) != NULL;
}

/* One row, one request on a connection that is kept: what comes back. */
static const struct {
	const char *request;
	int status;
	const char *header, *value; /* NULL: not looked at; value "" : must not be there */
	const char *body;	    /* part of it */
} exchanges[] = {
	{ GET(C "/api/hello"), 200, "Content-Type", "application/json", "{\"limit\":100,\"q\":\"\"}" },
	{ GET(C "/api/hello?limit=5&q=a%20b"), 200, "Cache-Control", "no-store", "{\"limit\":5,\"q\":\"a b\"}" },
	{ GET(C "/api/hello?limit=0"), 400, "Content-Type", "application/problem+json", "\"pointer\":\"?limit\"" },
	{ GET(C "/api/hello?limits=5"), 400, NULL, NULL, "'limits' is not a parameter of on_hello" },
	{ "HEAD " C "/api/hello HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, "Content-Length", "20", "" },
	{ "OPTIONS " C "/api/keys HTTP/1.1\r\nHost: localhost\r\n\r\n", 204, "Allow", "POST, OPTIONS", "" },
	{ "PUT " C "/api/hello HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "Allow", "GET, HEAD, OPTIONS",
	  "method_not_allowed" },
	{ "BREW " C "/api/hello HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, NULL, NULL, "BREW is not possible" },
	{ GET("/api/hello"), 404, NULL, NULL, "not_found" },
	{ GET("/"), 308, "Location", C "/", "" },
	{ GET(C "?a=1"), 308, "Location", C "/?a=1", "" },
	{ GET("/healthz"), 200, NULL, NULL, "" },
	{ GET(C "/healthz"), 200, NULL, NULL, "" },
	{ GET(C "/gpus/a%20b"), 200, "Content-Type", "text/html", "page /gpus/a b" },
	{ "POST " C "/gpus HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, NULL, NULL, "not_found" },
	{ GET(C "/%zz"), 400, NULL, NULL, "encoded" },
	{ GET(C "/api/devices/x"), 401, "WWW-Authenticate", "Bearer realm=\"gpu-monitor\"", "unauthenticated" },
	{ GET_WITH(C "/api/devices/x", "Authorization: Bearer nope\r\n"), 401, NULL, NULL, "the key is not known" },
	{ GET_WITH(C "/api/devices/x", "Authorization: Bearer v\r\n"), 404, NULL, NULL, "device 'x': not known" },
	{ GET_WITH(C "/api/devices/gpu%200", "X-API-Key: v\r\nUser-Agent: me\r\n"), 200, "ETag", "\"v1\"",
	  "{\"agent\":\"me\"}" },
	{ GET_WITH(C "/api/devices/gpu%200", "X-API-Key: v\r\nIf-None-Match: \"v1\"\r\n"), 304, "ETag", "\"v1\"", "" },
	{ GET_WITH(C "/api/hello", "Authorization: Bearer nope\r\n"), 200, NULL, NULL, "limit" },
	{ "POST " C "/api/keys HTTP/1.1\r\nHost: localhost\r\nX-API-Key: v\r\nContent-Length: 2\r\n\r\n{}", 403, NULL,
	  NULL, "forbidden" },
	{ "POST " C "/api/keys HTTP/1.1\r\nHost: localhost\r\nX-API-Key: a\r\nContent-Type: application/json; "
	  "charset=utf-8\r\nContent-Length: 13\r\n\r\n{\"name\":\"ab\"}",
	  201, "Location", C "/api/keys/7", "{\"name\":\"ab\",\"by\":\"someone\"}" },
	{ "POST " C "/api/keys HTTP/1.1\r\nHost: localhost\r\nX-API-Key: a\r\nContent-Type: text/plain\r\n"
	  "Content-Length: 2\r\n\r\n{}",
	  415, NULL, NULL, "application/json" },
	{ "POST " C
	  "/api/open HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
	  "Content-Length: 2\r\n\r\n{}",
	  415, NULL, NULL, "compressed" },
	{ "POST " C "/api/open HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 20"
	  "\r\n\r\n{\"nick\":1,\"name\":\"\"}",
	  400, NULL, NULL, "\"errors\":[{\"pointer\":\"/nick\"" },
	{ "POST " C
	  "/api/open HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked"
	  "\r\n\r\n3\r\n{\"n\r\na\r\name\":\"xyz\"\r\n1\r\n}\r\n0\r\n\r\n",
	  200, NULL, NULL, "{\"name\":\"xyz\"" },
	{ "DELETE " C "/api/keys/1 HTTP/1.1\r\nHost: localhost\r\n\r\n", 204, NULL, NULL, "" },
	{ "DELETE " C "/api/keys/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}", 400, NULL, NULL,
	  "takes no body" },
	{ GET(C "/api/fail"), 503, "X-Half", "", "\"code\":\"busy\"" },
	{ GET(C "/api/fail"), 503, "Retry-After", "5", "not now" },
	{ GET(C "/api/hello"), 200, "X-Content-Type-Options", "nosniff", "limit" },
};

static void test_exchanges_on_one_connection(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	(void)state;

	open_wire(&w);
	for (size_t i = 0; i < GM_LEN(exchanges); i++) {
		if (!wire_ask(&w, exchanges[i].request))
			fail_msg("%zu: %.60s: no answer", i, exchanges[i].request);
		if (w.status != exchanges[i].status)
			fail_msg("%.60s: status %d %s", exchanges[i].request, w.status, gm_buf_cstr(&w.body));
		if (exchanges[i].header && !gm_str_is(wire_header(&w, exchanges[i].header), exchanges[i].value))
			fail_msg("%.60s: %s", exchanges[i].request, gm_buf_cstr(&w.head));
		if (exchanges[i].body[0] ? !body_has(&w, exchanges[i].body) : w.body.n > 0)
			fail_msg("%.60s: %s", exchanges[i].request, gm_buf_cstr(&w.body));
		assert_true(wire_header(&w, "X-Request-Id").n > 0);
	}
	assert_int_equal(app.observed_count, GM_LEN(exchanges));
}

static void test_refusals_are_told(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	(void)state;

	open_wire(&w);
	assert_true(wire_ask(&w, GET(C "/api/devices/x")));
	assert_int_equal(app.refused_status, 401);
	assert_true(wire_ask(&w, "POST " C "/api/keys HTTP/1.1\r\nHost: localhost\r\nX-API-Key: v\r\n\r\n"));
	assert_int_equal(app.refused_status, 403);
	assert_int_equal(app.refused_count, 2);
	assert_true(wire_ask(&w, GET(C "/api/nothing")));
	assert_int_equal(app.refused_count, 2);
}

static void test_request_id_of_the_client_is_kept_when_sane(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	char first[80];
	(void)state;

	open_wire(&w);
	assert_true(wire_ask(&w, GET_WITH(C "/api/fail", "X-Request-Id: abc-DEF_1.2:3\r\n")));
	assert_true(gm_str_is(wire_header(&w, "X-Request-Id"), "abc-DEF_1.2:3"));
	assert_true(body_has(&w, "\"request_id\":\"abc-DEF_1.2:3\""));
	assert_true(wire_ask(&w, GET_WITH(C "/api/hello", "X-Request-Id: a b\"c\r\n")));
	assert_true(gm_str_copy(wire_header(&w, "X-Request-Id"), first, sizeof(first)));
	assert_null(strchr(first, ' '));
	assert_true(wire_ask(&w, GET(C "/api/hello")));
	assert_false(gm_str_is(wire_header(&w, "X-Request-Id"), first));
}

static void inflate_body(const struct wire *w, struct gm_buf *out)
{
	z_stream z = { .next_in = (Bytef *)w->body.p, .avail_in = (uInt)w->body.n };
	char *room = gm_buf_reserve(out, 8 * 1024 * 1024);

	z.next_out = (Bytef *)room;
	z.avail_out = 8 * 1024 * 1024;
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	gm_buf_advance(out, 8 * 1024 * 1024 - z.avail_out);
	assert_int_equal(inflateEnd(&z), Z_OK);
}

static const char *const compressible[] = { C "/api/large", C "/api/shared" };

static void test_gzip_round_trip(void **state)
{
	(void)state;
	for (size_t i = 0; i < GM_LEN(compressible); i++) {
		GM_AUTO(wire_close_p) struct wire w;
		GM_AUTO(gm_buf_fini_p) struct gm_buf plain = { 0 };
		GM_AUTO(gm_buf_fini_p) struct gm_buf unpacked = { 0 };
		char request[512], tag[128];

		open_wire(&w);
		(void)snprintf(request, sizeof(request), GET("%s"), compressible[i]);
		assert_true(wire_ask(&w, request));
		assert_int_equal(w.status, 200);
		assert_int_equal(wire_header(&w, "Content-Encoding").n, 0);
		assert_true(gm_str_is(wire_header(&w, "Vary"), "Accept-Encoding"));
		assert_true(gm_str_copy(wire_header(&w, "ETag"), tag, sizeof(tag)));
		gm_buf_add_str(&plain, gm_buf_str(&w.body));

		(void)snprintf(request, sizeof(request), GET_WITH("%s", "Accept-Encoding: gzip\r\n"), compressible[i]);
		assert_true(wire_ask(&w, request));
		assert_true(gm_str_is(wire_header(&w, "Content-Encoding"), "gzip"));
		assert_true(w.body.n < plain.n / 2);
		assert_false(gm_str_is(wire_header(&w, "ETag"), tag));
		inflate_body(&w, &unpacked);
		assert_int_equal(unpacked.n, plain.n);
		assert_memory_equal(unpacked.p, plain.p, plain.n);

		/* Both representations' tags answer 304, each with itself. */
		assert_true(gm_str_copy(wire_header(&w, "ETag"), tag, sizeof(tag)));
		(void)snprintf(request, sizeof(request),
			       GET_WITH("%s", "Accept-Encoding: gzip\r\nIf-None-Match: \"no\", %s\r\n"),
			       compressible[i], tag);
		assert_true(wire_ask(&w, request));
		assert_int_equal(w.status, 304);
		assert_true(gm_str_is(wire_header(&w, "ETag"), tag));
		assert_int_equal(wire_header(&w, "Content-Encoding").n, 0);

		(void)snprintf(request, sizeof(request), GET_WITH("%s", "Accept-Encoding: gzip;q=0\r\n"),
			       compressible[i]);
		assert_true(wire_ask(&w, request));
		assert_int_equal(wire_header(&w, "Content-Encoding").n, 0);
	}
}

static void test_small_answers_are_not_compressed(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	(void)state;

	open_wire(&w);
	assert_true(wire_ask(&w, GET_WITH(C "/api/hello", "Accept-Encoding: gzip\r\n")));
	assert_int_equal(wire_header(&w, "Content-Encoding").n, 0);
	assert_int_equal(wire_header(&w, "Vary").n, 0);
}

static void test_large_answer_comes_whole(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	(void)state;

	open_wire(&w);
	for (int i = 0; i < 3; i++) {
		assert_true(wire_ask(&w, GET(C "/api/large?lines=100000")));
		assert_true(w.body.n > 3500000);
		assert_true(body_has(&w, "line 99999 of many"));
	}
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	GM_AUTO(gm_buf_fini_p) struct gm_buf requests = { 0 };
	(void)state;

	open_wire(&w);
	for (int i = 1; i <= 50; i++)
		gm_buf_addf(&requests, GET(C "/api/hello?limit=%d"), i);
	assert_true(wire_send(&w, gm_buf_str(&requests)));
	for (int i = 1; i <= 50; i++) {
		char expected[64];
		assert_true(wire_read(&w, false));
		(void)snprintf(expected, sizeof(expected), "{\"limit\":%d,", i);
		assert_true(body_has(&w, expected));
	}
}

static void test_http10_client_is_served(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	(void)state;

	open_wire(&w);
	assert_true(wire_ask(&w, "GET " C "/api/hello HTTP/1.0\r\n\r\n"));
	assert_int_equal(w.status, 200);
	assert_true(wire_ends(&w));
}

static void fill(struct gm_buf *b, char c, size_t n)
{
	char *room = gm_buf_reserve(b, n);

	memset(room, c, n);
	gm_buf_advance(b, n);
}

static void test_long_bearer_token_fits(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	GM_AUTO(gm_buf_fini_p) struct gm_buf request = { 0 };
	(void)state;

	open_wire(&w);
	gm_buf_add_cstr(&request, "GET " C "/api/hello HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ");
	fill(&request, 'x', 8 * 1024);
	gm_buf_add_cstr(&request, "\r\n\r\n");
	for (int i = 0; i < 3; i++) {
		assert_true(wire_ask(&w, gm_buf_cstr(&request)));
		assert_int_equal(w.status, 200);
	}
}

static void test_oversized_heads_are_refused(void **state)
{
	static const struct {
		const char *before;
		size_t n;
		const char *after;
		int status;
	} heads[] = {
		{ "GET " C "/api/hello HTTP/1.1\r\nHost: localhost\r\nX-A: ", 11 * 1024, "\r\n\r\n", 431 },
		{ "GET " C "/api/hello HTTP/1.1\r\nHost: localhost\r\nX-A: ", 64 * 1024, "\r\n\r\n", 431 },
		{ "GET " C "/api/hello?q=", 5 * 1024, " HTTP/1.1\r\nHost: localhost\r\n\r\n", 414 },
		{ "GET " C "/api/hello?q=", 64 * 1024, " HTTP/1.1\r\nHost: localhost\r\n\r\n", 414 },
	};
	(void)state;

	for (size_t i = 0; i < GM_LEN(heads); i++) {
		GM_AUTO(wire_close_p) struct wire w;
		GM_AUTO(gm_buf_fini_p) struct gm_buf request = { 0 };
		open_wire(&w);
		gm_buf_add_cstr(&request, heads[i].before);
		fill(&request, 'x', heads[i].n);
		gm_buf_add_cstr(&request, heads[i].after);
		(void)wire_send(&w, gm_buf_str(&request));
		if (!wire_read(&w, false) || w.status != heads[i].status)
			fail_msg("%zu: status %d", i, w.status);
	}
	assert_int_equal(app.handled, 0);
}

static void test_too_many_headers_are_refused(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	GM_AUTO(gm_buf_fini_p) struct gm_buf request = { 0 };
	(void)state;

	open_wire(&w);
	gm_buf_add_cstr(&request, "GET " C "/api/hello HTTP/1.1\r\nHost: localhost\r\n");
	for (int i = 0; i < GM_HTTP_HEADERS_MAX; i++)
		gm_buf_addf(&request, "X-%d: y\r\n", i);
	gm_buf_add_cstr(&request, "\r\n");
	assert_true(wire_ask(&w, gm_buf_cstr(&request)));
	assert_int_equal(w.status, 431);
	assert_true(body_has(&w, "headers_too_large"));
}

/* The library's pool of a connection must hold a full head and the answer's own one. */
static void test_largest_head_is_answered(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	GM_AUTO(gm_buf_fini_p) struct gm_buf request = { 0 };
	(void)state;

	open_wire(&w);
	gm_buf_add_cstr(&request, "GET " C "/gpus HTTP/1.1\r\nHost: localhost\r\n");
	for (int i = 0; i < GM_HTTP_HEADERS_MAX - 1; i++)
		gm_buf_addf(&request, "X-Header-%02d: %0142d\r\n", i, i);
	gm_buf_add_cstr(&request, "\r\n");
	assert_true(request.n > 9600 && request.n < 10240);
	for (int i = 0; i < 3; i++) {
		assert_true(wire_ask(&w, gm_buf_cstr(&request)));
		assert_int_equal(w.status, 200);
		assert_true(wire_header(&w, "X-Long").n > 1000);
	}
}

static void test_oversized_bodies_are_refused(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	GM_AUTO(gm_buf_fini_p) struct gm_buf request = { 0 };
	(void)state;

	/* Read and thrown away: the connection goes on. */
	open_wire(&w);
	gm_buf_addf(&request,
		    "POST " C "/api/open HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
		    "Content-Length: %d\r\n\r\n",
		    1024 * 1024 + 1);
	fill(&request, ' ', 1024 * 1024 + 1);
	assert_true(wire_send(&w, gm_buf_str(&request)));
	assert_true(wire_read(&w, false));
	assert_int_equal(w.status, 413);
	assert_true(wire_ask(&w, GET(C "/api/hello")));
	/* Chunked: the size shows only while it comes. */
	gm_buf_reset(&request);
	gm_buf_add_cstr(&request,
			"POST " C "/api/open HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
			"Transfer-Encoding: chunked\r\n\r\n180000\r\n");
	fill(&request, ' ', 0x180000);
	gm_buf_add_cstr(&request, "\r\n0\r\n\r\n");
	assert_true(wire_send(&w, gm_buf_str(&request)));
	assert_true(wire_read(&w, false));
	assert_int_equal(w.status, 413);
	/* Too much to read: answered at once, and the connection ends. */
	assert_true(wire_ask(&w, "POST " C
				 "/api/open HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000000\r\n\r\n"));
	assert_int_equal(w.status, 413);
	assert_true(wire_ends(&w));
}

static void test_body_of_exactly_the_limit_is_read(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	GM_AUTO(gm_buf_fini_p) struct gm_buf request = { 0 };
	static const char json[] = "{\"name\":\"x\"}";
	(void)state;

	open_wire(&w);
	gm_buf_addf(&request,
		    "POST " C "/api/open HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
		    "Content-Length: %d\r\n\r\n%s",
		    1024 * 1024, json);
	fill(&request, ' ', 1024 * 1024 - (sizeof(json) - 1));
	assert_true(wire_send(&w, gm_buf_str(&request)));
	assert_true(wire_read(&w, false));
	assert_int_equal(w.status, 200);
}

static void test_expecting_client_is_answered_before_it_sends(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	(void)state;

	open_wire(&w);
	assert_true(wire_ask(&w, "POST " C "/api/keys HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
				 "Content-Length: 10\r\n\r\n"));
	assert_int_equal(w.status, 401);
	wire_close(&w);
	open_wire(&w);
	assert_true(wire_sends(&w, "POST " C "/api/open HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
				   "Content-Type: application/json\r\nContent-Length: 13\r\n\r\n"));
	assert_true(wire_read_head(&w));
	assert_int_equal(w.status, 100);
	assert_true(wire_ask(&w, "{\"name\":\"ab\"}"));
	assert_int_equal(w.status, 200);
}

static const char *const malformed[] = {
	"GET " C "/api/hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
	"POST " C "/api/open HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"POST " C "/api/open HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
	"POST " C "/api/open HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
	"GET " C "/api/hello HTTP/1.1\r\n\r\n",
};

static void test_ambiguous_requests_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < GM_LEN(malformed); i++) {
		GM_AUTO(wire_close_p) struct wire w;
		open_wire(&w);
		if (!wire_ask(&w, malformed[i]) || w.status != 400)
			fail_msg("%zu: status %d", i, w.status);
	}
	assert_int_equal(app.handled, 0);
}

static const struct {
	const char *headers;
	int status;
} origins[] = {
	{ "Host: localhost:8080\r\nOrigin: http://localhost:8080\r\n", 204 },
	{ "Host: localhost:8080\r\nOrigin: http://evil.example\r\n", 403 },
	{ "Host: localhost:8080\r\nOrigin: null\r\n", 403 },
	{ "Host: localhost:8080\r\nSec-Fetch-Site: cross-site\r\n", 403 },
	{ "Host: localhost:8080\r\nSec-Fetch-Site: same-site\r\n", 403 },
	{ "Host: localhost:8080\r\nSec-Fetch-Site: same-origin\r\n", 204 },
	{ "Host: localhost:8080\r\n", 204 },
};

static void test_pages_of_other_sites_change_nothing(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	(void)state;

	open_wire(&w);
	for (size_t i = 0; i < GM_LEN(origins); i++) {
		char request[512];
		(void)snprintf(request, sizeof(request), "DELETE " C "/api/keys/1 HTTP/1.1\r\n%s\r\n",
			       origins[i].headers);
		assert_true(wire_ask(&w, request));
		if (w.status != origins[i].status)
			fail_msg("%s: %d", origins[i].headers, w.status);
	}
}

static const struct {
	const char *headers;
	bool loopback;
} peers[] = {
	{ "Host: localhost\r\n", true },
	{ "Host: LOCALHOST:8080\r\n", true },
	{ "Host: 127.0.0.1:8080\r\n", true },
	{ "Host: [::1]:8080\r\n", true },
	{ "Host: evil.example\r\n", false },
	{ "Host: 127.0.0.1.evil.example\r\n", false },
	{ "Host: localhost\r\nX-Forwarded-For: 10.0.0.1\r\n", false },
	{ "Host: localhost\r\nForwarded: for=10.0.0.1\r\n", false },
	{ "Host: localhost\r\nVia: 1.1 proxy\r\n", false },
};

static void test_loopback_is_not_believed_of_others(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	(void)state;

	open_wire(&w);
	for (size_t i = 0; i < GM_LEN(peers); i++) {
		char request[512];
		(void)snprintf(request, sizeof(request), "GET " C "/api/hello HTTP/1.1\r\n%s\r\n", peers[i].headers);
		assert_true(wire_ask(&w, request));
		if (app.loopback != peers[i].loopback)
			fail_msg("%s", peers[i].headers);
	}
}

static void test_many_connections_at_once(void **state)
{
	static struct wire wires[200];
	struct gm_http_stats stats;
	(void)state;

	for (size_t i = 0; i < GM_LEN(wires); i++)
		open_wire(&wires[i]);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < GM_LEN(wires); i++)
			assert_true(wire_sends(&wires[i], GET(C "/api/shared")));
		for (size_t i = 0; i < GM_LEN(wires); i++) {
			assert_true(wire_read(&wires[i], false));
			assert_int_equal(wires[i].status, 200);
			assert_int_equal(wires[i].body.n, gm_http_shared_body(app.shared).n);
		}
	}
	gm_http_server_stats(app.server, &stats);
	assert_int_equal(stats.connections, GM_LEN(wires));
	assert_int_equal(stats.requests, 3 * GM_LEN(wires));
	assert_int_equal(stats.status_2xx, 3 * GM_LEN(wires));
	for (size_t i = 0; i < GM_LEN(wires); i++)
		wire_close(&wires[i]);
}

static int set_up_hasty(void **state)
{
	(void)state;
	start((struct gm_http_conf){ .request_deadline_ms = 100, .idle_timeout_ms = 300 });
	return 0;
}

static const char *const unfinished[] = {
	"GET " C "/api/he",
	"GET " C "/api/hello HTTP/1.1\r\nHost: loc",
	"POST " C
	"/api/open HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{\"n",
	"",
};

static void test_slow_clients_are_cut(void **state)
{
	struct gm_http_stats stats;
	(void)state;

	for (size_t i = 0; i < GM_LEN(unfinished); i++) {
		GM_AUTO(wire_close_p) struct wire w;
		open_wire(&w);
		assert_true(wire_sends(&w, unfinished[i]));
		assert_true(wire_ends(&w));
	}
	gm_http_server_stats(app.server, &stats);
	assert_int_equal(stats.cut, GM_LEN(unfinished));
}

/* The deadline is of the whole request: bytes that trickle do not move it. */
static void test_trickling_body_does_not_hold_a_connection(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	bool alive = true;
	(void)state;

	open_wire(&w);
	assert_true(
		wire_sends(&w, "POST " C "/api/open HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"));
	for (int i = 0; alive && i < 100000000; i++)
		alive = wire_sends(&w, " ");
	assert_false(alive);
}

static int set_up_two(void **state)
{
	(void)state;
	start((struct gm_http_conf){ .connections_max = 2 });
	return 0;
}

static void test_connections_beyond_the_limit_wait(void **state)
{
	struct wire a, b, c;
	(void)state;

	open_wire(&a);
	open_wire(&b);
	assert_true(wire_ask(&a, GET(C "/api/hello")));
	assert_true(wire_ask(&b, GET(C "/api/hello")));
	open_wire(&c);
	assert_true(wire_sends(&c, GET(C "/api/hello")));
	struct pollfd p = { .fd = c.fd, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 120), 0);
	wire_close(&a);
	assert_true(wire_read(&c, false));
	assert_int_equal(c.status, 200);
	wire_close(&b);
	wire_close(&c);
}

static int set_up_two_patient(void **state)
{
	(void)state;
	start((struct gm_http_conf){ .connections_max = 2, .idle_timeout_ms = 32000, .heartbeat_ms = 800 });
	return 0;
}

/* Who opens connections and asks nothing keeps nobody out; who is being served is not cut for it. */
static void test_silent_connections_make_room_for_who_waits(void **state)
{
	struct wire silent, busy, more;
	(void)state;

	open_wire(&silent);
	assert_true(wire_ask(&silent, GET(C "/api/hello"))); /* so that it counts before the others come */
	open_wire(&busy);
	assert_true(wire_ask(&busy, GET(C "/api/hello")));
	assert_true(wire_sends(&busy, "POST " C "/api/open HTTP/1.1\r\nHost: localhost\r\n"
				      "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{\"n"));
	for (int i = 0; i < 2; i++) {
		open_wire(&more);
		assert_true(wire_ask(&more, GET(C "/api/hello")));
		assert_int_equal(more.status, 200);
		if (i == 0)
			assert_true(wire_ends(&silent));
		wire_close(&more);
	}
	struct pollfd p = { .fd = busy.fd, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 0), 0);
	wire_close(&silent);
	wire_close(&busy);
}

static sem_t logged;

static void on_log(void *ctx, const char *line)
{
	(void)ctx;
	if (strstr(line, "connections wait"))
		(void)sem_post(&logged);
}

static int set_up_logging(void **state)
{
	(void)state;
	(void)sem_init(&logged, 0, 0);
	start((struct gm_http_conf){ .log = on_log });
	return 0;
}

static void test_shortage_of_descriptors_is_said_and_survived(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	struct rlimit before, low;
	(void)state;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = (rlim_t)socket(AF_INET, SOCK_STREAM, 0) + 1;
	gm_fd_close((int)low.rlim_cur - 1);
	/* One descriptor is left: the client takes it, the server finds none. */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	bool opened = wire_open(&w, gm_http_server_port(app.server));
	while (sem_wait(&logged) != 0)
		continue;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(opened);
	assert_true(wire_ask(&w, GET(C "/api/hello")));
	assert_int_equal(w.status, 200);
}

static int set_up_small(void **state)
{
	(void)state;
	start((struct gm_http_conf){ .body_max_bytes = 10, .target_max_bytes = 30, .threads = 1 });
	return 0;
}

static void test_limits_are_options(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	(void)state;

	open_wire(&w);
	assert_true(wire_ask(&w, GET(C "/api/hello?q=123456789")));
	assert_int_equal(w.status, 414);
	assert_true(wire_ask(&w, "POST " C "/api/open HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
				 "Content-Length: 13\r\n\r\n{\"name\":\"ab\"}"));
	assert_int_equal(w.status, 413);
	assert_true(wire_ask(&w, GET(C "/api/hello")));
	assert_int_equal(w.status, 200);
}

static void test_taken_port_is_said(void **state)
{
	struct gm_http_server *second = NULL;
	struct gm_err err = { 0 };
	struct gm_http_conf conf = { .port = gm_http_server_port(app.server),
				     .routes = routes,
				     .route_count = GM_LEN(routes) };
	(void)state;

	assert_int_equal(gm_http_server_start(&conf, &second, &err), GM_ERR_CONFLICT);
	assert_non_null(strstr(err.text, "the port is taken"));
	conf.port = 0;
	conf.bind = "localhost";
	assert_int_equal(gm_http_server_start(&conf, &second, &err), GM_ERR_INVALID);
	conf.bind = "192.0.2.1";
	assert_int_equal(gm_http_server_start(&conf, &second, &err), GM_ERR_INVALID);
	conf.bind = "127.0.0.1";
	conf.tls_cert_file = "/nonexistent/cert.pem";
	assert_int_equal(gm_http_server_start(&conf, &second, &err), GM_ERR_INVALID);
	assert_null(second);
}

static void test_bind_to_both_families(void **state)
{
	struct gm_http_server *server = NULL;
	struct gm_err err = { 0 };
	struct gm_http_conf conf = { .bind = "::", .routes = routes, .route_count = GM_LEN(routes), .ctx = &app };
	GM_AUTO(wire_close_p) struct wire w = { .fd = -1 };
	(void)state;

	if (gm_http_server_start(&conf, &server, &err) != 0)
		skip(); /* no IPv6 here */
	assert_true(wire_open(&w, gm_http_server_port(server)));
	assert_true(wire_ask(&w, GET("/api/hello")));
	assert_int_equal(w.status, 200);
	assert_true(app.loopback);
	gm_http_server_free(server);
}

#define WITH(setup, name) cmocka_unit_test_setup_teardown(name, setup, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(set_up, test_exchanges_on_one_connection),
		WITH(set_up, test_refusals_are_told),
		WITH(set_up, test_request_id_of_the_client_is_kept_when_sane),
		WITH(set_up, test_gzip_round_trip),
		WITH(set_up, test_small_answers_are_not_compressed),
		WITH(set_up, test_large_answer_comes_whole),
		WITH(set_up, test_pipelined_requests_are_answered_in_order),
		WITH(set_up, test_http10_client_is_served),
		WITH(set_up, test_long_bearer_token_fits),
		WITH(set_up, test_oversized_heads_are_refused),
		WITH(set_up, test_too_many_headers_are_refused),
		WITH(set_up, test_largest_head_is_answered),
		WITH(set_up, test_oversized_bodies_are_refused),
		WITH(set_up, test_body_of_exactly_the_limit_is_read),
		WITH(set_up, test_expecting_client_is_answered_before_it_sends),
		WITH(set_up, test_ambiguous_requests_are_refused),
		WITH(set_up, test_pages_of_other_sites_change_nothing),
		WITH(set_up, test_loopback_is_not_believed_of_others),
		WITH(set_up, test_many_connections_at_once),
		WITH(set_up_hasty, test_slow_clients_are_cut),
		WITH(set_up_hasty, test_trickling_body_does_not_hold_a_connection),
		WITH(set_up_two, test_connections_beyond_the_limit_wait),
		WITH(set_up_two_patient, test_silent_connections_make_room_for_who_waits),
		WITH(set_up_logging, test_shortage_of_descriptors_is_said_and_survived),
		WITH(set_up_small, test_limits_are_options),
		WITH(set_up, test_taken_port_is_said),
		WITH(set_up, test_bind_to_both_families),
	};

	return cmocka_run_group_tests_name("http/server", tests, NULL, NULL);
}
