/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "adapter/conf/changes.h"
#include "app/agent/settings.h"

struct fixture {
	struct gm_agent_command command;
	struct gm_agent_settings settings;
	struct gm_options options;
	struct gm_option_list warnings;
	struct gm_err err;
	bool loaded;
	char file[64];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	(void)snprintf(f->file, sizeof(f->file), "/tmp/gm-agent-settings-%d.yml", (int)getpid());
	*state = f;
	return 0;
}

static void reset(struct fixture *f)
{
	if (f->loaded)
		gm_options_fini(&f->options);
	f->loaded = false;
	gm_option_list_fini(&f->warnings);
	f->warnings = (struct gm_option_list){ 0 };
	gm_agent_command_fini(&f->command);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	reset(f);
	(void)unlink(f->file);
	free(f);
	return 0;
}

#define ARGS_MAX 12
static int parse(struct fixture *f, const char *const *args)
{
	char *argv[ARGS_MAX + 2] = { (char *)(uintptr_t) "gpu-agent" };
	int argc = 1;

	for (; *args; args++)
		argv[argc++] = (char *)(uintptr_t)*args;
	return gm_agent_command_parse(argc, argv, &f->command, &f->err);
}
#define ARGS(...) ((const char *const[ARGS_MAX]){ "--config", "/dev/null", ##__VA_ARGS__, NULL })

static int load_with(struct fixture *f, const char *const *args, char *const *environment)
{
	reset(f);
	int rc = parse(f, args);
	/* nothing is made on this machine */
	if (rc == 0)
		f->command.action = GM_AGENT_ACTION_PRINT_CONFIG;
	if (rc == 0)
		rc = gm_agent_settings_load(&f->command, environment, &f->settings, &f->options, &f->warnings, &f->err);
	f->loaded = rc == 0;
	return rc;
}

static void write_file(struct fixture *f, const char *text)
{
	FILE *out = fopen(f->file, "w");

	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

static void test_settings_defaults_are_safe(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load_with(f, ARGS(), NULL), 0);
	assert_int_equal(f->settings.listen.count, 1);
	assert_string_equal(f->settings.listen.items[0], "127.0.0.1:9410");
	assert_int_equal(f->settings.interval_ms, 1000);
	assert_int_equal(f->settings.window_ms, 30000);
	assert_true(f->settings.hung_after_ms <= 2000); /* so that a hang is told within 3 s */
	assert_false(f->settings.dcgm_names);
	assert_true(f->settings.mig_enabled);
	assert_true(f->settings.sandbox);
	assert_string_equal(f->settings.token_file, "");
	assert_string_not_equal(f->settings.node_name, "");
	assert_string_not_equal(f->settings.socket, "");
	assert_int_equal(f->warnings.count, 0);
}

static void test_settings_later_sources_win(void **state)
{
	static char prefixed[] = "GPU_AGENT_INTERVAL=3s", node[] = "NODE_NAME=worker-7", bare[] = "INTERVAL=9s";
	char *const environment[] = { prefixed, node, bare, NULL };
	struct fixture *f = *state;

	write_file(f, "interval: 2s\nnode-name: from-file\ntls.cert-file: ''\nmig: {enabled: false}\n");
	assert_int_equal(load_with(f, (const char *const[]){ "--config", f->file, NULL }, NULL), 0);
	assert_int_equal(f->settings.interval_ms, 2000);
	assert_false(f->settings.mig_enabled);
	assert_int_equal(load_with(f, (const char *const[]){ "--config", f->file, NULL }, environment), 0);
	assert_int_equal(f->settings.interval_ms, 3000);
	assert_string_equal(f->settings.node_name, "worker-7");
	assert_int_equal(load_with(f, (const char *const[]){ "--config", f->file, "--interval", "500ms", NULL },
				   environment),
			 0);
	assert_int_equal(f->settings.interval_ms, 500);
}

static void test_settings_flags_add_up(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
		load_with(f, ARGS("--listen", ":9410", "--listen", "unix:/run/x, y.sock", "--set", "dcgm-names=true"),
			  NULL),
		0);
	assert_int_equal(f->settings.listen.count, 2);
	assert_string_equal(f->settings.listen.items[0], ":9410");
	assert_string_equal(f->settings.listen.items[1], "unix:/run/x, y.sock");
	assert_true(f->settings.dcgm_names);
}

