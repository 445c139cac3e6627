/* SPDX-License-Identifier: MIT */
#include "app/agent/mig-carry.h"

#include <inttypes.h>

struct work {
	const struct gm_mig_driver *driver;
	struct gm_mig_journal *journal;
	struct gm_mig_job *job;
	uint32_t number; /* of the last step in the journal */
	/*
	 * The way back goes on without a journal that cannot be written: whoever reads it finds a change that was begun,
	 * and what is there by then.
	 */
	bool may_go_unwritten;
};

/* GPU instances as they are. Those without a compute instance are nobody's: no program can see them. */
struct seen {
	struct gm_mig_state full, empty;
	int full_gi[GM_MIG_INSTANCES_MAX], empty_gi[GM_MIG_INSTANCES_MAX];
};

static const struct gm_mig_state *target_of(const struct gm_mig_change *c, enum gm_mig_direction d)
{
	return d == GM_MIG_FORWARD ? &c->wanted : &c->before;
}

static bool ours(const struct gm_mig_change *c, const struct gm_mig_slice *slice)
{
	return gm_mig_state_has(&c->before, slice) || gm_mig_state_has(&c->wanted, slice);
}

static uint32_t units_of(const struct gm_mig_slice *s)
{
	return (uint32_t)(((UINT64_C(1) << s->size) - 1) << s->start);
}

static bool overlaps(const struct gm_mig_state *state, const struct gm_mig_slice *slice)
{
	for (unsigned i = 0; i < state->count; i++) {
		if (units_of(&state->slices[i]) & units_of(slice))
			return true;
	}
	return false;
}

static void name_slice(const struct gm_mig_change *c, struct gm_mig_slice *slice)
{
	const struct gm_mig_state *states[] = { &c->before, &c->wanted };

	(void)snprintf(slice->name, sizeof(slice->name), "profile-%d", slice->profile_id);
	for (size_t k = 0; k < GM_LEN(states); k++) {
		for (unsigned i = 0; i < states[k]->count; i++) {
			if (states[k]->slices[i].profile_id == slice->profile_id)
				memcpy(slice->name, states[k]->slices[i].name, sizeof(slice->name));
		}
	}
}

static int look(struct work *w, const struct gm_mig_change *c, struct seen *out, struct gm_err *err)
{
	struct gm_nvml_gpu_instance all[GM_NVML_GPU_INSTANCES_MAX];
	size_t count = 0;
	int rc;

	*out = (struct seen){ .full.on = c->on_now, .empty.on = c->on_now };
	if (!c->on_now)
		return 0;
	rc = w->driver->instances(w->driver->ctx, c->uuid, all, &count, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < count; i++) {
		bool is_full = all[i].compute_count > 0;
		struct gm_mig_state *s = is_full ? &out->full : &out->empty;
		int *gi = is_full ? out->full_gi : out->empty_gi;
		struct gm_mig_slice slice = { .profile_id = (int16_t)all[i].profile_id,
					      .start = (uint8_t)all[i].start,
					      .size = (uint8_t)all[i].size };

		if (s->count >= GM_MIG_INSTANCES_MAX || all[i].size < 1 || all[i].size > GM_MIG_UNITS_MAX ||
		    all[i].start < 0 || all[i].start > GM_MIG_UNITS_MAX - all[i].size)
			return gm_fail(err, GM_ERR_IO, "%s: the driver tells an impossible instance", c->uuid);
		name_slice(c, &slice);
		/* In the driver's order: the ids stand beside them. */
		s->slices[s->count] = slice;
		gi[s->count++] = all[i].gi;
	}
	return 0;
}

/* Whatever is there must be of the plan, or out of its way. */
static int check_seen(const struct work *w, const struct gm_mig_change *c, const struct seen *seen,
		      enum gm_mig_direction d, struct gm_err *err)
{
	for (unsigned i = 0; i < seen->full.count; i++) {
		const struct gm_mig_slice *s = &seen->full.slices[i];

		if (!ours(c, s))
			return gm_fail(err, GM_ERR_CONFLICT,
				       "%s: %s@%u is of neither the old nor the new layout: somebody else changes it",
				       c->uuid, s->name, s->start);
	}
	for (unsigned i = 0; i < seen->empty.count; i++) {
		const struct gm_mig_slice *s = &seen->empty.slices[i];

		if (!ours(c, s) && !w->job->remove_unused && overlaps(target_of(c, d), s))
			return gm_fail(
				err, GM_ERR_CONFLICT,
				"%s: an empty GPU instance (%s@%u, no compute instance) is in the way, and unused "
				"slices may not be removed",
				c->uuid, s->name, s->start);
	}
	return 0;
}

