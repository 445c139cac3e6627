/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_NVML_MIG_OPS_H
#define GM_ADAPTER_NVML_MIG_OPS_H

#include <stdint.h>

#include "adapter/nvml/nvml.h"
#include "base/err.h"

/*
 * What changes a board's MIG layout, one step each. Errors carry NVML's name: GM_ERR_CONFLICT for IN_USE and INSUFFICIENT
 * resources, GM_ERR_FORBIDDEN for NO_PERMISSION, GM_ERR_UNAVAILABLE for RESET_REQUIRED and a lost GPU,
 * GM_ERR_UNSUPPORTED for NOT_SUPPORTED and a missing symbol, GM_ERR_NOT_FOUND for NOT_FOUND, else GM_ERR_IO.
 */
struct gm_nvml_mig {
	const struct gm_nvml *lib;
	const struct gm_nvml_probe *probe;
};

struct gm_nvml_gpu_instance {
	int32_t gi, profile_id;
	int32_t start, size;
	int32_t compute_count; /* compute instances in it */
};
#define GM_NVML_GPU_INSTANCES_MAX 16

/* *out_active: 1 it took effect, 0 accepted but pending (*out_why: IN_USE or RESET_REQUIRED, NVML's code). */
int gm_nvml_mig_set_mode(const struct gm_nvml_mig *m, const char *gpu_uuid, bool on, int *out_active, int *out_why,
			 struct gm_err *err) GM_CHECKED;
/* All GPU instances, also those without a compute instance. */
int gm_nvml_mig_instances(const struct gm_nvml_mig *m, const char *gpu_uuid,
			  struct gm_nvml_gpu_instance out[static GM_NVML_GPU_INSTANCES_MAX], size_t *out_count,
			  struct gm_err *err) GM_CHECKED;
/* With the explicit placement; then one compute instance that fills it. On failure of the second the first is undone. */
int gm_nvml_mig_create(const struct gm_nvml_mig *m, const char *gpu_uuid, int profile_id, int start, int size,
		       int *out_gi, struct gm_err *err) GM_CHECKED;
/* Its compute instances, then itself. NOT_FOUND when there is none of this id. */
int gm_nvml_mig_destroy(const struct gm_nvml_mig *m, const char *gpu_uuid, int gi, struct gm_err *err) GM_CHECKED;

#endif
