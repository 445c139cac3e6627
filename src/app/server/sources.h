/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_SERVER_SOURCES_H
#define GM_APP_SERVER_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/server/facts.h"
#include "base/clock.h"
#include "base/json.h"
#include "core/fleet/page.h"

/*
 * Where pages come from: scraped targets, and the simulated cluster when the settings ask for one. Driven by the
 * collector's thread; the lists may be asked for by any.
 */
struct gm_sources;

struct gm_source_counts {
	uint32_t total, up, down;
	bool simulated;
	uint64_t scrapes, failures, duration_ms, late;
};

/* `sink` and `clock` outlive it. `removed` is called with sink->ctx for each target that a later list leaves out. */
int gm_sources_new(const struct gm_facts *facts, const struct gm_page_sink *sink,
		   void (*removed)(void *ctx, struct gm_str target), const struct gm_clock *clock,
		   struct gm_sources **out, struct gm_err *err) GM_CHECKED;
void gm_sources_free(struct gm_sources *s);
/* Takes over the targets of these settings, and those of the targets file. On failure nothing changes. */
int gm_sources_reload(struct gm_sources *s, const struct gm_facts *facts, struct gm_err *err) GM_CHECKED;

/* To be polled for reading. */
int gm_sources_fd(const struct gm_sources *s);
/* Does what is due; returns the monotonic time of what is due next. */
int64_t gm_sources_step(struct gm_sources *s, int64_t now_mono_ms);

/* Any thread. */
void gm_sources_counts(struct gm_sources *s, struct gm_source_counts *out);
/* The items of GET /scrape/targets behind `after` (empty: from the beginning), at most `limit`, by rising URL; when more
 * follow, the last URL written goes to *out_last. */
void gm_sources_write(struct gm_sources *s, struct gm_json *w, struct gm_str after, size_t limit,
		      struct gm_buf *out_last);

GM_DEFINE_AUTO(struct gm_sources, gm_sources_free)

#endif
