/* SPDX-License-Identifier: MIT */
#include "core/alloc/lifetime.h"

#include <stddef.h>

#define BARS_BITS 3	     /* eight to a doubling */
#define GROWTH (1 + 0.00035) /* half is forgotten after about 2,000 */
#define STEP_MAX 1e9
#define KNOWN_MIN 32
#define STALE_MAX 16

/* 0..7 have a bar each, then eight to each power of two. */
static unsigned bar_of(int64_t age)
{
	uint64_t a = age > 0 ? (uint64_t)age : 0;
	unsigned octave, bar;

	if (a < 1U << BARS_BITS)
		return (unsigned)a;
	octave = 63U - (unsigned)__builtin_clzll(a) - BARS_BITS;
	bar = ((octave + 1) << BARS_BITS) + (unsigned)(a >> octave) - (1U << BARS_BITS);
	return bar < GM_LIFETIME_BARS ? bar : GM_LIFETIME_BARS - 1;
}

static double edge_of(unsigned bar)
{
	unsigned octave = bar >> BARS_BITS;

	if (!octave)
		return bar;
	return (double)((bar & 7U) + 8U) * (double)(UINT64_C(1) << (octave - 1));
}

void gm_lifetimes_init(struct gm_lifetimes *l)
{
	*l = (struct gm_lifetimes){ .step = 1 };
}

/*
 * From the last bar down: of those who enter a bar some end in it, half way through on average, the others enter the next.
 */
static void refresh(struct gm_lifetimes *l)
{
	double enter = 0;

	l->stale = 0;
	l->left[GM_LIFETIME_BARS] = 0;
	for (unsigned i = GM_LIFETIME_BARS; i-- > 0;) {
		double wide = edge_of(i + 1) - edge_of(i), q;

		enter += l->ended[i];
		if (enter <= 0) {
			l->left[i] = 0;
			continue;
		}
		q = l->ended[i] / enter;
		l->left[i] = wide * (1 - q / 2) + (1 - q) * l->left[i + 1];
	}
}

void gm_lifetimes_learn(struct gm_lifetimes *l, int64_t lifetime)
{
	l->ended[bar_of(lifetime)] += l->step;
	l->step *= GROWTH;
	if (l->step > STEP_MAX) {
		for (size_t i = 0; i < GM_LIFETIME_BARS; i++)
			l->ended[i] /= l->step;
		l->step = 1;
	}
	l->known += l->known < KNOWN_MIN;
	if (++l->stale >= STALE_MAX || l->known < KNOWN_MIN)
		refresh(l);
}

double gm_lifetimes_left(const struct gm_lifetimes *l, int64_t age)
{
	unsigned bar = bar_of(age);
	double low = edge_of(bar), high = edge_of(bar + 1), at;

	if (l->known < KNOWN_MIN)
		return 0;
	at = age > 0 ? ((double)age - low) / (high - low) : 0;
	return l->left[bar] + (l->left[bar + 1] - l->left[bar]) * (at < 1 ? at : 1);
}
