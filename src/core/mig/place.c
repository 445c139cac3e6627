/* SPDX-License-Identifier: MIT */
#include "core/mig/mig-internal.h"

int gm_mig_layout_choose(const struct gm_mig_table *t, const struct gm_mig_layout *l, size_t profile)
{
	struct gm_mig_use use;
	int best = -1, best_worth = -1;

	gm_mig_use_of(t, l, &use);
	if (!gm_mig_profile_placed(t, profile) || gm_mig_use_quota(t, &use, profile) != GM_MIG_FITS)
		return -1;
	for (size_t i = 0; i < t->profiles[profile].start_count; i++) {
		struct gm_mig_slot slot = { .profile = (uint8_t)profile, .start = t->profiles[profile].starts[i] };
		struct gm_mig_use next = use;
		int worth;

		if (use.units & gm_mig_mask(&t->profiles[profile], slot.start))
			continue;
		gm_mig_use_add(t, &next, slot);
		worth = gm_mig_use_worth(t, &next);
		/* Of equals the last: the low end stays free for the big ones. */
		if (worth >= best_worth) {
			best_worth = worth;
			best = slot.start;
		}
	}
	return best;
}

struct search {
	const struct gm_mig_table *table;
	uint8_t profiles[GM_MIG_INSTANCES_MAX]; /* largest first, equal ones together */
	size_t count;
	struct gm_mig_slot slots[GM_MIG_INSTANCES_MAX];
	struct gm_mig_slot best[GM_MIG_INSTANCES_MAX];
	int best_worth; /* -1: no way found yet */
};

/* Equal profiles are interchangeable: their starts rise, which leaves one of the orders. */
static void search_from(struct search *s, size_t depth, size_t first_start, const struct gm_mig_use *use)
{
	const struct gm_mig_table *t = s->table;
	const struct gm_mig_profile *p;

	if (depth == s->count) {
		int worth = gm_mig_use_worth(t, use);

		if (worth > s->best_worth) {
			s->best_worth = worth;
			memcpy(s->best, s->slots, sizeof(s->best));
		}
		return;
	}
	p = &t->profiles[s->profiles[depth]];
	if (gm_mig_use_quota(t, use, s->profiles[depth]) != GM_MIG_FITS)
		return;
	for (size_t i = first_start; i < p->start_count; i++) {
		struct gm_mig_slot slot = { .profile = s->profiles[depth], .start = p->starts[i] };
		struct gm_mig_use next = *use;
		bool again = depth + 1 < s->count && s->profiles[depth + 1] == slot.profile;

		if (use->units & gm_mig_mask(p, slot.start))
			continue;
		gm_mig_use_add(t, &next, slot);
		s->slots[depth] = slot;
		search_from(s, depth + 1, again ? i + 1 : 0, &next);
	}
}

/* Largest first: few starts at the top of the tree, and what has no way is seen early. */
static bool goes_before(const struct gm_mig_table *t, uint8_t a, uint8_t b)
{
	int sa = t->profiles[a].size, sb = t->profiles[b].size;

	return sa != sb ? sa > sb : a > b;
}

static void take_in(struct search *s, uint8_t profile)
{
	size_t i = s->count++;

	for (; i > 0 && goes_before(s->table, profile, s->profiles[i - 1]); i--)
		s->profiles[i] = s->profiles[i - 1];
	s->profiles[i] = profile;
}

static int no_way(const struct gm_mig_table *t, const struct gm_mig_layout *fixed, size_t count, struct gm_err *err)
{
	if (fixed->count == 0)
		return gm_fail(err, GM_ERR_CONFLICT, "%zu instances do not fit together on a %s", count, t->id);
	return gm_fail(err, GM_ERR_CONFLICT, "%zu more instances do not fit beside %zu on a %s", count, fixed->count,
		       t->id);
}

int gm_mig_layout_place(const struct gm_mig_table *t, const struct gm_mig_layout *fixed, const uint8_t *profiles,
			size_t count, struct gm_mig_layout *out, struct gm_err *err)
{
	struct search s = { .table = t, .best_worth = -1 };
	struct gm_mig_layout whole = *fixed;
	struct gm_mig_use use;
	int units = 0;

	gm_mig_use_of(t, fixed, &use);
	if (count > (size_t)GM_MIG_INSTANCES_MAX - fixed->count)
		return no_way(t, fixed, count, err);
	for (size_t i = 0; i < count; i++) {
		struct gm_mig_slot slot = { .profile = profiles[i] };

		if (profiles[i] >= t->profile_count)
			return gm_mig_refuse(t, GM_MIG_NO_PROFILE, slot, err);
		if (!gm_mig_profile_placed(t, profiles[i]))
			return gm_fail(err, GM_ERR_CONFLICT, "%s: its placements on a %s are not known",
				       t->profiles[profiles[i]].name, t->id);
		take_in(&s, profiles[i]);
		units += t->profiles[profiles[i]].size;
	}
	if (units > t->placement_units - __builtin_popcount(use.units) && count > 0)
		return no_way(t, fixed, count, err);
	search_from(&s, 0, 0, &use);
	if (s.best_worth < 0)
		return no_way(t, fixed, count, err);
	for (size_t i = 0; i < count; i++)
		gm_mig_slots_insert(&whole, s.best[i]);
	*out = whole;
	return 0;
}
