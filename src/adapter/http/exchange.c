/* SPDX-License-Identifier: MIT */
#include <sys/socket.h>
#include <stdlib.h>

#include "adapter/http/http-internal.h"
#include "base/alloc.h"
#include "base/parse.h"

/* A refused body of up to this size is read and thrown away, so that the client sees the answer and keeps its connection. */
#define DRAIN_MAX_BYTES (4u * 1024 * 1024)
/* Buffers that grew beyond this are not kept for the next request. */
#define KEEP_MAX_BYTES (512u * 1024)

void gm_exchange_free(struct gm_exchange *ex)
{
	if (!ex)
		return;
	gm_arena_fini(&ex->arena);
	gm_buf_fini(&ex->in);
	gm_buf_fini(&ex->packed);
	gm_http_response_fini(&ex->res);
	free(ex);
}

static struct gm_exchange *take_exchange(struct gm_http_server *s)
{
	struct gm_exchange *ex;

	(void)pthread_mutex_lock(&s->spare_mu);
	ex = s->spare;
	if (ex) {
		s->spare = ex->next;
		s->spare_count--;
	}
	(void)pthread_mutex_unlock(&s->spare_mu);
	if (!ex) {
		ex = gm_xalloc(sizeof(*ex));
		ex->server = s;
		ex->in.limit = s->conf.body_max_bytes + 1;
	}
	return ex;
}

static void tidy_buf(struct gm_buf *b)
{
	if (b->capacity > KEEP_MAX_BYTES)
		gm_buf_fini(b);
	else
		gm_buf_reset(b);
}

/* Big members (header and parameter tables) are not cleared: their counts say what is valid. */
static void give_back(struct gm_exchange *ex)
{
	struct gm_http_server *s = ex->server;
	struct gm_buf body = ex->res.body;

	ex->res.body = (struct gm_buf){ 0 };
	gm_http_response_fini(&ex->res);
	ex->res.body = body;
	tidy_buf(&ex->res.body);
	tidy_buf(&ex->in);
	tidy_buf(&ex->packed);
	gm_arena_reset(&ex->arena);
	(void)pthread_mutex_lock(&s->spare_mu);
	bool keep = s->spare_count < GM_SPARE_EXCHANGES;
	if (keep) {
		ex->next = s->spare;
		s->spare = ex;
		s->spare_count++;
	}
	(void)pthread_mutex_unlock(&s->spare_mu);
	if (!keep)
		gm_exchange_free(ex);
}

void *gm_http_on_target(void *cls, const char *target, struct MHD_Connection *mhd)
{
	struct gm_http_server *s = cls;
	struct gm_conn *conn = gm_http_conn_of(mhd);
	struct gm_exchange *ex = take_exchange(s);
	struct gm_http_request *req = &ex->req;

	ex->conn = conn;
	ex->mhd = mhd;
	ex->phase = GM_PHASE_BEGIN;
	ex->result = GM_ROUTE_NOT_FOUND;
	ex->match.allow = 0;
	ex->discarded = ex->header_count = ex->header_bytes = 0;
	ex->headers_bad = false;
	ex->refusal = ex->status = 0;
	ex->known = (struct gm_known_headers){ 0 };
	ex->issues.count = 0;
	ex->issues.params = GM_STR("");
	ex->begin_ns = s->conf.observe ? gm_clock_mono_ns() : 0;
	gm_err_reset(&ex->err);
	req->internal = ex;
	req->arena = &ex->arena;
	req->issues = &ex->issues;
	req->identity = &ex->identity;
	req->route = NULL;
	req->head = false;
	req->header_count = req->path_param_count = 0;
	req->body = req->content_type = req->id = GM_STR("");
	ex->identity.role = GM_ROLE_NONE;
	ex->identity.anonymous = true;
	ex->identity.key_id = 0;
	ex->identity.expires_ms = 0;
	ex->identity.name[0] = '\0';
	size_t n = strlen(target);
	char *copy = gm_arena_dup(&ex->arena, gm_str_n(target, n));
	req->target = copy ? gm_str_n(copy, n) : GM_STR("/");
	if (s->tls)
		gm_tls_judge_client(s->tls, mhd, conn);
	atomic_store_explicit(&conn->idle, false, memory_order_relaxed);
	atomic_store_explicit(&conn->cut_ms,
			      atomic_load_explicit(&s->now_ms, memory_order_relaxed) + s->conf.request_deadline_ms,
			      memory_order_relaxed);
	return ex;
}

