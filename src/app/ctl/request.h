/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_CTL_REQUEST_H
#define GM_APP_CTL_REQUEST_H

#include "app/ctl/client.h"
#include "app/ctl/command.h"
#include "app/ctl/view.h"

/* A command that asks one thing of the server and shows the answer: no code, only this row and its options. */
struct gm_ctl_request {
	const char *method; /* "GET" */
	const char *path;   /* "/gpu/devices/{device}/cordon": in braces the key of an operand or option */
	const struct gm_ctl_view *view;
	const char *topic; /* of live events after which --watch looks again; NULL: each --interval */
	/* Said in front of what is shown as a table, or alone when there is no answer: "device {device} is cordoned". */
	const char *done;
	const char *question; /* for GM_CTL_CONFIRM, without its mark: "Release allocation {allocation}" */
	/* What --dry-run asks instead; NULL: it shows what would be sent. */
	const char *dry_method, *dry_path;
	const struct gm_ctl_view *dry_view;
};

/* The run of such commands. */
int gm_ctl_request_run(const struct gm_ctl_run *run, struct gm_err *err);

/* The pieces of it. */

/* The text with each {key} replaced by what was given; `escape`: as part of an address. */
void gm_ctl_fill(const struct gm_ctl_run *run, const char *text, bool escape, struct gm_buf *out);
/* What was given of the options with a `query`, as "a=b&c=d". */
void gm_ctl_query(const struct gm_ctl_run *run, struct gm_buf *out);
/* What was given of the options with a `json`: a JSON object's members. Nested ones are "gang.id", next to each other. */
void gm_ctl_body(const struct gm_ctl_run *run, struct gm_json *w);
/* Shows an answer as -o says. view NULL: tables have nothing to show. */
int gm_ctl_show(const struct gm_ctl_run *run, const struct gm_ctl_view *view, const struct gm_jsonv *answer,
		struct gm_err *err) GM_CHECKED;
/* A whole list, page after page up to --limit, as one answer; or one thing. */
int gm_ctl_fetch(const struct gm_ctl_run *run, const char *path, struct gm_str query, struct gm_ctl_answer *out,
		 struct gm_err *err) GM_CHECKED;

/* watch.c: shows it, and again when it changes, until interrupted. */
int gm_ctl_watch(const struct gm_ctl_run *run, const char *path, struct gm_str query, struct gm_err *err) GM_CHECKED;

#endif
