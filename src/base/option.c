/* SPDX-License-Identifier: MIT */
#include "base/option.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/money.h"
#include "base/option-internal.h"
#include "base/parse.h"
#include "base/vec.h"

/* However a table words its own limits, input cannot make more than this. */
#define ITEMS_MAX 65536
#define PAIRS_MAX 4096
#define TEXT_MAX 8192

typedef GM_VEC(char *) list_vec;
typedef GM_VEC(struct gm_option_pair) pair_vec;
typedef GM_VEC(struct gm_option_map) map_vec;

static const size_t SIZES[] = {
	[GM_OPTION_BOOL] = sizeof(bool),
	[GM_OPTION_INT] = sizeof(int64_t),
	[GM_OPTION_DURATION] = sizeof(int64_t),
	[GM_OPTION_BYTES] = sizeof(int64_t),
	[GM_OPTION_TEXT] = sizeof(char *),
	[GM_OPTION_SECRET] = sizeof(struct gm_secret),
	[GM_OPTION_ENUM] = sizeof(int),
	[GM_OPTION_MONEY] = sizeof(int64_t),
	[GM_OPTION_LIST] = sizeof(struct gm_option_list),
	[GM_OPTION_MAP] = sizeof(struct gm_option_map),
	[GM_OPTION_MAPS] = sizeof(struct gm_option_maps),
};

static void *slot(const struct gm_options *o, const struct gm_option *opt)
{
	return (char *)o->target + opt->offset;
}

union gm_option_value gm_option_load(const struct gm_options *o, const struct gm_option *opt)
{
	union gm_option_value v = { 0 };

	memcpy(&v, slot(o, opt), SIZES[opt->type]);
	return v;
}

void gm_option_list_fini(struct gm_option_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->items[i]);
	free(l->items);
	*l = (struct gm_option_list){ 0 };
}

void gm_option_map_fini(struct gm_option_map *m)
{
	for (size_t i = 0; i < m->count; i++) {
		free(m->items[i].key);
		free(m->items[i].value);
		free(m->items[i].where);
	}
	free(m->items);
	*m = (struct gm_option_map){ 0 };
}

void gm_option_maps_fini(struct gm_option_maps *m)
{
	for (size_t i = 0; i < m->count; i++)
		gm_option_map_fini(&m->items[i]);
	free(m->items);
	*m = (struct gm_option_maps){ 0 };
}

static void value_fini(enum gm_option_type type, union gm_option_value *v)
{
	switch (type) {
	case GM_OPTION_BOOL:
	case GM_OPTION_INT:
	case GM_OPTION_DURATION:
	case GM_OPTION_BYTES:
	case GM_OPTION_ENUM:
	case GM_OPTION_MONEY:
		break;
	case GM_OPTION_TEXT:
		free(v->text);
		break;
	case GM_OPTION_SECRET:
		gm_secret_fini(&v->secret);
		break;
	case GM_OPTION_LIST:
		gm_option_list_fini(&v->list);
		break;
	case GM_OPTION_MAP:
		gm_option_map_fini(&v->map);
		break;
	case GM_OPTION_MAPS:
		gm_option_maps_fini(&v->maps);
		break;
	}
}

/* Puts a checked value in the place of the old one. */
static void store(struct gm_options *o, const struct gm_option *opt, union gm_option_value *take_v,
		  const struct gm_origin *origin)
{
	union gm_option_value old = gm_option_load(o, opt);

	value_fini(opt->type, &old);
	memcpy(slot(o, opt), take_v, SIZES[opt->type]);
	o->origins[opt - o->table] = *origin;
}

/* Checks. */

static bool parse_number(enum gm_option_type type, struct gm_str text, int64_t *out)
{
	switch (type) {
	case GM_OPTION_INT:
		return gm_parse_i64(text, INT64_MIN, INT64_MAX, out);
	case GM_OPTION_DURATION:
		return gm_parse_duration_ms(text, out);
	case GM_OPTION_BYTES:
		return gm_parse_bytes(text, out);
	case GM_OPTION_MONEY:
		return gm_money_parse(text, out);
	case GM_OPTION_BOOL:
	case GM_OPTION_TEXT:
	case GM_OPTION_SECRET:
	case GM_OPTION_ENUM:
	case GM_OPTION_LIST:
	case GM_OPTION_MAP:
	case GM_OPTION_MAPS:
		break;
	}
	return false;
}

