/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_FLEET_FLEET_INTERNAL_H
#define GM_CORE_FLEET_FLEET_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "base/vec.h"
#include "core/fleet/fleet.h"
#include "core/fleet/health.h"
#include "core/fleet/snapshot-internal.h"

/*
 * How the fleet is kept. What is said of a device rarely (texts) lies in immutable shared blocks (fleet-facts.c); what
 * is said with each page (samples) lies only in versions of its node: the published one, which readers see and nobody
 * writes, and, from the first change after a publish to the next publish, the one being made (fleet-node.c). So a
 * sample is kept once, and a node that nothing was heard of costs a publish nothing.
 *
 * Memory: input is limited by gm_page_check and GM_FLEET_DEVICES_MAX before anything is kept; past that, running out
 * of memory aborts, as in gm_vec and gm_map.
 */

/* What is known of a device besides its samples. */
struct fleet_facts {
	struct gm_shared shared;
	const char *id, *uuid, *model, *product_name, *driver_version, *pci_bus_id, *serial, *target;
	const struct gm_variant *variant;
	int index;
	int64_t memory_told;  /* as the source says; -1: it never did */
	int64_t memory_total; /* that, else the catalogue's; -1: neither */
	char text[];
};

struct fleet_layout_item {
	uint32_t series;
	int gi_id, ci_id;
	int placement_start, placement_size;
	int64_t memory_told, memory_total;
	const char *id, *uuid, *profile;
	const struct gm_mig_profile *known;
};
/* The MIG instances of a device, sorted by gi_id, ci_id. */
struct fleet_layout {
	struct gm_shared shared;
	size_t count;
	struct fleet_layout_item items[];
};

/* The pods of a device: first the board's own, then those of each instance in the layout's order. */
struct fleet_pods {
	struct gm_shared shared;
	size_t count, owners;
	uint16_t counts[GM_PAGE_DEVICE_INSTANCES_MAX + 1]; /* by owner */
	struct gm_pod_ref refs[];
};

/* A series that had this place and may come back to it: what makes it the same one again. */
struct fleet_former {
	uint32_t series;
	int gi_id, ci_id;
	int placement_start, placement_size;
	char *uuid, *profile;
};
#define FLEET_FORMER_MAX 32

/* A source of another node that claims the device, which was said. */
struct fleet_rival {
	uint64_t source; /* id */
	int64_t at_ms;	 /* when it last did */
};
#define FLEET_RIVALS_MAX 8

struct fleet_node;
struct fleet_source;

enum fleet_phase { FLEET_FRESH, FLEET_STALE, FLEET_SILENT };

struct fleet_device {
	struct fleet_node *node;     /* NULL: gone */
	struct gm_device *record;    /* in the newest version of the node; NULL before the first */
	struct fleet_source *source; /* in force; NULL: nobody, whoever speaks next is */
	struct fleet_facts *facts;
	struct fleet_layout *layout; /* NULL: no instances */
	struct fleet_pods *pods;     /* NULL: none */
	struct fleet_device *gone_prev, *gone_next;
	GM_VEC(struct fleet_former) former;
	struct gm_health_memory health_memory;
	GM_VEC(struct fleet_rival) rivals;
	int64_t first_seen_ms, seen_at_ms; /* by the times of pages */
	int64_t told_at_ms;		   /* seen_at_ms as the store last heard it */
	int64_t sample_at_ms, back_at_ms;
	int64_t interval_ms; /* of the source in force when it last spoke */
	int64_t slowdown_c;
	int64_t hourly_micros;
	uint32_t series;
	uint32_t page_no; /* the page of the source in force that had it last */
	uint32_t reasons;
	enum gm_health health;
	enum gm_page_kind kind;
	enum gm_mig_mode mig_mode;
	enum fleet_phase phase;
	uint8_t back_pages, missing_pages;
	bool lost, never_seen, managed;
	bool touched; /* differs from what is published */
	char uuid[];
};

