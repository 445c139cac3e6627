/* SPDX-License-Identifier: MIT */
/* Allocations as they are kept: the store has the last word on who holds what. */
#include "alloc-test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "adapter/store/writer.h"
#include "base/alloc.h"
#include "base/hash.h"
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
	struct place *p = *state;

	/* Whatever a test did: claims and records are one story. Those that break it close the store. */
	if (p->store)
		assert_ok(gm_store_check(p->store, err));
	place_fini(p);
	free(p);
	return 0;
}

/* "GPU-1/0=al-000001 GPU-1/1=..." */
static int add_claim(void *ctx, struct gm_str uuid, int64_t unit, struct gm_str id, struct gm_err *err)
{
	(void)err;
	gm_buf_addf(ctx, "%.*s/%lld=%.*s ", GM_STR_ARG(uuid), (long long)unit, GM_STR_ARG(id));
	return 0;
}

static void check_held(struct place *p, const char *want)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };

	assert_ok(allocs(p)->claims(allocs(p)->ctx, add_claim, &b, err));
	assert_string_equal(gm_buf_cstr(&b), want);
}

static int count_row(void *ctx, const struct gm_audit *row, struct gm_err *err)
{
	(void)row;
	(void)err;
	++*(int *)ctx;
	return 0;
}

static int audit_rows(struct place *p)
{
	const struct gm_audit_query all = { .limit = 1000 };
	int n = 0;

	assert_ok(auth(p)->read_audit(auth(p)->ctx, &all, count_row, &n, err));
	return n;
}

static int add_object(void *ctx, const struct gm_alloc_object_row *row, struct gm_err *err)
{
	(void)err;
	gm_buf_addf(ctx, "%.*s=%.*s@%lld ", GM_STR_ARG(row->name), GM_STR_ARG(row->bytes),
		    (long long)(row->at_ms - T0));
	return 0;
}

static void check_objects(struct place *p, enum gm_alloc_object kind, const char *want)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };

	assert_ok(allocs(p)->objects(allocs(p)->ctx, kind, add_object, &b, err));
	assert_string_equal(gm_buf_cstr(&b), want);
}

static struct gm_alloc_once once_of(const char *key, int64_t at_ms, int number)
{
	struct gm_alloc_once once = { .at_ms = at_ms };

	gm_digest(gm_str(key), once.key);
	gm_digest(GM_STR("body"), once.body);
	id_of(number, once.id);
	return once;
}

static void test_all_of_a_write_is_kept(void **state)
{
	struct place *p = *state;
	const struct plain plain = { 1, 1, GM_ALLOC_STATE_RESERVED, { { 1, WHOLE }, { 2, 0x0f } }, .team = "vision" };
	GM_AUTO(gm_alloc_record_unref_p) const struct gm_alloc_record *record = record_of(&plain);
	const struct gm_alloc_once once = once_of("k", T0, 1);
	struct gm_alloc_once got = { 0 };
	const struct gm_alloc_object_row object = { GM_ALLOC_OBJECT_TEAM, GM_STR("vision"), GM_STR("bytes"), T0 + 5 };
	const struct gm_audit audit = { .at_ms = T0, .action = GM_STR("allocation.create") };
	const struct gm_alloc_write w = { &record, 1, &object, 1, &once, &audit, 1 };

	assert_ok(allocs(p)->write(allocs(p)->ctx, &w, err));
	place_open(p);
	GM_AUTO(gm_alloc_record_unref_p) const struct gm_alloc_record *back = stored(p, 1);
	GM_AUTO(gm_buf_fini_p) struct gm_buf a = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
	gm_alloc_record_encode(record, &a);
	gm_alloc_record_encode(back, &b);
	assert_int_equal(a.n, b.n);
	assert_memory_equal(a.p, b.p, a.n);
	check_held(p, "GPU-1/0=al-000001 GPU-1/1=al-000001 GPU-1/2=al-000001 GPU-1/3=al-000001 GPU-1/4=al-000001 "
		      "GPU-1/5=al-000001 GPU-1/6=al-000001 GPU-1/7=al-000001 "
		      "GPU-2/0=al-000001 GPU-2/1=al-000001 GPU-2/2=al-000001 GPU-2/3=al-000001 ");
	check_objects(p, GM_ALLOC_OBJECT_TEAM, "vision=bytes@5 ");
	assert_ok(allocs(p)->once(allocs(p)->ctx, once.key, T0 + 1, &got, err));
	assert_memory_equal(&got, &once, sizeof(got));
	assert_int_equal(audit_rows(p), 1);
	assert_null(stored(p, 2));
}

