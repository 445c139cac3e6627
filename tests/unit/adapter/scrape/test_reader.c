/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "adapter/scrape/agent-format.h"
#include "adapter/scrape/cache.h"

#define AT INT64_C(1764000000000)
#define BOARD (-1)
#define NONE 0

struct fixture {
	struct gm_page_reader *reader;
	struct gm_page_cache *cache;
	struct gm_buf body;
	struct gm_page_read read;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->reader = gm_page_reader_new();
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	gm_page_reader_free(f->reader);
	gm_page_cache_free(f->cache);
	gm_buf_fini(&f->body);
	free(f);
	return 0;
}

static void load_path(struct gm_buf *out, const char *name)
{
	char path[512];
	FILE *in;
	int c;

	(void)snprintf(path, sizeof(path), "%s/%s", getenv("SOURCE_ROOT"), name);
	in = fopen(path, "r");
	assert_non_null(in);
	gm_buf_reset(out);
	while ((c = getc(in)) != EOF)
		gm_buf_add_char(out, (char)c);
	(void)fclose(in);
}

static void load(struct gm_buf *out, const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "tests/data/dcgm/%s", name);
	load_path(out, path);
}

static int read_body(struct fixture *f)
{
	return gm_page_read(f->reader, &f->cache, gm_buf_str(&f->body), false, AT, &f->read, NULL);
}

static const struct gm_page *read_file(struct fixture *f, const char *name)
{
	load(&f->body, name);
	assert_int_equal(read_body(f), 0);
	assert_int_equal(f->read.bad_lines, 0);
	return &f->read.page;
}

static int read_text(struct fixture *f, const char *text)
{
	gm_buf_reset(&f->body);
	gm_buf_add_cstr(&f->body, text);
	return read_body(f);
}

