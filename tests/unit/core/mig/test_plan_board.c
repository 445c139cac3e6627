/* SPDX-License-Identifier: MIT */
#include "mig-testing.h"

#include <stdlib.h>

#include "core/mig/mig-internal.h"
#include "core/mig/plan.h"

/*
 * The oracle knows nothing of a search: a plan leads to a legal layout, so it looks at every legal layout of the board
 * and takes the one of least harm. A layout is a set of slots, one bit each.
 */
struct oracle {
	const struct gm_mig_table *t;
	size_t count;
	struct gm_mig_slot slots[64];
	uint64_t of_profile[GM_MIG_PROFILES_MAX];
	size_t layout_count;
	uint64_t layouts[LAYOUTS_MAX];
	int worths[LAYOUTS_MAX];
	struct gm_mig_layout items[LAYOUTS_MAX];
	/* Every multiset of profiles that fits an empty board, once. */
	size_t set_count;
	uint8_t set_sizes[LAYOUTS_MAX];
	uint8_t sets[LAYOUTS_MAX][GM_MIG_INSTANCES_MAX];
};

static int bit_of(const struct oracle *o, struct gm_mig_slot slot)
{
	for (size_t i = 0; i < o->count; i++) {
		if (o->slots[i].profile == slot.profile && o->slots[i].start == slot.start)
			return (int)i;
	}
	fail_msg("no such slot");
	return -1;
}

static uint64_t bits_of(const struct oracle *o, const struct gm_mig_layout *l)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < l->count; i++)
		bits |= UINT64_C(1) << bit_of(o, l->slots[i]);
	return bits;
}

static void add_set(struct oracle *o, const struct gm_mig_layout *l)
{
	uint8_t set[GM_MIG_INSTANCES_MAX], n = 0;

	for (size_t k = 0; k < o->t->profile_count; k++) {
		for (size_t i = 0; i < l->count; i++) {
			if (l->slots[i].profile == k)
				set[n++] = (uint8_t)k;
		}
	}
	for (size_t i = 0; i < o->set_count; i++) {
		if (o->set_sizes[i] == n && memcmp(o->sets[i], set, n) == 0)
			return;
	}
	o->set_sizes[o->set_count] = n;
	memcpy(o->sets[o->set_count++], set, sizeof(set));
}

static struct oracle *oracle_of(const char *variant)
{
	static struct oracle o;
	const struct layouts *all;

	memset(&o, 0, sizeof(o));
	o.t = table_of(variant);
	for (size_t k = 0; k < o.t->profile_count; k++) {
		for (size_t i = 0; i < o.t->profiles[k].start_count; i++) {
			assert_true(o.count < 64);
			o.of_profile[k] |= UINT64_C(1) << o.count;
			o.slots[o.count++] = (struct gm_mig_slot){ (uint8_t)k, o.t->profiles[k].starts[i] };
		}
	}
	all = all_layouts(o.t);
	for (size_t i = 0; i < all->count; i++) {
		struct gm_mig_use use;

		gm_mig_use_of(o.t, &all->items[i], &use);
		o.items[i] = all->items[i];
		o.layouts[i] = bits_of(&o, &all->items[i]);
		o.worths[i] = gm_mig_use_worth(o.t, &use);
		add_set(&o, &all->items[i]);
	}
	o.layout_count = all->count;
	return &o;
}

struct state {
	uint64_t have, busy, fixed;
	int64_t cost[64];
	int counts[GM_MIG_PROFILES_MAX];
};

static struct state state_of(const struct oracle *o, const struct gm_mig_board *b, const struct gm_mig_wish *w)
{
	struct state s = { 0 };

