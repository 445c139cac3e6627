/* SPDX-License-Identifier: MIT */
/*
 * Reads a page both ways, takes every series apart, writes it again and reads that: names, labels and values must come
 * back. The first byte chooses 0.0.4 or OpenMetrics; the rest is the page, and an Accept header too.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/promtext.h"

#define NAME_MAX_BYTES 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct apart {
	struct gm_buf scratch;
	struct gm_str name;
	struct gm_promtext_label labels[GM_PROMTEXT_LABELS_MAX];
	size_t count;
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static bool within(struct gm_str part, struct gm_str whole)
{
	return part.p >= whole.p && part.p + part.n <= whole.p + whole.n;
}

static int take_apart(struct apart *a, struct gm_str series)
{
	struct gm_err err;

	gm_buf_reset(&a->scratch);
	return gm_promtext_labels(series, &a->scratch, &a->name, a->labels, &a->count, &err);
}

/* The writer takes names as C strings. */
static const char *name_text(struct gm_str name, char buf[static NAME_MAX_BYTES])
{
	return gm_str_copy(name, buf, NAME_MAX_BYTES) ? buf : NULL;
}

static bool write_again(const struct apart *a, struct gm_buf *out)
{
	struct gm_promtext_writer w;
	char family[NAME_MAX_BYTES], name[NAME_MAX_BYTES];

	if (!name_text(a->name, family))
		return false;
	gm_promtext_writer_init(&w, out, GM_PROMTEXT_OPENMETRICS);
	gm_promtext_family(&w, family, GM_PROMTEXT_GAUGE, "help");
	gm_promtext_sample(&w, "");
	for (size_t i = 0; i < a->count; i++) {
		if (!name_text(a->labels[i].name, name))
			return false;
		gm_promtext_add_label(&w, name, a->labels[i].value);
	}
	gm_promtext_i64(&w, 42);
	gm_promtext_end(&w);
	return true;
}

static void check_round_trip(const struct apart *a)
{
	struct gm_buf page = { 0 };
	struct gm_promtext_reader r;
	struct gm_promtext_sample s;
	struct apart b = { 0 };

	if (write_again(a, &page) && page.n < GM_PROMTEXT_LINE_MAX) {
		gm_promtext_reader_init(&r, gm_buf_str(&page), true);
		must(gm_promtext_next(&r, &s, NULL) == 1);
		must(gm_str_is(s.value, "42"));
		must(take_apart(&b, s.series) == 0);
		must(gm_str_eq(a->name, b.name) && a->count == b.count);
		for (size_t i = 0; i < a->count; i++) {
			must(gm_str_eq(a->labels[i].name, b.labels[i].name));
			must(gm_str_eq(a->labels[i].value, b.labels[i].value));
		}
		must(gm_promtext_next(&r, &s, NULL) == 0 && r.eof_seen);
	}
	gm_buf_fini(&page);
	gm_buf_fini(&b.scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct gm_str page = gm_str_n((const char *)data + 1, size - 1);
	struct gm_promtext_reader r;
	struct gm_promtext_sample s;
	struct gm_err err = { 0 };
	struct apart a = { 0 };
	size_t lines = 0;
	int rc;

	gm_promtext_reader_init(&r, page, (data[0] & 1) != 0);
	while ((rc = gm_promtext_next(&r, &s, &err)) != 0) {
		must(++lines <= page.n && r.line >= lines);
		if (rc < 0) {
			must(rc == GM_ERR_PARSE && err.where[0]);
			continue;
		}
		must(s.series.n > 0 && s.value.n > 0 && within(s.series, page) && within(s.value, page));
		if (take_apart(&a, s.series) == 0)
			check_round_trip(&a);
	}
	must(r.rest.n == 0);
	(void)gm_promtext_negotiate(page);
	(void)gm_promtext_is_openmetrics(page);
	gm_buf_fini(&a.scratch);
	return 0;
}
