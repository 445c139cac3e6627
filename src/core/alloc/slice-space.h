/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_ALLOC_SLICE_SPACE_H
#define GM_CORE_ALLOC_SLICE_SPACE_H

#include <stdint.h>

#include "base/err.h"
#include "core/mig/mig.h"

/*
 * All layouts of a board by number, so that a rule about boards becomes an array: what a layout turns into when a slice
 * comes or goes, and how much still fits. Read-only once it is made: any thread may use it.
 */
#define GM_SLICE_NONE UINT16_MAX
#define GM_SLICE_STATES_MAX 32768
#define GM_SLICE_SLOTS_MAX 256

struct gm_slice_space {
	const struct gm_mig_table *table;
	uint64_t profiles;  /* bit per profile of the table that is used; others are never placed */
	size_t state_count; /* state 0 is the empty board */
	size_t slot_count;
	struct gm_mig_slot *slots;     /* grouped by profile, rising starts */
	uint16_t *slot_first;	       /* [profile]; slot_first[profile_count] is slot_count */
	struct gm_mig_layout *layouts; /* [state] */
	uint16_t *with, *without;      /* [state * slot_count + slot]; GM_SLICE_NONE: not possible */
	uint8_t *room;		       /* [state * profile_count + profile]: how many more fit */
	uint8_t *free_units;	       /* [state] */
};

/* INVALID: the table has no placements, or TOO_LARGE: more layouts than GM_SLICE_STATES_MAX. */
int gm_slice_space_new(const struct gm_mig_table *t, uint64_t profiles, struct gm_slice_space **out,
		       struct gm_err *err) GM_CHECKED;
void gm_slice_space_free(struct gm_slice_space *s);
/* GM_SLICE_NONE: no layout of this space. */
uint16_t gm_slice_space_state(const struct gm_slice_space *s, const struct gm_mig_layout *l);
/* GM_SLICE_NONE: no slot of it. */
uint16_t gm_slice_space_slot(const struct gm_slice_space *s, struct gm_mig_slot slot);

static inline uint16_t gm_slice_with(const struct gm_slice_space *s, uint16_t state, size_t slot)
{
	return s->with[state * s->slot_count + slot];
}
static inline uint16_t gm_slice_without(const struct gm_slice_space *s, uint16_t state, size_t slot)
{
	return s->without[state * s->slot_count + slot];
}
static inline uint8_t gm_slice_room(const struct gm_slice_space *s, uint16_t state, size_t profile)
{
	return s->room[state * s->table->profile_count + profile];
}
static inline int gm_slice_size(const struct gm_slice_space *s, size_t slot)
{
	return s->table->profiles[s->slots[slot].profile].size;
}

GM_DEFINE_AUTO(struct gm_slice_space, gm_slice_space_free)

#endif
