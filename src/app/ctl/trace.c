/* SPDX-License-Identifier: MIT */
#include "app/ctl/trace.h"

#include <stdlib.h>
#include <string.h>

#include "app/ctl/csv.h"
#include "base/alloc.h"

/* What a node and a pod may have. */
#define CPU_MAX 100000000
#define MEMORY_MAX UINT32_MAX
#define MODELS_MAX 64
#define NAME_MAX_BYTES 128
#define ARRIVALS_MAX 10000000

struct named {
	struct gm_str name; /* in the file's text */
	uint32_t row;
};

static int by_name(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int order = gm_str_cmp(x->name, y->name);

	return order ? order : (x->row > y->row) - (x->row < y->row);
}

struct reader {
	struct gm_trace *trace;
	struct gm_str models[MODELS_MAX];
	size_t model_count;
	GM_VEC(struct named) names;
};

static int model_number(struct reader *r, const struct gm_csv *c, struct gm_str name, uint8_t *out, struct gm_err *err)
{
	size_t i = 0;

	while (i < r->model_count && !gm_str_eq(r->models[i], name))
		i++;
	if (i == MODELS_MAX)
		return gm_csv_fail(c, -1, err, "more than %d models", MODELS_MAX);
	if (i == r->model_count)
		r->models[r->model_count++] = name;
	*out = (uint8_t)i;
	return 0;
}

static int note_name(struct reader *r, const struct gm_csv *c, struct gm_str name, uint32_t limit, struct gm_err *err)
{
	struct named row = { .name = name, .row = (uint32_t)r->names.count };

	if (!name.n || name.n > NAME_MAX_BYTES)
		return gm_csv_fail(c, -1, err, "a name of 1 to %d bytes is expected", NAME_MAX_BYTES);
	if (r->names.count >= limit)
		return gm_csv_fail(c, -1, err, "more than %u rows", limit);
	gm_vec_push(&r->names, row);
	return 0;
}

/* A whole number of one of the columns we know. */
static int number(const struct gm_csv *c, const char *const *names, const int *columns, size_t which, int64_t min,
		  int64_t max, int64_t *out, struct gm_err *err)
{
	return gm_csv_fixed(c, columns[which], names[which], 0, min, max, out, err);
}

enum { NODE_NAME, NODE_CPU, NODE_MEMORY, NODE_GPU, NODE_MODEL, NODE_COLUMNS };
static const char *const NODE_NAMES[NODE_COLUMNS] = { "sn", "cpu_milli", "memory_mib", "gpu", "model" };
enum { POD_NAME, POD_CPU, POD_MEMORY, POD_GPUS, POD_MILLI, POD_COLUMNS };
static const char *const POD_NAMES[POD_COLUMNS] = { "name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli" };

/* The first row names the columns; those we do not know are somebody else's. */
static int find_columns(struct gm_csv *c, const char *const *names, size_t count, int *out, struct gm_err *err)
{
	int rc = gm_csv_next(c, err);

	if (rc < 0)
		return rc;
	if (rc == 0)
		return gm_csv_fail(c, -1, err, "empty; a line of column names is expected");
	for (size_t i = 0; i < count; i++) {
		out[i] = gm_csv_column(c, names[i]);
		if (out[i] < 0)
			return gm_csv_fail(c, -1, err, "no column '%s'", names[i]);
	}
	return 0;
}

/* 1: a row with as many fields as the first; 0: the end. */
static int next_row(struct gm_csv *c, size_t field_count, struct gm_err *err)
{
	int rc = gm_csv_next(c, err);

	if (rc == 1 && c->field_count != field_count)
		return gm_csv_fail(c, -1, err, "%zu fields where the first line names %zu", c->field_count,
				   field_count);
	return rc;
}

static int read_node(struct reader *r, const struct gm_csv *c, const int *columns, struct gm_err *err)
{
	struct gm_pack_node node = { 0 };
	int64_t cpu = 0, memory = 0, gpus = 0;
	int rc = note_name(r, c, c->fields[columns[NODE_NAME]], GM_PACK_NODES_MAX, err);

	if (rc == 0)
		rc = number(c, NODE_NAMES, columns, NODE_CPU, 0, CPU_MAX, &cpu, err);
	if (rc == 0)
		rc = number(c, NODE_NAMES, columns, NODE_MEMORY, 0, MEMORY_MAX, &memory, err);
	if (rc == 0)
		rc = number(c, NODE_NAMES, columns, NODE_GPU, 0, GM_PACK_GPUS_MAX, &gpus, err);
	if (rc == 0)
		rc = model_number(r, c, c->fields[columns[NODE_MODEL]], &node.model, err);
	if (rc < 0)
		return rc;
	node.cpu_milli = (uint32_t)cpu;
	node.memory_mib = (uint32_t)memory;
	node.gpu_count = (uint8_t)gpus;
	for (int64_t i = 0; i < gpus; i++)
		node.milli[i] = GM_PACK_WHOLE;
	gm_vec_push(&r->trace->nodes, node);
	r->trace->capacity_milli += (uint64_t)gpus * GM_PACK_WHOLE;
	return 0;
}

