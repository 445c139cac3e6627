/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "adapter/http/http-internal.h"
#include "adapter/http/tls-internal.h"
#include "base/alloc.h"

#define CHAIN_MAX 16

/* One reading of the files. Handshakes under way may still use an old one, so all live until the server ends. */
struct pair {
	struct pair *older;
	gnutls_pcert_st chain[CHAIN_MAX];
	unsigned count;
	gnutls_privkey_t key;
	int64_t not_after_ms;
};

static void pair_free(struct pair *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < p->count; i++)
		gnutls_pcert_deinit(&p->chain[i]);
	if (p->key)
		gnutls_privkey_deinit(p->key);
	free(p);
}
GM_DEFINE_AUTO(struct pair, pair_free)

static void datum_free_p(gnutls_datum_t *d)
{
	if (d->data)
		gm_wipe(d->data, d->size);
	gnutls_free(d->data);
}

static int read_pem(const char *path, gnutls_datum_t *out, struct gm_err *err)
{
	int rc = gnutls_load_file(path, out);

	return rc < 0 ? gm_fail(err, GM_ERR_INVALID, "'%s': cannot be read", path) : 0;
}

static int read_chain(struct pair *p, const char *path, struct gm_err *err)
{
	GM_AUTO(datum_free_p) gnutls_datum_t pem = { 0 };
	gnutls_x509_crt_t leaf;
	unsigned count = CHAIN_MAX;
	int rc = read_pem(path, &pem, err);

	if (rc != 0)
		return rc;
	rc = gnutls_pcert_list_import_x509_raw(p->chain, &count, &pem, GNUTLS_X509_FMT_PEM, 0);
	if (rc < 0)
		return gm_fail(err, GM_ERR_INVALID, "'%s': no certificate chain: %s", path, gnutls_strerror(rc));
	p->count = count;
	rc = gnutls_x509_crt_init(&leaf);
	if (rc >= 0) {
		rc = gnutls_x509_crt_import(leaf, &p->chain[0].cert, GNUTLS_X509_FMT_DER);
		p->not_after_ms = rc >= 0 ? (int64_t)gnutls_x509_crt_get_expiration_time(leaf) * 1000 : 0;
		gnutls_x509_crt_deinit(leaf);
	}
	return rc < 0 ? gm_fail(err, GM_ERR_INVALID, "'%s': %s", path, gnutls_strerror(rc)) : 0;
}

