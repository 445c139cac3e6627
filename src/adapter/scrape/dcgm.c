/* SPDX-License-Identifier: MIT */
#include "adapter/scrape/series.h"

#include "base/parse.h"

#define OWN GM_SCOPE_OWN
#define BOARD GM_SCOPE_BOARD

/*
 * Families of dcgm-exporter, in any case of letters (an exporter can be told to write DCGM's names in lower case); behind
 * them the names of exporters 1.x. Profiling values and frame buffer are the instance's own, all else is the board's and
 * only repeated on its instances.
 */
const struct gm_series_rule gm_dcgm_rules[] = {
	{ "DCGM_FI_DEV_GPU_UTIL", GM_FIELD_UTILIZATION, GM_UNIT_PERCENT, BOARD, 0, false },
	{ "DCGM_FI_DEV_MEM_COPY_UTIL", GM_FIELD_MEMORY_COPY_UTILIZATION, GM_UNIT_PERCENT, BOARD, 0, false },
	{ "DCGM_FI_DEV_ENC_UTIL", GM_FIELD_ENCODER_UTILIZATION, GM_UNIT_PERCENT, BOARD, 0, false },
	{ "DCGM_FI_DEV_DEC_UTIL", GM_FIELD_DECODER_UTILIZATION, GM_UNIT_PERCENT, BOARD, 0, false },
	{ "DCGM_FI_PROF_GR_ENGINE_ACTIVE", GM_FIELD_GR_ENGINE_ACTIVE, GM_UNIT_RATIO, OWN, 0, false },
	{ "DCGM_FI_PROF_SM_ACTIVE", GM_FIELD_SM_ACTIVE, GM_UNIT_RATIO, OWN, 0, false },
	{ "DCGM_FI_PROF_SM_OCCUPANCY", GM_FIELD_SM_OCCUPANCY, GM_UNIT_RATIO, OWN, 0, false },
	{ "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", GM_FIELD_TENSOR_ACTIVE, GM_UNIT_RATIO, OWN, 0, false },
	{ "DCGM_FI_PROF_DRAM_ACTIVE", GM_FIELD_DRAM_ACTIVE, GM_UNIT_RATIO, OWN, 0, false },
	{ "DCGM_FI_DEV_FB_USED", GM_FIELD_MEMORY_USED, GM_UNIT_MIB, OWN, 0, false },
	{ "DCGM_FI_DEV_FB_FREE", GM_FIELD_MEMORY_FREE, GM_UNIT_MIB, OWN, 0, false },
	{ "DCGM_FI_DEV_FB_RESERVED", GM_FIELD_MEMORY_RESERVED, GM_UNIT_MIB, OWN, 0, false },
	{ "DCGM_FI_DEV_FB_TOTAL", GM_WHAT_MEMORY_TOTAL, GM_UNIT_MIB, OWN, 0, false },
	{ "DCGM_FI_DEV_GPU_TEMP", GM_FIELD_TEMPERATURE, GM_UNIT_CELSIUS, BOARD, 0, false },
	{ "DCGM_FI_DEV_MEMORY_TEMP", GM_FIELD_MEMORY_TEMPERATURE, GM_UNIT_CELSIUS, BOARD, 0, false },
	{ "DCGM_FI_DEV_SLOWDOWN_TEMP", GM_WHAT_TEMPERATURE_LIMIT, GM_UNIT_CELSIUS, BOARD, 0, false },
	{ "DCGM_FI_DEV_POWER_USAGE", GM_FIELD_POWER, GM_UNIT_WATTS, BOARD, 0, false },
	{ "DCGM_FI_DEV_ENFORCED_POWER_LIMIT", GM_FIELD_POWER_LIMIT, GM_UNIT_WATTS, BOARD, 1, false },
	{ "DCGM_FI_DEV_POWER_MGMT_LIMIT", GM_FIELD_POWER_LIMIT, GM_UNIT_WATTS, BOARD, 0, false },
	{ "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", GM_FIELD_ENERGY, GM_UNIT_MILLIJOULES, BOARD, 0, false },
	{ "DCGM_FI_DEV_SM_CLOCK", GM_FIELD_SM_CLOCK, GM_UNIT_MEGAHERTZ, BOARD, 0, false },
	{ "DCGM_FI_DEV_MEM_CLOCK", GM_FIELD_MEMORY_CLOCK, GM_UNIT_MEGAHERTZ, BOARD, 0, false },
	{ "DCGM_FI_PROF_PCIE_TX_BYTES", GM_FIELD_PCIE_TX, GM_UNIT_BYTE_RATE, BOARD, 1, false },
	{ "DCGM_FI_PROF_PCIE_RX_BYTES", GM_FIELD_PCIE_RX, GM_UNIT_BYTE_RATE, BOARD, 1, false },
	{ "DCGM_FI_DEV_PCIE_TX_THROUGHPUT", GM_FIELD_PCIE_TX, GM_UNIT_KB_RATE, BOARD, 0, false },
	{ "DCGM_FI_DEV_PCIE_RX_THROUGHPUT", GM_FIELD_PCIE_RX, GM_UNIT_KB_RATE, BOARD, 0, false },
	{ "DCGM_FI_PROF_NVLINK_TX_BYTES", GM_FIELD_NVLINK, GM_UNIT_BYTE_RATE, BOARD, 1, true },
	{ "DCGM_FI_PROF_NVLINK_RX_BYTES", GM_FIELD_NVLINK, GM_UNIT_BYTE_RATE, BOARD, 1, true },
	/* Typed as a counter, but it is a rate in MB/s: it goes down as well, and agrees with the driver's own counters. */
	{ "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL", GM_FIELD_NVLINK, GM_UNIT_MB_RATE, BOARD, 0, false },
	{ "DCGM_FI_DEV_PCIE_REPLAY_COUNTER", GM_FIELD_PCIE_REPLAY, GM_UNIT_COUNT, BOARD, 0, false },
	{ "DCGM_FI_DEV_XID_ERRORS", GM_FIELD_XID, GM_UNIT_CODE, BOARD, 0, false },
	{ "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", GM_FIELD_ECC_SBE, GM_UNIT_COUNT, BOARD, 0, false },
	{ "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", GM_FIELD_ECC_DBE, GM_UNIT_COUNT, BOARD, 0, false },
	{ "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS", GM_FIELD_REMAPPED_CORRECTABLE, GM_UNIT_COUNT, BOARD, 0, false },
	{ "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", GM_FIELD_REMAPPED_UNCORRECTABLE, GM_UNIT_COUNT, BOARD, 0, false },
	{ "DCGM_FI_DEV_ROW_REMAP_PENDING", GM_FIELD_ROW_REMAP_PENDING, GM_UNIT_FLAG, BOARD, 0, false },
	{ "DCGM_FI_DEV_ROW_REMAP_FAILURE", GM_FIELD_ROW_REMAP_FAILURE, GM_UNIT_FLAG, BOARD, 0, false },
	{ "DCGM_FI_DEV_RETIRED_SBE", GM_FIELD_RETIRED_PAGES, GM_UNIT_COUNT, BOARD, 0, true },
	{ "DCGM_FI_DEV_RETIRED_DBE", GM_FIELD_RETIRED_PAGES, GM_UNIT_COUNT, BOARD, 0, true },
	{ "DCGM_FI_DEV_CLOCKS_EVENT_REASONS", GM_FIELD_THROTTLE_REASONS, GM_UNIT_BITS, BOARD, 1, false },
	{ "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", GM_FIELD_THROTTLE_REASONS, GM_UNIT_BITS, BOARD, 0, false },
	{ "DCGM_FI_DEV_POWER_VIOLATION", GM_FIELD_POWER_VIOLATION, GM_UNIT_NANOSECONDS, BOARD, 0, false },
	{ "DCGM_FI_DEV_THERMAL_VIOLATION", GM_FIELD_THERMAL_VIOLATION, GM_UNIT_NANOSECONDS, BOARD, 0, false },
	{ "DCGM_FI_DEV_FAN_SPEED", GM_FIELD_FAN, GM_UNIT_PERCENT, BOARD, 0, false },
	{ "DCGM_FI_DEV_VGPU_LICENSE_STATUS", GM_FIELD_VGPU_LICENSE, GM_UNIT_FLAG, BOARD, 0, false },
	{ "DCGM_FI_DEV_MIG_MODE", GM_WHAT_MIG_MODE, GM_UNIT_FLAG, BOARD, 0, false },

	{ "dcgm_gpu_utilization", GM_FIELD_UTILIZATION, GM_UNIT_PERCENT, BOARD, 0, false },
	{ "dcgm_mem_copy_utilization", GM_FIELD_MEMORY_COPY_UTILIZATION, GM_UNIT_PERCENT, BOARD, 0, false },
	{ "dcgm_enc_utilization", GM_FIELD_ENCODER_UTILIZATION, GM_UNIT_PERCENT, BOARD, 0, false },
	{ "dcgm_dec_utilization", GM_FIELD_DECODER_UTILIZATION, GM_UNIT_PERCENT, BOARD, 0, false },
	{ "dcgm_fb_used", GM_FIELD_MEMORY_USED, GM_UNIT_MIB, OWN, 0, false },
	{ "dcgm_fb_free", GM_FIELD_MEMORY_FREE, GM_UNIT_MIB, OWN, 0, false },
	{ "dcgm_fb_total", GM_WHAT_MEMORY_TOTAL, GM_UNIT_MIB, OWN, 0, false },
	{ "dcgm_gpu_temp", GM_FIELD_TEMPERATURE, GM_UNIT_CELSIUS, BOARD, 0, false },
	{ "dcgm_memory_temp", GM_FIELD_MEMORY_TEMPERATURE, GM_UNIT_CELSIUS, BOARD, 0, false },
	{ "dcgm_power_usage", GM_FIELD_POWER, GM_UNIT_WATTS, BOARD, 0, false },
	{ "dcgm_total_energy_consumption", GM_FIELD_ENERGY, GM_UNIT_MILLIJOULES, BOARD, 0, false },
	{ "dcgm_sm_clock", GM_FIELD_SM_CLOCK, GM_UNIT_MEGAHERTZ, BOARD, 0, false },
	{ "dcgm_memory_clock", GM_FIELD_MEMORY_CLOCK, GM_UNIT_MEGAHERTZ, BOARD, 0, false },
	{ "dcgm_pcie_tx_throughput", GM_FIELD_PCIE_TX, GM_UNIT_KB_RATE, BOARD, 0, false },
	{ "dcgm_pcie_rx_throughput", GM_FIELD_PCIE_RX, GM_UNIT_KB_RATE, BOARD, 0, false },
	{ "dcgm_pcie_replay_counter", GM_FIELD_PCIE_REPLAY, GM_UNIT_COUNT, BOARD, 0, false },
	{ "dcgm_nvlink_bandwidth_total", GM_FIELD_NVLINK, GM_UNIT_MB_RATE, BOARD, 0, false },
	{ "dcgm_xid_errors", GM_FIELD_XID, GM_UNIT_CODE, BOARD, 0, false },
	{ "dcgm_ecc_sbe_volatile_total", GM_FIELD_ECC_SBE, GM_UNIT_COUNT, BOARD, 0, false },
	{ "dcgm_ecc_dbe_volatile_total", GM_FIELD_ECC_DBE, GM_UNIT_COUNT, BOARD, 0, false },
	{ "dcgm_retired_pages_sbe", GM_FIELD_RETIRED_PAGES, GM_UNIT_COUNT, BOARD, 0, true },
	{ "dcgm_retired_pages_dbe", GM_FIELD_RETIRED_PAGES, GM_UNIT_COUNT, BOARD, 0, true },
	{ "dcgm_power_violation", GM_FIELD_POWER_VIOLATION, GM_UNIT_NANOSECONDS, BOARD, 0, false },
	{ "dcgm_thermal_violation", GM_FIELD_THERMAL_VIOLATION, GM_UNIT_NANOSECONDS, BOARD, 0, false },
};
const size_t gm_dcgm_rule_count = GM_LEN(gm_dcgm_rules);

