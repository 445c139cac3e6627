/* SPDX-License-Identifier: MIT */
#ifndef GM_CORE_FLEET_PAGE_H
#define GM_CORE_FLEET_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "core/fleet/sample.h"

/*
 * One answer of one source, made plain: what scraping and simulating hand to the fleet. All strings are borrowed for
 * the time of the call. Empty string: not told.
 */
enum gm_page_kind { /* rising trust: an agent is believed before an exporter */
		    GM_PAGE_UNKNOWN,
		    GM_PAGE_DCGM,
		    GM_PAGE_SIM,
		    GM_PAGE_AGENT,
};

const char *gm_page_kind_name(enum gm_page_kind kind); /* "none", "dcgm", "sim", "agent" */

struct gm_obs_pod {
	struct gm_str namespace_, pod, container, uid;
};

enum gm_mig_mode { GM_MIG_UNKNOWN, GM_MIG_OFF, GM_MIG_ON, GM_MIG_UNABLE /* not a MIG board */ };

struct gm_obs_instance {
	int gi_id;		    /* GPU instance id */
	int ci_id;		    /* compute instance id; 0 where the source does not tell */
	struct gm_str uuid;	    /* "MIG-...", may be empty */
	struct gm_str profile;	    /* "1g.10gb", with attributes "1g.10gb+me" */
	int placement_start;	    /* -1: not told */
	int placement_size;	    /* -1: not told */
	int64_t memory_total_bytes; /* -1: not told */
	struct gm_sample sample;
	size_t pods_first, pods_count; /* in page->pods */
};

struct gm_obs_device {
	struct gm_str uuid; /* "GPU-..."; identity; never empty */
	struct gm_str pci_bus_id, product_name, driver_version, serial;
	int index; /* as the source counts; -1: not told */
	enum gm_mig_mode mig_mode;
	int64_t memory_total_bytes;  /* -1: not told */
	int64_t temperature_limit_c; /* slowdown threshold; -1: not told */
	bool driver_hung;	     /* a driver call for it does not return: the sample is the last from before */
	struct gm_sample sample;
	size_t instances_first, instances_count; /* in page->instances */
	size_t pods_first, pods_count;		 /* in page->pods */
};

struct gm_page {
	struct gm_str target; /* key of the source: its URL, or "sim:<node>" */
	enum gm_page_kind kind;
	struct gm_str cluster, node; /* node: from configuration, else the page's own host name */
	int64_t at_ms;		     /* when the page was taken */
	int64_t interval_ms;	     /* how often this source is asked */
	const struct gm_obs_device *devices;
	size_t device_count;
	const struct gm_obs_instance *instances;
	size_t instance_count;
	const struct gm_obs_pod *pods;
	size_t pod_count;
};

/* Those of a device; NULL for none: a page without any has no array to point into. */
static inline const struct gm_obs_instance *gm_page_instances(const struct gm_page *page,
							      const struct gm_obs_device *device)
{
	return device->instances_count ? page->instances + device->instances_first : NULL;
}

/* Limits of a page; beyond them it is refused as a whole. */
#define GM_PAGE_DEVICES_MAX 64
#define GM_PAGE_DEVICE_INSTANCES_MAX 16
#define GM_PAGE_OWNER_PODS_MAX 256		     /* of one device or instance: replicas of time slicing */
#define GM_PAGE_TEXT_MAX 512			     /* bytes of any text */
#define GM_PAGE_TIME_MS_MAX INT64_C(253402300799999) /* the end of the year 9999 */
#define GM_PAGE_INTERVAL_MS_MAX (24 * 3600 * 1000)

/*
 * Within the limits, every text UTF-8 without control characters, every range inside its array, target, cluster, node
 * and UUIDs told, no UUID and no (gi_id, ci_id) of a device twice.
 */
int gm_page_check(const struct gm_page *page, struct gm_err *err) GM_CHECKED;

/*
 * Port: where sources deliver. Called on the one thread that owns the fleet. Implemented by app/server (which applies
 * to the fleet, feeds the store and counts) and by tests.
 */
struct gm_page_sink {
	void *ctx;
	/* A page was read. Nothing of it is kept after the call. */
	void (*page)(void *ctx, const struct gm_page *page);
	/* The target did not answer or answered nonsense, at this time; `why` has the reason. */
	void (*failed)(void *ctx, struct gm_str target, int64_t at_ms, const struct gm_err *why);
};

#endif
