/* SPDX-License-Identifier: MIT */
#include "adapter/store/store-internal.h"

#include "core/fleet/block.h"

/* Parts live for an hour: what zstd gains beyond level 1 is not worth its time there. */
#define PART_LEVEL 1
#define RUNS_A_ROUND 64
#define JOURNAL_A_STEP 200
#define PARTS_A_STEP 2000
#define EXPIRE_A_STEP 500
#define EXPIRE_EVERY_MS 60000

static bool time_left(const struct gm_store *s, int64_t begin_ms)
{
	return gm_mono_ms(s->conf.clock) - begin_ms < s->conf.step_ms;
}

void gm_store_work_reset(struct gm_store *s)
{
	struct gm_work *w = &s->work;

	gm_gather_fini(&w->gather);
	gm_vec_fini(&w->runs);
	*w = (struct gm_work){ .oldest_ms = INT64_MAX };
}

static int load_begin(struct gm_store *s)
{
	struct gm_work *w = &s->work;

	gm_gather_init(&w->gather, &s->writer);
	w->kind = GM_WORK_LOAD;
	w->oldest_ms = s->journal_first_ms;
	s->journal_first_ms = INT64_MAX;
	return 0;
}

static void load_end(struct gm_store *s, bool all)
{
	const uint64_t held = s->work.gather.bytes, counted = atomic_load(&s->journal_bytes);

	(void)atomic_fetch_sub(&s->journal_bytes, held < counted ? held : counted);
	if (all)
		s->journal_since_ms = gm_mono_ms(s->conf.clock);
	else if (s->work.oldest_ms < s->journal_first_ms)
		s->journal_first_ms = s->work.oldest_ms;
	s->work.kind = GM_WORK_SORT;
}

static int load_step(struct gm_store *s, int64_t begin_ms, struct gm_err *err)
{
	struct gm_work *w = &s->work;

	while (time_left(s, begin_ms)) {
		GM_AUTO(gm_statement_reset_p) sqlite3_stmt *st = NULL;
		int r = gm_db_query(s->writer.db, GM_SQL_JOURNAL_NEXT, &w->journal_id, 1, &st, err);
		if (r < 0)
			return r;
		if (r == 0 || w->gather.bytes >= s->conf.sort_after_bytes) {
			load_end(s, r == 0);
			return 0;
		}
		w->journal_id = sqlite3_column_int64(st, 1);
		r = gm_gather_add_rows(&w->gather, gm_db_column(st, 0), err);
		if (r)
			return r;
	}
	return 0;
}

static int run_of_hour(struct gm_store *s, int64_t hour, int64_t *out_run, struct gm_err *err)
{
	gm_vec_each (&s->work.runs, run) {
		if (run->hour == hour) {
			*out_run = run->id;
			return 0;
		}
	}
	const int r = gm_db_change(s->writer.db, GM_SQL_RUN_ADD, &hour, 1, NULL, err);
	if (r)
		return r;
	*out_run = sqlite3_last_insert_rowid(s->writer.db->handle);
	const struct gm_run made = { .id = *out_run, .hour = hour };
	gm_vec_push(&s->work.runs, made);
	return 0;
}

static int add_part(struct gm_store *s, uint32_t series, const struct gm_sample *samples, size_t count,
		    struct gm_err *err)
{
	int64_t run = 0;
	int r = run_of_hour(s, samples[0].at_ms / GM_HOUR_MS, &run, err);

	gm_buf_reset(&s->raw);
	if (!r)
		r = gm_block_encode(samples, count, &s->raw, err);
	if (!r)
		r = gm_pack(s->writer.packer, PART_LEVEL, gm_buf_str(&s->raw), &s->packed, err);
	if (!r)
		r = gm_db_put(s->writer.db, GM_SQL_PART_ADD, gm_key_of(run, series), gm_buf_str(&s->packed), err);
	return r;
}

static int add_parts(struct gm_store *s, uint32_t series, struct gm_err *err)
{
	const gm_samples *all = &s->work.gather.samples;
	int r = 0;

	for (size_t begin = 0, end = 0; !r && begin < all->count; begin = end) {
		const int64_t hour = all->items[begin].at_ms / GM_HOUR_MS;
		while (end < all->count && all->items[end].at_ms / GM_HOUR_MS == hour)
			end++;
		size_t count = end - begin;
		if (count > GM_BLOCK_SAMPLES_MAX) {
			gm_count(&s->overfull_rows, count - GM_BLOCK_SAMPLES_MAX);
			count = GM_BLOCK_SAMPLES_MAX;
		}
		r = add_part(s, series, &all->items[begin], count, err);
	}
	return r;
}

static int merge_and_pack(struct gm_store *s, uint32_t series, struct gm_err *err)
{
	const int64_t hour = s->work.hour;
	int r = gm_reader_get(&s->writer, GM_SQL_BLOCK_GET, gm_key_of(hour, series), err);

	if (r == 1)
		r = gm_gather_merge(&s->work.gather, err);
	return r < 0 ? r : gm_store_pack_hour(s, series, hour, err);
}

