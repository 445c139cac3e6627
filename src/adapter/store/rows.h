/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_STORE_ROWS_H
#define GM_ADAPTER_STORE_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/fleet/fleet-store.h"

/*
 * The journal's form of rows, in rising (series, time) order:
 *   version byte, then a row: varints of the series' distance, the time's distance (zigzag), the mask of fields that are
 *   there (xor the row before), the mask of those whose kind (validity and source) is another than when the field was
 *   there last, a byte for each of these kinds, the length of the values, the values (zigzag).
 */
struct gm_rows_prev {
	uint32_t series;
	int64_t at_ms;
	uint64_t there;
	uint8_t kinds[GM_FIELD_COUNT];
};
struct gm_rows_writer {
	struct gm_buf buf;
	struct gm_rows_prev prev;
};
/* Empty again, with memory kept. */
void gm_rows_begin(struct gm_rows_writer *w);
void gm_rows_add(struct gm_rows_writer *w, const struct gm_sample_row *row);

/* Reads what somebody may have damaged: every length is checked. */
struct gm_rows_reader {
	const unsigned char *at, *end;
	struct gm_rows_prev row; /* the row gm_rows_next went to */
	struct gm_str values;
};
int gm_rows_open(struct gm_rows_reader *r, struct gm_str bytes, struct gm_err *err) GM_CHECKED;
/* 1: at a row, 0: no more, or GM_ERR_CORRUPT. */
int gm_rows_next(struct gm_rows_reader *r, struct gm_err *err) GM_CHECKED;
int gm_rows_sample(const struct gm_rows_reader *r, struct gm_sample *out, struct gm_err *err) GM_CHECKED;
/* One field: 1: *out is set, 0: it has none, or GM_ERR_CORRUPT. */
int gm_rows_value(const struct gm_rows_reader *r, enum gm_field field, int64_t *out, struct gm_err *err) GM_CHECKED;

#endif
