/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_CTL_COMMAND_TABLE_H
#define GM_APP_CTL_COMMAND_TABLE_H

#include "app/ctl/command.h"

/* The rows, each in the file of its command: replay-mig.c. */
extern const struct gm_ctl_command gm_ctl_replay_mig;
extern const struct gm_ctl_command gm_ctl_replay_openb;
extern const struct gm_ctl_command gm_ctl_replay_serving;

#endif
