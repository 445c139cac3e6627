/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "core/serve/serve-internal.h"

/* Plain profiles only: no media extensions ("+me", "-me"), no doubled memory when a smaller one has the same GPCs. */
static int choose_sizes(const struct gm_mig_table *t, struct serve_boards *out, struct gm_err *err)
{
	for (int gpcs = 1; gpcs <= t->compute_slices; gpcs++) {
		const struct gm_mig_profile *best = NULL;

		for (size_t i = 0; i < t->profile_count; i++) {
			const struct gm_mig_profile *p = &t->profiles[i];

			if (p->compute_slices == gpcs && p->start_count && !strpbrk(p->name, "+-") &&
			    (!best || p->size < best->size))
				best = p;
		}
		if (!best)
			continue;
		if (out->size_count == SERVE_SIZES_MAX)
			return gm_fail(err, GM_ERR_UNSUPPORTED, "board '%s' has more than %d instance sizes", t->id,
				       SERVE_SIZES_MAX);
		out->gpcs[out->size_count] = gpcs;
		out->profile[out->size_count++] = (size_t)(best - t->profiles);
	}
	if (!out->size_count)
		return gm_fail(err, GM_ERR_UNSUPPORTED, "board '%s': the placements of its profiles are not known",
			       t->id);
	return 0;
}

static bool within(const struct serve_counts *a, const struct serve_counts *b)
{
	for (size_t i = 0; i < SERVE_SIZES_MAX; i++)
		if (a->n[i] > b->n[i])
			return false;
	return true;
}

struct collect {
	struct serve_boards *boards;
	bool full;
};

/* Keeps a layout when no other holds as much of each size. */
static bool take_layout(void *ctx, const struct gm_mig_layout *l)
{
	struct collect *c = ctx;
	struct serve_boards *b = c->boards;
	struct serve_pattern pattern = { .layout = *l };
	size_t kept = 0;

	for (size_t i = 0; i < l->count; i++)
		for (size_t k = 0; k < b->size_count; k++)
			if (b->profile[k] == l->slots[i].profile)
				pattern.counts.n[k]++;
	for (size_t i = 0; i < b->pattern_count; i++)
		if (within(&pattern.counts, &b->patterns[i].counts))
			return true;
	for (size_t i = 0; i < b->pattern_count; i++)
		if (!within(&b->patterns[i].counts, &pattern.counts))
			b->patterns[kept++] = b->patterns[i];
	b->pattern_count = kept;
	c->full = kept == SERVE_PATTERNS_MAX;
	if (!c->full)
		b->patterns[b->pattern_count++] = pattern;
	return !c->full;
}

static bool weight_holds(const struct serve_boards *b, const struct serve_weight *w)
{
	for (size_t i = 0; i < b->pattern_count; i++)
		if (serve_counts_worth(w, b->size_count, &b->patterns[i].counts) > w->whole)
			return false;
	return true;
}

/* Row a without its column `at`, by row b; divided by what its numbers share, so that they stay small. */
static void eliminate(int64_t a[static SERVE_SIZES_MAX], const int64_t b[static SERVE_SIZES_MAX], size_t at)
{
	int64_t factor_a = b[at], factor_b = a[at], shared = 0;

	for (size_t i = 0; i < SERVE_SIZES_MAX; i++) {
		a[i] = a[i] * factor_a - b[i] * factor_b;
		for (int64_t x = a[i]; x;) {
			int64_t rest = shared % x;

			shared = x;
			x = rest;
		}
	}
	for (size_t i = 0; i < SERVE_SIZES_MAX && shared; i++)
		a[i] /= shared;
}

static size_t rank(int64_t rows[][SERVE_SIZES_MAX], size_t count)
{
	size_t rank = 0;

	for (size_t at = 0; at < SERVE_SIZES_MAX && rank < count; at++) {
		size_t pivot = rank;

		while (pivot < count && !rows[pivot][at])
			pivot++;
		if (pivot == count)
			continue;
		for (size_t i = 0; i < SERVE_SIZES_MAX; i++) {
			int64_t x = rows[pivot][i];

			rows[pivot][i] = rows[rank][i];
			rows[rank][i] = x;
		}
		for (size_t i = rank + 1; i < count; i++)
			if (rows[i][at])
				eliminate(rows[i], rows[rank], at);
		rank++;
	}
	return rank;
}

