/* SPDX-License-Identifier: MIT */
#include "mig-world.h"

#include <fcntl.h>
#include <time.h>

#include "app/agent/mig-manager.h"

/*
 * Readings, plans, the worker and its steps on the simulated driver, one variant of boards a program (its argument). The
 * world lies in a folder, so that what a killed worker did stays.
 */
static const char *variant = "H100_SXM5_80GB";
static struct {
	struct gm_nvml lib;
	struct gm_agent_view *view;
	struct gm_mig_job *job;
	char *dir;
	char world[300], scenario[300], state[300];
} sim;

#define BOARDS 8

static void sim_look(void)
{
	assert_int_equal(sim.lib.init(), 0);
	sim.view->state = GM_AGENT_WORKING;
	sim.view->board_count = BOARDS;
	for (unsigned i = 0; i < BOARDS; i++) {
		struct gm_nvml_reader *r = gm_nvml_reader_new(&sim.lib, NULL, NULL, i);

		sim.view->boards[i].reading = (struct gm_reading){ 0 };
		assert_int_equal(gm_nvml_read(r, 1700000000000, 1000, &sim.view->boards[i].reading), 0);
		sim.view->boards[i].state = GM_BOARD_OK;
		gm_nvml_reader_free(r);
	}
	assert_int_equal(sim.lib.shutdown(), 0);
}

static int set_up(void **state)
{
	const char *library = getenv("NVML_SIM_LIBRARY");
	struct gm_err err = { 0 };

	(void)state;
	assert_non_null(library);
	sim.dir = make_dir();
	(void)snprintf(sim.world, sizeof(sim.world), "%s/world", sim.dir);
	(void)snprintf(sim.state, sizeof(sim.state), "%s/state", sim.dir);
	(void)snprintf(sim.scenario, sizeof(sim.scenario), "%s/scenario.yaml", sim.dir);
	FILE *f = fopen(sim.scenario, "we");
	assert_non_null(f);
	(void)fprintf(f, "gpus: %d\nmodels: %s\n", BOARDS, variant);
	(void)fclose(f);
	assert_int_equal(setenv("NVML_SIM_STATE", sim.world, 1), 0);
	assert_int_equal(setenv("NVML_SIM_SCENARIO", sim.scenario, 1), 0);
	if (gm_nvml_open(library, &sim.lib, &err))
		fail_msg("%s", err.text);
	sim.view = calloc(1, sizeof(*sim.view));
	sim.job = mmap(NULL, sizeof(*sim.job), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(sim.job, MAP_FAILED);
	(void)gm_str_copy(gm_str(library), sim.job->library, sizeof(sim.job->library));
	(void)gm_str_copy(gm_str(sim.state), sim.job->state_dir, sizeof(sim.job->state_dir));
	return 0;
}

static void drop_files(const char *folder, const char *const *names)
{
	char path[400];

	for (; *names; names++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, *names);
		(void)unlink(path);
	}
	(void)rmdir(folder);
}

static int tear_down(void **state)
{
	static const char *const world[] = { "world", "world.lock", "lock", NULL };
	static const char *const journal[] = { "mig-journal", "mig-lock", NULL };

	(void)state;
	/* The library stays: its world lives as long as the process does. */
	free(sim.view);
	(void)munmap(sim.job, sizeof(*sim.job));
	drop_files(sim.world, world);
	drop_files(sim.state, journal);
	(void)unlink(sim.scenario);
	drop_dir(sim.dir);
	return 0;
}

/* One worker process, whole. */
static void run_worker(void)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(gm_mig_worker_run(sim.job, -1));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void begin_job(enum gm_mig_kind kind, enum gm_mig_direction direction)
{
	sim.job->kind = kind;
	sim.job->direction = direction;
	sim.job->code = 0;
	sim.job->text[0] = '\0';
	atomic_store(&sim.job->outcome, GM_MIG_OUTCOME_NONE);
	atomic_store(&sim.job->step, 0);
	atomic_store(&sim.job->steps, 0);
}

static void ask_layout(struct gm_mig_request *req, unsigned board, const struct gm_mig_table *t,
		       const struct gm_mig_layout *l, enum gm_mig_mode_wish mode)
{
	struct gm_mig_board_request *b = &req->boards[req->count++];
	const struct gm_reading *r = &sim.view->boards[board].reading;

	*b = (struct gm_mig_board_request){ .mode = mode };
	memcpy(b->uuid, r->facts.uuid, sizeof(b->uuid));
	gm_mig_board_hash(r, b->state_hash);
	for (size_t i = 0; i < l->count; i++) {
		(void)gm_str_copy(gm_str(t->profiles[l->slots[i].profile].name), b->wishes[b->count].profile,
				  sizeof(b->wishes[0].profile));
		b->wishes[b->count++].start = l->slots[i].start;
	}
}

