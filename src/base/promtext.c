/* SPDX-License-Identifier: MIT */
#include "base/promtext.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

enum {
	NAME_START = 1, /* a letter, '_' or ':' */
	NAME_REST = 2,	/* the same or a digit */
	COLON = 4,	/* in metric names only */
	NUMBER = 8,	/* may stand in a value: 12, -1.5e+3, NaN, +Infinity */
	WORD = NAME_START | NAME_REST,
};

static const unsigned char CLASS[256] = {
	['0' ... '9'] = NAME_REST | NUMBER,
	['a'] = WORD | NUMBER,
	['b' ... 'd'] = WORD,
	['e' ... 'f'] = WORD | NUMBER,
	['g' ... 'h'] = WORD,
	['i'] = WORD | NUMBER,
	['j' ... 'm'] = WORD,
	['n'] = WORD | NUMBER,
	['o' ... 's'] = WORD,
	['t'] = WORD | NUMBER,
	['u' ... 'x'] = WORD,
	['y'] = WORD | NUMBER,
	['z'] = WORD,
	['A'] = WORD | NUMBER,
	['B' ... 'D'] = WORD,
	['E' ... 'F'] = WORD | NUMBER,
	['G' ... 'H'] = WORD,
	['I'] = WORD | NUMBER,
	['J' ... 'M'] = WORD,
	['N'] = WORD | NUMBER,
	['O' ... 'S'] = WORD,
	['T'] = WORD | NUMBER,
	['U' ... 'X'] = WORD,
	['Y'] = WORD | NUMBER,
	['Z'] = WORD,
	['_'] = WORD,
	[':'] = WORD | COLON,
	['+'] = NUMBER,
	['-'] = NUMBER,
	['.'] = NUMBER,
};

static bool is(char c, unsigned char cls)
{
	return (CLASS[(unsigned char)c] & cls) != 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && is_blank(*p))
		p++;
	return p;
}

void gm_promtext_reader_init(struct gm_promtext_reader *r, struct gm_str page, bool openmetrics)
{
	*r = (struct gm_promtext_reader){ .rest = page, .openmetrics = openmetrics };
}

static int bad_line(const struct gm_promtext_reader *r, struct gm_err *err, const char *reason)
{
	char where[40];

	(void)snprintf(where, sizeof(where), "line %zu", r->line);
	return gm_fail_at(err, GM_ERR_PARSE, where, "%s", reason);
}

/* The next line without its end; false behind the last one. */
static bool next_line(struct gm_promtext_reader *r, struct gm_str *out)
{
	if (r->rest.n == 0)
		return false;
	const char *p = r->rest.p;
	const char *end = memchr(p, '\n', r->rest.n);
	size_t n = end ? (size_t)(end - p) : r->rest.n;
	size_t used = end ? n + 1 : n;
	r->rest = gm_str_n(p + used, r->rest.n - used);
	r->line++;
	if (n > 0 && p[n - 1] == '\r')
		n--;
	*out = gm_str_n(p, n);
	return true;
}

/* The '}' that ends the labels, quotes honoured: for lines where an exemplar's braces may follow. NULL without one. */
static const char *closing_brace(const char *p, const char *end)
{
	bool quoted = false;

	for (; p < end; p++) {
		if (quoted && *p == '\\' && p + 1 < end)
			p++;
		else if (*p == '"')
			quoted = !quoted;
		else if (*p == '}' && !quoted)
			return p;
	}
	return NULL;
}

/*
 * The end of the series that begins at p, NULL when there is none. What follows the labels holds no brace, so the last
 * '}' of the line is theirs and nothing before it needs a look; only an exemplar, which '#' gives away, asks for more.
 */
static const char *series_end(const struct gm_promtext_reader *r, const char *p, const char *end)
{
	const char *brace;

	if (gm_unlikely(r->openmetrics && memchr(p, '#', (size_t)(end - p)) != NULL)) {
		const char *open = p;
		while (open < end && is(*open, NAME_REST))
			open++;
		const char *at = skip_blanks(open, end);
		if (at == end || *at != '{')
			return open > p ? open : NULL;
		brace = closing_brace(at, end);
	} else {
		brace = memrchr(p, '}', (size_t)(end - p));
		if (!brace) {
			while (p < end && is(*p, NAME_REST))
				p++;
			return p;
		}
	}
	return brace ? brace + 1 : NULL;
}

