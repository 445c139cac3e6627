/* SPDX-License-Identifier: MIT */
/*
 * Allocations that were acknowledged survive: a power cut after each acknowledgement, at each write, sync, truncation and
 * deletion in between, and a failure of each of them. None is there in part: record, claims, object, request key and
 * audit row of a write are there together, and what was in one transaction with it.
 */
#include "alloc-test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "core/auth/auth.h"
#include "fakes/crash_vfs.h"

#define LIVES 10 /* allocations at a time: each has half a board */
#define STEPS 72
#define GROUP 3 /* jobs of different clients in one transaction */
#define GENERATIONS 20

struct run {
	struct place place;
	struct crash_vfs *vfs;
	struct plain acked[LIVES]; /* version 0: that number is not there yet */
	struct plain planned[GROUP];
	int planned_count;
	int64_t writes; /* acknowledged */
};

/* What comes next in the life of an allocation; after its end another one begins. */
static struct plain next_of(const struct plain *now, uint64_t random)
{
	struct plain next = *now;
	const int life = now->number % LIVES;
	static const enum gm_alloc_state after[GM_ALLOC_STATE_COUNT] = {
		[GM_ALLOC_STATE_PENDING] = GM_ALLOC_STATE_PROVISIONING,
		[GM_ALLOC_STATE_PROVISIONING] = GM_ALLOC_STATE_BOUND,
		[GM_ALLOC_STATE_RESERVED] = GM_ALLOC_STATE_BOUND,
		[GM_ALLOC_STATE_BOUND] = GM_ALLOC_STATE_RELEASED,
	};

	next.version++;
	if (now->version == 0) {
		next.state = random & 1 ? GM_ALLOC_STATE_PENDING : GM_ALLOC_STATE_RESERVED;
	} else if (gm_alloc_state_ended(now->state)) {
		next.number += LIVES;
		next.version = 1;
		next.state = GM_ALLOC_STATE_RESERVED;
	} else {
		next.state = after[now->state];
	}
	next.holds[0] = (struct hold){ 0 };
	if (gm_alloc_state_holds(next.state))
		next.holds[0] = (struct hold){ life / 2, life % 2 ? 0xf0 : 0x0f };
	return next;
}

static void plan(struct run *r, int step)
{
	r->planned_count = step % 3 == 2 ? GROUP : 1;
	for (int i = 0; i < r->planned_count; i++) {
		const uint64_t h = gm_hash_u64((uint64_t)step);
		r->planned[i] = next_of(&r->acked[(h + (uint64_t)i) % LIVES], h >> 20);
	}
}

static void once_key(const struct plain *plain, uint8_t out[static GM_DIGEST_BYTES])
{
	char text[40];

	(void)snprintf(text, sizeof(text), "%d version %lld", plain->number, (long long)plain->version);
	gm_digest(gm_str(text), out);
}

static int write_whole(struct run *r, const struct plain *plain, struct gm_err *err)
{
	GM_AUTO(gm_alloc_record_unref_p) const struct gm_alloc_record *record = record_of(plain);
	struct gm_alloc_once once = { .at_ms = T0 };
	const struct gm_audit audit = { .at_ms = T0, .object = gm_str(record->id) };
	char version[20];

	(void)snprintf(version, sizeof(version), "%lld", (long long)plain->version);
	const struct gm_alloc_object_row object = { GM_ALLOC_OBJECT_OPERATION, gm_str(record->id), gm_str(version),
						    T0 };
	const struct gm_alloc_write w = { &record, 1, &object, 1, &once, &audit, 1 };
	id_of(plain->number, once.id);
	once_key(plain, once.key);
	return allocs(&r->place)->write(allocs(&r->place)->ctx, &w, err);
}

/* Somebody who believes that the board of a running allocation is free, or one board to be two. */
static int try_to_take(struct run *r, int step, struct gm_err *err)
{
	struct gm_err failure = { 0 };
	struct plain greedy = { 90000 + step, 1, GM_ALLOC_STATE_RESERVED, { { 8, 1 }, { 9, 1 }, { 9, 3 } } };
	const struct hold *held = &r->acked[gm_hash_u64((uint64_t)step + 1) % LIVES].holds[0];

	if (held->units)
		greedy.holds[2] = (struct hold){ held->device, WHOLE };
	const int code = write_whole(r, &greedy, &failure);

	if (code == GM_ERR_CONFLICT)
		return 0;
	if (err)
		*err = failure;
	return code ? code : gm_fail(err, GM_ERR_INTERNAL, "a unit was given twice");
}

