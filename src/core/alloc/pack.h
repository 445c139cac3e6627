/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_ALLOC_PACK_H
#define GM_CORE_ALLOC_PACK_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/vec.h"

/*
 * Whole boards and shares of boards (thousandths) with CPU and memory, on nodes: who fits where, and what a node loses
 * for the requests that are to be expected. All in whole numbers, so that equal is equal with every compiler.
 */
#define GM_PACK_GPUS_MAX 16
#define GM_PACK_WHOLE 1000
#define GM_PACK_TYPES_MAX 65535
/* Shares of one board, counts of whole boards, and nothing. */
#define GM_PACK_SHAPES_MAX (GM_PACK_WHOLE + GM_PACK_GPUS_MAX + 1)

/* What is free on a node. */
struct gm_pack_node {
	uint32_t cpu_milli, memory_mib;
	uint16_t milli[GM_PACK_GPUS_MAX];
	uint8_t gpu_count;
	uint8_t model; /* a number below 64 */
};

struct gm_pack_request {
	uint32_t cpu_milli, memory_mib;
	uint8_t gpu_count;  /* 0: none */
	uint16_t gpu_milli; /* of each; more than one: GM_PACK_WHOLE */
	uint64_t models;    /* bit per model that will do; 0: any */
};

/* Which boards of the node; 0 when none are asked for. */
typedef uint16_t gm_pack_gpus;
static_assert(sizeof(gm_pack_gpus) * 8 == GM_PACK_GPUS_MAX, "a bit each");

static inline uint32_t gm_pack_milli(const struct gm_pack_request *r)
{
	return (uint32_t)r->gpu_count * r->gpu_milli;
}
bool gm_pack_fits(const struct gm_pack_node *n, const struct gm_pack_request *r);
/* The share of one board fits on it (asserted), or the boards are wholly free. Give is the inverse of take. */
void gm_pack_take(struct gm_pack_node *n, const struct gm_pack_request *r, gm_pack_gpus gpus);
void gm_pack_give(struct gm_pack_node *n, const struct gm_pack_request *r, gm_pack_gpus gpus);
/* Of whole boards the first that are free; of a share, none. */
gm_pack_gpus gm_pack_first_whole(const struct gm_pack_node *n, const struct gm_pack_request *r);

/* Distinct requests, numbered in the order they were first seen. */
struct gm_pack_types {
	GM_VEC(struct gm_pack_request) rows;
	uint32_t *slots; /* open addressing over rows; UINT32_MAX: empty */
	size_t slot_count;
};
void gm_pack_types_fini(struct gm_pack_types *t);
/* The number of this type, a new one if need be; UINT32_MAX past GM_PACK_TYPES_MAX. */
uint32_t gm_pack_types_add(struct gm_pack_types *t, const struct gm_pack_request *r);

/*
 *   random    any node on which it fits, any board on which it fits
 *   bestfit   the node on which least CPU and GPU are left, each as a part of the largest node's; the fullest board
 *   fgd       "Beware of Fragmentation", 2023: types in falling number until 95 % of the requests are covered, memory
 *             not looked at. A node's fragmentation for a type is what lies free on boards that are too full for it, or
 *             all that is free when it does not fit; score int(100 * sigmoid(less fragmentation / 1000)), more is better
 *   balanced  the same loss over all types, memory too, not rounded; and as much again: what would stay free if the node
 *             were filled up with one type, be it that boards, CPU or memory end first
 * Ties go to the first node, then the first board.
 */
enum gm_pack_policy { GM_PACK_RANDOM, GM_PACK_BESTFIT, GM_PACK_FGD, GM_PACK_BALANCED };

struct gm_pack_type {
	struct gm_pack_request request;
	uint32_t weight; /* of GM_PACK_WEIGHT */
	uint16_t shape;	 /* of gm_pack_rule.shapes */
};
#define GM_PACK_WEIGHT (1U << 20)

struct gm_pack_rule {
	enum gm_pack_policy policy;
	uint32_t cpu_most, gpu_most; /* bestfit: CPU of the largest node, boards of the largest node */
	GM_VEC(struct gm_pack_type) types;
	GM_VEC(struct gm_pack_request) shapes; /* distinct (gpu_count, gpu_milli) of the types */
	int64_t weight;			       /* of all types together */
};

/* What the nodes are when they are empty says how large "largest" is. */
void gm_pack_rule_init(struct gm_pack_rule *r, enum gm_pack_policy policy, const struct gm_pack_node *nodes,
		       size_t count);
void gm_pack_rule_fini(struct gm_pack_rule *r);
struct gm_mix;
/* Takes over the mix as it is now; its types are those of `types`. For fgd and balanced; the others do not look at it. */
void gm_pack_rule_learn(struct gm_pack_rule *r, const struct gm_pack_types *types, const struct gm_mix *mix);

/* fgd, balanced: expected loss of a node, in thousandths of a board times gm_pack_rule.weight. */
int64_t gm_pack_rule_loss(const struct gm_pack_rule *r, const struct gm_pack_node *n);

/* The cheapest boards for a request on a node, and what that costs: the lower the better. Not for random. */
struct gm_pack_choice {
	int64_t cost;
	gm_pack_gpus gpus;
	bool fits;
};
/* `loss` is gm_pack_rule_loss of the node as it is; 0 for bestfit. */
struct gm_pack_choice gm_pack_rule_choose(const struct gm_pack_rule *r, const struct gm_pack_node *n, int64_t loss,
					  const struct gm_pack_request *request);

GM_DEFINE_AUTO_VALUE(struct gm_pack_types, gm_pack_types_fini)
GM_DEFINE_AUTO_VALUE(struct gm_pack_rule, gm_pack_rule_fini)

#endif
