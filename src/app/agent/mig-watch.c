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
		if (w->yielded) {
			w->yielded = false;
			gm_mig_manager_save(m);
		}
		return false;
	}
	if (w->yielded)
		return false;
	/* Gone while nobody looked: lost, not taken away. Whether it is true the worker sees for itself. */
	if (w->interrupted && b.known && b.layout.count == 0 && w->state.on) {
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

static void restore(struct gm_mig_manager *m, const struct gm_mig_change *changes, uint32_t count)
{
	int64_t now = gm_mono_ms(m->conf.clock);
	char id[GM_MIG_ID_SIZE];
	struct gm_err err = { 0 };

	if (m->rival[0]) {
		/* The owner that is seen will do as he likes: to make our layout beside him would be a fight. */
		return;
	}
	gm_mig_manager_not_ready(m, "%s: its MIG layout was lost and is to be made again", changes[0].uuid);
	if (!m->conf.enabled || m->view->state != GM_AGENT_WORKING || now < m->restore_not_before_ms)
		return;
	gm_mig_manager_new_id(m, id);
	gm_info("MIG layout lost, made again", { "operation", id }, { "gpu", changes[0].uuid },
		GM_LOG_INT("boards", count));
	const struct gm_mig_begin begin = {
		.kind = GM_MIG_RESTORE, .id = id, .keep = true, .changes = changes, .count = count
	};
	if (gm_mig_manager_begin(m, &begin, &err))
		gm_warn_err("cannot restore MIG layouts", &err);
	/* Taken back when it succeeds. */
	m->restore_not_before_ms = now + (RESTORE_AGAIN_MS << (m->restore_failures < 6 ? m->restore_failures : 6));
	if (m->restore_not_before_ms > now + RESTORE_AGAIN_MAX_MS)
		m->restore_not_before_ms = now + RESTORE_AGAIN_MAX_MS;
	m->restore_failures++;
}

void gm_mig_manager_watch(struct gm_mig_manager *m)
{
	uint32_t lost = 0;

	note_interruptions(m);
	m->ready = true;
	m->why[0] = '\0';
	if (m->view->state != GM_AGENT_WORKING && m->wanted.count) {
		gm_mig_manager_not_ready(m, "the wanted MIG layouts cannot be seen: %s",
					 gm_agent_state_name(m->view->state));
		return;
	}
	for (uint32_t i = 0; i < m->wanted.count; i++)
		lost += check_wanted(m, &m->wanted.boards[i], &m->plan->changes[lost]);
	if (lost)
		restore(m, m->plan->changes, lost);
}
