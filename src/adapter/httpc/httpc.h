/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_HTTPC_HTTPC_H
#define GM_ADAPTER_HTTPC_HTTPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/*
 * Many GETs from one thread: nothing blocks, connections are kept alive. The owner polls gm_httpc_fd, waits no longer than
 * gm_httpc_wait_ms, then calls gm_httpc_step, which calls the requests back. Redirects, proxies and other protocols than
 * http and https are not followed. Memory is bounded by the limits below whatever the other side sends.
 */
struct gm_httpc;

struct gm_httpc_conf {
	size_t in_flight_max;	/* requests at once; 0: 64 */
	size_t connections_max; /* kept open for the next time; 0: in_flight_max */
	size_t body_max;	/* bytes of one body, decompressed; 0: 32 MiB */
	size_t bodies_max;	/* bytes of all bodies in flight; 0: four times body_max */
	bool gzip;		/* ask for compressed answers */
	const char *user_agent;
};

int gm_httpc_new(const struct gm_httpc_conf *conf, struct gm_httpc **out, struct gm_err *err) GM_CHECKED;
/* Requests in flight are dropped without a call. */
void gm_httpc_free(struct gm_httpc *c);
/* Another number of connections to keep; takes effect as they come back. */
void gm_httpc_set_connections(struct gm_httpc *c, size_t connections_max);
/* Another limit of a body (0: 32 MiB), and four times as much of all; from the next request on. */
void gm_httpc_set_body_max(struct gm_httpc *c, size_t body_max);

/*
 * Who we are towards a server, and whom we believe. Files are borrowed names, copied; all but the bearer token are read
 * anew with each connection, the token when its file changes (looked at once a second at most).
 */
struct gm_httpc_identity;
struct gm_httpc_identity_conf {
	const char *bearer_file; /* NULL: none, as with all of these */
	const char *ca_file;	 /* NULL: the system's */
	const char *cert_file, *key_file;
	bool insecure; /* believe any certificate */
};
/* Fails when a file cannot be read, or one of certificate and key is missing. */
int gm_httpc_identity_new(const struct gm_httpc_identity_conf *conf, struct gm_httpc_identity **out,
			  struct gm_err *err) GM_CHECKED;
void gm_httpc_identity_free(struct gm_httpc_identity *identity);

struct gm_httpc_answer {
	int rc; /* 0: status 200 and the whole body is here */
	struct gm_err err;
	int status; /* 0: none came */
	struct gm_str content_type;
	struct gm_str body;
	int64_t duration_us;
	uint64_t wire_bytes; /* of the body as sent */
	bool connected_anew;
};

struct gm_httpc_request {
	const char *url;		    /* as gm_httpc_url makes it; copied */
	struct gm_httpc_identity *identity; /* NULL: none; used in gm_httpc_get only */
	const char *accept;		    /* a literal */
	int64_t timeout_ms;		    /* for all of it */
	/*
	 * Where in a round of requests this one stands, from 0 to 65535; the same each time for the same server. Connections
	 * are kept in groups by it: curl looks at all idle ones of a group once a second while the group is in use, so
	 * requests that come close together belong together.
	 */
	uint16_t place;
	/* Called from gm_httpc_step; *answer lives for the call. It may start further requests. */
	void (*done)(void *ctx, const struct gm_httpc_answer *answer);
	void *ctx;
};
/* GM_ERR_BUSY: in_flight_max is reached. */
int gm_httpc_get(struct gm_httpc *c, const struct gm_httpc_request *request, struct gm_err *err) GM_CHECKED;
/* Drops the requests with this ctx without a call. */
void gm_httpc_cancel(struct gm_httpc *c, const void *ctx);

size_t gm_httpc_in_flight(const struct gm_httpc *c);
int gm_httpc_fd(const struct gm_httpc *c);
/* How long gm_httpc_step may be put off when the descriptor stays quiet; -1: for ever. */
int64_t gm_httpc_wait_ms(const struct gm_httpc *c);
void gm_httpc_step(struct gm_httpc *c);

/*
 * The normal form of a target's address, appended to *out, and its host. A missing scheme is http, an empty path
 * `default_path`. Refused: other schemes, user and password in it (they would be shown), what is no URL.
 */
#define GM_HTTPC_HOST_SIZE 256
int gm_httpc_url(struct gm_str text, const char *default_path, struct gm_buf *out,
		 char out_host[static GM_HTTPC_HOST_SIZE], struct gm_err *err) GM_CHECKED;

GM_DEFINE_AUTO(struct gm_httpc, gm_httpc_free)
GM_DEFINE_AUTO(struct gm_httpc_identity, gm_httpc_identity_free)

#endif
