/* SPDX-License-Identifier: MIT */
#ifndef GM_BASE_STR_H
#define GM_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* A view of bytes somebody else owns; not NUL-ended. The empty view may have p == NULL. */
struct gm_str {
	const char *p;
	size_t n;
};

#define GM_STR(literal) ((struct gm_str){ .p = "" literal, .n = sizeof(literal) - 1 })
/* For printf("%.*s"). */
#define GM_STR_ARG(s) (int)(s).n, (s).n ? (s).p : ""

static inline struct gm_str gm_str(const char *cstr)
{
	return (struct gm_str){ .p = cstr, .n = cstr ? strlen(cstr) : 0 };
}
static inline struct gm_str gm_str_n(const char *p, size_t n)
{
	return (struct gm_str){ .p = p, .n = n };
}
static inline bool gm_str_eq(struct gm_str a, struct gm_str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool gm_str_is(struct gm_str a, const char *cstr)
{
	return gm_str_eq(a, gm_str(cstr));
}
static inline bool gm_str_starts(struct gm_str s, struct gm_str prefix)
{
	return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}
static inline bool gm_str_ends(struct gm_str s, struct gm_str suffix)
{
	return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

/* Byte order, shorter first when one is the beginning of the other. */
int gm_str_cmp(struct gm_str a, struct gm_str b);
/* ASCII letters alike. */
bool gm_str_ieq(struct gm_str a, struct gm_str b);
/* True when `needle` occurs, ASCII letters alike; the empty needle always does. */
bool gm_str_icontains(struct gm_str s, struct gm_str needle);
/* Without leading and trailing blanks, tabs, CR and LF. */
struct gm_str gm_str_trim(struct gm_str s);
/*
 * Cuts *rest at the first `sep`: the part before goes to *part, the part after stays in *rest. False at the end.
 * "a,,b" gives "a", "", "b"; "" gives nothing.
 */
bool gm_str_split(struct gm_str *rest, char sep, struct gm_str *part);
/* Index of the first `c`, or s.n. */
size_t gm_str_find(struct gm_str s, char c);
/* A heap copy, NUL-ended; aborts when out of memory. For strings whose length is already limited. */
char *gm_str_dup(struct gm_str s);
/* Copies at most size-1 bytes and ends with NUL; false when it was cut (nothing is written past size). */
bool gm_str_copy(struct gm_str s, char *buf, size_t size);
/* Length of the UTF-8 sequence that s begins with; 0 when it is none, or s is empty. */
size_t gm_str_utf8_length(struct gm_str s);
/* True when s is valid UTF-8 without control characters: what may be shown, logged and stored. */
bool gm_str_plain_ok(struct gm_str s);
/* True when s is valid UTF-8 (no overlong forms, surrogates, or values past 10FFFF). */
bool gm_str_utf8_ok(struct gm_str s);

#endif
