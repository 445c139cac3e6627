/* SPDX-License-Identifier: MIT */
#include "app/server/sources.h"

#include <pthread.h>
#include <stdlib.h>

#include "adapter/sim/feed.h"
#include "adapter/sim/scenario.h"
#include "base/alloc.h"

struct gm_sources {
	pthread_mutex_t mu;	 /* the feed is the collector's; others read its list between two steps */
	struct gm_sim_feed *sim; /* guarded by mu; NULL: nothing is simulated */
};

static int open_sim(struct gm_sources *s, const struct gm_settings *conf, const struct gm_page_sink *sink,
		    const struct gm_clock *clock, struct gm_err *err)
{
	GM_AUTO(gm_sim_scenario_fini_p) struct gm_sim_scenario scenario = { 0 };
	const int gpus = (int)conf->simulate_gpus, nodes = (int)conf->simulate_nodes;

	if (conf->simulate_scenario[0]) {
		const int r = gm_sim_scenario_read(conf->simulate_scenario, &scenario, err);
		if (r)
			return r;
	}
	const struct gm_sim_spec spec = {
		.seed = (uint64_t)conf->simulate_seed,
		.gpus = gpus,
		.gpus_per_node = nodes ? (gpus + nodes - 1) / nodes : 0,
		.models = gm_str(conf->simulate_models),
		.speed_milli = (int)(conf->simulate_speed * 1000),
		.faults = conf->simulate_faults,
		.scenario = scenario.faults,
		.scenario_count = scenario.count,
	};
	s->sim = gm_sim_feed_new(&spec, gm_str(conf->cluster_name), conf->simulate_interval_ms, sink, clock, err);
	return s->sim ? 0 : gm_err_wrap(err, "simulate");
}

int gm_sources_new(const struct gm_facts *facts, const struct gm_page_sink *sink, const struct gm_clock *clock,
		   struct gm_sources **out, struct gm_err *err)
{
	GM_AUTO(gm_sources_free_p) struct gm_sources *s = gm_xalloc(sizeof(*s));
	const struct gm_settings *conf = &facts->settings;
	int r = 0;

	(void)pthread_mutex_init(&s->mu, NULL);
	if (conf->enabled && conf->simulate_gpus)
		r = open_sim(s, conf, sink, clock, err);
	if (r)
		return r;
	*out = gm_steal(&s);
	return 0;
}

void gm_sources_free(struct gm_sources *s)
{
	if (!s)
		return;
	gm_sim_feed_free(s->sim);
	(void)pthread_mutex_destroy(&s->mu);
	free(s);
}

int gm_sources_reload(struct gm_sources *s, const struct gm_facts *facts, struct gm_err *err)
{
	(void)s;
	(void)facts;
	(void)err;
	return 0;
}

int gm_sources_fd(const struct gm_sources *s)
{
	(void)s;
	return -1;
}

int64_t gm_sources_step(struct gm_sources *s, int64_t now_mono_ms)
{
	int64_t next = INT64_MAX;

	if (s->sim) {
		(void)pthread_mutex_lock(&s->mu);
		next = gm_sim_feed_step(s->sim, now_mono_ms);
		(void)pthread_mutex_unlock(&s->mu);
	}
	return next;
}

static void add_sim_counts(struct gm_sources *s, struct gm_source_counts *c)
{
	const size_t n = gm_sim_feed_target_count(s->sim);

	for (size_t i = 0; i < n; i++) {
		const struct gm_sim_feed_target *t = gm_sim_feed_target(s->sim, i);
		c->total++;
		c->up += t->asked && t->up;
		c->down += t->asked && !t->up;
		c->scrapes += t->pages + t->failures;
		c->failures += t->failures;
	}
}

void gm_sources_counts(struct gm_sources *s, struct gm_source_counts *out)
{
	struct gm_source_counts c = { .simulated = s->sim != NULL };

	if (s->sim) {
		(void)pthread_mutex_lock(&s->mu);
		add_sim_counts(s, &c);
		(void)pthread_mutex_unlock(&s->mu);
	}
	*out = c;
}

static void write_sim_target(struct gm_json *w, const struct gm_sim_feed_target *t)
{
	gm_json_object(w);
	gm_json_kcstr(w, "url", t->target);
	gm_json_kcstr(w, "node", t->node);
	gm_json_kcstr(w, "cluster", NULL);
	gm_json_end_object(w);
}

void gm_sources_write(struct gm_sources *s, struct gm_json *w, struct gm_str after, size_t limit,
		      struct gm_buf *out_last)
{
	(void)s;
	(void)w;
	(void)after;
	(void)limit;
	(void)out_last;
	(void)write_sim_target;
}
