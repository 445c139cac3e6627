/* SPDX-License-Identifier: MIT */
#include "base/jsonv.h"

#include <stdio.h>

#include "base/map.h"
#include "base/parse.h"

/* Objects with more members than this look for doubles by hash. */
#define MEMBERS_FEW 16

struct reader {
	struct gm_str document;
	size_t at;
	struct gm_arena *arena;
	unsigned depth;
	size_t values;
	struct gm_err *err;
};

static int wrong(struct reader *r, const char *what)
{
	char where[32];
	size_t line = 1, column = 1;

	for (size_t i = 0; i < r->at && i < r->document.n; i++) {
		column++;
		if (r->document.p[i] == '\n') {
			line++;
			column = 1;
		}
	}
	(void)snprintf(where, sizeof(where), "%zu:%zu", line, column);
	return gm_fail_at(r->err, GM_ERR_PARSE, where, "not JSON: %s", what);
}

static int no_memory(struct reader *r)
{
	return gm_fail(r->err, GM_ERR_TOO_LARGE, "the JSON needs more than its share of memory");
}

static int peek(const struct reader *r)
{
	return r->at < r->document.n ? (unsigned char)r->document.p[r->at] : -1;
}

static int skip_blanks(struct reader *r)
{
	int c = peek(r);

	while (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
		r->at++;
		c = peek(r);
	}
	return c;
}

static bool read_hex4(struct reader *r, unsigned *out)
{
	uint64_t v;

	if (r->document.n - r->at < 4 || !gm_parse_hex64(gm_str_n(r->document.p + r->at, 4), &v))
		return false;
	r->at += 4;
	*out = (unsigned)v;
	return true;
}

static char *add_utf8(char *to, unsigned c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 63));
	} else if (c < 0x10000) {
		*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 63));
		*to++ = (char)(0x80 | (c & 63));
	} else {
		*to++ = (char)(0xf0 | c >> 18);
		*to++ = (char)(0x80 | (c >> 12 & 63));
		*to++ = (char)(0x80 | (c >> 6 & 63));
		*to++ = (char)(0x80 | (c & 63));
	}
	return to;
}

/* Behind "\u". A pair of surrogates is one character; half a pair is none. */
static int read_unicode(struct reader *r, char **to)
{
	unsigned c, low;

	if (!read_hex4(r, &c))
		return wrong(r, "\\u wants four hexadecimal digits");
	if (c >= 0xd800 && c < 0xdc00) {
		if (r->document.n - r->at < 2 || r->document.p[r->at] != '\\' || r->document.p[r->at + 1] != 'u')
			return wrong(r, "half a surrogate pair");
		r->at += 2;
		if (!read_hex4(r, &low) || low < 0xdc00 || low >= 0xe000)
			return wrong(r, "half a surrogate pair");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	} else if (c >= 0xdc00 && c < 0xe000) {
		return wrong(r, "half a surrogate pair");
	}
	*to = add_utf8(*to, c);
	return 0;
}

/* Behind a backslash. What it stands for is never longer than what is written. */
static int read_escape(struct reader *r, char **to)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
	int c = peek(r);
	const char *known = c > 0 ? strchr(from, c) : NULL;

	if (c == 'u') {
		r->at++;
		return read_unicode(r, to);
	}
	if (!known)
		return wrong(r, "an unknown escape");
	r->at++;
	*(*to)++ = into[known - from];
	return 0;
}

/* The rest of a text whose first escape is at r->at; `begin` is where it began. */
static int read_escaped(struct reader *r, size_t begin, struct gm_str *out)
{
	size_t end = r->at;
	char *copy, *to;

	while (end < r->document.n && r->document.p[end] != '"')
		end += r->document.p[end] == '\\' ? 2 : 1;
	if (end >= r->document.n) {
		r->at = r->document.n;
		return wrong(r, "a text without an end");
	}
	copy = gm_arena_alloc(r->arena, end - begin + 1);
	if (!copy)
		return no_memory(r);
	memcpy(copy, r->document.p + begin, r->at - begin);
	to = copy + (r->at - begin);
	while (r->at < end) {
		char c = r->document.p[r->at++];

		if (c != '\\') {
			if ((unsigned char)c < 0x20)
				return wrong(r, "a control character in a text");
			*to++ = c;
			continue;
		}
		int rc = read_escape(r, &to);
		if (rc)
			return rc;
	}
	r->at++;
	*out = gm_str_n(copy, (size_t)(to - copy));
	return 0;
}

