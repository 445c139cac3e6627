/* SPDX-License-Identifier: MIT */
#include "serve-testing.h"

#define SECOND 1000000

static const struct gm_mig_table *a100(void)
{
	return table_of("A100_SXM4_80GB");
}

/* One model, one number an instance size: requests a second. */
struct simple {
	int64_t rate, of[5];
};
struct known_case {
	const char *why;
	struct simple models[4];
	int boards, gpcs, instances;
};
static const struct known_case KNOWN[] = {
	{ "one small instance is enough", { { 10, { 10, 20, 30, 40, 70 } } }, 1, 1, 1 },
	{ "a request more than it needs a second", { { 11, { 10, 20, 30, 40, 70 } } }, 1, 2, -1 },
	{ "only a whole board is fast enough", { { 1, { 0, 0, 0, 0, 1 } } }, 1, 7, 1 },
	{ "a 3g does more than its share", { { 90, { 10, 20, 90, 91, 95 } } }, 1, 3, 1 },
	{ "no two 4g on a board", { { 80, { 0, 0, 0, 40, 0 } } }, 2, 8, 2 },
	{ "two 3g on a board leave nothing", { { 60, { 0, 0, 30, 0, 0 } }, { 10, { 10, 0, 0, 0, 0 } } }, 2, 7, 3 },
	{ "three 4g are 12 GPCs on three boards; a 3g and a 2g for one of them are a GPC more and save a board",
	  { { 80, { 0, 0, 0, 40, 0 } }, { 40, { 0, 10, 30, 40, 0 } } },
	  2,
	  13,
	  4 },
	{ "three 2g and a 1g fill a board", { { 60, { 0, 20, 0, 0, 0 } }, { 10, { 10, 0, 0, 0, 0 } } }, 1, 7, 4 },
	{ "four 2g do not fit, though seven slices hold three and a half", { { 80, { 0, 20, 0, 0, 0 } } }, 2, 8, 4 },
};

static size_t make_demands(const struct simple *models, struct gm_serve_point points[4][5],
			   struct gm_serve_demand demands[4])
{
	static const int gpcs[5] = { 1, 2, 3, 4, 7 };
	size_t count = 0;

	for (; count < 4 && models[count].rate; count++) {
		for (size_t k = 0; k < 5; k++)
			points[count][k] = (struct gm_serve_point){ .gpcs = gpcs[k],
								    .batch = 1,
								    .processes = 1,
								    .throughput_milli = models[count].of[k] * 1000,
								    .latency_us = 1000 };
		demands[count] = (struct gm_serve_demand){ .model = "model",
							   .rate_milli = models[count].rate * 1000,
							   .slo_us = SECOND,
							   .points = points[count],
							   .point_count = 5 };
	}
	return count;
}

static void test_known_optima_are_found_and_proven(void **state)
{
	(void)state;
	for (size_t i = 0; i < GM_LEN(KNOWN); i++) {
		struct gm_serve_point points[4][5];
		struct gm_serve_demand demands[4];
		struct gm_serve_plan plan;
		size_t count = make_demands(KNOWN[i].models, points, demands);

		assert_int_equal(gm_serve_plan_make(a100(), demands, count, &plan, NULL), 0);
		if (plan.boards != KNOWN[i].boards || plan.gpcs != KNOWN[i].gpcs)
			fail_msg("%s: %d boards, %d GPCs", KNOWN[i].why, plan.boards, plan.gpcs);
		if (KNOWN[i].instances >= 0)
			assert_int_equal(plan.instance_count, KNOWN[i].instances);
		assert_true(plan.boards_proven && plan.gpcs_proven);
		check_plan(a100(), demands, count, &plan);
		gm_serve_plan_fini(&plan);
	}
}

static void test_latency_must_be_below_45_percent(void **state)
{
	struct gm_serve_point p = {
		.gpcs = 1, .batch = 1, .processes = 2, .throughput_milli = 5000, .latency_us = 45000
	};

	(void)state;
	assert_false(gm_serve_point_feasible(&p, 100000));
	p.latency_us = 44999;
	assert_true(gm_serve_point_feasible(&p, 100000));
	p.throughput_milli = 0;
	assert_false(gm_serve_point_feasible(&p, 100000));
}

