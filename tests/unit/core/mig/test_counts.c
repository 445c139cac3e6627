/* SPDX-License-Identifier: MIT */
#include "mig-testing.h"

/* A table with only those profiles: whether a layout is maximal depends on what else there is. */
static struct gm_mig_table only(const struct gm_mig_table *t, const char *const *names, struct gm_mig_profile *room)
{
	struct gm_mig_table cut = *t;

	cut.profiles = room;
	cut.profile_count = 0;
	for (size_t i = 0; names[i]; i++)
		room[cut.profile_count++] = t->profiles[profile_named(t, names[i])];
	return cut;
}

/* How many of each profile, as one number. */
static uint64_t profile_set(const struct gm_mig_layout *l)
{
	uint64_t set = 0;

	for (size_t i = 0; i < l->count; i++)
		set += UINT64_C(1) << l->slots[i].profile * 4;
	return set;
}

static size_t distinct(uint64_t *sets, size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		bool seen = false;

		for (size_t k = 0; k < n && !seen; k++)
			seen = sets[k] == sets[i];
		if (!seen)
			sets[n++] = sets[i];
	}
	return n;
}

static void test_counts_are_the_published_ones(void **state)
{
	static const struct {
		const char *variant;
		const char *names[8];
		size_t layouts, maximal, sets;
	} rows[] = {
		{ "A100_SXM4_80GB", { "1g.10gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb" }, 298, 19, 14 },
		{ "A100_SXM4_80GB", { "1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb" }, 723, 78, 38 },
		{ "A100_SXM4_80GB", { "1g.10gb", "2g.20gb", "3g.40gb", "7g.80gb" }, 0, 16, 11 },
		{ "H100_SXM5_80GB", { "1g.10gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb" }, 298, 19, 14 },
		{ "H100_SXM5_80GB", { "1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb" }, 723, 78, 38 },
		{ "H200_SXM", { "1g.18gb", "2g.35gb", "3g.71gb", "4g.71gb", "7g.141gb" }, 298, 19, 14 },
		{ "A30", { "1g.6gb", "2g.12gb", "4g.24gb" }, 26, 5, 4 },
	};

	(void)state;
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		struct gm_mig_profile room[8];
		struct gm_mig_table t = only(table_of(rows[i].variant), rows[i].names, room);
		const struct layouts *all = all_layouts(&t);
		static uint64_t sets[LAYOUTS_MAX];
		size_t maximal = 0;

		for (size_t k = 0; k < all->count; k++) {
			if (gm_mig_layout_maximal(&t, &all->items[k]))
				sets[maximal++] = profile_set(&all->items[k]);
		}
		if (rows[i].layouts)
			assert_int_equal(all->count, rows[i].layouts);
		assert_int_equal(maximal, rows[i].maximal);
		assert_int_equal(distinct(sets, maximal), rows[i].sets);
	}
}

static void test_counts_of_whole_tables_follow_from_those_of_plain_profiles(void **state)
{
	const struct gm_mig_table *t = table_of("A100_SXM4_80GB");
	uint64_t plain = ~(UINT64_C(1) << profile_named(t, "1g.10gb+me"));
	static struct layouts without;
	const struct layouts *all;
	size_t expected = 0;

	(void)state;
	without.count = 0;
	gm_mig_layouts(t, plain, keep_layout, &without);
	/* One of the 1g of a layout may be the "+me" instead. */
	for (size_t i = 0; i < without.count; i++) {
		expected++;
		for (size_t k = 0; k < without.items[i].count; k++)
			expected += without.items[i].slots[k].profile == profile_named(t, "1g.10gb");
	}
	all = all_layouts(t);
	assert_int_equal(without.count, 723);
	assert_int_equal(all->count, expected);
}

static bool stop_at_ten(void *ctx, const struct gm_mig_layout *l)
{
	size_t *n = ctx;

	assert_true(*n > 0 || l->count == 0); /* the empty one comes first */
	return ++*n < 10;
}

static void test_layouts_stop_when_told(void **state)
{
	size_t n = 0;

	(void)state;
	gm_mig_layouts(table_of("H100_SXM5_80GB"), ~UINT64_C(0), stop_at_ten, &n);
	assert_int_equal(n, 10);
}

static void test_every_layout_of_every_board_is_legal_and_met_once(void **state)
{
	const struct gm_mig_table *t;
	size_t boards = 0, unknown = 0;

	(void)state;
	for (size_t at = 0; (t = next_table(&at)) != NULL; boards++) {
		const struct layouts *all = all_layouts(t);

		for (size_t i = 0; i < all->count; i++) {
			struct gm_err err = { 0 };

			if (gm_mig_layout_check(t, &all->items[i], &err))
				fail_msg("%s: %s", t->id, err.text);
			for (size_t k = 0; k < i; k++)
				assert_false(gm_mig_layout_same(&all->items[i], &all->items[k]));
		}
		unknown += t->placement_units <= 0;
		assert_int_equal(all->count == 1, t->placement_units <= 0);
	}
	assert_true(boards >= 13);
	assert_int_equal(unknown, 2); /* RTX PRO 5000 and 4500: no placements are published */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts_are_the_published_ones),
		cmocka_unit_test(test_counts_of_whole_tables_follow_from_those_of_plain_profiles),
		cmocka_unit_test(test_layouts_stop_when_told),
		cmocka_unit_test(test_every_layout_of_every_board_is_legal_and_met_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
