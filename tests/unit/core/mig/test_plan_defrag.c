/* SPDX-License-Identifier: MIT */
#include "mig-testing.h"

#include <stdlib.h>

#include "core/mig/mig-internal.h"
#include "core/mig/plan.h"

#define BOARDS_MAX 3000

static struct gm_mig_board boards[BOARDS_MAX];

static bool is_valid(const struct gm_mig_board *b, struct gm_mig_layout *out)
{
	*out = (struct gm_mig_layout){ 0 };
	for (size_t i = 0; i < b->seat_count; i++)
		gm_mig_slots_insert(out, b->seats[i].slot);
	return b->mig_on && gm_mig_layout_check(b->table, out, NULL) == 0;
}

/* Who runs where; idle instances are room. */
struct sitter {
	size_t board;
	struct gm_mig_slot slot;
	int64_t cost;
	bool fixed, moved;
};
struct world {
	size_t boards, count;
	bool takes_part[BOARDS_MAX];
	struct gm_mig_layout layouts[BOARDS_MAX];
	struct sitter sitters[BOARDS_MAX * 8];
};

static struct world *world_of(size_t board_count)
{
	static struct world w;

	w.boards = board_count;
	w.count = 0;
	for (size_t i = 0; i < board_count; i++) {
		struct gm_mig_layout all;

		w.layouts[i] = (struct gm_mig_layout){ 0 };
		w.takes_part[i] = is_valid(&boards[i], &all);
		for (size_t k = 0; k < boards[i].seat_count && w.takes_part[i]; k++) {
			const struct gm_mig_seat *s = &boards[i].seats[k];

			if (!s->busy && !s->fixed)
				continue;
			gm_mig_slots_insert(&w.layouts[i], s->slot);
			w.sitters[w.count++] = (struct sitter){ i, s->slot, s->cost, s->fixed, false };
		}
	}
	return &w;
}

static bool fits_somewhere(const struct world *w, const char *profile)
{
	for (size_t i = 0; i < w->boards; i++) {
		const struct gm_mig_profile *p = gm_mig_profile_find(boards[i].table, gm_str(profile));

		if (p && w->takes_part[i] &&
		    gm_mig_layout_remaining(boards[i].table, &w->layouts[i], (size_t)(p - boards[i].table->profiles)) >
			    0)
			return true;
	}
	return false;
}

/* Every row of so many moves. The least cost of those that buy the profile; -1: none does. */
static int64_t by_force(struct world *w, const char *profile, size_t moves)
{
	int64_t best = -1;

	if (moves == 0)
		return fits_somewhere(w, profile) ? 0 : -1;
	for (size_t i = 0; i < w->count; i++) {
		struct sitter was = w->sitters[i];
		const struct gm_mig_table *t = boards[was.board].table;

		for (size_t to = 0; to < w->boards && !was.fixed && !was.moved; to++) {
			const struct gm_mig_profile *p = &t->profiles[was.slot.profile];

			for (size_t k = 0; k < p->start_count && boards[to].table == t && w->takes_part[to]; k++) {
				struct gm_mig_slot slot = { was.slot.profile, p->starts[k] };
				int64_t cost;

				if (gm_mig_layout_may_add(t, &w->layouts[to], slot, NULL))
					continue;
				gm_mig_layout_add(t, &w->layouts[to], slot);
				gm_mig_layout_remove(&w->layouts[was.board], was.slot);
				w->sitters[i] = (struct sitter){ to, slot, was.cost, false, true };
				cost = by_force(w, profile, moves - 1);
				if (cost >= 0 && (best < 0 || cost + was.cost < best))
					best = cost + was.cost;
				gm_mig_layout_remove(&w->layouts[to], slot);
				gm_mig_slots_insert(&w->layouts[was.board], was.slot);
				w->sitters[i] = was;
			}
		}
	}
	return best;
}

/* Move after move: the slice runs there, its new place is legal beside the old one, and then the profile fits. */
static void apply(struct world *w, const char *profile, const struct gm_mig_defrag *d)
{
	const struct gm_mig_table *t;
	int64_t cost = 0;

	for (size_t i = 0; i < d->move_count; i++) {
		const struct gm_mig_move *m = &d->moves[i];
		size_t who = 0;

		while (who < w->count &&
		       (w->sitters[who].board != m->from_board || w->sitters[who].slot.profile != m->from.profile ||
			w->sitters[who].slot.start != m->from.start))
			who++;
		assert_true(who < w->count);
		assert_false(w->sitters[who].fixed || w->sitters[who].moved);
		assert_true(m->to_board < w->boards && w->takes_part[m->to_board]);
		t = boards[m->from_board].table;
		assert_ptr_equal(boards[m->to_board].table, t);
		assert_int_equal(m->to.profile, m->from.profile);
		assert_int_equal(gm_mig_layout_may_add(t, &w->layouts[m->to_board], m->to, NULL), 0);
		gm_mig_layout_add(t, &w->layouts[m->to_board], m->to);
		gm_mig_layout_remove(&w->layouts[m->from_board], m->from);
		cost += w->sitters[who].cost;
		w->sitters[who] = (struct sitter){ m->to_board, m->to, w->sitters[who].cost, false, true };
	}
	assert_int_equal(cost, d->cost);
	assert_true(d->board < w->boards && w->takes_part[d->board]);
	t = boards[d->board].table;
	assert_ptr_equal(gm_mig_profile_find(t, gm_str(profile)), &t->profiles[d->gain.profile]);
	assert_int_equal(gm_mig_layout_may_add(t, &w->layouts[d->board], d->gain, NULL), 0);
}

