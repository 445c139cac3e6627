/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_AUTH_AUTH_INTERNAL_H
#define GM_CORE_AUTH_AUTH_INTERNAL_H

#include "core/auth/auth.h"

/* What a ring keeps of a key. */
struct gm_ring_key {
	uint8_t digest[GM_DIGEST_BYTES];
	int64_t id;
	int64_t expires_ms;
	enum gm_role role;
	char name[GM_KEY_NAME_MAX + 1];
};

/* The key with this digest, good or expired; NULL when there is none. */
const struct gm_ring_key *gm_keyring_find(const struct gm_keyring *ring, const uint8_t digest[static GM_DIGEST_BYTES]);

static inline bool gm_key_good_at(int64_t expires_ms, int64_t now_ms)
{
	return expires_ms == 0 || now_ms < expires_ms;
}

#endif
