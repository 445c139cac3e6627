/* SPDX-License-Identifier: MIT */
#include "adapter/store/writer.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/queue.h"
#include "base/vec.h"
#include "base/wait.h"

#define WRITER_NICE 10
#define QUEUE_ROWS 100000
#define GROUP_ROWS 20000 /* samples a transaction at most */
#define JOBS_MAX 1000
#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 30000
#define MAINTAIN_EVERY_MS 1000

struct batch {
	size_t count;
	struct gm_sample_row *rows;
};

/* One allocation with its texts. */
struct series_copy {
	struct gm_series_def def;
	char texts[];
};

enum job_state { JOB_WAITS, JOB_RUNS, JOB_DONE, JOB_ABANDONED };
struct job {
	struct gm_store_job what;
	struct job *next;
	enum job_state state; /* guarded by the writer's mu */
	int code;
	struct gm_err err;
};

/* One thing that can fail for a while: when to try again. */
struct attempt {
	bool failing;
	int64_t pause_ms, next_ms; /* monotonic */
};

struct gm_store_writer {
	struct gm_store_writer_conf conf;
	const struct gm_fleet_store *fleet;
	struct gm_queue *queue; /* of struct batch */
	pthread_t thread;
	bool started;

	/* The writer thread's: */
	GM_VEC(struct batch) held; /* taken from the queue, not written yet */
	size_t held_rows;
	struct gm_map saving; /* series being saved */
	struct attempt writing, maintaining;

	pthread_mutex_t mu;
	pthread_cond_t wake, done;
	/* guarded by mu: */
	struct gm_map series; /* struct series_copy by number: to be saved */
	struct job *jobs, **jobs_end;
	size_t job_count;
	bool stopping;
	int64_t stop_ms; /* monotonic: no turn after it */
	struct gm_store_writer_stats stats;
};

static void batch_free(void *p)
{
	struct batch *b = p;

	free(b->rows);
	free(b);
}

static struct gm_str series_key(const struct series_copy *c)
{
	return gm_str_n((const char *)&c->def.series, sizeof(c->def.series));
}

static void series_fini(struct gm_map *m)
{
	struct gm_map_entry *e = NULL;

	for (size_t i = 0; (e = gm_map_next(m, &i));)
		free(e->value);
	gm_map_fini(m);
}

static void job_free(struct job *j)
{
	if (j->what.free_ctx)
		j->what.free_ctx(j->what.ctx);
	free(j);
}

struct gm_store_writer *gm_store_writer_new(const struct gm_store_writer_conf *conf)
{
	struct gm_store_writer *w = gm_xalloc(sizeof(*w));

	w->conf = *conf;
	w->conf.queue_rows = conf->queue_rows ? conf->queue_rows : QUEUE_ROWS;
	w->conf.retry_min_ms = conf->retry_min_ms ? conf->retry_min_ms : RETRY_MIN_MS;
	w->conf.retry_max_ms = conf->retry_max_ms ? conf->retry_max_ms : RETRY_MAX_MS;
	w->fleet = gm_store_fleet(conf->store);
	w->queue = gm_queue_new(w->conf.queue_rows, batch_free);
	w->jobs_end = &w->jobs;
	w->stats.since_ms = gm_wall_ms(conf->clock);
	w->stats.queue_limit_rows = w->conf.queue_rows;
	(void)pthread_mutex_init(&w->mu, NULL);
	gm_cond_init(&w->wake);
	gm_cond_init(&w->done);
	return w;
}

void gm_store_writer_free(struct gm_store_writer *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->held.count; i++)
		free(w->held.items[i].rows);
	gm_vec_fini(&w->held);
	for (struct job *next; w->jobs; w->jobs = next) {
		next = w->jobs->next;
		job_free(w->jobs);
	}
	series_fini(&w->series);
	series_fini(&w->saving);
	gm_queue_free(w->queue);
	(void)pthread_cond_destroy(&w->done);
	(void)pthread_cond_destroy(&w->wake);
	(void)pthread_mutex_destroy(&w->mu);
	free(w);
}

static void wake(struct gm_store_writer *w)
{
	(void)pthread_mutex_lock(&w->mu);
	(void)pthread_cond_signal(&w->wake);
	(void)pthread_mutex_unlock(&w->mu);
}

