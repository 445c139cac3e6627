/* SPDX-License-Identifier: MIT */
#ifndef GM_TESTS_FAKES_TLS_SERVER_H
#define GM_TESTS_FAKES_TLS_SERVER_H

#include <stdbool.h>

/*
 * An HTTPS server on loopback, in a thread of its own, one connection after the other; every request gets the page. It makes
 * a CA, a certificate for "localhost" (not for 127.0.0.1) and one for a client, and writes ca.pem, client.pem and client-key.pem
 * into `folder`.
 */
struct tls_server;
struct tls_server *tls_server_start(const char *folder, bool want_client, const char *page);
/* Removes the files again. */
void tls_server_stop(struct tls_server *s);
int tls_server_port(const struct tls_server *s);

#endif
