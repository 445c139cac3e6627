/* SPDX-License-Identifier: MIT */
#include "app/ctl/views.h"

/* clang-format off: a row a column. */
static const struct gm_ctl_view plan_devices = {
	.items = "",
	GM_CTL_COLUMNS({ "DEVICE", "deviceId", GM_CTL_TEXT }, { "MODEL", "model", GM_CTL_TEXT },
		       { "DESTROYS", "destroys.*.profile", GM_CTL_TEXT }, { "AT", "destroys.*.start", GM_CTL_TEXT },
		       { "CREATES", "creates.*.profile", GM_CTL_TEXT }, { "AT", "creates.*.start", GM_CTL_TEXT },
		       { "KEEPS", "keeps.*.profile", GM_CTL_TEXT },
		       { "STILL FITS", "stillFits.*.profile", GM_CTL_TEXT }, { "RESET", "resetNeeded", GM_CTL_TEXT },
		       { "BY", "carriedOutBy", GM_CTL_TEXT }, { "COMMANDS", "commands", GM_CTL_TEXT, GM_CTL_WIDE },
		       { "STATE", "stateHash", GM_CTL_TEXT, GM_CTL_WIDE })
};
static const struct gm_ctl_view plan_hit = {
	.items = "",
	GM_CTL_COLUMNS({ "NAMESPACE", "namespace", GM_CTL_TEXT }, { "POD", "pod", GM_CTL_TEXT },
		       { "DEVICE", "deviceId", GM_CTL_TEXT }, { "PROFILE", "profile", GM_CTL_TEXT },
		       { "TEAM", "team", GM_CTL_TEXT }, { "SERVES", "model", GM_CTL_TEXT },
		       { "IN FLIGHT", "requestsInFlight", GM_CTL_NUMBER },
		       { "OWNER", "owner", GM_CTL_TEXT, GM_CTL_WIDE },
		       { "ALLOCATION", "allocationId", GM_CTL_TEXT, GM_CTL_WIDE },
		       { "PRIORITY", "priority", GM_CTL_NUMBER, GM_CTL_WIDE })
};
static const struct gm_ctl_view plan_moves = {
	.items = "",
	GM_CTL_COLUMNS({ "POD", "holder.pod", GM_CTL_TEXT }, { "NAMESPACE", "holder.namespace", GM_CTL_TEXT },
		       { "PROFILE", "from.profile", GM_CTL_TEXT }, { "FROM", "fromDeviceId", GM_CTL_TEXT },
		       { "AT", "from.start", GM_CTL_NUMBER }, { "TO", "toDeviceId", GM_CTL_TEXT },
		       { "AT", "to.start", GM_CTL_NUMBER })
};

const struct gm_ctl_view gm_ctl_view_plan = {
	.name = "planId",
	.upright = true,
	GM_CTL_COLUMNS({ "Plan", "planId", GM_CTL_TEXT }, { "  that is", "message", GM_CTL_TEXT },
		       { "Scope", "scope", GM_CTL_TEXT }, { "Pods disturbed", "disturbed", GM_CTL_NUMBER },
		       { "Resets", "resets", GM_CTL_NUMBER },
		       { "Idle slices destroyed", "idleDestroyed", GM_CTL_NUMBER },
		       { "Devices touched", "devicesTouched", GM_CTL_NUMBER },
		       { "Time it takes", "expectedSeconds", GM_CTL_SECONDS },
		       { "Cost an hour changes", "hourlyCostEffect", GM_CTL_MONEY },
		       { "Proven to be best", "proven", GM_CTL_TEXT }, { "Gains", "gain.profile", GM_CTL_TEXT },
		       { "Good until", "expiresAt", GM_CTL_AGE }),
	GM_CTL_SECTIONS({ "Devices", "devices", &plan_devices }, { "Who is hit", "hit", &plan_hit },
			{ "Moves", "moves", &plan_moves }),
};

const struct gm_ctl_view gm_ctl_view_operations = {
	.items = "items",
	.name = "operationId",
	GM_CTL_COLUMNS({ "OPERATION", "operationId", GM_CTL_TEXT }, { "KIND", "kind", GM_CTL_TEXT },
		       { "STATE", "state", GM_CTL_STATE }, { "DONE", "progress", GM_CTL_SHARE },
		       { "DEVICES", "devices.*.deviceId", GM_CTL_TEXT }, { "AGE", "createdAt", GM_CTL_AGE },
		       { "MESSAGE", "message", GM_CTL_TEXT }, { "BY", "createdBy", GM_CTL_TEXT, GM_CTL_WIDE },
		       { "PLAN", "planId", GM_CTL_TEXT, GM_CTL_WIDE },
		       { "ALLOCATION", "allocationId", GM_CTL_TEXT, GM_CTL_WIDE })
};
static const struct gm_ctl_view operation_devices = {
	.items = "",
	GM_CTL_COLUMNS({ "DEVICE", "deviceId", GM_CTL_TEXT }, { "STATE", "state", GM_CTL_STATE },
		       { "STEP", "step", GM_CTL_NUMBER }, { "OF", "steps", GM_CTL_NUMBER },
		       { "NOW", "now", GM_CTL_TEXT }, { "MESSAGE", "message", GM_CTL_TEXT })
};
const struct gm_ctl_view gm_ctl_view_operation = {
	.name = "operationId",
	.upright = true,
	GM_CTL_COLUMNS({ "Operation", "operationId", GM_CTL_TEXT }, { "Kind", "kind", GM_CTL_TEXT },
		       { "State", "state", GM_CTL_STATE }, { "  that is", "message", GM_CTL_TEXT },
		       { "Done", "progress", GM_CTL_SHARE }, { "Plan", "planId", GM_CTL_TEXT },
		       { "Allocation", "allocationId", GM_CTL_TEXT }, { "Created", "createdAt", GM_CTL_AGE },
		       { "Started", "startedAt", GM_CTL_AGE }, { "Ended", "endedAt", GM_CTL_AGE },
		       { "Created by", "createdBy", GM_CTL_TEXT }),
	GM_CTL_SECTIONS({ "Devices", "devices", &operation_devices }),
};
/* clang-format on */
