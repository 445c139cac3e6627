/* SPDX-License-Identifier: MIT */
#include "adapter/store/alloc-rows.h"

#include <stdlib.h>

static const char *const object_words[] = {
#define GM_ALLOC_OBJECT_WORD(name, word) [GM_ALLOC_OBJECT_##name] = word,
	GM_ALLOC_OBJECT_LIST(GM_ALLOC_OBJECT_WORD)
#undef GM_ALLOC_OBJECT_WORD
};

/* A record on its way: its row, and whether its claims are other ones than before. */
struct change {
	const struct gm_alloc_record *record;
	int64_t seq;
	bool claims;
};
typedef GM_VEC(struct change) changes;

const char *gm_object_word(enum gm_alloc_object kind)
{
	return object_words[kind];
}

static int by_device(const void *a, const void *b)
{
	const struct gm_claim *x = a, *y = b;
	const int order = gm_str_cmp(x->uuid, y->uuid);

	return order ? order : (x->unit > y->unit) - (x->unit < y->unit);
}

int gm_claims_of(const struct gm_alloc_record *record, struct gm_claims *out, struct gm_err *err)
{
	if (!gm_alloc_state_holds((enum gm_alloc_state)record->state))
		return 0;
	if (record->device_count == 0)
		return gm_fail_at(err, GM_ERR_INVALID, record->id, "allocation %s holds no device", record->id);
	for (size_t i = 0; i < record->device_count; i++) {
		const struct gm_alloc_device *d = &record->devices[i];
		uint64_t left = (uint64_t)d->units;
		if (left == 0 || d->uuid.n == 0)
			return gm_fail_at(err, GM_ERR_INVALID, record->id,
					  "allocation %s holds device '%.*s' without a claim", record->id,
					  GM_STR_ARG(d->uuid));
		for (; left; left &= left - 1) {
			const struct gm_claim claim = { .uuid = d->uuid, .unit = __builtin_ctzll(left) };
			gm_vec_push(out, claim);
		}
	}
	qsort(out->items, out->count, sizeof(*out->items), by_device);
	return 0;
}

static struct gm_str text_of(struct gm_str text)
{
	return text.p ? text : GM_STR("");
}

/* Binds what allocation_add and allocation_change have in common, which is all. */
static void bind_record(sqlite3_stmt *st, const struct gm_alloc_record *r, struct gm_str bytes)
{
	const enum gm_alloc_state state = (enum gm_alloc_state)r->state;
	const struct gm_str texts[] = { r->request.namespace_, r->request.pod, r->request.team, r->request.project,
					r->request.cluster };
	const int64_t times[] = { r->created_ms, r->granted_ms, r->ended_ms, r->expires_ms };
	int at = 1;

	gm_db_bind_text(st, at++, gm_str(r->id));
	(void)sqlite3_bind_int64(st, at++, r->version);
	gm_db_bind_text(st, at++, gm_str(gm_alloc_state_name(state)));
	(void)sqlite3_bind_int(st, at++, !gm_alloc_state_ended(state));
	for (size_t i = 0; i < GM_LEN(texts); i++)
		gm_db_bind_text(st, at++, text_of(texts[i]));
	for (size_t i = 0; i < GM_LEN(times); i++)
		(void)sqlite3_bind_int64(st, at++, times[i]);
	gm_db_bind_blob(st, at, bytes.p, bytes.n);
}

static int stored_version(struct gm_db *db, struct gm_str id, int64_t *out, struct gm_err *err)
{
	GM_AUTO(gm_statement_reset_p) sqlite3_stmt *st = NULL;
	int r = gm_db_statement(db, GM_SQL_ALLOCATION_VERSION, &st, err);

	if (r)
		return r;
	gm_db_bind_text(st, 1, id);
	r = gm_db_step(db, st, err);
	*out = r == 1 ? sqlite3_column_int64(st, 0) : 0;
	return r < 0 ? r : 0;
}

static int other_version(struct gm_db *db, const struct gm_alloc_record *record, struct gm_err *err)
{
	int64_t stored = 0;
	const int r = stored_version(db, gm_str(record->id), &stored, err);

	if (r)
		return r;
	if (stored == 0)
		return gm_fail_at(err, GM_ERR_CONFLICT, record->id,
				  "allocation %s is not stored, and version %lld cannot be its first", record->id,
				  (long long)record->version);
	return gm_fail_at(err, GM_ERR_CONFLICT, record->id,
			  "allocation %s was changed by somebody else: version %lld is stored, %lld was to be written",
			  record->id, (long long)stored, (long long)record->version);
}

