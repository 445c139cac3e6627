/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "adapter/http/http-internal.h"
#include "adapter/http/problem.h"

#define DYNAMIC_LEVEL 1

/* What goes out beside the headers that a handler added. */
struct answer {
	int status;
	struct gm_str body;
	const char *content_type;
	const char *cache_control;
	const char *etag;     /* with quotes; NULL: none */
	const char *encoding; /* NULL: identity */
	bool vary;
};

static int default_status(const struct gm_exchange *ex)
{
	const struct gm_http_response *res = &ex->res;
	const struct gm_route *route = ex->req.route;

	if (res->status)
		return res->status;
	if (route && route->success)
		return route->success;
	return res->body.n == 0 && !res->shared && !res->stream && ex->req.method == GM_HTTP_DELETE ? 204 : 200;
}

static bool may_be_304(const struct gm_exchange *ex, int status)
{
	return status == 200 && ex->req.method == GM_HTTP_GET && ex->known.if_none_match.n;
}

static void make_304(struct gm_exchange *ex, struct gm_str matched, struct answer *a)
{
	a->status = 304;
	a->body = GM_STR("");
	a->encoding = NULL;
	a->content_type = NULL;
	a->etag = gm_arena_printf(&ex->arena, "\"%.*s\"", GM_STR_ARG(matched));
}

static void from_shared(struct gm_exchange *ex, struct answer *a)
{
	struct gm_http_shared *shared = ex->res.shared;
	unsigned available = gm_http_shared_available(shared);
	struct gm_str matched;

	a->content_type = gm_http_shared_content_type(shared);
	a->cache_control = ex->res.cache_control ? ex->res.cache_control : gm_http_shared_cache_control(shared);
	a->vary = available != 1u << GM_ENCODING_IDENTITY;
	if (may_be_304(ex, a->status) &&
	    gm_etag_match(ex->known.if_none_match, gm_http_shared_etag(shared), &matched)) {
		make_304(ex, matched, a);
		return;
	}
	enum gm_encoding wanted = gm_encoding_choose(ex->known.accept_encoding, available);
	const struct gm_representation *form = gm_http_shared_representation(shared, wanted);
	a->body = form->bytes;
	a->etag = form->etag;
	if (form != gm_http_shared_representation(shared, GM_ENCODING_IDENTITY))
		a->encoding = gm_encoding_name(wanted);
}

static void from_body(struct gm_exchange *ex, struct answer *a)
{
	struct gm_http_response *res = &ex->res;
	enum gm_encoding wanted = GM_ENCODING_IDENTITY;
	struct gm_str matched;

	a->body = gm_buf_str(&res->body);
	a->content_type = res->content_type ? res->content_type : a->body.n ? "application/json" : NULL;
	a->cache_control = res->cache_control ? res->cache_control : res->etag.n ? "private, no-cache" : "no-store";
	a->vary = !res->no_gzip && a->body.n >= GM_GZIP_LEAST;
	if (may_be_304(ex, a->status) && gm_etag_match(ex->known.if_none_match, res->etag, &matched)) {
		make_304(ex, matched, a);
		return;
	}
	if (a->vary)
		wanted = gm_encoding_choose(ex->known.accept_encoding,
					    1u << GM_ENCODING_IDENTITY | 1u << GM_ENCODING_GZIP);
	if (wanted == GM_ENCODING_GZIP && gm_gzip(a->body, DYNAMIC_LEVEL, &ex->packed)) {
		a->body = gm_buf_str(&ex->packed);
		a->encoding = gm_encoding_name(wanted);
	} else {
		wanted = GM_ENCODING_IDENTITY;
	}
	if (res->etag.n)
		a->etag = gm_arena_printf(&ex->arena, "\"%.*s%s\"", GM_STR_ARG(res->etag), gm_encoding_suffix(wanted));
}

static void from_stream(struct gm_exchange *ex, struct answer *a)
{
	a->content_type = ex->res.content_type ? ex->res.content_type : "text/event-stream";
	a->cache_control = ex->res.cache_control ? ex->res.cache_control : "no-store";
	/* nginx and its kin hold answers back to fill their buffers. */
	gm_http_add_header(&ex->res, "X-Accel-Buffering", GM_STR("no"));
}

static void add(struct MHD_Response *r, const char *name, const char *value)
{
	if (value)
		(void)MHD_add_response_header(r, name, value);
}

