/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_SERVER_SETTINGS_INTERNAL_H
#define GM_APP_SERVER_SETTINGS_INTERNAL_H

#include "app/server/settings.h"

extern const struct gm_conf_preset gm_settings_presets[];
extern const size_t gm_settings_preset_count;
/* Profiles that need no file of their own; NULL-ended. */
extern const char *const gm_settings_profiles[];

/* How many GPUs the profile development simulates when nothing is there to be scraped. */
#define GM_SETTINGS_DEMO_GPUS "24"

/* The rule on a target given as a mere URL (targets.c). */
int gm_target_check_url(struct gm_str value, struct gm_err *err);

/* docs/configuration.md (settings-docs.c). */
void gm_settings_docs(struct gm_buf *out);

#endif
