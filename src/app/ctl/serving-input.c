/* SPDX-License-Identifier: MIT */
#include "app/ctl/serving-input.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/ctl/csv.h"
#include "base/alloc.h"
#include "base/buf.h"

#define SUFFIX GM_STR(".csv")
#define NAME_MAX_BYTES 64

/* The measurements: one file a model. */

enum { COLUMN_GPCS, COLUMN_BATCH, COLUMN_PROCESSES, COLUMN_THROUGHPUT, COLUMN_LATENCY, COLUMN_COUNT };
static const struct {
	const char *name;
	unsigned decimals;
	int64_t min, max;
} COLUMNS[] = {
	[COLUMN_GPCS] = { "Mig instance", 0, 1, 64 },
	[COLUMN_BATCH] = { "Batch size", 0, 1, 1 << 20 },
	[COLUMN_PROCESSES] = { "Workload Number", 0, 1, GM_SERVE_PROCESSES_MAX },
	[COLUMN_THROUGHPUT] = { "Throughput", 3, 0, GM_SERVE_THROUGHPUT_MAX_MILLI },
	[COLUMN_LATENCY] = { "Latency", 6, 0, INT64_C(1000000000000) },
};

static int read_header(struct gm_csv *csv, int columns[static COLUMN_COUNT], struct gm_err *err)
{
	int rc = gm_csv_next(csv, err);

	if (rc < 0)
		return rc;
	if (rc == 0)
		return gm_csv_fail(csv, -1, err, "the file is empty");
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		columns[i] = gm_csv_column(csv, COLUMNS[i].name);
		if (columns[i] < 0)
			return gm_csv_fail(csv, -1, err, "there is no column '%s'", COLUMNS[i].name);
	}
	return 0;
}

static int read_point(const struct gm_csv *csv, const int columns[static COLUMN_COUNT], struct gm_serve_point *out,
		      struct gm_err *err)
{
	int64_t v[COLUMN_COUNT];

	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		int rc = gm_csv_fixed(csv, columns[i], COLUMNS[i].name, COLUMNS[i].decimals, COLUMNS[i].min,
				      COLUMNS[i].max, &v[i], err);

		if (rc < 0)
			return rc;
	}
	*out = (struct gm_serve_point){ .gpcs = (int)v[COLUMN_GPCS],
					.batch = (int)v[COLUMN_BATCH],
					.processes = (int)v[COLUMN_PROCESSES],
					.throughput_milli = v[COLUMN_THROUGHPUT],
					.latency_us = v[COLUMN_LATENCY] };
	return 0;
}

static int read_profile(const char *path, struct gm_ctl_serving_profile *profile, struct gm_err *err)
{
	GM_AUTO(gm_csv_close_p) struct gm_csv csv = { 0 };
	int columns[COLUMN_COUNT] = { 0 };
	int rc = gm_csv_open(path, &csv, err);

	if (rc == 0)
		rc = read_header(&csv, columns, err);
	if (rc < 0)
		return rc;
	while ((rc = gm_csv_next(&csv, err)) > 0) {
		struct gm_serve_point point;

		if (profile->points.count == GM_SERVE_POINTS_MAX)
			return gm_csv_fail(&csv, -1, err, "more than %d measurements", GM_SERVE_POINTS_MAX);
		rc = read_point(&csv, columns, &point, err);
		if (rc < 0)
			return rc;
		gm_vec_push(&profile->points, point);
	}
	return rc;
}

static int compare_profiles(const void *a, const void *b)
{
	const struct gm_ctl_serving_profile *x = a, *y = b;

	return strcmp(x->model, y->model);
}

static void close_directory(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

static int list_profiles(const char *dir, struct gm_ctl_serving_input *in, struct gm_err *err)
{
	GM_AUTO(close_directory) DIR *d = opendir(dir);
	const struct dirent *entry;

	if (!d)
		return gm_fail_at(err, GM_ERR_IO, dir, "cannot be read: %s", strerrordesc_np(errno));
	while ((entry = readdir(d)) != NULL) {
		struct gm_str name = gm_str(entry->d_name);

		if (name.p[0] == '.' || !gm_str_ends(name, SUFFIX))
			continue;
		name.n -= SUFFIX.n;
		if (!gm_str_plain_ok(name) || name.n > NAME_MAX_BYTES)
			return gm_fail_at(err, GM_ERR_PARSE, dir,
					  "a file name that is no model name of at most %d bytes", NAME_MAX_BYTES);
		if (in->profiles.count == GM_SERVE_DEMANDS_MAX)
			return gm_fail_at(err, GM_ERR_TOO_LARGE, dir, "holds more than %d models",
					  GM_SERVE_DEMANDS_MAX);
		gm_vec_add(&in->profiles)->model = gm_str_dup(name);
	}
	if (!in->profiles.count)
		return gm_fail_at(err, GM_ERR_NOT_FOUND, dir, "holds no .csv file: one a model is expected");
	qsort(in->profiles.items, in->profiles.count, sizeof(*in->profiles.items), compare_profiles);
	return 0;
}

static int read_profiles(const char *dir, struct gm_ctl_serving_input *in, struct gm_err *err)
{
	int rc = list_profiles(dir, in, err);

	for (size_t i = 0; i < in->profiles.count && rc == 0; i++) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf path = { 0 };

		gm_buf_addf(&path, "%s/%s.csv", dir, in->profiles.items[i].model);
		rc = read_profile(gm_buf_cstr(&path), &in->profiles.items[i], err);
	}
	return rc;
}

