/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/parse.h"
#include "suite.h"

#define INTERVAL_MS 100
#define START_MS 60000 /* the first attach of each GPU takes seconds without persistence mode */
#define STOP_MS 10000
#define PROCESSES_MAX 64
#define SAMPLES "gpu_agent_device_samples_total"
#define MISSED "gpu_agent_device_missed_samples_total"

struct running {
	pid_t pid;
	int pidfd;
	uint16_t port;
	char state[64];
};

static int64_t now_ms(void)
{
	return gm_clock_mono_ns() / 1000000;
}

static uint16_t free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	GM_AUTO(gm_fd_close_p) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || getsockname(fd, (struct sockaddr *)&a, &n) < 0)
		return 0;
	return ntohs(a.sin_port);
}

static void start_agent(const struct suite *s, const char *listen_at, const char *state_dir)
{
	char state[128], library[4200];
	const char *argv[16] = { s->agent, "--interval", "100ms", "--listen",	listen_at,
				 "--set",  state,	 "--set", "socket=none" };
	(void)snprintf(state, sizeof(state), "state-dir=%s", state_dir);
	if (s->nvml_path) {
		(void)snprintf(library, sizeof(library), "nvml.library=%s", s->nvml_path);
		argv[9] = "--set";
		argv[10] = library;
	}
	(void)execv(s->agent, (char *const *)(uintptr_t)argv);
	_exit(127);
}

/* One request over a connection of its own; false when there is no answer of status 200. */
static bool ask(uint16_t port, const char *path, struct gm_buf *out)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons(port) };
	char request[128];
	int n = snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", path);
	GM_AUTO(gm_fd_close_p) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval limit = { .tv_sec = 5 };
	gm_buf_reset(out);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	    connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || write(fd, request, (size_t)n) != n)
		return false;
	for (;;) {
		char *room = gm_buf_reserve(out, 16384);
		ssize_t got = room ? read(fd, room, 16384) : -1;
		if (got < 0)
			return false;
		if (got == 0)
			break;
		gm_buf_advance(out, (size_t)got);
	}
	return out->n > 12 && memcmp(out->p + 8, " 200", 4) == 0;
}

/* The sum over all lines of a family; -1 when there is none. */
static double sum_of(const struct gm_buf *page, const char *family)
{
	struct gm_str rest = gm_buf_str(page), line, name = gm_str(family);
	double sum = 0, v;
	bool any = false;
	while (gm_str_split(&rest, '\n', &line)) {
		if (!gm_str_starts(line, name) || line.n <= name.n || (line.p[name.n] != '{' && line.p[name.n] != ' '))
			continue;
		size_t last = line.n;
		while (last > 0 && line.p[last - 1] != ' ')
			last--;
		if (gm_parse_f64(gm_str_n(line.p + last, line.n - last), &v)) {
			sum += v;
			any = true;
		}
	}
	return any ? sum : -1;
}

