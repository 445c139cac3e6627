/* SPDX-License-Identifier: MIT */
#include "crash_vfs.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "base/alloc.h"
#include "base/auto.h"
#include "base/hash.h"

#define FILES_MAX 16
#define SECTOR 512
#define SHM_REGIONS_MAX 64

struct image {
	unsigned char *p;
	size_t n;
	bool exists;
};

/* What was not synced yet. bytes NULL: the file was cut to `offset`. */
struct change {
	struct change *next;
	size_t offset, n;
	unsigned char *bytes;
};

struct file {
	char *name;
	struct image now, synced;
	struct change *changes, **end;
	int opened;
	/* Locks of the file itself: how many connections have which. */
	int shared, reserved, exclusive;
	void *shm[SHM_REGIONS_MAX];
	int shm_users, shm_shared[SQLITE_SHM_NLOCK], shm_exclusive[SQLITE_SHM_NLOCK];
};

struct crash_vfs {
	sqlite3_vfs vfs; /* first: SQLite hands its address back */
	sqlite3_vfs *real;
	pthread_mutex_t mu;
	/* guarded by mu: */
	struct file files[FILES_MAX];
	uint64_t seed, ops, cut_at, fail_at, limit;
	int fail_rc;
	bool fail_stays, failed, cut, read_only;
};

struct handle {
	sqlite3_file base; /* first */
	struct crash_vfs *v;
	struct file *f;
	int level;
	bool unlinked; /* goes away when it is closed */
	bool shm;
	unsigned shm_shared, shm_exclusive;
};

static struct handle *handle_of(sqlite3_file *base)
{
	return (struct handle *)base;
}

static uint64_t next_random(struct crash_vfs *v)
{
	return gm_hash_u64(v->seed++);
}

static void image_set(struct image *i, size_t n)
{
	if (n > i->n) {
		i->p = gm_xrealloc(i->p, n);
		(void)memset(i->p + i->n, 0, n - i->n);
	}
	i->n = n;
}

static void image_write(struct image *i, size_t offset, const void *bytes, size_t n)
{
	if (offset + n > i->n)
		image_set(i, offset + n);
	(void)memcpy(i->p + offset, bytes, n);
	i->exists = true;
}

static void image_fini(struct image *i)
{
	free(i->p);
	*i = (struct image){ 0 };
}

static void changes_fini(struct file *f)
{
	for (struct change *c = f->changes, *next; c; c = next) {
		next = c->next;
		free(c->bytes);
		free(c);
	}
	f->changes = NULL;
	f->end = &f->changes;
}

static void changes_add(struct file *f, size_t offset, const void *bytes, size_t n)
{
	struct change *c = gm_xalloc(sizeof(*c));

	*c = (struct change){ .offset = offset, .n = n, .bytes = bytes ? gm_xmemdup(bytes, n) : NULL };
	*f->end = c;
	f->end = &c->next;
}

static void change_apply(struct image *to, const struct change *c)
{
	if (c->bytes)
		image_write(to, c->offset, c->bytes, c->n);
	else if (c->offset < to->n)
		image_set(to, c->offset);
}

static void file_sync(struct file *f)
{
	for (const struct change *c = f->changes; c; c = c->next)
		change_apply(&f->synced, c);
	changes_fini(f);
	f->synced.exists = f->now.exists;
}

enum keep { KEEP_NONE, KEEP_ALL, KEEP_SOME };

/* Sectors of a write may reach the disk one without the other. */
static void keep_sectors(struct crash_vfs *v, struct image *to, const struct change *c)
{
	for (size_t at = 0, n; at < c->n; at += n) {
		n = SECTOR - (c->offset + at) % SECTOR;
		n = n < c->n - at ? n : c->n - at;
		if (next_random(v) & 1)
			image_write(to, c->offset + at, c->bytes + at, n);
	}
}

static void file_settle(struct crash_vfs *v, struct file *f)
{
	const enum keep keep = (enum keep)(next_random(v) % 3);

	for (const struct change *c = f->changes; c && keep != KEEP_NONE; c = c->next) {
		if (keep == KEEP_ALL || (!c->bytes && (next_random(v) & 1)))
			change_apply(&f->synced, c);
		else if (c->bytes)
			keep_sectors(v, &f->synced, c);
	}
	changes_fini(f);
	image_fini(&f->now);
	if (f->synced.n)
		image_write(&f->now, 0, f->synced.p, f->synced.n);
	f->now.exists = f->synced.exists = f->synced.exists || f->synced.n;
}

