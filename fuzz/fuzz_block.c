/* SPDX-License-Identifier: MIT */
/*
 * Reads a block of samples in every way, as it stands and with its checksum made right, so that the readers' own checks
 * are reached. Ways must agree, and what reads as a whole must survive being packed again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "core/fleet/block.h"

#define TRAILER 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_column(struct gm_str block, enum gm_field f, const struct gm_block_info *info,
			 const struct gm_sample *samples)
{
	GM_AUTO(gm_free_p) int64_t *values = gm_try_alloc(info->count * sizeof(*values));
	GM_AUTO(gm_free_p) uint64_t *present = gm_try_alloc((info->count + 63) / 64 * sizeof(*present));
	must(values && present);
	int rc = gm_block_column(block, f, values, present, NULL);
	must((rc == GM_ERR_NOT_FOUND) == !(info->fields >> f & 1));
	if (!samples)
		return;
	for (size_t i = 0; i < info->count; i++) {
		bool there = rc == 0 && (present[i / 64] >> (i % 64) & 1);
		must(there == gm_sample_has(&samples[i], f));
		must(!there || values[i] == samples[i].value[f]);
	}
}

static void pack_again(const struct gm_sample *samples, size_t count)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
	GM_AUTO(gm_free_p) struct gm_sample *again = gm_try_alloc(count * sizeof(*again));
	must(again && gm_block_encode(samples, count, &b, NULL) == 0);
	must(gm_block_samples(gm_buf_str(&b), again, NULL) == 0);
	must(memcmp(samples, again, count * sizeof(*again)) == 0);
}

static void read_block(struct gm_str block)
{
	struct gm_block_info info;
	struct gm_err err;
	if (gm_block_info(block, &info, &err) != 0)
		return;
	must(info.count > 0 && info.count <= GM_BLOCK_SAMPLES_MAX && info.last_ms >= info.first_ms);
	GM_AUTO(gm_free_p) int64_t *times = gm_try_alloc(info.count * sizeof(*times));
	GM_AUTO(gm_free_p) struct gm_sample *samples = gm_try_alloc(info.count * sizeof(*samples));
	must(times && samples);
	bool times_ok = gm_block_times(block, times, &err) == 0;
	bool all_ok = gm_block_samples(block, samples, &err) == 0;
	must(times_ok || !all_ok);
	for (int f = 0; f < GM_FIELD_COUNT; f++)
		check_column(block, (enum gm_field)f, &info, all_ok ? samples : NULL);
	if (all_ok)
		pack_again(samples, info.count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_block(gm_str_n((const char *)data, size));
	if (size <= TRAILER)
		return 0;
	GM_AUTO(gm_free_p) char *copy = gm_xmemdup(data, size);
	uint64_t hash = gm_hash(gm_str_n(copy, size - TRAILER));
	for (unsigned i = 0; i < TRAILER; i++)
		copy[size - TRAILER + i] = (char)(hash >> (8 * i));
	read_block(gm_str_n(copy, size));
	return 0;
}
