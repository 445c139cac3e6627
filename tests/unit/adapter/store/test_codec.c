/* SPDX-License-Identifier: MIT */
/* The forms of bytes in the store: rows of the journal, packed blobs, rollups. */
#include "store-test.h"

#include <stdlib.h>
#include <string.h>

#include "adapter/store/pack.h"
#include "adapter/store/rollup.h"
#include "adapter/store/rows.h"
#include "base/alloc.h"
#include "base/hash.h"

static void add_rows(struct gm_rows_writer *w, const struct gm_sample_row *rows, size_t count)
{
	gm_rows_begin(w);
	for (size_t i = 0; i < count; i++)
		gm_rows_add(w, &rows[i]);
	assert_false(w->buf.failed);
}

static size_t make_rows(struct gm_sample_row *rows)
{
	size_t n = 0;

	for (uint32_t s = 1; s < 4; s++) {
		for (int t = 0; t < 3; t++)
			rows[n++] = (struct gm_sample_row){ .series = s * s, .sample = sample_at(s, T0 + t * MINUTE) };
	}
	/* The ends of what there can be, and a row without values. */
	rows[n++] = (struct gm_sample_row){ .series = UINT32_MAX - 1, .sample = { .at_ms = 0 } };
	rows[n] = (struct gm_sample_row){ .series = UINT32_MAX, .sample = { .at_ms = INT64_MAX } };
	for (unsigned f = 0; f < GM_FIELD_COUNT; f++)
		gm_sample_set(&rows[n].sample, (enum gm_field)f, f % 2 ? INT64_MIN + f : INT64_MAX - f, GM_ESTIMATED,
			      (enum gm_source)(f % GM_SOURCE_COUNT));
	return n + 1;
}

static void test_rows_read_back(void **state)
{
	struct gm_sample_row rows[16];
	const size_t count = make_rows(rows);
	struct gm_rows_writer w = { 0 };
	struct gm_rows_reader r;

	(void)state;
	add_rows(&w, rows, count);
	assert_ok(gm_rows_open(&r, gm_buf_str(&w.buf), err));
	for (size_t i = 0; i < count; i++) {
		struct gm_sample got, want = rows[i].sample;
		assert_int_equal(gm_rows_next(&r, NULL), 1);
		assert_int_equal(r.row.series, rows[i].series);
		assert_ok(gm_rows_sample(&r, &got, err));
		want.validity[GM_FIELD_FAN] =
			gm_sample_has(&want, GM_FIELD_FAN) ? want.validity[GM_FIELD_FAN] : GM_ABSENT;
		want.source[GM_FIELD_FAN] =
			gm_sample_has(&want, GM_FIELD_FAN) ? want.source[GM_FIELD_FAN] : GM_SOURCE_NONE;
		assert_memory_equal(&got, &want, sizeof(want));
		for (enum gm_field f = 0; f < GM_FIELD_COUNT; f++) {
			int64_t v = 0;
			assert_int_equal(gm_rows_value(&r, f, &v, NULL), gm_sample_has(&want, f));
			assert_int_equal(v, want.value[f]);
		}
	}
	assert_int_equal(gm_rows_next(&r, NULL), 0);
	gm_buf_fini(&w.buf);
}

/* Reads all there is; how it ends. */
static int read_all(struct gm_str bytes)
{
	struct gm_rows_reader r;
	struct gm_sample s;
	int64_t v = 0;
	int rc = gm_rows_open(&r, bytes, NULL);

	if (rc)
		return rc;
	while ((rc = gm_rows_next(&r, NULL)) == 1) {
		const int whole = gm_rows_sample(&r, &s, NULL), one = gm_rows_value(&r, GM_FIELD_ENERGY, &v, NULL);
		if (whole < 0 || one < 0)
			return GM_ERR_CORRUPT;
	}
	return rc;
}

