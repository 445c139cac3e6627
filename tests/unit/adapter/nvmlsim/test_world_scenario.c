/* SPDX-License-Identifier: MIT */
#include "world-testing.h"

static void test_scenario_default_is_eight_idle_h100(void **state)
{
	(void)state;
	struct nvs_world *w = open_world("", NULL, NULL);
	struct nvs_shared *s = nvs_world_lock(w);
	assert_int_equal(s->board_count, 8);
	assert_int_equal(s->process_count, 0);
	assert_true(s->driver_loaded);
	assert_int_equal(s->cuda_version, 12080);
	for (unsigned i = 0; i < 8; i++) {
		const struct gm_sim_device *d = nvs_world_device(w, i);
		assert_string_equal(d->variant->id, "H100_SXM5_80GB");
		assert_false(s->boards[i].mig_current);
		assert_int_equal(d->utilization_centi, 0);
		assert_int_equal(d->throttle_reasons, 1);
	}
	nvs_world_unlock(w);
	nvs_world_close(w);
}

static void test_scenario_says_all_there_is(void **state)
{
	(void)state;
	static const char text[] =
		"seed: 42\n"
		"driver: 535.54.03\n"
		"nvml: 12.535.54.03\n"
		"cuda: '12.2'\n"
		"gpus: 20\n"
		"models: A30=10,H200_SXM=10\n"
		"speed: 10\n"
		"process-abi: 32-as-v3\n"
		"unprivileged: true\n"
		"mig:\n"
		"  - {gpu: all, mode: on}\n"
		"  - {gpu: 0, layout: '1g.6gb*4'}\n"
		"  - {gpu: 1, mode: off}\n"
		"processes:\n"
		"  - {pid: 100, gpu: 0, instance: 3.0, memory: 1GiB, name: a.out, load: 40}\n"
		"  - {pid: self, gpu: 1, kind: graphics, memory: unknown, channel: false}\n"
		"call-faults:\n"
		"  - {function: nvmlDeviceGetName, gpu: 3, does: error, value: not-found, times: 2}\n";
	struct nvs_world *w = open_world(text, NULL, NULL);
	struct nvs_shared *s = nvs_world_lock(w);
	assert_int_equal(s->board_count, 20);
	assert_string_equal(s->driver_version, "535.54.03");
	assert_string_equal(s->nvml_version, "12.535.54.03");
	assert_int_equal(s->cuda_version, 12020);
	assert_int_equal(s->process_abi, NVS_PROCESSES_32_AS_V3);
	assert_true(s->unprivileged);
	assert_true(s->boards[0].mig_current && !s->boards[1].mig_current && s->boards[19].mig_current);
	assert_string_equal(nvs_world_device(w, 9)->variant->model, "A30");
	assert_string_equal(nvs_world_device(w, 10)->variant->id, "H200_SXM");
	assert_string_equal(nvs_world_device(w, 16)->pci_bus_id, "00000001:1B:00.0");
	assert_int_equal(nvs_world_device(w, 0)->instance_count, 4);
	assert_int_equal(nvs_world_instance(w, 0, 3, 0)->gr_active_centi, 4000);
	assert_int_equal(s->process_count, 2);
	assert_string_equal(s->processes[0].name, "a.out");
	assert_int_equal(nvs_process_pid(&s->processes[1]), getpid());
	assert_int_equal(s->processes[1].used_bytes, -1);
	assert_int_equal(s->processes[1].kinds, NVS_KIND_GRAPHICS);
	assert_false(s->processes[1].holds_channel);
	nvs_world_unlock(w);
	assert_int_equal(nvs_call_begin(w, "nvmlDeviceGetName", 3), 6);
	nvs_world_close(w);
}

