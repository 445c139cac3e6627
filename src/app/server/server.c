/* SPDX-License-Identifier: MIT */
#include "app/server/server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include "adapter/http/http.h"
#include "adapter/http/static.h"
#include "app/server/api-internal.h"
#include "base/alloc.h"
#include "base/file-stamp.h"
#include "base/json.h"
#include "base/log.h"
#include "core/auth/auth.h"

#define TICK_MS 2000
#define HTTP_STOP_MS 5000
#define WRITE_STOP_MS 10000
#define HISTORY_MS (75 * 60 * INT64_C(1000)) /* the last hour, and what the store may lag behind */

struct server {
	const struct gm_command *command;
	char *const *environment;
	const struct gm_clock *clock;
	struct gm_facts_box facts;
	struct gm_facts *newest; /* and older ones behind it */
	struct gm_api api;
	struct gm_history *history;
	struct gm_recorder *recorder;
	struct gm_keys *keys;
	struct gm_events *events;
	struct gm_collector *collector;
	struct gm_static *page;
	struct gm_http_server *http;
	int signal_fd;
	struct gm_file_stamp targets_file; /* as it was read last */
	bool looked;
};

static void facts_free(struct gm_facts *f)
{
	if (!f)
		return;
	gm_options_fini(&f->options);
	free(f->profiles);
	free(f);
}

/* What follows from the settings, once for all readers. */
static void facts_complete(struct server *s, struct gm_facts *f)
{
	struct gm_buf b = { 0 };
	struct gm_json w;

	gm_json_init(&w, &b);
	gm_json_array(&w);
	for (size_t i = 0; i < s->command->profiles.count; i++)
		gm_json_cstr(&w, s->command->profiles.names[i]);
	gm_json_end_array(&w);
	f->profiles = gm_buf_steal(&b, NULL);
	f->open = f->settings.anonymous_role > GM_ROLE_NONE || f->settings.anonymous_local_role > GM_ROLE_NONE;
	f->older = s->newest;
	f->generation = s->newest ? s->newest->generation + 1 : 1;
	s->newest = f;
	atomic_store_explicit(&s->facts.current, f, memory_order_release);
}

static void log_warnings(struct gm_option_list *warnings)
{
	for (size_t i = 0; i < warnings->count; i++) {
		gm_warn(warnings->items[i]);
		free(warnings->items[i]);
	}
	free(warnings->items);
	*warnings = (struct gm_option_list){ 0 };
}

static int load_settings(struct server *s, struct gm_err *err)
{
	struct gm_facts *f = gm_xalloc(sizeof(*f));
	struct gm_option_list warnings = { 0 };
	const int r = gm_settings_load(s->command, s->environment, &f->settings, &f->options, &warnings, err);

	if (r) {
		log_warnings(&warnings);
		free(f);
		return r;
	}
	gm_log_setup((enum gm_log_format)f->settings.log_format, (enum gm_log_level)f->settings.log_level,
		     STDERR_FILENO, s->clock);
	log_warnings(&warnings);
	facts_complete(s, f);
	return 0;
}

/* One file descriptor a target and a connection: the soft limit of many systems is too low for a large cluster. */
static void raise_file_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &l);
	}
}

static int open_signals(struct server *s, struct gm_err *err)
{
	sigset_t set;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	/* Before the first thread, so that all inherit it. */
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signal_fd < 0 ? gm_fail_errno(err, errno, "signalfd") : 0;
}

static void write_overview(void *ctx, const struct gm_snapshot *snapshot, struct gm_buf *out)
{
	struct gm_json w;

	gm_json_init(&w, out);
	gm_overview_write(&w, ctx, snapshot);
}

static void post_audit(void *ctx, struct gm_str json)
{
	gm_events_post(((struct server *)ctx)->events, GM_TOPIC_AUDIT, json);
}

static void end_streams(void *ctx, int64_t key_id)
{
	gm_events_end_key(((struct server *)ctx)->events, key_id);
}

