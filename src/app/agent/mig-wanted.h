/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_MIG_WANTED_H
#define GM_APP_AGENT_MIG_WANTED_H

#include "app/agent/mig-journal.h"

/*
 * The layouts that were last applied, in `mig-wanted` of the state folder (lines as in the journal; replaced whole):
 * GPU instances survive no reboot, reset or driver reload, so they are made again from here.
 */
struct gm_mig_wanted_board {
	char uuid[GM_MIG_UUID_SIZE];
	struct gm_mig_state state;
	bool yielded; /* somebody else has changed it since: not ours to restore any more */
	/* not of the file */
	bool interrupted;	    /* the board was out of sight since it was last as wanted: it may have been reset */
	uint64_t differs_at_sample; /* when it was first seen to differ; 0: it does not */
	bool absent;		    /* the node has no such board: said once */
	unsigned restores;	    /* tried since it was last as wanted */
	int64_t restore_not_before_ms; /* mono */
};
struct gm_mig_wanted {
	char last[GM_MIG_ID_SIZE]; /* the change of the journal that is in here already */
	uint32_t count;
	struct gm_mig_wanted_board boards[GM_MIG_BOARDS_MAX];
};

/* No file: none wanted. GM_ERR_CORRUPT: it is damaged; *out is then empty. */
int gm_mig_wanted_load(const char *dir, struct gm_mig_wanted *out, struct gm_err *err) GM_CHECKED;
int gm_mig_wanted_save(const char *dir, const struct gm_mig_wanted *w, struct gm_err *err) GM_CHECKED;
int gm_mig_wanted_parse(struct gm_str text, struct gm_mig_wanted *out, struct gm_err *err) GM_CHECKED;
void gm_mig_wanted_print(const struct gm_mig_wanted *w, struct gm_buf *out);
const struct gm_mig_wanted_board *gm_mig_wanted_find(const struct gm_mig_wanted *w, const char *uuid);
/* Sets or replaces; false when there is no room. */
bool gm_mig_wanted_set(struct gm_mig_wanted *w, const char *uuid, const struct gm_mig_state *state);
void gm_mig_wanted_drop(struct gm_mig_wanted *w, const char *uuid);

#endif
