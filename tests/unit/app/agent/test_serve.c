/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "../../adapter/http/wire.h"
#include "adapter/http/http.h"
#include "app/agent/api.h"
#include "app/agent/health.h"
#include "app/agent/inventory.h"
#include "app/agent/own.h"
#include "core/auth/auth.h"
#include "views.h"

/* Two servers of one API: TCP and a unix socket. */
struct fixture {
	struct gm_manual_clock clock;
	struct gm_agent_view *view;
	struct gm_agent_round round;
	struct gm_agent_pages *pages;
	struct gm_agent_api api;
	struct gm_http_server *tcp, *local;
	struct wire wire;
	char socket[64], bind[80], token[64];
	struct gm_err err;
	int64_t paused_for_ms;
	char reason[64];
	bool resumed;
};

static int pause_(void *ctx, int64_t for_ms, struct gm_str reason, int64_t *out_until_ms, struct gm_err *err)
{
	struct fixture *f = ctx;

	if (for_ms > 3600000)
		return gm_fail(err, GM_ERR_INVALID, "longer than pause.limit");
	f->paused_for_ms = for_ms;
	(void)gm_str_copy(reason, f->reason, sizeof(f->reason));
	*out_until_ms = VIEW_AT + for_ms;
	return 0;
}

static int resume(void *ctx, struct gm_err *err)
{
	struct fixture *f = ctx;

	(void)err;
	f->resumed = true;
	return 0;
}

static void make(struct fixture *f)
{
	gm_agent_pages_make(f->pages, &f->round);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct gm_http_conf conf;

	gm_manual_clock_init(&f->clock, VIEW_AT);
	f->clock.mono_ms = VIEW_MONO;
	f->view = view_new(2, 3);
	f->round = (struct gm_agent_round){ .view = f->view };
	f->round.processes[f->round.process_count++] = (struct gm_agent_process){ "server", 0, getpid() };
	f->pages = gm_agent_pages_new(&(struct gm_agent_pages_conf){
		.clock = &f->clock.clock, .node_name = "worker-1", .interval_ms = 1000, .window_ms = 30000 });
	f->api = (struct gm_agent_api){ .clock = &f->clock.clock,
					.pages = f->pages,
					.control = { .ctx = f, .pause = pause_, .resume = resume } };
	gm_agent_api_init(&f->api);
	(void)snprintf(f->socket, sizeof(f->socket), "/tmp/gm-agent-serve-%d.sock", (int)getpid());
	(void)snprintf(f->bind, sizeof(f->bind), "unix:%s", f->socket);
	(void)snprintf(f->token, sizeof(f->token), "/tmp/gm-agent-serve-%d.token", (int)getpid());
	gm_agent_api_conf(&f->api, &conf);
	conf.clock = NULL;
	if (gm_http_server_start(&conf, &f->tcp, &f->err))
		fail_msg("%s", f->err.text);
	conf.bind = f->bind;
	if (gm_http_server_start(&conf, &f->local, &f->err))
		fail_msg("%s", f->err.text);
	f->wire.fd = -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	wire_close(&f->wire);
	gm_http_server_free(f->tcp);
	gm_http_server_free(f->local);
	gm_agent_api_fini(&f->api);
	gm_agent_pages_free(f->pages);
	(void)unlink(f->token);
	free(f->view);
	free(f);
	return 0;
}

/* The status. */
static int ask_on(struct fixture *f, bool local, const char *method, const char *path, const char *headers,
		  const char *body)
{
	char request[1024];

	wire_close(&f->wire);
	f->wire = (struct wire){ .fd = -1 };
	assert_true(local ? wire_open_unix(&f->wire, f->socket) : wire_open(&f->wire, gm_http_server_port(f->tcp)));
	(void)snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: worker-1\r\n%sContent-Length: %zu\r\n\r\n%s",
		       method, path, headers, strlen(body), body);
	if (strcmp(method, "GET") == 0)
		(void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: worker-1\r\n%s\r\n", path, headers);
	assert_true(wire_ask(&f->wire, request));
	return f->wire.status;
}

