/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "world-testing.h"

#define PROCESSES 8

struct seen {
	uint64_t epoch;
	int64_t start_ms;
	char uuid[48];
};

static struct seen look(const char *state)
{
	struct seen seen = { 0 };
	struct nvs_world *w;
	if (nvs_world_open_at(NULL, state, &w, NULL) < 0)
		return seen;
	struct nvs_shared *s = nvs_world_lock(w);
	seen = (struct seen){ .epoch = s->epoch, .start_ms = s->start_ms };
	memcpy(seen.uuid, nvs_world_device(w, 7)->uuid, sizeof(seen.uuid));
	nvs_world_unlock(w);
	nvs_world_close(w);
	return seen;
}

static void test_world_has_one_maker_in_a_race(void **state)
{
	(void)state;
	GM_AUTO(folder_fini_p) struct folder folder = folder_make();
	int gate[2], results[2];
	pid_t pids[PROCESSES];
	assert_int_equal(pipe(gate), 0);
	assert_int_equal(pipe(results), 0);
	for (int i = 0; i < PROCESSES; i++)
		CHILD(pids[i], {
			char c;
			(void)close(gate[1]);
			(void)!read(gate[0], &c, 1); /* until all are there */
			struct seen seen = look(folder.path);
			(void)!write(results[1], &seen, sizeof(seen));
		});
	(void)close(gate[0]);
	(void)close(gate[1]);
	struct seen first = { 0 };
	for (int i = 0; i < PROCESSES; i++) {
		struct seen seen;
		assert_int_equal(read(results[0], &seen, sizeof(seen)), sizeof(seen));
		assert_int_equal(seen.epoch, 1);
		if (i == 0)
			first = seen;
		assert_memory_equal(&seen, &first, sizeof(seen));
	}
	for (int i = 0; i < PROCESSES; i++)
		assert_int_equal(wait_child(pids[i]), 0);
	(void)close(results[0]);
	(void)close(results[1]);
	char path[80];
	struct stat st;
	(void)snprintf(path, sizeof(path), "%s/world", folder.path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	DIR *d = opendir(folder.path);
	int files = 0;
	while (readdir(d))
		files++;
	(void)closedir(d);
	assert_int_equal(files, 3); /* ".", "..", "world" */
}

static void test_world_lock_outlives_a_killed_holder(void **state)
{
	(void)state;
	GM_AUTO(folder_fini_p) struct folder folder = folder_make();
	struct nvs_world *w = open_world("", folder.path, NULL);
	pid_t pid;
	CHILD(pid, {
		struct nvs_shared *s = nvs_world_lock(w);
		s->boards[3].lost = true;
		(void)kill(getpid(), SIGKILL);
	});
	assert_true(WIFSIGNALED(wait_child(pid)));
	struct nvs_shared *s = nvs_world_lock(w);
	assert_true(s->boards[3].lost);
	nvs_world_unlock(w);
	command(w, "back 3");
	nvs_world_close(w);
}

static void test_world_is_mended_after_a_death_amid_a_change(void **state)
{
	(void)state;
	GM_AUTO(folder_fini_p) struct folder folder = folder_make();
	struct nvs_world *w = open_world("{gpus: 2, mig: [{gpu: 1, mode: on}]}", folder.path, NULL);
	pid_t pid;
	(void)nvs_world_lock(w);
	assert_int_equal(nvs_world_device(w, 1)->instance_count, 0);
	nvs_world_unlock(w);
	CHILD(pid, {
		struct nvs_gi *gi;
		struct nvs_compute *ci;
		struct nvs_shared *s = nvs_world_lock(w);
		if (nvs_gi_put(w, s, 1, (struct gm_mig_slot){ .profile = 0, .start = 0 }, &gi) == 0)
			(void)nvs_ci_put(w, s, 1, gi, 1, -1, &ci);
		(void)kill(getpid(), SIGKILL); /* core/sim was not told */
	});
	assert_true(WIFSIGNALED(wait_child(pid)));
	struct nvs_shared *s = nvs_world_lock(w);
	assert_non_null(nvs_gi_find(s, 1, 7));
	assert_int_equal(nvs_world_device(w, 1)->instance_count, 1);
	assert_non_null(nvs_world_instance(w, 1, 7, 0));
	nvs_world_unlock(w);
	nvs_world_close(w);
}

static void test_world_of_one_process_is_its_childrens_too(void **state)
{
	(void)state;
	struct nvs_world *w = open_world("", NULL, NULL);
	pid_t pid;
	CHILD(pid, {
		if (nvs_command(w, GM_STR("mig 2 on"), NULL, NULL) < 0)
			_exit(1);
	});
	assert_int_equal(wait_child(pid), 0);
	assert_true(nvs_world_lock(w)->boards[2].mig_current);
	assert_true(nvs_world_device(w, 2)->mig_enabled);
	nvs_world_unlock(w);
	nvs_world_close(w);
}

/* Every number that a front tells. */
static void assert_tell_the_same(struct nvs_world *a, struct nvs_world *b)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf x = { 0 }, y = { 0 };
	for (unsigned i = 0; i < 4; i++) {
		(void)nvs_world_lock(a);
		struct gm_sim_device da = *nvs_world_device(a, i);
		nvs_world_unlock(a);
		(void)nvs_world_lock(b);
		struct gm_sim_device db = *nvs_world_device(b, i);
		nvs_world_unlock(b);
		assert_int_equal(da.energy_mj, db.energy_mj);
		assert_int_equal(da.power_mw, db.power_mw);
		assert_int_equal(da.temperature_deci, db.temperature_deci);
		assert_int_equal(da.throttle_reasons, db.throttle_reasons);
		assert_int_equal(da.pcie_rx_bps, db.pcie_rx_bps);
		assert_int_equal(da.pod, db.pod);
		assert_int_equal(da.instance_count, db.instance_count);
		for (int k = 0; k < da.instance_count; k++)
			assert_int_equal(da.instances[k].tensor_active_centi, db.instances[k].tensor_active_centi);
	}
	(void)nvs_world_lock(a);
	nvs_show_json(a, &x);
	nvs_world_unlock(a);
	(void)nvs_world_lock(b);
	nvs_show_json(b, &y);
	nvs_world_unlock(b);
	assert_string_equal(gm_buf_cstr(&x), gm_buf_cstr(&y));
}

