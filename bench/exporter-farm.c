/* SPDX-License-Identifier: MIT */
/*
 * Many dcgm-exporters in one process, for load tests: N targets of G boards, each page with the families of a default
 * dcgm-exporter and values that move with time. Which target is asked is told by the address (target i is
 * 127.1.0.1 + i at --port), by the path (/target/<i>/metrics) or by the port (--port-base P: target i at P + i).
 * SIGUSR1 begins the counts anew, SIGTERM prints them and ends.
 * It shares the machine with what is measured, so a page is copied together from labels made at the start.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/auto.h"
#include "base/parse.h"
#include "base/str.h"
#include "core/sim/noise.h"

#define TARGETS_MAX 65536
#define GPUS_MAX 16
#define REQUEST_MAX 4096
#define HEAD_ROOM 256
#define FIRST_ADDRESS UINT32_C(0x7f010001) /* 127.1.0.1 */

/* Families in the order of a default page: name, type, decimals on the page, help. */
#define FAMILY_LIST(X)                                                                                                 \
	X(DEV_SM_CLOCK, "gauge", 0, "SM clock frequency (in MHz).")                                                    \
	X(DEV_MEM_CLOCK, "gauge", 0, "Memory clock frequency (in MHz).")                                               \
	X(DEV_MEMORY_TEMP, "gauge", 0, "Memory temperature (in C).")                                                   \
	X(DEV_GPU_TEMP, "gauge", 0, "GPU temperature (in C).")                                                         \
	X(DEV_POWER_USAGE, "gauge", 6, "Power draw (in W).")                                                           \
	X(DEV_TOTAL_ENERGY_CONSUMPTION, "counter", 0, "Total energy consumption since boot (in mJ).")                  \
	X(DEV_PCIE_REPLAY_COUNTER, "counter", 0, "Total number of PCIe retries.")                                      \
	X(DEV_GPU_UTIL, "gauge", 0, "GPU utilization (in %).")                                                         \
	X(DEV_MEM_COPY_UTIL, "gauge", 0, "Memory utilization (in %).")                                                 \
	X(DEV_ENC_UTIL, "gauge", 0, "Encoder utilization (in %).")                                                     \
	X(DEV_DEC_UTIL, "gauge", 0, "Decoder utilization (in %).")                                                     \
	X(DEV_XID_ERRORS, "gauge", 0, "Value of the last XID error encountered.")                                      \
	X(DEV_FB_FREE, "gauge", 0, "Framebuffer memory free (in MiB).")                                                \
	X(DEV_FB_USED, "gauge", 0, "Framebuffer memory used (in MiB).")                                                \
	X(DEV_FB_RESERVED, "gauge", 0, "Framebuffer memory reserved (in MiB).")                                        \
	X(DEV_NVLINK_BANDWIDTH_TOTAL, "counter", 0, "Total number of NVLink bandwidth counters for all lanes.")        \
	X(DEV_VGPU_LICENSE_STATUS, "gauge", 0, "vGPU License status")                                                  \
	X(DEV_UNCORRECTABLE_REMAPPED_ROWS, "counter", 0, "Number of remapped rows for uncorrectable errors")           \
	X(DEV_CORRECTABLE_REMAPPED_ROWS, "counter", 0, "Number of remapped rows for correctable errors")               \
	X(DEV_ROW_REMAP_FAILURE, "gauge", 0, "Whether remapping of rows has failed")                                   \
	X(PROF_GR_ENGINE_ACTIVE, "gauge", 6, "Ratio of time the graphics engine is active.")                           \
	X(PROF_PIPE_TENSOR_ACTIVE, "gauge", 6, "Ratio of cycles the tensor (HMMA) pipe is active.")                    \
	X(PROF_DRAM_ACTIVE, "gauge", 6, "Ratio of cycles the device memory interface is active.")                      \
	X(PROF_PCIE_TX_BYTES, "gauge", 0, "The rate of data transmitted over the PCIe bus, in bytes per second.")      \
	X(PROF_PCIE_RX_BYTES, "gauge", 0, "The rate of data received over the PCIe bus, in bytes per second.")

