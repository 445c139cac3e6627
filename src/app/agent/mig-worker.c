/* SPDX-License-Identifier: MIT */
#include "app/agent/mig-manager.h"

#include <stdlib.h>

#include "app/agent/mig-carry.h"
#include "base/alloc.h"
#include "base/clock.h"

static int driver_instances(void *ctx, const char *uuid,
			    struct gm_nvml_gpu_instance out[static GM_NVML_GPU_INSTANCES_MAX], size_t *out_count,
			    struct gm_err *err)
{
	return gm_nvml_mig_instances(ctx, uuid, out, out_count, err);
}

static int driver_set_mode(void *ctx, const char *uuid, bool on, int *out_active, int *out_why, struct gm_err *err)
{
	return gm_nvml_mig_set_mode(ctx, uuid, on, out_active, out_why, err);
}

static int driver_create(void *ctx, const char *uuid, const struct gm_mig_slice *slice, struct gm_err *err)
{
	int gi;

	return gm_nvml_mig_create(ctx, uuid, slice->profile_id, slice->start, slice->size, &gi, err);
}

static int driver_destroy(void *ctx, const char *uuid, int gi, struct gm_err *err)
{
	return gm_nvml_mig_destroy(ctx, uuid, gi, err);
}

static void enter_call(void *ctx, unsigned symbol)
{
	struct gm_mig_job *job = ctx;

	atomic_store(&job->call_began_ns, (uint64_t)gm_clock_mono_ns());
	atomic_store(&job->in_call, symbol + 1);
}

static void leave_call(void *ctx, unsigned symbol, int rc)
{
	struct gm_mig_job *job = ctx;

	(void)symbol;
	(void)rc;
	atomic_store(&job->in_call, 0);
}

static int refuse(struct gm_mig_job *job, const struct gm_err *err)
{
	job->code = err->code;
	memcpy(job->text, err->text, sizeof(job->text));
	/* Of a recovery nothing can be said: the journal stays as it is. */
	if (job->kind != GM_MIG_RECOVER)
		atomic_store(&job->outcome, GM_MIG_OUTCOME_OLD);
	return 1;
}

/* The journal may have been written by somebody else since the agent looked. */
static int check_past(const struct gm_mig_job *job, const struct gm_mig_past *past, struct gm_err *err)
{
	bool open = past->going && past->outcome == GM_MIG_OUTCOME_NONE;

	if (job->kind == GM_MIG_RECOVER && (!open || strcmp(past->id, job->id) != 0))
		return gm_fail(err, GM_ERR_CONFLICT, "the journal has no unfinished change %s", job->id);
	if (job->kind != GM_MIG_RECOVER && open)
		return gm_fail(err, GM_ERR_CONFLICT, "the change %s before this one is unfinished", past->id);
	return 0;
}

static int init(const struct gm_nvml *lib, struct gm_nvml_probe *probe, struct gm_err *err)
{
	int nvml;

	probe->enter(probe->ctx, GM_NVML_SYMBOL_init);
	nvml = lib->init();
	probe->leave(probe->ctx, GM_NVML_SYMBOL_init, nvml);
	if (nvml)
		return gm_fail(err, GM_ERR_UNAVAILABLE, "the driver does not answer: %s", gm_nvml_result_name(nvml));
	return 0;
}

static int work(struct gm_mig_job *job, struct gm_mig_journal *journal, const struct gm_mig_past *past,
		struct gm_err *err)
{
	struct gm_nvml_probe probe = { .ctx = job, .enter = enter_call, .leave = leave_call };
	struct gm_nvml lib;
	struct gm_nvml_mig mig = { .lib = &lib, .probe = &probe };
	const struct gm_mig_driver driver = { .ctx = &mig,
					      .instances = driver_instances,
					      .set_mode = driver_set_mode,
					      .create = driver_create,
					      .destroy = driver_destroy };
	int rc = gm_nvml_open(job->library[0] ? job->library : NULL, &lib, err);

	if (rc)
		return rc;
	rc = init(&lib, &probe, err);
	if (rc == 0) {
		gm_mig_carry_out(&driver, journal, past, job);
		(void)lib.shutdown();
	}
	gm_nvml_close(&lib);
	return rc;
}

/*
 * Nobody watches agent_gone_fd: a change that was begun is better ended than left half way, and the lock keeps the next
 * agent away until then.
 */
int gm_mig_worker_run(struct gm_mig_job *job, int agent_gone_fd)
{
	struct gm_mig_journal journal = GM_MIG_JOURNAL_NONE;
	struct gm_mig_past *past = gm_try_alloc(sizeof(*past));
	struct gm_err err = { 0 };
	int rc;

	(void)agent_gone_fd;
	if (!past) {
		(void)gm_fail(&err, GM_ERR_NO_MEMORY, "no memory for the journal");
		return refuse(job, &err);
	}
	rc = gm_mig_journal_open(job->state_dir, &journal, past, &err);
	if (rc == 0)
		rc = check_past(job, past, &err);
	if (rc == 0)
		rc = work(job, &journal, past, &err);
	if (rc)
		rc = refuse(job, &err);
	gm_mig_journal_close(&journal);
	free(past);
	return rc;
}
