/* SPDX-License-Identifier: MIT */
#include "app/server/collector.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/money.h"
#include "base/vec.h"

#define PUBLISH_EVERY_MS 1000
#define HELD_UP_MS 2000
/* Lines about devices between two snapshots; a node that goes away with many says it once with their number. */
#define EVENT_LINES_MAX 20
#define FORGET_MS (7 * 24 * 3600 * INT64_C(1000))
/* Rows handed to the recorder at once: enough to amortise, few enough to be freed soon. */
#define ROWS_MAX 4096

struct gm_collector {
	struct gm_collector_conf conf;
	uint64_t started_ms;
	struct gm_fleet *fleet;
	struct gm_page_sink sink;
	struct gm_sources *sources;
	GM_VEC(struct gm_sample_row) rows;
	int wake_fd;
	atomic_bool stop, reload;
	bool started;
	pthread_t thread;
	pthread_mutex_t mu;
	struct gm_collector_stats stats; /* guarded by mu */
	struct gm_log_limit bad_page_log;
	unsigned event_lines, events_held; /* since the last publish */
};

static bool in_list(const struct gm_option_list *list, const char *text)
{
	for (size_t i = 0; text && i < list->count; i++) {
		if (strcmp(list->items[i], text) == 0)
			return true;
	}
	return false;
}

static bool is_managed(void *ctx, const char *cluster, const char *node, const char *model, const char *variant)
{
	const struct gm_settings *s = &gm_facts(((struct gm_collector *)ctx)->conf.facts)->settings;

	(void)cluster;
	return s->enabled &&
	       (!s->supported_models.count || in_list(&s->supported_models, model) ||
		in_list(&s->supported_models, variant)) &&
	       (!s->pool_nodes.count || in_list(&s->pool_nodes, node));
}

static const char *find_rate(const struct gm_option_map *rates, const char *name)
{
	for (size_t i = 0; name && i < rates->count; i++) {
		if (strcmp(rates->items[i].key, name) == 0)
			return rates->items[i].value;
	}
	return NULL;
}

/* A variant's own rate goes before its model's. */
static int64_t hourly_micros(void *ctx, const char *model, const char *variant)
{
	const struct gm_settings *s = &gm_facts(((struct gm_collector *)ctx)->conf.facts)->settings;
	const char *text = find_rate(&s->default_rates, variant);
	int64_t micros;

	if (!text)
		text = find_rate(&s->default_rates, model);
	return s->cost_enabled && text && gm_money_parse(gm_str(text), &micros) ? micros : -1;
}

static struct gm_fleet_conf fleet_conf(struct gm_collector *c)
{
	return (struct gm_fleet_conf){ .forget_ms = FORGET_MS,
				       .seq_base = c->started_ms,
				       .managed = is_managed,
				       .hourly_micros = hourly_micros,
				       .ctx = c };
}

static const struct {
	const char *name, *message;
	bool shown; /* on the event stream */
} event_table[] = {
	[GM_EVENT_DEVICE_NEW] = { "device_new", "device found", true },
	[GM_EVENT_DEVICE_MOVED] = { "device_moved", "device moved", true },
	[GM_EVENT_DEVICE_GONE] = { "device_gone", "device is gone", true },
	[GM_EVENT_HEALTH] = { "health", "health changed", true },
	[GM_EVENT_SOURCE_CHANGED] = { "source_changed", "another source takes over", false },
	[GM_EVENT_DUPLICATE] = { "duplicate", "two nodes claim one device", true },
	[GM_EVENT_MIG_CHANGED] = { "mig_changed", "MIG layout changed", true },
	[GM_EVENT_XID] = { "xid", "XID", true },
};

static void write_reasons(struct gm_json *w, uint32_t reasons)
{
	gm_json_key(w, "reasons");
	gm_json_array(w);
	for (unsigned i = 0; i < GM_HEALTH_REASON_COUNT; i++) {
		if (reasons >> i & 1)
			gm_json_cstr(w, gm_health_reason_name(i));
	}
	gm_json_end_array(w);
}

