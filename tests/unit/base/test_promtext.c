/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/parse.h"
#include "base/promtext.h"

#define NO_TIME INT64_MIN

static const struct {
	const char *line;
	const char *series;
	const char *value;
	int64_t at_ms;
	bool openmetrics;
} GOOD[] = {
	{ "up 1", "up", "1", NO_TIME, false },
	{ "up 1 1764000000123", "up", "1", 1764000000123, false },
	{ "up -1.5e+3 -5", "up", "-1.5e+3", -5, false },
	{ "  up\t1\t1764000000123  ", "up", "1", 1764000000123, false },
	{ "up 1\r\n", "up", "1", NO_TIME, false },
	{ "a:b_c9{} NaN", "a:b_c9{}", "NaN", NO_TIME, false },
	{ "a{b=\"c\"} +Inf", "a{b=\"c\"}", "+Inf", NO_TIME, false },
	{ "a{b=\"c\",}\t-Inf", "a{b=\"c\",}", "-Inf", NO_TIME, false },
	{ "a {b=\"c\"} 1", "a {b=\"c\"}", "1", NO_TIME, false },
	{ "a{b=\"}\"} 1", "a{b=\"}\"}", "1", NO_TIME, false },
	{ "a{b=\"x # {y\"} 1", "a{b=\"x # {y\"}", "1", NO_TIME, false },
	{ "a{b=\"\\\"} 2\"} 1 7", "a{b=\"\\\"} 2\"}", "1", 7, false },
	{ "a{b=\"c\"} 1", "a{b=\"c\"}", "1", NO_TIME, true },
	{ "a_total 17 1520879607.789", "a_total", "17", 1520879607789, true },
	{ "a_total 17 1.5e9", "a_total", "17", 1500000000000, true },
	{ "a_bucket{le=\"1\"} 11 # {trace_id=\"K}#\"} 0.67", "a_bucket{le=\"1\"}", "11", NO_TIME, true },
	{ "a_bucket{le=\"#}\"} 11 3 # {} 0.67 4.5", "a_bucket{le=\"#}\"}", "11", 3000, true },
	{ "a_total 5 # {t=\"x\"} 1", "a_total", "5", NO_TIME, true },
	{ "a{b=\"\\\"#\"} 5", "a{b=\"\\\"#\"}", "5", NO_TIME, true },
};

static void test_promtext_cuts_a_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < GM_LEN(GOOD); i++) {
		struct gm_promtext_reader r;
		struct gm_promtext_sample s = { 0 };
		struct gm_err err = { 0 };

		gm_promtext_reader_init(&r, gm_str(GOOD[i].line), GOOD[i].openmetrics);
		if (gm_promtext_next(&r, &s, &err) != 1)
			fail_msg("%s: %s", GOOD[i].line, err.text);
		if (!gm_str_is(s.series, GOOD[i].series) || !gm_str_is(s.value, GOOD[i].value))
			fail_msg("%s: cut as '%.*s' '%.*s'", GOOD[i].line, GM_STR_ARG(s.series), GM_STR_ARG(s.value));
		assert_true(s.at_ms == GOOD[i].at_ms);
		assert_int_equal(gm_promtext_next(&r, &s, &err), 0);
	}
}

static const struct {
	const char *line;
	const char *reason; /* a part of it */
	bool openmetrics;
} BAD[] = {
	{ "up", "no value", false },
	{ "up ", "no value", false },
	{ "up x", "not a number", false },
	{ "up 1x", "not a number", false },
	{ "up 0x1p-2", "not a number", false },
	{ "up 1 x", "timestamp", false },
	{ "up 1 1.5", "timestamp", false },
	{ "up 1 2 3", "more text", false },
	{ "1up 1", "begins with", false },
	{ "{\"up\",a=\"b\"} 1", "not supported", false },
	{ "\xff\xfe binary", "begins with", false },
	{ "up{a=\"b\" 1", "'}'", false },
	{ "up{a=\"b\"}1", "no blank", false },
	{ "up{a=\"b\"}", "no value", false },
	{ "up-down 1", "no blank", false },
	{ "up 1 # {a=\"b\"} 1", "no value", false }, /* exemplars belong to OpenMetrics */
	{ "up 1 # a", "more text", false },
	{ "up 1 # a", "exemplar", true },
	{ "up 1 # {a=\"b", "exemplar", true },
	{ "up{a=\"#\" 1", "'}'", true },
	{ "up 1 9999999999999999999", "timestamp", false },
	{ "up 1 9999999999999999999", "timestamp", true },
};

