/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "world-testing.h"

/* On 4 GPUs: 0 and 1 H100, 1 with the layout 3g.40gb@4 and 1g.10gb@0; 2 and 3 L40S. */
static const char four[] =
	"{gpus: 4, models: 'H100_SXM5_80GB=2,L40S=2', mig: [{gpu: 1, layout: '3g.40gb@4, 1g.10gb@0'}]}";

static void test_command_table(void **state)
{
	static const struct {
		const char *line;
		const char *says; /* NULL: it is done; else a part of the error */
	} rows[] = {
		{ "", "no command" },
		{ "   ", "no command" },
		{ "nothing", "unknown command 'nothing'" },
		{ "\"show", "unknown command" },
		{ "show now", "show, or show -o json" },
		{ "show -o yaml", "show, or show -o json" },
		{ "show -o json", NULL },
		{ "show", NULL },
		{ "show json", NULL },
		{ "help", NULL },
		{ "xid 0 79", NULL },
		{ "xid 0", "code: not from 1" },
		{ "xid 4 79", "GPU 4: there are 4" },
		{ "xid zero 79", "not an index" },
		{ "xid 0 79 1", "'1' is too much: xid GPU CODE" },
		{ "xid gpu=0 code=79", NULL },
		{ "ecc 0 dbe 3", NULL },
		{ "ecc 0 sbe 0", "count: not from 1" },
		{ "ecc 0 both", "not sbe or dbe" },
		{ "mig 0 maybe", "not on or off" },
		{ "mig 2 on", "code 3 (not MIG-capable)" },
		{ "mig 0 on", NULL },
		{ "layout 0 1g.10gb*7", NULL },
		{ "layout 0 1g.10gb*8", "do not fit" },
		{ "layout 0 9g.90gb", "no profile '9g.90gb'" },
		{ "layout 2 1g.10gb", "not in MIG mode" },
		{ "layout 0 \"3g.40gb@4, 3g.40gb@0\"", NULL },
		{ "layout 0 \"3g.40gb@4", "quote without its end" },
		{ "mig 0 off", "code 19" },
		{ "layout 0", NULL }, /* nothing */
		{ "mig 0 off", NULL },
		{ "load 0 50", NULL },
		{ "load 0 auto", NULL },
		{ "load 0 101", "percent: '101': not from 0 to 100, or auto" },
		{ "load 1/1 20", NULL },
		{ "load 1/2 20", "no GPU instance 2" },
		{ "load 1/x 20", "not a GPU as 2" },
		{ "load 7 20", "GPU 7: there are 4" },
		{ "process add pid=5 gpu=0 memory=1GiB kind=compute+graphics name=train", NULL },
		{ "process add pid=self gpu=0", NULL },
		{ "process add pid=0 gpu=0", "not a pid" },
		{ "process add pid=5", "a process without 'gpu'" },
		{ "process add pid=5 gpu=0 colour=red", "colour: unknown key; a process has channel, gpu, instance" },
		{ "process add pid=5 gpu=0 gpu=1", "given twice" },
		{ "process add pid=5 gpu=0 kind=work", "not of compute" },
		{ "process add pid=5 gpu=1", "an instance is to be named" },
		{ "process add pid=5 gpu=0 instance=1", "no instance is to be named" },
		{ "process add pid=5 gpu=1 instance=1.1", "no instance 1.1" },
		{ "process add pid=5 gpu=1 instance=1.0", NULL },
		{ "process add pid=5 gpu=9", "GPU 9: there are 4" },
		{ "process remove 5 gpu=1", NULL },
		{ "process remove 5", NULL },
		{ "process remove 5", "no process 5" },
		{ "process remove self", NULL },
		{ "process stop 5", "process add or process remove" },
		{ "process", "process add or process remove" },
		{ "fault nvmlDeviceGetName block", NULL },
		{ "fault nvmlDeviceGetName block 5s gpu=2 for=1m times=3 after=2s", NULL },
		{ "fault nvmlDeviceGetName block soon", "its value is no duration" },
		{ "fault nvmlDeviceGetName slow", "its value is no duration" },
		{ "fault nvmlDeviceGetName error", "no NVML code" },
		{ "fault nvmlDeviceGetName error 0", "no NVML code" },
		{ "fault nvmlDeviceGetName error SUCCESSFUL", "no NVML code" },
		{ "fault nvmlDeviceGetName error IN_USE", NULL },
		{ "fault nvmlDeviceGetName garbage 5", "has no value" },
		{ "fault nvmlDeviceGetName hang", "not one of block" },
		{ "fault nvmlDeviceGetName", "a call fault without 'does'" },
		{ "fault cudaMalloc error 3", "not a function" },
		{ "fault nvml*Get error 3", "not a function" },
		{ "fault nvmlDeviceGetName error 3 gpu=4", "GPU 4: there are 4" },
		{ "fault nvmlDeviceGetName error 3 times=0", "not a number from 1" },
		{ "clear 99", "no fault 99" },
		{ "clear some", "not the number of a fault" },
		{ "clear all", NULL },
		{ "clear", NULL },
		{ "lost 3", NULL },
		{ "back 2", "was not lost by command" },
		{ "back 3", NULL },
		{ "reset-gpu 3", NULL },
		{ "reset-gpu 3 force", NULL },
		{ "reset-gpu 3 now", "reset-gpu GPU [force]" },
		{ "mismatch on", NULL },
		{ "mismatch", "not on or off" },
		{ "privileged off", NULL },
		{ "abi 32-as-v3", NULL },
		{ "abi 64", "not one of 24" },
		{ "unload-driver", NULL },
		{ "load-driver", NULL },
		{ "reload-driver", NULL },
		{ "reset", NULL },
		{ "show \x01", "not plain text" },
		{ "load 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18", "too much" },
	};
	(void)state;
	struct nvs_world *w = open_world(four, NULL, NULL);
	char said[400];
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		int rc = try_command(w, rows[i].line, said, sizeof(said));
		if (!rows[i].says && rc < 0)
			fail_msg("'%s': %s", rows[i].line, said);
		if (rows[i].says && (rc >= 0 || !strstr(said, rows[i].says)))
			fail_msg("'%s' says '%s', not '%s'", rows[i].line, said, rows[i].says);
	}
	nvs_world_close(w);
}

