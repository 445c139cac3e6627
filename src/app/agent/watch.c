/* SPDX-License-Identifier: MIT */
#include "app/agent/watch.h"

#include "base/auto.h"

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)
#define PATIENCE_LEAST (50 * MS)
#define PATIENCE_MOST (1 * SECOND)
#define INIT_PATIENCE (60 * SECOND) /* nvmlInit attaches boards: seconds each without persistence mode */
#define RENEW_PATIENCE (20 * SECOND)
#define FADE (30 * SECOND)   /* the usual length of calls halves in this time */
#define STEADY (30 * SECOND) /* a child that lasted so long did not fail in a row with the next */

void gm_watch_init(struct gm_watch *w)
{
	*w = (struct gm_watch){ .primary = -1, .successor = -1 };
}

static int64_t clamp(int64_t v, int64_t least, int64_t most)
{
	return v < least ? least : v > most ? most : v;
}

int64_t gm_watch_patience_ns(const struct gm_watch *w, int64_t interval_ns, int64_t hung_after_ns)
{
	const int64_t base = clamp(interval_ns / 2, PATIENCE_LEAST, PATIENCE_MOST);

	return clamp(3 * w->usual_ns, base < hung_after_ns ? base : hung_after_ns, hung_after_ns);
}

static bool longer(const struct gm_watch_call *c, int64_t now_ns, int64_t than_ns)
{
	return c->symbol && now_ns - c->began_ns >= than_ns;
}

static uint64_t bit(unsigned board)
{
	return UINT64_C(1) << board;
}

static uint64_t all_boards(unsigned count)
{
	return count >= 64 ? UINT64_MAX : bit(count) - 1;
}

/* Boards of a child whose call is in flight longer than `than_ns`. */
static uint64_t stuck(const struct gm_watch_child_seen *c, int64_t now_ns, int64_t than_ns)
{
	uint64_t mask = 0;

	for (unsigned b = 0; b < c->board_count && b < GM_AGENT_BOARDS_MAX; b++) {
		if (longer(&c->boards[b].call, now_ns, than_ns))
			mask |= bit(b);
	}
	return mask;
}

static uint64_t oldest(const struct gm_watch_child_seen *c, uint64_t among)
{
	uint64_t found = 0;
	int64_t began = INT64_MAX;

	for (unsigned b = 0; b < GM_AGENT_BOARDS_MAX; b++) {
		if ((among & bit(b)) && c->boards[b].call.began_ns < began) {
			began = c->boards[b].call.began_ns;
			found = bit(b);
		}
	}
	return found;
}

static void role_set(struct gm_watch *w, int child, enum gm_watch_role role, int64_t now_ns)
{
	w->children[child].role = role;
	w->children[child].since_ns = now_ns;
	if (w->primary == child && role != GM_WATCH_PRIMARY)
		w->primary = -1;
	if (w->successor == child && role != GM_WATCH_SUCCESSOR)
		w->successor = -1;
	if (role == GM_WATCH_PRIMARY)
		w->primary = child;
	if (role == GM_WATCH_SUCCESSOR)
		w->successor = child;
}

static unsigned count_role(const struct gm_watch *w, enum gm_watch_role role)
{
	unsigned n = 0;

	for (unsigned c = 0; c < GM_AGENT_CHILDREN_MAX; c++)
		n += w->children[c].role == role;
	return n;
}

static int free_row(const struct gm_watch *w)
{
	for (int c = 0; c < GM_AGENT_CHILDREN_MAX; c++) {
		if (w->children[c].role == GM_WATCH_FREE)
			return c;
	}
	return -1;
}

static void abandon(struct gm_watch *w, const struct gm_watch_seen *seen, int child, uint64_t culprits)
{
	role_set(w, child, GM_WATCH_ABANDONED, seen->now_ns);
	w->children[child].culprits = culprits;
}