static const char *const WANTED[] = {
	[GM_OPTION_BOOL] = "true or false",
	[GM_OPTION_INT] = "a whole number",
	[GM_OPTION_DURATION] = "a duration such as 30s, 5m or 1h30m",
	[GM_OPTION_BYTES] = "a size such as 64MiB or 1.5GiB",
	[GM_OPTION_TEXT] = "text",
	[GM_OPTION_SECRET] = "text",
	[GM_OPTION_ENUM] = "one of its words",
	[GM_OPTION_MONEY] = "an amount such as 8.0",
	[GM_OPTION_LIST] = "a list such as [a, b]",
	[GM_OPTION_MAP] = "a map such as {a: 1, b: 2}",
	[GM_OPTION_MAPS] = "a list of maps such as [{url: x}, {url: y}]",
};

static int wrong_type(const struct gm_option *opt, struct gm_str text, struct gm_err *err)
{
	return gm_fail(err, GM_ERR_INVALID, "%s: '%.*s' is not %s", opt->key, GM_STR_ARG(text), WANTED[opt->type]);
}

/* The limit as a number of the row's type, for counts and lengths a plain number. */
static int64_t limit_of(const struct gm_option *opt, const char *text, int64_t none)
{
	bool counted = opt->type == GM_OPTION_TEXT || opt->type == GM_OPTION_SECRET || opt->type == GM_OPTION_LIST ||
		       opt->type == GM_OPTION_MAP || opt->type == GM_OPTION_MAPS;
	int64_t v = none;

	bool ok = !text || parse_number(counted ? GM_OPTION_INT : opt->type, gm_str(text), &v);
	assert(ok && "a limit of the table is of its row's type");
	(void)ok;
	return v;
}

static int check_number(const struct gm_option *opt, int64_t v, struct gm_str text, struct gm_err *err)
{
	if (v < limit_of(opt, opt->min, INT64_MIN))
		return gm_fail(err, GM_ERR_INVALID, "%s: %.*s is less than %s", opt->key, GM_STR_ARG(text), opt->min);
	if (v > limit_of(opt, opt->max, INT64_MAX))
		return gm_fail(err, GM_ERR_INVALID, "%s: %.*s is more than %s", opt->key, GM_STR_ARG(text), opt->max);
	return 0;
}

static int check_count(const struct gm_option *opt, size_t n, size_t most, const char *what, struct gm_err *err)
{
	int64_t max = limit_of(opt, opt->max, (int64_t)most);
	int64_t min = limit_of(opt, opt->min, 0);

	if (n > most || (int64_t)n > max)
		return gm_fail(err, GM_ERR_INVALID, "%s: %zu %s, at most %lld are allowed", opt->key, n, what,
			       (long long)(max < (int64_t)most ? max : (int64_t)most));
	if ((int64_t)n < min)
		return gm_fail(err, GM_ERR_INVALID, "%s: %zu %s, at least %lld are needed", opt->key, n, what,
			       (long long)min);
	return 0;
}

/* Text that may be printed on one line and put into JSON and SQL. */
static int check_chars(const struct gm_option *opt, struct gm_str text, struct gm_err *err)
{
	if (text.n > TEXT_MAX)
		return gm_fail(err, GM_ERR_INVALID, "%s: longer than %d bytes", opt->key, TEXT_MAX);
	if (!gm_str_plain_ok(text))
		return gm_fail(err, GM_ERR_INVALID, "%s: %s", opt->key,
			       gm_str_utf8_ok(text) ? "holds a control character" : "not valid UTF-8");
	return 0;
}

/* The position of `word` among words separated by '|'; -1 when it is none of them. */
static int choice_find(const char *choices, struct gm_str word)
{
	struct gm_str rest = gm_str(choices), part;

	for (int i = 0; gm_str_split(&rest, '|', &part); i++)
		if (gm_str_ieq(part, word))
			return i;
	return -1;
}

