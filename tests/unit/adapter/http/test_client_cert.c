/* SPDX-License-Identifier: MIT */
#include "adapter/http/http.h"

#include <errno.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <gnutls/gnutls.h>

#include "base/clock.h"
#include "base/str.h"
#include "core/auth/auth.h"
#include "wire.h"

/* Certificates as an operator makes them, of two authorities; the group's set-up calls openssl. */
static char dir[] = "/tmp/gm-mtls-XXXXXX";

static const char script[] =
	"set -e; cd \"$1\"\n"
	"exec 2>openssl.log\n"
	"authority() {\n"
	"  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj \"/CN=$1\" \\\n"
	"    -addext keyUsage=critical,keyCertSign,cRLSign -keyout \"$1.key\" -out \"$1.pem\"\n"
	"}\n"
	"issue() {\n" /* authority, name, common name, days, extension */
	"  printf '%s\\n' \"$5\" >ext\n"
	"  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj \"/CN=$3\" -keyout \"$2.key\" -out "
	"csr\n"
	"  openssl x509 -req -in csr -CA \"$1.pem\" -CAkey \"$1.key\" -CAcreateserial -days \"$4\" -extfile ext -out "
	"\"$2.pem\"\n"
	"}\n"
	"authority ca; authority other\n"
	"issue ca server localhost 2 subjectAltName=DNS:localhost\n"
	"issue ca right 'gpu monitor' 2 extendedKeyUsage=clientAuth\n"
	"issue ca plain plain 2 ''\n"
	"issue ca expired gone -1 ''\n"
	"issue ca serving web 2 extendedKeyUsage=serverAuth\n"
	"issue other foreign 'gpu monitor' 2 extendedKeyUsage=clientAuth\n"
	"issue right below 'gpu monitor' 2 ''\n"
	"cat right.pem >>below.pem\n";

static int run_script(const char *text)
{
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char *)(uintptr_t)text, (char[]){ "sh" }, dir, NULL };
	extern char **environ;
	pid_t pid;
	int status = -1;

	if (posix_spawnp(&pid, "sh", NULL, NULL, argv, environ) != 0)
		return -1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int make_certificates(void **state)
{
	(void)state;
	return mkdtemp(dir) ? run_script(script) : -1;
}

static int remove_certificates(void **state)
{
	(void)state;
	return run_script("rm -r \"$1\"");
}

static const char *const cert_words[] = { "none", "verified", "refused" };

static int on_hello(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	const struct gm_http_peer *p = req->peer;
	(void)ctx;
	(void)err;

	gm_buf_addf(&res->body, "cert=%s name=%s why=%s.", cert_words[p->client_cert], p->client_name,
		    p->client_cert_why ? p->client_cert_why : "");
	return 0;
}

static int identify(void *ctx, const struct gm_http_peer *peer, struct gm_str authorization, struct gm_identity *out,
		    struct gm_err *err)
{
	(void)ctx;
	if (peer->client_cert == GM_HTTP_CERT_VERIFIED)
		out->role = GM_ROLE_OPERATOR;
	else if (authorization.n)
		out->role = GM_ROLE_VIEWER;
	else
		return gm_fail(err, GM_ERR_UNAUTHENTICATED, "changing needs a client certificate");
	out->anonymous = false;
	return 0;
}

static const struct gm_route routes[] = {
	{ .path = "/hello", .handler = on_hello, .operation = "hello" },
	{ .path = "/change", .handler = on_hello, .operation = "change", .role = GM_ROLE_OPERATOR },
};

static char paths[3][64];
static struct gm_http_server *server;

static const char *in_dir(unsigned i, const char *name)
{
	(void)snprintf(paths[i], sizeof(paths[i]), "%s/%s", dir, name);
	return paths[i];
}

static int start(int64_t check_ms, const char *ca, struct gm_err *err)
{
	const struct gm_http_conf conf = { .routes = routes,
					   .route_count = GM_LEN(routes),
					   .identify = identify,
					   .tls_cert_file = in_dir(0, "server.pem"),
					   .tls_key_file = in_dir(1, "server.key"),
					   .tls_client_ca_file = ca ? in_dir(2, ca) : NULL,
					   .tls_check_ms = check_ms,
					   .threads = 2 };
	return gm_http_server_start(&conf, &server, err);
}