enum family {
#define FAMILY_ENUM(name, type, decimals, help) name,
	FAMILY_LIST(FAMILY_ENUM)
#undef FAMILY_ENUM
		FAMILY_COUNT
};
static const struct {
	struct gm_str name, head;
	unsigned decimals;
} families[FAMILY_COUNT] = {
#define FAMILY_ROW(name, type, decimals, help)                                                                         \
	{ GM_STR("DCGM_FI_" #name), GM_STR("# HELP DCGM_FI_" #name " " help "\n# TYPE DCGM_FI_" #name " " type "\n"),  \
	  decimals },
	FAMILY_LIST(FAMILY_ROW)
#undef FAMILY_ROW
};

/* A board: its labels with braces and the blank behind them, and what its values swing around. */
struct board {
	uint64_t seed;
	char *labels;
	size_t label_size;
	int64_t base; /* load, parts of one; 0: idle */
	int64_t limit_mw, total_mib, used_mib, energy_mj, nvlink;
};

struct connection {
	int fd;
	int target; /* by address or port; -1: by path only */
	char *rest; /* of an answer that the socket did not take at once */
	size_t rest_size, rest_sent;
	size_t got;
	char request[REQUEST_MAX];
};

struct farm {
	size_t targets, gpus;
	uint64_t seed;
	int64_t interval_ms; /* values change this often */
	uint16_t port, port_base;
	struct board *boards;
	char *page;
	size_t page_size;
	int epoll, signals;
	uint64_t pages, bytes, refused;
	int64_t *asked_ms;	/* of each target: when its page was last asked for; 0: never */
	int64_t longest_gap_ms; /* between two pages of one target: tells a late scrape when one scraper comes */
	double cpu_before, user_before; /* the counts began */
	struct connection **open;	/* by descriptor */
	size_t open_size;
};

static _Noreturn void die(const char *what)
{
	(void)fprintf(stderr, "exporter-farm: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
	exit(1);
}

static int64_t now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void make_labels(struct board *b, size_t target, size_t gpu)
{
	static const char *const pods[][3] = {
		{ "vllm", "model-serving", "vllm-llama3-8b-6c9f7d5b8d" },
		{ "sglang", "chat-prod", "sglang-qwen2-72b-7d4b9c6f55" },
		{ "trainer", "ai-research", "llama3-8b-sft-412-master" },
	};
	char uuid[40], pod[160] = "", text[640];
	uint64_t a = sim_hash(b->seed, 1, 0), c = sim_hash(b->seed, 1, 1);
	(void)snprintf(uuid, sizeof(uuid), "%08x-%04x-4%03x-a%03x-%012llx", (unsigned)(a >> 32),
		       (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff), (unsigned)(c >> 48 & 0xfff),
		       (unsigned long long)(c & UINT64_C(0xffffffffffff)));
	if (b->base) {
		const char *const *p = pods[a % GM_LEN(pods)];
		(void)snprintf(pod, sizeof(pod), ",container=\"%s\",namespace=\"%s\",pod=\"%s-%05x\"", p[0], p[1], p[2],
			       (unsigned)(c & 0xfffff));
	}
	int n = snprintf(text, sizeof(text),
			 "{gpu=\"%zu\",UUID=\"GPU-%s\",pci_bus_id=\"00000000:%02X:00.0\",device=\"nvidia%zu\","
			 "modelName=\"%s\",Hostname=\"gpu-node-%05zu\",DCGM_FI_DRIVER_VERSION=\"570.133.20\"%s} ",
			 gpu, uuid, (unsigned)(0x18 + gpu * 13), gpu,
			 b->limit_mw > 500000 ? "NVIDIA H100 80GB HBM3" : "NVIDIA A100-SXM4-80GB", target, pod);
	b->label_size = (size_t)n;
	b->labels = gm_xmemdup(text, b->label_size);
}

static void make_boards(struct farm *f)
{
	size_t labels = 0, fixed = 0;
	f->boards = gm_xalloc(f->targets * f->gpus * sizeof(*f->boards));
	f->asked_ms = gm_xalloc(f->targets * sizeof(*f->asked_ms));
	for (size_t i = 0; i < f->targets * f->gpus; i++) {
		struct board *b = &f->boards[i];
		b->seed = sim_hash(f->seed, 2, i);
		bool h100 = sim_hash(f->seed, 3, i / f->gpus) % 5 < 2;
		b->limit_mw = h100 ? 700000 : 400000;
		b->total_mib = h100 ? 81559 : 81920;
		b->base = b->seed % 100 < 15 ? 0 : sim_between(b->seed >> 8, SIM_ONE / 10, SIM_ONE * 9 / 10);
		b->used_mib = b->base ? sim_between(b->seed >> 20, 20000, 75000) : 4;
		b->energy_mj = sim_between(b->seed >> 4, 1000000000, 900000000000);
		b->nvlink = sim_between(b->seed >> 6, 0, 1000000000);
		make_labels(b, i / f->gpus, i % f->gpus);
		labels = b->label_size > labels ? b->label_size : labels;
	}
	for (size_t k = 0; k < FAMILY_COUNT; k++)
		fixed += families[k].head.n + f->gpus * (families[k].name.n + labels + 32);
	f->page_size = HEAD_ROOM + fixed;
	f->page = gm_xalloc(f->page_size);
}

/* What the board shows at this time: whole numbers in the page's unit times 10^decimals. */
static void measure(const struct board *b, int64_t t_ms, int64_t start_ms, int64_t out[static FAMILY_COUNT])
{
	uint64_t chance = sim_hash(b->seed, 4, (uint64_t)t_ms);
	int64_t slow = sim_wander(b->seed, 5, t_ms, 420000), fast = sim_wander(b->seed, 6, t_ms, 45000);
	int64_t load = b->base ? sim_clamp(b->base + slow / 6 + fast / 8, SIM_ONE / 50, SIM_ONE) : 0;
	int64_t shaken = sim_clamp(load + load * ((int64_t)(chance & 0xff) - 128) / 8192, 0, SIM_ONE);
	int64_t mean_mw = b->limit_mw / 8 + b->limit_mw * b->base / SIM_ONE * 3 / 4;
	int64_t mw = b->limit_mw / 8 + b->limit_mw * shaken / SIM_ONE * 3 / 4 + (int64_t)(chance >> 8 & 0x3ff);
	int64_t celsius = 28 + (int64_t)(b->seed & 7) + 38 * sim_clamp(b->base + slow / 6, 0, SIM_ONE) / SIM_ONE;
	int64_t used = b->used_mib + (b->base ? (int64_t)(sim_hash(b->seed, 7, (uint64_t)(t_ms / 600000)) & 0x3ff) : 0);
	memset(out, 0, FAMILY_COUNT * sizeof(*out));
	out[DEV_SM_CLOCK] = b->base ? 1980 - 15 * (load * 12 / SIM_ONE) : 345;
	out[DEV_MEM_CLOCK] = b->limit_mw > 500000 ? 2619 : 1593;
	out[DEV_GPU_TEMP] = celsius;
	out[DEV_MEMORY_TEMP] = celsius + 9;
	out[DEV_POWER_USAGE] = mw * 1000;
	out[DEV_TOTAL_ENERGY_CONSUMPTION] = b->energy_mj + mean_mw * (t_ms - start_ms) / 1000;
	out[DEV_GPU_UTIL] = shaken * 100 / SIM_ONE;
	out[DEV_MEM_COPY_UTIL] = shaken * 60 / SIM_ONE;
	out[DEV_FB_RESERVED] = 640;
	out[DEV_FB_USED] = used;
	out[DEV_FB_FREE] = b->total_mib - 640 - used;
	out[DEV_NVLINK_BANDWIDTH_TOTAL] = b->nvlink + b->base * (t_ms - start_ms) / 16;
	out[DEV_UNCORRECTABLE_REMAPPED_ROWS] = b->seed % 997 == 0;
	out[PROF_GR_ENGINE_ACTIVE] = shaken * 1000000 / SIM_ONE;
	out[PROF_PIPE_TENSOR_ACTIVE] = out[PROF_GR_ENGINE_ACTIVE] * 41 / 100;
	out[PROF_DRAM_ACTIVE] = out[PROF_GR_ENGINE_ACTIVE] * 57 / 100;
	out[PROF_PCIE_TX_BYTES] = load * 9000 + (int64_t)(chance >> 20 & 0xfffff);
	out[PROF_PCIE_RX_BYTES] = load * 31000 + (int64_t)(chance >> 40 & 0xfffff);
}

static char *put(char *p, struct gm_str s)
{
	memcpy(p, s.p, s.n);
	return p + s.n;
}

/* v >= 0, with all its decimals as DCGM's "%f". */
static char *put_number(char *p, int64_t v, unsigned decimals)
{
	char digits[24], *d = digits + sizeof(digits);
	unsigned n = 0;
	do {
		*--d = (char)('0' + v % 10);
		v /= 10;
		if (++n == decimals)
			*--d = '.';
	} while (v || n <= decimals);
	return put(p, gm_str_n(d, (size_t)(digits + sizeof(digits) - d)));
}

/* The body behind HEAD_ROOM; answers its end. */
static char *render(struct farm *f, size_t target, int64_t t_ms, int64_t start_ms)
{
	int64_t values[GPUS_MAX][FAMILY_COUNT];
	const struct board *boards = &f->boards[target * f->gpus];
	char *p = f->page + HEAD_ROOM;
	for (size_t g = 0; g < f->gpus; g++)
		measure(&boards[g], t_ms, start_ms, values[g]);
	for (size_t k = 0; k < FAMILY_COUNT; k++) {
		p = put(p, families[k].head);
		for (size_t g = 0; g < f->gpus; g++) {
			p = put(p, families[k].name);
			p = put(p, gm_str_n(boards[g].labels, boards[g].label_size));
			p = put_number(p, values[g][k], families[k].decimals);
			*p++ = '\n';
		}
	}
	return p;
}

static void close_connection(struct farm *f, struct connection *c)
{
	f->open[c->fd] = NULL;
	(void)close(c->fd);
	free(c->rest);
	free(c);
}

static void watch(const struct farm *f, int fd, uint32_t events, int how)
{
	struct epoll_event e = { .events = events, .data.fd = fd };
	if (epoll_ctl(f->epoll, how, fd, &e) < 0)
		die("epoll_ctl");
}

/* False when the connection is gone. */
static bool send_bytes(struct farm *f, struct connection *c, const char *p, size_t n)
{
	ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0 && errno != EAGAIN) {
		close_connection(f, c);
		return false;
	}
	size_t done = sent < 0 ? 0 : (size_t)sent;
	f->bytes += done;
	if (done < n) {
		c->rest = gm_xmemdup(p + done, n - done);
		c->rest_size = n - done;
		c->rest_sent = 0;
		watch(f, c->fd, EPOLLOUT, EPOLL_CTL_MOD);
	}
	return true;
}

static bool refuse(struct farm *f, struct connection *c, const char *status)
{
	char text[160];
	int n = snprintf(text, sizeof(text), "HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status);
	f->refused++;
	(void)send(c->fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	close_connection(f, c);
	return false;
}

static void note_gap(struct farm *f, size_t target, int64_t t_ms)
{
	int64_t gap = f->asked_ms[target] ? t_ms - f->asked_ms[target] : 0;
	f->longest_gap_ms = gap > f->longest_gap_ms ? gap : f->longest_gap_ms;
	f->asked_ms[target] = t_ms;
}

static bool send_page(struct farm *f, struct connection *c, size_t target)
{
	static int64_t start_ms;
	int64_t asked_ms = now_ms(), t_ms = asked_ms / f->interval_ms * f->interval_ms;
	note_gap(f, target, asked_ms);
	if (!start_ms)
		start_ms = t_ms;
	char head[HEAD_ROOM], *body = f->page + HEAD_ROOM, *end = render(f, target, t_ms, start_ms);
	int n = snprintf(head, sizeof(head),
			 "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
			 "Content-Length: %zu\r\n\r\n",
			 (size_t)(end - body));
	memcpy(body - n, head, (size_t)n);
	f->pages++;
	return send_bytes(f, c, body - n, (size_t)(end - body) + (size_t)n);
}

/* "/metrics" of the address or port asked, or "/target/<i>/metrics". -1: no such page. */
static int target_of(const struct farm *f, const struct connection *c, struct gm_str path)
{
	static const struct gm_str before = GM_STR("/target/"), after = GM_STR("/metrics");
	uint64_t number;
	if (gm_str_is(path, "/metrics"))
		return c->target;
	if (!gm_str_starts(path, before) || !gm_str_ends(path, after) || path.n <= before.n + after.n)
		return -1;
	struct gm_str digits = gm_str_n(path.p + before.n, path.n - before.n - after.n);
	return gm_parse_u64(digits, 0, f->targets - 1, &number) ? (int)number : -1;
}

/* Answers the requests that are there whole. False when the connection is gone. */
static bool answer(struct farm *f, struct connection *c)
{
	while (!c->rest) {
		const char *end = memmem(c->request, c->got, "\r\n\r\n", 4);
		if (!end)
			return c->got < sizeof(c->request) || refuse(f, c, "431 Request Header Fields Too Large");
		struct gm_str rest = gm_str_n(c->request, (size_t)(end - c->request));
		struct gm_str method = { 0 }, path = { 0 };
		size_t used = rest.n + 4;
		if (!gm_str_split(&rest, ' ', &method) || !gm_str_split(&rest, ' ', &path))
			return refuse(f, c, "400 Bad Request");
		if (!gm_str_is(method, "GET"))
			return refuse(f, c, "405 Method Not Allowed");
		path.n = gm_str_find(path, '?');
		int target = target_of(f, c, path);
		if (target < 0)
			return refuse(f, c, "404 Not Found");
		c->got -= used;
		memmove(c->request, c->request + used, c->got);
		if (!send_page(f, c, (size_t)target))
			return false;
	}
	return true;
}

static void on_writable(struct farm *f, struct connection *c)
{
	ssize_t sent = send(c->fd, c->rest + c->rest_sent, c->rest_size - c->rest_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0 && (errno == EAGAIN))
		return;
	if (sent < 0) {
		close_connection(f, c);
		return;
	}
	f->bytes += (size_t)sent;
	c->rest_sent += (size_t)sent;
	if (c->rest_sent < c->rest_size)
		return;
	free(c->rest);
	c->rest = NULL;
	watch(f, c->fd, EPOLLIN, EPOLL_CTL_MOD);
	(void)answer(f, c);
}

static void on_readable(struct farm *f, struct connection *c)
{
	ssize_t n = recv(c->fd, c->request + c->got, sizeof(c->request) - c->got, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN))
		return;
	if (n <= 0) {
		close_connection(f, c);
		return;
	}
	c->got += (size_t)n;
	(void)answer(f, c);
}

/* False: the connection did not come by the loopback. *out -1: no target has this address. */
static bool target_of_address(const struct farm *f, int fd, int *out)
{
	struct sockaddr_in a = { 0 };
	socklen_t n = sizeof(a);
	if (getsockname(fd, (struct sockaddr *)&a, &n) < 0 || ntohl(a.sin_addr.s_addr) >> 24 != 127)
		return false;
	uint32_t index = ntohl(a.sin_addr.s_addr) - FIRST_ADDRESS;
	*out = f->port_base ? ntohs(a.sin_port) - f->port_base : index < f->targets ? (int)index : -1;
	return true;
}

static void on_connect(struct farm *f, int listener)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			return; /* none is left, or it is gone again */
		int target;
		if ((size_t)fd >= f->open_size || !target_of_address(f, fd, &target)) {
			(void)close(fd);
			f->refused++;
			continue;
		}
		struct connection *c = gm_xalloc(sizeof(*c));
		c->fd = fd;
		c->target = target;
		f->open[fd] = c;
		watch(f, fd, EPOLLIN, EPOLL_CTL_ADD);
	}
}

