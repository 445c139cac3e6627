/* SPDX-License-Identifier: MIT */
#include "adapter/http/http.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/auth/auth.h"
#include "wire.h"

static char dir[] = "/tmp/gm-unix-XXXXXX";
static char path[64], url[80];
static struct gm_http_server *server;

static int on_hello(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	const struct gm_http_peer *p = req->peer;
	(void)ctx;
	(void)err;

	gm_buf_addf(&res->body, "unix=%d uid=%u address=%s loopback=%d", p->unix_socket, p->uid, p->address,
		    p->loopback);
	return 0;
}

static const struct gm_route routes[] = { { .path = "/hello", .handler = on_hello, .operation = "hello" } };

static _Atomic unsigned lines; /* logged */

static void on_log(void *ctx, const char *line)
{
	(void)ctx;
	(void)line;
	lines++;
}

static int start(const char *bind, struct gm_http_server **out, struct gm_err *err)
{
	const struct gm_http_conf conf = {
		.bind = bind, .routes = routes, .route_count = GM_LEN(routes), .threads = 1, .log = on_log
	};

	return gm_http_server_start(&conf, out, err);
}

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/agent.sock", dir);
	(void)snprintf(url, sizeof(url), "unix:%s", path);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static int tear_down(void **state)
{
	(void)state;
	gm_http_server_free(server);
	server = NULL;
	(void)unlink(path);
	return 0;
}

static void start_ok(void)
{
	struct gm_err err = { 0 };

	if (start(url, &server, &err) != 0)
		fail_msg("%s", err.text);
}

static bool is_there(void)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

#define HELLO(host) "GET /hello HTTP/1.1\r\nHost: " host "\r\n"

static void test_requests_come_over_the_socket_and_the_peer_is_known(void **state)
{
	GM_AUTO(wire_close_p) struct wire w = { 0 };
	char says[96];
	(void)state;

	start_ok();
	assert_int_equal(gm_http_server_port(server), 0);
	(void)snprintf(says, sizeof(says), "unix=1 uid=%u address=unix loopback=1", getuid());
	assert_true(wire_open_unix(&w, path));
	for (int i = 0; i < 3; i++) {
		assert_true(wire_ask(&w, HELLO("localhost") "\r\n"));
		assert_int_equal(w.status, 200);
		assert_string_equal(gm_buf_cstr(&w.body), says);
	}
	/* Somebody else stands behind a proxy that forwards to the socket. */
	assert_true(wire_ask(&w, HELLO("localhost") "X-Forwarded-For: 192.0.2.1\r\n\r\n"));
	assert_non_null(strstr(gm_buf_cstr(&w.body), "loopback=0"));
}

static void test_the_mode_does_not_hang_on_the_umask(void **state)
{
	static const mode_t masks[] = { 0, 022, 077, 0777 };
	struct stat st;
	(void)state;

	for (size_t i = 0; i < GM_LEN(masks); i++) {
		mode_t before = umask(masks[i]);
		start_ok();
		(void)umask(before);
		assert_int_equal(lstat(path, &st), 0);
		assert_true(S_ISSOCK(st.st_mode));
		assert_int_equal(st.st_mode & 07777, 0660);
		gm_http_server_free(server);
		server = NULL;
		assert_false(is_there());
	}
}

/* What is left when a process was killed: a file that nobody listens on. */
static void leave_dead_socket(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(gm_str_copy(gm_str(path), sa.sun_path, sizeof(sa.sun_path)));
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	(void)close(fd);
}

static void test_the_socket_of_a_dead_server_is_replaced(void **state)
{
	GM_AUTO(wire_close_p) struct wire w = { 0 };
	(void)state;

	leave_dead_socket();
	assert_true(is_there());
	assert_false(wire_open_unix(&w, path));
	start_ok();
	assert_true(wire_open_unix(&w, path));
	assert_true(wire_ask(&w, HELLO("x") "\r\n"));
	assert_int_equal(w.status, 200);
}

static void test_a_live_server_is_left_alone(void **state)
{
	GM_AUTO(wire_close_p) struct wire w = { 0 };
	struct gm_http_server *second = NULL;
	struct gm_err err = { 0 };
	(void)state;

	start_ok();
	assert_int_equal(start(url, &second, &err), GM_ERR_CONFLICT);
	assert_non_null(strstr(err.text, "another server listens"));
	assert_null(second);
	assert_true(wire_open_unix(&w, path));
	assert_true(wire_ask(&w, HELLO("x") "\r\n"));
	assert_int_equal(w.status, 200);
}

static void test_another_kind_of_file_is_left_alone(void **state)
{
	struct gm_err err = { 0 };
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	(void)state;

	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(start(url, &server, &err), GM_ERR_CONFLICT);
	assert_non_null(strstr(err.text, "no socket"));
	assert_true(is_there());
	assert_int_equal(unlink(path), 0);
	/* A link is none either: it is not followed. */
	assert_int_equal(symlink("/nowhere", path), 0);
	assert_int_equal(start(url, &server, &err), GM_ERR_CONFLICT);
	assert_true(is_there());
}

static void test_a_file_that_is_not_ours_any_more_stays(void **state)
{
	(void)state;

	start_ok();
	assert_int_equal(unlink(path), 0);
	leave_dead_socket();
	assert_true(gm_http_server_stop(server, 5000));
	assert_true(is_there());
}

