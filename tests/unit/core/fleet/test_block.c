/* SPDX-License-Identifier: MIT */
#include "core/fleet/block.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/varint.h"
#include "core/fleet/numbers-internal.h"
#include "curves.h"

static struct gm_sample samples[GM_BLOCK_SAMPLES_MAX], back[GM_BLOCK_SAMPLES_MAX];
static int64_t values[GM_BLOCK_SAMPLES_MAX];
static uint64_t present[(GM_BLOCK_SAMPLES_MAX + 63) / 64];

/* Reads a block in every way and compares with samples[]. */
static void check_block(struct gm_str block, size_t count)
{
	struct gm_block_info info;
	uint64_t fields = 0;
	for (size_t i = 0; i < count; i++)
		fields |= samples[i].valid;
	assert_int_equal(gm_block_info(block, &info, NULL), 0);
	assert_int_equal(info.count, count);
	assert_int_equal(info.fields, fields);
	assert_int_equal(info.first_ms, samples[0].at_ms);
	assert_int_equal(info.last_ms, samples[count - 1].at_ms);
	assert_int_equal(gm_block_times(block, values, NULL), 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(values[i], samples[i].at_ms);
	for (int f = 0; f < GM_FIELD_COUNT; f++) {
		int rc = gm_block_column(block, (enum gm_field)f, values, present, NULL);
		assert_int_equal(rc, fields >> f & 1 ? 0 : GM_ERR_NOT_FOUND);
		for (size_t i = 0; rc == 0 && i < count; i++) {
			bool has = gm_sample_has(&samples[i], (enum gm_field)f);
			assert_int_equal(present[i / 64] >> (i % 64) & 1, has);
			assert_int_equal(values[i], has ? samples[i].value[f] : 0);
		}
	}
	assert_int_equal(gm_block_samples(block, back, NULL), 0);
	assert_memory_equal(back, samples, count * sizeof(samples[0]));
}

static size_t encode(size_t count)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
	gm_buf_add_cstr(&b, "before");
	assert_int_equal(gm_block_encode(samples, count, &b, NULL), 0);
	assert_memory_equal(b.p, "before", 6);
	check_block(gm_str_n(b.p + 6, b.n - 6), count);
	return b.n - 6;
}

static void test_real_curves_come_back_and_are_small(void **state)
{
	static const struct {
		int64_t step_ms;
		size_t count;
		double bytes_max; /* a value, before any general packer */
	} cases[] = { { 1000, 3600, 1.1 }, { 5000, 720, 1.2 }, { 30000, 120, 1.5 } };
	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		struct test_curves c;
		test_curves_begin(&c);
		for (size_t k = 0; k < cases[i].count; k++)
			test_curves_next(&c, cases[i].step_ms, &samples[k]);
		size_t n = encode(cases[i].count);
		double each = (double)n / (double)(cases[i].count * TEST_CURVES_FIELDS);
		print_message("# %zu samples every %d ms: %.3f bytes a value\n", cases[i].count, (int)cases[i].step_ms,
			      each);
		assert_true(each <= cases[i].bytes_max);
	}
}

static void test_constant_columns_cost_a_few_bytes(void **state)
{
	(void)state;
	for (size_t k = 0; k < 720; k++) {
		samples[k] = (struct gm_sample){ .at_ms = 1764000000000 + (int64_t)k * 5000 };
		for (int f = 0; f < GM_FIELD_COUNT; f++)
			test_set(&samples[k], (enum gm_field)f, f * 1000);
	}
	size_t n = encode(720);
	assert_true(n < 50 + 720 / 8 + GM_FIELD_COUNT * 8); /* a bit a time, a few bytes a column */
}

