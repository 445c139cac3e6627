/* SPDX-License-Identifier: MIT */
/*
 * http-load [-c CONNECTIONS] [-d SECONDS] [-r RATE] [-s STREAMS -S PATH] [-p PID] [-n NAME] [-H HEADER].. PORT PATH
 *
 * Keep-alive load on 127.0.0.1. "{cursor}" in PATH becomes "" and then "&cursor=NEXT" by the answer before it, until
 * "next" is null. With a rate, requests are due at fixed times and latency counts from when a request was due, so that
 * a stalled server is not let off. CPU of PID is taken from /proc. Prints `figure NAME_... VALUE UNIT` lines.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/parse.h"

#define CURSOR "{cursor}"
#define EVENTS_MAX 256
#define SECOND_NS INT64_C(1000000000)
/* Latency: 32 steps in each power of two of microseconds, so within 3 %. */
#define STEPS 32
#define POWERS 32

struct conn {
	int fd;
	bool stream;
	bool busy;
	int64_t due_ns; /* when the request on the way was due */
	struct gm_buf in;
	char cursor[512]; /* "" or "&cursor=..." */
};

struct load {
	uint64_t port, connections, streams, seconds, rate, pid;
	const char *name, *path, *stream_path;
	struct gm_buf headers;
	int epoll_fd;
	struct conn *conns;
	uint64_t done, wrong, bytes, stream_bytes;
	uint64_t latency[STEPS * POWERS];
	int64_t begin_ns, end_ns;
};

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SECOND_NS + t.tv_nsec;
}

static size_t step_of(int64_t us)
{
	uint64_t v = us > 0 ? (uint64_t)us : 0;

	if (v < STEPS)
		return (size_t)v;
	unsigned power = 63u - (unsigned)__builtin_clzll(v); /* 5 or more */
	size_t step = (power - 4) * STEPS + (size_t)((v >> (power - 5)) & (STEPS - 1));
	return step < STEPS * POWERS ? step : STEPS * POWERS - 1;
}

static double us_of(size_t step)
{
	if (step < STEPS)
		return (double)step;
	return (double)((STEPS + step % STEPS) << (step / STEPS - 1));
}

static double percentile(const struct load *l, double p)
{
	uint64_t wanted = (uint64_t)((double)l->done * p), seen = 0;

	for (size_t i = 0; i < STEPS * POWERS; i++) {
		seen += l->latency[i];
		if (seen > wanted)
			return us_of(i);
	}
	return 0;
}

/* User and system time of all threads of the server, in seconds; 0 without a PID. */
static double cpu_seconds(uint64_t pid)
{
	char path[64], line[1024];
	uint64_t user = 0, kernel = 0;

	(void)snprintf(path, sizeof(path), "/proc/%llu/stat", (unsigned long long)pid);
	FILE *f = pid ? fopen(path, "re") : NULL;
	if (!f)
		return 0;
	size_t n = fread(line, 1, sizeof(line) - 1, f);
	(void)fclose(f);
	/* Behind the name, which may have blanks: fields 14 and 15 of proc(5). */
	const char *mark = memrchr(line, ')', n);
	struct gm_str rest = mark ? gm_str_n(mark + 2, n - (size_t)(mark + 2 - line)) : GM_STR(""), field;
	for (int i = 3; gm_str_split(&rest, ' ', &field); i++) {
		if (i == 14 && !gm_parse_u64(field, 0, UINT64_MAX, &user))
			return 0;
		if (i == 15 && !gm_parse_u64(field, 0, UINT64_MAX, &kernel))
			return 0;
	}
	return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

static bool send_request(struct load *l, struct conn *c, int64_t due_ns)
{
	char request[8192];
	const char *path = c->stream ? l->stream_path : l->path;
	const char *mark = strstr(path, CURSOR);
	size_t before = mark ? (size_t)(mark - path) : strlen(path);
	int n = snprintf(request, sizeof(request), "GET %.*s%s%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", (int)before,
			 path, mark ? c->cursor : "", mark ? mark + sizeof(CURSOR) - 1 : "", gm_buf_cstr(&l->headers));

	c->busy = true;
	c->due_ns = due_ns;
	return n > 0 && (size_t)n < sizeof(request) && send(c->fd, request, (size_t)n, MSG_NOSIGNAL) == n;
}

static bool open_conn(struct load *l, struct conn *c, bool stream)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)l->port) };
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
	int yes = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->stream = stream;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	return connect(c->fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
	       epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, c->fd, &e) == 0;
}

