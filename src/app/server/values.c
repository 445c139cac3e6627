/* SPDX-License-Identifier: MIT */
#include "app/server/values.h"

#include "base/auto.h"

#define V(name_, field_, unit_, decimals_, divide_, place_, help_)                                                     \
	{                                                                                                              \
		.name = name_, .name_n = sizeof(name_) - 1, .field = GM_FIELD_##field_, .unit = unit_,                 \
		.decimals = decimals_, .divide = divide_, .place = GM_VALUE_##place_, .help = help_                    \
	}

const struct gm_value_def gm_value_table[] = {
	V("utilization", UTILIZATION, "percent", 2, 1, ITEM,
	  "Share of time in which work ran; of a MIG board the mean of its slices"),
	V("memoryUsedMiB", MEMORY_USED, "mebibytes", 0, GM_MIB, ITEM, "Frame buffer in use"),
	V("temperature", TEMPERATURE, "celsius", 1, 1, ITEM, "GPU core temperature"),
	V("powerWatts", POWER, "watts", 3, 1, ITEM, "Board power draw"),
	V("smClockMHz", SM_CLOCK, "megahertz", 0, 1, ITEM, "SM clock"),
	V("memoryFreeMiB", MEMORY_FREE, "mebibytes", 0, GM_MIB, DETAIL, "Frame buffer free"),
	V("memoryReservedMiB", MEMORY_RESERVED, "mebibytes", 0, GM_MIB, DETAIL, "Frame buffer kept by the driver"),
	V("memoryTemperature", MEMORY_TEMPERATURE, "celsius", 1, 1, DETAIL, "Memory temperature"),
	V("powerLimitWatts", POWER_LIMIT, "watts", 3, 1, DETAIL, "Power limit in force"),
	V("energyJoules", ENERGY, "joules", 3, 1, DETAIL, "Energy since the driver was loaded"),
	V("memoryClockMHz", MEMORY_CLOCK, "megahertz", 0, 1, DETAIL, "Memory clock"),
	V("memoryCopyUtilization", MEMORY_COPY_UTILIZATION, "percent", 2, 1, DETAIL,
	  "Share of time in which memory was read or written"),
	V("encoderUtilization", ENCODER_UTILIZATION, "percent", 2, 1, DETAIL, "Video encoder in use"),
	V("decoderUtilization", DECODER_UTILIZATION, "percent", 2, 1, DETAIL, "Video decoder in use"),
	V("grEngineActive", GR_ENGINE_ACTIVE, "percent", 2, 1, DETAIL, "Graphics or compute engine active"),
	V("smActive", SM_ACTIVE, "percent", 2, 1, DETAIL, "SMs with at least one warp"),
	V("smOccupancy", SM_OCCUPANCY, "percent", 2, 1, DETAIL, "Resident warps against what fits"),
	V("tensorActive", TENSOR_ACTIVE, "percent", 2, 1, DETAIL, "Tensor pipe active"),
	V("dramActive", DRAM_ACTIVE, "percent", 2, 1, DETAIL, "Device memory interface active"),
	V("pcieTxBytesPerSecond", PCIE_TX, "bytes_per_second", 0, 1, DETAIL, "PCIe, sent by the board"),
	V("pcieRxBytesPerSecond", PCIE_RX, "bytes_per_second", 0, 1, DETAIL, "PCIe, received by the board"),
	V("nvlinkBytesPerSecond", NVLINK, "bytes_per_second", 0, 1, DETAIL, "NVLink, all links, both ways"),
	V("nvlinkBytes", NVLINK_TOTAL, "bytes", 0, 1, DETAIL, "NVLink, all links, since the driver was loaded"),
	V("pcieReplays", PCIE_REPLAY, "count", 0, 1, DETAIL, "PCIe replays since the driver was loaded"),
	V("xid", XID, "code", 0, 1, DETAIL, "The last XID; 0: none"),
	V("eccSbe", ECC_SBE, "count", 0, 1, DETAIL, "Corrected memory errors since the driver was loaded"),
	V("eccDbe", ECC_DBE, "count", 0, 1, DETAIL, "Uncorrected memory errors since the driver was loaded"),
	V("remappedRowsCorrectable", REMAPPED_CORRECTABLE, "count", 0, 1, DETAIL,
	  "Rows remapped after corrected errors"),
	V("remappedRowsUncorrectable", REMAPPED_UNCORRECTABLE, "count", 0, 1, DETAIL,
	  "Rows remapped after uncorrected errors"),
	V("rowRemapPending", ROW_REMAP_PENDING, "flag", 0, 1, DETAIL, "A row waits for a reset to be remapped"),
	V("rowRemapFailure", ROW_REMAP_FAILURE, "flag", 0, 1, DETAIL, "A row could not be remapped"),
	V("retiredPages", RETIRED_PAGES, "count", 0, 1, DETAIL, "Retired memory pages"),
	V("fanPercent", FAN, "percent", 2, 1, DETAIL, "Fan speed asked for"),
};
const size_t gm_value_count = GM_LEN(gm_value_table);

