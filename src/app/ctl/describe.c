/* SPDX-License-Identifier: MIT */
#include "app/ctl/command-table.h"
#include "app/ctl/request.h"
#include "app/ctl/views.h"

struct describe_args {
	char *name;
	char *cluster;
};

#define OPERAND(value_, help_)                                                                                         \
	(const struct gm_ctl_option[])                                                                                 \
	{                                                                                                              \
		{                                                                                                      \
			.option = { .key = "name",                                                                     \
				    .type = GM_OPTION_TEXT,                                                            \
				    .offset = offsetof(struct describe_args, name),                                    \
				    .max = "256",                                                                      \
				    .help = help_ },                                                                   \
			.value = value_, .required = true                                                              \
		}                                                                                                      \
	}

#define DESCRIBE(word, run_, summary_, path_, view_, topic_, value_, help_)                                            \
	{                                                                                                              \
		.path = "describe " word, .summary = summary_, .flags = GM_CTL_REMOTE | GM_CTL_WATCH,                  \
		.operands = OPERAND(value_, help_), .operand_count = 1, .args_size = sizeof(struct describe_args),     \
		.run = run_, .request = &(const struct gm_ctl_request)                                                 \
		{                                                                                                      \
			.method = "GET", .path = path_, .view = &gm_ctl_view_##view_, .topic = topic_                  \
		}                                                                                                      \
	}

const struct gm_ctl_command gm_ctl_describe_commands[] = {
	DESCRIBE("allocation", gm_ctl_request_run, "An allocation: what it holds, why that, and what else there was",
		 "/gpu/allocations/{name}", allocation, "allocations", "ALLOCATION",
		 "Its id, as 'get allocations' shows it"),
	DESCRIBE("device", gm_ctl_request_run, "A board: all that is known of it", "/gpu/devices/{name}", device,
		 "fleet", "DEVICE", "Its id or UUID, as worker-01-GPU-00"),
	DESCRIBE("node", gm_ctl_request_run, "A node and its devices", "/gpu/nodes/{name}", node, "fleet", "NODE",
		 "Its name"),
	DESCRIBE("operation", gm_ctl_request_run, "A MIG operation, step by step", "/gpu/operations/{name}", operation,
		 "operations", "OPERATION", "Its id, as 'get operations' shows it"),
	DESCRIBE("queue", gm_ctl_request_run, "A queue of requests", "/gpu/queues/{name}", queue, "allocations",
		 "QUEUE", "Its name"),
	DESCRIBE("team", gm_ctl_request_run, "A team, its quota and what it uses of it", "/gpu/teams/{name}", team,
		 "allocations", "TEAM", "Its name"),
};
const size_t gm_ctl_describe_command_count = GM_LEN(gm_ctl_describe_commands);
