/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_FLEET_SNAPSHOT_H
#define GM_CORE_FLEET_SNAPSHOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/str.h"
#include "core/catalog/catalog.h"
#include "core/fleet/page.h"
#include "core/fleet/sample.h"

/*
 * The fleet as readers see it: immutable, reference-counted, shared between threads. A snapshot holds nodes; what did
 * not change between two snapshots is the same object. Everything in here is read-only but the `cache` slots.
 */
enum gm_health { GM_HEALTH_OK, GM_HEALTH_DEGRADED, GM_HEALTH_FAILED, GM_HEALTH_UNKNOWN, GM_HEALTH_COUNT };
const char *gm_health_name(enum gm_health h); /* "ok", "degraded", "failed", "unknown" */

/* Why a device is not ok: bits, each with a code for the wire. */
#define GM_HEALTH_REASON_LIST(X)                                                                                       \
	X(SILENT, "silent")		      /* its source does not answer */                                         \
	X(HOT, "hot")			      /* at or above the board's slowdown threshold, or 90 C */                \
	X(XID_HARDWARE, "xid_hardware")	      /* 48 63 64 74 79 92 94 95 119 120 ... */                                \
	X(ECC_UNCORRECTED, "ecc_uncorrected") /* the counter rose */                                                   \
	X(ROW_REMAP_FAILURE, "row_remap_failure")                                                                      \
	X(ROW_REMAP_PENDING, "row_remap_pending")                                                                      \
	X(THROTTLED, "throttled")     /* hardware slowdown, thermal or power brake */                                  \
	X(LOST, "lost")		      /* its node answers, the board does not */                                       \
	X(NEVER_SEEN, "never_seen")   /* known from the store, not seen since the start */                             \
	X(DRIVER_HUNG, "driver_hung") /* a driver call for it does not return */

enum gm_health_reason_position {
#define GM_HEALTH_REASON_POSITION(name, text) GM_HEALTH_REASON_POSITION_##name,
	GM_HEALTH_REASON_LIST(GM_HEALTH_REASON_POSITION)
#undef GM_HEALTH_REASON_POSITION
		GM_HEALTH_REASON_COUNT
};
#define GM_REASON(name) (UINT32_C(1) << GM_HEALTH_REASON_POSITION_##name)
const char *gm_health_reason_name(unsigned position);

/* A place where a reader may keep what it made of an immutable object; made once, freed with the object. */
struct gm_cache_slot {
	_Atomic(void *) value;
	void (*free_value)(void *);
};
/* Installs value if the slot is empty; returns the one that is there now (frees `take_value` if it lost the race). */
void *gm_cache_slot_set(struct gm_cache_slot *slot, void *take_value, void (*free_value)(void *));
static inline void *gm_cache_slot_get(struct gm_cache_slot *slot)
{
	return atomic_load_explicit(&slot->value, memory_order_acquire);
}

struct gm_pod_ref {
	const char *namespace_, *pod, *container, *uid; /* never NULL */
};

/* A MIG instance. `series` numbers its history in memory and store; a new one begins when profile, placement or UUID change. */
struct gm_instance {
	uint32_t series;
	int gi_id, ci_id;
	const char *id;			     /* "worker-01-GPU-00-MIG-1.0" */
	const char *uuid;		     /* "" when not known */
	const char *profile;		     /* "3g.40gb" */
	const struct gm_mig_profile *known;  /* the catalogue's row, or NULL */
	int placement_start, placement_size; /* -1: not known */
	int64_t memory_total_bytes;	     /* -1: not known */
	struct gm_sample sample;
	const struct gm_pod_ref *pods;
	size_t pod_count;
};

struct gm_device {
	uint32_t series; /* numbers its history */
	const char *id;	 /* "worker-01-GPU-00" */
	const char *uuid;
	const char *cluster, *node;
	int index;
	const char *model;		  /* never NULL; made from the product's name when the catalogue has none */
	const struct gm_variant *variant; /* NULL: not in the catalogue */
	const char *product_name, *driver_version, *pci_bus_id, *serial; /* "" when not known */
	int64_t memory_total_bytes;					 /* -1: not known */
	enum gm_mig_mode mig_mode;
	bool managed; /* supported-models and pool allow us to allocate and repartition it */
	enum gm_health health;
	uint32_t health_reasons; /* GM_REASON bits */
	enum gm_page_kind source;
	const char *target; /* key of the source in force */
	int64_t first_seen_ms, last_seen_ms;
	int64_t hourly_micros; /* rate of the whole board; -1: no rate is known */
	struct gm_sample sample;
	const struct gm_instance *instances;
	size_t instance_count;
	const struct gm_pod_ref *pods;
	size_t pod_count;
	struct gm_cache_slot *cache; /* one slot for the reader that renders it */
};

