/* SPDX-License-Identifier: MIT */
#include "adapter/store/reader.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "core/fleet/block.h"

void gm_reader_init(struct gm_reader *r, struct gm_db *take_db, atomic_uint_fast64_t *damaged)
{
	*r = (struct gm_reader){
		.db = take_db,
		.packer = gm_packer_new(),
		.times = gm_xalloc(GM_BLOCK_SAMPLES_MAX * sizeof(int64_t)),
		.values = gm_xalloc(GM_BLOCK_SAMPLES_MAX * sizeof(int64_t)),
		.present = gm_xalloc((GM_BLOCK_SAMPLES_MAX + 63) / 64 * sizeof(uint64_t)),
		.damaged = damaged,
	};
}

void gm_reader_fini(struct gm_reader *r)
{
	gm_packer_free(r->packer);
	gm_buf_fini(&r->raw);
	free(r->times);
	free(r->values);
	free(r->present);
	gm_db_close(r->db);
	*r = (struct gm_reader){ 0 };
}

int gm_reader_forgive(struct gm_reader *r, int code)
{
	if (code != GM_ERR_CORRUPT)
		return code;
	(void)atomic_fetch_add_explicit(r->damaged, 1, memory_order_relaxed);
	return 0;
}

int gm_reader_unpack(struct gm_reader *r, struct gm_str packed, struct gm_err *err)
{
	const int code = gm_unpack(r->packer, packed, &r->raw, err);

	return code ? gm_reader_forgive(r, code) : 1;
}

int gm_reader_get(struct gm_reader *r, enum gm_sql sql, int64_t id, struct gm_err *err)
{
	GM_AUTO(gm_statement_reset_p) sqlite3_stmt *st = NULL;
	const int there = gm_db_query(r->db, sql, &id, 1, &st, err);

	return there == 1 ? gm_reader_unpack(r, gm_db_column(st, 0), err) : there;
}

static int add_samples(struct gm_reader *r, gm_samples *out, struct gm_err *err)
{
	const struct gm_str block = gm_buf_str(&r->raw);
	struct gm_block_info info;
	int code = gm_block_info(block, &info, err);

	if (!code && info.count > GM_BLOCK_SAMPLES_MAX)
		code = gm_fail(err, GM_ERR_CORRUPT, "a block has %zu samples", info.count);
	if (code)
		return code;
	gm_vec_reserve(out, out->count + info.count);
	code = gm_block_samples(block, out->items + out->count, err);
	if (!code)
		out->count += info.count;
	return code;
}

int gm_reader_samples(struct gm_reader *r, gm_samples *out, struct gm_err *err)
{
	const int code = add_samples(r, out, err);

	return code ? gm_reader_forgive(r, code) : 1;
}
