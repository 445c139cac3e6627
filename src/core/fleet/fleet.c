/* SPDX-License-Identifier: MIT */
#include "core/fleet/fleet.h"

#include <assert.h>

#include "base/alloc.h"
#include "core/fleet/fleet-internal.h"

#define FORGET_MS_DEFAULT (INT64_C(7) * 24 * 3600 * 1000)
#define FORGET_MS_MAX (INT64_C(3650) * 24 * 3600 * 1000)
/* Gone devices that are remembered, so that they come back with their series. */
#define GONE_MAX 65536

static void conf_take(struct gm_fleet *f, const struct gm_fleet_conf *conf)
{
	f->conf = *conf;
	if (f->conf.forget_ms <= 0)
		f->conf.forget_ms = FORGET_MS_DEFAULT;
	if (f->conf.forget_ms > FORGET_MS_MAX)
		f->conf.forget_ms = FORGET_MS_MAX;
}

struct gm_fleet *gm_fleet_new(const struct gm_fleet_conf *conf, const struct gm_fleet_listener *listener)
{
	struct gm_fleet *f = gm_xalloc(sizeof(*f));
	conf_take(f, conf);
	if (listener)
		f->listener = *listener;
	f->seq = conf->seq_base;
	f->next_series = 1;
	f->next_source = 1;
	f->index = gm_snapshot_index_new();
	f->pool = gm_snapshot_pool_new();
	gm_snapshot_pool_publish(f->pool, gm_snapshot_new(0, 0, 0, gm_snapshot_index_ref(f->index), NULL));
	return f;
}

static void device_free(struct fleet_device *d)
{
	gm_fleet_device_free_facts(d);
	free(d);
}

static void source_free(struct fleet_source *s)
{
	gm_vec_fini(&s->served);
	free(s);
}

static void restored_forget(struct gm_fleet *f)
{
	const struct gm_map_entry *e;
	for (size_t i = 0; (e = gm_map_next(&f->restored, &i));)
		free(e->value);
	gm_map_fini(&f->restored);
}

void gm_fleet_free(struct gm_fleet *f)
{
	if (!f)
		return;
	const struct gm_map_entry *e;
	while (f->order.count > 0) {
		struct fleet_node *n = f->order.items[f->order.count - 1];
		gm_snapshot_pool_retire(f->pool, n->live, f->seq + 1);
		gm_fleet_node_free(f, n);
	}
	for (size_t i = 0; (e = gm_map_next(&f->devices, &i));)
		device_free(e->value);
	for (size_t i = 0; (e = gm_map_next(&f->sources, &i));)
		source_free(e->value);
	gm_map_fini(&f->devices);
	gm_map_fini(&f->sources);
	gm_map_fini(&f->nodes);
	restored_forget(f);
	gm_fleet_tallies_fini(f);
	gm_vec_fini(&f->order);
	gm_vec_fini(&f->slots);
	gm_vec_fini(&f->deadlines);
	gm_vec_fini(&f->free_slots);
	gm_vec_fini(&f->dirty);
	gm_shared_unref(f->tallies);
	gm_snapshot_index_unref(f->index);
	/* Last: from here on a reader may free what is left. */
	gm_snapshot_pool_close(f->pool);
	free(f);
}

void gm_fleet_reconfigure(struct gm_fleet *f, const struct gm_fleet_conf *conf)
{
	conf_take(f, conf);
	f->reconfigured = true;
	for (size_t i = 0; i < f->slots.count; i++)
		if (f->slots.items[i])
			f->deadlines.items[i] = INT64_MIN;
}

const struct gm_snapshot *gm_fleet_snapshot(struct gm_fleet *f)
{
	return gm_snapshot_pool_newest(f->pool);
}

/* ---- what the fleet tells */

static void tell(struct gm_fleet *f, const struct fleet_device *d, struct gm_fleet_event event)
{
	if (!f->listener.event)
		return;
	event.cluster = d->node->name->cluster;
	event.node = d->node->name->name;
	event.id = d->facts->id;
	event.uuid = d->uuid;
	event.text = event.text ? event.text : "";
	event.reasons = d->reasons;
	f->listener.event(f->listener.ctx, &event);
}

