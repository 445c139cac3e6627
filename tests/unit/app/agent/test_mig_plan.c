/* SPDX-License-Identifier: MIT */
#include "mig-world.h"

struct fixture {
	struct world *w;
	struct gm_agent_view *view;
	struct gm_mig_request *req;
	struct gm_mig_plan *plan;
	struct gm_holder holders[8];
	struct gm_holders all;
	struct gm_mig_owners owners;
	struct gm_err err;
};

static void fixture_init(struct fixture *f, const char *variant, bool on, const char *layout)
{
	*f = (struct fixture){ .w = world_new(),
			       .view = calloc(1, sizeof(*f->view)),
			       .req = calloc(1, sizeof(*f->req)),
			       .plan = calloc(1, sizeof(*f->plan)) };
	f->all.items = f->holders;
	world_lay_text(f->w, world_add(f->w, variant, on), layout);
	world_view(f->w, f->view);
}
static void fixture_fini(struct fixture *f)
{
	world_free(f->w);
	free(f->view);
	free(f->req);
	free(f->plan);
}

/* A request for the first board: "3g.40gb@4, 1g.10gb" with a place or without. */
static struct gm_mig_board_request *ask(struct fixture *f, const char *layout)
{
	struct gm_mig_board_request *b = &f->req->boards[0];
	struct gm_str rest = gm_str(layout), item;

	*b = (struct gm_mig_board_request){ 0 };
	f->req->count = 1;
	memcpy(b->uuid, f->w->boards[0].uuid, sizeof(b->uuid));
	gm_mig_board_hash(&f->view->boards[0].reading, b->state_hash);
	while (gm_str_split(&rest, ',', &item)) {
		struct gm_mig_wish *wish = &b->wishes[b->count++];
		struct gm_str name;

		item = gm_str_trim(item);
		assert_true(gm_str_split(&item, '@', &name));
		assert_true(gm_str_copy(name, wish->profile, sizeof(wish->profile)));
		wish->start = item.n ? item.p[0] - '0' : -1;
	}
	return b;
}

static int plan(struct fixture *f)
{
	f->err = (struct gm_err){ 0 };
	return gm_mig_plan_make(f->req, f->view, &f->all, &f->owners, f->plan, &f->err);
}

static void refused(struct fixture *f, int code, const char *says)
{
	assert_int_equal(plan(f), code);
	assert_int_equal(f->err.code, code);
	if (!strstr(f->err.text, says))
		fail_msg("'%s' lacks '%s'", f->err.text, says);
}

static void hold(struct fixture *f, unsigned start, const struct gm_holder *h)
{
	const struct gm_reading *r = &f->view->boards[0].reading;
	struct gm_holder *to = &f->holders[f->all.count++];

	*to = *h;
	to->gi = to->ci = -1;
	for (uint32_t i = 0; i < r->instance_count; i++) {
		if (r->instances[i].start == (int)start)
			to->gi = r->instances[i].gi;
	}
	to->ci = to->gi < 0 ? -1 : 0;
}
static const struct gm_holder a_pod = { .kind = GM_HOLDER_POD, .namespace_ = "ml", .pod = "train-0" };
static const struct gm_holder a_process = { .kind = GM_HOLDER_PROCESS, .pid = 4711, .process = "python3" };

