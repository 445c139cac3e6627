/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_STORE_WRITER_H
#define GM_ADAPTER_STORE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapter/store/store.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/err.h"
#include "core/fleet/fleet-store.h"

/*
 * The one thread that writes. Others hand it work and never wait for the disk unless they ask to:
 * - samples: never wait; when the queue is full the oldest are dropped and counted;
 * - series: never wait and are never lost; of several for one series the last one counts;
 * - jobs (keys, audit rows): the caller waits for the durable result, with a deadline.
 * What is waiting together is written in one transaction. While the database fails, samples and series are kept and
 * tried again with growing pauses, jobs are tried at once and get the failure; what is read from memory is not touched.
 */
struct gm_store_writer;

struct gm_store_writer_conf {
	struct gm_store *store; /* outlives the writer */
	const struct gm_clock *clock;
	uint64_t queue_rows;  /* samples that may wait; 0: 100,000 (40 MB) */
	int64_t retry_min_ms; /* first pause after a failure, doubled each time; 0: 1 s */
	int64_t retry_max_ms; /* 0: 30 s */
	/*
	 * Told on the writer's thread when the database begins to fail (err) and when it works again (NULL). May be NULL.
	 */
	void (*changed)(void *ctx, const struct gm_err *err);
	void *ctx;
};

struct gm_store_writer_stats {
	bool failing;
	int64_t since_ms;    /* wall time at which `failing` last changed */
	struct gm_err error; /* the last failure, also when it is over */
	uint64_t failures;   /* transactions and steps of maintenance that failed */
	uint64_t queued_items, queued_rows, queue_limit_rows;
	uint64_t dropped_rows;	/* for want of room */
	uint64_t rejected_rows; /* the store will never take them */
	uint64_t written_rows;
	uint64_t jobs;							/* that were done */
	uint64_t commits, commit_ms_sum, commit_ms_last, commit_ms_max; /* with what went into them */
	uint64_t maintain_steps, maintain_ms_sum, maintain_ms_max;
};

struct gm_store_writer *gm_store_writer_new(const struct gm_store_writer_conf *conf);
/* Stopped, or never started. */
void gm_store_writer_free(struct gm_store_writer *w);
int gm_store_writer_start(struct gm_store_writer *w, struct gm_err *err) GM_CHECKED;
/*
 * Takes nothing more, writes what waits until it is done or `deadline_ms` have passed, and ends the thread. False when
 * something was left unwritten.
 */
bool gm_store_writer_stop(struct gm_store_writer *w, int64_t deadline_ms);

/* Any thread. `take_rows` is freed with free(). */
void gm_store_writer_samples(struct gm_store_writer *w, struct gm_sample_row *take_rows, size_t count);
/* Any thread; copied. */
void gm_store_writer_series(struct gm_store_writer *w, const struct gm_series_def *def);

/* Uses the store's ports on the writer's thread, within a transaction. A failure undoes what it did. */
struct gm_store_job {
	int (*run)(void *ctx, struct gm_err *err);
	void *ctx;
	void (*free_ctx)(void *ctx); /* may be NULL */
};
/*
 * Any thread. 0: done and on disk. After GM_ERR_DEADLINE the job may still be done later and the context is the
 * writer's, which frees it; after every other result it is the caller's again. GM_ERR_STOPPED, GM_ERR_UNAVAILABLE (too
 * many wait): it was not tried.
 */
int gm_store_writer_do(struct gm_store_writer *w, const struct gm_store_job *job, int64_t deadline_ms,
		       struct gm_err *err) GM_CHECKED;

void gm_store_writer_stats(struct gm_store_writer *w, struct gm_store_writer_stats *out);

/*
 * The loop's body, for those who bring their own thread (and tests): waits up to wait_ms for something to do, does it,
 * does a step of maintenance when it is due. False when stopped and nothing is left.
 */
bool gm_store_writer_turn(struct gm_store_writer *w, int wait_ms);
/* How long the next turn may wait. */
int gm_store_writer_wait_ms(struct gm_store_writer *w);

GM_DEFINE_AUTO(struct gm_store_writer, gm_store_writer_free)

#endif
