/* SPDX-License-Identifier: MIT */
#include "core/fleet/sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

static void test_fields_are_found_by_name_and_names_are_unique(void **state)
{
	(void)state;
	for (int f = 0; f < GM_FIELD_COUNT; f++) {
		assert_non_null(gm_field_table[f].name);
		assert_non_null(gm_field_table[f].unit);
		assert_true(gm_field_table[f].decimals <= 6);
		assert_int_equal(gm_field_find(gm_str(gm_field_table[f].name)), f);
	}
	assert_int_equal(gm_field_find(GM_STR("nonsense")), GM_FIELD_COUNT);
	assert_int_equal(gm_field_find(GM_STR("")), GM_FIELD_COUNT);
}

/* Blocks on disk name fields by number: these must never move. */
static void test_numbers_on_disk_stay(void **state)
{
	static const struct {
		int number;
		const char *name;
		unsigned decimals;
		enum gm_field_kind kind;
	} cases[] = {
		{ 0, "utilization", 2, GM_FIELD_GAUGE },      { 9, "memoryUsed", 0, GM_FIELD_GAUGE },
		{ 12, "temperature", 1, GM_FIELD_GAUGE },     { 14, "power", 3, GM_FIELD_GAUGE },
		{ 15, "energy", 3, GM_FIELD_COUNTER },	      { 23, "xid", 0, GM_FIELD_GAUGE },
		{ 31, "throttleReasons", 0, GM_FIELD_GAUGE }, { 36, "vgpuLicense", 0, GM_FIELD_GAUGE },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct gm_field_info *f = &gm_field_table[cases[i].number];
		assert_string_equal(f->name, cases[i].name);
		assert_int_equal(f->decimals, cases[i].decimals);
		assert_int_equal(f->kind, cases[i].kind);
	}
}

static void test_names_of_validity_and_source(void **state)
{
	(void)state;
	assert_string_equal(gm_validity_name(GM_ABSENT), "not_reported");
	assert_string_equal(gm_validity_name(GM_MEASURED), "measured");
	assert_string_equal(gm_validity_name(GM_DERIVED), "derived");
	assert_string_equal(gm_validity_name(GM_ESTIMATED), "estimated");
	assert_string_equal(gm_validity_name(GM_STALE), "stale");
	assert_string_equal(gm_validity_name(GM_UNSUPPORTED), "unsupported");
	assert_string_equal(gm_validity_name(GM_ERROR), "error");
	assert_string_equal(gm_validity_name((enum gm_validity)99), "error");
	assert_string_equal(gm_source_name(GM_SOURCE_DCGM), "dcgm");
	assert_string_equal(gm_source_name(GM_SOURCE_SIM), "sim");
	assert_string_equal(gm_source_name((enum gm_source)99), "none");
}

static void test_a_missed_value_is_not_a_zero(void **state)
{
	(void)state;
	struct gm_sample s = { 0 };
	assert_false(gm_sample_has(&s, GM_FIELD_POWER));
	gm_sample_set(&s, GM_FIELD_POWER, 0, GM_MEASURED, GM_SOURCE_NVML);
	assert_true(gm_sample_has(&s, GM_FIELD_POWER));
	gm_sample_miss(&s, GM_FIELD_POWER, GM_ERROR, GM_SOURCE_NVML);
	assert_false(gm_sample_has(&s, GM_FIELD_POWER));
	assert_int_equal(s.validity[GM_FIELD_POWER], GM_ERROR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields_are_found_by_name_and_names_are_unique),
		cmocka_unit_test(test_numbers_on_disk_stay),
		cmocka_unit_test(test_names_of_validity_and_source),
		cmocka_unit_test(test_a_missed_value_is_not_a_zero),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