/* nvmlClocksThrottleReasons; the names are the wire's. */
static const struct {
	uint64_t bit;
	const char *name;
} throttle_table[] = {
	{ 0x001, "gpu_idle" },
	{ 0x002, "application_clocks" },
	{ 0x004, "sw_power_cap" },
	{ 0x008, "hw_slowdown" },
	{ 0x010, "sync_boost" },
	{ 0x020, "sw_thermal_slowdown" },
	{ 0x040, "hw_thermal_slowdown" },
	{ 0x080, "hw_power_brake_slowdown" },
	{ 0x100, "display_clocks" },
};

const struct gm_value_def *gm_value_find(struct gm_str name)
{
	for (size_t i = 0; i < gm_value_count; i++) {
		if (gm_str_eq(name, gm_str_n(gm_value_table[i].name, gm_value_table[i].name_n)))
			return &gm_value_table[i];
	}
	return NULL;
}

void gm_value_write(struct gm_json *w, const struct gm_value_def *v, int64_t raw)
{
	gm_json_fixed(w, raw / v->divide, v->decimals);
}

void gm_values_write(struct gm_json *w, const struct gm_sample *s, enum gm_value_place place)
{
	for (size_t i = 0; i < gm_value_count; i++) {
		const struct gm_value_def *v = &gm_value_table[i];

		if (v->place != place)
			continue;
		gm_json_key_n(w, v->name, v->name_n);
		if (gm_sample_has(s, v->field))
			gm_value_write(w, v, s->value[v->field]);
		else
			gm_json_null(w);
	}
}

void gm_values_quality(struct gm_json *w, const struct gm_sample *s, enum gm_value_place place)
{
	gm_json_key(w, "quality");
	gm_json_object(w);
	for (size_t i = 0; i < gm_value_count; i++) {
		const struct gm_value_def *v = &gm_value_table[i];

		if (v->place > place || gm_sample_has(s, v->field))
			continue;
		gm_json_key_n(w, v->name, v->name_n);
		gm_json_cstr(w, gm_validity_name((enum gm_validity)s->validity[v->field]));
	}
	gm_json_end_object(w);
}

void gm_throttle_reasons_write(struct gm_json *w, const struct gm_sample *s)
{
	gm_json_key(w, "throttleReasons");
	if (!gm_sample_has(s, GM_FIELD_THROTTLE_REASONS)) {
		gm_json_null(w);
		return;
	}
	gm_json_array(w);
	for (size_t i = 0; i < GM_LEN(throttle_table); i++) {
		if ((uint64_t)s->value[GM_FIELD_THROTTLE_REASONS] & throttle_table[i].bit)
			gm_json_cstr(w, throttle_table[i].name);
	}
	gm_json_end_array(w);
}
