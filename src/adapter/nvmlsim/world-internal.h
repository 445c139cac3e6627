/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_NVMLSIM_WORLD_INTERNAL_H
#define GM_ADAPTER_NVMLSIM_WORLD_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "adapter/nvmlsim/world.h"
#include "base/clock.h"
#include "base/option.h"
#include "core/sim/live.h"

/* --- the scenario --- */

#define NVS_SCENARIO_MAX 65536 /* bytes of text */
#define NVS_BOARD_FAULTS_MAX 1000

struct nvs_scenario {
	int64_t seed, gpus, speed_milli;
	char *models, *driver, *nvml, *cuda, *speed;
	bool workloads, faults, unprivileged;
	int process_abi;
	struct gm_option_maps mig, processes, board_faults, call_faults;
	int32_t cuda_version;
	struct gm_options options; /* over this struct */
};
/* `name` is what places are called by. Text "" is the default scenario. */
int nvs_scenario_parse(struct gm_str text, const char *name, struct nvs_scenario **out, struct gm_err *err) GM_CHECKED;
void nvs_scenario_free(struct nvs_scenario *c);
GM_DEFINE_AUTO(struct nvs_scenario, nvs_scenario_free)
/* The table of keys, for the docs page. */
void nvs_scenario_markdown(struct gm_buf *out);
/* Fails past NVS_SCENARIO_MAX bytes. */
int nvs_scenario_read(const char *path, struct gm_buf *out, struct gm_err *err) GM_CHECKED;

/*
 * Rows: what scenario files and commands have in common. A row of a kind is made of pairs of key and value; `where` of a
 * pair may be NULL.
 */
struct nvs_row_key {
	const char *key;
	bool needed;
	int (*read)(struct gm_str value, void *row, struct gm_err *err);
};
struct nvs_row_kind {
	const char *what; /* "a call fault" */
	const struct nvs_row_key *keys;
	size_t count;
	int (*finish)(void *row, struct gm_err *err); /* may be NULL */
};
int nvs_row_read(const struct nvs_row_kind *kind, const struct gm_option_map *pairs, void *row,
		 struct gm_err *err) GM_CHECKED;

struct nvs_mig_row {
	int gpu;  /* -1: all that can */
	int mode; /* -1: not said */
	bool has_layout;
	char layout[512];
};
struct nvs_process_row {
	int64_t pid;
	int gpu, gi, ci;
	uint8_t kinds;
	bool channel;
	int64_t memory; /* -1: not told */
	int64_t load;
	char name[64];
};
struct nvs_fault_row {
	char function[64];
	int gpu; /* -1: all */
	enum nvs_does does;
	char text[32]; /* of the value; "": none */
	int64_t value, after_ms, for_ms, times;
};
struct nvs_load_row {
	int gpu, gi; /* gi -1: the board */
	int percent; /* -1: what processes make */
};
extern const struct nvs_row_kind nvs_mig_rows, nvs_process_rows, nvs_fault_rows, nvs_board_fault_rows, nvs_load_rows;
extern const char *const nvs_does_names[NVS_DOES_COUNT];
bool nvs_read_gpu(struct gm_str value, int *out);
bool nvs_read_code(struct gm_str value, int64_t *out); /* "15", "GPU_IS_LOST", "gpu-is-lost" */

/* --- the file --- */

#define NVS_FILE_MAGIC UINT64_C(0x31444c524f574d47) /* "GMWORLD1" */
#define NVS_FILE_VERSION 1

/* What is mapped. A holder of `lock` that dies leaves the boards' state of before or after its step, never a part of both. */
struct nvs_file {
	uint64_t magic, version, size;
	pthread_mutex_t lock;			 /* the world's: robust, of all processes */
	pthread_mutex_t driver;			 /* held by block-driver */
	_Atomic uint32_t fault_count;		 /* faults of calls that are alive */
	_Atomic uint32_t fault_word, event_word; /* futexes: rise when faults of calls, events change */
	char scenario_name[256];
	uint32_t scenario_size;
	char scenario[NVS_SCENARIO_MAX];
	bool torn;	/* a holder died amid a change: boards are to be told to core/sim anew */
	uint64_t saves; /* rises with each save */
	uint32_t active;
	struct gm_sim_state states[2][NVS_BOARDS_MAX];
	struct nvs_shared shared;
};

struct nvs_world {
	struct nvs_file *file;
	struct nvs_scenario *scenario;
	struct gm_sim *sim;
	struct gm_sim_fault *faults; /* the sim's rows, kept to know when something is due */
	size_t fault_count;
	const struct gm_clock *clock;
	pthread_mutex_t library;
	uint64_t epoch, saves; /* of the file, that sim is at; epoch 0: sim must be made */
	uint32_t changes[NVS_BOARDS_MAX];
	int64_t shown_ms[NVS_BOARDS_MAX]; /* the time that the device shows; -1: none */
	uint32_t attached;
	struct gm_sim_instance slice; /* nvs_world_instance's answer */
	struct nvs_world *next;	      /* of all that are open in this process */
};

