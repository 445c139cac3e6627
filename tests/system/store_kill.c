/* SPDX-License-Identifier: MIT */
/*
 * kill -9 while the store writes: what it acknowledged is there afterwards.
 *   store-kill [COUNT [SEED]]
 * A child writes keys, audit rows and samples, lets maintenance run, and tells each acknowledgement through a pipe; the
 * parent kills it after a number of them that the seed chooses, mostly in the middle of the next, opens the
 * database and looks. The next child goes on with the same database. Prints TAP.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapter/store/store.h"
#include "base/alloc.h"
#include "base/hash.h"
#include "base/parse.h"
#include "core/auth/auth.h"

#define T0 INT64_C(1772323200000)
#define STEP_MS INT64_C(20000)
#define SERIES 20
#define KINDS 3

/* Acknowledged so far, of each kind. */
struct count {
	int64_t keys, audits, ticks;
};

struct job {
	const struct gm_auth_store *auth;
	int64_t number;
	bool key;
};

static int run_job(void *ctx, struct gm_err *err)
{
	struct job *j = ctx;
	struct gm_key key = { .role = GM_ROLE_VIEWER, .created_ms = T0 };
	const struct gm_audit row = { .at_ms = j->number, .actor = GM_STR("child"), .action = GM_STR("kill.test") };

	if (!j->key)
		return j->auth->append_audit(j->auth->ctx, &row, 1, err);
	(void)snprintf(key.name, sizeof(key.name), "key %lld", (long long)j->number);
	gm_digest(gm_str(key.name), key.digest);
	return j->auth->add_key(j->auth->ctx, &key, &row, err);
}

static int open_store(const char *url, struct gm_manual_clock *clock, struct gm_store **out)
{
	struct gm_err err = { 0 };
	const struct gm_store_conf conf = {
		.url = url, .clock = &clock->clock, .sort_after_ms = 1, .checkpoint_pages = 30
	};

	if (gm_store_open(&conf, out, &err) == 0)
		return 0;
	printf("# %s\n", err.text);
	return -1;
}

static void append_tick(struct gm_store *s, int64_t tick)
{
	const struct gm_fleet_store *f = gm_store_fleet(s);
	struct gm_sample_row rows[SERIES];
	bool more = false;

	for (uint32_t i = 0; i < SERIES; i++) {
		rows[i] = (struct gm_sample_row){ .series = i + 1, .sample = { .at_ms = T0 + tick * STEP_MS } };
		gm_sample_set(&rows[i].sample, GM_FIELD_ENERGY, tick * 1000 + i, GM_MEASURED, GM_SOURCE_SIM);
	}
	if (f->append(f->ctx, rows, SERIES, NULL) || f->maintain(f->ctx, T0 + tick * STEP_MS, &more, NULL))
		_exit(3);
}

/* Never comes back. */
static void child(const char *url, int fd, struct count c)
{
	struct gm_manual_clock clock;
	struct gm_store *s = NULL;

	gm_manual_clock_init(&clock, T0);
	if (open_store(url, &clock, &s))
		_exit(2);
	for (int64_t turn = 0;; turn++) {
		const char kind = "kat"[turn % KINDS];
		struct job j = { .auth = gm_store_auth(s), .key = kind == 'k' };
		gm_manual_clock_advance(&clock, STEP_MS);
		j.number = kind == 'k' ? c.keys++ : c.audits;
		if (kind == 't')
			append_tick(s, c.ticks++);
		else if (run_job(&j, NULL))
			_exit(4);
		c.audits += kind == 'a';
		if (write(fd, &kind, 1) != 1)
			_exit(0);
	}
}

static int see_key(void *ctx, const struct gm_key *key, struct gm_err *err)
{
	int64_t *count = ctx;
	char name[40];

	(void)snprintf(name, sizeof(name), "key %lld", (long long)*count);
	if (strcmp(name, key->name) != 0)
		return gm_fail(err, GM_ERR_CORRUPT, "'%s' instead of '%s'", key->name, name);
	++*count;
	return 0;
}

/* Newest first; the chain is proved by each row's digest and its link to the one after it. */
struct audit_walk {
	int64_t rows, seq;
	uint8_t want[GM_DIGEST_BYTES];
};

static int see_audit(void *ctx, const struct gm_audit *row, struct gm_err *err)
{
	struct audit_walk *w = ctx;
	uint8_t digest[GM_DIGEST_BYTES];

	gm_audit_digest(row, digest);
	if (memcmp(digest, row->digest, sizeof(digest)) != 0 ||
	    (w->rows && (row->seq != w->seq - 1 || memcmp(row->digest, w->want, sizeof(digest)) != 0)))
		return gm_fail(err, GM_ERR_CORRUPT, "the audit chain breaks at row %lld", (long long)row->seq);
	(void)memcpy(w->want, row->previous, sizeof(w->want));
	w->seq = row->seq;
	w->rows++;
	return 0;
}