static int put_record(struct gm_store *s, struct change *c, struct gm_err *err)
{
	struct gm_db *db = s->writer.db;
	const enum gm_sql sql = c->record->version == 1 ? GM_SQL_ALLOCATION_ADD : GM_SQL_ALLOCATION_CHANGE;
	GM_AUTO(gm_statement_reset_p) sqlite3_stmt *st = NULL;
	int r = 0;

	gm_buf_reset(&s->raw);
	gm_alloc_record_encode(c->record, &s->raw);
	if (s->raw.failed)
		return gm_fail(err, GM_ERR_TOO_LARGE, "allocation %s is too large to be kept", c->record->id);
	r = gm_db_statement(db, sql, &st, err);
	if (r)
		return r;
	bind_record(st, c->record, gm_buf_str(&s->raw));
	r = gm_db_step(db, st, err);
	if (r == 0 || (r == GM_ERR_CONFLICT && sql == GM_SQL_ALLOCATION_ADD))
		return other_version(db, c->record, err);
	if (r < 0)
		return r;
	c->seq = sqlite3_column_int64(st, 0);
	return 0;
}

/* 1: the row's claims are these, 0: they are not. */
static int claims_are(struct gm_db *db, int64_t seq, const struct gm_claims *want, struct gm_err *err)
{
	GM_AUTO(gm_statement_reset_p) sqlite3_stmt *st = NULL;
	size_t n = 0;
	int r = gm_db_query(db, GM_SQL_CLAIM_OF, &seq, 1, &st, err);

	for (; r == 1; n++) {
		if (n == want->count || !gm_str_eq(gm_db_column(st, 0), want->items[n].uuid) ||
		    sqlite3_column_int64(st, 1) != want->items[n].unit)
			return 0;
		r = gm_db_step(db, st, err);
	}
	return r < 0 ? r : n == want->count;
}

/* Drops the claims the record had when it is to have others. */
static int drop_claims(struct gm_db *db, struct change *c, struct gm_err *err)
{
	GM_AUTO(gm_claims_fini_p) struct gm_claims want = { 0 };
	int r = gm_claims_of(c->record, &want, err);

	if (!r && c->record->version > 1) {
		r = claims_are(db, c->seq, &want, err);
		if (r)
			return r < 0 ? r : 0;
		r = gm_db_change(db, GM_SQL_CLAIM_DROP, &c->seq, 1, NULL, err);
	}
	c->claims = want.count > 0;
	return r;
}

static int name_holder(struct gm_db *db, const struct gm_claim *claim, struct gm_err *err)
{
	GM_AUTO(gm_statement_reset_p) sqlite3_stmt *st = NULL;
	int r = gm_db_statement(db, GM_SQL_CLAIM_HOLDER, &st, err);

	if (r)
		return r;
	gm_db_bind_text(st, 1, claim->uuid);
	(void)sqlite3_bind_int64(st, 2, claim->unit);
	r = gm_db_step(db, st, err);
	if (r < 0)
		return r;
	const struct gm_str id = r == 1 ? gm_db_column(st, 0) : GM_STR("nobody known");
	return gm_fail_at(err, GM_ERR_CONFLICT, "claim", "unit %lld of device %.*s is held by %.*s",
			  (long long)claim->unit, GM_STR_ARG(claim->uuid), GM_STR_ARG(id));
}

static int add_claims(struct gm_db *db, const struct change *c, struct gm_err *err)
{
	GM_AUTO(gm_claims_fini_p) struct gm_claims want = { 0 };
	int r = c->claims ? gm_claims_of(c->record, &want, err) : 0;

	for (size_t i = 0; !r && i < want.count; i++) {
		sqlite3_stmt *st = NULL;
		r = gm_db_statement(db, GM_SQL_CLAIM_ADD, &st, err);
		if (r)
			return r;
		gm_db_bind_text(st, 1, want.items[i].uuid);
		(void)sqlite3_bind_int64(st, 2, want.items[i].unit);
		(void)sqlite3_bind_int64(st, 3, c->seq);
		r = gm_db_step(db, st, err);
		if (r == GM_ERR_CONFLICT)
			return name_holder(db, &want.items[i], err);
	}
	return r;
}

/* First all that goes, then all that comes: one write may hand a device from one allocation to another. */
static int put_records(struct gm_store *s, const struct gm_alloc_write *w, changes *list, struct gm_err *err)
{
	int r = 0;

	gm_vec_reserve(list, w->record_count);
	for (size_t i = 0; !r && i < w->record_count; i++) {
		struct change *c = gm_vec_add(list);
		c->record = w->records[i];
		r = put_record(s, c, err);
		if (!r)
			r = drop_claims(s->writer.db, c, err);
	}
	for (size_t i = 0; !r && i < list->count; i++)
		r = add_claims(s->writer.db, &list->items[i], err);
	return r;
}

