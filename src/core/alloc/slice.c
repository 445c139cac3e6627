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

double gm_slice_rule_worth(struct gm_slice_rule *r, uint16_t state)
{
	struct gm_slice_worth *w = &r->worths[state];

	if (w->version == r->version)
		return w->worth;
	*w = (struct gm_slice_worth){ .version = r->version };
	for (size_t p = 0; p < r->space->table->profile_count; p++)
		w->worth += r->weights[p] * gm_slice_room(r->space, state, p);
	return w->worth;
}

static int blocked(const struct gm_slice_space *s, uint16_t state)
{
	uint32_t taken = gm_mig_layout_units(s->table, &s->layouts[state]);
	int sum = 0;

	for (size_t i = 0; i < s->slot_count; i++) {
		int size = gm_slice_size(s, i);
		uint32_t mask = (uint32_t)(((UINT64_C(1) << size) - 1) << s->slots[i].start);

		sum += taken & mask ? size : 0;
	}
	return sum;
}

double gm_slice_rule_cost(struct gm_slice_rule *r, uint16_t state, size_t slot)
{
	const struct gm_slice_space *s = r->space;
	uint16_t next = gm_slice_with(s, state, slot);

	assert(next != GM_SLICE_NONE);
	switch (r->policy) {
	case GM_SLICE_BESTFIT:
		return s->free_units[state];
	case GM_SLICE_FRAGMENTATION:
		return blocked(s, next) - blocked(s, state);
	case GM_SLICE_BALANCED:
		return gm_slice_rule_worth(r, state) - gm_slice_rule_worth(r, next) +
		       FREE_PART * s->free_units[state] / s->table->placement_units;
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

const struct gm_slice_choice *gm_slice_rule_choice(struct gm_slice_rule *r, uint16_t state, size_t profile)
{
	const struct gm_slice_space *s = r->space;
	struct gm_slice_choice *c = &r->choices[profile * s->state_count + state];

	if (c->version == r->version)
		return c;
	*c = (struct gm_slice_choice){ .version = r->version, .slot = GM_SLICE_NONE };
	for (uint16_t i = s->slot_first[profile]; i < s->slot_first[profile + 1]; i++) {
		double cost;

		if (gm_slice_with(s, state, i) == GM_SLICE_NONE)
			continue;
		cost = gm_slice_rule_cost(r, state, i);
		if (c->slot == GM_SLICE_NONE || cost < c->cost || (r->highest && cost <= c->cost)) {
			c->cost = cost;
			c->slot = i;
		}
	}
	return c;
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
		.weights = gm_xalloc(profiles * sizeof(*r->weights)),
		.worths = gm_xalloc(space->state_count * sizeof(*r->worths)),
		.choices = gm_xalloc(profiles * space->state_count * sizeof(*r->choices)),
	};
	gm_mix_init(&even, profiles, 0);
	gm_slice_rule_learn(r, &even);
}

void gm_slice_rule_fini(struct gm_slice_rule *r)
{
	free(r->weights);
	free(r->worths);
	free(r->choices);
	*r = (struct gm_slice_rule){ 0 };
}

void gm_slice_rule_learn(struct gm_slice_rule *r, const struct gm_mix *mix)
{
	const struct gm_slice_space *s = r->space;
	double whole = 0;

	if (r->policy != GM_SLICE_BALANCED && r->version)
		return;
	/* What is not used has no room on an empty board either. */
	for (size_t p = 0; p < s->table->profile_count; p++) {
		int room = gm_slice_room(s, 0, p);

		r->weights[p] = room ? gm_mix_share(mix, p) * SIZE_WORTH[s->table->profiles[p].size] : 0;
		whole += r->weights[p] * room;
	}
	for (size_t p = 0; p < s->table->profile_count; p++)
		r->weights[p] = whole > 0 ? r->weights[p] / whole : 0;
	r->version++;
}
