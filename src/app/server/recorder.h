/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_SERVER_RECORDER_H
#define GM_APP_SERVER_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "adapter/store/store.h"
#include "adapter/store/writer.h"
#include "base/clock.h"
#include "core/alloc/alloc-store.h"
#include "core/alloc/alloc-store.h"
#include "core/auth/auth-store.h"
#include "core/fleet/fleet-store.h"

/*
 * The database as the server uses it: open or not, written by its one thread. The live view never waits for it. One that
 * cannot be opened stays closed until the next start: series are numbered by what it holds, so it cannot join later.
 */
struct gm_recorder;

struct gm_recorder_stats {
	bool up;	     /* open, and the last write went well */
	int64_t since_ms;    /* when that changed last */
	struct gm_err error; /* why it is not up */
	struct gm_store_writer_stats writer;
	struct gm_store_stats store;
};

/* Opens the database and starts the thread; never fails, says why in the log. */
struct gm_recorder *gm_recorder_new(const struct gm_store_conf *conf);
/* Writes what is queued, at most for deadline_ms; false when something was left. */
bool gm_recorder_stop(struct gm_recorder *r, int64_t deadline_ms);
void gm_recorder_free(struct gm_recorder *r);

/*
 * The series the database holds could not all be read: new ones would be given numbers that are taken, so none are written
 * or read from here on. Keys and audit go on. Before other threads use the recorder.
 */
void gm_recorder_give_up_history(struct gm_recorder *r, const struct gm_err *why);

/* For reading, any thread; NULL when no database is open, the first also without history. */
const struct gm_fleet_store *gm_recorder_fleet_store(const struct gm_recorder *r);
const struct gm_auth_store *gm_recorder_auth_store(const struct gm_recorder *r);
const struct gm_alloc_store *gm_recorder_alloc_store(const struct gm_recorder *r);

/* As gm_store_writer_series and _samples; without a database nothing is kept. */
void gm_recorder_series(struct gm_recorder *r, const struct gm_series_def *def);
void gm_recorder_samples(struct gm_recorder *r, struct gm_sample_row *take_rows, size_t count);
/* Runs `job` on the writer's thread in a transaction; 0: what it wrote is on disk. A failing database answers at once. */
int gm_recorder_run(struct gm_recorder *r, int (*job)(void *ctx, struct gm_err *err), void *ctx,
		    struct gm_err *err) GM_CHECKED;
/* The same with a deadline, as gm_store_writer_do: after GM_ERR_DEADLINE the context is the writer's. */
int gm_recorder_try(struct gm_recorder *r, const struct gm_store_job *job, int64_t deadline_ms,
		    struct gm_err *err) GM_CHECKED;
void gm_recorder_stats(struct gm_recorder *r, struct gm_recorder_stats *out);

GM_DEFINE_AUTO(struct gm_recorder, gm_recorder_free)

#endif