static void test_scenario_errors_name_their_place(void **state)
{
	static const struct {
		const char *text, *where, *says;
	} rows[] = {
		{ "gpu: 8\n", "s.yml:1:1", "gpus" },
		{ "gpus: 33\n", "s.yml:1:7", "32" },
		{ "gpus: 0\n", "s.yml:1:7", "gpus" },
		{ "seed: 1\nmodels: B9000\n", "", "no such model" },
		{ "speed: fast\n", "s.yml:1:8", "not a number from 0.001 to 3600" },
		{ "speed: 4000\n", "s.yml:1:8", "not a number from 0.001 to 3600" },
		{ "cuda: twelve\n", "s.yml:1:7", "not a version" },
		{ "process-abi: 16\n", "s.yml:1:14", "24" },
		{ "workloads: 3\n", "s.yml:1:12", "workloads" },
		{ "mig: [{gpu: 9, mode: on}]\n", "s.yml:1:8", "MIG of GPU 9: there are 8" },
		{ "mig:\n  - {gpu: 0, mode: often}\n", "s.yml:2:14", "not on or off" },
		{ "mig:\n  - {gpu: 0, layout: 9g.1gb}\n", "s.yml:2:6", "no profile '9g.1gb'" },
		{ "mig:\n  - {gpu: 0, layout: '1g.10gb*8'}\n", "s.yml:2:6", "do not fit" },
		{ "mig:\n  - {gpu: 0, layout: 7g.80gb, mode: off}\n", "s.yml:2:6", "a layout with the mode off" },
		{ "mig:\n  - {gpu: 0, size: 1}\n", "s.yml:2:14", "unknown key; a MIG row has gpu, layout, mode" },
		{ "{models: L40S, mig: [{gpu: 0, mode: on}]}\n", "s.yml:1:23", "not MIG-capable" },
		{ "processes:\n  - {gpu: 1}\n", "s.yml:2:6", "a process without 'pid'" },
		{ "processes:\n  - {pid: 1, gpu: 1, instance: 3}\n", "s.yml:2:6", "not in MIG mode" },
		{ "processes:\n  - {pid: 1, gpu: 1, memory: lots}\n", "s.yml:2:22", "not a size" },
		{ "board-faults:\n  - {fault: fire}\n", "s.yml:2:6", "not one of overheat" },
		{ "board-faults:\n  - {fault: node-away}\n", "s.yml:2:6", "not one of overheat" },
		{ "board-faults:\n  - {fault: xid, after: soon}\n", "s.yml:2:18", "not a duration" },
		{ "board-faults:\n  - {fault: xid, gpu: 8}\n", "s.yml:2:6", "there are 8" },
		{ "call-faults:\n  - {function: nvmlInit, does: explode}\n", "s.yml:2:26", "not one of block" },
		{ "call-faults:\n  - {function: nvmlInit, does: slow}\n", "s.yml:2:6", "no duration" },
		{ "call-faults:\n  - {function: nvmlInit, does: block, gpu: 12}\n", "s.yml:2:6", "there are 8" },
		{ "call-faults: [block]\n", "s.yml:1:15", "unknown key" },
		{ "- gpus\n", "s.yml:1:1", "map" },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		struct nvs_world *w = NULL;
		struct gm_err err = { 0 };
		int rc = nvs_world_open_text(gm_str(rows[i].text), "s.yml", NULL, &w, &err);
		if (rc >= 0)
			fail_msg("taken: %s", rows[i].text);
		if (strcmp(err.where, rows[i].where) != 0 || !strstr(err.text, rows[i].says))
			fail_msg("%s: '%s' '%s', not '%s' '%s'", rows[i].text, err.where, err.text, rows[i].where,
				 rows[i].says);
	}
}

static void test_scenario_has_a_limit(void **state)
{
	(void)state;
	GM_AUTO(folder_fini_p) struct folder folder = folder_make();
	char path[100];
	(void)snprintf(path, sizeof(path), "%s.yml", folder.path);
	FILE *f = fopen(path, "we");
	for (int i = 0; i < NVS_SCENARIO_MAX / 8; i++)
		(void)fputs("# 45678\n", f);
	(void)fclose(f);
	struct nvs_world *w = NULL;
	struct gm_err err = { 0 };
	assert_int_equal(nvs_world_open_at(path, NULL, &w, &err), 0);
	nvs_world_close(w);
	f = fopen(path, "ae");
	(void)fputs("\n", f);
	(void)fclose(f);
	w = NULL;
	assert_int_equal(nvs_world_open_at(path, NULL, &w, &err), GM_ERR_TOO_LARGE);
	(void)unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scenario_default_is_eight_idle_h100),
		cmocka_unit_test(test_scenario_says_all_there_is),
		cmocka_unit_test(test_scenario_errors_name_their_place),
		cmocka_unit_test(test_scenario_has_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