static void add_headers(struct gm_exchange *ex, const struct answer *a, struct MHD_Response *r)
{
	const struct gm_http_response *res = &ex->res;

	add(r, "Content-Type", a->content_type);
	add(r, "Cache-Control", a->cache_control);
	add(r, "ETag", a->etag);
	add(r, "Content-Encoding", a->encoding);
	add(r, "Vary", a->vary ? "Accept-Encoding" : NULL);
	add(r, "X-Content-Type-Options", "nosniff");
	add(r, "X-Request-Id", ex->id);
	for (size_t i = 0; i < res->header_count; i++) {
		char *value = gm_arena_dup(&ex->arena, res->headers[i].value);
		char *name = gm_arena_dup(&ex->arena, res->headers[i].name);
		if (name && value)
			add(r, name, value);
	}
	if (atomic_load_explicit(&ex->server->stopping, memory_order_relaxed))
		add(r, "Connection", "close");
}

static void add_allow(struct gm_exchange *ex)
{
	char *text = gm_arena_alloc(&ex->arena, 64);
	size_t n = 0;

	if (!text)
		return;
	for (int m = 0; m < GM_HTTP_METHOD_COUNT; m++)
		if (ex->match.allow & (1u << m))
			n += (size_t)snprintf(text + n, 64 - n, "%s%s", n ? ", " : "",
					      gm_http_method_name((enum gm_http_method)m));
	gm_http_add_header(&ex->res, "Allow", gm_str_n(text, n));
}

static bool is_refusal(int status)
{
	return status == 401 || status == 403 || status == 429;
}

/* What a handler had begun to answer is dropped. */
static void drop_answer(struct gm_http_response *res)
{
	struct gm_buf body = res->body;

	res->body = (struct gm_buf){ 0 };
	gm_http_response_fini(res);
	res->body = body;
	gm_buf_reset(&res->body);
}

void gm_http_answer_problem(struct gm_exchange *ex, int status)
{
	const struct gm_http_conf *conf = &ex->server->conf;
	struct gm_http_response *res = &ex->res;

	if (status == 0)
		status = gm_err_http_status(ex->err.code);
	drop_answer(res);
	res->status = status;
	res->content_type = GM_PROBLEM_CONTENT_TYPE;
	gm_problem_write(&res->body, &ex->err, status, &ex->issues, ex->req.id);
	if (status == 401)
		gm_http_add_header(res, "WWW-Authenticate", GM_STR("Bearer realm=\"gpu-monitor\""));
	if (status == 429 || status == 503)
		gm_http_add_header(res, "Retry-After", GM_STR("5"));
	if (status == 405)
		add_allow(ex);
	if (is_refusal(status) && conf->refused)
		conf->refused(conf->ctx, &ex->peer, status);
}

static void count(struct gm_exchange *ex, int status)
{
	struct gm_http_server *s = ex->server;

	atomic_fetch_add_explicit(&s->requests, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->by_class[status / 100 % 6], 1, memory_order_relaxed);
	if (!s->conf.observe)
		return;
	s->conf.observe(s->conf.ctx, ex->req.route, status, (gm_clock_mono_ns() - ex->begin_ns) / 1000);
}

/* Body, shared bytes and packed bytes live in the exchange until the library has sent them. */
enum MHD_Result gm_http_answer(struct gm_exchange *ex)
{
	struct answer a = { .status = default_status(ex) };
	struct MHD_Response *r = NULL;

	if (ex->result == GM_ROUTE_OPTIONS && a.status == 204)
		add_allow(ex);
	if (ex->res.stream) {
		from_stream(ex, &a);
		if (gm_http_stream_answer(ex, &r) != MHD_YES)
			return MHD_NO;
	} else if (ex->res.shared) {
		from_shared(ex, &a);
	} else {
		from_body(ex, &a);
	}
	if (!r)
		r = MHD_create_response_from_buffer(a.body.n, (void *)(uintptr_t)a.body.p, MHD_RESPMEM_PERSISTENT);
	if (!r)
		return MHD_NO;
	add_headers(ex, &a, r);
	ex->status = a.status;
	count(ex, a.status);
	enum MHD_Result rc = MHD_queue_response(ex->mhd, (unsigned)a.status, r);
	MHD_destroy_response(r);
	return rc;
}
