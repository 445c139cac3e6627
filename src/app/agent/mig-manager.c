/* SPDX-License-Identifier: MIT */
#include "app/agent/mig-manager-internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "app/agent/mig-rivals.h"
#include "base/alloc.h"
#include "base/log.h"

#define RIVAL_EVERY_MS 30000
#define SAVE_AGAIN_MS 30000
#define HOLD_LIMIT_MS 60000
#define SETTLE_LIMIT_MS 30000
#define ASK_LIMIT_S 10

int64_t gm_mig_manager_now(const struct gm_mig_manager *m)
{
	return gm_wall_ms(m->conf.clock);
}

void gm_mig_manager_not_ready(struct gm_mig_manager *m, const char *fmt, ...)
{
	va_list args;

	if (!m->ready)
		return; /* the first reason stays */
	m->ready = false;
	va_start(args, fmt);
	(void)vsnprintf(m->why, sizeof(m->why), fmt, args);
	va_end(args);
}

void gm_mig_manager_new_id(struct gm_mig_manager *m, char out[static GM_MIG_ID_SIZE])
{
	(void)snprintf(out, GM_MIG_ID_SIZE, "%" PRIx64 "-%" PRIu32, (uint64_t)gm_mig_manager_now(m),
		       m->next_id++ % 1000);
}

void gm_mig_manager_save(struct gm_mig_manager *m)
{
	struct gm_err err = { 0 };

	m->save_again_ms = 0;
	if (gm_mig_wanted_save(m->conf.state_dir, &m->wanted, &err) == 0)
		return;
	m->save_again_ms = gm_mono_ms(m->conf.clock) + SAVE_AGAIN_MS;
	gm_error_err("cannot keep the wanted MIG layouts, tried again", &err);
}

static void enter_phase(struct gm_mig_manager *m, enum gm_mig_phase phase)
{
	m->phase = phase;
	m->phase_since_ms = gm_mono_ms(m->conf.clock);
	atomic_fetch_add(&m->changes, 1);
}

static void let_go(struct gm_mig_manager *m)
{
	if (m->holds)
		gm_samplers_release(m->conf.samplers, GM_HOLD_MIG);
	m->holds = false;
}

/* The operation of the present job, under the lock. */
static void end_operation(struct gm_mig_manager *m, enum gm_mig_op_state state, int code, const char *text)
{
	struct gm_mig_operation *op = m->current;
	int64_t now = gm_mig_manager_now(m);

	if (!op)
		return;
	(void)pthread_mutex_lock(&m->mu);
	op->state = state;
	op->code = code;
	op->ended_ms = now;
	op->step = atomic_load(&m->conf.job->step);
	op->steps = atomic_load(&m->conf.job->steps);
	op->going_back = atomic_load(&m->conf.job->going_back) != 0;
	if (text[0])
		gm_mig_operation_say(op, now, "%s", text);
	m->current = NULL;
	(void)pthread_mutex_unlock(&m->mu);
	gm_info("MIG change ended", { "operation", op->id }, { "kind", gm_mig_kind_name(op->kind) },
		{ "state", gm_mig_op_state_name(state) }, GM_LOG_INT("steps", op->step), { "text", text });
	atomic_fetch_add(&m->changes, 1);
}

static int spawn(struct gm_mig_manager *m, struct gm_err *err)
{
	pid_t pid;
	int rc = gm_keeper_spawn(m->conf.keeper, GM_KEEPER_MIG_WORKER, 0, &pid, err);

	if (rc == 0) {
		(void)pthread_mutex_lock(&m->mu);
		m->current->state = GM_MIG_OP_RUNNING;
		(void)pthread_mutex_unlock(&m->mu);
		enter_phase(m, GM_MIG_PHASE_RUNNING);
		return 0;
	}
	let_go(m);
	end_operation(m, GM_MIG_OP_UNDONE, rc, err ? err->text : "no worker");
	enter_phase(m, m->conf.job->kind == GM_MIG_RECOVER ? GM_MIG_PHASE_START : GM_MIG_PHASE_IDLE);
	return rc;
}

