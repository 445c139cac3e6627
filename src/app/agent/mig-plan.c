/* SPDX-License-Identifier: MIT */
#include "app/agent/mig-plan.h"

int gm_mig_view_find(const struct gm_agent_view *view, const char *uuid)
{
	for (unsigned i = 0; i < view->board_count && i < GM_AGENT_BOARDS_MAX; i++) {
		if (strcmp(view->boards[i].reading.facts.uuid, uuid) == 0)
			return (int)i;
	}
	return -1;
}

bool gm_mig_view_whole(const struct gm_agent_view *view)
{
	if (view->state != GM_AGENT_WORKING || view->board_count == 0)
		return false;
	for (unsigned i = 0; i < view->board_count && i < GM_AGENT_BOARDS_MAX; i++) {
		if (view->boards[i].state == GM_BOARD_NEW || !view->boards[i].reading.facts.uuid[0])
			return false;
	}
	return true;
}

struct planner {
	const struct gm_mig_request *req;
	const struct gm_agent_view *view;
	const struct gm_holders *holders;
	const struct gm_mig_owners *owners;
	struct gm_mig_plan *plan;
	struct gm_err *err;
};

static int check_board(struct planner *p, const struct gm_mig_board_request *ask, struct gm_mig_board *b, int at)
{
	const struct gm_agent_board *ab = &p->view->boards[at];
	char hash[17];

	if (ab->state != GM_BOARD_OK)
		return gm_fail(p->err, GM_ERR_UNAVAILABLE, "%s: the board is %s", ask->uuid,
			       gm_board_state_name(ab->state));
	if (!gm_mig_board_init(b, &ab->reading))
		return gm_fail(p->err, GM_ERR_UNSUPPORTED, "%s (%s): no MIG, or its profiles are not known", ask->uuid,
			       ab->reading.facts.name);
	gm_mig_board_hash(&ab->reading, hash);
	if (strcmp(hash, ask->state_hash) != 0)
		return gm_fail(p->err, GM_ERR_CONFLICT, "%s: its state is no longer %s but %s", ask->uuid,
			       ask->state_hash, hash);
	if (p->owners->foreign[at] && !p->req->take_ownership)
		return gm_fail(
			p->err, GM_ERR_CONFLICT,
			"%s: its layout is no longer the one that was kept: somebody else changed it, or a change "
			"got stuck; takeOwnership overrides that",
			ask->uuid);
	if (b->pending)
		return gm_fail(p->err, GM_ERR_CONFLICT, "%s: a switch of its MIG mode is pending until the next reset",
			       ask->uuid);
	if (!b->known)
		return gm_fail(p->err, GM_ERR_UNAVAILABLE,
			       "%s: the driver does not tell the place of every instance (rights?)", ask->uuid);
	return 0;
}

static bool has_slot(const struct gm_mig_layout *l, struct gm_mig_slot slot)
{
	for (size_t i = 0; i < l->count; i++) {
		if (l->slots[i].profile == slot.profile && l->slots[i].start == slot.start)
			return true;
	}
	return false;
}

static bool slot_used(const struct planner *p, const struct gm_mig_board *b, int at, size_t slot)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf users = { 0 };

	return gm_mig_users(p->holders, p->view, (unsigned)at, b->gis[slot], &users);
}

/* Wishes without a place take the instances that are there already, the used ones before the unused. */
static void match_present(const struct planner *p, const struct gm_mig_board *b, int at, bool unused_too,
			  struct gm_mig_layout *fixed, uint8_t *open, size_t *open_count)
{
	size_t left = 0;

	for (size_t k = 0; k < *open_count; k++) {
		bool found = false;

		for (int pass = 0; pass < 1 + unused_too && !found; pass++) {
			for (size_t i = 0; i < b->layout.count && !found; i++) {
				struct gm_mig_slot slot = b->layout.slots[i];

				if (slot.profile != open[k] || has_slot(fixed, slot) ||
				    slot_used(p, b, at, i) != (pass == 0) ||
				    gm_mig_layout_may_add(&b->table, fixed, slot, NULL))
					continue;
				gm_mig_layout_add(&b->table, fixed, slot);
				found = true;
			}
		}
		if (!found)
			open[left++] = open[k];
	}
	*open_count = left;
}

