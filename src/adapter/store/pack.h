/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_STORE_PACK_H
#define GM_ADAPTER_STORE_PACK_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* A blob of the store: one tag byte, then the bytes as they are or a zstd frame with a checksum, whichever is smaller. */
#define GM_PACK_RAW_MAX (16u << 20)

struct gm_packer;
struct gm_packer *gm_packer_new(void);
void gm_packer_free(struct gm_packer *p);
/* Replaces *out. */
int gm_pack(struct gm_packer *p, int level, struct gm_str raw, struct gm_buf *out, struct gm_err *err) GM_CHECKED;
/* Replaces *out; what is damaged is GM_ERR_CORRUPT. */
int gm_unpack(struct gm_packer *p, struct gm_str packed, struct gm_buf *out, struct gm_err *err) GM_CHECKED;

GM_DEFINE_AUTO(struct gm_packer, gm_packer_free)

#endif
