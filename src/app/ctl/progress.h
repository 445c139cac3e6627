/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_CTL_PROGRESS_H
#define GM_APP_CTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/clock.h"

/*
 * One line that says how far we are, on a terminal only, and only where something takes longer than a second. Not safe for
 * several threads.
 */
struct gm_ctl_progress {
	FILE *to; /* NULL: silent */
	const struct gm_clock *clock;
	int64_t began_ms, shown_ms;
	bool shown;
};

/* Shows only when `to` is a terminal. */
void gm_ctl_progress_init(struct gm_ctl_progress *p, FILE *to, const struct gm_clock *clock);
/* Cheap enough to call some thousand times a second. */
void gm_ctl_progress_step(struct gm_ctl_progress *p, const char *what, uint64_t done, uint64_t total);
/* Wipes the line. */
void gm_ctl_progress_end(struct gm_ctl_progress *p);

#endif
