/* SPDX-License-Identifier: MIT */
#ifndef GM_TESTS_UNIT_CORE_MIG_MIG_TESTING_H
#define GM_TESTS_UNIT_CORE_MIG_MIG_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/mig/mig.h"

/* Room for all layouts of the richest board (RTX PRO 6000). */
#define LAYOUTS_MAX 4096
struct layouts {
	size_t count;
	struct gm_mig_layout items[LAYOUTS_MAX];
};

static inline bool keep_layout(void *ctx, const struct gm_mig_layout *l)
{
	struct layouts *all = ctx;

	assert_true(all->count < LAYOUTS_MAX);
	all->items[all->count++] = *l;
	return true;
}

static inline const struct layouts *all_layouts(const struct gm_mig_table *t)
{
	static struct layouts all;

	all.count = 0;
	gm_mig_layouts(t, ~UINT64_C(0), keep_layout, &all);
	return &all;
}

static inline const struct gm_mig_table *table_of(const char *variant)
{
	const struct gm_variant *v = gm_catalog_variant(gm_str(variant));

	assert_non_null(v);
	assert_non_null(v->mig);
	return v->mig;
}

/* Every table of the catalogue once; *at begins with 0. NULL at the end. */
static inline const struct gm_mig_table *next_table(size_t *at)
{
	size_t count = 0;
	const struct gm_variant *rows = gm_catalog_variants(&count);

	while (*at < count) {
		const struct gm_mig_table *t = rows[(*at)++].mig;
		bool seen = !t;

		for (size_t i = 0; i + 1 < *at && !seen; i++)
			seen = rows[i].mig == t;
		if (!seen)
			return t;
	}
	return NULL;
}

static inline uint8_t profile_named(const struct gm_mig_table *t, const char *name)
{
	const struct gm_mig_profile *p = gm_mig_profile_find(t, gm_str(name));

	assert_non_null(p);
	return (uint8_t)(p - t->profiles);
}

/* Next bytes of a row, the same on every run. */
static inline uint32_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33);
}

#endif
