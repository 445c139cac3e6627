/* SPDX-License-Identifier: MIT */
#include "core/alloc/mix.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"

/* Far from where doubles lose the small weights. */
#define STEP_MAX 1e9
#define LN2 0.69314718055994530942

void gm_mix_init(struct gm_mix *m, size_t count, unsigned half_life)
{
	*m = (struct gm_mix){ .step = 1, .growth = 1 };
	/* 2^(1/n), to the second order: no function of the C library, which may differ in the last bit. */
	if (half_life) {
		double x = LN2 / half_life;

		m->growth = 1 + x + x * x / 2;
	}
	gm_mix_grow(m, count);
	for (size_t i = 0; i < count; i++)
		m->weights[i] = 1;
	m->total = (double)count;
}

void gm_mix_fini(struct gm_mix *m)
{
	free(m->weights);
	*m = (struct gm_mix){ 0 };
}

void gm_mix_grow(struct gm_mix *m, size_t count)
{
	if (count <= m->count)
		return;
	m->weights = gm_xrealloc(m->weights, count * sizeof(*m->weights));
	for (size_t i = m->count; i < count; i++)
		m->weights[i] = 0;
	m->count = count;
}

static void rescale(struct gm_mix *m)
{
	m->total = 0;
	for (size_t i = 0; i < m->count; i++) {
		m->weights[i] /= m->step;
		m->total += m->weights[i];
	}
	m->step = 1;
}

void gm_mix_saw(struct gm_mix *m, size_t type)
{
	assert(type < m->count);
	m->weights[type] += m->step;
	m->total += m->step;
	m->step *= m->growth;
	if (m->step > STEP_MAX)
		rescale(m);
}
