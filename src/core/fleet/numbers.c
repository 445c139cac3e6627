/* SPDX-License-Identifier: MIT */
#include "core/fleet/numbers-internal.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/varint.h"

/*
 * Layout: a byte of predictor and flags, the first value (zigzag varint), the common factor (varint, when not 1), then,
 * unless all values are alike, the first Rice parameter (a byte) and the codes, bits from the low end of each byte.
 * All arithmetic wraps in uint64_t, so encoder and decoder agree whatever the values are.
 */
#define FLAG_PREDICTOR 0x07
#define FLAG_ALIKE 0x08
#define FLAG_FACTOR 0x10

/*
 * What the next value is thought to be: a running mean of the values (order 0) or the last value and a running mean of
 * the steps (order 1: counters, times). The mean moves by 1/2^shift of each miss: 0 follows at once, 4 averages noise
 * away. Kept for ever: blocks name predictors by their number.
 */
static const struct predictor {
	unsigned order, shift;
} predictors[] = { { 0, 0 }, { 0, 2 }, { 0, 4 }, { 1, 0 }, { 1, 2 }, { 1, 4 } };

struct forecast {
	uint64_t last;
	uint64_t sum; /* the mean times 2^shift */
	bool warm;
};

static inline uint64_t mean_of(const struct forecast *f, unsigned shift)
{
	return (uint64_t)((int64_t)(f->sum + (UINT64_C(1) << shift >> 1)) >> shift);
}

static inline uint64_t forecast_next(const struct forecast *f, struct predictor p)
{
	return p.order ? f->last + mean_of(f, p.shift) : mean_of(f, p.shift);
}

static inline void forecast_learn(struct forecast *f, struct predictor p, uint64_t v)
{
	uint64_t x = p.order ? v - f->last : v;
	if (p.order && !f->warm)
		f->sum = x << p.shift;
	else
		f->sum += x - mean_of(f, p.shift);
	f->warm = true;
	f->last = v;
}

/*
 * Rice code of u with parameter k: u >> k in unary (ones, then a zero), then the low k bits. From UNARY_MAX ones on the
 * code is an escape: 6 bits of width less one, then the bits. k follows a running mean of u over about 16 values; a
 * single outlier moves it little, for it is cut to OUTLIER times the mean.
 */
#define UNARY_MAX 20
#define OUTLIER 4
#define WINDOW_SHIFT 4
#define K_MAX 56

struct rice {
	uint64_t sum; /* mean of u, times 2^WINDOW_SHIFT */
};

