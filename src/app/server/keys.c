/* SPDX-License-Identifier: MIT */
#include "app/server/keys.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/vec.h"

/* Counts kept between two writes; addresses past REFUSED_OWN are counted together, in the places that are left. */
#define REFUSED_MAX 1024
#define REFUSED_OWN (REFUSED_MAX - 16)
/* Signals wait behind this. */
#define FLUSH_DEADLINE_MS 2000

struct refused_count {
	int64_t minute_ms;
	char address[GM_HTTP_ADDRESS_SIZE];
	int status;
	int64_t count;
};

struct gm_keys {
	struct gm_keys_conf conf;
	struct gm_keyring_slot ring;
	pthread_mutex_t mu;
	/* Readings of the store, numbered as they begin; guarded by mu. */
	uint64_t reading;			   /* the last one */
	uint64_t in_force;			   /* the one the ring is of */
	uint64_t failed;			   /* the last that failed */
	struct refused_count refused[REFUSED_MAX]; /* guarded by mu */
	size_t refused_n;			   /* guarded by mu */
};

struct gm_keys *gm_keys_new(const struct gm_keys_conf *conf)
{
	struct gm_keys *k = gm_xalloc(sizeof(*k));

	k->conf = *conf;
	(void)pthread_mutex_init(&k->mu, NULL);
	return k;
}

void gm_keys_free(struct gm_keys *k)
{
	if (!k)
		return;
	gm_keyring_slot_set(&k->ring, NULL);
	(void)pthread_mutex_destroy(&k->mu);
	free(k);
}

typedef GM_VEC(struct gm_key) key_vec;

static int collect_key(void *ctx, const struct gm_key *key, struct gm_err *err)
{
	key_vec *keys = ctx;

	(void)err;
	gm_vec_push(keys, *key);
	return 0;
}

/*
 * Puts what the store holds in force. Two readings may end in another order than they began: the later one has seen every
 * change the earlier one has, so it stays. One that failed is made up for by gm_keys_tick.
 */
static int refresh(struct gm_keys *k, const struct gm_auth_store *store, struct gm_err *err)
{
	key_vec keys = { 0 };

	(void)pthread_mutex_lock(&k->mu);
	const uint64_t reading = ++k->reading;
	(void)pthread_mutex_unlock(&k->mu);
	const int r = store->load_keys(store->ctx, collect_key, &keys, err);
	GM_AUTO(gm_keyring_unref_p) struct gm_keyring *ring = r ? NULL : gm_keyring_new(keys.items, keys.count);
	gm_vec_fini(&keys);
	(void)pthread_mutex_lock(&k->mu);
	if (r) {
		k->failed = reading > k->failed ? reading : k->failed;
	} else if (reading > k->in_force) {
		k->in_force = reading;
		gm_keyring_slot_set(&k->ring, gm_steal(&ring));
	}
	(void)pthread_mutex_unlock(&k->mu);
	return r;
}

static int open_store(struct gm_keys *k, const struct gm_auth_store **out, struct gm_err *err)
{
	*out = gm_recorder_auth_store(k->conf.recorder);
	return *out ? 0 : gm_fail(err, GM_ERR_UNAVAILABLE, "the database is not open; see /readyz");
}

/* What one job on the writer thread does. */
struct job {
	const struct gm_auth_store *store;
	struct gm_key *key; /* to add */
	int64_t revoke_id;
	int64_t at_ms;
	const struct gm_audit *audit;
};

static int run_job(void *ctx, struct gm_err *err)
{
	const struct job *j = ctx;
	const struct gm_auth_store *store = j->store;

	if (j->key)
		return store->add_key(store->ctx, j->key, j->audit, err);
	if (j->revoke_id)
		return store->revoke_key(store->ctx, j->revoke_id, j->at_ms, j->audit, err);
	return store->append_audit(store->ctx, j->audit, 1, err);
}

static int run(struct gm_keys *k, struct job *job, struct gm_err *err)
{
	const int r = open_store(k, &job->store, err);

	return r ? r : gm_recorder_run(k->conf.recorder, run_job, job, err);
}

struct gm_audit gm_audit_of(const struct gm_actor *actor, const char *action, int64_t now_ms)
{
	const struct gm_identity *who = actor->identity;

