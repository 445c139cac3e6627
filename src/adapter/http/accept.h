/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_HTTP_ACCEPT_H
#define GM_ADAPTER_HTTP_ACCEPT_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/err.h"

/*
 * The thread that accepts connections and hands them on. It is ours because the library's own accepting cannot be stopped
 * safely: MHD_quiesce_daemon and a worker may both remove the listening socket from the worker's epoll set, and whoever
 * comes second aborts the process.
 */
struct gm_acceptor;
struct gm_acceptor_ops {
	/* False: leave further clients in the kernel's queue for a while. */
	bool (*room)(void *ctx);
	/* There is no room and somebody waits: the moment to part with what need not be kept. */
	void (*crowded)(void *ctx);
	/* A connection, non-blocking; the fd is the callee's. */
	void (*take)(void *ctx, int fd, const struct sockaddr *from, socklen_t n);
	/* Descriptors or memory ran out; said once until a connection is accepted again. */
	void (*trouble)(void *ctx, int errnum);
};

/* Takes the listening socket, also on failure. The calls come from the one accepting thread. */
int gm_acceptor_start(int take_fd, const struct gm_acceptor_ops *ops, void *ctx, struct gm_acceptor **out,
		      struct gm_err *err) GM_CHECKED;
/* Accepts who already waits, closes the socket, ends the thread. NULL is fine. */
void gm_acceptor_stop(struct gm_acceptor *a);

#endif