static void make_plan(const struct gm_mig_request *req)
{
	static struct gm_mig_plan plan;
	static struct gm_mig_owners owners;
	struct gm_err err = { 0 };

	if (gm_mig_plan_make(req, sim.view, NULL, &owners, &plan, &err))
		fail_msg("%s", err.text);
	begin_job(GM_MIG_APPLY, GM_MIG_FORWARD);
	(void)gm_str_copy(GM_STR("1-1"), sim.job->id, sizeof(sim.job->id));
	sim.job->remove_unused = true;
	sim.job->count = plan.count;
	memcpy(sim.job->changes, plan.changes, sizeof(sim.job->changes));
}

static bool board_is(unsigned board, const struct gm_mig_state *wanted)
{
	struct gm_mig_board b;
	struct gm_mig_state now;

	assert_true(gm_mig_board_init(&b, &sim.view->boards[board].reading));
	/* An Ampere board tells no profiles before MIG is on. */
	assert_true(b.known && (b.from_driver || !b.on));
	gm_mig_board_state(&b, &now);
	return gm_mig_state_same(&now, wanted);
}

static void apply_all(const struct gm_mig_request *req)
{
	make_plan(req);
	run_worker();
	if (atomic_load(&sim.job->outcome) != GM_MIG_OUTCOME_NEW)
		fail_msg("%s", sim.job->text);
	sim_look();
	for (uint32_t i = 0; i < sim.job->count; i++)
		assert_true(board_is((unsigned)gm_mig_view_find(sim.view, sim.job->changes[i].uuid),
				     &sim.job->changes[i].wanted));
}

static const struct gm_mig_table *table(void)
{
	return gm_catalog_variant(gm_str(variant))->mig;
}

static void test_whole_node_is_switched_and_cut(void **state)
{
	static struct gm_mig_request req;
	struct gm_mig_layout whole = { 0 }, none = { 0 };
	struct timespec a, b;
	long ms;

	(void)state;
	req = (struct gm_mig_request){ .remove_unused = true, .keep = true };
	sim_look();
	for (int i = 0; gm_mig_layout_remaining(table(), &whole, 0) > 0; i++) {
		struct gm_mig_slot slot = { 0, (uint8_t)gm_mig_layout_choose(table(), &whole, 0) };

		gm_mig_layout_add(table(), &whole, slot);
	}
	for (unsigned i = 0; i < BOARDS; i++)
		ask_layout(&req, i, table(), &whole, GM_MIG_MODE_WISH_ON);
	(void)clock_gettime(CLOCK_MONOTONIC, &a);
	make_plan(&req);
	run_worker();
	(void)clock_gettime(CLOCK_MONOTONIC, &b);
	if (atomic_load(&sim.job->outcome) != GM_MIG_OUTCOME_NEW)
		fail_msg("%s", sim.job->text);
	ms = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
	print_message("# %s: %d boards on and cut into %zu each: %ld ms, %u steps\n", variant, BOARDS, whole.count, ms,
		      atomic_load(&sim.job->step));
	sim_look();
	for (unsigned i = 0; i < BOARDS; i++)
		assert_true(board_is(i, &sim.job->changes[i].wanted));
	/* And back. */
	req = (struct gm_mig_request){ .remove_unused = true };
	for (unsigned i = 0; i < BOARDS; i++)
		ask_layout(&req, i, table(), &none, GM_MIG_MODE_WISH_OFF);
	apply_all(&req);
	assert_int_equal(sim.view->boards[0].reading.mig_current, 0);
}

struct layouts {
	size_t count;
	struct gm_mig_layout items[4096];
};
static bool keep_layout(void *ctx, const struct gm_mig_layout *l)
{
	struct layouts *all = ctx;

	all->items[all->count++] = *l;
	return all->count < GM_LEN(all->items);
}

