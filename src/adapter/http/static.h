/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_HTTP_STATIC_H
#define GM_ADAPTER_HTTP_STATIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapter/http/http.h"

/*
 * Files of the dashboard, embedded by tools/embed-web. A representation that does not pay is left out (n == 0); the
 * raw one is always there.
 */
struct gm_asset {
	const char *path; /* "/assets/index-3f2a.js", sorted by byte order */
	const char *type; /* Content-Type */
	const char *sha;  /* 16 hexadecimal digits of the raw bytes' SHA-256 */
	const uint8_t *raw, *gz, *br;
	size_t raw_n, gz_n, br_n;
	bool hashed; /* the name changes with the bytes: cached for ever */
};

/* Made by tools/embed-web. */
extern const struct gm_asset gm_web_assets[];
extern const size_t gm_web_asset_count;

struct gm_static;

/*
 * Prepares the answers. index.html gets <base href="CONTEXT/">, in place of its own one or behind <head>. GM_ERR_INVALID: no /index.html, or the
 * table is not sorted. `assets` must outlive it.
 */
int gm_static_new(const struct gm_asset *assets, size_t count, const char *context, struct gm_static **out,
		  struct gm_err *err) GM_CHECKED;
void gm_static_free(struct gm_static *s);
/*
 * The server's fallback handler; ctx is the struct gm_static. Paths without an extension outside /api, /metrics,
 * /healthz, /readyz and /openapi.json answer index.html (the page's own routes); all else that is not a file: 404.
 */
gm_http_handler gm_static_handle;

GM_DEFINE_AUTO(struct gm_static, gm_static_free)

#endif
