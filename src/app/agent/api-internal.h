/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_API_INTERNAL_H
#define GM_APP_AGENT_API_INTERNAL_H

#include "adapter/http/http.h"
#include "app/agent/api.h"

/* Handlers, one a route. */
gm_http_handler gm_agent_get_metrics, gm_agent_get_inventory, gm_agent_get_health, gm_agent_get_live,
	gm_agent_get_ready, gm_agent_post_pause, gm_agent_post_resume, gm_agent_get_mig, gm_agent_post_mig_apply,
	gm_agent_get_mig_operation, gm_agent_get_mig_operations, gm_agent_get_events;

/* Pages older than this were left by a main loop that does not turn: it renews them each second. */
#define GM_AGENT_STUCK_MS 5000

#endif
