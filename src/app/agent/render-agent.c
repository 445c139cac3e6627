/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <string.h>

#include "adapter/scrape/agent-format.h"
#include "app/agent/mig-manager.h"
#include "app/agent/render-internal.h"

#define P GM_AGENT_PREFIX

/* What is told of a board beside its samples: one row a family, straight from the view. */
enum fact_type { I32, I64, U64, BOOL };
enum fact_scope {
	ALWAYS,	 /* counted by us, or a fact that outlives a pause */
	MEASURED /* only while values are shown */
};
struct fact {
	const char *name;
	enum gm_promtext_type type;
	enum fact_scope scope;
	enum fact_type in;
	size_t offset; /* in struct gm_agent_board */
	int64_t least; /* less is "not told" */
	int64_t mul;
	unsigned decimals;
	const char *help;
};

#define AT(member) offsetof(struct gm_agent_board, member)
#define FACT(member) AT(reading.facts.member)
#define READ(member) AT(reading.member)
#define COLD (-300) /* no temperature, and no margin, is less */
static const struct fact facts[] = {
	{ P "device_samples_total", GM_PROMTEXT_COUNTER, ALWAYS, U64, AT(samples), 0, 1, 0,
	  "Rounds in which the board was read in time" },
	{ P "device_missed_samples_total", GM_PROMTEXT_COUNTER, ALWAYS, U64, AT(missed), 0, 1, 0,
	  "Rounds in which it was not" },
	{ P "device_hangs_total", GM_PROMTEXT_COUNTER, ALWAYS, U64, AT(hangs), 0, 1, 0,
	  "Driver calls that did not return in time" },
	{ P "xid_last_timestamp_seconds", GM_PROMTEXT_GAUGE, ALWAYS, I64, AT(xid_at_ms), 1, 1, 3,
	  "When the last XID error was reported" },
	{ GM_AGENT_MEMORY_TOTAL, GM_PROMTEXT_GAUGE, ALWAYS, I64, FACT(memory_total_bytes), 1, 1, 0,
	  "Device memory there is" },
	{ GM_AGENT_TEMPERATURE_LIMIT, GM_PROMTEXT_GAUGE, ALWAYS, I32, FACT(temp_slowdown_c), 1, 1, 0,
	  "Temperature at which the board slows down" },
	{ P "temperature_shutdown_celsius", GM_PROMTEXT_GAUGE, ALWAYS, I32, FACT(temp_shutdown_c), 1, 1, 0,
	  "Temperature at which the board shuts down" },
	{ P "temperature_operating_limit_celsius", GM_PROMTEXT_GAUGE, ALWAYS, I32, FACT(temp_gpu_max_c), 1, 1, 0,
	  "Temperature the board is kept below" },
	{ P "memory_temperature_limit_celsius", GM_PROMTEXT_GAUGE, ALWAYS, I32, FACT(temp_memory_max_c), 1, 1, 0,
	  "Temperature the device memory is kept below" },
	{ P "temperature_margin_celsius", GM_PROMTEXT_GAUGE, MEASURED, I32, READ(margin_c), COLD, 1, 0,
	  "Degrees left until the board slows down" },
	{ P "temperature_margin_slowdown_celsius", GM_PROMTEXT_GAUGE, ALWAYS, I32, FACT(tlimit_slowdown_c), COLD, 1, 0,
	  "Margin at which the board slows down hard" },
	{ P "temperature_margin_shutdown_celsius", GM_PROMTEXT_GAUGE, ALWAYS, I32, FACT(tlimit_shutdown_c), COLD, 1, 0,
	  "Margin at which the board shuts down" },
	{ P "temperature_margin_memory_celsius", GM_PROMTEXT_GAUGE, ALWAYS, I32, FACT(tlimit_memory_c), COLD, 1, 0,
	  "Margin at which the memory is at its limit" },
	{ P "temperature_margin_operating_celsius", GM_PROMTEXT_GAUGE, ALWAYS, I32, FACT(tlimit_gpu_c), COLD, 1, 0,
	  "Margin at which the board begins to slow down" },
	{ P "power_limit_default_watts", GM_PROMTEXT_GAUGE, ALWAYS, I64, FACT(power_default_mw), 0, 1, 3,
	  "Power limit the board comes with" },
	{ P "power_limit_min_watts", GM_PROMTEXT_GAUGE, ALWAYS, I64, FACT(power_min_mw), 0, 1, 3,
	  "Least power limit that can be set" },
	{ P "power_limit_max_watts", GM_PROMTEXT_GAUGE, ALWAYS, I64, FACT(power_max_mw), 0, 1, 3,
	  "Highest power limit that can be set" },
	{ P "sm_clock_max_hertz", GM_PROMTEXT_GAUGE, ALWAYS, I32, FACT(max_sm_mhz), 0, 1000000, 0,
	  "Highest clock of the multiprocessors" },
	{ P "memory_clock_max_hertz", GM_PROMTEXT_GAUGE, ALWAYS, I32, FACT(max_memory_mhz), 0, 1000000, 0,
	  "Highest clock of the device memory" },
	{ P "performance_state", GM_PROMTEXT_GAUGE, MEASURED, I32, READ(pstate), 0, 1, 0,
	  "P-state: 0 is the fastest, 15 the slowest" },
	{ P "pcie_link_generation", GM_PROMTEXT_GAUGE, MEASURED, I32, READ(pcie_gen), 0, 1, 0,
	  "Generation the PCIe link runs at" },
	{ P "pcie_link_width", GM_PROMTEXT_GAUGE, MEASURED, I32, READ(pcie_width), 0, 1, 0,
	  "Lanes the PCIe link runs with" },
	{ P "pcie_link_generation_max", GM_PROMTEXT_GAUGE, ALWAYS, I32, FACT(pcie_max_gen), 0, 1, 0,
	  "Generation board and slot can do" },
	{ P "pcie_link_width_max", GM_PROMTEXT_GAUGE, ALWAYS, I32, FACT(pcie_max_width), 0, 1, 0,
	  "Lanes board and slot can do" },
	{ P "nvlinks", GM_PROMTEXT_GAUGE, ALWAYS, I32, FACT(nvlink_count), 0, 1, 0, "NVLinks the board has" },
	{ P "nvlinks_up", GM_PROMTEXT_GAUGE, MEASURED, I32, READ(nvlinks_up), 0, 1, 0, "NVLinks that are up" },
	{ P "ecc_lifetime_corrected_errors_total", GM_PROMTEXT_COUNTER, MEASURED, I64, READ(ecc_corrected_ever), 0, 1,
	  0, "Corrected memory errors of the board's life" },
	{ P "ecc_lifetime_uncorrected_errors_total", GM_PROMTEXT_COUNTER, MEASURED, I64, READ(ecc_uncorrected_ever), 0,
	  1, 0, "Memory errors of the board's life that could not be corrected" },
	{ P "bar1_memory_total_bytes", GM_PROMTEXT_GAUGE, ALWAYS, I64, FACT(bar1_total_bytes), 0, 1, 0,
	  "Window through which the host sees device memory" },
	{ P "bar1_memory_used_bytes", GM_PROMTEXT_GAUGE, MEASURED, I64, READ(bar1_used_bytes), 0, 1, 0,
	  "Part of that window in use" },
	{ P "ecc_enabled", GM_PROMTEXT_GAUGE, ALWAYS, I32, FACT(ecc_enabled), 0, 1, 0,
	  "1: memory errors are corrected" },
	{ P "persistence_mode", GM_PROMTEXT_GAUGE, ALWAYS, I32, FACT(persistence), 0, 1, 0,
	  "1: the driver stays loaded with no program running" },
	{ P "mig_mode_pending", GM_PROMTEXT_GAUGE, MEASURED, I32, READ(mig_pending), 0, 1, 0,
	  "MIG mode after the next reset; 1: on" },
	{ P "recovery_action", GM_PROMTEXT_GAUGE, MEASURED, I32, READ(recovery_action), 0, 1, 0,
	  "What the driver wants done: 0 nothing, 1 reset, 2 reboot, 3 drain peer to peer, 4 drain and reset" },
	{ P "retired_pages_pending", GM_PROMTEXT_GAUGE, MEASURED, I32, READ(retired_pending), 0, 1, 0,
	  "1: a page is taken out of use at the next reset" },
	{ P "processes_truncated", GM_PROMTEXT_GAUGE, MEASURED, BOOL, READ(processes_truncated), 1, 1, 0,
	  "1: more processes than are listed" },
};