	for (size_t i = 0; i < b->seat_count; i++) {
		int bit = bit_of(o, b->seats[i].slot);

		s.have |= UINT64_C(1) << bit;
		if (b->seats[i].busy)
			s.busy |= UINT64_C(1) << bit;
		if (b->seats[i].fixed)
			s.fixed |= UINT64_C(1) << bit;
		s.cost[bit] = b->seats[i].cost;
	}
	for (size_t i = 0; i < w->count; i++)
		s.counts[w->profiles[i]]++;
	return s;
}

/* Does this layout serve the wish, and at which harm? Those of `again` are in it, but destroyed and made anew. */
static bool harm_of(const struct oracle *o, const struct gm_mig_board *b, const struct gm_mig_wish *w,
		    const struct state *s, uint64_t to, uint64_t again, int worth, struct gm_mig_harm *out)
{
	uint64_t gone = (s->have & ~to) | again, made = (to & ~s->have) | again, hit = gone & s->busy;
	uint64_t idle = to & ~(s->have & (s->busy | s->fixed) & ~again);
	bool mode = !b->mig_on && w->count > 0;

	if (gone & s->fixed || (hit && !w->disturb))
		return false;
	for (size_t k = 0; k < o->t->profile_count; k++) {
		int n = __builtin_popcountll(idle & o->of_profile[k]), need = s->counts[k];

		if (w->rehouse)
			need += __builtin_popcountll(hit & o->of_profile[k]);
		if (n < need || (w->only && n > need))
			return false;
	}
	if (mode && (b->whole_fixed || (b->whole_busy && (!w->disturb || w->rehouse))))
		return false;
	*out = (struct gm_mig_harm){ .disturbed = __builtin_popcountll(hit) + (mode && b->whole_busy),
				     .disturb_cost = mode && b->whole_busy ? b->whole_cost : 0,
				     .resets = mode && b->reset_needed,
				     .idle_destroyed = __builtin_popcountll(gone & ~s->busy),
				     .boards = gone || made || mode,
				     .room_lost = o->worths[0] - worth };
	if (!b->mig_on && !mode)
		out->room_lost = b->whole_busy || b->whole_fixed ? o->worths[0] : 0;
	for (; hit; hit &= hit - 1)
		out->disturb_cost += s->cost[__builtin_ctzll(hit)];
	return b->mig_on || mode || to == 0;
}

static bool least_harm(const struct oracle *o, const struct gm_mig_board *b, const struct gm_mig_wish *w,
		       const struct state *s, struct gm_mig_harm *out)
{
	bool there = false;

	for (size_t i = 0; i < o->layout_count; i++) {
		uint64_t may = w->disturb ? s->have & s->busy & ~s->fixed & o->layouts[i] : 0, again = may;

		/* All subsets of those whose workload may give way to another in their place. */
		for (bool more = true; more; more = again != 0, again = (again - 1) & may) {
			struct gm_mig_harm h;

			if (!harm_of(o, b, w, s, o->layouts[i], again, o->worths[i], &h))
				continue;
			if (!there || gm_mig_harm_compare(&h, out) < 0)
				*out = h;
			there = true;
		}
	}
	return there;
}

static void check_value(const struct oracle *o, const struct gm_mig_board *b, const struct gm_mig_wish *w,
			const struct state *s, const struct gm_mig_board_plan *p)
{
	struct gm_mig_layout now = { 0 };
	struct gm_mig_harm harm;
	struct gm_mig_use use;
	uint64_t again = 0;
	int served = 0, hit = 0;

	for (size_t i = 0; i < b->seat_count; i++) {
		bool goes = p->destroy >> i & 1, serves = p->serve >> i & 1;

		if (!goes)
			gm_mig_slots_insert(&now, b->seats[i].slot);
		assert_false(serves && (goes || b->seats[i].busy || b->seats[i].fixed));
		for (size_t k = 0; goes && k < p->create.count; k++)
			again |= bit_of(o, p->create.slots[k]) == bit_of(o, b->seats[i].slot)
					 ? UINT64_C(1) << bit_of(o, b->seats[i].slot)
					 : 0;
		served += serves;
		hit += goes && b->seats[i].busy;
	}
	assert_int_equal(p->destroy >> b->seat_count, 0);
	for (size_t i = 0; i < p->create.count; i++) {
		assert_int_equal(gm_mig_layout_may_add(o->t, &now, p->create.slots[i], NULL), 0);
		gm_mig_layout_add(o->t, &now, p->create.slots[i]);
	}
	assert_true(gm_mig_layout_same(&now, &p->after));
	assert_int_equal(served + (int)p->create.count, (int)w->count + (w->rehouse ? hit : 0));
	assert_int_equal(p->switch_on, !b->mig_on && w->count > 0);
	gm_mig_use_of(o->t, &now, &use);
	assert_true(harm_of(o, b, w, s, bits_of(o, &now), again, gm_mig_use_worth(o->t, &use), &harm));
	assert_int_equal(gm_mig_harm_compare(&harm, &p->harm), 0);
}

