/* SPDX-License-Identifier: MIT */
#include "adapter/nvmlsim/front-internal.h"

#include <stdlib.h>

/* nvmlDeviceGetFieldValues: a row a field. An id that has none is one that the driver does not know. */

enum mode { ANY, WHOLE /* a board that is not in MIG mode */ };
#define SCOPE UINT32_MAX /* the argument is the scope that the caller gave */

static const struct field {
	uint16_t id;
	uint8_t type;
	uint8_t mode;
	front_value *value;
	uint32_t arg;
} fields[] = {
	{ GM_NVML_FI_ECC_CURRENT, GM_NVML_VALUE_UINT, ANY, front_ecc_mode, 0 },
	{ GM_NVML_FI_ECC_PENDING, GM_NVML_VALUE_UINT, ANY, front_ecc_mode, 0 },
	{ GM_NVML_FI_ECC_SBE_VOLATILE, GM_NVML_VALUE_ULONG_LONG, ANY, front_ecc_volatile, GM_NVML_ECC_CORRECTED },
	{ GM_NVML_FI_ECC_DBE_VOLATILE, GM_NVML_VALUE_ULONG_LONG, ANY, front_ecc_volatile, GM_NVML_ECC_UNCORRECTED },
	{ GM_NVML_FI_ECC_SBE_AGGREGATE, GM_NVML_VALUE_ULONG_LONG, ANY, front_ecc_aggregate, GM_NVML_ECC_CORRECTED },
	{ GM_NVML_FI_ECC_DBE_AGGREGATE, GM_NVML_VALUE_ULONG_LONG, ANY, front_ecc_aggregate, GM_NVML_ECC_UNCORRECTED },
	{ GM_NVML_FI_RETIRED_SBE, GM_NVML_VALUE_UINT, ANY, front_retired, GM_NVML_RETIRED_MULTIPLE_SBE },
	{ GM_NVML_FI_RETIRED_DBE, GM_NVML_VALUE_UINT, ANY, front_retired, GM_NVML_RETIRED_DBE },
	{ GM_NVML_FI_RETIRED_PENDING, GM_NVML_VALUE_UINT, ANY, front_retired_pending, 0 },
	{ GM_NVML_FI_VIOLATION_POWER_NS, GM_NVML_VALUE_ULONG_LONG, ANY, front_throttle_ns,
	  GM_NVML_THROTTLE_SW_POWER_CAP },
	{ GM_NVML_FI_VIOLATION_THERMAL_NS, GM_NVML_VALUE_ULONG_LONG, ANY, front_throttle_ns,
	  GM_NVML_THROTTLE_SW_THERMAL },
	{ GM_NVML_FI_VIOLATION_SYNC_BOOST_NS, GM_NVML_VALUE_ULONG_LONG, ANY, front_throttle_ns,
	  GM_NVML_THROTTLE_SYNC_BOOST },
	{ GM_NVML_FI_MEMORY_TEMPERATURE_C, GM_NVML_VALUE_UINT, ANY, front_memory_temperature, 0 },
	{ GM_NVML_FI_ENERGY_MJ, GM_NVML_VALUE_ULONG_LONG, ANY, front_energy, 0 },
	{ GM_NVML_FI_NVLINK_COUNT, GM_NVML_VALUE_UINT, ANY, front_nvlink_count, 0 },
	{ GM_NVML_FI_PCIE_REPLAY, GM_NVML_VALUE_UINT, ANY, front_pcie_replay, 0 },
	{ GM_NVML_FI_NVLINK_DATA_TX_KIB, GM_NVML_VALUE_ULONG_LONG, WHOLE, front_nvlink_kib, SCOPE },
	{ GM_NVML_FI_NVLINK_DATA_RX_KIB, GM_NVML_VALUE_ULONG_LONG, WHOLE, front_nvlink_kib, SCOPE },
	{ GM_NVML_FI_NVLINK_RAW_TX_KIB, GM_NVML_VALUE_ULONG_LONG, WHOLE, front_nvlink_kib, SCOPE },
	{ GM_NVML_FI_NVLINK_RAW_RX_KIB, GM_NVML_VALUE_ULONG_LONG, WHOLE, front_nvlink_kib, SCOPE },
	{ GM_NVML_FI_REMAPPED_CORRECTABLE, GM_NVML_VALUE_UINT, ANY, front_remapped, GM_NVML_FI_REMAPPED_CORRECTABLE },
	{ GM_NVML_FI_REMAPPED_UNCORRECTABLE, GM_NVML_VALUE_UINT, ANY, front_remapped,
	  GM_NVML_FI_REMAPPED_UNCORRECTABLE },
	{ GM_NVML_FI_REMAPPED_PENDING, GM_NVML_VALUE_UINT, ANY, front_remapped, GM_NVML_FI_REMAPPED_PENDING },
	{ GM_NVML_FI_REMAPPED_FAILURE, GM_NVML_VALUE_UINT, ANY, front_remapped, GM_NVML_FI_REMAPPED_FAILURE },
	{ GM_NVML_FI_NVLINK_SPEED_MBPS, GM_NVML_VALUE_UINT, ANY, front_nvlink_speed, SCOPE },
	{ GM_NVML_FI_NVLINK_STATE, GM_NVML_VALUE_UINT, ANY, front_nvlink_state, SCOPE },
	{ GM_NVML_FI_MIG_RESETLESS, GM_NVML_VALUE_UINT, ANY, front_mig_resetless, 0 },
	{ GM_NVML_FI_POWER_AVERAGE_MW, GM_NVML_VALUE_UINT, ANY, front_power, 0 },
	{ GM_NVML_FI_POWER_INSTANT_MW, GM_NVML_VALUE_UINT, ANY, front_power, 0 },
	{ GM_NVML_FI_POWER_MIN_LIMIT_MW, GM_NVML_VALUE_UINT, ANY, front_power_min, 0 },
	{ GM_NVML_FI_POWER_MAX_LIMIT_MW, GM_NVML_VALUE_UINT, ANY, front_power_max, 0 },
	{ GM_NVML_FI_POWER_DEFAULT_LIMIT_MW, GM_NVML_VALUE_UINT, ANY, front_power_default, 0 },
	{ GM_NVML_FI_POWER_CURRENT_LIMIT_MW, GM_NVML_VALUE_UINT, ANY, front_power_limit, 0 },
	{ GM_NVML_FI_TLIMIT_SHUTDOWN_C, GM_NVML_VALUE_INT, ANY, front_tlimit, GM_NVML_FI_TLIMIT_SHUTDOWN_C },
	{ GM_NVML_FI_TLIMIT_SLOWDOWN_C, GM_NVML_VALUE_INT, ANY, front_tlimit, GM_NVML_FI_TLIMIT_SLOWDOWN_C },
	{ GM_NVML_FI_TLIMIT_MEMORY_C, GM_NVML_VALUE_INT, ANY, front_tlimit, GM_NVML_FI_TLIMIT_MEMORY_C },
	{ GM_NVML_FI_TLIMIT_GPU_C, GM_NVML_VALUE_INT, ANY, front_tlimit, GM_NVML_FI_TLIMIT_GPU_C },
	{ GM_NVML_FI_PCIE_TX_BYTES, GM_NVML_VALUE_ULONG_LONG, ANY, front_pcie_bytes, GM_NVML_PCIE_TX },
	{ GM_NVML_FI_PCIE_RX_BYTES, GM_NVML_VALUE_ULONG_LONG, ANY, front_pcie_bytes, GM_NVML_PCIE_RX },
	{ GM_NVML_FI_MIG_INDEPENDENT_QUERY, GM_NVML_VALUE_UINT, ANY, front_mig_independent, 0 },
	{ GM_NVML_FI_RECOVERY_ACTION, GM_NVML_VALUE_UINT, ANY, front_recovery, 0 },
	{ GM_NVML_FI_VIOLATION_SW_THERMAL_NS, GM_NVML_VALUE_ULONG_LONG, ANY, front_throttle_ns,
	  GM_NVML_THROTTLE_SW_THERMAL },
	{ GM_NVML_FI_VIOLATION_HW_THERMAL_NS, GM_NVML_VALUE_ULONG_LONG, ANY, front_throttle_ns,
	  GM_NVML_THROTTLE_HW_THERMAL },
	{ GM_NVML_FI_VIOLATION_POWER_BRAKE_NS, GM_NVML_VALUE_ULONG_LONG, ANY, front_throttle_ns,
	  GM_NVML_THROTTLE_HW_POWER_BRAKE },
};

