/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/alloc.h"
#include "core/mig/plan-fleet-internal.h"

void gm_mig_fleet_fini(struct gm_mig_fleet *f)
{
	gm_map_fini(&f->by_key);
	gm_map_fini(&f->by_shape);
	gm_arena_fini(&f->keys);
	gm_vec_fini(&f->groups);
	gm_vec_fini(&f->options);
	gm_vec_fini(&f->shares);
	free(f->next);
}

void gm_mig_fleet_plan_fini(struct gm_mig_fleet_plan *p)
{
	if (!p)
		return;
	free(p->items);
	*p = (struct gm_mig_fleet_plan){ 0 };
}

static int check_wishes(struct gm_mig_fleet *f, struct gm_err *err)
{
	if (f->board_count > GM_MIG_FLEET_BOARDS_MAX)
		return gm_fail(err, GM_ERR_TOO_LARGE, "more than %d boards", GM_MIG_FLEET_BOARDS_MAX);
	if (f->kinds > GM_MIG_FLEET_WISHES_MAX)
		return gm_fail(err, GM_ERR_TOO_LARGE, "more than %d profiles are wished", GM_MIG_FLEET_WISHES_MAX);
	for (size_t k = 0; k < f->kinds; k++) {
		if (f->wishes[k].count > GM_MIG_FLEET_WISH_COUNT_MAX)
			return gm_fail(err, GM_ERR_TOO_LARGE, "more than %d of '%s'", GM_MIG_FLEET_WISH_COUNT_MAX,
				       f->wishes[k].profile);
		f->want[k] = f->wishes[k].count;
	}
	return 0;
}

static int find_shares(struct gm_mig_fleet *f, struct gm_err *err)
{
	uint32_t *left = gm_try_alloc((f->groups.count + 1) * sizeof(*left));
	int rc;

	if (!left)
		return gm_fail(err, GM_ERR_NO_MEMORY, "out of memory for %zu boards", f->board_count);
	for (size_t i = 0; i < f->groups.count; i++)
		left[i] = f->groups.items[i].count;
	rc = gm_mig_fleet_exact(f, f->want, left, &f->bound);
	free(left);
	if (rc == GM_ERR_CONFLICT)
		return gm_fail(err, rc, "the boards cannot serve all that is wished");
	if (rc != GM_ERR_TOO_LARGE)
		return rc ? gm_fail(err, rc, "out of memory for %zu boards", f->board_count) : 0;
	if (gm_mig_fleet_approach(f))
		return 0;
	if (f->proven_none)
		return gm_fail(err, GM_ERR_CONFLICT, "the boards cannot serve all that is wished");
	return gm_fail(err, GM_ERR_CONFLICT, "no plan was found that serves all that is wished; there may be one");
}

/* The profiles of a share in the words of a table. */
static void task_of(const struct gm_mig_fleet *f, const struct gm_mig_table *t, const uint8_t *take,
		    struct gm_mig_task *out)
{
	*out = (struct gm_mig_task){ 0 };
	for (size_t k = 0; k < f->kinds; k++) {
		if (!take[k])
			continue;
		out->need[gm_mig_profile_find(t, gm_str(f->wishes[k].profile)) - t->profiles] = take[k];
		out->count += take[k];
	}
}

/* One plan for all the boards of a share; false when there is none, which the survey excludes. */
static bool tell_share(struct gm_mig_fleet *f, const struct gm_mig_share *s, struct gm_mig_fleet_plan *out)
{
	struct gm_mig_group *g = &f->groups.items[s->group];
	struct gm_mig_task task;
	struct gm_mig_found found;

	task_of(f, g->frame.table, s->take, &task);
	if (!gm_mig_frame_plan(&g->frame, &task, &found))
		return false;
	for (uint32_t n = 0; n < s->count; n++) {
		struct gm_mig_fleet_item *item = &out->items[out->count++];
		struct gm_mig_frame_seats seats = { 0 };
		struct gm_mig_frame frame;

		item->board = g->first;
		g->first = f->next[g->first];
		memcpy(item->serves, s->take, sizeof(item->serves));
		if (gm_mig_frame_of(&f->boards[item->board], f->disturb, &frame, &seats, NULL))
			return false;
		gm_mig_frame_tell(&f->boards[item->board], &seats, &found, &item->plan);
		gm_mig_harm_add(&out->harm, &found.harm);
		/* The whole fleet's is counted once. */
		out->harm.room_lost -= gm_mig_frame_empty_worth(&g->frame) - gm_mig_frame_worth(&g->frame);
	}
	return true;
}

static int item_compare(const void *a, const void *b)
{
	uint32_t x = ((const struct gm_mig_fleet_item *)a)->board, y = ((const struct gm_mig_fleet_item *)b)->board;

	return x < y ? -1 : x > y;
}

static int tell(struct gm_mig_fleet *f, struct gm_mig_fleet_plan *out, struct gm_err *err)
{
	struct gm_mig_fleet_plan plan = { .harm.room_lost = f->room_lost, .bound = f->bound };
	size_t count = 0;

	for (size_t i = 0; i < f->shares.count; i++)
		count += f->shares.items[i].count;
	plan.items = gm_try_alloc((count + 1) * sizeof(*plan.items));
	if (!plan.items)
		return gm_fail(err, GM_ERR_NO_MEMORY, "out of memory for %zu boards", f->board_count);
	plan.bound.room_lost += f->room_lost;
	for (size_t i = 0; i < f->shares.count; i++) {
		if (!tell_share(f, &f->shares.items[i], &plan)) {
			gm_mig_fleet_plan_fini(&plan);
			return gm_fail(err, GM_ERR_INTERNAL, "a board does not serve what it was surveyed for");
		}
	}
	if (plan.count)
		qsort(plan.items, plan.count, sizeof(*plan.items), item_compare);
	*out = plan;
	return 0;
}

static int plan(const struct gm_mig_board *boards, size_t board_count, const struct gm_mig_fleet_wish *wishes,
		size_t wish_count, bool disturb, struct gm_mig_fleet_plan *out, struct gm_err *err)
{
	GM_AUTO(gm_mig_fleet_fini_p)
	struct gm_mig_fleet f = {
		.boards = boards, .board_count = board_count, .wishes = wishes, .kinds = wish_count, .disturb = disturb
	};
	int rc = check_wishes(&f, err);

	if (rc == 0)
		rc = gm_mig_fleet_survey(&f, err);
	if (rc == 0)
		rc = find_shares(&f, err);
	return rc ? rc : tell(&f, out, err);
}

int gm_mig_plan_fleet(const struct gm_mig_board *boards, size_t board_count, const struct gm_mig_fleet_wish *wishes,
		      size_t wish_count, bool disturb, struct gm_mig_fleet_plan *out, struct gm_err *err)
{
	/* Disturbing nobody is less harm than any else, and boards are alike then that differ in who runs on them. */
	int rc = plan(boards, board_count, wishes, wish_count, false, out, err);

	if (rc == GM_ERR_CONFLICT && disturb)
		rc = plan(boards, board_count, wishes, wish_count, true, out, err);
	return rc;
}
