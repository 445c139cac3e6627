/* SPDX-License-Identifier: MIT */
#include "adapter/nvmlsim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/nvmlsim/world-internal.h"
#include "base/alloc.h"
#include "base/hash.h"

#define BIT(kind) (UINT32_C(1) << GM_SIM_FAULT_##kind)

/* All that are open here: what a forked child has to begin anew. */
static pthread_mutex_t worlds_lock = PTHREAD_MUTEX_INITIALIZER;
static struct nvs_world *worlds;			    /* guarded by worlds_lock */
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER; /* taken before worlds_lock */
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void before_fork(void)
{
	(void)pthread_mutex_lock(&opening);
	(void)pthread_mutex_lock(&worlds_lock);
}

static void after_fork_parent(void)
{
	(void)pthread_mutex_unlock(&worlds_lock);
	(void)pthread_mutex_unlock(&opening);
}

/* Another thread of the parent may have been amid a step, or blocked with the library's lock. */
static void after_fork_child(void)
{
	for (struct nvs_world *w = worlds; w; w = w->next) {
		(void)pthread_mutex_init(&w->library, NULL);
		w->epoch = 0;
		w->attached = 0;
	}
	(void)pthread_mutex_unlock(&worlds_lock);
	(void)pthread_mutex_unlock(&opening);
}

