/* SPDX-License-Identifier: MIT */
#include "adapter/nvmlsim/front-internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/vec.h"

/* What this process knows of the library. `mu` orders Init and Shutdown; the rest of the calls only read. */
static struct {
	pthread_mutex_t mu;
	struct nvs_world *_Atomic world;
	atomic_uint inits, sessions;
	_Atomic uint32_t driver; /* generation of the driver that this session talks to */
	/* loaded after an upgrade of the driver: it is the programs from before that do not fit it */
	atomic_bool met, upgraded;
} library = { .mu = PTHREAD_MUTEX_INITIALIZER };

unsigned front_inits(void)
{
	return atomic_load(&library.inits);
}

uint8_t front_session(void)
{
	return (uint8_t)atomic_load(&library.sessions);
}

/* Objects of this process. Guarded by the world's lock, which every call holds. */
struct object {
	enum front_kind kind;
	uint32_t serial;
	void *at; /* NULL: the place is free */
};
static struct {
	GM_VEC(struct object) items;
	uint32_t serials;
} objects;

static void forget_objects(void)
{
	gm_vec_each (&objects.items, o)
		free(o->at);
	gm_vec_fini(&objects.items);
}

#define HANDLE_MAGIC UINT64_C(0xa9)

void *front_handle(enum front_kind kind, unsigned board, uint32_t generation, uint32_t serial)
{
	uint64_t bits = HANDLE_MAGIC << 56 | (uint64_t)kind << 52 | (uint64_t)front_session() << 44 |
			(uint64_t)(board & 0xff) << 36 | (uint64_t)(generation & 0xfff) << 24 | (serial & 0xffffff);
	return (void *)(uintptr_t)bits;
}

struct handle {
	enum front_kind kind;
	unsigned board;
	uint32_t generation, serial;
};

static bool handle_read(const void *handle, struct handle *out)
{
	uint64_t bits = (uintptr_t)handle;

	if (bits >> 56 != HANDLE_MAGIC || (uint8_t)(bits >> 44) != front_session())
		return false;
	*out = (struct handle){ .kind = (enum front_kind)(bits >> 52 & 0xf),
				.board = bits >> 36 & 0xff,
				.generation = bits >> 24 & 0xfff,
				.serial = bits & 0xffffff };
	return out->kind != FRONT_BOARD || out->serial == 0;
}

/* A world that began anew has boards of the same generations: its epoch tells them apart. */
static uint32_t board_generation(const struct nvs_shared *s, unsigned board)
{
	return (uint32_t)(s->boards[board].generation + s->epoch * 251) & 0xfff;
}

struct gm_nvml_device *front_board_handle(const struct front_call *c, unsigned board)
{
	return front_handle(FRONT_BOARD, board, board_generation(c->shared, board), 0);
}

struct gm_nvml_device *front_mig_handle(const struct front_call *c, const struct nvs_compute *ci)
{
	return front_handle(FRONT_MIG, (unsigned)c->board, board_generation(c->shared, (unsigned)c->board), ci->serial);
}

struct gm_nvml_gi *front_gi_handle(const struct front_call *c, const struct nvs_gi *gi)
{
	return front_handle(FRONT_GI, (unsigned)c->board, board_generation(c->shared, (unsigned)c->board), gi->serial);
}

struct gm_nvml_ci *front_ci_handle(const struct front_call *c, const struct nvs_compute *ci)
{
	return front_handle(FRONT_CI, (unsigned)c->board, board_generation(c->shared, (unsigned)c->board), ci->serial);
}

void *front_object_add(enum front_kind kind, void *take_object)
{
	struct object *o = NULL;
	gm_vec_each (&objects.items, it) {
		if (!it->at && !o)
			o = it;
	}
	if (!o)
		o = gm_vec_add(&objects.items);
	*o = (struct object){ .kind = kind, .serial = ++objects.serials, .at = take_object };
	return front_handle(kind, 0, 0, o->serial);
}

static struct object *find_object(enum front_kind kind, const void *handle)
{
	struct handle h;

	if (!handle_read(handle, &h) || h.kind != kind)
		return NULL;
	gm_vec_each (&objects.items, o) {
		if (o->at && o->kind == kind && (o->serial & 0xffffff) == h.serial)
			return o;
	}
	return NULL;
}

