/* SPDX-License-Identifier: MIT */
#include "core/fleet/block.h"

#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/varint.h"
#include "core/fleet/numbers-internal.h"

/*
 * Layout, numbers as varints:
 *     version (a byte), count, zigzag(first_ms), last_ms - first_ms, mask of fields, length of times, times,
 *     for each field of the mask, rising: length, column;
 *     4 bytes: the low half of gm_hash of all before, little end first.
 * A column: a byte of presence mode (low two bits) and tag mode, presence (see put_presence), tags (see put_tags), then
 * the values that are there (numbers-internal.h). A tag is validity * 16 + source of a value.
 */
#define VERSION 1
#define TRAILER 4
#define PRESENCE_ALL 0
#define PRESENCE_RUNS 1 /* lengths: there, not there, there, ... */
#define PRESENCE_BITS 2
#define PRESENCE_MODE 3
#define TAG_RUNS 4 /* else one tag for all */

#define WORDS(count) (((count) + 63) / 64)
#define WORDS_MAX WORDS(GM_BLOCK_SAMPLES_MAX)

static bool bit_at(const uint64_t *bits, size_t i)
{
	return (bits[i / 64] >> (i % 64) & 1) != 0;
}

/* What the encoder works with; one allocation. */
struct column {
	size_t count; /* of samples */
	size_t there; /* of values */
	int64_t *values;
	uint8_t *tags;
	uint64_t present[WORDS_MAX];
};

static void gather(struct column *c, const struct gm_sample *samples, enum gm_field f)
{
	memset(c->present, 0, sizeof(c->present));
	c->there = 0;
	for (size_t i = 0; i < c->count; i++) {
		const struct gm_sample *s = &samples[i];
		if (!gm_sample_has(s, f))
			continue;
		c->present[i / 64] |= UINT64_C(1) << (i % 64);
		c->values[c->there] = s->value[f];
		c->tags[c->there++] = (uint8_t)(s->validity[f] << 4 | (s->source[f] & 15));
	}
}

static void put_presence_runs(const struct column *c, struct gm_buf *out)
{
	size_t run = 0;
	bool in = true;
	for (size_t i = 0; i < c->count; i++, run++) {
		if (bit_at(c->present, i) != in) {
			gm_buf_add_varint(out, run);
			run = 0;
			in = !in;
		}
	}
	gm_buf_add_varint(out, run);
}

/* Whichever is smaller, runs or a bit a sample; returns the mode. */
static unsigned put_presence(const struct column *c, struct gm_buf *out)
{
	if (c->there == c->count)
		return PRESENCE_ALL;
	size_t begin = out->n, bytes = (c->count + 7) / 8;
	put_presence_runs(c, out);
	if (out->failed || out->n - begin <= bytes)
		return PRESENCE_RUNS;
	out->n = begin;
	for (size_t i = 0; i < bytes; i++)
		gm_buf_add_char(out, (char)(c->present[i / 8] >> (i % 8 * 8)));
	return PRESENCE_BITS;
}

/* One tag, or runs of length and tag. */
static unsigned put_tags(const struct column *c, struct gm_buf *out)
{
	size_t begin = out->n, run = 1, runs = 0;
	for (size_t i = 1; i <= c->there; i++, run++) {
		if (i < c->there && c->tags[i] == c->tags[i - 1])
			continue;
		gm_buf_add_varint(out, run);
		gm_buf_add_char(out, (char)c->tags[i - 1]);
		run = 0;
		runs++;
	}
	if (runs > 1 || out->failed)
		return TAG_RUNS;
	out->n = begin;
	gm_buf_add_char(out, (char)c->tags[0]);
	return 0;
}

/* `part` with its length before it. */
static void put_part(struct gm_buf *out, const struct gm_buf *part)
{
	gm_buf_add_varint(out, part->n);
	gm_buf_add_str(out, gm_buf_str(part));
	out->failed |= part->failed;
}

static void put_column(const struct column *c, struct gm_buf *part, struct gm_buf *out)
{
	gm_buf_reset(part);
	gm_buf_add_char(part, 0);
	unsigned mode = put_presence(c, part);
	mode |= put_tags(c, part);
	if (!part->failed)
		part->p[0] = (char)mode;
	gm_numbers_encode(c->values, c->there, part);
	put_part(out, part);
}

