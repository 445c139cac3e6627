/* SPDX-License-Identifier: MIT */
#include "app/agent/child.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/wait.h"

#define MS INT64_C(1000000)
/* Reserved, not used: a page counts when it is touched. NVML's own need is not documented. */
#define STACK_BYTES (256u << 10)
#define EVENT_WAIT_MS 500 /* a child that shall end waits for this call as for any other */
#define EVENT_PAUSE_MS 1000
/* In a child's first seconds boards become known one by one; until then their events would be lost, so waits are short. */
#define EVENT_WAIT_FIRST_MS 20
#define EVENT_FIRST_NS (3000 * MS)
#define STAGGER_MOST (2 * MS) /* between two boards, so that not all threads ask at the same instant */

struct child;
/* One a thread that calls the library. */
struct caller {
	struct child *child;
	struct gm_agent_call *call;
	int64_t began_ns;
	bool measured; /* its calls count as usual ones: not the first, which attach boards */
};
struct board {
	struct caller caller;
	struct gm_agent_cell *cell;
	unsigned index;
	pthread_t thread;
	bool running;
	int64_t due; /* round to read next */
	int64_t interval_ns;
	uint64_t samples;
	_Atomic int64_t done; /* round read last */
	char uuid[48];	      /* guarded by mu; "" until it is known */
	bool wants_events;    /* guarded by mu */
};
struct child {
	const struct gm_child_conf *conf;
	struct gm_agent_child *row;
	struct gm_agent_cell *cells;
	struct gm_nvml lib;
	int news_fd; /* to the main thread */
	struct caller main, events;
	_Atomic unsigned in_calls; /* threads inside the library */
	pthread_t event_thread;
	bool event_thread_running;
	pthread_mutex_t mu;
	pthread_cond_t changed;
	uint64_t orders; /* guarded by mu: boards to be read */
	bool stopping;	 /* guarded by mu */
	int driver_gone; /* guarded by mu: NVML's code */
	struct board boards[GM_AGENT_BOARDS_MAX];
};

static int64_t now_ns(void)
{
	return gm_clock_mono_ns();
}

static void notify(int fd)
{
	const uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one));
}

static void swallow(int fd)
{
	uint64_t n;

	(void)!read(fd, &n, sizeof(n));
}

static bool abandoned(const struct child *c)
{
	return atomic_load(&c->row->order) == GM_AGENT_ABANDON;
}

/* The last thread to come out of the library ends the process; the others wait for that. */
static void leave_process(struct child *c, unsigned still_in)
{
	(void)c;
	if (still_in == 0)
		_exit(GM_AGENT_EXIT_ABANDONED);
	for (;;)
		(void)pause();
}

static void call_enter(void *ctx, unsigned symbol)
{
	struct caller *me = ctx;
	struct child *c = me->child;

	/* Counted first, then asked: so whoever sees the order either is counted or makes no call. */
	(void)atomic_fetch_add(&c->in_calls, 1);
	if (abandoned(c))
		leave_process(c, atomic_fetch_sub(&c->in_calls, 1) - 1);
	me->began_ns = now_ns();
	atomic_store_explicit(&me->call->began_ns, me->began_ns, memory_order_relaxed);
	atomic_store_explicit(&me->call->symbol, symbol + 1, memory_order_release);
}

static void call_leave(void *ctx, unsigned symbol, int rc)
{
	struct caller *me = ctx;
	struct child *c = me->child;
	const int64_t took = now_ns() - me->began_ns;

	(void)symbol;
	(void)rc;
	atomic_store_explicit(&me->call->symbol, 0, memory_order_release);
	if (me->measured && took > atomic_load_explicit(&me->call->longest_ns, memory_order_relaxed))
		atomic_store_explicit(&me->call->longest_ns, took, memory_order_relaxed);
	const unsigned still_in = atomic_fetch_sub(&c->in_calls, 1) - 1;
	if (abandoned(c))
		leave_process(c, still_in);
}

static struct gm_nvml_probe probe_of(struct caller *caller)
{
	return (struct gm_nvml_probe){ .ctx = caller, .enter = call_enter, .leave = call_leave };
}

/* When a round is due for this board. */
static int64_t due_ns(const struct board *b)
{
	const int64_t step = b->interval_ns / 500 < STAGGER_MOST ? b->interval_ns / 500 : STAGGER_MOST;

	return b->due * b->interval_ns + step * b->index;
}