struct ticks {
	int64_t next[SERIES + 1];
};

static bool see_sample(void *ctx, const struct gm_sample_row *row)
{
	struct ticks *t = ctx;
	const int64_t tick = t->next[row->series];

	if (row->sample.at_ms != T0 + tick * STEP_MS ||
	    row->sample.value[GM_FIELD_ENERGY] != tick * 1000 + (int64_t)row->series - 1)
		return false;
	t->next[row->series]++;
	return true;
}

/* Everything acknowledged is there; of what was under way, all or nothing. Counts it. */
static int verify(const char *url, struct count *c)
{
	struct gm_manual_clock clock;
	GM_AUTO(gm_store_close_p) struct gm_store *s = NULL;
	struct gm_err err = { 0 };
	struct audit_walk walk = { 0 };
	struct ticks ticks = { 0 };
	int64_t keys = 0;
	const struct gm_audit_query all = { .limit = 1000000 };

	gm_manual_clock_init(&clock, T0);
	if (open_store(url, &clock, &s))
		return -1;
	const struct gm_auth_store *a = gm_store_auth(s);
	int r = a->load_keys(a->ctx, see_key, &keys, &err);
	if (!r)
		r = a->read_audit(a->ctx, &all, see_audit, &walk, &err);
	if (!r)
		r = gm_store_each_sample(s, T0, see_sample, &ticks, &err);
	if (!r)
		r = gm_store_check(s, &err);
	if (r) {
		printf("# %s\n", err.text);
		return -1;
	}
	const int64_t audits = walk.rows - keys;
	bool same = walk.rows == 0 || walk.seq == 1;
	for (int i = 2; i <= SERIES; i++)
		same = same && ticks.next[i] == ticks.next[1];
	if (!same || keys < c->keys || keys > c->keys + 1 || audits < c->audits || audits > c->audits + 1 ||
	    ticks.next[1] < c->ticks || ticks.next[1] > c->ticks + 1) {
		printf("# told %lld keys, %lld rows, %lld ticks; there are %lld, %lld, %lld\n", (long long)c->keys,
		       (long long)c->audits, (long long)c->ticks, (long long)keys, (long long)audits,
		       (long long)ticks.next[1]);
		return -1;
	}
	*c = (struct count){ .keys = keys, .audits = audits, .ticks = ticks.next[1] };
	return 0;
}

/* Reads acknowledgements, kills at the one chosen, and counts those that were still under way in the pipe. */
static int kill_once(const char *url, uint64_t random, struct count *c)
{
	int fds[2], status = 0;
	uint64_t left = random % 40;
	char kind = 0;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return -1;
	(void)fflush(stdout);
	const pid_t pid = fork();
	if (pid == 0) {
		(void)close(fds[0]);
		child(url, fds[1], *c);
	}
	(void)close(fds[1]);
	/* With nothing to read first, the kill falls into opening. */
	for (bool killed = false;;) {
		if (left-- == 0 && !killed) {
			for (volatile uint64_t spin = random >> 32 & 0xfffff; spin; spin--)
				;
			(void)kill(pid, SIGKILL);
			killed = true;
		}
		if (read(fds[0], &kind, 1) != 1)
			break;
		c->keys += kind == 'k';
		c->audits += kind == 'a';
		c->ticks += kind == 't';
	}
	(void)close(fds[0]);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
		printf("# the child ended by itself: %d\n", WEXITSTATUS(status));
		return -1;
	}
	return verify(url, c);
}

static void clean(const char *folder)
{
	static const char *const names[] = { "kill.db", "kill.db-wal", "kill.db-shm", "kill.db-lock",
					     "kill.db-journal" };
	char path[300];

	for (size_t i = 0; i < GM_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(folder);
}

int main(int argc, char **argv)
{
	uint64_t count = 20, seed = 1;
	char folder[] = "/tmp/gm-kill-XXXXXX", url[100];
	struct count c = { 0 };
	int failed = 0;

	if ((argc > 1 && !gm_parse_u64(gm_str(argv[1]), 1, 100000, &count)) ||
	    (argc > 2 && !gm_parse_u64(gm_str(argv[2]), 0, UINT32_MAX, &seed)) || !mkdtemp(folder)) {
		(void)fprintf(stderr, "usage: store-kill [COUNT [SEED]]\n");
		return 2;
	}
	(void)snprintf(url, sizeof(url), "sqlite:%s/kill.db", folder);
	printf("1..%llu\n", (unsigned long long)count);
	for (uint64_t i = 0; i < count; i++) {
		const bool ok = !failed && kill_once(url, gm_hash_u64(seed << 32 | i), &c) == 0;
		printf("%sok %llu - kill -9, then %lld keys, %lld audit rows, %lld ticks are there\n", ok ? "" : "not ",
		       (unsigned long long)i + 1, (long long)c.keys, (long long)c.audits, (long long)c.ticks);
		failed += !ok;
	}
	clean(folder);
	return failed != 0;
}
