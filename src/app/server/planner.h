/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_SERVER_PLANNER_H
#define GM_APP_SERVER_PLANNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/server/carry.h"
#include "app/server/facts.h"
#include "app/server/keys.h"
#include "app/server/operations.h"
#include "base/clock.h"
#include "base/json.h"
#include "core/fleet/fleet.h"
#include "core/mig/plan.h"

/*
 * Plans of MIG layouts for the fleet as it is now: what is wished becomes a plan that is kept for an hour, and a plan becomes an
 * operation when somebody applies it. The rules are core/mig's; here the snapshot, what the agents tell and who holds
 * what are put into its words. Any thread.
 */
struct gm_planner;

/* Who sits in a place of a board; texts may be empty, numbers -1: not known. */
#define GM_HOLDER_TEXT 254
struct gm_planner_holder {
	char namespace_[64], pod[GM_HOLDER_TEXT];
	char owner[GM_HOLDER_TEXT], team[GM_HOLDER_TEXT]; /* Deployment or job; who pays */
	char model[GM_HOLDER_TEXT];			  /* the served model */
	char allocation[32];
	int64_t priority, requests_in_flight;
	bool preemptible;
};
/* What the allocator knows of places; called without a lock of the planner's, by any thread. */
struct gm_planner_holders {
	void *ctx;
	/*
	 * True, and *out is filled, when an allocation that holds claims a unit of [start, start + size) of the device;
	 * size 0: any of it. Fills namespace_, pod, owner, team, allocation, priority, preemptible.
	 */
	bool (*find)(void *ctx, const char *uuid, unsigned start, unsigned size, struct gm_planner_holder *out);
	/* Nothing new goes to this device: a plan for a node or the fleet leaves it alone. */
	bool (*cordoned)(void *ctx, const char *uuid);
};

struct gm_planner_conf {
	const struct gm_clock *clock;
	struct gm_facts_box *facts;
	struct gm_fleet *fleet;
	struct gm_keys *keys; /* for audit rows; NULL: none */
	struct gm_operations *operations;
	struct gm_carry *carry;
};
/* All of *conf outlives it. */
struct gm_planner *gm_planner_new(const struct gm_planner_conf *conf);
void gm_planner_free(struct gm_planner *p);
/* Before requests are served. NULL members: not asked. */
void gm_planner_set_holders(struct gm_planner *p, const struct gm_planner_holders *holders);

/* --- for the allocator --- */

/* A place by words, as an allocation keeps it. */
struct gm_planner_place {
	const char *profile; /* "2g.20gb" */
	int start;
};
#define GM_PLANNER_PLACES_MAX GM_MIG_INSTANCES_MAX
struct gm_planner_order {
	const char *allocation; /* "": none */
	const char *uuid;	/* of the device */
	/* What is to be there afterwards; where it is there already and nothing else is asked for, the operation ends at once. */
	const struct gm_planner_place *make;
	size_t make_count;
	/* Idle instances that are to go; those that are not there any more are gone. */
	const struct gm_planner_place *remove;
	size_t remove_count;
	/*
	 * Called once, by another thread or from within the call, when all has ended: state SUCCEEDED, or why not (message,
	 * never NULL). Must not block. NULL: nobody is told.
	 */
	void (*done)(void *ctx, const char *allocation, enum gm_operation_state state, const char *message);
	void *ctx;
};
/*
 * Begins the operation and gives its id. Nothing else of the board is touched: CONFLICT when one to be removed is in use or does
 * not fit, naming who or what; FORBIDDEN: a setting does not allow it; NOT_FOUND: no such device or profile; UNSUPPORTED:
 * nobody carries out changes of this device. The MIG mode is switched on where it is off and the board is free.
 */
int gm_planner_order(struct gm_planner *p, const struct gm_planner_order *order,
		     char out_operation[static GM_OPERATION_ID_SIZE], struct gm_err *err) GM_CHECKED;
/* True when somebody would carry out a change of this device, and the settings allow it. */
bool gm_planner_can_make(struct gm_planner *p, const struct gm_device *d);
/*
 * The table to plan this device by: the driver's own where its agent has told it lately, else the catalogue's; NULL: none. One address a
 * kind, lives as long as the planner.
 */
const struct gm_mig_table *gm_planner_table(struct gm_planner *p, const struct gm_device *d);

/* --- for the routes --- */

enum gm_plan_scope { GM_PLAN_DEVICE, GM_PLAN_NODE, GM_PLAN_FLEET, GM_PLAN_DEFRAG };
#define GM_PLAN_ID_SIZE 32
#define GM_PLAN_DEVICES_ASKED_MAX 256
#define GM_PLAN_WISHES_MAX GM_MIG_FLEET_WISHES_MAX
#define GM_PLAN_KEEP_MS (INT64_C(3600) * 1000)
#define GM_PLANS_MAX 1000
/* A wish: "H100_2G20GB", "2g.20gb", "3g.40gb@4" (a place), "1g.10gb*3". */
struct gm_plan_want {
	struct gm_str profile;
	int start; /* -1: anywhere */
	uint32_t count;
};
struct gm_plan_request {
	enum gm_plan_scope scope;
	const struct gm_str *devices; /* ids or UUIDs, of DEVICE */
	size_t device_count;
	struct gm_str node, cluster; /* empty: any */
	const struct gm_plan_want *wants;
	size_t want_count;
	bool only, disturb, rehouse;
	struct gm_str profile; /* of DEFRAG; empty: the most capacity */
	int64_t moves_max;
	/* DEVICE: takes these away and makes nothing; ids ("...-MIG-1.0", "1.0") or UUIDs of instances. */
	struct gm_str destroy;
};
/* Makes a plan, keeps it and writes it as MigPlan; out_id may be NULL. CONFLICT: there is none, the text says what is in the way. */
int gm_planner_plan(struct gm_planner *p, const struct gm_plan_request *request, struct gm_buf *out,
		    char out_id[static GM_PLAN_ID_SIZE], struct gm_err *err) GM_CHECKED;
/* A plan that is kept, as MigPlan. NOT_FOUND. */
int gm_planner_get(struct gm_planner *p, struct gm_str id, struct gm_buf *out, struct gm_err *err) GM_CHECKED;
/*
 * Begins the plan's operation. CONFLICT: the world is not as the plan took it; *out_fresh then has a fresh plan for the
 * same wish (empty: there is none). UNSUPPORTED: nobody carries out changes of some device of it.
 */
int gm_planner_apply(struct gm_planner *p, struct gm_str id, const struct gm_actor *actor,
		     char out_operation[static GM_OPERATION_ID_SIZE], struct gm_buf *out_fresh,
		     struct gm_err *err) GM_CHECKED;
/* True when each device that this plan changes has somebody who carries it out. */
bool gm_planner_carries(struct gm_planner *p, struct gm_str id);

GM_DEFINE_AUTO(struct gm_planner, gm_planner_free)

#endif