/* 0.0.4: whole milliseconds; OpenMetrics: seconds, perhaps with a fraction. */
static bool parse_timestamp(struct gm_str text, bool openmetrics, int64_t *out_ms)
{
	if (openmetrics)
		return gm_parse_fixed(text, 3, out_ms);
	return gm_parse_i64(text, INT64_MIN + 1, INT64_MAX, out_ms);
}

/* What follows the series: a number, perhaps a timestamp, in OpenMetrics perhaps an exemplar. */
static int read_value(const struct gm_promtext_reader *r, const char *p, const char *end,
		      struct gm_promtext_sample *out, struct gm_err *err)
{
	const char *value = skip_blanks(p, end);
	const char *at = value;

	while (at < end && is(*at, NUMBER))
		at++;
	if (gm_unlikely(at == value || (at < end && !is_blank(*at))))
		return bad_line(r, err, at == end ? "no value behind the series" : "the value is not a number");
	out->value = gm_str_n(value, (size_t)(at - value));
	out->at_ms = INT64_MIN;
	at = skip_blanks(at, end);
	if (gm_likely(at == end))
		return 1;
	if (*at != '#') {
		const char *stamp = at;
		while (at < end && !is_blank(*at))
			at++;
		if (!parse_timestamp(gm_str_n(stamp, (size_t)(at - stamp)), r->openmetrics, &out->at_ms))
			return bad_line(r, err, "the timestamp is not a number");
		at = skip_blanks(at, end);
	}
	if (at == end)
		return 1;
	if (!r->openmetrics || *at != '#')
		return bad_line(r, err, "more text behind the sample");
	at = skip_blanks(at + 1, end);
	if (at == end || *at != '{' || !closing_brace(at, end))
		return bad_line(r, err, "an exemplar without labels");
	return 1;
}

static int read_sample(const struct gm_promtext_reader *r, const char *p, const char *end,
		       struct gm_promtext_sample *out, struct gm_err *err)
{
	if (gm_unlikely(end - p > GM_PROMTEXT_LINE_MAX))
		return bad_line(r, err, "the line is longer than 64 KiB");
	if (gm_unlikely(*p == '{'))
		return bad_line(r, err, "quoted metric names ({\"name\",...}) are not supported");
	if (gm_unlikely(!is(*p, NAME_START)))
		return bad_line(r, err, "a metric name begins with a letter, '_' or ':'");
	const char *behind = series_end(r, p, end);
	if (gm_unlikely(!behind))
		return bad_line(r, err, "labels without '}'");
	if (gm_unlikely(behind < end && !is_blank(*behind)))
		return bad_line(r, err, *behind == '{' ? "labels without '}'" : "no blank behind the series");
	struct gm_promtext_sample sample = { .series = gm_str_n(p, (size_t)(behind - p)) };
	int rc = read_value(r, behind, end, &sample, err);
	if (gm_likely(rc == 1))
		*out = sample;
	return rc;
}

int gm_promtext_next(struct gm_promtext_reader *r, struct gm_promtext_sample *out, struct gm_err *err)
{
	struct gm_str line;

	while (next_line(r, &line)) {
		const char *end = line.p + line.n;
		const char *p = skip_blanks(line.p, end);
		if (p == end)
			continue;
		if (gm_unlikely(r->eof_seen))
			return bad_line(r, err, "text behind # EOF");
		if (gm_likely(*p != '#'))
			return read_sample(r, p, end, out, err);
		if (r->openmetrics && gm_str_is(line, "# EOF"))
			r->eof_seen = true;
	}
	return 0;
}

/* Taking a series apart. */

struct cursor {
	const char *p;
	const char *end;
	struct gm_err *err;
};

static int bad_series(const struct cursor *c, const char *reason)
{
	(void)gm_fail(c->err, GM_ERR_PARSE, "%s", reason);
	return GM_ERR_PARSE;
}

static int read_name(struct cursor *c, struct gm_str *out)
{
	const char *begin = c->p;

	if (c->p == c->end || !is(*c->p, NAME_START) || is(*c->p, COLON))
		return bad_series(c, "a label name begins with a letter or '_'");
	while (c->p < c->end && is(*c->p, NAME_REST) && !is(*c->p, COLON))
		c->p++;
	*out = gm_str_n(begin, (size_t)(c->p - begin));
	return 0;
}

