/* SPDX-License-Identifier: MIT */
#include "adapter/http/http.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/clock.h"
#include "wire.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"

struct fixture {
	char dir[64];
	char cert[96], key[96], other_key[96];
	struct gm_http_server *server;
};

static void write_file(const char *path, const gnutls_datum_t *data)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(data->data, 1, data->size, f), data->size);
	assert_int_equal(fclose(f), 0);
}

/* A self-signed certificate with `serial` in it, by which a client tells one from another. */
static void make_pair(const char *cert_path, const char *key_path, unsigned char serial)
{
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t cert;
	gnutls_datum_t pem;

	assert_int_equal(gnutls_x509_privkey_init(&key), 0);
	assert_int_equal(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
						      GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
			 0);
	assert_int_equal(gnutls_x509_crt_init(&cert), 0);
	assert_int_equal(gnutls_x509_crt_set_version(cert, 3), 0);
	assert_int_equal(gnutls_x509_crt_set_serial(cert, &serial, 1), 0);
	assert_int_equal(gnutls_x509_crt_set_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, "localhost", 9), 0);
	assert_int_equal(gnutls_x509_crt_set_activation_time(cert, time(NULL) - 60), 0);
	assert_int_equal(gnutls_x509_crt_set_expiration_time(cert, time(NULL) + 3600), 0);
	assert_int_equal(gnutls_x509_crt_set_key(cert, key), 0);
	assert_int_equal(gnutls_x509_crt_sign2(cert, cert, key, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem), 0);
	write_file(key_path, &pem);
	gnutls_free(pem.data);
	if (cert_path) {
		assert_int_equal(gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &pem), 0);
		write_file(cert_path, &pem);
		gnutls_free(pem.data);
	}
	gnutls_x509_crt_deinit(cert);
	gnutls_x509_privkey_deinit(key);
}

/* Both files change in one step as far as the server can see: the key by rename last would still be two steps. */
static void replace_pair(const struct fixture *f, unsigned char serial)
{
	char cert[128], key[128];

	(void)snprintf(cert, sizeof(cert), "%s.new", f->cert);
	(void)snprintf(key, sizeof(key), "%s.new", f->key);
	make_pair(cert, key, serial);
	assert_int_equal(rename(cert, f->cert), 0);
	assert_int_equal(rename(key, f->key), 0);
}

static int on_hello(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	(void)ctx;
	(void)err;
	gm_buf_addf(&res->body, "{\"tls\":%s}", req->peer->tls ? "true" : "false");
	return 0;
}

static const struct gm_route routes[] = { { .path = "/hello", .handler = on_hello, .operation = "hello" } };

static struct fixture fixture;

static void start(int64_t check_ms)
{
	struct fixture *f = &fixture;
	struct gm_err err = { 0 };

	*f = (struct fixture){ .dir = "/tmp/gm-tls-XXXXXX" };
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->cert, sizeof(f->cert), "%s/cert.pem", f->dir);
	(void)snprintf(f->key, sizeof(f->key), "%s/key.pem", f->dir);
	(void)snprintf(f->other_key, sizeof(f->other_key), "%s/other.pem", f->dir);
	make_pair(f->cert, f->key, 1);
	make_pair(NULL, f->other_key, 9);
	const struct gm_http_conf conf = { .routes = routes,
					   .route_count = GM_LEN(routes),
					   .tls_cert_file = f->cert,
					   .tls_key_file = f->key,
					   .tls_check_ms = check_ms,
					   .threads = 2 };
	if (gm_http_server_start(&conf, &f->server, &err) != 0)
		fail_msg("%s", err.text);
}

static int set_up(void **state)
{
	(void)state;
	start(1000000);
	return 0;
}

static int set_up_watching(void **state)
{
	(void)state;
	start(20);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	gm_http_server_free(fixture.server);
	(void)unlink(fixture.cert);
	(void)unlink(fixture.key);
	(void)unlink(fixture.other_key);
	assert_int_equal(rmdir(fixture.dir), 0);
	return 0;
}

struct tls_client {
	struct wire wire;
	gnutls_session_t session;
	gnutls_certificate_credentials_t credentials;
	unsigned char serial;
};

/* GnuTLS tells a caller to come again after an interruption; the socket has a deadline of its own. */
static bool handshake(gnutls_session_t session)
{
	int rc;

	do {
		rc = gnutls_handshake(session);
	} while (rc == GNUTLS_E_INTERRUPTED);
	return rc == 0;
}

