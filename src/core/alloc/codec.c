/* SPDX-License-Identifier: MIT */
#include "core/alloc/codec-internal.h"

#include <assert.h>
#include <string.h>

#include "base/hash.h"
#include "base/varint.h"

#define FORMAT 1
#define HEAD 9 /* format, hash */

/* The members of a table lie where it says: everything below reaches them through these. */
static const void *at_const(const void *object, size_t offset)
{
	return (const char *)object + offset;
}

static void *at(void *object, size_t offset)
{
	return (char *)object + offset;
}

static size_t count_of(const struct gm_codec_field *f, const void *object)
{
	return *(const size_t *)at_const(object, f->count_offset);
}

static const void *rows_of(const struct gm_codec_field *f, const void *object)
{
	const void *place = at_const(object, f->offset);

	return f->kind == GM_CODEC_LIST ? *(const void *const *)place : place;
}

static void put_head(struct gm_buf *out, uint64_t number, size_t n)
{
	gm_buf_add_varint(out, number);
	gm_buf_add_varint(out, n);
}

static void put_text(struct gm_buf *out, const struct gm_codec_field *f, struct gm_str s)
{
	put_head(out, f->number, s.n);
	gm_buf_add(out, s.p, s.n);
}

static void put_i64(struct gm_buf *out, const struct gm_codec_field *f, int64_t v)
{
	unsigned char tmp[GM_VARINT_MAX];
	size_t n = (size_t)(gm_varint_put(tmp, gm_zigzag((uint64_t)v)) - tmp);

	if (v)
		put_text(out, f, gm_str_n((const char *)tmp, n));
}

static void put_u64_le(unsigned char p[static 8], uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (unsigned char)(v >> 8 * i);
}

static uint64_t take_u64_le(const unsigned char p[static 8])
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

static void put_f64(struct gm_buf *out, const struct gm_codec_field *f, double v)
{
	unsigned char tmp[8];
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	if (!bits)
		return;
	put_u64_le(tmp, bits);
	put_text(out, f, gm_str_n((const char *)tmp, sizeof(tmp)));
}

static void put_all(const struct gm_codec *c, const void *object, struct gm_buf *out);

static void put_inside(struct gm_buf *out, const struct gm_codec_field *f, const void *object)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf inside = { 0 };

	put_all(f->of, object, &inside);
	put_text(out, f, gm_buf_str(&inside));
	out->failed |= inside.failed;
}

static void put_field(const struct gm_codec_field *f, const void *object, struct gm_buf *out)
{
	const void *place = at_const(object, f->offset);

	switch ((enum gm_codec_kind)f->kind) {
	case GM_CODEC_TEXT:
		if (((const struct gm_str *)place)->n)
			put_text(out, f, *(const struct gm_str *)place);
		return;
	case GM_CODEC_CHARS:
		put_text(out, f, gm_str(place));
		return;
	case GM_CODEC_I64:
		put_i64(out, f, *(const int64_t *)place);
		return;
	case GM_CODEC_F64:
		put_f64(out, f, *(const double *)place);
		return;
	case GM_CODEC_BOOL:
		put_i64(out, f, *(const bool *)place);
		return;
	case GM_CODEC_TEXTS:
		for (size_t i = 0; i < count_of(f, object); i++)
			put_text(out, f, ((const struct gm_str *)place)[i]);
		return;
	case GM_CODEC_NESTED:
		put_inside(out, f, place);
		return;
	case GM_CODEC_ROWS:
	case GM_CODEC_LIST:
		for (size_t i = 0; i < count_of(f, object); i++)
			put_inside(out, f, at_const(rows_of(f, object), i * f->of->size));
		return;
	}
}

static void put_all(const struct gm_codec *c, const void *object, struct gm_buf *out)
{
	for (size_t i = 0; i < c->count; i++) {
		assert(!i || c->fields[i - 1].number < c->fields[i].number);
		put_field(&c->fields[i], object, out);
	}
}

void gm_codec_encode(const struct gm_codec *c, const void *object, struct gm_buf *out)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf body = { 0 };
	unsigned char head[HEAD] = { FORMAT };

	put_all(c, object, &body);
	put_u64_le(head + 1, gm_hash(gm_buf_str(&body)));
	gm_buf_add(out, head, sizeof(head));
	gm_buf_add_str(out, gm_buf_str(&body));
	out->failed |= body.failed;
}

static int damaged(const struct gm_codec *c, const struct gm_codec_field *f, struct gm_err *err)
{
	return gm_fail(err, GM_ERR_CORRUPT, "%s: '%s' is damaged", c->name, f ? f->name : "its form");
}

static bool take_i64(struct gm_str bytes, int64_t min, int64_t max, int64_t *out)
{
	uint64_t v;
	int64_t signed_v;

	if (!gm_str_take_varint(&bytes, &v) || bytes.n)
		return false;
	signed_v = (int64_t)gm_unzigzag(v);
	if (signed_v < min || signed_v > max)
		return false;
	*out = signed_v;
	return true;
}

