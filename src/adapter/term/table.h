/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_TERM_TABLE_H
#define GM_ADAPTER_TERM_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/auto.h"
#include "base/buf.h"

/*
 * A table of text whose columns line up whatever letters are in it: Hangul takes two places, an accent none. The process
 * must have a UTF-8 locale for that (gm_term_locale). Cells hold no control characters: the caller sees to it. Aborts when
 * out of memory.
 */
enum gm_term_color { GM_TERM_PLAIN, GM_TERM_GOOD, GM_TERM_WARN, GM_TERM_BAD, GM_TERM_FAINT, GM_TERM_BOLD };

struct gm_term_table;
struct gm_term_table *gm_term_table_new(bool colors, bool headings);
void gm_term_table_free(struct gm_term_table *t);
void gm_term_table_column(struct gm_term_table *t, const char *title, bool to_the_right);
/* The cells of a line, as many as there are columns; texts are copied. */
struct gm_term_cell {
	const char *text;
	enum gm_term_color color;
};
void gm_term_table_line(struct gm_term_table *t, const struct gm_term_cell *cells, size_t count);
/* Appends it; lines do not end with blanks. */
void gm_term_table_print(struct gm_term_table *t, struct gm_buf *out);

/* Sets the character type of the environment's locale, or that of C.UTF-8 where it is not UTF-8. Once, at the start. */
void gm_term_locale(void);
/* True when `fd` is a terminal that shows colour and nobody said NO_COLOR. */
bool gm_term_colors(int fd);
/* The text with blanks before `places` are filled, as a terminal shows it. */
void gm_term_pad(struct gm_buf *out, const char *text, size_t places);

GM_DEFINE_AUTO(struct gm_term_table, gm_term_table_free)

#endif
