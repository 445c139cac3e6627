/* SPDX-License-Identifier: MIT */
#include "adapter/nvml/mig-ops.h"

#include <string.h>

#define CALL(m, member, ...) GM_NVML_CALL((m)->lib, (m)->probe, member, __VA_ARGS__)
#define COMPUTE_MAX 8

static int fail(int rc, struct gm_err *err, const char *what)
{
	int code = GM_ERR_IO;
	switch (rc) {
	case GM_NVML_ERROR_IN_USE:
	case GM_NVML_ERROR_INSUFFICIENT_RESOURCES:
		code = GM_ERR_CONFLICT;
		break;
	case GM_NVML_ERROR_NO_PERMISSION:
		code = GM_ERR_FORBIDDEN;
		break;
	case GM_NVML_ERROR_RESET_REQUIRED:
	case GM_NVML_ERROR_GPU_IS_LOST:
		code = GM_ERR_UNAVAILABLE;
		break;
	case GM_NVML_ERROR_NOT_FOUND:
		code = GM_ERR_NOT_FOUND;
		break;
	case GM_NVML_ERROR_NOT_SUPPORTED:
	case GM_NVML_ERROR_FUNCTION_NOT_FOUND:
		code = GM_ERR_UNSUPPORTED;
		break;
	default:
		break;
	}
	return gm_fail(err, code, "%s: %s", what, gm_nvml_result_name(rc));
}

/* gm_err_wrap gives the code of its error back, so there must be one. */
#define WITH_ERR(err)                                                                                                  \
	struct gm_err own_err = { 0 };                                                                                 \
	if (!(err))                                                                                                    \
		(err) = &own_err;

static int find_board(const struct gm_nvml_mig *m, const char *gpu_uuid, struct gm_nvml_device **out,
		      struct gm_err *err)
{
	struct gm_nvml_device *d = NULL;
	int rc = CALL(m, by_uuid, gpu_uuid, &d);
	if (rc != GM_NVML_SUCCESS || !d) {
		(void)fail(rc ? rc : GM_NVML_ERROR_UNKNOWN, err, gm_nvml_symbol_name(GM_NVML_SYMBOL_by_uuid));
		return gm_err_wrap(err, "%s", gpu_uuid);
	}
	*out = d;
	return 0;
}

int gm_nvml_mig_set_mode(const struct gm_nvml_mig *m, const char *gpu_uuid, bool on, int *out_active, int *out_why,
			 struct gm_err *err)
{
	WITH_ERR(err)
	struct gm_nvml_device *d = NULL;
	int r = find_board(m, gpu_uuid, &d, err);
	if (r)
		return r;
	int32_t activation = GM_NVML_ERROR_UNKNOWN;
	int rc = CALL(m, mig_set_mode, d, on ? GM_NVML_ENABLED : GM_NVML_DISABLED, &activation);
	if (rc != GM_NVML_SUCCESS)
		return fail(rc, err, "set MIG mode");
	*out_active = activation == GM_NVML_SUCCESS;
	*out_why = activation;
	return 0;
}

struct found {
	struct gm_nvml_gi *handles[GM_NVML_GPU_INSTANCES_MAX];
	struct gm_nvml_gi_info infos[GM_NVML_GPU_INSTANCES_MAX];
	size_t count;
};

/* The GPU instances of one profile: NVML lists them no other way. */
static int list_profile(const struct gm_nvml_mig *m, struct gm_nvml_device *d, const struct gm_nvml_gi_profile_v1 *p,
			struct found *f, struct gm_err *err)
{
	struct gm_nvml_gi *handles[64] = { NULL };
	uint32_t count = 0;
	if (p->instances > GM_LEN(handles))
		return gm_fail(err, GM_ERR_IO, "profile %u: %u instances are more than a board has", p->id,
			       p->instances);
	int rc = CALL(m, gi_list, d, p->id, handles, &count);
	if (rc == GM_NVML_ERROR_NOT_SUPPORTED)
		return 0; /* MIG is off: there are none */
	if (rc != GM_NVML_SUCCESS)
		return fail(rc, err, "list GPU instances");
	for (uint32_t i = 0; i < count && i < GM_LEN(handles); i++) {
		if (f->count == GM_NVML_GPU_INSTANCES_MAX)
			return gm_fail(err, GM_ERR_IO, "more than %d GPU instances", GM_NVML_GPU_INSTANCES_MAX);
		rc = CALL(m, gi_info, handles[i], &f->infos[f->count]);
		if (rc == GM_NVML_ERROR_NOT_FOUND || rc == GM_NVML_ERROR_INVALID_ARGUMENT)
			continue; /* destroyed between the two calls */
		if (rc != GM_NVML_SUCCESS)
			return fail(rc, err, "ask a GPU instance");
		f->handles[f->count++] = handles[i];
	}
	return 0;
}

