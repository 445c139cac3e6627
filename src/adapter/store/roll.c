/* SPDX-License-Identifier: MIT */
#include "adapter/store/store-internal.h"

#include "core/fleet/block.h"

/* Blocks and rollups are written once and kept for long. */
#define KEPT_LEVEL 6
#define HOURS_A_DAY 24

static int put(struct gm_store *s, enum gm_sql sql, int64_t id, struct gm_err *err)
{
	const int r = gm_pack(s->writer.packer, KEPT_LEVEL, gm_buf_str(&s->raw), &s->packed, err);

	return r ? r : gm_db_put(s->writer.db, sql, id, gm_buf_str(&s->packed), err);
}

static int put_rollups(struct gm_store *s, enum gm_sql sql, int64_t id, struct gm_err *err)
{
	gm_buf_reset(&s->raw);
	const int r = gm_rollup_encode(s->rollups, &s->raw, err);

	return r || s->raw.n == 0 ? r : put(s, sql, id, err);
}

static void roll_slot(struct gm_store *s, const struct gm_sample *samples, size_t count,
		      struct gm_rollup cells[static GM_FIELD_COUNT])
{
	uint64_t any = 0;

	for (size_t i = 0; i < count; i++)
		any |= samples[i].valid;
	for (; any; any &= any - 1) {
		const enum gm_field f = (enum gm_field)__builtin_ctzll(any);
		gm_vec_reset(&s->column);
		for (size_t i = 0; i < count; i++) {
			if (gm_sample_has(&samples[i], f))
				gm_vec_push(&s->column, samples[i].value[f]);
		}
		gm_rollup_make(s->column.items, s->column.count, &cells[f]);
	}
}

static int roll_hour(struct gm_store *s, uint32_t series, int64_t hour, const struct gm_sample *samples, size_t count,
		     struct gm_err *err)
{
	*s->rollups = (struct gm_rollup_row){ 0 };
	for (size_t begin = 0, end = 0; begin < count; begin = end) {
		const int64_t slot = (samples[begin].at_ms - hour * GM_HOUR_MS) / GM_MINUTES_5_MS;
		while (end < count && (samples[end].at_ms - hour * GM_HOUR_MS) / GM_MINUTES_5_MS == slot)
			end++;
		roll_slot(s, samples + begin, end - begin, s->rollups->cells[slot]);
	}
	return put_rollups(s, GM_SQL_ROLLUP_5M_PUT, gm_key_of(hour, series), err);
}

int gm_store_pack_hour(struct gm_store *s, uint32_t series, int64_t hour, struct gm_err *err)
{
	const gm_samples *all = &s->work.gather.samples;
	const int64_t due = gm_key_of(hour / HOURS_A_DAY, series);
	size_t count = all->count;

	if (count == 0)
		return 0;
	if (count > GM_BLOCK_SAMPLES_MAX) {
		gm_count(&s->overfull_rows, count - GM_BLOCK_SAMPLES_MAX);
		count = GM_BLOCK_SAMPLES_MAX;
	}
	gm_buf_reset(&s->raw);
	int r = gm_block_encode(all->items, count, &s->raw, err);
	if (!r)
		r = put(s, GM_SQL_BLOCK_PUT, gm_key_of(hour, series), err);
	if (!r)
		r = roll_hour(s, series, hour, all->items, count, err);
	if (!r)
		r = gm_db_change(s->writer.db, GM_SQL_DUE_ADD, &due, 1, NULL, err);
	gm_count(&s->packed_blocks, !r);
	return r;
}

/* A day's blocks, unpacked; an hour that has none is empty. */
struct day {
	struct gm_buf hours[HOURS_A_DAY];
	size_t counts[HOURS_A_DAY];
	uint64_t fields;
};

static void day_fini(struct day *d)
{
	for (size_t h = 0; h < HOURS_A_DAY; h++)
		gm_buf_fini(&d->hours[h]);
}
GM_DEFINE_AUTO_VALUE(struct day, day_fini)

