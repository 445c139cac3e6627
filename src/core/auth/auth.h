/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_AUTH_AUTH_H
#define GM_CORE_AUTH_AUTH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/auth/auth-store.h"

/* Who asks and what they may do. Pure: keys come from a gm_auth_store, time and address from the caller. */

/* "none", "viewer", "operator", "admin". */
const char *gm_role_name(enum gm_role role);
/* "viewer", "operator", "admin" exactly; "none" is nobody's to give. */
bool gm_role_parse(struct gm_str name, enum gm_role *out) GM_CHECKED;

/* The text of a key: "gmk_" and 43 characters of base64url (256 random bits), and NUL. Shown once, never stored. */
#define GM_KEY_TEXT_SIZE 48
/*
 * A new key, ready for gm_auth_store.add_key, and its text. The name: 1 to GM_KEY_NAME_MAX bytes of UTF-8 without control
 * characters or blanks at its ends; expires_ms: 0 or later than now_ms. The caller wipes `out_text` (gm_wipe).
 */
int gm_key_make(struct gm_str name, enum gm_role role, struct gm_str created_by, int64_t now_ms, int64_t expires_ms,
		struct gm_key *out, char out_text[static GM_KEY_TEXT_SIZE], struct gm_err *err) GM_CHECKED;
/*
 * The same for a key text somebody brings along (the first admin key from a file): "gmk_" and at least 43 characters of
 * base64url, 128 bytes at most.
 */
int gm_key_from_text(struct gm_str text, struct gm_str name, enum gm_role role, struct gm_str created_by,
		     int64_t now_ms, int64_t expires_ms, struct gm_key *out, struct gm_err *err) GM_CHECKED;

/*
 * The keys that count, found by digest. Immutable and reference-counted: any thread may ask one it holds a reference to.
 * Revoked keys are left out; expired ones are refused at the time of asking.
 */
struct gm_keyring;
/* Copies; `keys` in any order, borrowed. Comes with one reference. */
struct gm_keyring *gm_keyring_new(const struct gm_key *keys, size_t count);
struct gm_keyring *gm_keyring_ref(struct gm_keyring *ring);
void gm_keyring_unref(struct gm_keyring *ring);
/* Is there a key of at least this role that is good now? */
bool gm_keyring_has_role(const struct gm_keyring *ring, enum gm_role least, int64_t now_ms);

/* Where threads find the ring in force. `{ 0 }` is an empty one; the reader's part is two atomic steps. */
struct gm_keyring_slot {
	atomic_flag busy;
	struct gm_keyring *ring; /* guarded by busy */
};
/* Puts a new ring in force and drops the old one; NULL empties the slot. */
void gm_keyring_slot_set(struct gm_keyring_slot *slot, struct gm_keyring *take_ring);
/* A reference to the ring in force; NULL when there is none. */
struct gm_keyring *gm_keyring_slot_get(struct gm_keyring_slot *slot);

struct gm_identity {
	enum gm_role role;		/* GM_ROLE_NONE: nobody */
	bool anonymous;			/* let in without a key */
	int64_t key_id;			/* 0: no key */
	int64_t expires_ms;		/* of the key; 0: never */
	char name[GM_KEY_NAME_MAX + 1]; /* of the key; "anonymous"; "" for nobody */
};

/*
 * Who stands behind a request. `bearer`: the key text, empty when none was sent; `anonymous` is then the role (NONE: nobody,
 * which is an identity too; gm_auth_allows refuses it). A text that is no good key is GM_ERR_UNAUTHENTICATED whatever
 * `anonymous` says: a mistyped key must not silently become an anonymous visit. `ring` may be NULL (no keys).
 */
int gm_auth_identify(const struct gm_keyring *ring, struct gm_str bearer, enum gm_role anonymous, int64_t now_ms,
		     struct gm_identity *out, struct gm_err *err) GM_CHECKED;
/* The key text of an Authorization header's value ("Bearer <text>", the word in any case); empty when it is another scheme. */
struct gm_str gm_auth_bearer(struct gm_str authorization);
/* 0, or GM_ERR_UNAUTHENTICATED (nobody), or GM_ERR_FORBIDDEN (known, role too low). */
int gm_auth_allows(const struct gm_identity *who, enum gm_role least, struct gm_err *err) GM_CHECKED;
/* "127.0.0.0/8", "::1" and the first mapped into IPv6; without port or brackets. */
bool gm_auth_address_is_loopback(struct gm_str address);

/*
 * The digest of an audit row: BLAKE2b-256 over previous, seq, at_ms and each text with its length before it. The first
 * row of a log has seq 1 and a previous of zeros.
 */
void gm_audit_digest(const struct gm_audit *row, uint8_t out[static GM_DIGEST_BYTES]);

/* Proves a chain, row by row in rising seq. `{ 0 }` begins before the first row. */
struct gm_audit_chain {
	int64_t seq;		       /* of the last row proved; 0: none */
	uint8_t head[GM_DIGEST_BYTES]; /* its digest: to compare with a head noted elsewhere */
};
/* GM_ERR_CORRUPT names the first row that is missing, changed or out of order; the chain stays at the row before it. */
int gm_audit_chain_next(struct gm_audit_chain *chain, const struct gm_audit *row, struct gm_err *err) GM_CHECKED;

GM_DEFINE_AUTO(struct gm_keyring, gm_keyring_unref)

#endif