static void learn(struct gm_watch *w, const struct gm_watch_seen *seen)
{
	while (w->usual_ns && seen->now_ns - w->faded_ns >= FADE) {
		w->usual_ns = w->usual_ns > MS ? w->usual_ns / 2 : 0;
		w->faded_ns += FADE;
	}
	/* A hang is not how long calls usually last. */
	if (seen->longest_ns < seen->hung_after_ns && seen->longest_ns > w->usual_ns) {
		w->usual_ns = seen->longest_ns;
		w->faded_ns = seen->now_ns;
	}
}

/*
 * Children that were asked to end but are stuck in a call are as good as abandoned; beyond the limit they go on to be waited
 * for.
 */
static void look_at_ending(struct gm_watch *w, const struct gm_watch_seen *seen)
{
	for (int c = 0; c < GM_AGENT_CHILDREN_MAX; c++) {
		const struct gm_watch_child_seen *s = &seen->children[c];
		if (w->children[c].role != GM_WATCH_ENDING ||
		    seen->now_ns - w->children[c].since_ns < seen->hung_after_ns)
			continue;
		if (count_role(w, GM_WATCH_ABANDONED) >= GM_WATCH_ABANDONED_MAX)
			return;
		const uint64_t boards = stuck(s, seen->now_ns, seen->hung_after_ns);
		if (boards || longer(&s->main, seen->now_ns, seen->hung_after_ns) ||
		    longer(&s->events, seen->now_ns, seen->hung_after_ns))
			abandon(w, seen, c, oldest(s, boards));
	}
}

static void end_all(struct gm_watch *w, const struct gm_watch_seen *seen)
{
	if (w->primary >= 0)
		role_set(w, w->primary, GM_WATCH_ENDING, seen->now_ns);
	if (w->successor >= 0)
		role_set(w, w->successor, GM_WATCH_ENDING, seen->now_ns);
	w->start_after_ns = 0;
	w->failures = 0;
}

static uint64_t left_out(const struct gm_watch *w)
{
	uint64_t mask = 0;

	for (unsigned c = 0; c < GM_AGENT_CHILDREN_MAX; c++) {
		if (w->children[c].role == GM_WATCH_ABANDONED)
			mask |= w->children[c].culprits;
	}
	return mask;
}

/* Those of `hung` whose calls began long before the newest of `late`: a lock stops all boards within a round and a bit. */
static uint64_t hung_before(const struct gm_watch_child_seen *c, uint64_t hung, uint64_t late, int64_t interval_ns)
{
	uint64_t mask = 0;
	int64_t newest = INT64_MIN;

	for (unsigned b = 0; b < GM_AGENT_BOARDS_MAX; b++) {
		if ((late & bit(b)) && c->boards[b].call.began_ns > newest)
			newest = c->boards[b].call.began_ns;
	}
	for (unsigned b = 0; b < GM_AGENT_BOARDS_MAX; b++) {
		if ((hung & bit(b)) && c->boards[b].call.began_ns < newest - interval_ns * 3 / 2)
			mask |= bit(b);
	}
	return mask;
}

/*
 * Which boards of the primary hold the others up; 0: none do. Boards that were hung before others got stuck are the
 * likelier holders of a lock than any of those. However late this is asked, because a takeover had to wait: of boards that
 * got stuck together only the first is left out, the others may go on.
 */
static uint64_t spread_culprits(const struct gm_watch *w, const struct gm_watch_seen *seen)
{
	const struct gm_watch_child_seen *c = &seen->children[w->primary];
	const uint64_t ours = w->children[w->primary].boards;
	const uint64_t hung = stuck(c, seen->now_ns, seen->hung_after_ns) & ours;
	const uint64_t late =
		stuck(c, seen->now_ns, gm_watch_patience_ns(w, seen->interval_ns, seen->hung_after_ns)) & ours;
	const uint64_t before = hung_before(c, hung, late, seen->interval_ns);

	if (__builtin_popcountll(late & ~before) >= 2 || (before && late & ~hung))
		return before ? before : oldest(c, late);
	return 0;
}

