/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "app/agent/render-internal.h"

/*
 * The families of dcgm-exporter 4, for dashboards that were made for it. As there: in MIG mode lines are of GPU instances
 * only, the board's own values repeated on each; a device is one pod's; there is no utilisation in MIG mode.
 */
enum dcgm_scope {
	OWN,   /* the instance's own value, where it has one */
	BOARD, /* repeated on each instance */
	WHOLE  /* of a board that is not partitioned */
};
struct dcgm_family {
	const char *name;
	enum gm_promtext_type type;
	uint8_t field;
	enum dcgm_scope scope;
	int32_t div;
	unsigned decimals;
	const char *help;
};
#define MIB (1 << 20)
static const struct dcgm_family families[] = {
	{ "DCGM_FI_DEV_SM_CLOCK", GM_PROMTEXT_GAUGE, GM_FIELD_SM_CLOCK, BOARD, 1, 0, "SM clock, MHz" },
	{ "DCGM_FI_DEV_MEM_CLOCK", GM_PROMTEXT_GAUGE, GM_FIELD_MEMORY_CLOCK, BOARD, 1, 0, "Memory clock, MHz" },
	{ "DCGM_FI_DEV_MEMORY_TEMP", GM_PROMTEXT_GAUGE, GM_FIELD_MEMORY_TEMPERATURE, BOARD, 1, 1,
	  "Memory temperature, C" },
	{ "DCGM_FI_DEV_GPU_TEMP", GM_PROMTEXT_GAUGE, GM_FIELD_TEMPERATURE, BOARD, 1, 1, "GPU temperature, C" },
	{ "DCGM_FI_DEV_POWER_USAGE", GM_PROMTEXT_GAUGE, GM_FIELD_POWER, BOARD, 1, 3, "Power drawn, W" },
	{ "DCGM_FI_DEV_POWER_MGMT_LIMIT", GM_PROMTEXT_GAUGE, GM_FIELD_POWER_LIMIT, BOARD, 1, 3, "Power limit, W" },
	{ "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", GM_PROMTEXT_COUNTER, GM_FIELD_ENERGY, BOARD, 1, 0,
	  "Energy since the driver was loaded, mJ" },
	{ "DCGM_FI_DEV_PCIE_REPLAY_COUNTER", GM_PROMTEXT_COUNTER, GM_FIELD_PCIE_REPLAY, BOARD, 1, 0,
	  "PCIe packets sent again" },
	{ "DCGM_FI_DEV_GPU_UTIL", GM_PROMTEXT_GAUGE, GM_FIELD_UTILIZATION, WHOLE, 1, 2, "GPU utilization, %" },
	{ "DCGM_FI_DEV_MEM_COPY_UTIL", GM_PROMTEXT_GAUGE, GM_FIELD_MEMORY_COPY_UTILIZATION, WHOLE, 1, 2,
	  "Memory utilization, %" },
	{ "DCGM_FI_DEV_ENC_UTIL", GM_PROMTEXT_GAUGE, GM_FIELD_ENCODER_UTILIZATION, WHOLE, 1, 2, "Encoders, %" },
	{ "DCGM_FI_DEV_DEC_UTIL", GM_PROMTEXT_GAUGE, GM_FIELD_DECODER_UTILIZATION, WHOLE, 1, 2, "Decoders, %" },
	{ "DCGM_FI_DEV_XID_ERRORS", GM_PROMTEXT_GAUGE, GM_FIELD_XID, BOARD, 1, 0, "The last XID error" },
	{ "DCGM_FI_DEV_POWER_VIOLATION", GM_PROMTEXT_COUNTER, GM_FIELD_POWER_VIOLATION, BOARD, 1, 0,
	  "Time held down by the power limit, ns" },
	{ "DCGM_FI_DEV_THERMAL_VIOLATION", GM_PROMTEXT_COUNTER, GM_FIELD_THERMAL_VIOLATION, BOARD, 1, 0,
	  "Time held down by heat, ns" },
	{ "DCGM_FI_DEV_CLOCKS_EVENT_REASONS", GM_PROMTEXT_GAUGE, GM_FIELD_THROTTLE_REASONS, BOARD, 1, 0,
	  "Why clocks are held down, bits" },
	{ "DCGM_FI_DEV_FB_FREE", GM_PROMTEXT_GAUGE, GM_FIELD_MEMORY_FREE, OWN, MIB, 0, "Memory free, MiB" },
	{ "DCGM_FI_DEV_FB_USED", GM_PROMTEXT_GAUGE, GM_FIELD_MEMORY_USED, OWN, MIB, 0, "Memory used, MiB" },
	{ "DCGM_FI_DEV_FB_RESERVED", GM_PROMTEXT_GAUGE, GM_FIELD_MEMORY_RESERVED, OWN, MIB, 0,
	  "Memory kept by the driver, MiB" },
	{ "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", GM_PROMTEXT_COUNTER, GM_FIELD_ECC_SBE, BOARD, 1, 0,
	  "Corrected memory errors since driver load" },
	{ "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", GM_PROMTEXT_COUNTER, GM_FIELD_ECC_DBE, BOARD, 1, 0,
	  "Uncorrected memory errors since driver load" },
	{ "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", GM_PROMTEXT_COUNTER, GM_FIELD_REMAPPED_UNCORRECTABLE, BOARD, 1, 0,
	  "Rows remapped for uncorrectable errors" },
	{ "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS", GM_PROMTEXT_COUNTER, GM_FIELD_REMAPPED_CORRECTABLE, BOARD, 1, 0,
	  "Rows remapped for correctable errors" },
	{ "DCGM_FI_DEV_ROW_REMAP_PENDING", GM_PROMTEXT_GAUGE, GM_FIELD_ROW_REMAP_PENDING, BOARD, 1, 0,
	  "A row is remapped at the next reset" },
	{ "DCGM_FI_DEV_ROW_REMAP_FAILURE", GM_PROMTEXT_GAUGE, GM_FIELD_ROW_REMAP_FAILURE, BOARD, 1, 0,
	  "A row could not be remapped" },
	/* A counter by its type there, a rate in MB/s by its numbers. */
	{ "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL", GM_PROMTEXT_COUNTER, GM_FIELD_NVLINK, BOARD, 1000000, 0,
	  "NVLink traffic, MB/s" },
	{ "DCGM_FI_DEV_FAN_SPEED", GM_PROMTEXT_GAUGE, GM_FIELD_FAN, BOARD, 1, 2, "Fan speed, %" },
	{ "DCGM_FI_DEV_VGPU_LICENSE_STATUS", GM_PROMTEXT_GAUGE, GM_FIELD_VGPU_LICENSE, BOARD, 1, 0,
	  "vGPU licence status" },
	{ "DCGM_FI_PROF_GR_ENGINE_ACTIVE", GM_PROMTEXT_GAUGE, GM_FIELD_GR_ENGINE_ACTIVE, OWN, 1, 4,
	  "Share of time the engine was active" },
	{ "DCGM_FI_PROF_SM_ACTIVE", GM_PROMTEXT_GAUGE, GM_FIELD_SM_ACTIVE, OWN, 1, 4,
	  "Share of time with a warp on a multiprocessor" },
	{ "DCGM_FI_PROF_SM_OCCUPANCY", GM_PROMTEXT_GAUGE, GM_FIELD_SM_OCCUPANCY, OWN, 1, 4,
	  "Resident warps of those there is room for" },
	{ "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", GM_PROMTEXT_GAUGE, GM_FIELD_TENSOR_ACTIVE, OWN, 1, 4,
	  "Share of cycles of the tensor pipes" },
	{ "DCGM_FI_PROF_DRAM_ACTIVE", GM_PROMTEXT_GAUGE, GM_FIELD_DRAM_ACTIVE, OWN, 1, 4,
	  "Share of cycles device memory moved data" },
	{ "DCGM_FI_PROF_PCIE_TX_BYTES", GM_PROMTEXT_GAUGE, GM_FIELD_PCIE_TX, BOARD, 1, 0, "PCIe sent, bytes/s" },
	{ "DCGM_FI_PROF_PCIE_RX_BYTES", GM_PROMTEXT_GAUGE, GM_FIELD_PCIE_RX, BOARD, 1, 0, "PCIe received, bytes/s" },
};

