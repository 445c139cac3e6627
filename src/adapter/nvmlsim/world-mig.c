/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "adapter/nvml/nvml-abi.h"
#include "adapter/nvmlsim/world-internal.h"

/* The rules of MIG as a driver keeps them: what is refused, with which code, and what goes with what. */

struct nvs_gi *nvs_gi_find(struct nvs_shared *s, unsigned board, int id)
{
	for (size_t i = 0; i < NVS_GI_MAX; i++) {
		struct nvs_gi *gi = &s->boards[board].gis[i];
		if (gi->alive && gi->id == id)
			return gi;
	}
	return NULL;
}

struct nvs_compute *nvs_ci_find(struct nvs_gi *gi, int id)
{
	for (size_t i = 0; i < NVS_CI_MAX; i++) {
		if (gi->cis[i].alive && gi->cis[i].id == id)
			return &gi->cis[i];
	}
	return NULL;
}

void nvs_board_layout(const struct nvs_board *b, struct gm_mig_layout *out)
{
	*out = (struct gm_mig_layout){ 0 };
	for (size_t i = 0; i < NVS_GI_MAX; i++) {
		if (!b->gis[i].alive)
			continue;
		size_t at = out->count++;
		for (; at > 0 && out->slots[at - 1].start > b->gis[i].slot.start; at--)
			out->slots[at] = out->slots[at - 1];
		out->slots[at] = b->gis[i].slot;
	}
}

bool nvs_board_resetless(struct nvs_world *w, unsigned board)
{
	const struct gm_variant *v = nvs_static_device(w, board)->variant;
	return v->cc_major >= 9;
}

void nvs_mig_changed(struct nvs_world *w, unsigned board, int gi, int ci)
{
	nvs_reshape(w, board);
	nvs_event_raise(w, board, NVS_EVENT_MIG, 0, gi, ci);
}

/* --- mode --- */

static bool has_instances(const struct nvs_board *b)
{
	struct gm_mig_layout l;
	nvs_board_layout(b, &l);
	return l.count > 0;
}

int nvs_mig_set_mode(struct nvs_world *w, unsigned board, bool on, int *out_activation)
{
	struct nvs_shared *s = &w->file->shared;
	struct nvs_board *b = &s->boards[board];
	*out_activation = GM_NVML_SUCCESS;
	if (!nvs_table(w, board))
		return GM_NVML_ERROR_NOT_SUPPORTED;
	b->mig_pending = on;
	if (b->mig_current == on)
		return GM_NVML_SUCCESS;
	bool resetless = nvs_board_resetless(w, board);
	if ((!on && has_instances(b)) || nvs_processes_on(s, board, -1, -1) ||
	    (!resetless && nvs_others_attached(w, board, NULL))) {
		*out_activation = GM_NVML_ERROR_IN_USE;
		return GM_NVML_SUCCESS;
	}
	if (!resetless) /* the driver resets the board for it */
		gm_sim_live_reset(w->sim, board);
	b->mig_current = on;
	b->generation++;
	nvs_mig_changed(w, board, -1, -1);
	return GM_NVML_SUCCESS;
}

/* --- GPU instances --- */

static int free_gi_id(struct nvs_shared *s, unsigned board, const struct gm_mig_table *t, size_t profile)
{
	int first, last;
	gm_mig_gi_ids(t, profile, &first, &last);
	for (int id = first; id <= last; id++) {
		if (!nvs_gi_find(s, board, id))
			return id;
	}
	return -1;
}

int nvs_gi_put(struct nvs_world *w, struct nvs_shared *s, unsigned board, struct gm_mig_slot slot, struct nvs_gi **out)
{
	struct nvs_board *b = &s->boards[board];
	int id = free_gi_id(s, board, nvs_table(w, board), slot.profile);
	for (size_t i = 0; i < NVS_GI_MAX && id >= 0; i++) {
		struct nvs_gi *gi = &b->gis[i];
		if (gi->alive)
			continue;
		*gi = (struct nvs_gi){ .id = (uint8_t)id, .slot = slot, .serial = ++b->serials, .load_percent = -1 };
		gi->alive = true;
		*out = gi;
		return GM_NVML_SUCCESS;
	}
	return GM_NVML_ERROR_INSUFFICIENT_RESOURCES;
}

static bool starts_at(const struct gm_mig_profile *p, int start)
{
	for (size_t i = 0; i < p->start_count; i++) {
		if (p->starts[i] == start)
			return true;
	}
	return false;
}

/* Clients of the whole board that hold channels on it. */
static bool channel_held(const struct nvs_shared *s, unsigned board)
{
	for (uint32_t i = 0; i < s->process_count; i++) {
		const struct nvs_process *p = &s->processes[i];
		if (p->board == board && p->gi < 0 && p->holds_channel)
			return true;
	}
	return false;
}

