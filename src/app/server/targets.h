/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_SERVER_TARGETS_H
#define GM_APP_SERVER_TARGETS_H

#include <stdint.h>

#include "base/err.h"
#include "base/option.h"

/*
 * One entry of scrape.targets or of scrape.targets-file: a URL, or a map of these keys. Texts are borrowed from the
 * entry; NULL where it has none, the value of scrape.* then counts.
 */
struct gm_target_conf {
	const char *url;
	const char *node;    /* the node's name when the page does not say it */
	const char *cluster; /* instead of cluster.name */
	const char *bearer_token_file;
	const char *ca_file;
	const char *client_cert_file;
	const char *client_key_file;
	int64_t interval_ms; /* 0: gpu.management.metrics.collection-interval */
};

int gm_target_read(const struct gm_option_map *entry, struct gm_target_conf *out, struct gm_err *err) GM_CHECKED;
/* Every entry is good, and no URL stands twice. err->where is the place of the one that is not. */
int gm_targets_check(const struct gm_option_maps *targets, struct gm_err *err) GM_CHECKED;

#endif
