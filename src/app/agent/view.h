/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_VIEW_H
#define GM_APP_AGENT_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "adapter/nvml/reading.h"
#include "app/agent/board-events.h"
#include "app/agent/shared.h"
#include "app/agent/window.h"

/*
 * What the agent's main thread knows after a round: copied out of the shared memory once, then read by those who write
 * pages, answer for MIG and join pods. Belongs to the main thread; nobody else sees it.
 */
enum gm_board_state {
	GM_BOARD_NEW, /* not read yet */
	GM_BOARD_OK,
	GM_BOARD_HUNG,	 /* a driver call does not return; the reading is the last one from before */
	GM_BOARD_LOST,	 /* off the bus (15), or not found any more */
	GM_BOARD_FAILED, /* the driver answers, with an error for the whole board */
	GM_BOARD_STATES
};
const char *gm_board_state_name(enum gm_board_state s); /* "new", "ok", "hung", "lost", "failed" */

enum gm_agent_state {
	GM_AGENT_STARTING,
	GM_AGENT_WORKING,
	GM_AGENT_PAUSED,     /* by request: no child, no handle */
	GM_AGENT_NO_LIBRARY, /* no libnvidia-ml.so.1 */
	GM_AGENT_NO_DRIVER,  /* 9: not loaded; 18: another version than the library's */
	GM_AGENT_HUNG,	     /* the library itself hangs (nvmlInit), or no child may be started any more */
	GM_AGENT_STATES
};
const char *gm_agent_state_name(enum gm_agent_state s);

struct gm_agent_board {
	enum gm_board_state state;
	int64_t since_ms;   /* wall time the state began */
	unsigned hung_call; /* GM_BOARD_HUNG: index in GM_NVML_SYMBOLS */
	uint64_t samples, missed, hangs;
	int64_t xid_at_ms; /* the last XID event; 0: none */
	struct gm_board_events events;
	struct gm_window window;
	struct gm_reading reading;
};

struct gm_agent_view {
	int64_t at_ms;
	uint64_t round;
	enum gm_agent_state state;
	int64_t state_since_ms, paused_until_ms;
	char reason[200]; /* of a state that is not WORKING */
	unsigned children, abandoned;
	uint64_t child_starts, child_crashes;
	unsigned board_count;
	struct gm_agent_board boards[GM_AGENT_BOARDS_MAX]; /* by NVML index */
};

#endif
