/* SPDX-License-Identifier: MIT */
#include "app/server/render.h"

#include <stdlib.h>

#include "app/server/values.h"
#include "base/alloc.h"

struct rendering {
	size_t n;
	char bytes[];
};

void gm_render_text(struct gm_json *w, const char *s)
{
	gm_json_cstr(w, s && s[0] ? s : NULL);
}

void gm_render_mib(struct gm_json *w, int64_t bytes)
{
	if (bytes < 0)
		gm_json_null(w);
	else
		gm_json_i64(w, bytes / GM_MIB);
}

void gm_render_number(struct gm_json *w, int64_t v)
{
	if (v < 0)
		gm_json_null(w);
	else
		gm_json_i64(w, v);
}

void gm_render_micros(struct gm_json *w, int64_t micros)
{
	if (micros < 0)
		gm_json_null(w);
	else
		gm_json_fixed(w, micros, 6);
}

void gm_render_pods(struct gm_json *w, const struct gm_pod_ref *pods, size_t count)
{
	gm_json_key(w, "pods");
	gm_json_array(w);
	for (size_t i = 0; i < count; i++) {
		gm_json_object(w);
		gm_json_kcstr(w, "namespace", pods[i].namespace_);
		gm_json_kcstr(w, "pod", pods[i].pod);
		gm_json_key(w, "container");
		gm_render_text(w, pods[i].container);
		gm_json_end_object(w);
	}
	gm_json_end_array(w);
}

static void mig_flags(struct gm_json *w, const struct gm_device *d)
{
	const bool switchable = d->mig_mode == GM_MIG_ON || (d->mig_mode == GM_MIG_OFF && d->source == GM_PAGE_AGENT);

	gm_json_key(w, "migCapable");
	if (switchable || d->mig_mode == GM_MIG_UNABLE)
		gm_json_bool(w, switchable);
	else if (d->variant)
		gm_json_bool(w, d->variant->mig_capable);
	else
		gm_json_null(w);
	gm_json_key(w, "migEnabled");
	if (d->mig_mode == GM_MIG_UNKNOWN && !(d->variant && !d->variant->mig_capable))
		gm_json_null(w);
	else
		gm_json_bool(w, d->mig_mode == GM_MIG_ON);
}

static void health_fields(struct gm_json *w, const struct gm_device *d)
{
	gm_json_kcstr(w, "health", gm_health_name(d->health));
	gm_json_key(w, "healthReasons");
	gm_json_array(w);
	for (unsigned i = 0; i < GM_HEALTH_REASON_COUNT; i++) {
		if (d->health_reasons >> i & 1)
			gm_json_cstr(w, gm_health_reason_name(i));
	}
	gm_json_end_array(w);
}

static void device_identity(struct gm_json *w, const struct gm_device *d)
{
	gm_json_kcstr(w, "deviceId", d->id);
	gm_json_kcstr(w, "uuid", d->uuid);
	gm_json_kcstr(w, "cluster", d->cluster);
	gm_json_kcstr(w, "nodeName", d->node);
	gm_json_ki64(w, "gpuIndex", d->index);
	gm_json_kcstr(w, "model", d->model);
	gm_json_kcstr(w, "variant", d->variant ? d->variant->id : NULL);
	gm_json_key(w, "productName");
	gm_render_text(w, d->product_name);
	gm_json_kcstr(w, "architecture", d->variant ? d->variant->architecture : NULL);
}

/* Values computed from others and not read from the board itself: the number is there, this says what it is. */
static void derived_list(struct gm_json *w, const struct gm_sample *s)
{
	gm_json_key(w, "derived");
	gm_json_array(w);
	for (size_t i = 0; i < gm_value_count; i++) {
		const enum gm_field f = gm_value_table[i].field;
		if (gm_sample_has(s, f) && s->validity[f] != GM_MEASURED)
			gm_json_cstr(w, gm_value_table[i].name);
	}
	gm_json_end_array(w);
}

