/* SPDX-License-Identifier: MIT */
#include "app/agent/kubelet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>

#define SOON_MS 10000

static void test_kubelet_that_is_not_there_is_an_error_and_no_pods(void **state)
{
	(void)state;
	const int64_t until = gm_mono_ms(gm_clock_system()) + SOON_MS;
	struct gm_kubelet *k = NULL;
	struct gm_err err = { 0 };
	const char *error = "";
	assert_int_equal(gm_kubelet_start(&(struct gm_kubelet_conf){ .socket = "/nonexistent/kubelet.sock",
								     .interval_ms = 60000,
								     .clock = gm_clock_system() },
					  &k, &err),
			 0);
	while (!error[0]) {
		assert_null(gm_kubelet_newest(k, &error));
		assert_true(gm_mono_ms(gm_clock_system()) < until);
		(void)sched_yield();
	}
	/* It is still so when nothing new was said. */
	assert_null(gm_kubelet_newest(k, &error));
	assert_true(error[0] != '\0');
	/* Ends at once, not after the minute it waits. */
	const int64_t began = gm_mono_ms(gm_clock_system());
	gm_kubelet_free(k);
	assert_true(gm_mono_ms(gm_clock_system()) - began < SOON_MS);
}

static void test_kubelet_can_end_before_its_first_answer(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		struct gm_kubelet *k = NULL;
		struct gm_err err = { 0 };
		assert_int_equal(gm_kubelet_start(&(struct gm_kubelet_conf){ .socket = "/nonexistent/kubelet.sock",
									     .interval_ms = 1,
									     .clock = gm_clock_system() },
						  &k, &err),
				 0);
		gm_kubelet_free(k);
	}
	gm_kubelet_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kubelet_that_is_not_there_is_an_error_and_no_pods),
		cmocka_unit_test(test_kubelet_can_end_before_its_first_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