static const struct gm_holder *pod_of(const struct gm_render *r, const struct gm_render_thing *t)
{
	const struct gm_holders *holders = r->in->holders;
	const ptrdiff_t board = t->board - r->in->view->boards;

	for (size_t i = 0; holders && i < holders->count; i++) {
		const struct gm_holder *h = &holders->items[i];

		if (h->kind == GM_HOLDER_POD && h->board == board &&
		    (t->instance ? h->gi == t->instance->gi : h->gi < 0))
			return h;
	}
	return NULL;
}

/* As NVML's long form has it, which is what exporters show: "00000000:1B:00.0". */
static void add_bus_id(struct gm_buf *out, const char *id)
{
	char text[40];
	size_t n = 0;

	if (strcspn(id, ":") == 4)
		for (; n < 4; n++)
			text[n] = '0';
	for (; *id && n + 1 < sizeof(text); id++)
		text[n++] = (char)(*id >= 'a' && *id <= 'f' ? *id - 'a' + 'A' : *id);
	gm_render_label(out, false, "pci_bus_id", gm_str_n(text, n));
}

static void add_labels(struct gm_render *r, const struct gm_render_thing *t)
{
	const struct gm_reading_facts *facts = &t->board->reading.facts;
	const struct gm_holder *pod = pod_of(r, t);
	struct gm_buf *out = &r->labels;
	char device[24];

	gm_render_label_i64(out, true, "gpu", facts->index);
	gm_render_label(out, false, "UUID", gm_str(facts->uuid));
	add_bus_id(out, facts->pci_bus_id);
	(void)snprintf(device, sizeof(device), "nvidia%d", facts->minor >= 0 ? facts->minor : facts->index);
	gm_render_label(out, false, "device", gm_str(device));
	gm_render_label(out, false, "modelName", gm_str(facts->name));
	if (t->instance) {
		gm_render_label(out, false, "GPU_I_PROFILE", gm_str(t->instance->profile));
		gm_render_label_i64(out, false, "GPU_I_ID", t->instance->gi);
	}
	gm_render_label(out, false, "Hostname", gm_str(r->in->node_name));
	gm_render_label(out, false, "DCGM_FI_DRIVER_VERSION", gm_str(facts->driver_version));
	if (pod) {
		gm_render_label(out, false, "container", gm_str(pod->container));
		gm_render_label(out, false, "namespace", gm_str(pod->namespace_));
		gm_render_label(out, false, "pod", gm_str(pod->pod));
	}
}

