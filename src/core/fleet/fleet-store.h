/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_FLEET_FLEET_STORE_H
#define GM_CORE_FLEET_FLEET_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/fleet/chart.h"
#include "core/fleet/fleet.h"
#include "core/fleet/sample.h"

/*
 * Port: where the fleet's devices and samples are kept. Implemented by adapter/store (SQLite now; PostgreSQL and Oracle
 * later) and by tests. Writing goes through app's one writer thread; reading may come from any HTTP thread.
 */
struct gm_sample_row {
	uint32_t series;
	struct gm_sample sample;
};

enum gm_tier { GM_TIER_MEMORY, GM_TIER_RAW, GM_TIER_5M, GM_TIER_1H, GM_TIER_1D };
const char *gm_tier_name(enum gm_tier t); /* "memory", "raw", "5m", "1h", "1d" */

struct gm_fleet_store {
	void *ctx;
	/* Calls `each` for every series not forgotten, boards before their instances. */
	int (*load_series)(void *ctx, int (*each)(void *each_ctx, const struct gm_series_def *def, struct gm_err *err),
			   void *each_ctx, struct gm_err *err);
	/* Adds or changes; on disk when it returns. */
	int (*save_series)(void *ctx, const struct gm_series_def *defs, size_t count, struct gm_err *err);
	/*
	 * Adds rows, all or none, on disk when it returns. A row whose (series, time) is there already is left as it is;
	 * rows older than the retention are dropped; back-dated rows into an hour already packed are merged into it.
	 */
	int (*append)(void *ctx, const struct gm_sample_row *rows, size_t count, struct gm_err *err);
	/* Packs, rolls up, deletes what is past its time: one small step (<= 50 ms). *out_more: call again soon. */
	int (*maintain)(void *ctx, int64_t now_ms, bool *out_more, struct gm_err *err);
	/* Fills the chart for [c->from_ms, until_ms) from the best tier for its step; *out_tier says which. Any thread. */
	int (*chart)(void *ctx, uint32_t series, struct gm_chart *c, int64_t until_ms, enum gm_tier *out_tier,
		     struct gm_err *err);
};

#endif
