/* SPDX-License-Identifier: MIT */
#include "app/server/recorder.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"

struct gm_recorder {
	struct gm_store *store;
	struct gm_store_writer *writer;
	int64_t opened_ms;
	struct gm_err open_error;
	bool no_history; /* open_error says why; set before other threads see the recorder */
};

static void tell_state(void *ctx, const struct gm_err *err)
{
	(void)ctx;
	if (err)
		gm_error_err("database: writing fails, trying again; the live view goes on", err);
	else
		gm_info("database: writing works again");
}

static int open_store(struct gm_recorder *r, const struct gm_store_conf *conf, struct gm_err *err)
{
	int code = gm_store_open(conf, &r->store, err);

	if (code)
		return code;
	const struct gm_store_writer_conf writer = { .store = r->store, .clock = conf->clock, .changed = tell_state };
	r->writer = gm_store_writer_new(&writer);
	code = gm_store_writer_start(r->writer, err);
	if (code) {
		gm_store_writer_free(r->writer);
		r->writer = NULL;
		gm_store_close(r->store);
		r->store = NULL;
	}
	return code;
}

struct gm_recorder *gm_recorder_new(const struct gm_store_conf *conf)
{
	struct gm_recorder *r = gm_xalloc(sizeof(*r));

	r->opened_ms = gm_wall_ms(conf->clock);
	if (open_store(r, conf, &r->open_error))
		gm_error_err("no database: history, keys and audit are off until the next start; the live view goes on",
			     &r->open_error);
	return r;
}

bool gm_recorder_stop(struct gm_recorder *r, int64_t deadline_ms)
{
	return !r->writer || gm_store_writer_stop(r->writer, deadline_ms);
}

void gm_recorder_free(struct gm_recorder *r)
{
	if (!r)
		return;
	gm_store_writer_free(r->writer);
	gm_store_close(r->store);
	free(r);
}

const struct gm_fleet_store *gm_recorder_fleet_store(const struct gm_recorder *r)
{
	return r->store && !r->no_history ? gm_store_fleet(r->store) : NULL;
}

const struct gm_auth_store *gm_recorder_auth_store(const struct gm_recorder *r)
{
	return r->store ? gm_store_auth(r->store) : NULL;
}

const struct gm_alloc_store *gm_recorder_alloc_store(const struct gm_recorder *r)
{
	return r->store ? gm_store_alloc(r->store) : NULL;
}

void gm_recorder_give_up_history(struct gm_recorder *r, const struct gm_err *why)
{
	r->no_history = true;
	r->open_error = *why;
	gm_error_err(
		"the database's list of devices cannot be read: no history until the next start; the live view goes on",
		why);
}

void gm_recorder_series(struct gm_recorder *r, const struct gm_series_def *def)
{
	if (r->writer && !r->no_history)
		gm_store_writer_series(r->writer, def);
}

void gm_recorder_samples(struct gm_recorder *r, struct gm_sample_row *take_rows, size_t count)
{
	if (r->writer && !r->no_history && count)
		gm_store_writer_samples(r->writer, take_rows, count);
	else
		free(take_rows);
}

int gm_recorder_run(struct gm_recorder *r, int (*job)(void *ctx, struct gm_err *err), void *ctx, struct gm_err *err)
{
	return gm_recorder_try(r, &(struct gm_store_job){ .run = job, .ctx = ctx }, INT64_MAX, err);
}

int gm_recorder_try(struct gm_recorder *r, const struct gm_store_job *job, int64_t deadline_ms, struct gm_err *err)
{
	if (!r->writer)
		return gm_fail(err, GM_ERR_UNAVAILABLE, "the database is not open: %s", r->open_error.text);
	return gm_store_writer_do(r->writer, job, deadline_ms, err);
}

void gm_recorder_stats(struct gm_recorder *r, struct gm_recorder_stats *out)
{
	*out = (struct gm_recorder_stats){ .since_ms = r->opened_ms, .error = r->open_error };
	if (!r->writer)
		return;
	gm_store_writer_stats(r->writer, &out->writer);
	gm_store_stats(r->store, &out->store);
	if (r->no_history)
		return;
	out->up = !out->writer.failing;
	out->error = out->writer.error;
	if (out->writer.since_ms)
		out->since_ms = out->writer.since_ms;
}
