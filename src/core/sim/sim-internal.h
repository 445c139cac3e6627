/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_SIM_SIM_INTERNAL_H
#define GM_CORE_SIM_SIM_INTERNAL_H

#include "core/sim/live.h"
#include "core/sim/sim.h"

/*
 * How it works. A node's time is cut into steps of sim->step_ms from the world's beginning. At each step's end (a knot)
 * a board's load is a hash of the seed and the time, its power follows from load and limits, its temperature and its
 * counters from the knot before. Between two knots values lie on the straight line, plus a shake that is again a hash,
 * so any time can be asked for and the energy is the exact area under the power. A node lives through driver lives
 * (struct sim_node.life): each begins from a state that is a function of its first knot alone, so a leap in time never
 * costs more than one life's steps.
 */

enum sim_work_kind { SIM_SERVING, SIM_TRAINING, SIM_NOTEBOOK, SIM_IDLE };

/* One pod and the load it makes. */
struct sim_work {
	struct gm_sim_pod pod; /* points into the strings below and at literals */
	char pod_name[80];
	char uid[37];
	enum sim_work_kind kind;
	uint64_t seed;
	const char *stem; /* of the pod's name */
	int64_t job;	  /* training: the number of the job whose name stands in pod_name */
	/* serving */
	int32_t base, day, noise, burst; /* parts of one */
	/* training */
	int64_t job_ms, run_ms, phase_ms, checkpoint_ms;
	/* how it loads the board, parts of one at full load */
	int32_t power, sm, tensor, dram, memory;
	int64_t pcie_bps, nvlink_bps;
};

/* The load at a time after 1970, 0..SIM_ONE. */
int32_t sim_work_load(const struct sim_work *w, int64_t t_ms);
/* False between two training jobs; *out_job numbers the job. */
bool sim_work_running(const struct sim_work *w, int64_t t_ms, int64_t *out_job);
/* Part of the memory it holds at this time. */
int32_t sim_work_memory(const struct sim_work *w, int64_t t_ms);
/* boards: how many it spans; memory_gb: of the board or slice it sits on. */
void sim_work_init(struct sim_work *w, enum sim_work_kind kind, uint64_t seed, int boards, int64_t memory_gb);
/* Brings the pod's name to the job of this time; true when the pod runs. */
bool sim_work_name(struct sim_work *w, int64_t t_ms);

/* Faults that are in force at a knot, and those that begin or end there: bit 1 << kind. */
struct sim_faults {
	uint32_t active, begins, ends;
	int32_t overheat_c, brake_percent;
	int64_t xid, sbe, dbe;
};
/* What a board (or, for NODE_AWAY, a node) remembers of its faults so as not to ask anew at every knot. */
struct sim_fault_cache {
	int64_t same_until; /* the world's time; 0: ask */
	uint32_t active;
	int32_t overheat_c;
};
struct sim_fault_plan {
	uint64_t seed;
	int32_t rarity; /* how many times rarer than in a world of 24 boards, in parts of one */
	int64_t step_ms;
	bool faults;
};
/* `kinds`: bits that matter to who asks. t_ms: the world's time of a knot, after its beginning. */
void sim_faults_at(const struct sim_fault_plan *plan, struct sim_fault_cache *cache, uint64_t seed, uint32_t kinds,
		   int64_t t_ms, struct sim_faults *out);
/* How many uncorrected errors the plan has put on the board in [0, t_ms]: remapped rows outlive the driver. */
int64_t sim_faults_remapped(const struct sim_fault_plan *plan, uint64_t seed, int64_t t_ms);
/* Adds the rows of a scenario that speak of this board (gpu -1: of the node itself). */
void sim_scenario_at(const struct gm_sim_fault *rows, size_t count, int gpu, int64_t t_ms, int64_t step_ms,
		     struct sim_faults *out);

/* What is fixed of a variant, made once. */
struct sim_traits {
	const struct gm_variant *variant;
	int64_t idle_mw, limit_mw, memory_bytes, reserved_bytes;
	int32_t slowdown_mc, ceiling_mc; /* milli-degrees */
	int32_t rise_mc;		 /* above ambient at full power */
	int32_t max_mhz, idle_mhz, memory_mhz, idle_memory_mhz;
	bool consumer, hbm, ecc, energy, fan, nvlink;
};
void sim_traits_init(struct sim_traits *t, const struct gm_variant *v);

