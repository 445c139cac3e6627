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
 * events, processes, and the boards' counters as of the last step) lies in one file that every process which loads the
 * library maps. It outlives them all. Whoever takes the lock moves the world on and notes it, so all tell the same.
 *
 * NVML_SIM_STATE names a folder (made when it is not there; file "world"); without it the world is this process's and its
 * forked children's. NVML_SIM_SCENARIO names a YAML file; without it a new world is 8 H100 80GB SXM5, MIG off, idle, and
 * one that exists is taken as it is. A world made from another scenario than the one named is refused with the reason,
 * until it is told to reset. The file keeps the scenario's text.
 *
 * Time: the world's time is wall time, run `speed` times as fast from the world's beginning. How long a call blocks is
 * the caller's time, unscaled.
 *
 * Locks, in the order they are taken: the library's (this process), the driver's (all processes; held by block-driver),
 * the world's. The first two are passed through in nvs_call_begin only, the world's is never held while waiting.
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
	uint8_t index;	 /* of the MIG device on the board: the lowest free one, kept until it ends */
	uint32_t serial; /* new for each that is ever made: handles of older ones are stale */
	char uuid[48];	 /* "MIG-..." */
};
struct nvs_gi {
	bool alive;
	uint8_t id;
	struct gm_mig_slot slot;
	uint32_t serial;
	int16_t load_percent; /* commanded; -1: what its processes make */
	struct nvs_compute cis[NVS_CI_MAX];
};
struct nvs_board {
	bool mig_current, mig_pending;
	bool lost; /* off the bus by command; core/sim's own fault counts too: see nvs_board_lost */
	bool reset_required;
	uint32_t generation; /* of its handles: a reset or mode switch makes older ones stale */
	uint32_t serials;    /* the last given to a gi or ci */
	uint32_t changes;    /* rises with each change of mode, layout or load */
	int32_t minor;
	int16_t load_percent; /* commanded; -1: what its processes make */
	struct nvs_gi gis[NVS_GI_MAX];
};

/* A process that uses a board or a slice; from the scenario, from core/sim's workloads, or by command. */
#define NVS_PID_SELF 0 /* whoever asks: see nvs_process_pid */
#define NVS_KIND_COMPUTE 1
#define NVS_KIND_GRAPHICS 2
#define NVS_KIND_MPS 4
struct nvs_process {
	uint32_t pid;
	uint8_t board;
	int16_t gi, ci;	    /* -1: whole board */
	uint8_t kinds;	    /* bits above */
	bool holds_channel; /* blocks MIG changes of the board */
	bool workload;	    /* core/sim's: comes and goes with its pod */
	uint8_t load_percent;
	int64_t used_bytes; /* -1: not told */
	char name[64];
};

/* A process that has attached to boards: what an Ampere board's mode switch and any board's reset wait for. */
#define NVS_CLIENTS_MAX 64
struct nvs_client {
	uint32_t pid;	   /* 0: free row */
	uint64_t started;  /* of /proc/PID/stat, so that a pid that is used again is somebody else */
	uint32_t attached; /* bit per board */
};

/* Types and data are NVML's: 0x1 SBE, 0x2 DBE, 0x8 XID (data: its number), 0x100 MIG configuration... */
#define NVS_EVENT_SBE 0x1
#define NVS_EVENT_DBE 0x2
#define NVS_EVENT_XID 0x8
#define NVS_EVENT_MIG 0x100
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
	char function[64]; /* "nvmlDeviceGetMemoryInfo": any version of it; "..._v2": this one; "nvmlDeviceGet*", "*" */
	int16_t board;	   /* -1: all, and calls without a board */
	int64_t value;	   /* ms or code */
	int64_t from_ms, until_ms; /* the world's time; until 0: until it is cleared */
	int64_t times;		   /* how many calls; 0: any number */
	int64_t used;		   /* how many it has met */
	uint32_t blocked;	   /* calls that wait in it now (those that were killed there count on) */
	uint32_t id;		   /* from 1, never used again */
};

/* How the process list behaves: the ABI trap. */
enum nvs_process_abi { NVS_PROCESSES_24, NVS_PROCESSES_32_AS_V3, NVS_PROCESSES_NO_V3 };

/* The part that is shared. Read and written under the world's lock only. */
struct nvs_shared {
	uint64_t scenario_hash;
	uint64_t epoch;	  /* rises with each reset of the world: all handles are stale */
	int64_t start_ms; /* wall time of the world's beginning */
	int64_t now_ms;	  /* the world's time, never back */
	char driver_version[80], nvml_version[80];
	int32_t cuda_version;	    /* 1000 * major + 10 * minor */
	bool driver_loaded;	    /* false: DRIVER_NOT_LOADED */
	bool driver_mismatch;	    /* LIB_RM_VERSION_MISMATCH for who opened it before */
	uint32_t driver_generation; /* of a load: instances die with it */
	bool unprivileged;	    /* callers count as not root */
	enum nvs_process_abi process_abi;
	struct nvs_client clients[NVS_CLIENTS_MAX];
	uint32_t board_count;
	struct nvs_board boards[NVS_BOARDS_MAX];
	uint32_t process_count;
	struct nvs_process processes[NVS_PROCESSES_MAX];
	uint64_t events_made;
	struct nvs_event events[NVS_EVENTS_MAX];
	uint32_t calls_made; /* faults: the last id given */
	struct nvs_call_fault calls[NVS_CALLS_MAX];
};

