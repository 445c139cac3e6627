/* SPDX-License-Identifier: MIT */
#include "alloc-testing.h"

#include <math.h>

#include "core/alloc/lifetime.h"
#include "core/alloc/mix.h"

static void test_a_new_mix_is_even(void **state)
{
	GM_AUTO(gm_mix_fini_p) struct gm_mix m = { 0 };

	(void)state;
	gm_mix_init(&m, 4, 100);
	for (size_t i = 0; i < 4; i++)
		assert_true(fabs(gm_mix_share(&m, i) - 0.25) < 1e-12);
}

static void test_shares_follow_what_was_asked_and_sum_to_one(void **state)
{
	GM_AUTO(gm_mix_fini_p) struct gm_mix m = { 0 };
	double sum = 0;

	(void)state;
	gm_mix_init(&m, 2, 0);
	gm_mix_grow(&m, 3);
	assert_true(gm_mix_share(&m, 2) <= 0);
	for (int i = 0; i < 98; i++)
		gm_mix_saw(&m, i % 2 ? 2 : 0);
	assert_true(fabs(gm_mix_share(&m, 0) - 0.50) < 1e-12);
	assert_true(fabs(gm_mix_share(&m, 1) - 0.01) < 1e-12);
	assert_true(fabs(gm_mix_share(&m, 2) - 0.49) < 1e-12);
	for (size_t i = 0; i < 3; i++)
		sum += gm_mix_share(&m, i);
	assert_true(fabs(sum - 1) < 1e-12);
}

/* Also over so many that the weights were scaled down in between. */
static void test_half_is_forgotten_after_the_half_life(void **state)
{
	static const unsigned HALF_LIVES[] = { 10, 100, 2000 };

	(void)state;
	for (size_t k = 0; k < GM_LEN(HALF_LIVES); k++) {
		GM_AUTO(gm_mix_fini_p) struct gm_mix m = { 0 };

		gm_mix_init(&m, 2, HALF_LIVES[k]);
		for (unsigned i = 0; i < 100 * HALF_LIVES[k]; i++)
			gm_mix_saw(&m, 0);
		assert_true(gm_mix_share(&m, 1) < 1e-20);
		for (unsigned i = 0; i < HALF_LIVES[k]; i++)
			gm_mix_saw(&m, 1);
		assert_true(fabs(gm_mix_share(&m, 1) - 0.5) < 0.001);
	}
}

static void test_nothing_is_said_of_lifetimes_before_some_ended(void **state)
{
	struct gm_lifetimes l;

	(void)state;
	gm_lifetimes_init(&l);
	for (int i = 0; i < 31; i++)
		gm_lifetimes_learn(&l, 1000);
	assert_true(gm_lifetimes_left(&l, 0) <= 0);
	gm_lifetimes_learn(&l, 1000);
	assert_true(fabs(gm_lifetimes_left(&l, 0) - 1000) < 70);
	assert_true(gm_lifetimes_left(&l, 5000) <= 0); /* none lasted so long */
}

/* Even lifetimes up to a limit: half of what is left of it. */
static void test_rest_of_even_lifetimes(void **state)
{
	static const int64_t AGES[] = { 0, 1, 50, 100, 200, 400, 600, 700 };
	struct gm_lifetimes l;
	uint64_t random = 7;

	(void)state;
	gm_lifetimes_init(&l);
	for (int i = 0; i < 20000; i++)
		gm_lifetimes_learn(&l, 1 + draw(&random, 800));
	for (size_t i = 0; i < GM_LEN(AGES); i++) {
		double expected = (double)(800 - AGES[i]) / 2;

		assert_true(fabs(gm_lifetimes_left(&l, AGES[i]) - expected) < 20);
	}
}

/* Many short ones and few long: who has lived long will live on. */
static void test_the_old_are_expected_to_last_when_few_last_long(void **state)
{
	struct gm_lifetimes l;

	(void)state;
	gm_lifetimes_init(&l);
	for (int i = 0; i < 1000; i++)
		gm_lifetimes_learn(&l, i % 10 ? 60 : 86400);
	assert_true(gm_lifetimes_left(&l, 0) < 20000);
	assert_true(gm_lifetimes_left(&l, 3600) > 60000);
}

static void test_any_age_has_an_answer(void **state)
{
	struct gm_lifetimes l;

	(void)state;
	gm_lifetimes_init(&l);
	for (int i = 0; i < 64; i++)
		gm_lifetimes_learn(&l, i % 2 ? INT64_MAX : -5);
	for (unsigned shift = 0; shift < 63; shift++) {
		double left = gm_lifetimes_left(&l, INT64_C(1) << shift);

		assert_true(left >= 0 && isfinite(left));
	}
	assert_true(gm_lifetimes_left(&l, -1) > 0);
	assert_true(gm_lifetimes_left(&l, INT64_MAX) >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_new_mix_is_even),
		cmocka_unit_test(test_shares_follow_what_was_asked_and_sum_to_one),
		cmocka_unit_test(test_half_is_forgotten_after_the_half_life),
		cmocka_unit_test(test_nothing_is_said_of_lifetimes_before_some_ended),
		cmocka_unit_test(test_rest_of_even_lifetimes),
		cmocka_unit_test(test_the_old_are_expected_to_last_when_few_last_long),
		cmocka_unit_test(test_any_age_has_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
