/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>

#include "adapter/host/sandbox.h"
#include "app/agent/agent-internal.h"
#include "base/alloc.h"
#include "base/log.h"

static void log_warnings(struct gm_option_list *warnings)
{
	for (size_t i = 0; i < warnings->count; i++)
		gm_warn(warnings->items[i]);
	gm_option_list_fini(warnings);
	*warnings = (struct gm_option_list){ 0 };
}

static void loaded_free(struct gm_agent_loaded *l)
{
	if (!l)
		return;
	gm_options_fini(&l->options);
	free(l);
}

/* The first is kept, whose texts the parts of the agent borrow, and the newest. */
static void loaded_push(struct gm_agent *a, struct gm_agent_loaded *l)
{
	struct gm_agent_loaded *before = a->loaded;

	l->first = before ? before->first ? before->first : before : NULL;
	a->loaded = l;
	if (before != l->first)
		loaded_free(before);
}

int gm_agent_load(struct gm_agent *a, struct gm_err *err)
{
	struct gm_agent_loaded *l = gm_xalloc(sizeof(*l));
	struct gm_option_list warnings = { 0 };
	const int r = gm_agent_settings_load(a->command, a->environment, &l->settings, &l->options, &warnings, err);

	if (r == 0)
		gm_log_setup((enum gm_log_format)l->settings.log_format, (enum gm_log_level)l->settings.log_level,
			     STDERR_FILENO, a->clock);
	log_warnings(&warnings);
	if (r) {
		free(l);
		return r;
	}
	loaded_push(a, l);
	return 0;
}

static void reload_servers(struct gm_agent *a)
{
	struct gm_err err = { 0 };

	if (!a->loaded->settings.tls_cert_file[0])
		return;
	for (size_t i = 0; i < a->server_count; i++) {
		/* A unix socket has no certificate to read again. */
		if (gm_http_server_port(a->servers[i]) && gm_http_server_reload_tls(a->servers[i], &err))
			gm_error_err("certificate refused, the old one stays in use", &err);
	}
}

void gm_agent_reload(struct gm_agent *a)
{
	GM_AUTO(gm_conf_changes_fini_p) struct gm_conf_changes changes = { 0 };
	struct gm_agent_loaded *l = gm_xalloc(sizeof(*l));
	struct gm_option_list warnings = { 0 };
	struct gm_err err = { 0 };

	reload_servers(a);
	const int r = gm_agent_settings_reload(a->command, a->environment, &a->loaded->options, &l->settings,
					       &l->options, &changes, &warnings, &err);
	log_warnings(&warnings);
	if (r) {
		gm_error_err("settings refused, the old ones stay in force", &err);
		free(l);
		return;
	}
	loaded_push(a, l);
	const struct gm_agent_settings *s = &l->settings;
	gm_log_set_level((enum gm_log_level)s->log_level);
	gm_samplers_set_interval(a->samplers, s->interval_ms, s->window_ms);
	gm_agent_pages_set_interval(a->pages, s->interval_ms, s->window_ms);
	gm_agent_pages_set_dcgm_names(a->pages, s->dcgm_names);
	gm_agent_pause_set_limit(a->pause, s->pause_limit_ms);
	if (gm_agent_api_token(&a->api, s->token_file, &err))
		gm_error_err("token file refused, the old token stays in force", &err);
	for (size_t i = 0; i < changes.live.count; i++)
		gm_info("setting changed", { "key", changes.live.items[i] });
	for (size_t i = 0; i < changes.restart.count; i++)
		gm_warn("setting waits for a restart", { "key", changes.restart.items[i] });
	gm_info("settings read again");
}

static int child_run(void *ctx, enum gm_keeper_role role, int argument, int agent_gone_fd)
{
	const struct gm_agent_work *work = ctx;

	if (role == GM_KEEPER_MIG_WORKER)
		return gm_mig_worker_run(work->job, agent_gone_fd);
	return gm_child_run(&work->child, (unsigned)argument, agent_gone_fd);
}

static void sandbox(enum gm_sandbox kind, const char *who)
{
	struct gm_err err = { 0 };

	if (gm_sandbox_enter(kind, &err))
		gm_warn_err("without a sandbox", &err, { "process", who });
}

