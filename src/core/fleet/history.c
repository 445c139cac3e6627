/* SPDX-License-Identifier: MIT */
#include "core/fleet/history.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "core/fleet/block.h"
#include "core/fleet/rows-internal.h"

/*
 * A series is a run of packed blocks and behind them a tail of rows. A full tail becomes a block; a block joins the one
 * before while that is not larger and both together stay short in time, for what is too old is dropped by whole blocks.
 */
#define SHARDS 64
#define TAIL_SAMPLES 32
#define TAIL_STEP 128 /* the tail's memory grows by this many bytes: there is one for each of 80,000 devices */
#define BLOCK_SAMPLES 256
#define BLOCK_SPANS 8 /* joined blocks span at most this part of keep_ms */

/* Immutable, shared between the series and readers. */
struct block {
	atomic_uint refs;
	uint32_t n;
	uint32_t count;
	int64_t first_ms, last_ms;
	char bytes[];
};

struct series {
	uint32_t id; /* its bytes are the key in the map */
	uint16_t block_count, block_capacity;
	uint16_t tail_count;
	uint16_t tail_n, tail_capacity;
	struct block **blocks; /* rising in time */
	char *tail;
	int64_t tail_first_ms;
	int64_t last_ms; /* of the newest sample ever kept */
};

struct shard {
	pthread_mutex_t mu;
	/* guarded by mu: */
	struct gm_map series;
	uint64_t samples, bytes;
};

struct gm_history {
	int64_t keep_ms;
	struct gm_sample *scratch; /* BLOCK_SAMPLES; of the one thread that appends, as the next */
	unsigned expire_next;	   /* shard */
	struct shard shards[SHARDS];
};

static void block_unref(struct block *b)
{
	if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
		free(b);
}

static struct gm_str block_str(const struct block *b)
{
	return gm_str_n(b->bytes, b->n);
}

/* NULL without memory. */
static struct block *block_new(const struct gm_sample *samples, size_t count)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf bytes = { 0 };
	if (gm_block_encode(samples, count, &bytes, NULL) != 0)
		return NULL;
	struct block *b = gm_try_alloc(sizeof(*b) + bytes.n);
	if (!b)
		return NULL;
	atomic_init(&b->refs, 1);
	b->n = (uint32_t)bytes.n;
	b->count = (uint32_t)count;
	b->first_ms = samples[0].at_ms;
	b->last_ms = samples[count - 1].at_ms;
	memcpy(b->bytes, bytes.p, bytes.n);
	return b;
}

/* What a series costs; shards keep the sums. */
static uint64_t series_bytes(const struct series *s)
{
	uint64_t bytes = sizeof(*s) + s->block_capacity * sizeof(struct block *) + s->tail_capacity;
	for (size_t i = 0; i < s->block_count; i++)
		bytes += sizeof(struct block) + s->blocks[i]->n;
	return bytes;
}

static uint64_t series_samples(const struct series *s)
{
	uint64_t samples = s->tail_count;
	for (size_t i = 0; i < s->block_count; i++)
		samples += s->blocks[i]->count;
	return samples;
}

static struct shard *shard_of(struct gm_history *h, uint32_t id)
{
	return &h->shards[id % SHARDS];
}

static struct gm_str key_of(const uint32_t *id)
{
	return gm_str_n((const char *)id, sizeof(*id));
}

static struct series *series_find(const struct shard *sh, uint32_t id)
{
	return gm_map_get(&sh->series, key_of(&id));
}

static struct series *series_add(struct shard *sh, uint32_t id)
{
	struct series *s = gm_xalloc(sizeof(*s));
	s->id = id;
	s->last_ms = INT64_MIN;
	(void)gm_map_put(&sh->series, key_of(&s->id), s);
	return s;
}

static void series_free(struct series *s)
{
	for (size_t i = 0; i < s->block_count; i++)
		block_unref(s->blocks[i]);
	free(s->blocks);
	free(s->tail);
	free(s);
}

struct gm_history *gm_history_new(int64_t keep_ms)
{
	struct gm_history *h = gm_xalloc(sizeof(*h));
	h->keep_ms = keep_ms;
	h->scratch = gm_xalloc(BLOCK_SAMPLES * sizeof(*h->scratch));
	for (size_t i = 0; i < SHARDS; i++)
		if (pthread_mutex_init(&h->shards[i].mu, NULL) != 0)
			abort(); /* only for want of memory */
	return h;
}

