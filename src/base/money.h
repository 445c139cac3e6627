/* SPDX-License-Identifier: MIT */
#ifndef GM_BASE_MONEY_H
#define GM_BASE_MONEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/str.h"

/* Money is int64 millionths of a currency unit. The currency's ISO 4217 code travels beside it. */
#define GM_MICROS 1000000

/* "8", "8.0", "0.123456"; more than 6 decimals are refused, and so is what does not fit. */
bool gm_money_parse(struct gm_str s, int64_t *out_micros) GM_CHECKED;
/* Rate per hour over a time, rounded half to even; false on overflow. */
bool gm_money_over(int64_t micros_per_hour, int64_t ms, int64_t *out_micros) GM_CHECKED;
/* micros * part / whole, rounded half to even; false on overflow or whole == 0. */
bool gm_money_share(int64_t micros, int64_t part, int64_t whole, int64_t *out_micros) GM_CHECKED;
bool gm_money_add(int64_t a, int64_t b, int64_t *out) GM_CHECKED;
/* Three capital letters. */
bool gm_currency_ok(struct gm_str code) GM_CHECKED;

#endif
