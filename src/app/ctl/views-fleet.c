/* SPDX-License-Identifier: MIT */
#include "app/ctl/views.h"

/* clang-format off: a row a column. */
const struct gm_ctl_view gm_ctl_view_overview = {
	.upright = true,
	GM_CTL_COLUMNS(
		{ "GPU devices", "totalGpuDevices", GM_CTL_NUMBER }, { "  by model", "devicesByModel", GM_CTL_TEXT },
		{ "  in MIG mode", "migEnabledDevices", GM_CTL_NUMBER },
		{ "  managed", "managedDevices", GM_CTL_NUMBER }, { "  idle", "idleDevices", GM_CTL_NUMBER },
		{ "  hot", "hotDevices", GM_CTL_NUMBER }, { "  not measured", "unmeasuredDevices", GM_CTL_NUMBER },
		{ "  allocated", "allocatedDevices", GM_CTL_NUMBER },
		{ "  cordoned", "cordonedDevices", GM_CTL_NUMBER },
		{ "MIG instances", "totalMigInstances", GM_CTL_NUMBER }, { "Nodes", "nodes.total", GM_CTL_NUMBER },
		{ "  by state", "nodes", GM_CTL_TEXT, GM_CTL_WIDE }, { "  ready", "nodes.ready", GM_CTL_NUMBER },
		{ "Health", "health", GM_CTL_TEXT }, { "Utilization", "overallGpuUtilization", GM_CTL_PERCENT },
		{ "  p10, p50, p90", "utilization", GM_CTL_TEXT, GM_CTL_WIDE },
		{ "Memory used", "memoryUsedMiB", GM_CTL_MIB }, { "  of", "memoryTotalMiB", GM_CTL_MIB },
		{ "Power", "powerWatts", GM_CTL_WATTS }, { "Cost an hour", "costPerHour", GM_CTL_MONEY },
		{ "  without a rate", "unpricedDevices", GM_CTL_NUMBER },
		{ "Active allocations", "activeAllocations", GM_CTL_NUMBER },
		{ "Pending allocations", "pendingAllocations", GM_CTL_NUMBER },
		{ "Sources up", "targets.up", GM_CTL_NUMBER }, { "  of", "targets.total", GM_CTL_NUMBER },
		{ "Clusters", "clusters", GM_CTL_TEXT }, { "Simulated", "simulated", GM_CTL_TEXT, GM_CTL_WIDE },
		{ "Profiles", "profile", GM_CTL_TEXT, GM_CTL_WIDE }, { "As of", "asOf", GM_CTL_AGE }),
};

#define NODE_COLUMNS                                                                                                   \
	{ "NODE", "name", GM_CTL_TEXT }, { "STATE", "state", GM_CTL_STATE }, { "GPUS", "gpuDevices", GM_CTL_NUMBER },  \
		{ "MIG", "migInstances", GM_CTL_NUMBER }, { "UTIL", "utilization", GM_CTL_PERCENT },                   \
		{ "USED", "memoryUsedMiB", GM_CTL_MIB }, { "MEMORY", "memoryTotalMiB", GM_CTL_MIB },                   \
		{ "POWER", "powerWatts", GM_CTL_WATTS }, { "COST/H", "hourlyCost", GM_CTL_MONEY },                     \
		{ "MODELS", "models", GM_CTL_TEXT }, { "HEALTH", "health", GM_CTL_TEXT, GM_CTL_WIDE },                 \
		{ "CLUSTER", "cluster", GM_CTL_TEXT, GM_CTL_WIDE },                                                    \
	{                                                                                                              \
		"SEEN", "lastSeen", GM_CTL_AGE, GM_CTL_WIDE                                                            \
	}
const struct gm_ctl_view gm_ctl_view_nodes = { .items = "items", .name = "name", GM_CTL_COLUMNS(NODE_COLUMNS) };