/* Behind the quote. */
static int read_text(struct reader *r, struct gm_str *out)
{
	size_t begin = r->at;

	for (; r->at < r->document.n; r->at++) {
		unsigned char c = (unsigned char)r->document.p[r->at];

		if (c == '\\')
			return read_escaped(r, begin, out);
		if (c < 0x20)
			return wrong(r, "a control character in a text");
		if (c == '"') {
			*out = gm_str_n(r->document.p + begin, r->at - begin);
			r->at++;
			return 0;
		}
	}
	return wrong(r, "a text without an end");
}

static bool take_digits(struct reader *r)
{
	size_t begin = r->at;

	while (peek(r) >= '0' && peek(r) <= '9')
		r->at++;
	return r->at > begin;
}

static int read_number(struct reader *r, struct gm_jsonv *v)
{
	size_t begin = r->at;

	if (peek(r) == '-')
		r->at++;
	if (peek(r) == '0')
		r->at++;
	else if (!take_digits(r))
		return wrong(r, "a value is expected");
	if (peek(r) == '.') {
		r->at++;
		if (!take_digits(r))
			return wrong(r, "a number wants digits behind its point");
	}
	if (peek(r) == 'e' || peek(r) == 'E') {
		r->at++;
		if (peek(r) == '+' || peek(r) == '-')
			r->at++;
		if (!take_digits(r))
			return wrong(r, "a number wants digits in its exponent");
	}
	v->type = GM_JSONV_NUMBER;
	v->text = gm_str_n(r->document.p + begin, r->at - begin);
	return 0;
}

static int read_word(struct reader *r, struct gm_jsonv *v)
{
	static const struct {
		struct gm_str word;
		enum gm_jsonv_type type;
	} words[] = { { { "null", 4 }, GM_JSONV_NULL },
		      { { "false", 5 }, GM_JSONV_FALSE },
		      { { "true", 4 }, GM_JSONV_TRUE } };
	struct gm_str rest = gm_str_n(r->document.p + r->at, r->document.n - r->at);

	for (size_t i = 0; i < GM_LEN(words); i++)
		if (gm_str_starts(rest, words[i].word)) {
			r->at += words[i].word.n;
			v->type = words[i].type;
			return 0;
		}
	return wrong(r, "a value is expected");
}

static int read_value(struct reader *r, struct gm_jsonv *v);

/* NULL: *out_rc says why. */
static struct gm_jsonv *new_value(struct reader *r, struct gm_jsonv ***end, int *out_rc)
{
	struct gm_jsonv *v;

	if (++r->values > GM_JSONV_VALUES_MAX) {
		*out_rc = gm_fail(r->err, GM_ERR_TOO_LARGE, "the JSON has more than %d values", GM_JSONV_VALUES_MAX);
		return NULL;
	}
	v = gm_arena_new(r->arena, struct gm_jsonv);
	if (!v) {
		*out_rc = no_memory(r);
		return NULL;
	}
	**end = v;
	*end = &v->next;
	return v;
}

static int read_member_name(struct reader *r, struct gm_str *out)
{
	int rc;

	if (peek(r) != '"')
		return wrong(r, "a name in quotes is expected");
	r->at++;
	rc = read_text(r, out);
	if (rc)
		return rc;
	if (skip_blanks(r) != ':')
		return wrong(r, "':' is expected");
	r->at++;
	(void)skip_blanks(r);
	return 0;
}

static bool has_twice(const struct gm_jsonv *object)
{
	GM_AUTO(gm_map_fini_p) struct gm_map seen = { 0 };

	if (object->count <= MEMBERS_FEW) {
		for (const struct gm_jsonv *a = object->first; a; a = a->next)
			for (const struct gm_jsonv *b = a->next; b; b = b->next)
				if (gm_str_eq(a->name, b->name))
					return true;
		return false;
	}
	for (struct gm_jsonv *a = object->first; a; a = a->next)
		if (gm_map_put(&seen, a->name, a))
			return true;
	return false;
}

/* Behind the bracket. */
static int read_items(struct reader *r, struct gm_jsonv *v, char closing)
{
	struct gm_jsonv **end = &v->first, *item;
	bool object = closing == '}';
	int rc = 0;

	v->type = object ? GM_JSONV_OBJECT : GM_JSONV_LIST;
	if (++r->depth > GM_JSONV_DEPTH_MAX)
		return wrong(r, "more levels than are read");
	if (skip_blanks(r) == closing) {
		r->at++;
		r->depth--;
		return 0;
	}
	for (;;) {
		(void)skip_blanks(r);
		item = new_value(r, &end, &rc);
		if (!item)
			return rc;
		if (object)
			rc = read_member_name(r, &item->name);
		if (rc == 0)
			rc = read_value(r, item);
		if (rc)
			return rc;
		v->count++;
		int c = skip_blanks(r);
		if (c != ',' && c != closing)
			return wrong(r, object ? "',' or '}' is expected" : "',' or ']' is expected");
		r->at++;
		if (c == closing)
			break;
	}
	r->depth--;
	return object && has_twice(v) ? wrong(r, "the object before has a name twice") : 0;
}

