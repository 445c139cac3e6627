/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "core/alloc/slice-fleet-internal.h"

/*
 * Making room: put the request where some other slices are, and find these a place elsewhere, which may again be where
 * others are. A slice that fits somewhere without moving others takes the cheapest such place. Slices only give way to
 * what is harder to place than they are, so chains end. Of a class of equal boards one is looked at.
 */
#define NOBODY UINT32_MAX
/* The board of each slice that waits for a place: the request and those that move. */
#define WAITING_MAX (GM_SLICE_MOVES_MAX + 1)
#define TOUCHED_MAX (2 * WAITING_MAX)
#define DIRECT_MAX (TOUCHED_MAX + 1)
#define PROFILES_MAX 64

/* A board that the plan changes, as it then is. */
struct touched {
	uint32_t board;
	uint16_t state;
};
struct direct {
	struct gm_slice_place place;
	double cost;
};
struct waiting {
	uint32_t slice; /* NOBODY: the request itself */
	uint8_t profile;
	bool may_push; /* it is easier to place than who pushed it out, so chains end */
};

struct search {
	const struct gm_slice_fleet *fleet;
	struct gm_slice_rule *rule;
	int64_t now;
	unsigned most; /* moves */
	struct touched touched[TOUCHED_MAX];
	unsigned touched_count;
	struct gm_slice_moves plan, best;
	double best_cost;
	bool found;
	/* The cheapest places in the fleet as it is now, a board each, cheapest first; made when first asked for. */
	struct direct direct[PROFILES_MAX][DIRECT_MAX];
	uint8_t direct_count[PROFILES_MAX];
	bool direct_made[PROFILES_MAX];
	/* By profile and moves that are left: the best board to push others out of, in the fleet as it is now. */
	struct way {
		bool made, found;
		struct gm_slice_place place;
	} ways[PROFILES_MAX][GM_SLICE_MOVES_MAX + 1];
};

static void settle(struct search *s, const struct waiting *waiting, unsigned count, double cost);

/* Larger first; of a size, the one with fewer starts. */
static int harder(const struct gm_slice_space *s, size_t a, size_t b)
{
	const struct gm_mig_profile *p = s->table->profiles;
	int starts_a = s->slot_first[a + 1] - s->slot_first[a], starts_b = s->slot_first[b + 1] - s->slot_first[b];

	return p[a].size != p[b].size ? p[a].size - p[b].size : starts_b - starts_a;
}

static struct touched *touched_find(struct search *s, uint32_t board)
{
	for (unsigned i = 0; i < s->touched_count; i++)
		if (s->touched[i].board == board)
			return &s->touched[i];
	return NULL;
}

/* Classes lie in no order: equal costs go by the board. */
static bool cheaper(const struct direct *a, const struct direct *b)
{
	return a->cost < b->cost || (a->cost <= b->cost && a->place.board < b->place.board);
}

static void direct_insert(struct search *s, size_t profile, struct direct d)
{
	struct direct *row = s->direct[profile];
	uint8_t n = s->direct_count[profile], at;

	if (n == DIRECT_MAX && !cheaper(&d, &row[n - 1]))
		return;
	at = n < DIRECT_MAX ? n++ : DIRECT_MAX - 1;
	for (; at > 0 && cheaper(&d, &row[at - 1]); at--)
		row[at] = row[at - 1];
	row[at] = d;
	s->direct_count[profile] = n;
}

static void direct_make(struct search *s, size_t profile)
{
	const struct gm_slice_fleet *f = s->fleet;

	s->direct_made[profile] = true;
	for (size_t i = 0; i < f->used_count; i++) {
		const struct gm_slice_choice *c = gm_slice_rule_choice(s->rule, f->used[i], profile);
		const struct slice_class *class = &f->classes[f->used[i]];

		if (c->slot == GM_SLICE_NONE)
			continue;
		for (uint32_t k = 0; k < class->count; k++) {
			uint32_t board = class->boards[k];
			double left = gm_slice_board_left(f, s->rule, board, NOBODY, s->now);

			direct_insert(s, profile,
				      (struct direct){ .place = { .board = board, .slot = c->slot },
						       .cost = c->cost + gm_slice_rule_keeps(s->rule, left) });
		}
	}
}