static bool take_f64(struct gm_str bytes, const struct gm_codec_field *f, double *out)
{
	uint64_t bits;
	double v;

	if (bytes.n != sizeof(bits))
		return false;
	bits = take_u64_le((const unsigned char *)bytes.p);
	memcpy(&v, &bits, sizeof(v));
	/* Written so that a NaN is refused. */
	if (!(v >= (double)f->min && v <= (double)f->max))
		return false;
	*out = v;
	return true;
}

static bool take_chars(struct gm_str bytes, const struct gm_codec_field *f, char *out)
{
	if (bytes.n > (size_t)f->max || memchr(bytes.p, 0, bytes.n))
		return false;
	memcpy(out, bytes.p, bytes.n);
	return true;
}

static int take_all(const struct gm_codec *c, struct gm_str bytes, void *object, void *list, struct gm_err *err);

static int take_row(const struct gm_codec *c, const struct gm_codec_field *f, struct gm_str bytes, void *object,
		    void *list, struct gm_err *err)
{
	size_t *count = at(object, f->count_offset);
	void *place = at(object, f->offset);

	if (*count >= (size_t)f->max)
		return damaged(c, f, err);
	if (f->kind == GM_CODEC_TEXTS) {
		if (bytes.n > GM_CODEC_TEXT_MAX)
			return damaged(c, f, err);
		((struct gm_str *)place)[(*count)++] = bytes;
		return 0;
	}
	if (f->kind == GM_CODEC_LIST) {
		assert(list);
		*(void **)place = list;
		place = list;
	}
	place = at(place, *count * f->of->size);
	memset(place, 0, f->of->size);
	++*count;
	return take_all(f->of, bytes, place, NULL, err);
}

static int take_field(const struct gm_codec *c, const struct gm_codec_field *f, struct gm_str bytes, void *object,
		      void *list, struct gm_err *err)
{
	void *place = at(object, f->offset);
	int64_t flag = 0;
	bool ok = false;

	switch ((enum gm_codec_kind)f->kind) {
	case GM_CODEC_TEXT:
		ok = bytes.n > 0 && bytes.n <= (size_t)f->max;
		*(struct gm_str *)place = bytes;
		break;
	case GM_CODEC_CHARS:
		ok = take_chars(bytes, f, place);
		break;
	case GM_CODEC_I64:
		ok = take_i64(bytes, f->min, f->max, place);
		break;
	case GM_CODEC_F64:
		ok = take_f64(bytes, f, place);
		break;
	case GM_CODEC_BOOL:
		ok = take_i64(bytes, 0, 1, &flag);
		*(bool *)place = flag;
		break;
	case GM_CODEC_NESTED:
		return take_all(f->of, bytes, place, NULL, err);
	case GM_CODEC_TEXTS:
	case GM_CODEC_ROWS:
	case GM_CODEC_LIST:
		return take_row(c, f, bytes, object, list, err);
	}
	return ok ? 0 : damaged(c, f, err);
}

static const struct gm_codec_field *field_of(const struct gm_codec *c, uint64_t number)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->fields[i].number == number)
			return &c->fields[i];
	return NULL;
}

static bool repeats(const struct gm_codec_field *f)
{
	return f->kind == GM_CODEC_TEXTS || f->kind == GM_CODEC_ROWS || f->kind == GM_CODEC_LIST;
}

static int take_all(const struct gm_codec *c, struct gm_str bytes, void *object, void *list, struct gm_err *err)
{
	uint64_t last = 0;

	while (bytes.n) {
		const struct gm_codec_field *f;
		uint64_t number, n;
		int rc;

		if (!gm_str_take_varint(&bytes, &number) || !gm_str_take_varint(&bytes, &n) || n > bytes.n ||
		    number < last)
			return damaged(c, NULL, err);
		f = field_of(c, number);
		if (f && number == last && !repeats(f))
			return damaged(c, f, err);
		rc = f ? take_field(c, f, gm_str_n(bytes.p, (size_t)n), object, list, err) : 0;
		if (rc)
			return rc;
		last = number;
		bytes = gm_str_n(bytes.p + n, bytes.n - (size_t)n);
	}
	return 0;
}

int gm_codec_decode(const struct gm_codec *c, struct gm_str bytes, void *object, void *list, struct gm_err *err)
{
	const unsigned char *head = (const unsigned char *)bytes.p;
	struct gm_str body;

	memset(object, 0, c->size);
	if (bytes.n < HEAD)
		return damaged(c, NULL, err);
	if (head[0] > FORMAT)
		return gm_fail(err, GM_ERR_NEWER, "%s: format %d, this version reads up to %d", c->name, head[0],
			       FORMAT);
	body = gm_str_n(bytes.p + HEAD, bytes.n - HEAD);
	if (head[0] != FORMAT || take_u64_le(head + 1) != gm_hash(body))
		return damaged(c, NULL, err);
	return take_all(c, body, object, list, err);
}