enum gm_node_state {
	GM_NODE_READY,
	GM_NODE_DEGRADED /* some device is not ok */,
	GM_NODE_STALE,
	GM_NODE_UNKNOWN,
	GM_NODE_STATE_COUNT
};
const char *gm_node_state_name(enum gm_node_state s);

/* Sums over devices; added up from nodes to the fleet. */
struct gm_totals {
	uint32_t devices, health[GM_HEALTH_COUNT];
	uint32_t mig_enabled, gpu_instances, mig_instances; /* GPU instances; compute instances */
	uint32_t utilization_count;			    /* devices with a value now */
	int64_t utilization_sum;			    /* of centi-percent */
	uint32_t utilization_histogram[101];		    /* whole per cent, for quantiles */
	uint32_t idle, hot;				    /* < 5 %; > 85 C */
	uint32_t memory_count;
	int64_t memory_total_bytes, memory_used_bytes; /* total over all known, used over measured */
	uint32_t power_count;
	int64_t power_mw;
	uint32_t priced;
	int64_t hourly_micros;
	uint32_t managed;
};

struct gm_node {
	const char *cluster, *name;
	enum gm_node_state state;
	int64_t last_seen_ms;
	const struct gm_device *devices; /* sorted by index, then uuid */
	size_t device_count;
	struct gm_totals totals;
};

/* How many devices a model has; sorted by name. */
struct gm_model_count {
	const char *model;
	uint32_t devices;
};
struct gm_profile_count {
	const char *profile;
	uint32_t total, held; /* held: a pod is on it */
};

struct gm_snapshot {
	atomic_uint refs;
	uint64_t seq;	     /* rises with each snapshot */
	uint64_t layout_seq; /* the seq at which devices last came, went or moved: positions hold from there on */
	int64_t at_ms;
	struct gm_node *const *nodes; /* sorted by cluster, name */
	size_t node_count;
	const struct gm_device *const *devices; /* all, in the order of nodes: index = position */
	size_t device_count;
	struct gm_totals totals;
	uint32_t workloads; /* distinct pods (cluster, namespace, name) that hold a device or slice */
	const struct gm_model_count *models;
	size_t model_count;
	const struct gm_profile_count *profiles;
	size_t profile_count;
	uint32_t node_states[GM_NODE_STATE_COUNT];
	/* Positions of devices that differ from the snapshot before (seq - 1); meaningless when layout_seq == seq. */
	const uint32_t *changed;
	size_t changed_count;
	struct gm_cache_slot *cache; /* GM_SNAPSHOT_CACHES slots, for readers' renderings */
};
#define GM_SNAPSHOT_CACHES 8

const struct gm_snapshot *gm_snapshot_ref(const struct gm_snapshot *s);
void gm_snapshot_unref(const struct gm_snapshot *s);
/* By uuid or by id ("worker-01-GPU-00"; with several clusters the first by cluster name); NULL when absent. */
const struct gm_device *gm_snapshot_device(const struct gm_snapshot *s, struct gm_str id_or_uuid);
const struct gm_instance *gm_snapshot_instance(const struct gm_snapshot *s, struct gm_str id_or_uuid,
					       const struct gm_device **out_device);
/*
 * Where a device of this snapshot stands in s->devices; holds until layout_seq changes. It belongs to the snapshot, not
 * to the device, so that a node that joins does not make all those behind it new.
 */
uint32_t gm_snapshot_position(const struct gm_snapshot *s, const struct gm_device *device);
/* NULL when absent; cluster "" takes the first. */
const struct gm_node *gm_snapshot_node(const struct gm_snapshot *s, struct gm_str cluster, struct gm_str name);

static inline __attribute__((unused)) void gm_snapshot_unref_p(const struct gm_snapshot **s)
{
	gm_snapshot_unref(*s);
}

#endif