static int on_identify(void *ctx, const struct gm_http_peer *peer, struct gm_str authorization, struct gm_identity *out,
		       struct gm_err *err)
{
	return gm_keys_identify(((struct gm_api *)ctx)->keys, peer, authorization, out, err);
}

static void on_refused(void *ctx, const struct gm_http_peer *peer, int status)
{
	gm_keys_refused(((struct gm_api *)ctx)->keys, peer, status);
}

static bool on_is_local(void *ctx, const char *address)
{
	return gm_auth_address_is_loopback(gm_str(address)) ||
	       gm_settings_is_local(&gm_facts(((struct gm_api *)ctx)->facts)->settings, address);
}

static void on_answered(void *ctx, const struct gm_route *route, int status, int64_t micros)
{
	(void)route;
	(void)status;
	atomic_fetch_add_explicit(&((struct gm_api *)ctx)->request_micros, (uint64_t)micros, memory_order_relaxed);
}

static void on_http_line(void *ctx, const char *line)
{
	(void)ctx;
	gm_warn("HTTP library", { "line", line });
}

static int load_keys(struct server *s, struct gm_err *err)
{
	char text[GM_KEY_TEXT_SIZE];

	const int r = gm_keys_load(s->keys, gm_facts(&s->facts)->settings.admin_key_file, text, err);
	if (r)
		return r;
	if (text[0]) {
		/* On standard output, apart from the log, and only this once. */
		(void)printf("The first admin key, shown only now: %s\n", text);
		(void)fflush(stdout);
	}
	gm_wipe(text, sizeof(text));
	if (!gm_recorder_auth_store(s->recorder) && !gm_facts(&s->facts)->open)
		gm_error("without its database only the key in security.admin-key-file is known",
			 { "admin-key-file", gm_facts(&s->facts)->settings.admin_key_file });
	return 0;
}

/* The targets file is looked at, not watched: it is often a mounted ConfigMap, replaced by renaming folders. */
static void look_at_targets_file(struct server *s)
{
	const char *path = gm_facts(&s->facts)->settings.targets_file;
	struct gm_file_stamp now;

	if (!path[0])
		return;
	if (!gm_file_stamp_read(path, &now)) {
		if (s->targets_file.ino)
			gm_warn("the targets file is gone, keeping its targets", { "file", path });
		s->targets_file = now;
		return;
	}
	const bool same = gm_file_stamp_same(&now, &s->targets_file);
	s->targets_file = now;
	if (!same && s->looked)
		gm_collector_reload(s->collector);
	s->looked = true;
}

static int open_parts(struct server *s, struct gm_err *err)
{
	const struct gm_settings *conf = &gm_facts(&s->facts)->settings;
	const struct gm_store_conf store = {
		.url = conf->database_url,
		.clock = s->clock,
		.batch_rows = (size_t)conf->batch_size,
		.retention_ms = conf->retention_days * INT64_C(86400000),
		.network_allowed = conf->database_network_files,
	};

	s->history = gm_history_new(HISTORY_MS);
	s->events = gm_events_new(
		&(struct gm_events_conf){ .clock = s->clock, .overview = write_overview, .ctx = &s->api });
	s->recorder = gm_recorder_new(&store);
	s->keys = gm_keys_new(&(struct gm_keys_conf){ .clock = s->clock,
						      .recorder = s->recorder,
						      .facts = &s->facts,
						      .audited = post_audit,
						      .revoked = end_streams,
						      .ctx = s });
	int r = load_keys(s, err);
	if (r)
		return gm_err_wrap(err, "keys");
	/* Before it is read: what changes from here on is news. */
	look_at_targets_file(s);
	const struct gm_collector_conf collector = { .clock = s->clock,
						     .facts = &s->facts,
						     .history = s->history,
						     .recorder = s->recorder,
						     .events = s->events };
	r = gm_collector_new(&collector, &s->collector, err);
	if (r)
		return r;
	s->api = (struct gm_api){ .clock = s->clock,
				  .facts = &s->facts,
				  .fleet = gm_collector_fleet(s->collector),
				  .history = s->history,
				  .collector = s->collector,
				  .recorder = s->recorder,
				  .keys = s->keys,
				  .events = s->events,
				  .started_ms = gm_wall_ms(s->clock) };
	gm_api_init(&s->api);
	return 0;
}

