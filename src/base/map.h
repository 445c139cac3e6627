/* SPDX-License-Identifier: MIT */
#ifndef GM_BASE_MAP_H
#define GM_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/str.h"

/*
 * String to pointer, open addressing. `{ 0 }` is an empty one. Keys are borrowed: they live in the value or as long
 * as it. Values are never NULL. Aborts when out of memory; who lets input choose the size limits it first.
 */
struct gm_map_entry {
	uint64_t hash;
	struct gm_str key;
	void *value;
};
struct gm_map {
	struct gm_map_entry *entries;
	size_t count;
	size_t capacity; /* power of two */
	size_t removed;
};

void gm_map_fini(struct gm_map *m);
void gm_map_reset(struct gm_map *m);
/* NULL when absent. */
void *gm_map_get(const struct gm_map *m, struct gm_str key);
/* Adds or replaces (key and value); returns the value that was there, or NULL. */
void *gm_map_put(struct gm_map *m, struct gm_str key, void *value);
/* Returns the value that was there, or NULL. */
void *gm_map_remove(struct gm_map *m, struct gm_str key);
/* Iterates in no order: `for (size_t i = 0; (e = gm_map_next(m, &i));)`. Only removing the current entry is allowed meanwhile. */
struct gm_map_entry *gm_map_next(const struct gm_map *m, size_t *position);

GM_DEFINE_AUTO_VALUE(struct gm_map, gm_map_fini)

#endif