/* What each sample says, by hand. gi: of a MIG instance, or BOARD. */
static const struct {
	const char *file;
	size_t device;
	int gi;
	enum gm_field field;
	enum gm_validity validity;
	int64_t value;
} expected[] = {
	{ "pods-2gpu.txt", 0, BOARD, GM_FIELD_UTILIZATION, GM_MEASURED, 8700 },
	{ "pods-2gpu.txt", 0, BOARD, GM_FIELD_MEMORY_COPY_UTILIZATION, GM_MEASURED, 4100 },
	{ "pods-2gpu.txt", 0, BOARD, GM_FIELD_ENCODER_UTILIZATION, GM_MEASURED, 0 },
	{ "pods-2gpu.txt", 0, BOARD, GM_FIELD_DECODER_UTILIZATION, GM_MEASURED, 500 },
	{ "pods-2gpu.txt", 0, BOARD, GM_FIELD_GR_ENGINE_ACTIVE, GM_MEASURED, 8712 },
	{ "pods-2gpu.txt", 0, BOARD, GM_FIELD_TENSOR_ACTIVE, GM_MEASURED, 2511 },
	{ "pods-2gpu.txt", 0, BOARD, GM_FIELD_DRAM_ACTIVE, GM_MEASURED, 4025 },
	{ "pods-2gpu.txt", 0, BOARD, GM_FIELD_SM_ACTIVE, GM_ABSENT, NONE },
	{ "pods-2gpu.txt", 0, BOARD, GM_FIELD_MEMORY_USED, GM_MEASURED, INT64_C(13054) << 20 },
	{ "pods-2gpu.txt", 0, BOARD, GM_FIELD_MEMORY_FREE, GM_MEASURED, INT64_C(2048) << 20 },
	{ "pods-2gpu.txt", 0, BOARD, GM_FIELD_TEMPERATURE, GM_MEASURED, 610 },
	{ "pods-2gpu.txt", 0, BOARD, GM_FIELD_MEMORY_TEMPERATURE, GM_UNSUPPORTED, NONE },
	{ "pods-2gpu.txt", 0, BOARD, GM_FIELD_POWER, GM_MEASURED, 68412 },
	{ "pods-2gpu.txt", 0, BOARD, GM_FIELD_ENERGY, GM_MEASURED, INT64_C(9022652123) },
	{ "pods-2gpu.txt", 0, BOARD, GM_FIELD_SM_CLOCK, GM_MEASURED, 1590 },
	{ "pods-2gpu.txt", 0, BOARD, GM_FIELD_MEMORY_CLOCK, GM_MEASURED, 5000 },
	{ "pods-2gpu.txt", 0, BOARD, GM_FIELD_PCIE_TX, GM_MEASURED, 123456789 },
	{ "pods-2gpu.txt", 0, BOARD, GM_FIELD_PCIE_RX, GM_MEASURED, 987654321 },
	{ "pods-2gpu.txt", 0, BOARD, GM_FIELD_NVLINK, GM_MEASURED, 0 },
	{ "pods-2gpu.txt", 0, BOARD, GM_FIELD_PCIE_REPLAY, GM_MEASURED, 3 },
	{ "pods-2gpu.txt", 0, BOARD, GM_FIELD_XID, GM_MEASURED, 0 },
	{ "pods-2gpu.txt", 0, BOARD, GM_FIELD_VGPU_LICENSE, GM_MEASURED, 0 },
	{ "pods-2gpu.txt", 1, BOARD, GM_FIELD_UTILIZATION, GM_MEASURED, 0 },
	{ "pods-2gpu.txt", 1, BOARD, GM_FIELD_XID, GM_MEASURED, 31 },
	{ "pods-2gpu.txt", 1, BOARD, GM_FIELD_POWER, GM_MEASURED, 9870 },

	{ "newest-labels.txt", 0, BOARD, GM_FIELD_UTILIZATION, GM_MEASURED, 9700 },
	{ "newest-labels.txt", 0, BOARD, GM_FIELD_MEMORY_RESERVED, GM_MEASURED, INT64_C(1014) << 20 },
	{ "newest-labels.txt", 0, BOARD, GM_FIELD_MEMORY_TEMPERATURE, GM_MEASURED, 830 },
	{ "newest-labels.txt", 0, BOARD, GM_FIELD_REMAPPED_UNCORRECTABLE, GM_MEASURED, 1 },
	{ "newest-labels.txt", 0, BOARD, GM_FIELD_REMAPPED_CORRECTABLE, GM_MEASURED, 2 },
	{ "newest-labels.txt", 0, BOARD, GM_FIELD_ROW_REMAP_FAILURE, GM_MEASURED, 0 },
	{ "newest-labels.txt", 0, BOARD, GM_FIELD_XID, GM_MEASURED, 79 },
	/* both directions, from the profiling fields; the coarser family beside them is left out */
	{ "newest-labels.txt", 0, BOARD, GM_FIELD_NVLINK, GM_MEASURED, INT64_C(201000000000) },

	{ "mig-4-instances.txt", 0, BOARD, GM_FIELD_POWER, GM_MEASURED, 214250 }, /* once, not four times */
	{ "mig-4-instances.txt", 0, BOARD, GM_FIELD_TEMPERATURE, GM_MEASURED, 410 },
	{ "mig-4-instances.txt", 0, BOARD, GM_FIELD_ENERGY, GM_MEASURED, 27151028 },
	{ "mig-4-instances.txt", 0, BOARD, GM_FIELD_UTILIZATION, GM_UNSUPPORTED, NONE },
	{ "mig-4-instances.txt", 0, BOARD, GM_FIELD_MEMORY_USED, GM_ABSENT, NONE },
	{ "mig-4-instances.txt", 0, 7, GM_FIELD_UTILIZATION, GM_DERIVED, 9999 },
	{ "mig-4-instances.txt", 0, 7, GM_FIELD_MEMORY_USED, GM_MEASURED, INT64_C(4384) << 20 },
	{ "mig-4-instances.txt", 0, 7, GM_FIELD_POWER, GM_ABSENT, NONE },
	{ "mig-4-instances.txt", 0, 7, GM_FIELD_TEMPERATURE, GM_ABSENT, NONE },
	{ "mig-4-instances.txt", 0, 8, GM_FIELD_UTILIZATION, GM_DERIVED, 0 },
	{ "mig-4-instances.txt", 0, 5, GM_FIELD_GR_ENGINE_ACTIVE, GM_MEASURED, 5000 },
	{ "mig-4-instances.txt", 0, 1, GM_FIELD_UTILIZATION, GM_DERIVED, 2500 },
	{ "mig-4-instances.txt", 0, 1, GM_FIELD_TENSOR_ACTIVE, GM_MEASURED, 3000 },

	{ "mig-parent-and-slices.txt", 0, BOARD, GM_FIELD_GR_ENGINE_ACTIVE, GM_MEASURED, 9956 },
	{ "mig-parent-and-slices.txt", 0, BOARD, GM_FIELD_UTILIZATION, GM_UNSUPPORTED, NONE },
	{ "mig-parent-and-slices.txt", 0, BOARD, GM_FIELD_POWER, GM_MEASURED, 409692 },
	{ "mig-parent-and-slices.txt", 0, BOARD, GM_FIELD_MEMORY_USED, GM_MEASURED, INT64_C(4845) << 20 },
	{ "mig-parent-and-slices.txt", 0, BOARD, GM_FIELD_XID, GM_MEASURED, 43 },
	{ "mig-parent-and-slices.txt", 0, 13, GM_FIELD_UTILIZATION, GM_DERIVED, 9957 },
	{ "mig-parent-and-slices.txt", 0, 14, GM_FIELD_UTILIZATION, GM_UNSUPPORTED, NONE },

	{ "mig-empty.txt", 0, BOARD, GM_FIELD_UTILIZATION, GM_UNSUPPORTED, NONE },
	{ "mig-empty.txt", 0, BOARD, GM_FIELD_POWER, GM_MEASURED, 75960 },
	{ "mig-empty.txt", 0, BOARD, GM_FIELD_GR_ENGINE_ACTIVE, GM_MEASURED, 0 },

	{ "old-names.txt", 0, BOARD, GM_FIELD_TEMPERATURE, GM_MEASURED, 550 },
	{ "old-names.txt", 0, BOARD, GM_FIELD_UTILIZATION, GM_MEASURED, 7300 },
	{ "old-names.txt", 0, BOARD, GM_FIELD_PCIE_TX, GM_MEASURED, 512000 },
	{ "old-names.txt", 1, 1, GM_FIELD_UTILIZATION, GM_DERIVED, 1250 },
	{ "old-names.txt", 1, 2, GM_FIELD_UTILIZATION, GM_DERIVED, 7500 },

	{ "exported.txt", 0, BOARD, GM_FIELD_UTILIZATION, GM_MEASURED, 5500 },

	{ "blanks.txt", 0, BOARD, GM_FIELD_UTILIZATION, GM_UNSUPPORTED, NONE },
	{ "blanks.txt", 0, BOARD, GM_FIELD_MEMORY_COPY_UTILIZATION, GM_ERROR, NONE },
	{ "blanks.txt", 0, BOARD, GM_FIELD_TEMPERATURE, GM_UNSUPPORTED, NONE },
	{ "blanks.txt", 0, BOARD, GM_FIELD_POWER, GM_ERROR, NONE },
	{ "blanks.txt", 0, BOARD, GM_FIELD_ENERGY, GM_ERROR, NONE },
	{ "blanks.txt", 0, BOARD, GM_FIELD_SM_CLOCK, GM_ERROR, NONE },
	{ "blanks.txt", 0, BOARD, GM_FIELD_MEMORY_USED, GM_ERROR, NONE },
	{ "blanks.txt", 0, BOARD, GM_FIELD_GR_ENGINE_ACTIVE, GM_ERROR, NONE },
	{ "blanks.txt", 0, BOARD, GM_FIELD_DRAM_ACTIVE, GM_MEASURED, 10000 },
	{ "blanks.txt", 0, BOARD, GM_FIELD_SM_ACTIVE, GM_UNSUPPORTED, NONE },
	{ "blanks.txt", 0, BOARD, GM_FIELD_MEMORY_CLOCK, GM_ERROR, NONE },
	{ "blanks.txt", 0, BOARD, GM_FIELD_PCIE_REPLAY, GM_MEASURED, INT64_C(5000000000) },
	{ "blanks.txt", 0, BOARD, GM_FIELD_ENCODER_UTILIZATION, GM_ERROR, NONE },
	{ "blanks.txt", 0, BOARD, GM_FIELD_DECODER_UTILIZATION, GM_ERROR, NONE },

	{ "shared.txt", 0, BOARD, GM_FIELD_UTILIZATION, GM_MEASURED, 6600 },
	{ "shared.txt", 0, BOARD, GM_FIELD_POWER, GM_MEASURED, 50000 },
	{ "shared.txt", 0, BOARD, GM_FIELD_RETIRED_PAGES, GM_MEASURED, 3 },

	{ "many-labels.txt", 0, BOARD, GM_FIELD_POWER_LIMIT, GM_MEASURED, 65500 }, /* the enforced one */
	{ "many-labels.txt", 0, BOARD, GM_FIELD_THROTTLE_REASONS, GM_MEASURED, 132 },
	{ "many-labels.txt", 0, BOARD, GM_FIELD_FAN, GM_MEASURED, 3500 },
	{ "many-labels.txt", 0, BOARD, GM_FIELD_POWER_VIOLATION, GM_MEASURED, 12345678 },
	{ "many-labels.txt", 0, BOARD, GM_FIELD_UTILIZATION, GM_DERIVED, 3300 },

	{ "agent.txt", 0, BOARD, GM_FIELD_UTILIZATION, GM_DERIVED, 3653 },
	{ "agent.txt", 0, BOARD, GM_FIELD_MEMORY_USED, GM_MEASURED, INT64_C(42949672960) },
	{ "agent.txt", 0, BOARD, GM_FIELD_TEMPERATURE, GM_MEASURED, 610 }, /* not DCGM's 99 */
	{ "agent.txt", 0, BOARD, GM_FIELD_POWER, GM_MEASURED, 412507 },
	{ "agent.txt", 0, BOARD, GM_FIELD_ENERGY, GM_MEASURED, 123456789 },
	{ "agent.txt", 0, BOARD, GM_FIELD_SM_CLOCK, GM_MEASURED, 1980 },
	{ "agent.txt", 0, BOARD, GM_FIELD_POWER_VIOLATION, GM_MEASURED, 1500000000 },
	{ "agent.txt", 0, BOARD, GM_FIELD_THROTTLE_REASONS, GM_MEASURED, 4 },
	{ "agent.txt", 0, BOARD, GM_FIELD_ENCODER_UTILIZATION, GM_UNSUPPORTED, NONE },
	{ "agent.txt", 0, 2, GM_FIELD_UTILIZATION, GM_MEASURED, 8523 },
	{ "agent.txt", 0, 2, GM_FIELD_MEMORY_USED, GM_MEASURED, 1073741824 },
	{ "agent.txt", 0, 2, GM_FIELD_DRAM_ACTIVE, GM_ERROR, NONE },
};

