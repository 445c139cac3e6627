/* SPDX-License-Identifier: MIT */
/*
 * Figures of the embedded store. Curves are made here, like those of real boards: load that comes and goes, noise in the
 * last digits, counters that rise, much that never changes.
 *   bench-store [--dir DIR] [--rows N] [--large]
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "adapter/store/store.h"
#include "base/alloc.h"
#include "base/auto.h"
#include "base/hash.h"
#include "base/parse.h"

#define HOUR_MS INT64_C(3600000)
#define T0 INT64_C(1772323200000)

/* Wall time is the curves', monotonic time is real and goes along with it. */
struct bench_clock {
	struct gm_clock clock;
	int64_t wall_ms, ahead_ms;
};
static struct bench_clock now;

static double real_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double cpu_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int64_t clock_wall(void *ctx)
{
	return ((struct bench_clock *)ctx)->wall_ms;
}

static int64_t clock_mono(void *ctx)
{
	return (int64_t)real_ms() + ((struct bench_clock *)ctx)->ahead_ms;
}

static void set_time(int64_t wall_ms)
{
	now.ahead_ms += wall_ms - now.wall_ms;
	now.wall_ms = wall_ms;
}

/* One board: state of its curves. */
struct board {
	uint64_t random;
	int64_t busy_until_ms, load, memory_mib, temperature, energy_mj, last_ms;
};

static uint64_t next_random(struct board *b)
{
	return gm_hash_u64(b->random++);
}

static int64_t noise(struct board *b, int64_t width)
{
	return (int64_t)(next_random(b) % (uint64_t)(2 * width + 1)) - width;
}

static void change_load(struct board *b, int64_t at_ms)
{
	const bool busy = next_random(b) % 3 != 0;

	b->busy_until_ms = at_ms + 60000 + (int64_t)(next_random(b) % 1800000);
	b->load = busy ? 40 + (int64_t)(next_random(b) % 60) : 0;
	b->memory_mib = busy ? 8000 + (int64_t)(next_random(b) % 70000) : 600;
}

static void put(struct gm_sample *s, enum gm_field f, int64_t v)
{
	gm_sample_set(s, f, v < 0 ? 0 : v, GM_MEASURED, GM_SOURCE_DCGM);
}

static void put_load(struct board *b, struct gm_sample *s)
{
	const int64_t load = b->load ? b->load + noise(b, 6) : 0, shown = load > 100 ? 100 : load;
	const int64_t target = 320 + shown * 4 + noise(b, 5);

	put(s, GM_FIELD_UTILIZATION, shown * 100);
	put(s, GM_FIELD_MEMORY_COPY_UTILIZATION, shown / 2 * 100);
	put(s, GM_FIELD_ENCODER_UTILIZATION, 0);
	put(s, GM_FIELD_DECODER_UTILIZATION, 0);
	put(s, GM_FIELD_GR_ENGINE_ACTIVE, b->load ? shown * 100 + noise(b, 40) : 0);
	put(s, GM_FIELD_TENSOR_ACTIVE, b->load ? shown * 40 + noise(b, 60) : 0);
	put(s, GM_FIELD_DRAM_ACTIVE, b->load ? shown * 55 + noise(b, 60) : 0);
	b->temperature += (target - b->temperature) / 8;
	put(s, GM_FIELD_TEMPERATURE, b->temperature / 10 * 10);
	put(s, GM_FIELD_MEMORY_TEMPERATURE, (b->temperature + 80) / 10 * 10);
	const int64_t power = 68000 + shown * 5600 + noise(b, b->load ? 9000 : 300);
	put(s, GM_FIELD_POWER, power);
	b->energy_mj += power * (s->at_ms - b->last_ms) / 1000;
	put(s, GM_FIELD_ENERGY, b->energy_mj);
	put(s, GM_FIELD_SM_CLOCK, b->load ? 1980 - 15 * (int64_t)(next_random(b) % 4) : 345);
	put(s, GM_FIELD_PCIE_TX, b->load ? 90000000 + shown * 1000000 + noise(b, 9000000) : 300000 + noise(b, 100000));
	put(s, GM_FIELD_PCIE_RX, b->load ? 60000000 + shown * 1000000 + noise(b, 9000000) : 300000 + noise(b, 100000));
}

