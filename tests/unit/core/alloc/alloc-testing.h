/* SPDX-License-Identifier: MIT */
#ifndef GM_TESTS_UNIT_CORE_ALLOC_ALLOC_TESTING_H
#define GM_TESTS_UNIT_CORE_ALLOC_ALLOC_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/alloc/slice-space.h"

/* Next of a row, the same on every run; below n. */
static inline uint32_t draw(uint64_t *state, uint32_t n)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((*state >> 33) * n >> 31);
}

static inline bool long_run(void)
{
	const char *s = getenv("GM_LONG");

	return s && *s;
}

static inline const struct gm_mig_table *table_of(const char *variant)
{
	const struct gm_variant *v = gm_catalog_variant(gm_str(variant));

	assert_non_null(v);
	assert_non_null(v->mig);
	return v->mig;
}

static inline size_t profile_named(const struct gm_mig_table *t, const char *name)
{
	const struct gm_mig_profile *p = gm_mig_profile_find(t, gm_str(name));

	assert_non_null(p);
	return (size_t)(p - t->profiles);
}

/* The profiles of a comma-separated list, as bits. */
static inline uint64_t profiles_named(const struct gm_mig_table *t, const char *names)
{
	struct gm_str rest = gm_str(names), name;
	uint64_t bits = 0;

	while (gm_str_split(&rest, ',', &name)) {
		const struct gm_mig_profile *p = gm_mig_profile_find(t, name);

		assert_non_null(p);
		bits |= UINT64_C(1) << (p - t->profiles);
	}
	return bits;
}

#define PLAIN "1g.10gb,2g.20gb,3g.40gb,4g.40gb,7g.80gb"

static inline struct gm_slice_space *space_of(const char *variant, const char *profiles)
{
	const struct gm_mig_table *t = table_of(variant);
	struct gm_slice_space *s = NULL;

	assert_int_equal(gm_slice_space_new(t, profiles ? profiles_named(t, profiles) : ~UINT64_C(0), &s, NULL), 0);
	return s;
}

static inline uint16_t state_of(const struct gm_slice_space *s, const char *layout)
{
	struct gm_mig_layout l;
	uint16_t state;

	assert_int_equal(gm_mig_layout_parse(s->table, gm_str(layout), &l, NULL), 0);
	state = gm_slice_space_state(s, &l);
	assert_int_not_equal(state, GM_SLICE_NONE);
	return state;
}

#endif
