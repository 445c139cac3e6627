/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "core/serve/serve-internal.h"

/*
 * One demand after the other, the sums of instance counts that its covers lead to. How boards are filled depends on the
 * sums alone, so equal sums are one state, and there are few: 2,000 for eleven models and 82 GPCs. A state is dropped when
 * the weights say that no way to go on fits the boards in question. When a step still has too many, those that press
 * least on the boards are kept, and what is found then counts as proven only where it meets a bound.
 */
#define WIDTH_MAX 32768
#define WIDTH_MIN 32
#define FALLBACK_WIDTH 256
#define FALLBACK_EXCESS 7
#define FALLBACK_TRIES 4
/* Pairs of a state and a cover: in one attempt, and in all. */
#define ATTEMPT_STEPS 4000000
#define ALL_STEPS 5000000
#define EXCESS_MAX 14
/* Sums that the weights let through and that are packed; the first of them nearly always can be. */
#define PACKED_MAX 1000
/* 1 to 12 divide it: pressures with different denominators compare as whole numbers. */
#define PRESSURE_WHOLE 27720

struct state {
	struct serve_counts counts;
	uint32_t parent, cover; /* of the step before, and of the demand */
};
struct step {
	struct state *items;
	size_t count, capacity;
};

struct search {
	const struct serve_boards *boards;
	struct serve_choice *choices;
	size_t count;
	struct step *steps;		      /* count + 1 */
	int (*rest_worth)[SERVE_WEIGHTS_MAX]; /* of the demands from here on at least; count + 1 */
	int *rest_gpcs;
	int gpcs_floor;	 /* of all bulks and covers: where the search starts */
	int gpcs_proven; /* no plan has fewer */
	uint64_t spent;
	uint32_t *slots; /* hash table of the step that is being made: item + 1 */
	size_t slot_count;
};

/* One attempt: so many boards at most, exactly so many GPCs above the floor. */
struct attempt {
	int boards, excess;
	size_t width;
	bool narrowed;
};

struct ranked {
	uint64_t key;
	uint32_t item;
};

static void add_counts(struct serve_counts *to, const struct serve_counts *more)
{
	for (size_t i = 0; i < SERVE_SIZES_MAX; i++)
		to->n[i] = (uint16_t)(to->n[i] + more->n[i]);
}

static uint32_t *find_slot(const struct search *s, const struct step *step, const struct serve_counts *counts)
{
	size_t at = gm_hash(gm_str_n((const char *)counts, sizeof(*counts))) & (s->slot_count - 1);

	while (s->slots[at] && memcmp(&step->items[s->slots[at] - 1].counts, counts, sizeof(*counts)) != 0)
		at = (at + 1) & (s->slot_count - 1);
	return &s->slots[at];
}

static void slots_size(struct search *s, size_t width)
{
	free(s->slots);
	for (s->slot_count = 64; s->slot_count < 2 * width;)
		s->slot_count *= 2;
	s->slots = gm_xalloc(s->slot_count * sizeof(*s->slots));
}

static void step_begin(struct search *s, struct step *step)
{
	memset(s->slots, 0, s->slot_count * sizeof(*s->slots));
	step->count = 0;
}

static void step_push(struct search *s, struct step *step, const struct state *state)
{
	uint32_t *slot = find_slot(s, step, &state->counts);

	if (*slot)
		return;
	if (step->count == step->capacity) {
		step->capacity = step->capacity ? 2 * step->capacity : 64;
		step->items = gm_xrealloc(step->items, step->capacity * sizeof(*step->items));
	}
	step->items[step->count++] = *state;
	*slot = (uint32_t)step->count;
}

/* The boards that a state leads to at least, in 27720ths, above the sum over all weights. */
static uint64_t pressure(const struct search *s, size_t at, const struct serve_counts *c)
{
	uint64_t most = 0, sum = 0;

	for (size_t i = 0; i < s->boards->weight_count; i++) {
		const struct serve_weight *w = &s->boards->weights[i];
		int worth = serve_counts_worth(w, s->boards->size_count, c) + s->rest_worth[at][i];
		uint64_t boards = (uint64_t)worth * (PRESSURE_WHOLE / (uint64_t)w->whole);

		most = boards > most ? boards : most;
		sum += boards;
	}
	return most << 32 | (sum < UINT32_MAX ? sum : UINT32_MAX);
}

static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->item < y->item ? -1 : 1;
}

/* The states of a step, those first that press least; free() it. */
static struct ranked *rank(const struct search *s, size_t at)
{
	const struct step *step = &s->steps[at];
	struct ranked *order = gm_xalloc((step->count + 1) * sizeof(*order));

	for (size_t i = 0; i < step->count; i++)
		order[i] = (struct ranked){ pressure(s, at, &step->items[i].counts), (uint32_t)i };
	qsort(order, step->count, sizeof(*order), compare_ranked);
	return order;
}