static void put_rest(struct board *b, struct gm_sample *s)
{
	static const enum gm_field zero[] = { GM_FIELD_PCIE_REPLAY,
					      GM_FIELD_XID,
					      GM_FIELD_ECC_SBE,
					      GM_FIELD_ECC_DBE,
					      GM_FIELD_REMAPPED_CORRECTABLE,
					      GM_FIELD_REMAPPED_UNCORRECTABLE,
					      GM_FIELD_ROW_REMAP_FAILURE };

	if (b->load && next_random(b) % 8 == 0)
		b->memory_mib += noise(b, 64);
	put(s, GM_FIELD_MEMORY_USED, b->memory_mib << 20);
	put(s, GM_FIELD_MEMORY_FREE, (81000 - b->memory_mib) << 20);
	put(s, GM_FIELD_MEMORY_CLOCK, 2619);
	for (size_t i = 0; i < GM_LEN(zero); i++)
		put(s, zero[i], 0);
}
#define FIELDS_A_SAMPLE 24

static void next_sample(struct board *b, int64_t at_ms, struct gm_sample *out)
{
	*out = (struct gm_sample){ .at_ms = at_ms };
	if (at_ms >= b->busy_until_ms)
		change_load(b, at_ms);
	put_load(b, out);
	put_rest(b, out);
	b->last_ms = at_ms;
}

static struct board *boards_new(size_t count)
{
	struct board *b = gm_xalloc(count * sizeof(*b));

	for (size_t i = 0; i < count; i++)
		b[i] = (struct board){ .random = (uint64_t)i << 32, .temperature = 330, .last_ms = T0 };
	return b;
}

static void die(const struct gm_err *err)
{
	(void)fprintf(stderr, "bench-store: %s\n", err->text);
	exit(1);
}

static struct gm_store *store_new(const char *dir)
{
	static const char *const names[] = { "bench.db", "bench.db-wal", "bench.db-shm", "bench.db-lock" };
	struct gm_store *s = NULL;
	struct gm_err err;
	char url[300], path[300];

	for (size_t i = 0; i < GM_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	(void)snprintf(url, sizeof(url), "sqlite:%s/bench.db", dir);
	now = (struct bench_clock){ .clock = { clock_wall, clock_mono, &now }, .wall_ms = T0 };
	const struct gm_store_conf conf = { .url = url, .clock = &now.clock };
	if (gm_store_open(&conf, &s, &err))
		die(&err);
	return s;
}

/* What the store's calls took. */
struct spent {
	double append_ms, append_max_ms, append_cpu_ms, maintain_ms, maintain_max_ms, maintain_cpu_ms,
		maintain_cpu_max_ms;
	uint64_t appends, steps, rows;
};

static void append(struct gm_store *s, const struct gm_sample_row *rows, size_t count, struct spent *spent)
{
	const struct gm_fleet_store *f = gm_store_fleet(s);
	struct gm_err err;
	const double begin = real_ms(), cpu = cpu_ms();

	if (f->append(f->ctx, rows, count, &err))
		die(&err);
	const double took = real_ms() - begin;
	spent->append_cpu_ms += cpu_ms() - cpu;
	spent->append_ms += took;
	spent->append_max_ms = took > spent->append_max_ms ? took : spent->append_max_ms;
	spent->appends++;
	spent->rows += count;
}

static void maintain(struct gm_store *s, struct spent *spent)
{
	const struct gm_fleet_store *f = gm_store_fleet(s);
	struct gm_err err;

	for (bool more = true; more; spent->steps++) {
		const double begin = real_ms(), cpu = cpu_ms();
		if (f->maintain(f->ctx, now.wall_ms, &more, &err))
			die(&err);
		const double took = real_ms() - begin, cpu_took = cpu_ms() - cpu;
		spent->maintain_cpu_ms += cpu_took;
		spent->maintain_cpu_max_ms =
			cpu_took > spent->maintain_cpu_max_ms ? cpu_took : spent->maintain_cpu_max_ms;
		spent->maintain_ms += took;
		spent->maintain_max_ms = took > spent->maintain_max_ms ? took : spent->maintain_max_ms;
	}
}

/* `boards` boards from T0 on for `span_ms`; appends of what `every_ms` bring. */
static struct spent fill(struct gm_store *s, size_t boards, int64_t step_ms, int64_t span_ms, int64_t every_ms)
{
	GM_AUTO(gm_free_p) struct board *b = boards_new(boards);
	const size_t ticks = (size_t)(every_ms / step_ms);
	GM_AUTO(gm_free_p) struct gm_sample_row *rows = gm_xalloc(boards * ticks * sizeof(*rows));
	struct spent spent = { 0 };