static void put_trailer(struct gm_buf *out, size_t begin)
{
	if (out->failed)
		return;
	uint64_t hash = gm_hash(gm_str_n(out->p + begin, out->n - begin));
	for (unsigned i = 0; i < TRAILER; i++)
		gm_buf_add_char(out, (char)(hash >> (8 * i)));
}

static uint64_t fields_of(const struct gm_sample *samples, size_t count)
{
	uint64_t fields = 0;
	for (size_t i = 0; i < count; i++)
		fields |= samples[i].valid;
	return fields & ((UINT64_C(1) << GM_FIELD_COUNT) - 1);
}

static int check_samples(const struct gm_sample *samples, size_t count, struct gm_err *err)
{
	if (count == 0 || count > GM_BLOCK_SAMPLES_MAX)
		return gm_fail(err, GM_ERR_INVALID, "%zu samples: a block takes 1 to %d", count, GM_BLOCK_SAMPLES_MAX);
	for (size_t i = 1; i < count; i++)
		if (samples[i].at_ms <= samples[i - 1].at_ms)
			return gm_fail(err, GM_ERR_INVALID, "sample %zu is not newer than the one before", i);
	return 0;
}

static void put_block(const struct gm_sample *samples, struct column *c, struct gm_buf *part, struct gm_buf *out)
{
	uint64_t fields = fields_of(samples, c->count);
	int64_t first_ms = samples[0].at_ms, last_ms = samples[c->count - 1].at_ms;
	gm_buf_add_char(out, VERSION);
	gm_buf_add_varint(out, c->count);
	gm_buf_add_varint(out, gm_zigzag((uint64_t)first_ms));
	gm_buf_add_varint(out, (uint64_t)last_ms - (uint64_t)first_ms);
	gm_buf_add_varint(out, fields);
	for (size_t i = 0; i < c->count; i++)
		c->values[i] = samples[i].at_ms;
	gm_numbers_encode(c->values, c->count, part);
	put_part(out, part);
	for (int f = 0; f < GM_FIELD_COUNT; f++) {
		if (!(fields >> f & 1))
			continue;
		gather(c, samples, (enum gm_field)f);
		put_column(c, part, out);
	}
}

int gm_block_encode(const struct gm_sample *samples, size_t count, struct gm_buf *out, struct gm_err *err)
{
	int rc = check_samples(samples, count, err);
	if (rc)
		return rc;
	if (out->failed)
		return gm_fail(err, GM_ERR_NO_MEMORY, "the buffer for a block had failed before");
	GM_AUTO(gm_free_p) void *memory = gm_try_alloc(count * (sizeof(int64_t) + 1));
	if (!memory)
		return gm_fail(err, GM_ERR_NO_MEMORY, "no memory to pack %zu samples", count);
	GM_AUTO(gm_buf_fini_p) struct gm_buf part = { 0 };
	struct column c = { .count = count, .values = memory, .tags = (uint8_t *)memory + count * sizeof(int64_t) };
	size_t begin = out->n;
	put_block(samples, &c, &part, out);
	put_trailer(out, begin);
	if (!out->failed)
		return 0;
	out->n = begin;
	if (out->p)
		out->p[begin] = '\0';
	return gm_fail(err, GM_ERR_NO_MEMORY, "no memory for a block of %zu samples", count);
}

/* A block taken apart as far as its lengths go. */
struct parts {
	struct gm_block_info info;
	uint64_t fields; /* as written: a newer program may know more */
	struct gm_str times;
	struct gm_str columns; /* lengths checked */
};

static int corrupt(struct gm_err *err, const char *what)
{
	return gm_fail(err, GM_ERR_CORRUPT, "block of samples: %s", what);
}

static bool take_part(struct gm_str *in, struct gm_str *out)
{
	uint64_t n = 0;
	if (!gm_str_take_varint(in, &n) || n > in->n)
		return false;
	*out = gm_str_n(in->p, (size_t)n);
	*in = gm_str_n(in->p + n, in->n - (size_t)n);
	return true;
}

static bool trailer_ok(struct gm_str block)
{
	uint64_t hash = gm_hash(gm_str_n(block.p, block.n - TRAILER)), kept = 0;
	for (unsigned i = 0; i < TRAILER; i++)
		kept |= (uint64_t)(unsigned char)block.p[block.n - TRAILER + i] << (8 * i);
	return (uint32_t)hash == kept;
}