#define DEVICE_COLUMNS                                                                                                 \
	{ "DEVICE", "deviceId", GM_CTL_TEXT }, { "MODEL", "model", GM_CTL_TEXT },                                      \
		{ "HEALTH", "health", GM_CTL_STATE }, { "UTIL", "utilization", GM_CTL_PERCENT },                       \
		{ "USED", "memoryUsedMiB", GM_CTL_MIB }, { "MEMORY", "memoryTotalMiB", GM_CTL_MIB },                   \
		{ "TEMP", "temperature", GM_CTL_CELSIUS }, { "POWER", "powerWatts", GM_CTL_WATTS },                    \
		{ "MIG", "migInstances.*.profile", GM_CTL_TEXT }, { "PODS", "pods.*.pod", GM_CTL_TEXT },               \
		{ "COST/H", "hourlyCost", GM_CTL_MONEY, GM_CTL_WIDE },                                                 \
		{ "ALLOCATED", "allocated", GM_CTL_TEXT, GM_CTL_WIDE },                                                \
		{ "CORDONED", "cordoned", GM_CTL_TEXT, GM_CTL_WIDE },                                                  \
		{ "MANAGED", "managed", GM_CTL_TEXT, GM_CTL_WIDE }, { "SOURCE", "source", GM_CTL_TEXT, GM_CTL_WIDE },  \
		{ "SAMPLED", "sampledAt", GM_CTL_AGE, GM_CTL_WIDE },                                                   \
	{                                                                                                              \
		"UUID", "uuid", GM_CTL_TEXT, GM_CTL_WIDE                                                               \
	}
const struct gm_ctl_view gm_ctl_view_devices = { .items = "items", .name = "deviceId", GM_CTL_COLUMNS(DEVICE_COLUMNS) };

const struct gm_ctl_view gm_ctl_view_mig = {
	.items = "items",
	.name = "id",
	GM_CTL_COLUMNS({ "INSTANCE", "id", GM_CTL_TEXT }, { "PROFILE", "profile", GM_CTL_TEXT },
		       { "START", "placementStart", GM_CTL_NUMBER }, { "SLICES", "placementSize", GM_CTL_NUMBER },
		       { "MODEL", "model", GM_CTL_TEXT }, { "UTIL", "utilization", GM_CTL_PERCENT },
		       { "USED", "memoryUsedMiB", GM_CTL_MIB }, { "MEMORY", "memoryTotalMiB", GM_CTL_MIB },
		       { "PODS", "pods.*.pod", GM_CTL_TEXT }, { "NODE", "nodeName", GM_CTL_TEXT, GM_CTL_WIDE },
		       { "CLUSTER", "cluster", GM_CTL_TEXT, GM_CTL_WIDE },
		       { "UUID", "uuid", GM_CTL_TEXT, GM_CTL_WIDE }),
};

const struct gm_ctl_view gm_ctl_view_models = {
	.items = "items",
	.name = "variant",
	GM_CTL_COLUMNS({ "VARIANT", "variant", GM_CTL_TEXT }, { "MODEL", "model", GM_CTL_TEXT },
		       { "ARCHITECTURE", "architecture", GM_CTL_TEXT }, { "CC", "computeCapability", GM_CTL_TEXT },
		       { "GB", "nominalMemoryGb", GM_CTL_NUMBER }, { "GB/S", "memoryBandwidthGBs", GM_CTL_NUMBER },
		       { "POWER", "tdpWatts", GM_CTL_WATTS }, { "MIG", "migCapable", GM_CTL_TEXT },
		       { "DEVICES", "devices", GM_CTL_NUMBER }, { "FORM", "formFactor", GM_CTL_TEXT, GM_CTL_WIDE },
		       { "SM", "smCount", GM_CTL_NUMBER, GM_CTL_WIDE },
		       { "NVLINK GB/S", "nvlinkGBs", GM_CTL_NUMBER, GM_CTL_WIDE },
		       { "FP8", "fp8", GM_CTL_TEXT, GM_CTL_WIDE }, { "BF16", "bf16", GM_CTL_TEXT, GM_CTL_WIDE },
		       { "LIFE", "lifecycle", GM_CTL_TEXT, GM_CTL_WIDE },
		       { "PROFILES", "migProfiles.*.profile", GM_CTL_TEXT, GM_CTL_WIDE }),
};

