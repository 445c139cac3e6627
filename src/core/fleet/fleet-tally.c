/* SPDX-License-Identifier: MIT */
#include "core/fleet/fleet-internal.h"

#include "base/alloc.h"

#define IDLE_CENTI 500
#define HOT_DECI 850
/* What no board has: such a value is shown, but in no sum, where 200,000 of them could overflow. */
#define SUMMAND_MAX (INT64_C(1) << 45)

/* ---- sums */

#define TOTALS_FIELDS(X)                                                                                               \
	X(devices)                                                                                                     \
	X(mig_enabled)                                                                                                 \
	X(gpu_instances)                                                                                               \
	X(mig_instances)                                                                                               \
	X(utilization_count)                                                                                           \
	X(utilization_sum)                                                                                             \
	X(idle)                                                                                                        \
	X(hot)                                                                                                         \
	X(memory_count)                                                                                                \
	X(memory_total_bytes)                                                                                          \
	X(memory_used_bytes)                                                                                           \
	X(power_count)                                                                                                 \
	X(power_mw)                                                                                                    \
	X(priced)                                                                                                      \
	X(hourly_micros)                                                                                               \
	X(managed)

void gm_totals_add(struct gm_totals *sum, const struct gm_totals *t)
{
#define ADD(field) sum->field += t->field;
	TOTALS_FIELDS(ADD)
#undef ADD
	for (size_t i = 0; i < GM_HEALTH_COUNT; i++)
		sum->health[i] += t->health[i];
	for (size_t i = 0; i < GM_LEN(sum->utilization_histogram); i++)
		sum->utilization_histogram[i] += t->utilization_histogram[i];
}

void gm_totals_subtract(struct gm_totals *sum, const struct gm_totals *t)
{
#define SUBTRACT(field) sum->field -= t->field;
	TOTALS_FIELDS(SUBTRACT)
#undef SUBTRACT
	for (size_t i = 0; i < GM_HEALTH_COUNT; i++)
		sum->health[i] -= t->health[i];
	for (size_t i = 0; i < GM_LEN(sum->utilization_histogram); i++)
		sum->utilization_histogram[i] -= t->utilization_histogram[i];
}

static bool has_summand(const struct gm_sample *s, enum gm_field f)
{
	return gm_sample_has(s, f) && s->value[f] >= 0 && s->value[f] <= SUMMAND_MAX;
}

static void count_values(struct gm_totals *t, const struct gm_sample *s)
{
	if (has_summand(s, GM_FIELD_UTILIZATION)) {
		int64_t centi = s->value[GM_FIELD_UTILIZATION];
		int64_t percent = centi / 100;
		t->utilization_count++;
		t->utilization_sum += centi;
		t->utilization_histogram[percent > 100 ? 100 : percent]++;
		t->idle += centi < IDLE_CENTI;
	}
	t->hot += gm_sample_has(s, GM_FIELD_TEMPERATURE) && s->value[GM_FIELD_TEMPERATURE] > HOT_DECI;
	if (has_summand(s, GM_FIELD_MEMORY_USED)) {
		t->memory_count++;
		t->memory_used_bytes += s->value[GM_FIELD_MEMORY_USED];
	}
	if (has_summand(s, GM_FIELD_POWER)) {
		t->power_count++;
		t->power_mw += s->value[GM_FIELD_POWER];
	}
}

void gm_totals_count(struct gm_totals *t, const struct gm_device *d)
{
	t->devices++;
	t->health[d->health]++;
	t->mig_enabled += d->mig_mode == GM_MIG_ON;
	t->mig_instances += (uint32_t)d->instance_count;
	for (size_t i = 0; i < d->instance_count; i++)
		t->gpu_instances += i == 0 || d->instances[i - 1].gi_id != d->instances[i].gi_id;
	if (d->memory_total_bytes > 0 && d->memory_total_bytes <= SUMMAND_MAX)
		t->memory_total_bytes += d->memory_total_bytes;
	if (d->hourly_micros >= 0) {
		t->priced++;
		t->hourly_micros += d->hourly_micros;
	}
	t->managed += d->managed;
	count_values(t, &d->sample);
}

/* ---- counts by name, kept while versions come and go */

struct fleet_tally {
	uint32_t total, held;
	struct gm_str key; /* in `text`, which is NUL-ended */
	char text[];
};

