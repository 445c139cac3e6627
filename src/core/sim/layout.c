/* SPDX-License-Identifier: MIT */
#include "core/sim/sim-internal.h"

#include <string.h>

#include "core/mig/mig.h"

/* Compute slices wanted, largest first; 0 ends. */
enum layout { SEVEN, BALANCED, PAIRS, HALVES, LAYOUT_COUNT };
#define LAYOUT_WANTS 8

static const uint8_t layouts_of_7[LAYOUT_COUNT][LAYOUT_WANTS] = {
	[SEVEN] = { 1, 1, 1, 1, 1, 1, 1 },
	[BALANCED] = { 3, 2, 1, 1 },
	[PAIRS] = { 2, 2, 2, 1 },
	[HALVES] = { 3, 3 },
};
static const uint8_t layouts_of_4[LAYOUT_COUNT][LAYOUT_WANTS] = {
	[SEVEN] = { 1, 1, 1, 1 },
	[BALANCED] = { 2, 1, 1 },
	[PAIRS] = { 2, 2 },
	[HALVES] = { 4 },
};

/*
 * Of each twelve boards four are in MIG mode; the first variant of a mix has them later than the second, so that worlds
 * of any size have some. Of 8 and 12 boards these are 20 and 22 instances: the 42 of the user's document.
 */
#define PERIOD 12
#define MIG_BOARDS 4
static const uint8_t first_board[2] = { 4, 0 };
static const uint8_t pattern[2][MIG_BOARDS] = {
	{ BALANCED, SEVEN, HALVES, SEVEN },
	{ BALANCED, SEVEN, PAIRS, SEVEN },
};

/* The plain profile ("1g.10gb", no "+me", "-me", "+gfx") of so many compute slices with the least memory. */
static const struct gm_mig_profile *plain_profile(const struct gm_mig_table *table, int slices)
{
	const struct gm_mig_profile *best = NULL;
	for (size_t i = 0; i < table->profile_count; i++) {
		const struct gm_mig_profile *p = &table->profiles[i];
		if (p->compute_slices != slices || !p->start_count || strpbrk(p->name, "+-"))
			continue;
		if (!best || p->size < best->size)
			best = p;
	}
	return best;
}

/* Large profiles go to the far end: 3g at 4 leaves 0 to 3 for the small ones, which cannot start at 7. */
static int free_start(const struct gm_mig_profile *p, uint32_t used, int units)
{
	uint32_t mask = (UINT32_C(1) << p->size) - 1;
	for (size_t i = 0; i < p->start_count; i++) {
		int start = p->starts[p->size * 2 >= units ? p->start_count - 1 - i : i];
		if (!(used & mask << start))
			return start;
	}
	return -1;
}

/* taken: of the numbers that begin at an index. */
static int gi_number(const struct gm_mig_table *table, const struct gm_mig_profile *p, int *taken)
{
	int first, last;
	gm_mig_gi_ids(table, (size_t)(p - table->profiles), &first, &last);
	return first + taken[first]++;
}

int sim_layout(const struct gm_variant *v, size_t row, size_t nth,
	       struct gm_sim_instance out[static GM_SIM_INSTANCES_MAX])
{
	const struct gm_mig_table *table = v->mig;
	size_t place = nth % PERIOD - first_board[row & 1];
	if (!v->mig_capable || !table || place >= MIG_BOARDS)
		return 0;
	if (table->placement_units < 1 || table->placement_units > 16)
		return 0;
	const uint8_t *wants = table->compute_slices == 7   ? layouts_of_7[pattern[row & 1][place]]
			       : table->compute_slices == 4 ? layouts_of_4[pattern[row & 1][place]]
							    : NULL;
	int count = 0, taken[8] = { 0 };
	uint32_t used = 0;
	for (; wants && *wants && count < GM_SIM_INSTANCES_MAX; wants++) {
		const struct gm_mig_profile *p = plain_profile(table, *wants);
		int start = p ? free_start(p, used, table->placement_units) : -1;
		if (start < 0)
			continue;
		used |= ((UINT32_C(1) << p->size) - 1) << start;
		out[count] = (struct gm_sim_instance){ .gi_id = gi_number(table, p, taken),
						       .profile = p,
						       .slices = p->compute_slices,
						       .placement_start = start,
						       .pod = -1 };
		count++;
	}
	return count;
}
