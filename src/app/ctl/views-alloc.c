/* SPDX-License-Identifier: MIT */
#include "app/ctl/views.h"

/* clang-format off: a row a column. */
const struct gm_ctl_view gm_ctl_view_allocations = {
	.items = "items",
	.name = "allocationId",
	GM_CTL_COLUMNS({ "ALLOCATION", "allocationId", GM_CTL_TEXT }, { "STATE", "state", GM_CTL_STATE },
		       { "REASON", "reason", GM_CTL_TEXT }, { "NAMESPACE", "namespace", GM_CTL_TEXT },
		       { "POD", "podName", GM_CTL_TEXT }, { "TEAM", "team", GM_CTL_TEXT },
		       { "DEVICES", "devices.*.migInstanceId|deviceId", GM_CTL_TEXT },
		       { "PROFILE", "devices.*.profile", GM_CTL_TEXT }, { "COST/H", "hourlyCost", GM_CTL_MONEY },
		       { "AGE", "createdAt", GM_CTL_AGE }, { "EXPIRES", "expiresAt", GM_CTL_AGE },
		       { "QUEUE", "queue", GM_CTL_TEXT, GM_CTL_WIDE },
		       { "PLACE", "queuePosition", GM_CTL_NUMBER, GM_CTL_WIDE },
		       { "PRIORITY", "priority", GM_CTL_NUMBER, GM_CTL_WIDE },
		       { "TYPE", "workloadType", GM_CTL_TEXT, GM_CTL_WIDE },
		       { "NODE", "nodeName", GM_CTL_TEXT, GM_CTL_WIDE },
		       { "PROJECT", "project", GM_CTL_TEXT, GM_CTL_WIDE },
		       { "SCORE", "score.total", GM_CTL_DECIMAL, GM_CTL_WIDE },
		       { "BY", "createdBy", GM_CTL_TEXT, GM_CTL_WIDE })
};

static const struct gm_ctl_view granted_devices = {
	.items = "",
	GM_CTL_COLUMNS({ "DEVICE", "deviceId", GM_CTL_TEXT }, { "NODE", "nodeName", GM_CTL_TEXT },
		       { "MODEL", "model", GM_CTL_TEXT }, { "PROFILE", "profile", GM_CTL_TEXT },
		       { "START", "placement.start", GM_CTL_NUMBER }, { "MIG INSTANCE", "migInstanceId", GM_CTL_TEXT },
		       { "SHARE", "share", GM_CTL_SHARE }, { "TO BE MADE", "toBeMade", GM_CTL_TEXT },
		       { "COST/H", "hourlyCost", GM_CTL_MONEY }, { "UUID", "uuid", GM_CTL_TEXT, GM_CTL_WIDE })
};
static const struct gm_ctl_view score_parts = { .items = "",
						GM_CTL_COLUMNS({ "PART", "name", GM_CTL_TEXT },
							       { "VALUE", "value", GM_CTL_DECIMAL },
							       { "WEIGHT", "weight", GM_CTL_NUMBER }) };
static const struct gm_ctl_view alternatives = {
	.items = "",
	GM_CTL_COLUMNS({ "DEVICES", "deviceIds", GM_CTL_TEXT }, { "NODE", "nodeName", GM_CTL_TEXT },
		       { "PROFILE", "profile", GM_CTL_TEXT }, { "TO BE MADE", "toBeMade", GM_CTL_TEXT },
		       { "SCORE", "score", GM_CTL_DECIMAL }, { "COST/H", "hourlyCost", GM_CTL_MONEY })
};

const struct gm_ctl_view gm_ctl_view_allocation = {
	.name = "allocationId",
	.upright = true,
	GM_CTL_COLUMNS({ "Allocation", "allocationId", GM_CTL_TEXT }, { "State", "state", GM_CTL_STATE },
		       { "  because", "reason", GM_CTL_TEXT }, { "  that is", "message", GM_CTL_TEXT },
		       { "Place in the queue", "queuePosition", GM_CTL_NUMBER },
		       { "Namespace", "namespace", GM_CTL_TEXT }, { "Pod", "podName", GM_CTL_TEXT },
		       { "Workload", "workloadType", GM_CTL_TEXT }, { "Team", "team", GM_CTL_TEXT },
		       { "Project", "project", GM_CTL_TEXT }, { "Queue", "queue", GM_CTL_TEXT },
		       { "Priority", "priority", GM_CTL_NUMBER }, { "Preemptible", "preemptible", GM_CTL_TEXT },
		       { "Gang", "gang", GM_CTL_TEXT }, { "Owner", "owner", GM_CTL_TEXT, GM_CTL_WIDE },
		       { "Cluster", "cluster", GM_CTL_TEXT, GM_CTL_WIDE }, { "Node", "nodeName", GM_CTL_TEXT },
		       { "Score", "score.total", GM_CTL_DECIMAL }, { "Cost an hour", "hourlyCost", GM_CTL_MONEY },
		       { "Created", "createdAt", GM_CTL_AGE }, { "Granted", "grantedAt", GM_CTL_AGE },
		       { "Bound", "boundAt", GM_CTL_AGE }, { "Ended", "endedAt", GM_CTL_AGE },
		       { "Expires", "expiresAt", GM_CTL_AGE }, { "Preempted", "preemptAt", GM_CTL_AGE },
		       { "Pod's resources", "podSpec.resources", GM_CTL_TEXT },
		       { "Created by", "createdBy", GM_CTL_TEXT, GM_CTL_WIDE },
		       { "Request", "request", GM_CTL_TEXT, GM_CTL_WIDE }),
	GM_CTL_SECTIONS({ "Devices", "devices", &granted_devices }, { "Score", "score.parts", &score_parts },
			{ "Alternatives", "alternatives", &alternatives }),
};

