/* SPDX-License-Identifier: MIT */
#include "app/ctl/churn.h"
#include "app/ctl/command-table.h"
#include "base/json.h"

struct mig_args {
	char *model, *streams;
	int mix, policy, start;
	int64_t moves;
};

enum { MIX_UNIFORM, MIX_SMALL, MIX_LARGE, MIX_BIMODAL, MIX_COUNT };
#define MIX_CHOICES "uniform|small|large|bimodal"
#define POLICY_CHOICES "bestfit|fragmentation|balanced|repack"
static const char *const MIX_NAMES[] = { "uniform", "small", "large", "bimodal" };
static const char *const POLICY_NAMES[] = { "bestfit", "fragmentation", "balanced", "repack" };

/* Of 1g, 2g, 3g, 4g, 7g. */
static const double MIXES[MIX_COUNT][GM_CHURN_SIZES] = {
	[MIX_UNIFORM] = { .20, .20, .20, .20, .20 },
	[MIX_SMALL] = { .50, .25, .15, .05, .05 },
	[MIX_LARGE] = { .05, .10, .20, .25, .40 },
	[MIX_BIMODAL] = { .40, .10, .05, .05, .40 },
};

static const struct gm_ctl_option OPTIONS[] = {
	{ .option = { .key = "model",
		      .type = GM_OPTION_TEXT,
		      .offset = offsetof(struct mig_args, model),
		      .def = "A100_80GB",
		      .min = "1",
		      .max = "64",
		      .help = "Which boards: a model or variant with slices of 1g, 2g, 3g, 4g and 7g" },
	  .value = "MODEL" },
	{ .option = { .key = "mix",
		      .type = GM_OPTION_ENUM,
		      .offset = offsetof(struct mig_args, mix),
		      .choices = MIX_CHOICES,
		      .def = "uniform",
		      .help = "How often each size is asked for" } },
	{ .option = { .key = "policy",
		      .type = GM_OPTION_ENUM,
		      .offset = offsetof(struct mig_args, policy),
		      .choices = POLICY_CHOICES,
		      .def = "balanced",
		      .help = "Who chooses the place" } },
	{ .option = { .key = "moves",
		      .type = GM_OPTION_INT,
		      .offset = offsetof(struct mig_args, moves),
		      .min = "0",
		      .max = "3",
		      .def = "0",
		      .help = "Running slices that may move for a request that would be refused" },
	  .value = "N" },
	{ .option = { .key = "start",
		      .type = GM_OPTION_ENUM,
		      .offset = offsetof(struct mig_args, start),
		      .choices = "lowest|highest",
		      .def = "lowest",
		      .help = "Of starts on a board that cost the same, which" } },
	{ .option = { .key = "streams",
		      .type = GM_OPTION_TEXT,
		      .offset = offsetof(struct mig_args, streams),
		      .def = "1..200",
		      .check = gm_ctl_range_check,
		      .help = "Which streams of requests" },
	  .value = "A..B" },
};

static const char NOTES[] =
	"100 boards. Requests for one slice each come at a constant rate that would just fill them, stay 1 to 799\n"
	"units of time, and a stream lasts 4,000, of which the first quarter is not counted. A request that fits is\n"
	"never refused. Percentages are means over the streams; slice acceptance counts memory slices, acceptance\n"
	"requests. Policies know what was asked for before and how long it ran, nothing of what is to come; repack\n"
	"places everything anew when a request would be refused, as if moves cost nothing.\n"
	"\n"
	"shares of 1g 2g 3g 4g 7g:\n"
	"  uniform .20 .20 .20 .20 .20    small   .50 .25 .15 .05 .05\n"
	"  large   .05 .10 .20 .25 .40    bimodal .40 .10 .05 .05 .40\n";

struct figures {
	double slices, requests, whole, moves;
};

static double part(double a, double b)
{
	return b > 0 ? a / b : 0;
}

static struct figures figures_of(const struct gm_churn *c, const struct gm_churn_count *n)
{
	double slices_asked = 0, slices = 0, asked = 0, accepted = 0;

	for (size_t i = 0; i < GM_CHURN_SIZES; i++) {
		int size = c->space->table->profiles[c->profiles[i]].size;

		slices_asked += (double)n->asked[i] * size;
		slices += (double)n->accepted[i] * size;
		asked += (double)n->asked[i];
		accepted += (double)n->accepted[i];
	}
	return (struct figures){ .slices = 100 * part(slices, slices_asked),
				 .requests = 100 * part(accepted, asked),
				 .whole = 100 * part((double)n->accepted[GM_CHURN_SIZES - 1],
						     (double)n->asked[GM_CHURN_SIZES - 1]),
				 .moves = part((double)n->moves, (double)n->arrivals) };
}

/* A number with so many decimals; printed alike everywhere. */
static void add_rounded(struct gm_json *w, double v, unsigned decimals)
{
	double scale = 1;

	for (unsigned i = 0; i < decimals; i++)
		scale *= 10;
	gm_json_fixed(w, (int64_t)(v * scale + 0.5), decimals);
}