	for (int64_t at = T0; at < T0 + span_ms; at += (int64_t)ticks * step_ms) {
		size_t n = 0;
		for (size_t t = 0; t < ticks; t++) {
			for (size_t i = 0; i < boards; i++, n++) {
				rows[n].series = (uint32_t)i + 1;
				next_sample(&b[i], at + (int64_t)t * step_ms, &rows[n].sample);
			}
		}
		set_time(at + (int64_t)ticks * step_ms);
		append(s, rows, n, &spent);
		maintain(s, &spent);
	}
	return spent;
}

static uint64_t size_of(struct gm_store *s)
{
	struct gm_err err;
	uint64_t bytes = 0;

	if (gm_store_size(s, &bytes, &err))
		die(&err);
	return bytes;
}

static void bench_size(const char *dir, int64_t step_ms)
{
	struct gm_store *s = store_new(dir);
	const uint64_t empty = size_of(s);
	struct spent spent = fill(s, 100, step_ms, 24 * HOUR_MS, 300000);

	set_time(T0 + 25 * HOUR_MS);
	maintain(s, &spent);
	printf("figure store_bytes_per_value_%llds %.3f bytes\n", (long long)step_ms / 1000,
	       (double)(size_of(s) - empty) / (double)(spent.rows * FIELDS_A_SAMPLE));
	gm_store_close(s);
}

static void bench_tick(const char *dir)
{
	enum { BOARDS = 10000, TICKS = 40 };
	struct gm_store *s = store_new(dir);
	struct board *b = boards_new(BOARDS);
	struct gm_sample_row *rows = gm_xalloc(BOARDS * sizeof(*rows));
	struct spent spent = { 0 };

	for (int t = 0; t < TICKS; t++) {
		for (uint32_t i = 0; i < BOARDS; i++) {
			rows[i].series = i + 1;
			next_sample(&b[i], T0 + t * 10000, &rows[i].sample);
		}
		set_time(T0 + t * 10000);
		append(s, rows, BOARDS, &spent);
	}
	printf("figure store_tick_10000_devices %.1f ms\n", spent.append_ms / TICKS);
	printf("figure store_tick_10000_devices_max %.1f ms\n", spent.append_max_ms);
	printf("figure store_append %.0f rows/s\n", (double)spent.rows / spent.append_ms * 1e3);
	free(b);
	free(rows);
	gm_store_close(s);
}

static double chart_ms(struct gm_store *s, uint32_t series, int64_t from_ms)
{
	const struct gm_fleet_store *f = gm_store_fleet(s);
	struct gm_err err;
	enum gm_tier tier = GM_TIER_MEMORY;
	const double begin = real_ms();
	GM_AUTO(gm_chart_fini_p) struct gm_chart c = { 0 };

	if (gm_chart_init(&c, GM_FIELD_POWER, from_ms, from_ms + 24 * HOUR_MS, 60000, 0, &err) ||
	    f->chart(f->ctx, series, &c, c.to_ms, &tier, &err))
		die(&err);
	if (tier != GM_TIER_RAW || c.buckets[c.count / 2].count == 0)
		exit(1);
	return real_ms() - begin;
}

static int by_size(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void bench_chart(const char *dir, int64_t rows)
{
	enum { BOARDS = 500, CHARTS = 200 };
	/* A little more than a day, so that the last hour is partly packed, sorted, in the journal. */
	const int64_t span = 24 * HOUR_MS + HOUR_MS / 2, step = span / (rows / BOARDS);
	struct gm_store *s = store_new(dir);
	const struct spent spent = fill(s, BOARDS, step, span, 60000);
	double took[CHARTS], cpu[CHARTS];

	for (int i = 0; i < CHARTS; i++) {
		const double before = cpu_ms();
		took[i] = chart_ms(s, 1 + (uint32_t)(i * 7919) % BOARDS, T0 + HOUR_MS / 2);
		cpu[i] = cpu_ms() - before;
	}
	qsort(cpu, CHARTS, sizeof(cpu[0]), by_size);
	qsort(took, CHARTS, sizeof(took[0]), by_size);
	printf("figure store_rows %llu rows\n", (unsigned long long)spent.rows);
	printf("figure store_chart_24h_p50 %.2f ms\n", took[CHARTS / 2]);
	printf("figure store_chart_24h_p99 %.2f ms\n", took[CHARTS * 99 / 100]);
	printf("figure store_chart_24h_cpu_p99 %.2f ms\n", cpu[CHARTS * 99 / 100]);
	printf("figure store_maintain_step_max %.1f ms\n", spent.maintain_max_ms);
	printf("figure store_maintain_step_cpu_max %.1f ms\n", spent.maintain_cpu_max_ms);
	printf("figure store_maintain_step_mean %.1f ms\n", spent.maintain_ms / (double)spent.steps);
	printf("figure store_cpu_per_row %.2f us\n",
	       (spent.append_cpu_ms + spent.maintain_cpu_ms) * 1e3 / (double)spent.rows);
	printf("figure store_bytes_per_value_dense %.3f bytes\n",
	       (double)size_of(s) / (double)(spent.rows * FIELDS_A_SAMPLE));
	gm_store_close(s);
}

/* 80,000 series every 30 s, a batch a second as scraping brings them, for an hour, and what comes after its end. */
static void bench_large(const char *dir)
{
	enum { BOARDS = 80000, BATCHES = 30 };
	struct gm_store *s = store_new(dir);
	struct board *b = boards_new(BOARDS);
	struct gm_sample_row *rows = gm_xalloc((BOARDS / BATCHES + 1) * sizeof(*rows));
	struct spent spent = { 0 };
	struct rusage usage;

	for (int64_t second = 0; second < 3600; second++) {
		size_t n = 0;
		/* Series that come together are not neighbours. */
		for (uint32_t i = (uint32_t)(second % BATCHES); i < BOARDS; i += BATCHES, n++) {
			rows[n].series = i + 1;
			next_sample(&b[i], T0 + second * 1000, &rows[n].sample);
		}
		set_time(T0 + second * 1000);
		append(s, rows, n, &spent);
		maintain(s, &spent);
	}
	set_time(T0 + HOUR_MS + HOUR_MS / 4);
	maintain(s, &spent);
	(void)getrusage(RUSAGE_SELF, &usage);
	printf("figure store_80000_series_cpu %.1f percent\n",
	       (spent.append_cpu_ms + spent.maintain_cpu_ms) / (double)HOUR_MS * 100);
	printf("figure store_80000_series_append_max %.1f ms\n", spent.append_max_ms);
	printf("figure store_80000_series_maintain_max %.1f ms\n", spent.maintain_max_ms);
	printf("figure store_80000_series_maintain_cpu_max %.1f ms\n", spent.maintain_cpu_max_ms);
	printf("figure store_80000_series_rss %.0f MiB\n",
	       (double)usage.ru_maxrss / 1024 - (double)(BOARDS * sizeof(*b)) / (1 << 20));
	printf("figure store_80000_series_bytes_per_value %.3f bytes\n",
	       (double)size_of(s) / (double)(spent.rows * FIELDS_A_SAMPLE));
	free(b);
	free(rows);
	gm_store_close(s);
}

int main(int argc, char **argv)
{
	char own[] = "/var/tmp/gm-bench-XXXXXX";
	const char *dir = NULL;
	uint64_t rows = 20000000;
	bool large = false;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--large") == 0)
			large = true;
		else if (strcmp(argv[i], "--dir") == 0 && i + 1 < argc)
			dir = argv[++i];
		else if (strcmp(argv[i], "--rows") != 0 || i + 1 >= argc ||
			 !gm_parse_u64(gm_str(argv[++i]), 500000, 1000000000, &rows))
			return fprintf(stderr, "usage: bench-store [--dir DIR] [--rows N] [--large]\n"), 2;
	}
	if (!dir && !(dir = mkdtemp(own)))
		return perror("bench-store"), 1;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	bench_tick(dir);
	bench_size(dir, 10000);
	bench_size(dir, 30000);
	bench_chart(dir, (int64_t)rows);
	if (large)
		bench_large(dir);
	gm_store_close(store_new(dir)); /* leaves an empty one */
	return 0;
}