void gm_store_writer_samples(struct gm_store_writer *w, struct gm_sample_row *take_rows, size_t count)
{
	struct batch *b = gm_xalloc(sizeof(*b));

	*b = (struct batch){ .count = count, .rows = take_rows };
	(void)gm_queue_push(w->queue, b, count, GM_QUEUE_DROP);
	wake(w);
}

static struct series_copy *series_copy(const struct gm_series_def *def)
{
	const char *const from[] = { def->cluster, def->uuid,	      def->node,     def->id,
				     def->model,   def->product_name, def->mig_uuid, def->profile };
	size_t size = 0;

	for (size_t i = 0; i < GM_LEN(from); i++)
		size += from[i] ? strlen(from[i]) + 1 : 0;
	struct series_copy *c = gm_xalloc(sizeof(*c) + size);
	c->def = *def;
	const char **const to[] = { &c->def.cluster, &c->def.uuid,	   &c->def.node,     &c->def.id,
				    &c->def.model,   &c->def.product_name, &c->def.mig_uuid, &c->def.profile };
	char *p = c->texts;
	for (size_t i = 0; i < GM_LEN(from); i++) {
		if (!from[i])
			continue;
		const size_t n = strlen(from[i]) + 1;
		(void)memcpy(p, from[i], n);
		*to[i] = p;
		p += n;
	}
	return c;
}

void gm_store_writer_series(struct gm_store_writer *w, const struct gm_series_def *def)
{
	struct series_copy *c = series_copy(def);

	(void)pthread_mutex_lock(&w->mu);
	free(gm_map_put(&w->series, series_key(c), c));
	(void)pthread_cond_signal(&w->wake);
	(void)pthread_mutex_unlock(&w->mu);
}

/* False at the time given. */
static bool wait_until(pthread_cond_t *cond, pthread_mutex_t *mu, const struct timespec *until)
{
	return pthread_cond_timedwait(cond, mu, until) == 0;
}

/* Locked. */
static int job_add(struct gm_store_writer *w, struct job *j, struct gm_err *err)
{
	if (w->stopping)
		return gm_fail(err, GM_ERR_STOPPED, "the server is stopping");
	if (w->job_count >= JOBS_MAX)
		return gm_fail(err, GM_ERR_UNAVAILABLE, "%d changes wait for the database already", JOBS_MAX);
	*w->jobs_end = j;
	w->jobs_end = &j->next;
	w->job_count++;
	(void)pthread_cond_signal(&w->wake);
	return 0;
}

int gm_store_writer_do(struct gm_store_writer *w, const struct gm_store_job *job, int64_t deadline_ms,
		       struct gm_err *err)
{
	const struct timespec until = gm_deadline_in(deadline_ms);
	struct job *j = gm_xalloc(sizeof(*j));

	j->what = *job;
	(void)pthread_mutex_lock(&w->mu);
	int r = job_add(w, j, err);
	while (!r && j->state != JOB_DONE) {
		if (!wait_until(&w->done, &w->mu, &until))
			break;
	}
	const bool done = r || j->state == JOB_DONE;
	if (!r && done) {
		r = j->code;
		if (r && err)
			*err = j->err;
	} else if (!done) {
		/* The writer finds it abandoned, now or after its run. */
		j->state = JOB_ABANDONED;
		r = gm_fail(err, GM_ERR_DEADLINE, "the database did not answer within %lld ms", (long long)deadline_ms);
	}
	(void)pthread_mutex_unlock(&w->mu);
	if (done)
		free(j);
	return r;
}

static int64_t now_ms(const struct gm_store_writer *w)
{
	return gm_mono_ms(w->conf.clock);
}

/* Locked: a failure or its end; true when that is news. */
static bool note(struct gm_store_writer *w, struct attempt *a, int code, const struct gm_err *err)
{
	const bool was = w->stats.failing;

	a->failing = code != 0;
	if (code) {
		a->pause_ms = a->pause_ms ? 2 * a->pause_ms : w->conf.retry_min_ms;
		a->pause_ms = a->pause_ms > w->conf.retry_max_ms ? w->conf.retry_max_ms : a->pause_ms;
		a->next_ms = now_ms(w) + a->pause_ms;
		w->stats.failures++;
		w->stats.error = *err;
	} else {
		a->pause_ms = 0;
		a->next_ms = 0;
	}
	w->stats.failing = w->writing.failing || w->maintaining.failing;
	if (w->stats.failing == was)
		return false;
	w->stats.since_ms = gm_wall_ms(w->conf.clock);
	return true;
}

