/* SPDX-License-Identifier: MIT */
#include "adapter/nvmlsim/front-internal.h"

#include <stdio.h>

/* MIG mode, MIG devices, GPU instances. What may be created where is the world's affair. */

NVML(nvmlDeviceGetMigMode, struct gm_nvml_device *device, unsigned *out_current, unsigned *out_pending)
{
	FRONT_DEVICE(c, device, FRONT_MIG_BOARD);
	FRONT_OUT(c, out_current);
	FRONT_OUT(c, out_pending);
	*out_current = c.state->mig_current;
	*out_pending = c.state->mig_pending;
	return 0;
}

NVML(nvmlDeviceSetMigMode, struct gm_nvml_device *device, unsigned mode, int *out_activation)
{
	FRONT_DEVICE(c, device, FRONT_MIG_BOARD | FRONT_ROOT);
	FRONT_OUT(c, out_activation);
	if (mode > GM_NVML_ENABLED)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	return nvs_mig_set_mode(c.world, (unsigned)c.board, mode == GM_NVML_ENABLED, out_activation);
}

/* Boards that cannot be cut have none. */
unsigned front_mig_max(const struct front_call *c)
{
	return !c->variant->mig			   ? 0
	       : c->variant->mig_max_instances > 0 ? (unsigned)c->variant->mig_max_instances
						   : (unsigned)c->variant->mig->compute_slices;
}

NVML(nvmlDeviceGetMaxMigDeviceCount, struct gm_nvml_device *device, unsigned *out)
{
	FRONT_DEVICE(c, device, 0);
	FRONT_OUT(c, out);
	*out = c.state->mig_current ? front_mig_max(&c) : 0;
	return 0;
}

NVML(nvmlDeviceGetMigDeviceHandleByIndex, struct gm_nvml_device *device, unsigned index, struct gm_nvml_device **out)
{
	FRONT_DEVICE(c, device, FRONT_MIG_BOARD);
	FRONT_OUT_HANDLE(c, out);
	if (index >= front_mig_max(&c))
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	for (size_t k = 0; k < (size_t)NVS_GI_MAX * NVS_CI_MAX && c.state->mig_current; k++) {
		const struct nvs_gi *gi = &c.state->gis[k / NVS_CI_MAX];
		const struct nvs_compute *ci = &gi->cis[k % NVS_CI_MAX];
		if (!gi->alive || !ci->alive || ci->index != index)
			continue;
		*out = front_mig_handle(&c, ci);
		return 0;
	}
	return GM_NVML_ERROR_NOT_FOUND;
}

NVML(nvmlDeviceIsMigDeviceHandle, struct gm_nvml_device *device, unsigned *out)
{
	FRONT_DEVICE(c, device, FRONT_MIG_TOO);
	FRONT_OUT(c, out);
	*out = c.ci != NULL;
	return 0;
}

NVML(nvmlDeviceGetDeviceHandleFromMigDeviceHandle, struct gm_nvml_device *mig, struct gm_nvml_device **out)
{
	FRONT_DEVICE(c, mig, FRONT_MIG_ONLY);
	FRONT_OUT_HANDLE(c, out);
	*out = front_board_handle(&c, (unsigned)c.board);
	return 0;
}

/* A whole board is told apart from a handle that is none: it does not have this. */
static int instance_id(struct front_call *c, unsigned *out, bool compute)
{
	FRONT_OUT(*c, out);
	if (!c->ci)
		return GM_NVML_ERROR_NOT_SUPPORTED;
	*out = compute ? c->ci->id : c->gi->id;
	return 0;
}

NVML(nvmlDeviceGetGpuInstanceId, struct gm_nvml_device *device, unsigned *out)
{
	FRONT_DEVICE(c, device, FRONT_MIG_TOO);
	return instance_id(&c, out, false);
}

NVML(nvmlDeviceGetComputeInstanceId, struct gm_nvml_device *device, unsigned *out)
{
	FRONT_DEVICE(c, device, FRONT_MIG_TOO);
	return instance_id(&c, out, true);
}

static uint32_t amount(int known)
{
	return known < 0 ? 0 : (uint32_t)known;
}

