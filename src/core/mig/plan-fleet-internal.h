/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_MIG_PLAN_FLEET_INTERNAL_H
#define GM_CORE_MIG_PLAN_FLEET_INTERNAL_H

#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"
#include "core/mig/plan-internal.h"

#define GM_MIG_KINDS_MAX GM_MIG_FLEET_WISHES_MAX
/* Of one kind on one board; four bits are enough. */
#define GM_MIG_TAKE_MAX 15
#define GM_MIG_NO_KIND 255

/* What a board may serve at once, and at which harm (against leaving it alone). */
struct gm_mig_option {
	uint8_t take[GM_MIG_KINDS_MAX];
	uint32_t weight; /* squares of the sizes: that of large instances, which are hard to place, is large */
	struct gm_mig_harm harm;
};
/* Boards with equal frames. */
struct gm_mig_group {
	struct gm_mig_frame frame;
	uint32_t first, last; /* boards, linked by gm_mig_fleet.next */
	uint32_t count;
	/* Groups whose frames differ in costs only, the first of them first; UINT32_MAX at the end. */
	uint32_t shape_next;
	bool shape_later; /* not the first */
	size_t option_first, option_count;
};
/* So many boards of a group serve that. */
struct gm_mig_share {
	uint32_t group, count;
	uint8_t take[GM_MIG_KINDS_MAX];
};
struct gm_mig_fleet {
	const struct gm_mig_board *boards;
	size_t board_count;
	const struct gm_mig_fleet_wish *wishes;
	size_t kinds;
	uint32_t want[GM_MIG_KINDS_MAX];
	bool disturb;
	struct gm_arena keys;
	struct gm_map by_key, by_shape;
	GM_VEC(struct gm_mig_group) groups;
	GM_VEC(struct gm_mig_option) options;
	uint32_t *next; /* by board: the next of its group, UINT32_MAX at the end */
	int64_t room_lost;
	/* the answer */
	GM_VEC(struct gm_mig_share) shares;
	struct gm_mig_harm bound; /* of what the shares cost */
	bool proven_none;
};

static inline const struct gm_mig_option *gm_mig_option_at(const struct gm_mig_fleet *f, const struct gm_mig_group *g,
							   size_t i)
{
	return &f->options.items[g->option_first + i];
}

void gm_mig_fleet_fini(struct gm_mig_fleet *f);
GM_DEFINE_AUTO_VALUE(struct gm_mig_fleet, gm_mig_fleet_fini)
/* The groups alone; NO_MEMORY. */
int gm_mig_fleet_group(struct gm_mig_fleet *f, struct gm_err *err) GM_CHECKED;
/* Groups of the boards, and what each may serve; NOT_FOUND, INVALID as gm_mig_plan_fleet(). */
int gm_mig_fleet_survey(struct gm_mig_fleet *f, struct gm_err *err) GM_CHECKED;
/*
 * The shares of least harm that serve `want`, of groups with that many boards left (by group), exact; they are added to
 * the shares. TOO_LARGE: it would take too long, nothing was tried. CONFLICT: there is no way.
 */
int gm_mig_fleet_exact(struct gm_mig_fleet *f, const uint32_t *want, const uint32_t *left,
		       struct gm_mig_harm *out) GM_CHECKED;
/* Good shares and a bound, for what is too large to be exact. False: no way was found. */
bool gm_mig_fleet_approach(struct gm_mig_fleet *f);

#endif