static void test_bad_paths_are_refused_with_the_rule(void **state)
{
	char too_long[160];
	(void)snprintf(too_long, sizeof(too_long), "unix:%s/%0100d", dir, 1);
	const struct {
		const char *bind;
		int code;
		const char *says;
	} rows[] = {
		{ "unix:", GM_ERR_INVALID, "absolute path" },
		{ "unix:@agent", GM_ERR_INVALID, "absolute path" },
		{ "unix:run/agent.sock", GM_ERR_INVALID, "absolute path" },
		{ too_long, GM_ERR_INVALID, "at most 107 bytes" },
		{ "unix:/nowhere/agent.sock", GM_ERR_NOT_FOUND, "folder '/nowhere/'" },
	};
	(void)state;

	for (size_t i = 0; i < GM_LEN(rows); i++) {
		struct gm_err err = { 0 };
		assert_int_equal(start(rows[i].bind, &server, &err), rows[i].code);
		if (!strstr(err.text, rows[i].says))
			fail_msg("%s", err.text);
	}
}

static void test_the_socket_speaks_no_tls(void **state)
{
	struct gm_err err = { 0 };
	const struct gm_http_conf conf = {
		.bind = url, .routes = routes, .route_count = GM_LEN(routes), .tls_cert_file = "/nowhere/cert.pem"
	};
	(void)state;

	assert_int_equal(gm_http_server_start(&conf, &server, &err), GM_ERR_INVALID);
	assert_non_null(strstr(err.text, "without TLS"));
	assert_false(is_there());
}

struct starter {
	pthread_t thread;
	pthread_barrier_t *barrier;
	struct gm_http_server *server;
	int rc;
};

static void *start_at_once(void *arg)
{
	struct starter *s = arg;
	struct gm_err err = { 0 };

	(void)pthread_barrier_wait(s->barrier);
	s->rc = start(url, &s->server, &err);
	return NULL;
}

/* Each finds the socket of a dead server: none may take away what another has just put there. */
static void test_of_many_that_start_at_once_one_wins(void **state)
{
	(void)state;

	for (int round = 0; round < 10; round++) {
		struct starter starters[6] = { 0 };
		pthread_barrier_t barrier;
		size_t won = 0, lost = 0;

		leave_dead_socket();
		assert_int_equal(pthread_barrier_init(&barrier, NULL, GM_LEN(starters)), 0);
		for (size_t i = 0; i < GM_LEN(starters); i++) {
			starters[i].barrier = &barrier;
			assert_int_equal(pthread_create(&starters[i].thread, NULL, start_at_once, &starters[i]), 0);
		}
		for (size_t i = 0; i < GM_LEN(starters); i++) {
			assert_int_equal(pthread_join(starters[i].thread, NULL), 0);
			won += starters[i].rc == 0;
			lost += starters[i].rc == GM_ERR_CONFLICT;
		}
		(void)pthread_barrier_destroy(&barrier);
		assert_int_equal(won, 1);
		assert_int_equal(lost, GM_LEN(starters) - 1);
		GM_AUTO(wire_close_p) struct wire w = { 0 };
		assert_true(wire_open_unix(&w, path));
		assert_true(wire_ask(&w, HELLO("x") "\r\n"));
		assert_int_equal(w.status, 200);
		for (size_t i = 0; i < GM_LEN(starters); i++)
			gm_http_server_free(starters[i].server);
		assert_false(is_there());
	}
}

/* In a folder that is open to all, as /run is, anybody can take the lock and keep it. */
static void test_a_folder_that_somebody_keeps_locked_stops_no_server(void **state)
{
	(void)state;
	const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(flock(fd, LOCK_SH), 0);
	(void)alarm(20);
	start_ok();
	(void)alarm(0);
	assert_true(is_there());
	gm_fd_close(fd);
}

/* Many connections while it stops: each gets its answer or an end, nothing hangs. */
static void test_stop_ends_with_connections_open(void **state)
{
	struct wire wires[20];
	(void)state;

	start_ok();
	for (size_t i = 0; i < GM_LEN(wires); i++) {
		assert_true(wire_open_unix(&wires[i], path));
		assert_true(wire_ask(&wires[i], HELLO("x") "\r\n"));
	}
	assert_true(gm_http_server_stop(server, 5000));
	for (size_t i = 0; i < GM_LEN(wires); i++) {
		assert_true(wire_ends(&wires[i]));
		wire_close(&wires[i]);
	}
}

/* The library complains of each answer that TCP's options are not to be had: nobody wants to read that. */
static void test_answers_leave_no_line_in_the_log(void **state)
{
	GM_AUTO(wire_close_p) struct wire w = { 0 };
	(void)state;

	start_ok();
	lines = 0;
	assert_true(wire_open_unix(&w, path));
	for (int i = 0; i < 3; i++) {
		assert_true(wire_ask(&w, HELLO("localhost") "\r\n"));
		assert_int_equal(w.status, 200);
	}
	assert_true(gm_http_server_stop(server, 5000));
	assert_int_equal(lines, 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_requests_come_over_the_socket_and_the_peer_is_known),
		TEST(test_the_mode_does_not_hang_on_the_umask),
		TEST(test_the_socket_of_a_dead_server_is_replaced),
		TEST(test_a_live_server_is_left_alone),
		TEST(test_another_kind_of_file_is_left_alone),
		TEST(test_a_file_that_is_not_ours_any_more_stays),
		TEST(test_bad_paths_are_refused_with_the_rule),
		TEST(test_the_socket_speaks_no_tls),
		TEST(test_of_many_that_start_at_once_one_wins),
		TEST(test_a_folder_that_somebody_keeps_locked_stops_no_server),
		TEST(test_stop_ends_with_connections_open),
		TEST(test_answers_leave_no_line_in_the_log),
	};

	return cmocka_run_group_tests_name("http/unix", tests, make_dir, remove_dir);
}
