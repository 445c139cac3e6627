/* SPDX-License-Identifier: MIT */
#include "app/agent/samplers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "app/agent/watch.h"
#include "base/alloc.h"
#include "base/log.h"

#define MS INT64_C(1000000)
#define NVML_NOT_FOUND 6
#define NVML_GPU_IS_LOST 15
#define NVML_GPU_NOT_FOUND 28
#define XID_EVENT UINT64_C(0x8)
/* A board that is lost may come back under handles of a later nvmlInit only. */
#define RENEW_AFTER_MS (20 * INT64_C(1000))
#define RENEW_MOST_MS (300 * INT64_C(1000))

/* What is remembered of a board beside what the view shows. */
struct board {
	int64_t last_round, interval_ms; /* of the round read last, by whichever child; interval 0: none yet */
	int64_t xid;			 /* the last one, 0: none */
	bool reported;
};
struct child {
	pid_t pid;
	uint64_t events_seen;
	uint64_t samples_seen[GM_AGENT_BOARDS_MAX];
};
struct gm_samplers {
	struct gm_samplers_conf conf;
	struct gm_watch watch;
	struct gm_watch_seen seen;
	struct gm_watch_orders orders;
	struct child children[GM_AGENT_CHILDREN_MAX];
	struct board boards[GM_AGENT_BOARDS_MAX];
	unsigned holds; /* enum gm_samplers_hold, or'ed */
	bool urgent;
	int64_t renew_after_ms, renew_gap_ms;
	int64_t shown_round;	     /* the newest that *out_changed told of */
	int64_t working_mono_ms;     /* when boards were last read */
	enum gm_agent_state failure; /* what kept the last child from working; STARTING: nothing known */
	char failure_text[200];
	int64_t pause_until_ms;
	char pause_reason[120];
	struct gm_agent_view view;
};

struct gm_samplers *gm_samplers_new(const struct gm_samplers_conf *conf)
{
	/* Large, and mostly never touched: a node has 8 boards, not 64. */
	struct gm_samplers *s = gm_xalloc(sizeof(*s));

	s->conf = *conf;
	gm_watch_init(&s->watch);
	s->renew_gap_ms = RENEW_AFTER_MS;
	s->view.state_since_ms = gm_wall_ms(conf->clock);
	atomic_store(&conf->shared->interval_ms, conf->interval_ms);
	return s;
}

void gm_samplers_free(struct gm_samplers *s)
{
	free(s);
}

const struct gm_agent_view *gm_samplers_view(const struct gm_samplers *s)
{
	return &s->view;
}

static void give_order(struct gm_samplers *s, unsigned child)
{
	const uint64_t one = 1;

	(void)!write(s->conf.order_fds[child], &one, sizeof(one));
}

void gm_samplers_set_interval(struct gm_samplers *s, int64_t interval_ms, int64_t window_ms)
{
	s->conf.interval_ms = interval_ms;
	s->conf.window_ms = window_ms;
	s->shown_round = 0; /* rounds are numbered anew */
	atomic_store(&s->conf.shared->interval_ms, interval_ms);
	for (unsigned c = 0; c < GM_AGENT_CHILDREN_MAX; c++)
		give_order(s, c);
	s->urgent = true;
}

/* Boards of numbers that were never used: all zero already, and mostly not even memory. */
static void boards_upto(struct gm_samplers *s, unsigned count)
{
	for (; s->view.board_count < count && s->view.board_count < GM_AGENT_BOARDS_MAX; s->view.board_count++)
		s->view.boards[s->view.board_count].since_ms = s->view.at_ms;
}

/* Another board in the place of one. */
static void board_reset(struct gm_samplers *s, unsigned index)
{
	s->boards[index] = (struct board){ 0 };
	s->view.boards[index] = (struct gm_agent_board){ .since_ms = s->view.at_ms };
}

/*
 * The number of a board is NVML's, and changes when one is lost or comes back. What is known of a board follows its UUID.
 */
