/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_NVMLSIM_FRONT_INTERNAL_H
#define GM_ADAPTER_NVMLSIM_FRONT_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapter/nvml/nvml-abi.h"
#include "adapter/nvmlsim/world.h"
#include "base/auto.h"

/*
 * The entry points of the simulated library. Each is the same few steps: enter (is the library initialised, is a fault
 * commanded, is the driver there, what does the handle stand for, may this caller ask), check the arguments, answer from
 * the world, leave. Between entering and leaving the world is locked, and so are the tables below.
 */

/* Declares and begins an exported function: the only symbols that the library shows. */
#define NVML(name, ...)                                                                                                \
	__attribute__((visibility("default"))) int name(__VA_ARGS__);                                                  \
	int name(__VA_ARGS__)

/*
 * Handles are numbers that look like pointers and are never followed: what kind of thing, of which session, board,
 * generation of the board's handles, and the thing's serial number. Whatever does not fit what is alive is refused.
 */
enum front_kind { FRONT_BOARD = 1, FRONT_MIG, FRONT_GI, FRONT_CI, FRONT_SET, FRONT_SAMPLE };

/* Who may be asked, and when. Without a flag: a whole board, MIG or not, by anybody. */
enum front_flag {
	FRONT_MIG_TOO = 1,    /* a MIG device as well */
	FRONT_MIG_ONLY = 2,   /* nothing but a MIG device */
	FRONT_NOT_IN_MIG = 4, /* what a board tells only while it is whole */
	FRONT_IN_MIG = 8,     /* what it tells only in MIG mode */
	FRONT_MIG_BOARD = 16, /* MIG-capable ones */
	FRONT_ROOT = 32,
	FRONT_ROOT_IN_MIG = 64, /* aggregates over slices are not everybody's to see */
};

#define FRONT_NO_BOARD (-1)
#define FRONT_FILLS_MAX 4

struct front_call {
	int rc; /* not 0: the answer, and nothing below is set */
	struct nvs_world *world;
	struct nvs_shared *shared;
	int board;
	enum gm_nvml_architecture arch;
	const struct gm_sim_device *device;
	const struct gm_variant *variant;
	struct nvs_board *state;
	struct nvs_gi *gi;	/* of a MIG device, GPU or compute instance; else NULL */
	struct nvs_compute *ci; /* of a MIG device or compute instance; else NULL */
	bool entered, garbage;
	unsigned fill_count; /* outputs, for the garbage fault */
	struct {
		void *at;
		size_t size;
		bool text;
	} fills[FRONT_FILLS_MAX];
};

/* `function` is the exported name; faults of it are carried out here. */
struct front_call front_enter(const char *function);
struct front_call front_enter_device(const char *function, struct gm_nvml_device *device, unsigned flags);
struct front_call front_enter_gi(const char *function, struct gm_nvml_gi *gi, unsigned flags);
struct front_call front_enter_ci(const char *function, struct gm_nvml_ci *ci, unsigned flags);
void front_leave(struct front_call *c);
/* The world goes on for `ms` while this call waits, as a driver's does; c->rc says whether what it entered with is gone. */
void front_rest(struct front_call *c, int64_t ms);
/* The same until there is an event past the number `seen`, at most so long; for calls that are not about one board. */
void front_wait_event(struct front_call *c, uint64_t seen, int64_t ms);

#define FRONT_ENTER(c, enter)                                                                                          \
	GM_AUTO(front_leave) struct front_call c = enter;                                                              \
	if ((c).rc)                                                                                                    \
	return (c).rc
#define FRONT_SYSTEM(c) FRONT_ENTER(c, front_enter(__func__))
#define FRONT_DEVICE(c, device, flags) FRONT_ENTER(c, front_enter_device(__func__, device, flags))
#define FRONT_GPU_INSTANCE(c, gi, flags) FRONT_ENTER(c, front_enter_gi(__func__, gi, flags))
#define FRONT_COMPUTE_INSTANCE(c, ci, flags) FRONT_ENTER(c, front_enter_ci(__func__, ci, flags))

/* An output: refused when NULL, spoilt by the garbage fault. */
void front_fills(struct front_call *c, void *at, size_t size, bool text);
/* The same of one of many, when it is filled. */
void front_filled(const struct front_call *c, void *at, size_t size);
#define FRONT_OUT_SIZED(c, pointer, size)                                                                              \
	do {                                                                                                           \
		if (!(pointer))                                                                                        \
			return GM_NVML_ERROR_INVALID_ARGUMENT;                                                         \
		front_fills(&(c), (pointer), (size), false);                                                           \
	} while (0)
#define FRONT_OUT(c, pointer) FRONT_OUT_SIZED(c, pointer, sizeof(*(pointer)))
#define FRONT_OUT_HANDLE(c, pointer) FRONT_OUT_SIZED(c, pointer, sizeof(void *))
/* A struct whose first member is its version word, which the caller set and gets back as it is. */
#define FRONT_OUT_VERSION(c, pointer, type, number)                                                                    \
	do {                                                                                                           \
		if (!(pointer))                                                                                        \
			return GM_NVML_ERROR_INVALID_ARGUMENT;                                                         \
		if ((pointer)->version != GM_NVML_VERSION(struct type, number))                                        \
			return GM_NVML_ERROR_ARGUMENT_VERSION_MISMATCH;                                                \
		front_fills(&(c), (uint32_t *)(void *)(pointer) + 1, sizeof(*(pointer)) - sizeof(uint32_t), false);    \
	} while (0)

