/* SPDX-License-Identifier: MIT */
#include "base/vec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

struct item {
	int64_t a, b;
};

static void test_items_stay_as_it_grows(void **state)
{
	(void)state;
	GM_VEC(int) v = { 0 };
	size_t moves = 0;
	for (int i = 0; i < 100000; i++) {
		size_t before = v.capacity;
		gm_vec_push(&v, i);
		moves += v.capacity != before;
	}
	assert_int_equal(v.count, 100000);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(v.items[i], i);
	assert_true(moves < 20);
	gm_vec_fini(&v);
	assert_null(v.items);
	assert_int_equal(v.count + v.capacity, 0);
}

static void test_add_gives_a_zeroed_item(void **state)
{
	(void)state;
	GM_VEC(struct item) v = { 0 };
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 50; i++) {
			struct item *it = gm_vec_add(&v);
			assert_true(it->a == 0 && it->b == 0);
			it->a = i;
			it->b = -1;
		}
		int64_t next = 0;
		gm_vec_each (&v, it)
			assert_int_equal(it->a, next++);
		assert_int_equal(next, 50);
		gm_vec_reset(&v);
		assert_int_equal(v.count, 0);
	}
	gm_vec_fini(&v);
}

static void test_reserve_does_not_move_again(void **state)
{
	(void)state;
	GM_VEC(struct item) v = { 0 };
	gm_vec_reserve(&v, 1000);
	assert_true(v.capacity >= 1000);
	struct item *items = v.items;
	for (int64_t i = 0; i < 1000; i++)
		gm_vec_push(&v, ((struct item){ .a = i }));
	assert_ptr_equal(v.items, items);
	gm_vec_fini(&v);
	gm_vec_each (&v, it)
		fail_msg("an item in an empty one: %p", (void *)it);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_items_stay_as_it_grows),
		cmocka_unit_test(test_add_gives_a_zeroed_item),
		cmocka_unit_test(test_reserve_does_not_move_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
