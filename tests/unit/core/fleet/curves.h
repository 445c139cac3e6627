/* SPDX-License-Identifier: MIT */
#ifndef GM_TEST_CURVES_H
#define GM_TEST_CURVES_H

#include <string.h>

#include "../../base/test-random.h"
#include "core/fleet/sample.h"

/* Noisy like the real thing, and the same at each run: 16 fields of a busy board. */
struct test_curves {
	int64_t at_ms, energy, nvlink, memory, target, temperature;
};

/* About normal, of standard deviation `sigma`. */
static inline int64_t test_noise(int64_t sigma)
{
	int64_t sum = 0;
	for (int i = 0; i < 12; i++)
		sum += (int64_t)test_random_below(2001) - 1000;
	return sum * sigma / 2000;
}

static inline int64_t test_within(int64_t v, int64_t min, int64_t max)
{
	return v < min ? min : v > max ? max : v;
}

static inline void test_set(struct gm_sample *s, enum gm_field f, int64_t v)
{
	gm_sample_set(s, f, v, GM_MEASURED, GM_SOURCE_DCGM);
}

static inline void test_curves_begin(struct test_curves *c)
{
	*c = (struct test_curves){ .at_ms = INT64_C(1764000000000),
				   .energy = INT64_C(1000000000000),
				   .nvlink = INT64_C(1) << 43,
				   .memory = INT64_C(40) << 30,
				   .target = 7000,
				   .temperature = 600 };
}

static inline void test_curves_next(struct test_curves *c, int64_t step_ms, struct gm_sample *out)
{
	if (test_random_below(600000) < (uint64_t)step_ms)
		c->target = (int64_t)test_random_below(10000);
	if (test_random_below(900000) < (uint64_t)step_ms)
		c->memory = (int64_t)(20 + test_random_below(50)) << 30;
	int64_t busy = test_within(c->target + test_noise(600), 0, 10000), watts = 70000 + busy * 55 + test_noise(6000);
	c->temperature += (350 + busy * 4 / 100 - c->temperature) * step_ms / (60000 + step_ms) + test_noise(2);
	c->energy += watts * step_ms / 1000;
	c->nvlink += busy * step_ms * 2000 + test_noise(busy * step_ms * 20 + 1);
	memset(out, 0, sizeof(*out));
	out->at_ms = c->at_ms + (int64_t)test_random_below(40);
	c->at_ms += step_ms;
	test_set(out, GM_FIELD_UTILIZATION, busy);
	test_set(out, GM_FIELD_MEMORY_COPY_UTILIZATION, (busy * 6 / 10 / 100) * 100);
	test_set(out, GM_FIELD_GR_ENGINE_ACTIVE, test_within(busy + test_noise(100), 0, 10000));
	test_set(out, GM_FIELD_TENSOR_ACTIVE, test_within(busy / 2 + test_noise(200), 0, 10000));
	test_set(out, GM_FIELD_DRAM_ACTIVE, test_within(busy * 4 / 10 + test_noise(200), 0, 10000));
	test_set(out, GM_FIELD_MEMORY_USED, c->memory);
	test_set(out, GM_FIELD_MEMORY_FREE, (INT64_C(80) << 30) - c->memory);
	test_set(out, GM_FIELD_TEMPERATURE, c->temperature / 10 * 10);
	test_set(out, GM_FIELD_MEMORY_TEMPERATURE, (c->temperature + 80 + test_noise(3)) / 10 * 10);
	test_set(out, GM_FIELD_POWER, watts);
	test_set(out, GM_FIELD_ENERGY, c->energy);
	test_set(out, GM_FIELD_SM_CLOCK, 1980 - 15 * (int64_t)test_random_below(3));
	test_set(out, GM_FIELD_MEMORY_CLOCK, 2619);
	test_set(out, GM_FIELD_NVLINK_TOTAL, c->nvlink);
	test_set(out, GM_FIELD_XID, 0);
	test_set(out, GM_FIELD_PCIE_REPLAY, 0);
}
#define TEST_CURVES_FIELDS 16

#endif
