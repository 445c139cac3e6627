/* SPDX-License-Identifier: MIT */
#include "base/map.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/hash.h"

/*
 * Linear probing over a power of two. An entry without a value is free, or, with hash TOMBSTONE, one that was removed
 * and over which a probe goes on. At most three quarters of the slots are not free.
 */
#define TOMBSTONE 1
#define CAPACITY_MIN 8

void gm_map_fini(struct gm_map *m)
{
	if (!m)
		return;
	free(m->entries);
	*m = (struct gm_map){ 0 };
}

void gm_map_reset(struct gm_map *m)
{
	if (m->entries)
		memset(m->entries, 0, m->capacity * sizeof(*m->entries));
	m->count = 0;
	m->removed = 0;
}

static bool is_free(const struct gm_map_entry *e)
{
	return !e->value && e->hash != TOMBSTONE;
}

/* The entry of the key, or NULL; *out_slot (may be NULL) is where it would go. */
static struct gm_map_entry *find(const struct gm_map *m, struct gm_str key, uint64_t hash,
				 struct gm_map_entry **out_slot)
{
	struct gm_map_entry *slot = NULL;
	size_t mask = m->capacity - 1;
	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		struct gm_map_entry *e = &m->entries[i];
		if (e->value) {
			if (e->hash == hash && gm_str_eq(e->key, key))
				return e;
			continue;
		}
		if (!slot)
			slot = e;
		if (is_free(e))
			break;
	}
	if (out_slot)
		*out_slot = slot;
	return NULL;
}

void *gm_map_get(const struct gm_map *m, struct gm_str key)
{
	if (m->count == 0)
		return NULL;
	struct gm_map_entry *e = find(m, key, gm_hash(key), NULL);
	return e ? e->value : NULL;
}

static void rehash(struct gm_map *m, size_t capacity)
{
	size_t bytes = 0;
	if (!gm_mul_ok(capacity, sizeof(*m->entries), &bytes))
		abort();
	struct gm_map next = { .entries = gm_xalloc(bytes), .capacity = capacity, .count = m->count };
	for (size_t i = 0; i < m->capacity; i++) {
		const struct gm_map_entry *e = &m->entries[i];
		if (!e->value)
			continue;
		size_t at = e->hash & (capacity - 1);
		while (next.entries[at].value)
			at = (at + 1) & (capacity - 1);
		next.entries[at] = *e;
	}
	free(m->entries);
	*m = next;
}

/* Room for one more. Many tombstones: the same size again, without them. */
static void make_room(struct gm_map *m)
{
	if (m->capacity == 0)
		rehash(m, CAPACITY_MIN);
	else if (m->count + m->removed + 1 > m->capacity / 4 * 3)
		rehash(m, m->count + 1 > m->capacity / 2 ? m->capacity * 2 : m->capacity);
}

void *gm_map_put(struct gm_map *m, struct gm_str key, void *value)
{
	assert(value);
	make_room(m);
	uint64_t hash = gm_hash(key);
	struct gm_map_entry *slot = NULL, *e = find(m, key, hash, &slot);
	if (e) {
		void *old = e->value;
		e->key = key;
		e->value = value;
		return old;
	}
	m->removed -= !is_free(slot);
	m->count++;
	*slot = (struct gm_map_entry){ .hash = hash, .key = key, .value = value };
	return NULL;
}

void *gm_map_remove(struct gm_map *m, struct gm_str key)
{
	if (m->count == 0)
		return NULL;
	struct gm_map_entry *e = find(m, key, gm_hash(key), NULL);
	if (!e)
		return NULL;
	void *old = e->value;
	*e = (struct gm_map_entry){ .hash = TOMBSTONE };
	m->count--;
	m->removed++;
	/* Before a free slot no probe needs a tombstone. */
	size_t mask = m->capacity - 1, i = (size_t)(e - m->entries);
	if (is_free(&m->entries[(i + 1) & mask])) {
		for (; !m->entries[i].value && m->entries[i].hash == TOMBSTONE; i = (i - 1) & mask) {
			m->entries[i].hash = 0;
			m->removed--;
		}
	}
	return old;
}

struct gm_map_entry *gm_map_next(const struct gm_map *m, size_t *position)
{
	while (*position < m->capacity) {
		struct gm_map_entry *e = &m->entries[(*position)++];
		if (e->value)
			return e;
	}
	return NULL;
}