static const struct gm_ctl_view reasons = { .items = "",
					    GM_CTL_COLUMNS({ "REASON", "reason", GM_CTL_TEXT },
							   { "DEVICES", "devices", GM_CTL_NUMBER },
							   { "FOR EXAMPLE", "example", GM_CTL_TEXT }) };
static const struct gm_ctl_view candidates = {
	.items = "",
	GM_CTL_COLUMNS({ "RANK", "rank", GM_CTL_NUMBER }, { "DEVICES", "deviceIds", GM_CTL_TEXT },
		       { "NODE", "nodeName", GM_CTL_TEXT }, { "PROFILE", "profile", GM_CTL_TEXT },
		       { "START", "placement.start", GM_CTL_NUMBER }, { "TO BE MADE", "toBeMade", GM_CTL_TEXT },
		       { "CHOSEN", "chosen", GM_CTL_TEXT }, { "SCORE", "score", GM_CTL_DECIMAL },
		       { "COST/H", "hourlyCost", GM_CTL_MONEY }, { "PARTS", "parts.*.name", GM_CTL_TEXT, GM_CTL_WIDE },
		       { "VALUES", "parts.*.value", GM_CTL_DECIMAL, GM_CTL_WIDE })
};
static const struct gm_ctl_view changes = {
	.items = "",
	GM_CTL_COLUMNS({ "WHAT WOULD HELP", "kind", GM_CTL_TEXT }, { "THAT IS", "message", GM_CTL_TEXT },
		       { "FROM", "from", GM_CTL_TEXT }, { "TO", "to", GM_CTL_TEXT }, { "WHEN", "at", GM_CTL_AGE },
		       { "COST/H", "hourlyCost", GM_CTL_MONEY }, { "VERIFIED", "verified", GM_CTL_TEXT, GM_CTL_WIDE },
		       { "COMMANDS", "commands", GM_CTL_TEXT, GM_CTL_WIDE })
};
#define EXPLANATION(before)                                                                                            \
	GM_CTL_SECTIONS({ "Why devices are out", before "reasons", &reasons },                                         \
			{ "Candidates", before "candidates", &candidates }, { "Changes", before "changes", &changes })

const struct gm_ctl_view gm_ctl_view_explanation = {
	.upright = true,
	GM_CTL_COLUMNS({ "Decision", "decision", GM_CTL_STATE }, { "  that is", "message", GM_CTL_TEXT },
		       { "Devices looked at", "devicesTotal", GM_CTL_NUMBER }, { "As of", "at", GM_CTL_AGE }),
	EXPLANATION("")
};

static const struct gm_ctl_view quote_devices = {
	.items = "",
	GM_CTL_COLUMNS({ "DEVICE", "deviceId", GM_CTL_TEXT }, { "NODE", "nodeName", GM_CTL_TEXT },
		       { "MODEL", "model", GM_CTL_TEXT }, { "PROFILE", "profile", GM_CTL_TEXT },
		       { "START", "placement.start", GM_CTL_NUMBER }, { "TO BE MADE", "toBeMade", GM_CTL_TEXT },
		       { "COST/H", "hourlyCost", GM_CTL_MONEY })
};
const struct gm_ctl_view gm_ctl_view_quote = {
	.upright = true,
	GM_CTL_COLUMNS({ "Feasible", "feasible", GM_CTL_TEXT }, { "  that is", "explanation.message", GM_CTL_TEXT },
		       { "From", "from", GM_CTL_AGE }, { "Cost an hour", "hourlyCost", GM_CTL_MONEY },
		       { "Team", "quota.team", GM_CTL_TEXT }, { "  GPUs before", "quota.usedBefore", GM_CTL_DECIMAL },
		       { "  GPUs after", "quota.usedAfter", GM_CTL_DECIMAL }, { "  of", "quota.limit", GM_CTL_DECIMAL },
		       { "  borrowed", "quota.borrowed", GM_CTL_DECIMAL }),
	GM_CTL_SECTIONS({ "Devices", "devices", &quote_devices },
			{ "Why devices are out", "explanation.reasons", &reasons },
			{ "Candidates", "explanation.candidates", &candidates },
			{ "Changes", "explanation.changes", &changes }),
};