static void device_fields(struct gm_json *w, const struct gm_device *d, const char *currency, enum gm_value_place place)
{
	device_identity(w, d);
	gm_json_key(w, "memoryTotalMiB");
	gm_render_mib(w, d->memory_total_bytes);
	mig_flags(w, d);
	gm_json_kbool(w, "managed", d->managed);
	health_fields(w, d);
	gm_values_write(w, &d->sample, GM_VALUE_ITEM);
	if (place == GM_VALUE_DETAIL)
		gm_values_write(w, &d->sample, GM_VALUE_DETAIL);
	gm_render_pods(w, d->pods, d->pod_count);
	gm_json_key(w, "migInstances");
	gm_json_array(w);
	for (size_t i = 0; i < d->instance_count; i++)
		gm_render_instance(w, &d->instances[i], d, false);
	gm_json_end_array(w);
	gm_json_key(w, "hourlyCost");
	gm_render_micros(w, d->hourly_micros);
	gm_json_kcstr(w, "currency", currency);
	gm_json_kcstr(w, "source", gm_page_kind_name(d->source));
	gm_json_ktime(w, "sampledAt", d->sample.at_ms);
	gm_values_quality(w, &d->sample, place);
	derived_list(w, &d->sample);
}

struct gm_str gm_render_device_item(const struct gm_device *d, const char *currency)
{
	const struct rendering *kept = gm_cache_slot_get(d->cache);

	if (!kept) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
		struct gm_json w;

		gm_json_init(&w, &b);
		gm_json_object(&w);
		device_fields(&w, d, currency, GM_VALUE_ITEM);
		gm_json_end_object(&w);
		struct rendering *r = gm_xalloc(sizeof(*r) + b.n);
		r->n = b.n;
		memcpy(r->bytes, b.p, b.n);
		kept = gm_cache_slot_set(d->cache, r, free);
	}
	return gm_str_n(kept->bytes, kept->n);
}

void gm_render_mig_table(struct gm_json *w, const struct gm_variant *v)
{
	const struct gm_mig_table *t = v ? v->mig : NULL;
	GM_AUTO(gm_buf_fini_p) struct gm_buf id = { 0 };

	gm_json_key(w, "migProfiles");
	gm_json_array(w);
	for (size_t i = 0; t && i < t->profile_count; i++) {
		const struct gm_mig_profile *p = &t->profiles[i];

		gm_buf_reset(&id);
		gm_mig_profile_id(v->model, p->name, &id);
		gm_json_object(w);
		gm_json_kcstr(w, "profile", p->name);
		gm_json_kstr(w, "profileId", gm_buf_str(&id));
		gm_json_ki64(w, "computeSlices", p->compute_slices);
		gm_json_key(w, "memorySlices");
		gm_render_number(w, p->memory_slices);
		gm_json_key(w, "memoryMiB");
		gm_render_number(w, p->memory_mib);
		gm_json_ki64(w, "maxInstances", p->max_instances);
		gm_json_kcstr(w, "resourceName", p->resource);
		gm_json_key(w, "placements");
		gm_json_array(w);
		for (size_t k = 0; k < p->start_count; k++)
			gm_json_i64(w, p->starts[k]);
		gm_json_end_array(w);
		gm_json_key(w, "placementSize");
		gm_render_number(w, p->size);
		gm_json_end_object(w);
	}
	gm_json_end_array(w);
	gm_json_key(w, "migPlacementUnits");
	gm_render_number(w, t ? t->placement_units : -1);
}

void gm_render_device_detail(struct gm_json *w, const struct gm_device *d, const char *currency)
{
	gm_json_object(w);
	device_fields(w, d, currency, GM_VALUE_DETAIL);
	gm_throttle_reasons_write(w, &d->sample);
	gm_json_key(w, "driverVersion");
	gm_render_text(w, d->driver_version);
	gm_json_key(w, "pciBusId");
	gm_render_text(w, d->pci_bus_id);
	gm_json_key(w, "serial");
	gm_render_text(w, d->serial);
	gm_json_ktime(w, "firstSeen", d->first_seen_ms);
	gm_json_ktime(w, "lastSeen", d->last_seen_ms);
	gm_json_key(w, "target");
	gm_render_text(w, d->target);
	gm_json_key(w, "nominalMemoryGb");
	gm_render_number(w, d->variant ? d->variant->memory_gb : -1);
	gm_render_mig_table(w, d->variant);
	gm_json_end_object(w);
}

static void instance_utilization(struct gm_json *w, const struct gm_sample *s, bool quality)
{
	const bool engine = !gm_sample_has(s, GM_FIELD_UTILIZATION) && gm_sample_has(s, GM_FIELD_GR_ENGINE_ACTIVE);
	const enum gm_field f = engine ? GM_FIELD_GR_ENGINE_ACTIVE : GM_FIELD_UTILIZATION;

	if (quality) {
		if (!gm_sample_has(s, f))
			gm_json_kcstr(w, "utilization", gm_validity_name((enum gm_validity)s->validity[f]));
		return;
	}
	gm_json_key(w, "utilization");
	if (gm_sample_has(s, f))
		gm_json_fixed(w, s->value[f], 2);
	else
		gm_json_null(w);
}

