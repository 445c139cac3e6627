/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_SIM_FEED_INTERNAL_H
#define GM_ADAPTER_SIM_FEED_INTERNAL_H

#include "core/fleet/page.h"
#include "core/sim/sim.h"

/* Room for one node's page, used again for each. */
#define SIM_PAGE_DEVICES 16
struct sim_page {
	struct gm_obs_device devices[SIM_PAGE_DEVICES];
	struct gm_obs_instance instances[SIM_PAGE_DEVICES * GM_SIM_INSTANCES_MAX];
	struct gm_obs_pod pods[SIM_PAGE_DEVICES * GM_SIM_INSTANCES_MAX];
};

/* Puts the node's boards that answer on the page. */
void sim_page_fill(struct sim_page *room, const struct gm_sim *sim, const struct gm_sim_node *node,
		   struct gm_page *page);

#endif
