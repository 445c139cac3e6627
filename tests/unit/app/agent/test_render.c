/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "adapter/scrape/agent-format.h"
#include "adapter/scrape/reader.h"
#include "adapter/scrape/unit.h"
#include "app/agent/mig-manager.h"
#include "app/agent/render.h"
#include "base/clock.h"
#include "views.h"

struct fixture {
	struct gm_agent_view *view;
	struct gm_render *render;
	struct gm_render_input in;
	struct gm_buf text;
	struct gm_page_reader *reader;
	struct gm_page_cache *cache;
	struct gm_page_read read;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->view = view_new(2, 3);
	f->render = gm_render_new();
	f->reader = gm_page_reader_new();
	f->in = (struct gm_render_input){ .view = f->view,
					  .node_name = "worker-1",
					  .mono_ms = VIEW_MONO,
					  .window_ms = 30000,
					  .healthy = true,
					  .mig_ready = 1 };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	free(f->view);
	gm_render_free(f->render);
	gm_page_reader_free(f->reader);
	gm_page_cache_free(f->cache);
	gm_buf_fini(&f->text);
	free(f);
	return 0;
}

static const char *render(struct fixture *f)
{
	gm_buf_reset(&f->text);
	gm_render_metrics(f->render, &f->in, GM_PROMTEXT_004, &f->text);
	assert_false(f->text.failed);
	return gm_buf_cstr(&f->text);
}

static const struct gm_page *reread(struct fixture *f)
{
	struct gm_err err;

	render(f);
	if (gm_page_read(f->reader, &f->cache, gm_buf_str(&f->text), false, VIEW_AT + 5000, &f->read, &err))
		fail_msg("%s: %s", err.where, err.text);
	assert_int_equal(f->read.bad_lines, 0);
	f->read.page.target = GM_STR("http://worker-1:9410/metrics");
	f->read.page.cluster = GM_STR("default");
	f->read.page.interval_ms = 15000;
	if (gm_page_check(&f->read.page, &err))
		fail_msg("%s: %s", err.where, err.text);
	return &f->read.page;
}

static void read_docs(struct gm_buf *out)
{
	char path[512];
	FILE *in;
	int c;

	(void)snprintf(path, sizeof(path), "%s/docs/agent-metrics.md", getenv("SOURCE_ROOT"));
	in = fopen(path, "r");
	assert_non_null(in);
	while ((c = getc(in)) != EOF)
		gm_buf_add_char(out, (char)c);
	(void)fclose(in);
}

static void show(struct fixture *f, const char *line)
{
	if (!strstr(render(f), line))
		fail_msg("no line '%s'", line);
}

static void hide(struct fixture *f, const char *line)
{
	if (strstr(render(f), line))
		fail_msg("a line '%s'", line);
}

static void test_render_says_who_it_is(void **state)
{
	struct fixture *f = *state;

	show(f, "gpu_agent_info{version=\"" GM_VERSION "\",hostname=\"worker-1\"} 1\n");
	show(f, "\ngpu_agent_state{state=\"working\"} 1\n");
	show(f, "\ngpu_agent_state{state=\"paused\"} 0\n");
	show(f, "\ngpu_agent_up 1\n");
	f->in.healthy = false;
	show(f, "\ngpu_agent_up 0\n");
}

static void test_render_facts_reach_the_reader(void **state)
{
	struct fixture *f = *state;
	const struct gm_page *page = reread(f);

	assert_int_equal(page->kind, GM_PAGE_AGENT);
	assert_true(gm_str_is(page->node, "worker-1"));
	assert_int_equal(page->device_count, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct gm_obs_device *d = &page->devices[i];
		const struct gm_reading_facts *facts = &f->view->boards[i].reading.facts;

		assert_true(gm_str_is(d->uuid, facts->uuid));
		assert_true(gm_str_is(d->pci_bus_id, facts->pci_bus_id));
		assert_true(gm_str_is(d->product_name, facts->name));
		assert_true(gm_str_is(d->driver_version, facts->driver_version));
		assert_true(gm_str_is(d->serial, facts->serial));
		assert_int_equal(d->index, facts->index);
		assert_int_equal(d->mig_mode, GM_MIG_ON);
		assert_int_equal(d->memory_total_bytes, facts->memory_total_bytes);
		assert_int_equal(d->temperature_limit_c, 90);
		assert_false(d->driver_hung);
		assert_int_equal(d->instances_count, 3);
		for (size_t k = 0; k < 3; k++) {
			const struct gm_obs_instance *it = &gm_page_instances(page, d)[k];
			const struct gm_reading_instance *mine = &f->view->boards[i].reading.instances[k];

			assert_int_equal(it->gi_id, mine->gi);
			assert_int_equal(it->ci_id, mine->ci);
			assert_true(gm_str_is(it->uuid, mine->uuid));
			assert_true(gm_str_is(it->profile, mine->profile));
			assert_int_equal(it->placement_start, mine->start);
			assert_int_equal(it->placement_size, mine->size);
			assert_int_equal(it->memory_total_bytes, mine->memory_bytes);
		}
	}
}