static int get(struct fixture *f, const char *path, const char *headers)
{
	return ask_on(f, false, "GET", path, headers, "");
}

static const char *body(struct fixture *f)
{
	return gm_buf_cstr(&f->wire.body);
}

static void body_has(struct fixture *f, const char *text)
{
	if (!strstr(body(f), text))
		fail_msg("no '%s' in '%.600s'", text, body(f));
}

static void test_serve_has_nothing_before_the_first_round(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, "/metrics", ""), 503);
	assert_int_equal(get(f, "/healthz", ""), 503);
	assert_int_equal(get(f, "/readyz", ""), 503);
	assert_int_equal(get(f, "/v1/inventory", ""), 503);
	make(f);
	assert_int_equal(get(f, "/metrics", ""), 200);
	assert_int_equal(get(f, "/healthz", ""), 200);
	assert_int_equal(get(f, "/readyz", ""), 200);
	assert_int_equal(get(f, "/v1/inventory", ""), 200);
}

static void test_serve_metrics_in_the_form_that_is_asked_for(void **state)
{
	static const char open[] =
		"Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5\r\n";
	struct fixture *f = *state;

	make(f);
	assert_int_equal(get(f, "/metrics", ""), 200);
	assert_true(gm_str_starts(wire_header(&f->wire, "Content-Type"), GM_STR("text/plain; version=0.0.4")));
	body_has(f, "\ngpu_agent_up 1\n");
	body_has(f, "# TYPE gpu_agent_energy_joules_total counter\n");
	body_has(f, "gpu_agent_own_cpu_seconds_total{process=\"server\",number=\"0\"} ");
	/* the first who asks for the other form is given this one, then there are both */
	assert_int_equal(get(f, "/metrics", open), 200);
	assert_true(gm_str_starts(wire_header(&f->wire, "Content-Type"), GM_STR("text/plain")));
	make(f);
	assert_int_equal(get(f, "/metrics", open), 200);
	assert_true(gm_str_starts(wire_header(&f->wire, "Content-Type"), GM_STR("application/openmetrics-text")));
	body_has(f, "# TYPE gpu_agent_energy_joules counter\n");
	assert_true(gm_str_ends(gm_buf_str(&f->wire.body), GM_STR("\n# EOF\n")));
	assert_int_equal(get(f, "/metrics", ""), 200);
	assert_true(gm_str_starts(wire_header(&f->wire, "Content-Type"), GM_STR("text/plain")));
	/* nobody asks any more: it is not kept */
	gm_manual_clock_advance(&f->clock, 121000);
	make(f);
	assert_int_equal(get(f, "/metrics", open), 200);
	assert_true(gm_str_starts(wire_header(&f->wire, "Content-Type"), GM_STR("text/plain")));
}

static void test_serve_pages_are_packed_and_named(void **state)
{
	struct fixture *f = *state;
	char header[160];

	make(f);
	assert_int_equal(get(f, "/metrics", "Accept-Encoding: gzip\r\n"), 200);
	assert_true(gm_str_is(wire_header(&f->wire, "Content-Encoding"), "gzip"));
	assert_int_equal(get(f, "/metrics", ""), 200);
	(void)snprintf(header, sizeof(header), "If-None-Match: %.*s\r\n", GM_STR_ARG(wire_header(&f->wire, "ETag")));
	assert_int_equal(get(f, "/metrics", header), 304);
	make(f);
	assert_int_equal(get(f, "/metrics", header), 200);
}

enum { STRANGER, EXPIRED, CERTIFIED, LOCAL, KINDS };
static const struct gm_http_peer kinds[KINDS] = {
	[STRANGER] = { .address = "10.0.0.1" },
	[EXPIRED] = { .address = "10.0.0.1",
		      .tls = true,
		      .client_cert = GM_HTTP_CERT_REFUSED,
		      .client_cert_why = "it has expired" },
	[CERTIFIED] = { .address = "10.0.0.1",
			.tls = true,
			.client_cert = GM_HTTP_CERT_VERIFIED,
			.client_name = "gpu-monitor" },
	[LOCAL] = { .address = "unix", .unix_socket = true },
};
enum { TOKEN_NONE, TOKEN_RIGHT, TOKEN_WRONG, TOKENS };
static const char *const tokens[TOKENS] = { "", "Bearer sesame", "Bearer wrong" };