static int read_key(struct pair *p, const char *path, struct gm_err *err)
{
	GM_AUTO(datum_free_p) gnutls_datum_t pem = { 0 };
	int rc = read_pem(path, &pem, err);

	if (rc != 0)
		return rc;
	rc = gnutls_privkey_init(&p->key);
	if (rc >= 0)
		rc = gnutls_privkey_import_x509_raw(p->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	return rc < 0 ? gm_fail(err, GM_ERR_INVALID, "'%s': no private key: %s", path, gnutls_strerror(rc)) : 0;
}

/* A half-replaced pair of files must not be served. */
static int check_match(const struct pair *p, const char *cert_file, struct gm_err *err)
{
	unsigned char ids[2][64];
	size_t sizes[2] = { sizeof(ids[0]), sizeof(ids[1]) };
	gnutls_pubkey_t of_key;
	bool same = false;

	if (gnutls_pubkey_init(&of_key) < 0)
		return gm_fail(err, GM_ERR_NO_MEMORY, "no memory for a key");
	if (gnutls_pubkey_import_privkey(of_key, p->key, 0, 0) >= 0 &&
	    gnutls_pubkey_get_key_id(of_key, GNUTLS_KEYID_USE_SHA256, ids[0], &sizes[0]) >= 0 &&
	    gnutls_pubkey_get_key_id(p->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, ids[1], &sizes[1]) >= 0)
		same = sizes[0] == sizes[1] && memcmp(ids[0], ids[1], sizes[0]) == 0;
	gnutls_pubkey_deinit(of_key);
	return same ? 0 : gm_fail(err, GM_ERR_INVALID, "'%s': certificate and key do not belong together", cert_file);
}

/* Called with mu held. All or nothing. */
static int load(struct gm_tls *t, struct gm_err *err)
{
	GM_AUTO(pair_free_p) struct pair *p = gm_xalloc(sizeof(*p));
	gnutls_x509_trust_list_t trust = NULL;
	int rc;

	(void)gm_file_stamp_read(t->cert_file, &t->cert_stamp);
	(void)gm_file_stamp_read(t->key_file, &t->key_stamp);
	if (t->client_ca_file)
		(void)gm_file_stamp_read(t->client_ca_file, &t->ca_stamp);
	rc = read_chain(p, t->cert_file, err);
	if (rc == 0)
		rc = read_key(p, t->key_file, err);
	if (rc == 0)
		rc = check_match(p, t->cert_file, err);
	if (rc == 0 && t->client_ca_file)
		rc = gm_tls_trust_read(t->client_ca_file, &trust, err);
	if (rc != 0)
		return rc;
	p->older = atomic_load(&t->in_use);
	atomic_store_explicit(&t->in_use, gm_steal(&p), memory_order_release);
	if (trust)
		gm_tls_trust_use(t, trust);
	return 0;
}

int gm_tls_new(const struct gm_http_conf *conf, struct gm_tls **out, struct gm_err *err)
{
	struct gm_tls *t = gm_xalloc(sizeof(*t));
	int rc;

	t->cert_file = gm_xstrdup(conf->tls_cert_file);
	t->key_file = gm_xstrdup(conf->tls_key_file ? conf->tls_key_file : conf->tls_cert_file);
	if (conf->tls_client_ca_file)
		t->client_ca_file = gm_xstrdup(conf->tls_client_ca_file);
	(void)pthread_mutex_init(&t->mu, NULL);
	(void)pthread_mutex_init(&t->trust_mu, NULL);
	(void)pthread_mutex_lock(&t->mu);
	rc = load(t, err);
	(void)pthread_mutex_unlock(&t->mu);
	if (rc != 0)
		gm_tls_free(t);
	else
		*out = t;
	return rc;
}

void gm_tls_free(struct gm_tls *t)
{
	if (!t)
		return;
	for (struct pair *p = atomic_load(&t->in_use), *older; p; p = older) {
		older = p->older;
		pair_free(p);
	}
	if (t->trust)
		gnutls_x509_trust_list_deinit(t->trust, 1);
	(void)pthread_mutex_destroy(&t->trust_mu);
	(void)pthread_mutex_destroy(&t->mu);
	free(t->cert_file);
	free(t->key_file);
	free(t->client_ca_file);
	free(t);
}

int gm_tls_reload(struct gm_tls *t, struct gm_err *err)
{
	(void)pthread_mutex_lock(&t->mu);
	int rc = load(t, err);
	(void)pthread_mutex_unlock(&t->mu);
	atomic_fetch_add(rc == 0 ? &t->reloads : &t->failures, 1);
	return rc;
}

int gm_tls_check(struct gm_tls *t, struct gm_err *err)
{
	struct gm_file_stamp cert, key, ca = { 0 };

	(void)gm_file_stamp_read(t->cert_file, &cert);
	(void)gm_file_stamp_read(t->key_file, &key);
	if (t->client_ca_file)
		(void)gm_file_stamp_read(t->client_ca_file, &ca);
	(void)pthread_mutex_lock(&t->mu);
	bool same = gm_file_stamp_same(&cert, &t->cert_stamp) && gm_file_stamp_same(&key, &t->key_stamp) &&
		    gm_file_stamp_same(&ca, &t->ca_stamp);
	(void)pthread_mutex_unlock(&t->mu);
	if (same)
		return 0;
	int rc = gm_tls_reload(t, err);
	return rc == 0 ? 1 : rc;
}

void gm_tls_stats(const struct gm_tls *t, struct gm_http_stats *out)
{
	out->tls_reloads = atomic_load(&t->reloads);
	out->tls_reload_failures = atomic_load(&t->failures);
	out->tls_not_after_ms = atomic_load(&t->in_use)->not_after_ms;
}

/* The library makes the connection the session's pointer. */
static int on_certificate(gnutls_session_t session, const gnutls_datum_t *names, int name_count,
			  const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **out_chain,
			  unsigned *out_count, gnutls_privkey_t *out_key)
{
	struct MHD_Connection *mhd = gnutls_session_get_ptr(session);
	const struct gm_conn *conn = mhd ? gm_http_conn_of(mhd) : NULL;
	(void)names;
	(void)name_count;
	(void)algorithms;
	(void)algorithm_count;

	if (!conn)
		return -1;
	struct pair *p = atomic_load_explicit(&conn->server->tls->in_use, memory_order_acquire);
	*out_chain = p->chain;
	*out_count = p->count;
	*out_key = p->key;
	return 0;
}

void gm_tls_option(struct MHD_OptionItem *out)
{
	*out = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)on_certificate };
}