static void post_event(struct gm_collector *c, const struct gm_fleet_event *e)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
	struct gm_json w;

	gm_json_init(&w, &b);
	gm_json_object(&w);
	gm_json_kcstr(&w, "kind", event_table[e->kind].name);
	gm_json_ktime(&w, "at", e->at_ms);
	gm_json_kcstr(&w, "cluster", e->cluster);
	gm_json_kcstr(&w, "nodeName", e->node);
	gm_json_kcstr(&w, "deviceId", e->id);
	gm_json_kcstr(&w, "uuid", e->uuid);
	if (e->kind == GM_EVENT_HEALTH) {
		gm_json_kcstr(&w, "from", gm_health_name(e->from));
		gm_json_kcstr(&w, "to", gm_health_name(e->to));
		write_reasons(&w, e->reasons);
	}
	if (e->kind == GM_EVENT_XID)
		gm_json_ki64(&w, "xid", e->number);
	if (e->text)
		gm_json_kcstr(&w, "other", e->text);
	gm_json_end_object(&w);
	gm_events_post(c->conf.events, GM_TOPIC_HEALTH, gm_buf_str(&b));
}

static enum gm_log_level event_level(const struct gm_fleet_event *e)
{
	switch (e->kind) {
	case GM_EVENT_DUPLICATE:
	case GM_EVENT_XID:
		return GM_LOG_WARN;
	case GM_EVENT_HEALTH:
		/* After a start every device that was known becomes so: one line each would bury the rest. */
		if (e->from == GM_HEALTH_UNKNOWN && e->to == GM_HEALTH_OK)
			return GM_LOG_DEBUG;
		return e->to == GM_HEALTH_OK ? GM_LOG_INFO : GM_LOG_WARN;
	case GM_EVENT_DEVICE_NEW:
		return GM_LOG_DEBUG;
	case GM_EVENT_DEVICE_MOVED:
	case GM_EVENT_DEVICE_GONE:
	case GM_EVENT_SOURCE_CHANGED:
	case GM_EVENT_MIG_CHANGED:
		break;
	}
	return GM_LOG_INFO;
}

static void log_event(const struct gm_fleet_event *e)
{
	const enum gm_log_level level = event_level(e);
	const char *message = event_table[e->kind].message, *text = e->text ? e->text : "";
	GM_AUTO(gm_buf_fini_p) struct gm_buf reasons = { 0 };

	if (e->kind == GM_EVENT_XID) {
		GM_LOG_(level, message, { "device", e->id }, { "uuid", e->uuid }, GM_LOG_INT("xid", e->number),
			{ "class", text });
		return;
	}
	if (e->kind != GM_EVENT_HEALTH) {
		GM_LOG_(level, message, { "device", e->id }, { "uuid", e->uuid }, { "other", text });
		return;
	}
	for (unsigned i = 0; i < GM_HEALTH_REASON_COUNT; i++) {
		if (e->reasons >> i & 1)
			gm_buf_addf(&reasons, "%s%s", reasons.n ? "," : "", gm_health_reason_name(i));
	}
	GM_LOG_(level, message, { "device", e->id }, { "uuid", e->uuid }, { "from", gm_health_name(e->from) },
		{ "to", gm_health_name(e->to) }, { "reasons", gm_buf_cstr(&reasons) });
}

static void on_event(void *ctx, const struct gm_fleet_event *e)
{
	struct gm_collector *c = ctx;

	if (gm_log_enabled(event_level(e))) {
		if (c->event_lines++ < EVENT_LINES_MAX)
			log_event(e);
		else
			c->events_held++;
	}
	if (event_table[e->kind].shown)
		post_event(ctx, e);
}

static void on_series(void *ctx, const struct gm_series_def *def)
{
	gm_recorder_series(((struct gm_collector *)ctx)->conf.recorder, def);
}

static void flush_rows(struct gm_collector *c)
{
	const size_t n = c->rows.count;
	struct gm_sample_row *rows = c->rows.items;

	if (!n)
		return;
	c->rows.items = NULL;
	c->rows.count = c->rows.capacity = 0;
	gm_recorder_samples(c->conf.recorder, rows, n);
}

static void on_sample(void *ctx, uint32_t series, const struct gm_sample *sample)
{
	struct gm_collector *c = ctx;

	(void)gm_history_append(c->conf.history, series, sample);
	const struct gm_sample_row row = { .series = series, .sample = *sample };
	gm_vec_push(&c->rows, row);
	if (c->rows.count >= ROWS_MAX)
		flush_rows(c);
}

