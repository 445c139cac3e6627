/* SPDX-License-Identifier: MIT */
#include "app/agent/mig-manager-internal.h"

#include <inttypes.h>

#include "base/log.h"

/* A reading that began before a change shows the old layout: a difference counts when two more have shown it. */
#define DIFFERS_AFTER_SAMPLES 2
#define RESTORE_AGAIN_MS 5000
#define RESTORE_AGAIN_MAX_MS 300000

/* Where a board was out of sight, or the driver was, instances may be gone without anybody having removed them. */
static void note_interruptions(struct gm_mig_manager *m)
{
	const struct gm_agent_view *v = m->view;
	bool all = v->child_starts != m->child_starts || v->state != GM_AGENT_WORKING ||
		   m->agent_state != GM_AGENT_WORKING;

	m->child_starts = v->child_starts;
	m->agent_state = v->state;
	for (uint32_t i = 0; i < m->wanted.count; i++) {
		int at = gm_mig_view_find(v, m->wanted.boards[i].uuid);

		if (all || at < 0 || v->boards[at].state != GM_BOARD_OK)
			m->wanted.boards[i].interrupted = true;
	}
}

static void yield_board(struct gm_mig_manager *m, struct gm_mig_wanted_board *w)
{
	gm_warn("MIG layout changed by somebody else, not touched any more", { "gpu", w->uuid });
	w->yielded = true;
	gm_mig_manager_save(m);
}

/* True when it is gone and is to be made again: *out is then the change. */
static bool check_wanted(struct gm_mig_manager *m, struct gm_mig_wanted_board *w, struct gm_mig_change *out)
{
	int at = gm_mig_view_find(m->view, w->uuid);
	const struct gm_agent_board *ab = at < 0 ? NULL : &m->view->boards[at];
	struct gm_mig_board b;

	if (ab ? ab->state == GM_BOARD_LOST : gm_mig_view_whole(m->view)) {
		/* Taken out, or fallen off the bus: nothing can be placed on it, so nothing waits for it. */
		if (!w->absent)
			gm_warn("a GPU with a wanted MIG layout is not there", { "gpu", w->uuid },
				{ "state", ab ? gm_board_state_name(ab->state) : "absent" });
		w->absent = true;
		return false;
	}
	w->absent = false;
	if (!ab || ab->state != GM_BOARD_OK || !gm_mig_board_init(&b, &ab->reading)) {
		if (!w->yielded)
			gm_mig_manager_not_ready(m, "%s: its MIG layout cannot be seen: the board is %s", w->uuid,
						 ab ? gm_board_state_name(ab->state) : "not there");
		return false;
	}
	*out = (struct gm_mig_change){ .wanted = w->state, .on_now = b.on };
	gm_mig_board_state(&b, &out->before);
	if (b.known && gm_mig_state_same(&out->before, &w->state)) {
		w->interrupted = false;
		w->differs_at_sample = 0;
		w->restores = 0;
		if (w->yielded) {
			w->yielded = false;
			gm_mig_manager_save(m);
		}
		return false;
	}
	if (w->yielded)
		return false;
	if (!b.known) {
		gm_mig_manager_not_ready(m, "%s: the driver does not tell the place of every instance", w->uuid);
		return false;
	}
	/*
	 * Gone while nobody looked: lost, not taken away. Whether it is true the worker sees for itself. A mode that is
	 * off where it survives all but a switch (Ampere) was switched off by somebody.
	 */
	if (w->interrupted && b.layout.count == 0 && w->state.on && (b.on || ab->reading.facts.mig_resetless == 1)) {
		memcpy(out->uuid, w->uuid, sizeof(out->uuid));
		out->resets = !b.on && ab->reading.facts.mig_resetless != 1;
		return true;
	}
	if (w->differs_at_sample == 0)
		w->differs_at_sample = ab->samples ? ab->samples : 1;
	if (ab->samples < w->differs_at_sample + DIFFERS_AFTER_SAMPLES) {
		gm_mig_manager_not_ready(m, "%s: its MIG layout is not the wanted one", w->uuid);
		return false;
	}
	yield_board(m, w);
	return false;
}

/*
 * Of the boards that lost their layout those to restore now, moved to the front: all that were not tried yet; else one
 * alone, so that a board which refuses does not keep the others from theirs. Each try counts until the layout is there.
 */
static uint32_t choose(struct gm_mig_wanted_board *const *lost, struct gm_mig_change *changes, uint32_t count,
		       int64_t now)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (lost[i]->restores > 0)
			continue;
		lost[i]->restores = 1;
		lost[i]->restore_not_before_ms = now;
		changes[n++] = changes[i];
	}
	for (uint32_t i = 0; i < count && n == 0; i++) {
		struct gm_mig_wanted_board *w = lost[i];
		int64_t wait = (int64_t)RESTORE_AGAIN_MS << (w->restores < 7 ? w->restores - 1 : 6);

		if (now < w->restore_not_before_ms)
			continue;
		w->restores++;
		w->restore_not_before_ms = now + (wait < RESTORE_AGAIN_MAX_MS ? wait : RESTORE_AGAIN_MAX_MS);
		changes[n++] = changes[i];
	}
	return n;
}

static void restore(struct gm_mig_manager *m, struct gm_mig_wanted_board *const *lost, struct gm_mig_change *changes,
		    uint32_t count)
{
	char id[GM_MIG_ID_SIZE];
	struct gm_err err = { 0 };
	uint32_t n;

	if (m->rival[0]) {
		/* The owner that is seen will do as he likes: to make our layout beside him would be a fight. */
		return;
	}
	gm_mig_manager_not_ready(m, "%s: its MIG layout was lost and is to be made again", changes[0].uuid);
	n = choose(lost, changes, count, gm_mono_ms(m->conf.clock));
	if (n == 0)
		return;
	gm_mig_manager_new_id(m, id);
	gm_info("MIG layout lost, made again", { "operation", id }, { "gpu", changes[0].uuid },
		GM_LOG_INT("boards", n));
	const struct gm_mig_begin begin = {
		.kind = GM_MIG_RESTORE, .id = id, .keep = true, .changes = changes, .count = n
	};
	if (gm_mig_manager_begin(m, &begin, &err))
		gm_warn_err("cannot restore MIG layouts", &err);
}

void gm_mig_manager_watch(struct gm_mig_manager *m)
{
	struct gm_mig_wanted_board *lost[GM_MIG_BOARDS_MAX];
	struct gm_mig_change *changes = m->plan->changes;
	uint32_t count = 0;

	m->ready = true;
	m->why[0] = '\0';
	if (!m->conf.enabled)
		return;
	note_interruptions(m);
	if (m->view->state != GM_AGENT_WORKING && m->wanted.count) {
		gm_mig_manager_not_ready(m, "the wanted MIG layouts cannot be seen: %s",
					 gm_agent_state_name(m->view->state));
		return;
	}
	for (uint32_t i = 0; i < m->wanted.count; i++) {
		if (check_wanted(m, &m->wanted.boards[i], &changes[count]))
			lost[count++] = &m->wanted.boards[i];
	}
	if (count)
		restore(m, lost, changes, count);
}
