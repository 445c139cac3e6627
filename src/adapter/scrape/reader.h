/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_SCRAPE_READER_H
#define GM_ADAPTER_SCRAPE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "core/fleet/page.h"

/*
 * Exporter text to a gm_page. Two kinds of page are known: dcgm-exporter's in all its forms, and our agent's
 * (agent-format.h); on a page that carries both, the exporter's families are left out.
 *
 * What a series is about is learnt once: the cache of a target keeps a hash of each line's series and what it resolves to
 * (16 bytes a line, and the devices' facts). A page whose series are the ones of last time, in whatever order, costs
 * hashing and number parsing; any other page is learnt anew.
 */

/* Scratch of one thread: the arrays a page points into. */
struct gm_page_reader;
struct gm_page_reader *gm_page_reader_new(void);
void gm_page_reader_free(struct gm_page_reader *r);

/* What is remembered of one target; NULL is an empty one. */
struct gm_page_cache;
void gm_page_cache_free(struct gm_page_cache *cache);
size_t gm_page_cache_bytes(const struct gm_page_cache *cache);

/* Beside those of core/fleet/page.h. */
#define GM_PAGE_PODS_MAX 4096	/* a page */
#define GM_PAGE_LINES_MAX 65536 /* of the known families; others cost nothing and do not count */
#define GM_PAGE_BAD_LINES_MAX 100

struct gm_page_read {
	/* All strings and arrays live until the next read with this reader or cache. target, cluster, interval_ms: not set. */
	struct gm_page page;
	uint32_t samples;   /* values, those that say "not measured" too */
	uint32_t bad_lines; /* malformed, left out */
	struct gm_err bad;  /* the first of them */
	bool learnt;	    /* the page was not as last time */
};

/*
 * Reads a page taken at `at_ms`. `page.node` is the page's own host name, or empty. Replaces *cache when it learns.
 * GM_ERR_PARSE: no known family on the page, or too many malformed lines; GM_ERR_TOO_LARGE: past one of the limits above.
 */
int gm_page_read(struct gm_page_reader *r, struct gm_page_cache **cache, struct gm_str body, bool openmetrics,
		 int64_t at_ms, struct gm_page_read *out, struct gm_err *err) GM_CHECKED;

GM_DEFINE_AUTO(struct gm_page_reader, gm_page_reader_free)
GM_DEFINE_AUTO(struct gm_page_cache, gm_page_cache_free)

#endif
