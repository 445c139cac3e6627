/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_ALLOC_ALLOC_STORE_H
#define GM_CORE_ALLOC_ALLOC_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "core/alloc/alloc.h"
#include "core/auth/auth-store.h"

/*
 * Port: where allocations are kept. Implemented by adapter/store and by tests. As with the other ports the writing members
 * belong to the store's one writer thread and are on disk when its transaction is; the reading ones may be called from any
 * thread. The store has the last word: a unit of a device (uuid, number) is claimed by one record at most, whatever the
 * caller believes.
 */

/* A repeated request (Idempotency-Key) and what became of it. */
struct gm_alloc_once {
	uint8_t key[GM_DIGEST_BYTES];  /* digest of who asked and the key's text */
	uint8_t body[GM_DIGEST_BYTES]; /* digest of what was asked */
	int64_t at_ms;
	char id[GM_ALLOC_ID_SIZE]; /* the allocation it made */
};
#define GM_ALLOC_ONCE_KEEP_MS (INT64_C(24) * 3600 * 1000)

/* Other things that are kept, by kind and name, as bytes whose form is the owner's. X(name, stored word) */
#define GM_ALLOC_OBJECT_LIST(X)                                                                                        \
	X(TEAM, "team")		  /* gm_team_encode */                                                                 \
	X(QUEUE, "queue")	  /* gm_queue_def_encode */                                                            \
	X(CORDON, "cordon")	  /* by device uuid */                                                                 \
	X(MADE, "made")		  /* by device uuid and place: slices we made */                                       \
	X(OPERATION, "operation") /* MIG changes under way or lately ended */
enum gm_alloc_object {
#define GM_ALLOC_OBJECT_ENUM(name, text) GM_ALLOC_OBJECT_##name,
	GM_ALLOC_OBJECT_LIST(GM_ALLOC_OBJECT_ENUM)
#undef GM_ALLOC_OBJECT_ENUM
		GM_ALLOC_OBJECT_COUNT
};

#define GM_ALLOC_OBJECT_BYTES_MAX (1 << 20)

struct gm_alloc_object_row {
	enum gm_alloc_object kind;
	struct gm_str name;  /* at most GM_ALLOC_TEXT_MAX bytes */
	struct gm_str bytes; /* at most GM_ALLOC_OBJECT_BYTES_MAX; p == NULL: the row is removed */
	int64_t at_ms;
};

/* One write: all or nothing. */
struct gm_alloc_write {
	/*
	 * New versions. A record whose version is 1 is new; else the stored one must have version - 1 (CONFLICT: somebody
	 * else changed it). Claims follow from state and devices: those of a record that holds are there afterwards, all
	 * others of it are gone.
	 */
	const struct gm_alloc_record *const *records;
	size_t record_count;
	const struct gm_alloc_object_row *objects;
	size_t object_count;
	const struct gm_alloc_once *once; /* NULL: none */
	const struct gm_audit *audits;
	size_t audit_count;
};

struct gm_alloc_query {
	int64_t before_seq; /* rows that were made before this one, newest first; 0: from the newest */
	size_t limit;
	unsigned states;			 /* bit per enum gm_alloc_state; 0: all */
	int64_t from_ms, to_ms;			 /* that lived at some time in it; 0: open */
	struct gm_str team, project, namespace_; /* empty: all */
};

struct gm_alloc_store {
	void *ctx;
	/*
	 * CONFLICT: a unit is claimed by another record (err->where is "claim", the text names device, unit and holder),
	 * a version is not the next one (err->where is the allocation's id), or `once` was used already (err->where is
	 * "once"). Nothing is written then.
	 */
	int (*write)(void *ctx, const struct gm_alloc_write *write, struct gm_err *err);
	/* Every record that has not ended, in the order they were made. A damaged one is CORRUPT, and named. */
	int (*load)(void *ctx, int (*each)(void *each_ctx, int64_t seq, struct gm_str bytes, struct gm_err *err),
		    void *each_ctx, struct gm_err *err);
	/* Newest first. `seq` counts records in the order they were made. */
	int (*read)(void *ctx, const struct gm_alloc_query *query,
		    int (*each)(void *each_ctx, int64_t seq, struct gm_str bytes, struct gm_err *err), void *each_ctx,
		    struct gm_err *err);
	/* One record, ended ones too, appended to *out. NOT_FOUND. */
	int (*get)(void *ctx, struct gm_str id, struct gm_buf *out, struct gm_err *err);
	/* What a key was used for in the last GM_ALLOC_ONCE_KEEP_MS; NOT_FOUND: nothing. */
	int (*once)(void *ctx, const uint8_t key[static GM_DIGEST_BYTES], int64_t now_ms, struct gm_alloc_once *out,
		    struct gm_err *err);
	int (*objects)(void *ctx, enum gm_alloc_object kind,
		       int (*each)(void *each_ctx, const struct gm_alloc_object_row *row, struct gm_err *err),
		       void *each_ctx, struct gm_err *err);
	/* Who holds which unit now, for tests and for proving: by device uuid, then unit. */
	int (*claims)(void *ctx,
		      int (*each)(void *each_ctx, struct gm_str uuid, int64_t unit, struct gm_str id,
				  struct gm_err *err),
		      void *each_ctx, struct gm_err *err);
};

#endif