static void board_identify(struct gm_samplers *s, unsigned index, const char *uuid)
{
	struct gm_agent_view *v = &s->view;

	if (!uuid[0] || !v->boards[index].reading.facts.uuid[0] ||
	    strcmp(v->boards[index].reading.facts.uuid, uuid) == 0)
		return;
	for (unsigned i = 0; i < v->board_count; i++) {
		if (strcmp(v->boards[i].reading.facts.uuid, uuid) != 0)
			continue;
		/* Through the heap: seldom, and too large for the stack. */
		GM_AUTO(gm_free_p) struct gm_agent_board *other = gm_xmemdup(&v->boards[i], sizeof(*other));
		const struct board known = s->boards[i];
		v->boards[i] = v->boards[index];
		s->boards[i] = s->boards[index];
		v->boards[index] = *other;
		s->boards[index] = known;
		return;
	}
	board_reset(s, index);
}

/* Values from before must not pass for those of now; who the board is, and what was counted, is still true. */
static void board_forget_values(struct gm_samplers *s, unsigned index)
{
	struct gm_reading *r = &s->view.boards[index].reading;

	s->boards[index].reported = false;
	r->sample = (struct gm_sample){ 0 };
	for (uint32_t i = 0; i < r->instance_count; i++)
		r->instances[i].sample = (struct gm_sample){ 0 };
	r->process_count = 0;
}

static void forget_values(struct gm_samplers *s)
{
	for (unsigned i = 0; i < s->view.board_count; i++)
		board_forget_values(s, i);
}

/* Rounds between the last one known and this one: done in time, or missed, whoever read them. */
static void count_rounds(struct gm_samplers *s, unsigned child, unsigned index, const struct gm_agent_report *r)
{
	struct board *b = &s->boards[index];
	struct gm_agent_board *shown = &s->view.boards[index];
	uint64_t *seen = &s->children[child].samples_seen[index];
	/* Fewer than before: the child was given the board anew. */
	const uint64_t done = r->samples >= *seen ? r->samples - *seen : r->samples;

	*seen = r->samples;
	if (b->interval_ms != r->interval_ms) {
		b->interval_ms = r->interval_ms;
		shown->samples += done;
	} else if (r->round > b->last_round) {
		const uint64_t due = (uint64_t)(r->round - b->last_round);
		shown->samples += done < due ? done : due;
		shown->missed += done < due ? due - done : 0;
	} else {
		return; /* two children read the same round while one took over */
	}
	b->last_round = r->round;
}

static void put_xid(struct gm_samplers *s, unsigned index)
{
	struct gm_reading *r = &s->view.boards[index].reading;

	if (s->boards[index].xid || (r->facts.supported_events & XID_EVENT))
		gm_sample_set(&r->sample, GM_FIELD_XID, s->boards[index].xid, GM_MEASURED, GM_SOURCE_NVML);
}

static void take_report(struct gm_samplers *s, unsigned child, unsigned index, const struct gm_agent_report *r)
{
	struct gm_agent_view *v = &s->view;

	boards_upto(s, index + 1);
	board_identify(s, index, r->reading.facts.uuid);
	struct gm_agent_board *b = &v->boards[index];
	const struct gm_reading_facts known = b->reading.facts;
	s->boards[index].reported = true;
	count_rounds(s, child, index, r);
	gm_agent_reading_copy(&b->reading, &r->reading);
	if (!r->reading.facts.uuid[0] && known.uuid[0])
		b->reading.facts = known; /* it is still the same board that does not answer a new child */
	put_xid(s, index);
	if (r->reading.rc == 0)
		gm_window_add(&b->window, s->conf.window_ms, r->mono_ms, &b->reading.sample);
}

static struct gm_watch_call call_seen(struct gm_agent_call *c)
{
	/* The symbol first: a `began` that is read later belongs to this call or to a later one, never to an older. */
	const uint32_t symbol = atomic_load_explicit(&c->symbol, memory_order_acquire);

	return (struct gm_watch_call){ symbol, atomic_load_explicit(&c->began_ns, memory_order_relaxed) };
}

static void learn_longest(struct gm_samplers *s, struct gm_agent_call *c)
{
	if (atomic_load_explicit(&c->longest_ns, memory_order_relaxed) == 0)
		return;
	const int64_t took = atomic_exchange_explicit(&c->longest_ns, 0, memory_order_relaxed);
	if (took > s->seen.longest_ns)
		s->seen.longest_ns = took;
}

