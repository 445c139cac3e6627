/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_SCRAPE_SERIES_H
#define GM_ADAPTER_SCRAPE_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapter/scrape/unit.h"
#include "base/promtext.h"
#include "base/str.h"
#include "core/fleet/page.h"
#include "core/fleet/sample.h"

/* What the value of a series is put into: a sampled field, or one of these. */
enum gm_what {
	GM_WHAT_MEMORY_TOTAL = GM_FIELD_COUNT,
	GM_WHAT_TEMPERATURE_LIMIT,
	GM_WHAT_MIG_MODE,
	GM_WHAT_SAMPLE_TIME,
	GM_WHAT_DRIVER_HUNG,
	GM_WHAT_UNAVAILABLE, /* the field is told by a label; the value says nothing */
	GM_WHAT_NOTHING,     /* an info line: its labels are all it has */
	GM_WHAT_COUNT
};

enum gm_scope {
	GM_SCOPE_BOARD, /* the board's also where it is repeated on each of its instances */
	GM_SCOPE_OWN,	/* of the instance where the line names one */
};

/* One family: where its numbers go and how they are read. */
struct gm_series_rule {
	const char *name;
	uint8_t what; /* enum gm_field or enum gm_what */
	uint8_t unit; /* enum gm_unit */
	uint8_t scope;
	uint8_t rank; /* of several families for one field the highest on the page counts */
	bool add;     /* parts of one number: retired pages by cause, traffic by direction */
};

extern const struct gm_series_rule gm_dcgm_rules[];
extern const size_t gm_dcgm_rule_count;
extern const struct gm_series_rule gm_agent_rules[];
extern const size_t gm_agent_rule_count;

/* What the labels of one series say. Empty and -1: not told. */
struct gm_series {
	const struct gm_series_rule *rule; /* NULL: a known exporter's family we have no field for */
	struct gm_str uuid, node;
	struct gm_str pci_bus_id, product_name, driver_version, serial;
	int index;
	enum gm_mig_mode mig_mode;
	int gi_id, ci_id; /* gi_id -1: the board itself */
	struct gm_str mig_uuid, profile;
	int placement_start, placement_size;
	struct gm_obs_pod pod;
	bool pod_exported; /* told by exported_ labels: then plain ones are the exporter's own pod */
	uint8_t source;	   /* enum gm_source */
	uint8_t validity;  /* enum gm_validity of the value */
	uint8_t field;	   /* GM_WHAT_UNAVAILABLE: enum gm_field */
};

/* By the first bytes of a series: is it one of theirs? */
static inline bool gm_series_is_agent(struct gm_str series)
{
	return series.n >= 10 && memcmp(series.p, "gpu_agent_", 10) == 0;
}
static inline bool gm_series_is_dcgm(struct gm_str series)
{
	return series.n >= 5 && (memcmp(series.p, "DCGM_", 5) == 0 || memcmp(series.p, "dcgm_", 5) == 0);
}

/*
 * Resolve name and labels. False: the series says nothing of a GPU (a switch, a link, no UUID); it is left out.
 * Strings are views of what was passed.
 */
bool gm_dcgm_series(struct gm_str name, const struct gm_promtext_label *labels, size_t count, struct gm_series *out);
bool gm_agent_series(struct gm_str name, const struct gm_promtext_label *labels, size_t count, struct gm_series *out);

#endif