/* What the reader takes of a family, so that random values are those a board can have. */
static int64_t value_max(enum gm_field field)
{
	static const uint8_t units[] = {
#define UNIT(field_, name, unit, type, help) [GM_FIELD_##field_] = GM_UNIT_##unit,
		GM_AGENT_FAMILY_LIST(UNIT)
#undef UNIT
	};
	const struct gm_unit_info *u = &gm_unit_table[units[field]];

	return u->max * u->mul / u->div;
}

static void random_sample(struct gm_sample *s, uint64_t *seed)
{
	*s = (struct gm_sample){ .at_ms = VIEW_AT - (int64_t)(view_random(seed) % 100000) };
	for (unsigned i = 0; i < GM_FIELD_COUNT; i++) {
		const enum gm_field field = (enum gm_field)i;
		const enum gm_source source = view_random(seed) % 2 ? GM_SOURCE_GPM : GM_SOURCE_NVML;
		const int64_t value = (int64_t)(view_random(seed) % (uint64_t)(value_max(field) + 1));

		switch (view_random(seed) % 8) {
		case 0:
			break; /* absent */
		case 1:
			gm_sample_miss(s, field, GM_UNSUPPORTED, source);
			break;
		case 2:
			gm_sample_miss(s, field, GM_ERROR, source);
			break;
		case 3:
			gm_sample_set(s, field, value, GM_DERIVED, source);
			break;
		case 4:
			gm_sample_set(s, field, value, GM_ESTIMATED, source);
			break;
		default:
			gm_sample_set(s, field, view_random(seed) % 3 ? value : 0, GM_MEASURED, source);
		}
	}
}

static void same_sample(const struct gm_sample *want, const struct gm_sample *have)
{
	assert_int_equal(have->at_ms, want->at_ms);
	assert_int_equal(have->valid, want->valid);
	for (unsigned i = 0; i < GM_FIELD_COUNT; i++) {
		if (have->value[i] != want->value[i] || have->validity[i] != want->validity[i] ||
		    have->source[i] != want->source[i])
			fail_msg("%s: %lld %s %s became %lld %s %s", gm_field_table[i].name, (long long)want->value[i],
				 gm_validity_name(want->validity[i]), gm_source_name(want->source[i]),
				 (long long)have->value[i], gm_validity_name(have->validity[i]),
				 gm_source_name(have->source[i]));
	}
}

static void test_render_every_value_validity_and_source_comes_back(void **state)
{
	struct fixture *f = *state;
	uint64_t seed = 20261125;

	for (int round = 0; round < 300; round++) {
		for (unsigned i = 0; i < 2; i++) {
			random_sample(&f->view->boards[i].reading.sample, &seed);
			for (unsigned k = 0; k < 3; k++)
				random_sample(&f->view->boards[i].reading.instances[k].sample, &seed);
		}
		const struct gm_page *page = reread(f);
		assert_int_equal(page->device_count, 2);
		for (unsigned i = 0; i < 2; i++) {
			same_sample(&f->view->boards[i].reading.sample, &page->devices[i].sample);
			for (unsigned k = 0; k < 3; k++)
				same_sample(&f->view->boards[i].reading.instances[k].sample,
					    &gm_page_instances(page, &page->devices[i])[k].sample);
		}
	}
}