static void make_boards(size_t count, const char *const *variants, size_t kinds, uint32_t idle_in, uint64_t *seed)
{
	static struct layouts all[2];

	for (size_t v = 0; v < kinds; v++)
		all[v] = *all_layouts(table_of(variants[v]));
	for (size_t i = 0; i < count; i++) {
		size_t v = next_random(seed) % kinds;
		const struct gm_mig_layout *l = &all[v].items[next_random(seed) % all[v].count];

		/* Mostly full boards: else there is always room. */
		while (!gm_mig_layout_maximal(table_of(variants[v]), l) && next_random(seed) % 8)
			l = &all[v].items[next_random(seed) % all[v].count];
		boards[i] =
			(struct gm_mig_board){ .table = table_of(variants[v]), .mig_on = next_random(seed) % 12 != 0 };
		for (size_t k = 0; k < l->count && boards[i].mig_on; k++)
			boards[i].seats[boards[i].seat_count++] =
				(struct gm_mig_seat){ .slot = l->slots[k],
						      .busy = next_random(seed) % idle_in != 0,
						      .cost = next_random(seed) % 4 * 10,
						      .fixed = next_random(seed) % 16 == 0 };
		if (next_random(seed) % 40 == 0 && boards[i].seat_count > 0)
			boards[i].seats[boards[i].seat_count++] = boards[i].seats[0];
	}
}

struct tally {
	size_t by_moves[4], none;
};

