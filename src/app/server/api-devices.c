/* SPDX-License-Identifier: MIT */
#include "app/server/api-internal.h"

#include <stdlib.h>

#include "app/server/render.h"
#include "base/parse.h"

/* Lists of devices: filters, orders, and pages that go on where the last one ended, whatever came or went meanwhile. */

struct device_filter {
	struct gm_str cluster, node, model, health, q;
};

enum sort_kind { SORT_POSITION, SORT_FIELD, SORT_HEALTH, SORT_COST };
struct order {
	enum sort_kind kind;
	enum gm_field field;
	bool descending;
};
/* The choices of `sort`; "deviceId" is the order of the snapshot. */
#define SORT_LIST(X)                                                                                                   \
	X("deviceId", SORT_POSITION, 0, false)                                                                         \
	X("utilization", SORT_FIELD, GM_FIELD_UTILIZATION, false)                                                      \
	X("-utilization", SORT_FIELD, GM_FIELD_UTILIZATION, true)                                                      \
	X("memoryUsedMiB", SORT_FIELD, GM_FIELD_MEMORY_USED, false)                                                    \
	X("-memoryUsedMiB", SORT_FIELD, GM_FIELD_MEMORY_USED, true)                                                    \
	X("temperature", SORT_FIELD, GM_FIELD_TEMPERATURE, false)                                                      \
	X("-temperature", SORT_FIELD, GM_FIELD_TEMPERATURE, true)                                                      \
	X("powerWatts", SORT_FIELD, GM_FIELD_POWER, false)                                                             \
	X("-powerWatts", SORT_FIELD, GM_FIELD_POWER, true)                                                             \
	X("health", SORT_HEALTH, 0, false)                                                                             \
	X("-health", SORT_HEALTH, 0, true)                                                                             \
	X("hourlyCost", SORT_COST, 0, false)                                                                           \
	X("-hourlyCost", SORT_COST, 0, true)

static const struct order sort_table[] = {
#define SORT_ROW(name, kind_, field_, descending_) { .kind = kind_, .field = field_, .descending = descending_ },
	SORT_LIST(SORT_ROW)
#undef SORT_ROW
};
const char *const gm_api_sort_choices[] = {
#define SORT_NAME(name, kind, field, descending) name,
	SORT_LIST(SORT_NAME)
#undef SORT_NAME
		NULL,
};

static bool pods_match(const struct gm_pod_ref *pods, size_t count, struct gm_str q)
{
	for (size_t i = 0; i < count; i++) {
		if (gm_str_icontains(gm_str(pods[i].pod), q) || gm_str_icontains(gm_str(pods[i].namespace_), q))
			return true;
	}
	return false;
}

static bool text_matches(const struct gm_device *d, struct gm_str q)
{
	const char *const texts[] = { d->id, d->uuid, d->model, d->product_name, d->serial };

	for (size_t i = 0; i < GM_LEN(texts); i++) {
		if (gm_str_icontains(gm_str(texts[i]), q))
			return true;
	}
	if (pods_match(d->pods, d->pod_count, q))
		return true;
	for (size_t i = 0; i < d->instance_count; i++) {
		if (pods_match(d->instances[i].pods, d->instances[i].pod_count, q))
			return true;
	}
	return false;
}

static bool passes(const struct gm_device *d, const struct device_filter *f)
{
	return (!f->cluster.n || gm_str_is(f->cluster, d->cluster)) && (!f->node.n || gm_str_is(f->node, d->node)) &&
	       (!f->model.n || gm_str_is(f->model, d->model) || (d->variant && gm_str_is(f->model, d->variant->id))) &&
	       (!f->health.n || gm_str_is(f->health, gm_health_name(d->health))) && (!f->q.n || text_matches(d, f->q));
}

