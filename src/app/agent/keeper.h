/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_KEEPER_H
#define GM_APP_AGENT_KEEPER_H

#include <stdint.h>
#include <sys/types.h>

#include "base/auto.h"
#include "base/err.h"

/*
 * The process that makes the others. It is forked at the very start, before the first thread and before the serving
 * process gives up its rights, has one thread, and does nothing but fork children on request and tell how they ended: so
 * children are clean copies, and the one that answers requests never touches the driver. It ends when the agent does;
 * children see that (their end of a pipe closes) and end after their current call. Nobody is ever killed by a signal.
 */
enum gm_keeper_role {
	GM_KEEPER_SAMPLER,   /* argument: number of the child */
	GM_KEEPER_MIG_WORKER /* argument: not used; the job lies in shared memory */
};
struct gm_keeper;
struct gm_keeper_work {
	/* Once, in the keeper, before the first child: gives up rights for itself and them. NULL: nothing. */
	void (*enter)(void *ctx);
	/* The child's whole life; its answer is the exit status. `agent_gone_fd` is readable (at its end) once the agent is. */
	int (*run)(void *ctx, enum gm_keeper_role role, int argument, int agent_gone_fd);
	void *ctx; /* as it was at gm_keeper_start: children see what was written later only in shared memory */
};
struct gm_keeper_end {
	enum gm_keeper_role role;
	int argument;
	pid_t pid;
	int status; /* as of waitpid */
};

int gm_keeper_start(const struct gm_keeper_work *work, struct gm_keeper **out, struct gm_err *err) GM_CHECKED;
/* Asks for a child; *out_pid is its process. UNAVAILABLE: the keeper is gone or the system refused. */
int gm_keeper_spawn(struct gm_keeper *k, enum gm_keeper_role role, int argument, pid_t *out_pid,
		    struct gm_err *err) GM_CHECKED;
/* Readable when a child has ended, or the keeper. Ends that came with the answer to a spawn wait in memory: ask after each. */
int gm_keeper_fd(const struct gm_keeper *k);
/* 1 with *out, 0 for none, negative when the keeper itself is gone. */
int gm_keeper_next_end(struct gm_keeper *k, struct gm_keeper_end *out);
pid_t gm_keeper_pid(const struct gm_keeper *k);
/* Tells keeper and children that the agent is gone; waits for the keeper, not for them. */
void gm_keeper_free(struct gm_keeper *k);

GM_DEFINE_AUTO(struct gm_keeper, gm_keeper_free)

#endif