/* No board is read any more. */
static bool all_stuck(const struct gm_watch *w, const struct gm_watch_seen *seen)
{
	const uint64_t ours = w->children[w->primary].boards;

	return ours && (stuck(&seen->children[w->primary], seen->now_ns, seen->hung_after_ns) & ours) == ours;
}

/* A primary that hangs in its very beginning has nothing to lose; another may fare better, one that waited long. */
static bool primary_never_began(const struct gm_watch *w, const struct gm_watch_seen *seen)
{
	return seen->children[w->primary].state == GM_AGENT_CHILD_STARTING &&
	       longer(&seen->children[w->primary].main, seen->now_ns, INIT_PATIENCE);
}

static void start(struct gm_watch *w, const struct gm_watch_seen *seen, enum gm_watch_role role,
		  struct gm_watch_orders *out)
{
	const int row = free_row(w);

	if (row < 0)
		return;
	w->children[row].boards = 0;
	w->children[row].culprits = 0;
	role_set(w, row, role, seen->now_ns);
	out->start = row;
}

/* What a successor shall not touch: it was found when it was started, and is kept with the primary. */
static void look_at_primary(struct gm_watch *w, const struct gm_watch_seen *seen, struct gm_watch_orders *out)
{
	w->limit = false;
	if (w->primary < 0) {
		/* One that ends in time makes room at once; one that does not is a third hang. */
		w->limit = count_role(w, GM_WATCH_ABANDONED) + count_role(w, GM_WATCH_ENDING) > GM_WATCH_ABANDONED_MAX;
		if (!w->limit && seen->now_ns >= w->start_after_ns)
			start(w, seen, GM_WATCH_PRIMARY, out);
		return;
	}
	if (w->successor >= 0)
		return;
	/* One that is ending may be stuck, too, and be counted soon. */
	const bool can = count_role(w, GM_WATCH_ABANDONED) + count_role(w, GM_WATCH_ENDING) < GM_WATCH_ABANDONED_MAX;
	const uint64_t culprits = spread_culprits(w, seen);
	if (culprits || primary_never_began(w, seen)) {
		/* A stop that passes is no state of the agent. */
		w->limit = !can && (all_stuck(w, seen) || primary_never_began(w, seen));
		if (!can || seen->now_ns < w->takeover_after_ns)
			return;
		w->renewing = false;
		w->children[w->primary].culprits = culprits;
		start(w, seen, GM_WATCH_SUCCESSOR, out);
	} else if (seen->renew && can && seen->now_ns >= w->takeover_after_ns) {
		w->renewing = true;
		w->children[w->primary].culprits = 0;
		start(w, seen, GM_WATCH_SUCCESSOR, out);
	}
}

/* True when all of its boards were read, or are stuck as well, and at least one was read. */
static bool successor_reads(const struct gm_watch *w, const struct gm_watch_seen *seen)
{
	const struct gm_watch_child_seen *c = &seen->children[w->successor];
	const uint64_t boards = w->children[w->successor].boards;
	const uint64_t slow = stuck(c, seen->now_ns, gm_watch_patience_ns(w, seen->interval_ns, seen->hung_after_ns));
	uint64_t read = 0;

	for (unsigned b = 0; b < GM_AGENT_BOARDS_MAX; b++) {
		if (c->boards[b].reported_ns)
			read |= bit(b);
	}
	if (c->state != GM_AGENT_CHILD_WORKING || (boards & ~read & ~slow))
		return false;
	return (read & boards) || (w->renewing && c->board_count == 0);
}

