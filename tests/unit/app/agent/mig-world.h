/* SPDX-License-Identifier: MIT */
#ifndef GM_TESTS_UNIT_APP_AGENT_MIG_WORLD_H
#define GM_TESTS_UNIT_APP_AGENT_MIG_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "app/agent/mig-carry.h"
#include "app/agent/mig-plan.h"

/*
 * Boards with the driver's rules, in memory that forked workers share with the test: what they did stays when they are
 * killed in the middle of it.
 */
#define WORLD_BOARDS 4
struct world_instance {
	bool there;
	int16_t compute_count;
	struct gm_mig_slot slot;
	uint32_t serial; /* a new one for each creation: a kept instance keeps it */
};
struct world_board {
	char uuid[GM_MIG_UUID_SIZE];
	const struct gm_variant *variant;
	bool on, resetless;
	bool broken;		      /* its driver creates nothing */
	struct world_instance gi[16]; /* by id */
};
struct world {
	unsigned count;
	struct world_board boards[WORLD_BOARDS];
	uint32_t serial;
	unsigned calls;	      /* changing ones so far */
	unsigned kill_before; /* number of the changing call, from 1; 0: none */
	unsigned kill_after;
	unsigned kill_half; /* a create that left a GPU instance without a compute instance */
	unsigned fail_at;   /* number of the changing call that the driver refuses, and for how many */
	unsigned fail_count;
};

static inline struct world *world_new(void)
{
	struct world *w = mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(w, MAP_FAILED);
	return w;
}
static inline void world_free(struct world *w)
{
	(void)munmap(w, sizeof(*w));
}

static inline struct world_board *world_add(struct world *w, const char *variant, bool on)
{
	struct world_board *b = &w->boards[w->count];

	b->variant = gm_catalog_variant(gm_str(variant));
	assert_non_null(b->variant);
	(void)snprintf(b->uuid, sizeof(b->uuid), "GPU-%08u-0000-0000-0000-000000000000", w->count++);
	b->on = on;
	b->resetless = strcmp(b->variant->family, "hopper") == 0;
	return b;
}

static inline struct world_board *world_find(struct world *w, const char *uuid)
{
	for (unsigned i = 0; i < w->count; i++) {
		if (strcmp(w->boards[i].uuid, uuid) == 0)
			return &w->boards[i];
	}
	return NULL;
}

static inline struct gm_mig_layout world_layout(const struct world_board *b)
{
	struct gm_mig_layout l = { 0 };

	for (unsigned start = 0; start < GM_MIG_UNITS_MAX; start++) {
		for (unsigned i = 0; i < 16; i++) {
			if (b->gi[i].there && b->gi[i].slot.start == start)
				l.slots[l.count++] = b->gi[i].slot;
		}
	}
	return l;
}

static inline void world_step(struct world *w, bool before)
{
	if (before)
		w->calls++;
	if ((before && w->calls == w->kill_before) || (!before && w->calls == w->kill_after))
		(void)raise(SIGKILL);
}

static inline bool world_refuses(const struct world *w)
{
	return w->fail_at && w->calls >= w->fail_at && w->calls < w->fail_at + w->fail_count;
}

static inline int world_instances(void *ctx, const char *uuid,
				  struct gm_nvml_gpu_instance out[static GM_NVML_GPU_INSTANCES_MAX], size_t *out_count,
				  struct gm_err *err)
{
	struct world_board *b = world_find(ctx, uuid);
	size_t n = 0;

	if (!b || !b->on)
		return gm_fail(err, GM_ERR_IO, "NOT_SUPPORTED");
	for (int i = 0; i < 16; i++) {
		const struct gm_mig_profile *p = &b->variant->mig->profiles[b->gi[i].slot.profile];

		if (b->gi[i].there)
			out[n++] = (struct gm_nvml_gpu_instance){ .gi = i,
								  .profile_id = p->profile_id,
								  .start = b->gi[i].slot.start,
								  .size = p->size,
								  .compute_count = b->gi[i].compute_count };
	}
	*out_count = n;
	return 0;
}

