/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_SIM_FEED_H
#define GM_ADAPTER_SIM_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "core/fleet/page.h"
#include "core/sim/sim.h"

/*
 * The simulated cluster as a source of pages: one target "sim:<node>" a node, asked every interval as an exporter would
 * be. A node that is away fails; a board that is lost is missing on its page. All calls on the thread that owns the
 * fleet; the sink is called from within gm_sim_feed_step.
 */
struct gm_sim_feed;

#define GM_SIM_FEED_INTERVAL_MIN_MS 100

/*
 * Everything is copied but `sink` and `clock`, which outlive the feed. When spec->start_ms is 0 the world begins now.
 * NULL with *err set when the specification or the interval is wrong.
 */
struct gm_sim_feed *gm_sim_feed_new(const struct gm_sim_spec *spec, struct gm_str cluster, int64_t interval_ms,
				    const struct gm_page_sink *sink, const struct gm_clock *clock,
				    struct gm_err *err) GM_CHECKED;
void gm_sim_feed_free(struct gm_sim_feed *f);
/*
 * Delivers what is due at this monotonic time and returns when the next is. Nodes of large worlds are spread over the
 * interval; rounds that were missed are left out.
 */
int64_t gm_sim_feed_step(struct gm_sim_feed *f, int64_t now_mono_ms);

/* A target as a list of targets shows it. Texts live as long as the feed; numbers are as of the last step. */
struct gm_sim_feed_target {
	const char *target; /* "sim:worker-01" */
	const char *node;
	bool asked; /* false before the first round */
	bool up;
	int64_t last_attempt_ms; /* wall time; 0: never */
	int64_t last_success_ms;
	int64_t failing_since_ms; /* 0: it is up */
	int64_t up_since_ms;	  /* 0: it is not */
	uint64_t pages, failures;
	size_t devices;	 /* on the last page */
	char error[120]; /* of the last attempt; "" when it is up */
};
size_t gm_sim_feed_target_count(const struct gm_sim_feed *f);
const struct gm_sim_feed_target *gm_sim_feed_target(const struct gm_sim_feed *f, size_t index);

GM_DEFINE_AUTO(struct gm_sim_feed, gm_sim_feed_free)

#endif
