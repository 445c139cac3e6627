/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "adapter/conf/conf-internal.h"
#include "base/map.h"

void conf_where(const char *name, yaml_mark_t mark, char buf[static CONF_WHERE_SIZE])
{
	char place[48];
	int n = snprintf(place, sizeof(place), ":%zu:%zu", mark.line + 1, mark.column + 1);
	size_t room = CONF_WHERE_SIZE - 1 - (size_t)n;
	size_t length = strlen(name);

	if (length <= room)
		(void)snprintf(buf, CONF_WHERE_SIZE, "%s%s", name, place);
	else
		(void)snprintf(buf, CONF_WHERE_SIZE, "...%s%s", name + length - (room - 3), place);
}

static int fail_mark(const char *name, yaml_mark_t mark, struct gm_err *err, const char *text)
{
	char where[CONF_WHERE_SIZE];

	conf_where(name, mark, where);
	return gm_fail_at(err, GM_ERR_PARSE, where, "%s", text);
}

int conf_fail_at(const struct conf_yaml *y, const yaml_node_t *node, struct gm_err *err, const char *fmt, ...)
{
	char where[CONF_WHERE_SIZE];
	char text[sizeof(err->text)];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	conf_where(y->name, node->start_mark, where);
	return gm_fail_at(err, GM_ERR_INVALID, where, "%s", text);
}

static int fail_parser(const yaml_parser_t *p, const char *name, struct gm_err *err)
{
	char text[200];

	if (p->error == YAML_MEMORY_ERROR)
		return gm_fail(err, GM_ERR_NO_MEMORY, "%s: no memory to read it", name);
	(void)snprintf(text, sizeof(text), "%s%s%s", p->problem ? p->problem : "not YAML", p->context ? ", " : "",
		       p->context ? p->context : "");
	return fail_mark(name, p->error == YAML_READER_ERROR ? p->mark : p->problem_mark, err, text);
}

/* Counts as the events of a text go by; what breaks a rule here never becomes a document. */
struct survey {
	size_t nodes;
	size_t depth;
	size_t documents;
};

/* The reason why this event is refused, or NULL. */
static const char *survey_event(struct survey *s, const yaml_event_t *e)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	switch (e->type) {
	case YAML_ALIAS_EVENT:
		return "aliases (*name) are not supported";
	case YAML_DOCUMENT_START_EVENT:
		return ++s->documents > 1 ? "more than one document in the file" : NULL;
	case YAML_MAPPING_START_EVENT:
		anchor = e->data.mapping_start.anchor;
		tag = e->data.mapping_start.tag;
		s->depth++;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = e->data.sequence_start.anchor;
		tag = e->data.sequence_start.tag;
		s->depth++;
		break;
	case YAML_SCALAR_EVENT:
		anchor = e->data.scalar.anchor;
		tag = e->data.scalar.tag;
		break;
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		s->depth--;
		return NULL;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return NULL;
	}
	if (anchor)
		return "anchors (&name) are not supported";
	if (tag)
		return "tags (!name) are not supported";
	if (s->depth > GM_CONF_DEPTH_MAX)
		return "nested deeper than 16 levels";
	if (++s->nodes > GM_CONF_NODES_MAX)
		return "more than 500,000 nodes";
	return NULL;
}

/* The composer of documents hides aliases and has no limits, so the events are looked at before it runs. */
static int survey_text(struct gm_str text, const char *name, struct gm_err *err)
{
	yaml_parser_t parser;
	struct survey s = { 0 };
	bool done = false;
	int rc = 0;

	if (!yaml_parser_initialize(&parser))
		return gm_fail(err, GM_ERR_NO_MEMORY, "%s: no memory to read it", name);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text.p, text.n);
	while (rc == 0 && !done) {
		yaml_event_t event;
		if (!yaml_parser_parse(&parser, &event)) {
			rc = fail_parser(&parser, name, err);
			break;
		}
		const char *reason = survey_event(&s, &event);
		if (reason)
			rc = fail_mark(name, event.start_mark, err, reason);
		done = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return rc;
}

