/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/alloc.h"
#include "core/mig/plan-fleet-internal.h"

/*
 * Backwards from the place that is wanted: who sits there has to move, to a place where nobody sits or whose sitters move
 * in turn. One number of moves after the other, so that the first that works is the fewest; of those the cheapest. Boards
 * of equal state are tried once, and where a slice may go to more free boards than the moves left could spoil, so many of
 * them are enough.
 */
#define NODES_MAX 100000
#define HOLDS_MAX (GM_MIG_MOVES_MAX + 1)
#define SPOTS_OF_BOARD_MAX 128

/* Where an instance may be on a board, once those seats are empty. */
struct spot {
	uint32_t group;
	struct gm_mig_slot slot;
	uint16_t evict; /* by busy seat of the frame */
	uint8_t count;	/* of them */
	bool clean;	/* no idle one has to go either */
	int64_t cost;
};
/* All spots of a profile on boards as they are, those that need fewest moves first. */
struct shelf {
	const struct gm_mig_table *table;
	size_t profile;
	GM_VEC(struct spot) spots;
};

/* A board that has a part in it. */
struct hold {
	uint32_t board, group;
	uint16_t gone; /* busy seats that move away */
	uint8_t final_count;
	struct gm_mig_slot finals[HOLDS_MAX]; /* what comes */
};
struct job {
	struct gm_mig_slot from, to;
	uint8_t from_hold, to_hold, seat;
	bool placed;
};
/* A plan that is not finished: copied at each step, so going back needs no undoing. */
struct scene {
	size_t hold_count, job_count, placed;
	int64_t cost;
	struct hold holds[HOLDS_MAX];
	struct job jobs[GM_MIG_MOVES_MAX];
};
struct defrag {
	struct gm_mig_fleet fleet;
	GM_VEC(struct shelf) shelves;
	size_t limit; /* moves */
	size_t nodes;
	bool cut, found;
	struct gm_mig_defrag best;
};

static const struct gm_mig_frame *frame_of(const struct defrag *d, uint32_t group)
{
	return &d->fleet.groups.items[group].frame;
}

/* What is there when these seats are empty, and what comes has come. */
static struct gm_mig_use use_without(const struct gm_mig_frame *f, const struct hold *h, uint32_t gone)
{
	struct gm_mig_use use = f->base;

	for (unsigned i = 0; i < f->busy_count; i++) {
		if (!(gone >> i & 1))
			gm_mig_use_add(f->table, &use, f->busy[i]);
	}
	for (size_t i = 0; h && i < h->final_count; i++)
		gm_mig_use_add(f->table, &use, h->finals[i]);
	return use;
}

/* A list that ends where there is no more room: no board has so many. */
struct spot_list {
	size_t count;
	struct spot items[SPOTS_OF_BOARD_MAX];
};

/* Who sits on the units has to go; where media engines or counts refuse still, others too, each choice of them. */
static void list_evictions(const struct gm_mig_frame *f, const struct hold *h, struct spot spot, uint32_t evict,
			   unsigned first, struct spot_list *out)
{
	uint32_t gone = (h ? h->gone : 0U) | evict;
	struct gm_mig_use use = use_without(f, h, gone);
	enum gm_mig_refusal why = gm_mig_use_refuses(f->table, &use, spot.slot);

	if (out->count == SPOTS_OF_BOARD_MAX)
		return;
	if (why == GM_MIG_FITS) {
		spot.evict = (uint16_t)evict;
		spot.count = (uint8_t)__builtin_popcount(evict);
		for (unsigned i = 0; i < f->busy_count; i++)
			spot.cost += evict >> i & 1 ? f->cost[i] : 0;
		for (size_t i = 0; i < f->idle_count; i++)
			gm_mig_use_add(f->table, &use, f->idle[i]);
		spot.clean = gm_mig_use_refuses(f->table, &use, spot.slot) == GM_MIG_FITS;
		out->items[out->count++] = spot;
		return;
	}
	if (why != GM_MIG_NO_COUNT && why != GM_MIG_NO_ENGINES)
		return;
	for (unsigned i = first; i < f->busy_count; i++) {
		if (!(gone >> i & 1))
			list_evictions(f, h, spot, evict | 1U << i, i + 1, out);
	}
}

