/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "adapter/conf/conf-internal.h"
#include "base/alloc.h"
#include "base/vec.h"

/* Walks one document over an option table. */
struct walk {
	struct conf_yaml *yaml;
	struct gm_options *options;
	size_t *lines;	   /* one a row: the line that set it, 0 for none */
	struct gm_buf key; /* the dotted key of where the walk is */
	struct gm_err *err;
};

static struct gm_origin origin_of(const struct walk *w, const yaml_node_t *node)
{
	struct gm_origin origin = { .kind = GM_ORIGIN_FILE };

	_Static_assert(sizeof(origin.where) == CONF_WHERE_SIZE, "a place fits both");
	conf_where(w->yaml->name, node->start_mark, origin.where);
	return origin;
}

static int unknown_key(struct walk *w, const yaml_node_t *key)
{
	const char *nearest = gm_option_nearest(w->options, gm_buf_str(&w->key));

	if (nearest)
		return conf_fail_at(w->yaml, key, w->err, "unknown key '%s'; did you mean '%s'?", gm_buf_cstr(&w->key),
				    nearest);
	return conf_fail_at(w->yaml, key, w->err, "unknown key '%s'", gm_buf_cstr(&w->key));
}

/* True when rows of the table lie under `key`. */
static bool is_section(const struct gm_options *o, struct gm_str key)
{
	for (size_t i = 0; i < o->count; i++) {
		struct gm_str row = gm_str(o->table[i].key);
		if (row.n > key.n && row.p[key.n] == '.' && gm_str_starts(row, key))
			return true;
	}
	return false;
}

