/* SPDX-License-Identifier: MIT */
#include "adapter/scrape/scraper-internal.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/promtext.h"

#define LATE_MS 5000
#define ACCEPT "text/plain;version=0.0.4;q=1,*/*;q=0.1"

int gm_scraper_new(const struct gm_scrape_conf *conf, const struct gm_page_sink *sink,
		   void (*removed)(void *ctx, struct gm_str target), const struct gm_clock *clock,
		   struct gm_scraper **out, struct gm_err *err)
{
	GM_AUTO(gm_scraper_free_p) struct gm_scraper *s = gm_xalloc(sizeof(*s));
	const size_t in_flight = conf->in_flight_max ? conf->in_flight_max : 128;
	const struct gm_httpc_conf http = { .in_flight_max = in_flight,
					    .body_max = conf->page_max,
					    .gzip = !conf->no_gzip };
	int rc;

	(void)pthread_mutex_init(&s->mu, NULL);
	s->sink = sink;
	s->removed = removed;
	s->clock = clock;
	s->slots = in_flight;
	s->reader = gm_page_reader_new();
	rc = gm_httpc_new(&http, &s->http, err);
	if (rc == 0)
		rc = gm_scraper_set(s, conf, NULL, 0, err);
	if (rc)
		return rc;
	*out = gm_steal(&s);
	return 0;
}

void gm_scraper_free(struct gm_scraper *s)
{
	if (!s)
		return;
	gm_httpc_free(s->http);
	for (size_t i = 0; i < s->targets.count; i++)
		gm_target_free(s->targets.items[i]);
	for (size_t i = 0; i < s->accesses.count; i++)
		gm_access_free(s->accesses.items[i]);
	gm_vec_fini(&s->targets);
	gm_vec_fini(&s->accesses);
	gm_schedule_fini(&s->schedule);
	gm_page_reader_free(s->reader);
	(void)pthread_mutex_destroy(&s->mu);
	free(s);
}

/* The end of a scrape, in the status that others read. */
struct outcome {
	int64_t at_ms, duration_ms;
	uint64_t bytes;
	const struct gm_page_read *read; /* NULL: it failed */
	const struct gm_err *why;	 /* of the failure, or of a line that was left out */
	bool connected;
	size_t cache_bytes;
};

static void set_state(struct gm_scraper *s, struct gm_target *t, enum gm_target_state state, int64_t at_ms)
{
	if (t->state == state)
		return;
	s->stats.state[t->state]--;
	s->stats.state[state]++;
	t->state = state;
	t->since_ms = at_ms;
}

static void keep_error(struct gm_target *t, const struct gm_err *why)
{
	char text[sizeof(why->where) + sizeof(why->text) + 2] = "";

	if (why)
		(void)snprintf(text, sizeof(text), "%s%s%s", why->where, why->where[0] ? ": " : "", why->text);
	if (t->error && strcmp(t->error, text) == 0)
		return;
	free(t->error);
	t->error = text[0] ? gm_xstrdup(text) : NULL;
}

static void keep_outcome(struct gm_scraper *s, struct gm_target *t, const struct outcome *o)
{
	const struct gm_page_read *read = o->read;

	(void)pthread_mutex_lock(&s->mu);
	t->last_ms = o->at_ms;
	t->duration_ms = o->duration_ms;
	t->scrapes++;
	s->stats.scrapes++;
	s->stats.duration_ms += (uint64_t)o->duration_ms;
	s->stats.bytes += o->bytes;
	s->stats.connects += o->connected;
	s->stats.cache_bytes += o->cache_bytes - t->cache_bytes;
	t->cache_bytes = o->cache_bytes;
	keep_error(t, o->why);
	set_state(s, t, read ? GM_TARGET_UP : GM_TARGET_DOWN, o->at_ms);
	if (read) {
		t->bytes = o->bytes;
		t->kind = read->page.kind;
		t->samples = read->samples;
		t->bad_lines = read->bad_lines;
		t->devices = (uint32_t)read->page.device_count;
		if (!t->node_told && !gm_str_is(read->page.node, t->node)) {
			free(t->node);
			t->node = gm_str_dup(read->page.node);
		}
		s->stats.samples += read->samples;
		s->stats.learnt += read->learnt;
	} else {
		t->failures++;
		s->stats.failures++;
	}
	(void)pthread_mutex_unlock(&s->mu);
}

static void complete_page(const struct gm_target *t, struct gm_page *page)
{
	page->target = gm_str(t->key);
	page->cluster = gm_str(t->cluster);
	page->interval_ms = t->interval_ms;
	if (t->node_told)
		page->node = gm_str(t->node);
	else if (page->node.n == 0)
		page->node = gm_str(t->host);
}

static void fail_target(struct gm_scraper *s, struct gm_target *t, struct outcome *o)
{
	o->read = NULL;
	o->cache_bytes = t->cache_bytes;
	keep_outcome(s, t, o);
	s->sink->failed(s->sink->ctx, gm_str(t->key), o->at_ms, o->why);
}

static void leave_flight(struct gm_scraper *s, struct gm_target *t)
{
	t->in_flight = false;
	s->in_flight--;
	if (t->slow_lane)
		s->slow_in_flight--;
	t->slow_lane = false;
}

