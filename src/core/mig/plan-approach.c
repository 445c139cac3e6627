/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/alloc.h"
#include "core/mig/plan-fleet-internal.h"

/*
 * For fleets and wishes that are too large to be exact. Each kind gets a price in harm, and every board is free to serve
 * what pays best at those prices: no plan has less harm than all that is wished costs at the prices, less what the boards
 * gain (Lagrange's bound, good for any prices that are not below nothing). The prices are raised one kind after the other
 * to where the boards just serve enough, which for one kind gives the best bound there is. The plan takes what pays best
 * first, and its last boards are chosen exactly.
 *
 * Harm is a vector that is compared from its first member on; vectors of that kind can be added, and multiplied by whole
 * numbers, so prices are such vectors. Scaled, so that most quotients come out even.
 */
#define SCALE 840
#define PARTS 6
#define SWEEPS 4
#define LAST_STATES 256

struct price {
	__int128 v[PARTS];
};
static const struct price nothing;

static struct price price_of(const struct gm_mig_harm *h)
{
	return (struct price){ { (__int128)h->disturbed * SCALE, (__int128)h->disturb_cost * SCALE,
				 (__int128)h->resets * SCALE, (__int128)h->idle_destroyed * SCALE,
				 (__int128)h->boards * SCALE, (__int128)h->room_lost * SCALE } };
}

static void price_add(struct price *to, const struct price *p, __int128 times)
{
	for (size_t i = 0; i < PARTS; i++)
		to->v[i] += p->v[i] * times;
}

static int price_compare(const struct price *a, const struct price *b)
{
	for (size_t i = 0; i < PARTS; i++) {
		if (a->v[i] != b->v[i])
			return a->v[i] < b->v[i] ? -1 : 1;
	}
	return 0;
}

/* What is served of it for certain costs that much a piece: a stretch of a group's cheapest way to serve more and more. */
struct stretch {
	struct price price;
	uint64_t pieces;
};
/* A group's option, and what it gains or loses at the prices. */
struct offer {
	struct price loss;
	uint32_t group, option, weight;
};
struct market {
	struct gm_mig_fleet *fleet;
	struct price prices[GM_MIG_KINDS_MAX];
	GM_VEC(struct stretch) stretches;
	GM_VEC(struct offer) offers;
	uint32_t *left;			 /* boards by group that serve nothing yet */
	uint32_t want[GM_MIG_KINDS_MAX]; /* what is not served yet */
};

static int stretch_compare(const void *a, const void *b)
{
	return price_compare(&((const struct stretch *)a)->price, &((const struct stretch *)b)->price);
}

/* What an option costs beyond what the others than `but` are paid. */
static struct price cost_but(const struct market *m, const struct gm_mig_option *o, size_t but)
{
	struct price cost = price_of(&o->harm);

	for (size_t k = 0; k < m->fleet->kinds; k++) {
		if (k != but && o->take[k])
			price_add(&cost, &m->prices[k], -(__int128)o->take[k]);
	}
	return cost;
}

/* Is the way over `b` no cheaper than straight from `a` to `c`? */
static bool is_bump(const struct price *at, size_t a, size_t b, size_t c)
{
	struct price over = nothing, straight = nothing;

	price_add(&over, &at[b], (__int128)(c - a));
	price_add(&over, &at[a], -(__int128)(c - a));
	price_add(&straight, &at[c], (__int128)(b - a));
	price_add(&straight, &at[a], -(__int128)(b - a));
	return price_compare(&over, &straight) >= 0;
}

static void add_stretches(struct market *m, const struct gm_mig_group *g, size_t kind)
{
	struct price at[GM_MIG_TAKE_MAX + 1] = { nothing };
	bool there[GM_MIG_TAKE_MAX + 1] = { true };
	size_t hull[GM_MIG_TAKE_MAX + 1], n = 0;

	for (size_t i = 0; i < g->option_count; i++) {
		const struct gm_mig_option *o = gm_mig_option_at(m->fleet, g, i);
		struct price cost = cost_but(m, o, kind);

		/* Who serves more serves fewer too. */
		for (size_t q = 0; q <= o->take[kind]; q++) {
			if (!there[q] || price_compare(&cost, &at[q]) < 0)
				at[q] = cost;
			there[q] = true;
		}
	}
	for (size_t q = 0; q <= GM_MIG_TAKE_MAX && there[q]; q++) {
		while (n >= 2 && is_bump(at, hull[n - 2], hull[n - 1], q))
			n--;
		hull[n++] = q;
	}
	for (size_t i = 1; i < n; i++) {
		struct stretch s = { .price = at[hull[i]], .pieces = (hull[i] - hull[i - 1]) * (uint64_t)g->count };

		price_add(&s.price, &at[hull[i - 1]], -1);
		for (size_t k = 0; k < PARTS; k++)
			s.price.v[k] /= (__int128)(hull[i] - hull[i - 1]);
		gm_vec_push(&m->stretches, s);
	}
}