/* Labels we read; of those for one thing the first that is not empty counts ("" equals absent). */
enum label {
	LABEL_UUID,
	LABEL_GPU,
	LABEL_DEVICE,
	LABEL_NODE,
	LABEL_PCI,
	LABEL_PRODUCT,
	LABEL_DRIVER,
	LABEL_SERIAL,
	LABEL_PROFILE,
	LABEL_GI,
	LABEL_MIG_UUID,
	LABEL_POD,
	LABEL_NAMESPACE,
	LABEL_CONTAINER,
	LABEL_POD_UID,
	LABEL_EXPORTED_POD,
	LABEL_EXPORTED_NAMESPACE,
	LABEL_EXPORTED_CONTAINER,
	LABEL_COUNT
};

static const struct {
	struct gm_str name;
	enum label label;
} label_names[] = {
	{ GM_STR("UUID"), LABEL_UUID },
	{ GM_STR("uuid"), LABEL_UUID },
	{ GM_STR("gpu"), LABEL_GPU },
	{ GM_STR("device"), LABEL_DEVICE },
	{ GM_STR("Hostname"), LABEL_NODE },
	{ GM_STR("hostname"), LABEL_NODE },
	{ GM_STR("pci_bus_id"), LABEL_PCI },
	{ GM_STR("modelName"), LABEL_PRODUCT },
	{ GM_STR("DCGM_FI_DEV_NAME"), LABEL_PRODUCT },
	{ GM_STR("DCGM_FI_DRIVER_VERSION"), LABEL_DRIVER },
	{ GM_STR("DCGM_FI_DEV_SERIAL"), LABEL_SERIAL },
	{ GM_STR("GPU_I_PROFILE"), LABEL_PROFILE },
	{ GM_STR("dra_mig_profile"), LABEL_PROFILE },
	{ GM_STR("GPU_I_ID"), LABEL_GI },
	{ GM_STR("dra_mig_device_uuid"), LABEL_MIG_UUID },
	{ GM_STR("pod"), LABEL_POD },
	{ GM_STR("pod_name"), LABEL_POD },
	{ GM_STR("namespace"), LABEL_NAMESPACE },
	{ GM_STR("pod_namespace"), LABEL_NAMESPACE },
	{ GM_STR("container"), LABEL_CONTAINER },
	{ GM_STR("container_name"), LABEL_CONTAINER },
	{ GM_STR("pod_uid"), LABEL_POD_UID },
	{ GM_STR("exported_pod"), LABEL_EXPORTED_POD },
	{ GM_STR("exported_namespace"), LABEL_EXPORTED_NAMESPACE },
	{ GM_STR("exported_container"), LABEL_EXPORTED_CONTAINER },
};

