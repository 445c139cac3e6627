/* SPDX-License-Identifier: MIT */
#include "mig-testing.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "core/mig/plan-fleet-internal.h"

#define BOARDS_MAX 2000
#define SPLITS_MAX 4096

static struct gm_mig_board boards[BOARDS_MAX];

/* Boards by chance; `kinds` tables of them, `free_of`: one seat in so many is idle. */
static void make_boards(size_t count, const char *const *variants, size_t kinds, uint32_t free_of, uint64_t *seed)
{
	static struct layouts all[4];

	for (size_t v = 0; v < kinds; v++)
		all[v] = *all_layouts(table_of(variants[v]));
	for (size_t i = 0; i < count; i++) {
		size_t v = next_random(seed) % kinds;
		const struct gm_mig_layout *l = &all[v].items[next_random(seed) % all[v].count];
		uint32_t chance = next_random(seed);

		boards[i] = (struct gm_mig_board){ .table = table_of(variants[v]),
						   .mig_on = chance % 5 != 0,
						   .reset_needed = chance >> 4 & 1,
						   .whole_busy = chance >> 5 & 1,
						   .whole_fixed = (chance >> 6 & 3) == 0,
						   .whole_cost = 30 };
		for (size_t k = 0; k < l->count && boards[i].mig_on; k++)
			boards[i].seats[boards[i].seat_count++] =
				(struct gm_mig_seat){ .slot = l->slots[k],
						      .busy = next_random(seed) % free_of != 0,
						      .cost = next_random(seed) % 3 * 10,
						      .fixed = next_random(seed) % 9 == 0 };
		/* Now and then one that is none. */
		if (chance >> 8 & 31 || boards[i].seat_count == 0 || boards[i].seat_count == GM_MIG_INSTANCES_MAX)
			continue;
		boards[i].seats[boards[i].seat_count++] = boards[i].seats[0];
	}
}

struct fleet_wish {
	struct gm_mig_fleet_wish wishes[GM_MIG_FLEET_WISHES_MAX];
	size_t count;
	bool disturb;
};

static struct fleet_wish wish_by_chance(const struct gm_mig_table *t, size_t kinds, uint32_t most, uint64_t *seed)
{
	struct fleet_wish w = { .disturb = next_random(seed) % 3 == 0 };

	while (w.count < kinds) {
		const char *name = t->profiles[next_random(seed) % t->profile_count].name;
		bool twice = false;

		for (size_t i = 0; i < w.count; i++)
			twice |= strcmp(w.wishes[i].profile, name) == 0;
		if (!twice)
			w.wishes[w.count++] = (struct gm_mig_fleet_wish){ name, next_random(seed) % (most + 1) };
	}
	return w;
}

static int worth_of_empty(const struct gm_mig_table *t)
{
	return gm_mig_use_worth(t, &(struct gm_mig_use){ 0 });
}

/* What the board does for so many of each; INVALID ones only for none. */
static bool serve_one(const struct gm_mig_board *b, const struct fleet_wish *w, const uint8_t *take,
		      struct gm_mig_board_plan *out)
{
	uint8_t profiles[64];
	struct gm_mig_wish one = { .profiles = profiles, .disturb = w->disturb };
	int rc;

	for (size_t k = 0; k < w->count; k++) {
		const struct gm_mig_profile *p = gm_mig_profile_find(b->table, gm_str(w->wishes[k].profile));

		if (!p && take[k])
			return false;
		for (size_t i = 0; i < take[k]; i++)
			profiles[one.count++] = (uint8_t)(p - b->table->profiles);
	}
	rc = gm_mig_plan_board(b, &one, out, NULL);
	if (rc == GM_ERR_INVALID && one.count == 0) {
		*out = (struct gm_mig_board_plan){ .harm.room_lost = worth_of_empty(b->table) };
		return true;
	}
	return rc == 0;
}

#define FORCE_BOARDS 4
/* Every way to split the wish. */
struct force {
	const struct fleet_wish *wish;
	size_t boards, splits;
	bool can[FORCE_BOARDS][SPLITS_MAX];
	struct gm_mig_harm harms[FORCE_BOARDS][SPLITS_MAX];
	uint8_t takes[SPLITS_MAX][GM_MIG_FLEET_WISHES_MAX];
	bool there;
	struct gm_mig_harm best;
};

