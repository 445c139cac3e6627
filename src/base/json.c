/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"

#define LEVELS_MAX 32

/* Bytes that cannot be copied as they are: 1 is written as \u00XX, 2 begins or belongs to more than ASCII, else the letter. */
static const char ESCAPE[256] = {
	[0 ... 7] = 1, [11] = 1,     [14 ... 31] = 1, [128 ... 255] = 2, ['\b'] = 'b',	['\t'] = 't',
	['\n'] = 'n',  ['\f'] = 'f', ['\r'] = 'r',    ['"'] = '"',	 ['\\'] = '\\',
};

#define ONES 0x0101010101010101ULL
#define TOPS 0x8080808080808080ULL

/* True when one of eight bytes is below 0x20, a quote, a backslash, or not ASCII (zero-byte test by borrow). */
static bool word_is_special(uint64_t v)
{
	uint64_t quote = v ^ (ONES * '"');
	uint64_t slash = v ^ (ONES * '\\');

	return ((v | (v - ONES * 0x20) | ((quote - ONES) & ~quote) | ((slash - ONES) & ~slash)) & TOPS) != 0;
}

/* Room for n bytes and the NUL; NULL when the buffer has failed. The common case costs no call. */
static char *room(struct gm_buf *b, size_t n)
{
	if (gm_likely(b->capacity > b->n && b->capacity - b->n > n && !b->failed))
		return b->p + b->n;
	return gm_buf_reserve(b, n);
}

static void took(struct gm_buf *b, size_t n)
{
	b->n += n;
	b->p[b->n] = '\0';
}

/* What stands before a value: nothing behind a key, a comma behind another value. */
static void before_value(struct gm_json *w)
{
	assert(w->depth > 0 || !w->need_comma);						   /* one value at the top */
	assert(w->depth == 0 || w->after_key || (w->is_array >> (w->depth - 1) & 1) != 0); /* an object wants keys */
	if (w->need_comma)
		gm_buf_add_char(w->out, ',');
	w->need_comma = true;
	w->after_key = false;
}

static void open_level(struct gm_json *w, char c, bool is_array)
{
	before_value(w);
	assert(w->depth < LEVELS_MAX);
	uint32_t bit = UINT32_C(1) << w->depth;
	w->is_array = is_array ? w->is_array | bit : w->is_array & ~bit;
	w->depth++;
	w->need_comma = false;
	gm_buf_add_char(w->out, c);
}

static void close_level(struct gm_json *w, char c, bool is_array)
{
	assert(w->depth > 0 && !w->after_key);
	w->depth--;
	assert(((w->is_array >> w->depth & 1) != 0) == is_array);
	(void)is_array;
	w->need_comma = true;
	gm_buf_add_char(w->out, c);
}

void gm_json_init(struct gm_json *w, struct gm_buf *out)
{
	*w = (struct gm_json){ .out = out };
}

void gm_json_object(struct gm_json *w)
{
	open_level(w, '{', false);
}

void gm_json_end_object(struct gm_json *w)
{
	close_level(w, '}', false);
}

void gm_json_array(struct gm_json *w)
{
	open_level(w, '[', true);
}

void gm_json_end_array(struct gm_json *w)
{
	close_level(w, ']', true);
}

static void before_key(struct gm_json *w)
{
	assert(w->depth > 0 && !w->after_key && (w->is_array >> (w->depth - 1) & 1) == 0);
	w->after_key = true;
}

void gm_json_key_n(struct gm_json *w, const char *key, size_t n)
{
	before_key(w);
	char *p = room(w->out, n + 4);
	if (p) {
		char *at = p;
		if (w->need_comma)
			*at++ = ',';
		*at++ = '"';
		memcpy(at, key, n);
		at += n;
		*at++ = '"';
		*at++ = ':';
		took(w->out, (size_t)(at - p));
	}
	w->need_comma = false;
}

/* One special byte (or one UTF-8 sequence) of s; returns how many bytes it was. */
static size_t add_special(struct gm_buf *b, struct gm_str s)
{
	static const char HEX[] = "0123456789abcdef";
	unsigned char c = (unsigned char)s.p[0];
	char code = ESCAPE[c];

	if (code == 2) {
		size_t n = gm_str_utf8_length(s);
		if (n)
			gm_buf_add(b, s.p, n);
		else
			gm_buf_add(b, "\xef\xbf\xbd", 3);
		return n ? n : 1;
	}
	if (code == 1) {
		char text[6] = { '\\', 'u', '0', '0', HEX[c >> 4], HEX[c & 15] };
		gm_buf_add(b, text, sizeof(text));
	} else {
		char text[2] = { '\\', code };
		gm_buf_add(b, text, sizeof(text));
	}
	return 1;
}