NVML(nvmlDeviceGetAttributes_v2, struct gm_nvml_device *device, struct gm_nvml_attributes *out)
{
	FRONT_DEVICE(c, device, FRONT_MIG_TOO);
	FRONT_OUT(c, out);
	if (!c.ci)
		return GM_NVML_ERROR_NOT_SUPPORTED;
	const struct gm_mig_profile *p = front_profile(&c, c.gi);
	*out = (struct gm_nvml_attributes){
		.sm_count = amount(p->sm_count) * c.ci->slices / (uint32_t)p->compute_slices,
		.copy_engines = amount(p->copy_engines),
		.decoders = amount(p->decoders),
		.encoders = amount(p->encoders),
		.jpegs = amount(p->jpeg),
		.ofas = amount(p->ofa),
		.gi_slices = (uint32_t)p->compute_slices,
		.ci_slices = c.ci->slices,
		.memory_mib = (uint64_t)p->memory_mib,
	};
	return 0;
}

/* Ampere tells of profiles and placements only while MIG is on. */
static int may_tell(const struct front_call *c)
{
	return c->state->mig_current || front_mig_independent(c, 0) == 1 ? 0 : GM_NVML_ERROR_NOT_SUPPORTED;
}

static const struct gm_mig_profile *by_enum(const struct gm_mig_table *t, unsigned number)
{
	for (size_t i = 0; i < t->profile_count; i++) {
		if (t->profiles[i].nvml_enum == (int)number)
			return &t->profiles[i];
	}
	return NULL;
}

static const struct gm_mig_profile *by_id(const struct gm_mig_table *t, unsigned id)
{
	for (size_t i = 0; i < t->profile_count; i++) {
		if (t->profiles[i].profile_id == (int)id)
			return &t->profiles[i];
	}
	return NULL;
}

static struct gm_nvml_gi_profile_v3 profile_info(const struct gm_mig_profile *p)
{
	struct gm_nvml_gi_profile_v3 info = {
		.version = GM_NVML_VERSION(struct gm_nvml_gi_profile_v3, 3),
		.id = (uint32_t)p->profile_id,
		.slices = (uint32_t)p->compute_slices,
		.instances = (uint32_t)p->max_instances,
		.sm_count = amount(p->sm_count),
		.copy_engines = amount(p->copy_engines),
		.decoders = amount(p->decoders),
		.encoders = amount(p->encoders),
		.jpegs = amount(p->jpeg),
		.ofas = amount(p->ofa),
		.memory_mib = (uint64_t)p->memory_mib,
	};
	(void)snprintf(info.name, sizeof(info.name), "MIG %s", p->name);
	return info;
}

/* Same size, other places: see the header. */
static struct gm_nvml_gi_profile_v2 older_info(const struct gm_nvml_gi_profile_v3 *i)
{
	struct gm_nvml_gi_profile_v2 old = {
		.version = GM_NVML_VERSION(struct gm_nvml_gi_profile_v2, 2),
		.id = i->id,
		.slices = i->slices,
		.instances = i->instances,
		.sm_count = i->sm_count,
		.copy_engines = i->copy_engines,
		.decoders = i->decoders,
		.encoders = i->encoders,
		.jpegs = i->jpegs,
		.ofas = i->ofas,
		.memory_mib = i->memory_mib,
	};
	(void)snprintf(old.name, sizeof(old.name), "%s", i->name);
	return old;
}

static int find_profile(const struct front_call *c, unsigned number, bool number_is_id,
			const struct gm_mig_profile **out)
{
	int rc = may_tell(c);
	if (rc)
		return rc;
	if (!number_is_id && number >= GM_NVML_GI_PROFILE_COUNT)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	const struct gm_mig_table *t = c->variant->mig;
	*out = number_is_id ? by_id(t, number) : by_enum(t, number);
	if (*out)
		return 0;
	return number_is_id ? GM_NVML_ERROR_INVALID_ARGUMENT : GM_NVML_ERROR_NOT_SUPPORTED;
}

