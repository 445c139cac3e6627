/* SPDX-License-Identifier: MIT */
#include "adapter/http/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/vec.h"
#include "wire.h"

/* Handlers that promise an answer, and one thread that gives them: at once, when it is told, or as failures. */
#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"

struct promise {
	struct gm_http_later *later;
	struct gm_http_response *res;
	struct gm_err *err;
	const char *text;
	int code;
};

static struct app {
	struct gm_http_server *server;
	pthread_mutex_t mu;
	pthread_cond_t changed;
	pthread_t thread;
	GM_VEC(struct promise) promises; /* guarded by mu */
	size_t held;			 /* guarded by mu: promises that were made and not kept while `hold` is set */
	bool hold, stop;		 /* guarded by mu */
} app;

static void keep(const struct promise *p)
{
	if (p->code)
		(void)gm_fail(p->err, p->code, "%s", p->text);
	else
		gm_buf_addf(&p->res->body, "\"%s\"", p->text);
	gm_http_later_done(p->later, p->code);
}

static void *keeper(void *arg)
{
	(void)arg;
	(void)pthread_mutex_lock(&app.mu);
	while (!app.stop || app.promises.count) {
		if (!app.promises.count || (app.hold && !app.stop)) {
			(void)pthread_cond_wait(&app.changed, &app.mu);
			continue;
		}
		const struct promise p = app.promises.items[--app.promises.count];
		(void)pthread_mutex_unlock(&app.mu);
		keep(&p);
		(void)pthread_mutex_lock(&app.mu);
	}
	(void)pthread_mutex_unlock(&app.mu);
	return NULL;
}

static int promise(struct gm_http_request *req, struct gm_http_response *res, const char *text, int code,
		   struct gm_err *err)
{
	struct gm_http_later *later = gm_http_later(req);

	if (!later)
		return gm_fail(err, GM_ERR_INTERNAL, "nobody to answer later");
	(void)pthread_mutex_lock(&app.mu);
	gm_vec_push(&app.promises, ((struct promise){ later, res, err, text, code }));
	app.held++;
	(void)pthread_cond_broadcast(&app.changed);
	(void)pthread_mutex_unlock(&app.mu);
	return GM_HTTP_LATER;
}

static int on_fine(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	(void)ctx;
	return promise(req, res, "fine", 0, err);
}

static int on_wrong(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	(void)ctx;
	return promise(req, res, "taken", GM_ERR_CONFLICT, err);
}

/* The other thread is done before the handler has returned. */
static int on_early(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct gm_http_later *later = gm_http_later(req);

	(void)ctx;
	(void)err;
	gm_buf_add_cstr(&res->body, "\"early\"");
	gm_http_later_done(later, 0);
	return GM_HTTP_LATER;
}

static int on_now(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	(void)req;
	(void)ctx;
	(void)err;
	gm_buf_add_cstr(&res->body, "\"now\"");
	return 0;
}

static const struct gm_route routes[] = {
	{ .path = "/fine", .handler = on_fine, .operation = "fine", .success = 201 },
	{ .path = "/wrong", .handler = on_wrong, .operation = "wrong" },
	{ .path = "/early", .handler = on_early, .operation = "early" },
	{ .path = "/now", .handler = on_now, .operation = "now" },
};

