/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/alloc.h"
#include "core/mig/plan-fleet-internal.h"

/*
 * Board after board, the least harm of each multiset that is served by then. What keeps it small: of a wish for N
 * instances, a board that serves m of them is one of the N - m + 1 cheapest for what it serves, or could be exchanged for
 * one of those that serves nothing.
 */
#define STATES_MAX 4096
#define STEPS_MAX 1000000

struct dynamic {
	const struct gm_mig_fleet *fleet;
	const uint32_t *want;
	size_t state_count, wished;
	uint32_t stride[GM_MIG_KINDS_MAX];
	GM_VEC(uint32_t) boards; /* the candidates' groups */
	struct gm_mig_harm *now, *then;
	bool *now_there, *then_there;
	uint32_t *came_from; /* by candidate and state; the state itself: the candidate serves nothing */
};

static bool count_states(struct dynamic *d)
{
	d->state_count = 1;
	for (size_t k = 0; k < d->fleet->kinds; k++) {
		d->stride[k] = (uint32_t)d->state_count;
		d->wished += d->want[k];
		if (d->want[k] >= STATES_MAX)
			return false;
		d->state_count *= d->want[k] + 1;
		if (d->state_count > STATES_MAX)
			return false;
	}
	return true;
}

struct entry {
	uint64_t pack; /* of what is wished of the take */
	uint32_t group, useful;
	const struct gm_mig_harm *harm;
};

static int entry_compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int by_harm;

	if (x->pack != y->pack)
		return x->pack < y->pack ? -1 : 1;
	by_harm = gm_mig_harm_compare(x->harm, y->harm);
	if (by_harm)
		return by_harm;
	return x->group < y->group ? -1 : x->group > y->group;
}

static struct entry entry_of(const struct dynamic *d, uint32_t group, const struct gm_mig_option *o)
{
	struct entry e = { .group = group, .harm = &o->harm };

	for (size_t k = 0; k < d->fleet->kinds; k++) {
		uint32_t take = o->take[k] < d->want[k] ? o->take[k] : d->want[k];

		e.pack |= (uint64_t)take << 4 * k;
		e.useful += take;
	}
	return e;
}

/* How many boards of each group may be in the answer; false: out of memory. */
static bool choose_candidates(struct dynamic *d, const uint32_t *left)
{
	const struct gm_mig_fleet *f = d->fleet;
	GM_VEC(struct entry) entries = { 0 };
	uint32_t *copies = gm_try_alloc((f->groups.count + 1) * sizeof(*copies));
	uint64_t there = 0;

	if (!copies)
		return false;
	for (uint32_t i = 0; i < f->groups.count; i++) {
		for (size_t k = 0; k < f->groups.items[i].option_count && left[i]; k++) {
			struct entry e = entry_of(d, i, gm_mig_option_at(f, &f->groups.items[i], k));

			if (e.useful)
				gm_vec_push(&entries, e);
		}
	}
	if (entries.count)
		qsort(entries.items, entries.count, sizeof(struct entry), entry_compare);
	for (size_t i = 0; i < entries.count; i++) {
		const struct entry *e = &entries.items[i];
		uint64_t enough = d->wished - e->useful + 1, more;

		there = i > 0 && e[-1].pack == e->pack ? there : 0;
		more = there >= enough ? 0 : enough - there;
		more = more < left[e->group] ? more : left[e->group];
		there += left[e->group];
		if (copies[e->group] < more)
			copies[e->group] = (uint32_t)more;
	}
	for (uint32_t i = 0; i < f->groups.count; i++) {
		for (; copies[i] > 0; copies[i]--)
			gm_vec_push(&d->boards, i);
	}
	free(copies);
	gm_vec_fini(&entries);
	return true;
}

static bool is_affordable(const struct dynamic *d)
{
	uint64_t steps = 0;

	for (size_t i = 0; i < d->boards.count; i++)
		steps += d->state_count * (1 + d->fleet->groups.items[d->boards.items[i]].option_count);
	return steps <= STEPS_MAX;
}

static void state_of(const struct dynamic *d, uint32_t state, uint32_t *served)
{
	for (size_t k = 0; k < d->fleet->kinds; k++) {
		served[k] = state % (d->want[k] + 1);
		state /= d->want[k] + 1;
	}
}

