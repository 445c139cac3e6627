/* SPDX-License-Identifier: MIT */
#include "sim-testing.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

/* Every number of a device, so that "the same world" means all of it. */
#define DEVICE_NUMBERS(X)                                                                                              \
	X(index)                                                                                                       \
	X(mig_enabled)                                                                                                 \
	X(instance_count)                                                                                              \
	X(pod)                                                                                                         \
	X(lost)                                                                                                        \
	X(utilization_centi)                                                                                           \
	X(memory_copy_centi)                                                                                           \
	X(encoder_centi)                                                                                               \
	X(decoder_centi)                                                                                               \
	X(sm_active_centi)                                                                                             \
	X(sm_occupancy_centi)                                                                                          \
	X(tensor_active_centi)                                                                                         \
	X(dram_active_centi)                                                                                           \
	X(memory_total_bytes)                                                                                          \
	X(memory_used_bytes)                                                                                           \
	X(memory_reserved_bytes)                                                                                       \
	X(temperature_deci)                                                                                            \
	X(memory_temperature_deci)                                                                                     \
	X(power_mw)                                                                                                    \
	X(power_limit_mw)                                                                                              \
	X(energy_mj)                                                                                                   \
	X(sm_clock_mhz)                                                                                                \
	X(memory_clock_mhz)                                                                                            \
	X(pcie_tx_bps)                                                                                                 \
	X(pcie_rx_bps)                                                                                                 \
	X(nvlink_bps)                                                                                                  \
	X(pcie_replay)                                                                                                 \
	X(xid)                                                                                                         \
	X(ecc_sbe)                                                                                                     \
	X(ecc_dbe)                                                                                                     \
	X(remapped_correctable)                                                                                        \
	X(remapped_uncorrectable)                                                                                      \
	X(row_remap_pending)                                                                                           \
	X(throttle_reasons)                                                                                            \
	X(fan_centi)

/* The first difference, or NULL. */
static const char *difference(const struct gm_sim_device *a, const struct gm_sim_device *b)
{
	if (strcmp(a->uuid, b->uuid) != 0)
		return "uuid";
#define COMPARE(field)                                                                                                 \
	if (a->field != b->field)                                                                                      \
		return #field;
	DEVICE_NUMBERS(COMPARE)
#undef COMPARE
	for (int i = 0; i < a->instance_count; i++) {
		const struct gm_sim_instance *x = &a->instances[i], *y = &b->instances[i];
		if (x->gi_id != y->gi_id || x->pod != y->pod || strcmp(x->uuid, y->uuid) != 0 ||
		    x->profile != y->profile || x->memory_used_bytes != y->memory_used_bytes ||
		    x->gr_active_centi != y->gr_active_centi || x->tensor_active_centi != y->tensor_active_centi ||
		    x->dram_active_centi != y->dram_active_centi)
			return "instance";
	}
	return NULL;
}

static void assert_same_world(const struct gm_sim *a, const struct gm_sim *b)
{
	assert_int_equal(gm_sim_node_count(a), gm_sim_node_count(b));
	assert_int_equal(gm_sim_pod_count(a), gm_sim_pod_count(b));
	for (size_t i = 0; i < gm_sim_node_count(a); i++) {
		assert_string_equal(gm_sim_node(a, i)->name, gm_sim_node(b, i)->name);
		assert_int_equal(gm_sim_node(a, i)->away, gm_sim_node(b, i)->away);
	}
	for (size_t i = 0; i < device_count(a); i++) {
		const char *what = difference(device(a, i), device(b, i));
		if (what)
			fail_msg("device %zu differs in %s", i, what);
	}
	for (int i = 0; i < (int)gm_sim_pod_count(a); i++) {
		assert_string_equal(gm_sim_pod(a, i)->pod, gm_sim_pod(b, i)->pod);
		assert_string_equal(gm_sim_pod(a, i)->uid, gm_sim_pod(b, i)->uid);
	}
}

