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
 *   fragmentation  how many places of the table become impossible, each counted by its size
 *   balanced       what the board loses of its worth under the mix of requests (how many more of each profile fit, by how
 *                  often it is asked for and its size), a little for the free part of the board, and for how much longer
 *                  than expected the board is kept from becoming empty again
 */
enum gm_slice_policy { GM_SLICE_BESTFIT, GM_SLICE_FRAGMENTATION, GM_SLICE_BALANCED };

/* The cheapest place for a profile on a board with a given layout. */
struct gm_slice_choice {
	double cost;
	uint32_t version; /* of the rule that it was made with */
	uint16_t slot;	  /* GM_SLICE_NONE: it does not fit */
};
struct gm_slice_worth {
	double worth;
	uint32_t version;
};

/* Costs are worked out when they are asked for and kept until the rule learns: one thread at a time. */
struct gm_slice_rule {
	const struct gm_slice_space *space;
	enum gm_slice_policy policy;
	bool highest;			      /* of starts that cost the same the highest, else the lowest */
	const struct gm_lifetimes *lifetimes; /* balanced; NULL: not known */
	uint32_t version;
	double *weights;	       /* balanced: [profile], what one more that fits is worth; an empty board is 1 */
	struct gm_slice_worth *worths; /* [state] */
	struct gm_slice_choice *choices; /* [profile * state_count + state] */
};

void gm_slice_rule_init(struct gm_slice_rule *r, const struct gm_slice_space *space, enum gm_slice_policy policy,
			bool highest, const struct gm_lifetimes *lifetimes);
void gm_slice_rule_fini(struct gm_slice_rule *r);
/* Takes over the mix as it is now; `mix` has the profiles of the table as types. Only balanced looks at it. */
void gm_slice_rule_learn(struct gm_slice_rule *r, const struct gm_mix *mix);
/* What a layout is worth under the mix; an empty board 1. */
double gm_slice_rule_worth(struct gm_slice_rule *r, uint16_t state);
/* What one start costs, without what depends on who runs on the board. The slot is possible (asserted). */
double gm_slice_rule_cost(struct gm_slice_rule *r, uint16_t state, size_t slot);
const struct gm_slice_choice *gm_slice_rule_choice(struct gm_slice_rule *r, uint16_t state, size_t profile);
/*
 * What is added for a board whose last slice is expected to end in `left`; 0 for an empty board, which costs most. Never
 * negative, and the less the longer the board is taken anyway.
 */
double gm_slice_rule_keeps(const struct gm_slice_rule *r, double left);

GM_DEFINE_AUTO_VALUE(struct gm_slice_rule, gm_slice_rule_fini)

#endif