const struct gm_ctl_view gm_ctl_view_teams = {
	.items = "items",
	.name = "name",
	GM_CTL_COLUMNS({ "TEAM", "name", GM_CTL_TEXT }, { "WEIGHT", "weight", GM_CTL_NUMBER },
		       { "GPUS", "gpuEquivalents", GM_CTL_NUMBER }, { "USED", "used.gpuEquivalents", GM_CTL_DECIMAL },
		       { "BORROWED", "used.borrowed", GM_CTL_DECIMAL },
		       { "MAY BORROW", "borrowingLimit", GM_CTL_NUMBER }, { "PENDING", "pending", GM_CTL_NUMBER },
		       { "COST/H", "used.hourlyCost", GM_CTL_MONEY },
		       { "MEMBERS", "members", GM_CTL_TEXT, GM_CTL_WIDE },
		       { "NAMESPACES", "namespaces", GM_CTL_TEXT, GM_CTL_WIDE },
		       { "QUOTAS", "quotas.*.resource", GM_CTL_TEXT, GM_CTL_WIDE })
};
static const struct gm_ctl_view team_quotas = {
	.items = "", GM_CTL_COLUMNS({ "RESOURCE", "resource", GM_CTL_TEXT }, { "LIMIT", "limit", GM_CTL_NUMBER })
};
static const struct gm_ctl_view team_used = {
	.items = "", GM_CTL_COLUMNS({ "RESOURCE", "resource", GM_CTL_TEXT }, { "USED", "used", GM_CTL_NUMBER })
};
const struct gm_ctl_view gm_ctl_view_team = {
	.name = "name",
	.upright = true,
	GM_CTL_COLUMNS({ "Team", "name", GM_CTL_TEXT }, { "Weight", "weight", GM_CTL_NUMBER },
		       { "GPUs", "gpuEquivalents", GM_CTL_NUMBER }, { "  used", "used.gpuEquivalents", GM_CTL_DECIMAL },
		       { "  borrowed", "used.borrowed", GM_CTL_DECIMAL },
		       { "  may borrow", "borrowingLimit", GM_CTL_NUMBER }, { "Pending", "pending", GM_CTL_NUMBER },
		       { "Cost an hour", "used.hourlyCost", GM_CTL_MONEY }, { "Members", "members", GM_CTL_TEXT },
		       { "Namespaces", "namespaces", GM_CTL_TEXT }),
	GM_CTL_SECTIONS({ "Quotas", "quotas", &team_quotas }, { "In use", "used.resources", &team_used }),
};

const struct gm_ctl_view gm_ctl_view_queues = {
	.items = "items",
	.name = "name",
	GM_CTL_COLUMNS({ "QUEUE", "name", GM_CTL_TEXT }, { "PRIORITY", "priority", GM_CTL_NUMBER },
		       { "PAUSED", "paused", GM_CTL_TEXT }, { "PENDING", "pending", GM_CTL_NUMBER },
		       { "ACTIVE", "active", GM_CTL_NUMBER }, { "MOST PENDING", "maxPending", GM_CTL_NUMBER },
		       { "STRATEGY", "strategy", GM_CTL_TEXT, GM_CTL_WIDE },
		       { "PREEMPTIBLE", "preemptible", GM_CTL_TEXT, GM_CTL_WIDE },
		       { "TTL", "defaultTtlSeconds", GM_CTL_SECONDS, GM_CTL_WIDE },
		       { "TEAMS", "teams", GM_CTL_TEXT, GM_CTL_WIDE })
};
const struct gm_ctl_view gm_ctl_view_queue = {
	.name = "name",
	.upright = true,
	GM_CTL_COLUMNS({ "Queue", "name", GM_CTL_TEXT }, { "Priority", "priority", GM_CTL_NUMBER },
		       { "Paused", "paused", GM_CTL_TEXT }, { "Pending", "pending", GM_CTL_NUMBER },
		       { "  at most", "maxPending", GM_CTL_NUMBER }, { "Active", "active", GM_CTL_NUMBER },
		       { "Strategy", "strategy", GM_CTL_TEXT }, { "Preemptible", "preemptible", GM_CTL_TEXT },
		       { "Time to live", "defaultTtlSeconds", GM_CTL_SECONDS }, { "Teams", "teams", GM_CTL_TEXT })
};
/* clang-format on */
