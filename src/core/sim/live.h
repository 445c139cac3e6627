/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_SIM_LIVE_H
#define GM_CORE_SIM_LIVE_H

#include "core/sim/sim.h"

/*
 * A world that is changed while it runs: layouts, processes, commanded loads and faults. It is one of gm_sim_spec.live:
 * one node, boards without MIG and without workloads at first, a driver that stays loaded. All of a board that changes
 * can be taken out as plain bytes and put into another world of the same specification (and the same calls of
 * gm_sim_live_shape and gm_sim_live_place before), which then goes on alike.
 */

/* Board and slices as they are to be from now on. */
struct gm_sim_use {
	int load_percent;   /* held at this; -1: what the workload makes */
	int64_t held_bytes; /* by processes, beside the workload's */
};
struct gm_sim_shape {
	bool mig_enabled;
	int instance_count;
	/* gi_id, ci_id, uuid, profile, slices, placement_start and memory_total_bytes; the rest is not looked at. */
	struct gm_sim_instance instances[GM_SIM_INSTANCES_MAX];
	struct gm_sim_use board, uses[GM_SIM_INSTANCES_MAX];
};
/* As of the time shown. An instance that was there (by uuid) keeps its workload, a new one has none. */
void gm_sim_live_shape(struct gm_sim *s, size_t board, const struct gm_sim_shape *shape);
/* Puts workloads on boards and slices as they are. Once, before any time has passed. */
void gm_sim_live_place(struct gm_sim *s);

/* Something began or ended on a board at a step: bits 1 << kind. */
struct gm_sim_happening {
	size_t board;
	int64_t at_ms; /* wall time */
	uint32_t begins, ends;
	int64_t xid; /* what XID, ECC_DBE and LOST that begin report */
};
#define GM_SIM_LIVE_BOARDS_MAX 32
/*
 * Goes on to now_ms, or to the first step before it at which something happened; how many rows were filled, 0: now_ms is
 * reached. Devices are as they were shown last until gm_sim_live_show. Over more than a day of its time the world leaps:
 * energy is counted on, what would have happened in between is not.
 */
size_t gm_sim_live_step(struct gm_sim *s, int64_t now_ms, struct gm_sim_happening out[static GM_SIM_LIVE_BOARDS_MAX]);
/* True when a step lies between the time reached and now_ms: the state would change. */
bool gm_sim_live_due(const struct gm_sim *s, int64_t now_ms);
/* Milliseconds of a step. */
int64_t gm_sim_live_step_ms(const struct gm_sim *s);
/* Fills the device for the time that was reached. */
void gm_sim_live_show(struct gm_sim *s, size_t board);

/* Counters as a fault of this kind (XID, ECC_SBE, ECC_DBE) leaves them; at once. */
void gm_sim_live_fault(struct gm_sim *s, size_t board, enum gm_sim_fault_kind kind, int64_t value);
/* What a reset or a load of the driver sets to 0: energy, XID, ECC, replays, a pending remap. */
void gm_sim_live_reset(struct gm_sim *s, size_t board);
/* The name of the `serial`th MIG device that is made on a board. */
void gm_sim_live_uuid(const struct gm_sim *s, size_t board, uint32_t serial, char out[static 48]);

#define GM_SIM_STATE_SIZE 768
struct gm_sim_state {
	_Alignas(8) unsigned char bytes[GM_SIM_STATE_SIZE];
};
void gm_sim_live_save(const struct gm_sim *s, size_t board, struct gm_sim_state *out);
/* The board's shape must be the one it had at the save. */
void gm_sim_live_restore(struct gm_sim *s, size_t board, const struct gm_sim_state *in);

#endif
