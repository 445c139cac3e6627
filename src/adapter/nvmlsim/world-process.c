/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "adapter/nvmlsim/world-internal.h"
#include "base/hash.h"
#include "base/parse.h"

const struct nvs_process_row nvs_process_row_default = {
	.gi = -1, .ci = -1, .kinds = NVS_KIND_COMPUTE, .channel = true, .memory = INT64_C(512) << 20, .name = "python3"
};

uint32_t nvs_process_pid(const struct nvs_process *p)
{
	return p->pid == NVS_PID_SELF ? (uint32_t)getpid() : p->pid;
}

static int check_place(struct nvs_shared *s, const struct nvs_process_row *row, struct gm_err *err)
{
	if (row->gpu >= (int)s->board_count)
		return gm_fail(err, GM_ERR_INVALID, "GPU %d: there are %u", row->gpu, s->board_count);
	const struct nvs_board *b = &s->boards[row->gpu];
	if (b->mig_current != (row->gi >= 0))
		return gm_fail(err, GM_ERR_CONFLICT, "GPU %d is %s MIG mode: %s instance is to be named", row->gpu,
			       b->mig_current ? "in" : "not in", b->mig_current ? "an" : "no");
	struct nvs_gi *gi = row->gi < 0 ? NULL : nvs_gi_find(s, (unsigned)row->gpu, row->gi);
	if (row->gi >= 0 && (!gi || !nvs_ci_find(gi, row->ci)))
		return gm_fail(err, GM_ERR_NOT_FOUND, "GPU %d has no instance %d.%d", row->gpu, row->gi, row->ci);
	return 0;
}

int nvs_process_add(struct nvs_shared *s, const struct nvs_process_row *row, struct gm_err *err)
{
	int rc = check_place(s, row, err);
	if (rc < 0)
		return rc;
	if (s->process_count == NVS_PROCESSES_MAX)
		return gm_fail(err, GM_ERR_TOO_LARGE, "more than %d processes", NVS_PROCESSES_MAX);
	struct nvs_process *p = &s->processes[s->process_count];
	*p = (struct nvs_process){ .pid = (uint32_t)row->pid,
				   .board = (uint8_t)row->gpu,
				   .gi = (int16_t)row->gi,
				   .ci = (int16_t)row->ci,
				   .kinds = row->kinds,
				   .holds_channel = row->channel,
				   .load_percent = (uint8_t)row->load,
				   .used_bytes = row->memory };
	memcpy(p->name, row->name, sizeof(p->name));
	s->process_count++;
	return 0;
}

/* Keeps the order of the others. */
static void drop(struct nvs_shared *s, uint32_t at)
{
	s->process_count--;
	memmove(&s->processes[at], &s->processes[at + 1], (s->process_count - at) * sizeof(s->processes[0]));
}

unsigned nvs_process_remove(struct nvs_world *w, uint32_t pid, int board)
{
	struct nvs_shared *s = &w->file->shared;
	uint32_t boards = 0;
	unsigned count = 0;
	for (uint32_t i = 0; i < s->process_count;) {
		const struct nvs_process *p = &s->processes[i];
		if (p->workload || p->pid != pid || (board >= 0 && p->board != board)) {
			i++;
			continue;
		}
		boards |= UINT32_C(1) << p->board;
		drop(s, i);
		count++;
	}
	for (unsigned b = 0; b < s->board_count; b++) {
		if (boards >> b & 1)
			nvs_reshape(w, b);
	}
	return count;
}

unsigned nvs_processes_on(const struct nvs_shared *s, unsigned board, int gi, int ci)
{
	unsigned count = 0;
	for (uint32_t i = 0; i < s->process_count; i++) {
		const struct nvs_process *p = &s->processes[i];
		count += p->board == board && (gi < 0 || p->gi == gi) && (ci < 0 || p->ci == ci);
	}
	return count;
}

void nvs_processes_end(struct nvs_shared *s, unsigned board)
{
	for (uint32_t i = 0; i < s->process_count;) {
		if (s->processes[i].board == board)
			drop(s, i);
		else
			i++;
	}
}

/* --- core/sim's workloads as processes --- */

/* Past what is usual on a machine that tests run on; the same for a pod's place as long as the pod runs. */
static uint32_t workload_pid(const struct gm_sim_pod *pod, unsigned board, int instance)
{
	uint64_t h = gm_hash(gm_str(pod->uid)) + board * 1000003U + (unsigned)(instance + 1) * 97U;
	return 1000000U + (uint32_t)(gm_hash_u64(h) % 3000000U);
}

