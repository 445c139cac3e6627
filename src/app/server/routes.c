/* SPDX-License-Identifier: MIT */
#include "app/server/api-internal.h"

#define CURSOR                                                                                                         \
	{                                                                                                              \
		.name = "cursor", .type = GM_PARAM_TEXT, .min = 1, .max = 2048, .help = "`next` of the page before"    \
	}
#define LIMIT                                                                                                          \
	{                                                                                                              \
		.name = "limit", .type = GM_PARAM_INT, .min = 1, .max = GM_API_LIMIT_MAX, .def = GM_API_LIMIT_DEFAULT, \
		.help = "How many items at most"                                                                       \
	}
#define CLUSTER                                                                                                        \
	{                                                                                                              \
		.name = "cluster", .type = GM_PARAM_TEXT, .min = 1, .help = "Only of this cluster"                     \
	}
#define NODE                                                                                                           \
	{                                                                                                              \
		.name = "nodeName", .type = GM_PARAM_TEXT, .min = 1, .help = "Only of this node"                       \
	}
#define PARAMS(...)                                                                                                    \
	(const struct gm_route_param[])                                                                                \
	{                                                                                                              \
		__VA_ARGS__,                                                                                           \
		{                                                                                                      \
			0                                                                                              \
		}                                                                                                      \
	}

static const char *const health_choices[] = { "ok", "degraded", "failed", "unknown", NULL };

static const struct gm_route_param device_params[] = {
	CLUSTER,
	NODE,
	{ .name = "model", .type = GM_PARAM_TEXT, .min = 1, .help = "Only of this model or variant" },
	{ .name = "health", .type = GM_PARAM_CHOICE, .choices = health_choices, .help = "Only of this health" },
	{ .name = "q",
	  .type = GM_PARAM_TEXT,
	  .help = "Only with this text in id, UUID, model, product name, serial or a pod's name" },
	{ .name = "sort",
	  .type = GM_PARAM_CHOICE,
	  .choices = gm_api_sort_choices,
	  .def = "deviceId",
	  .help = "Order; '-' is downwards, values not measured come last" },
	LIMIT,
	CURSOR,
	{ 0 },
};

static const struct gm_route_param metric_params[] = {
	{ .name = "metric",
	  .type = GM_PARAM_TEXT,
	  .min = 1,
	  .max = 512,
	  .def = "utilization,memoryUsedMiB,temperature,powerWatts",
	  .help = "Names of values of a device, separated by commas, eight at most" },
	{ .name = "from",
	  .type = GM_PARAM_TEXT,
	  .min = 1,
	  .max = 64,
	  .def = "now-1h",
	  .help = "now-6h, RFC 3339, or seconds since the epoch" },
	{ .name = "to", .type = GM_PARAM_TEXT, .min = 1, .max = 64, .def = "now", .help = "The same; not included" },
	{ .name = "step",
	  .type = GM_PARAM_DURATION,
	  .min = 1000,
	  .help = "Length of a bucket; without it the smallest that gives at most 1,500" },
	{ 0 },
};

static const struct gm_route_param audit_params[] = {
	{ .name = "from", .type = GM_PARAM_TIME, .help = "RFC 3339, or seconds since the epoch" },
	{ .name = "to", .type = GM_PARAM_TIME, .help = "The same; not included" },
	{ .name = "actor", .type = GM_PARAM_TEXT, .min = 1, .help = "Only by this one" },
	{ .name = "action", .type = GM_PARAM_TEXT, .min = 1, .help = "Only actions that begin so, as key" },
	LIMIT,
	CURSOR,
	{ 0 },
};

#define GET(path_, role_, handler_, operation_, tag_, response_, params_, summary_)                                    \
	{                                                                                                              \
		.method = GM_HTTP_GET, .path = path_, .role = GM_ROLE_##role_, .handler = handler_,                    \
		.operation = operation_, .tag = tag_, .response = response_, .params = params_, .summary = summary_    \
	}