static void test_render_hung_board_keeps_its_values_and_their_time(void **state)
{
	struct fixture *f = *state;
	struct gm_agent_board *b = &f->view->boards[1];

	b->state = GM_BOARD_HUNG;
	b->reading.sample.at_ms = VIEW_AT - 60000;
	const struct gm_page *page = reread(f);
	assert_false(page->devices[0].driver_hung);
	assert_true(page->devices[1].driver_hung);
	same_sample(&b->reading.sample, &page->devices[1].sample);
	show(f, "gpu_agent_device_state{uuid=\"GPU-00000000-0000-4000-8000-000000000001\",state=\"hung\"} 1\n");
	show(f, "gpu_agent_device_state{uuid=\"GPU-00000000-0000-4000-8000-000000000001\",state=\"ok\"} 0\n");
}

static void test_render_shows_no_values_while_nobody_measures(void **state)
{
	static const struct {
		enum gm_agent_state state;
		bool values;
	} rows[] = {
		{ GM_AGENT_STARTING, false },	{ GM_AGENT_WORKING, true },    { GM_AGENT_PAUSED, false },
		{ GM_AGENT_NO_LIBRARY, false }, { GM_AGENT_NO_DRIVER, false }, { GM_AGENT_HUNG, true },
	};
	struct fixture *f = *state;

	_Static_assert(GM_LEN(rows) == GM_AGENT_STATES, "each state of the agent has a row");
	for (size_t i = 0; i < GM_LEN(rows); i++) {
		f->view->state = rows[i].state;
		(rows[i].values ? show : hide)(f, "\ngpu_agent_power_watts{");
		(rows[i].values ? show : hide)(f, "\ngpu_agent_power_watts_window_max{");
		(rows[i].values ? show : hide)(f, "\ngpu_agent_sample_timestamp_seconds{");
		show(f, "\ngpu_agent_device_info{");
		show(f, "\ngpu_agent_memory_total_bytes{");
	}
}

static void test_render_window_shows_a_spike(void **state)
{
	struct fixture *f = *state;
	struct gm_sample *s = &f->view->boards[0].reading.sample;

	f->view->boards[0].window = (struct gm_window){ 0 };
	for (int i = 0; i < 10; i++) {
		s->value[GM_FIELD_POWER] = i == 4 ? 690000 : 100000;
		gm_window_add(&f->view->boards[0].window, 30000, 1000000 + i * 1000, s);
	}
	f->in.mono_ms = 1010000;
#define LABELS "{uuid=\"GPU-00000000-0000-4000-8000-000000000000\"} "
	show(f, "gpu_agent_power_watts" LABELS "100\n");
	show(f, "gpu_agent_power_watts_window_min" LABELS "100\n");
	show(f, "gpu_agent_power_watts_window_avg" LABELS "159\n");
	show(f, "gpu_agent_power_watts_window_max" LABELS "690\n");
}

static void test_render_facts_not_told_have_no_line(void **state)
{
	struct fixture *f = *state;
	struct gm_reading *r = &f->view->boards[0].reading;

	f->view->board_count = 1;
	show(f, "gpu_agent_performance_state{");
	show(f, "gpu_agent_temperature_margin_celsius{");
	show(f, "gpu_agent_temperature_margin_shutdown_celsius" LABELS "-8\n");
	hide(f, "gpu_agent_temperature_margin_operating_celsius{");
	show(f, "gpu_agent_power_limit_min_watts" LABELS "200\n");
	show(f, "gpu_agent_sm_clock_max_hertz" LABELS "1980000000\n");
	hide(f, "gpu_agent_xid_last_timestamp_seconds{");
	r->pstate = -1;
	r->margin_c = INT32_MIN;
	r->facts.tlimit_shutdown_c = INT32_MIN;
	r->facts.power_min_mw = -1;
	r->facts.max_sm_mhz = -1;
	f->view->boards[0].xid_at_ms = VIEW_AT - 500;
	hide(f, "gpu_agent_performance_state");
	hide(f, "gpu_agent_temperature_margin_celsius");
	hide(f, "gpu_agent_temperature_margin_shutdown_celsius");
	hide(f, "gpu_agent_power_limit_min_watts");
	hide(f, "gpu_agent_sm_clock_max_hertz");
	show(f, "gpu_agent_xid_last_timestamp_seconds" LABELS "1763999999.5\n");
}

