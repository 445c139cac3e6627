/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_FLEET_NUMBERS_INTERNAL_H
#define GM_CORE_FLEET_NUMBERS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/*
 * A row of int64 as few bits: the first value, then differences to it divided by their common factor, predicted by the
 * best of six predictors, the misses as adaptive Rice codes. Lossless for any values.
 */
void gm_numbers_encode(const int64_t *values, size_t count, struct gm_buf *out);
/* Exactly what encode wrote for `count` values; false when `in` cannot be that. Never reads past it. */
bool gm_numbers_decode(struct gm_str in, int64_t *out, size_t count);

#endif
