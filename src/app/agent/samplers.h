/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_SAMPLERS_H
#define GM_APP_AGENT_SAMPLERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "app/agent/keeper.h"
#include "app/agent/shared.h"
#include "app/agent/view.h"
#include "base/auto.h"
#include "base/clock.h"

/*
 * The parent's side of sampling: which child reads which board, who hangs, who takes over (watch.h has the rules as a pure
 * function), and the view that comes of it. Main thread only.
 */
struct gm_samplers;
struct gm_samplers_conf {
	struct gm_agent_shared *shared;
	struct gm_keeper *keeper;
	const struct gm_clock *clock;
	int order_fds[GM_AGENT_CHILDREN_MAX]; /* as in gm_child_conf; borrowed */
	int64_t interval_ms, window_ms;
	int64_t hung_after_ms; /* a call that lasts longer is a hang: at most 2 s, so that it is told within 3 */
};
struct gm_samplers *gm_samplers_new(const struct gm_samplers_conf *conf);
void gm_samplers_free(struct gm_samplers *s);
/*
 * Looks at everything, starts and abandons children, refreshes the view; *out_changed: a round was completed, or a state
 * changed. Answers when to call again (mono ms); a child's wake-up may come before.
 */
int64_t gm_samplers_tick(struct gm_samplers *s, bool *out_changed);
void gm_samplers_child_ended(struct gm_samplers *s, const struct gm_keeper_end *end);
const struct gm_agent_view *gm_samplers_view(const struct gm_samplers *s);
void gm_samplers_set_interval(struct gm_samplers *s, int64_t interval_ms, int64_t window_ms);
/*
 * Holds: all children end after their current call and none is started, until each hold is released. For a pause, and for a
 * switch of the MIG mode. `gm_samplers_quiet` is true once no child (abandoned ones aside) is left.
 */
enum gm_samplers_hold { GM_HOLD_PAUSE = 1, GM_HOLD_MIG = 2, GM_HOLD_STOP = 4 };
void gm_samplers_hold(struct gm_samplers *s, enum gm_samplers_hold why);
void gm_samplers_release(struct gm_samplers *s, enum gm_samplers_hold why);
bool gm_samplers_quiet(const struct gm_samplers *s);
/* What the view says of a pause; until_ms 0: not known. The text is copied. */
void gm_samplers_tell_pause(struct gm_samplers *s, int64_t until_ms, const char *reason);
/* A hold began or ended since the last tick: tick now. */
bool gm_samplers_urgent(const struct gm_samplers *s);
/* The process of a child, 0: there is none. */
pid_t gm_samplers_pid(const struct gm_samplers *s, unsigned child);

GM_DEFINE_AUTO(struct gm_samplers, gm_samplers_free)

#endif