static pid_t parent_of(pid_t pid)
{
	char path[64], text[512];
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	GM_AUTO(gm_fd_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	const char *behind = strrchr(text, ')');
	int parent = -1;
	return behind && sscanf(behind + 1, " %*c %d", &parent) == 1 ? (pid_t)parent : -1;
}

/* The agent and all below it. */
static size_t processes_of(pid_t agent, pid_t out[static PROCESSES_MAX])
{
	size_t n = 0, seen = SIZE_MAX;
	out[n++] = agent;
	while (n != seen) { /* a child's directory may stand before its parent's */
		seen = n;
		DIR *d = opendir("/proc");
		for (struct dirent *e; d && (e = readdir(d)) && n < PROCESSES_MAX;) {
			uint64_t pid;
			bool known = false;
			if (!gm_parse_u64(gm_str(e->d_name), 1, INT32_MAX, &pid))
				continue;
			pid_t parent = parent_of((pid_t)pid);
			for (size_t i = 0; i < n; i++)
				known = known || out[i] == (pid_t)pid;
			for (size_t i = 0; i < n && !known; i++)
				if (out[i] == parent) {
					out[n++] = (pid_t)pid;
					known = true;
				}
		}
		if (d)
			(void)closedir(d);
	}
	return n;
}

static double memory_mib(pid_t agent, size_t *out_processes)
{
	pid_t pids[PROCESSES_MAX];
	double kib = 0;
	*out_processes = processes_of(agent, pids);
	for (size_t i = 0; i < *out_processes; i++) {
		int64_t one = suite_pss_kib(pids[i]);
		kib += one > 0 ? (double)one : 0;
	}
	return kib / 1024;
}

/* True when it ended meanwhile. */
static bool wait_ended(const struct running *r, int64_t ms)
{
	struct pollfd p = { .fd = r->pidfd, .events = POLLIN };
	return poll(&p, 1, (int)ms) == 1;
}

struct state {
	double samples, missed, memory;
	size_t processes;
	int64_t at_ms;
};

static bool look(const struct running *r, struct gm_buf *page, struct state *out)
{
	if (!ask(r->port, "/metrics", page))
		return false;
	out->samples = sum_of(page, SAMPLES);
	out->missed = sum_of(page, MISSED);
	out->memory = memory_mib(r->pid, &out->processes);
	out->at_ms = now_ms();
	return out->samples >= 0;
}

/* Begins to count when every board is read and the first minutes' growth (tables, pools) is behind it. */
static bool settle(const struct suite *s, const struct running *r, struct gm_buf *page, struct state *out)
{
	int64_t until = now_ms() + START_MS, warm = now_ms() + (s->seconds >= 60 ? 15000 : 2000);
	bool all = false;
	while (now_ms() < until) {
		if (wait_ended(r, 100))
			return suite_check(false, "the agent starts", "it ended");
		all = look(r, page, out) && sum_of(page, "gpu_agent_device_info") >= s->boards &&
		      out->samples >= 2.0 * s->boards;
		if (all && now_ms() >= warm)
			return suite_check(true, "the agent starts", "%u GPUs on its page", s->boards);
	}
	return suite_check(false, "the agent starts", "not all of %u GPUs on its page within %d s", s->boards,
			   START_MS / 1000);
}

static void judge(const struct suite *s, const struct state *first, const struct state *last, double most)
{
	double seconds = (double)(last->at_ms - first->at_ms) / 1000;
	double due = seconds * 1000 / INTERVAL_MS * s->boards, samples = last->samples - first->samples;
	(void)suite_check(last->missed - first->missed < 0.5, "no interval is missed",
			  "%.0f of %.0f at 100 ms in %.0f s", last->missed - first->missed, due, seconds);
	/* The page is made once a round, so the ends are known to two rounds. */
	(void)suite_check(samples >= due - 3.0 * s->boards - due / 1000, "as many samples as intervals", "%.0f of %.0f",
			  samples, due);
	(void)suite_check(last->memory <= first->memory + 0.25 + first->memory / 50 &&
				  last->processes == first->processes,
			  "memory is flat", "%.2f MiB in %zu processes, then %.2f in %zu, at most %.2f", first->memory,
			  first->processes, last->memory, last->processes, most);
	suite_figure("agent.memory_with_nvml", last->memory, "MiB");
	suite_figure("agent.processes", (double)last->processes, "processes");
}

static void watch(const struct suite *s, const struct running *r)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf page = { 0 };
	struct state first = { 0 }, last;
	if (!settle(s, r, &page, &first))
		return;
	double most = first.memory;
	last = first;
	for (int64_t until = first.at_ms + s->seconds * 1000; now_ms() < until;) {
		if (wait_ended(r, 1000)) {
			(void)suite_check(false, "the agent runs", "it ended");
			return;
		}
		if (!look(r, &page, &last)) {
			(void)suite_check(false, "the agent answers", "/metrics did not within 5 s");
			return;
		}
		most = last.memory > most ? last.memory : most;
	}
	judge(s, &first, &last, most);
	(void)suite_check(ask(r->port, "/healthz", &page), "healthz", "%s", page.n ? "" : "no answer");
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
	(void)st, (void)kind, (void)place;
	return remove(path);
}

void suite_agent(const struct suite *s)
{
	struct running r = { .port = free_port(), .state = "/tmp/gpu-suite-XXXXXX" };
	char listen_at[32];
	if (!mkdtemp(r.state)) {
		(void)suite_check(false, "the agent starts", "no folder for its state");
		return;
	}
	(void)snprintf(listen_at, sizeof(listen_at), "127.0.0.1:%u", r.port);
	(void)fflush(stdout);
	r.pid = fork();
	if (r.pid == 0)
		start_agent(s, listen_at, r.state);
	r.pidfd = r.pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, r.pid, 0);
	if (r.pidfd >= 0) {
		watch(s, &r);
		(void)kill(r.pid, SIGTERM);
		bool ended = wait_ended(&r, STOP_MS);
		int status = -1;
		if (ended)
			(void)waitpid(r.pid, &status, 0);
		(void)suite_check(ended && WIFEXITED(status) && WEXITSTATUS(status) == 0, "the agent ends when told to",
				  ended ? "status %d" : "not within 10 s", status);
		(void)close(r.pidfd);
	}
	(void)nftw(r.state, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