static struct file *file_find(struct crash_vfs *v, const char *name)
{
	for (size_t i = 0; i < FILES_MAX; i++) {
		if (v->files[i].name && strcmp(v->files[i].name, name) == 0)
			return &v->files[i];
	}
	return NULL;
}

static struct file *file_new(struct crash_vfs *v, const char *name)
{
	for (size_t i = 0; i < FILES_MAX; i++) {
		struct file *f = &v->files[i];
		if (f->name)
			continue;
		*f = (struct file){ .name = gm_xstrdup(name) };
		f->end = &f->changes;
		return f;
	}
	return NULL;
}

static void file_fini(struct file *f)
{
	changes_fini(f);
	image_fini(&f->now);
	image_fini(&f->synced);
	free(f->name);
	*f = (struct file){ 0 };
}

static uint64_t bytes_of(const struct crash_vfs *v)
{
	uint64_t n = 0;

	for (size_t i = 0; i < FILES_MAX; i++)
		n += v->files[i].name ? v->files[i].now.n : 0;
	return n;
}

/* Each change of the disk passes here. *out_last: this one is the one the power goes at. */
static int op(struct crash_vfs *v, bool *out_last)
{
	*out_last = false;
	if (v->cut)
		return SQLITE_IOERR;
	v->ops++;
	if (v->cut_at && v->ops == v->cut_at) {
		v->cut = true;
		*out_last = true;
		return SQLITE_IOERR;
	}
	if (v->fail_at && (v->ops == v->fail_at || (v->fail_stays && v->ops > v->fail_at))) {
		v->failed = true;
		return v->fail_rc;
	}
	return SQLITE_OK;
}

static bool is_dead(const struct handle *h)
{
	return h->v->cut;
}

static void lock(const struct handle *h)
{
	(void)pthread_mutex_lock(&h->v->mu);
}

static int unlock(const struct handle *h, int rc)
{
	(void)pthread_mutex_unlock(&h->v->mu);
	return rc;
}

static void release(struct handle *h, int level)
{
	struct file *f = h->f;

	if (h->level >= SQLITE_LOCK_EXCLUSIVE && level < SQLITE_LOCK_EXCLUSIVE)
		f->exclusive--;
	if (h->level >= SQLITE_LOCK_RESERVED && level < SQLITE_LOCK_RESERVED)
		f->reserved--;
	if (h->level >= SQLITE_LOCK_SHARED && level < SQLITE_LOCK_SHARED)
		f->shared--;
	h->level = level;
}

static void shm_free(struct file *f)
{
	for (size_t i = 0; i < SHM_REGIONS_MAX; i++) {
		free(f->shm[i]);
		f->shm[i] = NULL;
	}
}

static void shm_release(struct handle *h)
{
	struct file *f = h->f;

	for (unsigned i = 0; i < SQLITE_SHM_NLOCK; i++) {
		f->shm_shared[i] -= (h->shm_shared >> i & 1) != 0;
		f->shm_exclusive[i] -= (h->shm_exclusive >> i & 1) != 0;
	}
	h->shm_shared = h->shm_exclusive = 0;
	if (!h->shm)
		return;
	h->shm = false;
	if (--f->shm_users == 0)
		shm_free(f);
}

static int x_close(sqlite3_file *base)
{
	struct handle *h = handle_of(base);

	lock(h);
	shm_release(h);
	release(h, SQLITE_LOCK_NONE);
	h->f->opened--;
	if (h->unlinked)
		file_fini(h->f);
	return unlock(h, SQLITE_OK);
}

static int x_read(sqlite3_file *base, void *to, int n, sqlite3_int64 offset)
{
	struct handle *h = handle_of(base);
	const size_t at = (size_t)offset, want = (size_t)n;

	lock(h);
	if (is_dead(h))
		return unlock(h, SQLITE_IOERR_READ);
	const struct image *i = &h->f->now;
	const size_t there = at >= i->n ? 0 : i->n - at < want ? i->n - at : want;
	if (there)
		(void)memcpy(to, i->p + at, there);
	(void)memset((char *)to + there, 0, want - there);
	return unlock(h, there == want ? SQLITE_OK : SQLITE_IOERR_SHORT_READ);
}