static int read_value(struct reader *r, struct gm_jsonv *v)
{
	int c = peek(r);

	switch (c) {
	case '{':
	case '[':
		r->at++;
		return read_items(r, v, c == '{' ? '}' : ']');
	case '"':
		r->at++;
		v->type = GM_JSONV_TEXT;
		return read_text(r, &v->text);
	case 'n':
	case 't':
	case 'f':
		return read_word(r, v);
	default:
		return read_number(r, v);
	}
}

int gm_jsonv_parse(struct gm_str document, struct gm_arena *arena, struct gm_jsonv **out, struct gm_err *err)
{
	struct reader r = { .document = document, .arena = arena, .err = err };
	struct gm_jsonv *root = NULL, **end = &root, *v;
	int rc = 0;

	if (!gm_str_utf8_ok(document))
		return gm_fail(err, GM_ERR_PARSE, "not JSON: not UTF-8");
	(void)skip_blanks(&r);
	v = new_value(&r, &end, &rc);
	if (!v)
		return rc;
	rc = read_value(&r, v);
	if (rc)
		return rc;
	if (skip_blanks(&r) != -1)
		return wrong(&r, "more than one value");
	*out = v;
	return 0;
}

const struct gm_jsonv *gm_jsonv_get(const struct gm_jsonv *v, struct gm_str name)
{
	if (!v || v->type != GM_JSONV_OBJECT)
		return NULL;
	gm_jsonv_each (v, member)
		if (gm_str_eq(member->name, name))
			return member;
	return NULL;
}

static const struct gm_jsonv *item_at(const struct gm_jsonv *list, struct gm_str number)
{
	uint64_t index;

	if (!list || !gm_parse_u64(number, 0, list->count, &index))
		return NULL;
	gm_jsonv_each (list, item)
		if (index-- == 0)
			return item;
	return NULL;
}

const struct gm_jsonv *gm_jsonv_at(const struct gm_jsonv *v, const char *path)
{
	struct gm_str rest = gm_str(path), part;

	while (v && gm_str_split(&rest, '.', &part))
		v = v->type == GM_JSONV_LIST ? item_at(v, part) : gm_jsonv_get(v, part);
	return v;
}

struct gm_str gm_jsonv_text(const struct gm_jsonv *v)
{
	return v && v->type == GM_JSONV_TEXT ? v->text : gm_str_n(NULL, 0);
}

bool gm_jsonv_i64(const struct gm_jsonv *v, int64_t *out)
{
	return v && v->type == GM_JSONV_NUMBER && gm_parse_i64(v->text, INT64_MIN, INT64_MAX, out);
}

bool gm_jsonv_fixed(const struct gm_jsonv *v, unsigned decimals, int64_t *out)
{
	return v && v->type == GM_JSONV_NUMBER && gm_parse_fixed(v->text, decimals, out);
}

bool gm_jsonv_f64(const struct gm_jsonv *v, double *out)
{
	return v && v->type == GM_JSONV_NUMBER && gm_parse_f64(v->text, out);
}

void gm_jsonv_write(const struct gm_jsonv *v, struct gm_json *w)
{
	switch (v->type) {
	case GM_JSONV_NULL:
		gm_json_null(w);
		return;
	case GM_JSONV_FALSE:
	case GM_JSONV_TRUE:
		gm_json_bool(w, v->type == GM_JSONV_TRUE);
		return;
	case GM_JSONV_NUMBER:
		gm_json_raw(w, v->text);
		return;
	case GM_JSONV_TEXT:
		gm_json_str(w, v->text);
		return;
	case GM_JSONV_LIST:
		gm_json_array(w);
		gm_jsonv_each (v, item)
			gm_jsonv_write(item, w);
		gm_json_end_array(w);
		return;
	case GM_JSONV_OBJECT:
		gm_json_object(w);
		gm_jsonv_each (v, member) {
			gm_json_key_str(w, member->name);
			gm_jsonv_write(member, w);
		}
		gm_json_end_object(w);
		return;
	}
}
