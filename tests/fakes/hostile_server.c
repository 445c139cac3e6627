/* SPDX-License-Identifier: MIT */
#include "hostile_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#define PEERS_MAX 256
#define REQUEST_MAX 4096
#define PIECE 65536
#define TRICKLE_MS 10

#define LINES 1000

static const char chunk[] = "1c\r\nDCGM_FI_X{UUID=\"GPU-1\"} 123\n\r\n";
static const char header_line[] = "X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";

enum way { WAY_NONE, WAY_ONCE, WAY_HANG, WAY_TRICKLE, WAY_REPEAT };

/* One connection: what is still to be sent, then whether `repeat` follows again and again, then whether it is closed. */
struct peer {
	int fd;
	char request[REQUEST_MAX];
	size_t request_n;
	char *out;
	size_t out_n, sent;
	enum way way;
	const char *repeat;
	size_t repeat_n, repeat_at;
	size_t repeat_left; /* bytes; SIZE_MAX: no end */
	bool close_after;
	long next_ms; /* when a trickling one sends again */
};

struct hostile_server {
	pthread_t thread;
	int listen_fd, stop_pipe[2];
	int port;
	atomic_uint connections;
	atomic_bool down;
	pthread_mutex_t mu;
	char *page; /* guarded by mu */
	char *bomb;
	size_t bomb_n;
	char piece[PIECE];
	char chunks[LINES * (sizeof(chunk) - 1)], header_lines[LINES * (sizeof(header_line) - 1)];
	struct peer peers[PEERS_MAX];
	size_t peer_count;
};