static int load_document(struct gm_str text, struct conf_yaml *y, struct gm_err *err)
{
	yaml_parser_t parser;
	int rc = 0;

	if (!yaml_parser_initialize(&parser))
		return gm_fail(err, GM_ERR_NO_MEMORY, "%s: no memory to read it", y->name);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text.p, text.n);
	if (yaml_parser_load(&parser, &y->document))
		y->loaded = true;
	else
		rc = fail_parser(&parser, y->name, err);
	yaml_parser_delete(&parser);
	return rc;
}

struct gm_str conf_yaml_text(const yaml_node_t *scalar)
{
	return gm_str_n((const char *)scalar->data.scalar.value, scalar->data.scalar.length);
}

/* The keys of one map: scalars, each once. */
static int check_mapping(struct conf_yaml *y, const yaml_node_t *map, struct gm_map *seen, struct gm_err *err)
{
	const yaml_node_pair_t *pair = map->data.mapping.pairs.start;

	gm_map_reset(seen);
	for (; pair < map->data.mapping.pairs.top; pair++) {
		yaml_node_t *key = conf_yaml_node(y, pair->key);
		if (key->type != YAML_SCALAR_NODE)
			return conf_fail_at(y, key, err, "a key is plain text, not %s", conf_yaml_kind(key));
		struct gm_str text = conf_yaml_text(key);
		const yaml_node_t *first = gm_map_put(seen, text, key);
		if (first)
			return conf_fail_at(y, key, err, "key '%.*s' is given twice, first in line %zu",
					    GM_STR_ARG(text), first->start_mark.line + 1);
	}
	return 0;
}

static int check_mappings(struct conf_yaml *y, struct gm_err *err)
{
	GM_AUTO(gm_map_fini_p) struct gm_map seen = { 0 };
	const yaml_node_t *node = y->document.nodes.start;
	int rc = 0;

	for (; rc == 0 && node < y->document.nodes.top; node++)
		if (node->type == YAML_MAPPING_NODE)
			rc = check_mapping(y, node, &seen, err);
	return rc;
}

int conf_yaml_parse(struct gm_str text, const char *name, struct conf_yaml *out, struct gm_err *err)
{
	struct conf_yaml y = { .name = name };

	if (text.n > GM_CONF_FILE_MAX)
		return gm_fail_at(err, GM_ERR_TOO_LARGE, name, "larger than 8 MiB");
	int rc = survey_text(text, name, err);
	if (rc == 0)
		rc = load_document(text, &y, err);
	if (rc == 0)
		rc = check_mappings(&y, err);
	if (rc < 0) {
		conf_yaml_fini(&y);
		return rc;
	}
	*out = y;
	return 0;
}

void conf_yaml_fini(struct conf_yaml *y)
{
	if (y->loaded)
		yaml_document_delete(&y->document);
	y->loaded = false;
}

yaml_node_t *conf_yaml_root(struct conf_yaml *y)
{
	return yaml_document_get_root_node(&y->document);
}

yaml_node_t *conf_yaml_node(struct conf_yaml *y, int id)
{
	return yaml_document_get_node(&y->document, id);
}

bool conf_yaml_is_null(const yaml_node_t *node)
{
	if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	struct gm_str text = conf_yaml_text(node);
	return text.n == 0 || gm_str_is(text, "~") || gm_str_ieq(text, GM_STR("null"));
}

const char *conf_yaml_kind(const yaml_node_t *node)
{
	switch (node->type) {
	case YAML_SCALAR_NODE:
		return conf_yaml_is_null(node) ? "nothing" : "a single value";
	case YAML_SEQUENCE_NODE:
		return "a list";
	case YAML_MAPPING_NODE:
		return "a map";
	case YAML_NO_NODE:
		break;
	}
	return "nothing";
}
