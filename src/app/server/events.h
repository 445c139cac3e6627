/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_SERVER_EVENTS_H
#define GM_APP_SERVER_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "core/fleet/snapshot.h"

/*
 * Server-sent events. A client that is slow gets the newest state, never a queue of old ones: the hub keeps which devices
 * changed in each of the last snapshots, and builds one update from where that client stands to now. Clients that stand
 * at the same snapshot share its bytes.
 */
struct gm_events;
struct gm_http_request;
struct gm_http_response;

/* X(name, bit, word in ?topics=, name of its event, role) */
#define GM_TOPIC_LIST(X)                                                                                               \
	X(FLEET, 1, "fleet", "fleet", VIEWER)                                                                          \
	X(OVERVIEW, 2, "overview", "overview", VIEWER)                                                                 \
	X(HEALTH, 4, "health", "health", VIEWER)                                                                       \
	X(AUDIT, 8, "audit", "audit", ADMIN)                                                                           \
	X(ALLOCATIONS, 16, "allocations", "allocation", VIEWER)                                                        \
	X(OPERATIONS, 32, "operations", "operation", VIEWER)
enum gm_topic {
#define GM_TOPIC_ENUM(name, bit, word, event, role) GM_TOPIC_##name = (bit),
	GM_TOPIC_LIST(GM_TOPIC_ENUM)
#undef GM_TOPIC_ENUM
};

struct gm_events_conf {
	const struct gm_clock *clock;
	/* Writes the overview of a snapshot as JSON; any thread. */
	void (*overview)(void *ctx, const struct gm_snapshot *s, struct gm_buf *out);
	void *ctx;
};

struct gm_events_stats {
	uint64_t clients, renderings, messages;
};

struct gm_events *gm_events_new(const struct gm_events_conf *conf);
/* After the HTTP server stopped: no stream is left. */
void gm_events_free(struct gm_events *e);
/* A new snapshot (a reference is taken). Collector's thread; wakes the broadcaster, which wakes the clients. */
void gm_events_publish(struct gm_events *e, const struct gm_snapshot *s);
/* One message of a topic other than fleet and overview; `data` is one line of JSON. Any thread. */
void gm_events_post(struct gm_events *e, enum gm_topic topic, struct gm_str data);
/*
 * Answers a request with a stream of these topics. last_seq: what the client has of the fleet (Last-Event-ID), 0: nothing;
 * one from before a restart or long ago gets `event: reset`.
 */
int gm_events_open(struct gm_events *e, struct gm_http_request *req, struct gm_http_response *res, unsigned topics,
		   uint64_t last_seq, struct gm_err *err) GM_CHECKED;
/* Ends the streams that were opened with this key, as its expiry does by itself. Any thread. */
void gm_events_end_key(struct gm_events *e, int64_t key_id);
void gm_events_stats(struct gm_events *e, struct gm_events_stats *out);

GM_DEFINE_AUTO(struct gm_events, gm_events_free)

#endif
