/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_NVMLSIM_WORLD_H
#define GM_ADAPTER_NVMLSIM_WORLD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "core/mig/mig.h"
#include "core/sim/sim.h"

/*
 * The world behind the simulated NVML: one node of core/sim whose mutable part (MIG modes and layouts, commanded faults,
 * events, processes) lies in one file that every process which loads the library maps. It outlives them all. Counters and
 * loads are core/sim's, a function of scenario, seed, time and the layouts since; whenever a layout changes, the state of
 * the board's counters is noted in the file, so that every process tells the same.
 *
 * NVML_SIM_STATE names a folder (made when it is not there; file "world"); without it the world is this process's and its
 * forked children's. NVML_SIM_SCENARIO names a YAML file; without it: 8 H100 80GB SXM5, MIG off, idle. A world that was
 * made from another scenario is refused with the reason until it is told to reset.
 */
#define NVS_BOARDS_MAX 32
#define NVS_GI_MAX 16
#define NVS_CI_MAX 8
#define NVS_PROCESSES_MAX 512
#define NVS_EVENTS_MAX 256 /* a ring */
#define NVS_CALLS_MAX 128

struct nvs_compute {
	bool alive;
	uint8_t id;	/* 0-based inside its GPU instance */
	uint8_t slices; /* compute slices */
	uint8_t start;
	uint32_t serial; /* new for each that is ever made: handles of older ones are stale */
	char uuid[48];	 /* "MIG-..." */
};
struct nvs_gi {
	bool alive;
	uint8_t id;
	struct gm_mig_slot slot;
	uint32_t serial;
	struct nvs_compute cis[NVS_CI_MAX];
};
struct nvs_board {
	bool mig_current, mig_pending;
	bool lost; /* off the bus by command; core/sim's own fault counts too: see nvs_board_lost */
	bool reset_required;
	uint32_t generation; /* of its handles: a reset or mode switch makes older ones stale */
	uint32_t serials;    /* the last given to a gi or ci */
	int32_t minor;
	struct nvs_gi gis[NVS_GI_MAX];
};

/* A process that uses a board or a slice; from the scenario, from core/sim's workloads, or by command. */
struct nvs_process {
	uint32_t pid;
	uint8_t board;
	int16_t gi, ci;	    /* -1: whole board */
	uint8_t kinds;	    /* 1 compute, 2 graphics, 4 MPS */
	bool holds_channel; /* blocks MIG changes of the board */
	int64_t used_bytes; /* -1: not told */
	char name[64];
};

struct nvs_event {
	uint64_t number; /* rising, from 1 */
	int64_t at_ms;
	uint8_t board;
	uint64_t type, data;
	int32_t gi, ci; /* -1: none */
};

/* What a call is told to do instead of answering. */
#define NVS_DOES_LIST(X)                                                                                               \
	X(BLOCK, "block")		  /* for ever, or value ms, then answers */                                    \
	X(BLOCK_LIBRARY, "block-library") /* the same, holding the lock that every call of this process takes */       \
	X(BLOCK_DRIVER, "block-driver")	  /* the same, holding the lock that every call of every process takes */      \
	X(SLOW, "slow")			  /* value ms more, then answers */                                            \
	X(ERROR, "error")		  /* answers code `value` */                                                   \
	X(GARBAGE, "garbage")		  /* success, with nonsense in what it fills */                                \
	X(CRASH, "crash")		  /* the caller dies of SIGSEGV */
enum nvs_does {
#define NVS_DOES_ENUM(name, text) NVS_DOES_##name,
	NVS_DOES_LIST(NVS_DOES_ENUM)
#undef NVS_DOES_ENUM
		NVS_DOES_COUNT
};
struct nvs_call_fault {
	bool alive;
	enum nvs_does does;
	char function[64];	   /* "nvmlDeviceGetMemoryInfo" (any version of it), "*": all */
	int16_t board;		   /* -1: all, and calls without a board */
	int64_t value;		   /* ms or code */
	int64_t from_ms, until_ms; /* wall time of the world; until 0: until it is cleared */
	int64_t times;		   /* how many calls; 0: any number */
	uint32_t id;
};

/* How the process list behaves: the ABI trap. */
enum nvs_process_abi { NVS_PROCESSES_24, NVS_PROCESSES_32_AS_V3, NVS_PROCESSES_NO_V3 };

