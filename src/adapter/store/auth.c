/* SPDX-License-Identifier: MIT */
#include "adapter/store/store-internal.h"

#include "core/auth/auth.h"

#define REFUSED_ADDRESSES_A_MINUTE 1000

enum key_column { K_ID, K_NAME, K_PREFIX, K_DIGEST, K_ROLE, K_CREATED, K_CREATED_BY, K_EXPIRES, K_REVOKED };
enum audit_column {
	A_SEQ,
	A_AT,
	A_ACTOR,
	A_ROLE,
	A_ADDRESS,
	A_ACTION,
	A_OBJECT,
	A_BEFORE,
	A_AFTER,
	A_REQUEST_ID,
	A_PREVIOUS,
	A_DIGEST,
};

static int copy_digest(sqlite3_stmt *st, int column, uint8_t out[static GM_DIGEST_BYTES], struct gm_err *err)
{
	const struct gm_str bytes = gm_db_column(st, column);

	if (bytes.n != GM_DIGEST_BYTES)
		return gm_fail(err, GM_ERR_CORRUPT, "the database is damaged: a digest has %zu bytes", bytes.n);
	(void)memcpy(out, bytes.p, GM_DIGEST_BYTES);
	return 0;
}

static int key_of(sqlite3_stmt *st, struct gm_key *key, struct gm_err *err)
{
	*key = (struct gm_key){
		.id = sqlite3_column_int64(st, K_ID),
		.created_ms = sqlite3_column_int64(st, K_CREATED),
		.expires_ms = sqlite3_column_int64(st, K_EXPIRES),
		.revoked_ms = sqlite3_column_int64(st, K_REVOKED),
	};
	if (!gm_str_copy(gm_db_column(st, K_NAME), key->name, sizeof(key->name)) ||
	    !gm_str_copy(gm_db_column(st, K_PREFIX), key->prefix, sizeof(key->prefix)) ||
	    !gm_str_copy(gm_db_column(st, K_CREATED_BY), key->created_by, sizeof(key->created_by)) ||
	    !gm_role_parse(gm_db_column(st, K_ROLE), &key->role))
		return gm_fail(err, GM_ERR_CORRUPT, "the database is damaged: key %lld", (long long)key->id);
	return copy_digest(st, K_DIGEST, key->digest, err);
}

static int load_keys(void *ctx, int (*each)(void *each_ctx, const struct gm_key *key, struct gm_err *err),
		     void *each_ctx, struct gm_err *err)
{
	struct gm_store *s = ctx;
	struct gm_reader *reader = NULL;
	sqlite3_stmt *st = NULL;
	int r = gm_store_reader_take(s, &reader, err);

	if (r)
		return r;
	r = gm_db_query(reader->db, GM_SQL_KEY_LOAD, NULL, 0, &st, err);
	while (r == 1) {
		struct gm_key key;
		r = key_of(st, &key, err);
		if (!r)
			r = each(each_ctx, &key, err);
		if (!r)
			r = gm_db_step(reader->db, st, err);
	}
	gm_store_reader_give(s, reader);
	return r;
}

/* What the chain hangs on: seq and digest of the last row, or zeros. */
static int audit_head(struct gm_db *db, struct gm_audit *row, struct gm_err *err)
{
	GM_AUTO(gm_statement_reset_p) sqlite3_stmt *st = NULL;
	const int r = gm_db_query(db, GM_SQL_AUDIT_HEAD, NULL, 0, &st, err);

	row->seq = 1;
	(void)memset(row->previous, 0, sizeof(row->previous));
	if (r != 1)
		return r;
	row->seq = sqlite3_column_int64(st, 1) + 1;
	return copy_digest(st, 0, row->previous, err);
}

int gm_store_add_audit(struct gm_db *db, const struct gm_audit *given, struct gm_err *err)
{
	struct gm_audit row = *given;
	sqlite3_stmt *st = NULL;
	int r = audit_head(db, &row, err);

	if (r)
		return r;
	gm_audit_digest(&row, row.digest);
	r = gm_db_statement(db, GM_SQL_AUDIT_ADD, &st, err);
	if (r)
		return r;
	const struct {
		enum audit_column at;
		struct gm_str text;
	} texts[] = {
		{ A_ACTOR, row.actor },	    { A_ROLE, row.role },
		{ A_ADDRESS, row.address }, { A_ACTION, row.action },
		{ A_OBJECT, row.object },   { A_BEFORE, row.before },
		{ A_AFTER, row.after },	    { A_REQUEST_ID, row.request_id },
	};
	(void)sqlite3_bind_int64(st, A_SEQ + 1, row.seq);
	(void)sqlite3_bind_int64(st, A_AT + 1, row.at_ms);
	for (size_t i = 0; i < GM_LEN(texts); i++)
		gm_db_bind_text(st, (int)texts[i].at + 1, texts[i].text.p ? texts[i].text : GM_STR(""));
	gm_db_bind_blob(st, A_PREVIOUS + 1, row.previous, sizeof(row.previous));
	gm_db_bind_blob(st, A_DIGEST + 1, row.digest, sizeof(row.digest));
	r = gm_db_step(db, st, err);
	if (r < 0)
		(void)gm_err_wrap(err, "audit row %lld", (long long)row.seq);
	return r < 0 ? r : 0;
}

