/* SPDX-License-Identifier: MIT */
#include "mig-world.h"

#include <fcntl.h>

/* One worker's life in a process of its own: true when it came to its end, false when it was killed. */
static bool run_worker(struct world *w, const char *dir, struct gm_mig_job *job)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct gm_mig_driver driver = world_driver(w);
		struct gm_mig_past *past = calloc(1, sizeof(*past));
		struct gm_mig_journal j;

		if (!past || gm_mig_journal_open(dir, &j, past, NULL))
			_exit(3);
		gm_mig_carry_out(&driver, &j, past, job);
		gm_mig_journal_close(&j);
		free(past);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
	return !WIFSIGNALED(status);
}

static struct gm_mig_job *job_new(void)
{
	struct gm_mig_job *job = mmap(NULL, sizeof(*job), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(job, MAP_FAILED);
	return job;
}

static void job_reset(struct gm_mig_job *job, enum gm_mig_kind kind)
{
	job->kind = kind;
	job->direction = GM_MIG_FORWARD;
	job->code = 0;
	job->text[0] = '\0';
	atomic_store(&job->outcome, GM_MIG_OUTCOME_NONE);
	atomic_store(&job->step, 0);
	atomic_store(&job->steps, 0);
	atomic_store(&job->going_back, 0);
	(void)gm_str_copy(GM_STR("1-1"), job->id, sizeof(job->id));
}

static void job_board(struct gm_mig_job *job, const struct world_board *b, const struct gm_mig_state *wanted)
{
	struct gm_mig_change *c = &job->changes[job->count++];

	*c = (struct gm_mig_change){ .on_now = b->on, .before = world_state(b), .wanted = *wanted };
	memcpy(c->uuid, b->uuid, sizeof(c->uuid));
}

/* As the next agent does it: looks, decides, and lets a worker end it. */
static enum gm_mig_outcome next_start(struct world *w, const char *dir, struct gm_mig_job *job)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf why = { 0 };
	struct gm_agent_view *view = calloc(1, sizeof(*view));
	struct gm_mig_past *past = calloc(1, sizeof(*past));
	enum gm_mig_outcome outcome = GM_MIG_OUTCOME_NONE;
	enum gm_mig_decision d;
	struct gm_mig_journal j;

	world_view(w, view);
	assert_int_equal(gm_mig_journal_open(dir, &j, past, NULL), 0);
	d = gm_mig_decide(past, view, NULL, &why);
	switch (d) {
	case GM_MIG_DECIDE_NOTHING:
		outcome = past->going ? past->outcome : GM_MIG_OUTCOME_OLD;
		break;
	case GM_MIG_DECIDE_FORGET:
		assert_int_equal(gm_mig_journal_end(&j, GM_MIG_OUTCOME_OLD, "nothing begun", NULL), 0);
		outcome = GM_MIG_OUTCOME_OLD;
		break;
	case GM_MIG_DECIDE_FINISH:
	case GM_MIG_DECIDE_UNDO:
		gm_mig_journal_close(&j);
		job_reset(job, GM_MIG_RECOVER);
		job->direction = d == GM_MIG_DECIDE_FINISH ? GM_MIG_FORWARD : GM_MIG_BACKWARD;
		job->count = past->count;
		memcpy(job->changes, past->changes, sizeof(job->changes));
		for (uint32_t i = 0; i < job->count; i++)
			job->changes[i].on_now = world_find(w, job->changes[i].uuid)->on;
		if (run_worker(w, dir, job))
			outcome = (enum gm_mig_outcome)atomic_load(&job->outcome);
		break;
	case GM_MIG_DECIDE_WAIT:
	case GM_MIG_DECIDE_GIVE_UP:
		fail_msg("undecided: %s", gm_buf_cstr(&why));
	}
	gm_mig_journal_close(&j);
	free(past);
	free(view);
	return outcome;
}

static bool all_are(const struct world *w, const struct gm_mig_state *states)
{
	for (unsigned i = 0; i < w->count; i++) {
		struct gm_mig_state now = world_state(&w->boards[i]);

		for (unsigned k = 0; k < 16; k++)
			assert_true(!w->boards[i].gi[k].there || w->boards[i].gi[k].compute_count == 1);
		if (!gm_mig_state_same(&now, &states[i]))
			return false;
	}
	return true;
}