static int64_t fact_value(const struct fact *f, const struct gm_agent_board *board)
{
	const char *p = (const char *)board + f->offset;
	union {
		int32_t i32;
		int64_t i64;
		bool flag;
	} v = { 0 };

	switch (f->in) {
	case I32:
		memcpy(&v.i32, p, sizeof(v.i32));
		return v.i32;
	case BOOL:
		memcpy(&v.flag, p, sizeof(v.flag));
		return v.flag;
	case I64:
	case U64:
		memcpy(&v.i64, p, sizeof(v.i64));
		return v.i64;
	}
	return -1;
}

static void render_fact_table(struct gm_render *r)
{
	const bool values = gm_view_has_values(r->in->view);

	for (size_t i = 0; i < GM_LEN(facts); i++) {
		const struct fact *f = &facts[i];

		if (f->scope == MEASURED && !values)
			continue;
		gm_render_family(r, f->name, f->type, f->help);
		gm_vec_each (&r->things, t) {
			int64_t v;

			if (t->instance) {
				if (f->offset != FACT(memory_total_bytes) || t->instance->memory_bytes <= 0)
					continue;
				v = t->instance->memory_bytes;
			} else {
				v = fact_value(f, t->board);
			}
			if (v >= f->least)
				gm_render_end_fixed(gm_render_line(r, gm_render_labels(r, t)), v * f->mul, f->decimals);
		}
	}
}

