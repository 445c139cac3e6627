/* SPDX-License-Identifier: MIT */
#include "app/server/api-internal.h"

#include <stdio.h>
#include <sys/resource.h>

#include "base/promtext.h"

/* GET /metrics: the seed's names and labels, base-unit names beside them, and how we do ourselves. */

/* Samples of a device as families in base units: value / 10^decimals. */
struct prom_field {
	const char *name, *help;
	enum gm_promtext_type type;
	enum gm_field field;
	unsigned decimals;
	int64_t multiply;
};

static const struct prom_field device_fields[] = {
	{ "gpu_monitor_device_utilization_ratio", "Share of time in which work ran on the GPU", GM_PROMTEXT_GAUGE,
	  GM_FIELD_UTILIZATION, 4, 1 },
	{ "gpu_monitor_device_temperature_celsius", "GPU core temperature", GM_PROMTEXT_GAUGE, GM_FIELD_TEMPERATURE, 1,
	  1 },
	{ "gpu_monitor_device_memory_used_bytes", "Frame buffer in use", GM_PROMTEXT_GAUGE, GM_FIELD_MEMORY_USED, 0,
	  1 },
	{ "gpu_monitor_device_power_watts", "Board power draw", GM_PROMTEXT_GAUGE, GM_FIELD_POWER, 3, 1 },
	{ "gpu_monitor_device_energy_joules_total", "Energy since the driver was loaded", GM_PROMTEXT_COUNTER,
	  GM_FIELD_ENERGY, 3, 1 },
	{ "gpu_monitor_device_sm_clock_hertz", "SM clock", GM_PROMTEXT_GAUGE, GM_FIELD_SM_CLOCK, 0, 1000000 },
	{ "gpu_monitor_device_memory_clock_hertz", "Memory clock", GM_PROMTEXT_GAUGE, GM_FIELD_MEMORY_CLOCK, 0,
	  1000000 },
	{ "gpu_monitor_device_tensor_active_ratio", "Share of cycles in which a tensor pipe was active",
	  GM_PROMTEXT_GAUGE, GM_FIELD_TENSOR_ACTIVE, 4, 1 },
	{ "gpu_monitor_device_dram_active_ratio", "Share of cycles in which device memory was read or written",
	  GM_PROMTEXT_GAUGE, GM_FIELD_DRAM_ACTIVE, 4, 1 },
	{ "gpu_monitor_device_pcie_replays_total", "PCIe replays", GM_PROMTEXT_COUNTER, GM_FIELD_PCIE_REPLAY, 0, 1 },
	{ "gpu_monitor_device_ecc_uncorrected_total", "Uncorrected memory errors since the driver was loaded",
	  GM_PROMTEXT_COUNTER, GM_FIELD_ECC_DBE, 0, 1 },
	{ "gpu_monitor_device_last_xid", "The last XID code seen; 0: none", GM_PROMTEXT_GAUGE, GM_FIELD_XID, 0, 1 },
};

static bool many_clusters(const struct gm_snapshot *s)
{
	return s->node_count && strcmp(s->nodes[0]->cluster, s->nodes[s->node_count - 1]->cluster) != 0;
}

static void add_device_labels(struct gm_promtext_writer *w, const struct gm_device *d, bool cluster)
{
	if (cluster)
		gm_promtext_add_label(w, "cluster", gm_str(d->cluster));
	gm_promtext_add_label(w, "device_id", gm_str(d->id));
}

/* The nodes of one cluster stand together: the index behind those of the cluster that begins at `first`. */
static size_t cluster_end(const struct gm_snapshot *s, size_t first)
{
	size_t end = first;

	while (end < s->node_count && strcmp(s->nodes[end]->cluster, s->nodes[first]->cluster) == 0)
		end++;
	return end;
}

static void count_profile(const struct gm_snapshot *s, size_t first, size_t end, struct gm_profile_count *c)
{
	for (size_t n = first; n < end; n++) {
		for (size_t i = 0; i < s->nodes[n]->device_count; i++) {
			const struct gm_device *d = &s->nodes[n]->devices[i];
			for (size_t k = 0; k < d->instance_count; k++) {
				const bool same = strcmp(d->instances[k].profile, c->profile) == 0;
				c->total += same;
				c->held += same && d->instances[k].pod_count > 0;
			}
		}
	}
}