static void on_answer(void *ctx, const struct gm_httpc_answer *answer)
{
	struct gm_target *t = ctx;
	struct gm_scraper *s = t->scraper;
	struct gm_page_read read;
	struct gm_err err = answer->err;
	struct outcome o = { .at_ms = gm_wall_ms(s->clock),
			     .duration_ms = answer->duration_us / 1000,
			     .bytes = answer->body.n,
			     .connected = answer->connected_anew,
			     .why = &err };
	int rc = answer->rc;

	leave_flight(s, t);
	t->suspect = rc == GM_ERR_DEADLINE;
	if (rc == 0)
		rc = gm_page_read(s->reader, &t->cache, answer->body, gm_promtext_is_openmetrics(answer->content_type),
				  o.at_ms, &read, &err);
	if (rc) {
		fail_target(s, t, &o);
		return;
	}
	complete_page(t, &read.page);
	o.read = &read;
	o.why = read.bad_lines ? &read.bad : NULL;
	o.cache_bytes = gm_page_cache_bytes(t->cache);
	keep_outcome(s, t, &o);
	s->sink->page(s->sink->ctx, &read.page);
}

static void count_late(struct gm_scraper *s, const struct gm_target *t, int64_t now)
{
	if (t->suspect || now - t->item.due_ms <= LATE_MS)
		return;
	(void)pthread_mutex_lock(&s->mu);
	s->stats.late++;
	(void)pthread_mutex_unlock(&s->mu);
}

/* Asks the target now; its next time is set whatever comes of it. */
static void start(struct gm_scraper *s, struct gm_target *t, int64_t now)
{
	struct gm_err err = { 0 };
	struct gm_httpc_identity *identity = NULL;
	struct gm_httpc_request request = {
		.url = t->url,
		.accept = ACCEPT,
		.timeout_ms = s->timeout_ms < t->interval_ms ? s->timeout_ms : t->interval_ms,
		.place = (uint16_t)(t->hash % (uint64_t)t->interval_ms * 65536 / (uint64_t)t->interval_ms),
		.done = on_answer,
		.ctx = t
	};
	int rc = gm_access_open(t->access, &identity, &err);

	count_late(s, t, now);
	gm_schedule_put(&s->schedule, &t->item, gm_schedule_next(t->hash, t->interval_ms, now));
	request.identity = identity;
	if (rc == 0)
		rc = gm_httpc_get(s->http, &request, &err);
	if (rc) {
		struct outcome o = { .at_ms = gm_wall_ms(s->clock), .why = &err };

		fail_target(s, t, &o);
		return;
	}
	t->in_flight = true;
	t->slow_lane = t->suspect;
	s->in_flight++;
	s->slow_in_flight += t->slow_lane;
}

static size_t slots_of(const struct gm_scraper *s)
{
	return s->one_at_a_time ? 1 : s->slots;
}

static size_t slow_slots_of(const struct gm_scraper *s)
{
	return (slots_of(s) + 1) / 2;
}

static void slow_push(struct gm_scraper *s, struct gm_target *t)
{
	t->slow_waiting = true;
	t->slow_next = NULL;
	*(s->slow_last ? &s->slow_last->slow_next : &s->slow_first) = t;
	s->slow_last = t;
}

static struct gm_target *slow_pop(struct gm_scraper *s)
{
	struct gm_target *t = s->slow_first;

	s->slow_first = t->slow_next;
	if (!s->slow_first)
		s->slow_last = NULL;
	t->slow_waiting = false;
	return t;
}

static bool can_start_slow(const struct gm_scraper *s)
{
	return s->slow_first && s->slow_in_flight < slow_slots_of(s);
}

static void start_due(struct gm_scraper *s, int64_t now)
{
	struct gm_schedule_item *item;

	while (s->in_flight < slots_of(s)) {
		struct gm_target *t;

		if (can_start_slow(s)) {
			start(s, slow_pop(s), now);
			continue;
		}
		item = gm_schedule_first(&s->schedule);
		if (!item || item->due_ms > now)
			return;
		t = gm_target_of(item);
		if (t->in_flight) /* its deadline has come and its end is about to be told */
			gm_schedule_put(&s->schedule, item, gm_schedule_next(t->hash, t->interval_ms, now));
		else if (t->suspect && s->slow_in_flight >= slow_slots_of(s)) {
			gm_schedule_remove(&s->schedule, item);
			slow_push(s, t);
		} else {
			start(s, t, now);
		}
	}
}

int gm_scraper_fd(const struct gm_scraper *s)
{
	return gm_httpc_fd(s->http);
}

int64_t gm_scraper_step(struct gm_scraper *s, int64_t now_mono_ms)
{
	const struct gm_schedule_item *first;
	int64_t next = INT64_MAX, wait;

	gm_httpc_step(s->http);
	start_due(s, now_mono_ms);
	wait = gm_httpc_wait_ms(s->http);
	if (wait >= 0)
		next = now_mono_ms + wait;
	first = gm_schedule_first(&s->schedule);
	if (first && s->in_flight < slots_of(s) && first->due_ms < next)
		next = first->due_ms;
	return next;
}
