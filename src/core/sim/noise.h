/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_SIM_NOISE_H
#define GM_CORE_SIM_NOISE_H

#include <stdint.h>

/*
 * Chance without state: everything that looks random in the world is a hash of (seed, what, when). Parts of one are
 * 16-bit fixed point (SIM_ONE) in 32 bits, so that the world is the same on every machine.
 */
#define SIM_ONE 65536

static inline uint64_t sim_hash(uint64_t seed, uint64_t what, uint64_t when)
{
	uint64_t x = seed ^ what * UINT64_C(0x9e3779b97f4a7c15) ^ when * UINT64_C(0xd6e8feb86659fd93);
	x ^= x >> 32;
	x *= UINT64_C(0xd6e8feb86659fd93);
	x ^= x >> 32;
	x *= UINT64_C(0xd6e8feb86659fd93);
	return x ^ x >> 32;
}

/* low..high, both included. */
static inline int64_t sim_between(uint64_t hash, int64_t low, int64_t high)
{
	return low + (int64_t)(hash % (uint64_t)(high - low + 1));
}

static inline int64_t sim_clamp(int64_t v, int64_t low, int64_t high)
{
	return v < low ? low : v > high ? high : v;
}

static inline int64_t sim_lerp(int64_t a, int64_t b, int64_t part)
{
	return a + (b - a) * part / SIM_ONE;
}

/* A smooth wander in -SIM_ONE..SIM_ONE that has a new aim each period. t_ms >= 0. */
static inline int64_t sim_wander(uint64_t seed, uint64_t what, int64_t t_ms, int64_t period_ms)
{
	int64_t step = t_ms / period_ms;
	int64_t part = (t_ms - step * period_ms) * SIM_ONE / period_ms;
	int64_t a = (int64_t)(sim_hash(seed, what, (uint64_t)step) & 0x1ffff) - SIM_ONE;
	int64_t b = (int64_t)(sim_hash(seed, what, (uint64_t)step + 1) & 0x1ffff) - SIM_ONE;
	return sim_lerp(a, b, part);
}

#endif
