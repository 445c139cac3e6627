/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "core/serve/serve-internal.h"

/*
 * Board by board, the largest instance that is left decides which patterns come into question; those that use most GPCs
 * are tried first. The weights cut what cannot work, so that the first way down nearly always is the answer.
 */
#define STEPS_MAX 20000
/* Where it is known to fail; a slot is overwritten by the next that falls on it. */
#define FAILED_SLOTS 2048

struct failed {
	struct serve_counts counts;
	int left;
	bool used;
};
struct pack {
	const struct serve_boards *boards;
	uint8_t *patterns;
	int used, steps;
	struct failed failed[FAILED_SLOTS];
};

static struct failed *failed_slot(struct pack *p, const struct serve_counts *c, int left)
{
	uint64_t hash = gm_hash(gm_str_n((const char *)c, sizeof(*c)));

	return &p->failed[(hash ^ (uint64_t)left) % FAILED_SLOTS];
}

static bool known_to_fail(struct pack *p, const struct serve_counts *c, int left)
{
	const struct failed *f = failed_slot(p, c, left);

	return f->used && f->left == left && memcmp(&f->counts, c, sizeof(*c)) == 0;
}

static struct serve_counts take(const struct serve_counts *have, const struct serve_counts *pattern,
				struct serve_counts *left)
{
	struct serve_counts taken = { 0 };

	for (size_t i = 0; i < SERVE_SIZES_MAX; i++) {
		taken.n[i] = have->n[i] < pattern->n[i] ? have->n[i] : pattern->n[i];
		left->n[i] = (uint16_t)(have->n[i] - taken.n[i]);
	}
	return taken;
}

/* The patterns that hold the size, those first that use most of what is there. */
static size_t order_patterns(const struct serve_boards *b, const struct serve_counts *c, size_t size,
			     uint8_t out[static SERVE_PATTERNS_MAX])
{
	int used[SERVE_PATTERNS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < b->pattern_count; i++) {
		struct serve_counts left, taken = take(c, &b->patterns[i].counts, &left);
		int gpcs = serve_counts_gpcs(b, &taken);
		size_t at = count;

		if (!taken.n[size])
			continue;
		for (; at > 0 && used[at - 1] < gpcs; at--) {
			used[at] = used[at - 1];
			out[at] = out[at - 1];
		}
		used[at] = gpcs;
		out[at] = (uint8_t)i;
		count++;
	}
	return count;
}

static enum serve_found pack(struct pack *p, const struct serve_counts *c, int left)
{
	const struct serve_boards *b = p->boards;
	uint8_t order[SERVE_PATTERNS_MAX];
	size_t size = b->size_count, count;
	struct failed *f;

	while (size > 0 && !c->n[size - 1])
		size--;
	if (!size)
		return SERVE_FOUND;
	if (serve_boards_floor(b, c) > left || known_to_fail(p, c, left))
		return SERVE_NONE;
	if (p->steps++ >= STEPS_MAX)
		return SERVE_UNKNOWN;
	count = order_patterns(b, c, size - 1, order);
	for (size_t i = 0; i < count; i++) {
		struct serve_counts rest;
		enum serve_found found;

		(void)take(c, &b->patterns[order[i]].counts, &rest);
		p->patterns[p->used++] = order[i];
		found = pack(p, &rest, left - 1);
		if (found != SERVE_NONE)
			return found;
		p->used--;
	}
	f = failed_slot(p, c, left);
	*f = (struct failed){ .counts = *c, .left = left, .used = true };
	return SERVE_NONE;
}

enum serve_found serve_pack(const struct serve_boards *b, const struct serve_counts *c, int limit,
			    uint8_t *out_patterns, int *out_used)
{
	struct pack *p = NULL;
	enum serve_found found;

	if (serve_boards_floor(b, c) > limit)
		return SERVE_NONE;
	p = gm_xalloc(sizeof(*p));
	p->boards = b;
	p->patterns = gm_xalloc((size_t)limit + 1);
	found = pack(p, c, limit);
	if (found == SERVE_FOUND) {
		*out_used = p->used;
		memcpy(out_patterns, p->patterns, (size_t)p->used);
	}
	free(p->patterns);
	free(p);
	return found;
}
