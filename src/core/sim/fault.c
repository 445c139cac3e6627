/* SPDX-License-Identifier: MIT */
#include "core/sim/sim-internal.h"

#include "core/sim/noise.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

static const char *const names[] = {
#define NAME(name, text) [GM_SIM_FAULT_##name] = text,
	GM_SIM_FAULT_LIST(NAME)
#undef NAME
};
_Static_assert(sizeof(names) / sizeof(names[0]) == GM_SIM_FAULT_COUNT, "each fault has a name");

/*
 * In each window of a board's (or node's) life at most one fault of a kind, with this chance in a world of 24 boards.
 * Lengths end inside the window. A length of 0 is a moment: one step.
 */
static const struct {
	int64_t window_ms, least_ms, most_ms;
	uint32_t permille;
} odds[GM_SIM_FAULT_COUNT] = {
	[GM_SIM_FAULT_OVERHEAT] = { 2 * HOUR, 5 * MINUTE, 12 * MINUTE, 90 },
	[GM_SIM_FAULT_THROTTLE] = { 2 * HOUR, 1 * MINUTE, 4 * MINUTE, 70 },
	[GM_SIM_FAULT_XID] = { 4 * HOUR, 0, 0, 80 },
	[GM_SIM_FAULT_ECC_SBE] = { 1 * HOUR, 0, 0, 40 },
	[GM_SIM_FAULT_ECC_DBE] = { 12 * HOUR, 20 * MINUTE, 60 * MINUTE, 60 },
	[GM_SIM_FAULT_LOST] = { 12 * HOUR, 8 * MINUTE, 20 * MINUTE, 40 },
	[GM_SIM_FAULT_NODE_AWAY] = { 3 * HOUR, 2 * MINUTE, 6 * MINUTE, 150 },
};
/* Faults of programs: out of bounds, page fault, stopped, preemptive clean-up. */
static const uint8_t application_xids[] = { 13, 31, 43, 45 };

#define BIT(kind) (UINT32_C(1) << GM_SIM_FAULT_##kind)

const char *gm_sim_fault_name(enum gm_sim_fault_kind kind)
{
	return (unsigned)kind < GM_SIM_FAULT_COUNT ? names[kind] : "?";
}

enum gm_sim_fault_kind gm_sim_fault_find(struct gm_str name)
{
	enum gm_sim_fault_kind kind = 0;
	while (kind < GM_SIM_FAULT_COUNT && !gm_str_is(name, names[kind]))
		kind++;
	return kind;
}

struct event {
	int64_t begin, end, window_end; /* begin == end: none in this window */
	uint64_t hash;
};

static struct event event_near(const struct sim_fault_plan *plan, uint64_t seed, unsigned kind, int64_t t_ms)
{
	int64_t length = odds[kind].window_ms;
	int64_t phase = sim_between(sim_hash(seed, 0x10 + kind, 1), 0, length / plan->step_ms - 1) * plan->step_ms;
	int64_t window = (t_ms + phase) / length, start = window * length - phase;
	uint64_t h = sim_hash(seed, 0x20 + kind, (uint64_t)window);
	struct event e = { .window_end = start + length, .begin = t_ms, .end = t_ms, .hash = h };
	uint64_t chance = (uint64_t)odds[kind].permille * SIM_ONE / 1000 * SIM_ONE / (uint64_t)plan->rarity;
	if ((h & 0xffff) >= chance)
		return e;
	int64_t lasts =
		sim_between(h >> 16 & 0xffff, odds[kind].least_ms / plan->step_ms, odds[kind].most_ms / plan->step_ms);
	lasts = lasts < 1 ? 1 : lasts;
	int64_t last_begin = length / plan->step_ms - lasts - 1;
	e.begin = start + sim_between(h >> 32, 0, last_begin) * plan->step_ms;
	e.end = e.begin + lasts * plan->step_ms;
	return e;
}

