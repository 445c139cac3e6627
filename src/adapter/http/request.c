/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "adapter/http/http.h"
#include "adapter/http/negotiate.h"

struct gm_str gm_http_header(const struct gm_http_request *req, const char *name)
{
	struct gm_str wanted = gm_str(name);

	for (size_t i = 0; i < req->header_count; i++)
		if (gm_str_ieq(req->headers[i].name, wanted))
			return req->headers[i].value;
	return GM_STR("");
}

struct gm_str gm_http_path(const struct gm_http_request *req, const char *name)
{
	struct gm_str rest = gm_str(req->route->path), segment;
	size_t i = 0, n = strlen(name);

	while (gm_str_split(&rest, '/', &segment)) {
		if (segment.n < 2 || segment.p[0] != '{')
			continue;
		if (segment.n == n + 2 && memcmp(segment.p + 1, name, n) == 0)
			return req->path_params[i];
		i++;
	}
	assert(false && "no such path parameter");
	return GM_STR("");
}

const struct gm_param_value *gm_http_param(const struct gm_http_request *req, const char *name)
{
	size_t i = 0;

	for (const struct gm_route_param *p = req->route->params; p && p->name; p++, i++)
		if (strcmp(p->name, name) == 0)
			return &req->params[i];
	assert(false && "no such query parameter");
	static const struct gm_param_value none;
	return &none;
}

struct gm_str gm_http_param_text(const struct gm_http_request *req, const char *name)
{
	const struct gm_param_value *v = gm_http_param(req, name);

	return v->present ? v->text : GM_STR("");
}

int64_t gm_http_param_number(const struct gm_http_request *req, const char *name, int64_t absent)
{
	const struct gm_param_value *v = gm_http_param(req, name);

	return v->present ? v->number : absent;
}

bool gm_http_not_modified(const struct gm_http_request *req, struct gm_str etag)
{
	return gm_etag_match(gm_http_header(req, "If-None-Match"), etag, NULL);
}

void gm_http_add_header(struct gm_http_response *res, const char *name, struct gm_str value)
{
	assert(res->header_count < GM_HTTP_RESPONSE_HEADERS_MAX);
	assert(!memchr(value.n ? value.p : "", '\r', value.n) && !memchr(value.n ? value.p : "", '\n', value.n));
	res->headers[res->header_count++] = (struct gm_http_header){ gm_str(name), value };
}

void gm_http_response_fini(struct gm_http_response *res)
{
	gm_buf_fini(&res->body);
	gm_http_shared_unref(res->shared);
	gm_http_stream_discard(res->stream);
	*res = (struct gm_http_response){ 0 };
}