static const struct gm_sample *sample_of(const struct gm_page *page, size_t device, int gi)
{
	const struct gm_obs_device *d = &page->devices[device];

	assert_true(device < page->device_count);
	if (gi == BOARD)
		return &d->sample;
	for (size_t i = 0; i < d->instances_count; i++) {
		if (page->instances[d->instances_first + i].gi_id == gi)
			return &page->instances[d->instances_first + i].sample;
	}
	fail_msg("no instance %d", gi);
	return NULL;
}

static void check_row(struct fixture *f, size_t i)
{
	const struct gm_sample *s = sample_of(&f->read.page, expected[i].device, expected[i].gi);
	enum gm_field field = expected[i].field;
	bool has = expected[i].validity == GM_MEASURED || expected[i].validity == GM_DERIVED;

	if (s->validity[field] != expected[i].validity || s->value[field] != expected[i].value)
		fail_msg("%s device %zu gi %d field %s: %s %lld", expected[i].file, expected[i].device, expected[i].gi,
			 gm_field_table[field].name, gm_validity_name(s->validity[field]), (long long)s->value[field]);
	assert_int_equal(gm_sample_has(s, field), has);
}

static void test_reader_understands_every_form(void **state)
{
	struct fixture *f = *state;
	const char *file = "";

	for (size_t i = 0; i < GM_LEN(expected); i++) {
		if (strcmp(file, expected[i].file) != 0) {
			file = expected[i].file;
			(void)read_file(f, file);
			assert_true(f->read.learnt);
		}
		check_row(f, i);
	}
}

