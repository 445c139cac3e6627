/* SPDX-License-Identifier: MIT */
#include "adapter/sim/feed.h"

#include <stdio.h>
#include <stdlib.h>

#include "adapter/sim/feed-internal.h"
#include "base/alloc.h"

#define TARGET_SIZE 72 /* "sim:" and the longest node name */
/* Worlds beyond this many nodes are delivered in parts of the interval, so that the fleet's thread never stalls. */
#define WHOLE_NODES 64
#define SLOTS_MAX 10
#define SLOT_MIN_MS 100

struct gm_sim_feed {
	struct gm_sim *sim;
	char *cluster;
	int64_t interval_ms;
	const struct gm_page_sink *sink;
	const struct gm_clock *clock;
	struct gm_sim_feed_target *targets;
	char (*names)[TARGET_SIZE];
	size_t count;
	struct sim_page *page;
	size_t slots, slot; /* parts of the interval; the next one's number */
	int64_t round_ms;   /* when the round of `slot` began; INT64_MIN: not begun */
};

static int check_interval(int64_t interval_ms, struct gm_err *err)
{
	if (interval_ms >= GM_SIM_FEED_INTERVAL_MIN_MS && interval_ms <= GM_PAGE_INTERVAL_MS_MAX)
		return 0;
	return gm_fail(err, GM_ERR_INVALID, "interval of the simulation: not from %d ms to a day",
		       GM_SIM_FEED_INTERVAL_MIN_MS);
}

static void cut_interval(struct gm_sim_feed *f)
{
	size_t most = (size_t)(f->interval_ms / SLOT_MIN_MS);
	f->slots = f->count <= WHOLE_NODES ? 1 : most < SLOTS_MAX ? most : SLOTS_MAX;
}

struct gm_sim_feed *gm_sim_feed_new(const struct gm_sim_spec *spec, struct gm_str cluster, int64_t interval_ms,
				    const struct gm_page_sink *sink, const struct gm_clock *clock, struct gm_err *err)
{
	struct gm_sim_spec s = *spec;
	if (check_interval(interval_ms, err) < 0)
		return NULL;
	if (!s.start_ms)
		s.start_ms = gm_wall_ms(clock);
	GM_AUTO(gm_sim_feed_free_p) struct gm_sim_feed *f = gm_xalloc(sizeof(*f));
	f->sim = gm_sim_new(&s, err);
	if (!f->sim)
		return NULL;
	f->cluster = gm_str_dup(cluster);
	f->interval_ms = interval_ms;
	f->sink = sink;
	f->clock = clock;
	f->round_ms = INT64_MIN;
	f->page = gm_xalloc(sizeof(*f->page));
	size_t count = gm_sim_node_count(f->sim);
	f->targets = gm_try_alloc(count * sizeof(*f->targets));
	f->names = gm_try_alloc(count * sizeof(*f->names));
	if (!f->targets || !f->names) {
		(void)gm_fail(err, GM_ERR_NO_MEMORY, "%zu simulated nodes: out of memory", count);
		return NULL;
	}
	for (f->count = 0; f->count < count; f->count++) {
		const char *node = gm_sim_node(f->sim, f->count)->name;
		(void)snprintf(f->names[f->count], TARGET_SIZE, "sim:%s", node);
		f->targets[f->count].target = f->names[f->count];
		f->targets[f->count].node = node;
	}
	cut_interval(f);
	return gm_steal(&f);
}

void gm_sim_feed_free(struct gm_sim_feed *f)
{
	if (!f)
		return;
	gm_sim_free(f->sim);
	free(f->cluster);
	free(f->targets);
	free(f->names);
	free(f->page);
	free(f);
}

static void fail_target(struct gm_sim_feed *f, struct gm_sim_feed_target *t, int64_t at_ms)
{
	struct gm_err why = { 0 };
	(void)gm_fail(&why, GM_ERR_UNAVAILABLE, "no route to host: node %s is away (simulated)", t->node);
	(void)gm_str_copy(gm_str(why.text), t->error, sizeof(t->error));
	if (t->up || !t->asked)
		t->failing_since_ms = at_ms;
	t->up = false;
	t->up_since_ms = 0;
	t->failures++;
	t->devices = 0;
	f->sink->failed(f->sink->ctx, gm_str(t->target), at_ms, &why);
}

static void ask_node(struct gm_sim_feed *f, size_t index, int64_t at_ms)
{
	struct gm_sim_feed_target *t = &f->targets[index];
	gm_sim_advance_node(f->sim, index, at_ms);
	const struct gm_sim_node *node = gm_sim_node(f->sim, index);
	t->last_attempt_ms = at_ms;
	if (node->away) {
		fail_target(f, t, at_ms);
	} else {
		struct gm_page page = { .target = gm_str(t->target),
					.kind = GM_PAGE_SIM,
					.cluster = gm_str(f->cluster),
					.node = gm_str(node->name),
					.at_ms = at_ms,
					.interval_ms = f->interval_ms };
		sim_page_fill(f->page, f->sim, node, &page);
		if (!t->up)
			t->up_since_ms = at_ms;
		t->up = true;
		t->failing_since_ms = 0;
		t->last_success_ms = at_ms;
		t->pages++;
		t->devices = page.device_count;
		t->error[0] = '\0';
		f->sink->page(f->sink->ctx, &page);
	}
	t->asked = true;
}

static int64_t slot_due(const struct gm_sim_feed *f)
{
	return f->round_ms + f->interval_ms * (int64_t)f->slot / (int64_t)f->slots;
}

static void next_slot(struct gm_sim_feed *f)
{
	if (++f->slot < f->slots)
		return;
	f->slot = 0;
	f->round_ms += f->interval_ms;
}

int64_t gm_sim_feed_step(struct gm_sim_feed *f, int64_t now_mono_ms)
{
	if (f->round_ms == INT64_MIN)
		f->round_ms = now_mono_ms;
	if (now_mono_ms > slot_due(f)) /* no node twice in one step */
		f->round_ms += (now_mono_ms - slot_due(f)) / f->interval_ms * f->interval_ms;
	int64_t at_ms = gm_wall_ms(f->clock);
	while (slot_due(f) <= now_mono_ms) {
		for (size_t i = f->slot; i < f->count; i += f->slots)
			ask_node(f, i, at_ms);
		next_slot(f);
	}
	return slot_due(f);
}

size_t gm_sim_feed_target_count(const struct gm_sim_feed *f)
{
	return f->count;
}

const struct gm_sim_feed_target *gm_sim_feed_target(const struct gm_sim_feed *f, size_t index)
{
	return index < f->count ? &f->targets[index] : NULL;
}
