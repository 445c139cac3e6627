/* SPDX-License-Identifier: MIT */
/*
 * What core/fleet costs: a fleet of 10,000 nodes x 8 boards (every fourth with seven MIG instances), a thirtieth of it
 * heard of each second. `bench-fleet [NODES]`.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/parse.h"
#include "core/fleet/fleet.h"

#define BOARDS 8
#define SLICES 7
#define ROUND 30
#define START_MS INT64_C(1764000000000)

struct farm {
	struct gm_obs_device devices[BOARDS];
	struct gm_obs_instance instances[BOARDS * SLICES];
	struct gm_obs_pod pods[BOARDS];
	char uuids[BOARDS][48], node[32], target[64];
};

static double now_s(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void sample_fill(struct gm_sample *s, int64_t at_ms, unsigned salt)
{
	*s = (struct gm_sample){ .at_ms = at_ms };
	for (int f = 0; f < GM_FIELD_COUNT; f++)
		if (f != GM_FIELD_XID && f != GM_FIELD_THROTTLE_REASONS && f != GM_FIELD_ROW_REMAP_FAILURE &&
		    f != GM_FIELD_ROW_REMAP_PENDING)
			gm_sample_set(s, (enum gm_field)f, (int64_t)((salt * 2654435761U + (unsigned)f * 97) % 800),
				      GM_MEASURED, GM_SOURCE_DCGM);
}

static size_t board_fill(struct farm *m, unsigned node, unsigned i, int64_t at_ms, size_t instances)
{
	struct gm_obs_device *d = &m->devices[i];
	unsigned salt = (unsigned)(at_ms / 1000) + node * BOARDS + i;
	(void)snprintf(m->uuids[i], sizeof(m->uuids[i]), "GPU-%08x-0000-4000-8000-%012x", node * 2654435761U, i);
	*d = (struct gm_obs_device){
		.uuid = gm_str(m->uuids[i]),
		.pci_bus_id = GM_STR("00000000:1A:00.0"),
		.product_name = GM_STR("NVIDIA H100 80GB HBM3"),
		.driver_version = GM_STR("580.95.05"),
		.index = (int)i,
		.mig_mode = i % 4 == 3 ? GM_MIG_ON : GM_MIG_OFF,
		.memory_total_bytes = INT64_C(85520809984),
		.temperature_limit_c = -1,
		.instances_first = instances,
		.instances_count = i % 4 == 3 ? SLICES : 0,
		.pods_first = i,
		.pods_count = 1,
	};
	sample_fill(&d->sample, at_ms, salt);
	m->pods[i] = (struct gm_obs_pod){ GM_STR("model-serving"), gm_str(m->uuids[i]), GM_STR("vllm"), GM_STR("") };
	for (size_t k = 0; k < d->instances_count; k++) {
		m->instances[instances + k] = (struct gm_obs_instance){
			.gi_id = (int)k + 7,
			.profile = GM_STR("1g.10gb"),
			.placement_start = (int)k,
			.placement_size = 1,
			.memory_total_bytes = -1,
		};
		sample_fill(&m->instances[instances + k].sample, at_ms, salt + (unsigned)k);
	}
	return instances + d->instances_count;
}

static struct gm_page page_of(struct farm *m, unsigned node, int64_t at_ms)
{
	size_t instances = 0;
	(void)snprintf(m->node, sizeof(m->node), "worker-%05u", node);
	(void)snprintf(m->target, sizeof(m->target), "http://10.0.%u.%u:9400/metrics", node / 250, node % 250);
	for (unsigned i = 0; i < BOARDS; i++)
		instances = board_fill(m, node, i, at_ms, instances);
	return (struct gm_page){
		.target = gm_str(m->target),
		.kind = GM_PAGE_DCGM,
		.cluster = GM_STR("default"),
		.node = gm_str(m->node),
		.at_ms = at_ms,
		.interval_ms = ROUND * 1000,
		.devices = m->devices,
		.device_count = BOARDS,
		.instances = m->instances,
		.instance_count = instances,
		.pods = m->pods,
		.pod_count = BOARDS,
	};
}

struct figures {
	double apply_s, publish_s, wall_s;
	unsigned publishes, devices;
};

/* One round: every node is heard of once, a publish each second. */
static void run_round(struct gm_fleet *f, unsigned nodes, int64_t *now_ms, struct figures *out)
{
	static struct farm farm;
	double begin = now_s(CLOCK_MONOTONIC);
	for (unsigned second = 0; second < ROUND; second++, *now_ms += 1000) {
		for (unsigned n = second; n < nodes; n += ROUND) {
			struct gm_page page = page_of(&farm, n, *now_ms);
			double t = now_s(CLOCK_PROCESS_CPUTIME_ID);
			if (gm_fleet_apply(f, &page, NULL, NULL))
				abort();
			out->apply_s += now_s(CLOCK_PROCESS_CPUTIME_ID) - t;
			out->devices += BOARDS;
		}
		double t = now_s(CLOCK_PROCESS_CPUTIME_ID);
		out->publishes += gm_fleet_publish(f, *now_ms);
		out->publish_s += now_s(CLOCK_PROCESS_CPUTIME_ID) - t;
	}
	out->wall_s += now_s(CLOCK_MONOTONIC) - begin;
}