static void test_promtext_refuses_a_malformed_line_and_goes_on(void **state)
{
	(void)state;
	for (size_t i = 0; i < GM_LEN(BAD); i++) {
		char page[200];
		struct gm_promtext_reader r;
		struct gm_promtext_sample s = { 0 };
		struct gm_err err = { 0 };

		(void)snprintf(page, sizeof(page), "# comment\n%s\nnext 5\n", BAD[i].line);
		gm_promtext_reader_init(&r, gm_str(page), BAD[i].openmetrics);
		int rc = gm_promtext_next(&r, &s, &err);
		if (rc == 1) { /* what hides in the series is found when it is taken apart */
			GM_AUTO(gm_buf_fini_p) struct gm_buf scratch = { 0 };
			struct gm_promtext_label labels[GM_PROMTEXT_LABELS_MAX];
			struct gm_str name;
			size_t count;
			rc = gm_promtext_labels(s.series, &scratch, &name, labels, &count, &err);
			assert_int_equal(rc, GM_ERR_PARSE);
		} else {
			if (rc != GM_ERR_PARSE || !strstr(err.text, BAD[i].reason))
				fail_msg("%s: %d '%s'", BAD[i].line, rc, err.text);
			assert_string_equal(err.where, "line 2");
			assert_null(s.series.p);
		}
		assert_int_equal(gm_promtext_next(&r, &s, &err), 1);
		assert_true(gm_str_is(s.series, "next"));
		assert_int_equal(r.line, 3);
	}
}

static void test_promtext_skips_comments_and_empty_lines(void **state)
{
	struct gm_promtext_reader r;
	struct gm_promtext_sample s;
	struct gm_err err;

	(void)state;
	gm_promtext_reader_init(&r, GM_STR("# HELP a b\r\n# TYPE a gauge\r\n\r\n \t\n#\na 1\r\n# EOF\nb 2"), false);
	assert_int_equal(gm_promtext_next(&r, &s, &err), 1);
	assert_int_equal(r.line, 6);
	assert_true(gm_str_is(s.value, "1"));
	/* "# EOF" is a comment like others in 0.0.4. */
	assert_int_equal(gm_promtext_next(&r, &s, &err), 1);
	assert_true(gm_str_is(s.series, "b"));
	assert_int_equal(gm_promtext_next(&r, &s, &err), 0);
	assert_false(r.eof_seen);
	gm_promtext_reader_init(&r, GM_STR(""), false);
	assert_int_equal(gm_promtext_next(&r, &s, &err), 0);
}

static void test_promtext_openmetrics_ends_with_eof(void **state)
{
	struct gm_promtext_reader r;
	struct gm_promtext_sample s;
	struct gm_err err = { 0 };

	(void)state;
	gm_promtext_reader_init(&r, GM_STR("a 1\n# EOF\n"), true);
	assert_int_equal(gm_promtext_next(&r, &s, &err), 1);
	assert_int_equal(gm_promtext_next(&r, &s, &err), 0);
	assert_true(r.eof_seen);
	gm_promtext_reader_init(&r, GM_STR("# EOF\na 1\n"), true);
	assert_int_equal(gm_promtext_next(&r, &s, &err), GM_ERR_PARSE);
	assert_string_equal(err.where, "line 2");
	gm_promtext_reader_init(&r, GM_STR("a 1\n"), true);
	while (gm_promtext_next(&r, &s, &err) > 0)
		;
	assert_false(r.eof_seen);
}

static void test_promtext_limits_a_line(void **state)
{
	struct gm_buf page = { 0 };
	struct gm_promtext_reader r;
	struct gm_promtext_sample s;
	struct gm_err err = { 0 };

	(void)state;
	gm_buf_add_cstr(&page, "a{b=\"");
	while (page.n < GM_PROMTEXT_LINE_MAX - 4)
		gm_buf_add_char(&page, 'x');
	gm_buf_add_cstr(&page, "\"} 1\nb 2\n");
	gm_promtext_reader_init(&r, gm_buf_str(&page), false);
	assert_int_equal(gm_promtext_next(&r, &s, &err), 1);
	gm_buf_reset(&page);
	gm_buf_add_cstr(&page, "a{b=\"");
	while (page.n < GM_PROMTEXT_LINE_MAX - 3)
		gm_buf_add_char(&page, 'x');
	gm_buf_add_cstr(&page, "\"} 1\nb 2\n");
	gm_promtext_reader_init(&r, gm_buf_str(&page), false);
	assert_int_equal(gm_promtext_next(&r, &s, &err), GM_ERR_PARSE);
	assert_int_equal(gm_promtext_next(&r, &s, &err), 1);
	assert_true(gm_str_is(s.series, "b"));
	gm_buf_fini(&page);
}

