/* SPDX-License-Identifier: MIT */
#include "adapter/http/route.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"

#define SEGMENTS_MAX 16

/* One segment of the paths below it. Literals are tried before the parameter, so "/keys/me" wins over "/keys/{id}". */
struct node {
	struct gm_str literal;
	struct node *children; /* the first; further ones by `sibling` */
	struct node *sibling;
	struct node *param;
	const struct gm_route *routes[GM_HTTP_METHOD_COUNT];
};

struct gm_router {
	struct gm_str context;
	struct node *below; /* the context path */
	struct node *root;  /* rows with GM_ROUTE_ROOT, seen from '/' */
};

static const char *const method_names[] = {
	[GM_HTTP_GET] = "GET",	     [GM_HTTP_POST] = "POST", [GM_HTTP_PUT] = "PUT",	     [GM_HTTP_PATCH] = "PATCH",
	[GM_HTTP_DELETE] = "DELETE", [GM_HTTP_HEAD] = "HEAD", [GM_HTTP_OPTIONS] = "OPTIONS",
};
static_assert(GM_LEN(method_names) == GM_HTTP_METHOD_COUNT, "a method has no name");

const char *gm_http_method_name(enum gm_http_method m)
{
	return m < GM_HTTP_METHOD_COUNT ? method_names[m] : "";
}

enum gm_http_method gm_http_method_parse(const char *name)
{
	for (size_t i = 0; i < GM_LEN(method_names); i++)
		if (strcmp(method_names[i], name) == 0)
			return (enum gm_http_method)i;
	return GM_HTTP_METHOD_COUNT;
}

static void node_free(struct node *n)
{
	if (!n)
		return;
	for (struct node *child = n->children, *next; child; child = next) {
		next = child->sibling;
		node_free(child);
	}
	node_free(n->param);
	free(n);
}

static struct node *node_child(struct node *n, struct gm_str literal)
{
	for (struct node *child = n->children; child; child = child->sibling)
		if (gm_str_eq(child->literal, literal))
			return child;
	struct node *added = gm_xalloc(sizeof(*added));
	added->literal = literal;
	added->sibling = n->children;
	n->children = added;
	return added;
}

static bool is_param(struct gm_str segment)
{
	return segment.n > 2 && segment.p[0] == '{' && segment.p[segment.n - 1] == '}';
}

static bool literal_ok(struct gm_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || strchr("%?#{}", s.p[i]))
			return false;
	return s.n > 0 && !gm_str_is(s, ".") && !gm_str_is(s, "..");
}

/* Walks a pattern down the trie; "/" is the node it begins with. NULL: malformed. */
static struct node *node_walk(struct node *n, const char *pattern)
{
	struct gm_str rest = gm_str(pattern), segment;
	size_t params = 0, segments = 0;

	if (rest.n == 0 || rest.p[0] != '/')
		return NULL;
	rest = gm_str_n(rest.p + 1, rest.n - 1);
	while (gm_str_split(&rest, '/', &segment)) {
		if (++segments > SEGMENTS_MAX)
			return NULL;
		if (is_param(segment)) {
			if (++params > GM_ROUTE_PATH_PARAMS_MAX)
				return NULL;
			if (!n->param)
				n->param = gm_xalloc(sizeof(*n->param));
			n = n->param;
		} else if (literal_ok(segment)) {
			n = node_child(n, segment);
		} else {
			return NULL;
		}
	}
	return n;
}

static int add_row(struct node *trie, const struct gm_route *row, struct gm_err *err)
{
	struct node *n = node_walk(trie, row->path);

	if (!n)
		return gm_fail(err, GM_ERR_INVALID, "route '%s': malformed path", row->path);
	if (n->routes[row->method])
		return gm_fail(err, GM_ERR_INVALID, "route %s '%s': stands twice in the table",
			       method_names[row->method], row->path);
	n->routes[row->method] = row;
	return 0;
}