void gm_history_free(struct gm_history *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < SHARDS; i++) {
		struct gm_map_entry *e;
		for (size_t at = 0; (e = gm_map_next(&h->shards[i].series, &at));)
			series_free(e->value);
		gm_map_fini(&h->shards[i].series);
		(void)pthread_mutex_destroy(&h->shards[i].mu);
	}
	free(h->scratch);
	free(h);
}

static int64_t cutoff_of(const struct gm_history *h, int64_t last_ms)
{
	int64_t cutoff = 0;
	return __builtin_sub_overflow(last_ms, h->keep_ms, &cutoff) ? INT64_MIN : cutoff;
}

static void push_block(struct series *s, struct block *take_block)
{
	if (s->block_count == s->block_capacity) {
		size_t capacity = s->block_capacity + 2u;
		if (capacity > UINT16_MAX) { /* a thousand hours of memory asked for, at blocks of one sample */
			block_unref(take_block);
			return;
		}
		s->blocks = gm_xrealloc(s->blocks, capacity * sizeof(struct block *));
		s->block_capacity = (uint16_t)capacity;
	}
	s->blocks[s->block_count++] = take_block;
}

static void tail_reset(struct series *s)
{
	free(s->tail);
	s->tail = NULL;
	s->tail_n = s->tail_capacity = s->tail_count = 0;
}

static void drop_older(struct series *s, int64_t cutoff)
{
	size_t n = 0;
	while (n < s->block_count && s->blocks[n]->last_ms < cutoff)
		block_unref(s->blocks[n++]);
	if (n > 0) {
		s->block_count = (uint16_t)(s->block_count - n);
		memmove(s->blocks, s->blocks + n, s->block_count * sizeof(struct block *));
	}
	if (s->last_ms < cutoff)
		tail_reset(s);
}

static size_t tail_read(const struct series *s, struct gm_sample *out)
{
	struct gm_str rows = gm_str_n(s->tail, s->tail_n);
	struct gm_sample state = { 0 };
	size_t count = 0;
	while (count < TAIL_SAMPLES && gm_row_take(&rows, &state))
		out[count++] = state;
	return count;
}

/* How many blocks at the end join `count` samples that end at last_ms, and how many samples these are. */
static size_t joining(const struct gm_history *h, const struct series *s, size_t count, int64_t last_ms,
		      size_t *out_samples)
{
	size_t blocks = 0, all = count;
	while (blocks < s->block_count) {
		const struct block *b = s->blocks[s->block_count - 1 - blocks];
		if (b->count > all || b->count + all > BLOCK_SAMPLES ||
		    (uint64_t)last_ms - (uint64_t)b->first_ms > (uint64_t)h->keep_ms / BLOCK_SPANS)
			break;
		all += b->count;
		blocks++;
	}
	*out_samples = all;
	return blocks;
}

/* Makes a block of the tail, and of the blocks before it that join. Without memory the tail is lost, and only it. */
static void tail_seal(struct gm_history *h, struct series *s)
{
	size_t all = 0, joined = joining(h, s, s->tail_count, s->last_ms, &all), at = 0;
	for (size_t i = s->block_count - joined; i < s->block_count; i++) {
		if (gm_block_samples(block_str(s->blocks[i]), h->scratch + at, NULL) != 0) {
			tail_reset(s);
			return;
		}
		at += s->blocks[i]->count;
	}
	at += tail_read(s, h->scratch + at);
	struct block *b = block_new(h->scratch, at);
	tail_reset(s);
	if (!b)
		return;
	for (; joined > 0; joined--)
		block_unref(s->blocks[--s->block_count]);
	push_block(s, b);
}

/* Worst row: time, layout and all fields new. */
#define ROW_BYTES_MAX (10 + 1 + 10 + GM_FIELD_COUNT * 11)
_Static_assert((TAIL_SAMPLES + 1) * ROW_BYTES_MAX < UINT16_MAX, "lengths of the tail fit");