static void check_plan(const struct oracle *o, const struct gm_mig_board *b, const struct gm_mig_wish *w)
{
	struct state s = state_of(o, b, w);
	struct gm_mig_board_plan p = { .destroy = 0x5a5a };
	struct gm_mig_harm least = { 0 };
	struct gm_err err = { 0 };
	bool there = least_harm(o, b, w, &s, &least);
	int rc = gm_mig_plan_board(b, w, &p, &err);

	if (!there) {
		assert_int_equal(rc, GM_ERR_CONFLICT);
		assert_int_equal(p.destroy, 0x5a5a);
		assert_true(err.text[0] != '\0');
		return;
	}
	if (rc)
		fail_msg("%s", err.text);
	assert_int_equal(gm_mig_harm_compare(&p.harm, &least), 0);
	check_value(o, b, w, &s, &p);
}

/* Costs are few numbers, so that some are equal. */
static struct gm_mig_board board_of(const struct oracle *o, size_t layout, uint32_t busy, uint32_t fixed,
				    uint64_t *seed)
{
	struct gm_mig_board b = { .table = o->t, .mig_on = true, .reset_needed = next_random(seed) % 2 };
	const struct gm_mig_layout *l = &o->items[layout];

	for (size_t i = 0; i < l->count; i++)
		b.seats[b.seat_count++] = (struct gm_mig_seat){ .slot = l->slots[i],
								.busy = busy >> i & 1,
								.cost = next_random(seed) % 3 * 10,
								.fixed = fixed >> i & 1 };
	return b;
}

static struct gm_mig_wish wish_of(const uint8_t *profiles, size_t count, uint32_t flags)
{
	return (struct gm_mig_wish){ .profiles = profiles,
				     .count = count,
				     .only = flags & 1,
				     .disturb = flags >> 1 & 1,
				     .rehouse = flags >> 2 & 1 };
}

static void test_plan_of_every_state_of_a_small_board(void **state)
{
	struct oracle *o = oracle_of("A30");
	uint64_t seed = 3;
	size_t cases = 0;

	(void)state;
	for (size_t l = 0; l < o->layout_count; l++) {
		for (uint32_t busy = 0; busy < 1U << o->items[l].count; busy++) {
			for (size_t w = 0; w < o->set_count; w++) {
				for (uint32_t flags = 0; flags < 8; flags++, cases++) {
					struct gm_mig_board b = board_of(o, l, busy, 0, &seed);
					struct gm_mig_wish wish = wish_of(o->sets[w], o->set_sizes[w], flags);

					check_plan(o, &b, &wish);
				}
			}
		}
	}
	assert_true(cases > 10000);
}