/* Any values, any presence, any tags, any rising times. */
static void make_any(size_t count, unsigned form)
{
	static const int64_t ends[] = { INT64_MIN, INT64_MAX, 0, -1, 1, INT64_MIN + 1 };
	int64_t at = form % 5 == 0 ? INT64_MIN : (int64_t)test_random_below(INT64_C(2000000000000));
	uint64_t fields = test_random() & ((UINT64_C(1) << GM_FIELD_COUNT) - 1);
	uint64_t factor = test_random_below(1000) + 1;
	for (size_t i = 0; i < count; i++) {
		struct gm_sample *s = &samples[i];
		memset(s, 0, sizeof(*s));
		s->at_ms = at;
		at += 1 + (int64_t)(test_random_any() >> 20);
		for (int f = 0; f < GM_FIELD_COUNT; f++) {
			unsigned kind = (unsigned)(f + (int)form) % 6;
			if (!(fields >> f & 1) || (kind == 1 && test_random_below(2)) ||
			    (kind == 2 && i / 7 % 3 == 0) || (kind == 3 && test_random_below(100)))
				continue;
			int64_t v = kind == 4	? ends[test_random_below(GM_LEN(ends))]
				    : kind == 5 ? (int64_t)(test_random_below(100) * factor)
						: (int64_t)test_random_any();
			gm_sample_set(s, (enum gm_field)f, v,
				      (enum gm_validity)(1 + (kind == 2) * test_random_below(3)),
				      (enum gm_source)(form % GM_SOURCE_COUNT));
		}
	}
	if (form % 4 == 0)
		samples[count - 1].at_ms = INT64_MAX;
}

static void test_any_samples_come_back(void **state)
{
	(void)state;
	for (unsigned form = 0; form < 300; form++) {
		size_t count = form < 70 ? form + 1 : 1 + test_random_below(400);
		make_any(count, form);
		(void)encode(count);
	}
	make_any(GM_BLOCK_SAMPLES_MAX, 1);
	(void)encode(GM_BLOCK_SAMPLES_MAX);
}

static void test_bad_samples_are_refused(void **state)
{
	(void)state;
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
	memset(samples, 0, 2 * sizeof(samples[0]));
	assert_int_equal(gm_block_encode(samples, 0, &b, NULL), GM_ERR_INVALID);
	assert_int_equal(gm_block_encode(samples, GM_BLOCK_SAMPLES_MAX + 1, &b, NULL), GM_ERR_INVALID);
	assert_int_equal(gm_block_encode(samples, 2, &b, NULL), GM_ERR_INVALID); /* the same time twice */
	assert_int_equal(b.n, 0);
	assert_int_equal(gm_block_encode(samples, 1, &b, NULL), 0); /* without any field */
	check_block(gm_buf_str(&b), 1);
}

static void test_without_memory_nothing_is_added(void **state)
{
	(void)state;
	make_any(50, 1);
	for (unsigned n = 1;; n++) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
		gm_buf_add_cstr(&b, "x");
		gm_alloc_fail_at(n);
		struct gm_err err;
		int rc = gm_block_encode(samples, 50, &b, &err);
		bool failed = gm_alloc_failed();
		gm_alloc_fail_at(0);
		assert_int_equal(rc, failed ? GM_ERR_NO_MEMORY : 0);
		if (failed)
			assert_string_equal(gm_buf_cstr(&b), "x");
		if (!failed)
			break;
		assert_true(n < 200);
	}
}

/* All readers on bytes that may be anything; true when one of them found fault. Buffers are as large as the count says. */
static bool read_all(struct gm_str block)
{
	struct gm_block_info info;
	if (gm_block_info(block, &info, NULL) != 0)
		return true;
	assert_in_range(info.count, 1, GM_BLOCK_SAMPLES_MAX);
	GM_AUTO(gm_free_p) int64_t *out = gm_try_alloc(info.count * sizeof(*out));
	GM_AUTO(gm_free_p) uint64_t *bits = gm_try_alloc((info.count + 63) / 64 * sizeof(*bits));
	GM_AUTO(gm_free_p) struct gm_sample *all = gm_try_alloc(info.count * sizeof(*all));
	bool bad = gm_block_times(block, out, NULL) != 0;
	for (int f = 0; f < GM_FIELD_COUNT; f++) {
		int rc = gm_block_column(block, (enum gm_field)f, out, bits, NULL);
		assert_true(rc == 0 || rc == GM_ERR_CORRUPT || rc == GM_ERR_NOT_FOUND);
		bad |= rc == GM_ERR_CORRUPT;
	}
	bad |= gm_block_samples(block, all, NULL) != 0;
	return bad;
}

/* The block on the heap, so that reading past it is seen; `n` bytes of it. */
static char *copy_of(const struct gm_buf *b, size_t n)
{
	return gm_xmemdup(b->p, n);
}

