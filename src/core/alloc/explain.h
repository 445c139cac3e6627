/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_ALLOC_EXPLAIN_H
#define GM_CORE_ALLOC_EXPLAIN_H

#include "core/alloc/decide.h"

/*
 * Why a request is where it is, and what would help. Every change that is proposed has been tried: the allocator was run
 * again on the changed world, and it fits there.
 */
/* X(name, code on the wire) */
#define GM_ALLOC_REMEDY_LIST(X)                                                                                        \
	X(RELAX_LIMIT, "relax_limit")                                                                                  \
	X(WAIT, "wait")                                                                                                \
	X(REPARTITION, "repartition")                                                                                  \
	X(EVICT, "evict")                                                                                              \
	X(RAISE_QUOTA, "raise_quota")                                                                                  \
	X(UNCORDON, "uncordon")
enum gm_alloc_remedy_kind {
#define GM_ALLOC_REMEDY_ENUM(name, text) GM_ALLOC_REMEDY_##name,
	GM_ALLOC_REMEDY_LIST(GM_ALLOC_REMEDY_ENUM)
#undef GM_ALLOC_REMEDY_ENUM
		GM_ALLOC_REMEDY_COUNT
};
const char *gm_alloc_remedy_name(enum gm_alloc_remedy_kind k);

struct gm_alloc_remedy {
	enum gm_alloc_remedy_kind kind;
	char field
		[48]; /* RELAX_LIMIT: the request's, as on the wire; RAISE_QUOTA: the resource or "gpuEquivalents"; "" */
	char from[128], to[128];	      /* as they would be written; "" when there is none */
	int64_t at_ms;			      /* WAIT: by then, if all end when their time is up; 0 */
	uint32_t device;		      /* REPARTITION, UNCORDON; UINT32_MAX */
	char layout[256];		      /* REPARTITION: the whole layout afterwards, gm_mig_layout_print */
	const struct gm_alloc_record *record; /* EVICT: whom (the dearest of several); borrowed from the world */
	size_t evicted;			      /* EVICT: how many in all */
	int64_t hourly_micros;		      /* what it would cost then; -1: no rate */
	char message[256];
};
#define GM_ALLOC_REMEDIES_MAX 12
enum gm_alloc_outcome { GM_ALLOC_GRANTED_NOW, GM_ALLOC_MUST_WAIT, GM_ALLOC_CAN_NEVER };

struct gm_alloc_quota_effect {
	bool known; /* the team has one */
	int64_t before_milli, after_milli, limit_milli /* -1 */, borrowed_milli /* afterwards */;
};
struct gm_alloc_explanation {
	enum gm_alloc_outcome outcome;
	bool over_quota;		 /* it would fit, but its team may not */
	struct gm_alloc_verdict verdict; /* with reasons and candidates */
	struct gm_alloc_quota_effect quota;
	int64_t from_ms; /* feasible from then: now, or as far as known ends tell; 0: not known */
	size_t remedy_count;
	struct gm_alloc_remedy remedies[GM_ALLOC_REMEDIES_MAX]; /* cheapest first */
	char message[400];
};
/*
 * Of a request as if it came now; `record` (may be NULL): of this one, which does not stand in its own way, and whose
 * devices are marked as chosen when it holds some. 50 ms at 10,000 boards; meant for a clone.
 */
void gm_alloc_explain(const struct gm_alloc_world *w, const struct gm_alloc_request *request,
		      const struct gm_alloc_record *record, struct gm_str asker, int64_t now_ms,
		      struct gm_alloc_explanation *out);

#endif