static bool look_at_events(struct gm_samplers *s, unsigned child)
{
	const struct gm_agent_child *row = &s->conf.shared->children[child];
	const uint64_t made = atomic_load_explicit(&row->events_made, memory_order_acquire);
	bool any = false;

	for (uint64_t n = s->children[child].events_seen + 1; n <= made; n++) {
		struct gm_reading_event e;
		unsigned index;
		if (!gm_agent_event_get(row, n, &index, &e) || index >= s->view.board_count)
			continue;
		any |= gm_board_events_add(&s->view.boards[index].events, child, &e);
		if (!(e.type & XID_EVENT))
			continue;
		s->boards[index].xid = (int64_t)e.data;
		s->view.boards[index].xid_at_ms = e.at_ms;
		put_xid(s, index);
		gm_warn("XID error", { "gpu", s->view.boards[index].reading.facts.uuid }, GM_LOG_INT("xid", e.data));
	}
	s->children[child].events_seen = made;
	return any;
}

/* Copies what one child tells; true when a report was new. */
static bool look_at_child(struct gm_samplers *s, unsigned child)
{
	struct gm_agent_child *row = &s->conf.shared->children[child];
	struct gm_watch_child_seen *seen = &s->seen.children[child];
	bool any = false;

	seen->state = (enum gm_agent_child_state)atomic_load(&row->state);
	seen->board_count = atomic_load(&row->board_count);
	seen->main = call_seen(&row->main);
	seen->events = call_seen(&row->events);
	for (unsigned b = 0; b < seen->board_count && b < GM_AGENT_BOARDS_MAX; b++) {
		struct gm_agent_cell *cell = &s->conf.shared->cells[child][b];
		seen->boards[b].call = call_seen(&cell->call);
		learn_longest(s, &cell->call);
		const struct gm_agent_report *r = gm_agent_cell_take(cell);
		if (!r)
			continue;
		seen->boards[b].reported_ns = r->mono_ms * MS;
		take_report(s, child, b, r);
		any = true;
	}
	return look_at_events(s, child) || any;
}

static bool look(struct gm_samplers *s)
{
	bool any = false;

	s->view.at_ms = gm_wall_ms(s->conf.clock);
	s->seen.now_ns = gm_mono_ms(s->conf.clock) * MS;
	s->seen.interval_ns = s->conf.interval_ms * MS;
	s->seen.hung_after_ns = s->conf.hung_after_ms * MS;
	s->seen.held = s->holds != 0;
	for (unsigned c = 0; c < GM_AGENT_CHILDREN_MAX; c++) {
		if (s->watch.children[c].role != GM_WATCH_FREE)
			any = look_at_child(s, c) || any;
	}
	return any;
}

static void start_child(struct gm_samplers *s, unsigned child)
{
	struct gm_err err = { 0 };
	pid_t pid = 0;

	gm_agent_shared_clear(s->conf.shared, child);
	s->seen.children[child] = (struct gm_watch_child_seen){ 0 };
	s->children[child] = (struct child){ 0 };
	if (gm_keeper_spawn(s->conf.keeper, GM_KEEPER_SAMPLER, (int)child, &pid, &err)) {
		gm_error_err("no sampling process could be started, trying again", &err);
		gm_watch_not_started(&s->watch, child, s->seen.now_ns);
		return;
	}
	s->children[child].pid = pid;
	s->view.child_starts++;
	gm_debug("sampling process started", GM_LOG_INT("child", child), GM_LOG_INT("pid", pid));
}

static void carry_out(struct gm_samplers *s)
{
	for (unsigned c = 0; c < GM_AGENT_CHILDREN_MAX; c++) {
		struct gm_agent_child *row = &s->conf.shared->children[c];
		if (s->watch.children[c].role == GM_WATCH_FREE || s->orders.start == (int)c)
			continue;
		const uint32_t order = s->orders.children[c].order;
		const uint64_t boards = s->orders.children[c].boards;
		if (atomic_load(&row->order) == order && atomic_load(&row->boards) == boards)
			continue;
		atomic_store(&row->boards, boards);
		if (atomic_exchange(&row->order, order) != order && order == GM_AGENT_ABANDON)
			gm_warn("a driver call does not return, its process is left to itself", GM_LOG_INT("child", c),
				GM_LOG_INT("pid", s->children[c].pid));
		give_order(s, c);
	}
	if (s->orders.start >= 0)
		start_child(s, (unsigned)s->orders.start);
}

static enum gm_board_state board_state(const struct gm_samplers *s, unsigned index)
{
	const int primary = s->watch.primary;
	const struct gm_agent_board *b = &s->view.boards[index];

