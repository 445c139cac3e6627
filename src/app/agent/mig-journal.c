/* SPDX-License-Identifier: MIT */
#include "app/agent/mig-journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/parse.h"

/* A change of all boards is about 60 KB; what is longer is not ours. */
#define JOURNAL_MAX_BYTES (1 << 20)
#define JOURNAL_ROOM (256 << 10)

static bool word(struct gm_str *rest, struct gm_str *out)
{
	return gm_str_split(rest, ' ', out) && out->n > 0;
}

static bool take_number(struct gm_str *rest, uint32_t expected, uint32_t *out)
{
	struct gm_str text;
	uint64_t n;

	if (!word(rest, &text) || !gm_parse_u64(text, 1, UINT32_MAX, &n) || n != expected)
		return false;
	*out = (uint32_t)n;
	return true;
}

static bool read_begin(struct gm_str rest, struct gm_mig_past *p)
{
	struct gm_str id, kind, remove, keep;

	if (p->records > 0 || !word(&rest, &id) || !word(&rest, &kind) || !word(&rest, &remove) || !word(&rest, &keep))
		return false;
	p->kind = GM_MIG_APPLY;
	while (p->kind < GM_MIG_RECOVER && !gm_str_is(kind, gm_mig_kind_name(p->kind)))
		p->kind++;
	p->remove_unused = gm_str_is(remove, "1");
	p->keep = gm_str_is(keep, "1");
	return p->kind < GM_MIG_RECOVER && gm_str_copy(id, p->id, sizeof(p->id));
}

static bool read_board(struct gm_str rest, struct gm_mig_past *p)
{
	struct gm_mig_change *c = &p->changes[p->count];
	struct gm_str uuid, resets, before, wanted;

	if (p->records == 0 || p->going || p->count >= GM_MIG_BOARDS_MAX)
		return false;
	if (!word(&rest, &uuid) || !word(&rest, &resets) || !word(&rest, &before) || !word(&rest, &wanted))
		return false;
	c->resets = gm_str_is(resets, "1");
	if (!gm_str_copy(uuid, c->uuid, sizeof(c->uuid)) || !gm_mig_state_parse(before, &c->before) ||
	    !gm_mig_state_parse(wanted, &c->wanted))
		return false;
	p->count++;
	return true;
}

static bool read_end(struct gm_str rest, struct gm_mig_past *p)
{
	struct gm_str outcome;

	if (!word(&rest, &outcome))
		return false;
	for (enum gm_mig_outcome o = GM_MIG_OUTCOME_NEW; o <= GM_MIG_OUTCOME_STUCK; o++) {
		if (gm_str_is(outcome, gm_mig_outcome_name(o)))
			p->outcome = o;
	}
	(void)gm_str_copy(rest, p->text, sizeof(p->text));
	return p->outcome != GM_MIG_OUTCOME_NONE;
}

static bool read_record(struct gm_str body, struct gm_mig_past *p)
{
	struct gm_str rest = body, verb;

	if (!word(&rest, &verb) || p->outcome != GM_MIG_OUTCOME_NONE)
		return false;
	if (gm_str_is(verb, "begin"))
		return read_begin(rest, p);
	if (gm_str_is(verb, "board"))
		return read_board(rest, p);
	if (gm_str_is(verb, "go"))
		return p->count > 0 && !p->going && (p->going = true);
	if (!p->going)
		return false;
	if (gm_str_is(verb, "step"))
		return take_number(&rest, p->begun + 1, &p->begun);
	if (gm_str_is(verb, "done"))
		return take_number(&rest, p->begun, &p->done);
	if (gm_str_is(verb, "back")) {
		(void)gm_str_copy(rest, p->text, sizeof(p->text));
		p->back = true;
		return true;
	}
	return gm_str_is(verb, "end") && read_end(rest, p);
}

int gm_mig_journal_parse(struct gm_str text, struct gm_mig_past *out, struct gm_err *err)
{
	struct gm_str rest = text;

	*out = (struct gm_mig_past){ 0 };
	while (rest.n > 0) {
		size_t end = gm_str_find(rest, '\n');
		struct gm_str line = gm_str_n(rest.p, end), body;

		if (end == rest.n || !gm_mig_line_read(line, out->records + 1, &body)) {
			/* Only the last line may be half written. */
			if (end + 1 < rest.n)
				return gm_fail(err, GM_ERR_CORRUPT, "record %" PRIu32 " of the journal is damaged",
					       out->records + 1);
			out->torn = true;
			return 0;
		}
		if (!read_record(body, out))
			return gm_fail(err, GM_ERR_CORRUPT, "record %" PRIu32 " of the journal makes no sense: %.*s",
				       out->records + 1, GM_STR_ARG(body));
		out->records++;
		out->good_bytes += end + 1;
		rest = gm_str_n(rest.p + end + 1, rest.n - end - 1);
	}
	return 0;
}