static void listen_at(const struct farm *f, uint16_t port)
{
	int one = 1, room = 262144;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	/* Every address of 127.0.0.0/8 is a target; who comes by another is sent away. */
	a.sin_addr.s_addr = htonl(f->port_base ? INADDR_LOOPBACK : INADDR_ANY);
	if (fd < 0)
		die("socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)); /* a page in one call */
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 4096) < 0)
		die("listen");
	watch(f, fd, EPOLLIN, EPOLL_CTL_ADD);
	if (!port) {
		socklen_t n = sizeof(a);
		(void)getsockname(fd, (struct sockaddr *)&a, &n);
	}
	if (!f->port_base)
		(void)printf("listening %u\n", ntohs(a.sin_port));
}

static void start(struct farm *f)
{
	struct rlimit files;
	sigset_t set;
	(void)getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max < 1048576 ? files.rlim_max : 1048576;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	f->open_size = files.rlim_cur;
	f->open = gm_try_alloc(f->open_size * sizeof(struct connection *));
	f->epoll = epoll_create1(EPOLL_CLOEXEC);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	f->signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (!f->open || f->epoll < 0 || f->signals < 0)
		die("start");
	watch(f, f->signals, EPOLLIN, EPOLL_CTL_ADD);
	for (size_t i = 0; i < (f->port_base ? f->targets : 1); i++)
		listen_at(f, f->port_base ? (uint16_t)(f->port_base + i) : f->port);
	(void)printf("ready %zu targets, %zu gpus each\n", f->targets, f->gpus);
	(void)fflush(stdout);
}

