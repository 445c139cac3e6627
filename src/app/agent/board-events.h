/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_AGENT_BOARD_EVENTS_H
#define GM_APP_AGENT_BOARD_EVENTS_H

#include <stdint.h>

#include "adapter/nvml/reading.h"

/* What the driver reported of one board since the agent's start: all of it counted, the newest ones whole. Zeroed: none. */
#define GM_BOARD_EVENTS_KEPT 16
#define GM_BOARD_XIDS_MAX                                                                                              \
	24 /* different codes that are counted; drivers know some 170, a board in trouble says a few */

/* kind, NVML's bit, name */
#define GM_BOARD_EVENT_LIST(X)                                                                                         \
	X(ECC_CORRECTED, SBE, "ecc_corrected")                                                                         \
	X(ECC_UNCORRECTED, DBE, "ecc_uncorrected")                                                                     \
	X(XID, XID, "xid")                                                                                             \
	X(MIG_CONFIG, MIG_CONFIG, "mig_config")                                                                        \
	X(ECC_STORM, SBE_STORM, "ecc_corrected_storm")                                                                 \
	X(RETIREMENT, DRAM_RETIREMENT, "dram_retirement")                                                              \
	X(RETIREMENT_FAILURE, DRAM_RETIREMENT_FAILURE, "dram_retirement_failure")                                      \
	X(POISON, POISON, "poison")                                                                                    \
	X(POISON_FATAL, POISON_FATAL, "poison_fatal")                                                                  \
	X(UNAVAILABLE, GPU_UNAVAILABLE, "gpu_unavailable")                                                             \
	X(RECOVERY_ACTION, RECOVERY_ACTION, "recovery_action")
enum gm_board_event_kind {
#define GM_BOARD_EVENT_KIND(kind, bit, name) GM_BOARD_EVENT_##kind,
	GM_BOARD_EVENT_LIST(GM_BOARD_EVENT_KIND)
#undef GM_BOARD_EVENT_KIND
		GM_BOARD_EVENT_OTHER, /* a bit that was not known when this was written */
	GM_BOARD_EVENT_KINDS
};

struct gm_board_events {
	uint64_t made;
	unsigned last_child;
	struct gm_reading_event kept[GM_BOARD_EVENTS_KEPT];
	uint32_t counts[GM_BOARD_EVENT_KINDS];
	struct {
		uint32_t code, count; /* count 0: free, and those behind it */
	} xids[GM_BOARD_XIDS_MAX];
};

enum gm_board_event_kind gm_board_event_kind(uint64_t type);
const char *gm_board_event_name(enum gm_board_event_kind kind);
uint64_t gm_board_event_bit(enum gm_board_event_kind kind); /* 0: OTHER */
/*
 * Notes what the child of that number heard; false: it is what another one told already, while the one takes over from the
 * other and both listen.
 */
bool gm_board_events_add(struct gm_board_events *events, unsigned child, const struct gm_reading_event *e);
/* The newest is 0; NULL: there are not so many (any more). */
const struct gm_reading_event *gm_board_events_get(const struct gm_board_events *events, unsigned age);

#endif
