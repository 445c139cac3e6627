/* SPDX-License-Identifier: MIT */
/*
 * What was acknowledged survives: a power cut at each write, sync, truncation and deletion of a workload that uses all
 * of the store; a failure of each of them; a disk that is full.
 */
#include "store-test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "base/alloc.h"
#include "base/parse.h"
#include "core/auth/auth.h"
#include "fakes/crash_vfs.h"

#define ROUNDS 14
#define SERIES 3

/* What the workload did, and what of it the store said is done. */
struct run {
	struct place place;
	struct crash_vfs *vfs;
	int keys, audits, defs, ticks; /* acknowledged */
};

static int64_t tick_ms(int tick)
{
	return T0 + tick * 8 * MINUTE;
}

static int add_key(struct run *r, struct gm_err *err)
{
	struct gm_key key = { .role = GM_ROLE_ADMIN, .created_ms = T0 };
	const struct gm_audit audit = { .at_ms = T0, .actor = GM_STR("system"), .action = GM_STR("key.create") };

	(void)snprintf(key.name, sizeof(key.name), "key %d", r->keys);
	(void)snprintf(key.prefix, sizeof(key.prefix), "gmk_%08d", r->keys);
	gm_digest(gm_str(key.name), key.digest);
	const int rc = auth(&r->place)->add_key(auth(&r->place)->ctx, &key, &audit, err);
	/* A failure that came after the key was on disk: a second try finds it there. */
	if (!rc || rc == GM_ERR_CONFLICT)
		r->keys++;
	return rc == GM_ERR_CONFLICT ? 0 : rc;
}

static int add_audits(struct run *r, struct gm_err *err)
{
	struct gm_audit rows[2] = { { .at_ms = T0, .actor = GM_STR("a"), .after = GM_STR("{\"x\":1}") },
				    { .at_ms = T0 + 1, .actor = GM_STR("b"), .request_id = GM_STR("r") } };
	const int rc = auth(&r->place)->append_audit(auth(&r->place)->ctx, rows, 2, err);

	r->audits += rc ? 0 : 2;
	return rc;
}

static int save_series(struct run *r, struct gm_err *err)
{
	char uuid[24];

	(void)snprintf(uuid, sizeof(uuid), "GPU-%d", r->defs);
	const struct gm_series_def def = series_def((uint32_t)r->defs + 1, uuid);
	const int rc = fleet(&r->place)->save_series(fleet(&r->place)->ctx, &def, 1, err);
	r->defs += !rc;
	return rc;
}

static int append(struct run *r, struct gm_err *err)
{
	struct gm_sample_row rows[SERIES];

	for (uint32_t i = 0; i < SERIES; i++)
		rows[i] = (struct gm_sample_row){ .series = i + 1, .sample = sample_at(i + 1, tick_ms(r->ticks)) };
	const int rc = fleet(&r->place)->append(fleet(&r->place)->ctx, rows, SERIES, err);
	r->ticks += !rc;
	return rc;
}

static int maintain(struct run *r, struct gm_err *err)
{
	const int64_t now = tick_ms(r->ticks);
	bool more = true;
	int rc = 0;

	gm_manual_clock_advance(&r->place.clock, now - r->place.clock.wall_ms);
	while (more && !rc)
		rc = fleet(&r->place)->maintain(fleet(&r->place)->ctx, now, &more, err);
	return rc;
}

/* A read that takes a connection of its own through the log. */
static int look(struct run *r, struct gm_err *err)
{
	GM_AUTO(gm_chart_fini_p) struct gm_chart c = { 0 };
	enum gm_tier tier = GM_TIER_MEMORY;
	int rc = gm_chart_init(&c, GM_FIELD_ENERGY, T0, T0 + DAY, MINUTE, 0, err);

	if (!rc)
		rc = fleet(&r->place)->chart(fleet(&r->place)->ctx, 1, &c, c.to_ms, &tier, err);
	return rc;
}

typedef int (*step_fn)(struct run *r, struct gm_err *err);
static const step_fn steps[] = { append, add_key, save_series, append, maintain, add_audits, append, look };

static void run_init(struct run *r, uint64_t seed)
{
	*r = (struct run){ .vfs = crash_vfs_new("crash", seed) };
	place_init(&r->place);
	r->place.conf.vfs = "crash";
	/* So that each part of maintenance has its turn within the few rows there are. */
	r->place.conf.sort_after_ms = 10 * MINUTE;
	r->place.conf.checkpoint_pages = 12;
	r->place.conf.batch_rows = 2;
}