int nvs_gi_create(struct nvs_world *w, unsigned board, size_t profile, int start, struct nvs_gi **out)
{
	struct nvs_shared *s = &w->file->shared;
	struct nvs_board *b = &s->boards[board];
	const struct gm_mig_table *t = nvs_table(w, board);
	struct gm_mig_layout layout;
	if (!t || !b->mig_current)
		return GM_NVML_ERROR_NOT_SUPPORTED;
	if (profile >= t->profile_count || (start >= 0 && !starts_at(&t->profiles[profile], start)))
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	if (channel_held(s, board))
		return GM_NVML_ERROR_IN_USE;
	nvs_board_layout(b, &layout);
	if (start < 0)
		start = gm_mig_layout_choose(t, &layout, profile);
	struct gm_mig_slot slot = { .profile = (uint8_t)profile, .start = (uint8_t)start };
	if (start < 0 || gm_mig_layout_may_add(t, &layout, slot, NULL) < 0)
		return GM_NVML_ERROR_INSUFFICIENT_RESOURCES;
	int rc = nvs_gi_put(w, s, board, slot, out);
	if (rc == GM_NVML_SUCCESS)
		nvs_mig_changed(w, board, (*out)->id, -1);
	return rc;
}

int nvs_gi_destroy(struct nvs_world *w, unsigned board, struct nvs_gi *gi)
{
	int id = gi->id;
	for (size_t i = 0; i < NVS_CI_MAX; i++) {
		if (gi->cis[i].alive)
			return GM_NVML_ERROR_IN_USE;
	}
	if (nvs_processes_on(&w->file->shared, board, id, -1))
		return GM_NVML_ERROR_IN_USE;
	gi->alive = false;
	nvs_mig_changed(w, board, id, -1);
	return GM_NVML_SUCCESS;
}

/* --- compute instances --- */

/* Even cuts; of seven slices the second three begin at 4, as halves of eight do. */
size_t nvs_ci_starts(int gi_slices, int slices, uint8_t out[static NVS_CI_MAX])
{
	int stride = slices == 3 && gi_slices > 6 ? 4 : slices;
	size_t n = 0;
	for (int start = 0; slices > 0 && start + slices <= gi_slices && n < NVS_CI_MAX; start += stride)
		out[n++] = (uint8_t)start;
	return n;
}

static uint32_t slices_taken(const struct nvs_gi *gi)
{
	uint32_t taken = 0;
	for (size_t i = 0; i < NVS_CI_MAX; i++) {
		if (gi->cis[i].alive)
			taken |= ((UINT32_C(1) << gi->cis[i].slices) - 1) << gi->cis[i].start;
	}
	return taken;
}

static int gi_slices(const struct nvs_world *w, unsigned board, const struct nvs_gi *gi)
{
	return nvs_table(w, board)->profiles[gi->slot.profile].compute_slices;
}

static bool has_size(int all, int slices)
{
	struct gm_mig_compute sizes[GM_MIG_COMPUTE_MAX];
	size_t count = gm_mig_compute_profiles(all, sizes);
	for (size_t i = 0; i < count; i++) {
		if (sizes[i].slices == slices)
			return true;
	}
	return false;
}

int nvs_ci_remaining(const struct nvs_world *w, unsigned board, const struct nvs_gi *gi, int slices)
{
	uint8_t starts[NVS_CI_MAX];
	int all = gi_slices(w, board, gi), left = 0;
	size_t count = has_size(all, slices) ? nvs_ci_starts(all, slices, starts) : 0;
	uint32_t taken = slices_taken(gi), mask = (UINT32_C(1) << slices) - 1;
	for (size_t i = 0; i < count; i++)
		left += !(taken & mask << starts[i]);
	return left;
}

/* Compute instances of the whole board: core/sim follows so many. */
static unsigned count_cis(const struct nvs_board *b)
{
	unsigned count = 0;
	for (size_t i = 0; i < NVS_GI_MAX; i++) {
		for (size_t k = 0; k < NVS_CI_MAX && b->gis[i].alive; k++)
			count += b->gis[i].cis[k].alive;
	}
	return count;
}

static uint8_t free_index(const struct nvs_board *b)
{
	uint32_t taken = 0;
	for (size_t i = 0; i < NVS_GI_MAX; i++) {
		for (size_t k = 0; k < NVS_CI_MAX && b->gis[i].alive; k++)
			taken |= b->gis[i].cis[k].alive ? UINT32_C(1) << b->gis[i].cis[k].index : 0;
	}
	return (uint8_t)__builtin_ctz(~taken);
}

static int choose_start(const struct nvs_gi *gi, const uint8_t *starts, size_t count, int slices, int wanted)
{
	uint32_t taken = slices_taken(gi), mask = (UINT32_C(1) << slices) - 1;
	for (size_t i = 0; i < count; i++) {
		if ((wanted < 0 || starts[i] == wanted) && !(taken & mask << starts[i]))
			return starts[i];
	}
	return -1;
}