static void test_sim_default_mix_is_the_documents(void **state)
{
	(void)state;
	GM_AUTO(gm_sim_free_p) struct gm_sim *s = world((struct gm_sim_spec){ .seed = 7, .gpus = 24 });
	assert_int_equal(gm_sim_node_count(s), 6);
	assert_int_equal(device_count(s), 24);
	int h100 = 0, a100 = 0, rtx = 0, instances = 0, mig = 0, free_slices = 0;
	for (size_t i = 0; i < 24; i++) {
		const struct gm_sim_device *d = device(s, i);
		h100 += strcmp(d->variant->model, "H100_80GB") == 0;
		a100 += strcmp(d->variant->model, "A100_80GB") == 0;
		rtx += strcmp(d->variant->model, "RTX4090") == 0;
		instances += d->instance_count;
		mig += d->mig_enabled;
		for (int k = 0; k < d->instance_count; k++)
			free_slices += d->instances[k].pod < 0;
	}
	assert_int_equal(h100, 8);
	assert_int_equal(a100, 12);
	assert_int_equal(rtx, 4);
	assert_int_equal(instances, 42);
	assert_int_equal(mig, 8);
	assert_in_range(free_slices, 1, 20);
	for (size_t i = 0; i < 6; i++) {
		char name[20];
		(void)snprintf(name, sizeof(name), "worker-%02zu", i + 1);
		assert_string_equal(gm_sim_node(s, i)->name, name);
		assert_int_equal(gm_sim_node(s, i)->device_count, 4);
	}
}

static void test_sim_scales_the_mix(void **state)
{
	(void)state;
	for (int gpus = 1; gpus <= 130; gpus++) {
		GM_AUTO(gm_sim_free_p) struct gm_sim *s = world((struct gm_sim_spec){ .seed = 1, .gpus = gpus });
		assert_int_equal(device_count(s), gpus);
		for (size_t i = 0; i < gm_sim_node_count(s); i++)
			assert_in_range(gm_sim_node(s, i)->device_count, 1, gpus > 64 ? 8 : 4);
	}
	GM_AUTO(gm_sim_free_p) struct gm_sim *s = world((struct gm_sim_spec){ .seed = 1, .gpus = 2400 });
	int h100 = 0, instances = 0;
	for (size_t i = 0; i < 2400; i++) {
		h100 += strcmp(device(s, i)->variant->model, "H100_80GB") == 0;
		instances += device(s, i)->instance_count;
	}
	assert_int_equal(h100, 800);
	assert_in_range(instances, 3000, 5000);
}

static void test_sim_uuids_are_unique(void **state)
{
	(void)state;
	GM_AUTO(gm_sim_free_p) struct gm_sim *s = world((struct gm_sim_spec){ .seed = 3, .gpus = 200 });
	for (size_t i = 0; i < 200; i++) {
		const struct gm_sim_device *d = device(s, i);
		assert_int_equal(strlen(d->uuid), 40);
		assert_memory_equal(d->uuid, "GPU-", 4);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(d->uuid, device(s, k)->uuid);
		for (int k = 1; k < d->instance_count; k++)
			assert_string_not_equal(d->instances[k].uuid, d->instances[k - 1].uuid);
	}
}

/* To the same time by 1 s, by 7.3 s, by an hour and a half, and at once; without and with a change of life. */
static void test_sim_steps_do_not_matter(void **state)
{
	(void)state;
	static const int64_t steps_ms[] = { 1000, 7300, 5400000, 0 };
	static const struct {
		int speed_milli;
		int64_t ends_ms[3];
	} cases[] = {
		{ 1000, { 2 * MINUTE_MS + 1, 47 * MINUTE_MS + 777, 3 * HOUR_MS } },
		{ 60000, { 1, 47 * MINUTE_MS + 777, 90 * MINUTE_MS } }, /* 4 days */
		{ 3600000, { 777, MINUTE_MS, 4 * MINUTE_MS + 2 } },	/* 10 days */
	};
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		struct gm_sim_spec spec = { .seed = 42, .gpus = 24, .faults = true };
		spec.speed_milli = cases[i].speed_milli;
		struct gm_sim *w[GM_LEN(steps_ms)];
		for (size_t k = 0; k < GM_LEN(w); k++)
			w[k] = world(spec);
		for (size_t e = 0; e < 3; e++) {
			int64_t from = e ? cases[i].ends_ms[e - 1] : 0, end = cases[i].ends_ms[e];
			for (size_t k = 0; k < GM_LEN(w); k++) {
				for (int64_t t = from; steps_ms[k] && t < end; t += steps_ms[k])
					gm_sim_advance(w[k], START_MS + t);
				gm_sim_advance(w[k], START_MS + end);
				assert_same_world(w[0], w[k]);
			}
		}
		for (size_t k = 0; k < GM_LEN(w); k++)
			gm_sim_free(w[k]);
	}
}

