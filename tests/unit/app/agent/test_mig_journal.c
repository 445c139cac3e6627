/* SPDX-License-Identifier: MIT */
#include "mig-world.h"

#include <fcntl.h>

/* A change of two boards with five steps, one of which is the first of the way back. */
static struct gm_mig_job *a_job(void)
{
	struct gm_mig_job *job = calloc(1, sizeof(*job));
	const struct gm_variant *v = gm_catalog_variant(GM_STR("H100_SXM5_80GB"));

	assert_non_null(job);
	(void)gm_str_copy(GM_STR("19ab-7"), job->id, sizeof(job->id));
	job->kind = GM_MIG_APPLY;
	job->remove_unused = true;
	job->keep = true;
	job->count = 2;
	(void)gm_str_copy(GM_STR("GPU-1"), job->changes[0].uuid, sizeof(job->changes[0].uuid));
	(void)gm_str_copy(GM_STR("GPU-2"), job->changes[1].uuid, sizeof(job->changes[1].uuid));
	job->changes[1].resets = true;
	state_of_text(v, true, "3g.40gb@4, 1g.10gb+me@0", &job->changes[0].before);
	state_of_text(v, true, "7g.80gb@0", &job->changes[0].wanted);
	state_of_text(v, false, "", &job->changes[1].before);
	state_of_text(v, true, "", &job->changes[1].wanted);
	return job;
}

static void write_whole(struct gm_mig_journal *j, const struct gm_mig_job *job)
{
	struct gm_mig_step step = { GM_MIG_DESTROY, job->changes[0].before.slices[0] };
	struct gm_mig_step on = { .verb = GM_MIG_MODE_ON };

	assert_int_equal(gm_mig_journal_begin(j, job, NULL), 0);
	assert_int_equal(gm_mig_journal_step(j, 1, "GPU-1", &step, NULL), 0);
	assert_int_equal(gm_mig_journal_done(j, 1, NULL), 0);
	assert_int_equal(gm_mig_journal_step(j, 2, "GPU-2", &on, NULL), 0);
	assert_int_equal(gm_mig_journal_back(j, "GPU-2: IN_USE\nsecond line", NULL), 0);
	assert_int_equal(gm_mig_journal_step(j, 3, "GPU-1", &step, NULL), 0);
	assert_int_equal(gm_mig_journal_done(j, 3, NULL), 0);
	assert_int_equal(gm_mig_journal_end(j, GM_MIG_OUTCOME_OLD, "it was refused", NULL), 0);
}

static size_t read_file(const char *dir, char *out, size_t size)
{
	char path[300];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/mig-journal", dir);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	n = read(fd, out, size);
	(void)close(fd);
	assert_true(n > 0 && (size_t)n < size);
	return (size_t)n;
}

static void check_change(const struct gm_mig_past *p, const struct gm_mig_job *job)
{
	assert_string_equal(p->id, job->id);
	assert_int_equal(p->kind, job->kind);
	assert_true(p->remove_unused && p->keep);
	assert_int_equal(p->count, 2);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(p->changes[i].uuid, job->changes[i].uuid);
		assert_int_equal(p->changes[i].resets, job->changes[i].resets);
		assert_true(gm_mig_state_same(&p->changes[i].before, &job->changes[i].before));
		assert_true(gm_mig_state_same(&p->changes[i].wanted, &job->changes[i].wanted));
	}
	assert_string_equal(p->changes[0].before.slices[0].name, "1g.10gb+me");
}

