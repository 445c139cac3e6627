/* SPDX-License-Identifier: MIT */
#include "alloc-testing.h"

#include <math.h>
#include <string.h>

#include "core/alloc/mix.h"
#include "core/alloc/pack-fleet.h"

/* "1000 400 0": what is free on each board. */
static struct gm_pack_node node_of(uint32_t cpu, uint32_t memory, uint8_t model, const char *boards)
{
	struct gm_pack_node n = { .cpu_milli = cpu, .memory_mib = memory, .model = model };

	while (*boards) {
		char *end;

		n.milli[n.gpu_count++] = (uint16_t)strtoul(boards, &end, 10);
		boards = end;
	}
	return n;
}

#define ONLY(model) (UINT64_C(1) << (model))

static void test_who_fits(void **state)
{
	static const struct {
		const char *boards;
		struct gm_pack_request request; /* cpu, memory, boards, of each, models */
		bool fits;
	} CASES[] = {
		{ "1000 1000", { 8000, 1024, 2, 1000, 0 }, true },
		{ "1000 999", { 8000, 1024, 2, 1000, 0 }, false },
		{ "500 500", { 8000, 1024, 1, 1000, 0 }, false },
		{ "500 501", { 8000, 1024, 1, 501, 0 }, true },
		{ "500 501", { 8000, 1024, 1, 502, 0 }, false },
		{ "0 0", { 8000, 1024, 0, 0, 0 }, true },
		{ "", { 8000, 1024, 0, 0, 0 }, true },
		{ "", { 8000, 1024, 1, 10, 0 }, false },
		{ "1000", { 8001, 1024, 1, 10, 0 }, false },
		{ "1000", { 8000, 1025, 1, 10, 0 }, false },
		{ "1000", { 8000, 1024, 1, 10, ONLY(3) }, true },
		{ "1000", { 8000, 1024, 1, 10, ONLY(2) | ONLY(63) }, false },
		{ "1000", { 8000, 1024, 0, 0, ONLY(2) }, true }, /* no board, any node */
	};

	(void)state;
	for (size_t i = 0; i < GM_LEN(CASES); i++) {
		struct gm_pack_node n = node_of(8000, 1024, 3, CASES[i].boards);

		assert_int_equal(gm_pack_fits(&n, &CASES[i].request), CASES[i].fits);
	}
}

static void test_types_are_numbered_once(void **state)
{
	GM_AUTO(gm_pack_types_fini_p) struct gm_pack_types t = { 0 };

	(void)state;
	for (int round = 0; round < 2; round++)
		for (uint32_t i = 0; i < 1000; i++)
			assert_int_equal(gm_pack_types_add(&t, &(struct gm_pack_request){ .cpu_milli = i % 10,
											  .memory_mib = i / 10,
											  .gpu_count = 1,
											  .gpu_milli = 500 }),
					 i);
	assert_int_equal(t.rows.count, 1000);
}

/* What a rule is asked with: types and how often each was asked for. */
struct asked {
	struct gm_pack_types types;
	struct gm_mix mix;
	struct gm_pack_rule rule;
};

static void asked_init(struct asked *a, enum gm_pack_policy policy, const struct gm_pack_request *rows,
		       const unsigned *counts, size_t count, const struct gm_pack_node *nodes, size_t node_count)
{
	*a = (struct asked){ 0 };
	gm_mix_init(&a->mix, 0, 0);
	gm_mix_grow(&a->mix, count);
	for (size_t i = 0; i < count; i++) {
		uint32_t type = gm_pack_types_add(&a->types, &rows[i]);

		for (unsigned k = 0; k < counts[i]; k++)
			gm_mix_saw(&a->mix, type);
	}
	gm_pack_rule_init(&a->rule, policy, nodes, node_count);
	gm_pack_rule_learn(&a->rule, &a->types, &a->mix);
}

static void asked_fini(struct asked *a)
{
	gm_pack_rule_fini(&a->rule);
	gm_pack_types_fini(&a->types);
	gm_mix_fini(&a->mix);
}