static void test_damaged_rows_are_found_out(void **state)
{
	struct gm_sample_row rows[16];
	struct gm_rows_writer w = { 0 };
	size_t refused = 0;

	(void)state;
	add_rows(&w, rows, make_rows(rows));
	/* A copy of exact size, so that a read past its end is seen. */
	for (size_t n = 0; n < w.buf.n; n++) {
		GM_AUTO(gm_free_p) char *cut = gm_xmemdup(w.buf.p, n ? n : 1);
		const int rc = read_all(gm_str_n(cut, n));
		assert_true(rc == 0 || rc == GM_ERR_CORRUPT);
		refused += rc != 0;
	}
	assert_true(refused > w.buf.n / 2);
	GM_AUTO(gm_free_p) char *copy = gm_xmemdup(w.buf.p, w.buf.n);
	for (uint64_t i = 0; i < 20000; i++) {
		const uint64_t h = gm_hash_u64(i);
		const size_t at = h % w.buf.n;
		copy[at] = (char)(h >> 32);
		const int rc = read_all(gm_str_n(copy, w.buf.n));
		assert_true(rc == 0 || rc == GM_ERR_CORRUPT);
		if (i % 4 == 0)
			(void)memcpy(copy, w.buf.p, w.buf.n);
	}
	gm_buf_fini(&w.buf);
}

static void test_packed_blobs_read_back(void **state)
{
	static char raw[100000];
	const size_t sizes[] = { 0, 1, 100, sizeof(raw) };
	struct gm_packer *p = gm_packer_new();
	GM_AUTO(gm_buf_fini_p) struct gm_buf packed = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf back = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = (char)(i / 100);
	for (size_t i = 0; i < GM_LEN(sizes); i++) {
		assert_ok(gm_pack(p, 3, gm_str_n(raw, sizes[i]), &packed, err));
		assert_true(packed.n <= sizes[i] + 1);
		assert_ok(gm_unpack(p, gm_buf_str(&packed), &back, err));
		assert_int_equal(back.n, sizes[i]);
		assert_memory_equal(back.p, raw, sizes[i]);
	}
	assert_true(packed.n < sizeof(raw) / 10);
	/* Any byte of a frame that is changed (a few bits of it say nothing), and any that is missing. */
	size_t found = 0;
	for (size_t i = 0; i < packed.n; i++) {
		packed.p[i] ^= 0x20;
		const int rc = gm_unpack(p, gm_buf_str(&packed), &back, NULL);
		assert_true(rc == GM_ERR_CORRUPT ||
			    (rc == 0 && back.n == sizeof(raw) && memcmp(back.p, raw, sizeof(raw)) == 0));
		found += rc != 0;
		packed.p[i] ^= 0x20;
		assert_int_equal(gm_unpack(p, gm_str_n(packed.p, i), &back, NULL), GM_ERR_CORRUPT);
	}
	assert_true(found + 4 >= packed.n);
	gm_packer_free(p);
}

