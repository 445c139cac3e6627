/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_STORE_STORE_INTERNAL_H
#define GM_ADAPTER_STORE_STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "adapter/store/gather.h"
#include "adapter/store/reader.h"
#include "adapter/store/rollup.h"
#include "adapter/store/rows.h"
#include "adapter/store/store.h"
#include "base/vec.h"
#include "core/alloc/alloc-store.h"
#include "core/auth/auth-store.h"
#include "core/fleet/fleet-store.h"

#define GM_MINUTES_5_MS INT64_C(300000)
#define GM_HOUR_MS INT64_C(3600000)
#define GM_DAY_MS INT64_C(86400000)
#define GM_SPAN_DAYS 32 /* of a row of one-day rollups */

static inline int64_t gm_key_of(int64_t span, uint32_t series)
{
	return span * (INT64_C(1) << 32) + (int64_t)series;
}

struct gm_run {
	int64_t id, hour;
};

/*
 * Where maintain() is. Nothing of it is needed after a crash: what was half done is found again in the tables and done
 * again, with the same result.
 */
struct gm_work {
	enum { GM_WORK_NONE, GM_WORK_LOAD, GM_WORK_SORT, GM_WORK_DROP_JOURNAL, GM_WORK_PACK, GM_WORK_DROP_RUNS } kind;
	struct gm_gather gather;
	int64_t journal_id;	    /* load, sort, drop: the last one taken */
	int64_t oldest_ms;	    /* load, sort, drop: no row taken is older; INT64_MAX in the other rounds */
	int64_t hour;		    /* pack */
	GM_VEC(struct gm_run) runs; /* sort: made in this round; pack, drop: those of the hour */
};

struct gm_store {
	struct gm_store_conf conf; /* every default filled in */
	char *path;
	int lock_fd;
	struct gm_fleet_store fleet;
	struct gm_auth_store auth;
	struct gm_alloc_store alloc;

	/* The writer's: */
	struct gm_reader writer;
	struct gm_rows_writer rows;
	struct gm_buf packed, raw;
	struct gm_rollup_row *rollups;
	GM_VEC(int64_t) column;
	struct gm_work work;
	struct {
		uint64_t rows, bytes, refused_old, refused_future;
	} pending;		  /* appended in a transaction that is still open */
	int64_t newest_ms;	  /* time of the newest sample; INT64_MIN: there is none */
	int64_t journal_first_ms; /* no row in the journal is older; INT64_MAX: it is empty */
	int64_t journal_since_ms; /* monotonic time of the oldest row's arrival */
	int64_t expired_ms;	  /* monotonic time of the last look for what is past its time */
	bool expire_more;
	int64_t sorted_for_hour; /* the journal was sorted before this hour was packed */

	/* Any thread's: */
	pthread_mutex_t mu;
	pthread_cond_t reader_idle;
	struct gm_reader *readers; /* conf.readers of them; db NULL: not open yet; guarded by mu, as the next two */
	struct gm_reader **idle;
	int idle_count;

	atomic_uint_fast64_t journal_bytes, appended_rows, refused_old_rows, refused_future_rows, packed_blocks,
		duplicate_rows, overfull_rows, damaged, expired_blobs;
};

static inline void gm_count(atomic_uint_fast64_t *counter, uint64_t n)
{
	(void)atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* A reader in a read transaction: all it sees is of one moment. Waits while all are busy. */
int gm_store_reader_take(struct gm_store *s, struct gm_reader **out, struct gm_err *err) GM_CHECKED;
void gm_store_reader_give(struct gm_store *s, struct gm_reader *take_reader);

/* The members of the ports; ctx is the store. */
int gm_store_load_series(void *ctx, int (*each)(void *each_ctx, const struct gm_series_def *def, struct gm_err *err),
			 void *each_ctx, struct gm_err *err);
int gm_store_save_series(void *ctx, const struct gm_series_def *defs, size_t count, struct gm_err *err);
int gm_store_append(void *ctx, const struct gm_sample_row *rows, size_t count, struct gm_err *err);
int gm_store_maintain(void *ctx, int64_t now_ms, bool *out_more, struct gm_err *err);
int gm_store_chart(void *ctx, uint32_t series, struct gm_chart *c, int64_t until_ms, enum gm_tier *out_tier,
		   struct gm_err *err);
void gm_store_auth_init(struct gm_store *s);
void gm_store_alloc_init(struct gm_store *s);

/* Adds a row to the chain of the audit log. */
int gm_store_add_audit(struct gm_db *db, const struct gm_audit *row, struct gm_err *err) GM_CHECKED;
/* Claims and the records that hold are one story. */
int gm_store_alloc_check(struct gm_db *db, struct gm_err *err) GM_CHECKED;

/* Packs the hour of a series that g->samples of the work's gather holds: block, five-minute rollups, day due. */
int gm_store_pack_hour(struct gm_store *s, uint32_t series, int64_t hour, struct gm_err *err) GM_CHECKED;
/* Makes the one-hour and one-day rollups of a series' day. */
int gm_store_roll_day(struct gm_store *s, uint32_t series, int64_t day, struct gm_err *err) GM_CHECKED;
/* Counts what was appended: it is on disk now. */
void gm_store_pending_count(struct gm_store *s);
/* Forgets a round of maintain() that failed. */
void gm_store_work_reset(struct gm_store *s);

#endif