static void test_claims_follow_the_record(void **state)
{
	struct place *p = *state;
	static const struct {
		enum gm_alloc_state state;
		struct hold hold;
		const char *held;
	} steps[] = {
		{ GM_ALLOC_STATE_PENDING, { 0, 0 }, "" },
		{ GM_ALLOC_STATE_PROVISIONING, { 3, 0x3 }, "GPU-3/0=al-000007 GPU-3/1=al-000007 " },
		{ GM_ALLOC_STATE_PENDING, { 0, 0 }, "" },
		{ GM_ALLOC_STATE_PROVISIONING, { 4, 0xc }, "GPU-4/2=al-000007 GPU-4/3=al-000007 " },
		{ GM_ALLOC_STATE_RESERVED, { 4, 0xc }, "GPU-4/2=al-000007 GPU-4/3=al-000007 " },
		{ GM_ALLOC_STATE_BOUND, { 4, 0x6 }, "GPU-4/1=al-000007 GPU-4/2=al-000007 " },
		{ GM_ALLOC_STATE_BOUND, { 5, 0x6 }, "GPU-5/1=al-000007 GPU-5/2=al-000007 " },
		{ GM_ALLOC_STATE_BOUND, { 5, 0x2 }, "GPU-5/1=al-000007 " },
		{ GM_ALLOC_STATE_RELEASED, { 5, 0x2 }, "" },
	};

	for (size_t i = 0; i < GM_LEN(steps); i++) {
		const struct plain plain = { 7, (int64_t)i + 1, steps[i].state, { steps[i].hold } };
		assert_ok(write_plain(p, &plain, err));
		check_held(p, steps[i].held);
		assert_ok(gm_store_check(p->store, err));
	}
	/* Free again for the next one. */
	assert_ok(write_plain(p, &(struct plain){ 8, 1, GM_ALLOC_STATE_RESERVED, { { 5, WHOLE } } }, err));
}

static void test_a_unit_is_held_once(void **state)
{
	struct place *p = *state;
	static const struct {
		struct hold holds[HOLD_MAX];
		const char *unit; /* NULL: there is room */
	} cases[] = {
		{ { { 1, WHOLE } }, "unit 2 of device GPU-1 is held by al-000001" },
		{ { { 1, 0x4 } }, "unit 2 of device GPU-1 is held by al-000001" },
		{ { { 9, WHOLE }, { 1, 0x18 } }, "unit 3 of device GPU-1 is held by al-000001" },
		{ { { 1, 0x3 }, { 2, 0xff } }, "unit 0 of device GPU-2 is held by al-000002" },
		{ { { 4, 0x3 }, { 4, 0x6 } }, "unit 1 of device GPU-4 is held by al-000010" },
		{ { { 1, 0x3 } }, NULL },
		{ { { 1, 0xf0 } }, NULL },
	};
	const struct gm_audit audit = { .at_ms = T0 };
	const struct gm_alloc_object_row object = { GM_ALLOC_OBJECT_MADE, GM_STR("x"), GM_STR("y"), T0 };

	assert_ok(write_plain(p, &(struct plain){ 1, 1, GM_ALLOC_STATE_RESERVED, { { 1, 0xc } } }, err));
	assert_ok(write_plain(p, &(struct plain){ 2, 1, GM_ALLOC_STATE_BOUND, { { 2, 0x1 } } }, err));
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		struct plain plain = { 10 + (int)i, 1, GM_ALLOC_STATE_RESERVED, { { 0, 0 } } };
		struct gm_err failure = { 0 };
		(void)memcpy(plain.holds, cases[i].holds, sizeof(plain.holds));
		plain.number = cases[i].unit && i == 4 ? 10 : plain.number;
		GM_AUTO(gm_alloc_record_unref_p) const struct gm_alloc_record *record = record_of(&plain);
		const struct gm_alloc_once once = once_of("k", T0, plain.number);
		const struct gm_alloc_write w = { &record, 1, &object, 1, cases[i].unit ? &once : NULL, &audit, 1 };
		const int r = allocs(p)->write(allocs(p)->ctx, &w, &failure);
		if (!cases[i].unit) {
			assert_int_equal(r, 0);
			continue;
		}
		assert_int_equal(r, GM_ERR_CONFLICT);
		assert_string_equal(failure.where, "claim");
		assert_string_equal(failure.text, cases[i].unit);
		/* Nothing of it is there. */
		assert_null(stored(p, plain.number));
		assert_int_equal(audit_rows(p), 0);
		check_objects(p, GM_ALLOC_OBJECT_MADE, "");
		assert_int_equal(allocs(p)->once(allocs(p)->ctx, once.key, T0, &(struct gm_alloc_once){ 0 }, NULL),
				 GM_ERR_NOT_FOUND);
	}
	assert_int_equal(audit_rows(p), 2);
}

