/* SPDX-License-Identifier: MIT */
/*
 * Reads pages one after the other with what was remembered of the one before, as scrapes of one target. The first byte
 * chooses 0.0.4 or OpenMetrics; a line of "---" parts the pages. A page read again must be known and say the same.
 */
#include <stdint.h>
#include <stdlib.h>

#include "adapter/scrape/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_sample(const struct gm_sample *s)
{
	for (unsigned f = 0; f < GM_FIELD_COUNT; f++) {
		bool has =
			s->validity[f] == GM_MEASURED || s->validity[f] == GM_DERIVED || s->validity[f] == GM_ESTIMATED;

		must(s->validity[f] < GM_VALIDITY_COUNT && s->source[f] < GM_SOURCE_COUNT);
		must(gm_sample_has(s, (enum gm_field)f) == has);
		must(has || s->value[f] == 0);
	}
}

static void check_page(const struct gm_page *page)
{
	size_t instances = 0;

	must(page->kind == GM_PAGE_DCGM || page->kind == GM_PAGE_AGENT);
	must(page->device_count <= GM_PAGE_DEVICES_MAX && page->pod_count <= GM_PAGE_PODS_MAX);
	for (size_t i = 0; i < page->device_count; i++) {
		const struct gm_obs_device *d = &page->devices[i];

		must(d->uuid.n > 0 && d->instances_first == instances &&
		     d->instances_count <= GM_PAGE_DEVICE_INSTANCES_MAX);
		must(d->pods_first + d->pods_count <= page->pod_count);
		must(d->memory_total_bytes >= -1);
		check_sample(&d->sample);
		instances += d->instances_count;
	}
	must(instances == page->instance_count);
	for (size_t i = 0; i < page->instance_count; i++) {
		const struct gm_obs_instance *it = &page->instances[i];

		must(it->gi_id >= 0 && it->ci_id >= 0 && it->pods_first + it->pods_count <= page->pod_count);
		check_sample(&it->sample);
	}
}

/* Sums that tell two readings apart. */
static uint64_t sum_of(const struct gm_page *page)
{
	uint64_t sum = page->device_count * 31 + page->instance_count * 37 + page->pod_count * 41;

	for (size_t i = 0; i < page->device_count + page->instance_count; i++) {
		const struct gm_sample *s = i < page->device_count ? &page->devices[i].sample
								   : &page->instances[i - page->device_count].sample;

		sum = sum * 31 + s->valid;
		for (unsigned f = 0; f < GM_FIELD_COUNT; f++)
			sum = sum * 31 + (uint64_t)s->value[f] + s->validity[f];
	}
	return sum;
}

static bool next_page(struct gm_str *rest, struct gm_str *page)
{
	static const char mark[] = "\n---\n";
	const char *at;

	if (rest->n == 0)
		return false;
	at = memmem(rest->p, rest->n, mark, sizeof(mark) - 1);
	*page = gm_str_n(rest->p, at ? (size_t)(at - rest->p) + 1 : rest->n);
	*rest = gm_str_n(rest->p + page->n, rest->n - page->n);
	if (at)
		*rest = gm_str_n(rest->p + 4, rest->n - 4);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gm_page_reader *reader = gm_page_reader_new();
	struct gm_page_cache *cache = NULL;
	struct gm_str rest = gm_str_n((const char *)data + 1, size ? size - 1 : 0), body;

	while (size > 0 && next_page(&rest, &body)) {
		bool openmetrics = (data[0] & 1) != 0;
		struct gm_page_read read;
		struct gm_err err = { 0 };
		uint64_t sum;

		if (gm_page_read(reader, &cache, body, openmetrics, 1, &read, &err)) {
			must(err.code == GM_ERR_PARSE || err.code == GM_ERR_TOO_LARGE);
			continue;
		}
		check_page(&read.page);
		sum = sum_of(&read.page);
		must(gm_page_read(reader, &cache, body, openmetrics, 1, &read, &err) == 0);
		must(!read.learnt && sum_of(&read.page) == sum);
	}
	gm_page_cache_free(cache);
	gm_page_reader_free(reader);
	return 0;
}
