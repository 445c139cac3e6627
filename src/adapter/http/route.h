/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_HTTP_ROUTE_H
#define GM_ADAPTER_HTTP_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "core/auth/auth-store.h"

/*
 * The route table: one row a method and path. The router, the role checks, the parsing of queries, HEAD, OPTIONS, 405
 * and the OpenAPI document all come from it. Pure: no socket, no thread.
 */
struct gm_http_request;
struct gm_http_response;

enum gm_http_method {
	GM_HTTP_GET, /* answers HEAD too */
	GM_HTTP_POST,
	GM_HTTP_PUT,
	GM_HTTP_PATCH,
	GM_HTTP_DELETE,
	GM_HTTP_HEAD,	 /* not in tables */
	GM_HTTP_OPTIONS, /* not in tables */
	GM_HTTP_METHOD_COUNT
};

/*
 * Answers one request. Runs on a thread of the server; several run at once, and a slow one holds up the other
 * connections of its thread, so it waits for nothing but a bounded store call. Returns 0, or an error which the server
 * turns into application/problem+json (whatever was written to *res before is dropped then), or GM_HTTP_LATER (http.h).
 */
typedef int gm_http_handler(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err);

enum gm_param_type {
	GM_PARAM_TEXT,	   /* UTF-8 without control characters, min..max bytes (max 0: 256) */
	GM_PARAM_INT,	   /* min..max (both 0: any int64) */
	GM_PARAM_BOOL,	   /* true, false, yes, no, on, off; given without a value: true */
	GM_PARAM_TIME,	   /* RFC 3339 or seconds since the epoch; milliseconds in `number` */
	GM_PARAM_DURATION, /* "30s"; min..max milliseconds (max 0: any) in `number` */
	GM_PARAM_CHOICE,   /* one of `choices`, its index in `number` */
};

/* One query parameter; a list ends with name == NULL. A parameter given twice, or one without a row, is refused (400). */
struct gm_route_param {
	const char *name;
	enum gm_param_type type;
	bool required;
	int64_t min, max;
	const char *const *choices; /* NULL-ended */
	const char *def;	    /* as it would stand in the query; NULL: none, the parameter is then absent */
	const char *help;
};

enum gm_route_flag {
	GM_ROUTE_ROOT = 1 << 0,	  /* also answers at the root, without the context path (/metrics, /healthz) */
	GM_ROUTE_STREAM = 1 << 1, /* the answer is text/event-stream */
	GM_ROUTE_TEXT = 1 << 2,	  /* the answer is not JSON: OpenAPI says text/plain */
};

#define GM_ROUTE_PATH_PARAMS_MAX 4
#define GM_ROUTE_PARAMS_MAX 24

struct gm_route {
	enum gm_http_method method;
	/* Below the context path, from '/': "/api/v1/gpu/devices/{id}". A {name} is one whole segment. */
	const char *path;
	enum gm_role role; /* least role; GM_ROLE_NONE: open to all */
	gm_http_handler *handler;
	const char *operation; /* operationId */
	const char *tag;
	const char *summary;
	const char *description;	     /* NULL: none */
	const struct gm_route_param *params; /* NULL: none */
	const char *request;  /* schema name of the body; NULL: a body is refused (except an empty one) */
	const char *response; /* schema name of the answer; NULL: none */
	int success;	      /* status of success; 0: 200 */
	unsigned flags;	      /* enum gm_route_flag */
};

/* The value of one query parameter, in the order of route->params. */
struct gm_param_value {
	bool present; /* in the query, or by its default */
	bool given;   /* in the query */
	struct gm_str text;
	int64_t number; /* INT, BOOL (0, 1), TIME, DURATION, CHOICE */
};

struct gm_router;

/*
 * Compiles `count` rows, which must outlive the router. `context` is "" or "/k8s-monitor" (no slash at the end).
 * GM_ERR_INVALID names the row: the same method and path twice, a malformed pattern, a default its own rule refuses.
 */
int gm_router_new(const struct gm_route *table, size_t count, const char *context, struct gm_router **out,
		  struct gm_err *err) GM_CHECKED;
void gm_router_free(struct gm_router *r);
/* "" or "/k8s-monitor" */
struct gm_str gm_router_context(const struct gm_router *r);

enum gm_route_result {
	GM_ROUTE_FOUND,
	GM_ROUTE_NOT_FOUND,  /* no such path; `path` is set when it is below the context path */
	GM_ROUTE_NOT_METHOD, /* the path exists for the methods in `allow` */
	GM_ROUTE_OPTIONS,    /* OPTIONS of a path that exists; `allow` is set */
	GM_ROUTE_REDIRECT,   /* to the context path with '/' */
	GM_ROUTE_BAD,	     /* wrong percent-encoding, NUL, control byte, not UTF-8, "." or ".." segment */
};

struct gm_route_match {
	const struct gm_route *route;
	struct gm_str path; /* decoded, below the context path, from '/' */
	struct gm_str path_params[GM_ROUTE_PATH_PARAMS_MAX];
	size_t path_param_count;
	unsigned allow;		 /* bit per enum gm_http_method */
	struct gm_str raw_query; /* after '?', still encoded */
};

/*
 * Finds the row for a request target as it came ("/a/b%20c?x=1"; the absolute form "http://host/a" too). One slash at
 * the end of a path is ignored. Decoded texts are in the arena or views of `target`. HEAD finds the row of GET.
 */
enum gm_route_result gm_router_match(const struct gm_router *r, enum gm_http_method method, struct gm_str target,
				     struct gm_arena *arena, struct gm_route_match *out);

/*
 * Reads a raw query by the table of a route: `out` has GM_ROUTE_PARAMS_MAX places, the first of them used. Errors have
 * the parameter's name in `where`. '+' is a blank.
 */
int gm_route_query(const struct gm_route *route, struct gm_str raw_query, struct gm_arena *arena,
		   struct gm_param_value *out, struct gm_err *err) GM_CHECKED;

/* True when `value` obeys the row; *out is set. Used for defaults and by gm_route_query. */
int gm_route_param_parse(const struct gm_route_param *p, struct gm_str value, struct gm_param_value *out,
			 struct gm_err *err) GM_CHECKED;

/* Undoes %XX (and '+' when `plus`); false when malformed, or when the result has NUL, control bytes or is not UTF-8. */
bool gm_http_percent_decode(struct gm_str in, bool plus, struct gm_arena *arena, struct gm_str *out) GM_CHECKED;
const char *gm_http_method_name(enum gm_http_method m);
/* GM_HTTP_METHOD_COUNT for one that is not known. */
enum gm_http_method gm_http_method_parse(const char *name);

GM_DEFINE_AUTO(struct gm_router, gm_router_free)

#endif
