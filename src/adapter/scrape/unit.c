/* SPDX-License-Identifier: MIT */
#include "adapter/scrape/unit.h"

const struct gm_unit_info gm_unit_table[GM_UNITS] = {
#define UNIT_ROW(name, decimals, mul, div, max) [GM_UNIT_##name] = { decimals, mul, div, max },
	GM_UNIT_LIST(UNIT_ROW)
#undef UNIT_ROW
};