static int find_space(const char *model, struct gm_churn *out, struct gm_slice_space **out_space, struct gm_err *err)
{
	size_t count = 0;
	const struct gm_variant *rows = gm_catalog_variants(&count), *v = gm_catalog_variant(gm_str(model));
	uint64_t profiles = 0;
	int rc;

	for (size_t i = 0; i < count && !v; i++)
		if (gm_str_ieq(gm_str(rows[i].model), gm_str(model)) && rows[i].mig)
			v = &rows[i];
	if (!v)
		return gm_fail_at(err, GM_ERR_INVALID, "--model", "no board '%s' is known that has MIG", model);
	if (!v->mig)
		return gm_fail_at(err, GM_ERR_INVALID, "--model", "'%s' has no MIG", model);
	rc = gm_churn_profiles(v->mig, out->profiles, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < GM_CHURN_SIZES; i++)
		profiles |= UINT64_C(1) << out->profiles[i];
	return gm_slice_space_new(v->mig, profiles, out_space, err);
}

struct totals {
	struct figures sum;
	uint64_t streams;
};

static void write_json_stream(struct gm_json *w, uint64_t stream, const struct figures *f, uint64_t moves)
{
	gm_json_object(w);
	gm_json_ku64(w, "stream", stream);
	gm_json_key(w, "sliceAcceptancePercent");
	add_rounded(w, f->slices, 4);
	gm_json_key(w, "acceptancePercent");
	add_rounded(w, f->requests, 4);
	gm_json_ku64(w, "moves", moves);
	gm_json_end_object(w);
}

static void write_json_mean(struct gm_json *w, const struct figures *mean)
{
	gm_json_key(w, "mean");
	gm_json_object(w);
	gm_json_key(w, "sliceAcceptancePercent");
	add_rounded(w, mean->slices, 4);
	gm_json_key(w, "acceptancePercent");
	add_rounded(w, mean->requests, 4);
	gm_json_key(w, "acceptanceOf7gPercent");
	add_rounded(w, mean->whole, 4);
	gm_json_key(w, "movesPerArrival");
	add_rounded(w, mean->moves, 5);
	gm_json_end_object(w);
}

static struct figures mean_of(const struct totals *t)
{
	double n = (double)t->streams;

	return (struct figures){ t->sum.slices / n, t->sum.requests / n, t->sum.whole / n, t->sum.moves / n };
}

static void write_table(struct gm_buf *out, const struct mig_args *a, const struct figures *mean)
{
	gm_buf_addf(out, "model %s  mix %s  policy %s  moves %d  streams %s\n\n", a->model, MIX_NAMES[a->mix],
		    POLICY_NAMES[a->policy], (int)a->moves, a->streams);
	gm_buf_add_cstr(out, "SLICES ACCEPTED %  REQUESTS ACCEPTED %  OF 7g %  MOVES/ARRIVAL\n");
	gm_buf_addf(out, "%17.2f  %19.2f  %7.2f  %13.4f\n", mean->slices, mean->requests, mean->whole, mean->moves);
}

static void run_streams(const struct gm_ctl_run *run, const struct gm_churn *c, struct gm_ctl_range r,
			struct gm_json *w, struct totals *t)
{
	for (uint64_t stream = r.first; stream <= r.last; stream++) {
		struct gm_churn_count count;
		struct figures f;

		gm_ctl_progress_step(run->progress, "stream", stream - r.first, r.last - r.first + 1);
		gm_churn_run(c, stream, &count);
		f = figures_of(c, &count);
		t->sum.slices += f.slices;
		t->sum.requests += f.requests;
		t->sum.whole += f.whole;
		t->sum.moves += f.moves;
		t->streams++;
		if (run->output == GM_CTL_OUTPUT_JSON)
			write_json_stream(w, stream, &f, count.moves);
	}
}

static int replay_mig(const struct gm_ctl_run *run, struct gm_err *err)
{
	const struct mig_args *a = run->args;
	GM_AUTO(gm_slice_space_free_p) struct gm_slice_space *space = NULL;
	struct gm_churn churn = { .policy = (enum gm_churn_policy)a->policy,
				  .highest = a->start == 1,
				  .moves = (unsigned)a->moves };
	struct totals totals = { 0 };
	struct gm_ctl_range range;
	struct figures mean;
	struct gm_json w;
	int rc = gm_ctl_range_parse(gm_str(a->streams), &range, err);

	if (rc == 0)
		rc = find_space(a->model, &churn, &space, err);
	if (rc < 0)
		return rc;
	churn.space = space;
	for (size_t i = 0; i < GM_CHURN_SIZES; i++)
		churn.mix[i] = MIXES[a->mix][i];
	gm_json_init(&w, run->out);
	if (run->output == GM_CTL_OUTPUT_JSON) {
		gm_json_object(&w);
		gm_json_kcstr(&w, "model", a->model);
		gm_json_kcstr(&w, "mix", MIX_NAMES[a->mix]);
		gm_json_kcstr(&w, "policy", POLICY_NAMES[a->policy]);
		gm_json_key(&w, "streams");
		gm_json_array(&w);
	}
	run_streams(run, &churn, range, &w, &totals);
	mean = mean_of(&totals);
	if (run->output == GM_CTL_OUTPUT_TABLE) {
		write_table(run->out, a, &mean);
		return 0;
	}
	gm_json_end_array(&w);
	write_json_mean(&w, &mean);
	gm_json_end_object(&w);
	gm_buf_add_char(run->out, '\n');
	return 0;
}

const struct gm_ctl_command gm_ctl_replay_mig = {
	.path = "replay mig",
	.summary = "MIG churn on simulated boards: how many memory slices a policy accepts",
	.notes = NOTES,
	.options = OPTIONS,
	.option_count = GM_LEN(OPTIONS),
	.args_size = sizeof(struct mig_args),
	.run = replay_mig,
};
