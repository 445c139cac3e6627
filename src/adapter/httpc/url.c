/* SPDX-License-Identifier: MIT */
#include "adapter/httpc/httpc.h"

#include <curl/curl.h>

#define URL_MAX 2048

static void curl_free_p(char **p)
{
	curl_free(*p);
}

static void url_cleanup_p(CURLU **url)
{
	curl_url_cleanup(*url);
}

static int check_parts(CURLU *url, const char *default_path, char out_host[static GM_HTTPC_HOST_SIZE],
		       struct gm_err *err)
{
	GM_AUTO(curl_free_p) char *scheme = NULL;
	GM_AUTO(curl_free_p) char *host = NULL;
	GM_AUTO(curl_free_p) char *user = NULL;
	GM_AUTO(curl_free_p) char *path = NULL;

	if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
		return gm_fail(err, GM_ERR_INVALID, "not an http or https address");
	if (curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
	    !gm_str_copy(gm_str(host), out_host, GM_HTTPC_HOST_SIZE))
		return gm_fail(err, GM_ERR_INVALID, "no usable host name");
	if (curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_OK)
		return gm_fail(err, GM_ERR_INVALID, "user and password in an address would be shown: use a token file");
	if (curl_url_get(url, CURLUPART_PATH, &path, 0) == CURLUE_OK && strcmp(path, "/") != 0)
		return 0;
	if (curl_url_set(url, CURLUPART_PATH, default_path, 0) != CURLUE_OK)
		return gm_fail(err, GM_ERR_INVALID, "cannot take the path %s", default_path);
	return 0;
}

int gm_httpc_url(struct gm_str text, const char *default_path, struct gm_buf *out,
		 char out_host[static GM_HTTPC_HOST_SIZE], struct gm_err *err)
{
	GM_AUTO(url_cleanup_p) CURLU *url = curl_url();
	GM_AUTO(curl_free_p) char *normal = NULL;
	char buf[URL_MAX];
	bool scheme = false;
	CURLUcode code;
	int rc;

	for (size_t i = 0; i + 3 <= text.n; i++)
		scheme |= memcmp(text.p + i, "://", 3) == 0;
	if (text.n == 0 || text.n + sizeof("http://") > sizeof(buf) || memchr(text.p, 0, text.n))
		return gm_fail(err, GM_ERR_INVALID, "an address has 1 to %d bytes", URL_MAX - 8);
	(void)snprintf(buf, sizeof(buf), "%s%.*s", scheme ? "" : "http://", GM_STR_ARG(text));
	if (!url)
		return gm_fail(err, GM_ERR_NO_MEMORY, "no memory for an address");
	code = curl_url_set(url, CURLUPART_URL, buf, CURLU_NON_SUPPORT_SCHEME);
	if (code != CURLUE_OK)
		return gm_fail(err, GM_ERR_INVALID, "'%.*s': %s", GM_STR_ARG(text), curl_url_strerror(code));
	(void)curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
	rc = check_parts(url, default_path, out_host, err);
	if (rc)
		return rc;
	if (curl_url_get(url, CURLUPART_URL, &normal, 0) != CURLUE_OK)
		return gm_fail(err, GM_ERR_INVALID, "'%.*s' is not an address", GM_STR_ARG(text));
	gm_buf_add_cstr(out, normal);
	return 0;
}