/* `"next":"..."` of a page; the value may have characters that a query escapes. */
static void take_cursor(struct conn *c, struct gm_str body)
{
	static const char key[] = "\"next\":\"";
	const char *at = memmem(body.p, body.n, key, sizeof(key) - 1);
	size_t n = 0;

	c->cursor[0] = '\0';
	if (!at)
		return;
	at += sizeof(key) - 1;
	n = (size_t)snprintf(c->cursor, sizeof(c->cursor), "&cursor=");
	for (; at < body.p + body.n && *at != '"' && n + 4 < sizeof(c->cursor); at++) {
		if (*at >= '0' && *at != '=')
			c->cursor[n++] = *at;
		else
			n += (size_t)snprintf(c->cursor + n, sizeof(c->cursor) - n, "%%%02X", (unsigned char)*at + 0u);
		c->cursor[n] = '\0';
	}
}

/* Length of the answer at the beginning of c->in; 0: not all is there. */
static size_t whole_answer(const struct conn *c, size_t *out_body)
{
	static const char key[] = "Content-Length: ";
	const char *end = c->in.n ? memmem(c->in.p, c->in.n, "\r\n\r\n", 4) : NULL;
	uint64_t length = 0;

	if (!end)
		return 0;
	*out_body = (size_t)(end - c->in.p) + 4;
	const char *at = memmem(c->in.p, *out_body, key, sizeof(key) - 1);
	if (at) {
		at += sizeof(key) - 1;
		struct gm_str number = gm_str_n(at, (size_t)(end + 2 - at));
		number.n = gm_str_find(number, '\r');
		(void)!gm_parse_u64(number, 0, UINT32_MAX, &length);
	}
	return c->in.n >= *out_body + length ? *out_body + (size_t)length : 0;
}

static bool answered(struct load *l, struct conn *c, int64_t now)
{
	size_t body, n = whole_answer(c, &body);

	if (n == 0)
		return true;
	l->done++;
	l->wrong += memcmp(c->in.p, "HTTP/1.1 200", 12) != 0;
	l->latency[step_of((now - c->due_ns) / 1000)]++;
	if (strstr(l->path, CURSOR))
		take_cursor(c, gm_str_n(c->in.p + body, n - body));
	gm_buf_reset(&c->in);
	c->busy = false;
	return l->rate || now >= l->end_ns || send_request(l, c, now);
}

static bool readable(struct load *l, struct conn *c)
{
	char *room = gm_buf_reserve(&c->in, 256 * 1024);
	ssize_t n = room ? recv(c->fd, room, 256 * 1024, MSG_DONTWAIT) : -1;

	if (n < 0 && errno == EAGAIN)
		return true;
	if (n <= 0)
		return false;
	if (c->stream) {
		l->stream_bytes += (uint64_t)n;
		return true;
	}
	l->bytes += (uint64_t)n;
	gm_buf_advance(&c->in, (size_t)n);
	return answered(l, c, now_ns());
}

/* Open loop: request number i is due at begin + i / rate, on whichever connection is free. */
static bool send_due(struct load *l, uint64_t *next, int64_t *out_wait_ns)
{
	int64_t now = now_ns(), due_ns = 0;

	for (uint64_t i = 0; i < l->connections; i++) {
		due_ns = l->begin_ns + (int64_t)((double)*next * (double)SECOND_NS / (double)l->rate);
		if (due_ns > now)
			break;
		if (l->conns[i].busy)
			continue;
		if (!send_request(l, &l->conns[i], due_ns))
			return false;
		++*next;
	}
	*out_wait_ns = due_ns > now ? due_ns - now : 1000000;
	return true;
}

