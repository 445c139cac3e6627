/* SPDX-License-Identifier: MIT */
#include "sim-testing.h"

#include <string.h>

#include "core/sim/sim-internal.h"

static void test_fault_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < GM_SIM_FAULT_COUNT; i++)
		assert_int_equal(gm_sim_fault_find(gm_str(gm_sim_fault_name(i))), i);
	assert_int_equal(gm_sim_fault_find(GM_STR("meteor")), GM_SIM_FAULT_COUNT);
	assert_string_equal(gm_sim_fault_name(GM_SIM_FAULT_NODE_AWAY), "node-away");
}

/* Begin and end of each fault are seen once, at their knots, though the cache skips most of the time between. */
static void test_fault_edges_are_seen_once(void **state)
{
	(void)state;
	const struct sim_fault_plan plan = { .seed = 1, .rarity = 65536 / 8, .step_ms = 5000, .faults = true };
	uint32_t all = (1 << GM_SIM_FAULT_COUNT) - 1;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct sim_fault_cache cache = { 0 };
		uint32_t before = 0;
		int begins[GM_SIM_FAULT_COUNT] = { 0 }, ends[GM_SIM_FAULT_COUNT] = { 0 };
		for (int64_t t = 0; t < 30 * DAY_MS; t += plan.step_ms) {
			struct sim_faults f, fresh;
			struct sim_fault_cache none = { 0 };
			sim_faults_at(&plan, &cache, seed, all, t, &f);
			if (t % (DAY_MS / 96) == 0) {
				sim_faults_at(&plan, &none, seed, all, t, &fresh);
				assert_int_equal(f.active, fresh.active);
				assert_int_equal(f.overheat_c, fresh.overheat_c);
				assert_int_equal(f.begins, fresh.begins);
			}
			if (t > 0)
				assert_int_equal(f.active & ~before & ~f.begins, 0);
			assert_int_equal(before & ~f.active & ~f.ends, 0);
			for (unsigned k = 0; k < GM_SIM_FAULT_COUNT; k++) {
				begins[k] += f.begins >> k & 1;
				ends[k] += f.ends >> k & 1;
			}
			before = f.active;
		}
		for (unsigned k = 0; k < GM_SIM_FAULT_COUNT; k++) {
			assert_in_range(begins[k], 5, 800);
			assert_in_range(ends[k], begins[k] - 1, begins[k] + 1);
		}
		assert_int_equal(sim_faults_remapped(&plan, seed, 30 * DAY_MS - 1), begins[GM_SIM_FAULT_ECC_DBE]);
	}
}

struct seen {
	int hot, cooled, throttled, xid, sbe, dbe, lost, back, away, home, reset;
};

static void watch_board(const struct gm_sim_device *d, int *hot, int *lost, struct seen *seen)
{
	int limit = d->variant->slowdown_c > 0 ? d->variant->slowdown_c * 10 : 880;
	seen->hot += d->temperature_deci >= limit && !*hot;
	seen->cooled += d->temperature_deci < limit - 100 && *hot;
	*hot = d->temperature_deci >= limit || (*hot && d->temperature_deci >= limit - 100);
	seen->throttled += (d->throttle_reasons & 0x80) != 0;
	seen->xid += d->xid == 13 || d->xid == 31 || d->xid == 43 || d->xid == 45;
	seen->sbe += d->ecc_sbe > 0;
	seen->dbe += d->ecc_dbe > 0 && d->remapped_uncorrectable > 0 && d->row_remap_pending;
	seen->lost += d->lost && !*lost;
	seen->back += !d->lost && *lost;
	*lost = d->lost;
}

static struct seen watch_world(bool faults, int days)
{
	struct seen seen = { 0 };
	struct gm_sim *s = world((struct gm_sim_spec){ .seed = 1, .gpus = 24, .speed_milli = 30000, .faults = faults });
	int hot[24] = { 0 }, lost[24] = { 0 }, away[6] = { 0 };
	for (int t = 1; t <= days * 86400 / 30; t++) {
		gm_sim_advance(s, START_MS + t * 1000);
		for (size_t i = 0; i < 24; i++)
			watch_board(device(s, i), &hot[i], &lost[i], &seen);
		for (size_t i = 0; i < 6; i++) {
			seen.away += gm_sim_node(s, i)->away && !away[i];
			seen.home += !gm_sim_node(s, i)->away && away[i];
			away[i] = gm_sim_node(s, i)->away;
		}
	}
	gm_sim_free(s);
	return seen;
}

static void test_fault_kinds_come_and_go(void **state)
{
	(void)state;
	struct seen seen = watch_world(true, 4);
	assert_in_range(seen.hot, 2, 200);
	assert_in_range(seen.cooled, seen.hot - 3, seen.hot);
	assert_true(seen.throttled && seen.xid && seen.sbe && seen.dbe);
	assert_in_range(seen.lost, 1, 40);
	assert_in_range(seen.back, seen.lost - 1, seen.lost);
	assert_in_range(seen.away, 5, 80);
	assert_in_range(seen.home, seen.away - 2, seen.away);
}

