/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_HTTP_LISTEN_H
#define GM_ADAPTER_HTTP_LISTEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "adapter/http/http.h"

/* Where a server listens. `{ .fd = -1 }` is none. */
struct gm_listener {
	int fd;
	uint16_t port;
	bool is_unix;
	char *unix_path; /* until its file is removed */
	dev_t dev;	 /* of that file, so that only ours is removed */
	ino_t ino;
};
/*
 * A listening socket on a numeric address ("::" takes both families) or on "unix:/path". GM_ERR_CONFLICT: the port is
 * taken, a server answers on the path, or what lies there is no socket; GM_ERR_INVALID: not an address, or not one of this
 * machine; GM_ERR_FORBIDDEN: not allowed (a port below 1024, a folder of somebody else).
 */
int gm_http_listen(const char *address, uint16_t port, struct gm_listener *out, struct gm_err *err) GM_CHECKED;
bool gm_http_is_unix(const char *address);
/* Removes the file of a unix socket: while it still listens, so that nobody else can have taken the name. */
void gm_listener_unlink(struct gm_listener *l);
/* Both; the descriptor too unless it was taken. */
void gm_listener_close(struct gm_listener *l);
/* Fills unix_socket and uid; the socket is a connected unix one. */
void gm_http_peer_from_unix(int fd, struct gm_http_peer *out);
/* Fills address and port; true when the address is a loopback one. */
bool gm_http_peer_from(const struct sockaddr *sa, struct gm_http_peer *out);

#endif
