/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_HTTPC_HTTPC_INTERNAL_H
#define GM_ADAPTER_HTTPC_HTTPC_INTERNAL_H

#include <curl/curl.h>

#include "adapter/httpc/httpc.h"

/* curl_global_init, once a process. */
void gm_httpc_init_once(void);

/*
 * A part of the connections. curl walks all that a multi handle keeps after each request, so thousands of them in one
 * cost more than the requests do; a target's requests always go to the same part. Nor does curl trust idle connections: it
 * polls each that a multi handle keeps, at most once a second. Parts by place are each busy for a short time of a round.
 */
struct gm_httpc_shard {
	struct gm_httpc *client;
	CURLM *multi;	     /* NULL: not used yet */
	int64_t due_mono_ms; /* when curl wants to be called; -1: not */
};

/* A transfer that can be used again and again; lives in the client's pool. */
struct gm_httpc_slot {
	struct gm_httpc *client;
	struct gm_httpc_shard *shard; /* while busy */
	CURL *easy;
	struct gm_httpc_slot *next_free;
	bool busy;
	struct gm_buf body;
	size_t counted;	     /* of the body's memory, in the client's sum */
	size_t header_bytes; /* so far */
	enum { GM_SLOT_FITS, GM_SLOT_BODY_TOO_LARGE, GM_SLOT_NO_ROOM, GM_SLOT_HEADERS_TOO_LARGE } over;
	unsigned generation; /* of the identity whose options are set; 0: nobody's */
	char *system_ca_file, *system_ca_path;
	const char *accept;
	struct curl_slist *headers;
	void (*done)(void *ctx, const struct gm_httpc_answer *answer);
	void *ctx;
	int64_t timeout_ms;
	char error[CURL_ERROR_SIZE];
};

/* Sets what the identity says on a transfer, unless it is set already. identity NULL: nobody. */
int gm_httpc_identity_use(struct gm_httpc_identity *identity, struct gm_httpc_slot *slot, int64_t mono_ms,
			  struct gm_err *err) GM_CHECKED;

/* Puts what went wrong into words that tell an operator what to look at. */
int gm_httpc_explain(const struct gm_httpc_slot *slot, CURLcode code, int status, struct gm_err *err);

#endif
