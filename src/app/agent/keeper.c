/* SPDX-License-Identifier: MIT */
#include "app/agent/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/alloc.h"

#define CHILDREN_MAX 16 /* more at once than the agent ever asks for */
#define SPAWN_WAIT_MS 5000

struct request {
	enum gm_keeper_role role;
	int argument;
};
struct message {
	bool ended; /* else the answer to a request */
	int error;  /* of a request: errno, 0 */
	struct gm_keeper_end end;
};

struct gm_keeper {
	int fd;	      /* SOCK_SEQPACKET to the keeper: one packet a message */
	int alive_fd; /* written never; closed by our end, which all others see */
	pid_t pid;
	struct gm_keeper_end ends[CHILDREN_MAX]; /* that came while an answer was waited for */
	size_t end_count;
	bool gone;
};

struct keeper_process {
	const struct gm_keeper_work *work;
	int fd, signal_fd, agent_gone_fd;
	struct gm_keeper_end children[CHILDREN_MAX]; /* pid 0: free */
};

static void child_run(struct keeper_process *p, const struct request *req)
{
	static const int crashes[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	sigset_t none;

	(void)close(p->fd);
	(void)close(p->signal_fd);
	/*
	 * A terminal's Ctrl-C and a supervisor's TERM go to all processes: the agent alone decides who ends, and when.
	 * Blocked until they are ignored, so that none slips in between.
	 */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* A crash ends the child at once, whatever the agent does about its own. */
	for (size_t i = 0; i < GM_LEN(crashes); i++)
		(void)signal(crashes[i], SIG_DFL);
	(void)prctl(PR_SET_NAME, req->role == GM_KEEPER_SAMPLER ? "gpu-agent-nvml" : "gpu-agent-mig");
	_exit(p->work->run(p->work->ctx, req->role, req->argument, p->agent_gone_fd));
}

static void answer_request(struct keeper_process *p, const struct request *req)
{
	struct message m = { .error = EAGAIN };
	struct gm_keeper_end *place = NULL;

	for (size_t i = 0; i < CHILDREN_MAX && !place; i++) {
		if (p->children[i].pid == 0)
			place = &p->children[i];
	}
	if (place) {
		const pid_t pid = fork();
		if (pid == 0)
			child_run(p, req);
		if (pid > 0) {
			*place = (struct gm_keeper_end){ .role = req->role, .argument = req->argument, .pid = pid };
			m = (struct message){ .end = *place };
		} else {
			m.error = errno;
		}
	}
	(void)send(p->fd, &m, sizeof(m), MSG_NOSIGNAL);
}

static void tell_ends(struct keeper_process *p)
{
	struct signalfd_siginfo info;
	int status = 0;

	(void)!read(p->signal_fd, &info, sizeof(info));
	for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG)) {
		for (size_t i = 0; i < CHILDREN_MAX; i++) {
			struct gm_keeper_end *c = &p->children[i];
			if (c->pid != pid)
				continue;
			const struct message m = { .ended = true, .end = { c->role, c->argument, pid, status } };
			c->pid = 0;
			(void)send(p->fd, &m, sizeof(m), MSG_NOSIGNAL);
		}
	}
}

static _Noreturn void keeper_run(struct keeper_process *p)
{
	struct pollfd fds[2] = { { .fd = p->fd, .events = POLLIN }, { .fd = p->signal_fd, .events = POLLIN } };

	(void)prctl(PR_SET_NAME, "gpu-agent-keep");
	if (p->work->enter)
		p->work->enter(p->work->ctx);
	for (;;) {
		if (poll(fds, GM_LEN(fds), -1) < 0 && errno != EINTR)
			_exit(1);
		if (fds[1].revents)
			tell_ends(p);
		if (fds[0].revents) {
			struct request req;
			const ssize_t n = recv(p->fd, &req, sizeof(req), 0);
			if (n == 0 || (n < 0 && errno != EINTR))
				_exit(0); /* the agent is gone; children see it by themselves */
			if (n == (ssize_t)sizeof(req))
				answer_request(p, &req);
		}
	}
}

