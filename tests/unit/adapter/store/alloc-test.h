/* SPDX-License-Identifier: MIT */
#ifndef GM_TESTS_ALLOC_TEST_H
#define GM_TESTS_ALLOC_TEST_H

#include "store-test.h"

#include "core/alloc/alloc-store.h"

/* What a test's allocation holds of board number `device`. */
struct hold {
	int device;
	int64_t units;
};
#define WHOLE INT64_C(0xff)
#define HOLD_MAX 4

/* What a test says of an allocation; the rest is plain. */
struct plain {
	int number; /* of its id: "al-000042" */
	int64_t version;
	enum gm_alloc_state state;
	struct hold holds[HOLD_MAX];  /* up to the first without units */
	int64_t created_ms, ended_ms; /* 0: T0; when it has ended, a second later */
	const char *team, *project, *namespace_;
};
/* The caller has the reference. */
const struct gm_alloc_record *record_of(const struct plain *p);
void id_of(int number, char out[static GM_ALLOC_ID_SIZE]);

const struct gm_alloc_store *allocs(struct place *p);
/* One write of one record. */
int write_plain(struct place *p, const struct plain *plain, struct gm_err *err) GM_CHECKED;
/* What is stored under a number, decoded; NULL when there is none. The caller has the reference. */
const struct gm_alloc_record *stored(struct place *p, int number);

#endif
