/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_ALLOC_QUEUE_H
#define GM_CORE_ALLOC_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/map.h"

/*
 * In which order those who wait are served. Pure: who may have what is not its business.
 *
 * First the higher priority, where waiting counts: one point for each `ageing_ms`. Between equals the team with the
 * smaller share of what it is due: (what it holds + what this would add) / weight. Then who waits longer, then the id.
 *
 * Those of one team and one priority are a line: first come, first served. A line ages from when its first one came or
 * from when it was last served, whatever is later: else a team with a thousand requests of this morning would be ahead of
 * all others until they are gone, and shares would mean nothing. A line that is not served ages without end, so everybody
 * comes to the front.
 */
struct gm_queue_line;
struct gm_queue_item {
	int64_t priority;   /* the request's and its queue's */
	int64_t since_ms;   /* it waits since */
	int64_t adds_milli; /* GPU-equivalents that it would add to its team, about */
	uint32_t team;
	const char *id; /* borrowed, as long as it is in the queue */
	void *of;	/* the owner's */
	struct gm_queue_line *line;
	struct gm_queue_item *before, *after; /* of its line */
};

struct gm_queue {
	struct gm_map lines; /* by team and priority */
	size_t count;
};

void gm_queue_fini(struct gm_queue *q);
/* The item is the caller's and stays where it is until it is removed. */
void gm_queue_add(struct gm_queue *q, struct gm_queue_item *item);
void gm_queue_remove(struct gm_queue *q, struct gm_queue_item *item);
/* Somebody of this team and priority was served: the line's ageing begins anew. */
void gm_queue_served(struct gm_queue *q, uint32_t team, int64_t priority, int64_t now_ms);

/* What the teams hold; asked whenever an item is compared. */
struct gm_queue_share {
	int64_t (*used_milli)(void *ctx, uint32_t team);
	int64_t (*weight)(void *ctx, uint32_t team); /* >= 1 */
	void *ctx;
};

/*
 * One walk over all, in order. Between two steps the last item may be removed, its line served, and its team's share may
 * have grown: the order of the rest follows.
 */
struct gm_queue_walk {
	const struct gm_queue *queue;
	const struct gm_queue_share *share;
	int64_t now_ms, ageing_ms;
	struct gm_queue_ahead *heap;
	size_t count;
};
void gm_queue_walk_begin(struct gm_queue_walk *w, const struct gm_queue *q, const struct gm_queue_share *share,
			 int64_t now_ms, int64_t ageing_ms);
/* NULL at the end. */
struct gm_queue_item *gm_queue_walk_next(struct gm_queue_walk *w);
void gm_queue_walk_fini(struct gm_queue_walk *w);

GM_DEFINE_AUTO_VALUE(struct gm_queue_walk, gm_queue_walk_fini)
GM_DEFINE_AUTO_VALUE(struct gm_queue, gm_queue_fini)

#endif
