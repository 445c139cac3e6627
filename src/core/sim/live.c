/* SPDX-License-Identifier: MIT */
#include "core/sim/live.h"

#include <assert.h>
#include <string.h>

#include "core/sim/noise.h"
#include "core/sim/sim-internal.h"

/* Steps that are made one by one after a long time in which nobody looked: a day's. */
#define STEPS_MAX 86400

#define BIT(kind) (UINT32_C(1) << GM_SIM_FAULT_##kind)

void sim_live_init(struct sim_live *l)
{
	*l = (struct sim_live){ .board.load_percent = -1 };
	for (int i = 0; i < GM_SIM_INSTANCES_MAX; i++)
		l->uses[i].load_percent = -1;
}

/* The workload of the instance of this name. */
static int work_before(const struct gm_sim_device *d, const struct sim_board *b, const char *uuid)
{
	for (int i = 0; i < d->instance_count; i++) {
		if (strcmp(d->instances[i].uuid, uuid) == 0)
			return b->instance_work[i];
	}
	return -1;
}

void gm_sim_live_shape(struct gm_sim *s, size_t board, const struct gm_sim_shape *shape)
{
	struct gm_sim_device *d = &s->devices[board];
	struct sim_board *b = &s->boards[board];
	struct sim_node *node = &s->nodes[0];
	int works[GM_SIM_INSTANCES_MAX];
	assert(s->live && shape->instance_count <= GM_SIM_INSTANCES_MAX);
	sim_board_cut(s, board, node->at_ms, node->knot);
	for (int i = 0; i < GM_SIM_INSTANCES_MAX; i++)
		works[i] = i < shape->instance_count ? work_before(d, b, shape->instances[i].uuid) : -1;
	memcpy(b->instance_work, works, sizeof(works));
	if (shape->mig_enabled != d->mig_enabled)
		b->work = -1;
	d->mig_enabled = shape->mig_enabled;
	d->instance_count = shape->instance_count;
	memcpy(d->instances, shape->instances, sizeof(d->instances));
	d->nvlink_bps = b->traits->nvlink && !d->mig_enabled ? 0 : -1;
	s->live[board].board = shape->board;
	memcpy(s->live[board].uses, shape->uses, sizeof(shape->uses));
	sim_board_bend(s, board, node->at_ms, node->knot);
}

void gm_sim_live_place(struct gm_sim *s)
{
	size_t groups = 0;
	struct sim_node *node = &s->nodes[0];
	sim_place(s, node, &groups);
	for (size_t i = 0; i < s->device_count; i++)
		sim_board_bend(s, i, node->at_ms, node->knot);
}

/* To the knot `knot` at one stride: the boards ran on as they were. */
static void leap(struct gm_sim *s, struct sim_node *node, int64_t knot)
{
	for (size_t i = 0; i < s->device_count; i++) {
		struct sim_board *b = &s->boards[i];
		struct sim_faults f;
		int64_t ms = (knot - 1) * s->step_ms - s->live[i].from_ms;
		b->energy_uj += b->now.power_mw * ms;
		sim_board_traffic(s, i, 0, ms, &s->live[i].counts);
		s->live[i].from_ms = (knot - 1) * s->step_ms;
		b->cache = (struct sim_fault_cache){ 0 };
		sim_board_faults(s, node, i, knot * s->step_ms, &f);
		f.ends |= b->now.faults.active & ~f.active;
		b->next.faults = f;
		sim_board_bend(s, i, (knot - 1) * s->step_ms, knot - 1);
	}
	node->knot = knot - 1;
}

/* To the next knot; how many boards have something to tell. */
static size_t step(struct gm_sim *s, struct sim_node *node, struct gm_sim_happening *out)
{
	size_t count = 0;
	node->knot++;
	node->at_ms = node->knot * s->step_ms;
	for (size_t i = 0; i < s->device_count; i++) {
		sim_board_step(s, node, i, node->knot);
		const struct sim_faults *f = &s->boards[i].now.faults;
		if (f->begins | f->ends)
			out[count++] = (struct gm_sim_happening){ .board = i,
								  .at_ms = s->start_ms + node->at_ms,
								  .begins = f->begins,
								  .ends = f->ends,
								  .xid = s->boards[i].xid };
	}
	return count;
}