void gm_fleet_event(struct gm_fleet *f, struct fleet_device *d, enum gm_fleet_event_kind kind, int64_t at_ms,
		    const char *text, int64_t number)
{
	tell(f, d,
	     (struct gm_fleet_event){ .kind = kind,
				      .at_ms = at_ms,
				      .text = text,
				      .number = number,
				      .from = d->health,
				      .to = d->health });
}

void gm_fleet_device_judge(struct gm_fleet *f, struct fleet_device *d, uint32_t reasons, int64_t at_ms)
{
	enum gm_health from = d->health;
	bool same = reasons == d->reasons;
	d->reasons = reasons;
	d->health = gm_health_of(&d->health_memory, reasons);
	d->record->health = d->health;
	d->record->health_reasons = reasons;
	if (!same || d->health != from)
		tell(f, d,
		     (struct gm_fleet_event){ .kind = GM_EVENT_HEALTH, .at_ms = at_ms, .from = from, .to = d->health });
}

void gm_fleet_tell_series(struct gm_fleet *f, struct fleet_device *d, const struct fleet_layout_item *instance)
{
	if (!instance)
		d->told_at_ms = d->seen_at_ms;
	if (!f->listener.series)
		return;
	struct gm_series_def def = {
		.series = d->series,
		.cluster = d->node->name->cluster,
		.uuid = d->uuid,
		.node = d->node->name->name,
		.id = d->facts->id,
		.model = d->facts->model,
		.product_name = d->facts->product_name,
		.index = d->facts->index,
		.gi_id = -1,
		.ci_id = -1,
		.placement_start = -1,
		.placement_size = -1,
		.memory_total_bytes = d->facts->memory_total,
		.first_seen_ms = d->first_seen_ms,
		.last_seen_ms = d->seen_at_ms,
	};
	if (instance) {
		def.series = instance->series;
		def.id = instance->id;
		def.gi_id = instance->gi_id;
		def.ci_id = instance->ci_id;
		def.mig_uuid = instance->uuid;
		def.profile = instance->profile;
		def.placement_start = instance->placement_start;
		def.placement_size = instance->placement_size;
		def.memory_total_bytes = instance->memory_total;
	}
	f->listener.series(f->listener.ctx, &def);
}

/* ---- devices: come, go, come back */

struct fleet_device *gm_fleet_device_new(struct gm_fleet *f, struct gm_str uuid, uint32_t series)
{
	assert(uuid.p); /* pages and series without an identity are refused */
	struct fleet_device *d = gm_xalloc(sizeof(*d) + uuid.n + 1);
	memcpy(d->uuid, uuid.p, uuid.n);
	d->series = series;
	d->hourly_micros = -1;
	d->slowdown_c = -1;
	gm_health_memory_init(&d->health_memory);
	(void)gm_map_put(&f->devices, gm_str_n(d->uuid, uuid.n), d);
	f->device_count++;
	return d;
}

void gm_fleet_device_serve(struct fleet_device *d, struct fleet_source *source)
{
	if (d->source == source)
		return;
	if (d->source) {
		size_t kept = 0;
		for (size_t i = 0; i < d->source->served.count; i++)
			if (d->source->served.items[i] != d)
				d->source->served.items[kept++] = d->source->served.items[i];
		d->source->served.count = kept;
	}
	if (source)
		gm_vec_push(&source->served, d);
	d->source = source;
}

static void gone_unlink(struct gm_fleet *f, struct fleet_device *d)
{
	*(d->gone_prev ? &d->gone_prev->gone_next : &f->gone_first) = d->gone_next;
	*(d->gone_next ? &d->gone_next->gone_prev : &f->gone_last) = d->gone_prev;
	d->gone_prev = d->gone_next = NULL;
	f->gone_count--;
}

