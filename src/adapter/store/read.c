/* SPDX-License-Identifier: MIT */
#include "adapter/store/store-internal.h"

#include <stdlib.h>

#include "core/fleet/block.h"

/* One value of the field in time; `there`: the sample has the field. */
struct point {
	int64_t at_ms, value;
	uint32_t order; /* of its place: of two with the same time the lower one counts */
	bool there;
};

struct filling {
	struct gm_reader *reader;
	struct gm_chart *chart;
	uint32_t series;
	enum gm_tier tier;
	int64_t from_ms, until_ms;
	int64_t pending_day; /* days before it have their rollups, unless they are empty */
	GM_VEC(struct gm_run) runs;
	GM_VEC(struct point) points;  /* of the hour at hand */
	GM_VEC(struct point) journal; /* of the whole range, in rising time */
	size_t journal_at;
};

static void filling_fini(struct filling *f)
{
	gm_vec_fini(&f->runs);
	gm_vec_fini(&f->points);
	gm_vec_fini(&f->journal);
}
GM_DEFINE_AUTO_VALUE(struct filling, filling_fini)

static int point_cmp(const void *pa, const void *pb)
{
	const struct point *a = pa, *b = pb;

	if (a->at_ms != b->at_ms)
		return a->at_ms < b->at_ms ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static int scan_rows(struct filling *f, struct gm_err *err)
{
	struct gm_rows_reader rows;
	int r = gm_rows_open(&rows, gm_buf_str(&f->reader->raw), err);

	if (!r)
		r = gm_rows_next(&rows, err);
	for (; r == 1 && rows.row.series <= f->series; r = gm_rows_next(&rows, err)) {
		struct point p = { .at_ms = rows.row.at_ms, .order = (uint32_t)f->journal.count };
		if (rows.row.series < f->series || p.at_ms < f->from_ms || p.at_ms >= f->until_ms)
			continue;
		r = gm_rows_value(&rows, f->chart->field, &p.value, err);
		if (r < 0)
			break;
		p.there = r == 1;
		gm_vec_push(&f->journal, p);
	}
	return r < 0 ? gm_reader_forgive(f->reader, r) : 0;
}

static int read_journal(struct filling *f, struct gm_err *err)
{
	GM_AUTO(gm_statement_reset_p) sqlite3_stmt *st = NULL;
	const int64_t args[] = { f->from_ms, f->until_ms, f->series };
	int r = gm_db_query(f->reader->db, GM_SQL_JOURNAL_RANGE, args, 3, &st, err);

	while (r == 1) {
		r = gm_reader_unpack(f->reader, gm_db_column(st, 0), err);
		if (r == 1)
			r = scan_rows(f, err);
		if (r >= 0)
			r = gm_db_step(f->reader->db, st, err);
	}
	if (f->journal.count > 1)
		qsort(f->journal.items, f->journal.count, sizeof(*f->journal.items), point_cmp);
	return r;
}

static int read_runs(struct filling *f, struct gm_err *err)
{
	GM_AUTO(gm_statement_reset_p) sqlite3_stmt *st = NULL;
	const int64_t range[] = { f->from_ms / GM_HOUR_MS, (f->until_ms - 1) / GM_HOUR_MS };
	int r = gm_db_query(f->reader->db, GM_SQL_RUN_LIST, range, 2, &st, err);

	while (r == 1) {
		const struct gm_run run = { .id = sqlite3_column_int64(st, 0), .hour = sqlite3_column_int64(st, 1) };
		gm_vec_push(&f->runs, run);
		r = gm_db_step(f->reader->db, st, err);
	}
	return r;
}

/*
 * Ends the range where the data do, which may be ahead of the clock when that was set back: the way to the year 9999 is a
 * long one, hour by hour.
 */
static int cut_range(struct filling *f, int64_t now_ms, struct gm_err *err)
{
	static const struct {
		enum gm_sql sql;
		int shift;
		int64_t unit_ms;
	} kinds[] = {
		{ GM_SQL_BLOCK_LAST, 32, GM_HOUR_MS },
		{ GM_SQL_RUN_LAST_HOUR, 0, GM_HOUR_MS },
		{ GM_SQL_JOURNAL_NEWEST, 0, 1 },
	};
	int64_t end_ms = now_ms + GM_HOUR_MS;

	for (size_t i = 0; i < GM_LEN(kinds); i++) {
		int64_t v = 0;
		const int r = gm_db_value(f->reader->db, kinds[i].sql, NULL, 0, &v, err);
		if (r < 0)
			return r;
		v = ((v >> kinds[i].shift) + 1) * kinds[i].unit_ms;
		if (r == 1 && v > end_ms)
			end_ms = v;
	}
	f->until_ms = f->until_ms < end_ms ? f->until_ms : end_ms;
	return 0;
}

static int find_pending_day(struct filling *f, struct gm_err *err)
{
	static const struct {
		enum gm_sql sql;
		int64_t a_day; /* what the value has to be divided by to be a day */
	} kinds[] = {
		{ GM_SQL_DUE_FIRST, INT64_C(1) << 32 },
		{ GM_SQL_RUN_FIRST_HOUR, GM_DAY_MS / GM_HOUR_MS },
		{ GM_SQL_JOURNAL_OLDEST, GM_DAY_MS },
	};

	f->pending_day = INT64_MAX;
	for (size_t i = 0; i < GM_LEN(kinds); i++) {
		int64_t v = 0;
		const int r = gm_db_value(f->reader->db, kinds[i].sql, NULL, 0, &v, err);
		if (r < 0)
			return r;
		if (r == 1 && v / kinds[i].a_day < f->pending_day)
			f->pending_day = v / kinds[i].a_day;
	}
	return 0;
}

/* The block in reader->raw, added to f->points or, when it is all there is of the hour, straight to the chart. */
static int add_block(struct filling *f, bool alone, uint32_t order, struct gm_err *err)
{
	const struct gm_reader *reader = f->reader;
	const struct gm_str block = gm_buf_str(&reader->raw);
	struct gm_block_info info;
	int r = gm_block_info(block, &info, err);

	if (!r && info.count > GM_BLOCK_SAMPLES_MAX)
		r = gm_fail(err, GM_ERR_CORRUPT, "a block has %zu samples", info.count);
	const bool has = !r && (info.fields >> f->chart->field & 1) != 0;
	if (!r && (has || !alone))
		r = gm_block_times(block, reader->times, err);
	if (!r && has)
		r = gm_block_column(block, f->chart->field, reader->values, reader->present, err);
	for (size_t i = 0; !r && (has || !alone) && i < info.count; i++) {
		const struct point p = { .at_ms = reader->times[i],
					 .value = has ? reader->values[i] : 0,
					 .order = order,
					 .there = has && (reader->present[i / 64] >> (i % 64) & 1) != 0 };
		if (p.at_ms < f->from_ms || p.at_ms >= f->until_ms)
			continue;
		if (!alone)
			gm_vec_push(&f->points, p);
		else if (p.there)
			gm_chart_add(f->chart, p.at_ms, p.value);
	}
	return gm_reader_forgive(f->reader, r);
}

/* Places are numbered block, runs, journal: the order in which a sample that is there twice was written. */
static int add_runs(struct filling *f, int64_t hour, struct gm_err *err)
{
	for (size_t i = 0; i < f->runs.count; i++) {
		if (f->runs.items[i].hour != hour)
			continue;
		int r = gm_reader_get(f->reader, GM_SQL_PART_GET, gm_key_of(f->runs.items[i].id, f->series), err);
		if (r == 1)
			r = add_block(f, false, (uint32_t)i + 1, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static void add_journal(struct filling *f, int64_t hour)
{
	while (f->journal_at < f->journal.count && f->journal.items[f->journal_at].at_ms / GM_HOUR_MS < hour)
		f->journal_at++;
	for (; f->journal_at < f->journal.count; f->journal_at++) {
		struct point p = f->journal.items[f->journal_at];
		if (p.at_ms / GM_HOUR_MS != hour)
			break;
		p.order += (uint32_t)f->runs.count + 1;
		gm_vec_push(&f->points, p);
	}
}

static bool hour_is_packed(const struct filling *f, int64_t hour)
{
	for (size_t i = 0; i < f->runs.count; i++) {
		if (f->runs.items[i].hour == hour)
			return false;
	}
	for (size_t i = f->journal_at; i < f->journal.count; i++) {
		if (f->journal.items[i].at_ms / GM_HOUR_MS >= hour)
			return f->journal.items[i].at_ms / GM_HOUR_MS > hour;
	}
	return true;
}

static int fill_hour(struct filling *f, int64_t hour, struct gm_err *err)
{
	const bool packed = hour_is_packed(f, hour);
	int r = gm_reader_get(f->reader, GM_SQL_BLOCK_GET, gm_key_of(hour, f->series), err);

	gm_vec_reset(&f->points);
	if (r == 1)
		r = add_block(f, packed, 0, err);
	if (r < 0 || packed)
		return r;
	r = add_runs(f, hour, err);
	if (r)
		return r;
	add_journal(f, hour);
	if (f->points.count > 1)
		qsort(f->points.items, f->points.count, sizeof(*f->points.items), point_cmp);
	for (size_t i = 0; i < f->points.count; i++) {
		const struct point *p = &f->points.items[i];
		if (p->there && (i == 0 || p[-1].at_ms != p->at_ms))
			gm_chart_add(f->chart, p->at_ms, p->value);
	}
	return 0;
}

/* Adds the slots of a row that begin in the range. 1: the row is there. */
static int fill_rollups(struct filling *f, enum gm_sql sql, int64_t span, int64_t begin_ms, int64_t slot_ms,
			struct gm_err *err)
{
	struct gm_rollup slots[GM_ROLLUP_SLOTS_MAX];
	int r = gm_reader_get(f->reader, sql, gm_key_of(span, f->series), err);

	if (r != 1)
		return r;
	r = gm_rollup_column(gm_buf_str(&f->reader->raw), f->chart->field, slots, err);
	if (r)
		return gm_reader_forgive(f->reader, r);
	for (int i = 0; i < GM_ROLLUP_SLOTS_MAX; i++) {
		const int64_t at = begin_ms + i * slot_ms;
		if (slots[i].count && at >= f->from_ms && at + slot_ms <= f->until_ms)
			gm_chart_add_rollup(f->chart, at, slots[i].min, slots[i].avg, slots[i].max, slots[i].count);
	}
	return 1;
}

static int fill_hours(struct filling *f, int64_t from_ms, int64_t until_ms, struct gm_err *err)
{
	int r = 0;

	for (int64_t h = from_ms / GM_HOUR_MS; r >= 0 && h * GM_HOUR_MS < until_ms; h++) {
		const int64_t begin = h * GM_HOUR_MS;
		r = 0;
		/* An hour that is cut short is read at full resolution: what lies behind until_ms is not ours to add. */
		if (f->tier >= GM_TIER_5M && begin + GM_HOUR_MS <= f->until_ms)
			r = fill_rollups(f, GM_SQL_ROLLUP_5M_GET, h, begin, GM_MINUTES_5_MS, err);
		if (r == 0)
			r = fill_hour(f, h, err);
	}
	return r < 0 ? r : 0;
}

static int fill_days(struct filling *f, struct gm_err *err)
{
	int r = 0;

	for (int64_t d = f->from_ms / GM_DAY_MS; r >= 0 && d * GM_DAY_MS < f->until_ms; d++) {
		const int64_t begin = d * GM_DAY_MS, end = begin + GM_DAY_MS;
		r = 0;
		if (end <= f->until_ms)
			r = fill_rollups(f, GM_SQL_ROLLUP_1H_GET, d, begin, GM_HOUR_MS, err);
		if (r == 0 && (d >= f->pending_day || end > f->until_ms))
			r = fill_hours(f, begin > f->from_ms ? begin : f->from_ms,
				       end < f->until_ms ? end : f->until_ms, err);
	}
	return r < 0 ? r : 0;
}

/* One segment of a range; the others are left as they are. */
static int fill_segment(struct filling *f, int64_t from_ms, int64_t until_ms,
			int (*with)(struct filling *f, struct gm_err *err), struct gm_err *err)
{
	const int64_t all_from = f->from_ms, all_until = f->until_ms;

	if (from_ms >= until_ms)
		return 0;
	f->from_ms = from_ms;
	f->until_ms = until_ms;
	const int r = with(f, err);
	f->from_ms = all_from;
	f->until_ms = all_until;
	return r;
}

static int fill_spans(struct filling *f, struct gm_err *err)
{
	const int64_t span_ms = GM_SPAN_DAYS * GM_DAY_MS;
	int r = 0;

	for (int64_t p = f->from_ms / span_ms; r >= 0 && p * span_ms < f->until_ms; p++)
		r = fill_rollups(f, GM_SQL_ROLLUP_1D_GET, p, p * span_ms, GM_DAY_MS, err);
	return r < 0 ? r : 0;
}

/* Whole days that are rolled up come from rows of days, what is cut short or not rolled up yet by hours. */
static int fill_all_days(struct filling *f, struct gm_err *err)
{
	int64_t begin_day = (f->from_ms + GM_DAY_MS - 1) / GM_DAY_MS, end_day = f->until_ms / GM_DAY_MS;

	end_day = f->pending_day < end_day ? f->pending_day : end_day;
	if (begin_day >= end_day)
		return fill_days(f, err);
	int r = fill_segment(f, f->from_ms, begin_day * GM_DAY_MS, fill_days, err);
	if (!r)
		r = fill_segment(f, begin_day * GM_DAY_MS, end_day * GM_DAY_MS, fill_spans, err);
	return r ? r : fill_segment(f, end_day * GM_DAY_MS, f->until_ms, fill_days, err);
}

static int64_t tier_keep_ms(const struct gm_store *s, enum gm_tier t)
{
	switch (t) {
	case GM_TIER_MEMORY:
	case GM_TIER_RAW:
		return s->conf.retention_ms;
	case GM_TIER_5M:
		return s->conf.retention_5m_ms;
	case GM_TIER_1H:
		return s->conf.retention_1h_ms;
	case GM_TIER_1D:
		return s->conf.retention_1d_ms;
	}
	return 0;
}

/* The coarsest whose slots make up the chart's buckets exactly; a coarser one where that one no longer reaches. */
static enum gm_tier best_tier(const struct gm_store *s, const struct gm_chart *c)
{
	static const int64_t slot_ms[] = {
		[GM_TIER_5M] = GM_MINUTES_5_MS, [GM_TIER_1H] = GM_HOUR_MS, [GM_TIER_1D] = GM_DAY_MS
	};
	enum gm_tier t = GM_TIER_1D;

	while (t > GM_TIER_RAW && c->step_ms % slot_ms[t] != 0)
		t--;
	const int64_t age_ms = gm_wall_ms(s->conf.clock) - c->from_ms;
	while (t < GM_TIER_1D && tier_keep_ms(s, t) && age_ms > tier_keep_ms(s, t) + GM_HOUR_MS)
		t++;
	return t;
}

static int fill(struct filling *f, struct gm_err *err)
{
	int r = read_journal(f, err);

	if (!r)
		r = read_runs(f, err);
	if (!r)
		r = find_pending_day(f, err);
	if (r)
		return r;
	switch (f->tier) {
	case GM_TIER_MEMORY:
	case GM_TIER_RAW:
	case GM_TIER_5M:
		return fill_hours(f, f->from_ms, f->until_ms, err);
	case GM_TIER_1H:
		return fill_days(f, err);
	case GM_TIER_1D:
		return fill_all_days(f, err);
	}
	return 0;
}

int gm_store_chart(void *ctx, uint32_t series, struct gm_chart *c, int64_t until_ms, enum gm_tier *out_tier,
		   struct gm_err *err)
{
	struct gm_store *s = ctx;
	GM_AUTO(filling_fini_p)
	struct filling f = {
		.chart = c,
		.series = series,
		.tier = best_tier(s, c),
		.from_ms = c->from_ms > 0 ? c->from_ms : 0,
		.until_ms = until_ms < c->to_ms ? until_ms : c->to_ms,
	};

	if (f.until_ms > f.from_ms) {
		int r = gm_store_reader_take(s, &f.reader, err);
		if (r)
			return r;
		r = cut_range(&f, gm_wall_ms(s->conf.clock), err);
		if (!r)
			r = fill(&f, err);
		gm_store_reader_give(s, f.reader);
		if (r)
			return r;
	}
	*out_tier = f.tier;
	return 0;
}

/* In the order in which a sample that is there twice was written: blocks, runs, journal. */
static int add_since(struct gm_reader *reader, struct gm_gather *g, int64_t from_ms, struct gm_err *err)
{
	const int64_t first = from_ms / GM_HOUR_MS, range[] = { first, INT64_MAX };
	int64_t last_id = 0;
	sqlite3_stmt *st = NULL;
	int r = gm_db_value(reader->db, GM_SQL_BLOCK_LAST, NULL, 0, &last_id, err);

	for (int64_t h = first; r == 1 && h <= last_id >> 32; h++) {
		const int added = gm_gather_add_table(g, GM_SQL_BLOCK_NEXT, h, err);
		r = added ? added : r;
	}
	if (r >= 0)
		r = gm_db_query(reader->db, GM_SQL_RUN_LIST, range, 2, &st, err);
	while (r == 1) {
		r = gm_gather_add_table(g, GM_SQL_PART_NEXT, sqlite3_column_int64(st, 0), err);
		r = r ? r : gm_db_step(reader->db, st, err);
	}
	if (r >= 0)
		r = gm_db_query(reader->db, GM_SQL_JOURNAL_SINCE, &from_ms, 1, &st, err);
	while (r == 1) {
		r = gm_gather_add_rows(g, gm_db_column(st, 0), err);
		r = r ? r : gm_db_step(reader->db, st, err);
	}
	return r;
}

static int give_samples(struct gm_gather *g, int64_t from_ms,
			bool (*each)(void *each_ctx, const struct gm_sample_row *row), void *each_ctx,
			struct gm_err *err)
{
	struct gm_sample_row row = { 0 };
	int r = 0;

	while ((r = gm_gather_next(g, &row.series, err)) == 1) {
		for (size_t i = 0; i < g->samples.count; i++) {
			if (g->samples.items[i].at_ms < from_ms)
				continue;
			row.sample = g->samples.items[i];
			if (!each(each_ctx, &row))
				return 0;
		}
	}
	return r;
}

int gm_store_each_sample(struct gm_store *s, int64_t from_ms, bool (*each)(void *ctx, const struct gm_sample_row *row),
			 void *ctx, struct gm_err *err)
{
	struct gm_reader *reader = NULL;
	GM_AUTO(gm_gather_fini_p) struct gm_gather g = { 0 };
	const int64_t from = from_ms > 0 ? from_ms : 0;
	int r = gm_store_reader_take(s, &reader, err);

	if (r)
		return r;
	gm_gather_init(&g, reader);
	r = add_since(reader, &g, from, err);
	if (!r)
		r = give_samples(&g, from, each, ctx, err);
	gm_store_reader_give(s, reader);
	return r;
}
