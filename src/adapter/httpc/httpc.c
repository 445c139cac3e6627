/* SPDX-License-Identifier: MIT */
#include "adapter/httpc/httpc.h"

#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>

#include "adapter/httpc/httpc-internal.h"
#include "base/alloc.h"
#include "base/clock.h"

#define HEADERS_MAX (64 * 1024)
/* What a body's memory may keep for the next one; pages of eight boards have 60 KB. */
#define BODY_KEPT (256 * 1024)
#define BODY_DEFAULT ((size_t)32 << 20)
#define EVENTS_AT_ONCE 64
/* A page of eight boards in one read or two. */
#define READ_AT_ONCE (128 * 1024L)
#define SHARDS_MAX 64
#define SHARD_CONNECTIONS 32 /* about, until there are SHARDS_MAX */

struct gm_httpc {
	struct gm_httpc_shard shards[SHARDS_MAX];
	size_t shard_count; /* that new requests are spread over; others may still have some in flight */
	long shard_connections;
	int epoll_fd;
	size_t body_max, bodies_max;
	size_t bodies_bytes; /* all of the slots' memory */
	struct gm_httpc_slot **slots;
	size_t slot_count, slot_max;
	struct gm_httpc_slot *free_slot; /* last used first: its memory is warm, and others stay unused */
	size_t in_flight;
	bool gzip;
	char *user_agent;
};

static pthread_once_t init_once = PTHREAD_ONCE_INIT;