static void test_what_holds_claims(void **state)
{
	struct place *p = *state;
	struct gm_err failure = { 0 };

	for (int i = 0; i < GM_ALLOC_STATE_COUNT; i++) {
		const struct plain nothing = { i, 1, (enum gm_alloc_state)i, { { 0, 0 } } };
		const bool holds = gm_alloc_state_holds((enum gm_alloc_state)i);
		assert_int_equal(write_plain(p, &nothing, &failure), holds ? GM_ERR_INVALID : 0);
	}
	assert_string_equal(failure.text, "allocation al-000003 holds no device");
	check_held(p, "");
}

static void test_versions_follow_each_other(void **state)
{
	struct place *p = *state;
	struct gm_err failure = { 0 };
	const struct plain first = { 1, 1, GM_ALLOC_STATE_RESERVED, { { 1, 1 } } };
	struct plain next = { 1, 2, GM_ALLOC_STATE_BOUND, { { 1, 1 } } };
	static const struct {
		int number;
		int64_t version;
		const char *words;
	} wrong[] = {
		{ 1, 1, "version 2 is stored, 1 was to be written" },
		{ 1, 2, "version 2 is stored, 2 was to be written" },
		{ 1, 4, "version 2 is stored, 4 was to be written" },
		{ 1, 0, "version 2 is stored, 0 was to be written" },
		{ 5, 2, "al-000005 is not stored" },
	};

	assert_ok(write_plain(p, &first, err));
	assert_ok(write_plain(p, &next, err));
	for (size_t i = 0; i < GM_LEN(wrong); i++) {
		const struct plain w = { wrong[i].number, wrong[i].version, GM_ALLOC_STATE_RELEASED, { { 0, 0 } } };
		char id[GM_ALLOC_ID_SIZE];
		id_of(wrong[i].number, id);
		assert_int_equal(write_plain(p, &w, &failure), GM_ERR_CONFLICT);
		assert_string_equal(failure.where, id);
		if (!strstr(failure.text, wrong[i].words))
			fail_msg("'%s' does not say '%s'", failure.text, wrong[i].words);
	}
	check_held(p, "GPU-1/0=al-000001 ");
	next.version = 3;
	next.state = GM_ALLOC_STATE_RELEASED;
	assert_ok(write_plain(p, &next, err));
}

static void test_a_request_counts_once(void **state)
{
	struct place *p = *state;
	struct gm_err failure = { 0 };
	struct gm_alloc_once got = { 0 }, once = once_of("k", T0, 1);
	struct gm_alloc_write w = { .once = &once };
	bool more = true;

	assert_ok(allocs(p)->write(allocs(p)->ctx, &w, err));
	once.at_ms = T0 + GM_ALLOC_ONCE_KEEP_MS - 1;
	assert_int_equal(allocs(p)->write(allocs(p)->ctx, &w, &failure), GM_ERR_CONFLICT);
	assert_string_equal(failure.where, "once");
	assert_ok(allocs(p)->once(allocs(p)->ctx, once.key, once.at_ms, &got, err));
	assert_int_equal(got.at_ms, T0);
	/* A day later it is a new one. */
	once.at_ms = T0 + GM_ALLOC_ONCE_KEEP_MS;
	assert_int_equal(allocs(p)->once(allocs(p)->ctx, once.key, once.at_ms, &got, NULL), GM_ERR_NOT_FOUND);
	assert_ok(allocs(p)->write(allocs(p)->ctx, &w, err));
	assert_ok(allocs(p)->once(allocs(p)->ctx, once.key, once.at_ms, &got, err));
	assert_int_equal(got.at_ms, once.at_ms);
	/* Those nobody asks for any more go by and by. */
	for (int i = 0; i < 1200; i++) {
		char key[20];
		(void)snprintf(key, sizeof(key), "key %d", i);
		once = once_of(key, T0, i);
		assert_ok(allocs(p)->write(allocs(p)->ctx, &w, err));
	}
	gm_manual_clock_advance(&p->clock, GM_ALLOC_ONCE_KEEP_MS + MINUTE);
	int steps = 0;
	for (; more; steps++)
		assert_ok(fleet(p)->maintain(fleet(p)->ctx, p->clock.wall_ms, &more, err));
	assert_in_range(steps, 3, 6);
	place_close(p);
	sqlite3 *db = NULL;
	sqlite3_stmt *st = NULL;
	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM once", -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(st, 0), 1);
	(void)sqlite3_finalize(st);
	(void)sqlite3_close(db);
}

