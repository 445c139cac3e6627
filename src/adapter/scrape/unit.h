/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_SCRAPE_UNIT_H
#define GM_ADAPTER_SCRAPE_UNIT_H

#include <stdint.h>

/*
 * Units of numbers on pages: the text times 10^decimals, times `mul`, divided by `div`, is the field's integer. Above
 * `max` (before mul and div) a number is not believed, which also catches most blank sentinels.
 *   X(name, decimals, mul, div, max)
 */
#define GM_UNIT_LIST(X)                                                                                                \
	X(PERCENT, 2, 1, 1, 10000)                                                                                     \
	X(RATIO, 4, 1, 1, 10000)                                                                                       \
	X(MIB, 0, 1 << 20, 1, INT64_C(1) << 30)                                                                        \
	X(BYTES, 0, 1, 1, INT64_C(1) << 60)                                                                            \
	X(CELSIUS, 1, 1, 1, 2500)                                                                                      \
	X(WATTS, 3, 1, 1, INT64_C(100000000))                                                                          \
	X(MILLIJOULES, 0, 1, 1, INT64_C(100000000000000))                                                              \
	X(JOULES, 3, 1, 1, INT64_C(100000000000000))                                                                   \
	X(MEGAHERTZ, 0, 1, 1, 100000)                                                                                  \
	X(HERTZ, 0, 1, 1000000, INT64_C(100000000000))                                                                 \
	X(BYTE_RATE, 0, 1, 1, INT64_C(100000000000000))                                                                \
	X(KB_RATE, 0, 1000, 1, INT64_C(2000000000))                                                                    \
	X(MB_RATE, 0, 1000000, 1, INT64_C(100000000))                                                                  \
	X(COUNT, 0, 1, 1, INT64_C(2000000000))                                                                         \
	X(CODE, 0, 1, 1, 1000000)                                                                                      \
	X(FLAG, 0, 1, 1, 1)                                                                                            \
	X(BITS, 0, 1, 1, INT64_C(2000000000))                                                                          \
	X(NANOSECONDS, 0, 1, 1, INT64_C(9000000000000000000))                                                          \
	X(SECONDS, 9, 1, 1, INT64_C(9000000000000000000))                                                              \
	X(TIMESTAMP, 3, 1, 1, INT64_C(253402300799999))

enum gm_unit {
#define GM_UNIT_ENUM(name, decimals, mul, div, max) GM_UNIT_##name,
	GM_UNIT_LIST(GM_UNIT_ENUM)
#undef GM_UNIT_ENUM
		GM_UNITS
};

struct gm_unit_info {
	uint8_t decimals;
	int32_t mul, div;
	int64_t max;
};
extern const struct gm_unit_info gm_unit_table[GM_UNITS];

#endif
