/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_NVML_NVML_ABI_H
#define GM_ADAPTER_NVML_NVML_ABI_H

#include <stddef.h>
#include <stdint.h>

/*
 * The binary interface of NVIDIA's management library as it is on x86-64 and other LP64 machines: our own declarations,
 * each held to the driver's size and offsets at compile time. The agent calls through it, the simulator answers through it.
 * Symbols without a version suffix speak the OLDEST form of a call (struct ..._v1 below where there is one).
 */

/* Handles. A MIG device handle is a device handle; it goes stale with its compute instance. */
struct gm_nvml_device;
struct gm_nvml_gi;  /* GPU instance */
struct gm_nvml_ci;  /* compute instance */
struct gm_nvml_set; /* of events */
struct gm_nvml_gpm_sample;

/* Return codes: name, number, what nvmlErrorString may say of it. */
#define GM_NVML_RESULT_LIST(X)                                                                                         \
	X(SUCCESS, 0, "Success")                                                                                       \
	X(UNINITIALIZED, 1, "Uninitialized")                                                                           \
	X(INVALID_ARGUMENT, 2, "Invalid Argument")                                                                     \
	X(NOT_SUPPORTED, 3, "Not Supported")                                                                           \
	X(NO_PERMISSION, 4, "Insufficient Permissions")                                                                \
	X(ALREADY_INITIALIZED, 5, "Already Initialized")                                                               \
	X(NOT_FOUND, 6, "Not Found")                                                                                   \
	X(INSUFFICIENT_SIZE, 7, "Insufficient Size")                                                                   \
	X(INSUFFICIENT_POWER, 8, "Insufficient External Power")                                                        \
	X(DRIVER_NOT_LOADED, 9, "Driver Not Loaded")                                                                   \
	X(TIMEOUT, 10, "Timeout")                                                                                      \
	X(IRQ_ISSUE, 11, "Interrupt Request Issue")                                                                    \
	X(LIBRARY_NOT_FOUND, 12, "NVML Shared Library Not Found")                                                      \
	X(FUNCTION_NOT_FOUND, 13, "Function Not Found")                                                                \
	X(CORRUPTED_INFOROM, 14, "Corrupted infoROM")                                                                  \
	X(GPU_IS_LOST, 15, "GPU is lost")                                                                              \
	X(RESET_REQUIRED, 16, "GPU requires reset")                                                                    \
	X(OPERATING_SYSTEM, 17, "GPU access blocked by the operating system")                                          \
	X(LIB_RM_VERSION_MISMATCH, 18, "Driver/library version mismatch")                                              \
	X(IN_USE, 19, "In use by another client")                                                                      \
	X(MEMORY, 20, "Insufficient Memory")                                                                           \
	X(NO_DATA, 21, "No data")                                                                                      \
	X(VGPU_ECC_NOT_SUPPORTED, 22, "ECC is not supported on this vGPU")                                             \
	X(INSUFFICIENT_RESOURCES, 23, "Insufficient Resources")                                                        \
	X(FREQ_NOT_SUPPORTED, 24, "Frequency not supported")                                                           \
	X(ARGUMENT_VERSION_MISMATCH, 25, "Argument version mismatch")                                                  \
	X(DEPRECATED, 26, "Deprecated")                                                                                \
	X(NOT_READY, 27, "System is not ready")                                                                        \
	X(GPU_NOT_FOUND, 28, "No GPUs were found")                                                                     \
	X(INVALID_STATE, 29, "Resource not in correct state")                                                          \
	X(RESET_TYPE_NOT_SUPPORTED, 30, "Reset type not supported")                                                    \
	X(UNKNOWN, 999, "Unknown Error")

enum gm_nvml_result {
#define GM_NVML_RESULT_ENUM(name, number, text) GM_NVML_ERROR_##name = number,
	GM_NVML_RESULT_LIST(GM_NVML_RESULT_ENUM)
#undef GM_NVML_RESULT_ENUM
};
#define GM_NVML_SUCCESS 0

enum gm_nvml_init_flag { GM_NVML_INIT_NO_GPUS = 1, GM_NVML_INIT_NO_ATTACH = 2, GM_NVML_INIT_FORCE = 4 };