static void split(struct force *f, size_t board, const uint8_t *rest, const struct gm_mig_harm *harm)
{
	if (board >= f->boards || board >= FORCE_BOARDS) {
		for (size_t k = 0; k < f->wish->count; k++) {
			if (rest[k])
				return;
		}
		if (!f->there || gm_mig_harm_compare(harm, &f->best) < 0)
			f->best = *harm;
		f->there = true;
		return;
	}
	for (size_t s = 0; s < f->splits; s++) {
		uint8_t left[GM_MIG_FLEET_WISHES_MAX];
		struct gm_mig_harm sum = *harm;
		bool fits = f->can[board][s];

		for (size_t k = 0; k < f->wish->count && fits; k++) {
			fits = f->takes[s][k] <= rest[k];
			left[k] = (uint8_t)(rest[k] - f->takes[s][k]);
		}
		if (!fits)
			continue;
		gm_mig_harm_add(&sum, &f->harms[board][s]);
		split(f, board + 1, left, &sum);
	}
}

static const struct force *by_force(size_t board_count, const struct fleet_wish *w)
{
	static struct force f;
	struct gm_mig_harm none = { 0 };
	uint8_t rest[GM_MIG_FLEET_WISHES_MAX] = { 0 };

	f = (struct force){ .wish = w, .boards = board_count, .splits = 1 };
	for (size_t k = 0; k < w->count; k++) {
		f.splits *= w->wishes[k].count + 1;
		rest[k] = (uint8_t)w->wishes[k].count;
	}
	assert_true(f.splits <= SPLITS_MAX);
	for (size_t s = 0; s < f.splits; s++) {
		size_t left = s;

		for (size_t k = 0; k < w->count; k++) {
			f.takes[s][k] = (uint8_t)(left % (w->wishes[k].count + 1));
			left /= w->wishes[k].count + 1;
		}
		for (size_t b = 0; b < board_count; b++) {
			struct gm_mig_board_plan p;

			f.can[b][s] = serve_one(&boards[b], w, f.takes[s], &p);
			f.harms[b][s] = p.harm;
		}
	}
	split(&f, 0, rest, &none);
	return &f;
}

/* The items are plans of their boards, serve what is wished, and add up. */
static void check_value(size_t board_count, const struct fleet_wish *w, const struct gm_mig_fleet_plan *p)
{
	static const uint8_t none[GM_MIG_FLEET_WISHES_MAX];
	uint32_t served[GM_MIG_FLEET_WISHES_MAX] = { 0 };
	struct gm_mig_harm sum = { 0 };
	size_t at = 0;

	for (size_t b = 0; b < board_count; b++) {
		struct gm_mig_board_plan one;
		const struct gm_mig_fleet_item *item = &p->items[at];
		bool works = at < p->count && item->board == b;

		assert_true(serve_one(&boards[b], w, works ? item->serves : none, &one));
		gm_mig_harm_add(&sum, &one.harm);
		if (!works)
			continue;
		assert_int_equal(gm_mig_harm_compare(&one.harm, &item->plan.harm), 0);
		assert_true(gm_mig_layout_same(&one.after, &item->plan.after));
		assert_true(gm_mig_layout_same(&one.create, &item->plan.create));
		assert_int_equal(one.destroy, item->plan.destroy);
		assert_int_equal(one.serve, item->plan.serve);
		assert_int_equal(one.switch_on, item->plan.switch_on);
		for (size_t k = 0; k < w->count; k++)
			served[k] += item->serves[k];
		at++;
	}
	assert_int_equal(at, p->count);
	assert_int_equal(gm_mig_harm_compare(&sum, &p->harm), 0);
	assert_true(gm_mig_harm_compare(&p->bound, &p->harm) <= 0);
	for (size_t k = 0; k < w->count; k++)
		assert_int_equal(served[k], w->wishes[k].count);
}

static void check_small(size_t board_count, const struct fleet_wish *w, size_t *refused)
{
	const struct force *f = by_force(board_count, w);
	struct gm_mig_fleet_plan p = { .count = 77 };
	struct gm_err err = { 0 };
	int rc = gm_mig_plan_fleet(boards, board_count, w->wishes, w->count, w->disturb, &p, &err);

	if (rc == GM_ERR_NOT_FOUND || !f->there) {
		assert_true(rc == GM_ERR_NOT_FOUND || rc == GM_ERR_CONFLICT);
		assert_int_equal(p.count, 77);
		++*refused;
		return;
	}
	if (rc)
		fail_msg("%s", err.text);
	assert_int_equal(gm_mig_harm_compare(&p.harm, &f->best), 0);
	assert_int_equal(gm_mig_harm_compare(&p.bound, &p.harm), 0);
	check_value(board_count, w, &p);
	gm_mig_fleet_plan_fini(&p);
}

