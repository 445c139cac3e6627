/* SPDX-License-Identifier: MIT */
#include "app/ctl/client.h"

#include <stdlib.h>

#include "adapter/httpc/call.h"
#include "app/ctl/context.h"
#include "app/ctl/view.h"
#include "base/alloc.h"

#define ANSWER_MAX ((size_t)512 << 20)

struct gm_ctl_client {
	char *base; /* "http://127.0.0.1:8080/k8s-monitor", no slash at its end */
	struct gm_secret key;
	struct gm_httpc_identity *identity;
	struct gm_httpc_caller *caller, *listener; /* a stream has a connection of its own */
	int64_t timeout_ms;
	enum gm_ctl_exit exit;
};

void gm_ctl_client_free(struct gm_ctl_client *c)
{
	if (!c)
		return;
	gm_httpc_caller_free(c->caller);
	gm_httpc_caller_free(c->listener);
	gm_httpc_identity_free(c->identity);
	gm_secret_fini(&c->key);
	free(c->base);
	free(c);
}

enum gm_ctl_exit gm_ctl_client_exit(const struct gm_ctl_client *c)
{
	return c ? c->exit : GM_CTL_EXIT_OK;
}

const char *gm_ctl_client_server(const struct gm_ctl_client *c)
{
	return c->base;
}

void gm_ctl_answer_fini(struct gm_ctl_answer *a)
{
	gm_buf_fini(&a->body);
	gm_arena_fini(&a->arena);
	if (a->more)
		gm_ctl_answer_fini(a->more);
	free(a->more);
	*a = (struct gm_ctl_answer){ 0 };
}

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] ? value : NULL;
}

static int set_server(struct gm_ctl_client *c, const char *text, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf url = { 0 };
	char host[GM_HTTPC_HOST_SIZE];
	int rc = gm_httpc_url(gm_str(text), "/k8s-monitor", &url, host, err);

	if (rc < 0)
		return gm_err_wrap(err, "the server's address");
	if (memchr(url.p, '?', url.n))
		return gm_fail(err, GM_ERR_INVALID, "the server's address: no '?' belongs in it");
	while (gm_str_ends(gm_buf_str(&url), GM_STR("/")))
		url.n--;
	free(c->base);
	c->base = gm_str_dup(gm_buf_str(&url));
	return 0;
}

/* The context that is used, or NULL; *out_named: it was chosen by a flag. */
static int choose_context(const struct gm_ctl_globals *g, const struct gm_ctl_contexts *all,
			  const struct gm_ctl_context **out, struct gm_err *err)
{
	const char *variable = environment("GPUCTL_CONTEXT");
	const char *name = g->context[0] ? g->context : variable ? variable : all->current;

	*out = NULL;
	if (!name[0])
		return 0;
	*out = gm_ctl_context_find(all, gm_str(name));
	if (*out)
		return 0;
	return gm_fail_at(err, GM_ERR_INVALID,
			  g->context[0] ? "--context"
			  : variable	? "GPUCTL_CONTEXT"
					: all->path,
			  "there is no context '%s'; 'gpuctl context list' shows them", name);
}

static int set_key(struct gm_ctl_client *c, const struct gm_ctl_globals *g, const struct gm_ctl_context *context,
		   struct gm_err *err)
{
	const char *variable = environment("GPUCTL_KEY");

	if (g->key_file[0])
		return gm_ctl_key_read(g->key_file, &c->key, err);
	if (g->context[0] && context && context->key.n) {
		gm_secret_set(&c->key, gm_str_n(context->key.p, context->key.n));
		return 0;
	}
	if (variable) {
		gm_secret_set(&c->key, gm_str(variable));
		return gm_ctl_key_check(gm_str(variable), "GPUCTL_KEY", err);
	}
	if (context && context->key.n)
		gm_secret_set(&c->key, gm_str_n(context->key.p, context->key.n));
	return 0;
}

static const char *text_or_null(const char *text)
{
	return text[0] ? text : NULL;
}

static int set_identity(struct gm_ctl_client *c, const struct gm_ctl_context *context, struct gm_err *err)
{
	struct gm_httpc_identity_conf conf = { 0 };
	int rc;

	if (context)
		conf = (struct gm_httpc_identity_conf){ .ca_file = text_or_null(context->ca_file),
							.cert_file = text_or_null(context->client_cert),
							.key_file = text_or_null(context->client_key),
							.insecure = context->insecure };
	rc = gm_httpc_identity_new(&conf, &c->identity, err);
	return rc < 0 ? gm_err_wrap(err, "context '%s'", context ? context->name : "") : 0;
}

