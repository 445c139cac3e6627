/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_CONF_CHANGES_H
#define GM_ADAPTER_CONF_CHANGES_H

#include "base/err.h"
#include "base/option.h"

/* What programs do with settings once they are loaded, whatever their table is. */

/* What a reload changed: keys in force from now on, and keys that wait for a restart. */
struct gm_conf_changes {
	struct gm_option_list live;
	struct gm_option_list restart;
};
void gm_conf_changes_fini(struct gm_conf_changes *c);
/* Compares two of the same table; rows of `now` that are not live get the value and origin they have in `before`. */
void gm_conf_changes_find(const struct gm_options *before, struct gm_options *now, struct gm_conf_changes *out);

/* Each effective value with its origin, as YAML that --config takes; secrets are masked. */
void gm_conf_print(const struct gm_options *o, struct gm_buf *out);

/* Adds a sentence for the log. */
void gm_conf_warn(struct gm_option_list *warnings, const char *fmt, ...) GM_PRINTF(2, 3);
/* A slip in a variable's name would go unseen: warns of each that begins so and is no setting's. */
void gm_conf_warn_environment(const struct gm_options *o, char *const *environment, const char *prefix,
			      struct gm_option_list *warnings);

/* Both or neither of two texts; the error is at the one that is set. */
int gm_conf_check_pair(const struct gm_options *o, const char *a_key, const char *b_key, struct gm_err *err) GM_CHECKED;
/* INVALID at the place where the key was set. */
int gm_conf_fail(const struct gm_options *o, const char *key, struct gm_err *err, const char *fmt, ...) GM_PRINTF(4, 5);

GM_DEFINE_AUTO_VALUE(struct gm_conf_changes, gm_conf_changes_fini)

#endif