static void fill_job(struct gm_mig_manager *m, const struct gm_mig_begin *b)
{
	struct gm_mig_job *job = m->conf.job;

	(void)gm_str_copy(gm_str(m->conf.library ? m->conf.library : ""), job->library, sizeof(job->library));
	(void)gm_str_copy(gm_str(m->conf.state_dir), job->state_dir, sizeof(job->state_dir));
	(void)gm_str_copy(gm_str(b->id), job->id, sizeof(job->id));
	job->kind = b->kind;
	job->direction = b->direction;
	job->remove_unused = b->remove_unused;
	job->keep = b->keep;
	job->count = b->count;
	memcpy(job->changes, b->changes, b->count * sizeof(*b->changes));
	job->code = 0;
	job->text[0] = '\0';
	atomic_store(&job->outcome, GM_MIG_OUTCOME_NONE);
	atomic_store(&job->step, 0);
	atomic_store(&job->steps, 0);
	atomic_store(&job->going_back, 0);
	atomic_store(&job->now, 0);
	atomic_store(&job->in_call, 0);
}

/* Also the way back from a switch that fails needs the board to itself. */
static bool switches(const struct gm_mig_change *c, enum gm_mig_direction d)
{
	return c->before.on != c->wanted.on || c->on_now != (d == GM_MIG_FORWARD ? c->wanted.on : c->before.on);
}

int gm_mig_manager_begin(struct gm_mig_manager *m, const struct gm_mig_begin *b, struct gm_err *err)
{
	struct gm_mig_operation *op;
	bool resets = false;

	(void)pthread_mutex_lock(&m->mu);
	fill_job(m, b); /* under the lock: of an operation that goes on after a worker broke off it is shown */
	op = gm_mig_operations_find(&m->operations, gm_str(b->id));
	if (!op)
		op = gm_mig_operations_add(&m->operations, b->id, b->kind, gm_mig_manager_now(m));
	op->state = GM_MIG_OP_WAITING;
	op->ended_ms = 0;
	op->board_count = b->count;
	for (uint32_t i = 0; i < b->count; i++) {
		memcpy(op->boards[i].uuid, b->changes[i].uuid, sizeof(op->boards[i].uuid));
		resets |= switches(&b->changes[i], b->direction) && b->changes[i].resets;
	}
	op->resets = resets;
	if (resets)
		gm_mig_operation_say(op, gm_mig_manager_now(m),
				     "the switch of the MIG mode resets the board: all readings stop until it is done");
	m->current = op;
	(void)pthread_mutex_unlock(&m->mu);
	if (!resets)
		return spawn(m, err);
	gm_samplers_hold(m->conf.samplers, GM_HOLD_MIG);
	m->holds = true;
	enter_phase(m, GM_MIG_PHASE_HOLDING);
	return 0;
}

/* Takes a change that has ended well into what is wanted; one of the journal (id NULL: it is not in there) once. */
static void merge_wanted(struct gm_mig_manager *m, const char *id, bool keep, const struct gm_mig_change *changes,
			 uint32_t count)
{
	if (id && strcmp(m->wanted.last, id) == 0)
		return;
	for (uint32_t i = 0; i < count; i++) {
		if (keep)
			(void)gm_mig_wanted_set(&m->wanted, changes[i].uuid, &changes[i].wanted);
		else
			gm_mig_wanted_drop(&m->wanted, changes[i].uuid);
	}
	if (id)
		(void)gm_str_copy(gm_str(id), m->wanted.last, sizeof(m->wanted.last));
	gm_mig_manager_save(m);
}

static void settle(struct gm_mig_manager *m)
{
	const struct gm_mig_job *job = m->conf.job;

	for (uint32_t i = 0; i < job->count; i++) {
		int at = m->view ? gm_mig_view_find(m->view, job->changes[i].uuid) : -1;

		m->settle_samples[i] = at < 0 ? 0 : m->view->boards[at].samples;
	}
	enter_phase(m, GM_MIG_PHASE_SETTLING);
}

