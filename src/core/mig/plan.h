/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_MIG_PLAN_H
#define GM_CORE_MIG_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/mig/mig.h"

/*
 * How to come from the layout a board has to one that serves what is wanted, at the least harm. "Least" is an order, not a
 * sum: fewest workloads disturbed (none, unless allowed), then the cheapest of those, then fewest resets, then fewest idle
 * instances destroyed, then fewest boards touched, then the most valuable room that is left. Exact for a board; for a fleet
 * exact or with a bound that says how far off it may be. Pure: no clock, no allocation for a board.
 */

/* An instance that exists, and who sits in it. */
struct gm_mig_seat {
	struct gm_mig_slot slot;
	bool busy;
	/* What it costs to disturb its workload: compared and summed only; priority, the owner's wish and requests in
	 * flight are folded into it by the caller. 0..2^40. */
	int64_t cost;
	bool fixed; /* never to be touched, whatever is allowed (another owner's, or one that is not to be known) */
};
struct gm_mig_board {
	const struct gm_mig_table *table;
	bool mig_on;	   /* false: no seats; switching is a reset where reset_needed */
	bool reset_needed; /* a switch of the mode costs a reset (Ampere) */
	bool whole_busy;   /* mode off, and a workload uses the whole board */
	int64_t whole_cost;
	size_t seat_count;
	struct gm_mig_seat seats[GM_MIG_INSTANCES_MAX];
};

struct gm_mig_wish {
	/* Profiles (indices of the table) that must be there, idle, afterwards; idle instances that exist serve too. */
	const uint8_t *profiles;
	size_t count;
	bool only;    /* nothing idle beside them is left: the board's layout is these and the busy ones */
	bool disturb; /* busy instances may be destroyed */
	bool rehouse; /* for each disturbed workload an instance of its profile is made on the same board */
};

/* Compared from the first member on; lower is better. */
struct gm_mig_harm {
	int32_t disturbed;
	int64_t disturb_cost;
	int32_t resets;
	int32_t idle_destroyed;
	int32_t boards;
	int64_t room_lost; /* largest worth of an empty board - worth of the room left */
};
int gm_mig_harm_compare(const struct gm_mig_harm *a, const struct gm_mig_harm *b);

/* A plan for one board: a value. */
struct gm_mig_board_plan {
	struct gm_mig_harm harm;
	struct gm_mig_layout after;
	uint16_t destroy;	     /* bit by seat */
	struct gm_mig_layout create; /* slots to be made, in any order once the destroys are done */
	bool switch_on;		     /* the MIG mode is switched on first */
};
/*
 * The plan of least harm. CONFLICT: there is none (err says what is in the way: no room even on an empty board, busy
 * seats, whole board in use). Deterministic: equal harm is broken by the lowest starts.
 */
int gm_mig_plan_board(const struct gm_mig_board *b, const struct gm_mig_wish *w, struct gm_mig_board_plan *out,
		      struct gm_err *err) GM_CHECKED;

/*
 * For many boards: which of them serve which part of the wanted multiset. Boards may be of different tables; a wanted
 * profile is named, because the same name has another index in another table (and a board whose table has no such name
 * cannot serve it).
 */
struct gm_mig_fleet_wish {
	const char *profile; /* "3g.40gb" */
	uint32_t count;
};
struct gm_mig_fleet_item {
	uint32_t board; /* index of the caller's */
	struct gm_mig_board_plan plan;
};
struct gm_mig_fleet_plan {
	struct gm_mig_harm harm;
	struct gm_mig_harm bound; /* no plan has less; equal to harm: proven the best */
	struct gm_mig_fleet_item
		*items; /* of boards that serve something, also those that need no change; freed by fini */
	size_t count;
};
void gm_mig_fleet_plan_fini(struct gm_mig_fleet_plan *p);
#define GM_MIG_FLEET_BOARDS_MAX 200000
#define GM_MIG_FLEET_WISHES_MAX 16
#define GM_MIG_FLEET_WISH_COUNT_MAX 100000
int gm_mig_plan_fleet(const struct gm_mig_board *boards, size_t board_count, const struct gm_mig_fleet_wish *wishes,
		      size_t wish_count, bool disturb, struct gm_mig_fleet_plan *out, struct gm_err *err) GM_CHECKED;

/*
 * Defragmentation of one fleet: moves of running slices (each to a place that is free or made free of idle instances) that
 * buy one more of `profile` (index by name), fewest and cheapest first; at most `moves_max`. NOT_FOUND: no such moves.
 */
struct gm_mig_move {
	uint32_t from_board, to_board;
	struct gm_mig_slot from, to;
};
#define GM_MIG_MOVES_MAX 8
struct gm_mig_defrag {
	size_t move_count;
	struct gm_mig_move moves[GM_MIG_MOVES_MAX];
	int64_t cost;
	uint32_t board; /* where the profile then fits */
	int32_t start;
};
int gm_mig_plan_defrag(const struct gm_mig_board *boards, size_t board_count, const char *profile, size_t moves_max,
		       struct gm_mig_defrag *out, struct gm_err *err) GM_CHECKED;

#endif