/* Of configurations of one size the best that is fast enough: processes count together. */
static void test_best_configuration_of_a_size_is_taken(void **state)
{
	static const struct gm_serve_point points[] = {
		{ .gpcs = 1, .batch = 1, .processes = 1, .throughput_milli = 90000, .latency_us = 1000 },
		{ .gpcs = 1, .batch = 4, .processes = 3, .throughput_milli = 40000, .latency_us = 2000 },
		{ .gpcs = 1, .batch = 8, .processes = 3, .throughput_milli = 40000, .latency_us = 1500 },
		{ .gpcs = 1, .batch = 64, .processes = 1, .throughput_milli = 900000, .latency_us = 90000 },
	};
	struct gm_serve_demand demand = { "m", 120000, 100000, points, GM_LEN(points) };
	struct gm_serve_plan plan;

	(void)state;
	assert_int_equal(gm_serve_plan_make(a100(), &demand, 1, &plan, NULL), 0);
	assert_int_equal(plan.segment_count, 1);
	assert_int_equal(plan.segments[0].point, 2);
	assert_int_equal(plan.segments[0].count, 1);
	gm_serve_plan_fini(&plan);
}

static void test_a_demand_that_cannot_be_met_says_how_far_it_is_off(void **state)
{
	static const struct gm_serve_point points[] = {
		{ .gpcs = 1, .batch = 2, .processes = 1, .throughput_milli = 90000, .latency_us = 9000 },
		{ .gpcs = 7, .batch = 1, .processes = 3, .throughput_milli = 90000, .latency_us = 5400 },
		{ .gpcs = 7, .batch = 1, .processes = 1, .throughput_milli = 0, .latency_us = 0 },
		{ .gpcs = 5, .batch = 1, .processes = 1, .throughput_milli = 90000, .latency_us = 1 },
	};
	struct gm_serve_demand demand = { "slow", 1000, 10000, points, GM_LEN(points) };
	struct gm_serve_plan plan = { .boards = 99 };
	struct gm_err err = { 0 };

	(void)state;
	assert_int_equal(gm_serve_plan_make(a100(), &demand, 1, &plan, &err), GM_ERR_NOT_FOUND);
	assert_non_null(strstr(err.text, "model 'slow'"));
	assert_non_null(strstr(err.text, "5.4 ms (7 GPC, batch 1, processes 3)"));
	assert_non_null(strstr(err.text, "above 12 ms"));
	assert_int_equal(plan.boards, 99);
	demand.point_count = 0;
	assert_int_equal(gm_serve_plan_make(a100(), &demand, 1, &plan, &err), GM_ERR_NOT_FOUND);
	assert_non_null(strstr(err.text, "no measurement"));
}

static void test_numbers_beyond_their_limits_are_refused(void **state)
{
	struct gm_serve_point point = { .gpcs = 1, .batch = 1, .processes = 1, .throughput_milli = 1, .latency_us = 1 };
	const struct gm_serve_demand good = { "m", 1, 1000, &point, 1 };
	struct gm_serve_demand d = good;
	struct gm_serve_demand *many = calloc(GM_SERVE_DEMANDS_MAX + 1, sizeof(*many));
	struct gm_serve_plan plan;

	(void)state;
	d.rate_milli = 0;
	assert_int_equal(gm_serve_plan_make(a100(), &d, 1, &plan, NULL), GM_ERR_INVALID);
	d.rate_milli = GM_SERVE_THROUGHPUT_MAX_MILLI + 1;
	assert_int_equal(gm_serve_plan_make(a100(), &d, 1, &plan, NULL), GM_ERR_INVALID);
	d = good;
	d.slo_us = 0;
	assert_int_equal(gm_serve_plan_make(a100(), &d, 1, &plan, NULL), GM_ERR_INVALID);
	d = good;
	point.processes = 0;
	assert_int_equal(gm_serve_plan_make(a100(), &d, 1, &plan, NULL), GM_ERR_INVALID);
	point.processes = 1;
	/* A thousandth of a request a second each, for 29 requests a second: 29,000 instances. */
	d.rate_milli = 29000;
	assert_int_equal(gm_serve_plan_make(a100(), &d, 1, &plan, NULL), GM_ERR_TOO_LARGE);
	assert_non_null(many);
	assert_int_equal(gm_serve_plan_make(a100(), many, GM_SERVE_DEMANDS_MAX + 1, &plan, NULL), GM_ERR_TOO_LARGE);
	/* Each alone would fit, all together do not. */
	for (size_t i = 0; i < 4; i++) {
		many[i] = good;
		many[i].rate_milli = 9000;
	}
	assert_int_equal(gm_serve_plan_make(a100(), many, 4, &plan, NULL), GM_ERR_TOO_LARGE);
	free(many);
}