static void test_world_is_told_alike_by_all(void **state)
{
	(void)state;
	static const char text[] = "{gpus: 4, models: A100_SXM4_80GB, workloads: true, random-faults: true, speed: 60,"
				   " mig: [{gpu: 1, layout: '1g.10gb*7'}, {gpu: 2, mode: on}]}";
	static const char *const lines[] = { "layout 2 3g.40gb@4,1g.10gb@0",
					     "load 2/1 80",
					     "process add pid=77 gpu=2 instance=1 memory=3GiB load=30",
					     "load 2/1 auto",
					     "xid 3 31",
					     "layout 2 3g.40gb@4,2g.20gb@0",
					     "load 2/3 15",
					     "reset-gpu 0 force",
					     "ecc 3 dbe",
					     "process remove 77",
					     "reload-driver",
					     "mig 2 on",
					     "layout 2 7g.80gb" };
	GM_AUTO(folder_fini_p) struct folder folder = folder_make();
	struct gm_manual_clock clock;
	struct nvs_world *w[3];
	w[0] = open_world(text, folder.path, NULL);
	gm_manual_clock_init(&clock, w[0]->file->shared.start_ms);
	w[0]->clock = &clock.clock;
	w[1] = open_world(text, folder.path, &clock);
	for (size_t i = 0; i < GM_LEN(lines); i++) {
		gm_manual_clock_advance(&clock, 37 + (int64_t)i * 211);
		command(w[i % 2], lines[i]);
		gm_manual_clock_advance(&clock, 5);
		if (i % 3 == 0)
			gm_manual_clock_advance(&clock, 60000);
		w[2] = open_world(text, folder.path, &clock); /* comes late */
		assert_tell_the_same(w[0], w[1]);
		assert_tell_the_same(w[0], w[2]);
		nvs_world_close(w[2]);
	}
	nvs_world_close(w[0]);
	nvs_world_close(w[1]);
}

static void test_world_energy_never_goes_back(void **state)
{
	(void)state;
	struct gm_manual_clock clock;
	gm_manual_clock_init(&clock, START_MS);
	struct nvs_world *w = open_world("{gpus: 2}", NULL, &clock);
	int64_t before = 0;
	char line[40];
	for (int i = 0; i < 500; i++) {
		gm_manual_clock_advance(&clock, i % 7 * 130);
		(void)snprintf(line, sizeof(line), "load 1 %d", i * 37 % 101);
		if (i % 3 == 0)
			command(w, line);
		(void)nvs_world_lock(w);
		int64_t now = nvs_world_device(w, 1)->energy_mj;
		nvs_world_unlock(w);
		assert_true(now >= before);
		before = now;
	}
	nvs_world_close(w);
}

