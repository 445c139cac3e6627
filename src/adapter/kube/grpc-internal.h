/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_KUBE_GRPC_INTERNAL_H
#define GM_ADAPTER_KUBE_GRPC_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/*
 * One call of a gRPC method with one answer: HTTP/2 without TLS, known to be spoken, over a unix socket. The request is the
 * empty message. A connection a call: they are seconds apart.
 */
struct gm_grpc_ask {
	const char *socket_path;
	const char *method; /* "/v1.PodResourcesLister/List" */
	int64_t deadline_ms;
	size_t bytes_max; /* of the answer's message */
};
/*
 * Puts the message into *out (empty before). UNAVAILABLE: nobody listens, the connection or the stream ended early, or the
 * server's own refusal, whose words are in the error; DEADLINE; TOO_LARGE; PARSE: not HTTP/2, or not gRPC. What is in *out
 * after a failure is of no use.
 */
int gm_grpc_call(const struct gm_grpc_ask *ask, struct gm_buf *out, struct gm_err *err) GM_CHECKED;

/* The same without a socket, for the fuzzer: `answer` is all that the server sends. */
int gm_grpc_replay(const struct gm_grpc_ask *ask, struct gm_str answer, struct gm_buf *out,
		   struct gm_err *err) GM_CHECKED;

#endif
