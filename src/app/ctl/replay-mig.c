/* SPDX-License-Identifier: MIT */
#include "app/ctl/command-table.h"

struct mig_args {
	char *streams;
};

static const struct gm_ctl_option OPTIONS[] = {
	{ .option = { .key = "streams",
		      .type = GM_OPTION_TEXT,
		      .offset = offsetof(struct mig_args, streams),
		      .def = "1..200",
		      .check = gm_ctl_range_check,
		      .help = "Which streams" },
	  .value = "A..B" },
};

static int replay_mig(const struct gm_ctl_run *run, struct gm_err *err)
{
	(void)run;
	return gm_fail(err, GM_ERR_UNSUPPORTED, "comes with the next commit");
}

const struct gm_ctl_command gm_ctl_replay_mig = {
	.path = "replay mig",
	.summary = "MIG churn on simulated boards: how many memory slices a policy accepts",
	.options = OPTIONS,
	.option_count = GM_LEN(OPTIONS),
	.args_size = sizeof(struct mig_args),
	.run = replay_mig,
};