	return (struct gm_audit){ .at_ms = now_ms,
				  .actor = gm_str(who ? who->name : "system"),
				  .role = gm_str(who ? gm_role_name(who->role) : "system"),
				  .address = actor->address,
				  .action = gm_str(action),
				  .request_id = actor->request_id };
}

static struct gm_audit audit_of(struct gm_keys *k, const struct gm_actor *actor, const char *action)
{
	return gm_audit_of(actor, action, gm_wall_ms(k->conf.clock));
}

void gm_audit_event_write(struct gm_json *w, const struct gm_audit *row)
{
	gm_json_object(w);
	gm_json_ktime(w, "at", row->at_ms);
	gm_json_kstr(w, "actor", row->actor);
	gm_json_kstr(w, "action", row->action);
	gm_json_kstr(w, "object", row->object);
	gm_json_end_object(w);
}

static void tell(struct gm_keys *k, const struct gm_audit *row)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
	struct gm_json w;

	if (!k->conf.audited)
		return;
	gm_json_init(&w, &b);
	gm_audit_event_write(&w, row);
	k->conf.audited(k->conf.ctx, gm_buf_str(&b));
}

/* What the audit row says of a new key; its id is the row's object, which the store gives. */
static void key_json(struct gm_buf *out, const struct gm_key *key)
{
	struct gm_json w;

	gm_json_init(&w, out);
	gm_json_object(&w);
	gm_json_kcstr(&w, "name", key->name);
	gm_json_kcstr(&w, "role", gm_role_name(key->role));
	gm_json_ktime(&w, "expiresAt", key->expires_ms);
	gm_json_end_object(&w);
}

static int add(struct gm_keys *k, const struct gm_actor *actor, struct gm_key *key, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf after = { 0 };
	struct gm_audit audit = audit_of(k, actor, "key.create");
	struct job job = { .key = key, .audit = &audit };
	struct gm_err unread;
	char id[24];

	key_json(&after, key);
	audit.after = gm_buf_str(&after);
	const int r = run(k, &job, err);
	if (r)
		return r;
	(void)snprintf(id, sizeof(id), "%lld", (long long)key->id);
	audit.object = gm_str(id);
	tell(k, &audit);
	/* It is made: as a failure its text, which nobody can see again, would be lost. */
	if (refresh(k, job.store, &unread))
		gm_warn_err("a new key is not in force yet, trying again", &unread, { "key", id });
	return 0;
}

static int read_key_file(const char *path, char *buf, size_t size, struct gm_str *out, struct gm_err *err)
{
	FILE *f = fopen(path, "re");

	if (!f)
		return gm_fail_errno(err, errno, "security.admin-key-file '%s'", path);
	const size_t n = fread(buf, 1, size - 1, f);
	const bool bad = ferror(f) != 0;
	(void)fclose(f);
	if (bad)
		return gm_fail(err, GM_ERR_IO, "security.admin-key-file '%s': cannot be read", path);
	*out = gm_str_trim(gm_str_n(buf, n));
	return 0;
}

static int key_of_file(const char *path, int64_t now_ms, struct gm_key *out, struct gm_err *err)
{
	char buf[256] = { 0 };
	struct gm_str text = { 0 };
	int r = read_key_file(path, buf, sizeof(buf), &text, err);

	if (!r)
		r = gm_key_from_text(text, GM_STR("first admin"), GM_ROLE_ADMIN, GM_STR("system"), now_ms, 0, out, err);
	gm_wipe(buf, sizeof(buf));
	return r;
}

/* Without a database the key of the file is all there is, and lives in memory only. */
static int load_without_store(struct gm_keys *k, const char *admin_key_file, struct gm_err *err)
{
	struct gm_key key;
	const int r = admin_key_file[0] ? key_of_file(admin_key_file, gm_wall_ms(k->conf.clock), &key, err) : 0;

	if (!r && admin_key_file[0])
		gm_keyring_slot_set(&k->ring, gm_keyring_new(&key, 1));
	return r;
}

int gm_keys_load(struct gm_keys *k, const char *admin_key_file, char out_text[static GM_KEY_TEXT_SIZE],
		 struct gm_err *err)
{
	const int64_t now = gm_wall_ms(k->conf.clock);
	const struct gm_auth_store *store;
	struct gm_key key;

