/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "adapter/http/http-internal.h"
#include "base/alloc.h"

#define HEARTBEAT ": \n\n"
#define PLAIN_BLOCK_BYTES 1024 /* of clients that know no chunks (HTTP/1.0) */

struct gm_http_stream {
	_Atomic unsigned refs;
	struct gm_http_stream *prev, *next; /* of the server, guarded by its mu */
	struct gm_http_server *server;	    /* NULL in tests of handlers */
	const struct gm_http_stream_ops *ops;
	void *ctx;
	char owner[GM_HTTP_ADDRESS_SIZE]; /* "key 7", or the address of who has none: a proxy's clients share one */
	_Atomic bool ended;

	pthread_mutex_t mu;
	struct MHD_Connection *mhd; /* guarded by mu; NULL before it is answered and after its end */
	bool suspended;		    /* guarded by mu */
	bool pending;		    /* guarded by mu: woken while it was awake */
	bool beat;		    /* guarded by mu: a heartbeat is due */
	int64_t sent_ms;	    /* guarded by mu: when bytes went out last */
};

struct gm_http_stream *gm_http_stream_ref(struct gm_http_stream *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void gm_http_stream_unref(struct gm_http_stream *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	(void)pthread_mutex_destroy(&s->mu);
	free(s);
}

bool gm_http_stream_ended(const struct gm_http_stream *s)
{
	return atomic_load_explicit(&s->ended, memory_order_acquire) ||
	       (s->server && atomic_load_explicit(&s->server->stopping, memory_order_acquire));
}

void gm_http_stream_wake(struct gm_http_stream *s)
{
	(void)pthread_mutex_lock(&s->mu);
	s->pending = true;
	if (s->suspended) {
		s->suspended = false;
		MHD_resume_connection(s->mhd);
	}
	(void)pthread_mutex_unlock(&s->mu);
}

static int list_add(struct gm_http_stream *s, struct gm_err *err)
{
	struct gm_http_server *server = s->server;
	size_t same = 0;
	int rc = 0;

	(void)pthread_mutex_lock(&server->mu);
	for (const struct gm_http_stream *other = server->streams; other; other = other->next)
		same += strcmp(other->owner, s->owner) == 0;
	if (atomic_load_explicit(&server->stopping, memory_order_acquire)) {
		rc = gm_fail(err, GM_ERR_STOPPED, "the server is shutting down");
	} else if (server->stream_count >= server->conf.streams_max) {
		rc = gm_fail(err, GM_ERR_LIMITED, "too many open streams (%zu)", server->stream_count);
	} else if (same >= server->conf.streams_per_address_max) {
		rc = gm_fail(err, GM_ERR_LIMITED, "too many open streams of %s (%zu)", s->owner, same);
	} else {
		s->next = server->streams;
		if (s->next)
			s->next->prev = s;
		server->streams = s;
		server->stream_count++;
	}
	(void)pthread_mutex_unlock(&server->mu);
	return rc;
}

static void list_remove(struct gm_http_stream *s)
{
	struct gm_http_server *server = s->server;

	(void)pthread_mutex_lock(&server->mu);
	if (s->prev)
		s->prev->next = s->next;
	else
		server->streams = s->next;
	if (s->next)
		s->next->prev = s->prev;
	server->stream_count--;
	(void)pthread_mutex_unlock(&server->mu);
}

int gm_http_stream_open(struct gm_http_request *req, struct gm_http_response *res, const struct gm_http_stream_ops *ops,
			void *take_ctx, struct gm_http_stream **out, struct gm_err *err)
{
	struct gm_exchange *ex = req->internal;
	struct gm_http_stream *s = gm_xalloc(sizeof(*s));
	int rc = 0;

	atomic_init(&s->refs, 1);
	s->server = ex ? ex->server : NULL;
	(void)pthread_mutex_init(&s->mu, NULL);
	if (req->identity && req->identity->key_id)
		(void)snprintf(s->owner, sizeof(s->owner), "key %lld", (long long)req->identity->key_id);
	else if (req->peer)
		(void)gm_str_copy(gm_str(req->peer->address), s->owner, sizeof(s->owner));
	if (s->server) {
		s->sent_ms = atomic_load_explicit(&s->server->now_ms, memory_order_relaxed);
		rc = list_add(s, err);
	}
	if (rc != 0) {
		gm_http_stream_unref(s);
		return rc;
	}
	s->ops = ops;
	s->ctx = take_ctx;
	gm_http_stream_discard(res->stream);
	res->stream = s;
	if (out)
		*out = gm_http_stream_ref(s);
	return 0;
}

/* The end, however it came: no read follows, no wake touches the connection. Drops the response's reference. */
void gm_http_stream_discard(struct gm_http_stream *s)
{
	if (!s)
		return;
	(void)pthread_mutex_lock(&s->mu);
	atomic_store_explicit(&s->ended, true, memory_order_release);
	s->mhd = NULL;
	s->suspended = false;
	(void)pthread_mutex_unlock(&s->mu);
	if (s->server)
		list_remove(s);
	if (s->ops->free)
		s->ops->free(s->ctx);
	gm_http_stream_unref(s);
}

ssize_t gm_http_stream_read(struct gm_http_stream *s, char *buf, size_t max)
{
	return s->ops->read(s->ctx, buf, max);
}

static void on_free(void *cls)
{
	gm_http_stream_discard(cls);
}

/* Called with mu held; what to do when the application had nothing. */
static ssize_t nothing_now(struct gm_http_stream *s, char *buf, size_t max)
{
	if (s->beat && max >= sizeof(HEARTBEAT) - 1) {
		s->beat = false;
		memcpy(buf, HEARTBEAT, sizeof(HEARTBEAT) - 1);
		return (ssize_t)(sizeof(HEARTBEAT) - 1);
	}
	s->suspended = true;
	MHD_suspend_connection(s->mhd);
	return 0;
}

/*
 * The lock is not held while the application reads. A wake that falls between its answer "nothing" and the suspension
 * leaves `pending`, and the loop asks again: no wake is lost. Returning 0 without suspending would spin.
 */
static ssize_t on_read(void *cls, uint64_t pos, char *buf, size_t max)
{
	struct gm_http_stream *s = cls;
	ssize_t n = 0;
	(void)pos;

	(void)pthread_mutex_lock(&s->mu);
	do {
		s->pending = false;
		(void)pthread_mutex_unlock(&s->mu);
		n = gm_http_stream_ended(s) ? -1 : s->ops->read(s->ctx, buf, max);
		(void)pthread_mutex_lock(&s->mu);
	} while (n == 0 && s->pending);
	if (n == 0)
		n = nothing_now(s, buf, max);
	if (n > 0)
		s->sent_ms = atomic_load_explicit(&s->server->now_ms, memory_order_relaxed);
	(void)pthread_mutex_unlock(&s->mu);
	return n < 0 ? MHD_CONTENT_READER_END_OF_STREAM : n;
}

enum MHD_Result gm_http_stream_answer(struct gm_exchange *ex, struct MHD_Response **out)
{
	struct gm_http_stream *s = ex->res.stream;

	*out = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PLAIN_BLOCK_BYTES, on_read, s, on_free);
	if (!*out)
		return MHD_NO;
	/* From here the library's response owns the reference and ends the stream. */
	ex->res.stream = NULL;
	(void)pthread_mutex_lock(&s->mu);
	s->mhd = ex->mhd;
	(void)pthread_mutex_unlock(&s->mu);
	atomic_fetch_add_explicit(&ex->server->streams_opened, 1, memory_order_relaxed);
	return MHD_YES;
}

void gm_http_streams_beat(struct gm_http_server *server, int64_t now_ms)
{
	(void)pthread_mutex_lock(&server->mu);
	for (struct gm_http_stream *s = server->streams; s; s = s->next) {
		(void)pthread_mutex_lock(&s->mu);
		if (now_ms - s->sent_ms >= server->conf.heartbeat_ms && s->suspended) {
			s->beat = true;
			s->suspended = false;
			MHD_resume_connection(s->mhd);
		}
		(void)pthread_mutex_unlock(&s->mu);
	}
	(void)pthread_mutex_unlock(&server->mu);
}

void gm_http_streams_wake_all(struct gm_http_server *server)
{
	(void)pthread_mutex_lock(&server->mu);
	for (struct gm_http_stream *s = server->streams; s; s = s->next)
		gm_http_stream_wake(s);
	(void)pthread_mutex_unlock(&server->mu);
}