static inline int world_set_mode(void *ctx, const char *uuid, bool on, int *out_active, int *out_why,
				 struct gm_err *err)
{
	struct world *w = ctx;
	struct world_board *b = world_find(w, uuid);

	world_step(w, true);
	if (!b || world_refuses(w))
		return gm_fail(err, GM_ERR_FORBIDDEN, "NO_PERMISSION");
	*out_active = world_layout(b).count == 0;
	*out_why = 19;
	if (*out_active)
		b->on = on;
	world_step(w, false);
	return 0;
}

static inline int world_put(struct world *w, struct world_board *b, struct gm_mig_slot slot, int compute_count)
{
	struct gm_mig_layout l = world_layout(b);
	int first, last;

	if (gm_mig_layout_may_add(b->variant->mig, &l, slot, NULL))
		return -1;
	gm_mig_gi_ids(b->variant->mig, slot.profile, &first, &last);
	for (int i = first; i <= last; i++) {
		if (b->gi[i].there)
			continue;
		b->gi[i] = (struct world_instance){ true, (int16_t)compute_count, slot, ++w->serial };
		return i;
	}
	return -1;
}

static inline int world_create(void *ctx, const char *uuid, const struct gm_mig_slice *slice, struct gm_err *err)
{
	struct world *w = ctx;
	struct world_board *b = world_find(w, uuid);
	const struct gm_mig_table *t = b ? b->variant->mig : NULL;
	struct gm_mig_slot slot = { 0, slice->start };
	int gi;

	world_step(w, true);
	if (!b || !b->on || b->broken || world_refuses(w))
		return gm_fail(err, GM_ERR_CONFLICT, "INSUFFICIENT_RESOURCES");
	while (slot.profile < t->profile_count && t->profiles[slot.profile].profile_id != slice->profile_id)
		slot.profile++;
	gi = world_put(w, b, slot, 0);
	if (gi < 0)
		return gm_fail(err, GM_ERR_CONFLICT, "INSUFFICIENT_RESOURCES");
	if (w->calls == w->kill_half)
		(void)raise(SIGKILL);
	b->gi[gi].compute_count = 1;
	world_step(w, false);
	return 0;
}

static inline int world_destroy(void *ctx, const char *uuid, int gi, struct gm_err *err)
{
	struct world *w = ctx;
	struct world_board *b = world_find(w, uuid);

	world_step(w, true);
	if (!b || gi < 0 || gi > 15 || !b->gi[gi].there)
		return gm_fail(err, GM_ERR_NOT_FOUND, "NOT_FOUND");
	if (world_refuses(w))
		return gm_fail(err, GM_ERR_CONFLICT, "IN_USE");
	b->gi[gi] = (struct world_instance){ 0 };
	world_step(w, false);
	return 0;
}

static inline struct gm_mig_driver world_driver(struct world *w)
{
	return (struct gm_mig_driver){ w, world_instances, world_set_mode, world_create, world_destroy };
}

static inline void world_lay(struct world *w, struct world_board *b, const struct gm_mig_layout *l)
{
	for (unsigned i = 0; i < 16; i++)
		b->gi[i].there = false;
	for (size_t i = 0; i < l->count; i++)
		assert_true(world_put(w, b, l->slots[i], 1) >= 0);
}

static inline void world_lay_text(struct world *w, struct world_board *b, const char *text)
{
	struct gm_mig_layout l;

	assert_int_equal(gm_mig_layout_parse(b->variant->mig, gm_str(text), &l, NULL), 0);
	world_lay(w, b, &l);
}

