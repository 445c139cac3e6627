/* SPDX-License-Identifier: MIT */
#include "mig-world.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "app/agent/mig-manager.h"
#include "app/agent/mig-rivals.h"
#include "app/agent/mig-wanted.h"
#include "base/log.h"

/*
 * The manager with everything real but the driver, the keeper and the samplers: the "worker" runs when the test says so,
 * by the same carrying and journal.
 */
struct rig {
	struct world *w;
	struct gm_agent_view *view;
	struct gm_holders holders;
	struct gm_mig_job *job;
	struct gm_manual_clock clock;
	struct gm_mig_manager *m;
	char *dir, *root;
	unsigned spawned, holds, releases;
	bool quiet, spawn_fails, disabled;
	bool disk_fills; /* after the worker's first destroy: half a record more can be written */
};
static struct rig *rig; /* of the port's functions below */

int gm_keeper_spawn(struct gm_keeper *k, enum gm_keeper_role role, int argument, pid_t *out_pid, struct gm_err *err)
{
	(void)k;
	(void)argument;
	assert_int_equal(role, GM_KEEPER_MIG_WORKER);
	if (rig->spawn_fails)
		return gm_fail(err, GM_ERR_UNAVAILABLE, "no more processes");
	rig->spawned++;
	*out_pid = 1;
	return 0;
}
void gm_samplers_hold(struct gm_samplers *s, enum gm_samplers_hold why)
{
	(void)s;
	assert_int_equal(why, GM_HOLD_MIG);
	rig->holds++;
}
void gm_samplers_release(struct gm_samplers *s, enum gm_samplers_hold why)
{
	(void)s;
	assert_int_equal(why, GM_HOLD_MIG);
	rig->releases++;
}
bool gm_samplers_quiet(const struct gm_samplers *s)
{
	(void)s;
	return rig->quiet;
}

static void rig_start(struct rig *r)
{
	struct gm_mig_manager_conf conf = { .job = r->job,
					    .clock = &r->clock.clock,
					    .state_dir = r->dir,
					    .host_root = r->root,
					    .enabled = !r->disabled };
	struct gm_err err = { 0 };

	if (gm_mig_manager_new(&conf, &r->m, &err))
		fail_msg("%s", err.text);
}
static void rig_init(struct rig *r, const char *variant, bool on, const char *layout)
{
	*r = (struct rig){ .w = world_new(),
			   .view = calloc(1, sizeof(*r->view)),
			   .job = calloc(1, sizeof(*r->job)),
			   .dir = make_dir(),
			   .root = make_dir() };
	rig = r;
	gm_log_set_level(GM_LOG_ERROR + 1);
	gm_manual_clock_init(&r->clock, 1700000000000);
	world_lay_text(r->w, world_add(r->w, variant, on), layout);
	rig_start(r);
}
static void rig_fini(struct rig *r)
{
	gm_mig_manager_free(r->m);
	world_free(r->w);
	free(r->view);
	free(r->job);
	drop_dir(r->dir);
	drop_dir(r->root);
}
static void rig_restart(struct rig *r)
{
	gm_mig_manager_free(r->m);
	free(r->view);
	r->view = calloc(1, sizeof(*r->view));
	*r->job = (struct gm_mig_job){ 0 };
	rig_start(r);
}

