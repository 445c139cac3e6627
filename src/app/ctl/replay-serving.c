/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "app/ctl/command-table.h"
#include "app/ctl/serving-input.h"
#include "base/json.h"

struct serving_args {
	char *profiles, *rates, *latencies, *scenario, *model;
};

/* All that is printed. */
struct report {
	const struct serving_args *args;
	const struct gm_mig_table *table;
	const struct gm_ctl_serving_input *in;
	const struct gm_serve_plan *plan;
};

/* What the instances of one model do together. */
struct total {
	int64_t capacity_milli, latency_us; /* of the slowest */
	int gpcs;
};

static const struct gm_serve_point *point_of(const struct report *r, const struct gm_serve_segment *s)
{
	return &r->in->demands.items[s->demand].points[s->point];
}

static struct total total_of(const struct report *r, size_t demand)
{
	struct total t = { 0 };

	for (size_t i = 0; i < r->plan->segment_count; i++) {
		const struct gm_serve_segment *s = &r->plan->segments[i];
		const struct gm_serve_point *p = point_of(r, s);

		if (s->demand != demand)
			continue;
		t.capacity_milli += gm_serve_point_rate_milli(p) * s->count;
		t.latency_us = p->latency_us > t.latency_us ? p->latency_us : t.latency_us;
		t.gpcs += p->gpcs * s->count;
	}
	return t;
}

/* A decimal that is printed in a column. */
static const char *fixed(struct gm_buf *scratch, int64_t value, unsigned decimals)
{
	gm_buf_reset(scratch);
	gm_buf_add_fixed(scratch, value, decimals);
	return gm_buf_cstr(scratch);
}

static void print_models(const struct report *r, struct gm_buf *out)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };

	gm_buf_addf(out, "\n%-16s %10s %12s %9s %11s %5s  %s\n", "MODEL", "RATE/S", "CAPACITY/S", "LIMIT MS",
		    "LATENCY MS", "GPCS", "INSTANCES");
	for (size_t i = 0; i < r->in->demands.count; i++) {
		const struct gm_serve_demand *demand = &r->in->demands.items[i];
		struct total t = total_of(r, i);
		const char *separator = "";

		gm_buf_addf(out, "%-16s %10s %12s %9s %11s %5d  ", demand->model, fixed(&a, demand->rate_milli, 3),
			    fixed(&b, t.capacity_milli, 3), fixed(&c, demand->slo_us, 3), fixed(&d, t.latency_us, 3),
			    t.gpcs);
		for (size_t k = 0; k < r->plan->segment_count; k++) {
			const struct gm_serve_segment *s = &r->plan->segments[k];
			const struct gm_serve_point *p = point_of(r, s);

			if (s->demand != i)
				continue;
			gm_buf_addf(out, "%s%d x %s (batch %d, processes %d)", separator, s->count,
				    r->table->profiles[s->profile].name, p->batch, p->processes);
			separator = ", ";
		}
		gm_buf_add_char(out, '\n');
	}
}

static void print_placement(const struct report *r, struct gm_buf *out)
{
	int board = -1;

	gm_buf_addf(out, "\n%-5s %s", "GPU", "INSTANCES (PROFILE@FIRST MEMORY SLICE MODEL)");
	for (size_t i = 0; i < r->plan->instance_count; i++) {
		const struct gm_serve_instance *it = &r->plan->instances[i];
		bool first = it->board != board;

		board = it->board;
		if (first)
			gm_buf_addf(out, "\n%-5d ", board);
		gm_buf_addf(out, "%s%s@%d %s", first ? "" : ", ", r->table->profiles[it->slot.profile].name,
			    it->slot.start, r->in->demands.items[r->plan->segments[it->segment].demand].model);
	}
	gm_buf_add_char(out, '\n');
}

