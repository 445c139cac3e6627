/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_ALLOC_ALLOC_H
#define GM_CORE_ALLOC_ALLOC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/*
 * The words of allocation: what is asked for, what is given, and the life of it. Plain values; texts of a request or a
 * grant are views into the record that owns them.
 */

/* Limits of a request. */
#define GM_ALLOC_TEXT_MAX 253	 /* bytes of a name: Kubernetes' longest */
#define GM_ALLOC_MODELS_MAX 16	 /* models, excludeModels, each */
#define GM_ALLOC_SELECTOR_MAX 16 /* pairs of nodeSelector */
#define GM_ALLOC_DEVICES_MAX 64	 /* of one allocation */
#define GM_ALLOC_GANG_MAX 64	 /* members of a gang */
#define GM_ALLOC_PRIORITY_MAX 1000
#define GM_ALLOC_PRIORITY_DEFAULT 100
#define GM_ALLOC_ID_SIZE 32 /* "al-" and 26 characters, and NUL */

/* X(name, wire name) */
#define GM_WORKLOAD_LIST(X)                                                                                            \
	X(INFERENCE, "Inference")                                                                                      \
	X(TRAINING, "Training")                                                                                        \
	X(DEVELOPMENT, "Development")                                                                                  \
	X(BATCH, "Batch")
enum gm_workload {
#define GM_WORKLOAD_ENUM(name, text) GM_WORKLOAD_##name,
	GM_WORKLOAD_LIST(GM_WORKLOAD_ENUM)
#undef GM_WORKLOAD_ENUM
		GM_WORKLOAD_COUNT
};
/* DEFAULT: the queue's, else balanced. */
#define GM_STRATEGY_LIST(X)                                                                                            \
	X(DEFAULT, "default")                                                                                          \
	X(COST, "cost")                                                                                                \
	X(PACK, "pack")                                                                                                \
	X(SPREAD, "spread")                                                                                            \
	X(PERFORMANCE, "performance")                                                                                  \
	X(BALANCED, "balanced")
enum gm_strategy {
#define GM_STRATEGY_ENUM(name, text) GM_STRATEGY_##name,
	GM_STRATEGY_LIST(GM_STRATEGY_ENUM)
#undef GM_STRATEGY_ENUM
		GM_STRATEGY_COUNT
};
enum gm_use_mig { GM_USE_MIG_EITHER, GM_USE_MIG_ONLY, GM_USE_MIG_NEVER };
enum gm_topology { GM_TOPOLOGY_ANY, GM_TOPOLOGY_NVLINK, GM_TOPOLOGY_NUMA };
#define GM_FEATURE_BF16 1U
#define GM_FEATURE_FP8 2U
#define GM_FEATURE_NVLINK 4U

struct gm_alloc_pair {
	struct gm_str key, value;
};

/* What is asked for. gm_alloc_request_init gives the defaults. */
struct gm_alloc_request {
	struct gm_str namespace_, pod; /* never empty */
	struct gm_str owner;	       /* "Deployment/vllm"; empty: none, as with all texts below */
	struct gm_str team, project;
	struct gm_str cluster; /* only there */
	struct gm_str queue;
	struct gm_str gang_id;
	int64_t gang_size;	       /* 0: no gang */
	int64_t workload;	       /* enum gm_workload */
	int64_t strategy;	       /* enum gm_strategy */
	int64_t use_mig;	       /* enum gm_use_mig */
	int64_t topology;	       /* enum gm_topology */
	int64_t memory_gb;	       /* nominal, of each device; 0: any */
	struct gm_str profile;	       /* "2g.20gb": exactly this one */
	int64_t gpu_count;	       /* 1.. GM_ALLOC_DEVICES_MAX */
	int64_t share_milli;	       /* 1..1000 of a board, of each */
	int64_t cpu_milli, memory_mib; /* of the node; 0: none */
	struct gm_str models[GM_ALLOC_MODELS_MAX], exclude_models[GM_ALLOC_MODELS_MAX]; /* models or variants */
	size_t model_count, exclude_count;
	int64_t compute_capability; /* major * 10 + minor; 0: any */
	int64_t bandwidth_gbs;	    /* 0: any */
	int64_t features;	    /* GM_FEATURE bits */
	int64_t priority;	    /* 0..GM_ALLOC_PRIORITY_MAX */
	bool preemptible;
	bool same_node;
	int64_t max_hourly_micros; /* of all devices together; -1: no limit */
	int64_t ttl_ms;		   /* until it expires when nobody is seen on it or renews; 0: the default */
	struct gm_alloc_pair selector[GM_ALLOC_SELECTOR_MAX];
	size_t selector_count;
};
void gm_alloc_request_init(struct gm_alloc_request *r);
/* What one field alone cannot tell: a share of several boards, a gang without a size, ... err->where is a JSON pointer. */
int gm_alloc_request_check(const struct gm_alloc_request *r, struct gm_err *err) GM_CHECKED;

