/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "app/server/cells.h"
#include "app/server/render.h"
#include "app/server/values.h"
#include "base/buf.h"

static struct gm_sample sample_with(enum gm_field f, int64_t v)
{
	struct gm_sample s = { .at_ms = 1000 };

	gm_sample_set(&s, f, v, GM_MEASURED, GM_SOURCE_DCGM);
	return s;
}

static void test_values_are_scaled_to_the_units_of_the_api(void **state)
{
	static const struct {
		const char *name;
		int64_t raw;
		const char *text;
	} cases[] = {
		{ "utilization", 8523, "85.23" },   { "temperature", 785, "78.5" },
		{ "powerWatts", 412250, "412.25" }, { "memoryUsedMiB", INT64_C(42949672960), "40960" },
		{ "smClockMHz", 1980, "1980" },	    { "energyJoules", 1500, "1.5" },
		{ "memoryUsedMiB", 1048575, "0" },  { "temperature", -5, "-0.5" },
	};

	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
		const struct gm_value_def *v = gm_value_find(gm_str(cases[i].name));
		struct gm_json w;

		assert_non_null(v);
		gm_json_init(&w, &b);
		gm_value_write(&w, v, cases[i].raw);
		assert_string_equal(gm_buf_cstr(&b), cases[i].text);
	}
	assert_null(gm_value_find(GM_STR("Utilization")));
	assert_null(gm_value_find(GM_STR("")));
}

static void test_what_is_not_measured_is_null_and_says_why(void **state)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
	struct gm_sample s = sample_with(GM_FIELD_TEMPERATURE, 610);
	struct gm_json w;

	(void)state;
	gm_sample_miss(&s, GM_FIELD_UTILIZATION, GM_UNSUPPORTED, GM_SOURCE_DCGM);
	gm_sample_miss(&s, GM_FIELD_POWER, GM_STALE, GM_SOURCE_DCGM);
	gm_json_init(&w, &b);
	gm_json_object(&w);
	gm_values_write(&w, &s, GM_VALUE_ITEM);
	gm_values_quality(&w, &s, GM_VALUE_ITEM);
	gm_json_end_object(&w);
	assert_string_equal(gm_buf_cstr(&b), "{\"utilization\":null,\"memoryUsedMiB\":null,\"temperature\":61,"
					     "\"powerWatts\":null,\"smClockMHz\":null,\"quality\":{\"utilization\":"
					     "\"unsupported\",\"memoryUsedMiB\":\"not_reported\",\"powerWatts\":"
					     "\"stale\",\"smClockMHz\":\"not_reported\"}}");
}

static void test_throttle_reasons_are_named(void **state)
{
	static const struct {
		int64_t bits;
		const char *text;
	} cases[] = {
		{ 0, "\"throttleReasons\":[]" },
		{ 0x44, "\"throttleReasons\":[\"sw_power_cap\",\"hw_thermal_slowdown\"]" },
		{ INT64_C(0x100000000), "\"throttleReasons\":[]" },
	};

	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
		const struct gm_sample s = sample_with(GM_FIELD_THROTTLE_REASONS, cases[i].bits);
		struct gm_json w;

		gm_json_init(&w, &b);
		gm_json_object(&w);
		gm_throttle_reasons_write(&w, &s);
		gm_json_end_object(&w);
		assert_memory_equal(gm_buf_cstr(&b) + 1, cases[i].text, strlen(cases[i].text));
	}
}

static void test_cells_round_and_mark_what_is_missing(void **state)
{
	struct gm_cache_slot slot = { .free_value = NULL };
	struct gm_device d = { .memory_total_bytes = INT64_C(80) << 30,
			       .health = GM_HEALTH_DEGRADED,
			       .mig_mode = GM_MIG_OFF,
			       .managed = true,
			       .cache = &slot };
	struct gm_cell c = gm_cell_of(&d);

	(void)state;
	assert_int_equal(c.utilization, GM_CELL_NONE);
	assert_int_equal(c.temperature, GM_CELL_NONE);
	assert_int_equal(c.memory, GM_CELL_NONE);
	assert_int_equal(c.health, GM_HEALTH_DEGRADED);
	assert_int_equal(c.flags, GM_CELL_MANAGED);
	d.sample = sample_with(GM_FIELD_UTILIZATION, 9950);
	gm_sample_set(&d.sample, GM_FIELD_TEMPERATURE, 785, GM_MEASURED, GM_SOURCE_SIM);
	gm_sample_set(&d.sample, GM_FIELD_MEMORY_USED, INT64_C(40) << 30, GM_MEASURED, GM_SOURCE_SIM);
	c = gm_cell_of(&d);
	assert_int_equal(c.utilization, 100);
	assert_int_equal(c.temperature, 79);
	assert_in_range(c.memory, 49, 50);
	/* A sensor that reads nonsense does not turn into "not measured". */
	gm_sample_set(&d.sample, GM_FIELD_TEMPERATURE, 99999, GM_MEASURED, GM_SOURCE_SIM);
	assert_int_equal(gm_cell_of(&d).temperature, 254);
}

static void test_cells_count_gpu_instances_not_compute_instances(void **state)
{
	struct gm_cache_slot slot = { .free_value = NULL };
	const struct gm_pod_ref pod = { .namespace_ = "a", .pod = "b", .container = "", .uid = "" };
	const struct gm_instance instances[] = { { .gi_id = 1, .ci_id = 0 },
						 { .gi_id = 1, .ci_id = 1, .pods = &pod, .pod_count = 1 },
						 { .gi_id = 2, .ci_id = 0 } };
	const struct gm_device d = { .memory_total_bytes = -1,
				     .mig_mode = GM_MIG_ON,
				     .instances = instances,
				     .instance_count = 3,
				     .cache = &slot };
	const struct gm_cell c = gm_cell_of(&d);

	(void)state;
	assert_int_equal(c.mig, 2);
	assert_int_equal(c.flags, GM_CELL_MIG | GM_CELL_HELD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_are_scaled_to_the_units_of_the_api),
		cmocka_unit_test(test_what_is_not_measured_is_null_and_says_why),
		cmocka_unit_test(test_throttle_reasons_are_named),
		cmocka_unit_test(test_cells_round_and_mark_what_is_missing),
		cmocka_unit_test(test_cells_count_gpu_instances_not_compute_instances),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
