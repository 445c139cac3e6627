/* SPDX-License-Identifier: MIT */
#include "adapter/store/store-internal.h"

enum column {
	C_SERIES,
	C_CLUSTER,
	C_UUID,
	C_NODE,
	C_ID,
	C_MODEL,
	C_PRODUCT_NAME,
	C_INDEX,
	C_GI_ID,
	C_CI_ID,
	C_MIG_UUID,
	C_PROFILE,
	C_PLACEMENT_START,
	C_PLACEMENT_SIZE,
	C_MEMORY_TOTAL,
	C_FIRST_SEEN,
	C_LAST_SEEN,
};

static const char *text(sqlite3_stmt *st, enum column c)
{
	return (const char *)sqlite3_column_text(st, (int)c);
}

static struct gm_series_def series_of(sqlite3_stmt *st)
{
	return (struct gm_series_def){
		.series = (uint32_t)sqlite3_column_int64(st, C_SERIES),
		.cluster = text(st, C_CLUSTER),
		.uuid = text(st, C_UUID),
		.node = text(st, C_NODE),
		.id = text(st, C_ID),
		.model = text(st, C_MODEL),
		.product_name = text(st, C_PRODUCT_NAME),
		.index = sqlite3_column_int(st, C_INDEX),
		.gi_id = sqlite3_column_int(st, C_GI_ID),
		.ci_id = sqlite3_column_int(st, C_CI_ID),
		.mig_uuid = text(st, C_MIG_UUID),
		.profile = text(st, C_PROFILE),
		.placement_start = sqlite3_column_int(st, C_PLACEMENT_START),
		.placement_size = sqlite3_column_int(st, C_PLACEMENT_SIZE),
		.memory_total_bytes = sqlite3_column_int64(st, C_MEMORY_TOTAL),
		.first_seen_ms = sqlite3_column_int64(st, C_FIRST_SEEN),
		.last_seen_ms = sqlite3_column_int64(st, C_LAST_SEEN),
	};
}

static int load(struct gm_db *db, int (*each)(void *each_ctx, const struct gm_series_def *def, struct gm_err *err),
		void *each_ctx, struct gm_err *err)
{
	GM_AUTO(gm_statement_reset_p) sqlite3_stmt *st = NULL;
	int r = gm_db_query(db, GM_SQL_SERIES_LOAD, NULL, 0, &st, err);

	while (r == 1) {
		const struct gm_series_def def = series_of(st);
		r = each(each_ctx, &def, err);
		if (!r)
			r = gm_db_step(db, st, err);
	}
	return r;
}

int gm_store_load_series(void *ctx, int (*each)(void *each_ctx, const struct gm_series_def *def, struct gm_err *err),
			 void *each_ctx, struct gm_err *err)
{
	struct gm_store *s = ctx;
	struct gm_reader *reader = NULL;
	int r = gm_store_reader_take(s, &reader, err);

	if (r)
		return r;
	r = load(reader->db, each, each_ctx, err);
	gm_store_reader_give(s, reader);
	return r;
}

static int save(struct gm_db *db, const struct gm_series_def *def, struct gm_err *err)
{
	sqlite3_stmt *st = NULL;
	int r = gm_db_statement(db, GM_SQL_SERIES_SAVE, &st, err);
	const struct {
		enum column at;
		const char *text; /* NULL becomes "" where the table wants a text */
		bool may_be_null;
	} texts[] = {
		{ C_CLUSTER, def->cluster, false },  { C_UUID, def->uuid, false },
		{ C_NODE, def->node, false },	     { C_ID, def->id, false },
		{ C_MODEL, def->model, false },	     { C_PRODUCT_NAME, def->product_name, false },
		{ C_MIG_UUID, def->mig_uuid, true }, { C_PROFILE, def->profile, true },
	};
	const struct {
		enum column at;
		int64_t value;
	} numbers[] = {
		{ C_SERIES, def->series },
		{ C_INDEX, def->index },
		{ C_GI_ID, def->gi_id },
		{ C_CI_ID, def->ci_id },
		{ C_PLACEMENT_START, def->placement_start },
		{ C_PLACEMENT_SIZE, def->placement_size },
		{ C_MEMORY_TOTAL, def->memory_total_bytes },
		{ C_FIRST_SEEN, def->first_seen_ms },
		{ C_LAST_SEEN, def->last_seen_ms },
	};

	if (r)
		return r;
	for (size_t i = 0; i < GM_LEN(texts); i++)
		gm_db_bind_text(st, (int)texts[i].at + 1,
				gm_str(texts[i].text || texts[i].may_be_null ? texts[i].text : ""));
	for (size_t i = 0; i < GM_LEN(numbers); i++)
		(void)sqlite3_bind_int64(st, (int)numbers[i].at + 1, numbers[i].value);
	r = gm_db_step(db, st, err);
	if (r < 0)
		(void)gm_err_wrap(err, "series %u", def->series);
	return r < 0 ? r : 0;
}

int gm_store_save_series(void *ctx, const struct gm_series_def *defs, size_t count, struct gm_err *err)
{
	struct gm_db *db = ((struct gm_store *)ctx)->writer.db;
	int r = gm_db_begin(db, err);

	if (r)
		return r;
	for (size_t i = 0; !r && i < count; i++)
		r = save(db, &defs[i], err);
	return gm_db_end(db, r, err);
}
