/* SPDX-License-Identifier: MIT */
#include "fleet-world.h"

#include "core/fleet/fleet.h"

/* The rules of fleet.h, one test each. */

#define A "http://a:9400/metrics"
#define B "http://b:9400/metrics"

static struct world w;

static int setup(void **state)
{
	(void)state;
	w = (struct world){ 0 };
	world_begin(&w);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_end(&w);
	return 0;
}

static void dcgm(const char *target, const char *node, const char *uuid, int64_t at_ms)
{
	world_board(&w, target, GM_PAGE_DCGM, node, uuid, at_ms);
}

/* ---- identity */

static void test_new_device_is_told_before_its_first_sample(void **state)
{
	(void)state;
	dcgm(A, "worker-01", "GPU-a", T0);
	struct told e;
	assert_int_equal(world_events(&w, GM_EVENT_DEVICE_NEW, &e), 1);
	assert_string_equal(e.id, "worker-01-GPU-00");
	assert_int_equal(w.series.count, 1);
	assert_int_equal(w.samples.count, 1);
	assert_int_equal(w.series.items[0].series, w.samples.items[0].series);
	assert_int_equal(w.samples.items[0].sample.at_ms, T0);
	assert_int_equal(w.result.applied, 1);
	const struct gm_snapshot *s = world_look(&w, T0);
	const struct gm_device *d = find(s, "GPU-a");
	assert_string_equal(d->model, "A100_80GB");
	assert_string_equal(d->target, A);
	assert_int_equal(d->first_seen_ms, T0);
	assert_int_equal(d->health, GM_HEALTH_OK);
	assert_int_equal(d->hourly_micros, -1);
	gm_snapshot_unref(s);
}

static void test_device_that_moves_index_keeps_its_series(void **state)
{
	(void)state;
	dcgm(A, "worker-01", "GPU-a", T0);
	uint32_t series = w.samples.items[0].series;
	world_quiet(&w);
	draft_begin(&w.draft, A, GM_PAGE_DCGM, "worker-01", T0 + INTERVAL);
	draft_board(&w.draft, "GPU-a", 3);
	world_apply(&w);
	struct told e;
	assert_int_equal(world_events(&w, GM_EVENT_DEVICE_MOVED, &e), 1);
	assert_string_equal(e.text, "worker-01-GPU-00");
	assert_string_equal(e.id, "worker-01-GPU-03");
	assert_int_equal(world_events(&w, GM_EVENT_DEVICE_NEW, NULL), 0);
	assert_int_equal(w.samples.items[0].series, series);
	assert_int_equal(w.series.count, 1);
	assert_string_equal(w.series.items[0].id, "worker-01-GPU-03");
}

static void test_device_that_moves_node_keeps_its_series(void **state)
{
	(void)state;
	dcgm(A, "worker-01", "GPU-a", T0);
	gm_snapshot_unref(world_look(&w, T0));
	uint32_t series = w.samples.items[0].series;
	dcgm(B, "worker-02", "GPU-a", T0 + 3 * INTERVAL);
	struct told e;
	assert_int_equal(world_events(&w, GM_EVENT_DEVICE_MOVED, &e), 1);
	assert_string_equal(e.text, "worker-01-GPU-00");
	assert_string_equal(e.node, "worker-02");
	const struct gm_snapshot *s = world_look(&w, T0 + 3 * INTERVAL);
	assert_int_equal(s->device_count, 1);
	assert_int_equal(s->node_count, 1);
	assert_int_equal(find(s, "worker-02-GPU-00")->series, series);
	assert_null(gm_snapshot_device(s, GM_STR("worker-01-GPU-00")));
	gm_snapshot_unref(s);
}

static void test_same_source_may_rename_the_node(void **state)
{
	(void)state;
	dcgm(A, "10.0.0.1", "GPU-a", T0);
	dcgm(A, "worker-01", "GPU-a", T0 + INTERVAL);
	assert_int_equal(world_events(&w, GM_EVENT_DEVICE_MOVED, NULL), 1);
	assert_int_equal(world_events(&w, GM_EVENT_DUPLICATE, NULL), 0);
	const struct gm_snapshot *s = world_look(&w, T0 + INTERVAL);
	assert_int_equal(s->node_count, 1);
	assert_string_equal(s->nodes[0]->name, "worker-01");
	gm_snapshot_unref(s);
}

static void test_second_node_is_a_duplicate_until_the_first_was_silent_three_intervals(void **state)
{
	(void)state;
	struct told e;
	dcgm(A, "worker-01", "GPU-a", T0);
	for (int i = 0; i < 3; i++)
		dcgm(B, "worker-02", "GPU-a", T0 + i * INTERVAL + 1);
	assert_int_equal(w.result.shadowed, 1);
	/* Said once, not with each page. */
	assert_int_equal(world_events(&w, GM_EVENT_DUPLICATE, &e), 1);
	assert_string_equal(e.text, "worker-02");
	assert_string_equal(e.node, "worker-01");
	assert_int_equal(world_events(&w, GM_EVENT_DEVICE_MOVED, NULL), 0);
	dcgm(B, "worker-02", "GPU-a", T0 + 3 * INTERVAL - 1);
	assert_int_equal(w.result.shadowed, 1);
	dcgm(B, "worker-02", "GPU-a", T0 + 3 * INTERVAL);
	assert_int_equal(w.result.applied, 1);
	assert_int_equal(world_events(&w, GM_EVENT_DEVICE_MOVED, NULL), 1);
}