static int append_audit(void *ctx, const struct gm_audit *rows, size_t count, struct gm_err *err)
{
	struct gm_db *db = ((struct gm_store *)ctx)->writer.db;
	int r = gm_db_begin(db, err);

	if (r)
		return r;
	for (size_t i = 0; !r && i < count; i++)
		r = gm_store_add_audit(db, &rows[i], err);
	return gm_db_end(db, r, err);
}

static int insert_key(struct gm_db *db, const struct gm_key *key, int64_t *out_id, struct gm_err *err)
{
	sqlite3_stmt *st = NULL;
	int r = gm_db_statement(db, GM_SQL_KEY_ADD, &st, err);

	if (r)
		return r;
	/* The table's columns without the id, which it gives: K_NAME is the first. */
	gm_db_bind_text(st, K_NAME, gm_str(key->name));
	gm_db_bind_text(st, K_PREFIX, gm_str(key->prefix));
	gm_db_bind_blob(st, K_DIGEST, key->digest, sizeof(key->digest));
	gm_db_bind_text(st, K_ROLE, gm_str(gm_role_name(key->role)));
	(void)sqlite3_bind_int64(st, K_CREATED, key->created_ms);
	gm_db_bind_text(st, K_CREATED_BY, gm_str(key->created_by));
	(void)sqlite3_bind_int64(st, K_EXPIRES, key->expires_ms);
	(void)sqlite3_bind_int64(st, K_REVOKED, key->revoked_ms);
	r = gm_db_step(db, st, err);
	if (r < 0) {
		(void)gm_err_wrap(err, "key '%s'", key->name);
		return r;
	}
	*out_id = sqlite3_last_insert_rowid(db->handle);
	return 0;
}

/* `id` is the row's object when it names none. */
static int add_audit_of(struct gm_db *db, const struct gm_audit *given, int64_t id, struct gm_err *err)
{
	char text[24];
	struct gm_audit row = *given;

	(void)snprintf(text, sizeof(text), "%lld", (long long)id);
	if (row.object.n == 0)
		row.object = gm_str(text);
	return gm_store_add_audit(db, &row, err);
}

static int add_key(void *ctx, struct gm_key *key, const struct gm_audit *audit, struct gm_err *err)
{
	struct gm_db *db = ((struct gm_store *)ctx)->writer.db;
	int64_t id = 0;
	int r = gm_db_begin(db, err);

	if (r)
		return r;
	r = insert_key(db, key, &id, err);
	if (!r)
		r = add_audit_of(db, audit, id, err);
	r = gm_db_end(db, r, err);
	if (!r)
		key->id = id;
	return r;
}

static int set_revoked(struct gm_db *db, int64_t id, int64_t at_ms, struct gm_err *err)
{
	int64_t revoked = 0;
	const int64_t args[] = { id, at_ms };
	const int r = gm_db_value(db, GM_SQL_KEY_REVOKED, &id, 1, &revoked, err);

	if (r < 0)
		return r;
	if (r == 0)
		return gm_fail(err, GM_ERR_NOT_FOUND, "there is no key %lld", (long long)id);
	if (revoked)
		return gm_fail(err, GM_ERR_CONFLICT, "key %lld is revoked already", (long long)id);
	return gm_db_change(db, GM_SQL_KEY_REVOKE, args, 2, NULL, err);
}

static int revoke_key(void *ctx, int64_t id, int64_t at_ms, const struct gm_audit *audit, struct gm_err *err)
{
	struct gm_db *db = ((struct gm_store *)ctx)->writer.db;
	int r = gm_db_begin(db, err);

	if (r)
		return r;
	r = set_revoked(db, id, at_ms, err);
	if (!r)
		r = add_audit_of(db, audit, id, err);
	return gm_db_end(db, r, err);
}

/* The address a row is counted under. */
static int refused_address(struct gm_db *db, const struct gm_refused *row, struct gm_str *out, struct gm_err *err)
{
	GM_AUTO(gm_statement_reset_p) sqlite3_stmt *st = NULL;
	int64_t addresses = 0;
	int r = gm_db_statement(db, GM_SQL_REFUSED_KNOWN, &st, err);

	*out = row->address.p ? row->address : GM_STR("");
	if (r)
		return r;
	(void)sqlite3_bind_int64(st, 1, row->minute_ms);
	gm_db_bind_text(st, 2, *out);
	r = gm_db_step(db, st, err);
	if (r)
		return r < 0 ? r : 0;
	r = gm_db_value(db, GM_SQL_REFUSED_ADDRESSES, &row->minute_ms, 1, &addresses, err);
	if (r == 1 && addresses >= REFUSED_ADDRESSES_A_MINUTE)
		*out = GM_STR("other");
	return r < 0 ? r : 0;
}