/* A round: a reading of the world, then the manager's turn. */
static void turn(struct rig *r)
{
	gm_manual_clock_advance(&r->clock, 1000);
	world_view(r->w, r->view);
	r->view->round++;
	gm_mig_manager_tick(r->m, r->view, &r->holders);
}
static void turns(struct rig *r, unsigned n)
{
	while (n-- > 0)
		turn(r);
}

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes ? bytes : limit.rlim_max;
	(void)signal(SIGXFSZ, bytes ? SIG_IGN : SIG_DFL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int destroy_then_full(void *ctx, const char *uuid, int gi, struct gm_err *err)
{
	char path[300];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/mig-journal", rig->dir);
	assert_int_equal(stat(path, &st), 0);
	limit_files((rlim_t)st.st_size + 10);
	return world_destroy(ctx, uuid, gi, err);
}

/* What the keeper's child does, here. `crash`: it only begins, then is gone. */
static void work(struct rig *r, unsigned kill_before)
{
	struct gm_keeper_end end = { .role = GM_KEEPER_MIG_WORKER, .status = kill_before ? SIGKILL : 0 };
	int status;
	pid_t pid;

	assert_int_equal(r->spawned, 1);
	r->spawned = 0;
	r->w->calls = 0;
	r->w->kill_before = kill_before;
	if (kill_before) {
		/* In a child: its job is a copy, as if it had said nothing. */
		pid = fork();
		if (pid == 0) {
			struct gm_mig_driver driver = world_driver(r->w);
			struct gm_mig_past *past = calloc(1, sizeof(*past));
			struct gm_mig_journal j;

			if (past && gm_mig_journal_open(r->dir, &j, past, NULL) == 0)
				gm_mig_carry_out(&driver, &j, past, r->job);
			_exit(1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		r->w->kill_before = 0;
	} else {
		struct gm_mig_driver driver = world_driver(r->w);
		struct gm_mig_past *past = calloc(1, sizeof(*past));
		struct gm_mig_journal j;

		if (r->disk_fills)
			driver.destroy = destroy_then_full;
		assert_int_equal(gm_mig_journal_open(r->dir, &j, past, NULL), 0);
		gm_mig_carry_out(&driver, &j, past, r->job);
		gm_mig_journal_close(&j);
		limit_files(0);
		r->disk_fills = false;
		free(past);
	}
	gm_mig_manager_worker_ended(r->m, &end);
}

/* A request from another thread, with the main loop's turns meanwhile. */
struct asking {
	struct rig *r;
	const char *body;
	struct gm_buf out;
	struct gm_err err;
	int rc;
	_Atomic bool over;
};
static void *ask_thread(void *ctx)
{
	struct asking *a = ctx;

	a->rc = gm_mig_manager_apply(a->r->m, gm_str(a->body), &a->out, &a->err);
	atomic_store(&a->over, true);
	return NULL;
}
static int apply_mode(struct rig *r, const char *mode, const char *layout, const char *more, struct gm_buf *out,
		      struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf body = { 0 };
	struct asking a = { .r = r };
	pthread_t thread;
	char hash[17];

	world_view(r->w, r->view);
	gm_mig_board_hash(&r->view->boards[0].reading, hash);
	gm_buf_addf(&body, "{\"devices\":[{\"uuid\":\"%s\",\"stateHash\":\"%s\",\"mode\":\"%s\",\"layout\":[%s]}]%s}",
		    r->w->boards[0].uuid, hash, mode, layout, more);
	a.body = gm_buf_cstr(&body);
	assert_int_equal(pthread_create(&thread, NULL, ask_thread, &a), 0);
	while (!atomic_load(&a.over)) {
		struct pollfd p = { .fd = gm_mig_manager_fd(r->m), .events = POLLIN };

		if (poll(&p, 1, 20) > 0)
			gm_mig_manager_tick(r->m, r->view, &r->holders);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	if (out)
		gm_buf_add_str(out, gm_buf_str(&a.out));
	if (err)
		*err = a.err;
	gm_buf_fini(&a.out);
	return a.rc;
}
static int apply(struct rig *r, const char *layout, const char *more, struct gm_buf *out, struct gm_err *err)
{
	return apply_mode(r, "as-is", layout, more, out, err);
}
#define SLICE(profile, start) "{\"profile\":\"" profile "\",\"placement\":" #start "}"

static void id_of(const struct gm_buf *text, char out[static GM_MIG_ID_SIZE])
{
	const char *p = strstr(text->p, "\"id\":\"");

	assert_non_null(p);
	p += 6;
	assert_true(gm_str_copy(gm_str_n(p, strcspn(p, "\"")), out, GM_MIG_ID_SIZE));
}

static void check_operation(struct rig *r, const char *id, const char *says)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf text = { 0 };
	struct gm_err err = { 0 };

	assert_int_equal(gm_mig_manager_operation(r->m, gm_str(id), &text, &err), 0);
	if (!strstr(gm_buf_cstr(&text), says))
		fail_msg("%s lacks %s", gm_buf_cstr(&text), says);
}
static void check_describe(struct rig *r, const char *says)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf text = { 0 };

	gm_mig_manager_describe(r->m, &text);
	if (!strstr(gm_buf_cstr(&text), says))
		fail_msg("%s lacks %s", gm_buf_cstr(&text), says);
}
static void check_layout(struct rig *r, const char *text)
{
	struct gm_mig_state want, now = world_state(&r->w->boards[0]);

	state_of_text(r->w->boards[0].variant, true, text, &want);
	assert_true(gm_mig_state_same(&now, &want));
}

static void test_apply_is_carried_out_and_kept(void **state)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };
	struct rig r;
	const char *why = "";
	char id[GM_MIG_ID_SIZE];
	uint64_t changes;

	(void)state;
	rig_init(&r, "H100_SXM5_80GB", true, "1g.10gb@0");
	assert_false(gm_mig_manager_ready(r.m, &why));
	turns(&r, 2);
	assert_true(gm_mig_manager_ready(r.m, &why));
	assert_null(why);
	changes = gm_mig_manager_changes(r.m);
	assert_int_equal(apply(&r, SLICE("1g.10gb", 0) "," SLICE("3g.40gb", 4), "", &out, NULL), 0);
	id_of(&out, id);
	assert_non_null(strstr(out.p, "\"state\":\"running\""));
	check_describe(&r, id);
	/* One at a time. */
	assert_int_equal(apply(&r, "", "", NULL, NULL), GM_ERR_CONFLICT);
	assert_true(gm_mig_manager_works(r.m));
	work(&r, 0);
	assert_false(gm_mig_manager_works(r.m));
	check_operation(&r, id, "\"state\":\"succeeded\"");
	check_operation(&r, id, "\"step\":1,\"steps\":1");
	assert_true(gm_mig_manager_changes(r.m) > changes);
	check_layout(&r, "1g.10gb@0, 3g.40gb@4");
	check_describe(&r, id); /* what is told of the GPU is of before its end */
	turns(&r, 4);
	assert_true(gm_mig_manager_ready(r.m, NULL));
	assert_int_equal(r.spawned + r.holds, 0);
	check_describe(&r, "\"differs\":false,\"changedByOthers\":false");
	check_describe(&r, "\"operation\":null");
	assert_int_equal(gm_mig_manager_operation(r.m, GM_STR("nope"), &out, NULL), GM_ERR_NOT_FOUND);
	rig_fini(&r);
}

