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
	 * flight are folded into it by the caller. 0..GM_MIG_COST_MAX. */
	int64_t cost;
	/* Never to be touched, whatever is allowed, and it serves no wish: another owner's, reserved, or not to be known. */
	bool fixed;
};
#define GM_MIG_COST_MAX (INT64_C(1) << 40)
struct gm_mig_board {
	const struct gm_mig_table *table; /* boards of one kind share one: they are compared by its address */
	bool mig_on;			  /* false: no seats; switching is a reset where reset_needed */
	bool reset_needed;		  /* a switch of the mode costs a reset (Ampere) */
	bool whole_busy;		  /* mode off, and a workload uses the whole board */
	bool whole_fixed;		  /* mode off, and it is not to be touched, whatever is allowed */
	int64_t whole_cost;		  /* of disturbing who has the whole board, as a seat's */
	size_t seat_count;
	struct gm_mig_seat seats[GM_MIG_INSTANCES_MAX]; /* in any order; together a legal layout */
};

struct gm_mig_wish {
	/* Profiles (indices of the table) that must be there, idle, afterwards; idle instances that exist serve too. */
	const uint8_t *profiles;
	size_t count;
	bool only; /* nothing idle beside them is left: the board's layout is these, the busy and the fixed ones */
	/* Busy instances may be destroyed (also where an equal one is made in their place, for the wish), and who has the
	 * whole board stopped. */
	bool disturb;
	/* For each disturbed workload an instance of its profile is there on the same board; who has a whole board is not
	 * disturbed then, because no instance is its equal. */
	bool rehouse;
};

/* Compared from the first member on; lower is better. */
struct gm_mig_harm {
	int32_t disturbed;
	int64_t disturb_cost;
	int32_t resets;
	int32_t idle_destroyed;
	int32_t boards;	   /* that are changed at all */
	int64_t room_lost; /* worth of the room of an empty board - worth of the room left */
};
int gm_mig_harm_compare(const struct gm_mig_harm *a, const struct gm_mig_harm *b);

/* A plan for one board: a value. */
struct gm_mig_board_plan {
	struct gm_mig_harm harm;
	struct gm_mig_layout after;
	uint16_t destroy;	     /* bit by seat */
	uint16_t serve;		     /* bit by seat: idle ones that stay and serve the wish, or a workload rehoused */
	struct gm_mig_layout create; /* slots to be made, in any order once the destroys are done */
	bool switch_on;		     /* the MIG mode is switched on first */
};
/*
 * The plan of least harm. CONFLICT: there is none (err says what is in the way: no room even on an empty board, busy
 * seats, whole board in use). NOT_FOUND: no such profile. INVALID: the seats are no legal layout, or costs out of range.
 * Deterministic, and the order of the seats and of the profiles does not matter: of equal harm the lowest starts.
 */
int gm_mig_plan_board(const struct gm_mig_board *b, const struct gm_mig_wish *w, struct gm_mig_board_plan *out,
		      struct gm_err *err) GM_CHECKED;

/*
 * For many boards: which of them serve which part of the wanted multiset. Boards may be of different tables; a wanted
 * profile is named, because the same name has another index in another table (and a board whose table has no such name
 * cannot serve it). Boards that are no valid ones (INVALID above) serve nothing and count as full.
 */
#define GM_MIG_FLEET_BOARDS_MAX 200000
#define GM_MIG_FLEET_WISHES_MAX 16
#define GM_MIG_FLEET_WISH_COUNT_MAX 100000
struct gm_mig_fleet_wish {
	const char *profile; /* "3g.40gb"; each name once */
	uint32_t count;
};
struct gm_mig_fleet_item {
	uint32_t board; /* index of the caller's */
	/* How many of each wish it serves, by the caller's order. */
	uint8_t serves[GM_MIG_FLEET_WISHES_MAX];
	struct gm_mig_board_plan plan;
};
struct gm_mig_fleet_plan {
	struct gm_mig_harm harm;  /* room_lost is that of the whole fleet */
	struct gm_mig_harm bound; /* no plan has less; equal to harm: proven the best */
	/* Of boards that serve something, also those that need no change; rising by board; freed by fini. */
	struct gm_mig_fleet_item *items;
	size_t count;
};
void gm_mig_fleet_plan_fini(struct gm_mig_fleet_plan *p);
/*
 * CONFLICT: there is none, or none was found (err says which; the first is proven). NOT_FOUND: no board knows a profile.
 * TOO_LARGE, INVALID: beyond the limits; a profile twice.
 */
int gm_mig_plan_fleet(const struct gm_mig_board *boards, size_t board_count, const struct gm_mig_fleet_wish *wishes,
		      size_t wish_count, bool disturb, struct gm_mig_fleet_plan *out, struct gm_err *err) GM_CHECKED;

/*
 * Defragmentation of one fleet: moves of running slices that buy one more of `profile` (by name), fewest and then cheapest;
 * at most `moves_max`. None are needed (move_count 0) where it can be made now; idle instances count as room: who carries
 * the plan out destroys those that are in the way of a `to` or of what is bought. A slice moves to a place of its profile
 * on a board of the same table with the mode on, once at most, and the new instance is made before the old one goes: each
 * move is legal when those before it are done. Fixed seats stay; boards with the mode off, and those that are no valid
 * ones, take no part.
 */
struct gm_mig_move {
	uint32_t from_board, to_board;
	struct gm_mig_slot from, to;
};
#define GM_MIG_MOVES_MAX 8
struct gm_mig_defrag {
	size_t move_count;
	struct gm_mig_move moves[GM_MIG_MOVES_MAX]; /* in this order */
	int64_t cost;
	uint32_t board; /* where the profile then fits */
	struct gm_mig_slot gain;
	bool proven; /* no fewer moves and no cheaper ones do; false: the search was cut short */
};
/*
 * NOT_FOUND: no such moves, or none were found (err says which), or no board knows the profile. TOO_LARGE: beyond the
 * limits.
 */
int gm_mig_plan_defrag(const struct gm_mig_board *boards, size_t board_count, const char *profile, size_t moves_max,
		       struct gm_mig_defrag *out, struct gm_err *err) GM_CHECKED;

#endif
