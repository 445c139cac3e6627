/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_ALLOC_LIFETIME_H
#define GM_CORE_ALLOC_LIFETIME_H

#include <stdint.h>

/*
 * How long things run, learnt from those that ended: a histogram of lifetimes with eight bars to each doubling, which
 * fades. From it: how much longer one is expected to run that has run for so long already. Times are in any one unit,
 * milliseconds for us.
 */
#define GM_LIFETIME_BARS 384

struct gm_lifetimes {
	double ended[GM_LIFETIME_BARS]; /* weights */
	double left[GM_LIFETIME_BARS +
		    1]; /* expected rest at the lower edge of each bar; kept up by gm_lifetimes_learn */
	double step;
	unsigned known; /* how many ended, up to a limit that is all that is asked about */
	unsigned stale; /* ended since `left` was made */
};

void gm_lifetimes_init(struct gm_lifetimes *l);
void gm_lifetimes_learn(struct gm_lifetimes *l, int64_t lifetime);
/* 0 as long as too few have ended to say. */
double gm_lifetimes_left(const struct gm_lifetimes *l, int64_t age);

#endif
