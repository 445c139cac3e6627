/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_HTTPC_CALL_H
#define GM_ADAPTER_HTTPC_CALL_H

#include "adapter/httpc/httpc.h"

/*
 * One request after the other, each waited for: what a command line wants. The connection is kept for the next one. Answers
 * of every status are given back; only what brought no answer is a failure. Redirects and proxies are not followed, so a
 * key goes nowhere but to the server that was named. One thread.
 */
struct gm_httpc_caller;

/* `identity` says whom we believe and which client certificate is ours; its bearer file is not used. Not copied. */
int gm_httpc_caller_new(struct gm_httpc_identity *identity, struct gm_httpc_caller **out,
			struct gm_err *err) GM_CHECKED;
void gm_httpc_caller_free(struct gm_httpc_caller *c);

struct gm_httpc_call {
	const char *method; /* "GET" */
	const char *url;
	struct gm_str bearer; /* Authorization: Bearer; empty: none */
	const char *accept;   /* NULL: anything */
	struct gm_str body;   /* with content_type; sent when that is not NULL */
	const char *content_type;
	const char *idempotency_key; /* NULL: none */
	int64_t timeout_ms;	     /* of connecting, and of all of it unless it is a stream */
	size_t body_max;	     /* bytes of the answer; 0: 64 MiB */
	/*
	 * A stream: each line of an answer of status 200 as it comes, without its end, at most GM_HTTPC_LINE_MAX bytes; not
	 * kept in the body. NULL: not a stream. False ends the call, which is then no failure.
	 */
	bool (*on_line)(void *ctx, struct gm_str line);
	/* Called about once a second while a stream is quiet, and more often while it is not; false ends the call too. */
	bool (*on_idle)(void *ctx);
	void *ctx;
};
#define GM_HTTPC_LINE_MAX (16 * 1024 * 1024)

struct gm_httpc_reply {
	int status;
	struct gm_buf body;
};
void gm_httpc_reply_fini(struct gm_httpc_reply *r);

/* *out is empty before. IO: no answer, DEADLINE: not in time, TOO_LARGE: more than body_max. */
int gm_httpc_call(struct gm_httpc_caller *c, const struct gm_httpc_call *call, struct gm_httpc_reply *out,
		  struct gm_err *err) GM_CHECKED;
/* Appends the text with everything but letters, digits and "-._~" as %XX: a part of a path, or a value of a query. */
void gm_httpc_escape(struct gm_str text, struct gm_buf *out);

GM_DEFINE_AUTO(struct gm_httpc_caller, gm_httpc_caller_free)
GM_DEFINE_AUTO_VALUE(struct gm_httpc_reply, gm_httpc_reply_fini)

#endif
