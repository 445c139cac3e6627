/* SPDX-License-Identifier: MIT */
#include "adapter/store/rollup.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "core/fleet/block.h"

enum plane { PLANE_COUNT, PLANE_MIN, PLANE_AVG, PLANE_P95, PLANE_MAX, PLANES };

/* Moves the k-th smallest value to its place (Hoare); all before it are not larger. */
static int64_t select_kth(int64_t *v, size_t count, size_t k)
{
	size_t lo = 0, hi = count - 1;

	while (lo < hi) {
		const int64_t pivot = v[lo + (hi - lo) / 2];
		size_t i = lo, j = hi;
		for (;;) {
			while (v[i] < pivot)
				i++;
			while (v[j] > pivot)
				j--;
			if (i >= j)
				break;
			const int64_t t = v[i];
			v[i++] = v[j];
			v[j--] = t;
		}
		/* Now v[lo..j] <= pivot <= v[j+1..hi]. */
		if (k <= j)
			hi = j;
		else
			lo = j + 1;
	}
	return v[k];
}

void gm_rollup_make(int64_t *values, size_t count, struct gm_rollup *out)
{
	assert(count > 0);
	__int128 sum = 0;
	struct gm_rollup made = { .count = count, .min = values[0], .max = values[0] };

	for (size_t i = 0; i < count; i++) {
		sum += values[i];
		made.min = values[i] < made.min ? values[i] : made.min;
		made.max = values[i] > made.max ? values[i] : made.max;
	}
	const __int128 half = (__int128)(count / 2);
	made.avg = (int64_t)((sum < 0 ? sum - half : sum + half) / (__int128)count);
	made.p95 = made.min == made.max ? made.min : select_kth(values, count, (count * 95 + 99) / 100 - 1);
	*out = made;
}

static int64_t plane_value(const struct gm_rollup *c, enum plane plane)
{
	const uint64_t min = (uint64_t)c->min;

	switch (plane) {
	case PLANE_COUNT:
		return (int64_t)c->count;
	case PLANE_MIN:
		return c->min;
	case PLANE_AVG:
		return (int64_t)((uint64_t)c->avg - min);
	case PLANE_P95:
		return (int64_t)((uint64_t)c->p95 - min);
	case PLANE_MAX:
		return (int64_t)((uint64_t)c->max - min);
	case PLANES:
		break;
	}
	return 0;
}

/* The planes come in this order, so min is there when a distance from it is read. */
static void plane_set(struct gm_rollup *c, enum plane plane, int64_t v)
{
	const int64_t from_min = (int64_t)((uint64_t)c->min + (uint64_t)v);

	switch (plane) {
	case PLANE_COUNT:
		c->count = (uint64_t)v;
		return;
	case PLANE_MIN:
		c->min = v;
		return;
	case PLANE_AVG:
		c->avg = from_min;
		return;
	case PLANE_P95:
		c->p95 = from_min;
		return;
	case PLANE_MAX:
		c->max = from_min;
		return;
	case PLANES:
		return;
	}
}

static size_t plane_samples(const struct gm_rollup_row *row, enum plane plane, struct gm_sample *out)
{
	size_t count = 0;

	for (int slot = 0; slot < GM_ROLLUP_SLOTS_MAX; slot++) {
		struct gm_sample *s = &out[count];
		*s = (struct gm_sample){ .at_ms = slot + 1 };
		for (unsigned f = 0; f < GM_FIELD_COUNT; f++) {
			if (row->cells[slot][f].count)
				gm_sample_set(s, (enum gm_field)f, plane_value(&row->cells[slot][f], plane),
					      GM_MEASURED, GM_SOURCE_NONE);
		}
		count += s->valid != 0;
	}
	return count;
}