static int by_value(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void check_rollup(const int64_t *values, size_t count)
{
	int64_t own[200], sorted[200];
	struct gm_rollup r;
	__int128 sum = 0;

	(void)memcpy(own, values, count * sizeof(*own));
	(void)memcpy(sorted, values, count * sizeof(*own));
	qsort(sorted, count, sizeof(*sorted), by_value);
	for (size_t i = 0; i < count; i++)
		sum += values[i];
	gm_rollup_make(own, count, &r);
	assert_int_equal(r.count, count);
	assert_int_equal(r.min, sorted[0]);
	assert_int_equal(r.max, sorted[count - 1]);
	/* The smallest value that 95 of 100 do not exceed. */
	size_t rank = 0;
	while ((rank + 1) * 100 < count * 95)
		rank++;
	assert_int_equal(r.p95, sorted[rank]);
	const __int128 twice = 2 * ((__int128)r.avg * (__int128)count - sum);
	assert_true(twice <= (__int128)count && -twice <= (__int128)count);
}

static void test_rollups_say_what_values_are(void **state)
{
	int64_t v[200];

	(void)state;
	for (uint64_t i = 0; i < 3000; i++) {
		const uint64_t h = gm_hash_u64(i);
		const size_t count = 1 + h % GM_LEN(v);
		/* Few distinct values, falling, rising, wide. */
		for (size_t k = 0; k < count; k++) {
			const int64_t wide = (int64_t)gm_hash_u64(i * 1000 + k);
			const int64_t kinds[] = { wide % 3, -(int64_t)k, (int64_t)k, wide };
			v[k] = kinds[h >> 32 & 3];
		}
		check_rollup(v, count);
	}
	check_rollup((int64_t[]){ INT64_MIN, INT64_MAX }, 2);
	check_rollup((int64_t[]){ INT64_MIN, INT64_MIN, INT64_MIN }, 3);
}

static struct gm_rollup_row *make_row(void)
{
	struct gm_rollup_row *row = gm_xalloc(sizeof(*row));
	int64_t v[20];

	for (size_t slot = 0; slot < GM_ROLLUP_SLOTS_MAX; slot += slot == 7 ? 3 : 1) {
		for (size_t f = 0; f < 12; f++) {
			const uint64_t h = gm_hash_u64(slot * 100 + f);
			if (h % 5 == 0)
				continue;
			for (size_t k = 0; k < GM_LEN(v); k++)
				v[k] = (int64_t)gm_hash_u64(h + k) >> (f * 5);
			gm_rollup_make(v, 1 + h % GM_LEN(v), &row->cells[slot][f]);
		}
	}
	return row;
}

static void test_rows_of_rollups_read_back(void **state)
{
	GM_AUTO(gm_free_p) struct gm_rollup_row *row = make_row();
	GM_AUTO(gm_free_p) struct gm_rollup_row *back = gm_xalloc(sizeof(*back));
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
	struct gm_rollup column[GM_ROLLUP_SLOTS_MAX];

	(void)state;
	assert_ok(gm_rollup_encode(row, &b, err));
	assert_ok(gm_rollup_decode(gm_buf_str(&b), back, err));
	assert_memory_equal(row, back, sizeof(*row));
	for (enum gm_field f = 0; f < GM_FIELD_COUNT; f++) {
		assert_ok(gm_rollup_column(gm_buf_str(&b), f, column, err));
		for (size_t slot = 0; slot < GM_ROLLUP_SLOTS_MAX; slot++)
			assert_memory_equal(&column[slot], &row->cells[slot][f], sizeof(column[0]));
	}
	/* Nothing in it: nothing written. */
	*back = (struct gm_rollup_row){ 0 };
	gm_buf_reset(&b);
	assert_ok(gm_rollup_encode(back, &b, err));
	assert_int_equal(b.n, 0);
}

static void test_damaged_rollups_are_found_out(void **state)
{
	GM_AUTO(gm_free_p) struct gm_rollup_row *row = make_row();
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };

	(void)state;
	assert_ok(gm_rollup_encode(row, &b, err));
	for (size_t n = 0; n < b.n; n++) {
		GM_AUTO(gm_free_p) char *cut = gm_xmemdup(b.p, n ? n : 1);
		assert_int_equal(gm_rollup_decode(gm_str_n(cut, n), row, NULL), GM_ERR_CORRUPT);
	}
	for (size_t i = 0; i < b.n; i++) {
		b.p[i] = (char)(b.p[i] + 1 + (char)(i % 7));
		assert_int_not_equal(gm_rollup_decode(gm_buf_str(&b), row, NULL), 0);
		b.p[i] = (char)(b.p[i] - 1 - (char)(i % 7));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_read_back),
		cmocka_unit_test(test_damaged_rows_are_found_out),
		cmocka_unit_test(test_packed_blobs_read_back),
		cmocka_unit_test(test_rollups_say_what_values_are),
		cmocka_unit_test(test_rows_of_rollups_read_back),
		cmocka_unit_test(test_damaged_rollups_are_found_out),
	};
	return cmocka_run_group_tests_name("store/codec", tests, NULL, NULL);
}
