/* SPDX-License-Identifier: MIT */
#include "core/mig/plan-internal.h"

/*
 * Exact, and short: what may go is tried in order of harm (so many running ones, then so many idle ones), and the first
 * number that leaves a way is the answer; among its ways the one that leaves most room. That it is enough to try "all of
 * them gone" to know whether there is a way at all: an instance that went may be made again where it was.
 */
struct hunt {
	const struct gm_mig_frame *frame;
	const struct gm_mig_task *task;
	uint8_t order[GM_MIG_PROFILES_MAX]; /* largest first */
	size_t order_count;
	/* the trial at hand */
	uint16_t idle_out, busy_out;
	uint8_t list[GM_MIG_INSTANCES_MAX]; /* to be made, in that order */
	size_t count;
	struct gm_mig_slot slots[GM_MIG_INSTANCES_MAX];
	bool any; /* one way is enough, how good does not matter */
	/* the best so far of its harm; worth -1: there is none */
	int best_worth;
	int64_t best_cost;
	uint16_t best_idle_out, best_busy_out;
	size_t best_count;
	struct gm_mig_slot best[GM_MIG_INSTANCES_MAX];
};

int gm_mig_harm_compare(const struct gm_mig_harm *a, const struct gm_mig_harm *b)
{
	if (a->disturbed != b->disturbed)
		return a->disturbed < b->disturbed ? -1 : 1;
	if (a->disturb_cost != b->disturb_cost)
		return a->disturb_cost < b->disturb_cost ? -1 : 1;
	if (a->resets != b->resets)
		return a->resets < b->resets ? -1 : 1;
	if (a->idle_destroyed != b->idle_destroyed)
		return a->idle_destroyed < b->idle_destroyed ? -1 : 1;
	if (a->boards != b->boards)
		return a->boards < b->boards ? -1 : 1;
	return a->room_lost != b->room_lost ? (a->room_lost < b->room_lost ? -1 : 1) : 0;
}

static void order_profiles(struct hunt *h)
{
	const struct gm_mig_table *t = h->frame->table;

	for (size_t k = 0; k < t->profile_count && k < GM_MIG_PROFILES_MAX; k++) {
		size_t i = h->order_count;

		if (!gm_mig_profile_placed(t, k))
			continue;
		for (; i > 0 && t->profiles[h->order[i - 1]].size < t->profiles[k].size; i--)
			h->order[i] = h->order[i - 1];
		h->order[i] = (uint8_t)k;
		h->order_count++;
	}
}

static void keep_way(struct hunt *h, int worth)
{
	h->best_worth = worth;
	h->best_idle_out = h->idle_out;
	h->best_busy_out = h->busy_out;
	h->best_count = h->count;
	memcpy(h->best, h->slots, sizeof(h->best));
}

/* One more instance never leaves more room: what is no better already is left. */
static void place_from(struct hunt *h, size_t depth, size_t first_start, const struct gm_mig_use *use)
{
	const struct gm_mig_table *t = h->frame->table;
	const struct gm_mig_profile *p;
	int worth = h->any ? 0 : gm_mig_use_worth(t, use);

	if (worth <= h->best_worth)
		return;
	if (depth == h->count) {
		keep_way(h, worth);
		return;
	}
	p = &t->profiles[h->list[depth]];
	if (gm_mig_use_quota(t, use, h->list[depth]) != GM_MIG_FITS)
		return;
	for (size_t i = first_start; i < p->start_count; i++) {
		struct gm_mig_slot slot = { .profile = h->list[depth], .start = p->starts[i] };
		struct gm_mig_use next = *use;
		bool again = depth + 1 < h->count && h->list[depth + 1] == slot.profile;

		if (use->units & gm_mig_mask(p, slot.start))
			continue;
		gm_mig_use_add(t, &next, slot);
		h->slots[depth] = slot;
		place_from(h, depth + 1, again ? i + 1 : 0, &next);
	}
}

/* False: there is too little room, or something would be idle that must not. */
static bool list_missing(struct hunt *h, const struct gm_mig_use *use, const uint8_t *kept)
{
	const struct gm_mig_table *t = h->frame->table;
	int units = t->placement_units - __builtin_popcount(use->units);
	uint8_t need[GM_MIG_PROFILES_MAX];

	memcpy(need, h->task->need, sizeof(need));
	for (unsigned i = 0; h->task->rehouse && i < h->frame->busy_count; i++)
		need[h->frame->busy[i].profile] += h->busy_out >> i & 1;
	h->count = 0;
	for (size_t i = 0; i < h->order_count; i++) {
		uint8_t k = h->order[i];

		if (h->task->only && kept[k] > need[k])
			return false;
		for (int n = need[k] - kept[k]; n > 0; n--) {
			units -= t->profiles[k].size;
			if (units < 0 || h->count == GM_MIG_INSTANCES_MAX)
				return false;
			h->list[h->count++] = k;
		}
	}
	return true;
}