static const char *const large_ones[] = { "H100_SXM5_80GB", "A100_SXM4_80GB" };
static const char *const mixed[] = { "A30", "H100_SXM5_80GB", "RTX_PRO_6000_BLACKWELL_SE" };

static void test_small_fleets_are_planned_as_by_force(void **state)
{
	size_t rounds = getenv("GM_LONG") ? 40000 : 1500, refused = 0;
	uint64_t seed = 31;

	(void)state;
	for (size_t i = 0; i < rounds; i++) {
		size_t n = 2 + next_random(&seed) % 3;
		struct fleet_wish w;

		if (i % 2)
			make_boards(n, large_ones, 2, 1 + i % 3, &seed);
		else
			make_boards(n, mixed, 3, 1 + i % 3, &seed);
		w = wish_by_chance(boards[0].table, 1 + next_random(&seed) % 3, n == 4 ? 3 : 4, &seed);
		check_small(n, &w, &refused);
	}
	printf("# %zu of %zu refused\n", refused, rounds);
	assert_true(refused > rounds / 20 && refused < rounds * 2 / 3);
}

static struct gm_mig_fleet survey(size_t board_count, const struct fleet_wish *w)
{
	struct gm_mig_fleet f = { .boards = boards,
				  .board_count = board_count,
				  .wishes = w->wishes,
				  .kinds = w->count,
				  .disturb = w->disturb };

	for (size_t k = 0; k < w->count; k++)
		f.want[k] = w->wishes[k].count;
	assert_int_equal(gm_mig_fleet_survey(&f, NULL), 0);
	return f;
}

/* The way for large fleets against the exact one, where both can be had. */
static void test_bound_is_never_above_the_best(void **state)
{
	size_t rounds = getenv("GM_LONG") ? 10000 : 400, tight = 0, served = 0, missed = 0;
	uint64_t seed = 37;

	(void)state;
	for (size_t i = 0; i < rounds; i++) {
		size_t n = 4 + next_random(&seed) % 20, kinds = 1 + next_random(&seed) % 3;
		struct gm_mig_fleet f;
		struct gm_mig_harm best;
		struct fleet_wish w;
		uint32_t left[BOARDS_MAX];
		bool found;
		int rc;

		make_boards(n, large_ones, 1 + i % 2, 1 + i % 3, &seed);
		w = wish_by_chance(boards[0].table, kinds, kinds == 1 ? 60 : 7, &seed);
		f = survey(n, &w);
		for (size_t g = 0; g < f.groups.count; g++)
			left[g] = f.groups.items[g].count;
		rc = gm_mig_fleet_exact(&f, f.want, left, &best);
		gm_vec_reset(&f.shares);
		found = gm_mig_fleet_approach(&f);
		assert_true(rc != GM_ERR_CONFLICT || !found);
		assert_true(rc != 0 || !f.proven_none);
		if (rc == 0) {
			assert_true(gm_mig_harm_compare(&f.bound, &best) <= 0);
			tight += gm_mig_harm_compare(&f.bound, &best) == 0;
			served += found;
			missed += !found;
		}
		gm_mig_fleet_fini(&f);
	}
	assert_true(served > rounds / 3 && missed * 20 <= served);
	printf("# served %zu, missed %zu, bound tight %zu\n", served, missed, tight);
	assert_true(tight * 4 >= served);
}

