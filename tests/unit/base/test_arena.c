/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/alloc.h"
#include "test-random.h"

static void test_memory_is_zeroed_aligned_and_apart_also_after_reset(void **state)
{
	(void)state;
	GM_AUTO(gm_arena_fini_p) struct gm_arena a = { 0 };
	for (int round = 0; round < 20; round++) {
		struct {
			unsigned char *p;
			size_t n;
			unsigned char mark;
		} taken[200];
		size_t sum = 0;
		for (size_t i = 0; i < GM_LEN(taken); i++) {
			size_t n = i % 50 == 7 ? 20000 : test_random_below(300);
			unsigned char *p = gm_arena_alloc(&a, n);
			assert_non_null(p);
			assert_int_equal((uintptr_t)p % 16, 0);
			for (size_t k = 0; k < n; k++)
				assert_int_equal(p[k], 0);
			taken[i].p = p;
			taken[i].n = n;
			taken[i].mark = (unsigned char)(i + 1);
			memset(p, taken[i].mark, n);
			sum += n;
		}
		assert_true(a.used >= sum);
		for (size_t i = 0; i < GM_LEN(taken); i++)
			for (size_t k = 0; k < taken[i].n; k++)
				assert_int_equal(taken[i].p[k], taken[i].mark);
		gm_arena_reset(&a);
		assert_int_equal(a.used, 0);
	}
}

static void test_reset_keeps_the_largest_chunk(void **state)
{
	(void)state;
	GM_AUTO(gm_arena_fini_p) struct gm_arena a = { 0 };
	assert_non_null(gm_arena_alloc(&a, 100));
	assert_non_null(gm_arena_alloc(&a, 100000));
	gm_arena_reset(&a);
	gm_alloc_fail_at(1);
	assert_non_null(gm_arena_alloc(&a, 100000));
	assert_false(gm_alloc_failed());
	assert_null(gm_arena_alloc(&a, 100000));
	assert_true(gm_alloc_failed());
	gm_alloc_fail_at(0);
	assert_non_null(gm_arena_alloc(&a, 100000));
}

static void test_the_limit_holds(void **state)
{
	(void)state;
	GM_AUTO(gm_arena_fini_p) struct gm_arena a = { .limit = 1000 };
	assert_null(gm_arena_alloc(&a, 1001));
	assert_null(gm_arena_alloc(&a, SIZE_MAX));
	assert_non_null(gm_arena_alloc(&a, 600));
	assert_null(gm_arena_alloc(&a, 500));
	assert_non_null(gm_arena_alloc(&a, 300));
	gm_arena_reset(&a);
	assert_non_null(gm_arena_alloc(&a, 1000));
	struct gm_arena usual = { 0 };
	assert_null(gm_arena_alloc(&usual, (64u << 20) + 1));
	gm_arena_fini(&usual);
}

struct pair {
	int64_t a, b;
};

static void test_strings_and_arrays(void **state)
{
	(void)state;
	GM_AUTO(gm_arena_fini_p) struct gm_arena a = { 0 };
	assert_string_equal(gm_arena_dup(&a, gm_str_n("worker-01", 6)), "worker");
	assert_string_equal(gm_arena_dup(&a, (struct gm_str){ 0 }), "");
	assert_string_equal(gm_arena_printf(&a, "%s-GPU-%02d", "worker-01", 3), "worker-01-GPU-03");
	char longer[9000];
	memset(longer, 'y', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_string_equal(gm_arena_printf(&a, "%s", longer), longer);
	struct pair *one = gm_arena_new(&a, struct pair), *many = gm_arena_array(&a, struct pair, 100);
	assert_non_null(one);
	assert_non_null(many);
	many[99].b = 5;
	assert_null(gm_arena_array(&a, struct pair, SIZE_MAX / 2));
	assert_null(gm_arena_dup(&a, gm_str_n("", SIZE_MAX)));
}

static void test_without_memory_null(void **state)
{
	(void)state;
	for (unsigned n = 1;; n++) {
		struct gm_arena a = { 0 };
		gm_alloc_fail_at(n);
		size_t got = 0;
		for (size_t i = 0; i < 40; i++)
			got += gm_arena_alloc(&a, 3000) != NULL;
		bool failed = gm_alloc_failed();
		gm_alloc_fail_at(0);
		assert_int_equal(got, failed ? 39 : 40);
		gm_arena_fini(&a);
		if (!failed)
			break;
		assert_true(n < 40);
	}
}

static void test_fini_of_nothing(void **state)
{
	(void)state;
	gm_arena_fini(NULL);
	struct gm_arena a = { 0 };
	gm_arena_reset(&a);
	gm_arena_fini(&a);
	gm_arena_fini(&a);
	assert_null(a.head);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_is_zeroed_aligned_and_apart_also_after_reset),
		cmocka_unit_test(test_reset_keeps_the_largest_chunk),
		cmocka_unit_test(test_the_limit_holds),
		cmocka_unit_test(test_strings_and_arrays),
		cmocka_unit_test(test_without_memory_null),
		cmocka_unit_test(test_fini_of_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
