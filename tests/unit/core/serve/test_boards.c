/* SPDX-License-Identifier: MIT */
#include "serve-testing.h"

/* Sizes 1, 2, 3, 4, 7 of an A100. */
struct known_pattern {
	uint16_t n[5];
};
static const struct known_pattern PATTERNS[] = {
	{ { 0, 0, 0, 0, 1 } }, { { 0, 0, 1, 1, 0 } }, { { 0, 0, 2, 0, 0 } }, { { 0, 2, 1, 0, 0 } },
	{ { 1, 1, 0, 1, 0 } }, { { 1, 3, 0, 0, 0 } }, { { 2, 1, 1, 0, 0 } }, { { 3, 0, 0, 1, 0 } },
	{ { 3, 2, 0, 0, 0 } }, { { 4, 0, 1, 0, 0 } }, { { 5, 1, 0, 0, 0 } }, { { 7, 0, 0, 0, 0 } },
};

static void test_full_boards_of_an_a100_are_these(void **state)
{
	struct serve_boards b;

	(void)state;
	assert_int_equal(serve_boards_init(table_of("A100_SXM4_80GB"), &b, NULL), 0);
	assert_int_equal(b.size_count, 5);
	assert_int_equal(b.board_gpcs, 7);
	assert_int_equal(b.pattern_count, GM_LEN(PATTERNS));
	for (size_t i = 0; i < GM_LEN(PATTERNS); i++) {
		size_t found = 0;

		for (size_t k = 0; k < b.pattern_count; k++)
			found += memcmp(b.patterns[k].counts.n, PATTERNS[i].n, sizeof(PATTERNS[i].n)) == 0;
		assert_int_equal(found, 1);
	}
}

/* The corners of the dual, solved by hand: compute slices, memory slices, thirds, and one 4g a board. */
static void test_prices_of_an_a100_are_these(void **state)
{
	static const struct serve_weight known[] = {
		{ 7, { 1, 2, 3, 4, 7 } },
		{ 8, { 1, 2, 4, 4, 8 } },
		{ 3, { 0, 1, 1, 2, 3 } },
		{ 1, { 0, 0, 0, 1, 1 } },
	};
	struct serve_boards b;

	(void)state;
	assert_int_equal(serve_boards_init(table_of("A100_SXM4_80GB"), &b, NULL), 0);
	assert_int_equal(b.weight_count, GM_LEN(known));
	for (size_t i = 0; i < GM_LEN(known); i++) {
		size_t found = 0;

		for (size_t k = 0; k < b.weight_count; k++) {
			bool same = true;

			for (size_t s = 0; s < 5; s++)
				same &= b.weights[k].of[s] * known[i].whole == known[i].of[s] * b.weights[k].whole;
			found += same;
		}
		assert_int_equal(found, 1);
	}
}

/* Boards needed by plain recursion over the full boards. */
static int boards_by_force(const struct serve_boards *b, struct serve_counts c, int limit)
{
	int best = limit + 1;
	bool empty = true;

	for (size_t i = 0; i < b->size_count; i++)
		empty &= c.n[i] == 0;
	if (empty)
		return 0;
	if (limit == 0)
		return 1;
	for (size_t i = 0; i < b->pattern_count; i++) {
		struct serve_counts rest = c;
		int boards;

		for (size_t k = 0; k < b->size_count; k++)
			rest.n[k] = (uint16_t)(c.n[k] > b->patterns[i].counts.n[k] ? c.n[k] - b->patterns[i].counts.n[k]
										   : 0);
		if (memcmp(&rest, &c, sizeof(c)) == 0)
			continue;
		boards = 1 + boards_by_force(b, rest, best - 2);
		best = boards < best ? boards : best;
	}
	return best;
}

static void test_pack_needs_as_few_boards_as_the_oracle(void **state)
{
	struct serve_boards b;
	uint64_t seed = 42;
	uint8_t patterns[16];

	(void)state;
	assert_int_equal(serve_boards_init(table_of("A100_SXM4_80GB"), &b, NULL), 0);
	for (int i = 0; i < 400; i++) {
		struct serve_counts c = { 0 };
		int want, used = -1;

		for (size_t k = 0; k < b.size_count; k++)
			c.n[k] = (uint16_t)random_between(&seed, 0, k == 0 ? 5 : k < 3 ? 2 : 1);
		want = boards_by_force(&b, c, 4);
		if (want > 4)
			continue;
		assert_true(serve_boards_floor(&b, &c) <= want);
		assert_int_equal(serve_pack(&b, &c, want, patterns, &used), SERVE_FOUND);
		assert_int_equal(used, want);
		if (want == 0)
			continue;
		memset(patterns, 0xff, sizeof(patterns));
		assert_int_equal(serve_pack(&b, &c, want - 1, patterns, &used), SERVE_NONE);
		assert_int_equal(used, want);
		for (size_t k = 0; k < sizeof(patterns); k++)
			assert_int_equal(patterns[k], 0xff);
	}
}

/* Cheapest cover by trying every count of every size. */
static int cost_by_force(const int *cost, const int64_t *rate, size_t count, int64_t wanted, int limit)
{
	int best = limit;

	if (wanted <= 0)
		return 0;
	if (count == 0 || limit <= 0)
		return limit;
	for (int n = 0; n * cost[count - 1] < best; n++) {
		int64_t left = wanted - n * rate[count - 1];
		int c = n * cost[count - 1] + cost_by_force(cost, rate, count - 1, left, best - n * cost[count - 1]);

		best = c < best ? c : best;
		if (left <= 0 || rate[count - 1] == 0)
			break;
	}
	return best;
}

static void test_least_cost_is_exact(void **state)
{
	static const int cost[] = { 1, 2, 3, 4, 7 };
	uint64_t seed = 7;

	(void)state;
	for (int i = 0; i < 300; i++) {
		int64_t rate[5];
		int64_t wanted = random_between(&seed, 1, 6000);

		for (size_t k = 0; k < 5; k++)
			rate[k] = random_between(&seed, 0, 9) ? random_between(&seed, 40 * cost[k], 60 * cost[k]) : 0;
		rate[1] = rate[1] ? rate[1] : 100;
		assert_int_equal(serve_least_cost(cost, rate, 5, wanted), cost_by_force(cost, rate, 5, wanted, 1000));
	}
}

/* Whatever board: sizes rise, full boards are legal layouts, and no price is more than a board. */
static void test_every_board_of_the_catalogue_can_be_planned(void **state)
{
	size_t count, boards = 0;
	const struct gm_variant *all = gm_catalog_variants(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		struct serve_boards b;

		if (!all[i].mig || serve_boards_init(all[i].mig, &b, NULL) < 0)
			continue;
		boards++;
		assert_true(b.size_count > 0 && b.pattern_count > 0 && b.weight_count > 0);
		for (size_t k = 1; k < b.size_count; k++)
			assert_true(b.gpcs[k] > b.gpcs[k - 1]);
		for (size_t p = 0; p < b.pattern_count; p++) {
			assert_int_equal(gm_mig_layout_check(all[i].mig, &b.patterns[p].layout, NULL), 0);
			assert_int_equal(serve_boards_floor(&b, &b.patterns[p].counts), 1);
		}
	}
	assert_true(boards > 10);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full_boards_of_an_a100_are_these),
		cmocka_unit_test(test_prices_of_an_a100_are_these),
		cmocka_unit_test(test_pack_needs_as_few_boards_as_the_oracle),
		cmocka_unit_test(test_least_cost_is_exact),
		cmocka_unit_test(test_every_board_of_the_catalogue_can_be_planned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
