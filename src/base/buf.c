/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <locale.h>
#include <math.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/parse-internal.h"
#include "base/parse.h"

#define BUF_LIMIT_DEFAULT ((size_t)1 << 30)
#define BUF_CAPACITY_MIN 64
#define DIGITS_MAX 20 /* of a uint64_t */

void gm_buf_fini(struct gm_buf *b)
{
	if (!b)
		return;
	free(b->p);
	*b = (struct gm_buf){ .limit = b->limit };
}

void gm_buf_reset(struct gm_buf *b)
{
	b->n = 0;
	b->failed = false;
	if (b->p)
		b->p[0] = '\0';
}

/* Room for `need` bytes and a NUL; false sets `failed`. */
static bool grow(struct gm_buf *b, size_t need)
{
	size_t limit = b->limit ? b->limit : BUF_LIMIT_DEFAULT;
	if (need > limit || need == SIZE_MAX) {
		b->failed = true;
		return false;
	}
	size_t capacity = b->capacity > SIZE_MAX / 2 ? need + 1 : b->capacity * 2;
	if (capacity < BUF_CAPACITY_MIN)
		capacity = BUF_CAPACITY_MIN;
	if (capacity > limit)
		capacity = limit + 1; /* what fits is within the limit: gm_buf_reserve need not look at it */
	if (capacity < need + 1)
		capacity = need + 1;
	char *p = gm_try_realloc(b->p, capacity);
	if (!p) {
		b->failed = true;
		return false;
	}
	p[b->n] = '\0';
	b->p = p;
	b->capacity = capacity;
	return true;
}

char *gm_buf_reserve(struct gm_buf *b, size_t more)
{
	if (gm_unlikely(b->failed))
		return NULL;
	size_t need = 0;
	if (gm_unlikely(__builtin_add_overflow(b->n, more, &need))) {
		b->failed = true;
		return NULL;
	}
	if (gm_unlikely(need >= b->capacity) && !grow(b, need))
		return NULL;
	return b->p + b->n;
}

void gm_buf_advance(struct gm_buf *b, size_t n)
{
	b->n += n;
	b->p[b->n] = '\0';
}

void gm_buf_add(struct gm_buf *b, const void *bytes, size_t n)
{
	char *p = gm_buf_reserve(b, n);
	if (!p || n == 0)
		return;
	memcpy(p, bytes, n);
	gm_buf_advance(b, n);
}

void gm_buf_add_char(struct gm_buf *b, char c)
{
	char *p = gm_buf_reserve(b, 1);
	if (!p)
		return;
	*p = c;
	gm_buf_advance(b, 1);
}

void gm_buf_add_cstr(struct gm_buf *b, const char *s)
{
	gm_buf_add(b, s, strlen(s));
}

void gm_buf_add_str(struct gm_buf *b, struct gm_str s)
{
	gm_buf_add(b, s.p, s.n);
}

static const char digit_pairs[] = "00010203040506070809"
				  "10111213141516171819"
				  "20212223242526272829"
				  "30313233343536373839"
				  "40414243444546474849"
				  "50515253545556575859"
				  "60616263646566676869"
				  "70717273747576777879"
				  "80818283848586878889"
				  "90919293949596979899";

/* Writes the digits of v so that they end before `end`; returns where they begin. */
static char *digits_before(char *end, uint64_t v)
{
	while (v >= 100) {
		end -= 2;
		memcpy(end, digit_pairs + 2 * (v % 100), 2);
		v /= 100;
	}
	if (v >= 10) {
		end -= 2;
		memcpy(end, digit_pairs + 2 * v, 2);
	} else {
		*--end = (char)('0' + v);
	}
	return end;
}

static uint64_t magnitude(int64_t v)
{
	return v < 0 ? -(uint64_t)v : (uint64_t)v;
}

void gm_buf_add_u64(struct gm_buf *b, uint64_t v)
{
	char tmp[DIGITS_MAX], *end = tmp + sizeof(tmp), *p = digits_before(end, v);
	gm_buf_add(b, p, (size_t)(end - p));
}

void gm_buf_add_i64(struct gm_buf *b, int64_t v)
{
	char tmp[DIGITS_MAX + 1], *end = tmp + sizeof(tmp), *p = digits_before(end, magnitude(v));
	if (v < 0)
		*--p = '-';
	gm_buf_add(b, p, (size_t)(end - p));
}

