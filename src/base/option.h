/* SPDX-License-Identifier: MIT */
#ifndef GM_BASE_OPTION_H
#define GM_BASE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"

/*
 * Options: one row each, from which the checks, --help, --print-config, the environment names and the docs page come.
 * A table describes a struct; gm_options holds where each value came from. Keys are dotted, segments in kebab-case.
 */
enum gm_option_type {
	GM_OPTION_BOOL,	    /* bool */
	GM_OPTION_INT,	    /* int64_t; min, max as numbers */
	GM_OPTION_DURATION, /* int64_t milliseconds; min, max, def as "30s" */
	GM_OPTION_BYTES,    /* int64_t; "64MiB" */
	GM_OPTION_TEXT,	    /* char *, heap; min, max: length; never NULL */
	GM_OPTION_SECRET,   /* struct gm_secret */
	GM_OPTION_ENUM,	    /* int; `choices`, separated by '|', gives 0, 1, ... */
	GM_OPTION_MONEY,    /* int64_t micros */
	GM_OPTION_LIST,	    /* struct gm_option_list of text items; max: how many items */
	GM_OPTION_MAP,	    /* struct gm_option_map, text to text (e.g. default-rates); max: how many entries */
	GM_OPTION_MAPS,	    /* struct gm_option_maps: list of scalars or of maps (e.g. scrape.targets); max: entries */
};

struct gm_option {
	const char *key;
	enum gm_option_type type;
	size_t offset;
	const char *def; /* as text, as the file would have it; lists "[a, b]"; NULL: empty */
	const char *min; /* as text of the type; NULL: none */
	const char *max;
	const char *choices;	/* ENUM; for LIST and MAP keys: allowed items, NULL: any */
	const char *env;	/* a further environment name (DB_HOST); NULL: only the relaxed one */
	const char *env_prefix; /* before the relaxed name ("GPU_AGENT_"); NULL: none */
	bool live;		/* changes on SIGHUP */
	const char *help;	/* one sentence, no full stop */
	/* A further rule on one value as text (a URL, a currency); NULL: none. Fails with the reason. */
	int (*check)(struct gm_str value, struct gm_err *err);
};

struct gm_option_list {
	char **items;
	size_t count;
};
struct gm_option_pair {
	char *key;
	char *value;
	char *where; /* origin of this entry */
};
struct gm_option_map {
	struct gm_option_pair *items;
	size_t count;
};
/* Each entry is a map; a scalar entry is a map of one pair whose key is "". */
struct gm_option_maps {
	struct gm_option_map *items;
	size_t count;
};

/* For those who build such values themselves; what is in an option table is freed with it. */
void gm_option_list_fini(struct gm_option_list *l);
void gm_option_map_fini(struct gm_option_map *m);
void gm_option_maps_fini(struct gm_option_maps *m);

/* Where a value came from; later kinds overlay earlier ones. */
enum gm_origin_kind { GM_ORIGIN_DEFAULT, GM_ORIGIN_PROFILE, GM_ORIGIN_FILE, GM_ORIGIN_ENV, GM_ORIGIN_FLAG };
struct gm_origin {
	enum gm_origin_kind kind;
	char where[112]; /* "application.yml:12:9", "DB_HOST", "--set" */
};

struct gm_options {
	const struct gm_option *table;
	size_t count;
	void *target;		   /* the struct the offsets are in */
	struct gm_origin *origins; /* one a row */
};

/* Sets every default. The table's own texts are asserted to be valid. */
void gm_options_init(struct gm_options *o, const struct gm_option *table, size_t count, void *target);
/* Frees origins and all values. */
void gm_options_fini(struct gm_options *o);
/* NULL when there is no such key; GM_ERR_NOT_FOUND callers offer gm_option_nearest. */
const struct gm_option *gm_option_find(const struct gm_options *o, struct gm_str key);
/* The key that differs least from `key` (a typing slip), or NULL. */
const char *gm_option_nearest(const struct gm_options *o, struct gm_str key);

/*
 * Sets one value from text as an environment variable or a flag gives it. Lists: "a,b" or "[a, b]"; maps:
 * "k=v,k2=v2" or "{k: v}"; lists of maps: "a,b" or "[{k: v}, {k: w}]". Blanks around it are dropped unless it is a text
 * or a secret. On failure the old value stays and err->where is origin->where.
 */
int gm_option_set(struct gm_options *o, const struct gm_option *opt, struct gm_str text, const struct gm_origin *origin,
		  struct gm_err *err) GM_CHECKED;
/* Sets a whole list, map or list of maps that a file gives. Values are copied. */
int gm_option_set_list(struct gm_options *o, const struct gm_option *opt, const struct gm_option_list *value,
		       const struct gm_origin *origin, struct gm_err *err) GM_CHECKED;
int gm_option_set_map(struct gm_options *o, const struct gm_option *opt, const struct gm_option_map *value,
		      const struct gm_origin *origin, struct gm_err *err) GM_CHECKED;
int gm_option_set_maps(struct gm_options *o, const struct gm_option *opt, const struct gm_option_maps *value,
		       const struct gm_origin *origin, struct gm_err *err) GM_CHECKED;

/* The value as text that gm_option_set reads back; secrets "******" when set, "" when not. */
void gm_option_print(const struct gm_options *o, const struct gm_option *opt, struct gm_buf *out);
const struct gm_origin *gm_option_origin(const struct gm_options *o, const struct gm_option *opt);
/* True when both hold the same value for this row (both built from the same table). */
bool gm_option_same(const struct gm_options *a, const struct gm_options *b, const struct gm_option *opt);
/* The text in double quotes, as YAML and gm_option_set read it. */
void gm_option_quote(struct gm_str text, struct gm_buf *out);
/* Value and origin of one row, from options of the same table. */
void gm_option_copy(struct gm_options *to, const struct gm_options *from, const struct gm_option *opt);

/* "gpu.management.mig.auto-cleanup" -> "GPU_MANAGEMENT_MIG_AUTOCLEANUP": dots to '_', dashes dropped, upper case. */
void gm_option_env_name(const struct gm_option *opt, struct gm_buf *out);

/* Text for --help: key, type, range, default, help, wrapped at 100 columns. */
void gm_options_help(const struct gm_option *table, size_t count, struct gm_buf *out);
/* A Markdown table for docs/configuration.md. */
void gm_options_markdown(const struct gm_option *table, size_t count, struct gm_buf *out);

GM_DEFINE_AUTO_VALUE(struct gm_option_list, gm_option_list_fini)
GM_DEFINE_AUTO_VALUE(struct gm_option_map, gm_option_map_fini)
GM_DEFINE_AUTO_VALUE(struct gm_option_maps, gm_option_maps_fini)
GM_DEFINE_AUTO_VALUE(struct gm_options, gm_options_fini)

#endif
