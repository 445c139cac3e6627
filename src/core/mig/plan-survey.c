/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/alloc.h"
#include "core/mig/plan-fleet-internal.h"

/*
 * What can be had of a board: every set of slots that may be made over what stays, once, in rising order of starts; what
 * they overlap goes. Each such set is a plan, and the least harm of each multiset is kept.
 */
struct survey {
	const struct gm_mig_frame *frame;
	const uint8_t *kind_of; /* by profile */
	const uint32_t *want;	/* by kind */
	size_t kinds;
	size_t slot_count;
	struct gm_mig_slot slots[GM_MIG_UNITS_MAX * GM_MIG_PROFILES_MAX];
	uint32_t masks[GM_MIG_UNITS_MAX * GM_MIG_PROFILES_MAX];
	uint32_t idle_masks[GM_MIG_INSTANCES_MAX], busy_masks[GM_MIG_INSTANCES_MAX];
	int worth; /* as things are */
	/* Media engines or counts may force out more than what is overlapped: then every multiset is planned by itself. */
	bool intricate;
	GM_VEC(struct gm_mig_option) found;
	GM_VEC(uint64_t) packs; /* of the found, four bits a kind */
	uint32_t *index;	/* by hash of the pack: 1 + position, 0 free */
	size_t index_size;	/* a power of two */
};

static uint64_t pack_of(const uint8_t *take, size_t kinds)
{
	uint64_t pack = 0;

	for (size_t k = 0; k < kinds; k++)
		pack |= (uint64_t)take[k] << 4 * k;
	return pack;
}

static size_t index_place(const struct survey *s, uint64_t pack)
{
	size_t mask = s->index_size - 1, at = (size_t)(pack * UINT64_C(0x9e3779b97f4a7c15) >> 40) & mask;

	while (s->index[at] && s->packs.items[s->index[at] - 1] != pack)
		at = (at + 1) & mask;
	return at;
}

static void index_grow(struct survey *s)
{
	free(s->index);
	s->index_size = s->index_size ? s->index_size * 4 : 256;
	s->index = gm_xalloc(s->index_size * sizeof(*s->index));
	for (size_t i = 0; i < s->packs.count; i++)
		s->index[index_place(s, s->packs.items[i])] = (uint32_t)i + 1;
}

static void index_reset(struct survey *s)
{
	if (s->packs.count)
		memset(s->index, 0, s->index_size * sizeof(*s->index));
	gm_vec_reset(&s->packs);
	gm_vec_reset(&s->found);
}

static void keep_option(struct survey *s, const uint8_t *take, const struct gm_mig_harm *harm)
{
	uint64_t pack = pack_of(take, s->kinds);
	size_t at;

	if (pack == 0)
		return;
	if (s->packs.count * 2 >= s->index_size)
		index_grow(s);
	at = index_place(s, pack);
	if (!s->index[at]) {
		struct gm_mig_option *o = gm_vec_add(&s->found);

		memcpy(o->take, take, sizeof(o->take));
		o->harm = *harm;
		gm_vec_push(&s->packs, pack);
		s->index[at] = (uint32_t)s->packs.count;
	} else if (gm_mig_harm_compare(harm, &s->found.items[s->index[at] - 1].harm) < 0) {
		s->found.items[s->index[at] - 1].harm = *harm;
	}
}

static void count_kind(const struct survey *s, uint8_t *take, uint8_t profile)
{
	uint8_t k = s->kind_of[profile];

	if (k != GM_MIG_NO_KIND && take[k] < GM_MIG_TAKE_MAX && take[k] < s->want[k])
		take[k]++;
}

/* The plan of having made `made` with these slots. */
static void keep_made(struct survey *s, const struct gm_mig_use *made, uint32_t units, const uint8_t *made_kinds)
{
	const struct gm_mig_frame *f = s->frame;
	struct gm_mig_harm h = { 0 };
	struct gm_mig_use use = *made;
	uint8_t take[GM_MIG_KINDS_MAX];
	bool off = f->mode != GM_MIG_FRAME_ON && units;

	memcpy(take, made_kinds, sizeof(take));
	for (size_t i = 0; i < f->idle_count; i++) {
		if (units & s->idle_masks[i]) {
			h.idle_destroyed++;
			continue;
		}
		gm_mig_use_add(f->table, &use, f->idle[i]);
		count_kind(s, take, f->idle[i].profile);
	}
	for (size_t i = 0; i < f->busy_count; i++) {
		if (units & s->busy_masks[i]) {
			h.disturbed++;
			h.disturb_cost += f->cost[i];
		} else {
			gm_mig_use_add(f->table, &use, f->busy[i]);
		}
	}
	if (off) {
		h.resets = f->reset;
		h.disturbed += f->mode == GM_MIG_FRAME_OFF_BUSY;
		h.disturb_cost += f->whole_cost;
	}
	h.boards = units != 0;
	h.room_lost = s->worth - gm_mig_use_worth(f->table, &use);
	keep_option(s, take, &h);
}