/* A preemption is one write: the victim goes, the other one comes, in whatever order they are named. */
static void test_one_write_hands_a_device_over(void **state)
{
	struct place *p = *state;

	assert_ok(write_plain(p, &(struct plain){ 1, 1, GM_ALLOC_STATE_BOUND, { { 1, 0x3 } } }, err));
	assert_ok(write_plain(p, &(struct plain){ 2, 1, GM_ALLOC_STATE_BOUND, { { 1, 0xc } } }, err));
	const struct plain plain[] = {
		{ 3, 1, GM_ALLOC_STATE_RESERVED, { { 1, 0x6 } } },
		{ 1, 2, GM_ALLOC_STATE_RELEASED, { { 1, 0x3 } } },
		{ 2, 2, GM_ALLOC_STATE_BOUND, { { 1, 0x1 } } },
	};
	const struct gm_alloc_record *records[GM_LEN(plain)];
	for (size_t i = 0; i < GM_LEN(plain); i++)
		records[i] = record_of(&plain[i]);
	const struct gm_alloc_write w = { .records = records, .record_count = GM_LEN(records) };
	assert_ok(allocs(p)->write(allocs(p)->ctx, &w, err));
	check_held(p, "GPU-1/0=al-000002 GPU-1/1=al-000003 GPU-1/2=al-000003 ");
	/* Again, all of them: none is changed. */
	assert_int_equal(allocs(p)->write(allocs(p)->ctx, &w, NULL), GM_ERR_CONFLICT);
	for (size_t i = 0; i < GM_LEN(plain); i++)
		gm_alloc_record_unref(records[i]);
}

static void test_a_failure_undoes_only_itself(void **state)
{
	struct place *p = *state;

	assert_ok(gm_store_begin(p->store, err));
	for (int i = 1; i <= 3; i++) {
		assert_ok(gm_store_begin(p->store, err));
		const struct plain plain = { i, 1, GM_ALLOC_STATE_RESERVED, { { i == 2 ? 1 : i, WHOLE } } };
		struct gm_err failure = { 0 };
		const int r = write_plain(p, &plain, &failure);
		assert_int_equal(r, i == 2 ? GM_ERR_CONFLICT : 0);
		if (r)
			assert_true(gm_store_undo(p->store));
		else
			assert_ok(gm_store_commit(p->store, err));
	}
	assert_null(stored(p, 1)); /* nobody sees it before it is on disk */
	assert_ok(gm_store_commit(p->store, err));
	for (int i = 1; i <= 3; i++) {
		GM_AUTO(gm_alloc_record_unref_p) const struct gm_alloc_record *r = stored(p, i);
		assert_int_equal(r != NULL, i != 2);
	}
}