/* Nodes in the order of their names: ties go to the first. */
static void sort_nodes(struct reader *r)
{
	struct gm_pack_node *nodes = gm_xalloc(r->names.count * sizeof(*nodes) + 1);

	qsort(r->names.items, r->names.count, sizeof(*r->names.items), by_name);
	for (size_t i = 0; i < r->names.count; i++)
		nodes[i] = r->trace->nodes.items[r->names.items[i].row];
	free(r->trace->nodes.items);
	r->trace->nodes.items = nodes;
	r->trace->nodes.capacity = r->names.count;
	gm_vec_reset(&r->names);
}

static int read_nodes(struct reader *r, struct gm_csv *c, struct gm_err *err)
{
	int columns[NODE_COLUMNS] = { 0 };
	int rc = find_columns(c, NODE_NAMES, NODE_COLUMNS, columns, err);
	size_t field_count = c->field_count;

	while (rc == 0 && (rc = next_row(c, field_count, err)) == 1)
		rc = read_node(r, c, columns, err);
	if (rc < 0)
		return rc;
	if (!r->trace->capacity_milli)
		return gm_csv_fail(c, -1, err, "no node with a GPU");
	sort_nodes(r);
	return 0;
}

/* "T4|P100"; a model that no node has gets a number too, so that the pod fits nowhere rather than everywhere. */
static int read_models(struct reader *r, const struct gm_csv *c, struct gm_str list, uint64_t *out, struct gm_err *err)
{
	struct gm_str name;
	int rc = 0;

	while (rc == 0 && gm_str_split(&list, '|', &name)) {
		uint8_t model = 0;

		rc = model_number(r, c, name, &model, err);
		*out |= UINT64_C(1) << model;
	}
	return rc;
}

static int read_pod(struct reader *r, const struct gm_csv *c, const int *columns, int spec, struct gm_err *err)
{
	struct gm_pack_request q = { 0 };
	int64_t cpu = 0, memory = 0, gpus = 0, milli = 0;
	uint32_t type;
	int rc = note_name(r, c, c->fields[columns[POD_NAME]], GM_TRACE_PODS_MAX, err);

	if (rc == 0)
		rc = number(c, POD_NAMES, columns, POD_CPU, 0, CPU_MAX, &cpu, err);
	if (rc == 0)
		rc = number(c, POD_NAMES, columns, POD_MEMORY, 0, MEMORY_MAX, &memory, err);
	if (rc == 0)
		rc = number(c, POD_NAMES, columns, POD_GPUS, 0, GM_PACK_GPUS_MAX, &gpus, err);
	if (rc == 0 && gpus == 1)
		rc = number(c, POD_NAMES, columns, POD_MILLI, 1, GM_PACK_WHOLE, &milli, err);
	if (rc == 0 && spec >= 0 && gpus)
		rc = read_models(r, c, c->fields[spec], &q.models, err);
	if (rc < 0)
		return rc;
	q.cpu_milli = (uint32_t)cpu;
	q.memory_mib = (uint32_t)memory;
	q.gpu_count = (uint8_t)gpus;
	q.gpu_milli = (uint16_t)(gpus > 1 ? GM_PACK_WHOLE : milli);
	type = gm_pack_types_add(&r->trace->types, &q);
	if (type == UINT32_MAX)
		return gm_csv_fail(c, -1, err, "more than %d distinct requests", GM_PACK_TYPES_MAX);
	gm_vec_push(&r->trace->pods, type);
	return 0;
}

static void sort_pods(struct reader *r)
{
	uint32_t *pods = gm_xalloc(r->names.count * sizeof(*pods) + 1);

	qsort(r->names.items, r->names.count, sizeof(*r->names.items), by_name);
	for (size_t i = 0; i < r->names.count; i++)
		pods[i] = r->trace->pods.items[r->names.items[i].row];
	free(r->trace->pods.items);
	r->trace->pods.items = pods;
	r->trace->pods.capacity = r->names.count;
}

static int read_pods(struct reader *r, struct gm_csv *c, struct gm_err *err)
{
	int columns[POD_COLUMNS] = { 0 };
	int rc = find_columns(c, POD_NAMES, POD_COLUMNS, columns, err);
	int spec = gm_csv_column(c, "gpu_spec");
	size_t field_count = c->field_count;
	uint64_t wanted = 0;

	while (rc == 0 && (rc = next_row(c, field_count, err)) == 1)
		rc = read_pod(r, c, columns, spec, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < r->trace->pods.count; i++)
		wanted += gm_pack_milli(&r->trace->types.rows.items[r->trace->pods.items[i]]);
	if (!wanted)
		return gm_csv_fail(c, -1, err, "no pod that wants a GPU");
	if (r->trace->capacity_milli * GM_TRACE_PERCENT_MAX / 100 / wanted > ARRIVALS_MAX / r->trace->pods.count)
		return gm_csv_fail(c, -1, err,
				   "these pods want so little of the boards that more than %d would have to arrive",
				   ARRIVALS_MAX);
	sort_pods(r);
	return 0;
}

