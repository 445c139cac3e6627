/* SPDX-License-Identifier: MIT */
#include "adapter/host/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "adapter/http/http.h"
#include "base/str.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

/* 0: as it should be; else the number of the line that says what was not. For the child, which has no framework. */
#define EXPECT(condition)                                                                                              \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			(void)fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, strerror(errno));     \
			return 1;                                                                                      \
		}                                                                                                      \
	} while (0)

/* Runs `body` in a process of its own: there is no way back out of a sandbox. */
static void in_child(int (*body)(enum gm_sandbox kind), enum gm_sandbox kind)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(body(kind));
	assert_true(pid > 0);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static bool refused(long result)
{
	return result == -1 && errno == EPERM;
}

static int enter(enum gm_sandbox kind)
{
	struct gm_err err = { 0 };
	int rc = gm_sandbox_enter(kind, &err);

	if (rc != 0)
		(void)fprintf(stderr, "%s\n", err.text);
	return rc;
}

static int check_forbidden(enum gm_sandbox kind)
{
	char *argv[] = { (char[]){ "true" }, NULL };
	char *none[] = { NULL };
	struct timespec now = { 0 };
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1 };

	(void)clock_gettime(CLOCK_REALTIME, &now);
	EXPECT(enter(kind) == 0);
	EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	EXPECT(refused(execve("/bin/true", argv, none)));
	EXPECT(refused(syscall(SYS_execveat, AT_FDCWD, "/bin/true", argv, none, 0)));
#ifndef SANITIZED
	EXPECT(refused(ptrace(PTRACE_TRACEME, 0, NULL, NULL)));
#endif
	EXPECT(refused(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0)));
	EXPECT(refused(mount("none", "/tmp", "tmpfs", 0, NULL)));
	EXPECT(refused(umount2("/nowhere", 0)));
	EXPECT(refused(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr))));
	EXPECT(refused(syscall(SYS_init_module, NULL, 0, "")));
	EXPECT(refused(syscall(SYS_finit_module, -1, "", 0)));
	EXPECT(refused(syscall(SYS_delete_module, "nothing", 0)));
	EXPECT(refused(syscall(SYS_keyctl, 0, 0, 0, 0, 0)));
	EXPECT(refused(clock_settime(CLOCK_REALTIME, &now)));
	EXPECT(refused(syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0)));
	EXPECT(refused(syscall(SYS_io_uring_setup, 1, NULL)));
	EXPECT(refused(unshare(CLONE_NEWNS)));
	EXPECT(refused(syscall(SYS_setns, 0, 0)));
	EXPECT(refused(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL)));
	EXPECT(syscall(SYS_clone3, NULL, 0) == -1 && errno == ENOSYS);
	return 0;
}

static int check_forbidden_to_serve(enum gm_sandbox kind)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	EXPECT(enter(kind) == 0);
	EXPECT(refused(socket(AF_NETLINK, SOCK_RAW, 0)));
	EXPECT(refused(socket(AF_PACKET, SOCK_RAW, 0)));
	EXPECT(refused(socket(AF_VSOCK, SOCK_STREAM, 0)));
	EXPECT(refused(socket(AF_ALG, SOCK_SEQPACKET, 0)));
	/* Calls of a device, and what no server needs: as if the kernel had them not. */
	EXPECT(ioctl(fd, _IOC(_IOC_READ | _IOC_WRITE, 'F', 42, 8), NULL) == -1 && errno == ENOSYS);
	EXPECT(mknod("/tmp/gm-no-device", S_IFCHR | 0600, 0x103) == -1 && errno == ENOSYS);
	EXPECT(syscall(SYS_setuid, getuid()) == -1 && errno == ENOSYS);
	EXPECT(syscall(SYS_personality, 0xffffffff) == -1 && errno == ENOSYS);
	return 0;
}

/* A line of /proc/self/status, as the kernel sees it; all ones without it, which no check takes for well. */
static uint64_t capabilities(const char *line)
{
	char text[4096] = { 0 };
	const int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	const ssize_t n = read(fd, text, sizeof(text) - 1);
	const char *at = n > 0 ? strstr(text, line) : NULL;

	(void)close(fd);
	return at ? strtoull(at + strlen(line), NULL, 16) : UINT64_MAX;
}

/* The rights that root would have: those that the kind needs stay as they were, the rest is gone for good. */
static int check_capabilities(enum gm_sandbox kind)
{
#define CAP(name) (UINT64_C(1) << CAP_##name)
	const uint64_t both = CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(DAC_READ_SEARCH) | CAP(FOWNER) | CAP(SYS_PTRACE);
	const uint64_t kept =
		both | (kind == GM_SANDBOX_SERVE ? CAP(KILL) | CAP(NET_BIND_SERVICE) : CAP(MKNOD) | CAP(SYS_ADMIN));
	const uint64_t permitted = capabilities("CapPrm:"), effective = capabilities("CapEff:");

	EXPECT(permitted != UINT64_MAX && effective != UINT64_MAX);
	EXPECT(enter(kind) == 0);
	EXPECT(capabilities("CapPrm:") == (permitted & kept));
	EXPECT(capabilities("CapEff:") == (effective & kept));
	EXPECT(capabilities("CapInh:") == 0);
	return 0;
}

