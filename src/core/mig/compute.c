/* SPDX-License-Identifier: MIT */
#include "core/mig/mig-internal.h"

#include <assert.h>

/*
 * The sizes a GPU instance may be cut into, by its own size: bit s for s slices. Seen on 1, 2, 3, 4 and 7; those of 6
 * and 8, that no board of the catalogue has, follow the even cuts of the others.
 */
static const uint16_t compute_sizes[] = {
	[1] = 1U << 1,
	[2] = 1U << 1 | 1U << 2,
	[3] = 1U << 1 | 1U << 2 | 1U << 3,
	[4] = 1U << 1 | 1U << 2 | 1U << 4,
	[6] = 1U << 1 | 1U << 2 | 1U << 3 | 1U << 6,
	[7] = 1U << 1 | 1U << 2 | 1U << 3 | 1U << 4 | 1U << 7,
	[8] = 1U << 1 | 1U << 2 | 1U << 4 | 1U << 8,
};
/* NVML_COMPUTE_INSTANCE_PROFILE_<s>_SLICE */
static const uint8_t compute_enums[] = { [1] = 0, [2] = 1, [3] = 2, [4] = 3, [6] = 6, [7] = 4, [8] = 5 };

size_t gm_mig_compute_profiles(int slices, struct gm_mig_compute out[static GM_MIG_COMPUTE_MAX])
{
	size_t n = 0;

	if (slices < 1 || slices >= (int)GM_LEN(compute_sizes))
		return 0;
	for (int s = 1; s <= slices; s++) {
		if (!(compute_sizes[slices] >> s & 1))
			continue;
		assert(n < GM_MIG_COMPUTE_MAX);
		out[n++] = (struct gm_mig_compute){ .nvml_enum = compute_enums[s],
						    .slices = s,
						    .max_instances = slices / s };
	}
	return n;
}

void gm_mig_gi_ids(const struct gm_mig_table *t, size_t profile, int *out_first, int *out_last)
{
	int part = 1; /* one of so many of a board: 1, 2, 4, 8 */

	if (gm_mig_profile_placed(t, profile)) {
		while (part < 8 && t->profiles[profile].size * part * 2 <= t->placement_units)
			part *= 2;
	}
	*out_first = part - 1;
	*out_last = 2 * part - 2;
}