static void test_plan_cases(void **state)
{
	static const struct {
		const char *variant;
		bool on;
		const char *have, *want;
		enum gm_mig_mode_wish mode;
		bool remove_unused;
		int code;
		const char *says;
		unsigned creates, destroys, switches;
	} rows[] = {
		{ "H100_SXM5_80GB", true, "", "", 0, 0, 0, "", 0, 0, 0 },
		{ "H100_SXM5_80GB", true, "", "3g.40gb@4", 0, 0, 0, "", 1, 0, 0 },
		{ "H100_SXM5_80GB", true, "3g.40gb@4", "3g.40gb@4, 1g.10gb@0", 0, 0, 0, "", 1, 0, 0 },
		{ "H100_SXM5_80GB", true, "3g.40gb@4", "3g.40gb, 1g.10gb", 0, 0, 0, "", 1, 0, 0 },
		{ "H100_SXM5_80GB", true, "3g.40gb@0", "3g.40gb@4", 0, 1, 0, "", 1, 1, 0 },
		{ "H100_SXM5_80GB", true, "3g.40gb@0", "3g.40gb@4", 0, 0, GM_ERR_CONFLICT, "3g.40gb@0 would be removed",
		  0, 0, 0 },
		/* What is there without a place of its own in the wish moves only when there is no other way. */
		{ "H100_SXM5_80GB", true, "1g.10gb@0", "4g.40gb, 1g.10gb", 0, 1, 0, "", 2, 1, 0 },
		{ "H100_SXM5_80GB", true, "1g.10gb@0", "4g.40gb, 1g.10gb", 0, 0, GM_ERR_CONFLICT,
		  "1g.10gb@0 would be removed", 0, 0, 0 },
		{ "H100_SXM5_80GB", true, "1g.10gb@0, 2g.20gb@2", "7g.80gb", 0, 0, GM_ERR_CONFLICT,
		  "1g.10gb@0, 2g.20gb@2 would", 0, 0, 0 },
		{ "H100_SXM5_80GB", false, "", "3g.40gb@4", 0, 0, GM_ERR_INVALID, "mode is off", 0, 0, 0 },
		{ "H100_SXM5_80GB", false, "", "3g.40gb@4", GM_MIG_MODE_WISH_ON, 0, 0, "", 1, 0, 1 },
		{ "H100_SXM5_80GB", true, "", "", GM_MIG_MODE_WISH_OFF, 0, 0, "", 0, 0, 1 },
		{ "H100_SXM5_80GB", true, "3g.40gb@4", "", GM_MIG_MODE_WISH_OFF, 1, 0, "", 0, 1, 1 },
		{ "H100_SXM5_80GB", true, "3g.40gb@4", "", GM_MIG_MODE_WISH_OFF, 0, GM_ERR_CONFLICT, "removeUnused", 0,
		  0, 0 },
		{ "H100_SXM5_80GB", true, "", "3g.40gb@4", GM_MIG_MODE_WISH_OFF, 0, GM_ERR_INVALID, "mode is off", 0, 0,
		  0 },
		{ "H100_SXM5_80GB", true, "", "3g.40gb@4, 2g.20gb@4", 0, 0, GM_ERR_INVALID, "2g.20gb@4", 0, 0, 0 },
		{ "H100_SXM5_80GB", true, "", "7g.80gb, 1g.10gb", 0, 0, GM_ERR_INVALID, "do not fit", 0, 0, 0 },
		{ "H100_SXM5_80GB", true, "", "3g.40gb@2", 0, 0, GM_ERR_NOT_FOUND, "no such placement", 0, 0, 0 },
		{ "H100_SXM5_80GB", true, "", "1g.5gb", 0, 0, GM_ERR_NOT_FOUND, "no profile '1g.5gb'", 0, 0, 0 },
		{ "A100_SXM4_80GB", false, "", "1g.10gb, 1g.10gb+me", GM_MIG_MODE_WISH_ON, 0, 0, "", 2, 0, 1 },
		{ "A30", true, "1g.6gb@0", "1g.6gb, 1g.6gb, 2g.12gb", 0, 0, 0, "", 2, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		struct fixture f;

		fixture_init(&f, rows[i].variant, rows[i].on, rows[i].have);
		ask(&f, rows[i].want)->mode = rows[i].mode;
		f.req->remove_unused = rows[i].remove_unused;
		if (rows[i].code) {
			refused(&f, rows[i].code, rows[i].says);
		} else if (plan(&f)) {
			fail_msg("%s -> %s: %s", rows[i].have, rows[i].want, f.err.text);
		} else {
			assert_int_equal(f.plan->creates, rows[i].creates);
			assert_int_equal(f.plan->destroys, rows[i].destroys);
			assert_int_equal(f.plan->switches, rows[i].switches);
			assert_int_equal(f.plan->resets, rows[i].switches && rows[i].variant[0] == 'A');
			assert_int_equal(f.plan->count, 1);
		}
		fixture_fini(&f);
	}
}

static void test_plan_never_removes_what_is_in_use(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, "H100_SXM5_80GB", true, "1g.10gb@0, 1g.10gb@1, 3g.40gb@4");
	hold(&f, 0, &a_pod);
	hold(&f, 4, &a_process);
	f.req->remove_unused = true;
	ask(&f, "7g.80gb");
	refused(&f, GM_ERR_CONFLICT, "1g.10gb@0 (pod ml/train-0), 3g.40gb@4 (process 4711 python3)");
	/* What stays may be in use. */
	ask(&f, "1g.10gb@0, 2g.20gb@2, 3g.40gb@4");
	assert_int_equal(plan(&f), 0);
	assert_int_equal(f.plan->destroys, 1);
	assert_int_equal(f.plan->creates, 1);
	/* Without a place a wish means the one that is used. */
	ask(&f, "1g.10gb, 3g.40gb");
	assert_int_equal(plan(&f), 0);
	assert_int_equal(f.plan->destroys, 1);
	assert_true(gm_mig_state_has(&f.plan->changes[0].wanted, &f.plan->changes[0].before.slices[0]));
	/* Told to, it does; but unused ones only when these may go too. */
	f.req->allow_in_use = true;
	ask(&f, "7g.80gb");
	assert_int_equal(plan(&f), 0);
	assert_int_equal(f.plan->destroys, 3);
	f.req->remove_unused = false;
	refused(&f, GM_ERR_CONFLICT, "1g.10gb@1 would be removed");
	/* A process that only the driver tells of counts as well. */
	f.req->remove_unused = true;
	f.req->allow_in_use = false;
	f.all.count = 0;
	f.view->boards[0].reading.process_count = 1;
	f.view->boards[0].reading.processes[0] =
		(struct gm_reading_process){ .pid = 99, .gi = f.view->boards[0].reading.instances[0].gi, .name = "x" };
	refused(&f, GM_ERR_CONFLICT, "process 99 x");
	fixture_fini(&f);
}