static int x_write(sqlite3_file *base, const void *bytes, int n, sqlite3_int64 offset)
{
	struct handle *h = handle_of(base);
	const size_t end = (size_t)offset + (size_t)n;
	bool last = false;

	lock(h);
	if (is_dead(h))
		return unlock(h, SQLITE_IOERR_WRITE);
	const int rc = op(h->v, &last);
	if (rc && !last)
		return unlock(h, rc);
	if (h->v->limit && end > h->f->now.n && bytes_of(h->v) + end - h->f->now.n > h->v->limit) {
		h->v->failed = true;
		return unlock(h, SQLITE_FULL);
	}
	image_write(&h->f->now, (size_t)offset, bytes, (size_t)n);
	changes_add(h->f, (size_t)offset, bytes, (size_t)n);
	return unlock(h, rc);
}

static int x_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	struct handle *h = handle_of(base);
	bool last = false;

	lock(h);
	if (is_dead(h))
		return unlock(h, SQLITE_IOERR_TRUNCATE);
	const int rc = op(h->v, &last);
	if (rc && !last)
		return unlock(h, rc);
	if ((size_t)size < h->f->now.n)
		image_set(&h->f->now, (size_t)size);
	changes_add(h->f, (size_t)size, NULL, 0);
	return unlock(h, rc);
}

static int x_sync(sqlite3_file *base, int flags)
{
	struct handle *h = handle_of(base);
	bool last = false;

	(void)flags;
	lock(h);
	if (is_dead(h))
		return unlock(h, SQLITE_IOERR_FSYNC);
	const int rc = op(h->v, &last);
	if (!rc)
		file_sync(h->f);
	return unlock(h, rc);
}

static int x_size(sqlite3_file *base, sqlite3_int64 *out)
{
	struct handle *h = handle_of(base);

	lock(h);
	*out = (sqlite3_int64)h->f->now.n;
	return unlock(h, is_dead(h) ? SQLITE_IOERR_FSTAT : SQLITE_OK);
}

static int x_lock(sqlite3_file *base, int level)
{
	struct handle *h = handle_of(base);

	lock(h);
	struct file *f = h->f;
	if (is_dead(h))
		return unlock(h, SQLITE_IOERR_LOCK);
	const int others = f->shared - (h->level >= SQLITE_LOCK_SHARED);
	if ((f->exclusive && h->level < SQLITE_LOCK_EXCLUSIVE) ||
	    (level >= SQLITE_LOCK_RESERVED && f->reserved && h->level < SQLITE_LOCK_RESERVED) ||
	    (level == SQLITE_LOCK_EXCLUSIVE && others))
		return unlock(h, SQLITE_BUSY);
	f->shared += level >= SQLITE_LOCK_SHARED && h->level < SQLITE_LOCK_SHARED;
	f->reserved += level >= SQLITE_LOCK_RESERVED && h->level < SQLITE_LOCK_RESERVED;
	f->exclusive += level >= SQLITE_LOCK_EXCLUSIVE && h->level < SQLITE_LOCK_EXCLUSIVE;
	h->level = level > h->level ? level : h->level;
	return unlock(h, SQLITE_OK);
}

static int x_unlock(sqlite3_file *base, int level)
{
	struct handle *h = handle_of(base);

	lock(h);
	release(h, level);
	return unlock(h, SQLITE_OK);
}

static int x_check_reserved(sqlite3_file *base, int *out)
{
	struct handle *h = handle_of(base);

	lock(h);
	*out = h->f->reserved > 0;
	return unlock(h, SQLITE_OK);
}

static int x_control(sqlite3_file *base, int what, void *arg)
{
	(void)base;
	(void)what;
	(void)arg;
	return SQLITE_NOTFOUND;
}

static int x_sector(sqlite3_file *base)
{
	(void)base;
	return SECTOR;
}

static int x_characteristics(sqlite3_file *base)
{
	(void)base;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int x_shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **out)
{
	struct handle *h = handle_of(base);

	lock(h);
	*out = NULL;
	if (is_dead(h) || region >= SHM_REGIONS_MAX)
		return unlock(h, SQLITE_IOERR_SHMMAP);
	h->f->shm_users += !h->shm;
	h->shm = true;
	if (!h->f->shm[region] && extend)
		h->f->shm[region] = gm_xalloc((size_t)size);
	*out = h->f->shm[region];
	return unlock(h, SQLITE_OK);
}