static int not_a_choice(const struct gm_option *opt, struct gm_str text, struct gm_err *err)
{
	char words[200];
	size_t n = 0;

	for (const char *p = opt->choices; *p && n + 3 < sizeof(words); p++) {
		words[n++] = *p == '|' ? ',' : *p;
		if (*p == '|')
			words[n++] = ' ';
	}
	words[n] = '\0';
	return gm_fail(err, GM_ERR_INVALID, "%s: '%.*s' is not one of %s", opt->key, GM_STR_ARG(text), words);
}

static int check_rule(const struct gm_option *opt, struct gm_str text, struct gm_err *err)
{
	int rc = check_chars(opt, text, err);

	if (rc == 0 && opt->check && (rc = opt->check(text, err)) < 0)
		return gm_err_wrap(err, "%s", opt->key);
	return rc;
}

static int check_list(const struct gm_option *opt, const struct gm_option_list *l, struct gm_err *err)
{
	int rc = check_count(opt, l->count, ITEMS_MAX, "entries", err);

	for (size_t i = 0; rc == 0 && i < l->count; i++) {
		struct gm_str item = gm_str(l->items[i]);
		if (opt->choices && choice_find(opt->choices, item) < 0)
			return not_a_choice(opt, item, err);
		rc = check_rule(opt, item, err);
	}
	return rc;
}

/* A pair's own place, when it has one, is nearer than that of the whole value. */
static int at_pair(const struct gm_option_pair *pair, int rc, struct gm_err *err)
{
	if (rc < 0 && err && pair->where && pair->where[0])
		(void)gm_str_copy(gm_str(pair->where), err->where, sizeof(err->where));
	return rc;
}

static int check_pair(const struct gm_option *opt, const struct gm_option_map *m, size_t i, struct gm_err *err)
{
	const struct gm_option_pair *pair = &m->items[i];
	int rc = check_chars(opt, gm_str(pair->key), err);

	if (rc == 0 && opt->choices && choice_find(opt->choices, gm_str(pair->key)) < 0)
		rc = not_a_choice(opt, gm_str(pair->key), err);
	for (size_t j = 0; rc == 0 && j < i; j++)
		if (strcmp(m->items[j].key, pair->key) == 0)
			rc = gm_fail(err, GM_ERR_INVALID, "%s: '%s' is given twice", opt->key, pair->key);
	if (rc == 0 && (rc = check_rule(opt, gm_str(pair->value), err)) < 0 && pair->key[0])
		rc = gm_err_wrap(err, "'%s'", pair->key);
	return at_pair(pair, rc, err);
}

static int check_map(const struct gm_option *opt, const struct gm_option_map *m, struct gm_err *err)
{
	int rc = check_count(opt, m->count, PAIRS_MAX, "entries", err);

	for (size_t i = 0; rc == 0 && i < m->count; i++)
		rc = check_pair(opt, m, i, err);
	return rc;
}

/* The keys inside the maps are the owner's to know; `check` sees the scalar entries only. */
static int check_maps(const struct gm_option *opt, const struct gm_option_maps *m, struct gm_err *err)
{
	int rc = check_count(opt, m->count, ITEMS_MAX, "entries", err);

	for (size_t i = 0; rc == 0 && i < m->count; i++) {
		const struct gm_option_map *map = &m->items[i];
		for (size_t j = 0; rc == 0 && j < map->count; j++) {
			struct gm_str value = gm_str(map->items[j].value);
			rc = map->items[j].key[0] ? check_chars(opt, value, err) : check_rule(opt, value, err);
			rc = at_pair(&map->items[j], rc, err);
		}
	}
	return rc;
}

/* Reading lists and maps from one line of text. */

