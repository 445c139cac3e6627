/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "adapter/httpc/httpc.h"
#include "hostile_server.h"

#define PAGE "DCGM_FI_DEV_GPU_UTIL{UUID=\"GPU-1\"} 42\n"
#define BODY_MAX (4 << 20)

struct fixture {
	struct hostile_server *server;
	struct gm_httpc *client;
};

struct result {
	bool done;
	int rc;
	int status;
	char text[400];
	char content_type[64];
	struct gm_buf body;
	bool connected_anew;
	uint64_t wire_bytes;
};

static int setup(void **state)
{
	static struct fixture f;
	const struct gm_httpc_conf conf = { .in_flight_max = 32, .body_max = BODY_MAX, .gzip = true };

	f.server = hostile_server_start(PAGE);
	if (gm_httpc_new(&conf, &f.client, NULL))
		return -1;
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	gm_httpc_free(f->client);
	hostile_server_stop(f->server);
	return 0;
}

static void take(void *ctx, const struct gm_httpc_answer *answer)
{
	struct result *r = ctx;

	r->done = true;
	r->rc = answer->rc;
	r->status = answer->status;
	(void)gm_str_copy(gm_str(answer->err.text), r->text, sizeof(r->text));
	(void)gm_str_copy(answer->content_type, r->content_type, sizeof(r->content_type));
	gm_buf_reset(&r->body);
	gm_buf_add_str(&r->body, answer->body);
	r->connected_anew = answer->connected_anew;
	r->wire_bytes = answer->wire_bytes;
}

static void start(struct fixture *f, const char *path, int64_t timeout_ms, struct gm_httpc_identity *identity,
		  struct result *r)
{
	char url[128];
	const struct gm_httpc_request request = { .url = url,
						  .identity = identity,
						  .accept = "text/plain",
						  .timeout_ms = timeout_ms,
						  .done = take,
						  .ctx = r };

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", hostile_server_port(f->server), path);
	r->done = false;
	assert_int_equal(gm_httpc_get(f->client, &request, NULL), 0);
}

static void run(struct gm_httpc *client)
{
	while (gm_httpc_in_flight(client) > 0) {
		struct pollfd fd = { .fd = gm_httpc_fd(client), .events = POLLIN };
		int64_t wait = gm_httpc_wait_ms(client);

		(void)poll(&fd, 1, wait < 0 || wait > 1000 ? 1000 : (int)wait);
		gm_httpc_step(client);
	}
}

static void get(struct fixture *f, const char *path, int64_t timeout_ms, struct result *r)
{
	start(f, path, timeout_ms, NULL, r);
	run(f->client);
	assert_true(r->done);
}

static long resident_kib(void)
{
	char line[128];
	long kib = 0;
	FILE *in = fopen("/proc/self/status", "r");

	assert_non_null(in);
	while (fgets(line, sizeof(line), in))
		(void)sscanf(line, "VmRSS: %ld", &kib);
	(void)fclose(in);
	return kib;
}

static void test_httpc_gets_a_page_and_keeps_the_connection(void **state)
{
	struct fixture *f = *state;
	struct result r = { 0 };

	for (int i = 0; i < 5; i++) {
		get(f, "/metrics", 2000, &r);
		assert_int_equal(r.rc, 0);
		assert_int_equal(r.status, 200);
		assert_string_equal(gm_buf_cstr(&r.body), PAGE);
		assert_string_equal(r.content_type, "text/plain; version=0.0.4");
		assert_int_equal(r.connected_anew, i == 0);
	}
	assert_int_equal(hostile_server_connections(f->server), 1);
	get(f, "/gzip", 2000, &r);
	assert_int_equal(r.rc, 0);
	assert_string_equal(gm_buf_cstr(&r.body), PAGE);
	gm_buf_fini(&r.body);
}

/* Each of these ends with a clear word, within its deadline, and costs no more than the limits allow. */
static bool sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
	return true;
#endif
#endif
	return false;
}