/* As the writer's thread does: each job undoes only itself, all share one transaction. */
static int write_group(struct run *r, int step, struct gm_err *err)
{
	int code = gm_store_begin(r->place.store, err);

	if (code)
		return code;
	for (int i = 0; !code && i < r->planned_count; i++) {
		code = gm_store_begin(r->place.store, err);
		if (!code && i == 1) {
			code = try_to_take(r, step, err);
			if (!code && !gm_store_undo(r->place.store))
				code = gm_fail(err, GM_ERR_IO, "undone as a whole");
			if (!code)
				code = gm_store_begin(r->place.store, err);
		}
		if (!code)
			code = write_whole(r, &r->planned[i], err);
		if (!code)
			code = gm_store_commit(r->place.store, err);
	}
	if (!code)
		code = gm_store_commit(r->place.store, err);
	if (code)
		gm_store_rollback(r->place.store);
	return code;
}

static void acknowledge(struct run *r)
{
	for (int i = 0; i < r->planned_count; i++)
		r->acked[r->planned[i].number % LIVES] = r->planned[i];
	r->writes += r->planned_count;
	r->planned_count = 0;
}

static int do_step(struct run *r, int step, struct gm_err *err)
{
	bool more = false;

	if (r->planned_count == 0)
		plan(r, step);
	int code = r->planned_count == 1 ? write_whole(r, &r->planned[0], err) : write_group(r, step, err);
	if (code)
		return code;
	acknowledge(r);
	/* So that the log is moved into the file now and then. */
	gm_manual_clock_advance(&r->place.clock, SECOND);
	if (step % 5 == 4)
		code = fleet(&r->place)->maintain(fleet(&r->place)->ctx, T0, &more, err);
	return code;
}

static void run_init(struct run *r, uint64_t seed)
{
	*r = (struct run){ .vfs = crash_vfs_new("alloc-crash", seed) };
	place_init(&r->place);
	r->place.conf.vfs = "alloc-crash";
	r->place.conf.checkpoint_pages = 12;
	for (int i = 0; i < LIVES; i++)
		r->acked[i] = (struct plain){ .number = i };
}

static void run_fini(struct run *r)
{
	place_fini(&r->place);
	crash_vfs_free(r->vfs);
}

static int open_run(struct run *r, struct gm_err *err)
{
	return r->place.store ? 0 : gm_store_open(&r->place.conf, &r->place.store, err);
}

/* --- What is there is what was acknowledged. */
static int count_row(void *ctx, const struct gm_audit *row, struct gm_err *err)
{
	(void)row;
	(void)err;
	++*(int64_t *)ctx;
	return 0;
}

/* Of each number the version that its object tells. */
struct versions {
	int64_t of[LIVES * GENERATIONS];
};

static int see_object(void *ctx, const struct gm_alloc_object_row *row, struct gm_err *err)
{
	struct versions *v = ctx;
	int number = 0;
	int64_t version = 0;

	(void)err;
	for (size_t i = 3; i < row->name.n; i++)
		number = number * 10 + row->name.p[i] - '0';
	for (size_t i = 0; i < row->bytes.n; i++)
		version = version * 10 + row->bytes.p[i] - '0';
	assert_in_range(number, 0, LIVES * GENERATIONS - 1);
	v->of[number] = version;
	return 0;
}

static void check_life(struct run *r, const struct plain *want, const struct versions *versions)
{
	struct place *p = &r->place;
	GM_AUTO(gm_alloc_record_unref_p) const struct gm_alloc_record *record = stored(p, want->number);
	struct gm_alloc_once once;
	struct plain next = *want;
	uint8_t key[GM_DIGEST_BYTES];

	assert_int_equal(versions->of[want->number], want->version);
	assert_int_equal(record != NULL, want->version > 0);
	next.version++;
	once_key(&next, key);
	assert_int_equal(allocs(p)->once(allocs(p)->ctx, key, T0, &once, NULL), GM_ERR_NOT_FOUND);
	if (!record)
		return;
	assert_int_equal(record->version, want->version);
	assert_int_equal(record->state, want->state);
	assert_int_equal(record->device_count, want->holds[0].units != 0);
	once_key(want, key);
	assert_ok(allocs(p)->once(allocs(p)->ctx, key, T0, &once, err));
}

/* Whether what was under way when it ended came through: all of it, or nothing. */
static bool came_through(struct run *r)
{
	int there = 0;

	for (int i = 0; i < r->planned_count; i++) {
		GM_AUTO(gm_alloc_record_unref_p)
		const struct gm_alloc_record *record = stored(&r->place, r->planned[i].number);
		there += record && record->version == r->planned[i].version;
	}
	assert_true(there == 0 || there == r->planned_count);
	return there > 0;
}

static void verify(struct run *r)
{
	struct place *p = &r->place;
	struct versions *versions = gm_xalloc(sizeof(*versions));
	const struct gm_audit_query all = { .limit = 10000 };
	int64_t rows = 0;

	if (came_through(r))
		acknowledge(r);
	assert_ok(gm_store_check(p->store, err));
	assert_ok(allocs(p)->objects(allocs(p)->ctx, GM_ALLOC_OBJECT_OPERATION, see_object, versions, err));
	for (int i = 0; i < LIVES; i++)
		check_life(r, &r->acked[i], versions);
	assert_ok(auth(p)->read_audit(auth(p)->ctx, &all, count_row, &rows, err));
	assert_int_equal(rows, r->writes);
	free(versions);
}