static void test_duplicate_that_comes_up_anew_is_said_anew(void **state)
{
	(void)state;
	int64_t later = T0 + 100 * INTERVAL;
	dcgm(A, "worker-01", "GPU-a", T0);
	dcgm(B, "worker-02", "GPU-a", T0 + 1);
	dcgm(A, "worker-01", "GPU-a", later);
	dcgm(B, "worker-02", "GPU-a", later + 1);
	assert_int_equal(world_events(&w, GM_EVENT_DUPLICATE, NULL), 2);
}

static void test_several_duplicates_are_said_once_each(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		dcgm(A, "worker-01", "GPU-a", T0 + i * INTERVAL);
		dcgm(B, "worker-02", "GPU-a", T0 + i * INTERVAL + 1);
		dcgm("http://c", "worker-03", "GPU-a", T0 + i * INTERVAL + 2);
	}
	assert_int_equal(world_events(&w, GM_EVENT_DUPLICATE, NULL), 2);
}

/* ---- sources */

static void test_better_source_wins_at_once(void **state)
{
	static const enum gm_page_kind rising[] = { GM_PAGE_DCGM, GM_PAGE_SIM, GM_PAGE_AGENT };
	static const char *const targets[] = { "t0", "t1", "t2" };
	(void)state;
	for (int i = 0; i < 3; i++)
		world_board(&w, targets[i], rising[i], "worker-01", "GPU-a", T0 + i);
	struct told e;
	assert_int_equal(world_events(&w, GM_EVENT_SOURCE_CHANGED, &e), 2);
	assert_string_equal(e.text, "t1");
	assert_int_equal(world_events(&w, GM_EVENT_DUPLICATE, NULL), 0);
	const struct gm_snapshot *s = world_look(&w, T0 + 3);
	assert_int_equal(find(s, "GPU-a")->source, GM_PAGE_AGENT);
	assert_string_equal(find(s, "GPU-a")->target, "t2");
	gm_snapshot_unref(s);
}

static void test_equal_or_lesser_source_waits_three_intervals(void **state)
{
	static const enum gm_page_kind kinds[] = { GM_PAGE_AGENT, GM_PAGE_SIM, GM_PAGE_DCGM };
	(void)state;
	for (size_t i = 0; i < GM_LEN(kinds); i++) {
		teardown(NULL);
		setup(NULL);
		world_board(&w, A, GM_PAGE_AGENT, "worker-01", "GPU-a", T0);
		world_board(&w, B, kinds[i], "worker-01", "GPU-a", T0 + 3 * INTERVAL - 1);
		assert_int_equal(w.result.shadowed, 1);
		assert_int_equal(w.result.applied, 0);
		assert_int_equal(w.samples.count, 1);
		world_board(&w, B, kinds[i], "worker-01", "GPU-a", T0 + 3 * INTERVAL);
		assert_int_equal(w.result.applied, 1);
		assert_int_equal(world_events(&w, GM_EVENT_SOURCE_CHANGED, NULL), 1);
	}
}

static void test_two_sources_never_flap(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		dcgm(A, "worker-01", "GPU-a", T0 + i * INTERVAL);
		dcgm(B, "worker-01", "GPU-a", T0 + i * INTERVAL + INTERVAL / 2);
	}
	assert_int_equal(world_events(&w, GM_EVENT_SOURCE_CHANGED, NULL), 0);
	assert_int_equal(w.samples.count, 100);
}

static void test_removed_target_is_not_waited_for(void **state)
{
	(void)state;
	world_board(&w, A, GM_PAGE_AGENT, "worker-01", "GPU-a", T0);
	gm_fleet_target_removed(w.fleet, gm_str(A));
	gm_fleet_target_removed(w.fleet, GM_STR("http://never-heard-of"));
	dcgm(B, "worker-01", "GPU-a", T0 + 1);
	assert_int_equal(w.result.applied, 1);
	struct told e;
	assert_int_equal(world_events(&w, GM_EVENT_SOURCE_CHANGED, &e), 1);
	assert_string_equal(e.text, A);
}

/* ---- silence */

