/* SPDX-License-Identifier: MIT */
#include "world-testing.h"

#include "adapter/nvml/nvml-abi.h"

/* GPU 0 is of Ampere, GPU 1 of Hopper, GPU 2 has no MIG. */
static const char three[] = "{gpus: 3, models: 'A100_SXM4_80GB=1,H100_SXM5_80GB=1,L40S=1'}";

static size_t profile(struct nvs_world *w, unsigned board, const char *name)
{
	const struct gm_mig_table *t = nvs_table(w, board);
	const struct gm_mig_profile *p = gm_mig_profile_find(t, gm_str(name));
	assert_non_null(p);
	return (size_t)(p - t->profiles);
}

static int set_mode(struct nvs_world *w, unsigned board, bool on, int *activation)
{
	(void)nvs_world_lock(w);
	int rc = nvs_mig_set_mode(w, board, on, activation);
	nvs_world_unlock(w);
	return rc;
}

static int create(struct nvs_world *w, unsigned board, const char *name, int start, struct nvs_gi **out)
{
	(void)nvs_world_lock(w);
	int rc = nvs_gi_create(w, board, profile(w, board, name), start, out);
	nvs_world_unlock(w);
	return rc;
}

static void test_mig_mode_codes(void **state)
{
	(void)state;
	struct nvs_world *w = open_world(three, NULL, NULL);
	int activation;
	assert_int_equal(set_mode(w, 2, true, &activation), GM_NVML_ERROR_NOT_SUPPORTED);
	assert_int_equal(set_mode(w, 0, true, &activation), 0);
	assert_int_equal(activation, 0);
	assert_true(w->file->shared.boards[0].mig_current);
	/* instances keep it on; the wish stays */
	command(w, "layout 0 1g.10gb*2");
	assert_int_equal(set_mode(w, 0, false, &activation), 0);
	assert_int_equal(activation, GM_NVML_ERROR_IN_USE);
	assert_true(w->file->shared.boards[0].mig_current);
	assert_false(w->file->shared.boards[0].mig_pending);
	assert_int_equal(set_mode(w, 0, true, &activation), 0); /* and can be taken back */
	assert_true(w->file->shared.boards[0].mig_pending);
	/* a process too */
	command(w, "process add pid=9 gpu=1");
	assert_int_equal(set_mode(w, 1, true, &activation), 0);
	assert_int_equal(activation, GM_NVML_ERROR_IN_USE);
	command(w, "process remove 9");
	assert_int_equal(set_mode(w, 1, true, &activation), 0);
	assert_int_equal(activation, 0);
	nvs_world_close(w);
}

static void test_mig_pending_mode_settles_at_a_reset(void **state)
{
	(void)state;
	struct nvs_world *w = open_world(three, NULL, NULL);
	int activation;
	command(w, "process add pid=9 gpu=0");
	assert_int_equal(set_mode(w, 0, true, &activation), 0);
	assert_int_equal(activation, GM_NVML_ERROR_IN_USE);
	char said[400];
	assert_true(try_command(w, "reset-gpu 0", said, sizeof(said)) < 0);
	command(w, "process remove 9");
	uint32_t generation = w->file->shared.boards[0].generation;
	command(w, "reset-gpu 0");
	assert_true(w->file->shared.boards[0].mig_current);
	assert_true(w->file->shared.boards[0].generation > generation);
	nvs_world_close(w);
}

static void test_mig_mode_over_a_driver_reload(void **state)
{
	(void)state;
	struct nvs_world *w = open_world(three, NULL, NULL);
	command(w, "mig 0 on");
	command(w, "mig 1 on");
	command(w, "layout 0 7g.80gb");
	command(w, "layout 1 7g.80gb");
	uint32_t generation = w->file->shared.driver_generation;
	(void)nvs_world_lock(w);
	assert_true(nvs_world_device(w, 1)->energy_mj > 1000000);
	nvs_world_unlock(w);
	command(w, "reload-driver");
	struct nvs_shared *s = nvs_world_lock(w);
	assert_true(s->driver_loaded);
	assert_true(s->driver_generation > generation);
	assert_true(s->boards[0].mig_current);	/* Ampere: in the InfoROM */
	assert_false(s->boards[1].mig_current); /* Hopper: gone with the driver */
	assert_null(nvs_gi_find(s, 0, 0));
	assert_null(nvs_gi_find(s, 1, 0));
	assert_true(nvs_world_device(w, 1)->energy_mj < 1000000);
	nvs_world_unlock(w);
	command(w, "unload-driver");
	assert_false(nvs_world_lock(w)->driver_loaded);
	nvs_world_unlock(w);
	command(w, "load-driver");
	assert_true(nvs_world_lock(w)->driver_loaded);
	nvs_world_unlock(w);
	nvs_world_close(w);
}