static void init(void)
{
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

void gm_httpc_init_once(void)
{
	(void)pthread_once(&init_once, init);
}

static int64_t now_ms(void)
{
	return gm_mono_ms(gm_clock_system());
}

/* The body's memory, kept in the sum of all. */
static void count_body(struct gm_httpc_slot *slot)
{
	slot->client->bodies_bytes += slot->body.capacity - slot->counted;
	slot->counted = slot->body.capacity;
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct gm_httpc_slot *slot = ctx;
	long status = 0;

	n *= size;
	(void)curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
	if (n > slot->body.limit - slot->body.n) {
		slot->over = GM_SLOT_BODY_TOO_LARGE;
		return 0;
	}
	/* Growth doubles: what comes on top is at most as much as there is, or this piece. */
	if (slot->body.n + n >= slot->body.capacity &&
	    slot->client->bodies_bytes + slot->body.capacity + n > slot->client->bodies_max) {
		slot->over = GM_SLOT_NO_ROOM;
		return 0;
	}
	gm_buf_add(&slot->body, data, n);
	count_body(slot);
	if (slot->body.failed) {
		slot->over = GM_SLOT_NO_ROOM;
		return 0;
	}
	/* An error's text is not wanted, but it has to be read for the connection to live on. */
	if (status != 200 && slot->body.n > HEADERS_MAX)
		slot->body.n = 0;
	return n;
}

static size_t on_header(char *data, size_t size, size_t n, void *ctx)
{
	struct gm_httpc_slot *slot = ctx;

	(void)data;
	slot->header_bytes += size * n;
	if (slot->header_bytes > HEADERS_MAX) {
		slot->over = GM_SLOT_HEADERS_TOO_LARGE;
		return 0;
	}
	return size * n;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known)
{
	struct gm_httpc_shard *shard = ctx;
	struct gm_httpc *c = shard->client;
	uint64_t number = (uint64_t)(shard - c->shards);
	struct epoll_event event = { .data.u64 = number << 32 | (uint32_t)fd };

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		(void)epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		(void)curl_multi_assign(shard->multi, fd, NULL);
		return 0;
	}
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		event.events |= EPOLLIN;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		event.events |= EPOLLOUT;
	if (epoll_ctl(c->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0)
		return -1;
	if (!known)
		(void)curl_multi_assign(shard->multi, fd, shard);
	return 0;
}

static int on_timer(CURLM *multi, long wait_ms, void *ctx)
{
	struct gm_httpc_shard *shard = ctx;

	(void)multi;
	shard->due_mono_ms = wait_ms < 0 ? -1 : now_ms() + wait_ms;
	return 0;
}

static struct gm_httpc_shard *shard_of(struct gm_httpc *c, uint16_t place)
{
	struct gm_httpc_shard *shard = &c->shards[place * c->shard_count >> 16];

	if (shard->multi)
		return shard;
	shard->multi = curl_multi_init();
	if (!shard->multi)
		return NULL;
	(void)curl_multi_setopt(shard->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	(void)curl_multi_setopt(shard->multi, CURLMOPT_SOCKETDATA, shard);
	(void)curl_multi_setopt(shard->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	(void)curl_multi_setopt(shard->multi, CURLMOPT_TIMERDATA, shard);
	(void)curl_multi_setopt(shard->multi, CURLMOPT_MAXCONNECTS, c->shard_connections);
	return shard;
}

int gm_httpc_new(const struct gm_httpc_conf *conf, struct gm_httpc **out, struct gm_err *err)
{
	GM_AUTO(gm_httpc_free_p) struct gm_httpc *c = gm_xalloc(sizeof(*c));

	gm_httpc_init_once();
	for (size_t i = 0; i < SHARDS_MAX; i++)
		c->shards[i] = (struct gm_httpc_shard){ .client = c, .due_mono_ms = -1 };
	c->slot_max = conf->in_flight_max ? conf->in_flight_max : 64;
	c->body_max = conf->body_max ? conf->body_max : BODY_DEFAULT;
	c->bodies_max = conf->bodies_max ? conf->bodies_max : 4 * c->body_max;
	c->gzip = conf->gzip;
	c->user_agent = gm_xstrdup(conf->user_agent ? conf->user_agent : "k8s-gpu-management/" GM_VERSION);
	c->slots = gm_xalloc(c->slot_max * sizeof(struct gm_httpc_slot *));
	c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (c->epoll_fd < 0)
		return gm_fail_errno(err, errno, "epoll");
	gm_httpc_set_connections(c, conf->connections_max ? conf->connections_max : c->slot_max);
	*out = gm_steal(&c);
	return 0;
}

void gm_httpc_set_connections(struct gm_httpc *c, size_t connections_max)
{
	size_t n = connections_max < 1000000 ? connections_max : 1000000;
	size_t shards = (n + SHARD_CONNECTIONS - 1) / SHARD_CONNECTIONS;

	c->shard_count = shards < 1 ? 1 : shards > SHARDS_MAX ? SHARDS_MAX : shards;
	/* Hashes do not spread evenly: half as much again, and a few. */
	c->shard_connections = (long)(n / c->shard_count * 3 / 2 + 16);
	for (size_t i = 0; i < SHARDS_MAX; i++) {
		if (c->shards[i].multi)
			(void)curl_multi_setopt(c->shards[i].multi, CURLMOPT_MAXCONNECTS, c->shard_connections);
	}
}

void gm_httpc_set_body_max(struct gm_httpc *c, size_t body_max)
{
	c->body_max = body_max ? body_max : BODY_DEFAULT;
	c->bodies_max = 4 * c->body_max;
}

static void slot_free(struct gm_httpc_slot *slot)
{
	if (slot->busy)
		(void)curl_multi_remove_handle(slot->shard->multi, slot->easy);
	curl_easy_cleanup(slot->easy);
	curl_slist_free_all(slot->headers);
	gm_buf_fini(&slot->body);
	free(slot->system_ca_file);
	free(slot->system_ca_path);
	free(slot);
}

void gm_httpc_free(struct gm_httpc *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->slot_count; i++)
		slot_free(c->slots[i]);
	for (size_t i = 0; i < SHARDS_MAX; i++) {
		if (c->shards[i].multi)
			(void)curl_multi_cleanup(c->shards[i].multi);
	}
	gm_fd_close(c->epoll_fd);
	free(c->slots);
	free(c->user_agent);
	free(c);
}

static void set_constant_options(const struct gm_httpc *c, struct gm_httpc_slot *slot)
{
	CURL *easy = slot->easy;

	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	/* No proxy, and no look at the environment for one with each request. */
	(void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	(void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, READ_AT_ONCE);
	(void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT, c->user_agent);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, slot->error);
	(void)curl_easy_setopt(easy, CURLOPT_PRIVATE, slot);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, slot);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, slot);
	(void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	/*
	 * curl walks its whole name cache after each request: with thousands of hosts that costs more than the request.
	 * Kept connections need no names, and a new one should ask anew.
	 */
	(void)curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	/* Targets are asked every few seconds to minutes: a connection idle for that long is still a good one. */
	(void)curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, 3600L);
	if (c->gzip)
		(void)curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
}

