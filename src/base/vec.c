/* SPDX-License-Identifier: MIT */
#include "base/vec.h"

#include <stdint.h>

#include "base/alloc.h"

#define CAPACITY_MIN 4

void *gm_vec_grow(void *items, size_t *capacity, size_t item_size, size_t want)
{
	size_t next = *capacity > SIZE_MAX / 2 ? want : *capacity * 2, bytes = 0;
	if (next < CAPACITY_MIN)
		next = CAPACITY_MIN;
	if (next < want)
		next = want;
	if (!gm_mul_ok(next, item_size, &bytes))
		abort();
	items = gm_xrealloc(items, bytes);
	*capacity = next;
	return items;
}
