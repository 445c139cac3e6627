/* SPDX-License-Identifier: MIT */
#include "adapter/nvmlsim/front-internal.h"

#include "base/alloc.h"

/* Profiling: two samples, and what lies between them. Shares are of the instance that was sampled, not of the board. */

#define MIB_BYTES 1048576.0
#define APART_MS 100 /* NVML: closer ones do not tell anything */

struct gpm_sample {
	bool taken;
	int board, gi; /* gi -1: the board */
	uint32_t serial;
	int64_t at_ms;
	int64_t graphics, sm, occupancy, tensor, dram, decoder; /* hundredths of a per cent; -1: not told */
	int64_t pcie_tx, pcie_rx, nvlink;			/* bytes so far; -1: not told */
};

static bool can_profile(const struct front_call *c)
{
	return c->arch >= GM_NVML_ARCH_HOPPER && !c->device->consumer;
}

NVML(nvmlGpmQueryDeviceSupport, struct gm_nvml_device *device, struct gm_nvml_gpm_support *io)
{
	FRONT_DEVICE(c, device, FRONT_MIG_TOO);
	if (!io)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	if (io->version != GM_NVML_GPM_VERSION)
		return GM_NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	front_fills(&c, &io->supported, sizeof(io->supported), false);
	io->supported = can_profile(&c);
	return 0;
}

NVML(nvmlGpmSampleAlloc, struct gm_nvml_gpm_sample **out)
{
	FRONT_SYSTEM(c);
	FRONT_OUT_HANDLE(c, out);
	*out = front_object_add(FRONT_SAMPLE, gm_xalloc(sizeof(struct gpm_sample)));
	return 0;
}

NVML(nvmlGpmSampleFree, struct gm_nvml_gpm_sample *sample)
{
	FRONT_SYSTEM(c);
	return front_object_remove(FRONT_SAMPLE, sample) ? 0 : GM_NVML_ERROR_INVALID_ARGUMENT;
}

/* Of a board in MIG mode: what its slices make of the whole. */
static void sample_slices(const struct gm_sim_device *d, struct gpm_sample *out)
{
	int64_t graphics = 0, tensor = 0, dram = 0;

	for (int i = 0; i < d->instance_count; i++) {
		const struct gm_sim_instance *in = &d->instances[i];
		graphics += (int64_t)in->gr_active_centi * in->slices;
		tensor += (int64_t)in->tensor_active_centi * in->slices;
		dram += (int64_t)in->dram_active_centi * in->slices;
	}
	int64_t whole = d->variant->mig->compute_slices;
	out->graphics = graphics / whole;
	out->sm = out->graphics * 4 / 5;
	out->occupancy = out->sm * 2 / 5;
	out->tensor = tensor / whole;
	out->dram = dram / whole;
	out->nvlink = -1;
}

static void sample_board(const struct front_call *c, struct gpm_sample *out)
{
	const struct gm_sim_device *d = c->device;

	*out = (struct gpm_sample){ .gi = -1,
				    .graphics = d->utilization_centi,
				    .sm = d->sm_active_centi,
				    .occupancy = d->sm_occupancy_centi,
				    .tensor = d->tensor_active_centi,
				    .dram = d->dram_active_centi,
				    .decoder = d->decoder_centi,
				    .pcie_tx = d->pcie_tx_bytes,
				    .pcie_rx = d->pcie_rx_bytes,
				    .nvlink = front_nvlink_count(c, 0) > 0 ? d->nvlink_bytes : -1 };
	if (c->state->mig_current)
		sample_slices(d, out);
}

