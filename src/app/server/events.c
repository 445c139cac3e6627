/* SPDX-License-Identifier: MIT */
#include "app/server/events.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "adapter/http/http.h"
#include "app/server/cells.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "core/auth/auth.h"

/* How many snapshots a client may lie behind and still get an update instead of a reset. */
#define RING 64
/* How many posted messages are kept for clients that are slow to take them; older ones are lost to those. */
#define POSTS 256

/* Bytes that many clients send; counted references. */
struct message {
	atomic_uint refs;
	size_t n;
	char bytes[];
};

struct change {
	uint64_t seq; /* the snapshot these positions changed in; 0: empty */
	uint32_t *positions;
	size_t count;
};

struct post {
	uint64_t number;
	enum gm_topic topic;
	struct message *message;
};

struct client {
	struct client *next, *previous;
	struct gm_events *events;
	struct gm_http_stream *stream;
	unsigned topics;
	int64_t key_id, expires_ms; /* of the key it was opened with; 0: none, never */
	bool ended;
	uint64_t fleet_seq;    /* what it has of the fleet */
	uint64_t overview_seq; /* what it has of the overview */
	uint64_t post_number;  /* the last posted message it has */
	struct message *current;
	size_t sent;
	bool begun;
};

struct gm_events {
	struct gm_events_conf conf;
	pthread_mutex_t mu;
	pthread_cond_t changed;
	/* guarded by mu, all that follows */
	const struct gm_snapshot *snapshot;
	struct change ring[RING];
	struct post posts[POSTS];
	uint64_t last_post;
	struct client *clients;
	struct gm_events_stats stats;
	/* What clients that lie equally far behind share: the update from base to the snapshot, and its overview. */
	struct message *shared_update, *shared_overview;
	uint64_t update_base, update_seq, overview_seq;
	bool stop, pending;
	pthread_t thread;
	struct gm_cell *cells; /* of the last snapshot; the publisher's own */
};

static struct message *message_new(const struct gm_buf *b)
{
	struct message *m = gm_xalloc(sizeof(*m) + b->n);

	atomic_init(&m->refs, 1);
	m->n = b->n;
	memcpy(m->bytes, b->p, b->n);
	return m;
}

static struct message *message_ref(struct message *m)
{
	(void)atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
	return m;
}

static void message_unref(struct message *m)
{
	if (m && atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) == 1)
		free(m);
}

/* An update from base_seq to the snapshot in force as one SSE message; NULL when the ring does not reach back so far. */
static struct message *render_update(struct gm_events *e, uint64_t base_seq)
{
	const struct gm_snapshot *s = e->snapshot;
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
	size_t count = 0;

	if (base_seq < s->layout_seq || base_seq > s->seq)
		return NULL;
	GM_AUTO(gm_free_p) uint8_t *dirty = gm_xalloc(s->device_count + 1);
	for (uint64_t seq = base_seq + 1; seq <= s->seq; seq++) {
		const struct change *c = &e->ring[seq % RING];
		if (c->seq != seq)
			return NULL;
		for (size_t i = 0; i < c->count; i++) {
			count += !dirty[c->positions[i]];
			dirty[c->positions[i]] = 1;
		}
	}
	GM_AUTO(gm_free_p) uint32_t *positions = gm_xalloc(count * sizeof(*positions) + 1);
	size_t n = 0;
	for (uint32_t i = 0; i < s->device_count && n < count; i++) {
		if (dirty[i])
			positions[n++] = i;
	}
	gm_buf_addf(&b, "event: fleet\nid: %llu\ndata: ", (unsigned long long)s->seq);
	gm_cells_write_delta(&b, s, base_seq, positions, n);
	gm_buf_add_cstr(&b, "\n\n");
	e->stats.renderings++;
	return message_new(&b);
}

static struct message *render_reset(const struct gm_snapshot *s)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };

	gm_buf_addf(&b, "event: reset\nid: %llu\ndata: {\"seq\":%llu}\n\n", (unsigned long long)s->seq,
		    (unsigned long long)s->seq);
	return message_new(&b);
}

static struct message *fleet_message(struct gm_events *e, struct client *c)
{
	const struct gm_snapshot *s = e->snapshot;

	if (!(c->topics & GM_TOPIC_FLEET) || c->fleet_seq == s->seq)
		return NULL;
	if (!e->shared_update || e->update_base != c->fleet_seq || e->update_seq != s->seq) {
		struct message *update = render_update(e, c->fleet_seq);
		if (!update)
			update = render_reset(s);
		message_unref(e->shared_update);
		e->shared_update = update;
		e->update_base = c->fleet_seq;
		e->update_seq = s->seq;
	}
	c->fleet_seq = s->seq;
	return message_ref(e->shared_update);
}

static struct message *overview_message(struct gm_events *e, struct client *c)
{
	const struct gm_snapshot *s = e->snapshot;