/* Another process that has boards 0 and 1 open until its end of the pipe is closed. */
static pid_t start_client(const char *folder, int *out_hold)
{
	int ready[2], hold[2];
	pid_t pid;
	char c;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(hold), 0);
	CHILD(pid, {
		struct nvs_world *mine;
		(void)close(hold[1]);
		if (nvs_world_open_at(NULL, folder, &mine, NULL) < 0)
			_exit(1);
		(void)nvs_world_lock(mine);
		nvs_attach(mine, 0);
		nvs_attach(mine, 1);
		nvs_world_unlock(mine);
		(void)!write(ready[1], "r", 1);
		(void)!read(hold[0], &c, 1); /* then dies without a word: its row is stale */
	});
	(void)close(hold[0]);
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	(void)close(ready[0]);
	*out_hold = hold[1];
	return pid;
}

static void test_mig_switch_of_ampere_waits_for_other_clients(void **state)
{
	(void)state;
	GM_AUTO(folder_fini_p) struct folder folder = folder_make();
	struct nvs_world *w = open_world(three, folder.path, NULL);
	int hold, activation;
	char said[400];
	(void)nvs_world_lock(w);
	nvs_attach(w, 0); /* who switches does not stop itself */
	nvs_world_unlock(w);
	pid_t pid = start_client(folder.path, &hold);
	assert_int_equal(set_mode(w, 1, true, &activation), 0);
	assert_int_equal(activation, 0); /* Hopper does not mind */
	assert_int_equal(set_mode(w, 0, true, &activation), 0);
	assert_int_equal(activation, GM_NVML_ERROR_IN_USE);
	assert_true(try_command(w, "reset-gpu 0", said, sizeof(said)) < 0);
	assert_non_null(strstr(said, "other clients"));
	(void)close(hold);
	(void)wait_child(pid);
	assert_int_equal(set_mode(w, 0, true, &activation), 0);
	assert_int_equal(activation, 0);
	nvs_world_close(w);
}

static void test_mig_create_codes(void **state)
{
	static const struct {
		const char *layout, *profile;
		int start, rc, lands;
	} rows[] = {
		{ "", "3g.40gb", -1, 0, 4 },
		{ "", "3g.40gb", 0, 0, 0 },
		{ "", "3g.40gb", 1, GM_NVML_ERROR_INVALID_ARGUMENT, -1 },
		{ "3g.40gb@4", "3g.40gb", 4, GM_NVML_ERROR_INSUFFICIENT_RESOURCES, -1 },
		{ "3g.40gb@4", "3g.40gb", -1, 0, 0 },
		{ "3g.40gb*2", "1g.10gb", -1, GM_NVML_ERROR_INSUFFICIENT_RESOURCES, -1 },
		{ "1g.10gb*7", "1g.10gb", -1, GM_NVML_ERROR_INSUFFICIENT_RESOURCES, -1 },
		{ "1g.10gb+me@0", "1g.10gb+me", -1, GM_NVML_ERROR_INSUFFICIENT_RESOURCES, -1 },
	};
	(void)state;
	struct nvs_world *w = open_world(three, NULL, NULL);
	struct nvs_gi *gi;
	char line[100];
	assert_int_equal(create(w, 1, "1g.10gb", -1, &gi), GM_NVML_ERROR_NOT_SUPPORTED); /* mode off */
	command(w, "mig 1 on");
	(void)nvs_world_lock(w);
	assert_int_equal(nvs_gi_create(w, 1, 250, -1, &gi), GM_NVML_ERROR_INVALID_ARGUMENT);
	nvs_world_unlock(w);
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		(void)snprintf(line, sizeof(line), "layout 1 \"%s\"", rows[i].layout);
		command(w, line);
		int rc = create(w, 1, rows[i].profile, rows[i].start, &gi);
		if (rc != rows[i].rc)
			fail_msg("%s beside '%s': %d", rows[i].profile, rows[i].layout, rc);
		if (rc == 0)
			assert_int_equal(gi->slot.start, rows[i].lands);
	}
	command(w, "layout 1 \"\"");
	(void)nvs_world_lock(w); /* a client of the board's whole, from before */
	w->file->shared.processes[0] =
		(struct nvs_process){ .pid = 3, .board = 1, .gi = -1, .ci = -1, .holds_channel = true };
	w->file->shared.process_count = 1;
	nvs_world_unlock(w);
	assert_int_equal(create(w, 1, "1g.10gb", -1, &gi), GM_NVML_ERROR_IN_USE);
	nvs_world_close(w);
}

