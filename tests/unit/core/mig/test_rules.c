/* SPDX-License-Identifier: MIT */
#include "mig-testing.h"

/*
 * Another way to the same rules: no two slots on one unit, counts, and the sum of each kind of engine at most what the
 * profile of the whole board has. Engines whose numbers are not known are not summed.
 */
static bool engines_hold(const struct gm_mig_table *t, const struct gm_mig_layout *l, size_t member)
{
	int sum = 0, most = 0;

	for (size_t i = 0; i < t->profile_count; i++) {
		int n = *(const int *)(const void *)((const char *)&t->profiles[i] + member);

		if (n < 0)
			return true;
		most = n > most ? n : most;
	}
	for (size_t i = 0; i < l->count; i++)
		sum += *(const int *)(const void *)((const char *)&t->profiles[l->slots[i].profile] + member);
	return sum <= most;
}

static bool legal_by_sums(const struct gm_mig_table *t, const struct gm_mig_layout *l)
{
	static const size_t members[] = { offsetof(struct gm_mig_profile, decoders),
					  offsetof(struct gm_mig_profile, encoders),
					  offsetof(struct gm_mig_profile, jpeg), offsetof(struct gm_mig_profile, ofa) };

	for (size_t i = 0; i < l->count; i++) {
		const struct gm_mig_profile *p = &t->profiles[l->slots[i].profile];
		int same = 0;

		for (size_t k = 0; k < l->count; k++) {
			const struct gm_mig_profile *q = &t->profiles[l->slots[k].profile];

			same += p == q;
			if (k != i && l->slots[i].start < l->slots[k].start + q->size &&
			    l->slots[k].start < l->slots[i].start + p->size)
				return false;
		}
		if (same > p->max_instances)
			return false;
	}
	for (size_t i = 0; i < GM_LEN(members); i++) {
		if (!engines_hold(t, l, members[i]))
			return false;
	}
	return true;
}

static struct gm_mig_layout with(const struct gm_mig_layout *l, struct gm_mig_slot slot)
{
	struct gm_mig_layout more = { .count = l->count + 1 };
	size_t i = 0;

	for (; i < l->count && l->slots[i].start <= slot.start; i++)
		more.slots[i] = l->slots[i];
	more.slots[i] = slot;
	for (; i < l->count; i++)
		more.slots[i + 1] = l->slots[i];
	return more;
}

static int most_more(const struct gm_mig_table *t, const struct gm_mig_layout *l, uint8_t profile, size_t first)
{
	const struct gm_mig_profile *p = &t->profiles[profile];
	int best = 0;

	for (size_t i = first; i < p->start_count; i++) {
		struct gm_mig_layout more = with(l, (struct gm_mig_slot){ profile, p->starts[i] });
		int n;

		if (!legal_by_sums(t, &more))
			continue;
		n = 1 + most_more(t, &more, profile, i + 1);
		best = n > best ? n : best;
	}
	return best;
}

/* All layouts with each slot that the table has: allowed or not, by three ways. */
static size_t check_all_steps(const struct gm_mig_table *t)
{
	const struct layouts *all = all_layouts(t);
	size_t allowed = 0;

	for (size_t i = 0; i < all->count; i++) {
		const struct gm_mig_layout *l = &all->items[i];
		int room = 0;

		assert_true(legal_by_sums(t, l));
		for (uint8_t k = 0; k < t->profile_count; k++) {
			int remaining = gm_mig_layout_remaining(t, l, k);

			assert_int_equal(remaining, most_more(t, l, k, 0));
			room += remaining;
			for (size_t s = 0; s < t->profiles[k].start_count; s++) {
				struct gm_mig_slot slot = { k, t->profiles[k].starts[s] };
				struct gm_mig_layout more = with(l, slot);
				struct gm_err err = { 0 };
				int rc = gm_mig_layout_may_add(t, l, slot, &err);

				assert_int_equal(rc == 0, gm_mig_layout_check(t, &more, NULL) == 0);
				assert_int_equal(rc == 0, legal_by_sums(t, &more));
				if (rc) {
					assert_int_equal(rc, GM_ERR_CONFLICT);
					assert_non_null(strstr(err.text, t->profiles[k].name));
					continue;
				}
				allowed++;
				struct gm_mig_layout added = *l;
				gm_mig_layout_add(t, &added, slot);
				assert_true(gm_mig_layout_same(&added, &more));
				gm_mig_layout_remove(&added, slot);
				assert_true(gm_mig_layout_same(&added, l));
			}
		}
		assert_int_equal(room == 0, gm_mig_layout_maximal(t, l));
	}
	return allowed;
}

