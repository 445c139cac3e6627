/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_HTTP_PROBLEM_H
#define GM_ADAPTER_HTTP_PROBLEM_H

#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* RFC 9457. One place makes every error answer. */
#define GM_ISSUES_MAX 16

struct gm_issue {
	const char *pointer; /* JSON pointer into the body, or "?name" for a query parameter */
	const char *detail;
};
struct gm_issues {
	struct gm_issue items[GM_ISSUES_MAX];
	size_t count; /* further ones are left out */
	/* `params` of the answer: what a program may want to know of the refusal; one JSON object, in the arena. Empty: none. */
	struct gm_str params;
};

void gm_issues_add(struct gm_issues *issues, struct gm_arena *arena, const char *pointer, const char *fmt, ...)
	GM_PRINTF(4, 5);

#define GM_PROBLEM_CONTENT_TYPE "application/problem+json"
/*
 * Appends {type, title, status, code, detail, errors[], params (when there are some), request_id}. `status` 0: the error's own. Without issues, an
 * err->where becomes the one entry of errors[]. Texts of 5xx errors are the operator's business and stay: they carry no
 * secrets by the rules of base/err.h.
 */
void gm_problem_write(struct gm_buf *out, const struct gm_err *err, int status, const struct gm_issues *issues,
		      struct gm_str request_id);
/* "Not Found"; "Error" for a status that is not known. */
const char *gm_http_status_title(int status);

#endif