static void test_render_survives_what_a_broken_driver_says(void **state)
{
	struct fixture *f = *state;
	struct gm_reading *a = &f->view->boards[0].reading;

	/* texts: quotes, line ends, bytes that are no UTF-8 */
	(void)snprintf(a->facts.name, sizeof(a->facts.name), "a\"b\\c\nz\x01\xff\xc2\x85 \xc3\xa9");
	assert_true(gm_str_is(reread(f)->devices[0].product_name, "a\"b\\c?z??? \xc3\xa9"));
	/* the same instance and the same board twice */
	a->instances[2].gi = a->instances[0].gi;
	assert_int_equal(reread(f)->devices[0].instances_count, 2);
	memcpy(f->view->boards[1].reading.facts.uuid, a->facts.uuid, sizeof(a->facts.uuid));
	assert_int_equal(reread(f)->device_count, 1);
	/* a board not met yet has no name to be shown under */
	f->view->boards[1].reading.facts.uuid[0] = '\0';
	f->view->boards[1].state = GM_BOARD_NEW;
	assert_int_equal(reread(f)->device_count, 1);
	show(f, "\ngpu_agent_boards 2\n");
	/* numbers */
	gm_sample_set(&a->sample, GM_FIELD_SM_CLOCK, INT64_MAX, GM_MEASURED, GM_SOURCE_NVML);
	gm_sample_set(&a->sample, GM_FIELD_POWER, -1, GM_MEASURED, GM_SOURCE_NVML);
	assert_int_equal(reread(f)->devices[0].sample.validity[GM_FIELD_SM_CLOCK], GM_ERROR);
	assert_int_equal(f->read.page.devices[0].sample.validity[GM_FIELD_POWER], GM_ERROR);
}

static void test_render_pods_and_processes(void **state)
{
	static const struct gm_holder items[] = {
		{ .board = 0,
		  .gi = -1,
		  .ci = -1,
		  .kind = GM_HOLDER_POD,
		  .namespace_ = "team-a",
		  .pod = "train-0",
		  .container = "main",
		  .pod_uid = "1",
		  .resource = "nvidia.com/gpu",
		  .claim = "" },
		{ .board = 0,
		  .gi = -1,
		  .ci = -1,
		  .kind = GM_HOLDER_PROCESS,
		  .namespace_ = "team-a",
		  .pod = "train-0",
		  .container = "main",
		  .pid = 4711,
		  .used_bytes = 1 << 20,
		  .process = "python3",
		  .user = "root" },
		{ .board = 1,
		  .gi = 8,
		  .ci = 0,
		  .kind = GM_HOLDER_POD,
		  .namespace_ = "team-b",
		  .pod = "infer-0",
		  .container = "main",
		  .pod_uid = "" },
		{ .board = 1,
		  .gi = 99,
		  .ci = 0,
		  .kind = GM_HOLDER_POD,
		  .namespace_ = "x",
		  .pod = "gone",
		  .container = "",
		  .pod_uid = "" },
	};
	const struct gm_holders holders = { .items = items, .count = GM_LEN(items), .kubelet_at_ms = VIEW_AT };
	struct fixture *f = *state;
	const struct gm_page *page;

	f->in.holders = &holders;
	page = reread(f);
	assert_int_equal(page->pod_count, 2);
	assert_int_equal(page->devices[0].pods_count, 1);
	assert_true(gm_str_is(page->pods[page->devices[0].pods_first].pod, "train-0"));
	assert_true(gm_str_is(page->pods[page->devices[0].pods_first].uid, "1"));
	assert_int_equal(gm_page_instances(page, &page->devices[1])[1].pods_count, 1);
	show(f, "gpu_agent_process_memory_bytes{uuid=\"GPU-00000000-0000-4000-8000-000000000000\",pid=\"4711\",process="
		"\"python3\",user=\"root\"} 1048576\n");
	show(f, "\ngpu_agent_kubelet_up 1\n");
	hide(f, "pod=\"gone\"");
}

/* Only the lines of dcgm-exporter's names, as its own page would have them. */
static void keep_dcgm_lines(struct fixture *f)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf kept = { 0 };
	struct gm_str rest = gm_buf_str(&f->text), line;

	while (gm_str_split(&rest, '\n', &line))
		if (gm_str_starts(line, GM_STR("DCGM_FI_"))) {
			gm_buf_add_str(&kept, line);
			gm_buf_add_char(&kept, '\n');
		}
	gm_buf_reset(&f->text);
	gm_buf_add_str(&f->text, gm_buf_str(&kept));
}