static const struct gm_pack_request THREE[] = {
	{ 4000, 1000, 1, 1000, 0 },
	{ 2000, 1000, 1, 400, 0 },
	{ 1000, 1000, 0, 0, 0 },
};
static const unsigned HALF_QUARTER_QUARTER[] = { 2, 1, 1 };

struct loss_case {
	uint32_t cpu, memory;
	const char *boards;
	double fgd, balanced; /* thousandths of a board */
};

/*
 * By hand. Types: half a whole board with 4 cores, a quarter 400 with 2 cores, a quarter CPU only. fgd: for the first two
 * what lies on boards too full for them, all when they do not fit; for the third always all. balanced: as much, and what
 * stays free when the node is filled with the first, or the second.
 */
static const struct loss_case LOSSES[] = {
	{ 64000, 64000, "1000 1000", .fgd = .25 * 2000, .balanced = .25 * 2000 + .25 * (2000 - 4 * 400) },
	{ 64000, 64000, "1000 300", .fgd = .5 * 300 + .25 * 300 + .25 * 1300,
	  .balanced = .5 * 300 + .25 * 300 + .25 * 1300 + .5 * 300 + .25 * (1300 - 800) },
	{ 64000, 64000, "0 0", 0, 0 },
	/* Three cores: no whole board, and one 400. */
	{ 3000, 64000, "1000", .fgd = .5 * 1000 + .25 * 1000, .balanced = .75 * 1000 + .5 * 1000 + .25 * 600 },
	/* No memory: fgd does not look at it. */
	{ 64000, 0, "1000", .fgd = .25 * 1000, .balanced = 1000 + .75 * 1000 },
};

static void test_expected_loss_of_a_node(void **state)
{
	(void)state;
	for (size_t i = 0; i < GM_LEN(LOSSES); i++) {
		const struct loss_case *k = &LOSSES[i];
		struct gm_pack_node n = node_of(k->cpu, k->memory, 0, k->boards);
		struct asked fgd, balanced;

		asked_init(&fgd, GM_PACK_FGD, THREE, HALF_QUARTER_QUARTER, 3, &n, 1);
		asked_init(&balanced, GM_PACK_BALANCED, THREE, HALF_QUARTER_QUARTER, 3, &n, 1);
		assert_true(fabs((double)gm_pack_rule_loss(&fgd.rule, &n) / (double)fgd.rule.weight - k->fgd) < 1e-6);
		assert_true(fabs((double)gm_pack_rule_loss(&balanced.rule, &n) / (double)balanced.rule.weight -
				 k->balanced) < 1e-6);
		asked_fini(&fgd);
		asked_fini(&balanced);
	}
}

/* Types that differ in memory only are one; then in falling number until 95 % of the requests are covered. */
static void test_fgd_looks_at_typical_requests(void **state)
{
	static const struct gm_pack_request ROWS[] = {
		{ 1000, 10, 1, 100, 0 },
		{ 1000, 20, 1, 100, 0 },
		{ 1000, 10, 1, 200, 0 },
		{ 1000, 10, 1, 300, 0 },
	};
	static const unsigned COUNTS[] = { 40, 40, 16, 4 };
	struct gm_pack_node n = node_of(1000, 10, 0, "1000");
	struct asked a;

	(void)state;
	asked_init(&a, GM_PACK_FGD, ROWS, COUNTS, GM_LEN(ROWS), &n, 1);
	assert_int_equal(a.rule.types.count, 2);
	assert_int_equal(a.rule.types.items[0].request.gpu_milli, 100);
	assert_int_equal(a.rule.types.items[1].request.gpu_milli, 200);
	assert_true(fabs((double)a.rule.types.items[0].weight / (double)a.rule.weight - 80.0 / 96) < 1e-5);
	asked_fini(&a);
}

struct choose_case {
	enum gm_pack_policy policy;
	const char *boards;
	struct gm_pack_request request;
	gm_pack_gpus gpus;
};