	if (!(c->topics & GM_TOPIC_OVERVIEW) || c->overview_seq == s->seq)
		return NULL;
	if (!e->shared_overview || e->overview_seq != s->seq) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };

		gm_buf_add_cstr(&b, "event: overview\ndata: ");
		e->conf.overview(e->conf.ctx, s, &b);
		gm_buf_add_cstr(&b, "\n\n");
		message_unref(e->shared_overview);
		e->shared_overview = message_new(&b);
		e->overview_seq = s->seq;
		e->stats.renderings++;
	}
	c->overview_seq = s->seq;
	return message_ref(e->shared_overview);
}

static struct message *posted_message(struct gm_events *e, struct client *c)
{
	while (c->post_number < e->last_post) {
		const struct post *p = &e->posts[++c->post_number % POSTS];
		if (p->number == c->post_number && p->topic & c->topics)
			return message_ref(p->message);
	}
	return NULL;
}

static struct message *next_message(struct gm_events *e, struct client *c)
{
	struct message *m = posted_message(e, c);

	if (!m)
		m = overview_message(e, c);
	return m ? m : fleet_message(e, c);
}

/* False when the stream is over. Otherwise *out is the next message, or NULL when there is none yet. */
static bool take_message(struct gm_events *e, struct client *c, struct message **out)
{
	(void)pthread_mutex_lock(&e->mu);
	const bool over = c->ended || (c->expires_ms && gm_wall_ms(e->conf.clock) >= c->expires_ms);
	*out = over ? NULL : next_message(e, c);
	e->stats.messages += *out != NULL;
	(void)pthread_mutex_unlock(&e->mu);
	return !over;
}

/* Bytes are copied without the lock: thousands of clients take megabytes, and nobody else touches what one has begun. */
static ssize_t client_read(void *ctx, char *buf, size_t max)
{
	struct client *c = ctx;
	size_t n = 0;

	while (n < max) {
		if (!c->current) {
			if (!take_message(c->events, c, &c->current))
				return n ? (ssize_t)n : -1;
			c->sent = 0;
			if (!c->current)
				break;
		}
		const size_t left = c->current->n - c->sent, part = left < max - n ? left : max - n;
		memcpy(buf + n, c->current->bytes + c->sent, part);
		n += part;
		c->sent += part;
		if (c->sent == c->current->n) {
			message_unref(c->current);
			c->current = NULL;
		}
	}
	return (ssize_t)n;
}

static void client_free(void *ctx)
{
	struct client *c = ctx;
	struct gm_events *e = c->events;

	(void)pthread_mutex_lock(&e->mu);
	if (c->previous)
		c->previous->next = c->next;
	else
		e->clients = c->next;
	if (c->next)
		c->next->previous = c->previous;
	e->stats.clients--;
	struct gm_http_stream *stream = c->stream;
	c->stream = NULL;
	(void)pthread_mutex_unlock(&e->mu);
	message_unref(c->current);
	gm_http_stream_unref(stream);
	free(c);
}

static const struct gm_http_stream_ops client_ops = { .read = client_read, .free = client_free };

int gm_events_open(struct gm_events *e, struct gm_http_request *req, struct gm_http_response *res, unsigned topics,
		   uint64_t last_seq, struct gm_err *err)
{
	struct client *c = gm_xalloc(sizeof(*c));

	c->events = e;
	c->topics = topics;
	c->key_id = req->identity ? req->identity->key_id : 0;
	c->expires_ms = req->identity ? req->identity->expires_ms : 0;
	c->fleet_seq = last_seq;
	/* Linked before it is opened: the server may call read, and free, as soon as the stream exists. */
	(void)pthread_mutex_lock(&e->mu);
	c->post_number = e->last_post;
	if (!last_seq)
		c->fleet_seq = e->snapshot->seq;
	c->next = e->clients;
	if (c->next)
		c->next->previous = c;
	e->clients = c;
	e->stats.clients++;
	const int r = gm_http_stream_open(req, res, &client_ops, c, &c->stream, err);
	(void)pthread_mutex_unlock(&e->mu);
	if (r)
		client_free(c);
	return r;
}

/* Wakes the clients outside the collector's thread, so that a thousand of them cost the collector nothing. */
static void *broadcast(void *ctx)
{
	struct gm_events *e = ctx;

	(void)pthread_mutex_lock(&e->mu);
	while (!e->stop) {
		if (!e->pending) {
			(void)pthread_cond_wait(&e->changed, &e->mu);
			continue;
		}
		e->pending = false;
		const size_t count = e->stats.clients;
		struct gm_http_stream **streams = gm_xalloc(count * sizeof(struct gm_http_stream *) + 1);
		size_t n = 0;
		for (struct client *c = e->clients; c; c = c->next) {
			if (c->stream)
				streams[n++] = gm_http_stream_ref(c->stream);
		}
		(void)pthread_mutex_unlock(&e->mu);
		for (size_t i = 0; i < n; i++) {
			gm_http_stream_wake(streams[i]);
			gm_http_stream_unref(streams[i]);
		}
		free(streams);
		(void)pthread_mutex_lock(&e->mu);
	}
	(void)pthread_mutex_unlock(&e->mu);
	return NULL;
}