static void test_objects_are_kept_by_kind_and_name(void **state)
{
	struct place *p = *state;
	char name[GM_ALLOC_TEXT_MAX + 2];
	struct gm_err failure = { 0 };
	struct gm_alloc_object_row rows[] = {
		{ GM_ALLOC_OBJECT_QUEUE, GM_STR("b"), GM_STR("1"), T0 },
		{ GM_ALLOC_OBJECT_QUEUE, GM_STR("a"), GM_STR("2"), T0 + 1 },
		{ GM_ALLOC_OBJECT_CORDON, GM_STR("a"), GM_STR(""), T0 + 2 },
		{ GM_ALLOC_OBJECT_QUEUE, GM_STR("b"), GM_STR("3"), T0 + 3 },
	};
	struct gm_alloc_write w = { .objects = rows, .object_count = GM_LEN(rows) };

	assert_ok(allocs(p)->write(allocs(p)->ctx, &w, err));
	check_objects(p, GM_ALLOC_OBJECT_QUEUE, "a=2@1 b=3@3 ");
	check_objects(p, GM_ALLOC_OBJECT_CORDON, "a=@2 ");
	check_objects(p, GM_ALLOC_OBJECT_OPERATION, "");
	rows[0] = (struct gm_alloc_object_row){ GM_ALLOC_OBJECT_QUEUE, GM_STR("a"), { 0 }, T0 };
	w.object_count = 1;
	assert_ok(allocs(p)->write(allocs(p)->ctx, &w, err));
	assert_ok(allocs(p)->write(allocs(p)->ctx, &w, err)); /* gone already */
	check_objects(p, GM_ALLOC_OBJECT_QUEUE, "b=3@3 ");
	check_objects(p, GM_ALLOC_OBJECT_CORDON, "a=@2 ");
	(void)memset(name, 'n', sizeof(name));
	rows[0].bytes = GM_STR("x");
	static const size_t lengths[] = { 0, GM_ALLOC_TEXT_MAX, GM_ALLOC_TEXT_MAX + 1 };
	for (size_t i = 0; i < GM_LEN(lengths); i++) {
		rows[0].name = gm_str_n(name, lengths[i]);
		assert_int_equal(allocs(p)->write(allocs(p)->ctx, &w, &failure), i == 1 ? 0 : GM_ERR_INVALID);
	}
	rows[0].name = GM_STR("large");
	rows[0].bytes = gm_str_n(gm_xalloc(GM_ALLOC_OBJECT_BYTES_MAX + 1), GM_ALLOC_OBJECT_BYTES_MAX);
	assert_ok(allocs(p)->write(allocs(p)->ctx, &w, err));
	rows[0].bytes.n++;
	assert_int_equal(allocs(p)->write(allocs(p)->ctx, &w, &failure), GM_ERR_TOO_LARGE);
	char *large = NULL;
	(void)memcpy(&large, &rows[0].bytes.p, sizeof(large));
	free(large);
}

/* --- Reading: compared with all that was written. */
#define MANY 400

static struct plain many[MANY];

static void fill_many(struct place *p)
{
	static const char *const names[] = { NULL, "a", "b" };

	for (int i = 0; i < MANY; i++) {
		const uint64_t h = gm_hash_u64((uint64_t)i + 17);
		struct plain *m = &many[i];
		*m = (struct plain){ i, 1, (enum gm_alloc_state)(h % GM_ALLOC_STATE_COUNT), { { i, 1 } } };
		m->created_ms = T0 + i * MINUTE - (int64_t)(h >> 8) % 3 * HOUR;
		m->ended_ms = m->created_ms + (int64_t)(h >> 16) % 5 * HOUR + 1;
		m->team = names[(h >> 24) % 3];
		m->project = names[(h >> 32) % 3];
		m->namespace_ = (h >> 40) % 2 ? "x" : "y";
		assert_ok(write_plain(p, m, err));
	}
}

static bool is_wanted(const struct plain *m, const struct gm_alloc_query *q)
{
	const bool ended = gm_alloc_state_ended(m->state);

	return (q->states == 0 || q->states >> m->state & 1) && (q->to_ms == 0 || m->created_ms < q->to_ms) &&
	       (q->from_ms == 0 || !ended || m->ended_ms > q->from_ms) &&
	       (q->team.n == 0 || gm_str_is(q->team, m->team)) &&
	       (q->project.n == 0 || gm_str_is(q->project, m->project)) &&
	       (q->namespace_.n == 0 || gm_str_is(q->namespace_, m->namespace_));
}

struct seen {
	int64_t seq, numbers[MANY];
	size_t count;
};