static const enum gm_mig_op_state op_state_of[] = { [GM_MIG_OUTCOME_NEW] = GM_MIG_OP_SUCCEEDED,
						    [GM_MIG_OUTCOME_OLD] = GM_MIG_OP_UNDONE,
						    [GM_MIG_OUTCOME_STUCK] = GM_MIG_OP_STUCK };

void gm_mig_manager_worker_ended(struct gm_mig_manager *m, const struct gm_keeper_end *end)
{
	struct gm_mig_job *job = m->conf.job;
	enum gm_mig_outcome outcome = (enum gm_mig_outcome)atomic_load(&job->outcome);

	if (m->phase != GM_MIG_PHASE_RUNNING)
		return;
	if (outcome == GM_MIG_OUTCOME_NONE) {
		/* It crashed, or had no look at the journal: that says how far it was. */
		gm_warn("MIG worker ended without an answer", { "operation", job->id },
			GM_LOG_INT("status", end->status), { "text", job->text });
		(void)pthread_mutex_lock(&m->mu);
		if (m->current)
			gm_mig_operation_say(m->current, gm_mig_manager_now(m), "the worker broke off%s%s",
					     job->text[0] ? ": " : "", job->text);
		(void)pthread_mutex_unlock(&m->mu);
		m->ready = true;
		gm_mig_manager_not_ready(m, "the MIG change %s is unfinished", job->id);
		settle(m);
		let_go(m);
		return;
	}
	if (outcome == GM_MIG_OUTCOME_NEW)
		merge_wanted(m, job->id, job->keep, job->changes, job->count);
	end_operation(m, op_state_of[outcome], job->code, job->text);
	settle(m);
	let_go(m);
}

/* What an unfinished change came to without a worker. */
static void close_past(struct gm_mig_manager *m, struct gm_mig_journal *j, enum gm_mig_outcome outcome, const char *why)
{
	struct gm_err err = { 0 };

	if (gm_mig_journal_end(j, outcome, why, &err))
		gm_error_err("cannot end the journal", &err);
	(void)pthread_mutex_lock(&m->mu);
	m->current = gm_mig_operations_find(&m->operations, gm_str(m->past->id));
	if (!m->current)
		m->current = gm_mig_operations_add(&m->operations, m->past->id, m->past->kind, gm_mig_manager_now(m));
	(void)pthread_mutex_unlock(&m->mu);
	end_operation(m, outcome == GM_MIG_OUTCOME_OLD ? GM_MIG_OP_UNDONE : GM_MIG_OP_STUCK,
		      outcome == GM_MIG_OUTCOME_OLD ? 0 : GM_ERR_CONFLICT, why);
	enter_phase(m, GM_MIG_PHASE_IDLE);
}

static void recover(struct gm_mig_manager *m, enum gm_mig_direction direction)
{
	struct gm_mig_past *p = m->past;
	struct gm_err err = { 0 };

	for (uint32_t i = 0; i < p->count; i++) {
		int at = gm_mig_view_find(m->view, p->changes[i].uuid);

		/* Decided on, so it is there. What the mode was may be another thing since a reboot. */
		p->changes[i].on_now = at >= 0 && m->view->boards[at].reading.mig_current == 1;
		p->changes[i].resets = at >= 0 && m->view->boards[at].reading.facts.mig_resetless != 1;
	}
	gm_warn("unfinished MIG change found", { "operation", p->id },
		{ "decision", direction == GM_MIG_FORWARD ? "finish" : "undo" }, GM_LOG_INT("begun", p->begun),
		GM_LOG_INT("done", p->done));
	const struct gm_mig_begin begin = { .kind = GM_MIG_RECOVER,
					    .direction = direction,
					    .id = p->id,
					    .remove_unused = p->remove_unused,
					    .keep = p->keep,
					    .changes = p->changes,
					    .count = p->count };
	if (gm_mig_manager_begin(m, &begin, &err))
		gm_warn_err("cannot recover a MIG change", &err);
}

