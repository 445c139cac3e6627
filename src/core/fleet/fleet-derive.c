/* SPDX-License-Identifier: MIT */
#include "core/fleet/fleet-internal.h"

#include "base/parse.h"

#define FULL_CENTI 10000

/* No value, and no word on it that we would overwrite. */
static bool is_open(const struct gm_sample *s, enum gm_field f)
{
	return !gm_sample_has(s, f) && (s->validity[f] == GM_ABSENT || s->validity[f] == GM_UNSUPPORTED);
}

/* NVML has no utilisation on MIG instances: the profiling value is the share of the instance, or there is none. */
void gm_fleet_derive_instance(struct gm_sample *s)
{
	if (!is_open(s, GM_FIELD_UTILIZATION))
		return;
	if (gm_sample_has(s, GM_FIELD_GR_ENGINE_ACTIVE))
		gm_sample_set(s, GM_FIELD_UTILIZATION, s->value[GM_FIELD_GR_ENGINE_ACTIVE],
			      (enum gm_validity)s->validity[GM_FIELD_GR_ENGINE_ACTIVE],
			      (enum gm_source)s->source[GM_FIELD_GR_ENGINE_ACTIVE]);
	else
		gm_sample_miss(s, GM_FIELD_UTILIZATION, GM_UNSUPPORTED, GM_SOURCE_NONE);
}

/* "3g.40gb" has 3 compute slices, the compute instance "1c.3g.40gb" 1; 1 when nothing can be read. */
static int64_t slices_of(const struct gm_instance *in)
{
	if (in->known && in->known->compute_slices > 0)
		return in->known->compute_slices;
	struct gm_str p = gm_str(in->profile);
	size_t digits = 0;
	while (digits < p.n && p.p[digits] >= '0' && p.p[digits] <= '9')
		digits++;
	int64_t slices = 1;
	bool marked = digits < p.n && (p.p[digits] == 'g' || p.p[digits] == 'c');
	return marked && gm_parse_i64(gm_str_n(p.p, digits), 1, 64, &slices) ? slices : 1;
}

static bool is_measured(const struct gm_sample *s, enum gm_field f)
{
	return gm_sample_has(s, f) && (s->validity[f] == GM_MEASURED || s->validity[f] == GM_DERIVED);
}

static void derive_utilization(struct gm_device *d)
{
	int64_t sum = 0;
	int64_t weights = 0;
	enum gm_source source = GM_SOURCE_NONE;
	for (size_t i = 0; i < d->instance_count; i++) {
		const struct gm_instance *in = &d->instances[i];
		int64_t centi = in->sample.value[GM_FIELD_UTILIZATION];
		if (!is_measured(&in->sample, GM_FIELD_UTILIZATION) || centi < 0 || centi > FULL_CENTI)
			continue;
		int64_t slices = slices_of(in);
		sum += centi * slices;
		weights += slices;
		source = (enum gm_source)in->sample.source[GM_FIELD_UTILIZATION];
	}
	if (weights > 0)
		gm_sample_set(&d->sample, GM_FIELD_UTILIZATION, (sum + weights / 2) / weights, GM_DERIVED, source);
	else
		gm_sample_miss(&d->sample, GM_FIELD_UTILIZATION, GM_UNSUPPORTED, GM_SOURCE_NONE);
}

/* Compute instances of one GPU instance share its memory: it counts once. A part that is missing leaves no sum. */
static void derive_memory_used(struct gm_device *d)
{
	int64_t sum = 0;
	enum gm_source source = GM_SOURCE_NONE;
	for (size_t i = 0; i < d->instance_count; i++) {
		const struct gm_instance *in = &d->instances[i];
		if (i > 0 && d->instances[i - 1].gi_id == in->gi_id)
			continue;
		if (!is_measured(&in->sample, GM_FIELD_MEMORY_USED) ||
		    __builtin_add_overflow(sum, in->sample.value[GM_FIELD_MEMORY_USED], &sum))
			return;
		source = (enum gm_source)in->sample.source[GM_FIELD_MEMORY_USED];
	}
	gm_sample_set(&d->sample, GM_FIELD_MEMORY_USED, sum, GM_DERIVED, source);
}

void gm_fleet_derive_board(struct gm_device *d)
{
	if (d->mig_mode != GM_MIG_ON && d->instance_count == 0)
		return;
	if (is_open(&d->sample, GM_FIELD_UTILIZATION))
		derive_utilization(d);
	if (d->instance_count > 0 && is_open(&d->sample, GM_FIELD_MEMORY_USED))
		derive_memory_used(d);
}

void gm_fleet_mark_stale(struct gm_sample *s)
{
	for (int f = 0; f < GM_FIELD_COUNT; f++)
		if (gm_sample_has(s, (enum gm_field)f))
			s->validity[f] = GM_STALE;
	s->valid = 0;
}