static void test_stale_after_two_intervals_and_five_seconds(void **state)
{
	(void)state;
	draft_begin(&w.draft, A, GM_PAGE_DCGM, "worker-01", T0);
	draft_set(&draft_board(&w.draft, "GPU-a", 0)->sample, GM_FIELD_TEMPERATURE, 500);
	draft_set(&draft_slice(&w.draft, 1, "3g.40gb")->sample, GM_FIELD_GR_ENGINE_ACTIVE, 4000);
	world_apply(&w);
	const struct gm_snapshot *s = world_look(&w, T0 + 2 * INTERVAL + 5 * SECOND - 1);
	assert_true(gm_sample_has(&find(s, "GPU-a")->sample, GM_FIELD_TEMPERATURE));
	assert_int_equal(s->nodes[0]->state, GM_NODE_READY);
	gm_snapshot_unref(s);

	s = world_look(&w, T0 + 2 * INTERVAL + 5 * SECOND);
	const struct gm_device *d = find(s, "GPU-a");
	assert_int_equal(d->sample.valid, 0);
	assert_int_equal(d->sample.validity[GM_FIELD_TEMPERATURE], GM_STALE);
	assert_int_equal(d->sample.value[GM_FIELD_TEMPERATURE], 500);
	assert_int_equal(d->sample.validity[GM_FIELD_POWER], GM_ABSENT);
	assert_int_equal(d->sample.at_ms, T0);
	assert_int_equal(d->instances[0].sample.valid, 0);
	assert_int_equal(d->instances[0].sample.validity[GM_FIELD_GR_ENGINE_ACTIVE], GM_STALE);
	assert_int_equal(d->health, GM_HEALTH_OK);
	assert_int_equal(s->nodes[0]->state, GM_NODE_STALE);
	assert_int_equal(s->totals.utilization_count, 0);
	assert_int_equal(s->changed_count, 1);
	gm_snapshot_unref(s);
}

static void test_unknown_after_five_intervals_and_back_with_the_next_page(void **state)
{
	(void)state;
	struct told e;
	dcgm(A, "worker-01", "GPU-a", T0);
	gm_snapshot_unref(world_look(&w, T0 + 5 * INTERVAL - 1));
	assert_int_equal(world_events(&w, GM_EVENT_HEALTH, NULL), 0);
	const struct gm_snapshot *s = world_look(&w, T0 + 5 * INTERVAL);
	assert_int_equal(find(s, "GPU-a")->health, GM_HEALTH_UNKNOWN);
	assert_int_equal(find(s, "GPU-a")->health_reasons, GM_REASON(SILENT));
	assert_int_equal(s->nodes[0]->state, GM_NODE_UNKNOWN);
	assert_int_equal(world_events(&w, GM_EVENT_HEALTH, &e), 1);
	assert_int_equal(e.from, GM_HEALTH_OK);
	assert_int_equal(e.to, GM_HEALTH_UNKNOWN);
	assert_int_equal(e.reasons, GM_REASON(SILENT));
	gm_snapshot_unref(s);

	dcgm(A, "worker-01", "GPU-a", T0 + 6 * INTERVAL);
	s = world_look(&w, T0 + 6 * INTERVAL);
	assert_int_equal(find(s, "GPU-a")->health, GM_HEALTH_OK);
	assert_true(gm_sample_has(&find(s, "GPU-a")->sample, GM_FIELD_TEMPERATURE));
	assert_int_equal(s->nodes[0]->state, GM_NODE_READY);
	assert_int_equal(world_events(&w, GM_EVENT_HEALTH, NULL), 2);
	gm_snapshot_unref(s);
}

static void test_short_intervals_are_stale_before_unknown(void **state)
{
	(void)state;
	draft_begin(&w.draft, A, GM_PAGE_DCGM, "worker-01", T0);
	w.draft.page.interval_ms = SECOND;
	draft_board(&w.draft, "GPU-a", 0);
	world_apply(&w);
	const struct gm_snapshot *s = world_look(&w, T0 + 7 * SECOND - 1);
	assert_int_equal(find(s, "GPU-a")->health, GM_HEALTH_OK);
	gm_snapshot_unref(s);
	s = world_look(&w, T0 + 7 * SECOND);
	assert_int_equal(find(s, "GPU-a")->health, GM_HEALTH_UNKNOWN);
	gm_snapshot_unref(s);
}

/* A page of worker-01 that has GPU-b and, when `both`, GPU-a. */
static void page_of_two(bool both, int64_t at_ms)
{
	draft_begin(&w.draft, A, GM_PAGE_DCGM, "worker-01", at_ms);
	if (both)
		draft_set(&draft_board(&w.draft, "GPU-a", 0)->sample, GM_FIELD_TEMPERATURE, 500);
	draft_board(&w.draft, "GPU-b", 1);
	world_apply(&w);
}

static void test_device_left_out_of_three_pages_is_lost(void **state)
{
	(void)state;
	page_of_two(true, T0);
	page_of_two(false, T0 + INTERVAL);
	page_of_two(false, T0 + 2 * INTERVAL);
	/* The same page again is no further one. */
	page_of_two(false, T0 + 2 * INTERVAL);
	const struct gm_snapshot *s = world_look(&w, T0 + 2 * INTERVAL);
	assert_int_equal(find(s, "GPU-a")->health, GM_HEALTH_OK);
	gm_snapshot_unref(s);
	page_of_two(false, T0 + 3 * INTERVAL);
	s = world_look(&w, T0 + 3 * INTERVAL);
	const struct gm_device *d = find(s, "GPU-a");
	assert_int_equal(d->health, GM_HEALTH_FAILED);
	assert_int_equal(d->health_reasons, GM_REASON(LOST));
	assert_int_equal(d->sample.valid, 0);
	assert_int_equal(s->nodes[0]->state, GM_NODE_DEGRADED);
	assert_int_equal(find(s, "GPU-b")->health, GM_HEALTH_OK);
	gm_snapshot_unref(s);
}

