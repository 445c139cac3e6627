/* SPDX-License-Identifier: MIT */
#include "core/auth/auth.h"

#include "base/buf.h"

static void add_u64(struct gm_buf *b, uint64_t v)
{
	uint8_t bytes[8];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(v >> (8 * i));
	gm_buf_add(b, bytes, sizeof(bytes));
}

static void add_text(struct gm_buf *b, struct gm_str s)
{
	add_u64(b, s.n);
	gm_buf_add_str(b, s);
}

void gm_audit_digest(const struct gm_audit *row, uint8_t out[static GM_DIGEST_BYTES])
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf bytes = { 0 };
	const struct gm_str texts[] = { row->actor,  row->role,	  row->address, row->action,
					row->object, row->before, row->after,	row->request_id };

	gm_buf_add(&bytes, row->previous, GM_DIGEST_BYTES);
	add_u64(&bytes, (uint64_t)row->seq);
	add_u64(&bytes, (uint64_t)row->at_ms);
	for (size_t i = 0; i < GM_LEN(texts); i++)
		add_text(&bytes, texts[i]);
	gm_digest(gm_buf_str(&bytes), out);
}

int gm_audit_chain_next(struct gm_audit_chain *chain, const struct gm_audit *row, struct gm_err *err)
{
	uint8_t digest[GM_DIGEST_BYTES];

	if (row->seq != chain->seq + 1)
		return gm_fail(err, GM_ERR_CORRUPT, "audit row %lld is missing: row %lld follows row %lld",
			       (long long)(chain->seq + 1), (long long)row->seq, (long long)chain->seq);
	if (!gm_secret_eq(row->previous, chain->head, GM_DIGEST_BYTES))
		return gm_fail(err, GM_ERR_CORRUPT, "audit row %lld does not continue row %lld", (long long)row->seq,
			       (long long)chain->seq);
	gm_audit_digest(row, digest);
	if (!gm_secret_eq(row->digest, digest, GM_DIGEST_BYTES))
		return gm_fail(err, GM_ERR_CORRUPT, "audit row %lld was changed", (long long)row->seq);
	chain->seq = row->seq;
	memcpy(chain->head, digest, GM_DIGEST_BYTES);
	return 0;
}