/* Cuts at the first `sep` outside quotes and brackets; false at the end. */
static bool split_item(struct gm_str *rest, char sep, struct gm_str *part)
{
	int depth = 0;
	bool quoted = false;
	size_t i = 0;

	if (rest->n == 0)
		return false;
	for (; i < rest->n; i++) {
		char c = rest->p[i];
		if (quoted && c == '\\' && i + 1 < rest->n)
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '{' || c == '['))
			depth++;
		else if (!quoted && (c == '}' || c == ']'))
			depth--;
		else if (!quoted && depth <= 0 && c == sep)
			break;
	}
	*part = gm_str_trim(gm_str_n(rest->p, i));
	size_t used = i < rest->n ? i + 1 : i;
	*rest = gm_str_n(rest->p + used, rest->n - used);
	return true;
}

/* A heap copy without quotes and the backslashes inside them. */
static char *unquote(struct gm_str s)
{
	if (s.n < 2 || s.p[0] != '"' || s.p[s.n - 1] != '"')
		return gm_str_dup(s);
	char *to = gm_xalloc(s.n);
	size_t n = 0;
	for (size_t i = 1; i + 1 < s.n; i++) {
		if (s.p[i] == '\\' && i + 2 < s.n)
			i++;
		to[n++] = s.p[i];
	}
	to[n] = '\0';
	return to;
}

static struct gm_str strip(struct gm_str s, char open, char close)
{
	s = gm_str_trim(s);
	if (s.n >= 2 && s.p[0] == open && s.p[s.n - 1] == close)
		s = gm_str_trim(gm_str_n(s.p + 1, s.n - 2));
	return s;
}

static void parse_list(struct gm_str text, struct gm_option_list *out)
{
	struct gm_str rest = strip(text, '[', ']'), part;
	list_vec items = { 0 };

	while (items.count <= ITEMS_MAX && split_item(&rest, ',', &part))
		gm_vec_push(&items, unquote(part));
	*out = (struct gm_option_list){ .items = items.items, .count = items.count };
}

/* "key=value", or "key: value" as YAML writes it. */
static bool parse_pair(struct gm_str part, struct gm_option_pair *out)
{
	bool quoted = false;
	size_t i = 0;

	for (; i < part.n; i++) {
		char c = part.p[i];
		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '=' || (c == ':' && (i + 1 == part.n || part.p[i + 1] == ' '))))
			break;
	}
	if (i >= part.n || i == 0)
		return false;
	struct gm_str key = gm_str_trim(gm_str_n(part.p, i));
	struct gm_str value = gm_str_trim(gm_str_n(part.p + i + 1, part.n - i - 1));
	*out = (struct gm_option_pair){ .key = unquote(key), .value = unquote(value), .where = gm_xstrdup("") };
	return true;
}

static bool parse_map(struct gm_str text, struct gm_option_map *out)
{
	struct gm_str rest = strip(text, '{', '}'), part;
	pair_vec items = { 0 };
	bool ok = true;

	while (ok && items.count <= PAIRS_MAX && split_item(&rest, ',', &part)) {
		struct gm_option_pair pair;
		ok = parse_pair(part, &pair);
		if (ok)
			gm_vec_push(&items, pair);
	}
	*out = (struct gm_option_map){ .items = items.items, .count = items.count };
	return ok;
}

static struct gm_option_map scalar_map(struct gm_str text)
{
	struct gm_option_pair *pair = gm_xalloc(sizeof(*pair));

	*pair = (struct gm_option_pair){ .key = gm_xstrdup(""), .value = unquote(text), .where = gm_xstrdup("") };
	return (struct gm_option_map){ .items = pair, .count = 1 };
}

static bool parse_maps(struct gm_str text, struct gm_option_maps *out)
{
	struct gm_str rest = strip(text, '[', ']'), part;
	map_vec items = { 0 };
	bool ok = true;

	while (ok && items.count <= ITEMS_MAX && split_item(&rest, ',', &part)) {
		struct gm_option_map map;
		if (part.n > 0 && part.p[0] == '{')
			ok = parse_map(part, &map);
		else
			map = scalar_map(part);
		gm_vec_push(&items, map);
	}
	*out = (struct gm_option_maps){ .items = items.items, .count = items.count };
	return ok;
}

/* Setting. */