static void test_lost_device_is_failed_while_its_source_answers_and_gone_after_a_day(void **state)
{
	(void)state;
	page_of_two(true, T0);
	for (int64_t t = T0 + INTERVAL; t < T0 + DAY; t += INTERVAL) {
		page_of_two(false, t);
		(void)gm_fleet_publish(w.fleet, t);
	}
	const struct gm_snapshot *s = world_look(&w, T0 + DAY - 1);
	assert_int_equal(find(s, "GPU-a")->health, GM_HEALTH_FAILED);
	assert_int_equal(world_events(&w, GM_EVENT_HEALTH, NULL), 1);
	gm_snapshot_unref(s);
	s = world_look(&w, T0 + DAY);
	assert_null(gm_snapshot_device(s, GM_STR("GPU-a")));
	assert_int_equal(world_events(&w, GM_EVENT_DEVICE_GONE, NULL), 1);
	gm_snapshot_unref(s);
}

static void page_of_hung(bool hung, int64_t sampled_at_ms, int64_t at_ms)
{
	draft_begin(&w.draft, A, GM_PAGE_AGENT, "worker-01", at_ms);
	struct gm_obs_device *d = draft_board(&w.draft, "GPU-a", 0);
	d->driver_hung = hung;
	d->sample.at_ms = sampled_at_ms;
	draft_set(&d->sample, GM_FIELD_TEMPERATURE, 500);
	world_apply(&w);
}

static void test_hung_driver_is_told_at_once_and_ends_with_the_next_sample(void **state)
{
	(void)state;
	page_of_hung(false, T0, T0);
	page_of_hung(true, T0, T0 + 1000);
	const struct gm_snapshot *s = world_look(&w, T0 + 1000);
	const struct gm_device *d = find(s, "GPU-a");
	assert_int_equal(d->health, GM_HEALTH_FAILED);
	assert_int_equal(d->health_reasons, GM_REASON(DRIVER_HUNG));
	assert_int_equal(d->sample.valid, 0);
	assert_int_equal(d->sample.validity[GM_FIELD_TEMPERATURE], GM_STALE);
	assert_int_equal(d->sample.value[GM_FIELD_TEMPERATURE], 500);
	assert_int_equal(d->sample.at_ms, T0);
	assert_int_equal(s->nodes[0]->state, GM_NODE_DEGRADED);
	gm_snapshot_unref(s);
	/* Its source goes on speaking for it: neither silent nor lost, and said once. */
	for (int i = 1; i <= 20; i++) {
		page_of_hung(true, T0, T0 + 1000 + i * INTERVAL);
		(void)gm_fleet_publish(w.fleet, T0 + 1000 + i * INTERVAL);
	}
	s = world_look(&w, T0 + 1000 + 20 * INTERVAL);
	assert_int_equal(find(s, "GPU-a")->health_reasons, GM_REASON(DRIVER_HUNG));
	assert_int_equal(world_events(&w, GM_EVENT_HEALTH, NULL), 1);
	gm_snapshot_unref(s);
	page_of_hung(false, T0 + 1000 + 21 * INTERVAL, T0 + 1000 + 21 * INTERVAL);
	s = world_look(&w, T0 + 1000 + 21 * INTERVAL);
	assert_int_equal(find(s, "GPU-a")->health, GM_HEALTH_OK);
	assert_true(gm_sample_has(&find(s, "GPU-a")->sample, GM_FIELD_TEMPERATURE));
	gm_snapshot_unref(s);
}

static void test_lost_device_is_unknown_when_its_source_falls_silent_too(void **state)
{
	(void)state;
	page_of_two(true, T0);
	for (int i = 1; i <= 3; i++)
		page_of_two(false, T0 + i * INTERVAL);
	const struct gm_snapshot *s = world_look(&w, T0 + 8 * INTERVAL);
	assert_int_equal(find(s, "GPU-a")->health, GM_HEALTH_UNKNOWN);
	assert_int_equal(find(s, "GPU-a")->health_reasons, GM_REASON(LOST) | GM_REASON(SILENT));
	gm_snapshot_unref(s);
	page_of_two(false, T0 + 9 * INTERVAL);
	s = world_look(&w, T0 + 9 * INTERVAL);
	assert_int_equal(find(s, "GPU-a")->health, GM_HEALTH_FAILED);
	gm_snapshot_unref(s);
	page_of_two(true, T0 + 10 * INTERVAL);
	s = world_look(&w, T0 + 10 * INTERVAL);
	assert_int_equal(find(s, "GPU-a")->health, GM_HEALTH_OK);
	gm_snapshot_unref(s);
}