static int read_all(int fd, struct gm_buf *out, struct gm_err *err)
{
	for (;;) {
		char *room = gm_buf_reserve(out, 4096);
		ssize_t n;

		if (!room || out->n > JOURNAL_MAX_BYTES)
			return gm_fail(err, GM_ERR_CORRUPT, "the journal is longer than any that is ours");
		n = pread(fd, room, 4096, (off_t)out->n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gm_fail_errno(err, errno, "cannot read the journal");
		if (n == 0)
			return 0;
		gm_buf_advance(out, (size_t)n);
	}
}

static int make_folder(const char *dir, struct gm_err *err)
{
	char path[512];

	if (dir[0] == '\0' || !gm_str_copy(gm_str(dir), path, sizeof(path)))
		return gm_fail(err, GM_ERR_INVALID, "'%s': not the path of a state folder", dir);
	for (char *p = path + 1;; p++) {
		char was = *p;

		if (was != '/' && was != '\0')
			continue;
		*p = '\0';
		if (mkdir(path, 0700) != 0 && errno != EEXIST)
			return gm_fail_errno(err, errno, "%s: cannot make the state folder", path);
		*p = was;
		if (was == '\0')
			return 0;
	}
}

static int open_in(const char *dir, const char *name, int *out_fd, struct gm_err *err)
{
	char path[512];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
		return gm_fail(err, GM_ERR_INVALID, "%s: the path is too long", dir);
	*out_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*out_fd < 0)
		return gm_fail_errno(err, errno, "%s: cannot open it", path);
	return 0;
}

static int sync_dir(const char *dir, struct gm_err *err)
{
	GM_AUTO(gm_fd_close_p) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) != 0)
		return gm_fail_errno(err, errno, "%s: cannot sync it", dir);
	return 0;
}

/* What cannot be read is kept for whoever wants to know, and an empty journal takes its place. */
static int put_aside(const char *dir, struct gm_mig_journal *j, struct gm_err *err)
{
	char path[512], aside[512];

	(void)snprintf(path, sizeof(path), "%s/mig-journal", dir);
	if ((size_t)snprintf(aside, sizeof(aside), "%s/mig-journal.damaged", dir) >= sizeof(aside))
		return gm_fail(err, GM_ERR_INVALID, "%s: the path is too long", dir);
	if (rename(path, aside) != 0)
		return gm_fail_errno(err, errno, "%s: cannot put it aside", path);
	gm_fd_close(j->fd);
	j->fd = -1;
	j->records = 0;
	j->bytes = 0;
	return open_in(dir, "mig-journal", &j->fd, err);
}

static int take_past(const char *dir, struct gm_mig_journal *j, struct gm_mig_past *past, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf text = { 0 };
	struct gm_err damage = { 0 };
	int rc = read_all(j->fd, &text, &damage);

	if (rc == 0)
		rc = gm_mig_journal_parse(gm_buf_str(&text), past, &damage);
	if (rc == GM_ERR_CORRUPT) {
		*past = (struct gm_mig_past){ 0 };
		rc = put_aside(dir, j, err);
		return rc ? rc
			  : gm_fail(err, GM_ERR_CORRUPT, "%s; it was put aside as %s/mig-journal.damaged", damage.text,
				    dir);
	}
	if (rc)
		return gm_fail(err, rc, "%s", damage.text);
	j->records = past->records;
	j->bytes = past->good_bytes;
	if (past->torn && (ftruncate(j->fd, (off_t)past->good_bytes) != 0 || fdatasync(j->fd) != 0))
		return gm_fail_errno(err, errno, "%s/mig-journal: cannot cut a torn record off", dir);
	return 0;
}

int gm_mig_lock(const char *dir, const char *name, int *out_fd, struct gm_err *err)
{
	GM_AUTO(gm_fd_close_p) int fd = -1;
	int rc = make_folder(dir, err);

	if (rc == 0)
		rc = open_in(dir, name, &fd, err);
	if (rc)
		return rc;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK ? gm_fail(err, GM_ERR_BUSY, "%s/%s is held by another process", dir, name)
					    : gm_fail_errno(err, errno, "%s/%s: cannot lock it", dir, name);
	*out_fd = fd;
	fd = -1;
	return 0;
}

int gm_mig_journal_open(const char *dir, struct gm_mig_journal *out, struct gm_mig_past *out_past, struct gm_err *err)
{
	struct gm_mig_journal j = GM_MIG_JOURNAL_NONE;
	struct gm_mig_past *past = out_past ? out_past : gm_try_alloc(sizeof(*past));
	int rc;

	if (!past)
		return gm_fail(err, GM_ERR_NO_MEMORY, "no memory for the journal");
	rc = gm_mig_lock(dir, "mig-lock", &j.lock_fd, err);
	if (rc == 0)
		rc = open_in(dir, "mig-journal", &j.fd, err);
	if (rc == 0)
		rc = sync_dir(dir, err);
	if (rc == 0)
		rc = take_past(dir, &j, past, err);
	if (past != out_past)
		free(past);
	if (rc != 0 && !(rc == GM_ERR_CORRUPT && j.fd >= 0)) {
		gm_mig_journal_close(&j);
		return rc;
	}
	*out = j;
	return rc;
}

