/* SPDX-License-Identifier: MIT */
#include "adapter/http/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>

#include "wire.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define LONG_MS 20000

static struct gm_http_server *server;
static sem_t entered, may_go;
static _Atomic int frees;

static int on_quick(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	(void)req;
	(void)ctx;
	(void)err;
	gm_buf_add_cstr(&res->body, "{}");
	return 0;
}

static int on_slow(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	(void)sem_post(&entered);
	(void)sem_wait(&may_go);
	return on_quick(req, res, ctx, err);
}

static ssize_t read_nothing(void *ctx, char *buf, size_t max)
{
	(void)ctx;
	(void)buf;
	(void)max;
	return 0;
}

static void count_free(void *ctx)
{
	(void)ctx;
	frees++;
}

static int on_events(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	static const struct gm_http_stream_ops ops = { read_nothing, count_free };

	return gm_http_stream_open(req, res, &ops, ctx, NULL, err);
}

static const struct gm_route routes[] = {
	{ .path = "/quick", .handler = on_quick, .operation = "quick" },
	{ .method = GM_HTTP_POST, .path = "/quick", .handler = on_quick, .operation = "post", .request = "Any" },
	{ .path = "/slow", .handler = on_slow, .operation = "slow" },
	{ .path = "/events", .handler = on_events, .operation = "events", .flags = GM_ROUTE_STREAM },
};

static int set_up(void **state)
{
	const struct gm_http_conf conf = {
		.routes = routes, .route_count = GM_LEN(routes), .threads = 2, .streams_per_address_max = 1000
	};
	struct gm_err err = { 0 };
	(void)state;

	frees = 0;
	(void)sem_init(&entered, 0, 0);
	(void)sem_init(&may_go, 0, 0);
	if (gm_http_server_start(&conf, &server, &err) != 0)
		fail_msg("%s", err.text);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	gm_http_server_free(server);
	(void)sem_destroy(&entered);
	(void)sem_destroy(&may_go);
	return 0;
}

static void open_wire(struct wire *w)
{
	assert_true(wire_open(w, gm_http_server_port(server)));
}

static int64_t now_ms(void)
{
	return gm_mono_ms(gm_clock_system());
}

static void test_stop_ends_streams_and_idle_connections(void **state)
{
	static struct wire wires[100];
	struct wire late;
	(void)state;

	for (size_t i = 0; i < GM_LEN(wires); i++) {
		open_wire(&wires[i]);
		assert_true(wire_sends(&wires[i], i % 2 ? GET("/events") : GET("/quick")));
		assert_true(i % 2 ? wire_read_head(&wires[i]) : wire_read(&wires[i], false));
		assert_int_equal(wires[i].status, 200);
	}
	int64_t begin_ms = now_ms();
	assert_true(gm_http_server_stop(server, LONG_MS));
	assert_true(now_ms() - begin_ms < LONG_MS / 2);
	assert_int_equal(frees, GM_LEN(wires) / 2);
	for (size_t i = 0; i < GM_LEN(wires); i++) {
		/* A stream's end is a proper one: the last chunk. */
		if (i % 2)
			assert_true(wire_until(&wires[i], "0\r\n\r\n"));
		assert_true(wire_ends(&wires[i]));
		wire_close(&wires[i]);
	}
	assert_false(wire_open(&late, gm_http_server_port(server)));
	/* Again is fine. */
	assert_true(gm_http_server_stop(server, LONG_MS));
}

static void *stop(void *arg)
{
	*(bool *)arg = gm_http_server_stop(server, LONG_MS);
	return NULL;
}

static void test_request_in_flight_is_answered(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	GM_AUTO(wire_close_p) struct wire idle;
	struct wire late;
	pthread_t stopper;
	bool clean = false;
	(void)state;

	open_wire(&w);
	assert_true(wire_sends(&w, GET("/slow")));
	(void)sem_wait(&entered);
	open_wire(&idle);
	assert_int_equal(pthread_create(&stopper, NULL, stop, &clean), 0);
	/* The closed listener shows that the stop is under way. */
	while (wire_open(&late, gm_http_server_port(server)))
		wire_close(&late);
	(void)sem_post(&may_go);
	assert_true(wire_read(&w, false));
	assert_int_equal(w.status, 200);
	assert_true(gm_str_is(wire_header(&w, "Connection"), "close"));
	assert_true(wire_ends(&w));
	assert_true(wire_ends(&idle));
	assert_int_equal(pthread_join(stopper, NULL), 0);
	assert_true(clean);
}

static void test_deadline_cuts_who_does_not_end(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	(void)state;

	open_wire(&w);
	/* Its answer shows that the second, half-sent request has reached the server. */
	assert_true(wire_sends(&w, GET("/quick") "POST /quick HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
						 "Expect: 100-continue\r\n\r\n"));
	assert_true(wire_read(&w, false));
	assert_true(wire_read_head(&w));
	int64_t begin_ms = now_ms();
	assert_int_equal(w.status, 100);
	assert_false(gm_http_server_stop(server, 50));
	assert_true(now_ms() - begin_ms < LONG_MS / 2);
	assert_true(wire_ends(&w));
}

/* Each answer is whole, or there is none: a request that was too late is not half answered. */
static size_t count_answers(struct wire *w)
{
	size_t n = 0;

	while (wire_read(w, false)) {
		assert_int_equal(w->status, 200);
		assert_string_equal(gm_buf_cstr(&w->body), "{}");
		n++;
	}
	assert_int_equal(w->in.n, 0);
	return n;
}

static void test_stop_under_load_is_clean_each_time(void **state)
{
	static struct wire wires[16];
	GM_AUTO(gm_buf_fini_p) struct gm_buf requests = { 0 };
	size_t answers = 0;

	for (int i = 0; i < 20; i++)
		gm_buf_add_cstr(&requests, GET("/quick"));
	for (int round = 0; round < 40; round++) {
		for (size_t i = 0; i < GM_LEN(wires); i++) {
			open_wire(&wires[i]);
			assert_true(wire_send(&wires[i], gm_buf_str(&requests)));
		}
		assert_true(gm_http_server_stop(server, LONG_MS));
		for (size_t i = 0; i < GM_LEN(wires); i++) {
			answers += count_answers(&wires[i]);
			wire_close(&wires[i]);
		}
		assert_int_equal(tear_down(state), 0);
		assert_int_equal(set_up(state), 0);
	}
	assert_true(answers > 0);
}

static void test_free_without_stop_is_fine(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	(void)state;

	open_wire(&w);
	assert_true(wire_sends(&w, GET("/events")));
	assert_true(wire_read_head(&w));
	gm_http_server_free(server);
	server = NULL;
	assert_int_equal(frees, 1);
	gm_http_server_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stop_ends_streams_and_idle_connections, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_request_in_flight_is_answered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_deadline_cuts_who_does_not_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stop_under_load_is_clean_each_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_free_without_stop_is_fine, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("http/stop", tests, NULL, NULL);
}
