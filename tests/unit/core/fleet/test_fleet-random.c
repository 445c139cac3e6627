/* SPDX-License-Identifier: MIT */
#include "fleet-world.h"

#include "base/hash.h"
#include "core/fleet/fleet.h"
#include "../../base/test-random.h"

/*
 * Worlds at random: boards come, go, move, fall silent, change their MIG layout and their pods, clocks step. After each
 * publish everything that the fleet keeps by differences is counted anew from the devices and compared.
 */

#define NODES 14
#define BOARDS 60
#define TICKS 500
#define SEEDS 6
#define HELD 5
#define SERIES_MAX 65536

struct board {
	char uuid[24];
	int node; /* -1: nowhere */
	int index;
	bool mig;
	int slices;
	int pod; /* -1: none */
};

struct random_world {
	struct gm_fleet *fleet;
	struct draft draft;
	struct board boards[BOARDS];
	bool away[NODES];
	int64_t now_ms;
	int64_t rate_micros;
	int64_t temperature[SERIES_MAX]; /* as the listener heard it last, by series; 0: never */
	struct {
		const struct gm_snapshot *snapshot;
		uint64_t sum;
	} held[HELD];
};
static struct random_world r;

static void hear_sample(void *ctx, uint32_t series, const struct gm_sample *sample)
{
	(void)ctx;
	assert_true(series > 0 && series < SERIES_MAX);
	r.temperature[series] = sample->value[GM_FIELD_TEMPERATURE];
}

static bool odd_node_managed(void *ctx, const char *cluster, const char *node, const char *model, const char *variant)
{
	(void)ctx;
	(void)cluster;
	(void)model;
	(void)variant;
	return (node[strlen(node) - 1] - '0') % 2 != 0;
}

static int64_t rate(void *ctx, const char *model, const char *variant)
{
	(void)ctx;
	(void)variant;
	return model[0] == 'H' ? r.rate_micros : -1;
}

static void conf_send(bool first)
{
	const struct gm_fleet_conf conf = { .forget_ms = HOUR, .managed = odd_node_managed, .hourly_micros = rate };
	const struct gm_fleet_listener listener = { .sample = hear_sample };
	if (first)
		r.fleet = gm_fleet_new(&conf, &listener);
	else
		gm_fleet_reconfigure(r.fleet, &conf);
}

static bool chance(unsigned percent)
{
	return test_random_below(100) < percent;
}

static int below(unsigned bound)
{
	return (int)test_random_below(bound);
}

/* ---- what happens */

static void fill_sample(struct gm_sample *s)
{
	draft_set(s, GM_FIELD_TEMPERATURE, 300 + below(700));
	if (chance(70))
		draft_set(s, GM_FIELD_UTILIZATION, below(10001));
	if (chance(70))
		draft_set(s, GM_FIELD_MEMORY_USED, below(80) * GIB);
	if (chance(70))
		draft_set(s, GM_FIELD_POWER, below(700000));
	if (chance(3))
		draft_set(s, GM_FIELD_XID, chance(50) ? 79 : 0);
}

static void fill_board(const struct board *b)
{
	static const char *const products[] = { "NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-80GB", "Foo X" };
	static const char *const profiles[] = { "1g.10gb", "2g.20gb", "3g.40gb" };
	static const char *const pods[] = { "a", "b", "c", "d" };
	struct gm_obs_device *d = draft_board(&r.draft, b->uuid, b->index);
	d->product_name = gm_str(products[(b - r.boards) % 3]);
	d->mig_mode = b->mig ? GM_MIG_ON : GM_MIG_OFF;
	fill_sample(&d->sample);
	if (b->pod >= 0)
		draft_pod(&r.draft, &d->pods_count, pods[b->pod]);
	for (int i = 0; b->mig && i < b->slices; i++) {
		struct gm_obs_instance *in = draft_slice(&r.draft, 6 - i, profiles[i % 3]);
		draft_set(&in->sample, GM_FIELD_GR_ENGINE_ACTIVE, below(10001));
		if (b->pod >= 0 && i < 2)
			draft_pod(&r.draft, &in->pods_count, pods[(b->pod + i) % 4]);
	}
}

