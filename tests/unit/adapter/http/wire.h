/* SPDX-License-Identifier: MIT */
#ifndef GM_TESTS_HTTP_WIRE_H
#define GM_TESTS_HTTP_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/* A client that writes bytes as they stand and reads answers: what a well-behaved library would never send. */
struct wire {
	int fd;
	bool ended;	  /* the other side closed */
	struct gm_buf in; /* received, not yet taken apart */
	int status;
	struct gm_buf head; /* of the last answer, with its CRLFs */
	struct gm_buf body; /* of the last answer, chunks undone */
};

#define WIRE_WAIT_MS 10000

/* False when nobody listens. */
bool wire_open(struct wire *w, uint16_t port);
bool wire_open_unix(struct wire *w, const char *path);
void wire_close(struct wire *w);
/* False when the other side is gone. */
bool wire_send(struct wire *w, struct gm_str bytes);
#define wire_sends(w, text) wire_send((w), gm_str(text))
/* Reads one answer; `head` says that the request was HEAD. False at the end of the connection, or after WIRE_WAIT_MS. */
bool wire_read(struct wire *w, bool head);
/* wire_sends and wire_read. */
bool wire_ask(struct wire *w, const char *request);
/* Reads only the head of an answer: of a stream. */
bool wire_read_head(struct wire *w);
/* Reads until `text` has come; what came before it and the text itself are dropped. */
bool wire_until(struct wire *w, const char *text);
/* True when the other side ends the connection without a further byte. */
bool wire_ends(struct wire *w);
/* A header of the last answer, or the empty string. */
struct gm_str wire_header(const struct wire *w, const char *name);

GM_DEFINE_AUTO_VALUE(struct wire, wire_close)

#endif
