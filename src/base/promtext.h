/* SPDX-License-Identifier: MIT */
#ifndef GM_BASE_PROMTEXT_H
#define GM_BASE_PROMTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/*
 * Prometheus text 0.0.4 and OpenMetrics 1.0.
 *
 * Reading is two steps, so that a page seen before costs little: gm_promtext_next cuts one sample line into the series
 * (name and labels as they stand), the value and the timestamp; gm_promtext_labels takes a series apart. Both borrow
 * from the page. A malformed line is an error with its line number; the reader can go on with the next line.
 * Limits: GM_PROMTEXT_LINE_MAX bytes a line, GM_PROMTEXT_LABELS_MAX labels a series.
 */
#define GM_PROMTEXT_LINE_MAX (64 * 1024)
#define GM_PROMTEXT_LABELS_MAX 64

struct gm_promtext_reader {
	struct gm_str rest;
	size_t line;	  /* number of the line last read, from 1 */
	bool openmetrics; /* exemplars, "# EOF", timestamps in seconds */
	bool eof_seen;
};

struct gm_promtext_sample {
	struct gm_str series; /* `name{a="b",...}` or `name`, exactly as it stands, without trailing blanks */
	struct gm_str value;  /* the number as text; gm_parse_f64 or gm_parse_fixed reads it */
	int64_t at_ms;	      /* the line's own timestamp; INT64_MIN when it has none */
};

struct gm_promtext_label {
	struct gm_str name;
	struct gm_str value; /* unescaped when gm_promtext_labels says so, else as it stands */
};

void gm_promtext_reader_init(struct gm_promtext_reader *r, struct gm_str page, bool openmetrics);
/*
 * 1: *out is a sample; 0: end of the page; negative: this line is malformed (GM_ERR_PARSE, where = "line N").
 * What stands between the braces is only looked at by gm_promtext_labels: a line is well formed when both accept it.
 */
int gm_promtext_next(struct gm_promtext_reader *r, struct gm_promtext_sample *out, struct gm_err *err);
/*
 * Takes a series apart: the name, and its labels in their order. Values with escapes are unescaped into `scratch`
 * (which the caller resets; it may move, so such values last until the next call with it); others are views of the
 * series. Duplicate label names are an error.
 */
int gm_promtext_labels(struct gm_str series, struct gm_buf *scratch, struct gm_str *out_name,
		       struct gm_promtext_label out[static GM_PROMTEXT_LABELS_MAX], size_t *out_count,
		       struct gm_err *err) GM_CHECKED;
/* The value of a label, or the empty string ("" equals absent in Prometheus). */
struct gm_str gm_promtext_label(const struct gm_promtext_label *labels, size_t count, const char *name);

/* By the answer's Content-Type: true for "application/openmetrics-text...", false for "text/plain..." and the rest. */
bool gm_promtext_is_openmetrics(struct gm_str content_type);

/* Writing. One family at a time, its samples behind it; names and labels are checked by assert (they are ours). */
enum gm_promtext_format { GM_PROMTEXT_004, GM_PROMTEXT_OPENMETRICS };
enum gm_promtext_type {
	GM_PROMTEXT_GAUGE,
	GM_PROMTEXT_COUNTER, /* give the name with _total: OpenMetrics' family name is made from it */
	GM_PROMTEXT_HISTOGRAM,
	GM_PROMTEXT_INFO, /* give the name with _info; a gauge in 0.0.4 */
};

struct gm_promtext_writer {
	struct gm_buf *out;
	enum gm_promtext_format format;
	const char *name;
	enum gm_promtext_type type;
	bool in_labels;
};

void gm_promtext_writer_init(struct gm_promtext_writer *w, struct gm_buf *out, enum gm_promtext_format format);
void gm_promtext_family(struct gm_promtext_writer *w, const char *name, enum gm_promtext_type type, const char *help);
/* name + suffix ("" for most; "_bucket", "_sum", "_count" of a histogram), then labels, then one of the values. */
void gm_promtext_sample(struct gm_promtext_writer *w, const char *suffix);
void gm_promtext_add_label(struct gm_promtext_writer *w, const char *name, struct gm_str value);
void gm_promtext_f64(struct gm_promtext_writer *w, double v);
void gm_promtext_i64(struct gm_promtext_writer *w, int64_t v);
/* value / 10^decimals */
void gm_promtext_fixed(struct gm_promtext_writer *w, int64_t value, unsigned decimals);
/* "# EOF" of OpenMetrics. */
void gm_promtext_end(struct gm_promtext_writer *w);
/* The answer's Content-Type. */
const char *gm_promtext_content_type(enum gm_promtext_format format);
/* Chooses by the request's Accept header, q-values honoured; 0.0.4 when in doubt. */
enum gm_promtext_format gm_promtext_negotiate(struct gm_str accept);

#endif
