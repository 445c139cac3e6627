/* SPDX-License-Identifier: MIT */
#ifndef GM_TESTS_APP_AGENT_MIG_RIG_H
#define GM_TESTS_APP_AGENT_MIG_RIG_H

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

static inline void rig_start(struct rig *r)
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
static inline void rig_init(struct rig *r, const char *variant, bool on, const char *layout)
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
static inline void rig_fini(struct rig *r)
{
	gm_mig_manager_free(r->m);
	world_free(r->w);
	free(r->view);
	free(r->job);
	drop_dir(r->dir);
	drop_dir(r->root);
}
static inline void rig_restart(struct rig *r)
{
	gm_mig_manager_free(r->m);
	free(r->view);
	r->view = calloc(1, sizeof(*r->view));
	*r->job = (struct gm_mig_job){ 0 };
	rig_start(r);
}

/* A round: a reading of the world, then the manager's turn. */
static inline void turn(struct rig *r)
{
	gm_manual_clock_advance(&r->clock, 1000);
	world_view(r->w, r->view);
	r->view->round++;
	gm_mig_manager_tick(r->m, r->view, &r->holders);
}
static inline void turns(struct rig *r, unsigned n)
{
	while (n-- > 0)
		turn(r);
}

static inline void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes ? bytes : limit.rlim_max;
	(void)signal(SIGXFSZ, bytes ? SIG_IGN : SIG_DFL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static inline int destroy_then_full(void *ctx, const char *uuid, int gi, struct gm_err *err)
{
	char path[300];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/mig-journal", rig->dir);
	assert_int_equal(stat(path, &st), 0);
	limit_files((rlim_t)st.st_size + 10);
	return world_destroy(ctx, uuid, gi, err);
}

/* What the worker does, with nobody told of its end. */
static inline void carry(struct rig *r)
{
	struct gm_mig_driver driver = world_driver(r->w);
	struct gm_mig_past *past = calloc(1, sizeof(*past));
	struct gm_mig_journal j;

	assert_non_null(past);
	r->spawned = 0;
	if (r->disk_fills)
		driver.destroy = destroy_then_full;
	assert_int_equal(gm_mig_journal_open(r->dir, &j, past, NULL), 0);
	gm_mig_carry_out(&driver, &j, past, r->job);
	gm_mig_journal_close(&j);
	limit_files(0);
	r->disk_fills = false;
	free(past);
}

/* What the keeper's child does, here. `crash`: it only begins, then is gone. */
static inline void work(struct rig *r, unsigned kill_before)
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
		carry(r);
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
static inline void *ask_thread(void *ctx)
{
	struct asking *a = ctx;

	a->rc = gm_mig_manager_apply(a->r->m, gm_str(a->body), &a->out, &a->err);
	atomic_store(&a->over, true);
	return NULL;
}
static inline int apply_mode(struct rig *r, const char *mode, const char *layout, const char *more, struct gm_buf *out,
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
static inline int apply(struct rig *r, const char *layout, const char *more, struct gm_buf *out, struct gm_err *err)
{
	return apply_mode(r, "as-is", layout, more, out, err);
}
#define SLICE(profile, start) "{\"profile\":\"" profile "\",\"placement\":" #start "}"

static inline void id_of(const struct gm_buf *text, char out[static GM_MIG_ID_SIZE])
{
	const char *p = strstr(text->p, "\"id\":\"");

	assert_non_null(p);
	p += 6;
	assert_true(gm_str_copy(gm_str_n(p, strcspn(p, "\"")), out, GM_MIG_ID_SIZE));
}

static inline void check_operation(struct rig *r, const char *id, const char *says)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf text = { 0 };
	struct gm_err err = { 0 };

	assert_int_equal(gm_mig_manager_operation(r->m, gm_str(id), &text, &err), 0);
	if (!strstr(gm_buf_cstr(&text), says))
		fail_msg("%s lacks %s", gm_buf_cstr(&text), says);
}
static inline void check_describe(struct rig *r, const char *says)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf text = { 0 };

	gm_mig_manager_describe(r->m, &text);
	if (!strstr(gm_buf_cstr(&text), says))
		fail_msg("%s lacks %s", gm_buf_cstr(&text), says);
}
static inline void check_layout(struct rig *r, const char *text)
{
	struct gm_mig_state want, now = world_state(&r->w->boards[0]);

	state_of_text(r->w->boards[0].variant, true, text, &want);
	assert_true(gm_mig_state_same(&now, &want));
}

static inline void lose_all(struct rig *r)
{
	for (unsigned i = 0; i < r->w->count; i++)
		memset(r->w->boards[i].gi, 0, sizeof(r->w->boards[i].gi));
}

static inline void want_on_all(struct rig *r, const char *layout)
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

#endif