	out_text[0] = '\0';
	if (open_store(k, &store, NULL))
		return load_without_store(k, admin_key_file, err);
	int r = refresh(k, store, err);
	if (r)
		return r;
	GM_AUTO(gm_keyring_unref_p) struct gm_keyring *ring = gm_keyring_slot_get(&k->ring);
	/* While the server is open nobody needs a key, and one that nobody saw would be in the way later. */
	if (gm_keyring_has_role(ring, GM_ROLE_ADMIN, now) || gm_facts(k->conf.facts)->open)
		return 0;
	r = admin_key_file[0]
		    ? key_of_file(admin_key_file, now, &key, err)
		    : gm_key_make(GM_STR("first admin"), GM_ROLE_ADMIN, GM_STR("system"), now, 0, &key, out_text, err);
	if (!r)
		r = add(k, &(struct gm_actor){ 0 }, &key, err);
	if (r)
		out_text[0] = '\0';
	return r;
}

int gm_keys_identify(struct gm_keys *k, const struct gm_http_peer *peer, struct gm_str authorization,
		     struct gm_identity *out, struct gm_err *err)
{
	GM_AUTO(gm_keyring_unref_p) struct gm_keyring *ring = gm_keyring_slot_get(&k->ring);
	const struct gm_settings *s = &gm_facts(k->conf.facts)->settings;
	const int anonymous = peer->loopback ? s->anonymous_local_role : s->anonymous_role;

	return gm_auth_identify(ring, gm_auth_bearer(authorization), (enum gm_role)anonymous, gm_wall_ms(k->conf.clock),
				out, err);
}

/* Locked. Where this is counted: a new place while fewer than `most` are taken; NULL: there is none. */
static struct refused_count *find_refused(struct gm_keys *k, int64_t minute, int status, const char *address,
					  size_t most)
{
	for (size_t i = 0; i < k->refused_n; i++) {
		struct refused_count *c = &k->refused[i];
		if (c->minute_ms == minute && c->status == status && strcmp(c->address, address) == 0)
			return c;
	}
	if (k->refused_n >= most)
		return NULL;
	struct refused_count *c = &k->refused[k->refused_n++];
	*c = (struct refused_count){ .minute_ms = minute, .status = status };
	(void)gm_str_copy(gm_str(address), c->address, sizeof(c->address));
	return c;
}

void gm_keys_refused(struct gm_keys *k, const struct gm_http_peer *peer, int status)
{
	const int64_t now = gm_wall_ms(k->conf.clock), minute = now - now % 60000;

	(void)pthread_mutex_lock(&k->mu);
	struct refused_count *c = find_refused(k, minute, status, peer->address, REFUSED_OWN);
	if (!c)
		c = find_refused(k, minute, status, "other", REFUSED_MAX);
	if (c)
		c->count++;
	(void)pthread_mutex_unlock(&k->mu);
}

/* Counts on their way to the database; on the heap, for a disk that hangs keeps them. */
struct refused_batch {
	const struct gm_auth_store *store;
	size_t n;
	struct gm_refused rows[64];
	struct refused_count counts[64]; /* what the rows point into */
};

static int write_refused(void *ctx, struct gm_err *err)
{
	const struct refused_batch *b = ctx;

	return b->store->add_refused(b->store->ctx, b->rows, b->n, err);
}

static void take_refused(struct gm_keys *k, struct refused_batch *b)
{
	(void)pthread_mutex_lock(&k->mu);
	b->n = k->refused_n < GM_LEN(b->counts) ? k->refused_n : GM_LEN(b->counts);
	k->refused_n -= b->n;
	memcpy(b->counts, k->refused + k->refused_n, b->n * sizeof(b->counts[0]));
	(void)pthread_mutex_unlock(&k->mu);
	for (size_t i = 0; i < b->n; i++)
		b->rows[i] = (struct gm_refused){ .minute_ms = b->counts[i].minute_ms,
						  .address = gm_str(b->counts[i].address),
						  .status = b->counts[i].status,
						  .count = b->counts[i].count };
}

/* Counts that cannot be written now are gone: they are a sign of trouble, not a record. */
static void flush_refused(struct gm_keys *k)
{
	bool more = true;

	while (more) {
		struct refused_batch *b = gm_xalloc(sizeof(*b));
		int r = open_store(k, &b->store, NULL);

		take_refused(k, b);
		more = !r && b->n == GM_LEN(b->rows);
		if (!r && b->n)
			r = gm_recorder_try(k->conf.recorder, &(struct gm_store_job){ write_refused, b, free },
					    FLUSH_DEADLINE_MS, NULL);
		more = more && !r;
		if (r != GM_ERR_DEADLINE)
			free(b);
	}
}