static void check_defrag(size_t count, const char *profile, size_t moves_max, struct tally *tally)
{
	struct gm_mig_defrag d = { .move_count = 99 };
	struct world *w = world_of(count);
	int64_t cost = -1;
	size_t moves = 0;
	int rc = gm_mig_plan_defrag(boards, count, profile, moves_max, &d, NULL);

	for (; moves <= moves_max; moves++) {
		cost = by_force(w, profile, moves);
		if (cost >= 0)
			break;
	}
	if (cost < 0) {
		assert_int_equal(rc, GM_ERR_NOT_FOUND);
		assert_int_equal(d.move_count, 99);
		tally->none++;
		return;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(d.move_count, moves);
	assert_int_equal(d.cost, cost);
	assert_true(d.proven);
	apply(w, profile, &d);
	tally->by_moves[moves]++;
}

static void check_many(const char *const *variants, size_t kinds, size_t rounds, size_t boards_most, size_t moves_max,
		       uint64_t seed)
{
	struct tally tally = { 0 };

	for (size_t i = 0; i < rounds; i++) {
		size_t n = 2 + next_random(&seed) % (boards_most - 1);
		const struct gm_mig_table *t;

		make_boards(n, variants, kinds, 3 + i % 9, &seed);
		t = boards[0].table;
		check_defrag(n, t->profiles[next_random(&seed) % t->profile_count].name, moves_max, &tally);
	}
	printf("# moves 0: %zu, 1: %zu, 2: %zu, 3: %zu, none %zu\n", tally.by_moves[0], tally.by_moves[1],
	       tally.by_moves[2], tally.by_moves[3], tally.none);
	assert_true(tally.none > 0);
	for (size_t i = 0; i <= moves_max; i++)
		assert_true(tally.by_moves[i] > 0);
}

static void test_moves_of_small_boards_are_those_of_force(void **state)
{
	static const char *const variants[] = { "A30" };

	(void)state;
	check_many(variants, 1, getenv("GM_LONG") ? 60000 : 4000, 3, 3, 51);
}

static void test_moves_of_large_boards_are_those_of_force(void **state)
{
	static const char *const variants[] = { "H100_SXM5_80GB", "A100_SXM4_80GB" };

	(void)state;
	check_many(variants, 2, getenv("GM_LONG") ? 20000 : 1000, 4, 2, 53);
	if (getenv("GM_LONG"))
		check_many(variants, 1, 300, 3, 3, 57);
}

static void test_moves_of_boards_of_twelve_units_are_those_of_force(void **state)
{
	static const char *const variants[] = { "RTX_PRO_6000_BLACKWELL_SE" };

	(void)state;
	check_many(variants, 1, getenv("GM_LONG") ? 20000 : 1500, 3, 2, 59);
}

static void test_moves_in_a_large_fleet_are_legal(void **state)
{
	static const char *const variants[] = { "H100_SXM5_80GB" };
	uint64_t seed = 61;
	size_t moved = 0;

	(void)state;
	for (size_t i = 0; i < (getenv("GM_LONG") ? 200 : 10); i++) {
		struct gm_mig_defrag d;
		const char *profile;

		make_boards(BOARDS_MAX, variants, 1, 1000, &seed);
		for (size_t b = 0; b < BOARDS_MAX; b++) {
			/* No board of one slice: they would be the answer. */
			if (boards[b].seat_count < 3)
				boards[b].mig_on = false, boards[b].seat_count = 0;
		}
		profile = i % 2 ? "7g.80gb" : "4g.40gb";
		if (gm_mig_plan_defrag(boards, BOARDS_MAX, profile, GM_MIG_MOVES_MAX, &d, NULL))
			continue;
		apply(world_of(BOARDS_MAX), profile, &d);
		moved += d.move_count > 0;
	}
	assert_true(moved > 0);
}

static void test_chains_and_what_is_refused(void **state)
{
	const struct gm_mig_table *t = table_of("H100_SXM5_80GB");
	uint8_t k1 = profile_named(t, "1g.10gb"), k2 = profile_named(t, "2g.20gb"), k3 = profile_named(t, "3g.40gb"),
		k4 = profile_named(t, "4g.40gb");
	struct gm_mig_defrag d;
	struct gm_err err = { 0 };

	(void)state;
	for (size_t i = 0; i < 3; i++)
		boards[i] = (struct gm_mig_board){ .table = t, .mig_on = true };
	/* The 2g stands in the way of a 4g and fits nowhere; a 1g that moves makes room for it. */
	boards[0].seats[0] = (struct gm_mig_seat){ { k2, 0 }, true, 7, false };
	boards[0].seats[1] = (struct gm_mig_seat){ { k3, 4 }, true, 90, false };
	boards[0].seat_count = 2;
	boards[1].seats[0] = (struct gm_mig_seat){ { k3, 4 }, true, 90, false };
	boards[1].seats[1] = (struct gm_mig_seat){ { k1, 0 }, true, 5, false };
	boards[1].seats[2] = (struct gm_mig_seat){ { k1, 2 }, true, 4, false };
	boards[1].seat_count = 3;
	assert_int_equal(gm_mig_plan_defrag(boards, 2, "4g.40gb", 1, &d, &err), GM_ERR_NOT_FOUND);
	assert_non_null(strstr(err.text, "no 1 moves buy"));
	assert_int_equal(gm_mig_plan_defrag(boards, 2, "4g.40gb", 2, &d, &err), 0);
	assert_int_equal(d.move_count, 2);
	assert_int_equal(d.cost, 9); /* both 1g, which leaves a 4g where they were */
	assert_int_equal(d.board, 1);
	assert_int_equal(d.gain.profile, k4);
	boards[1].seats[1].fixed = true;
	assert_int_equal(gm_mig_plan_defrag(boards, 2, "4g.40gb", 2, &d, &err), 0);
	assert_int_equal(d.move_count, 2);
	assert_int_equal(d.cost, 11); /* the 2g, after the 1g */
	assert_int_equal(d.moves[0].from.profile, k1);
	assert_int_equal(d.moves[1].from.profile, k2);
	assert_int_equal(d.board, 0);
	assert_int_equal(gm_mig_plan_defrag(boards, 3, "4g.40gb", 2, &d, &err), 0);
	assert_int_equal(d.move_count, 0);
	assert_int_equal(d.board, 2);
	assert_int_equal(gm_mig_plan_defrag(boards, 2, "9g.1gb", 2, &d, &err), GM_ERR_NOT_FOUND);
	assert_int_equal(gm_mig_plan_defrag(boards, 2, "4g.40gb", GM_MIG_MOVES_MAX + 1, &d, &err), GM_ERR_TOO_LARGE);
	assert_int_equal(gm_mig_plan_defrag(boards, GM_MIG_FLEET_BOARDS_MAX + 1, "4g.40gb", 1, &d, &err),
			 GM_ERR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moves_of_small_boards_are_those_of_force),
		cmocka_unit_test(test_moves_of_large_boards_are_those_of_force),
		cmocka_unit_test(test_moves_of_boards_of_twelve_units_are_those_of_force),
		cmocka_unit_test(test_moves_in_a_large_fleet_are_legal),
		cmocka_unit_test(test_chains_and_what_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