/* What a device is ordered by, so that smaller comes first; a value that is not known comes last in either direction. */
static int64_t sort_key(const struct gm_device *d, const struct order *o)
{
	int64_t v = 0;

	switch (o->kind) {
	case SORT_POSITION:
		return 0;
	case SORT_FIELD:
		if (!gm_sample_has(&d->sample, o->field))
			return INT64_MAX;
		v = d->sample.value[o->field];
		break;
	case SORT_HEALTH:
		v = d->health;
		break;
	case SORT_COST:
		if (d->hourly_micros < 0)
			return INT64_MAX;
		v = d->hourly_micros;
		break;
	}
	return o->descending ? -v : v;
}

/* Where a page begins: behind this key and, among equal ones, at this position. */
struct start {
	int64_t key;
	size_t position;
};

/* The snapshot's own order: cluster, node, index, uuid. */
static int compare_place(const struct gm_device *d, const struct gm_cursor *c, int64_t index)
{
	int r = gm_str_cmp(gm_str(d->cluster), c->texts[0]);

	if (!r)
		r = gm_str_cmp(gm_str(d->node), c->texts[1]);
	if (!r)
		r = d->index < index ? -1 : d->index > index;
	return r ? r : gm_str_cmp(gm_str(d->uuid), c->texts[2]);
}

