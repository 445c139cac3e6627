/* SPDX-License-Identifier: MIT */
#include "fleet-world.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/fleet/fleet-internal.h"

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

/* `count` boards of a node, at a temperature. */
static void node_page(struct gm_fleet *f, struct draft *m, const char *cluster, const char *node, int count,
		      int64_t temperature, int64_t at_ms)
{
	char uuids[16][64];
	draft_begin(m, node, GM_PAGE_SIM, node, at_ms);
	m->page.cluster = gm_str(cluster);
	for (int i = 0; i < count; i++) {
		(void)snprintf(uuids[i], sizeof(uuids[i]), "GPU-%s-%s-%d", cluster, node, i);
		draft_set(&draft_board(m, uuids[i], i)->sample, GM_FIELD_TEMPERATURE, temperature);
		draft_set(&m->devices[i].sample, GM_FIELD_UTILIZATION, temperature);
	}
	assert_int_equal(gm_fleet_apply(f, &m->page, NULL, NULL), 0);
}

static void page(const char *node, int count, int64_t at_ms)
{
	node_page(w.fleet, &w.draft, "default", node, count, 500, at_ms);
}

static void test_empty_snapshot_is_there_before_the_first_publish(void **state)
{
	(void)state;
	page("worker-01", 1, T0);
	const struct gm_snapshot *s = gm_fleet_snapshot(w.fleet);
	assert_int_equal(s->seq, 0);
	assert_int_equal(s->device_count, 0);
	assert_null(gm_snapshot_device(s, GM_STR("worker-01-GPU-00")));
	assert_null(gm_snapshot_device(s, GM_STR("GPU-x")));
	assert_null(gm_snapshot_instance(s, GM_STR("MIG-x"), NULL));
	assert_null(gm_snapshot_node(s, GM_STR(""), GM_STR("worker-01")));
	gm_snapshot_unref(s);
}

static void test_nothing_new_is_no_snapshot(void **state)
{
	(void)state;
	assert_false(gm_fleet_publish(w.fleet, T0));
	page("worker-01", 1, T0);
	assert_true(gm_fleet_publish(w.fleet, T0));
	assert_false(gm_fleet_publish(w.fleet, T0 + 1));
	page("worker-01", 1, T0); /* refused: a duplicate */
	assert_false(gm_fleet_publish(w.fleet, T0 + 2));
}

static void test_nodes_and_devices_are_sorted(void **state)
{
	static const char *const nodes[] = { "worker-10", "worker-02", "worker-1", "worker-01" };
	static const char *const sorted[] = { "worker-01", "worker-02", "worker-1", "worker-10" };
	(void)state;
	for (size_t i = 0; i < GM_LEN(nodes); i++)
		page(nodes[i], 3, T0);
	const struct gm_snapshot *s = world_look(&w, T0);
	assert_int_equal(s->node_count, GM_LEN(sorted));
	assert_int_equal(s->device_count, 12);
	for (size_t i = 0; i < s->device_count; i++) {
		assert_string_equal(s->devices[i]->node, sorted[i / 3]);
		assert_int_equal(s->devices[i]->index, i % 3);
		assert_int_equal(gm_snapshot_position(s, s->devices[i]), i);
	}
	assert_int_equal(s->node_states[GM_NODE_READY], 4);
	gm_snapshot_unref(s);
}

static void test_what_did_not_change_is_the_same_object(void **state)
{
	(void)state;
	page("worker-01", 2, T0);
	page("worker-02", 2, T0);
	const struct gm_snapshot *one = world_look(&w, T0);
	page("worker-02", 2, T0 + 1);
	const struct gm_snapshot *two = world_look(&w, T0 + 1);
	assert_ptr_equal(one->nodes[0], two->nodes[0]);
	assert_ptr_not_equal(one->nodes[1], two->nodes[1]);
	assert_ptr_equal(one->devices[1], two->devices[1]);
	assert_ptr_equal(one->devices[2]->uuid, two->devices[2]->uuid); /* the texts are shared */
	assert_ptr_equal(one->models, two->models);
	assert_int_equal(two->layout_seq, one->layout_seq);
	assert_int_equal(two->changed_count, 2);
	assert_int_equal(two->changed[0], 2);
	assert_int_equal(two->changed[1], 3);
	/* A node that joins in front moves positions, and still makes no other node new. */
	page("worker-00", 1, T0 + 2);
	const struct gm_snapshot *three = world_look(&w, T0 + 2);
	assert_int_equal(three->layout_seq, three->seq);
	assert_ptr_equal(three->nodes[1], two->nodes[0]);
	assert_int_equal(gm_snapshot_position(three, two->devices[0]), 1);
	gm_snapshot_unref(one);
	gm_snapshot_unref(two);
	gm_snapshot_unref(three);
}

