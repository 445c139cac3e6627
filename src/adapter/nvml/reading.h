/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_NVML_READING_H
#define GM_ADAPTER_NVML_READING_H

#include <stdbool.h>
#include <stdint.h>

#include "adapter/nvml/nvml.h"
#include "core/fleet/sample.h"

/*
 * What NVML tells of one board, as plain data without pointers: it lies in memory that processes share. Texts are
 * NUL-ended, "" when not told; numbers are -1 when not told.
 */
#define GM_READING_INSTANCES_MAX 16
#define GM_READING_PROCESSES_MAX 128
#define GM_READING_PROFILES_MAX 32

enum gm_process_kind { GM_PROCESS_COMPUTE = 1, GM_PROCESS_GRAPHICS = 2, GM_PROCESS_MPS = 4 };
struct gm_reading_process {
	uint32_t pid;
	int16_t gi, ci;	    /* -1: not of an instance */
	uint8_t kinds;	    /* enum gm_process_kind, or'ed */
	int64_t used_bytes; /* -1: the driver does not tell */
	char name[64];	    /* as NVML says it; "" when it does not */
};
/* One compute instance: what programs see as a MIG device. */
struct gm_reading_instance {
	int16_t gi, ci;
	int16_t gi_profile;	/* index in profiles, -1: not known */
	int16_t start, size;	/* units of the GPU instance */
	int16_t compute_slices; /* of the compute instance */
	char uuid[48];
	char profile[32]; /* "1g.10gb+me"; with "1c." when the compute instance does not fill the GPU instance */
	int64_t memory_bytes;
	int32_t sm_count, copy_engines, decoders, encoders, jpegs, ofas;
	struct gm_sample sample;
};
/* One GPU instance profile with its placements, as the driver tells them. */
struct gm_reading_profile {
	int32_t nvml_enum, id;
	int32_t compute_slices, max_instances, sm_count;
	int64_t memory_mib;
	char name[32]; /* "1g.10gb+me" */
	uint8_t size;
	uint8_t start_count;
	uint8_t starts[16];
};
struct gm_reading_event {
	int64_t at_ms;
	uint64_t type; /* NVML's bit */
	uint64_t data; /* XID number */
	int16_t gi, ci;
};

/* What does not change while the driver is loaded (MIG mode aside). Read when a board is first met, then each minute. */
struct gm_reading_facts {
	char uuid[48], name[96], serial[32], pci_bus_id[32], vbios[32], architecture[16];
	char driver_version[80], nvml_version[80];
	int32_t cuda_version; /* 1000 * major + 10 * minor */
	int32_t index, minor, cc_major, cc_minor, numa_node;
	int64_t memory_total_bytes, bar1_total_bytes;
	int32_t temp_slowdown_c, temp_shutdown_c, temp_memory_max_c, temp_gpu_max_c; /* thresholds, absolute */
	int32_t tlimit_slowdown_c, tlimit_shutdown_c, tlimit_memory_c,
		tlimit_gpu_c; /* T.Limit offsets; INT32_MIN: none */
	int64_t power_default_mw, power_min_mw, power_max_mw;
	int32_t max_sm_mhz, max_memory_mhz;
	int32_t pcie_max_gen, pcie_max_width;
	int32_t nvlink_count;
	int32_t ecc_enabled; /* 1, 0, -1 */
	int32_t persistence;
	int32_t mig_capable, mig_resetless; /* 1, 0, -1 */
	int32_t gpm;			    /* 1: per-instance profiling is there */
	uint64_t supported_events;
};

struct gm_reading {
	struct gm_reading_facts facts;
	int32_t rc; /* NVML's answer for the board as a whole: 0, or why there is nothing (GPU_IS_LOST, ...) */
	int32_t mig_current, mig_pending; /* 1, 0, -1: not a MIG board */
	struct gm_sample sample;
	/* beside the fleet's fields */
	int32_t pstate, pcie_gen, pcie_width, recovery_action, margin_c; /* margin_c INT32_MIN: none */
	int32_t retired_pending, nvlinks_up;
	int64_t ecc_corrected_ever, ecc_uncorrected_ever; /* since the board was made */
	int64_t bar1_used_bytes;
	int32_t pcie_rx_source_blocks; /* 1: taken by the call that blocks 20 ms */
	int32_t process_rc; /* NVML's code for the process list; not 0: it is of an earlier round, or cannot be told */
	uint32_t instance_count, process_count, profile_count;
	bool processes_truncated, process_list_odd; /* more than fit; a stride that was found and worked around */
	struct gm_reading_instance instances[GM_READING_INSTANCES_MAX];
	struct gm_reading_process processes[GM_READING_PROCESSES_MAX];
	struct gm_reading_profile profiles[GM_READING_PROFILES_MAX];
};

/*
 * Reads one board. One reader a board and thread; it keeps handles, GPM samples and rates between readings. Every call goes
 * through the probe. Nothing here waits but the calls themselves.
 */
struct gm_nvml_reader;
/* By UUID when it is told, else by index, and by its UUID from then on. Takes the handle in the first reading. */
struct gm_nvml_reader *gm_nvml_reader_new(const struct gm_nvml *lib, const struct gm_nvml_probe *probe,
					  const char *uuid, unsigned index);
/* Calls the library, so before nvmlShutdown. */
void gm_nvml_reader_free(struct gm_nvml_reader *r);
/*
 * A round at wall time `now_ms`, monotonic `mono_ms`. Always leaves a whole reading in *out, whatever was in it before:
 * fields that could not be had are missed with their reason (GM_ABSENT: a rate or profile that needs a second round). XID
 * and VGPU_LICENSE are absent: events and others tell them. Facts are asked again each minute, and what a board said it
 * cannot tell, too; processes once a second. Returns NVML's code for the board: 0, or 9, 15, 18, 999...; then there is no
 * value, facts and instances are the last known, and handles are taken anew in the next round.
 */
int gm_nvml_read(struct gm_nvml_reader *r, int64_t now_ms, int64_t mono_ms, struct gm_reading *out);

/*
 * The events of all boards: XID and the rest. One thread; boards may be added between two waits. NVML's set and its
 * handles end with the last nvmlShutdown: free before it, and make a new one after a reload.
 */
struct gm_nvml_events;
struct gm_nvml_events *gm_nvml_events_new(const struct gm_nvml *lib, const struct gm_nvml_probe *probe);
void gm_nvml_events_free(struct gm_nvml_events *e);
/*
 * Registers a board for what it supports; again after a reload. Returns NVML's code: 3 when it, or the library, has no
 * events. For a board that is registered already a new set is made, because its handle may be another one: do it after the
 * board was away, not each round.
 */
int gm_nvml_events_add(struct gm_nvml_events *e, const char *uuid);
/*
 * Waits at most timeout_ms. 0 with *out and the board's UUID ("" when NVML gives a handle that was not registered), 10
 * (TIMEOUT) for none, else NVML's code.
 *
 * A board that fell off the bus makes the wait answer GPU_IS_LOST (15) AT ONCE, every time, until the set is made anew
 * without it. The caller must not spin: on any code but 0 and 10 it lets its interval pass before it waits again. On 15
 * this finds out who is lost (uuid, "" when nobody says so), leaves that board out of a new set, and goes on with the
 * others; gm_nvml_events_add of that board registers it again once it is back.
 */
int gm_nvml_events_wait(struct gm_nvml_events *e, unsigned timeout_ms, struct gm_reading_event *out,
			char uuid[static 48]);

#endif