static void list_spots(const struct gm_mig_frame *f, uint32_t group, const struct hold *h, size_t profile,
		       struct spot_list *out)
{
	const struct gm_mig_profile *p = &f->table->profiles[profile];

	out->count = 0;
	if (f->mode != GM_MIG_FRAME_ON || !gm_mig_profile_placed(f->table, profile))
		return;
	for (size_t i = 0; i < p->start_count; i++) {
		struct spot spot = { .group = group, .slot = { .profile = (uint8_t)profile, .start = p->starts[i] } };
		uint32_t mask = gm_mig_mask(p, p->starts[i]), evict = 0;

		for (unsigned k = 0; k < f->busy_count; k++) {
			if (!((h ? h->gone : 0U) >> k & 1) &&
			    mask & gm_mig_mask(&f->table->profiles[f->busy[k].profile], f->busy[k].start))
				evict |= 1U << k;
		}
		list_evictions(f, h, spot, evict, 0, out);
	}
}

static int spot_compare(const void *a, const void *b)
{
	const struct spot *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? -1 : 1;
	if (x->cost != y->cost)
		return x->cost < y->cost ? -1 : 1;
	if (x->clean != y->clean)
		return x->clean ? -1 : 1;
	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return x->slot.start != y->slot.start ? (x->slot.start < y->slot.start ? -1 : 1) : x->evict - y->evict;
}

/* Valid until the next call that makes one. */
static const struct shelf *shelf_of(struct defrag *d, const struct gm_mig_table *t, size_t profile)
{
	struct shelf *s;
	struct spot_list list;

	for (size_t i = 0; i < d->shelves.count; i++) {
		if (d->shelves.items[i].table == t && d->shelves.items[i].profile == profile)
			return &d->shelves.items[i];
	}
	s = gm_vec_add(&d->shelves);
	s->table = t;
	s->profile = profile;
	for (uint32_t i = 0; i < d->fleet.groups.count; i++) {
		if (frame_of(d, i)->table != t)
			continue;
		list_spots(frame_of(d, i), i, NULL, profile, &list);
		for (size_t k = 0; k < list.count; k++) {
			if (list.items[k].count <= GM_MIG_MOVES_MAX)
				gm_vec_push(&s->spots, list.items[k]);
		}
	}
	if (s->spots.count)
		qsort(s->spots.items, s->spots.count, sizeof(struct spot), spot_compare);
	return s;
}

/* The first board of a group that has no part yet; UINT32_MAX: there is none. */
static uint32_t fresh_board(const struct defrag *d, const struct scene *s, uint32_t group)
{
	uint32_t board = d->fleet.groups.items[group].first;

	while (board != UINT32_MAX) {
		bool taken = false;

		for (size_t i = 0; i < s->hold_count; i++)
			taken |= s->holds[i].board == board;
		if (!taken)
			return board;
		board = d->fleet.next[board];
	}
	return UINT32_MAX;
}

/* What comes to a board, and the jobs that this makes. False: more moves than may be. */
static bool take_spot(const struct defrag *d, struct scene *s, size_t hold, const struct spot *spot)
{
	struct hold *h = &s->holds[hold];
	const struct gm_mig_frame *f = frame_of(d, h->group);

	if (s->job_count + spot->count > d->limit)
		return false;
	h->gone |= spot->evict;
	h->finals[h->final_count++] = spot->slot;
	for (unsigned i = 0; i < f->busy_count; i++) {
		if (spot->evict >> i & 1)
			s->jobs[s->job_count++] =
				(struct job){ .from = f->busy[i], .from_hold = (uint8_t)hold, .seat = (uint8_t)i };
	}
	s->cost += spot->cost;
	return true;
}

static bool job_may_go(const struct defrag *d, const struct scene *s, const struct job *j, uint32_t done)
{
	const struct hold *h = &s->holds[j->to_hold];
	const struct gm_mig_frame *f = frame_of(d, h->group);
	struct hold now = { 0 };
	uint32_t gone = 0;
	struct gm_mig_use use;

	for (size_t i = 0; i < s->job_count; i++) {
		if (!(done >> i & 1))
			continue;
		if (s->jobs[i].from_hold == j->to_hold)
			gone |= 1U << s->jobs[i].seat;
		if (s->jobs[i].to_hold == j->to_hold)
			now.finals[now.final_count++] = s->jobs[i].to;
	}
	use = use_without(f, &now, gone);
	return gm_mig_use_refuses(f->table, &use, j->to) == GM_MIG_FITS;
}

