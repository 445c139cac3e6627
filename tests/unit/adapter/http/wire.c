/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/parse.h"

bool wire_open(struct wire *w, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };

	*w = (struct wire){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(w->fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return true;
	wire_close(w);
	return false;
}

bool wire_open_unix(struct wire *w, const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	*w = (struct wire){ .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	if (gm_str_copy(gm_str(path), to.sun_path, sizeof(to.sun_path)) &&
	    connect(w->fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return true;
	wire_close(w);
	return false;
}

void wire_close(struct wire *w)
{
	if (w->fd > 0)
		(void)close(w->fd);
	gm_buf_fini(&w->in);
	gm_buf_fini(&w->head);
	gm_buf_fini(&w->body);
	*w = (struct wire){ .fd = -1 };
}

bool wire_send(struct wire *w, struct gm_str bytes)
{
	while (bytes.n) {
		ssize_t n = send(w->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		bytes = gm_str_n(bytes.p + n, bytes.n - (size_t)n);
	}
	return true;
}

/* One more piece; false at the end, on an error and after the wait. */
static bool more(struct wire *w)
{
	struct pollfd p = { .fd = w->fd, .events = POLLIN };
	char *room = gm_buf_reserve(&w->in, 65536);

	if (!room || poll(&p, 1, WIRE_WAIT_MS) != 1)
		return false;
	ssize_t n = recv(w->fd, room, 65536, 0);
	w->ended = n <= 0;
	if (w->ended)
		return false;
	gm_buf_advance(&w->in, (size_t)n);
	return true;
}

static void drop(struct wire *w, size_t n)
{
	memmove(w->in.p, w->in.p + n, w->in.n - n);
	w->in.n -= n;
}

/* Length up to and with `text`, waiting for it; 0: it never came. */
static size_t find(struct wire *w, const char *text)
{
	for (;;) {
		const char *at = w->in.n ? memmem(w->in.p, w->in.n, text, strlen(text)) : NULL;
		if (at)
			return (size_t)(at - w->in.p) + strlen(text);
		if (!more(w))
			return 0;
	}
}

bool wire_until(struct wire *w, const char *text)
{
	size_t n = find(w, text);

	if (n)
		drop(w, n);
	return n > 0;
}

bool wire_ends(struct wire *w)
{
	return w->in.n == 0 && !more(w) && w->ended;
}

struct gm_str wire_header(const struct wire *w, const char *name)
{
	struct gm_str rest = gm_buf_str(&w->head), line;

	while (gm_str_split(&rest, '\n', &line)) {
		size_t mark = gm_str_find(line, ':');
		if (mark < line.n && gm_str_ieq(gm_str_n(line.p, mark), gm_str(name)))
			return gm_str_trim(gm_str_n(line.p + mark + 1, line.n - mark - 1));
	}
	return GM_STR("");
}

bool wire_read_head(struct wire *w)
{
	size_t n = find(w, "\r\n\r\n");
	uint64_t status;

	w->status = 0;
	gm_buf_reset(&w->head);
	gm_buf_reset(&w->body);
	if (n < 12)
		return false;
	gm_buf_add(&w->head, w->in.p, n);
	drop(w, n);
	if (!gm_parse_u64(gm_str_n(w->head.p + 9, 3), 100, 599, &status))
		return false;
	w->status = (int)status;
	return true;
}

static bool take(struct wire *w, size_t n)
{
	while (w->in.n < n)
		if (!more(w))
			return false;
	gm_buf_add(&w->body, w->in.p, n);
	drop(w, n);
	return true;
}

static bool read_chunks(struct wire *w)
{
	for (;;) {
		size_t line = find(w, "\r\n");
		uint64_t n;
		if (line < 2 || !gm_parse_hex64(gm_str_n(w->in.p, line - 2), &n))
			return false;
		drop(w, line);
		if (!take(w, (size_t)n) || find(w, "\r\n") != 2)
			return false;
		drop(w, 2);
		if (n == 0)
			return true;
	}
}

bool wire_read(struct wire *w, bool head)
{
	uint64_t length;

	do {
		if (!wire_read_head(w))
			return false;
	} while (w->status == 100);
	if (head || w->status == 204 || w->status == 304)
		return true;
	if (gm_str_is(wire_header(w, "Transfer-Encoding"), "chunked"))
		return read_chunks(w);
	if (!gm_parse_u64(wire_header(w, "Content-Length"), 0, UINT32_MAX, &length))
		return false;
	return take(w, (size_t)length);
}

bool wire_ask(struct wire *w, const char *request)
{
	return wire_sends(w, request) && wire_read(w, strncmp(request, "HEAD ", 5) == 0);
}