static void note_and_tell(struct gm_store_writer *w, struct attempt *a, int code, const struct gm_err *err)
{
	(void)pthread_mutex_lock(&w->mu);
	const bool news = note(w, a, code, err);
	(void)pthread_mutex_unlock(&w->mu);
	if (news && w->conf.changed)
		w->conf.changed(w->conf.ctx, code ? err : NULL);
}

/* Failures that the same rows would meet again. */
static bool is_hopeless(int code)
{
	return code == GM_ERR_INVALID || code == GM_ERR_TOO_LARGE || code == GM_ERR_PARSE || code == GM_ERR_CONFLICT;
}

static void held_reset(struct gm_store_writer *w, size_t count)
{
	if (count == 0)
		return;
	for (size_t i = 0; i < count; i++) {
		w->held_rows -= w->held.items[i].count;
		free(w->held.items[i].rows);
	}
	w->held.count -= count;
	(void)memmove(w->held.items, w->held.items + count, w->held.count * sizeof(*w->held.items));
}

/* What one transaction takes. */
struct group {
	struct job *jobs;
	bool data;	/* samples and series too */
	size_t batches; /* of the held ones: in the transaction */
	uint64_t rows, rejected;
	int code; /* the first failure of the data or of the transaction */
	struct gm_err err;
};

static void take_data(struct gm_store_writer *w, struct group *g)
{
	struct batch *b = NULL;

	if (w->writing.failing && now_ms(w) < w->writing.next_ms)
		return;
	g->data = true;
	while (w->held_rows < GROUP_ROWS && (b = gm_queue_pop(w->queue, 0))) {
		gm_vec_push(&w->held, *b);
		w->held_rows += b->count;
		free(b);
	}
	if (w->saving.count == 0) {
		const struct gm_map empty = w->saving;
		w->saving = w->series;
		w->series = empty;
	}
}

/* Locked. */
static void take_jobs(struct gm_store_writer *w, struct group *g)
{
	g->jobs = w->jobs;
	w->jobs = NULL;
	w->jobs_end = &w->jobs;
	w->job_count = 0;
	for (struct job **at = &g->jobs; *at;) {
		struct job *j = *at;
		if (j->state == JOB_ABANDONED) {
			*at = j->next;
			job_free(j);
			continue;
		}
		j->state = JOB_RUNS;
		at = &j->next;
	}
}

static void run_job(struct gm_store_writer *w, struct group *g, struct job *j)
{
	/* A full disk ends the transaction itself, not only the statement; what came after it would be one of its own. */
	if (g->code) {
		j->code = g->code;
		j->err = g->err;
		return;
	}
	j->code = gm_store_begin(w->conf.store, &j->err);
	if (j->code)
		return;
	j->code = j->what.run(j->what.ctx, &j->err);
	if (!j->code) {
		j->code = gm_store_commit(w->conf.store, &j->err);
	} else if (!gm_store_undo(w->conf.store)) {
		g->code = j->code;
		g->err = j->err;
	}
}

static int save_series(struct gm_store_writer *w, struct gm_err *err)
{
	GM_VEC(struct gm_series_def) defs = { 0 };
	struct gm_map_entry *e = NULL;

	for (size_t i = 0; (e = gm_map_next(&w->saving, &i));)
		gm_vec_push(&defs, ((struct series_copy *)e->value)->def);
	const int r = defs.count ? w->fleet->save_series(w->fleet->ctx, defs.items, defs.count, err) : 0;
	gm_vec_fini(&defs);
	return r;
}

static void write_data(struct gm_store_writer *w, struct group *g)
{
	g->code = save_series(w, &g->err);
	for (; !g->code && g->batches < w->held.count; g->batches++) {
		const struct batch *b = &w->held.items[g->batches];
		const int code = w->fleet->append(w->fleet->ctx, b->rows, b->count, &g->err);
		if (code && !is_hopeless(code)) {
			g->code = code;
			return;
		}
		g->rows += code ? 0 : b->count;
		g->rejected += code ? b->count : 0;
	}
}

