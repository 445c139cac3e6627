/* SPDX-License-Identifier: MIT */
#include "app/ctl/command-table.h"

/* A new command: a file with its row, its name in command-table.h and here. */
const struct gm_ctl_group gm_ctl_groups[] = {
	{ "replay", "Run our rules over a trace or a synthetic stream, without a server" },
};
const size_t gm_ctl_group_count = GM_LEN(gm_ctl_groups);

const struct gm_ctl_command *const gm_ctl_commands[] = {
	&gm_ctl_replay_mig,
	&gm_ctl_replay_openb,
	&gm_ctl_replay_serving,
};
const size_t gm_ctl_command_count = GM_LEN(gm_ctl_commands);
