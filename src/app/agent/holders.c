/* SPDX-License-Identifier: MIT */
#include "app/agent/holders.h"

#include <stdlib.h>
#include <string.h>

#include "adapter/host/proc.h"
#include "app/agent/render.h"
#include "base/alloc.h"
#include "base/vec.h"

/* A process' control group and user may change after all: looked at again so often. */
#define PROC_AGAIN_MS 30000

struct known_process {
	uint32_t pid;
	bool seen, found;
	int64_t read_at_ms;
	struct gm_proc proc;
};
struct gm_holders_cache {
	GM_VEC(struct known_process) known; /* sorted by pid */
	GM_VEC(struct gm_holder) items;
};

struct gm_holders_cache *gm_holders_cache_new(void)
{
	return gm_xalloc(sizeof(struct gm_holders_cache));
}

void gm_holders_cache_free(struct gm_holders_cache *c)
{
	if (!c)
		return;
	gm_vec_fini(&c->known);
	gm_vec_fini(&c->items);
	free(c);
}

static struct known_process *place_of(struct gm_holders_cache *c, uint32_t pid)
{
	size_t low = 0, high = c->known.count;

	while (low < high) {
		const size_t mid = low + (high - low) / 2;

		if (c->known.items[mid].pid < pid)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < c->known.count && c->known.items[low].pid == pid)
		return &c->known.items[low];
	(void)gm_vec_add(&c->known);
	memmove(&c->known.items[low + 1], &c->known.items[low], (c->known.count - 1 - low) * sizeof(*c->known.items));
	c->known.items[low] = (struct known_process){ .pid = pid, .read_at_ms = INT64_MIN };
	return &c->known.items[low];
}

/* NULL: there is no such process here. Good until the next call. */
static const struct gm_proc *process_of(struct gm_holders_cache *c, const char *root, uint32_t pid, int64_t mono_ms)
{
	struct known_process *k = place_of(c, pid);

	k->seen = true;
	if (k->read_at_ms == INT64_MIN || mono_ms - k->read_at_ms >= PROC_AGAIN_MS) {
		k->found = gm_proc_read(root, pid, &k->proc, NULL) == 0;
		k->read_at_ms = mono_ms;
	}
	return k->found ? &k->proc : NULL;
}

static void forget_unseen(struct gm_holders_cache *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->known.count; i++) {
		if (!c->known.items[i].seen)
			continue;
		if (kept != i)
			c->known.items[kept] = c->known.items[i];
		c->known.items[kept++].seen = false;
	}
	c->known.count = kept;
}

struct join {
	struct gm_holders_cache *cache;
	const struct gm_agent_view *view;
	struct gm_arena *arena;
};

static const char *keep(struct join *j, const char *text)
{
	const char *copy = text && text[0] ? gm_arena_dup(j->arena, gm_str(text)) : "";

	return copy ? copy : "";
}

static bool same_pod(const struct gm_holder *h, const char *namespace_, const char *pod)
{
	return strcmp(h->namespace_, namespace_) == 0 && strcmp(h->pod, pod) == 0;
}

static void add(struct join *j, const struct gm_holder *h)
{
	if (j->cache->items.count < GM_HOLDERS_MAX)
		gm_vec_push(&j->cache->items, *h);
}

static void add_pod(struct join *j, const struct gm_pod_device *d, unsigned board, int gi, int ci)
{
	for (size_t i = 0; i < j->cache->items.count; i++) {
		const struct gm_holder *h = &j->cache->items.items[i];

		if (h->board == board && h->gi == gi && h->ci == ci && same_pod(h, d->namespace_, d->pod) &&
		    strcmp(h->container, d->container) == 0)
			return; /* several replicas of a shared device, or device and claim */
	}
	add(j, &(struct gm_holder){ .board = (uint8_t)board,
				    .gi = (int16_t)gi,
				    .ci = (int16_t)ci,
				    .kind = GM_HOLDER_POD,
				    .namespace_ = keep(j, d->namespace_),
				    .pod = keep(j, d->pod),
				    .container = keep(j, d->container),
				    .pod_uid = "",
				    .resource = keep(j, d->resource),
				    .claim = keep(j, d->claim),
				    .process = "",
				    .user = "",
				    .used_bytes = -1 });
}