static int see(void *ctx, int64_t seq, struct gm_str bytes, struct gm_err *err)
{
	struct seen *s = ctx;
	struct gm_alloc_record *record = NULL;
	uint64_t number = 0;
	const int r = gm_alloc_record_decode(bytes, &record, err);

	if (r)
		return r;
	assert_true(s->count < MANY);
	for (const char *c = record->id + 3; *c; c++)
		number = number * 10 + (uint64_t)(*c - '0');
	s->numbers[s->count++] = (int64_t)number;
	s->seq = seq;
	gm_alloc_record_unref(record);
	return 0;
}

static void check_query(struct place *p, struct gm_alloc_query q)
{
	struct seen seen = { 0 };
	size_t n = 0, before = 0;

	/* Page by page. */
	do {
		before = seen.count;
		q.before_seq = seen.seq;
		assert_ok(allocs(p)->read(allocs(p)->ctx, &q, see, &seen, err));
		assert_true(seen.count - before <= q.limit);
	} while (seen.count > before);
	for (int i = MANY - 1; i >= 0; i--) {
		if (!is_wanted(&many[i], &q))
			continue;
		assert_true(n < seen.count);
		assert_int_equal(seen.numbers[n++], i);
	}
	assert_int_equal(seen.count, n);
}

static void test_pages_are_found_by_what_is_asked(void **state)
{
	struct place *p = *state;

	fill_many(p);
	for (uint64_t i = 0; i < 120; i++) {
		const uint64_t h = gm_hash_u64(i + 1000);
		const struct gm_alloc_query q = {
			.limit = 1 + h % 90,
			.states = h >> 8 & 1 ? (unsigned)(h >> 9) & ((1U << GM_ALLOC_STATE_COUNT) - 1) : 0,
			.from_ms = h >> 20 & 1 ? T0 + (int64_t)(h >> 21) % 400 * MINUTE : 0,
			.to_ms = h >> 40 & 1 ? T0 + (int64_t)(h >> 41) % 400 * MINUTE : 0,
			.team = h >> 50 & 1 ? GM_STR("a") : GM_STR(""),
			.project = h >> 51 & 3 ? GM_STR("") : GM_STR("b"),
			.namespace_ = h >> 53 & 3 ? gm_str(NULL) : GM_STR("y"),
		};
		check_query(p, q);
	}
	check_query(p, (struct gm_alloc_query){ .limit = 1 });
	/* What has not ended, oldest first. */
	struct seen live = { 0 };
	size_t n = 0;
	assert_ok(allocs(p)->load(allocs(p)->ctx, see, &live, err));
	for (int i = 0; i < MANY; i++) {
		if (!gm_alloc_state_ended(many[i].state))
			assert_int_equal(live.numbers[n++], i);
	}
	assert_int_equal(live.count, n);
}

/* A reader sees one moment, whatever is written meanwhile. */
struct moment {
	struct place *p;
	int count;
};

static int write_meanwhile(void *ctx, int64_t seq, struct gm_str bytes, struct gm_err *err)
{
	struct moment *m = ctx;

	(void)bytes;
	m->count++;
	return write_plain(m->p, &(struct plain){ 100 + (int)seq, 1, GM_ALLOC_STATE_PENDING, { { 0, 0 } } }, err);
}

static void test_a_reader_sees_one_moment(void **state)
{
	struct moment m = { .p = *state };

	for (int i = 0; i < 5; i++)
		assert_ok(write_plain(m.p, &(struct plain){ i, 1, GM_ALLOC_STATE_PENDING, { { 0, 0 } } }, err));
	assert_ok(allocs(m.p)->load(allocs(m.p)->ctx, write_meanwhile, &m, err));
	assert_int_equal(m.count, 5);
}

