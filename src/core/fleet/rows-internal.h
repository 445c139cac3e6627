/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_FLEET_ROWS_INTERNAL_H
#define GM_CORE_FLEET_ROWS_INTERNAL_H

#include <stdbool.h>

#include "base/buf.h"
#include "core/fleet/sample.h"

/*
 * Samples one behind the other, each as its difference to the one before: what takes too few to be a block yet. `state`
 * is the sample before; a zeroed one to begin. Only what `valid` marks is kept: values of other fields are leftovers.
 */
void gm_row_put(struct gm_buf *out, struct gm_sample *state, const struct gm_sample *sample);
/* The next row, into *state; false at the end. */
bool gm_row_take(struct gm_str *in, struct gm_sample *state);

#endif