static void on_page(void *ctx, const struct gm_page *page)
{
	struct gm_collector *c = ctx;
	struct gm_apply_result result = { 0 };
	struct gm_err err;
	const int r = gm_fleet_apply(c->fleet, page, &result, &err);

	(void)pthread_mutex_lock(&c->mu);
	c->stats.pages++;
	c->stats.bad_pages += r != 0;
	c->stats.applied += result.applied;
	c->stats.shadowed += result.shadowed;
	c->stats.refused += result.refused;
	(void)pthread_mutex_unlock(&c->mu);
	uint64_t held;
	if (r && gm_log_limit_pass(&c->bad_page_log, gm_mono_ms(c->conf.clock), 60000, &held)) {
		GM_AUTO(gm_free_p) char *target = gm_str_dup(page->target);
		gm_warn_err("a page was refused, skipping it", &err, { "target", target },
			    GM_LOG_INT("suppressed", held));
	}
}

static void on_failed(void *ctx, struct gm_str target, int64_t at_ms, const struct gm_err *why)
{
	/* The list of targets says it, with since when; devices go stale by themselves. */
	(void)ctx;
	(void)target;
	(void)at_ms;
	(void)why;
}

static void on_removed(void *ctx, struct gm_str target)
{
	gm_fleet_target_removed(((struct gm_collector *)ctx)->fleet, target);
}

struct restoring {
	struct gm_fleet *fleet;
	uint64_t skipped;
	struct gm_err why; /* the first was skipped */
};

/* One that does not fit begins anew, under another number; the others are not to suffer for it. */
static int restore_series(void *ctx, const struct gm_series_def *def, struct gm_err *err)
{
	struct restoring *r = ctx;
	struct gm_err why;

	(void)err;
	if (gm_fleet_restore(r->fleet, def, &why) && r->skipped++ == 0)
		r->why = why;
	return 0;
}

static void restore(struct gm_collector *c)
{
	const struct gm_fleet_store *store = gm_recorder_fleet_store(c->conf.recorder);
	struct restoring r = { .fleet = c->fleet };
	struct gm_err err;

	if (!store)
		return;
	if (store->load_series(store->ctx, restore_series, &r, &err))
		gm_recorder_give_up_history(c->conf.recorder, &err);
	if (r.skipped)
		gm_warn_err("devices known from the database were skipped", &r.why, GM_LOG_INT("series", r.skipped));
}

static void publish(struct gm_collector *c)
{
	const int64_t begin_ns = gm_clock_mono_ns();

	if (gm_fleet_publish(c->fleet, gm_wall_ms(c->conf.clock))) {
		GM_AUTO(gm_snapshot_unref_p) const struct gm_snapshot *s = gm_fleet_snapshot(c->fleet);
		gm_events_publish(c->conf.events, s);
	}
	flush_rows(c);
	gm_history_expire(c->conf.history, gm_wall_ms(c->conf.clock));
	if (c->events_held)
		gm_warn("more devices changed at once", GM_LOG_INT("not_shown", c->events_held));
	c->event_lines = c->events_held = 0;
	const uint64_t took = (uint64_t)(gm_clock_mono_ns() - begin_ns) / 1000;
	(void)pthread_mutex_lock(&c->mu);
	c->stats.publishes++;
	c->stats.publish_micros_sum += took;
	c->stats.publish_micros_max = took > c->stats.publish_micros_max ? took : c->stats.publish_micros_max;
	(void)pthread_mutex_unlock(&c->mu);
}

int gm_collector_new(const struct gm_collector_conf *conf, struct gm_collector **out, struct gm_err *err)
{
	GM_AUTO(gm_collector_free_p) struct gm_collector *c = gm_xalloc(sizeof(*c));

	c->conf = *conf;
	c->started_ms = (uint64_t)gm_wall_ms(conf->clock);
	c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	(void)pthread_mutex_init(&c->mu, NULL);
	if (c->wake_fd < 0)
		return gm_fail_errno(err, errno, "eventfd");
	const struct gm_fleet_listener listener = {
		.ctx = c, .event = on_event, .series = on_series, .sample = on_sample
	};
	const struct gm_fleet_conf fleet = fleet_conf(c);
	c->fleet = gm_fleet_new(&fleet, &listener);
	restore(c);
	c->sink = (struct gm_page_sink){ .ctx = c, .page = on_page, .failed = on_failed };
	const int r = gm_sources_new(gm_facts(conf->facts), &c->sink, on_removed, conf->clock, &c->sources, err);
	if (r)
		return r;
	/* What the store knew, and be it nothing, is there before the first request. */
	(void)gm_fleet_publish(c->fleet, gm_wall_ms(conf->clock));
	GM_AUTO(gm_snapshot_unref_p) const struct gm_snapshot *first = gm_fleet_snapshot(c->fleet);
	gm_events_publish(conf->events, first);
	*out = gm_steal(&c);
	return 0;
}

