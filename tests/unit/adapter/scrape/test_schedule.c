/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "adapter/scrape/schedule.h"
#include "base/auto.h"
#include "base/hash.h"

#define ITEMS 500

static int64_t number(uint64_t n, int64_t below)
{
	return (int64_t)(gm_hash_u64(n) % (uint64_t)below);
}

static void test_schedule_gives_items_in_order(void **state)
{
	static struct gm_schedule_item items[ITEMS];
	struct gm_schedule s = { 0 };
	size_t left = ITEMS;
	int64_t last = -1;

	(void)state;
	for (size_t i = 0; i < ITEMS; i++)
		gm_schedule_put(&s, &items[i], number(i, 1000));
	for (size_t i = 0; i < ITEMS; i += 3) /* later and earlier */
		gm_schedule_put(&s, &items[i], number(i + 7777, 1000));
	for (size_t i = 1; i < ITEMS; i += 5) {
		gm_schedule_remove(&s, &items[i]);
		gm_schedule_remove(&s, &items[i]);
		left--;
	}
	for (; left > 0; left--) {
		struct gm_schedule_item *first = gm_schedule_first(&s);

		assert_non_null(first);
		assert_true(first->due_ms >= last);
		last = first->due_ms;
		gm_schedule_remove(&s, first);
		assert_int_equal(first->place, 0);
	}
	assert_null(gm_schedule_first(&s));
	gm_schedule_fini(&s);
}

/* Asked whenever due, a target keeps its distances; asked late, it comes back to its place. */
static void test_schedule_keeps_even_distances(void **state)
{
	static const int64_t intervals[] = { 1000, 5000, 30000, 3600000 };

	(void)state;
	for (size_t k = 0; k < GM_LEN(intervals); k++) {
		for (uint64_t target = 0; target < 50; target++) {
			const uint64_t hash = gm_hash_u64(target);
			int64_t now = gm_schedule_next(hash, intervals[k], 123456);
			int64_t place = now % intervals[k];

			assert_int_equal(place, (int64_t)(hash % (uint64_t)intervals[k]));
			for (int round = 0; round < 5; round++) {
				int64_t next = gm_schedule_next(hash, intervals[k], now + round * 3);

				assert_int_equal(next, now + intervals[k]);
				now = next;
			}
			now = gm_schedule_next(hash, intervals[k], now + intervals[k] * 9 / 10);
			assert_int_equal(now % intervals[k], place);
		}
	}
}

static void test_schedule_spreads_targets_over_the_interval(void **state)
{
	unsigned tenth[10] = { 0 };

	(void)state;
	for (uint64_t target = 0; target < 1000; target++)
		tenth[gm_schedule_next(gm_hash_u64(target), 30000, 0) % 30000 / 3000]++;
	for (size_t i = 0; i < 10; i++)
		assert_in_range(tenth[i], 60, 140);
	assert_int_equal(gm_schedule_begin(77, 0, 5), 5);
	assert_in_range(gm_schedule_begin(77, 10, 5), 5, 14);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schedule_gives_items_in_order),
		cmocka_unit_test(test_schedule_keeps_even_distances),
		cmocka_unit_test(test_schedule_spreads_targets_over_the_interval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