void *front_object(enum front_kind kind, const void *handle)
{
	struct object *o = find_object(kind, handle);
	return o ? o->at : NULL;
}

bool front_object_remove(enum front_kind kind, const void *handle)
{
	struct object *o = find_object(kind, handle);
	if (!o)
		return false;
	free(o->at);
	o->at = NULL;
	return true;
}

/* Whether the driver that is loaded takes this library's calls; no initialising helps where it does not. */
static int fits_rc(const struct nvs_shared *s)
{
	if (!s->driver_loaded)
		return GM_NVML_ERROR_DRIVER_NOT_LOADED;
	return s->driver_mismatch && atomic_load(&library.met) && !atomic_load(&library.upgraded)
		       ? GM_NVML_ERROR_LIB_RM_VERSION_MISMATCH
		       : 0;
}

/* A driver that was loaded anew is not the one that this session opened: it takes another. */
static int driver_rc(const struct nvs_shared *s)
{
	int rc = fits_rc(s);
	return rc || s->driver_generation == atomic_load(&library.driver) ? rc : GM_NVML_ERROR_DRIVER_NOT_LOADED;
}

static struct front_call enter(const char *function, int board)
{
	struct front_call c = { .world = atomic_load(&library.world), .board = FRONT_NO_BOARD };

	if (front_inits() == 0) {
		c.rc = GM_NVML_ERROR_UNINITIALIZED;
		return c;
	}
	int told = nvs_call_begin(c.world, function, board);
	c.shared = nvs_world_lock(c.world);
	c.entered = true;
	c.garbage = told < 0;
	c.rc = told > 0 ? told : driver_rc(c.shared);
	return c;
}

static int use_instance(struct front_call *c, const struct handle *h)
{
	for (size_t i = 0; i < NVS_GI_MAX; i++) {
		struct nvs_gi *gi = &c->state->gis[i];
		if (!gi->alive)
			continue;
		if (h->kind == FRONT_GI && (gi->serial & 0xffffff) == h->serial) {
			c->gi = gi;
			return 0;
		}
		for (size_t k = 0; h->kind != FRONT_GI && k < NVS_CI_MAX; k++) {
			struct nvs_compute *ci = &gi->cis[k];
			if (!ci->alive || (ci->serial & 0xffffff) != h->serial)
				continue;
			c->gi = gi;
			c->ci = ci;
			return 0;
		}
	}
	return GM_NVML_ERROR_INVALID_ARGUMENT;
}

static int use_handle(struct front_call *c, const struct handle *h, unsigned flags)
{
	if (h->board >= c->shared->board_count || board_generation(c->shared, h->board) != h->generation)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	int rc = front_use_board(c, h->board);
	if (!rc && h->kind != FRONT_BOARD)
		rc = use_instance(c, h);
	if (rc)
		return rc;
	return front_check(c, flags);
}

int front_use_board(struct front_call *c, unsigned board)
{
	if (board >= c->shared->board_count)
		return GM_NVML_ERROR_NOT_FOUND;
	c->board = (int)board;
	c->state = &c->shared->boards[board];
	c->device = nvs_world_device(c->world, board);
	c->variant = c->device->variant;
	c->arch = front_architecture(c->variant);
	c->gi = NULL;
	c->ci = NULL;
	return nvs_board_lost(c->world, board) ? GM_NVML_ERROR_GPU_IS_LOST : 0;
}

int front_check(const struct front_call *c, unsigned flags)
{
	bool mig = c->state->mig_current;

	if (c->ci ? !(flags & (FRONT_MIG_TOO | FRONT_MIG_ONLY)) : flags & FRONT_MIG_ONLY)
		return c->ci ? GM_NVML_ERROR_NOT_SUPPORTED : GM_NVML_ERROR_INVALID_ARGUMENT;
	if (flags & (FRONT_MIG_BOARD | FRONT_IN_MIG) && !(c->variant->mig_capable && c->variant->mig))
		return GM_NVML_ERROR_NOT_SUPPORTED;
	if (flags & FRONT_ROOT && c->shared->unprivileged)
		return GM_NVML_ERROR_NO_PERMISSION;
	if (flags & FRONT_ROOT_IN_MIG && mig && !c->ci && c->shared->unprivileged)
		return GM_NVML_ERROR_NO_PERMISSION;
	if ((flags & FRONT_NOT_IN_MIG && mig) || (flags & FRONT_IN_MIG && !mig))
		return GM_NVML_ERROR_NOT_SUPPORTED;
	return 0;
}

