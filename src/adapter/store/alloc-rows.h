/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_STORE_ALLOC_ROWS_H
#define GM_ADAPTER_STORE_ALLOC_ROWS_H

#include <stdint.h>

#include "adapter/store/store-internal.h"
#include "base/vec.h"
#include "core/alloc/alloc-store.h"

/* A unit of a device that is held. */
struct gm_claim {
	struct gm_str uuid;
	int64_t unit;
};
/* As GM_VEC. */
struct gm_claims {
	struct gm_claim *items;
	size_t count, capacity;
};
static inline void gm_claims_fini(struct gm_claims *c)
{
	gm_vec_fini(c);
}
GM_DEFINE_AUTO_VALUE(struct gm_claims, gm_claims_fini)

/*
 * Adds what a record claims, by device, then unit: nothing unless it holds. Views into the record. GM_ERR_INVALID when it
 * holds without a device, or a device of it claims no unit: what is not claimed could be given twice.
 */
int gm_claims_of(const struct gm_alloc_record *record, struct gm_claims *out, struct gm_err *err) GM_CHECKED;
const char *gm_object_word(enum gm_alloc_object kind);

/* The reading members of the port; ctx is the store. */
typedef int (*gm_record_each)(void *each_ctx, int64_t seq, struct gm_str bytes, struct gm_err *err);
int gm_store_alloc_load(void *ctx, gm_record_each each, void *each_ctx, struct gm_err *err);
int gm_store_alloc_read(void *ctx, const struct gm_alloc_query *query, gm_record_each each, void *each_ctx,
			struct gm_err *err);
int gm_store_alloc_get(void *ctx, struct gm_str id, struct gm_buf *out, struct gm_err *err);
int gm_store_alloc_once(void *ctx, const uint8_t key[static GM_DIGEST_BYTES], int64_t now_ms, struct gm_alloc_once *out,
			struct gm_err *err);
int gm_store_alloc_objects(void *ctx, enum gm_alloc_object kind,
			   int (*each)(void *each_ctx, const struct gm_alloc_object_row *row, struct gm_err *err),
			   void *each_ctx, struct gm_err *err);
int gm_store_alloc_claims(void *ctx,
			  int (*each)(void *each_ctx, struct gm_str uuid, int64_t unit, struct gm_str id,
				      struct gm_err *err),
			  void *each_ctx, struct gm_err *err);

#endif
