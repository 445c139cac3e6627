/* SPDX-License-Identifier: MIT */
#include "adapter/scrape/schedule.h"

#include <string.h>

void gm_schedule_fini(struct gm_schedule *s)
{
	gm_vec_fini(&s->heap);
}

/* Places count from 1: the children of k are 2k and 2k + 1. */
static struct gm_schedule_item *at(const struct gm_schedule *s, size_t place)
{
	return s->heap.items[place - 1];
}

static void set(struct gm_schedule *s, size_t place, struct gm_schedule_item *item)
{
	s->heap.items[place - 1] = item;
	item->place = place;
}

static void rise(struct gm_schedule *s, struct gm_schedule_item *item)
{
	size_t place = item->place;

	for (; place > 1 && at(s, place / 2)->due_ms > item->due_ms; place /= 2)
		set(s, place, at(s, place / 2));
	set(s, place, item);
}

static void sink(struct gm_schedule *s, struct gm_schedule_item *item)
{
	size_t place = item->place;

	for (size_t child = 2 * place; child <= s->heap.count; child = 2 * place) {
		if (child < s->heap.count && at(s, child + 1)->due_ms < at(s, child)->due_ms)
			child++;
		if (at(s, child)->due_ms >= item->due_ms)
			break;
		set(s, place, at(s, child));
		place = child;
	}
	set(s, place, item);
}

void gm_schedule_put(struct gm_schedule *s, struct gm_schedule_item *item, int64_t due_ms)
{
	item->due_ms = due_ms;
	if (item->place == 0) {
		gm_vec_push(&s->heap, item);
		item->place = s->heap.count;
	}
	rise(s, item);
	sink(s, item);
}

void gm_schedule_remove(struct gm_schedule *s, struct gm_schedule_item *item)
{
	size_t place = item->place;
	struct gm_schedule_item *last;

	if (place == 0)
		return;
	item->place = 0;
	last = s->heap.items[--s->heap.count];
	if (last == item)
		return;
	set(s, place, last);
	rise(s, last);
	sink(s, last);
}

struct gm_schedule_item *gm_schedule_first(const struct gm_schedule *s)
{
	return s->heap.count ? s->heap.items[0] : NULL;
}

int64_t gm_schedule_next(uint64_t hash, int64_t interval_ms, int64_t now_ms)
{
	int64_t phase = (int64_t)(hash % (uint64_t)interval_ms);
	int64_t earliest = now_ms + interval_ms / 4;
	int64_t rounds = (earliest - phase) / interval_ms;
	int64_t due = phase + rounds * interval_ms;

	while (due < earliest)
		due += interval_ms;
	return due;
}

int64_t gm_schedule_begin(uint64_t hash, int64_t spread_ms, int64_t now_ms)
{
	return spread_ms > 0 ? now_ms + (int64_t)(hash % (uint64_t)spread_ms) : now_ms;
}