int gm_trace_read(const char *nodes_path, const char *pods_path, struct gm_trace *out, struct gm_err *err)
{
	GM_AUTO(gm_csv_close_p) struct gm_csv nodes = { 0 };
	GM_AUTO(gm_csv_close_p) struct gm_csv pods = { 0 };
	GM_AUTO(gm_trace_fini_p) struct gm_trace t = { 0 };
	struct reader r = { .trace = &t };
	int rc = gm_csv_open(nodes_path, &nodes, err);

	if (rc == 0)
		rc = read_nodes(&r, &nodes, err);
	if (rc == 0)
		rc = gm_csv_open(pods_path, &pods, err);
	if (rc == 0)
		rc = read_pods(&r, &pods, err);
	gm_vec_fini(&r.names);
	if (rc < 0)
		return rc;
	gm_mix_init(&t.mix, 0, 0);
	gm_mix_grow(&t.mix, t.types.rows.count);
	for (size_t i = 0; i < t.pods.count; i++)
		gm_mix_saw(&t.mix, t.pods.items[i]);
	*out = t;
	t = (struct gm_trace){ 0 };
	return 0;
}

void gm_trace_fini(struct gm_trace *t)
{
	gm_vec_fini(&t->nodes);
	gm_vec_fini(&t->pods);
	gm_pack_types_fini(&t->types);
	gm_mix_fini(&t->mix);
}

/* splitmix64, below `n`. */
static size_t draw(uint64_t *state, size_t n)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return (size_t)(((z ^ (z >> 31)) >> 32) * n >> 32);
}

struct arrivals {
	GM_VEC(uint32_t) types;
};

static void arrange(const struct gm_trace *t, uint64_t *random, struct arrivals *out)
{
	uint64_t sum = 0, most = t->capacity_milli * GM_TRACE_PERCENT_MAX / 100;

	for (size_t i = 0; i < t->pods.count; i++) {
		gm_vec_push(&out->types, t->pods.items[i]);
		sum += gm_pack_milli(&t->types.rows.items[t->pods.items[i]]);
	}
	for (size_t i = out->types.count; i > 1; i--) {
		size_t k = draw(random, i);
		uint32_t swap = out->types.items[k];

		out->types.items[k] = out->types.items[i - 1];
		out->types.items[i - 1] = swap;
	}
	for (;;) {
		uint32_t type = t->pods.items[draw(random, t->pods.count)];

		sum += gm_pack_milli(&t->types.rows.items[type]);
		if (sum > most)
			return;
		gm_vec_push(&out->types, type);
	}
}

void gm_trace_run(const struct gm_trace *t, const struct gm_pack_rule *rule, uint64_t seed, struct gm_trace_curve *out)
{
	struct gm_pack_fleet *fleet = gm_pack_fleet_new(t->nodes.items, (uint32_t)t->nodes.count, rule, seed);
	uint64_t random = seed * UINT64_C(0xD1342543DE82EF95), arrived = 0, given = 0;
	uint32_t pods[GM_TRACE_PERCENT_MAX + 1] = { 0 };
	struct arrivals arrivals = { 0 };

	*out = (struct gm_trace_curve){ 0 };
	arrange(t, &random, &arrivals);
	for (size_t i = 0; i < arrivals.types.count; i++) {
		const struct gm_pack_request *q = &t->types.rows.items[arrivals.types.items[i]];
		struct gm_pack_place place;
		uint64_t percent;

		arrived += gm_pack_milli(q);
		if (gm_pack_fleet_find(fleet, arrivals.types.items[i], q, &place)) {
			gm_pack_fleet_put(fleet, q, place);
			given += gm_pack_milli(q);
		}
		percent = (arrived * 200 + t->capacity_milli) / (t->capacity_milli * 2);
		if (percent > GM_TRACE_PERCENT_MAX)
			break;
		pods[percent]++;
		out->unallocated_percent[percent] +=
			100 * (double)(t->capacity_milli - given) / (double)t->capacity_milli;
	}
	for (size_t i = 0; i <= GM_TRACE_PERCENT_MAX; i++)
		out->unallocated_percent[i] = pods[i] ? out->unallocated_percent[i] / pods[i] : -1;
	gm_vec_fini(&arrivals.types);
	gm_pack_fleet_free(fleet);
}
