/* SPDX-License-Identifier: MIT */
#ifndef GM_BASE_BUF_H
#define GM_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/str.h"

/*
 * A growing byte string. `{ 0 }` is an empty one; p is never NULL after the first call that takes it, and p[n] is NUL.
 * Growth doubles. Past `limit` (0: 1 GiB), or without memory, the builder keeps what it has, adds nothing more and
 * says so in `failed`: callers check once, at the end.
 */
struct gm_buf {
	char *p;
	size_t n;
	size_t capacity;
	size_t limit;
	bool failed;
};

void gm_buf_fini(struct gm_buf *b);
/* Empty, memory kept, `failed` cleared. */
void gm_buf_reset(struct gm_buf *b);
/* Room for `more` bytes behind p[n]; NULL when that fails. The caller then adds to n with gm_buf_advance. */
char *gm_buf_reserve(struct gm_buf *b, size_t more);
void gm_buf_advance(struct gm_buf *b, size_t n);
void gm_buf_add(struct gm_buf *b, const void *bytes, size_t n);
void gm_buf_add_char(struct gm_buf *b, char c);
void gm_buf_add_cstr(struct gm_buf *b, const char *s);
void gm_buf_add_str(struct gm_buf *b, struct gm_str s);
void gm_buf_add_i64(struct gm_buf *b, int64_t v);
void gm_buf_add_u64(struct gm_buf *b, uint64_t v);
/*
 * `value` / 10^decimals in plain decimals without trailing zeros: (1230, 2) is "12.3", (-5, 1) is "-0.5". decimals 0..18.
 */
void gm_buf_add_fixed(struct gm_buf *b, int64_t value, unsigned decimals);
/* Shortest of %.15g and %.17g that reads back alike. NaN and infinities as Prometheus writes them: NaN, +Inf, -Inf. */
void gm_buf_add_f64(struct gm_buf *b, double v);
void gm_buf_addf(struct gm_buf *b, const char *fmt, ...) GM_PRINTF(2, 3);
/* Standard base64 with padding. */
void gm_buf_add_base64(struct gm_buf *b, const void *bytes, size_t n);
/* Hands the memory over (free() it) and leaves *b empty; never NULL. */
char *gm_buf_steal(struct gm_buf *b, size_t *out_n);
/* Never NULL, NUL-ended. */
const char *gm_buf_cstr(struct gm_buf *b);
static inline struct gm_str gm_buf_str(const struct gm_buf *b)
{
	return gm_str_n(b->p, b->n);
}

GM_DEFINE_AUTO_VALUE(struct gm_buf, gm_buf_fini)

#endif
