/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_SERVE_SERVE_INTERNAL_H
#define GM_CORE_SERVE_SERVE_INTERNAL_H

#include "base/vec.h"
#include "core/serve/serve.h"

#define SERVE_SIZES_MAX 8
#define SERVE_PATTERNS_MAX 64
#define SERVE_WEIGHTS_MAX 32
/* No weight is finer than a twelfth of a board: the most placement units that a board has. */
#define SERVE_WHOLE_MAX 12

/* How many instances of each size; sizes are those of serve_boards, rising. */
struct serve_counts {
	uint16_t n[SERVE_SIZES_MAX];
};

/* A set of instances that a board can hold and that nothing can be added to. */
struct serve_pattern {
	struct serve_counts counts;
	struct gm_mig_layout layout;
};

/*
 * A price a size, such that no board holds more than `whole`: instances worth W in all need at least W/whole boards. Compute
 * slices and memory slices are two of them, "only one 4g a board" a third.
 */
struct serve_weight {
	int whole;
	int of[SERVE_SIZES_MAX];
};

struct serve_boards {
	size_t size_count;
	int gpcs[SERVE_SIZES_MAX];
	size_t profile[SERVE_SIZES_MAX];
	int board_gpcs; /* the most that one board can use */
	size_t pattern_count, weight_count;
	struct serve_pattern patterns[SERVE_PATTERNS_MAX];
	struct serve_weight weights[SERVE_WEIGHTS_MAX];
};

int serve_boards_init(const struct gm_mig_table *t, struct serve_boards *out, struct gm_err *err) GM_CHECKED;
int serve_counts_gpcs(const struct serve_boards *b, const struct serve_counts *c);
int serve_counts_worth(const struct serve_weight *w, size_t size_count, const struct serve_counts *c);
/* No fewer boards hold these. */
int serve_boards_floor(const struct serve_boards *b, const struct serve_counts *c);

enum serve_found { SERVE_FOUND, SERVE_NONE, SERVE_UNKNOWN };
/*
 * Can `limit` boards hold these? out_patterns[limit] gets the pattern of each board that is used, *out_used how many.
 * Both are untouched unless it is SERVE_FOUND. SERVE_UNKNOWN: the limit of steps was reached first.
 */
enum serve_found serve_pack(const struct serve_boards *b, const struct serve_counts *c, int limit,
			    uint8_t *out_patterns, int *out_used);

/* Some instances that together meet a demand; without any of them they do not. */
struct serve_cover {
	struct serve_counts counts;
	int gpcs;
};

/* One demand, seen by instance size. */
struct serve_choice {
	size_t point[SERVE_SIZES_MAX];	     /* the best configuration */
	int64_t rate_milli[SERVE_SIZES_MAX]; /* what it does; 0: no configuration of this size is fast enough */
	int gpcs_floor;
	/* A large demand has thousands of covers: `bulk` meets the greater part of it, and the covers the rest. */
	struct serve_counts bulk;
	bool complete;
	GM_VEC(struct serve_cover) covers; /* by GPCs, then counts; bulk is not in it */
	int cover_gpcs_floor;		   /* the fewest of a cover */
};

int serve_choice_init(const struct serve_boards *b, const struct gm_serve_demand *d, struct serve_choice *out,
		      struct gm_err *err) GM_CHECKED;
void serve_choice_fini(struct serve_choice *c);
/* What the bulk is made of. */
enum serve_bulk {
	SERVE_BULK_GPCS,   /* the size that does most a GPC: bulk and a cover still have gpcs_floor GPCs */
	SERVE_BULK_BOARDS, /* full boards, of the kind that does most: fewer boards where the other leaves gaps */
};
/* Fills covers: all that need at most `excess` GPCs more than the fewest beside the bulk. */
void serve_choice_cover(const struct serve_boards *b, const struct gm_serve_demand *d, enum serve_bulk kind, int excess,
			struct serve_choice *c);
/* The cheapest multiset of sizes that meets the rate, when a size costs cost[i]: its cost. Exact. */
int serve_least_cost(const int *cost, const int64_t *rate_milli, size_t count, int64_t wanted_milli);

/* What the search found: the instances of each demand, and the boards' patterns. */
struct serve_solution {
	struct serve_counts *counts; /* one a demand */
	uint8_t *patterns;	     /* one a board */
	int boards, gpcs;
	int boards_floor;
	bool gpcs_proven;
};
/* TOO_LARGE: more than GM_SERVE_BOARDS_MAX boards. Fills the covers of the choices. */
int serve_search(const struct serve_boards *b, const struct gm_serve_demand *demands, struct serve_choice *choices,
		 size_t count, struct serve_solution *out, struct gm_err *err) GM_CHECKED;
void serve_solution_fini(struct serve_solution *s);
GM_DEFINE_AUTO_VALUE(struct serve_solution, serve_solution_fini)

#endif