/* Waits until a round is due; false when the thread shall end. */
static bool board_wait(struct board *b)
{
	struct child *c = b->caller.child;
	bool held = false; /* was its board before this wait, too */
	bool go = false;

	(void)pthread_mutex_lock(&c->mu);
	held = b->samples != UINT64_MAX;
	while (!c->stopping && !go) {
		const int64_t now = now_ns();
		const int64_t interval = atomic_load(&c->conf->shared->interval_ms) * MS;
		if (!(c->orders >> b->index & 1)) {
			held = false;
			(void)pthread_cond_wait(&c->changed, &c->mu);
			continue;
		}
		if (!held || interval != b->interval_ns) {
			/* At once: whoever read it before may have missed this round. */
			b->interval_ns = interval;
			b->due = now / interval;
			b->samples = 0;
			held = go = true;
		} else if (now >= due_ns(b)) {
			if (b->due < now / interval)
				b->due = now / interval;
			go = true;
		} else {
			const int64_t at = due_ns(b);
			const struct timespec deadline = { .tv_sec = at / (1000 * MS), .tv_nsec = at % (1000 * MS) };
			(void)pthread_cond_timedwait(&c->changed, &c->mu, &deadline);
		}
	}
	(void)pthread_mutex_unlock(&c->mu);
	return go;
}

/* The last board to finish a round tells the parent; one that is stuck is not waited for. */
static void tell_when_complete(struct child *c, const struct board *me)
{
	const int64_t now = now_ns();

	/* The orders that were taken: one that just came in may be about a board that has no cell yet. */
	(void)pthread_mutex_lock(&c->mu);
	const uint64_t orders = c->orders;
	(void)pthread_mutex_unlock(&c->mu);
	for (unsigned i = 0; i < GM_AGENT_BOARDS_MAX; i++) {
		const struct board *b = &c->boards[i];
		if (!(orders >> i & 1) || atomic_load(&b->done) >= atomic_load(&me->done))
			continue;
		const bool is_stuck = atomic_load(&b->cell->call.symbol) &&
				      now - atomic_load(&b->cell->call.began_ns) > me->interval_ns;
		if (!is_stuck)
			return;
	}
	notify(c->conf->wake_fd);
}

static void note_result(struct board *b, const struct gm_reading *r, int rc)
{
	struct child *c = b->caller.child;
	const bool gone = gm_nvml_is_driver_gone(rc);

	(void)pthread_mutex_lock(&c->mu);
	if (rc == 0 && strcmp(b->uuid, r->facts.uuid) != 0) {
		memcpy(b->uuid, r->facts.uuid, sizeof(b->uuid));
		b->wants_events = true;
		(void)pthread_cond_broadcast(&c->changed);
	} else if (rc != 0) {
		b->uuid[0] = '\0'; /* once it is back, its events must be asked for again */
	}
	if (gone && !c->driver_gone) {
		c->driver_gone = rc;
		notify(c->news_fd);
	}
	(void)pthread_mutex_unlock(&c->mu);
}

static void board_round(struct board *b, struct gm_nvml_reader *reader)
{
	struct child *c = b->caller.child;
	struct gm_agent_report *to = gm_agent_cell_back(b->cell);
	const int64_t began = now_ns();
	const int rc = gm_nvml_read(reader, gm_wall_ms(gm_clock_system()), began / MS, &to->reading);
	const int64_t now = now_ns();

	to->reading.rc = rc;
	b->caller.measured = true;
	if (now < (b->due + 1) * b->interval_ns)
		b->samples++;
	to->round = b->due;
	to->interval_ms = b->interval_ns / MS;
	to->samples = b->samples;
	to->mono_ms = now / MS;
	note_result(b, &to->reading, rc);
	gm_agent_cell_publish(b->cell);
	atomic_store(&b->done, b->due);
	b->due++;
	tell_when_complete(c, b);
}

static void *board_run(void *arg)
{
	struct board *b = arg;
	char name[16];
	const struct gm_nvml_probe probe = probe_of(&b->caller);

	(void)snprintf(name, sizeof(name), "nvml-board-%u", b->index % 100);
	(void)prctl(PR_SET_NAME, name);
	struct gm_nvml_reader *reader = gm_nvml_reader_new(&b->caller.child->lib, &probe, NULL, b->index);
	b->samples = UINT64_MAX;
	while (board_wait(b))
		board_round(b, reader);
	gm_nvml_reader_free(reader);
	return NULL;
}

/* The board with this UUID; GM_AGENT_BOARDS_MAX: none that is known. */
static unsigned board_of(struct child *c, const char *uuid)
{
	unsigned i = 0;

	(void)pthread_mutex_lock(&c->mu);
	while (i < GM_AGENT_BOARDS_MAX && strcmp(c->boards[i].uuid, uuid) != 0)
		i++;
	(void)pthread_mutex_unlock(&c->mu);
	return i;
}

