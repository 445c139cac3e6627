/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_MIG_JOURNAL_H
#define GM_APP_AGENT_MIG_JOURNAL_H

#include "app/agent/mig-job.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/*
 * The journal of layout changes: `mig-journal` in the state folder, one line a record, each with a number and a check sum
 * over both, written and synced before what it announces is done. It holds one change; the next one replaces it once the
 * last has ended. `mig-lock` beside it is held as long as somebody works, so a worker that outlived its agent and a new
 * agent are never at it at once. `mig-agent` is held by the agent that the folder belongs to.
 *
 *     <check> 1 begin <id> <kind> <remove_unused> <keep>
 *     <check> 2 board <uuid> <resets> <before> <wanted>
 *     <check> 3 go                      what stands before this is no change yet
 *     <check> 4 step <n> <verb> <uuid> <slice>
 *     <check> 5 done <n>
 *     <check> 6 back <why>              from here on toward the old layouts
 *     <check> 7 end new|old|stuck <why>
 */
struct gm_mig_past {
	char id[GM_MIG_ID_SIZE];
	enum gm_mig_kind kind;
	bool remove_unused, keep;
	uint32_t count;
	struct gm_mig_change changes[GM_MIG_BOARDS_MAX];
	bool going; /* `go` is there: before, nothing can have been done */
	uint32_t begun, done;
	bool back;
	enum gm_mig_outcome outcome;
	char text[400];	   /* of the last back or end */
	uint32_t records;  /* good ones */
	size_t good_bytes; /* their length */
	bool torn;	   /* an unfinished record follows them */
};

/*
 * Reads what is in a journal. A last line that is cut or fails its check was being written when the power went: it is left
 * out (`torn`). GM_ERR_CORRUPT: a line before the last is damaged, or one says what cannot be.
 */
int gm_mig_journal_parse(struct gm_str text, struct gm_mig_past *out, struct gm_err *err) GM_CHECKED;

struct gm_mig_journal {
	int lock_fd, fd;
	uint32_t records;
	size_t bytes; /* of the whole records: what a failed write left behind them is cut off */
};
#define GM_MIG_JOURNAL_NONE ((struct gm_mig_journal){ -1, -1, 0, 0 })

/* Makes the folder when it is not there and holds the file of this name in it. GM_ERR_BUSY: another process does. */
int gm_mig_lock(const char *dir, const char *name, int *out_fd, struct gm_err *err) GM_CHECKED;

/*
 * Makes the folder when it is not there, takes the lock (GM_ERR_BUSY: somebody has it), reads the journal into *out_past
 * (may be NULL) and cuts a torn record off. A damaged journal is put aside as mig-journal.damaged: *out_past is then
 * empty and GM_ERR_CORRUPT is answered, with *out open nevertheless.
 */
int gm_mig_journal_open(const char *dir, struct gm_mig_journal *out, struct gm_mig_past *out_past,
			struct gm_err *err) GM_CHECKED;
void gm_mig_journal_close(struct gm_mig_journal *j);
/* Replaces what is there by the beginning of this change. */
int gm_mig_journal_begin(struct gm_mig_journal *j, const struct gm_mig_job *job, struct gm_err *err) GM_CHECKED;
int gm_mig_journal_step(struct gm_mig_journal *j, uint32_t n, const char *uuid, const struct gm_mig_step *step,
			struct gm_err *err) GM_CHECKED;
int gm_mig_journal_done(struct gm_mig_journal *j, uint32_t n, struct gm_err *err) GM_CHECKED;
int gm_mig_journal_back(struct gm_mig_journal *j, const char *why, struct gm_err *err) GM_CHECKED;
int gm_mig_journal_end(struct gm_mig_journal *j, enum gm_mig_outcome outcome, const char *why,
		       struct gm_err *err) GM_CHECKED;

const char *gm_mig_outcome_name(enum gm_mig_outcome o); /* "", "new", "old", "stuck" */
const char *gm_mig_kind_name(enum gm_mig_kind k);	/* "apply", "restore", "recover" */
const char *gm_mig_verb_name(enum gm_mig_verb v);	/* "", "mode on", "destroy", "create", "mode off" */

/* "on:9@4+4=3g.40gb,19@0+1=1g.10gb", "on:", "off:": as the journal and the file of wanted layouts write it. */
void gm_mig_state_print(const struct gm_mig_state *s, struct gm_buf *out);
bool gm_mig_state_parse(struct gm_str text, struct gm_mig_state *out);
/* Appends "<check> <number> <body>\n". */
void gm_mig_line_add(struct gm_buf *out, uint32_t number, struct gm_str body);
/* The body of such a line (without its end); false when the check or the number is another. */
bool gm_mig_line_read(struct gm_str line, uint32_t number, struct gm_str *out_body);
/* Writes a whole file beside `path`, syncs it and its folder, and renames it there. */
int gm_mig_file_replace(const char *path, struct gm_str bytes, struct gm_err *err) GM_CHECKED;

#endif