static void announce(struct gm_events *e)
{
	e->pending = true;
	(void)pthread_cond_signal(&e->changed);
}

struct gm_events *gm_events_new(const struct gm_events_conf *conf)
{
	struct gm_events *e = gm_xalloc(sizeof(*e));

	e->conf = *conf;
	(void)pthread_mutex_init(&e->mu, NULL);
	(void)pthread_cond_init(&e->changed, NULL);
	if (pthread_create(&e->thread, NULL, broadcast, e) != 0)
		abort(); /* no thread at the start: nothing would work */
	return e;
}

void gm_events_free(struct gm_events *e)
{
	if (!e)
		return;
	(void)pthread_mutex_lock(&e->mu);
	e->stop = true;
	(void)pthread_cond_signal(&e->changed);
	(void)pthread_mutex_unlock(&e->mu);
	(void)pthread_join(e->thread, NULL);
	for (size_t i = 0; i < RING; i++)
		free(e->ring[i].positions);
	for (size_t i = 0; i < POSTS; i++)
		message_unref(e->posts[i].message);
	message_unref(e->shared_update);
	message_unref(e->shared_overview);
	gm_snapshot_unref(e->snapshot);
	free(e->cells);
	(void)pthread_cond_destroy(&e->changed);
	(void)pthread_mutex_destroy(&e->mu);
	free(e);
}

static void draw_anew(struct gm_events *e, const struct gm_snapshot *s)
{
	free(e->cells);
	e->cells = gm_xalloc(s->device_count * sizeof(*e->cells) + 1);
	for (size_t i = 0; i < s->device_count; i++)
		e->cells[i] = gm_cell_of(s->devices[i]);
}

/* Most new samples look like the last ones at the width of a cell: clients are told only of those that do not. */
static void find_moved(struct gm_events *e, const struct gm_snapshot *s, struct change *out)
{
	out->positions = gm_xalloc(s->changed_count * sizeof(*out->positions) + 1);
	for (size_t i = 0; i < s->changed_count; i++) {
		const uint32_t at = s->changed[i];
		const struct gm_cell now = gm_cell_of(s->devices[at]);
		if (memcmp(&now, &e->cells[at], sizeof(now)) == 0)
			continue;
		e->cells[at] = now;
		out->positions[out->count++] = at;
	}
}

void gm_events_publish(struct gm_events *e, const struct gm_snapshot *s)
{
	struct change fresh = { .seq = s->seq };

	if (s->layout_seq == s->seq)
		draw_anew(e, s);
	else
		find_moved(e, s, &fresh);
	(void)pthread_mutex_lock(&e->mu);
	struct change *slot = &e->ring[s->seq % RING];
	uint32_t *old = slot->positions;
	const struct gm_snapshot *old_snapshot = e->snapshot;
	*slot = fresh;
	e->snapshot = gm_snapshot_ref(s);
	announce(e);
	(void)pthread_mutex_unlock(&e->mu);
	free(old);
	gm_snapshot_unref(old_snapshot);
}

static const char *event_name(enum gm_topic topic)
{
	switch (topic) {
#define EVENT_NAME(name, bit, word, event, role)                                                                       \
	case GM_TOPIC_##name:                                                                                          \
		return event;
		GM_TOPIC_LIST(EVENT_NAME)
#undef EVENT_NAME
	}
	return "message";
}

void gm_events_post(struct gm_events *e, enum gm_topic topic, struct gm_str data)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };

	gm_buf_addf(&b, "event: %s\ndata: ", event_name(topic));
	gm_buf_add_str(&b, data);
	gm_buf_add_cstr(&b, "\n\n");
	struct message *m = message_new(&b);
	(void)pthread_mutex_lock(&e->mu);
	struct post *p = &e->posts[++e->last_post % POSTS];
	struct message *old = p->message;
	*p = (struct post){ .number = e->last_post, .topic = topic, .message = m };
	announce(e);
	(void)pthread_mutex_unlock(&e->mu);
	message_unref(old);
}

void gm_events_end_key(struct gm_events *e, int64_t key_id)
{
	(void)pthread_mutex_lock(&e->mu);
	for (struct client *c = e->clients; c; c = c->next)
		c->ended = c->ended || c->key_id == key_id;
	announce(e);
	(void)pthread_mutex_unlock(&e->mu);
}

void gm_events_stats(struct gm_events *e, struct gm_events_stats *out)
{
	(void)pthread_mutex_lock(&e->mu);
	*out = e->stats;
	(void)pthread_mutex_unlock(&e->mu);
}
