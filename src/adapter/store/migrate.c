/* SPDX-License-Identifier: MIT */
#include "adapter/store/migrate.h"

#include "base/auto.h"

/* "GMdb" in the file's header: PRAGMA application_id. */
#define APPLICATION_ID 0x474d6462

static const struct {
	int version;
	const char *name, *sql;
} migrations[] = {
#define GM_MIGRATION_ROW(number, name, sql) { number, name, sql },
	GM_SQLITE_MIGRATION_LIST(GM_MIGRATION_ROW)
#undef GM_MIGRATION_ROW
};

int gm_migrate_newest(void)
{
	return (int)GM_LEN(migrations);
}

static int query_int(struct gm_db *db, const char *sql, int64_t *out, struct gm_err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db->handle, sql, -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc != SQLITE_ROW) {
		const int r = gm_db_fail(db, rc, "database", err);
		(void)sqlite3_finalize(st);
		return r;
	}
	*out = sqlite3_column_int64(st, 0);
	(void)sqlite3_finalize(st);
	return 0;
}

static int current_version(struct gm_db *db, const char *path, int64_t *out, struct gm_err *err)
{
	int64_t application = 0, tables = 0;
	int r = query_int(db, "PRAGMA application_id", &application, err);

	if (!r)
		r = query_int(db, "SELECT count(*) FROM sqlite_schema", &tables, err);
	if (r)
		return r;
	if (tables == 0) {
		*out = 0;
		return 0;
	}
	if (application != APPLICATION_ID)
		return gm_fail(err, GM_ERR_INVALID, "%s: is a database of another program", path);
	return query_int(db, "SELECT coalesce(max(version), 0) FROM schema_version", out, err);
}

static int apply(struct gm_db *db, size_t i, int64_t now_ms, struct gm_err *err)
{
	char note[200];
	int r = gm_db_exec(db, migrations[i].sql, err);

	if (!r) {
		(void)snprintf(note, sizeof(note), "INSERT INTO schema_version VALUES (%d, '%s', %lld)",
			       migrations[i].version, migrations[i].name, (long long)now_ms);
		r = gm_db_exec(db, note, err);
	}
	if (r)
		(void)gm_err_wrap(err, "migration %s", migrations[i].name);
	return r;
}

static int begin_version_table(struct gm_db *db, struct gm_err *err)
{
	return gm_db_exec(db,
			  "PRAGMA application_id=0x474d6462;"
			  "CREATE TABLE schema_version (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_ms "
			  "INTEGER NOT NULL);",
			  err);
}

static int bring_up(struct gm_db *db, int64_t version, int64_t now_ms, struct gm_err *err)
{
	int r = version == 0 ? begin_version_table(db, err) : 0;

	for (size_t i = (size_t)version; !r && i < GM_LEN(migrations); i++)
		r = apply(db, i, now_ms, err);
	return r;
}

int gm_migrate(struct gm_db *db, const char *path, int64_t now_ms, struct gm_err *err)
{
	int64_t version = 0;
	int r = gm_db_begin(db, err);

	if (r) {
		(void)gm_err_wrap(err, "%s", path);
		return r;
	}
	r = current_version(db, path, &version, err);
	if (!r && version > gm_migrate_newest() + 1)
		r = gm_fail(err, GM_ERR_NEWER,
			    "%s: written by a newer version (schema %lld; this program reads up to %d): use that "
			    "version or a "
			    "backup",
			    path, (long long)version, gm_migrate_newest() + 1);
	if (!r)
		r = bring_up(db, version, now_ms, err);
	return gm_db_end(db, r, err);
}
