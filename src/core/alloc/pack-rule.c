/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "core/alloc/mix.h"
#include "core/alloc/pack.h"

/* "Beware of Fragmentation": the share of the requests that its typical ones cover. */
#define FGD_COVER 0.95
/* What is compared as a part of the largest node becomes whole numbers of this. */
#define PART 1000000000LL

void gm_pack_rule_init(struct gm_pack_rule *r, enum gm_pack_policy policy, const struct gm_pack_node *nodes,
		       size_t count)
{
	*r = (struct gm_pack_rule){ .policy = policy, .cpu_most = 1, .gpu_most = 1 };
	for (size_t i = 0; i < count; i++) {
		r->cpu_most = nodes[i].cpu_milli > r->cpu_most ? nodes[i].cpu_milli : r->cpu_most;
		r->gpu_most = nodes[i].gpu_count > r->gpu_most ? nodes[i].gpu_count : r->gpu_most;
	}
}

void gm_pack_rule_fini(struct gm_pack_rule *r)
{
	gm_vec_fini(&r->types);
	gm_vec_fini(&r->shapes);
	*r = (struct gm_pack_rule){ 0 };
}

struct share {
	uint32_t type;
	double part;
};

static int share_cmp(const void *a, const void *b)
{
	const struct share *x = a, *y = b;

	if (x->part > y->part || x->part < y->part)
		return x->part > y->part ? -1 : 1;
	return (x->type > y->type) - (x->type < y->type);
}

static uint16_t shape_of(struct gm_pack_rule *r, const struct gm_pack_request *request)
{
	struct gm_pack_request shape = { .gpu_count = request->gpu_count, .gpu_milli = request->gpu_milli };
	size_t i = 0;

	for (; i < r->shapes.count; i++)
		if (r->shapes.items[i].gpu_count == shape.gpu_count && r->shapes.items[i].gpu_milli == shape.gpu_milli)
			return (uint16_t)i;
	gm_vec_push(&r->shapes, shape);
	return (uint16_t)i;
}

/* Weights in whole numbers; what is asked for too rarely to count one is left out. */
static void take_types(struct gm_pack_rule *r, const struct gm_pack_types *types, const struct share *shares,
		       size_t count, double sum)
{
	gm_vec_reset(&r->types);
	gm_vec_reset(&r->shapes);
	r->weight = 0;
	for (size_t i = 0; i < count; i++) {
		struct gm_pack_type type = { .request = types->rows.items[shares[i].type] };

		type.weight = (uint32_t)(shares[i].part / sum * GM_PACK_WEIGHT + 0.5);
		if (!type.weight)
			continue;
		type.shape = shape_of(r, &type.request);
		gm_vec_push(&r->types, type);
		r->weight += type.weight;
	}
}

static void learn_typical(struct gm_pack_rule *r, const struct gm_pack_types *all, const struct gm_mix *mix)
{
	GM_AUTO(gm_pack_types_fini_p) struct gm_pack_types types = { 0 };
	struct share *shares = gm_xalloc((all->rows.count + 1) * sizeof(*shares));
	double covered = 0;
	size_t count = 0;

	for (size_t i = 0; i < all->rows.count; i++) {
		struct gm_pack_request request = all->rows.items[i];
		uint32_t type;

		request.memory_mib = 0;
		type = gm_pack_types_add(&types, &request);
		shares[type].type = type;
		shares[type].part += gm_mix_share(mix, i);
	}
	qsort(shares, types.rows.count, sizeof(*shares), share_cmp);
	while (count < types.rows.count && covered < FGD_COVER)
		covered += shares[count++].part;
	take_types(r, &types, shares, count, covered);
	free(shares);
}

static void learn_all(struct gm_pack_rule *r, const struct gm_pack_types *all, const struct gm_mix *mix)
{
	struct share *shares = gm_xalloc((all->rows.count + 1) * sizeof(*shares));

	for (size_t i = 0; i < all->rows.count; i++)
		shares[i] = (struct share){ .type = (uint32_t)i, .part = gm_mix_share(mix, i) };
	qsort(shares, all->rows.count, sizeof(*shares), share_cmp);
	take_types(r, all, shares, all->rows.count, 1);
	free(shares);
}

void gm_pack_rule_learn(struct gm_pack_rule *r, const struct gm_pack_types *types, const struct gm_mix *mix)
{
	assert(mix->count >= types->rows.count);
	if (r->policy == GM_PACK_FGD)
		learn_typical(r, types, mix);
	else if (r->policy == GM_PACK_BALANCED)
		learn_all(r, types, mix);
}

/* Boards that are equally full, counted; full ones left out. */
struct levels {
	uint16_t milli[GM_PACK_GPUS_MAX];
	uint16_t boards[GM_PACK_GPUS_MAX];
	unsigned count;
	unsigned total, whole;
};

static void levels_of(const struct gm_pack_node *n, struct levels *out)
{
	*out = (struct levels){ 0 };
	for (unsigned i = 0; i < n->gpu_count; i++) {
		unsigned k = 0;

		if (!n->milli[i])
			continue;
		out->total += n->milli[i];
		out->whole += n->milli[i] == GM_PACK_WHOLE;
		while (k < out->count && out->milli[k] != n->milli[i])
			k++;
		out->milli[k] = n->milli[i];
		out->boards[k]++;
		out->count += k == out->count;
	}
}

