/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_SERVER_ALLOCATOR_H
#define GM_APP_SERVER_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/server/events.h"
#include "app/server/facts.h"
#include "app/server/keys.h"
#include "app/server/planner.h"
#include "app/server/recorder.h"
#include "base/clock.h"
#include "core/alloc/alloc-store.h"
#include "core/alloc/decide.h"
#include "core/alloc/world.h"
#include "core/fleet/fleet.h"

/*
 * Joins the world of allocations (core/alloc) with the store, the fleet and the planner. It owns the world under one lock,
 * over which nothing is stored, sent or planned. Two threads: one stores what was decided, all that waits in one synced
 * transaction, and answers those who asked; the other takes over each snapshot and gives the world its turns. Any thread
 * may call what is below, except where it says so.
 */
struct gm_allocator;

struct gm_allocator_conf {
	const struct gm_clock *clock;
	struct gm_facts_box *facts;
	struct gm_fleet *fleet;
	struct gm_planner *planner; /* NULL: no slices are made */
	struct gm_events *events;   /* NULL: nobody is told */
	/* Where allocations are kept; NULL: there is no database, and no allocation. */
	const struct gm_alloc_store *store;
	/* Runs `job` where the store may be written, as gm_recorder_run with `run_ctx`. */
	int (*run)(void *run_ctx, int (*job)(void *ctx, struct gm_err *err), void *ctx, struct gm_err *err);
	void *run_ctx;
};
/* All of *conf outlives it. */
struct gm_allocator *gm_allocator_new(const struct gm_allocator_conf *conf);
void gm_allocator_free(struct gm_allocator *a);
/*
 * Reads what is stored and starts the threads. Until it has succeeded (and without a store for ever) everything below
 * answers UNAVAILABLE.
 */
int gm_allocator_start(struct gm_allocator *a, struct gm_err *err) GM_CHECKED;
/* After the last request: what waits is stored first. */
void gm_allocator_stop(struct gm_allocator *a);

/* For gm_planner_set_holders. */
const struct gm_planner_holders *gm_allocator_holders(struct gm_allocator *a);

/* --- Changes. `actor` goes into the audit row, which is written in the same transaction. */

/*
 * Called once for each ask, from another thread or from within the call. On failure `record` is NULL and *err says why.
 */
typedef void gm_allocator_done(void *ctx, int code, const struct gm_alloc_record *record, bool replayed,
			       const struct gm_err *err);

struct gm_allocator_ask {
	const struct gm_alloc_request *request; /* lives until done is called, as everything here does */
	struct gm_actor actor;
	struct gm_str once; /* Idempotency-Key; empty: none */
	struct gm_str body; /* what was asked, as it came: the same key with another is a CONFLICT */
};
/*
 * A new allocation. CONFLICT, NOT_FOUND, FORBIDDEN, LIMITED: as gm_alloc_world_submit; CONFLICT with err->where "once": the
 * key was used for something else. UNAVAILABLE: it could not be stored.
 */
void gm_allocator_submit(struct gm_allocator *a, const struct gm_allocator_ask *ask, gm_allocator_done *done,
			 void *ctx);
/* Waits shortly for a change of the same allocation that is under way; BUSY when it does not end. */
void gm_allocator_release(struct gm_allocator *a, struct gm_str id, const struct gm_actor *actor,
			  gm_allocator_done *done, void *ctx);
void gm_allocator_renew(struct gm_allocator *a, struct gm_str id, int64_t ttl_ms, const struct gm_actor *actor,
			gm_allocator_done *done, void *ctx);

/* Waits for the database. NULL removes. */
int gm_allocator_put_team(struct gm_allocator *a, struct gm_str name, const struct gm_team *team,
			  const struct gm_actor *actor, struct gm_err *err) GM_CHECKED;
int gm_allocator_put_queue(struct gm_allocator *a, struct gm_str name, const struct gm_queue_def *queue,
			   const struct gm_actor *actor, struct gm_err *err) GM_CHECKED;
/* reason.p NULL: uncordons. Idempotent. */
int gm_allocator_cordon(struct gm_allocator *a, struct gm_str uuid, struct gm_str reason, const struct gm_actor *actor,
			struct gm_err *err) GM_CHECKED;

/* --- Questions. */

/* 0, or UNAVAILABLE and why: it reads the store, or there is none. */
int gm_allocator_ready(struct gm_allocator *a, struct gm_err *err) GM_CHECKED;
/* A reference to it as it is now, ended ones too; *out_position: 0 when it does not wait. NOT_FOUND. */
int gm_allocator_get(struct gm_allocator *a, struct gm_str id, const struct gm_alloc_record **out, size_t *out_position,
		     struct gm_err *err) GM_CHECKED;
/* 1: next; 0: it does not wait. */
size_t gm_allocator_position(struct gm_allocator *a, struct gm_str id);
/* A page of what is stored, newest first; see gm_alloc_store.read. */
int gm_allocator_read(struct gm_allocator *a, const struct gm_alloc_query *query,
		      int (*each)(void *ctx, int64_t seq, const struct gm_alloc_record *record, struct gm_err *err),
		      void *ctx, struct gm_err *err) GM_CHECKED;
/* A copy of the world to ask "what if" without holding anybody up; the caller frees it. NULL: not ready. */
struct gm_alloc_world *gm_allocator_clone(struct gm_allocator *a);

struct gm_allocator_cordon_info {
	char reason[256], by[80];
	int64_t at_ms;
};
/* False: it is not cordoned. */
bool gm_allocator_cordoned(struct gm_allocator *a, const char *uuid, struct gm_allocator_cordon_info *out);
/* Calls with references borrowed for the call and no lock held; `units`: what it holds of the device. */
void gm_allocator_holders_of(struct gm_allocator *a, const char *uuid,
			     void (*each)(void *ctx, const struct gm_alloc_record *r), void *ctx);
/* Marks of many devices at once, for pages of lists: bit 1 cordoned, bit 2 something is held. */
void gm_allocator_marks(struct gm_allocator *a, const struct gm_device *const *devices, size_t count, uint8_t *out);

/* Rises with everything that an answer about devices or allocations shows. */
uint64_t gm_allocator_generation(const struct gm_allocator *a);

struct gm_allocator_rate {
	struct gm_str team, project; /* of the stats' own */
	int64_t hourly_micros;
};
#define GM_ALLOCATOR_BUCKETS 12
extern const double gm_allocator_buckets[GM_ALLOCATOR_BUCKETS]; /* upper bounds in seconds */
struct gm_allocator_histogram {
	uint64_t counts[GM_ALLOCATOR_BUCKETS + 1]; /* not added up; the last: above all bounds */
	uint64_t count;
	double sum; /* seconds */
};
struct gm_allocator_stats {
	bool ready, ever; /* something was allocated in this installation, now or before */
	struct gm_alloc_counts counts;
	uint64_t granted, waited, refused, replayed, released, renewed, preempted, expired, conflicts, failed;
	uint64_t refusals[GM_ALLOC_REASON_COUNT];	/* by the commonest reason */
	struct gm_allocator_histogram decision, commit; /* in memory; until it was on disk */
};
void gm_allocator_stats(struct gm_allocator *a, struct gm_allocator_stats *out);
/* Rate of what is held by team and project; `each` is called under the lock: it copies. */
void gm_allocator_rates(struct gm_allocator *a,
			bool (*each)(void *ctx, struct gm_str team, struct gm_str project, int64_t hourly_micros),
			void *ctx);

GM_DEFINE_AUTO(struct gm_allocator, gm_allocator_free)

#endif
