/* SPDX-License-Identifier: MIT */
#include "core/fleet/sample.h"

#include "base/auto.h"

const struct gm_field_info gm_field_table[GM_FIELD_COUNT] = {
#define FIELD_ROW(name_, api_, unit_, decimals_, kind_)                                                                \
	[GM_FIELD_##name_] = { .name = (api_), .unit = (unit_), .decimals = (decimals_), .kind = GM_FIELD_##kind_ },
	GM_FIELD_LIST(FIELD_ROW)
#undef FIELD_ROW
};

enum gm_field gm_field_find(struct gm_str name)
{
	for (int f = 0; f < GM_FIELD_COUNT; f++)
		if (gm_str_is(name, gm_field_table[f].name))
			return (enum gm_field)f;
	return GM_FIELD_COUNT;
}

const char *gm_validity_name(enum gm_validity v)
{
	static const char *const names[] = {
		[GM_ABSENT] = "not_reported", [GM_MEASURED] = "measured", [GM_DERIVED] = "derived",
		[GM_ESTIMATED] = "estimated", [GM_STALE] = "stale",	  [GM_UNSUPPORTED] = "unsupported",
		[GM_ERROR] = "error",
	};
	_Static_assert(GM_LEN(names) == GM_VALIDITY_COUNT, "a name for each");
	return (unsigned)v < GM_LEN(names) ? names[v] : names[GM_ERROR];
}

const char *gm_source_name(enum gm_source s)
{
	static const char *const names[] = {
		[GM_SOURCE_NONE] = "none", [GM_SOURCE_NVML] = "nvml", [GM_SOURCE_GPM] = "gpm",
		[GM_SOURCE_DCGM] = "dcgm", [GM_SOURCE_KUBE] = "kube", [GM_SOURCE_ENGINE] = "engine",
		[GM_SOURCE_SIM] = "sim",
	};
	_Static_assert(GM_LEN(names) == GM_SOURCE_COUNT, "a name for each");
	return (unsigned)s < GM_LEN(names) ? names[s] : names[GM_SOURCE_NONE];
}
