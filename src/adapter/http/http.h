/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_HTTP_HTTP_H
#define GM_ADAPTER_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "adapter/http/route.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

/*
 * The HTTP server: a route table, an application context, and what surrounds them (roles, limits, problem+json, ETag,
 * gzip, HEAD, request ids, streams, TLS, graceful stop). Requests and responses are plain structs, so that handlers
 * are tested without a socket.
 */
struct gm_identity; /* core/auth/auth.h */
struct gm_http_shared;
struct gm_http_stream;
struct gm_http_server;

#define GM_HTTP_ADDRESS_SIZE 46
#define GM_HTTP_CERT_NAME_SIZE 65 /* X.520: 64 characters */

/*
 * What came of asking a client for a certificate. A connection with none, or with one that is refused, is served all the
 * same: what is open stays open. Where a role is wanted and not given, the 401 or 403 says why the certificate was
 * refused. It is looked at with a connection's first request, when the authority's file changed, and once a minute, so
 * that one that expires stops counting on a connection that lives on.
 */
enum gm_http_cert {
	GM_HTTP_CERT_NONE,     /* not asked for, or the client has none */
	GM_HTTP_CERT_VERIFIED, /* issued by our authority, valid now, not meant for servers only */
	GM_HTTP_CERT_REFUSED,
};

struct gm_http_peer {
	char address[GM_HTTP_ADDRESS_SIZE]; /* numeric; IPv4 in IPv6 is shown as IPv4; "unix" */
	uint16_t port;
	/*
	 * True only when the connection comes from this very machine, no proxy header (Forwarded, X-Forwarded-For, Via)
	 * says that somebody else stands behind it, and Host is a loopback name or address (a page of another site that
	 * let its name point to 127.0.0.1 does not pass).
	 */
	bool loopback;
	bool tls;
	bool unix_socket; /* the file's mode and folder decided who may connect */
	uint32_t uid;	  /* unix_socket: who connected, as the kernel says */
	enum gm_http_cert client_cert;
	const char *client_cert_why;		  /* REFUSED: "it has expired", a literal; else NULL */
	char client_name[GM_HTTP_CERT_NAME_SIZE]; /* common name of the subject, VERIFIED only; may be "" */
};

struct gm_http_header {
	struct gm_str name;
	struct gm_str value;
};

#define GM_HTTP_HEADERS_MAX 64 /* more in one request: 431 */
#define GM_HTTP_ID_MAX 64

/* What was asked. Handlers read it; all texts live as long as the request. */
struct gm_http_request {
	enum gm_http_method method; /* HEAD is seen as GET */
	bool head;
	const struct gm_route *route; /* NULL in the fallback handler */
	struct gm_str path;	      /* decoded, below the context path, from '/' */
	struct gm_str target;	      /* path and query as they came */
	struct gm_str path_params[GM_ROUTE_PATH_PARAMS_MAX];
	size_t path_param_count;
	struct gm_param_value params[GM_ROUTE_PARAMS_MAX]; /* as route->params */
	const struct gm_http_header *headers;
	size_t header_count;
	struct gm_str body;	    /* all of it */
	struct gm_str content_type; /* without parameters */
	struct gm_str id;	    /* X-Request-Id */
	const struct gm_http_peer *peer;
	const struct gm_identity *identity; /* never NULL when a server calls */
	struct gm_arena *arena;		    /* dies with the request */
	struct gm_issues *issues;	    /* problem.h: more than one thing wrong with the body */
	void *internal;			    /* the server's own; NULL in tests of handlers */
};

#define GM_HTTP_RESPONSE_HEADERS_MAX 8

/* What is answered: one of body, shared, stream. `{ 0 }` is an empty 200 (204 for DELETE). */
struct gm_http_response {
	int status;		   /* 0: route->success, or 200 */
	const char *content_type;  /* NULL: application/json; a literal or in the arena */
	const char *cache_control; /* NULL: "no-store", with an ETag "private, no-cache" */
	struct gm_buf body;
	struct gm_str etag; /* without quotes; empty: none. With one, If-None-Match is answered with 304 */
	struct gm_http_header headers[GM_HTTP_RESPONSE_HEADERS_MAX]; /* further ones, e.g. Location */
	size_t header_count;
	struct gm_http_shared *shared; /* a reference of the response's own */
	struct gm_http_stream *stream; /* the same */
	bool no_gzip;
};
/* For tests of handlers. */
void gm_http_response_fini(struct gm_http_response *res);

