/* SPDX-License-Identifier: MIT */
#ifndef GM_TESTS_FLEET_WORLD_H
#define GM_TESTS_FLEET_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/vec.h"
#include "core/fleet/fleet.h"

/* What the tests of the fleet share: pages made by hand, and a listener that notes what it was told. */

#define T0 INT64_C(1764000000000)
#define SECOND INT64_C(1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define INTERVAL (30 * SECOND)
#define GIB (INT64_C(1) << 30)

struct draft {
	struct gm_page page;
	struct gm_obs_device devices[GM_PAGE_DEVICES_MAX + 1];
	struct gm_obs_instance instances[256];
	struct gm_obs_pod pods[1024];
};

static inline void draft_begin(struct draft *m, const char *target, enum gm_page_kind kind, const char *node,
			       int64_t at_ms)
{
	m->page = (struct gm_page){
		.target = gm_str(target),
		.kind = kind,
		.cluster = GM_STR("default"),
		.node = gm_str(node),
		.at_ms = at_ms,
		.interval_ms = INTERVAL,
		.devices = m->devices,
		.instances = m->instances,
		.pods = m->pods,
	};
}

static inline struct gm_obs_device *draft_board(struct draft *m, const char *uuid, int index)
{
	struct gm_obs_device *d = &m->devices[m->page.device_count++];
	*d = (struct gm_obs_device){
		.uuid = gm_str(uuid),
		.product_name = GM_STR("NVIDIA A100-SXM4-80GB"),
		.index = index,
		.memory_total_bytes = -1,
		.temperature_limit_c = -1,
		.instances_first = m->page.instance_count,
		.pods_first = m->page.pod_count,
	};
	return d;
}

/* Of the board that was begun last. */
static inline struct gm_obs_instance *draft_slice(struct draft *m, int gi_id, const char *profile)
{
	struct gm_obs_instance *in = &m->instances[m->page.instance_count++];
	*in = (struct gm_obs_instance){
		.gi_id = gi_id,
		.profile = gm_str(profile),
		.placement_start = -1,
		.placement_size = -1,
		.memory_total_bytes = -1,
		.pods_first = m->page.pod_count,
	};
	m->devices[m->page.device_count - 1].instances_count++;
	return in;
}

static inline void draft_pod(struct draft *m, size_t *owner_count, const char *pod)
{
	m->pods[m->page.pod_count++] =
		(struct gm_obs_pod){ .namespace_ = GM_STR("serving"), .pod = gm_str(pod), .container = GM_STR("vllm") };
	(*owner_count)++;
}

static inline void draft_set(struct gm_sample *s, enum gm_field f, int64_t value)
{
	gm_sample_set(s, f, value, GM_MEASURED, GM_SOURCE_DCGM);
}

struct told {
	enum gm_fleet_event_kind kind;
	int64_t at_ms, number;
	char id[64], node[64], uuid[64], text[64];
	enum gm_health from, to;
	uint32_t reasons;
};
struct told_series {
	uint32_t series;
	int64_t last_seen_ms;
	char id[64], uuid[64], profile[32];
	int index, gi_id;
};
struct told_sample {
	uint32_t series;
	struct gm_sample sample;
};

struct world {
	struct gm_fleet *fleet;
	struct gm_fleet_conf conf;
	GM_VEC(struct told) events;
	GM_VEC(struct told_series) series;
	GM_VEC(struct told_sample) samples;
	struct gm_apply_result result;
	struct draft draft;
};

static inline void world_event(void *ctx, const struct gm_fleet_event *e)
{
	struct world *w = ctx;
	struct told *t = gm_vec_add(&w->events);
	*t = (struct told){ .kind = e->kind,
			    .at_ms = e->at_ms,
			    .number = e->number,
			    .from = e->from,
			    .to = e->to,
			    .reasons = e->reasons };
	(void)gm_str_copy(gm_str(e->id), t->id, sizeof(t->id));
	(void)gm_str_copy(gm_str(e->node), t->node, sizeof(t->node));
	(void)gm_str_copy(gm_str(e->uuid), t->uuid, sizeof(t->uuid));
	(void)gm_str_copy(gm_str(e->text), t->text, sizeof(t->text));
}