static const struct gm_page *read_as_dcgm(struct fixture *f)
{
	struct gm_err err;

	render(f);
	keep_dcgm_lines(f);
	if (gm_page_read(f->reader, &f->cache, gm_buf_str(&f->text), false, VIEW_AT + 5000, &f->read, &err))
		fail_msg("%s: %s", err.where, err.text);
	assert_int_equal(f->read.bad_lines, 0);
	assert_int_equal(f->read.page.kind, GM_PAGE_DCGM);
	return &f->read.page;
}

static void test_render_dcgm_names_are_read_as_an_exporters(void **state)
{
	static const enum gm_field of_board[] = { GM_FIELD_POWER,
						  GM_FIELD_TEMPERATURE,
						  GM_FIELD_SM_CLOCK,
						  GM_FIELD_ENERGY,
						  GM_FIELD_XID,
						  GM_FIELD_ECC_DBE,
						  GM_FIELD_REMAPPED_UNCORRECTABLE,
						  GM_FIELD_THROTTLE_REASONS,
						  GM_FIELD_POWER_VIOLATION,
						  GM_FIELD_FAN },
				   of_slice[] = { GM_FIELD_GR_ENGINE_ACTIVE, GM_FIELD_SM_ACTIVE, GM_FIELD_TENSOR_ACTIVE,
						  GM_FIELD_DRAM_ACTIVE };
	static const struct gm_holder items[] = {
		{ .board = 0,
		  .gi = 8,
		  .ci = 0,
		  .kind = GM_HOLDER_POD,
		  .namespace_ = "team",
		  .pod = "train-0",
		  .container = "main" },
	};
	const struct gm_holders holders = { .items = items, .count = 1 };
	struct fixture *f = *state;
	const struct gm_page *page;

	f->in.dcgm_names = true;
	f->in.holders = &holders;
	(void)snprintf(f->view->boards[0].reading.facts.pci_bus_id, sizeof(f->view->boards[0].reading.facts.pci_bus_id),
		       "0000:1b:00.0");
	f->view->boards[1].reading.instance_count = 0;
	f->view->boards[1].reading.sample.value[GM_FIELD_MEMORY_USED] = INT64_C(1234) << 20;
	page = read_as_dcgm(f);
	assert_true(gm_str_is(page->node, "worker-1"));
	assert_int_equal(page->device_count, 2);
	for (unsigned i = 0; i < 2; i++) {
		const struct gm_sample *mine = &f->view->boards[i].reading.sample;
		const struct gm_obs_device *d = &page->devices[i];

		assert_true(gm_str_is(d->uuid, f->view->boards[i].reading.facts.uuid));
		assert_true(gm_str_is(d->product_name, "NVIDIA H100 80GB HBM3"));
		assert_true(gm_str_is(d->driver_version, "570.86.15"));
		assert_int_equal(d->index, i);
		for (size_t k = 0; k < GM_LEN(of_board); k++)
			assert_int_equal(d->sample.value[of_board[k]], mine->value[of_board[k]]);
	}
	show(f, "{gpu=\"0\",UUID=\"GPU-00000000-0000-4000-8000-000000000000\",pci_bus_id=\"00000000:1B:00.0\",device="
		"\"nvidia0\",modelName=\"NVIDIA H100 80GB HBM3\",GPU_I_PROFILE=\"1g.10gb\",GPU_I_ID=\"8\",Hostname="
		"\"worker-1\",DCGM_FI_DRIVER_VERSION=\"570.86.15\",container=\"main\",namespace=\"team\",pod=\"train-"
		"0\"} ");
	/* a whole board has its utilisation and memory, a partitioned one its slices */
	assert_int_equal(page->devices[1].sample.value[GM_FIELD_UTILIZATION],
			 f->view->boards[1].reading.sample.value[GM_FIELD_UTILIZATION]);
	assert_int_equal(page->devices[1].sample.value[GM_FIELD_MEMORY_USED], INT64_C(1234) << 20);
	assert_int_equal(page->devices[1].instances_count, 0);
	assert_false(gm_sample_has(&page->devices[0].sample, GM_FIELD_UTILIZATION));
	assert_int_equal(page->devices[0].mig_mode, GM_MIG_ON);
	assert_int_equal(page->devices[0].instances_count, 3);
	for (unsigned k = 0; k < 3; k++) {
		const struct gm_obs_instance *it = &gm_page_instances(page, &page->devices[0])[k];

		assert_int_equal(it->gi_id, 7 + k);
		assert_true(gm_str_is(it->profile, "1g.10gb"));
		assert_int_equal(it->pods_count, k == 1);
		for (size_t n = 0; n < GM_LEN(of_slice); n++)
			assert_int_equal(it->sample.value[of_slice[n]],
					 f->view->boards[0].reading.instances[k].sample.value[of_slice[n]]);
	}
	/* on one page with ours, ours count */
	assert_int_equal(reread(f)->kind, GM_PAGE_AGENT);
}