static void gone_forget_first(struct gm_fleet *f)
{
	struct fleet_device *d = f->gone_first;
	gone_unlink(f, d);
	(void)gm_map_remove(&f->devices, gm_str(d->uuid));
	device_free(d);
	f->generation++;
}

void gm_fleet_device_leave(struct gm_fleet *f, struct fleet_device *d)
{
	gm_fleet_node_remove(f, d->node, d);
	gm_fleet_device_serve(d, NULL);
	gm_fleet_layout_retire(d);
	d->record = NULL;
	d->lost = false;
	d->never_seen = false;
	d->touched = false;
	d->reasons = 0;
	d->health = GM_HEALTH_OK;
	gm_health_memory_init(&d->health_memory);
	f->instances_changed = true;
	f->device_count--;
	d->gone_prev = f->gone_last;
	*(f->gone_last ? &f->gone_last->gone_next : &f->gone_first) = d;
	f->gone_last = d;
	if (++f->gone_count > GONE_MAX)
		gone_forget_first(f);
}

void gm_fleet_device_return(struct gm_fleet *f, struct fleet_device *d)
{
	gone_unlink(f, d);
	f->device_count++;
}

bool gm_fleet_device_price(struct gm_fleet *f, struct fleet_device *d)
{
	const struct gm_fleet_conf *c = &f->conf;
	const char *model = d->facts->model;
	const char *variant = d->facts->variant ? d->facts->variant->id : "";
	bool managed = !c->managed || c->managed(c->ctx, d->node->name->cluster, d->node->name->name, model, variant);
	int64_t hourly = c->hourly_micros ? c->hourly_micros(c->ctx, model, variant) : -1;
	bool changed = managed != d->managed || hourly != d->hourly_micros;
	d->managed = managed;
	d->hourly_micros = hourly;
	return changed;
}

void gm_fleet_target_removed(struct gm_fleet *f, struct gm_str target)
{
	struct fleet_source *s = gm_map_remove(&f->sources, target);
	if (!s)
		return;
	for (size_t i = 0; i < s->served.count; i++)
		s->served.items[i]->source = NULL;
	source_free(s);
}

/* ---- what the store knew */

static struct gm_str text_or_empty(const char *s)
{
	return gm_str(s ? s : "");
}

static bool time_ok(int64_t at_ms)
{
	return at_ms >= 0 && at_ms <= GM_PAGE_TIME_MS_MAX;
}

static int check_def(const struct gm_fleet *f, const struct gm_series_def *def, struct gm_err *err)
{
	const struct gm_str texts[] = { gm_str(def->cluster),
					gm_str(def->uuid),
					gm_str(def->node),
					text_or_empty(def->model),
					text_or_empty(def->product_name),
					text_or_empty(def->mig_uuid),
					text_or_empty(def->profile) };
	for (size_t i = 0; i < GM_LEN(texts); i++)
		if (texts[i].n > GM_PAGE_TEXT_MAX || (i < 3 && texts[i].n == 0))
			return gm_fail(err, GM_ERR_INVALID, "series %u: a text of %zu bytes", def->series, texts[i].n);
	if (f->applied)
		return gm_fail(err, GM_ERR_INVALID, "series %u: too late, pages were applied", def->series);
	if (!time_ok(def->first_seen_ms) || !time_ok(def->last_seen_ms))
		return gm_fail(err, GM_ERR_INVALID, "series %u: times out of range", def->series);
	if (def->series == 0 || def->index < -1 || (def->gi_id < 0) != (def->ci_id < 0))
		return gm_fail(err, GM_ERR_INVALID, "series %u: numbers out of range", def->series);
	if (gm_map_get(&f->restored, gm_str_n((const char *)&def->series, sizeof(def->series))))
		return gm_fail(err, GM_ERR_CONFLICT, "series %u is there twice", def->series);
	return 0;
}