/* Links are not attributed to slices. */
static void sample_slice(const struct front_call *c, const struct nvs_gi *gi, struct gpm_sample *out)
{
	const struct gm_sim_instance *in = nvs_world_instance(c->world, (unsigned)c->board, gi->id, -1);

	*out = (struct gpm_sample){ .gi = gi->id,
				    .serial = gi->serial,
				    .graphics = in ? in->gr_active_centi : 0,
				    .sm = in ? in->gr_active_centi * 4 / 5 : 0,
				    .occupancy = in ? in->gr_active_centi * 8 / 25 : 0,
				    .tensor = in ? in->tensor_active_centi : 0,
				    .dram = in ? in->dram_active_centi : 0,
				    .pcie_tx = -1,
				    .pcie_rx = -1,
				    .nvlink = -1 };
}

static int take(struct front_call *c, const struct nvs_gi *gi, struct gm_nvml_gpm_sample *handle)
{
	struct gpm_sample *sample = front_object(FRONT_SAMPLE, handle);

	if (!sample)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	if (!can_profile(c))
		return GM_NVML_ERROR_NOT_SUPPORTED;
	if (gi)
		sample_slice(c, gi, sample);
	else
		sample_board(c, sample);
	sample->taken = true;
	sample->board = c->board;
	sample->at_ms = nvs_world_now_ms(c->world);
	return 0;
}

NVML(nvmlGpmSampleGet, struct gm_nvml_device *device, struct gm_nvml_gpm_sample *sample)
{
	FRONT_DEVICE(c, device, FRONT_MIG_TOO);
	return take(&c, c.gi, sample);
}

NVML(nvmlGpmMigSampleGet, struct gm_nvml_device *device, unsigned gi_id, struct gm_nvml_gpm_sample *sample)
{
	FRONT_DEVICE(c, device, FRONT_IN_MIG);
	const struct nvs_gi *gi = nvs_gi_find(c.shared, (unsigned)c.board, (int)gi_id);
	return gi ? take(&c, gi, sample) : GM_NVML_ERROR_INVALID_ARGUMENT;
}

/* What each metric is made of: a share is the mean of both samples, a rate the difference over the time. */
enum kind { NOTHING, SHARE, RATE };
static const struct metric {
	uint16_t first, last;
	uint8_t kind;
	size_t at; /* in struct gpm_sample */
	const char *short_name, *long_name, *unit;
} metrics[] = {
#define AT(member) offsetof(struct gpm_sample, member)
	{ GM_NVML_GPM_GRAPHICS_UTIL, GM_NVML_GPM_GRAPHICS_UTIL, SHARE, AT(graphics), "gract", "Graphics engine", "%" },
	{ GM_NVML_GPM_SM_UTIL, GM_NVML_GPM_SM_UTIL, SHARE, AT(sm), "smutl", "SM activity", "%" },
	{ GM_NVML_GPM_SM_OCCUPANCY, GM_NVML_GPM_SM_OCCUPANCY, SHARE, AT(occupancy), "smocc", "SM occupancy", "%" },
	{ GM_NVML_GPM_TENSOR_UTIL, GM_NVML_GPM_TENSOR_UTIL, SHARE, AT(tensor), "tenso", "Tensor activity", "%" },
	{ GM_NVML_GPM_HMMA_UTIL, GM_NVML_GPM_HMMA_UTIL, SHARE, AT(tensor), "hmma", "HMMA activity", "%" },
	{ GM_NVML_GPM_DRAM_UTIL, GM_NVML_GPM_DRAM_UTIL, SHARE, AT(dram), "drama", "DRAM bandwidth", "%" },
	{ GM_NVML_GPM_PCIE_TX_MIB_S, GM_NVML_GPM_PCIE_TX_MIB_S, RATE, AT(pcie_tx), "pcitx", "PCIe sent", "MiB/s" },
	{ GM_NVML_GPM_PCIE_RX_MIB_S, GM_NVML_GPM_PCIE_RX_MIB_S, RATE, AT(pcie_rx), "pcirx", "PCIe received", "MiB/s" },
	{ GM_NVML_GPM_NVDEC_0, GM_NVML_GPM_NVDEC_0 + 7, SHARE, AT(decoder), "nvdec", "Decoder", "%" },
	{ GM_NVML_GPM_NVLINK_RX_MIB_S, GM_NVML_GPM_NVLINK_TX_MIB_S, RATE, AT(nvlink), "nvl", "NVLink", "MiB/s" },
	/* integer, the other pipes, JPEG and optical flow: nothing in the world runs there */
	{ GM_NVML_GPM_INTEGER_UTIL, GM_NVML_GPM_INTEGER_UTIL, NOTHING, 0, "int", "Integer activity", "%" },
	{ GM_NVML_GPM_DFMA_UTIL, GM_NVML_GPM_DFMA_UTIL, NOTHING, 0, "dfma", "DFMA activity", "%" },
	{ GM_NVML_GPM_DMMA_UTIL, GM_NVML_GPM_IMMA_UTIL, NOTHING, 0, "mma", "Other MMA activity", "%" },
	{ GM_NVML_GPM_FP64_UTIL, GM_NVML_GPM_FP16_UTIL, NOTHING, 0, "fp", "FP activity", "%" },
	{ GM_NVML_GPM_NVJPG_0, GM_NVML_GPM_NVJPG_0 + 7, NOTHING, 0, "jpg", "JPEG engine", "%" },
	{ GM_NVML_GPM_OFA_0, GM_NVML_GPM_OFA_1, NOTHING, 0, "ofa", "Optical flow", "%" },
#undef AT
};

