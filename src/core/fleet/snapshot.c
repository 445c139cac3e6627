/* SPDX-License-Identifier: MIT */
#include "core/fleet/snapshot.h"

#include <pthread.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "core/fleet/snapshot-internal.h"

const char *gm_node_state_name(enum gm_node_state s)
{
	static const char *const names[] = {
		[GM_NODE_READY] = "ready",
		[GM_NODE_DEGRADED] = "degraded",
		[GM_NODE_STALE] = "stale",
		[GM_NODE_UNKNOWN] = "unknown",
	};
	_Static_assert(GM_LEN(names) == GM_NODE_STATE_COUNT, "a name for each");
	return (unsigned)s < GM_LEN(names) ? names[s] : names[GM_NODE_UNKNOWN];
}

void *gm_cache_slot_set(struct gm_cache_slot *slot, void *take_value, void (*free_value)(void *))
{
	void *there = NULL;
	/* free_value is read only by who frees the object, after the winner here has let go of it. */
	if (atomic_compare_exchange_strong_explicit(&slot->value, &there, take_value, memory_order_acq_rel,
						    memory_order_acquire)) {
		slot->free_value = free_value;
		return take_value;
	}
	if (free_value)
		free_value(take_value);
	return there;
}

/* Nodes and devices by name: their order is an index. */

static int node_cmp(const struct gm_node *n, struct gm_str cluster, struct gm_str name)
{
	int c = gm_str_cmp(gm_str(n->cluster), cluster);
	return c ? c : gm_str_cmp(gm_str(n->name), name);
}

