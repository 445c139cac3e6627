/* SPDX-License-Identifier: MIT */
#include "core/sim/live.h"
#include "sim-testing.h"

static struct gm_sim *live(int gpus, bool faults)
{
	struct gm_err err = { 0 };
	struct gm_sim *s = gm_sim_new(&(struct gm_sim_spec){ .seed = 5,
							     .gpus = gpus,
							     .models = GM_STR("H100_SXM5_80GB"),
							     .start_ms = START_MS,
							     .live = true,
							     .faults = faults },
				      &err);
	if (!s)
		fail_msg("%s", err.text);
	return s;
}

static const struct gm_sim_device *show(struct gm_sim *s, size_t board)
{
	gm_sim_live_show(s, board);
	return &gm_sim_node(s, 0)->devices[board];
}

static void step_to(struct gm_sim *s, int64_t now_ms)
{
	struct gm_sim_happening rows[GM_SIM_LIVE_BOARDS_MAX];
	while (gm_sim_live_step(s, now_ms, rows) > 0)
		continue;
}

/* A shape of `count` slices of the profile "1g.10gb", each named after its number. */
static struct gm_sim_shape slices(struct gm_sim *s, int count)
{
	struct gm_sim_shape shape = { .mig_enabled = count > 0, .instance_count = count, .board.load_percent = -1 };
	const struct gm_mig_profile *p =
		gm_mig_profile_find(gm_sim_node(s, 0)->devices[0].variant->mig, GM_STR("1g.10gb"));
	assert_non_null(p);
	for (int i = 0; i < count; i++) {
		struct gm_sim_instance *in = &shape.instances[i];
		*in = (struct gm_sim_instance){
			.gi_id = 7 + i, .profile = p, .slices = 1, .placement_start = i, .pod = -1
		};
		in->memory_total_bytes = INT64_C(10) << 30;
		(void)snprintf(in->uuid, sizeof(in->uuid), "MIG-%d", i);
		shape.uses[i].load_percent = -1;
	}
	return shape;
}

static void test_live_begins_idle_on_one_node(void **state)
{
	(void)state;
	GM_AUTO(gm_sim_free_p) struct gm_sim *s = live(32, false);
	assert_int_equal(gm_sim_node_count(s), 1);
	assert_int_equal(gm_sim_node(s, 0)->device_count, 32);
	assert_int_equal(gm_sim_pod_count(s), 0);
	for (size_t i = 0; i < 32; i++) {
		const struct gm_sim_device *d = show(s, i);
		assert_int_equal(d->index, (int)i);
		assert_false(d->mig_enabled);
		assert_int_equal(d->utilization_centi, 0);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(d->pci_bus_id, gm_sim_node(s, 0)->devices[k].pci_bus_id);
	}
	struct gm_err err = { 0 };
	assert_null(gm_sim_new(&(struct gm_sim_spec){ .gpus = 33, .live = true }, &err));
	assert_int_equal(err.code, GM_ERR_INVALID);
}

static void test_live_does_not_depend_on_steps(void **state)
{
	(void)state;
	GM_AUTO(gm_sim_free_p) struct gm_sim *a = live(4, true), *b = live(4, true);
	gm_sim_live_place(a);
	gm_sim_live_place(b);
	for (int64_t t = 0; t <= 3600000; t += 700)
		step_to(a, START_MS + t);
	step_to(a, START_MS + 3600000);
	step_to(b, START_MS + 3600000);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(show(a, i)->energy_mj, show(b, i)->energy_mj);
		assert_int_equal(show(a, i)->temperature_deci, show(b, i)->temperature_deci);
		assert_int_equal(show(a, i)->utilization_centi, show(b, i)->utilization_centi);
	}
}

