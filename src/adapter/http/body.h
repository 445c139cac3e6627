/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_HTTP_BODY_H
#define GM_ADAPTER_HTTP_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapter/http/problem.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/*
 * Strict reading of JSON bodies (RFC 8259, UTF-8, no duplicate keys, 16 levels at most) into a struct, driven by a table
 * of fields. Unknown fields are refused. All that is wrong is collected as issues by JSON pointer.
 */
enum gm_body_type {
	GM_BODY_TEXT,	  /* struct gm_str in the arena; min..max bytes (max 0: 256); no control characters */
	GM_BODY_INT,	  /* int64_t, min..max (both 0: any) */
	GM_BODY_BOOL,	  /* bool */
	GM_BODY_FIXED,	  /* int64_t: a number times 10^decimals, min..max of that product */
	GM_BODY_TIME,	  /* int64_t, milliseconds since the epoch, RFC 3339 text; null: 0 when `nullable` */
	GM_BODY_DURATION, /* int64_t, milliseconds, "90d"; min..max */
	GM_BODY_CHOICE,	  /* int, index in choices */
	GM_BODY_TEXTS,	  /* struct gm_body_texts; min..max items (max 0: 64), each 1..256 bytes */
	GM_BODY_OBJECTS,  /* struct gm_body_objects; min..max items (max 0: 64), each read by the field's own table */
	GM_BODY_OBJECT,	  /* one object, read by the field's own table into the member itself */
	GM_BODY_MAP,	  /* struct gm_body_map: names of the caller's to texts; min..max pairs (max 0: 64) */
};

/* Keys 1..256 bytes, values 0..256 bytes, neither with control characters. */
struct gm_body_pair {
	struct gm_str key, value;
};
struct gm_body_map {
	struct gm_body_pair *items;
	size_t count;
};

/* `items` are structs of the field's item_size, in the arena. */
struct gm_body_objects {
	void *items;
	size_t count;
};

struct gm_body_texts {
	struct gm_str *items;
	size_t count;
};

struct gm_body_field {
	const char *name;
	enum gm_body_type type;
	size_t offset; /* of the member in *out */
	bool required;
	bool nullable; /* null is taken as absent */
	int64_t min, max;
	unsigned decimals;	    /* 0..9 */
	const char *const *choices; /* NULL-ended */
	const char *help;
	/* of GM_BODY_OBJECT and GM_BODY_OBJECTS; the last two of the second only */
	const struct gm_body_field *fields;
	size_t field_count, item_size;
	const void *blank; /* what an item begins as; NULL: zeros */
};

#define GM_BODY_FIELDS_MAX 64

/*
 * Reads an object. Members not in the body keep what they had in *out; *out_present (may be NULL) has bit i for
 * fields[i]. On failure *out is untouched, and *issues (may be NULL) says all that is wrong; err->where has the first.
 * GM_ERR_PARSE: not JSON; GM_ERR_INVALID: breaks the table. An empty body is read as {}.
 */
int gm_body_read(struct gm_str body, const struct gm_body_field *fields, size_t count, size_t out_size,
		 struct gm_arena *arena, void *out, uint64_t *out_present, struct gm_issues *issues,
		 struct gm_err *err) GM_CHECKED;
/* Reads a list of texts, as ["1g.10gb","2g.20gb"]; at most `max` items. */
int gm_body_read_texts(struct gm_str body, size_t max, struct gm_arena *arena, struct gm_body_texts *out,
		       struct gm_issues *issues, struct gm_err *err) GM_CHECKED;

#endif
