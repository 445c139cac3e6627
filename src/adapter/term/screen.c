/* SPDX-License-Identifier: MIT */
#include "adapter/term/screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <curses.h>

#include "base/alloc.h"

/* How long after an escape the rest of a key's sequence may come, in ms. */
#define ESCAPE_MS 25

struct gm_screen {
	SCREEN *screen;
	attr_t styles[GM_SCREEN_STYLE_COUNT];
};

static void choose_styles(struct gm_screen *s, bool colors)
{
	static const struct {
		enum gm_screen_style style;
		short color;
		attr_t with, without; /* colours */
	} styles[] = {
		{ GM_SCREEN_BOLD, -1, A_BOLD, A_BOLD },
		{ GM_SCREEN_FAINT, -1, A_DIM, A_NORMAL },
		{ GM_SCREEN_TITLE, -1, A_REVERSE, A_REVERSE },
		{ GM_SCREEN_CHOSEN, -1, A_REVERSE | A_BOLD, A_REVERSE | A_BOLD },
		{ GM_SCREEN_GOOD, COLOR_GREEN, A_NORMAL, A_NORMAL },
		{ GM_SCREEN_WARN, COLOR_YELLOW, A_NORMAL, A_BOLD },
		{ GM_SCREEN_BAD, COLOR_RED, A_BOLD, A_BOLD },
	};
	bool have = colors && has_colors();

	if (have) {
		(void)start_color();
		(void)use_default_colors();
	}
	for (size_t i = 0; i < GM_LEN(styles); i++) {
		attr_t a = have ? styles[i].with : styles[i].without;

		if (have && styles[i].color >= 0 && init_pair((short)(styles[i].style + 1), styles[i].color, -1) == OK)
			a |= (attr_t)COLOR_PAIR(styles[i].style + 1);
		s->styles[styles[i].style] = a;
	}
}

int gm_screen_open(bool colors, struct gm_screen **out, struct gm_err *err)
{
	const char *term = getenv("TERM");
	struct gm_screen *s;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return gm_fail(err, GM_ERR_UNSUPPORTED, "a terminal is needed");
	s = gm_xalloc(sizeof(*s));
	s->screen = newterm(NULL, stdout, stdin);
	if (!s->screen) {
		free(s);
		return gm_fail(err, GM_ERR_UNSUPPORTED, "the terminal '%s' is not known here", term ? term : "");
	}
	choose_styles(s, colors);
	(void)cbreak();
	(void)noecho();
	(void)nonl();
	(void)keypad(stdscr, TRUE);
	(void)nodelay(stdscr, TRUE);
	(void)leaveok(stdscr, TRUE);
	(void)curs_set(0);
	(void)set_escdelay(ESCAPE_MS);
	*out = s;
	return 0;
}

void gm_screen_close(struct gm_screen *s)
{
	if (!s)
		return;
	(void)curs_set(1);
	(void)endwin();
	delscreen(s->screen);
	free(s);
}

void gm_screen_size(const struct gm_screen *s, int *out_rows, int *out_columns)
{
	(void)s;
	getmaxyx(stdscr, *out_rows, *out_columns);
}

void gm_screen_erase(struct gm_screen *s)
{
	(void)s;
	(void)erase();
}

void gm_screen_put(struct gm_screen *s, int row, int column, enum gm_screen_style style, struct gm_str text)
{
	if (row < 0 || column < 0 || row >= LINES || column >= COLS || !text.n)
		return;
	(void)attrset((int)s->styles[style]);
	(void)mvaddnstr(row, column, text.p, (int)text.n);
}

void gm_screen_flush(struct gm_screen *s)
{
	(void)s;
	(void)refresh();
}

int gm_screen_key(struct gm_screen *s)
{
	static const struct {
		int curses, ours;
	} keys[] = {
		{ KEY_UP, GM_KEY_UP },	     { KEY_DOWN, GM_KEY_DOWN },	    { KEY_LEFT, GM_KEY_LEFT },
		{ KEY_RIGHT, GM_KEY_RIGHT }, { KEY_PPAGE, GM_KEY_PAGE_UP }, { KEY_NPAGE, GM_KEY_PAGE_DOWN },
		{ KEY_HOME, GM_KEY_HOME },   { KEY_END, GM_KEY_END },	    { KEY_RESIZE, GM_KEY_RESIZE },
		{ KEY_ENTER, GM_KEY_ENTER }, { '\r', GM_KEY_ENTER },	    { KEY_BACKSPACE, GM_KEY_BACKSPACE },
		{ '\b', GM_KEY_BACKSPACE },
	};
	int c = getch();

	(void)s;
	if (c == ERR)
		return GM_KEY_NONE;
	for (size_t i = 0; i < GM_LEN(keys); i++)
		if (keys[i].curses == c)
			return keys[i].ours;
	if (c >= KEY_F(1) && c <= KEY_F(12))
		return GM_KEY_F0 + (c - KEY_F0);
	return c > 0 && c < 256 ? c : GM_KEY_NONE;
}
