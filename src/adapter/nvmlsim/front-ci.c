/* SPDX-License-Identifier: MIT */
#include "adapter/nvmlsim/front-internal.h"

#include <stdio.h>
#include <string.h>

/* Compute instances. The id of their profiles is the number that enumerates them. */

static bool find_profile(const struct front_call *c, unsigned number, struct gm_mig_compute *out)
{
	struct gm_mig_compute all[GM_MIG_COMPUTE_MAX];
	size_t n = gm_mig_compute_profiles(front_profile(c, c->gi)->compute_slices, all);

	for (size_t i = 0; i < n; i++) {
		if (all[i].nvml_enum != (int)number)
			continue;
		*out = all[i];
		return true;
	}
	return false;
}

static uint32_t amount(int known)
{
	return known < 0 ? 0 : (uint32_t)known;
}

/* The engines are shared by all compute instances of the GPU instance; the multiprocessors are dealt out. */
static int profile_info(const struct front_call *c, unsigned number, unsigned engines,
			struct gm_nvml_ci_profile_v3 *out)
{
	struct gm_mig_compute compute;

	if (number >= GM_NVML_CI_PROFILE_COUNT || engines != GM_NVML_CI_ENGINE_SHARED)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	if (!find_profile(c, number, &compute))
		return GM_NVML_ERROR_NOT_SUPPORTED;
	const struct gm_mig_profile *p = front_profile(c, c->gi);
	*out = (struct gm_nvml_ci_profile_v3){
		.version = GM_NVML_VERSION(struct gm_nvml_ci_profile_v3, 3),
		.id = number,
		.slices = (uint32_t)compute.slices,
		.instances = (uint32_t)compute.max_instances,
		.sm_count = amount(p->sm_count) * (uint32_t)compute.slices / (uint32_t)p->compute_slices,
		.copy_engines = amount(p->copy_engines),
		.decoders = amount(p->decoders),
		.encoders = amount(p->encoders),
		.jpegs = amount(p->jpeg),
		.ofas = amount(p->ofa),
	};
	char name[32];
	front_mig_name(c, c->gi, compute.slices, name, sizeof(name));
	(void)snprintf(out->name, sizeof(out->name), "MIG %s", name);
	return 0;
}

NVML(nvmlGpuInstanceGetComputeInstanceProfileInfo, struct gm_nvml_gi *gi, unsigned number, unsigned engines,
     struct gm_nvml_ci_profile_v1 *out)
{
	FRONT_GPU_INSTANCE(c, gi, 0);
	FRONT_OUT(c, out);
	struct gm_nvml_ci_profile_v3 i;
	int rc = profile_info(&c, number, engines, &i);
	if (rc)
		return rc;
	*out = (struct gm_nvml_ci_profile_v1){ .id = i.id,
					       .slices = i.slices,
					       .instances = i.instances,
					       .sm_count = i.sm_count,
					       .copy_engines = i.copy_engines,
					       .decoders = i.decoders,
					       .encoders = i.encoders,
					       .jpegs = i.jpegs,
					       .ofas = i.ofas };
	return 0;
}

/* The second form is the third without its end. */
_Static_assert(offsetof(struct gm_nvml_ci_profile_v3, capabilities) == sizeof(struct gm_nvml_ci_profile_v2), "prefix");
NVML(nvmlGpuInstanceGetComputeInstanceProfileInfoV, struct gm_nvml_gi *gi, unsigned number, unsigned engines,
     struct gm_nvml_ci_profile_v3 *out)
{
	FRONT_GPU_INSTANCE(c, gi, 0);
	if (!out)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	uint32_t version = out->version;
	size_t size = version == GM_NVML_VERSION(struct gm_nvml_ci_profile_v2, 2) ? sizeof(struct gm_nvml_ci_profile_v2)
										  : sizeof(*out);
	if (size == sizeof(*out) && version != GM_NVML_VERSION(struct gm_nvml_ci_profile_v3, 3))
		return GM_NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
	struct gm_nvml_ci_profile_v3 info;
	int rc = profile_info(&c, number, engines, &info);
	if (rc)
		return rc;
	info.version = version;
	memcpy(out, &info, size);
	front_fills(&c, &out->id, size - sizeof(version), false);
	return 0;
}

/* NULL asks for the count; else the array is taken to be large enough. */
NVML(nvmlGpuInstanceGetComputeInstancePossiblePlacements, struct gm_nvml_gi *gi, unsigned number,
     struct gm_nvml_placement *out, unsigned *out_count)
{
	FRONT_GPU_INSTANCE(c, gi, FRONT_ROOT);
	struct gm_mig_compute compute;
	uint8_t starts[NVS_CI_MAX];
	if (!out_count || !find_profile(&c, number, &compute))
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	size_t n = nvs_ci_starts(front_profile(&c, c.gi)->compute_slices, compute.slices, starts);
	for (size_t i = 0; out && i < n; i++)
		out[i] = (struct gm_nvml_placement){ .start = starts[i], .size = (uint32_t)compute.slices };
	*out_count = (unsigned)n;
	return 0;
}

