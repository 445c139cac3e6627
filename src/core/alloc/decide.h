/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_ALLOC_DECIDE_H
#define GM_CORE_ALLOC_DECIDE_H

#include "core/alloc/world.h"
#include "core/mig/mig.h"

/*
 * Where a request would go: hard limits first, then the score. Does not change the world. Devices are numbers of it, good
 * until it changes.
 */

/* Why a device will not do: X(name, code on the wire). A device is counted under the first that holds. */
#define GM_ALLOC_REASON_LIST(X)                                                                                        \
	X(OTHER_CLUSTER, "other_cluster")                                                                              \
	X(NODE_SELECTOR, "node_selector")                                                                              \
	X(OUTSIDE_POOL, "outside_pool")                                                                                \
	X(NOT_MANAGED, "not_managed")                                                                                  \
	X(MODEL, "model")                                                                                              \
	X(EXCLUDED_MODEL, "excluded_model")                                                                            \
	X(COMPUTE_CAPABILITY, "compute_capability")                                                                    \
	X(MEMORY_BANDWIDTH, "memory_bandwidth")                                                                        \
	X(FEATURE, "feature")                                                                                          \
	X(MEMORY, "memory")                                                                                            \
	X(NO_PROFILE, "no_profile") /* no MIG profile of it serves */                                                  \
	X(MIG_OFF, "mig_off")	    /* a slice is wanted, and MIG is not on (nor can we switch it) */                  \
	X(MIG_BOARD, "mig_board")   /* a whole board is wanted, and MIG is on */                                       \
	X(SHARING_OFF, "sharing_off")                                                                                  \
	X(PRICE_UNKNOWN, "price_unknown")                                                                              \
	X(OVER_BUDGET, "over_budget")                                                                                  \
	X(TOPOLOGY, "topology")                                                                                        \
	X(CORDONED, "cordoned")                                                                                        \
	X(UNHEALTHY, "unhealthy")                                                                                      \
	X(UNKNOWN_HEALTH, "unknown_health")                                                                            \
	X(HOT, "hot")                                                                                                  \
	X(LAYOUT_UNKNOWN, "layout_unknown")                                                                            \
	X(MAKING_FAILED, "making_failed_lately")                                                                       \
	X(USED_BY_OTHERS, "in_use_by_others") /* a pod that nobody asked us for */                                     \
	X(TAKEN, "taken")		      /* by other allocations, all of it */                                    \
	X(NO_ROOM, "no_room")		      /* what is free is too little or in the wrong place */                   \
	X(LAYOUT_FIXED, "layout_fixed")	      /* the slice would have to be made, and may not be */                    \
	X(NODE_CPU, "node_cpu")                                                                                        \
	X(NODE_MEMORY, "node_memory")                                                                                  \
	X(NOT_ENOUGH, "not_enough_on_node") /* for several: too few of them together */
enum gm_alloc_reason {
#define GM_ALLOC_REASON_ENUM(name, text) GM_ALLOC_REASON_##name,
	GM_ALLOC_REASON_LIST(GM_ALLOC_REASON_ENUM)
#undef GM_ALLOC_REASON_ENUM
		GM_ALLOC_REASON_COUNT
};
const char *gm_alloc_reason_name(enum gm_alloc_reason r);
/* Holds whoever holds what: an empty fleet would not help. Those before TAKEN that depend on the device or the request. */
bool gm_alloc_reason_is_lasting(enum gm_alloc_reason r);

struct gm_alloc_pick {
	uint32_t device;
	int32_t instance;	 /* the idle one that serves; -1: a whole board, a share, or one to be made */
	struct gm_mig_slot slot; /* of a slice */
	bool slice, to_be_made;
	int64_t units; /* bits it claims */
	int64_t share_milli;
	int64_t hourly_micros; /* -1: no rate */
};
/* A way to serve all of the request. */
struct gm_alloc_candidate {
	struct gm_score score;
	int64_t hourly_micros; /* of all picks; -1: some have no rate */
	size_t pick_count;
	struct gm_alloc_pick picks[GM_ALLOC_DEVICES_MAX];
};

struct gm_alloc_ask {
	/* Records that count as gone, sorted by address; what-if and preemption. */
	const struct gm_alloc_record *const *without;
	size_t without_count;
	bool empty;	 /* nobody of ours holds anything */
	bool any_layout; /* every layout may be changed where nobody is disturbed */
	bool any_cordon; /* cordons do not count */
	bool explain;	 /* fill reasons and further candidates too */
};
#define GM_ALLOC_CANDIDATES_MAX 10
struct gm_alloc_verdict {
	bool fits;
	struct gm_alloc_candidate best; /* when it fits */
	/* Only with ask.explain: */
	uint32_t devices; /* all that were looked at */
	uint32_t reasons[GM_ALLOC_REASON_COUNT];
	uint32_t examples[GM_ALLOC_REASON_COUNT]; /* a device for each; UINT32_MAX */
	size_t candidate_count;
	struct gm_alloc_candidate candidates[GM_ALLOC_CANDIDATES_MAX]; /* best first; the first is `best` */
};
/*
 * The best way; of equal ones the first device. p99 1 ms at 10,000 boards; several times that with ask.explain. `strategy`
 * as resolved by the queue (never DEFAULT). Quotas are not looked at here.
 */
void gm_alloc_decide(const struct gm_alloc_world *w, const struct gm_alloc_request *request, enum gm_strategy strategy,
		     const struct gm_alloc_ask *ask, struct gm_alloc_verdict *out);

/* What a device number is, as views good until the world changes. */
struct gm_alloc_device_view {
	struct gm_str uuid, id, node, cluster, model;
	const struct gm_mig_table *table;
};
void gm_alloc_world_device(const struct gm_alloc_world *w, uint32_t device, struct gm_alloc_device_view *out);

#endif
