/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_ALLOC_WORLD_INTERNAL_H
#define GM_CORE_ALLOC_WORLD_INTERNAL_H

#include <stdatomic.h>

#include "base/map.h"
#include "core/alloc/decide.h"
#include "core/alloc/lifetime.h"
#include "core/alloc/mix.h"
#include "core/alloc/pack.h"
#include "core/alloc/queue.h"
#include "core/alloc/slice.h"
#include "core/alloc/world.h"

/*
 * Everything is a numbered row of an array, so that a clone is a few copies and a reader needs no pointers. NONE is no
 * number. Boards and nodes keep their numbers while they are known; entries and claims are used again.
 */
#define NONE UINT32_MAX

/* --- What is told of a board; immutable, shared by clones, replaced whole. All texts lie in it. */
struct world_pod {
	struct gm_str namespace_, pod;
};
struct world_instance {
	struct gm_str uuid, id, profile;
	int row;	 /* of the kind's table; -1: it does not have it */
	int start, size; /* -1: not told */
	struct world_pod *pods;
	size_t pod_count;
};
struct world_facts {
	atomic_uint refs;
	struct gm_str uuid, id;
	enum gm_health health;
	int64_t temperature_decidegrees;
	int island, numa;
	struct world_instance *instances;
	size_t instance_count;
	struct world_pod *pods;
	size_t pod_count;
};

/* --- What all boards of a sort have in common: what hard limits and prices look at. */
struct world_shape { /* a MIG table and its layouts; shared by clones */
	atomic_uint refs;
	struct gm_mig_table *copy; /* NULL: the table is the catalogue's */
	const struct gm_mig_table *table;
	struct gm_slice_space *space; /* NULL: its placements are not known, or it has too many layouts */
};
struct world_space {
	struct world_shape *shape;
	struct gm_mix mix; /* types: profiles of the table */
	struct gm_slice_rule rule;
};
struct world_kind {
	char *model;
	const struct gm_variant *variant; /* NULL */
	uint32_t space;			  /* NONE: no MIG, or not known how */
	uint8_t model_bit;		  /* of the model, for gm_pack_request.models */
	enum gm_mig_mode mig_mode;
	bool managed, can_make;
	int memory_gb;
	int64_t hourly_micros;
	int unit_count; /* of a board that nobody holds */
	int share_units;
	uint32_t boards;
};

/*
 * What decides about a request beside the kind: boards of one class are alike but for health, heat and node. The three
 * layouts are numbers of the space: each holds the one before it.
 */
struct world_class {
	uint32_t kind;
	uint16_t busy; /* claimed, or used by somebody */
	uint16_t kept; /* and idle instances that must not go */
	uint16_t all;  /* and those that may */
	uint8_t unit_count, held,
		others; /* units: of the board, of them claimed by us, used by pods nobody asked for */
	uint8_t flags;
	uint32_t boards;
};
enum world_class_flag {
	CLASS_SLICES = 1,	  /* MIG is on, or can be switched on since the board is free */
	CLASS_SWITCH = 2,	  /* MIG is off: a slice makes us switch it on */
	CLASS_WHOLE = 4,	  /* MIG is off: given as a whole or in shares */
	CLASS_MAY_MAKE = 8,	  /* conf and the board allow to change its layout */
	CLASS_FAILED_LATELY = 16, /* a slice could not be made there */
	CLASS_LAYOUT_UNKNOWN = 32,
};

/* Why a board will not do now, and how well it is: one byte, looked up. */
enum world_condition {
	CONDITION_HEAT = 7, /* 0 cool .. 7 nearly too hot */
	CONDITION_DEGRADED = 8,
	CONDITION_CORDONED = 16,
	CONDITION_UNHEALTHY = 32,
	CONDITION_UNKNOWN = 64,
	CONDITION_HOT = 128,
};
#define CONDITION_OUT (CONDITION_CORDONED | CONDITION_UNHEALTHY | CONDITION_UNKNOWN | CONDITION_HOT)

