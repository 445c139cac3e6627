/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>

#include "adapter/httpc/httpc.h"
#include "tls_server.h"

#define PAGE "DCGM_FI_DEV_GPU_UTIL{UUID=\"GPU-1\"} 42\n"

struct fixture {
	char folder[32], ca[64], cert[64], key[64];
	struct tls_server *server;
};

struct result {
	bool done;
	int rc;
	char text[400];
};

static void begin(struct fixture *f, bool want_client)
{
	*f = (struct fixture){ .folder = "/tmp/gm-tls-XXXXXX" };
	assert_non_null(mkdtemp(f->folder));
	f->server = tls_server_start(f->folder, want_client, PAGE);
	(void)snprintf(f->ca, sizeof(f->ca), "%s/ca.pem", f->folder);
	(void)snprintf(f->cert, sizeof(f->cert), "%s/client.pem", f->folder);
	(void)snprintf(f->key, sizeof(f->key), "%s/client-key.pem", f->folder);
}

static void end(struct fixture *f)
{
	tls_server_stop(f->server);
	(void)rmdir(f->folder);
}

static void take(void *ctx, const struct gm_httpc_answer *answer)
{
	struct result *r = ctx;

	r->done = true;
	r->rc = answer->rc;
	(void)gm_str_copy(gm_str(answer->err.text), r->text, sizeof(r->text));
	if (answer->rc == 0)
		assert_true(gm_str_is(answer->body, PAGE));
}

/* One request with a client of its own, so that no connection is left from before. */
static struct result get(struct fixture *f, const char *host, const struct gm_httpc_identity_conf *conf)
{
	const struct gm_httpc_conf http = { .in_flight_max = 1 };
	struct gm_httpc *client = NULL;
	struct gm_httpc_identity *identity = NULL;
	struct result r = { 0 };
	char url[64];
	const struct gm_httpc_request request = { .url = url, .timeout_ms = 3000, .done = take, .ctx = &r };
	struct gm_httpc_request asked = request;

	(void)snprintf(url, sizeof(url), "https://%s:%d/metrics", host, tls_server_port(f->server));
	assert_int_equal(gm_httpc_new(&http, &client, NULL), 0);
	assert_int_equal(gm_httpc_identity_new(conf, &identity, NULL), 0);
	asked.identity = identity;
	assert_int_equal(gm_httpc_get(client, &asked, NULL), 0);
	while (!r.done) {
		struct pollfd fd = { .fd = gm_httpc_fd(client), .events = POLLIN };
		int64_t wait = gm_httpc_wait_ms(client);

		(void)poll(&fd, 1, wait < 0 || wait > 100 ? 100 : (int)wait);
		gm_httpc_step(client);
	}
	gm_httpc_identity_free(identity);
	gm_httpc_free(client);
	return r;
}

static void test_tls_believes_the_given_ca_only(void **state)
{
	struct fixture f;
	struct result r;

	(void)state;
	begin(&f, false);
	r = get(&f, "localhost", &(struct gm_httpc_identity_conf){ .ca_file = f.ca });
	assert_int_equal(r.rc, 0);
	r = get(&f, "localhost", &(struct gm_httpc_identity_conf){ 0 });
	assert_int_equal(r.rc, GM_ERR_IO);
	assert_memory_equal(r.text, "certificate: ", 13);
	/* A good certificate, of another name. */
	r = get(&f, "127.0.0.1", &(struct gm_httpc_identity_conf){ .ca_file = f.ca });
	assert_int_equal(r.rc, GM_ERR_IO);
	assert_memory_equal(r.text, "certificate: ", 13);
	r = get(&f, "127.0.0.1", &(struct gm_httpc_identity_conf){ .insecure = true });
	assert_int_equal(r.rc, 0);
	end(&f);
}

static void test_tls_shows_the_client_certificate(void **state)
{
	struct fixture f;
	struct result r;

	(void)state;
	begin(&f, true);
	r = get(&f, "localhost", &(struct gm_httpc_identity_conf){ .ca_file = f.ca });
	assert_int_equal(r.rc, GM_ERR_IO);
	r = get(&f, "localhost",
		&(struct gm_httpc_identity_conf){ .ca_file = f.ca, .cert_file = f.cert, .key_file = f.key });
	assert_int_equal(r.rc, 0);
	/* A key that is not the certificate's. */
	r = get(&f, "localhost",
		&(struct gm_httpc_identity_conf){ .ca_file = f.ca, .cert_file = f.ca, .key_file = f.key });
	assert_int_equal(r.rc, GM_ERR_IO);
	assert_memory_equal(r.text, "client certificate: ", 20);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tls_believes_the_given_ca_only),
		cmocka_unit_test(test_tls_shows_the_client_certificate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
