/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "core/mig/plan-fleet-internal.h"

/*
 * What can be had of a board: every set of slots that may be made over what stays, once, in rising order of starts; what
 * they overlap goes. Each such set is a plan, and the least harm of each multiset is kept. Boards that differ only in what
 * it costs to disturb who runs there are surveyed together: what is kept is who is hit, and the costs come in last.
 */
struct variant {
	struct gm_mig_harm harm; /* without the costs of who is hit */
	uint16_t busy_out;
	uint32_t next; /* another of the same multiset and number of hit ones; NONE at the end */
};
#define NONE UINT32_MAX
/* Of so many options those that others outdo are dropped; of more it would take too long. */
#define OUTDONE_MAX 512

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
	GM_VEC(uint64_t) packs;	 /* of the found, four bits a kind */
	GM_VEC(uint32_t) firsts; /* of the found, in the variants */
	GM_VEC(struct variant) variants;
	uint32_t *index;   /* by hash of the pack: 1 + position, 0 free */
	size_t index_size; /* a power of two */
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
	gm_vec_reset(&s->firsts);
	gm_vec_reset(&s->variants);
}

static void keep_variant(struct survey *s, uint32_t *first, const struct gm_mig_harm *harm, uint16_t busy_out)
{
	int hit = *first == NONE ? INT32_MAX : s->variants.items[*first].harm.disturbed;
	uint32_t at = *first;

	if (harm->disturbed > hit)
		return;
	if (harm->disturbed < hit)
		at = *first = NONE;
	while (at != NONE && s->variants.items[at].busy_out != busy_out)
		at = s->variants.items[at].next;
	if (at == NONE) {
		gm_vec_push(&s->variants, ((struct variant){ *harm, busy_out, *first }));
		*first = (uint32_t)s->variants.count - 1;
	} else if (gm_mig_harm_compare(harm, &s->variants.items[at].harm) < 0) {
		s->variants.items[at].harm = *harm;
	}
}

static void keep_option(struct survey *s, const uint8_t *take, const struct gm_mig_harm *harm, uint16_t busy_out)
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
		gm_vec_push(&s->packs, pack);
		gm_vec_push(&s->firsts, NONE);
		s->index[at] = (uint32_t)s->packs.count;
	}
	keep_variant(s, &s->firsts.items[s->index[at] - 1], harm, busy_out);
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
	uint16_t busy_out = 0;
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
			busy_out |= (uint16_t)(1U << i);
		} else {
			gm_mig_use_add(f->table, &use, f->busy[i]);
		}
	}
	if (off) {
		h.resets = f->reset;
		h.disturbed += f->mode == GM_MIG_FRAME_OFF_BUSY;
	}
	h.boards = units != 0;
	h.room_lost = s->worth - gm_mig_use_worth(f->table, &use);
	keep_option(s, take, &h, busy_out);
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
			keep_option(s, take, &found.harm, 0);
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

/* The harm of a board with these costs. */
static struct gm_mig_harm harm_on(const struct survey *s, const struct gm_mig_frame *f, size_t found)
{
	struct gm_mig_harm best = { .disturbed = INT32_MAX };

	for (uint32_t at = s->firsts.items[found]; at != NONE; at = s->variants.items[at].next) {
		struct gm_mig_harm h = s->variants.items[at].harm;

		for (unsigned out = s->variants.items[at].busy_out; out; out &= out - 1)
			h.disturb_cost += f->cost[__builtin_ctz(out)];
		if (h.disturbed && !s->intricate)
			h.disturb_cost += f->whole_cost;
		if (gm_mig_harm_compare(&h, &best) < 0)
			best = h;
	}
	return best;
}

static void keep_options(struct survey *s, struct gm_mig_fleet *f, struct gm_mig_group *g)
{
	g->option_first = f->options.count;
	for (size_t i = 0; i < s->found.count; i++)
		s->found.items[i].harm = harm_on(s, &g->frame, i);
	for (size_t i = 0; i < s->found.count; i++) {
		if (s->found.count <= OUTDONE_MAX && outdone(s, i))
			continue;
		gm_vec_push(&f->options, s->found.items[i]);
		weigh(s, &f->options.items[f->options.count - 1]);
	}
	g->option_count = f->options.count - g->option_first;
}

static void survey_frame(struct survey *s, const struct gm_mig_frame *f)
{
	static const uint8_t none[GM_MIG_KINDS_MAX];

	s->frame = f;
	s->worth = gm_mig_frame_worth(f);
	s->intricate = false;
	index_reset(s);
	list_slots(s);
	if (f->mode != GM_MIG_FRAME_SHUT)
		survey_from(s, 0, &f->base, 0, none);
}

