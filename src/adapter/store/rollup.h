/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_STORE_ROLLUP_H
#define GM_ADAPTER_STORE_ROLLUP_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/fleet/sample.h"

/* What is kept of many values: of five minutes, an hour or a day. p95: the smallest value that 95 % do not exceed. */
struct gm_rollup {
	uint64_t count; /* 0: there was no value */
	int64_t min, avg, max, p95;
};
/* Sorts what it needs of `values`. count > 0. */
void gm_rollup_make(int64_t *values, size_t count, struct gm_rollup *out);

/*
 * A row of slots that follow each other in time. On disk it is five blocks (core/fleet/block.h), each after its length:
 * count, min, and avg, p95, max as distances from min; a slot's number stands where a block has times.
 */
#define GM_ROLLUP_SLOTS_MAX 32
struct gm_rollup_row {
	struct gm_rollup cells[GM_ROLLUP_SLOTS_MAX][GM_FIELD_COUNT];
};
/* Appends to *out; nothing when no cell has a value. */
int gm_rollup_encode(const struct gm_rollup_row *row, struct gm_buf *out, struct gm_err *err) GM_CHECKED;
/* One field of a row; all slots are set. */
int gm_rollup_column(struct gm_str bytes, enum gm_field field, struct gm_rollup out[static GM_ROLLUP_SLOTS_MAX],
		     struct gm_err *err) GM_CHECKED;
int gm_rollup_decode(struct gm_str bytes, struct gm_rollup_row *out, struct gm_err *err) GM_CHECKED;

#endif