static void send_page(int node)
{
	static char target[32], name[32];
	bool agent = chance(20);
	(void)snprintf(target, sizeof(target), "%s-%d", agent ? "agent" : "exporter", node);
	(void)snprintf(name, sizeof(name), "worker-%d", node);
	draft_begin(&r.draft, target, agent ? GM_PAGE_AGENT : GM_PAGE_DCGM, name, r.now_ms);
	r.draft.page.interval_ms = 5 * SECOND;
	for (int i = 0; i < BOARDS; i++)
		if (r.boards[i].node == node && !chance(3))
			fill_board(&r.boards[i]);
	assert_int_equal(gm_fleet_apply(r.fleet, &r.draft.page, NULL, NULL), 0);
	if (chance(1))
		gm_fleet_target_removed(r.fleet, gm_str(target));
}

static void shake_board(struct board *b)
{
	switch (below(6)) {
	case 0:
		b->node = chance(20) ? -1 : below(NODES);
		b->index = below(12);
		break;
	case 1:
		b->mig = !b->mig;
		break;
	case 2:
		b->slices = below(7);
		break;
	default:
		b->pod = below(5) - 1;
		break;
	}
}

static void tick(void)
{
	r.now_ms += chance(1) ? (chance(50) ? 10 * 60 * SECOND : -2 * HOUR) : SECOND;
	for (int i = below(3); i > 0; i--)
		shake_board(&r.boards[below(BOARDS)]);
	if (chance(5)) {
		bool *away = &r.away[below(NODES)];
		*away = !*away;
	}
	if (chance(2)) {
		r.rate_micros = below(9) * 1000000;
		conf_send(false);
	}
	for (int i = below(5); i > 0; i--) {
		int node = below(NODES);
		if (!r.away[node])
			send_page(node);
	}
}

/* ---- what must hold */

static bool same_sample(const struct gm_sample *a, const struct gm_sample *b)
{
	return a->at_ms == b->at_ms && a->valid == b->valid && memcmp(a->value, b->value, sizeof(a->value)) == 0 &&
	       memcmp(a->validity, b->validity, sizeof(a->validity)) == 0 &&
	       memcmp(a->source, b->source, sizeof(a->source)) == 0;
}

static bool same_pods(const struct gm_pod_ref *a, size_t a_count, const struct gm_pod_ref *b, size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++)
		if (strcmp(a[i].pod, b[i].pod) != 0 || strcmp(a[i].namespace_, b[i].namespace_) != 0)
			return false;
	return true;
}

static bool same_instance(const struct gm_instance *a, const struct gm_instance *b)
{
	return a->series == b->series && strcmp(a->id, b->id) == 0 && strcmp(a->profile, b->profile) == 0 &&
	       same_sample(&a->sample, &b->sample) && same_pods(a->pods, a->pod_count, b->pods, b->pod_count);
}

static bool same_device(const struct gm_device *a, const struct gm_device *b)
{
	if (a->series != b->series || strcmp(a->id, b->id) != 0 || strcmp(a->target, b->target) != 0 ||
	    strcmp(a->model, b->model) != 0 || a->mig_mode != b->mig_mode || a->managed != b->managed ||
	    a->health != b->health || a->health_reasons != b->health_reasons || a->source != b->source ||
	    a->last_seen_ms != b->last_seen_ms || a->hourly_micros != b->hourly_micros ||
	    !same_sample(&a->sample, &b->sample) || a->instance_count != b->instance_count ||
	    !same_pods(a->pods, a->pod_count, b->pods, b->pod_count))
		return false;
	for (size_t i = 0; i < a->instance_count; i++)
		if (!same_instance(&a->instances[i], &b->instances[i]))
			return false;
	return true;
}

static bool same_node(const struct gm_node *a, const struct gm_node *b)
{
	if (a->device_count != b->device_count || a->state != b->state || a->last_seen_ms != b->last_seen_ms)
		return false;
	for (size_t i = 0; i < a->device_count; i++)
		if (!same_device(&a->devices[i], &b->devices[i]))
			return false;
	return true;
}