static void keeper_enter(void *ctx)
{
	if (((const struct gm_agent_work *)ctx)->sandbox)
		sandbox(GM_SANDBOX_DRIVER, "keeper");
}

static int open_memory(struct gm_agent *a, struct gm_err *err)
{
	const int r = gm_agent_shared_map(&a->shared, err);

	if (r)
		return r;
	void *p = mmap(NULL, sizeof(*a->job), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return gm_fail_errno(err, errno, "memory shared with the MIG worker");
	a->job = p;
	return 0;
}

static int open_keeper(struct gm_agent *a, struct gm_err *err)
{
	const char *library = NULL;
	int r = gm_agent_settings_library(&a->loaded->settings, a->library, &library, err);

	if (r)
		return r;
	a->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	a->work.child.shared = a->shared;
	a->work.child.library = library;
	a->work.child.wake_fd = a->wake_fd;
	a->work.job = a->job;
	a->work.sandbox = a->loaded->settings.sandbox;
	bool all = a->wake_fd >= 0;
	for (unsigned c = 0; c < GM_AGENT_CHILDREN_MAX; c++) {
		a->work.child.order_fds[c] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		all = all && a->work.child.order_fds[c] >= 0;
	}
	if (!all)
		return gm_fail_errno(err, errno, "eventfd");
	const struct gm_keeper_work work = { .enter = keeper_enter, .run = child_run, .ctx = &a->work };
	return gm_keeper_start(&work, &a->keeper, err);
}

/* Before the keeper is forked, which undoes it for its children: so no signal falls between. */
static int open_signals(struct gm_agent *a, struct gm_err *err)
{
	sigset_t set;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	a->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return a->signal_fd < 0 ? gm_fail_errno(err, errno, "signalfd") : 0;
}

static void wake(const struct gm_agent *a)
{
	const uint64_t one = 1;

	(void)!write(a->wake_fd, &one, sizeof(one));
}

static int on_pause(void *ctx, int64_t for_ms, struct gm_str reason, int64_t *out_until_ms, struct gm_err *err)
{
	struct gm_agent *a = ctx;
	const int r = gm_agent_pause_request(a->pause, for_ms, reason, out_until_ms, err);

	wake(a);
	return r;
}

static int on_resume(void *ctx, struct gm_err *err)
{
	struct gm_agent *a = ctx;
	const int r = gm_agent_pause_resume(a->pause, err);

	wake(a);
	return r;
}

static int open_parts(struct gm_agent *a, struct gm_err *err)
{
	const struct gm_agent_settings *s = &a->loaded->settings;
	struct gm_samplers_conf samplers = { .shared = a->shared,
					     .keeper = a->keeper,
					     .clock = a->clock,
					     .interval_ms = s->interval_ms,
					     .window_ms = s->window_ms,
					     .hung_after_ms = s->hung_after_ms };

	memcpy(samplers.order_fds, a->work.child.order_fds, sizeof(samplers.order_fds));
	a->samplers = gm_samplers_new(&samplers);
	a->pause = gm_agent_pause_new(a->clock, s->pause_file, s->pause_limit_ms);
	a->holders_cache = gm_holders_cache_new();
	a->pages = gm_agent_pages_new(&(struct gm_agent_pages_conf){ .clock = a->clock,
								     .node_name = s->node_name,
								     .interval_ms = s->interval_ms,
								     .window_ms = s->window_ms,
								     .dcgm_names = s->dcgm_names });
	const struct gm_mig_manager_conf mig = { .samplers = a->samplers,
						 .keeper = a->keeper,
						 .job = a->job,
						 .clock = a->clock,
						 .state_dir = s->state_dir,
						 .host_root = s->host_root,
						 .library = a->work.child.library,
						 .enabled = s->mig_enabled };
	const int r = gm_mig_manager_new(&mig, &a->mig, err);
	if (r)
		return r;
	a->api = (struct gm_agent_api){ .clock = a->clock,
					.pages = a->pages,
					.mig = a->mig,
					.control = { .ctx = a, .pause = on_pause, .resume = on_resume } };
	gm_agent_api_init(&a->api);
	a->api_ready = true;
	return gm_agent_api_token(&a->api, s->token_file, err);
}

static int listen_on(struct gm_agent *a, const char *text, struct gm_err *err)
{
	const struct gm_agent_settings *s = &a->loaded->settings;
	struct gm_agent_listen where;
	struct gm_http_conf conf = { 0 };
	char bind[sizeof(where.unix_path) + 8];

	if (a->server_count == GM_AGENT_SERVERS_MAX)
		return gm_fail(err, GM_ERR_INVALID, "at most %d places to listen on", GM_AGENT_SERVERS_MAX);
	int r = gm_agent_listen_parse(gm_str(text), &where, err);
	if (r)
		return r;
	gm_agent_api_conf(&a->api, &conf);
	conf.bind = where.address;
	conf.port = where.port;
	conf.connections_max = (size_t)s->max_connections;
	conf.clock = a->clock;
	if (where.unix_path[0]) {
		(void)snprintf(bind, sizeof(bind), "unix:%s", where.unix_path);
		conf.bind = bind;
	} else if (s->tls_cert_file[0]) {
		conf.tls_cert_file = s->tls_cert_file;
		conf.tls_key_file = s->tls_key_file;
		conf.tls_client_ca_file = s->tls_client_ca_file[0] ? s->tls_client_ca_file : NULL;
	}
	r = gm_http_server_start(&conf, &a->servers[a->server_count], err);
	if (r)
		return r;
	if (where.unix_path[0])
		gm_info("listening", { "on", conf.bind });
	else
		gm_info("listening", { "on", where.address },
			GM_LOG_INT("port", gm_http_server_port(a->servers[a->server_count])),
			{ "tls", conf.tls_cert_file ? "yes" : "no" });
	a->server_count++;
	return 0;
}

static int open_servers(struct gm_agent *a, struct gm_err *err)
{
	const struct gm_agent_settings *s = &a->loaded->settings;
	char text[128];

	for (size_t i = 0; i < s->listen.count; i++) {
		const int r = listen_on(a, s->listen.items[i], err);
		if (r)
			return r;
	}
	if (strcmp(s->socket, "none") == 0)
		return 0;
	(void)snprintf(text, sizeof(text), "unix:%s", s->socket);
	return listen_on(a, text, err);
}

static int open_kubelet(struct gm_agent *a, struct gm_err *err)
{
	const struct gm_agent_settings *s = &a->loaded->settings;

	if (strcmp(s->kubelet_socket, "none") == 0)
		return 0;
	return gm_kubelet_start(&(struct gm_kubelet_conf){ .socket = s->kubelet_socket,
							   .interval_ms = s->kubelet_interval_ms,
							   .clock = a->clock },
				&a->kubelet, err);
}

int gm_agent_open(struct gm_agent *a, struct gm_err *err)
{
	int r;

	/* One heap for all threads: more would cost more memory than the threads, which seldom allocate, cost each other. */
	(void)mallopt(M_ARENA_MAX, 1);
	if ((r = open_signals(a, err)) || (r = open_memory(a, err)) || (r = open_keeper(a, err)))
		return r;
	gm_notify_open(&a->notify);
	if ((r = open_parts(a, err)))
		return r;
	if (a->loaded->settings.sandbox)
		sandbox(GM_SANDBOX_SERVE, "server");
	if ((r = open_kubelet(a, err)))
		return r;
	return open_servers(a, err);
}

void gm_agent_close(struct gm_agent *a)
{
	for (size_t i = 0; i < a->server_count; i++)
		gm_http_server_free(a->servers[i]);
	gm_kubelet_free(a->kubelet);
	if (a->api_ready)
		gm_agent_api_fini(&a->api);
	gm_mig_manager_free(a->mig);
	gm_agent_pages_free(a->pages);
	gm_agent_pause_free(a->pause);
	gm_samplers_free(a->samplers);
	gm_keeper_free(a->keeper);
	gm_holders_cache_free(a->holders_cache);
	gm_arena_fini(&a->holders_arena);
	gm_notify_close(&a->notify);
	gm_fd_close(a->signal_fd);
	gm_fd_close(a->wake_fd);
	for (unsigned c = 0; c < GM_AGENT_CHILDREN_MAX; c++)
		gm_fd_close(a->work.child.order_fds[c]);
	if (a->job)
		(void)munmap(a->job, sizeof(*a->job));
	gm_agent_shared_unmap(a->shared);
	if (a->loaded)
		loaded_free(a->loaded->first);
	loaded_free(a->loaded);
	a->loaded = NULL;
}
