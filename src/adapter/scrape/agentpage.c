/* SPDX-License-Identifier: MIT */
#include "adapter/scrape/agent-format.h"
#include "adapter/scrape/series.h"

#include "base/parse.h"

const struct gm_series_rule gm_agent_rules[] = {
#define AGENT_RULE(field, name, unit, type, help)                                                                      \
	{ GM_AGENT_PREFIX name, GM_FIELD_##field, GM_UNIT_##unit, GM_SCOPE_OWN, 0, false },
	GM_AGENT_FAMILY_LIST(AGENT_RULE)
#undef AGENT_RULE
		{ GM_AGENT_MEMORY_TOTAL, GM_WHAT_MEMORY_TOTAL, GM_UNIT_BYTES, GM_SCOPE_OWN, 0, false },
	{ GM_AGENT_TEMPERATURE_LIMIT, GM_WHAT_TEMPERATURE_LIMIT, GM_UNIT_CELSIUS, GM_SCOPE_BOARD, 0, false },
	{ GM_AGENT_SAMPLE_TIME, GM_WHAT_SAMPLE_TIME, GM_UNIT_TIMESTAMP, GM_SCOPE_OWN, 0, false },
	{ GM_AGENT_DRIVER_HUNG, GM_WHAT_DRIVER_HUNG, GM_UNIT_FLAG, GM_SCOPE_BOARD, 0, false },
	{ GM_AGENT_UNAVAILABLE, GM_WHAT_UNAVAILABLE, GM_UNIT_FLAG, GM_SCOPE_OWN, 0, false },
	{ GM_AGENT_DEVICE_INFO, GM_WHAT_NOTHING, GM_UNIT_FLAG, GM_SCOPE_BOARD, 0, false },
	{ GM_AGENT_INSTANCE_INFO, GM_WHAT_NOTHING, GM_UNIT_FLAG, GM_SCOPE_OWN, 0, false },
	{ GM_AGENT_POD_INFO, GM_WHAT_NOTHING, GM_UNIT_FLAG, GM_SCOPE_OWN, 0, false },
	{ GM_AGENT_INFO, GM_WHAT_NOTHING, GM_UNIT_FLAG, GM_SCOPE_BOARD, 0, false },
};
const size_t gm_agent_rule_count = GM_LEN(gm_agent_rules);

#define AGENT_FAMILY_ONE(field, name, unit, type, help) +1
_Static_assert(0 GM_AGENT_FAMILY_LIST(AGENT_FAMILY_ONE) == GM_FIELD_COUNT, "each sampled field has a family");
#undef AGENT_FAMILY_ONE

static const struct gm_series_rule *find_rule(struct gm_str name)
{
	for (size_t i = 0; i < gm_agent_rule_count; i++) {
		if (gm_str_is(name, gm_agent_rules[i].name))
			return &gm_agent_rules[i];
	}
	return NULL;
}

struct labels {
	const struct gm_promtext_label *items;
	size_t count;
};

static struct gm_str text_of(const struct labels *l, const char *name)
{
	return gm_promtext_label(l->items, l->count, name);
}

static int number_of(const struct labels *l, const char *name, int max)
{
	uint64_t v = 0;

	return gm_parse_u64(text_of(l, name), 0, (uint64_t)max, &v) ? (int)v : -1;
}

static enum gm_mig_mode mig_mode_of(struct gm_str text)
{
	if (gm_str_is(text, "on"))
		return GM_MIG_ON;
	if (gm_str_is(text, "off"))
		return GM_MIG_OFF;
	return gm_str_is(text, "unable") ? GM_MIG_UNABLE : GM_MIG_UNKNOWN;
}

static void take_quality(const struct labels *l, struct gm_series *out)
{
	struct gm_str source = text_of(l, "source"), quality = text_of(l, "quality");

	out->source = gm_str_is(source, "gpm") ? GM_SOURCE_GPM : GM_SOURCE_NVML;
	out->validity = GM_MEASURED;
	if (gm_str_is(quality, "derived"))
		out->validity = GM_DERIVED;
	else if (gm_str_is(quality, "estimated"))
		out->validity = GM_ESTIMATED;
	if (out->rule && out->rule->what == GM_WHAT_UNAVAILABLE) {
		out->field = (uint8_t)gm_field_find(text_of(l, "field"));
		out->validity = gm_str_is(text_of(l, "reason"), "unsupported") ? GM_UNSUPPORTED : GM_ERROR;
		if (out->field >= GM_FIELD_COUNT)
			out->rule = NULL; /* a field of a newer agent */
	}
}

static void take_facts(const struct labels *l, struct gm_series *out)
{
	if (gm_str_is(gm_str(out->rule->name), GM_AGENT_DEVICE_INFO)) {
		out->index = number_of(l, "index", 9999);
		out->product_name = text_of(l, "name");
		out->pci_bus_id = text_of(l, "pci_bus_id");
		out->driver_version = text_of(l, "driver_version");
		out->serial = text_of(l, "serial");
		out->mig_mode = mig_mode_of(text_of(l, "mig_mode"));
	} else if (gm_str_is(gm_str(out->rule->name), GM_AGENT_INSTANCE_INFO)) {
		out->mig_uuid = text_of(l, "mig_uuid");
		out->profile = text_of(l, "profile");
		out->placement_start = number_of(l, "placement_start", 63);
		out->placement_size = number_of(l, "placement_size", 64);
	} else if (gm_str_is(gm_str(out->rule->name), GM_AGENT_POD_INFO)) {
		out->pod = (struct gm_obs_pod){ .namespace_ = text_of(l, "namespace"),
						.pod = text_of(l, "pod"),
						.container = text_of(l, "container"),
						.uid = text_of(l, "pod_uid") };
	}
}

bool gm_agent_series(struct gm_str name, const struct gm_promtext_label *labels, size_t count, struct gm_series *out)
{
	const struct labels l = { labels, count };

	*out = (struct gm_series){ .rule = find_rule(name),
				   .uuid = text_of(&l, "uuid"),
				   .index = -1,
				   .gi_id = number_of(&l, "gi", 255),
				   .ci_id = number_of(&l, "ci", 255),
				   .placement_start = -1,
				   .placement_size = -1 };
	if (!out->rule)
		return false;
	if (gm_str_is(name, GM_AGENT_INFO))
		out->node = text_of(&l, "hostname");
	if (out->gi_id >= 0 && out->ci_id < 0)
		out->ci_id = 0;
	take_quality(&l, out);
	if (out->rule && out->rule->what == GM_WHAT_NOTHING)
		take_facts(&l, out);
	return out->rule && (out->uuid.n > 0 || out->node.n > 0);
}