static const struct choose_case CHOICES[] = {
	{ GM_PACK_BESTFIT, "1000 700 600 700", { 100, 1, 1, 600, 0 }, 1 << 2 },
	{ GM_PACK_BESTFIT, "1000 700 600 700", { 100, 1, 1, 650, 0 }, 1 << 1 },
	{ GM_PACK_BESTFIT, "700 1000 1000 1000", { 100, 1, 2, 1000, 0 }, 1 << 1 | 1 << 2 },
	/* 400 beside 400 and 200 leaves a whole board whole. */
	{ GM_PACK_FGD, "1000 400 1000", { 100, 1, 1, 400, 0 }, 1 << 1 },
	{ GM_PACK_BALANCED, "1000 400 1000", { 100, 1, 1, 400, 0 }, 1 << 1 },
	{ GM_PACK_BALANCED, "1000 1000 1000", { 100, 1, 1, 400, 0 }, 1 << 0 }, /* ties: the first */
	{ GM_PACK_BALANCED, "300 1000", { 100, 1, 0, 0, 0 }, 0 },
};

static void test_cheapest_board(void **state)
{
	(void)state;
	for (size_t i = 0; i < GM_LEN(CHOICES); i++) {
		struct gm_pack_node n = node_of(64000, 64000, 0, CHOICES[i].boards);
		struct gm_pack_choice c;
		struct asked a;

		asked_init(&a, CHOICES[i].policy, THREE, HALF_QUARTER_QUARTER, 3, &n, 1);
		c = gm_pack_rule_choose(&a.rule, &n, gm_pack_rule_loss(&a.rule, &n), &CHOICES[i].request);
		assert_true(c.fits);
		assert_int_equal(c.gpus, CHOICES[i].gpus);
		asked_fini(&a);
	}
}

#define WORLD_NODES 12
#define WORLD_TYPES 25
#define HELD_MAX 512

struct world {
	struct asked asked;
	struct gm_pack_node empty[WORLD_NODES];
	struct gm_pack_fleet *fleet;
	uint64_t random;
	struct held {
		uint32_t type;
		struct gm_pack_place place;
	} held[HELD_MAX];
	size_t count;
};

static void world_init(struct world *w, enum gm_pack_policy policy, uint64_t seed)
{
	struct gm_pack_request rows[WORLD_TYPES];
	unsigned counts[WORLD_TYPES];

	*w = (struct world){ .random = seed };
	for (size_t i = 0; i < WORLD_NODES; i++) {
		w->empty[i] = node_of(8000 + draw(&w->random, 4) * 8000, 65536, (uint8_t)draw(&w->random, 3), "");
		w->empty[i].gpu_count = (uint8_t)draw(&w->random, 9);
		for (size_t k = 0; k < w->empty[i].gpu_count; k++)
			w->empty[i].milli[k] = GM_PACK_WHOLE;
	}
	for (size_t i = 0; i < WORLD_TYPES; i++) {
		uint8_t gpus = (uint8_t)draw(&w->random, 4);

		rows[i] =
			(struct gm_pack_request){ draw(&w->random, 9) * 500, draw(&w->random, 16) * 1024, gpus, 0, 0 };
		if (gpus)
			rows[i].gpu_milli = gpus > 1 || !draw(&w->random, 3) ? GM_PACK_WHOLE
									     : (uint16_t)(1 + draw(&w->random, 999));
		rows[i].models = draw(&w->random, 4) ? 0 : ONLY(draw(&w->random, 4));
		counts[i] = draw(&w->random, 50);
	}
	asked_init(&w->asked, policy, rows, counts, WORLD_TYPES, w->empty, WORLD_NODES);
	w->fleet = gm_pack_fleet_new(w->empty, WORLD_NODES, &w->asked.rule, seed);
}

/* What is free and what is held make up what there was, on every board. */
static void check_conserved(const struct world *w)
{
	for (uint32_t i = 0; i < WORLD_NODES; i++) {
		struct gm_pack_node sum = *gm_pack_fleet_node(w->fleet, i);

		for (size_t k = 0; k < w->count; k++)
			if (w->held[k].place.node == i)
				gm_pack_give(&sum, &w->asked.types.rows.items[w->held[k].type], w->held[k].place.gpus);
		assert_int_equal(sum.cpu_milli, w->empty[i].cpu_milli);
		assert_int_equal(sum.memory_mib, w->empty[i].memory_mib);
		assert_memory_equal(sum.milli, w->empty[i].milli, sizeof(sum.milli));
	}
}