static void test_render_events_are_counted(void **state)
{
	struct fixture *f = *state;
	struct gm_agent_board *b = &f->view->boards[1];
	const struct gm_reading_event xid = {
		.at_ms = VIEW_AT, .type = GM_NVML_EVENT_XID, .data = 48, .gi = -1, .ci = -1
	};
	const struct gm_reading_event mig = { .at_ms = VIEW_AT, .type = GM_NVML_EVENT_MIG_CONFIG, .gi = -1, .ci = -1 };

	hide(f, "gpu_agent_events_total{");
	b->reading.facts.supported_events = GM_NVML_EVENT_XID | GM_NVML_EVENT_DBE | GM_NVML_EVENT_CLOCK;
	assert_true(gm_board_events_add(&b->events, 0, &xid));
	assert_true(gm_board_events_add(&b->events, 0, &xid));
	assert_true(gm_board_events_add(&b->events, 0, &mig));
#define OF_1 "{uuid=\"GPU-00000000-0000-4000-8000-000000000001\","
	show(f, "gpu_agent_events_total" OF_1 "event=\"xid\"} 2\n");
	show(f, "gpu_agent_events_total" OF_1 "event=\"ecc_uncorrected\"} 0\n");
	show(f, "gpu_agent_events_total" OF_1 "event=\"mig_config\"} 1\n");
	hide(f, "event=\"poison\"");
	show(f, "gpu_agent_xid_errors_total" OF_1 "xid=\"48\"} 2\n");
	assert_int_equal(reread(f)->device_count, 2);
}

static void test_render_mig_layouts_that_differ_and_their_other_owner(void **state)
{
	static const struct gm_mig_wanted_seen wanted[] = { { "GPU-1", false }, { "GPU-2", true } };
	struct fixture *f = *state;

	f->in.mig_wanted = wanted;
	f->in.mig_wanted_count = GM_LEN(wanted);
	show(f, "gpu_agent_mig_layout_differs{uuid=\"GPU-1\"} 0\n");
	show(f, "gpu_agent_mig_layout_differs{uuid=\"GPU-2\"} 1\n");
	hide(f, "gpu_agent_mig_other_owner");
	f->in.mig_other_owner = GM_STR("NVIDIA's mig-manager");
	show(f, "gpu_agent_mig_other_owner{owner=\"NVIDIA's mig-manager\"} 1\n");
	f->in.mig_ready = -1;
	hide(f, "gpu_agent_mig_ready");
	hide(f, "gpu_agent_mig_layout_differs");
	hide(f, "gpu_agent_mig_other_owner");
}