void gm_mig_journal_close(struct gm_mig_journal *j)
{
	gm_fd_close(j->fd);
	gm_fd_close(j->lock_fd); /* the lock goes with it */
	*j = GM_MIG_JOURNAL_NONE;
}

static int write_all(const struct gm_mig_journal *j, const struct gm_buf *text, struct gm_err *err)
{
	size_t at = 0;

	while (at < text->n) {
		ssize_t n = pwrite(j->fd, text->p + at, text->n - at, (off_t)(j->bytes + at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return gm_fail_errno(err, n < 0 ? errno : EIO, "cannot write the journal");
		at += (size_t)n;
	}
	if (fdatasync(j->fd) != 0)
		return gm_fail_errno(err, errno, "cannot sync the journal");
	return 0;
}

static int write_synced(struct gm_mig_journal *j, const struct gm_buf *text, uint32_t records, struct gm_err *err)
{
	int rc = text->failed ? gm_fail(err, GM_ERR_NO_MEMORY, "no memory for the journal") : write_all(j, text, err);

	if (rc) {
		/* Half a record behind the whole ones; the next one is written over it where it cannot be cut off. */
		int ignored = ftruncate(j->fd, (off_t)j->bytes);

		(void)ignored;
		return rc;
	}
	j->bytes += text->n;
	j->records += records;
	return 0;
}

static int add_record(struct gm_mig_journal *j, const struct gm_buf *body, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf line = { 0 };

	gm_mig_line_add(&line, j->records + 1, gm_buf_str(body));
	line.failed |= body->failed;
	return write_synced(j, &line, 1, err);
}

int gm_mig_journal_begin(struct gm_mig_journal *j, const struct gm_mig_job *job, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf text = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf body = { 0 };
	uint32_t n = 0;

	gm_buf_addf(&body, "begin %s %s %d %d", job->id, gm_mig_kind_name(job->kind), job->remove_unused, job->keep);
	n++;
	gm_mig_line_add(&text, n, gm_buf_str(&body));
	for (uint32_t i = 0; i < job->count; i++) {
		gm_buf_reset(&body);
		gm_buf_addf(&body, "board %s %d ", job->changes[i].uuid, job->changes[i].resets);
		gm_mig_state_print(&job->changes[i].before, &body);
		gm_buf_add_char(&body, ' ');
		gm_mig_state_print(&job->changes[i].wanted, &body);
		n++;
		gm_mig_line_add(&text, n, gm_buf_str(&body));
	}
	n++;
	gm_mig_line_add(&text, n, GM_STR("go"));
	text.failed |= body.failed;
	/* The old content is of a change that has ended: to lose it is no harm. */
	if (ftruncate(j->fd, 0) != 0)
		return gm_fail_errno(err, errno, "cannot empty the journal");
	j->bytes = 0;
	j->records = 0;
	/* The records to come have their room now: a full disk must not stop a change half way. */
	if (fallocate(j->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)text.n + JOURNAL_ROOM) != 0 && errno != EOPNOTSUPP)
		return gm_fail_errno(err, errno, "no room for the journal");
	return write_synced(j, &text, n, err);
}

int gm_mig_journal_step(struct gm_mig_journal *j, uint32_t n, const char *uuid, const struct gm_mig_step *step,
			struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf body = { 0 };

	gm_buf_addf(&body, "step %" PRIu32 " %s %s", n, gm_mig_verb_name(step->verb), uuid);
	if (step->verb == GM_MIG_CREATE || step->verb == GM_MIG_DESTROY)
		gm_buf_addf(&body, " %s@%u", step->slice.name, step->slice.start);
	return add_record(j, &body, err);
}

int gm_mig_journal_done(struct gm_mig_journal *j, uint32_t n, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf body = { 0 };

	gm_buf_addf(&body, "done %" PRIu32, n);
	return add_record(j, &body, err);
}

int gm_mig_journal_back(struct gm_mig_journal *j, const char *why, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf body = { 0 };

	gm_buf_addf(&body, "back %s", why);
	return add_record(j, &body, err);
}

int gm_mig_journal_end(struct gm_mig_journal *j, enum gm_mig_outcome outcome, const char *why, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf body = { 0 };

	gm_buf_addf(&body, "end %s %s", gm_mig_outcome_name(outcome), why);
	return add_record(j, &body, err);
}
