/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_SIM_SIM_H
#define GM_CORE_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "core/catalog/catalog.h"

/*
 * One simulated world: nodes, boards, MIG instances, workloads with load curves, and faults, all from a specification
 * and a seed; the same specification, seed and time give the same world, whatever steps were taken to get there.
 * Behind it stand fronts (the page feed now, an NVML library later); they ask, it never calls out. Not thread-safe.
 */
struct gm_sim;

/* What can go wrong, by itself or by a scenario: name in scenario files, what `value` means. */
#define GM_SIM_FAULT_LIST(X)                                                                                           \
	X(OVERHEAT, "overheat")	  /* degrees above what the load explains; 0: 30 */                                    \
	X(THROTTLE, "throttle")	  /* the power brake: per cent of the limit that is left; 0: 50 */                     \
	X(XID, "xid")		  /* the code; 0: 31 */                                                                \
	X(ECC_SBE, "ecc-sbe")	  /* how many corrected errors; 0: 1 */                                                \
	X(ECC_DBE, "ecc-dbe")	  /* how many uncorrected ones; 0: 1. A row is remapped, pending until the end */      \
	X(LOST, "lost")		  /* off the bus until the end, then back with new counters */                         \
	X(NODE_AWAY, "node-away") /* the whole node does not answer */

enum gm_sim_fault_kind {
#define GM_SIM_FAULT_ENUM(name, text) GM_SIM_FAULT_##name,
	GM_SIM_FAULT_LIST(GM_SIM_FAULT_ENUM)
#undef GM_SIM_FAULT_ENUM
		GM_SIM_FAULT_COUNT
};
const char *gm_sim_fault_name(enum gm_sim_fault_kind kind);
/* GM_SIM_FAULT_COUNT when there is none of this name. */
enum gm_sim_fault_kind gm_sim_fault_find(struct gm_str name);

/* One row of a scenario. Times are the world's own, after its beginning. */
struct gm_sim_fault {
	enum gm_sim_fault_kind kind;
	char node[64];	  /* "worker-01" */
	int gpu;	  /* index on the node; -1: all of them */
	int64_t after_ms; /* >= 0 */
	int64_t lasts_ms; /* 0: to the end of the world */
	int64_t value;
};
#define GM_SIM_SCENARIO_MAX 10000

struct gm_sim_spec {
	uint64_t seed;
	int gpus;	   /* how many boards in all; 1..200000 */
	int gpus_per_node; /* 0: 4, or 8 past 64 boards; at most 16 */
	/*
	 * "H100_80GB=8,A100_80GB=12,RTX4090=4": the mix, as weights that are scaled to `gpus` (exact when they add up to
	 * it; without "=": 1 each); empty: the seed's mix, which is this one. Model or variant ids.
	 */
	struct gm_str models;
	int64_t start_ms; /* the world's beginning, wall time */
	bool live;	 /* changed while it runs: core/sim/live.h; at most 32 boards, gpus_per_node is not looked at */
	int speed_milli; /* 1000: real time (0 too); 60000: a minute a second; at most 3600000 */
	bool faults;	 /* overheating, throttling, XID, ECC, a node that goes away now and then */
	const struct gm_sim_fault *scenario; /* further faults; borrowed for the call of gm_sim_new */
	size_t scenario_count;
};

struct gm_sim_pod {
	const char *namespace_, *pod, *container, *uid;
	const char *workload; /* "serving", "training", "idle", "notebook" */
};
struct gm_sim_instance {
	int gi_id, ci_id;
	char uuid[48];
	const struct gm_mig_profile *profile;
	int slices; /* compute slices: the profile's, or fewer where a GPU instance is shared out */
	int placement_start;
	int pod; /* index in pods, -1: free */
	int64_t memory_total_bytes, memory_used_bytes;
	int gr_active_centi; /* of the instance, 0..10000 */
	int tensor_active_centi, dram_active_centi;
};
#define GM_SIM_INSTANCES_MAX 7
#define GM_SIM_REASONS 9

struct gm_sim_device {
	char uuid[48];
	char serial[16];
	char pci_bus_id[24];
	const struct gm_variant *variant;
	int index;
	bool mig_enabled;
	bool consumer; /* GeForce and Titan: no profiling fields, no ECC, no memory sensor */
	struct gm_sim_instance instances[GM_SIM_INSTANCES_MAX];
	int instance_count;
	int pod;   /* index in pods, -1: none (also in MIG mode) */
	bool lost; /* fell off the bus: not answered any more */
	/* state at the time of gm_sim_advance */
	int utilization_centi; /* 0..10000; meaningless in MIG mode */
	int memory_copy_centi, encoder_centi, decoder_centi;
	int sm_active_centi, sm_occupancy_centi, tensor_active_centi, dram_active_centi;
	int64_t memory_total_bytes, memory_used_bytes, memory_reserved_bytes;
	int temperature_deci, memory_temperature_deci; /* memory: -1 on boards without the sensor */
	int64_t power_mw, power_limit_mw;
	int64_t energy_mj; /* since the driver was loaded; -1: the board does not count it */
	int sm_clock_mhz, memory_clock_mhz;
	int sm_clock_max_mhz, memory_clock_max_mhz;
	int64_t pcie_tx_bps, pcie_rx_bps;
	int64_t nvlink_bps; /* -1: no NVLink */
	/* since the driver was loaded: what went over the links, how long each throttle reason held; live worlds only */
	int64_t pcie_tx_bytes, pcie_rx_bytes, nvlink_bytes;
	int64_t throttle_ns[GM_SIM_REASONS]; /* by bit of throttle_reasons */
	int64_t pcie_replay, xid;
	int64_t ecc_sbe, ecc_dbe; /* since the driver was loaded; -1: no ECC (so for the remapped rows) */
	int64_t remapped_correctable, remapped_uncorrectable;
	bool row_remap_failure, row_remap_pending;
	uint64_t throttle_reasons;
	int fan_centi; /* -1: passive */
};
struct gm_sim_node {
	char name[64]; /* "worker-01" */
	const char *driver_version;
	bool away; /* does not answer now */
	const struct gm_sim_device *devices;
	size_t device_count;
};

/* The world at its beginning; NULL with *err set when the specification is wrong. */
struct gm_sim *gm_sim_new(const struct gm_sim_spec *spec, struct gm_err *err) GM_CHECKED;
void gm_sim_free(struct gm_sim *s);
size_t gm_sim_node_count(const struct gm_sim *s);
/* The node as of the last advance; valid until the next one. */
const struct gm_sim_node *gm_sim_node(const struct gm_sim *s, size_t index);
/* A pod's strings hold until the next advance; a device or instance that points at it says that it runs now. */
const struct gm_sim_pod *gm_sim_pod(const struct gm_sim *s, int index);
size_t gm_sim_pod_count(const struct gm_sim *s);
/*
 * Moves the whole world, or one node, to a wall time (never back: an earlier time changes nothing). Costs time in
 * proportion to the world's time that passed, at most one driver life (a week; a day in worlds over 1,000 boards).
 */
void gm_sim_advance(struct gm_sim *s, int64_t now_ms);
void gm_sim_advance_node(struct gm_sim *s, size_t index, int64_t now_ms);

GM_DEFINE_AUTO(struct gm_sim, gm_sim_free)

#endif