static int load_day(struct gm_store *s, uint32_t series, int64_t day, struct day *d, struct gm_err *err)
{
	struct gm_block_info info;

	for (int h = 0; h < HOURS_A_DAY; h++) {
		int r = gm_reader_get(&s->writer, GM_SQL_BLOCK_GET, gm_key_of(day * HOURS_A_DAY + h, series), err);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		r = gm_block_info(gm_buf_str(&s->writer.raw), &info, err);
		if (r || info.count > GM_BLOCK_SAMPLES_MAX) {
			(void)gm_reader_forgive(&s->writer, GM_ERR_CORRUPT);
			continue;
		}
		d->hours[h] = s->writer.raw;
		s->writer.raw = (struct gm_buf){ 0 };
		d->counts[h] = info.count;
		d->fields |= info.fields;
	}
	return 0;
}

/* Adds the values of one field and hour to s->column. */
static int add_column(struct gm_store *s, const struct day *d, int hour, enum gm_field field, struct gm_err *err)
{
	const struct gm_reader *reader = &s->writer;

	if (d->counts[hour] == 0)
		return 0;
	const int r = gm_block_column(gm_buf_str(&d->hours[hour]), field, reader->values, reader->present, err);
	if (r)
		return r == GM_ERR_NOT_FOUND ? 0 : gm_reader_forgive(&s->writer, r);
	gm_vec_reserve(&s->column, s->column.count + d->counts[hour]);
	for (size_t i = 0; i < d->counts[hour]; i++) {
		if (reader->present[i / 64] >> (i % 64) & 1)
			s->column.items[s->column.count++] = reader->values[i];
	}
	return 0;
}

static int roll_field(struct gm_store *s, const struct day *d, enum gm_field field, struct gm_rollup *out_day,
		      struct gm_err *err)
{
	gm_vec_reset(&s->column);
	for (int h = 0; h < HOURS_A_DAY; h++) {
		const size_t begin = s->column.count;
		const int r = add_column(s, d, h, field, err);
		if (r)
			return r;
		/* Changes the order within the hour; the day's own rollup does not mind. */
		if (s->column.count > begin)
			gm_rollup_make(s->column.items + begin, s->column.count - begin, &s->rollups->cells[h][field]);
	}
	if (s->column.count)
		gm_rollup_make(s->column.items, s->column.count, out_day);
	return 0;
}

static int put_day(struct gm_store *s, uint32_t series, int64_t day, const struct gm_rollup *cells, struct gm_err *err)
{
	const int64_t id = gm_key_of(day / GM_SPAN_DAYS, series);
	int r = gm_reader_get(&s->writer, GM_SQL_ROLLUP_1D_GET, id, err);

	*s->rollups = (struct gm_rollup_row){ 0 };
	if (r == 1 && gm_rollup_decode(gm_buf_str(&s->writer.raw), s->rollups, err)) {
		*s->rollups = (struct gm_rollup_row){ 0 };
		r = gm_reader_forgive(&s->writer, GM_ERR_CORRUPT);
	}
	if (r < 0)
		return r;
	(void)memcpy(s->rollups->cells[day % GM_SPAN_DAYS], cells, sizeof(s->rollups->cells[0]));
	return put_rollups(s, GM_SQL_ROLLUP_1D_PUT, id, err);
}

int gm_store_roll_day(struct gm_store *s, uint32_t series, int64_t day, struct gm_err *err)
{
	GM_AUTO(day_fini_p) struct day d = { 0 };
	struct gm_rollup cells[GM_FIELD_COUNT] = { 0 };
	int r = load_day(s, series, day, &d, err);

	*s->rollups = (struct gm_rollup_row){ 0 };
	for (unsigned f = 0; !r && f < GM_FIELD_COUNT; f++) {
		if (d.fields >> f & 1)
			r = roll_field(s, &d, (enum gm_field)f, &cells[f], err);
	}
	if (!r)
		r = put_rollups(s, GM_SQL_ROLLUP_1H_PUT, gm_key_of(day, series), err);
	return r || !d.fields ? r : put_day(s, series, day, cells, err);
}