/* Sizes of the texts that the library fills. */
enum {
	GM_NVML_DRIVER_VERSION_SIZE = 80,
	GM_NVML_NVML_VERSION_SIZE = 80,
	GM_NVML_NAME_SIZE = 96,
	GM_NVML_UUID_SIZE = 96,
	GM_NVML_SERIAL_SIZE = 30,
	GM_NVML_VBIOS_SIZE = 32,
	GM_NVML_BUS_ID_SIZE = 32,
	GM_NVML_BUS_ID_LEGACY_SIZE = 16,
	GM_NVML_UUID_ASCII_LEN = 41,
};

#define GM_NVML_NO_INSTANCE UINT32_C(0xffffffff)	   /* in place of a GPU or compute instance id */
#define GM_NVML_VALUE_UNKNOWN UINT64_C(0xffffffffffffffff) /* memory of a process */
#define GM_NVML_LINKS_MAX 36
#define GM_NVML_DISABLED 0 /* of every two-state feature: MIG mode, ECC, persistence */
#define GM_NVML_ENABLED 1

enum gm_nvml_architecture {
	GM_NVML_ARCH_KEPLER = 2,
	GM_NVML_ARCH_MAXWELL = 3,
	GM_NVML_ARCH_PASCAL = 4,
	GM_NVML_ARCH_VOLTA = 5,
	GM_NVML_ARCH_TURING = 6,
	GM_NVML_ARCH_AMPERE = 7,
	GM_NVML_ARCH_ADA = 8,
	GM_NVML_ARCH_HOPPER = 9,
	GM_NVML_ARCH_BLACKWELL = 10,
	GM_NVML_ARCH_RUBIN = 13,
};
enum gm_nvml_temperature_sensor { GM_NVML_TEMPERATURE_GPU = 0 };
enum gm_nvml_threshold {
	GM_NVML_THRESHOLD_SHUTDOWN,
	GM_NVML_THRESHOLD_SLOWDOWN,
	GM_NVML_THRESHOLD_MEM_MAX,
	GM_NVML_THRESHOLD_GPU_MAX,
};
enum gm_nvml_clock { GM_NVML_CLOCK_GRAPHICS, GM_NVML_CLOCK_SM, GM_NVML_CLOCK_MEM, GM_NVML_CLOCK_VIDEO };
#define GM_NVML_PSTATE_UNKNOWN 32
enum gm_nvml_ecc_type { GM_NVML_ECC_CORRECTED, GM_NVML_ECC_UNCORRECTED };
enum gm_nvml_ecc_counter { GM_NVML_ECC_VOLATILE, GM_NVML_ECC_AGGREGATE };
enum gm_nvml_memory_location {
	GM_NVML_LOCATION_L1,
	GM_NVML_LOCATION_L2,
	GM_NVML_LOCATION_DRAM,
	GM_NVML_LOCATION_REGISTER_FILE,
	GM_NVML_LOCATION_TEXTURE,
	GM_NVML_LOCATION_TEXTURE_SHM,
	GM_NVML_LOCATION_CBU,
	GM_NVML_LOCATION_SRAM,
	GM_NVML_LOCATION_COUNT
};
enum gm_nvml_retirement { GM_NVML_RETIRED_MULTIPLE_SBE, GM_NVML_RETIRED_DBE };
enum gm_nvml_pcie_counter { GM_NVML_PCIE_TX, GM_NVML_PCIE_RX };
enum gm_nvml_sample_type {
	GM_NVML_SAMPLE_POWER,
	GM_NVML_SAMPLE_GPU_UTILIZATION,
	GM_NVML_SAMPLE_MEMORY_UTILIZATION,
	GM_NVML_SAMPLE_ENCODER_UTILIZATION,
	GM_NVML_SAMPLE_DECODER_UTILIZATION,
	GM_NVML_SAMPLE_PROCESSOR_CLOCK,
	GM_NVML_SAMPLE_MEMORY_CLOCK,
};
enum gm_nvml_topology {
	GM_NVML_TOPOLOGY_INTERNAL = 0,
	GM_NVML_TOPOLOGY_SINGLE = 10,
	GM_NVML_TOPOLOGY_MULTIPLE = 20,
	GM_NVML_TOPOLOGY_HOSTBRIDGE = 30,
	GM_NVML_TOPOLOGY_NODE = 40,
	GM_NVML_TOPOLOGY_SYSTEM = 50,
};
enum gm_nvml_p2p { GM_NVML_P2P_READ, GM_NVML_P2P_WRITE, GM_NVML_P2P_NVLINK, GM_NVML_P2P_ATOMICS, GM_NVML_P2P_PCI };
enum gm_nvml_fabric_state {
	GM_NVML_FABRIC_NOT_SUPPORTED,
	GM_NVML_FABRIC_NOT_STARTED,
	GM_NVML_FABRIC_IN_PROGRESS,
	GM_NVML_FABRIC_COMPLETED,
};
enum gm_nvml_recovery {
	GM_NVML_RECOVERY_NONE,
	GM_NVML_RECOVERY_RESET,
	GM_NVML_RECOVERY_REBOOT,
	GM_NVML_RECOVERY_DRAIN_P2P,
	GM_NVML_RECOVERY_DRAIN_AND_RESET,
};