struct front_call front_enter(const char *function)
{
	return enter(function, FRONT_NO_BOARD);
}

static struct front_call enter_handle(const char *function, const void *handle, unsigned kinds, unsigned flags)
{
	struct handle h = { 0 };
	bool known = handle_read(handle, &h) && kinds >> h.kind & 1;
	struct front_call c = enter(function, known ? (int)h.board : FRONT_NO_BOARD);

	if (!c.rc)
		c.rc = known ? use_handle(&c, &h, flags) : GM_NVML_ERROR_INVALID_ARGUMENT;
	return c;
}

struct front_call front_enter_device(const char *function, struct gm_nvml_device *device, unsigned flags)
{
	return enter_handle(function, device, 1U << FRONT_BOARD | 1U << FRONT_MIG, flags);
}

/* An instance implies a board in MIG mode; what is asked of it is not asked of the whole. */
struct front_call front_enter_gi(const char *function, struct gm_nvml_gi *gi, unsigned flags)
{
	return enter_handle(function, gi, 1U << FRONT_GI, flags | FRONT_IN_MIG);
}

struct front_call front_enter_ci(const char *function, struct gm_nvml_ci *ci, unsigned flags)
{
	return enter_handle(function, ci, 1U << FRONT_CI, flags | FRONT_IN_MIG | FRONT_MIG_TOO);
}

void front_fills(struct front_call *c, void *at, size_t size, bool text)
{
	if (c->fill_count == FRONT_FILLS_MAX)
		return;
	c->fills[c->fill_count].at = at;
	c->fills[c->fill_count].size = size;
	c->fills[c->fill_count++].text = text;
}

/* Nonsense that is the same each time: bytes that are neither small numbers nor UTF-8. */
static void spoil(void *at, size_t size)
{
	unsigned char *bytes = at;
	for (size_t i = 0; i < size; i++)
		bytes[i] = (unsigned char)(0xf5U - i * 29U % 61U);
}

void front_filled(const struct front_call *c, void *at, size_t size)
{
	if (gm_unlikely(c->garbage))
		spoil(at, size);
}

/* A text stays ended. */
static void spoil_outputs(const struct front_call *c)
{
	for (unsigned i = 0; i < c->fill_count; i++) {
		spoil(c->fills[i].at, c->fills[i].size);
		if (c->fills[i].text && c->fills[i].size)
			((char *)c->fills[i].at)[c->fills[i].size - 1] = '\0';
	}
}

void front_leave(struct front_call *c)
{
	if (!c->entered)
		return;
	if (gm_unlikely(c->garbage) && !c->rc)
		spoil_outputs(c);
	nvs_world_unlock(c->world);
	c->entered = false;
}

/* After a wait: what the call stands on may be gone. */
static void resume(struct front_call *c, uint32_t generation)
{
	c->shared = nvs_world_lock(c->world);
	if (front_inits() == 0)
		c->rc = GM_NVML_ERROR_UNINITIALIZED;
	else if ((c->rc = driver_rc(c->shared)) == 0 && c->state) {
		c->rc = front_use_board(c, (unsigned)c->board);
		if (!c->rc && board_generation(c->shared, (unsigned)c->board) != generation)
			c->rc = GM_NVML_ERROR_INVALID_ARGUMENT;
	}
}

void front_rest(struct front_call *c, int64_t ms)
{
	uint32_t generation = c->state ? board_generation(c->shared, (unsigned)c->board) : 0;
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nvs_world_unlock(c->world);
	while (nanosleep(&left, &left) && errno == EINTR) {
	}
	resume(c, generation);
}

void front_wait_event(struct front_call *c, uint64_t seen, int64_t ms)
{
	nvs_world_unlock(c->world);
	(void)nvs_event_wait(c->world, seen, ms);
	resume(c, 0);
}