static void keep_defaults(struct gm_httpc_slot *slot)
{
	char *file = NULL, *path = NULL;

	(void)curl_easy_getinfo(slot->easy, CURLINFO_CAINFO, &file);
	(void)curl_easy_getinfo(slot->easy, CURLINFO_CAPATH, &path);
	slot->system_ca_file = file ? gm_xstrdup(file) : NULL;
	slot->system_ca_path = path ? gm_xstrdup(path) : NULL;
}

static struct gm_httpc_slot *slot_take(struct gm_httpc *c)
{
	struct gm_httpc_slot *slot = c->free_slot;

	if (slot) {
		c->free_slot = slot->next_free;
		return slot;
	}
	if (c->slot_count == c->slot_max)
		return NULL;
	slot = gm_xalloc(sizeof(*slot));
	slot->client = c;
	slot->easy = curl_easy_init();
	if (!slot->easy) {
		free(slot);
		return NULL;
	}
	keep_defaults(slot);
	set_constant_options(c, slot);
	c->slots[c->slot_count++] = slot;
	return slot;
}

static void slot_give_back(struct gm_httpc_slot *slot)
{
	struct gm_httpc *c = slot->client;

	if (slot->body.capacity > BODY_KEPT)
		gm_buf_fini(&slot->body);
	count_body(slot);
	slot->done = NULL;
	slot->ctx = NULL;
	slot->next_free = c->free_slot;
	c->free_slot = slot;
}

static int set_accept(struct gm_httpc_slot *slot, const char *accept, struct gm_err *err)
{
	char line[256];
	struct curl_slist *headers;

	if (slot->headers && slot->accept == accept)
		return 0;
	(void)snprintf(line, sizeof(line), "Accept: %s", accept ? accept : "*/*");
	headers = curl_slist_append(NULL, line);
	if (!headers)
		return gm_fail(err, GM_ERR_NO_MEMORY, "no memory for a request");
	(void)curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, headers);
	curl_slist_free_all(slot->headers);
	slot->headers = headers;
	slot->accept = accept;
	return 0;
}

