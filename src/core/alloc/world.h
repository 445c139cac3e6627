/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_ALLOC_WORLD_H
#define GM_CORE_ALLOC_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "core/alloc/alloc.h"
#include "core/fleet/snapshot.h"

/*
 * Who holds what, who waits, and what may be given next. It owns the live holdings; the fleet's snapshot gives it what
 * exists, health and load. Pure and single-threaded: the owner locks, stores and tells.
 *
 * A change is decided first and stored after: until it is committed or aborted, what it takes counts as taken and what it
 * gives back as not yet free, and its records take no other change (BUSY). So a decision never leans on what may fail.
 */
struct gm_alloc_world;

#define GM_ALLOC_PENDING_MAX 10000
#define GM_ALLOC_HOLDING_MAX 200000

struct gm_alloc_conf {
	int64_t ttl_ms;	 /* of a request that names none: how long devices are kept for a pod that does not come */
	int64_t gone_ms; /* a bound pod that is not seen for so long is gone */
	int64_t preempt_grace_ms; /* between the announcement and the end */
	int64_t pending_ms;	  /* a request that waits for longer is expired; 0: never */
	int64_t ageing_ms;	  /* waiting so long counts like one point of priority more */
	int64_t retry_ms;	  /* a device on which a slice could not be made is left out for so long */
	unsigned attempts_max;	  /* to make slices, then FAILED */
	bool preemption;
	enum {
		GM_ALLOC_MAKE_NEVER,
		GM_ALLOC_MAKE_BESIDE,
		GM_ALLOC_MAKE_INSTEAD
	} make;			 /* of idle instances only; see below */
	int64_t hot_decidegrees; /* at or above: out */
};
/* BESIDE: in free room; idle instances that we made may go. INSTEAD: other idle instances may go too. */
void gm_alloc_conf_init(struct gm_alloc_conf *c);

/* --- What exists; borrowed for the call. */
struct gm_alloc_instance_fact {
	struct gm_str uuid, id; /* "" when not known */
	struct gm_str profile;
	int start, size; /* -1: not told */
	const struct gm_pod_ref *pods;
	size_t pod_count;
};
struct gm_alloc_device_fact {
	struct gm_str uuid, id, model;	  /* uuid is the identity */
	const struct gm_variant *variant; /* NULL: not in the catalogue */
	const struct gm_mig_table *table; /* NULL: no MIG; one for all devices of a kind */
	enum gm_mig_mode mig_mode;
	bool managed;	   /* supported-models and pool let us */
	bool outside_pool; /* it is the pool that does not, for the reason's name */
	bool can_make;	   /* layouts can be changed there */
	enum gm_health health;
	int64_t temperature_decidegrees; /* INT64_MIN: not known */
	int64_t hourly_micros;		 /* of the whole board; -1: no rate */
	int memory_gb;			 /* nominal; 0: not known */
	int share_units;		 /* how many share it at most; 0: sharing is off */
	int island, numa;		 /* boards joined by NVLink; -1: not known */
	const struct gm_alloc_instance_fact *instances;
	size_t instance_count;
	const struct gm_pod_ref *pods; /* on the board itself */
	size_t pod_count;
};
struct gm_alloc_node_fact {
	struct gm_str cluster, name;
	int64_t cpu_milli, memory_mib;	    /* free of what is not ours; -1: not known, then nobody is refused for it */
	const struct gm_alloc_pair *labels; /* those that are known; kubernetes.io/hostname is added */
	size_t label_count;
	bool labels_complete; /* false: a selector's key that is not among them refuses the node as not known */
	const struct gm_alloc_device_fact *devices;
	size_t device_count;
};

struct gm_alloc_world *gm_alloc_world_new(const struct gm_alloc_conf *conf);
void gm_alloc_world_free(struct gm_alloc_world *w);
void gm_alloc_world_configure(struct gm_alloc_world *w, const struct gm_alloc_conf *conf);
/*
 * For asking "what if" without holding anybody up: shares the records, copies the rest; 2 ms at 10,000 boards. What is
 * under way in the original is as decided in the copy.
 */
struct gm_alloc_world *gm_alloc_world_clone(const struct gm_alloc_world *w);

/* The node as it is now; devices that it no longer has are gone (their holders keep their claims). */
void gm_alloc_world_node(struct gm_alloc_world *w, const struct gm_alloc_node_fact *node, int64_t now_ms);
void gm_alloc_world_node_gone(struct gm_alloc_world *w, struct gm_str cluster, struct gm_str name);
/* At the start: a record of the store, in the order they were made. */
int gm_alloc_world_restore(struct gm_alloc_world *w, const struct gm_alloc_record *record,
			   struct gm_err *err) GM_CHECKED;
/* Copied; NULL removes. NOT_FOUND, and CONFLICT when a queue or team to remove is still in use. */
int gm_alloc_world_team(struct gm_alloc_world *w, struct gm_str name, const struct gm_team *team,
			struct gm_err *err) GM_CHECKED;
int gm_alloc_world_queue(struct gm_alloc_world *w, struct gm_str name, const struct gm_queue_def *queue,
			 struct gm_err *err) GM_CHECKED;
/* uuid need not be known (yet). */
void gm_alloc_world_cordon(struct gm_alloc_world *w, struct gm_str uuid, bool cordoned);
/* A slice we made: auto-cleanup and BESIDE may remove it. */
void gm_alloc_world_made(struct gm_alloc_world *w, struct gm_str uuid, int start, struct gm_str profile, bool made);