static void test_silent_device_is_forgotten_and_comes_back_as_itself(void **state)
{
	(void)state;
	dcgm(A, "worker-01", "GPU-a", T0);
	uint32_t series = w.samples.items[0].series;
	const struct gm_snapshot *s = world_look(&w, T0 + 7 * DAY - 1);
	assert_int_equal(s->device_count, 1);
	gm_snapshot_unref(s);
	s = world_look(&w, T0 + 7 * DAY);
	assert_int_equal(s->device_count, 0);
	assert_int_equal(s->node_count, 0);
	assert_int_equal(s->totals.devices, 0);
	assert_int_equal(s->model_count, 0);
	gm_snapshot_unref(s);
	assert_int_equal(world_events(&w, GM_EVENT_DEVICE_GONE, NULL), 1);
	dcgm(B, "worker-02", "GPU-a", T0 + 8 * DAY);
	assert_int_equal(world_events(&w, GM_EVENT_DEVICE_NEW, NULL), 2);
	assert_int_equal(world_events(&w, GM_EVENT_DEVICE_MOVED, NULL), 0);
	s = world_look(&w, T0 + 8 * DAY);
	assert_int_equal(find(s, "GPU-a")->series, series);
	assert_int_equal(find(s, "GPU-a")->first_seen_ms, T0);
	gm_snapshot_unref(s);
}

/* ---- time */

static void test_sample_that_is_not_newer_is_counted_and_not_applied(void **state)
{
	static const int64_t offsets[] = { 0, -1, -10 * 60 * SECOND };
	(void)state;
	dcgm(A, "worker-01", "GPU-a", T0);
	for (size_t i = 0; i < GM_LEN(offsets); i++) {
		for (int k = 0; k < 5; k++)
			dcgm(A, "worker-01", "GPU-a", T0 + offsets[i]);
		assert_int_equal(w.result.refused, 1);
		assert_int_equal(w.result.applied, 0);
	}
	assert_int_equal(w.samples.count, 1);
	/* The time of the sample counts, not the page's. */
	draft_begin(&w.draft, A, GM_PAGE_DCGM, "worker-01", T0 + INTERVAL);
	draft_board(&w.draft, "GPU-a", 0)->sample.at_ms = T0 - 1;
	world_apply(&w);
	assert_int_equal(w.result.refused, 1);
}

static void test_far_step_back_that_lasts_three_pages_is_the_new_time(void **state)
{
	int64_t back = T0 - HOUR;
	(void)state;
	dcgm(A, "worker-01", "GPU-a", T0);
	dcgm(A, "worker-01", "GPU-a", back);
	dcgm(A, "worker-01", "GPU-a", back); /* a duplicate is not a second page of the new time */
	dcgm(A, "worker-01", "GPU-a", back + INTERVAL);
	assert_int_equal(w.samples.count, 1);
	dcgm(A, "worker-01", "GPU-a", back + 2 * INTERVAL);
	assert_int_equal(w.result.applied, 1);
	assert_int_equal(w.samples.items[1].sample.at_ms, back + 2 * INTERVAL);
	const struct gm_snapshot *s = world_look(&w, back + 2 * INTERVAL);
	assert_int_equal(find(s, "GPU-a")->sample.at_ms, back + 2 * INTERVAL);
	gm_snapshot_unref(s);
}

static void test_step_back_that_does_not_last_is_forgotten(void **state)
{
	(void)state;
	dcgm(A, "worker-01", "GPU-a", T0);
	for (int i = 1; i < 6; i++) {
		dcgm(A, "worker-01", "GPU-a", T0 - HOUR + i * INTERVAL);
		dcgm(A, "worker-01", "GPU-a", T0 - HOUR + i * INTERVAL + 1);
		assert_int_equal(w.result.refused, 1);
		dcgm(A, "worker-01", "GPU-a", T0 + i * INTERVAL);
		assert_int_equal(w.result.applied, 1);
	}
}

/* ---- limits, configuration, store */

static void test_page_beyond_the_limits_is_refused_whole(void **state)
{
	static char uuids[GM_PAGE_DEVICES_MAX + 1][16];
	(void)state;
	struct gm_err err;
	draft_begin(&w.draft, A, GM_PAGE_DCGM, "worker-01", T0);
	for (int i = 0; i <= GM_PAGE_DEVICES_MAX; i++) {
		(void)snprintf(uuids[i], sizeof(uuids[i]), "GPU-%d", i);
		draft_board(&w.draft, uuids[i], i);
	}
	assert_int_equal(gm_fleet_apply(w.fleet, &w.draft.page, NULL, &err), GM_ERR_TOO_LARGE);
	assert_false(gm_fleet_publish(w.fleet, T0));
	assert_int_equal(w.events.count, 0);
}

static struct gm_series_def board_def(uint32_t series, const char *uuid)
{
	return (struct gm_series_def){ .series = series,
				       .cluster = "default",
				       .uuid = uuid,
				       .node = "worker-01",
				       .id = "worker-01-GPU-00",
				       .model = "A100_80GB",
				       .product_name = "NVIDIA A100-SXM4-80GB",
				       .gi_id = -1,
				       .ci_id = -1,
				       .placement_start = -1,
				       .placement_size = -1,
				       .memory_total_bytes = 80 * GIB,
				       .first_seen_ms = T0 - DAY,
				       .last_seen_ms = T0 };
}