static int set_up(void **state)
{
	const struct gm_http_conf conf = { .routes = routes, .route_count = GM_LEN(routes), .threads = 1 };
	struct gm_err err = { 0 };

	(void)state;
	app = (struct app){ .mu = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
	if (gm_http_server_start(&conf, &app.server, &err) != 0)
		fail_msg("%s", err.text);
	return pthread_create(&app.thread, NULL, keeper, NULL);
}

static void set(bool *what, bool value)
{
	(void)pthread_mutex_lock(&app.mu);
	*what = value;
	(void)pthread_cond_broadcast(&app.changed);
	(void)pthread_mutex_unlock(&app.mu);
}

static void wait_for_held(size_t count)
{
	(void)pthread_mutex_lock(&app.mu);
	while (app.held < count)
		(void)pthread_cond_wait(&app.changed, &app.mu);
	(void)pthread_mutex_unlock(&app.mu);
}

static int tear_down(void **state)
{
	(void)state;
	set(&app.stop, true);
	gm_http_server_free(app.server);
	(void)pthread_join(app.thread, NULL);
	gm_vec_fini(&app.promises);
	return 0;
}

static void test_an_answer_comes_from_another_thread(void **state)
{
	GM_AUTO(wire_close_p) struct wire w = { 0 };

	(void)state;
	assert_true(wire_open(&w, gm_http_server_port(app.server)));
	for (int i = 0; i < 50; i++) {
		assert_true(wire_ask(&w, GET("/fine")));
		assert_int_equal(w.status, 201);
		assert_string_equal(gm_buf_cstr(&w.body), "\"fine\"");
		assert_true(wire_ask(&w, GET("/early")));
		assert_int_equal(w.status, 200);
		assert_string_equal(gm_buf_cstr(&w.body), "\"early\"");
	}
}

static void test_a_failure_becomes_a_problem(void **state)
{
	GM_AUTO(wire_close_p) struct wire w = { 0 };

	(void)state;
	assert_true(wire_open(&w, gm_http_server_port(app.server)));
	assert_true(wire_ask(&w, GET("/wrong")));
	assert_int_equal(w.status, 409);
	assert_non_null(strstr(gm_buf_cstr(&w.body), "\"detail\":\"taken\""));
	assert_true(wire_ask(&w, GET("/now")));
	assert_int_equal(w.status, 200);
}

static void test_who_waits_holds_up_nobody(void **state)
{
	struct wire waiting[64] = { 0 };
	GM_AUTO(wire_close_p) struct wire other = { 0 };

	(void)state;
	set(&app.hold, true);
	for (size_t i = 0; i < GM_LEN(waiting); i++)
		assert_true(wire_open(&waiting[i], gm_http_server_port(app.server)) &&
			    wire_sends(&waiting[i], GET("/fine")));
	wait_for_held(GM_LEN(waiting));
	/* One thread serves all: it is free. */
	assert_true(wire_open(&other, gm_http_server_port(app.server)) && wire_ask(&other, GET("/now")));
	assert_int_equal(other.status, 200);
	set(&app.hold, false);
	for (size_t i = 0; i < GM_LEN(waiting); i++) {
		assert_true(wire_read(&waiting[i], false));
		assert_int_equal(waiting[i].status, 201);
		wire_close(&waiting[i]);
	}
}

static void test_a_client_may_leave_meanwhile(void **state)
{
	GM_AUTO(wire_close_p) struct wire other = { 0 };

	(void)state;
	set(&app.hold, true);
	for (size_t i = 0; i < 20; i++) {
		struct wire w = { 0 };
		assert_true(wire_open(&w, gm_http_server_port(app.server)) && wire_sends(&w, GET("/fine")));
		wait_for_held(i + 1);
		wire_close(&w);
	}
	set(&app.hold, false);
	assert_true(wire_open(&other, gm_http_server_port(app.server)) && wire_ask(&other, GET("/fine")));
	assert_int_equal(other.status, 201);
}

static void test_a_stop_waits_for_what_was_promised(void **state)
{
	GM_AUTO(wire_close_p) struct wire w = { 0 };

	(void)state;
	set(&app.hold, true);
	assert_true(wire_open(&w, gm_http_server_port(app.server)) && wire_sends(&w, GET("/fine")));
	wait_for_held(1);
	/* The keeper keeps its promise while the server is stopping already. */
	set(&app.stop, true);
	assert_true(gm_http_server_stop(app.server, WIRE_WAIT_MS));
	assert_true(wire_read(&w, false));
	assert_int_equal(w.status, 201);
}

static void test_a_stop_without_time_waits_all_the_same(void **state)
{
	GM_AUTO(wire_close_p) struct wire w = { 0 };

	(void)state;
	set(&app.hold, true);
	assert_true(wire_open(&w, gm_http_server_port(app.server)) && wire_sends(&w, GET("/fine")));
	wait_for_held(1);
	set(&app.stop, true);
	(void)gm_http_server_stop(app.server, 0);
	(void)pthread_mutex_lock(&app.mu);
	assert_int_equal(app.promises.count, 0);
	(void)pthread_mutex_unlock(&app.mu);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_an_answer_comes_from_another_thread, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_failure_becomes_a_problem, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_who_waits_holds_up_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_client_may_leave_meanwhile, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_stop_waits_for_what_was_promised, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_stop_without_time_waits_all_the_same, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("later", tests, NULL, NULL);
}
