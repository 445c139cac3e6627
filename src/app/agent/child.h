/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_CHILD_H
#define GM_APP_AGENT_CHILD_H

#include "app/agent/shared.h"

/*
 * A process that calls NVML: its main thread opens the library and waits for orders, one thread a board reads, one waits
 * for events. Ends only between calls, never in one.
 */
struct gm_child_conf {
	struct gm_agent_shared *shared;
	const char *library;		      /* NULL: as gm_nvml_open finds it */
	int order_fds[GM_AGENT_CHILDREN_MAX]; /* eventfds: the parent wrote new orders */
	int wake_fd;			      /* eventfd of the parent: a round is complete, or something else is new */
};
/* Its whole life; the exit status (enum gm_agent_exit). */
int gm_child_run(const struct gm_child_conf *conf, unsigned number, int agent_gone_fd);

#endif
