/* SPDX-License-Identifier: MIT */
#include "base/secret.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

_Static_assert(GM_DIGEST_BYTES == crypto_generichash_BYTES, "BLAKE2b-256");

static pthread_once_t sodium_once = PTHREAD_ONCE_INIT;

static void sodium_start(void)
{
	if (sodium_init() < 0)
		abort(); /* no randomness: nothing that follows would be safe */
}

void gm_wipe(void *p, size_t n)
{
	if (n)
		sodium_memzero(p, n);
}

void gm_secret_fini(struct gm_secret *s)
{
	if (!s || !s->p)
		return;
	gm_wipe(s->p, s->n);
	free(s->p);
	*s = (struct gm_secret){ 0 };
}

void gm_secret_set(struct gm_secret *s, struct gm_str text)
{
	/* Copied first: the text may be the secret's own. */
	struct gm_secret next = { .p = gm_str_dup(text), .n = text.n };
	gm_secret_fini(s);
	*s = next;
}

bool gm_secret_eq(const void *a, const void *b, size_t n)
{
	return n == 0 || sodium_memcmp(a, b, n) == 0;
}

void gm_random_bytes(void *p, size_t n)
{
	(void)pthread_once(&sodium_once, sodium_start);
	randombytes_buf(p, n);
}

void gm_digest(struct gm_str bytes, uint8_t out[static GM_DIGEST_BYTES])
{
	(void)pthread_once(&sodium_once, sodium_start);
	(void)crypto_generichash(out, GM_DIGEST_BYTES, (const unsigned char *)bytes.p, bytes.n, NULL, 0);
}

void gm_hex(const uint8_t *bytes, size_t n, char *out)
{
	(void)sodium_bin2hex(out, n * 2 + 1, bytes, n);
}

size_t gm_base64url(const uint8_t *bytes, size_t n, char *out)
{
	size_t size = sodium_base64_encoded_len(n, sodium_base64_VARIANT_URLSAFE_NO_PADDING); /* with NUL */
	(void)sodium_bin2base64(out, size, bytes, n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	return size - 1;
}

bool gm_base64url_decode(struct gm_str text, uint8_t *out, size_t *out_n)
{
	size_t n = 0;
	if (sodium_base642bin(out, text.n, text.p, text.n, NULL, &n, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) !=
	    0)
		return false;
	*out_n = n;
	return true;
}
