/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/catalog/catalog-internal.h"

static const char *matched(const char *name, int64_t memory_mib)
{
	const struct gm_variant *v = gm_catalog_match(gm_str(name), memory_mib);

	return v ? v->id : "(none)";
}

static void test_catalog_rows_are_sorted_and_found_by_id(void **state)
{
	size_t count = 0;
	const struct gm_variant *rows = gm_catalog_variants(&count);

	(void)state;
	assert_true(count >= 54);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			assert_true(gm_str_cmp(gm_str(rows[i - 1].id), gm_str(rows[i].id)) < 0);
		assert_ptr_equal(gm_catalog_variant(gm_str(rows[i].id)), &rows[i]);
		assert_true(gm_catalog_has_model(gm_str(rows[i].model)));
	}
	assert_null(gm_catalog_variant(GM_STR("H100")));
	assert_null(gm_catalog_variant(GM_STR("")));
	assert_null(gm_catalog_variant(GM_STR("ZZZ")));
	assert_false(gm_catalog_has_model(GM_STR("H100_SXM5_80GB")));
	assert_true(gm_catalog_has_model(GM_STR("H100_80GB")));
}

static void test_catalog_every_name_and_label_finds_its_variant(void **state)
{
	size_t count = 0;
	const struct gm_variant *rows = gm_catalog_variants(&count);
	char text[160];

	(void)state;
	for (size_t i = 0; i < count; i++) {
		int64_t memory = rows[i].memory_mib >= 0 ? rows[i].memory_mib : (int64_t)rows[i].memory_gb * 1024;

		assert_non_null(rows[i].names[0]);
		for (const char *const *list = rows[i].names; list;
		     list = list == rows[i].names ? rows[i].labels : NULL) {
			for (size_t n = 0; list[n]; n++) {
				assert_string_equal(matched(list[n], memory), rows[i].id);
				(void)snprintf(text, sizeof(text), "%s-MIG-1g.10gb.me-SHARED", list[n]);
				assert_string_equal(matched(text, memory), rows[i].id);
				(void)snprintf(text, sizeof(text), "%s MIG 1c.3g.40gb", list[n]);
				assert_string_equal(matched(text, memory), rows[i].id);
				(void)snprintf(text, sizeof(text), "%s-SHARED", list[n]);
				assert_string_equal(matched(text, memory), rows[i].id);
			}
		}
	}
}

