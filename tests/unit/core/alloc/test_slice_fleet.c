/* SPDX-License-Identifier: MIT */
#include "alloc-testing.h"

#include "core/alloc/slice-fleet.h"

#define RUNNING_MAX 400

struct world {
	struct gm_slice_space *space;
	struct gm_slice_fleet *fleet;
	struct gm_slice_rule rule;
	struct gm_lifetimes lifetimes;
	struct gm_mix mix;
	uint64_t random;
	uint32_t running[RUNNING_MAX];
	size_t count;
	int64_t now;
};

static void world_init(struct world *w, const char *variant, const char *profiles, uint32_t boards,
		       enum gm_slice_policy policy, uint64_t seed)
{
	*w = (struct world){ .space = space_of(variant, profiles), .random = seed };
	w->fleet = gm_slice_fleet_new(w->space, boards);
	gm_lifetimes_init(&w->lifetimes);
	gm_mix_init(&w->mix, w->space->table->profile_count, 100);
	gm_slice_rule_init(&w->rule, w->space, policy, seed % 2, &w->lifetimes);
}

static void world_fini(struct world *w)
{
	gm_slice_rule_fini(&w->rule);
	gm_mix_fini(&w->mix);
	gm_slice_fleet_free(w->fleet);
	gm_slice_space_free(w->space);
}

static size_t any_profile(struct world *w)
{
	for (;;) {
		size_t p = draw(&w->random, (uint32_t)w->space->table->profile_count);

		if (w->space->slot_first[p] < w->space->slot_first[p + 1])
			return p;
	}
}

static bool fits_somewhere(const struct world *w, size_t profile)
{
	for (uint32_t i = 0; i < gm_slice_fleet_boards(w->fleet); i++)
		if (gm_slice_room(w->space, gm_slice_fleet_state(w->fleet, i), profile))
			return true;
	return false;
}

static void release_one(struct world *w)
{
	size_t at = draw(&w->random, (uint32_t)w->count);

	gm_lifetimes_learn(&w->lifetimes, w->now - gm_slice_fleet_since(w->fleet, w->running[at]));
	gm_slice_fleet_release(w->fleet, w->running[at]);
	w->running[at] = w->running[--w->count];
}

/* What each running slice is: moves change where, never what or since when. */
static void note_slices(const struct world *w, uint8_t *profiles, int64_t *since)
{
	for (size_t i = 0; i < w->count; i++) {
		profiles[i] = w->space->slots[gm_slice_fleet_place(w->fleet, w->running[i]).slot].profile;
		since[i] = gm_slice_fleet_since(w->fleet, w->running[i]);
	}
}

static void check_same_slices(const struct world *w, const uint8_t *profiles, const int64_t *since)
{
	uint8_t now_profiles[RUNNING_MAX];
	int64_t now_since[RUNNING_MAX];

	note_slices(w, now_profiles, now_since);
	assert_memory_equal(profiles, now_profiles, w->count);
	assert_memory_equal(since, now_since, w->count * sizeof(*since));
}

/* Is there any single move that makes room: every slice, every place elsewhere. */
static bool one_move_by_force(struct world *w, size_t profile)
{
	for (size_t i = 0; i < w->count; i++) {
		struct gm_slice_place at = gm_slice_fleet_place(w->fleet, w->running[i]);
		uint16_t less = gm_slice_without(w->space, gm_slice_fleet_state(w->fleet, at.board), at.slot);
		size_t moved = w->space->slots[at.slot].profile;

		for (uint16_t k = w->space->slot_first[profile]; k < w->space->slot_first[profile + 1]; k++) {
			uint16_t then = gm_slice_with(w->space, less, k);

			if (then == GM_SLICE_NONE)
				continue;
			if (gm_slice_room(w->space, then, moved))
				return true;
			for (uint32_t b = 0; b < gm_slice_fleet_boards(w->fleet); b++)
				if (b != at.board && gm_slice_room(w->space, gm_slice_fleet_state(w->fleet, b), moved))
					return true;
		}
	}
	return false;
}

static void make_room(struct world *w, size_t profile, unsigned most)
{
	uint8_t profiles[RUNNING_MAX];
	int64_t since[RUNNING_MAX];
	struct gm_slice_moves plan = { 0 };
	bool found = gm_slice_fleet_make_room(w->fleet, &w->rule, profile, most, w->now, &plan);

	if (one_move_by_force(w, profile)) {
		assert_true(found);
		assert_int_equal(plan.count, 1);
	}
	if (!found)
		return;
	assert_true(plan.count >= 1 && plan.count <= most);
	for (unsigned i = 0; i < plan.count; i++)
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(plan.moves[i].slice, plan.moves[k].slice);
	note_slices(w, profiles, since);
	gm_slice_fleet_move(w->fleet, &plan);
	check_same_slices(w, profiles, since);
	assert_true(gm_slice_fleet_sound(w->fleet));
	w->running[w->count++] = gm_slice_fleet_put(w->fleet, plan.place, w->now);
}

