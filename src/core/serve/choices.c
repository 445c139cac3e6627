/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/serve/serve-internal.h"

/* Demands below this many GPCs have all of their covers listed; above, the bulk is met in the best size. */
#define WHOLE_GPCS_MAX 48
/* GPCs that stay free to choose beyond what is needed for the fewest GPCs. */
#define ROOM_GPCS 14
/* Boards' worth of a demand that stays free to choose when the bulk is full boards. */
#define ROOM_BOARDS 6
#define COVERS_MAX 1024
/* Costs are at most GPCs of an instance or units of a board; the rest beside the bulk is at most the square of that. */
#define COST_MAX 12
#define RESTS_MAX (COST_MAX * (COST_MAX + 2))

bool gm_serve_point_feasible(const struct gm_serve_point *p, int64_t slo_us)
{
	return p->throughput_milli > 0 && p->latency_us * 100 < slo_us * GM_SERVE_LATENCY_PERCENT;
}

int64_t gm_serve_point_rate_milli(const struct gm_serve_point *p)
{
	return p->throughput_milli * p->processes;
}

/* More is better; then sooner; then with fewer processes, in smaller batches. */
static bool better(const struct gm_serve_point *a, const struct gm_serve_point *b)
{
	int64_t rate_a = gm_serve_point_rate_milli(a), rate_b = gm_serve_point_rate_milli(b);

	if (rate_a != rate_b)
		return rate_a > rate_b;
	if (a->latency_us != b->latency_us)
		return a->latency_us < b->latency_us;
	if (a->processes != b->processes)
		return a->processes < b->processes;
	return a->batch < b->batch;
}

static size_t best_size(const int *cost, const int64_t *rate_milli, size_t count)
{
	size_t best = count;

	for (size_t i = 0; i < count; i++)
		if (rate_milli[i] > 0 && (best == count || rate_milli[i] * cost[best] > rate_milli[best] * cost[i]))
			best = i;
	return best;
}

/*
 * How many of the best size (most a cost) some cheapest cover has for sure: among as many others as the best one's cost,
 * some cost together a multiple of it, and so many of the best do at least as much for the same. So fewer others than that.
 */
static int64_t sure_count(const int *cost, const int64_t *rate_milli, size_t count, size_t best, int64_t wanted_milli)
{
	int64_t sure, dearest = 0;

	for (size_t i = 0; i < count; i++)
		if (rate_milli[i] > 0 && cost[i] > dearest)
			dearest = cost[i];
	sure = (wanted_milli * cost[best] - rate_milli[best] * (cost[best] - 1) * dearest) /
	       (rate_milli[best] * cost[best]);
	return sure > 0 ? sure : 0;
}

int serve_least_cost(const int *cost, const int64_t *rate_milli, size_t count, int64_t wanted_milli)
{
	int64_t most[RESTS_MAX + 1] = { 0 };
	size_t best;
	int64_t sure, rest;
	int spent = 0;

	for (size_t i = 0; i < count; i++)
		if (rate_milli[i] > 0 && cost[i] == 0)
			return 0;
	best = best_size(cost, rate_milli, count);
	assert(best < count);
	sure = sure_count(cost, rate_milli, count, best, wanted_milli);
	rest = wanted_milli - sure * rate_milli[best];
	while (most[spent] < rest) {
		assert(spent < RESTS_MAX);
		spent++;
		most[spent] = most[spent - 1];
		for (size_t i = 0; i < count; i++)
			if (rate_milli[i] > 0 && cost[i] <= spent &&
			    most[spent - cost[i]] + rate_milli[i] > most[spent])
				most[spent] = most[spent - cost[i]] + rate_milli[i];
	}
	sure = sure * cost[best] + spent;
	return sure < INT32_MAX ? (int)sure : INT32_MAX;
}