static void tail_append(struct series *s, const struct gm_sample *sample)
{
	struct gm_sample state = { 0 };
	struct gm_str rows = gm_str_n(s->tail, s->tail_n);
	while (gm_row_take(&rows, &state))
		;
	char memory[ROW_BYTES_MAX + 1];
	/* A buffer over our own memory: large enough, so it never grows. */
	struct gm_buf row = { .p = memory, .capacity = sizeof(memory), .limit = sizeof(memory) - 1 };
	gm_row_put(&row, &state, sample);
	size_t need = s->tail_n + row.n;
	if (need > s->tail_capacity) {
		size_t capacity = (need + TAIL_STEP - 1) / TAIL_STEP * TAIL_STEP;
		s->tail = gm_xrealloc(s->tail, capacity);
		s->tail_capacity = (uint16_t)capacity;
	}
	assert(s->tail);
	memcpy(s->tail + s->tail_n, row.p, row.n);
	s->tail_n = (uint16_t)need;
	if (s->tail_count++ == 0)
		s->tail_first_ms = sample->at_ms;
	s->last_ms = sample->at_ms;
}

/* Takes a series out of its shard's sums, or puts it back. */
static void uncount(struct shard *sh, const struct series *s)
{
	sh->bytes -= series_bytes(s);
	sh->samples -= series_samples(s);
}

static void count_again(struct shard *sh, const struct series *s)
{
	sh->bytes += series_bytes(s);
	sh->samples += series_samples(s);
}

static struct series *series_open(struct shard *sh, uint32_t id)
{
	struct series *s = series_find(sh, id);
	if (s)
		uncount(sh, s);
	return s ? s : series_add(sh, id);
}

static bool is_empty(const struct series *s)
{
	return s->block_count == 0 && s->tail_count == 0;
}

bool gm_history_append(struct gm_history *h, uint32_t series, const struct gm_sample *sample)
{
	struct shard *sh = shard_of(h, series);
	(void)pthread_mutex_lock(&sh->mu);
	struct series *s = series_open(sh, series);
	bool newer = is_empty(s) || sample->at_ms > s->last_ms;
	if (newer) {
		drop_older(s, cutoff_of(h, sample->at_ms));
		tail_append(s, sample);
		if (s->tail_count == TAIL_SAMPLES)
			tail_seal(h, s);
	}
	count_again(sh, s);
	(void)pthread_mutex_unlock(&sh->mu);
	return newer;
}

static int64_t first_of(const struct series *s)
{
	return s->block_count ? s->blocks[0]->first_ms : s->tail_count ? s->tail_first_ms : INT64_MAX;
}

void gm_history_expire(struct gm_history *h, int64_t now_ms)
{
	struct shard *sh = &h->shards[h->expire_next++ % SHARDS];
	const int64_t cutoff = cutoff_of(h, now_ms);
	struct gm_map_entry *e;
	(void)pthread_mutex_lock(&sh->mu);
	for (size_t i = 0; (e = gm_map_next(&sh->series, &i));) {
		struct series *s = e->value;
		if (s->last_ms >= cutoff)
			continue;
		uncount(sh, s);
		(void)gm_map_remove(&sh->series, key_of(&s->id));
		series_free(s);
	}
	(void)pthread_mutex_unlock(&sh->mu);
}

int64_t gm_history_since(struct gm_history *h, uint32_t series)
{
	struct shard *sh = shard_of(h, series);
	int64_t since = INT64_MAX;
	(void)pthread_mutex_lock(&sh->mu);
	const struct series *s = series_find(sh, series);
	if (s && !is_empty(s)) {
		int64_t first = first_of(s), cutoff = cutoff_of(h, s->last_ms);
		since = first > cutoff ? first : cutoff;
	}
	(void)pthread_mutex_unlock(&sh->mu);
	return since;
}

/* What a reader took with it from under the lock. */
struct view {
	struct block **blocks;
	size_t block_count;
	char *tail;
	size_t tail_n;
	int64_t from_ms, to_ms;
};

static void view_fini(struct view *v)
{
	for (size_t i = 0; i < v->block_count; i++)
		block_unref(v->blocks[i]);
	free(v->blocks);
	free(v->tail);
}
GM_DEFINE_AUTO_VALUE(struct view, view_fini)

