/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/server/settings.h"
#include "app/server/targets.h"
#include "base/money.h"

struct fixture {
	struct gm_command command;
	struct gm_settings s;
	struct gm_options o;
	struct gm_option_list warnings;
	struct gm_err err;
	char folder[64];
	char file[96];
};

static int set_up(void **state)
{
	static struct fixture f;

	f = (struct fixture){ .folder = "/tmp/gm-settings-XXXXXX" };
	assert_non_null(mkdtemp(f.folder));
	assert_int_equal(chdir(f.folder), 0);
	(void)snprintf(f.file, sizeof(f.file), "%s/application.yml", f.folder);
	*state = &f;
	return 0;
}

static void forget(struct fixture *f)
{
	gm_options_fini(&f->o);
	gm_command_fini(&f->command);
	gm_option_list_fini(&f->warnings);
	gm_err_reset(&f->err);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	forget(f);
	(void)unlink(f->file);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(f->folder), 0);
	return 0;
}

static void write_config(struct fixture *f, const char *text)
{
	FILE *file = fopen(f->file, "we");

	assert_non_null(file);
	assert_false(fputs(text, file) < 0);
	assert_int_equal(fclose(file), 0);
}

/* `arguments` and `environment` are separated by blanks. */
static int load(struct fixture *f, const char *arguments, const char *environment)
{
	char text[2][2000], *words[2][64] = { { 0 } };
	const char *sources[] = { arguments, environment };
	size_t counts[2] = { 1, 0 };
	char name[] = "gpu-monitor";

	forget(f);
	words[0][0] = name;
	for (size_t i = 0; i < 2; i++) {
		char *rest = text[i], *word;
		(void)snprintf(text[i], sizeof(text[i]), "%s", sources[i]);
		while ((word = strsep(&rest, " ")))
			if (*word)
				words[i][counts[i]++] = word;
	}
	int rc = gm_command_parse((int)counts[0], words[0], words[1], &f->command, &f->err);
	return rc < 0 ? rc : gm_settings_load(&f->command, words[1], &f->s, &f->o, &f->warnings, &f->err);
}

static void must_load(struct fixture *f, const char *arguments, const char *environment)
{
	if (load(f, arguments, environment) < 0)
		fail_msg("%s | %s: %s: %s", arguments, environment, f->err.where, f->err.text);
}

static const char *origin(struct fixture *f, const char *key)
{
	return gm_option_origin(&f->o, gm_option_find(&f->o, gm_str(key)))->where;
}

static bool warned(struct fixture *f, const char *part)
{
	for (size_t i = 0; i < f->warnings.count; i++)
		if (strstr(f->warnings.items[i], part))
			return true;
	return false;
}

static void test_settings_defaults_are_those_of_the_document(void **state)
{
	struct fixture *f = *state;
	int64_t rate = 0;

	must_load(f, "", "");
	assert_null(f->command.config);
	assert_true(f->s.enabled && f->s.mig_enabled && f->s.mig_auto_cleanup && f->s.parallel_processing &&
		    f->s.cost_enabled);
	assert_int_equal(f->s.supported_models.count, 0);
	assert_int_equal(f->s.collection_interval_ms, 30000);
	assert_int_equal(f->s.retention_days, 30);
	assert_int_equal(f->s.batch_size, 500);
	assert_int_equal(f->s.default_rates.count, 3);
	assert_string_equal(f->s.default_rates.items[0].key, "H100_80GB");
	assert_true(gm_money_parse(gm_str(f->s.default_rates.items[0].value), &rate));
	assert_int_equal(rate, 8 * GM_MICROS);
	assert_string_equal(f->s.cluster_name, "default");
	assert_string_equal(f->s.bind, "0.0.0.0");
	assert_int_equal(f->s.port, 8080);
	assert_string_equal(f->s.context_path, "/k8s-monitor");
	assert_string_equal(f->s.database_url, "sqlite:gpu-monitor.db");
	assert_int_equal(f->s.anonymous_role, GM_ROLE_NONE);
	assert_int_equal(f->s.anonymous_local_role, GM_ROLE_NONE);
	assert_int_equal(f->s.simulate_gpus, 0);
	assert_int_equal(f->s.log_level, GM_LOG_INFO);
	assert_int_equal(f->warnings.count, 0);
}