static int check_demand(const struct gm_serve_demand *d, struct gm_err *err)
{
	if (d->rate_milli <= 0 || d->rate_milli > GM_SERVE_THROUGHPUT_MAX_MILLI)
		return gm_fail(err, GM_ERR_INVALID, "model '%s': the rate must be above 0 and at most 10^9 a second",
			       d->model);
	if (d->slo_us <= 0 || d->slo_us > GM_SERVE_THROUGHPUT_MAX_MILLI)
		return gm_fail(err, GM_ERR_INVALID, "model '%s': the latency limit must be above 0 and at most 10^9 ms",
			       d->model);
	if (d->point_count > GM_SERVE_POINTS_MAX)
		return gm_fail(err, GM_ERR_TOO_LARGE, "model '%s' has more than %d measurements", d->model,
			       GM_SERVE_POINTS_MAX);
	for (size_t i = 0; i < d->point_count; i++) {
		const struct gm_serve_point *p = &d->points[i];

		if (p->throughput_milli < 0 || p->throughput_milli > GM_SERVE_THROUGHPUT_MAX_MILLI ||
		    p->latency_us < 0 || p->latency_us > GM_SERVE_THROUGHPUT_MAX_MILLI || p->processes < 1 ||
		    p->processes > GM_SERVE_PROCESSES_MAX)
			return gm_fail(err, GM_ERR_INVALID, "model '%s', measurement %zu: a number is out of range",
				       d->model, i + 1);
	}
	return 0;
}

/* Nothing is fast enough: how near the nearest comes. */
static int too_slow(const struct gm_serve_demand *d, const struct gm_serve_point *fastest, struct gm_err *err)
{
	if (!fastest)
		return gm_fail(err, GM_ERR_NOT_FOUND,
			       "model '%s': no measurement that ran on an instance of this board", d->model);
	return gm_fail(err, GM_ERR_NOT_FOUND,
		       "model '%s': nothing measured answers in less than %d %% of its limit of %.6g ms; the fastest "
		       "takes %.6g ms (%d GPC, batch %d, processes %d): a limit above %.6g ms would do",
		       d->model, GM_SERVE_LATENCY_PERCENT, (double)d->slo_us / 1e3, (double)fastest->latency_us / 1e3,
		       fastest->gpcs, fastest->batch, fastest->processes,
		       (double)fastest->latency_us / 1e3 / GM_SERVE_LATENCY_PERCENT * 100);
}

int serve_choice_init(const struct serve_boards *b, const struct gm_serve_demand *d, struct serve_choice *out,
		      struct gm_err *err)
{
	const struct gm_serve_point *fastest = NULL;
	int rc = check_demand(d, err);
	bool any = false;

	if (rc < 0)
		return rc;
	*out = (struct serve_choice){ 0 };
	for (size_t i = 0; i < d->point_count; i++) {
		const struct gm_serve_point *p = &d->points[i];
		size_t size = 0;

		while (size < b->size_count && b->gpcs[size] != p->gpcs)
			size++;
		if (size == b->size_count || p->throughput_milli == 0)
			continue;
		if (!fastest || p->latency_us < fastest->latency_us)
			fastest = p;
		if (!gm_serve_point_feasible(p, d->slo_us) ||
		    (out->rate_milli[size] > 0 && !better(p, &d->points[out->point[size]])))
			continue;
		out->point[size] = i;
		out->rate_milli[size] = gm_serve_point_rate_milli(p);
		any = true;
	}
	if (!any)
		return too_slow(d, fastest, err);
	out->gpcs_floor = serve_least_cost(b->gpcs, out->rate_milli, b->size_count, d->rate_milli);
	if (out->gpcs_floor > GM_SERVE_BOARDS_MAX * b->board_gpcs)
		return gm_fail(err, GM_ERR_TOO_LARGE, "model '%s': its rate needs more than %d boards", d->model,
			       GM_SERVE_BOARDS_MAX);
	return 0;
}

void serve_choice_fini(struct serve_choice *c)
{
	gm_vec_fini(&c->covers);
}

struct enumerate {
	const struct serve_boards *boards;
	struct serve_choice *choice;
	struct serve_cover cover;
	int gpcs_max;
	size_t best; /* the size that does most a GPC */
	bool full;
};

/* Without its weakest instance the rest would not do. */
static bool irredundant(const struct enumerate *e, int64_t left)
{
	for (size_t i = 0; i < e->boards->size_count; i++)
		if (e->cover.counts.n[i] && left + e->choice->rate_milli[i] <= 0)
			return false;
	return true;
}

/* Even the best size cannot meet what is left with the GPCs that are left. */
static bool beyond_reach(const struct enumerate *e, int64_t left)
{
	return left * e->boards->gpcs[e->best] > (e->gpcs_max - e->cover.gpcs) * e->choice->rate_milli[e->best];
}