/* The price at which the boards serve enough of a kind; false: all together they cannot. */
static bool raise_price(struct market *m, size_t kind)
{
	const struct gm_mig_fleet *f = m->fleet;
	uint64_t served = 0;

	if (f->want[kind] == 0)
		return true;
	gm_vec_reset(&m->stretches);
	for (size_t i = 0; i < f->groups.count; i++)
		add_stretches(m, &f->groups.items[i], kind);
	if (m->stretches.count)
		qsort(m->stretches.items, m->stretches.count, sizeof(struct stretch), stretch_compare);
	for (size_t i = 0; i < m->stretches.count; i++) {
		served += m->stretches.items[i].pieces;
		if (served < f->want[kind])
			continue;
		m->prices[kind] = m->stretches.items[i].price;
		if (price_compare(&m->prices[kind], &nothing) < 0)
			m->prices[kind] = nothing;
		return true;
	}
	return false;
}

static struct price bound_at(const struct market *m)
{
	const struct gm_mig_fleet *f = m->fleet;
	struct price bound = nothing;

	for (size_t k = 0; k < f->kinds; k++)
		price_add(&bound, &m->prices[k], f->want[k]);
	for (size_t i = 0; i < f->groups.count; i++) {
		const struct gm_mig_group *g = &f->groups.items[i];
		struct price best = nothing;

		for (size_t k = 0; k < g->option_count; k++) {
			struct price loss = cost_but(m, gm_mig_option_at(f, g, k), GM_MIG_KINDS_MAX);

			if (price_compare(&loss, &best) < 0)
				best = loss;
		}
		price_add(&bound, &best, g->count);
	}
	return bound;
}

/* Harm is whole numbers, and no part of it is below nothing: after a part that had to be raised the rest begins anew. */
static struct gm_mig_harm harm_from(const struct price *p, int64_t room_lost)
{
	int64_t parts[PARTS] = { 0 };
	size_t i = 0;

	for (; i < PARTS; i++) {
		__int128 v = p->v[i] + (i == PARTS - 1 ? (__int128)room_lost * SCALE : 0);

		if (v < 0)
			break;
		parts[i] = (int64_t)((v + SCALE - 1) / SCALE);
		if (v % SCALE)
			break;
	}
	/* Above, room_lost is the fleet's; the callers want it against what is lost already. */
	return (struct gm_mig_harm){ .disturbed = (int32_t)parts[0],
				     .disturb_cost = parts[1],
				     .resets = (int32_t)parts[2],
				     .idle_destroyed = (int32_t)parts[3],
				     .boards = (int32_t)parts[4],
				     .room_lost = parts[5] - room_lost };
}

/* False: it is proven that there is no way. */
static bool find_prices(struct market *m)
{
	struct gm_mig_fleet *f = m->fleet;
	struct price best_prices[GM_MIG_KINDS_MAX], best = nothing;
	size_t sweeps = f->kinds == 1 ? 1 : SWEEPS;

	for (size_t n = 0; n < sweeps; n++) {
		struct price bound;

		for (size_t k = 0; k < f->kinds; k++) {
			if (!raise_price(m, k))
				return false;
		}
		bound = bound_at(m);
		if (n > 0 && price_compare(&bound, &best) <= 0)
			break;
		best = bound;
		memcpy(best_prices, m->prices, sizeof(best_prices));
	}
	memcpy(m->prices, best_prices, sizeof(best_prices));
	f->bound = harm_from(&best, f->room_lost);
	return true;
}

static int offer_compare(const void *a, const void *b)
{
	const struct offer *x = a, *y = b;
	int by_loss = price_compare(&x->loss, &y->loss);

	if (by_loss)
		return by_loss;
	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return x->option < y->option ? -1 : x->option > y->option;
}

/* What pays best comes first; `dense`: the heaviest comes first, which finds a way where room is scarce. */
static void make_offers(struct market *m, bool dense)
{
	const struct gm_mig_fleet *f = m->fleet;

	gm_vec_reset(&m->offers);
	for (uint32_t i = 0; i < f->groups.count; i++) {
		const struct gm_mig_group *g = &f->groups.items[i];

		m->left[i] = g->count;
		for (uint32_t k = 0; k < g->option_count; k++) {
			const struct gm_mig_option *o = gm_mig_option_at(f, g, k);
			struct offer offer = { .group = i, .option = k, .weight = o->weight };

			if (!dense)
				offer.loss = cost_but(m, o, GM_MIG_KINDS_MAX);
			gm_vec_push(&m->offers, offer);
		}
	}
	if (m->offers.count)
		qsort(m->offers.items, m->offers.count, sizeof(struct offer), offer_compare);
}