struct fleet_source {
	uint64_t id; /* never given twice */
	int64_t page_at_ms;
	uint32_t page_no;
	GM_VEC(struct fleet_device *) served; /* it is the source in force of these */
	/* The devices of its last page in their order: finds them without a look-up while `generation` is the fleet's. */
	struct fleet_device *order[GM_PAGE_DEVICES_MAX];
	size_t order_count;
	uint64_t generation;
	char target[];
};

struct fleet_node_name {
	struct gm_shared shared;
	const char *cluster, *name;
	char text[]; /* the key: cluster, NUL, name */
};

struct fleet_node {
	struct fleet_node_name *name;
	GM_VEC(struct fleet_device *) devices; /* sorted by index, then uuid */
	struct fleet_version *live;	       /* published; NULL: not yet */
	struct fleet_version *work;	       /* being made; NULL: nothing changed since */
	uint32_t slot;			       /* in fleet->slots and fleet->deadlines, as long as it lives */
	uint32_t rank, first;		       /* in the snapshot's nodes and devices, as of the last publish */
	bool dirty;			       /* in fleet->dirty */
	bool reshape;			       /* facts, instances, pods or devices changed: make a new version */
	bool recount;			       /* models, profiles and workloads are to be counted anew */
};

struct gm_fleet {
	struct gm_fleet_conf conf;
	struct gm_fleet_listener listener;
	struct gm_map devices;			     /* by uuid, those that are gone too */
	struct gm_map sources;			     /* by target */
	struct gm_map nodes;			     /* by cluster, NUL, name */
	struct gm_map restored;			     /* by series number; empty once the first page came */
	struct gm_map models, profiles, workloads;   /* struct fleet_tally */
	uint32_t device_count;			     /* not gone */
	struct fleet_device *gone_first, *gone_last; /* longest gone first */
	uint32_t gone_count;
	uint32_t next_series;
	uint64_t next_source;
	uint64_t generation;		   /* rises when a device is freed */
	GM_VEC(struct fleet_node *) order; /* sorted by cluster, name */
	GM_VEC(struct fleet_node *) slots; /* NULL: free */
	GM_VEC(int64_t) deadlines;	   /* by slot: nothing changes in the node by silence alone before it */
	GM_VEC(uint32_t) free_slots;
	GM_VEC(struct fleet_node *) dirty;
	struct gm_totals totals; /* of what is published */
	uint32_t node_states[GM_NODE_STATE_COUNT];
	struct gm_snapshot_pool *pool;
	struct fleet_tallies *tallies;	 /* as published */
	struct gm_snapshot_index *index; /* as published */
	uint64_t seq, layout_seq;
	bool layout_changed;	/* devices came, went or moved */
	bool instances_changed; /* MIG instances came or went */
	bool tallies_changed;
	bool reconfigured;
	bool applied; /* a page was: nothing is restored any more */
};

/* fleet.c */
void gm_fleet_event(struct gm_fleet *f, struct fleet_device *d, enum gm_fleet_event_kind kind, int64_t at_ms,
		    const char *text, int64_t number);
/* Sets reasons and health, and tells when they changed. The caller has opened the node. */
void gm_fleet_device_judge(struct gm_fleet *f, struct fleet_device *d, uint32_t reasons, int64_t at_ms);
struct fleet_device *gm_fleet_device_new(struct gm_fleet *f, struct gm_str uuid, uint32_t series);
/* Takes the device out of its node and of its source; it is remembered, so that it may come back as itself. */
void gm_fleet_device_leave(struct gm_fleet *f, struct fleet_device *d);
/* Takes it back from the remembered ones. */
void gm_fleet_device_return(struct gm_fleet *f, struct fleet_device *d);
void gm_fleet_device_serve(struct fleet_device *d, struct fleet_source *source);
/* Asks the configuration; true when something is different. */
bool gm_fleet_device_price(struct gm_fleet *f, struct fleet_device *d);
void gm_fleet_tell_series(struct gm_fleet *f, struct fleet_device *d, const struct fleet_layout_item *instance);

/* The first page is here: what the store knew was all told. */
void gm_fleet_restored(struct gm_fleet *f);

/* fleet-publish.c: the caller has opened the node. */
void gm_fleet_device_mark_stale(struct fleet_device *d);

