/* SPDX-License-Identifier: MIT */
#include "app/ctl/view.h"

#include "base/vec.h"

/* Where the values of an upright view begin. */
#define TITLES 24

const struct gm_jsonv *gm_ctl_view_items(const struct gm_ctl_view *view, const struct gm_jsonv *answer)
{
	return view->items ? gm_jsonv_at(answer, view->items) : NULL;
}

static bool is_shown(const struct gm_ctl_column *c, const struct gm_ctl_show *show)
{
	return show->wide || !c->wide;
}

static void add_line(struct gm_term_table *t, const struct gm_ctl_view *view, const struct gm_jsonv *item,
		     const struct gm_ctl_show *show)
{
	GM_VEC(struct gm_term_cell) cells = { 0 };
	GM_VEC(size_t) begins = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf texts = { 0 };

	for (size_t i = 0; i < view->column_count; i++) {
		struct gm_term_cell cell = { 0 };

		if (!is_shown(&view->columns[i], show))
			continue;
		gm_vec_push(&begins, texts.n);
		cell.color = gm_ctl_cell(&view->columns[i], item, show->now_ms, &texts);
		gm_buf_add_char(&texts, '\0');
		gm_vec_push(&cells, cell);
	}
	for (size_t i = 0; i < cells.count; i++)
		cells.items[i].text = texts.p + begins.items[i];
	gm_term_table_line(t, cells.items, cells.count);
	gm_vec_fini(&cells);
	gm_vec_fini(&begins);
}

static void show_table(const struct gm_ctl_view *view, const struct gm_jsonv *answer, const struct gm_ctl_show *show,
		       struct gm_buf *out)
{
	GM_AUTO(gm_term_table_free_p) struct gm_term_table *t = gm_term_table_new(show->colors, show->headings);

	for (size_t i = 0; i < view->column_count; i++)
		if (is_shown(&view->columns[i], show))
			gm_term_table_column(t, view->columns[i].title,
					     gm_ctl_format_to_the_right(view->columns[i].format));
	if (view->items) {
		gm_jsonv_each (gm_ctl_view_items(view, answer), item)
			add_line(t, view, item, show);
	} else {
		add_line(t, view, answer, show);
	}
	gm_term_table_print(t, out);
}

static void add_indented(struct gm_str text, struct gm_buf *out)
{
	struct gm_str line;

	while (gm_str_split(&text, '\n', &line))
		if (line.n)
			gm_buf_addf(out, "  %.*s\n", GM_STR_ARG(line));
}

static void show_upright(const struct gm_ctl_view *view, const struct gm_jsonv *item, const struct gm_ctl_show *show,
			 struct gm_buf *out)
{
	static const char *const begin[] = { [GM_TERM_GOOD] = "\033[32m",
					     [GM_TERM_WARN] = "\033[33m",
					     [GM_TERM_BAD] = "\033[31m",
					     [GM_TERM_FAINT] = "\033[2m",
					     [GM_TERM_BOLD] = "\033[1m" };

	for (size_t i = 0; i < view->column_count; i++) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf text = { 0 };
		enum gm_term_color color;
		const char *on;

		if (!is_shown(&view->columns[i], show))
			continue;
		color = gm_ctl_cell(&view->columns[i], item, show->now_ms, &text);
		on = show->colors ? begin[color] : NULL;
		gm_term_pad(out, view->columns[i].title, TITLES);
		gm_buf_addf(out, "%s%s%s\n", on ? on : "", gm_buf_cstr(&text), on ? "\033[0m" : "");
	}
}

static void show_section(const struct gm_ctl_section *section, const struct gm_jsonv *answer,
			 const struct gm_ctl_show *show, struct gm_buf *out)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf text = { 0 };
	const struct gm_jsonv *part = gm_jsonv_at(answer, section->path);
	struct gm_ctl_show inner = *show;

	inner.headings = true;
	if (gm_jsonv_none(part) || (part->type >= GM_JSONV_LIST && !part->first))
		return;
	gm_ctl_view_show(section->view, part, &inner, &text);
	if (text.n == 0)
		return;
	gm_buf_addf(out, "\n%s%s%s\n", show->colors ? "\033[1m" : "", section->title, show->colors ? "\033[0m" : "");
	add_indented(gm_buf_str(&text), out);
}

void gm_ctl_view_show(const struct gm_ctl_view *view, const struct gm_jsonv *answer, const struct gm_ctl_show *show,
		      struct gm_buf *out)
{
	if (view->upright)
		show_upright(view, answer, show, out);
	else
		show_table(view, answer, show, out);
	for (size_t i = 0; i < view->section_count; i++)
		show_section(&view->sections[i], answer, show, out);
}

static void add_name(const struct gm_ctl_view *view, const struct gm_jsonv *item, struct gm_buf *out)
{
	const struct gm_jsonv *name = gm_jsonv_at(item, view->name);

	if (gm_jsonv_none(name))
		return;
	gm_ctl_add_plain(name->text, out);
	gm_buf_add_char(out, '\n');
}

void gm_ctl_view_names(const struct gm_ctl_view *view, const struct gm_jsonv *answer, struct gm_buf *out)
{
	if (!view->name)
		return;
	if (!view->items) {
		add_name(view, answer, out);
		return;
	}
	gm_jsonv_each (gm_ctl_view_items(view, answer), item)
		add_name(view, item, out);
}