/* Serials of what both states have: untouched instances keep them. */
static void check_kept(const struct world_board *was, const struct world_board *is, const struct gm_mig_state *wanted)
{
	for (unsigned k = 0; k < 16; k++) {
		const struct gm_mig_profile *p = &was->variant->mig->profiles[was->gi[k].slot.profile];
		struct gm_mig_slice slice = { (int16_t)p->profile_id, was->gi[k].slot.start, (uint8_t)p->size, "" };

		if (was->gi[k].there && was->gi[k].compute_count && gm_mig_state_has(wanted, &slice))
			assert_int_equal(is->gi[k].serial, was->gi[k].serial);
	}
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

/* Without a process of its own: the carrying alone, many times. */
static void apply_here(struct world *w, struct gm_mig_journal *j, struct gm_mig_job *job)
{
	struct gm_mig_driver driver = world_driver(w);
	static struct gm_mig_past past;

	past = (struct gm_mig_past){ 0 };
	gm_mig_carry_out(&driver, j, &past, job);
}

static void test_every_layout_is_reached_from_empty_and_from_the_one_before(void **state)
{
	static const char *const variants[] = { "A30", "A100_SXM4_80GB", "H100_SXM5_80GB",
						"RTX_PRO_6000_BLACKWELL_SE" };
	static struct layouts all;
	char *dir = make_dir();
	struct gm_mig_job *job = job_new();
	struct gm_mig_journal j;
	size_t step = getenv("GM_LONG") ? 1 : 7;

	(void)state;
	assert_int_equal(gm_mig_journal_open(dir, &j, NULL, NULL), 0);
	for (size_t v = 0; v < GM_LEN(variants); v++) {
		struct world *w = world_new();
		struct world_board *b = world_add(w, variants[v], true);

		all.count = 0;
		gm_mig_layouts(b->variant->mig, ~UINT64_C(0), keep_layout, &all);
		for (size_t i = 0; i < all.count; i += all.count < 200 ? 1 : step) {
			struct world_board target = { .variant = b->variant, .on = true };
			struct world scratch = { 0 };
			struct gm_mig_state wanted, nothing = { .on = true };

			world_lay(&scratch, &target, &all.items[i]);
			wanted = world_state(&target);
			/* From the one before, then to nothing, then from nothing. */
			for (int k = 0; k < 3; k++) {
				struct world_board was = *b;
				const struct gm_mig_state *to = k == 1 ? &nothing : &wanted;

				job_reset(job, GM_MIG_APPLY);
				job->count = 0;
				job_board(job, b, to);
				apply_here(w, &j, job);
				if (atomic_load(&job->outcome) != GM_MIG_OUTCOME_NEW)
					fail_msg("%s", job->text);
				assert_true(all_are(w, to));
				check_kept(&was, b, to);
				assert_int_equal(atomic_load(&job->step), atomic_load(&job->steps));
			}
		}
		world_free(w);
	}
	gm_mig_journal_close(&j);
	(void)munmap(job, sizeof(*job));
	drop_dir(dir);
}

static uint32_t next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33);
}

struct trial {
	struct world *w;
	struct world begin;
	struct gm_mig_state old[WORLD_BOARDS], wanted[WORLD_BOARDS];
	struct gm_mig_job *job;
	const char *dir;
};

static void trial_random(struct trial *t, uint64_t *seed, struct layouts *all)
{
	static const char *const variants[] = { "A30", "H100_SXM5_80GB", "A100_SXM4_80GB" };

	*t->w = (struct world){ 0 };
	for (unsigned i = 0; i < 2; i++) {
		struct world_board *b =
			world_add(t->w, variants[next_random(seed) % GM_LEN(variants)], next_random(seed) % 4 > 0);
		struct world_board target = { .variant = b->variant, .on = next_random(seed) % 4 > 0 };
		struct world scratch = { 0 };

		all->count = 0;
		gm_mig_layouts(b->variant->mig, ~UINT64_C(0), keep_layout, all);
		if (b->on)
			world_lay(t->w, b, &all->items[next_random(seed) % all->count]);
		if (target.on)
			world_lay(&scratch, &target, &all->items[next_random(seed) % all->count]);
		t->old[i] = world_state(b);
		t->wanted[i] = world_state(&target);
	}
	t->begin = *t->w;
}

