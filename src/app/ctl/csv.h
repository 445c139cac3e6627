/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_CTL_CSV_H
#define GM_APP_CTL_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"

/*
 * A comma-separated file with a line of column names, read whole. No quotes: a field ends at the comma. Blank lines are
 * skipped, CR LF is a line's end. Errors name file and line.
 */
#define GM_CTL_CSV_BYTES_MAX (64 * 1024 * 1024)
#define GM_CTL_CSV_COLUMNS_MAX 256

struct gm_ctl_csv {
	const char *path; /* borrowed */
	char *text;
	struct gm_str rest;
	uint64_t line; /* of the row at hand, from 1 */
	size_t column_count;
	struct gm_str *names, *fields; /* [column_count] */
};

/* On success closed with gm_ctl_csv_close. The path outlives it. */
int gm_ctl_csv_open(const char *path, struct gm_ctl_csv *out, struct gm_err *err) GM_CHECKED;
void gm_ctl_csv_close(struct gm_ctl_csv *c);
/* The column's number; SIZE_MAX: there is none. */
size_t gm_ctl_csv_find(const struct gm_ctl_csv *c, const char *name);
/* The same, a failure when there is none. */
int gm_ctl_csv_column(const struct gm_ctl_csv *c, const char *name, size_t *out, struct gm_err *err) GM_CHECKED;
/* 1: a row is in `fields`; 0: the end; or a failure: too few or too many fields. */
int gm_ctl_csv_next(struct gm_ctl_csv *c, struct gm_err *err) GM_CHECKED;
/* A whole number of the row at hand. */
int gm_ctl_csv_u64(const struct gm_ctl_csv *c, size_t column, uint64_t min, uint64_t max, uint64_t *out,
		   struct gm_err *err) GM_CHECKED;
/* A failure at the row at hand. */
int gm_ctl_csv_fail(const struct gm_ctl_csv *c, struct gm_err *err, int code, const char *fmt, ...) GM_PRINTF(4, 5);

GM_DEFINE_AUTO_VALUE(struct gm_ctl_csv, gm_ctl_csv_close)

#endif
