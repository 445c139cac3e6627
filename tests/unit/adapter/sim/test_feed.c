/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "adapter/sim/feed.h"

#define START_MS INT64_C(1795536848000)

/* A sink that checks each page and keeps what the tests ask about. */
struct keep {
	struct gm_sink_counts {
		int pages, failed, devices, instances, pods;
	} n;
	int asked[3000];     /* pages and failures of a node, by its number */
	char watched[64];    /* a node's name */
	struct gm_page page; /* its last page */
	struct gm_obs_device devices[16];
	struct gm_obs_instance instances[112];
	struct gm_err why; /* of the last failure */
	char failed_target[64];
	int64_t at_ms;
};

static int node_number(struct gm_str name)
{
	char text[64];
	assert_true(gm_str_copy(name, text, sizeof(text)));
	assert_memory_equal(text, "worker-", 7);
	return (int)strtol(text + 7, NULL, 10);
}

static void take_page(void *ctx, const struct gm_page *page)
{
	struct keep *k = ctx;
	struct gm_err err = { 0 };
	if (gm_page_check(page, &err) < 0)
		fail_msg("%s", err.text);
	k->n.pages++;
	k->n.devices += (int)page->device_count;
	k->n.instances += (int)page->instance_count;
	k->n.pods += (int)page->pod_count;
	k->asked[node_number(page->node)]++;
	k->at_ms = page->at_ms;
	if (!gm_str_is(page->node, k->watched))
		return;
	k->page = *page;
	memcpy(k->devices, page->devices, page->device_count * sizeof(*page->devices));
	memcpy(k->instances, page->instances, page->instance_count * sizeof(*page->instances));
}

static void take_failure(void *ctx, struct gm_str target, int64_t at_ms, const struct gm_err *why)
{
	struct keep *k = ctx;
	k->n.failed++;
	k->why = *why;
	k->at_ms = at_ms;
	assert_true(gm_str_copy(target, k->failed_target, sizeof(k->failed_target)));
	assert_true(gm_str_starts(target, GM_STR("sim:")));
	k->asked[node_number(gm_str(k->failed_target + 4))]++;
}

struct bed {
	struct keep keep;
	struct gm_page_sink sink;
	struct gm_manual_clock clock;
	struct gm_sim_feed *feed;
};

static int setup(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));
	assert_non_null(b);
	b->sink = (struct gm_page_sink){ .ctx = &b->keep, .page = take_page, .failed = take_failure };
	gm_manual_clock_init(&b->clock, START_MS);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bed *b = *state;
	gm_sim_feed_free(b->feed);
	free(b);
	return 0;
}

static void begin(struct bed *b, struct gm_sim_spec spec, int64_t interval_ms)
{
	struct gm_err err = { 0 };
	b->feed = gm_sim_feed_new(&spec, GM_STR("default"), interval_ms, &b->sink, &b->clock.clock, &err);
	if (!b->feed)
		fail_msg("%s", err.text);
}

static int64_t step(struct bed *b, int64_t pass_ms)
{
	gm_manual_clock_advance(&b->clock, pass_ms);
	return gm_sim_feed_step(b->feed, gm_mono_ms(&b->clock.clock));
}

static void test_feed_delivers_every_node_each_round(void **state)
{
	struct bed *b = *state;
	begin(b, (struct gm_sim_spec){ .seed = 1, .gpus = 24 }, 1000);
	int64_t now = gm_mono_ms(&b->clock.clock);
	assert_int_equal(step(b, 0), now + 1000);
	assert_int_equal(b->keep.n.pages, 6);
	assert_int_equal(b->keep.n.devices, 24);
	assert_int_equal(b->keep.n.instances, 42);
	assert_in_range(b->keep.n.pods, 24, 50);
	assert_int_equal(step(b, 999), now + 1000);
	assert_int_equal(b->keep.n.pages, 6);
	assert_int_equal(step(b, 1), now + 2000);
	assert_int_equal(b->keep.n.pages, 12);
	assert_int_equal(b->keep.at_ms, START_MS + 1000);
	/* Late by whole rounds: one page, then the rhythm as before. */
	assert_int_equal(step(b, 5300), now + 7000);
	assert_int_equal(b->keep.n.pages, 18);
	assert_int_equal(step(b, 700), now + 8000);
}

