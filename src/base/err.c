/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int status;
} err_table[] = {
#define ERR_ROW(name_, status_, text_) [GM_ERR_POSITION_##name_] = { .name = (text_), .status = (status_) },
	GM_ERR_LIST(ERR_ROW)
#undef ERR_ROW
};
_Static_assert(GM_LEN(err_table) == GM_ERR_COUNT, "one row an error");

/* A cut text ends with "..." so that nobody takes it for the whole. */
static void mark_cut(char *buf, size_t size)
{
	memcpy(buf + size - 4, "...", 4);
}

static void __attribute__((format(printf, 2, 0))) set_text(struct gm_err *err, const char *fmt, va_list args)
{
	char text[sizeof(err->text)] = ""; /* apart: the arguments may be parts of *err */
	int n = vsnprintf(text, sizeof(text), fmt, args);
	if (n > 0 && (size_t)n >= sizeof(text))
		mark_cut(text, sizeof(text));
	memcpy(err->text, text, sizeof(text));
}

static void append_text(struct gm_err *err, const char *more)
{
	size_t used = strlen(err->text);
	int n = snprintf(err->text + used, sizeof(err->text) - used, ": %s", more);
	if (n > 0 && (size_t)n >= sizeof(err->text) - used)
		mark_cut(err->text, sizeof(err->text));
}

int gm_fail(struct gm_err *err, int code, const char *fmt, ...)
{
	if (!err)
		return code;
	va_list args;
	va_start(args, fmt);
	set_text(err, fmt, args);
	va_end(args);
	err->code = code;
	err->where[0] = '\0';
	return code;
}

int gm_fail_at(struct gm_err *err, int code, const char *where, const char *fmt, ...)
{
	if (!err)
		return code;
	va_list args;
	va_start(args, fmt);
	set_text(err, fmt, args);
	va_end(args);
	err->code = code;
	int n = snprintf(err->where, sizeof(err->where), "%s", where);
	if (n > 0 && (size_t)n >= sizeof(err->where))
		mark_cut(err->where, sizeof(err->where));
	return code;
}

static int code_of_errno(int errnum)
{
	static const struct {
		int errnum, code;
	} table[] = {
		{ EDQUOT, GM_ERR_NO_SPACE }, { ENOENT, GM_ERR_NOT_FOUND }, { ENOMEM, GM_ERR_NO_MEMORY },
		{ ENOSPC, GM_ERR_NO_SPACE }, { EROFS, GM_ERR_READ_ONLY },
	};
	for (size_t i = 0; i < GM_LEN(table); i++)
		if (table[i].errnum == errnum)
			return table[i].code;
	return GM_ERR_IO;
}

int gm_fail_errno(struct gm_err *err, int errnum, const char *fmt, ...)
{
	int code = code_of_errno(errnum);
	if (!err)
		return code;
	va_list args;
	va_start(args, fmt);
	set_text(err, fmt, args);
	va_end(args);
	err->code = code;
	err->where[0] = '\0';
	char buf[128];
	append_text(err, strerror_r(errnum, buf, sizeof(buf)));
	return code;
}

int gm_err_wrap(struct gm_err *err, const char *fmt, ...)
{
	/* Without a place to put it there is no code to give back either; the caller keeps its own. */
	if (!err)
		return GM_ERR_INTERNAL;
	char old[sizeof(err->text)];
	memcpy(old, err->text, sizeof(old));
	va_list args;
	va_start(args, fmt);
	set_text(err, fmt, args);
	va_end(args);
	append_text(err, old);
	return err->code;
}

void gm_err_reset(struct gm_err *err)
{
	if (!err)
		return;
	err->code = GM_OK;
	err->where[0] = '\0';
	err->text[0] = '\0';
}

static size_t position_of(int code)
{
	return code < 0 && code >= -(int)GM_ERR_COUNT ? (size_t)(-1 - code) : (size_t)GM_ERR_POSITION_INTERNAL;
}

const char *gm_err_name(int code)
{
	return code == GM_OK ? "ok" : err_table[position_of(code)].name;
}

int gm_err_http_status(int code)
{
	return code == GM_OK ? 200 : err_table[position_of(code)].status;
}
