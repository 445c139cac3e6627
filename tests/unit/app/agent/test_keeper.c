/* SPDX-License-Identifier: MIT */
#include "app/agent/keeper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOON_MS 10000

/* What a child does is its argument. */
enum { ENDS_WITH_7 = 7, WAITS_FOR_AGENT = 100, CRASHES, IGNORES_TERM };

static int run(void *ctx, enum gm_keeper_role role, int argument, int agent_gone_fd)
{
	struct pollfd p = { .fd = agent_gone_fd, .events = POLLIN };

	if (role == GM_KEEPER_MIG_WORKER)
		return *(int *)ctx;
	if (argument == CRASHES)
		abort();
	if (argument == IGNORES_TERM)
		(void)raise(SIGTERM);
	if (argument >= WAITS_FOR_AGENT)
		(void)poll(&p, 1, -1);
	return argument;
}

static struct gm_keeper *start(int *ctx)
{
	const struct gm_keeper_work work = { .run = run, .ctx = ctx };
	struct gm_keeper *k = NULL;
	struct gm_err err = { 0 };

	assert_int_equal(gm_keeper_start(&work, &k, &err), 0);
	return k;
}

static pid_t spawn(struct gm_keeper *k, enum gm_keeper_role role, int argument)
{
	struct gm_err err = { 0 };
	pid_t pid = 0;

	assert_int_equal(gm_keeper_spawn(k, role, argument, &pid, &err), 0);
	assert_true(pid > 0);
	return pid;
}

static struct gm_keeper_end next_end(struct gm_keeper *k)
{
	struct gm_keeper_end end = { 0 };
	struct pollfd p = { .fd = gm_keeper_fd(k), .events = POLLIN };

	while (gm_keeper_next_end(k, &end) == 0)
		assert_int_equal(poll(&p, 1, SOON_MS), 1);
	return end;
}

static void test_keeper_tells_who_ended_and_how(void **state)
{
	(void)state;
	int worker_status = 42;
	GM_AUTO(gm_keeper_free_p) struct gm_keeper *k = start(&worker_status);
	const pid_t seven = spawn(k, GM_KEEPER_SAMPLER, ENDS_WITH_7);
	struct gm_keeper_end end = next_end(k);
	assert_int_equal(end.pid, seven);
	assert_int_equal(end.argument, ENDS_WITH_7);
	assert_int_equal(WEXITSTATUS(end.status), 7);
	(void)spawn(k, GM_KEEPER_SAMPLER, CRASHES);
	end = next_end(k);
	assert_true(WIFSIGNALED(end.status));
	assert_int_equal(WTERMSIG(end.status), SIGABRT);
	(void)spawn(k, GM_KEEPER_MIG_WORKER, 0);
	end = next_end(k);
	assert_int_equal(end.role, GM_KEEPER_MIG_WORKER);
	assert_int_equal(WEXITSTATUS(end.status), 42);
}

static void test_keeper_loses_no_end_that_comes_between_answers(void **state)
{
	(void)state;
	GM_AUTO(gm_keeper_free_p) struct gm_keeper *k = start(NULL);
	pid_t pids[6];
	for (size_t i = 0; i < GM_LEN(pids); i++)
		pids[i] = spawn(k, GM_KEEPER_SAMPLER, (int)i);
	unsigned seen = 0;
	for (size_t i = 0; i < GM_LEN(pids); i++) {
		const struct gm_keeper_end end = next_end(k);
		assert_in_range(end.argument, 0, GM_LEN(pids) - 1);
		assert_int_equal(end.pid, pids[end.argument]);
		seen |= 1u << end.argument;
	}
	assert_int_equal(seen, 0x3f);
}

static void test_keeper_has_an_end_to_the_children_it_makes(void **state)
{
	(void)state;
	GM_AUTO(gm_keeper_free_p) struct gm_keeper *k = start(NULL);
	struct gm_err err = { 0 };
	pid_t pid = 0;
	int made = 0;
	while (made < 100 && gm_keeper_spawn(k, GM_KEEPER_SAMPLER, WAITS_FOR_AGENT, &pid, &err) == 0)
		made++;
	assert_in_range(made, 4, 99);
	assert_true(err.text[0] != '\0');
}

static void test_keeper_children_are_not_ended_by_the_signals_of_a_terminal(void **state)
{
	(void)state;
	struct gm_keeper *k = start(NULL);
	const pid_t pid = spawn(k, GM_KEEPER_SAMPLER, IGNORES_TERM);
	const int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	assert_true(fd >= 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	assert_int_equal(kill(pid, SIGINT), 0);
	assert_int_equal(poll(&p, 1, 50), 0);
	/* But see that the agent is gone. */
	gm_keeper_free(k);
	assert_int_equal(poll(&p, 1, SOON_MS), 1);
	(void)close(fd);
}

static void test_keeper_that_is_gone_is_noticed(void **state)
{
	(void)state;
	struct gm_keeper *k = start(NULL);
	struct gm_keeper_end end;
	struct gm_err err = { 0 };
	struct pollfd p = { .fd = gm_keeper_fd(k), .events = POLLIN };
	pid_t pid = 0;
	assert_int_equal(gm_keeper_next_end(k, &end), 0);
	assert_int_equal(kill(gm_keeper_pid(k), SIGKILL), 0);
	assert_int_equal(poll(&p, 1, SOON_MS), 1);
	assert_true(gm_keeper_next_end(k, &end) < 0);
	assert_int_equal(gm_keeper_spawn(k, GM_KEEPER_SAMPLER, 0, &pid, &err), GM_ERR_UNAVAILABLE);
	gm_keeper_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keeper_tells_who_ended_and_how),
		cmocka_unit_test(test_keeper_loses_no_end_that_comes_between_answers),
		cmocka_unit_test(test_keeper_has_an_end_to_the_children_it_makes),
		cmocka_unit_test(test_keeper_children_are_not_ended_by_the_signals_of_a_terminal),
		cmocka_unit_test(test_keeper_that_is_gone_is_noticed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