/* The part that is shared. Read and written under the world's lock only. */
struct nvs_shared {
	uint64_t magic, version, scenario_hash;
	int64_t start_ms;	    /* wall time of the world's beginning */
	bool driver_loaded;	    /* false: DRIVER_NOT_LOADED */
	bool driver_mismatch;	    /* LIB_RM_VERSION_MISMATCH for who opened it before */
	uint32_t driver_generation; /* of a load: instances die with it */
	bool unprivileged;	    /* callers count as not root */
	enum nvs_process_abi process_abi;
	uint32_t board_count;
	struct nvs_board boards[NVS_BOARDS_MAX];
	uint32_t process_count;
	struct nvs_process processes[NVS_PROCESSES_MAX];
	uint64_t events_made;
	struct nvs_event events[NVS_EVENTS_MAX];
	uint32_t calls_made; /* faults */
	struct nvs_call_fault calls[NVS_CALLS_MAX];
};

struct nvs_world;
/* Once a process; later calls give the same. Thread-safe. Fails with the reason (scenario, folder). */
int nvs_world_open(struct nvs_world **out, struct gm_err *err) GM_CHECKED;
/* For tests and the control program: given paths instead of the environment (NULL as unset there). */
int nvs_world_open_at(const char *scenario, const char *state, struct nvs_world **out, struct gm_err *err) GM_CHECKED;
void nvs_world_close(struct nvs_world *w);

/*
 * Takes the world's lock (robust, shared by all processes: whoever dies holding it does not stop the others) and moves the
 * world to now: counters, scenario faults that became due, events.
 */
struct nvs_shared *nvs_world_lock(struct nvs_world *w);
void nvs_world_unlock(struct nvs_world *w);
int64_t nvs_world_now_ms(const struct nvs_world *w); /* the world's wall time; lock held */

/* Lock held; valid until unlock. */
const struct gm_sim_device *nvs_world_device(const struct nvs_world *w, unsigned board);
const struct gm_sim_node *nvs_world_node(const struct nvs_world *w);
/* Load of one slice, as core/sim has it: NULL when there is no such instance. */
const struct gm_sim_instance *nvs_world_instance(const struct nvs_world *w, unsigned board, int gi, int ci);
bool nvs_board_lost(const struct nvs_world *w, unsigned board);

/*
 * What changes the world; lock held. They keep the MIG rules (core/mig), note the counters, raise MigConfigChange, give
 * UUIDs that are a function of seed, board and serial. Answers are NVML's codes: 0, 2, 3, 6, 19, 23...
 */
int nvs_mig_set_mode(struct nvs_world *w, unsigned board, bool on, int *out_activation);
int nvs_gi_create(struct nvs_world *w, unsigned board, size_t profile, int start /* -1: chosen */, struct nvs_gi **out);
int nvs_gi_destroy(struct nvs_world *w, unsigned board, struct nvs_gi *gi);
int nvs_ci_create(struct nvs_world *w, unsigned board, struct nvs_gi *gi, int slices, int start /* -1 */,
		  struct nvs_compute **out);
int nvs_ci_destroy(struct nvs_world *w, unsigned board, struct nvs_gi *gi, struct nvs_compute *ci);
int nvs_reset(struct nvs_world *w, unsigned board); /* IN_USE with processes; instances die, modes settle */
void nvs_driver_reload(struct nvs_world *w);	    /* instances die; Hopper and later lose the mode too */
void nvs_event_raise(struct nvs_world *w, unsigned board, uint64_t type, uint64_t data, int gi, int ci);

/*
 * Commands, as the control program and scenarios give them: one line, words as "fault nvmlDeviceGetName gpu=2 block 5s".
 * docs/nvml-simulator.md has the list. The answer's text goes to *out (may be NULL).
 */
int nvs_command(struct nvs_world *w, struct gm_str line, struct gm_buf *out, struct gm_err *err) GM_CHECKED;

/*
 * At the head of every entry point: takes the library's lock, finds the fault for this function and board, carries it out
 * (blocks, is slow, crashes). Answers 0: go on and answer; > 0: answer this code; -1: go on, then fill with garbage.
 * nvs_call_end gives the library's lock back.
 */
int nvs_call_begin(struct nvs_world *w, const char *function, int board);
void nvs_call_end(struct nvs_world *w);

#endif