/* Finds an order in which each new instance is legal beside what is there by then. One that may go never hinders others. */
static void finish(struct defrag *d, const struct scene *s)
{
	struct gm_mig_defrag plan = { .cost = s->cost, .board = s->holds[0].board, .gain = s->holds[0].finals[0] };
	uint32_t done = 0;

	while (plan.move_count < s->job_count) {
		size_t i = 0;

		while (i < s->job_count && (done >> i & 1 || !job_may_go(d, s, &s->jobs[i], done)))
			i++;
		if (i == s->job_count)
			return;
		done |= 1U << i;
		plan.moves[plan.move_count++] = (struct gm_mig_move){
			.from_board = s->holds[s->jobs[i].from_hold].board,
			.to_board = s->holds[s->jobs[i].to_hold].board,
			.from = s->jobs[i].from,
			.to = s->jobs[i].to,
		};
	}
	d->best = plan;
	d->found = true;
}

/* The largest that has no place yet: it has fewest. */
static size_t next_job(const struct defrag *d, const struct scene *s)
{
	size_t best = s->job_count;
	int best_size = 0;

	for (size_t i = 0; i < s->job_count; i++) {
		const struct gm_mig_frame *f = frame_of(d, s->holds[s->jobs[i].from_hold].group);
		int size = f->table->profiles[s->jobs[i].from.profile].size;

		if (s->jobs[i].placed || size <= best_size)
			continue;
		best = i;
		best_size = size;
	}
	return best;
}

static void search(struct defrag *d, const struct scene *s);

static void try_spot(struct defrag *d, const struct scene *s, size_t job, size_t hold, uint32_t board,
		     const struct spot *spot)
{
	struct scene next = *s;
	struct job *j = &next.jobs[job];
	const struct gm_mig_profile *p = &frame_of(d, spot->group)->table->profiles[spot->slot.profile];

	if (d->found && s->cost + spot->cost >= d->best.cost)
		return;
	/* The old one is there until the new one runs. */
	if (hold == j->from_hold && gm_mig_mask(p, spot->slot.start) & gm_mig_mask(p, j->from.start))
		return;
	if (hold == next.hold_count) {
		if (hold == HOLDS_MAX)
			return;
		next.holds[next.hold_count++] = (struct hold){ .board = board, .group = spot->group };
	}
	j->placed = true;
	j->to = spot->slot;
	j->to_hold = (uint8_t)hold;
	next.placed++;
	if (take_spot(d, &next, hold, spot))
		search(d, &next);
}

/* Places on boards that have no part yet. */
static void search_fresh(struct defrag *d, const struct scene *s, size_t job, const struct gm_mig_table *t)
{
	const struct shelf *shelf = shelf_of(d, t, s->jobs[job].from.profile);
	const struct spot *spots = shelf->spots.items;
	size_t count = shelf->spots.count, slack = d->limit - s->job_count, enough = d->limit - s->placed, tried = 0;
	uint32_t groups[GM_MIG_MOVES_MAX + 1];

	for (size_t i = 0; i < count && spots[i].count <= slack && !d->cut; i++) {
		uint32_t board;
		bool again = false;

		for (size_t k = 0; k < tried; k++)
			again |= groups[k] == spots[i].group;
		if (spots[i].count == 0 && tried >= enough && !again)
			continue;
		board = fresh_board(d, s, spots[i].group);
		if (board == UINT32_MAX)
			continue;
		if (spots[i].count == 0 && !again)
			groups[tried++] = spots[i].group;
		try_spot(d, s, job, s->hold_count, board, &spots[i]);
	}
}