static void test_settings_wrong_ones_are_named_with_their_place(void **state)
{
	static const struct {
		const char *file, *where, *text;
	} rows[] = {
		{ "interval: 10ms\n", ":1:11", "interval" },
		{ "a: 1\n", ":1:", "a" },
		{ "listen: [localhost]\n", ":1:", "listen" },
		{ "listen: ['localhost:80']\n", ":1:", "numeric" },
		{ "listen: ['unix:relative']\n", ":1:", "unix:" },
		{ "interval: 2s\ninterval: 3s\n", ":2:", "interval" },
		{ "\n\ntls.cert-file: /a\n", ":3:", "tls.key-file" },
		{ "tls.client-ca-file: /a\n", ":1:", "tls.cert-file" },
		{ "window: 2s\ninterval: 5s\n", ":1:", "window" },
		{ "socket: run/agent.sock\n", ":1:", "path" },
		{ "simulate: a\nnvml.library: /b\n", ":1:", "nvml.library" },
		{ "logging.level: loud\n", ":1:", "logging.level" },
		{ "mig.enabled: 'true'\n", ":1:", "mig.enabled" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < GM_LEN(rows); i++) {
		write_file(f, rows[i].file);
		if (load_with(f, (const char *const[]){ "--config", f->file, NULL }, NULL) == 0)
			fail_msg("taken: %s", rows[i].file);
		if (!strstr(f->err.where, rows[i].where) || !strstr(f->err.text, rows[i].text))
			fail_msg("%s: %s: %s", rows[i].file, f->err.where, f->err.text);
	}
}

static void test_settings_window_follows_a_slow_interval(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load_with(f, ARGS("--interval", "60s"), NULL), 0);
	assert_int_equal(f->settings.window_ms, 60000);
}

static void test_settings_warn_of_slips_not_of_service_links(void **state)
{
	static char slip[] = "GPU_AGENT_INTERVALL=1s", link[] = "GPU_AGENT_PORT=tcp://10.0.0.1:9410",
		    host[] = "GPU_AGENT_SERVICE_HOST=10.0.0.1", port[] = "GPU_AGENT_PORT_9410_TCP_ADDR=10.0.0.1";
	char *const environment[] = { slip, link, host, port, NULL };
	struct fixture *f = *state;

	assert_int_equal(load_with(f, ARGS(), environment), 0);
	assert_int_equal(f->warnings.count, 1);
	assert_non_null(strstr(f->warnings.items[0], "GPU_AGENT_INTERVALL"));
	assert_int_equal(load_with(f, ARGS("--listen", ":9410", "--set", "token-file=/t"), NULL), 0);
	assert_int_equal(f->warnings.count, 1);
	assert_non_null(strstr(f->warnings.items[0], "clear text"));
	assert_int_equal(load_with(f, ARGS("--listen", ":9410", "--listen", "[::]:9411"), NULL), 0);
	assert_int_equal(f->warnings.count, 1);
	assert_non_null(strstr(f->warnings.items[0], "token-file is not set"));
	assert_int_equal(load_with(f, ARGS("--listen", "127.0.0.1:9410"), NULL), 0);
	assert_int_equal(f->warnings.count, 0);
}

static void test_settings_only_live_rows_change_on_reload(void **state)
{
	struct fixture *f = *state;
	struct gm_agent_settings now;
	struct gm_options options;
	GM_AUTO(gm_conf_changes_fini_p) struct gm_conf_changes changes = { 0 };
	GM_AUTO(gm_option_list_fini_p) struct gm_option_list warnings = { 0 };

	write_file(f, "interval: 1s\nkubelet.interval: 10s\n");
	assert_int_equal(load_with(f, (const char *const[]){ "--config", f->file, NULL }, NULL), 0);
	write_file(f, "interval: 2s\nkubelet.interval: 20s\n");
	assert_int_equal(gm_agent_settings_reload(&f->command, NULL, &f->options, &now, &options, &changes, &warnings,
						  &f->err),
			 0);
	assert_int_equal(now.interval_ms, 2000);
	assert_int_equal(now.kubelet_interval_ms, 10000);
	assert_int_equal(changes.live.count, 1);
	assert_string_equal(changes.live.items[0], "interval");
	assert_int_equal(changes.restart.count, 1);
	assert_string_equal(changes.restart.items[0], "kubelet.interval");
	gm_options_fini(&options);
}