static int restore_board(struct gm_fleet *f, const struct gm_series_def *def, struct gm_err *err)
{
	struct gm_str uuid = gm_str(def->uuid);
	if (gm_map_get(&f->devices, uuid))
		return gm_fail(err, GM_ERR_CONFLICT, "series %u: device '%s' is there twice", def->series, def->uuid);
	if (f->device_count == GM_FLEET_DEVICES_MAX)
		return gm_fail(err, GM_ERR_TOO_LARGE, "more than %d devices", GM_FLEET_DEVICES_MAX);
	struct fleet_device *d = gm_fleet_device_new(f, uuid, def->series);
	d->first_seen_ms = def->first_seen_ms;
	d->seen_at_ms = d->told_at_ms = def->last_seen_ms;
	d->never_seen = true;
	d->phase = FLEET_SILENT;
	d->reasons = GM_REASON(NEVER_SEEN);
	d->health = GM_HEALTH_UNKNOWN;
	bool series;
	const struct fleet_facts_news news = {
		.node = def->node,
		.index = def->index < 0 ? 0 : def->index,
		.product_name = text_or_empty(def->product_name),
		.model = def->model && def->model[0] ? def->model : NULL,
		.memory_told = def->memory_total_bytes,
	};
	(void)gm_fleet_facts_update(d, &news, &series);
	struct fleet_node *n = gm_fleet_node_get(f, gm_str(def->cluster), gm_str(def->node));
	gm_fleet_node_add(f, n, d);
	(void)gm_fleet_device_price(f, d);
	gm_fleet_node_schedule(f, n);
	d->touched = true;
	return 0;
}

static bool is_former(const struct fleet_former *it, const struct gm_series_def *def, struct gm_str uuid,
		      struct gm_str profile)
{
	return it->gi_id == def->gi_id && it->ci_id == def->ci_id && gm_str_is(uuid, it->uuid) &&
	       gm_str_is(profile, it->profile) && it->placement_start == def->placement_start &&
	       it->placement_size == def->placement_size;
}

/*
 * An instance of before is not shown (which of a board's series exist now only its source can tell), but goes on with
 * its series when it is still there.
 */
static int restore_instance(struct gm_fleet *f, const struct gm_series_def *def, struct gm_err *err)
{
	struct fleet_device *d = gm_map_get(&f->devices, gm_str(def->uuid));
	struct gm_str uuid = text_or_empty(def->mig_uuid);
	struct gm_str profile = text_or_empty(def->profile);
	if (!d)
		return gm_fail(err, GM_ERR_NOT_FOUND, "series %u: no device '%s' before it", def->series, def->uuid);
	for (size_t i = 0; i < d->former.count; i++)
		if (is_former(&d->former.items[i], def, uuid, profile))
			return gm_fail(err, GM_ERR_CONFLICT, "series %u: MIG instance %d.%d of '%s' is there twice",
				       def->series, def->gi_id, def->ci_id, def->uuid);
	const struct fleet_former former = {
		.series = def->series,
		.gi_id = def->gi_id,
		.ci_id = def->ci_id,
		.placement_start = def->placement_start,
		.placement_size = def->placement_size,
		.uuid = gm_str_dup(uuid),
		.profile = gm_str_dup(profile),
	};
	gm_fleet_former_add(d, &former);
	return 0;
}

int gm_fleet_restore(struct gm_fleet *f, const struct gm_series_def *def, struct gm_err *err)
{
	/* Of one that is refused too: its number is taken in the store. */
	if (def->series >= f->next_series && def->series < UINT32_MAX)
		f->next_series = def->series + 1;
	int rc = check_def(f, def, err);
	if (rc)
		return rc;
	rc = def->gi_id < 0 ? restore_board(f, def, err) : restore_instance(f, def, err);
	if (rc)
		return rc;
	uint32_t *number = gm_xmemdup(&def->series, sizeof(def->series));
	(void)gm_map_put(&f->restored, gm_str_n((const char *)number, sizeof(*number)), number);
	return 0;
}

void gm_fleet_restored(struct gm_fleet *f)
{
	f->applied = true;
	restored_forget(f);
}