/* 0, or the error that such a client gets. */
static int admitted(struct fixture *f, const struct gm_route *route, int kind, int token)
{
	struct gm_identity who = { 0 };
	int rc;

	if (route->role == GM_ROLE_NONE)
		return 0;
	rc = gm_agent_identify(&f->api, &kinds[kind], gm_str(tokens[token]), &who, &f->err);
	return rc ? rc : gm_auth_allows(&who, route->role, &f->err);
}

static int wanted_answer(const struct gm_route *route, int kind, int token, bool token_wanted)
{
	if (route->role == GM_ROLE_NONE || kind == CERTIFIED || kind == LOCAL)
		return 0;
	if (token_wanted && token != TOKEN_RIGHT)
		return GM_ERR_UNAUTHENTICATED;
	return route->method == GM_HTTP_GET ? 0 : GM_ERR_FORBIDDEN;
}

static void check_route(struct fixture *f, const struct gm_route *route)
{
	for (int i = 0; i < 2 * KINDS * TOKENS; i++) {
		const int kind = i / 2 % KINDS, token = i / 2 / KINDS;

		f->api.token_wanted = i % 2;
		const int got = admitted(f, route, kind, token), want = wanted_answer(route, kind, token, i % 2);
		if (got != want)
			fail_msg("%s, client %d, token %d, wanted %d: %s, not %s", route->path, kind, token, i % 2,
				 gm_err_name(got), gm_err_name(want));
	}
}

/* Whatever changes anything wants the role admin, and what tells of the node wants viewer. */
static void test_serve_every_route_by_every_kind_of_client(void **state)
{
	struct fixture *f = *state;

	gm_digest(GM_STR("sesame"), f->api.token);
	for (size_t r = 0; r < gm_agent_route_count; r++) {
		const struct gm_route *route = &gm_agent_route_table[r];
		const bool probe = strlen(route->path) > 1 && route->path[strlen(route->path) - 1] == 'z';

		assert_int_equal(route->role, route->method != GM_HTTP_GET ? GM_ROLE_ADMIN
					      : probe			   ? GM_ROLE_NONE
									   : GM_ROLE_VIEWER);
		check_route(f, route);
	}
}

static void test_serve_changes_are_refused_in_plain_words(void **state)
{
	struct fixture *f = *state;

	make(f);
	assert_int_equal(ask_on(f, false, "POST", "/v1/pause", "Content-Type: application/json\r\n", "{}"), 403);
	body_has(f, "unix socket");
	body_has(f, "tls.client-ca-file");
	assert_int_equal(f->paused_for_ms, 0);
	assert_int_equal(ask_on(f, false, "POST", "/v1/mig/apply", "Content-Type: application/json\r\n", "{}"), 403);
	assert_int_equal(ask_on(f, false, "POST", "/v1/resume", "", ""), 403);
	assert_false(f->resumed);
}

static void test_serve_the_socket_pauses_and_resumes(void **state)
{
	static const char json[] = "Content-Type: application/json\r\n";
	struct fixture *f = *state;

	make(f);
	assert_int_equal(ask_on(f, true, "POST", "/v1/pause", json, "{\"duration\":\"5m\",\"reason\":\"driver\"}"),
			 200);
	assert_int_equal(f->paused_for_ms, 300000);
	assert_string_equal(f->reason, "driver");
	body_has(f, "\"pausedUntil\":");
	assert_int_equal(ask_on(f, true, "POST", "/v1/pause", json, "{}"), 200);
	assert_int_equal(f->paused_for_ms, 600000);
	assert_int_equal(ask_on(f, true, "POST", "/v1/pause", json, "{\"duration\":\"0s\"}"), 400);
	assert_int_equal(ask_on(f, true, "POST", "/v1/pause", json, "{\"duration\":\"2h\"}"), 400);
	assert_int_equal(ask_on(f, true, "POST", "/v1/pause", json, "{\"minutes\":5}"), 400);
	assert_int_equal(ask_on(f, true, "POST", "/v1/pause", json, "{"), 400);
	assert_int_equal(ask_on(f, true, "POST", "/v1/resume", "", ""), 200);
	assert_true(f->resumed);
	assert_int_equal(ask_on(f, true, "POST", "/v1/mig/apply", json, "{}"), 501);
	assert_int_equal(ask_on(f, true, "GET", "/v1/mig", "", ""), 501);
	assert_int_equal(ask_on(f, true, "GET", "/v1/events", "", ""), 501);
}

