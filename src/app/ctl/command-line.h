/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_CTL_COMMAND_LINE_H
#define GM_APP_CTL_COMMAND_LINE_H

#include "app/ctl/command.h"

/* One command line, read: base's option tables over the command's struct and over the globals. */
struct gm_ctl_line {
	const struct gm_ctl_command *command;
	struct gm_option rows[GM_CTL_OPTIONS_MAX]; /* the options, then the operands */
	struct gm_option *global_rows;
	void *args;
	struct gm_ctl_globals globals;
	struct gm_options options, global_options;
	size_t operand; /* that comes next */
};
void gm_ctl_line_init(struct gm_ctl_line *l, const struct gm_ctl_command *command);
void gm_ctl_line_fini(struct gm_ctl_line *l);
/* Everything behind the command's own words. What is missing is not looked for when help was asked for. */
int gm_ctl_line_read(struct gm_ctl_line *l, int argc, char *const *argv, struct gm_err *err) GM_CHECKED;

GM_DEFINE_AUTO_VALUE(struct gm_ctl_line, gm_ctl_line_fini)

#endif
