/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_PAUSE_H
#define GM_APP_AGENT_PAUSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

/*
 * Stepping aside, for driver upgrades and resets: asked for over HTTP, or by a marker file that exists. Either ends by itself
 * after a limit, so that a pause that was forgotten costs an hour of data and not the rest of them. A marker that outlived
 * its limit counts again once it was taken away.
 */
struct gm_agent_pause;
/* `marker` "": none; copied. */
struct gm_agent_pause *gm_agent_pause_new(const struct gm_clock *clock, const char *marker, int64_t limit_ms);
void gm_agent_pause_free(struct gm_agent_pause *p);
void gm_agent_pause_set_limit(struct gm_agent_pause *p, int64_t limit_ms);

/* From any thread. Begins one, or sets the end of the one there is anew; INVALID: longer than the limit, or not positive. */
int gm_agent_pause_request(struct gm_agent_pause *p, int64_t for_ms, struct gm_str reason, int64_t *out_until_ms,
			   struct gm_err *err) GM_CHECKED;
/* From any thread. CONFLICT: the marker file is still there, so the pause goes on. */
int gm_agent_pause_resume(struct gm_agent_pause *p, struct gm_err *err) GM_CHECKED;

struct gm_agent_pause_state {
	bool on;
	int64_t until_ms;     /* wall time */
	int64_t next_mono_ms; /* when it changes by itself; INT64_MAX: never */
	char reason[120];
};
/* Main thread, each tick: looks at the marker, ends what is over. */
void gm_agent_pause_look(struct gm_agent_pause *p, struct gm_agent_pause_state *out);

GM_DEFINE_AUTO(struct gm_agent_pause, gm_agent_pause_free)

#endif
