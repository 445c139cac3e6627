/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "adapter/nvml/reading.h"
#include "base/alloc.h"
#include "base/str.h"

#define BOARDS_MAX 64

struct board {
	struct gm_nvml_device *device; /* NULL: not in the set */
	char uuid[48];
};

struct gm_nvml_events {
	const struct gm_nvml *lib;
	const struct gm_nvml_probe *probe;
	struct gm_nvml_set *set;
	unsigned count;
	struct board boards[BOARDS_MAX];
};

#define CALL(e, member, ...) GM_NVML_CALL((e)->lib, (e)->probe, member, __VA_ARGS__)

struct gm_nvml_events *gm_nvml_events_new(const struct gm_nvml *lib, const struct gm_nvml_probe *probe)
{
	struct gm_nvml_events *e = gm_xalloc(sizeof(*e));
	e->lib = lib;
	e->probe = probe;
	return e;
}

static void free_set(struct gm_nvml_events *e)
{
	if (e->set)
		(void)CALL(e, events_free, e->set);
	e->set = NULL;
}

void gm_nvml_events_free(struct gm_nvml_events *e)
{
	if (!e)
		return;
	free_set(e);
	free(e);
}

static int enlist(struct gm_nvml_events *e, struct board *b)
{
	struct gm_nvml_device *d = NULL;
	uint64_t supported = 0;
	int rc = CALL(e, by_uuid, b->uuid, &d);
	if (rc == GM_NVML_SUCCESS)
		rc = CALL(e, events_supported, d, &supported);
	if (rc == GM_NVML_SUCCESS && supported == 0)
		rc = GM_NVML_ERROR_NOT_SUPPORTED;
	if (rc == GM_NVML_SUCCESS && !e->set)
		rc = CALL(e, events_create, &e->set);
	if (rc == GM_NVML_SUCCESS)
		rc = CALL(e, events_register, d, supported & GM_NVML_EVENTS_WANTED, e->set);
	if (rc == GM_NVML_SUCCESS)
		b->device = d;
	return rc;
}

/* The set again without this board: nothing takes a board out of a set. Events that wait in the old one are lost. */
static void begin_anew(struct gm_nvml_events *e, struct board *without)
{
	free_set(e);
	without->device = NULL;
	for (unsigned i = 0; i < e->count; i++) {
		if (!e->boards[i].device)
			continue;
		e->boards[i].device = NULL;
		(void)enlist(e, &e->boards[i]);
	}
}

int gm_nvml_events_add(struct gm_nvml_events *e, const char *uuid)
{
	struct board *b = NULL;
	for (unsigned i = 0; i < e->count && !b; i++)
		if (strcmp(e->boards[i].uuid, uuid) == 0)
			b = &e->boards[i];
	if (b && b->device)
		begin_anew(e, b);
	if (!b) {
		if (e->count == BOARDS_MAX || strlen(uuid) >= sizeof(b->uuid))
			return GM_NVML_ERROR_INVALID_ARGUMENT;
		b = &e->boards[e->count++];
		(void)gm_str_copy(gm_str(uuid), b->uuid, sizeof(b->uuid));
	}
	return enlist(e, b);
}

/* Who of the registered is gone: each is asked something that only a living board answers. NULL: none says so. */
static struct board *find_lost(struct gm_nvml_events *e)
{
	for (unsigned i = 0; i < e->count; i++) {
		struct board *b = &e->boards[i];
		uint32_t celsius = 0;
		if (b->device &&
		    CALL(e, temperature, b->device, GM_NVML_TEMPERATURE_GPU, &celsius) == GM_NVML_ERROR_GPU_IS_LOST)
			return b;
	}
	return NULL;
}

int gm_nvml_events_wait(struct gm_nvml_events *e, unsigned timeout_ms, struct gm_reading_event *out,
			char uuid[static 48])
{
	uuid[0] = '\0';
	if (!e->set)
		return GM_NVML_ERROR_NO_DATA;
	/* The old form of the call leaves the last two as they are. */
	struct gm_nvml_event_v2 event = { .gi = GM_NVML_NO_INSTANCE, .ci = GM_NVML_NO_INSTANCE };
	int rc = CALL(e, events_wait, e->set, &event, timeout_ms);
	if (rc == GM_NVML_ERROR_GPU_IS_LOST) {
		struct board *lost = find_lost(e);
		if (lost) {
			memcpy(uuid, lost->uuid, sizeof(lost->uuid));
			begin_anew(e, lost);
		}
	}
	if (rc != GM_NVML_SUCCESS)
		return rc;
	for (unsigned i = 0; i < e->count; i++)
		if (e->boards[i].device == event.device)
			memcpy(uuid, e->boards[i].uuid, sizeof(e->boards[i].uuid));
	*out = (struct gm_reading_event){
		.type = event.type,
		.data = event.data,
		.gi = event.gi < 256 ? (int16_t)event.gi : -1,
		.ci = event.ci < 256 ? (int16_t)event.ci : -1,
	};
	return GM_NVML_SUCCESS;
}
