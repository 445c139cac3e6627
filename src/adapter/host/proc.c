/* SPDX-License-Identifier: MIT */
#include "adapter/host/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "base/parse.h"

#define PASSWD_LINE 512
#define CGROUP_BYTES 8192

static void dir_close(DIR *d)
{
	if (d)
		(void)closedir(d);
}
GM_DEFINE_AUTO(DIR, dir_close)
static void file_close(FILE *f)
{
	if (f)
		(void)fclose(f);
}
GM_DEFINE_AUTO(FILE, file_close)

static bool proc_path(char out[static PATH_MAX], const char *root, uint32_t pid, const char *name)
{
	int n = snprintf(out, PATH_MAX, "%s/proc/%u%s%s", root, pid, name[0] ? "/" : "", name);

	return n > 0 && n < PATH_MAX;
}

/* At most size - 1 bytes of a file of a process, NUL-ended; -1: it cannot be read. */
static ssize_t read_proc(const char *root, uint32_t pid, const char *name, char *buf, size_t size)
{
	char path[PATH_MAX];
	size_t n = 0;

	GM_AUTO(gm_fd_close_p)
	int fd = proc_path(path, root, pid, name) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return -1;
	while (n < size - 1) {
		ssize_t got = read(fd, buf + n, size - 1 - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	buf[n] = '\0';
	return (ssize_t)n;
}

/* A process names itself as it likes: what cannot be shown becomes '?'. */
static void copy_plain(struct gm_str s, char *out, size_t size)
{
	size_t n = 0;

	while (s.n && n + 1 < size) {
		size_t length = gm_str_utf8_length(s);
		if (length == 0 || !gm_str_plain_ok(gm_str_n(s.p, length))) {
			out[n++] = '?';
			length = 1;
		} else if (n + length < size) {
			memcpy(out + n, s.p, length);
			n += length;
		} else {
			break;
		}
		s = gm_str_n(s.p + length, s.n - length);
	}
	out[n] = '\0';
}

static int read_name(const char *root, uint32_t pid, struct gm_proc *out, struct gm_err *err)
{
	char text[512];
	ssize_t n = read_proc(root, pid, "comm", text, sizeof(text));

	if (n < 0)
		return gm_fail(err, GM_ERR_NOT_FOUND, "no process %u", pid);
	copy_plain(gm_str_trim(gm_str_n(text, (size_t)n)), out->name, sizeof(out->name));
	return 0;
}

static bool read_uid(const char *root, uint32_t pid, uint64_t *out)
{
	char text[4096];
	struct gm_str rest, line;
	ssize_t n = read_proc(root, pid, "status", text, sizeof(text));

	rest = gm_str_n(text, n > 0 ? (size_t)n : 0);
	while (gm_str_split(&rest, '\n', &line)) {
		const struct gm_str key = GM_STR("Uid:\t");
		if (!gm_str_starts(line, key))
			continue;
		line = gm_str_n(line.p + key.n, line.n - key.n);
		return gm_parse_u64(gm_str_n(line.p, gm_str_find(line, '\t')), 0, UINT32_MAX, out);
	}
	return false;
}

/* The file itself, not the name service: nothing of ours may wait for a directory server. */
static void find_user(const char *root, uint64_t uid, char *out, size_t size)
{
	char path[PATH_MAX], line[PASSWD_LINE];

	(void)snprintf(out, size, "%llu", (unsigned long long)uid);
	int n = snprintf(path, sizeof(path), "%s/etc/passwd", root);
	GM_AUTO(file_close_p) FILE *f = n > 0 && n < PATH_MAX ? fopen(path, "re") : NULL;
	while (f && fgets(line, sizeof(line), f)) {
		struct gm_str rest = gm_str(line), name, password, number;
		uint64_t value;
		if (gm_str_split(&rest, ':', &name) && gm_str_split(&rest, ':', &password) &&
		    gm_str_split(&rest, ':', &number) && gm_parse_u64(number, 0, UINT32_MAX, &value) && value == uid &&
		    name.n) {
			copy_plain(name, out, size);
			return;
		}
	}
}

/* "0::/kubepods.slice/...", or a line a controller; any that names a pod will do. */
static void read_cgroup(const char *root, uint32_t pid, struct gm_proc *out)
{
	char text[CGROUP_BYTES];
	struct gm_str rest, line, part;
	ssize_t n = read_proc(root, pid, "cgroup", text, sizeof(text));

	rest = gm_str_n(text, n > 0 ? (size_t)n : 0);
	while (gm_str_split(&rest, '\n', &line))
		if (gm_str_split(&line, ':', &part) && gm_str_split(&line, ':', &part) &&
		    gm_cgroup_pod(line, out->pod_uid, out->container_id))
			return;
}

/* The kubelet keeps a folder of logs for each pod: "<namespace>_<name>_<uid>". Neither of the three holds a '_'. */
static void find_pod(const char *root, struct gm_proc *out)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/var/log/pods", root);
	GM_AUTO(dir_close_p) DIR *d = n > 0 && n < PATH_MAX ? opendir(path) : NULL;
	const struct dirent *e;

	while (d && (e = readdir(d))) {
		struct gm_str rest = gm_str(e->d_name), namespace_, name;
		if (!gm_str_split(&rest, '_', &namespace_) || !gm_str_split(&rest, '_', &name) ||
		    !gm_str_is(rest, out->pod_uid))
			continue;
		if (gm_str_copy(namespace_, out->namespace_, sizeof(out->namespace_)) &&
		    gm_str_copy(name, out->pod, sizeof(out->pod)))
			return;
		out->namespace_[0] = out->pod[0] = '\0';
		return;
	}
}

int gm_proc_read(const char *root, uint32_t pid, struct gm_proc *out, struct gm_err *err)
{
	struct gm_proc p = { 0 };
	uint64_t uid;
	int rc = read_name(root, pid, &p, err);

	if (rc != 0)
		return rc;
	if (read_uid(root, pid, &uid))
		find_user(root, uid, p.user, sizeof(p.user));
	read_cgroup(root, pid, &p);
	if (p.pod_uid[0])
		find_pod(root, &p);
	*out = p;
	return 0;
}

bool gm_proc_exists(const char *root, uint32_t pid)
{
	char path[PATH_MAX];

	return proc_path(path, root, pid, "") && access(path, F_OK) == 0;
}
