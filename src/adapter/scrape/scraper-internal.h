/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_SCRAPE_SCRAPER_INTERNAL_H
#define GM_ADAPTER_SCRAPE_SCRAPER_INTERNAL_H

#include <pthread.h>

#include "adapter/httpc/httpc.h"
#include "adapter/scrape/reader.h"
#include "adapter/scrape/schedule.h"
#include "adapter/scrape/scraper.h"
#include "base/vec.h"

/* The files of one kind of access, shared by the targets that name the same; opened when first needed. */
struct gm_access {
	char *bearer_file, *ca_file, *cert_file, *key_file;
	bool insecure;
	struct gm_httpc_identity *identity; /* NULL: not opened yet */
};
void gm_access_free(struct gm_access *a);
/* A missing file fails the targets that want it, each time anew until it is there. */
int gm_access_open(struct gm_access *a, struct gm_httpc_identity **out, struct gm_err *err) GM_CHECKED;

struct gm_target {
	struct gm_scraper *scraper;
	struct gm_schedule_item item;
	uint64_t hash;
	char *key, *url; /* as given; as asked for */
	char *host;
	struct gm_access *access;
	struct gm_page_cache *cache;
	struct gm_target *slow_next;
	bool in_flight, suspect /* hung the last time, or is new */, slow_lane, slow_waiting;
	bool node_told; /* by the configuration */
	bool keep;	/* while a new list is put in force */
	/* the rest is guarded by the scraper's mu */
	char *node, *cluster;
	int64_t interval_ms;
	enum gm_target_state state;
	enum gm_page_kind kind;
	int64_t since_ms, last_ms, duration_ms;
	char *error;
	uint64_t bytes, scrapes, failures;
	uint32_t devices, samples, bad_lines;
	size_t cache_bytes;
};
void gm_target_free(struct gm_target *t);

static inline struct gm_target *gm_target_of(struct gm_schedule_item *item)
{
	return (struct gm_target *)(void *)((char *)item - offsetof(struct gm_target, item));
}

struct gm_target_list {
	struct gm_target **items;
	size_t count, capacity;
};
struct gm_access_list {
	struct gm_access **items;
	size_t count, capacity;
};

struct gm_scraper {
	const struct gm_page_sink *sink;
	void (*removed)(void *ctx, struct gm_str target);
	const struct gm_clock *clock;
	struct gm_httpc *http;
	struct gm_page_reader *reader;
	struct gm_schedule schedule;
	size_t slots, in_flight, slow_in_flight;
	struct gm_target *slow_first, *slow_last; /* due, waiting for one of the slow slots */
	bool one_at_a_time;
	int64_t timeout_ms;
	struct gm_access_list accesses;
	pthread_mutex_t mu;
	struct gm_target_list targets; /* by rising key; guarded by mu (written by the owner only) */
	struct gm_scraper_stats stats; /* guarded by mu */
};

#endif
