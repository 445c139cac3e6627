/* SPDX-License-Identifier: MIT */
#include "adapter/store/place.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/buf.h"

/* From statfs(2) and linux/magic.h. */
static const struct {
	uint32_t magic;
	const char *name;
} network_table[] = {
	{ 0x00006969, "NFS" },	  { 0x0000517B, "SMB" },  { 0x00C36400, "Ceph" }, { 0x01021997, "9p" },
	{ 0x0BD00BD0, "Lustre" }, { 0x5346414F, "AFS" },  { 0x65735546, "FUSE" }, { 0x7461636F, "OCFS2" },
	{ 0xFE534D42, "SMB2" },	  { 0xFF534D42, "CIFS" },
};

const char *gm_place_network_name(long magic)
{
	for (size_t i = 0; i < GM_LEN(network_table); i++) {
		if (network_table[i].magic == (uint32_t)magic)
			return network_table[i].name;
	}
	return NULL;
}

static int check_file_system(const struct gm_place_conf *conf, const char *folder, struct gm_err *err)
{
	struct statfs fs = { 0 };

	if (statfs(folder, &fs) != 0)
		return gm_fail_errno(err, errno, "%s: the folder of the database", folder);
	const char *name = gm_place_network_name(conf->fs_magic ? conf->fs_magic : (long)fs.f_type);
	if (name && !conf->network_allowed)
		return gm_fail(err, GM_ERR_UNSUPPORTED,
			       "%s: lies on a network file system (%s), where a database can be damaged; put it on a "
			       "local disk, "
			       "use PostgreSQL, or allow it explicitly",
			       conf->path, name);
	return 0;
}

static int fail_locked(const char *path, int fd, struct gm_err *err)
{
	char pid[24] = { 0 };
	const ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

	while (n > 0 && pid[0] && (pid[strlen(pid) - 1] < '0' || pid[strlen(pid) - 1] > '9'))
		pid[strlen(pid) - 1] = '\0';
	return gm_fail(err, GM_ERR_BUSY, "%s: another gpu-monitor (process %s) has this database open", path,
		       pid[0] ? pid : "unknown");
}

int gm_place_take(const struct gm_place_conf *conf, int *out_lock_fd, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf folder = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf lock = { 0 };
	struct stat st;

	gm_buf_add_cstr(&folder, conf->path);
	(void)gm_buf_cstr(&folder);
	const int r = check_file_system(conf, dirname(folder.p), err);
	if (r)
		return r;
	if (stat(conf->path, &st) == 0 && !S_ISREG(st.st_mode))
		return gm_fail(err, GM_ERR_INVALID, "%s: is %s, not a database file", conf->path,
			       S_ISDIR(st.st_mode) ? "a directory" : "no plain file");
	gm_buf_addf(&lock, "%s-lock", conf->path);
	GM_AUTO(gm_fd_close_p) int fd = open(gm_buf_cstr(&lock), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return gm_fail_errno(err, errno, "%s: the lock file cannot be made", lock.p);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK ? fail_locked(conf->path, fd, err)
					    : gm_fail_errno(err, errno, "%s: cannot be locked", lock.p);
	if (ftruncate(fd, 0) != 0 || dprintf(fd, "%d\n", (int)getpid()) < 0)
		return gm_fail_errno(err, errno, "%s", lock.p);
	*out_lock_fd = gm_fd_steal(&fd);
	return 0;
}
