/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_SCRAPE_AGENT_FORMAT_H
#define GM_ADAPTER_SCRAPE_AGENT_FORMAT_H

#include "core/fleet/sample.h"

/*
 * The text our agent serves, as one table: its writer and our reader both live by it, docs/agent-metrics.md describes it.
 * All numbers are in base units (ratio 0..1, bytes, celsius, watts, joules, hertz, seconds).
 *
 * A device is named by `uuid`, a MIG instance by `uuid`, `gi` and `ci`. Facts stand once, on the info families:
 *   gpu_agent_info{version,hostname} 1                       makes a page of ours recognisable, with no device too
 *   gpu_agent_device_info{uuid,index,name,pci_bus_id,driver_version,serial,mig_mode} 1   mig_mode: on, off, unable
 *   gpu_agent_instance_info{uuid,gi,ci,mig_uuid,profile,placement_start,placement_size} 1
 *   gpu_agent_pod_info{uuid[,gi,ci],namespace,pod,container,pod_uid} 1
 *   gpu_agent_unavailable{uuid[,gi,ci],field,reason} 1       field: API name; reason: unsupported, error
 * Value families may carry `source` (nvml, gpm; nvml when it is left out) and `quality` (derived, estimated).
 */
#define GM_AGENT_PREFIX "gpu_agent_"
#define GM_AGENT_INFO GM_AGENT_PREFIX "info"
#define GM_AGENT_DEVICE_INFO GM_AGENT_PREFIX "device_info"
#define GM_AGENT_INSTANCE_INFO GM_AGENT_PREFIX "instance_info"
#define GM_AGENT_POD_INFO GM_AGENT_PREFIX "pod_info"
#define GM_AGENT_UNAVAILABLE GM_AGENT_PREFIX "unavailable"
#define GM_AGENT_MEMORY_TOTAL GM_AGENT_PREFIX "memory_total_bytes"
#define GM_AGENT_TEMPERATURE_LIMIT GM_AGENT_PREFIX "temperature_limit_celsius"
#define GM_AGENT_SAMPLE_TIME GM_AGENT_PREFIX "sample_timestamp_seconds"
/* 1: a driver call for the board does not return; its values are the last from before, at their own time. */
#define GM_AGENT_DRIVER_HUNG GM_AGENT_PREFIX "driver_hung"

/*
 *   X(field, name behind the prefix, unit, type, help)
 * The unit says how the base unit becomes the field's integer (adapter/scrape/unit.h).
 */
#define GM_AGENT_FAMILY_LIST(X)                                                                                        \
	X(UTILIZATION, "utilization_ratio", RATIO, GAUGE, "Share of time in which a kernel ran")                       \
	X(MEMORY_COPY_UTILIZATION, "memory_copy_utilization_ratio", RATIO, GAUGE,                                      \
	  "Share of time in which device memory was read or written")                                                  \
	X(ENCODER_UTILIZATION, "encoder_utilization_ratio", RATIO, GAUGE, "Use of the video encoders")                 \
	X(DECODER_UTILIZATION, "decoder_utilization_ratio", RATIO, GAUGE, "Use of the video decoders")                 \
	X(GR_ENGINE_ACTIVE, "graphics_engine_active_ratio", RATIO, GAUGE,                                              \
	  "Share of time in which the graphics or compute engine was active")                                          \
	X(SM_ACTIVE, "sm_active_ratio", RATIO, GAUGE, "Share of time with a warp on a multiprocessor, mean of all")    \
	X(SM_OCCUPANCY, "sm_occupancy_ratio", RATIO, GAUGE, "Resident warps, of those a multiprocessor can hold")      \
	X(TENSOR_ACTIVE, "tensor_active_ratio", RATIO, GAUGE, "Share of cycles in which the tensor pipes were active") \
	X(DRAM_ACTIVE, "dram_active_ratio", RATIO, GAUGE, "Share of cycles in which device memory moved data")         \
	X(MEMORY_USED, "memory_used_bytes", BYTES, GAUGE, "Device memory in use")                                      \
	X(MEMORY_FREE, "memory_free_bytes", BYTES, GAUGE, "Device memory free")                                        \
	X(MEMORY_RESERVED, "memory_reserved_bytes", BYTES, GAUGE, "Device memory kept by driver and firmware")         \
	X(TEMPERATURE, "temperature_celsius", CELSIUS, GAUGE, "Temperature of the GPU")                                \
	X(MEMORY_TEMPERATURE, "memory_temperature_celsius", CELSIUS, GAUGE, "Temperature of the device memory")        \
	X(POWER, "power_watts", WATTS, GAUGE, "Power drawn by the board")                                              \
	X(ENERGY, "energy_joules_total", JOULES, COUNTER, "Energy used since the driver was loaded")                   \
	X(SM_CLOCK, "sm_clock_hertz", HERTZ, GAUGE, "Clock of the multiprocessors")                                    \
	X(MEMORY_CLOCK, "memory_clock_hertz", HERTZ, GAUGE, "Clock of the device memory")                              \
	X(PCIE_TX, "pcie_transmit_bytes_per_second", BYTE_RATE, GAUGE, "Data sent over PCIe")                          \
	X(PCIE_RX, "pcie_receive_bytes_per_second", BYTE_RATE, GAUGE, "Data received over PCIe")                       \
	X(NVLINK, "nvlink_bytes_per_second", BYTE_RATE, GAUGE, "Data over all NVLinks, both ways")                     \
	X(NVLINK_TOTAL, "nvlink_bytes_total", BYTES, COUNTER, "Data over all NVLinks, both ways, since driver load")   \
	X(PCIE_REPLAY, "pcie_replays_total", COUNT, COUNTER, "PCIe packets sent again")                                \
	X(XID, "xid_last_code", CODE, GAUGE, "The last XID error; 0: none")                                            \
	X(ECC_SBE, "ecc_corrected_errors_total", COUNT, COUNTER, "Corrected memory errors since driver load")          \
	X(ECC_DBE, "ecc_uncorrected_errors_total", COUNT, COUNTER, "Uncorrected memory errors since driver load")      \
	X(REMAPPED_CORRECTABLE, "remapped_rows_correctable_total", COUNT, COUNTER,                                     \
	  "Memory rows replaced because of correctable errors")                                                        \
	X(REMAPPED_UNCORRECTABLE, "remapped_rows_uncorrectable_total", COUNT, COUNTER,                                 \
	  "Memory rows replaced because of uncorrectable errors")                                                      \
	X(ROW_REMAP_PENDING, "row_remap_pending", FLAG, GAUGE, "1: a row is replaced at the next reset")               \
	X(ROW_REMAP_FAILURE, "row_remap_failure", FLAG, GAUGE, "1: a row could not be replaced")                       \
	X(RETIRED_PAGES, "retired_pages_total", COUNT, COUNTER, "Memory pages taken out of use")                       \
	X(THROTTLE_REASONS, "throttle_reasons", BITS, GAUGE, "Why clocks are held down: the driver's bits")            \
	X(POWER_VIOLATION, "power_violation_seconds_total", SECONDS, COUNTER, "Time held down by the power limit")     \
	X(THERMAL_VIOLATION, "thermal_violation_seconds_total", SECONDS, COUNTER, "Time held down by heat")            \
	X(POWER_LIMIT, "power_limit_watts", WATTS, GAUGE, "Power limit in force")                                      \
	X(FAN, "fan_ratio", RATIO, GAUGE, "Fan speed, of its highest")                                                 \
	X(VGPU_LICENSE, "vgpu_licensed", FLAG, GAUGE, "1: the vGPU licence is in force")

#endif