void gm_keys_tick(struct gm_keys *k)
{
	const struct gm_auth_store *store;
	struct gm_err err;

	flush_refused(k);
	(void)pthread_mutex_lock(&k->mu);
	const bool again = k->failed > k->in_force;
	(void)pthread_mutex_unlock(&k->mu);
	if (again && open_store(k, &store, NULL) == 0 && refresh(k, store, &err) == 0)
		gm_info("the keys could be read again");
}

int gm_keys_create(struct gm_keys *k, const struct gm_actor *actor, struct gm_str name, enum gm_role role,
		   int64_t expires_ms, struct gm_key *out, char out_text[static GM_KEY_TEXT_SIZE], struct gm_err *err)
{
	const int r = gm_key_make(name, role, gm_str(actor->identity ? actor->identity->name : "system"),
				  gm_wall_ms(k->conf.clock), expires_ms, out, out_text, err);

	return r ? r : add(k, actor, out, err);
}

int gm_keys_revoke(struct gm_keys *k, const struct gm_actor *actor, int64_t id, struct gm_err *err)
{
	struct gm_audit audit = audit_of(k, actor, "key.revoke");
	struct job job = { .revoke_id = id, .at_ms = audit.at_ms, .audit = &audit };
	char object[24];

	(void)snprintf(object, sizeof(object), "%lld", (long long)id);
	audit.object = gm_str(object);
	const int r = run(k, &job, err);
	if (r)
		return r;
	tell(k, &audit);
	const int unread = refresh(k, job.store, err);
	/* After the ring: what a request with the key still opened is there to be ended. */
	if (k->conf.revoked)
		k->conf.revoked(k->conf.ctx, id);
	if (unread)
		(void)gm_err_wrap(err, "key %lld is revoked in the database, but in force until it can be read again",
				  (long long)id);
	return unread;
}

int gm_keys_audit(struct gm_keys *k, const struct gm_actor *actor, const char *action, struct gm_str object,
		  struct gm_str before, struct gm_str after, struct gm_err *err)
{
	struct gm_audit audit = audit_of(k, actor, action);

	audit.object = object;
	audit.before = before;
	audit.after = after;
	const int r = run(k, &(struct job){ .audit = &audit }, err);
	if (!r)
		tell(k, &audit);
	return r;
}

void gm_key_write(struct gm_json *w, const struct gm_key *key)
{
	gm_json_object(w);
	gm_json_ki64(w, "id", key->id);
	gm_json_kcstr(w, "name", key->name);
	gm_json_kcstr(w, "prefix", key->prefix);
	gm_json_kcstr(w, "role", gm_role_name(key->role));
	gm_json_ktime(w, "createdAt", key->created_ms);
	gm_json_kcstr(w, "createdBy", key->created_by);
	gm_json_ktime(w, "expiresAt", key->expires_ms);
	gm_json_ktime(w, "revokedAt", key->revoked_ms);
	gm_json_end_object(w);
}

static void json_or_null(struct gm_json *w, struct gm_str json)
{
	if (json.n)
		gm_json_raw(w, json);
	else
		gm_json_null(w);
}

void gm_audit_write(struct gm_json *w, const struct gm_audit *row)
{
	char digest[2 * GM_DIGEST_BYTES + 1];

	gm_hex(row->digest, GM_DIGEST_BYTES, digest);
	gm_json_object(w);
	gm_json_ki64(w, "seq", row->seq);
	gm_json_ktime(w, "at", row->at_ms);
	gm_json_kstr(w, "actor", row->actor);
	gm_json_kstr(w, "role", row->role);
	gm_json_kstr(w, "address", row->address);
	gm_json_kstr(w, "action", row->action);
	gm_json_kstr(w, "object", row->object);
	gm_json_key(w, "before");
	json_or_null(w, row->before);
	gm_json_key(w, "after");
	json_or_null(w, row->after);
	gm_json_kstr(w, "requestId", row->request_id);
	gm_json_kcstr(w, "digest", digest);
	gm_json_end_object(w);
}
