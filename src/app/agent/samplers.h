/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_SAMPLERS_H
#define GM_APP_AGENT_SAMPLERS_H

#include <stdbool.h>
#include <stdint.h>

#include "app/agent/keeper.h"
#include "app/agent/view.h"

/*
 * The parent's side of sampling: which child reads which board, who hangs, who takes over (watch.h has the rules as a pure
 * function), and the view that comes of it. Main thread only.
 */
struct gm_samplers;
struct gm_samplers_conf {
	struct gm_agent_shared *shared;
	struct gm_keeper *keeper;
	const struct gm_clock *clock;
	int64_t interval_ms, window_ms;
	int64_t hung_after_ms; /* a call that lasts longer is a hang: at most 2 s, so that it is told within 3 */
};
struct gm_samplers *gm_samplers_new(const struct gm_samplers_conf *conf);
void gm_samplers_free(struct gm_samplers *s);
/* Looks at everything, starts and abandons children, refreshes the view; *out_changed: a round was completed. Answers when to call again (mono ms). */
int64_t gm_samplers_tick(struct gm_samplers *s, bool *out_changed);
void gm_samplers_child_ended(struct gm_samplers *s, const struct gm_keeper_end *end);
const struct gm_agent_view *gm_samplers_view(const struct gm_samplers *s);
/*
 * Holds: all children end after their current call and none is started, until each hold is released. For a pause, and for a
 * switch of the MIG mode. `gm_samplers_quiet` is true once no child (abandoned ones aside) is left.
 */
enum gm_samplers_hold { GM_HOLD_PAUSE = 1, GM_HOLD_MIG = 2 };
void gm_samplers_hold(struct gm_samplers *s, enum gm_samplers_hold why);
void gm_samplers_release(struct gm_samplers *s, enum gm_samplers_hold why);
bool gm_samplers_quiet(const struct gm_samplers *s);

#endif
