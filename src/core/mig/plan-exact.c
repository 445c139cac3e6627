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

/* A group that serves so much. */
struct entry {
	uint32_t group, left;
	const struct gm_mig_harm *harm;
};
/* The cheapest for one multiset; more than enough of them are thrown out now and then. */
struct bucket {
	uint64_t enough; /* boards */
	bool full;	 /* there are enough up to the last that was kept */
	struct entry last;
	GM_VEC(struct entry) entries;
};

static int entry_compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int by_harm = gm_mig_harm_compare(x->harm, y->harm);

	if (by_harm)
		return by_harm;
	return x->group < y->group ? -1 : x->group > y->group;
}

static void bucket_trim(struct bucket *b)
{
	uint64_t boards = 0;
	size_t n = 0;

	if (b->entries.count == 0)
		return;
	qsort(b->entries.items, b->entries.count, sizeof(struct entry), entry_compare);
	while (n < b->entries.count && boards < b->enough)
		boards += b->entries.items[n++].left;
	b->entries.count = n;
	b->last = b->entries.items[n - 1];
	b->full = boards >= b->enough;
}

static void bucket_add(struct bucket *b, const struct entry *e)
{
	if (b->full && entry_compare(e, &b->last) > 0)
		return;
	gm_vec_push(&b->entries, *e);
	if (b->entries.count >= 2 * b->enough + 64)
		bucket_trim(b);
}

/* By the state that a board leads to which serves that first. */
static void fill_buckets(const struct dynamic *d, const uint32_t *left, struct bucket *buckets)
{
	const struct gm_mig_fleet *f = d->fleet;
	static const uint32_t none[GM_MIG_KINDS_MAX];

	for (uint32_t i = 0; i < f->groups.count; i++) {
		const struct gm_mig_group *g = &f->groups.items[i];

		for (size_t k = 0; k < g->option_count && left[i]; k++) {
			const struct gm_mig_option *o = gm_mig_option_at(f, g, k);
			struct bucket *b = &buckets[state_with(d, none, o)];
			size_t useful = 0;

			for (size_t j = 0; j < f->kinds; j++)
				useful += o->take[j] < d->want[j] ? o->take[j] : d->want[j];
			b->enough = d->wished - useful + 1;
			if (useful)
				bucket_add(b, &(struct entry){ i, left[i], &o->harm });
		}
	}
}

/* How many boards of each group may be in the answer; false: out of memory. */
static bool choose_candidates(struct dynamic *d, const uint32_t *left)
{
	const struct gm_mig_fleet *f = d->fleet;
	struct bucket *buckets = gm_try_alloc(d->state_count * sizeof(*buckets));
	uint32_t *copies = gm_try_alloc((f->groups.count + 1) * sizeof(*copies));
	bool there = buckets && copies;

	if (there)
		fill_buckets(d, left, buckets);
	for (size_t i = 0; there && i < d->state_count; i++) {
		struct bucket *b = &buckets[i];
		uint64_t missing = b->enough;

		bucket_trim(b);
		for (size_t k = 0; k < b->entries.count; k++) {
			const struct entry *e = &b->entries.items[k];
			uint32_t n = e->left < missing ? e->left : (uint32_t)missing;

			missing -= n;
			copies[e->group] = copies[e->group] < n ? n : copies[e->group];
		}
		gm_vec_fini(&b->entries);
	}
	for (uint32_t i = 0; there && i < f->groups.count; i++) {
		for (; copies[i] > 0; copies[i]--)
			gm_vec_push(&d->boards, i);
	}
	free(buckets);
	free(copies);
	return there;
}

static bool is_affordable(const struct dynamic *d)
{
	uint64_t steps = 0;

	for (size_t i = 0; i < d->boards.count; i++)
		steps += d->state_count * (1 + d->fleet->groups.items[d->boards.items[i]].option_count);
	return steps <= STEPS_MAX;
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