/* A worker that could not write how it ended has told us: what was answered stays true. False: nothing of that kind. */
static bool write_end(struct gm_mig_manager *m, struct gm_mig_journal *j)
{
	const struct gm_mig_job *job = m->conf.job;
	enum gm_mig_outcome outcome = (enum gm_mig_outcome)atomic_load(&job->outcome);
	struct gm_err err = { 0 };

	if (!m->past->going || m->past->outcome != GM_MIG_OUTCOME_NONE || outcome == GM_MIG_OUTCOME_NONE ||
	    strcmp(m->past->id, job->id) != 0)
		return false;
	if (gm_mig_journal_end(j, outcome, job->text, &err))
		gm_mig_manager_not_ready(m, "the end of the MIG change %s cannot be written: %s", job->id, err.text);
	else
		enter_phase(m, GM_MIG_PHASE_IDLE);
	return true;
}

/*
 * How the last change ended, by the journal: its worker may have ended it when the agent that asked for it was gone, or have
 * died before it could tell. Who asked has its id, and asks the next agent.
 */
static void tell_past(struct gm_mig_manager *m, const struct gm_mig_journal *j)
{
	const struct gm_mig_past *p = m->past;
	struct gm_mig_operation *op;
	struct stat st;

	if (!p->going || p->outcome == GM_MIG_OUTCOME_NONE)
		return;
	(void)pthread_mutex_lock(&m->mu);
	op = gm_mig_operations_find(&m->operations, gm_str(p->id));
	if (!op) {
		const int64_t at = fstat(j->fd, &st) == 0 ? st.st_mtim.tv_sec * INT64_C(1000) : gm_mig_manager_now(m);

		op = gm_mig_operations_add(&m->operations, p->id, p->kind, at);
		op->state = op_state_of[p->outcome];
		op->code = p->outcome == GM_MIG_OUTCOME_STUCK ? GM_ERR_CONFLICT : 0;
		op->ended_ms = at;
		op->step = op->steps = p->done;
		op->going_back = p->back;
		gm_mig_operation_say(op, at, "of a former agent%s%s", p->text[0] ? ": " : "", p->text);
		gm_info("last MIG change", { "operation", p->id }, { "kind", gm_mig_kind_name(p->kind) },
			{ "state", gm_mig_op_state_name(op->state) }, { "text", p->text });
	}
	(void)pthread_mutex_unlock(&m->mu);
	if (op == m->current)
		end_operation(m, op_state_of[p->outcome], 0, p->text);
}

static void decide(struct gm_mig_manager *m, struct gm_mig_journal *j)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf why = { 0 };

	if (write_end(m, j))
		return;
	enum gm_mig_decision d = gm_mig_decide(m->past, m->view, m->holders, &why);
	switch (d) {
	case GM_MIG_DECIDE_NOTHING:
		if (m->past->outcome == GM_MIG_OUTCOME_NEW)
			merge_wanted(m, m->past->id, m->past->keep, m->past->changes, m->past->count);
		tell_past(m, j);
		enter_phase(m, GM_MIG_PHASE_IDLE);
		break;
	case GM_MIG_DECIDE_FORGET:
		close_past(m, j, GM_MIG_OUTCOME_OLD, "undone at the next start: no step of it was begun");
		break;
	case GM_MIG_DECIDE_WAIT:
		gm_mig_manager_not_ready(m, "the MIG change %s is unfinished: %s", m->past->id, gm_buf_cstr(&why));
		break;
	case GM_MIG_DECIDE_GIVE_UP:
		gm_buf_add_cstr(&why, "; left as it is");
		close_past(m, j, GM_MIG_OUTCOME_STUCK, gm_buf_cstr(&why));
		break;
	case GM_MIG_DECIDE_FINISH:
	case GM_MIG_DECIDE_UNDO:
		gm_mig_journal_close(j); /* the worker takes the lock */
		recover(m, d == GM_MIG_DECIDE_FINISH ? GM_MIG_FORWARD : GM_MIG_BACKWARD);
		gm_mig_manager_not_ready(m, "the MIG change %s is being ended", m->past->id);
		break;
	}
}

