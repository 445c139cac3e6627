/* SPDX-License-Identifier: MIT */
#include "core/alloc/queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

struct line_key {
	int64_t priority;
	int64_t team; /* as wide as its neighbour: no padding in a key */
};
struct gm_queue_line {
	struct line_key key;
	int64_t served_ms;
	struct gm_queue_item *first, *last;
};

static struct gm_str key_text(const struct line_key *key)
{
	return gm_str_n((const char *)key, sizeof(*key));
}

void gm_queue_fini(struct gm_queue *q)
{
	struct gm_map_entry *e;

	for (size_t i = 0; (e = gm_map_next(&q->lines, &i));)
		free(e->value);
	gm_map_fini(&q->lines);
	q->count = 0;
}

static bool is_before(const struct gm_queue_item *a, const struct gm_queue_item *b)
{
	return a->since_ms != b->since_ms ? a->since_ms < b->since_ms : strcmp(a->id, b->id) < 0;
}

/* Lines stay when they are empty, because they remember when they were last served; not more than so many, though. */
#define LINES_MAX 4096

static void forget_empty_lines(struct gm_queue *q)
{
	struct gm_map_entry *e;

	for (size_t i = 0; (e = gm_map_next(&q->lines, &i));) {
		struct gm_queue_line *line = e->value;

		if (line->first)
			continue;
		gm_map_remove(&q->lines, key_text(&line->key));
		free(line);
	}
}

static struct gm_queue_line *line_of(struct gm_queue *q, uint32_t team, int64_t priority, bool make)
{
	struct line_key key = { .priority = priority, .team = team };
	struct gm_queue_line *line = gm_map_get(&q->lines, key_text(&key));

	if (line || !make)
		return line;
	if (q->lines.count >= LINES_MAX)
		forget_empty_lines(q);
	line = gm_xalloc(sizeof(*line));
	line->key = key;
	line->served_ms = INT64_MIN;
	gm_map_put(&q->lines, key_text(&line->key), line);
	return line;
}

void gm_queue_add(struct gm_queue *q, struct gm_queue_item *item)
{
	struct gm_queue_line *line = line_of(q, item->team, item->priority, true);
	struct gm_queue_item *before = line->last;

	while (before && is_before(item, before))
		before = before->before;
	item->line = line;
	item->before = before;
	item->after = before ? before->after : line->first;
	*(before ? &before->after : &line->first) = item;
	*(item->after ? &item->after->before : &line->last) = item;
	q->count++;
}

void gm_queue_remove(struct gm_queue *q, struct gm_queue_item *item)
{
	struct gm_queue_line *line = item->line;

	assert(line && q->count);
	*(item->before ? &item->before->after : &line->first) = item->after;
	*(item->after ? &item->after->before : &line->last) = item->before;
	item->line = NULL;
	item->before = item->after = NULL;
	q->count--;
}

void gm_queue_served(struct gm_queue *q, uint32_t team, int64_t priority, int64_t now_ms)
{
	struct gm_queue_line *line = line_of(q, team, priority, true);

	if (line->served_ms < now_ms)
		line->served_ms = now_ms;
}

/* The first of a line that was not looked at yet, and what it is compared by. */
struct gm_queue_ahead {
	struct gm_queue_line *line;
	struct gm_queue_item *item;
	struct gm_queue_item *after; /* of the item, which may be gone when the next one is asked for */
	int64_t priority;
	int64_t share; /* millionths */
};

static void measure(const struct gm_queue_walk *w, struct gm_queue_ahead *a)
{
	const struct gm_queue_item *item = a->item;
	int64_t since = item->since_ms > a->line->served_ms ? item->since_ms : a->line->served_ms;
	int64_t age = w->now_ms > since ? w->now_ms - since : 0;

	a->after = item->after;
	a->priority = item->priority + (w->ageing_ms > 0 ? age / w->ageing_ms : 0);
	a->share = (w->share->used_milli(w->share->ctx, item->team) + item->adds_milli) * 1000000 /
		   w->share->weight(w->share->ctx, item->team);
}

static bool is_ahead(const struct gm_queue_ahead *a, const struct gm_queue_ahead *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority;
	if (a->share != b->share)
		return a->share < b->share;
	return is_before(a->item, b->item);
}

static void sink(struct gm_queue_walk *w, size_t at)
{
	struct gm_queue_ahead it = w->heap[at];

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= w->count)
			break;
		if (child + 1 < w->count && is_ahead(&w->heap[child + 1], &w->heap[child]))
			child++;
		if (!is_ahead(&w->heap[child], &it))
			break;
		w->heap[at] = w->heap[child];
		at = child;
	}
	w->heap[at] = it;
}

void gm_queue_walk_begin(struct gm_queue_walk *w, const struct gm_queue *q, const struct gm_queue_share *share,
			 int64_t now_ms, int64_t ageing_ms)
{
	struct gm_map_entry *e;

	*w = (struct gm_queue_walk){ .queue = q, .share = share, .now_ms = now_ms, .ageing_ms = ageing_ms };
	if (!q->count)
		return;
	w->heap = gm_xalloc(q->lines.count * sizeof(*w->heap));
	for (size_t i = 0; (e = gm_map_next(&q->lines, &i));) {
		struct gm_queue_line *line = e->value;

		if (!line->first)
			continue;
		w->heap[w->count] = (struct gm_queue_ahead){ .line = line, .item = line->first };
		measure(w, &w->heap[w->count++]);
	}
	for (size_t i = w->count / 2; i-- > 0;)
		sink(w, i);
}

/*
 * While a walk goes on shares only grow and lines only become younger: what was measured is never too late in the order.
 * So the top of the heap is measured again, and is the next one if it is still the top.
 */
struct gm_queue_item *gm_queue_walk_next(struct gm_queue_walk *w)
{
	while (w->count) {
		struct gm_queue_ahead *top = &w->heap[0];
		struct gm_queue_ahead was = *top;
		struct gm_queue_item *item;

		measure(w, top);
		if (top->priority != was.priority || top->share != was.share) {
			sink(w, 0);
			continue;
		}
		item = top->item;
		if (top->after) {
			top->item = top->after;
			measure(w, top);
		} else {
			*top = w->heap[--w->count];
		}
		if (w->count)
			sink(w, 0);
		return item;
	}
	return NULL;
}

void gm_queue_walk_fini(struct gm_queue_walk *w)
{
	free(w->heap);
	w->heap = NULL;
	w->count = 0;
}
