/* SPDX-License-Identifier: MIT */
#include "alloc-testing.h"

#include <math.h>

#include "core/alloc/slice.h"

struct choice_case {
	enum gm_slice_policy policy;
	bool highest;
	const char *layout, *profile;
	int start; /* -1: it does not fit */
	double cost;
};

/* Costs worked out by hand; balanced under an even mix is tested by what it prefers. */
static const struct choice_case CHOICES[] = {
	{ GM_SLICE_BESTFIT, false, "", "1g.10gb", 0, 8 },
	{ GM_SLICE_BESTFIT, true, "", "1g.10gb", 6, 8 },
	{ GM_SLICE_BESTFIT, false, "3g.40gb@4", "3g.40gb", 0, 4 },
	{ GM_SLICE_BESTFIT, false, "2g.20gb@0", "4g.40gb", -1, 0 },
	{ GM_SLICE_BESTFIT, false, "7g.80gb@0", "1g.10gb", -1, 0 },
	{ GM_SLICE_BESTFIT, true, "2g.20gb@0", "2g.20gb", 4, 6 },
	/* On an empty board 3g@4 blocks three 1g, one 2g, itself and 7g; 3g@0 one more 1g and 2g, and 4g. */
	{ GM_SLICE_FRAGMENTATION, false, "", "3g.40gb", 4, 3 + 2 + 4 + 8 },
	/* 1g@6 blocks itself, 3g@4 and 7g; every other one a 2g more. */
	{ GM_SLICE_FRAGMENTATION, false, "", "1g.10gb", 6, 1 + 4 + 8 },
	{ GM_SLICE_FRAGMENTATION, false, "", "7g.80gb", 0, 7 + 6 + 8 + 4 + 8 },
	{ GM_SLICE_FRAGMENTATION, false, "1g.10gb@6", "1g.10gb", 4, 1 + 2 },
	{ GM_SLICE_FRAGMENTATION, true, "1g.10gb@6", "1g.10gb", 5, 1 + 2 },
};

static void test_cheapest_start_and_its_cost(void **state)
{
	GM_AUTO(gm_slice_space_free_p) struct gm_slice_space *s = space_of("A100_SXM4_80GB", PLAIN);

	(void)state;
	for (size_t i = 0; i < GM_LEN(CHOICES); i++) {
		const struct choice_case *k = &CHOICES[i];
		GM_AUTO(gm_slice_rule_fini_p) struct gm_slice_rule r = { 0 };
		const struct gm_slice_choice *c;

		gm_slice_rule_init(&r, s, k->policy, k->highest, NULL);
		c = gm_slice_rule_choice(&r, state_of(s, k->layout), profile_named(s->table, k->profile));
		if (k->start < 0) {
			assert_int_equal(c->slot, GM_SLICE_NONE);
			continue;
		}
		assert_int_not_equal(c->slot, GM_SLICE_NONE);
		assert_int_equal(s->slots[c->slot].start, k->start);
		assert_true(fabs(c->cost - k->cost) < 1e-9);
	}
}

static double cheapest(struct gm_slice_rule *r, const char *layout, const char *profile)
{
	return gm_slice_rule_choice(r, state_of(r->space, layout), profile_named(r->space->table, profile))->cost;
}

/* Of each pair the first is the better place. */
static void test_balanced_prefers(void **state)
{
	static const struct {
		const char *profile, *better, *worse;
	} CASES[] = {
		{ "3g.40gb", "4g.40gb@0", "" },		   /* rather complete a board than break a new one */
		{ "1g.10gb", "3g.40gb@0, 2g.20gb@4", "" }, /* the last unit rather than a whole board */
		{ "1g.10gb", "3g.40gb@4, 2g.20gb@0, 1g.10gb@2", "3g.40gb@4" },
		{ "2g.20gb", "4g.40gb@0, 1g.10gb@6", "4g.40gb@0" },
	};
	GM_AUTO(gm_slice_space_free_p) struct gm_slice_space *s = space_of("A100_SXM4_80GB", PLAIN);
	GM_AUTO(gm_slice_rule_fini_p) struct gm_slice_rule r = { 0 };

	(void)state;
	gm_slice_rule_init(&r, s, GM_SLICE_BALANCED, false, NULL);
	assert_true(fabs(gm_slice_rule_worth(&r, 0) - 1) < 1e-12);
	for (size_t i = 0; i < GM_LEN(CASES); i++)
		assert_true(cheapest(&r, CASES[i].better, CASES[i].profile) <
			    cheapest(&r, CASES[i].worse, CASES[i].profile));
}

/* Nobody asks for 4g: then a 3g may as well lie where a 4g would; when many do, it must not. */
static void test_balanced_follows_the_mix(void **state)
{
	GM_AUTO(gm_slice_space_free_p) struct gm_slice_space *s = space_of("A100_SXM4_80GB", PLAIN);
	GM_AUTO(gm_slice_rule_fini_p) struct gm_slice_rule r = { 0 };
	GM_AUTO(gm_mix_fini_p) struct gm_mix mix = { 0 };
	uint16_t first = gm_slice_space_slot(s, (struct gm_mig_slot){ (uint8_t)profile_named(s->table, "3g.40gb"), 0 });
	uint16_t second =
		gm_slice_space_slot(s, (struct gm_mig_slot){ (uint8_t)profile_named(s->table, "3g.40gb"), 4 });
	double few;

	(void)state;
	gm_slice_rule_init(&r, s, GM_SLICE_BALANCED, false, NULL);
	gm_mix_init(&mix, s->table->profile_count, 0);
	for (int i = 0; i < 1000; i++)
		gm_mix_saw(&mix, profile_named(s->table, "3g.40gb"));
	gm_slice_rule_learn(&r, &mix);
	few = gm_slice_rule_cost(&r, 0, first) - gm_slice_rule_cost(&r, 0, second);
	for (int i = 0; i < 1000; i++)
		gm_mix_saw(&mix, profile_named(s->table, "4g.40gb"));
	gm_slice_rule_learn(&r, &mix);
	assert_true(few < 0.05);
	assert_true(gm_slice_rule_cost(&r, 0, first) - gm_slice_rule_cost(&r, 0, second) > few + 0.2);
}

static void test_keeping_a_board_costs_less_the_longer_it_is_taken(void **state)
{
	GM_AUTO(gm_slice_space_free_p) struct gm_slice_space *s = space_of("A100_SXM4_80GB", PLAIN);
	GM_AUTO(gm_slice_rule_fini_p) struct gm_slice_rule r = { 0 };
	struct gm_lifetimes l;
	double before;

	(void)state;
	gm_lifetimes_init(&l);
	gm_slice_rule_init(&r, s, GM_SLICE_BALANCED, false, &l);
	assert_true(gm_slice_rule_keeps(&r, 0) <= 0); /* nothing known yet */
	for (int i = 0; i < 1000; i++)
		gm_lifetimes_learn(&l, 100 + i);
	before = gm_slice_rule_keeps(&r, 0);
	assert_true(before > 0);
	for (int left = 50; left < 2000; left += 50) {
		double now = gm_slice_rule_keeps(&r, left);

		assert_true(now >= 0 && now <= before);
		before = now;
	}
	assert_true(before <= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cheapest_start_and_its_cost),
		cmocka_unit_test(test_balanced_prefers),
		cmocka_unit_test(test_balanced_follows_the_mix),
		cmocka_unit_test(test_keeping_a_board_costs_less_the_longer_it_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