static void step(struct world *w, unsigned most)
{
	size_t profile = any_profile(w);
	struct gm_slice_place place;

	w->now += 1 + draw(&w->random, 50);
	while (w->count && (w->count + 2 > RUNNING_MAX || draw(&w->random, 2)))
		release_one(w);
	if (draw(&w->random, 4))
		gm_mix_saw(&w->mix, profile);
	else
		gm_slice_rule_learn(&w->rule, &w->mix);
	if (gm_slice_fleet_find(w->fleet, &w->rule, profile, w->now, &place))
		w->running[w->count++] = gm_slice_fleet_put(w->fleet, place, w->now);
	else {
		assert_false(fits_somewhere(w, profile));
		if (most)
			make_room(w, profile, most);
	}
	assert_true(gm_slice_fleet_sound(w->fleet));
}

/* Fills up by not releasing for a while, then comes and goes. */
static void run_world(const char *variant, const char *profiles, uint64_t seed, unsigned steps)
{
	static const enum gm_slice_policy POLICIES[] = { GM_SLICE_BESTFIT, GM_SLICE_FRAGMENTATION, GM_SLICE_BALANCED };
	struct world w;

	world_init(&w, variant, profiles, 1 + (uint32_t)seed % 12, POLICIES[seed % 3], seed);
	for (unsigned i = 0; i < steps; i++) {
		struct gm_slice_place place;

		for (int k = 0; k < 3; k++) {
			size_t p = any_profile(&w);

			if (w.count < RUNNING_MAX - 8 && gm_slice_fleet_find(w.fleet, &w.rule, p, w.now, &place))
				w.running[w.count++] = gm_slice_fleet_put(w.fleet, place, w.now);
		}
		step(&w, (unsigned)seed % 4);
	}
	while (w.count)
		release_one(&w);
	assert_true(gm_slice_fleet_sound(w.fleet));
	for (uint32_t i = 0; i < gm_slice_fleet_boards(w.fleet); i++)
		assert_int_equal(gm_slice_fleet_state(w.fleet, i), 0);
	world_fini(&w);
}

static void test_random_worlds_give_nothing_twice_and_refuse_nothing_that_fits(void **state)
{
	unsigned steps = long_run() ? 8000 : 60;

	(void)state;
	for (uint64_t seed = 1; seed <= 48; seed++) {
		run_world("A100_SXM4_80GB", PLAIN, seed, steps);
		run_world("H100_SXM5_80GB", NULL, seed, steps);
		run_world("A30", NULL, seed, steps);
	}
}

/* The place is the cheapest of all boards, found by looking at each. */
static void test_find_is_the_cheapest_place_of_all(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct world w;

		world_init(&w, "A100_SXM4_80GB", PLAIN, 9, GM_SLICE_BALANCED, seed);
		for (int i = 0; i < 200; i++) {
			size_t p = any_profile(&w);
			struct gm_slice_place place;
			double best = 0;
			bool any = false;

			step(&w, 0);
			for (uint32_t b = 0; b < gm_slice_fleet_boards(w.fleet); b++) {
				uint16_t at = gm_slice_fleet_state(w.fleet, b);
				const struct gm_slice_choice *c = gm_slice_rule_choice(&w.rule, at, p);
				double left = 0, cost;

				if (c->slot == GM_SLICE_NONE)
					continue;
				for (size_t k = 0; k < w.count; k++) {
					double one =
						gm_lifetimes_left(&w.lifetimes,
								  w.now - gm_slice_fleet_since(w.fleet, w.running[k]));

					if (gm_slice_fleet_place(w.fleet, w.running[k]).board == b && one > left)
						left = one;
				}
				cost = c->cost + gm_slice_rule_keeps(&w.rule, left);
				best = !any || cost < best ? cost : best;
				any = true;
				if (gm_slice_fleet_find(w.fleet, &w.rule, p, w.now, &place) && place.board == b)
					assert_true(place.slot == c->slot);
			}
			assert_int_equal(gm_slice_fleet_find(w.fleet, &w.rule, p, w.now, &place), any);
			if (any) {
				uint16_t at = gm_slice_fleet_state(w.fleet, place.board);
				double cost = gm_slice_rule_choice(&w.rule, at, p)->cost;

				assert_true(cost <= best + 1e-12);
			}
		}
		world_fini(&w);
	}
}

/* Fewest moves first: 1g in a corner of each board keeps a 7g out; one of them moves to the other. */
static void test_one_move_makes_a_board_free(void **state)
{
	struct world w;
	struct gm_slice_moves plan;
	size_t small, whole;

	(void)state;
	world_init(&w, "A100_SXM4_80GB", PLAIN, 2, GM_SLICE_BALANCED, 2);
	small = profile_named(w.space->table, "1g.10gb");
	whole = profile_named(w.space->table, "7g.80gb");
	for (uint32_t b = 0; b < 2; b++)
		w.running[w.count++] =
			gm_slice_fleet_put(w.fleet,
					   (struct gm_slice_place){ .board = b, .slot = w.space->slot_first[small] },
					   0);
	assert_false(gm_slice_fleet_make_room(w.fleet, &w.rule, whole, 0, 1, &plan));
	assert_true(gm_slice_fleet_make_room(w.fleet, &w.rule, whole, 3, 1, &plan));
	assert_int_equal(plan.count, 1);
	assert_int_not_equal(plan.place.board, plan.moves[0].to.board);
	world_fini(&w);
}

