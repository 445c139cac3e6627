/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_SERVER_COLLECTOR_H
#define GM_APP_SERVER_COLLECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "app/server/events.h"
#include "app/server/facts.h"
#include "app/server/recorder.h"
#include "app/server/sources.h"
#include "base/clock.h"
#include "core/fleet/fleet.h"
#include "core/fleet/history.h"

/*
 * The thread that owns the fleet: has the sources deliver, applies their pages, publishes a snapshot once a second, and
 * hands samples to memory and recorder. Everybody else reads snapshots.
 */
struct gm_collector;

struct gm_collector_conf {
	const struct gm_clock *clock;
	struct gm_facts_box *facts;
	struct gm_history *history;
	struct gm_recorder *recorder;
	struct gm_events *events;
};

struct gm_collector_stats {
	uint64_t applied, shadowed, refused; /* device samples */
	uint64_t pages, bad_pages;
	uint64_t publishes, publish_micros_sum, publish_micros_max;
};

/* Makes the fleet, with what the store knows, and the sources the settings name. */
int gm_collector_new(const struct gm_collector_conf *conf, struct gm_collector **out, struct gm_err *err) GM_CHECKED;
void gm_collector_free(struct gm_collector *c);
int gm_collector_start(struct gm_collector *c, struct gm_err *err) GM_CHECKED;
/* Ends the thread and hands over what it still holds. */
void gm_collector_stop(struct gm_collector *c);
/* For gm_fleet_snapshot. */
struct gm_fleet *gm_collector_fleet(struct gm_collector *c);
/* For the lists of targets. */
struct gm_sources *gm_collector_sources(struct gm_collector *c);
/* The settings in the box, or the targets file, changed: takes over what is live. Any thread. */
void gm_collector_reload(struct gm_collector *c);
void gm_collector_stats(struct gm_collector *c, struct gm_collector_stats *out);

GM_DEFINE_AUTO(struct gm_collector, gm_collector_free)

#endif