static void cpu_seconds(double *out_all, double *out_user)
{
	struct rusage used;
	(void)getrusage(RUSAGE_SELF, &used);
	*out_user = (double)used.ru_utime.tv_sec + (double)used.ru_utime.tv_usec / 1e6;
	*out_all = *out_user + (double)used.ru_stime.tv_sec + (double)used.ru_stime.tv_usec / 1e6;
}

static void count_anew(struct farm *f)
{
	f->pages = f->bytes = f->refused = 0;
	f->longest_gap_ms = 0;
	memset(f->asked_ms, 0, f->targets * sizeof(*f->asked_ms));
	cpu_seconds(&f->cpu_before, &f->user_before);
}

static void report(const struct farm *f)
{
	double all, user;
	size_t asked = 0;
	cpu_seconds(&all, &user);
	for (size_t i = 0; i < f->targets; i++)
		asked += f->asked_ms[i] != 0;
	(void)printf("pages %llu\nbytes %llu\nrefused %llu\n", (unsigned long long)f->pages,
		     (unsigned long long)f->bytes, (unsigned long long)f->refused);
	(void)printf("targets_asked %zu\nlongest_gap_ms %lld\n", asked, (long long)f->longest_gap_ms);
	(void)printf("cpu_seconds %.3f\nuser_seconds %.3f\n", all - f->cpu_before, user - f->user_before);
}

