/* SPDX-License-Identifier: MIT */
#include "app/ctl/command-table.h"
#include "app/ctl/request.h"
#include "app/ctl/views.h"

/* All of the options that narrow a list down; each command takes some. */
struct filter_args {
	char *cluster, *node, *model, *health, *text, *sort, *profile, *state, *team, *project, *name_space, *device;
	char *from, *to;
};

#define FILTER(k, member, query_, value_, help_)                                                                       \
	{                                                                                                              \
		.option = { .key = k,                                                                                  \
			    .type = GM_OPTION_TEXT,                                                                    \
			    .offset = offsetof(struct filter_args, member),                                            \
			    .max = "256",                                                                              \
			    .help = help_ },                                                                           \
		.value = value_, .query = query_                                                                       \
	}
#define CLUSTER FILTER("cluster", cluster, "cluster", "NAME", "Only of this cluster")
#define NODE(query) FILTER("node", node, query, "NODE", "Only of this node")

static const struct gm_ctl_option NODES[] = {
	CLUSTER,
	FILTER("match", text, "q", "TEXT", "Only with this text in the name"),
};
static const struct gm_ctl_option DEVICES[] = {
	CLUSTER,
	NODE("nodeName"),
	FILTER("model", model, "model", "MODEL", "Only of this model or variant"),
	FILTER("health", health, "health", "ok|degraded|failed|unknown", "Only of this health"),
	FILTER("match", text, "q", "TEXT", "Only with this text in id, UUID, model, product, serial or a pod's name"),
	FILTER("sort", sort, "sort", "KEY", "Order: deviceId, utilization, -utilization and others of the API"),
};
static const struct gm_ctl_option MIG[] = {
	CLUSTER,
	NODE("nodeName"),
	FILTER("profile", profile, "profile", "PROFILE", "Only of this profile, as 2g.20gb"),
};
static const struct gm_ctl_option MODELS[] = {
	FILTER("model", model, "model", "MODEL", "Only this model or variant"),
};
static const struct gm_ctl_option ALLOCATIONS[] = {
	FILTER("state", state, "state", "active|pending|ended|all|STATE",
	       "Only in this state; without it those that are active or pending"),
	FILTER("team", team, "team", "TEAM", "Only of this team"),
	FILTER("project", project, "project", "NAME", "Only of this project"),
	FILTER("namespace", name_space, "namespace", "NAME", "Only of this namespace"),
	NODE("node"),
	FILTER("device", device, "device", "DEVICE", "Only on this device"),
	FILTER("from", from, "from", "TIME", "Only made at this time or later, RFC 3339"),
	FILTER("to", to, "to", "TIME", "Only made before this time"),
};

#define LIST(word, summary_, path_, view_, topic_, more, ...)                                                          \
	{                                                                                                              \
		.path = "get " word, .summary = summary_,                                                              \
		.flags = GM_CTL_REMOTE | GM_CTL_TABLE | GM_CTL_WATCH | (more),                                         \
		.args_size = sizeof(struct filter_args), .run = gm_ctl_request_run,                                    \
		.request = &(const struct gm_ctl_request){ .method = "GET",                                            \
							   .path = path_,                                              \
							   .view = &gm_ctl_view_##view_,                               \
							   .topic = topic_ },                                          \
		__VA_ARGS__                                                                                            \
	}
#define NOTHING .option_count = 0
#define WITH(options_) .options = options_, .option_count = GM_LEN(options_)

const struct gm_ctl_command gm_ctl_get_commands[] = {
	LIST("allocations", "Who holds what, and who waits", "/gpu/allocations", allocations, "allocations",
	     GM_CTL_PAGES, WITH(ALLOCATIONS)),
	LIST("devices", "GPU boards and how they are", "/gpu/devices", devices, "fleet", GM_CTL_PAGES, WITH(DEVICES)),
	LIST("keys", "API keys, without their texts", "/auth/keys", keys, NULL, 0, NOTHING),
	LIST("mig", "MIG instances", "/gpu/mig-instances", mig, "fleet", GM_CTL_PAGES, WITH(MIG)),
	LIST("models", "The catalogue of models", "/gpu/models", models, NULL, 0, WITH(MODELS)),
	LIST("nodes", "Nodes and the sums of their devices", "/gpu/nodes", nodes, "fleet", GM_CTL_PAGES, WITH(NODES)),
	LIST("operations", "MIG operations, running and past", "/gpu/operations", operations, "operations",
	     GM_CTL_PAGES, NOTHING),
	LIST("overview", "The fleet in numbers", "/gpu/overview", overview, "overview", 0, NOTHING),
	LIST("queues", "Queues of requests", "/gpu/queues", queues, "allocations", 0, NOTHING),
	LIST("targets", "Sources and how they answer", "/scrape/targets", targets, "health", GM_CTL_PAGES, NOTHING),
	LIST("teams", "Teams, their quota and what they use of it", "/gpu/teams", teams, "allocations", 0, NOTHING),
};
const size_t gm_ctl_get_command_count = GM_LEN(gm_ctl_get_commands);