	if (s->orders.hung >> index & 1)
		return GM_BOARD_HUNG;
	if (primary >= 0 && s->seen.children[primary].state == GM_AGENT_CHILD_WORKING &&
	    index >= s->seen.children[primary].board_count)
		return GM_BOARD_LOST;
	if (s->failure != GM_AGENT_STARTING)
		return GM_BOARD_FAILED; /* no library or no driver */
	if (!s->boards[index].reported)
		return GM_BOARD_NEW;
	switch (b->reading.rc) {
	case 0:
		return GM_BOARD_OK;
	case NVML_NOT_FOUND:
	case NVML_GPU_IS_LOST:
	case NVML_GPU_NOT_FOUND:
		return GM_BOARD_LOST;
	default:
		return GM_BOARD_FAILED;
	}
}

/* That boards are read for the first time is none, and that none is read without a driver is said once, of the agent. */
static bool is_news(const struct gm_samplers *s, enum gm_board_state from, enum gm_board_state to)
{
	return s->failure == GM_AGENT_STARTING && to != GM_BOARD_NEW && !(from == GM_BOARD_NEW && to == GM_BOARD_OK);
}

/* What somebody should look at is a warning, that it is over is none. */
static void tell_board(const struct gm_agent_board *b, unsigned index, enum gm_board_state to)
{
	const struct gm_log_field fields[] = { { "gpu", b->reading.facts.uuid, 0 },
					       GM_LOG_INT("index", index),
					       { "from", gm_board_state_name(b->state), 0 },
					       { "to", gm_board_state_name(to), 0 },
					       { "call", gm_nvml_symbol_name(b->hung_call), 0 } };
	const size_t count = to == GM_BOARD_HUNG ? GM_LEN(fields) : GM_LEN(fields) - 1;

	gm_log_write(to == GM_BOARD_OK ? GM_LOG_INFO : GM_LOG_WARN, "GPU changed its state", fields, count);
}

static void tell_agent(const struct gm_agent_view *v, enum gm_agent_state to, const char *reason)
{
	const bool bad = to == GM_AGENT_HUNG || to == GM_AGENT_NO_DRIVER || to == GM_AGENT_NO_LIBRARY;
	const struct gm_log_field fields[] = { { "from", gm_agent_state_name(v->state), 0 },
					       { "to", gm_agent_state_name(to), 0 },
					       { "reason", reason, 0 } };

	gm_log_write(bad ? GM_LOG_WARN : GM_LOG_INFO, "agent changed its state", fields, GM_LEN(fields));
}

/* True when one changed. */
static bool set_board_states(struct gm_samplers *s)
{
	struct gm_agent_view *v = &s->view;
	bool changed = false;

	/* Boards that hang in their very first call are boards, too. */
	for (unsigned c = 0; c < GM_AGENT_CHILDREN_MAX; c++) {
		if (s->watch.children[c].role != GM_WATCH_FREE)
			boards_upto(s, s->seen.children[c].board_count);
	}
	for (unsigned i = 0; i < v->board_count; i++) {
		struct gm_agent_board *b = &v->boards[i];
		const enum gm_board_state state = board_state(s, i);
		if (state == GM_BOARD_HUNG)
			b->hung_call = s->orders.hung_call[i];
		if (state == b->state)
			continue;
		b->hangs += state == GM_BOARD_HUNG;
		if (state == GM_BOARD_LOST && b->reading.rc == 0)
			board_forget_values(s, i);
		if (is_news(s, b->state, state))
			tell_board(b, i, state);
		b->state = state;
		b->since_ms = v->at_ms;
		changed = true;
	}
	return changed;
}

static bool any_board(const struct gm_samplers *s, enum gm_board_state state)
{
	for (unsigned i = 0; i < s->view.board_count; i++) {
		if (s->view.boards[i].state == state)
			return true;
	}
	return false;
}

static bool all_hung(const struct gm_samplers *s)
{
	unsigned hung = 0;

	for (unsigned i = 0; i < s->view.board_count; i++)
		hung += s->view.boards[i].state == GM_BOARD_HUNG;
	return hung > 0 && hung == s->view.board_count;
}

