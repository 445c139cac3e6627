/* SPDX-License-Identifier: MIT */
/*
 * What one decision costs at 10,000 boards: a MIG slice with and without moves of running ones, and shares or whole boards
 * with CPU and memory. Full fleets, requests come and go. `bench-alloc [DECISIONS]`.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/parse.h"
#include "core/alloc/pack-fleet.h"
#include "core/alloc/slice-fleet.h"

#define BOARDS 10000
#define NODES (BOARDS / 8)
#define TYPES 150
#define LEARN_EVERY 16
#define MINUTE_MS 60000
/* Making room takes longer: so often is enough to say how long. */
#define MOVES_MAX 1000

struct times {
	uint64_t *ns;
	size_t count, capacity;
};

static uint64_t random_state = 1;

static uint32_t draw(uint32_t n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((random_state >> 33) * n >> 31);
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void note(struct times *t, int64_t since_ns)
{
	if (t->count < t->capacity)
		t->ns[t->count++] = (uint64_t)(gm_clock_mono_ns() - since_ns);
}

static void report(const char *name, struct times *t)
{
	uint64_t sum = 0;

	if (!t->count)
		return;
	qsort(t->ns, t->count, sizeof(*t->ns), by_size);
	for (size_t i = 0; i < t->count; i++)
		sum += t->ns[i];
	printf("figure %s.p50 %.1f us\n", name, (double)t->ns[t->count / 2] / 1e3);
	printf("figure %s.p99 %.1f us\n", name, (double)t->ns[t->count * 99 / 100] / 1e3);
	printf("figure %s.max %.1f us\n", name, (double)t->ns[t->count - 1] / 1e3);
	printf("figure %s.rate %.0f decisions/s\n", name, (double)t->count * 1e9 / (double)sum);
	t->count = 0;
}

static struct times times_new(size_t capacity)
{
	return (struct times){ .ns = gm_xalloc(capacity * sizeof(uint64_t)), .capacity = capacity };
}

/* Small slices nearly always, so that a board holds close to seven. */
static size_t any_profile(const struct gm_slice_space *s)
{
	size_t most = s->table->profile_count;

	for (;;) {
		size_t p = draw(20) ? 0 : draw((uint32_t)most);

		if (s->slot_first[p] < s->slot_first[p + 1])
			return p;
	}
}

static void bench_slices(size_t decisions)
{
	const struct gm_mig_table *table = gm_catalog_variant(gm_str("H100_SXM5_80GB"))->mig;
	struct gm_slice_space *space = NULL;
	struct times find = times_new(decisions), moves = times_new(decisions), learn = times_new(decisions);
	uint32_t *running = gm_xalloc(BOARDS * GM_MIG_INSTANCES_MAX * sizeof(*running)), count = 0;
	struct gm_lifetimes lifetimes;
	struct gm_slice_fleet *fleet;
	struct gm_slice_rule rule;
	struct gm_mix mix;
	int64_t now = 0;
	bool full = false;

	if (gm_slice_space_new(table, ~UINT64_C(0), &space, NULL))
		abort();
	gm_lifetimes_init(&lifetimes);
	gm_mix_init(&mix, table->profile_count, 2000);
	gm_slice_rule_init(&rule, space, GM_SLICE_BALANCED, false, &lifetimes);
	fleet = gm_slice_fleet_new(space, BOARDS);
	for (size_t i = 0; find.count < decisions; i++) {
		size_t profile = any_profile(space);
		struct gm_slice_place place;
		struct gm_slice_moves plan;
		int64_t begin;
		bool fits, tries;

		now += MINUTE_MS;
		/* Once the boards are full about as many go as come. */
		if (full && count && draw(100) < 55) {
			uint32_t at = draw(count);

			gm_lifetimes_learn(&lifetimes, now - gm_slice_fleet_since(fleet, running[at]));
			gm_slice_fleet_release(fleet, running[at]);
			running[at] = running[--count];
		}
		begin = gm_clock_mono_ns();
		fits = gm_slice_fleet_find(fleet, &rule, profile, now, &place);
		full |= !fits;
		if (full)
			note(&find, begin);
		begin = gm_clock_mono_ns();
		tries = !fits && moves.count < MOVES_MAX;
		if (tries && gm_slice_fleet_make_room(fleet, &rule, profile, GM_SLICE_MOVES_MAX, now, &plan)) {
			gm_slice_fleet_move(fleet, &plan);
			place = plan.place;
			fits = true;
		}
		if (tries)
			note(&moves, begin);
		if (fits)
			running[count++] = gm_slice_fleet_put(fleet, place, now);
		gm_mix_saw(&mix, profile);
		if (i % LEARN_EVERY)
			continue;
		begin = gm_clock_mono_ns();
		gm_slice_rule_learn(&rule, &mix);
		note(&learn, begin);
	}
	printf("# %zu layouts, %u slices on %d boards\n", space->state_count, count, BOARDS);
	report("alloc.slice", &find);
	report("alloc.slice-moves", &moves);
	report("alloc.slice-learn", &learn);
}

static void bench_pack(size_t decisions)
{
	struct gm_pack_types types = { 0 };
	struct gm_pack_node *nodes = gm_xalloc(NODES * sizeof(*nodes));
	struct times find = times_new(decisions);
	struct gm_pack_fleet *fleet;
	struct gm_pack_rule rule;
	struct gm_mix mix;
	struct held {
		uint32_t type;
		struct gm_pack_place place;
	} *held = gm_xalloc((decisions + 1) * 2 * sizeof(*held));
	size_t count = 0, refused = 0;

	for (size_t i = 0; i < NODES; i++) {
		nodes[i] = (struct gm_pack_node){ .cpu_milli = 96000, .memory_mib = 786432, .gpu_count = 8 };
		for (size_t k = 0; k < 8; k++)
			nodes[i].milli[k] = GM_PACK_WHOLE;
	}
	for (size_t i = 0; i < TYPES; i++) {
		uint8_t gpus = draw(10) ? 1 : (uint8_t)(1U << draw(4));

		gm_pack_types_add(&types, &(struct gm_pack_request){
						  .cpu_milli = 1000 + draw(24) * 500,
						  .memory_mib = 4096 + draw(60) * 1024,
						  .gpu_count = gpus,
						  .gpu_milli = (uint16_t)(gpus > 1 || draw(2) ? GM_PACK_WHOLE
											      : 50 + draw(90) * 10) });
	}
	gm_mix_init(&mix, types.rows.count, 0);
	gm_pack_rule_init(&rule, GM_PACK_BALANCED, nodes, NODES);
	gm_pack_rule_learn(&rule, &types, &mix);
	fleet = gm_pack_fleet_new(nodes, NODES, &rule, 1);
	while (find.count < decisions) {
		uint32_t type = draw((uint32_t)types.rows.count);
		const struct gm_pack_request *r = &types.rows.items[type];
		struct gm_pack_place place;
		int64_t begin;
		bool fits;

		if (refused > 50 && count && draw(100) < 55) {
			size_t at = draw((uint32_t)count);

			gm_pack_fleet_release(fleet, &types.rows.items[held[at].type], held[at].place);
			held[at] = held[--count];
		}
		begin = gm_clock_mono_ns();
		fits = gm_pack_fleet_find(fleet, type, r, &place);
		note(&find, begin);
		refused += !fits;
		if (!fits)
			continue;
		gm_pack_fleet_put(fleet, r, place);
		held[count++] = (struct held){ .type = type, .place = place };
	}
	printf("# %zu kinds of requests, %d nodes of 8 boards, %zu refused\n", types.rows.count, NODES, refused);
	report("alloc.pack", &find);
}

int main(int argc, char **argv)
{
	uint64_t decisions = 100000;

	if (argc > 2 || (argc == 2 && !gm_parse_u64(gm_str(argv[1]), 100, 10000000, &decisions))) {
		(void)fprintf(stderr, "usage: bench-alloc [DECISIONS]\n");
		return 2;
	}
	bench_slices(decisions);
	bench_pack(decisions);
	return 0;
}
