/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "app/ctl/command-table.h"
#include "app/ctl/serving-input.h"

/* A folder of the test's own: profiles/a.csv, profiles/b.csv, rates.csv, latencies.csv. */
struct files {
	char dir[64], profiles[96], a[96], b[96], rates[96], latencies[96];
};

#define HEADER "Mig instance,Batch size,Workload Number,Throughput,Latency\n"
#define PROFILE_A HEADER "1,1,1,10,0.01\n1,1,2,8.5,0.02\n3,4,1,40,0.03\n7,1,1,0,0\n"
#define PROFILE_B HEADER "2,1,1,20.125,0.01\n"

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fputs(text, f) >= 0, 1);
	assert_int_equal(fclose(f), 0);
}

static int set_up(void **state)
{
	struct files *f = calloc(1, sizeof(*f));
	const char *tmp = getenv("TMPDIR");

	assert_non_null(f);
	(void)snprintf(f->dir, sizeof(f->dir), "%.40s/serving-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->profiles, sizeof(f->profiles), "%s/profiles", f->dir);
	(void)snprintf(f->a, sizeof(f->a), "%s/profiles/a.csv", f->dir);
	(void)snprintf(f->b, sizeof(f->b), "%s/profiles/b.csv", f->dir);
	(void)snprintf(f->rates, sizeof(f->rates), "%s/rates.csv", f->dir);
	(void)snprintf(f->latencies, sizeof(f->latencies), "%s/latencies.csv", f->dir);
	assert_int_equal(mkdir(f->profiles, 0700), 0);
	write_file(f->a, PROFILE_A);
	write_file(f->b, PROFILE_B);
	write_file(f->rates, "17,N/A\n50,40\n1,1\n2,2.5\n");
	write_file(f->latencies, "100,N/A\n100,200.5\n100,100\n1,100\n");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct files *f = *state;

	(void)remove(f->a);
	(void)remove(f->b);
	(void)remove(f->profiles);
	(void)remove(f->rates);
	(void)remove(f->latencies);
	(void)remove(f->dir);
	free(f);
	return 0;
}

static int read_all(const struct files *f, const char *scenario, struct gm_ctl_serving_input *in, struct gm_err *err)
{
	*err = (struct gm_err){ 0 };
	return gm_ctl_serving_read(f->profiles, f->rates, f->latencies, scenario, in, err);
}

static void test_rows_without_names_are_the_published_scenarios(void **state)
{
	const struct files *f = *state;
	struct gm_ctl_serving_input in = { 0 };
	struct gm_err err;

	assert_int_equal(read_all(f, "S1", &in, &err), 0);
	assert_int_equal(in.demands.count, 1);
	assert_string_equal(in.demands.items[0].model, "a");
	assert_int_equal(in.demands.items[0].rate_milli, 17000);
	assert_int_equal(in.demands.items[0].point_count, 4);
	assert_int_equal(in.demands.items[0].points[1].throughput_milli, 8500);
	assert_int_equal(in.demands.items[0].points[1].processes, 2);
	assert_int_equal(in.demands.items[0].points[1].latency_us, 20000);
	gm_ctl_serving_input_fini(&in);
	assert_int_equal(read_all(f, "S5", &in, &err), 0);
	assert_int_equal(in.demands.count, 2);
	assert_int_equal(in.demands.items[1].rate_milli, 2500);
	gm_ctl_serving_input_fini(&in);
	assert_int_equal(read_all(f, "S4", &in, &err), GM_ERR_NOT_FOUND);
	assert_string_equal(err.where, f->rates);
	assert_non_null(strstr(err.text, "S1, S2, S3, S5"));
}

static void test_headers_and_names_of_rows_are_read(void **state)
{
	const struct files *f = *state;
	struct gm_ctl_serving_input in = { 0 };
	struct gm_err err;

	write_file(f->rates, "scenario,b,a\nday,1,2\nnight,3,N/A\n");
	write_file(f->latencies, "day,100,200\nnight,100,200\n");
	assert_int_equal(read_all(f, "day", &in, &err), 0);
	assert_int_equal(in.demands.items[0].rate_milli, 2000);
	assert_int_equal(in.demands.items[0].slo_us, 100000);
	gm_ctl_serving_input_fini(&in);
	assert_int_equal(read_all(f, "night", &in, &err), GM_ERR_PARSE);
	assert_non_null(strstr(err.text, "model 'a' has no rate in line 3"));
}

struct broken {
	size_t file; /* offset in struct files */
	const char *text, *where, *says;
};
static const struct broken BROKEN[] = {
	{ offsetof(struct files, a), "", ".csv:1", "empty" },
	{ offsetof(struct files, a), "Mig instance,Batch size\n", ".csv:1", "no column 'Workload Number'" },
	{ offsetof(struct files, a), HEADER "1,1,1,x,0\n", ".csv:2:7", "Throughput 'x' is no number" },
	{ offsetof(struct files, a), HEADER "1,1,1,1\n", ".csv:2", "Latency is missing" },
	{ offsetof(struct files, a), HEADER "0,1,1,1,1\n", ".csv:2:1", "no whole number from 1 to 64" },
	{ offsetof(struct files, rates), "1\n", ".csv:1", "1 values, but there are 2 models" },
	{ offsetof(struct files, rates), "1,0\n", ".csv:1:3", "the rate '0' is no number from" },
	{ offsetof(struct files, rates), "x,c\n1,2\n", ".csv:1:3", "no measurements of this model" },
	{ offsetof(struct files, rates), "a,a\n1,2\n", ".csv:1:3", "second column" },
	{ offsetof(struct files, latencies), "1,-3\n", ".csv:1:3", "the latency limit '-3' is no number" },
	{ offsetof(struct files, latencies), "", ".csv", "has no scenario 'S1'; it has none" },
};

static void test_broken_input_names_file_line_and_field(void **state)
{
	const struct files *f = *state;

	for (size_t i = 0; i < GM_LEN(BROKEN); i++) {
		const char *path = (const char *)f + BROKEN[i].file;
		struct gm_ctl_serving_input in = { 0 };
		struct gm_err err;

		write_file(f->a, PROFILE_A);
		write_file(f->rates, "1,1\n");
		write_file(f->latencies, "1,1\n");
		write_file(path, BROKEN[i].text);
		assert_true(read_all(f, "S1", &in, &err) < 0);
		assert_int_equal(strncmp(err.where, path, strlen(path)), 0);
		assert_true(gm_str_ends(gm_str(err.where), gm_str(BROKEN[i].where)));
		assert_non_null(strstr(err.text, BROKEN[i].says));
		assert_null(in.demands.items);
	}
}

static struct gm_buf run_command(const struct files *f, const char *scenario, enum gm_ctl_output output, int *rc,
				 struct gm_err *err)
{
	/* The command's struct: five texts in the order of its options. */
	const char *args[] = { f->profiles, f->rates, f->latencies, scenario, "A100_80GB" };
	struct gm_buf out = { 0 };

	assert_int_equal(gm_ctl_replay_serving.args_size, sizeof(args));
	for (size_t i = 0; i < GM_LEN(args); i++)
		assert_int_equal(gm_ctl_replay_serving.options[i].option.offset, i * sizeof(args[0]));
	*rc = gm_ctl_replay_serving.run(&(struct gm_ctl_run){ .output = output, .args = args, .out = &out }, err);
	return out;
}

static void test_the_plan_is_written_as_json_and_as_a_table(void **state)
{
	const struct files *f = *state;
	struct gm_err err = { 0 };
	struct gm_buf out;
	int rc;

	out = run_command(f, "S1", GM_CTL_OUTPUT_JSON, &rc, &err);
	assert_int_equal(rc, 0);
	assert_string_equal(
		gm_buf_cstr(&out),
		"{\"scenario\":\"S1\",\"model\":\"A100_80GB\",\"gpus\":1,\"gpcs\":1,"
		"\"lowerBound\":{\"gpus\":1,\"gpcs\":1},\"proven\":{\"gpus\":true,\"gpcs\":true},"
		"\"models\":[{\"model\":\"a\",\"rate\":17,\"capacity\":17,\"latencyLimitMs\":100,\"latencyMs\":20,"
		"\"gpcs\":1}],"
		"\"segments\":[{\"id\":0,\"model\":\"a\",\"profile\":\"1g.10gb\",\"gpcs\":1,\"batch\":1,"
		"\"processes\":2,\"throughput\":8.5,\"latencyMs\":20}],"
		"\"placement\":[{\"gpu\":0,\"instances\":[{\"segment\":0,\"profile\":\"1g.10gb\",\"start\":0,"
		"\"size\":1,\"model\":\"a\"}]}]}\n");
	gm_buf_fini(&out);
	/*
	 * a: a 3g does 40, and 17 more of a 1g make 50: 4 GPCs. b: two 2g. Of these eight GPCs a board has seven; but three 1g
	 * do 51.
	 */
	out = run_command(f, "S2", GM_CTL_OUTPUT_TABLE, &rc, &err);
	assert_int_equal(rc, 0);
	assert_non_null(strstr(gm_buf_cstr(&out), "Scenario S2 on A100_80GB: 1 GPU, 7 GPCs in 5 instances.\n"));
	assert_non_null(strstr(gm_buf_cstr(&out), "2 x 2g.20gb (batch 1, processes 1)"));
	gm_buf_fini(&out);
	out = run_command(f, "S5", GM_CTL_OUTPUT_TABLE, &rc, &err);
	assert_int_equal(rc, GM_ERR_NOT_FOUND);
	assert_non_null(strstr(err.text, "model 'a'"));
	assert_string_equal(err.where, "");
	assert_int_equal(out.n, 0);
	gm_buf_fini(&out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rows_without_names_are_the_published_scenarios, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_headers_and_names_of_rows_are_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_broken_input_names_file_line_and_field, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_plan_is_written_as_json_and_as_a_table, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
