/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_CTL_CHURN_H
#define GM_APP_CTL_CHURN_H

#include "core/alloc/slice-fleet.h"

/*
 * MIG churn: requests for slices come at a constant rate that asks for all there is, stay for a time, and go. The first
 * quarter of a stream is not counted. One stream is one number; the same number, the same requests.
 */
#define GM_CHURN_SIZES 5 /* 1g, 2g, 3g, 4g, 7g */
#define GM_CHURN_BOARDS 100

enum gm_churn_policy { GM_CHURN_BESTFIT, GM_CHURN_FRAGMENTATION, GM_CHURN_BALANCED, GM_CHURN_REPACK };

struct gm_churn {
	const struct gm_slice_space *space;
	size_t profiles[GM_CHURN_SIZES]; /* of the table */
	double mix[GM_CHURN_SIZES];	 /* shares; their sum is 1 */
	enum gm_churn_policy policy;
	bool highest;
	unsigned moves; /* for a request that would be refused */
};

struct gm_churn_count {
	uint64_t asked[GM_CHURN_SIZES], accepted[GM_CHURN_SIZES]; /* requests */
	uint64_t arrivals, moves;				  /* the first quarter too */
};

/* INVALID: the table lacks one of the sizes. */
int gm_churn_profiles(const struct gm_mig_table *t, size_t out[static GM_CHURN_SIZES], struct gm_err *err) GM_CHECKED;
void gm_churn_run(const struct gm_churn *c, uint64_t stream, struct gm_churn_count *out);

#endif