struct apart {
	struct gm_buf scratch;
	struct gm_str name;
	struct gm_promtext_label labels[GM_PROMTEXT_LABELS_MAX];
	size_t count;
	struct gm_err err;
};

static int take_apart(struct apart *a, struct gm_str series)
{
	return gm_promtext_labels(series, &a->scratch, &a->name, a->labels, &a->count, &a->err);
}

static void test_promtext_takes_a_series_apart(void **state)
{
	struct apart a = { 0 };

	(void)state;
	assert_int_equal(
		take_apart(&a, GM_STR("DCGM_FI_DEV_GPU_TEMP{gpu=\"0\",UUID=\"GPU-1\",container=\"\",pod = \"p\" , }")),
		0);
	assert_true(gm_str_is(a.name, "DCGM_FI_DEV_GPU_TEMP"));
	assert_int_equal(a.count, 4);
	assert_true(gm_str_is(a.labels[0].name, "gpu"));
	assert_true(gm_str_is(a.labels[3].name, "pod"));
	assert_true(gm_str_is(gm_promtext_label(a.labels, a.count, "UUID"), "GPU-1"));
	assert_true(gm_str_is(gm_promtext_label(a.labels, a.count, "container"), ""));
	assert_true(gm_str_is(gm_promtext_label(a.labels, a.count, "pod"), "p"));
	assert_true(gm_str_is(gm_promtext_label(a.labels, a.count, "absent"), ""));
	assert_int_equal(a.scratch.n, 0); /* no escape, nothing copied */
	assert_int_equal(take_apart(&a, GM_STR("vllm:queue {}")), 0);
	assert_true(gm_str_is(a.name, "vllm:queue"));
	assert_int_equal(a.count, 0);
	gm_buf_fini(&a.scratch);
}

static void test_promtext_unescapes_values_that_stay_valid_together(void **state)
{
	struct apart a = { 0 };

	(void)state;
	assert_int_equal(take_apart(&a, GM_STR("a{x=\"1\\n2\",y=\"plain\",z=\"\\\\ \\\" \\t\",w=\"end\\\\\"}")), 0);
	assert_true(gm_str_is(a.labels[0].value, "1\n2"));
	assert_true(gm_str_is(a.labels[1].value, "plain"));
	assert_true(gm_str_is(a.labels[2].value, "\\ \" \\t"));
	assert_true(gm_str_is(a.labels[3].value, "end\\"));
	gm_buf_fini(&a.scratch);
}

static void test_promtext_refuses_a_malformed_series(void **state)
{
	static const char *const SERIES[] = {
		"",
		"{a=\"b\"}",
		"9a",
		"a{",
		"a{b}",
		"a{b=}",
		"a{b=c}",
		"a{b=\"c}",
		"a{b=\"c\"",
		"a{b=\"c\"}x",
		"a{b=\"c\"d=\"e\"}",
		"a{,}",
		"a{b=\"c\",,}",
		"a{1b=\"c\"}",
		"a{b:=\"c\"}",
		"a{\"b\"=\"c\"}",
		"a{b=\"\\",
		"a{b=\"\\\"}",
		"a}",
		"a 5 }",
		"a{b=\"\xff\"}",
		"a{b=\"c\"} 5 # {d=\"e\"}",
		"a{b=\"1\",c=\"2\",b=\"3\"}",
	};
	struct apart a = { 0 };

	(void)state;
	for (size_t i = 0; i < GM_LEN(SERIES); i++) {
		a.count = 77;
		if (take_apart(&a, gm_str(SERIES[i])) != GM_ERR_PARSE)
			fail_msg("'%s' was taken", SERIES[i]);
		assert_int_equal(a.count, 77);
	}
	gm_buf_fini(&a.scratch);
}

static void test_promtext_limits_and_compares_label_names(void **state)
{
	struct gm_buf series = { 0 };
	struct apart a = { 0 };

	(void)state;
	/* 64 names that share first letter, last letter and length: the quick proof against doubles cannot tell them apart. */
	gm_buf_add_cstr(&series, "a{");
	for (int i = 0; i < GM_PROMTEXT_LABELS_MAX; i++)
		gm_buf_addf(&series, "n%02dx=\"%d\",", i, i);
	size_t at = series.n;
	gm_buf_add_char(&series, '}');
	assert_int_equal(take_apart(&a, gm_buf_str(&series)), 0);
	assert_int_equal(a.count, GM_PROMTEXT_LABELS_MAX);
	assert_true(gm_str_is(a.labels[63].value, "63"));
	series.n = at;
	gm_buf_add_cstr(&series, "last=\"1\"}");
	assert_int_equal(take_apart(&a, gm_buf_str(&series)), GM_ERR_PARSE);
	assert_non_null(strstr(a.err.text, "64"));
	gm_buf_fini(&series);
	gm_buf_fini(&a.scratch);
}