/* Steps for empty instances that go, then the rest. */
static size_t plan_board(const struct work *w, const struct gm_mig_change *c, const struct seen *seen,
			 enum gm_mig_direction d,
			 struct gm_mig_step out[static GM_MIG_INSTANCES_MAX + GM_MIG_STEPS_MAX])
{
	const struct gm_mig_state *target = target_of(c, d);
	size_t n = 0;

	for (unsigned i = 0; i < seen->empty.count; i++) {
		const struct gm_mig_slice *s = &seen->empty.slices[i];

		if (ours(c, s) || !target->on || (w->job->remove_unused && overlaps(target, s)))
			out[n++] = (struct gm_mig_step){ .verb = GM_MIG_DESTROY, .slice = *s };
	}
	return n + gm_mig_steps(&seen->full, target, out + n);
}

static int find_gi(const struct seen *seen, const struct gm_mig_slice *slice)
{
	for (unsigned i = 0; i < seen->empty.count; i++) {
		if (gm_mig_slice_same(&seen->empty.slices[i], slice))
			return seen->empty_gi[i];
	}
	for (unsigned i = 0; i < seen->full.count; i++) {
		if (gm_mig_slice_same(&seen->full.slices[i], slice))
			return seen->full_gi[i];
	}
	return -1;
}

static int switch_mode(struct work *w, struct gm_mig_change *c, bool on, struct gm_err *err)
{
	int active = 0, why = 0, ignored_active, ignored_why;
	int rc = w->driver->set_mode(w->driver->ctx, c->uuid, on, &active, &why, err);

	if (rc)
		return rc;
	if (active) {
		c->on_now = on;
		return 0;
	}
	/* Accepted, but only after a reset: what is pending would surprise whoever resets the board next. */
	(void)w->driver->set_mode(w->driver->ctx, c->uuid, !on, &ignored_active, &ignored_why, NULL);
	return gm_fail(err, GM_ERR_CONFLICT, "%s: MIG mode cannot be switched %s now: %s", c->uuid, on ? "on" : "off",
		       gm_nvml_result_name(why));
}

static int do_step(struct work *w, struct gm_mig_change *c, const struct seen *seen, const struct gm_mig_step *step,
		   struct gm_err *err)
{
	const struct gm_mig_driver *d = w->driver;

	switch (step->verb) {
	case GM_MIG_NOTHING:
		return 0;
	case GM_MIG_MODE_ON:
		return switch_mode(w, c, true, err);
	case GM_MIG_MODE_OFF:
		return switch_mode(w, c, false, err);
	case GM_MIG_DESTROY:
		return d->destroy(d->ctx, c->uuid, find_gi(seen, &step->slice), err);
	case GM_MIG_CREATE:
		return d->create(d->ctx, c->uuid, &step->slice, err);
	}
	return 0;
}

static void tell_step(struct work *w, unsigned board, const struct gm_mig_step *step)
{
	atomic_store(&w->job->now, gm_mig_job_pack(board, step));
	atomic_fetch_add(&w->job->step, 1);
	atomic_fetch_add(&w->job->changed, 1);
}

static int run_step(struct work *w, unsigned board, const struct seen *seen, const struct gm_mig_step *step,
		    struct gm_err *err)
{
	struct gm_mig_change *c = &w->job->changes[board];
	int rc = gm_mig_journal_step(w->journal, w->number + 1, c->uuid, step, err);
	bool written = rc == 0;

	if (!written && !w->may_go_unwritten)
		return rc;
	w->number += written;
	tell_step(w, board, step);
	rc = do_step(w, c, seen, step, err);
	if (rc == 0) {
		if (written)
			rc = gm_mig_journal_done(w->journal, w->number, err);
		return w->may_go_unwritten ? 0 : rc;
	}
	if (step->verb == GM_MIG_CREATE || step->verb == GM_MIG_DESTROY)
		gm_err_wrap(err, "%s %s@%u on %s", gm_mig_verb_name(step->verb), step->slice.name, step->slice.start,
			    c->uuid);
	return rc;
}

static int change_board(struct work *w, unsigned board, enum gm_mig_direction d, struct gm_err *err)
{
	struct gm_mig_step steps[GM_MIG_INSTANCES_MAX + GM_MIG_STEPS_MAX];
	const struct gm_mig_change *c = &w->job->changes[board];
	struct seen seen;
	size_t count;
	int rc = look(w, c, &seen, err);

	if (rc == 0)
		rc = check_seen(w, c, &seen, d, err);
	if (rc)
		return rc;
	count = plan_board(w, c, &seen, d, steps);
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = run_step(w, board, &seen, &steps[i], err);
	if (rc || count == 0)
		return rc;
	rc = look(w, c, &seen, err);
	if (rc == 0 && !gm_mig_state_same(&seen.full, target_of(c, d)))
		rc = gm_fail(err, GM_ERR_IO, "%s: the driver shows another layout than was made", c->uuid);
	return rc;
}