/* INSUFFICIENT_SIZE unless it fits with its NUL. */
int front_text(struct front_call *c, char *out, unsigned size, const char *text);

void *front_handle(enum front_kind kind, unsigned board, uint32_t generation, uint32_t serial);
struct gm_nvml_device *front_board_handle(const struct front_call *c, unsigned board);
struct gm_nvml_device *front_mig_handle(const struct front_call *c, const struct nvs_compute *ci);
struct gm_nvml_gi *front_gi_handle(const struct front_call *c, const struct nvs_gi *gi);
struct gm_nvml_ci *front_ci_handle(const struct front_call *c, const struct nvs_compute *ci);

/* Sets c's board, or says why not: NOT_FOUND past the last, GPU_IS_LOST. */
int front_use_board(struct front_call *c, unsigned board);
int front_check(const struct front_call *c, unsigned flags);

/*
 * Event sets and GPM samples: things of this process that a number stands for. The numbers of freed ones are not used
 * again. Taken and given back under the world's lock.
 */
void *front_object_add(enum front_kind kind, void *take_object);
void *front_object(enum front_kind kind, const void *handle);
/* Ends it with free(). False when it is none. */
bool front_object_remove(enum front_kind kind, const void *handle);

/*
 * Numbers of a board, for plain getters and for nvmlDeviceGetFieldValues alike: a row of a table names the function.
 * `arg` is the getter's further argument or the field's scope.
 */
#define FRONT_NONE INT64_MIN	  /* NOT_SUPPORTED on this board, or in this mode */
#define FRONT_BAD (INT64_MIN + 1) /* INVALID_ARGUMENT: no such `arg` */
typedef int64_t front_value(const struct front_call *c, uint32_t arg);
/* NVML's code for what such a function said; 0 when it is a number. */
int front_value_rc(int64_t value);
int front_put_u32(int64_t value, uint32_t *out);
int front_put_u64(int64_t value, uint64_t *out);

#define FRONT_VALUES(X)                                                                                                \
	X(zero)                                                                                                        \
	X(power)                                                                                                       \
	X(power_limit)                                                                                                 \
	X(power_default)                                                                                               \
	X(power_min)                                                                                                   \
	X(power_max)                                                                                                   \
	X(energy)                                                                                                      \
	X(temperature)                                                                                                 \
	X(memory_temperature)                                                                                          \
	X(threshold)                                                                                                   \
	X(tlimit)                                                                                                      \
	X(tlimit_margin)                                                                                               \
	X(clock)                                                                                                       \
	X(max_clock)                                                                                                   \
	X(pstate)                                                                                                      \
	X(throttle)                                                                                                    \
	X(throttle_ns)                                                                                                 \
	X(fan)                                                                                                         \
	X(fan_count)                                                                                                   \
	X(utilization)                                                                                                 \
	X(memory_utilization)                                                                                          \
	X(encoder)                                                                                                     \
	X(decoder)                                                                                                     \
	X(ecc_mode)                                                                                                    \
	X(ecc_volatile)                                                                                                \
	X(ecc_aggregate)                                                                                               \
	X(remapped)                                                                                                    \
	X(retired)                                                                                                     \
	X(retired_pending)                                                                                             \
	X(pcie_gen)                                                                                                    \
	X(pcie_width)                                                                                                  \
	X(pcie_max_gen)                                                                                                \
	X(pcie_replay)                                                                                                 \
	X(pcie_bytes)                                                                                                  \
	X(nvlink_count)                                                                                                \
	X(nvlink_kib)                                                                                                  \
	X(nvlink_state)                                                                                                \
	X(nvlink_speed)                                                                                                \
	X(nvlink_version)                                                                                              \
	X(mig_resetless)                                                                                               \
	X(mig_independent)                                                                                             \
	X(recovery)                                                                                                    \
	X(sm_count)
#define FRONT_VALUE_DECLARE(name) int64_t front_##name(const struct front_call *c, uint32_t arg);
FRONT_VALUES(FRONT_VALUE_DECLARE)
#undef FRONT_VALUE_DECLARE

/* What an event or process list says in place of an instance that is none. */
static inline uint32_t front_id(int id)
{
	return id < 0 ? GM_NVML_NO_INSTANCE : (uint32_t)id;
}
static inline const struct gm_mig_profile *front_profile(const struct front_call *c, const struct nvs_gi *gi)
{
	return &c->variant->mig->profiles[gi->slot.profile];
}

enum gm_nvml_architecture front_architecture(const struct gm_variant *v);
bool front_is_hbm(const struct front_call *c);
bool front_has_nvswitch(const struct front_call *c);
unsigned front_numa_node(const struct front_call *c);
/* Bytes of the board, or of the GPU instance of a MIG device; used without reserved. */
struct front_memory {
	uint64_t total, reserved, used;
};
struct front_memory front_memory(const struct front_call *c);
void front_vbios(const struct front_call *c, char *out, size_t size);
/* "3g.40gb", "1c.3g.40gb" when the compute instance does not fill the GPU instance. */
void front_mig_name(const struct front_call *c, const struct nvs_gi *gi, int compute_slices, char *out, size_t size);

unsigned front_mig_max(const struct front_call *c);

/* The number of times that the library is initialised now, and of sessions: handles die with the last shutdown. */
unsigned front_inits(void);
uint8_t front_session(void);

#endif
