/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_FLEET_HEALTH_H
#define GM_CORE_FLEET_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/fleet/sample.h"
#include "core/fleet/snapshot.h"

/* Whose fault an XID is: the program's on the board, or the board's, its links' and its firmware's. */
enum gm_xid_class { GM_XID_NONE, GM_XID_APPLICATION, GM_XID_HARDWARE, GM_XID_OTHER };
enum gm_xid_class gm_xid_class(int64_t code);
const char *gm_xid_class_name(enum gm_xid_class c); /* "none", "application", "hardware", "other" */

/* What health needs to remember of a device between its samples. */
struct gm_health_memory {
	int64_t xid;		   /* last one told; -1: none yet */
	int64_t ecc_dbe;	   /* last one told; -1: none yet */
	bool ecc_rose;		   /* since the counter last fell, which it does when the driver is loaded */
	enum gm_health xid_health; /* OK: no hardware XID since the gauge was last 0 */
};
void gm_health_memory_init(struct gm_health_memory *m);
/* Takes a sample's news in; true when the XID changed to another fault (the gauge keeps the old number). */
bool gm_health_learn(struct gm_health_memory *m, const struct gm_sample *sample);
/*
 * The reasons that follow from a sample. slowdown_c: the board's threshold, -1: not known (90 C then). LOST, SILENT,
 * NEVER_SEEN and DRIVER_HUNG do not follow from values: the fleet adds them.
 */
uint32_t gm_health_reasons(const struct gm_health_memory *m, const struct gm_sample *sample, int64_t slowdown_c);
/* The worst of the reasons; a device that nothing is known of is unknown, whatever it was before. */
enum gm_health gm_health_of(const struct gm_health_memory *m, uint32_t reasons);

#endif
