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

static const struct {
	int rc, code;
	const char *text;
} rc_table[] = {
	{ SQLITE_BUSY, GM_ERR_BUSY, "the database is locked by another program" },
	{ SQLITE_LOCKED, GM_ERR_BUSY, "the database is locked" },
	{ SQLITE_FULL, GM_ERR_NO_SPACE, "the disk is full" },
	{ SQLITE_READONLY, GM_ERR_READ_ONLY, "the database cannot be written (file, folder or mount is read-only)" },
	{ SQLITE_PERM, GM_ERR_READ_ONLY, "no permission" },
	{ SQLITE_CORRUPT, GM_ERR_CORRUPT, "the database is damaged" },
	{ SQLITE_NOTADB, GM_ERR_CORRUPT, "the file is not a database" },
	{ SQLITE_NOMEM, GM_ERR_NO_MEMORY, "out of memory" },
	{ SQLITE_TOOBIG, GM_ERR_TOO_LARGE, "a value is too large" },
	{ SQLITE_CONSTRAINT, GM_ERR_CONFLICT, "a rule of the database is broken" },
	{ SQLITE_IOERR, GM_ERR_IO, "reading or writing failed" },
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
		if (rc_table[i].rc == (rc & 0xff))
			return gm_fail(err, rc_table[i].code, "%s: %s: %s", what, rc_table[i].text, text);
	}
	return gm_fail(err, GM_ERR_INTERNAL, "%s: %s (SQLite %d)", what, text, rc);
}

int gm_db_exec(struct gm_db *db, const char *sql, struct gm_err *err)
{
	const int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : gm_db_fail(db, rc, "database", err);
}

/*
 * synchronous=FULL: a commit is synced before it returns, for samples as for keys and audit rows; at one commit a second
 * the sync is cheap and no second meaning of "written" is needed. Checkpoints are taken by maintain(); the automatic one
 * is only the brake for a log that grows without it. secure_delete would write every deleted page once more.
 */
static const char writer_setup[] = "PRAGMA page_size=16384;"
				   "PRAGMA journal_mode=WAL;"
				   "PRAGMA synchronous=FULL;"
				   "PRAGMA wal_autocheckpoint=8000;"
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
	if (r)
		return gm_err_wrap(err, "%s", conf->path);
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

sqlite3_stmt *gm_db_statement(struct gm_db *db, enum gm_sql sql, struct gm_err *err)
{
	sqlite3_stmt *st = db->statements[sql];

	if (st) {
		(void)sqlite3_reset(st);
		return st;
	}
	const int rc = sqlite3_prepare_v3(db->handle, sql_text[sql], -1, SQLITE_PREPARE_PERSISTENT, &st, NULL);
	if (rc != SQLITE_OK) {
		(void)gm_db_fail(db, rc, sql_text[sql], err);
		return NULL;
	}
	db->statements[sql] = st;
	return st;
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

static sqlite3_stmt *bound(struct gm_db *db, enum gm_sql sql, const int64_t *args, int count, struct gm_err *err)
{
	sqlite3_stmt *st = gm_db_statement(db, sql, err);

	for (int i = 0; st && i < count; i++)
		(void)sqlite3_bind_int64(st, i + 1, args[i]);
	return st;
}

int gm_db_run(struct gm_db *db, enum gm_sql sql, struct gm_err *err)
{
	return gm_db_change(db, sql, NULL, 0, NULL, err);
}

int gm_db_value(struct gm_db *db, enum gm_sql sql, const int64_t *args, int count, int64_t *out_value,
		struct gm_err *err)
{
	sqlite3_stmt *st = bound(db, sql, args, count, err);

	if (!st)
		return GM_ERR_INTERNAL;
	const int r = gm_db_step(db, st, err);
	if (r == 1) {
		*out_value = sqlite3_column_int64(st, 0);
		(void)sqlite3_reset(st);
	}
	return r;
}

int gm_db_change(struct gm_db *db, enum gm_sql sql, const int64_t *args, int count, int *out_changes,
		 struct gm_err *err)
{
	sqlite3_stmt *st = bound(db, sql, args, count, err);

	if (!st)
		return GM_ERR_INTERNAL;
	const int r = gm_db_step(db, st, err);
	if (r == 1)
		(void)sqlite3_reset(st);
	if (r >= 0 && out_changes)
		*out_changes = sqlite3_changes(db->handle);
	return r < 0 ? r : 0;
}

int gm_db_blob(struct gm_db *db, enum gm_sql sql, const int64_t *args, int count, sqlite3_stmt **out_statement,
	       struct gm_str *out_blob, struct gm_err *err)
{
	sqlite3_stmt *st = bound(db, sql, args, count, err);

	if (!st)
		return GM_ERR_INTERNAL;
	const int r = gm_db_step(db, st, err);
	if (r == 1) {
		const void *p = sqlite3_column_blob(st, 0);
		*out_blob = gm_str_n(p, (size_t)sqlite3_column_bytes(st, 0));
		*out_statement = st;
	}
	return r;
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

void gm_db_rollback(struct gm_db *db)
{
	if (db->depth == 0)
		return;
	if (sqlite3_get_autocommit(db->handle)) {
		db->depth = 0;
		return;
	}
	for (size_t i = 0; i < GM_SQL_COUNT; i++) {
		if (db->statements[i])
			(void)sqlite3_reset(db->statements[i]);
	}
	if (db->depth > 1) {
		(void)gm_db_run(db, GM_SQL_ROLLBACK_TO, NULL);
		(void)gm_db_run(db, GM_SQL_RELEASE, NULL);
	} else {
		(void)gm_db_run(db, GM_SQL_ROLLBACK, NULL);
	}
	db->depth--;
}
