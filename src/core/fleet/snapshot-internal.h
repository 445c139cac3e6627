/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_FLEET_SNAPSHOT_INTERNAL_H
#define GM_CORE_FLEET_SNAPSHOT_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/fleet/snapshot.h"

/*
 * Who frees what. Readers count references to snapshots only. Everything below a snapshot is freed by one thread: the
 * fleet's owner, at its next publish (or, when the fleet is gone, by whoever drops the last snapshot). So blocks are
 * counted without atomics, and a node's version is not counted at all: it lives in the snapshots from the one it was
 * born in to the one before the one that replaced it, and can go when none of those is held. A publish touches no node
 * that did not change, a reader that keeps an old snapshot keeps that one and no later one, and no reader ever pays for
 * freeing.
 */

/* First member of an immutable flat block. */
struct gm_shared {
	uint32_t refs;
};
static inline void *gm_shared_ref(void *block)
{
	if (block)
		((struct gm_shared *)block)->refs++;
	return block;
}
static inline void gm_shared_unref(void *block)
{
	if (block && --((struct gm_shared *)block)->refs == 0)
		free(block);
}

/* A node as one or more snapshots have it: one piece of memory with its devices, instances and cache slots. */
struct fleet_version {
	struct gm_node node;
	struct gm_device *devices; /* those of `node`; not written once published */
	uint64_t born;		   /* seq of the first snapshot that has it */
	struct gm_shared **held;   /* the blocks its texts lie in */
	size_t held_count;
};
/* Its blocks lose a reference, its cache slots are emptied. NULL is accepted. */
void gm_fleet_version_free(struct fleet_version *v);

/* Finds UUIDs; made by the first who asks, shared by the snapshots whose devices and instances stand alike. */
struct gm_snapshot_index;
struct gm_snapshot_index *gm_snapshot_index_new(void);
struct gm_snapshot_index *gm_snapshot_index_ref(struct gm_snapshot_index *x);
void gm_snapshot_index_unref(struct gm_snapshot_index *x);

struct gm_snapshot_pool;

/* A snapshot under construction and what it keeps. */
struct gm_snapshot_full {
	struct gm_snapshot public_;
	struct gm_snapshot_pool *pool;
	struct gm_snapshot_full *prev, *next; /* guarded by the pool's mutex */
	struct gm_snapshot_index *index;
	struct gm_shared *tallies;
	struct gm_node **nodes;
	const struct gm_device **devices;
	uint32_t *changed;
	struct gm_cache_slot caches[GM_SNAPSHOT_CACHES];
};
static inline struct gm_snapshot_full *gm_snapshot_full_of(const struct gm_snapshot *s)
{
	return (struct gm_snapshot_full *)(uintptr_t)s; /* public_ is its first member; only readers see it as const */
}
/* Room for so many; the arrays are not filled. Takes over references to `take_index` and `take_tallies`. */
struct gm_snapshot_full *gm_snapshot_new(size_t nodes, size_t devices, size_t changed,
					 struct gm_snapshot_index *take_index, struct gm_shared *take_tallies);

struct gm_snapshot_pool *gm_snapshot_pool_new(void);
/* The fleet ends; what readers still hold stays until they let go. */
void gm_snapshot_pool_close(struct gm_snapshot_pool *p);
/* The owner's: `take_snapshot` is now the newest. What nobody holds any more is freed. */
void gm_snapshot_pool_publish(struct gm_snapshot_pool *p, struct gm_snapshot_full *take_snapshot);
/* A reference to the newest. Any thread. */
const struct gm_snapshot *gm_snapshot_pool_newest(struct gm_snapshot_pool *p);
/* The owner's: the version is in no snapshot from `seq` on. */
void gm_snapshot_pool_retire(struct gm_snapshot_pool *p, struct fleet_version *take_version, uint64_t seq);
/* Tests: versions that wait for a reader. */
size_t gm_snapshot_pool_waiting(const struct gm_snapshot_pool *p);

#endif