const struct gm_ctl_view gm_ctl_view_targets = {
	.items = "items",
	.name = "url",
	GM_CTL_COLUMNS({ "URL", "url", GM_CTL_TEXT }, { "STATE", "state", GM_CTL_STATE },
		       { "NODE", "node", GM_CTL_TEXT }, { "SOURCE", "source", GM_CTL_TEXT },
		       { "SAMPLES", "samples", GM_CTL_NUMBER }, { "MS", "durationMs", GM_CTL_NUMBER },
		       { "SINCE", "since", GM_CTL_AGE }, { "ERROR", "error", GM_CTL_TEXT },
		       { "SCRAPES", "scrapes", GM_CTL_NUMBER, GM_CTL_WIDE },
		       { "FAILURES", "failures", GM_CTL_NUMBER, GM_CTL_WIDE },
		       { "LAST", "lastScrape", GM_CTL_AGE, GM_CTL_WIDE },
		       { "CLUSTER", "cluster", GM_CTL_TEXT, GM_CTL_WIDE }),
};

#define KEY_COLUMNS(before)                                                                                            \
	{ "ID", before "id", GM_CTL_NUMBER }, { "NAME", before "name", GM_CTL_TEXT },                                  \
		{ "ROLE", before "role", GM_CTL_TEXT }, { "PREFIX", before "prefix", GM_CTL_TEXT },                    \
		{ "AGE", before "createdAt", GM_CTL_AGE }, { "EXPIRES", before "expiresAt", GM_CTL_AGE },              \
		{ "REVOKED", before "revokedAt", GM_CTL_AGE },                                                         \
	{                                                                                                              \
		"BY", before "createdBy", GM_CTL_TEXT, GM_CTL_WIDE                                                     \
	}
const struct gm_ctl_view gm_ctl_view_keys = { .items = "items", .name = "id", GM_CTL_COLUMNS(KEY_COLUMNS("")) };
/* Its text is shown only this once; with -q it is all that is printed. */
const struct gm_ctl_view gm_ctl_view_key_created = {
	.name = "key", .upright = true, GM_CTL_COLUMNS({ "KEY", "key", GM_CTL_TEXT }, KEY_COLUMNS("info."))
};

static const struct gm_ctl_view node_devices = { .items = "", GM_CTL_COLUMNS(DEVICE_COLUMNS) };
const struct gm_ctl_view gm_ctl_view_node = {
	.name = "name",
	.upright = true,
	GM_CTL_COLUMNS({ "Node", "name", GM_CTL_TEXT }, { "Cluster", "cluster", GM_CTL_TEXT },
		       { "State", "state", GM_CTL_STATE }, { "Last seen", "lastSeen", GM_CTL_AGE },
		       { "Models", "models", GM_CTL_TEXT }, { "GPU devices", "gpuDevices", GM_CTL_NUMBER },
		       { "MIG instances", "migInstances", GM_CTL_NUMBER }, { "Health", "health", GM_CTL_TEXT },
		       { "Utilization", "utilization", GM_CTL_PERCENT }, { "Memory used", "memoryUsedMiB", GM_CTL_MIB },
		       { "Memory", "memoryTotalMiB", GM_CTL_MIB }, { "Power", "powerWatts", GM_CTL_WATTS },
		       { "Cost an hour", "hourlyCost", GM_CTL_MONEY }),
	GM_CTL_SECTIONS({ "Devices", "devices", &node_devices }),
};

static const struct gm_ctl_view device_pods = { .items = "",
						GM_CTL_COLUMNS({ "NAMESPACE", "namespace", GM_CTL_TEXT },
							       { "POD", "pod", GM_CTL_TEXT },
							       { "CONTAINER", "container", GM_CTL_TEXT }) };