/* Runs it anew from the beginning with a kill somewhere; true when the kill happened. */
static bool trial_run(struct trial *t, unsigned kill_before, unsigned kill_half, unsigned kill_after)
{
	char path[300];

	(void)snprintf(path, sizeof(path), "%s/mig-journal", t->dir);
	(void)unlink(path);
	*t->w = t->begin;
	t->w->kill_before = kill_before;
	t->w->kill_half = kill_half;
	t->w->kill_after = kill_after;
	job_reset(t->job, GM_MIG_APPLY);
	t->job->count = 0;
	for (unsigned i = 0; i < t->w->count; i++)
		job_board(t->job, &t->w->boards[i], &t->wanted[i]);
	return !run_worker(t->w, t->dir, t->job);
}

/* Cuts the end of the journal off: the power went while the last record was written. */
static void tear_journal(const char *dir, unsigned bytes)
{
	char path[300];
	off_t n;

	(void)snprintf(path, sizeof(path), "%s/mig-journal", dir);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	n = lseek(fd, 0, SEEK_END);
	assert_int_equal(ftruncate(fd, n > (off_t)bytes ? n - (off_t)bytes : 0), 0);
	(void)close(fd);
}

static void check_end(struct trial *t)
{
	enum gm_mig_outcome outcome = next_start(t->w, t->dir, t->job);

	assert_true(outcome == GM_MIG_OUTCOME_NEW || outcome == GM_MIG_OUTCOME_OLD);
	assert_true(all_are(t->w, outcome == GM_MIG_OUTCOME_NEW ? t->wanted : t->old));
	/* And it is over: another start finds nothing to do. */
	assert_int_equal(next_start(t->w, t->dir, t->job), outcome);
}

static void test_kill_at_every_step_ends_with_the_old_or_the_new(void **state)
{
	static struct layouts all;
	unsigned changes = getenv("GM_LONG") ? 100 : 10, kills = 0;
	struct trial t = { .w = world_new(), .job = job_new() };
	uint64_t seed = 2026;
	char *dir = make_dir();

	(void)state;
	t.dir = dir;
	for (unsigned c = 0; c < changes; c++) {
		unsigned n = 1;

		trial_random(&t, &seed, &all);
		for (; trial_run(&t, n, 0, 0); n++) {
			/* The step is announced and not done, or not even announced whole. */
			if (n % 3 == 0)
				tear_journal(dir, 1 + next_random(&seed) % 20);
			t.w->kill_before = 0;
			check_end(&t);
			kills++;
			if (trial_run(&t, 0, 0, n)) { /* done, and not noted */
				t.w->kill_after = 0;
				check_end(&t);
				kills++;
			}
			if (trial_run(&t, 0, n, 0)) { /* a GPU instance without its compute instance */
				t.w->kill_half = 0;
				check_end(&t);
				kills++;
			}
		}
		/* And once without. */
		assert_int_equal(atomic_load(&t.job->outcome), GM_MIG_OUTCOME_NEW);
		assert_true(all_are(t.w, t.wanted));
		for (unsigned i = 0; i < t.w->count; i++)
			check_kept(&t.begin.boards[i], &t.w->boards[i], &t.wanted[i]);
	}
	assert_true(kills > changes * 3);
	world_free(t.w);
	(void)munmap(t.job, sizeof(*t.job));
	drop_dir(dir);
}

static void test_reboot_in_the_middle_is_ended_too(void **state)
{
	static struct layouts all;
	struct trial t = { .w = world_new(), .job = job_new() };
	uint64_t seed = 7;
	char *dir = make_dir();

	(void)state;
	t.dir = dir;
	for (unsigned c = 0; c < 5; c++) {
		trial_random(&t, &seed, &all);
		for (unsigned n = 1; trial_run(&t, n, 0, 0); n++) {
			enum gm_mig_outcome outcome;

			for (unsigned i = 0; i < t.w->count; i++) {
				/* Instances are gone; the mode too, where it lives with the modules. */
				memset(t.w->boards[i].gi, 0, sizeof(t.w->boards[i].gi));
				t.w->boards[i].on &= !t.w->boards[i].resetless;
			}
			t.w->kill_before = 0;
			outcome = next_start(t.w, dir, t.job);
			assert_true(outcome == GM_MIG_OUTCOME_NEW);
			assert_true(all_are(t.w, t.wanted));
		}
	}
	world_free(t.w);
	(void)munmap(t.job, sizeof(*t.job));
	drop_dir(dir);
}

