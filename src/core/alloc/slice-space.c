/* SPDX-License-Identifier: MIT */
#include "core/alloc/slice-space.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* gm_mig_layouts() goes through layouts in this order, so that the numbered row can be searched. */
static int layout_cmp(const void *a, const void *b)
{
	const struct gm_mig_layout *x = a, *y = b;
	size_t both = x->count < y->count ? x->count : y->count;

	for (size_t i = 0; i < both; i++) {
		int by_start = x->slots[i].start - y->slots[i].start;
		int by_profile = x->slots[i].profile - y->slots[i].profile;

		if (by_start || by_profile)
			return by_start ? by_start : by_profile;
	}
	return (x->count > y->count) - (x->count < y->count);
}

struct gather {
	struct gm_mig_layout *items;
	size_t count, capacity;
};

static bool count_one(void *ctx, const struct gm_mig_layout *l)
{
	(void)l;
	return ++((struct gather *)ctx)->capacity <= GM_SLICE_STATES_MAX;
}

static bool keep_one(void *ctx, const struct gm_mig_layout *l)
{
	struct gather *g = ctx;

	assert(g->count == 0 || layout_cmp(&g->items[g->count - 1], l) < 0);
	g->items[g->count++] = *l;
	return true;
}

static void list_slots(struct gm_slice_space *s)
{
	const struct gm_mig_table *t = s->table;

	s->slot_first = gm_xalloc((t->profile_count + 1) * sizeof(*s->slot_first));
	s->slots = gm_xalloc(GM_SLICE_SLOTS_MAX * sizeof(*s->slots));
	for (size_t p = 0; p < t->profile_count; p++) {
		s->slot_first[p] = (uint16_t)s->slot_count;
		if (!(p < 64 && s->profiles >> p & 1))
			continue;
		for (size_t i = 0; i < t->profiles[p].start_count && s->slot_count < GM_SLICE_SLOTS_MAX; i++)
			s->slots[s->slot_count++] =
				(struct gm_mig_slot){ .profile = (uint8_t)p, .start = t->profiles[p].starts[i] };
	}
	s->slot_first[t->profile_count] = (uint16_t)s->slot_count;
}

/* Taking a slice away is always possible; so each layout's slices say where the links between two layouts are. */
static void link_states(struct gm_slice_space *s)
{
	for (size_t i = 0; i < s->state_count * s->slot_count; i++)
		s->with[i] = s->without[i] = GM_SLICE_NONE;
	for (size_t state = 0; state < s->state_count; state++)
		for (size_t i = 0; i < s->layouts[state].count; i++) {
			struct gm_mig_layout less = s->layouts[state];
			uint16_t slot = gm_slice_space_slot(s, less.slots[i]), from;

			gm_mig_layout_remove(&less, less.slots[i]);
			from = gm_slice_space_state(s, &less);
			assert(slot != GM_SLICE_NONE && from != GM_SLICE_NONE);
			s->without[state * s->slot_count + slot] = from;
			s->with[from * s->slot_count + slot] = (uint16_t)state;
		}
}

static void measure_states(struct gm_slice_space *s)
{
	const struct gm_mig_table *t = s->table;

	for (size_t state = 0; state < s->state_count; state++) {
		const struct gm_mig_layout *l = &s->layouts[state];

		s->free_units[state] = (uint8_t)(t->placement_units - __builtin_popcount(gm_mig_layout_units(t, l)));
		for (size_t p = 0; p < t->profile_count; p++)
			if (s->slot_first[p] < s->slot_first[p + 1])
				s->room[state * t->profile_count + p] = (uint8_t)gm_mig_layout_remaining(t, l, p);
	}
}

int gm_slice_space_new(const struct gm_mig_table *t, uint64_t profiles, struct gm_slice_space **out, struct gm_err *err)
{
	GM_AUTO(gm_slice_space_free_p) struct gm_slice_space *s = gm_xalloc(sizeof(*s));
	struct gather g = { 0 };

	s->table = t;
	s->profiles = profiles;
	list_slots(s);
	if (!s->slot_count)
		return gm_fail(err, GM_ERR_INVALID, "%s: the placements of its slices are not known", t->id);
	gm_mig_layouts(t, profiles, count_one, &g);
	if (g.capacity > GM_SLICE_STATES_MAX)
		return gm_fail(err, GM_ERR_TOO_LARGE, "%s: more than %d layouts", t->id, GM_SLICE_STATES_MAX);
	s->state_count = g.capacity;
	g.items = s->layouts = gm_xalloc(g.capacity * sizeof(*s->layouts));
	gm_mig_layouts(t, profiles, keep_one, &g);
	s->with = gm_xalloc(s->state_count * s->slot_count * sizeof(*s->with));
	s->without = gm_xalloc(s->state_count * s->slot_count * sizeof(*s->without));
	s->room = gm_xalloc(s->state_count * t->profile_count);
	s->free_units = gm_xalloc(s->state_count);
	link_states(s);
	measure_states(s);
	*out = gm_steal(&s);
	return 0;
}

void gm_slice_space_free(struct gm_slice_space *s)
{
	if (!s)
		return;
	free(s->slots);
	free(s->slot_first);
	free(s->layouts);
	free(s->with);
	free(s->without);
	free(s->room);
	free(s->free_units);
	free(s);
}

uint16_t gm_slice_space_state(const struct gm_slice_space *s, const struct gm_mig_layout *l)
{
	const struct gm_mig_layout *at = bsearch(l, s->layouts, s->state_count, sizeof(*l), layout_cmp);

	return at ? (uint16_t)(at - s->layouts) : GM_SLICE_NONE;
}

uint16_t gm_slice_space_slot(const struct gm_slice_space *s, struct gm_mig_slot slot)
{
	if (slot.profile >= s->table->profile_count)
		return GM_SLICE_NONE;
	for (uint16_t i = s->slot_first[slot.profile]; i < s->slot_first[slot.profile + 1]; i++)
		if (s->slots[i].start == slot.start)
			return i;
	return GM_SLICE_NONE;
}