static int start_http(struct server *s, struct gm_err *err)
{
	const struct gm_settings *conf = &gm_facts(&s->facts)->settings;
	int r = gm_static_new(gm_web_assets, gm_web_asset_count, conf->context_path, &s->page, err);

	if (r)
		return r;
	const struct gm_http_conf http = {
		.bind = conf->bind,
		.port = (uint16_t)conf->port,
		.threads = (unsigned)conf->threads,
		.context = conf->context_path,
		.routes = gm_route_table,
		.route_count = gm_route_count,
		.ctx = &s->api,
		.fallback = gm_static_handle,
		.fallback_ctx = s->page,
		.identify = on_identify,
		.is_local = on_is_local,
		.refused = on_refused,
		.observe = on_answered,
		.log = on_http_line,
		.connections_max = (size_t)conf->max_connections,
		.streams_max = (size_t)conf->max_streams,
		.streams_per_address_max = (size_t)conf->max_streams_per_address,
		.clock = s->clock,
		.tls_cert_file = gm_setting_or_null(conf->tls_cert_file),
		.tls_key_file = gm_setting_or_null(conf->tls_key_file),
	};
	r = gm_http_server_start(&http, &s->http, err);
	if (!r)
		s->api.http = s->http;
	return r;
}

static void say_where(struct server *s)
{
	const struct gm_settings *conf = &gm_facts(&s->facts)->settings;
	const bool any = strcmp(conf->bind, "0.0.0.0") == 0 || strcmp(conf->bind, "::") == 0;
	char url[256];

	(void)snprintf(url, sizeof(url), "%s://%s:%u%s", conf->tls_cert_file[0] ? "https" : "http",
		       any ? "127.0.0.1" : conf->bind, gm_http_server_port(s->http), conf->context_path);
	gm_info("ready", { "url", url }, { "version", GM_VERSION }, { "database", conf->database_url },
		GM_LOG_INT("simulated_gpus", conf->simulate_gpus), GM_LOG_INT("targets", conf->targets.count));
	if (gm_facts(&s->facts)->open)
		gm_warn("open: requests without a key are let in (security.anonymous-role, "
			"security.anonymous-local-role)");
	if (!conf->enabled)
		gm_warn("gpu.management.enabled is false: nothing is collected, what is stored is served");
}

/* The values of these keys as an object. */
static void values_json(const struct gm_options *o, const struct gm_option_list *keys, struct gm_buf *out)
{
	struct gm_json w;

	gm_json_init(&w, out);
	gm_json_object(&w);
	for (size_t i = 0; i < keys->count; i++) {
		const struct gm_option *row = gm_option_find(o, gm_str(keys->items[i]));
		GM_AUTO(gm_buf_fini_p) struct gm_buf value = { 0 };
		if (row)
			gm_option_print(o, row, &value);
		gm_json_key_str(&w, gm_str(keys->items[i]));
		gm_json_str(&w, gm_buf_str(&value));
	}
	gm_json_end_object(&w);
}

static void audit_reload(struct server *s, const struct gm_option_list *keys)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf before = { 0 }, after = { 0 };
	struct gm_err err;

	values_json(&s->newest->older->options, keys, &before);
	values_json(&s->newest->options, keys, &after);
	if (gm_recorder_auth_store(s->recorder) &&
	    gm_keys_audit(s->keys, &(struct gm_actor){ 0 }, "config.reload", GM_STR("settings"), gm_buf_str(&before),
			  gm_buf_str(&after), &err))
		gm_warn_err("the reload could not be audited", &err);
}

