/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_CTL_TRACE_H
#define GM_APP_CTL_TRACE_H

#include "core/alloc/mix.h"
#include "core/alloc/pack-fleet.h"

#include "base/err.h"

/*
 * A trace of pods and the nodes they are placed on, and the procedure of "Beware of Fragmentation" (USENIX ATC 2023):
 * pods by name, shuffled, more drawn from them until they ask for 130 % of the boards; one after another, none leaves; a
 * pod that fits nowhere is dropped, but has arrived.
 */
#define GM_TRACE_PODS_MAX 1000000
#define GM_TRACE_PERCENT_MAX 130

struct gm_trace {
	GM_VEC(struct gm_pack_node) nodes;
	GM_VEC(uint32_t) pods; /* types, by the pods' names */
	struct gm_pack_types types;
	struct gm_mix mix; /* how often each type is in the trace */
	uint64_t capacity_milli;
};

/* Unallocated GPU at each whole percent of arrivals, the mean over the pods that it holds for; -1: no pod. */
struct gm_trace_curve {
	double unallocated_percent[GM_TRACE_PERCENT_MAX + 1];
};

int gm_trace_read(const char *nodes_path, const char *pods_path, struct gm_trace *out, struct gm_err *err) GM_CHECKED;
void gm_trace_fini(struct gm_trace *t);
/* The rule has learnt the trace's mix. */
void gm_trace_run(const struct gm_trace *t, const struct gm_pack_rule *rule, uint64_t seed, struct gm_trace_curve *out);

GM_DEFINE_AUTO_VALUE(struct gm_trace, gm_trace_fini)

#endif