static void test_plan_refuses_a_switch_under_load(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, "A100_SXM4_80GB", false, "");
	hold(&f, 99, &a_process);
	ask(&f, "3g.40gb@4")->mode = GM_MIG_MODE_WISH_ON;
	refused(&f, GM_ERR_CONFLICT, "cannot be switched: in use by process 4711");
	f.req->allow_in_use = true;
	assert_int_equal(plan(&f), 0);
	assert_true(f.plan->resets);
	fixture_fini(&f);
}

static void test_plan_refuses_a_world_that_changed(void **state)
{
	struct fixture f;
	char hash[17];

	(void)state;
	fixture_init(&f, "H100_SXM5_80GB", true, "1g.10gb@0");
	ask(&f, "1g.10gb@0, 3g.40gb@4");
	assert_int_equal(plan(&f), 0);
	/* The same place and profile, made anew: another instance. */
	world_lay_text(f.w, &f.w->boards[0], "1g.10gb@0");
	world_view(f.w, f.view);
	gm_mig_board_hash(&f.view->boards[0].reading, hash);
	refused(&f, GM_ERR_CONFLICT, hash);
	fixture_fini(&f);
}

static void test_state_hash_is_over_all_that_counts(void **state)
{
	struct fixture f;
	struct gm_reading *r;
	struct gm_reading_instance swap;
	char a[17], b[17];

	(void)state;
	fixture_init(&f, "H100_SXM5_80GB", true, "1g.10gb@0, 3g.40gb@4");
	r = &f.view->boards[0].reading;
	gm_mig_board_hash(r, a);
	/* The order of telling and what is measured do not count. */
	swap = r->instances[0];
	r->instances[0] = r->instances[1];
	r->instances[1] = swap;
	r->instances[0].memory_bytes = 5;
	gm_mig_board_hash(r, b);
	assert_string_equal(a, b);
	r->mig_pending = 0;
	gm_mig_board_hash(r, b);
	assert_string_not_equal(a, b);
	r->mig_pending = 1;
	r->instances[0].start++;
	gm_mig_board_hash(r, b);
	assert_string_not_equal(a, b);
	r->instances[0].start--;
	r->instances[0].uuid[5] ^= 1;
	gm_mig_board_hash(r, b);
	assert_string_not_equal(a, b);
	fixture_fini(&f);
}

static void test_plan_yields_to_other_owners(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, "H100_SXM5_80GB", true, "");
	ask(&f, "3g.40gb@4");
	f.owners.rival = "NVIDIA's mig-manager (process 12)";
	refused(&f, GM_ERR_CONFLICT, "NVIDIA's mig-manager (process 12)");
	f.owners.rival = NULL;
	f.owners.foreign[0] = true;
	refused(&f, GM_ERR_CONFLICT, "somebody else changed it");
	f.req->take_ownership = true;
	assert_int_equal(plan(&f), 0);
	fixture_fini(&f);
}