/* The answer will be this error; `status` 0: its own. */
static void refuse(struct gm_exchange *ex, int code, int status)
{
	ex->phase = GM_PHASE_REFUSE;
	ex->refusal = code;
	ex->status = status;
}

static struct gm_str credentials(struct gm_exchange *ex)
{
	if (ex->known.authorization.n || ex->known.api_key.n == 0)
		return ex->known.authorization;
	const char *text = gm_arena_printf(&ex->arena, "Bearer %.*s", GM_STR_ARG(ex->known.api_key));
	return text ? gm_str(text) : GM_STR("");
}

/* Who showed a certificate that did not help learns why. */
static int explain_certificate(struct gm_exchange *ex, int rc)
{
	const char *text;

	if (ex->peer.client_cert != GM_HTTP_CERT_REFUSED || (rc != GM_ERR_UNAUTHENTICATED && rc != GM_ERR_FORBIDDEN))
		return rc;
	text = gm_arena_printf(&ex->arena, "%s; the client certificate is refused: %s", ex->err.text,
			       ex->peer.client_cert_why);
	return text ? gm_fail(&ex->err, rc, "%s", text) : rc;
}

static int explain_role(struct gm_exchange *ex, int rc)
{
	const char *how = ex->server->conf.forbidden, *text;

	if (rc != GM_ERR_FORBIDDEN || !how)
		return rc;
	text = gm_arena_printf(&ex->arena, "%s; %s", ex->err.text, how);
	return text ? gm_fail(&ex->err, rc, "%s", text) : rc;
}

/* The one place where the role column of the table becomes 401 and 403. */
static int admit(struct gm_exchange *ex)
{
	const struct gm_http_conf *conf = &ex->server->conf;
	const struct gm_route *route = ex->req.route;
	struct gm_str text = credentials(ex);
	bool open = !route || route->role == GM_ROLE_NONE;
	int rc = 0;

	if (conf->identify && (!open || text.n))
		rc = conf->identify(conf->ctx, &ex->peer, text, &ex->identity, &ex->err);
	if (open) {
		gm_err_reset(&ex->err);
		return 0;
	}
	if (rc == 0)
		rc = gm_auth_allows(&ex->identity, route->role, &ex->err);
	return rc == 0 ? 0 : explain_certificate(ex, explain_role(ex, rc));
}

static bool is_safe(enum gm_http_method m)
{
	return m == GM_HTTP_GET || m == GM_HTTP_HEAD || m == GM_HTTP_OPTIONS;
}

static int check_framing(struct gm_exchange *ex)
{
	if (ex->headers_bad)
		return gm_fail(&ex->err, GM_ERR_INVALID, "a header that may stand once is there twice");
	if (ex->known.transfer_encoding.n && ex->known.content_length.n)
		return gm_fail(&ex->err, GM_ERR_INVALID, "both Content-Length and Transfer-Encoding are there");
	return 0;
}

static int check_length(struct gm_exchange *ex)
{
	uint64_t length = 0;
	size_t max = ex->server->conf.body_max_bytes;

	if (ex->known.content_length.n && !gm_parse_u64(ex->known.content_length, 0, UINT64_MAX, &length))
		return gm_fail(&ex->err, GM_ERR_INVALID, "Content-Length is not a number");
	if (length > max)
		return gm_fail(&ex->err, GM_ERR_TOO_LARGE, "the body may have at most %zu bytes", max);
	return 0;
}

