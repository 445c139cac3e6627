/* SPDX-License-Identifier: MIT */
#include "base/parse.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/parse-internal.h"

const uint64_t gm_pow10_u64[20] = {
	UINT64_C(1),
	UINT64_C(10),
	UINT64_C(100),
	UINT64_C(1000),
	UINT64_C(10000),
	UINT64_C(100000),
	UINT64_C(1000000),
	UINT64_C(10000000),
	UINT64_C(100000000),
	UINT64_C(1000000000),
	UINT64_C(10000000000),
	UINT64_C(100000000000),
	UINT64_C(1000000000000),
	UINT64_C(10000000000000),
	UINT64_C(100000000000000),
	UINT64_C(1000000000000000),
	UINT64_C(10000000000000000),
	UINT64_C(100000000000000000),
	UINT64_C(1000000000000000000),
	UINT64_C(10000000000000000000),
};

static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;
static locale_t c_locale;

static void c_locale_make(void)
{
	c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (!c_locale)
		abort();
}

locale_t gm_c_locale(void)
{
	(void)pthread_once(&c_locale_once, c_locale_make);
	return c_locale;
}

static inline unsigned digit_of(char c)
{
	return (unsigned)(unsigned char)c - '0';
}

static bool digits_u64(struct gm_str s, uint64_t *out)
{
	if (s.n == 0)
		return false;
	uint64_t v = 0;
	for (size_t i = 0; i < s.n; i++) {
		unsigned d = digit_of(s.p[i]);
		if (d > 9 || __builtin_mul_overflow(v, UINT64_C(10), &v) || __builtin_add_overflow(v, d, &v))
			return false;
	}
	*out = v;
	return true;
}

/* Magnitude and sign to int64; false when it does not fit. */
static bool signed_of(uint64_t size, bool negative, int64_t *out)
{
	if (size > (uint64_t)INT64_MAX + (negative ? 1 : 0))
		return false;
	*out = negative ? (int64_t)-size : (int64_t)size;
	return true;
}

bool gm_parse_u64(struct gm_str s, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	if (!digits_u64(s, &v) || v < min || v > max)
		return false;
	*out = v;
	return true;
}

bool gm_parse_i64(struct gm_str s, int64_t min, int64_t max, int64_t *out)
{
	bool negative = s.n > 0 && s.p[0] == '-';
	uint64_t size = 0;
	int64_t v = 0;
	if (!digits_u64(negative ? gm_str_n(s.p + 1, s.n - 1) : s, &size) || !signed_of(size, negative, &v) ||
	    v < min || v > max)
		return false;
	*out = v;
	return true;
}

/*
 * A decimal number taken apart: (-1)^negative * (mantissa + tail) * 10^exponent, where mantissa holds the first 19
 * significant digits and 0 <= tail < 1 stands for those behind them.
 */
struct decimal {
	bool negative;
	bool tail;	/* not zero */
	bool tail_half; /* at least one half */
	uint64_t mantissa;
	int64_t exponent;
	size_t end; /* bytes of the text read */
};
#define MANTISSA_DIGITS 19
/* Far past what a double or an int64 can be, far from overflow of sums. */
#define EXPONENT_MAX 1000000

struct digit_run {
	unsigned significant; /* digits in mantissa */
	int64_t dropped;      /* digits behind them */
};

static void take_digit(struct decimal *d, struct digit_run *run, unsigned digit)
{
	if (gm_likely(run->significant < MANTISSA_DIGITS)) {
		d->mantissa = d->mantissa * 10 + digit;
		run->significant += d->mantissa != 0;
		return;
	}
	if (run->dropped++ == 0)
		d->tail_half = digit >= 5;
	d->tail |= digit != 0;
}

/* Reads "e+12" at s.p[i]; false when it is not whole. */
static bool read_exponent(struct gm_str s, size_t *position, int64_t *exponent)
{
	size_t i = *position + 1;
	bool negative = i < s.n && s.p[i] == '-';
	if (i < s.n && (s.p[i] == '-' || s.p[i] == '+'))
		i++;
	size_t first = i;
	int64_t v = 0;
	for (; i < s.n && digit_of(s.p[i]) <= 9; i++)
		if (v < EXPONENT_MAX)
			v = v * 10 + digit_of(s.p[i]);
	if (i == first)
		return false;
	*exponent += negative ? -v : v;
	*position = i;
	return true;
}