static int check_field(const struct gm_codec_field *f, const void *object, struct gm_err *err)
{
	const void *place = at_const(object, f->offset);
	char where[64] = "/";

	(void)gm_str_copy(gm_str(f->name), where + 1, sizeof(where) - 1);
	if (f->kind == GM_CODEC_I64) {
		int64_t v = *(const int64_t *)place;

		if (v < f->min || v > f->max)
			return gm_fail_at(err, GM_ERR_INVALID, where, "'%s' is %lld, must be %lld to %lld", f->name,
					  (long long)v, (long long)f->min, (long long)f->max);
	}
	if (f->kind == GM_CODEC_TEXT) {
		size_t n = ((const struct gm_str *)place)->n;

		if (n < (size_t)f->min)
			return gm_fail_at(err, GM_ERR_INVALID, where, "'%s' is missing", f->name);
		if (n > (size_t)f->max)
			return gm_fail_at(err, GM_ERR_INVALID, where, "'%s' is longer than %lld bytes", f->name,
					  (long long)f->max);
	}
	if (repeats(f) && count_of(f, object) > (size_t)f->max)
		return gm_fail_at(err, GM_ERR_INVALID, where, "'%s' has more than %lld", f->name, (long long)f->max);
	if (f->kind == GM_CODEC_TEXTS)
		for (size_t i = 0; i < count_of(f, object); i++) {
			size_t n = ((const struct gm_str *)place)[i].n;

			if (!n || n > GM_CODEC_TEXT_MAX)
				return gm_fail_at(err, GM_ERR_INVALID, where, "'%s' has an entry of %zu bytes", f->name,
						  n);
		}
	return 0;
}

int gm_codec_check(const struct gm_codec *c, const void *object, struct gm_err *err)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct gm_codec_field *f = &c->fields[i];
		int rc = check_field(f, object, err);

		if (!rc && f->kind == GM_CODEC_NESTED)
			rc = gm_codec_check(f->of, at_const(object, f->offset), err);
		for (size_t k = 0; !rc && (f->kind == GM_CODEC_ROWS || f->kind == GM_CODEC_LIST); k++) {
			if (k == count_of(f, object))
				break;
			rc = gm_codec_check(f->of, at_const(rows_of(f, object), k * f->of->size), err);
		}
		if (rc)
			return rc;
	}
	return 0;
}

/* At a limit a text is cut before the character that does not fit. */
static size_t kept(struct gm_str s, int64_t max)
{
	size_t n = s.n < (size_t)max ? s.n : (size_t)max;

	if (n == s.n)
		return n;
	while (n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	return n;
}

/* Goes through all texts: without `at` it only counts. */
static size_t texts(const struct gm_codec *c, void *object, char *to);

static size_t one_text(struct gm_str *s, int64_t max, char *to)
{
	size_t n = kept(*s, max);

	if (to) {
		if (n)
			memcpy(to, s->p, n);
		*s = gm_str_n(n ? to : NULL, n);
	}
	return n;
}

static size_t field_texts(const struct gm_codec_field *f, void *object, char *to)
{
	size_t n = 0;

	switch ((enum gm_codec_kind)f->kind) {
	case GM_CODEC_TEXT:
		return one_text(at(object, f->offset), f->max, to);
	case GM_CODEC_TEXTS:
		for (size_t i = 0; i < count_of(f, object); i++)
			n += one_text((struct gm_str *)at(object, f->offset) + i, GM_CODEC_TEXT_MAX, to ? to + n : to);
		return n;
	case GM_CODEC_NESTED:
		return texts(f->of, at(object, f->offset), to);
	case GM_CODEC_ROWS:
	case GM_CODEC_LIST: {
		char *rows = f->kind == GM_CODEC_LIST ? *(char **)at(object, f->offset) : at(object, f->offset);

		for (size_t i = 0; i < count_of(f, object); i++)
			n += texts(f->of, rows + i * f->of->size, to ? to + n : to);
		return n;
	}
	case GM_CODEC_CHARS:
	case GM_CODEC_I64:
	case GM_CODEC_F64:
	case GM_CODEC_BOOL:
		return 0;
	}
	return 0;
}

static size_t texts(const struct gm_codec *c, void *object, char *to)
{
	size_t n = 0;

	for (size_t i = 0; i < c->count; i++)
		n += field_texts(&c->fields[i], object, to ? to + n : to);
	return n;
}

size_t gm_codec_text_bytes(const struct gm_codec *c, const void *object)
{
	/* Nothing is written without a place to. */
	return texts(c, (void *)(uintptr_t)object, NULL);
}

char *gm_codec_own_texts(const struct gm_codec *c, void *object, char *to)
{
	return to + texts(c, object, to);
}
