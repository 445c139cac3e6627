/* SPDX-License-Identifier: MIT */
#include "alloc-testing.h"

static void test_known_numbers_of_layouts(void **state)
{
	static const struct {
		const char *variant, *profiles;
		size_t layouts, maximal;
	} CASES[] = {
		{ "A100_SXM4_80GB", PLAIN, 298, 19 },
		{ "A100_SXM4_80GB", PLAIN ",1g.20gb", 723, 78 },
		{ "H100_SXM5_80GB", PLAIN, 298, 19 },
	};

	(void)state;
	for (size_t i = 0; i < GM_LEN(CASES); i++) {
		GM_AUTO(gm_slice_space_free_p)
		struct gm_slice_space *s = space_of(CASES[i].variant, CASES[i].profiles);
		size_t maximal = 0;

		assert_int_equal(s->state_count, CASES[i].layouts);
		for (uint16_t k = 0; k < s->state_count; k++) {
			unsigned more = 0;

			for (size_t slot = 0; slot < s->slot_count; slot++)
				more += gm_slice_with(s, k, slot) != GM_SLICE_NONE;
			maximal += more == 0;
		}
		assert_int_equal(maximal, CASES[i].maximal);
	}
}

static void check_space(const struct gm_slice_space *s)
{
	assert_int_equal(s->layouts[0].count, 0);
	for (uint16_t k = 0; k < s->state_count; k++) {
		assert_int_equal(gm_slice_space_state(s, &s->layouts[k]), k);
		for (size_t p = 0; p < s->table->profile_count; p++)
			assert_int_equal(gm_slice_room(s, k, p), gm_mig_layout_remaining(s->table, &s->layouts[k], p));
		for (size_t slot = 0; slot < s->slot_count; slot++) {
			uint16_t with = gm_slice_with(s, k, slot);
			bool allowed = gm_mig_layout_may_add(s->table, &s->layouts[k], s->slots[slot], NULL) == 0;

			assert_int_equal(with != GM_SLICE_NONE, allowed);
			if (!allowed)
				continue;
			assert_int_equal(gm_slice_without(s, with, slot), k);
			assert_int_equal(s->layouts[with].count, s->layouts[k].count + 1);
			assert_int_equal(s->free_units[k] - s->free_units[with], gm_slice_size(s, slot));
		}
	}
}

/* What the numbers say is what core/mig says, on every board of the catalogue whose placements are known. */
static void test_links_and_room_on_every_table(void **state)
{
	size_t count = 0, seen = 0;
	const struct gm_variant *rows = gm_catalog_variants(&count);
	const struct gm_mig_table *last[64];

	(void)state;
	for (size_t i = 0; i < count; i++) {
		struct gm_slice_space *s = NULL;
		struct gm_err err;
		size_t k = 0;

		while (k < seen && last[k] != rows[i].mig)
			k++;
		if (!rows[i].mig || k < seen)
			continue;
		last[seen++] = rows[i].mig;
		if (rows[i].mig->placement_units <= 0) {
			assert_int_equal(gm_slice_space_new(rows[i].mig, ~UINT64_C(0), &s, &err), GM_ERR_INVALID);
			continue;
		}
		assert_int_equal(gm_slice_space_new(rows[i].mig, ~UINT64_C(0), &s, &err), 0);
		check_space(s);
		gm_slice_space_free(s);
	}
	assert_true(seen > 10);
}

static void test_what_is_not_of_the_space_has_no_number(void **state)
{
	GM_AUTO(gm_slice_space_free_p) struct gm_slice_space *s = space_of("A100_SXM4_80GB", PLAIN);
	struct gm_mig_layout l;

	(void)state;
	assert_int_equal(gm_mig_layout_parse(s->table, GM_STR("1g.20gb@6"), &l, NULL), 0);
	assert_int_equal(gm_slice_space_state(s, &l), GM_SLICE_NONE);
	assert_int_equal(gm_slice_space_slot(s, l.slots[0]), GM_SLICE_NONE);
	assert_int_equal(gm_slice_space_slot(s, (struct gm_mig_slot){ .profile = 200 }), GM_SLICE_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_numbers_of_layouts),
		cmocka_unit_test(test_links_and_room_on_every_table),
		cmocka_unit_test(test_what_is_not_of_the_space_has_no_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