static void test_kill_during_recovery_is_recovered_from(void **state)
{
	static struct layouts all;
	struct trial t = { .w = world_new(), .job = job_new() };
	uint64_t seed = 99;
	char *dir = make_dir();

	(void)state;
	t.dir = dir;
	for (unsigned c = 0; c < 5; c++) {
		trial_random(&t, &seed, &all);
		for (unsigned n = 1; trial_run(&t, n, 0, 0); n++) {
			/* Each further start gets one call on. */
			for (unsigned k = 0;; k++) {
				enum gm_mig_outcome outcome;

				assert_true(k < 60);
				t.w->kill_before = 0;
				t.w->kill_after = t.w->calls + 1;
				outcome = next_start(t.w, dir, t.job);
				if (outcome == GM_MIG_OUTCOME_NONE)
					continue;
				assert_true(all_are(t.w, outcome == GM_MIG_OUTCOME_NEW ? t.wanted : t.old));
				break;
			}
		}
	}
	world_free(t.w);
	(void)munmap(t.job, sizeof(*t.job));
	drop_dir(dir);
}

static void test_a_refused_step_is_undone(void **state)
{
	static struct layouts all;
	struct trial t = { .w = world_new(), .job = job_new() };
	uint64_t seed = 5;
	char *dir = make_dir();
	unsigned refused = 0;

	(void)state;
	t.dir = dir;
	for (unsigned c = 0; c < 20; c++) {
		trial_random(&t, &seed, &all);
		for (unsigned n = 1; n < 60; n++) {
			t.begin.fail_at = n;
			t.begin.fail_count = 1;
			assert_false(trial_run(&t, 0, 0, 0));
			if (t.w->calls < n)
				break;
			refused++;
			assert_int_equal(atomic_load(&t.job->outcome), GM_MIG_OUTCOME_OLD);
			assert_true(t.job->code != 0 && t.job->text[0] != '\0');
			assert_true(all_are(t.w, t.old));
			assert_int_equal(next_start(t.w, dir, t.job), GM_MIG_OUTCOME_OLD);
		}
	}
	assert_true(refused > 50);
	world_free(t.w);
	(void)munmap(t.job, sizeof(*t.job));
	drop_dir(dir);
}

static void test_a_driver_that_refuses_all_is_told_as_stuck(void **state)
{
	struct trial t = { .w = world_new(), .job = job_new() };
	struct world_board *b;
	char *dir = make_dir();

	(void)state;
	t.dir = dir;
	b = world_add(t.w, "H100_SXM5_80GB", true);
	world_lay_text(t.w, b, "1g.10gb@0, 1g.10gb@1");
	t.old[0] = world_state(b);
	state_of_text(b->variant, true, "7g.80gb", &t.wanted[0]);
	t.begin = *t.w;
	t.begin.fail_at = 2;
	t.begin.fail_count = 100;
	assert_false(trial_run(&t, 0, 0, 0));
	assert_int_equal(atomic_load(&t.job->outcome), GM_MIG_OUTCOME_STUCK);
	assert_non_null(strstr(t.job->text, "destroy 1g.10gb@1"));
	assert_non_null(strstr(t.job->text, "and back: create 1g.10gb@0"));
	assert_int_equal(next_start(t.w, dir, t.job), GM_MIG_OUTCOME_STUCK);
	world_free(t.w);
	(void)munmap(t.job, sizeof(*t.job));
	drop_dir(dir);
}

/* The third board refuses; by then the first one does not take its old instances back either. */
static int create_until_the_third(void *ctx, const char *uuid, const struct gm_mig_slice *slice, struct gm_err *err)
{
	struct world *w = ctx;

	if (strcmp(uuid, w->boards[2].uuid) == 0)
		w->boards[0].broken = w->boards[2].broken = true;
	return world_create(ctx, uuid, slice, err);
}

static void test_a_board_that_cannot_be_brought_back_does_not_keep_the_others(void **state)
{
	struct world *w = world_new();
	struct gm_mig_job *job = job_new();
	struct gm_mig_past *past = calloc(1, sizeof(*past));
	char *dir = make_dir();
	struct gm_mig_driver driver = world_driver(w);
	struct gm_mig_state wanted, before, now;
	struct gm_mig_journal j;

	(void)state;
	assert_non_null(past);
	driver.create = create_until_the_third;
	job_reset(job, GM_MIG_APPLY);
	for (unsigned i = 0; i < 3; i++) {
		struct world_board *b = world_add(w, "H100_SXM5_80GB", true);

		world_lay_text(w, b, i < 2 ? "1g.10gb@0" : "");
		state_of_text(b->variant, true, "7g.80gb@0", &wanted);
		job_board(job, b, &wanted);
	}
	before = job->changes[1].before;
	assert_int_equal(gm_mig_journal_open(dir, &j, past, NULL), 0);
	gm_mig_carry_out(&driver, &j, past, job);
	gm_mig_journal_close(&j);
	assert_int_equal(job->outcome, GM_MIG_OUTCOME_STUCK);
	assert_non_null(strstr(job->text, w->boards[0].uuid));
	now = world_state(&w->boards[1]);
	assert_true(gm_mig_state_same(&now, &before));
	assert_int_equal(world_layout(&w->boards[2]).count, 0);
	free(past);
	world_free(w);
	(void)munmap(job, sizeof(*job));
	drop_dir(dir);
}