static void run_fini(struct run *r)
{
	place_fini(&r->place);
	crash_vfs_free(r->vfs);
}

/* From the step `*at` on until one fails. */
static int work(struct run *r, int *at, struct gm_err *err)
{
	int rc = 0;

	if (!r->place.store)
		rc = gm_store_open(&r->place.conf, &r->place.store, err);
	for (; !rc && *at < ROUNDS * (int)GM_LEN(steps); (*at)++) {
		rc = steps[*at % (int)GM_LEN(steps)](r, err);
		if (rc)
			break;
	}
	return rc;
}

static int count_key(void *ctx, const struct gm_key *key, struct gm_err *err)
{
	char name[32];
	int *count = ctx;

	(void)err;
	(void)snprintf(name, sizeof(name), "key %d", *count);
	assert_string_equal(key->name, name);
	(*count)++;
	return 0;
}

static int count_series(void *ctx, const struct gm_series_def *def, struct gm_err *err)
{
	int *count = ctx;

	(void)err;
	assert_int_equal(def->series, ++*count);
	return 0;
}

struct audit_seen {
	int64_t seqs[200];
	uint8_t previous[200][GM_DIGEST_BYTES];
	int count;
};

static int see_audit(void *ctx, const struct gm_audit *row, struct gm_err *err)
{
	struct audit_seen *s = ctx;
	uint8_t digest[GM_DIGEST_BYTES];

	(void)err;
	assert_true(s->count < (int)GM_LEN(s->seqs));
	gm_audit_digest(row, digest);
	assert_memory_equal(digest, row->digest, sizeof(digest));
	/* Newest first: the row before was the next one of the chain. */
	if (s->count) {
		assert_int_equal(row->seq, s->seqs[s->count - 1] - 1);
		assert_memory_equal(row->digest, s->previous[s->count - 1], sizeof(digest));
	}
	s->seqs[s->count] = row->seq;
	(void)memcpy(s->previous[s->count++], row->previous, sizeof(row->previous));
	return 0;
}

/* All that was acknowledged is there, and nothing else but, whole, the one step that was under way. */
static void verify(struct run *r, int extra)
{
	struct place *p = &r->place;
	struct audit_seen *audits = gm_xalloc(sizeof(*audits));
	const struct gm_audit_query all = { .limit = 1000 };
	int keys = 0, defs = 0;
	int64_t times[ROUNDS * GM_LEN(steps)];

	assert_ok(auth(p)->load_keys(auth(p)->ctx, count_key, &keys, err));
	assert_in_range(keys, r->keys, r->keys + extra);
	assert_ok(fleet(p)->load_series(fleet(p)->ctx, count_series, &defs, err));
	assert_in_range(defs, r->defs, r->defs + extra);
	assert_ok(auth(p)->read_audit(auth(p)->ctx, &all, see_audit, audits, err));
	/* A key has its row, or neither is there. */
	assert_in_range(audits->count - keys, r->audits, r->audits + 2 * extra);
	assert_true((audits->count - keys) % 2 == 0);
	if (audits->count)
		assert_int_equal(audits->seqs[audits->count - 1], 1);
	free(audits);
	/* The tick under way may be there; asking for the range before it leaves it out. */
	for (int i = 0; i < r->ticks; i++)
		times[i] = tick_ms(i);
	for (uint32_t s = 1; s <= SERIES && r->ticks; s++)
		check_chart(p, s, GM_FIELD_ENERGY, T0, tick_ms(r->ticks), 2 * MINUTE, GM_TIER_RAW, times,
			    (size_t)r->ticks);
	assert_ok(gm_store_check(p->store, err));
}

static uint64_t stride(void)
{
	uint64_t n = 9;
	const char *given = getenv("GM_CRASH_STRIDE");

	if (given && !gm_parse_u64(gm_str(given), 1, 1000, &n))
		fail_msg("GM_CRASH_STRIDE: a number");
	return n;
}