static void test_sim_nodes_move_alone(void **state)
{
	(void)state;
	struct gm_sim_spec spec = { .seed = 5, .gpus = 24, .faults = true };
	GM_AUTO(gm_sim_free_p) struct gm_sim *all = world(spec);
	GM_AUTO(gm_sim_free_p) struct gm_sim *one = world(spec);
	gm_sim_advance(all, START_MS + HOUR_MS);
	for (size_t i = gm_sim_node_count(one); i-- > 0;) {
		gm_sim_advance_node(one, i, START_MS + (int64_t)i * MINUTE_MS);
		gm_sim_advance_node(one, i, START_MS + HOUR_MS);
	}
	gm_sim_advance_node(one, 99, START_MS + HOUR_MS);
	assert_same_world(all, one);
}

static void test_sim_never_goes_back(void **state)
{
	(void)state;
	struct gm_sim_spec spec = { .seed = 5, .gpus = 24 };
	GM_AUTO(gm_sim_free_p) struct gm_sim *a = world(spec);
	GM_AUTO(gm_sim_free_p) struct gm_sim *b = world(spec);
	gm_sim_advance(a, START_MS + HOUR_MS);
	gm_sim_advance(b, START_MS + HOUR_MS);
	gm_sim_advance(b, START_MS);
	gm_sim_advance(b, INT64_MIN);
	assert_same_world(a, b);
	gm_sim_advance(b, INT64_MAX); /* and the end of time is no trap */
	assert_true(device(b, 0)->power_mw > 0);
}

static void test_sim_another_seed_is_another_world(void **state)
{
	(void)state;
	GM_AUTO(gm_sim_free_p) struct gm_sim *a = world((struct gm_sim_spec){ .seed = 1, .gpus = 24 });
	GM_AUTO(gm_sim_free_p) struct gm_sim *b = world((struct gm_sim_spec){ .seed = 2, .gpus = 24 });
	int power_differs = 0;
	for (size_t i = 0; i < 24; i++) {
		assert_string_not_equal(device(a, i)->uuid, device(b, i)->uuid);
		power_differs += device(a, i)->power_mw != device(b, i)->power_mw;
	}
	assert_in_range(power_differs, 20, 24);
}

static void test_sim_speed_is_only_time(void **state)
{
	(void)state;
	GM_AUTO(gm_sim_free_p) struct gm_sim *slow = world((struct gm_sim_spec){ .seed = 1, .gpus = 24 });
	GM_AUTO(gm_sim_free_p)
	struct gm_sim *fast = world((struct gm_sim_spec){ .seed = 1, .gpus = 24, .speed_milli = 60000 });
	gm_sim_advance(slow, START_MS + HOUR_MS);
	gm_sim_advance(fast, START_MS + MINUTE_MS);
	assert_same_world(slow, fast);
}

static void test_sim_pods_are_named_and_jobs_follow_each_other(void **state)
{
	(void)state;
	GM_AUTO(gm_sim_free_p) struct gm_sim *s = world((struct gm_sim_spec){ .seed = 9, .gpus = 24 });
	int kinds = 0, pod = device(s, 0)->pod;
	for (int i = 0; i < (int)gm_sim_pod_count(s); i++) {
		const struct gm_sim_pod *p = gm_sim_pod(s, i);
		assert_true(p->namespace_[0] && p->container[0]);
		assert_int_equal(strlen(p->uid), 36);
		assert_in_range(strlen(p->pod), 5, 63);
		kinds |= strcmp(p->workload, "serving") == 0 ? 1 : strcmp(p->workload, "training") == 0 ? 2 : 4;
	}
	assert_int_equal(kinds, 7);
	assert_null(gm_sim_pod(s, -1));
	assert_null(gm_sim_pod(s, (int)gm_sim_pod_count(s)));
	/* The first four boards of a world train together: one pod, names that change, a free time between. */
	char first[80] = "", last[80] = "";
	int free_time = 0, names = 0;
	for (int64_t t = 0; t < 2 * DAY_MS; t += 5 * MINUTE_MS) {
		gm_sim_advance(s, START_MS + t);
		const struct gm_sim_device *d = device(s, 0);
		assert_int_equal(d->pod, device(s, 3)->pod);
		if (d->pod < 0) {
			free_time++;
			assert_int_equal(d->utilization_centi, 0);
			continue;
		}
		pod = d->pod;
		if (strcmp(last, gm_sim_pod(s, pod)->pod) != 0)
			names++;
		(void)snprintf(last, sizeof(last), "%s", gm_sim_pod(s, pod)->pod);
		if (!first[0])
			(void)snprintf(first, sizeof(first), "%s", last);
	}
	assert_string_equal(gm_sim_pod(s, pod)->workload, "training");
	assert_in_range(names, 4, 13);
	assert_in_range(free_time, 1, 2 * 24 * 12 / 4);
	assert_string_not_equal(first, last);
}