static void add_device(struct gm_totals *t, const struct gm_device *d)
{
	const struct gm_sample *s = &d->sample;
	t->devices++;
	t->health[d->health]++;
	t->mig_enabled += d->mig_mode == GM_MIG_ON;
	t->mig_instances += (uint32_t)d->instance_count;
	t->gpu_instances += (uint32_t)d->instance_count; /* one compute instance each, here */
	t->managed += d->managed;
	t->priced += d->hourly_micros >= 0;
	t->hourly_micros += d->hourly_micros >= 0 ? d->hourly_micros : 0;
	t->memory_total_bytes += d->memory_total_bytes > 0 ? d->memory_total_bytes : 0;
	if (s->valid >> GM_FIELD_UTILIZATION & 1) {
		t->utilization_count++;
		t->utilization_sum += s->value[GM_FIELD_UTILIZATION];
		t->utilization_histogram[s->value[GM_FIELD_UTILIZATION] / 100]++;
		t->idle += s->value[GM_FIELD_UTILIZATION] < 500;
	}
	t->hot += (s->valid >> GM_FIELD_TEMPERATURE & 1) && s->value[GM_FIELD_TEMPERATURE] > 850;
	if (s->valid >> GM_FIELD_MEMORY_USED & 1) {
		t->memory_count++;
		t->memory_used_bytes += s->value[GM_FIELD_MEMORY_USED];
	}
	if (s->valid >> GM_FIELD_POWER & 1) {
		t->power_count++;
		t->power_mw += s->value[GM_FIELD_POWER];
	}
}

static void check_totals(const struct gm_snapshot *s)
{
	struct gm_totals all = { 0 };
	uint32_t states[GM_NODE_STATE_COUNT] = { 0 };
	for (size_t i = 0; i < s->node_count; i++) {
		const struct gm_node *n = s->nodes[i];
		struct gm_totals one = { 0 };
		for (size_t k = 0; k < n->device_count; k++) {
			add_device(&one, &n->devices[k]);
			add_device(&all, &n->devices[k]);
		}
		assert_true(same_totals(&n->totals, &one));
		assert_true(n->device_count > 0);
		states[n->state]++;
	}
	assert_true(same_totals(&s->totals, &all));
	assert_memory_equal(states, s->node_states, sizeof(states));
}

static void check_models(const struct gm_snapshot *s)
{
	uint32_t sum = 0;
	for (size_t m = 0; m < s->model_count; m++) {
		uint32_t count = 0;
		for (size_t i = 0; i < s->device_count; i++)
			count += strcmp(s->devices[i]->model, s->models[m].model) == 0;
		assert_int_equal(s->models[m].devices, count);
		assert_true(m == 0 || strcmp(s->models[m - 1].model, s->models[m].model) < 0);
		sum += count;
	}
	assert_int_equal(sum, s->device_count);
}

static void check_profiles(const struct gm_snapshot *s)
{
	uint32_t sum = 0;
	for (size_t p = 0; p < s->profile_count; p++) {
		uint32_t total = 0, held = 0;
		for (size_t i = 0; i < s->device_count; i++) {
			for (size_t k = 0; k < s->devices[i]->instance_count; k++) {
				const struct gm_instance *in = &s->devices[i]->instances[k];
				bool same = strcmp(in->profile, s->profiles[p].profile) == 0;
				total += same;
				held += same && in->pod_count > 0;
			}
		}
		assert_int_equal(s->profiles[p].total, total);
		assert_int_equal(s->profiles[p].held, held);
		sum += total;
	}
	assert_int_equal(sum, s->totals.mig_instances);
}

/* The pods have names of one letter. */
static void check_workloads(const struct gm_snapshot *s)
{
	bool seen[128] = { 0 };
	uint32_t count = 0;
	for (size_t i = 0; i < s->device_count; i++) {
		const struct gm_device *d = s->devices[i];
		for (size_t p = 0; p < d->pod_count; p++)
			seen[(unsigned char)d->pods[p].pod[0] % 128] = true;
		for (size_t k = 0; k < d->instance_count; k++)
			for (size_t p = 0; p < d->instances[k].pod_count; p++)
				seen[(unsigned char)d->instances[k].pods[p].pod[0] % 128] = true;
	}
	for (size_t i = 0; i < GM_LEN(seen); i++)
		count += seen[i];
	assert_int_equal(s->workloads, count);
}

static void check_order_and_lookups(const struct gm_snapshot *s)
{
	size_t position = 0;
	for (size_t i = 0; i < s->node_count; i++) {
		const struct gm_node *n = s->nodes[i];
		assert_true(i == 0 || strcmp(s->nodes[i - 1]->name, n->name) < 0);
		assert_ptr_equal(gm_snapshot_node(s, gm_str(n->cluster), gm_str(n->name)), n);
		for (size_t k = 0; k < n->device_count; k++, position++) {
			const struct gm_device *d = &n->devices[k];
			assert_ptr_equal(s->devices[position], d);
			assert_string_equal(d->node, n->name);
			assert_true(k == 0 || n->devices[k - 1].index < d->index ||
				    strcmp(n->devices[k - 1].uuid, d->uuid) < 0);
			assert_int_equal(gm_snapshot_position(s, d), position);
			assert_ptr_equal(gm_snapshot_device(s, gm_str(d->uuid)), d);
			assert_string_equal(find(s, d->id)->id, d->id);
			if (d->sample.valid >> GM_FIELD_TEMPERATURE & 1)
				assert_int_equal(d->sample.value[GM_FIELD_TEMPERATURE], r.temperature[d->series]);
		}
	}
	assert_int_equal(position, s->device_count);
}

