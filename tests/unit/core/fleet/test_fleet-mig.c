/* SPDX-License-Identifier: MIT */
#include "fleet-world.h"

#include "core/fleet/fleet.h"

/* The rules of fleet.h for boards in MIG mode. */

#define A "http://a:9400/metrics"

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

static struct gm_obs_device *board(int64_t at_ms)
{
	draft_begin(&w.draft, A, GM_PAGE_DCGM, "worker-01", at_ms);
	struct gm_obs_device *d = draft_board(&w.draft, "GPU-a", 0);
	d->mig_mode = GM_MIG_ON;
	return d;
}

static struct gm_obs_instance *slice(int gi_id, const char *profile, int64_t active_centi)
{
	struct gm_obs_instance *in = draft_slice(&w.draft, gi_id, profile);
	if (active_centi >= 0)
		draft_set(&in->sample, GM_FIELD_GR_ENGINE_ACTIVE, active_centi);
	return in;
}

/* Applies the draft, publishes, and hands out the board. The caller drops the snapshot. */
static const struct gm_snapshot *look(const struct gm_device **out)
{
	world_apply(&w);
	const struct gm_snapshot *s = world_look(&w, w.draft.page.at_ms);
	*out = find(s, "GPU-a");
	return s;
}

static void check_utilization(enum gm_validity validity, int64_t value)
{
	const struct gm_device *d;
	const struct gm_snapshot *s = look(&d);
	assert_int_equal(d->sample.validity[GM_FIELD_UTILIZATION], validity);
	assert_int_equal(d->sample.value[GM_FIELD_UTILIZATION], value);
	assert_int_equal(gm_sample_has(&d->sample, GM_FIELD_UTILIZATION),
			 validity == GM_DERIVED || validity == GM_MEASURED);
	gm_snapshot_unref(s);
}

static void test_slice_utilization_is_its_profiling_value_else_unsupported(void **state)
{
	(void)state;
	board(T0);
	slice(1, "3g.40gb", 5340);
	slice(2, "3g.40gb", -1);
	const struct gm_device *d;
	const struct gm_snapshot *s = look(&d);
	assert_int_equal(d->instances[0].sample.value[GM_FIELD_UTILIZATION], 5340);
	assert_int_equal(d->instances[0].sample.validity[GM_FIELD_UTILIZATION], GM_MEASURED);
	assert_int_equal(d->instances[1].sample.validity[GM_FIELD_UTILIZATION], GM_UNSUPPORTED);
	assert_false(gm_sample_has(&d->instances[1].sample, GM_FIELD_UTILIZATION));
	/* What the listener (history, store) gets is what readers see. */
	assert_int_equal(w.samples.items[1].sample.value[GM_FIELD_UTILIZATION], 5340);
	gm_snapshot_unref(s);
}

static void test_board_utilization_is_the_mean_of_measured_slices_by_compute_slices(void **state)
{
	(void)state;
	board(T0);
	slice(1, "1g.10gb", 1000);
	slice(2, "2g.20gb", 4000);
	slice(3, "3g.40gb", -1); /* not measured: neither value nor weight */
	check_utilization(GM_DERIVED, 3000);
	board(T0 + INTERVAL);
	slice(1, "1g.10gb", 0);
	slice(2, "2g.20gb", 1); /* 2/3 rounds up */
	check_utilization(GM_DERIVED, 1);
}

static void test_profile_the_catalogue_has_not_weighs_what_its_name_says(void **state)
{
	(void)state;
	board(T0)->product_name = GM_STR("Foo X-9000");
	slice(1, "1g.12gb", 1000);
	slice(2, "3g.47gb", 5000);
	slice(3, "1c.4g.71gb", 9000);
	check_utilization(GM_DERIVED, (1000 + 15000 + 9000) / 5);
	board(T0 + INTERVAL)->product_name = GM_STR("Foo X-9000");
	slice(1, "", 1000);
	slice(2, "strange", 3000);
	check_utilization(GM_DERIVED, 2000);
}