static void test_world_held_load_is_shown_exactly(void **state)
{
	(void)state;
	struct gm_manual_clock clock;
	gm_manual_clock_init(&clock, START_MS);
	struct nvs_world *w = open_world("{gpus: 2, mig: [{gpu: 1, layout: '3g.40gb@4, 1g.10gb*2'}]}", NULL, &clock);
	char line[40];
	for (int percent = 0; percent <= 100; percent++) {
		gm_manual_clock_advance(&clock, 333);
		(void)snprintf(line, sizeof(line), "load 0 %d", percent);
		command(w, line);
		(void)snprintf(line, sizeof(line), "load 1/1 %d", percent);
		command(w, line);
		gm_manual_clock_advance(&clock, 10);
		(void)nvs_world_lock(w);
		assert_int_equal(nvs_world_device(w, 0)->utilization_centi, percent * 100);
		assert_int_equal(nvs_world_instance(w, 1, 1, 0)->gr_active_centi, percent * 100);
		assert_int_equal(nvs_world_instance(w, 1, 1, -1)->gr_active_centi, percent * 100);
		assert_int_equal(nvs_world_instance(w, 1, 7, 0)->gr_active_centi, 0);
		assert_null(nvs_world_instance(w, 1, 2, -1));
		assert_null(nvs_world_instance(w, 1, 1, 3));
		nvs_world_unlock(w);
	}
	nvs_world_close(w);
}

static void test_world_memory_counts_processes(void **state)
{
	(void)state;
	struct nvs_world *w = open_world("{gpus: 2, mig: [{gpu: 1, layout: '3g.40gb@4'}]}", NULL, NULL);
	command(w, "process add pid=5 gpu=0 memory=2GiB");
	command(w, "process add pid=5 gpu=1 instance=1.0 memory=3GiB");
	command(w, "process add pid=6 gpu=1 instance=1 memory=1GiB");
	(void)nvs_world_lock(w);
	assert_int_equal(nvs_world_device(w, 0)->memory_used_bytes, (INT64_C(2048) + 4) << 20);
	const struct gm_sim_instance *in = nvs_world_instance(w, 1, 1, 0);
	int64_t used = in->memory_used_bytes, total = in->memory_total_bytes;
	assert_in_range(used, INT64_C(4) << 30, (INT64_C(4) << 30) + (100 << 20));
	assert_in_range(total, INT64_C(39) << 30, INT64_C(40) << 30);
	assert_int_equal(nvs_world_device(w, 1)->memory_used_bytes, used);
	nvs_world_unlock(w);
	command(w, "process remove 5 gpu=1");
	(void)nvs_world_lock(w);
	assert_int_equal(nvs_world_instance(w, 1, 1, 0)->memory_used_bytes, used - (INT64_C(3) << 30));
	nvs_world_unlock(w);
	nvs_world_close(w);
}

static void test_world_refuses_another_scenario_until_reset(void **state)
{
	(void)state;
	GM_AUTO(folder_fini_p) struct folder folder = folder_make();
	struct nvs_world *first = open_world("{gpus: 4}", folder.path, NULL), *other = NULL;
	struct gm_err err = { 0 };
	assert_int_equal(nvs_world_open_text(GM_STR("{gpus: 2}"), "two.yml", folder.path, &other, &err),
			 GM_ERR_CONFLICT);
	assert_non_null(strstr(err.text, "another scenario (test.yml) than two.yml"));
	assert_int_equal(nvs_world_open_at(NULL, folder.path, &other, &err), 0); /* takes what is there */
	assert_int_equal(nvs_world_lock(other)->board_count, 4);
	nvs_world_unlock(other);
	assert_int_equal(nvs_world_reset_at(NULL, folder.path, &err), 0);
	assert_int_equal(nvs_world_lock(first)->board_count, 8); /* goes over by itself */
	assert_string_equal(nvs_world_device(first, 7)->variant->id, "H100_SXM5_80GB");
	nvs_world_unlock(first);
	nvs_world_close(other);
	nvs_world_close(first);
}