/* Looked at every few seconds anyway; who renews a certificate and says so should not have to wait. */
static void reload_certificate(struct server *s)
{
	struct gm_err err;

	if (gm_facts(&s->facts)->settings.tls_cert_file[0] && gm_http_server_reload_tls(s->http, &err))
		gm_error_err("certificate refused, the old one stays in use", &err);
}

static void reload(struct server *s)
{
	GM_AUTO(gm_conf_changes_fini_p) struct gm_conf_changes changes = { 0 };
	struct gm_option_list warnings = { 0 };
	struct gm_facts *f = gm_xalloc(sizeof(*f));
	struct gm_err err;

	reload_certificate(s);
	if (gm_settings_reload(s->command, s->environment, &gm_facts(&s->facts)->options, &f->settings, &f->options,
			       &changes, &warnings, &err)) {
		gm_error_err("settings refused, the old ones stay in force", &err);
		log_warnings(&warnings);
		free(f);
		return;
	}
	log_warnings(&warnings);
	facts_complete(s, f);
	gm_log_set_level((enum gm_log_level)f->settings.log_level);
	gm_collector_reload(s->collector);
	for (size_t i = 0; i < changes.live.count; i++)
		gm_info("setting changed", { "key", changes.live.items[i] });
	for (size_t i = 0; i < changes.restart.count; i++)
		gm_warn("setting waits for a restart", { "key", changes.restart.items[i] });
	if (changes.live.count)
		audit_reload(s, &changes.live);
	gm_info("settings read again");
}

/* False when it is time to stop. */
static bool take_signal(struct server *s)
{
	struct signalfd_siginfo info;

	if (read(s->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return true;
	if (info.ssi_signo == SIGHUP) {
		reload(s);
		return true;
	}
	gm_info("stopping", { "signal", info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT" });
	return false;
}

static void serve(struct server *s)
{
	struct pollfd fd = { .fd = s->signal_fd, .events = POLLIN };

	for (;;) {
		const int n = poll(&fd, 1, TICK_MS);
		if (n > 0 && !take_signal(s))
			return;
		gm_keys_tick(s->keys);
		look_at_targets_file(s);
	}
}

/* In the order of the data: no more requests, no more pages, then what is queued goes to disk. */
static void stop(struct server *s)
{
	if (s->http && !gm_http_server_stop(s->http, HTTP_STOP_MS))
		gm_warn("some connections were cut");
	if (s->collector)
		gm_collector_stop(s->collector);
	if (s->keys)
		gm_keys_tick(s->keys);
	if (s->recorder && !gm_recorder_stop(s->recorder, WRITE_STOP_MS))
		gm_warn("some samples were not written");
	gm_http_server_free(s->http);
	gm_static_free(s->page);
	gm_api_fini(&s->api);
	gm_collector_free(s->collector);
	gm_events_free(s->events);
	gm_keys_free(s->keys);
	gm_recorder_free(s->recorder);
	gm_history_free(s->history);
	gm_fd_close(s->signal_fd);
	for (struct gm_facts *f = s->newest, *older; f; f = older) {
		older = f->older;
		facts_free(f);
	}
}

int gm_server_main(const struct gm_command *command, char *const *environment)
{
	struct server s = {
		.command = command, .environment = environment, .clock = gm_clock_system(), .signal_fd = -1
	};
	struct gm_err err;

	gm_log_setup(GM_LOG_LOGFMT, GM_LOG_INFO, STDERR_FILENO, s.clock);
	if (load_settings(&s, &err)) {
		(void)fprintf(stderr, "gpu-monitor: %s%s%s\n", err.where, err.where[0] ? ": " : "", err.text);
		return 2;
	}
	raise_file_limit();
	/* The database holds digests of keys and the audit log. */
	(void)umask(0077);
	int r = open_signals(&s, &err);
	if (!r)
		r = open_parts(&s, &err);
	if (!r)
		r = start_http(&s, &err);
	if (!r)
		r = gm_collector_start(s.collector, &err);
	if (r) {
		gm_error_err("cannot start", &err);
	} else {
		say_where(&s);
		serve(&s);
	}
	stop(&s);
	return r ? 1 : 0;
}
