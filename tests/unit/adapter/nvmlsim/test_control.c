/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "world-testing.h"

/* The control program as people run it: what it says and its exit code. */
static int run(const char *arguments, char *said, size_t size)
{
	char line[512];
	const char *program = getenv("NVML_SIM_CTL");
	assert_non_null(program);
	(void)snprintf(line, sizeof(line), "{ NVML_SIM_STATE= NVML_SIM_SCENARIO= '%s' %s\n} 2>&1", program, arguments);
	FILE *f = popen(line, "re");
	assert_non_null(f);
	size_t n = fread(said, 1, size - 1, f);
	said[n] = '\0';
	int status = pclose(f);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_control_line_forms(void **state)
{
	static const struct {
		const char *arguments; /* "%s": a new state folder */
		int code;
		const char *says;
	} rows[] = {
		{ "--help", 0, "Usage: nvml-sim-ctl" },
		{ "-h", 0, "reload-driver" },
		{ "", 2, "no command" },
		{ "show", 2, "no state folder" },
		{ "--state", 2, "--state: unknown option, or without its value" },
		{ "--speed 5 show", 2, "--speed: unknown option" },
		{ "--state %s show", 0, "gpu 7 NVIDIA H100 80GB HBM3" },
		{ "--state=%s show -o json", 0, "\"driverLoaded\":true" },
		{ "--state %s dance", 1, "unknown command 'dance'" },
		{ "--state %s mig 0 on", 0, "" },
		{ "--state %s xid 9 79", 1, "GPU 9: there are 8" },
		{ "--state %s layout 0 '3g.40gb, 1g.10gb'", 1, "not in MIG mode" },
		{ "--state %s --scenario /nowhere.yml show", 1, "/nowhere.yml" },
		{ "--state %s --scenario /nowhere.yml reset", 1, "/nowhere.yml" },
	};
	(void)state;
	char said[8192], arguments[256];
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		GM_AUTO(folder_fini_p) struct folder folder = folder_make();
		const char *at = strstr(rows[i].arguments, "%s");
		if (at)
			(void)snprintf(arguments, sizeof(arguments), "%.*s%s%s", (int)(at - rows[i].arguments),
				       rows[i].arguments, folder.path, at + 2);
		else
			(void)snprintf(arguments, sizeof(arguments), "%s", rows[i].arguments);
		int code = run(arguments, said, sizeof(said));
		if (code != rows[i].code || !strstr(said, rows[i].says))
			fail_msg("%s: exit code %d, %s", rows[i].arguments, code, said);
	}
}

static void test_control_answers_each_line(void **state)
{
	(void)state;
	GM_AUTO(folder_fini_p) struct folder folder = folder_make();
	char said[8192], arguments[400];
	(void)snprintf(arguments, sizeof(arguments),
		       "--state %s - <<'END'\n"
		       "# a remark\n"
		       "\n"
		       "mig 0 on\n"
		       "layout 0 \"3g.40gb@4, 1g.10gb*2\"\n"
		       "fault nvmlDeviceGetName error 3\n"
		       "lost 77\n"
		       "END\n",
		       folder.path);
	assert_int_equal(run(arguments, said, sizeof(said)), 1);
	assert_string_equal(said, "ok\nok\n1\nok\nerror: gpu: '77': not an index\n");
	(void)snprintf(arguments, sizeof(arguments), "--state %s show", folder.path);
	assert_int_equal(run(arguments, said, sizeof(said)), 0);
	assert_non_null(strstr(said, "gi 1 3g.40gb@4"));
}

static void test_control_resets_to_another_scenario(void **state)
{
	(void)state;
	GM_AUTO(folder_fini_p) struct folder folder = folder_make();
	char said[8192], arguments[400], path[100];
	(void)snprintf(path, sizeof(path), "%s.yml", folder.path);
	FILE *f = fopen(path, "we");
	(void)fputs("{gpus: 1, models: L40S}\n", f);
	(void)fclose(f);
	(void)snprintf(arguments, sizeof(arguments), "--state %s show", folder.path);
	assert_int_equal(run(arguments, said, sizeof(said)), 0);
	(void)snprintf(arguments, sizeof(arguments), "--state %s --scenario %s show", folder.path, path);
	assert_int_equal(run(arguments, said, sizeof(said)), 1);
	assert_non_null(strstr(said, "another scenario"));
	(void)snprintf(arguments, sizeof(arguments), "--state %s --scenario %s reset", folder.path, path);
	assert_int_equal(run(arguments, said, sizeof(said)), 0);
	(void)snprintf(arguments, sizeof(arguments), "--state %s --scenario %s show", folder.path, path);
	assert_int_equal(run(arguments, said, sizeof(said)), 0);
	assert_non_null(strstr(said, "gpu 0 NVIDIA L40S"));
	assert_null(strstr(said, "gpu 1"));
	(void)unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_control_line_forms),
		cmocka_unit_test(test_control_answers_each_line),
		cmocka_unit_test(test_control_resets_to_another_scenario),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
