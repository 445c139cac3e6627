/* SPDX-License-Identifier: MIT */
#include "adapter/sim/scenario.h"

#include <stdlib.h>
#include <string.h>

#include "adapter/conf/conf.h"
#include "base/alloc.h"
#include "base/parse.h"

#define GPU_MAX 63
#define VALUE_MAX 1000000

void gm_sim_scenario_fini(struct gm_sim_scenario *s)
{
	free(s->faults);
	*s = (struct gm_sim_scenario){ 0 };
}

static int wrong(const struct gm_option_pair *p, struct gm_err *err, const char *wanted)
{
	return gm_fail_at(err, GM_ERR_INVALID, p->where ? p->where : "", "%s: '%.100s': %s", p->key, p->value, wanted);
}

static int read_kind(const struct gm_option_pair *p, struct gm_sim_fault *f, struct gm_err *err)
{
	f->kind = gm_sim_fault_find(gm_str(p->value));
	if (f->kind != GM_SIM_FAULT_COUNT)
		return 0;
	return wrong(p, err, "not one of overheat, throttle, xid, ecc-sbe, ecc-dbe, lost, node-away");
}

static int read_node(const struct gm_option_pair *p, struct gm_sim_fault *f, struct gm_err *err)
{
	if (p->value[0] && gm_str_copy(gm_str(p->value), f->node, sizeof(f->node)))
		return 0;
	return wrong(p, err, "not the name of a node");
}

static int read_gpu(const struct gm_option_pair *p, struct gm_sim_fault *f, struct gm_err *err)
{
	int64_t gpu;
	if (!gm_parse_i64(gm_str(p->value), 0, GPU_MAX, &gpu))
		return wrong(p, err, "not an index from 0 to 63");
	f->gpu = (int)gpu;
	return 0;
}

static int read_after(const struct gm_option_pair *p, struct gm_sim_fault *f, struct gm_err *err)
{
	return gm_parse_duration_ms(gm_str(p->value), &f->after_ms) ? 0 : wrong(p, err, "not a duration as 90s or 2h");
}

static int read_lasts(const struct gm_option_pair *p, struct gm_sim_fault *f, struct gm_err *err)
{
	return gm_parse_duration_ms(gm_str(p->value), &f->lasts_ms) ? 0 : wrong(p, err, "not a duration as 90s or 2h");
}

static int read_value(const struct gm_option_pair *p, struct gm_sim_fault *f, struct gm_err *err)
{
	return gm_parse_i64(gm_str(p->value), 0, VALUE_MAX, &f->value)
		       ? 0
		       : wrong(p, err, "not a number from 0 to 1000000");
}

static const struct {
	const char *key;
	bool needed;
	int (*read)(const struct gm_option_pair *p, struct gm_sim_fault *f, struct gm_err *err);
} keys[] = {
	{ "after", false, read_after }, { "fault", true, read_kind }, { "for", false, read_lasts },
	{ "gpu", false, read_gpu },	{ "node", true, read_node },  { "value", false, read_value },
};

static int read_fault(const struct gm_option_map *map, struct gm_sim_fault *f, struct gm_err *err)
{
	unsigned seen = 0;
	*f = (struct gm_sim_fault){ .gpu = -1 };
	for (size_t i = 0; i < map->count; i++) {
		const struct gm_option_pair *p = &map->items[i];
		size_t k = 0;
		while (k < GM_LEN(keys) && strcmp(p->key, keys[k].key) != 0)
			k++;
		if (k == GM_LEN(keys))
			return wrong(p, err, "unknown key; a fault has fault, node, gpu, after, for, value");
		int rc = keys[k].read(p, f, err);
		if (rc < 0)
			return rc;
		seen |= 1U << k;
	}
	for (size_t k = 0; k < GM_LEN(keys); k++) {
		if (keys[k].needed && !(seen >> k & 1))
			return gm_fail_at(err, GM_ERR_INVALID,
					  map->count && map->items[0].where ? map->items[0].where : "",
					  "a fault without '%s'", keys[k].key);
	}
	return 0;
}

int gm_sim_scenario_from_maps(const struct gm_option_maps *maps, struct gm_sim_scenario *out, struct gm_err *err)
{
	GM_AUTO(gm_sim_scenario_fini_p) struct gm_sim_scenario s = { 0 };
	if (maps->count > GM_SIM_SCENARIO_MAX)
		return gm_fail(err, GM_ERR_TOO_LARGE, "a scenario of %zu faults: more than %d", maps->count,
			       GM_SIM_SCENARIO_MAX);
	s.faults = gm_try_alloc((maps->count + 1) * sizeof(*s.faults));
	if (!s.faults)
		return gm_fail(err, GM_ERR_NO_MEMORY, "a scenario of %zu faults: out of memory", maps->count);
	for (; s.count < maps->count; s.count++) {
		int rc = read_fault(&maps->items[s.count], &s.faults[s.count], err);
		if (rc < 0)
			return rc;
	}
	out->count = s.count;
	out->faults = gm_steal(&s.faults);
	return 0;
}

int gm_sim_scenario_read(const char *path, struct gm_sim_scenario *out, struct gm_err *err)
{
	GM_AUTO(gm_option_maps_fini_p) struct gm_option_maps maps = { 0 };
	int rc = gm_conf_maps_read(path, &maps, err);
	return rc < 0 ? rc : gm_sim_scenario_from_maps(&maps, out, err);
}