/* Removes the escapes \\ \" \n; a backslash before anything else stands for itself. `to` has room for all of s. */
static size_t unescape(struct gm_str s, char *to)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c == '\\' && i + 1 < s.n && (s.p[i + 1] == '\\' || s.p[i + 1] == '"' || s.p[i + 1] == 'n')) {
			i++;
			c = s.p[i] == 'n' ? '\n' : s.p[i];
		}
		to[n++] = c;
	}
	return n;
}

/* A quoted value. Unescaped ones of one series share a room reserved once, so that views into it stay. */
static int read_quoted(struct cursor *c, struct gm_buf *scratch, bool *reserved, struct gm_str *out)
{
	bool escaped = false;

	if (c->p == c->end || *c->p != '"')
		return bad_series(c, "a label value stands in double quotes");
	const char *begin = ++c->p;
	while (c->p < c->end && *c->p != '"') {
		if (*c->p == '\\') {
			escaped = true;
			c->p += c->p + 1 < c->end;
		}
		c->p++;
	}
	if (c->p == c->end)
		return bad_series(c, "a label value without its closing quote");
	struct gm_str raw = gm_str_n(begin, (size_t)(c->p - begin));
	c->p++;
	if (gm_likely(!escaped)) {
		*out = raw;
		return 0;
	}
	char *to = *reserved ? scratch->p + scratch->n : gm_buf_reserve(scratch, (size_t)(c->end - begin));
	if (!to)
		return gm_fail(c->err, GM_ERR_NO_MEMORY, "no memory for a label value");
	*reserved = true;
	*out = gm_str_n(to, unescape(raw, to));
	gm_buf_advance(scratch, out->n);
	return 0;
}

static bool has_label(const struct gm_promtext_label *labels, size_t count, struct gm_str name)
{
	for (size_t i = 0; i < count; i++)
		if (gm_str_eq(labels[i].name, name))
			return true;
	return false;
}

/* Two names with the same bit may be the same name; most series of a dozen labels are proven free of doubles by this. */
static uint64_t name_bit(struct gm_str name)
{
	unsigned mix = (unsigned char)name.p[0] * 7U + (unsigned char)name.p[name.n - 1] * 3U + (unsigned)name.n;

	return UINT64_C(1) << (mix & 63);
}

static int read_labels(struct cursor *c, struct gm_buf *scratch, struct gm_promtext_label *out, size_t *out_count)
{
	size_t count = 0;
	uint64_t seen = 0;
	bool reserved = false;

	for (c->p = skip_blanks(c->p, c->end); c->p < c->end && *c->p != '}'; c->p = skip_blanks(c->p, c->end)) {
		struct gm_promtext_label label;
		if (count == GM_PROMTEXT_LABELS_MAX)
			return bad_series(c, "more than 64 labels");
		if (*c->p == '"')
			return bad_series(c, "quoted names are not supported");
		int rc = read_name(c, &label.name);
		if (rc < 0)
			return rc;
		c->p = skip_blanks(c->p, c->end);
		if (c->p == c->end || *c->p != '=')
			return bad_series(c, "a label name without '='");
		c->p = skip_blanks(c->p + 1, c->end);
		rc = read_quoted(c, scratch, &reserved, &label.value);
		if (rc < 0)
			return rc;
		uint64_t bit = name_bit(label.name);
		if ((seen & bit) != 0 && has_label(out, count, label.name))
			return gm_fail(c->err, GM_ERR_PARSE, "label '%.*s' twice", GM_STR_ARG(label.name));
		seen |= bit;
		out[count++] = label;
		c->p = skip_blanks(c->p, c->end);
		if (c->p < c->end && *c->p == ',')
			c->p++;
		else if (c->p < c->end && *c->p != '}')
			return bad_series(c, "neither ',' nor '}' behind a label");
	}
	*out_count = count;
	return 0;
}

int gm_promtext_labels(struct gm_str series, struct gm_buf *scratch, struct gm_str *out_name,
		       struct gm_promtext_label out[static GM_PROMTEXT_LABELS_MAX], size_t *out_count,
		       struct gm_err *err)
{
	struct cursor c = { .p = series.p, .end = series.p + series.n, .err = err };
	size_t count = 0;