static void write_token(struct fixture *f, const char *text)
{
	FILE *out = fopen(f->token, "w");

	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

static void test_serve_reading_may_need_a_token(void **state)
{
	struct fixture *f = *state;

	make(f);
	write_token(f, "sesame\n");
	assert_int_equal(gm_agent_api_token(&f->api, f->token, &f->err), 0);
	assert_int_equal(get(f, "/metrics", ""), 401);
	body_has(f, "needs a token");
	assert_int_equal(get(f, "/metrics", "Authorization: Bearer wrong\r\n"), 401);
	assert_int_equal(get(f, "/metrics", "Authorization: Bearer sesame\r\n"), 200);
	assert_int_equal(get(f, "/healthz", ""), 200);
	assert_int_equal(get(f, "/livez", ""), 200);
	assert_int_equal(ask_on(f, true, "GET", "/metrics", "", ""), 200);
	/* a new one counts once it is read; one that cannot be read leaves the old one in force */
	(void)unlink(f->token);
	assert_int_not_equal(gm_agent_api_token(&f->api, f->token, &f->err), 0);
	write_token(f, "");
	assert_int_not_equal(gm_agent_api_token(&f->api, f->token, &f->err), 0);
	assert_int_equal(get(f, "/metrics", "Authorization: Bearer sesame\r\n"), 200);
	write_token(f, "open");
	assert_int_equal(gm_agent_api_token(&f->api, f->token, &f->err), 0);
	assert_int_equal(get(f, "/metrics", "Authorization: Bearer sesame\r\n"), 401);
	assert_int_equal(get(f, "/metrics", "Authorization: Bearer open\r\n"), 200);
	assert_int_equal(gm_agent_api_token(&f->api, "", &f->err), 0);
	assert_int_equal(get(f, "/metrics", ""), 200);
}

/* A probe needs no token, and learns by which names and places this node's boards are known only with one. */
static void test_serve_health_names_no_board_to_who_may_not_read(void **state)
{
	static const struct {
		bool local;
		const char *headers;
		bool whole;
	} rows[] = {
		{ false, "", false },
		{ false, "Authorization: Bearer wrong\r\n", false },
		{ false, "Authorization: Bearer sesame\r\n", true },
		{ true, "", true },
	};
	struct fixture *f = *state;
	const struct gm_reading_facts *facts = &f->view->boards[1].reading.facts;

	assert_true(facts->uuid[0] && facts->serial[0] && facts->pci_bus_id[0]);
	f->view->boards[1].state = GM_BOARD_HUNG;
	make(f);
	assert_int_equal(get(f, "/healthz", ""), 503);
	body_has(f, facts->uuid); /* nobody needs a token yet */
	write_token(f, "sesame");
	assert_int_equal(gm_agent_api_token(&f->api, f->token, &f->err), 0);
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		const char *const names[] = { facts->uuid, facts->serial, facts->pci_bus_id, "\"reason\"" };

		assert_int_equal(ask_on(f, rows[i].local, "GET", "/healthz", rows[i].headers, ""), 503);
		body_has(f, "\"status\":\"failing\"");
		body_has(f, "\"total\":2");
		body_has(f, "\"ok\":1");
		for (size_t n = 0; n < GM_LEN(names); n++)
			assert_int_equal(strstr(body(f), names[n]) != NULL, rows[i].whole);
		assert_int_equal(ask_on(f, rows[i].local, "GET", "/readyz", rows[i].headers, ""), 200);
		body_has(f, "\"status\":\"ready\"");
		assert_int_equal(strstr(body(f), "\"migReason\"") != NULL, rows[i].whole);
	}
}