static void mig_family(struct gm_promtext_writer *w, const struct gm_snapshot *s, bool cluster)
{
	gm_promtext_family(w, "mig_allocation_ratio", GM_PROMTEXT_GAUGE,
			   "MIG instances of the profile that are held, of those that exist");
	for (size_t first = 0, end; first < s->node_count; first = end) {
		end = cluster ? cluster_end(s, first) : s->node_count;
		for (size_t i = 0; i < s->profile_count; i++) {
			struct gm_profile_count c = s->profiles[i];
			if (cluster) {
				c.total = c.held = 0;
				count_profile(s, first, end, &c);
			}
			if (!c.total)
				continue;
			gm_promtext_sample(w, "");
			if (cluster)
				gm_promtext_add_label(w, "cluster", gm_str(s->nodes[first]->cluster));
			gm_promtext_add_label(w, "profile", gm_str(c.profile));
			gm_promtext_f64(w, (double)c.held / (double)c.total);
		}
	}
}

/* Until teams are known all of it is nobody's. */
static void cost_family(struct gm_promtext_writer *w, const struct gm_snapshot *s, bool cluster)
{
	gm_promtext_family(w, "gpu_hourly_cost", GM_PROMTEXT_GAUGE,
			   "Current rate of what the team and project hold, in currency units an hour");
	for (size_t first = 0, end; first < s->node_count; first = end) {
		uint32_t priced = 0;
		int64_t micros = 0;

		end = cluster ? cluster_end(s, first) : s->node_count;
		for (size_t n = first; n < end; n++) {
			priced += s->nodes[n]->totals.priced;
			micros += s->nodes[n]->totals.hourly_micros;
		}
		if (!priced)
			continue;
		gm_promtext_sample(w, "");
		if (cluster)
			gm_promtext_add_label(w, "cluster", gm_str(s->nodes[first]->cluster));
		gm_promtext_add_label(w, "team", GM_STR("__unallocated__"));
		gm_promtext_add_label(w, "project", GM_STR("__unallocated__"));
		gm_promtext_fixed(w, micros, 6);
	}
}

static void seed_families(struct gm_promtext_writer *w, const struct gm_snapshot *s, bool cluster)
{
	gm_promtext_family(w, "gpu_utilization", GM_PROMTEXT_GAUGE, "GPU utilisation in per cent");
	for (size_t i = 0; i < s->device_count; i++) {
		const struct gm_device *d = s->devices[i];
		if (!gm_sample_has(&d->sample, GM_FIELD_UTILIZATION))
			continue;
		gm_promtext_sample(w, "");
		add_device_labels(w, d, cluster);
		gm_promtext_add_label(w, "model", gm_str(d->model));
		gm_promtext_fixed(w, d->sample.value[GM_FIELD_UTILIZATION], 2);
	}
	gm_promtext_family(w, "gpu_temperature", GM_PROMTEXT_GAUGE, "GPU temperature in degrees Celsius");
	for (size_t i = 0; i < s->device_count; i++) {
		const struct gm_device *d = s->devices[i];
		if (!gm_sample_has(&d->sample, GM_FIELD_TEMPERATURE))
			continue;
		gm_promtext_sample(w, "");
		add_device_labels(w, d, cluster);
		gm_promtext_fixed(w, d->sample.value[GM_FIELD_TEMPERATURE], 1);
	}
	mig_family(w, s, cluster);
	cost_family(w, s, cluster);
}