/* Each layout with each wanted multiset; who is busy, what is allowed and what is fixed by chance, or all of them. */
static void check_large_board(const char *variant, size_t step)
{
	struct oracle *o = oracle_of(variant);
	uint64_t seed = 5;
	size_t at = 0;

	for (size_t l = 0; l < o->layout_count; l++) {
		for (size_t w = 0; w < o->set_count; w++) {
			uint32_t all = 1U << o->items[l].count, chance = next_random(&seed);
			struct gm_mig_board b = board_of(o, l, chance, chance & next_random(&seed) >> 3, &seed);
			struct gm_mig_wish wish = wish_of(o->sets[w], o->set_sizes[w], chance >> 20);

			if (at++ % step)
				continue;
			check_plan(o, &b, &wish);
			for (uint32_t busy = 0; step == 1 && busy < all; busy++) {
				b = board_of(o, l, busy, 0, &seed);
				wish = wish_of(o->sets[w], o->set_sizes[w], 0);
				check_plan(o, &b, &wish);
			}
		}
	}
	assert_true(at > 40000);
}

static void test_plan_of_a_h100(void **state)
{
	(void)state;
	check_large_board("H100_SXM5_80GB", getenv("GM_LONG") ? 1 : 7);
}

static void test_plan_of_an_a100(void **state)
{
	(void)state;
	check_large_board("A100_SXM4_80GB", getenv("GM_LONG") ? 1 : 11);
}

static void test_plan_of_a_board_of_twelve_units(void **state)
{
	(void)state;
	check_large_board("RTX_PRO_6000_BLACKWELL_SE", getenv("GM_LONG") ? 1 : 7);
}

static void test_plan_of_more_than_fits(void **state)
{
	struct oracle *o = oracle_of("H100_SXM5_80GB");
	uint64_t seed = 17;
	size_t refused = 0;

	(void)state;
	for (size_t i = 0; i < 1500; i++) {
		uint8_t profiles[20];
		size_t count = next_random(&seed) % 9;
		struct gm_mig_board b = board_of(o, next_random(&seed) % o->layout_count, next_random(&seed),
						 next_random(&seed) & next_random(&seed), &seed);
		struct gm_mig_wish wish = wish_of(profiles, count, next_random(&seed));
		struct state s;
		struct gm_mig_harm none;

		for (size_t k = 0; k < count; k++)
			profiles[k] = (uint8_t)(next_random(&seed) % o->t->profile_count);
		s = state_of(o, &b, &wish);
		refused += !least_harm(o, &b, &wish, &s, &none);
		check_plan(o, &b, &wish);
	}
	assert_true(refused > 300 && refused < 1400);
}

static void test_plan_with_the_mode_off(void **state)
{
	static const char *const boards[] = { "A30", "H100_SXM5_80GB" };

	(void)state;
	for (size_t v = 0; v < GM_LEN(boards); v++) {
		struct oracle *o = oracle_of(boards[v]);

		for (uint32_t bits = 0; bits < 64; bits++) {
			for (size_t w = 0; w < o->set_count; w += v ? 7 : 1) {
				struct gm_mig_board b = { .table = o->t,
							  .reset_needed = bits & 1,
							  .whole_busy = bits >> 1 & 1,
							  .whole_fixed = bits >> 2 & 1,
							  .whole_cost = 77 };
				struct gm_mig_wish wish = wish_of(o->sets[w], o->set_sizes[w], bits >> 3);

				check_plan(o, &b, &wish);
			}
		}
	}
}