/* Series after series while there is time, in one transaction. */
static int series_step(struct gm_store *s, int64_t begin_ms,
		       int (*each)(struct gm_store *s, uint32_t series, struct gm_err *err), bool *out_done,
		       struct gm_err *err)
{
	struct gm_gather *g = &s->work.gather;
	uint32_t series = 0;
	int more = 1, r = gm_db_begin(s->writer.db, err);

	if (r)
		return r;
	while (!r && more == 1 && time_left(s, begin_ms)) {
		more = gm_gather_next(g, &series, err);
		if (more < 0)
			r = more;
		else if (more == 1 && g->samples.count)
			r = each(s, series, err);
	}
	*out_done = more == 0;
	return gm_db_end(s->writer.db, r, err);
}

static int sort_step(struct gm_store *s, int64_t begin_ms, struct gm_err *err)
{
	bool done = false;
	const int r = series_step(s, begin_ms, add_parts, &done, err);

	if (!r && done) {
		gm_count(&s->duplicate_rows, s->work.gather.duplicates);
		gm_gather_fini(&s->work.gather);
		s->work.kind = GM_WORK_DROP_JOURNAL;
	}
	return r;
}

static int drop_journal_step(struct gm_store *s, struct gm_err *err)
{
	int changes = 0;
	const int64_t args[] = { s->work.journal_id, JOURNAL_A_STEP };
	const int r = gm_db_change(s->writer.db, GM_SQL_JOURNAL_DELETE, args, 2, &changes, err);

	if (!r && changes < JOURNAL_A_STEP)
		gm_store_work_reset(s);
	return r;
}

static int pack_begin(struct gm_store *s, int64_t hour, struct gm_err *err)
{
	struct gm_work *w = &s->work;
	const int64_t range[] = { hour, hour };

	gm_gather_init(&w->gather, &s->writer);
	w->kind = GM_WORK_PACK;
	w->hour = hour;
	GM_AUTO(gm_statement_reset_p) sqlite3_stmt *st = NULL;
	int r = gm_db_query(s->writer.db, GM_SQL_RUN_LIST, range, 2, &st, err);
	while (r == 1 && w->runs.count < RUNS_A_ROUND) {
		const struct gm_run run = { .id = sqlite3_column_int64(st, 0), .hour = hour };
		gm_vec_push(&w->runs, run);
		r = gm_gather_add_table(&w->gather, GM_SQL_PART_NEXT, run.id, err);
		if (!r)
			r = gm_db_step(s->writer.db, st, err);
	}
	return r < 0 ? r : 0;
}

static int pack_step(struct gm_store *s, int64_t begin_ms, struct gm_err *err)
{
	bool done = false;
	const int r = series_step(s, begin_ms, merge_and_pack, &done, err);

	if (!r && done) {
		gm_count(&s->duplicate_rows, s->work.gather.duplicates);
		gm_gather_fini(&s->work.gather);
		s->work.kind = GM_WORK_DROP_RUNS;
	}
	return r;
}

static int drop_run(struct gm_store *s, int64_t run, bool *out_gone, struct gm_err *err)
{
	int changes = 0;
	const int64_t args[] = { run << 32, run << 32 | UINT32_MAX, PARTS_A_STEP };
	int r = gm_db_begin(s->writer.db, err);

	if (r)
		return r;
	r = gm_db_change(s->writer.db, GM_SQL_PART_DELETE, args, 3, &changes, err);
	if (!r && changes < PARTS_A_STEP)
		r = gm_db_change(s->writer.db, GM_SQL_RUN_DELETE, &run, 1, NULL, err);
	r = gm_db_end(s->writer.db, r, err);
	*out_gone = !r && changes < PARTS_A_STEP;
	return r;
}

static int drop_runs_step(struct gm_store *s, struct gm_err *err)
{
	struct gm_work *w = &s->work;
	bool gone = false;

	if (w->runs.count == 0) {
		gm_store_work_reset(s);
		return 0;
	}
	const int r = drop_run(s, w->runs.items[w->runs.count - 1].id, &gone, err);
	if (gone && --w->runs.count == 0)
		gm_store_work_reset(s);
	return r;
}

static int days_step(struct gm_store *s, int64_t now_ms, int64_t begin_ms, bool *out_any, struct gm_err *err)
{
	int64_t id = 0;
	int r = gm_db_begin(s->writer.db, err), there = 0;

	if (r)
		return r;
	while (!r && time_left(s, begin_ms)) {
		there = gm_db_value(s->writer.db, GM_SQL_DUE_FIRST, NULL, 0, &id, err);
		if (there != 1 || ((id >> 32) + 1) * GM_DAY_MS + s->conf.grace_ms > now_ms)
			break;
		r = gm_store_roll_day(s, (uint32_t)(id & UINT32_MAX), id >> 32, err);
		if (!r)
			r = gm_db_change(s->writer.db, GM_SQL_DUE_DELETE, &id, 1, NULL, err);
		*out_any = true;
	}
	return gm_db_end(s->writer.db, there < 0 ? there : r, err);
}