static void load_wanted(struct gm_mig_manager *m)
{
	struct gm_err err = { 0 };

	/* A damaged file is a loss, but no reason not to work: what is there now is what there is. */
	if (gm_mig_wanted_load(m->conf.state_dir, &m->wanted, &err))
		gm_error_err("wanted MIG layouts", &err, { "folder", m->conf.state_dir });
	for (uint32_t i = 0; i < m->wanted.count; i++)
		m->wanted.boards[i].interrupted = true;
}

/* The folder is ours for life: what two agents remember and write there would not agree. */
static int take_folder(struct gm_mig_manager *m, struct gm_err *err)
{
	int rc = m->owner_fd >= 0 ? 0 : gm_mig_lock(m->conf.state_dir, "mig-agent", &m->owner_fd, err);

	if (rc == 0 && !m->loaded) {
		load_wanted(m);
		m->loaded = true;
	}
	return rc;
}

static void start(struct gm_mig_manager *m)
{
	struct gm_mig_journal j = GM_MIG_JOURNAL_NONE;
	struct gm_err err = { 0 };
	int rc;

	m->ready = true;
	/* Who may only tell leaves the folder alone: it may be missing, or unwritable, or another agent's. */
	if (!m->conf.enabled) {
		load_wanted(m);
		enter_phase(m, GM_MIG_PHASE_IDLE);
		return;
	}
	rc = take_folder(m, &err);
	if (rc == 0)
		rc = gm_mig_journal_open(m->conf.state_dir, &j, m->past, &err);
	if (rc == GM_ERR_CORRUPT) {
		gm_error_err("journal of MIG changes", &err);
		enter_phase(m, GM_MIG_PHASE_IDLE);
	} else if (rc) {
		gm_mig_manager_not_ready(m, "%s", err.text);
	} else if (m->view->state != GM_AGENT_WORKING && m->past->begun && m->past->outcome == GM_MIG_OUTCOME_NONE) {
		gm_mig_manager_not_ready(m, "the MIG change %s is unfinished, and the driver is not there",
					 m->past->id);
	} else {
		decide(m, &j);
	}
	gm_mig_journal_close(&j);
}

static void wait_quiet(struct gm_mig_manager *m)
{
	struct gm_err err = { 0 };

	if (gm_samplers_quiet(m->conf.samplers)) {
		if (spawn(m, &err))
			gm_warn_err("cannot start the MIG worker", &err);
		return;
	}
	if (gm_mono_ms(m->conf.clock) - m->phase_since_ms < HOLD_LIMIT_MS)
		return;
	let_go(m);
	end_operation(m, GM_MIG_OP_UNDONE, GM_ERR_BUSY,
		      "our own readers did not let go of the driver: one of them hangs in a call");
	enter_phase(m, m->conf.job->kind == GM_MIG_RECOVER ? GM_MIG_PHASE_START : GM_MIG_PHASE_IDLE);
}

static void wait_settled(struct gm_mig_manager *m)
{
	const struct gm_mig_job *job = m->conf.job;
	bool fresh = true;

	for (uint32_t i = 0; i < job->count; i++) {
		int at = gm_mig_view_find(m->view, job->changes[i].uuid);

		fresh &= at >= 0 && m->view->boards[at].samples >= m->settle_samples[i] + 2;
	}
	if (!fresh && gm_mono_ms(m->conf.clock) - m->phase_since_ms <= SETTLE_LIMIT_MS)
		return;
	/* The journal has the last word, also of a worker that broke off. */
	enter_phase(m, GM_MIG_PHASE_START);
	start(m);
}

static void look_for_rivals(struct gm_mig_manager *m)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf found = { 0 };
	int64_t now = gm_mono_ms(m->conf.clock);

	m->rival_looked_ms = now ? now : 1;
	(void)gm_mig_rival_find(m->conf.host_root, &found);
	if (strcmp(m->rival, gm_buf_cstr(&found)) == 0)
		return;
	(void)gm_str_copy(gm_buf_str(&found), m->rival, sizeof(m->rival));
	gm_warn("another owner of MIG layouts", { "owner", m->rival[0] ? m->rival : "gone" });
}

