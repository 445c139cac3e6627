/* SPDX-License-Identifier: MIT */
#include "core/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "core/sim/noise.h"
#include "core/sim/sim-internal.h"

#define GPUS_MAX 200000
#define GPUS_PER_NODE_MAX 16
#define SPEED_MAX 3600000
#define LARGE_WORLD 1000

#define MIB (INT64_C(1) << 20)
#define DAY_MS INT64_C(86400000)
/* A driver is loaded anew after this; the node is away for the time of a reboot when faults are wanted. */
#define LIFE_MS (7 * DAY_MS)
#define REBOOT_MS 180000
#define TIME_MAX_MS (INT64_C(36500) * DAY_MS)

#define DRIVER_VERSION "570.133.20"

static int check_scenario(const struct gm_sim_spec *spec, struct gm_err *err)
{
	if (spec->scenario_count > GM_SIM_SCENARIO_MAX)
		return gm_fail(err, GM_ERR_TOO_LARGE, "scenario: more than %d faults", GM_SIM_SCENARIO_MAX);
	for (size_t i = 0; spec->scenario && i < spec->scenario_count; i++) {
		const struct gm_sim_fault *f = &spec->scenario[i];
		if ((unsigned)f->kind >= GM_SIM_FAULT_COUNT)
			return gm_fail(err, GM_ERR_INVALID, "scenario: fault %zu: unknown kind", i);
		if (f->after_ms < 0 || f->after_ms > TIME_MAX_MS || f->lasts_ms < 0 || f->lasts_ms > TIME_MAX_MS)
			return gm_fail(err, GM_ERR_INVALID, "scenario: fault %zu: times from 0 to 100 years", i);
		if (f->value < 0 || f->value > 1000000)
			return gm_fail(err, GM_ERR_INVALID, "scenario: fault %zu: value from 0 to 1000000", i);
	}
	return 0;
}

static int check(const struct gm_sim_spec *spec, struct gm_err *err)
{
	if (spec->gpus < 1 || spec->gpus > GPUS_MAX)
		return gm_fail(err, GM_ERR_INVALID, "gpus: %d is not from 1 to %d", spec->gpus, GPUS_MAX);
	if (spec->live && spec->gpus > GM_SIM_LIVE_BOARDS_MAX)
		return gm_fail(err, GM_ERR_INVALID, "gpus: %d is not from 1 to %d", spec->gpus, GM_SIM_LIVE_BOARDS_MAX);
	if (spec->gpus_per_node < 0 || spec->gpus_per_node > GPUS_PER_NODE_MAX)
		return gm_fail(err, GM_ERR_INVALID, "gpus per node: %d is not from 0 to %d", spec->gpus_per_node,
			       GPUS_PER_NODE_MAX);
	if (spec->speed_milli < 0 || spec->speed_milli > SPEED_MAX)
		return gm_fail(err, GM_ERR_INVALID, "speed: not from 0.001 to %d", SPEED_MAX / 1000);
	if (spec->start_ms < 0 || spec->start_ms > TIME_MAX_MS)
		return gm_fail(err, GM_ERR_INVALID, "start: not from 1970 to 2069");
	return check_scenario(spec, err);
}

static const struct sim_traits *traits_of(struct gm_sim *s, const struct gm_variant *v)
{
	for (size_t i = 0; i < s->trait_count; i++) {
		if (s->traits[i].variant == v)
			return &s->traits[i];
	}
	sim_traits_init(&s->traits[s->trait_count], v);
	return &s->traits[s->trait_count++];
}

static void name_device(const struct sim_board *b, struct gm_sim_device *d)
{
	static const uint8_t buses[] = { 0x1b, 0x3d, 0x4f, 0x5e, 0x9d, 0xcb, 0xce, 0xda,
					 0x18, 0x2a, 0x43, 0x61, 0x98, 0xab, 0xbc, 0xe4 };
	_Static_assert(sizeof(buses) == GPUS_PER_NODE_MAX, "a bus for each board of a node, and domains for more");
	sim_uuid(b->seed, "GPU-", '4', d->uuid, sizeof(d->uuid));
	(void)snprintf(d->serial, sizeof(d->serial), "16%011llu",
		       (unsigned long long)(sim_hash(b->seed, 0x21, 0) % UINT64_C(100000000000)));
	(void)snprintf(d->pci_bus_id, sizeof(d->pci_bus_id), "%08X:%02X:00.0", (unsigned)d->index / GPUS_PER_NODE_MAX,
		       buses[d->index % GPUS_PER_NODE_MAX]);
	for (int i = 0; i < d->instance_count; i++)
		sim_uuid(sim_hash(b->seed, 0x22, (uint64_t)i), "MIG-", '5', d->instances[i].uuid,
			 sizeof(d->instances[i].uuid));
}

