/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_FLEET_BLOCK_H
#define GM_CORE_FLEET_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/fleet/sample.h"

/*
 * Samples of one series packed by columns: the one form of history, in memory and (zstd around it) in the store.
 * Each field has a presence map where it is not always there, runs of validity and source, and its values divided by
 * their common factor, predicted by what suits them (last value, running mean, running mean of the steps), the misses as
 * adaptive Rice codes; a constant column costs a few bytes. Only values are kept: why one is missing is not.
 * Self-describing: version byte, count, field numbers; a checksum at the end.
 */
#define GM_BLOCK_SAMPLES_MAX 7200

/* Appends a block to *out. Samples in rising time, count 1..GM_BLOCK_SAMPLES_MAX. */
int gm_block_encode(const struct gm_sample *samples, size_t count, struct gm_buf *out, struct gm_err *err) GM_CHECKED;

/* Reads what somebody may have damaged: every length is checked. */
struct gm_block_info {
	size_t count;
	uint64_t fields; /* mask of the fields present */
	int64_t first_ms, last_ms;
};
int gm_block_info(struct gm_str block, struct gm_block_info *out, struct gm_err *err) GM_CHECKED;
/* All times: out_ms has room for info.count. */
int gm_block_times(struct gm_str block, int64_t *out_ms, struct gm_err *err) GM_CHECKED;
/*
 * One column: values (0 where absent) and presence (bit i of out_present[i/64]); room for info.count. GM_ERR_NOT_FOUND
 * when the block has no such field.
 */
int gm_block_column(struct gm_str block, enum gm_field field, int64_t *out_values, uint64_t *out_present,
		    struct gm_err *err) GM_CHECKED;

/*
 * All samples, with validity and source of their values; room for info.count. On failure *out may be written in part.
 */
int gm_block_samples(struct gm_str block, struct gm_sample *out, struct gm_err *err) GM_CHECKED;

#endif
