/* SPDX-License-Identifier: MIT */
#include "app/server/cells.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/map.h"

static uint8_t clamped(int64_t v)
{
	return (uint8_t)(v < 0 ? 0 : v > 254 ? 254 : v);
}

/* Rounded; whole > 0. */
static uint8_t percent_of(int64_t part, int64_t whole)
{
	return clamped((int64_t)(((__int128)part * 100 + whole / 2) / whole));
}

static bool device_held(const struct gm_device *d)
{
	bool held = d->pod_count > 0;

	for (size_t i = 0; i < d->instance_count && !held; i++)
		held = d->instances[i].pod_count > 0;
	return held;
}

static uint8_t gpu_instances(const struct gm_device *d)
{
	unsigned n = 0;

	for (size_t i = 0; i < d->instance_count; i++) {
		bool first = true;
		for (size_t k = 0; k < i && first; k++)
			first = d->instances[k].gi_id != d->instances[i].gi_id;
		n += first;
	}
	return clamped(n);
}

struct gm_cell gm_cell_of(const struct gm_device *d)
{
	const struct gm_sample *s = &d->sample;
	struct gm_cell c = { .utilization = GM_CELL_NONE,
			     .temperature = GM_CELL_NONE,
			     .memory = GM_CELL_NONE,
			     .health = (uint8_t)d->health,
			     .mig = gpu_instances(d) };

	if (gm_sample_has(s, GM_FIELD_UTILIZATION))
		c.utilization = clamped((s->value[GM_FIELD_UTILIZATION] + 50) / 100);
	if (gm_sample_has(s, GM_FIELD_TEMPERATURE))
		c.temperature = clamped((s->value[GM_FIELD_TEMPERATURE] + 5) / 10);
	if (gm_sample_has(s, GM_FIELD_MEMORY_USED) && d->memory_total_bytes > 0)
		c.memory = percent_of(s->value[GM_FIELD_MEMORY_USED], d->memory_total_bytes);
	c.flags = (uint8_t)((d->mig_mode == GM_MIG_ON ? GM_CELL_MIG : 0) | (d->managed ? GM_CELL_MANAGED : 0) |
			    (device_held(d) ? GM_CELL_HELD : 0) | (d->source == GM_PAGE_SIM ? GM_CELL_SIMULATED : 0));
	return c;
}

/* One column after the other, from cells computed once. */
static const struct {
	const char *name;
	size_t offset;
} columns[] = {
	{ "u", offsetof(struct gm_cell, utilization) }, { "t", offsetof(struct gm_cell, temperature) },
	{ "m", offsetof(struct gm_cell, memory) },	{ "h", offsetof(struct gm_cell, health) },
	{ "f", offsetof(struct gm_cell, flags) },	{ "mig", offsetof(struct gm_cell, mig) },
};

static void write_column(struct gm_json *w, const char *key, size_t offset, const struct gm_cell *cells, size_t count,
			 uint8_t *scratch)
{
	for (size_t i = 0; i < count; i++)
		scratch[i] = ((const uint8_t *)&cells[i])[offset];
	gm_json_key_n(w, key, strlen(key));
	gm_json_base64(w, scratch, count);
}

static void write_health_names(struct gm_json *w)
{
	gm_json_key(w, "health");
	gm_json_array(w);
	for (int h = 0; h < GM_HEALTH_COUNT; h++)
		gm_json_cstr(w, gm_health_name((enum gm_health)h));
	gm_json_end_array(w);
}

static void write_texts(struct gm_json *w, const struct gm_snapshot *s, const char *key, size_t offset)
{
	gm_json_key_n(w, key, strlen(key));
	gm_json_array(w);
	for (size_t i = 0; i < s->device_count; i++)
		gm_json_cstr(w, *(const char *const *)((const char *)s->devices[i] + offset));
	gm_json_end_array(w);
}

