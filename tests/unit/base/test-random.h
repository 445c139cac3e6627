/* SPDX-License-Identifier: MIT */
#ifndef GM_TEST_RANDOM_H
#define GM_TEST_RANDOM_H

#include <stdint.h>

/* The same numbers at each run: xorshift64*. */
static uint64_t test_random_state = UINT64_C(0x9e3779b97f4a7c15);

static inline __attribute__((unused)) void test_random_seed(uint64_t seed)
{
	test_random_state = seed * 2 + 1;
}

static inline __attribute__((unused)) uint64_t test_random(void)
{
	test_random_state ^= test_random_state >> 12;
	test_random_state ^= test_random_state << 25;
	test_random_state ^= test_random_state >> 27;
	return test_random_state * UINT64_C(0x2545f4914f6cdd1d);
}

/* 0 .. bound - 1 */
static inline __attribute__((unused)) uint64_t test_random_below(uint64_t bound)
{
	return test_random() % bound;
}

/* Of all lengths in bits alike, so that small and large ones both come. */
static inline __attribute__((unused)) uint64_t test_random_any(void)
{
	return test_random() >> test_random_below(64);
}

#endif