/* fleet-facts.c: each returns whether something changed. */
struct fleet_facts_news {
	const char *node;
	int index;
	struct gm_str product_name, driver_version, pci_bus_id, serial, target;
	const char *model; /* NULL: made from the product's name */
	int64_t memory_told;
};
/* What is empty in `news` stays as it was. *out_series: what the store knows of a series changed. */
bool gm_fleet_facts_update(struct fleet_device *d, const struct fleet_facts_news *news, bool *out_series);
/* The instances of a page. `ids`: the device's id changed. *out_came_or_went: not only said better. */
bool gm_fleet_layout_update(struct gm_fleet *f, struct fleet_device *d, const struct gm_page *page,
			    const struct gm_obs_device *obs, const uint8_t *order, bool ids, bool *out_came_or_went);
/* order[i]: which of the page's instances is the i-th by gi_id, ci_id. */
void gm_fleet_layout_order(const struct gm_page *page, const struct gm_obs_device *obs,
			   uint8_t order[static GM_PAGE_DEVICE_INSTANCES_MAX]);
bool gm_fleet_pods_update(struct fleet_device *d, const struct gm_page *page, const struct gm_obs_device *obs,
			  const uint8_t *order);
/* Puts the instances among the former ones (so that they may come back) and forgets the pods. */
void gm_fleet_layout_retire(struct fleet_device *d);
void gm_fleet_former_add(struct fleet_device *d, const struct fleet_former *take_former);
void gm_fleet_device_free_facts(struct fleet_device *d);

/* fleet-node.c */
struct fleet_node *gm_fleet_node_get(struct gm_fleet *f, struct gm_str cluster, struct gm_str name);
void gm_fleet_node_free(struct gm_fleet *f, struct fleet_node *n);
void gm_fleet_node_add(struct gm_fleet *f, struct fleet_node *n, struct fleet_device *d);
void gm_fleet_node_remove(struct gm_fleet *f, struct fleet_node *n, struct fleet_device *d);
/* Will be looked at by the next publish. */
void gm_fleet_node_mark(struct gm_fleet *f, struct fleet_node *n);
/* Makes the records of the node's devices writable (record points to new memory then) and true to their facts. */
void gm_fleet_node_open(struct gm_fleet *f, struct fleet_node *n);
void gm_fleet_node_schedule(struct gm_fleet *f, struct fleet_node *n);
/* From the records: totals, state, last_seen_ms. */
void gm_fleet_node_sum(struct fleet_node *n);
int64_t gm_fleet_stale_after_ms(const struct fleet_device *d);
int64_t gm_fleet_silent_after_ms(const struct fleet_device *d);
/* How long ago nothing was heard of it any more before it is gone. */
int64_t gm_fleet_gone_after_ms(const struct gm_fleet *f, const struct fleet_device *d);
/* When it, or for a lost one its source, last spoke. */
int64_t gm_fleet_heard_at_ms(const struct fleet_device *d);

/* fleet-tally.c */
struct fleet_tallies {
	struct gm_shared shared;
	size_t model_count, profile_count;
	struct gm_model_count *models;
	struct gm_profile_count *profiles;
};
void gm_totals_add(struct gm_totals *sum, const struct gm_totals *t);
void gm_totals_subtract(struct gm_totals *sum, const struct gm_totals *t);
/* What a device adds to its node. */
void gm_totals_count(struct gm_totals *t, const struct gm_device *d);
/* Counts the models, profiles and pods of a version in (by 1) or out (by -1). */
void gm_fleet_tally(struct gm_fleet *f, const struct gm_node *n, int by);
struct fleet_tallies *gm_fleet_tallies_make(struct gm_fleet *f);
void gm_fleet_tallies_fini(struct gm_fleet *f);

/* fleet-derive.c: what follows from other values of the same page. */
void gm_fleet_derive_instance(struct gm_sample *s);
void gm_fleet_derive_board(struct gm_device *d);
/* No value may be used any more; the old ones are kept for showing. */
void gm_fleet_mark_stale(struct gm_sample *s);

#endif
