/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_CTL_VIEW_H
#define GM_APP_CTL_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapter/term/table.h"
#include "base/buf.h"
#include "base/jsonv.h"

/*
 * How answers are shown: which values, under which titles, in which words. A value that is not known is an em dash, never 0;
 * an empty list is "none". What comes from outside is shown without control characters.
 */
#define GM_CTL_MISSING "\xe2\x80\x94"

enum gm_ctl_format {
	GM_CTL_TEXT,	/* texts, numbers as sent, yes and no; lists joined by commas, objects as name=value */
	GM_CTL_STATE,	/* a word of the state table, with its mark and colour */
	GM_CTL_NUMBER,	/* a number, to the right */
	GM_CTL_DECIMAL, /* the same with one decimal */
	GM_CTL_PERCENT, /* of 100 */
	GM_CTL_SHARE,	/* of 1, shown in per cent */
	GM_CTL_MIB,	/* MiB, shown in what reads best */
	GM_CTL_MONEY,	/* with the currency beside it */
	GM_CTL_WATTS,
	GM_CTL_CELSIUS,
	GM_CTL_AGE,	/* a time: how long ago, or in how long */
	GM_CTL_TIME,	/* a time as sent */
	GM_CTL_SECONDS, /* a number of seconds */
	GM_CTL_COUNT,	/* how many items a list has */
};

struct gm_ctl_column {
	const char *title;
	/* As gm_jsonv_at; "*" is every item, joined by commas; after '|' comes what is taken instead of nothing. "": all. */
	const char *path;
	enum gm_ctl_format format;
	bool wide; /* only with -o wide */
};

struct gm_ctl_view;
/* A part of a description: the values at `path`, in a view of their own. */
struct gm_ctl_section {
	const char *title;
	const char *path;
	const struct gm_ctl_view *view;
};
struct gm_ctl_view {
	const char *items; /* path of the list; NULL: the answer is the one thing that is shown */
	const char *name;  /* path of the name of an item, for -q and --watch */
	bool upright;	   /* a line a value, its title in front */
	const struct gm_ctl_column *columns;
	size_t column_count;
	const struct gm_ctl_section *sections; /* below an upright one; those without items are left out */
	size_t section_count;
};

struct gm_ctl_show {
	bool wide, headings, colors;
	int64_t now_ms;
};
void gm_ctl_view_show(const struct gm_ctl_view *view, const struct gm_jsonv *answer, const struct gm_ctl_show *show,
		      struct gm_buf *out);
/* The names, one a line. */
void gm_ctl_view_names(const struct gm_ctl_view *view, const struct gm_jsonv *answer, struct gm_buf *out);
/* The items of an answer: the list at view->items, or NULL where it is one thing. */
const struct gm_jsonv *gm_ctl_view_items(const struct gm_ctl_view *view, const struct gm_jsonv *answer);

/* cell.c: one value as text. */
enum gm_term_color gm_ctl_cell(const struct gm_ctl_column *column, const struct gm_jsonv *item, int64_t now_ms,
			       struct gm_buf *out);
bool gm_ctl_format_to_the_right(enum gm_ctl_format format);
/* "45s", "12m", "5h", "3d": the largest unit of which there are two, or one. */
void gm_ctl_add_span(int64_t ms, struct gm_buf *out);
/* Text from outside without what a terminal obeys. */
void gm_ctl_add_plain(struct gm_str text, struct gm_buf *out);

#endif
