/* SPDX-License-Identifier: MIT */
#include "core/fleet/chart.h"

#include "base/alloc.h"
#include "base/parse.h"
#include "core/fleet/fleet-store.h"

#define MS_PER_DAY INT64_C(86400000)

static const int64_t nice_steps_ms[] = { 1000,	 5000,	 10000,	  15000,    30000,     60000,
					 300000, 900000, 3600000, 21600000, MS_PER_DAY };

static int64_t floor_to(int64_t v, int64_t unit)
{
	int64_t rest = v % unit;
	return v - (rest < 0 ? rest + unit : rest);
}

/* How many buckets; the range is known to be positive and far from overflow. */
static int64_t buckets_of(int64_t from_ms, int64_t to_ms, int64_t step_ms)
{
	int64_t range = to_ms - floor_to(from_ms, step_ms);
	return range / step_ms + (range % step_ms != 0);
}

static int64_t choose_step(int64_t from_ms, int64_t to_ms, int64_t sample_ms)
{
	for (size_t i = 0; i < GM_LEN(nice_steps_ms); i++)
		if (nice_steps_ms[i] >= sample_ms &&
		    buckets_of(from_ms, to_ms, nice_steps_ms[i]) <= GM_CHART_POINTS_MAX)
			return nice_steps_ms[i];
	/* Years: whole days. One point less than the most, for the first bucket may begin before from_ms. */
	int64_t step = (to_ms - from_ms) / (GM_CHART_POINTS_MAX - 1) + 1;
	step = step < sample_ms ? sample_ms : step;
	return floor_to(step + MS_PER_DAY - 1, MS_PER_DAY);
}

int gm_chart_init(struct gm_chart *c, enum gm_field field, int64_t from_ms, int64_t to_ms, int64_t step_ms,
		  int64_t sample_ms, struct gm_err *err)
{
	/* A quarter of the int64 range: no sum below can overflow. */
	const int64_t far = INT64_MAX / 4;
	if (from_ms >= to_ms)
		return gm_fail_at(err, GM_ERR_INVALID, "from", "from must be before to");
	if (from_ms < -far || to_ms > far)
		return gm_fail_at(err, GM_ERR_INVALID, "from", "the time range is too large");
	if (step_ms < 0 || step_ms > far || sample_ms > far)
		return gm_fail_at(err, GM_ERR_INVALID, "step", "step is out of range");
	if (step_ms == 0) {
		step_ms = choose_step(from_ms, to_ms, sample_ms);
	} else if (buckets_of(from_ms, to_ms, step_ms) > GM_CHART_POINTS_MAX) {
		char asked[40], least[40];
		gm_format_duration_ms(step_ms, asked);
		gm_format_duration_ms(choose_step(from_ms, to_ms, 0), least);
		return gm_fail_at(err, GM_ERR_INVALID, "step",
				  "a step of %s gives more than %d points; the smallest allowed for this range is %s",
				  asked, GM_CHART_POINTS_MAX, least);
	}
	size_t count = (size_t)buckets_of(from_ms, to_ms, step_ms);
	struct gm_chart_bucket *buckets = gm_try_alloc(count * sizeof(*buckets));
	if (!buckets)
		return gm_fail(err, GM_ERR_NO_MEMORY, "no memory for a chart of %zu points", count);
	*c = (struct gm_chart){
		.field = field,
		.from_ms = floor_to(from_ms, step_ms),
		.to_ms = to_ms,
		.step_ms = step_ms,
		.count = count,
		.buckets = buckets,
	};
	return 0;
}

void gm_chart_fini(struct gm_chart *c)
{
	if (!c)
		return;
	free(c->buckets);
	*c = (struct gm_chart){ 0 };
}

void gm_chart_add(struct gm_chart *c, int64_t at_ms, int64_t value)
{
	gm_chart_add_rollup(c, at_ms, value, value, value, 1);
}

void gm_chart_add_rollup(struct gm_chart *c, int64_t at_ms, int64_t min, int64_t avg, int64_t max, uint64_t count)
{
	if (at_ms < c->from_ms || at_ms >= c->to_ms || count == 0)
		return;
	struct gm_chart_bucket *b = &c->buckets[(at_ms - c->from_ms) / c->step_ms];
	if (b->count == 0 || min < b->min)
		b->min = min;
	if (b->count == 0 || max > b->max)
		b->max = max;
	b->sum += (__int128)avg * (__int128)count;
	b->count += count;
}

const char *gm_tier_name(enum gm_tier t)
{
	static const char *const names[] = { [GM_TIER_MEMORY] = "memory",
					     [GM_TIER_RAW] = "raw",
					     [GM_TIER_5M] = "5m",
					     [GM_TIER_1H] = "1h",
					     [GM_TIER_1D] = "1d" };

	return names[t];
}
