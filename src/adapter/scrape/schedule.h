/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_SCRAPE_SCHEDULE_H
#define GM_ADAPTER_SCRAPE_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

/* What is due when: a heap of items that live in what is scheduled. `{ 0 }` is an empty one. */
struct gm_schedule_item {
	int64_t due_ms;
	size_t place; /* in the heap, from 1; 0: not in it */
};
struct gm_schedule {
	GM_VEC(struct gm_schedule_item *) heap;
};

void gm_schedule_fini(struct gm_schedule *s);
/* Adds the item, or moves it to another time. */
void gm_schedule_put(struct gm_schedule *s, struct gm_schedule_item *item, int64_t due_ms);
void gm_schedule_remove(struct gm_schedule *s, struct gm_schedule_item *item);
/* The one that is due first, left in; NULL when empty. */
struct gm_schedule_item *gm_schedule_first(const struct gm_schedule *s);

/*
 * The times of one target: `hash` gives it a place within the interval, kept for ever, so that targets are spread evenly
 * and each is asked at even distances. The next place that is at least a quarter of the interval ahead of now.
 */
int64_t gm_schedule_next(uint64_t hash, int64_t interval_ms, int64_t now_ms);
/* The first time of a new target: soon, spread over `spread_ms` (0: now). */
int64_t gm_schedule_begin(uint64_t hash, int64_t spread_ms, int64_t now_ms);

#endif