static void test_board_that_tells_its_utilization_is_believed(void **state)
{
	(void)state;
	draft_set(&board(T0)->sample, GM_FIELD_UTILIZATION, 7700);
	slice(1, "1g.10gb", 1000);
	check_utilization(GM_MEASURED, 7700);
}

static void test_board_without_measured_slices_has_no_utilization(void **state)
{
	(void)state;
	board(T0);
	check_utilization(GM_UNSUPPORTED, 0);
	board(T0 + INTERVAL);
	slice(1, "1g.10gb", -1);
	check_utilization(GM_UNSUPPORTED, 0);
	/* An error of the source is not hidden behind a derived value. */
	gm_sample_miss(&board(T0 + 2 * INTERVAL)->sample, GM_FIELD_UTILIZATION, GM_ERROR, GM_SOURCE_DCGM);
	slice(1, "1g.10gb", 1000);
	check_utilization(GM_ERROR, 0);
	/* Not in MIG mode: what was not told is not told. */
	board(T0 + 3 * INTERVAL)->mig_mode = GM_MIG_OFF;
	check_utilization(GM_ABSENT, 0);
}

static void check_memory_used(enum gm_validity validity, int64_t value)
{
	const struct gm_device *d;
	const struct gm_snapshot *s = look(&d);
	assert_int_equal(d->sample.validity[GM_FIELD_MEMORY_USED], validity);
	assert_int_equal(d->sample.value[GM_FIELD_MEMORY_USED], value);
	gm_snapshot_unref(s);
}

static void test_memory_used_is_the_boards_else_the_sum(void **state)
{
	(void)state;
	board(T0);
	draft_set(&slice(1, "3g.40gb", -1)->sample, GM_FIELD_MEMORY_USED, 3 * GIB);
	draft_set(&slice(2, "3g.40gb", -1)->sample, GM_FIELD_MEMORY_USED, 4 * GIB);
	check_memory_used(GM_DERIVED, 7 * GIB);
	draft_set(&board(T0 + INTERVAL)->sample, GM_FIELD_MEMORY_USED, 9 * GIB);
	draft_set(&slice(1, "3g.40gb", -1)->sample, GM_FIELD_MEMORY_USED, 3 * GIB);
	check_memory_used(GM_MEASURED, 9 * GIB);
}

static void test_part_of_the_memory_is_no_sum(void **state)
{
	(void)state;
	board(T0);
	draft_set(&slice(1, "3g.40gb", -1)->sample, GM_FIELD_MEMORY_USED, 3 * GIB);
	slice(2, "3g.40gb", -1);
	check_memory_used(GM_ABSENT, 0);
}

static void test_compute_instances_share_their_memory(void **state)
{
	(void)state;
	board(T0);
	draft_set(&slice(1, "1c.3g.40gb", -1)->sample, GM_FIELD_MEMORY_USED, 3 * GIB);
	struct gm_obs_instance *second = slice(1, "1c.3g.40gb", -1);
	second->ci_id = 1;
	draft_set(&second->sample, GM_FIELD_MEMORY_USED, 3 * GIB);
	const struct gm_device *d;
	const struct gm_snapshot *s = look(&d);
	assert_int_equal(d->sample.value[GM_FIELD_MEMORY_USED], 3 * GIB);
	assert_int_equal(s->totals.gpu_instances, 1);
	assert_int_equal(s->totals.mig_instances, 2);
	assert_int_equal(s->totals.mig_enabled, 1);
	gm_snapshot_unref(s);
}

static void test_nothing_else_is_summed(void **state)
{
	(void)state;
	board(T0);
	for (int gi = 1; gi <= 2; gi++) {
		struct gm_obs_instance *in = slice(gi, "3g.40gb", 1000);
		for (int f = 0; f < GM_FIELD_COUNT; f++)
			draft_set(&in->sample, (enum gm_field)f, 100);
	}
	const struct gm_device *d;
	const struct gm_snapshot *s = look(&d);
	assert_int_equal(d->sample.valid, UINT64_C(1) << GM_FIELD_UTILIZATION | UINT64_C(1) << GM_FIELD_MEMORY_USED);
	assert_int_equal(s->totals.power_count, 0);
	gm_snapshot_unref(s);
}