static void write_page(struct gm_buf *out, enum gm_promtext_format format)
{
	struct gm_promtext_writer w;

	gm_promtext_writer_init(&w, out, format);
	gm_promtext_family(&w, "gpu_temperature", GM_PROMTEXT_GAUGE, "Core, \"hot\"\nor \\ not");
	gm_promtext_sample(&w, "");
	gm_promtext_add_label(&w, "device_id", GM_STR("a\"b\\c\nd"));
	gm_promtext_fixed(&w, 785, 1);
	gm_promtext_family(&w, "drops_total", GM_PROMTEXT_COUNTER, "Dropped");
	gm_promtext_sample(&w, "");
	gm_promtext_i64(&w, 17);
	gm_promtext_family(&w, "build_info", GM_PROMTEXT_INFO, "Build");
	gm_promtext_sample(&w, "");
	gm_promtext_add_label(&w, "version", GM_STR("1"));
	gm_promtext_add_label(&w, "commit", GM_STR("x\"y"));
	gm_promtext_i64(&w, 1);
	gm_promtext_family(&w, "lat_seconds", GM_PROMTEXT_HISTOGRAM, "Latency");
	gm_promtext_sample(&w, "_bucket");
	gm_promtext_add_label(&w, "le", GM_STR("+Inf"));
	gm_promtext_i64(&w, 3);
	gm_promtext_sample(&w, "_sum");
	gm_promtext_f64(&w, 0.25);
	gm_promtext_sample(&w, "_count");
	gm_promtext_f64(&w, NAN);
	gm_promtext_end(&w);
}

static void test_promtext_writes_004(void **state)
{
	struct gm_buf out = { 0 };

	(void)state;
	write_page(&out, GM_PROMTEXT_004);
	assert_string_equal(gm_buf_cstr(&out), "# HELP gpu_temperature Core, \"hot\"\\nor \\\\ not\n"
					       "# TYPE gpu_temperature gauge\n"
					       "gpu_temperature{device_id=\"a\\\"b\\\\c\\nd\"} 78.5\n"
					       "# HELP drops_total Dropped\n"
					       "# TYPE drops_total counter\n"
					       "drops_total 17\n"
					       "# HELP build_info Build\n"
					       "# TYPE build_info gauge\n"
					       "build_info{version=\"1\",commit=\"x\\\"y\"} 1\n"
					       "# HELP lat_seconds Latency\n"
					       "# TYPE lat_seconds histogram\n"
					       "lat_seconds_bucket{le=\"+Inf\"} 3\n"
					       "lat_seconds_sum 0.25\n"
					       "lat_seconds_count NaN\n");
	gm_buf_fini(&out);
}

static void test_promtext_writes_openmetrics(void **state)
{
	struct gm_buf out = { 0 };

	(void)state;
	write_page(&out, GM_PROMTEXT_OPENMETRICS);
	assert_string_equal(gm_buf_cstr(&out), "# HELP gpu_temperature Core, \\\"hot\\\"\\nor \\\\ not\n"
					       "# TYPE gpu_temperature gauge\n"
					       "gpu_temperature{device_id=\"a\\\"b\\\\c\\nd\"} 78.5\n"
					       "# HELP drops Dropped\n"
					       "# TYPE drops counter\n"
					       "drops_total 17\n"
					       "# HELP build Build\n"
					       "# TYPE build info\n"
					       "build_info{version=\"1\",commit=\"x\\\"y\"} 1\n"
					       "# HELP lat_seconds Latency\n"
					       "# TYPE lat_seconds histogram\n"
					       "lat_seconds_bucket{le=\"+Inf\"} 3\n"
					       "lat_seconds_sum 0.25\n"
					       "lat_seconds_count NaN\n"
					       "# EOF\n");
	gm_buf_fini(&out);
}

