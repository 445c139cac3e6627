/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_WATCH_H
#define GM_APP_AGENT_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "app/agent/shared.h"

/*
 * The rules of sampling by processes that may hang: who reads which board, who hangs, who takes over, who may start. Pure:
 * what is seen and the time go in, orders come out; no process, no clock, no memory that others share.
 *
 * - A call in flight longer than `hung_after` makes its board hung; nothing else happens while the other boards go on.
 * - When calls of several boards stay in flight together, longer than calls are used to (the patience), a lock is held: a
 *   second child is started. Once it reads, the first is abandoned; the board whose call began first, or the ones that
 *   were hung before, are left out until that child has ended. Should the calls return before, the second one ends.
 * - At most two children are abandoned at a time; then a further hang waits.
 * - A child that ends unasked is replaced, the first time at once, then ever later.
 */
#define GM_WATCH_ABANDONED_MAX 2

struct gm_watch_call {
	uint32_t symbol; /* as in gm_agent_call */
	int64_t began_ns;
};
struct gm_watch_child_seen {
	enum gm_agent_child_state state;
	unsigned board_count;
	struct gm_watch_call main, events;
	struct {
		struct gm_watch_call call;
		int64_t reported_ns; /* its newest report, 0: none yet */
	} boards[GM_AGENT_BOARDS_MAX];
};
struct gm_watch_seen {
	int64_t now_ns, interval_ns, hung_after_ns;
	int64_t longest_ns; /* call that returned since the last look */
	bool held;	    /* no child may be */
	bool renew;	    /* a fresh child is wanted: boards are lost or their number changed */
	struct gm_watch_child_seen children[GM_AGENT_CHILDREN_MAX];
};

enum gm_watch_role {
	GM_WATCH_FREE,
	GM_WATCH_PRIMARY,
	GM_WATCH_SUCCESSOR, /* takes over when it reads */
	GM_WATCH_ENDING,    /* was asked to */
	GM_WATCH_ABANDONED
};
/* What is remembered between two looks; gm_watch_init begins. */
struct gm_watch {
	struct {
		enum gm_watch_role role;
		uint64_t boards;   /* ordered */
		uint64_t culprits; /* GM_WATCH_ABANDONED: left out while it is there */
		int64_t since_ns;  /* when it got this role */
	} children[GM_AGENT_CHILDREN_MAX];
	int primary, successor; /* -1: none */
	bool renewing;		/* why there is a successor */
	bool limit;		/* one more would have been abandoned */
	int64_t usual_ns;	/* how long calls last: the longest of late, fading */
	int64_t faded_ns;
	int64_t start_after_ns, takeover_after_ns;
	unsigned failures;			  /* in a row */
	int64_t reported_ns[GM_AGENT_BOARDS_MAX]; /* newest report of each board, also of a child that is no more */
};
struct gm_watch_orders {
	int start; /* this child, -1: none */
	struct {
		enum gm_agent_order order;
		uint64_t boards;
	} children[GM_AGENT_CHILDREN_MAX];
	unsigned changed;			 /* bit by child: its order is another one than before */
	uint64_t hung;				 /* bit by board */
	uint32_t hung_call[GM_AGENT_BOARDS_MAX]; /* index in GM_NVML_SYMBOLS */
	bool init_hung;				 /* the only child does not come out of nvmlInit */
	bool limit;				 /* a hang waits, because two children are abandoned already */
	bool took_over;				 /* in this look */
	unsigned abandoned, alive;
	int64_t next_ns; /* look again then, if nothing happens before */
};

void gm_watch_init(struct gm_watch *w);
void gm_watch_decide(struct gm_watch *w, const struct gm_watch_seen *seen, struct gm_watch_orders *out);
/* A child has ended; `exit_code` enum gm_agent_exit, -1: it crashed. */
void gm_watch_ended(struct gm_watch *w, unsigned child, int exit_code, int64_t now_ns);
/* The start that was ordered did not come about. */
void gm_watch_not_started(struct gm_watch *w, unsigned child, int64_t now_ns);
/* How long calls of several boards may last together before a lock is suspected. */
int64_t gm_watch_patience_ns(const struct gm_watch *w, int64_t interval_ns, int64_t hung_after_ns);

#endif