static bool take_head(struct gm_str *in, struct parts *p)
{
	uint64_t count = 0, first = 0, length = 0;
	if (!gm_str_take_varint(in, &count) || count == 0 || count > GM_BLOCK_SAMPLES_MAX ||
	    !gm_str_take_varint(in, &first) || !gm_str_take_varint(in, &length) ||
	    !gm_str_take_varint(in, &p->fields) || !take_part(in, &p->times))
		return false;
	p->info = (struct gm_block_info){
		.count = (size_t)count,
		.fields = p->fields & ((UINT64_C(1) << GM_FIELD_COUNT) - 1),
		.first_ms = (int64_t)gm_unzigzag(first),
		.last_ms = (int64_t)(gm_unzigzag(first) + length),
	};
	return p->info.last_ms >= p->info.first_ms;
}

static int take_apart(struct gm_str block, struct parts *p, struct gm_err *err)
{
	if (block.n < 1 + TRAILER)
		return corrupt(err, "too short");
	if (block.p[0] != VERSION)
		return gm_fail(err, (unsigned char)block.p[0] > VERSION ? GM_ERR_NEWER : GM_ERR_CORRUPT,
			       "block of samples: unknown version %u", (unsigned)(unsigned char)block.p[0]);
	if (!trailer_ok(block))
		return corrupt(err, "checksum does not match");
	struct gm_str in = gm_str_n(block.p + 1, block.n - 1 - TRAILER);
	if (!take_head(&in, p))
		return corrupt(err, "bad head");
	p->columns = in;
	for (uint64_t rest = p->fields; rest; rest &= rest - 1) {
		struct gm_str column;
		if (!take_part(&in, &column))
			return corrupt(err, "bad length of a column");
	}
	return in.n == 0 ? 0 : corrupt(err, "bytes behind the last column");
}

int gm_block_info(struct gm_str block, struct gm_block_info *out, struct gm_err *err)
{
	struct parts p = { 0 };
	int rc = take_apart(block, &p, err);
	if (rc == 0)
		*out = p.info;
	return rc;
}

static int read_times(const struct parts *p, int64_t *out_ms, struct gm_err *err)
{
	if (!gm_numbers_decode(p->times, out_ms, p->info.count))
		return corrupt(err, "bad times");
	for (size_t i = 1; i < p->info.count; i++)
		if (out_ms[i] <= out_ms[i - 1])
			return corrupt(err, "times do not rise");
	if (out_ms[0] != p->info.first_ms || out_ms[p->info.count - 1] != p->info.last_ms)
		return corrupt(err, "times do not match the head");
	return 0;
}

int gm_block_times(struct gm_str block, int64_t *out_ms, struct gm_err *err)
{
	struct parts p = { 0 };
	int rc = take_apart(block, &p, err);
	return rc ? rc : read_times(&p, out_ms, err);
}

static bool take_presence_runs(struct gm_str *in, size_t count, uint64_t *out)
{
	bool there = true;
	for (size_t i = 0; i < count; there = !there) {
		uint64_t run = 0;
		/* Only the first may be empty: else a short text could run for ever. */
		if (!gm_str_take_varint(in, &run) || run > count - i || (run == 0 && i > 0))
			return false;
		if (run == 0 && !there)
			return false;
		for (uint64_t end = i + run; i < end; i++)
			out[i / 64] |= (uint64_t)there << (i % 64);
	}
	return true;
}

static bool take_presence_bits(struct gm_str *in, size_t count, uint64_t *out)
{
	size_t bytes = (count + 7) / 8;
	if (in->n < bytes)
		return false;
	for (size_t i = 0; i < bytes; i++)
		out[i / 8] |= (uint64_t)(unsigned char)in->p[i] << (i % 8 * 8);
	*in = gm_str_n(in->p + bytes, in->n - bytes);
	return count % 64 == 0 || out[count / 64] >> (count % 64) == 0;
}

/* Fills `out` (WORDS(count) words); the number of values there, 0 when the text is bad. */
static size_t take_presence(struct gm_str *in, unsigned mode, size_t count, uint64_t *out)
{
	size_t words = WORDS(count), there = 0;
	memset(out, 0, words * sizeof(*out));
	if (mode == PRESENCE_ALL) {
		for (size_t i = 0; i < words; i++)
			out[i] = UINT64_MAX >> (i + 1 == words && count % 64 ? 64 - count % 64 : 0);
		return count;
	}
	if (mode == PRESENCE_RUNS ? !take_presence_runs(in, count, out)
				  : mode != PRESENCE_BITS || !take_presence_bits(in, count, out))
		return 0;
	for (size_t i = 0; i < words; i++)
		there += (size_t)__builtin_popcountll(out[i]);
	return there;
}

