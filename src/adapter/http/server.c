/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "adapter/http/accept.h"
#include "adapter/http/http-internal.h"
#include "adapter/http/listen.h"
#include "base/alloc.h"
#include "base/wait.h"

/* Beside the request's own bytes: the library's list of headers, the answer's head, the first piece of a stream. */
#define POOL_EXTRA_BYTES (6u * 1024)
#define CROWDED_SHARE 16 /* of idle_timeout_ms: silent so long, a connection makes room for who waits */
#define TICK_MIN_MS 10
#define TICK_MAX_MS 1000
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"

/* Lines of the library that only say that some client was rude or left. */
static const char *const noise[] = {
	"Closing connection",
	"Connection socket is closed",
	"Error processing request",
	"Error: received handshake",
	"Failed to receive",
	"Failed to send",
	"Socket has been",
	"Socket disconnected",
	"Too late",
	"Your client",
};
/* And what it says of each answer over a socket that knows no TCP. */
static const char *const unix_noise[] = { "Failed to push the data", "Setting %s option" };

static bool begins_with_one(const char *fmt, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strncmp(fmt, words[i], strlen(words[i])) == 0)
			return true;
	return false;
}

static __attribute__((format(printf, 2, 0))) void on_log(void *cls, const char *fmt, va_list args)
{
	const struct gm_http_server *s = cls;
	char line[512];

	if (!s->conf.log)
		return;
	if (begins_with_one(fmt, noise, GM_LEN(noise)) ||
	    (s->listener.is_unix && begins_with_one(fmt, unix_noise, GM_LEN(unix_noise))))
		return;
	(void)vsnprintf(line, sizeof(line), fmt, args);
	line[strcspn(line, "\n")] = '\0';
	s->conf.log(s->conf.ctx, line);
}

struct gm_conn *gm_http_conn_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static void choose_peer(const struct gm_http_server *s, struct gm_conn *conn, const struct sockaddr *from)
{
	conn->peer.tls = s->tls != NULL;
	if (s->listener.is_unix) {
		gm_http_peer_from_unix(conn->fd, &conn->peer);
		conn->local = true;
		return;
	}
	conn->local = from && gm_http_peer_from(from, &conn->peer);
	if (s->conf.is_local)
		conn->local = s->conf.is_local(s->conf.ctx, conn->peer.address);
}

static void conn_begin(struct gm_http_server *s, struct MHD_Connection *mhd, void **place)
{
	const union MHD_ConnectionInfo *info;
	struct gm_conn *conn = gm_xalloc(sizeof(*conn));

	conn->server = s;
	/* One at a time: libmicrohttpd 1.0 answers every question in the same place. */
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	conn->fd = info ? info->connect_fd : -1;
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	choose_peer(s, conn, info ? info->client_addr : NULL);
	if (s->tls)
		gm_tls_ask_client(s->tls, mhd);
	atomic_init(&conn->cut_ms, atomic_load(&s->now_ms) + s->conf.idle_timeout_ms);
	atomic_init(&conn->idle, true);
	*place = conn;
	(void)pthread_mutex_lock(&s->mu);
	conn->next = s->conns;
	if (conn->next)
		conn->next->prev = conn;
	s->conns = conn;
	s->conn_count++;
	(void)pthread_mutex_unlock(&s->mu);
	if (atomic_load(&s->stopping))
		(void)shutdown(conn->fd, SHUT_RD);
}

/* The library closes the socket behind this: under mu, a listed connection's fd is its own. */
static void conn_end(struct gm_http_server *s, struct gm_conn *conn)
{
	(void)pthread_mutex_lock(&s->mu);
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		s->conns = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	s->conn_count--;
	(void)pthread_cond_signal(&s->gone);
	(void)pthread_mutex_unlock(&s->mu);
	free(conn);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **place, enum MHD_ConnectionNotificationCode what)
{
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		conn_begin(cls, mhd, place);
	else if (*place)
		conn_end(cls, *place);
}

/* A client that trickles, or that keeps a connection and asks nothing, is cut; the library then sees its end. */
static void cut_late(struct gm_http_server *s, int64_t now_ms)
{
	(void)pthread_mutex_lock(&s->mu);
	for (struct gm_conn *conn = s->conns; conn; conn = conn->next) {
		int64_t cut_ms = atomic_load_explicit(&conn->cut_ms, memory_order_relaxed);
		if (cut_ms == 0 || now_ms < cut_ms)
			continue;
		atomic_store_explicit(&conn->cut_ms, 0, memory_order_relaxed);
		atomic_fetch_add_explicit(&s->cut, 1, memory_order_relaxed);
		(void)shutdown(conn->fd, SHUT_RDWR);
	}
	(void)pthread_mutex_unlock(&s->mu);
}