/* One device of a grant: a whole board, a share of one, or a slice. */
struct gm_alloc_device {
	struct gm_str uuid, device_id, node, cluster, model;
	struct gm_str profile;	   /* "2g.20gb"; empty: no slice */
	struct gm_str mig_uuid;	   /* empty: not a slice, not made yet, or not told */
	struct gm_str instance_id; /* "worker-01-GPU-00-MIG-1.0"; the same */
	int64_t start, size;	   /* memory slices; -1: no slice */
	int64_t units;		   /* bits: what it claims of the board */
	int64_t unit_count;	   /* of the board, when it was given */
	int64_t share_milli;	   /* 1000: all of it */
	int64_t hourly_micros;	   /* -1: no rate is known */
	bool to_be_made;	   /* the slice does not exist yet */
};

/* X(name, wire name) */
#define GM_ALLOC_STATE_LIST(X)                                                                                         \
	X(PENDING, "Pending")		/* waits for its turn or for room; holds nothing */                            \
	X(PROVISIONING, "Provisioning") /* holds its devices; a slice of it is being made */                           \
	X(RESERVED, "Reserved")		/* holds its devices; nobody is seen on them yet */                            \
	X(BOUND, "Bound")		/* its pod is on its devices */                                                \
	X(RELEASED, "Released")		/* given back, preempted, or its pod is gone */                                \
	X(EXPIRED, "Expired")		/* nobody came before the time was up */                                       \
	X(FAILED, "Failed")		/* could not be given */
enum gm_alloc_state {
#define GM_ALLOC_STATE_ENUM(name, text) GM_ALLOC_STATE_##name,
	GM_ALLOC_STATE_LIST(GM_ALLOC_STATE_ENUM)
#undef GM_ALLOC_STATE_ENUM
		GM_ALLOC_STATE_COUNT
};
/* What happens to an allocation: X(name, what it is) */
#define GM_ALLOC_EVENT_LIST(X)                                                                                         \
	X(GRANTED, "devices were given, all of them are there")                                                        \
	X(GRANTED_TO_MAKE, "devices were given, a slice has to be made first")                                         \
	X(MADE, "the slices are there")                                                                                \
	X(NOT_MADE, "a slice could not be made: waits again")                                                          \
	X(SEEN, "its pod is on its devices")                                                                           \
	X(GONE, "its pod is gone from them")                                                                           \
	X(RELEASE, "somebody gives it back")                                                                           \
	X(TIME_OUT, "its time is up")                                                                                  \
	X(PREEMPTED, "it makes room for another")                                                                      \
	X(GIVEN_UP, "it can never be given")
enum gm_alloc_event {
#define GM_ALLOC_EVENT_ENUM(name, text) GM_ALLOC_EVENT_##name,
	GM_ALLOC_EVENT_LIST(GM_ALLOC_EVENT_ENUM)
#undef GM_ALLOC_EVENT_ENUM
		GM_ALLOC_EVENT_COUNT
};
/* The one table of moves. GM_ALLOC_STATE_COUNT: this does not happen in that state. */
enum gm_alloc_state gm_alloc_next(enum gm_alloc_state state, enum gm_alloc_event event);
const char *gm_alloc_state_name(enum gm_alloc_state s);
bool gm_alloc_state_parse(struct gm_str name, enum gm_alloc_state *out) GM_CHECKED;
/* Holds its devices: PROVISIONING, RESERVED, BOUND. */
bool gm_alloc_state_holds(enum gm_alloc_state s);
bool gm_alloc_state_ended(enum gm_alloc_state s);
const char *gm_workload_name(enum gm_workload w);
const char *gm_strategy_name(enum gm_strategy s);

/* Parts of a score, each 0..100, more is better. X(name, wire name) */
#define GM_SCORE_LIST(X)                                                                                               \
	X(COST, "cost")			  /* against the dearest that would do */                                      \
	X(FIT, "fit")			  /* little memory beyond what was asked for */                                \
	X(FRAGMENTATION, "fragmentation") /* little future capacity lost under the mix of requests */                  \
	X(HEALTH, "health")		  /* health and heat */                                                        \
	X(LOCALITY, "locality")		  /* near what belongs to it; devices of one request near each other */        \
	X(WARMTH, "warmth")		  /* its owner ran there before: the model is likely cached */
