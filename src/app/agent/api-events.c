/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "app/agent/api-internal.h"
#include "app/agent/mig-manager.h"
#include "base/alloc.h"

/*
 * GET /v1/events: one event `mig` with the last operations whenever one began, got on or ended, and one at the beginning.
 * Whoever is slow gets the newest and misses those between.
 */
struct client {
	struct gm_agent_api *api;
	uint64_t told; /* the manager's count of changes; UINT64_MAX: nothing yet */
	struct gm_buf text;
	size_t sent; /* of text */
};

static void compose(struct client *c)
{
	gm_buf_reset(&c->text);
	c->sent = 0;
	gm_buf_addf(&c->text, "event: mig\nid: %llu\ndata: ", (unsigned long long)c->told);
	gm_mig_manager_operations(c->api->mig, &c->text);
	gm_buf_add_cstr(&c->text, "\n\n");
}

static ssize_t client_read(void *ctx, char *buf, size_t max)
{
	struct client *c = ctx;
	size_t n = c->text.n - c->sent;

	if (n == 0) {
		/* Counted before it is written down: a change in between is told once more. */
		const uint64_t changes = gm_mig_manager_changes(c->api->mig);

		if (changes == c->told)
			return 0;
		c->told = changes;
		compose(c);
		n = c->text.n;
	}
	n = n < max ? n : max;
	memcpy(buf, c->text.p + c->sent, n);
	c->sent += n;
	return (ssize_t)n;
}

static void client_free(void *ctx)
{
	struct client *c = ctx;

	gm_buf_fini(&c->text);
	free(c);
}

static int keep_stream(struct gm_agent_api *api, struct gm_http_stream *take_stream)
{
	size_t i = 0;

	(void)pthread_mutex_lock(&api->mu);
	while (i < GM_AGENT_STREAMS_MAX && api->streams[i] && !gm_http_stream_ended(api->streams[i]))
		i++;
	if (i < GM_AGENT_STREAMS_MAX) {
		gm_http_stream_unref(api->streams[i]);
		api->streams[i] = take_stream;
	}
	(void)pthread_mutex_unlock(&api->mu);
	return i < GM_AGENT_STREAMS_MAX ? 0 : -1;
}

int gm_agent_get_events(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	static const struct gm_http_stream_ops ops = { .read = client_read, .free = client_free };
	struct gm_agent_api *api = ctx;
	struct gm_http_stream *stream = NULL;
	struct client *c;
	int rc;

	if (!api->mig)
		return gm_fail(err, GM_ERR_UNSUPPORTED, "this agent does not look after MIG");
	c = gm_xalloc(sizeof(*c));
	c->api = api;
	c->told = UINT64_MAX;
	rc = gm_http_stream_open(req, res, &ops, c, &stream, err);
	if (rc) {
		client_free(c);
		return rc;
	}
	if (keep_stream(api, stream)) {
		gm_http_stream_unref(stream);
		return gm_fail(err, GM_ERR_LIMITED, "%d clients listen to events already", GM_AGENT_STREAMS_MAX);
	}
	return 0;
}

void gm_agent_api_news(struct gm_agent_api *api)
{
	const uint64_t changes = api->mig ? gm_mig_manager_changes(api->mig) : 0;

	if (changes == api->mig_changes)
		return;
	api->mig_changes = changes;
	(void)pthread_mutex_lock(&api->mu);
	for (size_t i = 0; i < GM_AGENT_STREAMS_MAX; i++)
		if (api->streams[i])
			gm_http_stream_wake(api->streams[i]);
	(void)pthread_mutex_unlock(&api->mu);
}
