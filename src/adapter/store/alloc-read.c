/* SPDX-License-Identifier: MIT */
#include "adapter/store/alloc-rows.h"

enum record_column { R_SEQ, R_ID, R_RECORD, R_VERSION, R_STATE };

/* Whoever decodes does not know the row; here it gets its name. */
static int hand_over(sqlite3_stmt *st, gm_record_each each, void *each_ctx, struct gm_err *err)
{
	const int r = each(each_ctx, sqlite3_column_int64(st, R_SEQ), gm_db_column(st, R_RECORD), err);

	if (r == GM_ERR_CORRUPT) {
		const struct gm_str id = gm_db_column(st, R_ID);
		(void)gm_err_wrap(err, "the database is damaged: allocation '%.*s'", GM_STR_ARG(id));
	}
	return r;
}

/* `r`: what the first step said. */
static int hand_over_all(struct gm_db *db, sqlite3_stmt *st, int r, gm_record_each each, void *each_ctx,
			 struct gm_err *err)
{
	while (r == 1) {
		r = hand_over(st, each, each_ctx, err);
		if (!r)
			r = gm_db_step(db, st, err);
	}
	return r;
}

int gm_store_alloc_load(void *ctx, gm_record_each each, void *each_ctx, struct gm_err *err)
{
	struct gm_store *s = ctx;
	struct gm_reader *reader = NULL;
	sqlite3_stmt *st = NULL;
	int r = gm_store_reader_take(s, &reader, err);

	if (r)
		return r;
	r = gm_db_query(reader->db, GM_SQL_ALLOCATION_LOAD, NULL, 0, &st, err);
	r = hand_over_all(reader->db, st, r, each, each_ctx, err);
	gm_store_reader_give(s, reader);
	return r;
}

static unsigned live_states(void)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < GM_ALLOC_STATE_COUNT; i++)
		bits |= gm_alloc_state_ended((enum gm_alloc_state)i) ? 0 : 1U << i;
	return bits;
}

/* ",Pending,Bound,"; empty for all. */
static void name_states(unsigned bits, struct gm_buf *out)
{
	for (unsigned i = 0; i < GM_ALLOC_STATE_COUNT; i++) {
		if (!(bits >> i & 1))
			continue;
		gm_buf_add_char(out, ',');
		gm_buf_add_cstr(out, gm_alloc_state_name((enum gm_alloc_state)i));
	}
	if (bits)
		gm_buf_add_char(out, ',');
}

/* The statement that reads the least for a query. */
static enum gm_sql page_sql(const struct gm_alloc_query *q)
{
	if (q->states && (q->states & ~live_states()) == 0)
		return GM_SQL_ALLOCATION_PAGE_LIVE;
	if (q->states || q->from_ms || q->to_ms)
		return GM_SQL_ALLOCATION_PAGE_FIND;
	if (q->namespace_.n)
		return GM_SQL_ALLOCATION_PAGE_NAMESPACE;
	if (q->project.n)
		return GM_SQL_ALLOCATION_PAGE_PROJECT;
	return q->team.n ? GM_SQL_ALLOCATION_PAGE_TEAM : GM_SQL_ALLOCATION_PAGE;
}

static int read_page(struct gm_db *db, const struct gm_alloc_query *q, gm_record_each each, void *each_ctx,
		     struct gm_err *err)
{
	const enum gm_sql sql = page_sql(q);
	GM_AUTO(gm_buf_fini_p) struct gm_buf states = { 0 };
	GM_AUTO(gm_statement_reset_p) sqlite3_stmt *st = NULL;
	int r = gm_db_statement(db, sql, &st, err);

	if (r)
		return r;
	(void)sqlite3_bind_int64(st, 1, q->before_seq > 0 ? q->before_seq : INT64_MAX);
	(void)sqlite3_bind_int64(st, 2, q->limit > INT32_MAX ? INT32_MAX : (int64_t)q->limit);
	if (sql != GM_SQL_ALLOCATION_PAGE) {
		const struct gm_str names[] = { q->team, q->project, q->namespace_ };
		name_states(q->states, &states);
		gm_db_bind_text(st, 3, gm_str(gm_buf_cstr(&states)));
		(void)sqlite3_bind_int64(st, 4, q->from_ms);
		(void)sqlite3_bind_int64(st, 5, q->to_ms ? q->to_ms : INT64_MAX);
		for (size_t i = 0; i < GM_LEN(names); i++)
			gm_db_bind_text(st, 6 + (int)i, names[i].p ? names[i] : GM_STR(""));
	}
	r = gm_db_step(db, st, err);
	return hand_over_all(db, st, r, each, each_ctx, err);
}

int gm_store_alloc_read(void *ctx, const struct gm_alloc_query *query, gm_record_each each, void *each_ctx,
			struct gm_err *err)
{
	struct gm_store *s = ctx;
	struct gm_reader *reader = NULL;
	int r = gm_store_reader_take(s, &reader, err);