/* The same whatever the order of the seats and of the profiles. */
static void test_plan_does_not_depend_on_order(void **state)
{
	struct oracle *o = oracle_of("H100_SXM5_80GB");
	uint64_t seed = 23;

	(void)state;
	for (size_t i = 0; i < 3000; i++) {
		uint32_t chance = next_random(&seed);
		struct gm_mig_board b =
			board_of(o, next_random(&seed) % o->layout_count, chance, chance & next_random(&seed), &seed);
		struct gm_mig_board turned = b;
		size_t w = next_random(&seed) % o->set_count, n = o->set_sizes[w];
		uint8_t profiles[GM_MIG_INSTANCES_MAX];
		struct gm_mig_wish one = wish_of(o->sets[w], n, chance >> 9), other = wish_of(profiles, n, chance >> 9);
		struct gm_mig_board_plan p = { 0 }, q = { 0 };
		int rc = gm_mig_plan_board(&b, &one, &p, NULL);

		for (size_t k = 0; k < n; k++)
			profiles[k] = o->sets[w][n - 1 - k];
		for (size_t k = 0; k < b.seat_count; k++)
			turned.seats[k] = b.seats[b.seat_count - 1 - k];
		assert_int_equal(rc, gm_mig_plan_board(&turned, &other, &q, NULL));
		if (rc)
			continue;
		assert_true(gm_mig_layout_same(&p.after, &q.after) && gm_mig_layout_same(&p.create, &q.create));
		for (size_t k = 0; k < b.seat_count; k++) {
			assert_int_equal(p.destroy >> k & 1, q.destroy >> (b.seat_count - 1 - k) & 1);
			assert_int_equal(p.serve >> k & 1, q.serve >> (b.seat_count - 1 - k) & 1);
		}
	}
}

static struct gm_mig_board board_from(const struct gm_mig_table *t, const char *layout, const char *flags)
{
	struct gm_mig_board b = { .table = t, .mig_on = true };
	struct gm_mig_layout l;

	assert_int_equal(gm_mig_layout_parse(t, gm_str(layout), &l, NULL), 0);
	for (size_t i = 0; i < l.count; i++)
		b.seats[b.seat_count++] = (struct gm_mig_seat){
			.slot = l.slots[i], .busy = flags[i] == 'b', .fixed = flags[i] == 'f', .cost = 5
		};
	return b;
}

static void test_plan_by_hand(void **state)
{
	static const struct {
		const char *have, *flags, *want; /* flags by start: b busy, f fixed, i idle */
		uint32_t bits;
		int code;
		const char *after; /* or a part of the error */
	} rows[] = {
		/* What is there serves. */
		{ "3g.40gb@4, 1g.10gb@0", "bi", "3g.40gb", 0, 0, "1g.10gb@0, 3g.40gb@4" },
		/* The smallest that is in the way goes. */
		{ "2g.20gb@0, 1g.10gb@3, 3g.40gb@4", "iib", "2g.20gb*2", 0, 0, "2g.20gb@0, 2g.20gb@2, 3g.40gb@4" },
		{ "1g.10gb@0, 1g.10gb@6", "bi", "1g.10gb*2", 0, 0, "1g.10gb@0, 1g.10gb@1, 1g.10gb@6" },
		{ "1g.10gb@0, 1g.10gb@4", "bb", "3g.40gb", 0, GM_ERR_CONFLICT, "2 running and 0 fixed" },
		{ "1g.10gb@0, 1g.10gb@4", "bb", "3g.40gb", 6, 0, "1g.10gb@0, 1g.10gb@1, 3g.40gb@4" },
		{ "1g.10gb@0, 1g.10gb@4", "bf", "4g.40gb, 3g.40gb", 2, GM_ERR_CONFLICT, "1 running and 1 fixed" },
		{ "1g.10gb@0, 1g.10gb@4", "bf", "4g.40gb", 2, 0, "4g.40gb@0, 1g.10gb@4" },
		{ "1g.10gb@0, 2g.20gb@2", "ii", "", 1, 0, "" },
		{ "1g.10gb@0, 2g.20gb@2", "fb", "1g.10gb", 1, 0, "1g.10gb@0, 1g.10gb@1, 2g.20gb@2" },
		{ "", "", "7g.80gb*2", 0, GM_ERR_CONFLICT, "do not fit together" },
	};
	const struct gm_mig_table *t = table_of("H100_SXM5_80GB");

	(void)state;
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf text = { 0 };
		struct gm_mig_board b = board_from(t, rows[i].have, rows[i].flags);
		struct gm_str rest = gm_str(rows[i].want), item;
		uint8_t profiles[GM_MIG_INSTANCES_MAX];
		struct gm_mig_wish w = wish_of(profiles, 0, rows[i].bits);
		struct gm_mig_board_plan p;
		struct gm_err err = { 0 };

		while (gm_str_split(&rest, ',', &item)) {
			struct gm_str name = gm_str_trim(item);
			size_t star = gm_str_find(name, '*');
			size_t n = star < name.n ? (size_t)(name.p[star + 1] - '0') : 1;
			const struct gm_mig_profile *found = gm_mig_profile_find(t, gm_str_n(name.p, star));

			assert_non_null(found);
			for (; n > 0; n--)
				profiles[w.count++] = (uint8_t)(found - t->profiles);
		}
		assert_int_equal(gm_mig_plan_board(&b, &w, &p, &err), rows[i].code);
		if (rows[i].code) {
			if (!strstr(err.text, rows[i].after))
				fail_msg("'%s' lacks '%s'", err.text, rows[i].after);
			continue;
		}
		gm_mig_layout_print(t, &p.after, &text);
		assert_string_equal(gm_buf_cstr(&text), rows[i].after);
	}
}

