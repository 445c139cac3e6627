/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "adapter/nvmlsim/world-internal.h"

/* What a scenario begins with, and how the shared part of a world looks to core/sim. */

#define MIB (INT64_C(1) << 20)

int64_t nvs_slice_bytes(const struct nvs_world *w, unsigned board, size_t profile)
{
	const struct gm_mig_table *t = nvs_table(w, board);
	const struct gm_mig_profile *p = &t->profiles[profile];
	int64_t part = nvs_static_device(w, board)->memory_total_bytes * p->size / t->placement_units;
	return p->memory_mib > 0 ? p->memory_mib * MIB : part / MIB * MIB;
}

/* Held at what was commanded, else at what the processes there make together, else left to the workload. */
static struct gm_sim_use use_of(const struct nvs_shared *s, unsigned board, int gi, int ci, int16_t commanded)
{
	struct gm_sim_use use = { .load_percent = -1 };
	int sum = 0;
	for (uint32_t i = 0; i < s->process_count; i++) {
		const struct nvs_process *p = &s->processes[i];
		if (p->workload || p->board != board || p->gi != gi || (gi >= 0 && p->ci != ci))
			continue;
		use.held_bytes += p->used_bytes > 0 ? p->used_bytes : 0;
		sum += p->load_percent;
	}
	if (commanded >= 0)
		use.load_percent = commanded;
	else if (sum > 0)
		use.load_percent = sum < 100 ? sum : 100;
	return use;
}

static void shape_gi(struct nvs_world *w, const struct nvs_shared *s, unsigned board, const struct nvs_gi *gi,
		     struct gm_sim_shape *out)
{
	for (size_t k = 0; k < NVS_CI_MAX; k++) {
		const struct nvs_compute *ci = &gi->cis[k];
		if (!ci->alive || out->instance_count == GM_SIM_INSTANCES_MAX)
			continue;
		struct gm_sim_instance *in = &out->instances[out->instance_count];
		*in = (struct gm_sim_instance){ .gi_id = gi->id,
						.ci_id = ci->id,
						.profile = &nvs_table(w, board)->profiles[gi->slot.profile],
						.slices = ci->slices,
						.placement_start = gi->slot.start,
						.pod = -1,
						.memory_total_bytes = nvs_slice_bytes(w, board, gi->slot.profile) };
		memcpy(in->uuid, ci->uuid, sizeof(in->uuid));
		out->uses[out->instance_count++] = use_of(s, board, gi->id, ci->id, gi->load_percent);
	}
}

void nvs_shape_of(struct nvs_world *w, const struct nvs_shared *s, unsigned board, struct gm_sim_shape *out)
{
	const struct nvs_board *b = &s->boards[board];
	*out = (struct gm_sim_shape){ .mig_enabled = b->mig_current };
	out->board = use_of(s, board, -1, -1, b->load_percent);
	for (size_t i = 0; i < NVS_GI_MAX && b->mig_current; i++) {
		if (b->gis[i].alive)
			shape_gi(w, s, board, &b->gis[i], out);
	}
}

static int begin_mig_board(struct nvs_world *w, struct nvs_shared *s, unsigned board, const struct nvs_mig_row *row,
			   struct gm_err *err)
{
	const struct gm_mig_table *t = nvs_table(w, board);
	struct gm_mig_layout layout = { 0 };
	if (!t && row->gpu < 0)
		return 0;
	if (!t)
		return gm_fail(err, GM_ERR_INVALID, "GPU %u is not MIG-capable", board);
	int rc = row->has_layout ? gm_mig_layout_parse(t, gm_str(row->layout), &layout, err) : 0;
	if (rc == 0 && row->has_layout)
		rc = gm_mig_layout_check(t, &layout, err);
	if (rc < 0)
		return rc;
	s->boards[board].mig_current = s->boards[board].mig_pending = row->mode == 1;
	memset(s->boards[board].gis, 0, sizeof(s->boards[board].gis)); /* a later row is what holds */
	return nvs_layout_add(w, s, board, &layout) ? gm_fail(err, GM_ERR_CONFLICT, "the layout does not fit") : 0;
}

static int begin_mig(struct nvs_world *w, struct nvs_shared *s, struct gm_err *err)
{
	const struct gm_option_maps *rows = &w->scenario->mig;
	for (size_t i = 0; i < rows->count; i++) {
		const char *where = rows->items[i].count ? rows->items[i].items[0].where : "";
		struct nvs_mig_row row = { .gpu = -1, .mode = -1 };
		struct gm_err why = { 0 };
		int rc = nvs_row_read(&nvs_mig_rows, &rows->items[i], &row, err);
		if (rc < 0)
			return rc;
		if (row.gpu >= (int)s->board_count)
			return gm_fail_at(err, GM_ERR_INVALID, where, "MIG of GPU %d: there are %u", row.gpu,
					  s->board_count);
		for (unsigned b = 0; b < s->board_count && rc == 0; b++) {
			if (row.gpu < 0 || row.gpu == (int)b)
				rc = begin_mig_board(w, s, b, &row, &why);
		}
		if (rc < 0)
			return gm_fail_at(err, rc, where, "MIG: %s", why.text);
	}
	return 0;
}

static int begin_processes(const struct nvs_world *w, struct nvs_shared *s, struct gm_err *err)
{
	const struct gm_option_maps *rows = &w->scenario->processes;
	for (size_t i = 0; i < rows->count; i++) {
		struct nvs_process_row row = nvs_process_row_default;
		struct gm_err why = { 0 };
		int rc = nvs_row_read(&nvs_process_rows, &rows->items[i], &row, err);
		if (rc < 0)
			return rc;
		rc = nvs_process_add(s, &row, &why);
		if (rc < 0)
			return gm_fail_at(err, rc, rows->items[i].items[0].where, "a process: %s", why.text);
	}
	return 0;
}

static int begin_faults(struct nvs_world *w, struct nvs_shared *s, struct gm_err *err)
{
	const struct gm_option_maps *rows = &w->scenario->call_faults;
	for (size_t i = 0; i < rows->count; i++) {
		struct nvs_fault_row row = { .gpu = -1 };
		struct gm_err why = { 0 };
		int rc = nvs_row_read(&nvs_fault_rows, &rows->items[i], &row, err);
		if (rc < 0)
			return rc;
		rc = nvs_fault_add(s, &row, NULL, &why);
		if (rc < 0)
			return gm_fail_at(err, rc, rows->items[i].items[0].where, "a call fault: %s", why.text);
	}
	return 0;
}

int nvs_begin(struct nvs_world *w, struct nvs_shared *s, struct gm_err *err)
{
	const struct nvs_scenario *c = w->scenario;
	s->driver_loaded = true;
	s->driver_generation = 1;
	s->unprivileged = c->unprivileged;
	s->process_abi = (enum nvs_process_abi)c->process_abi;
	s->cuda_version = c->cuda_version;
	(void)snprintf(s->driver_version, sizeof(s->driver_version), "%s", c->driver);
	(void)snprintf(s->nvml_version, sizeof(s->nvml_version), "%s", c->nvml);
	s->board_count = (uint32_t)c->gpus;
	for (unsigned i = 0; i < s->board_count; i++) {
		struct nvs_board *b = &s->boards[i];
		b->generation = 1;
		b->minor = (int32_t)i;
		b->load_percent = -1;
	}
	int rc = begin_mig(w, s, err);
	if (rc == 0)
		rc = begin_processes(w, s, err);
	return rc == 0 ? begin_faults(w, s, err) : rc;
}