	if (r)
		return r;
	r = read_page(reader->db, query, each, each_ctx, err);
	gm_store_reader_give(s, reader);
	return r;
}

static int get_record(struct gm_db *db, struct gm_str id, struct gm_buf *out, struct gm_err *err)
{
	GM_AUTO(gm_statement_reset_p) sqlite3_stmt *st = NULL;
	int r = gm_db_statement(db, GM_SQL_ALLOCATION_GET, &st, err);

	if (r)
		return r;
	gm_db_bind_text(st, 1, id.p ? id : GM_STR(""));
	r = gm_db_step(db, st, err);
	if (r < 0)
		return r;
	if (r == 0)
		return gm_fail(err, GM_ERR_NOT_FOUND, "there is no allocation '%.*s'", GM_STR_ARG(id));
	gm_buf_add_str(out, gm_db_column(st, R_RECORD));
	return 0;
}

int gm_store_alloc_get(void *ctx, struct gm_str id, struct gm_buf *out, struct gm_err *err)
{
	struct gm_store *s = ctx;
	struct gm_reader *reader = NULL;
	int r = gm_store_reader_take(s, &reader, err);

	if (r)
		return r;
	r = get_record(reader->db, id, out, err);
	gm_store_reader_give(s, reader);
	return r;
}

static int get_once(struct gm_db *db, const uint8_t key[static GM_DIGEST_BYTES], int64_t now_ms,
		    struct gm_alloc_once *out, struct gm_err *err)
{
	struct gm_alloc_once found = { 0 };
	GM_AUTO(gm_statement_reset_p) sqlite3_stmt *st = NULL;
	int r = gm_db_statement(db, GM_SQL_ONCE_GET, &st, err);

	if (r)
		return r;
	gm_db_bind_blob(st, 1, key, GM_DIGEST_BYTES);
	(void)sqlite3_bind_int64(st, 2, now_ms - GM_ALLOC_ONCE_KEEP_MS);
	r = gm_db_step(db, st, err);
	if (r < 0)
		return r;
	if (r == 0)
		return gm_fail(err, GM_ERR_NOT_FOUND, "this key was not used lately");
	const struct gm_str body = gm_db_column(st, 0);
	if (body.n != sizeof(found.body) || !gm_str_copy(gm_db_column(st, 2), found.id, sizeof(found.id)))
		return gm_fail(err, GM_ERR_CORRUPT, "the database is damaged: a repeated request");
	(void)memcpy(found.key, key, sizeof(found.key));
	(void)memcpy(found.body, body.p, sizeof(found.body));
	found.at_ms = sqlite3_column_int64(st, 1);
	*out = found;
	return 0;
}

int gm_store_alloc_once(void *ctx, const uint8_t key[static GM_DIGEST_BYTES], int64_t now_ms, struct gm_alloc_once *out,
			struct gm_err *err)
{
	struct gm_store *s = ctx;
	struct gm_reader *reader = NULL;
	int r = gm_store_reader_take(s, &reader, err);

	if (r)
		return r;
	r = get_once(reader->db, key, now_ms, out, err);
	gm_store_reader_give(s, reader);
	return r;
}

static int list_objects(struct gm_db *db, enum gm_alloc_object kind,
			int (*each)(void *each_ctx, const struct gm_alloc_object_row *row, struct gm_err *err),
			void *each_ctx, struct gm_err *err)
{
	GM_AUTO(gm_statement_reset_p) sqlite3_stmt *st = NULL;
	int r = gm_db_statement(db, GM_SQL_OBJECT_LIST, &st, err);

	if (r)
		return r;
	gm_db_bind_text(st, 1, gm_str(gm_object_word(kind)));
	r = gm_db_step(db, st, err);
	while (r == 1) {
		const struct gm_str bytes = gm_db_column(st, 2);
		const struct gm_alloc_object_row row = {
			.kind = kind,
			.name = gm_db_column(st, 0),
			.at_ms = sqlite3_column_int64(st, 1),
			.bytes = bytes.p ? bytes : GM_STR(""),
		};
		r = each(each_ctx, &row, err);
		if (r == GM_ERR_CORRUPT)
			(void)gm_err_wrap(err, "the database is damaged: %s '%.*s'", gm_object_word(kind),
					  GM_STR_ARG(row.name));
		if (!r)
			r = gm_db_step(db, st, err);
	}
	return r;
}

int gm_store_alloc_objects(void *ctx, enum gm_alloc_object kind,
			   int (*each)(void *each_ctx, const struct gm_alloc_object_row *row, struct gm_err *err),
			   void *each_ctx, struct gm_err *err)
{
	struct gm_store *s = ctx;
	struct gm_reader *reader = NULL;
	int r = gm_store_reader_take(s, &reader, err);

	if (r)
		return r;
	r = list_objects(reader->db, kind, each, each_ctx, err);
	gm_store_reader_give(s, reader);
	return r;
}