/*
 * Rates and latency limits: one row a scenario, one column a model. With a header the columns are the models it names, else
 * all models in alphabetical order; a row's first field may be its name. Rows without names are the published four, S1, S2,
 * S3 and S5, when they are four, else S1, S2, S3 and so on.
 */
static const char *const PUBLISHED[] = { "S1", "S2", "S3", "S5" };

#define ABSENT (-1)
struct row {
	char name[NAME_MAX_BYTES + 1];
	size_t line;
	int64_t values[GM_SERVE_DEMANDS_MAX]; /* by profile; ABSENT: the scenario does without the model */
};
struct table {
	const char *path, *what;
	GM_VEC(struct row) rows;
	int models[GM_CSV_FIELDS_MAX]; /* of each column, the name's column left out */
	size_t columns;
};

static void table_fini(struct table *t)
{
	gm_vec_fini(&t->rows);
}
GM_DEFINE_AUTO_VALUE(struct table, table_fini)

static bool is_name(struct gm_str field)
{
	struct gm_str s = gm_str_trim(field);

	return s.n > 0 && !(s.p[0] >= '0' && s.p[0] <= '9') && s.p[0] != '-' && s.p[0] != '+' && s.p[0] != '.' &&
	       !gm_str_ieq(s, GM_STR("N/A"));
}

static int find_model(const struct gm_ctl_serving_input *in, struct gm_str name)
{
	for (size_t i = 0; i < in->profiles.count; i++)
		if (gm_str_is(name, in->profiles.items[i].model))
			return (int)i;
	return -1;
}

/* The header's columns; the first may stand over the names of the rows. */
static int take_header(const struct gm_csv *csv, const struct gm_ctl_serving_input *in, struct table *t,
		       struct gm_err *err)
{
	bool seen[GM_SERVE_DEMANDS_MAX] = { false };

	for (size_t i = 0; i < csv->field_count; i++) {
		struct gm_str name = gm_str_trim(csv->fields[i]);
		int model = find_model(in, name);

		if (model < 0 && i == 0)
			continue;
		if (model < 0)
			return gm_csv_fail(csv, (int)i, err, "there are no measurements of this model");
		if (seen[model])
			return gm_csv_fail(csv, (int)i, err, "model '%s' has a second column",
					   in->profiles.items[model].model);
		seen[model] = true;
		t->models[t->columns++] = model;
	}
	return 0;
}

static int take_row(const struct gm_csv *csv, const struct gm_ctl_serving_input *in, struct table *t,
		    struct gm_err *err)
{
	bool named = is_name(csv->fields[0]);
	struct row *row;