/* Is it what stays beside those slots that refuses one more, though they would not? */
static bool kept_refuse(const struct survey *s, const struct gm_mig_use *made, uint32_t units, uint8_t profile)
{
	const struct gm_mig_frame *f = s->frame;
	struct gm_mig_use use = *made;

	for (size_t i = 0; i < f->idle_count; i++) {
		if (!(units & s->idle_masks[i]))
			gm_mig_use_add(f->table, &use, f->idle[i]);
	}
	for (size_t i = 0; i < f->busy_count; i++) {
		if (!(units & s->busy_masks[i]))
			gm_mig_use_add(f->table, &use, f->busy[i]);
	}
	return gm_mig_use_quota(f->table, &use, profile) != GM_MIG_FITS;
}

static void survey_from(struct survey *s, size_t first, const struct gm_mig_use *made, uint32_t units,
			const uint8_t *made_kinds)
{
	keep_made(s, made, units, made_kinds);
	for (size_t i = first; i < s->slot_count && !s->intricate; i++) {
		struct gm_mig_slot slot = s->slots[i];
		uint8_t take[GM_MIG_KINDS_MAX], kind = s->kind_of[slot.profile];
		struct gm_mig_use next = *made;

		if (made->units & s->masks[i] || made_kinds[kind] >= s->want[kind] ||
		    made_kinds[kind] >= GM_MIG_TAKE_MAX ||
		    gm_mig_use_quota(s->frame->table, made, slot.profile) != GM_MIG_FITS)
			continue;
		if (kept_refuse(s, made, units | s->masks[i], slot.profile)) {
			s->intricate = true;
			return;
		}
		memcpy(take, made_kinds, sizeof(take));
		take[kind]++;
		gm_mig_use_add(s->frame->table, &next, slot);
		survey_from(s, i + 1, &next, units | s->masks[i], take);
	}
}

/* The slow way: a plan for each multiset that grows by one, kinds in rising order, so that each is met once. */
static void survey_each(struct survey *s, uint8_t *take, struct gm_mig_task *task, size_t first_kind)
{
	const struct gm_mig_frame *f = s->frame;
	struct gm_mig_found found;

	for (size_t p = 0; p < f->table->profile_count && p < GM_MIG_PROFILES_MAX; p++) {
		uint8_t k = s->kind_of[p];

		if (k == GM_MIG_NO_KIND || k < first_kind || take[k] >= GM_MIG_TAKE_MAX || take[k] >= s->want[k] ||
		    !gm_mig_profile_placed(f->table, p))
			continue;
		take[k]++;
		task->need[p]++;
		task->count++;
		if (gm_mig_frame_plan(f, task, &found)) {
			found.harm.room_lost -= gm_mig_frame_empty_worth(f) - gm_mig_frame_worth(f);
			keep_option(s, take, &found.harm);
			survey_each(s, take, task, k);
		}
		take[k]--;
		task->need[p]--;
		task->count--;
	}
}

static void list_slots(struct survey *s)
{
	const struct gm_mig_frame *f = s->frame;

	s->slot_count = 0;
	for (unsigned start = 0; start < GM_MIG_UNITS_MAX; start++) {
		for (size_t p = 0; p < f->table->profile_count && p < GM_MIG_PROFILES_MAX; p++) {
			struct gm_mig_slot slot = { .profile = (uint8_t)p, .start = (uint8_t)start };

			if (s->kind_of[p] == GM_MIG_NO_KIND || s->want[s->kind_of[p]] == 0 ||
			    gm_mig_use_refuses(f->table, &f->base, slot) != GM_MIG_FITS)
				continue;
			s->masks[s->slot_count] = gm_mig_mask(&f->table->profiles[p], start);
			s->slots[s->slot_count++] = slot;
		}
	}
	for (size_t i = 0; i < f->idle_count; i++)
		s->idle_masks[i] = gm_mig_mask(&f->table->profiles[f->idle[i].profile], f->idle[i].start);
	for (size_t i = 0; i < f->busy_count; i++)
		s->busy_masks[i] = gm_mig_mask(&f->table->profiles[f->busy[i].profile], f->busy[i].start);
}

