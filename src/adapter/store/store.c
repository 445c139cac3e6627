/* SPDX-License-Identifier: MIT */
#include "adapter/store/store-internal.h"

#include <stdlib.h>

#include "adapter/store/migrate.h"
#include "adapter/store/place.h"
#include "base/alloc.h"
#include "base/buf.h"

#define MINUTE_MS INT64_C(60000)
#define READERS 8

static struct gm_store_conf with_defaults(const struct gm_store_conf *given)
{
	struct gm_store_conf c = *given;
	const struct {
		int64_t *value, fallback;
	} times[] = {
		{ &c.retention_ms, 30 * GM_DAY_MS },	 { &c.retention_5m_ms, 90 * GM_DAY_MS },
		{ &c.retention_1h_ms, 730 * GM_DAY_MS }, { &c.grace_ms, 5 * MINUTE_MS },
		{ &c.sort_after_ms, 5 * MINUTE_MS },	 { &c.step_ms, 20 },
	};

	for (size_t i = 0; i < GM_LEN(times); i++) {
		if (*times[i].value == 0)
			*times[i].value = times[i].fallback;
	}
	c.batch_rows = c.batch_rows ? c.batch_rows : 500;
	c.sort_after_bytes = c.sort_after_bytes ? c.sort_after_bytes : UINT64_C(32) << 20;
	c.checkpoint_pages = c.checkpoint_pages > 0 ? c.checkpoint_pages : 512;
	c.readers = c.readers > 0 ? c.readers : READERS;
	return c;
}

/* SQLite takes "file:..." and ":memory:" for other things than files of that name; a path with a slash is one. */
static int path_of_url(const char *url, char **out, struct gm_err *err)
{
	struct gm_str rest = gm_str(url);
	GM_AUTO(gm_buf_fini_p) struct gm_buf path = { 0 };

	if (!gm_str_starts(rest, GM_STR("sqlite:")))
		return gm_fail(err, GM_ERR_UNSUPPORTED, "database.url '%s': only sqlite:FILE is known", url);
	rest = gm_str_n(rest.p + 7, rest.n - 7);
	if (gm_str_starts(rest, GM_STR("//")))
		rest = gm_str_n(rest.p + 2, rest.n - 2);
	if (rest.n == 0)
		return gm_fail(err, GM_ERR_INVALID, "database.url '%s': names no file", url);
	gm_buf_add_cstr(&path, rest.p[0] == '/' || gm_str_starts(rest, GM_STR("./")) ? "" : "./");
	gm_buf_add_str(&path, rest);
	*out = gm_buf_steal(&path, NULL);
	return 0;
}

/* What earlier runs left behind. */
static int read_state(struct gm_store *s, struct gm_err *err)
{
	struct gm_db *db = s->writer.db;
	GM_AUTO(gm_statement_reset_p) sqlite3_stmt *st = NULL;
	int64_t id = 0, hour = 0;

	s->newest_ms = INT64_MIN;
	s->journal_first_ms = INT64_MAX;
	/* Due at once: nobody knows how old it is. */
	s->journal_since_ms = gm_mono_ms(s->conf.clock) - s->conf.sort_after_ms;
	s->expired_ms = INT64_MIN / 2;
	s->sorted_for_hour = -1;
	int r = gm_db_query(db, GM_SQL_JOURNAL_STATE, NULL, 0, &st, err);
	if (r < 0)
		return r;
	if (sqlite3_column_int64(st, 0) > 0) {
		s->journal_first_ms = sqlite3_column_int64(st, 1);
		s->newest_ms = sqlite3_column_int64(st, 2);
	}
	r = gm_db_value(db, GM_SQL_BLOCK_LAST, NULL, 0, &id, err);
	if (r == 1 && (id >> 32) * GM_HOUR_MS > s->newest_ms)
		s->newest_ms = (id >> 32) * GM_HOUR_MS;
	if (r >= 0)
		r = gm_db_value(db, GM_SQL_RUN_LAST_HOUR, NULL, 0, &hour, err);
	if (r == 1 && hour * GM_HOUR_MS > s->newest_ms)
		s->newest_ms = hour * GM_HOUR_MS;
	return r < 0 ? r : 0;
}