/* Where the catalogue has no size: the part of the board that the placement takes. */
static void size_instances(struct gm_sim_device *d)
{
	for (int i = 0; i < d->instance_count; i++) {
		const struct gm_mig_profile *p = d->instances[i].profile;
		int64_t part = d->memory_total_bytes * p->size / d->variant->mig->placement_units;
		d->instances[i].memory_total_bytes = p->memory_mib > 0 ? p->memory_mib * MIB : part / MIB * MIB;
	}
}

static void make_device(struct gm_sim *s, size_t index, int on_node, const struct gm_variant *v, size_t row, size_t nth)
{
	struct gm_sim_device *d = &s->devices[index];
	struct sim_board *b = &s->boards[index];
	*b = (struct sim_board){ .seed = sim_hash(s->seed, 0x23, index), .traits = traits_of(s, v), .work = -1 };
	for (int i = 0; i < GM_SIM_INSTANCES_MAX; i++)
		b->instance_work[i] = -1;
	b->ambient_mc = (int32_t)sim_between(sim_hash(b->seed, 0x24, 0), 27000, 34000);
	d->index = on_node;
	d->variant = v;
	d->pod = -1;
	d->consumer = b->traits->consumer;
	d->instance_count = s->live ? 0 : sim_layout(v, row, nth, d->instances);
	d->mig_enabled = d->instance_count > 0;
	d->nvlink_bps = b->traits->nvlink && !d->mig_enabled ? 0 : -1; /* NVLink is off in MIG mode */
	d->memory_total_bytes = b->traits->memory_bytes;
	d->memory_reserved_bytes = b->traits->reserved_bytes;
	d->power_limit_mw = b->traits->limit_mw;
	d->sm_clock_max_mhz = b->traits->max_mhz;
	d->memory_clock_max_mhz = b->traits->memory_mhz;
	size_instances(d);
	name_device(b, d);
}

static void make_node(struct gm_sim *s, size_t index)
{
	struct sim_node *node = &s->nodes[s->node_count++];
	node->first_device = index;
	node->seed = sim_hash(s->seed, 0x25, s->node_count);
	node->life = -1;
	node->at_ms = -1;
	if (!s->live)
		node->life_offset_ms = sim_between(node->seed, 0, s->life_ms / s->step_ms - 1) * s->step_ms;
	node->pub.devices = &s->devices[index];
	node->pub.driver_version = DRIVER_VERSION;
	(void)snprintf(node->pub.name, sizeof(node->pub.name), "worker-%02zu", s->node_count);
}

/* How many workloads there may be: one for each board without MIG, one for each slice. */
static size_t count_places(const struct gm_sim *s)
{
	size_t places = 0;
	for (size_t i = 0; i < s->device_count; i++) {
		const struct gm_sim_device *d = &s->devices[i];
		places += s->live ? GM_SIM_INSTANCES_MAX : d->mig_enabled ? (size_t)d->instance_count : 1;
	}
	return places;
}

/* Boards in the order of the mix; a node has boards of one variant, unless the world is one node. False without memory. */
static bool make_world(struct gm_sim *s, const struct sim_mix *mix, size_t per_node)
{
	size_t index = 0;
	for (size_t row = 0; row < mix->count; row++) {
		for (size_t nth = 0; nth < mix->rows[row].boards; nth++, index++) {
			size_t on_node = s->live ? index : nth % per_node;
			if (on_node == 0)
				make_node(s, index);
			s->nodes[s->node_count - 1].pub.device_count++;
			make_device(s, index, (int)on_node, mix->rows[row].variant, row, nth);
		}
	}
	s->work_capacity = count_places(s);
	s->works = gm_try_alloc(s->work_capacity * sizeof(*s->works));
	if (!s->works)
		return false;
	for (size_t i = 0, groups = 0; !s->live && i < s->node_count; i++)
		sim_place(s, &s->nodes[i], &groups);
	return true;
}

