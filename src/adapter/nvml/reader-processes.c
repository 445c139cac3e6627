/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapter/nvml/reader-internal.h"
#include "base/alloc.h"

/*
 * The process list. Drivers 535.43 to 535.86 write records of 32 bytes behind the symbol whose records are 24 everywhere
 * else, and nothing tells which but what was written: so the buffer is larger than either, filled with a pattern, and read
 * as what it turned out to be. nvmlDeviceGetRunningProcessDetailList has no such trap and is asked first.
 */
#define PROCESSES_MAX 4096
#define FIRST_CAPACITY 64
#define EVERY_MS 900 /* lists are the dearest of the cheap calls, and processes do not come and go by the millisecond */
#define PID_MAX 4194304
#define INSTANCE_ID_MAX 255

static const struct {
	uint32_t mode;
	uint8_t kind;
} kinds[] = {
	{ GM_NVML_PROCESS_COMPUTE, GM_PROCESS_COMPUTE },
	{ GM_NVML_PROCESS_GRAPHICS, GM_PROCESS_GRAPHICS },
	{ GM_NVML_PROCESS_MPS, GM_PROCESS_MPS },
};

struct gm_reader_record gm_reader_record_at(const uint8_t *buffer, size_t stride, uint32_t i)
{
	const uint8_t *p = buffer + stride * i;
	struct gm_nvml_process_v2 v = { .gi = GM_NVML_NO_INSTANCE, .ci = GM_NVML_NO_INSTANCE };
	memcpy(&v, p, stride < sizeof(v) ? sizeof(struct gm_nvml_process_v1) : sizeof(v));
	return (struct gm_reader_record){ .pid = v.pid, .gi = v.gi, .ci = v.ci, .used = v.used };
}

static bool is_plausible(const uint8_t *buffer, size_t stride, uint32_t count, int64_t memory_total)
{
	for (uint32_t i = 0; i < count; i++) {
		struct gm_reader_record e = gm_reader_record_at(buffer, stride, i);
		if (e.pid == 0 || e.pid > PID_MAX)
			return false;
		if ((e.gi > INSTANCE_ID_MAX && e.gi != GM_NVML_NO_INSTANCE) ||
		    (e.ci > INSTANCE_ID_MAX && e.ci != GM_NVML_NO_INSTANCE))
			return false;
		if (e.used != GM_NVML_VALUE_UNKNOWN && memory_total > 0 && e.used > (uint64_t)memory_total)
			return false;
	}
	return true;
}

/* How many of them run here; the ids are the host's, so in a container that does not see the host it is none. */
static uint32_t count_alive(const uint8_t *buffer, size_t stride, uint32_t count)
{
	uint32_t alive = 0;
	for (uint32_t i = 0; i < count; i++) {
		char path[32];
		(void)snprintf(path, sizeof(path), "/proc/%u", gm_reader_record_at(buffer, stride, i).pid);
		alive += access(path, F_OK) == 0;
	}
	return alive;
}

size_t gm_reader_stride(const uint8_t *buffer, uint32_t count, int64_t memory_total)
{
	static const size_t sizes[] = { 24, 32, 40, 48, 16 };
	if (count == 0)
		return 24;
	size_t written = (size_t)count * GM_READER_STRIDE_MAX;
	while (written > 0 && buffer[written - 1] == GM_READER_FILL)
		written--;
	size_t best = 0;
	uint32_t best_alive = 0;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (!is_plausible(buffer, sizes[i], count, memory_total))
			continue;
		if (written == sizes[i] * count) /* both say so */
			return sizes[i];
		uint32_t alive = count_alive(buffer, sizes[i], count);
		if (best == 0 || alive > best_alive) {
			best = sizes[i];
			best_alive = alive;
		}
	}
	return best;
}

/* Room for `count` records of any size, filled; NULL when there is no memory. */
static uint8_t *room_for(struct gm_nvml_reader *r, uint32_t count)
{
	if (count > r->process_capacity) {
		void *p = gm_try_realloc(r->process_buffer, (size_t)count * GM_READER_STRIDE_MAX);
		if (!p)
			return NULL;
		r->process_buffer = p;
		r->process_capacity = count;
	}
	memset(r->process_buffer, GM_READER_FILL, (size_t)r->process_capacity * GM_READER_STRIDE_MAX);
	return r->process_buffer;
}