static void test_requests_wait_until_the_last_change_is_read(void **state)
{
	struct rig r;
	struct asking a = { .r = &r,
			    .body = "{\"devices\":[{\"uuid\":\"GPU-x\",\"stateHash\":\"0123456789abcdef\","
				    "\"layout\":[]}]}" };
	struct pollfd wake = { .events = POLLIN };
	pthread_t thread;

	(void)state;
	rig_init(&r, "H100_SXM5_80GB", true, "");
	turns(&r, 2);
	assert_int_equal(apply(&r, SLICE("3g.40gb", 4), "", NULL, NULL), 0);
	work(&r, 0);
	assert_int_equal(pthread_create(&thread, NULL, ask_thread, &a), 0);
	wake.fd = gm_mig_manager_fd(r.m);
	assert_int_equal(poll(&wake, 1, 5000), 1);
	gm_mig_manager_tick(r.m, r.view, &r.holders);
	turn(&r);
	assert_false(atomic_load(&a.over));
	turns(&r, 2);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(a.rc, GM_ERR_NOT_FOUND);
	rig_fini(&r);
}

static void test_dry_run_says_what_would_be_done_and_does_nothing(void **state)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };
	struct gm_err err = { 0 };
	struct rig r;

	(void)state;
	rig_init(&r, "H100_SXM5_80GB", true, "1g.10gb@0");
	turns(&r, 2);
	assert_int_equal(apply(&r, SLICE("7g.80gb", 0), ",\"dryRun\":true,\"removeUnused\":true", &out, NULL), 0);
	assert_non_null(strstr(out.p, "\"creates\":1,\"destroys\":1,\"modeSwitches\":0,\"resets\":false"));
	assert_non_null(strstr(out.p, "\"action\":\"destroy\",\"profile\":\"1g.10gb\",\"placement\":0"));
	assert_int_equal(apply(&r, SLICE("7g.80gb", 0), ",\"dryRun\":true", NULL, &err), GM_ERR_CONFLICT);
	assert_non_null(strstr(err.text, "removeUnused"));
	turns(&r, 3);
	assert_int_equal(r.spawned, 0);
	check_layout(&r, "1g.10gb@0");
	check_describe(&r, "\"wanted\":null");
	rig_fini(&r);
}

static void test_lost_layouts_are_made_again_before_ready(void **state)
{
	struct rig r;
	const char *why = "";

	(void)state;
	rig_init(&r, "H100_SXM5_80GB", true, "");
	turns(&r, 2);
	assert_int_equal(apply(&r, SLICE("3g.40gb", 4) "," SLICE("1g.10gb", 1), "", NULL, NULL), 0);
	work(&r, 0);
	turns(&r, 4);
	/* A reboot: instances gone, and with Hopper the mode. */
	memset(r.w->boards[0].gi, 0, sizeof(r.w->boards[0].gi));
	r.w->boards[0].on = false;
	rig_restart(&r);
	for (unsigned i = 0; i < 10 && !r.spawned; i++) {
		turn(&r);
		assert_false(gm_mig_manager_ready(r.m, &why));
	}
	assert_int_equal(r.holds, 0); /* no reset is needed there */
	work(&r, 0);
	check_layout(&r, "1g.10gb@1, 3g.40gb@4");
	assert_true(r.w->boards[0].on);
	turns(&r, 4);
	assert_true(gm_mig_manager_ready(r.m, NULL));
	/* A driver reload under the running agent. */
	memset(r.w->boards[0].gi, 0, sizeof(r.w->boards[0].gi));
	r.view->child_starts++;
	for (unsigned i = 0; i < 10 && !r.spawned; i++)
		turn(&r);
	work(&r, 0);
	turns(&r, 4);
	check_layout(&r, "1g.10gb@1, 3g.40gb@4");
	assert_true(gm_mig_manager_ready(r.m, NULL));
	rig_fini(&r);
}