static void test_plan_refuses_what_is_no_board(void **state)
{
	const struct gm_mig_table *t = table_of("H100_SXM5_80GB");
	uint8_t profile = profile_named(t, "1g.10gb"), none = 99, many[17] = { 0 };
	struct gm_mig_wish w = wish_of(&profile, 1, 0);
	struct gm_mig_board_plan p;
	struct gm_mig_board b = board_from(t, "3g.40gb@4", "i");
	struct gm_err err = { 0 };

	(void)state;
	b.mig_on = false;
	assert_int_equal(gm_mig_plan_board(&b, &w, &p, &err), GM_ERR_INVALID);
	b.mig_on = true;
	b.seats[1] = b.seats[0];
	b.seat_count = 2;
	assert_int_equal(gm_mig_plan_board(&b, &w, &p, &err), GM_ERR_INVALID);
	assert_int_equal(err.code, GM_ERR_INVALID);
	b.seat_count = GM_MIG_INSTANCES_MAX + 1;
	assert_int_equal(gm_mig_plan_board(&b, &w, &p, &err), GM_ERR_INVALID);
	b.seat_count = 1;
	b.seats[0].cost = -1;
	assert_int_equal(gm_mig_plan_board(&b, &w, &p, &err), GM_ERR_INVALID);
	b.seats[0].cost = GM_MIG_COST_MAX;
	assert_int_equal(gm_mig_plan_board(&b, &w, &p, &err), 0);
	w.profiles = &none;
	assert_int_equal(gm_mig_plan_board(&b, &w, &p, &err), GM_ERR_NOT_FOUND);
	w = wish_of(many, GM_LEN(many), 0);
	assert_int_equal(gm_mig_plan_board(&b, &w, &p, &err), GM_ERR_CONFLICT);
	b.table = table_of("RTX_PRO_5000_BLACKWELL");
	b.seat_count = 0;
	w = wish_of(many, 1, 0);
	assert_int_equal(gm_mig_plan_board(&b, &w, &p, &err), GM_ERR_CONFLICT);
	assert_non_null(strstr(err.text, "not known"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan_of_every_state_of_a_small_board),
		cmocka_unit_test(test_plan_of_a_h100),
		cmocka_unit_test(test_plan_of_an_a100),
		cmocka_unit_test(test_plan_of_a_board_of_twelve_units),
		cmocka_unit_test(test_plan_of_more_than_fits),
		cmocka_unit_test(test_plan_with_the_mode_off),
		cmocka_unit_test(test_plan_does_not_depend_on_order),
		cmocka_unit_test(test_plan_by_hand),
		cmocka_unit_test(test_plan_refuses_what_is_no_board),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
