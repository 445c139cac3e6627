/* SPDX-License-Identifier: MIT */
#include "app/agent/mig-operation.h"

#include <stdarg.h>
#include <stdlib.h>

#include "app/agent/mig-journal.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/err.h"

static const char *const state_names[] = { "waiting", "running", "succeeded", "undone", "stuck" };

const char *gm_mig_op_state_name(enum gm_mig_op_state s)
{
	return (size_t)s < GM_LEN(state_names) ? state_names[s] : "";
}

struct gm_mig_operation *gm_mig_operations_add(struct gm_mig_operations *ops, const char *id, enum gm_mig_kind kind,
					       int64_t now_ms)
{
	struct gm_mig_operation **place = &ops->items[ops->made++ % GM_MIG_OPERATIONS_MAX];

	if (!*place)
		*place = gm_xalloc(sizeof(**place));
	**place = (struct gm_mig_operation){ .kind = kind, .created_ms = now_ms };
	(void)gm_str_copy(gm_str(id), (*place)->id, sizeof((*place)->id));
	return *place;
}

struct gm_mig_operation *gm_mig_operations_find(struct gm_mig_operations *ops, struct gm_str id)
{
	for (size_t i = 0; i < GM_MIG_OPERATIONS_MAX; i++) {
		if (ops->items[i] && gm_str_is(id, ops->items[i]->id))
			return ops->items[i];
	}
	return NULL;
}

void gm_mig_operations_fini(struct gm_mig_operations *ops)
{
	for (size_t i = 0; i < GM_MIG_OPERATIONS_MAX; i++)
		free(ops->items[i]);
	*ops = (struct gm_mig_operations){ 0 };
}

void gm_mig_operation_say(struct gm_mig_operation *op, int64_t now_ms, const char *fmt, ...)
{
	va_list args;
	size_t at = op->message_count++ % GM_MIG_MESSAGES_MAX;

	op->messages[at].at_ms = now_ms;
	va_start(args, fmt);
	(void)vsnprintf(op->messages[at].text, sizeof(op->messages[at].text), fmt, args);
	va_end(args);
}

static const char *slice_name(const struct gm_mig_change *c, const struct gm_mig_slice *slice)
{
	const struct gm_mig_state *states[] = { &c->before, &c->wanted };

	for (size_t k = 0; k < GM_LEN(states); k++) {
		for (unsigned i = 0; i < states[k]->count; i++) {
			if (states[k]->slices[i].profile_id == slice->profile_id)
				return states[k]->slices[i].name;
		}
	}
	return NULL;
}

static void write_now(struct gm_mig_job *job, struct gm_json *w)
{
	struct gm_mig_step step;
	unsigned board = gm_mig_job_unpack(atomic_load(&job->now), &step);
	uint32_t call = atomic_load(&job->in_call);

	gm_json_key(w, "now");
	if (step.verb == GM_MIG_NOTHING || board >= job->count) {
		gm_json_null(w);
		return;
	}
	gm_json_object(w);
	gm_json_kcstr(w, "action", gm_mig_verb_name(step.verb));
	gm_json_kcstr(w, "device", job->changes[board].uuid);
	if (step.verb == GM_MIG_CREATE || step.verb == GM_MIG_DESTROY) {
		gm_json_kcstr(w, "profile", slice_name(&job->changes[board], &step.slice));
		gm_json_ki64(w, "placement", step.slice.start);
	}
	/* A driver call that lasts: seen here, and never cut short. */
	gm_json_kfixed(w, "callSeconds",
		       call ? (gm_clock_mono_ns() - (int64_t)atomic_load(&job->call_began_ns)) / 1000000 : 0, 3);
	gm_json_end_object(w);
}

static void write_messages(const struct gm_mig_operation *op, struct gm_json *w)
{
	uint32_t first = op->message_count > GM_MIG_MESSAGES_MAX ? op->message_count - GM_MIG_MESSAGES_MAX : 0;

	gm_json_key(w, "messages");
	gm_json_array(w);
	for (uint32_t i = first; i < op->message_count; i++) {
		gm_json_object(w);
		gm_json_ktime(w, "at", op->messages[i % GM_MIG_MESSAGES_MAX].at_ms);
		gm_json_kcstr(w, "text", op->messages[i % GM_MIG_MESSAGES_MAX].text);
		gm_json_end_object(w);
	}
	gm_json_end_array(w);
}

void gm_mig_operation_write(const struct gm_mig_operation *op, struct gm_mig_job *job, struct gm_json *w)
{
	bool running = job && op->state == GM_MIG_OP_RUNNING;

	gm_json_object(w);
	gm_json_kcstr(w, "id", op->id);
	gm_json_kcstr(w, "kind", gm_mig_kind_name(op->kind));
	gm_json_kcstr(w, "state", gm_mig_op_state_name(op->state));
	gm_json_kbool(w, "done", op->state >= GM_MIG_OP_SUCCEEDED);
	gm_json_kbool(w, "goingBack", running ? atomic_load(&job->going_back) != 0 : op->going_back);
	gm_json_ku64(w, "step", running ? atomic_load(&job->step) : op->step);
	gm_json_ku64(w, "steps", running ? atomic_load(&job->steps) : op->steps);
	gm_json_kbool(w, "resets", op->resets);
	gm_json_ktime(w, "createdAt", op->created_ms);
	gm_json_ktime(w, "endedAt", op->ended_ms);
	gm_json_kcstr(w, "code", op->code ? gm_err_name(op->code) : NULL);
	gm_json_key(w, "devices");
	gm_json_array(w);
	for (uint32_t i = 0; i < op->board_count; i++)
		gm_json_cstr(w, op->boards[i].uuid);
	gm_json_end_array(w);
	if (running)
		write_now(job, w);
	else
		gm_json_knull(w, "now");
	write_messages(op, w);
	gm_json_end_object(w);
}