static void test_settings_take_the_documents_example(void **state)
{
	struct fixture *f = *state;

	write_config(f, "gpu:\n"
			"  management:\n"
			"    enabled: true\n"
			"    supported-models: [H100_80GB, A100_80GB, RTX4090]\n"
			"    mig: {enabled: true, auto-cleanup: true}\n"
			"    metrics: {collection-interval: 30s, retention-days: 30, batch-size: 500, "
			"parallel-processing: true}\n"
			"    cost: {enabled: true, default-rates: {H100_80GB: 8.0, A100_80GB: 6.0, RTX4090: 2.0}}\n");
	must_load(f, "",
		  "SPRING_PROFILES_ACTIVE=development,gpu-management DB_HOST=oracle-db DB_USERNAME=gpu_admin "
		  "DB_PASSWORD=x");
	assert_string_equal(f->command.config, "application.yml");
	assert_int_equal(f->s.supported_models.count, 3);
	assert_string_equal(origin(f, "gpu.management.supported-models"), "application.yml:4:23");
	assert_string_equal(f->s.database_username, "gpu_admin");
	assert_string_equal(f->s.database_password.p, "x");
	assert_true(warned(f, "DB_HOST: database.host 'oracle-db' is ignored"));
	assert_int_equal(f->warnings.count, 1);
}

static void test_settings_development_is_open_and_simulates(void **state)
{
	struct fixture *f = *state;

	must_load(f, "--profile development", "");
	assert_string_equal(f->s.bind, "127.0.0.1");
	assert_int_equal(f->s.anonymous_role, GM_ROLE_VIEWER);
	assert_int_equal(f->s.anonymous_local_role, GM_ROLE_ADMIN);
	assert_int_equal(f->s.simulate_gpus, 24);
	assert_string_equal(origin(f, "simulate.gpus"), "profile development");
	must_load(f, "--profile development --simulate 0", "");
	assert_int_equal(f->s.simulate_gpus, 0);
	must_load(f, "--profile development --set scrape.targets=http://a:9400/metrics", "");
	assert_int_equal(f->s.simulate_gpus, 0);
	must_load(f, "--profile development --set scrape.targets-file=t.yml", "");
	assert_int_equal(f->s.simulate_gpus, 0);
	must_load(f, "--profile development", "SERVER_BIND=0.0.0.0");
	assert_string_equal(f->s.bind, "0.0.0.0");
	must_load(f, "--profile staging,production", "");
	assert_int_equal(f->s.simulate_gpus, 0);
	assert_int_equal(f->s.anonymous_local_role, GM_ROLE_NONE);
	assert_int_equal(f->s.pool_max_devices, 8);
}

static void test_settings_profiles_come_from_the_first_source_that_names_them(void **state)
{
	struct fixture *f = *state;

	must_load(f, "", "GPU_PROFILES_ACTIVE=staging SPRING_PROFILES_ACTIVE=development");
	assert_int_equal(f->command.profiles.count, 1);
	assert_string_equal(f->command.profiles.names[0], "staging");
	must_load(f, "--profile production --profile gpu-management", "GPU_PROFILES_ACTIVE=staging");
	assert_int_equal(f->command.profiles.count, 2);
	assert_string_equal(f->command.profiles.names[0], "production");
	assert_int_equal(load(f, "--profile mine", ""), GM_ERR_NOT_FOUND);
	assert_non_null(strstr(f->err.text, "application-mine.yml"));
}