static void test_mig_ids_serials_and_names(void **state)
{
	(void)state;
	struct nvs_world *w = open_world(three, NULL, NULL);
	struct nvs_gi *gi;
	struct nvs_compute *ci;
	command(w, "mig 1 on");
	char first_uuid[48];
	uint32_t gi_serial = 0, ci_serial = 0;
	for (int round = 0; round < 2; round++) {
		assert_int_equal(create(w, 1, "2g.20gb", 2, &gi), 0);
		(void)nvs_world_lock(w);
		assert_int_equal(nvs_ci_create(w, 1, gi, 2, -1, &ci), 0);
		assert_int_equal(gi->id, 3); /* the same number each time, another thing */
		assert_int_equal(ci->id, 0);
		assert_true(gi->serial > gi_serial && ci->serial > ci_serial);
		if (round == 1)
			assert_string_not_equal(ci->uuid, first_uuid);
		memcpy(first_uuid, ci->uuid, sizeof(first_uuid));
		assert_memory_equal(ci->uuid, "MIG-", 4);
		gi_serial = gi->serial;
		ci_serial = ci->serial;
		assert_int_equal(nvs_gi_destroy(w, 1, gi), GM_NVML_ERROR_IN_USE);
		assert_int_equal(nvs_ci_destroy(w, 1, gi, ci), 0);
		assert_int_equal(nvs_gi_destroy(w, 1, gi), 0);
		nvs_world_unlock(w);
	}
	nvs_world_close(w);
}

static void test_mig_compute_instances(void **state)
{
	static const struct {
		int all, slices;
		uint8_t count, starts[7];
	} rows[] = { { 7, 1, 7, { 0, 1, 2, 3, 4, 5, 6 } },
		     { 7, 2, 3, { 0, 2, 4 } },
		     { 7, 3, 2, { 0, 4 } },
		     { 7, 4, 1, { 0 } },
		     { 7, 7, 1, { 0 } },
		     { 4, 2, 2, { 0, 2 } },
		     { 3, 1, 3, { 0, 1, 2 } },
		     { 3, 3, 1, { 0 } },
		     { 1, 1, 1, { 0 } } };
	(void)state;
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		uint8_t starts[NVS_CI_MAX];
		assert_int_equal(nvs_ci_starts(rows[i].all, rows[i].slices, starts), rows[i].count);
		assert_memory_equal(starts, rows[i].starts, rows[i].count);
	}
	struct nvs_world *w = open_world(three, NULL, NULL);
	struct nvs_gi *gi;
	struct nvs_compute *a, *b, *c;
	command(w, "mig 1 on");
	assert_int_equal(create(w, 1, "7g.80gb", -1, &gi), 0);
	(void)nvs_world_lock(w);
	assert_int_equal(nvs_ci_remaining(w, 1, gi, 2), 3);
	assert_int_equal(nvs_ci_create(w, 1, gi, 5, -1, &a), GM_NVML_ERROR_INVALID_ARGUMENT);
	assert_int_equal(nvs_ci_create(w, 1, gi, 2, 1, &a), GM_NVML_ERROR_INVALID_ARGUMENT);
	assert_int_equal(nvs_ci_create(w, 1, gi, 4, -1, &a), 0);
	assert_int_equal(nvs_ci_remaining(w, 1, gi, 2), 1);
	assert_int_equal(nvs_ci_remaining(w, 1, gi, 3), 1);
	assert_int_equal(nvs_ci_remaining(w, 1, gi, 7), 0);
	assert_int_equal(nvs_ci_create(w, 1, gi, 2, 2, &b), GM_NVML_ERROR_INSUFFICIENT_RESOURCES);
	assert_int_equal(nvs_ci_create(w, 1, gi, 3, -1, &b), 0);
	assert_int_equal(b->start, 4);
	assert_int_equal(b->id, 1);
	assert_int_equal(nvs_ci_create(w, 1, gi, 1, -1, &c), GM_NVML_ERROR_INSUFFICIENT_RESOURCES);
	assert_non_null(nvs_world_instance(w, 1, gi->id, 1));
	assert_int_equal(nvs_world_instance(w, 1, gi->id, 1)->slices, 3);
	nvs_world_unlock(w);
	command(w, "process add pid=4 gpu=1 instance=0.1");
	(void)nvs_world_lock(w);
	assert_int_equal(nvs_ci_destroy(w, 1, gi, b), GM_NVML_ERROR_IN_USE);
	assert_int_equal(nvs_ci_destroy(w, 1, gi, a), 0);
	nvs_world_unlock(w);
	nvs_world_close(w);
}

