/* SPDX-License-Identifier: MIT */
#ifndef GM_BASE_SECRET_H
#define GM_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/str.h"

/* Text that no log prints, wiped on fini. There is no printer on purpose; whoever needs the text reads `p`. */
struct gm_secret {
	char *p; /* NUL-ended, NULL when not set */
	size_t n;
};
void gm_secret_set(struct gm_secret *s, struct gm_str text);
void gm_secret_fini(struct gm_secret *s);
/* In time that does not depend on the bytes. */
bool gm_secret_eq(const void *a, const void *b, size_t n);
void gm_wipe(void *p, size_t n);

/* Cryptographic random bytes. */
void gm_random_bytes(void *p, size_t n);

#define GM_DIGEST_BYTES 32
/* BLAKE2b-256. */
void gm_digest(struct gm_str bytes, uint8_t out[static GM_DIGEST_BYTES]);
/* Lower case, 2n+1 bytes. */
void gm_hex(const uint8_t *bytes, size_t n, char *out);
/* URL-safe base64 without padding; returns the length. `out` of at least (n*4+2)/3+1 bytes. */
size_t gm_base64url(const uint8_t *bytes, size_t n, char *out);

/* Back; `out` of at least text.n bytes. False for what gm_base64url does not write. */
bool gm_base64url_decode(struct gm_str text, uint8_t *out, size_t *out_n) GM_CHECKED;

GM_DEFINE_AUTO_VALUE(struct gm_secret, gm_secret_fini)

#endif
