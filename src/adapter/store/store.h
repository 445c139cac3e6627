/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_STORE_STORE_H
#define GM_ADAPTER_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/err.h"
#include "core/alloc/alloc-store.h"
#include "core/auth/auth-store.h"
#include "core/fleet/fleet-store.h"

/*
 * The store: opens what `url` names and gives the ports of core on it.
 * One process owns a database file; another that opens it gets GM_ERR_BUSY. Within the process the writing members of
 * the ports belong to one thread (writer.h), the reading ones may be called from any.
 * When a call fails the store stays usable: the next call tries again. After GM_ERR_CORRUPT close it and open another.
 *
 * Samples: `append` puts rows into a journal (one synced commit). `maintain` sorts the journal every few minutes into
 * runs, a block a series and hour, and some minutes after an hour's end merges the hour's runs into one compressed block
 * a series with its five-minute rollups; when a day is over, its one-hour and one-day rollups are made of the blocks.
 * Everything is written in the order of the tables' keys, at their ends, so that a tick costs what its bytes cost.
 * A row whose time the series already has is dropped when it meets the other; late rows go the same way and are merged
 * into the block that is there, until then they are seen at full resolution only. Rows older than the retention, or more
 * than a day ahead of the clock, are refused and counted. A clock set back deletes nothing; a clock set forward deletes by
 * the newest sample's time, not by its own.
 */
struct gm_store;

struct gm_store_conf {
	const char *url; /* "sqlite:FILE" */
	const struct gm_clock *clock;
	size_t batch_rows;	   /* rows a blob of the journal; 0: 500 */
	int64_t retention_ms;	   /* full resolution; 0: 30 d */
	int64_t retention_5m_ms;   /* five-minute rollups; 0: 90 d */
	int64_t retention_1h_ms;   /* one-hour rollups; 0: 2 y */
	int64_t retention_1d_ms;   /* one-day rollups; 0: for ever */
	int64_t grace_ms;	   /* an hour is packed this long after its end; 0: 5 min */
	int64_t sort_after_ms;	   /* the journal is sorted when its oldest row is that old; 0: 5 min */
	uint64_t sort_after_bytes; /* ... or when it is that large; also what sorting holds in memory; 0: 32 MiB */
	int64_t step_ms;	   /* what one maintain() may take before it commits; 0: 20 */
	int checkpoint_pages;	   /* of log, moved into the file at once; 0: 512 (8 MiB) */
	int readers;		   /* connections for reading at most; 0: 8 */
	bool network_allowed;	   /* take a network file system too; SQLite's locks are not safe there */
	const char *vfs;	   /* tests: SQLite VFS; NULL: the system's */
	long fs_magic;		   /* tests: taken for the file system's magic number when not 0 */
};

struct gm_store_stats {
	uint64_t journal_bytes; /* appended and not sorted yet */
	uint64_t appended_rows; /* since the open, as the next ones */
	uint64_t refused_old_rows, refused_future_rows;
	uint64_t packed_blocks, duplicate_rows, overfull_rows;
	uint64_t damaged; /* blobs that could not be read and were left out */
	uint64_t expired_blobs;
};

int gm_store_open(const struct gm_store_conf *conf, struct gm_store **out, struct gm_err *err) GM_CHECKED;
/* Waits for nobody: no call may be under way. */
void gm_store_close(struct gm_store *s);
/* Lives as long as the store. */
const struct gm_fleet_store *gm_store_fleet(struct gm_store *s);
const struct gm_auth_store *gm_store_auth(struct gm_store *s);
const struct gm_alloc_store *gm_store_alloc(struct gm_store *s);
/* Any thread. */
void gm_store_stats(struct gm_store *s, struct gm_store_stats *out);
/* Bytes of the database in use (not counting pages that are free again). */
int gm_store_size(struct gm_store *s, uint64_t *out_bytes, struct gm_err *err) GM_CHECKED;
/*
 * All samples from from_ms on, series by series, each in rising time, wherever they lie; ends when `each` returns false. For
 * proving what is there and for taking it elsewhere; any thread.
 */
int gm_store_each_sample(struct gm_store *s, int64_t from_ms, bool (*each)(void *ctx, const struct gm_sample_row *row),
			 void *ctx, struct gm_err *err) GM_CHECKED;
/* Reads everything and tells the first damage found. Slow; any thread. */
int gm_store_check(struct gm_store *s, struct gm_err *err) GM_CHECKED;
/*
 * Writer thread: what is written between begin and commit is one transaction, on disk when commit returns. A call that
 * fails in between undoes only itself.
 */
int gm_store_begin(struct gm_store *s, struct gm_err *err) GM_CHECKED;
int gm_store_commit(struct gm_store *s, struct gm_err *err) GM_CHECKED;
void gm_store_rollback(struct gm_store *s);
/* Of a begin within another: undoes what came since the inner one. False when the failure has undone the outer one too. */
bool gm_store_undo(struct gm_store *s);

GM_DEFINE_AUTO(struct gm_store, gm_store_close)

#endif
