/* SPDX-License-Identifier: MIT */
#include "app/server/sources.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "adapter/conf/conf.h"
#include "adapter/scrape/scraper.h"
#include "adapter/sim/feed.h"
#include "adapter/sim/scenario.h"
#include "app/server/render.h"
#include "app/server/targets.h"
#include "base/alloc.h"
#include "base/vec.h"

struct gm_sources {
	struct gm_scraper *scraper;
	pthread_mutex_t mu;		/* the feed is the collector's; others read its list between two steps */
	struct gm_sim_feed *sim;	/* guarded by mu; NULL: nothing is simulated */
	atomic_bool simulating;		/* there is one, and management is enabled */
	pthread_mutex_t counts_mu;	/* never held over a step, so that nobody waits for one to read a count */
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
	struct gm_source_counts c;
	struct gm_scraper_stats scraper;

	gm_scraper_stats(s->scraper, &scraper);
	c = (struct gm_source_counts){ .total = scraper.targets,
				       .up = scraper.state[GM_TARGET_UP],
				       .down = scraper.state[GM_TARGET_DOWN],
				       .scrapes = scraper.scrapes,
				       .failures = scraper.failures,
				       .duration_ms = scraper.duration_ms,
				       .late = scraper.late };
	if (s->simulating)
		add_sim_counts(s, &c);
	(void)pthread_mutex_lock(&s->counts_mu);
	s->counts = c;
	(void)pthread_mutex_unlock(&s->counts_mu);
}

static struct gm_scrape_conf scrape_conf(const struct gm_settings *conf)
{
	return (struct gm_scrape_conf){
		.cluster = gm_str(conf->cluster_name),
		.interval_ms = conf->collection_interval_ms,
		.timeout_ms = conf->scrape_timeout_ms,
		.page_max = (size_t)conf->max_page_bytes,
		.one_at_a_time = !conf->parallel_processing,
		.insecure = conf->insecure_skip_verify,
		.access = { .bearer_file = gm_setting_or_null(conf->bearer_token_file),
			    .ca_file = gm_setting_or_null(conf->ca_file),
			    .cert_file = gm_setting_or_null(conf->client_cert_file),
			    .key_file = gm_setting_or_null(conf->client_key_file) },
	};
}

typedef GM_VEC(struct gm_scrape_target) target_vec;

static int add_targets(target_vec *out, const struct gm_option_maps *entries, struct gm_err *err)
{
	for (size_t i = 0; i < entries->count; i++) {
		struct gm_target_conf t;
		const int r = gm_target_read(&entries->items[i], &t, err);
		if (r)
			return r;
		const struct gm_scrape_target target = {
			.url = gm_str(t.url),
			.node = gm_str(t.node),
			.cluster = gm_str(t.cluster),
			.interval_ms = t.interval_ms,
			.access = { .bearer_file = t.bearer_token_file,
				    .ca_file = t.ca_file,
				    .cert_file = t.client_cert_file,
				    .key_file = t.client_key_file },
		};
		gm_vec_push(out, target);
	}
	return 0;
}

int gm_sources_reload(struct gm_sources *s, const struct gm_facts *facts, struct gm_err *err)
{
	const struct gm_settings *conf = &facts->settings;
	const struct gm_scrape_conf scrape = scrape_conf(conf);
	GM_AUTO(gm_option_maps_fini_p) struct gm_option_maps file = { 0 };
	target_vec targets = { 0 };
	int r = 0;

	if (conf->enabled) {
		r = add_targets(&targets, &conf->targets, err);
		if (!r && conf->targets_file[0])
			r = gm_conf_maps_read(conf->targets_file, &file, err);
		if (!r)
			r = add_targets(&targets, &file, err);
	}
	if (!r)
		r = gm_scraper_set(s->scraper, &scrape, targets.items, targets.count, err);
	if (!r)
		s->simulating = s->sim && conf->enabled;
	gm_vec_fini(&targets);
	return r;
}

int gm_sources_new(const struct gm_facts *facts, const struct gm_page_sink *sink,
		   void (*removed)(void *ctx, struct gm_str target), const struct gm_clock *clock,
		   struct gm_sources **out, struct gm_err *err)
{
	GM_AUTO(gm_sources_free_p) struct gm_sources *s = gm_xalloc(sizeof(*s));
	const struct gm_settings *conf = &facts->settings;
	const struct gm_scrape_conf scrape = scrape_conf(conf);

	s->cluster = gm_xstrdup(conf->cluster_name);
	(void)pthread_mutex_init(&s->mu, NULL);
	(void)pthread_mutex_init(&s->counts_mu, NULL);
	int r = gm_scraper_new(&scrape, sink, removed, clock, &s->scraper, err);
	if (!r && conf->simulate_gpus)
		r = open_sim(s, conf, sink, clock, err);
	if (!r)
		r = gm_sources_reload(s, facts, err);
	if (r)
		return r;
	count(s);
	*out = gm_steal(&s);
	return 0;
}