static void test_live_state_goes_on_alike_elsewhere(void **state)
{
	(void)state;
	GM_AUTO(gm_sim_free_p) struct gm_sim *a = live(2, true), *b = live(2, true);
	struct gm_sim_shape shape = slices(a, 5);
	gm_sim_live_place(a);
	gm_sim_live_place(b);
	step_to(a, START_MS + 1234567);
	shape.uses[2] = (struct gm_sim_use){ .load_percent = 60, .held_bytes = INT64_C(1) << 30 };
	gm_sim_live_shape(a, 1, &shape);
	gm_sim_live_fault(a, 0, GM_SIM_FAULT_ECC_DBE, 2);
	for (size_t i = 0; i < 2; i++) {
		struct gm_sim_state saved;
		if (i == 1)
			gm_sim_live_shape(b, i, &shape);
		gm_sim_live_save(a, i, &saved);
		gm_sim_live_restore(b, i, &saved);
	}
	for (int64_t t = 1234567; t < 1300000; t += 411) {
		step_to(a, START_MS + t);
		step_to(b, START_MS + t);
		for (size_t i = 0; i < 2; i++) {
			const struct gm_sim_device *x = show(a, i), *y = show(b, i);
			assert_int_equal(x->energy_mj, y->energy_mj);
			assert_int_equal(x->power_mw, y->power_mw);
			assert_int_equal(x->temperature_deci, y->temperature_deci);
			assert_int_equal(x->ecc_dbe, y->ecc_dbe);
			assert_int_equal(x->xid, y->xid);
			assert_int_equal(x->memory_used_bytes, y->memory_used_bytes);
		}
		assert_int_equal(show(b, 1)->instances[2].gr_active_centi, 6000);
	}
}

static void test_live_instances_keep_their_workloads(void **state)
{
	(void)state;
	GM_AUTO(gm_sim_free_p) struct gm_sim *s = live(1, false);
	struct gm_sim_shape shape = slices(s, 7);
	gm_sim_live_shape(s, 0, &shape);
	gm_sim_live_place(s);
	int pods[7], some = 0;
	for (int i = 0; i < 7; i++)
		some += (pods[i] = show(s, 0)->instances[i].pod) >= 0;
	assert_true(some > 0);
	step_to(s, START_MS + 3000);
	/* The first goes, the others stay, an eighth name is new. */
	for (int i = 0; i < 6; i++)
		shape.instances[i] = shape.instances[i + 1];
	(void)snprintf(shape.instances[6].uuid, sizeof(shape.instances[6].uuid), "MIG-new");
	gm_sim_live_shape(s, 0, &shape);
	for (int i = 0; i < 6; i++)
		assert_int_equal(show(s, 0)->instances[i].pod, pods[i + 1]);
	assert_int_equal(show(s, 0)->instances[6].pod, -1);
}

static void test_live_power_follows_a_load_at_once(void **state)
{
	(void)state;
	GM_AUTO(gm_sim_free_p) struct gm_sim *s = live(1, false);
	struct gm_sim_shape busy = slices(s, 0);
	step_to(s, START_MS + 10300);
	int64_t idle = show(s, 0)->power_mw, before = show(s, 0)->energy_mj;
	busy.board.load_percent = 100;
	gm_sim_live_shape(s, 0, &busy);
	assert_int_equal(show(s, 0)->energy_mj, before); /* the past does not change */
	assert_true(show(s, 0)->power_mw > idle * 4);
	assert_int_equal(show(s, 0)->utilization_centi, 10000);
	step_to(s, START_MS + 20300);
	int64_t joules = (show(s, 0)->energy_mj - before) / 1000;
	assert_in_range(joules, 5000, 7000); /* ten seconds at some 600 W */
	gm_sim_live_reset(s, 0);
	assert_int_equal(show(s, 0)->energy_mj, 0);
	assert_int_equal(show(s, 0)->utilization_centi, 10000);
}

static void test_live_names_are_each_their_own(void **state)
{
	(void)state;
	GM_AUTO(gm_sim_free_p) struct gm_sim *s = live(2, false);
	char a[48], b[48], c[48], again[48];
	gm_sim_live_uuid(s, 0, 1, a);
	gm_sim_live_uuid(s, 0, 2, b);
	gm_sim_live_uuid(s, 1, 1, c);
	gm_sim_live_uuid(s, 0, 1, again);
	assert_string_equal(a, again);
	assert_string_not_equal(a, b);
	assert_string_not_equal(a, c);
	assert_int_equal(strlen(a), 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_live_begins_idle_on_one_node),
		cmocka_unit_test(test_live_does_not_depend_on_steps),
		cmocka_unit_test(test_live_state_goes_on_alike_elsewhere),
		cmocka_unit_test(test_live_instances_keep_their_workloads),
		cmocka_unit_test(test_live_power_follows_a_load_at_once),
		cmocka_unit_test(test_live_names_are_each_their_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
