/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_MIG_MANAGER_INTERNAL_H
#define GM_APP_AGENT_MIG_MANAGER_INTERNAL_H

#include <pthread.h>

#include "app/agent/mig-manager.h"
#include "app/agent/mig-operation.h"
#include "app/agent/mig-plan.h"
#include "app/agent/mig-wanted.h"

/* A request of another thread: lies on its stack until it is answered, or taken out again. */
struct gm_mig_ask {
	const struct gm_mig_request *request;
	struct gm_buf *out;
	struct gm_err err;
	int rc;
	bool taken, answered; /* once taken it is the main thread's until it is answered */
	struct gm_mig_ask *next;
};

enum gm_mig_phase {
	GM_MIG_PHASE_START, /* the journal of a former agent, or of a worker that broke off, is to be looked at */
	GM_MIG_PHASE_IDLE,
	GM_MIG_PHASE_HOLDING,  /* our samplers let go of the driver */
	GM_MIG_PHASE_RUNNING,  /* a worker is at it */
	GM_MIG_PHASE_SETTLING, /* the readings from before the end are still on their way */
};

struct gm_mig_manager {
	struct gm_mig_manager_conf conf;
	int event_fd;
	pthread_mutex_t mu;
	pthread_cond_t answered;
	struct gm_mig_ask *asks;	     /* guarded by mu */
	struct gm_mig_operations operations; /* guarded by mu; written by the main thread only */
	struct gm_mig_operation *current;    /* guarded by mu like them; NULL: none under way */
	_Atomic uint64_t changes;
	/* the main thread's own */
	enum gm_mig_phase phase;
	int64_t phase_since_ms; /* mono */
	bool holds;
	int owner_fd; /* holds the state folder; -1: not ours (yet) */
	bool loaded;  /* `wanted` is of the folder */
	const struct gm_agent_view *view;
	const struct gm_holders *holders;
	struct gm_mig_wanted wanted;
	struct gm_mig_past *past;		    /* room to read journals into */
	struct gm_mig_plan *plan;		    /* room for one */
	uint64_t settle_samples[GM_MIG_BOARDS_MAX]; /* by index in the job's changes */
	uint32_t next_id;
	/* what is compared to see that boards were out of sight */
	uint64_t child_starts;
	enum gm_agent_state agent_state;
	int64_t save_again_ms;	 /* mono; 0: the wanted layouts are on the disk */
	char rival[200];	 /* "": none */
	int64_t rival_looked_ms; /* mono; 0: never */
	bool ready;
	char why[440];
};

int64_t gm_mig_manager_now(const struct gm_mig_manager *m); /* wall */
/* Begins a job of these changes; the journal is the worker's. GM_ERR_UNAVAILABLE: no worker could be had. */
struct gm_mig_begin {
	enum gm_mig_kind kind;
	enum gm_mig_direction direction;
	const char *id;
	bool remove_unused, keep;
	const struct gm_mig_change *changes;
	uint32_t count;
};
int gm_mig_manager_begin(struct gm_mig_manager *m, const struct gm_mig_begin *b, struct gm_err *err) GM_CHECKED;
/* Compares what is there with what is wanted: restores what was lost, notes what somebody else changed. Sets ready. */
void gm_mig_manager_watch(struct gm_mig_manager *m);
void gm_mig_manager_save(struct gm_mig_manager *m);
void gm_mig_manager_plan_write(const struct gm_mig_plan *plan, struct gm_buf *out);
/* A fresh id: the time and a number. */
void gm_mig_manager_new_id(struct gm_mig_manager *m, char out[static GM_MIG_ID_SIZE]);
void gm_mig_manager_not_ready(struct gm_mig_manager *m, const char *fmt, ...) GM_PRINTF(2, 3);

#endif