static void test_rules_agree_with_engines_and_units_on_every_board(void **state)
{
	const struct gm_mig_table *t;

	(void)state;
	for (size_t at = 0; (t = next_table(&at)) != NULL;) {
		size_t allowed = check_all_steps(t);

		assert_int_equal(allowed > 0, t->placement_units > 0);
	}
}

static void test_rules_name_what_is_in_the_way(void **state)
{
	static const struct {
		const char *variant, *have, *profile;
		uint8_t start;
		int code;
		const char *says;
	} rows[] = {
		{ "H100_SXM5_80GB", "", "1g.10gb", 7, GM_ERR_NOT_FOUND, "no such placement" },
		{ "H100_SXM5_80GB", "", "3g.40gb", 2, GM_ERR_NOT_FOUND, "no such placement" },
		{ "H100_SXM5_80GB", "", "3g.40gb", 4, 0, "" },
		{ "H100_SXM5_80GB", "4g.40gb@0", "3g.40gb", 4, 0, "" },
		{ "H100_SXM5_80GB", "4g.40gb@0", "3g.40gb", 0, GM_ERR_CONFLICT, "memory slices are taken" },
		{ "H100_SXM5_80GB", "1g.10gb+me@3", "1g.10gb+me", 0, GM_ERR_CONFLICT, "more instances" },
		{ "H100_SXM5_80GB", "1g.10gb+me@3", "1g.10gb", 0, 0, "" },
		{ "H100_SXM5_80GB", "3g.40gb@4", "1g.20gb", 6, GM_ERR_CONFLICT, "memory slices are taken" },
		{ "A30", "1g.6gb+me@3", "2g.12gb+me", 0, GM_ERR_CONFLICT, "media engines" },
		{ "A30", "1g.6gb+me@3", "2g.12gb", 0, 0, "" },
		{ "A30", "", "1g.6gb", 4, GM_ERR_NOT_FOUND, "no such placement" },
		{ "RTX_PRO_6000_BLACKWELL_SE", "1g.24gb+me.all@0", "1g.24gb", 3, GM_ERR_CONFLICT, "media engines" },
		{ "RTX_PRO_6000_BLACKWELL_SE", "1g.24gb+me.all@0", "1g.24gb+gfx", 3, GM_ERR_CONFLICT, "media engines" },
		{ "RTX_PRO_6000_BLACKWELL_SE", "1g.24gb+me.all@0", "2g.48gb-me", 6, 0, "" },
		{ "RTX_PRO_6000_BLACKWELL_SE", "1g.24gb@0", "2g.48gb+me.all", 6, GM_ERR_CONFLICT, "media engines" },
		{ "RTX_PRO_6000_BLACKWELL_SE", "1g.24gb+me@0", "1g.24gb+me.all", 3, GM_ERR_CONFLICT, "media engines" },
		{ "RTX_PRO_6000_BLACKWELL_SE", "1g.24gb+me@0, 1g.24gb@3", "2g.48gb+gfx", 6, 0, "" },
		{ "RTX_PRO_6000_BLACKWELL_SE", "", "1g.24gb", 1, GM_ERR_NOT_FOUND, "no such placement" },
	};

	(void)state;
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		const struct gm_mig_table *t = table_of(rows[i].variant);
		struct gm_mig_slot slot = { profile_named(t, rows[i].profile), rows[i].start };
		struct gm_mig_layout l;
		struct gm_err err = { 0 };

		assert_int_equal(gm_mig_layout_parse(t, gm_str(rows[i].have), &l, NULL), 0);
		assert_int_equal(gm_mig_layout_may_add(t, &l, slot, &err), rows[i].code);
		assert_non_null(strstr(err.text, rows[i].says));
		assert_int_equal(rows[i].code != 0, err.text[0] != '\0');
	}
}

static void test_rules_refuse_what_is_not_of_the_table(void **state)
{
	const struct gm_mig_table *t = table_of("A30");
	struct gm_mig_layout none = { 0 };
	struct gm_mig_layout unsorted = { .count = 2, .slots = { { 0, 1 }, { 0, 0 } } };
	struct gm_mig_layout many = { .count = GM_MIG_INSTANCES_MAX + 1 };
	struct gm_err err = { 0 };

	(void)state;
	assert_int_equal(gm_mig_layout_may_add(t, &none, (struct gm_mig_slot){ 200, 0 }, &err), GM_ERR_NOT_FOUND);
	assert_int_equal(gm_mig_layout_check(t, &unsorted, &err), GM_ERR_INVALID);
	assert_int_equal(gm_mig_layout_check(t, &many, &err), GM_ERR_CONFLICT);
	assert_int_equal(gm_mig_layout_remaining(t, &none, 200), 0);
	assert_int_equal(gm_mig_layout_choose(t, &none, 200), -1);
}

