/* SPDX-License-Identifier: MIT */
#include "core/mig/mig-internal.h"

#include <assert.h>

static bool slot_same(struct gm_mig_slot a, struct gm_mig_slot b)
{
	return a.profile == b.profile && a.start == b.start;
}

bool gm_mig_layout_same(const struct gm_mig_layout *a, const struct gm_mig_layout *b)
{
	return a->count == b->count && memcmp(a->slots, b->slots, a->count * sizeof(a->slots[0])) == 0;
}

uint32_t gm_mig_layout_units(const struct gm_mig_table *t, const struct gm_mig_layout *l)
{
	uint32_t units = 0;

	for (size_t i = 0; i < l->count; i++)
		units |= gm_mig_mask(&t->profiles[l->slots[i].profile], l->slots[i].start);
	return units;
}

int gm_mig_layout_check(const struct gm_mig_table *t, const struct gm_mig_layout *l, struct gm_err *err)
{
	struct gm_mig_use use = { 0 };

	if (l->count > GM_MIG_INSTANCES_MAX)
		return gm_fail(err, GM_ERR_CONFLICT, "more than %d instances", GM_MIG_INSTANCES_MAX);
	for (size_t i = 0; i < l->count; i++) {
		enum gm_mig_refusal why = gm_mig_use_refuses(t, &use, l->slots[i]);

		if (why != GM_MIG_FITS)
			return gm_mig_refuse(t, why, l->slots[i], err);
		if (i > 0 && l->slots[i - 1].start >= l->slots[i].start)
			return gm_fail(err, GM_ERR_INVALID, "the slots are not in the order of their starts");
		gm_mig_use_add(t, &use, l->slots[i]);
	}
	return 0;
}

int gm_mig_layout_may_add(const struct gm_mig_table *t, const struct gm_mig_layout *l, struct gm_mig_slot slot,
			  struct gm_err *err)
{
	struct gm_mig_use use;

	gm_mig_use_of(t, l, &use);
	return gm_mig_refuse(t, gm_mig_use_refuses(t, &use, slot), slot, err);
}

void gm_mig_slots_insert(struct gm_mig_layout *l, struct gm_mig_slot slot)
{
	size_t i = l->count++;

	for (; i > 0 && l->slots[i - 1].start > slot.start; i--)
		l->slots[i] = l->slots[i - 1];
	l->slots[i] = slot;
}

void gm_mig_layout_add(const struct gm_mig_table *t, struct gm_mig_layout *l, struct gm_mig_slot slot)
{
	struct gm_mig_use use;

	gm_mig_use_of(t, l, &use);
	assert(gm_mig_use_refuses(t, &use, slot) == GM_MIG_FITS);
	gm_mig_slots_insert(l, slot);
}

void gm_mig_layout_remove(struct gm_mig_layout *l, struct gm_mig_slot slot)
{
	size_t i = 0;

	while (i < l->count && !slot_same(l->slots[i], slot))
		i++;
	assert(i < l->count);
	for (l->count--; i < l->count; i++)
		l->slots[i] = l->slots[i + 1];
}

int gm_mig_layout_remaining(const struct gm_mig_table *t, const struct gm_mig_layout *l, size_t profile)
{
	struct gm_mig_use use;

	gm_mig_use_of(t, l, &use);
	return gm_mig_use_remaining(t, &use, profile, GM_MIG_INSTANCES_MAX);
}

bool gm_mig_layout_maximal(const struct gm_mig_table *t, const struct gm_mig_layout *l)
{
	struct gm_mig_use use;

	gm_mig_use_of(t, l, &use);
	for (size_t k = 0; k < t->profile_count; k++) {
		if (gm_mig_use_remaining(t, &use, k, 1) > 0)
			return false;
	}
	return true;
}

static void push(struct gm_mig_layout *l, struct gm_mig_slot slot)
{
	l->slots[l->count++] = slot;
}

void gm_mig_layout_diff(const struct gm_mig_layout *from, const struct gm_mig_layout *to, struct gm_mig_diff *out)
{
	size_t i = 0, k = 0;

	*out = (struct gm_mig_diff){ 0 };
	while (i < from->count || k < to->count) {
		if (k == to->count || (i < from->count && from->slots[i].start < to->slots[k].start)) {
			push(&out->destroy, from->slots[i++]);
		} else if (i == from->count || to->slots[k].start < from->slots[i].start) {
			push(&out->create, to->slots[k++]);
		} else if (slot_same(from->slots[i], to->slots[k])) {
			push(&out->keep, from->slots[i++]);
			k++;
		} else {
			push(&out->destroy, from->slots[i++]);
			push(&out->create, to->slots[k++]);
		}
	}
}
