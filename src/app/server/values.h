/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_SERVER_VALUES_H
#define GM_APP_SERVER_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/str.h"
#include "core/fleet/sample.h"

/*
 * How sampled fields are called and scaled in the REST API: one row a value. The API's number is
 * field value / divide / 10^decimals.
 */
enum gm_value_place {
	GM_VALUE_ITEM,	 /* in every item of a list of devices */
	GM_VALUE_DETAIL, /* only where one device is asked for */
};

struct gm_value_def {
	const char *name;
	size_t name_n;
	enum gm_field field;
	const char *unit;
	unsigned decimals;
	int64_t divide;
	enum gm_value_place place;
	const char *help;
};

extern const struct gm_value_def gm_value_table[];
extern const size_t gm_value_count;

/* By API name; NULL when there is none. */
const struct gm_value_def *gm_value_find(struct gm_str name);
/* The number of this value, or null. */
void gm_value_write(struct gm_json *w, const struct gm_value_def *v, int64_t raw);
/* "name": number or null for each value of the place. */
void gm_values_write(struct gm_json *w, const struct gm_sample *s, enum gm_value_place place);
/* "quality": {...}: each value up to this place that has no number, and why. */
void gm_values_quality(struct gm_json *w, const struct gm_sample *s, enum gm_value_place place);
/* "throttleReasons": names of the bits, or null. */
void gm_throttle_reasons_write(struct gm_json *w, const struct gm_sample *s);

#endif