size_t gm_sim_live_step(struct gm_sim *s, int64_t now_ms, struct gm_sim_happening out[static GM_SIM_LIVE_BOARDS_MAX])
{
	struct sim_node *node = &s->nodes[0];
	int64_t t_ms = sim_world_ms(s, now_ms), knot = t_ms / s->step_ms;
	assert(s->live);
	if (knot - node->knot > STEPS_MAX)
		leap(s, node, knot - STEPS_MAX);
	while (node->knot < knot) {
		size_t count = step(s, node, out);
		if (count)
			return count;
	}
	if (t_ms > node->at_ms)
		node->at_ms = t_ms;
	return 0;
}

bool gm_sim_live_due(const struct gm_sim *s, int64_t now_ms)
{
	return sim_world_ms(s, now_ms) / s->step_ms > s->nodes[0].knot;
}

int64_t gm_sim_live_step_ms(const struct gm_sim *s)
{
	return s->step_ms;
}

void gm_sim_live_show(struct gm_sim *s, size_t board)
{
	sim_board_show(s, &s->nodes[0], board, s->nodes[0].at_ms);
}

void gm_sim_live_fault(struct gm_sim *s, size_t board, enum gm_sim_fault_kind kind, int64_t value)
{
	struct sim_board *b = &s->boards[board];
	struct sim_faults f = { .begins = UINT32_C(1) << kind, .xid = value, .sbe = value, .dbe = value };
	assert(kind == GM_SIM_FAULT_XID || kind == GM_SIM_FAULT_ECC_SBE || kind == GM_SIM_FAULT_ECC_DBE);
	if (kind == GM_SIM_FAULT_XID || b->traits->ecc)
		sim_board_count(b, &f);
}

void gm_sim_live_reset(struct gm_sim *s, size_t board)
{
	struct sim_node *node = &s->nodes[0];
	struct sim_faults f = { .ends = BIT(LOST) };
	sim_board_cut(s, board, node->at_ms, node->knot);
	sim_board_count(&s->boards[board], &f);
	s->live[board].counts = (struct sim_counts){ 0 };
	sim_board_bend(s, board, node->at_ms, node->knot);
}

void gm_sim_live_uuid(const struct gm_sim *s, size_t board, uint32_t serial, char out[static 48])
{
	sim_uuid(sim_hash(s->boards[board].seed, 0x26, serial), "MIG-", '5', out, 48);
}

/* What a state is made of; pointers stay at home. */
struct state {
	int64_t knot, at_ms;
	struct sim_live live;
	int work, instance_work[GM_SIM_INSTANCES_MAX];
	struct sim_knot now, next;
	struct sim_fault_cache cache;
	int64_t energy_uj, xid, sbe, dbe, remapped, replay;
	bool remap_pending;
};
_Static_assert(sizeof(struct state) <= GM_SIM_STATE_SIZE, "a state fits");

void gm_sim_live_save(const struct gm_sim *s, size_t board, struct gm_sim_state *out)
{
	const struct sim_board *b = &s->boards[board];
	struct state state = { .knot = s->nodes[0].knot,
			       .at_ms = s->nodes[0].at_ms,
			       .live = s->live[board],
			       .work = b->work,
			       .now = b->now,
			       .next = b->next,
			       .cache = b->cache,
			       .energy_uj = b->energy_uj,
			       .xid = b->xid,
			       .sbe = b->sbe,
			       .dbe = b->dbe,
			       .remapped = b->remapped,
			       .replay = b->replay,
			       .remap_pending = b->remap_pending };
	memcpy(state.instance_work, b->instance_work, sizeof(state.instance_work));
	memcpy(out->bytes, &state, sizeof(state));
}

void gm_sim_live_restore(struct gm_sim *s, size_t board, const struct gm_sim_state *in)
{
	struct sim_board *b = &s->boards[board];
	struct state state;
	memcpy(&state, in->bytes, sizeof(state));
	s->nodes[0].knot = state.knot;
	s->nodes[0].at_ms = state.at_ms;
	s->live[board] = state.live;
	b->work = state.work;
	memcpy(b->instance_work, state.instance_work, sizeof(b->instance_work));
	b->now = state.now;
	b->next = state.next;
	b->cache = state.cache;
	b->energy_uj = state.energy_uj;
	b->xid = state.xid;
	b->sbe = state.sbe;
	b->dbe = state.dbe;
	b->remapped = state.remapped;
	b->replay = state.replay;
	b->remap_pending = state.remap_pending;
}