/* False when the workload came to its end before the cut. */
static bool cut_once(uint64_t n)
{
	struct run r;
	struct gm_err failure = { 0 };
	int at = 0;

	run_init(&r, n);
	crash_vfs_cut_at(r.vfs, n);
	const int rc = work(&r, &at, &failure);
	if (rc == 0) {
		/* The whole workload: it went through all parts of maintenance. */
		struct gm_store_stats stats;
		gm_store_stats(r.place.store, &stats);
		assert_true(stats.packed_blocks >= 3 * SERIES);
	}
	place_close(&r.place);
	const bool cut = crash_vfs_is_cut(r.vfs);
	assert_true(cut || rc == 0);
	crash_vfs_power_on(r.vfs);
	place_open(&r.place);
	verify(&r, cut);
	/* And it goes on: what was not acknowledged is done again. */
	assert_ok(append(&r, err));
	settle(&r.place, tick_ms(r.ticks) + 3 * HOUR);
	r.place.clock.wall_ms = tick_ms(r.ticks);
	verify(&r, cut);
	run_fini(&r);
	return cut;
}

static void test_a_power_cut_keeps_what_was_acknowledged(void **state)
{
	uint64_t n = 1, cuts = 0;

	(void)state;
	for (; cut_once(n); n += stride())
		cuts++;
	assert_true(cuts >= 40);
}

/* One operation fails; whoever was told tries again, and all is there at the end. */
static bool fail_once(uint64_t n, int code)
{
	struct run r;
	struct gm_err failure = { 0 };
	int at = 0, failures = 0;

	run_init(&r, n);
	crash_vfs_fail_at(r.vfs, n, code, false);
	while (work(&r, &at, &failure)) {
		assert_true(++failures <= 3);
		assert_true(failure.code == GM_ERR_IO || failure.code == GM_ERR_NO_SPACE);
		assert_true(strlen(failure.text) > 10);
	}
	const bool failed = crash_vfs_has_failed(r.vfs);
	assert_true(failed || failures == 0);
	verify(&r, 0);
	place_open(&r.place);
	verify(&r, 0);
	run_fini(&r);
	return failed;
}

static void test_each_failure_is_told_and_nothing_is_lost(void **state)
{
	static const int codes[] = { SQLITE_IOERR_WRITE, SQLITE_FULL };
	uint64_t failures = 0;

	(void)state;
	for (uint64_t n = 1; fail_once(n, codes[n % 2]); n += stride())
		failures++;
	assert_true(failures >= 40);
}

static void test_a_full_disk_is_told_and_ends(void **state)
{
	struct run r;
	struct gm_err failure = { 0 };
	int at = 0;

	(void)state;
	run_init(&r, 1);
	assert_ok(gm_store_open(&r.place.conf, &r.place.store, err));
	crash_vfs_limit(r.vfs, crash_vfs_bytes(r.vfs) + 200000);
	assert_int_equal(work(&r, &at, &failure), GM_ERR_NO_SPACE);
	assert_non_null(strstr(failure.text, "the disk is full"));
	for (int i = 0; i < 5; i++)
		assert_int_equal(append(&r, &failure), GM_ERR_NO_SPACE);
	/* What is there can still be read. */
	verify(&r, 0);
	crash_vfs_limit(r.vfs, 0);
	assert_ok(work(&r, &at, err));
	verify(&r, 0);
	run_fini(&r);
}

static void test_a_disk_that_fails_for_long(void **state)
{
	struct run r;
	struct gm_err failure = { 0 };
	int at = 0;

	(void)state;
	run_init(&r, 1);
	assert_ok(gm_store_open(&r.place.conf, &r.place.store, err));
	crash_vfs_fail_at(r.vfs, 60, SQLITE_IOERR_FSYNC, true);
	assert_int_equal(work(&r, &at, &failure), GM_ERR_IO);
	for (int i = 0; i < 10; i++)
		assert_int_equal(append(&r, &failure), GM_ERR_IO);
	assert_int_not_equal(add_audits(&r, &failure), 0);
	crash_vfs_fail_at(r.vfs, 0, 0, false);
	assert_ok(work(&r, &at, err));
	verify(&r, 0);
	run_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_power_cut_keeps_what_was_acknowledged),
		cmocka_unit_test(test_each_failure_is_told_and_nothing_is_lost),
		cmocka_unit_test(test_a_full_disk_is_told_and_ends),
		cmocka_unit_test(test_a_disk_that_fails_for_long),
	};
	return cmocka_run_group_tests_name("store/crash", tests, NULL, NULL);
}