static inline void world_read(const struct world_board *b, unsigned index, struct gm_reading *r)
{
	const struct gm_mig_table *t = b->variant->mig;

	*r = (struct gm_reading){ .mig_current = b->on, .mig_pending = b->on };
	r->facts.index = (int32_t)index;
	r->facts.mig_capable = 1;
	r->facts.mig_resetless = b->resetless;
	memcpy(r->facts.uuid, b->uuid, sizeof(r->facts.uuid));
	(void)gm_str_copy(gm_str(b->variant->names[0]), r->facts.name, sizeof(r->facts.name));
	for (size_t i = 0; i < t->profile_count; i++) {
		struct gm_reading_profile *p = &r->profiles[r->profile_count++];

		*p = (struct gm_reading_profile){ .nvml_enum = t->profiles[i].nvml_enum,
						  .id = t->profiles[i].profile_id,
						  .compute_slices = t->profiles[i].compute_slices,
						  .max_instances = t->profiles[i].max_instances,
						  .memory_mib = t->profiles[i].memory_mib,
						  .size = (uint8_t)t->profiles[i].size,
						  .start_count = (uint8_t)t->profiles[i].start_count };
		(void)gm_str_copy(gm_str(t->profiles[i].name), p->name, sizeof(p->name));
		memcpy(p->starts, t->profiles[i].starts, t->profiles[i].start_count);
	}
	for (int16_t i = 0; i < 16; i++) {
		struct gm_reading_instance *in = &r->instances[r->instance_count];
		const struct gm_mig_profile *p = &t->profiles[b->gi[i].slot.profile];

		if (!b->gi[i].there || b->gi[i].compute_count == 0)
			continue;
		*in = (struct gm_reading_instance){ .gi = i,
						    .gi_profile = b->gi[i].slot.profile,
						    .start = b->gi[i].slot.start,
						    .size = (int16_t)p->size,
						    .compute_slices = (int16_t)p->compute_slices };
		(void)snprintf(in->uuid, sizeof(in->uuid), "MIG-%u-%u", index, b->gi[i].serial);
		(void)gm_str_copy(gm_str(p->name), in->profile, sizeof(in->profile));
		r->instance_count++;
	}
}

static inline void world_view(const struct world *w, struct gm_agent_view *v)
{
	v->state = GM_AGENT_WORKING;
	v->board_count = w->count;
	for (unsigned i = 0; i < w->count; i++) {
		v->boards[i].state = GM_BOARD_OK;
		v->boards[i].samples++;
		world_read(&w->boards[i], i, &v->boards[i].reading);
	}
}

static inline struct gm_mig_state world_state(const struct world_board *b)
{
	const struct gm_mig_table *t = b->variant->mig;
	struct gm_mig_layout l = world_layout(b);
	struct gm_mig_state s = { .on = b->on };

	for (size_t i = 0; i < l.count; i++) {
		const struct gm_mig_profile *p = &t->profiles[l.slots[i].profile];
		struct gm_mig_slice slice = { (int16_t)p->profile_id, l.slots[i].start, (uint8_t)p->size, "" };

		(void)gm_str_copy(gm_str(p->name), slice.name, sizeof(slice.name));
		assert_true(gm_mig_state_add(&s, &slice));
	}
	return s;
}

static inline void state_of_text(const struct gm_variant *v, bool on, const char *text, struct gm_mig_state *out)
{
	struct world_board b = { .variant = v, .on = on };
	struct world w = { 0 };

	world_lay_text(&w, &b, text);
	*out = world_state(&b);
}

/* In memory where there is such a place: thousands of syncs to a disk would be all that takes time. */
static inline char *make_dir(void)
{
	char shm[] = "/dev/shm/gm-mig-XXXXXX", tmp[] = "/tmp/gm-mig-XXXXXX";

	if (mkdtemp(shm))
		return strdup(shm);
	assert_non_null(mkdtemp(tmp));
	return strdup(tmp);
}
static inline void drop_dir(char *dir)
{
	static const char *const names[] = { "mig-journal",	    "mig-lock",	      "mig-wanted",
					     "mig-journal.damaged", "mig-wanted.new", "mig-agent" };
	char path[300];

	for (size_t i = 0; i < GM_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(dir), 0);
	free(dir);
}

#endif