static void test_httpc_survives_hostile_servers(void **state)
{
	static const struct {
		const char *path;
		int64_t timeout_ms;
		int rc;
		const char *says;
	} rows[] = {
		{ "/hang", 150, GM_ERR_DEADLINE, "no answer within 150 ms" },
		{ "/trickle", 150, GM_ERR_DEADLINE, "within 150 ms" },
		{ "/short", 2000, GM_ERR_IO, "closed early, after 10 bytes" },
		{ "/close", 2000, GM_ERR_IO, "closed early" },
		{ "/nothing", 2000, GM_ERR_IO, "closed without an answer" },
		{ "/huge", 20000, GM_ERR_TOO_LARGE, "larger than 4194304 bytes" },
		{ "/endless", 20000, GM_ERR_TOO_LARGE, "larger than 4194304 bytes" },
		{ "/bomb", 20000, GM_ERR_TOO_LARGE, "larger than 4194304 bytes" },
		{ "/broken", 2000, GM_ERR_IO, "compressed page is broken" },
		{ "/headers", 20000, GM_ERR_TOO_LARGE, "headers are too large" },
		{ "/garbage", 2000, GM_ERR_IO, "not an HTTP answer" },
		{ "/status", 2000, GM_ERR_IO, "HTTP status 503" },
		{ "/redirect", 2000, GM_ERR_IO, "HTTP status 302: redirects are not followed" },
	};
	struct fixture *f = *state;
	struct result r = { 0 };
	long before;

	get(f, "/metrics", 2000, &r);
	before = resident_kib();
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		get(f, rows[i].path, rows[i].timeout_ms, &r);
		if (r.rc != rows[i].rc || !strstr(r.text, rows[i].says))
			fail_msg("%s: %d %s", rows[i].path, r.rc, r.text);
		assert_int_equal(r.body.n, 0);
		get(f, "/metrics", 2000, &r);
		assert_int_equal(r.rc, 0);
	}
	get(f, "/binary", 2000, &r);
	assert_int_equal(r.rc, 0);
	assert_int_equal(r.body.n, 1048576);
	/* A sanitizer keeps freed memory for a while: its runs have another measure. */
	assert_true(resident_kib() - before < (sanitized() ? 512 : 32) * 1024);
	gm_buf_fini(&r.body);
}

static void test_httpc_lets_the_good_pass_the_bad(void **state)
{
	static const char *const bad[] = { "/hang", "/trickle", "/huge", "/endless", "/bomb", "/headers", "/nothing" };
	struct fixture *f = *state;
	struct result hang[GM_LEN(bad)] = { 0 }, good[16] = { 0 };

	for (size_t i = 0; i < GM_LEN(bad); i++)
		start(f, bad[i], 300, NULL, &hang[i]);
	for (size_t i = 0; i < GM_LEN(good); i++)
		start(f, "/metrics", 5000, NULL, &good[i]);
	run(f->client);
	for (size_t i = 0; i < GM_LEN(bad); i++) {
		if (!hang[i].done || hang[i].rc == 0)
			fail_msg("%s: %d %s", bad[i], hang[i].rc, hang[i].text);
		gm_buf_fini(&hang[i].body);
	}
	for (size_t i = 0; i < GM_LEN(good); i++) {
		assert_true(good[i].done);
		assert_int_equal(good[i].rc, 0);
		assert_string_equal(gm_buf_cstr(&good[i].body), PAGE);
		gm_buf_fini(&good[i].body);
	}
}

static void test_httpc_bounds_all_bodies_together(void **state)
{
	struct fixture *f = *state;
	const struct gm_httpc_conf conf = { .in_flight_max = 8, .body_max = BODY_MAX, .bodies_max = 3 << 20 };
	struct gm_httpc *own = f->client;
	struct result r[8] = { 0 };

	assert_int_equal(gm_httpc_new(&conf, &f->client, NULL), 0);
	for (size_t i = 0; i < GM_LEN(r); i++)
		start(f, "/huge", 20000, NULL, &r[i]);
	run(f->client);
	/* Each would fit by itself up to BODY_MAX; together they may not take even that. */
	for (size_t i = 0; i < GM_LEN(r); i++) {
		assert_int_equal(r[i].rc, GM_ERR_LIMITED);
		gm_buf_fini(&r[i].body);
	}
	gm_httpc_free(f->client);
	f->client = own;
}

static void test_httpc_says_when_nobody_listens(void **state)
{
	struct fixture *f = *state;
	struct result r = { 0 };
	struct gm_httpc_request request = { .accept = "*/*", .timeout_ms = 2000, .done = take, .ctx = &r };
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char url[64];

	/* Bound but not listening: nobody else gets this port meanwhile. */
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/metrics", ntohs(address.sin_port));
	request.url = url;
	assert_int_equal(gm_httpc_get(f->client, &request, NULL), 0);
	run(f->client);
	assert_int_equal(r.rc, GM_ERR_IO);
	assert_string_equal(r.text, "connection refused");
	assert_int_equal(r.status, 0);
	(void)close(fd);
	gm_buf_fini(&r.body);
}

static void test_httpc_refuses_more_than_its_slots_and_drops_cancelled(void **state)
{
	struct fixture *f = *state;
	const struct gm_httpc_conf conf = { .in_flight_max = 2 };
	struct gm_httpc *own = f->client;
	struct result a = { 0 }, b = { 0 };
	const struct gm_httpc_request third = {
		.url = "http://127.0.0.1/", .timeout_ms = 100, .done = take, .ctx = &b
	};

	assert_int_equal(gm_httpc_new(&conf, &f->client, NULL), 0);
	start(f, "/hang", 5000, NULL, &a);
	start(f, "/hang", 5000, NULL, &a);
	assert_int_equal(gm_httpc_get(f->client, &third, NULL), GM_ERR_BUSY);
	gm_httpc_step(f->client);
	gm_httpc_cancel(f->client, &a);
	assert_int_equal(gm_httpc_in_flight(f->client), 0);
	assert_false(a.done);
	get(f, "/metrics", 2000, &b);
	assert_int_equal(b.rc, 0);
	gm_buf_fini(&b.body);
	start(f, "/hang", 5000, NULL, &a);
	gm_httpc_free(f->client); /* with a request in flight */
	assert_false(a.done);
	f->client = own;
}