static const struct metric *find_metric(uint32_t id)
{
	for (size_t i = 0; i < GM_LEN(metrics); i++) {
		if (id >= metrics[i].first && id <= metrics[i].last)
			return &metrics[i];
	}
	return NULL;
}

static int64_t member(const struct gpm_sample *s, const struct metric *m)
{
	return *(const int64_t *)(const void *)((const char *)s + m->at);
}

static int compute(const struct gpm_sample *older, const struct gpm_sample *newer, struct gm_nvml_gpm_metric *out)
{
	const struct metric *m = find_metric(out->id);

	if (!m)
		return out->id < GM_NVML_GPM_METRIC_MAX ? GM_NVML_ERROR_NOT_SUPPORTED : GM_NVML_ERROR_INVALID_ARGUMENT;
	out->short_name = m->short_name;
	out->long_name = m->long_name;
	out->unit = m->unit;
	int64_t a = m->kind == NOTHING ? 0 : member(older, m), b = m->kind == NOTHING ? 0 : member(newer, m);
	int64_t ms = newer->at_ms - older->at_ms;
	if (a < 0 || b < 0)
		return GM_NVML_ERROR_NOT_SUPPORTED;
	if (ms < APART_MS || (m->kind == RATE && b < a))
		return GM_NVML_ERROR_NO_DATA;
	/* Received and sent are alike on the simulated links, so each is half of what went over them. */
	double rate = (double)(b - a) / MIB_BYTES * 1000.0 / (double)ms;
	if (m->at == offsetof(struct gpm_sample, nvlink))
		rate /= 2.0;
	out->value = m->kind == RATE ? rate : (double)(a + b) / 200.0;
	return 0;
}

NVML(nvmlGpmMetricsGet, struct gm_nvml_gpm_get *io)
{
	FRONT_SYSTEM(c);
	if (!io)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	if (io->version != GM_NVML_GPM_VERSION)
		return GM_NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	const struct gpm_sample *older = front_object(FRONT_SAMPLE, io->older);
	const struct gpm_sample *newer = front_object(FRONT_SAMPLE, io->newer);
	if (!older || !newer || !older->taken || !newer->taken || io->count == 0 || io->count > GM_NVML_GPM_METRIC_MAX)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	if (older->board != newer->board || older->gi != newer->gi || older->serial != newer->serial)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	for (uint32_t i = 0; i < io->count; i++) {
		io->metrics[i].value = 0.0;
		io->metrics[i].rc = (uint32_t)compute(older, newer, &io->metrics[i]);
		front_filled(&c, &io->metrics[i].value, sizeof(io->metrics[i].value));
	}
	return 0;
}