enum gm_score_part {
#define GM_SCORE_ENUM(name, text) GM_SCORE_##name,
	GM_SCORE_LIST(GM_SCORE_ENUM)
#undef GM_SCORE_ENUM
		GM_SCORE_COUNT
};
const char *gm_score_part_name(enum gm_score_part p);
struct gm_score {
	double total;		      /* 0..100 */
	double parts[GM_SCORE_COUNT]; /* 0..100 */
};
/* Of a strategy for a workload, adding up to 100: the documented table. */
const uint8_t *gm_score_weights(enum gm_strategy s, enum gm_workload w);

/*
 * All that is kept of an allocation. Immutable once it is made, reference-counted, any thread: a change makes a new one
 * with the next version. Texts live in it.
 */
struct gm_alloc_record {
	atomic_uint refs;
	char id[GM_ALLOC_ID_SIZE];
	int64_t version;       /* 1.. */
	int64_t state;	       /* enum gm_alloc_state */
	struct gm_str reason;  /* code, "waiting_for_capacity"; empty: nothing to say */
	struct gm_str message; /* a sentence for humans; empty */
	struct gm_str created_by;
	int64_t created_ms, granted_ms, bound_ms, ended_ms; /* 0: not yet */
	int64_t expires_ms;				    /* 0: does not */
	int64_t preempt_ms;				    /* announced for then; 0: not */
	int64_t attempts;				    /* to make its slices, that failed */
	struct gm_alloc_request request;
	struct gm_alloc_device *devices;
	size_t device_count;
	struct gm_score score; /* of the decision; total 0 without devices */
	void *texts;	       /* one block that all texts and devices lie in */
};

/*
 * What a new version is made of: a plain struct whose texts are borrowed from anywhere; gm_alloc_record_new copies all
 * (refs is not looked at). A change copies the old record into a local, sets what changes, and makes a new one.
 */
struct gm_alloc_record *gm_alloc_record_new(const struct gm_alloc_record *from);
const struct gm_alloc_record *gm_alloc_record_ref(const struct gm_alloc_record *r);
void gm_alloc_record_unref(const struct gm_alloc_record *r);

/*
 * The stored form: fields by number with their length, so that a later version adds and an earlier one skips. Reading
 * refuses what is damaged (CORRUPT), whatever the bytes are; what the numbers mean is one table in record.c.
 */
void gm_alloc_record_encode(const struct gm_alloc_record *r, struct gm_buf *out);
int gm_alloc_record_decode(struct gm_str bytes, struct gm_alloc_record **out, struct gm_err *err) GM_CHECKED;

/* A team: what it may hold. */
#define GM_TEAM_QUOTAS_MAX 64
#define GM_TEAM_MEMBERS_MAX 256
struct gm_team_quota {
	struct gm_str
		resource; /* "H100_80GB": whole boards; "2g.20gb": slices; "H100_80GB/2g.20gb": slices of a model */
	int64_t limit;
};
struct gm_team {
	struct gm_str name;
	int64_t weight;					 /* 1..1000, of the fair share */
	int64_t equivalents_milli;			 /* quota in thousandths of a whole board; -1: none */
	int64_t borrow_milli;				 /* beyond it, while others leave it idle; -1: no limit */
	struct gm_team_quota quotas[GM_TEAM_QUOTAS_MAX]; /* hard */
	size_t quota_count;
	struct gm_str members[GM_TEAM_MEMBERS_MAX]; /* names of API keys; none: everybody */
	size_t member_count;
	struct gm_str namespaces[GM_TEAM_MEMBERS_MAX]; /* whose pods belong to it when a request names no team */
	size_t namespace_count;
};
struct gm_queue_def {
	struct gm_str name;
	int64_t priority; /* added to a request's; -1000..1000 */
	bool paused;
	int64_t strategy;			  /* enum gm_strategy; DEFAULT: the request's */
	int64_t preemptible;			  /* -1: the request's; 0, 1 */
	int64_t ttl_ms;				  /* 0: the default */
	int64_t max_pending;			  /* 0: GM_ALLOC_PENDING_MAX */
	struct gm_str teams[GM_TEAM_MEMBERS_MAX]; /* none: all */
	size_t team_count;
};
/* Stored forms, as a record's; the decoded texts are views into `bytes`. */
void gm_team_encode(const struct gm_team *t, struct gm_buf *out);
int gm_team_decode(struct gm_str bytes, struct gm_team *out, struct gm_err *err) GM_CHECKED;
void gm_queue_def_encode(const struct gm_queue_def *q, struct gm_buf *out);
int gm_queue_def_decode(struct gm_str bytes, struct gm_queue_def *out, struct gm_err *err) GM_CHECKED;

static inline __attribute__((unused)) void gm_alloc_record_unref_p(const struct gm_alloc_record **r)
{
	gm_alloc_record_unref(*r);
}

#endif