/* What is out of `idle_out` and `busy_out` goes; is there a way that is better than the best? */
static bool try_out(struct hunt *h, uint16_t idle_out, uint16_t busy_out)
{
	const struct gm_mig_frame *f = h->frame;
	struct gm_mig_use use = f->base;
	uint8_t kept[GM_MIG_PROFILES_MAX] = { 0 };
	int before = h->best_worth;

	h->idle_out = idle_out;
	h->busy_out = busy_out;
	for (unsigned i = 0; i < f->busy_count; i++) {
		if (!(busy_out >> i & 1))
			gm_mig_use_add(f->table, &use, f->busy[i]);
	}
	for (unsigned i = 0; i < f->idle_count; i++) {
		if (idle_out >> i & 1)
			continue;
		gm_mig_use_add(f->table, &use, f->idle[i]);
		kept[f->idle[i].profile]++;
	}
	if (!list_missing(h, &use, kept))
		return false;
	place_from(h, 0, 0, &use);
	return h->best_worth > before;
}

/* The next larger number with as many bits; 0 after the last that has no bit from `width` on. */
static uint32_t next_subset(uint32_t bits, size_t width)
{
	uint32_t low = bits & -bits, up = bits + low;

	if (bits == 0)
		return 0;
	up |= ((bits ^ up) / low) >> 2;
	return up >> width ? 0 : up;
}

static int64_t cost_of(const struct gm_mig_frame *f, uint32_t busy_out)
{
	int64_t cost = 0;

	for (unsigned i = 0; i < f->busy_count; i++)
		cost += busy_out >> i & 1 ? f->cost[i] : 0;
	return cost;
}

/* The fewest idle ones that have to go when these running ones go; those of equal cost compete. */
static void hunt_idle(struct hunt *h, uint32_t busy_out)
{
	const struct gm_mig_frame *f = h->frame;
	int64_t cost = cost_of(f, busy_out);
	bool found = h->best_worth >= 0;

	if (found && cost > h->best_cost)
		return;
	for (size_t n = 0; n <= f->idle_count; n++) {
		uint32_t idle_out = (1U << n) - 1;
		size_t best_n = (size_t)__builtin_popcount(h->best_idle_out);
		int outdone = h->best_worth;
		bool there = false;

		if (found && cost == h->best_cost && n > best_n)
			return;
		/* Of less harm than the best: any way will do to begin with. */
		if (found && (cost < h->best_cost || n < best_n))
			h->best_worth = -1;
		do {
			there |= try_out(h, (uint16_t)idle_out, (uint16_t)busy_out);
			idle_out = next_subset(idle_out, f->idle_count);
		} while (idle_out);
		if (there) {
			h->best_cost = cost;
			return;
		}
		h->best_worth = outdone;
	}
}

static bool hunt(struct hunt *h)
{
	const struct gm_mig_frame *f = h->frame;

	h->best_worth = -1;
	if (try_out(h, 0, 0))
		return true;
	h->any = true;
	if (!try_out(h, (uint16_t)((1U << f->idle_count) - 1), (uint16_t)((1U << f->busy_count) - 1)))
		return false;
	h->any = false;
	h->best_worth = -1;
	h->best_idle_out = 0;
	for (size_t n = 0; n <= f->busy_count && h->best_worth < 0; n++) {
		uint32_t busy_out = (1U << n) - 1;

		do {
			hunt_idle(h, busy_out);
			busy_out = next_subset(busy_out, f->busy_count);
		} while (busy_out);
	}
	return true;
}

/* Of those that stay, the first of each profile that is needed. */
static uint16_t serving(const struct hunt *h)
{
	const struct gm_mig_frame *f = h->frame;
	uint8_t need[GM_MIG_PROFILES_MAX];
	uint16_t serve = 0;

	memcpy(need, h->task->need, sizeof(need));
	for (unsigned i = 0; h->task->rehouse && i < f->busy_count; i++)
		need[f->busy[i].profile] += h->best_busy_out >> i & 1;
	for (unsigned i = 0; i < f->idle_count; i++) {
		if (h->best_idle_out >> i & 1 || need[f->idle[i].profile] == 0)
			continue;
		need[f->idle[i].profile]--;
		serve |= (uint16_t)(1U << i);
	}
	return serve;
}