static int slot_start(struct gm_httpc_slot *slot, const struct gm_httpc_request *request, struct gm_err *err)
{
	int rc = gm_httpc_identity_use(request->identity, slot, now_ms(), err);

	if (rc == 0)
		rc = set_accept(slot, request->accept, err);
	if (rc)
		return rc;
	(void)curl_easy_setopt(slot->easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	(void)curl_easy_setopt(slot->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->timeout_ms);
	if (curl_easy_setopt(slot->easy, CURLOPT_URL, request->url) != CURLE_OK)
		return gm_fail(err, GM_ERR_NO_MEMORY, "no memory for a request");
	gm_buf_reset(&slot->body);
	slot->body.limit = slot->client->body_max;
	slot->header_bytes = 0;
	slot->over = GM_SLOT_FITS;
	slot->error[0] = 0;
	slot->timeout_ms = request->timeout_ms;
	slot->done = request->done;
	slot->ctx = request->ctx;
	slot->shard = shard_of(slot->client, request->place);
	if (!slot->shard || curl_multi_add_handle(slot->shard->multi, slot->easy) != CURLM_OK)
		return gm_fail(err, GM_ERR_INTERNAL, "the HTTP client takes no more requests");
	slot->busy = true;
	slot->client->in_flight++;
	return 0;
}

int gm_httpc_get(struct gm_httpc *c, const struct gm_httpc_request *request, struct gm_err *err)
{
	struct gm_httpc_slot *slot = slot_take(c);
	int rc;

	if (!slot)
		return gm_fail(err, GM_ERR_BUSY, "%zu requests are in flight", c->in_flight);
	rc = slot_start(slot, request, err);
	if (rc)
		slot_give_back(slot);
	return rc;
}

static void slot_end(struct gm_httpc_slot *slot)
{
	(void)curl_multi_remove_handle(slot->shard->multi, slot->easy);
	slot->busy = false;
	slot->client->in_flight--;
}

void gm_httpc_cancel(struct gm_httpc *c, const void *ctx)
{
	for (size_t i = 0; i < c->slot_count; i++) {
		if (c->slots[i]->busy && c->slots[i]->ctx == ctx) {
			slot_end(c->slots[i]);
			slot_give_back(c->slots[i]);
		}
	}
}

static void finish(struct gm_httpc_slot *slot, CURLcode code)
{
	struct gm_httpc_answer answer = { 0 };
	curl_off_t duration = 0, bytes = 0;
	char *content_type = NULL;
	long status = 0, connects = 0;

	(void)curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(slot->easy, CURLINFO_CONTENT_TYPE, &content_type);
	(void)curl_easy_getinfo(slot->easy, CURLINFO_TOTAL_TIME_T, &duration);
	(void)curl_easy_getinfo(slot->easy, CURLINFO_SIZE_DOWNLOAD_T, &bytes);
	(void)curl_easy_getinfo(slot->easy, CURLINFO_NUM_CONNECTS, &connects);
	answer.status = (int)status;
	answer.rc = gm_httpc_explain(slot, code, answer.status, &answer.err);
	answer.content_type = gm_str(content_type);
	answer.body = answer.rc ? gm_str_n(NULL, 0) : gm_buf_str(&slot->body);
	answer.duration_us = duration;
	answer.wire_bytes = bytes > 0 ? (uint64_t)bytes : 0;
	answer.connected_anew = connects > 0;
	/* Out of the multi handle first: the call may start the next request. The slot is still taken, for its body. */
	slot_end(slot);
	slot->done(slot->ctx, &answer);
	slot_give_back(slot);
}

static void finish_all(struct gm_httpc_shard *shard)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(shard->multi, &left)) != NULL) {
		struct gm_httpc_slot *slot = NULL;
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&slot);
		finish(slot, code);
	}
}

static void drive(struct gm_httpc_shard *shard, int fd, int what)
{
	int running = 0;

	(void)curl_multi_socket_action(shard->multi, fd, what, &running);
	finish_all(shard);
}

void gm_httpc_step(struct gm_httpc *c)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int n = epoll_wait(c->epoll_fd, events, EVENTS_AT_ONCE, 0);
	int64_t now;

	for (int i = 0; i < n; i++) {
		int what = ((events[i].events & EPOLLIN) ? CURL_CSELECT_IN : 0) |
			   ((events[i].events & EPOLLOUT) ? CURL_CSELECT_OUT : 0) |
			   ((events[i].events & (EPOLLERR | EPOLLHUP)) ? CURL_CSELECT_ERR : 0);

		drive(&c->shards[events[i].data.u64 >> 32], (int)(uint32_t)events[i].data.u64, what);
	}
	now = now_ms();
	for (size_t i = 0; i < SHARDS_MAX; i++) {
		if (c->shards[i].due_mono_ms < 0 || c->shards[i].due_mono_ms > now)
			continue;
		c->shards[i].due_mono_ms = -1;
		drive(&c->shards[i], CURL_SOCKET_TIMEOUT, 0);
	}
}

size_t gm_httpc_in_flight(const struct gm_httpc *c)
{
	return c->in_flight;
}

int gm_httpc_fd(const struct gm_httpc *c)
{
	return c->epoll_fd;
}

int64_t gm_httpc_wait_ms(const struct gm_httpc *c)
{
	int64_t due = INT64_MAX, wait;

	for (size_t i = 0; i < SHARDS_MAX; i++) {
		if (c->shards[i].due_mono_ms >= 0 && c->shards[i].due_mono_ms < due)
			due = c->shards[i].due_mono_ms;
	}
	if (due == INT64_MAX)
		return -1;
	wait = due - now_ms();
	return wait > 0 ? wait : 0;
}