static void device_families(struct gm_promtext_writer *w, const struct gm_snapshot *s, bool cluster)
{
	for (size_t f = 0; f < GM_LEN(device_fields); f++) {
		const struct prom_field *p = &device_fields[f];

		gm_promtext_family(w, p->name, p->type, p->help);
		for (size_t i = 0; i < s->device_count; i++) {
			const struct gm_device *d = s->devices[i];
			if (!gm_sample_has(&d->sample, p->field))
				continue;
			gm_promtext_sample(w, "");
			add_device_labels(w, d, cluster);
			gm_promtext_fixed(w, d->sample.value[p->field] * p->multiply, p->decimals);
		}
	}
	gm_promtext_family(w, "gpu_monitor_device_memory_total_bytes", GM_PROMTEXT_GAUGE, "Frame buffer of the board");
	for (size_t i = 0; i < s->device_count; i++) {
		if (s->devices[i]->memory_total_bytes < 0)
			continue;
		gm_promtext_sample(w, "");
		add_device_labels(w, s->devices[i], cluster);
		gm_promtext_i64(w, s->devices[i]->memory_total_bytes);
	}
	gm_promtext_family(w, "gpu_monitor_device_info", GM_PROMTEXT_INFO, "What the device is");
	for (size_t i = 0; i < s->device_count; i++) {
		const struct gm_device *d = s->devices[i];
		gm_promtext_sample(w, "");
		add_device_labels(w, d, cluster);
		gm_promtext_add_label(w, "uuid", gm_str(d->uuid));
		gm_promtext_add_label(w, "node", gm_str(d->node));
		gm_promtext_add_label(w, "model", gm_str(d->model));
		gm_promtext_add_label(w, "product_name", gm_str(d->product_name));
		gm_promtext_i64(w, 1);
	}
}

static void instance_families(struct gm_promtext_writer *w, const struct gm_snapshot *s, bool cluster)
{
	gm_promtext_family(w, "gpu_monitor_mig_instance_utilization_ratio", GM_PROMTEXT_GAUGE,
			   "Share of time in which the MIG instance's engine was active");
	for (size_t i = 0; i < s->device_count; i++) {
		const struct gm_device *d = s->devices[i];
		for (size_t k = 0; k < d->instance_count; k++) {
			const struct gm_instance *m = &d->instances[k];
			if (!gm_sample_has(&m->sample, GM_FIELD_GR_ENGINE_ACTIVE))
				continue;
			gm_promtext_sample(w, "");
			add_device_labels(w, d, cluster);
			gm_promtext_add_label(w, "mig_instance_id", gm_str(m->id));
			gm_promtext_add_label(w, "profile", gm_str(m->profile));
			gm_promtext_fixed(w, m->sample.value[GM_FIELD_GR_ENGINE_ACTIVE], 4);
		}
	}
	gm_promtext_family(w, "gpu_monitor_mig_instance_memory_used_bytes", GM_PROMTEXT_GAUGE,
			   "Frame buffer in use in the MIG instance");
	for (size_t i = 0; i < s->device_count; i++) {
		const struct gm_device *d = s->devices[i];
		for (size_t k = 0; k < d->instance_count; k++) {
			const struct gm_instance *m = &d->instances[k];
			if (!gm_sample_has(&m->sample, GM_FIELD_MEMORY_USED))
				continue;
			gm_promtext_sample(w, "");
			add_device_labels(w, d, cluster);
			gm_promtext_add_label(w, "mig_instance_id", gm_str(m->id));
			gm_promtext_add_label(w, "profile", gm_str(m->profile));
			gm_promtext_i64(w, m->sample.value[GM_FIELD_MEMORY_USED]);
		}
	}
}

static void fleet_families(struct gm_promtext_writer *w, const struct gm_snapshot *s)
{
	gm_promtext_family(w, "gpu_monitor_devices", GM_PROMTEXT_GAUGE, "Devices by health");
	for (int h = 0; h < GM_HEALTH_COUNT; h++) {
		gm_promtext_sample(w, "");
		gm_promtext_add_label(w, "health", gm_str(gm_health_name((enum gm_health)h)));
		gm_promtext_i64(w, s->totals.health[h]);
	}
	gm_promtext_family(w, "gpu_monitor_nodes", GM_PROMTEXT_GAUGE, "Nodes by state");
	for (int n = 0; n < GM_NODE_STATE_COUNT; n++) {
		gm_promtext_sample(w, "");
		gm_promtext_add_label(w, "state", gm_str(gm_node_state_name((enum gm_node_state)n)));
		gm_promtext_i64(w, s->node_states[n]);
	}
}

/* A family of ours with one line and no labels. */
static void single(struct gm_promtext_writer *w, const char *name, enum gm_promtext_type type, const char *help,
		   int64_t v, unsigned decimals)
{
	gm_promtext_family(w, name, type, help);
	gm_promtext_sample(w, "");
	gm_promtext_fixed(w, v, decimals);
}