static int check_match(struct gm_exchange *ex, const char *method)
{
	switch (ex->result) {
	case GM_ROUTE_NOT_METHOD:
		return gm_fail(&ex->err, GM_ERR_METHOD_NOT_ALLOWED, "%.16s is not possible here", method);
	case GM_ROUTE_BAD:
		return gm_fail(&ex->err, GM_ERR_INVALID, "the path is not correctly encoded");
	case GM_ROUTE_NOT_FOUND:
		if (ex->server->conf.fallback && ex->match.path.n && ex->req.method == GM_HTTP_GET)
			return 0;
		return gm_fail(&ex->err, GM_ERR_NOT_FOUND, "there is nothing at this path");
	case GM_ROUTE_FOUND:
	case GM_ROUTE_OPTIONS:
	case GM_ROUTE_REDIRECT:
		return 0;
	}
	return 0;
}

/* All that can be said before the body: the earlier a request is refused, the less it costs. */
static void begin(struct gm_exchange *ex, const char *method_name)
{
	const struct gm_http_conf *conf = &ex->server->conf;
	struct gm_http_request *req = &ex->req;
	enum gm_http_method method = gm_http_method_parse(method_name);
	bool headers_fit = gm_http_read_headers(ex);
	int rc;

	ex->phase = GM_PHASE_BODY;
	gm_http_choose_id(ex);
	gm_http_choose_peer(ex);
	req->head = method == GM_HTTP_HEAD;
	req->method = req->head ? GM_HTTP_GET : method;
	if (!headers_fit) {
		rc = gm_fail(&ex->err, GM_ERR_HEADERS, "the headers may have at most %zu bytes in %d lines",
			     conf->header_max_bytes, GM_HTTP_HEADERS_MAX);
		refuse(ex, rc, 0);
		return;
	}
	if (req->target.n > conf->target_max_bytes) {
		rc = gm_fail(&ex->err, GM_ERR_TOO_LARGE, "path and query may have at most %zu bytes",
			     conf->target_max_bytes);
		refuse(ex, rc, 414);
		return;
	}
	ex->result = gm_router_match(ex->server->router, method, req->target, &ex->arena, &ex->match);
	req->route = ex->match.route;
	req->path = ex->match.path;
	req->path_param_count = ex->match.path_param_count;
	memcpy(req->path_params, ex->match.path_params, sizeof(req->path_params));
	rc = check_framing(ex);
	if (rc == 0)
		rc = check_match(ex, method_name);
	if (rc == 0 && !is_safe(method) && gm_http_cross_site(ex))
		rc = gm_fail(&ex->err, GM_ERR_FORBIDDEN, "a page of another site may not do this");
	if (rc == 0)
		rc = admit(ex);
	if (rc == 0)
		rc = check_length(ex);
	if (rc != 0)
		refuse(ex, rc, 0);
}

static struct gm_str media_type(struct gm_str content_type)
{
	return gm_str_trim(gm_str_n(content_type.p, gm_str_find(content_type, ';')));
}

static int check_body(struct gm_exchange *ex)
{
	struct gm_str type = media_type(ex->known.content_type);

	ex->req.content_type = type;
	ex->req.body = gm_buf_str(&ex->in);
	if (ex->in.n == 0)
		return 0;
	if (!ex->req.route->request)
		return gm_fail(&ex->err, GM_ERR_INVALID, "this request takes no body");
	if (ex->known.content_encoding.n && !gm_str_ieq(ex->known.content_encoding, GM_STR("identity")))
		return gm_fail(&ex->err, GM_ERR_MEDIA_TYPE, "compressed bodies are not taken");
	/* Also what keeps forms of other sites out: a browser asks before it sends this type. */
	if (!gm_str_ieq(type, GM_STR("application/json")))
		return gm_fail(&ex->err, GM_ERR_MEDIA_TYPE, "the body must be application/json");
	return 0;
}