static void collect_labels(const struct gm_promtext_label *labels, size_t count, struct gm_str out[static LABEL_COUNT])
{
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < GM_LEN(label_names); k++) {
			if (!gm_str_eq(labels[i].name, label_names[k].name))
				continue;
			if (out[label_names[k].label].n == 0)
				out[label_names[k].label] = labels[i].value;
			break;
		}
	}
}

/* "3" of gpu="3", else of device="nvidia3"; -1 when neither tells. */
static int device_index(struct gm_str gpu, struct gm_str device)
{
	const struct gm_str nvidia = GM_STR("nvidia");
	uint64_t v = 0;

	if (gm_parse_u64(gpu, 0, 9999, &v))
		return (int)v;
	if (gm_str_starts(device, nvidia) &&
	    gm_parse_u64(gm_str_n(device.p + nvidia.n, device.n - nvidia.n), 0, 9999, &v))
		return (int)v;
	return -1;
}

/*
 * The pod behind the device. Behind a Prometheus that renamed labels, exported_ ones are the workload's and plain ones
 * name the exporter's own pod; which it also does, unrenamed, on idle devices there.
 */
static void take_pod(const struct gm_str label[static LABEL_COUNT], struct gm_series *out)
{
	const struct gm_str container = label[LABEL_CONTAINER];

	if (label[LABEL_EXPORTED_POD].n > 0) {
		out->pod_exported = true;
		out->pod = (struct gm_obs_pod){ .namespace_ = label[LABEL_EXPORTED_NAMESPACE],
						.pod = label[LABEL_EXPORTED_POD],
						.container = label[LABEL_EXPORTED_CONTAINER],
						.uid = label[LABEL_POD_UID] };
		return;
	}
	if (gm_str_is(container, "nvidia-dcgm-exporter") || gm_str_is(container, "dcgm-exporter"))
		return;
	out->pod = (struct gm_obs_pod){ .namespace_ = label[LABEL_NAMESPACE],
					.pod = label[LABEL_POD],
					.container = container,
					.uid = label[LABEL_POD_UID] };
}