static void test_a_restore_that_fails_is_tried_again_later(void **state)
{
	struct rig r;
	unsigned tries = 0;

	(void)state;
	rig_init(&r, "H100_SXM5_80GB", true, "");
	turns(&r, 2);
	assert_int_equal(apply(&r, SLICE("3g.40gb", 4), "", NULL, NULL), 0);
	work(&r, 0);
	memset(r.w->boards[0].gi, 0, sizeof(r.w->boards[0].gi));
	rig_restart(&r);
	r.w->fail_at = 1;
	r.w->fail_count = 1000;
	for (unsigned i = 0; i < 120; i++) {
		turn(&r);
		if (r.spawned) {
			work(&r, 0);
			tries++;
		}
		assert_false(i > 8 && gm_mig_manager_ready(r.m, NULL) && tries == 0);
	}
	/* At 5, 10, 20, 40 s...: not every second. */
	assert_in_range(tries, 3, 6);
	assert_false(gm_mig_manager_ready(r.m, NULL));
	r.w->fail_at = 0;
	for (unsigned i = 0; i < 400 && !r.spawned; i++)
		turn(&r);
	work(&r, 0);
	turns(&r, 4);
	assert_true(gm_mig_manager_ready(r.m, NULL));
	rig_fini(&r);
}

static void lose_all(struct rig *r)
{
	for (unsigned i = 0; i < r->w->count; i++)
		memset(r->w->boards[i].gi, 0, sizeof(r->w->boards[i].gi));
}

static void want_on_all(struct rig *r, const char *layout)
{
	struct gm_mig_wanted wanted = { 0 };
	struct gm_mig_state s;

	for (unsigned i = 0; i < r->w->count; i++) {
		state_of_text(r->w->boards[i].variant, true, layout, &s);
		assert_true(gm_mig_wanted_set(&wanted, r->w->boards[i].uuid, &s));
	}
	assert_int_equal(gm_mig_wanted_save(r->dir, &wanted, NULL), 0);
	rig_restart(r);
}

static void test_a_board_that_refuses_does_not_keep_the_others_from_their_layouts(void **state)
{
	struct rig r;
	unsigned tries = 0, whole = 0;
	const char *why = "";

	(void)state;
	rig_init(&r, "H100_SXM5_80GB", true, "");
	(void)world_add(r.w, "H100_SXM5_80GB", true);
	(void)world_add(r.w, "H100_SXM5_80GB", true);
	r.w->boards[1].broken = true;
	want_on_all(&r, "3g.40gb@4");
	for (unsigned i = 0; i < 30; i++) {
		turn(&r);
		if (r.spawned) {
			work(&r, 0);
			tries++;
		}
	}
	for (unsigned i = 0; i < r.w->count; i++)
		whole += world_layout(&r.w->boards[i]).count == 1;
	assert_int_equal(whole, 2);
	assert_int_equal(world_layout(&r.w->boards[1]).count, 0);
	assert_in_range(tries, 4, 6); /* all at once, each alone, the bad one again */
	assert_false(gm_mig_manager_ready(r.m, &why));
	assert_non_null(strstr(why, r.w->boards[1].uuid));
	rig_fini(&r);
}

static void test_a_board_that_was_taken_out_is_not_waited_for(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, "H100_SXM5_80GB", true, "3g.40gb@4");
	(void)world_add(r.w, "H100_SXM5_80GB", true);
	world_lay_text(r.w, &r.w->boards[1], "3g.40gb@4");
	want_on_all(&r, "3g.40gb@4");
	r.w->count = 1;
	/* As long as one is not read it may be that one. */
	world_view(r.w, r.view);
	r.view->board_count = 2;
	r.view->boards[1].state = GM_BOARD_NEW;
	gm_mig_manager_tick(r.m, r.view, &r.holders);
	assert_false(gm_mig_manager_ready(r.m, NULL));
	turns(&r, 2);
	assert_true(gm_mig_manager_ready(r.m, NULL));
	/* It is back, after a restart of the machine. */
	r.w->count = 2;
	lose_all(&r);
	rig_restart(&r);
	for (unsigned i = 0; i < 5 && !r.spawned; i++)
		turn(&r);
	work(&r, 0);
	assert_int_equal(world_layout(&r.w->boards[1]).count, 1);
	rig_fini(&r);
}

static void test_a_board_off_its_bus_is_waited_for_by_nobody_and_restored_when_it_is_back(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, "H100_SXM5_80GB", true, "3g.40gb@4");
	(void)world_add(r.w, "H100_SXM5_80GB", true);
	world_lay_text(r.w, &r.w->boards[1], "3g.40gb@4");
	want_on_all(&r, "3g.40gb@4");
	turns(&r, 2);
	world_view(r.w, r.view);
	r.view->boards[1].state = GM_BOARD_LOST;
	gm_mig_manager_tick(r.m, r.view, &r.holders);
	assert_true(gm_mig_manager_ready(r.m, NULL));
	assert_int_equal(r.spawned, 0);
	/* Back after a reset, which took its instances. */
	memset(r.w->boards[1].gi, 0, sizeof(r.w->boards[1].gi));
	for (unsigned i = 0; i < 5 && !r.spawned; i++)
		turn(&r);
	work(&r, 0);
	turns(&r, 4);
	assert_int_equal(world_layout(&r.w->boards[1]).count, 1);
	assert_true(gm_mig_manager_ready(r.m, NULL));
	rig_fini(&r);
}