static int read_query(struct gm_exchange *ex)
{
	char pointer[sizeof(ex->err.where) + 1] = "?";
	int rc = gm_route_query(ex->req.route, ex->match.raw_query, &ex->arena, ex->req.params, &ex->err);

	if (rc != 0 && ex->err.where[0]) {
		(void)gm_str_copy(gm_str(ex->err.where), pointer + 1, sizeof(pointer) - 1);
		gm_issues_add(&ex->issues, &ex->arena, pointer, "%s", ex->err.text);
	}
	return rc;
}

static int run_route(struct gm_exchange *ex)
{
	int rc = read_query(ex);

	if (rc == 0)
		rc = check_body(ex);
	if (rc != 0)
		return rc;
	/* What a stream's headers are is known without opening one. */
	if (ex->req.head && (ex->req.route->flags & GM_ROUTE_STREAM)) {
		ex->res.content_type = "text/event-stream";
		return 0;
	}
	return ex->req.route->handler(&ex->req, &ex->res, ex->server->conf.ctx, &ex->err);
}

static int redirect(struct gm_exchange *ex)
{
	struct gm_str context = gm_router_context(ex->server->router);
	struct gm_str query = ex->match.raw_query;
	const char *to =
		gm_arena_printf(&ex->arena, "%.*s/%s%.*s", GM_STR_ARG(context), query.n ? "?" : "", GM_STR_ARG(query));

	if (!to)
		return gm_fail(&ex->err, GM_ERR_NO_MEMORY, "no memory for the answer");
	ex->res.status = 308;
	gm_http_add_header(&ex->res, "Location", gm_str(to));
	return 0;
}

static int run(struct gm_exchange *ex)
{
	switch (ex->result) {
	case GM_ROUTE_FOUND:
		return run_route(ex);
	case GM_ROUTE_REDIRECT:
		return redirect(ex);
	case GM_ROUTE_OPTIONS:
		ex->res.status = 204;
		return 0;
	case GM_ROUTE_NOT_FOUND:
		return ex->server->conf.fallback(&ex->req, &ex->res, ex->server->conf.fallback_ctx, &ex->err);
	case GM_ROUTE_NOT_METHOD:
	case GM_ROUTE_BAD:
		break;
	}
	return gm_fail(&ex->err, GM_ERR_INTERNAL, "no way to answer");
}

static enum MHD_Result queue_answer(struct gm_exchange *ex, void **place, int rc, int status)
{
	bool stream;
	enum MHD_Result queued;

	if (rc == 0 && ex->res.body.failed)
		rc = gm_fail(&ex->err, GM_ERR_NO_MEMORY, "no memory for the answer");
	if (rc != 0) {
		ex->err.code = rc;
		gm_http_answer_problem(ex, status);
	}
	ex->phase = GM_PHASE_DONE;
	stream = ex->res.stream != NULL;
	queued = gm_http_answer(ex);
	/* A stream lives long and needs nothing of its request: thousands of them should not hold one each. */
	if (stream && queued == MHD_YES) {
		*place = NULL;
		give_back(ex);
	}
	return queued;
}

static enum MHD_Result finish(struct gm_exchange *ex, void **place)
{
	int rc = ex->refusal;
	const int status = ex->status;

	atomic_store_explicit(&ex->conn->cut_ms, 0, memory_order_relaxed);
	if (ex->phase != GM_PHASE_REFUSE)
		rc = run(ex);
	/* Somebody else has it now: it may be answered already. */
	return rc == GM_HTTP_LATER ? MHD_YES : queue_answer(ex, place, rc, status);
}

struct gm_http_later *gm_http_later(struct gm_http_request *req)
{
	struct gm_exchange *ex = req->internal;

