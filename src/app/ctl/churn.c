/* SPDX-License-Identifier: MIT */
#include "app/ctl/churn.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"

#define LIFETIME_MAX 799
#define LIFETIME_MEAN 400.0
#define END 4000.0
#define COUNTED_FROM (END / 4)
#define TICKS ((size_t)END + LIFETIME_MAX + 2)
#define MS 1000.0
/* One request in so many makes the rule look at the mix again. */
#define LEARN_EVERY 16
#define MIX_HALF_LIFE 2000
#define NOBODY UINT32_MAX

struct world {
	const struct gm_churn *churn;
	struct gm_slice_fleet *fleet;
	struct gm_slice_rule rule;
	struct gm_lifetimes lifetimes;
	struct gm_mix mix;
	uint64_t random;
	/* Who leaves at a whole time: a list for each. */
	uint32_t first[TICKS];
	uint32_t *next; /* [slice] */
	size_t done;	/* times before it are over */
};

static double draw(struct world *w)
{
	uint64_t z = w->random += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	z ^= z >> 31;
	return (double)(z >> 11) * 0x1p-53;
}

int gm_churn_profiles(const struct gm_mig_table *t, size_t out[static GM_CHURN_SIZES], struct gm_err *err)
{
	/* NVML numbers its plain GPU instance profiles by rising size. */
	static const char *const NAMES[GM_CHURN_SIZES] = { "1g", "2g", "3g", "4g", "7g" };
	size_t found[GM_CHURN_SIZES];

	for (size_t i = 0; i < GM_CHURN_SIZES; i++) {
		size_t p = 0;

		while (p < t->profile_count && t->profiles[p].nvml_enum != (int)i)
			p++;
		if (p == t->profile_count || !t->profiles[p].start_count || t->placement_units <= 0)
			return gm_fail(err, GM_ERR_INVALID,
				       "%s has no %s slices with known placements; the mixes ask for them", t->id,
				       NAMES[i]);
		found[i] = p;
	}
	for (size_t i = 0; i < GM_CHURN_SIZES; i++)
		out[i] = found[i];
	return 0;
}

static void world_init(struct world *w, const struct gm_churn *c, uint64_t stream)
{
	static const enum gm_slice_policy RULES[] = {
		[GM_CHURN_BESTFIT] = GM_SLICE_BESTFIT,
		[GM_CHURN_FRAGMENTATION] = GM_SLICE_FRAGMENTATION,
		[GM_CHURN_BALANCED] = GM_SLICE_BALANCED,
		[GM_CHURN_REPACK] = GM_SLICE_BALANCED,
	};

	*w = (struct world){ .churn = c, .random = stream * UINT64_C(0x1234567) };
	w->fleet = gm_slice_fleet_new(c->space, GM_CHURN_BOARDS);
	gm_lifetimes_init(&w->lifetimes);
	gm_mix_init(&w->mix, c->space->table->profile_count, MIX_HALF_LIFE);
	gm_slice_rule_init(&w->rule, c->space, RULES[c->policy], c->highest, &w->lifetimes);
	w->next = gm_xalloc(GM_CHURN_BOARDS * GM_MIG_INSTANCES_MAX * sizeof(*w->next));
	for (size_t i = 0; i < TICKS; i++)
		w->first[i] = NOBODY;
}

static void world_fini(struct world *w)
{
	gm_slice_rule_fini(&w->rule);
	gm_mix_fini(&w->mix);
	gm_slice_fleet_free(w->fleet);
	free(w->next);
}

static void depart(struct world *w, double now)
{
	for (; w->done < TICKS && (double)w->done <= now; w->done++)
		for (uint32_t slice = w->first[w->done]; slice != NOBODY;) {
			uint32_t next = w->next[slice];

			gm_lifetimes_learn(&w->lifetimes,
					   (int64_t)((double)w->done * MS) - gm_slice_fleet_since(w->fleet, slice));
			gm_slice_fleet_release(w->fleet, slice);
			slice = next;
		}
}

static bool place(struct world *w, size_t profile, int64_t now_ms, struct gm_slice_place *out, unsigned *moves)
{
	struct gm_slice_moves plan;
	unsigned moved;

	*moves = 0;
	if (gm_slice_fleet_find(w->fleet, &w->rule, profile, now_ms, out))
		return true;
	if (w->churn->policy == GM_CHURN_REPACK) {
		if (!gm_slice_fleet_repack(w->fleet, profile, &moved))
			return false;
		*moves = moved;
		return gm_slice_fleet_find(w->fleet, &w->rule, profile, now_ms, out);
	}
	if (!w->churn->moves || !gm_slice_fleet_make_room(w->fleet, &w->rule, profile, w->churn->moves, now_ms, &plan))
		return false;
	gm_slice_fleet_move(w->fleet, &plan);
	*moves = plan.count;
	*out = plan.place;
	return true;
}

static void arrive(struct world *w, double now, struct gm_churn_count *out)
{
	const struct gm_churn *c = w->churn;
	double u = draw(w), limit = c->mix[0], lifetime;
	struct gm_slice_place at;
	unsigned moves;
	size_t size = 0;
	bool fits;

	while (u >= limit && size + 1 < GM_CHURN_SIZES)
		limit += c->mix[++size];
	lifetime = 1 + floor(draw(w) * LIFETIME_MAX);
	depart(w, now);
	fits = place(w, c->profiles[size], (int64_t)(now * MS), &at, &moves);
	out->arrivals++;
	out->moves += moves;
	if (now >= COUNTED_FROM) {
		out->asked[size]++;
		out->accepted[size] += fits;
	}
	if (fits) {
		uint32_t slice = gm_slice_fleet_put(w->fleet, at, (int64_t)(now * MS));
		size_t end = (size_t)ceil(now + lifetime);

		w->next[slice] = w->first[end];
		w->first[end] = slice;
	}
	gm_mix_saw(&w->mix, c->profiles[size]);
	if (out->arrivals % LEARN_EVERY == 0 && w->rule.policy == GM_SLICE_BALANCED)
		gm_slice_rule_learn(&w->rule, &w->mix);
}

void gm_churn_run(const struct gm_churn *c, uint64_t stream, struct gm_churn_count *out)
{
	struct world *w = gm_xalloc(sizeof(*w));
	double size = 0, rate;

	for (size_t i = 0; i < GM_CHURN_SIZES; i++)
		size += c->mix[i] * c->space->table->profiles[c->profiles[i]].size;
	rate = GM_CHURN_BOARDS * c->space->table->placement_units / LIFETIME_MEAN / size;
	world_init(w, c, stream);
	*out = (struct gm_churn_count){ 0 };
	for (uint64_t k = 1; (double)k / rate < END; k++)
		arrive(w, (double)k / rate, out);
	assert(gm_slice_fleet_sound(w->fleet));
	world_fini(w);
	free(w);
}
