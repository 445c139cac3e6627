/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_ALLOC_SLICE_FLEET_INTERNAL_H
#define GM_CORE_ALLOC_SLICE_FLEET_INTERNAL_H

#include "base/vec.h"
#include "core/alloc/slice-fleet.h"

struct slice_board {
	uint16_t state;
	uint8_t count;
	uint32_t in_class; /* where in the class of its state */
	uint32_t slices[GM_MIG_INSTANCES_MAX];
};

struct slice_running {
	uint32_t board; /* UINT32_MAX: the number is free */
	uint16_t slot;
	int64_t since;
};

struct slice_class {
	uint32_t *boards;
	uint32_t count, capacity;
	uint32_t in_used; /* where in the list of classes that have boards */
};

struct gm_slice_fleet {
	const struct gm_slice_space *space;
	uint32_t board_count;
	struct slice_board *boards;
	struct slice_class *classes; /* [state] */
	uint16_t *used;		     /* states that some board has, in no order */
	size_t used_count;
	GM_VEC(struct slice_running) slices;
	GM_VEC(uint32_t) unused; /* numbers of slices */
};

/* How long the slice that is expected to run longest will still run; `except` (UINT32_MAX: none) is not counted. */
double gm_slice_board_left(const struct gm_slice_fleet *f, struct gm_slice_rule *rule, uint32_t board, uint32_t except,
			   int64_t now);
/* The board of a class that costs least to keep, of equal ones the lowest, and what that costs. Not empty (asserted). */
uint32_t gm_slice_class_best(const struct gm_slice_fleet *f, struct gm_slice_rule *rule, uint16_t state, int64_t now,
			     double *out_keeps);
/* Takes a slice off its board or puts it on one; its number stays. */
void gm_slice_fleet_lift(struct gm_slice_fleet *f, uint32_t slice);
void gm_slice_fleet_land(struct gm_slice_fleet *f, uint32_t slice, struct gm_slice_place place);

#endif