static void test_plan_refuses_boards_that_cannot_be_judged(void **state)
{
	struct fixture f;
	struct gm_reading *r;

	(void)state;
	fixture_init(&f, "H100_SXM5_80GB", true, "1g.10gb@0");
	r = &f.view->boards[0].reading;
	ask(&f, "1g.10gb@0, 3g.40gb@4");
	f.view->boards[0].state = GM_BOARD_HUNG;
	refused(&f, GM_ERR_UNAVAILABLE, "the board is hung");
	f.view->boards[0].state = GM_BOARD_OK;
	r->mig_pending = 0;
	gm_mig_board_hash(r, f.req->boards[0].state_hash);
	refused(&f, GM_ERR_CONFLICT, "pending until the next reset");
	r->mig_pending = 1;
	r->instances[0].gi_profile = -1; /* without rights NVML does not tell */
	ask(&f, "1g.10gb@0, 3g.40gb@4");
	refused(&f, GM_ERR_UNAVAILABLE, "does not tell the place");
	r->mig_current = -1;
	ask(&f, "");
	refused(&f, GM_ERR_UNSUPPORTED, "no MIG");
	(void)gm_str_copy(GM_STR("GPU-none"), f.req->boards[0].uuid, sizeof(f.req->boards[0].uuid));
	refused(&f, GM_ERR_NOT_FOUND, "no such GPU");
	fixture_fini(&f);
	fixture_init(&f, "H100_SXM5_80GB", true, "");
	ask(&f, "");
	f.req->count = 2;
	f.req->boards[1] = f.req->boards[0];
	refused(&f, GM_ERR_INVALID, "named twice");
	fixture_fini(&f);
}

static void test_plan_with_mig_off_uses_the_catalogue(void **state)
{
	struct fixture f;

	(void)state;
	/* An Ampere board tells no profiles before MIG is on. */
	fixture_init(&f, "A30", false, "");
	f.view->boards[0].reading.profile_count = 0;
	f.view->boards[0].reading.facts.memory_total_bytes = INT64_C(24576) << 20;
	ask(&f, "2g.12gb@2, 1g.6gb+me")->mode = GM_MIG_MODE_WISH_ON;
	assert_int_equal(plan(&f), 0);
	assert_int_equal(f.plan->creates, 2);
	assert_int_equal(f.plan->changes[0].wanted.slices[1].profile_id, 5);
	assert_int_equal(f.plan->changes[0].wanted.slices[0].profile_id, 21);
	fixture_fini(&f);
}

static void test_decide_cases(void **state)
{
	static const struct {
		const char *before, *now, *wanted;
		bool going, back;
		unsigned begun;
		const char *used; /* starts that pods hold */
		bool absent;
		enum gm_mig_decision want;
	} rows[] = {
		{ "1g.10gb@0", "1g.10gb@0", "3g.40gb@4", false, false, 0, "", false, GM_MIG_DECIDE_NOTHING },
		{ "1g.10gb@0", "1g.10gb@0", "3g.40gb@4", true, false, 0, "", false, GM_MIG_DECIDE_FORGET },
		{ "1g.10gb@0", "1g.10gb@0", "3g.40gb@4", true, false, 1, "", false, GM_MIG_DECIDE_FINISH },
		{ "1g.10gb@0", "", "3g.40gb@4", true, false, 1, "", false, GM_MIG_DECIDE_FINISH },
		{ "1g.10gb@0", "3g.40gb@4", "3g.40gb@4", true, false, 2, "4", false, GM_MIG_DECIDE_FINISH },
		/* What would have to go is used by now. */
		{ "1g.10gb@0, 1g.10gb@1", "1g.10gb@1", "3g.40gb@4", true, false, 1, "1", false, GM_MIG_DECIDE_UNDO },
		{ "1g.10gb@0, 1g.10gb@6", "3g.40gb@0", "3g.40gb@0", true, true, 4, "", false, GM_MIG_DECIDE_UNDO },
		{ "1g.10gb@0", "3g.40gb@4", "3g.40gb@4", true, true, 3, "4", false, GM_MIG_DECIDE_FINISH },
		{ "1g.10gb@0", "1g.10gb@0, 3g.40gb@4", "3g.40gb@4, 1g.10gb@1", true, false, 3, "04", false,
		  GM_MIG_DECIDE_GIVE_UP },
		{ "1g.10gb@0", "2g.20gb@2", "3g.40gb@4", true, false, 1, "", false, GM_MIG_DECIDE_GIVE_UP },
		{ "1g.10gb@0", "1g.10gb@0", "3g.40gb@4", true, false, 1, "", true, GM_MIG_DECIDE_WAIT },
		/* Kept ones may be in use. */
		{ "1g.10gb@0", "1g.10gb@0", "1g.10gb@0, 3g.40gb@4", true, false, 1, "0", false, GM_MIG_DECIDE_FINISH },
	};
	struct gm_mig_past *past = calloc(1, sizeof(*past));

	(void)state;
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf why = { 0 };
		const struct gm_variant *v = gm_catalog_variant(GM_STR("H100_SXM5_80GB"));
		struct fixture f;

		fixture_init(&f, "H100_SXM5_80GB", true, rows[i].now);
		for (const char *p = rows[i].used; *p; p++)
			hold(&f, (unsigned)(*p - '0'), &a_pod);
		*past = (struct gm_mig_past){
			.going = rows[i].going, .back = rows[i].back, .begun = rows[i].begun, .count = 1
		};
		memcpy(past->changes[0].uuid, f.w->boards[0].uuid, sizeof(past->changes[0].uuid));
		state_of_text(v, true, rows[i].before, &past->changes[0].before);
		state_of_text(v, true, rows[i].wanted, &past->changes[0].wanted);
		if (rows[i].absent)
			f.view->boards[0].state = GM_BOARD_NEW;
		if (gm_mig_decide(past, f.view, &f.all, &why) != rows[i].want)
			fail_msg("row %zu: %s", i, gm_buf_cstr(&why));
		fixture_fini(&f);
	}
	free(past);
}

