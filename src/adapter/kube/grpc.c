/* SPDX-License-Identifier: MIT */
#include "adapter/kube/grpc-internal.h"

#include <ctype.h>
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/parse.h"

/* How much may be on its way to us: a large answer should not wait for our consent at every 64 KiB. */
#define WINDOW_BYTES (1 << 20)
#define HEADERS_MAX_BYTES (16u << 10)
#define READ_BYTES (16u << 10)
#define PREFIX_BYTES 5 /* of each message: compressed or not, length */
#define STATUS_NONE -1

struct call {
	nghttp2_session *session;
	const struct gm_grpc_ask *ask;
	int32_t stream;
	size_t sent; /* of the request's prefix, which is all of it */

	int http_status; /* 0: not seen yet */
	bool is_grpc;	 /* its content type says so */
	int64_t status;	 /* grpc-status */
	char message[200];
	unsigned char prefix[PREFIX_BYTES];
	size_t prefix_n;
	size_t length; /* of the message, once the prefix is whole */
	struct gm_buf *body;
	bool closed;
	uint32_t close_code;

	int rc; /* our own reason to end, with *err */
	struct gm_err *err;
};

static bool is_done(const struct call *c)
{
	return c->closed || c->rc != 0;
}

static ssize_t on_request_body(nghttp2_session *session, int32_t stream, uint8_t *buf, size_t size, uint32_t *flags,
			       nghttp2_data_source *source, void *user)
{
	struct call *c = user;
	size_t n = PREFIX_BYTES - c->sent < size ? PREFIX_BYTES - c->sent : size;
	(void)session;
	(void)stream;
	(void)source;

	/* Not compressed, no bytes: the empty message. */
	memset(buf, 0, n);
	c->sent += n;
	if (c->sent == PREFIX_BYTES)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static int hex_digit(char ch)
{
	return isdigit((unsigned char)ch) ? ch - '0' : isxdigit((unsigned char)ch) ? tolower(ch) - 'a' + 10 : -1;
}

/* grpc-message is percent-encoded; what cannot be shown is left out. */
static void take_message(struct call *c, struct gm_str value)
{
	size_t n = 0;

	for (size_t i = 0; i < value.n && n + 1 < sizeof(c->message); i++) {
		int ch = (unsigned char)value.p[i];
		if (ch == '%' && i + 2 < value.n && hex_digit(value.p[i + 1]) >= 0 && hex_digit(value.p[i + 2]) >= 0) {
			ch = hex_digit(value.p[i + 1]) * 16 + hex_digit(value.p[i + 2]);
			i += 2;
		}
		if (ch >= ' ' && ch != 0x7f)
			c->message[n++] = (char)ch;
	}
	c->message[n] = '\0';
	if (!gm_str_plain_ok(gm_str(c->message)))
		c->message[0] = '\0';
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name_p, size_t name_n,
		     const uint8_t *value_p, size_t value_n, uint8_t flags, void *user)
{
	struct call *c = user;
	struct gm_str name = gm_str_n((const char *)name_p, name_n), value = gm_str_n((const char *)value_p, value_n);
	uint64_t number;
	(void)session;
	(void)flags;

	if (frame->hd.stream_id != c->stream)
		return 0;
	if (gm_str_is(name, ":status"))
		c->http_status = gm_parse_u64(value, 100, 999, &number) ? (int)number : 0;
	else if (gm_str_is(name, "content-type"))
		c->is_grpc = gm_str_starts(value, GM_STR("application/grpc"));
	else if (gm_str_is(name, "grpc-status"))
		c->status = gm_parse_u64(value, 0, 9999, &number) ? (int64_t)number : STATUS_NONE;
	else if (gm_str_is(name, "grpc-message"))
		take_message(c, value);
	return 0;
}

static void fail(struct call *c, int code, const char *text)
{
	if (c->rc == 0)
		c->rc = gm_fail(c->err, code, "%s", text);
}

static void take_prefix(struct call *c)
{
	const unsigned char *p = c->prefix;

	c->length = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
	if (p[0] != 0)
		fail(c, GM_ERR_PARSE, "the answer is compressed, which was not asked for");
	else if (c->length > c->ask->bytes_max)
		c->rc = gm_fail(c->err, GM_ERR_TOO_LARGE, "the answer has %zu bytes, at most %zu are read", c->length,
				c->ask->bytes_max);
	else if (!gm_buf_reserve(c->body, c->length))
		fail(c, GM_ERR_NO_MEMORY, "no memory for the answer");
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t n, void *user)
{
	struct call *c = user;
	(void)session;
	(void)flags;

	if (stream != c->stream || c->rc != 0)
		return 0;
	/* A proxy's error page: what it says in its status is enough. */
	if (c->http_status != 200 || !c->is_grpc)
		return 0;
	while (n > 0 && c->prefix_n < PREFIX_BYTES) {
		c->prefix[c->prefix_n++] = *data++;
		n--;
		if (c->prefix_n == PREFIX_BYTES)
			take_prefix(c);
	}
	if (c->rc != 0)
		return 0;
	if (n > c->length - c->body->n)
		fail(c, GM_ERR_PARSE, "the answer goes on behind its message");
	else
		gm_buf_add(c->body, data, n);
	return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user)
{
	struct call *c = user;
	(void)session;

	if (stream == c->stream) {
		c->closed = true;
		c->close_code = code;
	}
	return 0;
}

static int open_session(struct call *c)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	int rc = nghttp2_session_callbacks_new(&callbacks);

	if (rc != 0)
		return rc;
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	rc = nghttp2_option_new(&option);
	if (rc == 0) {
		/* No answer is longer than the deadline, and no server of ours opens streams. */
		nghttp2_option_set_no_closed_streams(option, 1);
		rc = nghttp2_session_client_new2(&c->session, callbacks, c, option);
		nghttp2_option_del(option);
	}
	nghttp2_session_callbacks_del(callbacks);
	return rc;
}

