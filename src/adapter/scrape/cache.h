/* SPDX-License-Identifier: MIT */
#ifndef GM_ADAPTER_SCRAPE_CACHE_H
#define GM_ADAPTER_SCRAPE_CACHE_H

#include "adapter/scrape/reader.h"
#include "adapter/scrape/series.h"
#include "base/promtext.h"

/*
 * What was learnt of a target's page, in one allocation: lines by position, then what they are about. Texts lie in one
 * blob; instances are in the order of their devices, pods in the order of their holders.
 */
struct gm_text_ref {
	uint32_t at, n;
};

#define GM_LINE_IGNORED UINT8_MAX

struct gm_line {
	uint64_t hash; /* of the series as it stands */
	uint16_t slot; /* a device, or device_count + an instance */
	uint8_t rule;  /* in the rules of the page's kind, or GM_LINE_IGNORED */
	uint8_t field; /* of GM_WHAT_UNAVAILABLE */
	uint8_t source, validity;
	uint16_t spare;
};
_Static_assert(sizeof(struct gm_line) == 16, "there are millions of them");

struct gm_cached_pod {
	struct gm_text_ref namespace_, pod, container, uid;
};

struct gm_cached_device {
	struct gm_text_ref uuid, pci_bus_id, product_name, driver_version, serial;
	int32_t index;
	uint16_t instances_first, instances_count;
	uint16_t pods_first, pods_count;
	uint8_t mig_mode;
	int64_t memory_total_bytes; /* as last told; 0: never */
};

struct gm_cached_instance {
	struct gm_text_ref uuid, profile;
	int16_t gi_id, ci_id;
	int16_t placement_start, placement_size;
	uint16_t device;
	uint16_t pods_first, pods_count;
	int64_t memory_total_bytes; /* as last told; 0: never */
};

struct gm_page_cache {
	enum gm_page_kind kind;
	uint32_t line_count;
	uint16_t device_count, instance_count, pod_count;
	struct gm_text_ref node;
	size_t bytes; /* of the whole allocation */
	struct gm_line *lines;
	struct gm_cached_device *devices;
	struct gm_cached_instance *instances;
	struct gm_cached_pod *pods;
	char *texts;
};

static inline struct gm_str gm_cache_text(const struct gm_page_cache *c, struct gm_text_ref ref)
{
	return gm_str_n(c->texts + ref.at, ref.n);
}

static inline const struct gm_series_rule *gm_cache_rules(const struct gm_page_cache *c)
{
	return c->kind == GM_PAGE_AGENT ? gm_agent_rules : gm_dcgm_rules;
}

/* Makes a cache of a page. GM_ERR_PARSE when it has no line of a known family. */
int gm_page_learn(struct gm_str body, bool openmetrics, struct gm_page_cache **out, struct gm_err *err) GM_CHECKED;
/* The error of a page with more than GM_PAGE_BAD_LINES_MAX malformed lines. */
int gm_page_fail_bad(const struct gm_err *first, struct gm_err *err);

#endif