/* Which things have lines here: boards that are not partitioned, else each GPU instance once (DCGM has no compute ones). */
static bool has_lines(const struct gm_render *r, const struct gm_render_thing *t)
{
	if (!t->instance)
		return t + 1 == r->things.items + r->things.count || !t[1].instance;
	return !t[-1].instance || t[-1].instance->gi != t->instance->gi;
}

static void relabel(struct gm_render *r)
{
	gm_vec_each (&r->things, t) {
		t->label_at = (uint32_t)r->labels.n;
		if (has_lines(r, t))
			add_labels(r, t);
		t->label_n = (uint32_t)r->labels.n - t->label_at;
	}
}

void gm_render_dcgm(struct gm_render *r)
{
	relabel(r);
	for (size_t i = 0; i < GM_LEN(families); i++) {
		const struct dcgm_family *f = &families[i];

		gm_render_family(r, f->name, f->type, f->help);
		gm_vec_each (&r->things, t) {
			const struct gm_sample *s = f->scope == OWN ? t->sample : &t->board->reading.sample;

			if (t->label_n == 0 || (f->scope == WHOLE && t->instance) ||
			    !gm_sample_has(s, (enum gm_field)f->field))
				continue;
			gm_render_end_fixed(gm_render_line(r, gm_render_labels(r, t)), s->value[f->field] / f->div,
					    f->decimals);
		}
	}
}