static int add_refused_row(struct gm_db *db, const struct gm_refused *row, struct gm_err *err)
{
	struct gm_str address;
	sqlite3_stmt *st = NULL;
	int r = refused_address(db, row, &address, err);

	if (!r)
		r = gm_db_statement(db, GM_SQL_REFUSED_ADD, &st, err);
	if (r)
		return r;
	(void)sqlite3_bind_int64(st, 1, row->minute_ms);
	gm_db_bind_text(st, 2, address);
	(void)sqlite3_bind_int64(st, 3, row->status);
	(void)sqlite3_bind_int64(st, 4, row->count);
	r = gm_db_step(db, st, err);
	return r < 0 ? r : 0;
}

static int add_refused(void *ctx, const struct gm_refused *rows, size_t count, struct gm_err *err)
{
	struct gm_db *db = ((struct gm_store *)ctx)->writer.db;
	int r = gm_db_begin(db, err);

	if (r)
		return r;
	for (size_t i = 0; !r && i < count; i++)
		r = add_refused_row(db, &rows[i], err);
	return gm_db_end(db, r, err);
}

static int audit_of(sqlite3_stmt *st, struct gm_audit *row, struct gm_err *err)
{
	*row = (struct gm_audit){
		.seq = sqlite3_column_int64(st, A_SEQ),
		.at_ms = sqlite3_column_int64(st, A_AT),
		.actor = gm_db_column(st, A_ACTOR),
		.role = gm_db_column(st, A_ROLE),
		.address = gm_db_column(st, A_ADDRESS),
		.action = gm_db_column(st, A_ACTION),
		.object = gm_db_column(st, A_OBJECT),
		.before = gm_db_column(st, A_BEFORE),
		.after = gm_db_column(st, A_AFTER),
		.request_id = gm_db_column(st, A_REQUEST_ID),
	};
	const int r = copy_digest(st, A_PREVIOUS, row->previous, err);
	return r ? r : copy_digest(st, A_DIGEST, row->digest, err);
}

static int read_audit_rows(struct gm_db *db, const struct gm_audit_query *q,
			   int (*each)(void *each_ctx, const struct gm_audit *row, struct gm_err *err), void *each_ctx,
			   struct gm_err *err)
{
	GM_AUTO(gm_statement_reset_p) sqlite3_stmt *st = NULL;
	int r = gm_db_statement(db, GM_SQL_AUDIT_READ, &st, err);

	if (r)
		return r;
	(void)sqlite3_bind_int64(st, 1, q->before_seq ? q->before_seq : INT64_MAX);
	(void)sqlite3_bind_int64(st, 2, q->from_ms);
	(void)sqlite3_bind_int64(st, 3, q->to_ms ? q->to_ms : INT64_MAX);
	gm_db_bind_text(st, 4, q->actor.p ? q->actor : GM_STR(""));
	gm_db_bind_text(st, 5, q->action.p ? q->action : GM_STR(""));
	(void)sqlite3_bind_int64(st, 6, q->limit > INT32_MAX ? INT32_MAX : (int64_t)q->limit);
	r = gm_db_step(db, st, err);
	while (r == 1) {
		struct gm_audit row;
		r = audit_of(st, &row, err);
		if (!r)
			r = each(each_ctx, &row, err);
		if (!r)
			r = gm_db_step(db, st, err);
	}
	return r;
}

static int read_audit(void *ctx, const struct gm_audit_query *query,
		      int (*each)(void *each_ctx, const struct gm_audit *row, struct gm_err *err), void *each_ctx,
		      struct gm_err *err)
{
	struct gm_store *s = ctx;
	struct gm_reader *reader = NULL;
	int r = gm_store_reader_take(s, &reader, err);

	if (r)
		return r;
	r = read_audit_rows(reader->db, query, each, each_ctx, err);
	gm_store_reader_give(s, reader);
	return r;
}

static int read_refused(void *ctx, int64_t from_ms, size_t limit,
			int (*each)(void *each_ctx, const struct gm_refused *row, struct gm_err *err), void *each_ctx,
			struct gm_err *err)
{
	struct gm_store *s = ctx;
	struct gm_reader *reader = NULL;
	sqlite3_stmt *st = NULL;
	const int64_t args[] = { from_ms, limit > INT32_MAX ? INT32_MAX : (int64_t)limit };
	int r = gm_store_reader_take(s, &reader, err);

	if (r)
		return r;
	r = gm_db_query(reader->db, GM_SQL_REFUSED_READ, args, 2, &st, err);
	while (r == 1) {
		const struct gm_refused row = {
			.minute_ms = sqlite3_column_int64(st, 0),
			.address = gm_db_column(st, 1),
			.status = sqlite3_column_int(st, 2),
			.count = sqlite3_column_int64(st, 3),
		};
		r = each(each_ctx, &row, err);
		if (!r)
			r = gm_db_step(reader->db, st, err);
	}
	gm_store_reader_give(s, reader);
	return r;
}

void gm_store_auth_init(struct gm_store *s)
{
	s->auth = (struct gm_auth_store){
		.ctx = s,
		.load_keys = load_keys,
		.add_key = add_key,
		.revoke_key = revoke_key,
		.append_audit = append_audit,
		.add_refused = add_refused,
		.read_audit = read_audit,
		.read_refused = read_refused,
	};
}