static void print_table(const struct report *r, struct gm_buf *out)
{
	const struct gm_serve_plan *p = r->plan;

	gm_buf_addf(out, "Scenario %s on %s: %d GPU%s, %d GPC%s in %zu instance%s.\n", r->args->scenario,
		    r->args->model, p->boards, p->boards == 1 ? "" : "s", p->gpcs, p->gpcs == 1 ? "" : "s",
		    p->instance_count, p->instance_count == 1 ? "" : "s");
	gm_buf_addf(out, "GPUs: %s (no plan needs fewer than %d). ",
		    p->boards_proven ? "proven fewest" : "not proven fewest", p->boards_floor);
	gm_buf_addf(out, "GPCs: %s for so many GPUs (no plan needs fewer than %d).\n",
		    p->gpcs_proven ? "proven fewest" : "not proven fewest", p->gpcs_floor);
	print_models(r, out);
	print_placement(r, out);
}

static void json_models(const struct report *r, struct gm_json *w)
{
	gm_json_key(w, "models");
	gm_json_array(w);
	for (size_t i = 0; i < r->in->demands.count; i++) {
		const struct gm_serve_demand *demand = &r->in->demands.items[i];
		struct total t = total_of(r, i);

		gm_json_object(w);
		gm_json_kcstr(w, "model", demand->model);
		gm_json_kfixed(w, "rate", demand->rate_milli, 3);
		gm_json_kfixed(w, "capacity", t.capacity_milli, 3);
		gm_json_kfixed(w, "latencyLimitMs", demand->slo_us, 3);
		gm_json_kfixed(w, "latencyMs", t.latency_us, 3);
		gm_json_ki64(w, "gpcs", t.gpcs);
		gm_json_end_object(w);
	}
	gm_json_end_array(w);
}

/* One a MIG instance: id is its place in this list. */
static void json_segments(const struct report *r, struct gm_json *w)
{
	gm_json_key(w, "segments");
	gm_json_array(w);
	for (size_t i = 0; i < r->plan->instance_count; i++) {
		const struct gm_serve_instance *it = &r->plan->instances[i];
		const struct gm_serve_segment *s = &r->plan->segments[it->segment];
		const struct gm_serve_point *p = point_of(r, s);

		gm_json_object(w);
		gm_json_ku64(w, "id", i);
		gm_json_kcstr(w, "model", r->in->demands.items[s->demand].model);
		gm_json_kcstr(w, "profile", r->table->profiles[s->profile].name);
		gm_json_ki64(w, "gpcs", p->gpcs);
		gm_json_ki64(w, "batch", p->batch);
		gm_json_ki64(w, "processes", p->processes);
		gm_json_kfixed(w, "throughput", p->throughput_milli, 3);
		gm_json_kfixed(w, "latencyMs", p->latency_us, 3);
		gm_json_end_object(w);
	}
	gm_json_end_array(w);
}

static void json_placement(const struct report *r, struct gm_json *w)
{
	size_t i = 0;

	gm_json_key(w, "placement");
	gm_json_array(w);
	for (int board = 0; board < r->plan->boards; board++) {
		gm_json_object(w);
		gm_json_ki64(w, "gpu", board);
		gm_json_key(w, "instances");
		gm_json_array(w);
		for (; i < r->plan->instance_count && r->plan->instances[i].board == board; i++) {
			const struct gm_serve_instance *it = &r->plan->instances[i];
			const struct gm_mig_profile *profile = &r->table->profiles[it->slot.profile];

			gm_json_object(w);
			gm_json_ku64(w, "segment", i);
			gm_json_kcstr(w, "profile", profile->name);
			gm_json_ki64(w, "start", it->slot.start);
			gm_json_ki64(w, "size", profile->size);
			gm_json_kcstr(w, "model", r->in->demands.items[r->plan->segments[it->segment].demand].model);
			gm_json_end_object(w);
		}
		gm_json_end_array(w);
		gm_json_end_object(w);
	}
	gm_json_end_array(w);
}

static void print_json(const struct report *r, struct gm_buf *out)
{
	struct gm_json w;

	gm_json_init(&w, out);
	gm_json_object(&w);
	gm_json_kcstr(&w, "scenario", r->args->scenario);
	gm_json_kcstr(&w, "model", r->args->model);
	gm_json_ki64(&w, "gpus", r->plan->boards);
	gm_json_ki64(&w, "gpcs", r->plan->gpcs);
	gm_json_key(&w, "lowerBound");
	gm_json_object(&w);
	gm_json_ki64(&w, "gpus", r->plan->boards_floor);
	gm_json_ki64(&w, "gpcs", r->plan->gpcs_floor);
	gm_json_end_object(&w);
	gm_json_key(&w, "proven");
	gm_json_object(&w);
	gm_json_kbool(&w, "gpus", r->plan->boards_proven);
	gm_json_kbool(&w, "gpcs", r->plan->gpcs_proven);
	gm_json_end_object(&w);
	json_models(r, &w);
	json_segments(r, &w);
	json_placement(r, &w);
	gm_json_end_object(&w);
	gm_buf_add_char(out, '\n');
}

