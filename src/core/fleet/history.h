/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_FLEET_HISTORY_H
#define GM_CORE_FLEET_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/fleet/sample.h"

/*
 * The last hour of every series in memory: newest samples as they are, older ones as blocks (block.h). One thread
 * appends, any thread reads (a lock a shard, never held over I/O).
 */
struct gm_history;

struct gm_history_stats {
	uint64_t samples, bytes, series;
};

struct gm_history *gm_history_new(int64_t keep_ms);
void gm_history_free(struct gm_history *h);
/* Not newer than the last one of the series: false, nothing kept. Drops what is older than keep_ms before `sample`. */
bool gm_history_append(struct gm_history *h, uint32_t series, const struct gm_sample *sample);
/*
 * Forgets series that have nothing newer than keep_ms before now: of boards and MIG instances that are gone. Looks at a
 * part of them each time, so it is called every second or so, by the thread that appends.
 */
void gm_history_expire(struct gm_history *h, int64_t now_ms);
/* From when on the memory of this series is complete; INT64_MAX when it has nothing. */
int64_t gm_history_since(struct gm_history *h, uint32_t series);

/* One value in time; the unit is the field's. */
struct gm_point {
	int64_t at_ms;
	int64_t value;
};
/*
 * Calls `each` for the values of one field with from_ms <= time < to_ms, in rising time; stops when it returns false.
 * The lock is not held during the calls.
 */
int gm_history_read(struct gm_history *h, uint32_t series, enum gm_field field, int64_t from_ms, int64_t to_ms,
		    bool (*each)(void *ctx, const struct gm_point *point), void *ctx, struct gm_err *err) GM_CHECKED;
void gm_history_stats(struct gm_history *h, struct gm_history_stats *out);

GM_DEFINE_AUTO(struct gm_history, gm_history_free)

#endif
