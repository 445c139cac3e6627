/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stddef.h>

#include "adapter/nvml/reader-internal.h"
#include "base/auto.h"

/* NVML wants more than 100 ms between two samples; ours are stamped before the call, so there is room. */
#define APART_MS 110
/* What was sampled before a long silence says nothing of now. */
#define OLD_MS 120000

static const uint32_t slots[] = {
#define SLOT(name, id) [GM_READER_GPM_##name] = id,
	GM_READER_GPM_LIST(SLOT)
#undef SLOT
};
/* Those from here on are MiB/s, the others percentages. */
#define is_rate(slot) ((slot) >= GM_READER_GPM_PCIE_TX)

/* The head of struct gm_nvml_gpm_get with room for what we ask, a thirtieth of its size. */
struct ask {
	uint32_t version, count;
	struct gm_nvml_gpm_sample *older, *newer;
	struct gm_nvml_gpm_metric metrics[GM_READER_GPM_COUNT];
};
_Static_assert(offsetof(struct ask, metrics) == offsetof(struct gm_nvml_gpm_get, metrics), "the same head");

static void compute(struct gm_nvml_reader *r, struct gm_reader_gpm *g, unsigned newer)
{
	struct ask ask = {
		.version = GM_NVML_GPM_VERSION,
		.count = GM_READER_GPM_COUNT,
		.older = g->samples[!newer],
		.newer = g->samples[newer],
	};
	for (unsigned i = 0; i < GM_READER_GPM_COUNT; i++)
		ask.metrics[i] = (struct gm_nvml_gpm_metric){ .id = slots[i], .rc = GM_NVML_ERROR_UNKNOWN };
	g->rc = GM_READER_CALL(r, gpm_metrics, (struct gm_nvml_gpm_get *)(void *)&ask);
	for (unsigned i = 0; i < GM_READER_GPM_COUNT; i++) {
		g->metric_rc[i] = (int)ask.metrics[i].rc;
		g->value[i] = ask.metrics[i].value;
	}
}

static int take_sample(struct gm_nvml_reader *r, struct gm_reader_gpm *g, unsigned slot)
{
	int rc = GM_NVML_SUCCESS;
	if (!g->samples[slot])
		rc = GM_READER_CALL(r, gpm_alloc, &g->samples[slot]);
	if (rc == GM_NVML_SUCCESS && !g->samples[slot])
		rc = GM_NVML_ERROR_UNKNOWN;
	if (rc != GM_NVML_SUCCESS)
		return rc;
	return g->gi < 0 ? GM_READER_CALL(r, gpm_sample, r->device, g->samples[slot])
			 : GM_READER_CALL(r, gpm_mig_sample, r->device, (uint32_t)g->gi, g->samples[slot]);
}

void gm_reader_gpm(struct gm_nvml_reader *r, struct gm_reader_gpm *g)
{
	if (g == &r->gpm)
		g->gi = -1;
	if (r->facts.gpm != 1) {
		g->rc = GM_NVML_ERROR_NOT_SUPPORTED;
		return;
	}
	if (r->mono_ms < g->again_ms || (g->has_sample && r->mono_ms - g->at_ms < APART_MS))
		return; /* the values of the round before stand */
	unsigned slot = g->has_sample ? !g->newest : 0;
	bool had_sample = g->has_sample && r->mono_ms - g->at_ms <= OLD_MS;
	g->has_sample = false;
	g->rc = take_sample(r, g, slot);
	if (gm_nvml_is_unsupported(g->rc))
		g->again_ms = r->mono_ms + GM_READER_AGAIN_MS;
	if (g->rc != GM_NVML_SUCCESS)
		return;
	g->has_sample = true;
	g->newest = slot;
	g->at_ms = r->mono_ms;
	if (had_sample)
		compute(r, g, slot);
	else
		g->rc = GM_NVML_ERROR_NO_DATA;
}

struct gm_reader_gpm *gm_reader_gpm_of(struct gm_nvml_reader *r, int16_t gi, uint64_t key)
{
	struct gm_reader_gpm *unused = NULL;
	for (size_t i = 0; i < GM_LEN(r->gi_gpm); i++) {
		struct gm_reader_gpm *g = &r->gi_gpm[i];
		if (!g->used && !unused)
			unused = g;
		if (!g->used || g->gi != gi)
			continue;
		if (g->key != key) { /* another instance by the same id: its counters began at nothing */
			g->key = key;
			g->has_sample = false;
			g->again_ms = 0;
			g->rc = GM_NVML_ERROR_NO_DATA;
		}
		return g;
	}
	if (!unused)
		return NULL;
	unused->used = true;
	unused->gi = gi;
	unused->key = key;
	unused->has_sample = false;
	unused->again_ms = 0;
	unused->rc = GM_NVML_ERROR_NO_DATA;
	return unused;
}

int gm_reader_gpm_value(const struct gm_reader_gpm *g, enum gm_reader_gpm_slot slot, int64_t *out)
{
	int rc = g->rc == GM_NVML_SUCCESS ? g->metric_rc[slot] : g->rc;
	if (rc == GM_NVML_ERROR_INVALID_ARGUMENT) /* a metric that this driver does not have, or not for an instance */
		rc = GM_NVML_ERROR_NOT_SUPPORTED;
	if (rc != GM_NVML_SUCCESS)
		return rc;
	double scale = is_rate(slot) ? 1048576.0 : 100.0, max = is_rate(slot) ? 1e7 : 100.5, v = g->value[slot];
	if (!isfinite(v) || v < 0 || v > max)
		return GM_NVML_ERROR_UNKNOWN;
	*out = llround((is_rate(slot) ? v : fmin(v, 100.0)) * scale);
	return GM_NVML_SUCCESS;
}

void gm_reader_gpm_retire(struct gm_nvml_reader *r)
{
	for (size_t i = 0; i < GM_LEN(r->gi_gpm); i++)
		r->gi_gpm[i].used &= r->gi_gpm[i].is_read;
}

/* The samples' memory is the library's and outlives its handles; only what is in it is void. */
void gm_reader_gpm_drop(struct gm_nvml_reader *r)
{
	r->gpm.has_sample = false;
	r->gpm.again_ms = 0;
	for (size_t i = 0; i < GM_LEN(r->gi_gpm); i++)
		r->gi_gpm[i].used = r->gi_gpm[i].has_sample = false;
}

static void free_samples(struct gm_nvml_reader *r, struct gm_reader_gpm *g)
{
	for (int i = 0; i < 2; i++)
		if (g->samples[i])
			(void)GM_READER_CALL(r, gpm_free, g->samples[i]);
	*g = (struct gm_reader_gpm){ 0 };
}

void gm_reader_gpm_free(struct gm_nvml_reader *r)
{
	free_samples(r, &r->gpm);
	for (size_t i = 0; i < GM_LEN(r->gi_gpm); i++)
		free_samples(r, &r->gi_gpm[i]);
}
