/* SPDX-License-Identifier: MIT */
#include "app/agent/shared.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

int gm_agent_shared_map(struct gm_agent_shared **out, struct gm_err *err)
{
	struct gm_agent_shared *s =
		mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (s == MAP_FAILED)
		return gm_fail_errno(err, errno, "memory shared with the samplers");
	for (unsigned c = 0; c < GM_AGENT_CHILDREN_MAX; c++)
		atomic_init(&s->children[c].init_rc, -1);
	*out = s;
	return 0;
}

void gm_agent_shared_unmap(struct gm_agent_shared *s)
{
	if (s)
		(void)munmap(s, sizeof(*s));
}

static void call_clear(struct gm_agent_call *c)
{
	atomic_store_explicit(&c->symbol, 0, memory_order_relaxed);
	atomic_store_explicit(&c->longest_ns, 0, memory_order_relaxed);
}

void gm_agent_shared_clear(struct gm_agent_shared *s, unsigned child)
{
	struct gm_agent_child *c = &s->children[child];

	atomic_store(&c->order, GM_AGENT_RUN);
	atomic_store(&c->boards, 0);
	atomic_store(&c->state, GM_AGENT_CHILD_STARTING);
	atomic_store(&c->init_rc, -1);
	atomic_store(&c->board_count, 0);
	atomic_store(&c->events_made, 0);
	call_clear(&c->main);
	call_clear(&c->events);
	for (unsigned i = 0; i < GM_AGENT_EVENTS_MAX; i++)
		atomic_store(&c->event[i].number, 0);
	c->error[0] = '\0';
	/* All zero again, and no memory. Only a kernel without holes in shared memory needs the long way. */
	if (madvise(s->cells[child], sizeof(s->cells[child]), MADV_REMOVE) == 0)
		return;
	for (unsigned b = 0; b < GM_AGENT_BOARDS_MAX; b++) {
		/* That one was begun is seen from `back`: a cell of zeros was never used, and its pages need not be made. */
		if (s->cells[child][b].back || s->cells[child][b].last)
			memset(&s->cells[child][b], 0, sizeof(s->cells[child][b]));
	}
}

void gm_agent_cell_begin(struct gm_agent_cell *c)
{
	c->back = 1;
	c->last = 1;
	atomic_store_explicit(&c->middle, 2, memory_order_relaxed);
}

void gm_agent_reading_copy(struct gm_reading *to, const struct gm_reading *from)
{
	const size_t instances = from->instance_count * sizeof(from->instances[0]);
	const size_t processes = from->process_count * sizeof(from->processes[0]);
	const size_t profiles = from->profile_count * sizeof(from->profiles[0]);

	if (to == from)
		return;
	memcpy(to, from, offsetof(struct gm_reading, instances));
	memcpy(to->instances, from->instances, instances);
	memcpy(to->processes, from->processes, processes);
	memcpy(to->profiles, from->profiles, profiles);
}

void gm_agent_report_copy(struct gm_agent_report *to, const struct gm_agent_report *from)
{
	if (to == from)
		return;
	memcpy(to, from, offsetof(struct gm_agent_report, reading));
	gm_agent_reading_copy(&to->reading, &from->reading);
}

struct gm_agent_report *gm_agent_cell_back(struct gm_agent_cell *c)
{
	gm_agent_report_copy(&c->reports[c->back], &c->reports[c->last]);
	return &c->reports[c->back];
}

void gm_agent_cell_publish(struct gm_agent_cell *c)
{
	c->last = c->back;
	c->back =
		atomic_exchange_explicit(&c->middle, c->back | GM_AGENT_FRESH, memory_order_acq_rel) & ~GM_AGENT_FRESH;
}

const struct gm_agent_report *gm_agent_cell_take(struct gm_agent_cell *c)
{
	if (!(atomic_load_explicit(&c->middle, memory_order_relaxed) & GM_AGENT_FRESH))
		return NULL;
	c->front = atomic_exchange_explicit(&c->middle, c->front, memory_order_acq_rel) & ~GM_AGENT_FRESH;
	return &c->reports[c->front];
}

void gm_agent_event_put(struct gm_agent_child *c, unsigned board, const struct gm_reading_event *e)
{
	const uint64_t n = atomic_load_explicit(&c->events_made, memory_order_relaxed) + 1;
	struct gm_agent_event *to = &c->event[n % GM_AGENT_EVENTS_MAX];

	atomic_store_explicit(&to->number, 0, memory_order_relaxed);
	/* Each releases: who sees one of the new words sees that the number was taken away. */
	atomic_store_explicit(&to->at_ms, e->at_ms, memory_order_release);
	atomic_store_explicit(&to->type, e->type, memory_order_release);
	atomic_store_explicit(&to->data, e->data, memory_order_release);
	atomic_store_explicit(&to->board, (int32_t)board, memory_order_release);
	atomic_store_explicit(&to->gi, e->gi, memory_order_release);
	atomic_store_explicit(&to->ci, e->ci, memory_order_release);
	atomic_store_explicit(&to->number, n, memory_order_release);
	atomic_store_explicit(&c->events_made, n, memory_order_release);
}

bool gm_agent_event_get(const struct gm_agent_child *c, uint64_t n, unsigned *out_board, struct gm_reading_event *out)
{
	const struct gm_agent_event *from = &c->event[n % GM_AGENT_EVENTS_MAX];

	if (atomic_load_explicit(&from->number, memory_order_acquire) != n)
		return false;
	const struct gm_reading_event e = {
		.at_ms = atomic_load_explicit(&from->at_ms, memory_order_acquire),
		.type = atomic_load_explicit(&from->type, memory_order_acquire),
		.data = atomic_load_explicit(&from->data, memory_order_acquire),
		.gi = (int16_t)atomic_load_explicit(&from->gi, memory_order_acquire),
		.ci = (int16_t)atomic_load_explicit(&from->ci, memory_order_acquire),
	};
	const int32_t board = atomic_load_explicit(&from->board, memory_order_acquire);
	if (atomic_load_explicit(&from->number, memory_order_relaxed) != n || board < 0 || board >= GM_AGENT_BOARDS_MAX)
		return false;
	*out_board = (unsigned)board;
	*out = e;
	return true;
}
