/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/nvmlsim/world-internal.h"

/* Faults of calls: what a call is told to do instead of answering. */

void nvs_fault_recount(struct nvs_file *f)
{
	uint32_t count = 0;
	for (size_t i = 0; i < NVS_CALLS_MAX; i++)
		count += f->shared.calls[i].alive;
	atomic_store(&f->fault_count, count);
}

int nvs_fault_add(struct nvs_shared *s, const struct nvs_fault_row *row, uint32_t *out_id, struct gm_err *err)
{
	if (row->gpu >= (int)s->board_count)
		return gm_fail(err, GM_ERR_INVALID, "GPU %d: there are %u", row->gpu, s->board_count);
	for (size_t i = 0; i < NVS_CALLS_MAX; i++) {
		struct nvs_call_fault *f = &s->calls[i];
		if (f->alive)
			continue;
		*f = (struct nvs_call_fault){ .does = row->does,
					      .board = (int16_t)row->gpu,
					      .value = row->value,
					      .from_ms = s->now_ms + row->after_ms,
					      .until_ms = row->for_ms ? s->now_ms + row->after_ms + row->for_ms : 0,
					      .times = row->times,
					      .id = ++s->calls_made };
		memcpy(f->function, row->function, sizeof(f->function));
		f->alive = true;
		if (out_id)
			*out_id = f->id;
		return 0;
	}
	return gm_fail(err, GM_ERR_TOO_LARGE, "more than %d call faults", NVS_CALLS_MAX);
}

unsigned nvs_fault_clear(struct nvs_world *w, uint32_t id)
{
	unsigned count = 0;
	for (size_t i = 0; i < NVS_CALLS_MAX; i++) {
		struct nvs_call_fault *f = &w->file->shared.calls[i];
		if (!f->alive || (id && f->id != id))
			continue;
		f->alive = false;
		count++;
	}
	nvs_fault_recount(w->file);
	nvs_word_bump(&w->file->fault_word);
	return count;
}

/* Length of the name without "_v2", "_v3"... */
static size_t base_length(struct gm_str name)
{
	size_t n = name.n;
	while (n > 0 && name.p[n - 1] >= '0' && name.p[n - 1] <= '9')
		n--;
	return n < name.n && n > 2 && name.p[n - 1] == 'v' && name.p[n - 2] == '_' ? n - 2 : name.n;
}

static bool names(const char *fault, const char *function)
{
	struct gm_str f = gm_str(fault), called = gm_str(function);
	if (f.n && f.p[f.n - 1] == '*')
		return gm_str_starts(called, gm_str_n(f.p, f.n - 1));
	if (gm_str_eq(f, called))
		return true;
	return base_length(f) == f.n && base_length(called) == f.n && strncmp(fault, function, f.n) == 0;
}

static bool blocks(enum nvs_does does)
{
	return does == NVS_DOES_BLOCK || does == NVS_DOES_BLOCK_LIBRARY || does == NVS_DOES_BLOCK_DRIVER ||
	       does == NVS_DOES_SLOW;
}

static bool over(const struct nvs_call_fault *f, int64_t now_ms)
{
	bool spent = f->times && f->used >= f->times && !f->blocked;
	return spent || (f->until_ms && now_ms >= f->until_ms);
}

/* The first that is in force for the call; those that are over are taken out. World's lock held. */
static struct nvs_call_fault *find(struct nvs_world *w, const char *function, int board)
{
	struct nvs_shared *s = &w->file->shared;
	int64_t now = nvs_time(w);
	struct nvs_call_fault *found = NULL;
	bool some_over = false;
	for (size_t i = 0; i < NVS_CALLS_MAX; i++) {
		struct nvs_call_fault *f = &s->calls[i];
		if (!f->alive)
			continue;
		if (over(f, now)) {
			f->alive = false;
			some_over = true;
			continue;
		}
		bool spent = f->times && f->used >= f->times;
		if (spent || now < f->from_ms || (f->board >= 0 && f->board != board) || !names(f->function, function))
			continue;
		if (!found || f->id < found->id)
			found = f;
	}
	if (some_over)
		nvs_fault_recount(w->file);
	return found;
}

/* Waits until the fault is cleared, its time is over, or the call has blocked as long as it should. */
static void wait_for_release(struct nvs_world *w, struct nvs_call_fault *f, uint32_t id, int64_t value_ms)
{
	int64_t until = gm_mono_ms(w->clock) + value_ms;
	for (;;) {
		nvs_file_lock(w->file);
		uint32_t word = atomic_load(&w->file->fault_word);
		int64_t now = nvs_time(w), left = value_ms ? until - gm_mono_ms(w->clock) : -1;
		bool free_to_go = !f->alive || f->id != id || (f->until_ms && now >= f->until_ms);
		int64_t rest = f->until_ms ? nvs_real_ms(w, f->until_ms - now) : -1;
		if (free_to_go || (value_ms && left <= 0)) {
			if (f->id == id && f->blocked)
				f->blocked--;
			(void)pthread_mutex_unlock(&w->file->lock);
			return;
		}
		(void)pthread_mutex_unlock(&w->file->lock);
		nvs_word_wait(&w->file->fault_word, word, rest >= 0 && (left < 0 || rest < left) ? rest : left);
	}
}

static int carry_out(struct nvs_world *w, struct nvs_call_fault *f, const struct nvs_call_fault *as)
{
	switch (as->does) {
	case NVS_DOES_BLOCK:
	case NVS_DOES_SLOW:
		wait_for_release(w, f, as->id, as->value);
		return 0;
	case NVS_DOES_BLOCK_LIBRARY:
		(void)pthread_mutex_lock(&w->library);
		wait_for_release(w, f, as->id, as->value);
		(void)pthread_mutex_unlock(&w->library);
		return 0;
	case NVS_DOES_BLOCK_DRIVER:
		(void)nvs_robust_lock(&w->file->driver);
		wait_for_release(w, f, as->id, as->value);
		(void)pthread_mutex_unlock(&w->file->driver);
		return 0;
	case NVS_DOES_ERROR:
		return (int)as->value;
	case NVS_DOES_GARBAGE:
		return -1;
	case NVS_DOES_CRASH:
		(void)raise(SIGSEGV);
		abort(); /* who handles the signal dies all the same */
	case NVS_DOES_COUNT:
		break;
	}
	return 0;
}

int nvs_call_begin(struct nvs_world *w, const char *function, int board)
{
	struct nvs_call_fault as = { 0 };
	(void)pthread_mutex_lock(&w->library);
	(void)pthread_mutex_unlock(&w->library);
	(void)nvs_robust_lock(&w->file->driver);
	(void)pthread_mutex_unlock(&w->file->driver);
	if (gm_likely(!atomic_load(&w->file->fault_count)))
		return 0;
	nvs_file_lock(w->file);
	struct nvs_call_fault *f = find(w, function, board);
	if (f) {
		f->used++;
		if (blocks(f->does))
			f->blocked++;
		as = *f;
	}
	(void)pthread_mutex_unlock(&w->file->lock);
	return f ? carry_out(w, f, &as) : 0;
}
