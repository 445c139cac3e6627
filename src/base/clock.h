/* SPDX-License-Identifier: MIT */
#ifndef GM_BASE_CLOCK_H
#define GM_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/str.h"

/* Time as it is handed to what needs it. wall: ms since the epoch, UTC, may step. mono: ms, never goes back. */
struct gm_clock {
	int64_t (*wall_ms)(void *ctx);
	int64_t (*mono_ms)(void *ctx);
	void *ctx;
};
const struct gm_clock *gm_clock_system(void);

/* Nanoseconds of the system's monotonic clock: for measuring how long something took, never for deciding. */
int64_t gm_clock_mono_ns(void);

/* A clock that tests set by hand. */
struct gm_manual_clock {
	struct gm_clock clock;
	int64_t wall_ms;
	int64_t mono_ms;
};
void gm_manual_clock_init(struct gm_manual_clock *c, int64_t wall_ms);
void gm_manual_clock_advance(struct gm_manual_clock *c, int64_t ms);

static inline int64_t gm_wall_ms(const struct gm_clock *c)
{
	return c->wall_ms(c->ctx);
}
static inline int64_t gm_mono_ms(const struct gm_clock *c)
{
	return c->mono_ms(c->ctx);
}

#define GM_TIME_TEXT_SIZE 25 /* "2026-11-24T16:14:08.123Z" and NUL */
/* RFC 3339, UTC, milliseconds only when not 0. Years 1 to 9999; outside them the nearest end. Returns the length. */
unsigned gm_time_format(int64_t ms, char buf[static GM_TIME_TEXT_SIZE]);
/* RFC 3339 with Z or an offset, fraction of any length; also whole seconds since the epoch ("1764000000"). */
bool gm_time_parse(struct gm_str s, int64_t *out_ms) GM_CHECKED;

#endif
