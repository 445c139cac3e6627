/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_CTL_CLIENT_H
#define GM_APP_CTL_CLIENT_H

#include "app/ctl/command.h"
#include "base/jsonv.h"
#include "base/str.h"

/*
 * The server that a command speaks to. Each of address and key comes from the first that has it: the flag (or the context
 * that --context names), the environment (GPUCTL_SERVER, GPUCTL_KEY), the context ($GPUCTL_CONTEXT, else the current one),
 * the default. A context's key and certificates are for its own server only.
 */
#define GM_CTL_SERVER_DEFAULT "http://127.0.0.1:8080/k8s-monitor"

struct gm_ctl_client;
int gm_ctl_client_new(const struct gm_ctl_globals *globals, struct gm_ctl_client **out, struct gm_err *err) GM_CHECKED;
void gm_ctl_client_free(struct gm_ctl_client *c);
/* Why the last call failed, as an exit code; OK when none did. */
enum gm_ctl_exit gm_ctl_client_exit(const struct gm_ctl_client *c);
/* What a test or a message calls the server: its address. */
const char *gm_ctl_client_server(const struct gm_ctl_client *c);

struct gm_ctl_answer {
	int status;
	struct gm_buf body;
	struct gm_arena arena;
	struct gm_jsonv *json;	    /* NULL: there is no body */
	struct gm_ctl_answer *more; /* further pages of a list, whose items are in json too */
};
void gm_ctl_answer_fini(struct gm_ctl_answer *a);

struct gm_ctl_ask {
	const char *method;  /* "GET" */
	const char *path;    /* below /api/v1, escaped: "/gpu/overview" */
	struct gm_str query; /* "limit=5&cursor=x", escaped; empty: none */
	const char *idempotency_key;
	struct gm_str body; /* JSON; empty: none */
};
/*
 * Fails for every status that is no success; the error says what the server said: code, what is wrong where, request id.
 * *out holds the answer then too (problem+json), so that its further members can be looked at.
 */
int gm_ctl_ask(struct gm_ctl_client *c, const struct gm_ctl_ask *ask, struct gm_ctl_answer *out,
	       struct gm_err *err) GM_CHECKED;
/* A GET without more. */
int gm_ctl_get(struct gm_ctl_client *c, const char *path, struct gm_ctl_answer *out, struct gm_err *err) GM_CHECKED;

/*
 * Live events of `topics` until `on_event` or `on_idle` (about once a second) says false, which is no failure, or the
 * stream ends, which is. Both may ask meanwhile.
 */
struct gm_ctl_listener {
	const char *topics;
	bool (*on_event)(void *ctx, struct gm_str name, struct gm_str data);
	bool (*on_idle)(void *ctx);
	void *ctx;
};
int gm_ctl_listen(struct gm_ctl_client *c, const struct gm_ctl_listener *listener, struct gm_err *err) GM_CHECKED;

GM_DEFINE_AUTO(struct gm_ctl_client, gm_ctl_client_free)
GM_DEFINE_AUTO_VALUE(struct gm_ctl_answer, gm_ctl_answer_fini)

#endif
