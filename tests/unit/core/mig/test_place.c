/* SPDX-License-Identifier: MIT */
#include "mig-testing.h"

/* What can still be created next, in units: the measure of room that the choice of starts is judged by. */
static int worth_of(const struct gm_mig_table *t, const struct gm_mig_layout *l)
{
	int worth = 0;

	for (uint8_t k = 0; k < t->profile_count; k++) {
		for (size_t i = 0; i < t->profiles[k].start_count; i++) {
			struct gm_mig_slot slot = { k, t->profiles[k].starts[i] };

			worth += gm_mig_layout_may_add(t, l, slot, NULL) == 0 ? t->profiles[k].size : 0;
		}
	}
	return worth;
}

static bool contains(const struct gm_mig_layout *l, const struct gm_mig_layout *part)
{
	struct gm_mig_diff d;

	gm_mig_layout_diff(part, l, &d);
	return d.destroy.count == 0;
}

static void count_profiles(const struct gm_mig_layout *l, uint8_t counts[static 64])
{
	for (size_t i = 0; i < l->count; i++)
		counts[l->slots[i].profile]++;
}

/* The best worth of the layouts that hold `fixed` and exactly those profiles beside it; -1: there is none. */
static int best_by_force(const struct gm_mig_table *t, const struct layouts *all, const int *worths,
			 const struct gm_mig_layout *fixed, const uint8_t *profiles, size_t count)
{
	uint8_t want[64] = { 0 };
	int best = -1;

	(void)t;
	count_profiles(fixed, want);
	for (size_t i = 0; i < count; i++)
		want[profiles[i]]++;
	for (size_t i = 0; i < all->count; i++) {
		uint8_t have[64] = { 0 };

		if (worths[i] <= best || all->items[i].count != fixed->count + count)
			continue;
		count_profiles(&all->items[i], have);
		if (memcmp(have, want, sizeof(have)) == 0 && contains(&all->items[i], fixed))
			best = worths[i];
	}
	return best;
}