/* The first position behind the device a cursor names, also when that device is gone. */
static size_t position_behind(const struct gm_snapshot *s, const struct gm_cursor *c, int64_t index)
{
	size_t low = 0, high = s->device_count;

	while (low < high) {
		const size_t middle = (low + high) / 2;
		if (compare_place(s->devices[middle], c, index) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int read_start(struct gm_http_request *req, const struct gm_snapshot *s, char kind, struct start *out,
		      struct gm_err *err)
{
	const struct gm_str text = gm_http_param_text(req, "cursor");
	struct gm_cursor c;
	int64_t index;

	*out = (struct start){ .key = INT64_MIN };
	if (!text.n)
		return 0;
	const int r = gm_cursor_read(req->arena, text, kind, 4, &c, err);
	if (r)
		return r;
	if (!gm_parse_i64(c.texts[3], INT32_MIN, INT32_MAX, &index))
		return gm_fail_at(err, GM_ERR_INVALID, "?cursor", "is not a cursor of this list; begin without one");
	*out = (struct start){ .key = c.number, .position = position_behind(s, &c, index) };
	return 0;
}

static struct gm_str write_cursor(struct gm_http_request *req, char kind, int64_t key, const struct gm_device *d)
{
	const char *index = gm_arena_printf(req->arena, "%d", d->index);

	return gm_cursor_write(req->arena, &(struct gm_cursor){ .kind = kind,
								.number = key,
								.text_count = 4,
								.texts = { gm_str(d->cluster), gm_str(d->node),
									   gm_str(d->uuid), gm_str(index) } });
}

struct found {
	int64_t key;
	uint32_t position;
};

static bool found_after(const struct found *a, const struct found *b)
{
	return a->key != b->key ? a->key > b->key : a->position > b->position;
}

/* The heap's root is the last of those kept, so that a better one replaces it. */
static void heap_down(struct found *heap, size_t count, size_t at)
{
	for (;;) {
		size_t largest = at;
		for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
			if (found_after(&heap[child], &heap[largest]))
				largest = child;
		}
		if (largest == at)
			return;
		const struct found t = heap[at];
		heap[at] = heap[largest];
		heap[largest] = t;
		at = largest;
	}
}

static int compare_found(const void *a, const void *b)
{
	return found_after(a, b) ? 1 : -1;
}

/* The first `want` devices behind `start` in an order by value: one pass, a heap of `want`. */
static size_t select_sorted(const struct gm_snapshot *s, const struct device_filter *f, const struct order *o,
			    const struct start *start, struct found *out, size_t want)
{
	size_t n = 0;

	for (uint32_t i = 0; i < s->device_count; i++) {
		const struct gm_device *d = s->devices[i];
		const struct found it = { .key = sort_key(d, o), .position = i };

		if (it.key < start->key || (it.key == start->key && i < start->position) || !passes(d, f))
			continue;
		if (n < want) {
			out[n++] = it;
			if (n == want) {
				for (size_t k = want / 2 + 1; k-- > 0;)
					heap_down(out, n, k);
			}
		} else if (found_after(&out[0], &it)) {
			out[0] = it;
			heap_down(out, n, 0);
		}
	}
	qsort(out, n, sizeof(*out), compare_found);
	return n;
}

/* In the snapshot's order a page is a run of positions; one node's devices stand together. */
static size_t select_plain(const struct gm_snapshot *s, const struct device_filter *f, const struct start *start,
			   struct found *out, size_t want)
{
	size_t n = 0, from = start->position, to = s->device_count;

	if (f->node.n && f->cluster.n) {
		const struct gm_node *node = gm_snapshot_node(s, f->cluster, f->node);
		if (!node || !node->device_count)
			return 0;
		const size_t first = gm_snapshot_position(s, &node->devices[0]);
		from = from > first ? from : first;
		to = first + node->device_count;
	}
	for (size_t i = from; i < to && n < want; i++) {
		if (passes(s->devices[i], f))
			out[n++] = (struct found){ .position = (uint32_t)i };
	}
	return n;
}

int gm_api_devices(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct gm_api *api = ctx;
	GM_API_SNAPSHOT(api);
	const struct device_filter filter = {
		.cluster = gm_http_param_text(req, "cluster"),
		.node = gm_http_param_text(req, "nodeName"),
		.model = gm_http_param_text(req, "model"),
		.health = gm_http_param_text(req, "health"),
		.q = gm_str_trim(gm_http_param_text(req, "q")),
	};
	const size_t limit = (size_t)gm_http_param_number(req, "limit", 100);
	const int64_t sort = gm_http_param_number(req, "sort", 0);
	const struct order *order = &sort_table[sort];
	const char kind = (char)('A' + sort);
	struct start start;
	struct gm_json w;

	if (gm_api_unchanged(api, req, snapshot, res))
		return 0;
	const int r = read_start(req, snapshot, kind, &start, err);
	if (r)
		return r;
	struct found *found = gm_arena_array(req->arena, struct found, limit + 1);
	if (!found)
		return gm_fail(err, GM_ERR_NO_MEMORY, "no memory for a page of %zu", limit);
	const bool plain = order->kind == SORT_POSITION;
	size_t n = plain ? select_plain(snapshot, &filter, &start, found, limit + 1)
			 : select_sorted(snapshot, &filter, order, &start, found, limit + 1);
	const bool more = n > limit;
	n = more ? limit : n;
	const char *currency = gm_facts(api->facts)->settings.currency;
	gm_api_list_begin(&w, res);
	(void)gm_buf_reserve(&res->body, n * 1200);
	for (size_t i = 0; i < n; i++)
		gm_json_raw(&w, gm_render_device_item(snapshot->devices[found[i].position], currency));
	struct gm_str next = gm_str_n(NULL, 0);
	if (more)
		next = write_cursor(req, kind, plain ? INT64_MIN : found[n - 1].key,
				    snapshot->devices[found[n - 1].position]);
	gm_api_list_end(&w, next);
	return 0;
}

int gm_api_device(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct gm_api *api = ctx;
	GM_API_SNAPSHOT(api);
	const struct gm_str id = gm_http_path(req, "id");
	const struct gm_device *d = gm_snapshot_device(snapshot, id);
	struct gm_json w;

	if (!d)
		return gm_fail(err, GM_ERR_NOT_FOUND, "no device '%.*s'", GM_STR_ARG(id));
	if (gm_api_unchanged(api, req, snapshot, res))
		return 0;
	gm_json_init(&w, &res->body);
	gm_render_device_detail(&w, d, gm_facts(api->facts)->settings.currency);
	return 0;
}

int gm_api_nodes(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct gm_api *api = ctx;
	GM_API_SNAPSHOT(api);
	const struct gm_str cluster = gm_http_param_text(req, "cluster"), text = gm_http_param_text(req, "cursor");
	const struct gm_str q = gm_str_trim(gm_http_param_text(req, "q"));
	const size_t limit = (size_t)gm_http_param_number(req, "limit", 100);
	struct gm_cursor c = { 0 };
	struct gm_json w;
	size_t n = 0, i = 0;

	if (gm_api_unchanged(api, req, snapshot, res))
		return 0;
	const int r = text.n ? gm_cursor_read(req->arena, text, 'n', 2, &c, err) : 0;
	if (r)
		return r;
	gm_api_list_begin(&w, res);
	struct gm_str next = gm_str_n(NULL, 0);
	const struct gm_node *last = NULL;
	for (; i < snapshot->node_count; i++) {
		const struct gm_node *node = snapshot->nodes[i];
		int place = text.n ? gm_str_cmp(gm_str(node->cluster), c.texts[0]) : 1;

		place = place ? place : gm_str_cmp(gm_str(node->name), c.texts[1]);
		if (place <= 0 || (cluster.n && !gm_str_is(cluster, node->cluster)) ||
		    (q.n && !gm_str_icontains(gm_str(node->name), q)))
			continue;
		if (n == limit && last) {
			next = gm_cursor_write(req->arena, &(struct gm_cursor){ .kind = 'n',
										.text_count = 2,
										.texts = { gm_str(last->cluster),
											   gm_str(last->name) } });
			break;
		}
		gm_render_node(&w, node, gm_facts(api->facts)->settings.currency);
		last = node;
		n++;
	}
	gm_api_list_end(&w, next);
	return 0;
}

int gm_api_node(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct gm_api *api = ctx;
	GM_API_SNAPSHOT(api);
	const struct gm_str name = gm_http_path(req, "name");
	const struct gm_node *n = gm_snapshot_node(snapshot, gm_http_param_text(req, "cluster"), name);
	struct gm_json w;

	if (!n)
		return gm_fail(err, GM_ERR_NOT_FOUND, "no node '%.*s'", GM_STR_ARG(name));
	if (gm_api_unchanged(api, req, snapshot, res))
		return 0;
	gm_json_init(&w, &res->body);
	gm_render_node(&w, n, gm_facts(api->facts)->settings.currency);
	return 0;
}

/* Where a list of instances goes on: at a device, behind the first `skip` of its instances. */
struct instance_start {
	size_t position;
	size_t skip;
};

static int read_instance_start(struct gm_http_request *req, const struct gm_snapshot *s, struct instance_start *out,
			       struct gm_err *err)
{
	struct start start;
	struct gm_cursor c;
	const int r = read_start(req, s, 'm', &start, err);

	*out = (struct instance_start){ .position = 0 };
	if (r || start.key == INT64_MIN)
		return r;
	out->position = start.position;
	/* The device the cursor names stands right before, unless it is gone. */
	if (gm_cursor_read(req->arena, gm_http_param_text(req, "cursor"), 'm', 4, &c, err) == 0 && start.position > 0 &&
	    gm_str_is(c.texts[2], s->devices[start.position - 1]->uuid)) {
		out->position = start.position - 1;
		out->skip = (size_t)start.key;
	}
	return 0;
}

int gm_api_mig_instances(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct gm_api *api = ctx;
	GM_API_SNAPSHOT(api);
	const struct device_filter filter = { .cluster = gm_http_param_text(req, "cluster"),
					      .node = gm_http_param_text(req, "nodeName") };
	const struct gm_str profile = gm_http_param_text(req, "profile");
	const size_t limit = (size_t)gm_http_param_number(req, "limit", 100);
	struct instance_start start;
	struct gm_str next = gm_str_n(NULL, 0);
	struct gm_json w;
	size_t n = 0;

	if (gm_api_unchanged(api, req, snapshot, res))
		return 0;
	const int r = read_instance_start(req, snapshot, &start, err);
	if (r)
		return r;
	gm_api_list_begin(&w, res);
	for (size_t i = start.position; i < snapshot->device_count && !next.n; i++) {
		const struct gm_device *d = snapshot->devices[i];

		if (!d->instance_count || !passes(d, &filter))
			continue;
		for (size_t k = i == start.position ? start.skip : 0; k < d->instance_count; k++) {
			if (profile.n && !gm_str_is(profile, d->instances[k].profile))
				continue;
			if (n == limit) {
				next = write_cursor(req, 'm', (int64_t)k, d);
				break;
			}
			gm_render_instance(&w, &d->instances[k], d, true);
			n++;
		}
	}
	gm_api_list_end(&w, next);
	return 0;
}

static void write_model(struct gm_json *w, const struct gm_variant *v, uint32_t devices)
{
	static const char *const lifecycles[] = {
		[GM_LIFECYCLE_UNKNOWN] = NULL, [GM_LIFECYCLE_ACTIVE] = "active", [GM_LIFECYCLE_EOL] = "eol"
	};

	gm_json_object(w);
	gm_json_kcstr(w, "variant", v->id);
	gm_json_kcstr(w, "model", v->model);
	gm_json_kbool(w, "seed", v->seed);
	gm_json_kcstr(w, "lifecycle", lifecycles[v->lifecycle]);
	gm_json_kcstr(w, "architecture", v->architecture);
	gm_json_kcstr(w, "formFactor", v->form_factor);
	gm_json_key(w, "computeCapability");
	if (v->cc_major >= 0) {
		char cc[24];
		(void)snprintf(cc, sizeof(cc), "%d.%d", v->cc_major, v->cc_minor);
		gm_json_cstr(w, cc);
	} else {
		gm_json_null(w);
	}
	const struct {
		const char *name;
		int64_t v;
	} numbers[] = {
		{ "nominalMemoryGb", v->memory_gb },
		{ "memoryMiB", v->memory_mib },
		{ "memoryBandwidthGBs", v->bandwidth_gbs },
		{ "smCount", v->sm_count },
		{ "tdpWatts", v->tdp_watts },
		{ "slowdownCelsius", v->slowdown_c },
		{ "nvlinkGBs", v->nvlink_gbs },
	};
	for (size_t i = 0; i < GM_LEN(numbers); i++) {
		gm_json_key_n(w, numbers[i].name, strlen(numbers[i].name));
		gm_render_number(w, numbers[i].v);
	}
	gm_json_kbool(w, "fp8", v->fp8);
	gm_json_kbool(w, "bf16", v->bf16);
	gm_json_kbool(w, "migCapable", v->mig_capable);
	gm_render_mig_table(w, v);
	gm_json_ki64(w, "devices", devices);
	gm_json_end_object(w);
}

int gm_api_models(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct gm_api *api = ctx;
	GM_API_SNAPSHOT(api);
	const struct gm_str model = gm_http_param_text(req, "model");
	size_t count;
	const struct gm_variant *variants = gm_catalog_variants(&count);
	uint32_t *devices = gm_arena_array(req->arena, uint32_t, count);
	struct gm_json w;

	if (!devices)
		return gm_fail(err, GM_ERR_NO_MEMORY, "no memory for %zu models", count);
	if (gm_api_unchanged(api, req, snapshot, res))
		return 0;
	for (size_t i = 0; i < snapshot->device_count; i++) {
		if (snapshot->devices[i]->variant)
			devices[snapshot->devices[i]->variant - variants]++;
	}
	gm_api_list_begin(&w, res);
	for (size_t i = 0; i < count; i++) {
		if (!model.n || gm_str_is(model, variants[i].model) || gm_str_is(model, variants[i].id))
			write_model(&w, &variants[i], devices[i]);
	}
	gm_api_list_end(&w, gm_str_n(NULL, 0));
	return 0;
}