static void test_settings_print_reads_back(void **state)
{
	struct fixture *f = *state;
	GM_AUTO(gm_buf_fini_p) struct gm_buf first = { 0 }, again = { 0 };

	assert_int_equal(load_with(f,
				   ARGS("--listen", "[::1]:9410", "--set", "pause.limit=2h", "--set", "node-name=a b"),
				   NULL),
			 0);
	gm_conf_print(&f->options, &first);
	write_file(f, gm_buf_cstr(&first));
	assert_int_equal(load_with(f, (const char *const[]){ "--config", f->file, NULL }, NULL), 0);
	assert_string_equal(f->settings.listen.items[0], "[::1]:9410");
	assert_int_equal(f->settings.pause_limit_ms, 7200000);
	assert_string_equal(f->settings.node_name, "a b");
	gm_agent_command_answer(&f->command, &f->options, &again);
	assert_non_null(strstr(gm_buf_cstr(&again), "pause.limit: 2h"));
}

static void test_settings_listen_forms(void **state)
{
	static const struct {
		const char *text, *address, *unix_path;
		int port; /* -1: refused */
	} rows[] = {
		{ "127.0.0.1:9410", "127.0.0.1", "", 9410 },
		{ ":9410", "::", "", 9410 },
		{ "[::1]:1", "::1", "", 1 },
		{ "0.0.0.0:0", "0.0.0.0", "", 0 },
		{ "unix:/run/a.sock", "", "/run/a.sock", 0 },
		{ "::1:9410", "", "", -1 },
		{ "9410", "", "", -1 },
		{ "127.0.0.1", "", "", -1 },
		{ "127.0.0.1:", "", "", -1 },
		{ "127.0.0.1:65536", "", "", -1 },
		{ "localhost:9410", "", "", -1 },
		{ "[127.0.0.1:1", "", "", -1 },
		{ "unix:", "", "", -1 },
		{ "unix:a", "", "", -1 },
		{ "", "", "", -1 },
	};
	struct gm_agent_listen l;

	(void)state;
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		const int rc = gm_agent_listen_parse(gm_str(rows[i].text), &l, NULL);

		if ((rc == 0) != (rows[i].port >= 0))
			fail_msg("'%s'", rows[i].text);
		if (rc)
			continue;
		assert_string_equal(l.address, rows[i].address);
		assert_string_equal(l.unix_path, rows[i].unix_path);
		assert_int_equal(l.port, rows[i].port);
	}
}

static void test_command_actions_and_wrong_flags(void **state)
{
	static const struct {
		const char *flag;
		int action; /* -1: refused */
	} rows[] = {
		{ "--help", GM_AGENT_ACTION_HELP },
		{ "-h", GM_AGENT_ACTION_HELP },
		{ "--version", GM_AGENT_ACTION_VERSION },
		{ "--print-config", GM_AGENT_ACTION_PRINT_CONFIG },
		{ "--docs-configuration", GM_AGENT_ACTION_DOCS },
		{ "--listen", -1 },
		{ "--nonsense", -1 },
		{ "-x", -1 },
		{ "word", -1 },
		{ "--help=1", -1 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < GM_LEN(rows); i++) {
		const int rc = parse(f, (const char *const[]){ rows[i].flag, NULL });

		assert_int_equal(rc == 0, rows[i].action >= 0);
		if (rc == 0)
			assert_int_equal(f->command.action, rows[i].action);
		gm_agent_command_fini(&f->command);
	}
}

static void test_settings_help_and_docs_name_every_row(void **state)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf help = { 0 }, docs = { 0 };
	const struct gm_agent_command h = { .action = GM_AGENT_ACTION_HELP }, d = { .action = GM_AGENT_ACTION_DOCS };

	(void)state;
	gm_agent_command_answer(&h, NULL, &help);
	gm_agent_command_answer(&d, NULL, &docs);
	for (size_t i = 0; i < gm_agent_settings_count; i++) {
		assert_non_null(strstr(gm_buf_cstr(&help), gm_agent_settings_table[i].key));
		assert_non_null(strstr(gm_buf_cstr(&docs), gm_agent_settings_table[i].key));
	}
	assert_non_null(strstr(gm_buf_cstr(&docs), "`GPU_AGENT_TLS_CERTFILE`"));
	assert_non_null(strstr(gm_buf_cstr(&docs), "`NODE_NAME`"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_settings_defaults_are_safe),
		TEST(test_settings_later_sources_win),
		TEST(test_settings_flags_add_up),
		TEST(test_settings_wrong_ones_are_named_with_their_place),
		TEST(test_settings_window_follows_a_slow_interval),
		TEST(test_settings_warn_of_slips_not_of_service_links),
		TEST(test_settings_only_live_rows_change_on_reload),
		TEST(test_settings_print_reads_back),
		TEST(test_settings_listen_forms),
		TEST(test_command_actions_and_wrong_flags),
		TEST(test_settings_help_and_docs_name_every_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
