/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_STORE_DB_H
#define GM_ADAPTER_STORE_DB_H

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"

#include "sqlite-sql.h"

/* One SQLite connection with its statements; used by one thread at a time. */
enum gm_sql {
#define GM_SQL_ENUM(name, text) GM_SQL_##name,
	GM_SQLITE_SQL_LIST(GM_SQL_ENUM)
#undef GM_SQL_ENUM
		GM_SQL_COUNT
};

struct gm_db {
	sqlite3 *handle;
	sqlite3_stmt *statements[GM_SQL_COUNT];
	int depth;     /* 0: no transaction, 1: one, more: savepoints in it */
	int wal_pages; /* in the log after the last commit */
	int wal_done;  /* of these, moved into the file by the last checkpoint */
};

struct gm_db_conf {
	const char *path; /* begins with '/' or "./" */
	const char *vfs;
	bool writer;
};

int gm_db_open(const struct gm_db_conf *conf, struct gm_db **out, struct gm_err *err) GM_CHECKED;
void gm_db_close(struct gm_db *db);

/* Our code for what SQLite last said on this connection, with its text. */
int gm_db_fail(struct gm_db *db, int rc, const char *what, struct gm_err *err);
/* Ready to be bound; prepared at its first use. */
int gm_db_statement(struct gm_db *db, enum gm_sql sql, sqlite3_stmt **out, struct gm_err *err) GM_CHECKED;
/* 1: a row is there, 0: no more, or a negative code; the statement is reset unless a row is there. */
int gm_db_step(struct gm_db *db, sqlite3_stmt *st, struct gm_err *err) GM_CHECKED;
/* Text without results and parameters. */
int gm_db_exec(struct gm_db *db, const char *sql, struct gm_err *err) GM_CHECKED;
int gm_db_run(struct gm_db *db, enum gm_sql sql, struct gm_err *err) GM_CHECKED;
/*
 * With `count` integers bound, at its first row: 1, 0 or a negative code as gm_db_step. *out is set with a row only; the
 * caller resets it (gm_statement_reset_p).
 */
int gm_db_query(struct gm_db *db, enum gm_sql sql, const int64_t *args, int count, sqlite3_stmt **out,
		struct gm_err *err) GM_CHECKED;
/* The first column of the first row. 1: a row, 0: none or NULL, or a negative code. */
int gm_db_value(struct gm_db *db, enum gm_sql sql, const int64_t *args, int count, int64_t *out_value,
		struct gm_err *err) GM_CHECKED;
/* The same without a result; *out_changes (may be NULL) gets the rows changed. */
int gm_db_change(struct gm_db *db, enum gm_sql sql, const int64_t *args, int count, int *out_changes,
		 struct gm_err *err) GM_CHECKED;
/* Writes (id, data) with one of the ..._put and ..._add statements. */
int gm_db_put(struct gm_db *db, enum gm_sql sql, int64_t id, struct gm_str data, struct gm_err *err) GM_CHECKED;

/* Borrowed until the next step or reset; empty for NULL. */
struct gm_str gm_db_column(sqlite3_stmt *st, int column);
/* Borrowed until the step is done; NULL is bound for p == NULL. */
void gm_db_bind_text(sqlite3_stmt *st, int at, struct gm_str text);
void gm_db_bind_blob(sqlite3_stmt *st, int at, const void *p, size_t n);

/* Transactions; a begin within one is a savepoint. Rollback never fails. */
int gm_db_begin(struct gm_db *db, struct gm_err *err) GM_CHECKED;
int gm_db_commit(struct gm_db *db, struct gm_err *err) GM_CHECKED;
void gm_db_rollback(struct gm_db *db);
/* Commits when r is 0, else rolls back; returns the first failure. */
int gm_db_end(struct gm_db *db, int r, struct gm_err *err) GM_CHECKED;
/* Moves what is committed from the log into the file, as far as no reader needs the old pages. */
int gm_db_checkpoint(struct gm_db *db, struct gm_err *err) GM_CHECKED;

GM_DEFINE_AUTO(struct gm_db, gm_db_close)

static inline __attribute__((unused)) void gm_statement_reset_p(sqlite3_stmt **st)
{
	if (*st)
		(void)sqlite3_reset(*st);
}

#endif
