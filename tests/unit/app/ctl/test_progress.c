/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>

#include "app/ctl/progress.h"
#include "base/auto.h"

/* A terminal that the test reads: what is written to `to` comes out of `screen`. */
struct terminal {
	int screen;
	FILE *to;
	struct gm_manual_clock clock;
	struct gm_ctl_progress progress;
};

static void terminal_open(struct terminal *t)
{
	char name[64];

	gm_manual_clock_init(&t->clock, 0);
	t->screen = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	assert_true(t->screen >= 0);
	assert_int_equal(grantpt(t->screen), 0);
	assert_int_equal(unlockpt(t->screen), 0);
	assert_int_equal(ptsname_r(t->screen, name, sizeof(name)), 0);
	t->to = fopen(name, "we");
	assert_non_null(t->to);
	gm_ctl_progress_init(&t->progress, t->to, &t->clock.clock);
}

static void terminal_close(struct terminal *t)
{
	(void)fclose(t->to);
	gm_fd_close(t->screen);
}

static void check_screen(const struct terminal *t, const char *expected)
{
	char shown[256] = "";
	ssize_t n = read(t->screen, shown, sizeof(shown) - 1);

	if (n < 0)
		n = 0; /* nothing was written */
	shown[n] = 0;
	assert_string_equal(shown, expected);
}

static void test_silent_for_a_second_then_five_times_a_second(void **state)
{
	struct terminal t;

	(void)state;
	terminal_open(&t);
	gm_manual_clock_advance(&t.clock, 999);
	gm_ctl_progress_step(&t.progress, "seed", 1, 10);
	check_screen(&t, "");
	gm_manual_clock_advance(&t.clock, 1);
	gm_ctl_progress_step(&t.progress, "seed", 2, 10);
	check_screen(&t, "\r\033[Kseed 2 of 10");
	gm_manual_clock_advance(&t.clock, 199);
	gm_ctl_progress_step(&t.progress, "seed", 3, 10);
	check_screen(&t, "");
	gm_manual_clock_advance(&t.clock, 1);
	gm_ctl_progress_step(&t.progress, "seed", 4, 10);
	check_screen(&t, "\r\033[Kseed 4 of 10");
	gm_ctl_progress_end(&t.progress);
	check_screen(&t, "\r\033[K");
	terminal_close(&t);
}

static void test_nothing_to_wipe_when_nothing_was_shown(void **state)
{
	struct terminal t;

	(void)state;
	terminal_open(&t);
	gm_ctl_progress_step(&t.progress, "seed", 1, 10);
	gm_ctl_progress_end(&t.progress);
	check_screen(&t, "");
	terminal_close(&t);
}

static void test_silent_where_nobody_looks(void **state)
{
	struct gm_manual_clock clock;
	struct gm_ctl_progress p;
	char *text = NULL;
	size_t n = 0;
	FILE *file = tmpfile(), *memory = open_memstream(&text, &n);

	(void)state;
	gm_manual_clock_init(&clock, 0);
	for (int i = 0; i < 2; i++) {
		gm_ctl_progress_init(&p, i ? file : memory, &clock.clock);
		gm_manual_clock_advance(&clock, 5000);
		gm_ctl_progress_step(&p, "seed", 1, 10);
		gm_ctl_progress_end(&p);
	}
	assert_int_equal(ftell(file), 0);
	(void)fclose(file);
	(void)fclose(memory);
	assert_int_equal(n, 0);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silent_for_a_second_then_five_times_a_second),
		cmocka_unit_test(test_nothing_to_wipe_when_nothing_was_shown),
		cmocka_unit_test(test_silent_where_nobody_looks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
