/* SPDX-License-Identifier: MIT */
#include "core/mig/plan-internal.h"

static int check_board(const struct gm_mig_board *b, struct gm_mig_layout *out, struct gm_err *err)
{
	if (b->seat_count > GM_MIG_INSTANCES_MAX)
		return gm_fail(err, GM_ERR_INVALID, "more than %d instances on a board", GM_MIG_INSTANCES_MAX);
	if (!b->mig_on && b->seat_count > 0)
		return gm_fail(err, GM_ERR_INVALID, "instances on a board whose MIG mode is off");
	if (b->whole_cost < 0 || b->whole_cost > GM_MIG_COST_MAX)
		return gm_fail(err, GM_ERR_INVALID, "the cost of disturbing a board is out of range");
	for (size_t i = 0; i < b->seat_count; i++) {
		if (b->seats[i].cost < 0 || b->seats[i].cost > GM_MIG_COST_MAX)
			return gm_fail(err, GM_ERR_INVALID, "the cost of disturbing an instance is out of range");
		gm_mig_slots_insert(out, b->seats[i].slot);
	}
	if (gm_mig_layout_check(b->table, out, err)) {
		gm_err_wrap(err, "the instances that are there");
		if (err)
			err->code = GM_ERR_INVALID;
		return GM_ERR_INVALID;
	}
	return 0;
}

/* A seat goes before those that begin later. */
static void put(struct gm_mig_slot *slots, uint8_t *seats, int64_t *costs, size_t *count, const struct gm_mig_board *b,
		size_t seat)
{
	size_t i = (*count)++;

	for (; i > 0 && slots[i - 1].start > b->seats[seat].slot.start; i--) {
		slots[i] = slots[i - 1];
		seats[i] = seats[i - 1];
		if (costs)
			costs[i] = costs[i - 1];
	}
	slots[i] = b->seats[seat].slot;
	seats[i] = (uint8_t)seat;
	if (costs)
		costs[i] = b->seats[seat].cost;
}

static enum gm_mig_frame_mode mode_of(const struct gm_mig_board *b, bool disturb)
{
	if (b->mig_on)
		return GM_MIG_FRAME_ON;
	if (b->whole_fixed || (b->whole_busy && !disturb))
		return GM_MIG_FRAME_SHUT;
	return b->whole_busy ? GM_MIG_FRAME_OFF_BUSY : GM_MIG_FRAME_OFF;
}

int gm_mig_frame_of(const struct gm_mig_board *b, bool disturb, struct gm_mig_frame *out,
		    struct gm_mig_frame_seats *out_seats, struct gm_err *err)
{
	struct gm_mig_layout all = { 0 };
	struct gm_mig_frame_seats unwanted = { 0 }, *seats = out_seats ? out_seats : &unwanted;
	int rc = check_board(b, &all, err);

	if (rc)
		return rc;
	*out = (struct gm_mig_frame){ .table = b->table, .mode = mode_of(b, disturb) };
	out->reset = !b->mig_on && b->reset_needed;
	out->whole_cost = out->mode == GM_MIG_FRAME_OFF_BUSY ? b->whole_cost : 0;
	for (size_t i = 0; i < b->seat_count; i++) {
		const struct gm_mig_seat *s = &b->seats[i];

		if (s->fixed || (s->busy && !disturb))
			gm_mig_use_add(b->table, &out->base, s->slot);
		else if (s->busy)
			put(out->busy, seats->busy, out->cost, &out->busy_count, b, i);
		else
			put(out->idle, seats->idle, NULL, &out->idle_count, b, i);
	}
	return 0;
}

int gm_mig_frame_empty_worth(const struct gm_mig_frame *f)
{
	return gm_mig_use_worth(f->table, &(struct gm_mig_use){ 0 });
}

int gm_mig_frame_worth(const struct gm_mig_frame *f)
{
	struct gm_mig_use use = f->base;

	if (f->mode == GM_MIG_FRAME_SHUT || f->mode == GM_MIG_FRAME_OFF_BUSY)
		return 0;
	for (size_t i = 0; i < f->idle_count; i++)
		gm_mig_use_add(f->table, &use, f->idle[i]);
	for (size_t i = 0; i < f->busy_count; i++)
		gm_mig_use_add(f->table, &use, f->busy[i]);
	return gm_mig_use_worth(f->table, &use);
}

void gm_mig_frame_tell(const struct gm_mig_board *b, const struct gm_mig_frame_seats *seats,
		       const struct gm_mig_found *found, struct gm_mig_board_plan *out)
{
	*out = (struct gm_mig_board_plan){
		.harm = found->harm, .create = found->create, .after = found->create, .switch_on = found->switch_on
	};
	for (unsigned i = 0; i < GM_MIG_INSTANCES_MAX; i++) {
		if (found->idle_out >> i & 1)
			out->destroy |= (uint16_t)(1U << seats->idle[i]);
		if (found->serve >> i & 1)
			out->serve |= (uint16_t)(1U << seats->idle[i]);
		if (found->busy_out >> i & 1)
			out->destroy |= (uint16_t)(1U << seats->busy[i]);
	}
	for (size_t i = 0; i < b->seat_count; i++) {
		if (!(out->destroy >> i & 1))
			gm_mig_slots_insert(&out->after, b->seats[i].slot);
	}
}