static int parse_value(const struct gm_option *opt, struct gm_str text, union gm_option_value *out, struct gm_err *err)
{
	int rc = 0;

	switch (opt->type) {
	case GM_OPTION_BOOL:
		return gm_parse_bool(text, &out->flag) ? 0 : wrong_type(opt, text, err);
	case GM_OPTION_ENUM:
		out->choice = choice_find(opt->choices, text);
		return out->choice >= 0 ? 0 : not_a_choice(opt, text, err);
	case GM_OPTION_INT:
	case GM_OPTION_DURATION:
	case GM_OPTION_BYTES:
	case GM_OPTION_MONEY:
		if (!parse_number(opt->type, text, &out->number))
			return wrong_type(opt, text, err);
		return check_number(opt, out->number, text, err);
	case GM_OPTION_TEXT:
	case GM_OPTION_SECRET:
		rc = check_count(opt, text.n, TEXT_MAX, "characters", err);
		if (rc == 0 && text.n > 0) /* the empty text is no value: the row's rule is not asked */
			rc = check_rule(opt, text, err);
		if (rc == 0 && opt->type == GM_OPTION_TEXT)
			out->text = gm_str_dup(text);
		else if (rc == 0 && text.n > 0)
			gm_secret_set(&out->secret, text);
		return rc;
	case GM_OPTION_LIST:
		parse_list(text, &out->list);
		return check_list(opt, &out->list, err);
	case GM_OPTION_MAP:
		return parse_map(text, &out->map) ? check_map(opt, &out->map, err) : wrong_type(opt, text, err);
	case GM_OPTION_MAPS:
		return parse_maps(text, &out->maps) ? check_maps(opt, &out->maps, err) : wrong_type(opt, text, err);
	}
	return rc;
}

static int fail_at_origin(const struct gm_origin *origin, int rc, struct gm_err *err)
{
	if (err && !err->where[0])
		(void)gm_str_copy(gm_str(origin->where), err->where, sizeof(err->where));
	return rc;
}

int gm_option_set(struct gm_options *o, const struct gm_option *opt, struct gm_str text, const struct gm_origin *origin,
		  struct gm_err *err)
{
	union gm_option_value v = { 0 };

	gm_err_reset(err);
	if (opt->type != GM_OPTION_TEXT && opt->type != GM_OPTION_SECRET)
		text = gm_str_trim(text);
	int rc = parse_value(opt, text, &v, err);
	if (rc < 0) {
		value_fini(opt->type, &v);
		return fail_at_origin(origin, rc, err);
	}
	store(o, opt, &v, origin);
	return 0;
}

static struct gm_option_map copy_map(const struct gm_option_map *m)
{
	pair_vec items = { 0 };

	for (size_t i = 0; i < m->count; i++) {
		const struct gm_option_pair *from = &m->items[i];
		struct gm_option_pair pair = { .key = gm_xstrdup(from->key),
					       .value = gm_xstrdup(from->value),
					       .where = gm_xstrdup(from->where ? from->where : "") };
		gm_vec_push(&items, pair);
	}
	return (struct gm_option_map){ .items = items.items, .count = items.count };
}

static struct gm_option_list copy_list(const struct gm_option_list *l)
{
	list_vec items = { 0 };

	for (size_t i = 0; i < l->count; i++)
		gm_vec_push(&items, gm_xstrdup(l->items[i]));
	return (struct gm_option_list){ .items = items.items, .count = items.count };
}

static struct gm_option_maps copy_maps(const struct gm_option_maps *m)
{
	map_vec items = { 0 };

	for (size_t i = 0; i < m->count; i++)
		gm_vec_push(&items, copy_map(&m->items[i]));
	return (struct gm_option_maps){ .items = items.items, .count = items.count };
}

int gm_option_set_list(struct gm_options *o, const struct gm_option *opt, const struct gm_option_list *value,
		       const struct gm_origin *origin, struct gm_err *err)
{
	assert(opt->type == GM_OPTION_LIST);
	gm_err_reset(err);
	int rc = check_list(opt, value, err);
	if (rc < 0)
		return fail_at_origin(origin, rc, err);
	union gm_option_value v = { .list = copy_list(value) };
	store(o, opt, &v, origin);
	return 0;
}