static double heap_bytes(void)
{
	struct mallinfo2 m = mallinfo2();
	return (double)m.uordblks + (double)m.hblkhd;
}

static double time_ns(const struct gm_snapshot *s, unsigned count)
{
	char id[48];
	double t = now_s(CLOCK_PROCESS_CPUTIME_ID);
	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(id, sizeof(id), "worker-%05u-GPU-%02u", i * 7919U % (unsigned)s->node_count, i % BOARDS);
		if (!gm_snapshot_device(s, gm_str(id)))
			abort();
	}
	return (now_s(CLOCK_PROCESS_CPUTIME_ID) - t) * 1e9 / count;
}

static double uuid_ns(const struct gm_snapshot *s, unsigned count)
{
	double t = now_s(CLOCK_PROCESS_CPUTIME_ID);
	for (unsigned i = 0; i < count; i++)
		if (!gm_snapshot_device(s, gm_str(s->devices[i * 7919U % (unsigned)s->device_count]->uuid)))
			abort();
	return (now_s(CLOCK_PROCESS_CPUTIME_ID) - t) * 1e9 / count;
}

static double snapshot_ns(struct gm_fleet *f, unsigned count)
{
	double t = now_s(CLOCK_PROCESS_CPUTIME_ID);
	for (unsigned i = 0; i < count; i++)
		gm_snapshot_unref(gm_fleet_snapshot(f));
	return (now_s(CLOCK_PROCESS_CPUTIME_ID) - t) * 1e9 / count;
}

int main(int argc, char **argv)
{
	uint64_t nodes = 10000;
	if (argc > 1 && !gm_parse_u64(gm_str(argv[1]), 1, GM_FLEET_DEVICES_MAX / BOARDS, &nodes))
		return 2;
	double devices = (double)nodes * BOARDS;
	double before = heap_bytes();
	int64_t now_ms = START_MS;
	struct figures load = { 0 };
	struct figures steady = { 0 };
	struct gm_fleet *f = gm_fleet_new(&(struct gm_fleet_conf){ 0 }, NULL);

	run_round(f, (unsigned)nodes, &now_ms, &load);
	for (int i = 0; i < 3; i++)
		run_round(f, (unsigned)nodes, &now_ms, &steady);
	double one = heap_bytes() - before;
	const struct gm_snapshot *old = gm_fleet_snapshot(f);
	run_round(f, (unsigned)nodes, &now_ms, &steady);
	double two = heap_bytes() - before;
	const struct gm_snapshot *s = gm_fleet_snapshot(f);

	printf("figure devices %.0f count\n", devices);
	printf("figure first_apply %.0f ns/device\n", load.apply_s * 1e9 / load.devices);
	printf("figure first_publish %.3f ms\n", load.publish_s * 1e3 / load.publishes);
	printf("figure apply %.0f ns/device\n", steady.apply_s * 1e9 / steady.devices);
	printf("figure publish %.3f ms\n", steady.publish_s * 1e3 / steady.publishes);
	printf("figure core_share %.4f cores\n", (steady.apply_s + steady.publish_s) / steady.publishes);
	printf("figure bytes %.0f bytes/device\n", one / devices);
	printf("figure heap %.1f MiB\n", one / 1048576);
	printf("figure heap_two_snapshots_nothing_shared %.1f MiB\n", two / 1048576);
	printf("figure snapshot_ref_unref %.0f ns\n", snapshot_ns(f, 1000000));
	printf("figure find_by_id %.0f ns\n", time_ns(s, 200000));
	double t = now_s(CLOCK_PROCESS_CPUTIME_ID);
	(void)gm_snapshot_device(s, GM_STR("GPU-none"));
	printf("figure first_find_by_uuid %.2f ms\n", (now_s(CLOCK_PROCESS_CPUTIME_ID) - t) * 1e3);
	printf("figure find_by_uuid %.0f ns\n", uuid_ns(s, 200000));
	gm_snapshot_unref(old);
	gm_snapshot_unref(s);
	gm_fleet_free(f);
	return 0;
}