static inline void world_series(void *ctx, const struct gm_series_def *def)
{
	struct world *w = ctx;
	struct told_series *t = gm_vec_add(&w->series);
	*t = (struct told_series){
		.series = def->series, .last_seen_ms = def->last_seen_ms, .index = def->index, .gi_id = def->gi_id
	};
	(void)gm_str_copy(gm_str(def->id), t->id, sizeof(t->id));
	(void)gm_str_copy(gm_str(def->uuid), t->uuid, sizeof(t->uuid));
	(void)gm_str_copy(gm_str(def->profile ? def->profile : ""), t->profile, sizeof(t->profile));
}

static inline void world_sample(void *ctx, uint32_t series, const struct gm_sample *sample)
{
	struct world *w = ctx;
	*gm_vec_add(&w->samples) = (struct told_sample){ .series = series, .sample = *sample };
}

static inline void world_begin(struct world *w)
{
	const struct gm_fleet_listener listener = {
		.ctx = w, .event = world_event, .series = world_series, .sample = world_sample
	};
	w->fleet = gm_fleet_new(&w->conf, &listener);
}

static inline void world_end(struct world *w)
{
	gm_fleet_free(w->fleet);
	gm_vec_fini(&w->events);
	gm_vec_fini(&w->series);
	gm_vec_fini(&w->samples);
}

static inline void world_quiet(struct world *w)
{
	gm_vec_reset(&w->events);
	gm_vec_reset(&w->series);
	gm_vec_reset(&w->samples);
}

static inline void world_apply(struct world *w)
{
	struct gm_err err = { 0 };
	int rc = gm_fleet_apply(w->fleet, &w->draft.page, &w->result, &err);
	if (rc)
		fail_msg("%s", err.text);
}

/* A page of one board with a temperature. */
static inline void world_board(struct world *w, const char *target, enum gm_page_kind kind, const char *node,
			       const char *uuid, int64_t at_ms)
{
	draft_begin(&w->draft, target, kind, node, at_ms);
	draft_set(&draft_board(&w->draft, uuid, 0)->sample, GM_FIELD_TEMPERATURE, 500);
	world_apply(w);
}

/* The events of a kind; the last of them in *out (may be NULL). */
static inline unsigned world_events(const struct world *w, enum gm_fleet_event_kind kind, struct told *out)
{
	unsigned count = 0;
	for (size_t i = 0; i < w->events.count; i++) {
		if (w->events.items[i].kind != kind)
			continue;
		count++;
		if (out)
			*out = w->events.items[i];
	}
	return count;
}

/* Publishes and looks; the caller drops the snapshot. */
static inline const struct gm_snapshot *world_look(struct world *w, int64_t now_ms)
{
	(void)gm_fleet_publish(w->fleet, now_ms);
	return gm_fleet_snapshot(w->fleet);
}

static inline const struct gm_device *find(const struct gm_snapshot *s, const char *id_or_uuid)
{
	const struct gm_device *d = gm_snapshot_device(s, gm_str(id_or_uuid));
	if (!d)
		fail_msg("no device %s", id_or_uuid);
	return d;
}

static inline bool same_totals(const struct gm_totals *a, const struct gm_totals *b)
{
	return a->devices == b->devices && memcmp(a->health, b->health, sizeof(a->health)) == 0 &&
	       a->mig_enabled == b->mig_enabled && a->gpu_instances == b->gpu_instances &&
	       a->mig_instances == b->mig_instances && a->utilization_count == b->utilization_count &&
	       a->utilization_sum == b->utilization_sum &&
	       memcmp(a->utilization_histogram, b->utilization_histogram, sizeof(a->utilization_histogram)) == 0 &&
	       a->idle == b->idle && a->hot == b->hot && a->memory_count == b->memory_count &&
	       a->memory_total_bytes == b->memory_total_bytes && a->memory_used_bytes == b->memory_used_bytes &&
	       a->power_count == b->power_count && a->power_mw == b->power_mw && a->priced == b->priced &&
	       a->hourly_micros == b->hourly_micros && a->managed == b->managed;
}

#endif