int gm_option_set_map(struct gm_options *o, const struct gm_option *opt, const struct gm_option_map *value,
		      const struct gm_origin *origin, struct gm_err *err)
{
	assert(opt->type == GM_OPTION_MAP);
	gm_err_reset(err);
	int rc = check_map(opt, value, err);
	if (rc < 0)
		return fail_at_origin(origin, rc, err);
	union gm_option_value v = { .map = copy_map(value) };
	store(o, opt, &v, origin);
	return 0;
}

int gm_option_set_maps(struct gm_options *o, const struct gm_option *opt, const struct gm_option_maps *value,
		       const struct gm_origin *origin, struct gm_err *err)
{
	assert(opt->type == GM_OPTION_MAPS);
	gm_err_reset(err);
	int rc = check_maps(opt, value, err);
	if (rc < 0)
		return fail_at_origin(origin, rc, err);
	union gm_option_value v = { .maps = copy_maps(value) };
	store(o, opt, &v, origin);
	return 0;
}

void gm_option_copy(struct gm_options *to, const struct gm_options *from, const struct gm_option *opt)
{
	union gm_option_value old = gm_option_load(from, opt), v = old;

	switch (opt->type) {
	case GM_OPTION_BOOL:
	case GM_OPTION_INT:
	case GM_OPTION_DURATION:
	case GM_OPTION_BYTES:
	case GM_OPTION_ENUM:
	case GM_OPTION_MONEY:
		break;
	case GM_OPTION_TEXT:
		v.text = gm_xstrdup(old.text);
		break;
	case GM_OPTION_SECRET:
		v.secret = (struct gm_secret){ 0 };
		if (old.secret.p)
			gm_secret_set(&v.secret, gm_str_n(old.secret.p, old.secret.n));
		break;
	case GM_OPTION_LIST:
		v.list = copy_list(&old.list);
		break;
	case GM_OPTION_MAP:
		v.map = copy_map(&old.map);
		break;
	case GM_OPTION_MAPS:
		v.maps = copy_maps(&old.maps);
		break;
	}
	store(to, opt, &v, gm_option_origin(from, opt));
}

void gm_options_init(struct gm_options *o, const struct gm_option *table, size_t count, void *target)
{
	static const struct gm_origin DEFAULT = { .kind = GM_ORIGIN_DEFAULT, .where = "default" };
	struct gm_err err = { 0 };

	*o = (struct gm_options){ .table = table, .count = count, .target = target };
	o->origins = gm_xalloc(sizeof(*o->origins) * (count ? count : 1));
	for (size_t i = 0; i < count; i++) {
		const struct gm_option *opt = &table[i];
		union gm_option_value empty = { 0 };
		const char *def = opt->def ? opt->def : "";
		bool is_list = opt->type == GM_OPTION_LIST || opt->type == GM_OPTION_MAP || opt->type == GM_OPTION_MAPS;
		memcpy(slot(o, opt), &empty, SIZES[opt->type]);
		o->origins[i] = DEFAULT;
		bool ok = (!opt->def && is_list) || gm_option_set(o, opt, gm_str(def), &DEFAULT, &err) == 0;
		assert(ok && "a default of the table keeps its own rules");
		(void)ok;
	}
}

void gm_options_fini(struct gm_options *o)
{
	for (size_t i = 0; o->origins && i < o->count; i++) {
		union gm_option_value v = gm_option_load(o, &o->table[i]), empty = { 0 };
		value_fini(o->table[i].type, &v);
		memcpy(slot(o, &o->table[i]), &empty, SIZES[o->table[i].type]);
	}
	free(o->origins);
	*o = (struct gm_options){ 0 };
}

const struct gm_option *gm_option_find(const struct gm_options *o, struct gm_str key)
{
	for (size_t i = 0; i < o->count; i++)
		if (gm_str_is(key, o->table[i].key))
			return &o->table[i];
	return NULL;
}

const struct gm_origin *gm_option_origin(const struct gm_options *o, const struct gm_option *opt)
{
	return &o->origins[opt - o->table];
}