/* What is shared and what is said to have changed is exactly what did not, or did. */
static void check_difference(const struct gm_snapshot *before, const struct gm_snapshot *s)
{
	for (size_t i = 0; i < s->node_count; i++) {
		const struct gm_node *n = s->nodes[i];
		const struct gm_node *old = gm_snapshot_node(before, gm_str(n->cluster), gm_str(n->name));
		assert_int_equal(n == old, old && same_node(old, n));
	}
	if (s->layout_seq == s->seq)
		return;
	size_t next = 0;
	assert_int_equal(s->layout_seq, before->layout_seq);
	assert_int_equal(s->device_count, before->device_count);
	for (uint32_t p = 0; p < s->device_count; p++) {
		bool said = next < s->changed_count && s->changed[next] == p;
		assert_int_equal(said, !same_device(before->devices[p], s->devices[p]));
		next += said;
	}
	assert_int_equal(next, s->changed_count);
}

/* Of all that a reader may look at. */
static uint64_t sum_of(const struct gm_snapshot *s)
{
	uint64_t sum = s->seq ^ (uint64_t)s->totals.utilization_sum;
	for (size_t i = 0; i < s->device_count; i++) {
		const struct gm_device *d = s->devices[i];
		sum = gm_hash_u64(sum ^ d->series ^ (uint64_t)d->last_seen_ms ^ d->sample.valid ^
				  gm_hash(gm_str(d->id)) ^ gm_hash(gm_str(d->target)) ^ gm_hash(gm_str(d->node)));
		sum ^= gm_hash(gm_str_n((const char *)d->sample.value, sizeof(d->sample.value)));
		for (size_t k = 0; k < d->instance_count; k++)
			sum = gm_hash_u64(sum ^ gm_hash(gm_str(d->instances[k].id)) ^ d->instances[k].sample.valid);
		for (size_t p = 0; p < d->pod_count; p++)
			sum = gm_hash_u64(sum ^ gm_hash(gm_str(d->pods[p].pod)));
	}
	for (size_t m = 0; m < s->model_count; m++)
		sum ^= gm_hash(gm_str(s->models[m].model)) + s->models[m].devices;
	return sum;
}

/* Some snapshots are held for a while, and must be then what they were. */
static void hold(int place, const struct gm_snapshot *s)
{
	if (r.held[place].snapshot)
		assert_int_equal(sum_of(r.held[place].snapshot), r.held[place].sum);
	gm_snapshot_unref(r.held[place].snapshot);
	r.held[place].snapshot = s ? gm_snapshot_ref(s) : NULL;
	r.held[place].sum = s ? sum_of(s) : 0;
}

static void run_world(uint64_t seed)
{
	r = (struct random_world){ .now_ms = T0, .rate_micros = 1000000 };
	test_random_seed(seed);
	conf_send(true);
	for (int i = 0; i < BOARDS; i++) {
		r.boards[i] = (struct board){ .node = below(NODES), .index = below(12), .pod = below(5) - 1 };
		(void)snprintf(r.boards[i].uuid, sizeof(r.boards[i].uuid), "GPU-%d", i);
	}
	for (int t = 0; t < TICKS; t++) {
		const struct gm_snapshot *before = gm_fleet_snapshot(r.fleet);
		tick();
		bool published = gm_fleet_publish(r.fleet, r.now_ms);
		const struct gm_snapshot *s = gm_fleet_snapshot(r.fleet);
		assert_int_equal(s->seq, before->seq + published);
		if (published) {
			check_totals(s);
			check_models(s);
			check_profiles(s);
			check_workloads(s);
			check_order_and_lookups(s);
			check_difference(before, s);
		}
		if (chance(30))
			hold(below(HELD), s);
		gm_snapshot_unref(before);
		gm_snapshot_unref(s);
	}
	gm_fleet_free(r.fleet);
	for (int i = 0; i < HELD; i++)
		hold(i, NULL);
}

static void test_what_is_kept_by_differences_equals_what_is_counted_anew(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		run_world(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_kept_by_differences_equals_what_is_counted_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