/* The second time nothing is learnt, and everything is as the first time. */
static void test_reader_reads_known_pages_alike(void **state)
{
	struct fixture *f = *state;
	const char *file = "";

	for (size_t i = 0; i < GM_LEN(expected); i++) {
		if (strcmp(file, expected[i].file) != 0) {
			file = expected[i].file;
			(void)read_file(f, file);
			(void)read_file(f, file);
			assert_false(f->read.learnt);
		}
		check_row(f, i);
	}
}

static void test_reader_takes_facts_of_a_board(void **state)
{
	struct fixture *f = *state;
	const struct gm_page *page = read_file(f, "newest-labels.txt");
	const struct gm_obs_device *d = &page->devices[0];

	assert_int_equal(page->kind, GM_PAGE_DCGM);
	assert_true(gm_str_is(page->node, "node-a"));
	assert_int_equal(page->device_count, 1);
	assert_int_equal(page->at_ms, AT);
	assert_int_equal(d->sample.at_ms, AT);
	assert_true(gm_str_is(d->uuid, "GPU-a0000002-1111-2222-3333-0123456789ab"));
	assert_true(gm_str_is(d->pci_bus_id, "00000000:17:00.0"));
	assert_true(gm_str_is(d->product_name, "NVIDIA H100 80GB HBM3"));
	assert_true(gm_str_is(d->driver_version, "580.65.06"));
	assert_true(gm_str_is(d->serial, "1650023000123"));
	assert_int_equal(d->index, 2);
	assert_int_equal(d->mig_mode, GM_MIG_OFF);
	assert_int_equal(d->memory_total_bytes, (INT64_C(70012) + 10533 + 1014) * (1 << 20));
	assert_int_equal(d->temperature_limit_c, -1);
	assert_int_equal(d->sample.source[GM_FIELD_POWER], GM_SOURCE_DCGM);
	assert_int_equal(d->pods_count, 1);
	assert_true(gm_str_is(page->pods[d->pods_first].namespace_, "serving"));
	assert_true(gm_str_is(page->pods[d->pods_first].pod, "llm-0"));
	assert_true(gm_str_is(page->pods[d->pods_first].container, "srv"));
	assert_true(gm_str_is(page->pods[d->pods_first].uid, "0b1c2d3e-0000-4000-8000-000000000001"));
}