static void test_large_fleets(void **state)
{
	size_t rounds = getenv("GM_LONG") ? 400 : 24, planned = 0, proven = 0, first_same = 0;
	uint64_t seed = 41;

	(void)state;
	for (size_t i = 0; i < rounds; i++) {
		size_t n = 200 + next_random(&seed) % (BOARDS_MAX - 200);
		struct gm_mig_fleet_plan p = { 0 };
		struct fleet_wish w;
		struct gm_err err = { 0 };
		int rc;

		make_boards(n, large_ones, 1, 1 + i % 3, &seed);
		w = wish_by_chance(boards[0].table, 1 + i % 4, (uint32_t)n / 6, &seed);
		rc = gm_mig_plan_fleet(boards, n, w.wishes, w.count, w.disturb, &p, &err);
		if (rc == GM_ERR_CONFLICT)
			continue;
		assert_int_equal(rc, 0);
		check_value(n, &w, &p);
		planned++;
		proven += gm_mig_harm_compare(&p.harm, &p.bound) == 0;
		first_same += p.harm.disturbed == p.bound.disturbed && p.harm.resets == p.bound.resets &&
			      p.harm.disturb_cost == p.bound.disturb_cost;
		gm_mig_fleet_plan_fini(&p);
	}
	printf("# planned %zu, proven %zu\n", planned, proven);
	assert_true(planned > rounds / 2);
	assert_true(first_same * 10 >= planned * 8);
}

static void test_a_wish_must_be_one(void **state)
{
	const struct gm_mig_fleet_wish twice[] = { { "1g.10gb", 1 }, { "H100_1G10GB", 1 } }, unknown = { "9g.1gb", 1 },
				       many = { "1g.10gb", GM_MIG_FLEET_WISH_COUNT_MAX + 1 }, all = { "1g.10gb", 29 },
				       none = { "1g.10gb", 0 };
	struct gm_mig_fleet_wish kinds[GM_MIG_FLEET_WISHES_MAX + 1] = { 0 };
	struct gm_mig_fleet_plan p = { 0 };

	(void)state;
	for (size_t i = 0; i < 4; i++)
		boards[i] = (struct gm_mig_board){ .table = table_of(large_ones[0]), .mig_on = true };
	assert_int_equal(gm_mig_plan_fleet(boards, 4, twice, 2, false, &p, NULL), GM_ERR_INVALID);
	assert_int_equal(gm_mig_plan_fleet(boards, 4, &unknown, 1, false, &p, NULL), GM_ERR_NOT_FOUND);
	assert_int_equal(gm_mig_plan_fleet(boards, 0, &all, 1, false, &p, NULL), GM_ERR_NOT_FOUND);
	assert_int_equal(gm_mig_plan_fleet(boards, 4, &many, 1, false, &p, NULL), GM_ERR_TOO_LARGE);
	assert_int_equal(gm_mig_plan_fleet(boards, 4, &all, 1, false, &p, NULL), GM_ERR_CONFLICT);
	assert_int_equal(gm_mig_plan_fleet(boards, 4, kinds, GM_LEN(kinds), false, &p, NULL), GM_ERR_TOO_LARGE);
	assert_int_equal(gm_mig_plan_fleet(boards, GM_MIG_FLEET_BOARDS_MAX + 1, &all, 1, false, &p, NULL),
			 GM_ERR_TOO_LARGE);
	assert_int_equal(gm_mig_plan_fleet(boards, 4, &none, 1, false, &p, NULL), 0);
	assert_int_equal(p.count, 0);
	gm_mig_fleet_plan_fini(&p);
	assert_int_equal(gm_mig_plan_fleet(boards, 4, NULL, 0, false, &p, NULL), 0);
	assert_int_equal(p.count, 0);
	gm_mig_fleet_plan_fini(&p);
	gm_mig_fleet_plan_fini(NULL);
}

/* Each allocation that can fail is let fail once. */
static void test_out_of_memory_is_told(void **state)
{
	const struct gm_mig_fleet_wish w = { "2g.20gb", 9 };
	uint64_t seed = 43;
	unsigned failed = 0;

	(void)state;
	make_boards(60, large_ones, 2, 2, &seed);
	for (unsigned n = 1;; n++) {
		struct gm_mig_fleet_plan p = { .count = 77 };
		int rc;

		gm_alloc_fail_at(n);
		rc = gm_mig_plan_fleet(boards, 60, &w, 1, false, &p, NULL);
		gm_alloc_fail_at(0);
		if (!gm_alloc_failed() && rc == 0) {
			gm_mig_fleet_plan_fini(&p);
			break;
		}
		assert_int_equal(rc, GM_ERR_NO_MEMORY);
		assert_int_equal(p.count, 77);
		failed++;
	}
	assert_true(failed >= 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_fleets_are_planned_as_by_force),
		cmocka_unit_test(test_bound_is_never_above_the_best),
		cmocka_unit_test(test_large_fleets),
		cmocka_unit_test(test_a_wish_must_be_one),
		cmocka_unit_test(test_out_of_memory_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