static struct gm_series_def slice_def(uint32_t series, const char *uuid, int gi_id, const char *profile)
{
	struct gm_series_def def = board_def(series, uuid);
	def.gi_id = gi_id;
	def.ci_id = 0;
	def.mig_uuid = "";
	def.profile = profile;
	return def;
}

static void test_fleet_has_at_most_200000_devices(void **state)
{
	char uuid[24];
	struct gm_err err;
	(void)state;
	for (uint32_t i = 0; i < GM_FLEET_DEVICES_MAX; i++) {
		char node[24];
		struct gm_series_def def = board_def(i + 1, uuid);
		(void)snprintf(uuid, sizeof(uuid), "GPU-%u", i);
		(void)snprintf(node, sizeof(node), "worker-%u", i / 50);
		def.node = node;
		assert_int_equal(gm_fleet_restore(w.fleet, &def, NULL), 0);
	}
	struct gm_series_def def = board_def(GM_FLEET_DEVICES_MAX + 1, "GPU-one-more");
	assert_int_equal(gm_fleet_restore(w.fleet, &def, &err), GM_ERR_TOO_LARGE);
	draft_begin(&w.draft, A, GM_PAGE_DCGM, "worker-0", T0);
	draft_board(&w.draft, "GPU-0", 0);
	draft_board(&w.draft, "GPU-one-more", 1);
	assert_int_equal(gm_fleet_apply(w.fleet, &w.draft.page, NULL, &err), GM_ERR_TOO_LARGE);
	assert_int_equal(w.samples.count, 0);
	w.draft.page.device_count = 1;
	world_apply(&w);
	assert_int_equal(w.result.applied, 1);
}

static void test_restored_device_is_unknown_until_a_source_speaks(void **state)
{
	(void)state;
	struct gm_series_def def = board_def(41, "GPU-a");
	assert_int_equal(gm_fleet_restore(w.fleet, &def, NULL), 0);
	const struct gm_snapshot *s = world_look(&w, T0 + HOUR);
	const struct gm_device *d = find(s, "GPU-a");
	assert_int_equal(d->series, 41);
	assert_int_equal(d->health, GM_HEALTH_UNKNOWN);
	assert_int_equal(d->health_reasons, GM_REASON(NEVER_SEEN));
	assert_string_equal(d->model, "A100_80GB");
	assert_int_equal(d->first_seen_ms, T0 - DAY);
	assert_int_equal(d->sample.at_ms, 0);
	assert_int_equal(s->nodes[0]->state, GM_NODE_UNKNOWN);
	gm_snapshot_unref(s);
	dcgm(A, "worker-01", "GPU-a", T0 + HOUR);
	assert_int_equal(world_events(&w, GM_EVENT_DEVICE_NEW, NULL), 0);
	assert_int_equal(world_events(&w, GM_EVENT_SOURCE_CHANGED, NULL), 0);
	assert_int_equal(w.series.count, 0);
	assert_int_equal(w.samples.items[0].series, 41);
	dcgm(B, "worker-02", "GPU-new", T0 + HOUR);
	assert_int_equal(w.series.items[0].series, 42);
}

static void test_the_store_hears_now_and_then_when_a_board_was_seen(void **state)
{
	(void)state;
	dcgm(A, "worker-01", "GPU-a", T0);
	assert_int_equal(w.series.count, 1);
	dcgm(A, "worker-01", "GPU-a", T0 + 6 * HOUR - 1);
	assert_int_equal(w.series.count, 1);
	dcgm(A, "worker-01", "GPU-a", T0 + 6 * HOUR);
	assert_int_equal(w.series.count, 2);
	assert_int_equal(w.series.items[1].series, w.series.items[0].series);
	assert_int_equal(w.series.items[1].last_seen_ms, T0 + 6 * HOUR);
}

static void test_restoring_twice_fails(void **state)
{
	(void)state;
	struct gm_err err;
	struct gm_series_def def = board_def(1, "GPU-a");
	struct gm_series_def slice = slice_def(2, "GPU-a", 1, "1g.10gb");
	assert_int_equal(gm_fleet_restore(w.fleet, &def, NULL), 0);
	assert_int_equal(gm_fleet_restore(w.fleet, &slice, NULL), 0);
	def.uuid = "GPU-b";
	assert_int_equal(gm_fleet_restore(w.fleet, &def, &err), GM_ERR_CONFLICT); /* the number */
	def = board_def(3, "GPU-a");
	assert_int_equal(gm_fleet_restore(w.fleet, &def, &err), GM_ERR_CONFLICT); /* the UUID */
	slice.series = 4;
	assert_int_equal(gm_fleet_restore(w.fleet, &slice, &err), GM_ERR_CONFLICT); /* the place */
	slice.uuid = "GPU-nobody";
	assert_int_equal(gm_fleet_restore(w.fleet, &slice, &err), GM_ERR_NOT_FOUND);
	slice.uuid = "";
	assert_int_equal(gm_fleet_restore(w.fleet, &slice, &err), GM_ERR_INVALID);
	dcgm(A, "worker-01", "GPU-a", T0 + 1);
	/* The number of one that was refused is taken all the same. */
	dcgm(B, "worker-02", "GPU-new", T0 + 1);
	assert_int_equal(w.series.items[w.series.count - 1].series, 5);
	def = board_def(9, "GPU-z");
	assert_int_equal(gm_fleet_restore(w.fleet, &def, &err), GM_ERR_INVALID); /* too late */
}