/* The first node from `from` on that is not before (cluster, name). */
static size_t node_at_or_after(const struct gm_snapshot *s, size_t from, struct gm_str cluster, struct gm_str name)
{
	size_t to = s->node_count;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (node_cmp(s->nodes[middle], cluster, name) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static size_t node_past_cluster(const struct gm_snapshot *s, size_t from, struct gm_str cluster)
{
	size_t to = s->node_count;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (gm_str_cmp(gm_str(s->nodes[middle]->cluster), cluster) <= 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* The first node of this name at or after *from; *from then is where to go on for one of another cluster. */
static const struct gm_node *node_next(const struct gm_snapshot *s, size_t *from, struct gm_str name)
{
	while (*from < s->node_count) {
		struct gm_str cluster = gm_str(s->nodes[*from]->cluster);
		size_t i = node_at_or_after(s, *from, cluster, name);
		if (i < s->node_count && node_cmp(s->nodes[i], cluster, name) == 0) {
			*from = i + 1;
			return s->nodes[i];
		}
		*from = node_past_cluster(s, *from, cluster);
	}
	return NULL;
}

const struct gm_node *gm_snapshot_node(const struct gm_snapshot *s, struct gm_str cluster, struct gm_str name)
{
	size_t from = 0;
	if (cluster.n == 0)
		return node_next(s, &from, name);
	size_t i = node_at_or_after(s, 0, cluster, name);
	return i < s->node_count && node_cmp(s->nodes[i], cluster, name) == 0 ? s->nodes[i] : NULL;
}

static int device_cmp(const struct gm_device *a, const struct gm_device *b)
{
	int c = strcmp(a->cluster, b->cluster);
	if (c == 0)
		c = strcmp(a->node, b->node);
	if (c == 0)
		c = (a->index > b->index) - (a->index < b->index);
	return c ? c : strcmp(a->uuid, b->uuid);
}

uint32_t gm_snapshot_position(const struct gm_snapshot *s, const struct gm_device *device)
{
	size_t from = 0;
	size_t to = s->device_count;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (device_cmp(s->devices[middle], device) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return (uint32_t)from;
}

/* UUIDs: a table of positions, made when somebody first asks for one. */

#define NO_POSITION UINT32_MAX
#define BOARD UINT16_MAX

struct uuid_entry {
	uint32_t tag;	   /* upper half of the hash */
	uint32_t position; /* NO_POSITION: free */
	uint16_t instance; /* BOARD: the device itself */
};
struct uuid_table {
	size_t mask;
	struct uuid_entry entries[];
};
struct gm_snapshot_index {
	uint32_t refs;
	pthread_mutex_t mu; /* so that only one thread makes the table */
	_Atomic(struct uuid_table *) table;
};

struct gm_snapshot_index *gm_snapshot_index_new(void)
{
	struct gm_snapshot_index *x = gm_xalloc(sizeof(*x));
	x->refs = 1;
	pthread_mutex_init(&x->mu, NULL);
	return x;
}

struct gm_snapshot_index *gm_snapshot_index_ref(struct gm_snapshot_index *x)
{
	x->refs++;
	return x;
}

void gm_snapshot_index_unref(struct gm_snapshot_index *x)
{
	if (!x || --x->refs > 0)
		return;
	pthread_mutex_destroy(&x->mu);
	free(atomic_load_explicit(&x->table, memory_order_relaxed));
	free(x);
}

static void table_add(struct uuid_table *t, const char *uuid, uint32_t position, uint16_t instance)
{
	uint64_t hash = gm_hash(gm_str(uuid));
	size_t i = hash & t->mask;
	while (t->entries[i].position != NO_POSITION)
		i = (i + 1) & t->mask;
	t->entries[i] = (struct uuid_entry){ (uint32_t)(hash >> 32), position, instance };
}

static size_t uuids_of(const struct gm_device *d)
{
	size_t count = 1;
	for (size_t i = 0; i < d->instance_count; i++)
		count += d->instances[i].uuid[0] != '\0';
	return count;
}

static struct uuid_table *table_new(const struct gm_snapshot *s)
{
	size_t count = 0;
	for (size_t i = 0; i < s->device_count; i++)
		count += uuids_of(s->devices[i]);
	size_t slots = 16;
	while (slots < count * 2)
		slots *= 2;
	struct uuid_table *t = gm_xrealloc(NULL, sizeof(*t) + slots * sizeof(t->entries[0]));
	t->mask = slots - 1;
	for (size_t i = 0; i < slots; i++)
		t->entries[i].position = NO_POSITION;
	for (uint32_t p = 0; p < s->device_count; p++) {
		const struct gm_device *d = s->devices[p];
		table_add(t, d->uuid, p, BOARD);
		for (uint16_t i = 0; i < d->instance_count; i++)
			if (d->instances[i].uuid[0])
				table_add(t, d->instances[i].uuid, p, i);
	}
	return t;
}

static const struct uuid_table *table_of(const struct gm_snapshot *s)
{
	struct gm_snapshot_index *x = gm_snapshot_full_of(s)->index;
	struct uuid_table *t = atomic_load_explicit(&x->table, memory_order_acquire);
	if (t)
		return t;
	pthread_mutex_lock(&x->mu);
	t = atomic_load_explicit(&x->table, memory_order_relaxed);
	if (!t) {
		t = table_new(s);
		atomic_store_explicit(&x->table, t, memory_order_release);
	}
	pthread_mutex_unlock(&x->mu);
	return t;
}

/* The device whose own or whose instance's UUID this is; *out_instance is NULL when it is its own. */
static const struct gm_device *find_uuid(const struct gm_snapshot *s, struct gm_str uuid, bool board,
					 const struct gm_instance **out_instance)
{
	const struct uuid_table *t = table_of(s);
	uint64_t hash = gm_hash(uuid);
	for (size_t i = hash & t->mask; t->entries[i].position != NO_POSITION; i = (i + 1) & t->mask) {
		const struct uuid_entry *e = &t->entries[i];
		if (e->tag != (uint32_t)(hash >> 32) || (e->instance == BOARD) != board)
			continue;
		const struct gm_device *d = s->devices[e->position];
		const struct gm_instance *in = board ? NULL : &d->instances[e->instance];
		if (gm_str_is(uuid, board ? d->uuid : in->uuid)) {
			*out_instance = in;
			return d;
		}
	}
	return NULL;
}

/* Cuts "worker-01-GPU-00" at its last "-GPU-": the node's name. False when there is none. */
static bool cut_last(struct gm_str s, struct gm_str mark, struct gm_str *out_before)
{
	for (size_t i = s.n; i-- > 1;) {
		if (gm_str_starts(gm_str_n(s.p + i, s.n - i), mark)) {
			*out_before = gm_str_n(s.p, i);
			return true;
		}
	}
	return false;
}

/* A board that was replaced keeps its id beside the new one's until it is forgotten: the one seen last is meant. */
static const struct gm_device *device_in(const struct gm_node *n, struct gm_str id)
{
	const struct gm_device *best = NULL;
	for (size_t i = 0; i < n->device_count; i++) {
		const struct gm_device *d = &n->devices[i];
		if (gm_str_is(id, d->id) && (!best || d->last_seen_ms > best->last_seen_ms))
			best = d;
	}
	return best;
}

static const struct gm_device *find_id(const struct gm_snapshot *s, struct gm_str id)
{
	struct gm_str name;
	if (!cut_last(id, GM_STR("-GPU-"), &name))
		return NULL;
	size_t from = 0;
	for (const struct gm_node *n; (n = node_next(s, &from, name));) {
		const struct gm_device *d = device_in(n, id);
		if (d)
			return d;
	}
	return NULL;
}

const struct gm_device *gm_snapshot_device(const struct gm_snapshot *s, struct gm_str id_or_uuid)
{
	const struct gm_instance *none;
	const struct gm_device *d = find_id(s, id_or_uuid);
	return d ? d : find_uuid(s, id_or_uuid, true, &none);
}

static const struct gm_instance *find_instance_id(const struct gm_snapshot *s, struct gm_str id,
						  const struct gm_device **out_device)
{
	struct gm_str board;
	const struct gm_device *d = cut_last(id, GM_STR("-MIG-"), &board) ? find_id(s, board) : NULL;
	for (size_t i = 0; d && i < d->instance_count; i++) {
		if (gm_str_is(id, d->instances[i].id)) {
			*out_device = d;
			return &d->instances[i];
		}
	}
	return NULL;
}

const struct gm_instance *gm_snapshot_instance(const struct gm_snapshot *s, struct gm_str id_or_uuid,
					       const struct gm_device **out_device)
{
	const struct gm_device *device = NULL;
	const struct gm_instance *in = find_instance_id(s, id_or_uuid, &device);
	if (!in && id_or_uuid.n)
		device = find_uuid(s, id_or_uuid, false, &in);
	if (in && out_device)
		*out_device = device;
	return in;
}
