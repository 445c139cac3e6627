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

#include "base/alloc.h"
#include "base/buf.h"
#include "base/parse.h"

#define STEP 65536

static int read_whole(const char *path, struct gm_buf *out, struct gm_err *err)
{
	GM_AUTO(gm_fd_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return gm_fail_errno(err, errno, "cannot be opened");
	for (;;) {
		char *room = gm_buf_reserve(out, STEP);
		ssize_t n;

		if (!room)
			return gm_fail(err, GM_ERR_TOO_LARGE, "more than %d bytes", GM_CTL_CSV_BYTES_MAX);
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

/* Every failure of a file has its place. */
static int fail_file(const struct gm_ctl_csv *c, struct gm_err *err, int code)
{
	if (err && c->line)
		(void)snprintf(err->where, sizeof(err->where), "%s:%" PRIu64, c->path, c->line);
	else if (err)
		(void)snprintf(err->where, sizeof(err->where), "%s", c->path);
	return code;
}

int gm_ctl_csv_fail(const struct gm_ctl_csv *c, struct gm_err *err, int code, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return fail_file(c, err, gm_fail(err, code, "%s", text));
}

/* The next line that is not blank, without its end. */
static bool next_line(struct gm_ctl_csv *c, struct gm_str *out)
{
	struct gm_str line;

	while (gm_str_split(&c->rest, '\n', &line)) {
		c->line++;
		if (gm_str_ends(line, GM_STR("\r")))
			line.n--;
		if (!line.n)
			continue;
		*out = line;
		return true;
	}
	return false;
}

/* How many fields the line has; at most `max` of them are noted. gm_str_split gives no last field that is empty. */
static size_t cut(struct gm_str line, struct gm_str *out, size_t max)
{
	size_t count = 0;

	for (;;) {
		size_t comma = gm_str_find(line, ',');

		if (count < max)
			out[count] = gm_str_n(line.p, comma);
		count++;
		if (comma == line.n)
			return count;
		line = gm_str_n(line.p + comma + 1, line.n - comma - 1);
	}
}

int gm_ctl_csv_open(const char *path, struct gm_ctl_csv *out, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf text = { .limit = GM_CTL_CSV_BYTES_MAX };
	GM_AUTO(gm_ctl_csv_close_p) struct gm_ctl_csv c = { .path = path };
	struct gm_str head;
	size_t n;
	int rc = read_whole(path, &text, err);

	if (rc < 0)
		return fail_file(&c, err, rc);
	if (memchr(gm_buf_cstr(&text), 0, text.n))
		return gm_ctl_csv_fail(&c, err, GM_ERR_PARSE, "a NUL byte: this is no text");
	c.text = gm_buf_steal(&text, &n);
	c.rest = gm_str_n(c.text, n);
	if (gm_str_starts(c.rest, GM_STR("\xEF\xBB\xBF")))
		c.rest = gm_str_n(c.rest.p + 3, c.rest.n - 3);
	if (!next_line(&c, &head))
		return gm_ctl_csv_fail(&c, err, GM_ERR_PARSE, "empty; a line of column names is expected");
	c.names = gm_xalloc(GM_CTL_CSV_COLUMNS_MAX * sizeof(*c.names));
	c.fields = gm_xalloc(GM_CTL_CSV_COLUMNS_MAX * sizeof(*c.fields));
	c.column_count = cut(head, c.names, GM_CTL_CSV_COLUMNS_MAX);
	if (c.column_count > GM_CTL_CSV_COLUMNS_MAX)
		return gm_ctl_csv_fail(&c, err, GM_ERR_TOO_LARGE, "%zu columns; at most %d", c.column_count,
				       GM_CTL_CSV_COLUMNS_MAX);
	*out = c;
	c = (struct gm_ctl_csv){ 0 };
	return 0;
}

void gm_ctl_csv_close(struct gm_ctl_csv *c)
{
	free(c->text);
	free(c->names);
	free(c->fields);
	*c = (struct gm_ctl_csv){ 0 };
}

size_t gm_ctl_csv_find(const struct gm_ctl_csv *c, const char *name)
{
	for (size_t i = 0; i < c->column_count; i++)
		if (gm_str_is(c->names[i], name))
			return i;
	return SIZE_MAX;
}

int gm_ctl_csv_column(const struct gm_ctl_csv *c, const char *name, size_t *out, struct gm_err *err)
{
	size_t column = gm_ctl_csv_find(c, name);

	if (column == SIZE_MAX)
		return gm_ctl_csv_fail(c, err, GM_ERR_PARSE, "no column '%s'", name);
	*out = column;
	return 0;
}

int gm_ctl_csv_next(struct gm_ctl_csv *c, struct gm_err *err)
{
	struct gm_str line;
	size_t count;

	if (!next_line(c, &line))
		return 0;
	count = cut(line, c->fields, c->column_count);
	if (count != c->column_count)
		return gm_ctl_csv_fail(c, err, GM_ERR_PARSE, "%zu fields where the first line names %zu", count,
				       c->column_count);
	return 1;
}

int gm_ctl_csv_u64(const struct gm_ctl_csv *c, size_t column, uint64_t min, uint64_t max, uint64_t *out,
		   struct gm_err *err)
{
	if (gm_parse_u64(c->fields[column], min, max, out))
		return 0;
	return gm_ctl_csv_fail(c, err, GM_ERR_PARSE,
			       "%.*s '%.*s' is no whole number from %" PRIu64 " to %" PRIu64, GM_STR_ARG(c->names[column]),
			       GM_STR_ARG(c->fields[column]), min, max);
}
