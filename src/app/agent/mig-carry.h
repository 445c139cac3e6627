/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_MIG_CARRY_H
#define GM_APP_AGENT_MIG_CARRY_H

#include "adapter/nvml/mig-ops.h"
#include "app/agent/mig-job.h"
#include "app/agent/mig-journal.h"

/* What changes boards: the calls of mig-ops.h, or boards of a test. Each as there. */
struct gm_mig_driver {
	void *ctx;
	int (*instances)(void *ctx, const char *uuid, struct gm_nvml_gpu_instance out[static GM_NVML_GPU_INSTANCES_MAX],
			 size_t *out_count, struct gm_err *err);
	int (*set_mode)(void *ctx, const char *uuid, bool on, int *out_active, int *out_why, struct gm_err *err);
	int (*create)(void *ctx, const char *uuid, const struct gm_mig_slice *slice, struct gm_err *err);
	int (*destroy)(void *ctx, const char *uuid, int gi, struct gm_err *err);
};

/*
 * Carries the job out under the journal: forward, and back when that fails; of RECOVER only toward its direction (what is
 * done is gone toward anew, whatever state the boards are in). `past` is what the journal had (of RECOVER: the change).
 * Instances that are of neither state make it stop before it touches anything. Sets the job's code, text and outcome.
 */
void gm_mig_carry_out(const struct gm_mig_driver *driver, struct gm_mig_journal *journal,
		      const struct gm_mig_past *past, struct gm_mig_job *job);

#endif
