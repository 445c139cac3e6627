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
#define NUMBER(n, h)                                                                                                   \
	{                                                                                                              \
		.name = n, .type = GM_SCHEMA_NUMBER, .help = h                                                         \
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
/* What a body may leave out. */
#define MAY(n, t, h)                                                                                                   \
	{                                                                                                              \
		.name = n, .type = GM_SCHEMA_##t, .optional = true, .help = h                                          \
	}
#define MAY_TEXTS(n, h)                                                                                                \
	{                                                                                                              \
		.name = n, .type = GM_SCHEMA_TEXT, .array = true, .optional = true, .help = h                          \
	}
#define MAY_CHOICE(n, c, h)                                                                                            \
	{                                                                                                              \
		.name = n, .type = GM_SCHEMA_TEXT, .choices = c, .optional = true, .help = h                           \
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
#define ALLOC_STATE "Pending|Provisioning|Reserved|Bound|Released|Expired|Failed"
#define WORKLOAD "Inference|Training|Development|Batch"
#define STRATEGY "cost|pack|spread|performance|balanced"

const struct gm_schema gm_schema_table[] = {
	{ "Allocation", NULL, "A promise of devices or MIG instances to a pod",
	  FIELDS(TEXT("allocationId", NULL), CHOICE("state", ALLOC_STATE, NULL),
		 TEXT_NULL("reason",
			   "Why it is in this state: waiting_for_capacity, over_quota, preempted, pod_gone, ..."),
		 TEXT_NULL("message", "The same as a sentence"), TEXT("namespace", NULL), TEXT("podName", NULL),
		 CHOICE("workloadType", WORKLOAD, NULL), TEXT_NULL("team", NULL), TEXT_NULL("project", NULL),
		 TEXT_NULL("queue", NULL), INT("priority", "As asked for; a queue adds its own"),
		 BOOL("preemptible", NULL), TEXT_NULL("owner", NULL), REF_NULL("gang", "AllocationGang", NULL),
		 TEXT_NULL("cluster", "null while it waits"),
		 TEXT_NULL("nodeName", "Of its first device; null while it waits"),
		 REFS("devices", "AllocationDevice", NULL),
		 NUMBER_NULL("hourlyCost", "Of all its devices; null: some have no rate, or it holds none"),
		 TEXT("currency", "ISO 4217"), REF_NULL("score", "Score", "Of the decision"),
		 REFS("alternatives", "Alternative",
		      "Where else it could have gone; in the answer to the request only"),
		 TIME("createdAt", NULL), TIME_NULL("grantedAt", NULL), TIME_NULL("boundAt", "Its pod was seen"),
		 TIME_NULL("endedAt", NULL), TIME_NULL("expiresAt", "null: does not"),
		 TIME_NULL("preemptAt", "It makes room for another then"),
		 INT_NULL("queuePosition", "1: next; null: it does not wait"),
		 REF("request", "AllocationRequest", "As it was understood"), TEXT("createdBy", NULL),
		 REF_NULL("podSpec", "PodSpec", "What the pod has to say to get these devices; null while it waits")) },
	{ "AllocationDevice", NULL, "A board, a share of one, or a slice that is held",
	  FIELDS(TEXT("deviceId", NULL), TEXT("uuid", NULL), TEXT("nodeName", NULL), TEXT("model", NULL),
		 TEXT_NULL("migInstanceId", "null: no slice, or not made yet"), TEXT_NULL("migUuid", NULL),
		 TEXT_NULL("profile", "2g.20gb; null: no slice"), TEXT_NULL("profileId", "H100_2G20GB"),
		 REF_NULL("placement", "PlacementRange", NULL),
		 NUMBER_NULL("share", "Of the board, 0 to 1; null: all of what is named"),
		 BOOL("toBeMade", "The slice does not exist yet"), NUMBER_NULL("hourlyCost", NULL)) },
	{ "AllocationEvent", NULL, "Data of the event `allocation`",
	  FIELDS(TEXT("allocationId", NULL), CHOICE("state", ALLOC_STATE, NULL), TEXT_NULL("reason", NULL),
		 INT_NULL("queuePosition", NULL), TIME("at", NULL)) },
	{ "AllocationGang", "GangRequest", "A gang, and how many of it have asked", FIELDS(INT("members", "So far")) },
	LIST("Allocation"),
	{ "AllocationRequest", NULL, "What a pod needs",
	  FIELDS(TEXT("namespace", NULL), TEXT("podName", NULL),
		 MAY_CHOICE("workloadType", WORKLOAD, "Inference without it; decides the weights of the score"),
		 MAY("useMig", BOOLEAN, "true: a slice; false: no slice; without it: either"),
		 MAY("requiredMemoryGb", INTEGER, "Nominal GB of each device or slice"),
		 MAY("migProfile", TEXT, "Exactly this profile: 2g.20gb or H100_2G20GB"),
		 MAY("gpuCount", INTEGER, "1 to 64, all or nothing"),
		 MAY("gpuShare", NUMBER, "Part of a board, where sharing is set up; more than 0, at most 1"),
		 MAY("cpuMillis", INTEGER, "Of the node, in thousandths of a core"),
		 MAY("memoryMiB", INTEGER, "Of the node"), MAY_TEXTS("models", "Only these models or variants"),
		 MAY_TEXTS("excludeModels", "None of these"), MAY("minComputeCapability", TEXT, "8.0"),
		 MAY("minMemoryBandwidth", INTEGER, "GB/s"), MAY_TEXTS("features", "bf16, fp8, nvlink"),
		 MAY("team", TEXT, "Without it: the one whose namespace it is"), MAY("project", TEXT, NULL),
		 MAY("priority", INTEGER, "0 to 1000; 100 without it"),
		 MAY("preemptible", BOOLEAN, "May make room for a higher priority"),
		 MAY("maxHourlyCost", NUMBER, "Of all devices together"),
		 MAY("ttlSeconds", INTEGER, "How long devices are kept for a pod that does not come"),
		 MAY_CHOICE("strategy", STRATEGY, "balanced without it"),
		 MAY("sameNode", BOOLEAN, "true without it: several devices on one node"),
		 MAY_CHOICE("topology", "any|nvlink|numa", "How near several devices must be"),
		 { .name = "nodeSelector",
		   .type = GM_SCHEMA_MAP,
		   .ref = "string",
		   .optional = true,
		   .help = "Labels of the node" },
		 MAY("cluster", TEXT, "Only there"), MAY("queue", TEXT, NULL),
		 { .name = "gang", .type = GM_SCHEMA_REF, .ref = "GangRequest", .optional = true, .nullable = true },
		 MAY("owner", TEXT, "Deployment/vllm: its next pod may take the reservation over"),
		 MAY("dryRun", BOOLEAN, "Answer with a Quote, change nothing")) },
	{ "Alternative", NULL, "Another way to serve a request",
	  FIELDS(TEXTS("deviceIds", NULL), TEXT("nodeName", NULL), TEXT_NULL("profile", NULL), BOOL("toBeMade", NULL),
		 NUMBER("score", NULL), NUMBER_NULL("hourlyCost", NULL)) },
	{ "ApiKey", NULL, "An API key without its secret",
	  FIELDS(INT("id", NULL), TEXT("name", "What it is for"), TEXT("prefix", "The beginning of its text"),
		 CHOICE("role", ROLE, NULL), TIME("createdAt", NULL), TEXT("createdBy", NULL),
		 TIME_NULL("expiresAt", "null: never"), TIME_NULL("revokedAt", "null: in force")) },
	{ "ApiKeyCreated", NULL, "A new API key; its text is shown only here",
	  FIELDS(TEXT("key", "Send it as Authorization: Bearer, or X-API-Key"), REF("info", "ApiKey", NULL)) },
	LIST("ApiKey"),
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
	{ "Cordon", NULL, "Whether new allocations go to a device",
	  FIELDS(TEXT("deviceId", NULL), BOOL("cordoned", NULL), TEXT_NULL("reason", NULL), TEXT_NULL("by", NULL),
		 TIME_NULL("at", NULL)) },
	{ "CordonRequest", NULL, "Why nothing new is to go to a device",
	  FIELDS(MAY("reason", TEXT, "At most 200 bytes")) },
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
	{ "DeviceAllocation", NULL, "Who holds something of a device",
	  FIELDS(TEXT("allocationId", NULL), TEXT("namespace", NULL), TEXT("podName", NULL), TEXT_NULL("team", NULL),
		 CHOICE("state", ALLOC_STATE, NULL), TEXT_NULL("migInstanceId", NULL)) },
	{ "DeviceCordon", NULL, "Nothing new goes to this device",
	  FIELDS(TEXT("reason", NULL), TEXT("by", NULL), TIME("at", NULL)) },
	{ "DeviceDetail", "Device", "A GPU board with all that is known of it",
	  FIELDS({ .name = "detail", .type = GM_SCHEMA_VALUES },
		 { .name = "throttleReasons", .type = GM_SCHEMA_TEXT, .array = true, .nullable = true },
		 TEXT_NULL("driverVersion", NULL), TEXT_NULL("pciBusId", NULL), TEXT_NULL("serial", NULL),
		 TIME_NULL("firstSeen", NULL), TIME_NULL("lastSeen", NULL), TEXT_NULL("target", "The source in force"),
		 INT_NULL("nominalMemoryGb", NULL), REFS("migProfiles", "MigProfile", NULL),
		 INT_NULL("migPlacementUnits", "Memory slices that placements count in")) },
	LIST("Device"),
	{ "ExplainCandidate", NULL, "A way to serve the request",
	  FIELDS(INT("rank", "1: the best"), TEXTS("deviceIds", NULL), TEXT("nodeName", NULL),
		 TEXT_NULL("profile", NULL), REF_NULL("placement", "PlacementRange", NULL), BOOL("toBeMade", NULL),
		 BOOL("chosen", NULL), NUMBER("score", NULL), REFS("parts", "ScorePart", NULL),
		 NUMBER_NULL("hourlyCost", NULL)) },
	{ "ExplainChange", NULL, "A change with which it would fit, tried on a copy of the world",
	  FIELDS(CHOICE("kind", "relax_limit|wait|repartition|evict|raise_quota|uncordon|add_capacity", NULL),
		 TEXT_NULL("field", "Of the request, or the quota's resource"), TEXT_NULL("from", NULL),
		 TEXT_NULL("to", NULL), TIME_NULL("at", "When, if all ends as announced"), TEXT_NULL("deviceId", NULL),
		 TEXT_NULL("allocationId", NULL), TEXT_NULL("team", NULL), TEXTS("commands", NULL),
		 NUMBER_NULL("hourlyCost", "It would cost then"),
		 BOOL("verified", "The allocator was run again and it fits"), TEXT("message", NULL)) },
	{ "ExplainReason", NULL, "Why devices will not do",
	  FIELDS(TEXT("reason", "memory, taken, cordoned, over_budget, ..."), INT("devices", "How many"),
		 TEXT("example", "One of them")) },
	{ "Explanation", NULL, "Why a request is where it is, and what would help",
	  FIELDS(TIME("at", NULL), CHOICE("decision", "granted|waiting|refused|feasible", NULL),
		 INT("devicesTotal", NULL),
		 REFS("reasons", "ExplainReason", "Every device that will not do, under its first reason"),
		 REFS("candidates", "ExplainCandidate", "The best ten"),
		 REFS("changes", "ExplainChange", "Cheapest first"), TEXT("message", NULL)) },
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
	{ "GangRequest", NULL, "Requests that are served together or not at all",
	  FIELDS(TEXT("id", NULL), INT("size", "2 to 64 members")) },
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
	{ "NodeAffinity", NULL, "As in a pod's spec.affinity.nodeAffinity",
	  FIELDS(REF("requiredDuringSchedulingIgnoredDuringExecution", "NodeSelector", NULL)) },
	{ "NodeCounts", NULL, "Nodes by state",
	  FIELDS(INT("total", NULL), INT("ready", NULL), INT("degraded", NULL), INT("stale", NULL),
		 INT("unknown", NULL)) },
	LIST("Node"),
	{ "NodeSelector", NULL, "As Kubernetes has it", FIELDS(REFS("nodeSelectorTerms", "NodeSelectorTerm", NULL)) },
	{ "NodeSelectorRequirement", NULL, "As Kubernetes has it",
	  FIELDS(TEXT("key", NULL), TEXT("operator", NULL), TEXTS("values", NULL)) },
	{ "NodeSelectorTerm", NULL, "As Kubernetes has it",
	  FIELDS(REFS("matchExpressions", "NodeSelectorRequirement", NULL)) },
	{ "Overview", NULL, "The fleet in numbers",
	  FIELDS(INT("totalGpuDevices", "Boards known and not gone"),
		 INT("activeAllocations",
		     "Allocations Reserved or Bound; workloads seen on devices until one was ever made here"),
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
	{ "PlacementRange", NULL, "Memory slices of a board",
	  FIELDS(INT("start", "The first"), INT("size", "How many")) },
	{ "Pod", NULL, "Who uses a device",
	  FIELDS(TEXT("namespace", NULL), TEXT("pod", NULL), TEXT_NULL("container", NULL)) },
	{ "PodSpec", NULL, "What the pod has to say to get the devices it was given",
	  FIELDS(MAP("resources", "string", "Requests and limits of the container"),
		 REF("nodeAffinity", "NodeAffinity", NULL), REFS("tolerations", "Toleration", NULL),
		 TEXT_NULL("schedulingGate", NULL)) },
	{ "Problem", NULL, "RFC 9457",
	  FIELDS(TEXT("type", NULL), TEXT("title", NULL), INT("status", NULL),
		 TEXT("code", "A word that stays the same"), TEXT("detail", NULL), REFS("errors", "ProblemError", NULL),
		 { .name = "params", .type = GM_SCHEMA_REF, .ref = "ProblemParams", .optional = true },
		 TEXT("request_id", NULL)) },
	{ "ProblemError", NULL, "One thing that is wrong",
	  FIELDS(TEXT("pointer", "JSON pointer, or ?parameter"), TEXT("detail", NULL)) },
	{ "ProblemParams", NULL, "What a program may want to know of a refusal",
	  FIELDS({ .name = "allocationExplain", .type = GM_SCHEMA_REF, .ref = "Explanation", .optional = true }) },
	{ "Quantiles", NULL, "Of the devices' utilisation, %",
	  FIELDS(INT("p10", NULL), INT("p50", NULL), INT("p90", NULL)) },
	{ "Queue", "QueueRequest", "A queue and who is in it",
	  FIELDS(TEXT("name", NULL), INT("pending", NULL), INT("active", "Allocations that hold devices")) },
	LIST("Queue"),
	{ "QueueRequest", NULL, "What a queue does with its requests",
	  FIELDS(MAY("priority", INTEGER, "Added to a request's; -1000 to 1000"),
		 MAY("paused", BOOLEAN, "Nothing is given"),
		 { .name = "strategy",
		   .type = GM_SCHEMA_TEXT,
		   .choices = STRATEGY,
		   .nullable = true,
		   .optional = true },
		 { .name = "preemptible", .type = GM_SCHEMA_BOOLEAN, .nullable = true, .optional = true },
		 { .name = "defaultTtlSeconds", .type = GM_SCHEMA_INTEGER, .nullable = true, .optional = true },
		 MAY("maxPending", INTEGER, "1 to 10000"), MAY_TEXTS("teams", "Who may use it; empty: all")) },
	{ "QuotaEffect", NULL, "A team's quota before and after, in whole boards",
	  FIELDS(TEXT("team", NULL), NUMBER("usedBefore", NULL), NUMBER("usedAfter", NULL), NUMBER_NULL("limit", NULL),
		 NUMBER("borrowed", "Beyond the quota, afterwards")) },
	{ "Quote", NULL, "What would become of a request",
	  FIELDS(BOOL("feasible", NULL), TIME_NULL("from", "Now, or when by the known ends; null: not known"),
		 REFS("devices", "AllocationDevice", NULL), NUMBER_NULL("hourlyCost", NULL), TEXT("currency", NULL),
		 REF_NULL("quota", "QuotaEffect", "null: its team has none"),
		 REF("explanation", "Explanation", NULL)) },
	{ "Ready", NULL, "The live view stands",
	  FIELDS(CHOICE("status", "ok|degraded", NULL), REF("database", "ReadyDatabase", NULL),
		 REF("targets", "TargetCounts", NULL)) },
	{ "ReadyDatabase", NULL, "The database",
	  FIELDS(BOOL("up", NULL), TEXT_NULL("error", NULL), TIME_NULL("since", "When it began to fail")) },
	{ "Refused", NULL, "Attempts that were refused, by address and minute",
	  FIELDS(TIME("minute", NULL), TEXT("address", NULL), INT("status", NULL), INT("count", NULL)) },
	LIST("Refused"),
	{ "RenewRequest", NULL, "How much longer devices are kept",
	  FIELDS(MAY("ttlSeconds", INTEGER, "Without it as the request had it")) },
	{ "Score", NULL, "How well it fits, 0 to 100",
	  FIELDS(NUMBER("total", NULL), REFS("parts", "ScorePart", NULL)) },
	{ "ScorePart", NULL, "A part of a score; the weights of all add up to 100",
	  FIELDS(CHOICE("name", "cost|fit|fragmentation|health|locality|warmth", NULL), NUMBER("value", "0 to 100"),
		 NUMBER("weight", NULL)) },
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
	{ "Team", "TeamRequest", "A team, what it may hold and what it holds",
	  FIELDS(TEXT("name", NULL), REF("used", "TeamUse", NULL), INT("pending", NULL)) },
	LIST("Team"),
	{ "TeamQuota", NULL, "A hard limit",
	  FIELDS(TEXT("resource", "H100_80GB: whole boards; 2g.20gb: slices; H100_80GB/2g.20gb: slices of a model"),
		 INT("limit", NULL)) },
	{ "TeamRequest", NULL, "What a team may hold",
	  FIELDS(MAY("weight", INTEGER, "1 to 1000, of the fair share; 1 without it"),
		 { .name = "gpuEquivalents",
		   .type = GM_SCHEMA_NUMBER,
		   .nullable = true,
		   .optional = true,
		   .help = "Quota in whole boards; null: none" },
		 { .name = "borrowingLimit",
		   .type = GM_SCHEMA_NUMBER,
		   .nullable = true,
		   .optional = true,
		   .help = "Beyond the quota, while others leave it idle; null: no limit, 0: none" },
		 { .name = "quotas", .type = GM_SCHEMA_REF, .ref = "TeamQuota", .array = true, .optional = true },
		 MAY_TEXTS("members", "Names of API keys that may use it; empty: everyone"),
		 MAY_TEXTS("namespaces", "Whose pods belong to it when a request names no team")) },
	{ "TeamResourceUse", NULL, "What a team holds of a resource it has a quota for",
	  FIELDS(TEXT("resource", NULL), INT("used", NULL)) },
	{ "TeamUse", NULL, "What a team holds",
	  FIELDS(NUMBER("gpuEquivalents", "In whole boards"), NUMBER("borrowed", "Beyond its quota"),
		 REFS("resources", "TeamResourceUse", NULL),
		 NUMBER_NULL("hourlyCost", "null: nothing it holds has a rate")) },
	{ "Toleration", NULL, "As in a pod's spec.tolerations",
	  FIELDS(TEXT("key", NULL), TEXT("operator", NULL), TEXT("effect", NULL)) },
};
const size_t gm_schema_count = GM_LEN(gm_schema_table);
