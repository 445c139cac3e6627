/* SPDX-License-Identifier: MIT */
#include "adapter/http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/alloc.h"

#define BACKLOG 1024
#define UNIX_PREFIX "unix:"
#define SOCKET_MODE 0660
#define LOCK_TRY_MS 10
#define LOCK_TRIES 100

static bool to_sockaddr(const char *address, uint16_t port, struct sockaddr_storage *out, socklen_t *out_n)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;

	*out = (struct sockaddr_storage){ 0 };
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		*out_n = sizeof(*v4);
		return true;
	}
	if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		*out_n = sizeof(*v6);
		return true;
	}
	return false;
}

static uint16_t port_of(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} sa = { .v6 = { 0 } };
	socklen_t n = sizeof(sa);

	if (getsockname(fd, &sa.any, &n) != 0)
		return 0;
	return ntohs(sa.any.sa_family == AF_INET6 ? sa.v6.sin6_port : sa.v4.sin_port);
}

static int fail_bind(struct gm_err *err, int errnum, const char *address, uint16_t port)
{
	int code = errnum == EADDRINUSE ? GM_ERR_CONFLICT : errnum == EACCES ? GM_ERR_FORBIDDEN : GM_ERR_INVALID;
	const char *what = errnum == EADDRINUSE	     ? "the port is taken"
			   : errnum == EACCES	     ? "not allowed"
			   : errnum == EADDRNOTAVAIL ? "not an address of this machine"
						     : "cannot listen";

	return gm_fail(err, code, "%s port %u: %s", address, port, what);
}

static int listen_tcp(const char *address, uint16_t port, struct gm_listener *out, struct gm_err *err)
{
	struct sockaddr_storage sa;
	socklen_t n;
	int yes = 1, no = 0;

	if (!to_sockaddr(address, port, &sa, &n))
		return gm_fail(err, GM_ERR_INVALID, "'%s': not a numeric address", address);
	GM_AUTO(gm_fd_close_p) int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return gm_fail_errno(err, errno, "socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (sa.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
	if (bind(fd, (struct sockaddr *)&sa, n) != 0 || listen(fd, BACKLOG) != 0)
		return fail_bind(err, errno, address, port);
	*out = (struct gm_listener){ .port = port_of(fd) };
	out->fd = gm_fd_steal(&fd);
	return 0;
}

static int unix_address(const char *path, struct sockaddr_un *out, struct gm_err *err)
{
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	/* An abstract name has no mode: everybody in the network namespace could connect. */
	if (path[0] != '/')
		return gm_fail(err, GM_ERR_INVALID, "'unix:%s': a socket needs an absolute path", path);
	if (!gm_str_copy(gm_str(path), out->sun_path, sizeof(out->sun_path)))
		return gm_fail(err, GM_ERR_INVALID, "'unix:%s': the path of a socket may have at most %zu bytes", path,
			       sizeof(out->sun_path) - 1);
	return 0;
}

/*
 * Two servers that start at once must not both find the socket of a dead one and remove each other's. The folder itself is
 * locked, for a few system calls, so that no lock file is left behind. A file system without locks is taken as it is; and
 * who keeps a lock longer than a start can take is no server: in /run anybody may, and must not keep us from starting.
 */
static int lock_folder(const char *path, int *out_fd, struct gm_err *err)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] != '/')
		n--;
	GM_AUTO(gm_free_p) char *folder = gm_str_dup(gm_str_n(path, n));
	GM_AUTO(gm_fd_close_p) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return gm_fail_errno(err, errno, "'unix:%s': folder '%s'", path, folder);
	for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK && tries < LOCK_TRIES; tries++)
		(void)poll(NULL, 0, LOCK_TRY_MS);
	*out_fd = gm_fd_steal(&fd);
	return 0;
}