static void test_what_went_before_this_start_goes_unsaid(void **state)
{
	(void)state;
	struct gm_series_def def = board_def(1, "GPU-a");
	assert_int_equal(gm_fleet_restore(w.fleet, &def, NULL), 0);
	const struct gm_snapshot *s = world_look(&w, T0 + 8 * DAY);
	assert_int_equal(s->device_count, 0);
	assert_int_equal(w.events.count, 0);
	gm_snapshot_unref(s);
}

/* More than are remembered: the longest gone are new when they come back, the others are themselves. */
static void test_gone_devices_are_remembered_up_to_a_limit(void **state)
{
	enum { COUNT = 65536 + 10 };
	char uuid[24];
	(void)state;
	for (uint32_t i = 0; i < COUNT; i++) {
		char node[24];
		struct gm_series_def def = board_def(i + 1, uuid);
		(void)snprintf(uuid, sizeof(uuid), "GPU-%05u", i);
		(void)snprintf(node, sizeof(node), "worker-%05u", i / 50);
		def.node = node;
		def.last_seen_ms = T0 + i;
		assert_int_equal(gm_fleet_restore(w.fleet, &def, NULL), 0);
	}
	gm_snapshot_unref(world_look(&w, T0 + 7 * DAY + COUNT));
	dcgm(A, "worker-01", "GPU-00000", T0 + 8 * DAY);
	dcgm(B, "worker-02", "GPU-65545", T0 + 8 * DAY);
	const struct gm_snapshot *s = world_look(&w, T0 + 8 * DAY);
	assert_int_equal(s->device_count, 2);
	assert_int_equal(find(s, "GPU-00000")->series, COUNT + 1);
	assert_int_equal(find(s, "GPU-65545")->series, 65546);
	gm_snapshot_unref(s);
}

static void test_what_the_store_says_is_checked(void **state)
{
	static char long_text[GM_PAGE_TEXT_MAX + 2];
	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	struct gm_series_def bad[7];
	for (size_t i = 0; i < GM_LEN(bad); i++)
		bad[i] = board_def(1, "GPU-a");
	bad[0].series = 0;
	bad[1].index = -2;
	bad[2].ci_id = 0;
	bad[3].node = long_text;
	bad[4].cluster = "";
	bad[5].first_seen_ms = -1;
	bad[6].last_seen_ms = INT64_MAX;
	for (size_t i = 0; i < GM_LEN(bad); i++)
		assert_int_equal(gm_fleet_restore(w.fleet, &bad[i], NULL), GM_ERR_INVALID);
	assert_false(gm_fleet_publish(w.fleet, T0));
}

static bool only_a100(void *ctx, const char *cluster, const char *node, const char *model, const char *variant)
{
	(void)ctx;
	assert_string_equal(cluster, "default");
	return strcmp(node, "worker-01") == 0 && strcmp(model, "A100_80GB") == 0 && variant[0] != '\0';
}

static int64_t six(void *ctx, const char *model, const char *variant)
{
	(void)ctx;
	(void)variant;
	return strcmp(model, "A100_80GB") == 0 ? 6000000 : -1;
}

static void test_new_configuration_takes_effect_with_the_next_publish(void **state)
{
	(void)state;
	dcgm(A, "worker-01", "GPU-a", T0);
	draft_begin(&w.draft, B, GM_PAGE_DCGM, "worker-02", T0);
	draft_board(&w.draft, "GPU-b", 0)->product_name = GM_STR("Foo X-9000");
	world_apply(&w);
	const struct gm_snapshot *before = world_look(&w, T0);
	assert_int_equal(before->totals.managed, 2);
	assert_int_equal(before->totals.priced, 0);
	gm_fleet_reconfigure(w.fleet, &(struct gm_fleet_conf){ .managed = only_a100, .hourly_micros = six });
	const struct gm_snapshot *s = world_look(&w, T0 + 1);
	assert_int_equal(s->totals.managed, 1);
	assert_int_equal(s->totals.priced, 1);
	assert_int_equal(s->totals.hourly_micros, 6000000);
	assert_int_equal(find(s, "GPU-a")->hourly_micros, 6000000);
	assert_string_equal(find(s, "GPU-b")->model, "FOO_X_9000");
	assert_int_equal(s->changed_count, 2);
	gm_fleet_reconfigure(w.fleet, &(struct gm_fleet_conf){ .managed = only_a100, .hourly_micros = six });
	assert_false(gm_fleet_publish(w.fleet, T0 + 2));
	gm_snapshot_unref(before);
	gm_snapshot_unref(s);
}