/* --- Changes. */
struct gm_alloc_edit {
	const struct gm_alloc_record *before; /* NULL: it is new; references of the change's */
	const struct gm_alloc_record *after;
};
struct gm_alloc_change {
	GM_VEC(struct gm_alloc_edit) edits; /* empty: nothing to store, nothing to commit */
};
/* Exactly one of them for each change that has edits; both leave it empty. */
void gm_alloc_world_commit(struct gm_alloc_world *w, struct gm_alloc_change *change, int64_t now_ms);
void gm_alloc_world_abort(struct gm_alloc_world *w, struct gm_alloc_change *change, int64_t now_ms);
/* Abort because the store knows other holders (another writer): the units are taken until the next restore says more. */
void gm_alloc_world_taken(struct gm_alloc_world *w, struct gm_str uuid, int64_t units, bool taken);

/*
 * A request. 0: *out has the new record, PENDING, PROVISIONING or RESERVED (with a gang that became complete: all its
 * members); or that of its owner, taken over. CONFLICT: it could not be given even if nobody held anything (err says the
 * commonest reason). FORBIDDEN: the team is not the asker's. NOT_FOUND: no such queue or team. LIMITED: too many wait.
 * `asker` is the name of the API key; empty: of nobody, who may everything.
 */
int gm_alloc_world_submit(struct gm_alloc_world *w, const struct gm_alloc_request *request, const char *id,
			  struct gm_str asker, int64_t now_ms, struct gm_alloc_change *out,
			  struct gm_err *err) GM_CHECKED;
/* NOT_FOUND; CONFLICT: it has ended; BUSY: a change of it is under way. */
int gm_alloc_world_release(struct gm_alloc_world *w, struct gm_str id, int64_t now_ms, struct gm_alloc_change *out,
			   struct gm_err *err) GM_CHECKED;
/* ttl_ms 0: as it asked for. The same errors. */
int gm_alloc_world_renew(struct gm_alloc_world *w, struct gm_str id, int64_t ttl_ms, int64_t now_ms,
			 struct gm_alloc_change *out, struct gm_err *err) GM_CHECKED;
/* The planner could not make its slices (its message): waits again with that device left out, or has FAILED. */
int gm_alloc_world_not_made(struct gm_alloc_world *w, struct gm_str id, struct gm_str why, int64_t now_ms,
			    struct gm_alloc_change *out, struct gm_err *err) GM_CHECKED;
/*
 * What time and the fleet's news bring: slices that are there now, pods seen and gone, devices other than promised (the
 * claim follows the pod), times that are up, announced preemptions that are due, then the queue: in order of fair share,
 * whoever fits. At most GM_ALLOC_TURN_MAX edits; true: call again once it is stored. Cheap when nothing happened.
 */
#define GM_ALLOC_TURN_MAX 256
bool gm_alloc_world_turn(struct gm_alloc_world *w, int64_t now_ms, struct gm_alloc_change *out);

/* --- Reading. */
/* As it is or is becoming; NULL. Borrowed until the next call that changes the world: take a reference. */
const struct gm_alloc_record *gm_alloc_world_record(const struct gm_alloc_world *w, struct gm_str id);
/* All that have not ended, in the order they were made; ends when `each` returns false. */
void gm_alloc_world_each(const struct gm_alloc_world *w, bool (*each)(void *ctx, const struct gm_alloc_record *r),
			 void *ctx);
/* 1: next; 0: it does not wait. */
size_t gm_alloc_world_position(const struct gm_alloc_world *w, struct gm_str id, int64_t now_ms);
/* Who holds units of a device: each record once, and the bits it holds. */
void gm_alloc_world_holders(const struct gm_alloc_world *w, struct gm_str uuid,
			    bool (*each)(void *ctx, const struct gm_alloc_record *r, int64_t units), void *ctx);
/* Slices we made that nobody holds or uses any more and that nothing wants. */
void gm_alloc_world_cleanups(const struct gm_alloc_world *w,
			     bool (*each)(void *ctx, struct gm_str uuid, int start, struct gm_str profile), void *ctx);
struct gm_alloc_counts {
	uint32_t by_state[GM_ALLOC_STATE_COUNT]; /* of those that have not ended */
	uint32_t devices_held, devices_cordoned, devices;
};
void gm_alloc_world_counts(const struct gm_alloc_world *w, struct gm_alloc_counts *out);
/* What a team holds and may hold. NOT_FOUND false. */
struct gm_team_use {
	int64_t equivalents_milli, borrowed_milli;
	int64_t hourly_micros; /* of what has a rate; -1: nothing has */
	uint32_t unpriced;     /* devices without one */
	uint32_t holding, pending;
	int64_t used[GM_TEAM_QUOTAS_MAX]; /* by quota of the team */
};
bool gm_alloc_world_team_use(const struct gm_alloc_world *w, struct gm_str team, struct gm_team_use *out);
void gm_alloc_world_each_team(const struct gm_alloc_world *w,
			      bool (*each)(void *ctx, const struct gm_team *team, const struct gm_team_use *use),
			      void *ctx);
void gm_alloc_world_each_queue(const struct gm_alloc_world *w,
			       bool (*each)(void *ctx, const struct gm_queue_def *queue, uint32_t pending,
					    uint32_t holding),
			       void *ctx);
/* Current rate by team and project of what is held, for gpu_hourly_cost. */
void gm_alloc_world_each_rate(const struct gm_alloc_world *w,
			      bool (*each)(void *ctx, struct gm_str team, struct gm_str project, int64_t hourly_micros),
			      void *ctx);
/* Tests: claims, holdings, counts and records tell the same. */
bool gm_alloc_world_sound(const struct gm_alloc_world *w);

GM_DEFINE_AUTO(struct gm_alloc_world, gm_alloc_world_free)

#endif