static void assert_value(const struct gm_sample *s, enum gm_field f, int64_t low, int64_t high)
{
	if (!gm_sample_has(s, f))
		fail_msg("%s has no value", gm_field_table[f].name);
	assert_int_equal(s->validity[f], GM_MEASURED);
	assert_int_equal(s->source[f], GM_SOURCE_SIM);
	assert_in_range(s->value[f], low, high);
}

static void assert_unsupported(const struct gm_sample *s, enum gm_field f)
{
	assert_false(gm_sample_has(s, f));
	assert_int_equal(s->validity[f], GM_UNSUPPORTED);
}

static void test_feed_of_a_whole_board(void **state)
{
	struct bed *b = *state;
	(void)snprintf(b->keep.watched, sizeof(b->keep.watched), "worker-01");
	begin(b, (struct gm_sim_spec){ .seed = 1, .gpus = 24 }, 1000);
	(void)step(b, 0);
	const struct gm_page *p = &b->keep.page;
	const struct gm_obs_device *d = &b->keep.devices[2];
	assert_true(gm_str_is(p->target, "sim:worker-01"));
	assert_true(gm_str_is(p->cluster, "default"));
	assert_int_equal(p->kind, GM_PAGE_SIM);
	assert_int_equal(p->interval_ms, 1000);
	assert_int_equal(p->device_count, 4);
	assert_int_equal(d->index, 2);
	assert_int_equal(d->mig_mode, GM_MIG_OFF);
	assert_int_equal(d->memory_total_bytes, INT64_C(81559) << 20);
	assert_int_equal(d->sample.at_ms, START_MS);
	assert_int_equal(d->pods_count, 1);
	assert_int_equal(d->instances_count, 0);
	assert_true(d->product_name.n > 0 && d->driver_version.n > 0 && d->serial.n == 13);
	assert_value(&d->sample, GM_FIELD_UTILIZATION, 0, 10000);
	assert_value(&d->sample, GM_FIELD_TENSOR_ACTIVE, 0, 10000);
	assert_value(&d->sample, GM_FIELD_TEMPERATURE, 200, 900);
	assert_value(&d->sample, GM_FIELD_MEMORY_TEMPERATURE, 200, 1000);
	assert_value(&d->sample, GM_FIELD_POWER, 20000, 350000);
	assert_value(&d->sample, GM_FIELD_ENERGY, 1, INT64_MAX);
	assert_value(&d->sample, GM_FIELD_NVLINK, 0, INT64_MAX);
	assert_value(&d->sample, GM_FIELD_ECC_DBE, 0, 0);
	assert_value(&d->sample, GM_FIELD_XID, 0, 0);
	assert_unsupported(&d->sample, GM_FIELD_FAN);
	int64_t sum = d->sample.value[GM_FIELD_MEMORY_USED] + d->sample.value[GM_FIELD_MEMORY_FREE] +
		      d->sample.value[GM_FIELD_MEMORY_RESERVED];
	assert_int_equal(sum, d->memory_total_bytes);
}