static int driver_instances(void *ctx, const char *uuid,
			    struct gm_nvml_gpu_instance out[static GM_NVML_GPU_INSTANCES_MAX], size_t *out_count,
			    struct gm_err *err)
{
	return gm_nvml_mig_instances(ctx, uuid, out, out_count, err);
}
static int driver_set_mode(void *ctx, const char *uuid, bool on, int *out_active, int *out_why, struct gm_err *err)
{
	return gm_nvml_mig_set_mode(ctx, uuid, on, out_active, out_why, err);
}
static int driver_create(void *ctx, const char *uuid, const struct gm_mig_slice *s, struct gm_err *err)
{
	int gi;

	return gm_nvml_mig_create(ctx, uuid, s->profile_id, s->start, s->size, &gi, err);
}
static int driver_destroy(void *ctx, const char *uuid, int gi, struct gm_err *err)
{
	return gm_nvml_mig_destroy(ctx, uuid, gi, err);
}

static void test_every_layout_is_reproduced(void **state)
{
	static struct layouts all;
	static struct gm_mig_past past;
	static struct gm_mig_request req;
	struct gm_nvml_mig mig = { .lib = &sim.lib };
	const struct gm_mig_driver driver = { &mig, driver_instances, driver_set_mode, driver_create, driver_destroy };
	struct gm_mig_layout none = { 0 };
	struct gm_mig_journal j;
	size_t step, done = 0;

	(void)state;
	gm_mig_layouts(table(), ~UINT64_C(0), keep_layout, &all);
	step = getenv("GM_LONG") || all.count < 300 ? 1 : 5;
	sim_look();
	req = (struct gm_mig_request){ .remove_unused = true };
	ask_layout(&req, 0, table(), &none, GM_MIG_MODE_WISH_ON);
	apply_all(&req);
	assert_int_equal(gm_mig_journal_open(sim.state, &j, NULL, NULL), 0);
	for (size_t i = 0; i < all.count; i += step) {
		/* From the one before, then to nothing, then from nothing. */
		for (int k = 0; k < 3; k++) {
			req = (struct gm_mig_request){ .remove_unused = true };
			ask_layout(&req, 0, table(), k == 1 ? &none : &all.items[i], GM_MIG_MODE_AS_IS);
			make_plan(&req);
			assert_int_equal(sim.lib.init(), 0);
			gm_mig_carry_out(&driver, &j, &past, sim.job);
			assert_int_equal(sim.lib.shutdown(), 0);
			if (atomic_load(&sim.job->outcome) != GM_MIG_OUTCOME_NEW)
				fail_msg("%s", sim.job->text);
			sim_look();
			assert_true(board_is(0, &sim.job->changes[0].wanted));
		}
		done++;
	}
	gm_mig_journal_close(&j);
	print_message("# %s: %zu of %zu layouts\n", variant, done, all.count);
	req = (struct gm_mig_request){ .remove_unused = true };
	ask_layout(&req, 0, table(), &none, GM_MIG_MODE_WISH_OFF);
	apply_all(&req);
}

/* The same driver; the process kills itself before, or after, the n-th call that changes something. */
static struct {
	struct gm_nvml_mig mig;
	unsigned calls, kill_before, kill_after;
} deadly;

static void deadly_step(bool before)
{
	deadly.calls += before;
	if (deadly.calls == (before ? deadly.kill_before : deadly.kill_after))
		(void)raise(SIGKILL);
}
static int deadly_instances(void *ctx, const char *uuid,
			    struct gm_nvml_gpu_instance out[static GM_NVML_GPU_INSTANCES_MAX], size_t *out_count,
			    struct gm_err *err)
{
	(void)ctx;
	return gm_nvml_mig_instances(&deadly.mig, uuid, out, out_count, err);
}
static int deadly_set_mode(void *ctx, const char *uuid, bool on, int *out_active, int *out_why, struct gm_err *err)
{
	int rc;

	(void)ctx;
	deadly_step(true);
	rc = gm_nvml_mig_set_mode(&deadly.mig, uuid, on, out_active, out_why, err);
	deadly_step(false);
	return rc;
}
static int deadly_create(void *ctx, const char *uuid, const struct gm_mig_slice *s, struct gm_err *err)
{
	int rc;

	(void)ctx;
	deadly_step(true);
	rc = driver_create(&deadly.mig, uuid, s, err);
	deadly_step(false);
	return rc;
}
static int deadly_destroy(void *ctx, const char *uuid, int gi, struct gm_err *err)
{
	int rc;

	(void)ctx;
	deadly_step(true);
	rc = gm_nvml_mig_destroy(&deadly.mig, uuid, gi, err);
	deadly_step(false);
	return rc;
}