void gm_buf_add_fixed(struct gm_buf *b, int64_t value, unsigned decimals)
{
	uint64_t scale = gm_pow10_u64[decimals], all = magnitude(value);
	uint64_t whole = all / scale, part = all % scale;
	if (part == 0) {
		gm_buf_add_i64(b, value < 0 ? (int64_t)-whole : (int64_t)whole);
		return;
	}
	for (; part % 10 == 0; part /= 10)
		decimals--;
	/* sign, whole, point, up to 18 decimals */
	char tmp[1 + DIGITS_MAX + 1 + 18], *end = tmp + sizeof(tmp);
	char *p = digits_before(end, part);
	while (p > end - decimals)
		*--p = '0';
	*--p = '.';
	p = digits_before(p, whole);
	if (value < 0)
		*--p = '-';
	gm_buf_add(b, p, (size_t)(end - p));
}

static bool same_f64(double a, double b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

/*
 * Most values have few decimals. When round(v * 10^6) / 10^6 is v again and has at most 15 digits, those digits are what
 * %.15g would print: a decimal of 15 digits that reads back to v is the only one.
 */
static bool add_f64_short(struct gm_buf *b, double v)
{
	double size = fabs(v);
	if (!(size < 1e9) || (size < 1e-4 && !same_f64(v, 0.0)))
		return false;
	int64_t scaled = (int64_t)(v * 1e6 + (v < 0 ? -0.5 : 0.5));
	if (!same_f64((double)scaled / 1e6, v))
		return false;
	gm_buf_add_fixed(b, scaled, 6);
	return true;
}

void gm_buf_add_f64(struct gm_buf *b, double v)
{
	if (isnan(v)) {
		gm_buf_add_cstr(b, "NaN");
		return;
	}
	if (isinf(v)) {
		gm_buf_add_cstr(b, v < 0 ? "-Inf" : "+Inf");
		return;
	}
	if (add_f64_short(b, v))
		return;
	char tmp[40];
	double back = 0;
	locale_t before = uselocale(gm_c_locale());
	int n = snprintf(tmp, sizeof(tmp), "%.15g", v);
	if (!gm_parse_f64(gm_str_n(tmp, (size_t)n), &back) || !same_f64(back, v))
		n = snprintf(tmp, sizeof(tmp), "%.17g", v);
	(void)uselocale(before);
	gm_buf_add(b, tmp, (size_t)n);
}

void gm_buf_addf(struct gm_buf *b, const char *fmt, ...)
{
	if (!gm_buf_reserve(b, 0))
		return;
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(b->p + b->n, b->capacity - b->n, fmt, args);
	va_end(args);
	if (n >= 0 && (size_t)n < b->capacity - b->n) {
		b->n += (size_t)n;
		return;
	}
	b->p[b->n] = '\0'; /* a text that does not fit is not kept in part */
	b->failed |= n < 0;
	if (!gm_buf_reserve(b, n < 0 ? 0 : (size_t)n))
		return;
	va_start(args, fmt);
	(void)vsnprintf(b->p + b->n, (size_t)n + 1, fmt, args);
	va_end(args);
	b->n += (size_t)n;
}

void gm_buf_add_base64(struct gm_buf *b, const void *bytes, size_t n)
{
	if (n > SIZE_MAX / 2) {
		b->failed = true;
		return;
	}
	size_t size = sodium_base64_encoded_len(n, sodium_base64_VARIANT_ORIGINAL); /* with NUL */
	char *p = gm_buf_reserve(b, size);
	if (!p)
		return;
	(void)sodium_bin2base64(p, size, bytes, n, sodium_base64_VARIANT_ORIGINAL);
	gm_buf_advance(b, size - 1);
}

char *gm_buf_steal(struct gm_buf *b, size_t *out_n)
{
	if (out_n)
		*out_n = b->n;
	char *p = b->p ? b->p : gm_xalloc(1);
	*b = (struct gm_buf){ .limit = b->limit };
	return p;
}

const char *gm_buf_cstr(struct gm_buf *b)
{
	return b->p || gm_buf_reserve(b, 0) ? b->p : "";
}
