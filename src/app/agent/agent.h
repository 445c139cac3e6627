/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_AGENT_H
#define GM_APP_AGENT_AGENT_H

#include "app/agent/command.h"

/*
 * Runs gpu-agent until SIGTERM or SIGINT and gives the exit code: 0 after a stop that was asked for, 1 when it could not
 * start or lost its keeper, 2 for settings that are wrong. The command says RUN; `environment` as gm_agent_settings_load
 * wants it. Called before the first thread.
 */
int gm_agent_main(const struct gm_agent_command *command, char *const *environment);

#endif
