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
	pthread_mutex_t counts_mu; /* never held over a step, so that nobody waits for one to read a count */
	struct gm_source_counts counts; /* guarded by counts_mu */
	int64_t counted_at;
	char *cluster;
};

#define COUNT_EVERY_MS 1000

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

	s->cluster = gm_xstrdup(conf->cluster_name);
	(void)pthread_mutex_init(&s->mu, NULL);
	(void)pthread_mutex_init(&s->counts_mu, NULL);
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
	free(s->cluster);
	(void)pthread_mutex_destroy(&s->mu);
	(void)pthread_mutex_destroy(&s->counts_mu);
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

static void add_sim_counts(const struct gm_sources *s, struct gm_source_counts *c)
{
	const size_t n = gm_sim_feed_target_count(s->sim);

	c->simulated = true;
	for (size_t i = 0; i < n; i++) {
		const struct gm_sim_feed_target *t = gm_sim_feed_target(s->sim, i);
		c->total++;
		c->up += t->asked && t->up;
		c->down += t->asked && !t->up;
		c->scrapes += t->pages + t->failures;
		c->failures += t->failures;
	}
}

static void count(struct gm_sources *s)
{
	struct gm_source_counts c = { 0 };

	if (s->sim)
		add_sim_counts(s, &c);
	(void)pthread_mutex_lock(&s->counts_mu);
	s->counts = c;
	(void)pthread_mutex_unlock(&s->counts_mu);
}

int64_t gm_sources_step(struct gm_sources *s, int64_t now_mono_ms)
{
	int64_t next = INT64_MAX;

	if (s->sim) {
		(void)pthread_mutex_lock(&s->mu);
		next = gm_sim_feed_step(s->sim, now_mono_ms);
		(void)pthread_mutex_unlock(&s->mu);
	}
	if (now_mono_ms - s->counted_at >= COUNT_EVERY_MS) {
		count(s);
		s->counted_at = now_mono_ms;
	}
	return next;
}

void gm_sources_counts(struct gm_sources *s, struct gm_source_counts *out)
{
	(void)pthread_mutex_lock(&s->counts_mu);
	*out = s->counts;
	(void)pthread_mutex_unlock(&s->counts_mu);
}

/* What both kinds of sources have to show. */
struct target_row {
	const char *url, *node, *cluster, *state, *source, *error;
	int64_t since_ms, last_ms, duration_ms;
	uint64_t samples, scrapes, failures;
};

static void write_row(struct gm_json *w, const struct target_row *t)
{
	gm_json_object(w);
	gm_json_kcstr(w, "url", t->url);
	gm_json_kcstr(w, "node", t->node && t->node[0] ? t->node : NULL);
	gm_json_kcstr(w, "cluster", t->cluster);
	gm_json_kcstr(w, "state", t->state);
	gm_json_kcstr(w, "source", t->source);
	gm_json_kcstr(w, "error", t->error && t->error[0] ? t->error : NULL);
	gm_json_ktime(w, "since", t->since_ms);
	gm_json_ktime(w, "lastScrape", t->last_ms);
	gm_json_key(w, "durationMs");
	if (t->duration_ms < 0)
		gm_json_null(w);
	else
		gm_json_i64(w, t->duration_ms);
	gm_json_ku64(w, "samples", t->samples);
	gm_json_ku64(w, "scrapes", t->scrapes);
	gm_json_ku64(w, "failures", t->failures);
	gm_json_end_object(w);
}

static void write_sim(const struct gm_sources *s, struct gm_json *w, const struct gm_sim_feed_target *t)
{
	const struct target_row row = {
		.url = t->target,
		.node = t->node,
		.cluster = s->cluster,
		.state = !t->asked ? "pending" : t->up ? "up" : "down",
		.source = "sim",
		.error = t->error,
		.since_ms = t->up ? t->last_success_ms : t->failing_since_ms,
		.last_ms = t->last_attempt_ms,
		.duration_ms = -1,
		.samples = t->devices,
		.scrapes = t->pages + t->failures,
		.failures = t->failures,
	};

	write_row(w, &row);
}

/* Node names have a fixed width, so the feed's order is that of the URLs. */
static size_t write_sims(struct gm_sources *s, struct gm_json *w, struct gm_str after, size_t limit, struct gm_buf *last)
{
	const size_t n = gm_sim_feed_target_count(s->sim);
	size_t written = 0;
	const char *url = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct gm_sim_feed_target *t = gm_sim_feed_target(s->sim, i);
		if (after.n && gm_str_cmp(gm_str(t->target), after) <= 0)
			continue;
		if (written == limit) {
			gm_buf_add_cstr(last, url);
			break;
		}
		write_sim(s, w, t);
		url = t->target;
		written++;
	}
	return written;
}

void gm_sources_write(struct gm_sources *s, struct gm_json *w, struct gm_str after, size_t limit, struct gm_buf *out_last)
{
	if (s->sim) {
		(void)pthread_mutex_lock(&s->mu);
		(void)write_sims(s, w, after, limit, out_last);
		(void)pthread_mutex_unlock(&s->mu);
	}
}