static void test_request_is_read(void **state)
{
	static const char body[] =
		"{\"devices\":[{\"uuid\":\"GPU-1\",\"stateHash\":\"0123456789abcdef\",\"mode\":\"on\",\"layout\":["
		"{\"profile\":\"3g.40gb\",\"placement\":4},{\"profile\":\"1g.10gb+me\"}]},"
		"{\"uuid\":\"GPU-2\",\"stateHash\":\"fedcba9876543210\",\"layout\":[]}],"
		"\"dryRun\":true,\"removeUnused\":true,\"keep\":false}";
	static const struct {
		const char *body, *where;
	} wrong[] = {
		{ "{}", "/devices" },
		{ "{\"devices\":[]}", "/devices" },
		{ "{\"devices\":[{\"uuid\":\"GPU-1\",\"stateHash\":\"0123456789abcdef\"}]}", "/devices/0/layout" },
		{ "{\"devices\":[{\"uuid\":\"GPU-1\",\"stateHash\":\"0\",\"layout\":[]}]}", "/devices/0/stateHash" },
		{ "{\"devices\":[{\"uuid\":\"GPU-1\",\"stateHash\":\"0123456789abcdef\",\"layout\":[{\"profile\":"
		  "\"1g\","
		  "\"placement\":-1}]}]}",
		  "/devices/0/layout/0/placement" },
		{ "{\"devices\":[{\"uuid\":\"GPU-1\",\"stateHash\":\"0123456789abcdef\",\"layout\":[],\"mode\":"
		  "\"maybe\"}]}",
		  "/devices/0/mode" },
		{ "{\"force\":true}", "/force" },
	};
	struct gm_mig_request *req = calloc(1, sizeof(*req));
	struct gm_err err = { 0 };

	(void)state;
	assert_int_equal(gm_mig_request_parse(gm_str(body), req, &err), 0);
	assert_true(req->dry_run && req->remove_unused && !req->keep && !req->allow_in_use && !req->take_ownership);
	assert_int_equal(req->count, 2);
	assert_string_equal(req->boards[0].uuid, "GPU-1");
	assert_string_equal(req->boards[0].state_hash, "0123456789abcdef");
	assert_int_equal(req->boards[0].mode, GM_MIG_MODE_WISH_ON);
	assert_int_equal(req->boards[0].count, 2);
	assert_string_equal(req->boards[0].wishes[0].profile, "3g.40gb");
	assert_int_equal(req->boards[0].wishes[0].start, 4);
	assert_int_equal(req->boards[0].wishes[1].start, -1);
	assert_int_equal(req->boards[1].mode, GM_MIG_MODE_AS_IS);
	assert_int_equal(req->boards[1].count, 0);
	for (size_t i = 0; i < GM_LEN(wrong); i++) {
		assert_int_equal(gm_mig_request_parse(gm_str(wrong[i].body), req, &err), GM_ERR_INVALID);
		assert_string_equal(err.where, wrong[i].where);
	}
	assert_int_equal(gm_mig_request_parse(GM_STR("{"), req, &err), GM_ERR_PARSE);
	free(req);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan_cases),
		cmocka_unit_test(test_plan_never_removes_what_is_in_use),
		cmocka_unit_test(test_plan_refuses_a_switch_under_load),
		cmocka_unit_test(test_plan_refuses_a_world_that_changed),
		cmocka_unit_test(test_state_hash_is_over_all_that_counts),
		cmocka_unit_test(test_plan_yields_to_other_owners),
		cmocka_unit_test(test_plan_refuses_boards_that_cannot_be_judged),
		cmocka_unit_test(test_plan_with_mig_off_uses_the_catalogue),
		cmocka_unit_test(test_decide_cases),
		cmocka_unit_test(test_request_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