static void search(struct defrag *d, const struct scene *s)
{
	size_t job = next_job(d, s);
	const struct gm_mig_table *t;
	struct spot_list list;

	if (d->cut || (d->found && s->cost >= d->best.cost))
		return;
	d->cut = ++d->nodes > NODES_MAX;
	if (job == s->job_count) {
		finish(d, s);
		return;
	}
	t = frame_of(d, s->holds[s->jobs[job].from_hold].group)->table;
	for (size_t i = 0; i < s->hold_count; i++) {
		const struct gm_mig_frame *f = frame_of(d, s->holds[i].group);

		if (f->table != t)
			continue;
		list_spots(f, s->holds[i].group, &s->holds[i], s->jobs[job].from.profile, &list);
		for (size_t k = 0; k < list.count; k++)
			try_spot(d, s, job, i, s->holds[i].board, &list.items[k]);
	}
	search_fresh(d, s, job, t);
}

/* All places where the profile could be, on boards of one table, with as many moves as the limit says or fewer. */
static void search_gain(struct defrag *d, const struct gm_mig_table *t, size_t profile)
{
	/* The shelves move when another is made. */
	const struct spot *spots = shelf_of(d, t, profile)->spots.items;
	size_t count = shelf_of(d, t, profile)->spots.count;

	/* Those whose sitters need no others to move are settled fast, and bound the rest. */
	for (int chains = 0; chains < 2; chains++) {
		for (size_t i = 0; i < count && spots[i].count <= d->limit && !d->cut; i++) {
			struct scene s = { 0 };

			if ((spots[i].count < d->limit) != chains || (d->found && spots[i].cost >= d->best.cost))
				continue;
			s.holds[s.hold_count++] = (struct hold){ .board = d->fleet.groups.items[spots[i].group].first,
								 .group = spots[i].group };
			if (take_spot(d, &s, 0, &spots[i]))
				search(d, &s);
		}
	}
}

static int search_all(struct defrag *d, const char *profile, size_t moves_max, struct gm_err *err)
{
	GM_VEC(const struct gm_mig_table *) tables = { 0 };
	bool known = false, cut = false;

	for (size_t k = 0; k < d->fleet.groups.count; k++) {
		const struct gm_mig_table *t = frame_of(d, (uint32_t)k)->table;
		bool seen = false;

		for (size_t i = 0; i < tables.count && !seen; i++)
			seen = tables.items[i] == t;
		if (!seen)
			gm_vec_push(&tables, t);
	}
	for (size_t n = 0; n <= moves_max && !d->found; n++) {
		d->limit = n;
		d->nodes = 0;
		d->cut = false;
		for (size_t i = 0; i < tables.count; i++) {
			const struct gm_mig_profile *p = gm_mig_profile_find(tables.items[i], gm_str(profile));

			known |= p != NULL;
			if (p)
				search_gain(d, tables.items[i], (size_t)(p - tables.items[i]->profiles));
		}
		cut |= d->cut;
	}
	gm_vec_fini(&tables);
	if (!known)
		return gm_fail(err, GM_ERR_NOT_FOUND, "no board has a profile '%s'", profile);
	if (!d->found)
		return gm_fail(err, GM_ERR_NOT_FOUND,
			       cut ? "no %zu moves that buy a %s were found; there may be some"
				   : "no %zu moves buy a %s",
			       moves_max, profile);
	d->best.proven = !cut;
	return 0;
}

int gm_mig_plan_defrag(const struct gm_mig_board *boards, size_t board_count, const char *profile, size_t moves_max,
		       struct gm_mig_defrag *out, struct gm_err *err)
{
	struct defrag d = { .fleet = { .boards = boards, .board_count = board_count, .disturb = true } };
	int rc;

	if (board_count > GM_MIG_FLEET_BOARDS_MAX)
		return gm_fail(err, GM_ERR_TOO_LARGE, "more than %d boards", GM_MIG_FLEET_BOARDS_MAX);
	if (moves_max > GM_MIG_MOVES_MAX)
		return gm_fail(err, GM_ERR_TOO_LARGE, "more than %d moves", GM_MIG_MOVES_MAX);
	rc = gm_mig_fleet_group(&d.fleet, err);
	if (rc == 0)
		rc = search_all(&d, profile, moves_max, err);
	if (rc == 0)
		*out = d.best;
	for (size_t i = 0; i < d.shelves.count; i++)
		gm_vec_fini(&d.shelves.items[i].spots);
	gm_vec_fini(&d.shelves);
	gm_mig_fleet_fini(&d.fleet);
	return rc;
}
