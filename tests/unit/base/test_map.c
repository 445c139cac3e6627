/* SPDX-License-Identifier: MIT */
#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "test-random.h"

static void test_hashes_are_xxh3_and_stay_so(void **state)
{
	static const struct {
		const char *text;
		uint64_t hash;
	} cases[] = {
		{ "", UINT64_C(0x2d06800538d394c2) },
		{ "a", UINT64_C(0xe6c632b61e964e1f) },
		{ "abc", UINT64_C(0x78af5f94892f3950) },
	};
	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++)
		assert_int_equal(gm_hash(gm_str(cases[i].text)), cases[i].hash);
	assert_int_equal(gm_hash((struct gm_str){ 0 }), cases[0].hash);
	assert_int_equal(gm_hash_u64(UINT64_C(0x6867666564636261)), gm_hash(GM_STR("abcdefgh")));
}

static void test_an_empty_map_answers(void **state)
{
	(void)state;
	struct gm_map m = { 0 };
	size_t at = 0;
	assert_null(gm_map_get(&m, GM_STR("x")));
	assert_null(gm_map_remove(&m, GM_STR("x")));
	assert_null(gm_map_next(&m, &at));
	gm_map_reset(&m);
	gm_map_fini(&m);
	gm_map_fini(NULL);
}

static void test_put_replaces_value_and_key(void **state)
{
	(void)state;
	GM_AUTO(gm_map_fini_p) struct gm_map m = { 0 };
	char first[] = "key", second[] = "key";
	int a, b;
	assert_null(gm_map_put(&m, gm_str(first), &a));
	assert_ptr_equal(gm_map_put(&m, gm_str(second), &b), &a);
	assert_int_equal(m.count, 1);
	memset(first, 'x', 3);
	assert_ptr_equal(gm_map_get(&m, GM_STR("key")), &b);
	assert_null(gm_map_put(&m, GM_STR(""), &a));
	assert_ptr_equal(gm_map_get(&m, (struct gm_str){ 0 }), &a);
	gm_map_reset(&m);
	assert_int_equal(m.count, 0);
	assert_null(gm_map_get(&m, GM_STR("key")));
}

#define KEYS 1500

struct thing {
	char key[24];
	bool in;
	int seen;
};

static void check_all(const struct gm_map *m, struct thing *things)
{
	size_t count = 0;
	for (size_t i = 0; i < KEYS; i++) {
		things[i].seen = 0;
		count += things[i].in;
		assert_ptr_equal(gm_map_get(m, gm_str(things[i].key)), things[i].in ? &things[i] : NULL);
	}
	assert_int_equal(m->count, count);
	struct gm_map_entry *e;
	for (size_t at = 0; (e = gm_map_next(m, &at));) {
		struct thing *t = e->value;
		assert_true(gm_str_is(e->key, t->key));
		t->seen++;
	}
	for (size_t i = 0; i < KEYS; i++)
		assert_int_equal(things[i].seen, things[i].in);
}

/* Against an array that cannot be wrong: adding and removing in turns, so that tombstones come and go. */
static void test_it_is_a_map_whatever_is_done(void **state)
{
	(void)state;
	static struct thing things[KEYS];
	GM_AUTO(gm_map_fini_p) struct gm_map m = { 0 };
	for (size_t i = 0; i < KEYS; i++)
		snprintf(things[i].key, sizeof(things[i].key), "GPU-%zu", i * 7919);
	for (size_t step = 0; step < 60000; step++) {
		struct thing *t = &things[test_random_below(KEYS)];
		bool grow = step / 10000 % 2 == 0;
		if (test_random_below(4) == 0 ? !grow : grow) {
			assert_ptr_equal(gm_map_put(&m, gm_str(t->key), t), t->in ? t : NULL);
			t->in = true;
		} else {
			assert_ptr_equal(gm_map_remove(&m, gm_str(t->key)), t->in ? t : NULL);
			t->in = false;
		}
		if (step % 5000 == 0)
			check_all(&m, things);
	}
	check_all(&m, things);
	assert_true((m.capacity & (m.capacity - 1)) == 0);
	assert_true(m.capacity <= 4096);
}

static void test_a_few_keys_coming_and_going_do_not_grow_it(void **state)
{
	(void)state;
	GM_AUTO(gm_map_fini_p) struct gm_map m = { 0 };
	static char keys[100000][8];
	for (size_t i = 0; i < GM_LEN(keys); i++) {
		snprintf(keys[i], sizeof(keys[i]), "%zu", i);
		gm_map_put(&m, gm_str(keys[i]), keys[i]);
		if (i >= 4)
			assert_ptr_equal(gm_map_remove(&m, gm_str(keys[i - 4])), keys[i - 4]);
	}
	assert_true(m.capacity <= 16);
	assert_true(m.count + m.removed < m.capacity);
}

static void test_the_current_entry_may_be_removed_while_iterating(void **state)
{
	(void)state;
	GM_AUTO(gm_map_fini_p) struct gm_map m = { 0 };
	static char keys[500][8];
	for (size_t i = 0; i < GM_LEN(keys); i++) {
		snprintf(keys[i], sizeof(keys[i]), "%zu", i);
		gm_map_put(&m, gm_str(keys[i]), keys[i]);
	}
	struct gm_map_entry *e;
	size_t seen = 0;
	for (size_t at = 0; (e = gm_map_next(&m, &at)); seen++) {
		void *value = e->value;
		assert_ptr_equal(gm_map_remove(&m, e->key), value);
	}
	assert_int_equal(seen, GM_LEN(keys));
	assert_int_equal(m.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hashes_are_xxh3_and_stay_so),
		cmocka_unit_test(test_an_empty_map_answers),
		cmocka_unit_test(test_put_replaces_value_and_key),
		cmocka_unit_test(test_it_is_a_map_whatever_is_done),
		cmocka_unit_test(test_a_few_keys_coming_and_going_do_not_grow_it),
		cmocka_unit_test(test_the_current_entry_may_be_removed_while_iterating),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
