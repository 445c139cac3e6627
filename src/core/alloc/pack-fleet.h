/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_ALLOC_PACK_FLEET_H
#define GM_CORE_ALLOC_PACK_FLEET_H

#include "core/alloc/pack.h"

/*
 * Nodes, and where the next request goes. What a type costs on a node is worked out once and kept until the node or the
 * rule changes. One thread at a time.
 */
#define GM_PACK_NODES_MAX 200000

struct gm_pack_fleet;
struct gm_pack_place {
	uint32_t node;
	gm_pack_gpus gpus;
};

/* Nodes are copied; their order decides ties. The rule outlives the fleet. `seed`: for random. */
struct gm_pack_fleet *gm_pack_fleet_new(const struct gm_pack_node *nodes, uint32_t count,
					const struct gm_pack_rule *rule, uint64_t seed);
void gm_pack_fleet_free(struct gm_pack_fleet *f);
const struct gm_pack_node *gm_pack_fleet_node(const struct gm_pack_fleet *f, uint32_t node);
/* The rule has learnt: nothing that was worked out holds any more. */
void gm_pack_fleet_changed(struct gm_pack_fleet *f);
/* False only when it fits nowhere. `type`: the request's number in a gm_pack_types, always the same for this fleet. */
bool gm_pack_fleet_find(struct gm_pack_fleet *f, uint32_t type, const struct gm_pack_request *r,
			struct gm_pack_place *out);
void gm_pack_fleet_put(struct gm_pack_fleet *f, const struct gm_pack_request *r, struct gm_pack_place place);
void gm_pack_fleet_release(struct gm_pack_fleet *f, const struct gm_pack_request *r, struct gm_pack_place place);

GM_DEFINE_AUTO(struct gm_pack_fleet, gm_pack_fleet_free)

#endif
