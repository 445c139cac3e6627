/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_ALLOC_MIX_H
#define GM_CORE_ALLOC_MIX_H

#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"

/*
 * What was asked for, as shares of numbered types: counts that fade, so that the mix follows what people ask for now. It
 * knows the past only. Same calls, same numbers, whatever the compiler: sums and products of doubles, nothing else.
 */
struct gm_mix {
	double *weights;
	size_t count;
	double total;
	double step;   /* what the next request counts; grows instead of all others shrinking */
	double growth; /* 1: nothing is ever forgotten */
};

/*
 * `count` types, each as if it had been asked for once, so that what was never asked for is still worth something.
 * half_life: after that many requests one counts half; 0: never.
 */
void gm_mix_init(struct gm_mix *m, size_t count, unsigned half_life);
void gm_mix_fini(struct gm_mix *m);
/* Types may be added later; they begin with nothing. Never fewer than before. */
void gm_mix_grow(struct gm_mix *m, size_t count);
void gm_mix_saw(struct gm_mix *m, size_t type);
/* 0..1; all types together are 1. */
static inline double gm_mix_share(const struct gm_mix *m, size_t type)
{
	return m->total > 0 ? m->weights[type] / m->total : 0;
}

GM_DEFINE_AUTO_VALUE(struct gm_mix, gm_mix_fini)

#endif
