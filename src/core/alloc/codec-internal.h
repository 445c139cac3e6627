/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_ALLOC_CODEC_INTERNAL_H
#define GM_CORE_ALLOC_CODEC_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Structs as bytes, by a table of their members. A field is its number, its length and its bytes; numbers rise, members of
 * a row share theirs. What is 0 or empty is not written, so a member that is added later must mean by 0 what was before it.
 * A number that is not known is skipped.
 */
enum gm_codec_kind {
	GM_CODEC_TEXT,	 /* struct gm_str; max: bytes */
	GM_CODEC_CHARS,	 /* char[], NUL-ended; max: bytes without NUL */
	GM_CODEC_I64,	 /* int64_t, min..max */
	GM_CODEC_F64,	 /* double, min..max */
	GM_CODEC_BOOL,	 /* bool */
	GM_CODEC_TEXTS,	 /* struct gm_str[max] and their count */
	GM_CODEC_NESTED, /* a struct in place */
	GM_CODEC_ROWS,	 /* structs in place and their count; max: how many */
	GM_CODEC_LIST,	 /* the same behind a pointer */
};

struct gm_codec;
struct gm_codec_field {
	uint16_t number; /* rising from 1; never given again */
	uint8_t kind;
	const char *name; /* on the wire */
	size_t offset, count_offset;
	int64_t min, max;
	const struct gm_codec *of; /* NESTED, ROWS, LIST */
};
struct gm_codec {
	const char *name;
	size_t size;
	const struct gm_codec_field *fields;
	size_t count;
};

/* How long a text may be that does not come from a request. */
#define GM_CODEC_TEXT_MAX 4096

#define GM_CODEC_FIELD(number_, kind_, type, member, name_, min_, max_)                                                \
	{                                                                                                              \
		.number = (number_), .kind = GM_CODEC_##kind_, .name = (name_), .offset = offsetof(type, member),      \
		.min = (min_), .max = (max_)                                                                           \
	}
#define GM_CODEC_COUNTED(number_, kind_, type, member, count_, name_, max_, of_)                                       \
	{                                                                                                              \
		.number = (number_), .kind = GM_CODEC_##kind_, .name = (name_), .offset = offsetof(type, member),      \
		.count_offset = offsetof(type, count_), .max = (max_), .of = (of_)                                     \
	}
#define GM_CODEC_INSIDE(number_, type, member, name_, of_)                                                             \
	{                                                                                                              \
		.number = (number_), .kind = GM_CODEC_NESTED, .name = (name_), .offset = offsetof(type, member),       \
		.of = (of_)                                                                                            \
	}

extern const struct gm_codec gm_codec_request, gm_codec_record, gm_codec_team, gm_codec_queue;

/* With a first byte for the format and a hash, so that damage is seen. */
void gm_codec_encode(const struct gm_codec *c, const void *object, struct gm_buf *out);
/*
 * *object is zeroed first. Texts are views into `bytes`. `list`: room for the rows of the one LIST there may be, NULL when
 * there is none. CORRUPT, or NEWER.
 */
int gm_codec_decode(const struct gm_codec *c, struct gm_str bytes, void *object, void *list,
		    struct gm_err *err) GM_CHECKED;
/* Do all members keep to their ranges? INVALID names the first that does not. */
int gm_codec_check(const struct gm_codec *c, const void *object, struct gm_err *err) GM_CHECKED;
/* Bytes of all texts, none longer than its limit. */
size_t gm_codec_text_bytes(const struct gm_codec *c, const void *object);
/* Moves all texts to `at`, cut at their limits; returns what is behind them. */
char *gm_codec_own_texts(const struct gm_codec *c, void *object, char *at);

#endif