/* Reads tags past; into `out` when it is not NULL. */
static bool take_tags(struct gm_str *in, bool runs, size_t there, uint8_t *out)
{
	for (size_t i = 0; i < there;) {
		uint64_t run = there;
		if (runs && (!gm_str_take_varint(in, &run) || run == 0 || run > there - i))
			return false;
		if (in->n == 0)
			return false;
		if (out)
			memset(out + i, (unsigned char)in->p[0], (size_t)run);
		*in = gm_str_n(in->p + 1, in->n - 1);
		i += (size_t)run;
	}
	return true;
}

/* Moves values read side by side to their places, from the end so that none is overwritten; the others become 0. */
static void spread(int64_t *values, const uint64_t *present, size_t count, size_t there)
{
	if (there == count)
		return;
	for (size_t i = count; i-- > 0;)
		values[i] = bit_at(present, i) ? values[--there] : 0;
}

static int read_column(struct gm_str in, size_t count, int64_t *out_values, uint64_t *out_present, uint8_t *out_tags,
		       struct gm_err *err)
{
	if (in.n == 0)
		return corrupt(err, "an empty column");
	unsigned mode = (unsigned char)in.p[0];
	in = gm_str_n(in.p + 1, in.n - 1);
	if (mode & ~(unsigned)(PRESENCE_MODE | TAG_RUNS))
		return corrupt(err, "unknown form of column");
	size_t there = take_presence(&in, mode & PRESENCE_MODE, count, out_present);
	if (there == 0)
		return corrupt(err, "bad presence");
	if (!take_tags(&in, (mode & TAG_RUNS) != 0, there, out_tags))
		return corrupt(err, "bad tags");
	if (!gm_numbers_decode(in, out_values, there))
		return corrupt(err, "bad values");
	spread(out_values, out_present, count, there);
	return 0;
}

int gm_block_column(struct gm_str block, enum gm_field field, int64_t *out_values, uint64_t *out_present,
		    struct gm_err *err)
{
	struct parts p = { 0 };
	int rc = take_apart(block, &p, err);
	if (rc)
		return rc;
	if (field >= GM_FIELD_COUNT || !(p.info.fields >> field & 1))
		return gm_fail(err, GM_ERR_NOT_FOUND, "block of samples: no such field");
	struct gm_str column = { 0 };
	for (uint64_t rest = p.fields & (UINT64_MAX >> (63 - field)); rest; rest &= rest - 1)
		(void)take_part(&p.columns, &column);
	return read_column(column, p.info.count, out_values, out_present, NULL, err);
}

/* One field of all samples from its column. */
static int read_field(struct gm_str column, enum gm_field f, size_t count, int64_t *values, uint8_t *tags,
		      struct gm_sample *out, struct gm_err *err)
{
	uint64_t present[WORDS_MAX] = { 0 };
	int rc = read_column(column, count, values, present, tags, err);
	if (rc)
		return rc;
	for (size_t i = 0, next = 0; i < count; i++) {
		if (!bit_at(present, i))
			continue;
		uint8_t tag = tags[next++];
		gm_sample_set(&out[i], f, values[i], (enum gm_validity)(tag >> 4), (enum gm_source)(tag & 15));
	}
	return 0;
}

int gm_block_samples(struct gm_str block, struct gm_sample *out, struct gm_err *err)
{
	struct parts p = { 0 };
	int rc = take_apart(block, &p, err);
	if (rc)
		return rc;
	size_t count = p.info.count;
	GM_AUTO(gm_free_p) int64_t *values = gm_try_alloc(count * (sizeof(int64_t) + 1));
	if (!values)
		return gm_fail(err, GM_ERR_NO_MEMORY, "no memory to read a block of %zu samples", count);
	rc = read_times(&p, values, err);
	if (rc)
		return rc;
	memset(out, 0, count * sizeof(*out));
	for (size_t i = 0; i < count; i++)
		out[i].at_ms = values[i];
	for (uint64_t rest = p.fields; rest; rest &= rest - 1) {
		unsigned f = (unsigned)__builtin_ctzll(rest);
		struct gm_str column = { 0 };
		(void)take_part(&p.columns, &column);
		if (f >= GM_FIELD_COUNT)
			continue;
		rc = read_field(column, (enum gm_field)f, count, values, (uint8_t *)(values + count), out, err);
		if (rc)
			return rc;
	}
	return 0;
}