static uint32_t state_with(const struct dynamic *d, const uint32_t *served, const struct gm_mig_option *o)
{
	uint32_t state = 0;

	for (size_t k = 0; k < d->fleet->kinds; k++) {
		uint32_t n = served[k] + o->take[k];

		state += d->stride[k] * (n < d->want[k] ? n : d->want[k]);
	}
	return state;
}

static void add_board(struct dynamic *d, size_t candidate)
{
	const struct gm_mig_group *g = &d->fleet->groups.items[d->boards.items[candidate]];
	uint32_t *from = d->came_from + candidate * d->state_count;

	memcpy(d->then, d->now, d->state_count * sizeof(*d->now));
	memcpy(d->then_there, d->now_there, d->state_count);
	for (uint32_t s = 0; s < d->state_count; s++)
		from[s] = s;
	for (uint32_t s = 0; s < d->state_count; s++) {
		uint32_t served[GM_MIG_KINDS_MAX];

		if (!d->now_there[s])
			continue;
		state_of(d, s, served);
		for (size_t i = 0; i < g->option_count; i++) {
			const struct gm_mig_option *o = gm_mig_option_at(d->fleet, g, i);
			uint32_t to = state_with(d, served, o);
			struct gm_mig_harm h = d->now[s];

			gm_mig_harm_add(&h, &o->harm);
			if (to == s || (d->then_there[to] && gm_mig_harm_compare(&d->then[to], &h) <= 0))
				continue;
			d->then[to] = h;
			d->then_there[to] = true;
			from[to] = s;
		}
	}
	struct gm_mig_harm *harms = d->now;
	bool *there = d->now_there;

	d->now = d->then;
	d->now_there = d->then_there;
	d->then = harms;
	d->then_there = there;
}

static void tell_shares(const struct dynamic *d, struct gm_mig_fleet *f)
{
	uint32_t state = (uint32_t)d->state_count - 1;

	for (size_t i = d->boards.count; i-- > 0;) {
		uint32_t before = d->came_from[i * d->state_count + state];
		uint32_t served[GM_MIG_KINDS_MAX], had[GM_MIG_KINDS_MAX];
		struct gm_mig_share share = { .group = d->boards.items[i], .count = 1 };

		if (before == state)
			continue;
		state_of(d, state, served);
		state_of(d, before, had);
		for (size_t k = 0; k < f->kinds; k++)
			share.take[k] = (uint8_t)(served[k] - had[k]);
		gm_vec_push(&f->shares, share);
		state = before;
	}
}

static int run(struct dynamic *d, struct gm_mig_fleet *f, struct gm_mig_harm *out)
{
	d->now = gm_try_alloc(d->state_count * sizeof(*d->now));
	d->then = gm_try_alloc(d->state_count * sizeof(*d->then));
	d->now_there = gm_try_alloc(d->state_count);
	d->then_there = gm_try_alloc(d->state_count);
	d->came_from = gm_try_alloc((d->boards.count + 1) * d->state_count * sizeof(*d->came_from));
	if (!d->now || !d->then || !d->now_there || !d->then_there || !d->came_from)
		return GM_ERR_NO_MEMORY;
	d->now_there[0] = true;
	for (size_t i = 0; i < d->boards.count; i++)
		add_board(d, i);
	if (!d->now_there[d->state_count - 1])
		return GM_ERR_CONFLICT;
	*out = d->now[d->state_count - 1];
	tell_shares(d, f);
	return 0;
}

int gm_mig_fleet_exact(struct gm_mig_fleet *f, const uint32_t *want, const uint32_t *left, struct gm_mig_harm *out)
{
	struct dynamic d = { .fleet = f, .want = want };
	int rc = GM_ERR_TOO_LARGE;

	if (!count_states(&d))
		return rc;
	if (!choose_candidates(&d, left))
		return GM_ERR_NO_MEMORY;
	if (is_affordable(&d))
		rc = run(&d, f, out);
	gm_vec_fini(&d.boards);
	free(d.now);
	free(d.then);
	free(d.now_there);
	free(d.then_there);
	free(d.came_from);
	return rc;
}