/* Reads as much as is a number; false when nothing is. */
static bool read_decimal(struct gm_str s, struct decimal *out)
{
	struct decimal d = { 0 };
	struct digit_run run = { 0 };
	size_t i = 0, digits = 0;
	if (s.n > 0 && (s.p[0] == '-' || s.p[0] == '+')) {
		d.negative = s.p[0] == '-';
		i = 1;
	}
	for (unsigned c; i < s.n && (c = digit_of(s.p[i])) <= 9; i++, digits++)
		take_digit(&d, &run, c);
	d.exponent = run.dropped;
	if (i < s.n && s.p[i] == '.') {
		size_t first = ++i;
		int64_t dropped_before = run.dropped;
		for (unsigned c; i < s.n && (c = digit_of(s.p[i])) <= 9; i++)
			take_digit(&d, &run, c);
		digits += i - first;
		d.exponent -= (int64_t)(i - first) - (run.dropped - dropped_before);
	}
	if (digits == 0)
		return false;
	if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E') && !read_exponent(s, &i, &d.exponent))
		return false;
	d.end = i;
	*out = d;
	return true;
}

/*
 * The hard cases, by strtod. The text is given to it in a normal form of bounded length: a double is decided by its
 * first 770 digits and by whether anything but zeros follows.
 */
static bool hard_f64(struct gm_str s, double *out)
{
	enum { KEPT = 800 };
	char text[KEPT + 40];
	size_t n = 0;
	int64_t exponent = 0;
	bool point = false, more = false;
	text[n++] = s.p[0] == '-' ? '-' : '+';
	size_t i = s.p[0] == '-' || s.p[0] == '+' ? 1 : 0;
	for (; i < s.n && s.p[i] != 'e' && s.p[i] != 'E'; i++) {
		if (s.p[i] == '.') {
			point = true;
			continue;
		}
		if (n == 1 && s.p[i] == '0') {
			exponent -= point;
		} else if (n < KEPT) {
			text[n++] = s.p[i];
			exponent -= point;
		} else {
			more |= s.p[i] != '0';
			exponent += !point;
		}
	}
	if (n == 1)
		text[n++] = '0';
	if (more) {
		text[n++] = '1';
		exponent--;
	}
	if (i < s.n && !read_exponent(s, &i, &exponent))
		return false;
	(void)snprintf(text + n, sizeof(text) - n, "e%lld", (long long)exponent);
	double v = strtod_l(text, NULL, gm_c_locale());
	if (isinf(v))
		return false;
	*out = v;
	return true;
}

static bool word_f64(struct gm_str s, double *out)
{
	static const struct {
		const char *word;
		double value;
	} words[] = {
		{ "+inf", INFINITY },
		{ "-inf", -INFINITY },
		{ "inf", INFINITY },
		{ "nan", NAN },
	};
	for (size_t i = 0; i < GM_LEN(words); i++) {
		if (gm_str_ieq(s, gm_str(words[i].word))) {
			*out = words[i].value;
			return true;
		}
	}
	return false;
}

bool gm_parse_f64(struct gm_str s, double *out)
{
	/* Powers of ten that a double holds exactly: one rounding in the product or quotient, so it is the right one. */
	static const double exact[] = { 1e0,  1e1,  1e2,  1e3,	1e4,  1e5,  1e6,  1e7,	1e8,  1e9,  1e10, 1e11,
					1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
	struct decimal d;
	if (!read_decimal(s, &d))
		return word_f64(s, out);
	if (d.end != s.n)
		return false;
	double v = 0;
	if (d.mantissa == 0) {
		/* zero, of either sign */
	} else if (gm_likely(d.mantissa <= UINT64_C(1) << 53 && !d.tail && d.exponent >= -22 && d.exponent <= 22)) {
		v = (double)d.mantissa;
		v = d.exponent < 0 ? v / exact[-d.exponent] : v * exact[d.exponent];
	} else {
		return hard_f64(s, out);
	}
	*out = d.negative ? -v : v;
	return true;
}

/* |d| * 10^shift rounded half away from zero, where shift = d->exponent + decimals. */
static bool fixed_size(const struct decimal *d, int64_t shift, uint64_t *out)
{
	if (d->mantissa == 0 || shift < -MANTISSA_DIGITS) {
		*out = 0;
		return true;
	}
	if (shift < 0) {
		/* The unit is even, so the tail cannot carry a remainder over the half. */
		uint64_t unit = gm_pow10_u64[-shift];
		*out = d->mantissa / unit + (d->mantissa % unit >= unit / 2);
		return true;
	}
	/* With a tail the mantissa has 19 digits: ten times as much would not fit. */
	if (shift >= MANTISSA_DIGITS || (d->tail && shift > 0))
		return false;
	return !__builtin_mul_overflow(d->mantissa, gm_pow10_u64[shift], out) &&
	       !__builtin_add_overflow(*out, (uint64_t)d->tail_half, out);
}

bool gm_parse_fixed(struct gm_str s, unsigned decimals, int64_t *out)
{
	struct decimal d;
	uint64_t size = 0;
	return read_decimal(s, &d) && d.end == s.n && fixed_size(&d, d.exponent + decimals, &size) &&
	       signed_of(size, d.negative, out);
}

bool gm_parse_bool(struct gm_str s, bool *out)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{ "false", false }, { "no", false },  { "off", false },
		{ "on", true },	    { "true", true }, { "yes", true },
	};
	for (size_t i = 0; i < GM_LEN(words); i++) {
		if (gm_str_ieq(s, gm_str(words[i].word))) {
			*out = words[i].value;
			return true;
		}
	}
	return false;
}

