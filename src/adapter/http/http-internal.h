/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_HTTP_HTTP_INTERNAL_H
#define GM_ADAPTER_HTTP_HTTP_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include <microhttpd.h>

#include "adapter/http/gzip.h"
#include "adapter/http/http.h"
#include "adapter/http/listen.h"
#include "adapter/http/negotiate.h"
#include "adapter/http/problem.h"
#include "core/auth/auth.h"

/*
 * Locks: server->mu guards the lists of connections and streams and is taken before a stream's own mu, never behind
 * it. server->spare_mu is a leaf.
 */

/* One TCP connection. */
struct gm_conn {
	struct gm_conn *prev, *next;
	struct gm_http_server *server;
	struct gm_http_peer peer;
	bool local;		  /* the address is of this machine */
	uint64_t cert_generation; /* of the trust that peer.client_cert was judged by; 0: not yet */
	int64_t cert_until_ms;	  /* on the coarse clock; then it is judged again */
	int fd;
	/* On the coarse clock; passed: the connection is cut. 0: none (answering: the library's own timeout watches). */
	_Atomic int64_t cut_ms;
	_Atomic bool idle; /* between two requests */
};

/* Headers that the server itself looks at. */
struct gm_known_headers {
	struct gm_str host, via, origin, forwarded, forwarded_for, authorization, api_key, accept_encoding,
		if_none_match, request_id, content_type, content_length, content_encoding, transfer_encoding,
		fetch_site, expect;
};

enum gm_phase {
	GM_PHASE_BEGIN,	 /* request line read */
	GM_PHASE_BODY,	 /* headers read, waiting for the body or its end */
	GM_PHASE_REFUSE, /* as BODY, but the answer is known: the body is thrown away */
	GM_PHASE_LATER,	 /* suspended; the exchange belongs to whoever has the handle */
	GM_PHASE_DONE,	 /* an answer is queued */
};

/* Lies in its exchange. */
struct gm_http_later {
	int code; /* written by the holder before it resumes the connection, read after that */
};

/* One request and its answer; reused. */
struct gm_exchange {
	struct gm_exchange *next; /* spare list */
	struct gm_http_server *server;
	struct gm_conn *conn;
	struct MHD_Connection *mhd;
	enum gm_phase phase;
	enum gm_route_result result;
	struct gm_http_request req;
	struct gm_http_response res;
	struct gm_arena arena;
	struct gm_buf in;     /* body received */
	struct gm_buf packed; /* compressed body */
	size_t discarded;
	struct gm_http_peer peer;
	struct gm_identity identity;
	struct gm_issues issues;
	struct gm_err err;
	struct gm_http_later later;
	int refusal; /* code of err when phase is REFUSE */
	int status;  /* what was answered */
	struct gm_route_match match;
	struct gm_known_headers known;
	struct gm_http_header headers[GM_HTTP_HEADERS_MAX];
	size_t header_count;
	size_t header_bytes;
	bool headers_bad; /* a header twice that may stand once */
	char id[GM_HTTP_ID_MAX + 1];
	int64_t begin_ns;
};

#define GM_SPARE_EXCHANGES 256

struct gm_acceptor;
struct gm_tls;

struct gm_http_server {
	struct gm_http_conf conf; /* with the defaults filled in */
	struct gm_router *router;
	struct MHD_Daemon *daemon;
	struct gm_acceptor *acceptor;
	struct gm_tls *tls; /* NULL: plain */
	struct gm_listener listener;
	char id_base[12]; /* of request ids */
	_Atomic uint64_t id_next;
	_Atomic bool stopping;
	_Atomic int64_t now_ms; /* coarse, set by the ticker */

	pthread_mutex_t mu;
	pthread_cond_t gone;		/* a connection ended, or a promised answer came */
	struct gm_conn *conns;		/* guarded by mu */
	size_t conn_count;		/* guarded by mu */
	struct gm_http_stream *streams; /* guarded by mu */
	size_t stream_count;		/* guarded by mu */
	size_t later_count;		/* guarded by mu: answers that are promised */