static int64_t resident_bytes(void)
{
	long pages = -1, all;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f)
		return -1;
	if (fscanf(f, "%ld %ld", &all, &pages) != 2)
		pages = -1;
	(void)fclose(f);
	return pages < 0 ? -1 : (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static void process_families(struct gm_promtext_writer *w, const struct gm_api *api)
{
	struct rusage u;

	gm_promtext_family(w, "gpu_monitor_build_info", GM_PROMTEXT_INFO, "The program's version");
	gm_promtext_sample(w, "");
	gm_promtext_add_label(w, "version", GM_STR(GM_VERSION));
	gm_promtext_i64(w, 1);
	single(w, "process_start_time_seconds", GM_PROMTEXT_GAUGE, "Start of the process since the epoch",
	       api->started_ms, 3);
	if (getrusage(RUSAGE_SELF, &u) == 0)
		single(w, "process_cpu_seconds_total", GM_PROMTEXT_COUNTER, "User and system CPU time",
		       (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * INT64_C(1000000) + u.ru_utime.tv_usec +
			       u.ru_stime.tv_usec,
		       6);
	const int64_t rss = resident_bytes();
	if (rss >= 0)
		single(w, "process_resident_memory_bytes", GM_PROMTEXT_GAUGE, "Resident memory", rss, 0);
}

static void source_families(struct gm_promtext_writer *w, const struct gm_api *api)
{
	struct gm_source_counts c;

	struct gm_collector_stats f;

	gm_sources_counts(gm_collector_sources(api->collector), &c);
	gm_collector_stats(api->collector, &f);
	const struct {
		const char *state;
		uint32_t n;
	} states[] = { { "up", c.up }, { "down", c.down }, { "pending", c.total - c.up - c.down } };
	gm_promtext_family(w, "gpu_monitor_scrape_targets", GM_PROMTEXT_GAUGE, "Targets by state");
	for (size_t i = 0; i < GM_LEN(states); i++) {
		gm_promtext_sample(w, "");
		gm_promtext_add_label(w, "state", gm_str(states[i].state));
		gm_promtext_i64(w, states[i].n);
	}
	single(w, "gpu_monitor_scrapes_total", GM_PROMTEXT_COUNTER, "Scrapes that ended, well or not",
	       (int64_t)c.scrapes, 0);
	single(w, "gpu_monitor_scrape_failures_total", GM_PROMTEXT_COUNTER, "Scrapes that failed", (int64_t)c.failures,
	       0);
	single(w, "gpu_monitor_scrape_duration_seconds_total", GM_PROMTEXT_COUNTER,
	       "Time spent waiting for targets, all scrapes together", (int64_t)c.duration_ms, 3);
	single(w, "gpu_monitor_scrape_late_total", GM_PROMTEXT_COUNTER,
	       "Scrapes that began more than 5 s after their time", (int64_t)c.late, 0);
	single(w, "gpu_monitor_samples_applied_total", GM_PROMTEXT_COUNTER, "Device samples taken into the fleet",
	       (int64_t)f.applied, 0);
	single(w, "gpu_monitor_samples_refused_total", GM_PROMTEXT_COUNTER,
	       "Device samples left out: old or given twice", (int64_t)f.refused, 0);
	single(w, "gpu_monitor_pages_refused_total", GM_PROMTEXT_COUNTER, "Pages that broke a limit or a rule",
	       (int64_t)f.bad_pages, 0);
	single(w, "gpu_monitor_publish_seconds_total", GM_PROMTEXT_COUNTER, "Time spent making snapshots",
	       (int64_t)f.publish_micros_sum, 6);
}

static void store_families(struct gm_promtext_writer *w, const struct gm_api *api)
{
	struct gm_recorder_stats r;
	struct gm_history_stats h;

	gm_recorder_stats(api->recorder, &r);
	single(w, "gpu_monitor_store_up", GM_PROMTEXT_GAUGE, "1 while the database takes what is written", r.up ? 1 : 0,
	       0);
	single(w, "gpu_monitor_store_queue_rows", GM_PROMTEXT_GAUGE, "Rows that wait for the writer",
	       (int64_t)r.writer.queued_rows, 0);
	single(w, "gpu_monitor_store_dropped_rows_total", GM_PROMTEXT_COUNTER,
	       "Rows dropped because the writer fell behind", (int64_t)r.writer.dropped_rows, 0);
	single(w, "gpu_monitor_store_rows_total", GM_PROMTEXT_COUNTER, "Rows written", (int64_t)r.writer.written_rows,
	       0);
	single(w, "gpu_monitor_store_commits_total", GM_PROMTEXT_COUNTER, "Commits", (int64_t)r.writer.commits, 0);
	single(w, "gpu_monitor_store_commit_seconds_total", GM_PROMTEXT_COUNTER, "Time spent in commits",
	       (int64_t)r.writer.commit_ms_sum, 3);
	single(w, "gpu_monitor_store_failures_total", GM_PROMTEXT_COUNTER, "Writes the database refused",
	       (int64_t)r.writer.failures, 0);
	single(w, "gpu_monitor_store_refused_rows_total", GM_PROMTEXT_COUNTER,
	       "Rows not taken: older than the retention or more than a day ahead",
	       (int64_t)(r.store.refused_old_rows + r.store.refused_future_rows), 0);
	single(w, "gpu_monitor_store_damaged_total", GM_PROMTEXT_COUNTER, "Pieces of history that could not be read",
	       (int64_t)r.store.damaged, 0);
	gm_history_stats(api->history, &h);
	single(w, "gpu_monitor_history_samples", GM_PROMTEXT_GAUGE, "Samples held in memory", (int64_t)h.samples, 0);
	single(w, "gpu_monitor_history_bytes", GM_PROMTEXT_GAUGE, "Memory they take", (int64_t)h.bytes, 0);
}

static void http_families(struct gm_promtext_writer *w, const struct gm_api *api)
{
	struct gm_http_stats s = { 0 };
	struct gm_events_stats e;

	if (api->http)
		gm_http_server_stats(api->http, &s);
	const struct {
		const char *class;
		uint64_t n;
	} classes[] = {
		{ "2xx", s.status_2xx }, { "3xx", s.status_3xx }, { "4xx", s.status_4xx }, { "5xx", s.status_5xx }
	};
	gm_promtext_family(w, "gpu_monitor_http_responses_total", GM_PROMTEXT_COUNTER, "Answers by class of status");
	for (size_t i = 0; i < GM_LEN(classes); i++) {
		gm_promtext_sample(w, "");
		gm_promtext_add_label(w, "class", gm_str(classes[i].class));
		gm_promtext_i64(w, (int64_t)classes[i].n);
	}
	single(w, "gpu_monitor_http_request_seconds_total", GM_PROMTEXT_COUNTER,
	       "Time spent answering, all requests together",
	       (int64_t)atomic_load_explicit(&api->request_micros, memory_order_relaxed), 6);
	single(w, "gpu_monitor_http_connections", GM_PROMTEXT_GAUGE, "Open connections", (int64_t)s.connections, 0);
	if (s.tls_not_after_ms) {
		single(w, "gpu_monitor_tls_certificate_expiry_seconds", GM_PROMTEXT_GAUGE,
		       "End of the certificate in use, since the epoch", s.tls_not_after_ms, 3);
		single(w, "gpu_monitor_tls_reload_failures_total", GM_PROMTEXT_COUNTER,
		       "Changed certificates that were refused", (int64_t)s.tls_reload_failures, 0);
	}
	gm_events_stats(api->events, &e);
	single(w, "gpu_monitor_sse_clients", GM_PROMTEXT_GAUGE, "Clients of the event stream", (int64_t)e.clients, 0);
	single(w, "gpu_monitor_sse_messages_total", GM_PROMTEXT_COUNTER, "Messages sent to them", (int64_t)e.messages,
	       0);
}

int gm_api_metrics(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct gm_api *api = ctx;
	GM_API_SNAPSHOT(api);
	const enum gm_promtext_format format = gm_promtext_negotiate(gm_http_header(req, "Accept"));
	const bool cluster = many_clusters(snapshot);
	struct gm_promtext_writer w;

	(void)err;
	gm_promtext_writer_init(&w, &res->body, format);
	seed_families(&w, snapshot, cluster);
	device_families(&w, snapshot, cluster);
	instance_families(&w, snapshot, cluster);
	fleet_families(&w, snapshot);
	source_families(&w, api);
	store_families(&w, api);
	http_families(&w, api);
	process_families(&w, api);
	gm_promtext_end(&w);
	res->content_type = gm_promtext_content_type(format);
	return 0;
}