/* In the new process: nothing of the agent's but what children need. */
static _Noreturn void keeper_begin(const struct gm_keeper_work *work, int fd, int agent_gone_fd)
{
	struct keeper_process p = { .work = work, .fd = fd, .agent_gone_fd = agent_gone_fd, .signal_fd = -1 };
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)signal(SIGCHLD, SIG_DFL);
	p.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (p.signal_fd < 0)
		_exit(1);
	keeper_run(&p);
}

int gm_keeper_start(const struct gm_keeper_work *work, struct gm_keeper **out, struct gm_err *err)
{
	int pair[2], alive[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return gm_fail_errno(err, errno, "socket to the keeper");
	if (pipe2(alive, O_CLOEXEC) < 0) {
		const int e = errno;
		(void)close(pair[0]);
		(void)close(pair[1]);
		return gm_fail_errno(err, e, "pipe to the keeper");
	}
	const pid_t pid = fork();
	if (pid == 0) {
		(void)close(pair[0]);
		(void)close(alive[1]);
		keeper_begin(work, pair[1], alive[0]);
	}
	const int e = errno;
	(void)close(pair[1]);
	(void)close(alive[0]);
	if (pid < 0) {
		(void)close(pair[0]);
		(void)close(alive[1]);
		return gm_fail_errno(err, e, "fork");
	}
	struct gm_keeper *k = gm_xalloc(sizeof(*k));
	k->fd = pair[0];
	k->alive_fd = alive[1];
	k->pid = pid;
	*out = k;
	return 0;
}

/* 1 with a message, 0 for none within wait_ms, negative when nobody is there any more. */
static int receive(struct gm_keeper *k, int wait_ms, struct message *m)
{
	struct pollfd fd = { .fd = k->fd, .events = POLLIN };

	if (k->gone)
		return -1;
	const int ready = poll(&fd, 1, wait_ms);
	if (ready == 0 || (ready < 0 && errno == EINTR))
		return 0;
	if (recv(k->fd, m, sizeof(*m), 0) == (ssize_t)sizeof(*m))
		return 1;
	k->gone = true;
	return -1;
}

int gm_keeper_spawn(struct gm_keeper *k, enum gm_keeper_role role, int argument, pid_t *out_pid, struct gm_err *err)
{
	const struct request req = { role, argument };
	struct message m;

	if (k->gone || send(k->fd, &req, sizeof(req), MSG_NOSIGNAL) != (ssize_t)sizeof(req))
		return gm_fail(err, GM_ERR_UNAVAILABLE, "the keeper process is gone");
	for (;;) {
		const int r = receive(k, SPAWN_WAIT_MS, &m);
		if (r == 0) /* an answer that came later would be taken for another's */
			k->gone = true;
		if (r <= 0)
			return gm_fail(err, GM_ERR_UNAVAILABLE, "the keeper process does not answer");
		if (!m.ended)
			break;
		if (k->end_count < CHILDREN_MAX)
			k->ends[k->end_count++] = m.end;
	}
	if (m.error)
		return gm_fail_errno(err, m.error, "fork in the keeper");
	*out_pid = m.end.pid;
	return 0;
}

int gm_keeper_fd(const struct gm_keeper *k)
{
	return k->fd;
}

int gm_keeper_next_end(struct gm_keeper *k, struct gm_keeper_end *out)
{
	struct message m;

	if (k->end_count) {
		*out = k->ends[0];
		k->end_count--;
		for (size_t i = 0; i < k->end_count; i++)
			k->ends[i] = k->ends[i + 1];
		return 1;
	}
	const int r = receive(k, 0, &m);
	if (r > 0)
		*out = m.end;
	return r;
}

pid_t gm_keeper_pid(const struct gm_keeper *k)
{
	return k->pid;
}

void gm_keeper_free(struct gm_keeper *k)
{
	if (!k)
		return;
	(void)close(k->alive_fd);
	(void)close(k->fd);
	(void)waitpid(k->pid, NULL, 0);
	free(k);
}
