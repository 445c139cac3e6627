/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_API_H
#define GM_APP_AGENT_API_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapter/http/http.h"
#include "app/agent/pages.h"
#include "app/agent/settings.h"
#include "base/err.h"
#include "base/file-stamp.h"
#include "base/secret.h"

struct gm_mig_manager;

#define GM_AGENT_STREAMS_MAX 16

/* Port: what an HTTP thread asks of the main loop. Implemented by agent.c: each call hands over and waits, bounded. */
struct gm_agent_control {
	void *ctx;
	/* Begins or prolongs a pause of at most pause.limit; *out_until_ms is when it ends by itself. */
	int (*pause)(void *ctx, int64_t for_ms, struct gm_str reason, int64_t *out_until_ms, struct gm_err *err);
	int (*resume)(void *ctx, struct gm_err *err);
};

/* What the handlers work on: the `ctx` of every one of them. Filled before the first server listens. */
struct gm_agent_api {
	const struct gm_clock *clock;
	struct gm_agent_pages *pages;
	struct gm_mig_manager *mig; /* NULL: there is none */
	struct gm_agent_control control;

	/* Who may read: set by gm_agent_api_token. */
	pthread_mutex_t mu;
	bool token_wanted;		/* guarded by mu */
	uint8_t token[GM_DIGEST_BYTES]; /* guarded by mu; of the text */
	struct gm_file_stamp token_stamp;

	/* Clients of /v1/events. */
	struct gm_http_stream *streams[GM_AGENT_STREAMS_MAX]; /* guarded by mu; NULL: free */
	uint64_t mig_changes;				      /* of the main thread: told last */
};
void gm_agent_api_init(struct gm_agent_api *api);
void gm_agent_api_fini(struct gm_agent_api *api);
/*
 * Reads the token's file when it is new or has changed; "": no token is wanted. Main thread: at the start (a failure ends
 * the program), on SIGHUP, and every few seconds (a failure is logged; the old token stays in force).
 */
int gm_agent_api_token(struct gm_agent_api *api, const char *path, struct gm_err *err) GM_CHECKED;

/* Main thread, after each tick of the MIG manager: wakes the clients of /v1/events when there is news. */
void gm_agent_api_news(struct gm_agent_api *api);

/* Routes, roles and limits of a server of ours; the caller adds where it listens, and its certificates. */
void gm_agent_api_conf(struct gm_agent_api *api, struct gm_http_conf *out);

/* The one table of routes (api.c). */
extern const struct gm_route gm_agent_route_table[];
extern const size_t gm_agent_route_count;

/*
 * Who asks, and so what he may do: the unix socket's peers and holders of a certificate of our authority may change, the
 * right token (or no token being wanted) lets read.
 */
int gm_agent_identify(void *ctx, const struct gm_http_peer *peer, struct gm_str authorization, struct gm_identity *out,
		      struct gm_err *err);

#endif