	if (!ex)
		return NULL;
	(void)pthread_mutex_lock(&ex->server->mu);
	ex->server->later_count++;
	(void)pthread_mutex_unlock(&ex->server->mu);
	ex->phase = GM_PHASE_LATER;
	/* Here, on the connection's own thread, so that the other thread's resume never comes first. */
	MHD_suspend_connection(ex->mhd);
	return &ex->later;
}

void gm_http_later_done(struct gm_http_later *later, int code)
{
	struct gm_exchange *ex = (struct gm_exchange *)(void *)((char *)later - offsetof(struct gm_exchange, later));
	struct gm_http_server *s = ex->server;

	later->code = code;
	/* Under the lock: a stop that sees no more promises finds every connection on its way back. */
	(void)pthread_mutex_lock(&s->mu);
	MHD_resume_connection(ex->mhd);
	s->later_count--;
	(void)pthread_cond_signal(&s->gone);
	(void)pthread_mutex_unlock(&s->mu);
}

/* The library keeps what we leave in *n: all is taken. */
static enum MHD_Result take_body(struct gm_exchange *ex, const char *data, size_t *n)
{
	size_t taken = *n;

	*n = 0;
	if (ex->phase == GM_PHASE_BODY) {
		gm_buf_add(&ex->in, data, taken);
		if (ex->in.n <= ex->server->conf.body_max_bytes && !ex->in.failed)
			return MHD_YES;
		refuse(ex,
		       gm_fail(&ex->err, GM_ERR_TOO_LARGE, "the body may have at most %zu bytes",
			       ex->server->conf.body_max_bytes),
		       0);
	}
	ex->discarded += taken;
	return ex->discarded <= DRAIN_MAX_BYTES ? MHD_YES : MHD_NO;
}

/* Answering now closes the connection behind it (the library's rule): only where waiting for the body is worse. */
static bool answer_at_once(const struct gm_exchange *ex)
{
	uint64_t length = 0;

	if (ex->phase != GM_PHASE_REFUSE)
		return false;
	(void)!gm_parse_u64(ex->known.content_length, 0, UINT64_MAX, &length);
	return length > DRAIN_MAX_BYTES || (ex->known.expect.n && (length || ex->known.transfer_encoding.n));
}

enum MHD_Result gm_http_on_access(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
				  const char *version, const char *data, size_t *data_size, void **exchange)
{
	struct gm_exchange *ex = *exchange;
	(void)cls;
	(void)mhd;
	(void)url;
	(void)version;

	if (!ex)
		return MHD_NO;
	if (ex->phase == GM_PHASE_BEGIN) {
		begin(ex, method);
		return answer_at_once(ex) ? finish(ex, exchange) : MHD_YES;
	}
	if (ex->phase == GM_PHASE_LATER)
		return queue_answer(ex, exchange, ex->later.code, 0);
	if (ex->phase == GM_PHASE_DONE) {
		*data_size = 0;
		return MHD_YES;
	}
	return *data_size ? take_body(ex, data, data_size) : finish(ex, exchange);
}

void gm_http_on_completed(void *cls, struct MHD_Connection *mhd, void **exchange, enum MHD_RequestTerminationCode why)
{
	struct gm_http_server *s = cls;
	struct gm_exchange *ex = *exchange;
	struct gm_conn *conn = gm_http_conn_of(mhd);
	(void)why;

	*exchange = NULL;
	if (ex)
		give_back(ex);
	if (!conn)
		return;
	atomic_store_explicit(&conn->cut_ms,
			      atomic_load_explicit(&s->now_ms, memory_order_relaxed) + s->conf.idle_timeout_ms,
			      memory_order_relaxed);
	atomic_store_explicit(&conn->idle, true, memory_order_seq_cst);
	/* An answer that was queued before the stop began left the connection open. */
	if (atomic_load_explicit(&s->stopping, memory_order_seq_cst))
		(void)shutdown(conn->fd, SHUT_RD);
}
