/* SPDX-License-Identifier: MIT */
#include "store-test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/auto.h"
#include "base/hash.h"

static int64_t tick(void *ctx)
{
	struct place *p = ctx;

	return p->clock.mono_ms++;
}

static int64_t wall(void *ctx)
{
	return ((struct place *)ctx)->clock.wall_ms;
}

void place_init(struct place *p)
{
	/* In memory where there is such a place: nothing here looks at what a disk keeps, and syncs take their time. */
	*p = (struct place){ 0 };
	(void)snprintf(p->folder, sizeof(p->folder), "%s/gm-store-XXXXXX",
		       access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	assert_non_null(mkdtemp(p->folder));
	(void)snprintf(p->path, sizeof(p->path), "%s/store.db", p->folder);
	(void)snprintf(p->url, sizeof(p->url), "sqlite:%s", p->path);
	gm_manual_clock_init(&p->clock, T0);
	p->ticking = (struct gm_clock){ .wall_ms = wall, .mono_ms = tick, .ctx = p };
	p->conf = (struct gm_store_conf){ .url = p->url, .clock = &p->clock.clock };
}

void place_fini(struct place *p)
{
	place_close(p);
	DIR *d = opendir(p->folder);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] != '.')
			(void)unlinkat(dirfd(d), e->d_name, 0);
	}
	(void)closedir(d);
	assert_int_equal(rmdir(p->folder), 0);
}

void place_close(struct place *p)
{
	gm_store_close(gm_steal(&p->store));
}

void place_open(struct place *p)
{
	place_close(p);
	assert_ok(gm_store_open(&p->conf, &p->store, err));
}

const struct gm_fleet_store *fleet(struct place *p)
{
	return gm_store_fleet(p->store);
}

const struct gm_auth_store *auth(struct place *p)
{
	return gm_store_auth(p->store);
}

void settle(struct place *p, int64_t now_ms)
{
	bool more = true;

	gm_manual_clock_advance(&p->clock, now_ms - p->clock.wall_ms);
	for (int i = 0; more; i++) {
		assert_ok(fleet(p)->maintain(fleet(p)->ctx, now_ms, &more, err));
		assert_true(i < 10000);
	}
}

struct gm_sample sample_at(uint32_t series, int64_t at_ms)
{
	struct gm_sample s = { .at_ms = at_ms };
	const uint64_t h = gm_hash_u64((uint64_t)at_ms * 1000003 + series);

	gm_sample_set(&s, GM_FIELD_UTILIZATION, (int64_t)(h % 10001), GM_MEASURED, GM_SOURCE_DCGM);
	gm_sample_set(&s, GM_FIELD_TEMPERATURE, 400 + (int64_t)(h >> 16) % 300, GM_MEASURED, GM_SOURCE_DCGM);
	gm_sample_set(&s, GM_FIELD_MEMORY_USED, (int64_t)((h >> 32) % 80000) << 20, GM_MEASURED, GM_SOURCE_DCGM);
	if (h >> 40 & 1)
		gm_sample_set(&s, GM_FIELD_POWER, 50000 + (int64_t)(h >> 24) % 600000, GM_DERIVED, GM_SOURCE_NVML);
	gm_sample_set(&s, GM_FIELD_ENERGY, at_ms * 300 + series, GM_ESTIMATED, GM_SOURCE_SIM);
	gm_sample_set(&s, GM_FIELD_XID, 0, GM_MEASURED, GM_SOURCE_DCGM);
	gm_sample_miss(&s, GM_FIELD_FAN, GM_UNSUPPORTED, GM_SOURCE_DCGM);
	return s;
}

void append_one(struct place *p, uint32_t series, int64_t at_ms)
{
	const struct gm_sample_row row = { .series = series, .sample = sample_at(series, at_ms) };

	assert_ok(fleet(p)->append(fleet(p)->ctx, &row, 1, err));
}

void append_range(struct place *p, uint32_t first, uint32_t last, int64_t from_ms, int64_t step_ms, size_t count)
{
	const size_t n = last - first + 1;
	struct gm_sample_row *rows = gm_xalloc(n * sizeof(*rows));

	for (size_t i = 0; i < count; i++) {
		if (p->clock.wall_ms < from_ms + (int64_t)i * step_ms)
			p->clock.wall_ms = from_ms + (int64_t)i * step_ms;
		for (size_t s = 0; s < n; s++) {
			rows[s].series = first + (uint32_t)s;
			rows[s].sample = sample_at(rows[s].series, from_ms + (int64_t)i * step_ms);
		}
		assert_ok(fleet(p)->append(fleet(p)->ctx, rows, n, err));
	}
	free(rows);
}

void check_chart(struct place *p, uint32_t series, enum gm_field field, int64_t from_ms, int64_t to_ms, int64_t step_ms,
		 enum gm_tier tier, const int64_t *times, size_t count)
{
	GM_AUTO(gm_chart_fini_p) struct gm_chart want = { 0 };
	GM_AUTO(gm_chart_fini_p) struct gm_chart got = { 0 };
	enum gm_tier got_tier = GM_TIER_MEMORY;

	assert_ok(gm_chart_init(&want, field, from_ms, to_ms, step_ms, 0, err));
	assert_ok(gm_chart_init(&got, field, from_ms, to_ms, step_ms, 0, err));
	for (size_t i = 0; i < count; i++) {
		const struct gm_sample s = sample_at(series, times[i]);
		if (gm_sample_has(&s, field))
			gm_chart_add(&want, s.at_ms, s.value[field]);
	}
	assert_ok(fleet(p)->chart(fleet(p)->ctx, series, &got, to_ms, &got_tier, err));
	assert_int_equal(got_tier, tier);
	assert_int_equal(got.count, want.count);
	for (size_t i = 0; i < want.count; i++) {
		const struct gm_chart_bucket *g = &got.buckets[i], *w = &want.buckets[i];
		if (g->count != w->count || (w->count && (g->min != w->min || g->max != w->max)))
			fail_msg("bucket %zu: %lu values %ld..%ld instead of %lu values %ld..%ld", i,
				 (unsigned long)g->count, (long)g->min, (long)g->max, (unsigned long)w->count,
				 (long)w->min, (long)w->max);
		if (w->count == 0)
			continue;
		/* Averages of rollups are rounded one by one. */
		const int64_t apart = (int64_t)(g->sum / (__int128)g->count) - (int64_t)(w->sum / (__int128)w->count);
		if (tier == GM_TIER_RAW ? g->sum != w->sum : apart < -1 || apart > 1)
			fail_msg("bucket %zu: the averages are %ld apart", i, (long)apart);
	}
}

struct gm_series_def series_def(uint32_t series, const char *uuid)
{
	return (struct gm_series_def){
		.series = series,
		.cluster = "default",
		.uuid = uuid,
		.node = "worker-01",
		.id = "worker-01-GPU-00",
		.model = "H100_80GB",
		.product_name = "NVIDIA H100 80GB HBM3",
		.index = 0,
		.gi_id = -1,
		.ci_id = -1,
		.placement_start = -1,
		.placement_size = -1,
		.memory_total_bytes = INT64_C(85520809984),
		.first_seen_ms = T0,
		.last_seen_ms = T0,
	};
}
