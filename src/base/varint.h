/* SPDX-License-Identifier: MIT */
#ifndef GM_BASE_VARINT_H
#define GM_BASE_VARINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/* LEB128: seven bits a byte, the low ones first. */
#define GM_VARINT_MAX 10

/* Writes at p, which has room for GM_VARINT_MAX bytes; returns what is behind it. */
static inline unsigned char *gm_varint_put(unsigned char *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (unsigned char)(v | 0x80);
	*p++ = (unsigned char)v;
	return p;
}

/* Reads at *at and moves it behind; false, with *at anywhere before `end`, when no number stands there. */
static inline bool gm_varint_take(const unsigned char **at, const unsigned char *end, uint64_t *out)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
		const unsigned char c = *(*at)++;
		if (shift == 63 && c > 1)
			return false;
		v |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80) {
			*out = v;
			return true;
		}
	}
	return false;
}

static inline void gm_buf_add_varint(struct gm_buf *out, uint64_t v)
{
	unsigned char tmp[GM_VARINT_MAX];
	gm_buf_add(out, tmp, (size_t)(gm_varint_put(tmp, v) - tmp));
}

/* False leaves *in as it was. */
static inline bool gm_str_take_varint(struct gm_str *in, uint64_t *out)
{
	const unsigned char *at = (const unsigned char *)in->p, *end = at + in->n;
	if (in->n == 0 || !gm_varint_take(&at, end, out))
		return false;
	*in = gm_str_n((const char *)at, (size_t)(end - at));
	return true;
}

/* Differences, small ones of either sign to small numbers. Wraps, so that any two int64 have one. */
static inline uint64_t gm_zigzag(uint64_t difference)
{
	return difference << 1 ^ -(difference >> 63);
}
static inline uint64_t gm_unzigzag(uint64_t v)
{
	return v >> 1 ^ -(v & 1);
}

#endif