/* Why clocks are below what they could be. */
enum gm_nvml_throttle {
	GM_NVML_THROTTLE_IDLE = 0x1,
	GM_NVML_THROTTLE_APP_CLOCKS = 0x2,
	GM_NVML_THROTTLE_SW_POWER_CAP = 0x4,
	GM_NVML_THROTTLE_HW_SLOWDOWN = 0x8,
	GM_NVML_THROTTLE_SYNC_BOOST = 0x10,
	GM_NVML_THROTTLE_SW_THERMAL = 0x20,
	GM_NVML_THROTTLE_HW_THERMAL = 0x40,
	GM_NVML_THROTTLE_HW_POWER_BRAKE = 0x80,
	GM_NVML_THROTTLE_DISPLAY = 0x100,
};

/* Bits of nvmlDeviceRegisterEvents and eventType. */
enum gm_nvml_event_bit {
	GM_NVML_EVENT_SBE = 0x1,
	GM_NVML_EVENT_DBE = 0x2,
	GM_NVML_EVENT_PSTATE = 0x4,
	GM_NVML_EVENT_XID = 0x8,
	GM_NVML_EVENT_CLOCK = 0x10,
	GM_NVML_EVENT_POWER_SOURCE = 0x80,
	GM_NVML_EVENT_MIG_CONFIG = 0x100,
	GM_NVML_EVENT_SBE_STORM = 0x200,
	GM_NVML_EVENT_DRAM_RETIREMENT = 0x400,
	GM_NVML_EVENT_DRAM_RETIREMENT_FAILURE = 0x800,
	GM_NVML_EVENT_POISON = 0x1000,
	GM_NVML_EVENT_POISON_FATAL = 0x2000,
	GM_NVML_EVENT_GPU_UNAVAILABLE = 0x4000,
	GM_NVML_EVENT_RECOVERY_ACTION = 0x8000,
};

/* P-state, clock and power source changes come by the thousand and say nothing that a reading does not. */
#define GM_NVML_EVENTS_WANTED (~(uint64_t)(GM_NVML_EVENT_PSTATE | GM_NVML_EVENT_CLOCK | GM_NVML_EVENT_POWER_SOURCE))

