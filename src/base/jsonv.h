/* SPDX-License-Identifier: MIT */
#ifndef GM_BASE_JSONV_H
#define GM_BASE_JSONV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

/*
 * A JSON document as values (RFC 8259, strict: UTF-8, one value, no member twice). Numbers keep the text they came as: money
 * is read exactly, and what is printed again is what was sent. Names and texts without escapes, and all numbers, are views
 * of the document, which has to outlive the values; the rest is in the arena.
 * Limits: GM_JSONV_DEPTH_MAX levels, GM_JSONV_VALUES_MAX values; the arena's.
 */
#define GM_JSONV_DEPTH_MAX 32
#define GM_JSONV_VALUES_MAX 4000000

enum gm_jsonv_type {
	GM_JSONV_NULL,
	GM_JSONV_FALSE,
	GM_JSONV_TRUE,
	GM_JSONV_NUMBER,
	GM_JSONV_TEXT,
	GM_JSONV_LIST,
	GM_JSONV_OBJECT,
};
struct gm_jsonv {
	enum gm_jsonv_type type;
	uint32_t count;		/* items or members */
	struct gm_str name;	/* of a member */
	struct gm_str text;	/* of a text, decoded; of a number, as written */
	struct gm_jsonv *first; /* the first item or member */
	struct gm_jsonv *next;	/* the one after this in the same list or object */
};

/* PARSE: not JSON, err->where is "line:column". */
int gm_jsonv_parse(struct gm_str document, struct gm_arena *arena, struct gm_jsonv **out,
		   struct gm_err *err) GM_CHECKED;

/* The member, or NULL: `v` is no object, or NULL, or has none of this name. */
const struct gm_jsonv *gm_jsonv_get(const struct gm_jsonv *v, struct gm_str name);
/* By a path of names and numbers between dots: "devices.0.profile". NULL when there is no such thing; "" is v itself. */
const struct gm_jsonv *gm_jsonv_at(const struct gm_jsonv *v, const char *path);
/* True for what is not there and for null. */
static inline bool gm_jsonv_none(const struct gm_jsonv *v)
{
	return !v || v->type == GM_JSONV_NULL;
}
/* The text of a text; the empty one for everything else. */
struct gm_str gm_jsonv_text(const struct gm_jsonv *v);
/* False, *out untouched, for what is no number of that kind. `decimals`: times 10^decimals, rounded. */
bool gm_jsonv_i64(const struct gm_jsonv *v, int64_t *out) GM_CHECKED;
bool gm_jsonv_fixed(const struct gm_jsonv *v, unsigned decimals, int64_t *out) GM_CHECKED;
bool gm_jsonv_f64(const struct gm_jsonv *v, double *out) GM_CHECKED;
static inline bool gm_jsonv_true(const struct gm_jsonv *v)
{
	return v && v->type == GM_JSONV_TRUE;
}

/* Writes it again, without blanks. */
void gm_jsonv_write(const struct gm_jsonv *v, struct gm_json *w);

#define gm_jsonv_each(v, it)                                                                                           \
	for (const struct gm_jsonv *it = (v) && (v)->type >= GM_JSONV_LIST ? (v)->first : NULL; it; it = it->next)

#endif
