/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_HTTP_TLS_INTERNAL_H
#define GM_ADAPTER_HTTP_TLS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/err.h"
#include "base/file-stamp.h"

struct pair;

struct gm_tls {
	char *cert_file, *key_file;
	char *client_ca_file; /* NULL: no client is asked for a certificate */
	pthread_mutex_t mu;
	_Atomic(struct pair *) in_use;			      /* read by handshakes; written with mu held */
	struct gm_file_stamp cert_stamp, key_stamp, ca_stamp; /* guarded by mu */
	_Atomic uint64_t reloads, failures;

	pthread_mutex_t trust_mu;	/* behind mu; the library's list is not said to be safe for readers at once */
	gnutls_x509_trust_list_t trust; /* guarded by trust_mu */
	_Atomic uint64_t trust_generation; /* rises with each list; 0: none yet */
};

/* Reads an authority's certificates (PEM); the list is the caller's. */
int gm_tls_trust_read(const char *path, gnutls_x509_trust_list_t *out, struct gm_err *err) GM_CHECKED;
/* Puts it in place of the one in use, which is freed. */
void gm_tls_trust_use(struct gm_tls *t, gnutls_x509_trust_list_t take_list);

#endif
