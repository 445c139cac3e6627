/* SPDX-License-Identifier: MIT */
#include "adapter/httpc/call.h"

#include "adapter/httpc/httpc-internal.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/secret.h"

#define BODY_DEFAULT ((size_t)64 << 20)

struct gm_httpc_caller {
	struct gm_httpc_slot slot; /* for its words on what went wrong */
	struct gm_httpc_identity *identity;
	const struct gm_httpc_call *call; /* while it runs */
	struct gm_buf line;		  /* of a stream, as far as it has come */
	bool ended;			  /* by a callback */
};

static void keep_defaults(struct gm_httpc_slot *slot)
{
	char *file = NULL, *path = NULL;

	(void)curl_easy_getinfo(slot->easy, CURLINFO_CAINFO, &file);
	(void)curl_easy_getinfo(slot->easy, CURLINFO_CAPATH, &path);
	slot->system_ca_file = file ? gm_xstrdup(file) : NULL;
	slot->system_ca_path = path ? gm_xstrdup(path) : NULL;
}

int gm_httpc_caller_new(struct gm_httpc_identity *identity, struct gm_httpc_caller **out, struct gm_err *err)
{
	GM_AUTO(gm_httpc_caller_free_p) struct gm_httpc_caller *c = gm_xalloc(sizeof(*c));

	gm_httpc_init_once();
	c->identity = identity;
	c->slot.easy = curl_easy_init();
	if (!c->slot.easy)
		return gm_fail(err, GM_ERR_NO_MEMORY, "no memory for the HTTP client");
	keep_defaults(&c->slot);
	*out = gm_steal(&c);
	return 0;
}

void gm_httpc_caller_free(struct gm_httpc_caller *c)
{
	if (!c)
		return;
	curl_easy_cleanup(c->slot.easy);
	gm_buf_fini(&c->slot.body);
	gm_buf_fini(&c->line);
	free(c->slot.system_ca_file);
	free(c->slot.system_ca_path);
	free(c);
}

void gm_httpc_reply_fini(struct gm_httpc_reply *r)
{
	gm_buf_fini(&r->body);
	*r = (struct gm_httpc_reply){ 0 };
}

/* Whole lines are given on; what is left is the beginning of the next one. */
static bool feed_lines(struct gm_httpc_caller *c, struct gm_str bytes)
{
	size_t end;

	while ((end = gm_str_find(bytes, '\n')) < bytes.n) {
		struct gm_str line = gm_str_n(bytes.p, end);

		if (c->line.n) {
			gm_buf_add_str(&c->line, line);
			line = gm_buf_str(&c->line);
		}
		if (gm_str_ends(line, GM_STR("\r")))
			line.n--;
		if (!c->call->on_line(c->call->ctx, line)) {
			c->ended = true;
			return false;
		}
		gm_buf_reset(&c->line);
		bytes = gm_str_n(bytes.p + end + 1, bytes.n - end - 1);
	}
	gm_buf_add_str(&c->line, bytes);
	return !c->line.failed && c->line.n <= GM_HTTPC_LINE_MAX;
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct gm_httpc_caller *c = ctx;
	long status = 0;

	n *= size;
	(void)curl_easy_getinfo(c->slot.easy, CURLINFO_RESPONSE_CODE, &status);
	if (c->call->on_line && status == 200) {
		if (feed_lines(c, gm_str_n(data, n)))
			return n;
		if (!c->ended)
			c->slot.over = GM_SLOT_BODY_TOO_LARGE;
		return 0;
	}
	if (n <= c->slot.body.limit - c->slot.body.n)
		gm_buf_add(&c->slot.body, data, n);
	else
		c->slot.over = GM_SLOT_BODY_TOO_LARGE;
	if (c->slot.body.failed)
		c->slot.over = GM_SLOT_NO_ROOM;
	return c->slot.over == GM_SLOT_FITS ? n : 0;
}

static int on_progress(void *ctx, curl_off_t to_come, curl_off_t came, curl_off_t to_go, curl_off_t went)
{
	struct gm_httpc_caller *c = ctx;

	(void)to_come, (void)came, (void)to_go, (void)went;
	if (!c->call->on_idle || c->call->on_idle(c->call->ctx))
		return 0;
	c->ended = true;
	return 1;
}