static void test_world_reset_leaves_all_alone_when_it_fails(void **state)
{
	(void)state;
	GM_AUTO(folder_fini_p) struct folder folder = folder_make();
	struct nvs_world *w = open_world("{gpus: 4}", folder.path, NULL);
	struct gm_err err = { 0 };
	char path[100];
	(void)snprintf(path, sizeof(path), "%s.yml", folder.path);
	FILE *f = fopen(path, "we");
	(void)fputs("mig: [{gpu: 9, mode: on}]\n", f);
	(void)fclose(f);
	assert_true(nvs_world_reset_at(path, folder.path, &err) < 0);
	(void)unlink(path);
	assert_int_equal(nvs_world_lock(w)->epoch, 1);
	assert_int_equal(w->file->shared.board_count, 4);
	nvs_world_unlock(w);
	nvs_world_close(w);
	assert_int_equal(nvs_world_open_at(NULL, folder.path, &w, &err), 0);
	nvs_world_close(w);
}

static void test_world_begins_anew_on_reset(void **state)
{
	(void)state;
	struct nvs_world *w = open_world("{gpus: 2, mig: [{gpu: 1, layout: '1g.10gb*2'}]}", NULL, NULL);
	command(w, "fault nvmlDeviceGetName error 15");
	command(w, "mig 0 on");
	command(w, "process add pid=5 gpu=1 instance=7");
	command(w, "xid 1 79");
	uint64_t events = nvs_world_lock(w)->events_made, epoch = w->file->shared.epoch;
	nvs_world_unlock(w);
	command(w, "reset");
	struct nvs_shared *s = nvs_world_lock(w);
	assert_int_equal(s->epoch, epoch + 1);
	assert_int_equal(s->process_count, 0);
	assert_false(s->boards[0].mig_current);
	assert_true(s->boards[1].mig_current);
	assert_int_equal(nvs_world_device(w, 1)->xid, 0);
	assert_int_equal(s->events_made, events); /* numbers go on for who waits */
	assert_int_equal(atomic_load(&w->file->fault_count), 0);
	nvs_world_unlock(w);
	nvs_world_close(w);
}

static void test_world_tells_of_scenario_faults_in_time(void **state)
{
	(void)state;
	struct gm_manual_clock clock;
	gm_manual_clock_init(&clock, START_MS);
	struct nvs_world *w = open_world("gpus: 2\n"
					 "mig: [{gpu: 1, layout: '1g.10gb*2'}]\n"
					 "board-faults:\n"
					 "  - {fault: xid, gpu: 1, after: 3s, for: 1s, value: 63}\n"
					 "  - {fault: ecc-dbe, gpu: 1, after: 5s, for: 2s}\n"
					 "  - {fault: lost, gpu: 1, after: 10s, for: 5s}\n",
					 NULL, &clock);
	static const struct {
		int64_t at_ms;
		unsigned events;
		bool lost, instance;
	} rows[] = { { 2999, 0, false, true },	{ 3000, 1, false, true }, { 5000, 3, false, true },
		     { 9999, 3, false, true },	{ 10000, 4, true, true }, { 14999, 4, true, true },
		     { 15000, 5, false, false } };
	uint64_t begun = nvs_world_lock(w)->events_made;
	uint32_t generation = w->file->shared.boards[1].generation;
	nvs_world_unlock(w);
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		gm_manual_clock_advance(&clock, START_MS + rows[i].at_ms - clock.wall_ms);
		struct nvs_shared *s = nvs_world_lock(w);
		assert_int_equal(s->events_made - begun, rows[i].events);
		assert_int_equal(nvs_board_lost(w, 1), rows[i].lost);
		assert_false(nvs_board_lost(w, 0));
		assert_int_equal(nvs_gi_find(s, 1, 7) != NULL, rows[i].instance);
		nvs_world_unlock(w);
	}
	struct nvs_shared *s = nvs_world_lock(w);
	const struct nvs_event *e = &s->events[begun % NVS_EVENTS_MAX];
	assert_int_equal(e[0].type, NVS_EVENT_XID);
	assert_int_equal(e[0].data, 63);
	assert_int_equal(e[0].at_ms, START_MS + 3000);
	assert_int_equal(e[1].type, NVS_EVENT_DBE);
	assert_int_equal(e[3].data, 79);
	assert_true(s->boards[1].generation > generation);
	assert_true(s->boards[1].mig_current); /* a Hopper keeps the mode over a reset */
	nvs_world_unlock(w);
	nvs_world_close(w);
}

static void test_world_wait_is_woken_by_an_event(void **state)
{
	(void)state;
	GM_AUTO(folder_fini_p) struct folder folder = folder_make();
	struct nvs_world *w = open_world("", folder.path, NULL);
	uint64_t seen = nvs_world_lock(w)->events_made;
	nvs_world_unlock(w);
	assert_false(nvs_event_wait(w, seen, 0));
	assert_false(nvs_event_wait(w, seen, 20));
	pid_t pid;
	CHILD(pid, {
		if (nvs_command(w, GM_STR("xid 0 13"), NULL, NULL) < 0)
			_exit(1);
	});
	assert_true(nvs_event_wait(w, seen, 15000));
	assert_int_equal(wait_child(pid), 0);
	nvs_world_close(w);
}