void gm_sources_free(struct gm_sources *s)
{
	if (!s)
		return;
	gm_sim_feed_free(s->sim);
	gm_scraper_free(s->scraper);
	free(s->cluster);
	(void)pthread_mutex_destroy(&s->mu);
	(void)pthread_mutex_destroy(&s->counts_mu);
	free(s);
}

int gm_sources_fd(const struct gm_sources *s)
{
	return gm_scraper_fd(s->scraper);
}

int64_t gm_sources_step(struct gm_sources *s, int64_t now_mono_ms)
{
	int64_t next = gm_scraper_step(s->scraper, now_mono_ms);

	if (s->simulating) {
		(void)pthread_mutex_lock(&s->mu);
		const int64_t sim = gm_sim_feed_step(s->sim, now_mono_ms);
		(void)pthread_mutex_unlock(&s->mu);
		next = sim < next ? sim : next;
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
	gm_json_key(w, "node");
	gm_render_text(w, t->node);
	gm_json_kcstr(w, "cluster", t->cluster);
	gm_json_kcstr(w, "state", t->state);
	gm_json_kcstr(w, "source", t->source);
	gm_json_key(w, "error");
	gm_render_text(w, t->error);
	gm_json_ktime(w, "since", t->since_ms);
	gm_json_ktime(w, "lastScrape", t->last_ms);
	gm_json_key(w, "durationMs");
	gm_render_number(w, t->duration_ms);
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
		.state = gm_target_state_name(!t->asked ? GM_TARGET_PENDING
					      : t->up	? GM_TARGET_UP
							: GM_TARGET_DOWN),
		.source = gm_page_kind_name(GM_PAGE_SIM),
		.error = t->error,
		.since_ms = t->up ? t->up_since_ms : t->failing_since_ms,
		.last_ms = t->last_attempt_ms,
		.duration_ms = -1,
		.samples = t->devices,
		.scrapes = t->pages + t->failures,
		.failures = t->failures,
	};

	write_row(w, &row);
}

/* A page of a list that is being written. */
struct target_page {
	struct gm_json *w;
	size_t limit, written;
	struct gm_buf url; /* of the last one written */
	bool more;
};

static bool page_full(struct target_page *p, const char *url)
{
	if (p->written == p->limit) {
		p->more = true;
		return true;
	}
	gm_buf_reset(&p->url);
	gm_buf_add_cstr(&p->url, url);
	p->written++;
	return false;
}

static bool write_scraped(void *ctx, const struct gm_target_status *t)
{
	struct target_page *p = ctx;
	const struct target_row row = {
		.url = t->url,
		.node = t->node,
		.cluster = t->cluster,
		.state = gm_target_state_name(t->state),
		.source = gm_page_kind_name(t->kind),
		.error = t->error,
		.since_ms = t->since_ms,
		.last_ms = t->last_ms,
		.duration_ms = t->duration_ms,
		.samples = t->samples,
		.scrapes = t->scrapes,
		.failures = t->failures,
	};

	if (page_full(p, t->url))
		return false;
	write_row(p->w, &row);
	return true;
}

/* Where the feed's list goes on behind a target; the feed's order is its own. */
static size_t sim_behind(const struct gm_sources *s, struct gm_str after)
{
	const size_t n = gm_sim_feed_target_count(s->sim);

	for (size_t i = 0; after.n && i < n; i++) {
		if (gm_str_is(after, gm_sim_feed_target(s->sim, i)->target))
			return i + 1;
	}
	return 0;
}

static void write_simulated(struct gm_sources *s, struct target_page *p, struct gm_str after)
{
	const size_t n = gm_sim_feed_target_count(s->sim);

	for (size_t i = sim_behind(s, after); i < n; i++) {
		const struct gm_sim_feed_target *t = gm_sim_feed_target(s->sim, i);
		if (page_full(p, t->target))
			return;
		write_sim(s, p->w, t);
	}
}

/* Scraped targets come first ("http..."), then simulated ones ("sim:..."). */
void gm_sources_write(struct gm_sources *s, struct gm_json *w, struct gm_str after, size_t limit,
		      struct gm_buf *out_last)
{
	struct target_page p = { .w = w, .limit = limit };
	const bool in_sim = gm_str_starts(after, GM_STR("sim:"));

	if (!in_sim)
		gm_scraper_list(s->scraper, after, write_scraped, &p);
	if (s->simulating && !p.more) {
		(void)pthread_mutex_lock(&s->mu);
		write_simulated(s, &p, in_sim ? after : gm_str_n(NULL, 0));
		(void)pthread_mutex_unlock(&s->mu);
	}
	if (p.more)
		gm_buf_add_str(out_last, gm_buf_str(&p.url));
	gm_buf_fini(&p.url);
}
