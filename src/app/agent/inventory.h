/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_INVENTORY_H
#define GM_APP_AGENT_INVENTORY_H

#include "app/agent/holders.h"
#include "app/agent/view.h"
#include "base/buf.h"

/* The body of GET /v1/inventory: what is in the node, facts rather than values. docs/agent.md has its shape. */
void gm_inventory_write(const struct gm_agent_view *view, const struct gm_holders *holders, const char *node_name,
			struct gm_buf *out);

#endif