/* The first node of least cost, each worked out anew: what the kept costs must say too. */
static bool find_by_force(const struct world *w, const struct gm_pack_request *r, struct gm_pack_place *out)
{
	struct gm_pack_choice best = { 0 };

	for (uint32_t i = 0; i < WORLD_NODES; i++) {
		const struct gm_pack_node *n = gm_pack_fleet_node(w->fleet, i);
		bool losses = w->asked.rule.policy >= GM_PACK_FGD;
		struct gm_pack_choice c =
			gm_pack_rule_choose(&w->asked.rule, n, losses ? gm_pack_rule_loss(&w->asked.rule, n) : 0, r);

		assert_int_equal(c.fits, gm_pack_fits(n, r));
		if (!c.fits || (best.fits && c.cost >= best.cost))
			continue;
		best = c;
		*out = (struct gm_pack_place){ .node = i, .gpus = c.gpus };
	}
	return best.fits;
}

static void step(struct world *w)
{
	uint32_t type = draw(&w->random, (uint32_t)w->asked.types.rows.count);
	const struct gm_pack_request *r = &w->asked.types.rows.items[type];
	struct gm_pack_place place = { 0 }, expected = { 0 };
	bool fits = gm_pack_fleet_find(w->fleet, type, r, &place);

	if (w->asked.rule.policy == GM_PACK_RANDOM) {
		bool any = false;

		for (uint32_t i = 0; i < WORLD_NODES; i++)
			any |= gm_pack_fits(gm_pack_fleet_node(w->fleet, i), r);
		assert_int_equal(fits, any);
	} else {
		assert_int_equal(fits, find_by_force(w, r, &expected));
		assert_int_equal(place.node, expected.node);
		assert_int_equal(place.gpus, expected.gpus);
	}
	if (fits && w->count < HELD_MAX) {
		gm_pack_fleet_put(w->fleet, r, place);
		w->held[w->count++] = (struct held){ .type = type, .place = place };
	}
	if (w->count && (!fits || w->count == HELD_MAX || !draw(&w->random, 3))) {
		size_t at = draw(&w->random, (uint32_t)w->count);

		gm_pack_fleet_release(w->fleet, &w->asked.types.rows.items[w->held[at].type], w->held[at].place);
		w->held[at] = w->held[--w->count];
	}
}

static void test_random_worlds_conserve_and_find_the_cheapest(void **state)
{
	unsigned steps = long_run() ? 20000 : 400;

	(void)state;
	for (uint64_t seed = 1; seed <= 24; seed++) {
		struct world w;

		world_init(&w, (enum gm_pack_policy)(seed % 4), seed);
		for (unsigned i = 0; i < steps; i++) {
			step(&w);
			if (i % 50 == 0)
				check_conserved(&w);
			if (i % 150 == 149) {
				gm_mix_saw(&w.asked.mix, draw(&w.random, WORLD_TYPES) % w.asked.types.rows.count);
				gm_pack_rule_learn(&w.asked.rule, &w.asked.types, &w.asked.mix);
				gm_pack_fleet_changed(w.fleet);
			}
		}
		check_conserved(&w);
		while (w.count) {
			w.count--;
			gm_pack_fleet_release(w.fleet, &w.asked.types.rows.items[w.held[w.count].type],
					      w.held[w.count].place);
		}
		for (uint32_t i = 0; i < WORLD_NODES; i++)
			assert_memory_equal(gm_pack_fleet_node(w.fleet, i)->milli, w.empty[i].milli,
					    sizeof(w.empty[i].milli));
		gm_pack_fleet_free(w.fleet);
		asked_fini(&w.asked);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_fits),
		cmocka_unit_test(test_types_are_numbered_once),
		cmocka_unit_test(test_expected_loss_of_a_node),
		cmocka_unit_test(test_fgd_looks_at_typical_requests),
		cmocka_unit_test(test_cheapest_board),
		cmocka_unit_test(test_random_worlds_conserve_and_find_the_cheapest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
