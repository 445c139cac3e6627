/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "core/auth/auth-internal.h"

#define NOW INT64_C(1764000000000)
#define KEYS 500

static void number_key(struct gm_key *key, unsigned number)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "key %u", number);
	*key = (struct gm_key){ .id = (int64_t)number + 1, .role = GM_ROLE_VIEWER };
	gm_digest(gm_str(text), key->digest);
}

static void test_keyring_finds_every_key_and_no_other(void **state)
{
	static struct gm_key keys[KEYS];
	struct gm_key other;
	GM_AUTO(gm_keyring_unref_p) struct gm_keyring *ring = NULL;

	(void)state;
	for (unsigned i = 0; i < KEYS; i++)
		number_key(&keys[i], i);
	keys[7].revoked_ms = NOW;
	ring = gm_keyring_new(keys, KEYS);
	for (unsigned i = 0; i < KEYS; i++) {
		const struct gm_ring_key *k = gm_keyring_find(ring, keys[i].digest);

		if (i == 7) {
			assert_null(k);
			continue;
		}
		assert_non_null(k);
		assert_int_equal(k->id, keys[i].id);
	}
	for (unsigned i = KEYS; i < 2 * KEYS; i++) {
		number_key(&other, i);
		assert_null(gm_keyring_find(ring, other.digest));
	}
}

static void test_keyring_tells_whether_an_admin_is_left(void **state)
{
	struct gm_key keys[2];
	GM_AUTO(gm_keyring_unref_p) struct gm_keyring *none = gm_keyring_new(NULL, 0);
	GM_AUTO(gm_keyring_unref_p) struct gm_keyring *ring = NULL;

	(void)state;
	number_key(&keys[0], 0);
	number_key(&keys[1], 1);
	keys[1].role = GM_ROLE_ADMIN;
	keys[1].expires_ms = NOW;
	ring = gm_keyring_new(keys, 2);
	assert_false(gm_keyring_has_role(none, GM_ROLE_VIEWER, NOW));
	assert_true(gm_keyring_has_role(ring, GM_ROLE_ADMIN, NOW - 1));
	assert_false(gm_keyring_has_role(ring, GM_ROLE_ADMIN, NOW));
	assert_true(gm_keyring_has_role(ring, GM_ROLE_VIEWER, NOW));
}

static struct gm_keyring_slot shared;

static void *reader(void *arg)
{
	struct gm_key key;
	size_t *found = arg;

	number_key(&key, 0);
	for (unsigned i = 0; i < 20000; i++) {
		GM_AUTO(gm_keyring_unref_p) struct gm_keyring *ring = gm_keyring_slot_get(&shared);

		if (ring && gm_keyring_find(ring, key.digest))
			(*found)++;
	}
	return NULL;
}

static void test_keyring_is_swapped_under_readers(void **state)
{
	pthread_t threads[2];
	size_t found[2] = { 0 };
	struct gm_key key;

	(void)state;
	number_key(&key, 0);
	assert_null(gm_keyring_slot_get(&shared));
	gm_keyring_slot_set(&shared, gm_keyring_new(&key, 1));
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader, &found[i]), 0);
	for (unsigned i = 0; i < 2000; i++)
		gm_keyring_slot_set(&shared, gm_keyring_new(&key, 1));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(found[i], 20000);
	}
	gm_keyring_slot_set(&shared, NULL);
	assert_null(gm_keyring_slot_get(&shared));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keyring_finds_every_key_and_no_other),
		cmocka_unit_test(test_keyring_tells_whether_an_admin_is_left),
		cmocka_unit_test(test_keyring_is_swapped_under_readers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