/* The table of a model, or of one board form of it; NULL: there is none, and err says why. */
static const struct gm_mig_table *find_table(const char *model, struct gm_err *err)
{
	size_t count;
	const struct gm_variant *all = gm_catalog_variants(&count);
	bool known = false;

	for (size_t i = 0; i < count; i++) {
		if (!gm_str_is(gm_str(model), all[i].model) && !gm_str_is(gm_str(model), all[i].id))
			continue;
		known = true;
		if (all[i].mig)
			return all[i].mig;
	}
	(void)gm_fail_at(err, GM_ERR_INVALID, "--model",
			 known ? "'%.40s' has no MIG" : "'%.40s' is not in the catalogue", model);
	return NULL;
}

static int replay_serving(const struct gm_ctl_run *run, struct gm_err *err)
{
	const struct serving_args *args = run->args;
	GM_AUTO(gm_ctl_serving_input_fini_p) struct gm_ctl_serving_input in = { 0 };
	GM_AUTO(gm_serve_plan_fini_p) struct gm_serve_plan plan = { 0 };
	struct report report = { .args = args, .in = &in, .plan = &plan };
	int rc;

	report.table = find_table(args->model, err);
	if (!report.table)
		return GM_ERR_INVALID;
	rc = gm_ctl_serving_read(args->profiles, args->rates, args->latencies, args->scenario, &in, err);
	if (rc == 0)
		rc = gm_serve_plan_make(report.table, in.demands.items, in.demands.count, &plan, err);
	if (rc < 0)
		return rc;
	if (run->output == GM_CTL_OUTPUT_JSON)
		print_json(&report, run->out);
	else
		print_table(&report, run->out);
	return 0;
}

#define TEXT_OPTION(name, shown, default_, required_, help_)                                                           \
	{                                                                                                              \
		.option = { .key = #name,                                                                              \
			    .type = GM_OPTION_TEXT,                                                                    \
			    .offset = offsetof(struct serving_args, name),                                             \
			    .def = default_,                                                                           \
			    .help = help_ },                                                                           \
		.value = shown, .required = required_                                                                  \
	}
static const struct gm_ctl_option OPTIONS[] = {
	TEXT_OPTION(profiles, "DIR", NULL, true, "Measurements: DIR/<model>.csv"),
	TEXT_OPTION(rates, "FILE", NULL, true, "Requests a second: a row a scenario, a column a model"),
	TEXT_OPTION(latencies, "FILE", NULL, true, "Latency limits in ms, laid out as the rates"),
	TEXT_OPTION(scenario, "NAME", NULL, true, "Which row"),
	TEXT_OPTION(model, "MODEL", "A100_80GB", false, "The board that was measured"),
};

const struct gm_ctl_command gm_ctl_replay_serving = {
	.path = "replay serving",
	.summary = "Which MIG instances meet the rates and latency limits of models on the fewest boards",
	.notes = "DIR/<model>.csv has the columns Mig instance (GPCs), Batch size, Workload Number (processes in the\n"
		 "instance), Throughput (requests a second of each process; 0: it did not run) and Latency (s).\n"
		 "A configuration is fast enough when its latency is below 45 % of the limit.\n"
		 "Rates and latencies: with a header line its columns are the models, without one all models in\n"
		 "alphabetical order; N/A: not in this scenario. A row's first field may be its name; four rows\n"
		 "without names are S1, S2, S3 and S5, as published, others S1, S2, S3 and so on.\n",
	.options = OPTIONS,
	.option_count = GM_LEN(OPTIONS),
	.args_size = sizeof(struct serving_args),
	.run = replay_serving,
};
