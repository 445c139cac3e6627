/* SPDX-License-Identifier: MIT */
#include "adapter/nvmlsim/front-internal.h"

#include <string.h>

/* Numbers that one call asks for: the plain ones are rows of a table. */

static int64_t brand(const struct front_call *c, uint32_t arg)
{
	enum { QUADRO = 1, TESLA = 2, GEFORCE = 5, TITAN = 6, NVIDIA_RTX = 12, NVIDIA = 14 };
	const char *name = c->variant->names && c->variant->names[0] ? c->variant->names[0] : "";
	(void)arg;
	return strstr(name, "GeForce")	? GEFORCE
	       : strstr(name, "TITAN")	? TITAN
	       : strstr(name, "Tesla")	? TESLA
	       : strstr(name, "Quadro") ? QUADRO
	       : strstr(name, "RTX")	? NVIDIA_RTX
					: NVIDIA;
}

static int64_t architecture(const struct front_call *c, uint32_t arg)
{
	(void)arg;
	return c->arch;
}

static int64_t minor_number(const struct front_call *c, uint32_t arg)
{
	(void)arg;
	return c->state->minor;
}

static int64_t own_index(const struct front_call *c, uint32_t arg)
{
	(void)arg;
	return c->ci ? c->ci->index : c->board;
}

/* As the driver makes it: of the place on the bus. */
static int64_t board_id(const struct front_call *c, uint32_t arg)
{
	(void)arg;
	return (int64_t)(0x1a00 + c->board * 0x100);
}

static int64_t numa_node(const struct front_call *c, uint32_t arg)
{
	(void)arg;
	return front_numa_node(c);
}

static int64_t on(const struct front_call *c, uint32_t arg)
{
	(void)c;
	(void)arg;
	return GM_NVML_ENABLED;
}

static int64_t cores(const struct front_call *c, uint32_t arg)
{
	(void)arg;
	/* 64 a multiprocessor on the boards that compute in double precision, and on Volta and Turing; else 128 */
	bool few = c->arch == GM_NVML_ARCH_VOLTA || c->arch == GM_NVML_ARCH_TURING ||
		   (c->arch == GM_NVML_ARCH_AMPERE && front_is_hbm(c));
	int64_t sms = front_sm_count(c, 0);
	return c->state->mig_current || sms < 0 ? FRONT_NONE : sms * (few ? 64 : 128);
}

static int64_t bus_width(const struct front_call *c, uint32_t arg)
{
	(void)arg;
	return front_is_hbm(c) ? 5120 : 384;
}

/* 0: by the temperature */
static int64_t fan_policy(const struct front_call *c, uint32_t arg)
{
	int64_t speed = front_fan(c, arg);
	return speed < 0 ? speed : 0;
}

/* The suffix after nvmlDeviceGet; who may be asked; the function of the number. */
#define UINTS(X)                                                                                                       \
	X(Architecture, FRONT_MIG_TOO, architecture)                                                                   \
	X(BoardId, 0, board_id)                                                                                        \
	X(Brand, FRONT_MIG_TOO, brand)                                                                                 \
	X(ComputeMode, FRONT_MIG_TOO, front_zero)                                                                      \
	X(CurrPcieLinkGeneration, 0, front_pcie_gen)                                                                   \
	X(CurrPcieLinkWidth, 0, front_pcie_width)                                                                      \
	X(DisplayActive, 0, front_zero)                                                                                \
	X(DisplayMode, 0, front_zero)                                                                                  \
	X(EnforcedPowerLimit, 0, front_power_limit)                                                                    \
	X(FanSpeed, 0, front_fan)                                                                                      \
	X(GpuMaxPcieLinkGeneration, 0, front_pcie_max_gen)                                                             \
	X(Index, FRONT_MIG_TOO, own_index)                                                                             \
	X(MaxPcieLinkGeneration, 0, front_pcie_max_gen)                                                                \
	X(MaxPcieLinkWidth, 0, front_pcie_width)                                                                       \
	X(MemoryBusWidth, 0, bus_width)                                                                                \
	X(MinorNumber, 0, minor_number)                                                                                \
	X(MultiGpuBoard, 0, front_zero)                                                                                \
	X(NumFans, 0, front_fan_count)                                                                                 \
	X(NumGpuCores, 0, cores)                                                                                       \
	X(NumaNodeId, 0, numa_node)                                                                                    \
	X(PcieReplayCounter, 0, front_pcie_replay)                                                                     \
	X(PerformanceState, 0, front_pstate)                                                                           \
	X(PersistenceMode, 0, on)                                                                                      \
	X(PowerManagementDefaultLimit, 0, front_power_default)                                                         \
	X(PowerManagementLimit, 0, front_power_limit)                                                                  \
	X(PowerManagementMode, 0, on)                                                                                  \
	X(PowerUsage, 0, front_power)                                                                                  \
	X(RetiredPagesPendingStatus, 0, front_retired_pending)

