/* SPDX-License-Identifier: MIT */
#include "adapter/http/static.h"

#include <stdlib.h>

#include "adapter/http/http-internal.h"
#include "base/alloc.h"

#define INDEX "/index.html"
#define FOREVER "public, max-age=31536000, immutable"
#define POLICY                                                                                                         \
	"default-src 'self'; style-src 'self'; img-src 'self'; object-src 'none'; frame-ancestors 'none'; "            \
	"base-uri 'self'; form-action 'self'"
#define INDEX_LEVEL 9
#define SHA_TEXT 16

struct gm_static {
	const struct gm_asset *assets;
	size_t count;
	struct gm_http_shared **answers; /* as assets */
	struct gm_http_shared *index;
};

/* Not the page's own routes, even when nothing is there. */
static const char *const not_pages[] = { "/api", "/healthz", "/metrics", "/openapi.json", "/readyz" };

/* A name with one of these is a file: a stale chunk must be 404. Node names have dots too, so not every dot counts. */
static const char *const file_ends[] = { ".br",	 ".css", ".gif",  ".gz",	  ".htm",  ".html",  ".ico",
					 ".jpg", ".js",	 ".json", ".map",	  ".mjs",  ".php",   ".png",
					 ".svg", ".txt", ".wasm", ".webmanifest", ".woff", ".woff2", ".xml" };

static const struct gm_asset *find(const struct gm_static *s, struct gm_str path, size_t *out_index)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = gm_str_cmp(gm_str(s->assets[middle].path), path);
		if (order == 0) {
			*out_index = middle;
			return &s->assets[middle];
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static void add_escaped(struct gm_buf *out, struct gm_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (strchr("&<>\"'", s.p[i]))
			gm_buf_addf(out, "&#%d;", s.p[i]);
		else
			gm_buf_add_char(out, s.p[i]);
	}
}

static const char *find_text(struct gm_str in, const char *text)
{
	return in.p ? memmem(in.p, in.n, text, strlen(text)) : NULL;
}

/*
 * The page with its base, so that relative links hold under any context path and any page route. A <base> that the page
 * brings is replaced: it is where a development server would live.
 */
static int fill_index(const struct gm_asset *index, struct gm_str context, struct gm_buf *out, struct gm_err *err)
{
	static const char head[] = "<head>", base[] = "<base ";
	struct gm_str page = gm_str_n((const char *)index->raw, index->raw_n);
	const char *from = find_text(page, base), *to;

	if (from) {
		to = memchr(from, '>', page.n - (size_t)(from - page.p));
	} else {
		from = find_text(page, head);
		from = from ? from + sizeof(head) - 1 : NULL;
		to = from ? from - 1 : NULL;
	}
	if (!from || !to)
		return gm_fail(err, GM_ERR_INVALID, INDEX ": no <head>");
	gm_buf_add(out, page.p, (size_t)(from - page.p));
	gm_buf_add_cstr(out, "<base href=\"");
	add_escaped(out, context);
	gm_buf_add_cstr(out, "/\">");
	gm_buf_add(out, to + 1, page.n - (size_t)(to + 1 - page.p));
	return 0;
}

static struct gm_http_shared *answer_of(const struct gm_asset *a)
{
	struct gm_http_shared_info info = {
		.content_type = a->type,
		.cache_control = a->hashed ? FOREVER : "no-cache",
		.etag = gm_str(a->sha),
	};

	return gm_http_shared_new_static(gm_str_n((const char *)a->raw, a->raw_n),
					 gm_str_n((const char *)a->gz, a->gz_n), gm_str_n((const char *)a->br, a->br_n),
					 &info);
}

static int make_index(struct gm_static *s, const struct gm_asset *index, struct gm_str context, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf page = { 0 };
	uint8_t digest[GM_DIGEST_BYTES];
	char sha[2 * GM_DIGEST_BYTES + 1];
	int rc = fill_index(index, context, &page, err);

	if (rc != 0)
		return rc;
	gm_digest(gm_buf_str(&page), digest);
	gm_hex(digest, sizeof(digest), sha);
	s->index = gm_http_shared_new(&page, &(struct gm_http_shared_info){ .content_type = index->type,
									    .cache_control = "no-cache",
									    .gzip = GM_HTTP_GZIP_NOW,
									    .etag = gm_str_n(sha, SHA_TEXT) });
	return 0;
}

int gm_static_new(const struct gm_asset *assets, size_t count, const char *context, struct gm_static **out,
		  struct gm_err *err)
{
	GM_AUTO(gm_static_free_p) struct gm_static *s = gm_xalloc(sizeof(*s));
	size_t at;

	s->assets = assets;
	s->count = count;
	for (size_t i = 1; i < count; i++)
		if (strcmp(assets[i - 1].path, assets[i].path) >= 0)
			return gm_fail(err, GM_ERR_INVALID, "asset '%s' is not in its order", assets[i].path);
	const struct gm_asset *index = find(s, GM_STR(INDEX), &at);
	if (!index)
		return gm_fail(err, GM_ERR_INVALID, "there is no " INDEX);
	s->answers = gm_xalloc(count * sizeof(struct gm_http_shared *));
	for (size_t i = 0; i < count; i++)
		s->answers[i] = answer_of(&assets[i]);
	int rc = make_index(s, index, gm_str(context), err);
	if (rc == 0)
		*out = gm_steal(&s);
	return rc;
}

void gm_static_free(struct gm_static *s)
{
	if (!s)
		return;
	for (size_t i = 0; s->answers && i < s->count; i++)
		gm_http_shared_unref(s->answers[i]);
	gm_http_shared_unref(s->index);
	free(s->answers);
	free(s);
}

static bool is_page(struct gm_str path)
{
	for (size_t i = 0; i < GM_LEN(not_pages); i++) {
		struct gm_str root = gm_str(not_pages[i]);
		if (gm_str_starts(path, root) && (path.n == root.n || path.p[root.n] == '/'))
			return false;
	}
	if (gm_str_starts(path, GM_STR("/assets/")))
		return false;
	for (size_t i = 0; i < GM_LEN(file_ends); i++)
		if (gm_str_ends(path, gm_str(file_ends[i])))
			return false;
	return true;
}

int gm_static_handle(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	const struct gm_static *s = ctx;
	struct gm_http_shared *answer = NULL;
	size_t at;

	if (find(s, req->path, &at) && !gm_str_is(req->path, INDEX))
		answer = s->answers[at];
	else if (is_page(req->path) || gm_str_is(req->path, INDEX))
		answer = s->index;
	if (!answer)
		return gm_fail(err, GM_ERR_NOT_FOUND, "there is nothing at this path");
	gm_http_answer_shared(res, answer);
	gm_http_add_header(res, "Content-Security-Policy", GM_STR(POLICY));
	gm_http_add_header(res, "Referrer-Policy", GM_STR("same-origin"));
	gm_http_add_header(res, "Cross-Origin-Opener-Policy", GM_STR("same-origin"));
	return 0;
}
