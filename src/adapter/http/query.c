/* SPDX-License-Identifier: MIT */
#include "adapter/http/route.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/parse.h"

#define TEXT_MAX_DEFAULT 256

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool needs_decoding(struct gm_str s, bool plus)
{
	return s.n && (memchr(s.p, '%', s.n) || (plus && memchr(s.p, '+', s.n)));
}

bool gm_http_percent_decode(struct gm_str in, bool plus, struct gm_arena *arena, struct gm_str *out)
{
	struct gm_str decoded = in;

	if (needs_decoding(in, plus)) {
		char *text = gm_arena_alloc(arena, in.n + 1);
		size_t n = 0;
		if (!text)
			return false;
		for (size_t i = 0; i < in.n; i++) {
			char c = in.p[i];
			if (c == '+' && plus) {
				c = ' ';
			} else if (c == '%') {
				int high = i + 2 < in.n ? hex_digit(in.p[i + 1]) : -1;
				int low = i + 2 < in.n ? hex_digit(in.p[i + 2]) : -1;
				if (high < 0 || low < 0)
					return false;
				c = (char)(high << 4 | low);
				i += 2;
			}
			text[n++] = c;
		}
		decoded = gm_str_n(text, n);
	}
	if (!gm_str_plain_ok(decoded))
		return false;
	*out = decoded;
	return true;
}

static int parse_text(const struct gm_route_param *p, struct gm_str value, struct gm_err *err)
{
	size_t max = p->max > 0 ? (size_t)p->max : TEXT_MAX_DEFAULT;

	if (value.n > max)
		return gm_fail_at(err, GM_ERR_INVALID, p->name, "'%s' may have at most %zu bytes", p->name, max);
	if (p->min > 0 && value.n < (size_t)p->min)
		return gm_fail_at(err, GM_ERR_INVALID, p->name, "'%s' must have at least %" PRId64 " bytes", p->name,
				  p->min);
	if (!gm_str_plain_ok(value))
		return gm_fail_at(err, GM_ERR_INVALID, p->name, "'%s' must be UTF-8 without control characters",
				  p->name);
	return 0;
}

static int parse_int(const struct gm_route_param *p, struct gm_str value, int64_t *out, struct gm_err *err)
{
	bool any = p->min == 0 && p->max == 0;

	if (gm_parse_i64(value, any ? INT64_MIN : p->min, any ? INT64_MAX : p->max, out))
		return 0;
	if (any)
		return gm_fail_at(err, GM_ERR_INVALID, p->name, "'%s' must be a whole number", p->name);
	return gm_fail_at(err, GM_ERR_INVALID, p->name, "'%s' must be a whole number from %" PRId64 " to %" PRId64,
			  p->name, p->min, p->max);
}

static int parse_duration(const struct gm_route_param *p, struct gm_str value, int64_t *out, struct gm_err *err)
{
	int64_t ms;

	if (!gm_parse_duration_ms(value, &ms))
		return gm_fail_at(err, GM_ERR_INVALID, p->name, "'%s' must be a duration such as 30s, 5m or 1h30m",
				  p->name);
	if (ms < p->min || (p->max > 0 && ms > p->max)) {
		char least[40], most[40];
		gm_format_duration_ms(p->min, least);
		gm_format_duration_ms(p->max, most);
		return gm_fail_at(err, GM_ERR_INVALID, p->name,
				  p->max > 0 ? "'%s' must be from %s to %s" : "'%s' must be at least %s", p->name,
				  least, most);
	}
	*out = ms;
	return 0;
}

static int parse_choice(const struct gm_route_param *p, struct gm_str value, int64_t *out, struct gm_err *err)
{
	char list[256];
	size_t n = 0;

	list[0] = '\0';
	for (int64_t i = 0; p->choices[i]; i++) {
		if (gm_str_is(value, p->choices[i])) {
			*out = i;
			return 0;
		}
		if (n < sizeof(list))
			n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", i ? ", " : "", p->choices[i]);
	}
	return gm_fail_at(err, GM_ERR_INVALID, p->name, "'%s' must be one of %s", p->name, list);
}