static void test_feed_of_a_board_in_mig_mode(void **state)
{
	struct bed *b = *state;
	(void)snprintf(b->keep.watched, sizeof(b->keep.watched), "worker-02");
	begin(b, (struct gm_sim_spec){ .seed = 1, .gpus = 24 }, 1000);
	(void)step(b, 0);
	const struct gm_obs_device *d = &b->keep.devices[0];
	assert_int_equal(d->mig_mode, GM_MIG_ON);
	assert_int_equal(d->instances_count, 4);
	assert_int_equal(d->pods_count, 0);
	assert_unsupported(&d->sample, GM_FIELD_UTILIZATION);
	assert_unsupported(&d->sample, GM_FIELD_GR_ENGINE_ACTIVE);
	assert_unsupported(&d->sample, GM_FIELD_NVLINK);
	assert_value(&d->sample, GM_FIELD_POWER, 20000, 350000);
	assert_value(&d->sample, GM_FIELD_MEMORY_USED, 1, d->memory_total_bytes);
	const struct gm_obs_instance *in = &b->keep.instances[d->instances_first];
	assert_true(gm_str_is(in->profile, "3g.40gb"));
	assert_int_equal(in->placement_start, 4);
	assert_int_equal(in->placement_size, 4);
	assert_true(gm_str_starts(in->uuid, GM_STR("MIG-")));
	assert_unsupported(&in->sample, GM_FIELD_UTILIZATION);
	assert_value(&in->sample, GM_FIELD_GR_ENGINE_ACTIVE, 0, 10000);
	assert_value(&in->sample, GM_FIELD_MEMORY_USED, 1, in->memory_total_bytes);
	assert_false(gm_sample_has(&in->sample, GM_FIELD_POWER));
	assert_int_equal(in->sample.validity[GM_FIELD_POWER], GM_ABSENT);
}

static void test_feed_of_a_consumer_board(void **state)
{
	struct bed *b = *state;
	(void)snprintf(b->keep.watched, sizeof(b->keep.watched), "worker-06");
	begin(b, (struct gm_sim_spec){ .seed = 1, .gpus = 24 }, 1000);
	(void)step(b, 0);
	const struct gm_obs_device *d = &b->keep.devices[0];
	assert_int_equal(d->mig_mode, GM_MIG_UNABLE);
	assert_int_equal(d->serial.n, 0);
	assert_value(&d->sample, GM_FIELD_UTILIZATION, 0, 10000);
	assert_value(&d->sample, GM_FIELD_FAN, 0, 10000);
	assert_unsupported(&d->sample, GM_FIELD_GR_ENGINE_ACTIVE);
	assert_unsupported(&d->sample, GM_FIELD_MEMORY_TEMPERATURE);
	assert_unsupported(&d->sample, GM_FIELD_ECC_SBE);
	assert_unsupported(&d->sample, GM_FIELD_ROW_REMAP_PENDING);
	assert_unsupported(&d->sample, GM_FIELD_NVLINK);
}

static void test_feed_tells_of_a_node_that_is_away(void **state)
{
	struct bed *b = *state;
	const struct gm_sim_fault away = {
		.kind = GM_SIM_FAULT_NODE_AWAY, .node = "worker-03", .gpu = -1, .after_ms = 10000, .lasts_ms = 10000
	};
	begin(b, (struct gm_sim_spec){ .seed = 1, .gpus = 24, .scenario = &away, .scenario_count = 1 }, 1000);
	const struct gm_sim_feed_target *t = gm_sim_feed_target(b->feed, 2);
	assert_int_equal(gm_sim_feed_target_count(b->feed), 6);
	assert_null(gm_sim_feed_target(b->feed, 6));
	assert_string_equal(t->target, "sim:worker-03");
	assert_false(t->asked);
	(void)step(b, 0);
	assert_true(t->asked && t->up);
	assert_int_equal(t->devices, 4);
	assert_int_equal(b->keep.n.failed, 0);
	for (int i = 0; i < 12; i++)
		(void)step(b, 1000);
	assert_int_equal(b->keep.n.failed, 3);
	assert_string_equal(b->keep.failed_target, "sim:worker-03");
	assert_int_equal(b->keep.why.code, GM_ERR_UNAVAILABLE);
	assert_non_null(strstr(b->keep.why.text, "worker-03"));
	assert_false(t->up);
	assert_string_equal(t->error, b->keep.why.text);
	assert_int_equal(t->failing_since_ms, START_MS + 10000);
	assert_int_equal(t->last_success_ms, START_MS + 9000);
	assert_int_equal(t->last_attempt_ms, START_MS + 12000);
	for (int i = 0; i < 10; i++)
		(void)step(b, 1000);
	assert_true(t->up);
	assert_string_equal(t->error, "");
	assert_int_equal(t->failures, 10);
	assert_int_equal(t->failing_since_ms, 0);
	assert_int_equal(b->keep.n.pages + b->keep.n.failed, 6 * 23);
}

