/* SPDX-License-Identifier: MIT */
#include "app/agent/inventory.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "adapter/nvml/nvml.h"
#include "base/json.h"

/* Numbers as they stand in the reading: one row a member of the answer. Below `least`: null. */
enum number_type { I32, I64 };
struct number {
	const char *key;
	enum number_type type;
	size_t offset;
	int64_t least;
	unsigned decimals;
};
#define N32(key_, member, least_)                                                                                      \
	{                                                                                                              \
		key_, I32, offsetof(struct gm_reading, member), least_, 0                                              \
	}
#define N64(key_, member, least_, decimals_)                                                                           \
	{                                                                                                              \
		key_, I64, offsetof(struct gm_reading, member), least_, decimals_                                      \
	}
#define COLD (-300)

static const struct number identity[] = {
	N32("index", facts.index, 0),
	N32("minor", facts.minor, 0),
	N32("numaNode", facts.numa_node, 0),
	N64("memoryTotalBytes", facts.memory_total_bytes, 1, 0),
	N64("bar1TotalBytes", facts.bar1_total_bytes, 1, 0),
	N32("maxSmClockMhz", facts.max_sm_mhz, 0),
	N32("maxMemoryClockMhz", facts.max_memory_mhz, 0),
	N32("nvlinks", facts.nvlink_count, 0),
};
static const struct number temperature_limits[] = {
	N32("slowdownCelsius", facts.temp_slowdown_c, 1),
	N32("shutdownCelsius", facts.temp_shutdown_c, 1),
	N32("memoryMaxCelsius", facts.temp_memory_max_c, 1),
	N32("gpuMaxCelsius", facts.temp_gpu_max_c, 1),
	N32("marginCelsius", margin_c, COLD),
	N32("marginSlowdownCelsius", facts.tlimit_slowdown_c, COLD),
	N32("marginShutdownCelsius", facts.tlimit_shutdown_c, COLD),
	N32("marginMemoryCelsius", facts.tlimit_memory_c, COLD),
	N32("marginGpuMaxCelsius", facts.tlimit_gpu_c, COLD),
};
static const struct number power_limits[] = {
	N64("defaultWatts", facts.power_default_mw, 0, 3),
	N64("minWatts", facts.power_min_mw, 0, 3),
	N64("maxWatts", facts.power_max_mw, 0, 3),
};
static const struct number pcie[] = {
	N32("generation", pcie_gen, 0),
	N32("width", pcie_width, 0),
	N32("maxGeneration", facts.pcie_max_gen, 0),
	N32("maxWidth", facts.pcie_max_width, 0),
};

static void write_number(struct gm_json *w, const struct number *n, const struct gm_reading *r)
{
	const char *p = (const char *)r + n->offset;
	int64_t v = 0;
	int32_t v32 = 0;

	if (n->type == I32) {
		memcpy(&v32, p, sizeof(v32));
		v = v32;
	} else {
		memcpy(&v, p, sizeof(v));
	}
	gm_json_key_n(w, n->key, strlen(n->key));
	if (v < n->least)
		gm_json_null(w);
	else
		gm_json_fixed(w, v, n->decimals);
}

static void write_numbers(struct gm_json *w, const struct number *rows, size_t count, const struct gm_reading *r)
{
	for (size_t i = 0; i < count; i++)
		write_number(w, &rows[i], r);
}

#define GROUP(w, key, rows, reading)                                                                                   \
	do {                                                                                                           \
		gm_json_key(w, key);                                                                                   \
		gm_json_object(w);                                                                                     \
		write_numbers(w, rows, GM_LEN(rows), reading);                                                         \
		gm_json_end_object(w);                                                                                 \
	} while (0)

static const char *told(const char *text)
{
	return text && text[0] ? text : NULL;
}

/* 1, 0, -1 */
static void write_flag(struct gm_json *w, int flag)
{
	if (flag < 0)
		gm_json_null(w);
	else
		gm_json_bool(w, flag != 0);
}

static void write_holder(struct gm_json *w, const struct gm_holder *h)
{
	const bool process = h->kind == GM_HOLDER_PROCESS;

	gm_json_object(w);
	gm_json_kcstr(w, "kind", process ? "process" : "pod");
	gm_json_kcstr(w, "namespace", told(h->namespace_));
	gm_json_kcstr(w, "pod", told(h->pod));
	gm_json_kcstr(w, "container", told(h->container));
	gm_json_kcstr(w, "podUid", told(h->pod_uid));
	if (process) {
		gm_json_ki64(w, "pid", h->pid);
		gm_json_kcstr(w, "process", told(h->process));
		gm_json_kcstr(w, "user", told(h->user));
		gm_json_key(w, "usedBytes");
		if (h->used_bytes < 0)
			gm_json_null(w);
		else
			gm_json_i64(w, h->used_bytes);
	} else {
		gm_json_kcstr(w, "resource", told(h->resource));
		gm_json_kcstr(w, "claim", told(h->claim));
	}
	gm_json_end_object(w);
}