static void add_workload(struct nvs_world *w, unsigned board, int instance, int index, int64_t bytes)
{
	struct nvs_shared *s = &w->file->shared;
	const struct gm_sim_device *d = nvs_static_device(w, board);
	const struct gm_sim_pod *pod = gm_sim_pod(w->sim, index);
	if (!pod || s->process_count == NVS_PROCESSES_MAX)
		return;
	struct nvs_process *p = &s->processes[s->process_count];
	*p = (struct nvs_process){ .pid = workload_pid(pod, board, instance),
				   .board = (uint8_t)board,
				   .gi = instance < 0 ? (int16_t)-1 : (int16_t)d->instances[instance].gi_id,
				   .ci = instance < 0 ? (int16_t)-1 : (int16_t)d->instances[instance].ci_id,
				   .kinds = NVS_KIND_COMPUTE,
				   .holds_channel = true,
				   .workload = true,
				   .used_bytes = bytes };
	(void)snprintf(p->name, sizeof(p->name), "%s", pod->container);
	s->process_count++;
}

void nvs_workloads_refresh(struct nvs_world *w)
{
	struct nvs_shared *s = &w->file->shared;
	if (!w->scenario->workloads)
		return;
	for (uint32_t i = 0; i < s->process_count;) {
		if (s->processes[i].workload)
			drop(s, i);
		else
			i++;
	}
	for (unsigned b = 0; b < s->board_count && s->driver_loaded; b++) {
		const struct gm_sim_device *d = nvs_world_device(w, b);
		struct gm_sim_shape shape; /* says what is held beside the workloads */
		nvs_shape_of(w, s, b, &shape);
		if (!d->mig_enabled && d->pod >= 0)
			add_workload(w, b, -1, d->pod, d->memory_used_bytes - shape.board.held_bytes);
		for (int i = 0; i < d->instance_count; i++) {
			if (d->instances[i].pod >= 0)
				add_workload(w, b, i, d->instances[i].pod,
					     d->instances[i].memory_used_bytes - shape.uses[i].held_bytes);
		}
	}
}

/* --- who has boards open --- */

/* The 22nd word of /proc/PID/stat, counted behind the name, which may hold anything; 0: no such process. */
static uint64_t process_start(uint32_t pid)
{
	char path[48], text[1024];
	(void)snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	GM_AUTO(gm_fd_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	const char *behind = strrchr(text, ')');
	struct gm_str rest = gm_str(behind ? behind + 1 : ""), word;
	uint64_t start = 0;
	rest = gm_str_trim(rest);
	for (int i = 3; gm_str_split(&rest, ' ', &word); i++) {
		if (i == 3 && (gm_str_is(word, "Z") || gm_str_is(word, "X")))
			return 0;
		if (i == 22)
			return gm_parse_u64(word, 1, UINT64_MAX, &start) ? start : 0;
	}
	return 0;
}

static bool client_lives(const struct nvs_client *c)
{
	return c->pid && process_start(c->pid) == c->started;
}

static struct nvs_client *client_row(struct nvs_shared *s, uint32_t pid)
{
	struct nvs_client *free_row = NULL;
	for (size_t i = 0; i < NVS_CLIENTS_MAX; i++) {
		struct nvs_client *c = &s->clients[i];
		if (c->pid == pid)
			return c;
		if (!free_row && !c->pid)
			free_row = c;
	}
	for (size_t i = 0; i < NVS_CLIENTS_MAX && !free_row; i++) {
		if (!client_lives(&s->clients[i]))
			free_row = &s->clients[i];
	}
	return free_row;
}

/* Past NVS_CLIENTS_MAX living clients a further one is not noted: mode switches and resets do not wait for it. */
void nvs_attach(struct nvs_world *w, unsigned board)
{
	if (w->attached >> board & 1)
		return;
	uint32_t pid = (uint32_t)getpid();
	struct nvs_client *c = client_row(&w->file->shared, pid);
	w->attached |= UINT32_C(1) << board;
	if (c)
		*c = (struct nvs_client){ .pid = pid, .started = process_start(pid), .attached = w->attached };
}

void nvs_detach(struct nvs_world *w)
{
	uint32_t pid = (uint32_t)getpid();
	w->attached = 0;
	for (size_t i = 0; i < NVS_CLIENTS_MAX; i++) {
		if (w->file->shared.clients[i].pid == pid)
			w->file->shared.clients[i] = (struct nvs_client){ 0 };
	}
}

bool nvs_others_attached(struct nvs_world *w, unsigned board, uint32_t *out_pid)
{
	uint32_t mine = (uint32_t)getpid();
	for (size_t i = 0; i < NVS_CLIENTS_MAX; i++) {
		struct nvs_client *c = &w->file->shared.clients[i];
		if (!c->pid || c->pid == mine || !(c->attached >> board & 1))
			continue;
		if (client_lives(c)) {
			if (out_pid)
				*out_pid = c->pid;
			return true;
		}
		*c = (struct nvs_client){ 0 };
	}
	return false;
}