static void test_serve_says_when_the_main_loop_is_stuck(void **state)
{
	struct fixture *f = *state;

	make(f);
	gm_manual_clock_advance(&f->clock, 4000);
	assert_int_equal(get(f, "/livez", ""), 200);
	gm_manual_clock_advance(&f->clock, 2000);
	assert_int_equal(get(f, "/livez", ""), 503);
	assert_int_equal(get(f, "/healthz", ""), 503);
	body_has(f, "main loop");
	assert_int_equal(get(f, "/readyz", ""), 503);
	make(f);
	assert_int_equal(get(f, "/livez", ""), 200);
}

static void test_health_table(void **state)
{
	static const struct {
		enum gm_agent_state agent;
		enum gm_board_state board;
		int64_t old_ms;
		int status;
		const char *says;
	} rows[] = {
		{ GM_AGENT_WORKING, GM_BOARD_OK, 0, 200, "\"status\":\"ok\"" },
		{ GM_AGENT_WORKING, GM_BOARD_OK, 4999, 200, "\"problems\":[]" },
		{ GM_AGENT_WORKING, GM_BOARD_OK, 5001, 503, "\"state\":\"stale\"" },
		{ GM_AGENT_WORKING, GM_BOARD_HUNG, 0, 503, "\"call\":\"nvml" },
		{ GM_AGENT_WORKING, GM_BOARD_LOST, 0, 503, "\"result\":\"GPU_IS_LOST\"" },
		{ GM_AGENT_WORKING, GM_BOARD_FAILED, 0, 503, "\"state\":\"failed\"" },
		{ GM_AGENT_WORKING, GM_BOARD_NEW, 0, 503, "\"state\":\"new\"" },
		{ GM_AGENT_STARTING, GM_BOARD_NEW, 0, 503, "\"state\":\"starting\"" },
		{ GM_AGENT_PAUSED, GM_BOARD_OK, 0, 503, "\"status\":\"pausing\"" },
		{ GM_AGENT_NO_LIBRARY, GM_BOARD_OK, 0, 503, "\"reason\":\"because\"" },
		{ GM_AGENT_NO_DRIVER, GM_BOARD_OK, 0, 503, "\"state\":\"no_driver\"" },
		{ GM_AGENT_HUNG, GM_BOARD_OK, 0, 503, "\"state\":\"hung\"" },
	};
	struct fixture *f = *state;

	(void)snprintf(f->view->reason, sizeof(f->view->reason), "because");
	f->view->boards[1].reading.rc = 15;
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };

		f->view->state = rows[i].agent;
		f->view->boards[1].state = rows[i].board;
		f->view->boards[1].reading.sample.at_ms = VIEW_AT - rows[i].old_ms;
		assert_int_equal(gm_health_write(f->view, 1000, GM_HEALTH_WHOLE, &b), rows[i].status);
		assert_int_equal(gm_health_ok(f->view, 1000), rows[i].status == 200);
		if (!strstr(gm_buf_cstr(&b), rows[i].says))
			fail_msg("row %zu: no %s in %s", i, rows[i].says, gm_buf_cstr(&b));
		make(f);
		assert_int_equal(get(f, "/healthz", ""), rows[i].status);
		assert_int_equal(get(f, "/metrics", ""), 200);
		body_has(f, rows[i].status == 200 ? "\ngpu_agent_up 1\n" : "\ngpu_agent_up 0\n");
	}
}

static void test_health_says_paused_once_nobody_has_the_driver_open(void **state)
{
	struct fixture *f = *state;

	f->view->state = GM_AGENT_PAUSED;
	f->view->children = 0;
	f->view->abandoned = 1;
	make(f);
	assert_int_equal(get(f, "/healthz", ""), 503);
	body_has(f, "\"status\":\"pausing\"");
	f->view->abandoned = 0;
	make(f);
	assert_int_equal(get(f, "/healthz", ""), 503);
	body_has(f, "\"status\":\"paused\"");
}