static const struct gm_series_rule *find_rule(struct gm_str name)
{
	for (size_t i = 0; i < gm_dcgm_rule_count; i++) {
		if (gm_str_ieq(name, gm_str(gm_dcgm_rules[i].name)))
			return &gm_dcgm_rules[i];
	}
	return NULL;
}

bool gm_dcgm_series(struct gm_str name, const struct gm_promtext_label *labels, size_t count, struct gm_series *out)
{
	struct gm_str label[LABEL_COUNT] = { 0 };
	uint64_t gi = 0;

	collect_labels(labels, count, label);
	*out = (struct gm_series){ .rule = find_rule(name),
				   .uuid = label[LABEL_UUID],
				   .node = label[LABEL_NODE],
				   .pci_bus_id = label[LABEL_PCI],
				   .product_name = label[LABEL_PRODUCT],
				   .driver_version = label[LABEL_DRIVER],
				   .serial = label[LABEL_SERIAL],
				   .index = device_index(label[LABEL_GPU], label[LABEL_DEVICE]),
				   .gi_id = -1,
				   .ci_id = -1,
				   .placement_start = -1,
				   .placement_size = -1,
				   .source = GM_SOURCE_DCGM,
				   .validity = GM_MEASURED };
	if (out->uuid.n == 0 || gm_str_starts(out->uuid, GM_STR("MIG-")))
		return false;
	if (label[LABEL_GI].n > 0) {
		if (!gm_parse_u64(label[LABEL_GI], 0, 255, &gi))
			return false;
		out->gi_id = (int)gi;
		out->ci_id = 0; /* DCGM tells GPU instances only */
		out->profile = label[LABEL_PROFILE];
		out->mig_uuid = label[LABEL_MIG_UUID];
	}
	take_pod(label, out);
	return true;
}
