/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/auth/auth.h"

#define NOW INT64_C(1764000000000)

struct fixture {
	struct gm_keyring *ring;
	char text[3][GM_KEY_TEXT_SIZE]; /* viewer, admin that expires, revoked operator */
};

static int fixture_make(void **state)
{
	static struct fixture f;
	struct gm_key keys[3];

	if (gm_key_make(GM_STR("look"), GM_ROLE_VIEWER, GM_STR("system"), NOW, 0, &keys[0], f.text[0], NULL) ||
	    gm_key_make(GM_STR("chief"), GM_ROLE_ADMIN, GM_STR("system"), NOW, NOW + 1000, &keys[1], f.text[1], NULL) ||
	    gm_key_make(GM_STR("gone"), GM_ROLE_OPERATOR, GM_STR("system"), NOW, 0, &keys[2], f.text[2], NULL))
		return -1;
	keys[0].id = 1;
	keys[1].id = 2;
	keys[2].id = 3;
	keys[2].revoked_ms = NOW;
	f.ring = gm_keyring_new(keys, 3);
	*state = &f;
	return 0;
}

static int fixture_drop(void **state)
{
	struct fixture *f = *state;

	gm_keyring_unref(f->ring);
	return 0;
}

static void test_auth_knows_a_good_key_in_every_profile(void **state)
{
	struct fixture *f = *state;
	struct gm_identity who;

	for (enum gm_role open = GM_ROLE_NONE; open < GM_ROLE_COUNT; open++) {
		assert_int_equal(gm_auth_identify(f->ring, gm_str(f->text[0]), open, NOW, &who, NULL), 0);
		assert_int_equal(who.role, GM_ROLE_VIEWER); /* a weaker key stays weaker where anybody may do more */
		assert_string_equal(who.name, "look");
		assert_int_equal(who.key_id, 1);
		assert_int_equal(who.expires_ms, 0);
		assert_false(who.anonymous);
	}
}

static void test_auth_expires_at_the_very_moment(void **state)
{
	struct fixture *f = *state;
	struct gm_identity who;
	struct gm_err err = { 0 };

	assert_int_equal(gm_auth_identify(f->ring, gm_str(f->text[1]), GM_ROLE_NONE, NOW + 999, &who, &err), 0);
	assert_int_equal(who.role, GM_ROLE_ADMIN);
	assert_int_equal(gm_auth_identify(f->ring, gm_str(f->text[1]), GM_ROLE_NONE, NOW + 1000, &who, &err),
			 GM_ERR_UNAUTHENTICATED);
	assert_non_null(strstr(err.text, "'chief' has expired"));
	assert_int_equal(gm_auth_identify(f->ring, gm_str(f->text[1]), GM_ROLE_NONE, NOW, &who, NULL), 0);
	assert_int_equal(who.expires_ms, NOW + 1000);
}

static void test_auth_refuses_what_is_no_key(void **state)
{
	struct fixture *f = *state;
	const char *const texts[] = { f->text[2], "gmk_", "x", "gmk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		for (enum gm_role open = GM_ROLE_NONE; open < GM_ROLE_COUNT; open++) {
			struct gm_identity who = { .role = GM_ROLE_VIEWER, .name = "untouched" };

			assert_int_equal(gm_auth_identify(f->ring, gm_str(texts[i]), open, NOW, &who, NULL),
					 GM_ERR_UNAUTHENTICATED);
			assert_string_equal(who.name, "untouched");
		}
	}
}

static void test_auth_without_a_key_has_the_role_that_is_open_to_all(void **state)
{
	static const struct {
		enum gm_role role;
		const char *name;
	} rows[] = {
		{ GM_ROLE_NONE, "" },
		{ GM_ROLE_VIEWER, "anonymous" },
		{ GM_ROLE_ADMIN, "anonymous" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gm_identity who;

		assert_int_equal(gm_auth_identify(NULL, GM_STR(""), rows[i].role, NOW, &who, NULL), 0);
		assert_int_equal(who.role, rows[i].role);
		assert_string_equal(who.name, rows[i].name);
		assert_int_equal(who.anonymous, rows[i].role != GM_ROLE_NONE);
		assert_int_equal(who.key_id, 0);
	}
}

static void test_auth_allows_by_rank_and_tells_401_from_403(void **state)
{
	(void)state;
	for (int role = GM_ROLE_NONE; role < GM_ROLE_COUNT; role++) {
		for (int least = GM_ROLE_NONE; least < GM_ROLE_COUNT; least++) {
			struct gm_identity who = { .role = role, .name = "n" };
			int want = role >= least ? 0 : role == GM_ROLE_NONE ? GM_ERR_UNAUTHENTICATED : GM_ERR_FORBIDDEN;

			assert_int_equal(gm_auth_allows(&who, least, NULL), want);
		}
	}
}

static void test_auth_bearer_is_cut_from_the_header(void **state)
{
	static const struct {
		const char *header, *text;
	} rows[] = {
		{ "Bearer gmk_abc", "gmk_abc" },
		{ "bearer   gmk_abc ", "gmk_abc" },
		{ "BEARER x", "x" },
		{ "Basic gmk_abc", "" },
		{ "Bearer", "" },
		{ "Bearer ", "" },
		{ "", "" },
		{ "Bearergmk_abc", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_true(gm_str_is(gm_auth_bearer(gm_str(rows[i].header)), rows[i].text));
}

static void test_auth_loopback_is_an_address_not_a_name(void **state)
{
	static const char *const yes[] = { "127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", "::FFFF:127.0.0.2" };
	static const char *const no[] = { "",	       "127.0.0.1.example.org",
					  "10.0.0.1",  "::ffff:10.0.0.1",
					  "::2",       "127.0.0.1x",
					  "localhost", "127.0.0",
					  "1127.0.0.1" };

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		assert_true(gm_auth_address_is_loopback(gm_str(yes[i])));
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_false(gm_auth_address_is_loopback(gm_str(no[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_auth_knows_a_good_key_in_every_profile, fixture_make,
						fixture_drop),
		cmocka_unit_test_setup_teardown(test_auth_expires_at_the_very_moment, fixture_make, fixture_drop),
		cmocka_unit_test_setup_teardown(test_auth_refuses_what_is_no_key, fixture_make, fixture_drop),
		cmocka_unit_test(test_auth_without_a_key_has_the_role_that_is_open_to_all),
		cmocka_unit_test(test_auth_allows_by_rank_and_tells_401_from_403),
		cmocka_unit_test(test_auth_bearer_is_cut_from_the_header),
		cmocka_unit_test(test_auth_loopback_is_an_address_not_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
