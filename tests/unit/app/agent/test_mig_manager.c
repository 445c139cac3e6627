/* SPDX-License-Identifier: MIT */
#include "mig-rig.h"

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
	struct gm_mig_wanted_seen seen = { 0 };
	struct gm_err err = { 0 };
	struct rig r;

	(void)state;
	rig_init(&r, "H100_SXM5_80GB", true, "");
	turns(&r, 2);
	assert_int_equal(apply(&r, SLICE("3g.40gb", 4), "", NULL, NULL), 0);
	work(&r, 0);
	turns(&r, 4);
	assert_true(gm_mig_manager_wanted_seen(r.m, 0, &seen) && !seen.differs);
	assert_false(gm_mig_manager_wanted_seen(r.m, 1, &seen));
	/* All of it removed, while we looked. */
	world_lay_text(r.w, &r.w->boards[0], "");
	turns(&r, 6);
	assert_int_equal(r.spawned, 0);
	assert_true(gm_mig_manager_ready(r.m, NULL));
	check_describe(&r, "\"differs\":true,\"changedByOthers\":true");
	assert_true(gm_mig_manager_wanted_seen(r.m, 0, &seen) && seen.differs);
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

/* The worker outlives its agent, or dies with its work done: the next look at the journal says what became of the change. */
static void test_a_change_that_ended_unheard_is_told_by_its_id(void **state)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };
	const struct gm_keeper_end end = { .role = GM_KEEPER_MIG_WORKER, .pid = 1, .status = 9 };
	struct rig r;
	char id[GM_MIG_ID_SIZE];

	(void)state;
	rig_init(&r, "H100_SXM5_80GB", true, "");
	turns(&r, 2);
	assert_int_equal(apply(&r, SLICE("7g.80gb", 0), "", &out, NULL), 0);
	id_of(&out, id);
	carry(&r);
	rig_restart(&r);
	turns(&r, 2);
	check_operation(&r, id, "\"state\":\"succeeded\",\"done\":true");
	check_operation(&r, id, "of a former agent");
	check_describe(&r, "\"layout\":[{\"profile\":\"7g.80gb\"");
	/* And the agent is there, but the worker was killed before it could say so. */
	out.n = 0;
	assert_int_equal(apply(&r, "", ",\"removeUnused\":true", &out, NULL), 0);
	id_of(&out, id);
	carry(&r);
	atomic_store(&r.job->outcome, GM_MIG_OUTCOME_NONE);
	gm_mig_manager_worker_ended(r.m, &end);
	turns(&r, 6);
	check_operation(&r, id, "\"state\":\"succeeded\",\"done\":true");
	assert_int_equal(apply(&r, SLICE("3g.40gb", 0), "", NULL, NULL), 0);
	work(&r, 0);
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
	assert_true(gm_str_is(gm_mig_manager_other_owner(r.m), "NVIDIA's mig-manager"));
	assert_int_equal(apply(&r, SLICE("3g.40gb", 4), ",\"takeOwnership\":true", NULL, NULL), 0);
	work(&r, 0);
	turns(&r, 4);
	process(&r, NULL);
	/* Looked at twice a minute. */
	turns(&r, 31);
	check_describe(&r, "\"otherOwner\":null");
	assert_int_equal(gm_mig_manager_other_owner(r.m).n, 0);
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
		cmocka_unit_test(test_the_end_that_a_worker_could_not_write_is_written_later),
		cmocka_unit_test(test_a_layout_that_is_no_longer_kept_is_not_remembered_by_the_journal),
		cmocka_unit_test(test_a_folder_has_one_agent),
		cmocka_unit_test(test_who_may_only_tell_touches_nothing),
		cmocka_unit_test(test_what_others_change_is_told_and_not_fought),
		cmocka_unit_test(test_a_worker_that_dies_is_followed_by_one_that_ends_it),
		cmocka_unit_test(test_a_change_that_ended_unheard_is_told_by_its_id),
		cmocka_unit_test(test_a_death_before_the_first_step_is_undone_without_a_worker),
		cmocka_unit_test(test_a_switch_that_resets_waits_until_we_let_go),
		cmocka_unit_test(test_readers_that_do_not_let_go_end_the_change),
		cmocka_unit_test(test_no_worker_no_change),
		cmocka_unit_test(test_rivals_are_named),
		cmocka_unit_test(test_wanted_layouts_survive_on_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