struct nvs_world;
/* Once a process; later calls give the same. Thread-safe. Fails with the reason (scenario, folder). */
int nvs_world_open(struct nvs_world **out, struct gm_err *err) GM_CHECKED;
/* For tests and the control program: given paths instead of the environment (NULL as unset there). */
int nvs_world_open_at(const char *scenario, const char *state, struct nvs_world **out, struct gm_err *err) GM_CHECKED;
void nvs_world_close(struct nvs_world *w);
GM_DEFINE_AUTO(struct nvs_world, nvs_world_close)

/*
 * A new beginning from another scenario, also where nvs_world_open_at refuses: every process that has the world open goes
 * over to it at its next call. NULL: the default scenario.
 */
int nvs_world_reset_at(const char *scenario, const char *state, struct gm_err *err) GM_CHECKED;

/*
 * Takes the world's lock (robust, shared by all processes: whoever dies holding it does not stop the others) and moves the
 * world to now: counters, scenario faults that became due, events.
 */
struct nvs_shared *nvs_world_lock(struct nvs_world *w);
void nvs_world_unlock(struct nvs_world *w);
int64_t nvs_world_now_ms(const struct nvs_world *w); /* the world's time; lock held */

/*
 * Lock held; valid until unlock. memory_used_bytes counts the processes in; in MIG mode utilisation and NVLink are of no
 * meaning. variant->mig is the table that slots speak of.
 */
const struct gm_sim_device *nvs_world_device(struct nvs_world *w, unsigned board);
/*
 * Load and memory of one slice by ids, as core/sim has it; ci -1: the whole GPU instance (also one without compute
 * instances: idle). NULL when there is no such instance; valid until the next call or unlock.
 */
const struct gm_sim_instance *nvs_world_instance(struct nvs_world *w, unsigned board, int gi, int ci);
bool nvs_board_lost(struct nvs_world *w, unsigned board);
uint32_t nvs_process_pid(const struct nvs_process *p);
/* Alive ones by id; NULL when there is none. Lock held. */
struct nvs_gi *nvs_gi_find(struct nvs_shared *s, unsigned board, int id);
struct nvs_compute *nvs_ci_find(struct nvs_gi *gi, int id);

/* This process has (or, at its last Shutdown, has no more) the board open. Lock held. */
void nvs_attach(struct nvs_world *w, unsigned board);
void nvs_detach(struct nvs_world *w);

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
/* Where a compute instance of so many slices may start inside a GPU instance of `gi_slices`, rising. */
size_t nvs_ci_starts(int gi_slices, int slices, uint8_t out[static NVS_CI_MAX]);
/* How many more such compute instances fit. */
int nvs_ci_remaining(const struct nvs_world *w, unsigned board, const struct nvs_gi *gi, int slices);
/* The board's GPU instances as core/mig has them. */
void nvs_board_layout(const struct nvs_board *b, struct gm_mig_layout *out);
/* MIG mode without a reset and lost with the driver: Hopper and later. */
bool nvs_board_resetless(struct nvs_world *w, unsigned board);
/* IN_USE with processes, or other clients attached; instances die, modes settle, counters begin anew. */
int nvs_reset(struct nvs_world *w, unsigned board);
void nvs_driver_unload(struct nvs_world *w); /* instances die; Hopper and later lose the mode too */
void nvs_driver_load(struct nvs_world *w);
void nvs_driver_reload(struct nvs_world *w);
void nvs_event_raise(struct nvs_world *w, unsigned board, uint64_t type, uint64_t data, int gi, int ci);
/*
 * Waits until an event with a number above `seen` is there (true), or timeout_ms of the caller's time have passed. Moves
 * the world on meanwhile, so that faults of the scenario come in time. Lock not held.
 */
bool nvs_event_wait(struct nvs_world *w, uint64_t seen, int64_t timeout_ms);

/*
 * Commands, as the control program and scenarios give them: one line, words as "fault nvmlDeviceGetName gpu=2 block 5s".
 * docs/nvml-simulator.md has the list. The answer's text goes to *out (may be NULL).
 * Lock not held.
 */
int nvs_command(struct nvs_world *w, struct gm_str line, struct gm_buf *out, struct gm_err *err) GM_CHECKED;
/* The list of commands, for --help. */
void nvs_command_help(struct gm_buf *out);

/*
 * At the head of every entry point, the world's lock not held: passes through the library's lock and the driver's (and
 * stays there while somebody blocks holding them), finds the fault for this function and board (-1: a call without one)
 * and carries it out (blocks, is slow, crashes). Answers 0: go on and answer; > 0: answer this code; -1: go on, then fill
 * with garbage. Nothing is held when it returns.
 */
int nvs_call_begin(struct nvs_world *w, const char *function, int board);

#endif