static void render_device_info(struct gm_render *r)
{
	gm_render_family(r, GM_AGENT_DEVICE_INFO, GM_PROMTEXT_INFO, "A board");
	gm_vec_each (&r->things, t) {
		const struct gm_reading_facts *facts_ = &t->board->reading.facts;
		const int mig = t->board->reading.mig_current;

		if (t->instance)
			continue;
		struct gm_buf *out = gm_render_line(r, gm_render_labels(r, t));
		if (facts_->index >= 0)
			gm_render_label_i64(out, false, "index", facts_->index);
		gm_render_label(out, false, "name", gm_str(facts_->name));
		gm_render_label(out, false, "pci_bus_id", gm_str(facts_->pci_bus_id));
		gm_render_label(out, false, "driver_version", gm_str(facts_->driver_version));
		gm_render_label(out, false, "serial", gm_str(facts_->serial));
		gm_render_label(out, false, "mig_mode", gm_str(mig < 0 ? "unable" : mig ? "on" : "off"));
		gm_render_end_i64(out, 1);
	}
}

static void render_instance_info(struct gm_render *r)
{
	gm_render_family(r, GM_AGENT_INSTANCE_INFO, GM_PROMTEXT_INFO, "A MIG instance");
	gm_vec_each (&r->things, t) {
		const struct gm_reading_instance *it = t->instance;

		if (!it)
			continue;
		struct gm_buf *out = gm_render_line(r, gm_render_labels(r, t));
		gm_render_label(out, false, "mig_uuid", gm_str(it->uuid));
		gm_render_label(out, false, "profile", gm_str(it->profile));
		if (it->start >= 0)
			gm_render_label_i64(out, false, "placement_start", it->start);
		if (it->size > 0)
			gm_render_label_i64(out, false, "placement_size", it->size);
		gm_render_end_i64(out, 1);
	}
}

static void render_device_states(struct gm_render *r)
{
	gm_render_family(r, P "device_state", GM_PROMTEXT_GAUGE, "1: the board is in this state");
	gm_vec_each (&r->things, t) {
		for (unsigned s = 0; !t->instance && s < GM_BOARD_STATES; s++) {
			struct gm_buf *out = gm_render_line(r, gm_render_labels(r, t));

			gm_render_label(out, false, "state", gm_str(gm_board_state_name((enum gm_board_state)s)));
			gm_render_end_i64(out, t->board->state == s);
		}
	}
	gm_render_family(
		r, GM_AGENT_DRIVER_HUNG, GM_PROMTEXT_GAUGE,
		"1: a driver call for the board does not return; its values are the last from before, at their "
		"own time");
	gm_vec_each (&r->things, t)
		if (!t->instance)
			gm_render_end_i64(gm_render_line(r, gm_render_labels(r, t)), t->board->state == GM_BOARD_HUNG);
}

