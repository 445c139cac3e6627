/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/catalog/catalog-internal.h"

static void test_mig_profile_id_goes_both_ways(void **state)
{
	size_t count = 0, seen = 0;
	const struct gm_variant *rows = gm_catalog_variants(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		for (size_t p = 0; rows[i].mig && p < rows[i].mig->profile_count; p++) {
			const struct gm_mig_profile *profile = &rows[i].mig->profiles[p];
			GM_AUTO(gm_buf_fini_p) struct gm_buf id = { 0 };

			gm_mig_profile_id(rows[i].model, profile->name, &id);
			assert_ptr_equal(gm_mig_profile_find(rows[i].mig, gm_str(profile->name)), profile);
			assert_ptr_equal(gm_mig_profile_find(rows[i].mig, gm_buf_str(&id)), profile);
			seen++;
		}
	}
	assert_true(seen > 150);
}

static void test_mig_profile_id_is_the_documents_form(void **state)
{
	static const struct {
		const char *model, *profile, *id;
	} rows[] = {
		{ "H100_80GB", "2g.20gb", "H100_2G20GB" },
		{ "H100_80GB", "1g.10gb+me", "H100_1G10GB_ME" },
		{ "A100_40GB", "3g.20gb", "A100_3G20GB" },
		{ "A30", "1g.6gb", "A30_1G6GB" },
		{ "GH200_144GB", "7g.144gb", "GH200_7G144GB" },
		{ "RTX_PRO_6000_BLACKWELL_SE", "1g.24gb-me", "RTX_PRO_6000_BLACKWELL_SE_1G24GB_NO_ME" },
		{ "RTX_PRO_6000_BLACKWELL_SE", "1g.24gb+me.all", "RTX_PRO_6000_BLACKWELL_SE_1G24GB_ME_ALL" },
		{ "80GB", "1g.5gb", "80GB_1G5GB" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf id = { 0 };

		gm_mig_profile_id(rows[i].model, rows[i].profile, &id);
		assert_string_equal(gm_buf_cstr(&id), rows[i].id);
	}
}

static void test_mig_profile_find_takes_spellings_and_refuses_others(void **state)
{
	const struct gm_mig_table *table = gm_catalog_variant(GM_STR("H100_PCIE_80GB"))->mig;

	(void)state;
	assert_string_equal(gm_mig_profile_find(table, GM_STR("h100_2g20gb"))->name, "2g.20gb");
	assert_string_equal(gm_mig_profile_find(table, GM_STR("2G.20GB"))->name, "2g.20gb");
	assert_string_equal(gm_mig_profile_find(table, GM_STR("1g.10gb.me"))->name, "1g.10gb+me");
	assert_string_equal(gm_mig_profile_find(table, GM_STR("1g.10gb"))->name, "1g.10gb");
	assert_null(gm_mig_profile_find(table, GM_STR("1g.5gb")));
	assert_null(gm_mig_profile_find(table, GM_STR("")));
	assert_null(gm_mig_profile_find(table, GM_STR("_")));
	assert_null(gm_mig_profile_find(table, GM_STR("_2g20gb2")));
	assert_null(gm_mig_profile_find(table, GM_STR("12g.20gb")));
	assert_null(gm_mig_profile_find(NULL, GM_STR("2g.20gb")));
}

/* The document's table: 1g.10gb (7), 2g.20gb (3), 3g.40gb (2), 7g.80gb (1) on boards of 80 GB; the A100 40 GB has its own. */
static void test_mig_tables_hold_the_documents_counts(void **state)
{
	static const char *const boards[] = { "A100_SXM4_80GB", "A100_PCIE_80GB", "H100_PCIE_80GB", "H100_SXM5_80GB" };
	static const struct {
		const char *name;
		int max, profile_id, size;
	} rows[] = { { "1g.10gb", 7, 19, 1 }, { "2g.20gb", 3, 14, 2 }, { "3g.40gb", 2, 9, 4 }, { "7g.80gb", 1, 0, 8 } };

	(void)state;
	for (size_t b = 0; b < sizeof(boards) / sizeof(boards[0]); b++) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			const struct gm_mig_profile *p =
				gm_mig_profile_find(gm_catalog_variant(gm_str(boards[b]))->mig, gm_str(rows[i].name));

			assert_non_null(p);
			assert_int_equal(p->max_instances, rows[i].max);
			assert_int_equal(p->profile_id, rows[i].profile_id);
			assert_int_equal(p->size, rows[i].size);
			assert_int_equal(p->start_count, rows[i].max);
		}
	}
	for (size_t i = 0; i < 2; i++) {
		const struct gm_mig_table *t = gm_catalog_variant(gm_str(i ? "A100_PCIE_40GB" : "A100_SXM4_40GB"))->mig;

		assert_int_equal(gm_mig_profile_find(t, GM_STR("1g.5gb"))->max_instances, 7);
		assert_int_equal(gm_mig_profile_find(t, GM_STR("7g.40gb"))->max_instances, 1);
		assert_null(gm_mig_profile_find(t, GM_STR("2g.20gb")));
	}
}

static void test_mig_placements_stay_on_the_board(void **state)
{
	(void)state;
	for (size_t t = 0; t < gm_catalog_mig_table_count; t++) {
		const struct gm_mig_table *table = &gm_catalog_mig_tables[t];

		for (size_t i = 0; i < table->profile_count; i++) {
			const struct gm_mig_profile *p = &table->profiles[i];

			assert_true(p->compute_slices >= 1 && p->compute_slices <= table->compute_slices);
			for (size_t s = 0; s < p->start_count; s++) {
				assert_true(s == 0 || p->starts[s] > p->starts[s - 1]);
				assert_true(p->starts[s] + p->size <= table->placement_units);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mig_profile_id_goes_both_ways),
		cmocka_unit_test(test_mig_profile_id_is_the_documents_form),
		cmocka_unit_test(test_mig_profile_find_takes_spellings_and_refuses_others),
		cmocka_unit_test(test_mig_tables_hold_the_documents_counts),
		cmocka_unit_test(test_mig_placements_stay_on_the_board),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
