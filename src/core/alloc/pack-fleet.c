/* SPDX-License-Identifier: MIT */
#include "core/alloc/pack-fleet.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Types whose costs are kept; of types that share a row the last one asked for has it. */
#define ROWS 512
#define NONE UINT32_MAX

struct cell {
	int64_t cost;
	uint32_t version; /* of the node it holds for; 0: none */
	gm_pack_gpus gpus;
	bool fits;
};

struct row {
	uint32_t type;
	struct cell *cells; /* [node] */
};

struct gm_pack_fleet {
	const struct gm_pack_rule *rule;
	uint32_t count;
	struct gm_pack_node *nodes;
	uint32_t *versions; /* [node], from 1 */
	int64_t *losses;    /* [node] */
	struct row rows[ROWS];
	uint64_t random;
};

static bool rule_has_losses(const struct gm_pack_rule *r)
{
	return r->policy == GM_PACK_FGD || r->policy == GM_PACK_BALANCED;
}

static void node_changed(struct gm_pack_fleet *f, uint32_t node)
{
	f->versions[node]++;
	if (rule_has_losses(f->rule))
		f->losses[node] = gm_pack_rule_loss(f->rule, &f->nodes[node]);
}

struct gm_pack_fleet *gm_pack_fleet_new(const struct gm_pack_node *nodes, uint32_t count,
					const struct gm_pack_rule *rule, uint64_t seed)
{
	struct gm_pack_fleet *f = gm_xalloc(sizeof(*f));

	assert(count && count <= GM_PACK_NODES_MAX);
	f->rule = rule;
	f->count = count;
	f->random = seed;
	f->nodes = gm_xmemdup(nodes, count * sizeof(*nodes));
	f->versions = gm_xalloc(count * sizeof(*f->versions));
	f->losses = gm_xalloc(count * sizeof(*f->losses));
	for (size_t i = 0; i < ROWS; i++)
		f->rows[i].type = NONE;
	gm_pack_fleet_changed(f);
	return f;
}

void gm_pack_fleet_free(struct gm_pack_fleet *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < ROWS; i++)
		free(f->rows[i].cells);
	free(f->nodes);
	free(f->versions);
	free(f->losses);
	free(f);
}

const struct gm_pack_node *gm_pack_fleet_node(const struct gm_pack_fleet *f, uint32_t node)
{
	return &f->nodes[node];
}

void gm_pack_fleet_changed(struct gm_pack_fleet *f)
{
	for (uint32_t i = 0; i < f->count; i++)
		node_changed(f, i);
}

static struct row *row_of(struct gm_pack_fleet *f, uint32_t type)
{
	struct row *row = &f->rows[type % ROWS];

	if (row->type == type)
		return row;
	row->type = type;
	free(row->cells);
	row->cells = gm_xalloc(f->count * sizeof(*row->cells));
	return row;
}

/* splitmix64, below `n`. */
static uint32_t draw(struct gm_pack_fleet *f, uint32_t n)
{
	uint64_t z = f->random += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return (uint32_t)(((z ^ (z >> 31)) >> 32) * n >> 32);
}

static bool find_random(struct gm_pack_fleet *f, const struct gm_pack_request *r, struct gm_pack_place *out)
{
	uint32_t node = NONE, seen = 0;
	gm_pack_gpus gpus;

	for (uint32_t i = 0; i < f->count; i++)
		if (gm_pack_fits(&f->nodes[i], r) && draw(f, ++seen) == 0)
			node = i;
	if (node == NONE)
		return false;
	gpus = gm_pack_first_whole(&f->nodes[node], r);
	seen = 0;
	if (r->gpu_count && !gpus)
		for (unsigned i = 0; i < f->nodes[node].gpu_count; i++)
			if (f->nodes[node].milli[i] >= r->gpu_milli && draw(f, ++seen) == 0)
				gpus = (gm_pack_gpus)(1U << i);
	*out = (struct gm_pack_place){ .node = node, .gpus = gpus };
	return true;
}

static bool alike(const struct gm_pack_node *a, const struct gm_pack_node *b)
{
	return a->cpu_milli == b->cpu_milli && a->memory_mib == b->memory_mib && a->gpu_count == b->gpu_count &&
	       a->model == b->model && memcmp(a->milli, b->milli, sizeof(a->milli)) == 0;
}

/* `before`: a cell that was just worked out, and its node. Nodes that are empty stand in rows of their like. */
static void refresh(const struct gm_pack_fleet *f, struct cell *c, uint32_t node, const struct gm_pack_request *r,
		    const struct cell *before, uint32_t before_node)
{
	struct gm_pack_choice choice;

	if (before && alike(&f->nodes[before_node], &f->nodes[node])) {
		*c = *before;
	} else {
		choice = gm_pack_rule_choose(f->rule, &f->nodes[node], f->losses[node], r);
		*c = (struct cell){ .cost = choice.cost, .gpus = choice.gpus, .fits = choice.fits };
	}
	c->version = f->versions[node];
}

bool gm_pack_fleet_find(struct gm_pack_fleet *f, uint32_t type, const struct gm_pack_request *r,
			struct gm_pack_place *out)
{
	const struct cell *fresh = NULL;
	uint32_t best = NONE, fresh_node = 0;
	struct row *row;

	if (f->rule->policy == GM_PACK_RANDOM)
		return find_random(f, r, out);
	row = row_of(f, type);
	for (uint32_t i = 0; i < f->count; i++) {
		struct cell *c = &row->cells[i];

		if (c->version != f->versions[i]) {
			refresh(f, c, i, r, fresh, fresh_node);
			fresh = c;
			fresh_node = i;
		}
		if (c->fits && (best == NONE || c->cost < row->cells[best].cost))
			best = i;
	}
	if (best == NONE)
		return false;
	*out = (struct gm_pack_place){ .node = best, .gpus = row->cells[best].gpus };
	return true;
}

void gm_pack_fleet_put(struct gm_pack_fleet *f, const struct gm_pack_request *r, struct gm_pack_place place)
{
	gm_pack_take(&f->nodes[place.node], r, place.gpus);
	node_changed(f, place.node);
}

void gm_pack_fleet_release(struct gm_pack_fleet *f, const struct gm_pack_request *r, struct gm_pack_place place)
{
	gm_pack_give(&f->nodes[place.node], r, place.gpus);
	node_changed(f, place.node);
}