static int x_shm_lock(sqlite3_file *base, int first, int count, int flags)
{
	struct handle *h = handle_of(base);
	const unsigned mask = ((1u << count) - 1) << first;
	const bool shared = flags & SQLITE_SHM_SHARED;

	lock(h);
	struct file *f = h->f;
	if (is_dead(h))
		return unlock(h, SQLITE_IOERR_SHMLOCK);
	if (flags & SQLITE_SHM_LOCK) {
		for (int i = first; i < first + count; i++) {
			const int mine = h->shm_shared >> i & 1;
			if (f->shm_exclusive[i] || (!shared && f->shm_shared[i] > mine))
				return unlock(h, SQLITE_BUSY);
		}
	}
	for (int i = first; i < first + count; i++) {
		int *users = shared ? &f->shm_shared[i] : &f->shm_exclusive[i];
		const unsigned held = (shared ? h->shm_shared : h->shm_exclusive) >> i & 1;
		*users += (flags & SQLITE_SHM_LOCK) ? !held : -(int)held;
	}
	unsigned *mine = shared ? &h->shm_shared : &h->shm_exclusive;
	*mine = (flags & SQLITE_SHM_LOCK) ? *mine | mask : *mine & ~mask;
	return unlock(h, SQLITE_OK);
}

static void x_shm_barrier(sqlite3_file *base)
{
	(void)base;
	__sync_synchronize();
}

static int x_shm_unmap(sqlite3_file *base, int remove)
{
	struct handle *h = handle_of(base);

	(void)remove;
	lock(h);
	shm_release(h);
	return unlock(h, SQLITE_OK);
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = x_close,
	.xRead = x_read,
	.xWrite = x_write,
	.xTruncate = x_truncate,
	.xSync = x_sync,
	.xFileSize = x_size,
	.xLock = x_lock,
	.xUnlock = x_unlock,
	.xCheckReservedLock = x_check_reserved,
	.xFileControl = x_control,
	.xSectorSize = x_sector,
	.xDeviceCharacteristics = x_characteristics,
	.xShmMap = x_shm_map,
	.xShmLock = x_shm_lock,
	.xShmBarrier = x_shm_barrier,
	.xShmUnmap = x_shm_unmap,
};

static int open_locked(struct crash_vfs *v, const char *name, struct handle *h, int flags, int *out_flags)
{
	char temporary[32];

	if (v->cut)
		return SQLITE_CANTOPEN;
	if (!name) {
		(void)snprintf(temporary, sizeof(temporary), "?%lu", (unsigned long)next_random(v));
		h->unlinked = true;
	}
	struct file *f = name ? file_find(v, name) : NULL;
	if (!f && !(flags & SQLITE_OPEN_CREATE))
		return SQLITE_CANTOPEN;
	if (f && !f->now.exists && !(flags & SQLITE_OPEN_CREATE))
		return SQLITE_CANTOPEN;
	if (!f)
		f = file_new(v, name ? name : temporary);
	if (!f)
		return SQLITE_CANTOPEN;
	if (v->read_only && name) {
		if (!f->now.exists)
			return SQLITE_CANTOPEN;
		flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
	}
	f->now.exists = true;
	f->opened++;
	h->f = f;
	h->v = v;
	h->base.pMethods = &methods;
	if (out_flags)
		*out_flags = flags;
	return SQLITE_OK;
}

static int x_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *base, int flags, int *out_flags)
{
	struct crash_vfs *v = (struct crash_vfs *)vfs;
	struct handle *h = handle_of(base);

	*h = (struct handle){ 0 };
	(void)pthread_mutex_lock(&v->mu);
	const int rc = open_locked(v, name, h, flags, out_flags);
	(void)pthread_mutex_unlock(&v->mu);
	return rc;
}

static int x_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	struct crash_vfs *v = (struct crash_vfs *)vfs;
	bool last = false;

	(void)pthread_mutex_lock(&v->mu);
	struct file *f = file_find(v, name);
	int rc = f && f->now.exists ? op(v, &last) : SQLITE_IOERR_DELETE_NOENT;
	if (rc == SQLITE_OK) {
		/* What is not known to be deleted may come back as it was synced. */
		changes_fini(f);
		image_fini(&f->now);
		if (sync || (next_random(v) & 1))
			image_fini(&f->synced);
	}
	(void)pthread_mutex_unlock(&v->mu);
	return rc;
}

