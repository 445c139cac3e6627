/* SPDX-License-Identifier: MIT */
#include "app/agent/agent.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "app/agent/agent-internal.h"
#include "base/log.h"

#define PAGES_MOST_MS 1000 /* pages are renewed at least so often: what is old says that the agent itself is stuck */
#define TOKEN_MS 5000
#define TOKEN_REPEAT_MS (10 * 60 * INT64_C(1000)) /* the same complaint again */
#define PAUSE_LOOK_MS 1000
#define WAITS_SAY_MS 5000
#define READY_MOST_MS 30000 /* a node whose layout cannot be restored is served, too: as not ready */
#define HTTP_STOP_MS 2000
/* Who stops the agent gives it half a minute at the least; calls into the driver are given most of it to return. */
#define CHILDREN_STOP_MS 10000
/* A change of MIG layouts is let come to its end: a step that is cut short can leave a board unusable until a reboot. */
#define MIG_STOP_MS 25000

static void swallow(int fd)
{
	uint64_t n;

	(void)!read(fd, &n, sizeof(n));
}

/* False when the keeper is gone. */
static bool take_ends(struct gm_agent *a)
{
	struct gm_keeper_end end;
	int r;

	while ((r = gm_keeper_next_end(a->keeper, &end)) > 0) {
		if (end.role == GM_KEEPER_SAMPLER)
			gm_samplers_child_ended(a->samplers, &end);
		else
			gm_mig_manager_worker_ended(a->mig, &end);
		a->pages_at_ms = 0; /* who waits for it, a switch of the MIG mode, goes on at once */
	}
	return r == 0;
}

static void look_at_pause(struct gm_agent *a)
{
	struct gm_agent_pause_state p;

	gm_agent_pause_look(a->pause, &p);
	gm_samplers_tell_pause(a->samplers, p.until_ms, p.reason);
	if (p.on)
		gm_samplers_hold(a->samplers, GM_HOLD_PAUSE);
	else
		gm_samplers_release(a->samplers, GM_HOLD_PAUSE);
}

static void join_holders(struct gm_agent *a)
{
	const char *error = NULL;
	const struct gm_kubelet_answer *answer = a->kubelet ? gm_kubelet_newest(a->kubelet, &error) : NULL;

	gm_arena_reset(&a->holders_arena);
	gm_holders_join(a->holders_cache, gm_samplers_view(a->samplers), answer ? &answer->pods : NULL,
			a->loaded->settings.host_root, gm_mono_ms(a->clock), &a->holders_arena, &a->holders);
	a->holders.kubelet_at_ms = answer ? answer->at_ms : 0;
	a->holders.kubelet_error = error && error[0] ? error : NULL;
}

static void list_processes(const struct gm_agent *a, struct gm_agent_round *round)
{
	round->processes[round->process_count++] = (struct gm_agent_process){ "server", 0, getpid() };
	round->processes[round->process_count++] = (struct gm_agent_process){ "keeper", 0, gm_keeper_pid(a->keeper) };
	for (unsigned c = 0; c < GM_AGENT_CHILDREN_MAX; c++) {
		const pid_t pid = gm_samplers_pid(a->samplers, c);
		if (pid)
			round->processes[round->process_count++] =
				(struct gm_agent_process){ "sampler", (int32_t)c, pid };
	}
	_Static_assert(GM_AGENT_PROCESSES_MAX >= 2 + GM_AGENT_CHILDREN_MAX, "room for all");
}

static void make_pages(struct gm_agent *a)
{
	struct gm_agent_round round = { .view = gm_samplers_view(a->samplers), .holders = &a->holders, .mig = a->mig };

	join_holders(a);
	gm_mig_manager_tick(a->mig, round.view, &a->holders);
	list_processes(a, &round);
	gm_agent_pages_make(a->pages, &round);
	gm_agent_api_news(&a->api);
	a->pages_at_ms = gm_mono_ms(a->clock);
}

/*
 * The service is up once there is something true to tell: the first round and the layout that is wanted, or why there is
 * none. Waiting for a driver would only let the supervisor start us over and over.
 */