static void narrow(struct search *s, size_t at, struct attempt *a)
{
	struct step *step = &s->steps[at];
	struct ranked *order = rank(s, at);
	struct state *old = step->items;
	size_t keep = a->width / 2;

	step->items = gm_xalloc(step->capacity * sizeof(*step->items));
	step_begin(s, step);
	for (size_t i = 0; i < keep; i++)
		step_push(s, step, &old[order[i].item]);
	free(old);
	free(order);
	a->narrowed = true;
}

static bool fits(const struct search *s, size_t at, const struct serve_counts *c, int boards)
{
	for (size_t i = 0; i < s->boards->weight_count; i++) {
		const struct serve_weight *w = &s->boards->weights[i];

		if (serve_counts_worth(w, s->boards->size_count, c) + s->rest_worth[at][i] > w->whole * boards)
			return false;
	}
	return true;
}

/* From the states before demand `at` to those after it. */
static void expand(struct search *s, size_t at, struct attempt *a)
{
	const struct serve_choice *choice = &s->choices[at];
	struct step *from = &s->steps[at], *to = &s->steps[at + 1];

	step_begin(s, to);
	for (size_t i = 0; i < from->count; i++) {
		int room = s->gpcs_floor + a->excess - s->rest_gpcs[at + 1] -
			   serve_counts_gpcs(s->boards, &from->items[i].counts) -
			   serve_counts_gpcs(s->boards, &choice->bulk);

		for (size_t k = 0; k < choice->covers.count && choice->covers.items[k].gpcs <= room; k++) {
			struct state next = { from->items[i].counts, (uint32_t)i, (uint32_t)k };

			s->spent++;
			add_counts(&next.counts, &choice->bulk);
			add_counts(&next.counts, &choice->covers.items[k].counts);
			if (!fits(s, at + 1, &next.counts, a->boards))
				continue;
			step_push(s, to, &next);
			if (to->count >= a->width)
				narrow(s, at + 1, a);
		}
	}
}

static void prepare_rest(struct search *s)
{
	s->rest_gpcs[s->count] = 0;
	memset(s->rest_worth[s->count], 0, sizeof(s->rest_worth[0]));
	for (size_t at = s->count; at-- > 0;) {
		const struct serve_choice *c = &s->choices[at];

		s->rest_gpcs[at] = s->rest_gpcs[at + 1] + serve_counts_gpcs(s->boards, &c->bulk) + c->cover_gpcs_floor;
		for (size_t i = 0; i < s->boards->weight_count; i++) {
			const struct serve_weight *w = &s->boards->weights[i];
			int least = INT32_MAX;

			for (size_t k = 0; k < c->covers.count; k++) {
				int worth = serve_counts_worth(w, s->boards->size_count, &c->covers.items[k].counts);

				least = worth < least ? worth : least;
			}
			s->rest_worth[at][i] = s->rest_worth[at + 1][i] + least +
					       serve_counts_worth(w, s->boards->size_count, &c->bulk);
		}
	}
	s->gpcs_floor = s->rest_gpcs[0];
}

static size_t width_of(const struct search *s, int excess)
{
	size_t covers = 1;
	size_t width;

	for (size_t i = 0; i < s->count; i++)
		for (size_t k = 0; k < s->choices[i].covers.count; k++)
			covers += s->choices[i].covers.items[k].gpcs <= s->choices[i].cover_gpcs_floor + excess;
	width = ATTEMPT_STEPS / covers;
	width = width < WIDTH_MIN ? WIDTH_MIN : width;
	/* Few covers a demand lead to few states: wide is cheap then. */
	return width > WIDTH_MAX ? WIDTH_MAX : width;
}

static void run_steps(struct search *s, struct attempt *a)
{
	slots_size(s, a->width);
	step_begin(s, &s->steps[0]);
	step_push(s, &s->steps[0], &(struct state){ 0 });
	for (size_t at = 0; at < s->count && s->steps[at].count; at++)
		expand(s, at, a);
}

static void take_solution(const struct search *s, uint32_t item, struct serve_solution *out)
{
	out->gpcs = serve_counts_gpcs(s->boards, &s->steps[s->count].items[item].counts);
	for (size_t at = s->count; at > 0; at--) {
		const struct state *state = &s->steps[at].items[item];

		out->counts[at - 1] = s->choices[at - 1].bulk;
		add_counts(&out->counts[at - 1], &s->choices[at - 1].covers.items[state->cover].counts);
		item = state->parent;
	}
}

/* Is there a plan with so many boards and GPCs? SERVE_NONE is a proof. */
static enum serve_found attempt(struct search *s, struct attempt *a, struct serve_solution *out)
{
	const struct step *last = &s->steps[s->count];
	enum serve_found answer = SERVE_NONE;
	struct ranked *order;
	int packed = 0;

