/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/auth/auth.h"

#define NOW INT64_C(1764000000000)
#define BROUGHT "gmk_0123456789abcdefghijklmnopqrstuvwxyzABCDE-_"

static void test_key_text_has_its_shape_and_never_repeats(void **state)
{
	char last[GM_KEY_TEXT_SIZE] = "";

	(void)state;
	for (int i = 0; i < 100; i++) {
		struct gm_key key;
		char text[GM_KEY_TEXT_SIZE];
		uint8_t digest[GM_DIGEST_BYTES];

		assert_int_equal(gm_key_make(GM_STR("ci"), GM_ROLE_OPERATOR, GM_STR("ops"), NOW, 0, &key, text, NULL),
				 0);
		assert_int_equal(strlen(text), 47);
		assert_memory_equal(text, "gmk_", 4);
		assert_int_equal(strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"), 47);
		assert_string_not_equal(text, last);
		memcpy(last, text, sizeof(last));
		gm_digest(gm_str(text), digest);
		assert_memory_equal(key.digest, digest, sizeof(digest));
		assert_int_equal(strlen(key.prefix), 12);
		assert_memory_equal(key.prefix, text, 12);
		assert_string_equal(key.name, "ci");
		assert_string_equal(key.created_by, "ops");
		assert_int_equal(key.role, GM_ROLE_OPERATOR);
		assert_int_equal(key.created_ms, NOW);
		assert_int_equal(key.id, 0);
		assert_int_equal(key.revoked_ms, 0);
	}
}

static void test_key_refuses_bad_members_and_touches_nothing(void **state)
{
	static const struct {
		const char *text, *name;
		enum gm_role role;
		int64_t expires_ms;
		const char *says;
	} rows[] = {
		{ BROUGHT, "", GM_ROLE_ADMIN, 0, "name: 0 bytes" },
		{ BROUGHT, " a", GM_ROLE_ADMIN, 0, "blank" },
		{ BROUGHT, "a\n", GM_ROLE_ADMIN, 0, "blank" },
		{ BROUGHT, "a\tb", GM_ROLE_ADMIN, 0, "control character" },
		{ BROUGHT, "\xff", GM_ROLE_ADMIN, 0, "UTF-8" },
		{ BROUGHT, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", GM_ROLE_ADMIN, 0,
		  "65 bytes" },
		{ BROUGHT, "a", GM_ROLE_NONE, 0, "role" },
		{ BROUGHT, "a", GM_ROLE_COUNT, 0, "role" },
		{ BROUGHT, "a", GM_ROLE_ADMIN, NOW, "past" },
		{ "gmk_short", "a", GM_ROLE_ADMIN, 0, "key:" },
		{ "xyz_0123456789abcdefghijklmnopqrstuvwxyzABCDE-_", "a", GM_ROLE_ADMIN, 0, "key:" },
		{ "gmk_0123456789abcdefghijklmnopqrstuvwxyzABCDE-+", "a", GM_ROLE_ADMIN, 0, "key:" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gm_key key = { .id = 77 };
		struct gm_err err = { 0 };

		assert_int_equal(gm_key_from_text(gm_str(rows[i].text), gm_str(rows[i].name), rows[i].role, GM_STR("s"),
						  NOW, rows[i].expires_ms, &key, &err),
				 GM_ERR_INVALID);
		assert_non_null(strstr(err.text, rows[i].says));
		assert_int_equal(key.id, 77);
	}
}

static void test_key_can_be_brought_along(void **state)
{
	struct gm_key key;

	(void)state;
	assert_int_equal(gm_key_from_text(GM_STR(BROUGHT), GM_STR("\xec\xb2\xab \xec\x97\xb4\xec\x87\xa0"),
					  GM_ROLE_ADMIN, GM_STR("system"), NOW, NOW + 1, &key, NULL),
			 0);
	assert_string_equal(key.prefix, "gmk_01234567");
	assert_int_equal(key.expires_ms, NOW + 1);
}

static void test_role_names_go_both_ways(void **state)
{
	static const char *const no[] = { "", "none", "Admin", "admin ", "root" };
	enum gm_role role = GM_ROLE_NONE;

	(void)state;
	for (int r = GM_ROLE_VIEWER; r < GM_ROLE_COUNT; r++) {
		assert_true(gm_role_parse(gm_str(gm_role_name(r)), &role));
		assert_int_equal(role, r);
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_false(gm_role_parse(gm_str(no[i]), &role));
	assert_int_equal(role, GM_ROLE_ADMIN);
	assert_string_equal(gm_role_name(GM_ROLE_NONE), "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key_text_has_its_shape_and_never_repeats),
		cmocka_unit_test(test_key_refuses_bad_members_and_touches_nothing),
		cmocka_unit_test(test_key_can_be_brought_along),
		cmocka_unit_test(test_role_names_go_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