/* Anonymous: this process's and its children's. */
int nvs_file_new(struct nvs_file **out, struct gm_err *err) GM_CHECKED;
/*
 * Under the state's folder: an existing one is mapped (*out_made false); else `begin` fills a new one, which appears
 * under its name only when it is whole. Of several processes one is first, the others take its.
 */
int nvs_file_open(const char *state, int (*begin)(void *ctx, struct nvs_file *f, struct gm_err *err), void *ctx,
		  struct nvs_file **out, bool *out_made, struct gm_err *err) GM_CHECKED;
void nvs_file_unmap(struct nvs_file *f);
/* True when who held it died: what it guards may be half done. */
bool nvs_robust_lock(pthread_mutex_t *m);
void nvs_file_lock(struct nvs_file *f);	    /* the world's, without moving it on */
void nvs_word_bump(_Atomic uint32_t *word); /* and wakes all who wait on it */
/* Until the word is not `seen` any more, or ms have passed (< 0: for ever); may return early. */
void nvs_word_wait(_Atomic uint32_t *word, uint32_t seen, int64_t ms);

/* As nvs_world_open_at, from a scenario that was read: text.p NULL when none is named. */
int nvs_world_open_text(struct gm_str text, const char *name, const char *state, struct nvs_world **out,
			struct gm_err *err) GM_CHECKED;

/* --- the world; the lock is held in all that follows --- */

/* The world's time of now, never before the file's. */
int64_t nvs_time(const struct nvs_world *w);
/* Real milliseconds in which so many of the world's pass, rounded up. */
int64_t nvs_real_ms(const struct nvs_world *w, int64_t ms);
/* After a change of a board's mode, layout, processes or loads: tells core/sim and notes it. */
void nvs_reshape(struct nvs_world *w, unsigned board);
void nvs_save(struct nvs_world *w);
/* Mode, instances and processes of the scenario into a zeroed *s; no events. */
int nvs_begin(struct nvs_world *w, struct nvs_shared *s, struct gm_err *err) GM_CHECKED;
void nvs_shape_of(struct nvs_world *w, const struct nvs_shared *s, unsigned board, struct gm_sim_shape *out);
int64_t nvs_slice_bytes(const struct nvs_world *w, unsigned board, size_t profile);
const struct gm_mig_table *nvs_table(const struct nvs_world *w, unsigned board);
const struct gm_sim_device *nvs_static_device(const struct nvs_world *w, unsigned board); /* identity only */
/* Without events, codes as nvs_gi_create. */
int nvs_gi_put(struct nvs_world *w, struct nvs_shared *s, unsigned board, struct gm_mig_slot slot, struct nvs_gi **out);
int nvs_ci_put(struct nvs_world *w, struct nvs_shared *s, unsigned board, struct nvs_gi *gi, int slices, int start,
	       struct nvs_compute **out);
/* Adds what the layout has, each instance with one compute instance that fills it. */
int nvs_layout_add(struct nvs_world *w, struct nvs_shared *s, unsigned board, const struct gm_mig_layout *layout);
/* Everything of the board that a reset ends: instances, their processes, handles; pending mode settles. */
void nvs_board_renew(struct nvs_world *w, unsigned board);
/* Tells of a layout or mode that changed: event and note. */
void nvs_mig_changed(struct nvs_world *w, unsigned board, int gi, int ci);

extern const struct nvs_process_row nvs_process_row_default;
int nvs_process_add(struct nvs_shared *s, const struct nvs_process_row *row, struct gm_err *err) GM_CHECKED;
/* How many of the pid were removed; board -1: everywhere. */
unsigned nvs_process_remove(struct nvs_world *w, uint32_t pid, int board);
/* Processes on the board, or on one instance of it. */
unsigned nvs_processes_on(const struct nvs_shared *s, unsigned board, int gi, int ci);
void nvs_processes_end(struct nvs_shared *s, unsigned board);
void nvs_workloads_refresh(struct nvs_world *w);
bool nvs_others_attached(struct nvs_world *w, unsigned board, uint32_t *out_pid);

/* nvs_fault_recount after it, when *s is the file's. */
int nvs_fault_add(struct nvs_shared *s, const struct nvs_fault_row *row, uint32_t *out_id,
		  struct gm_err *err) GM_CHECKED;
void nvs_fault_recount(struct nvs_file *f);
/* id 0: all. How many there were. */
unsigned nvs_fault_clear(struct nvs_world *w, uint32_t id);

/* `show`; lock held. */
void nvs_show_text(struct nvs_world *w, struct gm_buf *out);
void nvs_show_json(struct nvs_world *w, struct gm_buf *out);
/* The world's new beginning, from the text that is in the file. */
int nvs_restart(struct nvs_world *w, struct gm_err *err) GM_CHECKED;

#endif