static void test_a_mode_that_survives_all_but_a_switch_is_not_lost(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, "A100_SXM4_80GB", false, "");
	want_on_all(&r, "3g.40gb@4");
	turns(&r, 6);
	assert_int_equal(r.spawned + r.holds, 0);
	check_describe(&r, "\"differs\":true,\"changedByOthers\":true");
	rig_fini(&r);
}

static void test_what_the_driver_does_not_tell_is_no_change_by_others(void **state)
{
	struct rig r;
	const char *why = "";

	(void)state;
	rig_init(&r, "H100_SXM5_80GB", true, "3g.40gb@4");
	want_on_all(&r, "3g.40gb@4");
	turns(&r, 2);
	assert_true(gm_mig_manager_ready(r.m, NULL));
	for (unsigned i = 0; i < 5; i++) {
		gm_manual_clock_advance(&r.clock, 1000);
		world_view(r.w, r.view);
		r.view->boards[0].reading.instances[0].start = -1;
		gm_mig_manager_tick(r.m, r.view, &r.holders);
		assert_false(gm_mig_manager_ready(r.m, &why));
		assert_non_null(strstr(why, "does not tell"));
	}
	check_describe(&r, "\"changedByOthers\":false");
	turn(&r);
	assert_true(gm_mig_manager_ready(r.m, NULL));
	rig_fini(&r);
}

static void test_the_end_that_a_worker_could_not_write_is_written_later(void **state)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };
	struct gm_mig_past *past = calloc(1, sizeof(*past));
	struct gm_mig_journal j;
	struct rig r;
	char id[GM_MIG_ID_SIZE];

	(void)state;
	assert_non_null(past);
	rig_init(&r, "H100_SXM5_80GB", true, "1g.10gb@0");
	turns(&r, 2);
	assert_int_equal(apply(&r, SLICE("7g.80gb", 0), ",\"removeUnused\":true", &out, NULL), 0);
	id_of(&out, id);
	/* The disk fills up after the first step was written: it goes back, and has no word of it on the disk. */
	r.disk_fills = true;
	work(&r, 0);
	check_layout(&r, "1g.10gb@0");
	check_operation(&r, id, "\"state\":\"undone\"");
	assert_int_equal(gm_mig_journal_open(r.dir, &j, past, NULL), 0);
	assert_true(past->going);
	assert_true(past->begun > 0);
	assert_false(past->torn);
	assert_int_equal(past->outcome, GM_MIG_OUTCOME_NONE);
	gm_mig_journal_close(&j);
	turns(&r, 4);
	assert_int_equal(r.spawned, 0);
	assert_true(gm_mig_manager_ready(r.m, NULL));
	assert_int_equal(gm_mig_journal_open(r.dir, &j, past, NULL), 0);
	assert_int_equal(past->outcome, GM_MIG_OUTCOME_OLD);
	gm_mig_journal_close(&j);
	check_operation(&r, id, "\"state\":\"undone\"");
	assert_int_equal(apply(&r, SLICE("7g.80gb", 0), ",\"removeUnused\":true", NULL, NULL), 0);
	work(&r, 0);
	check_layout(&r, "7g.80gb@0");
	free(past);
	rig_fini(&r);
}

static void test_a_layout_that_is_no_longer_kept_is_not_remembered_by_the_journal(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, "H100_SXM5_80GB", true, "");
	turns(&r, 2);
	assert_int_equal(apply(&r, SLICE("3g.40gb", 4), "", NULL, NULL), 0);
	work(&r, 0);
	turns(&r, 4);
	assert_int_equal(apply(&r, SLICE("3g.40gb", 4), ",\"keep\":false", NULL, NULL), 0);
	check_describe(&r, "\"wanted\":null");
	lose_all(&r);
	rig_restart(&r);
	turns(&r, 5);
	check_describe(&r, "\"wanted\":null");
	assert_int_equal(r.spawned, 0);
	rig_fini(&r);
}

static void test_a_folder_has_one_agent(void **state)
{
	struct gm_mig_manager *first;
	struct rig r;

	(void)state;
	rig_init(&r, "H100_SXM5_80GB", true, "");
	turns(&r, 2);
	first = r.m;
	rig_start(&r);
	turns(&r, 2);
	assert_false(gm_mig_manager_ready(r.m, NULL));
	check_describe(&r, "mig-agent is held by another process");
	assert_int_equal(apply(&r, "", "", NULL, NULL), GM_ERR_UNAVAILABLE);
	/* What the first one leaves behind is what the second goes on from. */
	gm_mig_manager_free(first);
	turns(&r, 2);
	assert_true(gm_mig_manager_ready(r.m, NULL));
	rig_fini(&r);
}