/* How many of a shape the boards hold, CPU and memory aside, and what is free on boards that are too full for one. */
static void shape_on(const struct levels *l, const struct gm_pack_request *shape, unsigned *out_count,
		     unsigned *out_lost)
{
	*out_count = *out_lost = 0;
	if (!shape->gpu_count)
		return;
	for (unsigned k = 0; k < l->count; k++)
		if (l->milli[k] < shape->gpu_milli)
			*out_lost += (unsigned)l->milli[k] * l->boards[k];
		else
			*out_count += (unsigned)(l->milli[k] / shape->gpu_milli) * l->boards[k];
	if (shape->gpu_milli == GM_PACK_WHOLE)
		*out_count = l->whole / shape->gpu_count;
}

static unsigned at_most(unsigned count, uint32_t has, uint32_t wants)
{
	/* Mostly there is enough: a product is cheaper than a division. */
	if ((uint64_t)wants * count <= has)
		return count;
	return has / wants;
}

int64_t gm_pack_rule_loss(const struct gm_pack_rule *r, const struct gm_pack_node *n)
{
	unsigned count[GM_PACK_SHAPES_MAX], lost[GM_PACK_SHAPES_MAX];
	bool filled = r->policy == GM_PACK_BALANCED;
	struct levels l;
	int64_t sum = 0;

	levels_of(n, &l);
	if (!l.total)
		return 0;
	for (size_t i = 0; i < r->shapes.count; i++)
		shape_on(&l, &r->shapes.items[i], &count[i], &lost[i]);
	for (size_t i = 0; i < r->types.count; i++) {
		const struct gm_pack_type *t = &r->types.items[i];
		const struct gm_pack_request *q = &t->request;
		unsigned fits = 0, loss;

		if (q->gpu_count && (!q->models || (q->models >> n->model & 1)))
			fits = at_most(at_most(count[t->shape], n->cpu_milli, q->cpu_milli), n->memory_mib,
				       q->memory_mib);
		loss = fits ? lost[t->shape] : l.total;
		if (filled && q->gpu_count)
			loss += l.total - fits * q->gpu_count * q->gpu_milli;
		sum += (int64_t)t->weight * loss;
	}
	return sum;
}

static int64_t bestfit_cost(const struct gm_pack_rule *r, const struct gm_pack_node *n, const struct gm_pack_request *q)
{
	int64_t free_milli = 0, left_milli;

	for (unsigned i = 0; i < n->gpu_count; i++)
		free_milli += n->milli[i];
	left_milli = free_milli - (int64_t)q->gpu_count * q->gpu_milli;
	return (int64_t)(n->cpu_milli - q->cpu_milli) * PART / r->cpu_most +
	       left_milli * PART / ((int64_t)r->gpu_most * GM_PACK_WHOLE);
}

static gm_pack_gpus fullest(const struct gm_pack_node *n, const struct gm_pack_request *q)
{
	unsigned best = GM_PACK_GPUS_MAX;

	for (unsigned i = 0; i < n->gpu_count; i++)
		if (n->milli[i] >= q->gpu_milli && (best == GM_PACK_GPUS_MAX || n->milli[i] < n->milli[best]))
			best = i;
	return (gm_pack_gpus)(1U << best);
}

static int64_t cost_of(const struct gm_pack_rule *r, const struct gm_pack_node *n, int64_t loss,
		       const struct gm_pack_request *q, gm_pack_gpus gpus)
{
	struct gm_pack_node then = *n;
	int64_t more;

	gm_pack_take(&then, q, gpus);
	more = gm_pack_rule_loss(r, &then) - loss;
	if (r->policy != GM_PACK_FGD)
		return more;
	return -(int64_t)(100 / (1 + exp((double)more / (double)r->weight / 1000)));
}

struct gm_pack_choice gm_pack_rule_choose(const struct gm_pack_rule *r, const struct gm_pack_node *n, int64_t loss,
					  const struct gm_pack_request *q)
{
	struct gm_pack_choice best = { 0 };
	bool share = q->gpu_count && q->gpu_milli < GM_PACK_WHOLE;
	uint64_t seen[(GM_PACK_WHOLE + 64) / 64] = { 0 };

	assert(r->policy != GM_PACK_RANDOM);
	if (!gm_pack_fits(n, q))
		return best;
	best = (struct gm_pack_choice){ .fits = true, .gpus = gm_pack_first_whole(n, q) };
	if (r->policy == GM_PACK_BESTFIT) {
		best.cost = bestfit_cost(r, n, q);
		best.gpus = share ? fullest(n, q) : best.gpus;
		return best;
	}
	if (!share) {
		best.cost = cost_of(r, n, loss, q, best.gpus);
		return best;
	}
	for (unsigned i = 0; i < n->gpu_count; i++) {
		unsigned milli = n->milli[i];
		int64_t cost;

		/* Boards that are equally full are alike: the first will do. */
		if (milli < q->gpu_milli || (seen[milli / 64] >> milli % 64 & 1))
			continue;
		seen[milli / 64] |= UINT64_C(1) << milli % 64;
		cost = cost_of(r, n, loss, q, (gm_pack_gpus)(1U << i));
		if (!best.gpus || cost < best.cost) {
			best.cost = cost;
			best.gpus = (gm_pack_gpus)(1U << i);
		}
	}
	return best;
}