static void test_mig_changes_are_events(void **state)
{
	(void)state;
	struct nvs_world *w = open_world(three, NULL, NULL);
	struct nvs_gi *gi;
	uint64_t before = w->file->shared.events_made;
	command(w, "mig 1 on");
	assert_int_equal(create(w, 1, "1g.10gb", -1, &gi), 0);
	struct nvs_shared *s = nvs_world_lock(w);
	assert_int_equal(s->events_made, before + 2);
	const struct nvs_event *e = &s->events[(s->events_made - 1) % NVS_EVENTS_MAX];
	assert_int_equal(e->type, NVS_EVENT_MIG);
	assert_int_equal(e->board, 1);
	assert_int_equal(e->gi, gi->id);
	nvs_world_unlock(w);
	nvs_world_close(w);
}

static void test_mig_layout_command_keeps_what_stays(void **state)
{
	(void)state;
	struct nvs_world *w = open_world(three, NULL, NULL);
	char said[400];
	command(w, "mig 1 on");
	command(w, "layout 1 3g.40gb@4,1g.10gb@0,1g.10gb@1");
	struct nvs_shared *s = nvs_world_lock(w);
	uint32_t serial = nvs_gi_find(s, 1, 1)->serial;
	nvs_world_unlock(w);
	command(w, "process add pid=8 gpu=1 instance=7");
	assert_int_equal(try_command(w, "layout 1 3g.40gb@4,2g.20gb@0", said, sizeof(said)), GM_ERR_BUSY);
	command(w, "process remove 8");
	command(w, "layout 1 3g.40gb@4,2g.20gb@0");
	s = nvs_world_lock(w);
	assert_int_equal(nvs_gi_find(s, 1, 1)->serial, serial);
	assert_null(nvs_gi_find(s, 1, 7));
	assert_non_null(nvs_ci_find(nvs_gi_find(s, 1, 3), 0));
	nvs_world_unlock(w);
	nvs_world_close(w);
}

static void test_mig_lost_board_comes_back_bare(void **state)
{
	(void)state;
	struct nvs_world *w = open_world(three, NULL, NULL);
	command(w, "mig 1 on");
	command(w, "layout 1 1g.10gb*7");
	command(w, "lost 1");
	(void)nvs_world_lock(w);
	assert_true(nvs_board_lost(w, 1));
	assert_int_equal(nvs_world_device(w, 1)->xid, 79);
	nvs_world_unlock(w);
	command(w, "back 1");
	struct nvs_shared *s = nvs_world_lock(w);
	assert_false(nvs_board_lost(w, 1));
	assert_int_equal(nvs_world_device(w, 1)->xid, 0);
	assert_int_equal(nvs_world_device(w, 1)->instance_count, 0);
	assert_null(nvs_gi_find(s, 1, 7));
	nvs_world_unlock(w);
	nvs_world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mig_mode_codes),
		cmocka_unit_test(test_mig_pending_mode_settles_at_a_reset),
		cmocka_unit_test(test_mig_mode_over_a_driver_reload),
		cmocka_unit_test(test_mig_switch_of_ampere_waits_for_other_clients),
		cmocka_unit_test(test_mig_create_codes),
		cmocka_unit_test(test_mig_ids_serials_and_names),
		cmocka_unit_test(test_mig_compute_instances),
		cmocka_unit_test(test_mig_changes_are_events),
		cmocka_unit_test(test_mig_layout_command_keeps_what_stays),
		cmocka_unit_test(test_mig_lost_board_comes_back_bare),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