static bool run(struct load *l)
{
	struct epoll_event events[EVENTS_MAX];
	uint64_t next = 0;

	for (uint64_t i = 0; !l->rate && i < l->connections; i++)
		if (!send_request(l, &l->conns[i], now_ns()))
			return false;
	while (now_ns() < l->end_ns) {
		int64_t wait_ns = 100000000;
		if (l->rate && !send_due(l, &next, &wait_ns))
			return false;
		const struct timespec wait = { .tv_sec = wait_ns / SECOND_NS, .tv_nsec = wait_ns % SECOND_NS };
		int n = epoll_pwait2(l->epoll_fd, events, EVENTS_MAX, &wait, NULL);
		for (int i = 0; i < n; i++)
			if (!readable(l, events[i].data.ptr))
				return false;
	}
	return true;
}

static bool connect_all(struct load *l)
{
	uint64_t all = l->connections + l->streams;

	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->conns = gm_xalloc(all * sizeof(*l->conns));
	for (uint64_t i = 0; i < all; i++) {
		bool stream = i >= l->connections;
		if (!open_conn(l, &l->conns[i], stream) || (stream && !send_request(l, &l->conns[i], 0)))
			return false;
	}
	return true;
}

static void report(const struct load *l, double cpu)
{
	double seconds = (double)(now_ns() - l->begin_ns) / (double)SECOND_NS;

	printf("figure %s_requests %.0f 1/s\n", l->name, (double)l->done / seconds);
	printf("figure %s_p50 %.3f ms\n", l->name, percentile(l, 0.5) / 1000);
	printf("figure %s_p99 %.3f ms\n", l->name, percentile(l, 0.99) / 1000);
	printf("figure %s_bytes %.0f B\n", l->name, l->done ? (double)l->bytes / (double)l->done : 0);
	printf("figure %s_errors %llu 1\n", l->name, (unsigned long long)l->wrong);
	if (l->streams)
		printf("figure %s_stream_bytes %.0f B/s\n", l->name, (double)l->stream_bytes / seconds);
	if (cpu > 0)
		printf("figure %s_requests_per_cpu_second %.0f 1/s\n", l->name, (double)l->done / cpu);
	if (cpu > 0)
		printf("figure %s_server_cpu %.1f %%\n", l->name, 100 * cpu / seconds);
}

static bool number(const char *text, uint64_t *out)
{
	return gm_parse_u64(gm_str(text), 0, 10000000, out);
}

static bool read_options(struct load *l, int argc, char **argv)
{
	bool fine = true;
	int o;

	while (fine && (o = getopt(argc, argv, "c:d:r:s:S:p:n:H:")) != -1) {
		if (o == 'H')
			gm_buf_addf(&l->headers, "%s\r\n", optarg);
		else if (o == 'n')
			l->name = optarg;
		else if (o == 'S')
			l->stream_path = optarg;
		else
			fine = o != '?' && number(optarg, o == 'c'   ? &l->connections
							  : o == 'd' ? &l->seconds
							  : o == 'r' ? &l->rate
							  : o == 's' ? &l->streams
								     : &l->pid);
	}
	fine = fine && argc - optind == 2 && number(argv[optind], &l->port) && l->connections > 0;
	if (fine)
		l->path = argv[optind + 1];
	return fine && (!l->streams || l->stream_path);
}

int main(int argc, char **argv)
{
	static struct load l = { .connections = 32, .seconds = 5, .name = "http" };

	if (!read_options(&l, argc, argv)) {
		fprintf(stderr,
			"usage: http-load [-c CONNECTIONS] [-d SECONDS] [-r RATE] [-s STREAMS -S PATH] [-p PID] "
			"[-n NAME] [-H HEADER].. PORT PATH\n");
		return 2;
	}
	if (!connect_all(&l)) {
		fprintf(stderr, "port %llu: no connection\n", (unsigned long long)l.port);
		return 1;
	}
	double cpu = cpu_seconds(l.pid);
	l.begin_ns = now_ns();
	l.end_ns = l.begin_ns + (int64_t)l.seconds * SECOND_NS;
	bool fine = run(&l);
	if (!fine)
		fprintf(stderr, "the server ended a connection\n");
	report(&l, cpu_seconds(l.pid) - cpu);
	return fine && l.wrong == 0 && l.done > 0 ? 0 : 1;
}
