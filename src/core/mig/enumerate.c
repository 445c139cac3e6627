/* SPDX-License-Identifier: MIT */
#include "core/mig/mig-internal.h"

struct walk {
	const struct gm_mig_table *table;
	uint64_t profiles;
	bool (*each)(void *ctx, const struct gm_mig_layout *l);
	void *ctx;
	struct gm_mig_layout layout;
};

/*
 * Slots are created in rising order of their starts, so a layout is met once. The use is handed down by value: coming
 * back needs no undoing.
 */
static bool walk_from(struct walk *w, struct gm_mig_use use, unsigned first)
{
	const struct gm_mig_table *t = w->table;

	if (!w->each(w->ctx, &w->layout))
		return false;
	for (unsigned start = first; start < (unsigned)t->placement_units; start++) {
		for (size_t k = 0; k < t->profile_count && k < GM_MIG_PROFILES_MAX; k++) {
			struct gm_mig_slot slot = { .profile = (uint8_t)k, .start = (uint8_t)start };
			struct gm_mig_use next = use;

			if (!(w->profiles >> k & 1) || gm_mig_use_refuses(t, &use, slot) != GM_MIG_FITS)
				continue;
			gm_mig_use_add(t, &next, slot);
			w->layout.slots[w->layout.count++] = slot;
			if (!walk_from(w, next, start + (unsigned)t->profiles[k].size))
				return false;
			w->layout.count--;
		}
	}
	return true;
}

void gm_mig_layouts(const struct gm_mig_table *t, uint64_t profiles,
		    bool (*each)(void *ctx, const struct gm_mig_layout *l), void *ctx)
{
	struct walk w = { .table = t, .profiles = profiles, .each = each, .ctx = ctx };
	unsigned none = t->placement_units > 0 && t->placement_units <= GM_MIG_UNITS_MAX ? 0 : GM_MIG_UNITS_MAX;

	if (none) {
		(void)each(ctx, &w.layout);
		return;
	}
	(void)walk_from(&w, (struct gm_mig_use){ 0 }, 0);
}