static void test_nothing_asked_is_an_empty_plan(void **state)
{
	struct gm_serve_plan plan;

	(void)state;
	assert_int_equal(gm_serve_plan_make(a100(), NULL, 0, &plan, NULL), 0);
	assert_int_equal(plan.boards, 0);
	assert_int_equal(plan.instance_count, 0);
	assert_true(plan.boards_proven && plan.gpcs_proven);
	gm_serve_plan_fini(&plan);
}

#define POINTS 5
/* Up to 256 models and thousands of boards: legal, near the floor, the same each time. */
static void check_large(const char *variant, size_t models, int rate_max, uint64_t seed)
{
	const struct gm_mig_table *t = table_of(variant);
	struct gm_serve_point *points = calloc(models * POINTS, sizeof(*points));
	struct gm_serve_demand *demands = calloc(models, sizeof(*demands));
	static const int gpcs[POINTS] = { 1, 2, 3, 4, 7 };
	struct gm_serve_plan a, b;

	assert_true(points && demands);
	for (size_t i = 0; i < models; i++) {
		demands[i] = (struct gm_serve_demand){ "m", random_between(&seed, 1000, rate_max), SECOND,
						       &points[i * POINTS], POINTS };
		for (size_t k = 0; k < POINTS; k++)
			points[i * POINTS + k] =
				(struct gm_serve_point){ gpcs[k], 1, 1, gpcs[k] * random_between(&seed, 90000, 110000),
							 1000 };
	}
	assert_int_equal(gm_serve_plan_make(t, demands, models, &a, NULL), 0);
	assert_int_equal(gm_serve_plan_make(t, demands, models, &b, NULL), 0);
	check_plan(t, demands, models, &a);
	print_message("# %s, %zu models: %d boards (floor %d), %d GPCs (floor %d)\n", variant, models, a.boards,
		      a.boards_floor, a.gpcs, a.gpcs_floor);
	/* Within one board in a hundred of what is proven. */
	assert_true((a.boards - a.boards_floor) * 100 <= a.boards_floor + 99);
	assert_int_equal(a.instance_count, b.instance_count);
	for (size_t i = 0; i < a.instance_count; i++) {
		const struct gm_serve_instance *x = &a.instances[i], *y = &b.instances[i];
		assert_true(x->board == y->board && x->segment == y->segment);
		assert_true(x->slot.profile == y->slot.profile && x->slot.start == y->slot.start);
	}
	gm_serve_plan_fini(&a);
	gm_serve_plan_fini(&b);
	free(points);
	free(demands);
}

static void test_large_demands_are_planned_near_the_floor(void **state)
{
	(void)state;
	check_large("A100_SXM4_80GB", 40, 1000000, 1);
	check_large("A100_SXM4_80GB", 256, 3000000, 2);
	check_large("A100_SXM4_80GB", 4, 400000000, 3);
	check_large("A100_SXM4_80GB", 100, 20000000, 4);
	check_large("A30", 60, 2000000, 5);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_optima_are_found_and_proven),
		cmocka_unit_test(test_latency_must_be_below_45_percent),
		cmocka_unit_test(test_best_configuration_of_a_size_is_taken),
		cmocka_unit_test(test_a_demand_that_cannot_be_met_says_how_far_it_is_off),
		cmocka_unit_test(test_numbers_beyond_their_limits_are_refused),
		cmocka_unit_test(test_nothing_asked_is_an_empty_plan),
		cmocka_unit_test(test_large_demands_are_planned_near_the_floor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
