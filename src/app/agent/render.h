/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_RENDER_H
#define GM_APP_AGENT_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/agent/holders.h"
#include "app/agent/view.h"
#include "base/auto.h"
#include "base/promtext.h"

struct gm_mig_wanted_seen; /* mig-manager.h */

/* The text at /metrics, from what a round has found. docs/agent-metrics.md has all of it. */

/* What a process of the agent has used (own.h). */
struct gm_render_own {
	const char *role;
	int32_t number;
	int64_t cpu_ms, resident_bytes;
};
struct gm_render_input {
	const struct gm_agent_view *view;
	const struct gm_holders *holders; /* NULL: not known */
	const char *node_name;
	int64_t mono_ms, window_ms;
	bool healthy;
	int mig_ready; /* 1, 0; -1: nobody looks after MIG */
	const struct gm_mig_wanted_seen *mig_wanted;
	size_t mig_wanted_count;
	struct gm_str mig_other_owner; /* empty: none */
	const struct gm_render_own *own;
	size_t own_count;
	bool dcgm_names; /* DCGM_FI_... families behind ours */
};

/* Memory that a page is made in, kept from page to page. Not for two threads at once. */
struct gm_render;
struct gm_render *gm_render_new(void);
void gm_render_free(struct gm_render *r);
/* Appends the whole page. */
void gm_render_metrics(struct gm_render *r, const struct gm_render_input *in, enum gm_promtext_format format,
		       struct gm_buf *out);

/* Are values of the boards shown at all? Not while paused or without a driver: a number nobody measures is no reading. */
bool gm_view_has_values(const struct gm_agent_view *view);

GM_DEFINE_AUTO(struct gm_render, gm_render_free)

#endif