/* Locked. What could not be saved waits again, unless something newer came. */
static void return_series(struct gm_store_writer *w)
{
	struct gm_map_entry *e = NULL;

	for (size_t i = 0; (e = gm_map_next(&w->saving, &i));) {
		struct series_copy *c = e->value;
		if (gm_map_get(&w->series, series_key(c)))
			free(c);
		else
			(void)gm_map_put(&w->series, series_key(c), c);
	}
	gm_map_reset(&w->saving);
}

/* Locked. A job that went well shares the fate of its transaction. */
static void finish_jobs(struct gm_store_writer *w, struct group *g, int commit_code, const struct gm_err *commit_err)
{
	for (struct job *j = g->jobs, *next; j; j = next) {
		next = j->next;
		if (!j->code && commit_code) {
			j->code = commit_code;
			j->err = *commit_err;
		}
		w->stats.jobs += !j->code;
		if (j->state == JOB_ABANDONED)
			job_free(j);
		else
			j->state = JOB_DONE;
	}
	(void)pthread_cond_broadcast(&w->done);
}

static void count_commit(struct gm_store_writer *w, int64_t took_ms)
{
	const uint64_t ms = took_ms > 0 ? (uint64_t)took_ms : 0;

	w->stats.commits++;
	w->stats.commit_ms_last = ms;
	w->stats.commit_ms_sum += ms;
	w->stats.commit_ms_max = ms > w->stats.commit_ms_max ? ms : w->stats.commit_ms_max;
}

static int write_group(struct gm_store_writer *w, struct group *g, struct gm_err *err)
{
	int r = gm_store_begin(w->conf.store, err);

	if (r)
		return r;
	for (struct job *j = g->jobs; j; j = j->next)
		run_job(w, g, j);
	if (g->data && !g->code)
		write_data(w, g);
	r = gm_store_commit(w->conf.store, err);
	if (r)
		gm_store_rollback(w->conf.store);
	/* Where the failure of a part undid the whole, that failure is the reason to tell. */
	if (r && g->code) {
		r = g->code;
		if (err)
			*err = g->err;
	}
	return r;
}

static void write_now(struct gm_store_writer *w)
{
	struct group g = { 0 };
	struct gm_err err = { 0 };

	(void)pthread_mutex_lock(&w->mu);
	take_jobs(w, &g);
	take_data(w, &g);
	(void)pthread_mutex_unlock(&w->mu);
	g.data = g.data && (w->held.count || w->saving.count);
	if (!g.jobs && !g.data)
		return;
	const int64_t begin = now_ms(w);
	const int r = write_group(w, &g, &err);
	(void)pthread_mutex_lock(&w->mu);
	finish_jobs(w, &g, r, &err);
	if (!r) {
		count_commit(w, now_ms(w) - begin);
		w->stats.written_rows += g.rows;
		w->stats.rejected_rows += g.rejected;
	}
	if (g.data && (r || g.code))
		return_series(w);
	(void)pthread_mutex_unlock(&w->mu);
	if (!g.data) {
		if (r)
			note_and_tell(w, &w->writing, r, &err);
		return;
	}
	if (!r) {
		held_reset(w, g.batches);
		if (!g.code) {
			series_fini(&w->saving);
			w->saving = (struct gm_map){ 0 };
		}
	}
	note_and_tell(w, &w->writing, r ? r : g.code, r ? &err : &g.err);
}

static void maintain_now(struct gm_store_writer *w)
{
	struct gm_err err = { 0 };
	bool more = false;
	const int64_t begin = now_ms(w);
	const int r = w->fleet->maintain(w->fleet->ctx, gm_wall_ms(w->conf.clock), &more, &err);
	const int64_t end = now_ms(w), took = end - begin;

	(void)pthread_mutex_lock(&w->mu);
	w->stats.maintain_steps++;
	w->stats.maintain_ms_sum += (uint64_t)took;
	if ((uint64_t)took > w->stats.maintain_ms_max)
		w->stats.maintain_ms_max = (uint64_t)took;
	(void)pthread_mutex_unlock(&w->mu);
	note_and_tell(w, &w->maintaining, r, &err);
	/* As long a pause as the step was: the other half of the core is for those who scrape and answer. */
	if (!r)
		w->maintaining.next_ms = end + (more ? took : MAINTAIN_EVERY_MS);
}

/* Locked. */
static bool has_work(const struct gm_store_writer *w)
{
	struct gm_queue_stats queue;

	if (w->jobs)
		return true;
	if (w->writing.failing && now_ms(w) < w->writing.next_ms)
		return false;
	gm_queue_stats(w->queue, &queue);
	return queue.items || w->held.count || w->series.count;
}

