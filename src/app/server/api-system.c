/* SPDX-License-Identifier: MIT */
#include "app/server/api-internal.h"

#include "app/server/cells.h"
#include "app/server/openapi.h"
#include "base/parse.h"
#include "core/auth/auth.h"

/* What the page and the operators of the server ask about itself. */

enum { CACHE_FLEET };

static void unref_shared(void *p)
{
	gm_http_shared_unref(p);
}

int gm_api_fleet(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct gm_api *api = ctx;
	GM_API_SNAPSHOT(api);
	struct gm_cache_slot *slot = &snapshot->cache[CACHE_FLEET];
	struct gm_http_shared *answer = gm_cache_slot_get(slot);

	(void)req;
	(void)err;
	if (!answer) {
		GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };

		gm_cells_write_columns(&b, snapshot);
		answer = gm_cache_slot_set(
			slot, gm_http_shared_new(&b, &(struct gm_http_shared_info){ .gzip = GM_HTTP_GZIP_LAZY }),
			unref_shared);
	}
	gm_http_answer_shared(res, answer);
	return 0;
}

static const struct {
	const char *name;
	enum gm_topic topic;
	enum gm_role role;
} topic_table[] = {
#define TOPIC_ROW(name, bit, word, event, role) { word, GM_TOPIC_##name, GM_ROLE_##role },
	GM_TOPIC_LIST(TOPIC_ROW)
#undef TOPIC_ROW
};

static int read_topics(struct gm_str list, enum gm_role role, unsigned *out, struct gm_err *err)
{
	struct gm_str name;
	unsigned topics = 0;

	while (gm_str_split(&list, ',', &name)) {
		size_t i = 0;
		while (i < GM_LEN(topic_table) && !gm_str_is(gm_str_trim(name), topic_table[i].name))
			i++;
		if (i == GM_LEN(topic_table))
			return gm_fail_at(err, GM_ERR_INVALID, "?topics",
					  "there is no topic '%.*s': fleet, overview, health, audit, allocations, "
					  "operations",
					  GM_STR_ARG(name));
		if (role < topic_table[i].role)
			return gm_fail_at(err, GM_ERR_FORBIDDEN, "?topics", "the topic %s wants the role %s",
					  topic_table[i].name, gm_role_name(topic_table[i].role));
		topics |= topic_table[i].topic;
	}
	*out = topics;
	return 0;
}

int gm_api_events(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct gm_api *api = ctx;
	unsigned topics = 0;
	uint64_t last = 0;
	const int r = read_topics(gm_http_param_text(req, "topics"), req->identity->role, &topics, err);

	if (r)
		return r;
	/* Whatever is no number of ours is as good as none: the client gets the newest state either way. */
	(void)!gm_parse_u64(gm_http_header(req, "Last-Event-ID"), 0, UINT64_MAX, &last);
	return gm_events_open(api->events, req, res, topics, last, err);
}

int gm_api_targets(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct gm_api *api = ctx;
	const struct gm_str text = gm_http_param_text(req, "cursor");
	GM_AUTO(gm_buf_fini_p) struct gm_buf last = { 0 };
	struct gm_cursor c = { 0 };
	struct gm_json w;
	const int r = text.n ? gm_cursor_read(req->arena, text, 't', 1, &c, err) : 0;

	if (r)
		return r;
	gm_api_list_begin(&w, res);
	gm_sources_write(gm_collector_sources(api->collector), &w, c.texts[0],
			 (size_t)gm_http_param_number(req, "limit", 100), &last);
	gm_api_list_end(&w,
			!last.n ? gm_str_n(NULL, 0)
				: gm_cursor_write(req->arena, &(struct gm_cursor){ .kind = 't',
										   .text_count = 1,
										   .texts = { gm_buf_str(&last) } }));
	return 0;
}

int gm_api_config(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct gm_api *api = ctx;
	const struct gm_facts *facts = gm_facts(api->facts);
	static const char *const origins[] = { [GM_ORIGIN_DEFAULT] = "default",
					       [GM_ORIGIN_PROFILE] = "profile",
					       [GM_ORIGIN_FILE] = "file",
					       [GM_ORIGIN_ENV] = "environment",
					       [GM_ORIGIN_FLAG] = "flag" };
	struct gm_json w;

	(void)req;
	(void)err;
	gm_api_list_begin(&w, res);
	for (size_t i = 0; i < facts->options.count; i++) {
		const struct gm_option *o = &facts->options.table[i];
		const struct gm_origin *origin = gm_option_origin(&facts->options, o);
		GM_AUTO(gm_buf_fini_p) struct gm_buf value = { 0 };

		gm_option_print(&facts->options, o, &value);
		gm_json_object(&w);
		gm_json_kcstr(&w, "key", o->key);
		gm_json_kstr(&w, "value", gm_buf_str(&value));
		gm_json_kcstr(&w, "origin", origins[origin->kind]);
		gm_json_kcstr(&w, "where", origin->where[0] ? origin->where : NULL);
		gm_json_kbool(&w, "live", o->live);
		gm_json_kcstr(&w, "help", o->help);
		gm_json_end_object(&w);
	}
	gm_api_list_end(&w, gm_str_n(NULL, 0));
	return 0;
}

int gm_api_openapi(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	(void)req;
	(void)ctx;
	(void)err;
	gm_openapi_write(&res->body, gm_route_table, gm_route_count);
	return 0;
}

/* Alive: it answers. */
int gm_api_healthz(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct gm_json w;

	(void)req;
	(void)ctx;
	(void)err;
	gm_json_init(&w, &res->body);
	gm_json_object(&w);
	gm_json_kcstr(&w, "status", "ok");
	gm_json_kcstr(&w, "version", GM_VERSION);
	gm_json_end_object(&w);
	return 0;
}

/* Ready: the live view stands. A failing database is said, and no reason to take the live view out of service. */
int gm_api_readyz(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	struct gm_api *api = ctx;
	struct gm_recorder_stats r;
	struct gm_source_counts c;
	struct gm_json w;

	(void)req;
	(void)err;
	gm_recorder_stats(api->recorder, &r);
	gm_sources_counts(gm_collector_sources(api->collector), &c);
	gm_json_init(&w, &res->body);
	gm_json_object(&w);
	gm_json_kcstr(&w, "status", r.up ? "ok" : "degraded");
	gm_json_key(&w, "database");
	gm_json_object(&w);
	gm_json_kbool(&w, "up", r.up);
	gm_json_kcstr(&w, "error", r.up ? NULL : r.error.text);
	gm_json_ktime(&w, "since", r.up ? 0 : r.since_ms);
	gm_json_end_object(&w);
	gm_json_key(&w, "targets");
	gm_json_object(&w);
	gm_json_ki64(&w, "total", c.total);
	gm_json_ki64(&w, "up", c.up);
	gm_json_ki64(&w, "down", c.down);
	gm_json_end_object(&w);
	gm_json_end_object(&w);
	return 0;
}