	pthread_mutex_t spare_mu;
	struct gm_exchange *spare; /* guarded by spare_mu */
	size_t spare_count;	   /* guarded by spare_mu */

	pthread_t ticker;
	bool ticker_runs;
	int ticker_fd; /* eventfd: end */

	_Atomic uint64_t requests, by_class[6], cut, streams_opened;
};

/* exchange.c: the callbacks of the library. */
void *gm_http_on_target(void *cls, const char *target, struct MHD_Connection *mhd);
enum MHD_Result gm_http_on_access(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
				  const char *version, const char *data, size_t *data_size, void **exchange);
void gm_http_on_completed(void *cls, struct MHD_Connection *mhd, void **exchange, enum MHD_RequestTerminationCode why);
void gm_exchange_free(struct gm_exchange *ex);

/* headers.c: reads the headers into ex->headers and ex->known; false: too many, too large. */
bool gm_http_read_headers(struct gm_exchange *ex);
/* X-Request-Id: the client's when it is sane, else one of ours. */
void gm_http_choose_id(struct gm_exchange *ex);
/* Fills ex->peer: the connection's, and whether headers say that somebody else stands behind it. */
void gm_http_choose_peer(struct gm_exchange *ex);
/* True when a page of another site sent this (Sec-Fetch-Site, Origin). */
bool gm_http_cross_site(const struct gm_exchange *ex);

/* answer.c: queues what ex->res says. */
enum MHD_Result gm_http_answer(struct gm_exchange *ex);
/* Turns ex->err into the answer. */
void gm_http_answer_problem(struct gm_exchange *ex, int status);

/* stream.c */
enum MHD_Result gm_http_stream_answer(struct gm_exchange *ex, struct MHD_Response **out);
/* Marks streams that have been silent for heartbeat_ms and wakes them. */
void gm_http_streams_beat(struct gm_http_server *s, int64_t now_ms);
void gm_http_streams_wake_all(struct gm_http_server *s);

/* shared.c */
struct gm_representation {
	struct gm_str bytes;
	char etag[GM_ETAG_MAX + 2]; /* with quotes */
};
/* Bodies are borrowed for ever (embedded files); an empty one means there is none. */
struct gm_http_shared *gm_http_shared_new_static(struct gm_str raw, struct gm_str gz, struct gm_str br,
						 const struct gm_http_shared_info *info);
unsigned gm_http_shared_available(struct gm_http_shared *s);
const struct gm_representation *gm_http_shared_representation(struct gm_http_shared *s, enum gm_encoding e);
const char *gm_http_shared_content_type(const struct gm_http_shared *s);
const char *gm_http_shared_cache_control(const struct gm_http_shared *s);

/* tls.c */
int gm_tls_new(const struct gm_http_conf *conf, struct gm_tls **out, struct gm_err *err) GM_CHECKED;
void gm_tls_free(struct gm_tls *t);
int gm_tls_reload(struct gm_tls *t, struct gm_err *err) GM_CHECKED;
/* Reloads when one of the files changed since. 1: done, 0: nothing to do, negative: failed, the old one stays. */
int gm_tls_check(struct gm_tls *t, struct gm_err *err);
void gm_tls_stats(const struct gm_tls *t, struct gm_http_stats *out);
/* Adds MHD's option; the callback finds its gm_tls through the connection. */
void gm_tls_option(struct MHD_OptionItem *out);
/* tls-client.c: asks for a certificate during the handshake that is about to begin. */
void gm_tls_ask_client(const struct gm_tls *t, struct MHD_Connection *mhd);
/* Judges the client's certificate into conn->peer, unless that was done lately. The connection's own thread. */
void gm_tls_judge_client(struct gm_tls *t, struct MHD_Connection *mhd, struct gm_conn *conn);

/* server.c */
struct gm_conn *gm_http_conn_of(struct MHD_Connection *mhd);

#endif