/* Registers boards that have been met since; waits for the first. False when the thread shall end. */
static bool events_register(struct child *c, struct gm_nvml_events *events, unsigned *registered, int pause_ms)
{
	const struct timespec deadline = gm_deadline_in(pause_ms);
	unsigned found;

	(void)pthread_mutex_lock(&c->mu);
	do {
		found = GM_AGENT_BOARDS_MAX;
		for (unsigned i = 0; i < GM_AGENT_BOARDS_MAX && found == GM_AGENT_BOARDS_MAX; i++) {
			if (c->boards[i].wants_events && c->boards[i].uuid[0])
				found = i;
		}
		if (found < GM_AGENT_BOARDS_MAX) {
			char uuid[48];
			memcpy(uuid, c->boards[found].uuid, sizeof(uuid));
			c->boards[found].wants_events = false;
			(void)pthread_mutex_unlock(&c->mu);
			if (gm_nvml_events_add(events, uuid) == 0)
				++*registered;
			(void)pthread_mutex_lock(&c->mu);
		} else if (!c->stopping && (*registered == 0 || pause_ms)) {
			const int r = pause_ms ? pthread_cond_timedwait(&c->changed, &c->mu, &deadline)
					       : pthread_cond_wait(&c->changed, &c->mu);
			if (r == ETIMEDOUT)
				break;
		}
	} while (!c->stopping && (found < GM_AGENT_BOARDS_MAX || *registered == 0 || pause_ms));
	const bool go = !c->stopping;
	(void)pthread_mutex_unlock(&c->mu);
	return go;
}

static void *events_run(void *arg)
{
	struct child *c = arg;
	const struct gm_nvml_probe probe = probe_of(&c->events);
	struct gm_nvml_events *events = gm_nvml_events_new(&c->lib, &probe);
	const int64_t began = now_ns();
	unsigned registered = 0;
	int pause_ms = 0;

	(void)prctl(PR_SET_NAME, "nvml-events");
	while (events && events_register(c, events, &registered, pause_ms)) {
		const bool first = now_ns() - began < EVENT_FIRST_NS && registered < atomic_load(&c->row->board_count);
		struct gm_reading_event e = { 0 };
		char uuid[48] = "";
		const int rc = gm_nvml_events_wait(events, first ? EVENT_WAIT_FIRST_MS : EVENT_WAIT_MS, &e, uuid);
		/* A lost board answers every wait at once: without a pause that loop would take a whole core. */
		pause_ms = rc == 0 || rc == 10 ? 0 : EVENT_PAUSE_MS;
		const unsigned board = rc == 0 ? board_of(c, uuid) : GM_AGENT_BOARDS_MAX;
		if (board < GM_AGENT_BOARDS_MAX) {
			e.at_ms = gm_wall_ms(gm_clock_system());
			gm_agent_event_put(c->row, board, &e);
			notify(c->conf->wake_fd);
		}
	}
	gm_nvml_events_free(events);
	return NULL;
}

static int thread_start(pthread_t *out, void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;

	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	const int r = pthread_create(out, &attr, run, arg);
	(void)pthread_attr_destroy(&attr);
	return r;
}

/* Threads for boards that are ordered for the first time; the others look at the new orders. */
static void take_orders(struct child *c)
{
	const uint64_t orders = atomic_load(&c->row->boards);

	for (unsigned i = 0; i < GM_AGENT_BOARDS_MAX; i++) {
		struct board *b = &c->boards[i];
		if (!(orders >> i & 1) || b->cell)
			continue;
		b->index = i;
		b->cell = &c->cells[i];
		b->caller = (struct caller){ .child = c, .call = &b->cell->call };
		gm_agent_cell_begin(b->cell);
	}
	/* Only now: whoever sees a board in the orders looks at its cell. */
	(void)pthread_mutex_lock(&c->mu);
	c->orders = orders;
	(void)pthread_cond_broadcast(&c->changed);
	(void)pthread_mutex_unlock(&c->mu);
	for (unsigned i = 0; i < GM_AGENT_BOARDS_MAX; i++) {
		struct board *b = &c->boards[i];
		if ((orders >> i & 1) && !b->running)
			b->running = thread_start(&b->thread, board_run, b) == 0;
	}
	if (orders && !c->event_thread_running)
		c->event_thread_running = thread_start(&c->event_thread, events_run, c) == 0;
}

static int fail(struct child *c, int code, const char *text)
{
	(void)gm_str_copy(gm_str(text), c->row->error, sizeof(c->row->error));
	return code;
}