/* True: the end was asked for. */
static bool on_signal(struct farm *f)
{
	struct signalfd_siginfo s;
	if (read(f->signals, &s, sizeof(s)) != (ssize_t)sizeof(s))
		return false;
	if (s.ssi_signo != SIGUSR1)
		return true;
	count_anew(f);
	return false;
}

static void serve(struct farm *f)
{
	struct epoll_event events[256];
	for (;;) {
		int n = epoll_wait(f->epoll, events, GM_LEN(events), -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			struct connection *c = f->open[fd];
			if (fd == f->signals && on_signal(f))
				return;
			if (fd == f->signals)
				continue;
			if (!c)
				on_connect(f, fd);
			else if (c->rest)
				on_writable(f, c);
			else
				on_readable(f, c);
		}
	}
}

static void stop(struct farm *f)
{
	for (size_t i = 0; i < f->open_size; i++) {
		if (f->open[i])
			close_connection(f, f->open[i]);
	}
	for (size_t i = 0; i < f->targets * f->gpus; i++)
		free(f->boards[i].labels);
	free(f->boards);
	free(f->asked_ms);
	free(f->page);
	free(f->open);
}

static uint64_t number(const char *text, uint64_t min, uint64_t max)
{
	uint64_t v;
	if (!gm_parse_u64(gm_str(text), min, max, &v)) {
		(void)fprintf(stderr, "exporter-farm: '%s': not a number from %llu to %llu\n", text,
			      (unsigned long long)min, (unsigned long long)max);
		exit(2);
	}
	return v;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "gpus", required_argument, NULL, 'g' },
		{ "interval", required_argument, NULL, 'i' },
		{ "port", required_argument, NULL, 'p' },
		{ "port-base", required_argument, NULL, 'b' },
		{ "seed", required_argument, NULL, 's' },
		{ "targets", required_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	struct farm f = { .targets = 100, .gpus = 8, .seed = 1, .interval_ms = 100, .port = 9400 };
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (o == 'g')
			f.gpus = number(optarg, 1, GPUS_MAX);
		else if (o == 'i')
			f.interval_ms = (int64_t)number(optarg, 1, 3600000);
		else if (o == 'p')
			f.port = (uint16_t)number(optarg, 0, 65535);
		else if (o == 'b')
			f.port_base = (uint16_t)number(optarg, 1024, 65535);
		else if (o == 's')
			f.seed = number(optarg, 0, UINT64_MAX);
		else if (o == 't')
			f.targets = number(optarg, 1, TARGETS_MAX);
		else
			return 2;
	}
	if (optind < argc || (f.port_base && f.port_base + f.targets > 65536)) {
		(void)fprintf(stderr, "usage: exporter-farm --targets N --gpus G (--port P | --port-base P) --seed S "
				      "[--interval MS]\n");
		return 2;
	}
	make_boards(&f);
	start(&f);
	serve(&f);
	report(&f);
	stop(&f);
	return 0;
}