static void client_open(struct tls_client *c)
{
	const struct timeval wait = { .tv_sec = WIRE_WAIT_MS / 1000 };
	unsigned count = 0;
	gnutls_x509_crt_t cert;
	size_t n = sizeof(c->serial);

	assert_true(wire_open(&c->wire, gm_http_server_port(fixture.server)));
	assert_int_equal(setsockopt(c->wire.fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	assert_int_equal(gnutls_certificate_allocate_credentials(&c->credentials), 0);
	assert_int_equal(gnutls_init(&c->session, GNUTLS_CLIENT), 0);
	assert_int_equal(gnutls_set_default_priority(c->session), 0);
	assert_int_equal(gnutls_credentials_set(c->session, GNUTLS_CRD_CERTIFICATE, c->credentials), 0);
	gnutls_transport_set_int(c->session, c->wire.fd);
	assert_true(handshake(c->session));
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(c->session, &count);
	assert_int_equal(count, 1);
	assert_int_equal(gnutls_x509_crt_init(&cert), 0);
	assert_int_equal(gnutls_x509_crt_import(cert, &chain[0], GNUTLS_X509_FMT_DER), 0);
	assert_int_equal(gnutls_x509_crt_get_serial(cert, &c->serial, &n), 0);
	gnutls_x509_crt_deinit(cert);
}

static void client_close(struct tls_client *c)
{
	gnutls_deinit(c->session);
	gnutls_certificate_free_credentials(c->credentials);
	wire_close(&c->wire);
}

static bool client_ask(struct tls_client *c)
{
	char answer[4096];
	size_t n = 0;

	if (gnutls_record_send(c->session, GET("/hello"), sizeof(GET("/hello")) - 1) < 0)
		return false;
	for (;;) {
		ssize_t got = gnutls_record_recv(c->session, answer + n, sizeof(answer) - 1 - n);
		if (got == GNUTLS_E_INTERRUPTED || got == GNUTLS_E_AGAIN)
			continue;
		if (got <= 0)
			return false;
		n += (size_t)got;
		answer[n] = '\0';
		if (strstr(answer, "{\"tls\":true}"))
			return strncmp(answer, "HTTP/1.1 200 ", 13) == 0;
	}
}

static unsigned char served_serial(void)
{
	struct tls_client c = { 0 };

	client_open(&c);
	assert_true(client_ask(&c));
	unsigned char serial = c.serial;
	client_close(&c);
	return serial;
}

static void test_requests_are_served_over_tls(void **state)
{
	struct tls_client c = { 0 };
	struct gm_http_stats stats;
	(void)state;

	client_open(&c);
	assert_int_equal(c.serial, 1);
	for (int i = 0; i < 5; i++)
		assert_true(client_ask(&c));
	client_close(&c);
	gm_http_server_stats(fixture.server, &stats);
	int64_t now_ms = gm_wall_ms(gm_clock_system());
	assert_true(stats.tls_not_after_ms > now_ms && stats.tls_not_after_ms <= now_ms + 3600 * 1000);
}

static void test_reload_serves_the_new_and_keeps_old_connections(void **state)
{
	struct tls_client old = { 0 };
	struct gm_err err = { 0 };
	(void)state;

	client_open(&old);
	replace_pair(&fixture, 2);
	assert_int_equal(served_serial(), 1);
	assert_int_equal(gm_http_server_reload_tls(fixture.server, &err), 0);
	assert_int_equal(served_serial(), 2);
	assert_true(client_ask(&old));
	client_close(&old);
}

static void test_changed_files_are_noticed(void **state)
{
	struct gm_http_stats stats = { 0 };
	int64_t until_ms = gm_mono_ms(gm_clock_system()) + WIRE_WAIT_MS;
	(void)state;

	replace_pair(&fixture, 3);
	while (served_serial() != 3 && gm_mono_ms(gm_clock_system()) < until_ms)
		continue;
	assert_int_equal(served_serial(), 3);
	gm_http_server_stats(fixture.server, &stats);
	assert_true(stats.tls_reloads >= 1);
}

static void test_bad_files_leave_the_old_certificate(void **state)
{
	struct gm_http_stats stats;
	struct gm_err err = { 0 };
	unsigned char text[] = "rubbish";
	gnutls_datum_t rubbish = { text, sizeof(text) - 1 };
	(void)state;

	assert_int_equal(rename(fixture.other_key, fixture.key), 0);
	assert_int_equal(gm_http_server_reload_tls(fixture.server, &err), GM_ERR_INVALID);
	assert_non_null(strstr(err.text, "do not belong together"));
	write_file(fixture.cert, &rubbish);
	assert_int_equal(gm_http_server_reload_tls(fixture.server, &err), GM_ERR_INVALID);
	assert_int_equal(unlink(fixture.cert), 0);
	assert_int_equal(gm_http_server_reload_tls(fixture.server, &err), GM_ERR_INVALID);
	assert_int_equal(served_serial(), 1);
	gm_http_server_stats(fixture.server, &stats);
	assert_int_equal(stats.tls_reloads, 0);
	assert_int_equal(stats.tls_reload_failures, 3);
}

static void test_plain_text_on_the_port_harms_nobody(void **state)
{
	GM_AUTO(wire_close_p) struct wire w;
	(void)state;

	assert_true(wire_open(&w, gm_http_server_port(fixture.server)));
	assert_true(wire_sends(&w, GET("/hello")));
	assert_false(wire_read(&w, false));
	assert_int_equal(served_serial(), 1);
}

static void test_start_refuses_a_pair_that_does_not_match(void **state)
{
	struct gm_http_server *second = NULL;
	struct gm_err err = { 0 };
	const struct gm_http_conf conf = { .routes = routes,
					   .route_count = GM_LEN(routes),
					   .tls_cert_file = fixture.cert,
					   .tls_key_file = fixture.other_key };
	(void)state;

	assert_int_equal(gm_http_server_start(&conf, &second, &err), GM_ERR_INVALID);
	assert_null(second);
}

#define WITH(setup, name) cmocka_unit_test_setup_teardown(name, setup, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(set_up, test_requests_are_served_over_tls),
		WITH(set_up, test_reload_serves_the_new_and_keeps_old_connections),
		WITH(set_up_watching, test_changed_files_are_noticed),
		WITH(set_up, test_bad_files_leave_the_old_certificate),
		WITH(set_up, test_plain_text_on_the_port_harms_nobody),
		WITH(set_up, test_start_refuses_a_pair_that_does_not_match),
	};

	return cmocka_run_group_tests_name("http/tls", tests, NULL, NULL);
}
