/* SPDX-License-Identifier: MIT */
#include "tls_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PEM_MAX 8192
#define HANDSHAKE_MS 2000

/* A certificate and its key. */
struct pair {
	gnutls_x509_crt_t certificate;
	gnutls_x509_privkey_t key;
};

struct tls_server {
	pthread_t thread;
	int listen_fd, stop_pipe[2], port;
	char folder[256];
	char *page;
	bool want_client;
	struct pair ca, own, client;
	gnutls_certificate_credentials_t credentials;
};

static void must(int rc)
{
	if (rc < 0)
		abort();
}

static void make_pair(struct pair *p, const char *name, const struct pair *issuer, unsigned char serial)
{
	time_t now = time(NULL);

	must(gnutls_x509_privkey_init(&p->key));
	must(gnutls_x509_privkey_generate(p->key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
					  0));
	must(gnutls_x509_crt_init(&p->certificate));
	must(gnutls_x509_crt_set_version(p->certificate, 3));
	must(gnutls_x509_crt_set_serial(p->certificate, &serial, 1));
	must(gnutls_x509_crt_set_activation_time(p->certificate, now - 60));
	must(gnutls_x509_crt_set_expiration_time(p->certificate, now + 3600));
	must(gnutls_x509_crt_set_dn_by_oid(p->certificate, GNUTLS_OID_X520_COMMON_NAME, 0, name,
					   (unsigned)strlen(name)));
	must(gnutls_x509_crt_set_key(p->certificate, p->key));
	must(gnutls_x509_crt_set_basic_constraints(p->certificate, issuer ? 0 : 1, -1));
	if (issuer) {
		must(gnutls_x509_crt_set_subject_alt_name(p->certificate, GNUTLS_SAN_DNSNAME, name,
							  (unsigned)strlen(name), GNUTLS_FSAN_SET));
	} else {
		must(gnutls_x509_crt_set_key_usage(p->certificate, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN));
	}
	must(gnutls_x509_crt_sign2(p->certificate, issuer ? issuer->certificate : p->certificate,
				   issuer ? issuer->key : p->key, GNUTLS_DIG_SHA256, 0));
}

static void drop_pair(struct pair *p)
{
	gnutls_x509_crt_deinit(p->certificate);
	gnutls_x509_privkey_deinit(p->key);
}

static void path_of(const struct tls_server *s, const char *name, char path[static 320])
{
	(void)snprintf(path, 320, "%s/%s", s->folder, name);
}

static void write_pem(const struct tls_server *s, const char *name, const struct pair *p, bool key)
{
	char path[320], pem[PEM_MAX];
	size_t n = sizeof(pem);
	FILE *out;

	must(key ? gnutls_x509_privkey_export(p->key, GNUTLS_X509_FMT_PEM, pem, &n)
		 : gnutls_x509_crt_export(p->certificate, GNUTLS_X509_FMT_PEM, pem, &n));
	path_of(s, name, path);
	out = fopen(path, "w");
	if (!out || fwrite(pem, 1, n, out) != n || fclose(out) != 0)
		abort();
}

/* Answers requests until the peer leaves. */
static void serve_peer(struct tls_server *s, int fd)
{
	gnutls_session_t session;
	char request[4096], head[128];
	ssize_t n;

	must(gnutls_init(&session, GNUTLS_SERVER));
	must(gnutls_set_default_priority(session));
	must(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, s->credentials));
	if (s->want_client) {
		gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
		gnutls_session_set_verify_cert(session, NULL, 0);
	}
	gnutls_transport_set_int(session, fd);
	gnutls_handshake_set_timeout(session, HANDSHAKE_MS);
	gnutls_record_set_timeout(session, HANDSHAKE_MS);
	if (gnutls_handshake(session) == 0) {
		while ((n = gnutls_record_recv(session, request, sizeof(request))) > 0) {
			int head_n = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
					      strlen(s->page));

			(void)gnutls_record_send(session, head, (size_t)head_n);
			(void)gnutls_record_send(session, s->page, strlen(s->page));
		}
	}
	gnutls_deinit(session);
	(void)close(fd);
}

static void *serve(void *arg)
{
	struct tls_server *s = arg;

	for (;;) {
		struct pollfd fds[2] = { { .fd = s->stop_pipe[0], .events = POLLIN },
					 { .fd = s->listen_fd, .events = POLLIN } };
		int fd;

		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents)
			return NULL;
		fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			serve_peer(s, fd);
	}
}

static void open_port(struct tls_server *s)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);

	s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(s->listen_fd);
	must(bind(s->listen_fd, (struct sockaddr *)&address, size));
	must(listen(s->listen_fd, 16));
	must(getsockname(s->listen_fd, (struct sockaddr *)&address, &size));
	must(pipe2(s->stop_pipe, O_CLOEXEC));
	s->port = ntohs(address.sin_port);
}

struct tls_server *tls_server_start(const char *folder, bool want_client, const char *page)
{
	struct tls_server *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	(void)snprintf(s->folder, sizeof(s->folder), "%s", folder);
	s->want_client = want_client;
	s->page = strdup(page);
	make_pair(&s->ca, "test CA", NULL, 1);
	make_pair(&s->own, "localhost", &s->ca, 2);
	make_pair(&s->client, "scraper", &s->ca, 3);
	write_pem(s, "ca.pem", &s->ca, false);
	write_pem(s, "client.pem", &s->client, false);
	write_pem(s, "client-key.pem", &s->client, true);
	must(gnutls_certificate_allocate_credentials(&s->credentials));
	must(gnutls_certificate_set_x509_key(s->credentials, &s->own.certificate, 1, s->own.key));
	must(gnutls_certificate_set_x509_trust(s->credentials, &s->ca.certificate, 1));
	open_port(s);
	must(-pthread_create(&s->thread, NULL, serve, s));
	return s;
}

void tls_server_stop(struct tls_server *s)
{
	static const char *const files[] = { "ca.pem", "client.pem", "client-key.pem" };
	char path[320];

	(void)close(s->stop_pipe[1]);
	(void)pthread_join(s->thread, NULL);
	(void)close(s->stop_pipe[0]);
	(void)close(s->listen_fd);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		path_of(s, files[i], path);
		(void)unlink(path);
	}
	gnutls_certificate_free_credentials(s->credentials);
	drop_pair(&s->ca);
	drop_pair(&s->own);
	drop_pair(&s->client);
	free(s->page);
	free(s);
}

int tls_server_port(const struct tls_server *s)
{
	return s->port;
}