	for (size_t i = 0; i <= s->count; i++)
		s->steps[i].count = 0;
	run_steps(s, a);
	order = rank(s, s->count);
	for (size_t i = 0; i < last->count && answer != SERVE_FOUND; i++) {
		const struct serve_counts *c = &last->items[order[i].item].counts;
		enum serve_found found;

		/* Those with fewer GPCs were tried by the attempts before. */
		if (!a->narrowed && serve_counts_gpcs(s->boards, c) != s->gpcs_floor + a->excess)
			continue;
		found = packed++ == PACKED_MAX ? SERVE_UNKNOWN
					       : serve_pack(s->boards, c, a->boards, out->patterns, &out->boards);
		if (found != SERVE_NONE)
			answer = found;
		if (found == SERVE_FOUND)
			take_solution(s, order[i].item, out);
		/* It took all of its steps: more of these would take seconds. */
		if (found == SERVE_UNKNOWN)
			break;
	}
	free(order);
	if (answer == SERVE_NONE && a->narrowed)
		answer = SERVE_UNKNOWN;
	return answer;
}

/* Some plan from the covers as they are, and the boards that it takes: always there. */
static void fall_back(struct search *s, struct serve_solution *out)
{
	struct attempt a = { .boards = INT32_MAX / SERVE_WHOLE_MAX,
			     .excess = (int)s->count * FALLBACK_EXCESS,
			     .width = width_of(s, FALLBACK_EXCESS) };
	const struct serve_counts *c;
	struct ranked *order;

	a.width = a.width < FALLBACK_WIDTH ? a.width : FALLBACK_WIDTH;
	run_steps(s, &a);
	assert(s->steps[s->count].count > 0);
	order = rank(s, s->count);
	c = &s->steps[s->count].items[order[0].item].counts;
	for (int boards = serve_boards_floor(s->boards, c), tries = 0;; boards++, tries++) {
		/* In the end without a limit: the first way down leads somewhere. */
		int limit = tries < FALLBACK_TRIES ? boards : serve_counts_gpcs(s->boards, c);

		if (serve_pack(s->boards, c, limit, out->patterns, &out->boards) == SERVE_FOUND)
			break;
	}
	take_solution(s, order[0].item, out);
	free(order);
}

/* No fewer boards, whichever covers are chosen. */
static int boards_floor(const struct search *s, const struct gm_serve_demand *demands)
{
	const struct serve_boards *b = s->boards;
	int floor = (s->gpcs_proven + b->board_gpcs - 1) / b->board_gpcs;

	for (size_t k = 0; k < b->weight_count; k++) {
		const struct serve_weight *w = &b->weights[k];
		int64_t worth = 0;
		int boards;

		for (size_t i = 0; i < s->count; i++)
			worth +=
				serve_least_cost(w->of, s->choices[i].rate_milli, b->size_count, demands[i].rate_milli);
		boards = (int)((worth + w->whole - 1) / w->whole);
		floor = boards > floor ? boards : floor;
	}
	return floor;
}

/*
 * So many boards, with fewer GPCs than `gpcs`, from the floor up. SERVE_NONE is a proof. Sets
 * out->gpcs_proven for what it finds.
 */
static enum serve_found try_boards(struct search *s, int boards, int gpcs, bool complete, struct serve_solution *out)
{
	enum serve_found answer = complete ? SERVE_NONE : SERVE_UNKNOWN;

	for (int excess = 0; s->gpcs_floor + excess < gpcs; excess++) {
		struct attempt a = { .boards = boards, .excess = excess, .width = width_of(s, excess) };
		enum serve_found found;

		if (excess > EXCESS_MAX || s->spent >= ALL_STEPS)
			return SERVE_UNKNOWN;
		found = attempt(s, &a, out);
		if (found == SERVE_FOUND) {
			out->gpcs_proven = answer == SERVE_NONE || out->gpcs == s->gpcs_proven;
			return SERVE_FOUND;
		}
		if (found == SERVE_UNKNOWN)
			answer = SERVE_UNKNOWN;
	}
	return answer;
}

/* Fewer boards first, then fewer GPCs, from the floors up, until there is a plan or none is better than what we have. */
static void improve(struct search *s, struct serve_solution *out)
{
	int have = out->boards;
	bool complete = true;

	for (size_t i = 0; i < s->count; i++)
		complete &= s->choices[i].complete;
	for (int boards = out->boards_floor; boards < have; boards++) {
		enum serve_found found = try_boards(s, boards, boards * s->boards->board_gpcs + 1, complete, out);

		if (found == SERVE_FOUND)
			return;
		if (found == SERVE_NONE && out->boards_floor == boards)
			out->boards_floor++;
	}
	if (!out->gpcs_proven && try_boards(s, have, out->gpcs, complete, out) == SERVE_NONE)
		out->gpcs_proven = true;
}