static int ask_details(struct gm_nvml_reader *r, struct gm_nvml_device *d, uint32_t mode, uint32_t *count)
{
	struct gm_nvml_process_detail_list_v1 list = {
		.version = GM_NVML_VERSION(struct gm_nvml_process_detail_list_v1, 1),
		.mode = mode,
		.count = *count,
		.array = r->process_buffer,
	};
	int rc = GM_READER_CALL(r, process_details, d, &list);
	*count = list.count;
	return rc;
}

/* Both names of a call: R535.98 took _v3 away again, and a library may have it and say that its driver has not. */
#define ASK_LIST(r, d, count, kind)                                                                                    \
	({                                                                                                             \
		int gm_list_rc_ = GM_READER_CALL(r, kind##_v3, d, count, (r)->process_buffer);                         \
		gm_list_rc_ == GM_NVML_ERROR_FUNCTION_NOT_FOUND                                                        \
			? GM_READER_CALL(r, kind##_v2, d, count, (r)->process_buffer)                                  \
			: gm_list_rc_;                                                                                 \
	})

static int ask_list(struct gm_nvml_reader *r, struct gm_nvml_device *d, uint32_t mode, uint32_t *count)
{
	switch (mode) {
	case GM_NVML_PROCESS_COMPUTE:
		return ASK_LIST(r, d, count, compute);
	case GM_NVML_PROCESS_GRAPHICS:
		return ASK_LIST(r, d, count, graphics);
	default:
		return ASK_LIST(r, d, count, mps);
	}
}

/* The whole list in the buffer: it may grow between two calls, so there is slack and a second try. */
static int ask(struct gm_nvml_reader *r, struct gm_nvml_device *d, uint32_t mode,
	       int (*list)(struct gm_nvml_reader *, struct gm_nvml_device *, uint32_t, uint32_t *), uint32_t *count)
{
	uint32_t wanted = r->process_capacity ? r->process_capacity : FIRST_CAPACITY;
	for (int tries = 0; tries < 3; tries++) {
		if (!room_for(r, wanted))
			return GM_NVML_ERROR_MEMORY;
		*count = r->process_capacity;
		int rc = list(r, d, mode, count);
		if (rc != GM_NVML_ERROR_INSUFFICIENT_SIZE) {
			bool is_over = rc == GM_NVML_SUCCESS && *count > r->process_capacity;
			return is_over ? GM_NVML_ERROR_UNKNOWN : rc;
		}
		if (*count > PROCESSES_MAX)
			return GM_NVML_ERROR_INSUFFICIENT_SIZE;
		wanted = *count + 16;
	}
	return GM_NVML_ERROR_INSUFFICIENT_SIZE;
}

/* Records and their size in the buffer. NVML's code; UNKNOWN when what it wrote makes no sense. */
static int read_list(struct gm_nvml_reader *r, struct gm_nvml_device *d, uint32_t mode, uint32_t *count, size_t *stride,
		     bool *odd)
{
	if (r->mono_ms >= r->details_again_ms) {
		int rc = ask(r, d, mode, ask_details, count);
		*stride = sizeof(struct gm_nvml_process_detail_v1);
		if (rc == GM_NVML_SUCCESS &&
		    is_plausible(r->process_buffer, *stride, *count, r->facts.memory_total_bytes))
			return rc;
		if (gm_nvml_is_unsupported(rc))
			r->details_again_ms = r->mono_ms + GM_READER_AGAIN_MS;
	}
	int rc = ask(r, d, mode, ask_list, count);
	if (rc != GM_NVML_SUCCESS)
		return rc;
	*stride = gm_reader_stride(r->process_buffer, *count, r->facts.memory_total_bytes);
	*odd |= *count && *stride != sizeof(struct gm_nvml_process_v2);
	return *stride ? rc : GM_NVML_ERROR_UNKNOWN;
}

struct listing {
	struct gm_reading_process *all; /* being made */
	uint32_t count;
	bool is_truncated, is_odd;
	int failure; /* NVML's code of a list that should be there and is not */
};

static int16_t instance_id(uint32_t id, int16_t otherwise)
{
	return id == GM_NVML_NO_INSTANCE ? otherwise : (int16_t)id;
}

static void add(struct listing *l, const struct gm_reader_record *e, uint8_t kind,
		const struct gm_reading_instance *instance)
{
	int16_t gi = instance_id(e->gi, instance ? instance->gi : (int16_t)-1);
	int16_t ci = instance_id(e->ci, instance ? instance->ci : (int16_t)-1);
	for (uint32_t i = 0; i < l->count; i++) {
		struct gm_reading_process *p = &l->all[i];
		if (p->pid == e->pid && p->gi == gi && p->ci == ci) {
			p->kinds |= kind;
			return;
		}
	}
	if (l->count == GM_READING_PROCESSES_MAX) {
		l->is_truncated = true;
		return;
	}
	l->all[l->count++] = (struct gm_reading_process){
		.pid = e->pid,
		.gi = gi,
		.ci = ci,
		.kinds = kind,
		.used_bytes = e->used == GM_NVML_VALUE_UNKNOWN || e->used > INT64_MAX ? -1 : (int64_t)e->used,
	};
}

/* All kinds of a board or an instance; NVML's code of the worst answer. */
static int read_device(struct gm_nvml_reader *r, struct gm_nvml_device *d, const struct gm_reading_instance *instance,
		       struct listing *l)
{
	int worst = GM_NVML_SUCCESS;
	for (size_t k = 0; k < GM_LEN(kinds) && !r->fatal; k++) {
		uint32_t count = 0;
		size_t stride = 0;
		if (r->mono_ms < r->processes_again_ms[k])
			continue;
		int rc = read_list(r, d, kinds[k].mode, &count, &stride, &l->is_odd);
		if (gm_nvml_is_unsupported(rc) && k > 0) /* a board without graphics, a driver without MPS */
			r->processes_again_ms[k] = r->mono_ms + GM_READER_AGAIN_MS;
		else if (rc != GM_NVML_SUCCESS)
			worst = rc;
		for (uint32_t i = 0; i < count && rc == GM_NVML_SUCCESS; i++) {
			struct gm_reader_record e = gm_reader_record_at(r->process_buffer, stride, i);
			add(l, &e, kinds[k].kind, instance);
		}
	}
	if (worst != GM_NVML_SUCCESS && !gm_nvml_is_unsupported(worst))
		l->failure = worst;
	return worst;
}

/* The name of a process does not change often: it is asked once, when the process is first met. */
static void name_all(struct gm_nvml_reader *r, struct listing *l)
{
	const struct gm_reading_process *before = r->processes[r->processes_now];
	for (uint32_t i = 0; i < l->count; i++) {
		struct gm_reading_process *p = &l->all[i];
		const struct gm_reading_process *known = NULL;
		for (uint32_t j = 0; j < r->process_count && !known; j++)
			if (before[j].pid == p->pid)
				known = &before[j];
		if (known) {
			memcpy(p->name, known->name, sizeof(p->name));
			continue;
		}
		char name[256] = { 0 };
		if (GM_READER_CALL(r, process_name, p->pid, name, sizeof(name)) != GM_NVML_SUCCESS)
			continue;
		/* A long path keeps its end, which says more. */
		size_t n = strnlen(name, sizeof(name)), room = sizeof(p->name) - 1;
		gm_reader_text(p->name, sizeof(p->name), n > room ? name + n - room : name, n > room ? room : n);
	}
}

static void refresh(struct gm_nvml_reader *r)
{
	struct listing l = { .all = r->processes[!r->processes_now] };
	int rc = read_device(r, r->device, NULL, &l);
	/* Without the right to see the whole board, or in a pod with one slice: each instance for itself. */
	if (gm_nvml_is_unsupported(rc) && r->mig_current == 1)
		for (size_t i = 0; i < GM_LEN(r->mig); i++)
			if (r->mig[i].device &&
			    read_device(r, r->mig[i].device, &r->mig[i].told, &l) == GM_NVML_SUCCESS)
				rc = GM_NVML_SUCCESS;
	if (r->fatal)
		return;
	r->process_rc = l.failure ? l.failure : rc;
	if (l.failure) /* a list in part is no list: that of before stands, and the next round tries again */
		return;
	r->processes_due_ms = r->mono_ms + EVERY_MS;
	name_all(r, &l);
	r->processes_now = !r->processes_now;
	r->process_count = l.count;
	r->processes_truncated = l.is_truncated;
	r->process_list_odd = l.is_odd;
}

void gm_reader_processes(struct gm_nvml_reader *r, struct gm_reading *out)
{
	if (!r->fatal && r->mono_ms >= r->processes_due_ms)
		refresh(r);
	if (r->fatal)
		return;
	memcpy(out->processes, r->processes[r->processes_now], r->process_count * sizeof(out->processes[0]));
	out->process_count = r->process_count;
	out->process_rc = r->process_rc;
	out->processes_truncated = r->processes_truncated;
	out->process_list_odd = r->process_list_odd;
}