static void test_sim_refuses_wrong_specifications(void **state)
{
	(void)state;
	static const struct gm_sim_fault lost_node = { .kind = GM_SIM_FAULT_LOST, .node = "worker-99" };
	static const struct gm_sim_fault bad_kind = { .kind = (enum gm_sim_fault_kind)99, .node = "worker-01" };
	static const struct gm_sim_fault bad_time = { .node = "worker-01", .after_ms = -1 };
	const struct {
		struct gm_sim_spec spec;
		const char *says;
	} cases[] = {
		{ { .gpus = 0 }, "gpus: 0" },
		{ { .gpus = 200001 }, "gpus: 200001" },
		{ { .gpus = 4, .gpus_per_node = 17 }, "gpus per node" },
		{ { .gpus = 4, .gpus_per_node = -1 }, "gpus per node" },
		{ { .gpus = 4, .speed_milli = -1 }, "speed" },
		{ { .gpus = 4, .speed_milli = 3600001 }, "speed" },
		{ { .gpus = 4, .start_ms = -1 }, "start" },
		{ { .gpus = 4, .models = GM_STR("H100_80GB,VOODOO2") }, "VOODOO2" },
		{ { .gpus = 4, .scenario = &lost_node, .scenario_count = 1 }, "worker-01" },
		{ { .gpus = 4, .scenario = &bad_kind, .scenario_count = 1 }, "kind" },
		{ { .gpus = 4, .scenario = &bad_time, .scenario_count = 1 }, "times" },
	};
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		struct gm_err err = { 0 };
		assert_null(gm_sim_new(&cases[i].spec, &err));
		assert_int_not_equal(err.code, 0);
		if (!strstr(err.text, cases[i].says))
			fail_msg("case %zu: '%s' does not say '%s'", i, err.text, cases[i].says);
	}
	gm_sim_free(NULL);
}

/* Each larger allocation fails once: an error, nothing leaked (the sanitizer's word), and at last a world. */
static void test_sim_without_memory(void **state)
{
	(void)state;
	const struct gm_sim_fault row = { .kind = GM_SIM_FAULT_XID, .node = "worker-01", .gpu = -1 };
	const struct gm_sim_spec spec = { .gpus = 24, .start_ms = START_MS, .scenario = &row, .scenario_count = 1 };
	struct gm_sim *s = NULL;
	unsigned n = 0;
	while (!s) {
		struct gm_err err = { 0 };
		gm_alloc_fail_at(++n);
		s = gm_sim_new(&spec, &err);
		assert_true(s || err.code == GM_ERR_NO_MEMORY);
		assert_true(!s == gm_alloc_failed());
	}
	gm_alloc_fail_at(0);
	gm_sim_free(s);
	assert_in_range(n, 5, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sim_default_mix_is_the_documents),
		cmocka_unit_test(test_sim_scales_the_mix),
		cmocka_unit_test(test_sim_uuids_are_unique),
		cmocka_unit_test(test_sim_steps_do_not_matter),
		cmocka_unit_test(test_sim_nodes_move_alone),
		cmocka_unit_test(test_sim_never_goes_back),
		cmocka_unit_test(test_sim_another_seed_is_another_world),
		cmocka_unit_test(test_sim_speed_is_only_time),
		cmocka_unit_test(test_sim_pods_are_named_and_jobs_follow_each_other),
		cmocka_unit_test(test_sim_refuses_wrong_specifications),
		cmocka_unit_test(test_sim_without_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
