/* SPDX-License-Identifier: MIT */
#include "app/agent/view.h"

#include "base/auto.h"

const char *gm_board_state_name(enum gm_board_state s)
{
	static const char *const names[] = { "new", "ok", "hung", "lost", "failed" };

	_Static_assert(GM_LEN(names) == GM_BOARD_STATES, "each state of a board has a name");
	return names[s];
}

const char *gm_agent_state_name(enum gm_agent_state s)
{
	static const char *const names[] = { "starting", "working", "paused", "no_library", "no_driver", "hung" };

	_Static_assert(GM_LEN(names) == GM_AGENT_STATES, "each state of the agent has a name");
	return names[s];
}
