/* SPDX-License-Identifier: MIT */
#include "mig-rig.h"

/* Layouts that are wanted: made again when they are lost, before the node is ready. */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lost_layouts_are_made_again_before_ready),
		cmocka_unit_test(test_a_restore_that_fails_is_tried_again_later),
		cmocka_unit_test(test_a_board_that_refuses_does_not_keep_the_others_from_their_layouts),
		cmocka_unit_test(test_a_board_that_was_taken_out_is_not_waited_for),
		cmocka_unit_test(test_a_board_off_its_bus_is_waited_for_by_nobody_and_restored_when_it_is_back),
		cmocka_unit_test(test_a_mode_that_survives_all_but_a_switch_is_not_lost),
		cmocka_unit_test(test_what_the_driver_does_not_tell_is_no_change_by_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