/* Of nvmlDeviceGetFieldValues. Counters of bytes and energy are since driver load. */
enum gm_nvml_field_id {
	GM_NVML_FI_ECC_CURRENT = 1,
	GM_NVML_FI_ECC_PENDING = 2,
	GM_NVML_FI_ECC_SBE_VOLATILE = 3,
	GM_NVML_FI_ECC_DBE_VOLATILE = 4,
	GM_NVML_FI_ECC_SBE_AGGREGATE = 5,
	GM_NVML_FI_ECC_DBE_AGGREGATE = 6,
	GM_NVML_FI_RETIRED_SBE = 29,
	GM_NVML_FI_RETIRED_DBE = 30,
	GM_NVML_FI_RETIRED_PENDING = 31,
	GM_NVML_FI_VIOLATION_POWER_NS = 74,
	GM_NVML_FI_VIOLATION_THERMAL_NS = 75,
	GM_NVML_FI_VIOLATION_SYNC_BOOST_NS = 76,
	GM_NVML_FI_MEMORY_TEMPERATURE_C = 82,
	GM_NVML_FI_ENERGY_MJ = 83,
	GM_NVML_FI_NVLINK_COUNT = 91,
	GM_NVML_FI_PCIE_REPLAY = 94,
	GM_NVML_FI_NVLINK_DATA_TX_KIB = 138, /* to 141 scopeId: link, or GM_NVML_SCOPE_ALL for their sum */
	GM_NVML_FI_NVLINK_DATA_RX_KIB = 139,
	GM_NVML_FI_NVLINK_RAW_TX_KIB = 140,
	GM_NVML_FI_NVLINK_RAW_RX_KIB = 141,
	GM_NVML_FI_REMAPPED_CORRECTABLE = 142,
	GM_NVML_FI_REMAPPED_UNCORRECTABLE = 143,
	GM_NVML_FI_REMAPPED_PENDING = 144,
	GM_NVML_FI_REMAPPED_FAILURE = 145,
	GM_NVML_FI_NVLINK_SPEED_MBPS = 164, /* scopeId: link */
	GM_NVML_FI_NVLINK_STATE = 165,	    /* scopeId: link */
	GM_NVML_FI_MIG_RESETLESS = 184,
	GM_NVML_FI_POWER_AVERAGE_MW = 185,
	GM_NVML_FI_POWER_INSTANT_MW = 186,
	GM_NVML_FI_POWER_MIN_LIMIT_MW = 187,
	GM_NVML_FI_POWER_MAX_LIMIT_MW = 188,
	GM_NVML_FI_POWER_DEFAULT_LIMIT_MW = 189,
	GM_NVML_FI_POWER_CURRENT_LIMIT_MW = 190,
	GM_NVML_FI_TLIMIT_SHUTDOWN_C = 193,
	GM_NVML_FI_TLIMIT_SLOWDOWN_C = 194,
	GM_NVML_FI_TLIMIT_MEMORY_C = 195,
	GM_NVML_FI_TLIMIT_GPU_C = 196,
	GM_NVML_FI_PCIE_TX_BYTES = 197,
	GM_NVML_FI_PCIE_RX_BYTES = 198,
	GM_NVML_FI_MIG_INDEPENDENT_QUERY = 199,
	GM_NVML_FI_RECOVERY_ACTION = 230,
	/* from R580 on; R575 alone had them at 251 to 253, which are power smoothing before and after */
	GM_NVML_FI_VIOLATION_SW_THERMAL_NS = 269,
	GM_NVML_FI_VIOLATION_HW_THERMAL_NS = 270,
	GM_NVML_FI_VIOLATION_POWER_BRAKE_NS = 271,
};
#define GM_NVML_SCOPE_ALL UINT32_MAX
enum gm_nvml_value_type {
	GM_NVML_VALUE_DOUBLE,
	GM_NVML_VALUE_UINT,
	GM_NVML_VALUE_ULONG,
	GM_NVML_VALUE_ULONG_LONG,
	GM_NVML_VALUE_LONG_LONG,
	GM_NVML_VALUE_INT,
	GM_NVML_VALUE_USHORT,
};

/* GPM metrics: percentages but where a unit is named. */
enum gm_nvml_gpm_id {
	GM_NVML_GPM_GRAPHICS_UTIL = 1,
	GM_NVML_GPM_SM_UTIL = 2,
	GM_NVML_GPM_SM_OCCUPANCY = 3,
	GM_NVML_GPM_INTEGER_UTIL = 4,
	GM_NVML_GPM_TENSOR_UTIL = 5,
	GM_NVML_GPM_DFMA_UTIL = 6,
	GM_NVML_GPM_HMMA_UTIL = 7,
	GM_NVML_GPM_DMMA_UTIL = 8,
	GM_NVML_GPM_IMMA_UTIL = 9,
	GM_NVML_GPM_DRAM_UTIL = 10,
	GM_NVML_GPM_FP64_UTIL = 11,
	GM_NVML_GPM_FP32_UTIL = 12,
	GM_NVML_GPM_FP16_UTIL = 13,
	GM_NVML_GPM_PCIE_TX_MIB_S = 20,
	GM_NVML_GPM_PCIE_RX_MIB_S = 21,
	GM_NVML_GPM_NVDEC_0 = 30, /* to 37 */
	GM_NVML_GPM_NVJPG_0 = 40, /* to 47 */
	GM_NVML_GPM_OFA_0 = 50,
	GM_NVML_GPM_OFA_1 = 51,
	GM_NVML_GPM_NVLINK_RX_MIB_S = 60,
	GM_NVML_GPM_NVLINK_TX_MIB_S = 61,
	GM_NVML_GPM_NVLINK_LINK_0 = 62, /* RX, TX by turns, to 97 */
};
#define GM_NVML_GPM_METRIC_MAX 333 /* slots of the newest header's struct; older drivers know fewer */
#define GM_NVML_GPM_VERSION 1	   /* a plain number, no version word */

