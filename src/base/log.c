/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"

/* One text of a line; what is longer is cut, so that a page gone wrong cannot fill the log. */
#define TEXT_MAX 4096

static const char *const LEVELS[] = {
	[GM_LOG_DEBUG] = "debug",
	[GM_LOG_INFO] = "info",
	[GM_LOG_WARN] = "warn",
	[GM_LOG_ERROR] = "error",
};

/* Set before threads start; only the level changes later. */
static struct {
	enum gm_log_format format;
	int fd;
	const struct gm_clock *clock;
	atomic_int level;
} g_log = { .format = GM_LOG_LOGFMT, .fd = STDERR_FILENO, .level = GM_LOG_INFO };

void gm_log_setup(enum gm_log_format format, enum gm_log_level level, int fd, const struct gm_clock *clock)
{
	g_log.format = format;
	g_log.fd = fd;
	g_log.clock = clock;
	gm_log_set_level(level);
}

void gm_log_set_level(enum gm_log_level level)
{
	atomic_store_explicit(&g_log.level, (int)level, memory_order_relaxed);
}

bool gm_log_enabled(enum gm_log_level level)
{
	return (int)level >= atomic_load_explicit(&g_log.level, memory_order_relaxed);
}

/* At most TEXT_MAX bytes, not cut inside a UTF-8 sequence. */
static struct gm_str shorten(const char *text)
{
	size_t n = strnlen(text, TEXT_MAX + 1);

	if (n > TEXT_MAX)
		for (n = TEXT_MAX; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
			n--;
	return gm_str_n(text, n);
}

static bool logfmt_is_bare(struct gm_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f)
			return false;
	}
	return s.n > 0;
}

/* Quoted texts follow JSON's rules, so that one line of any content stays one line. */
static void logfmt_text(struct gm_buf *out, const char *text)
{
	struct gm_str s = shorten(text);
	struct gm_json w;

	if (logfmt_is_bare(s)) {
		gm_buf_add_str(out, s);
		return;
	}
	gm_json_init(&w, out);
	gm_json_str(&w, s);
}

static void logfmt_field(struct gm_buf *out, const struct gm_log_field *f)
{
	gm_buf_add_char(out, ' ');
	gm_buf_add_cstr(out, f->key);
	gm_buf_add_char(out, '=');
	if (f->text)
		logfmt_text(out, f->text);
	else
		gm_buf_add_i64(out, f->number);
}

static void json_field(struct gm_json *w, const struct gm_log_field *f)
{
	gm_json_key_n(w, f->key, strlen(f->key));
	if (f->text)
		gm_json_str(w, shorten(f->text));
	else
		gm_json_i64(w, f->number);
}

/* The line's own fields stand before the caller's. */
struct line {
	struct gm_buf out;
	struct gm_json json;
};

static void line_add(struct line *l, const struct gm_log_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (g_log.format == GM_LOG_JSON)
			json_field(&l->json, &fields[i]);
		else
			logfmt_field(&l->out, &fields[i]);
	}
}

static void line_begin(struct line *l, enum gm_log_level level, const char *message)
{
	char time[GM_TIME_TEXT_SIZE];
	const struct gm_clock *clock = g_log.clock ? g_log.clock : gm_clock_system();

	(void)gm_time_format(gm_wall_ms(clock), time);
	if (g_log.format == GM_LOG_JSON) {
		gm_json_init(&l->json, &l->out);
		gm_json_object(&l->json);
	} else {
		gm_buf_add_cstr(&l->out, "time=");
		gm_buf_add_cstr(&l->out, time);
	}
	const struct gm_log_field head[] = {
		{ .key = "time", .text = time },
		{ .key = "level", .text = LEVELS[level] },
		{ .key = "msg", .text = message },
	};
	size_t skip = g_log.format == GM_LOG_JSON ? 0 : 1; /* no blank before the first */
	line_add(l, head + skip, GM_LEN(head) - skip);
}

/* One write a line: lines of several threads do not mix. What cannot be written is lost, there is nobody to tell. */
static void line_end(struct line *l)
{
	if (g_log.format == GM_LOG_JSON)
		gm_json_end_object(&l->json);
	gm_buf_add_char(&l->out, '\n');
	const char *p = l->out.p;
	size_t left = l->out.n;
	while (left > 0) {
		ssize_t n = write(g_log.fd, p, left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		p += n;
		left -= (size_t)n;
	}
	gm_buf_fini(&l->out);
}

void gm_log_write(enum gm_log_level level, const char *message, const struct gm_log_field *fields, size_t count)
{
	struct line l = { 0 };
	int saved = errno;

	line_begin(&l, level, message);
	line_add(&l, fields, count);
	line_end(&l);
	errno = saved;
}

void gm_log_write_err(enum gm_log_level level, const char *message, const struct gm_err *err,
		      const struct gm_log_field *fields, size_t count)
{
	struct line l = { 0 };
	int saved = errno;
	const struct gm_log_field tail[] = {
		{ .key = "error", .text = err->text },
		{ .key = "code", .text = gm_err_name(err->code) },
		{ .key = "where", .text = err->where },
	};

	line_begin(&l, level, message);
	line_add(&l, fields, count);
	line_add(&l, tail, err->where[0] ? 3 : 2);
	line_end(&l);
	errno = saved;
}

bool gm_log_limit_pass(struct gm_log_limit *l, int64_t mono_ms, int64_t every_ms, uint64_t *out_suppressed)
{
	if (l->used && mono_ms - l->last_mono_ms < every_ms) {
		l->suppressed++;
		return false;
	}
	*out_suppressed = l->suppressed;
	*l = (struct gm_log_limit){ .last_mono_ms = mono_ms, .used = true };
	return true;
}
