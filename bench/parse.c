/* SPDX-License-Identifier: MIT */
/* How many samples of dcgm-exporter text one CPU reads a second; values change with each page, series do not. */
#include <stdio.h>
#include <time.h>

#include "adapter/scrape/reader.h"
#include "base/buf.h"
#include "core/fleet/fleet.h"

#define NODES 50
#define GPUS 8
#define INTERVAL_MS 15000

static const char *const families[] = {
	"DCGM_FI_DEV_SM_CLOCK",
	"DCGM_FI_DEV_MEM_CLOCK",
	"DCGM_FI_DEV_MEMORY_TEMP",
	"DCGM_FI_DEV_GPU_TEMP",
	"DCGM_FI_DEV_POWER_USAGE",
	"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
	"DCGM_FI_DEV_PCIE_REPLAY_COUNTER",
	"DCGM_FI_DEV_GPU_UTIL",
	"DCGM_FI_DEV_MEM_COPY_UTIL",
	"DCGM_FI_DEV_ENC_UTIL",
	"DCGM_FI_DEV_DEC_UTIL",
	"DCGM_FI_DEV_XID_ERRORS",
	"DCGM_FI_DEV_FB_FREE",
	"DCGM_FI_DEV_FB_USED",
	"DCGM_FI_DEV_FB_RESERVED",
	"DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL",
	"DCGM_FI_DEV_VGPU_LICENSE_STATUS",
	"DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS",
	"DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS",
	"DCGM_FI_DEV_ROW_REMAP_FAILURE",
	"DCGM_FI_PROF_GR_ENGINE_ACTIVE",
	"DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
	"DCGM_FI_PROF_DRAM_ACTIVE",
	"DCGM_FI_PROF_PCIE_TX_BYTES",
	"DCGM_FI_PROF_PCIE_RX_BYTES",
};

static void add_value(struct gm_buf *page, const char *family, unsigned n)
{
	if (strstr(family, "_PROF_") && !strstr(family, "_BYTES"))
		gm_buf_addf(page, "0.%06u\n", n * 7919U % 1000000U);
	else if (strstr(family, "POWER"))
		gm_buf_addf(page, "%u.%06u\n", 100 + n % 600, n * 7919U % 1000000U);
	else if (strstr(family, "ENERGY"))
		gm_buf_addf(page, "%llu\n", 9000000000ULL + n * 4001ULL);
	else if (strstr(family, "_UTIL") || strstr(family, "TEMP"))
		gm_buf_addf(page, "%u\n", n % 100);
	else if (strstr(family, "XID") || strstr(family, "REMAP") || strstr(family, "REPLAY") || strstr(family, "VGPU"))
		gm_buf_add_cstr(page, "0\n");
	else
		gm_buf_addf(page, "%u\n", 1000 + n * 31U % 60000U);
}

static void make_page(struct gm_buf *page, unsigned node, unsigned round)
{
	gm_buf_reset(page);
	for (size_t f = 0; f < GM_LEN(families); f++) {
		gm_buf_addf(page, "# HELP %s What the exporter says of it.\n# TYPE %s gauge\n", families[f],
			    families[f]);
		for (unsigned g = 0; g < GPUS; g++) {
			gm_buf_addf(page,
				    "%s{gpu=\"%u\",UUID=\"GPU-%08x-0000-4000-8000-%012x\",pci_bus_id=\"00000000:%02X:"
				    "00.0\","
				    "device=\"nvidia%u\",modelName=\"NVIDIA H100 80GB HBM3\",Hostname=\"node-%04u\","
				    "DCGM_FI_DRIVER_VERSION=\"570.86.15\",container=\"vllm\",namespace=\"serving\","
				    "pod=\"llm-%u-%u\"} ",
				    families[f], g, node, g, 0x10 + g, g, node, node, g);
			add_value(page, families[f], node * 131 + round * 17 + g * 7 + (unsigned)f);
		}
	}
}

static double cpu_seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct bench {
	struct gm_page_reader *reader;
	struct gm_page_cache *caches[NODES];
	struct gm_buf pages[2][NODES]; /* two rounds of values */
	struct gm_fleet *fleet;
};

/* One round over all nodes; the number of samples. */
static uint64_t run_round(struct bench *b, unsigned round, bool apply)
{
	uint64_t samples = 0;

	for (unsigned n = 0; n < NODES; n++) {
		struct gm_page_read read;
		struct gm_apply_result result;
		struct gm_err err = { 0 };

		if (gm_page_read(b->reader, &b->caches[n], gm_buf_str(&b->pages[round % 2][n]), false,
				 INT64_C(1764000000000) + (int64_t)round * INTERVAL_MS, &read, &err)) {
			(void)fprintf(stderr, "%s\n", err.text);
			exit(1);
		}
		samples += read.samples;
		if (!apply)
			continue;
		read.page.target = read.page.node;
		read.page.cluster = GM_STR("bench");
		read.page.interval_ms = INTERVAL_MS;
		if (gm_fleet_apply(b->fleet, &read.page, &result, &err) || result.applied != GPUS) {
			(void)fprintf(stderr, "apply: %u of %d devices: %s\n", result.applied, GPUS, err.text);
			exit(1);
		}
	}
	return samples;
}

static void measure(struct bench *b, const char *figure, bool apply)
{
	static unsigned round;
	uint64_t samples = 0;
	double begin, seconds;

	(void)run_round(b, round++, apply);
	begin = cpu_seconds();
	do {
		samples += run_round(b, round++, apply);
		seconds = cpu_seconds() - begin;
	} while (seconds < 1.0);
	printf("figure %s %.0f samples/s\n", figure, (double)samples / seconds);
}

int main(void)
{
	static struct bench b;
	const struct gm_fleet_conf conf = { .forget_ms = INT64_C(7) * 24 * 3600 * 1000 };
	const struct gm_fleet_listener listener = { 0 };
	size_t remembered = 0;

	b.reader = gm_page_reader_new();
	b.fleet = gm_fleet_new(&conf, &listener);
	for (unsigned n = 0; n < NODES; n++) {
		make_page(&b.pages[0][n], n, 0);
		make_page(&b.pages[1][n], n, 1);
	}
	measure(&b, "parse.samples_per_cpu_second", false);
	measure(&b, "parse.apply.samples_per_cpu_second", true);
	for (unsigned n = 0; n < NODES; n++)
		remembered += gm_page_cache_bytes(b.caches[n]);
	printf("figure parse.page %zu bytes\n", b.pages[0][0].n);
	printf("figure parse.cache_per_target %zu bytes\n", remembered / NODES);
	for (unsigned n = 0; n < NODES; n++) {
		gm_page_cache_free(b.caches[n]);
		gm_buf_fini(&b.pages[0][n]);
		gm_buf_fini(&b.pages[1][n]);
	}
	gm_fleet_free(b.fleet);
	gm_page_reader_free(b.reader);
	return 0;
}
