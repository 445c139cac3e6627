/* SPDX-License-Identifier: MIT */
/*
 * http-serve [PORT [THREADS]]: a server with trivial answers, to measure what our layer over the library costs.
 * /shared: an answer made once; /made: one written for each request; /events: a stream that ticks each second.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>

#include "adapter/http/http.h"
#include "base/json.h"
#include "base/parse.h"
#include "base/vec.h"

struct bench {
	struct gm_http_shared *shared;
	pthread_mutex_t mu;
	GM_VEC(struct gm_http_stream *) streams; /* guarded by mu */
	_Atomic unsigned tick;
};

struct client {
	struct bench *bench;
	unsigned seen;
};

static int on_shared(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	(void)req;
	(void)err;
	gm_http_answer_shared(res, ((struct bench *)ctx)->shared);
	return 0;
}

static void write_overview(struct gm_buf *out)
{
	struct gm_json w;

	gm_json_init(&w, out);
	gm_json_object(&w);
	gm_json_ki64(&w, "totalGpuDevices", 20000);
	gm_json_ki64(&w, "activeAllocations", 15123);
	gm_json_ki64(&w, "totalMigInstances", 4200);
	gm_json_kfixed(&w, "overallGpuUtilization", 675, 1);
	gm_json_key(&w, "devicesByModel");
	gm_json_object(&w);
	gm_json_ki64(&w, "H100_80GB", 8000);
	gm_json_ki64(&w, "A100_80GB", 11000);
	gm_json_ki64(&w, "RTX4090", 1000);
	gm_json_end_object(&w);
	gm_json_end_object(&w);
}

static int on_made(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	(void)req;
	(void)ctx;
	(void)err;
	write_overview(&res->body);
	return 0;
}

static ssize_t read_tick(void *ctx, char *buf, size_t max)
{
	struct client *c = ctx;
	unsigned tick = c->bench->tick;

	if (c->seen == tick)
		return 0;
	c->seen = tick;
	return snprintf(buf, max, "event: tick\ndata: {\"seq\":%u,\"text\":\"%0400u\"}\n\n", tick, tick);
}

static int on_events(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	static const struct gm_http_stream_ops ops = { .read = read_tick, .free = free };
	struct bench *b = ctx;
	struct client *c = calloc(1, sizeof(*c));
	struct gm_http_stream *stream;

	c->bench = b;
	int rc = gm_http_stream_open(req, res, &ops, c, &stream, err);
	if (rc != 0) {
		free(c);
		return rc;
	}
	pthread_mutex_lock(&b->mu);
	gm_vec_push(&b->streams, stream);
	pthread_mutex_unlock(&b->mu);
	return 0;
}

static void broadcast(struct bench *b)
{
	size_t kept = 0;

	b->tick++;
	pthread_mutex_lock(&b->mu);
	for (size_t i = 0; i < b->streams.count; i++) {
		struct gm_http_stream *s = b->streams.items[i];
		if (gm_http_stream_ended(s)) {
			gm_http_stream_unref(s);
			continue;
		}
		gm_http_stream_wake(s);
		b->streams.items[kept++] = s;
	}
	b->streams.count = kept;
	pthread_mutex_unlock(&b->mu);
}

static const struct gm_route routes[] = {
	{ GM_HTTP_GET, "/api/v1/shared", GM_ROLE_NONE, on_shared, "shared", "bench", "Made once" },
	{ GM_HTTP_GET, "/api/v1/made", GM_ROLE_NONE, on_made, "made", "bench", "Made each time" },
	{ GM_HTTP_GET, "/api/v1/events", GM_ROLE_NONE, on_events, "events", "bench", "A stream",
	  .flags = GM_ROUTE_STREAM },
};

int main(int argc, char **argv)
{
	struct bench b = { .mu = PTHREAD_MUTEX_INITIALIZER };
	struct gm_buf body = { 0 };
	struct gm_http_server *server;
	struct gm_err err = { 0 };
	uint64_t port = 0, threads = 0;
	sigset_t stop;

	if ((argc > 1 && !gm_parse_u64(gm_str(argv[1]), 0, 65535, &port)) ||
	    (argc > 2 && !gm_parse_u64(gm_str(argv[2]), 1, 64, &threads)))
		return 2;
	write_overview(&body);
	b.shared = gm_http_shared_new(&body, &(struct gm_http_shared_info){ .gzip = GM_HTTP_GZIP_LAZY });
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	pthread_sigmask(SIG_BLOCK, &stop, NULL);
	struct gm_http_conf conf = {
		.port = (uint16_t)port,
		.threads = (unsigned)threads,
		.context = "/k8s-monitor",
		.routes = routes,
		.route_count = GM_LEN(routes),
		.ctx = &b,
		.streams_per_address_max = 10000,
		.streams_max = 10000,
		.connections_max = 12000,
	};
	if (gm_http_server_start(&conf, &server, &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	printf("listening on port %u\n", gm_http_server_port(server));
	fflush(stdout);
	struct pollfd p = { .fd = signalfd(-1, &stop, SFD_CLOEXEC), .events = POLLIN };
	while (poll(&p, 1, 1000) == 0)
		broadcast(&b);
	bool clean = gm_http_server_stop(server, 5000);
	gm_http_server_free(server);
	for (size_t i = 0; i < b.streams.count; i++)
		gm_http_stream_unref(b.streams.items[i]);
	gm_vec_fini(&b.streams);
	gm_http_shared_unref(b.shared);
	return clean ? 0 : 1;
}