static bool is_ready(const struct gm_agent *a, const struct gm_agent_view *v, const char **out_why)
{
	/* A pause that somebody asked for is an answer; our own, while a layout is restored, is none. */
	const bool restoring = v->state == GM_AGENT_PAUSED && v->paused_until_ms == 0;

	*out_why = v->reason;
	if (v->state == GM_AGENT_STARTING)
		return false;
	if (v->state != GM_AGENT_WORKING && !restoring)
		return true;
	for (unsigned i = 0; i < v->board_count; i++) {
		if (v->boards[i].state == GM_BOARD_NEW)
			return false;
	}
	return gm_mig_manager_ready(a->mig, out_why);
}

static void tell_supervisor(struct gm_agent *a)
{
	const struct gm_agent_view *v = gm_samplers_view(a->samplers);
	const int64_t now = gm_mono_ms(a->clock);
	const char *why = "";
	const bool ready = is_ready(a, v, &why);
	char status[sizeof(a->status)];

	if (!a->said_ready && (ready || now - a->started_ms >= READY_MOST_MS)) {
		a->said_ready = true;
		gm_notify_send(&a->notify, "READY=1");
		gm_info("ready", { "state", gm_agent_state_name(v->state) }, GM_LOG_INT("gpus", v->board_count),
			{ "version", GM_VERSION }, { "waits-for", ready ? "" : why });
	}
	if (!a->said_ready && !a->said_waits && now - a->started_ms >= WAITS_SAY_MS) {
		a->said_waits = true;
		gm_info("not ready yet", { "state", gm_agent_state_name(v->state) },
			{ "waits-for", why && why[0] ? why : "the first reading of every GPU" });
	}
	(void)snprintf(status, sizeof(status), "STATUS=%s, %u GPUs%s%.120s", gm_agent_state_name(v->state),
		       v->board_count, why && why[0] ? ": " : "", why ? why : "");
	if (strcmp(status, a->status) != 0) {
		memcpy(a->status, status, sizeof(status));
		gm_notify_send(&a->notify, status);
	}
	if (a->notify.watchdog_ms > 0 && now - a->watchdog_at_ms >= a->notify.watchdog_ms / 2) {
		a->watchdog_at_ms = now;
		gm_notify_send(&a->notify, "WATCHDOG=1");
	}
}

static void look_at_token(struct gm_agent *a, int64_t now_ms)
{
	struct gm_err err = { 0 };
	uint64_t held_back;

	if (now_ms - a->token_at_ms < TOKEN_MS)
		return;
	a->token_at_ms = now_ms;
	if (gm_agent_api_token(&a->api, a->loaded->settings.token_file, &err) == 0) {
		if (a->token_said.used)
			gm_info("token file can be read again");
		a->token_said = (struct gm_log_limit){ 0 };
	} else if (gm_log_limit_pass(&a->token_said, now_ms, TOKEN_REPEAT_MS, &held_back)) {
		gm_error_err("token file refused, the old token stays in force", &err,
			     GM_LOG_INT("held-back", held_back));
	}
}

/* One look at everything; answers when the next is due (monotonic ms). */
static int64_t tick(struct gm_agent *a, bool asked)
{
	bool changed = false;
	int64_t next;

	look_at_pause(a);
	next = gm_samplers_tick(a->samplers, &changed);
	const int64_t now = gm_mono_ms(a->clock);
	if (changed || asked || now - a->pages_at_ms >= PAGES_MOST_MS)
		make_pages(a);
	tell_supervisor(a);
	look_at_token(a, now);
	if (next > a->pages_at_ms + PAGES_MOST_MS)
		next = a->pages_at_ms + PAGES_MOST_MS;
	if (gm_samplers_urgent(a->samplers))
		next = now;
	return next;
}

enum { FD_WAKE, FD_SIGNAL, FD_KEEPER, FD_MIG, FD_COUNT };

