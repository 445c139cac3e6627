/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "adapter/nvmlsim/world-internal.h"

static void robust_init(pthread_mutex_t *m)
{
	pthread_mutexattr_t attr;
	(void)pthread_mutexattr_init(&attr);
	(void)pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	(void)pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	(void)pthread_mutex_init(m, &attr);
	(void)pthread_mutexattr_destroy(&attr);
}

bool nvs_robust_lock(pthread_mutex_t *m)
{
	bool died = pthread_mutex_lock(m) == EOWNERDEAD;
	if (died)
		(void)pthread_mutex_consistent(m);
	return died;
}

void nvs_file_lock(struct nvs_file *f)
{
	if (nvs_robust_lock(&f->lock))
		f->torn = true;
}

void nvs_word_bump(_Atomic uint32_t *word)
{
	atomic_fetch_add(word, 1);
	(void)syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* Not a condition variable: a waiter that is killed in one leaves it unusable for the others. */
void nvs_word_wait(_Atomic uint32_t *word, uint32_t seen, int64_t ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	(void)syscall(SYS_futex, word, FUTEX_WAIT, seen, ms < 0 ? NULL : &t, NULL, 0);
}

static void begin_file(struct nvs_file *f)
{
	f->magic = NVS_FILE_MAGIC;
	f->version = NVS_FILE_VERSION;
	f->size = sizeof(*f);
	robust_init(&f->lock);
	robust_init(&f->driver);
}

int nvs_file_new(struct nvs_file **out, struct gm_err *err)
{
	struct nvs_file *f = mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (f == MAP_FAILED)
		return gm_fail_errno(err, errno, "no memory for the world");
	begin_file(f);
	*out = f;
	return 0;
}

void nvs_file_unmap(struct nvs_file *f)
{
	if (f)
		(void)munmap(f, sizeof(*f));
}

static int map(int fd, const char *path, struct nvs_file **out, struct gm_err *err)
{
	struct nvs_file *f = mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (f == MAP_FAILED)
		return gm_fail_errno(err, errno, "%s", path);
	*out = f;
	return 0;
}

static int open_existing(const char *path, struct nvs_file **out, struct gm_err *err)
{
	GM_AUTO(gm_fd_close_p) int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	struct nvs_file *f = NULL;
	if (fd < 0 || fstat(fd, &st) < 0)
		return gm_fail_errno(err, errno, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_size != (off_t)sizeof(*f))
		return gm_fail(err, GM_ERR_CORRUPT, "%s: not a world of this version; remove it", path);
	int rc = map(fd, path, &f, err);
	if (rc < 0 || !f)
		return rc;
	if (f->magic != NVS_FILE_MAGIC || f->version != NVS_FILE_VERSION || f->size != sizeof(*f)) {
		nvs_file_unmap(f);
		return gm_fail(err, GM_ERR_CORRUPT, "%s: not a world of this version; remove it", path);
	}
	*out = f;
	return 0;
}

/*
 * A whole world under a name of its own; link() then lets one process be first. *out stays NULL when another one was.
 */
static int make_new(const char *path, int (*begin)(void *ctx, struct nvs_file *f, struct gm_err *err), void *ctx,
		    struct nvs_file **out, struct gm_err *err)
{
	char name[PATH_MAX];
	if (snprintf(name, sizeof(name), "%s.XXXXXX", path) >= (int)sizeof(name))
		return gm_fail(err, GM_ERR_INVALID, "the state folder's name is too long");
	GM_AUTO(gm_fd_close_p) int fd = mkostemp(name, O_CLOEXEC);
	struct nvs_file *f = NULL;
	if (fd < 0)
		return gm_fail_errno(err, errno, "%s: cannot be made", path);
	/* With its room: a hole that a full disk cannot fill kills whoever writes there. */
	int full = posix_fallocate(fd, 0, (off_t)sizeof(*f));
	int rc = full ? gm_fail_errno(err, full, "%s: cannot be made", path) : map(fd, path, &f, err);
	if (rc == 0 && f) {
		begin_file(f);
		rc = begin(ctx, f, err);
	}
	bool first = rc == 0 && link(name, path) == 0;
	if (rc == 0 && !first && errno != EEXIST)
		rc = gm_fail_errno(err, errno, "%s: cannot be made", path);
	(void)unlink(name);
	if (first)
		*out = f;
	else
		nvs_file_unmap(f);
	return rc;
}

int nvs_file_open(const char *state, int (*begin)(void *ctx, struct nvs_file *f, struct gm_err *err), void *ctx,
		  struct nvs_file **out, bool *out_made, struct gm_err *err)
{
	char path[PATH_MAX];
	struct nvs_file *made = NULL;
	if (snprintf(path, sizeof(path), "%s/world", state) >= (int)sizeof(path))
		return gm_fail(err, GM_ERR_INVALID, "the state folder's name is too long");
	if (mkdir(state, 0700) < 0 && errno != EEXIST)
		return gm_fail_errno(err, errno, "%s: cannot be made", state);
	if (access(path, F_OK) < 0 && errno == ENOENT) {
		int rc = make_new(path, begin, ctx, &made, err);
		if (rc < 0)
			return rc;
	}
	*out_made = made != NULL;
	if (!made)
		return open_existing(path, out, err);
	*out = made;
	return 0;
}
