/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_TERM_SCREEN_H
#define GM_ADAPTER_TERM_SCREEN_H

#include <stdbool.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"

/*
 * The whole terminal as a grid of characters, and the keys typed on it. One at a time, one thread. What was there before is
 * back once it is closed. The locale has to be set (gm_term_locale).
 */
struct gm_screen;

enum gm_screen_style {
	GM_SCREEN_PLAIN,
	GM_SCREEN_BOLD,
	GM_SCREEN_FAINT,
	GM_SCREEN_TITLE, /* a line of titles, what a key does */
	GM_SCREEN_CHOSEN,
	GM_SCREEN_GOOD,
	GM_SCREEN_WARN,
	GM_SCREEN_BAD,
	GM_SCREEN_STYLE_COUNT
};

/* Keys other than the characters they type (1..255: bytes of UTF-8). */
enum gm_screen_key {
	GM_KEY_NONE = 0,
	GM_KEY_TAB = 9,
	GM_KEY_ENTER = 10,
	GM_KEY_ESCAPE = 27,
	GM_KEY_BACKSPACE = 127,
	GM_KEY_UP = 256,
	GM_KEY_DOWN,
	GM_KEY_LEFT,
	GM_KEY_RIGHT,
	GM_KEY_PAGE_UP,
	GM_KEY_PAGE_DOWN,
	GM_KEY_HOME,
	GM_KEY_END,
	GM_KEY_RESIZE, /* the terminal has another size */
	GM_KEY_F0,     /* GM_KEY_F0 + n: function key n, to 12 */
	GM_KEY_F12 = GM_KEY_F0 + 12,
};

/* UNSUPPORTED: standard input and output are not a terminal, or one that cannot do it. `colors` false: none even if it can. */
int gm_screen_open(bool colors, struct gm_screen **out, struct gm_err *err) GM_CHECKED;
void gm_screen_close(struct gm_screen *s);
void gm_screen_size(const struct gm_screen *s, int *out_rows, int *out_columns);
void gm_screen_erase(struct gm_screen *s);
/* Text without control characters; what lies outside is not drawn. Nothing shows before the flush. */
void gm_screen_put(struct gm_screen *s, int row, int column, enum gm_screen_style style, struct gm_str text);
/* Shows what differs from what is shown. */
void gm_screen_flush(struct gm_screen *s);
/* The next key that was typed, or GM_KEY_NONE: does not wait. Poll standard input for that. */
int gm_screen_key(struct gm_screen *s);

GM_DEFINE_AUTO(struct gm_screen, gm_screen_close)

#endif