static bool primary_works(const struct gm_samplers *s)
{
	return s->watch.primary >= 0 && s->seen.children[s->watch.primary].state == GM_AGENT_CHILD_WORKING;
}

static void note_working(struct gm_samplers *s)
{
	if (!primary_works(s))
		return;
	s->working_mono_ms = s->seen.now_ns / MS;
	s->failure = GM_AGENT_STARTING;
	s->failure_text[0] = '\0';
}

static enum gm_agent_state state_now(const struct gm_samplers *s, const char **out_reason)
{
	*out_reason = "";
	if (s->holds) {
		*out_reason = s->holds & GM_HOLD_PAUSE	? s->pause_reason
			      : s->holds & GM_HOLD_STOP ? "the agent stops"
							: "the MIG mode is being switched";
		return GM_AGENT_PAUSED;
	}
	if (s->orders.init_hung) {
		*out_reason = "nvmlInit_v2 does not return";
		return GM_AGENT_HUNG;
	}
	if (s->orders.limit) {
		*out_reason = "two sampling processes are stuck in driver calls, no further one is given up";
		return GM_AGENT_HUNG;
	}
	if (primary_works(s) && all_hung(s)) {
		*out_reason = "driver calls for all GPUs do not return";
		return GM_AGENT_HUNG;
	}
	if (primary_works(s))
		return GM_AGENT_WORKING;
	*out_reason = s->failure_text;
	if (s->failure != GM_AGENT_STARTING)
		return s->failure;
	/* The gap while another child takes the place of one that crashed is no state of its own, unless it lasts. */
	if (s->view.state == GM_AGENT_WORKING && s->seen.now_ns / MS - s->working_mono_ms < s->conf.hung_after_ms)
		return GM_AGENT_WORKING;
	return GM_AGENT_STARTING;
}

static bool set_agent_state(struct gm_samplers *s)
{
	struct gm_agent_view *v = &s->view;
	const char *reason;

	const enum gm_agent_state state = state_now(s, &reason);
	const bool changed = state != v->state || strcmp(reason, v->reason) != 0;

	if (state != v->state) {
		v->state_since_ms = v->at_ms;
		tell_agent(v, state, reason);
	}
	v->state = state;
	(void)gm_str_copy(gm_str(reason), v->reason, sizeof(v->reason));
	v->paused_until_ms = s->holds & GM_HOLD_PAUSE ? s->pause_until_ms : 0;
	v->abandoned = s->orders.abandoned;
	v->children = s->orders.alive - s->orders.abandoned;
	return changed;
}

/* True when all boards that can be read were read in the newest round, or that round is half over. */
static bool round_complete(struct gm_samplers *s)
{
	int64_t newest = 0;
	bool all = true;

	for (unsigned i = 0; i < s->view.board_count; i++) {
		if (s->boards[i].interval_ms == s->conf.interval_ms && s->boards[i].last_round > newest)
			newest = s->boards[i].last_round;
	}
	if (newest <= s->shown_round)
		return false;
	for (unsigned i = 0; i < s->view.board_count; i++)
		all = all && (s->boards[i].last_round >= newest || s->view.boards[i].state > GM_BOARD_OK);
	if (!all && s->seen.now_ns < newest * s->seen.interval_ns + s->seen.interval_ns / 2)
		return false;
	s->shown_round = newest;
	return true;
}

static void decide_renewal(struct gm_samplers *s)
{
	const int64_t now_ms = s->seen.now_ns / MS;
	const bool lost = any_board(s, GM_BOARD_LOST) || (primary_works(s) && s->view.board_count == 0);

	if (!lost) {
		s->renew_gap_ms = RENEW_AFTER_MS;
		s->renew_after_ms = now_ms + RENEW_AFTER_MS;
	}
	s->seen.renew = lost && now_ms >= s->renew_after_ms;
}

int64_t gm_samplers_tick(struct gm_samplers *s, bool *out_changed)
{
	const int64_t now_ms = gm_mono_ms(s->conf.clock);

	s->urgent = false;
	const bool news = look(s);
	decide_renewal(s);
	gm_watch_decide(&s->watch, &s->seen, &s->orders);
	s->seen.longest_ns = 0;
	if (s->orders.start >= 0 && s->seen.renew) {
		s->renew_after_ms = now_ms + s->renew_gap_ms;
		s->renew_gap_ms = s->renew_gap_ms * 2 < RENEW_MOST_MS ? s->renew_gap_ms * 2 : RENEW_MOST_MS;
	}
	if (s->orders.took_over)
		gm_info("another process reads the GPUs from now on", GM_LOG_INT("child", s->watch.primary));
	carry_out(s);
	note_working(s);
	bool changed = set_board_states(s);
	changed = set_agent_state(s) || changed;
	changed = (news && round_complete(s)) || changed;
	s->view.round += changed;
	*out_changed = changed;
	return (s->orders.next_ns + MS - 1) / MS;
}

