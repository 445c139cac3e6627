/* SPDX-License-Identifier: MIT */
#ifndef GM_BASE_QUEUE_H
#define GM_BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"

/*
 * A bounded first-in first-out queue of pointers between threads. Each item has a weight (rows, bytes: the caller's
 * choice); the sum of weights is bounded. An item heavier than the limit is taken when the queue is empty.
 */
enum gm_queue_class {
	GM_QUEUE_WAIT, /* push waits for room; never dropped */
	GM_QUEUE_DROP, /* push never waits: the oldest items of this class make room and are counted */
};

struct gm_queue;
struct gm_queue_stats {
	size_t items;
	uint64_t weight;
	uint64_t limit;
	uint64_t dropped_items;	 /* since the start */
	uint64_t dropped_weight; /* since the start */
};

/* `drop` frees a dropped item, and those left at gm_queue_free. */
struct gm_queue *gm_queue_new(uint64_t limit, void (*drop)(void *item));
void gm_queue_free(struct gm_queue *q);
/* Takes the item; false (item dropped) when the queue is closed. A DROP item that finds no room is dropped itself. */
bool gm_queue_push(struct gm_queue *q, void *take_item, uint64_t weight, enum gm_queue_class cls);
/* The next item; NULL after timeout_ms without one (-1: wait for ever), or when closed and empty. */
void *gm_queue_pop(struct gm_queue *q, int timeout_ms);
/* No more pushes; pops go on until it is empty, then give NULL at once. */
void gm_queue_close(struct gm_queue *q);
/* True when closed and nothing is left. */
bool gm_queue_done(struct gm_queue *q);
void gm_queue_stats(struct gm_queue *q, struct gm_queue_stats *out);

GM_DEFINE_AUTO(struct gm_queue, gm_queue_free)

#endif
