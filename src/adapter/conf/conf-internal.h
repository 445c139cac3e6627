/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_CONF_CONF_INTERNAL_H
#define GM_ADAPTER_CONF_CONF_INTERNAL_H

#include <yaml.h>

#include "adapter/conf/conf.h"
#include "base/buf.h"

/* One YAML document and the name its places are called by. */
struct conf_yaml {
	yaml_document_t document;
	const char *name;
	bool loaded;
};

/* Reads and checks one document: limits, no aliases, no tags, scalar keys, no key twice in one map. */
int conf_yaml_parse(struct gm_str text, const char *name, struct conf_yaml *out, struct gm_err *err) GM_CHECKED;
void conf_yaml_fini(struct conf_yaml *y);
/* NULL when the document is empty. */
yaml_node_t *conf_yaml_root(struct conf_yaml *y);
yaml_node_t *conf_yaml_node(struct conf_yaml *y, int id);
struct gm_str conf_yaml_text(const yaml_node_t *scalar);
/* True for a key without a value: nothing, `~` or null. */
bool conf_yaml_is_null(const yaml_node_t *node);
/* "a map" and so on, for messages. */
const char *conf_yaml_kind(const yaml_node_t *node);

#define CONF_WHERE_SIZE sizeof(((struct gm_err *)0)->where)
/* "name:line:col", the name's beginning left out when it does not fit. */
void conf_where(const char *name, yaml_mark_t mark, char buf[static CONF_WHERE_SIZE]);
int conf_fail_at(const struct conf_yaml *y, const yaml_node_t *node, struct gm_err *err, const char *fmt, ...)
	GM_PRINTF(4, 5);

/* A whole file of at most GM_CONF_FILE_MAX bytes. */
int conf_read_file(const char *path, struct gm_buf *out, struct gm_err *err) GM_CHECKED;

#endif