static void *sum(void *arg)
{
	int *n = arg;

	for (int i = 0; i < 1000; i++)
		n = realloc(n, sizeof(*n) * (size_t)(i + 1));
	return n;
}

static int check_allowed(enum gm_sandbox kind)
{
	char dir[] = "/tmp/gm-sandbox-XXXXXX", path[64], path2[64];
	pthread_t threads[8];
	int pair[2], status = 1;

	EXPECT(enter(kind) == 0);
	/* files */
	EXPECT(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/a", dir);
	(void)snprintf(path2, sizeof(path2), "%s/b", dir);
	int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	EXPECT(fd >= 0 && write(fd, "x", 1) == 1 && fsync(fd) == 0 && rename(path, path2) == 0);
	void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EXPECT(map != MAP_FAILED && munmap(map, 4096) == 0 && close(fd) == 0);
	EXPECT(unlink(path2) == 0 && rmdir(dir) == 0);
	/* sockets, pipes */
	EXPECT((fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)) >= 0 && close(fd) == 0);
	EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0 && close(pair[0]) == 0 &&
	       close(pair[1]) == 0);
	/* threads */
	for (size_t i = 0; i < GM_LEN(threads); i++)
		EXPECT(pthread_create(&threads[i], NULL, sum, malloc(sizeof(int))) == 0);
	for (size_t i = 0; i < GM_LEN(threads); i++) {
		void *n;
		EXPECT(pthread_join(threads[i], &n) == 0);
		free(n);
	}
	/* processes: those that the keeper makes inherit the filter */
	pid_t pid = fork();
	if (pid == 0)
		_exit(refused(mount("none", "/tmp", "tmpfs", 0, NULL)) ? 0 : 1);
	EXPECT(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return 0;
}

static int check_twice(enum gm_sandbox kind)
{
	EXPECT(enter(kind) == 0);
	EXPECT(enter(kind) == 0);
	/* And the narrower one after the wider, as a child of the keeper would. */
	EXPECT(enter(GM_SANDBOX_SERVE) == 0);
	return check_allowed(GM_SANDBOX_SERVE);
}

/* A driver's calls go through: to devices, and for device files that root makes. */
static int check_driver_calls(enum gm_sandbox kind)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	EXPECT(enter(kind) == 0);
	EXPECT(ioctl(fd, _IOC(_IOC_READ | _IOC_WRITE, 'F', 42, 8), NULL) == -1 && errno == ENOTTY);
	EXPECT(syscall(SYS_personality, 0xffffffff) >= 0);
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
	EXPECT(fd >= 0);
	return 0;
}

/* The libraries that the agent is made of, in the sandbox that it serves from. */
static char cert_path[64], key_path[64];

static int write_pem(const char *path, gnutls_datum_t *pem)
{
	FILE *f = fopen(path, "we");

	EXPECT(f && fwrite(pem->data, 1, pem->size, f) == pem->size && fclose(f) == 0);
	gnutls_free(pem->data);
	return 0;
}

static int make_certificate(void)
{
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t cert;
	gnutls_datum_t pem;

	EXPECT(gnutls_x509_privkey_init(&key) == 0 && gnutls_x509_crt_init(&cert) == 0);
	EXPECT(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
					    0) == 0);
	EXPECT(gnutls_x509_crt_set_version(cert, 3) == 0 && gnutls_x509_crt_set_serial(cert, "\1", 1) == 0);
	EXPECT(gnutls_x509_crt_set_activation_time(cert, time(NULL) - 60) == 0);
	EXPECT(gnutls_x509_crt_set_expiration_time(cert, time(NULL) + 3600) == 0);
	EXPECT(gnutls_x509_crt_set_key(cert, key) == 0);
	EXPECT(gnutls_x509_crt_sign2(cert, cert, key, GNUTLS_DIG_SHA256, 0) == 0);
	EXPECT(gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &pem) == 0 && write_pem(cert_path, &pem) == 0);
	EXPECT(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem) == 0 && write_pem(key_path, &pem) == 0);
	gnutls_x509_crt_deinit(cert);
	gnutls_x509_privkey_deinit(key);
	return 0;
}

static int on_hello(struct gm_http_request *req, struct gm_http_response *res, void *ctx, struct gm_err *err)
{
	(void)req;
	(void)ctx;
	(void)err;
	gm_buf_add_cstr(&res->body, "hello");
	return 0;
}
static const struct gm_route routes[] = { { .path = "/hello", .handler = on_hello, .operation = "hello" } };