static void test_who_may_only_tell_touches_nothing(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, "H100_SXM5_80GB", true, "");
	want_on_all(&r, "3g.40gb@4");
	gm_mig_manager_free(r.m);
	r.disabled = true;
	rig_start(&r);
	turns(&r, 5);
	assert_int_equal(r.spawned, 0);
	assert_true(gm_mig_manager_ready(r.m, NULL));
	check_describe(&r, "\"differs\":true");
	assert_int_equal(apply(&r, SLICE("3g.40gb", 4), "", NULL, NULL), GM_ERR_FORBIDDEN);
	assert_int_equal(apply(&r, SLICE("3g.40gb", 4), ",\"dryRun\":true", NULL, NULL), 0);
	rig_fini(&r);
}

static void test_what_others_change_is_told_and_not_fought(void **state)
{
	struct gm_err err = { 0 };
	struct rig r;

	(void)state;
	rig_init(&r, "H100_SXM5_80GB", true, "");
	turns(&r, 2);
	assert_int_equal(apply(&r, SLICE("3g.40gb", 4), "", NULL, NULL), 0);
	work(&r, 0);
	turns(&r, 4);
	/* All of it removed, while we looked. */
	world_lay_text(r.w, &r.w->boards[0], "");
	turns(&r, 6);
	assert_int_equal(r.spawned, 0);
	assert_true(gm_mig_manager_ready(r.m, NULL));
	check_describe(&r, "\"differs\":true,\"changedByOthers\":true");
	assert_int_equal(apply(&r, SLICE("3g.40gb", 4), "", NULL, &err), GM_ERR_CONFLICT);
	assert_non_null(strstr(err.text, "takeOwnership"));
	/* That is remembered: a restart does not take it for a loss. */
	rig_restart(&r);
	turns(&r, 6);
	assert_int_equal(r.spawned, 0);
	check_layout(&r, "");
	assert_int_equal(apply(&r, SLICE("3g.40gb", 0), ",\"takeOwnership\":true", NULL, NULL), 0);
	work(&r, 0);
	turns(&r, 4);
	check_describe(&r, "\"differs\":false,\"changedByOthers\":false");
	rig_fini(&r);
}

static void test_a_worker_that_dies_is_followed_by_one_that_ends_it(void **state)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };
	struct rig r;
	char id[GM_MIG_ID_SIZE];

	(void)state;
	rig_init(&r, "H100_SXM5_80GB", true, "1g.10gb@0, 1g.10gb@1");
	turns(&r, 2);
	assert_int_equal(apply(&r, SLICE("7g.80gb", 0), ",\"removeUnused\":true", &out, NULL), 0);
	id_of(&out, id);
	work(&r, 2); /* one is gone, the next is announced */
	check_layout(&r, "1g.10gb@1");
	check_operation(&r, id, "the worker broke off");
	turns(&r, 1);
	assert_int_equal(r.spawned, 0); /* what was read before it died is not what is there */
	assert_false(gm_mig_manager_ready(r.m, NULL));
	turns(&r, 1);
	assert_false(gm_mig_manager_ready(r.m, NULL));
	work(&r, 0);
	check_layout(&r, "7g.80gb@0");
	check_operation(&r, id, "\"state\":\"succeeded\"");
	check_operation(&r, id, "finished at the next start");
	turns(&r, 4);
	check_describe(&r, "\"differs\":false");
	/* The same with the agent gone too, and a pod on what was to go. */
	gm_buf_reset(&out);
	assert_int_equal(apply(&r, SLICE("1g.10gb", 0) "," SLICE("1g.10gb", 1), ",\"removeUnused\":true", &out, NULL),
			 0);
	id_of(&out, id);
	work(&r, 2);
	rig_restart(&r);
	turns(&r, 1);
	work(&r, 0);
	check_layout(&r, "1g.10gb@0, 1g.10gb@1");
	check_operation(&r, id, "\"kind\":\"recover\"");
	rig_fini(&r);
}

static void test_a_death_before_the_first_step_is_undone_without_a_worker(void **state)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };
	struct gm_mig_journal j;
	struct rig r;

	(void)state;
	rig_init(&r, "H100_SXM5_80GB", true, "1g.10gb@0");
	turns(&r, 2);
	assert_int_equal(apply(&r, SLICE("7g.80gb", 0), ",\"removeUnused\":true", &out, NULL), 0);
	assert_int_equal(gm_mig_journal_open(r.dir, &j, NULL, NULL), 0);
	assert_int_equal(gm_mig_journal_begin(&j, r.job, NULL), 0);
	/* As long as a worker of it lives, a new agent waits. */
	rig_restart(&r);
	turns(&r, 3);
	assert_false(gm_mig_manager_ready(r.m, NULL));
	check_describe(&r, "mig-lock is held by another process");
	assert_int_equal(apply(&r, "", "", NULL, NULL), GM_ERR_UNAVAILABLE);
	gm_mig_journal_close(&j);
	r.spawned = 0;
	turns(&r, 2);
	assert_int_equal(r.spawned, 0);
	assert_true(gm_mig_manager_ready(r.m, NULL));
	out.n = 0;
	gm_mig_manager_operations(r.m, &out);
	assert_non_null(strstr(out.p, "\"state\":\"undone\""));
	assert_non_null(strstr(out.p, "no step of it was begun"));
	check_layout(&r, "1g.10gb@0");
	rig_fini(&r);
}