static void test_promtext_reads_what_it_writes(void **state)
{
	struct gm_buf out = { 0 };
	struct gm_promtext_reader r;
	struct gm_promtext_sample s;
	struct apart a = { 0 };
	double value = 0;

	(void)state;
	write_page(&out, GM_PROMTEXT_OPENMETRICS);
	gm_promtext_reader_init(&r, gm_buf_str(&out), true);
	assert_int_equal(gm_promtext_next(&r, &s, &a.err), 1);
	assert_int_equal(take_apart(&a, s.series), 0);
	assert_true(gm_str_is(gm_promtext_label(a.labels, a.count, "device_id"), "a\"b\\c\nd"));
	assert_true(gm_parse_f64(s.value, &value));
	assert_true(value > 78.49 && value < 78.51);
	for (int i = 0; i < 5; i++)
		assert_int_equal(gm_promtext_next(&r, &s, &a.err), 1);
	assert_int_equal(gm_promtext_next(&r, &s, &a.err), 0);
	assert_true(r.eof_seen);
	gm_buf_fini(&out);
	gm_buf_fini(&a.scratch);
}

static void test_promtext_knows_openmetrics_by_its_content_type(void **state)
{
	(void)state;
	assert_true(gm_promtext_is_openmetrics(GM_STR("application/openmetrics-text; version=1.0.0; charset=utf-8")));
	assert_true(gm_promtext_is_openmetrics(GM_STR("Application/OpenMetrics-Text")));
	assert_false(gm_promtext_is_openmetrics(GM_STR("text/plain; version=0.0.4")));
	assert_false(gm_promtext_is_openmetrics(GM_STR("application/openmetrics-textual")));
	assert_false(gm_promtext_is_openmetrics(GM_STR("")));
	for (int f = GM_PROMTEXT_004; f <= GM_PROMTEXT_OPENMETRICS; f++)
		assert_int_equal(gm_promtext_is_openmetrics(
					 gm_str(gm_promtext_content_type((enum gm_promtext_format)f))),
				 f == GM_PROMTEXT_OPENMETRICS);
}

static const struct {
	const char *accept;
	enum gm_promtext_format want;
} ACCEPTS[] = {
	{ "", GM_PROMTEXT_004 },
	{ "*/*", GM_PROMTEXT_004 },
	{ "text/html,application/xhtml+xml,*/*;q=0.8", GM_PROMTEXT_004 },
	{ "application/openmetrics-text", GM_PROMTEXT_OPENMETRICS },
	{ "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
	  "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
	  GM_PROMTEXT_OPENMETRICS },
	{ "application/openmetrics-text; version=1.0.0; q=0.2, text/plain; version=0.0.4; q=0.9", GM_PROMTEXT_004 },
	{ "application/openmetrics-text;version=2.0.0,text/plain;q=0.1", GM_PROMTEXT_004 },
	{ "application/openmetrics-text;q=0,*/*", GM_PROMTEXT_004 },
	{ "application/openmetrics-text,text/plain", GM_PROMTEXT_004 },
	{ "text/plain;q=0, */*;q=0.1", GM_PROMTEXT_OPENMETRICS },
	{ "application/openmetrics-text;q=junk", GM_PROMTEXT_OPENMETRICS },
	{ ",;,=;;", GM_PROMTEXT_004 },
};

static void test_promtext_negotiates_by_accept(void **state)
{
	(void)state;
	for (size_t i = 0; i < GM_LEN(ACCEPTS); i++)
		if (gm_promtext_negotiate(gm_str(ACCEPTS[i].accept)) != ACCEPTS[i].want)
			fail_msg("Accept: %s", ACCEPTS[i].accept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_promtext_cuts_a_line),
		cmocka_unit_test(test_promtext_refuses_a_malformed_line_and_goes_on),
		cmocka_unit_test(test_promtext_skips_comments_and_empty_lines),
		cmocka_unit_test(test_promtext_openmetrics_ends_with_eof),
		cmocka_unit_test(test_promtext_limits_a_line),
		cmocka_unit_test(test_promtext_takes_a_series_apart),
		cmocka_unit_test(test_promtext_unescapes_values_that_stay_valid_together),
		cmocka_unit_test(test_promtext_refuses_a_malformed_series),
		cmocka_unit_test(test_promtext_limits_and_compares_label_names),
		cmocka_unit_test(test_promtext_writes_004),
		cmocka_unit_test(test_promtext_writes_openmetrics),
		cmocka_unit_test(test_promtext_reads_what_it_writes),
		cmocka_unit_test(test_promtext_knows_openmetrics_by_its_content_type),
		cmocka_unit_test(test_promtext_negotiates_by_accept),
	};
	return cmocka_run_group_tests_name("promtext", tests, NULL, NULL);
}
