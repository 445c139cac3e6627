/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_HTTP_QUERY_H
#define GM_ADAPTER_HTTP_QUERY_H

#include <stdbool.h>

#include "adapter/http/route.h"

/* Text of outside: valid UTF-8 without control characters. */
bool gm_http_text_ok(struct gm_str s);

#endif
