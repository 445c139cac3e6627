/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "adapter/conf/conf.h"
#include "adapter/sim/scenario.h"

static int parse(const char *text, struct gm_sim_scenario *out, struct gm_err *err)
{
	GM_AUTO(gm_option_maps_fini_p) struct gm_option_maps maps = { 0 };
	int rc = gm_conf_maps_parse(gm_str(text), "faults.yml", &maps, err);
	return rc < 0 ? rc : gm_sim_scenario_from_maps(&maps, out, err);
}

static void test_scenario_is_read(void **state)
{
	(void)state;
	GM_AUTO(gm_sim_scenario_fini_p) struct gm_sim_scenario s = { 0 };
	struct gm_err err = { 0 };
	int rc = parse("- {fault: overheat, node: worker-01, gpu: 2, after: 2m, for: 10m, value: 35}\n"
		       "- fault: node-away\n"
		       "  node: worker-03\n"
		       "- {node: worker-02, fault: xid, after: 90s, value: 79}\n",
		       &s, &err);
	if (rc < 0)
		fail_msg("%s %s", err.where, err.text);
	assert_int_equal(s.count, 3);
	assert_int_equal(s.faults[0].kind, GM_SIM_FAULT_OVERHEAT);
	assert_string_equal(s.faults[0].node, "worker-01");
	assert_int_equal(s.faults[0].gpu, 2);
	assert_int_equal(s.faults[0].after_ms, 120000);
	assert_int_equal(s.faults[0].lasts_ms, 600000);
	assert_int_equal(s.faults[0].value, 35);
	assert_int_equal(s.faults[1].kind, GM_SIM_FAULT_NODE_AWAY);
	assert_int_equal(s.faults[1].gpu, -1);
	assert_int_equal(s.faults[1].lasts_ms, 0);
	assert_int_equal(s.faults[2].value, 79);
	GM_AUTO(gm_sim_scenario_fini_p) struct gm_sim_scenario none = { 0 };
	assert_int_equal(parse("", &none, &err), 0);
	assert_int_equal(none.count, 0);
}

static void test_scenario_errors_say_where(void **state)
{
	(void)state;
	static const struct {
		const char *text, *where, *says;
	} cases[] = {
		{ "- {fault: meteor, node: worker-01}\n", "faults.yml:1:", "meteor" },
		{ "- {fault: lost, node: worker-01}\n- {fault: lost}\n", "faults.yml:2:", "without 'node'" },
		{ "- {node: worker-01}\n", "faults.yml:1:", "without 'fault'" },
		{ "- {fault: lost, node: ''}\n", "faults.yml:1:", "node" },
		{ "- {fault: lost, node: worker-01, gpu: -1}\n", "faults.yml:1:", "index" },
		{ "- {fault: lost, node: worker-01, gpu: 64}\n", "faults.yml:1:", "index" },
		{ "- {fault: lost, node: worker-01, after: soon}\n", "faults.yml:1:", "duration" },
		{ "- {fault: lost, node: worker-01, for: 10}\n", "faults.yml:1:", "duration" },
		{ "- {fault: xid, node: worker-01, value: 1.5}\n", "faults.yml:1:", "number" },
		{ "- {fault: xid, node: worker-01, colour: red}\n", "faults.yml:1:", "unknown key" },
		{ "- worker-01\n", "faults.yml:1:", "unknown key" },
	};
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		struct gm_sim_scenario s = { 0 };
		struct gm_err err = { 0 };
		assert_int_equal(parse(cases[i].text, &s, &err), GM_ERR_INVALID);
		if (strncmp(err.where, cases[i].where, strlen(cases[i].where)) != 0)
			fail_msg("case %zu: where '%s'", i, err.where);
		if (!strstr(err.text, cases[i].says))
			fail_msg("case %zu: '%s' does not say '%s'", i, err.text, cases[i].says);
		assert_null(s.faults);
	}
}

static void test_scenario_file_that_is_not_there(void **state)
{
	(void)state;
	struct gm_sim_scenario s = { 0 };
	struct gm_err err = { 0 };
	assert_true(gm_sim_scenario_read("/nonexistent/faults.yml", &s, &err) < 0);
	assert_non_null(strstr(err.text, "faults.yml"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scenario_is_read),
		cmocka_unit_test(test_scenario_errors_say_where),
		cmocka_unit_test(test_scenario_file_that_is_not_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
