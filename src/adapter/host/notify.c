/* SPDX-License-Identifier: MIT */
#include "adapter/host/notify.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/parse.h"
#include "base/str.h"

/* "/run/systemd/notify", or "@name" for an abstract socket; what else there is (vsock) is for virtual machines. */
static int connect_to(struct gm_str name)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (name.n < 2 || name.n >= sizeof(sa.sun_path) || (name.p[0] != '/' && name.p[0] != '@'))
		return -1;
	memcpy(sa.sun_path, name.p, name.n);
	socklen_t n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name.n);
	if (sa.sun_path[0] == '@')
		sa.sun_path[0] = '\0';
	GM_AUTO(gm_fd_close_p) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, n) != 0)
		return -1;
	return gm_fd_steal(&fd);
}

/* WATCHDOG_PID names another process when a parent of ours is the one that is watched. */
static int64_t read_watchdog_ms(void)
{
	struct gm_str usec = gm_str(getenv("WATCHDOG_USEC")), pid = gm_str(getenv("WATCHDOG_PID"));
	uint64_t value = 0, of = 0;

	if (!gm_parse_u64(usec, 1, INT64_MAX, &value))
		return 0;
	if (pid.n && (!gm_parse_u64(pid, 1, INT32_MAX, &of) || (pid_t)of != getpid()))
		return 0;
	return value < 1000 ? 1 : (int64_t)(value / 1000);
}

void gm_notify_open(struct gm_notify *n)
{
	n->fd = connect_to(gm_str(getenv("NOTIFY_SOCKET")));
	n->watchdog_ms = n->fd < 0 ? 0 : read_watchdog_ms();
}

void gm_notify_close(struct gm_notify *n)
{
	gm_fd_close(n->fd);
	*n = (struct gm_notify){ .fd = -1 };
}

void gm_notify_send(const struct gm_notify *n, const char *state)
{
	if (n->fd >= 0)
		(void)send(n->fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT);
}
