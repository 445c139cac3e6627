/* SPDX-License-Identifier: MIT */
#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

static void test_memory_is_zeroed_even_of_size_0(void **state)
{
	(void)state;
	for (size_t size = 0; size < 300; size += 7) {
		unsigned char *a = gm_xalloc(size), *b = gm_try_alloc(size);
		assert_non_null(a);
		assert_non_null(b);
		for (size_t i = 0; i < size; i++)
			assert_true(a[i] == 0 && b[i] == 0);
		free(a);
		free(b);
	}
}

static void test_copies_are_equal_and_apart(void **state)
{
	(void)state;
	const char text[] = "a\0b";
	char *m = gm_xmemdup(text, sizeof(text)), *s = gm_xstrdup("worker-01"), *none = gm_xmemdup(NULL, 0);
	assert_memory_equal(m, text, sizeof(text));
	assert_ptr_not_equal(m, text);
	assert_string_equal(s, "worker-01");
	assert_non_null(none);
	m = gm_xrealloc(m, 5000);
	assert_memory_equal(m, text, sizeof(text));
	free(m);
	free(s);
	free(none);
}

static void test_products_that_overflow_are_seen(void **state)
{
	(void)state;
	size_t out = 7;
	assert_true(gm_mul_ok(3, 5, &out));
	assert_int_equal(out, 15);
	assert_false(gm_mul_ok(SIZE_MAX, 2, &out));
	assert_true(gm_mul_ok(SIZE_MAX, 0, &out));
	assert_int_equal(out, 0);
}

static void test_the_nth_call_fails_once(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 4; n++) {
		gm_alloc_fail_at(n);
		for (unsigned i = 1; i <= 6; i++) {
			void *p = i % 2 ? gm_try_alloc(8) : gm_try_realloc(NULL, 8);
			assert_int_equal(p == NULL, i == n);
			assert_int_equal(gm_alloc_failed(), i >= n);
			free(p);
		}
	}
	gm_alloc_fail_at(3);
	gm_alloc_fail_at(0);
	for (int i = 0; i < 5; i++) {
		void *p = gm_try_alloc(8);
		assert_non_null(p);
		free(p);
	}
	assert_false(gm_alloc_failed());
}

static void test_a_failed_realloc_keeps_the_old(void **state)
{
	(void)state;
	char *p = gm_xstrdup("kept");
	gm_alloc_fail_at(1);
	assert_null(gm_try_realloc(p, 100));
	gm_alloc_fail_at(0);
	assert_string_equal(p, "kept");
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_is_zeroed_even_of_size_0),
		cmocka_unit_test(test_copies_are_equal_and_apart),
		cmocka_unit_test(test_products_that_overflow_are_seen),
		cmocka_unit_test(test_the_nth_call_fails_once),
		cmocka_unit_test(test_a_failed_realloc_keeps_the_old),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