#define HEADER(n, v)                                                                                                   \
	{                                                                                                              \
		.name = (uint8_t *)(uintptr_t)(n), .value = (uint8_t *)(uintptr_t)(v), .namelen = strlen(n),           \
		.valuelen = strlen(v)                                                                                  \
	}

static int submit(struct call *c)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_BYTES },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADERS_MAX_BYTES },
	};
	const nghttp2_data_provider body = { .read_callback = on_request_body };
	char timeout[24];
	int rc;

	(void)snprintf(timeout, sizeof(timeout), "%lldm", (long long)c->ask->deadline_ms);
	const nghttp2_nv headers[] = {
		HEADER(":method", "POST"),
		HEADER(":scheme", "http"),
		HEADER(":path", c->ask->method),
		HEADER(":authority", "localhost"),
		HEADER("content-type", "application/grpc"),
		HEADER("te", "trailers"),
		HEADER("grpc-accept-encoding", "identity"),
		HEADER("grpc-timeout", timeout),
		HEADER("user-agent", "gpu-agent/" GM_VERSION),
	};
	rc = nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, GM_LEN(settings));
	if (rc == 0)
		rc = nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0, WINDOW_BYTES);
	if (rc == 0) {
		c->stream = nghttp2_submit_request(c->session, NULL, headers, GM_LEN(headers), &body, NULL);
		rc = c->stream < 0 ? c->stream : 0;
	}
	return rc;
}

static int begin(struct call *c)
{
	int rc = open_session(c);

	if (rc == 0)
		rc = submit(c);
	return rc == 0 ? 0 : gm_fail(c->err, GM_ERR_INTERNAL, "HTTP/2: %s", nghttp2_strerror(rc));
}

static const char *status_name(int64_t status)
{
	static const char *const names[] = {
		"ok",	     "cancelled",      "unknown",	    "invalid argument",	  "deadline exceeded",
		"not found", "already exists", "permission denied", "resource exhausted", "failed precondition",
		"aborted",   "out of range",   "unimplemented",	    "internal",		  "unavailable",
		"data loss", "unauthenticated"
	};

	return status >= 0 && status < (int64_t)GM_LEN(names) ? names[status] : "of no known status";
}

#define STATUS_DEADLINE 4

/* What the closed stream amounts to. */
static int judge(struct call *c)
{
	if (c->rc != 0)
		return c->rc;
	if (c->http_status == 0)
		return gm_fail(c->err, GM_ERR_UNAVAILABLE, "the stream was reset without an answer: %s",
			       nghttp2_http2_strerror(c->close_code));
	if (c->http_status != 200)
		return gm_fail(c->err, GM_ERR_UNAVAILABLE, "HTTP status %d", c->http_status);
	if (!c->is_grpc)
		return gm_fail(c->err, GM_ERR_PARSE, "the answer is not gRPC");
	if (c->status > 0)
		return gm_fail(c->err, c->status == STATUS_DEADLINE ? GM_ERR_DEADLINE : GM_ERR_UNAVAILABLE,
			       "refused, %s%s%s", status_name(c->status), c->message[0] ? ": " : "", c->message);
	if (c->close_code != NGHTTP2_NO_ERROR)
		return gm_fail(c->err, GM_ERR_UNAVAILABLE, "the stream was reset: %s",
			       nghttp2_http2_strerror(c->close_code));
	if (c->status < 0)
		return gm_fail(c->err, GM_ERR_PARSE, "the answer has no grpc-status");
	if (c->prefix_n < PREFIX_BYTES || c->body->n < c->length)
		return gm_fail(c->err, GM_ERR_PARSE, "the answer is shorter than it says");
	return 0;
}

