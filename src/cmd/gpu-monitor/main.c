/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "app/server/api.h"
#include "app/server/openapi.h"
#include "app/server/server.h"
#include "app/server/settings.h"

extern char **environ;

static int fail(const struct gm_err *err)
{
	(void)fprintf(stderr, "gpu-monitor: %s%s%s\n", err->where, err->where[0] ? ": " : "", err->text);
	return 2;
}

static int print(const struct gm_buf *out)
{
	return fwrite(out->p, 1, out->n, stdout) == out->n && fflush(stdout) == 0 ? 0 : 1;
}

/* For docs/openapi.json; not a user's business, so --help does not have it. */
static int print_openapi(void)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };

	gm_openapi_write(&out, gm_route_table, gm_route_count);
	return print(&out);
}

static int answer(const struct gm_command *command)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };
	GM_AUTO(gm_option_list_fini_p) struct gm_option_list warnings = { 0 };
	struct gm_settings settings;
	struct gm_options options = { 0 };
	struct gm_err err;

	if (command->action == GM_COMMAND_PRINT_CONFIG) {
		if (gm_settings_load(command, environ, &settings, &options, &warnings, &err))
			return fail(&err);
	}
	gm_command_answer(command, &options, &out);
	gm_options_fini(&options);
	return print(&out);
}

int main(int argc, char **argv)
{
	GM_AUTO(gm_command_fini_p) struct gm_command command = { 0 };
	struct gm_err err;

	if (argc == 2 && strcmp(argv[1], "--docs-openapi") == 0)
		return print_openapi();
	if (gm_command_parse(argc, argv, environ, &command, &err))
		return fail(&err);
	return command.action == GM_COMMAND_RUN ? gm_server_main(&command, environ) : answer(&command);
}