static void test_catalog_understands_every_spelling(void **state)
{
	static const struct {
		const char *name;
		int64_t memory_mib;
		const char *id;
	} rows[] = {
		{ "NVIDIA A100-SXM4-80GB", -1, "A100_SXM4_80GB" },
		{ "A100-SXM4-80GB", 81251, "A100_SXM4_80GB" },
		{ "nvidia a100 sxm4 80gb", -1, "A100_SXM4_80GB" },
		{ "  NVIDIA-A100-SXM4-80GB-mig-1g.10gb ", -1, "A100_SXM4_80GB" },
		{ "NVIDIA A100 80GB PCIe MIG 3g.40gb", -1, "A100_PCIE_80GB" },
		{ "NVIDIA A100-PCIE-80GB", -1, "A100_PCIE_80GB" }, /* a mock's spelling */
		{ "NVIDIA H100 80GB HBM3", -1, "H100_SXM5_80GB" },
		{ "NVIDIA-H100-PCIe-SHARED", -1, "H100_PCIE_80GB" },
		{ "NVIDIA Tesla T4", -1, "T4" },
		{ "Tesla T4", 15109, "T4" },
		{ "T4", -1, "T4" },
		{ "GeForce RTX 4090", -1, "RTX4090" },
		{ "NVIDIA GeForce RTX 4090", 24564, "RTX4090" },
		{ "TITAN Xp", -1, "TITAN_XP" },
		{ "Tesla V100-SXM2-16GB", 16160, "V100_16GB" },
		{ "Tesla V100-PCIE-32GB", -1, "V100_32GB" },
		{ "NVIDIA GH200 480GB", 97871, "GH200_96GB" },
		/* one name, told apart by memory */
		{ "NVIDIA GeForce RTX 3080", -1, "RTX3080" },
		{ "NVIDIA GeForce RTX 3080", 10240, "RTX3080" },
		{ "NVIDIA GeForce RTX 3080", 12288, "RTX3080_12GB" },
		{ "NVIDIA H100", -1, "H100_SXM5_94GB" },
		{ "NVIDIA H100", 95830, "H100_SXM5_94GB" },
		{ "NVIDIA H100", 81559, "H100_PCIE_80GB" },
		{ "NVIDIA RTX PRO 5000 Blackwell", -1, "RTX_PRO_5000_BLACKWELL" },
		{ "NVIDIA RTX PRO 5000 72GB Blackwell", -1, "RTX_PRO_5000_BLACKWELL_72GB" },
		/* not known */
		{ "", -1, "(none)" },
		{ "NVIDIA", -1, "(none)" },
		{ "-SHARED", -1, "(none)" },
		{ " MIG ", -1, "(none)" },
		{ "NVIDIA A100-SXM4-80GBx", -1, "(none)" },
		{ "NVIDIAT4", -1, "(none)" },
		{ "NVIDIA Future X-9000", 40960, "(none)" },
		{ "NVIDIA "
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaaaaaaaaaaaaaaaaaaaaaa",
		  -1, "(none)" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(matched(rows[i].name, rows[i].memory_mib), rows[i].id);
}

static void test_catalog_marks_the_fourteen(void **state)
{
	static const struct {
		const char *id;
		enum gm_lifecycle lifecycle;
		int memory_gb;
		const char *architecture;
		int mig_max;
	} rows[] = {
		{ "A100_PCIE_40GB", GM_LIFECYCLE_UNKNOWN, 40, "Ampere", 7 },
		{ "A100_SXM4_80GB", GM_LIFECYCLE_UNKNOWN, 80, "Ampere", 7 },
		{ "GTX1080", GM_LIFECYCLE_EOL, 8, "Pascal", 0 },
		{ "GTX1080_TI", GM_LIFECYCLE_EOL, 11, "Pascal", 0 },
		{ "H100_PCIE_80GB", GM_LIFECYCLE_UNKNOWN, 80, "Hopper", 7 },
		{ "RTX2080", GM_LIFECYCLE_ACTIVE, 8, "Turing", 0 },
		{ "RTX2080_TI", GM_LIFECYCLE_ACTIVE, 11, "Turing", 0 },
		{ "RTX3080", GM_LIFECYCLE_ACTIVE, 10, "Ampere", 0 },
		{ "RTX3090", GM_LIFECYCLE_ACTIVE, 24, "Ampere", 0 },
		{ "RTX4080", GM_LIFECYCLE_ACTIVE, 16, "Ada Lovelace", 0 },
		{ "RTX4090", GM_LIFECYCLE_ACTIVE, 24, "Ada Lovelace", 0 },
		{ "TITAN_XP", GM_LIFECYCLE_EOL, 12, "Pascal", 0 },
		{ "V100_16GB", GM_LIFECYCLE_UNKNOWN, 16, "Volta", 0 },
		{ "V100_32GB", GM_LIFECYCLE_UNKNOWN, 32, "Volta", 0 },
	};
	size_t count = 0, seen = 0;
	const struct gm_variant *all = gm_catalog_variants(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		if (!all[i].seed)
			continue;
		assert_true(seen < sizeof(rows) / sizeof(rows[0]));
		assert_string_equal(all[i].id, rows[seen].id);
		assert_int_equal(all[i].lifecycle, rows[seen].lifecycle);
		assert_int_equal(all[i].memory_gb, rows[seen].memory_gb);
		assert_string_equal(all[i].architecture, rows[seen].architecture);
		assert_int_equal(all[i].mig_max_instances, rows[seen].mig_max);
		assert_int_equal(all[i].mig_capable, rows[seen].mig_max > 0);
		assert_int_equal(all[i].mig != NULL, rows[seen].mig_max > 0);
		seen++;
	}
	assert_int_equal(seen, 14);
}

static void test_catalog_keeps_figures_and_unknowns(void **state)
{
	const struct gm_variant *h100 = gm_catalog_variant(GM_STR("H100_SXM5_80GB"));
	const struct gm_variant *gtx = gm_catalog_variant(GM_STR("GTX1080"));

	(void)state;
	assert_string_equal(h100->model, "H100_80GB");
	assert_int_equal(h100->sm_count, 132);
	assert_int_equal(h100->memory_mib, 81559);
	assert_int_equal(h100->bandwidth_gbs, 3350);
	assert_int_equal(h100->tdp_watts, 700);
	assert_int_equal(h100->slowdown_c, 89);
	assert_int_equal(h100->nvlink_gbs, 900);
	assert_true(h100->fp8 && h100->bf16 && h100->nvlink);
	assert_string_equal(h100->pci_ids[0], "2330");
	assert_null(h100->pci_ids[1]);
	assert_false(gtx->fp8 || gtx->bf16 || gtx->nvlink || gtx->mig_capable);
	assert_int_equal(gtx->nvlink_gbs, -1);
	assert_int_equal(gtx->max_operating_c, -1);
	assert_int_equal(gtx->cc_major * 10 + gtx->cc_minor, 61);
}

static void test_catalog_makes_a_model_of_any_name(void **state)
{
	static const struct {
		const char *name, *model;
	} rows[] = {
		{ "NVIDIA Foo X-9000 (rev 2)", "FOO_X_9000_REV_2" },
		{ "NVIDIA-Foo-X-9000-MIG-1g.5gb", "FOO_X_9000" },
		{ "Foo X-9000 MIG 1g.5gb", "FOO_X_9000" },
		{ "Tesla K80", "TESLA_K80" },
		{ "NVIDIA", "NVIDIA" },
		{ "", "UNKNOWN" },
		{ " -- ", "UNKNOWN" },
		{ "\xea\xb0\x80", "UNKNOWN" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbb",
		  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbb",
		  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_B" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };

		gm_catalog_model_from_name(gm_str(rows[i].name), &out);
		assert_string_equal(gm_buf_cstr(&out), rows[i].model);
		assert_true(out.n <= 48);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_catalog_rows_are_sorted_and_found_by_id),
		cmocka_unit_test(test_catalog_every_name_and_label_finds_its_variant),
		cmocka_unit_test(test_catalog_understands_every_spelling),
		cmocka_unit_test(test_catalog_marks_the_fourteen),
		cmocka_unit_test(test_catalog_keeps_figures_and_unknowns),
		cmocka_unit_test(test_catalog_makes_a_model_of_any_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