static void look_for_rivals_now_and_then(struct gm_mig_manager *m)
{
	if (!m->rival_looked_ms || gm_mono_ms(m->conf.clock) - m->rival_looked_ms >= RIVAL_EVERY_MS)
		look_for_rivals(m);
}

static int answer_plan(struct gm_mig_manager *m, const struct gm_mig_ask *ask, struct gm_err *err)
{
	const struct gm_mig_request *req = ask->request;
	struct gm_json w;
	char id[GM_MIG_ID_SIZE];
	int rc;

	gm_mig_manager_new_id(m, id);
	if (m->plan->creates + m->plan->destroys + m->plan->switches > 0) {
		const struct gm_mig_begin begin = { .kind = GM_MIG_APPLY,
						    .id = id,
						    .remove_unused = req->remove_unused,
						    .keep = req->keep,
						    .changes = m->plan->changes,
						    .count = m->plan->count };
		rc = gm_mig_manager_begin(m, &begin, err);
		if (rc)
			return rc;
	} else {
		(void)pthread_mutex_lock(&m->mu);
		m->current = gm_mig_operations_add(&m->operations, id, GM_MIG_APPLY, gm_mig_manager_now(m));
		(void)pthread_mutex_unlock(&m->mu);
		atomic_store(&m->conf.job->step, 0);
		atomic_store(&m->conf.job->steps, 0);
		merge_wanted(m, NULL, req->keep, m->plan->changes, m->plan->count);
		end_operation(m, GM_MIG_OP_SUCCEEDED, 0, "all is as it should be already");
	}
	gm_json_init(&w, ask->out);
	(void)pthread_mutex_lock(&m->mu);
	gm_mig_operation_write(gm_mig_operations_find(&m->operations, gm_str(id)), m->conf.job, &w);
	(void)pthread_mutex_unlock(&m->mu);
	return 0;
}

static int answer(struct gm_mig_manager *m, const struct gm_mig_ask *ask, struct gm_err *err)
{
	struct gm_mig_owners owners = { 0 };
	int rc;

	if (m->phase == GM_MIG_PHASE_START)
		return gm_fail(err, GM_ERR_UNAVAILABLE, "MIG layouts cannot be changed yet: %s", m->why);
	if (m->view->state != GM_AGENT_WORKING)
		return gm_fail(err, GM_ERR_UNAVAILABLE, "the driver cannot be asked: %s",
			       gm_agent_state_name(m->view->state));
	if (m->phase != GM_MIG_PHASE_IDLE)
		return gm_fail(err, GM_ERR_CONFLICT, "the MIG change %s is under way", m->conf.job->id);
	/* One may have come a second ago. */
	look_for_rivals(m);
	owners.rival = m->rival[0] ? m->rival : NULL;
	for (uint32_t i = 0; i < m->wanted.count; i++) {
		int at = gm_mig_view_find(m->view, m->wanted.boards[i].uuid);

		if (at >= 0)
			owners.foreign[at] = m->wanted.boards[i].yielded;
	}
	rc = gm_mig_plan_make(ask->request, m->view, m->holders, &owners, m->plan, err);
	if (rc)
		return rc;
	if (ask->request->dry_run) {
		gm_mig_manager_plan_write(m->plan, ask->out);
		return 0;
	}
	if (!m->conf.enabled)
		return gm_fail(err, GM_ERR_FORBIDDEN, "this agent is set up to tell of MIG, not to change it");
	return answer_plan(m, ask, err);
}

