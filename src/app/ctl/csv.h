/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_CTL_CSV_H
#define GM_APP_CTL_CSV_H

#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"

/*
 * A comma-separated file, read whole. No quotes: a field ends at the comma. Blank lines are skipped, CR LF is a line's
 * end. Whether the first row names the columns is the caller's to know. Errors say file, line and column.
 */
#define GM_CSV_BYTES_MAX (64 * 1024 * 1024)
#define GM_CSV_FIELDS_MAX 256

struct gm_csv {
	const char *path; /* borrowed */
	char *text;
	struct gm_str rest;
	struct gm_str row; /* at hand */
	uint64_t line;	   /* of the row at hand, from 1 */
	size_t field_count;
	struct gm_str fields[GM_CSV_FIELDS_MAX]; /* into the text */
};

/* On success closed with gm_csv_close. The path outlives it. */
int gm_csv_open(const char *path, struct gm_csv *out, struct gm_err *err) GM_CHECKED;
/* The same from memory; the bytes are copied. */
int gm_csv_open_text(const char *name, struct gm_str text, struct gm_csv *out, struct gm_err *err) GM_CHECKED;
void gm_csv_close(struct gm_csv *c);
/* 1: a row is at hand; 0: the end. */
int gm_csv_next(struct gm_csv *c, struct gm_err *err) GM_CHECKED;
/* The field of the row at hand that is this name, blanks around it aside; -1: none. */
int gm_csv_column(const struct gm_csv *c, const char *name);
/*
 * A decimal number times 10^decimals; the limits are those of the result. `what` names it in the failure. A row may be too
 * short for the field: a failure too.
 */
int gm_csv_fixed(const struct gm_csv *c, int field, const char *what, unsigned decimals, int64_t min, int64_t max,
		 int64_t *out, struct gm_err *err) GM_CHECKED;
/* A PARSE failure at the row at hand; field -1: the row as a whole. */
int gm_csv_fail(const struct gm_csv *c, int field, struct gm_err *err, const char *fmt, ...) GM_PRINTF(4, 5);

GM_DEFINE_AUTO_VALUE(struct gm_csv, gm_csv_close)

#endif