static void test_fault_free_world_is_well(void **state)
{
	(void)state;
	struct seen seen = watch_world(false, 2), none = { 0 };
	assert_memory_equal(&seen, &none, sizeof(seen));
}

static void test_fault_large_world_has_a_few(void **state)
{
	(void)state;
	GM_AUTO(gm_sim_free_p)
	struct gm_sim *s = world((struct gm_sim_spec){ .seed = 1, .gpus = 20000, .faults = true });
	gm_sim_advance(s, START_MS + HOUR_MS / 4);
	int away = 0, lost = 0, hot = 0;
	for (size_t i = 0; i < gm_sim_node_count(s); i++) {
		const struct gm_sim_node *n = gm_sim_node(s, i);
		away += n->away;
		for (size_t k = 0; k < n->device_count; k++) {
			lost += n->devices[k].lost;
			hot += n->devices[k].temperature_deci > 850;
		}
	}
	assert_in_range(away + lost + hot, 1, 200);
}

/* One row of each kind: what it does, that it ends, that it hits nobody else. */
static void test_fault_scenario_rows(void **state)
{
	(void)state;
	const int64_t after = 10 * MINUTE_MS, lasts = 5 * MINUTE_MS;
	const struct gm_sim_fault rows[] = {
		{ GM_SIM_FAULT_LOST, "worker-01", 0, after, lasts, 0 },
		{ GM_SIM_FAULT_XID, "worker-01", 1, after, 0, 74 },
		{ GM_SIM_FAULT_ECC_SBE, "worker-01", 2, after, 0, 5 },
		{ GM_SIM_FAULT_ECC_DBE, "worker-01", 3, after, lasts, 2 },
		{ GM_SIM_FAULT_NODE_AWAY, "worker-02", -1, after, lasts, 0 },
		{ GM_SIM_FAULT_THROTTLE, "worker-03", -1, after, 0, 40 },
		{ GM_SIM_FAULT_ECC_DBE, "worker-06", -1, after, 0, 1 }, /* boards without ECC */
	};
	GM_AUTO(gm_sim_free_p)
	struct gm_sim *s =
		world((struct gm_sim_spec){ .seed = 8, .gpus = 24, .scenario = rows, .scenario_count = GM_LEN(rows) });
	int64_t remapped = device(s, 3)->remapped_uncorrectable;
	gm_sim_advance(s, START_MS + after - 1);
	assert_false(device(s, 0)->lost);
	assert_false(gm_sim_node(s, 1)->away);
	gm_sim_advance(s, START_MS + after + MINUTE_MS);
	assert_true(device(s, 0)->lost);
	assert_int_equal(device(s, 1)->xid, 74);
	assert_int_equal(device(s, 2)->ecc_sbe, 5);
	assert_int_equal(device(s, 3)->ecc_dbe, 2);
	assert_true(device(s, 3)->xid == 48 || device(s, 3)->xid == 94);
	assert_true(device(s, 3)->row_remap_pending);
	assert_int_equal(device(s, 3)->remapped_uncorrectable, remapped + 1);
	assert_true(gm_sim_node(s, 1)->away);
	assert_false(gm_sim_node(s, 0)->away);
	for (size_t i = 8; i < 12; i++) {
		assert_true(device(s, i)->throttle_reasons & 0x80);
		assert_in_range(device(s, i)->power_mw, 1, device(s, i)->power_limit_mw * 41 / 100);
	}
	assert_int_equal(device(s, 20)->ecc_dbe, -1);
	gm_sim_advance(s, START_MS + after + lasts + MINUTE_MS);
	assert_false(device(s, 0)->lost);
	assert_int_equal(device(s, 0)->xid, 0);
	assert_int_equal(device(s, 1)->xid, 74);
	assert_in_range(device(s, 0)->energy_mj, 1, 100 * device(s, 0)->power_limit_mw);
	assert_int_equal(device(s, 3)->ecc_dbe, 0);
	assert_false(device(s, 3)->row_remap_pending);
	assert_int_equal(device(s, 3)->remapped_uncorrectable, remapped + 1);
	assert_false(gm_sim_node(s, 1)->away);
	assert_true(device(s, 8)->throttle_reasons & 0x80); /* without an end it lasts */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fault_names),
		cmocka_unit_test(test_fault_edges_are_seen_once),
		cmocka_unit_test(test_fault_kinds_come_and_go),
		cmocka_unit_test(test_fault_free_world_is_well),
		cmocka_unit_test(test_fault_large_world_has_a_few),
		cmocka_unit_test(test_fault_scenario_rows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
