/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_AGENT_INTERNAL_H
#define GM_APP_AGENT_AGENT_INTERNAL_H

#include "adapter/host/notify.h"
#include "app/agent/agent.h"
#include "app/agent/api.h"
#include "app/agent/child.h"
#include "app/agent/holders.h"
#include "app/agent/kubelet.h"
#include "app/agent/mig-job.h"
#include "app/agent/mig-manager.h"
#include "app/agent/pages.h"
#include "app/agent/pause.h"
#include "app/agent/samplers.h"
#include "app/agent/settings.h"
#include "base/log.h"

#define GM_AGENT_SERVERS_MAX 9 /* what settings may list, and the socket */

/* Settings as they were loaded. */
struct gm_agent_loaded {
	struct gm_agent_settings settings;
	struct gm_options options;
	struct gm_agent_loaded *first; /* that of the start; NULL: this one is */
};

/* What the keeper's processes work on: a copy of it is all they see of the agent, beside the shared memory. */
struct gm_agent_work {
	struct gm_child_conf child;
	struct gm_mig_job *job;
	bool sandbox;
};

/* All parts of the agent. Main thread only. */
struct gm_agent {
	const struct gm_agent_command *command;
	char *const *environment;
	const struct gm_clock *clock;
	struct gm_agent_loaded *loaded; /* the newest */
	char library[4096];
	struct gm_agent_work work;
	struct gm_agent_shared *shared;
	struct gm_mig_job *job;
	struct gm_keeper *keeper;
	struct gm_samplers *samplers;
	struct gm_mig_manager *mig;
	struct gm_agent_pages *pages;
	struct gm_agent_pause *pause;
	struct gm_kubelet *kubelet;
	struct gm_agent_api api;
	bool api_ready;
	struct gm_http_server *servers[GM_AGENT_SERVERS_MAX];
	size_t server_count;
	struct gm_notify notify;
	int wake_fd, signal_fd;
	/* of the loop */
	struct gm_holders_cache *holders_cache;
	struct gm_arena holders_arena;
	struct gm_holders holders;
	bool said_ready, said_waits;
	struct gm_log_limit token_said;
	int64_t started_ms, pages_at_ms, token_at_ms, watchdog_at_ms; /* monotonic */
	char status[256];
};

/* Everything but the loop; whatever was opened is closed by gm_agent_close, also after a failure. */
int gm_agent_open(struct gm_agent *a, struct gm_err *err) GM_CHECKED;
void gm_agent_close(struct gm_agent *a);
int gm_agent_load(struct gm_agent *a, struct gm_err *err) GM_CHECKED;
/* SIGHUP. */
void gm_agent_reload(struct gm_agent *a);

#endif
