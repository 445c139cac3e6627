/* SPDX-License-Identifier: MIT */
#include "adapter/nvmlsim/front-internal.h"

#include <string.h>

/*
 * Processes on boards and slices. The trap of real drivers is here too: one series of them put records of 32 bytes behind
 * _v3 where 24 are documented, the next one left _v3 out.
 */

static uint64_t used_bytes(const struct nvs_process *p)
{
	return p->used_bytes < 0 ? GM_NVML_VALUE_UNKNOWN : (uint64_t)p->used_bytes;
}

/* Slices see their own; a board sees all. */
static bool shown(const struct front_call *c, const struct nvs_process *p, unsigned kind)
{
	if (p->board != c->board || !(p->kinds & kind))
		return false;
	return !c->ci || (p->gi == c->gi->id && p->ci == c->ci->id);
}

static unsigned count_shown(const struct front_call *c, unsigned kind)
{
	unsigned n = 0;
	for (uint32_t i = 0; i < c->shared->process_count; i++)
		n += shown(c, &c->shared->processes[i], kind);
	return n;
}

/* One record of `size` bytes: each form is the beginning of the next, but the first, which ends earlier. */
static void put_record(void *at, size_t size, const struct nvs_process *p)
{
	struct gm_nvml_process_detail_v1 r = { .pid = nvs_process_pid(p),
					       .used = used_bytes(p),
					       .gi = front_id(p->gi),
					       .ci = front_id(p->ci),
					       .used_protected = GM_NVML_VALUE_UNKNOWN };
	memcpy(at, &r, size);
}
_Static_assert(offsetof(struct gm_nvml_process_detail_v1, gi) == offsetof(struct gm_nvml_process_v2, gi) &&
		       offsetof(struct gm_nvml_process_detail_v1, used) == offsetof(struct gm_nvml_process_v1, used),
	       "one record is the beginning of the other");

static int list(struct front_call *c, unsigned kind, size_t record, unsigned *io_count, void *out)
{
	if (!io_count)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	unsigned room = *io_count, need = count_shown(c, kind), n = 0;
	*io_count = need;
	if (room < need)
		return GM_NVML_ERROR_INSUFFICIENT_SIZE;
	if (!out)
		return need ? GM_NVML_ERROR_INVALID_ARGUMENT : 0;
	for (uint32_t i = 0; i < c->shared->process_count; i++) {
		const struct nvs_process *p = &c->shared->processes[i];
		if (shown(c, p, kind))
			put_record((char *)out + record * n++, record, p);
	}
	front_fills(c, out, record * n, false);
	return 0;
}

/* What the driver of this world has behind _v3; 0: it lacks the symbol. A loader's table cannot change, the answer can. */
static size_t third_record(const struct front_call *c)
{
	switch (c->shared->process_abi) {
	case NVS_PROCESSES_24:
		return sizeof(struct gm_nvml_process_v2);
	case NVS_PROCESSES_32_AS_V3:
		return sizeof(struct gm_nvml_process_detail_v1);
	case NVS_PROCESSES_NO_V3:
		return 0;
	}
	return 0;
}

#define LISTS(X)                                                                                                       \
	X(Compute, NVS_KIND_COMPUTE)                                                                                   \
	X(Graphics, NVS_KIND_GRAPHICS)                                                                                 \
	X(MPSCompute, NVS_KIND_MPS)

#define LIST(kind_name, suffix, kind, record)                                                                          \
	NVML(nvmlDeviceGet##kind_name##RunningProcesses##suffix, struct gm_nvml_device *device, unsigned *io_count,    \
	     void *out)                                                                                                \
	{                                                                                                              \
		FRONT_DEVICE(c, device, FRONT_MIG_TOO | FRONT_ROOT_IN_MIG);                                            \
		size_t size = record;                                                                                  \
		return size ? list(&c, kind, size, io_count, out) : GM_NVML_ERROR_FUNCTION_NOT_FOUND;                  \
	}