/* True when it was killed. */
static bool run_deadly(unsigned kill_before, unsigned kill_after)
{
	const struct gm_mig_driver driver = { NULL, deadly_instances, deadly_set_mode, deadly_create, deadly_destroy };
	static struct gm_mig_past past;
	struct gm_mig_journal j;
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		deadly.mig = (struct gm_nvml_mig){ .lib = &sim.lib };
		deadly.calls = 0;
		deadly.kill_before = kill_before;
		deadly.kill_after = kill_after;
		if (gm_mig_journal_open(sim.state, &j, &past, NULL) || sim.lib.init())
			_exit(1);
		gm_mig_carry_out(&driver, &j, &past, sim.job);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
	return WIFSIGNALED(status);
}

static uint32_t next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33);
}

/* As the next agent does it. */
static enum gm_mig_outcome next_start(void)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf why = { 0 };
	static struct gm_mig_past past;
	enum gm_mig_decision d;
	struct gm_mig_journal j;

	sim_look();
	assert_int_equal(gm_mig_journal_open(sim.state, &j, &past, NULL), 0);
	d = gm_mig_decide(&past, sim.view, NULL, &why);
	if (d == GM_MIG_DECIDE_FORGET)
		assert_int_equal(gm_mig_journal_end(&j, GM_MIG_OUTCOME_OLD, "not begun", NULL), 0);
	gm_mig_journal_close(&j);
	if (d == GM_MIG_DECIDE_FORGET)
		return GM_MIG_OUTCOME_OLD;
	if (d == GM_MIG_DECIDE_NOTHING)
		return past.going ? past.outcome : GM_MIG_OUTCOME_OLD;
	if (d != GM_MIG_DECIDE_FINISH && d != GM_MIG_DECIDE_UNDO)
		fail_msg("%s", gm_buf_cstr(&why));
	begin_job(GM_MIG_RECOVER, d == GM_MIG_DECIDE_FINISH ? GM_MIG_FORWARD : GM_MIG_BACKWARD);
	sim.job->count = past.count;
	memcpy(sim.job->changes, past.changes, sizeof(sim.job->changes));
	for (uint32_t i = 0; i < past.count; i++) {
		int at = gm_mig_view_find(sim.view, past.changes[i].uuid);

		sim.job->changes[i].on_now = sim.view->boards[at].reading.mig_current == 1;
	}
	run_worker();
	sim_look();
	return (enum gm_mig_outcome)atomic_load(&sim.job->outcome);
}

static void plan_random(const struct layouts *all, uint64_t *seed)
{
	static const struct gm_mig_layout none;
	static struct gm_mig_request req;

	sim_look();
	req = (struct gm_mig_request){ .remove_unused = true };
	for (unsigned i = 0; i < 2; i++) {
		bool off = next_random(seed) % 5 == 0;

		ask_layout(&req, i, table(), off ? &none : &all->items[next_random(seed) % all->count],
			   off ? GM_MIG_MODE_WISH_OFF : GM_MIG_MODE_WISH_ON);
	}
	make_plan(&req);
}

static void test_kill_at_every_step_ends_with_the_old_or_the_new(void **state)
{
	static struct layouts all;
	unsigned changes = getenv("GM_LONG") ? 100 : 10, killed = 0;
	uint64_t seed = 41;

	(void)state;
	gm_mig_layouts(table(), ~UINT64_C(0), keep_layout, &all);
	for (unsigned c = 0; c < changes; c++) {
		bool again = true;

		/* Each kill begins a change of its own, from where the last one ended. */
		for (unsigned n = 1; again; n++) {
			enum gm_mig_outcome outcome;

			plan_random(&all, &seed);
			again = run_deadly(n % 2 ? (n + 1) / 2 : 0, n % 2 ? 0 : n / 2);
			killed += again;
			outcome = next_start();
			assert_true(outcome == GM_MIG_OUTCOME_NEW || outcome == GM_MIG_OUTCOME_OLD);
			for (uint32_t i = 0; i < sim.job->count; i++) {
				const struct gm_mig_change *ch = &sim.job->changes[i];

				assert_true(board_is((unsigned)gm_mig_view_find(sim.view, ch->uuid),
						     outcome == GM_MIG_OUTCOME_NEW ? &ch->wanted : &ch->before));
			}
		}
	}
	print_message("# %s: %u workers were killed\n", variant, killed);
	assert_true(killed > changes);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_node_is_switched_and_cut),
		cmocka_unit_test(test_every_layout_is_reproduced),
		cmocka_unit_test(test_kill_at_every_step_ends_with_the_old_or_the_new),
	};

	if (argc > 1)
		variant = argv[1];
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