static int configure(struct gm_ctl_client *c, const struct gm_ctl_globals *g, struct gm_err *err)
{
	GM_AUTO(gm_ctl_contexts_fini_p) struct gm_ctl_contexts contexts = { 0 };
	const struct gm_ctl_context *context = NULL;
	const char *variable = environment("GPUCTL_SERVER"), *server = GM_CTL_SERVER_DEFAULT;
	int rc = gm_ctl_contexts_load(&contexts, err);

	if (rc == 0)
		rc = choose_context(g, &contexts, &context, err);
	if (rc < 0)
		return rc;
	if (context && context->server[0])
		server = context->server;
	/* A context that is named by a flag stands before the environment. */
	if (g->server[0])
		server = g->server;
	else if (variable && !(g->context[0] && context && context->server[0]))
		server = variable;
	if (context && context->server[0] && strcmp(server, context->server) != 0)
		context = NULL;
	rc = set_server(c, server, err);
	if (rc == 0)
		rc = set_key(c, g, context, err);
	return rc == 0 ? set_identity(c, context, err) : rc;
}

int gm_ctl_client_new(const struct gm_ctl_globals *g, struct gm_ctl_client **out, struct gm_err *err)
{
	GM_AUTO(gm_ctl_client_free_p) struct gm_ctl_client *c = gm_xalloc(sizeof(*c));
	int rc = configure(c, g, err);

	c->timeout_ms = g->timeout_ms;
	if (rc == 0)
		rc = gm_httpc_caller_new(c->identity, &c->caller, err);
	if (rc == 0)
		*out = gm_steal(&c);
	return rc;
}

/* What each status comes to; the first row whose range it is in. */
static const struct {
	int from, to;
	int code;
	enum gm_ctl_exit exit;
} STATUSES[] = {
	{ 401, 401, GM_ERR_UNAUTHENTICATED, GM_CTL_EXIT_UNAUTHORIZED },
	{ 403, 403, GM_ERR_FORBIDDEN, GM_CTL_EXIT_UNAUTHORIZED },
	{ 404, 404, GM_ERR_NOT_FOUND, GM_CTL_EXIT_NOT_FOUND },
	{ 409, 409, GM_ERR_CONFLICT, GM_CTL_EXIT_REFUSED },
	{ 429, 429, GM_ERR_LIMITED, GM_CTL_EXIT_REFUSED },
	{ 400, 499, GM_ERR_INVALID, GM_CTL_EXIT_REFUSED },
	{ 502, 504, GM_ERR_UNAVAILABLE, GM_CTL_EXIT_UNREACHABLE },
	{ 300, 999, GM_ERR_INTERNAL, GM_CTL_EXIT_FAILED },
};

static void add_issues(const struct gm_jsonv *problem, struct gm_buf *text)
{
	struct gm_str detail = gm_jsonv_text(gm_jsonv_get(problem, GM_STR("detail")));

	gm_jsonv_each (gm_jsonv_get(problem, GM_STR("errors")), issue) {
		struct gm_str pointer = gm_jsonv_text(gm_jsonv_get(issue, GM_STR("pointer")));
		struct gm_str said = gm_jsonv_text(gm_jsonv_get(issue, GM_STR("detail")));

		/* A single thing that is wrong is often the detail itself. */
		if (pointer.n == 0 || (gm_str_eq(said, detail) && pointer.p[0] == '?'))
			continue;
		gm_buf_add_cstr(text, "; ");
		gm_ctl_add_plain(pointer, text);
		if (!gm_str_eq(said, detail)) {
			gm_buf_add_cstr(text, " ");
			gm_ctl_add_plain(said, text);
		}
	}
}

/* "conflict: no device fits; /gpuCount must be ... (HTTP 409, request 2a01-7)" */
static int refused(struct gm_ctl_client *c, int status, const struct gm_jsonv *problem, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf text = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf id = { 0 };
	struct gm_str code = gm_jsonv_text(gm_jsonv_get(problem, GM_STR("code")));
	size_t row = 0, most = sizeof(err->text) - 1;

	while (row + 1 < GM_LEN(STATUSES) && (status < STATUSES[row].from || status > STATUSES[row].to))
		row++;
	c->exit = STATUSES[row].exit;
	gm_ctl_add_plain(gm_jsonv_text(gm_jsonv_get(problem, GM_STR("request_id"))), &id);
	if (code.n) {
		gm_ctl_add_plain(code, &text);
		gm_buf_add_cstr(&text, ": ");
	}
	if (gm_jsonv_none(problem))
		gm_buf_addf(&text, "%s answers with HTTP status %d and no reason", c->base, status);
	gm_ctl_add_plain(gm_jsonv_text(gm_jsonv_get(problem, GM_STR("detail"))), &text);
	add_issues(problem, &text);
	if (status == 401 && !c->key.n)
		gm_buf_add_cstr(&text, " (no key was sent: --key-file, GPUCTL_KEY or a context has one)");
	most -= id.n + 32 < most ? id.n + 32 : 0;
	return gm_fail(err, STATUSES[row].code, "%.*s%s (HTTP %d%s%s)", (int)(text.n < most ? text.n : most),
		       gm_buf_cstr(&text), text.n > most ? "..." : "", status, id.n ? ", request " : "",
		       gm_buf_cstr(&id));
}

