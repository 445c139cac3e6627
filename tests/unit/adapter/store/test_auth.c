/* SPDX-License-Identifier: MIT */
#include "store-test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "base/alloc.h"
#include "base/vec.h"
#include "core/auth/auth.h"

static int setup(void **state)
{
	struct place *p = gm_xalloc(sizeof(*p));

	place_init(p);
	place_open(p);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	place_fini(*state);
	free(*state);
	return 0;
}

static struct gm_key make_key(const char *name, enum gm_role role)
{
	struct gm_key k = { .role = role, .created_ms = T0, .expires_ms = T0 + DAY };

	(void)snprintf(k.name, sizeof(k.name), "%s", name);
	(void)snprintf(k.prefix, sizeof(k.prefix), "gmk_%.8s", name);
	(void)snprintf(k.created_by, sizeof(k.created_by), "root");
	gm_digest(gm_str(name), k.digest);
	return k;
}

static struct gm_audit make_audit(const char *action, int64_t at_ms)
{
	return (struct gm_audit){
		.at_ms = at_ms,
		.actor = GM_STR("root"),
		.role = GM_STR("admin"),
		.address = GM_STR("10.0.0.1"),
		.action = gm_str(action),
		.before = GM_STR("{\"a\":1}"),
		.request_id = GM_STR("r-1"),
	};
}

struct keys {
	GM_VEC(struct gm_key) all;
};

static int keep_key(void *ctx, const struct gm_key *key, struct gm_err *err)
{
	struct keys *k = ctx;

	(void)err;
	gm_vec_push(&k->all, *key);
	return 0;
}

static struct keys load(struct place *p)
{
	struct keys k = { 0 };

	assert_ok(auth(p)->load_keys(auth(p)->ctx, keep_key, &k, err));
	return k;
}

/* Rows with copies of their texts, oldest first. */
struct audits {
	GM_VEC(struct gm_audit) all;
};

static int keep_audit(void *ctx, const struct gm_audit *row, struct gm_err *err)
{
	struct audits *a = ctx;
	struct gm_audit copy = *row;
	struct gm_str *const texts[] = { &copy.actor,  &copy.role,   &copy.address, &copy.action,
					 &copy.object, &copy.before, &copy.after,   &copy.request_id };

	(void)err;
	for (size_t i = 0; i < GM_LEN(texts); i++)
		*texts[i] = gm_str_n(gm_str_dup(*texts[i]), texts[i]->n);
	gm_vec_push(&a->all, copy);
	return 0;
}

static struct audits read_audit(struct place *p, struct gm_audit_query q)
{
	struct audits a = { 0 };

	q.limit = q.limit ? q.limit : 1000;
	assert_ok(auth(p)->read_audit(auth(p)->ctx, &q, keep_audit, &a, err));
	return a;
}

static void audits_fini(struct audits *a)
{
	for (size_t i = 0; i < a->all.count; i++) {
		const struct gm_audit *r = &a->all.items[i];
		const struct gm_str texts[] = { r->actor,  r->role,   r->address, r->action,
						r->object, r->before, r->after,	  r->request_id };
		for (size_t k = 0; k < GM_LEN(texts); k++) {
			char *text = NULL;
			(void)memcpy(&text, &texts[k].p, sizeof(text));
			free(text);
		}
	}
	gm_vec_fini(&a->all);
}

static void check_chain(struct place *p, int64_t last)
{
	struct audits a = read_audit(p, (struct gm_audit_query){ 0 });
	struct gm_audit_chain chain = { 0 };

	for (size_t i = a.all.count; i > 0; i--)
		assert_ok(gm_audit_chain_next(&chain, &a.all.items[i - 1], err));
	assert_int_equal(chain.seq, last);
	audits_fini(&a);
}