/* The cheapest place without moving others, the plan so far counted in. */
static bool direct_find(struct search *s, size_t profile, struct direct *out)
{
	bool found = false;

	if (!s->direct_made[profile])
		direct_make(s, profile);
	for (unsigned i = 0; i < s->direct_count[profile] && !found; i++) {
		if (touched_find(s, s->direct[profile][i].place.board))
			continue;
		*out = s->direct[profile][i];
		found = true;
	}
	for (unsigned i = 0; i < s->touched_count; i++) {
		const struct gm_slice_choice *c = gm_slice_rule_choice(s->rule, s->touched[i].state, profile);

		if (c->slot == GM_SLICE_NONE || (found && c->cost >= out->cost))
			continue;
		*out = (struct direct){ .place = { .board = s->touched[i].board, .slot = c->slot }, .cost = c->cost };
		found = true;
	}
	return found;
}

/* Notes where a waiting slice goes; settles the others; takes it back. */
static void place_and_go_on(struct search *s, struct waiting who, struct gm_slice_place place,
			    const struct waiting *rest, unsigned count, double cost)
{
	const struct gm_slice_space *space = s->fleet->space;
	struct touched *t = touched_find(s, place.board);
	unsigned touched_before = s->touched_count, moves_before = s->plan.count;
	uint16_t state_before = t ? t->state : GM_SLICE_NONE;

	if (!t) {
		t = &s->touched[s->touched_count++];
		*t = (struct touched){ .board = place.board, .state = s->fleet->boards[place.board].state };
	}
	t->state = gm_slice_with(space, t->state, place.slot);
	if (who.slice == NOBODY)
		s->plan.place = place;
	else
		s->plan.moves[s->plan.count++] = (struct gm_slice_move){ .slice = who.slice, .to = place };
	settle(s, rest, count, cost);
	t->state = state_before;
	s->touched_count = touched_before;
	s->plan.count = moves_before;
}

static struct waiting leaver(const struct search *s, uint32_t slice, size_t for_profile)
{
	const struct gm_slice_space *space = s->fleet->space;
	uint8_t profile = space->slots[s->fleet->slices.items[slice].slot].profile;

	return (struct waiting){ .slice = slice,
				 .profile = profile,
				 .may_push = harder(space, profile, for_profile) < 0 };
}

/*
 * The units are free, but a board has only so many of a profile, and one set of some media engines: the slice that must
 * leave for these, the easiest to place; NOBODY: it does not help.
 */
static uint32_t who_holds_the_rest(const struct search *s, const struct slice_board *b, uint16_t state, uint16_t slot)
{
	const struct gm_slice_space *space = s->fleet->space;
	uint32_t best = NOBODY;

	for (size_t i = 0; i < b->count; i++) {
		const struct slice_running *r = &s->fleet->slices.items[b->slices[i]];
		uint16_t less = gm_slice_without(space, state, r->slot);

		if (less == GM_SLICE_NONE || gm_slice_with(space, less, slot) == GM_SLICE_NONE)
			continue;
		if (best == NOBODY || harder(space, space->slots[r->slot].profile,
					     space->slots[s->fleet->slices.items[best].slot].profile) < 0)
			best = b->slices[i];
	}
	return best;
}

/* What must leave the board for the slot; false when it is more than `most` or does not help. */
static bool who_leaves(const struct search *s, uint32_t board, uint16_t slot, unsigned most, struct waiting *out,
		       unsigned *count, uint16_t *state)
{
	const struct gm_slice_space *space = s->fleet->space;
	const struct slice_board *b = &s->fleet->boards[board];
	struct gm_mig_slot want = space->slots[slot];
	int end = want.start + gm_slice_size(space, slot);
	uint32_t more;

	*count = 0;
	*state = b->state;
	for (size_t i = 0; i < b->count; i++) {
		uint16_t at = s->fleet->slices.items[b->slices[i]].slot;

		if (space->slots[at].start >= end || space->slots[at].start + gm_slice_size(space, at) <= want.start)
			continue;
		if (*count == most)
			return false;
		out[(*count)++] = leaver(s, b->slices[i], want.profile);
		*state = gm_slice_without(space, *state, at);
	}
	if (gm_slice_with(space, *state, slot) != GM_SLICE_NONE)
		return *count > 0;
	more = *count < most ? who_holds_the_rest(s, b, *state, slot) : NOBODY;
	if (more == NOBODY)
		return false;
	out[(*count)++] = leaver(s, more, want.profile);
	*state = gm_slice_without(space, *state, s->fleet->slices.items[more].slot);
	return true;
}

/* What is hardest to place goes first. */
static void sort_waiting(const struct gm_slice_space *space, struct waiting *w, unsigned count)
{
	for (unsigned i = 1; i < count; i++)
		for (unsigned k = i; k > 0 && harder(space, w[k].profile, w[k - 1].profile) > 0; k--) {
			struct waiting swap = w[k];

			w[k] = w[k - 1];
			w[k - 1] = swap;
		}
}