static void test_a_switch_that_resets_waits_until_we_let_go(void **state)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };
	struct rig r;
	char id[GM_MIG_ID_SIZE];

	(void)state;
	rig_init(&r, "A100_SXM4_80GB", false, "");
	turns(&r, 2);
	assert_int_equal(apply_mode(&r, "on", SLICE("3g.40gb", 4), "", &out, NULL), 0);
	id_of(&out, id);
	check_operation(&r, id, "\"state\":\"waiting\"");
	check_operation(&r, id, "resets the board");
	assert_int_equal(r.holds, 1);
	turns(&r, 3);
	assert_int_equal(r.spawned, 0);
	r.quiet = true;
	turn(&r);
	work(&r, 0);
	assert_int_equal(r.releases, 1);
	check_operation(&r, id, "\"state\":\"succeeded\"");
	check_layout(&r, "3g.40gb@4");
	/* One that breaks off is ended without our readers too. */
	turns(&r, 4);
	assert_int_equal(apply_mode(&r, "off", "", ",\"removeUnused\":true", NULL, NULL), 0);
	turn(&r);
	work(&r, 2);
	assert_int_equal(r.releases, 2);
	r.quiet = false;
	turns(&r, 3);
	assert_int_equal(r.holds, 3);
	assert_int_equal(r.spawned, 0);
	r.quiet = true;
	turn(&r);
	work(&r, 0);
	assert_int_equal(r.releases, 3);
	assert_false(r.w->boards[0].on);
	rig_fini(&r);
}

static void test_readers_that_do_not_let_go_end_the_change(void **state)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };
	struct rig r;
	char id[GM_MIG_ID_SIZE];

	(void)state;
	rig_init(&r, "A100_SXM4_80GB", false, "");
	turns(&r, 2);
	assert_int_equal(apply_mode(&r, "on", "", "", &out, NULL), 0);
	id_of(&out, id);
	turns(&r, 70); /* seconds */
	check_operation(&r, id, "\"state\":\"undone\"");
	check_operation(&r, id, "did not let go");
	assert_int_equal(r.spawned, 0);
	assert_int_equal(r.releases, 1);
	assert_false(r.w->boards[0].on);
	rig_fini(&r);
}

static void test_no_worker_no_change(void **state)
{
	struct gm_err err = { 0 };
	struct rig r;

	(void)state;
	rig_init(&r, "H100_SXM5_80GB", true, "");
	turns(&r, 2);
	r.spawn_fails = true;
	assert_int_equal(apply(&r, SLICE("3g.40gb", 4), "", NULL, &err), GM_ERR_UNAVAILABLE);
	r.spawn_fails = false;
	assert_int_equal(apply(&r, SLICE("3g.40gb", 4), "", NULL, &err), 0);
	work(&r, 0);
	check_layout(&r, "3g.40gb@4");
	rig_fini(&r);
}

/* A process, as /proc tells of it; comm NULL: it is gone. */
static void process(struct rig *r, const char *comm)
{
	char folder[400], file[420];

	(void)snprintf(folder, sizeof(folder), "%s/proc", r->root);
	(void)mkdir(folder, 0700);
	(void)snprintf(folder, sizeof(folder), "%s/proc/4242", r->root);
	(void)mkdir(folder, 0700);
	(void)snprintf(file, sizeof(file), "%s/comm", folder);
	if (comm) {
		FILE *f = fopen(file, "we");

		assert_non_null(f);
		(void)fprintf(f, "%s\n", comm);
		(void)fclose(f);
		return;
	}
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(folder), 0);
	(void)snprintf(folder, sizeof(folder), "%s/proc", r->root);
	assert_int_equal(rmdir(folder), 0);
}

