/* SPDX-License-Identifier: MIT */
#include "adapter/store/store-internal.h"

#include <stdlib.h>

#include "base/alloc.h"

/*
 * A blob a second or so is written and soon sorted away again: level 1 costs about a millisecond for ten thousand rows
 * and writes a third of the bytes.
 */
#define JOURNAL_LEVEL 1

static int row_cmp(const void *pa, const void *pb)
{
	const struct gm_sample_row *a = *(const struct gm_sample_row *const *)pa,
				   *b = *(const struct gm_sample_row *const *)pb;

	if (a->series != b->series)
		return a->series < b->series ? -1 : 1;
	if (a->sample.at_ms != b->sample.at_ms)
		return a->sample.at_ms < b->sample.at_ms ? -1 : 1;
	return a < b ? -1 : a > b; /* as they came: the first of two stays */
}

/* What one append brings to the journal. */
struct batch {
	const struct gm_sample_row **rows;
	size_t count, old, future;
	int64_t first_ms, last_ms;
	uint64_t bytes;
};

static void choose(struct gm_store *s, const struct gm_sample_row *rows, size_t count, struct batch *b)
{
	const int64_t now = gm_wall_ms(s->conf.clock);
	/* A clock set forward must not make what comes now too old. */
	const int64_t base = s->newest_ms != INT64_MIN && s->newest_ms < now ? s->newest_ms : now;
	bool sorted = true;

	b->first_ms = INT64_MAX;
	b->last_ms = INT64_MIN;
	for (size_t i = 0; i < count; i++) {
		const int64_t at = rows[i].sample.at_ms;
		if (at < base - s->conf.retention_ms || at < 0) {
			b->old++;
			continue;
		}
		if (at > now + GM_DAY_MS) {
			b->future++;
			continue;
		}
		b->first_ms = at < b->first_ms ? at : b->first_ms;
		b->last_ms = at > b->last_ms ? at : b->last_ms;
		b->rows[b->count++] = &rows[i];
		sorted = sorted && (b->count < 2 || row_cmp(&b->rows[b->count - 2], &b->rows[b->count - 1]) < 0);
	}
	if (!sorted)
		qsort(b->rows, b->count, sizeof(const struct gm_sample_row *), row_cmp);
}

static int add_blob(struct gm_store *s, const struct gm_sample_row *const *rows, size_t count, uint64_t *bytes,
		    struct gm_err *err)
{
	struct gm_db *db = s->writer.db;
	sqlite3_stmt *st = NULL;
	int64_t first_ms = rows[0]->sample.at_ms, last_ms = first_ms;

	gm_rows_begin(&s->rows);
	for (size_t i = 0; i < count; i++) {
		first_ms = rows[i]->sample.at_ms < first_ms ? rows[i]->sample.at_ms : first_ms;
		last_ms = rows[i]->sample.at_ms > last_ms ? rows[i]->sample.at_ms : last_ms;
		gm_rows_add(&s->rows, rows[i]);
	}
	if (s->rows.buf.failed)
		return gm_fail(err, GM_ERR_NO_MEMORY, "out of memory for %zu rows", count);
	int r = gm_pack(s->writer.packer, JOURNAL_LEVEL, gm_buf_str(&s->rows.buf), &s->packed, err);
	if (!r)
		r = gm_db_statement(db, GM_SQL_JOURNAL_ADD, &st, err);
	if (r)
		return r;
	const int64_t numbers[] = { first_ms, last_ms, rows[0]->series, rows[count - 1]->series };
	for (size_t i = 0; i < GM_LEN(numbers); i++)
		(void)sqlite3_bind_int64(st, (int)i + 1, numbers[i]);
	gm_db_bind_blob(st, GM_LEN(numbers) + 1, s->packed.p, s->packed.n);
	r = gm_db_step(db, st, err);
	*bytes += s->rows.buf.n;
	return r < 0 ? r : 0;
}

static int add_batch(struct gm_store *s, struct batch *b, struct gm_err *err)
{
	int r = gm_db_begin(s->writer.db, err);

	if (r)
		return r;
	for (size_t at = 0; !r && at < b->count;) {
		const size_t left = b->count - at, n = left < s->conf.batch_rows ? left : s->conf.batch_rows;
		r = add_blob(s, b->rows + at, n, &b->bytes, err);
		at += n;
	}
	return gm_db_end(s->writer.db, r, err);
}

int gm_store_append(void *ctx, const struct gm_sample_row *rows, size_t count, struct gm_err *err)
{
	struct gm_store *s = ctx;
	struct batch b = { 0 };
	size_t size = 0;

	if (count == 0)
		return 0;
	if (!gm_mul_ok(count, sizeof(const struct gm_sample_row *), &size))
		return gm_fail(err, GM_ERR_TOO_LARGE, "%zu rows are too many", count);
	GM_AUTO(gm_free_p) const struct gm_sample_row **order = gm_try_alloc(size);
	if (!order)
		return gm_fail(err, GM_ERR_NO_MEMORY, "out of memory for %zu rows", count);
	b.rows = order;
	choose(s, rows, count, &b);
	if (b.count) {
		const int r = add_batch(s, &b, err);
		if (r)
			return r;
		if (s->journal_first_ms == INT64_MAX)
			s->journal_since_ms = gm_mono_ms(s->conf.clock);
		s->journal_first_ms = b.first_ms < s->journal_first_ms ? b.first_ms : s->journal_first_ms;
		s->newest_ms = b.last_ms > s->newest_ms ? b.last_ms : s->newest_ms;
	}
	s->pending.refused_old += b.old;
	s->pending.refused_future += b.future;
	s->pending.rows += b.count;
	s->pending.bytes += b.bytes;
	if (s->writer.db->depth == 0)
		gm_store_pending_count(s);
	return 0;
}