static int parse_answer(struct gm_ctl_client *c, struct gm_ctl_answer *a, struct gm_err *err)
{
	struct gm_jsonv *json = NULL;
	bool success = a->status >= 200 && a->status < 300;
	struct gm_err bad = { 0 };

	a->arena.limit = (size_t)2 << 30;
	if (a->body.n && gm_jsonv_parse(gm_buf_str(&a->body), &a->arena, &json, &bad) < 0 && success) {
		c->exit = GM_CTL_EXIT_UNREACHABLE;
		return gm_fail(err, GM_ERR_IO, "%s does not answer as the server does: %s at %s", c->base, bad.text,
			       bad.where);
	}
	a->json = json;
	return success ? 0 : refused(c, a->status, json, err);
}

static void make_url(const struct gm_ctl_client *c, const char *path, struct gm_str query, struct gm_buf *out)
{
	gm_buf_addf(out, "%s/api/v1%s", c->base, path);
	if (query.n)
		gm_buf_addf(out, "?%.*s", GM_STR_ARG(query));
}

static int unreachable(struct gm_ctl_client *c, struct gm_err *err)
{
	c->exit = GM_CTL_EXIT_UNREACHABLE;
	return gm_err_wrap(err, "%s", c->base);
}

int gm_ctl_ask(struct gm_ctl_client *c, const struct gm_ctl_ask *ask, struct gm_ctl_answer *out, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf url = { 0 };
	GM_AUTO(gm_httpc_reply_fini_p) struct gm_httpc_reply reply = { 0 };
	int rc;

	make_url(c, ask->path, ask->query, &url);
	c->exit = GM_CTL_EXIT_OK;
	rc = gm_httpc_call(c->caller,
			   &(struct gm_httpc_call){ .method = ask->method,
						    .url = gm_buf_cstr(&url),
						    .bearer = gm_str_n(c->key.p, c->key.n),
						    .accept = "application/json, application/problem+json",
						    .body = ask->body,
						    .content_type = ask->body.n ? "application/json" : NULL,
						    .idempotency_key = ask->idempotency_key,
						    .timeout_ms = c->timeout_ms,
						    .body_max = ANSWER_MAX },
			   &reply, err);
	if (rc < 0)
		return unreachable(c, err);
	out->status = reply.status;
	out->body = reply.body;
	reply.body = (struct gm_buf){ 0 };
	return parse_answer(c, out, err);
}

int gm_ctl_get(struct gm_ctl_client *c, const char *path, struct gm_ctl_answer *out, struct gm_err *err)
{
	return gm_ctl_ask(c, &(struct gm_ctl_ask){ .method = "GET", .path = path }, out, err);
}

/* Lines of server-sent events put together. */
struct stream {
	const struct gm_ctl_listener *listener;
	struct gm_buf name, data;
};

static bool on_line(void *ctx, struct gm_str line)
{
	struct stream *s = ctx;
	bool go_on = true;

	if (line.n == 0) {
		if (s->name.n)
			go_on = s->listener->on_event(s->listener->ctx, gm_buf_str(&s->name), gm_buf_str(&s->data));
		gm_buf_reset(&s->name);
		gm_buf_reset(&s->data);
	} else if (gm_str_starts(line, GM_STR("event:"))) {
		gm_buf_reset(&s->name);
		gm_buf_add_str(&s->name, gm_str_trim(gm_str_n(line.p + 6, line.n - 6)));
	} else if (gm_str_starts(line, GM_STR("data:"))) {
		gm_buf_add_str(&s->data, gm_str_trim(gm_str_n(line.p + 5, line.n - 5)));
	}
	return go_on;
}

static bool on_idle(void *ctx)
{
	struct stream *s = ctx;

	return !s->listener->on_idle || s->listener->on_idle(s->listener->ctx);
}

int gm_ctl_listen(struct gm_ctl_client *c, const struct gm_ctl_listener *listener, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf url = { 0 };
	GM_AUTO(gm_ctl_answer_fini_p) struct gm_ctl_answer answer = { 0 };
	GM_AUTO(gm_httpc_reply_fini_p) struct gm_httpc_reply reply = { 0 };
	struct stream s = { .listener = listener };
	int rc = c->listener ? 0 : gm_httpc_caller_new(c->identity, &c->listener, err);

	gm_buf_addf(&url, "%s/api/v1/events?topics=%s", c->base, listener->topics);
	if (rc == 0)
		rc = gm_httpc_call(c->listener,
				   &(struct gm_httpc_call){ .method = "GET",
							    .url = gm_buf_cstr(&url),
							    .bearer = gm_str_n(c->key.p, c->key.n),
							    .accept = "text/event-stream, application/problem+json",
							    .timeout_ms = c->timeout_ms,
							    .on_line = on_line,
							    .on_idle = on_idle,
							    .ctx = &s },
				   &reply, err);
	gm_buf_fini(&s.name);
	gm_buf_fini(&s.data);
	if (rc < 0)
		return unreachable(c, err);
	answer.status = reply.status;
	answer.body = reply.body;
	reply.body = (struct gm_buf){ 0 };
	return answer.status == 200 || answer.status == 0 ? 0 : parse_answer(c, &answer, err);
}
