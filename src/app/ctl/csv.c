/* SPDX-License-Identifier: MIT */
#include "app/ctl/csv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/parse.h"

#define STEP 65536
#define SHOWN_MAX 40

static int read_whole(const char *path, struct gm_buf *out, struct gm_err *err)
{
	GM_AUTO(gm_fd_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return gm_fail_errno(err, errno, "cannot be opened");
	for (;;) {
		char *room = gm_buf_reserve(out, STEP);
		ssize_t n;

		if (!room)
			return gm_fail(err, GM_ERR_TOO_LARGE, "more than %d bytes", GM_CSV_BYTES_MAX);
		n = read(fd, room, STEP);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gm_fail_errno(err, errno, "cannot be read");
		if (n == 0)
			return 0;
		gm_buf_advance(out, (size_t)n);
	}
}

static int fail_in(const char *path, int rc, struct gm_err *err)
{
	if (err)
		(void)snprintf(err->where, sizeof(err->where), "%s", path);
	return rc;
}

static int begin(const char *path, struct gm_buf *text, struct gm_csv *out, struct gm_err *err)
{
	struct gm_csv c = { .path = path };
	size_t n;

	if (memchr(gm_buf_cstr(text), 0, text->n))
		return fail_in(path, gm_fail(err, GM_ERR_PARSE, "a NUL byte: this is no text"), err);
	c.text = gm_buf_steal(text, &n);
	c.rest = gm_str_n(c.text, n);
	if (gm_str_starts(c.rest, GM_STR("\xEF\xBB\xBF")))
		c.rest = gm_str_n(c.rest.p + 3, c.rest.n - 3);
	*out = c;
	return 0;
}

int gm_csv_open(const char *path, struct gm_csv *out, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf text = { .limit = GM_CSV_BYTES_MAX };
	int rc = read_whole(path, &text, err);

	return rc < 0 ? fail_in(path, rc, err) : begin(path, &text, out, err);
}

int gm_csv_open_text(const char *name, struct gm_str text, struct gm_csv *out, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf copy = { .limit = GM_CSV_BYTES_MAX };

	gm_buf_add_str(&copy, text);
	if (copy.failed)
		return fail_in(name, gm_fail(err, GM_ERR_TOO_LARGE, "more than %d bytes", GM_CSV_BYTES_MAX), err);
	return begin(name, &copy, out, err);
}

void gm_csv_close(struct gm_csv *c)
{
	free(c->text);
	*c = (struct gm_csv){ 0 };
}

/* gm_str_split gives no last field that is empty; here it counts. */
static int cut(struct gm_csv *c, struct gm_err *err)
{
	struct gm_str line = c->row;

	c->field_count = 0;
	for (;;) {
		size_t comma = gm_str_find(line, ',');

		if (c->field_count == GM_CSV_FIELDS_MAX)
			return gm_csv_fail(c, -1, err, "more than %d fields", GM_CSV_FIELDS_MAX);
		c->fields[c->field_count++] = gm_str_n(line.p, comma);
		if (comma == line.n)
			return 1;
		line = gm_str_n(line.p + comma + 1, line.n - comma - 1);
	}
}

int gm_csv_next(struct gm_csv *c, struct gm_err *err)
{
	struct gm_str line;

	while (gm_str_split(&c->rest, '\n', &line)) {
		c->line++;
		if (gm_str_ends(line, GM_STR("\r")))
			line.n--;
		if (!gm_str_trim(line).n)
			continue;
		c->row = line;
		return cut(c, err);
	}
	return 0;
}

int gm_csv_column(const struct gm_csv *c, const char *name)
{
	for (size_t i = 0; i < c->field_count; i++)
		if (gm_str_is(gm_str_trim(c->fields[i]), name))
			return (int)i;
	return -1;
}

/* A wrong value as it may be repeated: a terminal does not act on it, and it is short. */
static struct gm_str shown(struct gm_str s)
{
	s.n = s.n < SHOWN_MAX ? s.n : SHOWN_MAX;
	return gm_str_plain_ok(s) ? s : GM_STR("(not plain text)");
}

int gm_csv_fixed(const struct gm_csv *c, int field, const char *what, unsigned decimals, int64_t min, int64_t max,
		 int64_t *out, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf range = { 0 };
	struct gm_str text;
	int64_t v;

	if (field < 0 || (size_t)field >= c->field_count)
		return gm_csv_fail(c, -1, err, "%s is missing: the row has %zu fields", what, c->field_count);
	text = gm_str_trim(c->fields[field]);
	/* A whole number is written as one: "1.6" is not 2. */
	if ((decimals ? gm_parse_fixed(text, decimals, &v) : gm_parse_i64(text, INT64_MIN, INT64_MAX, &v)) &&
	    v >= min && v <= max) {
		*out = v;
		return 0;
	}
	gm_buf_add_fixed(&range, min, decimals);
	gm_buf_add_cstr(&range, " to ");
	gm_buf_add_fixed(&range, max, decimals);
	return gm_csv_fail(c, field, err, "%s '%.*s' is no %snumber from %s", what, GM_STR_ARG(shown(text)),
			   decimals ? "" : "whole ", gm_buf_cstr(&range));
}

int gm_csv_fail(const struct gm_csv *c, int field, struct gm_err *err, const char *fmt, ...)
{
	char text[256], where[sizeof(err->where)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (field >= 0)
		(void)snprintf(where, sizeof(where), "%s:%" PRIu64 ":%td", c->path, c->line,
			       c->fields[field].p - c->row.p + 1);
	else
		(void)snprintf(where, sizeof(where), "%s:%" PRIu64, c->path, c->line ? c->line : 1);
	return gm_fail_at(err, GM_ERR_PARSE, where, "%s", text);
}