static int x_access(sqlite3_vfs *vfs, const char *name, int what, int *out)
{
	struct crash_vfs *v = (struct crash_vfs *)vfs;

	(void)what;
	(void)pthread_mutex_lock(&v->mu);
	const struct file *f = file_find(v, name);
	/* As the system's: an empty file counts as none. */
	*out = f && f->now.exists && f->now.n > 0;
	const int rc = v->cut ? SQLITE_IOERR_ACCESS : SQLITE_OK;
	(void)pthread_mutex_unlock(&v->mu);
	return rc;
}

static int x_path(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
	(void)vfs;
	(void)snprintf(out, (size_t)n, "%s", name);
	return SQLITE_OK;
}

static int x_random(sqlite3_vfs *vfs, int n, char *out)
{
	struct crash_vfs *v = (struct crash_vfs *)vfs;

	for (int i = 0; i < n; i++)
		out[i] = (char)next_random(v);
	return n;
}

static int x_sleep(sqlite3_vfs *vfs, int microseconds)
{
	(void)vfs;
	return microseconds; /* nobody else will let go of a lock meanwhile */
}

static int x_time(sqlite3_vfs *vfs, double *out)
{
	struct crash_vfs *v = (struct crash_vfs *)vfs;

	return v->real->xCurrentTime(v->real, out);
}

static int x_last_error(sqlite3_vfs *vfs, int n, char *out)
{
	(void)vfs;
	if (n > 0)
		out[0] = '\0';
	return 0;
}

struct crash_vfs *crash_vfs_new(const char *name, uint64_t seed)
{
	struct crash_vfs *v = gm_xalloc(sizeof(*v));

	v->real = sqlite3_vfs_find(NULL);
	v->seed = seed << 32;
	v->vfs = (sqlite3_vfs){
		.iVersion = 1,
		.szOsFile = sizeof(struct handle),
		.mxPathname = 512,
		.zName = name,
		.xOpen = x_open,
		.xDelete = x_delete,
		.xAccess = x_access,
		.xFullPathname = x_path,
		.xRandomness = x_random,
		.xSleep = x_sleep,
		.xCurrentTime = x_time,
		.xGetLastError = x_last_error,
	};
	(void)pthread_mutex_init(&v->mu, NULL);
	if (sqlite3_vfs_register(&v->vfs, 0) != SQLITE_OK)
		abort();
	return v;
}

void crash_vfs_free(struct crash_vfs *v)
{
	if (!v)
		return;
	(void)sqlite3_vfs_unregister(&v->vfs);
	for (size_t i = 0; i < FILES_MAX; i++) {
		if (v->files[i].name)
			file_fini(&v->files[i]);
	}
	(void)pthread_mutex_destroy(&v->mu);
	free(v);
}

uint64_t crash_vfs_ops(const struct crash_vfs *v)
{
	return v->ops;
}

void crash_vfs_cut_at(struct crash_vfs *v, uint64_t n)
{
	v->cut_at = n ? v->ops + n : 0;
}

bool crash_vfs_is_cut(const struct crash_vfs *v)
{
	return v->cut;
}

void crash_vfs_power_on(struct crash_vfs *v)
{
	v->cut = false;
	v->cut_at = 0;
	for (size_t i = 0; i < FILES_MAX; i++) {
		if (v->files[i].opened)
			abort();
		if (v->files[i].name)
			file_settle(v, &v->files[i]);
	}
}

void crash_vfs_fail_at(struct crash_vfs *v, uint64_t n, int rc, bool stays)
{
	v->fail_at = n ? v->ops + n : 0;
	v->fail_rc = rc;
	v->fail_stays = stays;
	v->failed = false;
}

bool crash_vfs_has_failed(const struct crash_vfs *v)
{
	return v->failed;
}

void crash_vfs_limit(struct crash_vfs *v, uint64_t bytes)
{
	v->limit = bytes;
}

void crash_vfs_read_only(struct crash_vfs *v, bool on)
{
	v->read_only = on;
}

void crash_vfs_damage(struct crash_vfs *v, const char *path, uint64_t offset, const void *bytes, size_t n)
{
	struct file *f = file_find(v, path);

	if (!f)
		abort();
	image_write(&f->now, (size_t)offset, bytes, n);
	image_write(&f->synced, (size_t)offset, bytes, n);
}

uint64_t crash_vfs_bytes(const struct crash_vfs *v)
{
	return bytes_of(v);
}