static void test_old_snapshot_stays_as_it_was(void **state)
{
	(void)state;
	page("worker-01", 1, T0);
	const struct gm_snapshot *old = world_look(&w, T0);
	for (int i = 1; i <= 5; i++) {
		node_page(w.fleet, &w.draft, "default", "worker-01", 1, 500 + i, T0 + i);
		(void)gm_fleet_publish(w.fleet, T0 + i);
		/* Only the version that the old one has waits; those between nobody holds. */
		assert_int_equal(gm_snapshot_pool_waiting(w.fleet->pool), 1);
	}
	assert_int_equal(find(old, "worker-01-GPU-00")->sample.value[GM_FIELD_TEMPERATURE], 500);
	assert_int_equal(old->totals.devices, 1);
	gm_snapshot_unref(old);
	page("worker-01", 1, T0 + 9);
	(void)gm_fleet_publish(w.fleet, T0 + 9);
	assert_int_equal(gm_snapshot_pool_waiting(w.fleet->pool), 0);
}

static void test_snapshot_outlives_the_fleet(void **state)
{
	(void)state;
	page("worker-01", 2, T0);
	const struct gm_snapshot *one = world_look(&w, T0);
	page("worker-01", 2, T0 + 1);
	const struct gm_snapshot *two = world_look(&w, T0 + 1);
	gm_fleet_free(w.fleet);
	assert_int_equal(find(one, "worker-01-GPU-01")->sample.at_ms, T0);
	gm_snapshot_unref(one);
	assert_int_equal(find(two, "GPU-default-worker-01-1")->sample.at_ms, T0 + 1);
	assert_string_equal(two->models[0].model, "A100_80GB");
	gm_snapshot_unref(gm_snapshot_ref(two));
	gm_snapshot_unref(two);
	gm_snapshot_unref(NULL);
	w.fleet = NULL;
}

static void test_lookup_by_id_and_uuid(void **state)
{
	(void)state;
	page("worker-01", 2, T0);
	node_page(w.fleet, &w.draft, "alpha", "node-GPU-x", 1, 500, T0);
	const struct gm_snapshot *s = world_look(&w, T0);
	assert_string_equal(find(s, "worker-01-GPU-01")->uuid, "GPU-default-worker-01-1");
	assert_string_equal(find(s, "GPU-default-worker-01-0")->id, "worker-01-GPU-00");
	assert_string_equal(find(s, "node-GPU-x-GPU-00")->cluster, "alpha");
	static const char *const absent[] = { "",
					      "-GPU-",
					      "worker-01-GPU-02",
					      "worker-01-GPU-0",
					      "worker-01",
					      "worker-01-GPU-000",
					      "GPU-default-worker-01-2" };
	for (size_t i = 0; i < GM_LEN(absent); i++)
		assert_null(gm_snapshot_device(s, gm_str(absent[i])));
	gm_snapshot_unref(s);
}

static void test_first_cluster_by_name_has_the_id(void **state)
{
	static const char *const clusters[] = { "gamma", "beta", "alpha" };
	(void)state;
	for (size_t i = 0; i < GM_LEN(clusters); i++)
		node_page(w.fleet, &w.draft, clusters[i], i == 2 ? "other" : "worker-01", 1, 500, T0);
	const struct gm_snapshot *s = world_look(&w, T0);
	assert_string_equal(find(s, "worker-01-GPU-00")->cluster, "beta");
	assert_string_equal(gm_snapshot_node(s, GM_STR(""), GM_STR("worker-01"))->cluster, "beta");
	assert_string_equal(gm_snapshot_node(s, GM_STR("gamma"), GM_STR("worker-01"))->cluster, "gamma");
	assert_null(gm_snapshot_node(s, GM_STR("alpha"), GM_STR("worker-01")));
	assert_null(gm_snapshot_node(s, GM_STR("delta"), GM_STR("worker-01")));
	gm_snapshot_unref(s);
}