/* One slot of one board for `who`, those who are there join the waiting. */
static void push_out(struct search *s, struct waiting who, uint32_t board, uint16_t slot, const struct waiting *rest,
		     unsigned count, double cost)
{
	struct waiting all[WAITING_MAX * 2];
	unsigned moving = s->plan.count + count + (who.slice != NOBODY), leaving;
	uint16_t before = s->fleet->boards[board].state, cleared;
	double keeps, loss;

	if (moving >= s->most || !who_leaves(s, board, slot, s->most - moving, all, &leaving, &cleared))
		return;
	keeps = gm_slice_rule_keeps(s->rule, gm_slice_board_left(s->fleet, s->rule, board, all[0].slice, s->now));
	loss = gm_slice_rule_cost(s->rule, cleared, slot) -
	       (gm_slice_rule_worth(s->rule, cleared) - gm_slice_rule_worth(s->rule, before));
	for (unsigned i = 0; i < count; i++)
		all[leaving + i] = rest[i];
	sort_waiting(s->fleet->space, all, leaving + count);
	s->touched[s->touched_count++] = (struct touched){ .board = board, .state = cleared };
	place_and_go_on(s, who, (struct gm_slice_place){ .board = board, .slot = slot }, all, leaving + count,
			cost + keeps + loss);
	s->touched_count--;
}

/* Classes lie in no order; plans that cost the same go by the board, so the order does not show. */
static void push_out_anywhere(struct search *s, struct waiting who, const struct waiting *rest, unsigned count,
			      double cost)
{
	const struct gm_slice_fleet *f = s->fleet;

	for (size_t k = 0; k < f->used_count; k++) {
		double keeps;
		uint32_t board = gm_slice_class_best(f, s->rule, f->used[k], s->now, &keeps);

		if (touched_find(s, board))
			continue;
		for (uint16_t i = f->space->slot_first[who.profile]; i < f->space->slot_first[who.profile + 1]; i++)
			push_out(s, who, board, i, rest, count, cost);
	}
}

static bool better(const struct search *s, double cost)
{
	if (!s->found || cost < s->best_cost)
		return true;
	return cost <= s->best_cost && s->plan.place.board < s->best.place.board;
}

/* Searched for once, as if it were the request: what it finds nearly always holds beside what else the plan changes. */
static const struct way *way_for(struct search *s, size_t profile, unsigned left)
{
	struct way *way = &s->ways[profile][left];

	if (!way->made) {
		struct search sub = { .fleet = s->fleet, .rule = s->rule, .now = s->now, .most = left };

		way->made = true;
		push_out_anywhere(&sub,
				  (struct waiting){ .slice = NOBODY, .profile = (uint8_t)profile, .may_push = true },
				  NULL, 0, 0);
		way->found = sub.found;
		way->place = sub.best.place;
	}
	return way;
}

static void settle(struct search *s, const struct waiting *waiting, unsigned count, double cost)
{
	unsigned moving = s->plan.count + count;
	const struct way *way;
	struct direct d = { 0 };

	if (!count) {
		if (better(s, cost)) {
			s->best = s->plan;
			s->best_cost = cost;
			s->found = true;
		}
		return;
	}
	if (direct_find(s, waiting[0].profile, &d)) {
		place_and_go_on(s, waiting[0], d.place, waiting + 1, count - 1, cost + d.cost);
		return;
	}
	if (moving >= s->most || !waiting[0].may_push)
		return;
	way = way_for(s, waiting[0].profile, s->most - moving);
	if (!way->found)
		return;
	if (!touched_find(s, way->place.board))
		push_out(s, waiting[0], way->place.board, way->place.slot, waiting + 1, count - 1, cost);
	else
		push_out_anywhere(s, waiting[0], waiting + 1, count - 1, cost);
}

bool gm_slice_fleet_make_room(const struct gm_slice_fleet *f, struct gm_slice_rule *rule, size_t profile, unsigned most,
			      int64_t now, struct gm_slice_moves *out)
{
	struct search s = { .fleet = f, .rule = rule, .now = now };
	struct waiting request = { .slice = NOBODY, .profile = (uint8_t)profile, .may_push = true };

	assert(most <= GM_SLICE_MOVES_MAX && f->space->table->profile_count <= PROFILES_MAX);
	for (s.most = 1; s.most <= most && !s.found; s.most++)
		push_out_anywhere(&s, request, NULL, 0, 0);
	if (s.found)
		*out = s.best;
	return s.found;
}
