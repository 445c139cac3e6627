/* SPDX-License-Identifier: MIT */
#ifndef GM_APP_SERVER_CARRY_H
#define GM_APP_SERVER_CARRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/server/facts.h"
#include "app/server/operations.h"
#include "base/buf.h"
#include "base/clock.h"
#include "core/fleet/page.h"

/*
 * Carries changes of MIG layouts out: each node by itself and all at once, one change at a time a node, on a thread of its
 * own. Who does it is behind the port gm_carrier: the node's agent, or the simulation.
 */
struct gm_carry;
struct gm_sources;

#define GM_CARRY_SLOTS_MAX 16
#define GM_CARRY_DEVICES_MAX 16 /* of one node */
struct gm_carry_slot {
	char profile[40];
	int start, size;
	char uuid[64]; /* of what is there; "" */
};
struct gm_carry_layout {
	bool mig_on;
	size_t count;
	struct gm_carry_slot slots[GM_CARRY_SLOTS_MAX]; /* rising by start */
};
/* Mode and places; uuids are not looked at. */
bool gm_carry_layout_same(const struct gm_carry_layout *a, const struct gm_carry_layout *b);
struct gm_carry_device {
	char id[128], uuid[64];
	char state_hash[17]; /* of the agent's; "": it is not known, `before` has to do */
	struct gm_carry_layout before, after;
	bool in_use; /* workloads may be disturbed on it: their instances go all the same */
};

enum gm_carry_by { GM_CARRY_NOBODY, GM_CARRY_AGENT, GM_CARRY_SIMULATION };

/* One node's part of a change, as its carrier sees it. */
struct gm_carry_part {
	char target[1024]; /* the key of the source: the agent's URL, "sim:worker-01" */
	char node[254];
	size_t count;
	struct gm_carry_device devices[GM_CARRY_DEVICES_MAX];
	/* What the carrier tells; read by the thread after each step. */
	enum gm_operation_state state;
	int step, steps;
	char now[96];
	char message[GM_OPERATION_TEXT];
	/* The carrier's own. */
	char remote_id[64]; /* of the agent's operation, as soon as it is known */
	void *internal;
};

/* Port. All calls by the carrier's thread; none blocks. */
struct gm_carrier {
	void *ctx;
	/* Takes the part up: `state` is RUNNING from then on, or has ended. `again`: it was begun before a restart. */
	void (*begin)(void *ctx, struct gm_carry_part *part, bool again);
	/* Does what is due; the monotonic time when it wants to be called next. */
	int64_t (*step)(void *ctx, struct gm_carry_part *part, int64_t now_mono_ms);
	/* Drops what `begin` made; what is under way outside goes on. */
	void (*end)(void *ctx, struct gm_carry_part *part);
};

struct gm_carry_conf {
	const struct gm_clock *clock;
	struct gm_facts_box *facts;
	struct gm_sources *sources; /* targets with their certificates, and the simulation */
	struct gm_operations *operations;
};
int gm_carry_new(const struct gm_carry_conf *conf, struct gm_carry **out, struct gm_err *err) GM_CHECKED;
int gm_carry_start(struct gm_carry *c, struct gm_err *err) GM_CHECKED;
/* Operations that have not ended go on at their agents, and are taken up again at the next start. */
void gm_carry_stop(struct gm_carry *c);
void gm_carry_free(struct gm_carry *c);

/* Who would carry out a change of a device with this source. */
enum gm_carry_by gm_carry_who(struct gm_carry *c, enum gm_page_kind source, const char *target);

struct gm_carry_job {
	const char *operation; /* begun already; its devices are those of the parts */
	struct gm_carry_part *parts;
	const enum gm_carry_by *by; /* one a part */
	size_t part_count;
	/* When the operation has ended; from the carrier's thread. NULL: nobody is told. */
	void (*done)(void *ctx, const char *operation, enum gm_operation_state state, const char *message);
	void *ctx;
};
/* Copied. GM_ERR_STOPPED. */
int gm_carry_submit(struct gm_carry *c, const struct gm_carry_job *job, struct gm_err *err) GM_CHECKED;

/*
 * What the agents of these targets say of their boards (GET /v1/mig), all at once, for at most `wait_ms`. bodies[i] is the answer, or
 * empty with errs[i] set.
 */
#define GM_CARRY_LOOK_MAX 8
void gm_carry_look(struct gm_carry *c, const char *const *targets, size_t count, int64_t wait_ms, struct gm_buf *bodies,
		   struct gm_err *errs);

GM_DEFINE_AUTO(struct gm_carry, gm_carry_free)

#endif
