/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_SCRAPE_SCRAPER_H
#define GM_ADAPTER_SCRAPE_SCRAPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "core/fleet/page.h"

/*
 * Asks targets for their pages, each at its own even distances, and delivers them to a sink. One thread owns a scraper:
 * it polls gm_scraper_fd and calls gm_scraper_step; the sink is called from within the step. gm_scraper_list and
 * gm_scraper_stats may be called from any thread.
 *
 * Targets that hung the last time, and new ones, share half of the requests in flight, so that the others stay on time.
 */
struct gm_scraper;

/* Files a target wants of us; NULL: as gm_scrape_conf says. */
struct gm_scrape_access {
	const char *bearer_file, *ca_file, *cert_file, *key_file;
};

struct gm_scrape_conf {
	struct gm_str cluster;
	int64_t interval_ms;
	int64_t timeout_ms;   /* of one scrape; not longer than its target's interval */
	size_t page_max;      /* bytes; 0: 32 MiB */
	size_t in_flight_max; /* 0: 128; taken at gm_scraper_new only */
	bool one_at_a_time;
	bool no_gzip;  /* taken at gm_scraper_new only */
	bool insecure; /* believe any certificate */
	struct gm_scrape_access access;
};

struct gm_scrape_target {
	struct gm_str url;     /* its key; without a path: /metrics */
	struct gm_str node;    /* empty: the page's own host name, else the URL's */
	struct gm_str cluster; /* empty: the configuration's */
	int64_t interval_ms;   /* 0: the configuration's */
	struct gm_scrape_access access;
};

/*
 * Without targets. `sink` and `clock` are borrowed for the scraper's life; `removed` (may be NULL) is called with sink->ctx for
 * each target that a later list leaves out.
 */
int gm_scraper_new(const struct gm_scrape_conf *conf, const struct gm_page_sink *sink,
		   void (*removed)(void *ctx, struct gm_str target), const struct gm_clock *clock,
		   struct gm_scraper **out, struct gm_err *err) GM_CHECKED;
void gm_scraper_free(struct gm_scraper *s);
/*
 * Puts a configuration and a list in force, all copied. Targets that were there before keep their state and history; new
 * ones are asked soon. GM_ERR_INVALID (a URL that is none, or one twice): nothing changes, err->where has the URL.
 */
int gm_scraper_set(struct gm_scraper *s, const struct gm_scrape_conf *conf, const struct gm_scrape_target *targets,
		   size_t count, struct gm_err *err) GM_CHECKED;

/* Readable when a step has something to do. */
int gm_scraper_fd(const struct gm_scraper *s);
/* Does what is due at this monotonic time; returns the time by which the next step is wanted (INT64_MAX: none). */
int64_t gm_scraper_step(struct gm_scraper *s, int64_t now_mono_ms);

enum gm_target_state { GM_TARGET_PENDING, GM_TARGET_UP, GM_TARGET_DOWN, GM_TARGET_STATE_COUNT };
const char *gm_target_state_name(enum gm_target_state state); /* "pending", "up", "down" */

struct gm_target_status {
	const char *url, *node, *cluster; /* node: "" when not known yet */
	enum gm_target_state state;
	enum gm_page_kind kind; /* of its last page */
	int64_t since_ms;	/* wall time at which the state began */
	int64_t last_ms;	/* of the last scrape's end; 0: none yet */
	const char *error;	/* why it is down, or what was wrong on its page; "" */
	int64_t interval_ms;
	int64_t duration_ms;		      /* of the last scrape; -1: none yet */
	uint64_t bytes;			      /* of the last page */
	uint32_t devices, samples, bad_lines; /* on the last page */
	uint64_t scrapes, failures;
};
/*
 * Calls `each` for targets behind `after` (empty: from the first), by rising URL, until it returns false. Texts live for
 * the call; the scraper waits meanwhile, so it should copy and be gone.
 */
void gm_scraper_list(struct gm_scraper *s, struct gm_str after,
		     bool (*each)(void *ctx, const struct gm_target_status *status), void *ctx);

/* Sums since the start, and what is now. */
struct gm_scraper_stats {
	uint32_t targets, state[GM_TARGET_STATE_COUNT];
	uint64_t scrapes, failures;
	uint64_t duration_ms; /* of all scrapes together */
	uint64_t samples, bytes;
	uint64_t late;	   /* begun more than 5 s after their time, or not at all; those that hung before not counted */
	uint64_t learnt;   /* pages that were not as the one before */
	uint64_t connects; /* connections made */
	uint64_t cache_bytes; /* remembered of pages */
};
void gm_scraper_stats(struct gm_scraper *s, struct gm_scraper_stats *out);

GM_DEFINE_AUTO(struct gm_scraper, gm_scraper_free)

#endif
