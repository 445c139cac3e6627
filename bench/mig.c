/* SPDX-License-Identifier: MIT */
/*
 * What core/mig costs: the plan of a board (from every layout to every multiset of profiles that it can have, busy ones by
 * chance), of 10,000 boards, and the moves that buy a slice there. `bench-mig [BOARDS]`.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/parse.h"
#include "base/vec.h"
#include "core/mig/plan.h"

#define ROUNDS 11

GM_VEC(struct gm_mig_layout) layouts;

static bool keep_layout(void *ctx, const struct gm_mig_layout *l)
{
	(void)ctx;
	gm_vec_push(&layouts, *l);
	return true;
}

static uint32_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33);
}

static double now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct gm_mig_board board_of(const struct gm_mig_table *t, const struct gm_mig_layout *l, unsigned idle_in,
				    uint64_t *seed)
{
	struct gm_mig_board b = { .table = t, .mig_on = true };

	for (size_t i = 0; i < l->count; i++)
		b.seats[b.seat_count++] = (struct gm_mig_seat){ .slot = l->slots[i],
								.busy = next_random(seed) % idle_in != 0,
								.cost = next_random(seed) % 1000 };
	return b;
}

/* All pairs of a layout and the profiles of one; `bits`: what is allowed. */
static void bench_board(const struct gm_mig_table *t, const char *name, bool disturb, size_t step)
{
	GM_VEC(double) took = { 0 };
	uint64_t seed = 1;

	for (size_t i = 0; i < layouts.count; i++) {
		for (size_t k = i % step; k < layouts.count; k += step) {
			struct gm_mig_board b = board_of(t, &layouts.items[i], 2, &seed);
			uint8_t profiles[GM_MIG_INSTANCES_MAX];
			struct gm_mig_wish w = { .profiles = profiles,
						 .disturb = disturb,
						 .rehouse = disturb && k % 2 };
			struct gm_mig_board_plan p;
			double best = 0;

			for (; w.count < layouts.items[k].count; w.count++)
				profiles[w.count] = layouts.items[k].slots[w.count].profile;
			/* The best of three: what the machine does meanwhile is not ours. */
			for (int n = 0; n < 3; n++) {
				double from = now_us(), us;

				(void)!gm_mig_plan_board(&b, &w, &p, NULL);
				us = now_us() - from;
				best = n == 0 || us < best ? us : best;
			}
			gm_vec_push(&took, best);
		}
	}
	qsort(took.items, took.count, sizeof(double), compare);
	printf("figure mig.board.%s.p50 %.2f us\n", name, took.items[took.count / 2]);
	printf("figure mig.board.%s.p99 %.2f us\n", name, took.items[took.count * 99 / 100]);
	printf("figure mig.board.%s.max %.2f us\n", name, took.items[took.count - 1]);
	gm_vec_fini(&took);
}

static void bench_fleet(const struct gm_mig_board *boards, size_t count, const char *name, bool disturb,
			const struct gm_mig_fleet_wish *wishes, size_t kinds)
{
	double took[ROUNDS];
	const char *result = "none";

	for (size_t i = 0; i < ROUNDS; i++) {
		struct gm_mig_fleet_plan p = { 0 };
		double from = now_us();
		int rc = gm_mig_plan_fleet(boards, count, wishes, kinds, disturb, &p, NULL);

		took[i] = now_us() - from;
		if (rc == 0)
			result = gm_mig_harm_compare(&p.harm, &p.bound) == 0 ? "proven" : "bounded";
		gm_mig_fleet_plan_fini(&p);
	}
	qsort(took, ROUNDS, sizeof(double), compare);
	printf("figure mig.fleet.%s.p50 %.2f ms\n", name, took[ROUNDS / 2] / 1e3);
	printf("figure mig.fleet.%s.max %.2f ms\n", name, took[ROUNDS - 1] / 1e3);
	printf("# %s: %s\n", name, result);
}

static void bench_fleets(const struct gm_mig_table *t, size_t count)
{
	static const struct gm_mig_fleet_wish one[] = { { "3g.40gb", 1 } },
					      few[] = { { "1g.10gb", 6 }, { "2g.20gb", 3 }, { "3g.40gb", 3 } },
					      many[] = { { "1g.10gb", 2000 } },
					      mix[] = { { "1g.10gb", 1500 },
							{ "2g.20gb", 600 },
							{ "3g.40gb", 300 },
							{ "7g.80gb", 20 } };
	struct gm_mig_board *boards = gm_xalloc(count * sizeof(*boards));
	struct gm_mig_board *full = gm_xalloc(count * sizeof(*full));
	uint64_t seed = 3;
	size_t k = 0;

	for (size_t i = 0; i < count; i++)
		boards[i] = board_of(t, &layouts.items[next_random(&seed) % layouts.count], 5, &seed);
	bench_fleet(boards, count, "one", false, one, GM_LEN(one));
	bench_fleet(boards, count, "few", false, few, GM_LEN(few));
	bench_fleet(boards, count, "many", false, many, GM_LEN(many));
	bench_fleet(boards, count, "mix", false, mix, GM_LEN(mix));
	/* Somebody runs everywhere, each at another cost. */
	for (size_t i = 0; i < count; i++) {
		while (!gm_mig_layout_maximal(t, &layouts.items[k]))
			k = next_random(&seed) % layouts.count;
		full[i] = board_of(t, &layouts.items[k], UINT_MAX, &seed);
		k = next_random(&seed) % layouts.count;
	}
	bench_fleet(full, count, "few-disturb", true, few, GM_LEN(few));
	bench_fleet(full, count, "mix-disturb", true, mix, GM_LEN(mix));
	/* No board has room for the largest one: what must move? */
	for (size_t i = 0; i < count; i++) {
		while (boards[i].seat_count < 3)
			boards[i] = board_of(t, &layouts.items[next_random(&seed) % layouts.count], 5, &seed);
		for (size_t n = 0; n < 3; n++)
			boards[i].seats[n].busy = true;
	}
	for (size_t moves = 3; moves <= GM_MIG_MOVES_MAX; moves += 5) {
		struct gm_mig_defrag d = { 0 };
		double from = now_us();
		int rc = gm_mig_plan_defrag(boards, count, "7g.80gb", moves, &d, NULL);

		printf("figure mig.defrag.%zu %.2f ms\n", moves, (now_us() - from) / 1e3);
		printf("# %zu moves, %s\n", d.move_count, rc ? "none" : d.proven ? "proven" : "cut short");
	}
	free(boards);
	free(full);
}

int main(int argc, char **argv)
{
	const struct gm_variant *v = gm_catalog_variant(GM_STR("H100_SXM5_80GB"));
	uint64_t count = 10000;

	if (argc > 1 && !gm_parse_u64(gm_str(argv[1]), 1, GM_MIG_FLEET_BOARDS_MAX, &count)) {
		fprintf(stderr, "usage: bench-mig [BOARDS]\n");
		return 2;
	}
	gm_mig_layouts(v->mig, ~UINT64_C(0), keep_layout, NULL);
	bench_board(v->mig, "free", false, 7);
	bench_board(v->mig, "disturb", true, 7);
	bench_fleets(v->mig, count);
	gm_vec_fini(&layouts);
	return 0;
}
