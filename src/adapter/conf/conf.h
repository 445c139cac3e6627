/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_CONF_CONF_H
#define GM_ADAPTER_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/option.h"
#include "base/str.h"

/*
 * Fills an option table from what an operator writes, later sources over earlier ones: presets of the profiles, the base
 * file, application-<profile>.yml beside it for each active profile in their order, environment, flags.
 *
 * Files are YAML 1.1 of one document. Keys may be nested or dotted ("a.b: x"). Lists and maps are replaced whole. A key
 * without a value leaves what was there. Anchors, aliases, tags, duplicate and unknown keys are errors; every error of a
 * file has where = "file:line:col".
 * Limits: GM_CONF_FILE_MAX bytes, GM_CONF_NODES_MAX nodes, GM_CONF_DEPTH_MAX levels.
 */
#define GM_CONF_FILE_MAX (8 * 1024 * 1024)
#define GM_CONF_NODES_MAX 500000
#define GM_CONF_DEPTH_MAX 16
#define GM_CONF_PROFILES_MAX 16

/* What a profile sets before any file is read. */
struct gm_conf_preset {
	const char *profile;
	const char *key;
	const char *value;
};

struct gm_conf_profiles {
	char *names[GM_CONF_PROFILES_MAX];
	size_t count;
};
/* "development, gpu-management": letters, digits, '-' and '_'; a name given again is dropped. Adds to *p. */
int gm_conf_profiles_add(struct gm_conf_profiles *p, struct gm_str text, const char *where,
			 struct gm_err *err) GM_CHECKED;
bool gm_conf_profiles_has(const struct gm_conf_profiles *p, const char *name);
void gm_conf_profiles_fini(struct gm_conf_profiles *p);

struct gm_conf_sources {
	const char *file;   /* the base file; NULL: none */
	const char *folder; /* where profile files lie when there is no base file; NULL: the working folder */
	const struct gm_conf_profiles *profiles;
	const char *const *known_profiles; /* NULL-ended: these need no file of their own */
	const struct gm_conf_preset *presets;
	size_t preset_count;
	char *const *environment;    /* NULL-ended; NULL: none. Variables that are empty count as not set. */
	const char *const *settings; /* "KEY=VALUE" as --set has them */
	size_t setting_count;
};
/* `o` is initialised; on failure it holds a mixture and is of no use but to gm_options_fini. */
int gm_conf_load(struct gm_options *o, const struct gm_conf_sources *from, struct gm_err *err) GM_CHECKED;

/* The steps, one by one. `name` is what places are called by. */
int gm_conf_apply_yaml(struct gm_options *o, struct gm_str text, const char *name, struct gm_err *err) GM_CHECKED;
int gm_conf_apply_file(struct gm_options *o, const char *path, struct gm_err *err) GM_CHECKED;
/* A number's variable with a value that Kubernetes makes for services ("tcp://10.0.0.1:80") is passed over. */
int gm_conf_apply_environment(struct gm_options *o, char *const *environment, struct gm_err *err) GM_CHECKED;
int gm_conf_apply_setting(struct gm_options *o, const char *setting, struct gm_err *err) GM_CHECKED;
/* "profile development" is then the value's origin. */
int gm_conf_apply_preset(struct gm_options *o, const struct gm_conf_preset *preset, struct gm_err *err) GM_CHECKED;

/* The value of a variable, or NULL when it is absent or empty. */
const char *gm_conf_environment_get(char *const *environment, const char *name);

/*
 * A file that holds one list of scalars or of maps of scalars, YAML or JSON (scrape.targets-file). Empty: no entries.
 * The keys of the maps are not looked at; each pair knows its place.
 */
int gm_conf_maps_parse(struct gm_str text, const char *name, struct gm_option_maps *out, struct gm_err *err) GM_CHECKED;
int gm_conf_maps_read(const char *path, struct gm_option_maps *out, struct gm_err *err) GM_CHECKED;

#endif