/* --- A board, once anything is known of its uuid. */
struct world_board {
	char *uuid;		   /* key of w->board_numbers; NULL: a free row, the next one in `node` */
	struct world_facts *facts; /* NULL: nobody tells of it now */
	uint32_t node;		   /* NONE without facts */
	uint32_t kind;		   /* the same */
	uint32_t first_claim;
	uint32_t lost;		/* units that others hold as the store told; see gm_alloc_world_taken */
	int64_t retry_at_ms;	/* until then no slice is made there; 0 */
	bool cordoned, touched; /* touched: told anew since the last turn */
	/* What refresh makes of it: */
	uint8_t unit_count;
	uint32_t held, others; /* units, as bits */
	uint32_t version;
};

struct world_label {
	struct gm_str key, value;
};
#define WORLD_WARM_MAX 32
struct world_node {
	char *key; /* cluster, NUL, name: of w->node_numbers; NULL: a free row, the next one in `free_next` */
	uint32_t free_next;
	struct gm_str cluster, name;
	int64_t cpu_milli, memory_mib; /* as told; -1: not known */
	char *label_block;
	struct world_label *labels;
	size_t label_count;
	bool labels_complete;
	uint32_t *boards;
	size_t board_count;
	/* Hashes of namespace and owner of those who were here, the next one to forget at `warm_at`. */
	uint64_t warm[WORLD_WARM_MAX];
	unsigned warm_at;
	/* Made by refresh: */
	int64_t cpu_held, memory_held; /* by what we gave */
	uint32_t version;
};

/* Units of a board that an entry holds, will hold, or holds until the change is stored. */
struct world_claim {
	uint32_t entry, board;
	uint32_t now_units, next_units; /* by the record that is stored; by the one that will be */
	uint32_t next_on_board, next_of_entry;
};

/* An allocation that has not ended, or whose end is not stored yet. */
struct world_entry {
	const struct gm_alloc_record *now;  /* stored; NULL: it is new */
	const struct gm_alloc_record *next; /* under way; NULL: nothing is */
	uint32_t before, after;		    /* in the order they were made; `after` of a free row: the next free one */
	uint32_t first_claim;
	/* Of the queue (world-submit.c and its neighbours): */
	uint32_t team, queue;
	struct gm_queue_item *waiting; /* NULL: it does not wait */
	int64_t seen_ms;	       /* its pod was last seen then; 0: not yet */
	int64_t in_line_since_ms;
};

/* A slice we made, by device uuid and place. */
struct world_made {
	uint32_t board;
	int start;
	char profile[32];
};

struct world_cache;    /* decide.c: what was worked out for requests of late */
struct world_queueing; /* world-submit.c: teams, queues, lines */

struct gm_alloc_world {
	struct gm_alloc_conf conf;
	int64_t now_ms; /* of the last call that told it */
	GM_VEC(struct world_space) spaces;
	GM_VEC(struct world_kind) kinds;
	GM_VEC(struct world_class) classes;
	uint32_t *class_slots; /* open addressing over classes */
	size_t class_slot_count;
	GM_VEC(struct world_board) boards;
	/* Beside boards, for one tight pass: class (NONE: not told of), condition, node. */
	GM_VEC(uint32_t) board_class;
	GM_VEC(uint8_t) board_condition;
	GM_VEC(uint32_t) board_node;
	struct gm_map board_numbers; /* uuid: number + 1 */
	uint32_t free_board, free_node;
	GM_VEC(struct world_node) nodes;
	struct gm_map node_numbers; /* number + 1 */
	GM_VEC(struct world_claim) claims;
	uint32_t free_claim;
	GM_VEC(struct world_entry) entries;
	struct gm_map entry_numbers; /* id, as in the record: number + 1 */
	uint32_t free_entry, first_entry, last_entry;
	size_t entry_count;
	GM_VEC(struct world_made) made;
	GM_VEC(char *) models;	   /* by kind.model_bit; 64 at most */
	GM_VEC(uint32_t) touched;  /* boards; emptied by the turn */
	GM_VEC(uint32_t) retrying; /* boards with retry_at_ms */
	struct gm_lifetimes lifetimes;
	struct gm_pack_types pack_types;
	struct gm_mix pack_mix;
	struct gm_pack_rule pack_rule;
	uint32_t slices_asked, packs_asked;		     /* since the rules learnt */
	uint32_t slice_version, pack_version, kinds_version; /* what was worked out under another one is stale */
	struct world_cache *cache;
	struct world_queueing *queueing;
};