static void check_tls(struct gm_http_server *s, int64_t now_ms, int64_t *next_ms)
{
	struct gm_err err = { 0 };
	char line[sizeof(err.text) + 64];

	if (!s->tls || now_ms < *next_ms)
		return;
	*next_ms = now_ms + s->conf.tls_check_ms;
	if (gm_tls_check(s->tls, &err) >= 0 || !s->conf.log)
		return;
	(void)snprintf(line, sizeof(line), "certificate not reloaded, the old one stays in use: %s", err.text);
	s->conf.log(s->conf.ctx, line);
}

static int tick_ms(const struct gm_http_conf *c)
{
	int64_t least = TICK_MAX_MS;
	const int64_t spans[] = { c->request_deadline_ms / 8, c->idle_timeout_ms / 8, c->heartbeat_ms / 8,
				  c->tls_check_ms / 2 };

	for (size_t i = 0; i < GM_LEN(spans); i++)
		if (spans[i] < least)
			least = spans[i];
	return least < TICK_MIN_MS ? TICK_MIN_MS : (int)least;
}

static void *ticker(void *arg)
{
	struct gm_http_server *s = arg;
	struct pollfd end = { .fd = s->ticker_fd, .events = POLLIN };
	int every_ms = tick_ms(&s->conf);
	int64_t tls_next_ms = gm_mono_ms(s->conf.clock) + s->conf.tls_check_ms;

	while (poll(&end, 1, every_ms) <= 0) {
		int64_t now_ms = gm_mono_ms(s->conf.clock);
		atomic_store_explicit(&s->now_ms, now_ms, memory_order_relaxed);
		cut_late(s, now_ms);
		gm_http_streams_beat(s, now_ms);
		check_tls(s, now_ms, &tls_next_ms);
	}
	return NULL;
}

static bool on_room(void *ctx)
{
	struct gm_http_server *s = ctx;

	(void)pthread_mutex_lock(&s->mu);
	bool room = s->conn_count < s->conf.connections_max;
	(void)pthread_mutex_unlock(&s->mu);
	return room;
}

/* Connections that are open and ask nothing must not keep out those who do: the one that is silent longest goes. */
static void on_crowded(void *ctx)
{
	struct gm_http_server *s = ctx;
	const int64_t silent_since = atomic_load(&s->now_ms) - s->conf.idle_timeout_ms / CROWDED_SHARE;
	int64_t cut_ms, least = silent_since + s->conf.idle_timeout_ms;
	struct gm_conn *silent = NULL;

	(void)pthread_mutex_lock(&s->mu);
	for (struct gm_conn *conn = s->conns; conn; conn = conn->next) {
		cut_ms = atomic_load_explicit(&conn->cut_ms, memory_order_relaxed);
		if (!atomic_load_explicit(&conn->idle, memory_order_relaxed) || cut_ms == 0 || cut_ms > least)
			continue;
		least = cut_ms;
		silent = conn;
	}
	if (silent) {
		atomic_store_explicit(&silent->cut_ms, 0, memory_order_relaxed);
		atomic_fetch_add_explicit(&s->cut, 1, memory_order_relaxed);
		(void)shutdown(silent->fd, SHUT_RDWR);
	}
	(void)pthread_mutex_unlock(&s->mu);
}

static void on_take(void *ctx, int fd, const struct sockaddr *from, socklen_t n)
{
	struct gm_http_server *s = ctx;

	/* The library closes the socket when it does not take it. */
	(void)MHD_add_connection(s->daemon, fd, from, n);
}

static void on_trouble(void *ctx, int errnum)
{
	const struct gm_http_server *s = ctx;
	struct gm_err err = { 0 };

	(void)gm_fail_errno(&err, errnum, "connections wait");
	if (s->conf.log)
		s->conf.log(s->conf.ctx, err.text);
}

#define DEFAULT(member, value) (c->member = c->member ? c->member : (value))
static void fill_defaults(struct gm_http_conf *c)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	DEFAULT(bind, "127.0.0.1");
	DEFAULT(context, "");
	DEFAULT(threads, cores >= 4 ? 4u : cores >= 1 ? (unsigned)cores : 1u);
	DEFAULT(connections_max, 4096);
	DEFAULT(streams_max, 2500);
	DEFAULT(streams_per_address_max, 64);
	DEFAULT(body_max_bytes, 1024 * 1024);
	DEFAULT(header_max_bytes, 10 * 1024);
	DEFAULT(target_max_bytes, 4 * 1024);
	DEFAULT(request_deadline_ms, 15 * 1000);
	DEFAULT(idle_timeout_ms, 60 * 1000);
	DEFAULT(heartbeat_ms, 15 * 1000);
	DEFAULT(clock, gm_clock_system());
	DEFAULT(tls_check_ms, 10 * 1000);
}