static int check_params(const struct gm_route *row, struct gm_err *err)
{
	size_t count = 0;

	for (const struct gm_route_param *p = row->params; p && p->name; p++) {
		struct gm_param_value value;
		if (++count > GM_ROUTE_PARAMS_MAX)
			return gm_fail(err, GM_ERR_INVALID, "route '%s': too many parameters", row->path);
		for (const struct gm_route_param *q = row->params; q < p; q++)
			if (strcmp(q->name, p->name) == 0)
				return gm_fail(err, GM_ERR_INVALID, "route '%s': parameter '%s' stands twice",
					       row->path, p->name);
		if (p->type == GM_PARAM_CHOICE && !p->choices)
			return gm_fail(err, GM_ERR_INVALID, "route '%s': parameter '%s' has no choices", row->path,
				       p->name);
		if (p->def && gm_route_param_parse(p, gm_str(p->def), &value, err) != 0)
			return gm_err_wrap(err, "route '%s': default", row->path);
	}
	return 0;
}

static int check_row(const struct gm_route *row, struct gm_err *err)
{
	if (!row->path || !row->handler || !row->operation)
		return gm_fail(err, GM_ERR_INVALID, "route '%s': path, handler or operation is missing",
			       row->path ? row->path : "?");
	if (row->method > GM_HTTP_DELETE)
		return gm_fail(err, GM_ERR_INVALID, "route '%s': method is not for tables", row->path);
	return check_params(row, err);
}

int gm_router_new(const struct gm_route *table, size_t count, const char *context, struct gm_router **out,
		  struct gm_err *err)
{
	GM_AUTO(gm_router_free_p) struct gm_router *r = gm_xalloc(sizeof(*r));
	struct gm_str ctx = gm_str(context ? context : "");
	int rc = 0;

	r->context = ctx;
	r->below = gm_xalloc(sizeof(*r->below));
	r->root = gm_xalloc(sizeof(*r->root));
	if (ctx.n && (ctx.p[0] != '/' || ctx.p[ctx.n - 1] == '/' || !node_walk(r->root, ctx.p)))
		return gm_fail(err, GM_ERR_INVALID,
			       "context path '%s': must be like '/name', without a slash at the end", context);
	for (size_t i = 0; i < count && rc == 0; i++) {
		rc = check_row(&table[i], err);
		if (rc == 0)
			rc = add_row(r->below, &table[i], err);
		if (rc == 0 && (table[i].flags & GM_ROUTE_ROOT))
			rc = add_row(r->root, &table[i], err);
	}
	if (rc == 0)
		*out = gm_steal(&r);
	return rc;
}

void gm_router_free(struct gm_router *r)
{
	if (!r)
		return;
	node_free(r->below);
	node_free(r->root);
	free(r);
}

struct gm_str gm_router_context(const struct gm_router *r)
{
	return r->context;
}

static bool node_has_routes(const struct node *n)
{
	for (size_t i = 0; i < GM_HTTP_METHOD_COUNT; i++)
		if (n->routes[i])
			return true;
	return false;
}

/* Depth is bounded by SEGMENTS_MAX; patterns are ours, so going back happens once or twice at most. */
static const struct node *node_find(const struct node *n, const struct gm_str *segments, size_t count,
				    struct gm_route_match *out, size_t params)
{
	if (count == 0) {
		out->path_param_count = params;
		return node_has_routes(n) ? n : NULL;
	}
	for (const struct node *child = n->children; child; child = child->sibling) {
		if (!gm_str_eq(child->literal, segments[0]))
			continue;
		const struct node *found = node_find(child, segments + 1, count - 1, out, params);
		if (found)
			return found;
		break;
	}
	if (!n->param)
		return NULL;
	out->path_params[params] = segments[0];
	return node_find(n->param, segments + 1, count - 1, out, params + 1);
}

/* "http://host/a?b" -> "/a?b"; other forms stay. */
static struct gm_str without_authority(struct gm_str target)
{
	struct gm_str rest = target;

	if (gm_str_starts(rest, GM_STR("http://")))
		rest = gm_str_n(rest.p + 7, rest.n - 7);
	else if (gm_str_starts(rest, GM_STR("https://")))
		rest = gm_str_n(rest.p + 8, rest.n - 8);
	else
		return target;
	size_t end = 0;
	while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?')
		end++;
	return gm_str_n(rest.p + end, rest.n - end);
}

struct segments {
	struct gm_str items[SEGMENTS_MAX + 1];
	size_t count;
	bool bad;      /* wrong encoding, dots */
	bool too_many; /* deeper than any pattern */
};