/* --- world-hold.c */
static inline struct world_entry *gm_world_entry(const struct gm_alloc_world *w, uint32_t entry)
{
	return &w->entries.items[entry];
}
/* As it is or is becoming. */
static inline const struct gm_alloc_record *gm_world_record(const struct gm_alloc_world *w, uint32_t entry)
{
	const struct world_entry *e = &w->entries.items[entry];

	return e->next ? e->next : e->now;
}
static inline bool gm_world_busy(const struct gm_alloc_world *w, uint32_t entry)
{
	return w->entries.items[entry].next;
}
/* NONE: not known, or ended. */
uint32_t gm_world_find(const struct gm_alloc_world *w, struct gm_str id);
/*
 * Puts a new version into the change and counts it in at once; entry NONE: a new allocation. Takes over the reference.
 * The entry is not busy (asserted). Its number.
 */
uint32_t gm_world_propose(struct gm_alloc_world *w, struct gm_alloc_change *change, uint32_t entry,
			  struct gm_alloc_record *take_after);
/* Turns the picks of a decision into devices of a record: views into the world. */
void gm_world_devices(const struct gm_alloc_world *w, const struct gm_alloc_candidate *c,
		      struct gm_alloc_device out[static GM_ALLOC_DEVICES_MAX]);
/* A slice could not be made there: none is until conf.retry_ms have passed. */
void gm_world_board_failed(struct gm_alloc_world *w, uint32_t board, int64_t now_ms);

/* --- world.c, world-node.c */
/* Each public function that is told the time says so first. */
void gm_world_tick(struct gm_alloc_world *w, int64_t now_ms);
/* NONE: never heard of. */
uint32_t gm_world_board(const struct gm_alloc_world *w, struct gm_str uuid);
/* The same, made known if need be. */
uint32_t gm_world_board_known(struct gm_alloc_world *w, struct gm_str uuid);
/*
 * How a board looks, without those who count as gone (ask NULL: nobody does): its class as a value, not as a number, and
 * units as bits.
 */
struct world_view {
	struct world_class is;
	uint32_t held, others;
	uint8_t condition;
};
void gm_world_view(const struct gm_alloc_world *w, uint32_t board, const struct gm_alloc_ask *ask,
		   struct world_view *out);
/* Works out anew what follows from facts and claims. */
void gm_world_refresh(struct gm_alloc_world *w, uint32_t board);
/* Somebody asked: the rules learn what is asked for. */
void gm_world_saw(struct gm_alloc_world *w, const struct gm_alloc_request *r);
const struct gm_mig_table *gm_world_table(const struct gm_alloc_world *w, uint32_t board); /* NULL */
/* Row of a profile by name in a table; -1. */
int gm_world_profile(const struct gm_mig_table *t, struct gm_str name);

/*
 * --- Hooks of the queue's side, called by world*.c.
 * moved: what an entry is or is becoming changed (was NULL: it is new; is NULL: it is forgotten, by an abort of a new one
 * or since its end is stored). settled: a change of it is stored.
 */
void gm_world_queueing_new(struct gm_alloc_world *w);
void gm_world_queueing_free(struct gm_alloc_world *w);
/* `copy` has all entries, with the `waiting` of the original. */
void gm_world_queueing_clone(struct gm_alloc_world *copy, const struct gm_alloc_world *w);
void gm_world_moved(struct gm_alloc_world *w, uint32_t entry, const struct gm_alloc_record *was,
		    const struct gm_alloc_record *is);
void gm_world_settled(struct gm_alloc_world *w, uint32_t entry, const struct gm_alloc_record *before,
		      const struct gm_alloc_record *after, int64_t now_ms);
bool gm_world_queueing_sound(const struct gm_alloc_world *w);

/* --- world-kind.c: what boards have in common, interned. */
uint32_t gm_world_kind(struct gm_alloc_world *w, const struct gm_alloc_device_fact *fact);
/* Number of a class that equals `is` but for `boards`. */
uint32_t gm_world_class(struct gm_alloc_world *w, const struct world_class *is);
void gm_world_shape_unref(struct world_shape *s);
void gm_world_classes_reset(struct gm_alloc_world *w);
/* Forgets kinds and classes that no board has any more, once there are many. */
void gm_world_kinds_tidy(struct gm_alloc_world *w);
/* A board of which nothing is known any more gives its number back. */
void gm_world_board_forget(struct gm_alloc_world *w, uint32_t board);

/* --- decide.c */
void gm_world_cache_free(struct world_cache *c);

#endif
