/* SPDX-License-Identifier: MIT */
#include "app/server/api-internal.h"

#include "base/hash.h"
#include "base/parse.h"
#include "base/secret.h"

struct gm_str gm_api_etag(const struct gm_api *api, const struct gm_http_request *req, const struct gm_snapshot *s)
{
	const uint64_t parts[] = { s->seq, (uint64_t)api->started_ms, gm_facts(api->facts)->generation,
				   gm_hash(req->target) };
	const uint64_t h = gm_hash(gm_str_n((const char *)parts, sizeof(parts)));

	return gm_str(gm_arena_printf(req->arena, "%llx-%016llx", (unsigned long long)s->seq, (unsigned long long)h));
}

bool gm_api_unchanged(const struct gm_api *api, const struct gm_http_request *req, const struct gm_snapshot *s,
		      struct gm_http_response *res)
{
	res->etag = gm_api_etag(api, req, s);
	return gm_http_not_modified(req, res->etag);
}

void gm_api_list_begin(struct gm_json *w, struct gm_http_response *res)
{
	gm_json_init(w, &res->body);
	gm_json_object(w);
	gm_json_key(w, "items");
	gm_json_array(w);
}

void gm_api_list_end(struct gm_json *w, struct gm_str next_cursor)
{
	gm_json_end_array(w);
	gm_json_key(w, "next");
	if (next_cursor.n)
		gm_json_str(w, next_cursor);
	else
		gm_json_null(w);
	gm_json_end_object(w);
}

/* kind, number (16 hexadecimal digits), then each text with a unit separator before it. */
#define SEPARATOR '\x1f'

struct gm_str gm_cursor_write(struct gm_arena *arena, const struct gm_cursor *c)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf b = { 0 };

	gm_buf_addf(&b, "%c%016llx", c->kind, (unsigned long long)c->number);
	for (size_t i = 0; i < c->text_count; i++) {
		gm_buf_add_char(&b, SEPARATOR);
		gm_buf_add_str(&b, c->texts[i]);
	}
	char *out = gm_arena_alloc(arena, b.n * 2 + 8);
	if (!out)
		return gm_str_n(NULL, 0);
	return gm_str_n(out, gm_base64url((const uint8_t *)b.p, b.n, out));
}

int gm_cursor_read(struct gm_arena *arena, struct gm_str text, char kind, size_t text_count, struct gm_cursor *out,
		   struct gm_err *err)
{
	struct gm_cursor c = { .kind = kind };
	uint8_t *bytes = gm_arena_alloc(arena, text.n);
	struct gm_str rest = { 0 }, part;
	uint64_t number;

	if (!bytes)
		return gm_fail(err, GM_ERR_NO_MEMORY, "no memory for a cursor");
	if (gm_base64url_decode(text, bytes, &rest.n))
		rest.p = (const char *)bytes;
	if (rest.n < 17 || rest.p[0] != kind || !gm_parse_hex64(gm_str_n(rest.p + 1, 16), &number) ||
	    (rest.n > 17 && rest.p[17] != SEPARATOR))
		return gm_fail_at(err, GM_ERR_INVALID, "?cursor", "is not a cursor of this list; begin without one");
	c.number = (int64_t)number;
	rest = rest.n > 17 ? gm_str_n(rest.p + 18, rest.n - 18) : gm_str_n(NULL, 0);
	while (c.text_count < text_count) {
		const size_t end = gm_str_find(rest, SEPARATOR);
		part = gm_str_n(rest.p, end);
		rest = end < rest.n ? gm_str_n(rest.p + end + 1, rest.n - end - 1) : gm_str_n(NULL, 0);
		c.texts[c.text_count++] = part;
	}
	if (rest.n)
		return gm_fail_at(err, GM_ERR_INVALID, "?cursor", "is not a cursor of this list; begin without one");
	*out = c;
	return 0;
}

int gm_api_moment(struct gm_str text, int64_t now_ms, const char *name, int64_t *out_ms, struct gm_err *err)
{
	int64_t v;

	if (gm_str_is(text, "now")) {
		*out_ms = now_ms;
		return 0;
	}
	if (gm_str_starts(text, GM_STR("now-")) && gm_parse_duration_ms(gm_str_n(text.p + 4, text.n - 4), &v) &&
	    v <= now_ms) {
		*out_ms = now_ms - v;
		return 0;
	}
	if (gm_time_parse(text, &v)) {
		*out_ms = v;
		return 0;
	}
	return gm_fail_at(err, GM_ERR_INVALID, name,
			  "'%.*s' is no time: now, now-6h, 2026-11-24T16:00:00Z, or seconds since the epoch",
			  GM_STR_ARG(text));
}