/* True when the set of names or a number in it changed. */
static void tally(struct gm_map *map, struct gm_str key, int by, bool held)
{
	struct fleet_tally *t = gm_map_get(map, key);
	if (!t) {
		t = gm_xalloc(sizeof(*t) + key.n + 1);
		memcpy(t->text, key.p, key.n);
		t->key = gm_str_n(t->text, key.n);
		(void)gm_map_put(map, t->key, t);
	}
	t->total += (uint32_t)by;
	t->held += held ? (uint32_t)by : 0;
	if (t->total == 0) {
		(void)gm_map_remove(map, t->key);
		free(t);
	}
}

/* A workload is a pod by its cluster, namespace and name, whatever it holds and wherever. */
static void tally_pods(struct gm_fleet *f, const char *cluster, const struct gm_pod_ref *pods, size_t count, int by)
{
	char key[3 * (GM_PAGE_TEXT_MAX + 1)];
	for (size_t i = 0; i < count; i++) {
		if (!pods[i].pod[0])
			continue;
		const char *const parts[] = { cluster, pods[i].namespace_, pods[i].pod };
		size_t n = 0;
		for (size_t k = 0; k < GM_LEN(parts); k++) {
			size_t bytes = strlen(parts[k]) + 1;
			memcpy(key + n, parts[k], bytes);
			n += bytes;
		}
		tally(&f->workloads, gm_str_n(key, n), by, false);
	}
}

void gm_fleet_tally(struct gm_fleet *f, const struct gm_node *n, int by)
{
	for (size_t i = 0; i < n->device_count; i++) {
		const struct gm_device *d = &n->devices[i];
		tally(&f->models, gm_str(d->model), by, false);
		tally_pods(f, n->cluster, d->pods, d->pod_count, by);
		for (size_t k = 0; k < d->instance_count; k++) {
			const struct gm_instance *in = &d->instances[k];
			tally(&f->profiles, gm_str(in->profile), by, in->pod_count > 0);
			tally_pods(f, n->cluster, in->pods, in->pod_count, by);
		}
	}
	f->tallies_changed = true;
}

static int model_cmp(const void *a, const void *b)
{
	return strcmp(((const struct gm_model_count *)a)->model, ((const struct gm_model_count *)b)->model);
}

static int profile_cmp(const void *a, const void *b)
{
	return strcmp(((const struct gm_profile_count *)a)->profile, ((const struct gm_profile_count *)b)->profile);
}

static size_t text_bytes(const struct gm_map *map)
{
	size_t bytes = 0;
	const struct gm_map_entry *e;
	for (size_t i = 0; (e = gm_map_next(map, &i));)
		bytes += e->key.n + 1;
	return bytes;
}

static const char *text_put(char **at, const struct fleet_tally *t)
{
	char *text = memcpy(*at, t->text, t->key.n + 1);
	*at += t->key.n + 1;
	return text;
}

struct fleet_tallies *gm_fleet_tallies_make(struct gm_fleet *f)
{
	size_t models = f->models.count * sizeof(struct gm_model_count);
	size_t profiles = f->profiles.count * sizeof(struct gm_profile_count);
	struct fleet_tallies *t =
		gm_xalloc(sizeof(*t) + models + profiles + text_bytes(&f->models) + text_bytes(&f->profiles));
	t->shared.refs = 1;
	t->models = (struct gm_model_count *)(t + 1);
	t->profiles = (struct gm_profile_count *)(t->models + f->models.count);
	char *at = (char *)(t->profiles + f->profiles.count);
	const struct gm_map_entry *e;
	for (size_t i = 0; (e = gm_map_next(&f->models, &i));) {
		const struct fleet_tally *it = e->value;
		t->models[t->model_count++] = (struct gm_model_count){ text_put(&at, it), it->total };
	}
	for (size_t i = 0; (e = gm_map_next(&f->profiles, &i));) {
		const struct fleet_tally *it = e->value;
		t->profiles[t->profile_count++] = (struct gm_profile_count){ text_put(&at, it), it->total, it->held };
	}
	qsort(t->models, t->model_count, sizeof(t->models[0]), model_cmp);
	qsort(t->profiles, t->profile_count, sizeof(t->profiles[0]), profile_cmp);
	return t;
}

static void free_entries(struct gm_map *map)
{
	const struct gm_map_entry *e;
	for (size_t i = 0; (e = gm_map_next(map, &i));)
		free(e->value);
	gm_map_fini(map);
}

void gm_fleet_tallies_fini(struct gm_fleet *f)
{
	free_entries(&f->models);
	free_entries(&f->profiles);
	free_entries(&f->workloads);
}