/* What a child that ended by itself says of the driver. */
static void note_failure(struct gm_samplers *s, unsigned child, int code, int status)
{
	const struct gm_agent_child *row = &s->conf.shared->children[child];
	char text[sizeof(s->failure_text)];

	if (code == GM_AGENT_EXIT_OK || code == GM_AGENT_EXIT_ABANDONED)
		return;
	if (code < 0) {
		s->view.child_crashes++;
		(void)snprintf(text, sizeof(text), "the sampling process crashed (%s %d)",
			       WIFSIGNALED(status) ? "signal" : "exit code",
			       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	} else {
		(void)snprintf(text, sizeof(text), "%.*s", (int)sizeof(row->error) - 1, row->error);
		s->failure = code == GM_AGENT_EXIT_NO_LIBRARY ? GM_AGENT_NO_LIBRARY : GM_AGENT_NO_DRIVER;
		forget_values(s);
	}
	if (strcmp(text, s->failure_text) != 0) {
		memcpy(s->failure_text, text, sizeof(text));
		gm_warn("sampling process ended", GM_LOG_INT("child", child), { "reason", text });
	}
}

static int exit_kind(int status)
{
	if (!WIFEXITED(status))
		return -1;
	switch (WEXITSTATUS(status)) {
	case GM_AGENT_EXIT_OK:
	case GM_AGENT_EXIT_ABANDONED:
	case GM_AGENT_EXIT_NO_LIBRARY:
	case GM_AGENT_EXIT_INIT:
	case GM_AGENT_EXIT_DRIVER:
		return WEXITSTATUS(status);
	default:
		return -1;
	}
}

void gm_samplers_child_ended(struct gm_samplers *s, const struct gm_keeper_end *end)
{
	const unsigned child = (unsigned)end->argument;
	const int code = exit_kind(end->status);

	if (end->role != GM_KEEPER_SAMPLER || child >= GM_AGENT_CHILDREN_MAX || s->children[child].pid != end->pid)
		return;
	(void)look_at_child(s, child); /* its last reports, and how long its calls took */
	if (s->watch.children[child].role == GM_WATCH_PRIMARY || code < 0)
		note_failure(s, child, code, end->status);
	gm_watch_ended(&s->watch, child, code, gm_mono_ms(s->conf.clock) * MS);
	s->children[child].pid = 0;
	s->urgent = true;
}

void gm_samplers_hold(struct gm_samplers *s, enum gm_samplers_hold why)
{
	s->urgent = s->urgent || !(s->holds & why);
	s->holds |= why;
}

void gm_samplers_release(struct gm_samplers *s, enum gm_samplers_hold why)
{
	if (!(s->holds & why))
		return;
	s->urgent = true;
	s->holds &= ~(unsigned)why;
	if (s->holds)
		return;
	forget_values(s);
	for (unsigned i = 0; i < s->view.board_count; i++)
		s->boards[i].interval_ms = 0; /* rounds that nobody wanted were not missed */
}

bool gm_samplers_quiet(const struct gm_samplers *s)
{
	for (unsigned c = 0; c < GM_AGENT_CHILDREN_MAX; c++) {
		const enum gm_watch_role role = s->watch.children[c].role;
		if (role != GM_WATCH_FREE && role != GM_WATCH_ABANDONED)
			return false;
	}
	return true;
}

void gm_samplers_tell_pause(struct gm_samplers *s, int64_t until_ms, const char *reason)
{
	s->pause_until_ms = until_ms;
	(void)gm_str_copy(gm_str(reason), s->pause_reason, sizeof(s->pause_reason));
}

bool gm_samplers_urgent(const struct gm_samplers *s)
{
	return s->urgent;
}

pid_t gm_samplers_pid(const struct gm_samplers *s, unsigned child)
{
	return s->children[child].pid;
}