/* gi -1: of the board itself. */
static void write_holders(struct gm_json *w, const struct gm_holders *holders, unsigned board, int gi, int ci)
{
	gm_json_key(w, "holders");
	gm_json_array(w);
	for (size_t i = 0; holders && i < holders->count; i++) {
		const struct gm_holder *h = &holders->items[i];

		if (h->board == board && h->gi == gi && h->ci == ci)
			write_holder(w, h);
	}
	gm_json_end_array(w);
}

static void write_unavailable(struct gm_json *w, const struct gm_sample *s)
{
	gm_json_key(w, "unavailable");
	gm_json_array(w);
	for (unsigned f = 0; f < GM_FIELD_COUNT; f++) {
		if (s->validity[f] == GM_ABSENT || gm_sample_has(s, (enum gm_field)f))
			continue;
		gm_json_object(w);
		gm_json_kcstr(w, "field", gm_field_table[f].name);
		gm_json_kcstr(w, "reason", s->validity[f] == GM_UNSUPPORTED ? "unsupported" : "error");
		gm_json_end_object(w);
	}
	gm_json_end_array(w);
}

static void write_instance(struct gm_json *w, const struct gm_reading_instance *it, const struct gm_holders *holders,
			   unsigned board)
{
	gm_json_object(w);
	gm_json_ki64(w, "gpuInstanceId", it->gi);
	gm_json_ki64(w, "computeInstanceId", it->ci);
	gm_json_kcstr(w, "uuid", told(it->uuid));
	gm_json_kcstr(w, "profile", told(it->profile));
	gm_json_ki64(w, "placement", it->start);
	gm_json_ki64(w, "size", it->size);
	gm_json_ki64(w, "computeSlices", it->compute_slices);
	gm_json_ki64(w, "memoryTotalBytes", it->memory_bytes);
	gm_json_ki64(w, "smCount", it->sm_count);
	gm_json_ki64(w, "copyEngines", it->copy_engines);
	gm_json_ki64(w, "decoders", it->decoders);
	gm_json_ki64(w, "encoders", it->encoders);
	gm_json_ki64(w, "jpegEngines", it->jpegs);
	gm_json_ki64(w, "opticalFlowEngines", it->ofas);
	write_holders(w, holders, board, it->gi, it->ci);
	write_unavailable(w, &it->sample);
	gm_json_end_object(w);
}

static void write_profile(struct gm_json *w, const struct gm_reading_profile *p)
{
	gm_json_object(w);
	gm_json_kcstr(w, "name", p->name);
	gm_json_ki64(w, "id", p->id);
	gm_json_ki64(w, "memoryMiB", p->memory_mib);
	gm_json_ki64(w, "computeSlices", p->compute_slices);
	gm_json_ki64(w, "smCount", p->sm_count);
	gm_json_ki64(w, "maxInstances", p->max_instances);
	gm_json_ki64(w, "size", p->size);
	gm_json_key(w, "placements");
	gm_json_array(w);
	for (unsigned i = 0; i < p->start_count && i < GM_LEN(p->starts); i++)
		gm_json_i64(w, p->starts[i]);
	gm_json_end_array(w);
	gm_json_end_object(w);
}

static void write_mig(struct gm_json *w, const struct gm_reading *r, const struct gm_holders *holders, unsigned board)
{
	gm_json_key(w, "mig");
	gm_json_object(w);
	gm_json_kcstr(w, "mode", r->mig_current < 0 ? "unable" : r->mig_current ? "on" : "off");
	gm_json_kcstr(w, "pending", r->mig_pending < 0 ? NULL : r->mig_pending ? "on" : "off");
	gm_json_key(w, "switchesWithoutReset");
	write_flag(w, r->facts.mig_resetless);
	gm_json_key(w, "profiles");
	gm_json_array(w);
	for (uint32_t i = 0; i < r->profile_count && i < GM_READING_PROFILES_MAX; i++)
		write_profile(w, &r->profiles[i]);
	gm_json_end_array(w);
	gm_json_key(w, "instances");
	gm_json_array(w);
	for (uint32_t i = 0; i < r->instance_count && i < GM_READING_INSTANCES_MAX; i++)
		write_instance(w, &r->instances[i], holders, board);
	gm_json_end_array(w);
	gm_json_end_object(w);
}