static void test_command_does_what_it_says(void **state)
{
	(void)state;
	struct nvs_world *w = open_world(four, NULL, NULL);
	command(w, "abi no-v3");
	command(w, "privileged off");
	command(w, "mismatch on");
	command(w, "xid 0 63");
	command(w, "ecc 0 sbe 5");
	command(w, "ecc 0 dbe");
	struct nvs_shared *s = nvs_world_lock(w);
	assert_int_equal(s->process_abi, NVS_PROCESSES_NO_V3);
	assert_true(s->unprivileged);
	assert_true(s->driver_mismatch);
	const struct gm_sim_device *d = nvs_world_device(w, 0);
	assert_int_equal(d->ecc_sbe, 5);
	assert_int_equal(d->ecc_dbe, 1);
	assert_true(d->row_remap_pending);
	nvs_world_unlock(w);
	command(w, "xid 0 63");
	command(w, "load 2 40");
	s = nvs_world_lock(w);
	assert_int_equal(nvs_world_device(w, 0)->xid, 63);
	assert_int_equal(nvs_world_device(w, 2)->utilization_centi, 4000);
	assert_int_equal(nvs_world_device(w, 3)->utilization_centi, 0);
	nvs_world_unlock(w);
	command(w, "reload-driver");
	(void)nvs_world_lock(w);
	assert_int_equal(nvs_world_device(w, 0)->ecc_sbe, 0);
	assert_false(w->file->shared.driver_mismatch);
	nvs_world_unlock(w);
	nvs_world_close(w);
}

