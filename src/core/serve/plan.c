/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "core/serve/serve-internal.h"

/* All that one planning run holds. */
struct work {
	struct serve_boards boards;
	const struct gm_serve_demand *demands;
	size_t count;
	struct serve_choice *choices;
	struct serve_solution solution;
};

static void work_fini(struct work *w)
{
	if (!w)
		return;
	for (size_t i = 0; w->choices && i < w->count; i++)
		serve_choice_fini(&w->choices[i]);
	free(w->choices);
	serve_solution_fini(&w->solution);
	free(w);
}
GM_DEFINE_AUTO(struct work, work_fini)

static void add_segments(const struct work *w, struct gm_serve_plan *out)
{
	out->segments = gm_xalloc((w->count * w->boards.size_count + 1) * sizeof(*out->segments));
	for (size_t i = 0; i < w->count; i++)
		for (size_t k = 0; k < w->boards.size_count; k++) {
			int n = w->solution.counts[i].n[k];

			if (!n)
				continue;
			out->segments[out->segment_count++] =
				(struct gm_serve_segment){ .demand = i,
							   .point = w->choices[i].point[k],
							   .profile = w->boards.profile[k],
							   .count = n };
			out->instance_count += (size_t)n;
		}
}

/*
 * The next segment of the profile that still has instances to place, from *turn on, each in its turn: the instances of one
 * model go on different boards as far as there are others between them. plan->segment_count: there is none.
 */
static size_t next_segment(const struct gm_serve_plan *plan, const int *left, size_t profile, size_t *turn)
{
	for (size_t i = 0; i < plan->segment_count; i++) {
		size_t at = (*turn + i) % plan->segment_count;

		if (plan->segments[at].profile == profile && left[at]) {
			*turn = at + 1;
			return at;
		}
	}
	return plan->segment_count;
}

static void place(const struct work *w, struct gm_serve_plan *out)
{
	int *left = gm_xalloc((out->segment_count + 1) * sizeof(*left));
	size_t turns[SERVE_SIZES_MAX] = { 0 };
	size_t placed = 0;

	out->instances = gm_xalloc((out->instance_count + 1) * sizeof(*out->instances));
	for (size_t i = 0; i < out->segment_count; i++)
		left[i] = out->segments[i].count;
	for (int board = 0; board < out->boards; board++) {
		const struct gm_mig_layout *l = &w->boards.patterns[w->solution.patterns[board]].layout;

		for (size_t i = 0; i < l->count; i++) {
			size_t size = 0, at;

			while (w->boards.profile[size] != l->slots[i].profile)
				size++;
			at = next_segment(out, left, l->slots[i].profile, &turns[size]);
			if (at == out->segment_count)
				continue;
			left[at]--;
			out->instances[placed++] =
				(struct gm_serve_instance){ .board = board, .slot = l->slots[i], .segment = at };
		}
	}
	assert(placed == out->instance_count);
	free(left);
}

int gm_serve_plan_make(const struct gm_mig_table *t, const struct gm_serve_demand *demands, size_t count,
		       struct gm_serve_plan *out, struct gm_err *err)
{
	GM_AUTO(work_fini_p) struct work *w = gm_xalloc(sizeof(*w));
	int rc;

	if (count > GM_SERVE_DEMANDS_MAX)
		return gm_fail(err, GM_ERR_TOO_LARGE, "more than %d models", GM_SERVE_DEMANDS_MAX);
	w->demands = demands;
	w->choices = gm_xalloc((count + 1) * sizeof(*w->choices));
	w->count = count;
	rc = serve_boards_init(t, &w->boards, err);
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = serve_choice_init(&w->boards, &demands[i], &w->choices[i], err);
	if (rc == 0)
		rc = serve_search(&w->boards, demands, w->choices, count, &w->solution, err);
	if (rc < 0)
		return rc;
	*out = (struct gm_serve_plan){ .boards = w->solution.boards,
				       .gpcs = w->solution.gpcs,
				       .boards_floor = w->solution.boards_floor,
				       .boards_proven = w->solution.boards == w->solution.boards_floor,
				       .gpcs_proven = w->solution.gpcs_proven };
	for (size_t i = 0; i < count; i++)
		out->gpcs_floor += w->choices[i].gpcs_floor;
	add_segments(w, out);
	place(w, out);
	return 0;
}

void gm_serve_plan_fini(struct gm_serve_plan *plan)
{
	free(plan->segments);
	free(plan->instances);
	*plan = (struct gm_serve_plan){ 0 };
}