int gm_rollup_encode(const struct gm_rollup_row *row, struct gm_buf *out, struct gm_err *err)
{
	GM_AUTO(gm_free_p) struct gm_sample *samples = gm_xalloc((GM_ROLLUP_SLOTS_MAX + 1) * sizeof(*samples));
	GM_AUTO(gm_buf_fini_p) struct gm_buf block = { 0 };

	for (int p = 0; p < PLANES; p++) {
		gm_buf_reset(&block);
		const size_t count = plane_samples(row, (enum plane)p, samples);
		if (count == 0)
			return 0;
		const int r = gm_block_encode(samples, count, &block, err);
		if (r)
			return r;
		const uint32_t n = (uint32_t)block.n;
		gm_buf_add(out, (const unsigned char[]){ n & 0xff, n >> 8 & 0xff, n >> 16 & 0xff }, 3);
		gm_buf_add_str(out, gm_buf_str(&block));
	}
	return out->failed ? gm_fail(err, GM_ERR_NO_MEMORY, "out of memory") : 0;
}

static int damaged(struct gm_err *err)
{
	return gm_fail(err, GM_ERR_CORRUPT, "a rollup is damaged");
}

static bool next_plane(struct gm_str *rest, struct gm_str *out)
{
	const unsigned char *p = (const unsigned char *)rest->p;

	if (rest->n < 3)
		return false;
	const size_t n = (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16;
	if (n > rest->n - 3)
		return false;
	*out = gm_str_n(rest->p + 3, n);
	*rest = gm_str_n(rest->p + 3 + n, rest->n - 3 - n);
	return true;
}

struct plane_block {
	struct gm_str bytes;
	size_t count;
	int64_t slots[GM_ROLLUP_SLOTS_MAX];
};

static int open_planes(struct gm_str bytes, struct plane_block out[static PLANES], struct gm_err *err)
{
	struct gm_block_info info;

	for (int p = 0; p < PLANES; p++) {
		if (!next_plane(&bytes, &out[p].bytes))
			return damaged(err);
		int r = gm_block_info(out[p].bytes, &info, err);
		if (r)
			return r;
		if (info.count > GM_ROLLUP_SLOTS_MAX)
			return damaged(err);
		out[p].count = info.count;
		r = gm_block_times(out[p].bytes, out[p].slots, err);
		if (r)
			return r;
		for (size_t i = 0; i < info.count; i++) {
			if (out[p].slots[i] < 1 || out[p].slots[i] > GM_ROLLUP_SLOTS_MAX)
				return damaged(err);
		}
	}
	return 0;
}

static int read_column(const struct plane_block *planes, enum gm_field field,
		       struct gm_rollup out[static GM_ROLLUP_SLOTS_MAX], struct gm_err *err)
{
	int64_t values[GM_ROLLUP_SLOTS_MAX];
	uint64_t present = 0;

	(void)memset(out, 0, GM_ROLLUP_SLOTS_MAX * sizeof(*out));
	for (int p = 0; p < PLANES; p++) {
		const int r = gm_block_column(planes[p].bytes, field, values, &present, err);
		if (r == GM_ERR_NOT_FOUND && p == 0)
			return 0;
		if (r)
			return r == GM_ERR_NOT_FOUND ? damaged(err) : r;
		for (size_t i = 0; i < planes[p].count; i++) {
			if (present >> i & 1)
				plane_set(&out[planes[p].slots[i] - 1], (enum plane)p, values[i]);
		}
	}
	return 0;
}

int gm_rollup_column(struct gm_str bytes, enum gm_field field, struct gm_rollup out[static GM_ROLLUP_SLOTS_MAX],
		     struct gm_err *err)
{
	struct plane_block planes[PLANES] = { 0 };
	const int r = open_planes(bytes, planes, err);

	return r ? r : read_column(planes, field, out, err);
}

int gm_rollup_decode(struct gm_str bytes, struct gm_rollup_row *out, struct gm_err *err)
{
	struct plane_block planes[PLANES] = { 0 };
	struct gm_rollup column[GM_ROLLUP_SLOTS_MAX];
	int r = open_planes(bytes, planes, err);

	for (unsigned f = 0; !r && f < GM_FIELD_COUNT; f++) {
		r = read_column(planes, (enum gm_field)f, column, err);
		for (int slot = 0; !r && slot < GM_ROLLUP_SLOTS_MAX; slot++)
			out->cells[slot][f] = column[slot];
	}
	return r;
}
