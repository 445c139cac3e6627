/* SPDX-License-Identifier: MIT */
#include "adapter/store/gather.h"

#include <stdlib.h>

#include "base/alloc.h"

struct gm_feed {
	uint32_t series; /* the next one it has something of */
	uint32_t rank;	 /* order of adding */
	bool table;
	struct gm_buf bytes; /* rows: unpacked; table: the blob of `series`, packed */
	struct gm_rows_reader rows;
	enum gm_sql next;
	int64_t key;
};

static void feed_free(struct gm_feed *f)
{
	if (!f)
		return;
	gm_buf_fini(&f->bytes);
	free(f);
}
GM_DEFINE_AUTO(struct gm_feed, feed_free)

void gm_gather_init(struct gm_gather *g, struct gm_reader *reader)
{
	*g = (struct gm_gather){ .reader = reader };
}

void gm_gather_fini(struct gm_gather *g)
{
	for (size_t i = 0; i < g->count; i++)
		feed_free(g->heap[i]);
	free(g->heap);
	gm_vec_fini(&g->samples);
	gm_vec_fini(&g->sorted);
	*g = (struct gm_gather){ 0 };
}

static bool before(const struct gm_feed *a, const struct gm_feed *b)
{
	return a->series != b->series ? a->series < b->series : a->rank < b->rank;
}

static void sift_down(struct gm_gather *g, size_t at)
{
	struct gm_feed *f = g->heap[at];

	for (size_t child; (child = 2 * at + 1) < g->count; at = child) {
		if (child + 1 < g->count && before(g->heap[child + 1], g->heap[child]))
			child++;
		if (!before(g->heap[child], f))
			break;
		g->heap[at] = g->heap[child];
	}
	g->heap[at] = f;
}

static void heap_add(struct gm_gather *g, struct gm_feed *take_feed)
{
	if (g->count == g->capacity)
		g->heap = gm_vec_grow(g->heap, &g->capacity, sizeof(struct gm_feed *), g->count + 1);
	size_t at = g->count++;
	for (; at > 0 && before(take_feed, g->heap[(at - 1) / 2]); at = (at - 1) / 2)
		g->heap[at] = g->heap[(at - 1) / 2];
	g->heap[at] = take_feed;
}

static void heap_drop_top(struct gm_gather *g)
{
	if (!g->heap[0]->table)
		g->bytes -= g->heap[0]->bytes.n;
	feed_free(g->heap[0]);
	g->heap[0] = g->heap[--g->count];
	if (g->count)
		sift_down(g, 0);
}

/* 1: at a row, 0: at the end. */
static int rows_step(struct gm_gather *g, struct gm_feed *f, struct gm_err *err)
{
	const int r = gm_rows_next(&f->rows, err);

	if (r < 0)
		return gm_reader_forgive(g->reader, r);
	f->series = f->rows.row.series;
	return r;
}

int gm_gather_add_rows(struct gm_gather *g, struct gm_str packed, struct gm_err *err)
{
	GM_AUTO(feed_free_p) struct gm_feed *f = gm_xalloc(sizeof(*f));
	int r = gm_unpack(g->reader->packer, packed, &f->bytes, err);

	if (!r)
		r = gm_rows_open(&f->rows, gm_buf_str(&f->bytes), err);
	if (r)
		return gm_reader_forgive(g->reader, r);
	f->rank = g->added++;
	r = rows_step(g, f, err);
	if (r != 1)
		return r;
	g->bytes += f->bytes.n;
	heap_add(g, gm_steal(&f));
	return 0;
}

/* Goes to the next series from `from` on. */
static int table_step(struct gm_gather *g, struct gm_feed *f, uint64_t from, struct gm_err *err)
{
	GM_AUTO(gm_statement_reset_p) sqlite3_stmt *st = NULL;

	if (from > UINT32_MAX)
		return 0;
	const int64_t range[] = { f->key << 32 | (int64_t)from, f->key << 32 | UINT32_MAX };
	const int r = gm_db_query(g->reader->db, f->next, range, 2, &st, err);
	if (r != 1)
		return r;
	f->series = (uint32_t)(sqlite3_column_int64(st, 1) & UINT32_MAX);
	gm_buf_reset(&f->bytes);
	gm_buf_add_str(&f->bytes, gm_db_column(st, 0));
	return f->bytes.failed ? gm_fail(err, GM_ERR_NO_MEMORY, "out of memory") : 1;
}

