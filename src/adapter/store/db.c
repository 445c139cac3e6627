/* SPDX-License-Identifier: MIT */
#include "adapter/store/db.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"

static const char *const sql_text[GM_SQL_COUNT] = {
#define GM_SQL_TEXT(name, text) text,
	GM_SQLITE_SQL_LIST(GM_SQL_TEXT)
#undef GM_SQL_TEXT
};

/* `full`: nothing that SQLite adds would help. */
static const struct {
	int rc, code;
	const char *text;
	bool full;
} rc_table[] = {
	{ SQLITE_BUSY, GM_ERR_BUSY, "the database is locked by another program", true },
	{ SQLITE_LOCKED, GM_ERR_BUSY, "the database is locked", true },
	{ SQLITE_FULL, GM_ERR_NO_SPACE, "the disk is full", true },
	{ SQLITE_READONLY, GM_ERR_READ_ONLY, "the database cannot be written (file, folder or mount is read-only)",
	  true },
	{ SQLITE_PERM, GM_ERR_READ_ONLY, "no permission", true },
	{ SQLITE_CORRUPT, GM_ERR_CORRUPT, "the database is damaged", false },
	{ SQLITE_NOTADB, GM_ERR_CORRUPT, "the file is not a database", true },
	{ SQLITE_NOMEM, GM_ERR_NO_MEMORY, "out of memory", true },
	{ SQLITE_TOOBIG, GM_ERR_TOO_LARGE, "a value is too large", true },
	{ SQLITE_CONSTRAINT, GM_ERR_CONFLICT, "a rule of the database is broken", false },
	{ SQLITE_IOERR, GM_ERR_IO, "reading or writing failed", false },
};

int gm_db_fail(struct gm_db *db, int rc, const char *what, struct gm_err *err)
{
	const int os = db && db->handle ? sqlite3_system_errno(db->handle) : 0;
	const char *text = db && db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc);

	if ((rc & 0xff) == SQLITE_CANTOPEN)
		return gm_fail_errno(err, os ? os : EACCES, "%s: the database cannot be opened", what);
	if ((rc & 0xff) == SQLITE_IOERR && (os == ENOSPC || os == EDQUOT || os == EROFS))
		return gm_fail_errno(err, os, "%s", what);
	for (size_t i = 0; i < GM_LEN(rc_table); i++) {
		if (rc_table[i].rc != (rc & 0xff))
			continue;
		return rc_table[i].full ? gm_fail(err, rc_table[i].code, "%s: %s", what, rc_table[i].text)
					: gm_fail(err, rc_table[i].code, "%s: %s: %s", what, rc_table[i].text, text);
	}
	return gm_fail(err, GM_ERR_INTERNAL, "%s: %s (SQLite %d)", what, text, rc);
}

int gm_db_exec(struct gm_db *db, const char *sql, struct gm_err *err)
{
	const int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : gm_db_fail(db, rc, "database", err);
}

/*
 * synchronous=EXTRA: a commit is synced before it returns, for samples as for keys and audit rows; at one commit a second
 * the sync is cheap and no second meaning of "written" is needed. In WAL mode it is FULL; before that mode is set it
 * keeps the rollback journal of a new file from coming back after a power cut and taking the first commits with it.
 * Checkpoints are taken by maintain() in small bites; log_grew is only the brake for a log that grows without it.
 * secure_delete would write every deleted page once more.
 */
static const char writer_setup[] = "PRAGMA synchronous=EXTRA;"
				   "PRAGMA page_size=16384;"
				   "PRAGMA journal_mode=WAL;"
				   "PRAGMA journal_size_limit=67108864;"
				   "PRAGMA secure_delete=OFF;"
				   "PRAGMA cell_size_check=ON;"
				   "PRAGMA trusted_schema=OFF;"
				   "PRAGMA temp_store=MEMORY;"
				   "PRAGMA cache_size=-16000;";
static const char reader_setup[] = "PRAGMA query_only=ON;"
				   "PRAGMA cell_size_check=ON;"
				   "PRAGMA trusted_schema=OFF;"
				   "PRAGMA temp_store=MEMORY;"
				   "PRAGMA cache_size=-4000;";

