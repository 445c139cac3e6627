/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_PAGES_H
#define GM_APP_AGENT_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "app/agent/holders.h"
#include "app/agent/view.h"
#include "base/auto.h"
#include "base/clock.h"

/*
 * What is served, made by the main thread once a round and handed out by the HTTP threads: nobody who asks ever waits for
 * the one who samples.
 */
struct gm_http_shared;
struct gm_mig_manager;
struct gm_agent_pages;

enum gm_agent_page {
	GM_AGENT_PAGE_METRICS,	   /* text 0.0.4 */
	GM_AGENT_PAGE_OPENMETRICS, /* made only while somebody asks for it */
	GM_AGENT_PAGE_INVENTORY,
	GM_AGENT_PAGE_MIG,
	GM_AGENT_PAGE_HEALTH,
	GM_AGENT_PAGE_READY,
	GM_AGENT_PAGE_HEALTH_BRIEF, /* for who may not read */
	GM_AGENT_PAGE_READY_BRIEF,
	GM_AGENT_PAGES
};

struct gm_agent_pages_conf {
	const struct gm_clock *clock;
	const char *node_name; /* copied */
	int64_t interval_ms, window_ms;
	bool dcgm_names;
};
struct gm_agent_pages *gm_agent_pages_new(const struct gm_agent_pages_conf *conf);
void gm_agent_pages_free(struct gm_agent_pages *p);

/* One process of the agent, for its own cost on the page. */
struct gm_agent_process {
	const char *role; /* "server", "keeper", "sampler", "mig"; a literal */
	int32_t number;	  /* of a child; 0 for the others */
	int32_t pid;	  /* of this pid namespace */
};
#define GM_AGENT_PROCESSES_MAX 8
struct gm_agent_round {
	const struct gm_agent_view *view;
	const struct gm_holders *holders; /* NULL: not known */
	const struct gm_mig_manager *mig; /* NULL: none (tests) */
	struct gm_agent_process processes[GM_AGENT_PROCESSES_MAX];
	size_t process_count;
};
/*
 * Main thread, after each round and each change of the agent's state. Call it at least once a second, also while nothing is
 * sampled (paused, no driver): pages that are not renewed count as the agent itself being stuck, and /healthz says so.
 */
void gm_agent_pages_make(struct gm_agent_pages *p, const struct gm_agent_round *round);
/* SIGHUP. Main thread. */
void gm_agent_pages_set_dcgm_names(struct gm_agent_pages *p, bool on);
void gm_agent_pages_set_interval(struct gm_agent_pages *p, int64_t interval_ms, int64_t window_ms);

/*
 * Any thread: the newest, a reference of the caller's, and the HTTP status it is served with; NULL when none was made yet.
 * *out_age_ms (may be NULL): how long ago it was made.
 */
struct gm_http_shared *gm_agent_pages_get(struct gm_agent_pages *p, enum gm_agent_page which, int *out_status,
					  int64_t *out_age_ms);

GM_DEFINE_AUTO(struct gm_agent_pages, gm_agent_pages_free)

#endif
