/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/server/keys.h"
#include "base/log.h"
#include "base/vec.h"

/* Keys over a real database; the server around them is left out. */
static struct bed {
	char folder[64], url[96];
	struct gm_facts facts;
	struct gm_facts_box box;
	struct gm_recorder *recorder;
	struct gm_keys *keys;
	struct gm_err err;
	char revoked_text[GM_KEY_TEXT_SIZE]; /* what the hook asks for */
	int revoked_identify;		     /* and what it was answered */
} b;

static int identify(const char *text, struct gm_identity *out)
{
	const struct gm_http_peer peer = { .address = "192.0.2.7" };
	char authorization[GM_KEY_TEXT_SIZE + 16];

	(void)snprintf(authorization, sizeof(authorization), "Bearer %s", text);
	return gm_keys_identify(b.keys, &peer, gm_str(authorization), out, NULL);
}

static void on_revoked(void *ctx, int64_t key_id)
{
	struct gm_identity who;

	(void)ctx;
	(void)key_id;
	b.revoked_identify = identify(b.revoked_text, &who);
}

static int bed_make(void **state)
{
	(void)state;
	b = (struct bed){ .folder = "/tmp/gm-keys-XXXXXX" };
	gm_log_setup(GM_LOG_LOGFMT, GM_LOG_ERROR, STDERR_FILENO, NULL);
	if (!mkdtemp(b.folder))
		return -1;
	(void)snprintf(b.url, sizeof(b.url), "sqlite:%s/keys.db", b.folder);
	atomic_init(&b.box.current, &b.facts);
	b.recorder = gm_recorder_new(&(struct gm_store_conf){ .url = b.url, .clock = gm_clock_system() });
	b.keys = gm_keys_new(&(struct gm_keys_conf){
		.clock = gm_clock_system(), .recorder = b.recorder, .facts = &b.box, .revoked = on_revoked });
	return 0;
}

static int bed_drop(void **state)
{
	DIR *d = opendir(b.folder);

	(void)state;
	gm_keys_free(b.keys);
	(void)gm_recorder_stop(b.recorder, 10000);
	gm_recorder_free(b.recorder);
	for (struct dirent *e; d && (e = readdir(d));) {
		if (e->d_name[0] != '.')
			(void)unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		(void)closedir(d);
	return rmdir(b.folder);
}

static const struct gm_actor nobody = { 0 };

static void test_the_first_admin_key_is_made_once(void **state)
{
	char text[GM_KEY_TEXT_SIZE], again[GM_KEY_TEXT_SIZE];
	struct gm_identity who;

	(void)state;
	assert_int_equal(gm_keys_load(b.keys, "", text, &b.err), 0);
	assert_int_equal(identify(text, &who), 0);
	assert_int_equal(who.role, GM_ROLE_ADMIN);
	assert_int_equal(gm_keys_load(b.keys, "", again, &b.err), 0);
	assert_string_equal(again, "");
}

static void test_a_revoked_key_is_out_of_force_before_its_streams_are_ended(void **state)
{
	struct gm_identity who;
	struct gm_key key;

	(void)state;
	assert_int_equal(gm_keys_create(b.keys, &nobody, GM_STR("look"), GM_ROLE_VIEWER, 0, &key, b.revoked_text,
					&b.err),
			 0);
	assert_int_equal(identify(b.revoked_text, &who), 0);
	assert_int_equal(gm_keys_revoke(b.keys, &nobody, key.id, &b.err), 0);
	assert_int_equal(b.revoked_identify, GM_ERR_UNAUTHENTICATED);
	assert_int_equal(gm_keys_revoke(b.keys, &nobody, key.id, &b.err), GM_ERR_CONFLICT);
}

/* Makes keys and revokes every second one; NULL: all was as it should be. */
static const char *come_and_go(void)
{
	for (int i = 0; i < 20; i++) {
		char text[GM_KEY_TEXT_SIZE];
		struct gm_identity who;
		struct gm_err err;
		struct gm_key key;

		if (gm_keys_create(b.keys, &nobody, GM_STR("t"), GM_ROLE_VIEWER, 0, &key, text, &err))
			return "a key is not made";
		if (identify(text, &who) || who.key_id != key.id)
			return "a new key is not in force";
		if (i % 2 == 0)
			continue;
		if (gm_keys_revoke(b.keys, &nobody, key.id, &err))
			return "a key is not revoked";
		if (identify(text, &who) != GM_ERR_UNAUTHENTICATED)
			return "a revoked key is in force";
	}
	return NULL;
}

static void *run(void *ctx)
{
	*(const char **)ctx = come_and_go();
	return NULL;
}

static void test_no_reading_of_the_keys_undoes_a_later_one(void **state)
{
	pthread_t threads[4];
	const char *said[4];

	(void)state;
	for (size_t i = 0; i < GM_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run, &said[i]), 0);
	for (size_t i = 0; i < GM_LEN(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (size_t i = 0; i < GM_LEN(threads); i++) {
		if (said[i])
			fail_msg("%s", said[i]);
	}
}

struct counted {
	int64_t own, other;
	size_t addresses;
};

static int count_refused(void *ctx, const struct gm_refused *row, struct gm_err *err)
{
	struct counted *c = ctx;

	(void)err;
	if (gm_str_is(row->address, "other"))
		c->other += row->count;
	else
		c->own += row->count;
	c->addresses++;
	return 0;
}

static void test_refusals_past_the_limit_are_counted_together(void **state)
{
	const struct gm_auth_store *store = gm_recorder_auth_store(b.recorder);
	struct counted c = { 0 };

	(void)state;
	for (int i = 0; i < 3000; i++) {
		struct gm_http_peer peer = { 0 };
		(void)snprintf(peer.address, sizeof(peer.address), "10.0.%d.%d", i / 200, i % 200);
		gm_keys_refused(b.keys, &peer, 401);
		gm_keys_refused(b.keys, &peer, 401);
	}
	gm_keys_tick(b.keys);
	assert_int_equal(store->read_refused(store->ctx, 0, 10000, count_refused, &c, &b.err), 0);
	assert_int_equal(c.own + c.other, 6000);
	assert_true(c.own >= 2 * 900);
	assert_true(c.addresses <= 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_first_admin_key_is_made_once, bed_make, bed_drop),
		cmocka_unit_test_setup_teardown(test_a_revoked_key_is_out_of_force_before_its_streams_are_ended,
						bed_make, bed_drop),
		cmocka_unit_test_setup_teardown(test_no_reading_of_the_keys_undoes_a_later_one, bed_make, bed_drop),
		cmocka_unit_test_setup_teardown(test_refusals_past_the_limit_are_counted_together, bed_make, bed_drop),
	};
	return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