static const struct {
	const char *arguments;
	const char *environment;
	const char *where;
	const char *reason; /* a part of it */
} BAD[] = {
	{ "--nonsense", "", "", "'--nonsense' is not known" },
	{ "-x", "", "", "unknown option '-x'" },
	{ "--config", "", "", "--config wants a value" },
	{ "--version=1", "", "", "takes no value" },
	{ "extra", "", "", "'extra' is not expected" },
	{ "--simulate many", "", "--simulate", "'many' is not a number" },
	{ "--simulate 200001", "", "--simulate", "200001" },
	{ "--set server.port", "", "--set", "KEY=VALUE" },
	{ "--set server.prot=1", "", "--set", "did you mean 'server.port'?" },
	{ "--set server.port=65536", "", "--set", "more than 65535" },
	{ "--config absent.yml", "", "", "absent.yml" },
	{ "--profile ../x", "", "--profile", "a name holds" },
	{ "", "SPRING_PROFILES_ACTIVE=a/b", "SPRING_PROFILES_ACTIVE", "a name holds" },
	{ "", "SERVER_PORT=eighty", "SERVER_PORT", "whole number" },
	{ "--set server.bind=localhost", "", "--set", "numeric address" },
	{ "--set server.context-path=k8s", "", "--set", "begins with '/'" },
	{ "--set server.context-path=/a/", "", "--set", "begins with '/'" },
	{ "--set server.context-path=/a//b", "", "--set", "not a path" },
	{ "--set server.tls.cert-file=a.pem", "", "--set", "server.tls.key-file is not" },
	{ "--set scrape.client-key-file=a.pem", "", "--set", "scrape.client-cert-file is not" },
	{ "--set gpu.management.metrics.collection-interval=999ms", "", "--set", "less than 1s" },
	{ "--set gpu.management.metrics.collection-interval=5s --set scrape.timeout=6s", "", "--set",
	  "more than gpu.management" },
	{ "--set gpu.management.cost.default-rates=H100_80GB=-1", "", "--set", "'-1' is not an amount" },
	{ "--set gpu.management.cost.currency=usd", "", "--set", "currency code" },
	{ "--set cluster.name=", "", "--set", "at least 1" },
	{ "--set cluster.name=a/b", "", "--set", "letters, digits" },
	{ "--set database.url=postgresql://db", "", "--set", "SQLite only" },
	{ "--set database.url=sqlite:", "", "--set", "no file" },
	{ "--set security.anonymous-role=admin", "", "--set", "not one of none, viewer" },
	{ "--set security.anonymous-role=viewer", "", "--set", "only the profile development" },
	{ "--profile staging --set security.anonymous-local-role=viewer", "", "--set", "only the profile development" },
	{ "--set security.local-addresses=10.0.0.0/33", "", "--set", "neither an address nor a network" },
	{ "--simulate 8 --set simulate.nodes=9", "", "--set", "more nodes than" },
	{ "--simulate 33 --set simulate.nodes=2", "", "--set", "16 GPUs at most" },
	{ "--set scrape.targets=node:9400", "", "--set", "does not begin with http" },
	{ "--set scrape.targets=http://", "", "--set", "names no host" },
	{ "--set scrape.targets=http://:9400/", "", "--set", "names no host" },
	{ "--set scrape.targets=http://u:p@h/", "", "--set", "user and password" },
};

static void test_settings_refuse_with_the_place(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < GM_LEN(BAD); i++) {
		if (load(f, BAD[i].arguments, BAD[i].environment) >= 0)
			fail_msg("taken: %s | %s", BAD[i].arguments, BAD[i].environment);
		if (strcmp(f->err.where, BAD[i].where) != 0 || !strstr(f->err.text, BAD[i].reason))
			fail_msg("%s | %s: at '%s': '%s'", BAD[i].arguments, BAD[i].environment, f->err.where,
				 f->err.text);
	}
}

static const struct {
	const char *targets;
	const char *where;
	const char *reason; /* a part of it; NULL: good */
} TARGETS[] = {
	{ "[http://a]", NULL, NULL },
	{ "[{url: https://a:9400/m, node: n, cluster: c, interval: 5s, ca-file: f}]", NULL, NULL },
	{ "[{url: https://a, client-cert-file: c, client-key-file: k, bearer-token-file: t}]", NULL, NULL },
	{ "[{node: n}]", "application.yml:1:19", "without url" },
	{ "[{url: ftp://a}]", "application.yml:1:19", "http://" },
	{ "[http://a, {url: http://b, nodes: n}]", "application.yml:1:44", "unknown key 'nodes' of a target" },
	{ "[{url: http://b, interval: 5}]", "application.yml:1:34", "not a duration" },
	{ "[{url: http://b, interval: 500ms}]", "application.yml:1:34", "from 1s to 1h" },
	{ "[{url: http://b, client-key-file: k}]", "application.yml:1:19", "together" },
	{ "[http://a, {url: http://a}]", "application.yml:1:29", "given twice" },
};

static void test_settings_check_each_target_at_its_place(void **state)
{
	struct fixture *f = *state;
	char text[300];

	for (size_t i = 0; i < GM_LEN(TARGETS); i++) {
		(void)snprintf(text, sizeof(text), "scrape.targets: %s\n", TARGETS[i].targets);
		write_config(f, text);
		int rc = load(f, "", "");
		if ((rc < 0) != (TARGETS[i].reason != NULL))
			fail_msg("%s: %d %s", text, rc, f->err.text);
		if (rc < 0 && (strcmp(f->err.where, TARGETS[i].where) != 0 || !strstr(f->err.text, TARGETS[i].reason)))
			fail_msg("%s: at '%s': '%s'", text, f->err.where, f->err.text);
	}
}