static int place_open(const struct planner *p, const struct gm_mig_board *b, int at, const struct gm_mig_layout *fixed,
		      const uint8_t *open, size_t open_count, struct gm_mig_layout *out)
{
	int rc = GM_ERR_CONFLICT;

	for (int unused_too = 1; unused_too >= 0 && rc; unused_too--) {
		struct gm_mig_layout base = *fixed;
		uint8_t rest[GM_MIG_INSTANCES_MAX];
		size_t count = open_count;

		memcpy(rest, open, open_count);
		match_present(p, b, at, unused_too, &base, rest, &count);
		rc = gm_mig_layout_place(&b->table, &base, rest, count, out, p->err);
	}
	return rc;
}

/* Instances of the request that exclude each other are its own fault, not the world's. */
static int invalid(struct gm_err *err, const char *uuid)
{
	struct gm_err why = err ? *err : (struct gm_err){ 0 };

	return gm_fail(err, GM_ERR_INVALID, "%s: %s", uuid, why.text);
}

static int wanted_layout(const struct planner *p, const struct gm_mig_board_request *ask, const struct gm_mig_board *b,
			 int at, struct gm_mig_layout *out)
{
	struct gm_mig_layout fixed = { 0 };
	uint8_t open[GM_MIG_INSTANCES_MAX];
	size_t open_count = 0;

	for (unsigned i = 0; i < ask->count; i++) {
		const struct gm_mig_profile *profile = gm_mig_profile_find(&b->table, gm_str(ask->wishes[i].profile));
		struct gm_mig_slot slot;
		int rc;

		if (!profile || profile->profile_id < 0)
			return gm_fail(p->err, GM_ERR_NOT_FOUND, "%s (%s) has no profile '%s'", ask->uuid,
				       b->reading->facts.name, ask->wishes[i].profile);
		slot = (struct gm_mig_slot){ (uint8_t)(profile - b->table.profiles), (uint8_t)ask->wishes[i].start };
		if (ask->wishes[i].start < 0) {
			open[open_count++] = slot.profile;
			continue;
		}
		rc = gm_mig_layout_may_add(&b->table, &fixed, slot, p->err);
		if (rc) {
			return rc == GM_ERR_CONFLICT ? invalid(p->err, ask->uuid)
						     : gm_err_wrap(p->err, "%s", ask->uuid);
		}
		gm_mig_layout_add(&b->table, &fixed, slot);
	}
	if (place_open(p, b, at, &fixed, open, open_count, out) == 0)
		return 0;
	return invalid(p->err, ask->uuid);
}

/* May what is to go be removed? All that is in the way is named, not the first only. */
static int check_removals(struct planner *p, const struct gm_mig_board *b, int at, const struct gm_mig_layout *wanted)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf used = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf unused = { 0 };
	const char *uuid = b->reading->facts.uuid;

	for (size_t i = 0; i < b->layout.count; i++) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf users = { 0 };
		struct gm_mig_slot slot = b->layout.slots[i];
		const char *name = b->table.profiles[slot.profile].name;

		if (has_slot(wanted, slot))
			continue;
		if (!gm_mig_users(p->holders, p->view, (unsigned)at, b->gis[i], &users))
			gm_buf_addf(&unused, "%s%s@%u", unused.n ? ", " : "", name, slot.start);
		else
			gm_buf_addf(&used, "%s%s@%u (%s)", used.n ? ", " : "", name, slot.start, gm_buf_cstr(&users));
	}
	if (used.n && !p->req->allow_in_use)
		return gm_fail(p->err, GM_ERR_CONFLICT, "%s: in use: %s; allowInUse overrides that", uuid,
			       gm_buf_cstr(&used));
	if (unused.n && !p->req->remove_unused)
		return gm_fail(p->err, GM_ERR_CONFLICT,
			       "%s: %s would be removed; unused slices go only with removeUnused", uuid,
			       gm_buf_cstr(&unused));
	return 0;
}