static const struct {
	const char *name;
	int64_t ms;
} duration_units[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 },
};

bool gm_parse_duration_ms(struct gm_str s, int64_t *out)
{
	if (gm_str_eq(s, GM_STR("0"))) {
		*out = 0;
		return true;
	}
	int64_t sum = 0;
	size_t unit = 0, i = 0;
	if (s.n == 0)
		return false;
	while (i < s.n) {
		size_t first = i;
		while (i < s.n && digit_of(s.p[i]) <= 9)
			i++;
		int64_t v = 0;
		if (!gm_parse_i64(gm_str_n(s.p + first, i - first), 0, INT64_MAX, &v))
			return false;
		first = i;
		while (i < s.n && digit_of(s.p[i]) > 9)
			i++;
		struct gm_str name = gm_str_n(s.p + first, i - first);
		/* Each unit once, from the largest to the smallest: "30m1h" is more likely a slip than meant. */
		while (unit < GM_LEN(duration_units) && !gm_str_is(name, duration_units[unit].name))
			unit++;
		if (unit == GM_LEN(duration_units) || __builtin_mul_overflow(v, duration_units[unit].ms, &v) ||
		    __builtin_add_overflow(sum, v, &sum))
			return false;
		unit++;
	}
	*out = sum;
	return true;
}

void gm_format_duration_ms(int64_t ms, char buf[static 40])
{
	char *p = buf, *end = buf + 40;
	uint64_t rest = (uint64_t)ms;
	if (ms < 0) {
		*p++ = '-';
		rest = -rest;
	}
	if (rest == 0) {
		(void)snprintf(buf, 40, "0s");
		return;
	}
	for (size_t i = 0; i < GM_LEN(duration_units); i++) {
		uint64_t unit = (uint64_t)duration_units[i].ms, count = rest / unit;
		rest %= unit;
		if (count > 0)
			p += snprintf(p, (size_t)(end - p), "%llu%s", (unsigned long long)count,
				      duration_units[i].name);
	}
}

/* Sizes: binary and decimal; "K" alone means too many things. */
static const struct {
	const char *name;
	int64_t bytes;
} byte_units[] = {
	{ "B", 1 },
	{ "GB", 1000000000 },
	{ "GiB", INT64_C(1) << 30 },
	{ "KB", 1000 },
	{ "KiB", INT64_C(1) << 10 },
	{ "MB", 1000000 },
	{ "MiB", INT64_C(1) << 20 },
	{ "PB", INT64_C(1000000000000000) },
	{ "PiB", INT64_C(1) << 50 },
	{ "TB", INT64_C(1000000000000) },
	{ "TiB", INT64_C(1) << 40 },
	{ "kB", 1000 },
};

bool gm_parse_bytes(struct gm_str s, int64_t *out)
{
	size_t n = 0;
	while (n < s.n && (digit_of(s.p[n]) <= 9 || s.p[n] == '.'))
		n++;
	struct gm_str name = gm_str_n(s.p + n, s.n - n);
	if (name.n == 0)
		return gm_parse_i64(s, 0, INT64_MAX, out);
	struct decimal d;
	if (n == 0 || digit_of(s.p[0]) > 9 || digit_of(s.p[n - 1]) > 9 || !read_decimal(gm_str_n(s.p, n), &d) ||
	    d.end != n || d.tail || d.exponent > 0 || d.exponent < -MANTISSA_DIGITS)
		return false;
	for (size_t i = 0; i < GM_LEN(byte_units); i++) {
		if (!gm_str_is(name, byte_units[i].name))
			continue;
		__extension__ unsigned __int128 v = (unsigned __int128)d.mantissa * (uint64_t)byte_units[i].bytes;
		uint64_t scale = gm_pow10_u64[-d.exponent];
		v = (v + scale / 2) / scale;
		if (v > INT64_MAX)
			return false;
		*out = (int64_t)v;
		return true;
	}
	return false;
}

bool gm_parse_hex64(struct gm_str s, uint64_t *out)
{
	if (s.n == 0 || s.n > 16)
		return false;
	uint64_t v = 0;
	for (size_t i = 0; i < s.n; i++) {
		unsigned d = digit_of(s.p[i]), letter = ((unsigned)(unsigned char)s.p[i] | 0x20) - 'a';
		if (d > 9 && letter > 5)
			return false;
		v = v << 4 | (d <= 9 ? d : letter + 10);
	}
	*out = v;
	return true;
}