static void test_instances_stand_by_their_ids(void **state)
{
	(void)state;
	board(T0);
	slice(5, "1g.10gb", 500);
	slice(1, "3g.40gb", 100);
	slice(5, "1g.10gb", 501)->ci_id = 1;
	slice(2, "2g.20gb", 200);
	const struct gm_device *d;
	const struct gm_snapshot *s = look(&d);
	static const int gis[] = { 1, 2, 5, 5 };
	static const int64_t values[] = { 100, 200, 500, 501 };
	for (size_t i = 0; i < GM_LEN(gis); i++) {
		assert_int_equal(d->instances[i].gi_id, gis[i]);
		assert_int_equal(d->instances[i].sample.value[GM_FIELD_GR_ENGINE_ACTIVE], values[i]);
	}
	assert_string_equal(d->instances[3].id, "worker-01-GPU-00-MIG-5.1");
	assert_non_null(d->instances[0].known);
	assert_int_equal(d->instances[0].known->compute_slices, 3);
	gm_snapshot_unref(s);
}

struct slice_facts {
	const char *profile, *uuid;
	int start, size;
};

static uint32_t series_of(const struct slice_facts *facts)
{
	static int64_t at_ms = T0;
	at_ms += INTERVAL;
	board(at_ms);
	struct gm_obs_instance *in = slice(1, facts->profile, 1000);
	in->uuid = gm_str(facts->uuid);
	in->placement_start = facts->start;
	in->placement_size = facts->size;
	const struct gm_device *d;
	const struct gm_snapshot *s = look(&d);
	uint32_t series = d->instances[0].series;
	gm_snapshot_unref(s);
	return series;
}

static void test_series_begins_anew_when_profile_placement_or_uuid_change(void **state)
{
	static const struct {
		struct slice_facts facts;
		int same_as; /* row */
	} rows[] = {
		{ { "1g.10gb", "MIG-1", 0, 1 }, 0 }, { { "1g.10gb", "MIG-1", 0, 1 }, 0 },
		{ { "1g.10gb", "", -1, -1 }, 0 }, /* not told is not changed */
		{ { "1g.20gb", "MIG-1", 0, 1 }, 3 }, { { "1g.20gb", "MIG-2", 0, 1 }, 4 },
		{ { "1g.20gb", "MIG-2", 2, 1 }, 5 }, { { "1g.20gb", "MIG-2", 2, 2 }, 6 },
		{ { "1g.20gb", "MIG-2", 0, 1 }, 4 }, /* back as it was */
		{ { "1g.10gb", "MIG-1", 0, 1 }, 0 },
	};
	uint32_t series[GM_LEN(rows)];
	(void)state;
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		series[i] = series_of(&rows[i].facts);
		for (size_t k = 0; k < i; k++)
			assert_int_equal(series[k] == series[i], rows[k].same_as == rows[i].same_as);
	}
}

static void test_former_series_are_remembered_up_to_a_limit(void **state)
{
	uint32_t series[40];
	char profile[24];
	(void)state;
	for (int i = 0; i < 40; i++) {
		(void)snprintf(profile, sizeof(profile), "1g.%dgb", i + 1);
		series[i] = series_of(&(struct slice_facts){ profile, "", -1, -1 });
	}
	assert_int_equal(series_of(&(struct slice_facts){ "1g.39gb", "", -1, -1 }), series[38]);
	assert_int_not_equal(series_of(&(struct slice_facts){ "1g.1gb", "", -1, -1 }), series[0]);
}

