/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_MIG_MIG_H
#define GM_CORE_MIG_MIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/catalog/catalog.h"

/*
 * The rules of MIG layouts. A board is a row of placement units (memory slices: 8, 4 on an A30, 12 on an RTX PRO 6000); a
 * GPU instance of a profile occupies `size` units from one of the profile's starts. The table is the catalogue's (planning)
 * or one that is made of what a driver tells (truth): same struct, same rules. A table whose placements are not known has
 * the empty layout only. Pure, no allocation.
 */
#define GM_MIG_UNITS_MAX 32
#define GM_MIG_INSTANCES_MAX 16

/* One GPU instance: which profile of the table, and the first unit. */
struct gm_mig_slot {
	uint8_t profile;
	uint8_t start;
};
/* Sorted by start: equal layouts are equal bytes as far as `count` goes. */
struct gm_mig_layout {
	size_t count;
	struct gm_mig_slot slots[GM_MIG_INSTANCES_MAX];
};

bool gm_mig_layout_same(const struct gm_mig_layout *a, const struct gm_mig_layout *b);
/* Units that are occupied, bit 0 the first. */
uint32_t gm_mig_layout_units(const struct gm_mig_table *t, const struct gm_mig_layout *l);
/* Nobody's slice overlaps, starts are the profile's, max_instances and media engines hold. err names the slot. */
int gm_mig_layout_check(const struct gm_mig_table *t, const struct gm_mig_layout *l, struct gm_err *err) GM_CHECKED;

/*
 * May this instance be created beside those that exist (the layout is legal)? NOT_FOUND: no such profile or start;
 * CONFLICT: the units are taken, or the profile's count or the media engines are used up; err says which.
 */
int gm_mig_layout_may_add(const struct gm_mig_table *t, const struct gm_mig_layout *l, struct gm_mig_slot slot,
			  struct gm_err *err) GM_CHECKED;
/* Keeps the order. The slot must be allowed (asserted), or be there. */
void gm_mig_layout_add(const struct gm_mig_table *t, struct gm_mig_layout *l, struct gm_mig_slot slot);
void gm_mig_layout_remove(struct gm_mig_layout *l, struct gm_mig_slot slot);
/* How many more of the profile fit beside those that exist: what NVML calls the remaining capacity. */
int gm_mig_layout_remaining(const struct gm_mig_table *t, const struct gm_mig_layout *l, size_t profile);
/* True when nothing more fits. */
bool gm_mig_layout_maximal(const struct gm_mig_table *t, const struct gm_mig_layout *l);
/*
 * Where a new instance goes when nobody says so: the start that leaves most room for the other profiles (the driver does
 * not take the lowest either: a lone 3g lands at 4). -1: it does not fit.
 */
int gm_mig_layout_choose(const struct gm_mig_table *t, const struct gm_mig_layout *l, size_t profile);

/*
 * Every legal layout of the table once, the empty one first, by depth-first creation in canonical order. `each` may stop
 * by answering false. `profiles`: bit per profile that is used; ~0: all.
 */
void gm_mig_layouts(const struct gm_mig_table *t, uint64_t profiles,
		    bool (*each)(void *ctx, const struct gm_mig_layout *l), void *ctx);

/*
 * What turns one layout into another: slots to destroy (in `from` only), to keep, to create (in `to` only). Destroys
 * first, then creates in any order: placements are explicit, and both layouts are legal.
 */
struct gm_mig_diff {
	struct gm_mig_layout destroy, keep, create;
};
void gm_mig_layout_diff(const struct gm_mig_layout *from, const struct gm_mig_layout *to, struct gm_mig_diff *out);

/*
 * Text: "3g.40gb@4, 2g.20gb@0, 1g.10gb@2" with starts, or without ("1g.10gb*7", "3g.40gb, 2g.20gb"): then the starts are
 * chosen so that all fit, if there is a way at all (CONFLICT when not). Names as in gm_mig_profile_find. "" is empty.
 */
int gm_mig_layout_parse(const struct gm_mig_table *t, struct gm_str text, struct gm_mig_layout *out,
			struct gm_err *err) GM_CHECKED;
/* Always with starts. */
void gm_mig_layout_print(const struct gm_mig_table *t, const struct gm_mig_layout *l, struct gm_buf *out);
/*
 * Chooses starts for `count` profiles (indices), beside the `fixed` ones, so that all fit and the remaining capacity is
 * the most valuable; exact. CONFLICT when there is no way.
 */
int gm_mig_layout_place(const struct gm_mig_table *t, const struct gm_mig_layout *fixed, const uint8_t *profiles,
			size_t count, struct gm_mig_layout *out, struct gm_err *err) GM_CHECKED;

/* Compute instances inside a GPU instance of `slices` compute slices: 1, 2, 3, 4, 7, 8 (6 where a driver has it). */
struct gm_mig_compute {
	int nvml_enum; /* NVML_COMPUTE_INSTANCE_PROFILE_...; the profile id is the same number */
	int slices;
	int max_instances;
};
#define GM_MIG_COMPUTE_MAX 8
/* Those that a GPU instance offers, rising; the last fills it. */
size_t gm_mig_compute_profiles(int slices, struct gm_mig_compute out[static GM_MIG_COMPUTE_MAX]);

/* The driver numbers GPU instances by size: whole 0, halves 1 to 2, quarters 3 to 6, eighths 7 to 14. */
void gm_mig_gi_ids(const struct gm_mig_table *t, size_t profile, int *out_first, int *out_last);

#endif