static inline unsigned width_of(uint64_t v)
{
	return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

static inline unsigned rice_k(const struct rice *r)
{
	/* The best parameter for a mean m is near log2(m * ln 2). */
	uint64_t m = r->sum - (r->sum >> 2) - (r->sum >> 4);
	unsigned k = width_of(m >> WINDOW_SHIFT);
	return k > K_MAX ? K_MAX : k;
}

/* Keeps k within K_MAX and sums far from overflow. */
#define RICE_SUM_MAX (UINT64_C(1) << (K_MAX + WINDOW_SHIFT))

static inline void rice_learn(struct rice *r, uint64_t u)
{
	uint64_t most = (r->sum >> WINDOW_SHIFT) * OUTLIER + 2 * OUTLIER;
	r->sum += (u < most ? u : most) - (r->sum >> WINDOW_SHIFT);
	if (r->sum > RICE_SUM_MAX)
		r->sum = RICE_SUM_MAX;
}

static inline struct rice rice_begin(unsigned k)
{
	return (struct rice){ .sum = k ? UINT64_C(1) << (k - 1 + WINDOW_SHIFT) : 0 };
}

/* Bits a code takes. */
static inline unsigned rice_size(unsigned k, uint64_t u)
{
	uint64_t q = u >> k;
	return q < UNARY_MAX ? (unsigned)q + 1 + k : UNARY_MAX + 6 + width_of(u);
}

struct bits_out {
	unsigned char *p;
	uint64_t held;
	unsigned count; /* of held; under 32 between calls */
};

static inline void put_bits(struct bits_out *b, uint64_t v, unsigned n)
{
	for (; n > 32; n -= 32, v >>= 32)
		put_bits(b, v & UINT32_MAX, 32);
	b->held |= v << b->count;
	b->count += n;
	for (; b->count >= 8; b->count -= 8, b->held >>= 8)
		*b->p++ = (unsigned char)b->held;
}

static inline void put_rice(struct bits_out *b, unsigned k, uint64_t u)
{
	uint64_t q = u >> k;
	if (q < UNARY_MAX) {
		put_bits(b, (UINT64_C(1) << q) - 1, (unsigned)q + 1);
		put_bits(b, u & ((UINT64_C(1) << k) - 1), k);
		return;
	}
	put_bits(b, (UINT64_C(1) << UNARY_MAX) - 1, UNARY_MAX);
	put_bits(b, width_of(u) - 1, 6);
	put_bits(b, u, width_of(u));
}

struct bits_in {
	const unsigned char *p, *end;
	uint64_t held; /* zero past count */
	unsigned count;
	bool bad; /* more was taken than there is */
};

static inline void refill(struct bits_in *b)
{
	for (; b->count <= 56 && b->p < b->end; b->count += 8)
		b->held |= (uint64_t)*b->p++ << b->count;
}

static inline void skip_bits(struct bits_in *b, unsigned n)
{
	if (gm_unlikely(n > b->count)) {
		b->bad = true;
		n = b->count;
	}
	b->held = n < 64 ? b->held >> n : 0;
	b->count -= n;
}

static inline uint64_t take_bits(struct bits_in *b, unsigned n)
{
	uint64_t v = 0;
	for (unsigned at = 0; at < n;) {
		unsigned part = n - at > 32 ? 32 : n - at;
		refill(b);
		v |= (b->held & ((UINT64_C(1) << part) - 1)) << at;
		skip_bits(b, part);
		at += part;
	}
	return v;
}

static inline uint64_t take_rice(struct bits_in *b, unsigned k)
{
	refill(b);
	unsigned q = ~b->held ? (unsigned)__builtin_ctzll(~b->held) : 64;
	if (gm_likely(q < UNARY_MAX)) {
		skip_bits(b, q + 1);
		return (uint64_t)q << k | take_bits(b, k);
	}
	skip_bits(b, UNARY_MAX);
	unsigned width = (unsigned)take_bits(b, 6) + 1;
	return take_bits(b, width);
}

/* The misses of one predictor; the first value is known, so there is one less. */
static void find_misses(const uint64_t *v, size_t count, struct predictor p, uint64_t *out)
{
	struct forecast f = { 0 };
	for (size_t i = 1; i < count; i++) {
		out[i - 1] = gm_zigzag(v[i] - forecast_next(&f, p));
		forecast_learn(&f, p, v[i]);
	}
}

/* By the first few misses; the mean of widths, for one of them may be far off. */
static unsigned first_k(const uint64_t *misses, size_t count)
{
	assert(count > 0);
	size_t n = count < 16 ? count : 16, widths = 0;
	for (size_t i = 0; i < n; i++)
		widths += width_of(misses[i]);
	unsigned k = (unsigned)((widths + n / 2) / n);
	return k > K_MAX ? K_MAX : k;
}

static uint64_t size_of_misses(const uint64_t *misses, size_t count)
{
	struct rice r = rice_begin(first_k(misses, count));
	uint64_t bits = 0;
	for (size_t i = 0; i < count; i++) {
		bits += rice_size(rice_k(&r), misses[i]);
		rice_learn(&r, misses[i]);
	}
	return bits;
}

static void put_misses(const uint64_t *misses, size_t count, uint64_t bits, struct gm_buf *out)
{
	size_t bytes = (size_t)(bits / 8 + 1);
	unsigned k = first_k(misses, count);
	gm_buf_add_char(out, (char)k);
	struct bits_out b = { .p = (unsigned char *)gm_buf_reserve(out, bytes) };
	if (!b.p)
		return;
	unsigned char *begin = b.p;
	struct rice r = rice_begin(k);
	for (size_t i = 0; i < count; i++) {
		put_rice(&b, rice_k(&r), misses[i]);
		rice_learn(&r, misses[i]);
	}
	if (b.count > 0)
		*b.p++ = (unsigned char)b.held;
	gm_buf_advance(out, (size_t)(b.p - begin));
}

static uint64_t common_factor(const int64_t *values, size_t count)
{
	uint64_t factor = 0;
	for (size_t i = 1; i < count && factor != 1; i++) {
		uint64_t a = (uint64_t)values[i] - (uint64_t)values[0];
		a = (int64_t)a < 0 ? -a : a;
		while (a) {
			uint64_t rest = factor % a;
			factor = a;
			a = rest;
		}
	}
	return factor;
}

static void reduce(const int64_t *values, size_t count, uint64_t factor, uint64_t *out)
{
	assert(factor > 0);
	for (size_t i = 0; i < count; i++) {
		uint64_t d = (uint64_t)values[i] - (uint64_t)values[0];
		if (factor != 1)
			d = (int64_t)d < 0 ? -(-d / factor) : d / factor;
		out[i] = d;
	}
}

static size_t best_predictor(const uint64_t *v, size_t count, uint64_t *misses, uint64_t *out_bits)
{
	size_t best = 0;
	for (size_t i = 0; i < GM_LEN(predictors); i++) {
		find_misses(v, count, predictors[i], misses);
		uint64_t bits = size_of_misses(misses, count - 1);
		if (i == 0 || bits < *out_bits) {
			best = i;
			*out_bits = bits;
		}
	}
	return best;
}

void gm_numbers_encode(const int64_t *values, size_t count, struct gm_buf *out)
{
	uint64_t factor = common_factor(values, count);
	if (factor == 0) {
		gm_buf_add_char(out, FLAG_ALIKE);
		gm_buf_add_varint(out, gm_zigzag((uint64_t)values[0]));
		return;
	}
	uint64_t *reduced = gm_try_alloc(2 * count * sizeof(*reduced));
	if (!reduced) {
		out->failed = true;
		return;
	}
	uint64_t *misses = reduced + count, bits = 0;
	reduce(values, count, factor, reduced);
	size_t best = best_predictor(reduced, count, misses, &bits);
	gm_buf_add_char(out, (char)(best | (factor != 1 ? FLAG_FACTOR : 0)));
	gm_buf_add_varint(out, gm_zigzag((uint64_t)values[0]));
	if (factor != 1)
		gm_buf_add_varint(out, factor);
	find_misses(reduced, count, predictors[best], misses);
	put_misses(misses, count - 1, bits, out);
	free(reduced);
}

static bool take_byte(struct gm_str *in, unsigned *out)
{
	if (in->n == 0)
		return false;
	*out = (unsigned char)in->p[0];
	*in = gm_str_n(in->p + 1, in->n - 1);
	return true;
}

static bool decode_misses(struct gm_str in, struct predictor p, uint64_t first, uint64_t factor, int64_t *out,
			  size_t count)
{
	unsigned k = 0;
	if (!take_byte(&in, &k) || k > K_MAX)
		return false;
	struct bits_in b = { .p = (const unsigned char *)in.p, .end = (const unsigned char *)in.p + in.n };
	struct forecast f = { 0 };
	struct rice r = rice_begin(k);
	for (size_t i = 1; i < count && !b.bad; i++) {
		uint64_t miss = take_rice(&b, rice_k(&r));
		rice_learn(&r, miss);
		uint64_t v = forecast_next(&f, p) + gm_unzigzag(miss);
		forecast_learn(&f, p, v);
		out[i] = (int64_t)(first + v * factor);
	}
	/* Nothing but the padding of the last byte is left. */
	return !b.bad && b.p == b.end && b.count < 8 && b.held == 0;
}

bool gm_numbers_decode(struct gm_str in, int64_t *out, size_t count)
{
	unsigned flags = 0;
	uint64_t first = 0, factor = 1;
	if (count == 0 || !take_byte(&in, &flags) || (flags & ~(unsigned)(FLAG_PREDICTOR | FLAG_ALIKE | FLAG_FACTOR)) ||
	    (flags & FLAG_PREDICTOR) >= GM_LEN(predictors) || !gm_str_take_varint(&in, &first))
		return false;
	first = gm_unzigzag(first);
	out[0] = (int64_t)first;
	if (flags & FLAG_ALIKE) {
		for (size_t i = 1; i < count; i++)
			out[i] = (int64_t)first;
		return in.n == 0;
	}
	if ((flags & FLAG_FACTOR) && !gm_str_take_varint(&in, &factor))
		return false;
	return decode_misses(in, predictors[flags & FLAG_PREDICTOR], first, factor, out, count);
}