static void test_what_is_learnt_later_goes_on_with_the_series(void **state)
{
	(void)state;
	uint32_t before = series_of(&(struct slice_facts){ "1g.10gb", "", -1, -1 });
	world_quiet(&w);
	assert_int_equal(series_of(&(struct slice_facts){ "1g.10gb", "MIG-9", 3, 1 }), before);
	assert_int_equal(w.series.count, 1); /* the store is told */
	assert_int_equal(w.series.items[0].series, before);
	assert_int_equal(world_events(&w, GM_EVENT_MIG_CHANGED, NULL), 0);
	assert_int_not_equal(series_of(&(struct slice_facts){ "1g.10gb", "MIG-8", 3, 1 }), before);
}

static void test_instances_that_come_or_go_are_told(void **state)
{
	const struct gm_device *d;
	(void)state;
	board(T0);
	slice(1, "3g.40gb", 0);
	gm_snapshot_unref(look(&d));
	assert_int_equal(world_events(&w, GM_EVENT_MIG_CHANGED, NULL), 0); /* the first sight is no change */
	board(T0 + INTERVAL);
	slice(1, "3g.40gb", 0);
	slice(2, "3g.40gb", 0);
	const struct gm_snapshot *two = look(&d);
	assert_int_equal(world_events(&w, GM_EVENT_MIG_CHANGED, NULL), 1);
	assert_int_equal(d->instance_count, 2);
	board(T0 + 2 * INTERVAL);
	const struct gm_snapshot *none = look(&d);
	assert_int_equal(world_events(&w, GM_EVENT_MIG_CHANGED, NULL), 2);
	assert_int_equal(d->instance_count, 0);
	/* Positions of devices hold meanwhile. */
	assert_int_equal(none->layout_seq, two->layout_seq);
	assert_int_equal(none->changed_count, 1);
	gm_snapshot_unref(two);
	gm_snapshot_unref(none);
}

static void test_instances_keep_their_series_when_the_board_moves(void **state)
{
	const struct gm_device *d;
	(void)state;
	board(T0);
	slice(1, "3g.40gb", 0);
	const struct gm_snapshot *s = look(&d);
	uint32_t series = d->instances[0].series;
	gm_snapshot_unref(s);
	world_quiet(&w);
	board(T0 + INTERVAL)->index = 4;
	slice(1, "3g.40gb", 0);
	s = look(&d);
	assert_int_equal(d->instances[0].series, series);
	assert_string_equal(d->instances[0].id, "worker-01-GPU-04-MIG-1.0");
	assert_int_equal(w.series.count, 2); /* the board, then the instance */
	assert_int_equal(w.series.items[0].gi_id, -1);
	assert_int_equal(w.series.items[1].series, series);
	gm_snapshot_unref(s);
}

static void test_restored_instance_goes_on_with_its_series(void **state)
{
	struct gm_series_def def = { .series = 7,
				     .cluster = "default",
				     .uuid = "GPU-a",
				     .node = "worker-01",
				     .model = "A100_80GB",
				     .product_name = "NVIDIA A100-SXM4-80GB",
				     .gi_id = -1,
				     .ci_id = -1,
				     .placement_start = -1,
				     .placement_size = -1,
				     .memory_total_bytes = -1,
				     .first_seen_ms = T0 - DAY,
				     .last_seen_ms = T0 - 1 };
	(void)state;
	assert_int_equal(gm_fleet_restore(w.fleet, &def, NULL), 0);
	def.gi_id = 1;
	def.ci_id = 0;
	def.mig_uuid = "";
	def.series = 8;
	def.profile = "7g.80gb"; /* a layout of before */
	assert_int_equal(gm_fleet_restore(w.fleet, &def, NULL), 0);
	def.series = 9;
	def.profile = "3g.40gb";
	assert_int_equal(gm_fleet_restore(w.fleet, &def, NULL), 0);
	board(T0);
	slice(1, "3g.40gb", 0);
	slice(2, "3g.40gb", 0);
	const struct gm_device *d;
	const struct gm_snapshot *s = look(&d);
	assert_int_equal(d->instances[0].series, 9);
	assert_int_equal(d->instances[1].series, 10);
	gm_snapshot_unref(s);
}

