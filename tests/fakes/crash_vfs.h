/* SPDX-License-Identifier: MIT */
#ifndef GM_TESTS_CRASH_VFS_H
#define GM_TESTS_CRASH_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A disk in memory behind SQLite's VFS. Each file has an image that is synced and the writes since: reads see both, a
 * power cut keeps the image and, as the seed wills, none, all, or some sectors of the writes. Names of files are taken
 * as they are; nothing touches the real disk. Locks and shared memory work between connections of this process.
 */
struct crash_vfs;

/* Registered under `name`, which outlives it. */
struct crash_vfs *crash_vfs_new(const char *name, uint64_t seed);
/* All connections are closed. */
void crash_vfs_free(struct crash_vfs *v);

/* Writes, syncs, truncations and deletions so far. */
uint64_t crash_vfs_ops(const struct crash_vfs *v);
/* The power goes at the n-th of these from now on (1: the next one), which may happen in part; after it all fail. */
void crash_vfs_cut_at(struct crash_vfs *v, uint64_t n);
bool crash_vfs_is_cut(const struct crash_vfs *v);
/* Settles what the cut left. Connections from before, which fail at everything, are closed already. */
void crash_vfs_power_on(struct crash_vfs *v);

/* The n-th of these from now on fails with an SQLite code, and all after it when `stays`; 0: none. */
void crash_vfs_fail_at(struct crash_vfs *v, uint64_t n, int rc, bool stays);
bool crash_vfs_has_failed(const struct crash_vfs *v);
/* How many bytes all files may have; what needs more fails with SQLITE_FULL. 0: any number. */
void crash_vfs_limit(struct crash_vfs *v, uint64_t bytes);
/* Files open for reading only. */
void crash_vfs_read_only(struct crash_vfs *v, bool on);
/* Writes over bytes of a file, synced. */
void crash_vfs_damage(struct crash_vfs *v, const char *path, uint64_t offset, const void *bytes, size_t n);
/* Of all files together. */
uint64_t crash_vfs_bytes(const struct crash_vfs *v);

#endif