/* False without memory. */
static bool view_take(const struct gm_history *h, const struct series *s, struct view *v)
{
	int64_t cutoff = cutoff_of(h, s->last_ms);
	if (v->from_ms < cutoff)
		v->from_ms = cutoff;
	v->blocks = gm_try_alloc((s->block_count + (size_t)1) * sizeof(struct block *));
	v->tail = gm_try_alloc(s->tail_n);
	if (!v->blocks || !v->tail)
		return false;
	for (size_t i = 0; i < s->block_count; i++) {
		struct block *b = s->blocks[i];
		if (b->last_ms < v->from_ms || b->first_ms >= v->to_ms)
			continue;
		atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
		v->blocks[v->block_count++] = b;
	}
	if (s->tail_n)
		memcpy(v->tail, s->tail, s->tail_n);
	v->tail_n = s->tail_n;
	return true;
}

struct reader {
	const struct view *view;
	enum gm_field field;
	bool (*each)(void *ctx, const struct gm_point *point);
	void *ctx;
};

/* False when the caller has enough. */
static bool tell(const struct reader *r, int64_t at_ms, int64_t value)
{
	if (at_ms < r->view->from_ms || at_ms >= r->view->to_ms)
		return true;
	return r->each(r->ctx, &(struct gm_point){ .at_ms = at_ms, .value = value });
}

/* 1: go on; 0: the caller has enough. */
static int read_block(const struct reader *r, const struct block *b, struct gm_err *err)
{
	int64_t times[BLOCK_SAMPLES], values[BLOCK_SAMPLES];
	uint64_t present[BLOCK_SAMPLES / 64];
	int rc = gm_block_column(block_str(b), r->field, values, present, err);
	if (rc == GM_ERR_NOT_FOUND) {
		gm_err_reset(err);
		return 1;
	}
	if (rc == 0)
		rc = gm_block_times(block_str(b), times, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < b->count; i++)
		if ((present[i / 64] >> (i % 64) & 1) && !tell(r, times[i], values[i]))
			return 0;
	return 1;
}

static void read_tail(const struct reader *r)
{
	struct gm_str rows = gm_str_n(r->view->tail, r->view->tail_n);
	struct gm_sample state = { 0 };
	while (gm_row_take(&rows, &state))
		if (gm_sample_has(&state, r->field) && !tell(r, state.at_ms, state.value[r->field]))
			return;
}

int gm_history_read(struct gm_history *h, uint32_t series, enum gm_field field, int64_t from_ms, int64_t to_ms,
		    bool (*each)(void *ctx, const struct gm_point *point), void *ctx, struct gm_err *err)
{
	if ((unsigned)field >= GM_FIELD_COUNT)
		return gm_fail(err, GM_ERR_INVALID, "field %u does not exist", (unsigned)field);
	struct shard *sh = shard_of(h, series);
	GM_AUTO(view_fini_p) struct view v = { .from_ms = from_ms, .to_ms = to_ms };
	(void)pthread_mutex_lock(&sh->mu);
	const struct series *s = series_find(sh, series);
	bool found = s && !is_empty(s);
	bool taken = !found || view_take(h, s, &v);
	(void)pthread_mutex_unlock(&sh->mu);
	if (!taken)
		return gm_fail(err, GM_ERR_NO_MEMORY, "no memory to read the history of a series");
	if (!found)
		return 0;
	struct reader r = { .view = &v, .field = field, .each = each, .ctx = ctx };
	for (size_t i = 0; i < v.block_count; i++) {
		int rc = read_block(&r, v.blocks[i], err);
		if (rc <= 0)
			return rc;
	}
	read_tail(&r);
	return 0;
}

void gm_history_stats(struct gm_history *h, struct gm_history_stats *out)
{
	struct gm_history_stats sum = { .bytes = sizeof(*h) + BLOCK_SAMPLES * sizeof(*h->scratch) };
	for (size_t i = 0; i < SHARDS; i++) {
		struct shard *sh = &h->shards[i];
		(void)pthread_mutex_lock(&sh->mu);
		sum.series += sh->series.count;
		sum.samples += sh->samples;
		sum.bytes += sh->bytes + sh->series.capacity * sizeof(struct gm_map_entry);
		(void)pthread_mutex_unlock(&sh->mu);
	}
	*out = sum;
}
