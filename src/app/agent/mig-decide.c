/* SPDX-License-Identifier: MIT */
#include "app/agent/mig-plan.h"

struct standing {
	bool wait, foreign;
	bool gone;		      /* a board that this node no longer has */
	bool ahead_used, behind_used; /* what finishing, what undoing would remove is in use */
};

static void look_at_slice(const struct gm_mig_change *c, const struct gm_mig_slice *slice, const char *users,
			  struct standing *s, struct gm_buf *why)
{
	bool in_wanted = gm_mig_state_has(&c->wanted, slice), in_before = gm_mig_state_has(&c->before, slice);

	if (!in_wanted && !in_before) {
		s->foreign = true;
		gm_buf_addf(why, "%s%s: %s@%u is of neither the old nor the new layout", why->n ? "; " : "", c->uuid,
			    slice->name, slice->start);
	} else if (users && in_wanted != in_before) {
		s->ahead_used |= !in_wanted;
		s->behind_used |= !in_before;
		gm_buf_addf(why, "%s%s: %s@%u is in use (%s)", why->n ? "; " : "", c->uuid, slice->name, slice->start,
			    users);
	}
}

static void look_at_board(const struct gm_mig_change *c, const struct gm_agent_view *view,
			  const struct gm_holders *holders, struct standing *s, struct gm_buf *why)
{
	int at = gm_mig_view_find(view, c->uuid);
	struct gm_mig_board b;

	if (at < 0 && gm_mig_view_whole(view)) {
		s->gone = true;
		gm_buf_addf(why, "%s%s is no longer in this node", why->n ? "; " : "", c->uuid);
		return;
	}
	if (at < 0 || view->boards[at].state != GM_BOARD_OK || !gm_mig_board_init(&b, &view->boards[at].reading)) {
		s->wait = true;
		gm_buf_addf(why, "%s%s is not there", why->n ? "; " : "", c->uuid);
		return;
	}
	for (size_t i = 0; i < b.layout.count; i++) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf users = { 0 };
		struct gm_mig_slice slice;
		bool used = gm_mig_users(holders, view, (unsigned)at, b.gis[i], &users);

		gm_mig_board_slice(&b, b.layout.slots[i], &slice);
		look_at_slice(c, &slice, used ? gm_buf_cstr(&users) : NULL, s, why);
	}
}

enum gm_mig_decision gm_mig_decide(const struct gm_mig_past *past, const struct gm_agent_view *view,
				   const struct gm_holders *holders, struct gm_buf *out_why)
{
	struct standing s = { 0 };

	if (!past->going || past->outcome != GM_MIG_OUTCOME_NONE)
		return GM_MIG_DECIDE_NOTHING;
	if (past->begun == 0)
		return GM_MIG_DECIDE_FORGET;
	for (uint32_t i = 0; i < past->count; i++)
		look_at_board(&past->changes[i], view, holders, &s, out_why);
	if (s.wait)
		return GM_MIG_DECIDE_WAIT;
	if (s.foreign || s.gone || (s.ahead_used && s.behind_used))
		return GM_MIG_DECIDE_GIVE_UP;
	if (past->back)
		return s.behind_used ? GM_MIG_DECIDE_FINISH : GM_MIG_DECIDE_UNDO;
	return s.ahead_used ? GM_MIG_DECIDE_UNDO : GM_MIG_DECIDE_FINISH;
}