static int by_id(const void *key, const void *row)
{
	uint32_t id = *(const uint32_t *)key;
	const struct field *f = row;
	return id < f->id ? -1 : id > f->id;
}

static void put(struct gm_nvml_field *out, enum gm_nvml_value_type type, int64_t value)
{
	out->type = type;
	out->value.ull = 0;
	switch (type) {
	case GM_NVML_VALUE_INT:
		out->value.si = (int32_t)value;
		break;
	case GM_NVML_VALUE_UINT:
		out->value.ui = (uint32_t)value;
		break;
	case GM_NVML_VALUE_DOUBLE:
		out->value.d = (double)value;
		break;
	case GM_NVML_VALUE_USHORT:
		out->value.us = (uint16_t)value;
		break;
	case GM_NVML_VALUE_ULONG:
	case GM_NVML_VALUE_ULONG_LONG:
	case GM_NVML_VALUE_LONG_LONG:
		out->value.ull = (uint64_t)value;
		break;
	}
}

static void answer(const struct front_call *c, struct gm_nvml_field *out)
{
	const struct field *f = bsearch(&out->id, fields, GM_LEN(fields), sizeof(fields[0]), by_id);

	out->at_us = nvs_world_now_ms(c->world) * 1000;
	out->latency_us = 0;
	if (!f || (f->mode == WHOLE && c->state->mig_current)) {
		out->rc = f ? GM_NVML_ERROR_NOT_SUPPORTED : GM_NVML_ERROR_INVALID_ARGUMENT;
		return;
	}
	int64_t value = f->value(c, f->arg == SCOPE ? out->scope : f->arg);
	out->rc = (uint32_t)front_value_rc(value);
	if (!out->rc)
		put(out, f->type, value);
}

NVML(nvmlDeviceGetFieldValues, struct gm_nvml_device *device, int count, struct gm_nvml_field *values)
{
	FRONT_DEVICE(c, device, 0);
	if (count <= 0 || !values)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	for (int i = 0; i < count; i++) {
		answer(&c, &values[i]);
		front_filled(&c, &values[i].value, sizeof(values[i].value));
	}
	return 0;
}

/* Counters of the simulation begin anew with a reset of the board, not by wish. */
NVML(nvmlDeviceClearFieldValues, struct gm_nvml_device *device, int count, struct gm_nvml_field *values)
{
	FRONT_DEVICE(c, device, FRONT_ROOT);
	if (count <= 0 || !values)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	for (int i = 0; i < count; i++)
		values[i].rc = GM_NVML_ERROR_NOT_SUPPORTED;
	return 0;
}
