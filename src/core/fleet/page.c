/* SPDX-License-Identifier: MIT */
#include "core/fleet/page.h"

#include <stdbool.h>

const char *gm_page_kind_name(enum gm_page_kind kind)
{
	static const char *const names[] = {
		[GM_PAGE_UNKNOWN] = "none", [GM_PAGE_DCGM] = "dcgm", [GM_PAGE_SIM] = "sim", [GM_PAGE_AGENT] = "agent"
	};
	return (unsigned)kind < GM_LEN(names) ? names[kind] : names[GM_PAGE_UNKNOWN];
}

static bool text_ok(struct gm_str s)
{
	return s.n <= GM_PAGE_TEXT_MAX && gm_str_plain_ok(s);
}

struct named_text {
	const char *name;
	struct gm_str text;
	bool needed;
};

static int check_texts(const struct named_text *texts, size_t count, struct gm_err *err)
{
	for (size_t i = 0; i < count; i++) {
		if (texts[i].needed && texts[i].text.n == 0)
			return gm_fail(err, GM_ERR_INVALID, "%s is empty", texts[i].name);
		if (!text_ok(texts[i].text))
			return gm_fail(err, GM_ERR_INVALID,
				       "%s: %zu bytes; at most %d of UTF-8 without control characters", texts[i].name,
				       texts[i].text.n, GM_PAGE_TEXT_MAX);
	}
	return 0;
}

/* So that no sum of a time and a span overflows. */
static bool time_ok(int64_t at_ms)
{
	return at_ms >= 0 && at_ms <= GM_PAGE_TIME_MS_MAX;
}

static bool range_ok(size_t first, size_t count, size_t total)
{
	return first <= total && count <= total - first;
}

static int check_pods(const struct gm_page *page, size_t first, size_t count, struct gm_err *err)
{
	if (!range_ok(first, count, page->pod_count))
		return gm_fail(err, GM_ERR_INVALID, "pods %zu+%zu of %zu", first, count, page->pod_count);
	if (count > GM_PAGE_OWNER_PODS_MAX)
		return gm_fail(err, GM_ERR_TOO_LARGE, "%zu pods on one device, at most %d", count,
			       GM_PAGE_OWNER_PODS_MAX);
	for (size_t i = first; i < first + count; i++) {
		const struct gm_obs_pod *pod = &page->pods[i];
		const struct named_text texts[] = {
			{ "namespace", pod->namespace_, false },
			{ "pod", pod->pod, false },
			{ "container", pod->container, false },
			{ "pod uid", pod->uid, false },
		};
		int rc = check_texts(texts, GM_LEN(texts), err);
		if (rc)
			return rc;
	}
	return 0;
}

static int check_instance(const struct gm_page *page, const struct gm_obs_instance *in, struct gm_err *err)
{
	const struct named_text texts[] = { { "MIG UUID", in->uuid, false }, { "MIG profile", in->profile, false } };
	if (in->gi_id < 0 || in->ci_id < 0)
		return gm_fail(err, GM_ERR_INVALID, "ids %d.%d", in->gi_id, in->ci_id);
	if (!time_ok(in->sample.at_ms))
		return gm_fail(err, GM_ERR_INVALID, "sample time %lld", (long long)in->sample.at_ms);
	int rc = check_texts(texts, GM_LEN(texts), err);
	return rc ? rc : check_pods(page, in->pods_first, in->pods_count, err);
}

static int check_instances(const struct gm_page *page, const struct gm_obs_device *d, struct gm_err *err)
{
	if (!range_ok(d->instances_first, d->instances_count, page->instance_count))
		return gm_fail(err, GM_ERR_INVALID, "MIG instances %zu+%zu of %zu", d->instances_first,
			       d->instances_count, page->instance_count);
	if (d->instances_count > GM_PAGE_DEVICE_INSTANCES_MAX)
		return gm_fail(err, GM_ERR_TOO_LARGE, "%zu MIG instances, at most %d", d->instances_count,
			       GM_PAGE_DEVICE_INSTANCES_MAX);
	const struct gm_obs_instance *list = gm_page_instances(page, d);
	for (size_t i = 0; i < d->instances_count; i++) {
		int rc = check_instance(page, &list[i], err);
		if (rc) {
			(void)gm_err_wrap(err, "MIG instance %d.%d", list[i].gi_id, list[i].ci_id);
			return rc;
		}
		for (size_t k = 0; k < i; k++)
			if (list[k].gi_id == list[i].gi_id && list[k].ci_id == list[i].ci_id)
				return gm_fail(err, GM_ERR_INVALID, "MIG instance %d.%d is there twice", list[i].gi_id,
					       list[i].ci_id);
	}
	return 0;
}

static int check_device(const struct gm_page *page, const struct gm_obs_device *d, struct gm_err *err)
{
	const struct named_text texts[] = {
		{ "UUID", d->uuid, true },
		{ "PCI bus id", d->pci_bus_id, false },
		{ "product name", d->product_name, false },
		{ "driver version", d->driver_version, false },
		{ "serial", d->serial, false },
	};
	int rc = check_texts(texts, GM_LEN(texts), err);
	if (rc)
		return rc;
	if (d->index < -1)
		return gm_fail(err, GM_ERR_INVALID, "index %d", d->index);
	if (!time_ok(d->sample.at_ms))
		return gm_fail(err, GM_ERR_INVALID, "sample time %lld", (long long)d->sample.at_ms);
	rc = check_pods(page, d->pods_first, d->pods_count, err);
	return rc ? rc : check_instances(page, d, err);
}

static int check_head(const struct gm_page *page, struct gm_err *err)
{
	const struct named_text texts[] = {
		{ "target", page->target, true },
		{ "cluster", page->cluster, true },
		{ "node", page->node, true },
	};
	int rc = check_texts(texts, GM_LEN(texts), err);
	if (rc)
		return rc;
	if (page->at_ms == 0 || !time_ok(page->at_ms))
		return gm_fail(err, GM_ERR_INVALID, "time of the page %lld", (long long)page->at_ms);
	if (page->interval_ms <= 0 || page->interval_ms > GM_PAGE_INTERVAL_MS_MAX)
		return gm_fail(err, GM_ERR_INVALID, "interval of %lld ms, allowed 1..%d", (long long)page->interval_ms,
			       GM_PAGE_INTERVAL_MS_MAX);
	if (page->device_count > GM_PAGE_DEVICES_MAX)
		return gm_fail(err, GM_ERR_TOO_LARGE, "%zu devices, at most %d a page", page->device_count,
			       GM_PAGE_DEVICES_MAX);
	return 0;
}

int gm_page_check(const struct gm_page *page, struct gm_err *err)
{
	int rc = check_head(page, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < page->device_count; i++) {
		const struct gm_obs_device *d = &page->devices[i];
		rc = check_device(page, d, err);
		if (rc) {
			(void)gm_err_wrap(err, "device %zu", i);
			return rc;
		}
		for (size_t k = 0; k < i; k++)
			if (gm_str_eq(page->devices[k].uuid, d->uuid))
				return gm_fail(err, GM_ERR_INVALID, "device '%.*s' is there twice",
					       GM_STR_ARG(d->uuid));
	}
	return 0;
}