/* The value of a header (name in any case), or the empty string. */
struct gm_str gm_http_header(const struct gm_http_request *req, const char *name);
/* The value of "{name}" in the path; the name must be in the pattern (asserted). */
struct gm_str gm_http_path(const struct gm_http_request *req, const char *name);
/* A query parameter of the route's table (asserted). */
const struct gm_param_value *gm_http_param(const struct gm_http_request *req, const char *name);
/* Its text, empty when absent; its number, `absent` when absent. */
struct gm_str gm_http_param_text(const struct gm_http_request *req, const char *name);
int64_t gm_http_param_number(const struct gm_http_request *req, const char *name, int64_t absent);
/* True when If-None-Match names this ETag: the answer will be 304, a handler may leave the body out. */
bool gm_http_not_modified(const struct gm_http_request *req, struct gm_str etag);
/* Name and value must live as long as the request; CR and LF in the value are refused (asserted). */
void gm_http_add_header(struct gm_http_response *res, const char *name, struct gm_str value);

/*
 * An answer made once and given to many: immutable, counted references, any thread. Each representation (identity,
 * gzip, br) has its own strong ETag; 304, gzip negotiation and Vary are the server's work.
 */
enum gm_http_gzip {
	GM_HTTP_GZIP_NEVER,
	GM_HTTP_GZIP_LAZY, /* compressed when first asked for (bodies over 1 KiB that shrink by 10 %) */
	GM_HTTP_GZIP_NOW,
};
struct gm_http_shared_info {
	const char *content_type;  /* NULL: application/json; copied */
	const char *cache_control; /* NULL: "private, no-cache"; copied */
	enum gm_http_gzip gzip;
	int gzip_level;	    /* 1 (fast, for what is new each second) to 9 [6] */
	struct gm_str etag; /* without quotes, ASCII; empty: made from the bytes. Copied */
};
/* Takes the bytes out of *take_body (left empty). The reference is the caller's. */
struct gm_http_shared *gm_http_shared_new(struct gm_buf *take_body, const struct gm_http_shared_info *info);
struct gm_http_shared *gm_http_shared_ref(struct gm_http_shared *s);
void gm_http_shared_unref(struct gm_http_shared *s);
struct gm_str gm_http_shared_body(const struct gm_http_shared *s);
struct gm_str gm_http_shared_etag(const struct gm_http_shared *s);
/* Makes it the answer; takes a reference of its own. */
void gm_http_answer_shared(struct gm_http_response *res, struct gm_http_shared *s);

/*
 * A stream (server-sent events). `read` is called on a thread of the server whenever the client can take bytes; it
 * returns how many it wrote, 0 for nothing now (it is called again after gm_http_stream_wake), -1 for the end. `max` is
 * at least 1,000, seldom more than 8,000: what is longer goes out in pieces.
 * `free` is called once, when the client left, the stream ended or the server stops: no read comes after it.
 * The server adds a comment line as heartbeat to idle streams.
 */
struct gm_http_stream_ops {
	ssize_t (*read)(void *ctx, char *buf, size_t max);
	void (*free)(void *ctx);
};
/*
 * Turns the request into a stream; on success the stream owns take_ctx. *out is a reference for the caller, to wake it
 * with and to unref (out NULL: none). GM_ERR_LIMITED: too many in all or of this key or address, take_ctx is still the
 * caller's. res->content_type NULL: text/event-stream.
 */
int gm_http_stream_open(struct gm_http_request *req, struct gm_http_response *res, const struct gm_http_stream_ops *ops,
			void *take_ctx, struct gm_http_stream **out, struct gm_err *err) GM_CHECKED;
/* From any thread, also after the stream ended (nothing happens then). Cheap when it is awake already. */
void gm_http_stream_wake(struct gm_http_stream *s);
struct gm_http_stream *gm_http_stream_ref(struct gm_http_stream *s);
void gm_http_stream_unref(struct gm_http_stream *s);
/* True when the client is gone or the server stops. */
bool gm_http_stream_ended(const struct gm_http_stream *s);
/* For tests of handlers: asks the stream as the server would; ends it (NULL is fine). */
ssize_t gm_http_stream_read(struct gm_http_stream *s, char *buf, size_t max);
void gm_http_stream_discard(struct gm_http_stream *s);

/*
 * An answer that comes later, so that who waits for a disk holds up nobody else's connection. A handler that is sure to
 * hand its work to another thread calls gm_http_later, gives that thread the handle, and returns GM_HTTP_LATER without
 * touching the request again: request, response and err belong to the holder of the handle until it says done, which it
 * does exactly once, from any thread (also before the handler has returned). `code` is what a handler would have returned.
 * A client that left meanwhile changes nothing for the holder. A stop of the server waits for all who were promised an
 * answer. NULL: no server is behind this request (tests of handlers); the handler has to wait by itself.
 */
#define GM_HTTP_LATER 1
struct gm_http_later;
struct gm_http_later *gm_http_later(struct gm_http_request *req);
void gm_http_later_done(struct gm_http_later *later, int code);

/* Texts are borrowed until gm_http_server_free. 0 or NULL takes the default in brackets. */
struct gm_http_conf {
	/*
	 * Address [127.0.0.1]; "0.0.0.0", "::" (both families); "unix:/run/x.sock": a socket in the file system, mode
	 * 0660, without TLS. What a dead server left there is replaced, and the file is removed when the server stops.
	 */
	const char *bind;
	uint16_t port;	     /* 0: any free one, see gm_http_server_port; not read with a unix socket */
	unsigned threads;    /* [min(4, cores)] */
	const char *context; /* context path, "" for none, "/k8s-monitor" */