static void test_id_of_a_replaced_board_means_the_new_one(void **state)
{
	static const char *const uuids[] = { "GPU-z-old", "GPU-m-new" };
	(void)state;
	for (int i = 0; i < 2; i++)
		world_board(&w, A, GM_PAGE_DCGM, "worker-01", uuids[i], T0 + i * INTERVAL);
	const struct gm_snapshot *s = world_look(&w, T0 + INTERVAL);
	assert_int_equal(s->device_count, 2);
	assert_string_equal(find(s, "worker-01-GPU-00")->uuid, "GPU-m-new");
	assert_string_equal(find(s, "GPU-z-old")->uuid, "GPU-z-old");
	gm_snapshot_unref(s);
}

static const struct gm_snapshot *look_at_slices(int first_gi, int64_t at_ms)
{
	static char uuid[2][16];
	draft_begin(&w.draft, A, GM_PAGE_DCGM, "worker-01", at_ms);
	draft_board(&w.draft, "GPU-a", 0);
	for (int i = 0; i < 2; i++) {
		(void)snprintf(uuid[i], sizeof(uuid[i]), "MIG-%d", first_gi + i);
		draft_slice(&w.draft, first_gi + i, "3g.40gb")->uuid = gm_str(uuid[i]);
	}
	world_apply(&w);
	return world_look(&w, at_ms);
}

static void test_lookup_of_instances(void **state)
{
	(void)state;
	const struct gm_device *d = NULL;
	const struct gm_snapshot *s = look_at_slices(1, T0);
	const struct gm_instance *in = gm_snapshot_instance(s, GM_STR("worker-01-GPU-00-MIG-2.0"), &d);
	assert_non_null(in);
	assert_string_equal(in->uuid, "MIG-2");
	assert_ptr_equal(d, s->devices[0]);
	assert_ptr_equal(gm_snapshot_instance(s, GM_STR("MIG-2"), NULL), in);
	static const char *const absent[] = {
		"", "MIG-3", "GPU-a", "worker-01-GPU-00", "worker-01-GPU-00-MIG-3.0", "worker-02-GPU-00-MIG-1.0"
	};
	for (size_t i = 0; i < GM_LEN(absent); i++)
		assert_null(gm_snapshot_instance(s, gm_str(absent[i]), &d));
	assert_null(gm_snapshot_device(s, GM_STR("MIG-2")));
	gm_snapshot_unref(s);
	/* After a new layout the old UUIDs find nothing. */
	s = look_at_slices(2, T0 + 1);
	assert_null(gm_snapshot_instance(s, GM_STR("MIG-1"), NULL));
	assert_int_equal(gm_snapshot_instance(s, GM_STR("MIG-3"), NULL)->gi_id, 3);
	gm_snapshot_unref(s);
}

static unsigned freed;
static void count_free(void *value)
{
	freed++;
	free(value);
}

static void test_cache_slot_keeps_the_first_value_and_frees_all(void **state)
{
	(void)state;
	freed = 0;
	page("worker-01", 1, T0);
	const struct gm_snapshot *s = world_look(&w, T0);
	struct gm_cache_slot *slots[] = { &s->cache[GM_SNAPSHOT_CACHES - 1], s->devices[0]->cache };
	for (size_t i = 0; i < GM_LEN(slots); i++) {
		void *first = malloc(1);
		assert_null(gm_cache_slot_get(slots[i]));
		assert_ptr_equal(gm_cache_slot_set(slots[i], first, count_free), first);
		assert_ptr_equal(gm_cache_slot_set(slots[i], malloc(1), count_free), first);
		assert_ptr_equal(gm_cache_slot_get(slots[i]), first);
	}
	assert_int_equal(freed, 2); /* those that came too late */
	page("worker-02", 1, T0 + 1);
	(void)gm_fleet_publish(w.fleet, T0 + 1);
	gm_snapshot_unref(s);
	page("worker-02", 1, T0 + 2);
	s = world_look(&w, T0 + 2);
	assert_int_equal(freed, 3); /* the snapshot's; the device did not change and keeps its own */
	assert_non_null(gm_cache_slot_get(s->devices[0]->cache));
	gm_snapshot_unref(s);
	gm_fleet_free(w.fleet);
	w.fleet = NULL;
	assert_int_equal(freed, 4);
}

static void test_names_are_those_of_the_wire(void **state)
{
	(void)state;
	assert_string_equal(gm_node_state_name(GM_NODE_STALE), "stale");
	assert_string_equal(gm_node_state_name(GM_NODE_UNKNOWN), "unknown");
}