/* How long a foreign program's lock (the sqlite3 shell, a backup) is waited for. */
#define BUSY_TIMEOUT_MS 2000

/* 128 MiB of log. */
#define WAL_PAGES_MAX 8192

static int log_grew(void *ctx, sqlite3 *handle, const char *schema, int pages)
{
	struct gm_db *db = ctx;

	if (pages < db->wal_done)
		db->wal_done = 0; /* the log began anew */
	db->wal_pages = pages;
	if (pages >= WAL_PAGES_MAX)
		(void)sqlite3_wal_checkpoint_v2(handle, schema, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return SQLITE_OK;
}

int gm_db_open(const struct gm_db_conf *conf, struct gm_db **out, struct gm_err *err)
{
	GM_AUTO(gm_db_close_p) struct gm_db *db = gm_xalloc(sizeof(*db));
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
			  (conf->writer ? SQLITE_OPEN_CREATE : 0);
	const int rc = sqlite3_open_v2(conf->path, &db->handle, flags, conf->vfs);

	if (rc != SQLITE_OK)
		return gm_db_fail(db, rc, conf->path, err);
	(void)sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
	(void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (conf->writer && sqlite3_db_readonly(db->handle, "main") == 1)
		return gm_fail(err, GM_ERR_READ_ONLY, "%s: the database file is read-only", conf->path);
	const int r = gm_db_exec(db, conf->writer ? writer_setup : reader_setup, err);
	if (r) {
		(void)gm_err_wrap(err, "%s", conf->path);
		return r;
	}
	if (conf->writer)
		(void)sqlite3_wal_hook(db->handle, log_grew, db);
	*out = gm_steal(&db);
	return 0;
}

void gm_db_close(struct gm_db *db)
{
	if (!db)
		return;
	for (size_t i = 0; i < GM_SQL_COUNT; i++)
		(void)sqlite3_finalize(db->statements[i]);
	(void)sqlite3_close_v2(db->handle);
	free(db);
}

int gm_db_statement(struct gm_db *db, enum gm_sql sql, sqlite3_stmt **out, struct gm_err *err)
{
	sqlite3_stmt *st = db->statements[sql];

	if (st) {
		(void)sqlite3_reset(st);
		*out = st;
		return 0;
	}
	const int rc = sqlite3_prepare_v3(db->handle, sql_text[sql], -1, SQLITE_PREPARE_PERSISTENT, &st, NULL);
	if (rc != SQLITE_OK)
		return gm_db_fail(db, rc, "database", err);
	*out = db->statements[sql] = st;
	return 0;
}

int gm_db_step(struct gm_db *db, sqlite3_stmt *st, struct gm_err *err)
{
	const int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE) {
		(void)sqlite3_reset(st);
		return 0;
	}
	const int r = gm_db_fail(db, rc, "database", err);
	(void)sqlite3_reset(st);
	return r;
}

int gm_db_run(struct gm_db *db, enum gm_sql sql, struct gm_err *err)
{
	return gm_db_change(db, sql, NULL, 0, NULL, err);
}

int gm_db_query(struct gm_db *db, enum gm_sql sql, const int64_t *args, int count, sqlite3_stmt **out,
		struct gm_err *err)
{
	sqlite3_stmt *st = NULL;
	int r = gm_db_statement(db, sql, &st, err);

	if (r)
		return r;
	for (int i = 0; i < count; i++)
		(void)sqlite3_bind_int64(st, i + 1, args[i]);
	r = gm_db_step(db, st, err);
	if (r == 1)
		*out = st;
	return r;
}

int gm_db_value(struct gm_db *db, enum gm_sql sql, const int64_t *args, int count, int64_t *out_value,
		struct gm_err *err)
{
	GM_AUTO(gm_statement_reset_p) sqlite3_stmt *st = NULL;
	const int r = gm_db_query(db, sql, args, count, &st, err);

	if (r != 1)
		return r;
	if (sqlite3_column_type(st, 0) == SQLITE_NULL)
		return 0;
	*out_value = sqlite3_column_int64(st, 0);
	return 1;
}

int gm_db_change(struct gm_db *db, enum gm_sql sql, const int64_t *args, int count, int *out_changes,
		 struct gm_err *err)
{
	GM_AUTO(gm_statement_reset_p) sqlite3_stmt *st = NULL;
	const int r = gm_db_query(db, sql, args, count, &st, err);

	if (r >= 0 && out_changes)
		*out_changes = sqlite3_changes(db->handle);
	return r < 0 ? r : 0;
}

int gm_db_put(struct gm_db *db, enum gm_sql sql, int64_t id, struct gm_str data, struct gm_err *err)
{
	sqlite3_stmt *st = NULL;
	int r = gm_db_statement(db, sql, &st, err);

	if (r)
		return r;
	(void)sqlite3_bind_int64(st, 1, id);
	gm_db_bind_blob(st, 2, data.p, data.n);
	r = gm_db_step(db, st, err);
	return r < 0 ? r : 0;
}

struct gm_str gm_db_column(sqlite3_stmt *st, int column)
{
	const void *p = sqlite3_column_blob(st, column);

	return gm_str_n(p, (size_t)sqlite3_column_bytes(st, column));
}

void gm_db_bind_text(sqlite3_stmt *st, int at, struct gm_str text)
{
	if (text.p)
		(void)sqlite3_bind_text64(st, at, text.p, text.n, SQLITE_STATIC, SQLITE_UTF8);
	else
		(void)sqlite3_bind_null(st, at);
}

void gm_db_bind_blob(sqlite3_stmt *st, int at, const void *p, size_t n)
{
	(void)sqlite3_bind_blob64(st, at, p, n, SQLITE_STATIC);
}

int gm_db_begin(struct gm_db *db, struct gm_err *err)
{
	const int r = gm_db_run(db, db->depth == 0 ? GM_SQL_BEGIN : GM_SQL_SAVEPOINT, err);

	if (r)
		return r;
	db->depth++;
	return 0;
}

int gm_db_commit(struct gm_db *db, struct gm_err *err)
{
	/* A full disk or a failed write may have ended the transaction already; then nothing is left to commit. */
	if (sqlite3_get_autocommit(db->handle)) {
		db->depth = 0;
		return gm_fail(err, GM_ERR_IO, "database: the transaction was undone by an earlier failure");
	}
	const int r = gm_db_run(db, db->depth == 1 ? GM_SQL_COMMIT : GM_SQL_RELEASE, err);
	if (r) {
		gm_db_rollback(db);
		return r;
	}
	db->depth--;
	return 0;
}

static void run_quietly(struct gm_db *db, enum gm_sql sql)
{
	sqlite3_stmt *st = NULL;

	if (gm_db_statement(db, sql, &st, NULL) == 0) {
		(void)sqlite3_step(st);
		(void)sqlite3_reset(st);
	}
}

void gm_db_rollback(struct gm_db *db)
{
	for (size_t i = 0; i < GM_SQL_COUNT; i++) {
		if (db->statements[i])
			(void)sqlite3_reset(db->statements[i]);
	}
	if (db->depth == 0)
		return;
	if (sqlite3_get_autocommit(db->handle)) {
		db->depth = 0;
		return;
	}
	if (db->depth > 1) {
		run_quietly(db, GM_SQL_ROLLBACK_TO);
		run_quietly(db, GM_SQL_RELEASE);
	} else {
		run_quietly(db, GM_SQL_ROLLBACK);
	}
	db->depth--;
}

int gm_db_end(struct gm_db *db, int r, struct gm_err *err)
{
	if (!r)
		return gm_db_commit(db, err);
	gm_db_rollback(db);
	return r;
}

int gm_db_checkpoint(struct gm_db *db, struct gm_err *err)
{
	int left = 0, done = 0;
	const int rc = sqlite3_wal_checkpoint_v2(db->handle, "main", SQLITE_CHECKPOINT_PASSIVE, &left, &done);

	if (rc != SQLITE_OK)
		return gm_db_fail(db, rc, "checkpoint", err);
	db->wal_pages = left;
	db->wal_done = done;
	return 0;
}
