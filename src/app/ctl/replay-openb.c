/* SPDX-License-Identifier: MIT */
#include "app/ctl/command-table.h"
#include "app/ctl/trace.h"
#include "base/alloc.h"
#include "base/json.h"

struct openb_args {
	char *nodes, *pods, *seeds;
	int policy;
};

/* In the order of enum gm_pack_policy. */
#define POLICY_CHOICES "random|bestfit|fgd|balanced"
static const char *const POLICY_NAMES[] = { "random", "bestfit", "fgd", "balanced" };
#define AT_PERCENT 100

static const struct gm_ctl_option OPTIONS[] = {
	{ .option = { .key = "nodes",
		      .type = GM_OPTION_TEXT,
		      .offset = offsetof(struct openb_args, nodes),
		      .help = "CSV of nodes: sn,cpu_milli,memory_mib,gpu,model" },
	  .value = "FILE",
	  .required = true },
	{ .option = { .key = "pods",
		      .type = GM_OPTION_TEXT,
		      .offset = offsetof(struct openb_args, pods),
		      .help = "CSV of pods: name,cpu_milli,memory_mib,num_gpu,gpu_milli[,gpu_spec]" },
	  .value = "FILE",
	  .required = true },
	{ .option = { .key = "policy",
		      .type = GM_OPTION_ENUM,
		      .offset = offsetof(struct openb_args, policy),
		      .choices = POLICY_CHOICES,
		      .def = "balanced",
		      .help = "Who chooses the place" } },
	{ .option = { .key = "seeds",
		      .type = GM_OPTION_TEXT,
		      .offset = offsetof(struct openb_args, seeds),
		      .def = "42..51",
		      .check = gm_ctl_range_check,
		      .help = "One shuffle of the pods each" },
	  .value = "A..B" },
};

static const char NOTES[] =
	"The procedure of \"Beware of Fragmentation\" (USENIX ATC 2023): pods by name, shuffled, more drawn from them "
	"until\n"
	"they ask for 130 % of the boards; placed one by one, none leaves; one that fits nowhere is dropped, but has\n"
	"arrived. The figure is the part of all boards that is not allocated when the arrivals ask for 100 % of them.\n"
	"fgd and balanced know how often each kind of pod is in the trace, nothing of their order.\n"
	"Other columns are ignored. Columns go by their names; gpu_spec is a list of models, 'T4|P100'; num_gpu\n"
	"above 1 and gpu_milli 1000 want boards that are wholly free.\n"
	"\n"
	"limits: 64 MiB a file, 200,000 nodes of at most 16 GPUs, 1,000,000 pods of 65,535 kinds, 64 models.\n";

static void add_percent(struct gm_json *w, double v)
{
	gm_json_fixed(w, (int64_t)(v * 10000 + 0.5), 4);
}

static void write_curve(struct gm_json *w, const struct gm_trace_curve *curve)
{
	gm_json_array(w);
	for (size_t i = 0; i <= GM_TRACE_PERCENT_MAX; i++) {
		if (curve->unallocated_percent[i] < 0)
			continue;
		gm_json_object(w);
		gm_json_ku64(w, "arrivedPercent", i);
		gm_json_key(w, "unallocatedGpuPercent");
		add_percent(w, curve->unallocated_percent[i]);
		gm_json_end_object(w);
	}
	gm_json_end_array(w);
}

/* A trace of few large pods may have none that arrives at just this percent: then the last before it counts. */
static double at_full(const struct gm_trace_curve *curve)
{
	for (size_t i = AT_PERCENT; i > 0; i--)
		if (curve->unallocated_percent[i] >= 0)
			return curve->unallocated_percent[i];
	return 100;
}

struct answer {
	const struct gm_ctl_run *run;
	struct gm_json json;
	double sum;
	uint64_t seeds;
};

static void add_seed(struct answer *a, uint64_t seed, const struct gm_trace_curve *curve)
{
	double figure = at_full(curve);

	a->sum += figure;
	a->seeds++;
	if (a->run->output == GM_CTL_OUTPUT_TABLE) {
		gm_buf_addf(a->run->out, "%10llu  %17.2f\n", (unsigned long long)seed, figure);
		return;
	}
	gm_json_object(&a->json);
	gm_json_ku64(&a->json, "seed", seed);
	gm_json_key(&a->json, "unallocatedGpuPercent");
	add_percent(&a->json, figure);
	gm_json_key(&a->json, "curve");
	write_curve(&a->json, curve);
	gm_json_end_object(&a->json);
}

static void begin_answer(struct answer *a, const struct openb_args *args, const struct gm_trace *t)
{
	gm_json_init(&a->json, a->run->out);
	if (a->run->output == GM_CTL_OUTPUT_TABLE) {
		gm_buf_addf(a->run->out, "policy %s  nodes %zu  GPUs %llu  pods %zu  kinds of pods %zu\n\n",
			    POLICY_NAMES[args->policy], t->nodes.count,
			    (unsigned long long)t->capacity_milli / GM_PACK_WHOLE, t->pods.count, t->types.rows.count);
		gm_buf_add_cstr(a->run->out, "      SEED  UNALLOCATED GPU %\n");
		return;
	}
	gm_json_object(&a->json);
	gm_json_kcstr(&a->json, "policy", POLICY_NAMES[args->policy]);
	gm_json_key(&a->json, "seeds");
	gm_json_array(&a->json);
}

static void end_answer(struct answer *a)
{
	double mean = a->sum / (double)a->seeds;

	if (a->run->output == GM_CTL_OUTPUT_TABLE) {
		gm_buf_addf(a->run->out, "      mean  %17.2f\n", mean);
		return;
	}
	gm_json_end_array(&a->json);
	gm_json_key(&a->json, "mean");
	gm_json_object(&a->json);
	gm_json_key(&a->json, "unallocatedGpuPercent");
	add_percent(&a->json, mean);
	gm_json_end_object(&a->json);
	gm_json_end_object(&a->json);
	gm_buf_add_char(a->run->out, '\n');
}

static int replay_openb(const struct gm_ctl_run *run, struct gm_err *err)
{
	const struct openb_args *a = run->args;
	GM_AUTO(gm_trace_fini_p) struct gm_trace trace = { 0 };
	GM_AUTO(gm_pack_rule_fini_p) struct gm_pack_rule rule = { 0 };
	struct answer answer = { .run = run };
	struct gm_ctl_range seeds;
	int rc = gm_ctl_range_parse(gm_str(a->seeds), &seeds, err);

	if (rc == 0)
		rc = gm_trace_read(a->nodes, a->pods, &trace, err);
	if (rc < 0)
		return rc;
	gm_pack_rule_init(&rule, (enum gm_pack_policy)a->policy, trace.nodes.items, trace.nodes.count);
	gm_pack_rule_learn(&rule, &trace.types, &trace.mix);
	begin_answer(&answer, a, &trace);
	for (uint64_t seed = seeds.first; seed <= seeds.last; seed++) {
		struct gm_trace_curve curve;

		gm_ctl_progress_step(run->progress, "seed", seed - seeds.first, seeds.last - seeds.first + 1);
		gm_trace_run(&trace, &rule, seed, &curve);
		add_seed(&answer, seed, &curve);
	}
	end_answer(&answer);
	return 0;
}

const struct gm_ctl_command gm_ctl_replay_openb = {
	.path = "replay openb",
	.summary = "A trace of pods on nodes: how much GPU a policy leaves unallocated",
	.notes = NOTES,
	.options = OPTIONS,
	.option_count = GM_LEN(OPTIONS),
	.args_size = sizeof(struct openb_args),
	.run = replay_openb,
};