static int set_up_with(int64_t check_ms, const char *ca)
{
	struct gm_err err = { 0 };

	if (start(check_ms, ca, &err) == 0)
		return 0;
	print_error("%s\n", err.text);
	return -1;
}
static int set_up(void **state)
{
	(void)state;
	return set_up_with(1000000, "ca.pem");
}
static int set_up_not_asking(void **state)
{
	(void)state;
	return set_up_with(1000000, NULL);
}
/* Of an authority file of its own, looked at often. */
static int set_up_watching(void **state)
{
	(void)state;
	return run_script("cp \"$1/ca.pem\" \"$1/live.pem\"") == 0 ? set_up_with(20, "live.pem") : -1;
}

static int tear_down(void **state)
{
	(void)state;
	gm_http_server_free(server);
	server = NULL;
	return 0;
}

struct client {
	struct wire wire;
	gnutls_session_t session;
	gnutls_certificate_credentials_t credentials;
	char answer[4096];
};

static void client_open(struct client *c, const char *name, const char *priorities)
{
	const struct timeval wait = { .tv_sec = WIRE_WAIT_MS / 1000 };
	char cert[96], key[96];
	int rc;

	assert_true(wire_open(&c->wire, gm_http_server_port(server)));
	assert_int_equal(setsockopt(c->wire.fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	assert_int_equal(gnutls_certificate_allocate_credentials(&c->credentials), 0);
	if (name) {
		(void)snprintf(cert, sizeof(cert), "%s/%s.pem", dir, name);
		(void)snprintf(key, sizeof(key), "%s/%s.key", dir, name);
		assert_int_equal(gnutls_certificate_set_x509_key_file(c->credentials, cert, key, GNUTLS_X509_FMT_PEM),
				 0);
	}
	assert_int_equal(gnutls_init(&c->session, GNUTLS_CLIENT | GNUTLS_FORCE_CLIENT_CERT), 0);
	assert_int_equal(gnutls_priority_set_direct(c->session, priorities, NULL), 0);
	assert_int_equal(gnutls_credentials_set(c->session, GNUTLS_CRD_CERTIFICATE, c->credentials), 0);
	gnutls_transport_set_int(c->session, c->wire.fd);
	do {
		rc = gnutls_handshake(c->session);
	} while (rc == GNUTLS_E_INTERRUPTED);
	assert_int_equal(rc, 0);
}

static void client_close(struct client *c)
{
	gnutls_deinit(c->session);
	gnutls_certificate_free_credentials(c->credentials);
	wire_close(&c->wire);
}

/* The status; the answer's text is in c->answer up to its last character, '.' or '}'. */
static int client_ask(struct client *c, const char *path)
{
	char request[128];
	size_t n = 0;
	int length = snprintf(request, sizeof(request),
			      "GET %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", path);

	assert_true(gnutls_record_send(c->session, request, (size_t)length) == length);
	for (;;) {
		ssize_t got = gnutls_record_recv(c->session, c->answer + n, sizeof(c->answer) - 1 - n);
		if (got == GNUTLS_E_INTERRUPTED || got == GNUTLS_E_AGAIN)
			continue;
		assert_true(got > 0);
		n += (size_t)got;
		c->answer[n] = '\0';
		const char *body = strstr(c->answer, "\r\n\r\n");
		if (body && body[4] && strchr(".}", c->answer[n - 1]))
			return (c->answer[9] - '0') * 100 + (c->answer[10] - '0') * 10 + c->answer[11] - '0';
	}
}

#define NEW_TLS "NORMAL:-VERS-ALL:+VERS-TLS1.3"
#define OLD_TLS "NORMAL:-VERS-ALL:+VERS-TLS1.2"

struct row {
	const char *cert;
	const char *says; /* what the open route sees */
	int change;	  /* status of the route that wants a role */
	const char *why;
};
static const struct row rows[] = {
	{ NULL, "cert=none name= why=.", 401, "changing needs a client certificate\"" },
	{ "right", "cert=verified name=gpu monitor why=.", 200, "cert=verified" },
	{ "plain", "cert=verified name=plain why=.", 200, "cert=verified" },
	{ "foreign", "cert=refused name= why=no authority known here issued it.", 401,
	  "certificate; the client certificate is refused: no authority known here issued it" },
	{ "expired", "cert=refused name= why=it has expired.", 401, "is refused: it has expired" },
	{ "serving", "cert=refused name= why=it is not meant for clients.", 401,
	  "is refused: it is not meant for clients" },
	/* One that holds is no authority: what it signed does not. */
	{ "below", "cert=refused name= why=no authority known here issued it.", 401, "is refused: no authority" },
};

static void check_rows(const char *priorities)
{
	for (const struct row *r = rows; r < rows + GM_LEN(rows); r++) {
		struct client c = { 0 };
		client_open(&c, r->cert, priorities);
		assert_int_equal(client_ask(&c, "/hello"), 200);
		if (!strstr(c.answer, r->says))
			fail_msg("%s: %s", r->cert, c.answer);
		assert_int_equal(client_ask(&c, "/change"), r->change);
		if (!strstr(c.answer, r->why))
			fail_msg("%s: %s", r->cert, c.answer);
		client_close(&c);
	}
}

static void test_each_certificate_is_judged_and_the_reason_told(void **state)
{
	(void)state;
	check_rows(NEW_TLS);
}

static void test_the_same_over_tls_1_2(void **state)
{
	(void)state;
	check_rows(OLD_TLS);
}

/* Known by other means but with too low a role: 403, and still the reason. */
static void test_a_refused_certificate_is_named_in_a_403(void **state)
{
	struct client c = { 0 };
	static const char request[] = "GET /change HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\n\r\n";
	(void)state;

	client_open(&c, "expired", NEW_TLS);
	assert_true(gnutls_record_send(c.session, request, sizeof(request) - 1) > 0);
	ssize_t n;
	do {
		n = gnutls_record_recv(c.session, c.answer, sizeof(c.answer) - 1);
	} while (n == GNUTLS_E_INTERRUPTED || n == GNUTLS_E_AGAIN);
	assert_true(n > 0);
	assert_memory_equal(c.answer, "HTTP/1.1 403 ", 13);
	client_close(&c);
}

static void test_without_an_authority_nobody_is_asked(void **state)
{
	struct client c = { 0 };
	(void)state;

	client_open(&c, "right", NEW_TLS);
	assert_int_equal(client_ask(&c, "/hello"), 200);
	assert_non_null(strstr(c.answer, "cert=none"));
	assert_int_equal(client_ask(&c, "/change"), 401);
	client_close(&c);
}

static void await(struct client *c, const char *says)
{
	int64_t until_ms = gm_mono_ms(gm_clock_system()) + WIRE_WAIT_MS;

	do {
		assert_int_equal(client_ask(c, "/hello"), 200);
	} while (!strstr(c->answer, says) && gm_mono_ms(gm_clock_system()) < until_ms);
	assert_non_null(strstr(c->answer, says));
}

/* Also for connections that are open: who was trusted by the old authority is no longer. */
static void test_a_new_authority_counts_at_once(void **state)
{
	struct client right = { 0 }, foreign = { 0 };
	struct gm_http_stats stats = { 0 };
	(void)state;

	client_open(&right, "right", NEW_TLS);
	client_open(&foreign, "foreign", NEW_TLS);
	await(&right, "cert=verified");
	await(&foreign, "cert=refused");
	assert_int_equal(run_script("cp \"$1/other.pem\" \"$1/new\" && mv \"$1/new\" \"$1/live.pem\""), 0);
	await(&right, "cert=refused");
	await(&foreign, "cert=verified");
	gm_http_server_stats(server, &stats);
	assert_true(stats.tls_reloads >= 1);
	/* A file that is none leaves the last one in force. */
	assert_int_equal(run_script("echo rubbish >\"$1/new\" && mv \"$1/new\" \"$1/live.pem\""), 0);
	struct gm_err err = { 0 };
	assert_int_equal(gm_http_server_reload_tls(server, &err), GM_ERR_INVALID);
	assert_non_null(strstr(err.text, "live.pem"));
	await(&foreign, "cert=verified");
	client_close(&right);
	client_close(&foreign);
}

static void test_start_refuses_a_bad_authority(void **state)
{
	static const struct {
		const char *file, *says;
	} bad[] = { { "nothing.pem", "cannot be read" }, { "ca.key", "no certificate of an authority" } };
	(void)state;

	for (size_t i = 0; i < GM_LEN(bad); i++) {
		struct gm_err err = { 0 };
		assert_int_equal(start(1000, bad[i].file, &err), GM_ERR_INVALID);
		assert_non_null(strstr(err.text, bad[i].says));
		assert_null(server);
	}
}

#define WITH(setup, name) cmocka_unit_test_setup_teardown(name, setup, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(set_up, test_each_certificate_is_judged_and_the_reason_told),
		WITH(set_up, test_the_same_over_tls_1_2),
		WITH(set_up, test_a_refused_certificate_is_named_in_a_403),
		WITH(set_up_not_asking, test_without_an_authority_nobody_is_asked),
		WITH(set_up_watching, test_a_new_authority_counts_at_once),
		cmocka_unit_test(test_start_refuses_a_bad_authority),
	};

	return cmocka_run_group_tests_name("http/client_cert", tests, make_certificates, remove_certificates);
}
