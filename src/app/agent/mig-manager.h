/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_MIG_MANAGER_H
#define GM_APP_AGENT_MIG_MANAGER_H

#include <stdbool.h>
#include <stdint.h>

#include "app/agent/holders.h"
#include "app/agent/keeper.h"
#include "app/agent/samplers.h"
#include "base/buf.h"
#include "base/err.h"

/*
 * MIG layouts of this node: tells what is there, applies what is wanted. One change at a time; its steps are carried out by
 * a worker process of the keeper, which writes each into the journal before it does it. The layout that was last applied
 * is kept on disk and made again when it is gone (reboot, reset, driver reload) before the node counts as ready.
 * Main thread only, but for what is marked.
 */
struct gm_mig_manager;
struct gm_mig_job; /* in shared memory, zeroed: the plan and how far the worker is (mig-job.h has its size) */

struct gm_mig_manager_conf {
	struct gm_samplers *samplers;
	struct gm_keeper *keeper;
	struct gm_mig_job *job;
	const struct gm_clock *clock;
	const char *state_dir; /* journal and wanted layouts; made when it is not there */
	const char *host_root; /* "" or "/host": where the markers of other owners are looked for */
	const char *library;   /* path of libnvidia-ml for the worker; NULL: as the loader finds it */
	bool enabled;	       /* false: tells, never changes */
};
int gm_mig_manager_new(const struct gm_mig_manager_conf *conf, struct gm_mig_manager **out,
		       struct gm_err *err) GM_CHECKED;
void gm_mig_manager_free(struct gm_mig_manager *m); /* no thread asks any more */
/* After each round, each end of a worker and when its fd is readable: recovers, restores, drives the job, answers. */
void gm_mig_manager_tick(struct gm_mig_manager *m, const struct gm_agent_view *view, const struct gm_holders *holders);
void gm_mig_manager_worker_ended(struct gm_mig_manager *m, const struct gm_keeper_end *end);
/* Readable when a request waits for the next tick (eventfd; the tick empties it). */
int gm_mig_manager_fd(const struct gm_mig_manager *m);
/* A worker is changing boards: nobody should end it. */
bool gm_mig_manager_works(const struct gm_mig_manager *m);
/* False while a wanted layout is not (yet) there; *out_why then says why. */
bool gm_mig_manager_ready(const struct gm_mig_manager *m, const char **out_why);
/*
 * For who watches, as of the last tick: the i-th board with a wanted layout, and whether what is there is another; false:
 * there are no more. Who else owns the layouts of this node, without a process's number; empty: nobody that is seen.
 */
struct gm_mig_wanted_seen {
	const char *uuid; /* until the next tick */
	bool differs;
};
bool gm_mig_manager_wanted_seen(const struct gm_mig_manager *m, unsigned i, struct gm_mig_wanted_seen *out);
struct gm_str gm_mig_manager_other_owner(const struct gm_mig_manager *m);
/* The body of GET /v1/mig, as of the last tick. */
void gm_mig_manager_describe(const struct gm_mig_manager *m, struct gm_buf *out);

/*
 * From any thread: POST /v1/mig/apply with this JSON body. Waits for the main thread to take it (bounded). 0: *out is the
 * answer (the operation, or with dryRun the plan); errors say what is in the way: CONFLICT for another state hash (with
 * the present one), for instances in use (naming pods and processes), for another owner, for a change under way.
 */
int gm_mig_manager_apply(struct gm_mig_manager *m, struct gm_str body, struct gm_buf *out,
			 struct gm_err *err) GM_CHECKED;
/* From any thread: GET /v1/mig/operations/{id}. */
int gm_mig_manager_operation(struct gm_mig_manager *m, struct gm_str id, struct gm_buf *out,
			     struct gm_err *err) GM_CHECKED;

/*
 * From any thread: grows whenever an operation begins, gets on or ends. Whoever streams events looks at it now and then,
 * and writes gm_mig_manager_operations() (the last 32, newest first) when it has grown.
 */
uint64_t gm_mig_manager_changes(struct gm_mig_manager *m);
void gm_mig_manager_operations(struct gm_mig_manager *m, struct gm_buf *out);

/* The worker's whole life: keeper role GM_KEEPER_MIG_WORKER. */
int gm_mig_worker_run(struct gm_mig_job *job, int agent_gone_fd);

#endif
