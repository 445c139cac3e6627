/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_HTTP_LISTEN_H
#define GM_ADAPTER_HTTP_LISTEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "adapter/http/http.h"

/*
 * A listening socket on a numeric address ("::" takes both families). GM_ERR_CONFLICT: the port is taken; GM_ERR_INVALID:
 * not an address, or not one of this machine; GM_ERR_FORBIDDEN: not allowed (a port below 1024).
 */
int gm_http_listen(const char *address, uint16_t port, int *out_fd, uint16_t *out_port, struct gm_err *err) GM_CHECKED;
/* Fills address and port; true when the address is a loopback one. */
bool gm_http_peer_from(const struct sockaddr *sa, struct gm_http_peer *out);

#endif