static void test_rules_of_boards_without_known_placements_allow_nothing(void **state)
{
	const struct gm_mig_table *t = table_of("RTX_PRO_5000_BLACKWELL");
	struct gm_mig_layout none = { 0 }, out;
	struct gm_err err = { 0 };

	(void)state;
	assert_int_equal(gm_mig_layout_check(t, &none, NULL), 0);
	assert_true(gm_mig_layout_maximal(t, &none));
	for (uint8_t k = 0; k < t->profile_count; k++) {
		assert_int_equal(gm_mig_layout_remaining(t, &none, k), 0);
		assert_int_equal(gm_mig_layout_choose(t, &none, k), -1);
		assert_int_equal(gm_mig_layout_may_add(t, &none, (struct gm_mig_slot){ k, 0 }, NULL), GM_ERR_NOT_FOUND);
		assert_int_equal(gm_mig_layout_place(t, &none, &k, 1, &out, &err), GM_ERR_CONFLICT);
		assert_non_null(strstr(err.text, "not known"));
	}
}

static void test_compute_profiles_are_those_that_drivers_list(void **state)
{
	static const struct {
		int slices;
		struct gm_mig_compute want[GM_MIG_COMPUTE_MAX];
	} rows[] = {
		{ 1, { { 0, 1, 1 } } },
		{ 2, { { 0, 1, 2 }, { 1, 2, 1 } } },
		{ 3, { { 0, 1, 3 }, { 1, 2, 1 }, { 2, 3, 1 } } },
		{ 4, { { 0, 1, 4 }, { 1, 2, 2 }, { 3, 4, 1 } } },
		{ 7, { { 0, 1, 7 }, { 1, 2, 3 }, { 2, 3, 2 }, { 3, 4, 1 }, { 4, 7, 1 } } },
		{ 8, { { 0, 1, 8 }, { 1, 2, 4 }, { 3, 4, 2 }, { 5, 8, 1 } } },
		{ 0, { { 0 } } },
		{ 5, { { 0 } } },
		{ 9, { { 0 } } },
		{ -1, { { 0 } } },
	};

	(void)state;
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		struct gm_mig_compute got[GM_MIG_COMPUTE_MAX] = { 0 };
		size_t n = gm_mig_compute_profiles(rows[i].slices, got);

		assert_memory_equal(got, rows[i].want, sizeof(got));
		assert_int_equal(n > 0, rows[i].want[0].slices > 0);
		if (n > 0)
			assert_int_equal(got[n - 1].slices, rows[i].slices);
	}
}

static void test_instance_ids_go_by_size(void **state)
{
	static const struct {
		const char *variant, *profile;
		int first, last;
	} rows[] = {
		{ "H100_SXM5_80GB", "7g.80gb", 0, 0 },
		{ "H100_SXM5_80GB", "4g.40gb", 1, 2 },
		{ "H100_SXM5_80GB", "3g.40gb", 1, 2 },
		{ "H100_SXM5_80GB", "2g.20gb", 3, 6 },
		{ "H100_SXM5_80GB", "1g.20gb", 3, 6 },
		{ "H100_SXM5_80GB", "1g.10gb", 7, 14 },
		{ "A30", "1g.6gb", 3, 6 },
		{ "A30", "2g.12gb+me", 1, 2 },
		{ "RTX_PRO_6000_BLACKWELL_SE", "1g.24gb", 3, 6 },
		{ "RTX_PRO_6000_BLACKWELL_SE", "4g.96gb+gfx", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		const struct gm_mig_table *t = table_of(rows[i].variant);
		int first, last;

		gm_mig_gi_ids(t, profile_named(t, rows[i].profile), &first, &last);
		assert_int_equal(first, rows[i].first);
		assert_int_equal(last, rows[i].last);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules_agree_with_engines_and_units_on_every_board),
		cmocka_unit_test(test_rules_name_what_is_in_the_way),
		cmocka_unit_test(test_rules_refuse_what_is_not_of_the_table),
		cmocka_unit_test(test_rules_of_boards_without_known_placements_allow_nothing),
		cmocka_unit_test(test_compute_profiles_are_those_that_drivers_list),
		cmocka_unit_test(test_instance_ids_go_by_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
