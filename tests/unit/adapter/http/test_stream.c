/* SPDX-License-Identifier: MIT */
#include "adapter/http/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/vec.h"
#include "core/auth/auth.h"
#include "wire.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"

struct app {
	struct gm_http_server *server;
	pthread_mutex_t mu;
	pthread_cond_t freed;
	GM_VEC(struct gm_http_stream *) streams; /* guarded by mu */
	size_t frees;				 /* guarded by mu */
	_Atomic unsigned message;		 /* number of the newest */
	_Atomic unsigned last;			 /* the stream ends behind this one; 0: never */
};

struct client {
	struct app *app;
	unsigned seen;
};

static struct app app;

/* Newest value wins, as the product's streams do: numbers may be left out, never the last. */
static ssize_t read_newest(void *ctx, char *buf, size_t max)
{
	struct client *c = ctx;
	unsigned newest = c->app->message;

	if (c->app->last && c->seen >= c->app->last)
		return -1;
	if (c->seen == newest)
		return 0;
	c->seen = newest;
	return snprintf(buf, max, "data: <%u>\n\n", newest);
}

static void free_client(void *ctx)
{
	free(ctx);
	pthread_mutex_lock(&app.mu);
	app.frees++;
	pthread_cond_broadcast(&app.freed);
	pthread_mutex_unlock(&app.mu);
}

static int open_stream(struct gm_http_request *req, struct gm_http_response *res, struct gm_err *err)
{
	static const struct gm_http_stream_ops ops = { read_newest, free_client };
	struct client *c = calloc(1, sizeof(*c));
	struct gm_http_stream *stream;

	c->app = &app;
	int rc = gm_http_stream_open(req, res, &ops, c, &stream, err);
	if (rc != 0) {
		free(c);
		return rc;
	}
	pthread_mutex_lock(&app.mu);
	gm_vec_push(&app.streams, stream);
	pthread_mutex_unlock(&app.mu);
	return 0;
}

static int on_events(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	(void)ctx;
	return open_stream(req, res, err);
}

static int on_regret(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	int rc = open_stream(req, res, err);
	(void)ctx;

	return rc != 0 ? rc : gm_fail(err, GM_ERR_BUSY, "after all not");
}

static int identify(void *ctx, const struct gm_http_peer *peer, struct gm_str authorization, struct gm_identity *out,
		    struct gm_err *err)
{
	(void)ctx;
	(void)peer;
	(void)err;
	*out = (struct gm_identity){ .role = GM_ROLE_VIEWER, .key_id = authorization.n ? 7 : 0 };
	return 0;
}

static const struct gm_route routes[] = {
	{ .path = "/events", .handler = on_events, .operation = "events", .flags = GM_ROUTE_STREAM },
	{ .path = "/regret", .handler = on_regret, .operation = "regret" },
};

static void start(struct gm_http_conf conf)
{
	struct gm_err err = { 0 };

	app = (struct app){ .mu = PTHREAD_MUTEX_INITIALIZER, .freed = PTHREAD_COND_INITIALIZER };
	conf.routes = routes;
	conf.route_count = GM_LEN(routes);
	conf.threads = 2;
	conf.identify = identify;
	if (gm_http_server_start(&conf, &app.server, &err) != 0)
		fail_msg("%s", err.text);
}

static int set_up(void **state)
{
	(void)state;
	start((struct gm_http_conf){ .streams_per_address_max = 1000 });
	return 0;
}

static int set_up_beating(void **state)
{
	(void)state;
	start((struct gm_http_conf){ .heartbeat_ms = 40 });
	return 0;
}

static int set_up_few(void **state)
{
	(void)state;
	start((struct gm_http_conf){ .streams_per_address_max = 2 });
	return 0;
}

static int set_up_few_in_all(void **state)
{
	(void)state;
	start((struct gm_http_conf){ .streams_max = 1 });
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	gm_http_server_free(app.server);
	for (size_t i = 0; i < app.streams.count; i++)
		gm_http_stream_unref(app.streams.items[i]);
	gm_vec_fini(&app.streams);
	return 0;
}

