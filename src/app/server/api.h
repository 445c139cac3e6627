/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_SERVER_API_H
#define GM_APP_SERVER_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapter/http/route.h"
#include "adapter/store/store.h"
#include "app/server/collector.h"
#include "app/server/events.h"
#include "app/server/facts.h"
#include "app/server/keys.h"
#include "app/server/recorder.h"
#include "base/clock.h"
#include "core/fleet/fleet.h"
#include "core/fleet/history.h"

struct gm_api_cache;
struct gm_http_server;

/* What the handlers of the route table work on: the `ctx` of every one of them. Filled before the server listens. */
struct gm_api {
	const struct gm_clock *clock;
	struct gm_facts_box *facts;
	struct gm_fleet *fleet;
	struct gm_history *history;
	struct gm_collector *collector;
	struct gm_recorder *recorder;
	struct gm_keys *keys;
	struct gm_events *events;
	struct gm_http_server *http; /* for /metrics; set once it listens */
	struct gm_api_cache *cache;
	int64_t started_ms;
	_Atomic uint64_t request_micros; /* of all answered requests together */
};

/* Makes and frees api->cache. */
void gm_api_init(struct gm_api *api);
void gm_api_fini(struct gm_api *api);

/* The one table of routes (routes.c). */
extern const struct gm_route gm_route_table[];
extern const size_t gm_route_count;

#endif
