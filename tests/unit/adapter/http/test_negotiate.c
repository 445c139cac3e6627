/* SPDX-License-Identifier: MIT */
#include "adapter/http/negotiate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/auto.h"

#define ID (1u << GM_ENCODING_IDENTITY)
#define GZ (1u << GM_ENCODING_GZIP)
#define BR (1u << GM_ENCODING_BR)

static const struct {
	const char *accept;
	unsigned available;
	enum gm_encoding wanted;
} encodings[] = {
	{ "", ID | GZ | BR, GM_ENCODING_IDENTITY },
	{ "gzip", ID, GM_ENCODING_IDENTITY },
	{ "gzip", ID | GZ, GM_ENCODING_GZIP },
	{ "GZIP", ID | GZ, GM_ENCODING_GZIP },
	{ "x-gzip", ID | GZ, GM_ENCODING_GZIP },
	{ "gzip, deflate, br", ID | GZ | BR, GM_ENCODING_BR },
	{ "gzip, deflate, br", ID | GZ, GM_ENCODING_GZIP },
	{ "gzip;q=1.0, br;q=0.5", ID | GZ | BR, GM_ENCODING_GZIP },
	{ "gzip;q=0", ID | GZ, GM_ENCODING_IDENTITY },
	{ "gzip; q=0, *", ID | GZ | BR, GM_ENCODING_BR },
	{ "*", ID | GZ, GM_ENCODING_GZIP },
	{ "*;q=0", ID | GZ, GM_ENCODING_IDENTITY },
	{ "identity", ID | GZ, GM_ENCODING_IDENTITY },
	{ "identity;q=1, gzip;q=0.5", ID | GZ, GM_ENCODING_IDENTITY },
	{ "identity;q=0.5, gzip;q=0.7", ID | GZ, GM_ENCODING_GZIP },
	{ "gzip;q=0.001", ID | GZ, GM_ENCODING_GZIP },
	{ "gzip;q=nonsense", ID | GZ, GM_ENCODING_IDENTITY },
	{ "gzip;q=2", ID | GZ, GM_ENCODING_IDENTITY },
	{ "gzip;q=-1", ID | GZ, GM_ENCODING_IDENTITY },
	{ "identity;q=0", ID, GM_ENCODING_IDENTITY },
	{ ",, ;q=1, gzip", ID | GZ, GM_ENCODING_GZIP },
	{ "deflate, zstd", ID | GZ | BR, GM_ENCODING_IDENTITY },
};

static void test_encoding_follows_weights(void **state)
{
	(void)state;
	for (size_t i = 0; i < GM_LEN(encodings); i++) {
		enum gm_encoding e = gm_encoding_choose(gm_str(encodings[i].accept), encodings[i].available);
		if (e != encodings[i].wanted)
			fail_msg("'%s': %d, not %d", encodings[i].accept, (int)e, (int)encodings[i].wanted);
	}
}

static const struct {
	const char *header;
	const char *etag;
	const char *listed; /* NULL: no match */
} tags[] = {
	{ "\"abc\"", "abc", "abc" },
	{ "\"abc-gz\"", "abc", "abc-gz" },
	{ "\"abc-br\"", "abc", "abc-br" },
	{ "\"abc-xx\"", "abc", NULL },
	{ "\"abcd\"", "abc", NULL },
	{ "\"ab\"", "abc", NULL },
	{ "W/\"abc\"", "abc", "abc" },
	{ "\"x\", \"y\" , \"abc\"", "abc", "abc" },
	{ "*", "abc", "abc" },
	{ "abc", "abc", NULL },
	{ "\"", "abc", NULL },
	{ "", "abc", NULL },
	{ "*", "", NULL },
};

static void test_etag_is_found_in_a_list(void **state)
{
	(void)state;
	for (size_t i = 0; i < GM_LEN(tags); i++) {
		struct gm_str out = GM_STR("");
		bool found = gm_etag_match(gm_str(tags[i].header), gm_str(tags[i].etag), &out);
		if (found != (tags[i].listed != NULL) || (found && !gm_str_is(out, tags[i].listed)))
			fail_msg("'%s' against '%s'", tags[i].header, tags[i].etag);
		assert_int_equal(gm_etag_match(gm_str(tags[i].header), gm_str(tags[i].etag), NULL), found);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encoding_follows_weights),
		cmocka_unit_test(test_etag_is_found_in_a_list),
	};

	return cmocka_run_group_tests_name("http/negotiate", tests, NULL, NULL);
}