static void add_escaped(struct gm_buf *b, struct gm_str s)
{
	while (s.n > 0) {
		size_t plain = 0;
		while (plain < s.n && ESCAPE[(unsigned char)s.p[plain]] == 0)
			plain++;
		gm_buf_add(b, s.p, plain);
		s = gm_str_n(s.p + plain, s.n - plain);
		if (s.n > 0) {
			size_t used = add_special(b, s);
			s = gm_str_n(s.p + used, s.n - used);
		}
	}
}

/* Copies while nothing needs escaping, eight bytes at a time; returns how many it copied. `to` has room for all of s. */
static size_t copy_plain(char *to, struct gm_str s)
{
	size_t i = 0;

	for (; i + 8 <= s.n; i += 8) {
		uint64_t v;
		memcpy(&v, s.p + i, 8);
		if (word_is_special(v))
			break;
		memcpy(to + i, &v, 8);
	}
	for (; i < s.n && ESCAPE[(unsigned char)s.p[i]] == 0; i++)
		to[i] = s.p[i];
	return i;
}

static void add_quoted(struct gm_buf *b, struct gm_str s)
{
	char *p = room(b, s.n + 2);

	if (!p)
		return;
	*p = '"';
	size_t plain = copy_plain(p + 1, s);
	if (gm_likely(plain == s.n)) {
		p[1 + plain] = '"';
		took(b, plain + 2);
		return;
	}
	took(b, 1 + plain);
	add_escaped(b, gm_str_n(s.p + plain, s.n - plain));
	gm_buf_add_char(b, '"');
}

void gm_json_key_str(struct gm_json *w, struct gm_str key)
{
	before_key(w);
	if (w->need_comma)
		gm_buf_add_char(w->out, ',');
	w->need_comma = false;
	add_quoted(w->out, key);
	gm_buf_add_char(w->out, ':');
}

void gm_json_str(struct gm_json *w, struct gm_str s)
{
	before_value(w);
	add_quoted(w->out, s);
}

void gm_json_cstr(struct gm_json *w, const char *s)
{
	if (s)
		gm_json_str(w, gm_str(s));
	else
		gm_json_null(w);
}

void gm_json_i64(struct gm_json *w, int64_t v)
{
	before_value(w);
	gm_buf_add_i64(w->out, v);
}

void gm_json_u64(struct gm_json *w, uint64_t v)
{
	before_value(w);
	gm_buf_add_u64(w->out, v);
}

void gm_json_f64(struct gm_json *w, double v)
{
	before_value(w);
	if (isfinite(v))
		gm_buf_add_f64(w->out, v);
	else
		gm_buf_add(w->out, "null", 4);
}

void gm_json_fixed(struct gm_json *w, int64_t value, unsigned decimals)
{
	before_value(w);
	gm_buf_add_fixed(w->out, value, decimals);
}

void gm_json_bool(struct gm_json *w, bool v)
{
	before_value(w);
	gm_buf_add_cstr(w->out, v ? "true" : "false");
}

void gm_json_null(struct gm_json *w)
{
	before_value(w);
	gm_buf_add(w->out, "null", 4);
}

void gm_json_time(struct gm_json *w, int64_t ms)
{
	char text[GM_TIME_TEXT_SIZE + 2];

	if (ms <= 0) {
		gm_json_null(w);
		return;
	}
	before_value(w);
	unsigned n = gm_time_format(ms, text + 1);
	text[0] = '"';
	text[1 + n] = '"';
	gm_buf_add(w->out, text, n + 2);
}

void gm_json_raw(struct gm_json *w, struct gm_str json)
{
	assert(json.n > 0);
	before_value(w);
	gm_buf_add_str(w->out, json);
}

void gm_json_base64(struct gm_json *w, const void *bytes, size_t n)
{
	before_value(w);
	gm_buf_add_char(w->out, '"');
	gm_buf_add_base64(w->out, bytes, n);
	gm_buf_add_char(w->out, '"');
}