static void test_each_wrong_byte_and_each_cut_is_seen(void **state)
{
	(void)state;
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
	make_any(20, 2);
	assert_int_equal(gm_block_encode(samples, 20, &b, NULL), 0);
	for (size_t i = 0; i < b.n; i++) {
		char *p = copy_of(&b, b.n);
		p[i] = (char)(p[i] ^ (1 << i % 8));
		assert_true(read_all(gm_str_n(p, b.n)));
		free(p);
		p = copy_of(&b, i);
		assert_true(read_all(gm_str_n(p, i)));
		free(p);
	}
	struct gm_block_info info;
	struct gm_err err;
	b.p[0] = 2;
	assert_int_equal(gm_block_info(gm_buf_str(&b), &info, &err), GM_ERR_NEWER);
	b.p[0] = 0;
	assert_int_equal(gm_block_info(gm_buf_str(&b), &info, &err), GM_ERR_CORRUPT);
}

static void sign(char *p, size_t n)
{
	uint64_t hash = gm_hash(gm_str_n(p, n - 4));
	for (unsigned i = 0; i < 4; i++)
		p[n - 4 + i] = (char)(hash >> (8 * i));
}

/* With a checksum that matches: only the readers' own checks stand between the bytes and the memory. */
static void test_no_damage_makes_readers_stray(void **state)
{
	(void)state;
	size_t seen = 0;
	for (unsigned round = 0; round < 3000; round++) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
		size_t count = 1 + test_random_below(70);
		make_any(count, round);
		assert_int_equal(gm_block_encode(samples, count, &b, NULL), 0);
		size_t n = round % 3 ? b.n : 5 + test_random_below(b.n - 4);
		char *p = copy_of(&b, n);
		for (uint64_t hits = test_random_below(4) + (n == b.n); hits > 0; hits--)
			p[test_random_below(round % 2 ? n : n < 40 ? n : 40)] = (char)test_random();
		p[0] = 1;
		sign(p, n);
		seen += read_all(gm_str_n(p, n));
		free(p);
	}
	assert_true(seen > 1000);
}

static void test_varints_end(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		bool ok;
		uint64_t want;
	} cases[] = {
		{ "\x00", 1, true, 0 },
		{ "\x7f", 1, true, 127 },
		{ "\x80\x01", 2, true, 128 },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, true, UINT64_MAX },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, false, 0 },
		{ "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11, false, 0 },
		{ "\x80", 1, false, 0 },
		{ "", 0, false, 0 },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		struct gm_str in = gm_str_n(cases[i].bytes, cases[i].n);
		uint64_t v = 77;
		assert_int_equal(gm_str_take_varint(&in, &v), cases[i].ok);
		assert_int_equal(v, cases[i].ok ? cases[i].want : 77);
		assert_int_equal(in.n, cases[i].ok ? 0 : cases[i].n);
	}
}

/* What is on disks now must be read by all later versions. */
static void test_a_block_of_the_first_version_is_read(void **state)
{
	static const unsigned char kept[] = {
#include "block-v1.inc"
	};
	(void)state;
	struct gm_str block = gm_str_n((const char *)kept, sizeof(kept));
	for (size_t i = 0; i < 9; i++) {
		memset(&samples[i], 0, sizeof(samples[i]));
		samples[i].at_ms = INT64_C(1764000000000) + (int64_t)i * 5000 + (int64_t)(i * i % 7);
		test_set(&samples[i], GM_FIELD_UTILIZATION, (int64_t)(i * i * 731 % 10000));
		if (i != 4)
			test_set(&samples[i], GM_FIELD_ENERGY,
				 INT64_C(987654321) + (int64_t)(i * 1500000 + i * i * 37));
		gm_sample_set(&samples[i], GM_FIELD_XID, i < 6 ? 0 : 79, i < 3 ? GM_MEASURED : GM_DERIVED,
			      GM_SOURCE_SIM);
	}
	check_block(block, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_curves_come_back_and_are_small),
		cmocka_unit_test(test_constant_columns_cost_a_few_bytes),
		cmocka_unit_test(test_any_samples_come_back),
		cmocka_unit_test(test_bad_samples_are_refused),
		cmocka_unit_test(test_without_memory_nothing_is_added),
		cmocka_unit_test(test_each_wrong_byte_and_each_cut_is_seen),
		cmocka_unit_test(test_no_damage_makes_readers_stray),
		cmocka_unit_test(test_varints_end),
		cmocka_unit_test(test_a_block_of_the_first_version_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
