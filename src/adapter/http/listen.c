/* SPDX-License-Identifier: MIT */
#include "adapter/http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#define BACKLOG 1024

static bool to_sockaddr(const char *address, uint16_t port, struct sockaddr_storage *out, socklen_t *out_n)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;

	*out = (struct sockaddr_storage){ 0 };
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		*out_n = sizeof(*v4);
		return true;
	}
	if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		*out_n = sizeof(*v6);
		return true;
	}
	return false;
}

static uint16_t port_of(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} sa = { .v6 = { 0 } };
	socklen_t n = sizeof(sa);

	if (getsockname(fd, &sa.any, &n) != 0)
		return 0;
	return ntohs(sa.any.sa_family == AF_INET6 ? sa.v6.sin6_port : sa.v4.sin_port);
}

static int fail_bind(struct gm_err *err, int errnum, const char *address, uint16_t port)
{
	int code = errnum == EADDRINUSE ? GM_ERR_CONFLICT : errnum == EACCES ? GM_ERR_FORBIDDEN : GM_ERR_INVALID;
	const char *what = errnum == EADDRINUSE	     ? "the port is taken"
			   : errnum == EACCES	     ? "not allowed"
			   : errnum == EADDRNOTAVAIL ? "not an address of this machine"
						     : "cannot listen";

	return gm_fail(err, code, "%s port %u: %s", address, port, what);
}

int gm_http_listen(const char *address, uint16_t port, int *out_fd, uint16_t *out_port, struct gm_err *err)
{
	struct sockaddr_storage sa;
	socklen_t n;
	int yes = 1, no = 0;

	if (!to_sockaddr(address, port, &sa, &n))
		return gm_fail(err, GM_ERR_INVALID, "'%s': not a numeric address", address);
	GM_AUTO(gm_fd_close_p) int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return gm_fail_errno(err, errno, "socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (sa.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
	if (bind(fd, (struct sockaddr *)&sa, n) != 0 || listen(fd, BACKLOG) != 0)
		return fail_bind(err, errno, address, port);
	*out_port = port_of(fd);
	*out_fd = gm_fd_steal(&fd);
	return 0;
}

bool gm_http_peer_from(const struct sockaddr *sa, struct gm_http_peer *out)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)sa;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)sa;
	const unsigned char *bytes;

	out->address[0] = '\0';
	if (sa->sa_family == AF_INET) {
		out->port = ntohs(v4->sin_port);
		bytes = (const unsigned char *)&v4->sin_addr;
	} else if (sa->sa_family == AF_INET6) {
		out->port = ntohs(v6->sin6_port);
		if (!IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
			(void)inet_ntop(AF_INET6, &v6->sin6_addr, out->address, sizeof(out->address));
			return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
		}
		bytes = (const unsigned char *)&v6->sin6_addr + 12;
	} else {
		return false;
	}
	(void)inet_ntop(AF_INET, bytes, out->address, sizeof(out->address));
	return bytes[0] == 127;
}
