/* SPDX-License-Identifier: MIT */
#include "adapter/http/gzip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <zlib.h>

static void fill(struct gm_buf *b, size_t n, bool noise)
{
	uint32_t x = 1;

	for (size_t i = 0; i < n; i++) {
		x = x * 1664525u + 1013904223u;
		gm_buf_add_char(b, noise ? (char)(x >> 24) : (char)('a' + i % 7));
	}
}

static void check(size_t n, int level)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf in = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf packed = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };

	fill(&in, n, false);
	gm_buf_add_cstr(&packed, "kept");
	assert_true(gm_gzip(gm_buf_str(&in), level, &packed));
	assert_memory_equal(packed.p, "kept", 4);
	char *room = gm_buf_reserve(&out, n + 1);
	z_stream z = { .next_in = (Bytef *)packed.p + 4,
		       .avail_in = (uInt)(packed.n - 4),
		       .next_out = (Bytef *)room,
		       .avail_out = (uInt)n + 1 };
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.total_out, n);
	assert_memory_equal(room, in.p, n);
	assert_int_equal(inflateEnd(&z), Z_OK);
}

static void test_round_trip_of_sizes_and_levels(void **state)
{
	(void)state;
	check(GM_GZIP_LEAST, 1);
	check(100000, 1);
	check(100000, 6);
	check(3000000, 1);
	check(100000, 9);
}

static void test_what_does_not_pay_is_left_out(void **state)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf in = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };
	(void)state;

	fill(&in, GM_GZIP_LEAST - 1, false);
	assert_false(gm_gzip(gm_buf_str(&in), 1, &out));
	gm_buf_reset(&in);
	fill(&in, 100000, true);
	assert_false(gm_gzip(gm_buf_str(&in), 1, &out));
	assert_int_equal(out.n, 0);
	/* The compressor was left in the middle of that: the next one begins anew. */
	check(5000, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip_of_sizes_and_levels),
		cmocka_unit_test(test_what_does_not_pay_is_left_out),
	};

	return cmocka_run_group_tests_name("http/gzip", tests, NULL, NULL);
}
