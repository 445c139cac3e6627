/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "adapter/http/accept.h"
#include "base/alloc.h"

/* How long to let connections be when there are too many of them, or no descriptors left. */
#define PAUSE_MS 50

struct gm_acceptor {
	int listen_fd;
	int end_fd; /* eventfd */
	pthread_t thread;
	struct gm_acceptor_ops ops;
	void *ctx;
	bool short_of_fds; /* said already */
};

enum outcome { TAKEN, NONE_LEFT, PAUSE };

static bool is_shortage(int errnum)
{
	return errnum == EMFILE || errnum == ENFILE || errnum == ENOBUFS || errnum == ENOMEM;
}

static enum outcome take_one(struct gm_acceptor *a)
{
	struct sockaddr_storage from = { 0 };
	socklen_t n = sizeof(from);

	if (!a->ops.room(a->ctx)) {
		struct pollfd waits = { .fd = a->listen_fd, .events = POLLIN };
		if (poll(&waits, 1, 0) > 0)
			a->ops.crowded(a->ctx);
		return PAUSE;
	}
	int fd = accept4(a->listen_fd, (struct sockaddr *)&from, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0) {
		a->short_of_fds = false;
		a->ops.take(a->ctx, fd, (struct sockaddr *)&from, n);
		return TAKEN;
	}
	if (!is_shortage(errno))
		/* A client that left before its turn makes an error of its own. */
		return errno == EAGAIN || errno == EINVAL ? NONE_LEFT : TAKEN;
	if (!a->short_of_fds)
		a->ops.trouble(a->ctx, errno);
	a->short_of_fds = true;
	return PAUSE;
}

static void *run(void *arg)
{
	struct gm_acceptor *a = arg;
	struct pollfd fds[] = { { .fd = a->end_fd, .events = POLLIN }, { .fd = a->listen_fd, .events = POLLIN } };
	enum outcome last = NONE_LEFT;

	for (;;) {
		bool pause = last == PAUSE;
		(void)poll(fds, pause ? 1 : 2, pause ? PAUSE_MS : -1);
		if (fds[0].revents)
			break;
		do {
			last = take_one(a);
		} while (last == TAKEN);
	}
	/* Who stood in the queue when the end came is still served. */
	while (take_one(a) == TAKEN)
		continue;
	return NULL;
}

int gm_acceptor_start(int take_fd, const struct gm_acceptor_ops *ops, void *ctx, struct gm_acceptor **out,
		      struct gm_err *err)
{
	struct gm_acceptor *a = gm_xalloc(sizeof(*a));

	a->listen_fd = take_fd;
	a->ops = *ops;
	a->ctx = ctx;
	a->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int rc = a->end_fd < 0 ? errno : pthread_create(&a->thread, NULL, run, a);
	if (rc != 0) {
		gm_fd_close(a->end_fd);
		gm_fd_close(take_fd);
		free(a);
		return gm_fail_errno(err, rc, "accepting thread");
	}
	*out = a;
	return 0;
}

void gm_acceptor_stop(struct gm_acceptor *a)
{
	uint64_t one = 1;

	if (!a)
		return;
	(void)!write(a->end_fd, &one, sizeof(one));
	(void)pthread_join(a->thread, NULL);
	gm_fd_close(a->listen_fd);
	gm_fd_close(a->end_fd);
	free(a);
}
