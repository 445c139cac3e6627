/* SPDX-License-Identifier: MIT */
#include "core/sim/sim-internal.h"

#include <stdio.h>

#include "core/sim/noise.h"

/* Who gets what, in per cent; the rest stays free. */
struct odds {
	uint8_t serving, training, notebook, idle;
};
static const struct odds odds_of_slice = { 62, 0, 10, 7 };
static const struct odds odds_of_consumer = { 45, 5, 25, 8 };
static const struct odds odds_of_board = { 52, 12, 12, 10 };
static const struct odds odds_of_pair = { 45, 30, 0, 5 };
static const struct odds odds_of_four = { 30, 55, 0, 0 };

void sim_uuid(uint64_t seed, const char *prefix, char version, char *out, size_t size)
{
	uint64_t a = sim_hash(seed, 0x7501, 0), b = sim_hash(seed, 0x7501, 1);
	(void)snprintf(out, size, "%s%08x-%04x-%c%03x-%c%03x-%012llx", prefix, (unsigned)(a >> 32),
		       (unsigned)(a >> 16 & 0xffff), version, (unsigned)(a & 0xfff), "89ab"[b >> 62],
		       (unsigned)(b >> 48 & 0xfff), (unsigned long long)(b & UINT64_C(0xffffffffffff)));
}

/* The index of a new pod, or -1: free. */
static int hire(struct gm_sim *s, const struct odds *odds, uint64_t seed, int boards, int64_t gb)
{
	uint64_t draw = sim_hash(seed, 0x11, 0) % 100;
	uint64_t serving = odds->serving, training = serving + odds->training, notebook = training + odds->notebook;
	enum sim_work_kind kind = draw < serving    ? SIM_SERVING
				  : draw < training ? SIM_TRAINING
				  : draw < notebook ? SIM_NOTEBOOK
						    : SIM_IDLE;
	if (draw >= notebook + odds->idle || s->work_count == s->work_capacity)
		return -1;
	sim_work_init(&s->works[s->work_count], kind, sim_hash(seed, 0x12, 0), boards, gb);
	return (int)s->work_count++;
}

/* How many of `left` boards the next pod gets. The world's first runs are fixed, so that small worlds show both. */
static size_t group_size(uint64_t seed, size_t left, size_t nth_group)
{
	if (nth_group == 0 && left >= 4)
		return 4;
	if (nth_group == 1 && left >= 2)
		return 2;
	uint64_t draw = sim_hash(seed, 0x13, 0) % 100;
	if (left >= 4 && draw < 35)
		return 4;
	return left >= 2 && draw < 60 ? 2 : 1;
}

static const struct odds *group_odds(const struct sim_traits *t, size_t boards, size_t nth_group)
{
	static const struct odds only_training = { 0, 100, 0, 0 }, only_serving = { 100, 0, 0, 0 };
	if (nth_group == 0 && boards == 4)
		return &only_training;
	if (nth_group == 1 && boards == 2)
		return &only_serving;
	if (boards == 1)
		return t->consumer ? &odds_of_consumer : &odds_of_board;
	return boards == 2 ? &odds_of_pair : &odds_of_four;
}

static size_t place_run(struct gm_sim *s, const struct sim_node *node, size_t first, size_t count, size_t nth_group)
{
	for (size_t done = 0; done < count; nth_group++) {
		struct sim_board *b = &s->boards[first + done];
		size_t boards = b->traits->consumer ? 1 : group_size(b->seed, count - done, nth_group);
		int work = hire(s, group_odds(b->traits, boards, nth_group), sim_hash(node->seed, 0x14, first + done),
				(int)boards, b->traits->variant->memory_gb);
		for (size_t i = 0; i < boards; i++)
			b[i].work = work;
		done += boards;
	}
	return nth_group;
}

static void place_slices(struct gm_sim *s, size_t index)
{
	const struct gm_sim_device *d = &s->devices[index];
	struct sim_board *b = &s->boards[index];
	for (int i = 0; i < d->instance_count; i++) {
		int64_t gb = (d->instances[i].memory_total_bytes >> 30) + 1;
		b->instance_work[i] = hire(s, &odds_of_slice, sim_hash(b->seed, 0x15, (uint64_t)i), 1, gb);
	}
}

void sim_place(struct gm_sim *s, struct sim_node *node, size_t *io_groups)
{
	size_t end = node->first_device + node->pub.device_count;
	node->first_work = s->work_count;
	for (size_t i = node->first_device; i < end;) {
		if (s->devices[i].mig_enabled) {
			place_slices(s, i++);
			continue;
		}
		size_t run = 1;
		while (i + run < end && !s->devices[i + run].mig_enabled &&
		       s->devices[i + run].variant == s->devices[i].variant)
			run++;
		*io_groups = place_run(s, node, i, run, *io_groups);
		i += run;
	}
	node->work_count = s->work_count - node->first_work;
}