static void render_events(struct gm_render *r)
{
	gm_render_family(r, P "events_total", GM_PROMTEXT_COUNTER, "Events that the driver reported");
	gm_vec_each (&r->things, t) {
		const struct gm_board_events *events = &t->board->events;

		for (unsigned k = 0; !t->instance && k < GM_BOARD_EVENT_KINDS; k++) {
			const enum gm_board_event_kind kind = (enum gm_board_event_kind)k;

			if (!events->counts[k] &&
			    !(t->board->reading.facts.supported_events & gm_board_event_bit(kind)))
				continue;
			struct gm_buf *out = gm_render_line(r, gm_render_labels(r, t));
			gm_render_label(out, false, "event", gm_str(gm_board_event_name(kind)));
			gm_render_end_i64(out, events->counts[k]);
		}
	}
	gm_render_family(r, P "xid_errors_total", GM_PROMTEXT_COUNTER, "XID errors that the driver reported, by code");
	gm_vec_each (&r->things, t) {
		const struct gm_board_events *events = &t->board->events;

		for (unsigned i = 0; !t->instance && i < GM_BOARD_XIDS_MAX && events->xids[i].count; i++) {
			struct gm_buf *out = gm_render_line(r, gm_render_labels(r, t));
			gm_render_label_i64(out, false, "xid", events->xids[i].code);
			gm_render_end_i64(out, events->xids[i].count);
		}
	}
}

/* The thing a holder holds; NULL: one that is not on the page. */
static const struct gm_render_thing *thing_of(const struct gm_render *r, const struct gm_holder *h)
{
	const struct gm_agent_board *board = &r->in->view->boards[h->board];

	for (size_t i = 0; i < r->things.count; i++) {
		const struct gm_render_thing *t = &r->things.items[i];

		if (t->board == board &&
		    (h->gi < 0 ? !t->instance : t->instance && t->instance->gi == h->gi && t->instance->ci == h->ci))
			return t;
	}
	return NULL;
}

static void render_pods(struct gm_render *r)
{
	const struct gm_holders *holders = r->in->holders;

	gm_render_family(r, GM_AGENT_POD_INFO, GM_PROMTEXT_INFO, "A pod that holds the board or the instance");
	for (size_t i = 0; holders && i < holders->count; i++) {
		const struct gm_holder *h = &holders->items[i];
		const struct gm_render_thing *t = h->kind == GM_HOLDER_POD && h->pod[0] ? thing_of(r, h) : NULL;

		if (!t)
			continue;
		struct gm_buf *out = gm_render_line(r, gm_render_labels(r, t));
		gm_render_label(out, false, "namespace", gm_str(h->namespace_));
		gm_render_label(out, false, "pod", gm_str(h->pod));
		gm_render_label(out, false, "container", gm_str(h->container));
		gm_render_label(out, false, "pod_uid", gm_str(h->pod_uid));
		gm_render_end_i64(out, 1);
	}
}

static void render_processes(struct gm_render *r)
{
	const struct gm_holders *holders = r->in->holders;

	if (!gm_view_has_values(r->in->view))
		return;
	gm_render_family(r, P "process_memory_bytes", GM_PROMTEXT_GAUGE, "Device memory that a process uses");
	for (size_t i = 0; holders && i < holders->count; i++) {
		const struct gm_holder *h = &holders->items[i];
		const struct gm_render_thing *t =
			h->kind == GM_HOLDER_PROCESS && h->used_bytes >= 0 ? thing_of(r, h) : NULL;

		if (!t)
			continue;
		struct gm_buf *out = gm_render_line(r, gm_render_labels(r, t));
		gm_render_label_i64(out, false, "pid", h->pid);
		gm_render_label(out, false, "process", gm_str(h->process));
		gm_render_label(out, false, "user", gm_str(h->user));
		gm_render_end_i64(out, h->used_bytes);
	}
}

void gm_render_board_facts(struct gm_render *r)
{
	render_device_info(r);
	render_instance_info(r);
	render_pods(r);
	render_device_states(r);
	render_fact_table(r);
	render_events(r);
	render_processes(r);
}

static void one(struct gm_render *r, const char *name, enum gm_promtext_type type, const char *help, int64_t value,
		unsigned decimals)
{
	struct gm_buf *out;

	gm_render_family(r, name, type, help);
	out = gm_render_line(r, gm_str_n(NULL, 0));
	gm_buf_add_char(out, ' ');
	gm_buf_add_fixed(out, value, decimals);
	gm_buf_add_char(out, '\n');
}

static void render_own(struct gm_render *r)
{
	static const struct {
		const char *name, *help;
		enum gm_promtext_type type;
		unsigned decimals;
	} families[] = {
		{ P "own_cpu_seconds_total", "Processor time of the agent's own processes", GM_PROMTEXT_COUNTER, 3 },
		{ P "own_resident_memory_bytes", "Memory of the agent's own processes, what they share in each",
		  GM_PROMTEXT_GAUGE, 0 },
	};

	for (size_t k = 0; k < GM_LEN(families); k++) {
		gm_render_family(r, families[k].name, families[k].type, families[k].help);
		for (size_t i = 0; i < r->in->own_count; i++) {
			const struct gm_render_own *own = &r->in->own[i];
			struct gm_buf *out = gm_render_line(r, gm_str_n(NULL, 0));

			gm_render_label(out, true, "process", gm_str(own->role));
			gm_render_label_i64(out, false, "number", own->number);
			gm_render_end_fixed(out, k == 0 ? own->cpu_ms : own->resident_bytes, families[k].decimals);
		}
	}
}

