/* SPDX-License-Identifier: MIT */
#include "fake-nvml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT struct fake_nvml fake_nvml;

struct gm_nvml_device {
	unsigned board;
	int instance; /* -1: the board */
};
static struct gm_nvml_device boards[2] = { { 0, -1 }, { 1, -1 } };
static struct gm_nvml_device slices[FAKE_INSTANCES_MAX] = { { 0, 0 }, { 0, 1 }, { 0, 2 }, { 0, 3 } };

struct gm_nvml_gi {
	uint32_t id;
};
static struct gm_nvml_gi gis[16];
struct gm_nvml_gpm_sample {
	double graphics;
	int is_set;
};
struct gm_nvml_set {
	int unused;
};
static struct gm_nvml_set the_set;

/* What a test ordered for this call comes before everything. */
#define ENTER(member)                                                                                                  \
	do {                                                                                                           \
		fake_nvml.calls[GM_NVML_SYMBOL_##member]++;                                                            \
		if (fake_nvml.rc[GM_NVML_SYMBOL_##member])                                                             \
			return fake_nvml.rc[GM_NVML_SYMBOL_##member];                                                  \
	} while (0)
#define ENTER_BOARD(member, d)                                                                                         \
	do {                                                                                                           \
		ENTER(member);                                                                                         \
		if (fake_nvml.lost[(d)->board])                                                                        \
			return GM_NVML_ERROR_GPU_IS_LOST;                                                              \
	} while (0)
#define SPOIL(member, what)                                                                                            \
	do {                                                                                                           \
		if (fake_nvml.garbage[GM_NVML_SYMBOL_##member]) {                                                      \
			memset((what), 0xee, sizeof(*(what)));                                                         \
			return 0;                                                                                      \
		}                                                                                                      \
	} while (0)

#define SYSTEM_TEXT(symbol, member, text)                                                                              \
	EXPORT int symbol(char *out, uint32_t size)                                                                    \
	{                                                                                                              \
		ENTER(member);                                                                                         \
		if (fake_nvml.garbage[GM_NVML_SYMBOL_##member])                                                        \
			memset(out, 0xee, size);                                                                       \
		else                                                                                                   \
			(void)snprintf(out, size, "%s", text);                                                         \
		return 0;                                                                                              \
	}
#define TEXT(symbol, member, text)                                                                                     \
	EXPORT int symbol(struct gm_nvml_device *d, char *out, uint32_t size)                                          \
	{                                                                                                              \
		ENTER_BOARD(member, d);                                                                                \
		if (fake_nvml.garbage[GM_NVML_SYMBOL_##member])                                                        \
			memset(out, 0xee, size);                                                                       \
		else                                                                                                   \
			(void)snprintf(out, size, "%s", text);                                                         \
		return 0;                                                                                              \
	}
#define NUMBER(symbol, member, value)                                                                                  \
	EXPORT int symbol(struct gm_nvml_device *d, uint32_t *out)                                                     \
	{                                                                                                              \
		ENTER_BOARD(member, d);                                                                                \
		SPOIL(member, out);                                                                                    \
		*out = value;                                                                                          \
		return 0;                                                                                              \
	}
#define NUMBER_OF(symbol, member, value)                                                                               \
	EXPORT int symbol(struct gm_nvml_device *d, uint32_t which, uint32_t *out)                                     \
	{                                                                                                              \
		ENTER_BOARD(member, d);                                                                                \
		SPOIL(member, out);                                                                                    \
		*out = value;                                                                                          \
		return 0;                                                                                              \
	}
#define TWO(symbol, member, first, second)                                                                             \
	EXPORT int symbol(struct gm_nvml_device *d, uint32_t *out, uint32_t *more)                                     \
	{                                                                                                              \
		ENTER_BOARD(member, d);                                                                                \
		SPOIL(member, out);                                                                                    \
		*out = first;                                                                                          \
		*more = second;                                                                                        \
		return 0;                                                                                              \
	}

EXPORT int nvmlInit_v2(void)
{
	ENTER(init);
	return 0;
}
EXPORT int nvmlShutdown(void)
{
	ENTER(shutdown);
	return 0;
}
EXPORT int nvmlDeviceGetHandleByIndex_v2(uint32_t i, struct gm_nvml_device **out)
{
	ENTER(by_index);
	if (i >= fake_nvml.boards)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	*out = &boards[i];
	return fake_nvml.lost[i] ? GM_NVML_ERROR_GPU_IS_LOST : 0;
}
SYSTEM_TEXT(nvmlSystemGetDriverVersion, driver_version, "550.54.15")
SYSTEM_TEXT(nvmlSystemGetNVMLVersion, nvml_version, "12.550.54.15")
EXPORT int nvmlSystemGetCudaDriverVersion_v2(int32_t *out)
{
	ENTER(cuda_version);
	SPOIL(cuda_version, out);
	*out = 12040;
	return 0;
}
EXPORT int nvmlDeviceGetUUID(struct gm_nvml_device *d, char *out, uint32_t size)
{
	ENTER_BOARD(uuid, d);
	if (fake_nvml.garbage[GM_NVML_SYMBOL_uuid])
		memset(out, 0xee, size);
	else
		(void)snprintf(out, size, "%s",
			       d->instance < 0 ? fake_nvml.uuid[d->board] : fake_nvml.instances[d->instance].uuid);
	return 0;
}
EXPORT int nvmlDeviceGetName(struct gm_nvml_device *d, char *out, uint32_t size)
{
	ENTER_BOARD(name, d);
	if (fake_nvml.garbage[GM_NVML_SYMBOL_name])
		memset(out, 0xee, size);
	else
		(void)snprintf(out, size, "%s",
			       d->instance < 0 ? "NVIDIA H100 80GB HBM3" : fake_nvml.instances[d->instance].name);
	return 0;
}
TEXT(nvmlDeviceGetSerial, serial, "1650522003820")
TEXT(nvmlDeviceGetVbiosVersion, vbios, "96.00.89.00.01")
NUMBER(nvmlDeviceGetMinorNumber, minor, d->board)
NUMBER(nvmlDeviceGetIndex, index, d->board)
NUMBER(nvmlDeviceGetArchitecture, architecture, GM_NVML_ARCH_HOPPER)
NUMBER(nvmlDeviceGetNumaNodeId, numa_node, 1)
NUMBER(nvmlDeviceGetPersistenceMode, persistence, 1)
EXPORT int nvmlDeviceGetCudaComputeCapability(struct gm_nvml_device *d, int32_t *major, int32_t *minor)
{
	ENTER_BOARD(compute_capability, d);
	SPOIL(compute_capability, major);
	*major = 9;
	*minor = 0;
	return 0;
}
EXPORT int nvmlDeviceGetPciInfo_v3(struct gm_nvml_device *d, struct gm_nvml_pci_v3 *out)
{
	ENTER_BOARD(pci, d);
	SPOIL(pci, out);
	(void)snprintf(out->bus_id, sizeof(out->bus_id), "00000000:1A:00.0");
	(void)snprintf(out->bus_id_legacy, sizeof(out->bus_id_legacy), "0000:1A:00.0");
	return 0;
}

EXPORT int nvmlDeviceGetFieldValues(struct gm_nvml_device *d, int32_t n, struct gm_nvml_field *f)
{
	ENTER_BOARD(fields, d);
	for (int32_t i = 0; i < n; i++) {
		if (fake_nvml.garbage[GM_NVML_SYMBOL_fields]) {
			f[i].rc = 0;
			f[i].type = 0xee;
			f[i].value.ull = UINT64_C(0xeeeeeeeeeeeeeeee);
			continue;
		}
		if (f[i].id >= FAKE_FIELDS_MAX || !fake_nvml.fields[f[i].id].has) {
			f[i].rc = f[i].id % 2 ? GM_NVML_ERROR_NOT_SUPPORTED : GM_NVML_ERROR_INVALID_ARGUMENT;
			continue;
		}
		f[i].rc = (uint32_t)fake_nvml.fields[f[i].id].rc;
		if (fake_nvml.fields[f[i].id].all_links != (f[i].scope == GM_NVML_SCOPE_ALL))
			f[i].rc = GM_NVML_ERROR_INVALID_ARGUMENT;
		f[i].type = fake_nvml.fields[f[i].id].type;
		f[i].at_us = fake_nvml.fields[f[i].id].at_us;
		f[i].value.sll = fake_nvml.fields[f[i].id].value;
		if (f[i].type == GM_NVML_VALUE_DOUBLE)
			f[i].value.d = (double)fake_nvml.fields[f[i].id].value;
	}
	return 0;
}
EXPORT int nvmlDeviceGetUtilizationRates(struct gm_nvml_device *d, struct gm_nvml_utilization *out)
{
	ENTER_BOARD(utilization, d);
	SPOIL(utilization, out);
	if (fake_nvml.mig_current)
		return GM_NVML_ERROR_NOT_SUPPORTED;
	*out = (struct gm_nvml_utilization){ fake_nvml.gpu_percent, fake_nvml.memory_percent };
	return 0;
}
TWO(nvmlDeviceGetEncoderUtilization, encoder, 11, 167000)
TWO(nvmlDeviceGetDecoderUtilization, decoder, 12, 167000)
EXPORT int nvmlDeviceGetMemoryInfo(struct gm_nvml_device *d, struct gm_nvml_memory_v1 *out)
{
	ENTER_BOARD(memory, d);
	SPOIL(memory, out);
	*out = (struct gm_nvml_memory_v1){ fake_nvml.memory.total, fake_nvml.memory.free,
					   fake_nvml.memory.used + fake_nvml.memory.reserved };
	return 0;
}
EXPORT int nvmlDeviceGetBAR1MemoryInfo(struct gm_nvml_device *d, struct gm_nvml_bar1 *out)
{
	ENTER_BOARD(bar1, d);
	SPOIL(bar1, out);
	*out = (struct gm_nvml_bar1){ .total = 1000, .free = 600, .used = 400 };
	return 0;
}
NUMBER_OF(nvmlDeviceGetTemperature, temperature, fake_nvml.celsius)
NUMBER_OF(nvmlDeviceGetTemperatureThreshold, threshold, 85 + which)
NUMBER(nvmlDeviceGetPowerUsage, power, fake_nvml.milliwatts)
NUMBER(nvmlDeviceGetEnforcedPowerLimit, power_enforced, 650000)
NUMBER(nvmlDeviceGetPowerManagementDefaultLimit, power_default, 700000)
TWO(nvmlDeviceGetPowerManagementLimitConstraints, power_constraints, 200000, 700000)
EXPORT int nvmlDeviceGetTotalEnergyConsumption(struct gm_nvml_device *d, uint64_t *out)
{
	ENTER_BOARD(energy, d);
	SPOIL(energy, out);
	*out = 123456789;
	return 0;
}
NUMBER_OF(nvmlDeviceGetClockInfo, clock, which == GM_NVML_CLOCK_MEM ? 2619 : 1755)
NUMBER_OF(nvmlDeviceGetMaxClockInfo, max_clock, which == GM_NVML_CLOCK_MEM ? 2619 : 1980)
NUMBER(nvmlDeviceGetPerformanceState, pstate, 2)
NUMBER(nvmlDeviceGetNumFans, fan_count, 1)
NUMBER(nvmlDeviceGetFanSpeed, fan, fake_nvml.fan_percent)
NUMBER_OF(nvmlDeviceGetFanSpeed_v2, fan_v2, fake_nvml.fan_percent + which)
TWO(nvmlDeviceGetEccMode, ecc_mode, 1, 1)
EXPORT int nvmlDeviceGetTotalEccErrors(struct gm_nvml_device *d, uint32_t type, uint32_t counter, uint64_t *out)
{
	ENTER_BOARD(ecc_total, d);
	SPOIL(ecc_total, out);
	*out = (type == GM_NVML_ECC_CORRECTED ? 5 : 6) + 10 * counter;
	return 0;
}
EXPORT int nvmlDeviceGetRemappedRows(struct gm_nvml_device *d, uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *e)
{
	ENTER_BOARD(remapped, d);
	SPOIL(remapped, a);
	*a = 3;
	*b = 4;
	*c = 1;
	*e = 0;
	return 0;
}
EXPORT int nvmlDeviceGetRetiredPages(struct gm_nvml_device *d, uint32_t cause, uint32_t *count, uint64_t *pages)
{
	ENTER_BOARD(retired, d);
	if (*count != 0 || pages)
		return GM_NVML_ERROR_INVALID_ARGUMENT; /* the count alone is asked for */
	*count = cause == GM_NVML_RETIRED_DBE ? 2 : 0;
	return *count ? GM_NVML_ERROR_INSUFFICIENT_SIZE : 0;
}
NUMBER(nvmlDeviceGetRetiredPagesPendingStatus, retired_pending, 0)
NUMBER(nvmlDeviceGetCurrPcieLinkGeneration, pcie_gen, 4)
NUMBER(nvmlDeviceGetCurrPcieLinkWidth, pcie_width, 16)
NUMBER(nvmlDeviceGetMaxPcieLinkGeneration, pcie_max_gen, 5)
NUMBER(nvmlDeviceGetMaxPcieLinkWidth, pcie_max_width, 16)
NUMBER(nvmlDeviceGetPcieReplayCounter, pcie_replay, 9)
NUMBER_OF(nvmlDeviceGetPcieThroughput, pcie_throughput, fake_nvml.pcie_kib_s + which)

/* Writes the list in a stride; the tail of each record beyond what we know of is zero, as a struct's copy is. */
static int write_list(uint32_t *count, void *out, size_t stride)
{
	uint32_t room = *count;
	*count = fake_nvml.process_count;
	if (room < fake_nvml.process_count)
		return GM_NVML_ERROR_INSUFFICIENT_SIZE;
	for (uint32_t i = 0; i < fake_nvml.process_count; i++) {
		uint8_t *p = (uint8_t *)out + stride * i;
		memset(p, 0, stride);
		size_t n = stride < sizeof(fake_nvml.processes[i]) ? stride : sizeof(fake_nvml.processes[i]);
		memcpy(p, &fake_nvml.processes[i], n);
	}
	return 0;
}
static int none(uint32_t *count)
{
	*count = 0;
	return 0;
}

EXPORT int nvmlDeviceGetComputeRunningProcesses_v2(struct gm_nvml_device *d, uint32_t *count, void *out)
{
	ENTER_BOARD(compute_v2, d);
	return write_list(count, out, 24);
}

EXPORT int nvmlEventSetCreate(struct gm_nvml_set **out)
{
	ENTER(events_create);
	*out = &the_set;
	fake_nvml.sets++;
	fake_nvml.registered = 0;
	return 0;
}
EXPORT int nvmlEventSetFree(struct gm_nvml_set *set)
{
	(void)set;
	ENTER(events_free);
	fake_nvml.sets--;
	return 0;
}
EXPORT int nvmlDeviceGetSupportedEventTypes(struct gm_nvml_device *d, uint64_t *out)
{
	ENTER_BOARD(events_supported, d);
	*out = GM_NVML_EVENT_XID | GM_NVML_EVENT_CLOCK | GM_NVML_EVENT_MIG_CONFIG;
	return 0;
}
EXPORT int nvmlDeviceRegisterEvents(struct gm_nvml_device *d, uint64_t types, struct gm_nvml_set *set)
{
	(void)set;
	ENTER_BOARD(events_register, d);
	if (types != (GM_NVML_EVENT_XID | GM_NVML_EVENT_MIG_CONFIG))
		return GM_NVML_ERROR_NOT_SUPPORTED;
	fake_nvml.registered |= 1u << d->board;
	return 0;
}
static int wait_one(struct gm_nvml_event_v2 *out, size_t size)
{
	ENTER(events_wait);
	for (unsigned i = 0; i < 2; i++)
		if (fake_nvml.lost[i] && fake_nvml.registered >> i & 1)
			return GM_NVML_ERROR_GPU_IS_LOST;
	if (!fake_nvml.has_event)
		return GM_NVML_ERROR_TIMEOUT;
	fake_nvml.event.device = &boards[fake_nvml.boards - 1];
	memcpy(out, &fake_nvml.event, size);
	fake_nvml.has_event = false;
	return 0;
}

#ifdef FAKE_OLD
EXPORT int nvmlEventSetWait(struct gm_nvml_set *set, struct gm_nvml_event_v1 *out, uint32_t timeout_ms)
{
	(void)set;
	(void)timeout_ms;
	return wait_one((struct gm_nvml_event_v2 *)(void *)out, sizeof(*out));
}
EXPORT int nvmlDeviceGetCurrentClocksThrottleReasons(struct gm_nvml_device *d, uint64_t *out)
#else
EXPORT int nvmlDeviceGetCurrentClocksEventReasons(struct gm_nvml_device *d, uint64_t *out)
#endif
{
	ENTER_BOARD(throttle, d);
	SPOIL(throttle, out);
	*out = GM_NVML_THROTTLE_SW_POWER_CAP | GM_NVML_THROTTLE_IDLE;
	return 0;
}

#ifndef FAKE_TOO_OLD /* a needed one */
EXPORT int nvmlDeviceGetCount_v2(uint32_t *out)
{
	ENTER(count);
	*out = fake_nvml.boards;
	return 0;
}
#endif

/* What came after R470. */
#ifndef FAKE_OLD
EXPORT int nvmlEventSetWait_v2(struct gm_nvml_set *set, struct gm_nvml_event_v2 *out, uint32_t timeout_ms)
{
	(void)set;
	(void)timeout_ms;
	return wait_one(out, sizeof(*out));
}
EXPORT int nvmlDeviceGetHandleByUUID(const char *uuid, struct gm_nvml_device **out)
{
	ENTER(by_uuid);
	for (unsigned i = 0; i < fake_nvml.boards; i++) {
		if (strcmp(uuid, fake_nvml.uuid[i]) != 0)
			continue;
		*out = &boards[i];
		return fake_nvml.lost[i] ? GM_NVML_ERROR_GPU_IS_LOST : 0;
	}
	return GM_NVML_ERROR_NOT_FOUND;
}
EXPORT int nvmlDeviceGetMemoryInfo_v2(struct gm_nvml_device *d, struct gm_nvml_memory_v2 *out)
{
	ENTER_BOARD(memory_v2, d);
	if (out->version != 0x02000028)
		return GM_NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	SPOIL(memory_v2, out);
	*out = fake_nvml.memory;
	return 0;
}
EXPORT int nvmlDeviceGetTemperatureV(struct gm_nvml_device *d, struct gm_nvml_temperature_v1 *out)
{
	ENTER_BOARD(temperature_v, d);
	SPOIL(temperature_v, out);
	out->temperature = (int32_t)fake_nvml.celsius;
	return 0;
}
EXPORT int nvmlDeviceGetMarginTemperature(struct gm_nvml_device *d, struct gm_nvml_margin_v1 *out)
{
	ENTER_BOARD(margin, d);
	SPOIL(margin, out);
	out->margin = 42;
	return 0;
}
EXPORT int nvmlSystemGetProcessName(uint32_t pid, char *out, uint32_t size)
{
	ENTER(process_name);
	(void)snprintf(out, size, "/usr/bin/job-%u", pid);
	return 0;
}
EXPORT int nvmlDeviceGetRunningProcessDetailList(struct gm_nvml_device *d, struct gm_nvml_process_detail_list_v1 *list)
{
	ENTER_BOARD(process_details, d);
	if (list->version != 0x01000018)
		return GM_NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	return list->mode == GM_NVML_PROCESS_COMPUTE ? write_list(&list->count, list->array, 32) : none(&list->count);
}
EXPORT int nvmlDeviceGetComputeRunningProcesses_v3(struct gm_nvml_device *d, uint32_t *count, void *out)
{
	ENTER_BOARD(compute_v3, d);
	return write_list(count, out, fake_nvml.process_stride);
}
EXPORT int nvmlDeviceGetGraphicsRunningProcesses_v3(struct gm_nvml_device *d, uint32_t *count, void *out)
{
	(void)out;
	ENTER_BOARD(graphics_v3, d);
	return none(count);
}
EXPORT int nvmlDeviceGetMPSComputeRunningProcesses_v3(struct gm_nvml_device *d, uint32_t *count, void *out)
{
	(void)out;
	ENTER_BOARD(mps_v3, d);
	return none(count);
}

TWO(nvmlDeviceGetMigMode, mig_mode, fake_nvml.mig_current, fake_nvml.mig_pending)
NUMBER(nvmlDeviceGetMaxMigDeviceCount, mig_max, FAKE_INSTANCES_MAX)
EXPORT int nvmlDeviceGetMigDeviceHandleByIndex(struct gm_nvml_device *d, uint32_t i, struct gm_nvml_device **out)
{
	ENTER_BOARD(mig_by_index, d);
	if (i >= FAKE_INSTANCES_MAX)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	if (!fake_nvml.instances[i].alive)
		return GM_NVML_ERROR_NOT_FOUND;
	*out = &slices[i]; /* the same handle for whoever comes after */
	return 0;
}
NUMBER(nvmlDeviceGetGpuInstanceId, mig_gi_id, fake_nvml.instances[d->instance].gi)
NUMBER(nvmlDeviceGetComputeInstanceId, mig_ci_id, fake_nvml.instances[d->instance].ci)
EXPORT int nvmlDeviceGetAttributes_v2(struct gm_nvml_device *d, struct gm_nvml_attributes *out)
{
	ENTER_BOARD(attributes, d);
	SPOIL(attributes, out);
	*out = (struct gm_nvml_attributes){
		.sm_count = 60, .copy_engines = 3, .decoders = 3, .gi_slices = 3, .ci_slices = 3, .memory_mib = 40448
	};
	return 0;
}
/* Two profiles: the whole board (4 in the enum, id 0) and 3g (2, id 9). */
EXPORT int nvmlDeviceGetGpuInstanceProfileInfo(struct gm_nvml_device *d, uint32_t i, struct gm_nvml_gi_profile_v1 *out)
{
	ENTER_BOARD(gi_profile, d);
	SPOIL(gi_profile, out);
	if (i >= GM_NVML_GI_PROFILE_COUNT)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	if (i != 4 && i != 2)
		return GM_NVML_ERROR_NOT_SUPPORTED;
	*out = i == 4 ? (struct gm_nvml_gi_profile_v1){ .id = 0,
							.slices = 7,
							.instances = 1,
							.sm_count = 132,
							.memory_mib = 81152 }
		      : (struct gm_nvml_gi_profile_v1){
				.id = 9, .slices = 3, .instances = 2, .sm_count = 60, .memory_mib = 40448
			};
	return 0;
}
EXPORT int nvmlDeviceGetGpuInstanceProfileInfoV(struct gm_nvml_device *d, uint32_t i, struct gm_nvml_gi_profile_v2 *out)
{
	ENTER_BOARD(gi_profile_v, d);
	if (out->version != 0x02000098)
		return GM_NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	SPOIL(gi_profile_v, out);
	if (i >= GM_NVML_GI_PROFILE_COUNT)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	if (i != 4 && i != 2)
		return GM_NVML_ERROR_NOT_SUPPORTED;
	*out = (struct gm_nvml_gi_profile_v2){ .version = out->version,
					       .id = i == 4 ? 0 : 9,
					       .slices = i == 4 ? 7 : 3,
					       .instances = i == 4 ? 1 : 2,
					       .sm_count = i == 4 ? 132 : 60,
					       .memory_mib = i == 4 ? 81152 : 40448 };
	(void)snprintf(out->name, sizeof(out->name), "MIG %s", i == 4 ? "7g.80gb" : "3g.40gb");
	return 0;
}
EXPORT int nvmlDeviceGetGpuInstancePossiblePlacements_v2(struct gm_nvml_device *d, uint32_t id,
							 struct gm_nvml_placement *out, uint32_t *count)
{
	ENTER_BOARD(gi_placements, d);
	uint32_t n = id == 9 ? 2 : 1;
	if (out && *count < n)
		return GM_NVML_ERROR_INSUFFICIENT_SIZE;
	for (uint32_t i = 0; out && i < n; i++)
		out[i] = (struct gm_nvml_placement){ .start = 4 * i, .size = id == 9 ? 4 : 8 };
	*count = n;
	return 0;
}
EXPORT int nvmlDeviceGetGpuInstanceById(struct gm_nvml_device *d, uint32_t id, struct gm_nvml_gi **out)
{
	ENTER_BOARD(gi_by_id, d);
	for (unsigned i = 0; i < FAKE_INSTANCES_MAX; i++)
		if (fake_nvml.instances[i].alive && fake_nvml.instances[i].gi == id && id < 16) {
			gis[id].id = id;
			*out = &gis[id];
			return 0;
		}
	return GM_NVML_ERROR_NOT_FOUND;
}
EXPORT int nvmlGpuInstanceGetInfo(struct gm_nvml_gi *gi, struct gm_nvml_gi_info *out)
{
	ENTER(gi_info);
	SPOIL(gi_info, out);
	*out = (struct gm_nvml_gi_info){ .id = gi->id,
					 .profile_id = 9,
					 .placement = { .start = gi->id == 1 ? 0 : 4, .size = 4 } };
	return 0;
}

EXPORT int nvmlGpmQueryDeviceSupport(struct gm_nvml_device *d, struct gm_nvml_gpm_support *out)
{
	ENTER_BOARD(gpm_support, d);
	if (out->version != GM_NVML_GPM_VERSION)
		return GM_NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	out->supported = fake_nvml.has_gpm;
	return 0;
}
EXPORT int nvmlGpmSampleAlloc(struct gm_nvml_gpm_sample **out)
{
	ENTER(gpm_alloc);
	*out = calloc(1, sizeof(**out));
	fake_nvml.gpm_samples++;
	return *out ? 0 : GM_NVML_ERROR_MEMORY;
}
EXPORT int nvmlGpmSampleFree(struct gm_nvml_gpm_sample *s)
{
	ENTER(gpm_free);
	free(s);
	fake_nvml.gpm_samples--;
	return 0;
}
EXPORT int nvmlGpmSampleGet(struct gm_nvml_device *d, struct gm_nvml_gpm_sample *s)
{
	ENTER_BOARD(gpm_sample, d);
	if (fake_nvml.board_graphics < 0)
		return GM_NVML_ERROR_NOT_SUPPORTED;
	*s = (struct gm_nvml_gpm_sample){ fake_nvml.board_graphics, 1 };
	return 0;
}
EXPORT int nvmlGpmMigSampleGet(struct gm_nvml_device *d, uint32_t gi, struct gm_nvml_gpm_sample *s)
{
	ENTER_BOARD(gpm_mig_sample, d);
	for (unsigned i = 0; i < FAKE_INSTANCES_MAX; i++)
		if (fake_nvml.instances[i].alive && fake_nvml.instances[i].gi == gi) {
			*s = (struct gm_nvml_gpm_sample){ fake_nvml.instances[i].graphics, 1 };
			return 0;
		}
	return GM_NVML_ERROR_NOT_FOUND;
}
/* The mean of both samples: a test sees which two were compared. */
EXPORT int nvmlGpmMetricsGet(struct gm_nvml_gpm_get *get)
{
	ENTER(gpm_metrics);
	if (get->version != GM_NVML_GPM_VERSION || !get->older->is_set || !get->newer->is_set)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	for (uint32_t i = 0; i < get->count; i++) {
		struct gm_nvml_gpm_metric *m = &get->metrics[i];
		m->rc = m->id <= GM_NVML_GPM_DRAM_UTIL ? 0 : GM_NVML_ERROR_NOT_SUPPORTED;
		m->value = (get->older->graphics + get->newer->graphics) / 2;
		if (fake_nvml.garbage[GM_NVML_SYMBOL_gpm_metrics])
			m->value = 1e300;
	}
	return 0;
}
#endif
