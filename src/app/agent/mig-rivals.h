/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_MIG_RIVALS_H
#define GM_APP_AGENT_MIG_RIVALS_H

#include "base/buf.h"

/*
 * Programs of others that change MIG layouts on this node, by what they leave in its files: NVIDIA's mig-manager (the
 * service and the container) and its DRA driver. Names the first that is found, with what was seen; false for none.
 */
bool gm_mig_rival_find(const char *host_root, struct gm_buf *out);

#endif