static void write_identity(struct gm_json *w, const struct gm_agent_board *b)
{
	const struct gm_reading_facts *f = &b->reading.facts;
	char capability[32];

	gm_json_kcstr(w, "uuid", told(f->uuid));
	gm_json_kcstr(w, "name", told(f->name));
	gm_json_kcstr(w, "serial", told(f->serial));
	gm_json_kcstr(w, "pciBusId", told(f->pci_bus_id));
	gm_json_kcstr(w, "vbios", told(f->vbios));
	gm_json_kcstr(w, "architecture", told(f->architecture));
	(void)snprintf(capability, sizeof(capability), "%d.%d", f->cc_major, f->cc_minor);
	gm_json_kcstr(w, "computeCapability", f->cc_major > 0 ? capability : NULL);
	gm_json_kcstr(w, "state", gm_board_state_name(b->state));
	gm_json_ktime(w, "since", b->since_ms);
	gm_json_kcstr(w, "hungCall", b->state == GM_BOARD_HUNG ? gm_nvml_symbol_name(b->hung_call) : NULL);
	gm_json_ktime(w, "sampledAt", b->reading.sample.at_ms);
	gm_json_ktime(w, "lastXidAt", b->xid_at_ms);
	gm_json_key(w, "ecc");
	write_flag(w, f->ecc_enabled);
	gm_json_key(w, "persistenceMode");
	write_flag(w, f->persistence);
}

static void write_id(struct gm_json *w, const char *key, int id)
{
	gm_json_key_n(w, key, strlen(key));
	if (id < 0)
		gm_json_null(w);
	else
		gm_json_i64(w, id);
}

/* Newest first. */
static void write_events(struct gm_json *w, const struct gm_board_events *events)
{
	const struct gm_reading_event *e;

	gm_json_key(w, "events");
	gm_json_array(w);
	for (unsigned age = 0; (e = gm_board_events_get(events, age)) != NULL; age++) {
		const enum gm_board_event_kind kind = gm_board_event_kind(e->type);

		gm_json_object(w);
		gm_json_ktime(w, "at", e->at_ms);
		gm_json_kcstr(w, "event", gm_board_event_name(kind));
		write_id(w, "xid", kind == GM_BOARD_EVENT_XID && e->data <= INT32_MAX ? (int)e->data : -1);
		write_id(w, "gpuInstanceId", e->gi);
		write_id(w, "computeInstanceId", e->ci);
		gm_json_end_object(w);
	}
	gm_json_end_array(w);
}

static void write_board(struct gm_json *w, const struct gm_agent_board *b, const struct gm_holders *holders,
			unsigned board)
{
	gm_json_object(w);
	write_identity(w, b);
	write_numbers(w, identity, GM_LEN(identity), &b->reading);
	GROUP(w, "temperatureLimits", temperature_limits, &b->reading);
	GROUP(w, "powerLimits", power_limits, &b->reading);
	GROUP(w, "pcie", pcie, &b->reading);
	write_mig(w, &b->reading, holders, board);
	write_holders(w, holders, board, -1, -1);
	write_events(w, &b->events);
	gm_json_kbool(w, "processesTruncated", b->reading.processes_truncated);
	write_unavailable(w, &b->reading.sample);
	gm_json_end_object(w);
}

/* The driver is one for all boards: the first that was read tells it. */
static void write_driver(struct gm_json *w, const struct gm_agent_view *view)
{
	const struct gm_reading_facts *f = NULL;
	char cuda[32];

	for (unsigned i = 0; !f && i < view->board_count; i++)
		if (view->boards[i].reading.facts.driver_version[0])
			f = &view->boards[i].reading.facts;
	gm_json_key(w, "driver");
	gm_json_object(w);
	gm_json_kcstr(w, "version", f ? told(f->driver_version) : NULL);
	gm_json_kcstr(w, "nvml", f ? told(f->nvml_version) : NULL);
	(void)snprintf(cuda, sizeof(cuda), "%d.%d", f ? f->cuda_version / 1000 : 0,
		       f ? f->cuda_version % 1000 / 10 : 0);
	gm_json_kcstr(w, "cuda", f && f->cuda_version > 0 ? cuda : NULL);
	gm_json_end_object(w);
}

static void write_kubelet(struct gm_json *w, const struct gm_holders *holders)
{
	gm_json_key(w, "kubelet");
	gm_json_object(w);
	gm_json_ktime(w, "answeredAt", holders ? holders->kubelet_at_ms : 0);
	gm_json_kcstr(w, "error", holders ? holders->kubelet_error : NULL);
	gm_json_end_object(w);
}

void gm_inventory_write(const struct gm_agent_view *view, const struct gm_holders *holders, const char *node_name,
			struct gm_buf *out)
{
	struct gm_json w;

	gm_json_init(&w, out);
	gm_json_object(&w);
	gm_json_kcstr(&w, "node", node_name);
	gm_json_kcstr(&w, "version", GM_VERSION);
	gm_json_ktime(&w, "at", view->at_ms);
	gm_json_kcstr(&w, "state", gm_agent_state_name(view->state));
	gm_json_kcstr(&w, "reason", told(view->reason));
	write_driver(&w, view);
	write_kubelet(&w, holders);
	gm_json_key(&w, "boards");
	gm_json_array(&w);
	for (unsigned i = 0; i < view->board_count; i++)
		write_board(&w, &view->boards[i], holders, i);
	gm_json_end_array(&w);
	gm_json_end_object(&w);
}
