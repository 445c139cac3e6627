/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "adapter/http/http-internal.h"

#define KNOWN(text, member, once_only)                                                                                 \
	{                                                                                                              \
		.name = text, .n = sizeof(text) - 1, .offset = offsetof(struct gm_known_headers, member),              \
		.once = once_only                                                                                      \
	}
static const struct {
	const char *name;
	size_t n;
	size_t offset;
	bool once; /* a second one is an attempt to make two readers disagree */
} known[] = {
	KNOWN("accept-encoding", accept_encoding, false),
	KNOWN("authorization", authorization, true),
	KNOWN("content-encoding", content_encoding, true),
	KNOWN("content-length", content_length, true),
	KNOWN("content-type", content_type, true),
	KNOWN("expect", expect, false),
	KNOWN("forwarded", forwarded, false),
	KNOWN("host", host, true),
	KNOWN("if-none-match", if_none_match, false),
	KNOWN("origin", origin, true),
	KNOWN("sec-fetch-site", fetch_site, true),
	KNOWN("transfer-encoding", transfer_encoding, true),
	KNOWN("via", via, false),
	KNOWN("x-api-key", api_key, true),
	KNOWN("x-forwarded-for", forwarded_for, false),
	KNOWN("x-request-id", request_id, false),
};

static void note_known(struct gm_exchange *ex, struct gm_str name, struct gm_str value)
{
	for (size_t i = 0; i < GM_LEN(known); i++) {
		if (known[i].n != name.n || !gm_str_ieq(name, gm_str_n(known[i].name, known[i].n)))
			continue;
		struct gm_str *place = (struct gm_str *)(void *)((char *)&ex->known + known[i].offset);
		ex->headers_bad |= known[i].once && place->p;
		*place = gm_str_n(value.p ? value.p : "", value.n);
		return;
	}
}

static enum MHD_Result on_header(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_n, const char *value,
				 size_t value_n)
{
	struct gm_exchange *ex = cls;
	(void)kind;

	ex->header_bytes += name_n + value_n + sizeof(": \r\n") - 1;
	if (ex->header_count >= GM_HTTP_HEADERS_MAX) {
		ex->header_count = GM_HTTP_HEADERS_MAX + 1;
		return MHD_NO;
	}
	struct gm_http_header *h = &ex->headers[ex->header_count++];
	*h = (struct gm_http_header){ gm_str_n(name, name_n), gm_str_n(value, value ? value_n : 0) };
	note_known(ex, h->name, h->value);
	return MHD_YES;
}

bool gm_http_read_headers(struct gm_exchange *ex)
{
	(void)MHD_get_connection_values_n(ex->mhd, MHD_HEADER_KIND, on_header, ex);
	if (ex->header_count > GM_HTTP_HEADERS_MAX) {
		ex->header_count = GM_HTTP_HEADERS_MAX;
		return false;
	}
	ex->req.headers = ex->headers;
	ex->req.header_count = ex->header_count;
	return ex->header_bytes + ex->req.target.n <= ex->server->conf.header_max_bytes;
}

static bool id_is_sane(struct gm_str id)
{
	if (id.n == 0 || id.n > GM_HTTP_ID_MAX)
		return false;
	for (size_t i = 0; i < id.n; i++) {
		char c = id.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!plain && !strchr("-_.:=+/@", c))
			return false;
	}
	return true;
}

/* A random beginning of each start and a running number: unique enough to find a line in a log, and almost free. */
static size_t make_id(struct gm_http_server *s, char out[static GM_HTTP_ID_MAX + 1])
{
	uint64_t number = atomic_fetch_add_explicit(&s->id_next, 1, memory_order_relaxed);
	size_t n = strlen(s->id_base);
	unsigned digits = 1;

	memcpy(out, s->id_base, n);
	out[n++] = '-';
	while (digits < 16 && number >> (4 * digits))
		digits++;
	for (unsigned i = digits; i-- > 0;)
		out[n++] = "0123456789abcdef"[number >> (4 * i) & 15];
	out[n] = '\0';
	return n;
}

void gm_http_choose_id(struct gm_exchange *ex)
{
	if (id_is_sane(ex->known.request_id)) {
		(void)gm_str_copy(ex->known.request_id, ex->id, sizeof(ex->id));
		ex->req.id = gm_str_n(ex->id, ex->known.request_id.n);
	} else {
		ex->req.id = gm_str_n(ex->id, make_id(ex->server, ex->id));
	}
}

static struct gm_str host_without_port(struct gm_str host)
{
	if (host.n && host.p[0] == '[') {
		size_t end = gm_str_find(host, ']');
		return gm_str_n(host.p, end < host.n ? end + 1 : host.n);
	}
	return gm_str_n(host.p, gm_str_find(host, ':'));
}

static bool host_is_loopback(struct gm_str host)
{
	struct gm_str name = host_without_port(host);

	if (name.n == 0 || gm_str_ieq(name, GM_STR("localhost")) || gm_str_is(name, "[::1]"))
		return true;
	if (!gm_str_starts(name, GM_STR("127.")))
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] != '.' && (name.p[i] < '0' || name.p[i] > '9'))
			return false;
	return true;
}

void gm_http_choose_peer(struct gm_exchange *ex)
{
	bool relayed = ex->known.via.n || ex->known.forwarded.n || ex->known.forwarded_for.n;

	ex->peer = ex->conn->peer;
	ex->peer.loopback = ex->conn->local && !relayed && host_is_loopback(ex->known.host);
	ex->req.peer = &ex->peer;
}

/* "https://name:8080" against the Host header. */
static bool origin_is_host(struct gm_str origin, struct gm_str host)
{
	for (size_t i = 0; i + 3 <= origin.n; i++)
		if (memcmp(origin.p + i, "://", 3) == 0)
			return gm_str_ieq(gm_str_n(origin.p + i + 3, origin.n - i - 3), host);
	return false; /* "null" */
}

bool gm_http_cross_site(const struct gm_exchange *ex)
{
	if (ex->known.fetch_site.n)
		return !gm_str_is(ex->known.fetch_site, "same-origin") && !gm_str_is(ex->known.fetch_site, "none");
	return ex->known.origin.n && !origin_is_host(ex->known.origin, ex->known.host);
}