static void test_settings_read_a_target(void **state)
{
	struct fixture *f = *state;
	struct gm_target_conf t;

	write_config(f,
		     "scrape.targets: [http://a, {url: https://b, node: n, interval: 5s, bearer-token-file: tok}]\n");
	must_load(f, "", "");
	assert_int_equal(gm_target_read(&f->s.targets.items[0], &t, &f->err), 0);
	assert_string_equal(t.url, "http://a");
	assert_null(t.node);
	assert_int_equal(t.interval_ms, 0);
	assert_int_equal(gm_target_read(&f->s.targets.items[1], &t, &f->err), 0);
	assert_string_equal(t.url, "https://b");
	assert_string_equal(t.node, "n");
	assert_string_equal(t.bearer_token_file, "tok");
	assert_int_equal(t.interval_ms, 5000);
}

static void test_settings_an_unset_timeout_follows_the_interval(void **state)
{
	struct fixture *f = *state;

	must_load(f, "--set gpu.management.metrics.collection-interval=2s", "");
	assert_int_equal(f->s.scrape_timeout_ms, 2000);
	must_load(f, "--set gpu.management.metrics.collection-interval=1m", "");
	assert_int_equal(f->s.scrape_timeout_ms, 10000);
}

static void test_settings_the_root_is_no_context_path(void **state)
{
	struct fixture *f = *state;

	must_load(f, "--set server.context-path=/", "");
	assert_string_equal(f->s.context_path, "");
	must_load(f, "--set server.context-path=/a/b", "");
	assert_string_equal(f->s.context_path, "/a/b");
}

static void test_settings_warn_of_what_may_be_a_slip(void **state)
{
	struct fixture *f = *state;

	must_load(f, "--set gpu.management.supported-models=H100_80GB,H100_8OGB",
		  "GPU_MANAGEMENT_MIG_AUTO_CLEANUP=false");
	assert_true(warned(f, "'H100_8OGB' is no model"));
	assert_true(warned(f, "GPU_MANAGEMENT_MIG_AUTO_CLEANUP: no setting has this name"));
	assert_int_equal(f->warnings.count, 2);
	must_load(f, "--set scrape.insecure-skip-verify=true", "");
	assert_true(warned(f, "not checked"));
	must_load(f, "--profile development", "");
	assert_int_equal(f->warnings.count, 0);
}

static void test_settings_print_config_is_a_config(void **state)
{
	struct fixture *f = *state;
	static const char ARGUMENTS[] =
		"--print-config --profile development --simulate 5 --set cluster.name=true --set server.port=81 "
		"--set database.url=sqlite:/var/lib/a#b: --set scrape.targets=http://a:1/m,http://[::1]:2/m?x=y "
		"--set database.password=hunter2 --set gpu.management.pool.node-selector=a.b/c=d,e=#f --set "
		"server.context-path=/";
	struct gm_buf first = { 0 };
	struct gm_settings other;
	struct gm_options options;

	must_load(f, ARGUMENTS, "");
	assert_int_equal(f->command.action, GM_COMMAND_PRINT_CONFIG);
	gm_command_answer(&f->command, &f->o, &first);
	assert_null(strstr(gm_buf_cstr(&first), "hunter2"));
	assert_non_null(strstr(gm_buf_cstr(&first), "# database.password: ******"));
	assert_non_null(strstr(gm_buf_cstr(&first), "server.bind: 127.0.0.1 "));
	assert_non_null(strstr(gm_buf_cstr(&first), "# profile development\n"));
	gm_options_init(&options, gm_settings_table, gm_settings_count, &other);
	if (gm_conf_apply_yaml(&options, gm_buf_str(&first), "printed.yml", &f->err) < 0)
		fail_msg("%s: %s\n%s", f->err.where, f->err.text, gm_buf_cstr(&first));
	for (size_t i = 0; i < gm_settings_count; i++)
		if (!gm_option_same(&options, &f->o, &gm_settings_table[i]) &&
		    gm_settings_table[i].type != GM_OPTION_SECRET)
			fail_msg("%s reads back otherwise", gm_settings_table[i].key);
	gm_options_fini(&options);
	gm_buf_fini(&first);
}

static void test_settings_reload_names_what_changed(void **state)
{
	struct fixture *f = *state;
	struct gm_settings s;
	struct gm_options o;
	GM_AUTO(gm_conf_changes_fini_p) struct gm_conf_changes changes = { 0 };
	char *none[] = { NULL };

	write_config(f, "server.port: 81\nlogging.level: warn\nscrape.targets: [http://a]\n");
	must_load(f, "", "");
	write_config(f, "server.port: 82\nlogging.level: debug\nscrape.targets: [http://a]\ncluster.name: two\n");
	assert_int_equal(gm_settings_reload(&f->command, none, &f->o, &s, &o, &changes, &f->warnings, &f->err), 0);
	assert_int_equal(changes.live.count, 1);
	assert_string_equal(changes.live.items[0], "logging.level");
	assert_int_equal(changes.restart.count, 2);
	assert_string_equal(changes.restart.items[0], "cluster.name");
	assert_string_equal(changes.restart.items[1], "server.port");
	assert_int_equal(s.log_level, GM_LOG_DEBUG);
	assert_int_equal(s.port, 81); /* until the restart */
	assert_string_equal(s.cluster_name, "default");
	gm_options_fini(&o);
	write_config(f, "server.port: nope\n");
	assert_int_equal(gm_settings_reload(&f->command, none, &f->o, &s, &o, &changes, &f->warnings, &f->err),
			 GM_ERR_INVALID);
	assert_string_equal(f->err.where, "application.yml:1:14");
}

