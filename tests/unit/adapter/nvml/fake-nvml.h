/* SPDX-License-Identifier: MIT */
#ifndef TESTS_ADAPTER_NVML_FAKE_NVML_H
#define TESTS_ADAPTER_NVML_FAKE_NVML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapter/nvml/symbols.h"

/*
 * A library with one or two boards whose every answer a test sets: an object of its own, opened like the driver's. The
 * simulator has a world with true semantics; this one lies wherever a test wants it to.
 */
#define FAKE_FIELDS_MAX 300
#define FAKE_INSTANCES_MAX 4

struct fake_instance {
	bool alive;
	uint32_t gi, ci;
	char uuid[80];
	char name[96];
	double graphics; /* of its GPU instance, in percent */
};

struct fake_nvml {
	int rc[GM_NVML_SYMBOL_COUNT]; /* not 0: what the call answers */
	unsigned calls[GM_NVML_SYMBOL_COUNT];
	bool garbage[GM_NVML_SYMBOL_COUNT]; /* success, with nonsense in what it fills */
	uint32_t boards;
	char uuid[2][96];
	bool lost[2];
	struct gm_nvml_memory_v2 memory;
	uint32_t gpu_percent, memory_percent, celsius, milliwatts, fan_percent;
	struct {
		bool has;
		int rc;
		uint32_t type;
		int64_t value, at_us;
		bool all_links; /* answers for the sum over links only */
	} fields[FAKE_FIELDS_MAX];
	uint32_t pcie_kib_s;
	bool has_gpm;
	double board_graphics; /* percent; less than 0: the board itself has none */
	double last_apart_ms;  /* reserved */
	uint32_t mig_current, mig_pending;
	struct fake_instance instances[FAKE_INSTANCES_MAX];
	/* processes: the compute list */
	uint32_t process_count;
	size_t process_stride; /* what the list behind _v3 writes: 24, 32... */
	struct gm_nvml_process_detail_v1 processes[200];
	struct gm_nvml_event_v2 event;
	bool has_event;
	unsigned registered; /* boards in the set */
	unsigned sets;	     /* made and not freed */
	unsigned gpm_samples;
};

#endif