static void test_keys_are_kept_with_their_audit_rows(void **state)
{
	struct place *p = *state;
	struct gm_key a = make_key("first", GM_ROLE_ADMIN), b = make_key("둘째", GM_ROLE_VIEWER);
	const struct gm_audit create = make_audit("key.create", T0);

	assert_ok(auth(p)->add_key(auth(p)->ctx, &a, &create, err));
	assert_ok(auth(p)->add_key(auth(p)->ctx, &b, &create, err));
	assert_int_equal(a.id, 1);
	assert_int_equal(b.id, 2);
	place_open(p);
	struct keys k = load(p);
	assert_int_equal(k.all.count, 2);
	assert_memory_equal(&k.all.items[0], &a, sizeof(a));
	assert_memory_equal(&k.all.items[1], &b, sizeof(b));
	gm_vec_fini(&k.all);
	struct audits rows = read_audit(p, (struct gm_audit_query){ 0 });
	assert_int_equal(rows.all.count, 2);
	assert_true(gm_str_is(rows.all.items[0].object, "2"));
	assert_true(gm_str_is(rows.all.items[0].before, "{\"a\":1}"));
	assert_true(gm_str_is(rows.all.items[0].after, ""));
	audits_fini(&rows);
	check_chain(p, 2);
}

static void test_a_key_is_revoked_once(void **state)
{
	struct place *p = *state;
	struct gm_key a = make_key("a", GM_ROLE_OPERATOR), same = make_key("a", GM_ROLE_ADMIN);
	const struct gm_audit audit = make_audit("key", T0);

	assert_ok(auth(p)->add_key(auth(p)->ctx, &a, &audit, err));
	assert_ok(auth(p)->revoke_key(auth(p)->ctx, a.id, T0 + 5, &audit, err));
	assert_int_equal(auth(p)->revoke_key(auth(p)->ctx, a.id, T0 + 6, &audit, NULL), GM_ERR_CONFLICT);
	assert_int_equal(auth(p)->revoke_key(auth(p)->ctx, 77, T0 + 6, &audit, NULL), GM_ERR_NOT_FOUND);
	/* Two keys of one secret: neither key nor row. */
	assert_int_equal(auth(p)->add_key(auth(p)->ctx, &same, &audit, NULL), GM_ERR_CONFLICT);
	assert_int_equal(same.id, 0);
	struct keys k = load(p);
	assert_int_equal(k.all.count, 1);
	assert_int_equal(k.all.items[0].revoked_ms, T0 + 5);
	gm_vec_fini(&k.all);
	check_chain(p, 2);
}

static void test_audit_is_read_by_parts(void **state)
{
	struct place *p = *state;
	static const char *const actions[] = { "key.create", "key.revoke", "config.reload" };
	struct gm_audit rows[60];

	for (size_t i = 0; i < GM_LEN(rows); i++) {
		rows[i] = make_audit(actions[i % 3], T0 + (int64_t)i * SECOND);
		rows[i].actor = i % 2 ? GM_STR("eve") : GM_STR("bob");
	}
	assert_ok(auth(p)->append_audit(auth(p)->ctx, rows, GM_LEN(rows), err));
	const struct {
		struct gm_audit_query q;
		size_t count;
		int64_t first;
	} cases[] = {
		{ { .limit = 7 }, 7, 60 },
		{ { .before_seq = 5 }, 4, 4 },
		{ { .before_seq = 1 }, 0, 0 },
		{ { .actor = GM_STR("eve") }, 30, 60 },
		{ { .actor = GM_STR("ev") }, 0, 0 },
		{ { .action = GM_STR("key.") }, 40, 59 },
		{ { .action = GM_STR("config.reload"), .actor = GM_STR("bob") }, 10, 57 },
		{ { .from_ms = T0 + 50 * SECOND }, 10, 60 },
		{ { .from_ms = T0 + 10 * SECOND, .to_ms = T0 + 20 * SECOND }, 10, 20 },
	};
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		struct audits a = read_audit(p, cases[i].q);
		assert_int_equal(a.all.count, cases[i].count);
		assert_int_equal(a.all.count ? a.all.items[0].seq : 0, cases[i].first);
		audits_fini(&a);
	}
	check_chain(p, 60);
}

