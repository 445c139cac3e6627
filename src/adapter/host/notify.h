/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_HOST_NOTIFY_H
#define GM_ADAPTER_HOST_NOTIFY_H

#include <stdint.h>

/* systemd's protocol: one datagram to $NOTIFY_SOCKET. Without the variable nothing happens. */
struct gm_notify {
	int fd;		     /* -1: nobody to tell */
	int64_t watchdog_ms; /* silent for longer, and systemd ends us: speak twice as often; 0: never */
};
/* Reads the environment once and opens the socket: before a sandbox. */
void gm_notify_open(struct gm_notify *n);
void gm_notify_close(struct gm_notify *n);
/* "READY=1", "WATCHDOG=1", "STOPPING=1", "STATUS=..."; losing one is no error. */
void gm_notify_send(const struct gm_notify *n, const char *state);

#endif
