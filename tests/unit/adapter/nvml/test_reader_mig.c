/* SPDX-License-Identifier: MIT */
#include "fake.h"

#include <string.h>

static void test_instances_are_told_with_profile_place_and_values(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	fake_mig(&f);
	assert_int_equal(fake_round(&f, 0), 0);
	assert_int_equal(fake_round(&f, 1000), 0);
	assert_int_equal(f.out.mig_current, 1);
	assert_int_equal(f.out.profile_count, 2);
	assert_string_equal(f.out.profiles[0].name, "3g.40gb");
	assert_int_equal(f.out.profiles[0].id, 9);
	assert_int_equal(f.out.profiles[0].size, 4);
	assert_int_equal(f.out.profiles[0].start_count, 2);
	assert_int_equal(f.out.profiles[0].starts[1], 4);
	assert_int_equal(f.out.instance_count, 2);
	const struct gm_reading_instance *in = &f.out.instances[1]; /* behind a hole */
	assert_string_equal(in->uuid, MIG_B);
	assert_string_equal(in->profile, "3g.40gb");
	assert_int_equal(in->gi, 2);
	assert_int_equal(in->ci, 0);
	assert_int_equal(in->gi_profile, 0);
	assert_int_equal(in->start, 4);
	assert_int_equal(in->size, 4);
	assert_int_equal(in->compute_slices, 3);
	assert_int_equal(in->sm_count, 60);
	assert_value(in->sample, MEMORY_USED, 40000 * MIB);
	assert_value(in->sample, GR_ENGINE_ACTIVE, 8000);
	assert_missed(in->sample, UTILIZATION, GM_UNSUPPORTED);
	assert_missed(in->sample, TEMPERATURE, GM_ABSENT);
	assert_missed(f.out.sample, UTILIZATION, GM_UNSUPPORTED);
	fake_close(&f);
}

/* 40 % of three slices and 80 % of three, of seven; the seventh belongs to nobody and is idle. */
static void test_the_board_is_derived_from_its_instances(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	fake_mig(&f);
	assert_int_equal(fake_round(&f, 0), 0);
	assert_missed(f.out.sample, GR_ENGINE_ACTIVE, GM_UNSUPPORTED);
	assert_int_equal(fake_round(&f, 1000), 0);
	assert_int_equal(f.out.sample.validity[GM_FIELD_GR_ENGINE_ACTIVE], GM_DERIVED);
	assert_int_equal(f.out.sample.value[GM_FIELD_GR_ENGINE_ACTIVE], (4000 * 3 + 8000 * 3) / 7);
	assert_int_equal(f.out.sample.value[GM_FIELD_SM_ACTIVE], (4000 * 60 + 8000 * 60) / 132);
	assert_int_equal(f.out.sample.value[GM_FIELD_DRAM_ACTIVE], (4000 * 4 + 8000 * 4) / 8);
	/* One that does not tell: no sum of the others. */
	f.state->instances[2].gi = 3;
	f.state->instances[2].uuid[4] = '9';
	assert_int_equal(fake_round(&f, 1000), 0);
	assert_false(gm_sample_has(&f.out.sample, GM_FIELD_GR_ENGINE_ACTIVE));
	fake_close(&f);
}

static void test_an_instance_made_anew_under_the_same_id_drops_its_sample(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	fake_mig(&f);
	assert_int_equal(fake_round(&f, 0), 0);
	assert_int_equal(fake_round(&f, 1000), 0);
	assert_value(f.out.instances[0].sample, GR_ENGINE_ACTIVE, 4000);
	/* Destroyed and created between two rounds: handle, ids and index are the same, the UUID is not. */
	memcpy(f.state->instances[0].uuid, MIG_C, sizeof(MIG_C));
	f.state->instances[0].graphics = 100;
	assert_int_equal(fake_round(&f, 1000), 0);
	assert_string_equal(f.out.instances[0].uuid, MIG_C);
	assert_missed(f.out.instances[0].sample, GR_ENGINE_ACTIVE, GM_ABSENT);
	assert_value(f.out.instances[1].sample, GR_ENGINE_ACTIVE, 8000);
	assert_int_equal(fake_round(&f, 1000), 0);
	assert_value(f.out.instances[0].sample, GR_ENGINE_ACTIVE, 10000);
	fake_close(&f);
}

static void test_two_compute_instances_of_one_gpu_instance_share_an_estimate(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	fake_mig(&f);
	f.state->instances[1] = (struct fake_instance){ true, 1, 1, MIG_C, "NVIDIA H100 80GB HBM3 MIG 1c.3g.40gb", 40 };
	assert_int_equal(fake_round(&f, 0), 0);
	assert_int_equal(fake_round(&f, 1000), 0);
	assert_int_equal(f.out.instance_count, 3);
	assert_string_equal(f.out.instances[1].profile, "1c.3g.40gb");
	assert_int_equal(f.out.instances[1].gi_profile, 0);
	assert_int_equal(f.out.instances[0].sample.validity[GM_FIELD_GR_ENGINE_ACTIVE], GM_ESTIMATED);
	assert_int_equal(f.out.instances[1].sample.value[GM_FIELD_GR_ENGINE_ACTIVE], 4000);
	assert_int_equal(f.out.sample.value[GM_FIELD_GR_ENGINE_ACTIVE], (4000 * 3 + 8000 * 3) / 7); /* counted once */
	fake_close(&f);
}