int front_text(struct front_call *c, char *out, unsigned size, const char *text)
{
	size_t need = strlen(text) + 1;

	if (!out)
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	if (size < need)
		return GM_NVML_ERROR_INSUFFICIENT_SIZE;
	front_fills(c, out, size, true);
	memcpy(out, text, need);
	return 0;
}

/* The world of this process, made by the first initialisation. A scenario that cannot be read is said where people look. */
static int open_world(void)
{
	struct nvs_world *w = atomic_load(&library.world);
	struct gm_err err = { 0 };

	if (w)
		return 0;
	if (nvs_world_open(&w, &err)) {
		(void)fprintf(stderr, "simulated NVML: %s%s%s\n", err.where, err.where[0] ? ": " : "", err.text);
		return GM_NVML_ERROR_LIBRARY_NOT_FOUND;
	}
	atomic_store(&library.world, w);
	return 0;
}

static int init_locked(const char *function, unsigned flags)
{
	int rc = open_world();
	if (rc)
		return rc;
	struct nvs_world *w = atomic_load(&library.world);
	int told = nvs_call_begin(w, function, FRONT_NO_BOARD);
	struct nvs_shared *s = nvs_world_lock(w);
	rc = told > 0 ? told : fits_rc(s);
	if (!rc && s->board_count == 0 && !(flags & GM_NVML_INIT_NO_GPUS))
		rc = GM_NVML_ERROR_GPU_NOT_FOUND;
	if (!rc) {
		if (front_inits() == 0) {
			atomic_store(&library.driver, s->driver_generation);
			atomic_fetch_add(&library.sessions, 1);
		}
		if (!atomic_exchange(&library.met, true))
			atomic_store(&library.upgraded, s->driver_mismatch);
		atomic_fetch_add(&library.inits, 1);
	}
	nvs_world_unlock(w);
	return rc;
}

/* Who was initialising in another thread of the parent is not there any more. */
static void forget_other_threads(void)
{
	(void)pthread_mutex_init(&library.mu, NULL);
}

static void watch_forks(void)
{
	(void)pthread_atfork(NULL, NULL, forget_other_threads);
}

static int init(const char *function, unsigned flags)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, watch_forks);
	if (flags & ~(unsigned)(GM_NVML_INIT_NO_GPUS | GM_NVML_INIT_NO_ATTACH | GM_NVML_INIT_FORCE))
		return GM_NVML_ERROR_INVALID_ARGUMENT;
	(void)pthread_mutex_lock(&library.mu);
	int rc = init_locked(function, flags);
	(void)pthread_mutex_unlock(&library.mu);
	return rc;
}

/* The first form attaches every board at once; boards that cannot be attached do not stop it. */
NVML(nvmlInit, void)
{
	int rc = init(__func__, 0);
	struct nvs_world *w = atomic_load(&library.world);

	if (rc)
		return rc;
	struct nvs_shared *s = nvs_world_lock(w);
	for (unsigned i = 0; i < s->board_count; i++)
		nvs_attach(w, i);
	nvs_world_unlock(w);
	return 0;
}

NVML(nvmlInit_v2, void)
{
	return init(__func__, 0);
}

NVML(nvmlInitWithFlags, unsigned flags)
{
	return init(__func__, flags);
}

/* The world stays: it is this process's until it ends, and a later session sees it again. */
NVML(nvmlShutdown, void)
{
	(void)pthread_mutex_lock(&library.mu);
	int rc = GM_NVML_ERROR_UNINITIALIZED;
	if (front_inits() > 0) {
		struct nvs_world *w = atomic_load(&library.world);
		int told = nvs_call_begin(w, __func__, FRONT_NO_BOARD);
		(void)nvs_world_lock(w);
		rc = told > 0 ? told : 0;
		if (!rc && atomic_fetch_sub(&library.inits, 1) == 1) {
			forget_objects();
			nvs_detach(w);
		}
		nvs_world_unlock(w);
	}
	(void)pthread_mutex_unlock(&library.mu);
	return rc;
}

__attribute__((visibility("default"))) const char *nvmlErrorString(int result);
const char *nvmlErrorString(int result)
{
	switch (result) {
#define TEXT(name, number, text)                                                                                       \
	case number:                                                                                                   \
		return text;
		GM_NVML_RESULT_LIST(TEXT)
#undef TEXT
	default: /* any number may come */
		return "Unknown Error";
	}
}