/* left: the rate that is still to be met; size: sizes below it are still to be chosen. */
static void enumerate(struct enumerate *e, size_t size, int64_t left)
{
	int64_t rate;
	int gpcs;

	if (left <= 0) {
		if (!irredundant(e, left))
			return;
		e->full = e->choice->covers.count == COVERS_MAX;
		if (!e->full)
			gm_vec_push(&e->choice->covers, e->cover);
		return;
	}
	if (!size || e->full || beyond_reach(e, left))
		return;
	size--;
	rate = e->choice->rate_milli[size];
	enumerate(e, size, left);
	if (!rate)
		return;
	gpcs = e->boards->gpcs[size];
	do {
		e->cover.counts.n[size]++;
		e->cover.gpcs += gpcs;
		left -= rate;
		if (e->cover.gpcs <= e->gpcs_max)
			enumerate(e, size, left);
	} while (left > 0 && e->cover.gpcs <= e->gpcs_max);
	e->cover.gpcs -= gpcs * e->cover.counts.n[size];
	e->cover.counts.n[size] = 0;
}

static int compare_covers(const void *a, const void *b)
{
	const struct serve_cover *x = a, *y = b;

	if (x->gpcs != y->gpcs)
		return x->gpcs < y->gpcs ? -1 : 1;
	return memcmp(&x->counts, &y->counts, sizeof(x->counts));
}

/* How much of the demand the bulk meets. */
static int64_t bulk_of_size(const struct serve_boards *b, const struct gm_serve_demand *d, struct serve_choice *c)
{
	size_t best = best_size(b->gpcs, c->rate_milli, b->size_count);
	int64_t sure = sure_count(b->gpcs, c->rate_milli, b->size_count, best, d->rate_milli);
	int64_t count = sure - ROOM_GPCS / b->gpcs[best];

	if (count <= 0)
		return 0;
	c->bulk.n[best] = (uint16_t)count;
	return count * c->rate_milli[best];
}

static int64_t bulk_of_boards(const struct serve_boards *b, const struct gm_serve_demand *d, struct serve_choice *c)
{
	const struct serve_counts *best = NULL;
	int64_t best_rate = 0, count;

	for (size_t i = 0; i < b->pattern_count; i++) {
		int64_t rate = 0;

		for (size_t k = 0; k < b->size_count; k++)
			rate += c->rate_milli[k] * b->patterns[i].counts.n[k];
		if (rate > best_rate) {
			best_rate = rate;
			best = &b->patterns[i].counts;
		}
	}
	assert(best);
	count = d->rate_milli / best_rate - ROOM_BOARDS;
	if (count <= 0)
		return 0;
	for (size_t k = 0; k < b->size_count; k++)
		if (c->rate_milli[k] > 0)
			c->bulk.n[k] = (uint16_t)(best->n[k] * count);
	return best_rate * count;
}

void serve_choice_cover(const struct serve_boards *b, const struct gm_serve_demand *d, enum serve_bulk kind, int excess,
			struct serve_choice *c)
{
	struct enumerate e = { .boards = b, .choice = c, .best = best_size(b->gpcs, c->rate_milli, b->size_count) };
	int64_t left = d->rate_milli;

	c->bulk = (struct serve_counts){ 0 };
	if (c->gpcs_floor > WHOLE_GPCS_MAX)
		left -= kind == SERVE_BULK_GPCS ? bulk_of_size(b, d, c) : bulk_of_boards(b, d, c);
	c->complete = left == d->rate_milli;
	c->cover_gpcs_floor = serve_least_cost(b->gpcs, c->rate_milli, b->size_count, left);
	do {
		/* Too many: those with the fewest GPCs are the ones to have. */
		excess = e.full ? 0 : excess;
		c->complete &= !e.full;
		e.full = false;
		gm_vec_reset(&c->covers);
		e.gpcs_max = c->cover_gpcs_floor + excess;
		enumerate(&e, b->size_count, left);
	} while (e.full && excess > 0);
	c->complete &= !e.full;
	assert(c->covers.count > 0);
	qsort(c->covers.items, c->covers.count, sizeof(*c->covers.items), compare_covers);
}