static void check_place(const struct gm_mig_table *t, const struct layouts *all, const int *worths,
			const struct gm_mig_layout *fixed, const uint8_t *profiles, size_t count)
{
	struct gm_mig_layout out = { .count = 99 };
	struct gm_err err = { 0 };
	int best = best_by_force(t, all, worths, fixed, profiles, count);
	int rc = gm_mig_layout_place(t, fixed, profiles, count, &out, &err);

	if (best < 0) {
		assert_int_equal(rc, GM_ERR_CONFLICT);
		assert_int_equal(out.count, 99);
		assert_true(err.text[0] != '\0');
		return;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(gm_mig_layout_check(t, &out, NULL), 0);
	assert_true(contains(&out, fixed));
	assert_int_equal(out.count, fixed->count + count);
	assert_int_equal(worth_of(t, &out), best);
}

static void test_place_is_exact(void **state)
{
	static const char *const boards[] = { "A30", "A100_SXM4_80GB", "H100_SXM5_80GB", "RTX_PRO_6000_BLACKWELL_SE" };
	static int worths[LAYOUTS_MAX];
	uint64_t seed = 11;

	(void)state;
	for (size_t b = 0; b < GM_LEN(boards); b++) {
		const struct gm_mig_table *t = table_of(boards[b]);
		const struct layouts *all = all_layouts(t);

		for (size_t i = 0; i < all->count; i++)
			worths[i] = worth_of(t, &all->items[i]);
		/* The profiles of every layout fit; those by chance mostly do not. */
		for (size_t i = 0; i < all->count; i++) {
			const struct gm_mig_layout *l = &all->items[i];
			struct gm_mig_layout fixed = { 0 };
			uint8_t profiles[GM_MIG_INSTANCES_MAX];
			size_t count = 0;

			for (size_t k = 0; k < l->count; k++) {
				if (next_random(&seed) % 3 == 0)
					fixed.slots[fixed.count++] = l->slots[k];
				else
					profiles[count++] = l->slots[k].profile;
			}
			check_place(t, all, worths, &fixed, profiles, count);
			for (size_t k = 0; k < 3 && count < GM_MIG_INSTANCES_MAX; k++)
				profiles[count++] = (uint8_t)(next_random(&seed) % t->profile_count);
			check_place(t, all, worths, &fixed, profiles, count < 4 ? count : count - 2);
		}
	}
}

static void test_choose_leaves_most_room(void **state)
{
	const struct gm_mig_table *t;

	(void)state;
	for (size_t at = 0; (t = next_table(&at)) != NULL;) {
		const struct layouts *all = all_layouts(t);

		for (size_t i = 0; i < all->count; i++) {
			for (uint8_t k = 0; k < t->profile_count; k++) {
				int start = gm_mig_layout_choose(t, &all->items[i], k), best = -1, worth = -1;

				for (size_t s = 0; s < t->profiles[k].start_count; s++) {
					struct gm_mig_slot slot = { k, t->profiles[k].starts[s] };
					struct gm_mig_layout more = all->items[i];
					int w;

					if (gm_mig_layout_may_add(t, &more, slot, NULL))
						continue;
					gm_mig_layout_add(t, &more, slot);
					w = worth_of(t, &more);
					best = w > best ? w : best;
					worth = slot.start == start ? w : worth;
				}
				assert_int_equal(start < 0, gm_mig_layout_remaining(t, &all->items[i], k) == 0);
				assert_int_equal(worth, best);
			}
		}
	}
}

static void test_choose_does_as_drivers_were_seen_to(void **state)
{
	static const struct {
		const char *variant, *have, *profile;
		int start;
	} rows[] = {
		{ "A100_SXM4_80GB", "", "3g.40gb", 4 }, /* a lone 3g lands at 4 */
		{ "H100_SXM5_80GB", "", "1g.10gb", 6 }, /* the first 1g at 6: 0 to 3 and 4 to 7 stay for 4g and 3g... */
		{ "H100_SXM5_80GB", "3g.40gb@4", "3g.40gb", 0 },  { "H100_SXM5_80GB", "3g.40gb@4", "4g.40gb", 0 },
		{ "H100_SXM5_80GB", "7g.80gb@0", "1g.10gb", -1 }, { "H100_SXM5_80GB", "1g.10gb@0", "4g.40gb", -1 },
		{ "H100_SXM5_80GB", "", "2g.20gb", 4 },		  { "H100_SXM5_80GB", "", "7g.80gb", 0 },
	};

	(void)state;
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		const struct gm_mig_table *t = table_of(rows[i].variant);
		struct gm_mig_layout l;

		assert_int_equal(gm_mig_layout_parse(t, gm_str(rows[i].have), &l, NULL), 0);
		assert_int_equal(gm_mig_layout_choose(t, &l, profile_named(t, rows[i].profile)), rows[i].start);
	}
}

static void test_place_refuses_what_is_too_many(void **state)
{
	const struct gm_mig_table *t = table_of("H100_SXM5_80GB");
	uint8_t many[64] = { 0 };
	struct gm_mig_layout none = { 0 }, out = { 0 };
	struct gm_err err = { 0 };

	(void)state;
	assert_int_equal(gm_mig_layout_place(t, &none, many, 64, &out, &err), GM_ERR_CONFLICT);
	assert_int_equal(gm_mig_layout_place(t, &none, many, 8, &out, &err), GM_ERR_CONFLICT);
	assert_int_equal(gm_mig_layout_place(t, &none, many, 0, &out, &err), 0);
	assert_int_equal(out.count, 0);
	many[0] = 99;
	assert_int_equal(gm_mig_layout_place(t, &none, many, 1, &out, &err), GM_ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_place_is_exact),
		cmocka_unit_test(test_choose_leaves_most_room),
		cmocka_unit_test(test_choose_does_as_drivers_were_seen_to),
		cmocka_unit_test(test_place_refuses_what_is_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