	if (series.n == 0 || !is(*c.p, NAME_START))
		return bad_series(&c, "a metric name begins with a letter, '_' or ':'");
	while (c.p < c.end && is(*c.p, NAME_REST))
		c.p++;
	struct gm_str name = gm_str_n(series.p, (size_t)(c.p - series.p));
	c.p = skip_blanks(c.p, c.end);
	if (c.p < c.end) {
		if (*c.p != '{')
			return bad_series(&c, "a metric name holds letters, digits, '_' and ':' only");
		if (!gm_str_utf8_ok(series))
			return bad_series(&c, "not valid UTF-8");
		c.p++;
		int rc = read_labels(&c, scratch, out, &count);
		if (rc < 0)
			return rc;
		if (c.p == c.end)
			return bad_series(&c, "labels without '}'");
		if (c.p + 1 != c.end)
			return bad_series(&c, "text behind the labels");
	}
	*out_name = name;
	*out_count = count;
	return 0;
}

struct gm_str gm_promtext_label(const struct gm_promtext_label *labels, size_t count, const char *name)
{
	struct gm_str want = gm_str(name);

	for (size_t i = 0; i < count; i++)
		if (gm_str_eq(labels[i].name, want))
			return labels[i].value;
	return GM_STR("");
}

/* Writing. */

void gm_promtext_writer_init(struct gm_promtext_writer *w, struct gm_buf *out, enum gm_promtext_format format)
{
	*w = (struct gm_promtext_writer){ .out = out, .format = format };
}

static bool name_ok(const char *name, bool metric)
{
	if (!is(*name, NAME_START))
		return false;
	for (const char *p = name; *p; p++)
		if (!is(*p, NAME_REST) || (!metric && is(*p, COLON)))
			return false;
	return true;
}

static void add_escaped(struct gm_buf *out, struct gm_str s, bool quotes)
{
	size_t plain = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c != '\\' && c != '\n' && (c != '"' || !quotes))
			continue;
		gm_buf_add(out, s.p + plain, i - plain);
		gm_buf_add_char(out, '\\');
		gm_buf_add_char(out, c == '\n' ? 'n' : c);
		plain = i + 1;
	}
	if (s.n > plain)
		gm_buf_add(out, s.p + plain, s.n - plain);
}

/* The family's name: OpenMetrics puts _total and _info on the samples only. */
static struct gm_str family_name(const struct gm_promtext_writer *w)
{
	struct gm_str name = gm_str(w->name);
	struct gm_str ending = w->type == GM_PROMTEXT_COUNTER ? GM_STR("_total")
			       : w->type == GM_PROMTEXT_INFO  ? GM_STR("_info")
							      : GM_STR("");

	assert(gm_str_ends(name, ending));
	if (w->format == GM_PROMTEXT_OPENMETRICS)
		name.n -= ending.n;
	return name;
}

void gm_promtext_family(struct gm_promtext_writer *w, const char *name, enum gm_promtext_type type, const char *help)
{
	static const char *const TYPES[][2] = {
		[GM_PROMTEXT_GAUGE] = { "gauge", "gauge" },
		[GM_PROMTEXT_COUNTER] = { "counter", "counter" },
		[GM_PROMTEXT_HISTOGRAM] = { "histogram", "histogram" },
		[GM_PROMTEXT_INFO] = { "gauge", "info" },
	};

	assert(name_ok(name, true));
	w->name = name;
	w->type = type;
	struct gm_str family = family_name(w);
	gm_buf_add_cstr(w->out, "# HELP ");
	gm_buf_add_str(w->out, family);
	gm_buf_add_char(w->out, ' ');
	add_escaped(w->out, gm_str(help), w->format == GM_PROMTEXT_OPENMETRICS);
	gm_buf_add_cstr(w->out, "\n# TYPE ");
	gm_buf_add_str(w->out, family);
	gm_buf_add_char(w->out, ' ');
	gm_buf_add_cstr(w->out, TYPES[type][w->format == GM_PROMTEXT_OPENMETRICS]);
	gm_buf_add_char(w->out, '\n');
}

void gm_promtext_sample(struct gm_promtext_writer *w, const char *suffix)
{
	assert(w->name && !w->in_labels);
	gm_buf_add_cstr(w->out, w->name);
	gm_buf_add_cstr(w->out, suffix);
}

void gm_promtext_add_label(struct gm_promtext_writer *w, const char *name, struct gm_str value)
{
	assert(name_ok(name, false));
	gm_buf_add_char(w->out, w->in_labels ? ',' : '{');
	w->in_labels = true;
	gm_buf_add_cstr(w->out, name);
	gm_buf_add(w->out, "=\"", 2);
	add_escaped(w->out, value, true);
	gm_buf_add_char(w->out, '"');
}

