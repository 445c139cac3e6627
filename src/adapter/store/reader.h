/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_STORE_READER_H
#define GM_ADAPTER_STORE_READER_H

#include <stdatomic.h>
#include <stdint.h>

#include "adapter/store/db.h"
#include "adapter/store/pack.h"
#include "base/buf.h"
#include "base/vec.h"
#include "core/fleet/sample.h"

typedef GM_VEC(struct gm_sample) gm_samples;

/* A connection and the room to read blobs through it; one thread at a time. */
struct gm_reader {
	struct gm_db *db;
	struct gm_packer *packer;
	struct gm_buf raw; /* the blob unpacked last */
	int64_t *times;	   /* GM_BLOCK_SAMPLES_MAX, as the next two */
	int64_t *values;
	uint64_t *present;
	atomic_uint_fast64_t *damaged; /* counts blobs left out */
};

void gm_reader_init(struct gm_reader *r, struct gm_db *take_db, atomic_uint_fast64_t *damaged);
void gm_reader_fini(struct gm_reader *r);
/*
 * Unpacks the blob in the first column of a statement's first row into r->raw. 1: there, 0: no row or damaged (which is
 * counted and treated as not there: one bad blob must not hide the rest), or a negative code.
 */
int gm_reader_get(struct gm_reader *r, enum gm_sql sql, int64_t id, struct gm_err *err) GM_CHECKED;
int gm_reader_unpack(struct gm_reader *r, struct gm_str packed, struct gm_err *err) GM_CHECKED;
/* Adds the samples of the block in r->raw: all or, when it is damaged, none. As gm_reader_get. */
int gm_reader_samples(struct gm_reader *r, gm_samples *out, struct gm_err *err) GM_CHECKED;
/* 0 for GM_ERR_CORRUPT of a blob, which it counts; other codes as they are. */
int gm_reader_forgive(struct gm_reader *r, int code);

#endif