static void test_audit_rows_are_fixed(void **state)
{
	struct place *p = *state;
	const struct gm_audit row = make_audit("x", T0);
	sqlite3 *db = NULL;

	assert_ok(auth(p)->append_audit(auth(p)->ctx, &row, 1, err));
	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DELETE FROM audit", NULL, NULL, NULL), SQLITE_CONSTRAINT);
	assert_int_equal(sqlite3_exec(db, "UPDATE audit SET actor = 'x'", NULL, NULL, NULL), SQLITE_CONSTRAINT);
	/* Who can do away with the rule still cannot forge the chain unseen. */
	assert_int_equal(sqlite3_exec(db, "DROP TRIGGER audit_fixed; UPDATE audit SET actor = 'x'", NULL, NULL, NULL),
			 SQLITE_OK);
	(void)sqlite3_close(db);
	struct audits a = read_audit(p, (struct gm_audit_query){ 0 });
	struct gm_audit_chain chain = { 0 };
	assert_int_equal(gm_audit_chain_next(&chain, &a.all.items[0], NULL), GM_ERR_CORRUPT);
	audits_fini(&a);
}

struct refused {
	int64_t count, rows, other, last_minute;
};

static int add_refused(void *ctx, const struct gm_refused *row, struct gm_err *err)
{
	struct refused *r = ctx;

	(void)err;
	assert_true(r->rows == 0 || row->minute_ms <= r->last_minute);
	r->last_minute = row->minute_ms;
	r->rows++;
	r->count += row->count;
	r->other += gm_str_is(row->address, "other") ? row->count : 0;
	return 0;
}

static struct refused read_refused(struct place *p, int64_t from_ms, size_t limit)
{
	struct refused r = { 0 };

	assert_ok(auth(p)->read_refused(auth(p)->ctx, from_ms, limit, add_refused, &r, err));
	return r;
}

static void test_refused_attempts_are_counted(void **state)
{
	struct place *p = *state;
	const struct gm_refused rows[] = {
		{ T0, GM_STR("10.0.0.1"), 401, 3 },
		{ T0, GM_STR("10.0.0.1"), 401, 4 },
		{ T0, GM_STR("10.0.0.1"), 403, 1 },
		{ T0 + MINUTE, GM_STR("10.0.0.1"), 401, 1 },
	};

	assert_ok(auth(p)->add_refused(auth(p)->ctx, rows, GM_LEN(rows), err));
	struct refused r = read_refused(p, 0, 1000);
	assert_int_equal(r.rows, 3);
	assert_int_equal(r.count, 9);
	r = read_refused(p, T0 + 1, 1000);
	assert_int_equal(r.count, 1);
	r = read_refused(p, 0, 1);
	assert_int_equal(r.last_minute, T0 + MINUTE);
	/* They go when their time is over. */
	append_one(p, 1, T0);
	p->clock.wall_ms = T0 + 91 * DAY;
	append_one(p, 1, T0 + 91 * DAY);
	settle(p, T0 + 91 * DAY + HOUR);
	settle(p, T0 + 91 * DAY + 2 * HOUR);
	r = read_refused(p, 0, 1000);
	assert_int_equal(r.rows, 0);
}

static void test_many_addresses_are_counted_as_one(void **state)
{
	struct place *p = *state;
	struct gm_refused *rows = gm_xalloc(1500 * sizeof(*rows));
	char addresses[1500][24];

	for (size_t i = 0; i < 1500; i++) {
		(void)snprintf(addresses[i], sizeof(addresses[i]), "10.1.%zu.%zu", i / 250, i % 250);
		rows[i] = (struct gm_refused){ T0, gm_str(addresses[i]), 401, 1 };
	}
	assert_ok(auth(p)->add_refused(auth(p)->ctx, rows, 1500, err));
	/* An address that is known is still counted by itself. */
	assert_ok(auth(p)->add_refused(auth(p)->ctx, rows, 10, err));
	struct refused r = read_refused(p, 0, 5000);
	assert_int_equal(r.rows, 1001);
	assert_int_equal(r.count, 1510);
	assert_int_equal(r.other, 500);
	free(rows);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_keys_are_kept_with_their_audit_rows),
		TEST(test_a_key_is_revoked_once),
		TEST(test_audit_is_read_by_parts),
		TEST(test_audit_rows_are_fixed),
		TEST(test_refused_attempts_are_counted),
		TEST(test_many_addresses_are_counted_as_one),
	};
	return cmocka_run_group_tests_name("store/auth", tests, NULL, NULL);
}