static int give_profile(struct front_call *c, unsigned number, bool number_is_id, void *out)
{
	const struct gm_mig_profile *p = NULL;
	uint32_t *version = out;

	if (!out)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	bool v2 = *version == GM_NVML_VERSION(struct gm_nvml_gi_profile_v2, 2);
	if (!v2 && *version != GM_NVML_VERSION(struct gm_nvml_gi_profile_v3, 3))
		return GM_NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	int rc = find_profile(c, number, number_is_id, &p);
	if (rc)
		return rc;
	struct gm_nvml_gi_profile_v3 info = profile_info(p);
	if (v2)
		*(struct gm_nvml_gi_profile_v2 *)out = older_info(&info);
	else
		*(struct gm_nvml_gi_profile_v3 *)out = info;
	front_fills(c, version + 1, sizeof(info) - sizeof(*version), false);
	return 0;
}

NVML(nvmlDeviceGetGpuInstanceProfileInfo, struct gm_nvml_device *device, unsigned number,
     struct gm_nvml_gi_profile_v1 *out)
{
	FRONT_DEVICE(c, device, FRONT_MIG_BOARD);
	FRONT_OUT(c, out);
	const struct gm_mig_profile *p = NULL;
	int rc = find_profile(&c, number, false, &p);
	if (rc)
		return rc;
	struct gm_nvml_gi_profile_v3 i = profile_info(p);
	*out = (struct gm_nvml_gi_profile_v1){ .id = i.id,
					       .slices = i.slices,
					       .instances = i.instances,
					       .sm_count = i.sm_count,
					       .copy_engines = i.copy_engines,
					       .decoders = i.decoders,
					       .encoders = i.encoders,
					       .jpegs = i.jpegs,
					       .ofas = i.ofas,
					       .memory_mib = i.memory_mib };
	return 0;
}

NVML(nvmlDeviceGetGpuInstanceProfileInfoV, struct gm_nvml_device *device, unsigned number, void *out)
{
	FRONT_DEVICE(c, device, FRONT_MIG_BOARD);
	return give_profile(&c, number, false, out);
}

NVML(nvmlDeviceGetGpuInstanceProfileInfoByIdV, struct gm_nvml_device *device, unsigned id, void *out)
{
	FRONT_DEVICE(c, device, FRONT_MIG_BOARD);
	return give_profile(&c, id, true, out);
}

/* The list is the profile's, whatever exists. `out` NULL asks for the count; else it is taken to be large enough. */
static int placements(struct front_call *c, unsigned id, struct gm_nvml_placement *out, unsigned *out_count)
{
	const struct gm_mig_profile *p = NULL;
	int rc = find_profile(c, id, true, &p);

	if (!out_count)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	if (rc)
		return rc;
	*out_count = (unsigned)p->start_count;
	for (size_t i = 0; out && i < p->start_count; i++)
		out[i] = (struct gm_nvml_placement){ .start = p->starts[i], .size = (uint32_t)p->size };
	if (out)
		front_fills(c, out, p->start_count * sizeof(*out), false);
	return 0;
}

NVML(nvmlDeviceGetGpuInstancePossiblePlacements, struct gm_nvml_device *device, unsigned id,
     struct gm_nvml_placement *out, unsigned *out_count)
{
	FRONT_DEVICE(c, device, FRONT_MIG_BOARD | FRONT_ROOT);
	return placements(&c, id, out, out_count);
}

NVML(nvmlDeviceGetGpuInstancePossiblePlacements_v2, struct gm_nvml_device *device, unsigned id,
     struct gm_nvml_placement *out, unsigned *out_count)
{
	FRONT_DEVICE(c, device, FRONT_MIG_BOARD | FRONT_ROOT);
	return placements(&c, id, out, out_count);
}

/* Index of a profile in the board's table. */
static int profile_index(const struct front_call *c, unsigned id, size_t *out)
{
	const struct gm_mig_profile *p = by_id(c->variant->mig, id);
	if (!p)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	*out = (size_t)(p - c->variant->mig->profiles);
	return 0;
}