static void write_nodes(struct gm_json *w, const struct gm_snapshot *s, uint32_t *scratch)
{
	size_t n = 0;

	gm_json_key(w, "nodes");
	gm_json_object(w);
	gm_json_key(w, "names");
	gm_json_array(w);
	for (size_t i = 0; i < s->node_count; i++)
		gm_json_cstr(w, s->nodes[i]->name);
	gm_json_end_array(w);
	gm_json_key(w, "clusters");
	gm_json_array(w);
	for (size_t i = 0; i < s->node_count; i++)
		gm_json_cstr(w, s->nodes[i]->cluster);
	gm_json_end_array(w);
	for (size_t i = 0; i < s->node_count; i++) {
		for (size_t k = 0; k < s->nodes[i]->device_count; k++)
			scratch[n++] = (uint32_t)i;
	}
	gm_json_key(w, "index");
	gm_json_base64(w, scratch, n * sizeof(uint32_t));
	gm_json_end_object(w);
}

/* s->models is sorted by name. */
static uint16_t model_index(const struct gm_snapshot *s, const char *model)
{
	size_t low = 0, high = s->model_count;

	while (low + 1 < high) {
		const size_t middle = (low + high) / 2;
		if (strcmp(s->models[middle].model, model) <= 0)
			low = middle;
		else
			high = middle;
	}
	return (uint16_t)low;
}

static void write_models(struct gm_json *w, const struct gm_snapshot *s, uint16_t *scratch)
{
	gm_json_key(w, "models");
	gm_json_object(w);
	gm_json_key(w, "names");
	gm_json_array(w);
	for (size_t i = 0; i < s->model_count; i++)
		gm_json_cstr(w, s->models[i].model);
	gm_json_end_array(w);
	for (size_t i = 0; i < s->device_count; i++)
		scratch[i] = model_index(s, s->devices[i]->model);
	gm_json_key(w, "index");
	gm_json_base64(w, scratch, s->device_count * sizeof(uint16_t));
	gm_json_end_object(w);
}

void gm_cells_write_columns(struct gm_buf *out, const struct gm_snapshot *s)
{
	const size_t n = s->device_count;
	GM_AUTO(gm_free_p) struct gm_cell *cells = gm_xalloc(n * sizeof(*cells) + 1);
	GM_AUTO(gm_free_p) uint32_t *scratch = gm_xalloc(n * sizeof(*scratch) + 1);
	struct gm_json w;

	for (size_t i = 0; i < n; i++)
		cells[i] = gm_cell_of(s->devices[i]);
	gm_json_init(&w, out);
	gm_json_object(&w);
	gm_json_ku64(&w, "seq", s->seq);
	gm_json_ktime(&w, "ts", s->at_ms);
	gm_json_ku64(&w, "count", n);
	write_health_names(&w);
	write_texts(&w, s, "ids", offsetof(struct gm_device, id));
	write_texts(&w, s, "uuids", offsetof(struct gm_device, uuid));
	write_nodes(&w, s, scratch);
	write_models(&w, s, (uint16_t *)scratch);
	for (size_t i = 0; i < n; i++)
		scratch[i] = s->devices[i]->memory_total_bytes < 0
				     ? 0
				     : (uint32_t)(s->devices[i]->memory_total_bytes / GM_MIB);
	gm_json_key(&w, "memoryTotalMiB");
	gm_json_base64(&w, scratch, n * sizeof(uint32_t));
	for (size_t c = 0; c < GM_LEN(columns); c++)
		write_column(&w, strcmp(columns[c].name, "f") == 0 ? "flags" : columns[c].name, columns[c].offset,
			     cells, n, (uint8_t *)scratch);
	gm_json_end_object(&w);
}

void gm_cells_write_delta(struct gm_buf *out, const struct gm_snapshot *s, uint64_t base_seq, const uint32_t *positions,
			  size_t count)
{
	GM_AUTO(gm_free_p) struct gm_cell *cells = gm_xalloc(count * sizeof(*cells) + 1);
	GM_AUTO(gm_free_p) uint8_t *scratch = gm_xalloc(count + 1);
	struct gm_json w;

	for (size_t i = 0; i < count; i++)
		cells[i] = gm_cell_of(s->devices[positions[i]]);
	gm_json_init(&w, out);
	gm_json_object(&w);
	gm_json_ku64(&w, "seq", s->seq);
	gm_json_ku64(&w, "baseSeq", base_seq);
	gm_json_ktime(&w, "ts", s->at_ms);
	gm_json_key(&w, "i");
	gm_json_base64(&w, positions, count * sizeof(*positions));
	for (size_t c = 0; c + 1 < GM_LEN(columns); c++)
		write_column(&w, columns[c].name, columns[c].offset, cells, count, scratch);
	gm_json_end_object(&w);
}