/* A corner of all that hold: as many full boards reach `whole`, or prices are 0, as there are sizes. */
static bool is_corner(const struct serve_boards *b, const struct serve_weight *w)
{
	int64_t tight[SERVE_PATTERNS_MAX + SERVE_SIZES_MAX][SERVE_SIZES_MAX] = { { 0 } };
	size_t count = 0;

	for (size_t i = 0; i < b->pattern_count; i++) {
		if (serve_counts_worth(w, b->size_count, &b->patterns[i].counts) != w->whole)
			continue;
		for (size_t k = 0; k < b->size_count; k++)
			tight[count][k] = b->patterns[i].counts.n[k];
		count++;
	}
	for (size_t i = 0; i < b->size_count; i++)
		if (w->of[i] == 0)
			tight[count++][i] = 1;
	return count >= b->size_count && rank(tight, count) == b->size_count;
}

/* Every price of a is at least that of c. */
static bool as_strong(const struct serve_boards *b, const struct serve_weight *a, const struct serve_weight *c)
{
	for (size_t i = 0; i < b->size_count; i++)
		if (a->of[i] * c->whole < c->of[i] * a->whole)
			return false;
	return true;
}

static void keep_weight(struct serve_boards *b, const struct serve_weight *w)
{
	size_t kept = 0;

	for (size_t i = 0; i < b->weight_count; i++)
		if (as_strong(b, &b->weights[i], w))
			return;
	for (size_t i = 0; i < b->weight_count; i++)
		if (!as_strong(b, w, &b->weights[i]))
			b->weights[kept++] = b->weights[i];
	b->weight_count = kept;
	/* A bound fewer is weaker, never wrong. */
	if (kept < SERVE_WEIGHTS_MAX)
		b->weights[b->weight_count++] = *w;
}

/*
 * The prices that are worth having are the corners of the dual of the packing's linear relaxation. Their denominators are
 * small, so all rising prices in halves, thirds, ... of a board are tried: some thousand.
 */
static void find_weights(struct serve_boards *b)
{
	for (int whole = 1; whole <= SERVE_WHOLE_MAX; whole++) {
		struct serve_weight w = { .whole = whole };
		size_t at;

		do {
			if (weight_holds(b, &w) && is_corner(b, &w))
				keep_weight(b, &w);
			for (at = b->size_count; at-- > 0;)
				if (w.of[at] < whole)
					break;
			if (at == SIZE_MAX)
				break;
			w.of[at]++;
			for (size_t i = at + 1; i < b->size_count; i++)
				w.of[i] = w.of[at];
		} while (true);
	}
}

int serve_boards_init(const struct gm_mig_table *t, struct serve_boards *out, struct gm_err *err)
{
	struct collect collect = { .boards = out };
	uint64_t profiles = 0;
	int rc;

	*out = (struct serve_boards){ 0 };
	rc = choose_sizes(t, out, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < out->size_count; i++)
		profiles |= UINT64_C(1) << out->profile[i];
	gm_mig_layouts(t, profiles, take_layout, &collect);
	if (collect.full)
		return gm_fail(err, GM_ERR_UNSUPPORTED, "board '%s' has more than %d full layouts", t->id,
			       SERVE_PATTERNS_MAX);
	for (size_t i = 0; i < out->pattern_count; i++) {
		int gpcs = serve_counts_gpcs(out, &out->patterns[i].counts);

		out->board_gpcs = gpcs > out->board_gpcs ? gpcs : out->board_gpcs;
	}
	find_weights(out);
	return 0;
}

int serve_counts_gpcs(const struct serve_boards *b, const struct serve_counts *c)
{
	int sum = 0;

	for (size_t i = 0; i < b->size_count; i++)
		sum += b->gpcs[i] * c->n[i];
	return sum;
}

int serve_counts_worth(const struct serve_weight *w, size_t size_count, const struct serve_counts *c)
{
	int sum = 0;

	for (size_t i = 0; i < size_count; i++)
		sum += w->of[i] * c->n[i];
	return sum;
}

int serve_boards_floor(const struct serve_boards *b, const struct serve_counts *c)
{
	int floor = 0;

	for (size_t i = 0; i < b->weight_count; i++) {
		const struct serve_weight *w = &b->weights[i];
		int boards = (serve_counts_worth(w, b->size_count, c) + w->whole - 1) / w->whole;

		floor = boards > floor ? boards : floor;
	}
	return floor;
}