/* --- Damage: SQL that breaks something, and who finds it how. */
static void test_damage_is_named(void **state)
{
	struct place *p = *state;
	static const struct {
		const char *sql, *check, *load;
	} cases[] = {
		{ "UPDATE allocation SET record = substr(record, 1, 20) WHERE id = 'al-000002'", "'al-000002'",
		  "allocation 'al-000002'" },
		{ "UPDATE allocation SET record = x'' WHERE id = 'al-000001'", "'al-000001'",
		  "allocation 'al-000001'" },
		{ "DELETE FROM claim WHERE device_uuid = 'GPU-2' AND unit = 1",
		  "'al-000002': its claim of unit 1 of device GPU-2 is not there", NULL },
		{ "DELETE FROM claim WHERE device_uuid = 'GPU-3'",
		  "'al-000003': its claim of unit 0 of device GPU-3 is not there", NULL },
		{ "INSERT INTO claim VALUES ('GPU-9', 4, 2)", "unit 4 of device GPU-9 is claimed by no", NULL },
		{ "INSERT INTO claim VALUES ('GPU-9', 5, 99)", "unit 5 of device GPU-9 is claimed by no", NULL },
		{ "INSERT INTO claim VALUES ('GPU-9', 6, 4)", "unit 6 of device GPU-9 is claimed by no", NULL },
		{ "UPDATE claim SET allocation = 3 WHERE device_uuid = 'GPU-1' AND unit = 0",
		  "'al-000001': its claim of unit 0 of device GPU-1 is not there", NULL },
		{ "UPDATE allocation SET version = 9 WHERE id = 'al-000002'", "'al-000002': its row tells", NULL },
		{ "UPDATE allocation SET state = 'Bound' WHERE id = 'al-000002'", "'al-000002': its row tells", NULL },
		{ "UPDATE allocation SET live = 0 WHERE id = 'al-000002'", "unit 0 of device GPU-2 is claimed by no",
		  NULL },
	};

	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		struct gm_err failure = { 0 };
		struct seen seen = { 0 };
		sqlite3 *db = NULL;
		struct place q;
		place_init(&q);
		place_open(&q);
		for (int n = 1; n <= 3; n++)
			assert_ok(
				write_plain(&q, &(struct plain){ n, 1, GM_ALLOC_STATE_RESERVED, { { n, 0x3 } } }, err));
		assert_ok(write_plain(&q, &(struct plain){ 4, 1, GM_ALLOC_STATE_RELEASED, { { 0, 0 } } }, err));
		assert_ok(gm_store_check(q.store, err));
		place_close(&q);
		assert_int_equal(sqlite3_open(q.path, &db), SQLITE_OK);
		assert_int_equal(sqlite3_exec(db, cases[i].sql, NULL, NULL, NULL), SQLITE_OK);
		assert_true(sqlite3_changes(db) > 0);
		(void)sqlite3_close(db);
		place_open(&q);
		assert_int_equal(gm_store_check(q.store, &failure), GM_ERR_CORRUPT);
		if (!strstr(failure.text, cases[i].check))
			fail_msg("'%s' does not say '%s'", failure.text, cases[i].check);
		const int r = allocs(&q)->load(allocs(&q)->ctx, see, &seen, &failure);
		assert_int_equal(r, cases[i].load ? GM_ERR_CORRUPT : 0);
		if (cases[i].load && !strstr(failure.text, cases[i].load))
			fail_msg("'%s' does not say '%s'", failure.text, cases[i].load);
		place_fini(&q);
	}
	place_close(p);
}

/* --- Many at once: each believes every board to be free. */
#define BOARDS 40
#define WORLDS 12

struct world {
	struct place *p;
	struct gm_store_writer *w;
	int number;
	int granted, refused, odd;
};

struct
try {
	struct place *p;
	struct plain plain;
};

static int run_try(void *ctx, struct gm_err *err)
{
	const struct try *t = ctx;

	return write_plain(t->p, &t->plain, err);
}

static void *grab_all(void *ctx)
{
	struct world *w = ctx;

	for (int i = 0; i < BOARDS; i++) {
		const int board = (i * 7 + w->number * 11) % BOARDS;
		/* Some want the whole board, some a slice in the middle of it. */
		struct try t = { w->p,
				 { w->number * BOARDS + i,
				   1,
				   GM_ALLOC_STATE_RESERVED,
				   { { board, w->number % 2 ? WHOLE : 0x18 } } } };
		const struct gm_store_job job = { .run = run_try, .ctx = &t };
		struct gm_err failure = { 0 };
		const int r = gm_store_writer_do(w->w, &job, INT64_MAX, &failure);
		w->granted += r == 0;
		w->refused += r == GM_ERR_CONFLICT && strcmp(failure.where, "claim") == 0;
		w->odd += r != 0 && r != GM_ERR_CONFLICT;
	}
	return NULL;
}

