/* SPDX-License-Identifier: MIT */
#ifndef GM_BASE_PARSE_H
#define GM_BASE_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/str.h"

/*
 * Checked parsing of whole strings: no leading or trailing blanks, no partial reads, no locale. False leaves *out as it
 * was; the caller words the error, since it knows the name of the thing.
 */
bool gm_parse_u64(struct gm_str s, uint64_t min, uint64_t max, uint64_t *out) GM_CHECKED;
bool gm_parse_i64(struct gm_str s, int64_t min, int64_t max, int64_t *out) GM_CHECKED;
/* A decimal number as Prometheus and JSON write them; NaN, Inf, +Inf, -Inf (any case) are read too. Correctly rounded. */
bool gm_parse_f64(struct gm_str s, double *out) GM_CHECKED;
/*
 * A decimal number times 10^decimals, rounded half away from zero: ("112.252", 3) is 112252. Takes exponents.
 * False on overflow, NaN and infinities. decimals 0..12.
 */
bool gm_parse_fixed(struct gm_str s, unsigned decimals, int64_t *out) GM_CHECKED;
/* true, false, yes, no, on, off (any case). */
bool gm_parse_bool(struct gm_str s, bool *out) GM_CHECKED;
/* "500ms" "30s" "5m" "1h30m" "7d"; a bare number is refused (except 0). Result in milliseconds. */
bool gm_parse_duration_ms(struct gm_str s, int64_t *out) GM_CHECKED;
/* "1024" "64KiB" "1.5GiB" "100MB"; bytes. */
bool gm_parse_bytes(struct gm_str s, int64_t *out) GM_CHECKED;
/* 16 hexadecimal digits at most, no prefix. */
bool gm_parse_hex64(struct gm_str s, uint64_t *out) GM_CHECKED;
/* The shortest form that gm_parse_duration_ms reads back: 90000 is "1m30s". `buf` of 40 bytes. */
void gm_format_duration_ms(int64_t ms, char buf[static 40]);

#endif
