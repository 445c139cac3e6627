/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_MIG_PLAN_INTERNAL_H
#define GM_CORE_MIG_PLAN_INTERNAL_H

#include "core/mig/mig-internal.h"
#include "core/mig/plan.h"

enum gm_mig_frame_mode {
	GM_MIG_FRAME_ON,
	GM_MIG_FRAME_OFF,      /* nobody uses the board */
	GM_MIG_FRAME_OFF_BUSY, /* somebody uses it as a whole, who may be disturbed */
	GM_MIG_FRAME_SHUT,     /* nothing can be had of it */
};

/*
 * What a plan sees of a board: what stays in any case, and the seats that may go, sorted by start. Boards with equal
 * frames have equal plans.
 */
struct gm_mig_frame {
	const struct gm_mig_table *table;
	enum gm_mig_frame_mode mode;
	bool reset;
	int64_t whole_cost;
	struct gm_mig_use base;
	size_t idle_count, busy_count;
	struct gm_mig_slot idle[GM_MIG_INSTANCES_MAX], busy[GM_MIG_INSTANCES_MAX];
	int64_t cost[GM_MIG_INSTANCES_MAX]; /* of the busy ones */
};
/* The caller's seat behind each of the frame's. */
struct gm_mig_frame_seats {
	uint8_t idle[GM_MIG_INSTANCES_MAX], busy[GM_MIG_INSTANCES_MAX];
};

/* What must be there: how many of each profile. */
struct gm_mig_task {
	uint8_t need[GM_MIG_PROFILES_MAX];
	size_t count;
	bool only, rehouse;
};

/* A plan in terms of a frame: bits by the frame's seats. */
struct gm_mig_found {
	struct gm_mig_harm harm;
	uint16_t idle_out, busy_out, serve;
	struct gm_mig_layout create;
	bool switch_on;
};

/* INVALID as gm_mig_plan_board(); out_seats may be NULL. */
int gm_mig_frame_of(const struct gm_mig_board *b, bool disturb, struct gm_mig_frame *out,
		    struct gm_mig_frame_seats *out_seats, struct gm_err *err) GM_CHECKED;
/* The worth of the room of a board of this table without any instance, and of the room that is left as things are. */
int gm_mig_frame_empty_worth(const struct gm_mig_frame *f);
int gm_mig_frame_worth(const struct gm_mig_frame *f);
/* False: there is no way. */
bool gm_mig_frame_plan(const struct gm_mig_frame *f, const struct gm_mig_task *task, struct gm_mig_found *out);
/* The caller's plan from the frame's. */
void gm_mig_frame_tell(const struct gm_mig_board *b, const struct gm_mig_frame_seats *seats,
		       const struct gm_mig_found *found, struct gm_mig_board_plan *out);

static inline void gm_mig_harm_add(struct gm_mig_harm *to, const struct gm_mig_harm *h)
{
	to->disturbed += h->disturbed;
	to->disturb_cost += h->disturb_cost;
	to->resets += h->resets;
	to->idle_destroyed += h->idle_destroyed;
	to->boards += h->boards;
	to->room_lost += h->room_lost;
}

#endif
