/* SPDX-License-Identifier: MIT */
#include "adapter/httpc/httpc-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file-stamp.h"
#include "base/secret.h"

#define TOKEN_MAX (16 * 1024)
#define LOOK_EVERY_MS 1000

struct gm_httpc_identity {
	char *bearer_file, *ca_file, *cert_file, *key_file;
	bool insecure;
	struct gm_secret token;
	struct gm_file_stamp token_stamp; /* of the file the token is from */
	int64_t looked_mono_ms;
	unsigned generation; /* rises with each new token; never 0 */
};

static unsigned next_generation(void)
{
	static atomic_uint last;

	return atomic_fetch_add(&last, 1) + 1;
}

static char *copy_or_null(const char *s)
{
	return s ? gm_xstrdup(s) : NULL;
}

void gm_httpc_identity_free(struct gm_httpc_identity *identity)
{
	if (!identity)
		return;
	gm_secret_fini(&identity->token);
	free(identity->bearer_file);
	free(identity->ca_file);
	free(identity->cert_file);
	free(identity->key_file);
	free(identity);
}

static int token_read(struct gm_httpc_identity *identity, struct gm_err *err)
{
	GM_AUTO(gm_fd_close_p) int fd = open(identity->bearer_file, O_RDONLY | O_CLOEXEC);
	char text[TOKEN_MAX + 1];
	struct gm_str token;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) != 0)
		return gm_fail_errno(err, errno, "token file %s", identity->bearer_file);
	const struct gm_file_stamp stamp = gm_file_stamp_of(&st);
	if (identity->token.p && gm_file_stamp_same(&stamp, &identity->token_stamp))
		return 0;
	n = read(fd, text, sizeof(text));
	if (n < 0)
		return gm_fail_errno(err, errno, "token file %s", identity->bearer_file);
	token = gm_str_trim(gm_str_n(text, (size_t)n));
	if (token.n == 0 || token.n > TOKEN_MAX || memchr(token.p, '\n', token.n) || memchr(token.p, 0, token.n)) {
		gm_wipe(text, sizeof(text));
		return gm_fail(err, GM_ERR_INVALID, "token file %s: not one line of 1 to %d bytes",
			       identity->bearer_file, TOKEN_MAX);
	}
	gm_secret_fini(&identity->token);
	gm_secret_set(&identity->token, token);
	gm_wipe(text, sizeof(text));
	identity->token_stamp = stamp;
	identity->generation = next_generation();
	return 0;
}

static int check_file(const char *path, const char *what, struct gm_err *err)
{
	if (path && access(path, R_OK) != 0)
		return gm_fail_errno(err, errno, "%s %s", what, path);
	return 0;
}

int gm_httpc_identity_new(const struct gm_httpc_identity_conf *conf, struct gm_httpc_identity **out, struct gm_err *err)
{
	GM_AUTO(gm_httpc_identity_free_p) struct gm_httpc_identity *identity = gm_xalloc(sizeof(*identity));
	int rc;

	identity->bearer_file = copy_or_null(conf->bearer_file);
	identity->ca_file = copy_or_null(conf->ca_file);
	identity->cert_file = copy_or_null(conf->cert_file);
	identity->key_file = copy_or_null(conf->key_file);
	identity->insecure = conf->insecure;
	identity->generation = next_generation();
	identity->looked_mono_ms = INT64_MIN / 2;
	if (!conf->cert_file != !conf->key_file)
		return gm_fail(err, GM_ERR_INVALID, "a client certificate needs its key, and a key its certificate");
	rc = check_file(conf->ca_file, "CA file", err);
	if (rc == 0)
		rc = check_file(conf->cert_file, "client certificate", err);
	if (rc == 0)
		rc = check_file(conf->key_file, "client key", err);
	if (rc == 0 && conf->bearer_file)
		rc = token_read(identity, err);
	if (rc)
		return rc;
	*out = gm_steal(&identity);
	return 0;
}

static void set_options(const struct gm_httpc_identity *identity, const struct gm_httpc_slot *slot)
{
	static const struct gm_httpc_identity nobody = { 0 };
	const struct gm_httpc_identity *i = identity ? identity : &nobody;
	CURL *easy = slot->easy;

	/* A CA file of one's own is believed alone, without the system's. curl copies the names and the token. */
	(void)curl_easy_setopt(easy, CURLOPT_CAINFO, i->ca_file ? i->ca_file : slot->system_ca_file);
	(void)curl_easy_setopt(easy, CURLOPT_CAPATH, i->ca_file ? NULL : slot->system_ca_path);
	(void)curl_easy_setopt(easy, CURLOPT_SSLCERT, i->cert_file);
	(void)curl_easy_setopt(easy, CURLOPT_SSLKEY, i->key_file);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, i->insecure ? 0L : 1L);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, i->insecure ? 0L : 2L);
	(void)curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, i->token.p);
	(void)curl_easy_setopt(easy, CURLOPT_HTTPAUTH, i->token.p ? (unsigned long)CURLAUTH_BEARER : CURLAUTH_BASIC);
}

int gm_httpc_identity_use(struct gm_httpc_identity *identity, struct gm_httpc_slot *slot, int64_t mono_ms,
			  struct gm_err *err)
{
	if (identity && identity->bearer_file && mono_ms - identity->looked_mono_ms >= LOOK_EVERY_MS) {
		struct gm_err unreadable = { 0 };

		/* A file that is just being replaced: the token we have may still be good. */
		if (token_read(identity, &unreadable) && !identity->token.p) {
			if (err)
				*err = unreadable;
			return unreadable.code;
		}
		identity->looked_mono_ms = mono_ms;
	}
	if (slot->generation == (identity ? identity->generation : 0))
		return 0;
	set_options(identity, slot);
	slot->generation = identity ? identity->generation : 0;
	return 0;
}