static int take_bytes(struct call *c, const void *bytes, size_t n)
{
	ssize_t taken = nghttp2_session_mem_recv(c->session, bytes, n);

	if (taken < 0)
		return gm_fail(c->err, GM_ERR_PARSE, "not HTTP/2: %s", nghttp2_strerror((int)taken));
	if (!is_done(c) && !nghttp2_session_want_read(c->session))
		return gm_fail(c->err, GM_ERR_PARSE, "not HTTP/2");
	return 0;
}

static int dial(struct call *c, int *out_fd)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	const char *path = c->ask->socket_path;

	if (!gm_str_copy(gm_str(path), sa.sun_path, sizeof(sa.sun_path)))
		return gm_fail(c->err, GM_ERR_INVALID, "the path of a socket may have at most %zu bytes",
			       sizeof(sa.sun_path) - 1);
	GM_AUTO(gm_fd_close_p) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return gm_fail_errno(c->err, errno, "socket");
	/* A unix socket is connected at once or not at all. */
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
		int errnum = errno;
		const char *why = errnum == ENOENT	   ? "there is no socket"
				  : errnum == ECONNREFUSED ? "nobody listens"
				  : errnum == EAGAIN	   ? "its queue is full"
				  : errnum == EACCES	   ? "not allowed"
							   : "cannot be connected to";
		return gm_fail(c->err, GM_ERR_UNAVAILABLE, "%s", why);
	}
	*out_fd = gm_fd_steal(&fd);
	return 0;
}

/* Writes what the session has to say, as far as the socket takes it; *rest is what is left. */
static int say(struct call *c, int fd, struct gm_str *rest)
{
	for (;;) {
		if (rest->n == 0) {
			const uint8_t *bytes;
			ssize_t n = nghttp2_session_mem_send(c->session, &bytes);
			if (n < 0)
				return gm_fail(c->err, GM_ERR_INTERNAL, "HTTP/2: %s", nghttp2_strerror((int)n));
			if (n == 0)
				return 0;
			*rest = gm_str_n((const char *)bytes, (size_t)n);
		}
		ssize_t sent = send(fd, rest->p, rest->n, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		/* The answer may be there, although nobody reads on. */
		if (sent < 0)
			return errno == EAGAIN || errno == EPIPE || errno == ECONNRESET
				       ? 0
				       : gm_fail_errno(c->err, errno, "cannot be written to");
		*rest = gm_str_n(rest->p + sent, rest->n - (size_t)sent);
	}
}

static int hear(struct call *c, int fd)
{
	char bytes[READ_BYTES];
	ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

	if (n > 0)
		return take_bytes(c, bytes, (size_t)n);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return gm_fail(c->err, GM_ERR_UNAVAILABLE, "the connection ended before the answer did");
}

static int talk(struct call *c, int fd)
{
	const int64_t end_ms = gm_mono_ms(gm_clock_system()) + c->ask->deadline_ms;
	struct gm_str rest = GM_STR("");

	while (!is_done(c)) {
		int rc = say(c, fd, &rest);
		int64_t left_ms = end_ms - gm_mono_ms(gm_clock_system());
		struct pollfd p = { .fd = fd, .events = (short)(POLLIN | (rest.n ? POLLOUT : 0)) };
		if (rc != 0)
			return rc;
		if (left_ms <= 0 || (poll(&p, 1, (int)left_ms) == 0))
			return gm_fail(c->err, GM_ERR_DEADLINE, "no answer within %lld ms",
				       (long long)c->ask->deadline_ms);
		if (p.revents & (POLLIN | POLLHUP | POLLERR))
			rc = hear(c, fd);
		if (rc != 0)
			return rc;
	}
	return judge(c);
}

int gm_grpc_call(const struct gm_grpc_ask *ask, struct gm_buf *out, struct gm_err *err)
{
	struct call c = { .ask = ask, .status = STATUS_NONE, .body = out, .err = err };
	GM_AUTO(gm_fd_close_p) int fd = -1;
	int rc = dial(&c, &fd);

	if (rc == 0)
		rc = begin(&c);
	if (rc == 0)
		rc = talk(&c, fd);
	nghttp2_session_del(c.session);
	return rc == 0 ? 0 : gm_err_wrap(err, "'%s'", ask->socket_path);
}

int gm_grpc_replay(const struct gm_grpc_ask *ask, struct gm_str answer, struct gm_buf *out, struct gm_err *err)
{
	struct call c = { .ask = ask, .status = STATUS_NONE, .body = out, .err = err };
	const uint8_t *bytes;
	int rc = begin(&c);

	while (rc == 0 && nghttp2_session_mem_send(c.session, &bytes) > 0)
		continue;
	if (rc == 0)
		rc = take_bytes(&c, answer.p, answer.n);
	if (rc == 0 && is_done(&c))
		rc = judge(&c);
	else if (rc == 0)
		rc = gm_fail(err, GM_ERR_UNAVAILABLE, "the connection ended before the answer did");
	nghttp2_session_del(c.session);
	return rc;
}