static int by_node(const void *a, const void *b)
{
	return strcmp(((const struct gm_sim_fault *)a)->node, ((const struct gm_sim_fault *)b)->node);
}

static int take_scenario(struct gm_sim *s, const struct gm_sim_spec *spec, struct gm_err *err)
{
	size_t bytes = spec->scenario_count * sizeof(*s->scenario), known = 0;
	if (!bytes || !spec->scenario)
		return 0;
	s->scenario = gm_try_alloc(bytes);
	if (!s->scenario)
		return gm_fail(err, GM_ERR_NO_MEMORY, "scenario: out of memory");
	memcpy(s->scenario, spec->scenario, bytes);
	s->scenario_count = spec->scenario_count;
	qsort(s->scenario, s->scenario_count, sizeof(*s->scenario), by_node);
	for (size_t i = 0; i < s->node_count; i++) {
		struct sim_node *node = &s->nodes[i];
		struct gm_sim_fault key = { 0 };
		memcpy(key.node, node->pub.name, sizeof(key.node));
		const struct gm_sim_fault *f = bsearch(&key, s->scenario, s->scenario_count, sizeof(*f), by_node);
		if (!f)
			continue;
		while (f > s->scenario && by_node(f - 1, &key) == 0)
			f--;
		node->scenario = f;
		while (f < s->scenario + s->scenario_count && by_node(f, &key) == 0)
			f++;
		node->scenario_count = (size_t)(f - node->scenario);
		known += node->scenario_count;
	}
	if (known < s->scenario_count)
		return gm_fail(err, GM_ERR_INVALID,
			       "scenario: %zu faults name a node that the world has not (worker-01 to %s)",
			       s->scenario_count - known, s->nodes[s->node_count - 1].pub.name);
	return 0;
}

static struct gm_sim *empty_world(const struct gm_sim_spec *spec, const struct sim_mix *mix, size_t per_node)
{
	struct gm_sim *s = gm_xalloc(sizeof(*s));
	bool large = spec->gpus > LARGE_WORLD;
	s->seed = sim_hash(spec->seed, 0x5eed, 0);
	s->start_ms = spec->start_ms;
	s->step_ms = large ? 10000 : spec->live ? 1000 : 5000;
	s->life_ms = large ? DAY_MS : spec->live ? 2 * TIME_MAX_MS : LIFE_MS;
	s->speed_milli = spec->speed_milli ? spec->speed_milli : 1000;
	s->plan = (struct sim_fault_plan){ .seed = s->seed, .step_ms = s->step_ms, .faults = spec->faults };
	s->plan.rarity = (int32_t)(SIM_ONE + (int64_t)(spec->gpus > 24 ? spec->gpus - 24 : 0) * SIM_ONE / 240);
	s->device_count = (size_t)spec->gpus;
	size_t nodes = 0;
	for (size_t i = 0; i < mix->count; i++)
		nodes += (mix->rows[i].boards + per_node - 1) / per_node;
	s->nodes = gm_try_alloc(nodes * sizeof(*s->nodes));
	s->devices = gm_try_alloc(s->device_count * sizeof(*s->devices));
	s->boards = gm_try_alloc(s->device_count * sizeof(*s->boards));
	s->traits = gm_xalloc(mix->count * sizeof(*s->traits));
	if (spec->live) {
		s->live = gm_xalloc(s->device_count * sizeof(*s->live));
		for (size_t i = 0; i < s->device_count; i++)
			sim_live_init(&s->live[i]);
	}
	return s;
}

