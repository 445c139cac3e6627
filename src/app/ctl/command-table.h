/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_CTL_COMMAND_TABLE_H
#define GM_APP_CTL_COMMAND_TABLE_H

#include "app/ctl/command.h"

/* The rows, each set in the file of its name: get.c, context-commands.c, replay-mig.c. */
extern const struct gm_ctl_command gm_ctl_get_commands[], gm_ctl_describe_commands[], gm_ctl_context_commands[];
extern const size_t gm_ctl_get_command_count, gm_ctl_describe_command_count, gm_ctl_context_command_count;
extern const struct gm_ctl_command gm_ctl_replay_mig;
extern const struct gm_ctl_command gm_ctl_replay_openb;
extern const struct gm_ctl_command gm_ctl_replay_serving;

#endif
