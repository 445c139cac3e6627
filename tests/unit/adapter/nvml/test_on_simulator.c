/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "adapter/nvml/mig-ops.h"
#include "adapter/nvml/reading.h"
#include "adapter/nvmlsim/world.h"

/*
 * Reader, events and MIG steps on the simulated library: eight H100, true semantics. The world is moved by the commands
 * that its users type.
 */
#define MIB (INT64_C(1) << 20)

static struct gm_nvml lib;
static struct nvs_world *world;
static char folder[] = "/tmp/gm-nvml-XXXXXX";

static void order(const char *line)
{
	struct gm_err err = { 0 };
	if (nvs_command(world, gm_str(line), NULL, &err) != 0)
		fail_msg("%s: %s", line, err.text);
}

static int set_up(void **state)
{
	(void)state;
	struct gm_err err = { 0 };
	assert_non_null(mkdtemp(folder));
	assert_int_equal(setenv("NVML_SIM_STATE", folder, 1), 0);
	if (gm_nvml_open(getenv("NVML_SIM_LIBRARY"), &lib, &err) != 0 ||
	    nvs_world_open_at(NULL, folder, &world, &err) != 0)
		fail_msg("%s", err.text);
	return lib.init();
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(lib.shutdown(), 0);
	nvs_world_close(world);
	/* Not closed: its world lives as long as the process, and a leak checker looks only at what is loaded. */
	char path[80];
	(void)snprintf(path, sizeof(path), "%s/world", folder);
	(void)unlink(path);
	(void)rmdir(folder);
	return 0;
}

static int fresh(void **state)
{
	(void)state;
	order("reset");
	return 0;
}

struct board {
	struct gm_nvml_reader *reader;
	int64_t mono_ms;
	char uuid[48];
	struct gm_reading out;
};

static int read_round(struct board *b)
{
	b->mono_ms += 1000;
	int rc = gm_nvml_read(b->reader, 1700000000000 + b->mono_ms, b->mono_ms, &b->out);
	memcpy(b->uuid, b->out.facts.uuid, sizeof(b->uuid));
	return rc;
}

static void board_open(struct board *b, unsigned index)
{
	*b = (struct board){ .reader = gm_nvml_reader_new(&lib, NULL, NULL, index), .mono_ms = 1000 };
	assert_int_equal(read_round(b), 0);
}

static void nothing(void *ctx, const char *wanted, const char *found, bool needed)
{
	(void)needed;
	if (!found)
		fail_msg("%s %s is missing", (const char *)ctx, wanted);
}

static void test_the_library_has_every_symbol(void **state)
{
	(void)state;
	char who[] = "the simulator:";
	assert_int_equal(gm_nvml_list_symbols(&lib, nothing, who), 0);
}

static void test_an_idle_board_tells_everything_but_what_it_has_not(void **state)
{
	(void)state;
	struct board b;
	board_open(&b, 3);
	/* Rates need two readings between which the driver's own clock, in milliseconds, has moved. */
	for (int i = 0; i < 10000 && (i == 0 || b.out.sample.validity[GM_FIELD_PCIE_TX] == GM_ABSENT); i++)
		assert_int_equal(read_round(&b), 0);
	assert_int_equal(b.out.facts.index, 3);
	assert_string_equal(b.out.facts.architecture, "Hopper");
	for (int f = 0; f < GM_FIELD_COUNT; f++) {
		enum gm_validity v = (enum gm_validity)b.out.sample.validity[f], expected = GM_MEASURED;
		if (f == GM_FIELD_FAN || f == GM_FIELD_RETIRED_PAGES) /* SXM has no fan, Ampere and later remap rows */
			expected = GM_UNSUPPORTED;
		if (f == GM_FIELD_XID || f == GM_FIELD_VGPU_LICENSE)
			expected = GM_ABSENT;
		if (f != GM_FIELD_GR_ENGINE_ACTIVE && (f < GM_FIELD_SM_ACTIVE || f > GM_FIELD_DRAM_ACTIVE) &&
		    v != expected)
			fail_msg("%s is %s", gm_field_table[f].name, gm_validity_name(v));
	}
	assert_int_equal(b.out.mig_current, 0);
	assert_int_equal(b.out.profile_count, 7);
	gm_nvml_reader_free(b.reader);
}

