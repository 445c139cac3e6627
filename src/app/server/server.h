/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_SERVER_SERVER_H
#define GM_APP_SERVER_SERVER_H

#include "app/server/settings.h"

/*
 * Runs gpu-monitor until SIGTERM or SIGINT and gives the exit code: 0 after a stop that was asked for, 1 when it could
 * not start, 2 for settings that are wrong. The command says RUN; `environment` as gm_settings_load wants it.
 */
int gm_server_main(const struct gm_command *command, char *const *environment);

#endif
