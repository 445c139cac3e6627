/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_ALLOC_SLICE_H
#define GM_CORE_ALLOC_SLICE_H

#include <stdbool.h>

#include "core/alloc/lifetime.h"
#include "core/alloc/mix.h"
#include "core/alloc/slice-space.h"

/*
 * What it costs to put a slice on a board: the lower the better, comparable between boards of one space.
 *
 *   bestfit        free memory slices of the board
 *   fragmentation  how much the board's fragmentation grows: over the profiles that its free slices would hold, the
 *                  slices of those places that are neither free nor fully taken
 *   balanced       what the board loses of its worth under the mix of requests (how many more of each profile fit, by how
 *                  often it is asked for and its size), a little for the free part of the board, and for how much longer
 *                  than expected the board is kept from becoming empty again
 */
enum gm_slice_policy { GM_SLICE_BESTFIT, GM_SLICE_FRAGMENTATION, GM_SLICE_BALANCED };

/* The cheapest place for a profile on a board with a given layout. */
struct gm_slice_choice {
	double cost;
	uint16_t slot; /* GM_SLICE_NONE: it does not fit */
};

struct gm_slice_rule {
	const struct gm_slice_space *space;
	enum gm_slice_policy policy;
	bool highest;			      /* of starts that cost the same the highest, else the lowest */
	const struct gm_lifetimes *lifetimes; /* balanced; NULL: not known */
	double *worth;			      /* balanced: [state], of an empty board 1 */
	struct gm_slice_choice *choices;      /* [profile * state_count + state] */
	uint16_t *order;		      /* [profile * state_count]: layouts it fits on, cheapest first */
	uint16_t *order_count;		      /* [profile] */
};

void gm_slice_rule_init(struct gm_slice_rule *r, const struct gm_slice_space *space, enum gm_slice_policy policy,
			bool highest, const struct gm_lifetimes *lifetimes);
void gm_slice_rule_fini(struct gm_slice_rule *r);
/*
 * Takes over the mix as it is now; `mix` has the profiles of the table as types. Some thousand operations a layout table:
 * once every few requests is often enough. Only balanced needs it.
 */
void gm_slice_rule_learn(struct gm_slice_rule *r, const struct gm_mix *mix);
/* What one start costs, without what depends on who runs on the board. The slot is possible (asserted). */
double gm_slice_rule_cost(const struct gm_slice_rule *r, uint16_t state, size_t slot);
static inline const struct gm_slice_choice *gm_slice_rule_choice(const struct gm_slice_rule *r, uint16_t state,
								 size_t profile)
{
	return &r->choices[profile * r->space->state_count + state];
}
/*
 * balanced: what is added for a board whose last slice is expected to end in `left`; 0 for an empty board that stays so
 * is never asked for: an empty board has left 0 and costs most.
 */
double gm_slice_rule_keeps(const struct gm_slice_rule *r, double left);

GM_DEFINE_AUTO_VALUE(struct gm_slice_rule, gm_slice_rule_fini)

#endif