static void test_a_layout_is_made_read_and_undone(void **state)
{
	(void)state;
	const struct gm_nvml_mig m = { .lib = &lib };
	struct gm_nvml_gpu_instance all[GM_NVML_GPU_INSTANCES_MAX];
	struct gm_err err = { 0 };
	struct board b;
	int active = 0, why = 0, gi[7];
	size_t count = 0;
	board_open(&b, 1);
	assert_int_equal(gm_nvml_mig_create(&m, b.uuid, 19, 0, 1, &gi[0], &err), GM_ERR_UNSUPPORTED); /* MIG is off */
	assert_int_equal(gm_nvml_mig_set_mode(&m, b.uuid, true, &active, &why, &err), 0);
	assert_int_equal(active, 1);
	assert_int_equal(why, 0);
	for (int i = 0; i < 7; i++)
		assert_int_equal(gm_nvml_mig_create(&m, b.uuid, 19, i, 1, &gi[i], &err), 0);
	assert_int_equal(gm_nvml_mig_create(&m, b.uuid, 19, 3, 1, &gi[0], &err), GM_ERR_CONFLICT);
	assert_non_null(strstr(err.text, "INSUFFICIENT_RESOURCES"));
	assert_non_null(strstr(err.text, b.uuid));
	assert_int_equal(gm_nvml_mig_instances(&m, b.uuid, all, &count, &err), 0);
	assert_int_equal(count, 7);
	uint32_t starts = 0;
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(all[i].profile_id, 19);
		assert_int_equal(all[i].size, 1);
		assert_int_equal(all[i].compute_count, 1);
		starts |= 1u << all[i].start;
	}
	assert_int_equal(starts, 0x7f);
	assert_int_equal(read_round(&b), 0);
	assert_int_equal(b.out.instance_count, 7);
	for (uint32_t i = 0; i < 7; i++) {
		const struct gm_reading_instance *in = &b.out.instances[i];
		assert_string_equal(in->profile, "1g.10gb");
		assert_int_equal(b.out.profiles[in->gi_profile].id, 19);
		assert_int_equal(in->size, 1);
		assert_true(gm_sample_has(&in->sample, GM_FIELD_MEMORY_USED));
		assert_true(in->memory_bytes > 9000 * MIB);
	}
	assert_int_equal(gm_nvml_mig_destroy(&m, b.uuid, gi[2], &err), 0);
	assert_int_equal(gm_nvml_mig_destroy(&m, b.uuid, gi[2], &err), GM_ERR_NOT_FOUND);
	assert_int_equal(read_round(&b), 0);
	assert_int_equal(b.out.instance_count, 6);
	for (int i = 0; i < 7; i++)
		if (i != 2)
			assert_int_equal(gm_nvml_mig_destroy(&m, b.uuid, gi[i], &err), 0);
	assert_int_equal(gm_nvml_mig_set_mode(&m, b.uuid, false, &active, &why, &err), 0);
	assert_int_equal(active, 1);
	assert_int_equal(read_round(&b), 0);
	assert_int_equal(b.out.instance_count, 0);
	assert_int_equal(b.out.mig_current, 0);
	gm_nvml_reader_free(b.reader);
}

static void test_what_is_in_use_is_a_conflict_and_stays(void **state)
{
	(void)state;
	const struct gm_nvml_mig m = { .lib = &lib };
	struct gm_nvml_gpu_instance all[GM_NVML_GPU_INSTANCES_MAX];
	struct gm_err err = { 0 };
	struct board b;
	size_t count = 0;
	char line[120];
	order("mig 2 on");
	order("layout 2 \"3g.40gb@4\"");
	board_open(&b, 2);
	assert_int_equal(b.out.instance_count, 1);
	(void)snprintf(line, sizeof(line), "process add pid=%d gpu=2 instance=%d memory=2GiB name=train", getpid(),
		       b.out.instances[0].gi);
	order(line);
	assert_int_equal(gm_nvml_mig_destroy(&m, b.uuid, b.out.instances[0].gi, &err), GM_ERR_CONFLICT);
	assert_non_null(strstr(err.text, "IN_USE"));
	assert_int_equal(gm_nvml_mig_instances(&m, b.uuid, all, &count, &err), 0);
	assert_int_equal(count, 1);
	assert_int_equal(all[0].compute_count, 1);
	assert_int_equal(read_round(&b), 0);
	assert_int_equal(b.out.process_count, 1);
	assert_int_equal(b.out.processes[0].pid, getpid());
	assert_int_equal(b.out.processes[0].gi, b.out.instances[0].gi);
	assert_int_equal(b.out.processes[0].ci, 0);
	assert_int_equal(b.out.processes[0].used_bytes, 2048 * MIB);
	assert_string_equal(b.out.processes[0].name, "train");
	gm_nvml_reader_free(b.reader);
}