static void test_profiles_and_workloads_are_counted(void **state)
{
	const struct gm_device *d;
	(void)state;
	struct gm_obs_device *b = board(T0);
	(void)b;
	struct gm_obs_instance *in = slice(1, "2g.20gb", 0);
	draft_pod(&w.draft, &in->pods_count, "one");
	in = slice(2, "2g.20gb", 0);
	draft_pod(&w.draft, &in->pods_count, "one"); /* the same pod on two slices is one workload */
	draft_pod(&w.draft, &in->pods_count, "two");
	slice(3, "3g.40gb", 0);
	const struct gm_snapshot *s = look(&d);
	assert_int_equal(s->workloads, 2);
	assert_int_equal(s->profile_count, 2);
	assert_string_equal(s->profiles[0].profile, "2g.20gb");
	assert_int_equal(s->profiles[0].total, 2);
	assert_int_equal(s->profiles[0].held, 2);
	assert_int_equal(s->profiles[1].held, 0);
	assert_string_equal(d->instances[1].pods[1].pod, "two");
	assert_string_equal(d->instances[1].pods[1].uid, "");
	assert_int_equal(d->pod_count, 0);
	gm_snapshot_unref(s);
	board(T0 + INTERVAL);
	slice(1, "2g.20gb", 0);
	s = look(&d);
	assert_int_equal(s->workloads, 0);
	assert_int_equal(s->profile_count, 1);
	assert_int_equal(s->profiles[0].held, 0);
	gm_snapshot_unref(s);
}

static void test_absurd_values_overflow_nothing(void **state)
{
	static const int64_t absurd[] = { INT64_MAX, INT64_MIN, -1 };
	const struct gm_device *d;
	(void)state;
	for (size_t i = 0; i < GM_LEN(absurd); i++) {
		struct gm_obs_device *b = board(T0 + (int64_t)i * INTERVAL);
		b->memory_total_bytes = absurd[i];
		b->temperature_limit_c = absurd[i];
		for (int f = 0; f < GM_FIELD_COUNT; f++)
			if (f != GM_FIELD_MEMORY_USED && f != GM_FIELD_UTILIZATION)
				draft_set(&b->sample, (enum gm_field)f, absurd[i]);
		for (int gi = 0; gi < 2; gi++) {
			struct gm_obs_instance *in = slice(gi, "64g.1gb", absurd[i]);
			in->memory_total_bytes = absurd[i];
			draft_set(&in->sample, GM_FIELD_MEMORY_USED, absurd[i]);
		}
		const struct gm_snapshot *s = look(&d);
		assert_int_equal(s->totals.power_count, 0);
		assert_int_equal(s->totals.utilization_count, 0);
		assert_int_equal(s->totals.memory_used_bytes, 0);
		gm_snapshot_unref(s);
	}
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(test_slice_utilization_is_its_profiling_value_else_unsupported),
		RULE(test_board_utilization_is_the_mean_of_measured_slices_by_compute_slices),
		RULE(test_profile_the_catalogue_has_not_weighs_what_its_name_says),
		RULE(test_board_that_tells_its_utilization_is_believed),
		RULE(test_board_without_measured_slices_has_no_utilization),
		RULE(test_memory_used_is_the_boards_else_the_sum),
		RULE(test_part_of_the_memory_is_no_sum),
		RULE(test_compute_instances_share_their_memory),
		RULE(test_nothing_else_is_summed),
		RULE(test_instances_stand_by_their_ids),
		RULE(test_series_begins_anew_when_profile_placement_or_uuid_change),
		RULE(test_former_series_are_remembered_up_to_a_limit),
		RULE(test_what_is_learnt_later_goes_on_with_the_series),
		RULE(test_instances_that_come_or_go_are_told),
		RULE(test_instances_keep_their_series_when_the_board_moves),
		RULE(test_restored_instance_goes_on_with_its_series),
		RULE(test_profiles_and_workloads_are_counted),
		RULE(test_absurd_values_overflow_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
