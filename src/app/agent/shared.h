/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_SHARED_H
#define GM_APP_AGENT_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "adapter/nvml/reading.h"

/*
 * The memory between the agent's processes. One anonymous shared mapping, made before the first fork; plain data and
 * atomics only, and nobody ever waits for a lock in it: a process may stop for ever at any instruction.
 *
 * Who writes what: a board's slot is written by the one child that holds it (slot.holder), read by the parent under its
 * sequence number. Children write their own row; the parent writes `orders`.
 */
#define GM_AGENT_BOARDS_MAX 64
#define GM_AGENT_CHILDREN_MAX 4 /* one that works, one that takes over, two that were abandoned */
#define GM_AGENT_EVENTS_MAX 64

struct gm_agent_slot {
	/* In which call the thread is: index in GM_NVML_SYMBOLS + 1, 0: none; and since when (CLOCK_MONOTONIC ns). */
	_Atomic uint32_t in_call;
	_Atomic uint64_t call_began_ns;
	_Atomic int32_t holder;	   /* child that reads it now; -1: none */
	_Atomic uint64_t samples;  /* rounds done */
	_Atomic uint64_t missed;   /* rounds that were due and not done in their interval */
	_Atomic uint32_t sequence; /* odd while `reading` is written */
	struct gm_reading reading;
};

enum gm_agent_child_state {
	GM_AGENT_CHILD_FREE,
	GM_AGENT_CHILD_STARTING, /* opening the library, nvmlInit, counting */
	GM_AGENT_CHILD_WORKING,
	GM_AGENT_CHILD_ABANDONED, /* may only return from its call and end */
	GM_AGENT_CHILD_ENDING,	  /* asked to end by itself */
};
struct gm_agent_child {
	_Atomic int32_t state; /* enum gm_agent_child_state; FREE -> STARTING by the parent, then by both as above */
	_Atomic int32_t pid;
	_Atomic int32_t init_rc;  /* NVML's answer to nvmlInit_v2; -1: not yet */
	_Atomic uint32_t in_call; /* of its main and event threads, as in a slot */
	_Atomic uint64_t call_began_ns;
	_Atomic uint32_t event_call;  /* the event thread; a wait there is no hang */
	_Atomic uint32_t board_count; /* as it counted them; the slots' facts say which */
	char error[200];	      /* why it could not open the library; written before init_rc */
};

struct gm_agent_shared {
	_Atomic int64_t interval_ms;
	_Atomic uint32_t wanted[GM_AGENT_BOARDS_MAX]; /* orders: which child shall read this board; ~0: none */
	_Atomic uint32_t stop;			      /* bit per child: end when your call returns */
	struct gm_agent_child children[GM_AGENT_CHILDREN_MAX];
	_Atomic uint64_t events_made;
	struct {
		_Atomic uint64_t number; /* written last */
		char uuid[48];
		struct gm_reading_event event;
	} events[GM_AGENT_EVENTS_MAX];
	struct gm_agent_slot slots[GM_AGENT_BOARDS_MAX]; /* by NVML's index as first counted */
};

#endif
