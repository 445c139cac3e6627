/* SPDX-License-Identifier: MIT */
#include "app/agent/mig-manager-internal.h"

static void write_state(const struct gm_mig_state *s, struct gm_json *w)
{
	gm_json_object(w);
	gm_json_kcstr(w, "mode", s->on ? "on" : "off");
	gm_json_key(w, "layout");
	gm_json_array(w);
	for (unsigned i = 0; i < s->count; i++) {
		gm_json_object(w);
		gm_json_kcstr(w, "profile", s->slices[i].name);
		gm_json_ki64(w, "placement", s->slices[i].start);
		gm_json_ki64(w, "size", s->slices[i].size);
		gm_json_end_object(w);
	}
	gm_json_end_array(w);
	gm_json_end_object(w);
}

static void write_steps(const struct gm_mig_change *c, struct gm_json *w)
{
	struct gm_mig_step steps[GM_MIG_STEPS_MAX];
	size_t count = gm_mig_steps(&c->before, &c->wanted, steps);

	gm_json_array(w);
	for (size_t i = 0; i < count; i++) {
		gm_json_object(w);
		gm_json_kcstr(w, "action", gm_mig_verb_name(steps[i].verb));
		if (steps[i].verb == GM_MIG_CREATE || steps[i].verb == GM_MIG_DESTROY) {
			gm_json_kcstr(w, "profile", steps[i].slice.name);
			gm_json_ki64(w, "placement", steps[i].slice.start);
		}
		gm_json_end_object(w);
	}
	gm_json_end_array(w);
}

void gm_mig_manager_plan_write(const struct gm_mig_plan *plan, struct gm_buf *out)
{
	struct gm_json w;

	gm_json_init(&w, out);
	gm_json_object(&w);
	gm_json_kbool(&w, "dryRun", true);
	gm_json_ku64(&w, "creates", plan->creates);
	gm_json_ku64(&w, "destroys", plan->destroys);
	gm_json_ku64(&w, "modeSwitches", plan->switches);
	gm_json_kbool(&w, "resets", plan->resets);
	gm_json_key(&w, "devices");
	gm_json_array(&w);
	for (uint32_t i = 0; i < plan->count; i++) {
		gm_json_object(&w);
		gm_json_kcstr(&w, "uuid", plan->changes[i].uuid);
		gm_json_kbool(&w, "resets", plan->changes[i].resets);
		gm_json_key(&w, "before");
		write_state(&plan->changes[i].before, &w);
		gm_json_key(&w, "after");
		write_state(&plan->changes[i].wanted, &w);
		gm_json_key(&w, "steps");
		write_steps(&plan->changes[i], &w);
		gm_json_end_object(&w);
	}
	gm_json_end_array(&w);
	gm_json_end_object(&w);
}

static void write_profiles(const struct gm_mig_board *b, struct gm_json *w)
{
	gm_json_key(w, "profiles");
	gm_json_array(w);
	for (size_t i = 0; i < b->table.profile_count; i++) {
		const struct gm_mig_profile *p = &b->table.profiles[i];

		gm_json_object(w);
		gm_json_kcstr(w, "name", p->name);
		gm_json_ki64(w, "id", p->profile_id);
		gm_json_ki64(w, "computeSlices", p->compute_slices);
		gm_json_ki64(w, "memoryMiB", p->memory_mib);
		gm_json_ki64(w, "smCount", p->sm_count);
		gm_json_ki64(w, "maxInstances", p->max_instances);
		gm_json_key(w, "remaining");
		if (b->known)
			gm_json_i64(w, b->on ? gm_mig_layout_remaining(&b->table, &b->layout, i) : 0);
		else
			gm_json_null(w);
		gm_json_ki64(w, "size", p->size);
		gm_json_key(w, "placements");
		gm_json_array(w);
		for (size_t k = 0; k < p->start_count; k++)
			gm_json_i64(w, p->starts[k]);
		gm_json_end_array(w);
		gm_json_end_object(w);
	}
	gm_json_end_array(w);
}

static void write_holder(const struct gm_holder *h, struct gm_json *w)
{
	gm_json_object(w);
	gm_json_kcstr(w, "kind", h->kind == GM_HOLDER_POD ? "pod" : "process");
	if (h->kind == GM_HOLDER_POD) {
		gm_json_kcstr(w, "namespace", h->namespace_);
		gm_json_kcstr(w, "pod", h->pod);
		gm_json_kcstr(w, "container", h->container);
	} else {
		gm_json_ku64(w, "pid", h->pid);
		gm_json_kcstr(w, "process", h->process);
		gm_json_kcstr(w, "user", h->user);
	}
	gm_json_end_object(w);
}

/* gi -1: those of the board itself. */
static void write_users(const struct gm_mig_manager *m, unsigned board, int gi, int ci, struct gm_json *w)
{
	gm_json_key(w, "usedBy");
	gm_json_array(w);
	for (size_t i = 0; m->holders && i < m->holders->count; i++) {
		const struct gm_holder *h = &m->holders->items[i];

		if (h->board == board && h->gi == gi && (h->ci == ci || h->ci < 0))
			write_holder(h, w);
	}
	gm_json_end_array(w);
}