static char *gzip(const char *bytes, size_t n, size_t repeat, size_t *out_n)
{
	z_stream z = { 0 };
	size_t capacity = n + n / 2 + 1024 * 1024;
	char *out = malloc(capacity);

	if (!out || deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	z.next_out = (Bytef *)out;
	z.avail_out = (uInt)capacity;
	for (size_t i = 0; i < repeat; i++) {
		z.next_in = (Bytef *)(size_t)bytes;
		z.avail_in = (uInt)n;
		if (deflate(&z, i + 1 == repeat ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_ERROR)
			abort();
	}
	*out_n = capacity - z.avail_out;
	(void)deflateEnd(&z);
	return out;
}

static void answer(struct peer *p, const char *headers, const char *body, size_t n)
{
	char head[1024];
	int head_n = snprintf(head, sizeof(head), "HTTP/1.1 %s\r\n\r\n", headers);

	p->out = malloc((size_t)head_n + n);
	if (!p->out)
		abort();
	memcpy(p->out, head, (size_t)head_n);
	if (n > 0)
		memcpy(p->out + head_n, body, n);
	p->out_n = (size_t)head_n + n;
	p->sent = 0;
	p->way = WAY_ONCE;
}

static void answer_page(struct peer *p, const char *more, const char *body, size_t n)
{
	char headers[512];

	(void)snprintf(headers, sizeof(headers),
		       "200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n%sContent-Length: %zu", more, n);
	answer(p, headers, body, n);
}

static void answer_repeat(struct peer *p, const char *headers, const char *repeat, size_t n, size_t left)
{
	answer(p, headers, NULL, 0);
	p->way = WAY_REPEAT;
	p->repeat = repeat;
	p->repeat_n = n;
	p->repeat_at = 0;
	p->repeat_left = left;
	p->close_after = true;
}

static void answer_good(struct hostile_server *s, struct peer *p, bool compressed)
{
	(void)pthread_mutex_lock(&s->mu);
	if (compressed) {
		size_t n = 0;
		char *packed = gzip(s->page, strlen(s->page), 1, &n);

		answer_page(p, "Content-Encoding: gzip\r\n", packed, n);
		free(packed);
	} else {
		answer_page(p, "", s->page, strlen(s->page));
	}
	(void)pthread_mutex_unlock(&s->mu);
}

static bool answer_endless(struct hostile_server *s, struct peer *p, const char *path)
{
	if (strcmp(path, "/huge") == 0)
		answer_repeat(p, "200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100000000", s->piece, PIECE,
			      100000000);
	else if (strcmp(path, "/endless") == 0)
		answer_repeat(p, "200 OK\r\nTransfer-Encoding: chunked", s->chunks, sizeof(s->chunks), SIZE_MAX);
	else if (strcmp(path, "/headers") == 0)
		answer_repeat(p, "200 OK\r\nX-First: 1", s->header_lines, sizeof(s->header_lines), SIZE_MAX);
	else
		return false;
	if (strcmp(path, "/headers") == 0)
		p->out_n -= 2; /* the blank line never comes */
	return true;
}

static void answer_path(struct hostile_server *s, struct peer *p, const char *path)
{
	static const char zeros[PIECE];
	static const char cut[] = "20\r\nDCGM_FI_DEV_GPU_UTIL{UUID=\"G";

	if (answer_endless(s, p, path))
		return;
	if (strcmp(path, "/hang") == 0) {
		p->way = WAY_HANG;
	} else if (strcmp(path, "/trickle") == 0) {
		answer_page(p, "", s->piece, 1000);
		p->way = WAY_TRICKLE;
	} else if (strcmp(path, "/short") == 0) {
		answer(p, "200 OK\r\nContent-Length: 1000", "0123456789", 10);
		p->close_after = true;
	} else if (strcmp(path, "/close") == 0) {
		answer(p, "200 OK\r\nTransfer-Encoding: chunked", cut, sizeof(cut) - 1);
		p->close_after = true;
	} else if (strcmp(path, "/nothing") == 0) {
		p->close_after = true;
		p->way = WAY_ONCE;
	} else if (strcmp(path, "/binary") == 0) {
		answer_repeat(p, "200 OK\r\nContent-Length: 1048576", s->piece, PIECE, 1048576);
	} else if (strcmp(path, "/bomb") == 0) {
		if (!s->bomb)
			s->bomb = gzip(zeros, PIECE, 1024, &s->bomb_n);
		answer_page(p, "Content-Encoding: gzip\r\n", s->bomb, s->bomb_n);
	} else if (strcmp(path, "/broken") == 0) {
		answer_page(p, "Content-Encoding: gzip\r\n", "this is no gzip at all", 22);
	} else if (strcmp(path, "/garbage") == 0) {
		answer(p, "", "", 0);
		memcpy(p->out, "who knows", 9);
		p->close_after = true;
	} else if (strcmp(path, "/status") == 0) {
		answer(p, "503 Service Unavailable\r\nContent-Length: 20000", s->piece, 20000);
	} else if (strcmp(path, "/redirect") == 0) {
		answer(p, "302 Found\r\nLocation: http://127.0.0.1/metrics\r\nContent-Length: 0", NULL, 0);
	} else if (strcmp(path, "/echo") == 0) {
		answer_page(p, "", p->request, p->request_n);
	} else {
		answer_good(s, p, strcmp(path, "/gzip") == 0);
	}
}

/* False: the connection is over. */
static bool peer_read(struct hostile_server *s, struct peer *p)
{
	ssize_t n = recv(p->fd, p->request + p->request_n, REQUEST_MAX - 1 - p->request_n, MSG_DONTWAIT);
	char path[64];

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	p->request_n += (size_t)n;
	p->request[p->request_n] = 0;
	if (p->way != WAY_NONE || !strstr(p->request, "\r\n\r\n"))
		return p->request_n < REQUEST_MAX - 1;
	if (sscanf(p->request, "GET %63s ", path) != 1)
		return false;
	path[strcspn(path, "?")] = 0;
	answer_path(s, p, path);
	p->request_n = 0;
	return true;
}

static bool send_some(struct peer *p, const char *bytes, size_t n, size_t *sent)
{
	ssize_t done = send(p->fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);

	*sent = done > 0 ? (size_t)done : 0;
	return done >= 0 || errno == EAGAIN || errno == EINTR;
}

static long now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void peer_ready(struct peer *p)
{
	free(p->out);
	p->out = NULL;
	p->out_n = p->sent = 0;
	p->way = WAY_NONE;
}

static bool peer_write(struct peer *p)
{
	size_t sent = 0;

	if (p->way == WAY_TRICKLE) {
		if (now_ms() < p->next_ms)
			return true;
		p->next_ms = now_ms() + TRICKLE_MS;
	}

	if (p->sent < p->out_n) {
		size_t n = p->way == WAY_TRICKLE ? 1 : p->out_n - p->sent;
		bool alive = send_some(p, p->out + p->sent, n, &sent);

		p->sent += sent;
		if (!alive || p->sent < p->out_n || p->way != WAY_ONCE || p->close_after)
			return alive;
		peer_ready(p); /* at once: the next request may be under way */
		return true;
	}
	if (p->way == WAY_REPEAT && p->repeat_left > 0) {
		size_t n = p->repeat_n - p->repeat_at;
		bool alive = send_some(p, p->repeat + p->repeat_at, n < p->repeat_left ? n : p->repeat_left, &sent);

		p->repeat_at = (p->repeat_at + sent) % p->repeat_n;
		if (p->repeat_left != SIZE_MAX)
			p->repeat_left -= sent;
		return alive;
	}
	if (p->close_after)
		return false;
	peer_ready(p);
	return true;
}

static bool wants_write(const struct peer *p)
{
	return p->way == WAY_ONCE || p->way == WAY_REPEAT;
}

static void peer_close(struct hostile_server *s, size_t i)
{
	(void)close(s->peers[i].fd);
	free(s->peers[i].out);
	s->peers[i] = s->peers[--s->peer_count];
}

static void accept_peer(struct hostile_server *s)
{
	int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	atomic_fetch_add(&s->connections, 1);
	if (s->peer_count == PEERS_MAX || atomic_load(&s->down)) {
		(void)close(fd);
		return;
	}
	s->peers[s->peer_count] = (struct peer){ .fd = fd };
	s->peer_count++;
}

static void *serve(void *arg)
{
	struct hostile_server *s = arg;
	struct pollfd fds[PEERS_MAX + 2];

	for (;;) {
		size_t n = s->peer_count;

		fds[0] = (struct pollfd){ .fd = s->stop_pipe[0], .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = s->listen_fd, .events = POLLIN };
		for (size_t i = 0; i < n; i++)
			fds[i + 2] = (struct pollfd){ .fd = s->peers[i].fd,
						      .events = (short)(POLLIN |
									(wants_write(&s->peers[i]) ? POLLOUT : 0)) };
		if (poll(fds, (nfds_t)n + 2, 20) < 0)
			continue;
		if (fds[0].revents)
			return NULL;
		/* From the last one back, since closing moves the last into the gap. */
		for (size_t i = n; i > 0; i--) {
			struct peer *p = &s->peers[i - 1];
			short events = fds[i + 1].revents;
			bool alive = !atomic_load(&s->down);

			if (alive && (events & (POLLIN | POLLHUP | POLLERR)))
				alive = peer_read(s, p);
			if (alive && ((events & POLLOUT) || p->way == WAY_TRICKLE))
				alive = peer_write(p);
			if (!alive)
				peer_close(s, i - 1);
		}
		if (fds[1].revents & POLLIN)
			accept_peer(s);
	}
}

struct hostile_server *hostile_server_start(const char *page)
{
	struct hostile_server *s = calloc(1, sizeof(*s));
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	if (!s)
		abort();
	for (size_t i = 0; i < PIECE; i++)
		s->piece[i] = (char)((i * 2654435761U) >> 13);
	for (size_t i = 0; i < LINES; i++) {
		memcpy(s->chunks + i * (sizeof(chunk) - 1), chunk, sizeof(chunk) - 1);
		memcpy(s->header_lines + i * (sizeof(header_line) - 1), header_line, sizeof(header_line) - 1);
	}
	s->page = strdup(page);
	(void)pthread_mutex_init(&s->mu, NULL);
	s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->listen_fd < 0 || bind(s->listen_fd, (struct sockaddr *)&address, size) != 0 ||
	    listen(s->listen_fd, 128) != 0 || getsockname(s->listen_fd, (struct sockaddr *)&address, &size) != 0 ||
	    pipe2(s->stop_pipe, O_CLOEXEC) != 0)
		abort();
	s->port = ntohs(address.sin_port);
	if (pthread_create(&s->thread, NULL, serve, s) != 0)
		abort();
	return s;
}

void hostile_server_stop(struct hostile_server *s)
{
	(void)close(s->stop_pipe[1]);
	(void)pthread_join(s->thread, NULL);
	while (s->peer_count > 0)
		peer_close(s, s->peer_count - 1);
	(void)close(s->stop_pipe[0]);
	(void)close(s->listen_fd);
	(void)pthread_mutex_destroy(&s->mu);
	free(s->page);
	free(s->bomb);
	free(s);
}

int hostile_server_port(const struct hostile_server *s)
{
	return s->port;
}

void hostile_server_set_page(struct hostile_server *s, const char *page)
{
	(void)pthread_mutex_lock(&s->mu);
	free(s->page);
	s->page = strdup(page);
	(void)pthread_mutex_unlock(&s->mu);
}

unsigned hostile_server_connections(const struct hostile_server *s)
{
	return atomic_load(&s->connections);
}

void hostile_server_set_down(struct hostile_server *s, bool down)
{
	atomic_store(&s->down, down);
}