static void test_ready_waits_for_the_first_round_and_the_layout(void **state)
{
	static const struct {
		uint64_t round;
		const char *why;
		int status;
	} rows[] = { { 0, NULL, 503 }, { 1, "restoring", 503 }, { 1, NULL, 200 } };
	struct fixture *f = *state;

	for (size_t i = 0; i < GM_LEN(rows); i++) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };

		f->view->round = rows[i].round;
		assert_int_equal(gm_ready_write(f->view, rows[i].why, GM_HEALTH_WHOLE, &b), rows[i].status);
		assert_true(!rows[i].why || strstr(gm_buf_cstr(&b), rows[i].why));
	}
	/* a board that hangs, or a pause, does not make a ready node unready */
	f->view->boards[0].state = GM_BOARD_HUNG;
	f->view->state = GM_AGENT_PAUSED;
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };
	assert_int_equal(gm_ready_write(f->view, NULL, GM_HEALTH_WHOLE, &b), 200);
}

/* It is made once a second; but what was made before the first round must not pass for a node without boards. */
static void test_inventory_follows_the_state_at_once(void **state)
{
	struct fixture *f = *state;

	f->view->state = GM_AGENT_STARTING;
	make(f);
	assert_int_equal(get(f, "/v1/inventory", ""), 200);
	body_has(f, "\"state\":\"starting\"");
	f->view->state = GM_AGENT_WORKING;
	make(f);
	assert_int_equal(get(f, "/v1/inventory", ""), 200);
	body_has(f, "\"state\":\"working\"");
}

static void hear_of_events(struct gm_board_events *events)
{
	static const struct gm_reading_event heard[] = {
		{ .at_ms = VIEW_AT, .type = GM_NVML_EVENT_XID, .data = 94, .gi = 8, .ci = 0 },
		{ .at_ms = VIEW_AT + 1000, .type = GM_NVML_EVENT_DBE, .data = 1, .gi = -1, .ci = -1 },
	};

	for (size_t i = 0; i < GM_LEN(heard); i++)
		assert_true(gm_board_events_add(events, 0, &heard[i]));
}

static void test_inventory_has_facts_instances_and_holders(void **state)
{
	static const struct gm_holder items[] = {
		{ .board = 0,
		  .gi = 7,
		  .ci = 0,
		  .kind = GM_HOLDER_POD,
		  .namespace_ = "a",
		  .pod = "train",
		  .container = "main",
		  .pod_uid = "",
		  .resource = "nvidia.com/mig-1g.10gb",
		  .claim = "" },
		{ .board = 1,
		  .gi = -1,
		  .ci = -1,
		  .kind = GM_HOLDER_PROCESS,
		  .namespace_ = "",
		  .pod = "",
		  .container = "",
		  .pod_uid = "",
		  .pid = 77,
		  .used_bytes = -1,
		  .process = "x\"y",
		  .user = "root" },
	};
	const struct gm_holders holders = { .items = items, .count = GM_LEN(items), .kubelet_error = "refused" };
	static const char *const texts[] = {
		"\"node\":\"worker-1\"",
		"\"driver\":{\"version\":\"570.86.15\",\"nvml\":\"12.570.86.15\",\"cuda\":\"12.8\"}",
		"\"kubelet\":{\"answeredAt\":null,\"error\":\"refused\"}",
		"\"serial\":\"1650323000001\"",
		"\"pciBusId\":\"00000000:02:00.0\"",
		"\"computeCapability\":\"9.0\"",
		"\"marginGpuMaxCelsius\":null",
		"\"marginShutdownCelsius\":-8",
		"\"powerLimits\":{\"defaultWatts\":700,\"minWatts\":200,\"maxWatts\":700}",
		"\"gpuInstanceId\":8,\"computeInstanceId\":0,\"uuid\":\"MIG-00000000-0000-5000-8000-000000000001\","
		"\"profile\":\"1g.10gb\","
		"\"placement\":1,\"size\":1",
		"\"holders\":[{\"kind\":\"pod\",\"namespace\":\"a\",\"pod\":\"train\"",
		"\"container\":\"main\",\"podUid\":null",
		"\"resource\":\"nvidia.com/mig-1g.10gb\",\"claim\":null}]",
		"\"pid\":77,\"process\":\"x\\\"y\",\"user\":\"root\",\"usedBytes\":null",
		"\"placements\":[0,1,2,3,4,5,6]",
		"\"events\":[{\"at\":\"2025-11-24T16:00:01Z\",\"event\":\"ecc_uncorrected\",\"xid\":null,"
		"\"gpuInstanceId\":null,"
		"\"computeInstanceId\":null},{\"at\":\"2025-11-24T16:00:00Z\",\"event\":\"xid\",\"xid\":94,"
		"\"gpuInstanceId\":8,"
		"\"computeInstanceId\":0}]",
		"{\"field\":\"fan\",\"reason\":\"unsupported\"}",
	};
	struct fixture *f = *state;
	struct gm_reading *r = &f->view->boards[1].reading;

	r->profile_count = 1;
	r->profiles[0] = (struct gm_reading_profile){ .id = 19,
						      .compute_slices = 1,
						      .max_instances = 7,
						      .name = "1g.10gb",
						      .size = 1,
						      .start_count = 7,
						      .starts = { 0, 1, 2, 3, 4, 5, 6 } };
	hear_of_events(&f->view->boards[1].events);
	gm_sample_miss(&r->sample, GM_FIELD_FAN, GM_UNSUPPORTED, GM_SOURCE_NVML);
	f->round.holders = &holders;
	make(f);
	assert_int_equal(get(f, "/v1/inventory", ""), 200);
	for (size_t i = 0; i < GM_LEN(texts); i++)
		body_has(f, texts[i]);
}