/* Room beyond our own limit: a worker must not be full because its share came out uneven. */
#define LIBRARY_SLACK 256

#if MHD_VERSION >= 0x01000000
#define STRICTNESS MHD_OPTION_CLIENT_DISCIPLINE_LVL
#else
#define STRICTNESS MHD_OPTION_STRICT_FOR_CLIENT
#endif

static int start_daemon(struct gm_http_server *s, struct gm_err *err)
{
	const struct gm_http_conf *c = &s->conf;
	unsigned flags =
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_NO_LISTEN_SOCKET;
	unsigned limit = (unsigned)c->connections_max + LIBRARY_SLACK * c->threads;
	unsigned timeout_s = (unsigned)((c->idle_timeout_ms + 999) / 1000);
	struct MHD_OptionItem tls[] = { { MHD_OPTION_END, 0, NULL },
					{ MHD_OPTION_END, 0, NULL },
					{ MHD_OPTION_END, 0, NULL } };
	struct MHD_OptionItem pool[] = { { MHD_OPTION_END, 0, NULL }, { MHD_OPTION_END, 0, NULL } };

	if (s->tls) {
		flags |= MHD_USE_TLS;
		gm_tls_option(&tls[0]);
		tls[1] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES };
	}
	if (c->threads > 1)
		pool[0] = (struct MHD_OptionItem){ MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)c->threads, NULL };
	/* The logger comes first: it is to see what the later options say. */
	s->daemon =
		MHD_start_daemon(flags, 0, NULL, NULL, gm_http_on_access, s, MHD_OPTION_EXTERNAL_LOGGER, on_log, s,
				 STRICTNESS, 1, MHD_OPTION_CONNECTION_LIMIT, limit, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				 c->header_max_bytes + POOL_EXTRA_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, timeout_s,
				 MHD_OPTION_URI_LOG_CALLBACK, gm_http_on_target, s, MHD_OPTION_NOTIFY_COMPLETED,
				 gm_http_on_completed, s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
				 MHD_OPTION_ARRAY, tls, MHD_OPTION_ARRAY, pool, MHD_OPTION_END);
	return s->daemon ? 0 : gm_fail(err, GM_ERR_INTERNAL, "the HTTP library does not start");
}

static int start_ticker(struct gm_http_server *s, struct gm_err *err)
{
	s->ticker_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->ticker_fd < 0)
		return gm_fail_errno(err, errno, "eventfd");
	int rc = pthread_create(&s->ticker, NULL, ticker, s);
	if (rc != 0)
		return gm_fail_errno(err, rc, "thread");
	s->ticker_runs = true;
	return 0;
}

static struct gm_http_server *server_new(const struct gm_http_conf *conf)
{
	struct gm_http_server *s = gm_xalloc(sizeof(*s));
	uint8_t seed[5];

	s->conf = *conf;
	fill_defaults(&s->conf);
	s->ticker_fd = s->listener.fd = -1;
	gm_random_bytes(seed, sizeof(seed));
	gm_hex(seed, sizeof(seed), s->id_base);
	(void)pthread_mutex_init(&s->mu, NULL);
	(void)pthread_mutex_init(&s->spare_mu, NULL);
	gm_cond_init(&s->gone);
	atomic_init(&s->now_ms, gm_mono_ms(s->conf.clock));
	return s;
}

int gm_http_server_start(const struct gm_http_conf *conf, struct gm_http_server **out, struct gm_err *err)
{
	GM_AUTO(gm_http_server_free_p) struct gm_http_server *s = server_new(conf);
	static const struct gm_acceptor_ops acceptor_ops = { on_room, on_crowded, on_take, on_trouble };
	const struct gm_http_conf *c = &s->conf;
	int rc;

	rc = gm_router_new(c->routes, c->route_count, c->context, &s->router, err);
	if (rc == 0 && c->tls_cert_file && gm_http_is_unix(c->bind))
		rc = gm_fail(err, GM_ERR_INVALID, "'%s': a unix socket is served without TLS", c->bind);
	if (rc == 0 && c->tls_cert_file)
		rc = gm_tls_new(c, &s->tls, err);
	if (rc == 0)
		rc = gm_http_listen(c->bind, c->port, &s->listener, err);
	if (rc == 0)
		rc = start_daemon(s, err);
	if (rc == 0)
		rc = start_ticker(s, err);
	if (rc == 0)
		rc = gm_acceptor_start(gm_fd_steal(&s->listener.fd), &acceptor_ops, s, &s->acceptor, err);
	if (rc == 0)
		*out = gm_steal(&s);
	return rc;
}

