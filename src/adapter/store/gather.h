/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_STORE_GATHER_H
#define GM_ADAPTER_STORE_GATHER_H

#include <stddef.h>
#include <stdint.h>

#include "adapter/store/reader.h"
#include "adapter/store/rows.h"

/*
 * Brings together what the same series has in many places, one series after the other in rising number: blobs of the
 * journal, runs of parts, blocks of an hour. Of samples with the same time the one from the place added first stays.
 * It holds one blob a place, and statements only during a call, so it may live across transactions.
 */
struct gm_feed;
struct gm_gather {
	struct gm_reader *reader; /* borrowed */
	struct gm_feed **heap;
	size_t count, capacity;
	uint32_t added;
	size_t bytes;	     /* unpacked journal blobs that are held */
	gm_samples samples;  /* of the series gm_gather_next went to: rising time, no time twice */
	gm_samples sorted;   /* the other half of a sort */
	uint64_t duplicates; /* samples left out so far */
};

void gm_gather_init(struct gm_gather *g, struct gm_reader *reader);
void gm_gather_fini(struct gm_gather *g);
/* A blob of the journal. What is damaged is counted and left out. */
int gm_gather_add_rows(struct gm_gather *g, struct gm_str packed, struct gm_err *err) GM_CHECKED;
/* All series under `key << 32` of a table: GM_SQL_PART_NEXT or GM_SQL_BLOCK_NEXT. */
int gm_gather_add_table(struct gm_gather *g, enum gm_sql next, int64_t key, struct gm_err *err) GM_CHECKED;
/* 1: g->samples are those of *out_series (none, if all of them were damaged), 0: no more, or a negative code. */
int gm_gather_next(struct gm_gather *g, uint32_t *out_series, struct gm_err *err) GM_CHECKED;
/* Adds the block reader->raw holds; where times are the same its samples stay. As gm_reader_samples. */
int gm_gather_merge(struct gm_gather *g, struct gm_err *err) GM_CHECKED;

GM_DEFINE_AUTO_VALUE(struct gm_gather, gm_gather_fini)

#endif
