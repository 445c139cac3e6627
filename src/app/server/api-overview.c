/* SPDX-License-Identifier: MIT */
#include "app/server/api-internal.h"

#include <pthread.h>
#include <stdlib.h>

#include "app/server/render.h"
#include "base/alloc.h"

/* The overview is asked for far more often than it changes: one rendering serves all until something it shows moves. */
struct gm_api_cache {
	pthread_mutex_t mu;
	struct gm_http_shared *overview; /* guarded by mu, as the three it was made from */
	uint64_t seq, facts;
	struct gm_source_counts sources;
};

void gm_api_init(struct gm_api *api)
{
	api->cache = gm_xalloc(sizeof(*api->cache));
	(void)pthread_mutex_init(&api->cache->mu, NULL);
}

void gm_api_fini(struct gm_api *api)
{
	if (!api->cache)
		return;
	gm_http_shared_unref(api->cache->overview);
	(void)pthread_mutex_destroy(&api->cache->mu);
	free(api->cache);
	api->cache = NULL;
}

/* The first `percent` of the measured devices lie at or under the answer, in whole per cent. */
static int64_t quantile(const struct gm_totals *t, unsigned percent)
{
	const uint64_t wanted = ((uint64_t)t->utilization_count * percent + 99) / 100;
	uint64_t seen = 0;

	for (unsigned i = 0; i <= 100; i++) {
		seen += t->utilization_histogram[i];
		if (seen >= wanted)
			return i;
	}
	return 100;
}

static void seed_fields(struct gm_json *w, const struct gm_snapshot *s)
{
	const struct gm_totals *t = &s->totals;

	gm_json_ki64(w, "totalGpuDevices", t->devices);
	gm_json_ki64(w, "activeAllocations", s->workloads);
	gm_json_ki64(w, "totalMigInstances", t->gpu_instances);
	gm_json_key(w, "overallGpuUtilization");
	if (t->utilization_count) {
		const int64_t n = (int64_t)t->utilization_count * 10;
		gm_json_fixed(w, (t->utilization_sum + n / 2) / n, 1);
	} else {
		gm_json_null(w);
	}
	gm_json_key(w, "devicesByModel");
	gm_json_object(w);
	for (size_t i = 0; i < s->model_count; i++) {
		gm_json_key_str(w, gm_str(s->models[i].model));
		gm_json_i64(w, s->models[i].devices);
	}
	gm_json_end_object(w);
}

static void cluster_fields(struct gm_json *w, const struct gm_snapshot *s)
{
	const char *last = NULL;

	gm_json_key(w, "clusters");
	gm_json_array(w);
	for (size_t i = 0; i < s->node_count; i++) {
		if (!last || strcmp(last, s->nodes[i]->cluster) != 0)
			gm_json_cstr(w, s->nodes[i]->cluster);
		last = s->nodes[i]->cluster;
	}
	gm_json_end_array(w);
	gm_json_key(w, "nodes");
	gm_json_object(w);
	gm_json_ku64(w, "total", s->node_count);
	for (int i = 0; i < GM_NODE_STATE_COUNT; i++) {
		const char *name = gm_node_state_name((enum gm_node_state)i);
		gm_json_key_n(w, name, strlen(name));
		gm_json_i64(w, s->node_states[i]);
	}
	gm_json_end_object(w);
}

static void sum_fields(struct gm_json *w, const struct gm_totals *t, const char *currency)
{
	gm_render_health(w, t);
	gm_json_ki64(w, "memoryTotalMiB", t->memory_total_bytes / GM_MIB);
	gm_json_key(w, "memoryUsedMiB");
	gm_render_mib(w, t->memory_count ? t->memory_used_bytes : -1);
	gm_json_key(w, "powerWatts");
	if (t->power_count)
		gm_json_fixed(w, t->power_mw, 3);
	else
		gm_json_null(w);
	gm_json_key(w, "costPerHour");
	gm_render_micros(w, t->priced ? t->hourly_micros : -1);
	gm_json_kcstr(w, "currency", currency);
	gm_json_ki64(w, "unpricedDevices", t->devices - t->priced);
	gm_json_ki64(w, "unmeasuredDevices", t->devices - t->utilization_count);
	gm_json_ki64(w, "idleDevices", t->idle);
	gm_json_ki64(w, "hotDevices", t->hot);
	gm_json_ki64(w, "migEnabledDevices", t->mig_enabled);
	gm_json_ki64(w, "managedDevices", t->managed);
	gm_json_key(w, "utilization");
	if (t->utilization_count) {
		gm_json_object(w);
		gm_json_ki64(w, "p10", quantile(t, 10));
		gm_json_ki64(w, "p50", quantile(t, 50));
		gm_json_ki64(w, "p90", quantile(t, 90));
		gm_json_end_object(w);
	} else {
		gm_json_null(w);
	}
}

void gm_overview_write(struct gm_json *w, const struct gm_api *api, const struct gm_snapshot *s)
{
	const struct gm_facts *facts = gm_facts(api->facts);
	struct gm_source_counts sources;

	gm_sources_counts(gm_collector_sources(api->collector), &sources);
	gm_json_object(w);
	seed_fields(w, s);
	gm_json_ktime(w, "asOf", s->at_ms);
	cluster_fields(w, s);
	sum_fields(w, &s->totals, facts->settings.currency);
	gm_json_kbool(w, "managementEnabled", facts->settings.enabled);
	gm_json_key(w, "profile");
	gm_json_raw(w, gm_str(facts->profiles));
	gm_json_kbool(w, "open", facts->open);
	gm_json_kbool(w, "simulated", sources.simulated);
	gm_json_key(w, "targets");
	gm_json_object(w);
	gm_json_ki64(w, "total", sources.total);
	gm_json_ki64(w, "up", sources.up);
	gm_json_ki64(w, "down", sources.down);
	gm_json_end_object(w);
	gm_json_end_object(w);
}

struct gm_http_shared *gm_api_cache_overview(struct gm_api *api, const struct gm_snapshot *s)
{
	struct gm_api_cache *c = api->cache;
	const uint64_t facts = gm_facts(api->facts)->generation;
	struct gm_source_counts sources;

	gm_sources_counts(gm_collector_sources(api->collector), &sources);
	(void)pthread_mutex_lock(&c->mu);
	if (!c->overview || c->seq != s->seq || c->facts != facts || c->sources.up != sources.up ||
	    c->sources.down != sources.down || c->sources.total != sources.total) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
		struct gm_json w;

		gm_json_init(&w, &b);
		gm_overview_write(&w, api, s);
		gm_http_shared_unref(c->overview);
		c->overview = gm_http_shared_new(&b, &(struct gm_http_shared_info){ .gzip = GM_HTTP_GZIP_NEVER });
		c->seq = s->seq;
		c->facts = facts;
		c->sources = sources;
	}
	struct gm_http_shared *out = gm_http_shared_ref(c->overview);
	(void)pthread_mutex_unlock(&c->mu);
	return out;
}

int gm_api_overview(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct gm_api *api = ctx;
	GM_API_SNAPSHOT(api);
	GM_AUTO(gm_http_shared_unref_p) struct gm_http_shared *answer = gm_api_cache_overview(api, snapshot);

	(void)req;
	(void)err;
	gm_http_answer_shared(res, answer);
	return 0;
}
