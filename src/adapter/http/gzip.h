/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_HTTP_GZIP_H
#define GM_ADAPTER_HTTP_GZIP_H

#include <stdbool.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/str.h"

#define GM_GZIP_LEAST 1024 /* smaller bodies are not worth it */

/*
 * Appends the gzip form of `in` (level 1..9). False, with nothing added, when it is not at least 10 % smaller. Each
 * thread keeps its compressor for the fast level until it ends.
 */
bool gm_gzip(struct gm_str in, int level, struct gm_buf *out) GM_CHECKED;

#endif
