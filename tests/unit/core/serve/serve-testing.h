/* SPDX-License-Identifier: MIT */
#ifndef GM_TESTS_CORE_SERVE_TESTING_H
#define GM_TESTS_CORE_SERVE_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/serve/serve-internal.h"

/* splitmix64: the same numbers everywhere. */
static inline uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}
static inline int random_between(uint64_t *state, int min, int max)
{
	return min + (int)(next_random(state) % (uint64_t)(max - min + 1));
}

static inline const struct gm_mig_table *table_of(const char *variant)
{
	const struct gm_variant *v = gm_catalog_variant(gm_str(variant));

	assert_non_null(v);
	assert_non_null(v->mig);
	return v->mig;
}

/* All that must hold of any plan, whatever was asked. */
static inline void check_plan(const struct gm_mig_table *t, const struct gm_serve_demand *demands, size_t count,
			      const struct gm_serve_plan *plan)
{
	int64_t capacity[GM_SERVE_DEMANDS_MAX] = { 0 };
	struct gm_mig_layout layout = { 0 };
	int *seen = calloc(plan->segment_count + 1, sizeof(*seen));
	int gpcs = 0, board = -1;

	assert_non_null(seen);
	for (size_t i = 0; i < plan->instance_count; i++) {
		const struct gm_serve_instance *it = &plan->instances[i];
		const struct gm_serve_segment *s = &plan->segments[it->segment];
		const struct gm_serve_point *p = &demands[s->demand].points[s->point];

		/* Board by board, none empty; add asserts that the slot is free and legal. */
		if (it->board != board) {
			assert_int_equal(it->board, board + 1);
			board = it->board;
			layout = (struct gm_mig_layout){ 0 };
		}
		assert_int_equal(gm_mig_layout_may_add(t, &layout, it->slot, NULL), 0);
		gm_mig_layout_add(t, &layout, it->slot);
		assert_int_equal(it->slot.profile, s->profile);
		assert_int_equal(t->profiles[s->profile].compute_slices, p->gpcs);
		assert_true(gm_serve_point_feasible(p, demands[s->demand].slo_us));
		capacity[s->demand] += gm_serve_point_rate_milli(p);
		gpcs += p->gpcs;
		seen[it->segment]++;
	}
	for (size_t i = 0; i < plan->segment_count; i++)
		assert_int_equal(seen[i], plan->segments[i].count);
	free(seen);
	for (size_t i = 0; i < count; i++)
		assert_true(capacity[i] >= demands[i].rate_milli);
	assert_int_equal(plan->boards, board + 1);
	assert_int_equal(plan->gpcs, gpcs);
	assert_true(plan->boards >= plan->boards_floor);
	assert_true(plan->gpcs >= plan->gpcs_floor);
	assert_int_equal(plan->boards_proven, plan->boards == plan->boards_floor);
	assert_true(plan->gpcs_proven || plan->gpcs > plan->gpcs_floor);
}

#endif
