/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/log.h"

static struct gm_manual_clock g_clock;
static int g_pipe[2];
static char g_text[64 * 1024];

static int set_up(void **state)
{
	(void)state;
	gm_manual_clock_init(&g_clock, 1764000000000);
	assert_int_equal(pipe2(g_pipe, O_CLOEXEC | O_NONBLOCK), 0);
	gm_log_setup(GM_LOG_LOGFMT, GM_LOG_INFO, g_pipe[1], &g_clock.clock);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(g_pipe[0]);
	close(g_pipe[1]);
	gm_log_setup(GM_LOG_LOGFMT, GM_LOG_INFO, STDERR_FILENO, gm_clock_system());
	return 0;
}

static const char *written(void)
{
	ssize_t n = read(g_pipe[0], g_text, sizeof(g_text) - 1);

	g_text[n > 0 ? n : 0] = '\0';
	return g_text;
}

static void test_log_writes_logfmt(void **state)
{
	(void)state;
	gm_info("target up", { "target", "http://a:9400/metrics" }, GM_LOG_INT("devices", 8));
	assert_string_equal(
		written(),
		"time=2025-11-24T16:00:00Z level=info msg=\"target up\" target=http://a:9400/metrics devices=8\n");
}

static void test_log_quotes_what_would_break_a_logfmt_line(void **state)
{
	(void)state;
	gm_warn("x", { "a", "" }, { "b", "two words" }, { "c", "line\nbreak" }, { "d", "k=v" }, { "e", "\"" },
		{ "f", "\xff" });
	assert_string_equal(written(),
			    "time=2025-11-24T16:00:00Z level=warn msg=x a=\"\" b=\"two words\" c=\"line\\nbreak\" "
			    "d=\"k=v\" e=\"\\\"\" f=\"\xef\xbf\xbd\"\n");
}

static void test_log_writes_json(void **state)
{
	(void)state;
	gm_log_setup(GM_LOG_JSON, GM_LOG_INFO, g_pipe[1], &g_clock.clock);
	gm_error("odd \"thing\"", { "where", "a\tb" }, GM_LOG_INT("n", -5));
	assert_string_equal(written(),
			    "{\"time\":\"2025-11-24T16:00:00Z\",\"level\":\"error\",\"msg\":\"odd \\\"thing\\\"\","
			    "\"where\":\"a\\tb\",\"n\":-5}\n");
}

static void test_log_adds_the_error_behind_the_fields(void **state)
{
	struct gm_err err = { 0 };

	(void)state;
	(void)gm_fail_at(&err, GM_ERR_INVALID, "a.yml:3:5", "port: too large");
	gm_warn_err("config kept", &err, { "file", "a.yml" });
	assert_string_equal(written(), "time=2025-11-24T16:00:00Z level=warn msg=\"config kept\" file=a.yml "
				       "error=\"port: too large\" code=invalid where=a.yml:3:5\n");
	(void)gm_fail(&err, GM_ERR_NOT_FOUND, "gone");
	gm_error_err("no", &err);
	assert_string_equal(written(), "time=2025-11-24T16:00:00Z level=error msg=no error=gone code=not_found\n");
}

static void test_log_holds_back_what_is_below_the_level(void **state)
{
	(void)state;
	gm_debug("hidden");
	assert_string_equal(written(), "");
	assert_false(gm_log_enabled(GM_LOG_DEBUG));
	gm_log_set_level(GM_LOG_DEBUG);
	gm_debug("shown");
	assert_string_equal(written(), "time=2025-11-24T16:00:00Z level=debug msg=shown\n");
	gm_log_set_level(GM_LOG_ERROR);
	gm_warn("hidden");
	assert_string_equal(written(), "");
}

static void test_log_does_not_evaluate_fields_of_a_hidden_line(void **state)
{
	int calls = 0;

	(void)state;
	gm_debug("hidden", GM_LOG_INT("n", ++calls));
	assert_int_equal(calls, 0);
}

static void test_log_cuts_long_texts_between_characters(void **state)
{
	static char text[9000];

	(void)state;
	/* Three-byte characters: 4096 is inside one, so 4095 bytes stay. */
	for (size_t i = 0; i + 3 < sizeof(text); i += 3)
		memcpy(text + i, "\xed\x95\x9c", 3);
	gm_log_setup(GM_LOG_JSON, GM_LOG_INFO, g_pipe[1], &g_clock.clock);
	gm_info("long", { "t", text });
	const char *line = written();
	const char *value = strstr(line, "\"t\":\"");
	assert_non_null(value);
	assert_int_equal(strlen(value), strlen("\"t\":\"") + 4095 + strlen("\"}\n"));
	assert_true(gm_str_utf8_ok(gm_str(line)));
}

static void *many_lines(void *arg)
{
	for (int i = 0; i < 50; i++)
		gm_info("from a thread", { "who", arg }, GM_LOG_INT("i", i));
	return NULL;
}

static void test_log_keeps_lines_of_threads_apart(void **state)
{
	pthread_t threads[4];
	char name[4][8];
	struct gm_str line, rest;
	size_t lines = 0;

	(void)state;
	for (size_t i = 0; i < GM_LEN(threads); i++) {
		(void)snprintf(name[i], sizeof(name[i]), "t%zu", i);
		assert_int_equal(pthread_create(&threads[i], NULL, many_lines, name[i]), 0);
	}
	for (size_t i = 0; i < GM_LEN(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (rest = gm_str(written()); gm_str_split(&rest, '\n', &line); lines++) {
		if (rest.n == 0 && line.n == 0)
			break;
		assert_true(gm_str_starts(line,
					  GM_STR("time=2025-11-24T16:00:00Z level=info msg=\"from a thread\" who=t")));
	}
	assert_int_equal(lines, 200);
}

static void test_log_limit_passes_once_a_period_and_counts(void **state)
{
	struct gm_log_limit l = { 0 };
	uint64_t held = 99;

	(void)state;
	assert_true(gm_log_limit_pass(&l, 0, 1000, &held));
	assert_int_equal(held, 0);
	assert_false(gm_log_limit_pass(&l, 1, 1000, &held));
	assert_false(gm_log_limit_pass(&l, 999, 1000, &held));
	assert_true(gm_log_limit_pass(&l, 1000, 1000, &held));
	assert_int_equal(held, 2);
	assert_true(gm_log_limit_pass(&l, 2000, 1000, &held));
	assert_int_equal(held, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_log_writes_logfmt),
		TEST(test_log_quotes_what_would_break_a_logfmt_line),
		TEST(test_log_writes_json),
		TEST(test_log_adds_the_error_behind_the_fields),
		TEST(test_log_holds_back_what_is_below_the_level),
		TEST(test_log_does_not_evaluate_fields_of_a_hidden_line),
		TEST(test_log_cuts_long_texts_between_characters),
		TEST(test_log_keeps_lines_of_threads_apart),
		TEST(test_log_limit_passes_once_a_period_and_counts),
	};
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
