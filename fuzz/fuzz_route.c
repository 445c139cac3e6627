/* SPDX-License-Identifier: MIT */
/*
 * A request as the server takes it apart before any handler runs. Lines: method, target, Accept-Encoding, If-None-Match.
 */
#include <stdlib.h>

#include "adapter/http/negotiate.h"
#include "adapter/http/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int handler(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	(void)req;
	(void)res;
	(void)ctx;
	(void)err;
	return 0;
}

static const char *const sorts[] = { "name", "-name", NULL };
static const struct gm_route_param params[] = {
	{ .name = "q", .type = GM_PARAM_TEXT, .max = 32 },
	{ .name = "limit", .type = GM_PARAM_INT, .min = 1, .max = 1000, .def = "100" },
	{ .name = "live", .type = GM_PARAM_BOOL },
	{ .name = "from", .type = GM_PARAM_TIME },
	{ .name = "step", .type = GM_PARAM_DURATION, .min = 1000, .max = 86400000 },
	{ .name = "sort", .type = GM_PARAM_CHOICE, .choices = sorts },
	{ 0 },
};
static const struct gm_route table[] = {
	{ .path = "/api/v1/gpu/devices", .handler = handler, .operation = "devices", .params = params },
	{ .path = "/api/v1/gpu/devices/{id}", .handler = handler, .operation = "device", .params = params },
	{ .path = "/api/v1/gpu/devices/{id}/{x}/b/{y}", .handler = handler, .operation = "deep" },
	{ .method = GM_HTTP_POST, .path = "/api/v1/gpu/devices/{id}/mig", .handler = handler, .operation = "mig" },
	{ .path = "/metrics", .handler = handler, .operation = "metrics", .flags = GM_ROUTE_ROOT },
};

/* What a handler may rely on. */
static void check_text(struct gm_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20)
			abort();
	if (!gm_str_utf8_ok(s))
		abort();
}

static void check_found(const struct gm_route_match *m, struct gm_arena *arena)
{
	struct gm_param_value values[GM_ROUTE_PARAMS_MAX];
	struct gm_err err = { 0 };

	for (size_t i = 0; i < m->path_param_count; i++) {
		check_text(m->path_params[i]);
		if (m->path_params[i].n == 0)
			abort();
	}
	if (gm_route_query(m->route, m->raw_query, arena, values, &err) != 0) {
		if (err.code != GM_ERR_INVALID || !err.text[0])
			abort();
		return;
	}
	size_t i = 0;
	for (const struct gm_route_param *p = m->route->params; p && p->name; p++, i++) {
		if (!values[i].present)
			continue;
		check_text(values[i].text);
		if (p->type == GM_PARAM_INT && (values[i].number < p->min || values[i].number > p->max))
			abort();
	}
}

static struct gm_str next_line(struct gm_str *rest)
{
	struct gm_str line = { 0 };

	return gm_str_split(rest, '\n', &line) ? line : GM_STR("");
}

static void check_negotiation(struct gm_str accept, struct gm_str tags)
{
	for (unsigned available = 1; available < 1u << GM_ENCODING_COUNT; available += 2)
		if (!(available & (1u << gm_encoding_choose(accept, available))))
			abort();
	struct gm_str listed = { 0 };
	if (gm_etag_match(tags, GM_STR("abc"), &listed) && !gm_str_starts(listed, GM_STR("abc")))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gm_router *routers[2];
	static struct gm_arena arena;
	struct gm_str rest = gm_str_n((const char *)data, size);
	char method[16];

	if (!routers[0] && (gm_router_new(table, GM_LEN(table), "/k8s-monitor", &routers[0], NULL) != 0 ||
			    gm_router_new(table, GM_LEN(table), "", &routers[1], NULL) != 0))
		abort();
	(void)gm_str_copy(next_line(&rest), method, sizeof(method));
	struct gm_str target = next_line(&rest);
	for (size_t i = 0; i < GM_LEN(routers); i++) {
		struct gm_route_match m;
		enum gm_route_result r = gm_router_match(routers[i], gm_http_method_parse(method), target, &arena, &m);
		if ((r == GM_ROUTE_FOUND) != (m.route != NULL))
			abort();
		if (r == GM_ROUTE_FOUND)
			check_found(&m, &arena);
		if (r != GM_ROUTE_BAD)
			check_text(m.path);
		gm_arena_reset(&arena);
	}
	struct gm_str accept = next_line(&rest);
	check_negotiation(accept, next_line(&rest));
	return 0;
}
