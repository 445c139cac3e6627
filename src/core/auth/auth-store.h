/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_AUTH_AUTH_STORE_H
#define GM_CORE_AUTH_AUTH_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"

/* Roles, rising: each may do what those before it may. */
enum gm_role { GM_ROLE_NONE, GM_ROLE_VIEWER, GM_ROLE_OPERATOR, GM_ROLE_ADMIN, GM_ROLE_COUNT };

#define GM_KEY_NAME_MAX 64    /* bytes of UTF-8 */
#define GM_KEY_PREFIX_SIZE 13 /* "gmk_" and 8 characters of the key, and NUL: what lists show */

/* An API key as it is stored: its secret part only as a digest. */
struct gm_key {
	int64_t id; /* given by the store, rising, never used again; 0: not stored yet */
	char name[GM_KEY_NAME_MAX + 1];
	char prefix[GM_KEY_PREFIX_SIZE];
	uint8_t digest[GM_DIGEST_BYTES]; /* gm_digest of the whole key text */
	enum gm_role role;
	int64_t created_ms;
	char created_by[GM_KEY_NAME_MAX + 1];
	int64_t expires_ms; /* 0: never */
	int64_t revoked_ms; /* 0: not revoked */
};

/*
 * One change, who made it and from where; append-only. Rows are chained: `digest` covers every other member and the
 * digest of the row before (auth.h, gm_audit_digest); the store fills seq, previous and digest while it writes.
 * Texts are borrowed. `before`, `after`: JSON, empty when there is none.
 */
struct gm_audit {
	int64_t seq;
	int64_t at_ms;
	struct gm_str actor;   /* name of the key, "anonymous", "system" */
	struct gm_str role;    /* "viewer", "operator", "admin" */
	struct gm_str address; /* of the client; empty for the system's own */
	struct gm_str action;  /* "key.create", "key.revoke", "config.reload", ... */
	struct gm_str object;  /* what was changed: an id */
	struct gm_str before, after;
	struct gm_str request_id;
	uint8_t previous[GM_DIGEST_BYTES];
	uint8_t digest[GM_DIGEST_BYTES];
};

/* Attempts that were refused, counted an address and a minute, not a row each. */
struct gm_refused {
	int64_t minute_ms; /* begin of the minute */
	struct gm_str address;
	int status; /* 401, 403 or 429 */
	int64_t count;
};

struct gm_audit_query {
	int64_t before_seq; /* rows with a smaller seq, newest first; 0: from the newest */
	size_t limit;
	int64_t from_ms, to_ms;	     /* 0: open */
	struct gm_str actor, action; /* empty: all; action by prefix */
};

/*
 * Port: where keys and the audit log are kept. Implemented by adapter/store and by tests. The writing members belong to
 * the store's one writer thread and are on disk when they return; the reading ones may be called from any thread.
 */
struct gm_auth_store {
	void *ctx;
	/* Every key, revoked ones too, by rising id. */
	int (*load_keys)(void *ctx, int (*each)(void *each_ctx, const struct gm_key *key, struct gm_err *err),
			 void *each_ctx, struct gm_err *err);
	/* Key and audit row in one transaction; sets key->id. The audit row's object is the new id when it is empty. */
	int (*add_key)(void *ctx, struct gm_key *key, const struct gm_audit *audit, struct gm_err *err);
	/* GM_ERR_NOT_FOUND when there is no such key, GM_ERR_CONFLICT when it is revoked already. */
	int (*revoke_key)(void *ctx, int64_t id, int64_t at_ms, const struct gm_audit *audit, struct gm_err *err);
	int (*append_audit)(void *ctx, const struct gm_audit *rows, size_t count, struct gm_err *err);
	/* Adds to the counts of (minute, address, status); addresses past 1,000 in a minute are counted as "other". */
	int (*add_refused)(void *ctx, const struct gm_refused *rows, size_t count, struct gm_err *err);
	int (*read_audit)(void *ctx, const struct gm_audit_query *query,
			  int (*each)(void *each_ctx, const struct gm_audit *row, struct gm_err *err), void *each_ctx,
			  struct gm_err *err);
	/* Newest minute first, at most `limit`. */
	int (*read_refused)(void *ctx, int64_t from_ms, size_t limit,
			    int (*each)(void *each_ctx, const struct gm_refused *row, struct gm_err *err),
			    void *each_ctx, struct gm_err *err);
};

#endif