static void answer_asks(struct gm_mig_manager *m)
{
	for (;;) {
		struct gm_mig_ask *ask;
		int rc;

		(void)pthread_mutex_lock(&m->mu);
		ask = m->asks;
		if (ask) {
			ask->taken = true;
			m->asks = ask->next;
		}
		(void)pthread_mutex_unlock(&m->mu);
		if (!ask)
			return;
		rc = answer(m, ask, &ask->err);
		(void)pthread_mutex_lock(&m->mu);
		ask->rc = rc;
		ask->answered = true;
		(void)pthread_cond_broadcast(&m->answered);
		(void)pthread_mutex_unlock(&m->mu);
	}
}

/* While a change of ours runs the layouts are in motion; only what is lost keeps the node from being ready. */
static void busy(struct gm_mig_manager *m)
{
	if (m->conf.job->kind == GM_MIG_APPLY)
		return;
	m->ready = true;
	gm_mig_manager_not_ready(m, "MIG layouts are being made again (operation %s)", m->conf.job->id);
}

void gm_mig_manager_tick(struct gm_mig_manager *m, const struct gm_agent_view *view, const struct gm_holders *holders)
{
	uint64_t woken;

	/* Empty already is as good. */
	if (read(m->event_fd, &woken, sizeof(woken)) < 0)
		woken = 0;
	m->view = view;
	m->holders = holders;
	look_for_rivals_now_and_then(m);
	switch (m->phase) {
	case GM_MIG_PHASE_START:
		start(m);
		break;
	case GM_MIG_PHASE_IDLE:
		break;
	case GM_MIG_PHASE_HOLDING:
		wait_quiet(m);
		busy(m);
		break;
	case GM_MIG_PHASE_RUNNING:
		busy(m);
		break;
	case GM_MIG_PHASE_SETTLING:
		wait_settled(m);
		break;
	}
	if (m->save_again_ms && gm_mono_ms(m->conf.clock) >= m->save_again_ms)
		gm_mig_manager_save(m);
	/* In the very turn that it becomes idle: nobody is told "ready" before the layouts were compared. */
	if (m->phase == GM_MIG_PHASE_IDLE)
		gm_mig_manager_watch(m);
	/* What is asked while the last change is still being read waits the moment. */
	if (m->phase != GM_MIG_PHASE_SETTLING)
		answer_asks(m);
}

bool gm_mig_manager_ready(const struct gm_mig_manager *m, const char **out_why)
{
	if (out_why)
		*out_why = m->ready ? NULL : m->why;
	return m->ready;
}

bool gm_mig_manager_works(const struct gm_mig_manager *m)
{
	return m->phase == GM_MIG_PHASE_RUNNING;
}

int gm_mig_manager_fd(const struct gm_mig_manager *m)
{
	return m->event_fd;
}

uint64_t gm_mig_manager_changes(struct gm_mig_manager *m)
{
	return atomic_load(&m->changes) + atomic_load(&m->conf.job->changed);
}

/* Out of the list again, when the main thread has not taken it. */
static bool withdraw(struct gm_mig_manager *m, struct gm_mig_ask *ask)
{
	if (ask->taken)
		return false;
	for (struct gm_mig_ask **p = &m->asks; *p; p = &(*p)->next) {
		if (*p == ask) {
			*p = ask->next;
			return true;
		}
	}
	return false;
}

static int wait_answer(struct gm_mig_manager *m, struct gm_mig_ask *ask, struct gm_err *err)
{
	struct timespec limit = { 0 };
	uint64_t one = 1;
	bool late = false;

	(void)clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_sec += ASK_LIMIT_S;
	(void)pthread_mutex_lock(&m->mu);
	struct gm_mig_ask **end = &m->asks;
	while (*end)
		end = &(*end)->next;
	*end = ask;
	if (write(m->event_fd, &one, sizeof(one)) < 0)
		late = false; /* it is readable already */
	while (!ask->answered) {
		if (pthread_cond_timedwait(&m->answered, &m->mu, &limit) == ETIMEDOUT && withdraw(m, ask)) {
			late = true;
			break;
		}
		if (ask->taken && !ask->answered)
			(void)pthread_cond_wait(&m->answered, &m->mu);
	}
	(void)pthread_mutex_unlock(&m->mu);
	if (late)
		return gm_fail(err, GM_ERR_DEADLINE,
			       "the request was not taken within %d s: the main loop is busy, or the last change is "
			       "still being read",
			       ASK_LIMIT_S);
	if (ask->rc && err)
		*err = ask->err;
	return ask->rc;
}

