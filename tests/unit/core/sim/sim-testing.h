/* SPDX-License-Identifier: MIT */
#ifndef GM_TESTS_CORE_SIM_TESTING_H
#define GM_TESTS_CORE_SIM_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/sim/sim.h"

/* Tuesday 2026-11-24 16:14:08 UTC. */
#define START_MS INT64_C(1795536848000)
#define MINUTE_MS INT64_C(60000)
#define HOUR_MS INT64_C(3600000)
#define DAY_MS INT64_C(86400000)

static inline struct gm_sim *world(struct gm_sim_spec spec)
{
	struct gm_err err = { 0 };
	if (!spec.start_ms)
		spec.start_ms = START_MS;
	struct gm_sim *s = gm_sim_new(&spec, &err);
	if (!s)
		fail_msg("%s", err.text);
	return s;
}

static inline size_t device_count(const struct gm_sim *s)
{
	size_t n = 0;
	for (size_t i = 0; i < gm_sim_node_count(s); i++)
		n += gm_sim_node(s, i)->device_count;
	return n;
}

/* The nth board of the world. */
static inline const struct gm_sim_device *device(const struct gm_sim *s, size_t nth)
{
	size_t i = 0;
	for (; nth >= gm_sim_node(s, i)->device_count; i++)
		nth -= gm_sim_node(s, i)->device_count;
	return &gm_sim_node(s, i)->devices[nth];
}

#endif