static void test_own_cost_is_read_past_any_name(void **state)
{
	static const struct {
		const char *text;
		int64_t cpu_ms, bytes; /* -1: refused */
	} rows[] = {
		{ "1 (gpu-agent) S 1 1 1 0 -1 0 0 0 0 0 150 50 0 0 20 0 4 0 1 1000 25 0", 2000, 102400 },
		{ "1 (a) b) (c) R 1 1 1 0 -1 0 0 0 0 0 1 2 0 0 20 0 4 0 1 1000 1 0", 30, 4096 },
		{ "1 (x) S 1 1", -1, -1 },
		{ "1 (x) S 1 1 1 0 -1 0 0 0 0 0 a b 0 0 20 0 4 0 1 1000 25 0", -1, -1 },
		{ "", -1, -1 },
		{ "1 2 3", -1, -1 },
	};
	int64_t cpu_ms, bytes;

	(void)state;
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		cpu_ms = bytes = -1;
		assert_int_equal(gm_own_parse(gm_str(rows[i].text), 100, 4096, &cpu_ms, &bytes), rows[i].cpu_ms >= 0);
		assert_int_equal(cpu_ms, rows[i].cpu_ms);
		assert_int_equal(bytes, rows[i].bytes);
	}
	assert_true(gm_own_read((int32_t)getpid(), &cpu_ms, &bytes));
	assert_true(bytes > 100000);
	assert_false(gm_own_read(-1, &cpu_ms, &bytes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_serve_has_nothing_before_the_first_round),
		TEST(test_serve_metrics_in_the_form_that_is_asked_for),
		TEST(test_serve_pages_are_packed_and_named),
		TEST(test_serve_every_route_by_every_kind_of_client),
		TEST(test_serve_changes_are_refused_in_plain_words),
		TEST(test_serve_the_socket_pauses_and_resumes),
		TEST(test_serve_reading_may_need_a_token),
		TEST(test_serve_health_names_no_board_to_who_may_not_read),
		TEST(test_serve_says_when_the_main_loop_is_stuck),
		TEST(test_health_table),
		TEST(test_health_says_paused_once_nobody_has_the_driver_open),
		TEST(test_ready_waits_for_the_first_round_and_the_layout),
		TEST(test_inventory_follows_the_state_at_once),
		TEST(test_inventory_has_facts_instances_and_holders),
		TEST(test_own_cost_is_read_past_any_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