static void give(struct market *m, uint32_t group, const uint8_t *take, uint32_t count)
{
	struct gm_mig_share share = { .group = group, .count = count };

	memcpy(share.take, take, sizeof(share.take));
	gm_vec_push(&m->fleet->shares, share);
	m->left[group] -= count;
	for (size_t k = 0; k < m->fleet->kinds; k++)
		m->want[k] -= take[k] * count;
}

static bool is_served(const struct market *m)
{
	for (size_t k = 0; k < m->fleet->kinds; k++) {
		if (m->want[k])
			return false;
	}
	return true;
}

/* As many boards as may serve the whole offer. */
static void give_whole(struct market *m, const struct offer *offer)
{
	const struct gm_mig_fleet *f = m->fleet;
	const struct gm_mig_option *o = gm_mig_option_at(f, &f->groups.items[offer->group], offer->option);
	uint32_t count = m->left[offer->group];

	for (size_t k = 0; k < f->kinds; k++) {
		if (o->take[k] && m->want[k] / o->take[k] < count)
			count = m->want[k] / o->take[k];
	}
	if (count > 0)
		give(m, offer->group, o->take, count);
}

/* Boards that serve a part of the offer, because no more is wanted. */
static void give_part(struct market *m, const struct offer *offer)
{
	const struct gm_mig_fleet *f = m->fleet;
	const struct gm_mig_option *o = gm_mig_option_at(f, &f->groups.items[offer->group], offer->option);

	while (m->left[offer->group] > 0) {
		uint8_t take[GM_MIG_KINDS_MAX] = { 0 };
		bool any = false;

		for (size_t k = 0; k < f->kinds; k++) {
			take[k] = o->take[k] < m->want[k] ? o->take[k] : (uint8_t)m->want[k];
			any |= take[k] > 0;
		}
		if (!any)
			return;
		give(m, offer->group, take, 1);
	}
}

/* May the wish that is left be made larger by this, and still be served exactly in little time? */
static bool is_last(const struct market *m, const uint8_t *take)
{
	uint64_t states = 1;

	for (size_t k = 0; k < m->fleet->kinds && states <= LAST_STATES; k++)
		states *= m->want[k] + take[k] + 1;
	return states <= LAST_STATES;
}

/* The boards that were taken last are given back, and chosen exactly. */
static bool choose_last(struct market *m)
{
	struct gm_mig_fleet *f = m->fleet;
	GM_VEC(struct gm_mig_share) back = { 0 };
	bool served = is_served(m);
	struct gm_mig_harm harm;
	int rc;

	while (f->shares.count > 0) {
		struct gm_mig_share *last = &f->shares.items[f->shares.count - 1], one = *last;

		if (!is_last(m, last->take))
			break;
		one.count = 1;
		gm_vec_push(&back, one);
		m->left[one.group]++;
		for (size_t k = 0; k < f->kinds; k++)
			m->want[k] += one.take[k];
		if (--last->count == 0)
			f->shares.count--;
	}
	rc = gm_mig_fleet_exact(f, m->want, m->left, &harm);
	for (size_t i = back.count; rc && i-- > 0;)
		give(m, back.items[i].group, back.items[i].take, 1);
	gm_vec_fini(&back);
	return rc == 0 || served;
}

static bool serve(struct market *m, bool dense)
{
	gm_vec_reset(&m->fleet->shares);
	memcpy(m->want, m->fleet->want, sizeof(m->want));
	make_offers(m, dense);
	for (size_t i = 0; i < m->offers.count; i++)
		give_whole(m, &m->offers.items[i]);
	for (size_t i = 0; i < m->offers.count && !is_served(m); i++)
		give_part(m, &m->offers.items[i]);
	return choose_last(m);
}

bool gm_mig_fleet_approach(struct gm_mig_fleet *f)
{
	struct market m = { .fleet = f, .left = gm_xalloc((f->groups.count + 1) * sizeof(uint32_t)) };
	bool served = false;

	f->proven_none = !find_prices(&m);
	if (!f->proven_none)
		served = serve(&m, false) || serve(&m, true);
	gm_vec_fini(&m.stretches);
	gm_vec_fini(&m.offers);
	free(m.left);
	return served;
}