/* The enum that profile queries count through; the id that all other calls take is in the answer. */
enum { GM_NVML_GI_PROFILE_COUNT = 0x11, GM_NVML_CI_PROFILE_COUNT = 8, GM_NVML_CI_ENGINE_SHARED = 0 };
enum gm_nvml_gi_capability { GM_NVML_GI_CAPABILITY_P2P = 1, GM_NVML_GI_CAPABILITY_GRAPHICS = 2 };

/* What newer calls want in the first member: size and version of the struct. */
#define GM_NVML_VERSION(type, number) ((uint32_t)sizeof(type) | UINT32_C(number) << 24)

struct gm_nvml_pci_v1 {
	char bus_id[GM_NVML_BUS_ID_LEGACY_SIZE]; /* 4-digit domain */
	uint32_t domain, bus, device, device_id;
};
struct gm_nvml_pci_v2 {
	char bus_id[GM_NVML_BUS_ID_LEGACY_SIZE];
	uint32_t domain, bus, device, device_id, subsystem_id;
	uint32_t reserved[4];
};
struct gm_nvml_pci_v3 {
	char bus_id_legacy[GM_NVML_BUS_ID_LEGACY_SIZE];
	uint32_t domain, bus, device, device_id, subsystem_id;
	char bus_id[GM_NVML_BUS_ID_SIZE]; /* "00000000:1A:00.0": 8-digit domain, upper case; sysfs has 4, lower */
};
struct gm_nvml_pci_ext_v1 {
	uint32_t version;
	uint32_t domain, bus, device, device_id, subsystem_id, base_class, sub_class;
	char bus_id[GM_NVML_BUS_ID_SIZE];
};
struct gm_nvml_uuid_v1 {
	uint32_t version, type;
	char value[GM_NVML_UUID_ASCII_LEN];
};
struct gm_nvml_utilization {
	uint32_t gpu, memory;
};
struct gm_nvml_memory_v1 {
	uint64_t total, free, used; /* used includes reserved since R510 */
};
struct gm_nvml_memory_v2 {
	uint32_t version;
	uint64_t total, reserved, free, used;
};
struct gm_nvml_bar1 {
	uint64_t total, free, used;
};
struct gm_nvml_temperature_v1 {
	uint32_t version, sensor;
	int32_t temperature;
};
struct gm_nvml_margin_v1 {
	uint32_t version;
	int32_t margin;
};
struct gm_nvml_process_v1 {
	uint32_t pid;
	uint64_t used;
};
struct gm_nvml_process_v2 { /* of the symbols _v2 and _v3 */
	uint32_t pid;
	uint64_t used;
	uint32_t gi, ci;
};
struct gm_nvml_process_detail_v1 { /* also what R535.43 to 535.86 put behind _v3 */
	uint32_t pid;
	uint64_t used;
	uint32_t gi, ci;
	uint64_t used_protected;
};
enum gm_nvml_process_mode { GM_NVML_PROCESS_COMPUTE, GM_NVML_PROCESS_GRAPHICS, GM_NVML_PROCESS_MPS };
struct gm_nvml_process_detail_list_v1 {
	uint32_t version, mode;
	uint32_t count;
	struct gm_nvml_process_detail_v1 *array;
};
struct gm_nvml_process_utilization {
	uint32_t pid;
	uint64_t at_us;
	uint32_t sm, memory, encoder, decoder;
};
struct gm_nvml_attributes {
	uint32_t sm_count, copy_engines, decoders, encoders, jpegs, ofas;
	uint32_t gi_slices, ci_slices;
	uint64_t memory_mib;
};
struct gm_nvml_event_v1 {
	struct gm_nvml_device *device;
	uint64_t type, data;
};
struct gm_nvml_event_v2 {
	struct gm_nvml_device *device;
	uint64_t type, data;
	uint32_t gi, ci;
};
union gm_nvml_value {
	double d;
	uint32_t ui;
	uint64_t ul, ull;
	int64_t sll;
	int32_t si;
	uint16_t us;
};
struct gm_nvml_field {
	uint32_t id, scope;
	int64_t at_us, latency_us;
	uint32_t type; /* enum gm_nvml_value_type */
	uint32_t rc;
	union gm_nvml_value value;
};
struct gm_nvml_sample {
	uint64_t at_us;
	union gm_nvml_value value;
};
struct gm_nvml_violation {
	uint64_t reference_us, violation_ns;
};
struct gm_nvml_row_histogram {
	uint32_t max, high, partial, low, none;
};
struct gm_nvml_sram_ecc_v1 {
	uint32_t version;
	uint64_t aggregate_parity, aggregate_secded, aggregate_corrected;
	uint64_t volatile_parity, volatile_secded, volatile_corrected;
	uint64_t bucket_l2, bucket_sm, bucket_pcie, bucket_mcu, bucket_other;
	uint32_t threshold_exceeded;
};
struct gm_nvml_repair_v1 {
	uint32_t version, channel_pending, tpc_pending;
};
struct gm_nvml_platform_v2 {
	uint32_t version;
	uint8_t ib_guid[16];
	uint8_t chassis_serial[16];
	uint8_t slot, tray, host, peer_type, module;
};
struct gm_nvml_fabric_v2 {
	uint32_t version;
	uint8_t cluster_uuid[16];
	uint32_t status, clique;
	uint8_t state;
	uint32_t health_mask;
};
struct gm_nvml_fabric_v3 {
	uint32_t version;
	uint8_t cluster_uuid[16];
	uint32_t status, clique;
	uint8_t state;
	uint32_t health_mask;
	uint8_t health_summary;
};
struct gm_nvml_placement { /* of GPU and compute instances */
	uint32_t start, size;
};
struct gm_nvml_gi_profile_v1 {
	uint32_t id, p2p, slices, instances, sm_count, copy_engines, decoders, encoders, jpegs, ofas;
	uint64_t memory_mib;
};
/* v2 and v3 are equally large, and all between version and memory lies elsewhere: the version word alone tells. */
struct gm_nvml_gi_profile_v2 {
	uint32_t version;
	uint32_t id, p2p, slices, instances, sm_count, copy_engines, decoders, encoders, jpegs, ofas;
	uint64_t memory_mib;
	char name[GM_NVML_NAME_SIZE];
};
struct gm_nvml_gi_profile_v3 {
	uint32_t version;
	uint32_t id, slices, instances, sm_count, copy_engines, decoders, encoders, jpegs, ofas;
	uint64_t memory_mib;
	char name[GM_NVML_NAME_SIZE];
	uint32_t capabilities;
};
struct gm_nvml_gi_info {
	struct gm_nvml_device *device;
	uint32_t id, profile_id;
	struct gm_nvml_placement placement;
};
struct gm_nvml_ci_profile_v1 {
	uint32_t id, slices, instances, sm_count, copy_engines, decoders, encoders, jpegs, ofas;
};
struct gm_nvml_ci_profile_v2 {
	uint32_t version;
	uint32_t id, slices, instances, sm_count, copy_engines, decoders, encoders, jpegs, ofas;
	char name[GM_NVML_NAME_SIZE];
};
struct gm_nvml_ci_profile_v3 {
	uint32_t version;
	uint32_t id, slices, instances, sm_count, copy_engines, decoders, encoders, jpegs, ofas;
	char name[GM_NVML_NAME_SIZE];
	uint32_t capabilities;
};
struct gm_nvml_ci_info_v1 { /* of the symbol without _v2 */
	struct gm_nvml_device *device;
	struct gm_nvml_gi *gi;
	uint32_t id, profile_id;
};
struct gm_nvml_ci_info_v2 {
	struct gm_nvml_device *device;
	struct gm_nvml_gi *gi;
	uint32_t id, profile_id;
	struct gm_nvml_placement placement;
};
struct gm_nvml_gpm_support {
	uint32_t version, supported;
};
struct gm_nvml_gpm_metric {
	uint32_t id, rc;
	double value;
	const char *short_name, *long_name, *unit;
};
/* The library reads and writes `count` metrics, and no more. */
struct gm_nvml_gpm_get {
	uint32_t version, count;
	struct gm_nvml_gpm_sample *older, *newer;
	struct gm_nvml_gpm_metric metrics[GM_NVML_GPM_METRIC_MAX];
};