static int board_by_uuid(const struct gm_agent_view *v, struct gm_str uuid)
{
	for (unsigned i = 0; i < v->board_count; i++)
		if (uuid.n > 0 && gm_str_is(uuid, v->boards[i].reading.facts.uuid))
			return (int)i;
	return -1;
}

/* GKE and DRA name boards by the number of their device file. */
static int board_by_minor(const struct gm_agent_view *v, int minor)
{
	for (unsigned i = 0; i < v->board_count; i++)
		if (minor >= 0 && v->boards[i].reading.facts.minor == minor)
			return (int)i;
	return -1;
}

static void join_mig_uuid(struct join *j, const struct gm_pod_device *d, struct gm_str uuid)
{
	for (unsigned b = 0; b < j->view->board_count; b++) {
		const struct gm_reading *r = &j->view->boards[b].reading;

		for (uint32_t i = 0; i < r->instance_count; i++)
			if (gm_str_is(uuid, r->instances[i].uuid))
				add_pod(j, d, b, r->instances[i].gi, r->instances[i].ci);
	}
}

static int profile_id_of(const struct gm_reading *r, const struct gm_reading_instance *it)
{
	if (it->gi_profile < 0 || (uint32_t)it->gi_profile >= r->profile_count)
		return -1;
	return r->profiles[it->gi_profile].id;
}

/* All compute instances of the GPU instance: by its id (GKE), or by profile and place (DRA). */
static void join_gpu_instance(struct join *j, const struct gm_pod_device *d, unsigned board,
			      const struct gm_device_id *id)
{
	const struct gm_reading *r = &j->view->boards[board].reading;

	for (uint32_t i = 0; i < r->instance_count; i++) {
		const struct gm_reading_instance *it = &r->instances[i];
		const bool same = id->kind == GM_DEVICE_ID_INDEX
					  ? it->gi == id->gi
					  : profile_id_of(r, it) == id->profile_id && it->start == id->start;

		if (same)
			add_pod(j, d, board, it->gi, it->ci);
	}
}

static void join_device(struct join *j, const struct gm_pod_device *d)
{
	struct gm_device_id id;
	int board = -1;

	gm_device_id_parse(gm_str(d->device_id), &id);
	switch (id.kind) {
	case GM_DEVICE_ID_OTHER:
		return;
	case GM_DEVICE_ID_MIG:
		join_mig_uuid(j, d, id.uuid);
		return;
	case GM_DEVICE_ID_GPU:
		board = board_by_uuid(j->view, id.uuid);
		if (board >= 0)
			add_pod(j, d, (unsigned)board, -1, -1);
		return;
	case GM_DEVICE_ID_INDEX:
	case GM_DEVICE_ID_DRA:
		board = board_by_minor(j->view, id.index);
		if (board < 0)
			return;
		if (id.kind == GM_DEVICE_ID_INDEX ? id.gi >= 0 : id.profile_id >= 0)
			join_gpu_instance(j, d, (unsigned)board, &id);
		else
			add_pod(j, d, (unsigned)board, -1, -1);
		return;
	}
}

/*
 * The pod of a process: if the kubelet told of it, what is learnt is its uid; else it is a holder that only /proc knows
 * (a privileged pod, one with a mounted device, no kubelet). One without a name counts where no other pod is known.
 */
static void join_process_pod(struct join *j, const struct gm_holder *of, const struct gm_proc *proc)
{
	bool known = false;

	if (!proc->pod_uid[0])
		return;
	for (size_t i = 0; i < j->cache->items.count; i++) {
		struct gm_holder *h = &j->cache->items.items[i];

		if (h->kind != GM_HOLDER_POD || h->board != of->board || h->gi != of->gi || h->ci != of->ci)
			continue;
		if (strcmp(h->pod_uid, proc->pod_uid) == 0 || !proc->pod[0])
			known = true;
		if (proc->pod[0] && same_pod(h, proc->namespace_, proc->pod)) {
			known = true;
			h->pod_uid = keep(j, proc->pod_uid);
		}
	}
	if (known)
		return;
	struct gm_holder pod = *of;
	pod.kind = GM_HOLDER_POD;
	pod.pid = 0;
	pod.used_bytes = -1;
	pod.process = pod.user = pod.resource = pod.claim = pod.container = "";
	add(j, &pod);
}