static void init(struct gm_store *s, const struct gm_store_conf *conf)
{
	s->conf = with_defaults(conf);
	s->lock_fd = -1;
	s->rollups = gm_xalloc(sizeof(*s->rollups));
	s->readers = gm_xalloc((size_t)s->conf.readers * sizeof(*s->readers));
	s->idle = gm_xalloc((size_t)s->conf.readers * sizeof(struct gm_reader *));
	for (; s->idle_count < s->conf.readers; s->idle_count++)
		s->idle[s->idle_count] = &s->readers[s->idle_count];
	(void)pthread_mutex_init(&s->mu, NULL);
	(void)pthread_cond_init(&s->reader_idle, NULL);
	gm_store_work_reset(s);
	s->fleet = (struct gm_fleet_store){
		.ctx = s,
		.load_series = gm_store_load_series,
		.save_series = gm_store_save_series,
		.append = gm_store_append,
		.maintain = gm_store_maintain,
		.chart = gm_store_chart,
	};
	gm_store_auth_init(s);
	gm_store_alloc_init(s);
}

int gm_store_open(const struct gm_store_conf *conf, struct gm_store **out, struct gm_err *err)
{
	GM_AUTO(gm_store_close_p) struct gm_store *s = gm_xalloc(sizeof(*s));
	struct gm_db *db = NULL;

	init(s, conf);
	int r = path_of_url(conf->url, &s->path, err);
	if (r)
		return r;
	const struct gm_place_conf place = { .path = s->path,
					     .network_allowed = conf->network_allowed,
					     .fs_magic = conf->fs_magic };
	r = gm_place_take(&place, &s->lock_fd, err);
	if (r)
		return r;
	const struct gm_db_conf writer = { .path = s->path, .vfs = conf->vfs, .writer = true };
	r = gm_db_open(&writer, &db, err);
	if (r)
		return r;
	gm_reader_init(&s->writer, db, &s->damaged);
	r = gm_migrate(db, s->path, gm_wall_ms(s->conf.clock), err);
	if (!r)
		r = read_state(s, err);
	if (r)
		return r;
	s->conf.url = NULL; /* the caller's */
	*out = gm_steal(&s);
	return 0;
}

void gm_store_close(struct gm_store *s)
{
	if (!s)
		return;
	gm_store_work_reset(s);
	/* The writer last: the last connection to go moves the log into the file. */
	for (int i = 0; i < s->conf.readers; i++)
		gm_reader_fini(&s->readers[i]);
	gm_reader_fini(&s->writer);
	gm_buf_fini(&s->rows.buf);
	gm_buf_fini(&s->packed);
	gm_buf_fini(&s->raw);
	gm_vec_fini(&s->column);
	free(s->rollups);
	free(s->readers);
	free(s->idle);
	(void)pthread_mutex_destroy(&s->mu);
	(void)pthread_cond_destroy(&s->reader_idle);
	gm_fd_close(s->lock_fd);
	free(s->path);
	free(s);
}

const struct gm_fleet_store *gm_store_fleet(struct gm_store *s)
{
	return &s->fleet;
}

const struct gm_auth_store *gm_store_auth(struct gm_store *s)
{
	return &s->auth;
}

const struct gm_alloc_store *gm_store_alloc(struct gm_store *s)
{
	return &s->alloc;
}

static int reader_open(struct gm_store *s, struct gm_reader *reader, struct gm_err *err)
{
	struct gm_db *db = NULL;
	const struct gm_db_conf conf = { .path = s->path, .vfs = s->conf.vfs };
	const int r = gm_db_open(&conf, &db, err);

	if (!r)
		gm_reader_init(reader, db, &s->damaged);
	return r;
}

int gm_store_reader_take(struct gm_store *s, struct gm_reader **out, struct gm_err *err)
{
	(void)pthread_mutex_lock(&s->mu);
	while (s->idle_count == 0)
		(void)pthread_cond_wait(&s->reader_idle, &s->mu);
	struct gm_reader *reader = s->idle[--s->idle_count];
	(void)pthread_mutex_unlock(&s->mu);
	int r = reader->db ? 0 : reader_open(s, reader, err);
	if (!r) {
		r = gm_db_run(reader->db, GM_SQL_BEGIN_READ, err);
		reader->db->depth = r ? 0 : 1;
	}
	if (r) {
		gm_store_reader_give(s, reader);
		return r;
	}
	*out = reader;
	return 0;
}

