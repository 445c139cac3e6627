/* SPDX-License-Identifier: MIT */
#ifndef GM_TESTS_FAKES_HOSTILE_SERVER_H
#define GM_TESTS_FAKES_HOSTILE_SERVER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * An HTTP server on loopback, in a thread of its own, that behaves as badly as its path says:
 *   /metrics   the page, over keep-alive          /gzip      the same, compressed
 *   /hang      reads, never answers               /trickle   a byte, then another, and so on without an end
 *   /short     promises 1000 bytes, sends 10      /close     cuts a page in the middle, chunked
 *   /nothing   closes without an answer           /huge      100 MB
 *   /endless   a page without an end, chunked     /binary    1 MB that is no text
 *   /bomb      64 MB of zeros, packed small        /broken    gzip that is none
 *   /headers   headers without an end             /garbage   no HTTP
 *   /status    503 with a long text               /redirect  302
 *   /echo      the request's headers as the page
 */
struct hostile_server;
struct hostile_server *hostile_server_start(const char *page);
void hostile_server_stop(struct hostile_server *s);
int hostile_server_port(const struct hostile_server *s);
/* Another page from now on. */
void hostile_server_set_page(struct hostile_server *s, const char *page);
/* Connections accepted so far. */
unsigned hostile_server_connections(const struct hostile_server *s);
/* From now on every connection is closed at once (true), or served again. */
void hostile_server_set_down(struct hostile_server *s, bool down);

#endif
