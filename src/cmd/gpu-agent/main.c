/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <sys/prctl.h>

#include "app/agent/agent.h"
#include "app/agent/settings.h"

extern char **environ;

static int fail(const struct gm_err *err)
{
	(void)fprintf(stderr, "gpu-agent: %s%s%s\n", err->where, err->where[0] ? ": " : "", err->text);
	return 2;
}

static int answer(const struct gm_agent_command *command)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };
	GM_AUTO(gm_option_list_fini_p) struct gm_option_list warnings = { 0 };
	struct gm_agent_settings settings;
	struct gm_options options = { 0 };
	struct gm_err err;

	if (command->action == GM_AGENT_ACTION_PRINT_CONFIG &&
	    gm_agent_settings_load(command, environ, &settings, &options, &warnings, &err))
		return fail(&err);
	gm_agent_command_answer(command, &options, &out);
	gm_options_fini(&options);
	return fwrite(out.p, 1, out.n, stdout) == out.n && fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	GM_AUTO(gm_agent_command_fini_p) struct gm_agent_command command = { 0 };
	struct gm_err err;

	/* In a bundle it is the loader that was started, and that would be our name. */
	(void)prctl(PR_SET_NAME, "gpu-agent");
	if (gm_agent_command_parse(argc, argv, &command, &err))
		return fail(&err);
	return command.action == GM_AGENT_ACTION_RUN ? gm_agent_main(&command, environ) : answer(&command);
}
