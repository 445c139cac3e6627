/* SPDX-License-Identifier: MIT */
#include "adapter/host/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/auto.h"

static int clear_environment(void **state)
{
	(void)state;
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
	return 0;
}

/* What systemd holds: a datagram socket of this name; "@..." is abstract. */
static int supervisor(const char *name)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t n = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(n < sizeof(sa.sun_path));
	memcpy(sa.sun_path, name, n);
	if (name[0] == '@')
		sa.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	return fd;
}

static void check_heard(int fd, const char *text)
{
	char got[256] = { 0 };

	assert_int_equal(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT), strlen(text));
	assert_string_equal(got, text);
}

static void check_talk(const char *name)
{
	struct gm_notify n;
	GM_AUTO(gm_fd_close_p) int fd = supervisor(name);

	gm_notify_open(&n);
	assert_true(n.fd >= 0);
	gm_notify_send(&n, "READY=1");
	gm_notify_send(&n, "STATUS=8 GPUs");
	check_heard(fd, "READY=1");
	check_heard(fd, "STATUS=8 GPUs");
	gm_notify_close(&n);
	assert_int_equal(n.fd, -1);
	gm_notify_send(&n, "STOPPING=1");
	assert_int_equal(recv(fd, (char[8]){ 0 }, 8, MSG_DONTWAIT), -1);
}

static void test_a_socket_in_the_file_system_hears_each_state(void **state)
{
	char dir[] = "/tmp/gm-notify-XXXXXX", path[64];
	(void)state;

	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/notify", dir);
	check_talk(path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void test_an_abstract_socket_hears_each_state(void **state)
{
	char name[64];
	(void)state;

	(void)snprintf(name, sizeof(name), "@gm-notify-test-%d", (int)getpid());
	check_talk(name);
}

static void test_nobody_to_tell_is_no_error(void **state)
{
	static const char *const names[] = {
		NULL,
		"",
		"@",
		"relative",
		"vsock:2:1",
		"/nowhere/notify",
		"/a-name-that-is-longer-than-a-socket-may-have-which-is-one-hundred-and-eight-"
		"bytes-with-the-final-zero-in-them"
	};
	(void)state;

	for (size_t i = 0; i < GM_LEN(names); i++) {
		struct gm_notify n = { .fd = 7, .watchdog_ms = 9 };
		if (names[i])
			assert_int_equal(setenv("NOTIFY_SOCKET", names[i], 1), 0);
		assert_int_equal(setenv("WATCHDOG_USEC", "30000000", 1), 0);
		gm_notify_open(&n);
		assert_int_equal(n.fd, -1);
		assert_int_equal(n.watchdog_ms, 0);
		gm_notify_send(&n, "READY=1");
		gm_notify_close(&n);
	}
}

static void test_the_watchdog_is_ours_only(void **state)
{
	char own[16];
	(void)snprintf(own, sizeof(own), "%d", (int)getpid());
	const struct {
		const char *usec, *pid;
		int64_t ms;
	} rows[] = {
		{ "30000000", own, 30000 },
		{ "30000000", NULL, 30000 },
		{ "30000000", "1", 0 },
		{ "500", own, 1 },
		{ "0", own, 0 },
		{ "-5", own, 0 },
		{ "30s", own, 0 },
		{ NULL, own, 0 },
		{ "30000000", "x", 0 },
	};
	char name[64];
	(void)state;

	(void)snprintf(name, sizeof(name), "@gm-notify-dog-%d", (int)getpid());
	GM_AUTO(gm_fd_close_p) int fd = supervisor(name);
	assert_true(fd >= 0);
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		struct gm_notify n;
		(void)(rows[i].usec ? setenv("WATCHDOG_USEC", rows[i].usec, 1) : unsetenv("WATCHDOG_USEC"));
		(void)(rows[i].pid ? setenv("WATCHDOG_PID", rows[i].pid, 1) : unsetenv("WATCHDOG_PID"));
		gm_notify_open(&n);
		assert_true(n.fd >= 0);
		if (n.watchdog_ms != rows[i].ms)
			fail_msg("row %zu: %lld", i, (long long)n.watchdog_ms);
		gm_notify_close(&n);
	}
}

/* A supervisor that reads nothing must not hold us up. */
static void test_a_full_queue_does_not_block(void **state)
{
	struct gm_notify n;
	char name[64];
	(void)state;

	(void)snprintf(name, sizeof(name), "@gm-notify-full-%d", (int)getpid());
	GM_AUTO(gm_fd_close_p) int fd = supervisor(name);
	gm_notify_open(&n);
	assert_true(n.fd >= 0);
	(void)alarm(20);
	for (int i = 0; i < 20000; i++)
		gm_notify_send(&n, "WATCHDOG=1");
	(void)alarm(0);
	check_heard(fd, "WATCHDOG=1");
	gm_notify_close(&n);
}

#define TEST(name) cmocka_unit_test_setup(name, clear_environment)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_socket_in_the_file_system_hears_each_state),
		TEST(test_an_abstract_socket_hears_each_state),
		TEST(test_nobody_to_tell_is_no_error),
		TEST(test_the_watchdog_is_ours_only),
		TEST(test_a_full_queue_does_not_block),
	};

	return cmocka_run_group_tests_name("host/notify", tests, NULL, NULL);
}