static void look_at_successor(struct gm_watch *w, const struct gm_watch_seen *seen, struct gm_watch_orders *out)
{
	const int old = w->primary, young = w->successor;

	if (successor_reads(w, seen)) {
		if (w->renewing)
			role_set(w, old, GM_WATCH_ENDING, seen->now_ns);
		else
			abandon(w, seen, old, w->children[old].culprits);
		role_set(w, young, GM_WATCH_PRIMARY, seen->now_ns);
		w->takeover_after_ns = seen->now_ns + SECOND;
		out->took_over = true;
		return;
	}
	const struct gm_watch_child_seen *c = &seen->children[old];
	const bool free_again = !w->renewing && c->state == GM_AGENT_CHILD_WORKING &&
				(stuck(c, seen->now_ns, 2 * MS) & ~w->children[old].culprits) == 0;
	const bool too_long = w->renewing && seen->now_ns - w->children[young].since_ns > RENEW_PATIENCE;
	if (free_again || too_long) {
		role_set(w, young, GM_WATCH_ENDING, seen->now_ns);
		w->takeover_after_ns = seen->now_ns + (too_long ? INIT_PATIENCE : SECOND);
	}
}

/*
 * A board is hung while a call for it is in flight too long, in whatever child, and none has read it since the newest of
 * such calls began: who waits behind a lock that an older child holds says nothing of who read the board later.
 */
static void find_hung(struct gm_watch *w, const struct gm_watch_seen *seen, struct gm_watch_orders *out)
{
	for (unsigned b = 0; b < GM_AGENT_BOARDS_MAX; b++) {
		const struct gm_watch_call *call = NULL;
		for (unsigned c = 0; c < GM_AGENT_CHILDREN_MAX; c++) {
			if (w->children[c].role == GM_WATCH_FREE)
				continue;
			const struct gm_watch_child_seen *s = &seen->children[c];
			if (s->boards[b].reported_ns > w->reported_ns[b])
				w->reported_ns[b] = s->boards[b].reported_ns;
			if (b < s->board_count && longer(&s->boards[b].call, seen->now_ns, seen->hung_after_ns) &&
			    (!call || s->boards[b].call.began_ns > call->began_ns))
				call = &s->boards[b].call;
		}
		if (call && call->began_ns >= w->reported_ns[b]) {
			out->hung |= bit(b);
			out->hung_call[b] = call->symbol - 1;
		}
	}
}

static void sooner(int64_t *next, int64_t now_ns, int64_t at_ns)
{
	if (at_ns > now_ns && at_ns < *next)
		*next = at_ns;
}

static int64_t next_look(const struct gm_watch *w, const struct gm_watch_seen *seen)
{
	const int64_t now = seen->now_ns;
	const int64_t patience = gm_watch_patience_ns(w, seen->interval_ns, seen->hung_after_ns);
	const int64_t grid = (now / seen->interval_ns + 1) * seen->interval_ns;
	/* In the middle of the next round all boards are either done, or their calls are on their way to be too long. */
	int64_t next = grid + seen->interval_ns / 2;

	for (unsigned c = 0; c < GM_AGENT_CHILDREN_MAX; c++) {
		const struct gm_watch_child_seen *s = &seen->children[c];
		if (w->children[c].role == GM_WATCH_FREE)
			continue;
		if (s->main.symbol)
			sooner(&next, now, s->main.began_ns + seen->hung_after_ns);
		for (unsigned b = 0; b < s->board_count && b < GM_AGENT_BOARDS_MAX; b++) {
			if (!s->boards[b].call.symbol)
				continue;
			sooner(&next, now, s->boards[b].call.began_ns + patience);
			sooner(&next, now, s->boards[b].call.began_ns + seen->hung_after_ns);
		}
		if (w->children[c].role == GM_WATCH_ENDING)
			sooner(&next, now, w->children[c].since_ns + seen->hung_after_ns);
	}
	if (w->primary < 0 && !seen->held)
		sooner(&next, now, w->start_after_ns);
	if (w->successor >= 0)
		sooner(&next, now, now + clamp(seen->interval_ns / 8, 5 * MS, 100 * MS));
	sooner(&next, now, w->takeover_after_ns);
	return next;
}

