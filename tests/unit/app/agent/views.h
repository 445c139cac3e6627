/* SPDX-License-Identifier: MIT */
#ifndef GM_TESTS_APP_AGENT_VIEWS_H
#define GM_TESTS_APP_AGENT_VIEWS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/agent/view.h"
#include "core/fleet/sample.h"

/* Views made by hand, for the tests of what is served. */
#define VIEW_AT INT64_C(1764000000000)

static inline uint64_t view_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline void view_facts(struct gm_reading_facts *f, unsigned i)
{
	*f = (struct gm_reading_facts){ .index = (int32_t)i,
					.minor = (int32_t)i,
					.cuda_version = 12080,
					.cc_major = 9,
					.numa_node = i < 4 ? 0 : 1,
					.memory_total_bytes = INT64_C(81559) << 20,
					.bar1_total_bytes = INT64_C(128) << 30,
					.temp_slowdown_c = 90,
					.temp_shutdown_c = 95,
					.temp_memory_max_c = 95,
					.temp_gpu_max_c = 87,
					.tlimit_slowdown_c = -2,
					.tlimit_shutdown_c = -8,
					.tlimit_memory_c = 0,
					.tlimit_gpu_c = INT32_MIN,
					.power_default_mw = 700000,
					.power_min_mw = 200000,
					.power_max_mw = 700000,
					.max_sm_mhz = 1980,
					.max_memory_mhz = 2619,
					.pcie_max_gen = 5,
					.pcie_max_width = 16,
					.nvlink_count = 18,
					.ecc_enabled = 1,
					.persistence = 1,
					.mig_capable = 1,
					.mig_resetless = 1,
					.gpm = 1 };
	(void)snprintf(f->uuid, sizeof(f->uuid), "GPU-00000000-0000-4000-8000-0000000000%02x", i);
	(void)snprintf(f->name, sizeof(f->name), "NVIDIA H100 80GB HBM3");
	(void)snprintf(f->serial, sizeof(f->serial), "16503230000%02u", i);
	(void)snprintf(f->pci_bus_id, sizeof(f->pci_bus_id), "00000000:%02X:00.0", i + 1);
	(void)snprintf(f->vbios, sizeof(f->vbios), "96.00.74.00.01");
	(void)snprintf(f->architecture, sizeof(f->architecture), "hopper");
	(void)snprintf(f->driver_version, sizeof(f->driver_version), "570.86.15");
	(void)snprintf(f->nvml_version, sizeof(f->nvml_version), "12.570.86.15");
}

static inline void view_sample(struct gm_sample *s, uint64_t *seed)
{
	*s = (struct gm_sample){ .at_ms = VIEW_AT };
	for (unsigned f = 0; f < GM_FIELD_COUNT; f++)
		gm_sample_set(s, (enum gm_field)f,
			      (int64_t)(view_random(seed) % (strcmp(gm_field_table[f].unit, "flag") == 0 ? 2 : 1000)),
			      GM_MEASURED, GM_SOURCE_NVML);
}

static inline void view_instance(struct gm_reading_instance *it, unsigned board, unsigned k, uint64_t *seed)
{
	*it = (struct gm_reading_instance){ .gi = (int16_t)(7 + k),
					    .ci = 0,
					    .gi_profile = 0,
					    .start = (int16_t)k,
					    .size = 1,
					    .compute_slices = 1,
					    .memory_bytes = INT64_C(9984) << 20,
					    .sm_count = 16,
					    .copy_engines = 1,
					    .decoders = 1,
					    .encoders = 0,
					    .jpegs = 1,
					    .ofas = 0 };
	(void)snprintf(it->uuid, sizeof(it->uuid), "MIG-00000000-0000-5000-8000-%06u%06u", board, k);
	(void)snprintf(it->profile, sizeof(it->profile), "1g.10gb");
	view_sample(&it->sample, seed);
	/* NVML: of an instance there are its memory and its profiling values */
	for (unsigned f = 0; f < GM_FIELD_COUNT; f++)
		if (f != GM_FIELD_MEMORY_USED && f != GM_FIELD_MEMORY_FREE && f != GM_FIELD_MEMORY_RESERVED &&
		    (f < GM_FIELD_GR_ENGINE_ACTIVE || f > GM_FIELD_DRAM_ACTIVE)) {
			gm_sample_miss(&it->sample, (enum gm_field)f, GM_ABSENT, GM_SOURCE_NONE);
			it->sample.source[f] = 0;
		} else if (f >= GM_FIELD_GR_ENGINE_ACTIVE && f <= GM_FIELD_DRAM_ACTIVE) {
			it->sample.source[f] = GM_SOURCE_GPM;
		}
}

/* `boards` boards of `slices` instances each, all well; free() it. */
static inline struct gm_agent_view *view_new(unsigned boards, unsigned slices)
{
	struct gm_agent_view *v = calloc(1, sizeof(*v));
	uint64_t seed = 88172645463325252u;

	v->at_ms = VIEW_AT;
	v->round = 1000;
	v->state = GM_AGENT_WORKING;
	v->state_since_ms = VIEW_AT - 1000000;
	v->children = 1;
	v->child_starts = 1;
	v->board_count = boards;
	for (unsigned i = 0; i < boards; i++) {
		struct gm_agent_board *b = &v->boards[i];
		struct gm_reading *r = &b->reading;

		b->state = GM_BOARD_OK;
		b->since_ms = VIEW_AT - 1000000;
		b->samples = 1000;
		view_facts(&r->facts, i);
		r->mig_current = r->mig_pending = slices > 0;
		r->pstate = 0;
		r->pcie_gen = 5;
		r->pcie_width = 16;
		r->margin_c = 40;
		r->bar1_used_bytes = 1 << 20;
		view_sample(&r->sample, &seed);
		r->instance_count = slices;
		for (unsigned k = 0; k < slices; k++)
			view_instance(&r->instances[k], i, k, &seed);
		for (unsigned s = 0; s < 5; s++)
			gm_window_add(&b->window, 30000, 1000000 + s * 1000, &r->sample);
	}
	return v;
}
#define VIEW_MONO 1004000

#endif
