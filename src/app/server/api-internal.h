/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_SERVER_API_INTERNAL_H
#define GM_APP_SERVER_API_INTERNAL_H

#include "adapter/http/http.h"
#include "app/server/api.h"
#include "base/json.h"
#include "core/fleet/snapshot.h"

/* Handlers, one a route; the table is in routes.c. */
gm_http_handler gm_api_overview, gm_api_devices, gm_api_device, gm_api_device_metrics, gm_api_nodes, gm_api_node,
	gm_api_mig_instances, gm_api_models, gm_api_fleet, gm_api_events, gm_api_targets, gm_api_me, gm_api_keys,
	gm_api_key_create, gm_api_key_revoke, gm_api_audit, gm_api_refused, gm_api_config, gm_api_openapi,
	gm_api_metrics, gm_api_healthz, gm_api_readyz;

extern const char *const gm_api_sort_choices[];

#define GM_API_LIMIT_MAX 1000
#define GM_API_LIMIT_DEFAULT "100"

/* A reference to the newest snapshot, dropped at the end of the scope. */
#define GM_API_SNAPSHOT(api)                                                                                           \
	GM_AUTO(gm_snapshot_unref_p) const struct gm_snapshot *snapshot = gm_fleet_snapshot((api)->fleet)

/* An ETag for what depends on nothing but the snapshot, the settings and the request's target. */
struct gm_str gm_api_etag(const struct gm_api *api, const struct gm_http_request *req, const struct gm_snapshot *s);
/* Sets the ETag; true when the client has it already, and the handler may return. */
bool gm_api_unchanged(const struct gm_api *api, const struct gm_http_request *req, const struct gm_snapshot *s,
		      struct gm_http_response *res);

/* {"items":[ ... ],"next":...} around what the caller writes. */
void gm_api_list_begin(struct gm_json *w, struct gm_http_response *res);
void gm_api_list_end(struct gm_json *w, struct gm_str next_cursor);

/*
 * An opaque cursor: texts and a number, packed and put into base64url. Reading refuses what it did not write
 * (GM_ERR_INVALID at "cursor").
 */
#define GM_CURSOR_TEXTS_MAX 4
struct gm_cursor {
	char kind; /* which list it belongs to */
	int64_t number;
	struct gm_str texts[GM_CURSOR_TEXTS_MAX];
	size_t text_count;
};
struct gm_str gm_cursor_write(struct gm_arena *arena, const struct gm_cursor *c);
int gm_cursor_read(struct gm_arena *arena, struct gm_str text, char kind, size_t text_count, struct gm_cursor *out,
		   struct gm_err *err) GM_CHECKED;

/* The fields of GET /gpu/overview, as one object. */
void gm_overview_write(struct gm_json *w, const struct gm_api *api, const struct gm_snapshot *s);

/* "now", "now-6h", RFC 3339, or whole seconds since the epoch. */
int gm_api_moment(struct gm_str text, int64_t now_ms, const char *name, int64_t *out_ms, struct gm_err *err) GM_CHECKED;

/* Answers shared by many requests, made anew when what they depend on has changed. */
struct gm_http_shared *gm_api_cache_overview(struct gm_api *api, const struct gm_snapshot *s);

#endif