static void test_what_is_of_somebody_else_stops_all_before_it_begins(void **state)
{
	struct trial t = { .w = world_new(), .job = job_new() };
	struct world_board *b;
	char *dir = make_dir();

	(void)state;
	t.dir = dir;
	b = world_add(t.w, "H100_SXM5_80GB", true);
	world_lay_text(t.w, b, "1g.10gb@0");
	t.begin = *t.w;
	state_of_text(b->variant, true, "3g.40gb@4", &t.wanted[0]);
	job_reset(t.job, GM_MIG_APPLY);
	job_board(t.job, b, &t.wanted[0]);
	/* Made since the plan: in use by nobody knows whom. */
	world_lay_text(t.w, b, "1g.10gb@0, 2g.20gb@2");
	assert_true(run_worker(t.w, dir, t.job));
	assert_int_equal(atomic_load(&t.job->outcome), GM_MIG_OUTCOME_OLD);
	assert_int_equal(t.job->code, GM_ERR_CONFLICT);
	assert_non_null(strstr(t.job->text, "somebody else"));
	assert_int_equal(t.w->calls, 0);
	world_free(t.w);
	(void)munmap(t.job, sizeof(*t.job));
	drop_dir(dir);
}

static void test_empty_gpu_instances_go_only_when_unused_may(void **state)
{
	static const struct {
		const char *empty;
		bool remove_unused;
		int outcome;
	} rows[] = {
		{ "2g.20gb@4", false, GM_MIG_OUTCOME_OLD }, /* in the way of 3g.40gb@4 */
		{ "2g.20gb@4", true, GM_MIG_OUTCOME_NEW },
		{ "1g.10gb@1", false, GM_MIG_OUTCOME_NEW }, /* in nobody's way: left alone */
	};

	(void)state;
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		struct trial t = { .w = world_new(), .job = job_new() };
		struct world_board *b = world_add(t.w, "H100_SXM5_80GB", true);
		char *dir = make_dir();
		unsigned empties = 0;

		t.dir = dir;
		state_of_text(b->variant, true, "3g.40gb@4", &t.wanted[0]);
		job_reset(t.job, GM_MIG_APPLY);
		t.job->remove_unused = rows[i].remove_unused;
		job_board(t.job, b, &t.wanted[0]);
		world_lay_text(t.w, b, rows[i].empty);
		for (unsigned k = 0; k < 16; k++)
			b->gi[k].compute_count = 0;
		assert_true(run_worker(t.w, dir, t.job));
		assert_int_equal(atomic_load(&t.job->outcome), rows[i].outcome);
		for (unsigned k = 0; k < 16; k++)
			empties += b->gi[k].there && b->gi[k].compute_count == 0;
		assert_int_equal(empties, rows[i].remove_unused ? 0 : 1);
		world_free(t.w);
		(void)munmap(t.job, sizeof(*t.job));
		drop_dir(dir);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_layout_is_reached_from_empty_and_from_the_one_before),
		cmocka_unit_test(test_kill_at_every_step_ends_with_the_old_or_the_new),
		cmocka_unit_test(test_reboot_in_the_middle_is_ended_too),
		cmocka_unit_test(test_kill_during_recovery_is_recovered_from),
		cmocka_unit_test(test_a_refused_step_is_undone),
		cmocka_unit_test(test_a_driver_that_refuses_all_is_told_as_stuck),
		cmocka_unit_test(test_a_board_that_cannot_be_brought_back_does_not_keep_the_others),
		cmocka_unit_test(test_what_is_of_somebody_else_stops_all_before_it_begins),
		cmocka_unit_test(test_empty_gpu_instances_go_only_when_unused_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