static void test_reader_counts_empty_labels_as_absent(void **state)
{
	struct fixture *f = *state;
	const struct gm_page *page = read_file(f, "pods-2gpu.txt");

	assert_int_equal(page->device_count, 2);
	assert_int_equal(page->devices[0].pods_count, 1);
	assert_true(gm_str_is(page->pods[page->devices[0].pods_first].pod, "bert-0"));
	assert_int_equal(page->devices[1].pods_count, 0);
	assert_int_equal(page->devices[1].index, 1);
	assert_int_equal(f->read.samples, 42);
	page = read_file(f, "many-labels.txt");
	assert_true(gm_str_is(page->devices[0].product_name, "Tesla T4"));
	assert_true(gm_str_is(page->devices[0].serial, "1565220001234"));
	assert_int_equal(page->devices[0].temperature_limit_c, 93);
	assert_int_equal(page->devices[0].memory_total_bytes, INT64_C(15109) << 20);
	assert_int_equal(page->device_count, 1);
}

static void test_reader_takes_instances_apart_from_their_board(void **state)
{
	static const struct {
		int gi;
		const char *profile;
		int64_t total_mib;
	} rows[] = { { 7, "1g.5gb", 4864 }, { 8, "1g.5gb", 4864 }, { 5, "2g.10gb", 9856 }, { 1, "3g.20gb", 19968 } };
	struct fixture *f = *state;
	const struct gm_page *page = read_file(f, "mig-4-instances.txt");

	assert_int_equal(page->device_count, 1);
	assert_int_equal(page->instance_count, 4);
	assert_int_equal(page->devices[0].instances_count, 4);
	assert_int_equal(page->devices[0].mig_mode, GM_MIG_ON);
	assert_int_equal(page->devices[0].memory_total_bytes, -1);
	for (size_t i = 0; i < 4; i++) {
		const struct gm_obs_instance *it = &page->instances[i];

		assert_int_equal(it->gi_id, rows[i].gi);
		assert_int_equal(it->ci_id, 0);
		assert_true(gm_str_is(it->profile, rows[i].profile));
		assert_int_equal(it->uuid.n, 0);
		assert_int_equal(it->placement_start, -1);
		assert_int_equal(it->memory_total_bytes, rows[i].total_mib << 20);
		assert_int_equal(it->pods_count, 0);
	}
	page = read_file(f, "mig-empty.txt");
	assert_int_equal(page->devices[0].mig_mode, GM_MIG_ON);
	assert_int_equal(page->instance_count, 0);
	page = read_file(f, "old-names.txt");
	assert_int_equal(page->device_count, 2);
	assert_int_equal(page->devices[0].mig_mode, GM_MIG_OFF);
	assert_int_equal(page->devices[1].mig_mode, GM_MIG_ON);
	assert_int_equal(page->node.n, 0);
	assert_int_equal(page->instances[1].pods_count, 1);
	assert_true(gm_str_is(page->pods[page->instances[1].pods_first].pod, "p-1"));
	assert_true(gm_str_is(page->pods[page->instances[1].pods_first].namespace_, "ns"));
}

static void test_reader_knows_the_exporters_own_pod(void **state)
{
	struct fixture *f = *state;
	const struct gm_page *page = read_file(f, "exported.txt");

	assert_int_equal(page->device_count, 2);
	assert_int_equal(page->pod_count, 1);
	assert_int_equal(page->devices[0].pods_count, 1);
	assert_true(gm_str_is(page->pods[0].pod, "web-1"));
	assert_true(gm_str_is(page->pods[0].namespace_, "shop"));
	assert_true(gm_str_is(page->pods[0].container, "infer"));
	assert_int_equal(page->devices[1].pods_count, 0);
}