static void test_journal_is_read_back(void **state)
{
	char *dir = make_dir();
	struct gm_mig_job *job = a_job();
	struct gm_mig_past *p = calloc(1, sizeof(*p));
	struct gm_mig_journal j, second;
	struct gm_err err = { 0 };

	(void)state;
	assert_int_equal(gm_mig_journal_open(dir, &j, p, &err), 0);
	assert_false(p->going);
	write_whole(&j, job);
	/* One at a time. */
	assert_int_equal(gm_mig_journal_open(dir, &second, NULL, &err), GM_ERR_BUSY);
	gm_mig_journal_close(&j);
	assert_int_equal(gm_mig_journal_open(dir, &j, p, &err), 0);
	check_change(p, job);
	assert_true(p->going && p->back && !p->torn);
	assert_int_equal(p->begun, 3);
	assert_int_equal(p->done, 3);
	assert_int_equal(p->outcome, GM_MIG_OUTCOME_OLD);
	assert_string_equal(p->text, "it was refused");
	/* The next change takes its place. */
	(void)gm_str_copy(GM_STR("19ab-8"), job->id, sizeof(job->id));
	assert_int_equal(gm_mig_journal_begin(&j, job, &err), 0);
	gm_mig_journal_close(&j);
	assert_int_equal(gm_mig_journal_open(dir, &j, p, &err), 0);
	check_change(p, job);
	assert_true(p->going && !p->back && p->begun == 0 && p->outcome == GM_MIG_OUTCOME_NONE);
	gm_mig_journal_close(&j);
	gm_mig_journal_close(&j);
	free(p);
	free(job);
	drop_dir(dir);
}

/* What a reader must see of the first `n` bytes: exactly the whole lines. */
static void check_prefix(const char *text, size_t n, const struct gm_mig_job *job, struct gm_mig_past *p)
{
	static const struct {
		uint32_t begun, done;
		bool going, back, ended;
	} rows[] = {
		{ 0, 0, false, false, false }, { 0, 0, false, false, false }, { 0, 0, false, false, false },
		{ 0, 0, false, false, false }, { 0, 0, true, false, false },  { 1, 0, true, false, false },
		{ 1, 1, true, false, false },  { 2, 1, true, false, false },  { 2, 1, true, true, false },
		{ 3, 1, true, true, false },   { 3, 3, true, true, false },   { 3, 3, true, true, true },
	};
	size_t lines = 0, whole = 0;
	struct gm_err err = { 0 };

	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\n') {
			lines++;
			whole = i + 1;
		}
	}
	assert_true(lines < GM_LEN(rows));
	if (gm_mig_journal_parse(gm_str_n(text, n), p, &err))
		fail_msg("%zu bytes: %s", n, err.text);
	assert_int_equal(p->records, lines);
	assert_int_equal(p->good_bytes, whole);
	assert_int_equal(p->torn, whole < n);
	assert_int_equal(p->begun, rows[lines].begun);
	assert_int_equal(p->done, rows[lines].done);
	assert_int_equal(p->going, rows[lines].going);
	assert_int_equal(p->back, rows[lines].back);
	assert_int_equal(p->outcome, rows[lines].ended ? GM_MIG_OUTCOME_OLD : GM_MIG_OUTCOME_NONE);
	if (p->going)
		check_change(p, job);
}

static void test_journal_every_prefix_is_understood(void **state)
{
	static char text[8192];
	char *dir = make_dir();
	struct gm_mig_job *job = a_job();
	struct gm_mig_past *p = calloc(1, sizeof(*p));
	struct gm_mig_journal j;
	char path[300];
	size_t n;

	(void)state;
	assert_int_equal(gm_mig_journal_open(dir, &j, NULL, NULL), 0);
	write_whole(&j, job);
	gm_mig_journal_close(&j);
	n = read_file(dir, text, sizeof(text));
	for (size_t k = 0; k <= n; k++)
		check_prefix(text, k, job, p);
	/* On disk too: the torn end is cut off, and what is written next is read next. */
	(void)snprintf(path, sizeof(path), "%s/mig-journal", dir);
	for (size_t k = n; k-- > 0;) {
		assert_int_equal(truncate(path, (off_t)k), 0);
		assert_int_equal(gm_mig_journal_open(dir, &j, p, NULL), 0);
		if (p->going && p->outcome == GM_MIG_OUTCOME_NONE) {
			uint32_t records = p->records;

			assert_int_equal(gm_mig_journal_end(&j, GM_MIG_OUTCOME_STUCK, "so be it", NULL), 0);
			gm_mig_journal_close(&j);
			assert_int_equal(gm_mig_journal_open(dir, &j, p, NULL), 0);
			assert_int_equal(p->records, records + 1);
			assert_int_equal(p->outcome, GM_MIG_OUTCOME_STUCK);
		}
		gm_mig_journal_close(&j);
	}
	free(p);
	free(job);
	drop_dir(dir);
}