int gm_route_param_parse(const struct gm_route_param *p, struct gm_str value, struct gm_param_value *out,
			 struct gm_err *err)
{
	int64_t number = 0;
	bool yes = false;
	int rc = 0;

	switch (p->type) {
	case GM_PARAM_TEXT:
		rc = parse_text(p, value, err);
		break;
	case GM_PARAM_INT:
		rc = parse_int(p, value, &number, err);
		break;
	case GM_PARAM_BOOL:
		if (value.n > 0 && !gm_parse_bool(value, &yes))
			rc = gm_fail_at(err, GM_ERR_INVALID, p->name, "'%s' must be true or false", p->name);
		number = value.n == 0 || yes;
		break;
	case GM_PARAM_TIME:
		if (!gm_time_parse(value, &number))
			rc = gm_fail_at(err, GM_ERR_INVALID, p->name,
					"'%s' must be a time such as 2026-01-31T12:00:00Z, or seconds since the epoch",
					p->name);
		break;
	case GM_PARAM_DURATION:
		rc = parse_duration(p, value, &number, err);
		break;
	case GM_PARAM_CHOICE:
		rc = parse_choice(p, value, &number, err);
		break;
	}
	if (rc == 0)
		*out = (struct gm_param_value){ .present = true, .text = value, .number = number };
	return rc;
}

static size_t find_param(const struct gm_route *route, struct gm_str name)
{
	size_t i = 0;

	for (const struct gm_route_param *p = route->params; p && p->name; p++, i++)
		if (gm_str_is(name, p->name))
			return i;
	return GM_ROUTE_PARAMS_MAX;
}

static int read_pair(const struct gm_route *route, struct gm_str pair, struct gm_arena *arena,
		     struct gm_param_value *out, struct gm_err *err)
{
	size_t mark = gm_str_find(pair, '=');
	struct gm_str raw_value = mark < pair.n ? gm_str_n(pair.p + mark + 1, pair.n - mark - 1) : GM_STR("");
	struct gm_str name, value;
	char where[64];

	if (!gm_http_percent_decode(gm_str_n(pair.p, mark), true, arena, &name))
		return gm_fail(err, GM_ERR_INVALID, "the query is not correctly encoded");
	(void)gm_str_copy(name, where, sizeof(where));
	if (!gm_http_percent_decode(raw_value, true, arena, &value))
		return gm_fail_at(err, GM_ERR_INVALID, where, "'%s' is not correctly encoded", where);
	size_t i = find_param(route, name);
	if (i >= GM_ROUTE_PARAMS_MAX)
		return gm_fail_at(err, GM_ERR_INVALID, where, "'%s' is not a parameter of %s", where, route->operation);
	if (out[i].given)
		return gm_fail_at(err, GM_ERR_INVALID, where, "'%s' is given twice", where);
	int rc = gm_route_param_parse(&route->params[i], value, &out[i], err);
	if (rc == 0)
		out[i].given = true;
	return rc;
}

int gm_route_query(const struct gm_route *route, struct gm_str raw_query, struct gm_arena *arena,
		   struct gm_param_value *out, struct gm_err *err)
{
	struct gm_str rest = raw_query, pair;
	size_t i = 0;

	for (const struct gm_route_param *p = route->params; p && p->name; p++)
		out[i++] = (struct gm_param_value){ 0 };
	while (gm_str_split(&rest, '&', &pair)) {
		int rc = pair.n ? read_pair(route, pair, arena, out, err) : 0;
		if (rc != 0)
			return rc;
	}
	i = 0;
	for (const struct gm_route_param *p = route->params; p && p->name; p++, i++) {
		if (out[i].given)
			continue;
		if (p->required)
			return gm_fail_at(err, GM_ERR_INVALID, p->name, "'%s' is missing", p->name);
		int rc = p->def ? gm_route_param_parse(p, gm_str(p->def), &out[i], err) : 0;
		if (rc != 0)
			return rc;
	}
	return 0;
}