static void test_reader_gives_a_shared_board_all_its_pods(void **state)
{
	struct fixture *f = *state;
	const struct gm_page *page = read_file(f, "shared.txt");

	assert_int_equal(page->device_count, 1);
	assert_int_equal(page->devices[0].pods_count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(page->pods[i].pod.p[0], 'a' + (int)i);
}

static void test_reader_takes_the_agents_page(void **state)
{
	struct fixture *f = *state;
	const struct gm_page *page = read_file(f, "agent.txt");
	const struct gm_obs_device *d = &page->devices[0];
	const struct gm_obs_instance *it = &page->instances[0];

	assert_int_equal(page->kind, GM_PAGE_AGENT);
	assert_true(gm_str_is(page->node, "node-d"));
	assert_int_equal(page->device_count, 1);
	assert_int_equal(page->instance_count, 1);
	assert_int_equal(d->index, 5);
	assert_int_equal(d->mig_mode, GM_MIG_ON);
	assert_true(gm_str_is(d->product_name, "NVIDIA H100 80GB HBM3"));
	assert_true(gm_str_is(d->driver_version, "580.65.06"));
	assert_true(gm_str_is(d->serial, "1650023000999"));
	assert_int_equal(d->memory_total_bytes, INT64_C(85520809984));
	assert_int_equal(d->temperature_limit_c, 89);
	assert_int_equal(d->sample.at_ms, INT64_C(1764000000250));
	assert_int_equal(d->sample.source[GM_FIELD_POWER], GM_SOURCE_NVML);
	assert_int_equal(it->gi_id, 2);
	assert_int_equal(it->ci_id, 0);
	assert_true(gm_str_is(it->uuid, "MIG-c0000000-1111-2222-3333-0123456789ab"));
	assert_true(gm_str_is(it->profile, "3g.40gb"));
	assert_int_equal(it->placement_start, 4);
	assert_int_equal(it->placement_size, 4);
	assert_int_equal(it->sample.at_ms, INT64_C(1764000000250));
	assert_int_equal(it->sample.source[GM_FIELD_UTILIZATION], GM_SOURCE_GPM);
	assert_int_equal(it->pods_count, 1);
	assert_true(gm_str_is(page->pods[it->pods_first].uid, "u-1"));
}

static void test_reader_takes_an_agent_without_devices(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(read_text(f, "gpu_agent_info{version=\"1\",hostname=\"n\"} 1\n"), 0);
	assert_int_equal(f->read.page.kind, GM_PAGE_AGENT);
	assert_int_equal(f->read.page.device_count, 0);
	assert_true(gm_str_is(f->read.page.node, "n"));
}

/* Every family of the agent's table reaches its field, in its unit. */
static void test_reader_reads_every_agent_family(void **state)
{
	static const struct {
		const char *name;
		enum gm_field field;
	} rows[] = {
#define ROW(f_, name_, unit, type, help) { GM_AGENT_PREFIX name_, GM_FIELD_##f_ },
		GM_AGENT_FAMILY_LIST(ROW)
#undef ROW
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < GM_LEN(rows); i++) {
		char text[256];
		const struct gm_sample *s;

		(void)snprintf(text, sizeof(text), "%s{uuid=\"GPU-1\"} 1\n", rows[i].name);
		assert_int_equal(read_text(f, text), 0);
		s = &f->read.page.devices[0].sample;
		assert_int_equal(s->valid, UINT64_C(1) << rows[i].field);
		assert_int_equal(s->validity[rows[i].field], GM_MEASURED);
		if (strstr(rows[i].name, "_ratio"))
			assert_int_equal(s->value[rows[i].field], 10000);
		else if (strstr(rows[i].name, "_celsius"))
			assert_int_equal(s->value[rows[i].field], 10);
		else if (strstr(rows[i].name, "_watts") || strstr(rows[i].name, "_joules"))
			assert_int_equal(s->value[rows[i].field], 1000);
		else if (strstr(rows[i].name, "violation_seconds"))
			assert_int_equal(s->value[rows[i].field], 1000000000);
		else
			assert_int_equal(s->value[rows[i].field], strstr(rows[i].name, "_hertz") ? 0 : 1);
	}
}

static void test_reader_docs_have_every_agent_family(void **state)
{
	static const struct {
		const char *name, *type, *help;
	} rows[] = {
#define GAUGE "gauge"
#define COUNTER "counter"
#define ROW(f_, name_, unit, type_, help_) { GM_AGENT_PREFIX name_, type_, help_ },
		GM_AGENT_FAMILY_LIST(ROW)
#undef ROW
#undef GAUGE
#undef COUNTER
	};
	struct fixture *f = *state;

	load_path(&f->body, "docs/agent-metrics.md");
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		char line[256];

		(void)snprintf(line, sizeof(line), "| `%s` | %s | `", rows[i].name, rows[i].type);
		if (!strstr(gm_buf_cstr(&f->body), line) || !strstr(gm_buf_cstr(&f->body), rows[i].help))
			fail_msg("docs/agent-metrics.md: no line for %s", rows[i].name);
	}
}