static void test_without_rights_nothing_is_changed(void **state)
{
	(void)state;
	const struct gm_nvml_mig m = { .lib = &lib };
	struct gm_err err = { 0 };
	struct board b;
	int active, why, gi;
	order("mig 4 on");
	board_open(&b, 4);
	order("privileged off");
	assert_int_equal(gm_nvml_mig_set_mode(&m, b.uuid, false, &active, &why, &err), GM_ERR_FORBIDDEN);
	assert_int_equal(gm_nvml_mig_create(&m, b.uuid, 9, 4, 4, &gi, NULL), GM_ERR_FORBIDDEN);
	order("privileged on");
	assert_int_equal(read_round(&b), 0);
	assert_int_equal(b.out.mig_current, 1);
	assert_int_equal(b.out.instance_count, 0);
	gm_nvml_reader_free(b.reader);
}

/* A compute instance that cannot be made leaves no GPU instance behind. */
static void test_half_of_a_create_is_undone(void **state)
{
	(void)state;
	const struct gm_nvml_mig m = { .lib = &lib };
	struct gm_nvml_gpu_instance all[GM_NVML_GPU_INSTANCES_MAX];
	struct gm_err err = { 0 };
	struct board b;
	int gi = -7;
	size_t count = 99;
	order("mig 5 on");
	board_open(&b, 5);
	order("fault nvmlGpuInstanceCreateComputeInstance error 23");
	assert_int_equal(gm_nvml_mig_create(&m, b.uuid, 9, 4, 4, &gi, &err), GM_ERR_CONFLICT);
	assert_non_null(strstr(err.text, "compute instance"));
	assert_int_equal(gi, -7);
	assert_int_equal(gm_nvml_mig_instances(&m, b.uuid, all, &count, &err), 0);
	assert_int_equal(count, 0);
	order("clear all");
	gm_nvml_reader_free(b.reader);
}

/* Every record size that drivers have put behind one symbol. */
static void test_process_lists_of_every_driver_are_read(void **state)
{
	(void)state;
	static const char *const sizes[] = { "abi 24", "abi 32-as-v3", "abi no-v3" };
	for (int details = 0; details < 2; details++)
		for (size_t i = 0; i < 3; i++) {
			struct gm_nvml own = lib;
			own.process_details = details ? own.process_details : NULL;
			order("reset");
			order("process add pid=4001 gpu=0 memory=1GiB name=one");
			order("process add pid=4002 gpu=0 memory=2GiB name=two");
			order("process add pid=4003 gpu=0 memory=3GiB name=three");
			order(sizes[i]);
			struct gm_reading out;
			struct gm_nvml_reader *r = gm_nvml_reader_new(&own, NULL, NULL, 0);
			assert_int_equal(gm_nvml_read(r, 1700000000000, 1000, &out), 0);
			assert_int_equal(out.process_rc, 0);
			assert_int_equal(out.process_count, 3);
			int64_t sum = 0;
			for (uint32_t k = 0; k < out.process_count; k++) {
				assert_in_range(out.processes[k].pid, 4001, 4003);
				assert_int_equal(out.processes[k].used_bytes,
						 (int64_t)(out.processes[k].pid - 4000) * 1024 * MIB);
				sum += out.processes[k].used_bytes;
			}
			assert_int_equal(sum, 6 * 1024 * MIB);
			assert_int_equal(out.process_list_odd, i == 1); /* those drivers have no detail list */
			gm_nvml_reader_free(r);
		}
	order("abi 24");
}

