/* SPDX-License-Identifier: MIT */
#include "sim-testing.h"

#include <stdlib.h>
#include <string.h>

/* What no board may ever show, whatever befalls it. */
static void assert_possible(const struct gm_sim_device *d)
{
	assert_in_range(d->utilization_centi, 0, 10000);
	assert_in_range(d->sm_active_centi, 0, 10000);
	assert_in_range(d->tensor_active_centi, 0, 10000);
	assert_in_range(d->dram_active_centi, 0, 10000);
	assert_in_range(d->power_mw, 1, d->power_limit_mw);
	assert_int_equal(d->power_limit_mw, (int64_t)d->variant->tdp_watts * 1000);
	assert_in_range(d->temperature_deci, 200, d->variant->shutdown_c > 0 ? d->variant->shutdown_c * 10 : 1000);
	assert_true(d->memory_temperature_deci == -1 || d->memory_temperature_deci > d->temperature_deci);
	assert_in_range(d->memory_used_bytes, 0, d->memory_total_bytes - d->memory_reserved_bytes);
	assert_int_equal(d->memory_total_bytes >> 20, d->variant->memory_mib);
	assert_in_range(d->sm_clock_mhz, 100, 3000);
	assert_in_range(d->memory_clock_mhz, 100, 15000);
	assert_true(d->energy_mj >= 0 && d->xid >= 0 && d->pcie_replay >= 0);
	assert_true(d->consumer == (d->ecc_sbe < 0));
	assert_true(d->pcie_rx_bps >= 0 && d->pcie_rx_bps < INT64_C(64000000000));
	for (int i = 0; i < d->instance_count; i++) {
		const struct gm_sim_instance *in = &d->instances[i];
		assert_in_range(in->gr_active_centi, 0, 10000);
		assert_in_range(in->tensor_active_centi, 0, in->gr_active_centi);
		assert_in_range(in->memory_used_bytes, 1, in->memory_total_bytes);
		assert_int_equal(in->memory_total_bytes >> 20, in->profile->memory_mib);
	}
}

static void test_board_stays_possible(void **state)
{
	(void)state;
	GM_AUTO(gm_sim_free_p)
	struct gm_sim *s = world((struct gm_sim_spec){ .seed = 11, .gpus = 24, .speed_milli = 60000, .faults = true });
	int64_t energy[24] = { 0 };
	int resets = 0;
	for (int step = 1; step <= 10000; step++) {
		gm_sim_advance(s, START_MS + step * 1000);
		for (size_t i = 0; i < 24; i++) {
			const struct gm_sim_device *d = device(s, i);
			assert_possible(d);
			if (d->energy_mj < energy[i]) {
				resets++;
				assert_true(d->energy_mj < 3600 * d->power_limit_mw); /* not a step back: a new life */
			}
			energy[i] = d->energy_mj;
		}
	}
	assert_in_range(resets, 16,
			60); /* each node's driver is loaded anew once in this week, and lost boards come back */
}

static void test_board_of_each_variant_is_possible(void **state)
{
	(void)state;
	size_t count;
	const struct gm_variant *all = gm_catalog_variants(&count);
	assert_true(count >= 14);
	for (size_t i = 0; i < count; i++) {
		struct gm_sim_spec spec = { .seed = i, .gpus = 12, .models = gm_str(all[i].id), .speed_milli = 60000 };
		GM_AUTO(gm_sim_free_p) struct gm_sim *s = world(spec);
		gm_sim_advance(s, START_MS + HOUR_MS);
		for (size_t k = 0; k < 12; k++) {
			const struct gm_sim_device *d = device(s, k);
			assert_string_equal(d->variant->id, all[i].id);
			assert_in_range(d->power_mw, 1, d->power_limit_mw);
			assert_in_range(d->temperature_deci, 200, 1000);
			assert_in_range(d->memory_used_bytes, 1, d->memory_total_bytes);
		}
	}
}