int gm_mig_manager_apply(struct gm_mig_manager *m, struct gm_str body, struct gm_buf *out, struct gm_err *err)
{
	struct gm_mig_request *request = gm_try_alloc(sizeof(*request));
	struct gm_mig_ask ask = { .request = request, .out = out };
	int rc = request ? gm_mig_request_parse(body, request, err)
			 : gm_fail(err, GM_ERR_NO_MEMORY, "no memory for the request");

	if (rc == 0)
		rc = wait_answer(m, &ask, err);
	free(request);
	return rc;
}

int gm_mig_manager_operation(struct gm_mig_manager *m, struct gm_str id, struct gm_buf *out, struct gm_err *err)
{
	struct gm_mig_operation *op;
	struct gm_json w;

	gm_json_init(&w, out);
	(void)pthread_mutex_lock(&m->mu);
	op = gm_mig_operations_find(&m->operations, id);
	if (op)
		gm_mig_operation_write(op, op == m->current ? m->conf.job : NULL, &w);
	(void)pthread_mutex_unlock(&m->mu);
	return op ? 0
		  : gm_fail(err, GM_ERR_NOT_FOUND, "no MIG operation '%.*s' is known (the last %d are)", GM_STR_ARG(id),
			    GM_MIG_OPERATIONS_MAX);
}

void gm_mig_manager_operations(struct gm_mig_manager *m, struct gm_buf *out)
{
	struct gm_json w;

	gm_json_init(&w, out);
	gm_json_object(&w);
	gm_json_key(&w, "operations");
	gm_json_array(&w);
	(void)pthread_mutex_lock(&m->mu);
	for (uint32_t i = 0; i < GM_MIG_OPERATIONS_MAX && i < m->operations.made; i++) {
		struct gm_mig_operation *op = m->operations.items[(m->operations.made - 1 - i) % GM_MIG_OPERATIONS_MAX];

		gm_mig_operation_write(op, op == m->current ? m->conf.job : NULL, &w);
	}
	(void)pthread_mutex_unlock(&m->mu);
	gm_json_end_array(&w);
	gm_json_end_object(&w);
}

int gm_mig_manager_new(const struct gm_mig_manager_conf *conf, struct gm_mig_manager **out, struct gm_err *err)
{
	struct gm_mig_manager *m = gm_xalloc(sizeof(*m));
	pthread_condattr_t attr;

	if (strlen(conf->state_dir) >= sizeof(conf->job->state_dir) - 32) {
		free(m);
		return gm_fail(err, GM_ERR_INVALID, "%s: the path of the state folder is too long", conf->state_dir);
	}
	m->conf = *conf;
	m->past = gm_xalloc(sizeof(*m->past));
	m->plan = gm_xalloc(sizeof(*m->plan));
	m->agent_state = GM_AGENT_STARTING;
	m->owner_fd = -1;
	(void)pthread_mutex_init(&m->mu, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&m->answered, &attr);
	(void)pthread_condattr_destroy(&attr);
	(void)gm_str_copy(GM_STR("the journal of MIG changes has not been looked at yet"), m->why, sizeof(m->why));
	m->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->event_fd < 0) {
		gm_mig_manager_free(m);
		return gm_fail(err, GM_ERR_IO, "no eventfd");
	}
	*out = m;
	return 0;
}

void gm_mig_manager_free(struct gm_mig_manager *m)
{
	if (!m)
		return;
	let_go(m);
	gm_mig_operations_fini(&m->operations);
	(void)pthread_cond_destroy(&m->answered);
	(void)pthread_mutex_destroy(&m->mu);
	gm_fd_close(m->event_fd);
	gm_fd_close(m->owner_fd);
	free(m->past);
	free(m->plan);
	free(m);
}
