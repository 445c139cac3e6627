/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_MIG_MIG_INTERNAL_H
#define GM_CORE_MIG_MIG_INTERNAL_H

#include "core/mig/mig.h"

#define GM_MIG_PROFILES_MAX 64 /* as many as gm_mig_layouts() has bits for */

/* What a layout takes of a board: all that decides whether one more instance fits. */
struct gm_mig_use {
	uint32_t units;
	uint8_t engines; /* enum mig_engines of rules.c */
	uint8_t slots;
	uint8_t counts[GM_MIG_PROFILES_MAX];
};

enum gm_mig_refusal {
	GM_MIG_FITS,
	GM_MIG_NO_PROFILE,
	GM_MIG_NO_START,
	GM_MIG_NO_ROOM,	   /* the units are taken */
	GM_MIG_NO_COUNT,   /* max_instances of the profile, or of a board */
	GM_MIG_NO_ENGINES, /* the media engines are taken */
};

static inline uint32_t gm_mig_mask(const struct gm_mig_profile *p, unsigned start)
{
	return (uint32_t)(((UINT64_C(1) << p->size) - 1) << start);
}

/* Can instances of this profile exist at all: a table whose placements are not known has none. */
bool gm_mig_profile_placed(const struct gm_mig_table *t, size_t profile);
void gm_mig_use_of(const struct gm_mig_table *t, const struct gm_mig_layout *l, struct gm_mig_use *out);
/* Would one more of the profile be allowed, its place aside? */
enum gm_mig_refusal gm_mig_use_quota(const struct gm_mig_table *t, const struct gm_mig_use *u, size_t profile);
enum gm_mig_refusal gm_mig_use_refuses(const struct gm_mig_table *t, const struct gm_mig_use *u,
				       struct gm_mig_slot slot);
void gm_mig_use_add(const struct gm_mig_table *t, struct gm_mig_use *u, struct gm_mig_slot slot);
/* How many more of the profile fit; `limit` of them are enough to know. */
int gm_mig_use_remaining(const struct gm_mig_table *t, const struct gm_mig_use *u, size_t profile, int limit);
/* What is still possible, as one number: the sizes of all slots that could be created next. */
int gm_mig_use_worth(const struct gm_mig_table *t, const struct gm_mig_use *u);
int gm_mig_refuse(const struct gm_mig_table *t, enum gm_mig_refusal why, struct gm_mig_slot slot, struct gm_err *err);
/* Keeps the order; the caller knows that it is allowed. */
void gm_mig_slots_insert(struct gm_mig_layout *l, struct gm_mig_slot slot);

#endif
