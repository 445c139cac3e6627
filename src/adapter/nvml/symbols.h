/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_NVML_SYMBOLS_H
#define GM_ADAPTER_NVML_SYMBOLS_H

#include "adapter/nvml/nvml-abi.h"

/*
 * The one list of what is looked up in the library: it declares the pointers, loads and clears them, and gives each call
 * the number by which a watchdog names it.
 *   X(need, member, function type, exact names by preference)
 * A library without a `req` one is refused; a missing `opt` one is an old driver and answers FUNCTION_NOT_FOUND.
 * Names stand together only where the binary interface is the same, or the caller copes with the older (said below).
 */
#define GM_NVML_SYMBOLS(X)                                                                                             \
	X(req, init, int(void), "nvmlInit_v2")                                                                         \
	X(req, shutdown, int(void), "nvmlShutdown")                                                                    \
	X(req, count, int(uint32_t *), "nvmlDeviceGetCount_v2")                                                        \
	X(req, by_index, int(uint32_t, struct gm_nvml_device **), "nvmlDeviceGetHandleByIndex_v2")                     \
	X(req, uuid, int(struct gm_nvml_device *, char *, uint32_t), "nvmlDeviceGetUUID")                              \
	X(opt, by_uuid, int(const char *, struct gm_nvml_device **), "nvmlDeviceGetHandleByUUID")                      \
	X(opt, driver_version, int(char *, uint32_t), "nvmlSystemGetDriverVersion")                                    \
	X(opt, nvml_version, int(char *, uint32_t), "nvmlSystemGetNVMLVersion")                                        \
	X(opt, cuda_version, int(int32_t *), "nvmlSystemGetCudaDriverVersion_v2|nvmlSystemGetCudaDriverVersion")       \
	X(opt, process_name, int(uint32_t, char *, uint32_t), "nvmlSystemGetProcessName")                              \
	/* identity */                                                                                                 \
	X(opt, name, int(struct gm_nvml_device *, char *, uint32_t), "nvmlDeviceGetName")                              \
	X(opt, serial, int(struct gm_nvml_device *, char *, uint32_t), "nvmlDeviceGetSerial")                          \
	X(opt, vbios, int(struct gm_nvml_device *, char *, uint32_t), "nvmlDeviceGetVbiosVersion")                     \
	X(opt, minor, int(struct gm_nvml_device *, uint32_t *), "nvmlDeviceGetMinorNumber")                            \
	/* _v2 fills all but the long bus id */                                                                        \
	X(opt, pci, int(struct gm_nvml_device *, struct gm_nvml_pci_v3 *),                                             \
	  "nvmlDeviceGetPciInfo_v3|nvmlDeviceGetPciInfo_v2")                                                           \
	X(opt, architecture, int(struct gm_nvml_device *, uint32_t *), "nvmlDeviceGetArchitecture")                    \
	X(opt, compute_capability, int(struct gm_nvml_device *, int32_t *, int32_t *),                                 \
	  "nvmlDeviceGetCudaComputeCapability")                                                                        \
	X(opt, numa_node, int(struct gm_nvml_device *, uint32_t *), "nvmlDeviceGetNumaNodeId")                         \
	X(opt, persistence, int(struct gm_nvml_device *, uint32_t *), "nvmlDeviceGetPersistenceMode")                  \
	X(opt, index, int(struct gm_nvml_device *, uint32_t *), "nvmlDeviceGetIndex")                                  \
	/* values */                                                                                                   \
	X(opt, fields, int(struct gm_nvml_device *, int32_t, struct gm_nvml_field *), "nvmlDeviceGetFieldValues")      \
	X(opt, utilization, int(struct gm_nvml_device *, struct gm_nvml_utilization *),                                \
	  "nvmlDeviceGetUtilizationRates")                                                                             \
	X(opt, encoder, int(struct gm_nvml_device *, uint32_t *, uint32_t *), "nvmlDeviceGetEncoderUtilization")       \
	X(opt, decoder, int(struct gm_nvml_device *, uint32_t *, uint32_t *), "nvmlDeviceGetDecoderUtilization")       \
	X(opt, memory_v2, int(struct gm_nvml_device *, struct gm_nvml_memory_v2 *), "nvmlDeviceGetMemoryInfo_v2")      \
	X(opt, memory, int(struct gm_nvml_device *, struct gm_nvml_memory_v1 *), "nvmlDeviceGetMemoryInfo")            \
	X(opt, bar1, int(struct gm_nvml_device *, struct gm_nvml_bar1 *), "nvmlDeviceGetBAR1MemoryInfo")               \
	X(opt, temperature_v, int(struct gm_nvml_device *, struct gm_nvml_temperature_v1 *),                           \
	  "nvmlDeviceGetTemperatureV")                                                                                 \
	X(opt, temperature, int(struct gm_nvml_device *, uint32_t, uint32_t *), "nvmlDeviceGetTemperature")            \
	X(opt, threshold, int(struct gm_nvml_device *, uint32_t, uint32_t *), "nvmlDeviceGetTemperatureThreshold")     \
	X(opt, margin, int(struct gm_nvml_device *, struct gm_nvml_margin_v1 *), "nvmlDeviceGetMarginTemperature")     \
	X(opt, power, int(struct gm_nvml_device *, uint32_t *), "nvmlDeviceGetPowerUsage")                             \
	X(opt, power_enforced, int(struct gm_nvml_device *, uint32_t *), "nvmlDeviceGetEnforcedPowerLimit")            \
	X(opt, power_default, int(struct gm_nvml_device *, uint32_t *), "nvmlDeviceGetPowerManagementDefaultLimit")    \
	X(opt, power_constraints, int(struct gm_nvml_device *, uint32_t *, uint32_t *),                                \
	  "nvmlDeviceGetPowerManagementLimitConstraints")                                                              \
	X(opt, energy, int(struct gm_nvml_device *, uint64_t *), "nvmlDeviceGetTotalEnergyConsumption")                \
	X(opt, clock, int(struct gm_nvml_device *, uint32_t, uint32_t *), "nvmlDeviceGetClockInfo")                    \
	X(opt, max_clock, int(struct gm_nvml_device *, uint32_t, uint32_t *), "nvmlDeviceGetMaxClockInfo")             \
	X(opt, pstate, int(struct gm_nvml_device *, uint32_t *), "nvmlDeviceGetPerformanceState")                      \
	X(opt, throttle, int(struct gm_nvml_device *, uint64_t *),                                                     \
	  "nvmlDeviceGetCurrentClocksEventReasons|nvmlDeviceGetCurrentClocksThrottleReasons")                          \
	X(opt, fan_count, int(struct gm_nvml_device *, uint32_t *), "nvmlDeviceGetNumFans")                            \
	X(opt, fan_v2, int(struct gm_nvml_device *, uint32_t, uint32_t *), "nvmlDeviceGetFanSpeed_v2")                 \
	X(opt, fan, int(struct gm_nvml_device *, uint32_t *), "nvmlDeviceGetFanSpeed")                                 \
	X(opt, ecc_mode, int(struct gm_nvml_device *, uint32_t *, uint32_t *), "nvmlDeviceGetEccMode")                 \
	X(opt, ecc_total, int(struct gm_nvml_device *, uint32_t, uint32_t, uint64_t *), "nvmlDeviceGetTotalEccErrors") \
	X(opt, remapped, int(struct gm_nvml_device *, uint32_t *, uint32_t *, uint32_t *, uint32_t *),                 \
	  "nvmlDeviceGetRemappedRows")                                                                                 \
	X(opt, retired, int(struct gm_nvml_device *, uint32_t, uint32_t *, uint64_t *), "nvmlDeviceGetRetiredPages")   \
	X(opt, retired_pending, int(struct gm_nvml_device *, uint32_t *), "nvmlDeviceGetRetiredPagesPendingStatus")    \
	X(opt, pcie_gen, int(struct gm_nvml_device *, uint32_t *), "nvmlDeviceGetCurrPcieLinkGeneration")              \
	X(opt, pcie_width, int(struct gm_nvml_device *, uint32_t *), "nvmlDeviceGetCurrPcieLinkWidth")                 \
	X(opt, pcie_max_gen, int(struct gm_nvml_device *, uint32_t *), "nvmlDeviceGetMaxPcieLinkGeneration")           \
	X(opt, pcie_max_width, int(struct gm_nvml_device *, uint32_t *), "nvmlDeviceGetMaxPcieLinkWidth")              \
	X(opt, pcie_replay, int(struct gm_nvml_device *, uint32_t *), "nvmlDeviceGetPcieReplayCounter")                \
	/* blocks 20 ms */                                                                                             \
	X(opt, pcie_throughput, int(struct gm_nvml_device *, uint32_t, uint32_t *), "nvmlDeviceGetPcieThroughput")     \
	/* processes: behind _v3 are two record sizes, see reader-processes.c; and some drivers lack it */             \
	X(opt, process_details, int(struct gm_nvml_device *, struct gm_nvml_process_detail_list_v1 *),                 \
	  "nvmlDeviceGetRunningProcessDetailList")                                                                     \
	X(opt, compute_v3, int(struct gm_nvml_device *, uint32_t *, void *),                                           \
	  "nvmlDeviceGetComputeRunningProcesses_v3")                                                                   \
	X(opt, compute_v2, int(struct gm_nvml_device *, uint32_t *, void *),                                           \
	  "nvmlDeviceGetComputeRunningProcesses_v2")                                                                   \
	X(opt, graphics_v3, int(struct gm_nvml_device *, uint32_t *, void *),                                          \
	  "nvmlDeviceGetGraphicsRunningProcesses_v3")                                                                  \
	X(opt, graphics_v2, int(struct gm_nvml_device *, uint32_t *, void *),                                          \
	  "nvmlDeviceGetGraphicsRunningProcesses_v2")                                                                  \
	X(opt, mps_v3, int(struct gm_nvml_device *, uint32_t *, void *), "nvmlDeviceGetMPSComputeRunningProcesses_v3") \
	X(opt, mps_v2, int(struct gm_nvml_device *, uint32_t *, void *), "nvmlDeviceGetMPSComputeRunningProcesses_v2") \
	/* events: without _v2 the last two members stay as the caller set them */                                     \
	X(opt, events_supported, int(struct gm_nvml_device *, uint64_t *), "nvmlDeviceGetSupportedEventTypes")         \
	X(opt, events_create, int(struct gm_nvml_set **), "nvmlEventSetCreate")                                        \
	X(opt, events_register, int(struct gm_nvml_device *, uint64_t, struct gm_nvml_set *),                          \
	  "nvmlDeviceRegisterEvents")                                                                                  \
	X(opt, events_wait, int(struct gm_nvml_set *, struct gm_nvml_event_v2 *, uint32_t),                            \
	  "nvmlEventSetWait_v2|nvmlEventSetWait")                                                                      \
	X(opt, events_free, int(struct gm_nvml_set *), "nvmlEventSetFree")                                             \
	/* MIG */                                                                                                      \
	X(opt, mig_mode, int(struct gm_nvml_device *, uint32_t *, uint32_t *), "nvmlDeviceGetMigMode")                 \
	X(opt, mig_set_mode, int(struct gm_nvml_device *, uint32_t, int32_t *), "nvmlDeviceSetMigMode")                \
	X(opt, mig_max, int(struct gm_nvml_device *, uint32_t *), "nvmlDeviceGetMaxMigDeviceCount")                    \
	X(opt, mig_by_index, int(struct gm_nvml_device *, uint32_t, struct gm_nvml_device **),                         \
	  "nvmlDeviceGetMigDeviceHandleByIndex")                                                                       \
	X(opt, mig_gi_id, int(struct gm_nvml_device *, uint32_t *), "nvmlDeviceGetGpuInstanceId")                      \
	X(opt, mig_ci_id, int(struct gm_nvml_device *, uint32_t *), "nvmlDeviceGetComputeInstanceId")                  \
	X(opt, attributes, int(struct gm_nvml_device *, struct gm_nvml_attributes *), "nvmlDeviceGetAttributes_v2")    \
	X(opt, gi_profile_v, int(struct gm_nvml_device *, uint32_t, struct gm_nvml_gi_profile_v2 *),                   \
	  "nvmlDeviceGetGpuInstanceProfileInfoV")                                                                      \
	X(opt, gi_profile, int(struct gm_nvml_device *, uint32_t, struct gm_nvml_gi_profile_v1 *),                     \
	  "nvmlDeviceGetGpuInstanceProfileInfo")                                                                       \
	X(opt, gi_placements, int(struct gm_nvml_device *, uint32_t, struct gm_nvml_placement *, uint32_t *),          \
	  "nvmlDeviceGetGpuInstancePossiblePlacements_v2")                                                             \
	X(opt, gi_list, int(struct gm_nvml_device *, uint32_t, struct gm_nvml_gi **, uint32_t *),                      \
	  "nvmlDeviceGetGpuInstances")                                                                                 \
	X(opt, gi_by_id, int(struct gm_nvml_device *, uint32_t, struct gm_nvml_gi **), "nvmlDeviceGetGpuInstanceById") \
	X(opt, gi_info, int(struct gm_nvml_gi *, struct gm_nvml_gi_info *), "nvmlGpuInstanceGetInfo")                  \
	X(opt, gi_create,                                                                                              \
	  int(struct gm_nvml_device *, uint32_t, const struct gm_nvml_placement *, struct gm_nvml_gi **),              \
	  "nvmlDeviceCreateGpuInstanceWithPlacement")                                                                  \
	X(opt, gi_destroy, int(struct gm_nvml_gi *), "nvmlGpuInstanceDestroy")                                         \
	X(opt, ci_profile, int(struct gm_nvml_gi *, uint32_t, uint32_t, struct gm_nvml_ci_profile_v1 *),               \
	  "nvmlGpuInstanceGetComputeInstanceProfileInfo")                                                              \
	X(opt, ci_list, int(struct gm_nvml_gi *, uint32_t, struct gm_nvml_ci **, uint32_t *),                          \
	  "nvmlGpuInstanceGetComputeInstances")                                                                        \
	X(opt, ci_create, int(struct gm_nvml_gi *, uint32_t, struct gm_nvml_ci **),                                    \
	  "nvmlGpuInstanceCreateComputeInstance")                                                                      \
	X(opt, ci_destroy, int(struct gm_nvml_ci *), "nvmlComputeInstanceDestroy")                                     \
	/* profiling */                                                                                                \
	X(opt, gpm_support, int(struct gm_nvml_device *, struct gm_nvml_gpm_support *), "nvmlGpmQueryDeviceSupport")   \
	X(opt, gpm_alloc, int(struct gm_nvml_gpm_sample **), "nvmlGpmSampleAlloc")                                     \
	X(opt, gpm_free, int(struct gm_nvml_gpm_sample *), "nvmlGpmSampleFree")                                        \
	X(opt, gpm_sample, int(struct gm_nvml_device *, struct gm_nvml_gpm_sample *), "nvmlGpmSampleGet")              \
	X(opt, gpm_mig_sample, int(struct gm_nvml_device *, uint32_t, struct gm_nvml_gpm_sample *),                    \
	  "nvmlGpmMigSampleGet")                                                                                       \
	X(opt, gpm_metrics, int(struct gm_nvml_gpm_get *), "nvmlGpmMetricsGet")

/* GM_NVML_SYMBOL_init ...: how calls are numbered. */
enum gm_nvml_symbol {
#define GM_NVML_SYMBOL_ENUM(need, member, type, names) GM_NVML_SYMBOL_##member,
	GM_NVML_SYMBOLS(GM_NVML_SYMBOL_ENUM)
#undef GM_NVML_SYMBOL_ENUM
		GM_NVML_SYMBOL_COUNT
};

#endif