static void instance_values(struct gm_json *w, const struct gm_sample *s)
{
	instance_utilization(w, s, false);
	gm_json_key(w, "memoryUsedMiB");
	gm_render_mib(w, gm_sample_has(s, GM_FIELD_MEMORY_USED) ? s->value[GM_FIELD_MEMORY_USED] : -1);
	gm_json_key(w, "quality");
	gm_json_object(w);
	instance_utilization(w, s, true);
	if (!gm_sample_has(s, GM_FIELD_MEMORY_USED))
		gm_json_kcstr(w, "memoryUsedMiB",
			      gm_validity_name((enum gm_validity)s->validity[GM_FIELD_MEMORY_USED]));
	gm_json_end_object(w);
}

void gm_render_instance(struct gm_json *w, const struct gm_instance *i, const struct gm_device *d, bool device)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf id = { 0 };

	gm_mig_profile_id(d->model, i->profile, &id);
	gm_json_object(w);
	gm_json_kcstr(w, "id", i->id);
	if (device) {
		gm_json_kcstr(w, "deviceId", d->id);
		gm_json_kcstr(w, "cluster", d->cluster);
		gm_json_kcstr(w, "nodeName", d->node);
		gm_json_kcstr(w, "model", d->model);
	}
	gm_json_ki64(w, "giId", i->gi_id);
	gm_json_ki64(w, "ciId", i->ci_id);
	gm_json_key(w, "uuid");
	gm_render_text(w, i->uuid);
	gm_json_kcstr(w, "profile", i->profile);
	gm_json_kstr(w, "profileId", gm_buf_str(&id));
	gm_json_key(w, "placementStart");
	gm_render_number(w, i->placement_start);
	gm_json_key(w, "placementSize");
	gm_render_number(w, i->placement_size);
	gm_json_key(w, "memoryTotalMiB");
	gm_render_mib(w, i->memory_total_bytes);
	instance_values(w, &i->sample);
	gm_render_pods(w, i->pods, i->pod_count);
	gm_json_end_object(w);
}

void gm_render_health(struct gm_json *w, const struct gm_totals *t)
{
	gm_json_key(w, "health");
	gm_json_object(w);
	for (int h = 0; h < GM_HEALTH_COUNT; h++) {
		const char *name = gm_health_name((enum gm_health)h);
		gm_json_key_n(w, name, strlen(name));
		gm_json_i64(w, t->health[h]);
	}
	gm_json_end_object(w);
}

void gm_render_node(struct gm_json *w, const struct gm_node *n, const char *currency)
{
	const struct gm_totals *t = &n->totals;

	gm_json_object(w);
	gm_json_kcstr(w, "name", n->name);
	gm_json_kcstr(w, "cluster", n->cluster);
	gm_json_kcstr(w, "state", gm_node_state_name(n->state));
	gm_json_ktime(w, "lastSeen", n->last_seen_ms);
	gm_json_ki64(w, "gpuDevices", t->devices);
	gm_json_ki64(w, "migInstances", t->gpu_instances);
	gm_render_health(w, t);
	gm_json_key(w, "utilization");
	if (t->utilization_count)
		gm_json_fixed(w, t->utilization_sum / (int64_t)t->utilization_count, 2);
	else
		gm_json_null(w);
	gm_json_key(w, "memoryTotalMiB");
	gm_render_mib(w, t->memory_total_bytes ? t->memory_total_bytes : -1);
	gm_json_key(w, "memoryUsedMiB");
	gm_render_mib(w, t->memory_count ? t->memory_used_bytes : -1);
	gm_json_key(w, "powerWatts");
	if (t->power_count)
		gm_json_fixed(w, t->power_mw, 3);
	else
		gm_json_null(w);
	gm_json_key(w, "hourlyCost");
	gm_render_micros(w, t->priced ? t->hourly_micros : -1);
	gm_json_kcstr(w, "currency", currency);
	gm_json_key(w, "models");
	gm_json_array(w);
	for (size_t i = 0; i < n->device_count; i++) {
		bool seen = false;
		for (size_t k = 0; k < i && !seen; k++)
			seen = strcmp(n->devices[k].model, n->devices[i].model) == 0;
		if (!seen)
			gm_json_cstr(w, n->devices[i].model);
	}
	gm_json_end_array(w);
	gm_json_end_object(w);
}
