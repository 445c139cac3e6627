/* SPDX-License-Identifier: MIT */
#include "mig-testing.h"

static bool holds(const struct gm_mig_layout *l, struct gm_mig_slot slot)
{
	for (size_t i = 0; i < l->count; i++) {
		if (l->slots[i].profile == slot.profile && l->slots[i].start == slot.start)
			return true;
	}
	return false;
}

static void check_diff(const struct gm_mig_table *t, const struct gm_mig_layout *from, const struct gm_mig_layout *to)
{
	struct gm_mig_layout now = *from;
	struct gm_mig_diff d;

	gm_mig_layout_diff(from, to, &d);
	assert_int_equal(d.keep.count + d.destroy.count, from->count);
	assert_int_equal(d.keep.count + d.create.count, to->count);
	for (size_t i = 0; i < d.keep.count; i++)
		assert_true(holds(from, d.keep.slots[i]) && holds(to, d.keep.slots[i]));
	for (size_t i = 0; i < d.destroy.count; i++) {
		assert_false(holds(to, d.destroy.slots[i]));
		gm_mig_layout_remove(&now, d.destroy.slots[i]);
		assert_int_equal(gm_mig_layout_check(t, &now, NULL), 0);
	}
	assert_true(gm_mig_layout_same(&now, &d.keep));
	/* Any order of creation works: the last first. */
	for (size_t i = d.create.count; i-- > 0;) {
		assert_int_equal(gm_mig_layout_may_add(t, &now, d.create.slots[i], NULL), 0);
		gm_mig_layout_add(t, &now, d.create.slots[i]);
	}
	assert_true(gm_mig_layout_same(&now, to));
}

static void test_diff_leads_from_each_layout_to_each(void **state)
{
	static const char *const boards[] = { "A30", "RTX_PRO_6000_BLACKWELL_SE", "A100_SXM4_80GB", "H100_SXM5_80GB" };
	uint64_t seed = 7;

	(void)state;
	for (size_t b = 0; b < GM_LEN(boards); b++) {
		const struct gm_mig_table *t = table_of(boards[b]);
		const struct layouts *all = all_layouts(t);

		/* All pairs of the small one; of the others all in a row, and each with eight by chance. */
		for (size_t i = 0; i < all->count; i++) {
			for (size_t k = 0; k < all->count && all->count < 100; k++)
				check_diff(t, &all->items[i], &all->items[k]);
			check_diff(t, &all->items[i], &all->items[i]);
			check_diff(t, &all->items[i], &all->items[(i + 1) % all->count]);
			for (size_t k = 0; k < 8; k++)
				check_diff(t, &all->items[i], &all->items[next_random(&seed) % all->count]);
		}
	}
}

static void test_units_are_those_of_the_slots(void **state)
{
	static const struct {
		const char *variant, *layout;
		uint32_t units;
	} rows[] = {
		{ "H100_SXM5_80GB", "", 0 },
		{ "H100_SXM5_80GB", "3g.40gb@4, 1g.10gb@0", 0xf1 },
		{ "H100_SXM5_80GB", "7g.80gb@0", 0xff },
		{ "H100_SXM5_80GB", "1g.10gb*7", 0x7f },
		{ "A30", "2g.12gb@2", 0xc },
		{ "RTX_PRO_6000_BLACKWELL_SE", "1g.24gb@9, 2g.48gb@0", 0xe3f },
		{ "RTX_PRO_6000_BLACKWELL_SE", "4g.96gb", 0xfff },
	};

	(void)state;
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		const struct gm_mig_table *t = table_of(rows[i].variant);
		struct gm_mig_layout l;

		assert_int_equal(gm_mig_layout_parse(t, gm_str(rows[i].layout), &l, NULL), 0);
		assert_int_equal(gm_mig_layout_units(t, &l), rows[i].units);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_diff_leads_from_each_layout_to_each),
		cmocka_unit_test(test_units_are_those_of_the_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
