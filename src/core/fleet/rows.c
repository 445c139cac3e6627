/* SPDX-License-Identifier: MIT */
#include "core/fleet/rows-internal.h"

#include "base/varint.h"

/*
 * A row: zigzag(time - time before), a byte: 1 when the fields or where they come from differ from the row before, then
 * the mask of fields and for each field validity * 16 + source; for each field zigzag(value - value before).
 */
#define ROW_SAME 0
#define ROW_OTHER 1

static bool same_layout(const struct gm_sample *a, const struct gm_sample *b)
{
	if (a->valid != b->valid)
		return false;
	for (uint64_t rest = a->valid; rest; rest &= rest - 1) {
		unsigned f = (unsigned)__builtin_ctzll(rest);
		if (a->validity[f] != b->validity[f] || a->source[f] != b->source[f])
			return false;
	}
	return true;
}

static void put_layout(struct gm_buf *out, struct gm_sample *state, const struct gm_sample *sample)
{
	gm_buf_add_varint(out, sample->valid);
	for (uint64_t rest = sample->valid; rest; rest &= rest - 1) {
		unsigned f = (unsigned)__builtin_ctzll(rest);
		gm_buf_add_char(out, (char)(sample->validity[f] << 4 | (sample->source[f] & 15)));
		state->validity[f] = sample->validity[f];
		state->source[f] = sample->source[f];
	}
	state->valid = sample->valid;
}

void gm_row_put(struct gm_buf *out, struct gm_sample *state, const struct gm_sample *sample)
{
	gm_buf_add_varint(out, gm_zigzag((uint64_t)sample->at_ms - (uint64_t)state->at_ms));
	state->at_ms = sample->at_ms;
	bool same = same_layout(state, sample);
	gm_buf_add_char(out, same ? ROW_SAME : ROW_OTHER);
	if (!same)
		put_layout(out, state, sample);
	for (uint64_t rest = sample->valid; rest; rest &= rest - 1) {
		unsigned f = (unsigned)__builtin_ctzll(rest);
		gm_buf_add_varint(out, gm_zigzag((uint64_t)sample->value[f] - (uint64_t)state->value[f]));
		state->value[f] = sample->value[f];
	}
}

static bool take_byte(struct gm_str *in, unsigned char *out)
{
	if (in->n == 0)
		return false;
	*out = (unsigned char)in->p[0];
	*in = gm_str_n(in->p + 1, in->n - 1);
	return true;
}

static bool take_difference(struct gm_str *in, int64_t *value)
{
	uint64_t v = 0;
	if (!gm_str_take_varint(in, &v))
		return false;
	*value = (int64_t)((uint64_t)*value + gm_unzigzag(v));
	return true;
}

static bool take_layout(struct gm_str *in, struct gm_sample *state)
{
	uint64_t valid = 0;
	unsigned char tag = 0;
	if (!gm_str_take_varint(in, &valid) || valid >> GM_FIELD_COUNT)
		return false;
	for (uint64_t rest = valid; rest; rest &= rest - 1) {
		unsigned f = (unsigned)__builtin_ctzll(rest);
		if (!take_byte(in, &tag))
			return false;
		state->validity[f] = tag >> 4;
		state->source[f] = tag & 15;
	}
	state->valid = valid;
	return true;
}

bool gm_row_take(struct gm_str *in, struct gm_sample *state)
{
	unsigned char layout = ROW_SAME;
	if (in->n == 0 || !take_difference(in, &state->at_ms) || !take_byte(in, &layout) ||
	    (layout == ROW_OTHER && !take_layout(in, state)))
		return false;
	for (uint64_t rest = state->valid; rest; rest &= rest - 1)
		if (!take_difference(in, &state->value[__builtin_ctzll(rest)]))
			return false;
	return true;
}
