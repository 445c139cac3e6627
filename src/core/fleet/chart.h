/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_FLEET_CHART_H
#define GM_CORE_FLEET_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/fleet/sample.h"

/*
 * A time range cut into at most GM_CHART_POINTS_MAX buckets of `step_ms`, each with min, avg and max of what fell into
 * it: what a chart needs, fed from memory, rows, blocks or rollups alike. Buckets begin at multiples of step_ms:
 * from_ms is moved back to one, and bucket i begins at from_ms + i * step_ms.
 */
#define GM_CHART_POINTS_MAX 1500

struct gm_chart_bucket {
	uint64_t count; /* 0: a gap */
	int64_t min, max;
	__int128 sum;
};
struct gm_chart {
	enum gm_field field;
	int64_t from_ms, to_ms, step_ms;
	size_t count;
	struct gm_chart_bucket *buckets;
};

/*
 * step_ms 0: the smallest of 1 s, 5 s, 10 s, 15 s, 30 s, 1 min, 5 min, 15 min, 1 h, 6 h, 1 d that gives at most 1,500
 * buckets and is not under `sample_ms`. A step that would give more is GM_ERR_INVALID, saying the smallest allowed.
 */
int gm_chart_init(struct gm_chart *c, enum gm_field field, int64_t from_ms, int64_t to_ms, int64_t step_ms,
		  int64_t sample_ms, struct gm_err *err) GM_CHECKED;
void gm_chart_fini(struct gm_chart *c);
/* Outside [from, to): ignored. */
void gm_chart_add(struct gm_chart *c, int64_t at_ms, int64_t value);
/* A rollup that covers [at_ms, at_ms + its length): goes to the bucket of at_ms. */
void gm_chart_add_rollup(struct gm_chart *c, int64_t at_ms, int64_t min, int64_t avg, int64_t max, uint64_t count);

GM_DEFINE_AUTO_VALUE(struct gm_chart, gm_chart_fini)

#endif
