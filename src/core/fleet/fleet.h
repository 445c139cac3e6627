/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_FLEET_FLEET_H
#define GM_CORE_FLEET_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "core/fleet/page.h"
#include "core/fleet/snapshot.h"

/*
 * The fleet: pages in, events and snapshots out. Owned by one thread, except gm_fleet_snapshot, which any thread may
 * call at any time. Pure: it knows the time only by what it is handed.
 *
 * Rules (each is a test):
 * - Identity is the UUID. A device that moves index or node keeps its series; two nodes that claim one UUID: the later
 *   page wins once the earlier source has been silent for three intervals, else an event DUPLICATE says so.
 * - A device seen by two sources: the better kind wins at once (agent over simulation over exporter), an equal or lesser
 *   one takes over only when the source in force was silent for three of its intervals; SOURCE_CHANGED says so.
 * - Silence: a device is stale after two intervals plus 5 s (values marked STALE), unknown after five (never before it is stale).
 *   While its source answers but leaves the device out for three pages, it is LOST (failed), and gone after 24 h.
 * - A device silent for `forget_ms` is gone: no longer in snapshots (DEVICE_GONE); its history stays in the store.
 * - Samples that are not newer than the last one of the device (duplicates, steps back of the clock) are counted and not
 *   applied; a step back of more than 10 min that lasts three pages is taken as the new time.
 * - A board in MIG mode: utilisation is the slice-weighted mean of the instances' measured values when the board has none
 *   (DERIVED); memory used: the board's own, else the sum of the instances'. Nothing else is ever summed.
 * - A MIG instance's series begins anew when its profile, placement or UUID changes.
 * Limits: GM_FLEET_DEVICES_MAX devices, 64 devices and 16 instances a device a page; beyond them the page is refused.
 */
#define GM_FLEET_DEVICES_MAX 200000

struct gm_fleet;

/* What the fleet needs to know of the configuration; borrowed for the call, copied. */
struct gm_fleet_conf {
	int64_t forget_ms; /* default 7 d */
	/*
	 * The first snapshot is numbered one more. With the time of the start in milliseconds, no number is given twice by
	 * two runs, and a reader that comes back after a restart is not taken for one that is up to date.
	 */
	uint64_t seq_base;
	/* NULL: all are managed. */
	bool (*managed)(void *ctx, const char *cluster, const char *node, const char *model, const char *variant);
	int64_t (*hourly_micros)(void *ctx, const char *model, const char *variant); /* -1, NULL: unknown */
	void *ctx;
};

enum gm_fleet_event_kind {
	GM_EVENT_DEVICE_NEW,   /* first seen, or back after it was gone */
	GM_EVENT_DEVICE_MOVED, /* other node or index: text is the old id */
	GM_EVENT_DEVICE_GONE,
	GM_EVENT_HEALTH,	 /* from, to, reasons */
	GM_EVENT_SOURCE_CHANGED, /* text is the old target */
	GM_EVENT_DUPLICATE,	 /* text is the other node */
	GM_EVENT_MIG_CHANGED,	 /* instances came or went */
	GM_EVENT_XID,		 /* number: the code; a hardware or an application fault */
};
struct gm_fleet_event {
	enum gm_fleet_event_kind kind;
	int64_t at_ms;
	const char *cluster, *node, *id, *uuid, *text; /* borrowed for the call */
	enum gm_health from, to;
	uint32_t reasons;
	int64_t number;
};

/* A series as the store must know it before its samples. instance NULL: the board's own. Borrowed for the call. */
struct gm_series_def {
	uint32_t series;
	const char *cluster, *uuid, *node, *id, *model, *product_name;
	int index;
	int gi_id, ci_id; /* -1 for a board */
	const char *mig_uuid, *profile;
	int placement_start, placement_size;
	int64_t memory_total_bytes;
	int64_t first_seen_ms, last_seen_ms;
};

/* Port: what the fleet tells while it applies. Members may be NULL. Same thread, borrowed arguments. */
struct gm_fleet_listener {
	void *ctx;
	void (*event)(void *ctx, const struct gm_fleet_event *event);
	/* A series is new or its descriptive facts changed; comes before its first sample. */
	void (*series)(void *ctx, const struct gm_series_def *def);
	/* An accepted sample. */
	void (*sample)(void *ctx, uint32_t series, const struct gm_sample *sample);
};

struct gm_fleet *gm_fleet_new(const struct gm_fleet_conf *conf, const struct gm_fleet_listener *listener);
void gm_fleet_free(struct gm_fleet *f);
/* New rates, models or limits: takes effect with the next publish. */
void gm_fleet_reconfigure(struct gm_fleet *f, const struct gm_fleet_conf *conf);

/*
 * A series known from the store, before the first page: shown as unknown (NEVER_SEEN) until a source speaks of it.
 * Fails on a series number or identity given twice; the number is not given to another either way. A MIG instance is not shown before its source speaks (which of a
 * board's series exist now the store cannot tell); it goes on with its series then.
 */
int gm_fleet_restore(struct gm_fleet *f, const struct gm_series_def *def, struct gm_err *err) GM_CHECKED;

struct gm_apply_result {
	uint32_t applied;  /* devices whose values were taken */
	uint32_t shadowed; /* devices that another source serves */
	uint32_t refused;  /* old or duplicate samples */
};
int gm_fleet_apply(struct gm_fleet *f, const struct gm_page *page, struct gm_apply_result *out,
		   struct gm_err *err) GM_CHECKED;
/* A target was taken out of the configuration: its devices no longer wait for it. */
void gm_fleet_target_removed(struct gm_fleet *f, struct gm_str target);
/*
 * Makes time pass (staleness, forgetting) and, when something changed, a new snapshot; true when there is one. The
 * caller calls it at most once a second.
 */
bool gm_fleet_publish(struct gm_fleet *f, int64_t now_ms);
/* A reference to the newest snapshot; never NULL (an empty one before the first publish). Any thread. */
const struct gm_snapshot *gm_fleet_snapshot(struct gm_fleet *f);

GM_DEFINE_AUTO(struct gm_fleet, gm_fleet_free)

#endif
