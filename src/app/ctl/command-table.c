/* SPDX-License-Identifier: MIT */
#include "app/ctl/command-table.h"

/* A new command: a row in its set, or a file with a set of its own, and its name in command-table.h and here. */
const struct gm_ctl_group gm_ctl_groups[] = {
	{ "context", "Servers and who we are to them, by name" },
	{ "describe", "All that is known of one thing" },
	{ "get", "Lists of what there is" },
	{ "replay", "Run our rules over a trace or a synthetic stream, without a server" },
};
const size_t gm_ctl_group_count = GM_LEN(gm_ctl_groups);

static const size_t one = 1;

const struct gm_ctl_set gm_ctl_sets[] = {
	{ gm_ctl_context_commands, &gm_ctl_context_command_count },
	{ gm_ctl_describe_commands, &gm_ctl_describe_command_count },
	{ gm_ctl_get_commands, &gm_ctl_get_command_count },
	{ &gm_ctl_replay_mig, &one },
	{ &gm_ctl_replay_openb, &one },
	{ &gm_ctl_replay_serving, &one },
};
const size_t gm_ctl_set_count = GM_LEN(gm_ctl_sets);
