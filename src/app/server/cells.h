/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_SERVER_CELLS_H
#define GM_APP_SERVER_CELLS_H

#include <stdint.h>

#include "base/buf.h"
#include "core/fleet/snapshot.h"

/*
 * The fleet as the dashboard draws it: a few bytes a device, in columns. A value of 255 is not measured; health is the
 * number of enum gm_health.
 */
#define GM_CELL_NONE 255
enum gm_cell_flag { GM_CELL_MIG = 1, GM_CELL_MANAGED = 2, GM_CELL_HELD = 4, GM_CELL_SIMULATED = 8 };

struct gm_cell {
	uint8_t utilization; /* per cent */
	uint8_t temperature; /* degrees Celsius, at most 254 */
	uint8_t memory;	     /* per cent used */
	uint8_t health;
	uint8_t flags;
	uint8_t mig; /* GPU instances */
};
_Static_assert(sizeof(struct gm_cell) == 6, "cells are compared as bytes");
struct gm_cell gm_cell_of(const struct gm_device *d);

/* The whole fleet: the answer of GET /gpu/fleet. */
void gm_cells_write_columns(struct gm_buf *out, const struct gm_snapshot *s);
/* The update from snapshot `base_seq` to `s` for these positions: the data of an SSE event. */
void gm_cells_write_delta(struct gm_buf *out, const struct gm_snapshot *s, uint64_t base_seq, const uint32_t *positions,
			  size_t count);

#endif