struct gm_sim *gm_sim_new(const struct gm_sim_spec *spec, struct gm_err *err)
{
	struct sim_mix mix;
	if (check(spec, err) < 0 || sim_mix_parse(spec->models, (size_t)spec->gpus, &mix, err) < 0)
		return NULL;
	size_t per_node = spec->gpus_per_node ? (size_t)spec->gpus_per_node : spec->gpus > 64 ? 8 : 4;
	GM_AUTO(gm_sim_free_p) struct gm_sim *s = empty_world(spec, &mix, per_node);
	if (!s->nodes || !s->devices || !s->boards || !make_world(s, &mix, per_node)) {
		(void)gm_fail(err, GM_ERR_NO_MEMORY, "a world of %d boards: out of memory", spec->gpus);
		return NULL;
	}
	if (take_scenario(s, spec, err) < 0)
		return NULL;
	gm_sim_advance(s, s->start_ms);
	return gm_steal(&s);
}

void gm_sim_free(struct gm_sim *s)
{
	if (!s)
		return;
	free(s->nodes);
	free(s->devices);
	free(s->boards);
	free(s->works);
	free(s->traits);
	free(s->live);
	free(s->scenario);
	free(s);
}

size_t gm_sim_node_count(const struct gm_sim *s)
{
	return s->node_count;
}

const struct gm_sim_node *gm_sim_node(const struct gm_sim *s, size_t index)
{
	return index < s->node_count ? &s->nodes[index].pub : NULL;
}

const struct gm_sim_pod *gm_sim_pod(const struct gm_sim *s, int index)
{
	return index >= 0 && (size_t)index < s->work_count ? &s->works[index].pod : NULL;
}

size_t gm_sim_pod_count(const struct gm_sim *s)
{
	return s->work_count;
}

int64_t sim_world_ms(const struct gm_sim *s, int64_t now_ms)
{
	if (now_ms <= s->start_ms)
		return 0;
	__int128 passed = ((__int128)now_ms - s->start_ms) * s->speed_milli / 1000;
	return passed < TIME_MAX_MS ? (int64_t)passed : TIME_MAX_MS;
}

static bool is_away(struct gm_sim *s, struct sim_node *node)
{
	int64_t knot_ms = node->knot * s->step_ms, in_life = (knot_ms + node->life_offset_ms) % s->life_ms;
	struct sim_faults f;
	sim_faults_at(&s->plan, &node->cache, node->seed, UINT32_C(1) << GM_SIM_FAULT_NODE_AWAY, knot_ms, &f);
	if (node->scenario_count)
		sim_scenario_at(node->scenario, node->scenario_count, -1, knot_ms, s->step_ms, &f);
	bool reboots = s->plan.faults && node->life > 0 && in_life < REBOOT_MS;
	return reboots || f.active;
}

/* Takes the boards to the knot before t_ms: step by step within a life, from its first knot when it is another one. */
static void walk(struct gm_sim *s, struct sim_node *node, int64_t t_ms)
{
	int64_t knot = t_ms / s->step_ms, life = (knot * s->step_ms + node->life_offset_ms) / s->life_ms;
	if (life == node->life && knot == node->knot)
		return;
	for (size_t i = 0; i < node->pub.device_count; i++) {
		size_t index = node->first_device + i;
		int64_t at = node->knot;
		if (life != node->life) {
			at = life ? (life * s->life_ms - node->life_offset_ms) / s->step_ms : 0;
			sim_board_begin(s, node, index, at);
		}
		while (at < knot)
			sim_board_step(s, node, index, ++at);
	}
	if (life != node->life)
		node->cache = (struct sim_fault_cache){ 0 };
	node->life = life;
	node->knot = knot;
	node->pub.away = is_away(s, node);
}

void gm_sim_advance_node(struct gm_sim *s, size_t index, int64_t now_ms)
{
	if (index >= s->node_count)
		return;
	struct sim_node *node = &s->nodes[index];
	int64_t t_ms = sim_world_ms(s, now_ms);
	if (t_ms <= node->at_ms)
		return;
	walk(s, node, t_ms);
	node->at_ms = t_ms;
	for (size_t i = 0; i < node->pub.device_count; i++)
		sim_board_show(s, node, node->first_device + i, t_ms);
}

void gm_sim_advance(struct gm_sim *s, int64_t now_ms)
{
	for (size_t i = 0; i < s->node_count; i++)
		gm_sim_advance_node(s, i, now_ms);
}