static void cut_segments(struct gm_str path, struct gm_arena *arena, struct segments *out)
{
	struct gm_str rest = path, raw;

	out->count = 0;
	out->bad = out->too_many = false;
	while (gm_str_split(&rest, '/', &raw)) {
		struct gm_str segment = raw;
		if (!gm_http_percent_decode(raw, false, arena, &segment) || gm_str_is(segment, ".") ||
		    gm_str_is(segment, "..")) {
			out->bad = true;
			return;
		}
		if (out->count >= SEGMENTS_MAX)
			out->too_many = true;
		else
			out->items[out->count++] = segment;
	}
}

static enum gm_route_result choose(const struct node *n, enum gm_http_method method, struct gm_route_match *out)
{
	enum gm_http_method wanted = method == GM_HTTP_HEAD ? GM_HTTP_GET : method;

	out->allow = 1u << GM_HTTP_OPTIONS;
	for (size_t i = 0; i < GM_HTTP_METHOD_COUNT; i++)
		if (n->routes[i])
			out->allow |= 1u << i;
	if (n->routes[GM_HTTP_GET])
		out->allow |= 1u << GM_HTTP_HEAD;
	if (method == GM_HTTP_OPTIONS)
		return GM_ROUTE_OPTIONS;
	if (wanted >= GM_HTTP_METHOD_COUNT || !n->routes[wanted])
		return GM_ROUTE_NOT_METHOD;
	out->route = n->routes[wanted];
	return GM_ROUTE_FOUND;
}

/* True when the path is the context path or below it; *out_rest then begins with '/' (or is empty). */
static bool below_context(const struct gm_router *r, struct gm_str path, struct gm_str *out_rest)
{
	if (!gm_str_starts(path, r->context))
		return false;
	*out_rest = gm_str_n(path.p + r->context.n, path.n - r->context.n);
	return out_rest->n == 0 || out_rest->p[0] == '/';
}

static enum gm_route_result match_path(const struct node *trie, enum gm_http_method method, struct gm_str path,
				       struct gm_arena *arena, struct gm_route_match *out)
{
	struct segments segments;

	if (!gm_http_percent_decode(path, false, arena, &out->path))
		return GM_ROUTE_BAD;
	if (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	cut_segments(gm_str_n(path.p + 1, path.n - 1), arena, &segments);
	if (segments.bad)
		return GM_ROUTE_BAD;
	for (size_t i = 0; i < segments.count; i++)
		if (segments.items[i].n == 0)
			return GM_ROUTE_NOT_FOUND;
	if (path.n > 1 && path.p[path.n - 1] == '/')
		return GM_ROUTE_NOT_FOUND;
	const struct node *n = segments.too_many ? NULL : node_find(trie, segments.items, segments.count, out, 0);
	if (!n) {
		out->path_param_count = 0;
		return GM_ROUTE_NOT_FOUND;
	}
	return choose(n, method, out);
}

enum gm_route_result gm_router_match(const struct gm_router *r, enum gm_http_method method, struct gm_str target,
				     struct gm_arena *arena, struct gm_route_match *out)
{
	struct gm_str path = without_authority(target), rest;
	size_t mark;

	out->route = NULL;
	out->path = out->raw_query = GM_STR("");
	out->path_param_count = 0;
	out->allow = 0;
	if (method == GM_HTTP_OPTIONS && gm_str_is(path, "*")) {
		out->allow = (1u << GM_HTTP_METHOD_COUNT) - 1;
		return GM_ROUTE_OPTIONS;
	}
	if (memchr(path.n ? path.p : "", '#', path.n))
		return GM_ROUTE_BAD;
	mark = gm_str_find(path, '?');
	if (mark < path.n)
		out->raw_query = gm_str_n(path.p + mark + 1, path.n - mark - 1);
	path.n = mark;
	if (path.n == 0 && target.n > 0 && target.p[0] != '?')
		path = GM_STR("/");
	if (path.n == 0 || path.p[0] != '/')
		return GM_ROUTE_BAD;
	if (r->context.n && (gm_str_is(path, "/") || gm_str_eq(path, r->context)))
		return GM_ROUTE_REDIRECT;
	if (below_context(r, path, &rest))
		return match_path(r->below, method, rest, arena, out);
	enum gm_route_result result = match_path(r->root, method, path, arena, out);
	if (result == GM_ROUTE_NOT_FOUND)
		out->path = GM_STR("");
	return result;
}