static void test_journal_damage_is_seen_at_every_byte(void **state)
{
	static char text[8192], bad[8192];
	char *dir = make_dir();
	struct gm_mig_job *job = a_job();
	struct gm_mig_past *p = calloc(1, sizeof(*p));
	struct gm_mig_journal j;
	size_t n, last;

	(void)state;
	assert_int_equal(gm_mig_journal_open(dir, &j, NULL, NULL), 0);
	write_whole(&j, job);
	gm_mig_journal_close(&j);
	n = read_file(dir, text, sizeof(text));
	for (last = n - 1; text[last - 1] != '\n';)
		last--;
	for (size_t k = 0; k < n; k++) {
		int rc;

		memcpy(bad, text, n);
		bad[k] = (char)(bad[k] ^ 1);
		rc = gm_mig_journal_parse(gm_str_n(bad, n), p, NULL);
		/* The last line may have been torn (or run into the one before); any other was whole once. */
		assert_int_equal(rc, k + 1 >= last ? 0 : GM_ERR_CORRUPT);
		assert_int_equal(p->torn, k + 1 >= last);
	}
	free(p);
	free(job);
	drop_dir(dir);
}

static void test_damaged_journal_is_put_aside(void **state)
{
	char *dir = make_dir();
	struct gm_mig_job *job = a_job();
	struct gm_mig_past *p = calloc(1, sizeof(*p));
	struct gm_mig_journal j;
	struct gm_err err = { 0 };
	char path[300];
	int fd;

	(void)state;
	assert_int_equal(gm_mig_journal_open(dir, &j, NULL, NULL), 0);
	write_whole(&j, job);
	assert_int_equal(pwrite(j.fd, "X", 1, 3), 1);
	gm_mig_journal_close(&j);
	assert_int_equal(gm_mig_journal_open(dir, &j, p, &err), GM_ERR_CORRUPT);
	assert_non_null(strstr(err.text, "mig-journal.damaged"));
	assert_false(p->going);
	/* It can be written at once. */
	assert_int_equal(gm_mig_journal_begin(&j, job, NULL), 0);
	gm_mig_journal_close(&j);
	assert_int_equal(gm_mig_journal_open(dir, &j, p, &err), 0);
	assert_true(p->going);
	gm_mig_journal_close(&j);
	(void)snprintf(path, sizeof(path), "%s/mig-journal.damaged", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	(void)close(fd);
	free(p);
	free(job);
	drop_dir(dir);
}

static void test_records_that_make_no_sense_are_refused(void **state)
{
	static const char *const rows[][4] = {
		{ "go" },
		{ "step 1 destroy GPU-1" },
		{ "begin a apply 1 1", "go" },
		{ "begin a apply 1 1", "begin b apply 1 1" },
		{ "begin a fly 1 1" },
		{ "begin a apply 1" },
		{ "begin a apply 1 1", "board GPU-1 0 on:9@4+4=x on" },
		{ "begin a apply 1 1", "board GPU-1 0 on:9@99+4=x on:" },
		{ "begin a apply 1 1", "board GPU-1 0 off:9@4+4=x on:" },
		{ "begin a apply 1 1", "board GPU-1 0 on: on:", "go", "step 2 create GPU-1" },
		{ "begin a apply 1 1", "board GPU-1 0 on: on:", "go", "done 1" },
		{ "begin a apply 1 1", "board GPU-1 0 on: on:", "go", "end maybe" },
		{ "begin a apply 1 1", "board GPU-1 0 on: on:", "go", "board GPU-2 0 on: on:" },
		{ "begin a apply 1 1", "board GPU-1 0 on: on:", "step 1 create GPU-1" },
		{ "what" },
	};
	struct gm_mig_past *p = calloc(1, sizeof(*p));

	(void)state;
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf text = { 0 };

		for (uint32_t k = 0; k < 4 && rows[i][k]; k++)
			gm_mig_line_add(&text, k + 1, gm_str(rows[i][k]));
		assert_int_equal(gm_mig_journal_parse(gm_buf_str(&text), p, NULL), GM_ERR_CORRUPT);
	}
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_journal_is_read_back),
		cmocka_unit_test(test_journal_every_prefix_is_understood),
		cmocka_unit_test(test_journal_damage_is_seen_at_every_byte),
		cmocka_unit_test(test_damaged_journal_is_put_aside),
		cmocka_unit_test(test_records_that_make_no_sense_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