/* The first of several failures is the one that is told. */
static void keep_first(int *rc, struct gm_err *err, int other, const struct gm_err *why)
{
	if (*rc || !other)
		return;
	*rc = other;
	*err = *why;
}

/* All boards are looked at before the first is touched. */
static int count_steps(struct work *w, enum gm_mig_direction d, struct gm_err *err)
{
	struct gm_mig_step steps[GM_MIG_INSTANCES_MAX + GM_MIG_STEPS_MAX];
	uint32_t all = 0;
	int rc = 0;

	for (unsigned i = 0; i < w->job->count; i++) {
		struct gm_err why = { 0 };
		struct seen seen;
		int one = look(w, &w->job->changes[i], &seen, &why);

		if (one == 0)
			one = check_seen(w, &w->job->changes[i], &seen, d, &why);
		if (one == 0)
			all += (uint32_t)plan_board(w, &w->job->changes[i], &seen, d, steps);
		keep_first(&rc, err, one, &why);
	}
	atomic_store(&w->job->steps, atomic_load(&w->job->step) + all);
	return rc;
}

static int go_forward(struct work *w, struct gm_err *err)
{
	int rc = count_steps(w, GM_MIG_FORWARD, err);

	for (unsigned i = 0; i < w->job->count && rc == 0; i++)
		rc = change_board(w, i, GM_MIG_FORWARD, err);
	return rc;
}

/* Each board for itself: one that cannot be brought back does not keep the others from it. */
static int bring_back(struct work *w, struct gm_err *err)
{
	int rc = 0;

	(void)count_steps(w, GM_MIG_BACKWARD, err);
	gm_err_reset(err);
	for (unsigned i = 0; i < w->job->count; i++) {
		struct gm_err why = { 0 };
		int one = change_board(w, i, GM_MIG_BACKWARD, &why);

		keep_first(&rc, err, one, &why);
	}
	return rc;
}

static void finish(struct work *w, enum gm_mig_outcome outcome, int code, const char *text)
{
	struct gm_err err = { 0 };

	/* The boards are as they are; the agent writes it down when the journal can be written again. */
	if (gm_mig_journal_end(w->journal, outcome, text, &err) && code == 0) {
		code = err.code;
		text = err.text;
	}
	w->job->code = code;
	(void)gm_str_copy(gm_str(text), w->job->text, sizeof(w->job->text));
	atomic_store(&w->job->outcome, outcome);
}

static void go_back(struct work *w, const struct gm_err *why, bool said)
{
	struct gm_err err = { 0 };
	char text[sizeof(w->job->text)];

	atomic_store(&w->job->going_back, 1);
	w->may_go_unwritten = true;
	if (!said && gm_mig_journal_back(w->journal, why->text, &err))
		gm_err_reset(&err);
	if (bring_back(w, &err) == 0) {
		finish(w, GM_MIG_OUTCOME_OLD, why->code, why->text);
		return;
	}
	(void)snprintf(text, sizeof(text), "%.180s; and back: %.180s", why->text, err.text);
	finish(w, GM_MIG_OUTCOME_STUCK, why->code ? why->code : err.code, text);
}

void gm_mig_carry_out(const struct gm_mig_driver *driver, struct gm_mig_journal *journal,
		      const struct gm_mig_past *past, struct gm_mig_job *job)
{
	struct work w = { .driver = driver, .journal = journal, .job = job };
	bool recover = job->kind == GM_MIG_RECOVER;
	struct gm_err err = { 0 };
	int rc = 0;

	if (recover)
		w.number = past->begun;
	else
		rc = count_steps(&w, GM_MIG_FORWARD, &err);
	if (rc == 0 && !recover)
		rc = gm_mig_journal_begin(journal, job, &err);
	if (rc) {
		/* Nothing was touched, and the journal has no such change. */
		job->code = rc;
		(void)gm_str_copy(gm_str(err.text), job->text, sizeof(job->text));
		atomic_store(&job->outcome, GM_MIG_OUTCOME_OLD);
		return;
	}
	if (recover && job->direction == GM_MIG_BACKWARD) {
		(void)gm_fail(&err, 0, "undone at the next start");
		go_back(&w, &err, past->back);
		return;
	}
	if (go_forward(&w, &err) == 0)
		finish(&w, GM_MIG_OUTCOME_NEW, 0, recover ? "finished at the next start" : "");
	else
		go_back(&w, &err, false);
}