static void write_orders(struct gm_watch *w, const struct gm_watch_seen *seen, struct gm_watch_orders *out)
{
	const uint64_t out_of_reach = left_out(w);

	for (int c = 0; c < GM_AGENT_CHILDREN_MAX; c++) {
		const enum gm_watch_role role = w->children[c].role;
		uint64_t boards = 0;
		out->alive += role != GM_WATCH_FREE;
		out->abandoned += role == GM_WATCH_ABANDONED;
		if (role == GM_WATCH_PRIMARY)
			boards = all_boards(seen->children[c].board_count) & ~out_of_reach;
		else if (role == GM_WATCH_SUCCESSOR)
			boards = all_boards(seen->children[c].board_count) & ~out_of_reach &
				 ~(w->primary >= 0 ? w->children[w->primary].culprits : 0);
		if (seen->children[c].state != GM_AGENT_CHILD_WORKING)
			boards = 0;
		out->children[c].boards = w->children[c].boards = boards;
		out->children[c].order = role == GM_WATCH_ABANDONED ? GM_AGENT_ABANDON
					 : role == GM_WATCH_ENDING  ? GM_AGENT_END
								    : GM_AGENT_RUN;
	}
}

void gm_watch_decide(struct gm_watch *w, const struct gm_watch_seen *seen, struct gm_watch_orders *out)
{
	*out = (struct gm_watch_orders){ .start = -1 };
	learn(w, seen);
	look_at_ending(w, seen);
	if (seen->held) {
		w->limit = false;
		end_all(w, seen);
	} else {
		if (w->primary >= 0 && w->successor >= 0)
			look_at_successor(w, seen, out);
		look_at_primary(w, seen, out);
	}
	write_orders(w, seen, out);
	find_hung(w, seen, out);
	out->limit = w->limit;
	out->init_hung = w->primary >= 0 && seen->children[w->primary].state == GM_AGENT_CHILD_STARTING &&
			 longer(&seen->children[w->primary].main, seen->now_ns, seen->hung_after_ns);
	out->next_ns = next_look(w, seen);
}

/* The first time at once, so that a crash costs no more than the round it fell into. */
static int64_t delay_after(unsigned failures, int exit_code)
{
	const bool waits_for_others = exit_code == GM_AGENT_EXIT_NO_LIBRARY || exit_code == GM_AGENT_EXIT_INIT;

	if (waits_for_others)
		return clamp(SECOND << (failures < 4 ? failures - 1 : 3), SECOND, 5 * SECOND);
	return failures <= 1 ? 0 : clamp((100 * MS) << (failures < 10 ? failures - 2 : 8), 0, 10 * SECOND);
}

void gm_watch_ended(struct gm_watch *w, unsigned child, int exit_code, int64_t now_ns)
{
	const enum gm_watch_role role = w->children[child].role;
	const bool lasted = now_ns - w->children[child].since_ns >= STEADY;

	role_set(w, (int)child, GM_WATCH_FREE, now_ns);
	w->children[child].boards = w->children[child].culprits = 0;
	if (role == GM_WATCH_SUCCESSOR)
		w->takeover_after_ns = now_ns + SECOND;
	if (role != GM_WATCH_PRIMARY)
		return;
	if (w->successor >= 0) {
		role_set(w, w->successor, GM_WATCH_PRIMARY, now_ns);
		return;
	}
	w->failures = lasted ? 1 : w->failures + 1;
	w->start_after_ns = now_ns + delay_after(w->failures, exit_code);
}

void gm_watch_not_started(struct gm_watch *w, unsigned child, int64_t now_ns)
{
	gm_watch_ended(w, child, -1, now_ns);
	if (w->start_after_ns < now_ns + SECOND)
		w->start_after_ns = now_ns + SECOND;
}