static void test_a_failing_call_keeps_the_instance_and_drops_its_values(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	fake_mig(&f);
	assert_int_equal(fake_round(&f, 0), 0);
	f.state->rc[GM_NVML_SYMBOL_mig_by_index] = GM_NVML_ERROR_UNKNOWN;
	assert_int_equal(fake_round(&f, 1000), 0);
	assert_int_equal(f.out.instance_count, 2);
	assert_missed(f.out.instances[0].sample, MEMORY_USED, GM_ERROR);
	f.state->rc[GM_NVML_SYMBOL_mig_by_index] = 0;
	f.state->garbage[GM_NVML_SYMBOL_uuid] = true;
	assert_int_equal(fake_round(&f, 1000), 0);
	assert_int_equal(f.out.instance_count, 2);
	assert_string_equal(f.out.instances[0].uuid, MIG_A);
	assert_missed(f.out.instances[0].sample, MEMORY_USED, GM_ERROR);
	f.state->garbage[GM_NVML_SYMBOL_uuid] = false;
	f.state->instances[0].alive = false;
	assert_int_equal(fake_round(&f, 1000), 0);
	assert_int_equal(f.out.instance_count, 1);
	assert_string_equal(f.out.instances[0].uuid, MIG_B);
	fake_close(&f);
}

static void test_attributes_are_asked_once_an_instance(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	fake_mig(&f);
	for (int i = 0; i < 10; i++)
		assert_int_equal(fake_round(&f, 1000), 0);
	assert_int_equal(f.state->calls[GM_NVML_SYMBOL_attributes], 2);
	assert_int_equal(f.state->calls[GM_NVML_SYMBOL_gi_info], 2);
	fake_close(&f);
}

static void test_what_failed_when_an_instance_was_met_is_asked_again(void **state)
{
	(void)state;
	static const enum gm_nvml_symbol failing[] = { GM_NVML_SYMBOL_gi_by_id, GM_NVML_SYMBOL_gi_info,
						       GM_NVML_SYMBOL_gi_profile_v };
	for (size_t i = 0; i < GM_LEN(failing); i++) {
		struct fake f;
		fake_open(&f, FAKE_NVML);
		fake_mig(&f);
		f.state->rc[failing[i]] = GM_NVML_ERROR_UNKNOWN;
		assert_int_equal(fake_round(&f, 0), 0);
		assert_true(f.out.instances[1].start == -1 || f.out.instances[1].gi_profile == -1);
		f.state->rc[failing[i]] = 0;
		assert_int_equal(fake_round(&f, 60000), 0);
		assert_int_equal(f.out.instances[1].start, 4);
		assert_int_equal(f.out.instances[1].gi_profile, 0);
		fake_close(&f);
	}
}

static void test_without_rights_the_profile_is_found_by_name(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	fake_mig(&f);
	f.state->rc[GM_NVML_SYMBOL_gi_by_id] = GM_NVML_ERROR_NO_PERMISSION;
	assert_int_equal(fake_round(&f, 0), 0);
	assert_int_equal(f.out.instances[0].gi_profile, 0);
	assert_int_equal(f.out.instances[0].start, -1);
	assert_int_equal(f.out.instances[0].size, 4);
	fake_close(&f);
}

static void test_profiles_without_names_are_named_by_the_rule(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	fake_mig(&f);
	f.lib.gi_profile_v = NULL;
	assert_int_equal(fake_round(&f, 0), 0);
	assert_int_equal(f.out.profile_count, 2);
	assert_string_equal(f.out.profiles[0].name, "3g.40gb");
	assert_string_equal(f.out.profiles[1].name, "7g.80gb");
	fake_close(&f);
}

static void test_the_mode_changes_what_is_asked(void **state)
{
	(void)state;
	struct fake f;
	fake_open(&f, FAKE_NVML);
	fake_mig(&f);
	assert_int_equal(fake_round(&f, 0), 0);
	assert_missed(f.out.sample, UTILIZATION, GM_UNSUPPORTED);
	f.state->mig_pending = 0;
	assert_int_equal(fake_round(&f, 1000), 0);
	assert_int_equal(f.out.mig_current, 1);
	assert_int_equal(f.out.mig_pending, 0);
	f.state->mig_current = 0;
	f.state->board_graphics = 30;
	assert_int_equal(fake_round(&f, 1000), 0);
	assert_int_equal(f.out.instance_count, 0);
	assert_value(f.out.sample, UTILIZATION, 8700); /* at once, not after a minute */
	assert_int_equal(fake_round(&f, 1000), 0);
	assert_value(f.out.sample, GR_ENGINE_ACTIVE, 3000);
	fake_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_instances_are_told_with_profile_place_and_values),
		cmocka_unit_test(test_the_board_is_derived_from_its_instances),
		cmocka_unit_test(test_an_instance_made_anew_under_the_same_id_drops_its_sample),
		cmocka_unit_test(test_two_compute_instances_of_one_gpu_instance_share_an_estimate),
		cmocka_unit_test(test_a_failing_call_keeps_the_instance_and_drops_its_values),
		cmocka_unit_test(test_attributes_are_asked_once_an_instance),
		cmocka_unit_test(test_what_failed_when_an_instance_was_met_is_asked_again),
		cmocka_unit_test(test_without_rights_the_profile_is_found_by_name),
		cmocka_unit_test(test_profiles_without_names_are_named_by_the_rule),
		cmocka_unit_test(test_the_mode_changes_what_is_asked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