#define UINT_GETTER(suffix, flags, function)                                                                           \
	NVML(nvmlDeviceGet##suffix, struct gm_nvml_device *device, unsigned *out)                                      \
	{                                                                                                              \
		FRONT_DEVICE(c, device, flags);                                                                        \
		FRONT_OUT(c, out);                                                                                     \
		return front_put_u32(function(&c, 0), out);                                                            \
	}
UINTS(UINT_GETTER)

/* The same with one further argument. */
#define ARG_UINTS(X)                                                                                                   \
	X(ClockInfo, front_clock)                                                                                      \
	X(FanControlPolicy_v2, fan_policy)                                                                             \
	X(FanSpeed_v2, front_fan)                                                                                      \
	X(MaxClockInfo, front_max_clock)                                                                               \
	X(NvLinkState, front_nvlink_state)                                                                             \
	X(NvLinkVersion, front_nvlink_version)                                                                         \
	X(TargetFanSpeed, front_fan)                                                                                   \
	X(Temperature, front_temperature)                                                                              \
	X(TemperatureThreshold, front_threshold)

#define ARG_UINT_GETTER(suffix, function)                                                                              \
	NVML(nvmlDeviceGet##suffix, struct gm_nvml_device *device, unsigned arg, unsigned *out)                        \
	{                                                                                                              \
		FRONT_DEVICE(c, device, 0);                                                                            \
		FRONT_OUT(c, out);                                                                                     \
		return front_put_u32(function(&c, arg), out);                                                          \
	}
ARG_UINTS(ARG_UINT_GETTER)

#define U64S(X)                                                                                                        \
	X(CurrentClocksEventReasons, front_throttle)                                                                   \
	X(CurrentClocksThrottleReasons, front_throttle)                                                                \
	X(TotalEnergyConsumption, front_energy)

#define U64_GETTER(suffix, function)                                                                                   \
	NVML(nvmlDeviceGet##suffix, struct gm_nvml_device *device, uint64_t *out)                                      \
	{                                                                                                              \
		FRONT_DEVICE(c, device, 0);                                                                            \
		FRONT_OUT(c, out);                                                                                     \
		return front_put_u64(function(&c, 0), out);                                                            \
	}
U64S(U64_GETTER)

/* Engines with the period over which they were watched. JPEG and optical flow engines do not tell before Turing. */
static int64_t idle_engine(const struct front_call *c, uint32_t arg)
{
	(void)arg;
	return c->arch < GM_NVML_ARCH_TURING || c->state->mig_current ? FRONT_NONE : 0;
}

#define ENGINES(X)                                                                                                     \
	X(DecoderUtilization, front_decoder)                                                                           \
	X(EncoderUtilization, front_encoder)                                                                           \
	X(JpgUtilization, idle_engine)                                                                                 \
	X(OfaUtilization, idle_engine)

#define SAMPLING_US 167000U
#define ENGINE_GETTER(suffix, function)                                                                                \
	NVML(nvmlDeviceGet##suffix, struct gm_nvml_device *device, unsigned *out, unsigned *out_period_us)             \
	{                                                                                                              \
		FRONT_DEVICE(c, device, FRONT_NOT_IN_MIG);                                                             \
		FRONT_OUT(c, out);                                                                                     \
		FRONT_OUT(c, out_period_us);                                                                           \
		*out_period_us = SAMPLING_US;                                                                          \
		return front_put_u32(function(&c, 0), out);                                                            \
	}
ENGINES(ENGINE_GETTER)

NVML(nvmlDeviceGetUtilizationRates, struct gm_nvml_device *device, struct gm_nvml_utilization *out)
{
	FRONT_DEVICE(c, device, FRONT_NOT_IN_MIG);
	FRONT_OUT(c, out);
	int rc = front_put_u32(front_utilization(&c, 0), &out->gpu);
	return rc ? rc : front_put_u32(front_memory_utilization(&c, 0), &out->memory);
}

/* In the first form, what the driver keeps for itself counts as used. */
NVML(nvmlDeviceGetMemoryInfo, struct gm_nvml_device *device, struct gm_nvml_memory_v1 *out)
{
	FRONT_DEVICE(c, device, FRONT_MIG_TOO | FRONT_ROOT_IN_MIG);
	FRONT_OUT(c, out);
	struct front_memory m = front_memory(&c);
	*out = (struct gm_nvml_memory_v1){ .total = m.total,
					   .free = m.total - m.reserved - m.used,
					   .used = m.used + m.reserved };
	return 0;
}

NVML(nvmlDeviceGetMemoryInfo_v2, struct gm_nvml_device *device, struct gm_nvml_memory_v2 *out)
{
	FRONT_DEVICE(c, device, FRONT_MIG_TOO | FRONT_ROOT_IN_MIG);
	FRONT_OUT_VERSION(c, out, gm_nvml_memory_v2, 2);
	struct front_memory m = front_memory(&c);
	*out = (struct gm_nvml_memory_v2){ .version = out->version,
					   .total = m.total,
					   .reserved = m.reserved,
					   .free = m.total - m.reserved - m.used,
					   .used = m.used };
	return 0;
}

/* Boards with large windows map all of their memory, rounded up to a power of two; the others 256 MiB. */
NVML(nvmlDeviceGetBAR1MemoryInfo, struct gm_nvml_device *device, struct gm_nvml_bar1 *out)
{
	FRONT_DEVICE(c, device, FRONT_MIG_TOO);
	FRONT_OUT(c, out);
	uint64_t total = UINT64_C(1) << 28;
	while (!c.device->consumer && total < (uint64_t)c.device->memory_total_bytes)
		total *= 2;
	if (c.gi)
		total = total / (uint64_t)c.variant->mig->placement_units * (uint64_t)front_profile(&c, c.gi)->size;
	uint64_t used = UINT64_C(1) << 20;
	*out = (struct gm_nvml_bar1){ .total = total, .free = total - used, .used = used };
	return 0;
}

NVML(nvmlDeviceGetTemperatureV, struct gm_nvml_device *device, struct gm_nvml_temperature_v1 *out)
{
	FRONT_DEVICE(c, device, 0);
	FRONT_OUT_VERSION(c, out, gm_nvml_temperature_v1, 1);
	int64_t value = front_temperature(&c, out->sensor);
	int rc = front_value_rc(value);
	if (!rc)
		out->temperature = (int32_t)value;
	return rc;
}

NVML(nvmlDeviceGetMarginTemperature, struct gm_nvml_device *device, struct gm_nvml_margin_v1 *out)
{
	FRONT_DEVICE(c, device, 0);
	FRONT_OUT_VERSION(c, out, gm_nvml_margin_v1, 1);
	int64_t value = front_tlimit_margin(&c, 0);
	int rc = front_value_rc(value);
	if (!rc)
		out->margin = (int32_t)value;
	return rc;
}

NVML(nvmlDeviceGetPowerManagementLimitConstraints, struct gm_nvml_device *device, unsigned *out_min, unsigned *out_max)
{
	FRONT_DEVICE(c, device, 0);
	FRONT_OUT(c, out_min);
	FRONT_OUT(c, out_max);
	int rc = front_put_u32(front_power_min(&c, 0), out_min);
	return rc ? rc : front_put_u32(front_power_max(&c, 0), out_max);
}

/* Of what boards let a fan be set to: below it stands still. */
#define FAN_LEAST 30
NVML(nvmlDeviceGetMinMaxFanSpeed, struct gm_nvml_device *device, unsigned *out_min, unsigned *out_max)
{
	FRONT_DEVICE(c, device, 0);
	FRONT_OUT(c, out_min);
	FRONT_OUT(c, out_max);
	if (front_fan_count(&c, 0) == 0)
		return GM_NVML_ERROR_NOT_SUPPORTED;
	*out_min = FAN_LEAST;
	*out_max = 100;
	return 0;
}

/* Drivers of 2026 refuse it: the performance state is asked for by its other name. */
NVML(nvmlDeviceGetPowerState, struct gm_nvml_device *device, unsigned *out)
{
	FRONT_DEVICE(c, device, 0);
	FRONT_OUT(c, out);
	return GM_NVML_ERROR_DEPRECATED;
}

static int supported_reasons(struct front_call *c, uint64_t *out)
{
	FRONT_OUT(*c, out);
	*out = GM_NVML_THROTTLE_IDLE | GM_NVML_THROTTLE_APP_CLOCKS | GM_NVML_THROTTLE_SW_POWER_CAP |
	       GM_NVML_THROTTLE_HW_SLOWDOWN | GM_NVML_THROTTLE_SYNC_BOOST | GM_NVML_THROTTLE_SW_THERMAL |
	       GM_NVML_THROTTLE_HW_THERMAL | GM_NVML_THROTTLE_HW_POWER_BRAKE | GM_NVML_THROTTLE_DISPLAY;
	return 0;
}

NVML(nvmlDeviceGetSupportedClocksEventReasons, struct gm_nvml_device *device, uint64_t *out)
{
	FRONT_DEVICE(c, device, 0);
	return supported_reasons(&c, out);
}

NVML(nvmlDeviceGetSupportedClocksThrottleReasons, struct gm_nvml_device *device, uint64_t *out)
{
	FRONT_DEVICE(c, device, 0);
	return supported_reasons(&c, out);
}

/* How long a policy held clocks down. */
NVML(nvmlDeviceGetViolationStatus, struct gm_nvml_device *device, unsigned policy, struct gm_nvml_violation *out)
{
	static const uint32_t reasons[] = { GM_NVML_THROTTLE_SW_POWER_CAP, GM_NVML_THROTTLE_SW_THERMAL,
					    GM_NVML_THROTTLE_SYNC_BOOST };
	FRONT_DEVICE(c, device, 0);
	FRONT_OUT(c, out);
	if (policy >= GM_LEN(reasons))
		return policy <= 11 ? GM_NVML_ERROR_NOT_SUPPORTED : GM_NVML_ERROR_INVALID_ARGUMENT;
	if (c.device->consumer)
		return GM_NVML_ERROR_NOT_SUPPORTED;
	out->reference_us = (uint64_t)nvs_world_now_ms(c.world) * 1000;
	return front_put_u64(front_throttle_ns(&c, reasons[policy]), &out->violation_ns);
}

static const struct series {
	enum gm_nvml_sample_type type;
	front_value *value;
	unsigned arg;
	bool not_in_mig;
} series[] = {
	{ GM_NVML_SAMPLE_POWER, front_power, 0, false },
	{ GM_NVML_SAMPLE_GPU_UTILIZATION, front_utilization, 0, true },
	{ GM_NVML_SAMPLE_MEMORY_UTILIZATION, front_memory_utilization, 0, true },
	{ GM_NVML_SAMPLE_ENCODER_UTILIZATION, front_encoder, 0, true },
	{ GM_NVML_SAMPLE_DECODER_UTILIZATION, front_decoder, 0, true },
	{ GM_NVML_SAMPLE_PROCESSOR_CLOCK, front_clock, GM_NVML_CLOCK_SM, false },
	{ GM_NVML_SAMPLE_MEMORY_CLOCK, front_clock, GM_NVML_CLOCK_MEM, false },
};

/* The world keeps no past: the ring that a driver has is one sample deep here, the newest. */
NVML(nvmlDeviceGetSamples, struct gm_nvml_device *device, unsigned type, unsigned long long last_seen_us,
     unsigned *out_type, unsigned *io_count, struct gm_nvml_sample *samples)
{
	FRONT_DEVICE(c, device, 0);
	FRONT_OUT(c, out_type);
	if (!io_count || type >= GM_LEN(series))
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	int64_t value = series[type].value(&c, series[type].arg);
	int rc = front_value_rc(value);
	if (rc)
		return rc;
	*out_type = GM_NVML_VALUE_UINT;
	uint64_t now_us = (uint64_t)nvs_world_now_ms(c.world) * 1000;
	if (!samples) {
		*io_count = 1;
		return 0;
	}
	if (*io_count == 0)
		return GM_NVML_ERROR_INSUFFICIENT_SIZE;
	if (last_seen_us >= now_us)
		return GM_NVML_ERROR_NOT_FOUND;
	FRONT_OUT(c, samples);
	*io_count = 1;
	samples[0] = (struct gm_nvml_sample){ .at_us = now_us, .value.ui = (uint32_t)value };
	return 0;
}
