/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_SERVER_KEYS_H
#define GM_APP_SERVER_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "adapter/http/http.h"
#include "app/server/facts.h"
#include "app/server/recorder.h"
#include "base/clock.h"
#include "base/json.h"
#include "core/auth/auth.h"

/*
 * Who may: the keys in force, the first admin key, changes to keys with their audit rows, and the counts of refused
 * attempts. Any thread.
 */
struct gm_keys;

struct gm_keys_conf {
	const struct gm_clock *clock;
	struct gm_recorder *recorder;
	struct gm_facts_box *facts;
	/* A new audit row was written, as JSON; NULL: nobody is told. */
	void (*audited)(void *ctx, struct gm_str json);
	/* A key is no longer good: what it holds open must end. NULL: nobody is told. */
	void (*revoked)(void *ctx, int64_t key_id);
	void *ctx;
};

/* Who changes something, for the audit row. */
struct gm_actor {
	const struct gm_identity *identity; /* NULL: the system itself */
	struct gm_str address, request_id;
};

struct gm_keys *gm_keys_new(const struct gm_keys_conf *conf);
void gm_keys_free(struct gm_keys *k);
/*
 * Reads the keys of the store. When no admin key is good and the server is not open: takes the one in `admin_key_file`
 * (empty: none), or makes one and gives its text in out_text, to be shown once ("" when none was made). Without a database
 * the file's key is in force, and no other.
 */
int gm_keys_load(struct gm_keys *k, const char *admin_key_file, char out_text[static GM_KEY_TEXT_SIZE],
		 struct gm_err *err) GM_CHECKED;

/* The HTTP server's hooks. */
int gm_keys_identify(struct gm_keys *k, const struct gm_http_peer *peer, struct gm_str authorization,
		     struct gm_identity *out, struct gm_err *err);
void gm_keys_refused(struct gm_keys *k, const struct gm_http_peer *peer, int status);
/* Every few seconds: writes the counts gathered so far, and reads the keys again when that failed the last time. */
void gm_keys_tick(struct gm_keys *k);

/* expires_ms 0: never. On disk, with its audit row, when it returns. */
int gm_keys_create(struct gm_keys *k, const struct gm_actor *actor, struct gm_str name, enum gm_role role,
		   int64_t expires_ms, struct gm_key *out, char out_text[static GM_KEY_TEXT_SIZE],
		   struct gm_err *err) GM_CHECKED;
int gm_keys_revoke(struct gm_keys *k, const struct gm_actor *actor, int64_t id, struct gm_err *err) GM_CHECKED;
/* An audit row of its own, for what changes no key; `before` and `after` are JSON or empty. */
int gm_keys_audit(struct gm_keys *k, const struct gm_actor *actor, const char *action, struct gm_str object,
		  struct gm_str before, struct gm_str after, struct gm_err *err) GM_CHECKED;
/* The same as a row that somebody else writes together with what it tells of, and what the event stream says of it then. */
struct gm_audit gm_audit_of(const struct gm_actor *actor, const char *action, int64_t now_ms);
void gm_audit_event_write(struct gm_json *w, const struct gm_audit *row);
/* A key without its digest, as JSON. */
void gm_key_write(struct gm_json *w, const struct gm_key *key);
void gm_audit_write(struct gm_json *w, const struct gm_audit *row);

GM_DEFINE_AUTO(struct gm_keys, gm_keys_free)

#endif