/* Another serves at least as much at no more harm. */
static bool outdone(const struct survey *s, size_t i)
{
	const struct gm_mig_option *o = &s->found.items[i];

	for (size_t k = 0; k < s->found.count; k++) {
		const struct gm_mig_option *other = &s->found.items[k];
		bool more = k != i;

		for (size_t j = 0; j < s->kinds && more; j++)
			more = other->take[j] >= o->take[j];
		if (more && gm_mig_harm_compare(&other->harm, &o->harm) <= 0)
			return true;
	}
	return false;
}

static void weigh(const struct survey *s, struct gm_mig_option *o)
{
	const struct gm_mig_table *t = s->frame->table;

	for (size_t p = 0; p < t->profile_count && p < GM_MIG_PROFILES_MAX; p++) {
		if (s->kind_of[p] != GM_MIG_NO_KIND)
			o->weight += (uint32_t)(t->profiles[p].size * t->profiles[p].size) * o->take[s->kind_of[p]];
	}
}

static void survey_group(struct survey *s, struct gm_mig_fleet *f, struct gm_mig_group *g)
{
	static const uint8_t none[GM_MIG_KINDS_MAX];

	s->frame = &g->frame;
	s->worth = gm_mig_frame_worth(&g->frame);
	s->intricate = false;
	index_reset(s);
	list_slots(s);
	if (g->frame.mode != GM_MIG_FRAME_SHUT)
		survey_from(s, 0, &g->frame.base, 0, none);
	if (s->intricate) {
		uint8_t take[GM_MIG_KINDS_MAX] = { 0 };
		struct gm_mig_task task = { 0 };

		index_reset(s);
		survey_each(s, take, &task, 0);
	}
	g->option_first = f->options.count;
	for (size_t i = 0; i < s->found.count; i++) {
		if (s->found.count > 512 || !outdone(s, i)) {
			weigh(s, &s->found.items[i]);
			gm_vec_push(&f->options, s->found.items[i]);
		}
	}
	g->option_count = f->options.count - g->option_first;
}

/* What a count cannot bind is not part of a board's state: then boards that differ in it only are alike. */
static void frame_blur(struct gm_mig_frame *f)
{
	int room = f->table->placement_units - __builtin_popcount(f->base.units);

	for (size_t k = 0; k < f->table->profile_count && k < GM_MIG_PROFILES_MAX; k++) {
		const struct gm_mig_profile *p = &f->table->profiles[k];
		int fits = 0;

		for (size_t i = 0; i < p->start_count; i++)
			fits += !(f->base.units & gm_mig_mask(p, p->starts[i]));
		if (p->max_instances < 0 || p->max_instances - f->base.counts[k] >= fits)
			f->base.counts[k] = 0;
	}
	if (f->base.slots + room <= GM_MIG_INSTANCES_MAX)
		f->base.slots = 0;
}

static void put_bytes(char *key, size_t *n, const void *p, size_t size)
{
	memcpy(key + *n, p, size);
	*n += size;
}

static size_t frame_key(const struct gm_mig_frame *f, char key[static sizeof(struct gm_mig_frame)])
{
	uint8_t head[] = { (uint8_t)f->mode,	  f->reset, f->base.engines, f->base.slots, (uint8_t)f->idle_count,
			   (uint8_t)f->busy_count };
	size_t n = 0, profiles = f->table->profile_count;

	put_bytes(key, &n, &f->table, sizeof(f->table));
	put_bytes(key, &n, head, sizeof(head));
	put_bytes(key, &n, &f->whole_cost, sizeof(f->whole_cost));
	put_bytes(key, &n, &f->base.units, sizeof(f->base.units));
	put_bytes(key, &n, f->base.counts, profiles < GM_MIG_PROFILES_MAX ? profiles : GM_MIG_PROFILES_MAX);
	put_bytes(key, &n, f->idle, f->idle_count * sizeof(f->idle[0]));
	put_bytes(key, &n, f->busy, f->busy_count * sizeof(f->busy[0]));
	put_bytes(key, &n, f->cost, f->busy_count * sizeof(f->cost[0]));
	return n;
}