static void test_world_wait_sees_what_comes_by_itself(void **state)
{
	(void)state;
	struct nvs_world *w =
		open_world("{gpus: 1, speed: 100, board-faults: [{fault: xid, after: 5s, value: 43}]}", NULL, NULL);
	uint64_t seen = nvs_world_lock(w)->events_made;
	nvs_world_unlock(w);
	assert_true(nvs_event_wait(w, seen, 15000));
	nvs_world_close(w);
}

static void test_world_runs_at_its_speed(void **state)
{
	(void)state;
	struct gm_manual_clock clock;
	gm_manual_clock_init(&clock, START_MS);
	struct nvs_world *w = open_world("{gpus: 1, speed: 60}", NULL, &clock);
	gm_manual_clock_advance(&clock, 1000);
	(void)nvs_world_lock(w);
	assert_int_equal(nvs_world_now_ms(w), START_MS + 60000);
	nvs_world_unlock(w);
	gm_manual_clock_advance(&clock, -500); /* the wall clock was set back: the world's was not */
	(void)nvs_world_lock(w);
	assert_int_equal(nvs_world_now_ms(w), START_MS + 60000);
	nvs_world_unlock(w);
	nvs_world_close(w);
}

static void test_world_leaps_over_a_long_time(void **state)
{
	(void)state;
	struct gm_manual_clock clock;
	gm_manual_clock_init(&clock, START_MS);
	struct nvs_world *w = open_world("{gpus: 2, workloads: true}", NULL, &clock);
	(void)nvs_world_lock(w);
	int64_t before = nvs_world_device(w, 0)->energy_mj;
	nvs_world_unlock(w);
	gm_manual_clock_advance(&clock, INT64_C(400) * 86400000);
	(void)nvs_world_lock(w);
	int64_t joules = (nvs_world_device(w, 0)->energy_mj - before) / 1000;
	nvs_world_unlock(w);
	assert_in_range(joules, INT64_C(400) * 86400 * 60, INT64_C(400) * 86400 * 700);
	nvs_world_close(w);
}

static void test_world_refuses_what_is_no_world(void **state)
{
	(void)state;
	GM_AUTO(folder_fini_p) struct folder folder = folder_make();
	char path[80];
	struct nvs_world *w = NULL;
	struct gm_err err = { 0 };
	(void)snprintf(path, sizeof(path), "%s/world", folder.path);
	FILE *f = fopen(path, "we");
	(void)fputs("not a world", f);
	(void)fclose(f);
	assert_int_equal(nvs_world_open_at(NULL, folder.path, &w, &err), GM_ERR_CORRUPT);
	assert_int_equal(truncate(path, sizeof(struct nvs_file)), 0);
	assert_int_equal(nvs_world_open_at(NULL, folder.path, &w, &err), GM_ERR_CORRUPT);
	assert_true(nvs_world_open_at(NULL, "/dev/null/x", &w, &err) < 0);
	assert_true(nvs_world_open_at("/dev/null/x.yml", NULL, &w, &err) < 0);
	assert_null(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_world_has_one_maker_in_a_race),
		cmocka_unit_test(test_world_lock_outlives_a_killed_holder),
		cmocka_unit_test(test_world_is_mended_after_a_death_amid_a_change),
		cmocka_unit_test(test_world_of_one_process_is_its_childrens_too),
		cmocka_unit_test(test_world_is_told_alike_by_all),
		cmocka_unit_test(test_world_energy_never_goes_back),
		cmocka_unit_test(test_world_held_load_is_shown_exactly),
		cmocka_unit_test(test_world_memory_counts_processes),
		cmocka_unit_test(test_world_refuses_another_scenario_until_reset),
		cmocka_unit_test(test_world_reset_leaves_all_alone_when_it_fails),
		cmocka_unit_test(test_world_begins_anew_on_reset),
		cmocka_unit_test(test_world_tells_of_scenario_faults_in_time),
		cmocka_unit_test(test_world_wait_is_woken_by_an_event),
		cmocka_unit_test(test_world_wait_sees_what_comes_by_itself),
		cmocka_unit_test(test_world_runs_at_its_speed),
		cmocka_unit_test(test_world_leaps_over_a_long_time),
		cmocka_unit_test(test_world_refuses_what_is_no_world),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
