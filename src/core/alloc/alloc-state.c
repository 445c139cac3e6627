/* SPDX-License-Identifier: MIT */
#include "core/alloc/alloc-state.h"

#include <assert.h>

#include "base/auto.h"

#define NAME_ROW(name, text) [GM_ALLOC_STATE_##name] = (text),
static const char *const STATE_NAMES[] = { GM_ALLOC_STATE_LIST(NAME_ROW) };
#undef NAME_ROW
static_assert(GM_LEN(STATE_NAMES) == GM_ALLOC_STATE_COUNT, "a name for each state");

#define EVENT_ROW(name, text) [GM_ALLOC_EVENT_##name] = { #name, (text) },
static const struct {
	const char *name, *text;
} EVENTS[] = { GM_ALLOC_EVENT_LIST(EVENT_ROW) };
#undef EVENT_ROW
static_assert(GM_LEN(EVENTS) == GM_ALLOC_EVENT_COUNT, "a row for each event");

/*
 * Rows: events; columns: states, in the order of their lists. A dot: this does not happen in that state, and whoever asks
 * for it is told so. TIME_OUT ends a bound allocation only when its request named a time of its own (a lease); where the
 * time is the default's it says how long devices wait for a pod, and nothing more.
 */
enum { o = GM_ALLOC_STATE_COUNT }; /* small, so that the others stand out */
#define P GM_ALLOC_STATE_PENDING
#define R GM_ALLOC_STATE_RESERVED
#define M GM_ALLOC_STATE_PROVISIONING
#define B GM_ALLOC_STATE_BOUND
#define L GM_ALLOC_STATE_RELEASED
#define X GM_ALLOC_STATE_EXPIRED
#define F GM_ALLOC_STATE_FAILED
static const uint8_t MOVES[GM_ALLOC_EVENT_COUNT][GM_ALLOC_STATE_COUNT] = {
	/*				 P  M  R  B  L  X  F */
	[GM_ALLOC_EVENT_GRANTED] = { R, o, o, o, o, o, o },
	[GM_ALLOC_EVENT_GRANTED_TO_MAKE] = { M, o, o, o, o, o, o },
	[GM_ALLOC_EVENT_MADE] = { o, R, o, o, o, o, o },
	[GM_ALLOC_EVENT_NOT_MADE] = { o, P, o, o, o, o, o },
	[GM_ALLOC_EVENT_SEEN] = { o, o, B, o, o, o, o },
	[GM_ALLOC_EVENT_GONE] = { o, o, o, L, o, o, o },
	[GM_ALLOC_EVENT_RELEASE] = { L, L, L, L, o, o, o },
	[GM_ALLOC_EVENT_TIME_OUT] = { X, X, X, X, o, o, o },
	[GM_ALLOC_EVENT_PREEMPTED] = { o, L, L, L, o, o, o },
	[GM_ALLOC_EVENT_GIVEN_UP] = { F, F, o, o, o, o, o },
};
#undef P
#undef R
#undef M
#undef B
#undef L
#undef X
#undef F

enum gm_alloc_state gm_alloc_next(enum gm_alloc_state state, enum gm_alloc_event event)
{
	if (state >= GM_ALLOC_STATE_COUNT || event >= GM_ALLOC_EVENT_COUNT)
		return GM_ALLOC_STATE_COUNT;
	return (enum gm_alloc_state)MOVES[event][state];
}

const char *gm_alloc_state_name(enum gm_alloc_state s)
{
	assert(s < GM_ALLOC_STATE_COUNT);
	return STATE_NAMES[s];
}

bool gm_alloc_state_parse(struct gm_str name, enum gm_alloc_state *out)
{
	for (size_t i = 0; i < GM_ALLOC_STATE_COUNT; i++) {
		if (gm_str_ieq(name, gm_str(STATE_NAMES[i]))) {
			*out = (enum gm_alloc_state)i;
			return true;
		}
	}
	return false;
}

bool gm_alloc_state_holds(enum gm_alloc_state s)
{
	return s == GM_ALLOC_STATE_PROVISIONING || s == GM_ALLOC_STATE_RESERVED || s == GM_ALLOC_STATE_BOUND;
}

bool gm_alloc_state_ended(enum gm_alloc_state s)
{
	return s == GM_ALLOC_STATE_RELEASED || s == GM_ALLOC_STATE_EXPIRED || s == GM_ALLOC_STATE_FAILED;
}

const char *gm_alloc_event_name(enum gm_alloc_event e)
{
	assert(e < GM_ALLOC_EVENT_COUNT);
	return EVENTS[e].name;
}

void gm_alloc_state_table(struct gm_buf *out)
{
	gm_buf_add_cstr(out, "| what happens |");
	for (size_t s = 0; s < GM_ALLOC_STATE_COUNT; s++)
		gm_buf_addf(out, " %s |", STATE_NAMES[s]);
	gm_buf_add_cstr(out, "\n|---|");
	for (size_t s = 0; s < GM_ALLOC_STATE_COUNT; s++)
		gm_buf_add_cstr(out, "---|");
	gm_buf_add_char(out, '\n');
	for (size_t e = 0; e < GM_ALLOC_EVENT_COUNT; e++) {
		gm_buf_addf(out, "| %s |", EVENTS[e].text);
		for (size_t s = 0; s < GM_ALLOC_STATE_COUNT; s++)
			gm_buf_addf(out, " %s |", MOVES[e][s] == o ? "" : STATE_NAMES[MOVES[e][s]]);
		gm_buf_add_char(out, '\n');
	}
}
