/* SPDX-License-Identifier: MIT */
#include "app/agent/pause.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WALL INT64_C(1764000000000)
#define LIMIT_MS 3600000

struct stage {
	struct gm_manual_clock clock;
	struct gm_agent_pause *pause;
	struct gm_agent_pause_state state;
	char dir[32], marker[48];
};

static void begin(struct stage *s)
{
	*s = (struct stage){ .dir = "/tmp/gm-pause-XXXXXX" };
	assert_non_null(mkdtemp(s->dir));
	(void)snprintf(s->marker, sizeof(s->marker), "%s/pause", s->dir);
	gm_manual_clock_init(&s->clock, WALL);
	s->pause = gm_agent_pause_new(&s->clock.clock, s->marker, LIMIT_MS);
}

static bool on_after(struct stage *s, int64_t ms)
{
	gm_manual_clock_advance(&s->clock, ms);
	gm_agent_pause_look(s->pause, &s->state);
	return s->state.on;
}

static void mark(struct stage *s)
{
	const int fd = open(s->marker, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
}

static void end(struct stage *s)
{
	gm_agent_pause_free(s->pause);
	(void)unlink(s->marker);
	(void)rmdir(s->dir);
}

static void test_pause_ends_by_itself_when_its_time_is_over(void **state)
{
	(void)state;
	struct stage s;
	int64_t until = 0;
	begin(&s);
	assert_false(on_after(&s, 0));
	assert_int_equal(gm_agent_pause_request(s.pause, 30000, GM_STR("driver upgrade"), &until, NULL), 0);
	assert_int_equal(until, WALL + 30000);
	assert_true(on_after(&s, 29999));
	assert_int_equal(s.state.until_ms, WALL + 30000);
	assert_string_equal(s.state.reason, "asked for: driver upgrade");
	assert_false(on_after(&s, 1));
	assert_false(on_after(&s, 1));
	end(&s);
}

static void test_pause_keeps_the_longest_reason_whole(void **state)
{
	(void)state;
	struct stage s;
	char reason[101] = "";
	int64_t until;
	begin(&s);
	memset(reason, 'x', sizeof(reason) - 1); /* what /v1/pause takes */
	assert_int_equal(gm_agent_pause_request(s.pause, 30000, gm_str(reason), &until, NULL), 0);
	assert_true(on_after(&s, 0));
	assert_string_equal(s.state.reason + strlen("asked for: "), reason);
	end(&s);
}

static void test_pause_a_later_request_sets_its_end_anew(void **state)
{
	(void)state;
	struct stage s;
	int64_t until = 0;
	begin(&s);
	assert_int_equal(gm_agent_pause_request(s.pause, 30000, GM_STR(""), &until, NULL), 0);
	assert_true(on_after(&s, 20000));
	assert_string_equal(s.state.reason, "asked for");
	assert_int_equal(gm_agent_pause_request(s.pause, 30000, GM_STR(""), &until, NULL), 0);
	assert_true(on_after(&s, 29999));
	assert_int_equal(gm_agent_pause_request(s.pause, 10, GM_STR(""), &until, NULL), 0);
	assert_false(on_after(&s, 10));
	end(&s);
}

static void test_pause_has_a_limit(void **state)
{
	(void)state;
	static const int64_t refused[] = { 0, -1, LIMIT_MS + 1, INT64_MAX };
	struct stage s;
	struct gm_err err = { 0 };
	int64_t until = 7;
	begin(&s);
	for (size_t i = 0; i < GM_LEN(refused); i++) {
		assert_int_equal(gm_agent_pause_request(s.pause, refused[i], GM_STR(""), &until, &err), GM_ERR_INVALID);
		assert_non_null(strstr(err.text, "3600 s"));
		assert_false(on_after(&s, 0));
	}
	assert_int_equal(until, 7);
	gm_agent_pause_set_limit(s.pause, 2 * LIMIT_MS);
	assert_int_equal(gm_agent_pause_request(s.pause, LIMIT_MS + 1, GM_STR(""), &until, &err), 0);
	end(&s);
}

static void test_pause_can_be_ended_before(void **state)
{
	(void)state;
	struct stage s;
	int64_t until = 0;
	begin(&s);
	assert_int_equal(gm_agent_pause_resume(s.pause, NULL), 0);
	assert_int_equal(gm_agent_pause_request(s.pause, 30000, GM_STR(""), &until, NULL), 0);
	assert_true(on_after(&s, 1));
	assert_int_equal(gm_agent_pause_resume(s.pause, NULL), 0);
	assert_false(on_after(&s, 1));
	end(&s);
}

static void test_pause_a_marker_holds_while_it_is_there_and_at_most_the_limit(void **state)
{
	(void)state;
	struct stage s;
	struct gm_err err = { 0 };
	begin(&s);
	mark(&s);
	assert_true(on_after(&s, 5));
	assert_non_null(strstr(s.state.reason, s.marker));
	assert_int_equal(s.state.until_ms, WALL + 5 + LIMIT_MS);
	assert_int_equal(gm_agent_pause_resume(s.pause, &err), GM_ERR_CONFLICT);
	assert_non_null(strstr(err.text, s.marker));
	(void)unlink(s.marker);
	assert_false(on_after(&s, 5));
	mark(&s);
	assert_true(on_after(&s, 5));
	assert_true(on_after(&s, LIMIT_MS - 1));
	assert_false(on_after(&s, 1));
	assert_false(on_after(&s, LIMIT_MS * 3)); /* forgotten: it does not count again by being there */
	assert_int_equal(gm_agent_pause_resume(s.pause, &err), 0);
	(void)unlink(s.marker);
	assert_false(on_after(&s, 5));
	mark(&s);
	assert_true(on_after(&s, 5));
	end(&s);
}

static void test_pause_the_longer_of_request_and_marker_counts(void **state)
{
	(void)state;
	struct stage s;
	int64_t until = 0;
	begin(&s);
	assert_int_equal(gm_agent_pause_request(s.pause, 60000, GM_STR(""), &until, NULL), 0);
	mark(&s);
	assert_true(on_after(&s, 1000));
	assert_int_equal(s.state.until_ms, WALL + 1000 + LIMIT_MS);
	(void)unlink(s.marker);
	assert_true(on_after(&s, 1000));
	assert_int_equal(s.state.until_ms, WALL + 60000);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pause_ends_by_itself_when_its_time_is_over),
		cmocka_unit_test(test_pause_keeps_the_longest_reason_whole),
		cmocka_unit_test(test_pause_a_later_request_sets_its_end_anew),
		cmocka_unit_test(test_pause_has_a_limit),
		cmocka_unit_test(test_pause_can_be_ended_before),
		cmocka_unit_test(test_pause_a_marker_holds_while_it_is_there_and_at_most_the_limit),
		cmocka_unit_test(test_pause_the_longer_of_request_and_marker_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
