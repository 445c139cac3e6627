/* SPDX-License-Identifier: MIT */
/* What can be wrong with a database, each said so that an operator knows what to do. */
#include "store-test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "adapter/store/migrate.h"
#include "adapter/store/place.h"
#include "base/alloc.h"
#include "base/hash.h"
#include "fakes/crash_vfs.h"

static int setup(void **state)
{
	struct place *p = gm_xalloc(sizeof(*p));

	place_init(p);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	place_fini(*state);
	free(*state);
	return 0;
}

static void sql(struct place *p, const char *text)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open_v2(p->path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, p->conf.vfs),
			 SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(db);
}

static void check_refused(struct place *p, int code, const char *words)
{
	struct gm_err failure = { 0 };
	struct gm_store *s = NULL;

	assert_string_equal(gm_err_name(gm_store_open(&p->conf, &s, &failure)), gm_err_name(code));
	assert_null(s);
	if (!strstr(failure.text, words))
		fail_msg("'%s' does not say '%s'", failure.text, words);
}

static void make_directory(struct place *p)
{
	assert_int_equal(mkdir(p->path, 0700), 0);
}

static void make_text(struct place *p)
{
	FILE *f = fopen(p->path, "w");

	assert_non_null(f);
	for (int i = 0; i < 1000; i++)
		assert_true(fputs("this is not a database\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void make_foreign(struct place *p)
{
	sql(p, "CREATE TABLE bookmarks (id INTEGER PRIMARY KEY)");
}

static void make_newer(struct place *p)
{
	char text[100];

	place_open(p);
	place_close(p);
	(void)snprintf(text, sizeof(text), "INSERT INTO schema_version VALUES (%d, 'future', 0)",
		       gm_migrate_newest() + 2);
	sql(p, text);
}

static void make_network(struct place *p)
{
	p->conf.fs_magic = 0x6969;
}

static void make_no_folder(struct place *p)
{
	(void)snprintf(p->url, sizeof(p->url), "sqlite:%s/missing/store.db", p->folder);
}

static void make_other_kind(struct place *p)
{
	(void)snprintf(p->url, sizeof(p->url), "oracle://host/x");
}

static void make_nameless(struct place *p)
{
	(void)snprintf(p->url, sizeof(p->url), "sqlite:");
}

static void test_what_cannot_be_opened(void **state)
{
	static const struct {
		void (*make)(struct place *p);
		int code;
		const char *words;
	} cases[] = {
		{ make_directory, GM_ERR_INVALID, "store.db: is a directory, not a database file" },
		{ make_text, GM_ERR_CORRUPT, "the file is not a database" },
		{ make_foreign, GM_ERR_INVALID, "is a database of another program" },
		{ make_newer, GM_ERR_NEWER, "written by a newer version" },
		{ make_network, GM_ERR_UNSUPPORTED, "lies on a network file system (NFS)" },
		{ make_no_folder, GM_ERR_NOT_FOUND, "the folder of the database" },
		{ make_other_kind, GM_ERR_UNSUPPORTED, "only sqlite:FILE is known" },
		{ make_nameless, GM_ERR_INVALID, "names no file" },
	};

	(void)state;
	for (size_t i = 0; i < GM_LEN(cases); i++) {
		struct place p;
		place_init(&p);
		cases[i].make(&p);
		check_refused(&p, cases[i].code, cases[i].words);
		(void)rmdir(p.path);
		place_fini(&p);
	}
}

static void test_one_version_newer_is_taken(void **state)
{
	struct place *p = *state;
	char text[100];

	place_open(p);
	place_close(p);
	(void)snprintf(text, sizeof(text), "INSERT INTO schema_version VALUES (%d, 'future', 0)",
		       gm_migrate_newest() + 1);
	sql(p, text);
	place_open(p);
	append_one(p, 1, T0);
}

static void test_a_network_file_system_can_be_allowed(void **state)
{
	struct place *p = *state;

	make_network(p);
	p->conf.network_allowed = true;
	place_open(p);
	assert_string_equal(gm_place_network_name(0xFF534D42), "CIFS");
	assert_null(gm_place_network_name(0xEF53));
}

/* Another process that has the database until it is told to go; its id. */
static pid_t hold(struct place *p, int *out_fd)
{
	int ready[2], go[2];
	char c = 0;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	const pid_t pid = fork();
	if (pid == 0) {
		struct gm_store *s = NULL;
		(void)close(go[1]);
		c = gm_store_open(&p->conf, &s, NULL) == 0;
		if (write(ready[1], &c, 1) == 1)
			(void)!read(go[0], &c, 1);
		_exit(0);
	}
	(void)close(ready[1]);
	(void)close(go[0]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(c, 1);
	(void)close(ready[0]);
	*out_fd = go[1];
	return pid;
}

static void test_two_processes_cannot_have_it(void **state)
{
	struct place *p = *state;
	char words[80];
	int fd = -1;
	const pid_t pid = hold(p, &fd);

	(void)snprintf(words, sizeof(words), "another gpu-monitor (process %d) has this database open", (int)pid);
	check_refused(p, GM_ERR_BUSY, words);
	(void)kill(pid, SIGKILL);
	(void)close(fd);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	/* The lock goes with the process, however it went. */
	place_open(p);
	check_refused(p, GM_ERR_BUSY, "another gpu-monitor");
}

static void test_a_lock_of_another_program_is_told(void **state)
{
	struct place *p = *state;
	struct crash_vfs *v = crash_vfs_new("locks", 1);
	const struct gm_sample_row row = { .series = 1, .sample = sample_at(1, T0) };
	struct gm_err failure = { 0 };
	sqlite3 *other = NULL;

	p->conf.vfs = "locks";
	place_open(p);
	assert_int_equal(sqlite3_open_v2(p->path, &other, SQLITE_OPEN_READWRITE, "locks"), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(fleet(p)->append(fleet(p)->ctx, &row, 1, &failure), GM_ERR_BUSY);
	assert_non_null(strstr(failure.text, "locked by another program"));
	assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	append_one(p, 1, T0);
	(void)sqlite3_close(other);
	place_close(p);
	crash_vfs_free(v);
}

static void test_a_read_only_file_is_told(void **state)
{
	struct place *p = *state;
	struct crash_vfs *v = crash_vfs_new("readonly", 1);
	const struct gm_sample_row row = { .series = 1, .sample = sample_at(1, T0) };
	struct gm_err failure = { 0 };

	p->conf.vfs = "readonly";
	place_open(p);
	append_one(p, 1, T0);
	/* While it is open, as when the system mounts a failing disk read-only. */
	crash_vfs_fail_at(v, 1, SQLITE_READONLY, true);
	assert_int_equal(fleet(p)->append(fleet(p)->ctx, &row, 1, &failure), GM_ERR_READ_ONLY);
	assert_non_null(strstr(failure.text, "is read-only"));
	check_chart(p, 1, GM_FIELD_ENERGY, T0, T0 + HOUR, MINUTE, GM_TIER_RAW, (int64_t[]){ T0 }, 1);
	crash_vfs_fail_at(v, 0, 0, false);
	place_close(p);
	crash_vfs_read_only(v, true);
	check_refused(p, GM_ERR_READ_ONLY, "the database file is read-only");
	crash_vfs_free(v);
}

/* The rights of files say nothing to root: another user then. */
static void test_a_file_without_rights_is_told(void **state)
{
	struct place *p = *state;
	int status = 0;

	place_open(p);
	place_close(p);
	assert_int_equal(chmod(p->path, 0444), 0);
	assert_int_equal(chmod(p->folder, 0777), 0);
	char lock[120];
	(void)snprintf(lock, sizeof(lock), "%s-lock", p->path);
	assert_int_equal(unlink(lock), 0);
	const pid_t pid = fork();
	if (pid == 0) {
		struct gm_err failure = { 0 };
		struct gm_store *s = NULL;
		if (geteuid() == 0 && setuid(65534) != 0)
			_exit(1);
		const int rc = gm_store_open(&p->conf, &s, &failure);
		_exit(rc == GM_ERR_READ_ONLY && strstr(failure.text, "read-only") ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_a_damaged_blob_is_left_out(void **state)
{
	struct place *p = *state;
	int64_t t[] = { T0, T0 + HOUR, T0 + 2 * HOUR };
	struct gm_store_stats stats;
	char text[200];

	place_open(p);
	for (size_t i = 0; i < GM_LEN(t); i++)
		append_one(p, 1, t[i]);
	settle(p, T0 + 5 * HOUR);
	place_close(p);
	(void)snprintf(
		text, sizeof(text),
		"UPDATE block SET data = substr(data, 1, 20) WHERE id = %lld; UPDATE rollup_5m SET data = x'01ffff'",
		(long long)((T0 + HOUR) / HOUR) << 32 | 1);
	sql(p, text);
	place_open(p);
	t[1] = t[2];
	check_chart(p, 1, GM_FIELD_ENERGY, T0, T0 + 3 * HOUR, MINUTE, GM_TIER_RAW, t, 2);
	/* Full resolution stands in for damaged rollups. */
	check_chart(p, 1, GM_FIELD_ENERGY, T0, T0 + 3 * HOUR, 5 * MINUTE, GM_TIER_5M, t, 2);
	gm_store_stats(p->store, &stats);
	assert_true(stats.damaged >= 4);
	/* Late rows into the damaged hour replace what nobody can read. */
	append_one(p, 1, T0 + HOUR + MINUTE);
	settle(p, T0 + 6 * HOUR);
	assert_ok(gm_store_check(p->store, err));
}

static void damage(struct place *p, uint64_t seed)
{
	struct stat st;
	const int fd = open(p->path, O_RDWR | O_CLOEXEC);
	unsigned char bytes[64];

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	for (uint64_t i = 0; i < 20; i++) {
		const uint64_t h = gm_hash_u64(seed * 100 + i);
		/* Not the first page: without it the file is no database any more. */
		const off_t at = 16384 + (off_t)(h % (uint64_t)(st.st_size - 16384 - 64));
		(void)memset(bytes, (int)(h >> 40), sizeof(bytes));
		assert_int_equal(pwrite(fd, bytes, 1 + (h >> 50) % 60, at), 1 + (h >> 50) % 60);
	}
	(void)close(fd);
}

static bool ignore_row(void *ctx, const struct gm_sample_row *row)
{
	(void)ctx;
	(void)row;
	return true;
}

static int ignore_key(void *ctx, const struct gm_key *key, struct gm_err *err)
{
	(void)ctx;
	(void)key;
	(void)err;
	return 0;
}

/* Everything that reads and writes; nothing may crash, hang, or fail in another way than told. */
static void use(struct place *p)
{
	const struct gm_sample_row row = { .series = 3, .sample = sample_at(3, p->clock.wall_ms) };
	GM_AUTO(gm_chart_fini_p) struct gm_chart c = { 0 };
	enum gm_tier tier;
	bool more = true;
	int codes[6] = { 0 };

	assert_ok(gm_chart_init(&c, GM_FIELD_POWER, T0, T0 + 4 * HOUR, MINUTE, 0, err));
	codes[0] = fleet(p)->chart(fleet(p)->ctx, 2, &c, c.to_ms, &tier, NULL);
	codes[1] = gm_store_each_sample(p->store, T0, ignore_row, NULL, NULL);
	codes[2] = fleet(p)->append(fleet(p)->ctx, &row, 1, NULL);
	codes[3] = auth(p)->load_keys(auth(p)->ctx, ignore_key, NULL, NULL);
	for (int i = 0; more && !codes[4] && i < 1000; i++)
		codes[4] = fleet(p)->maintain(fleet(p)->ctx, p->clock.wall_ms, &more, NULL);
	codes[5] = gm_store_check(p->store, NULL);
	for (size_t i = 0; i < GM_LEN(codes); i++)
		assert_true(codes[i] == 0 || codes[i] == GM_ERR_CORRUPT || codes[i] == GM_ERR_CONFLICT);
}

static void test_a_damaged_file_is_survived(void **state)
{
	int refused = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 40; seed++) {
		struct place p;
		struct gm_err failure = { 0 };
		place_init(&p);
		place_open(&p);
		append_range(&p, 1, 9, T0, MINUTE, 200);
		settle(&p, T0 + 200 * MINUTE);
		append_range(&p, 1, 9, T0 + 200 * MINUTE, MINUTE, 5);
		place_close(&p);
		damage(&p, seed);
		const int rc = gm_store_open(&p.conf, &p.store, &failure);
		assert_true(rc == 0 || rc == GM_ERR_CORRUPT);
		refused += rc != 0;
		if (rc == 0) {
			gm_manual_clock_advance(&p.clock, 2 * HOUR);
			use(&p);
		}
		place_fini(&p);
	}
	assert_true(refused < 40);
}

static void test_names_of_files_are_names(void **state)
{
	struct place *p = *state;
	static const char *const names[] = { ":memory:", "file:x?mode=memory", "plain.db" };
	char cwd[300];

	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(chdir(p->folder), 0);
	for (size_t i = 0; i < GM_LEN(names); i++) {
		(void)snprintf(p->url, sizeof(p->url), "sqlite:%s", names[i]);
		place_open(p);
		assert_int_equal(access(names[i], F_OK), 0);
	}
	place_close(p);
	assert_int_equal(chdir(cwd), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_cannot_be_opened),	   TEST(test_one_version_newer_is_taken),
		TEST(test_a_network_file_system_can_be_allowed),   TEST(test_two_processes_cannot_have_it),
		TEST(test_a_lock_of_another_program_is_told),	   TEST(test_a_read_only_file_is_told),
		TEST(test_a_file_without_rights_is_told),	   TEST(test_a_damaged_blob_is_left_out),
		cmocka_unit_test(test_a_damaged_file_is_survived), TEST(test_names_of_files_are_names),
	};
	return cmocka_run_group_tests_name("store/open", tests, NULL, NULL);
}