static void test_reader_follows_changed_values_and_moved_lines(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(read_text(f, "DCGM_FI_DEV_GPU_UTIL{UUID=\"GPU-1\"} 10\n"
				      "DCGM_FI_DEV_GPU_UTIL{UUID=\"GPU-2\"} 20\n"
				      "DCGM_FI_DEV_GPU_TEMP{UUID=\"GPU-1\"} 30\n"),
			 0);
	assert_true(f->read.learnt);
	assert_int_equal(read_text(f, "DCGM_FI_DEV_GPU_TEMP{UUID=\"GPU-1\"} 33\n"
				      "DCGM_FI_DEV_GPU_UTIL{UUID=\"GPU-2\"} 22\n"
				      "DCGM_FI_DEV_GPU_UTIL{UUID=\"GPU-1\"} 11\n"),
			 0);
	assert_false(f->read.learnt);
	assert_int_equal(f->read.page.devices[0].sample.value[GM_FIELD_UTILIZATION], 1100);
	assert_int_equal(f->read.page.devices[1].sample.value[GM_FIELD_UTILIZATION], 2200);
	assert_int_equal(f->read.page.devices[0].sample.value[GM_FIELD_TEMPERATURE], 330);
}

static void test_reader_learns_what_is_new_gone_or_doubled(void **state)
{
	static const struct {
		const char *text;
		size_t devices;
	} rows[] = {
		{ "DCGM_FI_DEV_GPU_UTIL{UUID=\"GPU-1\"} 1\nDCGM_FI_DEV_GPU_UTIL{UUID=\"GPU-2\"} 2\n", 2 },
		{ "DCGM_FI_DEV_GPU_UTIL{UUID=\"GPU-2\"} 2\n", 1 },
		{ "DCGM_FI_DEV_GPU_UTIL{UUID=\"GPU-2\"} 2\nDCGM_FI_DEV_GPU_UTIL{UUID=\"GPU-3\"} 2\n", 2 },
		{ "DCGM_FI_DEV_GPU_UTIL{UUID=\"GPU-2\"} 2\nDCGM_FI_DEV_GPU_UTIL{UUID=\"GPU-2\"} 2\n", 1 },
		{ "gpu_agent_power_watts{uuid=\"GPU-9\"} 2\nDCGM_FI_DEV_GPU_UTIL{UUID=\"GPU-2\"} 2\n", 1 },
		{ "DCGM_FI_DEV_GPU_UTIL{UUID=\"GPU-2\"} 2\n", 1 },
		{ "DCGM_FI_DEV_GPU_UTIL{UUID=\"GPU-2\"} 2\ngpu_agent_power_watts{uuid=\"GPU-9\"} 2\n", 1 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < GM_LEN(rows); i++) {
		assert_int_equal(read_text(f, rows[i].text), 0);
		assert_true(f->read.learnt);
		assert_int_equal(f->read.page.device_count, rows[i].devices);
		assert_int_equal(f->read.page.kind, strstr(rows[i].text, "gpu_agent_") ? GM_PAGE_AGENT : GM_PAGE_DCGM);
	}
}

static void test_reader_passes_over_malformed_lines_and_says_so(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(read_text(f, "DCGM_FI_DEV_GPU_UTIL{UUID=\"GPU-1\"} 1\n"
				      "DCGM_FI_DEV_GPU_TEMP{UUID=\"GPU-1\" 30\n"
				      "DCGM_FI_DEV_POWER_USAGE{UUID=\"GPU-1\"} 12"),
			 0);
	assert_int_equal(f->read.bad_lines, 2);
	assert_string_equal(f->read.bad.where, "line 2");
	assert_int_equal(f->read.page.devices[0].sample.valid, UINT64_C(1) << GM_FIELD_UTILIZATION);
}

static void test_reader_refuses_what_is_no_page(void **state)
{
	struct fixture *f = *state;
	struct gm_err err = { 0 };

	assert_int_equal(read_text(f, ""), GM_ERR_PARSE);
	assert_int_equal(read_text(f, "go_goroutines 5\n"), GM_ERR_PARSE);
	assert_int_equal(read_text(f, "<html>\n<body>hello</body>\n"), GM_ERR_PARSE);
	gm_buf_reset(&f->body);
	for (int i = 0; i < 100000; i++)
		gm_buf_add(&f->body, "\x01\x80\n", 3);
	assert_int_equal(gm_page_read(f->reader, &f->cache, gm_buf_str(&f->body), false, AT, &f->read, &err),
			 GM_ERR_PARSE);
	assert_non_null(strstr(err.text, "more than 100 malformed lines, the first: line 1"));
	assert_null(f->cache);
}

static void test_reader_holds_its_limits(void **state)
{
	struct fixture *f = *state;

	gm_buf_reset(&f->body);
	for (int i = 0; i < GM_PAGE_DEVICES_MAX; i++)
		gm_buf_addf(&f->body, "DCGM_FI_DEV_GPU_UTIL{UUID=\"GPU-%d\"} 1\n", i);
	assert_int_equal(read_body(f), 0);
	gm_buf_add_cstr(&f->body, "DCGM_FI_DEV_GPU_UTIL{UUID=\"GPU-more\"} 1\n");
	assert_int_equal(read_body(f), GM_ERR_TOO_LARGE);
	gm_buf_reset(&f->body);
	for (int i = 0; i <= GM_PAGE_DEVICE_INSTANCES_MAX; i++)
		gm_buf_addf(&f->body, "DCGM_FI_DEV_FB_USED{UUID=\"GPU-1\",GPU_I_ID=\"%d\"} 1\n", i);
	assert_int_equal(read_body(f), GM_ERR_TOO_LARGE);
	gm_buf_reset(&f->body);
	for (int i = 0; i <= GM_PAGE_LINES_MAX; i++)
		gm_buf_addf(&f->body, "DCGM_X{a=\"%d\"} 1\n", i);
	assert_int_equal(read_body(f), GM_ERR_TOO_LARGE);
}

/* Parts rounded to MiB waver; a size that does is not news. A new size is, and it outlives a page learnt anew. */
static void test_reader_keeps_a_boards_size_steady(void **state)
{
	static const struct {
		const char *text;
		int64_t mib;
	} rows[] = {
		{ "DCGM_FI_DEV_FB_USED{UUID=\"GPU-1\"} 10\nDCGM_FI_DEV_FB_FREE{UUID=\"GPU-1\"} 90\n", 100 },
		{ "DCGM_FI_DEV_FB_USED{UUID=\"GPU-1\"} 11\nDCGM_FI_DEV_FB_FREE{UUID=\"GPU-1\"} 90\n", 100 },
		{ "DCGM_FI_DEV_FB_FREE{UUID=\"GPU-1\",pod=\"p\"} 52\nDCGM_FI_DEV_FB_USED{UUID=\"GPU-1\",pod=\"p\"} "
		  "51\n",
		  100 },
		{ "DCGM_FI_DEV_FB_FREE{UUID=\"GPU-1\",pod=\"q\"} 52\n", 100 },
		{ "DCGM_FI_DEV_FB_USED{UUID=\"GPU-1\"} 10\nDCGM_FI_DEV_FB_FREE{UUID=\"GPU-1\"} 120\n", 130 },
		{ "DCGM_FI_DEV_FB_USED{UUID=\"GPU-2\"} 10\nDCGM_FI_DEV_FB_FREE{UUID=\"GPU-2\"} 121\n", 131 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < GM_LEN(rows); i++) {
		assert_int_equal(read_text(f, rows[i].text), 0);
		assert_int_equal(f->read.page.devices[0].memory_total_bytes, rows[i].mib << 20);
	}
}

static void test_reader_remembers_little(void **state)
{
	struct fixture *f = *state;

	(void)read_file(f, "pods-2gpu.txt");
	/* 42 lines of 16 bytes and the facts of two boards and a pod. */
	assert_true(gm_page_cache_bytes(f->cache) < 42 * 16 + 700);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reader_understands_every_form, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_reads_known_pages_alike, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_takes_facts_of_a_board, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_counts_empty_labels_as_absent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_takes_instances_apart_from_their_board, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_knows_the_exporters_own_pod, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_gives_a_shared_board_all_its_pods, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_takes_the_agents_page, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_takes_an_agent_without_devices, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_reads_every_agent_family, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_docs_have_every_agent_family, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_follows_changed_values_and_moved_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_learns_what_is_new_gone_or_doubled, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_passes_over_malformed_lines_and_says_so, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_refuses_what_is_no_page, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_holds_its_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_keeps_a_boards_size_steady, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_remembers_little, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