#define LIST_FORMS(kind_name, kind)                                                                                    \
	LIST(kind_name, , kind, sizeof(struct gm_nvml_process_v1))                                                     \
	LIST(kind_name, _v2, kind, sizeof(struct gm_nvml_process_v2))                                                  \
	LIST(kind_name, _v3, kind, third_record(&c))
LISTS(LIST_FORMS)

/* The drivers with the trap are older than this call. */
NVML(nvmlDeviceGetRunningProcessDetailList, struct gm_nvml_device *device, struct gm_nvml_process_detail_list_v1 *io)
{
	static const unsigned kinds[] = { NVS_KIND_COMPUTE, NVS_KIND_GRAPHICS, NVS_KIND_MPS };
	FRONT_DEVICE(c, device, FRONT_MIG_TOO | FRONT_ROOT_IN_MIG);
	if (c.shared->process_abi != NVS_PROCESSES_24)
		return GM_NVML_ERROR_FUNCTION_NOT_FOUND;
	if (!io)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	if (io->version != GM_NVML_VERSION(struct gm_nvml_process_detail_list_v1, 1))
		return GM_NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	if (io->mode >= GM_LEN(kinds))
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	if (!io->array)
		io->count = 0;
	return list(&c, kinds[io->mode], sizeof(*io->array), &io->count, io->array);
}

NVML(nvmlSystemGetProcessName, unsigned pid, char *name, unsigned length)
{
	FRONT_SYSTEM(c);
	if (!name || length == 0)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	for (uint32_t i = 0; i < c.shared->process_count; i++) {
		if (nvs_process_pid(&c.shared->processes[i]) == pid)
			return front_text(&c, name, length, c.shared->processes[i].name);
	}
	return GM_NVML_ERROR_NOT_FOUND;
}

/* Processes share the board's load by what they ask of it. */
static unsigned share(const struct front_call *c, const struct nvs_process *p, int64_t whole)
{
	unsigned wanted = 0, n = 0;
	for (uint32_t i = 0; i < c->shared->process_count; i++) {
		const struct nvs_process *q = &c->shared->processes[i];
		if (q->board != c->board)
			continue;
		wanted += q->load_percent;
		n++;
	}
	if (wanted == 0)
		return n ? (unsigned)whole / n : 0;
	return (unsigned)whole * p->load_percent / wanted;
}

NVML(nvmlDeviceGetProcessUtilization, struct gm_nvml_device *device, struct gm_nvml_process_utilization *out,
     unsigned *io_count, unsigned long long last_seen_us)
{
	enum { ANY_KIND = NVS_KIND_COMPUTE | NVS_KIND_GRAPHICS | NVS_KIND_MPS };
	FRONT_DEVICE(c, device, FRONT_NOT_IN_MIG);
	if (!io_count)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	uint64_t now_us = (uint64_t)nvs_world_now_ms(c.world) * 1000;
	unsigned room = out ? *io_count : 0, need = count_shown(&c, ANY_KIND), n = 0;
	*io_count = need;
	if (need == 0 || last_seen_us >= now_us)
		return GM_NVML_ERROR_NOT_FOUND;
	if (room < need)
		return GM_NVML_ERROR_INSUFFICIENT_SIZE;
	for (uint32_t i = 0; i < c.shared->process_count; i++) {
		const struct nvs_process *p = &c.shared->processes[i];
		if (!shown(&c, p, ANY_KIND))
			continue;
		out[n++] = (struct gm_nvml_process_utilization){
			.pid = nvs_process_pid(p),
			.at_us = now_us,
			.sm = share(&c, p, front_utilization(&c, 0)),
			.memory = share(&c, p, front_memory_utilization(&c, 0)),
			.encoder = share(&c, p, front_encoder(&c, 0)),
			.decoder = share(&c, p, front_decoder(&c, 0)),
		};
	}
	front_fills(&c, out, n * sizeof(*out), false);
	return 0;
}