/* Of every profile the board has: NOT_SUPPORTED skips a number of the enum, INVALID_ARGUMENT ends it. */
static int list_all(const struct gm_nvml_mig *m, struct gm_nvml_device *d, struct found *f, struct gm_err *err)
{
	for (uint32_t i = 0; i < 64; i++) {
		struct gm_nvml_gi_profile_v1 p = { 0 };
		int rc = CALL(m, gi_profile, d, i, &p);
		if (rc == GM_NVML_ERROR_INVALID_ARGUMENT)
			break;
		if (rc == GM_NVML_ERROR_NOT_SUPPORTED)
			continue;
		if (rc != GM_NVML_SUCCESS)
			return fail(rc, err, "ask GPU instance profiles");
		int r = list_profile(m, d, &p, f, err);
		if (r)
			return r;
	}
	return 0;
}

/* Compute instances of a GPU instance, by each of its profiles. */
static int list_compute(const struct gm_nvml_mig *m, struct gm_nvml_gi *gi, struct gm_nvml_ci *out[static COMPUTE_MAX],
			uint32_t *out_count, struct gm_err *err)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < 64; i++) {
		struct gm_nvml_ci_profile_v1 p = { 0 };
		struct gm_nvml_ci *handles[64] = { NULL };
		uint32_t n = 0;
		int rc = CALL(m, ci_profile, gi, i, GM_NVML_CI_ENGINE_SHARED, &p);
		if (rc == GM_NVML_ERROR_INVALID_ARGUMENT)
			break;
		if (rc == GM_NVML_ERROR_NOT_SUPPORTED)
			continue;
		if (rc == GM_NVML_SUCCESS && p.instances <= GM_LEN(handles))
			rc = CALL(m, ci_list, gi, p.id, handles, &n);
		if (rc != GM_NVML_SUCCESS)
			return fail(rc, err, "list compute instances");
		for (uint32_t k = 0; k < n && count < COMPUTE_MAX; k++)
			out[count++] = handles[k];
	}
	*out_count = count;
	return 0;
}

int gm_nvml_mig_instances(const struct gm_nvml_mig *m, const char *gpu_uuid,
			  struct gm_nvml_gpu_instance out[static GM_NVML_GPU_INSTANCES_MAX], size_t *out_count,
			  struct gm_err *err)
{
	WITH_ERR(err)
	struct gm_nvml_device *d = NULL;
	struct found f = { .count = 0 };
	int r = find_board(m, gpu_uuid, &d, err);
	if (!r)
		r = list_all(m, d, &f, err);
	struct gm_nvml_gpu_instance all[GM_NVML_GPU_INSTANCES_MAX];
	for (size_t i = 0; i < f.count && !r; i++) {
		struct gm_nvml_ci *compute[COMPUTE_MAX];
		uint32_t count = 0;
		r = list_compute(m, f.handles[i], compute, &count, err);
		all[i] = (struct gm_nvml_gpu_instance){
			.gi = (int32_t)f.infos[i].id,
			.profile_id = (int32_t)f.infos[i].profile_id,
			.start = (int32_t)f.infos[i].placement.start,
			.size = (int32_t)f.infos[i].placement.size,
			.compute_count = (int32_t)count,
		};
	}
	if (r)
		return gm_err_wrap(err, "%s", gpu_uuid);
	memcpy(out, all, f.count * sizeof(all[0]));
	*out_count = f.count;
	return 0;
}

