/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_ALLOC_SLICE_FLEET_H
#define GM_CORE_ALLOC_SLICE_FLEET_H

#include "core/alloc/slice.h"

/*
 * Boards of one space and the slices that run on them. Boards of equal layout form a class, so that a decision looks at
 * the classes, cheapest first, not at every board. One thread at a time.
 */
#define GM_SLICE_FLEET_BOARDS_MAX 100000

struct gm_slice_fleet;
struct gm_slice_place {
	uint32_t board;
	uint16_t slot; /* of the space */
};
/* A running slice goes from one place to another. */
struct gm_slice_move {
	uint32_t slice;
	struct gm_slice_place to;
};
#define GM_SLICE_MOVES_MAX 3
struct gm_slice_moves {
	struct gm_slice_place place; /* for the request, once the moves are done */
	unsigned count;
	struct gm_slice_move moves[GM_SLICE_MOVES_MAX]; /* all leave first, then all arrive */
};

/* At most GM_SLICE_FLEET_BOARDS_MAX boards, all empty. The space outlives the fleet. */
struct gm_slice_fleet *gm_slice_fleet_new(const struct gm_slice_space *space, uint32_t boards);
void gm_slice_fleet_free(struct gm_slice_fleet *f);
uint32_t gm_slice_fleet_boards(const struct gm_slice_fleet *f);
uint16_t gm_slice_fleet_state(const struct gm_slice_fleet *f, uint32_t board);

/*
 * The cheapest place under the rule; of equal ones the lowest start (or the highest, as the rule says), then the lowest
 * board. False only when the profile fits on no board. Within
 * 1 ms at 10,000 boards.
 */
bool gm_slice_fleet_find(const struct gm_slice_fleet *f, struct gm_slice_rule *rule, size_t profile, int64_t now,
			 struct gm_slice_place *out);
/* A slice that runs from now on; the place is free (asserted). Numbers of released slices are given again. */
uint32_t gm_slice_fleet_put(struct gm_slice_fleet *f, struct gm_slice_place place, int64_t now);
void gm_slice_fleet_release(struct gm_slice_fleet *f, uint32_t slice);
struct gm_slice_place gm_slice_fleet_place(const struct gm_slice_fleet *f, uint32_t slice);
int64_t gm_slice_fleet_since(const struct gm_slice_fleet *f, uint32_t slice);

/*
 * For a profile that fits nowhere: the fewest moves of running slices (at most `most`, up to GM_SLICE_MOVES_MAX) that make
 * room, of these the cheapest under the rule. False when there are none.
 */
bool gm_slice_fleet_make_room(const struct gm_slice_fleet *f, struct gm_slice_rule *rule, size_t profile, unsigned most,
			      int64_t now, struct gm_slice_moves *out);
void gm_slice_fleet_move(struct gm_slice_fleet *f, const struct gm_slice_moves *moves);

/*
 * Places all slices anew, as if moves cost nothing, so that one more of the profile fits: large ones first, each where the
 * smaller ones lose least. What can be reached at most, to compare with. False, and nothing is changed, when no way was
 * found. *out_moved: how many slices run elsewhere than before.
 */
bool gm_slice_fleet_repack(struct gm_slice_fleet *f, size_t profile, unsigned *out_moved);

/* Tests: every slice is on one board, no two overlap, layouts and classes tell the same. */
bool gm_slice_fleet_sound(const struct gm_slice_fleet *f);

GM_DEFINE_AUTO(struct gm_slice_fleet, gm_slice_fleet_free)

#endif
