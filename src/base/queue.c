/* SPDX-License-Identifier: MIT */
#include "base/queue.h"

#include <errno.h>
#include <pthread.h>

#include "base/alloc.h"
#include "base/wait.h"

struct node {
	struct node *next;
	void *item;
	uint64_t weight;
	uint64_t seq;
};

struct lane {
	struct node *head, **tail;
	uint64_t weight;
};

/* One lane a class, so that the oldest droppable item is at hand; `seq` gives the common order back. */
struct gm_queue {
	pthread_mutex_t mu;
	pthread_cond_t not_empty, not_full;
	void (*drop)(void *item);
	uint64_t limit;
	/* guarded by mu: */
	struct lane lanes[2];
	uint64_t next_seq;
	size_t items;
	uint64_t promised; /* weight of the pushes that wait: droppable items must not take their room */
	uint64_t dropped_items, dropped_weight;
	bool closed;
};

static void lane_add(struct lane *l, struct node *n)
{
	*l->tail = n;
	l->tail = &n->next;
	l->weight += n->weight;
}

static struct node *lane_take(struct lane *l)
{
	struct node *n = l->head;
	l->head = n->next;
	if (!l->head)
		l->tail = &l->head;
	l->weight -= n->weight;
	n->next = NULL;
	return n;
}

struct gm_queue *gm_queue_new(uint64_t limit, void (*drop)(void *item))
{
	struct gm_queue *q = gm_xalloc(sizeof(*q));
	q->limit = limit;
	q->drop = drop;
	for (size_t i = 0; i < GM_LEN(q->lanes); i++)
		q->lanes[i].tail = &q->lanes[i].head;
	if (pthread_mutex_init(&q->mu, NULL) != 0)
		abort(); /* only for want of memory */
	gm_cond_init(&q->not_empty);
	gm_cond_init(&q->not_full);
	return q;
}

/* Not under the lock: `drop` is the caller's code. */
static void drop_all(struct gm_queue *q, struct node *n)
{
	for (struct node *next; n; n = next) {
		next = n->next;
		if (q->drop)
			q->drop(n->item);
		free(n);
	}
}

void gm_queue_free(struct gm_queue *q)
{
	if (!q)
		return;
	for (size_t i = 0; i < GM_LEN(q->lanes); i++)
		drop_all(q, q->lanes[i].head);
	(void)pthread_cond_destroy(&q->not_full);
	(void)pthread_cond_destroy(&q->not_empty);
	(void)pthread_mutex_destroy(&q->mu);
	free(q);
}

static uint64_t weight_of(const struct gm_queue *q)
{
	return q->lanes[GM_QUEUE_WAIT].weight + q->lanes[GM_QUEUE_DROP].weight;
}

/* True when `weight` more fits beside `held`; whatever its weight, one item fits alone. */
static bool fits(const struct gm_queue *q, uint64_t held, uint64_t weight)
{
	return held == 0 || (weight <= q->limit && held <= q->limit - weight);
}

static bool wait_for_room(struct gm_queue *q, uint64_t weight)
{
	if (q->closed || q->items == 0 || fits(q, weight_of(q), weight))
		return !q->closed;
	q->promised += weight;
	while (!q->closed && q->items > 0 && !fits(q, weight_of(q), weight))
		(void)pthread_cond_wait(&q->not_full, &q->mu);
	q->promised -= weight;
	return !q->closed;
}

/*
 * Makes room for a droppable item by dropping older ones, moved to *dropped. False when even all of them would not make
 * enough: then they stay, and it is the new one that goes.
 */
static bool drop_for_room(struct gm_queue *q, uint64_t weight, struct lane *dropped)
{
	struct lane *lane = &q->lanes[GM_QUEUE_DROP];
	uint64_t kept = q->lanes[GM_QUEUE_WAIT].weight + q->promised;
	if (q->closed || !fits(q, kept, weight))
		return false;
	while (lane->head && !fits(q, kept + lane->weight, weight)) {
		struct node *n = lane_take(lane);
		q->items--;
		q->dropped_items++;
		q->dropped_weight += n->weight;
		lane_add(dropped, n);
	}
	return true;
}

bool gm_queue_push(struct gm_queue *q, void *take_item, uint64_t weight, enum gm_queue_class cls)
{
	struct node *n = gm_xalloc(sizeof(*n));
	n->item = take_item;
	n->weight = weight;
	struct lane dropped = { 0 };
	dropped.tail = &dropped.head;

	(void)pthread_mutex_lock(&q->mu);
	bool room = cls == GM_QUEUE_WAIT ? wait_for_room(q, weight) : drop_for_room(q, weight, &dropped);
	bool open = !q->closed;
	if (room) {
		n->seq = q->next_seq++;
		lane_add(&q->lanes[cls], n);
		q->items++;
		(void)pthread_cond_signal(&q->not_empty);
	} else {
		if (open) {
			q->dropped_items++;
			q->dropped_weight += weight;
		}
		lane_add(&dropped, n);
	}
	(void)pthread_mutex_unlock(&q->mu);
	drop_all(q, dropped.head);
	return open;
}

static void wait_for_item(struct gm_queue *q, int timeout_ms)
{
	if (q->items > 0 || q->closed || timeout_ms == 0)
		return;
	struct timespec until = gm_deadline_in(timeout_ms < 0 ? 0 : timeout_ms);
	while (q->items == 0 && !q->closed) {
		int rc = timeout_ms < 0 ? pthread_cond_wait(&q->not_empty, &q->mu)
					: pthread_cond_timedwait(&q->not_empty, &q->mu, &until);
		if (rc == ETIMEDOUT)
			return;
	}
}

void *gm_queue_pop(struct gm_queue *q, int timeout_ms)
{
	(void)pthread_mutex_lock(&q->mu);
	wait_for_item(q, timeout_ms);
	struct node *n = NULL;
	if (q->items > 0) {
		struct lane *a = &q->lanes[GM_QUEUE_WAIT], *b = &q->lanes[GM_QUEUE_DROP];
		n = lane_take(!b->head || (a->head && a->head->seq < b->head->seq) ? a : b);
		q->items--;
		/* All: the first one woken may be too heavy for the room, the next one not. */
		(void)pthread_cond_broadcast(&q->not_full);
	}
	(void)pthread_mutex_unlock(&q->mu);
	void *item = n ? n->item : NULL;
	free(n);
	return item;
}

void gm_queue_close(struct gm_queue *q)
{
	(void)pthread_mutex_lock(&q->mu);
	q->closed = true;
	(void)pthread_cond_broadcast(&q->not_empty);
	(void)pthread_cond_broadcast(&q->not_full);
	(void)pthread_mutex_unlock(&q->mu);
}

bool gm_queue_done(struct gm_queue *q)
{
	(void)pthread_mutex_lock(&q->mu);
	bool done = q->closed && q->items == 0;
	(void)pthread_mutex_unlock(&q->mu);
	return done;
}

void gm_queue_stats(struct gm_queue *q, struct gm_queue_stats *out)
{
	(void)pthread_mutex_lock(&q->mu);
	*out = (struct gm_queue_stats){
		.items = q->items,
		.weight = weight_of(q),
		.limit = q->limit,
		.dropped_items = q->dropped_items,
		.dropped_weight = q->dropped_weight,
	};
	(void)pthread_mutex_unlock(&q->mu);
}