/* ---- threads */

#define READERS 3
#define ROUNDS 400
#define NODES 12

struct reader {
	pthread_t thread;
	struct gm_fleet *fleet;
	atomic_bool *stop;
	pthread_barrier_t *end;
	unsigned looks, wrong;
};

/* What must hold in each snapshot, whenever it is taken. */
static unsigned look_closely(const struct gm_snapshot *s)
{
	struct gm_totals sum = { 0 };
	unsigned wrong = 0;
	size_t devices = 0;
	for (size_t i = 0; i < s->node_count; i++) {
		const struct gm_node *n = s->nodes[i];
		/* Boards of a node are written together and never seen half-written. */
		for (size_t k = 0; k < n->device_count; k++)
			wrong += n->devices[k].sample.at_ms != n->devices[0].sample.at_ms ||
				 s->devices[devices++] != &n->devices[k];
		gm_totals_add(&sum, &n->totals);
	}
	wrong += devices != s->device_count || !same_totals(&sum, &s->totals);
	if (s->device_count > 0) {
		const struct gm_device *d = s->devices[s->seq % s->device_count];
		wrong += gm_snapshot_device(s, gm_str(d->uuid)) != d || gm_snapshot_device(s, gm_str(d->id)) != d;
		(void)gm_cache_slot_set(d->cache, strdup(d->id), free);
		wrong += strcmp(gm_cache_slot_get(d->cache), d->id) != 0;
	}
	(void)gm_cache_slot_set(&s->cache[0], malloc(16), free);
	return wrong;
}

static void *read_along(void *arg)
{
	struct reader *r = arg;
	const struct gm_snapshot *before = gm_fleet_snapshot(r->fleet);
	while (!atomic_load(r->stop) || r->looks == 0) {
		const struct gm_snapshot *s = gm_fleet_snapshot(r->fleet);
		r->wrong += s->seq < before->seq;
		r->wrong += look_closely(s);
		gm_snapshot_unref(before);
		before = s;
		r->looks++;
	}
	pthread_barrier_wait(r->end);
	r->wrong += look_closely(before);
	gm_snapshot_unref(before);
	return NULL;
}

static void test_readers_see_whole_snapshots_while_the_owner_publishes(void **state)
{
	static struct draft m;
	struct reader readers[READERS];
	atomic_bool stop = false;
	pthread_barrier_t end;
	(void)state;
	struct gm_fleet *f = gm_fleet_new(&(struct gm_fleet_conf){ 0 }, NULL);
	assert_int_equal(pthread_barrier_init(&end, NULL, READERS + 1), 0);
	for (int i = 0; i < READERS; i++) {
		readers[i] = (struct reader){ .fleet = f, .stop = &stop, .end = &end };
		assert_int_equal(pthread_create(&readers[i].thread, NULL, read_along, &readers[i]), 0);
	}
	for (int i = 0; i < ROUNDS; i++) {
		char node[32];
		(void)snprintf(node, sizeof(node), "worker-%02d", i * 7 % NODES);
		node_page(f, &m, "default", node, 1 + i / 100, i, T0 + i * SECOND);
		(void)gm_fleet_publish(f, T0 + i * SECOND);
	}
	atomic_store(&stop, true);
	/* The fleet goes while readers still look. */
	pthread_barrier_wait(&end);
	gm_fleet_free(f);
	for (int i = 0; i < READERS; i++) {
		pthread_join(readers[i].thread, NULL);
		assert_int_equal(readers[i].wrong, 0);
		assert_true(readers[i].looks > 0);
	}
	pthread_barrier_destroy(&end);
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(test_empty_snapshot_is_there_before_the_first_publish),
		RULE(test_nothing_new_is_no_snapshot),
		RULE(test_nodes_and_devices_are_sorted),
		RULE(test_what_did_not_change_is_the_same_object),
		RULE(test_old_snapshot_stays_as_it_was),
		RULE(test_snapshot_outlives_the_fleet),
		RULE(test_lookup_by_id_and_uuid),
		RULE(test_first_cluster_by_name_has_the_id),
		RULE(test_id_of_a_replaced_board_means_the_new_one),
		RULE(test_lookup_of_instances),
		RULE(test_cache_slot_keeps_the_first_value_and_frees_all),
		RULE(test_names_are_those_of_the_wire),
		cmocka_unit_test(test_readers_see_whole_snapshots_while_the_owner_publishes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
