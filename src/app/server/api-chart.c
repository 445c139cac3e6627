/* SPDX-License-Identifier: MIT */
#include "app/server/api-internal.h"

#include <assert.h>

#include "app/server/values.h"
#include "base/parse.h"
#include "core/fleet/chart.h"

/* GET /gpu/devices/{id}/metrics: from memory where memory is complete, from the store before that. */

#define METRICS_MAX 8

struct query {
	const struct gm_value_def *metrics[METRICS_MAX];
	size_t count;
	int64_t from_ms, to_ms, step_ms;
};

/* What is charted: a board or one of its MIG instances. */
struct subject {
	const struct gm_device *device;
	const struct gm_instance *instance; /* NULL: the board */
	uint32_t series;
};

static int find_subject(const struct gm_snapshot *s, struct gm_str id, struct subject *out, struct gm_err *err)
{
	struct subject subject = { .device = gm_snapshot_device(s, id) };

	if (subject.device) {
		subject.series = subject.device->series;
	} else {
		subject.instance = gm_snapshot_instance(s, id, &subject.device);
		if (!subject.instance)
			return gm_fail(err, GM_ERR_NOT_FOUND, "no device or MIG instance '%.*s'", GM_STR_ARG(id));
		subject.series = subject.instance->series;
	}
	*out = subject;
	return 0;
}

static int read_metrics(struct gm_str list, struct query *q, struct gm_err *err)
{
	struct gm_str name;

	while (gm_str_split(&list, ',', &name)) {
		const struct gm_value_def *v = gm_value_find(gm_str_trim(name));
		if (!v)
			return gm_fail_at(err, GM_ERR_INVALID, "?metric", "there is no metric '%.*s'",
					  GM_STR_ARG(name));
		if (q->count == METRICS_MAX)
			return gm_fail_at(err, GM_ERR_INVALID, "?metric", "at most %d metrics in one request",
					  METRICS_MAX);
		q->metrics[q->count++] = v;
	}
	return 0;
}

static int read_query(const struct gm_http_request *req, int64_t now_ms, struct query *q, struct gm_err *err)
{
	int r = read_metrics(gm_http_param_text(req, "metric"), q, err);

	if (!r)
		r = gm_api_moment(gm_http_param_text(req, "from"), now_ms, "?from", &q->from_ms, err);
	if (!r)
		r = gm_api_moment(gm_http_param_text(req, "to"), now_ms, "?to", &q->to_ms, err);
	if (r)
		return r;
	if (q->from_ms >= q->to_ms)
		return gm_fail_at(err, GM_ERR_INVALID, "?from", "must be before `to`");
	q->step_ms = gm_http_param_number(req, "step", 0);
	return 0;
}

/* How far apart the samples of a device lie, so that a chart is not finer than they are. */
static int64_t sample_interval(const struct gm_api *api, const struct gm_device *d)
{
	const struct gm_settings *s = &gm_facts(api->facts)->settings;

	assert(d); /* a subject that was found has one */
	return d->source == GM_PAGE_SIM ? s->simulate_interval_ms : s->collection_interval_ms;
}

static bool add_point(void *ctx, const struct gm_point *point)
{
	gm_chart_add(ctx, point->at_ms, point->value);
	return true;
}

static int fill(struct gm_api *api, uint32_t series, struct gm_chart *c, enum gm_tier *tier, struct gm_err *err)
{
	const int64_t since = gm_history_since(api->history, series);
	const struct gm_fleet_store *store = gm_recorder_fleet_store(api->recorder);

	*tier = GM_TIER_MEMORY;
	if (c->from_ms < since && store) {
		const int64_t until = since < c->to_ms ? since : c->to_ms;
		const int r = store->chart(store->ctx, series, c, until, tier, err);
		if (r)
			return gm_err_wrap(err, "history");
	}
	if (since >= c->to_ms)
		return 0;
	return gm_history_read(api->history, series, c->field, c->from_ms > since ? c->from_ms : since, c->to_ms,
			       add_point, c, err);
}

static void write_bucket_array(struct gm_json *w, const char *key, const struct gm_chart *c,
			       const struct gm_value_def *v, int which)
{
	gm_json_key_n(w, key, 3);
	gm_json_array(w);
	for (size_t i = 0; i < c->count; i++) {
		const struct gm_chart_bucket *b = &c->buckets[i];
		if (!b->count)
			gm_json_null(w);
		else
			gm_value_write(w, v,
				       which == 0   ? b->min
				       : which == 2 ? b->max
						    : (int64_t)(b->sum / (__int128)b->count));
	}
	gm_json_end_array(w);
}

static void write_series(struct gm_json *w, const struct gm_chart *c, const struct gm_value_def *v)
{
	gm_json_object(w);
	gm_json_kcstr(w, "metric", v->name);
	gm_json_kcstr(w, "unit", v->unit);
	write_bucket_array(w, "min", c, v, 0);
	write_bucket_array(w, "avg", c, v, 1);
	write_bucket_array(w, "max", c, v, 2);
	gm_json_end_object(w);
}

static void write_head(struct gm_json *w, const struct subject *s, const struct gm_chart *c)
{
	char step[40];

	gm_format_duration_ms(c->step_ms, step);
	gm_json_kcstr(w, "deviceId", s->device->id);
	gm_json_kcstr(w, "uuid", s->device->uuid);
	gm_json_kcstr(w, "migInstanceId", s->instance ? s->instance->id : NULL);
	gm_json_ktime(w, "from", c->from_ms);
	gm_json_ktime(w, "to", c->to_ms);
	gm_json_kcstr(w, "step", step);
	gm_json_key(w, "timestamps");
	gm_json_array(w);
	for (size_t i = 0; i < c->count; i++)
		gm_json_fixed(w, c->from_ms + (int64_t)i * c->step_ms, 3);
	gm_json_end_array(w);
}

int gm_api_device_metrics(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct gm_api *api = ctx;
	GM_API_SNAPSHOT(api);
	struct query q = { 0 };
	struct subject subject = { 0 };
	enum gm_tier tier = GM_TIER_MEMORY;
	struct gm_json w;
	int r = find_subject(snapshot, gm_http_path(req, "id"), &subject, err);

	if (!r)
		r = read_query(req, gm_wall_ms(api->clock), &q, err);
	if (r)
		return r;
	const int64_t interval = sample_interval(api, subject.device);
	gm_json_init(&w, &res->body);
	gm_json_object(&w);
	for (size_t i = 0; i < q.count; i++) {
		GM_AUTO(gm_chart_fini_p) struct gm_chart chart = { 0 };
		enum gm_field field = q.metrics[i]->field;
		enum gm_tier used;

		if (subject.instance && field == GM_FIELD_UTILIZATION)
			field = GM_FIELD_GR_ENGINE_ACTIVE;
		r = gm_chart_init(&chart, field, q.from_ms, q.to_ms, q.step_ms, interval, err);
		if (r)
			return gm_fail_at(err, r, "?step", "%s", err->text);
		r = fill(api, subject.series, &chart, &used, err);
		if (r)
			return r;
		tier = used > tier ? used : tier;
		if (i == 0) {
			write_head(&w, &subject, &chart);
			gm_json_key(&w, "series");
			gm_json_array(&w);
		}
		write_series(&w, &chart, q.metrics[i]);
	}
	gm_json_end_array(&w);
	gm_json_kcstr(&w, "tier", gm_tier_name(tier));
	gm_json_end_object(&w);
	return 0;
}
