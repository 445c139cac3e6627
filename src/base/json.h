/* SPDX-License-Identifier: MIT */
#ifndef GM_BASE_JSON_H
#define GM_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/*
 * Streaming JSON writer into a gm_buf: commas and quoting are its work, nesting is the caller's (asserted). At most 32
 * levels. Text that is not UTF-8 gets U+FFFD for each wrong byte. Doubles that are not finite become null.
 */
struct gm_json {
	struct gm_buf *out;
	uint32_t depth;
	uint32_t is_array; /* bit per level */
	bool need_comma;
	bool after_key; /* a value must follow */
};

void gm_json_init(struct gm_json *w, struct gm_buf *out);
void gm_json_object(struct gm_json *w);
void gm_json_end_object(struct gm_json *w);
void gm_json_array(struct gm_json *w);
void gm_json_end_array(struct gm_json *w);
/* Keys are our own literals: they are not escaped. */
void gm_json_key_n(struct gm_json *w, const char *key, size_t n);
#define gm_json_key(w, literal) gm_json_key_n((w), "" literal, sizeof(literal) - 1)
/* A key that is data: escaped. */
void gm_json_key_str(struct gm_json *w, struct gm_str key);
void gm_json_str(struct gm_json *w, struct gm_str s);
void gm_json_cstr(struct gm_json *w, const char *s); /* NULL: null */
void gm_json_i64(struct gm_json *w, int64_t v);
void gm_json_u64(struct gm_json *w, uint64_t v);
void gm_json_f64(struct gm_json *w, double v);
void gm_json_fixed(struct gm_json *w, int64_t value, unsigned decimals);
void gm_json_bool(struct gm_json *w, bool v);
void gm_json_null(struct gm_json *w);
/* RFC 3339 text; 0 or less: null (no time known). */
void gm_json_time(struct gm_json *w, int64_t ms);
/* Bytes that are already JSON, one whole value. */
void gm_json_raw(struct gm_json *w, struct gm_str json);
void gm_json_base64(struct gm_json *w, const void *bytes, size_t n);

/* key and value in one; `w, "name", value`. */
#define gm_json_kstr(w, k, v) (gm_json_key(w, k), gm_json_str(w, v))
#define gm_json_kcstr(w, k, v) (gm_json_key(w, k), gm_json_cstr(w, v))
#define gm_json_ki64(w, k, v) (gm_json_key(w, k), gm_json_i64(w, v))
#define gm_json_ku64(w, k, v) (gm_json_key(w, k), gm_json_u64(w, v))
#define gm_json_kfixed(w, k, v, d) (gm_json_key(w, k), gm_json_fixed(w, v, d))
#define gm_json_kbool(w, k, v) (gm_json_key(w, k), gm_json_bool(w, v))
#define gm_json_knull(w, k) (gm_json_key(w, k), gm_json_null(w))
#define gm_json_ktime(w, k, v) (gm_json_key(w, k), gm_json_time(w, v))

#endif