static void cut_and_verify(struct run *r)
{
	place_close(&r->place);
	crash_vfs_power_on(r->vfs);
	place_open(&r->place);
	verify(r);
}

static uint64_t stride(uint64_t usual)
{
	return getenv("GM_LONG") ? 1 : usual;
}

/* From step *at on, until one fails. */
static int work(struct run *r, int *at, int end, struct gm_err *err)
{
	int code = open_run(r, err);

	for (; !code && *at < end; *at += !code)
		code = do_step(r, *at, err);
	return code;
}

static void test_a_power_cut_after_each_acknowledgement(void **state)
{
	(void)state;
	for (int n = 1; n <= STEPS; n += (int)stride(9)) {
		struct run r;
		struct gm_err failure = { 0 };
		int at = 0;
		run_init(&r, (uint64_t)n);
		assert_ok(work(&r, &at, n, err));
		/* The power goes with the first thing anybody does after it. */
		crash_vfs_cut_at(r.vfs, 1);
		assert_int_not_equal(work(&r, &at, n + 1, &failure), 0);
		assert_true(crash_vfs_is_cut(r.vfs));
		cut_and_verify(&r);
		assert_ok(work(&r, &at, STEPS, err));
		verify(&r);
		run_fini(&r);
	}
}

/* False when the workload came to its end before the cut. */
static bool cut_once(uint64_t n)
{
	struct run r;
	struct gm_err failure = { 0 };
	int at = 0;

	run_init(&r, n * 31);
	crash_vfs_cut_at(r.vfs, n);
	const int code = work(&r, &at, STEPS, &failure);
	const bool cut = crash_vfs_is_cut(r.vfs);
	assert_true(cut || code == 0);
	cut_and_verify(&r);
	/* And on from there. */
	assert_ok(work(&r, &at, STEPS, err));
	verify(&r);
	assert_true(r.writes >= STEPS);
	run_fini(&r);
	return cut;
}

static void test_a_power_cut_at_each_step_of_the_disk(void **state)
{
	uint64_t cuts = 0;

	(void)state;
	for (uint64_t n = 1; cut_once(n); n += stride(29))
		cuts++;
	assert_true(cuts >= 20);
}

/* One operation fails: it is told, nothing is half there, and the next try goes on. */
static bool fail_once(uint64_t n, int code)
{
	struct run r;
	struct gm_err failure = { 0 };
	int at = 0, failures = 0;

	run_init(&r, n);
	crash_vfs_fail_at(r.vfs, n, code, false);
	while (work(&r, &at, STEPS, &failure)) {
		assert_true(++failures <= 3);
		assert_true(failure.code == GM_ERR_IO || failure.code == GM_ERR_NO_SPACE);
		if (r.place.store)
			verify(&r);
		/* Done, and told to have failed: the step is over. */
		at += r.place.store && r.planned_count == 0;
	}
	const bool failed = crash_vfs_has_failed(r.vfs);
	verify(&r);
	place_open(&r.place);
	verify(&r);
	run_fini(&r);
	return failed;
}

static void test_each_failure_is_told_and_leaves_nothing_half(void **state)
{
	static const int codes[] = { SQLITE_IOERR_WRITE, SQLITE_FULL };
	uint64_t failures = 0;

	(void)state;
	for (uint64_t n = 1; fail_once(n, codes[n % 2]); n += stride(29))
		failures++;
	assert_true(failures >= 20);
}

static void test_a_full_disk_refuses_and_gives_nothing(void **state)
{
	struct run r;
	struct gm_err failure = { 0 };
	int at = 0;

	(void)state;
	run_init(&r, 5);
	assert_ok(open_run(&r, err));
	crash_vfs_limit(r.vfs, crash_vfs_bytes(r.vfs) + 500000);
	assert_int_equal(work(&r, &at, STEPS, &failure), GM_ERR_NO_SPACE);
	assert_true(at > 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(work(&r, &at, STEPS, &failure), GM_ERR_NO_SPACE);
	verify(&r);
	crash_vfs_limit(r.vfs, 0);
	assert_ok(work(&r, &at, STEPS, err));
	verify(&r);
	run_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_power_cut_after_each_acknowledgement),
		cmocka_unit_test(test_a_power_cut_at_each_step_of_the_disk),
		cmocka_unit_test(test_each_failure_is_told_and_leaves_nothing_half),
		cmocka_unit_test(test_a_full_disk_refuses_and_gives_nothing),
	};
	return cmocka_run_group_tests_name("store/alloc-crash", tests, NULL, NULL);
}