static void test_worlds_that_believe_the_same(void **state)
{
	struct place *p = *state;
	struct world worlds[WORLDS];
	pthread_t threads[WORLDS];
	struct gm_store_writer_stats stats;
	int granted = 0, refused = 0;
	const struct gm_store_writer_conf conf = { .store = p->store, .clock = gm_clock_system() };
	struct gm_store_writer *w = gm_store_writer_new(&conf);

	assert_ok(gm_store_writer_start(w, err));
	for (int i = 0; i < WORLDS; i++) {
		worlds[i] = (struct world){ .p = p, .w = w, .number = i };
		assert_int_equal(pthread_create(&threads[i], NULL, grab_all, &worlds[i]), 0);
	}
	for (int i = 0; i < WORLDS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(worlds[i].odd, 0);
		granted += worlds[i].granted;
		refused += worlds[i].refused;
	}
	gm_store_writer_stats(w, &stats);
	assert_true(gm_store_writer_stop(w, 10000));
	gm_store_writer_free(w);
	assert_int_equal(granted, BOARDS);
	assert_int_equal(refused, (WORLDS - 1) * BOARDS);
	assert_int_equal(stats.jobs, BOARDS);
	assert_true(stats.commits < WORLDS * BOARDS);
}

/* The same key and the same next version from many: one is it. */
static int run_race(void *ctx, struct gm_err *err)
{
	struct world *w = ctx;
	const struct plain plain = { 1, 2, GM_ALLOC_STATE_BOUND, { { 1, 1 } } };
	GM_AUTO(gm_alloc_record_unref_p) const struct gm_alloc_record *record = record_of(&plain);
	const struct gm_alloc_once once = once_of("same", gm_wall_ms(gm_clock_system()), 1);
	const struct gm_alloc_write write = { .records = &record,
					      .record_count = w->number % 2,
					      .once = w->number % 2 ? NULL : &once };

	return allocs(w->p)->write(allocs(w->p)->ctx, &write, err);
}

static void *race(void *ctx)
{
	struct world *w = ctx;
	const struct gm_store_job job = { .run = run_race, .ctx = w };
	struct gm_err failure = { 0 };
	const int r = gm_store_writer_do(w->w, &job, INT64_MAX, &failure);

	w->granted = r == 0;
	w->refused = r == GM_ERR_CONFLICT && strcmp(failure.where, w->number % 2 ? "al-000001" : "once") == 0;
	return NULL;
}

static void test_of_many_alike_one_is_it(void **state)
{
	struct place *p = *state;
	struct world worlds[WORLDS];
	pthread_t threads[WORLDS];
	int granted[2] = { 0, 0 };
	const struct gm_store_writer_conf conf = { .store = p->store, .clock = gm_clock_system() };
	struct gm_store_writer *w = gm_store_writer_new(&conf);

	assert_ok(write_plain(p, &(struct plain){ 1, 1, GM_ALLOC_STATE_RESERVED, { { 1, 1 } } }, err));
	assert_ok(gm_store_writer_start(w, err));
	for (int i = 0; i < WORLDS; i++) {
		worlds[i] = (struct world){ .p = p, .w = w, .number = i };
		assert_int_equal(pthread_create(&threads[i], NULL, race, &worlds[i]), 0);
	}
	for (int i = 0; i < WORLDS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(worlds[i].granted + worlds[i].refused, 1);
		granted[i % 2] += worlds[i].granted;
	}
	assert_true(gm_store_writer_stop(w, 10000));
	gm_store_writer_free(w);
	assert_int_equal(granted[0], 1);
	assert_int_equal(granted[1], 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_all_of_a_write_is_kept),
		TEST(test_claims_follow_the_record),
		TEST(test_a_unit_is_held_once),
		TEST(test_what_holds_claims),
		TEST(test_versions_follow_each_other),
		TEST(test_a_request_counts_once),
		TEST(test_one_write_hands_a_device_over),
		TEST(test_a_failure_undoes_only_itself),
		TEST(test_objects_are_kept_by_kind_and_name),
		TEST(test_pages_are_found_by_what_is_asked),
		TEST(test_a_reader_sees_one_moment),
		TEST(test_damage_is_named),
		TEST(test_worlds_that_believe_the_same),
		TEST(test_of_many_alike_one_is_it),
	};
	return cmocka_run_group_tests_name("store/alloc", tests, NULL, NULL);
}