static void put_values(struct sim_faults *out, unsigned kind, uint64_t hash)
{
	uint64_t h = hash >> 8;
	if (kind == GM_SIM_FAULT_OVERHEAT)
		out->overheat_c = (int32_t)sim_between(h, 26, 40);
	else if (kind == GM_SIM_FAULT_THROTTLE)
		out->brake_percent = 50;
	else if (kind == GM_SIM_FAULT_XID)
		out->xid = application_xids[h % sizeof(application_xids)];
	else if (kind == GM_SIM_FAULT_ECC_SBE)
		out->sbe = sim_between(h, 1, 4);
	else if (kind == GM_SIM_FAULT_ECC_DBE)
		out->dbe = 1;
}

void sim_faults_at(const struct sim_fault_plan *plan, struct sim_fault_cache *cache, uint64_t seed, uint32_t kinds,
		   int64_t t_ms, struct sim_faults *out)
{
	*out = (struct sim_faults){ .brake_percent = 50 };
	if (!plan->faults)
		return;
	if (t_ms < cache->same_until) {
		out->active = cache->active;
		out->overheat_c = cache->overheat_c;
		return;
	}
	int64_t until = INT64_MAX;
	for (unsigned kind = 0; kind < GM_SIM_FAULT_COUNT; kind++) {
		if (!(kinds >> kind & 1))
			continue;
		struct event e = event_near(plan, seed, kind, t_ms);
		bool some = e.begin < e.end, active = some && e.begin <= t_ms && t_ms < e.end;
		if (active) {
			out->active |= UINT32_C(1) << kind;
			put_values(out, kind, e.hash);
		}
		if (some && e.begin == t_ms)
			out->begins |= UINT32_C(1) << kind;
		if (some && e.end == t_ms)
			out->ends |= UINT32_C(1) << kind;
		int64_t change = active ? e.end : some && t_ms < e.begin ? e.begin : e.window_end;
		until = change < until ? change : until;
	}
	*cache = (struct sim_fault_cache){ .same_until = until, .active = out->active, .overheat_c = out->overheat_c };
}

int64_t sim_faults_remapped(const struct sim_fault_plan *plan, uint64_t seed, int64_t t_ms)
{
	int64_t count = 0, window = odds[GM_SIM_FAULT_ECC_DBE].window_ms, from = t_ms - 10000 * window;
	for (int64_t t = from > 0 ? from : 0; plan->faults && t <= t_ms;) {
		struct event e = event_near(plan, seed, GM_SIM_FAULT_ECC_DBE, t);
		count += e.begin < e.end && e.begin >= 0 && e.begin <= t_ms;
		t = e.window_end;
	}
	return count;
}

void sim_scenario_at(const struct gm_sim_fault *rows, size_t count, int gpu, int64_t t_ms, int64_t step_ms,
		     struct sim_faults *out)
{
	for (size_t i = 0; i < count; i++) {
		const struct gm_sim_fault *f = &rows[i];
		bool of_node = f->kind == GM_SIM_FAULT_NODE_AWAY;
		if (of_node != (gpu < 0) || (gpu >= 0 && f->gpu >= 0 && f->gpu != gpu))
			continue;
		int64_t begin = (f->after_ms + step_ms - 1) / step_ms * step_ms;
		int64_t lasts = (f->lasts_ms + step_ms - 1) / step_ms * step_ms;
		uint32_t bit = UINT32_C(1) << f->kind;
		if (t_ms < begin || (lasts && t_ms > begin + lasts))
			continue;
		if (lasts && t_ms == begin + lasts) {
			out->ends |= bit;
			continue;
		}
		out->active |= bit;
		if (t_ms == begin)
			out->begins |= bit;
		if (f->kind == GM_SIM_FAULT_OVERHEAT)
			out->overheat_c = f->value ? (int32_t)f->value : 30;
		else if (f->kind == GM_SIM_FAULT_THROTTLE)
			out->brake_percent = f->value ? (int32_t)f->value : 50;
		else if (f->kind == GM_SIM_FAULT_XID)
			out->xid = f->value ? f->value : 31;
		else if (f->kind == GM_SIM_FAULT_ECC_SBE)
			out->sbe = f->value ? f->value : 1;
		else if (f->kind == GM_SIM_FAULT_ECC_DBE)
			out->dbe = f->value ? f->value : 1;
	}
}