int gm_gather_add_table(struct gm_gather *g, enum gm_sql next, int64_t key, struct gm_err *err)
{
	GM_AUTO(feed_free_p) struct gm_feed *f = gm_xalloc(sizeof(*f));

	f->table = true;
	f->next = next;
	f->key = key;
	f->rank = g->added++;
	const int r = table_step(g, f, 0, err);
	if (r == 1)
		heap_add(g, gm_steal(&f));
	return r < 0 ? r : 0;
}

/* Takes what the feed has of its series and goes on. 1: it is at a later series, 0: at its end. */
static int take_table(struct gm_gather *g, struct gm_feed *f, struct gm_err *err)
{
	int r = gm_reader_unpack(g->reader, gm_buf_str(&f->bytes), err);

	if (r == 1)
		r = gm_reader_samples(g->reader, &g->samples, err);
	return r < 0 ? r : table_step(g, f, (uint64_t)f->series + 1, err);
}

static int take_rows(struct gm_gather *g, struct gm_feed *f, struct gm_err *err)
{
	const uint32_t series = f->series;
	int r = 1;

	while (r == 1 && f->series == series) {
		gm_vec_reserve(&g->samples, g->samples.count + 1);
		r = gm_rows_sample(&f->rows, &g->samples.items[g->samples.count], err);
		if (r)
			return gm_reader_forgive(g->reader, r);
		g->samples.count++;
		r = rows_step(g, f, err);
	}
	return r;
}

struct place {
	int64_t at_ms;
	size_t index;
};

static int place_cmp(const void *pa, const void *pb)
{
	const struct place *a = pa, *b = pb;

	if (a->at_ms != b->at_ms)
		return a->at_ms < b->at_ms ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

static bool rising(const gm_samples *s)
{
	for (size_t i = 1; i < s->count; i++) {
		if (s->items[i].at_ms <= s->items[i - 1].at_ms)
			return false;
	}
	return true;
}

static int put_in_order(struct gm_gather *g, struct gm_err *err)
{
	const size_t count = g->samples.count;

	if (rising(&g->samples))
		return 0;
	GM_AUTO(gm_free_p) struct place *places = gm_try_alloc(count * sizeof(*places));
	if (!places)
		return gm_fail(err, GM_ERR_NO_MEMORY, "out of memory for %zu samples", count);
	for (size_t i = 0; i < count; i++)
		places[i] = (struct place){ g->samples.items[i].at_ms, i };
	qsort(places, count, sizeof(*places), place_cmp);
	gm_vec_reset(&g->sorted);
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || places[i].at_ms != places[i - 1].at_ms)
			gm_vec_push(&g->sorted, g->samples.items[places[i].index]);
	}
	g->duplicates += count - g->sorted.count;
	const gm_samples other = g->samples;
	g->samples = g->sorted;
	g->sorted = other;
	return 0;
}

int gm_gather_next(struct gm_gather *g, uint32_t *out_series, struct gm_err *err)
{
	gm_vec_reset(&g->samples);
	if (g->count == 0)
		return 0;
	const uint32_t series = g->heap[0]->series;
	while (g->count && g->heap[0]->series == series) {
		struct gm_feed *f = g->heap[0];
		const int r = f->table ? take_table(g, f, err) : take_rows(g, f, err);
		if (r < 0)
			return r;
		if (r == 0)
			heap_drop_top(g);
		else
			sift_down(g, 0);
	}
	const int r = put_in_order(g, err);
	if (r)
		return r;
	*out_series = series;
	return 1;
}

int gm_gather_merge(struct gm_gather *g, struct gm_err *err)
{
	gm_samples later = g->samples;

	g->samples = g->sorted;
	g->sorted = (gm_samples){ 0 };
	gm_vec_reset(&g->samples);
	int r = gm_reader_samples(g->reader, &g->samples, err);
	for (size_t i = 0; i < later.count; i++)
		gm_vec_push(&g->samples, later.items[i]);
	g->sorted = later;
	const int ordered = r < 0 ? r : put_in_order(g, err);
	return ordered ? ordered : r;
}