NVML(nvmlDeviceGetGpuInstanceRemainingCapacity, struct gm_nvml_device *device, unsigned id, unsigned *out)
{
	FRONT_DEVICE(c, device, FRONT_IN_MIG | FRONT_ROOT);
	FRONT_OUT(c, out);
	struct gm_mig_layout layout;
	size_t profile = 0;
	int rc = profile_index(&c, id, &profile);
	if (rc)
		return rc;
	nvs_board_layout(c.state, &layout);
	*out = (unsigned)gm_mig_layout_remaining(c.variant->mig, &layout, profile);
	return 0;
}

static int create(struct front_call *c, unsigned id, const struct gm_nvml_placement *where, struct gm_nvml_gi **out)
{
	struct nvs_gi *gi = NULL;
	size_t profile = 0;

	FRONT_OUT_HANDLE(*c, out);
	int rc = profile_index(c, id, &profile);
	if (rc)
		return rc;
	if (where && (where->size != (uint32_t)c->variant->mig->profiles[profile].size ||
		      where->start >= (uint32_t)c->variant->mig->placement_units))
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	rc = nvs_gi_create(c->world, (unsigned)c->board, profile, where ? (int)where->start : -1, &gi);
	if (!rc)
		*out = front_gi_handle(c, gi);
	return rc;
}

NVML(nvmlDeviceCreateGpuInstance, struct gm_nvml_device *device, unsigned id, struct gm_nvml_gi **out)
{
	FRONT_DEVICE(c, device, FRONT_IN_MIG | FRONT_ROOT);
	return create(&c, id, NULL, out);
}

NVML(nvmlDeviceCreateGpuInstanceWithPlacement, struct gm_nvml_device *device, unsigned id,
     const struct gm_nvml_placement *where, struct gm_nvml_gi **out)
{
	FRONT_DEVICE(c, device, FRONT_IN_MIG | FRONT_ROOT);
	return where ? create(&c, id, where, out) : GM_NVML_ERROR_INVALID_ARGUMENT;
}

NVML(nvmlDeviceGetGpuInstances, struct gm_nvml_device *device, unsigned id, struct gm_nvml_gi **out,
     unsigned *out_count)
{
	FRONT_DEVICE(c, device, FRONT_IN_MIG | FRONT_ROOT);
	FRONT_OUT(c, out_count);
	size_t profile = 0;
	int rc = profile_index(&c, id, &profile);
	if (rc || !out)
		return rc ? rc : GM_NVML_ERROR_INVALID_ARGUMENT;
	unsigned n = 0;
	for (size_t i = 0; i < NVS_GI_MAX; i++) {
		const struct nvs_gi *gi = &c.state->gis[i];
		if (gi->alive && gi->slot.profile == profile)
			out[n++] = front_gi_handle(&c, gi);
	}
	*out_count = n;
	c.fill_count = 0; /* a count that is nonsense would make the caller read what is not there */
	return 0;
}

NVML(nvmlDeviceGetGpuInstanceById, struct gm_nvml_device *device, unsigned id, struct gm_nvml_gi **out)
{
	FRONT_DEVICE(c, device, FRONT_IN_MIG | FRONT_ROOT);
	FRONT_OUT_HANDLE(c, out);
	const struct nvs_gi *gi = nvs_gi_find(c.shared, (unsigned)c.board, (int)id);
	if (!gi)
		return GM_NVML_ERROR_NOT_FOUND;
	*out = front_gi_handle(&c, gi);
	return 0;
}

NVML(nvmlGpuInstanceGetInfo, struct gm_nvml_gi *gi, struct gm_nvml_gi_info *out)
{
	FRONT_GPU_INSTANCE(c, gi, 0);
	FRONT_OUT(c, out);
	const struct gm_mig_profile *p = front_profile(&c, c.gi);
	*out = (struct gm_nvml_gi_info){ .device = front_board_handle(&c, (unsigned)c.board),
					 .id = c.gi->id,
					 .profile_id = (uint32_t)p->profile_id,
					 .placement = { .start = c.gi->slot.start, .size = (uint32_t)p->size } };
	return 0;
}

NVML(nvmlGpuInstanceDestroy, struct gm_nvml_gi *gi)
{
	FRONT_GPU_INSTANCE(c, gi, FRONT_ROOT);
	return nvs_gi_destroy(c.world, (unsigned)c.board, c.gi);
}