static bool is_plain(const yaml_node_t *node)
{
	return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static bool looks_bool(struct gm_str text)
{
	return gm_str_ieq(text, GM_STR("true")) || gm_str_ieq(text, GM_STR("false"));
}

/* The style tells "true" from true: quotes make text of what would be a number or a truth value. */
static int check_style(struct walk *w, const struct gm_option *opt, const yaml_node_t *node)
{
	struct gm_str text = conf_yaml_text(node);
	bool is_text = opt->type == GM_OPTION_TEXT || opt->type == GM_OPTION_SECRET;
	bool wants_plain = opt->type == GM_OPTION_BOOL || opt->type == GM_OPTION_INT || opt->type == GM_OPTION_MONEY;

	if (is_text && is_plain(node) && looks_bool(text))
		return conf_fail_at(w->yaml, node, w->err, "%s: %.*s is not text; put it in quotes", opt->key,
				    GM_STR_ARG(text));
	if (wants_plain && !is_plain(node))
		return conf_fail_at(w->yaml, node, w->err, "%s: \"%.*s\" in quotes is text, not a %s", opt->key,
				    GM_STR_ARG(text), opt->type == GM_OPTION_BOOL ? "true or false" : "number");
	return 0;
}

static char *scalar_dup(const yaml_node_t *node)
{
	return gm_str_dup(conf_yaml_text(node));
}

/* Items of lists and values of maps: text or numbers, no NUL inside since they become C strings. */
static int check_item(struct conf_yaml *y, const yaml_node_t *node, struct gm_err *err)
{
	if (node->type != YAML_SCALAR_NODE)
		return conf_fail_at(y, node, err, "a single value is wanted here, not %s", conf_yaml_kind(node));
	struct gm_str text = conf_yaml_text(node);
	if (text.n > 0 && memchr(text.p, '\0', text.n))
		return conf_fail_at(y, node, err, "holds a control character");
	return 0;
}

static struct gm_option_pair make_pair(struct conf_yaml *y, const yaml_node_t *key, const yaml_node_t *value)
{
	char where[CONF_WHERE_SIZE];

	conf_where(y->name, key ? key->start_mark : value->start_mark, where);
	return (struct gm_option_pair){ .key = key ? scalar_dup(key) : gm_xstrdup(""),
					.value = conf_yaml_is_null(value) ? gm_xstrdup("") : scalar_dup(value),
					.where = gm_xstrdup(where) };
}

static int build_list(struct conf_yaml *y, const yaml_node_t *node, struct gm_option_list *out, struct gm_err *err)
{
	const yaml_node_item_t *item = node->data.sequence.items.start;
	size_t count = (size_t)(node->data.sequence.items.top - item);

	*out = (struct gm_option_list){ .items = gm_xalloc((count + 1) * sizeof(char *)) };
	for (; item < node->data.sequence.items.top; item++) {
		const yaml_node_t *value = conf_yaml_node(y, *item);
		int rc = check_item(y, value, err);
		if (rc < 0)
			return rc;
		out->items[out->count++] = scalar_dup(value);
	}
	return 0;
}

static int build_map(struct conf_yaml *y, const yaml_node_t *node, struct gm_option_map *out, struct gm_err *err)
{
	const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	size_t count = (size_t)(node->data.mapping.pairs.top - pair);

	*out = (struct gm_option_map){ .items = gm_xalloc((count + 1) * sizeof(*out->items)) };
	for (; pair < node->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = conf_yaml_node(y, pair->key), *value = conf_yaml_node(y, pair->value);
		int rc = check_item(y, key, err);
		if (rc == 0)
			rc = check_item(y, value, err);
		if (rc < 0)
			return rc;
		out->items[out->count++] = make_pair(y, key, value);
	}
	return 0;
}

static int build_maps(struct conf_yaml *y, const yaml_node_t *node, struct gm_option_maps *out, struct gm_err *err)
{
	const yaml_node_item_t *item = node->data.sequence.items.start;
	size_t count = (size_t)(node->data.sequence.items.top - item);
	int rc = 0;

	*out = (struct gm_option_maps){ .items = gm_xalloc((count + 1) * sizeof(*out->items)) };
	for (; rc == 0 && item < node->data.sequence.items.top; item++) {
		const yaml_node_t *entry = conf_yaml_node(y, *item);
		struct gm_option_map *map = &out->items[out->count++];
		if (entry->type == YAML_MAPPING_NODE) {
			rc = build_map(y, entry, map, err);
		} else if ((rc = check_item(y, entry, err)) == 0) {
			map->items = gm_xalloc(sizeof(*map->items));
			map->items[map->count++] = make_pair(y, NULL, entry);
		}
	}
	return rc;
}

static int wrong_kind(struct walk *w, const struct gm_option *opt, const yaml_node_t *node, const char *wanted)
{
	return conf_fail_at(w->yaml, node, w->err, "%s: %s is wanted, not %s", opt->key, wanted, conf_yaml_kind(node));
}

static int apply_scalar(struct walk *w, const struct gm_option *opt, const yaml_node_t *node)
{
	struct gm_origin origin = origin_of(w, node);
	int rc = check_style(w, opt, node);

	if (rc < 0)
		return rc;
	return gm_option_set(w->options, opt, conf_yaml_text(node), &origin, w->err);
}

static int apply_list(struct walk *w, const struct gm_option *opt, const yaml_node_t *node)
{
	GM_AUTO(gm_option_list_fini_p) struct gm_option_list list = { 0 };
	struct gm_origin origin = origin_of(w, node);
	int rc = build_list(w->yaml, node, &list, w->err);

	return rc < 0 ? rc : gm_option_set_list(w->options, opt, &list, &origin, w->err);
}

static int apply_map(struct walk *w, const struct gm_option *opt, const yaml_node_t *node)
{
	GM_AUTO(gm_option_map_fini_p) struct gm_option_map map = { 0 };
	struct gm_origin origin = origin_of(w, node);
	int rc = build_map(w->yaml, node, &map, w->err);

	return rc < 0 ? rc : gm_option_set_map(w->options, opt, &map, &origin, w->err);
}

static int apply_maps(struct walk *w, const struct gm_option *opt, const yaml_node_t *node)
{
	GM_AUTO(gm_option_maps_fini_p) struct gm_option_maps maps = { 0 };
	struct gm_origin origin = origin_of(w, node);
	int rc = build_maps(w->yaml, node, &maps, w->err);

	return rc < 0 ? rc : gm_option_set_maps(w->options, opt, &maps, &origin, w->err);
}

static int apply_value(struct walk *w, const struct gm_option *opt, const yaml_node_t *node)
{
	bool listed = opt->type == GM_OPTION_LIST || opt->type == GM_OPTION_MAPS;

	if (node->type == YAML_SCALAR_NODE && opt->type != GM_OPTION_MAP)
		return apply_scalar(w, opt, node); /* for a list: "a, b" */
	if (listed && node->type == YAML_SEQUENCE_NODE)
		return opt->type == GM_OPTION_LIST ? apply_list(w, opt, node) : apply_maps(w, opt, node);
	if (listed)
		return wrong_kind(w, opt, node, "a list");
	if (opt->type == GM_OPTION_MAP && node->type == YAML_MAPPING_NODE)
		return apply_map(w, opt, node);
	return wrong_kind(w, opt, node, opt->type == GM_OPTION_MAP ? "a map" : "a single value");
}

/* Nested and dotted spellings may name the same row: that is a duplicate as well. */
static int apply_row(struct walk *w, const struct gm_option *opt, const yaml_node_t *key, const yaml_node_t *value)
{
	size_t *line = &w->lines[opt - w->options->table];

	if (*line)
		return conf_fail_at(w->yaml, key, w->err, "key '%s' is given twice, first in line %zu", opt->key,
				    *line);
	*line = key->start_mark.line + 1;
	return conf_yaml_is_null(value) ? 0 : apply_value(w, opt, value);
}

static int apply_section(struct walk *w, const yaml_node_t *map);

static int apply_pair(struct walk *w, const yaml_node_t *key, const yaml_node_t *value)
{
	size_t outer = w->key.n;

	if (outer > 0)
		gm_buf_add_char(&w->key, '.');
	gm_buf_add_str(&w->key, conf_yaml_text(key));
	struct gm_str full = gm_buf_str(&w->key);
	const struct gm_option *opt = gm_option_find(w->options, full);
	int rc;
	if (w->key.failed)
		rc = conf_fail_at(w->yaml, key, w->err, "the key is too long");
	else if (opt)
		rc = apply_row(w, opt, key, value);
	else if (!is_section(w->options, full))
		rc = unknown_key(w, key);
	else if (value->type == YAML_MAPPING_NODE)
		rc = apply_section(w, value);
	else if (conf_yaml_is_null(value))
		rc = 0;
	else
		rc = conf_fail_at(w->yaml, value, w->err, "%s: a map is wanted, not %s", gm_buf_cstr(&w->key),
				  conf_yaml_kind(value));
	w->key.n = outer;
	w->key.p[outer] = '\0';
	return rc;
}

/* Goes down at most as many levels as keys have dots. */
static int apply_section(struct walk *w, const yaml_node_t *map)
{
	const yaml_node_pair_t *pair = map->data.mapping.pairs.start;
	int rc = 0;

	for (; rc == 0 && pair < map->data.mapping.pairs.top; pair++)
		rc = apply_pair(w, conf_yaml_node(w->yaml, pair->key), conf_yaml_node(w->yaml, pair->value));
	return rc;
}

int gm_conf_apply_yaml(struct gm_options *o, struct gm_str text, const char *name, struct gm_err *err)
{
	struct conf_yaml yaml = { 0 };
	int rc = conf_yaml_parse(text, name, &yaml, err);

	if (rc < 0)
		return rc;
	struct walk w = { .yaml = &yaml, .options = o, .err = err };
	w.lines = gm_xalloc(o->count * sizeof(*w.lines) + 1);
	w.key.limit = GM_CONF_FILE_MAX;
	(void)gm_buf_cstr(&w.key);
	const yaml_node_t *root = conf_yaml_root(&yaml);
	if (root && root->type == YAML_MAPPING_NODE)
		rc = apply_section(&w, root);
	else if (root && !conf_yaml_is_null(root))
		rc = conf_fail_at(&yaml, root, err, "the file holds %s, not a map of keys", conf_yaml_kind(root));
	free(w.lines);
	gm_buf_fini(&w.key);
	conf_yaml_fini(&yaml);
	return rc;
}

int gm_conf_maps_parse(struct gm_str text, const char *name, struct gm_option_maps *out, struct gm_err *err)
{
	struct conf_yaml yaml = { 0 };
	struct gm_option_maps maps = { 0 };
	int rc = conf_yaml_parse(text, name, &yaml, err);

	if (rc < 0)
		return rc;
	const yaml_node_t *root = conf_yaml_root(&yaml);
	if (root && root->type == YAML_SEQUENCE_NODE)
		rc = build_maps(&yaml, root, &maps, err);
	else if (root && !conf_yaml_is_null(root))
		rc = conf_fail_at(&yaml, root, err, "the file holds %s, not a list", conf_yaml_kind(root));
	conf_yaml_fini(&yaml);
	if (rc < 0)
		gm_option_maps_fini(&maps);
	else
		*out = maps;
	return rc;
}