static void test_command_shows_the_world(void **state)
{
	static const char *const parts[] = { "\"name\":\"NVIDIA H100 80GB HBM3\"",
					     "\"profile\":\"3g.40gb\",\"start\":4",
					     "\"migCapable\":false",
					     "\"function\":\"nvmlDeviceGetName\"",
					     "\"pid\":4321",
					     "\"lost\":true" };
	(void)state;
	struct nvs_world *w = open_world(four, NULL, NULL);
	GM_AUTO(gm_buf_fini_p) struct gm_buf json = { 0 }, text = { 0 };
	command(w, "process add pid=4321 gpu=0");
	command(w, "fault nvmlDeviceGetName error 3 for=10m");
	command(w, "lost 3");
	assert_int_equal(nvs_command(w, GM_STR("show json"), &json, NULL), 0);
	for (size_t i = 0; i < GM_LEN(parts); i++) {
		if (!strstr(gm_buf_cstr(&json), parts[i]))
			fail_msg("no %s in %s", parts[i], gm_buf_cstr(&json));
	}
	assert_int_equal(nvs_command(w, GM_STR("show"), &text, NULL), 0);
	assert_non_null(strstr(gm_buf_cstr(&text), "gi 1 3g.40gb@4"));
	assert_non_null(strstr(gm_buf_cstr(&text), "process 4321 gpu 0"));
	assert_non_null(strstr(gm_buf_cstr(&text), " LOST\n"));
	nvs_world_close(w);
}

static void test_command_help_names_every_command(void **state)
{
	static const char *const names[] = { "abi",   "back",	   "clear",	 "ecc",		  "fault",
					     "help",  "layout",	   "load",	 "load-driver",	  "lost",
					     "mig",   "mismatch",  "privileged", "process",	  "reload-driver",
					     "reset", "reset-gpu", "show",	 "unload-driver", "xid" };
	(void)state;
	GM_AUTO(gm_buf_fini_p) struct gm_buf help = { 0 };
	char line[40];
	nvs_command_help(&help);
	for (size_t i = 0; i < GM_LEN(names); i++) {
		(void)snprintf(line, sizeof(line), "  %s ", names[i]);
		if (!strstr(gm_buf_cstr(&help), line))
			fail_msg("no help of %s", names[i]);
	}
}

/* The page says what the program says. */
static void test_command_and_scenario_are_in_the_docs(void **state)
{
	(void)state;
	GM_AUTO(gm_buf_fini_p) struct gm_buf help = { 0 }, keys = { 0 }, page = { 0 };
	const char *root = getenv("SOURCE_ROOT");
	char path[512];
	assert_non_null(root);
	(void)snprintf(path, sizeof(path), "%s/docs/nvml-simulator.md", root);
	struct gm_err err = { 0 };
	if (nvs_scenario_read(path, &page, &err) < 0)
		fail_msg("%s", err.text);
	nvs_command_help(&help);
	nvs_scenario_markdown(&keys);
	assert_non_null(strstr(gm_buf_cstr(&page), gm_buf_cstr(&help)));
	assert_non_null(strstr(gm_buf_cstr(&page), gm_buf_cstr(&keys)));
}

static void test_command_workloads_are_processes(void **state)
{
	(void)state;
	struct gm_manual_clock clock;
	gm_manual_clock_init(&clock, START_MS);
	struct nvs_world *w =
		open_world("{gpus: 8, workloads: true, seed: 3, mig: [{gpu: 7, layout: '1g.10gb*7'}]}", NULL, &clock);
	struct nvs_shared *s = nvs_world_lock(w);
	assert_in_range(s->process_count, 4, 14);
	struct nvs_process first = s->processes[0];
	unsigned in_slices = 0;
	for (uint32_t i = 0; i < s->process_count; i++) {
		const struct nvs_process *p = &s->processes[i];
		assert_true(p->workload);
		assert_true(p->used_bytes > (INT64_C(1) << 28));
		in_slices += p->gi >= 0;
	}
	assert_in_range(in_slices, 1, 7);
	nvs_world_unlock(w);
	gm_manual_clock_advance(&clock, 2000);
	s = nvs_world_lock(w);
	assert_int_equal(s->processes[0].pid, first.pid); /* the same pod, the same pid */
	assert_string_equal(s->processes[0].name, first.name);
	nvs_world_unlock(w);
	nvs_world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command_table),
		cmocka_unit_test(test_command_does_what_it_says),
		cmocka_unit_test(test_command_shows_the_world),
		cmocka_unit_test(test_command_help_names_every_command),
		cmocka_unit_test(test_command_and_scenario_are_in_the_docs),
		cmocka_unit_test(test_command_workloads_are_processes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
