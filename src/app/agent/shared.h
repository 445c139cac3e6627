/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_SHARED_H
#define GM_APP_AGENT_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "adapter/nvml/reading.h"
#include "base/err.h"

/*
 * The memory between the agent's processes. One anonymous shared mapping, made before the first fork; plain data and
 * atomics only, and nobody ever waits for a lock in it: a process may stop for ever at any instruction.
 *
 * Every child has rows of its own, so no word ever has two writers, also while one child takes over from another: the
 * parent, not the memory, decides whose reading of a board counts. Pages of boards that are not there are never touched.
 */
#define GM_AGENT_BOARDS_MAX 64
#define GM_AGENT_CHILDREN_MAX 4 /* one that works, one that takes over, two that were abandoned */
#define GM_AGENT_EVENTS_MAX 32	/* of a child; a power of two */

/* The call a thread is in, and since when; written by that thread alone. */
struct gm_agent_call {
	_Atomic uint32_t symbol;    /* index in GM_NVML_SYMBOLS + 1, 0: in none */
	_Atomic int64_t began_ns;   /* CLOCK_MONOTONIC */
	_Atomic int64_t longest_ns; /* of those that returned; the parent takes it and leaves 0 */
};

/* What one child's thread says of one board after a round. */
struct gm_agent_report {
	int64_t round;	     /* monotonic ms / interval_ms: the rounds of all children and boards are the same ones */
	int64_t interval_ms; /* of that numbering */
	uint64_t samples;    /* rounds done in time, by this child, since it was given the board */
	int64_t mono_ms;     /* when the reading was whole */
	struct gm_reading reading;
};

/*
 * Three reports: one the child writes, one the parent reads, and the newest, which is handed over by exchanging numbers.
 * So neither waits for the other, neither sees half a report, and a child that dies while writing leaves the last whole one.
 */
#define GM_AGENT_FRESH 4u  /* beside the number in `middle`: not taken yet */
#define GM_AGENT_PAGE 4096 /* cells begin on one, so that their memory can be given back */
struct gm_agent_cell {
	_Alignas(GM_AGENT_PAGE) struct gm_agent_call call;
	_Atomic uint32_t middle;
	uint32_t back;	/* the child's */
	uint32_t front; /* the parent's */
	uint32_t last;	/* the child's: published last, which it may go on reading */
	struct gm_agent_report reports[3];
};

enum gm_agent_child_state {
	GM_AGENT_CHILD_STARTING, /* opening the library, nvmlInit, counting */
	GM_AGENT_CHILD_WORKING,
	GM_AGENT_CHILD_ENDING, /* ends when its calls have returned */
};
enum gm_agent_order {
	GM_AGENT_RUN,
	GM_AGENT_END,	 /* finish the round, shut the library down, end */
	GM_AGENT_ABANDON /* make no call any more; end when those in flight have returned */
};

/* One event, as words, because it may be overwritten while it is read. */
struct gm_agent_event {
	_Atomic uint64_t number; /* 1, 2, ..; 0 while it is written */
	_Atomic int64_t at_ms;
	_Atomic uint64_t type, data;
	_Atomic int32_t board, gi, ci;
};

struct gm_agent_child {
	/* by the parent, before each change it writes the child's order_fd */
	_Atomic uint32_t order;	 /* enum gm_agent_order */
	_Atomic uint64_t boards; /* bit by NVML's index as this child counted: those it shall read */
	/* by the child */
	_Atomic uint32_t state;	      /* enum gm_agent_child_state */
	_Atomic int32_t init_rc;      /* NVML's answer to nvmlInit_v2; -1: not yet */
	_Atomic uint32_t board_count; /* set before WORKING */
	struct gm_agent_call main, events;
	_Atomic uint64_t events_made;
	struct gm_agent_event event[GM_AGENT_EVENTS_MAX];
	char error[200]; /* why it ends; read after it ended */
};

struct gm_agent_shared {
	_Atomic int64_t interval_ms;
	struct gm_agent_child children[GM_AGENT_CHILDREN_MAX];
	struct gm_agent_cell cells[GM_AGENT_CHILDREN_MAX][GM_AGENT_BOARDS_MAX];
};

/* How a sampler ends; anything else, and every signal, is a crash. */
enum gm_agent_exit {
	GM_AGENT_EXIT_OK = 0,	       /* as ordered, or the agent is gone */
	GM_AGENT_EXIT_ABANDONED = 10,  /* the call that it was abandoned for has returned */
	GM_AGENT_EXIT_NO_LIBRARY = 11, /* could not be opened: `error` */
	GM_AGENT_EXIT_INIT = 12,       /* nvmlInit_v2 or the count failed: `init_rc`, `error` */
	GM_AGENT_EXIT_DRIVER = 13,     /* the driver went away while working: the library must be opened anew */
};

int gm_agent_shared_map(struct gm_agent_shared **out, struct gm_err *err) GM_CHECKED;
void gm_agent_shared_unmap(struct gm_agent_shared *s);
/* Rows of a child that is no more, made ready for the next: its memory is given back. */
void gm_agent_shared_clear(struct gm_agent_shared *s, unsigned child);

/* The child, once for each board, before anything else. */
void gm_agent_cell_begin(struct gm_agent_cell *c);
/* The child: where the next report is to be written. It holds the last one, as far as that is used. */
struct gm_agent_report *gm_agent_cell_back(struct gm_agent_cell *c);
void gm_agent_cell_publish(struct gm_agent_cell *c);
/* The parent: the newest report, or NULL when it was taken already. Stays whole until the next take. */
const struct gm_agent_report *gm_agent_cell_take(struct gm_agent_cell *c);
/* What is used of *from: the rest of *to keeps what it had. */
void gm_agent_report_copy(struct gm_agent_report *to, const struct gm_agent_report *from);
void gm_agent_reading_copy(struct gm_reading *to, const struct gm_reading *from);

void gm_agent_event_put(struct gm_agent_child *c, unsigned board, const struct gm_reading_event *e);
/* Number `n` (from 1); false when it is not (any more) there. */
bool gm_agent_event_get(const struct gm_agent_child *c, uint64_t n, unsigned *out_board, struct gm_reading_event *out);

#endif