/* The compute profile with most slices: the one that fills the GPU instance. */
static int largest_compute(const struct gm_nvml_mig *m, struct gm_nvml_gi *gi, uint32_t *out_id, struct gm_err *err)
{
	uint32_t most = 0;
	for (uint32_t i = 0; i < 64; i++) {
		struct gm_nvml_ci_profile_v1 p = { 0 };
		int rc = CALL(m, ci_profile, gi, i, GM_NVML_CI_ENGINE_SHARED, &p);
		if (rc == GM_NVML_ERROR_INVALID_ARGUMENT)
			break;
		if (rc == GM_NVML_ERROR_NOT_SUPPORTED)
			continue;
		if (rc != GM_NVML_SUCCESS)
			return fail(rc, err, "ask compute instance profiles");
		/* Of two that are equally large the first is the plain one, the other has the media engines by itself. */
		if (p.slices > most) {
			most = p.slices;
			*out_id = p.id;
		}
	}
	return most ? 0 : gm_fail(err, GM_ERR_IO, "a GPU instance without a compute instance profile");
}

static int fill(const struct gm_nvml_mig *m, struct gm_nvml_gi *gi, int *out_gi, struct gm_err *err)
{
	struct gm_nvml_gi_info info = { 0 };
	struct gm_nvml_ci *ci = NULL;
	uint32_t profile = 0;
	int rc = CALL(m, gi_info, gi, &info);
	if (rc != GM_NVML_SUCCESS)
		return fail(rc, err, "ask the new GPU instance");
	int r = largest_compute(m, gi, &profile, err);
	if (r)
		return r;
	rc = CALL(m, ci_create, gi, profile, &ci);
	if (rc != GM_NVML_SUCCESS)
		return fail(rc, err, "create a compute instance");
	*out_gi = (int)info.id;
	return 0;
}

int gm_nvml_mig_create(const struct gm_nvml_mig *m, const char *gpu_uuid, int profile_id, int start, int size,
		       int *out_gi, struct gm_err *err)
{
	WITH_ERR(err)
	struct gm_nvml_device *d = NULL;
	int r = find_board(m, gpu_uuid, &d, err);
	if (r)
		return r;
	const struct gm_nvml_placement at = { .start = (uint32_t)start, .size = (uint32_t)size };
	struct gm_nvml_gi *gi = NULL;
	int rc = CALL(m, gi_create, d, (uint32_t)profile_id, &at, &gi);
	if (rc != GM_NVML_SUCCESS) {
		(void)fail(rc, err, "create a GPU instance");
		return gm_err_wrap(err, "%s, profile %d at %d", gpu_uuid, profile_id, start);
	}
	r = fill(m, gi, out_gi, err);
	if (!r)
		return 0;
	rc = CALL(m, gi_destroy, gi);
	if (rc != GM_NVML_SUCCESS) /* the first cause counts; that it was left behind must be known, too */
		return gm_err_wrap(err, "%s, profile %d at %d, a GPU instance stays without a compute instance (%s)",
				   gpu_uuid, profile_id, start, gm_nvml_result_name(rc));
	return gm_err_wrap(err, "%s, profile %d at %d", gpu_uuid, profile_id, start);
}

int gm_nvml_mig_destroy(const struct gm_nvml_mig *m, const char *gpu_uuid, int gi, struct gm_err *err)
{
	WITH_ERR(err)
	struct gm_nvml_device *d = NULL;
	struct gm_nvml_gi *handle = NULL;
	struct gm_nvml_ci *compute[COMPUTE_MAX];
	uint32_t count = 0;
	int r = find_board(m, gpu_uuid, &d, err);
	if (r)
		return r;
	int rc = CALL(m, gi_by_id, d, (uint32_t)gi, &handle);
	if (rc != GM_NVML_SUCCESS)
		(void)fail(rc, err, "find a GPU instance");
	else if (list_compute(m, handle, compute, &count, err))
		rc = GM_NVML_ERROR_UNKNOWN; /* err is told */
	for (uint32_t i = 0; i < count && rc == GM_NVML_SUCCESS; i++) {
		rc = CALL(m, ci_destroy, compute[i]);
		if (rc != GM_NVML_SUCCESS)
			(void)fail(rc, err, "destroy a compute instance");
	}
	if (rc == GM_NVML_SUCCESS) {
		rc = CALL(m, gi_destroy, handle);
		if (rc == GM_NVML_SUCCESS)
			return 0;
		(void)fail(rc, err, "destroy a GPU instance");
	}
	return gm_err_wrap(err, "%s, GPU instance %d", gpu_uuid, gi);
}