bool gm_mig_frame_plan(const struct gm_mig_frame *f, const struct gm_mig_task *task, struct gm_mig_found *out)
{
	struct hunt h = { .frame = f, .task = task };
	int empty = gm_mig_frame_empty_worth(f);

	*out = (struct gm_mig_found){ .harm.room_lost = empty - gm_mig_frame_worth(f) };
	if (task->count == 0 && f->mode != GM_MIG_FRAME_ON)
		return true;
	if (f->mode == GM_MIG_FRAME_SHUT || (f->mode == GM_MIG_FRAME_OFF_BUSY && task->rehouse))
		return false;
	order_profiles(&h);
	if (!hunt(&h))
		return false;
	for (size_t i = 0; i < h.best_count; i++)
		gm_mig_slots_insert(&out->create, h.best[i]);
	out->idle_out = h.best_idle_out;
	out->busy_out = h.best_busy_out;
	out->serve = serving(&h);
	out->switch_on = f->mode != GM_MIG_FRAME_ON;
	out->harm = (struct gm_mig_harm){
		.disturbed = __builtin_popcount(h.best_busy_out) + (f->mode == GM_MIG_FRAME_OFF_BUSY),
		.disturb_cost = cost_of(f, h.best_busy_out) + f->whole_cost,
		.resets = f->reset,
		.idle_destroyed = __builtin_popcount(h.best_idle_out),
		.boards = h.best_idle_out || h.best_busy_out || h.best_count > 0 || out->switch_on,
		.room_lost = empty - h.best_worth,
	};
	return true;
}

static int task_of(const struct gm_mig_table *t, const struct gm_mig_wish *w, struct gm_mig_task *out,
		   struct gm_err *err)
{
	*out = (struct gm_mig_task){ .count = w->count, .only = w->only, .rehouse = w->rehouse };
	for (size_t i = 0; i < w->count; i++) {
		uint8_t k = w->profiles[i];

		if (k >= t->profile_count)
			return gm_mig_refuse(t, GM_MIG_NO_PROFILE, (struct gm_mig_slot){ .profile = k }, err);
		if (!gm_mig_profile_placed(t, k))
			return gm_fail(err, GM_ERR_CONFLICT, "%s: its placements on a %s are not known",
				       t->profiles[k].name, t->id);
		if (i >= GM_MIG_INSTANCES_MAX)
			return gm_fail(err, GM_ERR_CONFLICT, "%zu instances do not fit together on a %s", w->count,
				       t->id);
		out->need[k]++;
	}
	return 0;
}

/* What is in the way? */
static int no_plan(const struct gm_mig_board *b, const struct gm_mig_wish *w, const struct gm_mig_task *task,
		   struct gm_err *err)
{
	const struct gm_mig_frame empty = { .table = b->table };
	struct gm_mig_found found;
	size_t busy = 0, fixed = 0;

	if (!gm_mig_frame_plan(&empty, task, &found))
		return gm_fail(err, GM_ERR_CONFLICT, "%zu instances do not fit together on a %s", w->count,
			       b->table->id);
	if (!b->mig_on && b->whole_fixed)
		return gm_fail(err, GM_ERR_CONFLICT, "the board is taken as a whole, and is not to be touched");
	if (!b->mig_on)
		return gm_fail(err, GM_ERR_CONFLICT, "a workload uses the board as a whole");
	for (size_t i = 0; i < b->seat_count; i++) {
		fixed += b->seats[i].fixed;
		busy += b->seats[i].busy && !b->seats[i].fixed;
	}
	return gm_fail(err, GM_ERR_CONFLICT,
		       "%zu instances do not fit on this %s: %zu running and %zu fixed ones are in the way", w->count,
		       b->table->id, busy, fixed);
}

int gm_mig_plan_board(const struct gm_mig_board *b, const struct gm_mig_wish *w, struct gm_mig_board_plan *out,
		      struct gm_err *err)
{
	struct gm_mig_frame frame;
	struct gm_mig_frame_seats seats = { 0 };
	struct gm_mig_task task;
	struct gm_mig_found found;
	int rc = gm_mig_frame_of(b, w->disturb, &frame, &seats, err);

	if (rc)
		return rc;
	rc = task_of(b->table, w, &task, err);
	if (rc)
		return rc;
	if (!gm_mig_frame_plan(&frame, &task, &found))
		return no_plan(b, w, &task, err);
	gm_mig_frame_tell(b, &seats, &found, out);
	return 0;
}