NVML(nvmlGpuInstanceGetComputeInstanceRemainingCapacity, struct gm_nvml_gi *gi, unsigned number, unsigned *out)
{
	FRONT_GPU_INSTANCE(c, gi, FRONT_ROOT);
	FRONT_OUT(c, out);
	struct gm_mig_compute compute;
	if (!find_profile(&c, number, &compute))
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	*out = (unsigned)nvs_ci_remaining(c.world, (unsigned)c.board, c.gi, compute.slices);
	return 0;
}

static int create(struct front_call *c, unsigned number, const struct gm_nvml_placement *where, struct gm_nvml_ci **out)
{
	struct gm_mig_compute compute;
	struct nvs_compute *ci = NULL;

	FRONT_OUT_HANDLE(*c, out);
	if (!find_profile(c, number, &compute))
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	if (where && (where->size != (uint32_t)compute.slices || where->start >= NVS_CI_MAX))
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	int rc =
		nvs_ci_create(c->world, (unsigned)c->board, c->gi, compute.slices, where ? (int)where->start : -1, &ci);
	if (!rc)
		*out = front_ci_handle(c, ci);
	return rc;
}

NVML(nvmlGpuInstanceCreateComputeInstance, struct gm_nvml_gi *gi, unsigned number, struct gm_nvml_ci **out)
{
	FRONT_GPU_INSTANCE(c, gi, FRONT_ROOT);
	return create(&c, number, NULL, out);
}

NVML(nvmlGpuInstanceCreateComputeInstanceWithPlacement, struct gm_nvml_gi *gi, unsigned number,
     const struct gm_nvml_placement *where, struct gm_nvml_ci **out)
{
	FRONT_GPU_INSTANCE(c, gi, FRONT_ROOT);
	return where ? create(&c, number, where, out) : GM_NVML_ERROR_INVALID_ARGUMENT;
}

NVML(nvmlGpuInstanceGetComputeInstances, struct gm_nvml_gi *gi, unsigned number, struct gm_nvml_ci **out,
     unsigned *out_count)
{
	FRONT_GPU_INSTANCE(c, gi, FRONT_ROOT);
	struct gm_mig_compute compute;
	if (!out || !out_count || !find_profile(&c, number, &compute))
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	unsigned n = 0;
	for (size_t i = 0; i < NVS_CI_MAX; i++) {
		const struct nvs_compute *ci = &c.gi->cis[i];
		if (ci->alive && ci->slices == compute.slices)
			out[n++] = front_ci_handle(&c, ci);
	}
	*out_count = n;
	return 0;
}

NVML(nvmlGpuInstanceGetComputeInstanceById, struct gm_nvml_gi *gi, unsigned id, struct gm_nvml_ci **out)
{
	FRONT_GPU_INSTANCE(c, gi, FRONT_ROOT);
	FRONT_OUT_HANDLE(c, out);
	const struct nvs_compute *ci = nvs_ci_find(c.gi, (int)id);
	if (!ci)
		return GM_NVML_ERROR_NOT_FOUND;
	*out = front_ci_handle(&c, ci);
	return 0;
}

static struct gm_nvml_ci_info_v2 instance_info(const struct front_call *c)
{
	struct gm_mig_compute all[GM_MIG_COMPUTE_MAX];
	size_t n = gm_mig_compute_profiles(front_profile(c, c->gi)->compute_slices, all);
	struct gm_nvml_ci_info_v2 info = { .device = front_board_handle(c, (unsigned)c->board),
					   .gi = front_gi_handle(c, c->gi),
					   .id = c->ci->id,
					   .placement = { .start = c->ci->start, .size = c->ci->slices } };
	for (size_t i = 0; i < n; i++) {
		if (all[i].slices == c->ci->slices)
			info.profile_id = (uint32_t)all[i].nvml_enum;
	}
	return info;
}

/* The first form had no placement. */
NVML(nvmlComputeInstanceGetInfo, struct gm_nvml_ci *ci, struct gm_nvml_ci_info_v1 *out)
{
	FRONT_COMPUTE_INSTANCE(c, ci, 0);
	FRONT_OUT(c, out);
	struct gm_nvml_ci_info_v2 i = instance_info(&c);
	*out = (struct gm_nvml_ci_info_v1){ .device = i.device, .gi = i.gi, .id = i.id, .profile_id = i.profile_id };
	return 0;
}

NVML(nvmlComputeInstanceGetInfo_v2, struct gm_nvml_ci *ci, struct gm_nvml_ci_info_v2 *out)
{
	FRONT_COMPUTE_INSTANCE(c, ci, 0);
	FRONT_OUT(c, out);
	*out = instance_info(&c);
	return 0;
}

NVML(nvmlComputeInstanceDestroy, struct gm_nvml_ci *ci)
{
	FRONT_COMPUTE_INSTANCE(c, ci, FRONT_ROOT);
	return nvs_ci_destroy(c.world, (unsigned)c.board, c.gi, c.ci);
}