int nvs_ci_put(struct nvs_world *w, struct nvs_shared *s, unsigned board, struct nvs_gi *gi, int slices, int start,
	       struct nvs_compute **out)
{
	struct nvs_board *b = &s->boards[board];
	uint8_t starts[NVS_CI_MAX];
	int all = gi_slices(w, board, gi);
	if (!has_size(all, slices))
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	size_t count = nvs_ci_starts(all, slices, starts);
	if (start >= 0 && !memchr(starts, start, count))
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	start = choose_start(gi, starts, count, slices, start);
	if (start < 0 || count_cis(b) >= GM_SIM_INSTANCES_MAX)
		return GM_NVML_ERROR_INSUFFICIENT_RESOURCES;
	for (uint8_t id = 0; id < NVS_CI_MAX; id++) { /* a row is its id: the lowest free one */
		struct nvs_compute *ci = &gi->cis[id];
		if (ci->alive)
			continue;
		*ci = (struct nvs_compute){ .id = id,
					    .slices = (uint8_t)slices,
					    .start = (uint8_t)start,
					    .index = free_index(b),
					    .serial = ++b->serials };
		gm_sim_live_uuid(w->sim, board, ci->serial, ci->uuid);
		ci->alive = true;
		*out = ci;
		return GM_NVML_SUCCESS;
	}
	return GM_NVML_ERROR_INSUFFICIENT_RESOURCES;
}

int nvs_ci_create(struct nvs_world *w, unsigned board, struct nvs_gi *gi, int slices, int start,
		  struct nvs_compute **out)
{
	int rc = nvs_ci_put(w, &w->file->shared, board, gi, slices, start, out);
	if (rc == GM_NVML_SUCCESS)
		nvs_mig_changed(w, board, gi->id, (*out)->id);
	return rc;
}

int nvs_ci_destroy(struct nvs_world *w, unsigned board, struct nvs_gi *gi, struct nvs_compute *ci)
{
	if (nvs_processes_on(&w->file->shared, board, gi->id, ci->id))
		return GM_NVML_ERROR_IN_USE;
	ci->alive = false;
	nvs_mig_changed(w, board, gi->id, ci->id);
	return GM_NVML_SUCCESS;
}

int nvs_layout_add(struct nvs_world *w, struct nvs_shared *s, unsigned board, const struct gm_mig_layout *layout)
{
	for (size_t i = 0; i < layout->count; i++) {
		struct nvs_gi *gi;
		struct nvs_compute *ci;
		int rc = nvs_gi_put(w, s, board, layout->slots[i], &gi);
		if (rc == GM_NVML_SUCCESS)
			rc = nvs_ci_put(w, s, board, gi, gi_slices(w, board, gi), -1, &ci);
		if (rc != GM_NVML_SUCCESS)
			return rc;
	}
	return GM_NVML_SUCCESS;
}

/* --- resets --- */

void nvs_board_renew(struct nvs_world *w, unsigned board)
{
	struct nvs_shared *s = &w->file->shared;
	struct nvs_board *b = &s->boards[board];
	bool had = b->mig_current != b->mig_pending || has_instances(b);
	for (size_t i = 0; i < NVS_GI_MAX; i++)
		b->gis[i].alive = false;
	b->mig_current = b->mig_pending;
	b->reset_required = false;
	b->generation++;
	nvs_processes_end(s, board);
	gm_sim_live_reset(w->sim, board);
	if (had)
		nvs_mig_changed(w, board, -1, -1);
	else
		nvs_reshape(w, board);
}

int nvs_reset(struct nvs_world *w, unsigned board)
{
	if (nvs_processes_on(&w->file->shared, board, -1, -1) || nvs_others_attached(w, board, NULL))
		return GM_NVML_ERROR_IN_USE;
	nvs_board_renew(w, board);
	return GM_NVML_SUCCESS;
}

void nvs_driver_unload(struct nvs_world *w)
{
	struct nvs_shared *s = &w->file->shared;
	if (!s->driver_loaded)
		return;
	s->driver_loaded = false; /* first: nobody is left to be told of what ends */
	s->driver_generation++;
	for (unsigned i = 0; i < s->board_count; i++) {
		if (nvs_board_resetless(w, i))
			s->boards[i].mig_pending = false;
		nvs_board_renew(w, i);
	}
	nvs_word_bump(&w->file->event_word); /* who waits for events learns it */
}

void nvs_driver_load(struct nvs_world *w)
{
	w->file->shared.driver_loaded = true;
	w->file->shared.driver_mismatch = false;
}

void nvs_driver_reload(struct nvs_world *w)
{
	nvs_driver_unload(w);
	nvs_driver_load(w);
}