/* Makes room for a new socket: what a dead server left is removed. */
static int clear_path(const struct sockaddr_un *sa, struct gm_err *err)
{
	struct stat st;

	if (lstat(sa->sun_path, &st) != 0)
		return errno == ENOENT ? 0 : gm_fail_errno(err, errno, "'unix:%s'", sa->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return gm_fail(err, GM_ERR_CONFLICT, "'unix:%s': a file that is no socket lies there", sa->sun_path);
	GM_AUTO(gm_fd_close_p) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return gm_fail_errno(err, errno, "socket");
	/* Refused is the one answer of a socket that nobody listens on; a full queue (EAGAIN) is somebody's. */
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 || errno != ECONNREFUSED)
		return gm_fail(err, GM_ERR_CONFLICT, "'unix:%s': another server listens there", sa->sun_path);
	return unlink(sa->sun_path) == 0 ? 0 : gm_fail_errno(err, errno, "'unix:%s'", sa->sun_path);
}

static int listen_unix(const char *path, struct gm_listener *out, struct gm_err *err)
{
	struct sockaddr_un sa;
	struct stat st;
	GM_AUTO(gm_fd_close_p) int lock = -1;
	int rc = unix_address(path, &sa, err);

	if (rc == 0)
		rc = lock_folder(path, &lock, err);
	if (rc == 0)
		rc = clear_path(&sa, err);
	if (rc != 0)
		return rc;
	GM_AUTO(gm_fd_close_p) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return gm_fail_errno(err, errno, "socket");
	/* The descriptor's mode bounds that of the file from its first moment; chmod then undoes the umask. */
	(void)fchmod(fd, SOCKET_MODE);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0)
		return gm_fail_errno(err, errno, "'unix:%s'", path);
	if (chmod(path, SOCKET_MODE) != 0 || lstat(path, &st) != 0 || listen(fd, BACKLOG) != 0) {
		rc = gm_fail_errno(err, errno, "'unix:%s'", path);
		(void)unlink(path);
		return rc;
	}
	*out = (struct gm_listener){ .fd = gm_fd_steal(&fd),
				     .is_unix = true,
				     .unix_path = gm_xstrdup(path),
				     .dev = st.st_dev,
				     .ino = st.st_ino };
	return 0;
}

bool gm_http_is_unix(const char *address)
{
	return gm_str_starts(gm_str(address), GM_STR(UNIX_PREFIX));
}

int gm_http_listen(const char *address, uint16_t port, struct gm_listener *out, struct gm_err *err)
{
	if (gm_http_is_unix(address))
		return listen_unix(address + sizeof(UNIX_PREFIX) - 1, out, err);
	return listen_tcp(address, port, out, err);
}

void gm_listener_unlink(struct gm_listener *l)
{
	struct stat st;

	if (!l->unix_path)
		return;
	if (lstat(l->unix_path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
		(void)unlink(l->unix_path);
	free(l->unix_path);
	l->unix_path = NULL;
}

void gm_listener_close(struct gm_listener *l)
{
	gm_listener_unlink(l);
	gm_fd_close(l->fd);
	l->fd = -1;
}

void gm_http_peer_from_unix(int fd, struct gm_http_peer *out)
{
	struct ucred who = { .uid = UINT32_MAX };
	socklen_t n = sizeof(who);

	(void)gm_str_copy(GM_STR("unix"), out->address, sizeof(out->address));
	out->unix_socket = true;
	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n);
	out->uid = who.uid;
}

bool gm_http_peer_from(const struct sockaddr *sa, struct gm_http_peer *out)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)sa;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)sa;
	const unsigned char *bytes;

	out->address[0] = '\0';
	if (sa->sa_family == AF_INET) {
		out->port = ntohs(v4->sin_port);
		bytes = (const unsigned char *)&v4->sin_addr;
	} else if (sa->sa_family == AF_INET6) {
		out->port = ntohs(v6->sin6_port);
		if (!IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
			(void)inet_ntop(AF_INET6, &v6->sin6_addr, out->address, sizeof(out->address));
			return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
		}
		bytes = (const unsigned char *)&v6->sin6_addr + 12;
	} else {
		return false;
	}
	(void)inet_ntop(AF_INET, bytes, out->address, sizeof(out->address));
	return bytes[0] == 127;
}