struct sim_knot {
	int32_t load, temperature_mc;
	int64_t power_mw;
	uint64_t throttle;
	int32_t instance_load[GM_SIM_INSTANCES_MAX];
	struct sim_faults faults;
};
struct sim_board {
	uint64_t seed;
	const struct sim_traits *traits;
	int work;				 /* index, -1: none */
	int instance_work[GM_SIM_INSTANCES_MAX]; /* the same */
	int32_t ambient_mc;
	struct sim_knot now, next;
	struct sim_fault_cache cache;
	int64_t energy_uj; /* at `now` */
	int64_t xid, sbe, dbe, remapped, replay;
	bool remap_pending;
};
/* Of a live world: what commands hold a board to, and since when `now` is (otherwise: since its knot). */
struct sim_live {
	int64_t from_ms;
	struct gm_sim_use board, uses[GM_SIM_INSTANCES_MAX];
	struct sim_counts {
		int64_t pcie_rx_bytes, nvlink_bytes;
		int64_t throttle_ms[GM_SIM_REASONS];
	} counts; /* at `now` of the board */
};
struct sim_node {
	struct gm_sim_node pub;
	uint64_t seed;
	size_t first_device;
	size_t first_work, work_count;
	int64_t life_offset_ms; /* how far into a driver life the node is when the world begins */
	int64_t life;		/* number of the one the boards are in; -1: not begun */
	int64_t knot;		/* number of the knot `now` of the boards */
	int64_t at_ms;		/* the world's time shown */
	struct sim_fault_cache cache;
	const struct gm_sim_fault *scenario; /* rows of this node */
	size_t scenario_count;
};
struct gm_sim {
	uint64_t seed;
	int64_t start_ms, step_ms, life_ms, speed_milli;
	struct sim_fault_plan plan;
	struct sim_node *nodes;
	size_t node_count;
	struct gm_sim_device *devices;
	struct sim_board *boards;
	size_t device_count;
	struct sim_work *works;
	size_t work_count, work_capacity;
	struct sim_traits *traits;
	size_t trait_count;
	struct sim_live *live;	       /* one a board; NULL: nobody changes this world */
	struct gm_sim_fault *scenario; /* sorted by node */
	size_t scenario_count;
};

/* The mix: how many boards of which variant. */
#define SIM_MIX_MAX 32
struct sim_mix {
	struct {
		const struct gm_variant *variant;
		uint64_t weight;
		size_t boards;
	} rows[SIM_MIX_MAX];
	size_t count;
};
int sim_mix_parse(struct gm_str models, size_t gpus, struct sim_mix *out, struct gm_err *err) GM_CHECKED;
/*
 * The layout of the `nth` board of the `row`th variant: 0 when it is not in MIG mode. Profiles and placements
 * are the catalogue's.
 */
int sim_layout(const struct gm_variant *v, size_t row, size_t nth,
	       struct gm_sim_instance out[static GM_SIM_INSTANCES_MAX]);

/* The world's time after its beginning. */
int64_t sim_world_ms(const struct gm_sim *s, int64_t now_ms);
void sim_live_init(struct sim_live *l);

/* Puts workloads on the node's boards and slices. */
void sim_place(struct gm_sim *s, struct sim_node *node, size_t *io_groups);
void sim_uuid(uint64_t seed, const char *prefix, char version, char *out, size_t size);

/* A life begins for the board at knot `knot`. */
void sim_board_begin(struct gm_sim *s, const struct sim_node *node, size_t index, int64_t knot);
/* The knot `now` becomes the time t_ms between `now` and `next`; then sim_board_bend gives it and `next` the loads of now. */
void sim_board_cut(struct gm_sim *s, size_t index, int64_t t_ms, int64_t knot);
/* Live worlds: adds what passed from `now` to the part of the way to `next` that took `ms`. */
void sim_board_traffic(const struct gm_sim *s, size_t index, int64_t part, int64_t ms, struct sim_counts *io);
void sim_board_bend(struct gm_sim *s, size_t index, int64_t t_ms, int64_t knot);
void sim_board_faults(struct gm_sim *s, const struct sim_node *node, size_t index, int64_t t_ms,
		      struct sim_faults *out);
void sim_board_count(struct sim_board *b, const struct sim_faults *f);
/* From `now` to the next knot, which is number `knot`. */
void sim_board_step(struct gm_sim *s, const struct sim_node *node, size_t index, int64_t knot);
/* Fills the public device for a time between `now` and `next`. */
void sim_board_show(struct gm_sim *s, const struct sim_node *node, size_t index, int64_t t_ms);

#endif