static void say(void)
{
	app.message++;
	pthread_mutex_lock(&app.mu);
	for (size_t i = 0; i < app.streams.count; i++)
		gm_http_stream_wake(app.streams.items[i]);
	pthread_mutex_unlock(&app.mu);
}

static bool wait_for_frees(size_t n)
{
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WIRE_WAIT_MS / 1000;
	pthread_mutex_lock(&app.mu);
	while (app.frees < n && rc == 0)
		rc = pthread_cond_timedwait(&app.freed, &app.mu, &until);
	bool enough = app.frees >= n;
	pthread_mutex_unlock(&app.mu);
	return enough;
}

static void subscribe(struct wire *w)
{
	assert_true(wire_open(w, gm_http_server_port(app.server)));
	assert_true(wire_sends(w, GET("/events")));
	assert_true(wire_read_head(w));
	assert_int_equal(w->status, 200);
}

static void test_messages_come_when_woken(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	(void)state;

	subscribe(&w);
	assert_true(gm_str_is(wire_header(&w, "Content-Type"), "text/event-stream"));
	assert_true(gm_str_is(wire_header(&w, "Cache-Control"), "no-store"));
	assert_true(gm_str_is(wire_header(&w, "Transfer-Encoding"), "chunked"));
	for (unsigned i = 1; i <= 20; i++) {
		char expected[32];
		say();
		(void)snprintf(expected, sizeof(expected), "data: <%u>\n\n", i);
		assert_true(wire_until(&w, expected));
	}
}

static void *talk(void *arg)
{
	for (int i = 0; i < 5000; i++)
		say();
	return arg;
}

static void test_no_wake_is_lost(void **state)
{
	GM_AUTO(wire_close_p) struct wire a;
	GM_AUTO(wire_close_p) struct wire b;
	pthread_t talkers[3];
	(void)state;

	subscribe(&a);
	subscribe(&b);
	for (size_t i = 0; i < GM_LEN(talkers); i++)
		assert_int_equal(pthread_create(&talkers[i], NULL, talk, NULL), 0);
	assert_true(wire_until(&a, "<15000>"));
	assert_true(wire_until(&b, "<15000>"));
	for (size_t i = 0; i < GM_LEN(talkers); i++)
		assert_int_equal(pthread_join(talkers[i], NULL), 0);
}

static void test_idle_streams_get_heartbeats(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	(void)state;

	subscribe(&w);
	assert_true(wire_until(&w, ": \n\n"));
	assert_true(wire_until(&w, ": \n\n"));
	say();
	assert_true(wire_until(&w, "data: <1>"));
	assert_true(wire_until(&w, ": \n\n"));
}

static void test_gone_clients_are_noticed_by_heartbeats(void **state)
{
	struct wire w;
	struct gm_http_stats stats;
	(void)state;

	subscribe(&w);
	wire_close(&w);
	assert_true(wait_for_frees(1));
	pthread_mutex_lock(&app.mu);
	assert_true(gm_http_stream_ended(app.streams.items[0]));
	gm_http_stream_wake(app.streams.items[0]);
	pthread_mutex_unlock(&app.mu);
	gm_http_server_stats(app.server, &stats);
	assert_int_equal(stats.streams, 0);
	assert_int_equal(stats.streams_opened, 1);
}

static void test_stream_may_end_and_the_connection_goes_on(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	(void)state;

	app.last = 1;
	app.message = 1;
	assert_true(wire_open(&w, gm_http_server_port(app.server)));
	assert_true(wire_ask(&w, GET("/events")));
	assert_string_equal(gm_buf_cstr(&w.body), "data: <1>\n\n");
	assert_true(wait_for_frees(1));
	assert_true(wire_ask(&w, GET("/events")));
	assert_true(wait_for_frees(2));
}

static void test_streams_of_an_address_are_limited(void **state)
{
	GM_AUTO(wire_close_p) struct wire a;
	GM_AUTO(wire_close_p) struct wire b;
	GM_AUTO(wire_close_p) struct wire c;
	(void)state;

	subscribe(&a);
	subscribe(&b);
	assert_true(wire_open(&c, gm_http_server_port(app.server)));
	assert_true(wire_ask(&c, GET("/events")));
	assert_int_equal(c.status, 429);
	assert_true(wire_header(&c, "Retry-After").n > 0);
	assert_non_null(strstr(gm_buf_cstr(&c.body), "of 127.0.0.1 (2)"));
	/* Who shows a key is counted by it, not by the proxy's address. */
	assert_true(wire_sends(&c, "GET /events HTTP/1.1\r\nHost: localhost\r\nX-API-Key: k\r\n\r\n"));
	assert_true(wire_read_head(&c));
	assert_int_equal(c.status, 200);
}