static void test_a_board_falls_off_and_comes_back(void **state)
{
	(void)state;
	struct board b, other;
	struct gm_reading_event event;
	char uuid[48];
	board_open(&b, 6);
	board_open(&other, 7);
	struct gm_nvml_events *e = gm_nvml_events_new(&lib, NULL);
	assert_int_equal(gm_nvml_events_add(e, b.uuid), 0);
	assert_int_equal(gm_nvml_events_add(e, other.uuid), 0);
	order("lost 6");
	assert_int_equal(read_round(&b), GM_NVML_ERROR_GPU_IS_LOST);
	assert_int_equal(b.out.sample.valid, 0);
	assert_int_equal(read_round(&other), 0);
	bool is_told = false;
	for (int i = 0; i < 5 && !is_told; i++) { /* the XID of the fall may come before */
		int rc = gm_nvml_events_wait(e, 0, &event, uuid);
		is_told = rc == GM_NVML_ERROR_GPU_IS_LOST;
	}
	assert_true(is_told);
	assert_string_equal(uuid, b.uuid);
	assert_int_equal(gm_nvml_events_wait(e, 0, &event, uuid), GM_NVML_ERROR_TIMEOUT);
	order("back 6");
	assert_int_equal(read_round(&b), 0);
	assert_true(gm_sample_has(&b.out.sample, GM_FIELD_TEMPERATURE));
	assert_int_equal(gm_nvml_events_add(e, b.uuid), 0);
	order("xid 6 31");
	assert_int_equal(gm_nvml_events_wait(e, 0, &event, uuid), 0);
	assert_string_equal(uuid, b.uuid);
	assert_int_equal(event.data, 31);
	gm_nvml_events_free(e);
	gm_nvml_reader_free(b.reader);
	gm_nvml_reader_free(other.reader);
}

/* Every function of the library answers nonsense in turn: no value that cannot be, and nothing crashes. */
static void test_nonsense_of_any_function_is_survived(void **state)
{
	(void)state;
	order("mig 0 on");
	order("layout 0 \"3g.40gb@4, 1g.10gb@0\"");
	order("process add pid=4001 gpu=0 instance=1 memory=1GiB name=one");
	for (unsigned i = 0; i < GM_NVML_SYMBOL_COUNT; i++) {
		char line[160];
		struct board b;
		if (i == GM_NVML_SYMBOL_init || i == GM_NVML_SYMBOL_shutdown)
			continue;
		board_open(&b, 0);
		(void)snprintf(line, sizeof(line), "fault %s garbage", gm_nvml_symbol_name(i));
		order(line);
		for (int round = 0; round < 62; round += round < 2 ? 1 : 60) {
			b.mono_ms += round < 2 ? 0 : 60000;
			int rc = read_round(&b);
			assert_true(rc == 0 || b.out.sample.valid == 0);
			const struct gm_sample *s = &b.out.sample;
			assert_in_range(s->value[GM_FIELD_GR_ENGINE_ACTIVE], 0, 10000);
			assert_in_range(s->value[GM_FIELD_TEMPERATURE], 0, 2000);
			assert_in_range(s->value[GM_FIELD_MEMORY_USED], 0, 81920 * MIB);
			assert_in_range(s->value[GM_FIELD_POWER], 0, 10000000);
			assert_in_range(b.out.instance_count, 0, 2);
			assert_in_range(b.out.process_count, 0, 1);
		}
		order("clear all");
		gm_nvml_reader_free(b.reader);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_the_library_has_every_symbol, fresh),
		cmocka_unit_test_setup(test_an_idle_board_tells_everything_but_what_it_has_not, fresh),
		cmocka_unit_test_setup(test_a_layout_is_made_read_and_undone, fresh),
		cmocka_unit_test_setup(test_what_is_in_use_is_a_conflict_and_stays, fresh),
		cmocka_unit_test_setup(test_without_rights_nothing_is_changed, fresh),
		cmocka_unit_test_setup(test_half_of_a_create_is_undone, fresh),
		cmocka_unit_test_setup(test_process_lists_of_every_driver_are_read, fresh),
		cmocka_unit_test_setup(test_a_board_falls_off_and_comes_back, fresh),
		cmocka_unit_test_setup(test_nonsense_of_any_function_is_survived, fresh),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