/* `name` with its colon, and what stands between it and the value. */
static void add_header(struct curl_slist **list, const char *name, struct gm_str value)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf line = { 0 };
	struct curl_slist *longer;

	gm_buf_addf(&line, "%s%.*s", name, GM_STR_ARG(value));
	longer = curl_slist_append(*list, gm_buf_cstr(&line));
	if (longer)
		*list = longer;
	gm_wipe(line.p, line.n);
}

static struct curl_slist *make_headers(const struct gm_httpc_call *call)
{
	struct curl_slist *list = NULL;

	add_header(&list, "Accept: ", call->accept ? gm_str(call->accept) : GM_STR("*/*"));
	/* No round trip of asking whether a body is welcome. */
	add_header(&list, "Expect:", GM_STR(""));
	if (call->content_type)
		add_header(&list, "Content-Type: ", gm_str(call->content_type));
	if (call->idempotency_key)
		add_header(&list, "Idempotency-Key: ", gm_str(call->idempotency_key));
	if (call->bearer.n)
		add_header(&list, "Authorization: Bearer ", call->bearer);
	return list;
}

static int set_options(struct gm_httpc_caller *c, const struct gm_httpc_call *call, struct gm_err *err)
{
	CURL *easy = c->slot.easy;
	bool stream = call->on_line != NULL;

	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	(void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "gpuctl/" GM_VERSION);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, c->slot.error);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, c);
	(void)curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	(void)curl_easy_setopt(easy, CURLOPT_XFERINFODATA, c);
	(void)curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	(void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, stream ? NULL : "gzip");
	(void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
	(void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)call->timeout_ms);
	(void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, stream ? 0L : (long)call->timeout_ms);
	if (call->content_type) {
		(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
		(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body.n ? call->body.p : "");
	}
	if (curl_easy_setopt(easy, CURLOPT_URL, call->url) != CURLE_OK)
		return gm_fail(err, GM_ERR_NO_MEMORY, "no memory for a request");
	return 0;
}

/* The slot as before its first transfer; the connection stays. */
static void begin(struct gm_httpc_caller *c, const struct gm_httpc_call *call)
{
	curl_easy_reset(c->slot.easy);
	gm_buf_reset(&c->slot.body);
	gm_buf_reset(&c->line);
	c->slot.body.limit = call->body_max ? call->body_max : BODY_DEFAULT;
	c->slot.over = GM_SLOT_FITS;
	c->slot.error[0] = 0;
	c->slot.timeout_ms = call->timeout_ms;
	c->slot.generation = 0;
	c->call = call;
	c->ended = false;
}

int gm_httpc_call(struct gm_httpc_caller *c, const struct gm_httpc_call *call, struct gm_httpc_reply *out,
		  struct gm_err *err)
{
	struct curl_slist *headers;
	CURLcode code;
	long status = 0;
	int rc;

	begin(c, call);
	rc = gm_httpc_identity_use(c->identity, &c->slot, gm_mono_ms(gm_clock_system()), err);
	if (rc == 0)
		rc = set_options(c, call, err);
	if (rc)
		return rc;
	headers = make_headers(call);
	(void)curl_easy_setopt(c->slot.easy, CURLOPT_HTTPHEADER, headers);
	code = curl_easy_perform(c->slot.easy);
	(void)curl_easy_setopt(c->slot.easy, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	(void)curl_easy_getinfo(c->slot.easy, CURLINFO_RESPONSE_CODE, &status);
	/* The explainer tells what of 200 is wrong too; every other status is an answer here. */
	rc = c->ended ? 0 : gm_httpc_explain(&c->slot, code, 200, err);
	c->call = NULL;
	if (rc)
		return rc;
	out->status = (int)status;
	gm_buf_add_str(&out->body, gm_buf_str(&c->slot.body));
	return out->body.failed ? gm_fail(err, GM_ERR_NO_MEMORY, "no memory for an answer") : 0;
}

void gm_httpc_escape(struct gm_str text, struct gm_buf *out)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			     (c && strchr("-._~", c));

		if (plain) {
			gm_buf_add_char(out, (char)c);
		} else {
			gm_buf_add_char(out, '%');
			gm_buf_add_char(out, hex[c >> 4]);
			gm_buf_add_char(out, hex[c & 15]);
		}
	}
}
