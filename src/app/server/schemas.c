/* SPDX-License-Identifier: MIT */
#include "app/server/openapi.h"

#include "base/auto.h"

#define TEXT(n, h)                                                                                                     \
	{                                                                                                              \
		.name = n, .type = GM_SCHEMA_TEXT, .help = h                                                           \
	}
#define TEXT_NULL(n, h)                                                                                                \
	{                                                                                                              \
		.name = n, .type = GM_SCHEMA_TEXT, .nullable = true, .help = h                                         \
	}
#define TEXTS(n, h)                                                                                                    \
	{                                                                                                              \
		.name = n, .type = GM_SCHEMA_TEXT, .array = true, .help = h                                            \
	}
#define CHOICE(n, c, h)                                                                                                \
	{                                                                                                              \
		.name = n, .type = GM_SCHEMA_TEXT, .choices = c, .help = h                                             \
	}
#define TIME(n, h)                                                                                                     \
	{                                                                                                              \
		.name = n, .type = GM_SCHEMA_TIME, .help = h                                                           \
	}
#define TIME_NULL(n, h)                                                                                                \
	{                                                                                                              \
		.name = n, .type = GM_SCHEMA_TIME, .nullable = true, .help = h                                         \
	}
#define INT(n, h)                                                                                                      \
	{                                                                                                              \
		.name = n, .type = GM_SCHEMA_INTEGER, .help = h                                                        \
	}
#define INT_NULL(n, h)                                                                                                 \
	{                                                                                                              \
		.name = n, .type = GM_SCHEMA_INTEGER, .nullable = true, .help = h                                      \
	}
#define NUMBER_NULL(n, h)                                                                                              \
	{                                                                                                              \
		.name = n, .type = GM_SCHEMA_NUMBER, .nullable = true, .help = h                                       \
	}
#define BOOL(n, h)                                                                                                     \
	{                                                                                                              \
		.name = n, .type = GM_SCHEMA_BOOLEAN, .help = h                                                        \
	}
#define BOOL_NULL(n, h)                                                                                                \
	{                                                                                                              \
		.name = n, .type = GM_SCHEMA_BOOLEAN, .nullable = true, .help = h                                      \
	}
#define REF(n, r, h)                                                                                                   \
	{                                                                                                              \
		.name = n, .type = GM_SCHEMA_REF, .ref = r, .help = h                                                  \
	}
#define REF_NULL(n, r, h)                                                                                              \
	{                                                                                                              \
		.name = n, .type = GM_SCHEMA_REF, .ref = r, .nullable = true, .help = h                                \
	}
#define REFS(n, r, h)                                                                                                  \
	{                                                                                                              \
		.name = n, .type = GM_SCHEMA_REF, .ref = r, .array = true, .help = h                                   \
	}
#define MAP(n, r, h)                                                                                                   \
	{                                                                                                              \
		.name = n, .type = GM_SCHEMA_MAP, .ref = r, .help = h                                                  \
	}
#define FIELDS(...)                                                                                                    \
	(const struct gm_schema_field[])                                                                               \
	{                                                                                                              \
		__VA_ARGS__,                                                                                           \
		{                                                                                                      \
			0                                                                                              \
		}                                                                                                      \
	}
#define LIST(schema)                                                                                                   \
	{                                                                                                              \
		schema "List", NULL, "A page of a list",                                                               \
			FIELDS(REFS("items", schema, NULL), TEXT_NULL("next", "Cursor of the next page"))              \
	}

#define HEALTH "ok|degraded|failed|unknown"
#define ROLE "viewer|operator|admin"