void gm_collector_free(struct gm_collector *c)
{
	if (!c)
		return;
	gm_sources_free(c->sources);
	gm_fleet_free(c->fleet);
	gm_vec_fini(&c->rows);
	gm_fd_close(c->wake_fd);
	(void)pthread_mutex_destroy(&c->mu);
	free(c);
}

static void take_over_settings(struct gm_collector *c)
{
	const struct gm_fleet_conf fleet = fleet_conf(c);
	struct gm_err err;

	gm_fleet_reconfigure(c->fleet, &fleet);
	if (gm_sources_reload(c->sources, gm_facts(c->conf.facts), &err))
		gm_error_err("new targets refused, keeping the old ones", &err);
}

static void wait_for_work(struct gm_collector *c, int64_t until_ms)
{
	const int64_t left = until_ms - gm_mono_ms(c->conf.clock);
	struct pollfd fds[] = { { .fd = c->wake_fd, .events = POLLIN },
				{ .fd = gm_sources_fd(c->sources), .events = POLLIN } };
	uint64_t n;

	(void)poll(fds, GM_LEN(fds), left < 0 ? 0 : left > PUBLISH_EVERY_MS ? PUBLISH_EVERY_MS : (int)left);
	if (fds[0].revents)
		(void)!read(c->wake_fd, &n, sizeof(n));
}

/*
 * Publishing makes time pass for devices. After a pause of our own (a suspended machine, a log that cannot be written) they
 * get a second to speak up first, or all would be called silent for what was our silence.
 */
static bool was_held_up(int64_t now_ms, int64_t publish_at_ms)
{
	if (!publish_at_ms || now_ms - publish_at_ms < HELD_UP_MS)
		return false;
	gm_warn("the collector was held up", GM_LOG_INT("ms", now_ms - publish_at_ms));
	return true;
}

static void *run(void *ctx)
{
	struct gm_collector *c = ctx;
	int64_t publish_at = 0;

	while (!atomic_load(&c->stop)) {
		if (atomic_exchange(&c->reload, false))
			take_over_settings(c);
		const int64_t next = gm_sources_step(c->sources, gm_mono_ms(c->conf.clock));
		const int64_t now = gm_mono_ms(c->conf.clock);
		if (now >= publish_at) {
			if (!was_held_up(now, publish_at))
				publish(c);
			publish_at = now + PUBLISH_EVERY_MS - now % PUBLISH_EVERY_MS;
		}
		wait_for_work(c, next < publish_at ? next : publish_at);
	}
	publish(c);
	return NULL;
}

int gm_collector_start(struct gm_collector *c, struct gm_err *err)
{
	const int r = pthread_create(&c->thread, NULL, run, c);

	if (r)
		return gm_fail_errno(err, r, "the collector's thread");
	c->started = true;
	return 0;
}

static void wake(struct gm_collector *c)
{
	const uint64_t one = 1;

	(void)!write(c->wake_fd, &one, sizeof(one));
}

void gm_collector_stop(struct gm_collector *c)
{
	if (!c->started)
		return;
	atomic_store(&c->stop, true);
	wake(c);
	(void)pthread_join(c->thread, NULL);
	c->started = false;
}

struct gm_fleet *gm_collector_fleet(struct gm_collector *c)
{
	return c->fleet;
}

struct gm_sources *gm_collector_sources(struct gm_collector *c)
{
	return c->sources;
}

void gm_collector_reload(struct gm_collector *c)
{
	atomic_store(&c->reload, true);
	wake(c);
}

void gm_collector_stats(struct gm_collector *c, struct gm_collector_stats *out)
{
	(void)pthread_mutex_lock(&c->mu);
	*out = c->stats;
	(void)pthread_mutex_unlock(&c->mu);
}