int gm_store_alloc_claims(void *ctx,
			  int (*each)(void *each_ctx, struct gm_str uuid, int64_t unit, struct gm_str id,
				      struct gm_err *err),
			  void *each_ctx, struct gm_err *err)
{
	struct gm_store *s = ctx;
	struct gm_reader *reader = NULL;
	sqlite3_stmt *st = NULL;
	int r = gm_store_reader_take(s, &reader, err);

	if (r)
		return r;
	r = gm_db_query(reader->db, GM_SQL_CLAIM_LIST, NULL, 0, &st, err);
	while (r == 1) {
		r = each(each_ctx, gm_db_column(st, 0), sqlite3_column_int64(st, 1), gm_db_column(st, 2), err);
		if (!r)
			r = gm_db_step(reader->db, st, err);
	}
	gm_store_reader_give(s, reader);
	return r;
}

/* The claims of all allocations, in the order of their rows. */
struct claim_walk {
	struct gm_db *db;
	sqlite3_stmt *st;
	int at; /* 1: st stands on a claim */
};

static int stray_claim(const struct claim_walk *w, struct gm_err *err)
{
	return gm_fail(err, GM_ERR_CORRUPT, "unit %lld of device %.*s is claimed by no allocation that holds it",
		       (long long)sqlite3_column_int64(w->st, 2), GM_STR_ARG(gm_db_column(w->st, 1)));
}

/* The walk stands behind the record's claims afterwards. */
static int check_claims(struct claim_walk *w, int64_t seq, const struct gm_alloc_record *record, struct gm_err *err)
{
	GM_AUTO(gm_claims_fini_p) struct gm_claims want = { 0 };
	const int r = gm_claims_of(record, &want, err);

	if (r)
		return gm_fail(err, GM_ERR_CORRUPT, "allocation '%s' holds what it does not claim", record->id);
	if (w->at == 1 && sqlite3_column_int64(w->st, 0) < seq)
		return stray_claim(w, err);
	for (size_t i = 0; i < want.count; i++) {
		const struct gm_claim *c = &want.items[i];
		if (w->at < 0)
			return w->at;
		if (w->at == 0 || sqlite3_column_int64(w->st, 0) != seq ||
		    !gm_str_eq(gm_db_column(w->st, 1), c->uuid) || sqlite3_column_int64(w->st, 2) != c->unit)
			return gm_fail(err, GM_ERR_CORRUPT,
				       "allocation '%s': its claim of unit %lld of device %.*s is not there",
				       record->id, (long long)c->unit, GM_STR_ARG(c->uuid));
		w->at = gm_db_step(w->db, w->st, err);
	}
	if (w->at == 1 && sqlite3_column_int64(w->st, 0) == seq)
		return stray_claim(w, err);
	return w->at < 0 ? w->at : 0;
}

static int check_row(struct claim_walk *w, sqlite3_stmt *st, struct gm_err *err)
{
	struct gm_alloc_record *record = NULL;
	const int64_t seq = sqlite3_column_int64(st, R_SEQ);
	int r = gm_alloc_record_decode(gm_db_column(st, R_RECORD), &record, err);

	if (r)
		return gm_err_wrap(err, "allocation '%.*s'", GM_STR_ARG(gm_db_column(st, R_ID)));
	if (!gm_str_is(gm_db_column(st, R_ID), record->id) || sqlite3_column_int64(st, R_VERSION) != record->version ||
	    !gm_str_is(gm_db_column(st, R_STATE), gm_alloc_state_name((enum gm_alloc_state)record->state)))
		r = gm_fail(err, GM_ERR_CORRUPT, "allocation '%s': its row tells another story than its record",
			    record->id);
	if (!r)
		r = check_claims(w, seq, record, err);
	gm_alloc_record_unref(record);
	return r;
}

int gm_store_alloc_check(struct gm_db *db, struct gm_err *err)
{
	struct claim_walk w = { .db = db };
	GM_AUTO(gm_statement_reset_p) sqlite3_stmt *records = NULL;
	int r = 0;

	w.at = gm_db_query(db, GM_SQL_CLAIM_BY_ALLOCATION, NULL, 0, &w.st, err);
	if (w.at >= 0)
		r = gm_db_query(db, GM_SQL_ALLOCATION_LOAD, NULL, 0, &records, err);
	while (w.at >= 0 && r == 1) {
		r = check_row(&w, records, err);
		if (!r)
			r = gm_db_step(db, records, err);
	}
	if (!r && w.at == 1)
		r = stray_claim(&w, err);
	gm_statement_reset_p(&w.st);
	return w.at < 0 ? w.at : r;
}