const struct gm_schema gm_schema_table[] = {
	{ "ApiKey", NULL, "An API key without its secret",
	  FIELDS(INT("id", NULL), TEXT("name", "What it is for"), TEXT("prefix", "The beginning of its text"),
		 CHOICE("role", ROLE, NULL), TIME("createdAt", NULL), TEXT("createdBy", NULL),
		 TIME_NULL("expiresAt", "null: never"), TIME_NULL("revokedAt", "null: in force")) },
	LIST("ApiKey"),
	{ "ApiKeyCreated", NULL, "A new API key; its text is shown only here",
	  FIELDS(TEXT("key", "Send it as Authorization: Bearer, or X-API-Key"), REF("info", "ApiKey", NULL)) },
	{ "ApiKeyRequest", NULL, "A wish for an API key",
	  FIELDS(TEXT("name", "1 to 64 bytes"), CHOICE("role", ROLE, NULL),
		 { .name = "expiresIn",
		   .type = GM_SCHEMA_TEXT,
		   .optional = true,
		   .nullable = true,
		   .help = "How long it is good, as 90d; without it for ever" }) },
	{ "Audit", NULL, "A change, who made it and from where",
	  FIELDS(INT("seq", NULL), TIME("at", NULL), TEXT("actor", NULL), TEXT("role", NULL), TEXT("address", NULL),
		 TEXT("action", NULL), TEXT("object", NULL),
		 { .name = "before", .type = GM_SCHEMA_MAP, .nullable = true },
		 { .name = "after", .type = GM_SCHEMA_MAP, .nullable = true }, TEXT("requestId", NULL),
		 TEXT("digest", "Over this row and the digest of the one before")) },
	LIST("Audit"),
	{ "Device", NULL, "A GPU board",
	  FIELDS(TEXT("deviceId", "Node and index: worker-01-GPU-00"), TEXT("uuid", "NVML's UUID: the identity"),
		 TEXT("cluster", NULL), TEXT("nodeName", NULL), INT("gpuIndex", NULL),
		 TEXT("model", "What people configure and price by"),
		 TEXT_NULL("variant", "The board form; null when the catalogue has it not"),
		 TEXT_NULL("productName", NULL), TEXT_NULL("architecture", NULL), INT_NULL("memoryTotalMiB", NULL),
		 BOOL_NULL("migCapable", NULL), BOOL_NULL("migEnabled", NULL),
		 BOOL("managed", "Allocation and repartitioning are allowed by the settings"),
		 CHOICE("health", HEALTH, NULL), TEXTS("healthReasons", NULL),
		 { .name = "item", .type = GM_SCHEMA_VALUES }, REFS("pods", "Pod", NULL),
		 REFS("migInstances", "MigInstance", NULL),
		 NUMBER_NULL("hourlyCost", "Rate of the whole board; null: no rate is known"),
		 TEXT("currency", "ISO 4217"), CHOICE("source", "agent|sim|dcgm|none", NULL),
		 TIME_NULL("sampledAt", NULL), MAP("quality", "string", "Each value that is not measured, and why"),
		 TEXTS("derived", "Values computed from others")) },
	LIST("Device"),
	{ "DeviceDetail", "Device", "A GPU board with all that is known of it",
	  FIELDS({ .name = "detail", .type = GM_SCHEMA_VALUES },
		 { .name = "throttleReasons", .type = GM_SCHEMA_TEXT, .array = true, .nullable = true },
		 TEXT_NULL("driverVersion", NULL), TEXT_NULL("pciBusId", NULL), TEXT_NULL("serial", NULL),
		 TIME_NULL("firstSeen", NULL), TIME_NULL("lastSeen", NULL), TEXT_NULL("target", "The source in force"),
		 INT_NULL("nominalMemoryGb", NULL), REFS("migProfiles", "MigProfile", NULL),
		 INT_NULL("migPlacementUnits", "Memory slices that placements count in")) },
	{ "Fleet", NULL, "Every device in columns; base64 of little-endian arrays, 255: not measured",
	  FIELDS(INT("seq", "The snapshot"), TIME_NULL("ts", "null before the first snapshot"), INT("count", NULL),
		 TEXTS("health", "What the numbers of h mean"), TEXTS("ids", NULL), TEXTS("uuids", NULL),
		 REF("nodes", "FleetNodes", NULL), REF("models", "FleetModels", NULL),
		 TEXT("memoryTotalMiB", "u32, 0: not known"),
		 TEXT("flags", "u8: 1 MIG, 2 managed, 4 held, 8 simulated"), TEXT("u", "u8, utilisation %"),
		 TEXT("t", "u8, degrees C"), TEXT("m", "u8, memory used %"), TEXT("h", "u8, health"),
		 TEXT("mig", "u8, GPU instances")) },
	{ "FleetModels", NULL, "Models by number", FIELDS(TEXTS("names", NULL), TEXT("index", "u16 a device")) },
	{ "FleetNodes", NULL, "Nodes by number",
	  FIELDS(TEXTS("names", NULL), TEXTS("clusters", NULL), TEXT("index", "u32 a device")) },
	{ "FleetUpdate", NULL, "Data of the event `fleet`: what changed since baseSeq",
	  FIELDS(INT("seq", NULL), INT("baseSeq", NULL), TIME("ts", NULL), TEXT("i", "u32, positions"), TEXT("u", NULL),
		 TEXT("t", NULL), TEXT("m", NULL), TEXT("h", NULL), TEXT("f", "u8, flags")) },
	{ "Health", NULL, "The server lives", FIELDS(CHOICE("status", "ok", NULL), TEXT("version", NULL)) },
	{ "HealthCounts", NULL, "Devices by health",
	  FIELDS(INT("ok", NULL), INT("degraded", NULL), INT("failed", NULL), INT("unknown", NULL)) },
	{ "Me", NULL, "Who the request is",
	  FIELDS(TEXT("name", NULL), CHOICE("role", ROLE, NULL), BOOL("anonymous", NULL), TEXTS("profile", NULL),
		 BOOL("open", "Requests without a key are let in")) },
	{ "MigInstance", NULL, "A MIG instance: a GPU instance and a compute instance in it",
	  FIELDS(TEXT("id", "worker-01-GPU-00-MIG-1.0"),
		 { .name = "deviceId", .type = GM_SCHEMA_TEXT, .optional = true, .help = "In lists of instances only" },
		 { .name = "cluster", .type = GM_SCHEMA_TEXT, .optional = true },
		 { .name = "nodeName", .type = GM_SCHEMA_TEXT, .optional = true },
		 { .name = "model", .type = GM_SCHEMA_TEXT, .optional = true }, INT("giId", NULL), INT("ciId", NULL),
		 TEXT_NULL("uuid", NULL), TEXT("profile", "3g.40gb"), TEXT("profileId", "H100_3G40GB"),
		 INT_NULL("placementStart", "First memory slice"), INT_NULL("placementSize", "Memory slices"),
		 INT_NULL("memoryTotalMiB", NULL),
		 NUMBER_NULL("utilization", "From profiling values, else unsupported"),
		 NUMBER_NULL("memoryUsedMiB", NULL), MAP("quality", "string", NULL), REFS("pods", "Pod", NULL)) },
	LIST("MigInstance"),
	{ "MigProfile", NULL, "A profile of a board's MIG table",
	  FIELDS(TEXT("profile", NULL), TEXT("profileId", NULL), INT("computeSlices", NULL),
		 INT_NULL("memorySlices", NULL), INT_NULL("memoryMiB", NULL), INT("maxInstances", NULL),
		 TEXT_NULL("resourceName", "Of the device plugin"),
		 { .name = "placements",
		   .type = GM_SCHEMA_INTEGER,
		   .array = true,
		   .help = "First memory slices allowed" },
		 INT_NULL("placementSize", "Memory slices taken")) },
	{ "Model", NULL, "A board form of the catalogue",
	  FIELDS(TEXT("variant", NULL), TEXT("model", NULL), BOOL("seed", NULL),
		 { .name = "lifecycle", .type = GM_SCHEMA_TEXT, .choices = "active|eol", .nullable = true },
		 TEXT_NULL("architecture", NULL), TEXT_NULL("formFactor", NULL), TEXT_NULL("computeCapability", NULL),
		 INT_NULL("nominalMemoryGb", NULL), INT_NULL("memoryMiB", NULL), INT_NULL("memoryBandwidthGBs", NULL),
		 INT_NULL("smCount", NULL), INT_NULL("tdpWatts", NULL), INT_NULL("slowdownCelsius", NULL),
		 INT_NULL("nvlinkGBs", NULL), BOOL("fp8", NULL), BOOL("bf16", NULL), BOOL("migCapable", NULL),
		 REFS("migProfiles", "MigProfile", NULL), INT_NULL("migPlacementUnits", NULL),
		 INT("devices", "How many the fleet has")) },
	LIST("Model"),
	{ "Node", NULL, "A node and the sums of its devices",
	  FIELDS(TEXT("name", NULL), TEXT("cluster", NULL), CHOICE("state", "ready|degraded|stale|unknown", NULL),
		 TIME_NULL("lastSeen", NULL), INT("gpuDevices", NULL), INT("migInstances", NULL),
		 REF("health", "HealthCounts", NULL), NUMBER_NULL("utilization", NULL),
		 INT_NULL("memoryTotalMiB", NULL), INT_NULL("memoryUsedMiB", NULL), NUMBER_NULL("powerWatts", NULL),
		 NUMBER_NULL("hourlyCost", NULL), TEXT("currency", NULL), TEXTS("models", NULL)) },
	{ "NodeCounts", NULL, "Nodes by state",
	  FIELDS(INT("total", NULL), INT("ready", NULL), INT("degraded", NULL), INT("stale", NULL),
		 INT("unknown", NULL)) },
	LIST("Node"),
	{ "Overview", NULL, "The fleet in numbers",
	  FIELDS(INT("totalGpuDevices", "Boards known and not gone"),
		 INT("activeAllocations", "Workloads that hold a device or slice"),
		 INT("totalMigInstances", "GPU instances"),
		 NUMBER_NULL("overallGpuUtilization", "Mean over boards with a value now, %"),
		 MAP("devicesByModel", "integer", NULL), TIME_NULL("asOf", "null before the first snapshot"),
		 TEXTS("clusters", NULL), REF("nodes", "NodeCounts", NULL), REF("health", "HealthCounts", NULL),
		 INT("memoryTotalMiB", NULL), INT_NULL("memoryUsedMiB", NULL), NUMBER_NULL("powerWatts", NULL),
		 NUMBER_NULL("costPerHour", NULL), TEXT("currency", NULL),
		 INT("unpricedDevices", "Without a known rate"), INT("unmeasuredDevices", "Without a utilisation now"),
		 INT("idleDevices", "Under 5 %"), INT("hotDevices", "Over 85 degrees C"),
		 INT("migEnabledDevices", NULL), INT("managedDevices", NULL),
		 REF_NULL("utilization", "Quantiles", "null: nothing is measured"), BOOL("managementEnabled", NULL),
		 TEXTS("profile", NULL), BOOL("open", NULL), BOOL("simulated", NULL),
		 REF("targets", "TargetCounts", NULL)) },
	{ "Pod", NULL, "Who uses a device",
	  FIELDS(TEXT("namespace", NULL), TEXT("pod", NULL), TEXT_NULL("container", NULL)) },
	{ "Problem", NULL, "RFC 9457",
	  FIELDS(TEXT("type", NULL), TEXT("title", NULL), INT("status", NULL),
		 TEXT("code", "A word that stays the same"), TEXT("detail", NULL), REFS("errors", "ProblemError", NULL),
		 TEXT("request_id", NULL)) },
	{ "ProblemError", NULL, "One thing that is wrong",
	  FIELDS(TEXT("pointer", "JSON pointer, or ?parameter"), TEXT("detail", NULL)) },
	{ "Quantiles", NULL, "Of the devices' utilisation, %",
	  FIELDS(INT("p10", NULL), INT("p50", NULL), INT("p90", NULL)) },
	{ "Ready", NULL, "The live view stands",
	  FIELDS(CHOICE("status", "ok|degraded", NULL), REF("database", "ReadyDatabase", NULL),
		 REF("targets", "TargetCounts", NULL)) },
	{ "ReadyDatabase", NULL, "The database",
	  FIELDS(BOOL("up", NULL), TEXT_NULL("error", NULL), TIME_NULL("since", "When it began to fail")) },
	{ "Refused", NULL, "Attempts that were refused, by address and minute",
	  FIELDS(TIME("minute", NULL), TEXT("address", NULL), INT("status", NULL), INT("count", NULL)) },
	LIST("Refused"),
	{ "Series", NULL, "One metric in buckets; null: a gap",
	  FIELDS(TEXT("metric", NULL), TEXT("unit", NULL),
		 { .name = "min", .type = GM_SCHEMA_NUMBER, .array = true, .nullable = true },
		 { .name = "avg", .type = GM_SCHEMA_NUMBER, .array = true, .nullable = true },
		 { .name = "max", .type = GM_SCHEMA_NUMBER, .array = true, .nullable = true }) },
	{ "SeriesAnswer", NULL, "History of a device or MIG instance",
	  FIELDS(TEXT("deviceId", NULL), TEXT("uuid", NULL), TEXT_NULL("migInstanceId", NULL), TIME("from", NULL),
		 TIME("to", NULL), TEXT("step", "As 30s"),
		 { .name = "timestamps", .type = GM_SCHEMA_NUMBER, .array = true, .help = "Seconds since the epoch" },
		 REFS("series", "Series", NULL), CHOICE("tier", "memory|raw|5m|1h|1d", "The coarsest that answered")) },
	{ "Setting", NULL, "A setting in force",
	  FIELDS(TEXT("key", NULL), TEXT("value", "Secrets are masked"),
		 CHOICE("origin", "default|profile|file|environment|flag", NULL),
		 TEXT_NULL("where", "File, line and column, or variable"), BOOL("live", "Changes on SIGHUP"),
		 TEXT("help", NULL)) },
	LIST("Setting"),
	{ "Target", NULL, "A source that is asked",
	  FIELDS(TEXT("url", NULL), TEXT_NULL("node", NULL), TEXT("cluster", NULL),
		 CHOICE("state", "up|down|pending", NULL), TEXT("source", NULL), TEXT_NULL("error", NULL),
		 TIME_NULL("since", "When it came to this state"), TIME_NULL("lastScrape", NULL),
		 INT_NULL("durationMs", NULL), INT("samples", NULL), INT("scrapes", NULL), INT("failures", NULL)) },
	{ "TargetCounts", NULL, "Sources by state", FIELDS(INT("total", NULL), INT("up", NULL), INT("down", NULL)) },
	LIST("Target"),
};
const size_t gm_schema_count = GM_LEN(gm_schema_table);
