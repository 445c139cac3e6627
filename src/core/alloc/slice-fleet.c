/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "core/alloc/slice-fleet-internal.h"

#define NOBODY UINT32_MAX

static void class_add(struct gm_slice_fleet *f, uint32_t board)
{
	struct slice_class *c = &f->classes[f->boards[board].state];

	if (c->count == c->capacity) {
		c->capacity = c->capacity ? c->capacity * 2 : 8;
		c->boards = gm_xrealloc(c->boards, c->capacity * sizeof(*c->boards));
	}
	if (c->count == 0) {
		c->in_used = (uint32_t)f->used_count;
		f->used[f->used_count++] = f->boards[board].state;
	}
	f->boards[board].in_class = c->count;
	c->boards[c->count++] = board;
}

static void class_drop(struct gm_slice_fleet *f, uint32_t board)
{
	struct slice_class *c = &f->classes[f->boards[board].state];
	uint32_t last = c->boards[--c->count];

	c->boards[f->boards[board].in_class] = last;
	f->boards[last].in_class = f->boards[board].in_class;
	if (c->count == 0) {
		uint16_t moved = f->used[--f->used_count];

		f->used[c->in_used] = moved;
		f->classes[moved].in_used = c->in_used;
	}
}

static void set_state(struct gm_slice_fleet *f, uint32_t board, uint16_t state)
{
	assert(state != GM_SLICE_NONE);
	class_drop(f, board);
	f->boards[board].state = state;
	class_add(f, board);
}

struct gm_slice_fleet *gm_slice_fleet_new(const struct gm_slice_space *space, uint32_t boards)
{
	struct gm_slice_fleet *f = gm_xalloc(sizeof(*f));

	assert(boards > 0 && boards <= GM_SLICE_FLEET_BOARDS_MAX);
	f->space = space;
	f->board_count = boards;
	f->boards = gm_xalloc(boards * sizeof(*f->boards));
	f->classes = gm_xalloc(space->state_count * sizeof(*f->classes));
	f->used = gm_xalloc(space->state_count * sizeof(*f->used));
	for (uint32_t i = 0; i < boards; i++)
		class_add(f, i);
	return f;
}

void gm_slice_fleet_free(struct gm_slice_fleet *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->space->state_count; i++)
		free(f->classes[i].boards);
	free(f->classes);
	free(f->used);
	free(f->boards);
	gm_vec_fini(&f->slices);
	gm_vec_fini(&f->unused);
	free(f);
}

uint32_t gm_slice_fleet_boards(const struct gm_slice_fleet *f)
{
	return f->board_count;
}

uint16_t gm_slice_fleet_state(const struct gm_slice_fleet *f, uint32_t board)
{
	return f->boards[board].state;
}

struct gm_slice_place gm_slice_fleet_place(const struct gm_slice_fleet *f, uint32_t slice)
{
	return (struct gm_slice_place){ .board = f->slices.items[slice].board, .slot = f->slices.items[slice].slot };
}

int64_t gm_slice_fleet_since(const struct gm_slice_fleet *f, uint32_t slice)
{
	return f->slices.items[slice].since;
}

void gm_slice_fleet_land(struct gm_slice_fleet *f, uint32_t slice, struct gm_slice_place place)
{
	struct slice_board *b = &f->boards[place.board];

	set_state(f, place.board, gm_slice_with(f->space, b->state, place.slot));
	b->slices[b->count++] = slice;
	f->slices.items[slice].board = place.board;
	f->slices.items[slice].slot = place.slot;
}

void gm_slice_fleet_lift(struct gm_slice_fleet *f, uint32_t slice)
{
	struct slice_running *r = &f->slices.items[slice];
	struct slice_board *b = &f->boards[r->board];
	size_t i = 0;

	while (b->slices[i] != slice)
		i++;
	b->slices[i] = b->slices[--b->count];
	set_state(f, r->board, gm_slice_without(f->space, b->state, r->slot));
	r->board = NOBODY;
}

uint32_t gm_slice_fleet_put(struct gm_slice_fleet *f, struct gm_slice_place place, int64_t now)
{
	uint32_t slice;

	if (f->unused.count) {
		slice = f->unused.items[--f->unused.count];
	} else {
		slice = (uint32_t)f->slices.count;
		gm_vec_push(&f->slices, (struct slice_running){ .board = NOBODY });
	}
	f->slices.items[slice].since = now;
	gm_slice_fleet_land(f, slice, place);
	return slice;
}

void gm_slice_fleet_release(struct gm_slice_fleet *f, uint32_t slice)
{
	assert(slice < f->slices.count && f->slices.items[slice].board != NOBODY);
	gm_slice_fleet_lift(f, slice);
	gm_vec_push(&f->unused, slice);
}

void gm_slice_fleet_move(struct gm_slice_fleet *f, const struct gm_slice_moves *moves)
{
	for (unsigned i = 0; i < moves->count; i++)
		gm_slice_fleet_lift(f, moves->moves[i].slice);
	for (unsigned i = 0; i < moves->count; i++)
		gm_slice_fleet_land(f, moves->moves[i].slice, moves->moves[i].to);
}

