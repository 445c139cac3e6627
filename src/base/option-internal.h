/* SPDX-License-Identifier: MIT */
#ifndef GM_BASE_OPTION_INTERNAL_H
#define GM_BASE_OPTION_INTERNAL_H

#include "base/option.h"

/* The value of one row, in the place its type says. */
union gm_option_value {
	bool flag;
	int choice;
	int64_t number;
	char *text;
	struct gm_secret secret;
	struct gm_option_list list;
	struct gm_option_map map;
	struct gm_option_maps maps;
};

/* Shares what it points at with the row. */
union gm_option_value gm_option_load(const struct gm_options *o, const struct gm_option *opt);

#endif