/* Two boards with two 2g each, one with a 3g that has room for no 2g: a 7g takes two moves, not one. */
static void test_several_moves_only_when_one_does_not_do(void **state)
{
	struct world w;
	struct gm_slice_moves plan;
	size_t two, whole;

	(void)state;
	world_init(&w, "A100_SXM4_80GB", PLAIN, 2, GM_SLICE_BALANCED, 2);
	two = profile_named(w.space->table, "2g.20gb");
	whole = profile_named(w.space->table, "7g.80gb");
	gm_slice_fleet_put(w.fleet, (struct gm_slice_place){ 0, w.space->slot_first[two] }, 0);
	gm_slice_fleet_put(w.fleet, (struct gm_slice_place){ 1, w.space->slot_first[two] }, 0);
	gm_slice_fleet_put(w.fleet, (struct gm_slice_place){ 1, (uint16_t)(w.space->slot_first[two] + 1) }, 0);
	assert_true(gm_slice_fleet_make_room(w.fleet, &w.rule, whole, 3, 1, &plan));
	assert_int_equal(plan.count, 1); /* the lone one joins the two */
	gm_slice_fleet_put(w.fleet, (struct gm_slice_place){ 0, (uint16_t)(w.space->slot_first[two] + 1) }, 0);
	assert_false(gm_slice_fleet_make_room(w.fleet, &w.rule, whole, 3, 1, &plan)); /* no board holds four */
	world_fini(&w);
}

/* Can these profiles lie on so many boards at all: every way is tried. */
static bool packs(const struct gm_slice_space *s, uint16_t *states, uint32_t boards, const uint8_t *profiles,
		  size_t count)
{
	if (!count)
		return true;
	for (uint32_t b = 0; b < boards; b++) {
		uint16_t before = states[b];

		/* Boards alike: one of them is enough. */
		if (b && states[b] == states[b - 1])
			continue;
		for (uint16_t i = s->slot_first[*profiles]; i < s->slot_first[*profiles + 1]; i++) {
			bool done;

			if (gm_slice_with(s, before, i) == GM_SLICE_NONE)
				continue;
			states[b] = gm_slice_with(s, before, i);
			done = packs(s, states, boards, profiles + 1, count - 1);
			states[b] = before;
			if (done)
				return true;
		}
	}
	return false;
}

static void check_repack(struct world *w, uint32_t boards, size_t profile)
{
	uint8_t profiles[RUNNING_MAX], all[RUNNING_MAX];
	int64_t since[RUNNING_MAX];
	uint16_t states[8] = { 0 };
	unsigned moved = 0;
	bool possible, done;
	size_t count = 0;

	note_slices(w, profiles, since);
	/* Large ones first, so that the search soon fails. */
	for (int size = 12; size > 0; size--)
		for (size_t i = 0; i <= w->count; i++) {
			uint8_t p = i < w->count ? profiles[i] : (uint8_t)profile;

			if (w->space->table->profiles[p].size == size)
				all[count++] = p;
		}
	possible = packs(w->space, states, boards, all, count);
	done = gm_slice_fleet_repack(w->fleet, profile, &moved);
	assert_int_equal(done, possible);
	assert_true(gm_slice_fleet_sound(w->fleet));
	check_same_slices(w, profiles, since);
	if (done)
		assert_true(moved > 0 && fits_somewhere(w, profile));
}

/* Exact for the boards most people have: held against a search of all ways. */
static void test_repack_fits_whenever_there_is_a_way(void **state)
{
	uint64_t seeds = long_run() ? 2000 : 60;

	(void)state;
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		uint32_t boards = 2 + (uint32_t)seed % 2;
		struct world w;

		world_init(&w, "A100_SXM4_80GB", seed % 3 ? PLAIN : PLAIN ",1g.20gb", boards, GM_SLICE_BESTFIT, seed);
		for (int i = 0; i < 12; i++) {
			size_t p = any_profile(&w);

			step(&w, 0);
			if (!fits_somewhere(&w, p))
				check_repack(&w, boards, p);
		}
		world_fini(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_worlds_give_nothing_twice_and_refuse_nothing_that_fits),
		cmocka_unit_test(test_find_is_the_cheapest_place_of_all),
		cmocka_unit_test(test_one_move_makes_a_board_free),
		cmocka_unit_test(test_several_moves_only_when_one_does_not_do),
		cmocka_unit_test(test_repack_fits_whenever_there_is_a_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