static void test_rivals_are_named(void **state)
{
	struct gm_err err = { 0 };
	struct rig r;

	(void)state;
	rig_init(&r, "H100_SXM5_80GB", true, "");
	process(&r, "nvidia-mig-mana");
	turns(&r, 2);
	assert_int_equal(apply(&r, SLICE("3g.40gb", 4), "", NULL, &err), GM_ERR_CONFLICT);
	assert_non_null(strstr(err.text, "NVIDIA's mig-manager (process 4242)"));
	check_describe(&r, "\"otherOwner\":\"NVIDIA's mig-manager (process 4242)\"");
	assert_int_equal(apply(&r, SLICE("3g.40gb", 4), ",\"takeOwnership\":true", NULL, NULL), 0);
	work(&r, 0);
	turns(&r, 4);
	process(&r, NULL);
	/* Looked at twice a minute. */
	turns(&r, 31);
	check_describe(&r, "\"otherOwner\":null");
	/* And whenever something is to be changed. */
	process(&r, "nvidia-mig-part");
	assert_int_equal(apply(&r, SLICE("3g.40gb", 0), ",\"removeUnused\":true", NULL, &err), GM_ERR_CONFLICT);
	assert_non_null(strstr(err.text, "nvidia-mig-parted (process 4242)"));
	process(&r, NULL);
	assert_int_equal(apply(&r, SLICE("3g.40gb", 0), ",\"removeUnused\":true", NULL, NULL), 0);
	work(&r, 0);
	turns(&r, 4);
	rig_fini(&r);
}

static void test_wanted_layouts_survive_on_disk(void **state)
{
	struct gm_mig_wanted *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));
	const struct gm_variant *v = gm_catalog_variant(GM_STR("H100_SXM5_80GB"));
	GM_AUTO(gm_buf_fini_p) struct gm_buf text = { 0 };
	struct gm_mig_state s;
	char *dir = make_dir();

	(void)state;
	assert_int_equal(gm_mig_wanted_load(dir, b, NULL), 0); /* none is none */
	state_of_text(v, true, "3g.40gb@4, 1g.10gb+me@0", &s);
	assert_true(gm_mig_wanted_set(a, "GPU-1", &s));
	state_of_text(v, false, "", &s);
	assert_true(gm_mig_wanted_set(a, "GPU-2", &s));
	a->boards[1].yielded = true;
	(void)gm_str_copy(GM_STR("1-2"), a->last, sizeof(a->last));
	assert_int_equal(gm_mig_wanted_save(dir, a, NULL), 0);
	assert_int_equal(gm_mig_wanted_load(dir, b, NULL), 0);
	assert_int_equal(b->count, 2);
	assert_string_equal(b->last, "1-2");
	assert_true(gm_mig_state_same(&a->boards[0].state, &b->boards[0].state));
	assert_true(!b->boards[0].yielded && b->boards[1].yielded);
	assert_string_equal(b->boards[0].state.slices[0].name, "1g.10gb+me");
	/* Any cut and any flipped bit is seen: it was written whole or not at all. */
	gm_mig_wanted_print(a, &text);
	for (size_t i = 0; i < text.n; i++) {
		assert_int_equal(gm_mig_wanted_parse(gm_str_n(text.p, i), b, NULL), GM_ERR_CORRUPT);
		assert_int_equal(b->count, 0);
		text.p[i] = (char)(text.p[i] ^ 4);
		assert_int_equal(gm_mig_wanted_parse(gm_buf_str(&text), b, NULL), GM_ERR_CORRUPT);
		text.p[i] = (char)(text.p[i] ^ 4);
	}
	gm_mig_wanted_drop(a, "GPU-1");
	assert_int_equal(a->count, 1);
	assert_null(gm_mig_wanted_find(a, "GPU-1"));
	free(a);
	free(b);
	drop_dir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_apply_is_carried_out_and_kept),
		cmocka_unit_test(test_requests_wait_until_the_last_change_is_read),
		cmocka_unit_test(test_dry_run_says_what_would_be_done_and_does_nothing),
		cmocka_unit_test(test_lost_layouts_are_made_again_before_ready),
		cmocka_unit_test(test_a_restore_that_fails_is_tried_again_later),
		cmocka_unit_test(test_a_board_that_refuses_does_not_keep_the_others_from_their_layouts),
		cmocka_unit_test(test_a_board_that_was_taken_out_is_not_waited_for),
		cmocka_unit_test(test_a_board_off_its_bus_is_waited_for_by_nobody_and_restored_when_it_is_back),
		cmocka_unit_test(test_a_mode_that_survives_all_but_a_switch_is_not_lost),
		cmocka_unit_test(test_what_the_driver_does_not_tell_is_no_change_by_others),
		cmocka_unit_test(test_the_end_that_a_worker_could_not_write_is_written_later),
		cmocka_unit_test(test_a_layout_that_is_no_longer_kept_is_not_remembered_by_the_journal),
		cmocka_unit_test(test_a_folder_has_one_agent),
		cmocka_unit_test(test_who_may_only_tell_touches_nothing),
		cmocka_unit_test(test_what_others_change_is_told_and_not_fought),
		cmocka_unit_test(test_a_worker_that_dies_is_followed_by_one_that_ends_it),
		cmocka_unit_test(test_a_death_before_the_first_step_is_undone_without_a_worker),
		cmocka_unit_test(test_a_switch_that_resets_waits_until_we_let_go),
		cmocka_unit_test(test_readers_that_do_not_let_go_end_the_change),
		cmocka_unit_test(test_no_worker_no_change),
		cmocka_unit_test(test_rivals_are_named),
		cmocka_unit_test(test_wanted_layouts_survive_on_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