static int put_object(struct gm_db *db, const struct gm_alloc_object_row *row, struct gm_err *err)
{
	sqlite3_stmt *st = NULL;
	int r = gm_db_statement(db, row->bytes.p ? GM_SQL_OBJECT_PUT : GM_SQL_OBJECT_DROP, &st, err);

	if (r)
		return r;
	gm_db_bind_text(st, 1, gm_str(gm_object_word(row->kind)));
	gm_db_bind_text(st, 2, row->name);
	if (row->bytes.p) {
		(void)sqlite3_bind_int64(st, 3, row->at_ms);
		gm_db_bind_blob(st, 4, row->bytes.p, row->bytes.n);
	}
	r = gm_db_step(db, st, err);
	if (r < 0)
		(void)gm_err_wrap(err, "%s '%.*s'", gm_object_word(row->kind), GM_STR_ARG(row->name));
	return r < 0 ? r : 0;
}

static int put_once(struct gm_db *db, const struct gm_alloc_once *once, struct gm_err *err)
{
	sqlite3_stmt *st = NULL;
	int r = gm_db_statement(db, GM_SQL_ONCE_PUT, &st, err);

	if (r)
		return r;
	gm_db_bind_blob(st, 1, once->key, sizeof(once->key));
	gm_db_bind_blob(st, 2, once->body, sizeof(once->body));
	(void)sqlite3_bind_int64(st, 3, once->at_ms);
	gm_db_bind_text(st, 4, gm_str(once->id));
	(void)sqlite3_bind_int64(st, 5, GM_ALLOC_ONCE_KEEP_MS);
	r = gm_db_step(db, st, err);
	if (r < 0)
		return r;
	return sqlite3_changes(db->handle) ? 0
					   : gm_fail_at(err, GM_ERR_CONFLICT, "once",
							"this request was made before and is answered already");
}

static int check(const struct gm_alloc_write *w, struct gm_err *err)
{
	for (size_t i = 0; i < w->record_count; i++) {
		const struct gm_alloc_record *r = w->records[i];
		if (r->id[0] == '\0' || r->state < 0 || r->state >= GM_ALLOC_STATE_COUNT)
			return gm_fail_at(err, GM_ERR_INVALID, r->id, "allocation '%s': no id, or no state it can have",
					  r->id);
	}
	for (size_t i = 0; i < w->object_count; i++) {
		const struct gm_alloc_object_row *o = &w->objects[i];
		if (o->name.n == 0 || o->name.n > GM_ALLOC_TEXT_MAX)
			return gm_fail_at(err, GM_ERR_INVALID, gm_object_word(o->kind),
					  "the name of a %s has 1 to %d bytes", gm_object_word(o->kind),
					  GM_ALLOC_TEXT_MAX);
		if (o->bytes.n > GM_ALLOC_OBJECT_BYTES_MAX)
			return gm_fail_at(err, GM_ERR_TOO_LARGE, gm_object_word(o->kind),
					  "%s '%.*s' has %zu bytes; %d are kept at most", gm_object_word(o->kind),
					  GM_STR_ARG(o->name), o->bytes.n, GM_ALLOC_OBJECT_BYTES_MAX);
	}
	return 0;
}

static int put_all(struct gm_store *s, const struct gm_alloc_write *w, struct gm_err *err)
{
	struct gm_db *db = s->writer.db;
	changes list = { 0 };
	/* The first of two that came twice has the word, before anything else of them can differ. */
	int r = w->once ? put_once(db, w->once, err) : 0;

	if (!r)
		r = put_records(s, w, &list, err);
	gm_vec_fini(&list);
	for (size_t i = 0; !r && i < w->object_count; i++)
		r = put_object(db, &w->objects[i], err);
	for (size_t i = 0; !r && i < w->audit_count; i++)
		r = gm_store_add_audit(db, &w->audits[i], err);
	return r;
}

static int write_alloc(void *ctx, const struct gm_alloc_write *write, struct gm_err *err)
{
	struct gm_store *s = ctx;
	int r = check(write, err);

	if (!r)
		r = gm_db_begin(s->writer.db, err);
	if (r)
		return r;
	r = put_all(s, write, err);
	return gm_db_end(s->writer.db, r, err);
}

void gm_store_alloc_init(struct gm_store *s)
{
	s->alloc = (struct gm_alloc_store){
		.ctx = s,
		.write = write_alloc,
		.load = gm_store_alloc_load,
		.read = gm_store_alloc_read,
		.get = gm_store_alloc_get,
		.once = gm_store_alloc_once,
		.objects = gm_store_alloc_objects,
		.claims = gm_store_alloc_claims,
	};
}
