/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_COMMAND_H
#define GM_APP_AGENT_COMMAND_H

#include <stddef.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/option.h"

/* What the command line asks for. */
enum gm_agent_action {
	GM_AGENT_ACTION_RUN,
	GM_AGENT_ACTION_PRINT_CONFIG, /* needs the settings loaded */
	GM_AGENT_ACTION_VERSION,
	GM_AGENT_ACTION_HELP,
	GM_AGENT_ACTION_DOCS, /* docs/agent-configuration.md */
};

#define GM_AGENT_COMMAND_SETTINGS_MAX 256
struct gm_agent_command {
	enum gm_agent_action action;
	char *config;				       /* --config, else GM_AGENT_CONFIG when it is there; NULL: none */
	char *settings[GM_AGENT_COMMAND_SETTINGS_MAX]; /* "KEY=VALUE", in the order of the flags */
	size_t setting_count;
};
#define GM_AGENT_CONFIG "/etc/k8s-gpu-management/agent.yml"

/* On failure the exit code is 2. */
int gm_agent_command_parse(int argc, char *const *argv, struct gm_agent_command *out, struct gm_err *err) GM_CHECKED;
void gm_agent_command_fini(struct gm_agent_command *c);
/* What an action other than RUN prints. `o` is needed by PRINT_CONFIG only. */
void gm_agent_command_answer(const struct gm_agent_command *c, const struct gm_options *o, struct gm_buf *out);

GM_DEFINE_AUTO_VALUE(struct gm_agent_command, gm_agent_command_fini)

#endif