static void before_value(struct gm_promtext_writer *w)
{
	if (w->in_labels)
		gm_buf_add(w->out, "} ", 2);
	else
		gm_buf_add_char(w->out, ' ');
	w->in_labels = false;
}

void gm_promtext_f64(struct gm_promtext_writer *w, double v)
{
	before_value(w);
	gm_buf_add_f64(w->out, v);
	gm_buf_add_char(w->out, '\n');
}

void gm_promtext_i64(struct gm_promtext_writer *w, int64_t v)
{
	before_value(w);
	gm_buf_add_i64(w->out, v);
	gm_buf_add_char(w->out, '\n');
}

void gm_promtext_fixed(struct gm_promtext_writer *w, int64_t value, unsigned decimals)
{
	before_value(w);
	gm_buf_add_fixed(w->out, value, decimals);
	gm_buf_add_char(w->out, '\n');
}

void gm_promtext_end(struct gm_promtext_writer *w)
{
	if (w->format == GM_PROMTEXT_OPENMETRICS)
		gm_buf_add_cstr(w->out, "# EOF\n");
}

const char *gm_promtext_content_type(enum gm_promtext_format format)
{
	return format == GM_PROMTEXT_OPENMETRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
						 : "text/plain; version=0.0.4; charset=utf-8";
}

bool gm_promtext_is_openmetrics(struct gm_str content_type)
{
	struct gm_str type = { 0 };

	(void)gm_str_split(&content_type, ';', &type);
	return gm_str_ieq(gm_str_trim(type), GM_STR("application/openmetrics-text"));
}

/* How much an Accept header wants one media type: of the ranges that fit it, the narrowest speaks. */
struct wish {
	int narrowness; /* 0 nothing, 1 any, 2 any of the kind, 3 the type, 4 the type with its version */
	int64_t q;	/* thousandths */
};

static void wish_take(struct wish *w, int narrowness, int64_t q)
{
	if (narrowness > w->narrowness || (narrowness == w->narrowness && q > w->q))
		*w = (struct wish){ .narrowness = narrowness, .q = q };
}

/* Reads the parameters behind a media range. `version` is empty when not given. */
static void accept_parameters(struct gm_str rest, int64_t *out_q, struct gm_str *out_version)
{
	struct gm_str part;

	while (gm_str_split(&rest, ';', &part)) {
		size_t eq = gm_str_find(part, '=');
		if (eq == part.n)
			continue;
		struct gm_str key = gm_str_trim(gm_str_n(part.p, eq));
		struct gm_str value = gm_str_trim(gm_str_n(part.p + eq + 1, part.n - eq - 1));
		int64_t q;
		if (gm_str_ieq(key, GM_STR("q")) && gm_parse_fixed(value, 3, &q) && q >= 0 && q <= 1000)
			*out_q = q;
		else if (gm_str_ieq(key, GM_STR("version")))
			*out_version = value;
	}
}

static void accept_range(struct gm_str range, struct wish *openmetrics, struct wish *text)
{
	struct gm_str type = { 0 }, version = { 0 };
	int64_t q = 1000;

	(void)gm_str_split(&range, ';', &type);
	type = gm_str_trim(type);
	accept_parameters(range, &q, &version);
	int narrowness = version.n > 0 ? 4 : 3;
	if (gm_str_is(type, "*/*")) {
		wish_take(openmetrics, 1, q);
		wish_take(text, 1, q);
	} else if (gm_str_ieq(type, GM_STR("application/*"))) {
		wish_take(openmetrics, 2, q);
	} else if (gm_str_ieq(type, GM_STR("text/*"))) {
		wish_take(text, 2, q);
	} else if (gm_str_ieq(type, GM_STR("application/openmetrics-text"))) {
		if (version.n == 0 || gm_str_is(version, "1.0.0") || gm_str_is(version, "0.0.1"))
			wish_take(openmetrics, narrowness, q);
	} else if (gm_str_ieq(type, GM_STR("text/plain"))) {
		if (version.n == 0 || gm_str_is(version, "0.0.4"))
			wish_take(text, narrowness, q);
	}
}

enum gm_promtext_format gm_promtext_negotiate(struct gm_str accept)
{
	struct wish openmetrics = { 0 }, text = { 0 };
	struct gm_str range;

	while (gm_str_split(&accept, ',', &range))
		accept_range(range, &openmetrics, &text);
	return openmetrics.q > text.q ? GM_PROMTEXT_OPENMETRICS : GM_PROMTEXT_004;
}