#define GM_NVML_SIZE(type, size) _Static_assert(sizeof(struct gm_nvml_##type) == (size), #type)
#define GM_NVML_AT(type, member, offset)                                                                               \
	_Static_assert(offsetof(struct gm_nvml_##type, member) == (offset), #type "." #member)
#define GM_NVML_WORD(type, number, word) _Static_assert(GM_NVML_VERSION(struct gm_nvml_##type, number) == (word), #type)

_Static_assert(sizeof(void *) == 8 && sizeof(unsigned long) == 8, "the layouts below are those of LP64");
GM_NVML_SIZE(pci_v1, 32);
GM_NVML_SIZE(pci_v2, 52);
GM_NVML_SIZE(pci_v3, 68);
GM_NVML_AT(pci_v3, domain, 16);
GM_NVML_AT(pci_v3, bus, 20);
GM_NVML_AT(pci_v3, device, 24);
GM_NVML_AT(pci_v3, device_id, 28);
GM_NVML_AT(pci_v3, subsystem_id, 32);
GM_NVML_AT(pci_v3, bus_id, 36);
GM_NVML_WORD(pci_ext_v1, 1, 0x01000040);
GM_NVML_AT(pci_ext_v1, bus_id, 32);
GM_NVML_WORD(uuid_v1, 1, 0x01000034);
GM_NVML_AT(uuid_v1, value, 8);
GM_NVML_SIZE(utilization, 8);
GM_NVML_AT(utilization, memory, 4);
GM_NVML_SIZE(memory_v1, 24);
GM_NVML_AT(memory_v1, free, 8);
GM_NVML_AT(memory_v1, used, 16);
GM_NVML_WORD(memory_v2, 2, 0x02000028);
GM_NVML_AT(memory_v2, total, 8);
GM_NVML_AT(memory_v2, reserved, 16);
GM_NVML_AT(memory_v2, free, 24);
GM_NVML_AT(memory_v2, used, 32);
GM_NVML_SIZE(bar1, 24);
GM_NVML_WORD(temperature_v1, 1, 0x0100000c);
GM_NVML_AT(temperature_v1, temperature, 8);
GM_NVML_WORD(margin_v1, 1, 0x01000008);
GM_NVML_SIZE(process_v1, 16);
GM_NVML_AT(process_v1, used, 8);
GM_NVML_SIZE(process_v2, 24);
GM_NVML_AT(process_v2, used, 8);
GM_NVML_AT(process_v2, gi, 16);
GM_NVML_AT(process_v2, ci, 20);
GM_NVML_SIZE(process_detail_v1, 32);
GM_NVML_AT(process_detail_v1, gi, 16);
GM_NVML_AT(process_detail_v1, ci, 20);
GM_NVML_AT(process_detail_v1, used_protected, 24);
GM_NVML_WORD(process_detail_list_v1, 1, 0x01000018);
GM_NVML_AT(process_detail_list_v1, mode, 4);
GM_NVML_AT(process_detail_list_v1, count, 8);
GM_NVML_AT(process_detail_list_v1, array, 16);
GM_NVML_SIZE(process_utilization, 32);
GM_NVML_SIZE(attributes, 40);
GM_NVML_AT(attributes, ofas, 20);
GM_NVML_AT(attributes, gi_slices, 24);
GM_NVML_AT(attributes, ci_slices, 28);
GM_NVML_AT(attributes, memory_mib, 32);
GM_NVML_SIZE(event_v1, 24);
GM_NVML_SIZE(event_v2, 32);
GM_NVML_AT(event_v2, type, 8);
GM_NVML_AT(event_v2, data, 16);
GM_NVML_AT(event_v2, gi, 24);
GM_NVML_AT(event_v2, ci, 28);
GM_NVML_SIZE(field, 40);
GM_NVML_AT(field, scope, 4);
GM_NVML_AT(field, at_us, 8);
GM_NVML_AT(field, latency_us, 16);
GM_NVML_AT(field, type, 24);
GM_NVML_AT(field, rc, 28);
GM_NVML_AT(field, value, 32);
GM_NVML_SIZE(sample, 16);
GM_NVML_SIZE(violation, 16);
GM_NVML_SIZE(row_histogram, 20);
GM_NVML_WORD(sram_ecc_v1, 1, 0x01000068);
GM_NVML_WORD(repair_v1, 1, 0x0100000c);
GM_NVML_WORD(platform_v2, 2, 0x0200002c);
GM_NVML_WORD(fabric_v2, 2, 0x02000024);
GM_NVML_WORD(fabric_v3, 3, 0x03000028);
GM_NVML_AT(fabric_v3, cluster_uuid, 4);
GM_NVML_AT(fabric_v3, status, 20);
GM_NVML_AT(fabric_v3, clique, 24);
GM_NVML_AT(fabric_v3, state, 28);
GM_NVML_AT(fabric_v3, health_mask, 32);
GM_NVML_AT(fabric_v3, health_summary, 36);
GM_NVML_SIZE(placement, 8);
GM_NVML_SIZE(gi_profile_v1, 48);
GM_NVML_AT(gi_profile_v1, slices, 8);
GM_NVML_AT(gi_profile_v1, instances, 12);
GM_NVML_AT(gi_profile_v1, sm_count, 16);
GM_NVML_AT(gi_profile_v1, ofas, 36);
GM_NVML_AT(gi_profile_v1, memory_mib, 40);
GM_NVML_WORD(gi_profile_v2, 2, 0x02000098);
GM_NVML_AT(gi_profile_v2, slices, 12);
GM_NVML_AT(gi_profile_v2, memory_mib, 48);
GM_NVML_AT(gi_profile_v2, name, 56);
GM_NVML_WORD(gi_profile_v3, 3, 0x03000098);
GM_NVML_AT(gi_profile_v3, slices, 8);
GM_NVML_AT(gi_profile_v3, sm_count, 16);
GM_NVML_AT(gi_profile_v3, memory_mib, 40);
GM_NVML_AT(gi_profile_v3, name, 48);
GM_NVML_AT(gi_profile_v3, capabilities, 144);
GM_NVML_SIZE(gi_info, 24);
GM_NVML_AT(gi_info, id, 8);
GM_NVML_AT(gi_info, profile_id, 12);
GM_NVML_AT(gi_info, placement, 16);
GM_NVML_SIZE(ci_profile_v1, 36);
GM_NVML_WORD(ci_profile_v2, 2, 0x02000088);
GM_NVML_AT(ci_profile_v2, name, 40);
GM_NVML_WORD(ci_profile_v3, 3, 0x0300008c);
GM_NVML_AT(ci_profile_v3, name, 40);
GM_NVML_AT(ci_profile_v3, capabilities, 136);
GM_NVML_SIZE(ci_info_v1, 24);
GM_NVML_SIZE(ci_info_v2, 32);
GM_NVML_AT(ci_info_v2, gi, 8);
GM_NVML_AT(ci_info_v2, id, 16);
GM_NVML_AT(ci_info_v2, profile_id, 20);
GM_NVML_AT(ci_info_v2, placement, 24);
GM_NVML_SIZE(gpm_support, 8);
GM_NVML_SIZE(gpm_metric, 40);
GM_NVML_AT(gpm_metric, rc, 4);
GM_NVML_AT(gpm_metric, value, 8);
GM_NVML_AT(gpm_metric, short_name, 16);
GM_NVML_SIZE(gpm_get, 13344);
GM_NVML_AT(gpm_get, older, 8);
GM_NVML_AT(gpm_get, newer, 16);
GM_NVML_AT(gpm_get, metrics, 24);

#undef GM_NVML_SIZE
#undef GM_NVML_AT
#undef GM_NVML_WORD

#endif