static const struct gm_ctl_view device_mig = {
	.items = "",
	GM_CTL_COLUMNS({ "INSTANCE", "id", GM_CTL_TEXT }, { "PROFILE", "profile", GM_CTL_TEXT },
		       { "START", "placementStart", GM_CTL_NUMBER }, { "SLICES", "placementSize", GM_CTL_NUMBER },
		       { "UTIL", "utilization", GM_CTL_PERCENT }, { "USED", "memoryUsedMiB", GM_CTL_MIB },
		       { "MEMORY", "memoryTotalMiB", GM_CTL_MIB }, { "PODS", "pods.*.pod", GM_CTL_TEXT })
};
static const struct gm_ctl_view device_profiles = {
	.items = "",
	GM_CTL_COLUMNS({ "PROFILE", "profile", GM_CTL_TEXT }, { "ID", "profileId", GM_CTL_TEXT },
		       { "MEMORY", "memoryMiB", GM_CTL_MIB }, { "MOST", "maxInstances", GM_CTL_NUMBER },
		       { "STARTS", "placements", GM_CTL_TEXT })
};
static const struct gm_ctl_view device_allocations = {
	.items = "",
	GM_CTL_COLUMNS({ "ALLOCATION", "allocationId", GM_CTL_TEXT }, { "STATE", "state", GM_CTL_STATE },
		       { "NAMESPACE", "namespace", GM_CTL_TEXT }, { "POD", "podName", GM_CTL_TEXT },
		       { "TEAM", "team", GM_CTL_TEXT }, { "MIG", "migInstanceId", GM_CTL_TEXT })
};

const struct gm_ctl_view gm_ctl_view_device = {
	.name = "deviceId",
	.upright = true,
	GM_CTL_COLUMNS({ "Device", "deviceId", GM_CTL_TEXT }, { "UUID", "uuid", GM_CTL_TEXT },
		       { "Node", "nodeName", GM_CTL_TEXT }, { "Cluster", "cluster", GM_CTL_TEXT },
		       { "Model", "model", GM_CTL_TEXT }, { "Product", "productName", GM_CTL_TEXT },
		       { "Architecture", "architecture", GM_CTL_TEXT }, { "Health", "health", GM_CTL_STATE },
		       { "  because", "healthReasons", GM_CTL_TEXT }, { "Cordoned", "cordoned", GM_CTL_TEXT },
		       { "  because", "cordon.reason", GM_CTL_TEXT }, { "  by", "cordon.by", GM_CTL_TEXT },
		       { "Managed", "managed", GM_CTL_TEXT }, { "Utilization", "utilization", GM_CTL_PERCENT },
		       { "Memory used", "memoryUsedMiB", GM_CTL_MIB }, { "Memory", "memoryTotalMiB", GM_CTL_MIB },
		       { "Temperature", "temperature", GM_CTL_CELSIUS },
		       { "Memory temperature", "memoryTemperature", GM_CTL_CELSIUS },
		       { "Power", "powerWatts", GM_CTL_WATTS }, { "Power limit", "powerLimitWatts", GM_CTL_WATTS },
		       { "SM active", "smActive", GM_CTL_PERCENT }, { "Tensor active", "tensorActive", GM_CTL_PERCENT },
		       { "DRAM active", "dramActive", GM_CTL_PERCENT },
		       { "Throttled by", "throttleReasons", GM_CTL_TEXT }, { "Last XID", "xid", GM_CTL_NUMBER },
		       { "ECC double bit", "eccDbe", GM_CTL_NUMBER, GM_CTL_WIDE },
		       { "Rows remapped", "remappedRowsUncorrectable", GM_CTL_NUMBER, GM_CTL_WIDE },
		       { "MIG mode", "migEnabled", GM_CTL_TEXT }, { "Cost an hour", "hourlyCost", GM_CTL_MONEY },
		       { "Driver", "driverVersion", GM_CTL_TEXT }, { "PCI bus", "pciBusId", GM_CTL_TEXT },
		       { "Serial", "serial", GM_CTL_TEXT }, { "Source", "source", GM_CTL_TEXT },
		       { "Sampled", "sampledAt", GM_CTL_AGE }, { "First seen", "firstSeen", GM_CTL_AGE },
		       { "Not measured", "quality", GM_CTL_TEXT, GM_CTL_WIDE }),
	GM_CTL_SECTIONS({ "Allocations", "allocations", &device_allocations }, { "Pods", "pods", &device_pods },
			{ "MIG instances", "migInstances", &device_mig },
			{ "MIG profiles", "migProfiles", &device_profiles }),
};
/* clang-format on */
