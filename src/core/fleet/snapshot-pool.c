/* SPDX-License-Identifier: MIT */
#include "core/fleet/snapshot-internal.h"

#include <pthread.h>

#include "base/alloc.h"
#include "base/vec.h"

struct retired {
	struct fleet_version *version;
	uint64_t died; /* seq of the first snapshot without it */
};

struct gm_snapshot_pool {
	pthread_mutex_t mu;
	struct gm_snapshot_full *newest; /* guarded by mu */
	struct gm_snapshot_full *held;	 /* guarded by mu: with references, newest first */
	struct gm_snapshot_full *dead;	 /* guarded by mu: without, to be freed by the owner */
	bool closed;			 /* guarded by mu: the last release frees everything */
	/* The owner's alone; once closed, the last releaser's. */
	GM_VEC(struct retired) retired;
	GM_VEC(uint64_t) held_seqs; /* falling; a copy to look versions up in without the mutex */
};

static void slot_empty(struct gm_cache_slot *slot)
{
	void *value = atomic_load_explicit(&slot->value, memory_order_acquire);
	if (value && slot->free_value)
		slot->free_value(value);
}

void gm_fleet_version_free(struct fleet_version *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < v->node.device_count; i++)
		slot_empty(v->devices[i].cache);
	for (size_t i = 0; i < v->held_count; i++)
		gm_shared_unref(v->held[i]);
	free(v);
}

struct gm_snapshot_full *gm_snapshot_new(size_t nodes, size_t devices, size_t changed,
					 struct gm_snapshot_index *take_index, struct gm_shared *take_tallies)
{
	/* Not zeroed: the arrays, most of a megabyte in a large fleet, are filled by the caller. */
	struct gm_snapshot_full *s =
		gm_xrealloc(NULL, sizeof(*s) + nodes * sizeof(struct gm_node *) + devices * sizeof(struct gm_device *) +
					  changed * sizeof(uint32_t));
	*s = (struct gm_snapshot_full){ .index = take_index, .tallies = take_tallies };
	s->nodes = (struct gm_node **)(s + 1);
	s->devices = (void *)(s->nodes + nodes);
	s->changed = (void *)(s->devices + devices);
	s->public_.nodes = s->nodes;
	s->public_.node_count = nodes;
	s->public_.devices = s->devices;
	s->public_.device_count = devices;
	s->public_.changed = s->changed;
	s->public_.changed_count = changed;
	s->public_.cache = s->caches;
	atomic_init(&s->public_.refs, 1);
	return s;
}

static void snapshot_free(struct gm_snapshot_full *s)
{
	for (size_t i = 0; i < GM_SNAPSHOT_CACHES; i++)
		slot_empty(&s->caches[i]);
	gm_snapshot_index_unref(s->index);
	gm_shared_unref(s->tallies);
	free(s);
}

static void free_dead(struct gm_snapshot_full *dead)
{
	while (dead) {
		struct gm_snapshot_full *next = dead->next;
		snapshot_free(dead);
		dead = next;
	}
}

struct gm_snapshot_pool *gm_snapshot_pool_new(void)
{
	struct gm_snapshot_pool *p = gm_xalloc(sizeof(*p));
	pthread_mutex_init(&p->mu, NULL);
	return p;
}

static void pool_free(struct gm_snapshot_pool *p)
{
	free_dead(p->dead);
	for (size_t i = 0; i < p->retired.count; i++)
		gm_fleet_version_free(p->retired.items[i].version);
	gm_vec_fini(&p->retired);
	gm_vec_fini(&p->held_seqs);
	pthread_mutex_destroy(&p->mu);
	free(p);
}

const struct gm_snapshot *gm_snapshot_ref(const struct gm_snapshot *s)
{
	atomic_fetch_add_explicit(&gm_snapshot_full_of(s)->public_.refs, 1, memory_order_relaxed);
	return s;
}

void gm_snapshot_unref(const struct gm_snapshot *s)
{
	if (!s)
		return;
	struct gm_snapshot_full *full = gm_snapshot_full_of(s);
	if (atomic_fetch_sub_explicit(&full->public_.refs, 1, memory_order_acq_rel) != 1)
		return;
	struct gm_snapshot_pool *p = full->pool;
	pthread_mutex_lock(&p->mu);
	*(full->prev ? &full->prev->next : &p->held) = full->next;
	if (full->next)
		full->next->prev = full->prev;
	full->next = p->dead;
	p->dead = full;
	bool last = p->closed && !p->held;
	pthread_mutex_unlock(&p->mu);
	if (last)
		pool_free(p);
}

const struct gm_snapshot *gm_snapshot_pool_newest(struct gm_snapshot_pool *p)
{
	pthread_mutex_lock(&p->mu);
	const struct gm_snapshot *s = gm_snapshot_ref(&p->newest->public_);
	pthread_mutex_unlock(&p->mu);
	return s;
}

void gm_snapshot_pool_retire(struct gm_snapshot_pool *p, struct fleet_version *take_version, uint64_t seq)
{
	if (take_version)
		gm_vec_push(&p->retired, ((struct retired){ .version = take_version, .died = seq }));
}

/* Whether some snapshot from the version's birth to before its death is held. */
static bool is_held(const struct gm_snapshot_pool *p, const struct retired *r)
{
	size_t from = 0;
	size_t to = p->held_seqs.count;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (p->held_seqs.items[middle] >= r->died)
			from = middle + 1;
		else
			to = middle;
	}
	return from < p->held_seqs.count && p->held_seqs.items[from] >= r->version->born;
}

static void free_retired(struct gm_snapshot_pool *p)
{
	size_t kept = 0;
	for (size_t i = 0; i < p->retired.count; i++) {
		if (is_held(p, &p->retired.items[i]))
			p->retired.items[kept++] = p->retired.items[i];
		else
			gm_fleet_version_free(p->retired.items[i].version);
	}
	p->retired.count = kept;
}

void gm_snapshot_pool_publish(struct gm_snapshot_pool *p, struct gm_snapshot_full *take_snapshot)
{
	take_snapshot->pool = p;
	pthread_mutex_lock(&p->mu);
	struct gm_snapshot_full *before = p->newest;
	p->newest = take_snapshot;
	take_snapshot->next = p->held;
	if (p->held)
		p->held->prev = take_snapshot;
	p->held = take_snapshot;
	pthread_mutex_unlock(&p->mu);
	gm_snapshot_unref(before ? &before->public_ : NULL);

	pthread_mutex_lock(&p->mu);
	struct gm_snapshot_full *dead = p->dead;
	p->dead = NULL;
	gm_vec_reset(&p->held_seqs);
	for (const struct gm_snapshot_full *s = p->held; s; s = s->next)
		gm_vec_push(&p->held_seqs, s->public_.seq);
	pthread_mutex_unlock(&p->mu);
	free_dead(dead);
	free_retired(p);
}

void gm_snapshot_pool_close(struct gm_snapshot_pool *p)
{
	pthread_mutex_lock(&p->mu);
	struct gm_snapshot_full *newest = p->newest;
	p->newest = NULL;
	p->closed = true;
	pthread_mutex_unlock(&p->mu);
	gm_snapshot_unref(&newest->public_);
}

size_t gm_snapshot_pool_waiting(const struct gm_snapshot_pool *p)
{
	return p->retired.count;
}