static void test_feed_leaves_lost_boards_out(void **state)
{
	struct bed *b = *state;
	const struct gm_sim_fault lost = {
		.kind = GM_SIM_FAULT_LOST, .node = "worker-01", .gpu = 1, .after_ms = 10000
	};
	(void)snprintf(b->keep.watched, sizeof(b->keep.watched), "worker-01");
	begin(b, (struct gm_sim_spec){ .seed = 1, .gpus = 24, .scenario = &lost, .scenario_count = 1 }, 1000);
	(void)step(b, 0);
	assert_int_equal(b->keep.page.device_count, 4);
	(void)step(b, 15000);
	assert_int_equal(b->keep.page.device_count, 3);
	assert_int_equal(b->keep.devices[1].index, 2);
	assert_int_equal(gm_sim_feed_target(b->feed, 0)->devices, 3);
}

static void test_feed_spreads_large_worlds(void **state)
{
	struct bed *b = *state;
	begin(b, (struct gm_sim_spec){ .seed = 1, .gpus = 20000 }, 1000);
	size_t nodes = gm_sim_feed_target_count(b->feed);
	assert_in_range(nodes, 2500, 2502);
	int most = 0, steps = 0;
	int64_t end = gm_mono_ms(&b->clock.clock) + 3000;
	for (int64_t due = gm_mono_ms(&b->clock.clock); due < end; steps++) {
		int before = b->keep.n.pages;
		due = step(b, due - gm_mono_ms(&b->clock.clock));
		most = b->keep.n.pages - before > most ? b->keep.n.pages - before : most;
	}
	assert_int_equal(steps, 30);
	assert_in_range(most, 1, nodes / 10 + 1);
	for (size_t i = 1; i <= nodes; i++)
		assert_int_equal(b->keep.asked[i], 3);
	assert_int_equal(b->keep.n.devices, 60000);
}

/* A week of a minute a second with all faults: every page passes the fleet's own check (in take_page). */
static void test_feed_pages_are_always_valid(void **state)
{
	struct bed *b = *state;
	begin(b, (struct gm_sim_spec){ .seed = 2, .gpus = 30, .speed_milli = 60000, .faults = true }, 1000);
	for (int i = 0; i < 7 * 24 * 60; i++)
		(void)step(b, 1000);
	assert_in_range(b->keep.n.failed, 10, 1000);
	assert_int_equal(b->keep.n.pages + b->keep.n.failed, 7 * 24 * 60 * 9);
}

static void test_feed_refuses_wrong_configurations(void **state)
{
	struct bed *b = *state;
	const struct gm_sim_spec good = { .gpus = 4 }, bad = { .gpus = 4, .models = GM_STR("none") };
	const struct {
		const struct gm_sim_spec *spec;
		int64_t interval_ms;
	} cases[] = { { &good, 0 }, { &good, 99 }, { &good, GM_PAGE_INTERVAL_MS_MAX + 1 }, { &bad, 1000 } };
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		struct gm_err err = { 0 };
		assert_null(gm_sim_feed_new(cases[i].spec, GM_STR("c"), cases[i].interval_ms, &b->sink, &b->clock.clock,
					    &err));
		assert_int_equal(err.code, GM_ERR_INVALID);
		assert_true(err.text[0] != '\0');
	}
	gm_sim_feed_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_feed_delivers_every_node_each_round), TEST(test_feed_of_a_whole_board),
		TEST(test_feed_of_a_board_in_mig_mode),		TEST(test_feed_of_a_consumer_board),
		TEST(test_feed_tells_of_a_node_that_is_away),	TEST(test_feed_leaves_lost_boards_out),
		TEST(test_feed_spreads_large_worlds),		TEST(test_feed_pages_are_always_valid),
		TEST(test_feed_refuses_wrong_configurations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