static void test_streams_in_all_are_limited(void **state)
{
	GM_AUTO(wire_close_p) struct wire a;
	GM_AUTO(wire_close_p) struct wire b;
	(void)state;

	subscribe(&a);
	assert_true(wire_open(&b, gm_http_server_port(app.server)));
	assert_true(wire_ask(&b, GET("/events")));
	assert_int_equal(b.status, 429);
	/* Its place is free again when the first has ended. */
	app.last = 1;
	say();
	assert_true(wait_for_frees(1));
	app.last = 0;
	assert_true(wire_sends(&b, GET("/events")));
	assert_true(wire_read_head(&b));
	assert_int_equal(b.status, 200);
}

static void test_handler_may_fail_after_opening(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	(void)state;

	assert_true(wire_open(&w, gm_http_server_port(app.server)));
	assert_true(wire_ask(&w, GET("/regret")));
	assert_int_equal(w.status, 503);
	assert_true(wait_for_frees(1));
	say();
}

static void test_head_opens_no_stream(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	(void)state;

	assert_true(wire_open(&w, gm_http_server_port(app.server)));
	assert_true(wire_ask(&w, "HEAD /events HTTP/1.1\r\nHost: localhost\r\n\r\n"));
	assert_int_equal(w.status, 200);
	assert_true(gm_str_is(wire_header(&w, "Content-Type"), "text/event-stream"));
	assert_int_equal(app.streams.count, 0);
}

static void test_http10_client_gets_a_stream_without_chunks(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	(void)state;

	assert_true(wire_open(&w, gm_http_server_port(app.server)));
	assert_true(wire_sends(&w, "GET /events HTTP/1.0\r\n\r\n"));
	assert_true(wire_read_head(&w));
	assert_int_equal(wire_header(&w, "Transfer-Encoding").n, 0);
	say();
	assert_true(wire_until(&w, "data: <1>\n\n"));
}

static void test_broadcast_reaches_all(void **state)
{
	static struct wire wires[150];
	(void)state;

	for (size_t i = 0; i < GM_LEN(wires); i++)
		subscribe(&wires[i]);
	for (unsigned round = 1; round <= 5; round++) {
		char expected[32];
		say();
		(void)snprintf(expected, sizeof(expected), "<%u>", round);
		for (size_t i = 0; i < GM_LEN(wires); i++)
			assert_true(wire_until(&wires[i], expected));
	}
	/* Half of them leave while they are spoken to. */
	for (size_t i = 0; i < GM_LEN(wires); i += 2)
		wire_close(&wires[i]);
	for (unsigned round = 6; round <= 10; round++)
		say();
	for (size_t i = 1; i < GM_LEN(wires); i += 2)
		assert_true(wire_until(&wires[i], "<10>"));
	for (size_t i = 1; i < GM_LEN(wires); i += 2)
		wire_close(&wires[i]);
}

#define WITH(setup, name) cmocka_unit_test_setup_teardown(name, setup, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(set_up, test_messages_come_when_woken),
		WITH(set_up, test_no_wake_is_lost),
		WITH(set_up_beating, test_idle_streams_get_heartbeats),
		WITH(set_up_beating, test_gone_clients_are_noticed_by_heartbeats),
		WITH(set_up, test_stream_may_end_and_the_connection_goes_on),
		WITH(set_up_few, test_streams_of_an_address_are_limited),
		WITH(set_up_few_in_all, test_streams_in_all_are_limited),
		WITH(set_up, test_handler_may_fail_after_opening),
		WITH(set_up, test_head_opens_no_stream),
		WITH(set_up, test_http10_client_gets_a_stream_without_chunks),
		WITH(set_up, test_broadcast_reaches_all),
	};

	return cmocka_run_group_tests_name("http/stream", tests, NULL, NULL);
}