static void render_kubelet(struct gm_render *r)
{
	const struct gm_holders *holders = r->in->holders;

	if (!holders || (!holders->kubelet_at_ms && !holders->kubelet_error))
		return;
	one(r, P "kubelet_up", GM_PROMTEXT_GAUGE, "1: the kubelet says which pods hold devices",
	    holders->kubelet_error == NULL, 0);
	if (holders->kubelet_at_ms > 0)
		one(r, P "kubelet_answer_timestamp_seconds", GM_PROMTEXT_GAUGE, "When the kubelet last answered",
		    holders->kubelet_at_ms, 3);
}

static void render_mig(struct gm_render *r)
{
	const struct gm_render_input *in = r->in;
	struct gm_buf *out;

	if (in->mig_ready < 0)
		return;
	one(r, P "mig_ready", GM_PROMTEXT_GAUGE, "1: the wanted MIG layout is there, or none is wanted", in->mig_ready,
	    0);
	gm_render_family(r, P "mig_layout_differs", GM_PROMTEXT_GAUGE,
			 "1: the board's MIG layout is not the wanted one, lost or changed by somebody else");
	for (size_t i = 0; i < in->mig_wanted_count; i++) {
		out = gm_render_line(r, gm_str_n(NULL, 0));
		gm_render_label(out, true, "uuid", gm_str(in->mig_wanted[i].uuid));
		gm_render_end_i64(out, in->mig_wanted[i].differs);
	}
	if (in->mig_other_owner.n == 0)
		return;
	gm_render_family(r, P "mig_other_owner", GM_PROMTEXT_GAUGE,
			 "1: somebody else owns this node's MIG layouts: nothing is changed");
	out = gm_render_line(r, gm_str_n(NULL, 0));
	gm_render_label(out, true, "owner", in->mig_other_owner);
	gm_render_end_i64(out, 1);
}

void gm_render_agent(struct gm_render *r)
{
	const struct gm_agent_view *view = r->in->view;
	struct gm_buf *out;

	gm_render_family(r, GM_AGENT_INFO, GM_PROMTEXT_INFO, "The agent");
	out = gm_render_line(r, gm_str_n(NULL, 0));
	gm_render_label(out, true, "version", gm_str(GM_VERSION));
	gm_render_label(out, false, "hostname", gm_str(r->in->node_name));
	gm_render_end_i64(out, 1);
	one(r, P "up", GM_PROMTEXT_GAUGE, "1: every board is read, and in time (/healthz is 200)", r->in->healthy, 0);
	gm_render_family(r, P "state", GM_PROMTEXT_GAUGE, "1: the agent is in this state");
	for (unsigned s = 0; s < GM_AGENT_STATES; s++) {
		out = gm_render_line(r, gm_str_n(NULL, 0));
		gm_render_label(out, true, "state", gm_str(gm_agent_state_name((enum gm_agent_state)s)));
		gm_render_end_i64(out, view->state == s);
	}
	one(r, P "boards", GM_PROMTEXT_GAUGE, "Boards that the driver has", view->board_count, 0);
	one(r, P "rounds_total", GM_PROMTEXT_COUNTER, "Rounds of samples since the agent's start", (int64_t)view->round,
	    0);
	if (view->state == GM_AGENT_PAUSED && view->paused_until_ms > 0)
		one(r, P "paused_until_timestamp_seconds", GM_PROMTEXT_GAUGE, "When the pause ends by itself",
		    view->paused_until_ms, 3);
	one(r, P "children", GM_PROMTEXT_GAUGE, "Processes that talk with the driver", view->children, 0);
	one(r, P "children_abandoned", GM_PROMTEXT_GAUGE,
	    "Of them those whose call does not return: they end when it does", view->abandoned, 0);
	one(r, P "child_starts_total", GM_PROMTEXT_COUNTER, "Such processes started", (int64_t)view->child_starts, 0);
	one(r, P "child_crashes_total", GM_PROMTEXT_COUNTER, "Such processes that crashed",
	    (int64_t)view->child_crashes, 0);
	render_mig(r);
	render_kubelet(r);
	render_own(r);
}
