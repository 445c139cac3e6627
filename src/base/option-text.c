/* SPDX-License-Identifier: MIT */
#include "base/option-internal.h"

#include <string.h>

#include "base/parse.h"

#define KEY_MAX 128

/* Printing. */

/* So that a printed list or map is one for YAML too. */
static bool needs_quotes(struct gm_str s)
{
	if (s.n == 0 || strchr(" #*&!|>%@`'?-", s.p[0]) || s.p[s.n - 1] == ' ' || s.p[s.n - 1] == ':')
		return true;
	for (size_t i = 0; i < s.n; i++)
		if (strchr(",=\"\\{}[]", s.p[i]) ||
		    ((s.p[i] == ':' || s.p[i] == ' ') && (s.p[i + 1] == ' ' || s.p[i + 1] == '#')))
			return true;
	return false;
}

void gm_option_quote(struct gm_str s, struct gm_buf *out)
{
	gm_buf_add_char(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			gm_buf_add_char(out, '\\');
		gm_buf_add_char(out, s.p[i]);
	}
	gm_buf_add_char(out, '"');
}

static void print_item(const char *item, struct gm_buf *out)
{
	struct gm_str s = gm_str(item);

	if (needs_quotes(s))
		gm_option_quote(s, out);
	else
		gm_buf_add_str(out, s);
}

static void print_list(const struct gm_option_list *l, struct gm_buf *out)
{
	gm_buf_add_char(out, '[');
	for (size_t i = 0; i < l->count; i++) {
		gm_buf_add_cstr(out, i ? ", " : "");
		print_item(l->items[i], out);
	}
	gm_buf_add_char(out, ']');
}

static void print_map(const struct gm_option_map *m, struct gm_buf *out)
{
	gm_buf_add_char(out, '{');
	for (size_t i = 0; i < m->count; i++) {
		gm_buf_add_cstr(out, i ? ", " : "");
		print_item(m->items[i].key, out);
		gm_buf_add_cstr(out, ": ");
		print_item(m->items[i].value, out);
	}
	gm_buf_add_char(out, '}');
}

static void print_maps(const struct gm_option_maps *m, struct gm_buf *out)
{
	gm_buf_add_char(out, '[');
	for (size_t i = 0; i < m->count; i++) {
		const struct gm_option_map *map = &m->items[i];
		gm_buf_add_cstr(out, i ? ", " : "");
		if (map->count == 1 && !map->items[0].key[0])
			print_item(map->items[0].value, out);
		else
			print_map(map, out);
	}
	gm_buf_add_char(out, ']');
}

static void print_bytes(int64_t v, struct gm_buf *out)
{
	static const char *const UNITS[] = { "", "KiB", "MiB", "GiB", "TiB" };
	size_t unit = 0;

	while (v != 0 && v % 1024 == 0 && unit + 1 < GM_LEN(UNITS)) {
		v /= 1024;
		unit++;
	}
	gm_buf_add_i64(out, v);
	gm_buf_add_cstr(out, UNITS[unit]);
}

static struct gm_str choice_name(const char *choices, int index)
{
	struct gm_str rest = gm_str(choices), part = { 0 };

	for (int i = 0; i <= index && gm_str_split(&rest, '|', &part); i++)
		;
	return part;
}

void gm_option_print(const struct gm_options *o, const struct gm_option *opt, struct gm_buf *out)
{
	union gm_option_value v = gm_option_load(o, opt);
	char duration[40];

	switch (opt->type) {
	case GM_OPTION_BOOL:
		gm_buf_add_cstr(out, v.flag ? "true" : "false");
		break;
	case GM_OPTION_INT:
		gm_buf_add_i64(out, v.number);
		break;
	case GM_OPTION_DURATION:
		gm_format_duration_ms(v.number, duration);
		gm_buf_add_cstr(out, duration);
		break;
	case GM_OPTION_BYTES:
		print_bytes(v.number, out);
		break;
	case GM_OPTION_TEXT:
		gm_buf_add_cstr(out, v.text);
		break;
	case GM_OPTION_SECRET:
		gm_buf_add_cstr(out, v.secret.p ? "******" : "");
		break;
	case GM_OPTION_ENUM:
		gm_buf_add_str(out, choice_name(opt->choices, v.choice));
		break;
	case GM_OPTION_MONEY:
		gm_buf_add_fixed(out, v.number, 6);
		break;
	case GM_OPTION_LIST:
		print_list(&v.list, out);
		break;
	case GM_OPTION_MAP:
		print_map(&v.map, out);
		break;
	case GM_OPTION_MAPS:
		print_maps(&v.maps, out);
		break;
	}
}

bool gm_option_same(const struct gm_options *a, const struct gm_options *b, const struct gm_option *opt)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf left = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf right = { 0 };

	if (opt->type == GM_OPTION_SECRET) {
		union gm_option_value va = gm_option_load(a, opt), vb = gm_option_load(b, opt);
		return va.secret.n == vb.secret.n &&
		       (va.secret.n == 0 || gm_secret_eq(va.secret.p, vb.secret.p, va.secret.n));
	}
	/* A value's text is all of it: it reads back as the same value. */
	gm_option_print(a, opt, &left);
	gm_option_print(b, opt, &right);
	return gm_str_eq(gm_buf_str(&left), gm_buf_str(&right));
}

void gm_option_env_name(const struct gm_option *opt, struct gm_buf *out)
{
	gm_buf_add_cstr(out, opt->env_prefix ? opt->env_prefix : "");
	for (const char *p = opt->key; *p; p++) {
		if (*p == '.')
			gm_buf_add_char(out, '_');
		else if (*p >= 'a' && *p <= 'z')
			gm_buf_add_char(out, (char)(*p - 'a' + 'A'));
		else if (*p != '-')
			gm_buf_add_char(out, *p);
	}
}