/* A switch of the mode concerns all that runs on the board. */
static int check_switch(struct planner *p, const struct gm_mig_board *b, int at)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf users = { 0 };

	if (p->req->allow_in_use || !gm_mig_users(p->holders, p->view, (unsigned)at, -1, &users))
		return 0;
	return gm_fail(p->err, GM_ERR_CONFLICT,
		       "%s: MIG mode cannot be switched: in use by %s; allowInUse overrides that",
		       b->reading->facts.uuid, gm_buf_cstr(&users));
}

static void add_change(struct planner *p, const struct gm_mig_board *b, const struct gm_mig_state *wanted)
{
	struct gm_mig_change c = { .on_now = b->on, .wanted = *wanted };
	struct gm_mig_step steps[GM_MIG_STEPS_MAX] = { 0 };
	size_t count;

	(void)gm_str_copy(gm_str(b->reading->facts.uuid), c.uuid, sizeof(c.uuid));
	gm_mig_board_state(b, &c.before);
	count = gm_mig_steps(&c.before, wanted, steps);
	for (size_t i = 0; i < count; i++) {
		p->plan->creates += steps[i].verb == GM_MIG_CREATE;
		p->plan->destroys += steps[i].verb == GM_MIG_DESTROY;
		p->plan->switches += steps[i].verb == GM_MIG_MODE_ON || steps[i].verb == GM_MIG_MODE_OFF;
	}
	c.resets = c.before.on != wanted->on && b->reading->facts.mig_resetless != 1;
	p->plan->resets |= c.resets;
	p->plan->changes[p->plan->count++] = c;
}

static int plan_board(struct planner *p, const struct gm_mig_board_request *ask)
{
	struct gm_mig_layout wanted = { 0 };
	struct gm_mig_state state = { 0 };
	struct gm_mig_board b = { 0 };
	int at = gm_mig_view_find(p->view, ask->uuid), rc;

	if (at < 0)
		return gm_fail(p->err, GM_ERR_NOT_FOUND, "%s: this node has no such GPU", ask->uuid);
	rc = check_board(p, ask, &b, at);
	if (rc)
		return rc;
	state.on = ask->mode == GM_MIG_MODE_AS_IS ? b.on : ask->mode == GM_MIG_MODE_WISH_ON;
	if (!state.on && ask->count)
		return gm_fail(p->err, GM_ERR_INVALID, "%s: MIG mode is off: a layout needs \"mode\": \"on\"",
			       ask->uuid);
	rc = wanted_layout(p, ask, &b, at, &wanted);
	if (rc == 0)
		rc = check_removals(p, &b, at, &wanted);
	if (rc == 0 && state.on != b.on)
		rc = check_switch(p, &b, at);
	if (rc)
		return rc;
	for (size_t i = 0; i < wanted.count; i++)
		gm_mig_board_slice(&b, wanted.slots[i], &state.slices[state.count++]);
	add_change(p, &b, &state);
	return 0;
}

int gm_mig_plan_make(const struct gm_mig_request *req, const struct gm_agent_view *view,
		     const struct gm_holders *holders, const struct gm_mig_owners *owners, struct gm_mig_plan *out,
		     struct gm_err *err)
{
	struct planner p = { .req = req, .view = view, .holders = holders, .owners = owners, .plan = out, .err = err };

	*out = (struct gm_mig_plan){ 0 };
	if (owners->rival && !req->take_ownership)
		return gm_fail(err, GM_ERR_CONFLICT,
			       "MIG layouts of this node belong to %s; takeOwnership overrides that", owners->rival);
	for (uint32_t i = 0; i < req->count; i++) {
		for (uint32_t k = 0; k < i; k++) {
			if (strcmp(req->boards[i].uuid, req->boards[k].uuid) == 0)
				return gm_fail(err, GM_ERR_INVALID, "%s is named twice", req->boards[i].uuid);
		}
		int rc = plan_board(&p, &req->boards[i]);
		if (rc)
			return rc;
	}
	return 0;
}
