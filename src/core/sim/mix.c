/* SPDX-License-Identifier: MIT */
#include "core/sim/sim-internal.h"

#include "base/parse.h"

#define SEED_MIX GM_STR("H100_80GB=8,A100_80GB=12,RTX4090=4")
#define WEIGHT_MAX 1000000

/* A variant by its own id, else the model's form that the user's document means, else the model's first. */
static const struct gm_variant *find_variant(struct gm_str word)
{
	const struct gm_variant *v = gm_catalog_variant(word), *first = NULL;
	if (v)
		return v;
	size_t count;
	const struct gm_variant *all = gm_catalog_variants(&count);
	for (size_t i = 0; i < count; i++) {
		if (!gm_str_is(word, all[i].model))
			continue;
		if (all[i].seed)
			return &all[i];
		if (!first)
			first = &all[i];
	}
	return first;
}

/* Rounds each share down and gives what is left to the largest remainders, earlier rows first. */
static void share_out(struct sim_mix *mix, size_t gpus, uint64_t weights)
{
	uint64_t remainder[SIM_MIX_MAX];
	size_t given = 0;
	for (size_t i = 0; i < mix->count; i++) {
		uint64_t share = mix->rows[i].weight * gpus;
		mix->rows[i].boards = (size_t)(share / weights);
		remainder[i] = share % weights;
		given += mix->rows[i].boards;
	}
	for (; given < gpus; given++) {
		size_t best = 0;
		for (size_t i = 1; i < mix->count; i++) {
			if (remainder[i] > remainder[best])
				best = i;
		}
		mix->rows[best].boards++;
		remainder[best] = 0;
	}
}

int sim_mix_parse(struct gm_str models, size_t gpus, struct sim_mix *out, struct gm_err *err)
{
	struct sim_mix mix = { 0 };
	struct gm_str rest = gm_str_trim(models), part;
	uint64_t weights = 0;
	if (!rest.n)
		rest = SEED_MIX;
	while (gm_str_split(&rest, ',', &part)) {
		struct gm_str word = part;
		uint64_t weight = 1;
		size_t at = gm_str_find(part, '=');
		if (at < part.n) {
			word.n = at;
			struct gm_str number = gm_str_trim(gm_str_n(part.p + at + 1, part.n - at - 1));
			if (!gm_parse_u64(number, 1, WEIGHT_MAX, &weight))
				return gm_fail(err, GM_ERR_INVALID, "models: '%.*s': not a count from 1 to %d",
					       GM_STR_ARG(part), WEIGHT_MAX);
		}
		word = gm_str_trim(word);
		const struct gm_variant *v = find_variant(word);
		if (!v)
			return gm_fail(err, GM_ERR_INVALID, "models: '%.*s': no such model or variant",
				       GM_STR_ARG(word));
		if (mix.count == SIM_MIX_MAX)
			return gm_fail(err, GM_ERR_TOO_LARGE, "models: more than %d", SIM_MIX_MAX);
		mix.rows[mix.count].variant = v;
		mix.rows[mix.count++].weight = weight;
		weights += weight;
	}
	if (!mix.count)
		return gm_fail(err, GM_ERR_INVALID, "models: '%.*s': names no model", GM_STR_ARG(models));
	share_out(&mix, gpus, weights);
	*out = mix;
	return 0;
}