static int ask_over_tls(uint16_t port)
{
	static const char request[] = "GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	gnutls_certificate_credentials_t credentials;
	gnutls_session_t session;
	char answer[2048];
	size_t n = 0;
	ssize_t got;
	int rc, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	EXPECT(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
	EXPECT(gnutls_certificate_allocate_credentials(&credentials) == 0 && gnutls_init(&session, GNUTLS_CLIENT) == 0);
	EXPECT(gnutls_set_default_priority(session) == 0);
	EXPECT(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials) == 0);
	gnutls_transport_set_int(session, fd);
	while ((rc = gnutls_handshake(session)) == GNUTLS_E_INTERRUPTED || rc == GNUTLS_E_AGAIN)
		continue;
	EXPECT(rc == 0);
	EXPECT(gnutls_record_send(session, request, sizeof(request) - 1) == (ssize_t)sizeof(request) - 1);
	while ((got = gnutls_record_recv(session, answer + n, sizeof(answer) - 1 - n)) > 0 || got == GNUTLS_E_AGAIN ||
	       got == GNUTLS_E_INTERRUPTED)
		n += got > 0 ? (size_t)got : 0;
	answer[n] = '\0';
	EXPECT(strncmp(answer, "HTTP/1.1 200 ", 13) == 0 && strstr(answer, "\r\n\r\nhello"));
	gnutls_deinit(session);
	gnutls_certificate_free_credentials(credentials);
	(void)close(fd);
	return 0;
}

static int check_server(enum gm_sandbox kind)
{
	const struct gm_http_conf conf = { .routes = routes,
					   .route_count = GM_LEN(routes),
					   .threads = 2,
					   .tls_cert_file = cert_path,
					   .tls_key_file = key_path,
					   .tls_client_ca_file = cert_path };
	struct gm_http_conf local = { .routes = routes, .route_count = GM_LEN(routes), .threads = 1 };
	struct gm_http_server *server = NULL, *other = NULL;
	struct gm_err err = { 0 };
	char dir[] = "/tmp/gm-sandbox-XXXXXX", url[64];

	EXPECT(mkdtemp(dir));
	(void)snprintf(cert_path, sizeof(cert_path), "%s/cert", dir);
	(void)snprintf(key_path, sizeof(key_path), "%s/key", dir);
	(void)snprintf(url, sizeof(url), "unix:%s/socket", dir);
	local.bind = url;
	EXPECT(make_certificate() == 0);
	EXPECT(enter(kind) == 0);
	EXPECT(gm_http_server_start(&conf, &server, &err) == 0);
	EXPECT(gm_http_server_start(&local, &other, &err) == 0);
	for (int i = 0; i < 5; i++)
		EXPECT(ask_over_tls(gm_http_server_port(server)) == 0);
	EXPECT(gm_http_server_reload_tls(server, &err) == 0);
	EXPECT(ask_over_tls(gm_http_server_port(server)) == 0);
	EXPECT(gm_http_server_stop(server, 5000) && gm_http_server_stop(other, 5000));
	gm_http_server_free(server);
	gm_http_server_free(other);
	EXPECT(unlink(cert_path) == 0 && unlink(key_path) == 0 && rmdir(dir) == 0);
	return 0;
}

static void test_what_is_forbidden_fails_and_nobody_dies(void **state)
{
	(void)state;
	in_child(check_forbidden, GM_SANDBOX_SERVE);
	in_child(check_forbidden, GM_SANDBOX_DRIVER);
}
static void test_a_server_may_less(void **state)
{
	(void)state;
	in_child(check_forbidden_to_serve, GM_SANDBOX_SERVE);
}
static void test_root_gives_up_what_serving_needs_not(void **state)
{
	(void)state;
	in_child(check_capabilities, GM_SANDBOX_SERVE);
	in_child(check_capabilities, GM_SANDBOX_DRIVER);
}
static void test_files_sockets_threads_and_forks_work(void **state)
{
	(void)state;
	in_child(check_allowed, GM_SANDBOX_SERVE);
	in_child(check_allowed, GM_SANDBOX_DRIVER);
}
static void test_entering_again_is_harmless(void **state)
{
	(void)state;
	in_child(check_twice, GM_SANDBOX_SERVE);
	in_child(check_twice, GM_SANDBOX_DRIVER);
}
static void test_a_driver_reaches_its_devices(void **state)
{
	(void)state;
	in_child(check_driver_calls, GM_SANDBOX_DRIVER);
}
static void test_the_http_server_works_inside_with_tls(void **state)
{
	(void)state;
	in_child(check_server, GM_SANDBOX_SERVE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_forbidden_fails_and_nobody_dies),
		cmocka_unit_test(test_a_server_may_less),
		cmocka_unit_test(test_root_gives_up_what_serving_needs_not),
		cmocka_unit_test(test_files_sockets_threads_and_forks_work),
		cmocka_unit_test(test_entering_again_is_harmless),
		cmocka_unit_test(test_a_driver_reaches_its_devices),
		cmocka_unit_test(test_the_http_server_works_inside_with_tls),
	};

	return cmocka_run_group_tests_name("host/sandbox", tests, NULL, NULL);
}