/* Deletes a few of what is past its time. Each kind counts from the newest sample, or from now if that is earlier. */
static int expire_step(struct gm_store *s, int64_t now_ms, struct gm_err *err)
{
	const int64_t base = s->newest_ms != INT64_MIN && s->newest_ms < now_ms ? s->newest_ms : now_ms;
	const struct {
		enum gm_sql sql;
		int64_t keep_ms, span_ms;
		int shift;
	} kinds[] = {
		{ GM_SQL_BLOCK_EXPIRE, s->conf.retention_ms, GM_HOUR_MS, 32 },
		{ GM_SQL_ROLLUP_5M_EXPIRE, s->conf.retention_5m_ms, GM_HOUR_MS, 32 },
		{ GM_SQL_ROLLUP_1H_EXPIRE, s->conf.retention_1h_ms, GM_DAY_MS, 32 },
		{ GM_SQL_ROLLUP_1D_EXPIRE, s->conf.retention_1d_ms, GM_SPAN_DAYS * GM_DAY_MS, 32 },
		{ GM_SQL_REFUSED_EXPIRE, s->conf.retention_5m_ms, 1, 0 },
		{ GM_SQL_ONCE_EXPIRE, GM_ALLOC_ONCE_KEEP_MS, 1, 0 },
	};
	bool more = false;
	int r = gm_db_begin(s->writer.db, err);

	if (r)
		return r;
	for (size_t i = 0; !r && i < GM_LEN(kinds); i++) {
		int changes = 0;
		const int64_t before = base - kinds[i].keep_ms;
		if (kinds[i].keep_ms == 0 || before <= 0)
			continue;
		const int64_t args[] = { before / kinds[i].span_ms << kinds[i].shift, EXPIRE_A_STEP };
		r = gm_db_change(s->writer.db, kinds[i].sql, args, 2, &changes, err);
		gm_count(&s->expired_blobs, (uint64_t)changes);
		more = more || changes == EXPIRE_A_STEP;
	}
	r = gm_db_end(s->writer.db, r, err);
	s->expire_more = !r && more;
	s->expired_ms = gm_mono_ms(s->conf.clock);
	return r;
}

static bool journal_due(const struct gm_store *s)
{
	return s->journal_first_ms != INT64_MAX &&
	       (gm_mono_ms(s->conf.clock) - s->journal_since_ms >= s->conf.sort_after_ms ||
		atomic_load(&s->journal_bytes) >= s->conf.sort_after_bytes);
}

/* Starts the next round, if there is something to do. */
static int choose(struct gm_store *s, int64_t now_ms, struct gm_err *err)
{
	int64_t hour = 0;

	if (journal_due(s))
		return load_begin(s);
	const int r = gm_db_value(s->writer.db, GM_SQL_RUN_FIRST_HOUR, NULL, 0, &hour, err);
	if (r != 1)
		return r;
	const int64_t end_ms = (hour + 1) * GM_HOUR_MS;
	if (end_ms + s->conf.grace_ms > now_ms)
		return 0;
	/* What the journal still has of the hour would make its blocks be written twice. */
	if (s->journal_first_ms < end_ms && s->sorted_for_hour != hour) {
		s->sorted_for_hour = hour;
		return load_begin(s);
	}
	return pack_begin(s, hour, err);
}

static int step(struct gm_store *s, int64_t now_ms, bool *out_more, struct gm_err *err)
{
	const int64_t begin_ms = gm_mono_ms(s->conf.clock);
	bool any = false;
	int r = 0;

	*out_more = true;
	if (s->writer.db->wal_pages - s->writer.db->wal_done >= s->conf.checkpoint_pages)
		return gm_db_checkpoint(s->writer.db, err);
	if (s->work.kind == GM_WORK_NONE)
		r = choose(s, now_ms, err);
	if (r)
		return r;
	switch (s->work.kind) {
	case GM_WORK_LOAD:
		return load_step(s, begin_ms, err);
	case GM_WORK_SORT:
		return sort_step(s, begin_ms, err);
	case GM_WORK_DROP_JOURNAL:
		return drop_journal_step(s, err);
	case GM_WORK_PACK:
		return pack_step(s, begin_ms, err);
	case GM_WORK_DROP_RUNS:
		return drop_runs_step(s, err);
	case GM_WORK_NONE:
		break;
	}
	r = days_step(s, now_ms, begin_ms, &any, err);
	if (r || any)
		return r;
	if (s->expire_more || begin_ms - s->expired_ms >= EXPIRE_EVERY_MS)
		r = expire_step(s, now_ms, err);
	*out_more = s->expire_more;
	return r;
}

int gm_store_maintain(void *ctx, int64_t now_ms, bool *out_more, struct gm_err *err)
{
	struct gm_store *s = ctx;
	bool more = false;
	const int r = step(s, now_ms, &more, err);

	if (r) {
		/* Also the way back for a round whose rows of the journal were taken but not written. */
		if (s->work.oldest_ms < s->journal_first_ms)
			s->journal_first_ms = s->work.oldest_ms;
		gm_store_work_reset(s);
		return r;
	}
	*out_more = more;
	return 0;
}
