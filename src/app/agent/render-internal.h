/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_RENDER_INTERNAL_H
#define GM_APP_AGENT_RENDER_INTERNAL_H

#include "app/agent/render.h"
#include "base/buf.h"
#include "base/vec.h"

/* A board or an instance, with its labels as they begin each of its lines: `{uuid="GPU-..",gi="1",ci="0"`, not closed. */
struct gm_render_thing {
	const struct gm_sample *sample;
	const struct gm_agent_board *board;
	const struct gm_reading_instance *instance; /* NULL: the board itself */
	uint32_t label_at, label_n;
};

#define GM_RENDER_WINDOW_PARTS 3
struct gm_render_window {
	char name[96], help[160];
	uint8_t unit;
};

struct gm_render {
	GM_VEC(struct gm_render_thing) things; /* each board, its instances behind it */
	struct gm_buf labels;
	struct gm_render_window windows[GM_WINDOW_FIELD_COUNT][GM_RENDER_WINDOW_PARTS];
	/* of the page that is being made */
	const struct gm_render_input *in;
	struct gm_promtext_writer writer;
	bool head_due;
	const char *name, *help;
	struct gm_str line_name;
	enum gm_promtext_type type;
};

static inline struct gm_str gm_render_labels(const struct gm_render *r, const struct gm_render_thing *t)
{
	return gm_str_n(r->labels.p + t->label_at, t->label_n);
}

/* Begins a family; its head is written before its first line, and not at all without one. Names and helps are literals. */
void gm_render_family(struct gm_render *r, const char *name, enum gm_promtext_type type, const char *help);
/* `name{labels`: what is left to write is further labels, "} ", the number and the line's end. */
struct gm_buf *gm_render_line(struct gm_render *r, struct gm_str labels);
static inline void gm_render_end_i64(struct gm_buf *out, int64_t v)
{
	gm_buf_add(out, "} ", 2);
	gm_buf_add_i64(out, v);
	gm_buf_add_char(out, '\n');
}
static inline void gm_render_end_fixed(struct gm_buf *out, int64_t v, unsigned decimals)
{
	gm_buf_add(out, "} ", 2);
	gm_buf_add_fixed(out, v, decimals);
	gm_buf_add_char(out, '\n');
}
/* A label behind others, `first` the one behind the brace: escaped, and what is no UTF-8 or a control character is '?'. */
void gm_render_label(struct gm_buf *out, bool first, const char *name, struct gm_str value);
static inline void gm_render_label_i64(struct gm_buf *out, bool first, const char *name, int64_t value)
{
	gm_buf_add_char(out, first ? '{' : ',');
	gm_buf_add_cstr(out, name);
	gm_buf_add(out, "=\"", 2);
	gm_buf_add_i64(out, value);
	gm_buf_add_char(out, '"');
}

/* render-agent.c: families of the agent itself; of boards beside what is sampled. */
void gm_render_agent(struct gm_render *r);
void gm_render_board_facts(struct gm_render *r);
/* render-dcgm.c */
void gm_render_dcgm(struct gm_render *r);

#endif
