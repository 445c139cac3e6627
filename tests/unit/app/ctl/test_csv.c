/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/ctl/csv.h"

static struct gm_csv csv;

static void open_text(const char *text)
{
	assert_int_equal(gm_csv_open_text("x.csv", gm_str(text), &csv, NULL), 0);
}

static void expect_line(size_t line, size_t count, const char *const *fields)
{
	assert_int_equal(gm_csv_next(&csv, NULL), 1);
	assert_int_equal(csv.line, line);
	assert_int_equal(csv.field_count, count);
	for (size_t i = 0; i < count; i++)
		assert_true(gm_str_is(csv.fields[i], fields[i]));
}

static void test_lines_are_split_into_fields(void **state)
{
	(void)state;
	open_text("\xef\xbb\xbf"
		  "a,b c,\r\n\n   \n,2\nlast");
	expect_line(1, 3, (const char *[]){ "a", "b c", "" });
	expect_line(4, 2, (const char *[]){ "", "2" });
	expect_line(5, 1, (const char *[]){ "last" });
	assert_int_equal(gm_csv_next(&csv, NULL), 0);
	assert_int_equal(gm_csv_next(&csv, NULL), 0);
	gm_csv_close(&csv);
	open_text("");
	assert_int_equal(gm_csv_next(&csv, NULL), 0);
	gm_csv_close(&csv);
}

static void test_limits_are_errors(void **state)
{
	struct gm_err err = { 0 };
	size_t size = (size_t)GM_CSV_BYTES_MAX + 1;
	char *text = malloc(size);

	(void)state;
	assert_non_null(text);
	memset(text, ',', size);
	assert_int_equal(gm_csv_open_text("x.csv", gm_str_n(text, GM_CSV_FIELDS_MAX), &csv, NULL), 0);
	assert_int_equal(gm_csv_next(&csv, &err), GM_ERR_PARSE);
	assert_string_equal(err.where, "x.csv:1");
	gm_csv_close(&csv);
	assert_int_equal(gm_csv_open_text("x.csv", gm_str_n(text, GM_CSV_FIELDS_MAX - 1), &csv, NULL), 0);
	assert_int_equal(gm_csv_next(&csv, NULL), 1);
	assert_int_equal(csv.field_count, GM_CSV_FIELDS_MAX);
	gm_csv_close(&csv);
	assert_int_equal(gm_csv_open_text("x.csv", gm_str_n(text, size), &csv, &err), GM_ERR_TOO_LARGE);
	assert_string_equal(err.where, "x.csv");
	text[1] = '\0';
	assert_int_equal(gm_csv_open_text("x.csv", gm_str_n(text, 4), &csv, NULL), GM_ERR_PARSE);
	free(text);
}

static void test_numbers_are_checked_and_named(void **state)
{
	struct gm_err err = { 0 };
	int64_t v = 99;

	(void)state;
	open_text("Rate, Batch Size \n 12.5 ,7,1e3,\x1b[2J\n1,2\n");
	assert_int_equal(gm_csv_next(&csv, NULL), 1);
	assert_int_equal(gm_csv_column(&csv, "Batch Size"), 1);
	assert_int_equal(gm_csv_column(&csv, "other"), -1);
	assert_int_equal(gm_csv_next(&csv, NULL), 1);
	assert_int_equal(gm_csv_fixed(&csv, 0, "the rate", 3, 0, 20000, &v, &err), 0);
	assert_int_equal(v, 12500);
	assert_int_equal(gm_csv_fixed(&csv, 1, "the batch", 0, 1, 7, &v, &err), 0);
	assert_int_equal(v, 7);
	assert_int_equal(gm_csv_fixed(&csv, 1, "the batch", 0, 1, 6, &v, &err), GM_ERR_PARSE);
	assert_string_equal(err.where, "x.csv:2:8");
	assert_string_equal(err.text, "the batch '7' is no whole number from 1 to 6");
	assert_int_equal(gm_csv_fixed(&csv, 0, "the rate", 3, 0, 12000, &v, &err), GM_ERR_PARSE);
	assert_string_equal(err.text, "the rate '12.5' is no number from 0 to 12");
	assert_int_equal(gm_csv_fixed(&csv, 0, "the batch", 0, 1, 20, &v, &err), GM_ERR_PARSE);
	/* What a file says never reaches a terminal as it is. */
	assert_int_equal(gm_csv_fixed(&csv, 3, "the rate", 3, 0, 1, &v, &err), GM_ERR_PARSE);
	assert_null(strchr(err.text, '\x1b'));
	/* A row that is too short: nothing of the row before it is read. */
	assert_int_equal(gm_csv_next(&csv, NULL), 1);
	assert_int_equal(gm_csv_fixed(&csv, 2, "the batch", 0, 1, 7, &v, &err), GM_ERR_PARSE);
	assert_string_equal(err.where, "x.csv:3");
	assert_int_equal(v, 7);
	gm_csv_close(&csv);
}

static void test_missing_files_and_folders_are_refused(void **state)
{
	struct gm_err err = { 0 };

	(void)state;
	assert_int_equal(gm_csv_open("/nonexistent/x.csv", &csv, &err), GM_ERR_NOT_FOUND);
	assert_string_equal(err.where, "/nonexistent/x.csv");
	assert_true(gm_csv_open("/", &csv, &err) < 0);
	assert_string_equal(err.where, "/");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_are_split_into_fields),
		cmocka_unit_test(test_limits_are_errors),
		cmocka_unit_test(test_numbers_are_checked_and_named),
		cmocka_unit_test(test_missing_files_and_folders_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