static void survey_shape(struct survey *s, struct gm_mig_fleet *f, uint32_t first)
{
	survey_frame(s, &f->groups.items[first].frame);
	for (uint32_t i = first; i != NONE; i = f->groups.items[i].shape_next) {
		struct gm_mig_group *g = &f->groups.items[i];

		s->frame = &g->frame;
		if (s->intricate) {
			uint8_t take[GM_MIG_KINDS_MAX] = { 0 };
			struct gm_mig_task task = { 0 };

			index_reset(s);
			survey_each(s, take, &task, 0);
		}
		keep_options(s, f, g);
	}
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

#define KEY_MAX 512
static_assert(sizeof(struct gm_mig_frame) < KEY_MAX, "a key is no longer than its frame");

static void put_bytes(char *key, size_t *n, const void *p, size_t size)
{
	memcpy(key + *n, p, size);
	*n += size;
}

/* The costs come last: what is before them is the shape. */
static size_t frame_key(const struct gm_mig_frame *f, char key[static KEY_MAX], size_t *out_shape)
{
	uint8_t head[] = { (uint8_t)f->mode,	  f->reset, f->base.engines, f->base.slots, (uint8_t)f->idle_count,
			   (uint8_t)f->busy_count };
	size_t n = 0, profiles = f->table->profile_count;
	uintptr_t table = (uintptr_t)f->table;

	put_bytes(key, &n, &table, sizeof(table));
	put_bytes(key, &n, head, sizeof(head));
	put_bytes(key, &n, &f->base.units, sizeof(f->base.units));
	put_bytes(key, &n, f->base.counts, profiles < GM_MIG_PROFILES_MAX ? profiles : GM_MIG_PROFILES_MAX);
	put_bytes(key, &n, f->idle, f->idle_count * sizeof(f->idle[0]));
	put_bytes(key, &n, f->busy, f->busy_count * sizeof(f->busy[0]));
	*out_shape = n;
	put_bytes(key, &n, &f->whole_cost, sizeof(f->whole_cost));
	put_bytes(key, &n, f->cost, f->busy_count * sizeof(f->cost[0]));
	return n;
}

/* Values of the maps are 1 + the place in the list of groups, because that one moves. */
static bool add_group(struct gm_mig_fleet *f, const struct gm_mig_frame *frame, uint32_t board, struct gm_str key,
		      size_t shape_size)
{
	uint32_t place = (uint32_t)f->groups.count;
	struct gm_str shape;
	uintptr_t first;

	key.p = gm_arena_dup(&f->keys, key);
	if (!key.p)
		return false;
	gm_vec_push(&f->groups,
		    ((struct gm_mig_group){
			    .frame = *frame, .first = board, .last = board, .count = 1, .shape_next = NONE }));
	(void)gm_map_put(&f->by_key, key, (void *)(uintptr_t)(place + 1));
	shape = gm_str_n(key.p, shape_size);
	first = (uintptr_t)gm_map_get(&f->by_shape, shape);
	if (first) {
		f->groups.items[place].shape_next = f->groups.items[first - 1].shape_next;
		f->groups.items[place].shape_later = true;
		f->groups.items[first - 1].shape_next = place;
	} else {
		(void)gm_map_put(&f->by_shape, shape, (void *)(uintptr_t)(place + 1));
	}
	return true;
}

int gm_mig_fleet_group(struct gm_mig_fleet *f, struct gm_err *err)
{
	f->next = gm_try_alloc((f->board_count + 1) * sizeof(*f->next));
	if (!f->next)
		return gm_fail(err, GM_ERR_NO_MEMORY, "out of memory for %zu boards", f->board_count);
	for (uint32_t i = 0; i < f->board_count; i++) {
		struct gm_mig_frame frame;
		char bytes[KEY_MAX];
		size_t shape_size;
		struct gm_str key;
		uintptr_t at;

		if (gm_mig_frame_of(&f->boards[i], f->disturb, &frame, NULL, NULL))
			frame = (struct gm_mig_frame){ .table = f->boards[i].table, .mode = GM_MIG_FRAME_SHUT };
		frame_blur(&frame);
		key = gm_str_n(bytes, frame_key(&frame, bytes, &shape_size));
		f->next[i] = NONE;
		at = (uintptr_t)gm_map_get(&f->by_key, key);
		if (at) {
			struct gm_mig_group *g = &f->groups.items[at - 1];

			f->next[g->last] = i;
			g->last = i;
			g->count++;
		} else if (!add_group(f, &frame, i, key, shape_size)) {
			return gm_fail(err, GM_ERR_NO_MEMORY, "out of memory for %zu boards", f->board_count);
		}
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

	for (uint32_t i = 0; i < f->groups.count && rc == 0; i++) {
		const struct gm_mig_group *g = &f->groups.items[i];

		f->room_lost +=
			(int64_t)g->count * (gm_mig_frame_empty_worth(&g->frame) - gm_mig_frame_worth(&g->frame));
		if (i == 0 || g->frame.table != mapped)
			rc = map_kinds(f, g->frame.table, kind_of, &known, err);
		mapped = g->frame.table;
		if (rc == 0 && !g->shape_later)
			survey_shape(&s, f, i);
	}
	for (size_t k = 0; k < f->kinds && rc == 0; k++) {
		if (!(known >> k & 1))
			rc = gm_fail(err, GM_ERR_NOT_FOUND, "no board has a profile '%s'", f->wishes[k].profile);
	}
	gm_vec_fini(&s.found);
	gm_vec_fini(&s.packs);
	gm_vec_fini(&s.firsts);
	gm_vec_fini(&s.variants);
	free(s.index);
	return rc;
}
