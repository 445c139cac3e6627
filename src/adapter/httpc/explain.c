/* SPDX-License-Identifier: MIT */
#include "adapter/httpc/httpc-internal.h"

#include <ctype.h>

/*
 * What curl ends with where we have no better words. Its first words stay, also those that were no reason to end: a peer
 * that left early has no address any more.
 */
static const char *curl_words(const struct gm_httpc_slot *slot, CURLcode code)
{
	const bool aside = strncmp(slot->error, "getpeername() ", 14) == 0;

	return slot->error[0] && !aside ? slot->error : curl_easy_strerror(code);
}

/* A server that wants a client certificate tells after the handshake, or just leaves. */
static int explain_broken(const struct gm_httpc_slot *slot, CURLcode code, struct gm_err *err)
{
	char *scheme = NULL;

	(void)curl_easy_getinfo(slot->easy, CURLINFO_SCHEME, &scheme);
	if (slot->body.n == 0 && scheme && strcasecmp(scheme, "https") == 0)
		return gm_fail(err, GM_ERR_IO, "TLS: %s (is a client certificate wanted?)", curl_words(slot, code));
	return gm_fail(err, GM_ERR_IO, "%s", curl_words(slot, code));
}

static int explain_connect(const struct gm_httpc_slot *slot, CURLcode code, struct gm_err *err)
{
	char text[128];
	long os_error = 0;

	(void)curl_easy_getinfo(slot->easy, CURLINFO_OS_ERRNO, &os_error);
	if (os_error == 0)
		return gm_fail(err, GM_ERR_IO, "cannot connect: %s", curl_words(slot, code));
	/* "Connection refused" of the C library, in the small letters of the rest. */
	(void)snprintf(text, sizeof(text), "%s", strerrordesc_np((int)os_error));
	text[0] = (char)tolower((unsigned char)text[0]);
	return gm_fail(err, GM_ERR_IO, "%s", text);
}

static int explain_timeout(const struct gm_httpc_slot *slot, struct gm_err *err)
{
	long request_bytes = 0;

	(void)curl_easy_getinfo(slot->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
	if (slot->body.n > 0)
		return gm_fail(err, GM_ERR_DEADLINE, "not all of the page within %lld ms: %zu bytes came",
			       (long long)slot->timeout_ms, slot->body.n);
	return gm_fail(err, GM_ERR_DEADLINE, "no %s within %lld ms", request_bytes > 0 ? "answer" : "connection",
		       (long long)slot->timeout_ms);
}

static int explain_limit(const struct gm_httpc_slot *slot, struct gm_err *err)
{
	switch (slot->over) {
	case GM_SLOT_BODY_TOO_LARGE:
		return gm_fail(err, GM_ERR_TOO_LARGE, "the page is larger than %zu bytes", slot->body.limit);
	case GM_SLOT_NO_ROOM:
		return gm_fail(err, GM_ERR_LIMITED, "too many large pages at once");
	case GM_SLOT_HEADERS_TOO_LARGE:
		return gm_fail(err, GM_ERR_TOO_LARGE, "the answer's headers are too large");
	case GM_SLOT_FITS:
		break;
	}
	return gm_fail(err, GM_ERR_IO, "%s", curl_words(slot, CURLE_WRITE_ERROR));
}

static int explain_status(int status, struct gm_err *err)
{
	if (status == 401 || status == 403)
		return gm_fail(err, GM_ERR_IO, "HTTP status %d: the token or client certificate is missing or refused",
			       status);
	if (status >= 300 && status < 400)
		return gm_fail(err, GM_ERR_IO, "HTTP status %d: redirects are not followed", status);
	return gm_fail(err, GM_ERR_IO, "HTTP status %d", status);
}

int gm_httpc_explain(const struct gm_httpc_slot *slot, CURLcode code, int status, struct gm_err *err)
{
	if (slot->over != GM_SLOT_FITS)
		return explain_limit(slot, err);
	switch ((int)code) {
	case CURLE_OK:
		return status == 200 ? 0 : explain_status(status, err);
	case CURLE_COULDNT_RESOLVE_HOST:
		return gm_fail(err, GM_ERR_IO, "host name not found");
	case CURLE_COULDNT_CONNECT:
		return explain_connect(slot, code, err);
	case CURLE_OPERATION_TIMEDOUT:
		return explain_timeout(slot, err);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return gm_fail(err, GM_ERR_IO, "certificate: %s", curl_words(slot, code));
	case CURLE_SSL_CERTPROBLEM:
		return gm_fail(err, GM_ERR_IO, "client certificate: %s", curl_words(slot, code));
	case CURLE_SSL_CONNECT_ERROR:
		return gm_fail(err, GM_ERR_IO, "TLS: %s", curl_words(slot, code));
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		return explain_broken(slot, code, err);
	case CURLE_PARTIAL_FILE:
		return gm_fail(err, GM_ERR_IO, "the connection was closed early, after %zu bytes", slot->body.n);
	case CURLE_GOT_NOTHING:
		return gm_fail(err, GM_ERR_IO, "the connection was closed without an answer");
	case CURLE_BAD_CONTENT_ENCODING:
		return gm_fail(err, GM_ERR_IO, "the compressed page is broken");
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
		return gm_fail(err, GM_ERR_IO, "not an HTTP answer");
	default:
		return gm_fail(err, GM_ERR_IO, "%s", curl_words(slot, code));
	}
}
