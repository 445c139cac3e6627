/* SPDX-License-Identifier: MIT */
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "adapter/http/http-internal.h"
#include "adapter/http/tls-internal.h"

#define CLIENT_CHAIN_MAX 8
/* A connection may live for days: what was judged is judged again. */
#define JUDGED_FOR_MS (60 * 1000)

int gm_tls_trust_read(const char *path, gnutls_x509_trust_list_t *out, struct gm_err *err)
{
	gnutls_datum_t pem = { 0 };
	gnutls_x509_trust_list_t list = NULL;
	int rc = gnutls_load_file(path, &pem);

	if (rc < 0)
		return gm_fail(err, GM_ERR_INVALID, "'%s': cannot be read", path);
	rc = gnutls_x509_trust_list_init(&list, 0);
	if (rc >= 0)
		rc = gnutls_x509_trust_list_add_trust_mem(list, &pem, NULL, GNUTLS_X509_FMT_PEM, 0, 0);
	gnutls_free(pem.data);
	if (rc > 0) {
		*out = list;
		return 0;
	}
	if (list)
		gnutls_x509_trust_list_deinit(list, 1);
	return gm_fail(err, GM_ERR_INVALID, "'%s': no certificate of an authority: %s", path,
		       rc == 0 ? "it holds none" : gnutls_strerror(rc));
}

void gm_tls_trust_use(struct gm_tls *t, gnutls_x509_trust_list_t take_list)
{
	(void)pthread_mutex_lock(&t->trust_mu);
	gnutls_x509_trust_list_t old = t->trust;
	t->trust = take_list;
	atomic_fetch_add(&t->trust_generation, 1);
	(void)pthread_mutex_unlock(&t->trust_mu);
	if (old)
		gnutls_x509_trust_list_deinit(old, 1);
}

static gnutls_session_t session_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	return info ? info->tls_session : NULL;
}

void gm_tls_ask_client(const struct gm_tls *t, struct MHD_Connection *mhd)
{
	gnutls_session_t session = t->client_ca_file ? session_of(mhd) : NULL;

	/* Asked, not demanded: who has none may still read what is open, and who has a bad one is told why. */
	if (session)
		gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
}

/* The first row that fits is the reason: of several, the one its owner can do something about. */
static const struct {
	unsigned status;
	const char *why;
} reasons[] = {
	{ GNUTLS_CERT_REVOKED, "it was revoked" },
	{ GNUTLS_CERT_SIGNER_NOT_CA, "its issuer is no authority" },
	{ GNUTLS_CERT_SIGNER_NOT_FOUND, "no authority known here issued it" },
	{ GNUTLS_CERT_EXPIRED, "it has expired" },
	{ GNUTLS_CERT_NOT_ACTIVATED, "it is not valid yet" },
	{ GNUTLS_CERT_PURPOSE_MISMATCH, "it is not meant for clients" },
	{ GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE, "its issuer may not issue it" },
	{ GNUTLS_CERT_INSECURE_ALGORITHM, "it is signed with a broken algorithm" },
	{ GNUTLS_CERT_SIGNATURE_FAILURE, "its signature is wrong" },
};

static const char *reason(unsigned status)
{
	for (size_t i = 0; i < GM_LEN(reasons); i++)
		if (status & reasons[i].status)
			return reasons[i].why;
	return "it does not hold";
}

/* NULL: it holds. */
static const char *verify(struct gm_tls *t, gnutls_x509_crt_t *chain, unsigned count)
{
	/* A certificate that names purposes must name this one; one that names none is for all. */
	gnutls_typed_vdata_st purpose = { .type = GNUTLS_DT_KEY_PURPOSE_OID,
					  .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT };
	unsigned status = 0;

	(void)pthread_mutex_lock(&t->trust_mu);
	int rc = gnutls_x509_trust_list_verify_crt2(t->trust, chain, count, &purpose, 1, 0, &status, NULL);
	(void)pthread_mutex_unlock(&t->trust_mu);
	return rc < 0 ? "it cannot be checked" : status ? reason(status) : NULL;
}

static void take_name(gnutls_x509_crt_t leaf, struct gm_http_peer *peer)
{
	char name[GM_HTTP_CERT_NAME_SIZE];
	size_t n = sizeof(name);

	if (gnutls_x509_crt_get_dn_by_oid(leaf, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &n) < 0)
		return;
	if (gm_str_plain_ok(gm_str_n(name, n)))
		(void)gm_str_copy(gm_str_n(name, n), peer->client_name, sizeof(peer->client_name));
}

static void judge(struct gm_tls *t, const gnutls_datum_t *raw, unsigned count, struct gm_http_peer *peer)
{
	gnutls_x509_crt_t chain[CLIENT_CHAIN_MAX];
	bool readable = count <= CLIENT_CHAIN_MAX;
	unsigned read = 0;

	peer->client_cert = GM_HTTP_CERT_REFUSED;
	peer->client_cert_why = readable ? "it cannot be read" : "its chain is too long";
	while (readable && read < count && gnutls_x509_crt_init(&chain[read]) >= 0) {
		readable = gnutls_x509_crt_import(chain[read], &raw[read], GNUTLS_X509_FMT_DER) >= 0;
		read++;
	}
	if (readable && read == count)
		peer->client_cert_why = verify(t, chain, count);
	if (!peer->client_cert_why) {
		peer->client_cert = GM_HTTP_CERT_VERIFIED;
		take_name(chain[0], peer);
	}
	while (read > 0)
		gnutls_x509_crt_deinit(chain[--read]);
}

void gm_tls_judge_client(struct gm_tls *t, struct MHD_Connection *mhd, struct gm_conn *conn)
{
	uint64_t generation = atomic_load(&t->trust_generation);
	int64_t now_ms = atomic_load_explicit(&conn->server->now_ms, memory_order_relaxed);
	gnutls_session_t session;
	unsigned count = 0;

	if (!t->client_ca_file || (conn->cert_generation == generation && now_ms < conn->cert_until_ms))
		return;
	session = session_of(mhd);
	const gnutls_datum_t *raw = session ? gnutls_certificate_get_peers(session, &count) : NULL;
	conn->cert_generation = generation;
	conn->cert_until_ms = now_ms + JUDGED_FOR_MS;
	conn->peer.client_cert = GM_HTTP_CERT_NONE;
	conn->peer.client_cert_why = NULL;
	conn->peer.client_name[0] = '\0';
	if (raw && count > 0)
		judge(t, raw, count, &conn->peer);
}
