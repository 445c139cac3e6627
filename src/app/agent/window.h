/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_WINDOW_H
#define GM_APP_AGENT_WINDOW_H

#include <stdint.h>

#include "core/fleet/sample.h"

/*
 * Least, mean and most of a few fields over the last `length_ms` (the scrape interval people use), so that a page that is
 * read every 30 s still shows a spike of one second; the same for every reader of the page, however many there are.
 * Kept in GM_WINDOW_PARTS parts of equal length, so memory does not grow with the sampling rate; what is shown covers at
 * least length_ms and at most one part more.
 */
#define GM_WINDOW_PARTS 6
#define GM_WINDOW_FIELDS(X)                                                                                            \
	X(UTILIZATION)                                                                                                 \
	X(MEMORY_COPY_UTILIZATION)                                                                                     \
	X(GR_ENGINE_ACTIVE)                                                                                            \
	X(SM_ACTIVE) X(TENSOR_ACTIVE) X(DRAM_ACTIVE) X(MEMORY_USED) X(TEMPERATURE) X(POWER) X(SM_CLOCK)
enum gm_window_field {
#define GM_WINDOW_ENUM(name) GM_WINDOW_##name,
	GM_WINDOW_FIELDS(GM_WINDOW_ENUM)
#undef GM_WINDOW_ENUM
		GM_WINDOW_FIELD_COUNT
};
extern const uint8_t gm_window_field_of[GM_WINDOW_FIELD_COUNT]; /* enum gm_field */

struct gm_window_part {
	int64_t number; /* mono_ms / part length; 0: unused */
	int32_t count[GM_WINDOW_FIELD_COUNT];
	int64_t least[GM_WINDOW_FIELD_COUNT], most[GM_WINDOW_FIELD_COUNT], sum[GM_WINDOW_FIELD_COUNT];
};
struct gm_window {
	struct gm_window_part parts[GM_WINDOW_PARTS + 1];
};
struct gm_window_value {
	int64_t least, mean, most;
	int32_t count; /* 0: no value in the window */
};
void gm_window_add(struct gm_window *w, int64_t length_ms, int64_t mono_ms, const struct gm_sample *s);
void gm_window_show(const struct gm_window *w, int64_t length_ms, int64_t mono_ms, enum gm_window_field f,
		    struct gm_window_value *out);

#endif