static bool merge_process(struct join *j, unsigned board, const struct gm_reading_process *p)
{
	for (size_t i = j->cache->items.count; i > 0; i--) {
		struct gm_holder *h = &j->cache->items.items[i - 1];

		if (h->kind == GM_HOLDER_PROCESS && h->board != board)
			break; /* they are added board by board */
		if (h->kind != GM_HOLDER_PROCESS || h->pid != p->pid || h->gi != p->gi || h->ci != p->ci)
			continue;
		if (p->used_bytes > h->used_bytes)
			h->used_bytes = p->used_bytes; /* listed as compute and as graphics: the same memory */
		return true;
	}
	return false;
}

/* The kernel cuts a name where NVML may know the whole path of the program. */
static const char *name_of(const struct gm_proc *proc, const char *told)
{
	const char *last = strrchr(told, '/');

	last = last ? last + 1 : told;
	if (!proc || !proc->name[0])
		return last;
	return strlen(proc->name) == GM_PROC_COMM_MAX && strncmp(last, proc->name, GM_PROC_COMM_MAX) == 0 ? last
													  : proc->name;
}

static void join_process(struct join *j, const char *root, int64_t mono_ms, unsigned board,
			 const struct gm_reading_process *p)
{
	if (p->pid == 0 || merge_process(j, board, p))
		return;
	const struct gm_proc *proc = process_of(j->cache, root, p->pid, mono_ms);
	const struct gm_holder h = { .board = (uint8_t)board,
				     .gi = p->gi,
				     .ci = p->ci,
				     .kind = GM_HOLDER_PROCESS,
				     .namespace_ = keep(j, proc ? proc->namespace_ : ""),
				     .pod = keep(j, proc ? proc->pod : ""),
				     .container = "",
				     .pod_uid = keep(j, proc ? proc->pod_uid : ""),
				     .resource = "",
				     .claim = "",
				     .pid = p->pid,
				     .used_bytes = p->used_bytes,
				     .process = keep(j, name_of(proc, p->name)),
				     .user = keep(j, proc ? proc->user : "") };

	add(j, &h);
	if (proc)
		join_process_pod(j, &h, proc);
}

static int compare(const void *a, const void *b)
{
	const struct gm_holder *x = a, *y = b;
	int by;

	if (x->board != y->board)
		return x->board < y->board ? -1 : 1;
	if (x->gi != y->gi)
		return x->gi < y->gi ? -1 : 1;
	if (x->ci != y->ci)
		return x->ci < y->ci ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->kind == GM_HOLDER_PROCESS)
		return (x->pid > y->pid) - (x->pid < y->pid);
	by = strcmp(x->namespace_, y->namespace_);
	by = by ? by : strcmp(x->pod, y->pod);
	return by ? by : strcmp(x->container, y->container);
}

static bool has_processes(const struct gm_agent_view *view, unsigned i)
{
	const enum gm_board_state state = view->boards[i].state;

	return gm_view_has_values(view) && (state == GM_BOARD_OK || state == GM_BOARD_HUNG);
}

void gm_holders_join(struct gm_holders_cache *cache, const struct gm_agent_view *view,
		     const struct gm_podresources *pods, const char *host_root, int64_t mono_ms, struct gm_arena *arena,
		     struct gm_holders *out)
{
	struct join j = { .cache = cache, .view = view, .arena = arena };

	gm_vec_reset(&cache->items);
	for (size_t i = 0; pods && i < pods->count; i++)
		join_device(&j, &pods->devices[i]);
	for (unsigned b = 0; b < view->board_count; b++) {
		const struct gm_reading *r = &view->boards[b].reading;

		for (uint32_t i = 0; has_processes(view, b) && i < r->process_count; i++)
			join_process(&j, host_root, mono_ms, b, &r->processes[i]);
	}
	forget_unseen(cache);
	if (cache->items.count > 1)
		qsort(cache->items.items, cache->items.count, sizeof(*cache->items.items), compare);
	*out = (struct gm_holders){ .items = cache->items.items, .count = cache->items.count };
}