static void watch_forks(void)
{
	(void)pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

/* --- time --- */

int64_t nvs_time(const struct nvs_world *w)
{
	const struct nvs_shared *s = &w->file->shared;
	int64_t passed = gm_wall_ms(w->clock) - s->start_ms;
	__int128 scaled = (__int128)(passed > 0 ? passed : 0) * w->scenario->speed_milli / 1000;
	int64_t now = s->start_ms + (int64_t)scaled;
	return now > s->now_ms ? now : s->now_ms;
}

int64_t nvs_real_ms(const struct nvs_world *w, int64_t ms)
{
	__int128 real = ((__int128)ms * 1000 + w->scenario->speed_milli - 1) / w->scenario->speed_milli;
	return real < INT64_MAX / 2 ? (int64_t)real : INT64_MAX / 2;
}

int64_t nvs_world_now_ms(const struct nvs_world *w)
{
	return w->file->shared.now_ms;
}

/* --- core/sim in step with the file --- */

static int take_board_faults(struct nvs_world *w, struct gm_err *err)
{
	const struct gm_option_maps *rows = &w->scenario->board_faults;
	free(w->faults);
	w->fault_count = 0;
	w->faults = gm_try_alloc((rows->count + 1) * sizeof(*w->faults));
	if (!w->faults)
		return gm_fail(err, GM_ERR_NO_MEMORY, "no memory for the board faults");
	for (size_t i = 0; i < rows->count; i++) {
		struct gm_sim_fault *f = &w->faults[i];
		*f = (struct gm_sim_fault){ .gpu = -1, .node = "worker-01" };
		int rc = nvs_row_read(&nvs_board_fault_rows, &rows->items[i], f, err);
		if (rc < 0)
			return rc;
		if (f->gpu >= w->scenario->gpus)
			return gm_fail_at(err, GM_ERR_INVALID, rows->items[i].items[0].where,
					  "a board fault of GPU %d: there are %d", f->gpu, (int)w->scenario->gpus);
		w->fault_count++;
	}
	return 0;
}

static int make_sim(struct nvs_world *w, int64_t start_ms, struct gm_err *err)
{
	const struct nvs_scenario *c = w->scenario;
	int rc = take_board_faults(w, err);
	if (rc < 0)
		return rc;
	struct gm_sim *sim = gm_sim_new(&(struct gm_sim_spec){ .seed = (uint64_t)c->seed,
							       .gpus = (int)c->gpus,
							       .models = gm_str(c->models),
							       .start_ms = start_ms,
							       .live = true,
							       .faults = c->faults,
							       .scenario = w->faults,
							       .scenario_count = w->fault_count },
					err);
	if (!sim)
		return gm_err_wrap(err, "scenario");
	gm_sim_free(w->sim);
	w->sim = sim;
	return 0;
}

/* The boards as the scenario begins them, with their workloads: the same in every process. */
static void settle_sim(struct nvs_world *w, const struct nvs_shared *s)
{
	struct gm_sim_shape shape;
	for (unsigned i = 0; i < s->board_count; i++) {
		nvs_shape_of(w, s, i, &shape);
		gm_sim_live_shape(w->sim, i, &shape);
		w->changes[i] = s->boards[i].changes;
		w->shown_ms[i] = -1;
	}
	if (w->scenario->workloads)
		gm_sim_live_place(w->sim);
}

/* A process that comes later, or one whose world was reset by another: from the text that is in the file. */
static int catch_up(struct nvs_world *w, struct gm_err *err)
{
	struct nvs_file *f = w->file;
	struct nvs_scenario *c;
	int rc = nvs_scenario_parse(gm_str_n(f->scenario, f->scenario_size), f->scenario_name, &c, err);
	if (rc < 0)
		return rc;
	nvs_scenario_free(w->scenario);
	w->scenario = c;
	rc = make_sim(w, f->shared.start_ms, err);
	struct nvs_shared *scratch = rc < 0 ? NULL : gm_xalloc(sizeof(*scratch));
	rc = rc < 0 ? rc : nvs_begin(w, scratch, err);
	if (rc == 0)
		settle_sim(w, scratch);
	free(scratch);
	w->epoch = f->shared.epoch;
	w->saves = 0;
	return rc;
}

static void follow(struct nvs_world *w)
{
	struct nvs_file *f = w->file;
	struct gm_sim_shape shape;
	/* It was read before, by who put it there: only memory can be lacking. */
	if (w->epoch != f->shared.epoch && catch_up(w, NULL) < 0)
		abort();
	if (w->saves == f->saves)
		return;
	for (unsigned i = 0; i < f->shared.board_count; i++) {
		if (w->changes[i] != f->shared.boards[i].changes || !w->saves) {
			nvs_shape_of(w, &f->shared, i, &shape);
			gm_sim_live_shape(w->sim, i, &shape);
			w->changes[i] = f->shared.boards[i].changes;
		}
		gm_sim_live_restore(w->sim, i, &f->states[f->active][i]);
		w->shown_ms[i] = -1;
	}
	w->saves = f->saves;
}

void nvs_save(struct nvs_world *w)
{
	struct nvs_file *f = w->file;
	uint32_t to = !f->active;
	for (unsigned i = 0; i < f->shared.board_count; i++)
		gm_sim_live_save(w->sim, i, &f->states[to][i]);
	f->active = to;
	w->saves = ++f->saves;
}

void nvs_reshape(struct nvs_world *w, unsigned board)
{
	struct gm_sim_shape shape;
	nvs_shape_of(w, &w->file->shared, board, &shape);
	gm_sim_live_shape(w->sim, board, &shape);
	w->changes[board] = ++w->file->shared.boards[board].changes;
	w->shown_ms[board] = -1;
	nvs_save(w);
}

/* What core/sim did to a board becomes events, and the loss of what a reset ends. */
static void react(struct nvs_world *w, const struct gm_sim_happening *h)
{
	unsigned board = (unsigned)h->board;
	if (h->begins & BIT(ECC_SBE))
		nvs_event_raise(w, board, NVS_EVENT_SBE, 0, -1, -1);
	if (h->begins & BIT(ECC_DBE))
		nvs_event_raise(w, board, NVS_EVENT_DBE, 0, -1, -1);
	if (h->begins & (BIT(XID) | BIT(ECC_DBE) | BIT(LOST)))
		nvs_event_raise(w, board, NVS_EVENT_XID, (uint64_t)h->xid, -1, -1);
	if (h->ends & BIT(LOST))
		nvs_board_renew(w, board);
}

static void move_on(struct nvs_world *w)
{
	struct nvs_shared *s = &w->file->shared;
	struct gm_sim_happening rows[GM_SIM_LIVE_BOARDS_MAX];
	int64_t now = nvs_time(w);
	bool due = gm_sim_live_due(w->sim, now);
	size_t count;
	while ((count = gm_sim_live_step(w->sim, now, rows)) > 0) {
		s->now_ms = rows[0].at_ms;
		for (size_t i = 0; i < count; i++)
			react(w, &rows[i]);
	}
	s->now_ms = now;
	if (!due)
		return;
	for (unsigned i = 0; i < s->board_count; i++)
		w->shown_ms[i] = -1;
	nvs_save(w);
	nvs_workloads_refresh(w);
}

/* Modes, layouts and processes are as far as their change came; the counters are of before or after it. */
static void mend(struct nvs_world *w)
{
	w->file->torn = false;
	w->file->saves++;
	follow(w);
	for (unsigned i = 0; i < w->file->shared.board_count; i++)
		nvs_reshape(w, i);
	nvs_fault_recount(w->file);
}

struct nvs_shared *nvs_world_lock(struct nvs_world *w)
{
	nvs_file_lock(w->file);
	if (gm_unlikely(w->file->torn))
		mend(w);
	follow(w);
	move_on(w);
	return &w->file->shared;
}

void nvs_world_unlock(struct nvs_world *w)
{
	(void)pthread_mutex_unlock(&w->file->lock);
}

/* --- begin, open, close --- */

struct beginning {
	struct nvs_world *w;
	struct gm_str text;
	const char *name;
};

static void put_text(struct nvs_file *f, struct gm_str text, const char *name)
{
	memmove(f->scenario, text.p ? text.p : "", text.n);
	f->scenario_size = (uint32_t)text.n;
	if (name != f->scenario_name)
		(void)snprintf(f->scenario_name, sizeof(f->scenario_name), "%s", name);
}

/* All or nothing: w->scenario is that of the text. */
static int begin_shared(struct nvs_world *w, struct gm_str text, const char *name, struct gm_err *err)
{
	struct nvs_shared *s = &w->file->shared;
	/* Asked once: who makes the world and who comes later must begin it at the same millisecond. */
	const int64_t start_ms = gm_wall_ms(w->clock);
	w->epoch = 0; /* until it is made, sim is no world's */
	int rc = make_sim(w, start_ms, err);
	if (rc < 0)
		return rc;
	struct nvs_shared *fresh = gm_xalloc(sizeof(*fresh));
	fresh->start_ms = fresh->now_ms = start_ms;
	fresh->calls_made = s->calls_made; /* numbers rise for who waits */
	fresh->events_made = s->events_made;
	rc = nvs_begin(w, fresh, err);
	if (rc == 0) {
		put_text(w->file, text, name);
		fresh->scenario_hash = gm_hash(text);
		fresh->epoch = s->epoch + 1;
		memcpy(fresh->clients, s->clients, sizeof(fresh->clients));
		memcpy(s, fresh, sizeof(*s));
		settle_sim(w, s);
		nvs_save(w);
		w->epoch = s->epoch;
		nvs_workloads_refresh(w);
		nvs_fault_recount(w->file);
		nvs_word_bump(&w->file->fault_word);
		nvs_word_bump(&w->file->event_word);
	}
	free(fresh);
	return rc;
}

static int begin_file(void *ctx, struct nvs_file *f, struct gm_err *err)
{
	struct beginning *b = ctx;
	b->w->file = f;
	int rc = begin_shared(b->w, b->text, b->name, err);
	b->w->file = NULL;
	return rc;
}

int nvs_restart(struct nvs_world *w, struct gm_err *err)
{
	return begin_shared(w, gm_str_n(w->file->scenario, w->file->scenario_size), w->file->scenario_name, err);
}

static struct nvs_world *world_new(void)
{
	struct nvs_world *w = gm_xalloc(sizeof(*w));
	w->clock = gm_clock_system();
	(void)pthread_mutex_init(&w->library, NULL);
	(void)pthread_once(&fork_once, watch_forks);
	(void)pthread_mutex_lock(&worlds_lock);
	w->next = worlds;
	worlds = w;
	(void)pthread_mutex_unlock(&worlds_lock);
	return w;
}

/* The file of the state's folder, or one of this process; a new one is begun. *out_begun: sim is its sim. */
static int open_file(struct beginning *b, const char *state, bool *out_begun, struct gm_err *err)
{
	struct nvs_file *f = NULL;
	*out_begun = true;
	int rc = state && *state ? nvs_file_open(state, begin_file, b, &f, out_begun, err) : nvs_file_new(&f, err);
	if (rc == 0 && (!state || !*state))
		rc = begin_file(b, f, err);
	b->w->file = f;
	return rc;
}

static int open_any(struct gm_str text, const char *name, const char *state, bool reset, struct nvs_world **out,
		    struct gm_err *err)
{
	GM_AUTO(nvs_world_close_p) struct nvs_world *w = world_new();
	struct beginning b = { w, text, name };
	bool begun = false;
	int rc = nvs_scenario_parse(text, name, &w->scenario, err);
	if (rc == 0)
		rc = open_file(&b, state, &begun, err);
	if (rc < 0)
		return rc;
	nvs_file_lock(w->file);
	if (reset)
		rc = begin_shared(w, text, name, err);
	else if (!begun && text.p && w->file->shared.scenario_hash != gm_hash(text))
		rc = gm_fail(err, GM_ERR_CONFLICT,
			     "the world in %s was made from another scenario (%s) than %s; reset begins it anew", state,
			     w->file->scenario_name, name);
	else if (!begun)
		rc = catch_up(w, err);
	(void)pthread_mutex_unlock(&w->file->lock);
	if (rc == 0)
		*out = gm_steal(&w);
	return rc;
}

static int open_path(const char *scenario, const char *state, bool reset, struct nvs_world **out, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf text = { 0 };
	if (!scenario)
		return open_any(gm_str_n(NULL, 0), "default", state, reset, out, err);
	int rc = nvs_scenario_read(scenario, &text, err);
	return rc < 0 ? rc : open_any(gm_str_n(gm_buf_cstr(&text), text.n), scenario, state, reset, out, err);
}

int nvs_world_open_text(struct gm_str text, const char *name, const char *state, struct nvs_world **out,
			struct gm_err *err)
{
	return open_any(text, name, state, false, out, err);
}

int nvs_world_open_at(const char *scenario, const char *state, struct nvs_world **out, struct gm_err *err)
{
	return open_path(scenario, state, false, out, err);
}

int nvs_world_reset_at(const char *scenario, const char *state, struct gm_err *err)
{
	GM_AUTO(nvs_world_close_p) struct nvs_world *w = NULL;
	return open_path(scenario, state, true, &w, err);
}

int nvs_world_open(struct nvs_world **out, struct gm_err *err)
{
	static struct nvs_world *world; /* guarded by opening */
	(void)pthread_mutex_lock(&opening);
	const char *scenario = getenv("NVML_SIM_SCENARIO"), *state = getenv("NVML_SIM_STATE");
	int rc = world ? 0 : open_path(scenario && *scenario ? scenario : NULL, state, false, &world, err);
	if (rc == 0)
		*out = world;
	(void)pthread_mutex_unlock(&opening);
	return rc;
}

void nvs_world_close(struct nvs_world *w)
{
	if (!w)
		return;
	(void)pthread_mutex_lock(&worlds_lock);
	for (struct nvs_world **at = &worlds; *at; at = &(*at)->next) {
		if (*at != w)
			continue;
		*at = w->next;
		break;
	}
	(void)pthread_mutex_unlock(&worlds_lock);
	if (w->file && w->attached) {
		nvs_file_lock(w->file);
		nvs_detach(w);
		(void)pthread_mutex_unlock(&w->file->lock);
	}
	nvs_file_unmap(w->file);
	nvs_scenario_free(w->scenario);
	gm_sim_free(w->sim);
	free(w->faults);
	(void)pthread_mutex_destroy(&w->library);
	free(w);
}

/* --- what it shows --- */

const struct gm_sim_device *nvs_static_device(const struct nvs_world *w, unsigned board)
{
	return &gm_sim_node(w->sim, 0)->devices[board];
}

const struct gm_mig_table *nvs_table(const struct nvs_world *w, unsigned board)
{
	const struct gm_variant *v = nvs_static_device(w, board)->variant;
	return v->mig_capable ? v->mig : NULL;
}

const struct gm_sim_device *nvs_world_device(struct nvs_world *w, unsigned board)
{
	int64_t now = w->file->shared.now_ms;
	if (w->shown_ms[board] != now)
		gm_sim_live_show(w->sim, board);
	w->shown_ms[board] = now;
	return nvs_static_device(w, board);
}

bool nvs_board_lost(struct nvs_world *w, unsigned board)
{
	return w->file->shared.boards[board].lost || nvs_world_device(w, board)->lost;
}

/* All of a GPU instance: loads are of its compute slices, the memory is shared by its compute instances. */
static void add_slice(struct gm_sim_instance *sum, const struct gm_sim_instance *in)
{
	int all = sum->profile->compute_slices > 0 ? sum->profile->compute_slices : 1;
	sum->gr_active_centi += in->gr_active_centi * in->slices / all;
	sum->tensor_active_centi += in->tensor_active_centi * in->slices / all;
	sum->dram_active_centi += in->dram_active_centi * in->slices / all;
	sum->memory_used_bytes += in->memory_used_bytes;
	if (sum->pod < 0)
		sum->pod = in->pod;
}

const struct gm_sim_instance *nvs_world_instance(struct nvs_world *w, unsigned board, int gi, int ci)
{
	const struct gm_sim_device *d = nvs_world_device(w, board);
	const struct nvs_gi *g = nvs_gi_find(&w->file->shared, board, gi);
	const struct gm_sim_instance *one = NULL;
	if (!g)
		return NULL;
	const struct gm_mig_profile *p = &nvs_table(w, board)->profiles[g->slot.profile];
	struct gm_sim_instance sum = { .gi_id = gi, .ci_id = -1, .profile = p, .slices = p->compute_slices, .pod = -1 };
	sum.placement_start = g->slot.start;
	sum.memory_total_bytes = nvs_slice_bytes(w, board, g->slot.profile);
	for (int i = 0; i < d->instance_count; i++) {
		if (d->instances[i].gi_id != gi)
			continue;
		add_slice(&sum, &d->instances[i]);
		if (d->instances[i].ci_id == ci)
			one = &d->instances[i];
	}
	if (ci >= 0 && !one)
		return NULL;
	if (sum.memory_used_bytes > sum.memory_total_bytes)
		sum.memory_used_bytes = sum.memory_total_bytes;
	w->slice = one ? *one : sum;
	w->slice.memory_used_bytes = sum.memory_used_bytes;
	return &w->slice;
}

/* --- events --- */

void nvs_event_raise(struct nvs_world *w, unsigned board, uint64_t type, uint64_t data, int gi, int ci)
{
	struct nvs_shared *s = &w->file->shared;
	if (!s->driver_loaded)
		return;
	s->events[s->events_made % NVS_EVENTS_MAX] = (struct nvs_event){ .number = s->events_made + 1,
									 .at_ms = s->now_ms,
									 .board = (uint8_t)board,
									 .type = type,
									 .data = data,
									 .gi = gi,
									 .ci = ci };
	s->events_made++;
	nvs_word_bump(&w->file->event_word);
}

/* Real milliseconds until the world may have something to tell by itself; -1: never. */
static int64_t next_event_ms(const struct nvs_world *w)
{
	const struct nvs_shared *s = &w->file->shared;
	int64_t next = INT64_MAX, step = gm_sim_live_step_ms(w->sim), passed = s->now_ms - s->start_ms;
	for (size_t i = 0; i < w->fault_count; i++) {
		const struct gm_sim_fault *f = &w->faults[i];
		int64_t ends = f->lasts_ms ? f->after_ms + f->lasts_ms : 0;
		if (f->after_ms > passed && f->after_ms < next)
			next = f->after_ms;
		else if (ends > passed && ends < next)
			next = ends;
	}
	if (w->scenario->faults || (next != INT64_MAX && next < passed + step))
		next = passed + step;
	return next == INT64_MAX ? -1 : nvs_real_ms(w, (next - passed + step - 1) / step * step);
}

bool nvs_event_wait(struct nvs_world *w, uint64_t seen, int64_t timeout_ms)
{
	int64_t until = gm_mono_ms(w->clock) + timeout_ms;
	for (;;) {
		uint64_t made = nvs_world_lock(w)->events_made;
		uint32_t word = atomic_load(&w->file->event_word);
		int64_t next = next_event_ms(w), left = until - gm_mono_ms(w->clock);
		nvs_world_unlock(w);
		if (made > seen)
			return true;
		if (left <= 0)
			return false;
		nvs_word_wait(&w->file->event_word, word, next >= 0 && next < left ? next : left);
	}
}