int gm_mig_fleet_group(struct gm_mig_fleet *f, struct gm_err *err)
{
	f->next = gm_try_alloc((f->board_count + 1) * sizeof(*f->next));
	if (!f->next)
		return gm_fail(err, GM_ERR_NO_MEMORY, "out of memory for %zu boards", f->board_count);
	for (size_t i = 0; i < f->board_count; i++) {
		struct gm_mig_frame frame;
		char bytes[sizeof(frame)];
		struct gm_str key;
		uintptr_t at;
		struct gm_mig_group *g;

		if (gm_mig_frame_of(&f->boards[i], f->disturb, &frame, NULL, NULL))
			frame = (struct gm_mig_frame){ .table = f->boards[i].table, .mode = GM_MIG_FRAME_SHUT };
		frame_blur(&frame);
		key = gm_str_n(bytes, frame_key(&frame, bytes));
		f->next[i] = UINT32_MAX;
		/* A value of the map is 1 + the place in the list, because that one moves. */
		at = (uintptr_t)gm_map_get(&f->by_key, key);
		if (at) {
			g = &f->groups.items[at - 1];
			f->next[g->last] = (uint32_t)i;
			g->last = (uint32_t)i;
			g->count++;
			continue;
		}
		key.p = gm_arena_dup(&f->keys, key);
		if (!key.p)
			return gm_fail(err, GM_ERR_NO_MEMORY, "out of memory for %zu boards", f->board_count);
		gm_vec_push(&f->groups,
			    ((struct gm_mig_group){
				    .frame = frame, .first = (uint32_t)i, .last = (uint32_t)i, .count = 1 }));
		(void)gm_map_put(&f->by_key, key, (void *)(uintptr_t)f->groups.count);
	}
	return 0;
}

/* Which kind each profile of a table is; INVALID: two kinds are one profile. */
static int map_kinds(const struct gm_mig_fleet *f, const struct gm_mig_table *t, uint8_t *kind_of, uint32_t *known,
		     struct gm_err *err)
{
	memset(kind_of, GM_MIG_NO_KIND, GM_MIG_PROFILES_MAX);
	for (size_t k = 0; k < f->kinds; k++) {
		const struct gm_mig_profile *p = gm_mig_profile_find(t, gm_str(f->wishes[k].profile));
		size_t at = p ? (size_t)(p - t->profiles) : GM_MIG_PROFILES_MAX;

		if (at >= GM_MIG_PROFILES_MAX)
			continue;
		if (kind_of[at] != GM_MIG_NO_KIND)
			return gm_fail(err, GM_ERR_INVALID, "'%s' is wished twice", f->wishes[k].profile);
		kind_of[at] = (uint8_t)k;
		*known |= 1U << k;
	}
	return 0;
}

int gm_mig_fleet_survey(struct gm_mig_fleet *f, struct gm_err *err)
{
	uint8_t kind_of[GM_MIG_PROFILES_MAX];
	struct survey s = { .kind_of = kind_of, .want = f->want, .kinds = f->kinds };
	const struct gm_mig_table *mapped = NULL;
	uint32_t known = 0;
	int rc = gm_mig_fleet_group(f, err);

	for (size_t i = 0; i < f->groups.count && rc == 0; i++) {
		struct gm_mig_group *g = &f->groups.items[i];

		f->room_lost +=
			(int64_t)g->count * (gm_mig_frame_empty_worth(&g->frame) - gm_mig_frame_worth(&g->frame));
		if (g->frame.table != mapped)
			rc = map_kinds(f, g->frame.table, kind_of, &known, err);
		mapped = g->frame.table;
		if (rc == 0)
			survey_group(&s, f, g);
	}
	for (size_t k = 0; k < f->kinds && rc == 0; k++) {
		if (!(known >> k & 1))
			rc = gm_fail(err, GM_ERR_NOT_FOUND, "no board has a profile '%s'", f->wishes[k].profile);
	}
	gm_vec_fini(&s.found);
	gm_vec_fini(&s.packs);
	free(s.index);
	return rc;
}
