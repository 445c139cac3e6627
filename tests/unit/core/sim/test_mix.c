/* SPDX-License-Identifier: MIT */
#include "sim-testing.h"

#include <string.h>

#include "core/sim/sim-internal.h"

static void test_mix_is_scaled_exactly(void **state)
{
	(void)state;
	static const struct {
		const char *models;
		size_t gpus;
		const char *ids[4];
		size_t boards[4];
	} cases[] = {
		{ "", 24, { "H100_PCIE_80GB", "A100_SXM4_80GB", "RTX4090" }, { 8, 12, 4 } },
		{ "", 2, { "H100_PCIE_80GB", "A100_SXM4_80GB", "RTX4090" }, { 1, 1, 0 } },
		{ "", 48, { "H100_PCIE_80GB", "A100_SXM4_80GB", "RTX4090" }, { 16, 24, 8 } },
		{ "T4", 5, { "T4" }, { 5 } },
		{ "T4,L4", 5, { "T4", "L4" }, { 3, 2 } },
		{ " H100_SXM5_80GB = 3 , L40S=1 ", 8, { "H100_SXM5_80GB", "L40S" }, { 6, 2 } },
		{ "A100_40GB=2", 200000, { "A100_PCIE_40GB" }, { 200000 } },
	};
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		struct sim_mix mix;
		struct gm_err err = { 0 };
		if (sim_mix_parse(gm_str(cases[i].models), cases[i].gpus, &mix, &err) < 0)
			fail_msg("case %zu: %s", i, err.text);
		size_t rows = 0;
		while (rows < 4 && cases[i].ids[rows])
			rows++;
		assert_int_equal(mix.count, rows);
		for (size_t k = 0; k < rows; k++) {
			assert_string_equal(mix.rows[k].variant->id, cases[i].ids[k]);
			assert_int_equal(mix.rows[k].boards, cases[i].boards[k]);
		}
	}
}

static void test_mix_refuses_nonsense(void **state)
{
	(void)state;
	static const char *const cases[] = { "FOO", "H100_80GB=0",   "H100_80GB=-1", "H100_80GB=x", "H100_80GB=",
					     "=3",  "H100_80GB,,T4", "h100_80gb",    ",",	    "T4=1000001" };
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		struct sim_mix mix = { .count = 77 };
		struct gm_err err = { 0 };
		assert_int_equal(sim_mix_parse(gm_str(cases[i]), 8, &mix, &err), GM_ERR_INVALID);
		assert_non_null(strstr(err.text, "models"));
		assert_int_equal(mix.count, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mix_is_scaled_exactly),
		cmocka_unit_test(test_mix_refuses_nonsense),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
