/* SPDX-License-Identifier: MIT */
#include "adapter/term/table.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include <libsmartcols/libsmartcols.h>

#include "base/alloc.h"

struct gm_term_table {
	struct libscols_table *table;
	bool colors;
	size_t columns;
};

static const char *const colors[] = {
	[GM_TERM_PLAIN] = NULL,	    [GM_TERM_GOOD] = "\033[32m", [GM_TERM_WARN] = "\033[33m",
	[GM_TERM_BAD] = "\033[31m", [GM_TERM_FAINT] = "\033[2m", [GM_TERM_BOLD] = "\033[1m",
};

/* The library's only failure here is want of memory. */
static void must(bool ok)
{
	if (!ok)
		abort();
}

struct gm_term_table *gm_term_table_new(bool with_colors, bool headings)
{
	struct gm_term_table *t = gm_xalloc(sizeof(*t));

	t->table = scols_new_table();
	must(t->table != NULL);
	t->colors = with_colors;
	/* Nothing is cut or wrapped to a terminal's width: what is copied from it stays whole. */
	(void)scols_table_set_termforce(t->table, SCOLS_TERMFORCE_NEVER);
	(void)scols_table_enable_colors(t->table, with_colors);
	(void)scols_table_enable_noheadings(t->table, !headings);
	(void)scols_table_enable_minout(t->table, 1);
	(void)scols_table_set_column_separator(t->table, "  ");
	return t;
}

void gm_term_table_free(struct gm_term_table *t)
{
	if (!t)
		return;
	scols_unref_table(t->table);
	free(t);
}

void gm_term_table_column(struct gm_term_table *t, const char *title, bool to_the_right)
{
	struct libscols_column *column = scols_table_new_column(t->table, title, 0, to_the_right ? SCOLS_FL_RIGHT : 0);

	must(column != NULL);
	if (t->colors)
		(void)scols_cell_set_color(scols_column_get_header(column), colors[GM_TERM_BOLD]);
	t->columns++;
}

void gm_term_table_line(struct gm_term_table *t, const struct gm_term_cell *cells, size_t count)
{
	struct libscols_line *line = scols_table_new_line(t->table, NULL);

	must(line != NULL && count <= t->columns);
	for (size_t i = 0; i < count; i++) {
		must(scols_line_set_data(line, i, cells[i].text) == 0);
		if (t->colors && colors[cells[i].color])
			(void)scols_cell_set_color(scols_line_get_cell(line, i), colors[cells[i].color]);
	}
}

void gm_term_table_print(struct gm_term_table *t, struct gm_buf *out)
{
	GM_AUTO(gm_free_p) char *text = NULL;
	struct gm_str rest, line;

	if (scols_table_get_nlines(t->table) == 0)
		return;
	must(scols_print_table_to_string(t->table, &text) == 0 && text);
	rest = gm_str(text);
	while (gm_str_split(&rest, '\n', &line)) {
		while (line.n && line.p[line.n - 1] == ' ')
			line.n--;
		gm_buf_add_str(out, line);
		gm_buf_add_char(out, '\n');
	}
}

void gm_term_locale(void)
{
	if (setlocale(LC_CTYPE, "") && strcmp(nl_langinfo(CODESET), "UTF-8") == 0)
		return;
	(void)setlocale(LC_CTYPE, "C.UTF-8");
}

bool gm_term_colors(int fd)
{
	const char *none = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fd) && !(none && none[0]) && term && term[0] && strcmp(term, "dumb") != 0;
}

static size_t places_of(const char *text)
{
	mbstate_t state = { 0 };
	size_t places = 0, n = strlen(text);

	while (n > 0) {
		wchar_t c;
		size_t used = mbrtowc(&c, text, n, &state);
		int width;

		if (used == 0 || used > n)
			return places + n;
		width = wcwidth(c);
		places += width > 0 ? (size_t)width : 0;
		text += used;
		n -= used;
	}
	return places;
}

void gm_term_pad(struct gm_buf *out, const char *text, size_t places)
{
	size_t used = places_of(text);

	gm_buf_add_cstr(out, text);
	for (; used < places; used++)
		gm_buf_add_char(out, ' ');
}