static void test_board_energy_is_the_area_under_power(void **state)
{
	(void)state;
	GM_AUTO(gm_sim_free_p) struct gm_sim *s = world((struct gm_sim_spec){ .seed = 4, .gpus = 24 });
	int64_t sum_mj[24] = { 0 }, first[24];
	for (size_t i = 0; i < 24; i++)
		first[i] = device(s, i)->energy_mj;
	for (int t = 1; t <= 3600; t++) {
		gm_sim_advance(s, START_MS + t * 1000);
		for (size_t i = 0; i < 24; i++)
			sum_mj[i] += device(s, i)->power_mw;
	}
	for (size_t i = 0; i < 24; i++) {
		int64_t counted = device(s, i)->energy_mj - first[i];
		assert_true(labs(counted - sum_mj[i]) < sum_mj[i] / 100);
	}
}

static void test_board_power_follows_load(void **state)
{
	(void)state;
	GM_AUTO(gm_sim_free_p) struct gm_sim *s = world((struct gm_sim_spec){ .seed = 4, .gpus = 24 });
	int busy = 0, idle = 0;
	for (int t = 0; t < 86400; t += 97) {
		gm_sim_advance(s, START_MS + t * 1000);
		const struct gm_sim_device *d = device(s, 0); /* trains */
		if (d->utilization_centi > 9000) {
			busy++;
			assert_true(d->power_mw > d->power_limit_mw * 3 / 4);
			assert_true(d->sm_clock_mhz > 1000);
		} else if (d->utilization_centi < 300) {
			idle++;
			assert_true(d->power_mw < d->power_limit_mw / 4);
		}
	}
	assert_in_range(busy, 400, 890);
	assert_in_range(idle, 1, 400);
}

static void test_board_heats_slowly_and_slows_down(void **state)
{
	(void)state;
	const struct gm_sim_fault hot = { .kind = GM_SIM_FAULT_OVERHEAT,
					  .node = "worker-01",
					  .gpu = 1,
					  .after_ms = 20 * MINUTE_MS,
					  .lasts_ms = 10 * MINUTE_MS,
					  .value = 45 };
	GM_AUTO(gm_sim_free_p)
	struct gm_sim *s = world((struct gm_sim_spec){ .seed = 4, .gpus = 24, .scenario = &hot, .scenario_count = 1 });
	bool was_slowed = false;
	int hottest = 0, coolest_after = 9999, before = 0, most_in_a_second = 0, throttled = 0, turns = 0;
	for (int t = 1; t <= 40 * 60; t++) {
		gm_sim_advance(s, START_MS + t * 1000);
		const struct gm_sim_device *d = device(s, 1);
		int rise = before ? abs(d->temperature_deci - before) : 0;
		before = d->temperature_deci;
		most_in_a_second = rise > most_in_a_second ? rise : most_in_a_second;
		if (t < 20 * 60)
			assert_in_range(d->temperature_deci, 200, 800);
		hottest = before > hottest ? before : hottest;
		bool slowed = (d->throttle_reasons & 0x60) != 0;
		turns += slowed != was_slowed;
		was_slowed = slowed;
		throttled += slowed;
		if (t > 35 * 60)
			coolest_after = before < coolest_after ? before : coolest_after;
		assert_in_range(device(s, 0)->temperature_deci, 200, 800); /* its neighbour is well */
	}
	assert_in_range(hottest, 860, 960);
	assert_in_range(most_in_a_second, 1, 20);
	assert_in_range(throttled, 60, 600);
	assert_in_range(turns, 2, 6); /* it does not flap at its threshold */
	assert_true(coolest_after < 750);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_board_stays_possible),
		cmocka_unit_test(test_board_of_each_variant_is_possible),
		cmocka_unit_test(test_board_energy_is_the_area_under_power),
		cmocka_unit_test(test_board_power_follows_load),
		cmocka_unit_test(test_board_heats_slowly_and_slows_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
