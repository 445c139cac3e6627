/* SPDX-License-Identifier: MIT */
#include "adapter/store/rows.h"

#include "base/varint.h"

#define VERSION 1
/* Series, time, masks, length; a kind and a value a field. */
#define ROW_MAX ((size_t)GM_VARINT_MAX * 5 + (size_t)(GM_VARINT_MAX + 1) * GM_FIELD_COUNT)
#define SOURCE_BITS 4
#define SOURCE_MASK ((1u << SOURCE_BITS) - 1)

_Static_assert(GM_SOURCE_COUNT <= 1 << SOURCE_BITS, "a kind is one byte");
_Static_assert(GM_VALIDITY_COUNT <= 1 << (8 - SOURCE_BITS), "a kind is one byte");

void gm_rows_begin(struct gm_rows_writer *w)
{
	gm_buf_reset(&w->buf);
	gm_buf_add_char(&w->buf, VERSION);
	w->prev = (struct gm_rows_prev){ 0 };
}

/* The kinds of a row's fields; where a field is missing, the one it had last. Returns the mask of those that changed. */
static uint64_t kinds_of(const struct gm_sample *s, uint64_t there, uint8_t kinds[static GM_FIELD_COUNT])
{
	uint64_t changed = 0;

	for (uint64_t left = there; left; left &= left - 1) {
		const unsigned f = (unsigned)__builtin_ctzll(left);
		const uint8_t kind = (uint8_t)((unsigned)s->validity[f] << SOURCE_BITS | (s->source[f] & SOURCE_MASK));
		changed |= (uint64_t)(kind != kinds[f]) << f;
		kinds[f] = kind;
	}
	return changed;
}

void gm_rows_add(struct gm_rows_writer *w, const struct gm_sample_row *row)
{
	const struct gm_sample *s = &row->sample;
	struct gm_rows_prev *prev = &w->prev;
	unsigned char values[ROW_MAX], *end = values;
	unsigned char *p = (unsigned char *)gm_buf_reserve(&w->buf, ROW_MAX);

	if (!p)
		return;
	const unsigned char *begin = p;
	const uint64_t there = s->valid & ((UINT64_C(1) << GM_FIELD_COUNT) - 1);
	const uint64_t changed = kinds_of(s, there, prev->kinds);
	p = gm_varint_put(p, row->series - prev->series);
	p = gm_varint_put(p, gm_zigzag((uint64_t)s->at_ms - (uint64_t)prev->at_ms));
	p = gm_varint_put(p, there ^ prev->there);
	p = gm_varint_put(p, changed);
	for (uint64_t left = changed; left; left &= left - 1)
		*p++ = prev->kinds[__builtin_ctzll(left)];
	for (uint64_t left = there; left; left &= left - 1)
		end = gm_varint_put(end, gm_zigzag((uint64_t)s->value[__builtin_ctzll(left)]));
	p = gm_varint_put(p, (uint64_t)(end - values));
	(void)memcpy(p, values, (size_t)(end - values));
	p += end - values;
	gm_buf_advance(&w->buf, (size_t)(p - begin));
	prev->series = row->series;
	prev->at_ms = s->at_ms;
	prev->there = there;
}

static int damaged(struct gm_err *err)
{
	return gm_fail(err, GM_ERR_CORRUPT, "rows of the journal are damaged");
}

int gm_rows_open(struct gm_rows_reader *r, struct gm_str bytes, struct gm_err *err)
{
	if (bytes.n == 0 || bytes.p[0] != VERSION)
		return damaged(err);
	*r = (struct gm_rows_reader){ .at = (const unsigned char *)bytes.p + 1,
				      .end = (const unsigned char *)bytes.p + bytes.n };
	return 0;
}

static bool take_kinds(struct gm_rows_reader *r)
{
	uint64_t changed = 0;

	if (!gm_varint_take(&r->at, r->end, &changed) || changed >> GM_FIELD_COUNT != 0)
		return false;
	for (; changed; changed &= changed - 1) {
		if (r->at == r->end || *r->at >> SOURCE_BITS >= GM_VALIDITY_COUNT)
			return false;
		r->row.kinds[__builtin_ctzll(changed)] = *r->at++;
	}
	return true;
}

int gm_rows_next(struct gm_rows_reader *r, struct gm_err *err)
{
	uint64_t series = 0, time = 0, there = 0, length = 0;

	if (r->at == r->end)
		return 0;
	if (!gm_varint_take(&r->at, r->end, &series) || !gm_varint_take(&r->at, r->end, &time) ||
	    !gm_varint_take(&r->at, r->end, &there) || series > UINT32_MAX - r->row.series ||
	    there >> GM_FIELD_COUNT != 0 || !take_kinds(r) || !gm_varint_take(&r->at, r->end, &length) ||
	    length > (uint64_t)(r->end - r->at))
		return damaged(err);
	r->row.series += (uint32_t)series;
	r->row.at_ms = (int64_t)((uint64_t)r->row.at_ms + gm_unzigzag(time));
	r->row.there ^= there;
	r->values = gm_str_n((const char *)r->at, (size_t)length);
	r->at += length;
	return 1;
}

int gm_rows_sample(const struct gm_rows_reader *r, struct gm_sample *out, struct gm_err *err)
{
	const unsigned char *at = (const unsigned char *)r->values.p, *end = at + r->values.n;

	*out = (struct gm_sample){ .at_ms = r->row.at_ms };
	for (uint64_t left = r->row.there; left; left &= left - 1) {
		const unsigned f = (unsigned)__builtin_ctzll(left);
		uint64_t v = 0;
		if (!gm_varint_take(&at, end, &v))
			return damaged(err);
		gm_sample_set(out, (enum gm_field)f, (int64_t)gm_unzigzag(v),
			      (enum gm_validity)(r->row.kinds[f] >> SOURCE_BITS),
			      (enum gm_source)(r->row.kinds[f] & SOURCE_MASK));
	}
	return at == end ? 0 : damaged(err);
}

int gm_rows_value(const struct gm_rows_reader *r, enum gm_field field, int64_t *out, struct gm_err *err)
{
	const unsigned char *at = (const unsigned char *)r->values.p, *end = at + r->values.n;
	const uint64_t below = (UINT64_C(1) << field) - 1;
	uint64_t v = 0;

	if (!(r->row.there >> field & 1))
		return 0;
	for (int i = __builtin_popcountll(r->row.there & below); i >= 0; i--) {
		if (!gm_varint_take(&at, end, &v))
			return damaged(err);
	}
	*out = (int64_t)gm_unzigzag(v);
	return 1;
}