static int open_library(struct child *c)
{
	const struct gm_nvml_probe probe = probe_of(&c->main);
	struct gm_err err = { 0 };
	char text[120];
	uint32_t count = 0;

	if (gm_nvml_open(c->conf->library, &c->lib, &err))
		return fail(c, GM_AGENT_EXIT_NO_LIBRARY, err.text);
	probe.enter(probe.ctx, GM_NVML_SYMBOL_init);
	int rc = c->lib.init();
	probe.leave(probe.ctx, GM_NVML_SYMBOL_init, rc);
	atomic_store(&c->row->init_rc, rc);
	if (rc) {
		(void)snprintf(text, sizeof(text), "nvmlInit_v2: %s", gm_nvml_result_name(rc));
		return fail(c, GM_AGENT_EXIT_INIT, text);
	}
	probe.enter(probe.ctx, GM_NVML_SYMBOL_count);
	rc = c->lib.count(&count);
	probe.leave(probe.ctx, GM_NVML_SYMBOL_count, rc);
	if (rc) {
		atomic_store(&c->row->init_rc, rc);
		(void)snprintf(text, sizeof(text), "nvmlDeviceGetCount_v2: %s", gm_nvml_result_name(rc));
		return fail(c, GM_AGENT_EXIT_INIT, text);
	}
	atomic_store(&c->row->board_count, count < GM_AGENT_BOARDS_MAX ? count : GM_AGENT_BOARDS_MAX);
	return 0;
}

static void join_all(struct child *c)
{
	(void)pthread_mutex_lock(&c->mu);
	c->stopping = true;
	(void)pthread_cond_broadcast(&c->changed);
	(void)pthread_mutex_unlock(&c->mu);
	for (unsigned i = 0; i < GM_AGENT_BOARDS_MAX; i++) {
		if (c->boards[i].running)
			(void)pthread_join(c->boards[i].thread, NULL);
	}
	if (c->event_thread_running)
		(void)pthread_join(c->event_thread, NULL);
}

/* Until it shall end. */
static int work(struct child *c, unsigned number, int agent_gone_fd)
{
	struct pollfd fds[3] = { { .fd = agent_gone_fd, .events = POLLIN },
				 { .fd = c->conf->order_fds[number], .events = POLLIN },
				 { .fd = c->news_fd, .events = POLLIN } };

	for (;;) {
		const uint32_t order = atomic_load(&c->row->order);
		if (order == GM_AGENT_ABANDON && atomic_load(&c->in_calls) == 0)
			return GM_AGENT_EXIT_ABANDONED;
		if (order == GM_AGENT_END)
			return GM_AGENT_EXIT_OK;
		(void)pthread_mutex_lock(&c->mu);
		const int gone = c->driver_gone;
		(void)pthread_mutex_unlock(&c->mu);
		if (gone)
			return fail(c, GM_AGENT_EXIT_DRIVER, gm_nvml_result_name(gone));
		take_orders(c);
		if (poll(fds, GM_LEN(fds), -1) < 0 && errno != EINTR)
			return GM_AGENT_EXIT_OK;
		if (fds[0].revents)
			return GM_AGENT_EXIT_OK;
		if (fds[1].revents)
			swallow(fds[1].fd);
		if (fds[2].revents)
			swallow(fds[2].fd);
	}
}

int gm_child_run(const struct gm_child_conf *conf, unsigned number, int agent_gone_fd)
{
	struct child *c = gm_xalloc(sizeof(*c));

	c->conf = conf;
	c->row = &conf->shared->children[number];
	c->cells = conf->shared->cells[number];
	c->main = (struct caller){ .child = c, .call = &c->row->main };
	c->events = (struct caller){ .child = c, .call = &c->row->events };
	(void)pthread_mutex_init(&c->mu, NULL);
	gm_cond_init(&c->changed);
	c->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int code = open_library(c);
	if (code == 0) {
		atomic_store(&c->row->state, GM_AGENT_CHILD_WORKING);
		notify(conf->wake_fd);
		code = work(c, number, agent_gone_fd);
		if (code == GM_AGENT_EXIT_ABANDONED)
			return code;
		atomic_store(&c->row->state, GM_AGENT_CHILD_ENDING);
		join_all(c);
		const struct gm_nvml_probe probe = probe_of(&c->main);
		probe.enter(probe.ctx, GM_NVML_SYMBOL_shutdown);
		const int rc = c->lib.shutdown();
		probe.leave(probe.ctx, GM_NVML_SYMBOL_shutdown, rc);
	}
	gm_nvml_close(&c->lib);
	return code;
}
