/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_HEALTH_H
#define GM_APP_AGENT_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "app/agent/view.h"
#include "base/buf.h"

/*
 * What /healthz, /readyz and gpu_agent_up say. Healthy: the agent works (is not paused), every board is read and the
 * readings are fresh. Ready: the first round is made and the wanted MIG layout is there, whatever befell boards since.
 */
bool gm_health_ok(const struct gm_agent_view *view, int64_t interval_ms);
/*
 * The body of /healthz; answers its status, 200 or 503. The brief one is for who may not read: how it is and how many boards,
 * and nothing by which one is known.
 */
enum gm_health_detail { GM_HEALTH_BRIEF, GM_HEALTH_WHOLE };
int gm_health_write(const struct gm_agent_view *view, int64_t interval_ms, enum gm_health_detail detail,
		    struct gm_buf *out);
/* The body of /readyz; mig_why NULL: the layout is there, or nobody looks after it. */
int gm_ready_write(const struct gm_agent_view *view, const char *mig_why, enum gm_health_detail detail,
		   struct gm_buf *out);

#endif