	if (t->rows.count == GM_CTL_SCENARIOS_MAX)
		return gm_csv_fail(csv, -1, err, "more than %d scenarios", GM_CTL_SCENARIOS_MAX);
	if (csv->field_count != t->columns + named)
		return gm_csv_fail(csv, -1, err, "%zu values, but there are %zu models", csv->field_count - named,
				   t->columns);
	row = gm_vec_add(&t->rows);
	row->line = csv->line;
	if (named && !gm_str_copy(gm_str_trim(csv->fields[0]), row->name, sizeof(row->name)))
		return gm_csv_fail(csv, 0, err, "a name of more than %d bytes", NAME_MAX_BYTES);
	for (size_t i = 0; i < in->profiles.count; i++)
		row->values[i] = ABSENT;
	for (size_t i = 0; i < t->columns; i++) {
		int field = (int)(i + named);
		int rc;

		if (gm_str_ieq(gm_str_trim(csv->fields[field]), GM_STR("N/A")))
			continue;
		rc = gm_csv_fixed(csv, field, t->what, 3, 1, GM_SERVE_THROUGHPUT_MAX_MILLI, &row->values[t->models[i]],
				  err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Two names or more: in a row of values only the first field may be one. */
static bool is_header(const struct gm_csv *csv)
{
	size_t names = 0;

	for (size_t i = 0; i < csv->field_count; i++)
		names += is_name(csv->fields[i]);
	return names > 1 || (names == 1 && csv->field_count == 1);
}

static int read_table(const char *path, const struct gm_ctl_serving_input *in, struct table *t, struct gm_err *err)
{
	GM_AUTO(gm_csv_close_p) struct gm_csv csv = { 0 };
	int rc = gm_csv_open(path, &csv, err);
	bool header = true;

	t->path = path;
	if (rc < 0)
		return rc;
	while ((rc = gm_csv_next(&csv, err)) > 0) {
		if (header && is_header(&csv)) {
			rc = take_header(&csv, in, t, err);
		} else {
			for (size_t i = 0; header && i < in->profiles.count; i++)
				t->models[t->columns++] = (int)i;
			rc = take_row(&csv, in, t, err);
		}
		header = false;
		if (rc < 0)
			return rc;
	}
	for (size_t i = 0; i < t->rows.count; i++) {
		struct row *row = &t->rows.items[i];

		if (!row->name[0] && t->rows.count == GM_LEN(PUBLISHED))
			(void)snprintf(row->name, sizeof(row->name), "%s", PUBLISHED[i]);
		else if (!row->name[0])
			(void)snprintf(row->name, sizeof(row->name), "S%zu", i + 1);
	}
	return rc;
}

static int find_row(const struct table *t, const char *scenario, const struct row **out, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf names = { 0 };

	for (size_t i = 0; i < t->rows.count; i++) {
		if (strcmp(t->rows.items[i].name, scenario) == 0) {
			*out = &t->rows.items[i];
			return 0;
		}
		gm_buf_addf(&names, "%s%s", i ? ", " : "", t->rows.items[i].name);
	}
	return gm_fail_at(err, GM_ERR_NOT_FOUND, t->path, "has no scenario '%.40s'; it has %s", scenario,
			  names.n ? gm_buf_cstr(&names) : "none");
}

static int join(const struct table *rates, const struct table *latencies, const char *scenario,
		struct gm_ctl_serving_input *in, struct gm_err *err)
{
	const struct row *rate = NULL, *latency = NULL;
	int rc = find_row(rates, scenario, &rate, err);

	if (rc == 0)
		rc = find_row(latencies, scenario, &latency, err);
	for (size_t i = 0; i < in->profiles.count && rc == 0; i++) {
		const struct gm_ctl_serving_profile *p = &in->profiles.items[i];
		struct gm_serve_demand demand = { p->model, rate->values[i], latency->values[i], p->points.items,
						  p->points.count };
		bool no_rate = demand.rate_milli == ABSENT, no_limit = demand.slo_us == ABSENT;

		if (no_rate && no_limit)
			continue;
		if (no_rate || no_limit)
			return gm_fail(err, GM_ERR_PARSE,
				       "model '%s' has %s in line %zu of %s, but %s in line %zu of %s", p->model,
				       no_rate ? "no rate" : "a rate", rate->line, rates->path,
				       no_limit ? "no latency limit" : "a latency limit", latency->line,
				       latencies->path);
		gm_vec_push(&in->demands, demand);
	}
	if (rc == 0 && !in->demands.count)
		return gm_fail_at(err, GM_ERR_PARSE, rates->path, "scenario '%.40s' asks for no model", scenario);
	return rc;
}

int gm_ctl_serving_read(const char *profiles, const char *rates, const char *latencies, const char *scenario,
			struct gm_ctl_serving_input *out, struct gm_err *err)
{
	GM_AUTO(gm_ctl_serving_input_fini_p) struct gm_ctl_serving_input in = { 0 };
	GM_AUTO(table_fini_p) struct table rate_table = { .what = "the rate" };
	GM_AUTO(table_fini_p) struct table latency_table = { .what = "the latency limit" };
	int rc = read_profiles(profiles, &in, err);

	if (rc == 0)
		rc = read_table(rates, &in, &rate_table, err);
	if (rc == 0)
		rc = read_table(latencies, &in, &latency_table, err);
	if (rc == 0)
		rc = join(&rate_table, &latency_table, scenario, &in, err);
	if (rc < 0)
		return rc;
	*out = in;
	in = (struct gm_ctl_serving_input){ 0 };
	return 0;
}

void gm_ctl_serving_input_fini(struct gm_ctl_serving_input *in)
{
	gm_vec_each (&in->profiles, p) {
		free(p->model);
		gm_vec_fini(&p->points);
	}
	gm_vec_fini(&in->profiles);
	gm_vec_fini(&in->demands);
}
