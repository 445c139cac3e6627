/* SPDX-License-Identifier: MIT */
#include "adapter/nvmlsim/front-internal.h"

#include <time.h>

#include "base/alloc.h"

/* Sets of events: what this process wants to hear of which board, and how far in the world's ring it has read. */
struct event_set {
	uint64_t seen;
	struct {
		uint64_t types, after; /* only events past this number */
	} boards[NVS_BOARDS_MAX];
};

/* A board that is lost by command makes no event: waiting goes on in slices, to see it. */
#define SLICE_MS 100

NVML(nvmlEventSetCreate, struct gm_nvml_set **out)
{
	FRONT_SYSTEM(c);
	FRONT_OUT_HANDLE(c, out);
	struct event_set *set = gm_xalloc(sizeof(*set));
	set->seen = c.shared->events_made;
	*out = front_object_add(FRONT_SET, set);
	return 0;
}

NVML(nvmlEventSetFree, struct gm_nvml_set *set)
{
	FRONT_SYSTEM(c);
	return front_object_remove(FRONT_SET, set) ? 0 : GM_NVML_ERROR_INVALID_ARGUMENT;
}

static uint64_t supported(const struct front_call *c)
{
	uint64_t types = GM_NVML_EVENT_XID | GM_NVML_EVENT_PSTATE | GM_NVML_EVENT_CLOCK;

	if (c->device->ecc_sbe >= 0)
		types |= GM_NVML_EVENT_SBE | GM_NVML_EVENT_DBE;
	if (c->variant->mig)
		types |= GM_NVML_EVENT_MIG_CONFIG;
	if (c->arch >= GM_NVML_ARCH_HOPPER && !c->device->consumer)
		types |= GM_NVML_EVENT_GPU_UNAVAILABLE | GM_NVML_EVENT_RECOVERY_ACTION;
	return types;
}

NVML(nvmlDeviceGetSupportedEventTypes, struct gm_nvml_device *device, uint64_t *out)
{
	FRONT_DEVICE(c, device, 0);
	FRONT_OUT(c, out);
	*out = supported(&c);
	return 0;
}

NVML(nvmlDeviceRegisterEvents, struct gm_nvml_device *device, unsigned long long types, struct gm_nvml_set *handle)
{
	FRONT_DEVICE(c, device, 0);
	struct event_set *set = front_object(FRONT_SET, handle);
	if (!set)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	if (types & ~supported(&c))
		return GM_NVML_ERROR_NOT_SUPPORTED;
	if (!set->boards[c.board].types)
		set->boards[c.board].after = c.shared->events_made;
	set->boards[c.board].types |= types;
	return 0;
}

/* The oldest event that the set wants; those that the ring has lost are lost. */
static const struct nvs_event *next_event(const struct nvs_shared *s, struct event_set *set)
{
	uint64_t last = s->events_made, first = last > NVS_EVENTS_MAX ? last - NVS_EVENTS_MAX + 1 : 1;

	if (set->seen > last) /* the world began anew */
		set->seen = last;
	for (uint64_t n = set->seen + 1 > first ? set->seen + 1 : first; n <= last; n++) {
		set->seen = n;
		for (size_t i = 0; i < NVS_EVENTS_MAX; i++) {
			const struct nvs_event *e = &s->events[i];
			if (e->number == n && e->board < NVS_BOARDS_MAX && e->type & set->boards[e->board].types &&
			    n > set->boards[e->board].after)
				return e;
		}
	}
	return NULL;
}

static bool lost_one(const struct front_call *c, const struct event_set *set)
{
	for (unsigned i = 0; i < c->shared->board_count; i++) {
		if (set->boards[i].types && nvs_board_lost(c->world, i))
			return true;
	}
	return false;
}

static int64_t mono_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* What is there already comes before the news that a board is lost, which then comes at once, each time. */
static int wait_event(struct front_call *c, struct gm_nvml_set *handle, unsigned timeout_ms,
		      struct gm_nvml_event_v2 *out)
{
	int64_t until = mono_ms() + timeout_ms;

	for (;;) {
		struct event_set *set = front_object(FRONT_SET, handle);
		if (!set)
			return GM_NVML_ERROR_INVALID_ARGUMENT;
		const struct nvs_event *e = next_event(c->shared, set);
		if (e) {
			*out = (struct gm_nvml_event_v2){ .device = front_board_handle(c, e->board),
							  .type = e->type,
							  .data = e->data,
							  .gi = front_id(e->gi),
							  .ci = front_id(e->ci) };
			return 0;
		}
		if (lost_one(c, set))
			return GM_NVML_ERROR_GPU_IS_LOST;
		int64_t left = until - mono_ms();
		if (left <= 0)
			return GM_NVML_ERROR_TIMEOUT;
		front_wait_event(c, set->seen, left < SLICE_MS ? left : SLICE_MS);
		if (c->rc)
			return c->rc;
	}
}

NVML(nvmlEventSetWait, struct gm_nvml_set *set, struct gm_nvml_event_v1 *out, unsigned timeout_ms)
{
	FRONT_SYSTEM(c);
	FRONT_OUT(c, out);
	struct gm_nvml_event_v2 event;
	int rc = wait_event(&c, set, timeout_ms, &event);
	if (!rc)
		*out = (struct gm_nvml_event_v1){ .device = event.device, .type = event.type, .data = event.data };
	return rc;
}

NVML(nvmlEventSetWait_v2, struct gm_nvml_set *set, struct gm_nvml_event_v2 *out, unsigned timeout_ms)
{
	FRONT_SYSTEM(c);
	FRONT_OUT(c, out);
	return wait_event(&c, set, timeout_ms, out);
}