static void search_fini(struct search *s)
{
	for (size_t i = 0; s->steps && i <= s->count; i++)
		free(s->steps[i].items);
	free(s->steps);
	free(s->rest_worth);
	free(s->rest_gpcs);
	free(s->slots);
}
GM_DEFINE_AUTO_VALUE(struct search, search_fini)

static void cover_all(struct search *s, const struct gm_serve_demand *demands, enum serve_bulk kind, int excess)
{
	for (size_t i = 0; i < s->count; i++)
		serve_choice_cover(s->boards, &demands[i], kind, excess, &s->choices[i]);
	prepare_rest(s);
}

static void solution_init(const struct search *s, struct serve_solution *out)
{
	*out = (struct serve_solution){ .counts = gm_xalloc((s->count + 1) * sizeof(*out->counts)) };
	/* No more boards than instances, no more instances than GPCs. */
	out->patterns = gm_xalloc((size_t)s->gpcs_floor + s->count * FALLBACK_EXCESS + EXCESS_MAX + 1);
}

/* Takes what these covers lead to when it is better; true then. */
static bool try_covers(struct search *s, const struct gm_serve_demand *demands, enum serve_bulk kind, int excess,
		       struct serve_solution *out)
{
	GM_AUTO(serve_solution_fini_p) struct serve_solution other = { 0 };
	struct serve_solution better;

	cover_all(s, demands, kind, excess);
	solution_init(s, &other);
	fall_back(s, &other);
	if (out->counts && (other.boards > out->boards || (other.boards == out->boards && other.gpcs >= out->gpcs)))
		return false;
	better = other;
	other = *out;
	*out = better;
	return true;
}

/*
 * A plan at once, above the floor or on it: with the fewest GPCs, then with some more, which leave fewer gaps; then the same
 * with bulks of full boards, when there are bulks. The kind of bulk of the best.
 */
static enum serve_bulk first_plan(struct search *s, const struct gm_serve_demand *demands, int floor,
				  struct serve_solution *out)
{
	static const struct {
		enum serve_bulk kind;
		int excess;
	} ways[] = {
		{ SERVE_BULK_GPCS, 0 },
		{ SERVE_BULK_GPCS, FALLBACK_EXCESS },
		{ SERVE_BULK_BOARDS, 0 },
		{ SERVE_BULK_BOARDS, FALLBACK_EXCESS },
	};
	enum serve_bulk kind = SERVE_BULK_GPCS;
	bool bulk = false;

	for (size_t i = 0; i < GM_LEN(ways); i++) {
		if (i && (out->boards == floor || (ways[i].kind == SERVE_BULK_BOARDS && !bulk)))
			break;
		if (try_covers(s, demands, ways[i].kind, ways[i].excess, out))
			kind = ways[i].kind;
		for (size_t k = 0; k < s->count; k++)
			bulk |= serve_counts_gpcs(s->boards, &s->choices[k].bulk) > 0;
	}
	return kind;
}

int serve_search(const struct serve_boards *b, const struct gm_serve_demand *demands, struct serve_choice *choices,
		 size_t count, struct serve_solution *out, struct gm_err *err)
{
	GM_AUTO(search_fini_p) struct search s = { .boards = b, .choices = choices, .count = count };
	enum serve_bulk kind;
	int floor;

	s.steps = gm_xalloc((count + 1) * sizeof(*s.steps));
	s.rest_worth = gm_xalloc((count + 1) * sizeof(*s.rest_worth));
	s.rest_gpcs = gm_xalloc((count + 1) * sizeof(*s.rest_gpcs));
	for (size_t i = 0; i < count; i++)
		s.gpcs_proven += choices[i].gpcs_floor;
	floor = boards_floor(&s, demands);
	if (floor > GM_SERVE_BOARDS_MAX)
		return gm_fail(err, GM_ERR_TOO_LARGE, "the rates together need more than %d boards",
			       GM_SERVE_BOARDS_MAX);
	kind = first_plan(&s, demands, floor, out);
	out->boards_floor = floor;
	out->gpcs_proven = out->gpcs == s.gpcs_proven;
	if (out->boards > floor || !out->gpcs_proven) {
		int room = out->boards * b->board_gpcs - s.gpcs_proven;

		cover_all(&s, demands, kind, room < EXCESS_MAX ? room : EXCESS_MAX);
		improve(&s, out);
	}
	return 0;
}

void serve_solution_fini(struct serve_solution *s)
{
	free(s->counts);
	free(s->patterns);
	*s = (struct serve_solution){ 0 };
}
