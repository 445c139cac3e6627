/* SPDX-License-Identifier: MIT */
#ifndef GM_BASE_ERR_H
#define GM_BASE_ERR_H

#include "base/auto.h"

/*
 * The one list of errors: name, HTTP status, code on the wire (`code` in problem+json; never renamed).
 * Functions return 0 or a negative GM_ERR_... and leave their outputs untouched on failure.
 */
#define GM_ERR_LIST(X)                                                                                                 \
	X(INVALID, 400, "invalid")		   /* input breaks a stated rule */                                    \
	X(PARSE, 400, "parse_error")		   /* text that is not of its format */                                \
	X(UNAUTHENTICATED, 401, "unauthenticated") /* no identity, or one that is not known */                         \
	X(FORBIDDEN, 403, "forbidden")		   /* known, but the role is too low */                                \
	X(NOT_FOUND, 404, "not_found")                                                                                 \
	X(METHOD_NOT_ALLOWED, 405, "method_not_allowed")                                                               \
	X(CONFLICT, 409, "conflict")                                                                                   \
	X(TOO_LARGE, 413, "too_large") /* beyond a stated limit */                                                     \
	X(MEDIA_TYPE, 415, "unsupported_media_type")                                                                   \
	X(LIMITED, 429, "rate_limited")                                                                                \
	X(HEADERS, 431, "headers_too_large")                                                                           \
	X(INTERNAL, 500, "internal")                                                                                   \
	X(UNSUPPORTED, 501, "unsupported")                                                                             \
	X(IO, 502, "io_error")		   /* the outside answered wrongly or not at all */                            \
	X(UNAVAILABLE, 503, "unavailable") /* not now; trying later may help */                                        \
	X(BUSY, 503, "busy")		   /* locked by somebody else */                                               \
	X(STOPPED, 503, "stopped")	   /* we are shutting down */                                                  \
	X(DEADLINE, 504, "deadline_exceeded")                                                                          \
	X(NO_SPACE, 507, "no_space")                                                                                   \
	X(READ_ONLY, 500, "read_only")                                                                                 \
	X(CORRUPT, 500, "corrupt")                                                                                     \
	X(NEWER, 500, "newer_format") /* written by a newer version than this one reads */                             \
	X(NO_MEMORY, 503, "out_of_memory")

enum gm_err_position {
#define GM_ERR_POSITION(name, status, text) GM_ERR_POSITION_##name,
	GM_ERR_LIST(GM_ERR_POSITION)
#undef GM_ERR_POSITION
		GM_ERR_COUNT
};

enum gm_err_code {
	GM_OK = 0,
#define GM_ERR_CODE(name, status, text) GM_ERR_##name = -1 - (int)GM_ERR_POSITION_##name,
	GM_ERR_LIST(GM_ERR_CODE)
#undef GM_ERR_CODE
};

/*
 * A failure, a plain value of the caller: failing never allocates.
 * `where` names the place in the input when there is one: `file:line:col`, a JSON pointer, a query parameter.
 */
struct gm_err {
	int code;
	char where[112];
	char text[400];
};

/* Sets *err (when not NULL) and returns `code`, which must be one of GM_ERR_.... Longer texts are cut with "...". */
int gm_fail(struct gm_err *err, int code, const char *fmt, ...) GM_PRINTF(3, 4);
/* The same with the place in the input. */
int gm_fail_at(struct gm_err *err, int code, const char *where, const char *fmt, ...) GM_PRINTF(4, 5);
/* Like gm_fail, followed by ": " and the text of errno value `errnum`; ENOSPC, EROFS and ENOENT choose the code. */
int gm_fail_errno(struct gm_err *err, int errnum, const char *fmt, ...) GM_PRINTF(3, 4);
/* Puts "context: " before the text of *err and returns its code. */
int gm_err_wrap(struct gm_err *err, const char *fmt, ...) GM_PRINTF(2, 3);
void gm_err_reset(struct gm_err *err);
/* "not_found"; "ok" for 0; "internal" for a number that is no code. */
const char *gm_err_name(int code);
/* HTTP status, 200 for 0. */
int gm_err_http_status(int code);

#endif