void gm_store_reader_give(struct gm_store *s, struct gm_reader *take_reader)
{
	if (take_reader->db)
		gm_db_rollback(take_reader->db);
	(void)pthread_mutex_lock(&s->mu);
	s->idle[s->idle_count++] = take_reader;
	(void)pthread_cond_signal(&s->reader_idle);
	(void)pthread_mutex_unlock(&s->mu);
}

void gm_store_stats(struct gm_store *s, struct gm_store_stats *out)
{
	*out = (struct gm_store_stats){
		.journal_bytes = atomic_load(&s->journal_bytes),
		.appended_rows = atomic_load(&s->appended_rows),
		.refused_old_rows = atomic_load(&s->refused_old_rows),
		.refused_future_rows = atomic_load(&s->refused_future_rows),
		.packed_blocks = atomic_load(&s->packed_blocks),
		.duplicate_rows = atomic_load(&s->duplicate_rows),
		.overfull_rows = atomic_load(&s->overfull_rows),
		.damaged = atomic_load(&s->damaged),
		.expired_blobs = atomic_load(&s->expired_blobs),
	};
}

int gm_store_size(struct gm_store *s, uint64_t *out_bytes, struct gm_err *err)
{
	struct gm_reader *reader = NULL;
	int64_t pages = 0, unused = 0, page_size = 0;
	int r = gm_store_reader_take(s, &reader, err);

	if (r)
		return r;
	r = gm_db_value(reader->db, GM_SQL_PAGE_COUNT, NULL, 0, &pages, err);
	if (r == 1)
		r = gm_db_value(reader->db, GM_SQL_FREE_PAGES, NULL, 0, &unused, err);
	if (r == 1)
		r = gm_db_value(reader->db, GM_SQL_PAGE_SIZE, NULL, 0, &page_size, err);
	gm_store_reader_give(s, reader);
	if (r != 1)
		return r < 0 ? r : gm_fail(err, GM_ERR_INTERNAL, "the database does not tell its size");
	*out_bytes = (uint64_t)((pages - unused) * page_size);
	return 0;
}

int gm_store_check(struct gm_store *s, struct gm_err *err)
{
	struct gm_reader *reader = NULL;
	sqlite3_stmt *st = NULL;
	int r = gm_store_reader_take(s, &reader, err);

	if (r)
		return r;
	r = gm_db_query(reader->db, GM_SQL_QUICK_CHECK, NULL, 0, &st, err);
	if (r == 1) {
		const struct gm_str said = gm_db_column(st, 0);
		r = gm_str_is(said, "ok")
			    ? 0
			    : gm_fail(err, GM_ERR_CORRUPT, "the database is damaged: %.*s", GM_STR_ARG(said));
	}
	if (!r)
		r = gm_store_alloc_check(reader->db, err);
	gm_store_reader_give(s, reader);
	return r;
}

void gm_store_pending_count(struct gm_store *s)
{
	gm_count(&s->refused_old_rows, s->pending.refused_old);
	gm_count(&s->refused_future_rows, s->pending.refused_future);
	gm_count(&s->appended_rows, s->pending.rows);
	gm_count(&s->journal_bytes, s->pending.bytes);
	(void)memset(&s->pending, 0, sizeof(s->pending));
}

int gm_store_begin(struct gm_store *s, struct gm_err *err)
{
	return gm_db_begin(s->writer.db, err);
}

int gm_store_commit(struct gm_store *s, struct gm_err *err)
{
	const int r = gm_db_commit(s->writer.db, err);

	if (r)
		(void)memset(&s->pending, 0, sizeof(s->pending));
	else if (s->writer.db->depth == 0)
		gm_store_pending_count(s);
	return r;
}

bool gm_store_undo(struct gm_store *s)
{
	gm_db_rollback(s->writer.db);
	return s->writer.db->depth > 0;
}

void gm_store_rollback(struct gm_store *s)
{
	while (s->writer.db->depth)
		gm_db_rollback(s->writer.db);
	(void)memset(&s->pending, 0, sizeof(s->pending));
}