static void write_file(const char *path, const char *text)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	(void)fputs(text, out);
	(void)fclose(out);
}

static void test_httpc_sends_the_token_and_takes_a_new_one(void **state)
{
	struct fixture *f = *state;
	char dir[] = "/tmp/gm-httpc-XXXXXX", path[64];
	struct gm_httpc_identity_conf conf = { .bearer_file = path };
	struct gm_httpc_identity *identity = NULL;
	struct result r = { 0 };

	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/token", dir);
	assert_int_equal(gm_httpc_identity_new(&conf, &identity, NULL), GM_ERR_NOT_FOUND);
	write_file(path, "\n\n");
	assert_int_equal(gm_httpc_identity_new(&conf, &identity, NULL), GM_ERR_INVALID);
	write_file(path, "first-token\n");
	assert_int_equal(gm_httpc_identity_new(&conf, &identity, NULL), 0);
	start(f, "/echo", 2000, identity, &r);
	run(f->client);
	assert_non_null(strstr(gm_buf_cstr(&r.body), "Authorization: Bearer first-token\r\n"));
	assert_non_null(strstr(gm_buf_cstr(&r.body), "Accept: text/plain\r\n"));
	gm_httpc_identity_free(identity);
	/* Another identity at once: the token of the first must not stick to the transfer. */
	write_file(path, "second-token-of-its-own\n");
	assert_int_equal(gm_httpc_identity_new(&conf, &identity, NULL), 0);
	start(f, "/echo", 2000, identity, &r);
	run(f->client);
	assert_non_null(strstr(gm_buf_cstr(&r.body), "Authorization: Bearer second-token-of-its-own\r\n"));
	get(f, "/echo", 2000, &r);
	assert_null(strstr(gm_buf_cstr(&r.body), "Authorization"));
	gm_httpc_identity_free(identity);
	conf = (struct gm_httpc_identity_conf){ .cert_file = path };
	assert_int_equal(gm_httpc_identity_new(&conf, &identity, NULL), GM_ERR_INVALID);
	(void)unlink(path);
	(void)rmdir(dir);
	gm_buf_fini(&r.body);
}

static void test_httpc_url_has_one_form(void **state)
{
	static const struct {
		const char *text, *url, *host;
	} rows[] = {
		{ "http://node-1:9400/metrics", "http://node-1:9400/metrics", "node-1" },
		{ "http://node-1:9400", "http://node-1:9400/metrics", "node-1" },
		{ "http://node-1:9400/", "http://node-1:9400/metrics", "node-1" },
		{ "node-1:9400", "http://node-1:9400/metrics", "node-1" },
		{ "10.0.0.1:9400/gpu?x=1#y", "http://10.0.0.1:9400/gpu?x=1", "10.0.0.1" },
		{ "HTTPS://Node-1/m", "https://Node-1/m", "Node-1" },
		{ "http://[::1]:9400", "http://[::1]:9400/metrics", "[::1]" },
	};
	static const char *const bad[] = { "",	      "ftp://x/",    "file:///etc/passwd", "http://u:p@x/",
					   "http://", "http://a b/", "http://x:99999/",	   "http://x:y/" };

	(void)state;
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };
		char host[GM_HTTPC_HOST_SIZE];
		struct gm_err err = { 0 };

		if (gm_httpc_url(gm_str(rows[i].text), "/metrics", &out, host, &err))
			fail_msg("%s: %s", rows[i].text, err.text);
		assert_string_equal(gm_buf_cstr(&out), rows[i].url);
		assert_string_equal(host, rows[i].host);
	}
	for (size_t i = 0; i < GM_LEN(bad); i++) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };
		char host[GM_HTTPC_HOST_SIZE];

		assert_int_equal(gm_httpc_url(gm_str(bad[i]), "/metrics", &out, host, NULL), GM_ERR_INVALID);
		assert_int_equal(out.n, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_httpc_gets_a_page_and_keeps_the_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(test_httpc_survives_hostile_servers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_httpc_lets_the_good_pass_the_bad, setup, teardown),
		cmocka_unit_test_setup_teardown(test_httpc_bounds_all_bodies_together, setup, teardown),
		cmocka_unit_test_setup_teardown(test_httpc_says_when_nobody_listens, setup, teardown),
		cmocka_unit_test_setup_teardown(test_httpc_refuses_more_than_its_slots_and_drops_cancelled, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_httpc_sends_the_token_and_takes_a_new_one, setup, teardown),
		cmocka_unit_test(test_httpc_url_has_one_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
