/* SPDX-License-Identifier: MIT */
#include "adapter/http/problem.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/json.h"

static const struct {
	int status;
	const char *title;
} titles[] = {
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 304, "Not Modified" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 409, "Conflict" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 507, "Insufficient Storage" },
};

const char *gm_http_status_title(int status)
{
	for (size_t i = 0; i < GM_LEN(titles); i++)
		if (titles[i].status == status)
			return titles[i].title;
	return "Error";
}

static void add(struct gm_issues *issues, struct gm_arena *arena, const char *pointer, const char *fmt, va_list args)
	__attribute__((format(printf, 4, 0)));
static void add(struct gm_issues *issues, struct gm_arena *arena, const char *pointer, const char *fmt, va_list args)
{
	char text[256];

	(void)vsnprintf(text, sizeof(text), fmt, args);
	char *kept_pointer = gm_arena_dup(arena, gm_str(pointer));
	char *kept_text = gm_arena_dup(arena, gm_str(text));
	if (kept_pointer && kept_text)
		issues->items[issues->count++] = (struct gm_issue){ kept_pointer, kept_text };
}

void gm_issues_add(struct gm_issues *issues, struct gm_arena *arena, const char *pointer, const char *fmt, ...)
{
	va_list args;

	if (!issues || issues->count >= GM_ISSUES_MAX)
		return;
	va_start(args, fmt);
	add(issues, arena, pointer, fmt, args);
	va_end(args);
}

static void write_issue(struct gm_json *w, const char *pointer, const char *detail)
{
	gm_json_object(w);
	gm_json_kcstr(w, "pointer", pointer);
	gm_json_kcstr(w, "detail", detail);
	gm_json_end_object(w);
}

void gm_problem_write(struct gm_buf *out, const struct gm_err *err, int status, const struct gm_issues *issues,
		      struct gm_str request_id)
{
	struct gm_json w;

	if (status == 0)
		status = gm_err_http_status(err->code);
	gm_json_init(&w, out);
	gm_json_object(&w);
	gm_json_kcstr(&w, "type", "about:blank");
	gm_json_kcstr(&w, "title", gm_http_status_title(status));
	gm_json_ki64(&w, "status", status);
	gm_json_kcstr(&w, "code", gm_err_name(err->code));
	gm_json_kcstr(&w, "detail", err->text);
	gm_json_key(&w, "errors");
	gm_json_array(&w);
	if (issues && issues->count) {
		for (size_t i = 0; i < issues->count; i++)
			write_issue(&w, issues->items[i].pointer, issues->items[i].detail);
	} else if (err->where[0]) {
		write_issue(&w, err->where, err->text);
	}
	gm_json_end_array(&w);
	if (issues && issues->params.n) {
		gm_json_key(&w, "params");
		gm_json_raw(&w, issues->params);
	}
	gm_json_kstr(&w, "request_id", request_id);
	gm_json_end_object(&w);
}