static int wait_for(struct gm_agent *a, struct pollfd fds[static FD_COUNT], int64_t until_ms)
{
	const int64_t wait_ms = until_ms - gm_mono_ms(a->clock);

	fds[FD_WAKE] = (struct pollfd){ .fd = a->wake_fd, .events = POLLIN };
	fds[FD_SIGNAL] = (struct pollfd){ .fd = a->signal_fd, .events = POLLIN };
	fds[FD_KEEPER] = (struct pollfd){ .fd = gm_keeper_fd(a->keeper), .events = POLLIN };
	fds[FD_MIG] = (struct pollfd){ .fd = gm_mig_manager_fd(a->mig), .events = POLLIN };
	const int n = poll(fds, FD_COUNT, wait_ms <= 0 ? 0 : wait_ms > PAUSE_LOOK_MS ? PAUSE_LOOK_MS : (int)wait_ms);
	if (n <= 0) {
		for (size_t i = 0; i < FD_COUNT; i++)
			fds[i].revents = 0;
	}
	if (fds[FD_WAKE].revents)
		swallow(a->wake_fd);
	return n;
}

/* False when it is time to stop. */
static bool take_signal(struct gm_agent *a)
{
	struct signalfd_siginfo info;

	if (read(a->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return true;
	if (info.ssi_signo == SIGHUP) {
		gm_agent_reload(a);
		return true;
	}
	gm_info("stopping", { "signal", info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT" });
	return false;
}

/* The exit code. */
static int serve(struct gm_agent *a)
{
	struct pollfd fds[FD_COUNT] = { 0 };

	for (;;) {
		const int64_t next = tick(a, fds[FD_MIG].revents != 0);
		if (wait_for(a, fds, next) < 0 && errno != EINTR)
			return 1;
		if (fds[FD_SIGNAL].revents && !take_signal(a))
			return 0;
		if (!take_ends(a)) {
			gm_error("the keeper process is gone, no sampling process can be started any more: stopping");
			return 1;
		}
	}
}

static bool readers_ended(const struct gm_agent *a)
{
	return gm_samplers_quiet(a->samplers) && gm_samplers_view(a->samplers)->abandoned == 0;
}

/* No call into the driver is cut short if it can be helped: where we are process 1, all others die with us. */
static void end_children(struct gm_agent *a)
{
	const int64_t now = gm_mono_ms(a->clock), readers_until = now + CHILDREN_STOP_MS, mig_until = now + MIG_STOP_MS;
	struct pollfd fds[FD_COUNT] = { 0 };
	bool changed;

	gm_samplers_hold(a->samplers, GM_HOLD_STOP);
	for (;;) {
		const int64_t next = gm_samplers_tick(a->samplers, &changed);
		const bool works = gm_mig_manager_works(a->mig);
		const int64_t until = works ? mig_until : readers_until;
		if ((!works && readers_ended(a)) || gm_mono_ms(a->clock) >= until)
			break;
		(void)wait_for(a, fds, next < until ? next : until);
		if (!take_ends(a))
			return; /* the keeper is gone: nobody tells any more how calls go on */
		if (fds[FD_SIGNAL].revents)
			(void)take_signal(a);
		if (a->notify.watchdog_ms > 0)
			gm_notify_send(&a->notify, "WATCHDOG=1");
	}
	if (!readers_ended(a) || gm_mig_manager_works(a->mig))
		gm_warn("calls into the driver have not returned, their processes end by themselves when they do");
}

static void stop(struct gm_agent *a)
{
	gm_notify_send(&a->notify, "STOPPING=1");
	for (size_t i = 0; i < a->server_count; i++) {
		if (!gm_http_server_stop(a->servers[i], HTTP_STOP_MS))
			gm_warn("some connections were cut");
	}
	end_children(a);
	gm_info("stopped");
}

int gm_agent_main(const struct gm_agent_command *command, char *const *environment)
{
	struct gm_agent a = { .command = command,
			      .environment = environment,
			      .clock = gm_clock_system(),
			      .notify = { .fd = -1 },
			      .wake_fd = -1,
			      .signal_fd = -1 };
	struct gm_err err = { 0 };
	int code = 2;

	for (unsigned c = 0; c < GM_AGENT_CHILDREN_MAX; c++)
		a.work.child.order_fds[c] = -1;
	if (gm_agent_load(&a, &err)) {
		(void)fprintf(stderr, "gpu-agent: %s%s%s\n", err.where, err.where[0] ? ": " : "", err.text);
	} else if (gm_agent_open(&a, &err)) {
		gm_error_err("cannot start", &err);
		code = 1;
	} else {
		a.started_ms = gm_mono_ms(a.clock);
		code = serve(&a);
		stop(&a);
	}
	gm_agent_close(&a);
	return code;
}