	const struct gm_route *routes;
	size_t route_count;
	void *ctx; /* for handlers, identify, refused, observe */
	/* GET and HEAD below the context path that no route answers (static.h); NULL: 404. Open to all. */
	gm_http_handler *fallback;
	void *fallback_ctx;

	/*
	 * Who asks. `authorization` is the Authorization header's value, or "Bearer KEY" made from X-API-Key, or empty.
	 * Returns 0 and *out (anonymous with role NONE is a good answer), or GM_ERR_UNAUTHENTICATED and the like.
	 * Called for each request of a route whose role is not NONE; for open ones only when credentials were sent,
	 * and its failure is then ignored. NULL: everybody has role NONE.
	 */
	int (*identify)(void *ctx, const struct gm_http_peer *peer, struct gm_str authorization,
			struct gm_identity *out, struct gm_err *err);
	const char *forbidden; /* what a 403 says behind its own text: how the role that lacks is got; NULL: nothing */
	/*
	 * Does a client of this address count as this very machine (gm_http_peer.loopback)? Asked once a connection.
	 * NULL: loopback addresses do. A container whose port is published on the host's loopback only sees the
	 * address of the bridge: whoever sets it up so says so here.
	 */
	bool (*is_local)(void *ctx, const char *address);
	/* Each 401, 403 and 429. NULL: none. */
	void (*refused)(void *ctx, const struct gm_http_peer *peer, int status);
	/* Each answered request (stream: its begin); route NULL when none was found. NULL: none. */
	void (*observe)(void *ctx, const struct gm_route *route, int status, int64_t micros);
	/* Lines of the library that are not noise, one line without end; NULL: dropped. */
	void (*log)(void *ctx, const char *line);

	size_t connections_max;		/* [4096] */
	size_t streams_max;		/* [2500] */
	size_t streams_per_address_max; /* of one key, or of one address without a key [64] */
	size_t body_max_bytes;		/* [1 MiB] -> 413 */
	size_t header_max_bytes;	/* all headers and the request line [10 KiB] -> 431 */
	size_t target_max_bytes;	/* path and query [4 KiB] -> 414 */
	int64_t request_deadline_ms;	/* from the request line to the last byte of the body [15 s] -> cut */
	int64_t idle_timeout_ms;	/* nothing moves: keep-alive, a client that does not read [60 s] */
	int64_t heartbeat_ms;		/* of idle streams [15 s] */
	const struct gm_clock *clock;	/* NULL: the system's */

	const char *tls_cert_file; /* PEM, chain included; NULL: plain HTTP */
	const char *tls_key_file;
	const char
		*tls_client_ca_file; /* PEM: clients are asked for a certificate of this authority; NULL: not asked */
	int64_t tls_check_ms;	     /* how often the files are looked at for a change [10 s] */
};

/*
 * Listens and serves. GM_ERR_CONFLICT: the port is taken, somebody answers on the unix socket, or another kind of file
 * lies there; GM_ERR_INVALID: the route table, an address, the certificate. On failure nothing is left running.
 */
int gm_http_server_start(const struct gm_http_conf *conf, struct gm_http_server **out, struct gm_err *err) GM_CHECKED;
uint16_t gm_http_server_port(const struct gm_http_server *s); /* 0: a unix socket */
/*
 * No new connections, streams end, requests in flight are answered; waits at most deadline_ms for the last connection,
 * then cuts. True when all had ended by themselves. Not from a handler.
 */
bool gm_http_server_stop(struct gm_http_server *s, int64_t deadline_ms);
/* Stops with a deadline of 0 when that was not done. NULL is fine. */
void gm_http_server_free(struct gm_http_server *s);
/* Reads the certificate and the clients' authority again now; on failure the old ones stay in use. */
int gm_http_server_reload_tls(struct gm_http_server *s, struct gm_err *err) GM_CHECKED;

struct gm_http_stats {
	uint64_t connections; /* open now */
	uint64_t streams;     /* open now */
	uint64_t requests;    /* answered since the start */
	uint64_t status_2xx, status_3xx, status_4xx, status_5xx;
	uint64_t cut;		 /* connections cut by a deadline */
	uint64_t streams_opened; /* since the start */
	uint64_t tls_reloads, tls_reload_failures;
	int64_t tls_not_after_ms; /* when the certificate in use ends; 0: no TLS */
};
void gm_http_server_stats(struct gm_http_server *s, struct gm_http_stats *out);

GM_DEFINE_AUTO(struct gm_http_server, gm_http_server_free)
GM_DEFINE_AUTO(struct gm_http_shared, gm_http_shared_unref)
GM_DEFINE_AUTO(struct gm_http_stream, gm_http_stream_unref)

#endif