/* Locked. */
static bool is_over(const struct gm_store_writer *w)
{
	struct gm_queue_stats queue;

	if (!w->stopping)
		return false;
	gm_queue_stats(w->queue, &queue);
	return now_ms(w) >= w->stop_ms || (!w->jobs && !queue.items && !w->held.count && !w->series.count);
}

bool gm_store_writer_turn(struct gm_store_writer *w, int wait_ms)
{
	const struct timespec until = gm_deadline_in(wait_ms);

	(void)pthread_mutex_lock(&w->mu);
	while (!has_work(w) && !w->stopping && wait_until(&w->wake, &w->mu, &until))
		;
	/* Stopping, with the pause after a failure still to wait for. */
	if (w->stopping && !has_work(w) && !is_over(w))
		(void)wait_until(&w->wake, &w->mu, &until);
	const bool over = is_over(w), stopping = w->stopping;
	(void)pthread_mutex_unlock(&w->mu);
	if (over)
		return false;
	write_now(w);
	if (!stopping && now_ms(w) >= w->maintaining.next_ms)
		maintain_now(w);
	return true;
}

int gm_store_writer_wait_ms(struct gm_store_writer *w)
{
	const int64_t now = now_ms(w);
	int64_t next = w->maintaining.next_ms;

	if (w->writing.failing && w->writing.next_ms < next)
		next = w->writing.next_ms;
	(void)pthread_mutex_lock(&w->mu);
	if (w->stopping)
		next = w->writing.failing && w->writing.next_ms < w->stop_ms ? w->writing.next_ms : w->stop_ms;
	(void)pthread_mutex_unlock(&w->mu);
	const int64_t left = next - now;
	return left < 0 ? 0 : left > MAINTAIN_EVERY_MS ? MAINTAIN_EVERY_MS : (int)left;
}

static void *run(void *p)
{
	struct gm_store_writer *w = p;

	(void)pthread_setname_np(pthread_self(), "gm-store");
	/* Packing takes its time; who asks should not wait for it where processors are few. Of this thread only. */
	(void)setpriority(PRIO_PROCESS, 0, WRITER_NICE);
	while (gm_store_writer_turn(w, gm_store_writer_wait_ms(w)))
		;
	return NULL;
}

int gm_store_writer_start(struct gm_store_writer *w, struct gm_err *err)
{
	const int rc = pthread_create(&w->thread, NULL, run, w);

	if (rc)
		return gm_fail_errno(err, rc, "the thread that writes the database cannot be started");
	w->started = true;
	return 0;
}

/* Those who wait must not wait for a writer that is gone. */
static bool give_up_rest(struct gm_store_writer *w)
{
	struct group g = { 0 };
	struct gm_err err;
	struct gm_queue_stats queue;
	const int code = gm_fail(&err, GM_ERR_STOPPED, "the server stopped before the change was written");

	(void)pthread_mutex_lock(&w->mu);
	gm_queue_stats(w->queue, &queue);
	const bool all = !w->jobs && !queue.items && !w->held.count && !w->series.count;
	w->stats.dropped_rows += queue.weight + w->held_rows;
	take_jobs(w, &g);
	finish_jobs(w, &g, code, &err);
	(void)pthread_mutex_unlock(&w->mu);
	return all;
}

bool gm_store_writer_stop(struct gm_store_writer *w, int64_t deadline_ms)
{
	(void)pthread_mutex_lock(&w->mu);
	w->stopping = true;
	w->stop_ms = now_ms(w) + deadline_ms;
	(void)pthread_cond_broadcast(&w->wake);
	(void)pthread_mutex_unlock(&w->mu);
	gm_queue_close(w->queue);
	if (w->started)
		(void)pthread_join(w->thread, NULL);
	w->started = false;
	return give_up_rest(w);
}

void gm_store_writer_stats(struct gm_store_writer *w, struct gm_store_writer_stats *out)
{
	struct gm_queue_stats queue;

	gm_queue_stats(w->queue, &queue);
	(void)pthread_mutex_lock(&w->mu);
	*out = w->stats;
	out->queued_items = queue.items + w->series.count + w->job_count;
	(void)pthread_mutex_unlock(&w->mu);
	out->queued_rows = queue.weight;
	out->dropped_rows += queue.dropped_weight;
}