static void test_settings_know_local_addresses(void **state)
{
	struct fixture *f = *state;

	must_load(f, "--set security.local-addresses=172.17.0.1,10.1.0.0/16,fd00::/8,192.168.1.129/25", "");
	assert_true(gm_settings_is_local(&f->s, "172.17.0.1"));
	assert_false(gm_settings_is_local(&f->s, "172.17.0.2"));
	assert_true(gm_settings_is_local(&f->s, "10.1.255.7"));
	assert_false(gm_settings_is_local(&f->s, "10.2.0.1"));
	assert_true(gm_settings_is_local(&f->s, "fd12::1"));
	assert_false(gm_settings_is_local(&f->s, "fe80::1"));
	assert_true(gm_settings_is_local(&f->s, "192.168.1.200"));
	assert_false(gm_settings_is_local(&f->s, "192.168.1.100"));
	assert_true(gm_settings_is_local(&f->s, "::ffff:172.17.0.1"));
	assert_false(gm_settings_is_local(&f->s, "nonsense"));
	must_load(f, "", "");
	assert_false(gm_settings_is_local(&f->s, "127.0.0.1"));
}

static void test_settings_answer_version_help_and_docs(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *flag;
		const char *part;
	} ANSWERS[] = {
		{ "--version", "gpu-monitor " GM_VERSION "\n" },
		{ "--help", "--simulate N" },
		{ "-h", "gpu.management.mig.auto-cleanup" },
		{ "--docs-configuration", "| `development` | `server.bind: 127.0.0.1`, " },
		{ "--docs-configuration", "| `DB_PASSWORD` | `database.password` |" },
	};

	for (size_t i = 0; i < GM_LEN(ANSWERS); i++) {
		struct gm_buf out = { 0 };
		must_load(f, ANSWERS[i].flag, "");
		gm_command_answer(&f->command, &f->o, &out);
		assert_non_null(strstr(gm_buf_cstr(&out), ANSWERS[i].part));
		gm_buf_fini(&out);
	}
}

static void test_settings_every_row_is_documented_and_named_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < gm_settings_count; i++) {
		const struct gm_option *row = &gm_settings_table[i];
		assert_true(strlen(row->help) > 5);
		assert_false(gm_str_ends(gm_str(row->help), GM_STR(".")));
		for (size_t j = 0; j < i; j++) {
			assert_string_not_equal(row->key, gm_settings_table[j].key);
			assert_int_not_equal(row->offset, gm_settings_table[j].offset);
		}
	}
}

static void test_settings_the_shipped_examples_load(void **state)
{
	struct fixture *f = *state;
	char arguments[600];
	static const char *const PROFILES[] = { "development", "staging", "production" };

	for (size_t i = 0; i < GM_LEN(PROFILES); i++) {
		(void)snprintf(arguments, sizeof(arguments), "--config %s/config/application.yml --profile %s",
			       getenv("SOURCE_ROOT"), PROFILES[i]);
		must_load(f, arguments, "");
		assert_int_equal(f->warnings.count, 0);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_settings_defaults_are_those_of_the_document),
		TEST(test_settings_take_the_documents_example),
		TEST(test_settings_development_is_open_and_simulates),
		TEST(test_settings_profiles_come_from_the_first_source_that_names_them),
		TEST(test_settings_refuse_with_the_place),
		TEST(test_settings_check_each_target_at_its_place),
		TEST(test_settings_read_a_target),
		TEST(test_settings_an_unset_timeout_follows_the_interval),
		TEST(test_settings_the_root_is_no_context_path),
		TEST(test_settings_warn_of_what_may_be_a_slip),
		TEST(test_settings_print_config_is_a_config),
		TEST(test_settings_reload_names_what_changed),
		TEST(test_settings_know_local_addresses),
		TEST(test_settings_answer_version_help_and_docs),
		TEST(test_settings_every_row_is_documented_and_named_once),
		TEST(test_settings_the_shipped_examples_load),
	};
	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
