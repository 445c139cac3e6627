/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_ALLOC_ALLOC_STATE_H
#define GM_CORE_ALLOC_ALLOC_STATE_H

#include "base/buf.h"
#include "core/alloc/alloc.h"

/* The table of gm_alloc_next for people: "GRANTED", and all of it as Markdown. */
const char *gm_alloc_event_name(enum gm_alloc_event e);
void gm_alloc_state_table(struct gm_buf *out);

#endif
