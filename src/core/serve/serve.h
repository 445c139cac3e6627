/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_SERVE_SERVE_H
#define GM_CORE_SERVE_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/err.h"
#include "core/catalog/catalog.h"
#include "core/mig/mig.h"

/*
 * Which MIG instances to run so that every model answers its rate of requests in time: the fewest boards, then the fewest
 * compute slices (GPCs). What a model can do is measured (throughput and latency by instance size, batch and processes);
 * what a board can hold is the catalogue's. Pure and deterministic: equal inputs give equal plans.
 */
#define GM_SERVE_DEMANDS_MAX 256
#define GM_SERVE_POINTS_MAX 4096 /* measurements a model */
#define GM_SERVE_BOARDS_MAX 4096
#define GM_SERVE_THROUGHPUT_MAX_MILLI INT64_C(1000000000000) /* of one process, and of a rate: 10^9 requests a second */
#define GM_SERVE_PROCESSES_MAX 1024
/*
 * A request that comes just after a batch was closed waits for that whole batch and then for its own: half of the limit
 * each; and a tenth of the limit is left for what was not measured.
 */
#define GM_SERVE_LATENCY_PERCENT 45

/* A measurement: `processes` of them together in one instance. A throughput of 0: it did not run. */
struct gm_serve_point {
	int gpcs; /* compute slices of the instance */
	int batch, processes;
	int64_t throughput_milli; /* of each process, thousandths of a request a second */
	int64_t latency_us;
};

struct gm_serve_demand {
	const char *model;
	int64_t rate_milli; /* requests a second times 1000; above 0 */
	int64_t slo_us;	    /* above 0 */
	const struct gm_serve_point *points;
	size_t point_count;
};

/* `count` instances of a profile that all run the same measured configuration of one model. */
struct gm_serve_segment {
	size_t demand, point; /* indices of what was given */
	size_t profile;	      /* of the table */
	int count;
};

struct gm_serve_instance {
	int board; /* from 0 */
	struct gm_mig_slot slot;
	size_t segment;
};

struct gm_serve_plan {
	int boards, gpcs;
	/* No plan has fewer boards, nor (on any number of boards) fewer GPCs. */
	int boards_floor, gpcs_floor;
	bool boards_proven;		   /* boards == boards_floor */
	bool gpcs_proven;		   /* no plan on this number of boards has fewer GPCs */
	struct gm_serve_segment *segments; /* by demand, then size */
	size_t segment_count;
	struct gm_serve_instance *instances; /* by board, then start */
	size_t instance_count;
};

/*
 * NOT_FOUND: nothing meets a demand (err says which, and how far it is off). INVALID: a number beyond its limit.
 * TOO_LARGE: more than GM_SERVE_BOARDS_MAX boards. UNSUPPORTED: the table has no placements to plan by.
 */
int gm_serve_plan_make(const struct gm_mig_table *t, const struct gm_serve_demand *demands, size_t count,
		       struct gm_serve_plan *out, struct gm_err *err) GM_CHECKED;
void gm_serve_plan_fini(struct gm_serve_plan *plan);
GM_DEFINE_AUTO_VALUE(struct gm_serve_plan, gm_serve_plan_fini)

/* The configuration answers in time. */
bool gm_serve_point_feasible(const struct gm_serve_point *p, int64_t slo_us);
/* What all of its processes do together. */
int64_t gm_serve_point_rate_milli(const struct gm_serve_point *p);

#endif
