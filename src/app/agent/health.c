/* SPDX-License-Identifier: MIT */
#include "app/agent/health.h"

#include "adapter/nvml/nvml.h"
#include "base/json.h"

/* A reading is fresh for some rounds, and a few seconds where rounds are short: missing one is no illness. */
#define FRESH_ROUNDS 5
#define FRESH_LEAST_MS 5000

static bool is_fresh(const struct gm_agent_view *view, const struct gm_agent_board *b, int64_t interval_ms)
{
	int64_t most = interval_ms * FRESH_ROUNDS;

	if (most < FRESH_LEAST_MS)
		most = FRESH_LEAST_MS;
	return b->reading.sample.at_ms >= view->at_ms - most;
}

static bool board_ok(const struct gm_agent_view *view, const struct gm_agent_board *b, int64_t interval_ms)
{
	return b->state == GM_BOARD_OK && is_fresh(view, b, interval_ms);
}

static unsigned count_ok(const struct gm_agent_view *view, int64_t interval_ms)
{
	unsigned n = 0;

	for (unsigned i = 0; i < view->board_count; i++)
		n += board_ok(view, &view->boards[i], interval_ms);
	return n;
}

bool gm_health_ok(const struct gm_agent_view *view, int64_t interval_ms)
{
	return view->state == GM_AGENT_WORKING && count_ok(view, interval_ms) == view->board_count;
}

static void write_problem(struct gm_json *w, const struct gm_agent_board *b)
{
	const struct gm_reading_facts *f = &b->reading.facts;

	gm_json_object(w);
	gm_json_kcstr(w, "uuid", f->uuid[0] ? f->uuid : NULL);
	gm_json_key(w, "index");
	if (f->index >= 0)
		gm_json_i64(w, f->index);
	else
		gm_json_null(w);
	gm_json_kcstr(w, "pciBusId", f->pci_bus_id[0] ? f->pci_bus_id : NULL);
	gm_json_kcstr(w, "serial", f->serial[0] ? f->serial : NULL);
	gm_json_kcstr(w, "state", b->state == GM_BOARD_OK ? "stale" : gm_board_state_name(b->state));
	gm_json_ktime(w, "since", b->since_ms);
	gm_json_ktime(w, "sampledAt", b->reading.sample.at_ms);
	if (b->state == GM_BOARD_HUNG)
		gm_json_kcstr(w, "call", gm_nvml_symbol_name(b->hung_call));
	if (b->state == GM_BOARD_LOST || b->state == GM_BOARD_FAILED)
		gm_json_kcstr(w, "result", gm_nvml_result_name(b->reading.rc));
	gm_json_end_object(w);
}

static void write_state(struct gm_json *w, const struct gm_agent_view *view, const char *status,
			enum gm_health_detail detail)
{
	gm_json_kcstr(w, "status", status);
	if (detail == GM_HEALTH_BRIEF)
		return;
	gm_json_kcstr(w, "state", gm_agent_state_name(view->state));
	gm_json_kcstr(w, "reason", view->state != GM_AGENT_WORKING && view->reason[0] ? view->reason : NULL);
	gm_json_ktime(w, "since", view->state_since_ms);
	if (view->state == GM_AGENT_PAUSED)
		gm_json_ktime(w, "pausedUntil", view->paused_until_ms);
}

/* Whoever wants the driver for himself waits for "paused": until then a process of ours has it open. */
static const char *pause_status(const struct gm_agent_view *view)
{
	return view->children || view->abandoned ? "pausing" : "paused";
}

static void write_problems(struct gm_json *w, const struct gm_agent_view *view, int64_t interval_ms)
{
	gm_json_key(w, "problems");
	gm_json_array(w);
	/* While nothing is read at all, that is the problem, and not each board's. */
	for (unsigned i = 0; view->state == GM_AGENT_WORKING && i < view->board_count; i++)
		if (!board_ok(view, &view->boards[i], interval_ms))
			write_problem(w, &view->boards[i]);
	gm_json_end_array(w);
}

int gm_health_write(const struct gm_agent_view *view, int64_t interval_ms, enum gm_health_detail detail,
		    struct gm_buf *out)
{
	const unsigned well = view->state == GM_AGENT_WORKING ? count_ok(view, interval_ms) : 0;
	const bool ok = gm_health_ok(view, interval_ms);
	struct gm_json w;

	gm_json_init(&w, out);
	gm_json_object(&w);
	write_state(&w, view, ok ? "ok" : view->state == GM_AGENT_PAUSED ? pause_status(view) : "failing", detail);
	if (detail == GM_HEALTH_WHOLE) {
		gm_json_ktime(&w, "at", view->at_ms);
		gm_json_kcstr(&w, "version", GM_VERSION);
	}
	gm_json_key(&w, "boards");
	gm_json_object(&w);
	gm_json_ki64(&w, "total", view->board_count);
	gm_json_ki64(&w, "ok", well);
	gm_json_end_object(&w);
	if (detail == GM_HEALTH_WHOLE)
		write_problems(&w, view, interval_ms);
	gm_json_end_object(&w);
	return ok ? 200 : 503;
}

int gm_ready_write(const struct gm_agent_view *view, const char *mig_why, enum gm_health_detail detail,
		   struct gm_buf *out)
{
	const bool ready = view->round > 0 && !mig_why;
	struct gm_json w;

	gm_json_init(&w, out);
	gm_json_object(&w);
	write_state(&w, view, ready ? "ready" : "waiting", detail);
	gm_json_kbool(&w, "firstRound", view->round > 0);
	gm_json_kbool(&w, "migLayout", !mig_why);
	if (detail == GM_HEALTH_WHOLE)
		gm_json_kcstr(&w, "migReason", mig_why);
	gm_json_end_object(&w);
	return ready ? 200 : 503;
}