double gm_slice_board_left(const struct gm_slice_fleet *f, struct gm_slice_rule *rule, uint32_t board, uint32_t except,
			   int64_t now)
{
	const struct slice_board *b = &f->boards[board];
	double most = 0;

	if (!rule->lifetimes)
		return 0;
	for (size_t i = 0; i < b->count; i++) {
		double left;

		if (b->slices[i] == except)
			continue;
		left = gm_lifetimes_left(rule->lifetimes, now - f->slices.items[b->slices[i]].since);
		most = left > most ? left : most;
	}
	return most;
}

uint32_t gm_slice_class_best(const struct gm_slice_fleet *f, struct gm_slice_rule *rule, uint16_t state, int64_t now,
			     double *out_keeps)
{
	const struct slice_class *c = &f->classes[state];
	bool alike = state == 0 || rule->policy != GM_SLICE_BALANCED || !rule->lifetimes;
	double most = 0;
	uint32_t best = NOBODY;

	assert(c->count);
	for (uint32_t i = 0; i < c->count; i++) {
		double left = alike ? 0 : gm_slice_board_left(f, rule, c->boards[i], NOBODY, now);

		if (best == NOBODY || left > most || (left >= most && c->boards[i] < best)) {
			best = c->boards[i];
			most = left;
		}
	}
	*out_keeps = gm_slice_rule_keeps(rule, most);
	return best;
}

/* Of places that cost the same: the start that the rule prefers, then the lowest board. */
static bool preferred(const struct gm_slice_fleet *f, struct gm_slice_rule *rule, struct gm_slice_place a,
		      struct gm_slice_place b)
{
	int start_a = f->space->slots[a.slot].start, start_b = f->space->slots[b.slot].start;

	if (start_a != start_b)
		return rule->highest ? start_a > start_b : start_a < start_b;
	return a.board < b.board;
}

/* The state of the class that is cheapest but for who runs there; GM_SLICE_NONE: it fits nowhere. */
static uint16_t cheapest_class(const struct gm_slice_fleet *f, struct gm_slice_rule *rule, size_t profile)
{
	uint16_t best = GM_SLICE_NONE;
	double best_cost = 0;

	for (size_t i = 0; i < f->used_count; i++) {
		const struct gm_slice_choice *c = gm_slice_rule_choice(rule, f->used[i], profile);

		if (c->slot == GM_SLICE_NONE || (best != GM_SLICE_NONE && c->cost >= best_cost))
			continue;
		best = f->used[i];
		best_cost = c->cost;
	}
	return best;
}

struct found {
	struct gm_slice_place place;
	double cost;
};

static struct found best_of_class(const struct gm_slice_fleet *f, struct gm_slice_rule *rule, uint16_t state,
				  size_t profile, int64_t now)
{
	const struct gm_slice_choice *c = gm_slice_rule_choice(rule, state, profile);
	struct found found = { .place.slot = c->slot };

	found.place.board = gm_slice_class_best(f, rule, state, now, &found.cost);
	found.cost += c->cost;
	return found;
}

bool gm_slice_fleet_find(const struct gm_slice_fleet *f, struct gm_slice_rule *rule, size_t profile, int64_t now,
			 struct gm_slice_place *out)
{
	uint16_t first = cheapest_class(f, rule, profile);
	struct found best;

	if (first == GM_SLICE_NONE)
		return false;
	best = best_of_class(f, rule, first, profile, now);
	for (size_t i = 0; i < f->used_count; i++) {
		const struct gm_slice_choice *c = gm_slice_rule_choice(rule, f->used[i], profile);
		struct found other;

		/* What is added for keeping a board is never negative. */
		if (f->used[i] == first || c->slot == GM_SLICE_NONE || c->cost > best.cost)
			continue;
		other = best_of_class(f, rule, f->used[i], profile, now);
		if (other.cost < best.cost || (other.cost <= best.cost && preferred(f, rule, other.place, best.place)))
			best = other;
	}
	*out = best.place;
	return true;
}

bool gm_slice_fleet_sound(const struct gm_slice_fleet *f)
{
	size_t on_boards = 0, running = 0;

	for (uint32_t i = 0; i < f->board_count; i++) {
		const struct slice_board *b = &f->boards[i];
		uint16_t state = 0;

		for (size_t k = 0; k < b->count; k++) {
			const struct slice_running *r = &f->slices.items[b->slices[k]];

			if (r->board != i)
				return false;
			state = gm_slice_with(f->space, state, r->slot);
			if (state == GM_SLICE_NONE)
				return false;
		}
		if (state != b->state || b->in_class >= f->classes[state].count ||
		    f->classes[state].boards[b->in_class] != i)
			return false;
		on_boards += b->count;
	}
	for (size_t i = 0; i < f->slices.count; i++)
		running += f->slices.items[i].board != NOBODY;
	return running == on_boards && running + f->unused.count == f->slices.count;
}