static void test_shorter_memory_takes_effect_with_the_next_publish(void **state)
{
	(void)state;
	dcgm(A, "worker-01", "GPU-a", T0);
	gm_snapshot_unref(world_look(&w, T0 + HOUR));
	gm_fleet_reconfigure(w.fleet, &(struct gm_fleet_conf){ .forget_ms = HOUR });
	const struct gm_snapshot *s = world_look(&w, T0 + HOUR);
	assert_int_equal(s->device_count, 0);
	gm_snapshot_unref(s);
}

/* ---- health */

static void test_health_is_told_when_it_changes(void **state)
{
	static const struct {
		int64_t temperature;
		unsigned events;
		enum gm_health from, to;
	} rows[] = {
		{ 500, 0, 0, 0 },
		{ 950, 1, GM_HEALTH_OK, GM_HEALTH_DEGRADED },
		{ 960, 0, 0, 0 },
		{ 500, 1, GM_HEALTH_DEGRADED, GM_HEALTH_OK },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		struct told e = { 0 };
		world_quiet(&w);
		draft_begin(&w.draft, A, GM_PAGE_DCGM, "worker-01", T0 + (int64_t)i * INTERVAL);
		draft_set(&draft_board(&w.draft, "GPU-a", 0)->sample, GM_FIELD_TEMPERATURE, rows[i].temperature);
		w.draft.devices[0].temperature_limit_c = 92;
		world_apply(&w);
		assert_int_equal(world_events(&w, GM_EVENT_HEALTH, &e), rows[i].events);
		assert_int_equal(e.from, rows[i].from);
		assert_int_equal(e.to, rows[i].to);
	}
}

static void test_xid_is_told_when_it_changes(void **state)
{
	static const struct {
		int64_t xid;
		unsigned events;
		const char *text;
	} rows[] = { { 0, 0, "" }, { 31, 1, "application" }, { 31, 0, "" }, { 79, 1, "hardware" }, { 0, 0, "" } };
	(void)state;
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		struct told e = { 0 };
		world_quiet(&w);
		draft_begin(&w.draft, A, GM_PAGE_DCGM, "worker-01", T0 + (int64_t)i * INTERVAL);
		draft_set(&draft_board(&w.draft, "GPU-a", 0)->sample, GM_FIELD_XID, rows[i].xid);
		world_apply(&w);
		assert_int_equal(world_events(&w, GM_EVENT_XID, &e), rows[i].events);
		assert_int_equal(e.number, rows[i].events ? rows[i].xid : 0);
		assert_string_equal(e.text, rows[i].text);
	}
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(test_new_device_is_told_before_its_first_sample),
		RULE(test_device_that_moves_index_keeps_its_series),
		RULE(test_device_that_moves_node_keeps_its_series),
		RULE(test_same_source_may_rename_the_node),
		RULE(test_second_node_is_a_duplicate_until_the_first_was_silent_three_intervals),
		RULE(test_duplicate_that_comes_up_anew_is_said_anew),
		RULE(test_several_duplicates_are_said_once_each),
		RULE(test_better_source_wins_at_once),
		RULE(test_equal_or_lesser_source_waits_three_intervals),
		RULE(test_two_sources_never_flap),
		RULE(test_removed_target_is_not_waited_for),
		RULE(test_stale_after_two_intervals_and_five_seconds),
		RULE(test_unknown_after_five_intervals_and_back_with_the_next_page),
		RULE(test_short_intervals_are_stale_before_unknown),
		RULE(test_device_left_out_of_three_pages_is_lost),
		RULE(test_lost_device_is_failed_while_its_source_answers_and_gone_after_a_day),
		RULE(test_hung_driver_is_told_at_once_and_ends_with_the_next_sample),
		RULE(test_lost_device_is_unknown_when_its_source_falls_silent_too),
		RULE(test_silent_device_is_forgotten_and_comes_back_as_itself),
		RULE(test_sample_that_is_not_newer_is_counted_and_not_applied),
		RULE(test_far_step_back_that_lasts_three_pages_is_the_new_time),
		RULE(test_step_back_that_does_not_last_is_forgotten),
		RULE(test_page_beyond_the_limits_is_refused_whole),
		RULE(test_fleet_has_at_most_200000_devices),
		RULE(test_the_store_hears_now_and_then_when_a_board_was_seen),
		RULE(test_restored_device_is_unknown_until_a_source_speaks),
		RULE(test_restoring_twice_fails),
		RULE(test_gone_devices_are_remembered_up_to_a_limit),
		RULE(test_what_the_store_says_is_checked),
		RULE(test_what_went_before_this_start_goes_unsaid),
		RULE(test_new_configuration_takes_effect_with_the_next_publish),
		RULE(test_shorter_memory_takes_effect_with_the_next_publish),
		RULE(test_health_is_told_when_it_changes),
		RULE(test_xid_is_told_when_it_changes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