/* docs/agent-metrics.md against the page itself: each family with its type and what it is. */
static void test_render_docs_have_every_family(void **state)
{
	static const struct gm_render_own own[] = { { "server", 0, 1, 1 } };
	static const struct gm_holder items[] = {
		{ .gi = -1,
		  .ci = -1,
		  .kind = GM_HOLDER_POD,
		  .namespace_ = "a",
		  .pod = "b",
		  .container = "",
		  .pod_uid = "" },
		{ .gi = -1, .ci = -1, .kind = GM_HOLDER_PROCESS, .pid = 1, .process = "x", .user = "y" },
	};
	static const struct gm_mig_wanted_seen wanted[] = { { "GPU-1", false } };
	const struct gm_holders holders = { .items = items, .count = GM_LEN(items), .kubelet_at_ms = 1 };
	struct fixture *f = *state;
	GM_AUTO(gm_buf_fini_p) struct gm_buf docs = { 0 };
	struct gm_str rest, line;
	size_t families = 0;

	f->in.own = own;
	f->in.own_count = GM_LEN(own);
	f->in.mig_wanted = wanted;
	f->in.mig_wanted_count = GM_LEN(wanted);
	f->in.mig_other_owner = GM_STR("x");
	f->in.holders = &holders;
	f->view->boards[0].xid_at_ms = VIEW_AT;
	f->view->boards[0].events.counts[GM_BOARD_EVENT_XID] = f->view->boards[0].events.xids[0].count = 1;
	f->view->boards[0].reading.facts.tlimit_gpu_c = 0;
	f->view->boards[0].reading.processes_truncated = true;
	read_docs(&docs);
	render(f);
	for (rest = gm_buf_str(&f->text); gm_str_split(&rest, '\n', &line);) {
		char name[128], type[16], row[256];

		if (!gm_str_starts(line, GM_STR("# TYPE ")))
			continue;
		assert_int_equal(sscanf(line.p, "# TYPE %127s %15s", name, type), 2);
		(void)snprintf(row, sizeof(row),
			       strstr(name, "_info") || strstr(name, "unavailable") ? "| `%s` |" : "| `%s` | %s |",
			       name, type);
		if (!strstr(gm_buf_cstr(&docs), row))
			fail_msg("docs/agent-metrics.md has no row '%s'", row);
		families++;
	}
	assert_true(families > 100);
}

static int promtool(struct fixture *f)
{
	FILE *to = popen("promtool check metrics >/dev/null 2>&1", "w");

	assert_non_null(to);
	assert_int_equal(fwrite(f->text.p, 1, f->text.n, to), f->text.n);
	return pclose(to);
}

static void test_render_pleases_promtool(void **state)
{
	static const struct gm_render_own own[] = { { "server", 0, 1234, 4 << 20 }, { "sampler", 1, 50, 2 << 20 } };
	struct fixture *f = *state;

	if (system("promtool --version >/dev/null 2>&1") != 0)
		skip();
	f->in.own = own;
	f->in.own_count = GM_LEN(own);
	f->view->boards[1].xid_at_ms = VIEW_AT;
	render(f);
	assert_int_equal(promtool(f), 0);
	/* names that are not ours are not to promtool's taste (3), but can be read (not 1) */
	f->in.dcgm_names = true;
	render(f);
	assert_int_equal(WEXITSTATUS(promtool(f)), 3);
	gm_buf_add_cstr(&f->text, "gpu_agent_up{ 1\n");
	assert_int_equal(WEXITSTATUS(promtool(f)), 1);
}

/* 8 boards of 7 slices: a page a second must cost well under a thousandth of a core. */
static void test_render_is_cheap(void **state)
{
	struct fixture *f = *state;
	int64_t begin, best = INT64_MAX;

	free(f->view);
	f->view = view_new(8, 7);
	f->in.view = f->view;
	for (int i = 0; i < 50; i++) {
		begin = gm_clock_mono_ns();
		render(f);
		const int64_t took = gm_clock_mono_ns() - begin;
		best = took < best ? took : best;
	}
	print_message("# a page of 8 boards with 7 slices: %zu bytes in %lld us\n", f->text.n, (long long)best / 1000);
	assert_true(best < 20 * 1000 * 1000); /* what no machine and no sanitizer is too slow for */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_render_says_who_it_is),
		TEST(test_render_facts_reach_the_reader),
		TEST(test_render_every_value_validity_and_source_comes_back),
		TEST(test_render_hung_board_keeps_its_values_and_their_time),
		TEST(test_render_shows_no_values_while_nobody_measures),
		TEST(test_render_window_shows_a_spike),
		TEST(test_render_facts_not_told_have_no_line),
		TEST(test_render_survives_what_a_broken_driver_says),
		TEST(test_render_pods_and_processes),
		TEST(test_render_dcgm_names_are_read_as_an_exporters),
		TEST(test_render_events_are_counted),
		TEST(test_render_mig_layouts_that_differ_and_their_other_owner),
		TEST(test_render_docs_have_every_family),
		TEST(test_render_pleases_promtool),
		TEST(test_render_is_cheap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
