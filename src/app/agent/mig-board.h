/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_MIG_BOARD_H
#define GM_APP_AGENT_MIG_BOARD_H

#include "adapter/nvml/reading.h"
#include "app/agent/holders.h"
#include "app/agent/mig-job.h"
#include "core/mig/mig.h"

/*
 * A board as the rules of layouts see it: the table that its driver tells (the catalogue's where the driver says nothing
 * with MIG off), and what is there now. Holds pointers into itself and the reading: not copied.
 */
struct gm_mig_board {
	const struct gm_reading *reading;
	struct gm_mig_table table;
	struct gm_mig_profile profiles[GM_READING_PROFILES_MAX];
	bool from_driver;
	bool known; /* every instance was told with its profile and place: `layout` is whole */
	bool on, pending;
	struct gm_mig_layout layout;
	int16_t gis[GM_MIG_INSTANCES_MAX]; /* beside layout.slots */
};
/* False when there is no table: a board without MIG, or one that nothing is known of. */
bool gm_mig_board_init(struct gm_mig_board *b, const struct gm_reading *r);
void gm_mig_board_slice(const struct gm_mig_board *b, struct gm_mig_slot slot, struct gm_mig_slice *out);
/* The present state, as jobs and the file of wanted layouts have it. */
void gm_mig_board_state(const struct gm_mig_board *b, struct gm_mig_state *out);
/* 16 hexadecimal digits over mode, pending mode, and place, profile and UUID of every instance; any order of them. */
void gm_mig_board_hash(const struct gm_reading *r, char out[static 17]);
/* Names all pods and processes of a GPU instance (gi -1: of the whole board) for people; false when there are none. */
bool gm_mig_users(const struct gm_holders *holders, const struct gm_agent_view *view, unsigned board, int gi,
		  struct gm_buf *out);

#endif
