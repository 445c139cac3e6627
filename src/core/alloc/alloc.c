/* SPDX-License-Identifier: MIT */
#include "core/alloc/alloc.h"

#include <assert.h>

#include "core/alloc/codec-internal.h"
#include "core/alloc/decide.h"

#define NAME(name, text) [GM_WORKLOAD_##name] = (text),
static const char *const workload_names[] = { GM_WORKLOAD_LIST(NAME) };
#undef NAME
#define NAME(name, text) [GM_STRATEGY_##name] = (text),
static const char *const strategy_names[] = { GM_STRATEGY_LIST(NAME) };
#undef NAME
#define NAME(name, text) [GM_SCORE_##name] = (text),
static const char *const score_names[] = { GM_SCORE_LIST(NAME) };
#undef NAME
#define NAME(name, text) [GM_ALLOC_REASON_##name] = (text),
static const char *const reason_names[] = { GM_ALLOC_REASON_LIST(NAME) };
#undef NAME

const char *gm_workload_name(enum gm_workload w)
{
	return workload_names[w];
}

const char *gm_strategy_name(enum gm_strategy s)
{
	return strategy_names[s];
}

const char *gm_score_part_name(enum gm_score_part p)
{
	return score_names[p];
}

const char *gm_alloc_reason_name(enum gm_alloc_reason r)
{
	return reason_names[r];
}

bool gm_alloc_reason_is_lasting(enum gm_alloc_reason r)
{
	return r < GM_ALLOC_REASON_CORDONED;
}

/*
 * How much each part counts, in per cent: cost, fit, fragmentation, health, locality, warmth. Serving wants the model that
 * is cached, training wants its boards near each other, what nobody waits for wants the price. Under `performance` the fit
 * is how fast the device is; under `pack` and `spread` fragmentation is how full or empty the place is.
 */
static const uint8_t weights[GM_STRATEGY_COUNT][GM_WORKLOAD_COUNT][GM_SCORE_COUNT] = {
	[GM_STRATEGY_COST] = { { 60, 10, 10, 10, 5, 5 },
			       { 60, 10, 10, 10, 10, 0 },
			       { 70, 10, 10, 5, 5, 0 },
			       { 70, 10, 10, 5, 5, 0 } },
	[GM_STRATEGY_PACK] = { { 10, 20, 50, 10, 5, 5 },
			       { 10, 15, 50, 10, 15, 0 },
			       { 10, 25, 55, 5, 5, 0 },
			       { 10, 25, 55, 5, 5, 0 } },
	[GM_STRATEGY_SPREAD] = { { 10, 10, 50, 15, 10, 5 },
				 { 10, 10, 50, 15, 15, 0 },
				 { 15, 10, 55, 10, 10, 0 },
				 { 15, 10, 55, 10, 10, 0 } },
	[GM_STRATEGY_PERFORMANCE] = { { 5, 50, 5, 25, 5, 10 },
				      { 5, 45, 5, 25, 20, 0 },
				      { 10, 50, 10, 20, 5, 5 },
				      { 10, 50, 10, 20, 10, 0 } },
	[GM_STRATEGY_BALANCED] = { { 25, 20, 30, 10, 5, 10 },
				   { 25, 15, 30, 10, 20, 0 },
				   { 35, 20, 30, 10, 5, 0 },
				   { 35, 20, 30, 10, 5, 0 } },
};
static_assert(GM_WORKLOAD_COUNT == 4 && GM_SCORE_COUNT == 6, "the table above has them all");

const uint8_t *gm_score_weights(enum gm_strategy s, enum gm_workload w)
{
	return weights[s == GM_STRATEGY_DEFAULT ? GM_STRATEGY_BALANCED : s][w];
}

void gm_alloc_request_init(struct gm_alloc_request *r)
{
	*r = (struct gm_alloc_request){
		.gpu_count = 1,
		.share_milli = 1000,
		.priority = GM_ALLOC_PRIORITY_DEFAULT,
		.same_node = true,
		.max_hourly_micros = -1,
	};
}

static bool wants_slice(const struct gm_alloc_request *r)
{
	return r->use_mig == GM_USE_MIG_ONLY || r->profile.n;
}

/* What contradicts itself; the first that does is told. */
struct contradiction {
	const char *where, *text;
	bool holds;
};

int gm_alloc_request_check(const struct gm_alloc_request *r, struct gm_err *err)
{
	const struct contradiction rules[] = {
		{ "/gpuShare", "a share is of one board: gpuCount must be 1",
		  r->share_milli < 1000 && r->gpu_count > 1 },
		{ "/gpuShare", "a share of a board and a MIG slice exclude each other",
		  r->share_milli < 1000 && wants_slice(r) },
		{ "/useMig", "a MIG profile and 'useMig': false exclude each other",
		  r->profile.n && r->use_mig == GM_USE_MIG_NEVER },
		{ "/topology", "NVLink joins whole boards, not MIG slices",
		  r->topology == GM_TOPOLOGY_NVLINK && wants_slice(r) },
		{ "/topology", "boards of one NVLink island or NUMA node are on one node: sameNode must be true",
		  r->topology != GM_TOPOLOGY_ANY && !r->same_node && r->gpu_count > 1 },
		{ "/gang/size", "a gang needs its size: at least 1", r->gang_id.n && r->gang_size < 1 },
		{ "/gang/id", "a gang needs an id", !r->gang_id.n && r->gang_size > 0 },
	};
	int rc = gm_codec_check(&gm_codec_request, r, err);

	for (size_t i = 0; !rc && i < GM_LEN(rules); i++)
		if (rules[i].holds)
			return gm_fail_at(err, GM_ERR_INVALID, rules[i].where, "%s", rules[i].text);
	return rc;
}
