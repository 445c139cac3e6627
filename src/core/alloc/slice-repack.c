/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "core/alloc/slice-fleet-internal.h"

#define PROFILES_MAX 64

/*
 * Boards are alike, so a packing is how many boards have which layout. Large slices go first, each to the layout where
 * the least is lost for those that are still to come.
 */
struct packing {
	const struct gm_slice_space *space;
	uint32_t *boards; /* [state]: how many have it */
	uint16_t *used;	  /* states that some board had so far */
	size_t used_count;
	uint32_t todo[PROFILES_MAX];
	uint8_t order[PROFILES_MAX]; /* profiles that are to be placed, hardest first */
	size_t order_count;
};

static bool harder(const struct gm_slice_space *s, size_t a, size_t b)
{
	const struct gm_mig_profile *p = s->table->profiles;

	if (p[a].size != p[b].size)
		return p[a].size > p[b].size;
	return p[a].start_count < p[b].start_count;
}

static void list_todo(struct packing *p, const struct gm_slice_fleet *f, size_t profile)
{
	p->todo[profile]++;
	for (uint32_t i = 0; i < f->board_count; i++)
		for (size_t k = 0; k < f->boards[i].count; k++)
			p->todo[f->space->slots[f->slices.items[f->boards[i].slices[k]].slot].profile]++;
	for (uint8_t i = 0; i < f->space->table->profile_count; i++) {
		size_t at = p->order_count;

		if (!p->todo[i])
			continue;
		for (; at > 0 && harder(f->space, i, p->order[at - 1]); at--)
			p->order[at] = p->order[at - 1];
		p->order[at] = i;
		p->order_count++;
	}
}

static int lost(const struct packing *p, size_t from, uint16_t state, uint16_t next)
{
	int sum = 0;

	for (size_t i = from; i < p->order_count; i++) {
		size_t profile = p->order[i];

		sum += p->space->table->profiles[profile].size *
		       (gm_slice_room(p->space, state, profile) - gm_slice_room(p->space, next, profile));
	}
	return sum;
}

static void use_state(struct packing *p, uint16_t state)
{
	size_t i = 0;

	while (i < p->used_count && p->used[i] != state)
		i++;
	if (i == p->used_count)
		p->used[p->used_count++] = state;
	p->boards[state]++;
}

static bool pack_one(struct packing *p, size_t at)
{
	const struct gm_slice_space *s = p->space;
	uint16_t best_state = GM_SLICE_NONE, best_next = GM_SLICE_NONE;
	size_t profile = p->order[at];
	int best = 0;

	for (size_t i = 0; i < p->used_count; i++) {
		uint16_t state = p->used[i];

		if (!p->boards[state] || !gm_slice_room(s, state, profile))
			continue;
		for (uint16_t slot = s->slot_first[profile]; slot < s->slot_first[profile + 1]; slot++) {
			uint16_t next = gm_slice_with(s, state, slot);
			int loss = next == GM_SLICE_NONE ? 0 : lost(p, at, state, next);

			if (next == GM_SLICE_NONE || (best_state != GM_SLICE_NONE && loss >= best))
				continue;
			best = loss;
			best_state = state;
			best_next = next;
		}
	}
	if (best_state == GM_SLICE_NONE)
		return false;
	p->boards[best_state]--;
	use_state(p, best_next);
	return true;
}

static bool pack(struct packing *p)
{
	for (size_t at = 0; at < p->order_count; at++)
		for (uint32_t i = 0; i < p->todo[p->order[at]]; i++)
			if (!pack_one(p, at))
				return false;
	return true;
}

/* A slice that must find a new place, and where it ran. */
struct lifted {
	uint32_t slice;
	struct gm_slice_place from;
};

/* The last of those that wait with this profile, one that was at this very place if there is one; NULL: none waits. */
static struct lifted *pick(struct lifted *waiting, size_t count, const struct gm_slice_space *s,
			   struct gm_slice_place at)
{
	struct lifted *any = NULL;

	for (size_t i = 0; i < count; i++) {
		if (waiting[i].slice == UINT32_MAX ||
		    s->slots[waiting[i].from.slot].profile != s->slots[at.slot].profile)
			continue;
		any = &waiting[i];
		if (any->from.board == at.board && any->from.slot == at.slot)
			break;
	}
	return any;
}

static unsigned fill(struct gm_slice_fleet *f, uint32_t board, uint16_t state, struct lifted *waiting, size_t count)
{
	const struct gm_mig_layout *l = &f->space->layouts[state];
	unsigned moved = 0;

	for (size_t i = 0; i < l->count; i++) {
		struct gm_slice_place at = { .board = board, .slot = gm_slice_space_slot(f->space, l->slots[i]) };
		struct lifted *w = pick(waiting, count, f->space, at);

		if (!w) /* the room for the request */
			continue;
		gm_slice_fleet_land(f, w->slice, at);
		moved += w->from.board != at.board || w->from.slot != at.slot;
		w->slice = UINT32_MAX;
	}
	return moved;
}

/* Boards whose layout is one of the packing keep it; the others are emptied and filled. */
static unsigned rearrange(struct gm_slice_fleet *f, struct packing *p)
{
	uint32_t *others = gm_xalloc(f->board_count * sizeof(*others)), other_count = 0;
	struct lifted *waiting = gm_xalloc(f->slices.count * sizeof(*waiting) + 1);
	size_t waiting_count = 0;
	unsigned moved = 0;

	for (uint32_t i = 0; i < f->board_count; i++) {
		struct slice_board *b = &f->boards[i];

		if (p->boards[b->state]) {
			p->boards[b->state]--;
			continue;
		}
		others[other_count++] = i;
		while (b->count) {
			uint32_t slice = b->slices[b->count - 1];

			waiting[waiting_count++] =
				(struct lifted){ .slice = slice, .from = gm_slice_fleet_place(f, slice) };
			gm_slice_fleet_lift(f, slice);
		}
	}
	for (size_t i = 0; i < p->used_count; i++)
		for (; p->boards[p->used[i]]; p->boards[p->used[i]]--)
			moved += fill(f, others[--other_count], p->used[i], waiting, waiting_count);
	assert(other_count == 0);
	free(others);
	free(waiting);
	return moved;
}

bool gm_slice_fleet_repack(struct gm_slice_fleet *f, size_t profile, unsigned *out_moved)
{
	struct packing p = { .space = f->space };
	bool fits;

	assert(f->space->table->profile_count <= PROFILES_MAX);
	p.boards = gm_xalloc(f->space->state_count * sizeof(*p.boards));
	p.used = gm_xalloc(f->space->state_count * sizeof(*p.used));
	list_todo(&p, f, profile);
	p.used[p.used_count++] = 0;
	p.boards[0] = f->board_count;
	fits = pack(&p);
	if (fits)
		*out_moved = rearrange(f, &p);
	free(p.boards);
	free(p.used);
	return fits;
}