uint16_t gm_http_server_port(const struct gm_http_server *s)
{
	return s->listener.port;
}

static void close_idle(struct gm_http_server *s)
{
	(void)pthread_mutex_lock(&s->mu);
	for (struct gm_conn *conn = s->conns; conn; conn = conn->next)
		if (atomic_load_explicit(&conn->idle, memory_order_seq_cst))
			(void)shutdown(conn->fd, SHUT_RD);
	(void)pthread_mutex_unlock(&s->mu);
}

static bool wait_for_none(struct gm_http_server *s, int64_t deadline_ms)
{
	const struct timespec until = gm_deadline_in(deadline_ms);
	bool none;

	(void)pthread_mutex_lock(&s->mu);
	while (s->conn_count > 0 && pthread_cond_timedwait(&s->gone, &s->mu, &until) == 0)
		continue;
	none = s->conn_count == 0;
	(void)pthread_mutex_unlock(&s->mu);
	return none;
}

static void stop_ticker(struct gm_http_server *s)
{
	uint64_t one = 1;

	if (s->ticker_runs) {
		(void)!write(s->ticker_fd, &one, sizeof(one));
		(void)pthread_join(s->ticker, NULL);
	}
	s->ticker_runs = false;
	gm_fd_close(s->ticker_fd);
	s->ticker_fd = -1;
}

static void wait_for_promised(struct gm_http_server *s)
{
	(void)pthread_mutex_lock(&s->mu);
	while (s->later_count)
		(void)pthread_cond_wait(&s->gone, &s->mu);
	(void)pthread_mutex_unlock(&s->mu);
}

bool gm_http_server_stop(struct gm_http_server *s, int64_t deadline_ms)
{
	bool none = true;

	if (!s->daemon)
		return true;
	atomic_store_explicit(&s->stopping, true, memory_order_seq_cst);
	gm_listener_unlink(&s->listener);
	gm_acceptor_stop(s->acceptor);
	s->acceptor = NULL;
	/* No connection may be suspended when the library stops: the streams are woken and end themselves. */
	gm_http_streams_wake_all(s);
	close_idle(s);
	none = wait_for_none(s, deadline_ms);
	/* Nor one that waits for its answer; who promised it is still there to give it. */
	wait_for_promised(s);
	stop_ticker(s);
	gm_http_streams_wake_all(s);
	MHD_stop_daemon(s->daemon);
	s->daemon = NULL;
	return none;
}

void gm_http_server_free(struct gm_http_server *s)
{
	if (!s)
		return;
	(void)gm_http_server_stop(s, 0);
	stop_ticker(s);
	gm_listener_close(&s->listener);
	while (s->spare) {
		struct gm_exchange *next = s->spare->next;
		gm_exchange_free(s->spare);
		s->spare = next;
	}
	gm_tls_free(s->tls);
	gm_router_free(s->router);
	(void)pthread_cond_destroy(&s->gone);
	(void)pthread_mutex_destroy(&s->spare_mu);
	(void)pthread_mutex_destroy(&s->mu);
	free(s);
}

int gm_http_server_reload_tls(struct gm_http_server *s, struct gm_err *err)
{
	return s->tls ? gm_tls_reload(s->tls, err) : gm_fail(err, GM_ERR_UNSUPPORTED, "the server speaks plain HTTP");
}

void gm_http_server_stats(struct gm_http_server *s, struct gm_http_stats *out)
{
	*out = (struct gm_http_stats){
		.requests = atomic_load(&s->requests),
		.status_2xx = atomic_load(&s->by_class[2]),
		.status_3xx = atomic_load(&s->by_class[3]),
		.status_4xx = atomic_load(&s->by_class[4]),
		.status_5xx = atomic_load(&s->by_class[5]),
		.cut = atomic_load(&s->cut),
		.streams_opened = atomic_load(&s->streams_opened),
	};
	(void)pthread_mutex_lock(&s->mu);
	out->connections = s->conn_count;
	out->streams = s->stream_count;
	(void)pthread_mutex_unlock(&s->mu);
	if (s->tls)
		gm_tls_stats(s->tls, out);
}