/* Help and docs. */

static const char *const TYPE_NAMES[] = {
	[GM_OPTION_BOOL] = "true or false", [GM_OPTION_INT] = "number",
	[GM_OPTION_DURATION] = "duration",  [GM_OPTION_BYTES] = "size",
	[GM_OPTION_TEXT] = "text",	    [GM_OPTION_SECRET] = "secret",
	[GM_OPTION_ENUM] = "one of",	    [GM_OPTION_MONEY] = "amount",
	[GM_OPTION_LIST] = "list",	    [GM_OPTION_MAP] = "map",
	[GM_OPTION_MAPS] = "list of maps",
};

/* "number, 1 to 65535"; "one of debug, info". */
static void add_type(const struct gm_option *opt, struct gm_buf *out)
{
	bool sized = opt->type == GM_OPTION_INT || opt->type == GM_OPTION_DURATION || opt->type == GM_OPTION_BYTES ||
		     opt->type == GM_OPTION_MONEY;

	gm_buf_add_cstr(out, TYPE_NAMES[opt->type]);
	for (const char *p = opt->type == GM_OPTION_ENUM ? opt->choices : ""; *p; p++) {
		if (p == opt->choices)
			gm_buf_add_char(out, ' ');
		if (*p == '|')
			gm_buf_add_cstr(out, ", ");
		else
			gm_buf_add_char(out, *p);
	}
	if (sized && opt->min && opt->max)
		gm_buf_addf(out, ", %s to %s", opt->min, opt->max);
	else if (sized && opt->min)
		gm_buf_addf(out, ", at least %s", opt->min);
	else if (sized && opt->max)
		gm_buf_addf(out, ", at most %s", opt->max);
}

/* Words of `text` behind `indent` blanks, 100 columns wide. */
static void add_wrapped(struct gm_buf *out, struct gm_str text, size_t indent)
{
	struct gm_str word;
	size_t column = 0;

	while (gm_str_split(&text, ' ', &word)) {
		if (column > 0 && column + 1 + word.n > 100) {
			gm_buf_add_char(out, '\n');
			column = 0;
		}
		if (column == 0) {
			for (; column < indent; column++)
				gm_buf_add_char(out, ' ');
		} else {
			gm_buf_add_char(out, ' ');
			column++;
		}
		gm_buf_add_str(out, word);
		column += word.n;
	}
	gm_buf_add_char(out, '\n');
}

void gm_options_help(const struct gm_option *table, size_t count, struct gm_buf *out)
{
	for (size_t i = 0; i < count; i++) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf line = { 0 };
		gm_buf_addf(&line, "%s (", table[i].key);
		add_type(&table[i], &line);
		if (table[i].def && table[i].def[0])
			gm_buf_addf(&line, "; default %s", table[i].def);
		if (table[i].env)
			gm_buf_addf(&line, "; also %s", table[i].env);
		gm_buf_add_cstr(&line, table[i].live ? "; live)" : ")");
		add_wrapped(out, gm_buf_str(&line), 2);
		add_wrapped(out, gm_str(table[i].help), 6);
	}
}

/* A '|' would end the cell. */
static void add_cell(struct gm_buf *out, const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == '|')
			gm_buf_add_char(out, '\\');
		gm_buf_add_char(out, *p);
	}
}

void gm_options_markdown(const struct gm_option *table, size_t count, struct gm_buf *out)
{
	gm_buf_add_cstr(out, "| Key | Meaning | Type | Default | Environment | Live |\n|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < count; i++) {
		gm_buf_addf(out, "| `%s` | ", table[i].key);
		add_cell(out, table[i].help);
		gm_buf_add_cstr(out, " | ");
		add_type(&table[i], out);
		gm_buf_add_cstr(out, " | ");
		if (table[i].def && table[i].def[0]) {
			gm_buf_add_char(out, '`');
			add_cell(out, table[i].def);
			gm_buf_add_char(out, '`');
		}
		gm_buf_add_cstr(out, " | `");
		gm_option_env_name(&table[i], out);
		gm_buf_add_char(out, '`');
		if (table[i].env)
			gm_buf_addf(out, ", `%s`", table[i].env);
		gm_buf_add_cstr(out, table[i].live ? " | yes |\n" : " | |\n");
	}
}

/* Letters to insert, drop, change or swap with their neighbour to come from a to b. */
static size_t distance(struct gm_str a, struct gm_str b)
{
	size_t rows[3][KEY_MAX + 1];

	for (size_t j = 0; j <= b.n; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			size_t best = above[j - 1] + (a.p[i - 1] != b.p[j - 1]);
			best = above[j] + 1 < best ? above[j] + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1] &&
			    two_above[j - 2] + 1 < best)
				best = two_above[j - 2] + 1;
			row[j] = best;
		}
	}
	return rows[a.n % 3][b.n];
}

const char *gm_option_nearest(const struct gm_options *o, struct gm_str key)
{
	const char *nearest = NULL;
	size_t least = key.n / 3 < 4 ? key.n / 3 + 1 : 5;

	if (key.n == 0 || key.n > KEY_MAX)
		return NULL;
	for (size_t i = 0; i < o->count; i++) {
		struct gm_str other = gm_str(o->table[i].key);
		if (other.n > KEY_MAX)
			continue;
		size_t d = distance(key, other);
		/* The right key under the wrong parent, or under none. */
		if (other.n > key.n && gm_str_ends(other, key) && other.p[other.n - key.n - 1] == '.' && d > 1)
			d = 1;
		if (d < least) {
			least = d;
			nearest = o->table[i].key;
		}
	}
	return nearest;
}