static void write_instances(const struct gm_mig_manager *m, unsigned board, struct gm_json *w)
{
	const struct gm_reading *r = &m->view->boards[board].reading;

	gm_json_key(w, "instances");
	gm_json_array(w);
	for (uint32_t i = 0; i < r->instance_count && i < GM_READING_INSTANCES_MAX; i++) {
		const struct gm_reading_instance *in = &r->instances[i];

		gm_json_object(w);
		gm_json_kcstr(w, "uuid", in->uuid);
		gm_json_kcstr(w, "profile", in->profile);
		gm_json_ki64(w, "gpuInstanceId", in->gi);
		gm_json_ki64(w, "computeInstanceId", in->ci);
		gm_json_ki64(w, "placement", in->start);
		gm_json_ki64(w, "size", in->size);
		gm_json_ki64(w, "computeSlices", in->compute_slices);
		gm_json_ki64(w, "memoryBytes", in->memory_bytes);
		write_users(m, board, in->gi, in->ci, w);
		gm_json_end_object(w);
	}
	gm_json_end_array(w);
}

static void write_wanted(const struct gm_mig_manager *m, const char *uuid, const struct gm_mig_state *now, bool known,
			 struct gm_json *w)
{
	const struct gm_mig_wanted_board *wanted = gm_mig_wanted_find(&m->wanted, uuid);

	gm_json_key(w, "wanted");
	if (!wanted) {
		gm_json_null(w);
		return;
	}
	gm_json_object(w);
	gm_json_kbool(w, "differs", !known || !gm_mig_state_same(now, &wanted->state));
	gm_json_kbool(w, "changedByOthers", wanted->yielded);
	gm_json_key(w, "state");
	write_state(&wanted->state, w);
	gm_json_end_object(w);
}

bool gm_mig_manager_wanted_seen(const struct gm_mig_manager *m, unsigned i, struct gm_mig_wanted_seen *out)
{
	const struct gm_mig_wanted_board *wanted = &m->wanted.boards[i];
	struct gm_mig_state now = { 0 };
	struct gm_mig_board b;
	bool known = false;
	int at;

	if (!m->view || i >= m->wanted.count)
		return false;
	at = gm_mig_view_find(m->view, wanted->uuid);
	if (at >= 0 && gm_mig_board_init(&b, &m->view->boards[at].reading)) {
		gm_mig_board_state(&b, &now);
		known = b.known;
	}
	*out = (struct gm_mig_wanted_seen){ .uuid = wanted->uuid,
					    .differs = !known || !gm_mig_state_same(&now, &wanted->state) };
	return true;
}

struct gm_str gm_mig_manager_other_owner(const struct gm_mig_manager *m)
{
	const char *more = strstr(m->rival, " (");

	return more ? gm_str_n(m->rival, (size_t)(more - m->rival)) : gm_str(m->rival);
}

static const char *mode_name(int mode)
{
	return mode < 0 ? NULL : mode ? "on" : "off";
}

static void write_board(const struct gm_mig_manager *m, unsigned board, struct gm_json *w)
{
	const struct gm_agent_board *ab = &m->view->boards[board];
	const struct gm_reading *r = &ab->reading;
	struct gm_mig_state now = { 0 };
	struct gm_mig_board b;
	bool has_table = gm_mig_board_init(&b, r);
	char hash[17];

	if (has_table)
		gm_mig_board_state(&b, &now);
	gm_mig_board_hash(r, hash);
	gm_json_object(w);
	gm_json_kcstr(w, "uuid", r->facts.uuid);
	gm_json_ki64(w, "index", r->facts.index);
	gm_json_kcstr(w, "name", r->facts.name);
	gm_json_kcstr(w, "state", gm_board_state_name(ab->state));
	gm_json_kbool(w, "migCapable", r->mig_current >= 0);
	gm_json_kcstr(w, "mode", mode_name(r->mig_current));
	gm_json_kcstr(w, "pendingMode", mode_name(r->mig_pending));
	gm_json_key(w, "switchNeedsReset");
	if (r->facts.mig_resetless < 0)
		gm_json_null(w);
	else
		gm_json_bool(w, !r->facts.mig_resetless);
	gm_json_kcstr(w, "stateHash", hash);
	gm_json_ki64(w, "placementUnits", has_table ? b.table.placement_units : 0);
	gm_json_kcstr(w, "profilesFrom", !has_table ? NULL : b.from_driver ? "driver" : "catalogue");
	if (has_table) {
		write_profiles(&b, w);
	} else {
		gm_json_key(w, "profiles");
		gm_json_array(w);
		gm_json_end_array(w);
	}
	write_instances(m, board, w);
	write_users(m, board, -1, -1, w);
	write_wanted(m, r->facts.uuid, &now, has_table && b.known, w);
	gm_json_end_object(w);
}

void gm_mig_manager_describe(const struct gm_mig_manager *m, struct gm_buf *out)
{
	struct gm_json w;

	gm_json_init(&w, out);
	gm_json_object(&w);
	gm_json_kbool(&w, "ready", m->ready);
	gm_json_kcstr(&w, "notReadyBecause", m->ready ? NULL : m->why);
	gm_json_kbool(&w, "changesAllowed", m->conf.enabled);
	gm_json_kcstr(&w, "otherOwner", m->rival[0] ? m->rival : NULL);
	/* Until what it did can be read: a stateHash from before its end is of no use. */
	gm_json_kcstr(&w, "operation",
		      m->current			  ? m->current->id
		      : m->phase == GM_MIG_PHASE_SETTLING ? m->conf.job->id
							  : NULL);
	gm_json_key(&w, "devices");
	gm_json_array(&w);
	for (unsigned i = 0; m->view && i < m->view->board_count && i < GM_AGENT_BOARDS_MAX; i++) {
		if (m->view->boards[i].reading.facts.uuid[0])
			write_board(m, i, &w);
	}
	gm_json_end_array(&w);
	gm_json_end_object(&w);
}
