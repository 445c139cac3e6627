/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_MIG_PLAN_H
#define GM_APP_AGENT_MIG_PLAN_H

#include "app/agent/mig-board.h"
#include "app/agent/mig-journal.h"
#include "base/arena.h"
#include "base/err.h"

/* What POST /v1/mig/apply asks for. */
struct gm_mig_wish {
	char profile[32];
	int start; /* -1: wherever it fits */
};
enum gm_mig_mode_wish { GM_MIG_MODE_AS_IS, GM_MIG_MODE_WISH_ON, GM_MIG_MODE_WISH_OFF };
struct gm_mig_board_request {
	char uuid[GM_MIG_UUID_SIZE];
	char state_hash[17];
	enum gm_mig_mode_wish mode;
	uint8_t count;
	struct gm_mig_wish wishes[GM_MIG_INSTANCES_MAX];
};
struct gm_mig_request {
	bool dry_run;
	bool allow_in_use;   /* instances that pods or processes use may be removed */
	bool remove_unused;  /* instances that nobody uses may be removed */
	bool take_ownership; /* although another owner is seen */
	bool keep;	     /* make the layout again when it is lost (default) */
	uint32_t count;
	struct gm_mig_board_request boards[GM_MIG_BOARDS_MAX];
};
int gm_mig_request_parse(struct gm_str body, struct gm_mig_request *out, struct gm_err *err) GM_CHECKED;

/* Who else seems to own layouts. */
struct gm_mig_owners {
	const char *rival;		 /* of the node: what was found, for people; NULL: none */
	bool foreign[GM_MIG_BOARDS_MAX]; /* by index in the view: changed by somebody else since our last change */
};

struct gm_mig_plan {
	uint32_t count; /* all boards of the request, also those that are as they should be */
	struct gm_mig_change changes[GM_MIG_BOARDS_MAX];
	uint32_t creates, destroys, switches; /* all 0: nothing is to be done */
	bool resets;
};

/*
 * Holds a request against what is there: 0 with the plan, or why not. Pure. NOT_FOUND: no such board or profile; INVALID:
 * a layout that breaks the rules; UNSUPPORTED: no MIG; UNAVAILABLE: the board does not answer; CONFLICT: another state
 * than planned on, another owner, instances in the way (with who uses them).
 */
int gm_mig_plan_make(const struct gm_mig_request *req, const struct gm_agent_view *view,
		     const struct gm_holders *holders, const struct gm_mig_owners *owners, struct gm_mig_plan *out,
		     struct gm_err *err) GM_CHECKED;

/*
 * What to do with a change that a former agent left unfinished. Never undone what is done already for nothing: forward once
 * a step was begun, unless what is still to be removed is used by now; back where that is in the way.
 */
enum gm_mig_decision {
	GM_MIG_DECIDE_NOTHING, /* no change was under way */
	GM_MIG_DECIDE_FORGET,  /* not one step was begun: all is as before */
	GM_MIG_DECIDE_FINISH,
	GM_MIG_DECIDE_UNDO,
	GM_MIG_DECIDE_WAIT,    /* a board of it is not read yet */
	GM_MIG_DECIDE_GIVE_UP, /* somebody else changed it, or both ways are in use; *out_why says which */
};
enum gm_mig_decision gm_mig_decide(const struct gm_mig_past *past, const struct gm_agent_view *view,
				   const struct gm_holders *holders, struct gm_buf *out_why);
/* Index in the view, or -1. */
int gm_mig_view_find(const struct gm_agent_view *view, const char *uuid);
/* Every board of the view has been read: one that is not found is not in this node (any more). */
bool gm_mig_view_whole(const struct gm_agent_view *view);

#endif
