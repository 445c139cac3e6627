/* SPDX-License-Identifier: MIT */
#include "core/alloc/slice.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"

/*
 * Weights of `balanced` beside the loss of worth, as parts of an empty board. Both are small against what a wrong place
 * loses; they decide between places that lose about the same.
 */
#define FREE_PART 0.05
#define KEEPS_PART 0.16

/* 1000 * size^1.2: a large slice is worth more than its parts, since only it holds the large model. */
static const uint16_t SIZE_WORTH[] = { 0,     1000,  2297,  3737,  5278,  6899,	 8586,	10330, 12126, 13967, 15849,
				       17769, 19725, 21714, 23733, 25782, 27858, 29960, 32087, 34238, 36411, 38607,
				       40823, 43060, 45316, 47591, 49885, 52196, 54524, 56869, 59231, 61608, 64000 };
static_assert(GM_LEN(SIZE_WORTH) == GM_MIG_UNITS_MAX + 1, "a worth for each size");

static double worth_of(const struct gm_slice_space *s, uint16_t state, const struct gm_mix *mix)
{
	double sum = 0;

	for (size_t p = 0; p < s->table->profile_count; p++)
		if (s->slot_first[p] < s->slot_first[p + 1])
			sum += gm_mix_share(mix, p) * SIZE_WORTH[s->table->profiles[p].size] *
			       gm_slice_room(s, state, p);
	return sum;
}

/* Slices of half-taken places of the profiles that would fit by size. */
static unsigned fragmentation(const struct gm_slice_space *s, uint16_t state)
{
	uint32_t taken = gm_mig_layout_units(s->table, &s->layouts[state]);
	unsigned sum = 0;

	for (size_t i = 0; i < s->slot_count; i++) {
		unsigned size = (unsigned)gm_slice_size(s, i);
		uint32_t mask = (uint32_t)(((UINT64_C(1) << size) - 1) << s->slots[i].start);

		if (size <= s->free_units[state] && (taken & mask) && (taken & mask) != mask)
			sum += size;
	}
	return sum;
}

double gm_slice_rule_cost(const struct gm_slice_rule *r, uint16_t state, size_t slot)
{
	const struct gm_slice_space *s = r->space;
	uint16_t next = gm_slice_with(s, state, slot);

	assert(next != GM_SLICE_NONE);
	switch (r->policy) {
	case GM_SLICE_BESTFIT:
		return s->free_units[state];
	case GM_SLICE_FRAGMENTATION:
		return (double)fragmentation(s, next) - (double)fragmentation(s, state);
	case GM_SLICE_BALANCED:
		return r->worth[state] - r->worth[next] + FREE_PART * s->free_units[state] / s->table->placement_units;
	}
	assert(false);
	return 0;
}

double gm_slice_rule_keeps(const struct gm_slice_rule *r, double left)
{
	double whole;

	if (r->policy != GM_SLICE_BALANCED || !r->lifetimes)
		return 0;
	whole = gm_lifetimes_left(r->lifetimes, 0);
	return whole > left ? KEEPS_PART * (whole - left) / whole : 0;
}

static struct gm_slice_choice choose(const struct gm_slice_rule *r, uint16_t state, size_t profile)
{
	const struct gm_slice_space *s = r->space;
	struct gm_slice_choice best = { .slot = GM_SLICE_NONE };

	for (uint16_t i = s->slot_first[profile]; i < s->slot_first[profile + 1]; i++) {
		double cost;

		if (gm_slice_with(s, state, i) == GM_SLICE_NONE)
			continue;
		cost = gm_slice_rule_cost(r, state, i);
		if (best.slot == GM_SLICE_NONE || cost < best.cost || (r->highest && cost <= best.cost))
			best = (struct gm_slice_choice){ .cost = cost, .slot = i };
	}
	return best;
}

struct by_cost {
	double cost;
	uint16_t state;
};

static int by_cost_cmp(const void *a, const void *b)
{
	const struct by_cost *x = a, *y = b;

	if (x->cost < y->cost || x->cost > y->cost)
		return x->cost < y->cost ? -1 : 1;
	return x->state - y->state;
}

static void choose_all(struct gm_slice_rule *r)
{
	size_t n = r->space->state_count;
	struct by_cost *rows = gm_xalloc(n * sizeof(*rows));

	for (size_t p = 0; p < r->space->table->profile_count; p++) {
		size_t count = 0;

		for (uint16_t state = 0; state < n; state++) {
			struct gm_slice_choice c = choose(r, state, p);

			r->choices[p * n + state] = c;
			if (c.slot != GM_SLICE_NONE)
				rows[count++] = (struct by_cost){ .cost = c.cost, .state = state };
		}
		qsort(rows, count, sizeof(*rows), by_cost_cmp);
		for (size_t i = 0; i < count; i++)
			r->order[p * n + i] = rows[i].state;
		r->order_count[p] = (uint16_t)count;
	}
	free(rows);
}

void gm_slice_rule_init(struct gm_slice_rule *r, const struct gm_slice_space *space, enum gm_slice_policy policy,
			bool highest, const struct gm_lifetimes *lifetimes)
{
	GM_AUTO(gm_mix_fini_p) struct gm_mix even = { 0 };
	size_t profiles = space->table->profile_count;

	*r = (struct gm_slice_rule){
		.space = space,
		.policy = policy,
		.highest = highest,
		.lifetimes = lifetimes,
		.worth = gm_xalloc(space->state_count * sizeof(*r->worth)),
		.choices = gm_xalloc(profiles * space->state_count * sizeof(*r->choices)),
		.order = gm_xalloc(profiles * space->state_count * sizeof(*r->order)),
		.order_count = gm_xalloc(profiles * sizeof(*r->order_count)),
	};
	gm_mix_init(&even, profiles, 0);
	gm_slice_rule_learn(r, &even);
}

void gm_slice_rule_fini(struct gm_slice_rule *r)
{
	free(r->worth);
	free(r->choices);
	free(r->order);
	free(r->order_count);
	*r = (struct gm_slice_rule){ 0 };
}

void gm_slice_rule_learn(struct gm_slice_rule *r, const struct gm_mix *mix)
{
	const struct gm_slice_space *s = r->space;
	double whole = worth_of(s, 0, mix);

	for (uint16_t state = 0; state < s->state_count; state++)
		r->worth[state] = whole > 0 ? worth_of(s, state, mix) / whole : 0;
	choose_all(r);
}
