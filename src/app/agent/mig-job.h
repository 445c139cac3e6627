/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_MIG_JOB_H
#define GM_APP_AGENT_MIG_JOB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/mig/mig.h"

/*
 * What is to be done to MIG layouts, as plain data: in memory that the agent shares with the worker, in the journal, in
 * the answer to a dry run. A slice is one GPU instance with one compute instance that fills it.
 */
#define GM_MIG_BOARDS_MAX 64
#define GM_MIG_ID_SIZE 24
#define GM_MIG_UUID_SIZE 48

struct gm_mig_slice {
	int16_t profile_id; /* nvmlGpuInstanceProfileInfo.id */
	uint8_t start, size;
	char name[28]; /* "1g.10gb+me"; for people */
};
/* What a board is like: MIG mode, slices sorted by start. */
struct gm_mig_state {
	bool on;
	uint8_t count;
	struct gm_mig_slice slices[GM_MIG_INSTANCES_MAX];
};
struct gm_mig_change {
	char uuid[GM_MIG_UUID_SIZE];
	bool resets; /* a switch of the mode resets the board: nobody may hold it then */
	bool on_now; /* the mode as the work begins; not of the journal: a reboot may have changed it */
	struct gm_mig_state before, wanted;
};

enum gm_mig_verb { GM_MIG_NOTHING, GM_MIG_MODE_ON, GM_MIG_DESTROY, GM_MIG_CREATE, GM_MIG_MODE_OFF };
struct gm_mig_step {
	enum gm_mig_verb verb;
	struct gm_mig_slice slice; /* of DESTROY and CREATE */
};
#define GM_MIG_STEPS_MAX (2 * GM_MIG_INSTANCES_MAX + 1)

/*
 * From one state of a board to another, in an order that works: mode on, destroys, creates, mode off. What both have is
 * not touched. Switching the mode off begins with the removal of all that is left.
 */
size_t gm_mig_steps(const struct gm_mig_state *from, const struct gm_mig_state *to,
		    struct gm_mig_step out[static GM_MIG_STEPS_MAX]);
bool gm_mig_slice_same(const struct gm_mig_slice *a, const struct gm_mig_slice *b);
bool gm_mig_state_has(const struct gm_mig_state *s, const struct gm_mig_slice *slice);
bool gm_mig_state_same(const struct gm_mig_state *a, const struct gm_mig_state *b);
/* Keeps the order; false when there is no room. */
bool gm_mig_state_add(struct gm_mig_state *s, const struct gm_mig_slice *slice);

/* Toward which of the two states of each change the worker goes. */
enum gm_mig_direction { GM_MIG_FORWARD, GM_MIG_BACKWARD };
enum gm_mig_outcome {
	GM_MIG_OUTCOME_NONE, /* not ended */
	GM_MIG_OUTCOME_NEW,  /* the wanted layouts are there */
	GM_MIG_OUTCOME_OLD,  /* undone: the layouts are those of before */
	GM_MIG_OUTCOME_STUCK /* neither could be reached; the text says why */
};
enum gm_mig_kind { GM_MIG_APPLY, GM_MIG_RESTORE, GM_MIG_RECOVER };

/*
 * One job at a time. The agent fills it and asks the keeper for a worker; from then on the plain part belongs to the worker
 * until its process has ended. The atomics may be read by anybody at any time.
 */
struct gm_mig_job {
	char library[256]; /* path of libnvidia-ml; "": as the loader finds it */
	char state_dir[256];
	char id[GM_MIG_ID_SIZE];
	enum gm_mig_kind kind;
	enum gm_mig_direction direction; /* RECOVER only: else forward, and back when that fails */
	bool remove_unused;		 /* empty GPU instances in the way may go */
	bool keep;			 /* the layouts are made again when they are lost */
	uint32_t count;
	struct gm_mig_change changes[GM_MIG_BOARDS_MAX];
	/* the worker's answer, whole before `outcome` is set */
	int32_t code; /* enum gm_err_code of the first failure */
	char text[400];
	_Atomic int32_t outcome; /* enum gm_mig_outcome */
	/* how far it is */
	_Atomic uint32_t step, steps; /* begun, in all (both grow anew when it goes back) */
	_Atomic uint32_t going_back;
	_Atomic uint64_t now;		/* gm_mig_job_now: what it does */
	_Atomic uint32_t in_call;	/* index in GM_NVML_SYMBOLS + 1; 0: none */
	_Atomic uint64_t call_began_ns; /* CLOCK_MONOTONIC */
	_Atomic uint64_t changed;	/* grows with every step */
};

/* Board, verb, profile id, start and size in one word, so that a reader never sees two steps mixed. */
static inline uint64_t gm_mig_job_pack(unsigned board, const struct gm_mig_step *s)
{
	return (uint64_t)board << 48 | (uint64_t)s->verb << 40 | (uint64_t)(uint16_t)s->slice.profile_id << 16 |
	       (uint64_t)s->slice.start << 8 | s->slice.size;
}
static inline unsigned gm_mig_job_unpack(uint64_t word, struct gm_mig_step *out)
{
	*out = (struct gm_mig_step){
		.verb = (enum gm_mig_verb)(word >> 40 & 0xff),
		.slice = { .profile_id = (int16_t)(word >> 16 & 0xffff),
			   .start = (uint8_t)(word >> 8 & 0xff),
			   .size = (uint8_t)(word & 0xff) },
	};
	return (unsigned)(word >> 48);
}

#endif