/* clang-format off: a row a route reads better than what fits 120 columns. */
const struct gm_route gm_route_table[] = {
	GET("/api/v1/gpu/overview", VIEWER, gm_api_overview, "getOverview", "gpu", "Overview", NULL,
	    "The fleet in numbers"),
	GET("/api/v1/gpu/devices", VIEWER, gm_api_devices, "listDevices", "gpu", "DeviceList", device_params,
	    "Devices"),
	GET("/api/v1/gpu/devices/{id}", VIEWER, gm_api_device, "getDevice", "gpu", "DeviceDetail", NULL,
	    "A device by id or UUID"),
	GET("/api/v1/gpu/devices/{id}/metrics", VIEWER, gm_api_device_metrics, "getDeviceMetrics", "gpu",
	    "SeriesAnswer", metric_params, "History of a device or MIG instance"),
	GET("/api/v1/gpu/nodes", VIEWER, gm_api_nodes, "listNodes", "gpu", "NodeList",
	    PARAMS(CLUSTER, { .name = "q", .type = GM_PARAM_TEXT, .help = "Only with this text in the name" }, LIMIT,
		   CURSOR),
	    "Nodes"),
	GET("/api/v1/gpu/nodes/{name}", VIEWER, gm_api_node, "getNode", "gpu", "Node", PARAMS(CLUSTER), "A node"),
	GET("/api/v1/gpu/mig-instances", VIEWER, gm_api_mig_instances, "listMigInstances", "gpu", "MigInstanceList",
	    PARAMS(CLUSTER, NODE,
		   { .name = "profile", .type = GM_PARAM_TEXT, .min = 1, .help = "Only of this profile, as 2g.20gb" },
		   LIMIT, CURSOR),
	    "MIG instances"),
	GET("/api/v1/gpu/models", VIEWER, gm_api_models, "listModels", "gpu", "ModelList",
	    PARAMS({ .name = "model", .type = GM_PARAM_TEXT, .min = 1, .help = "Only this model or variant" }),
	    "The catalogue"),
	GET("/api/v1/gpu/fleet", VIEWER, gm_api_fleet, "getFleet", "gpu", "Fleet", NULL, "Every device in columns"),
	{ .method = GM_HTTP_GET,
	  .path = "/api/v1/events",
	  .role = GM_ROLE_VIEWER,
	  .handler = gm_api_events,
	  .operation = "streamEvents",
	  .tag = "gpu",
	  .flags = GM_ROUTE_STREAM,
	  .params = PARAMS({ .name = "topics",
			     .type = GM_PARAM_TEXT,
			     .min = 1,
			     .def = "fleet,overview,health",
			     .help = "fleet, overview, health, allocations, operations, audit (admin)" }),
	  .summary = "Live events",
	  .description =
		  "Server-sent events: `fleet` (FleetUpdate, a change against the columns with seq baseSeq), "
		  "`reset` (fetch the columns again), `overview` (Overview), `health`, `allocation` (AllocationEvent), "
		  "`operation` (MigOperation), `audit`. Send Last-Event-ID with the seq of the columns." },
	GET("/api/v1/scrape/targets", VIEWER, gm_api_targets, "listTargets", "scrape", "TargetList",
	    PARAMS(LIMIT, CURSOR), "Sources and how they answer"),
	GET("/api/v1/auth/me", VIEWER, gm_api_me, "getMe", "auth", "Me", NULL, "Who the request is"),
	GET("/api/v1/auth/keys", ADMIN, gm_api_keys, "listKeys", "auth", "ApiKeyList", NULL, "API keys"),
	{ .method = GM_HTTP_POST,
	  .path = "/api/v1/auth/keys",
	  .role = GM_ROLE_ADMIN,
	  .handler = gm_api_key_create,
	  .operation = "createKey",
	  .tag = "auth",
	  .request = "ApiKeyRequest",
	  .response = "ApiKeyCreated",
	  .success = 201,
	  .summary = "Make an API key" },
	{ .method = GM_HTTP_DELETE,
	  .path = "/api/v1/auth/keys/{id}",
	  .role = GM_ROLE_ADMIN,
	  .handler = gm_api_key_revoke,
	  .operation = "revokeKey",
	  .tag = "auth",
	  .success = 204,
	  .summary = "Revoke an API key" },
	GET("/api/v1/audit", ADMIN, gm_api_audit, "listAudit", "audit", "AuditList", audit_params,
	    "Changes, newest first"),
	GET("/api/v1/audit/refused", ADMIN, gm_api_refused, "listRefused", "audit", "RefusedList",
	    PARAMS({ .name = "from", .type = GM_PARAM_TIME, .help = "RFC 3339, or seconds since the epoch" }, LIMIT),
	    "Refused attempts by address and minute"),
	GET("/api/v1/config", ADMIN, gm_api_config, "listSettings", "config", "SettingList", NULL,
	    "Settings in force and where each comes from"),
	GET("/api/v1/openapi.json", NONE, gm_api_openapi, "getOpenApi", "meta", NULL, NULL, "This document"),
	GET("/openapi.json", NONE, gm_api_openapi, "getOpenApiShort", "meta", NULL, NULL, "This document"),
	{ .method = GM_HTTP_GET,
	  .path = "/metrics",
	  .role = GM_ROLE_VIEWER,
	  .handler = gm_api_metrics,
	  .operation = "getMetrics",
	  .tag = "meta",
	  .flags = GM_ROUTE_ROOT | GM_ROUTE_TEXT,
	  .summary = "Prometheus text 0.0.4 or OpenMetrics 1.0" },
	{ .method = GM_HTTP_GET,
	  .path = "/healthz",
	  .role = GM_ROLE_NONE,
	  .handler = gm_api_healthz,
	  .operation = "getHealth",
	  .tag = "meta",
	  .response = "Health",
	  .flags = GM_ROUTE_ROOT,
	  .summary = "The server lives" },
	{ .method = GM_HTTP_GET,
	  .path = "/readyz",
	  .role = GM_ROLE_NONE,
	  .handler = gm_api_readyz,
	  .operation = "getReady",
	  .tag = "meta",
	  .response = "Ready",
	  .flags = GM_ROUTE_ROOT,
	  .summary = "The live view stands" },
};
/* clang-format on */
const size_t gm_route_count = GM_LEN(gm_route_table);
