/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/nvmlsim/world.h"
#include "base/buf.h"

/* Exit codes: what was asked for failed; the command line is wrong. */
enum { EXIT_REFUSED = 1, EXIT_USAGE = 2 };

struct options {
	const char *state, *scenario;
	int first; /* of the words of the command */
	bool help;
};

static void print_help(void)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf list = { 0 };
	nvs_command_help(&list);
	(void)printf(
		"Usage: nvml-sim-ctl [--state DIR] [--scenario FILE] COMMAND [WORD]...\n"
		"       nvml-sim-ctl [--state DIR] [--scenario FILE] -\n"
		"\n"
		"Changes and shows the world of a simulated NVML while programs run on it. With '-' commands are read\n"
		"from standard input, one a line; each is answered by its text and then a line 'ok' or 'error: ...'.\n"
		"\n"
		"  --state DIR      the world's folder; default: the variable NVML_SIM_STATE\n"
		"  --scenario FILE  what a new world is made from; with 'reset', what it begins anew from;\n"
		"                   default: the variable NVML_SIM_SCENARIO\n"
		"\n"
		"Commands:\n%s",
		gm_buf_cstr(&list));
}

/* "--state DIR", "--state=DIR". Answers how many words it took, 0: it is none of ours. */
static int take_option(char **argv, int at, int argc, const char *name, const char **out)
{
	size_t n = strlen(name);
	if (strncmp(argv[at], name, n) != 0)
		return 0;
	if (argv[at][n] == '=') {
		*out = argv[at] + n + 1;
		return 1;
	}
	if (argv[at][n] || at + 1 >= argc)
		return 0;
	*out = argv[at + 1];
	return 2;
}

static bool read_options(int argc, char **argv, struct options *o)
{
	int at = 1;
	while (at < argc && argv[at][0] == '-' && argv[at][1]) {
		if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0) {
			o->help = true;
			return true;
		}
		int took = take_option(argv, at, argc, "--state", &o->state);
		if (!took)
			took = take_option(argv, at, argc, "--scenario", &o->scenario);
		if (!took) {
			(void)fprintf(stderr, "nvml-sim-ctl: %s: unknown option, or without its value\n", argv[at]);
			return false;
		}
		at += took;
	}
	o->first = at;
	if (at == argc)
		(void)fprintf(stderr, "nvml-sim-ctl: no command; --help lists them\n");
	return at < argc;
}

/* The words of the command line as one line: those with blanks in quotes. */
static void join_words(char **words, int count, struct gm_buf *out)
{
	for (int i = 0; i < count; i++) {
		const char *quote = strpbrk(words[i], " \t") || !words[i][0] ? "\"" : "";
		gm_buf_addf(out, "%s%s%s%s", i ? " " : "", quote, words[i], quote);
	}
}

static int run_one(struct nvs_world *w, struct gm_str line)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };
	struct gm_err err = { 0 };
	int rc = nvs_command(w, line, &out, &err);
	(void)fwrite(out.p, 1, out.n, stdout);
	if (rc == 0)
		return EXIT_SUCCESS;
	(void)fprintf(stderr, "nvml-sim-ctl: %s\n", err.text);
	return EXIT_REFUSED;
}

/* Empty lines and those that begin with '#' are passed over. The exit code tells of the last that failed. */
static int run_stdin(struct nvs_world *w)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };
	char *line = NULL;
	size_t size = 0;
	ssize_t n;
	int code = EXIT_SUCCESS;
	while ((n = getline(&line, &size, stdin)) >= 0) {
		struct gm_str text = gm_str_trim(gm_str_n(line, (size_t)n));
		struct gm_err err = { 0 };
		if (!text.n || text.p[0] == '#')
			continue;
		gm_buf_reset(&out);
		int rc = nvs_command(w, text, &out, &err);
		(void)fwrite(out.p, 1, out.n, stdout);
		(void)printf(rc < 0 ? "error: %s\n" : "ok\n", err.text);
		(void)fflush(stdout);
		if (rc < 0)
			code = EXIT_REFUSED;
	}
	free(line);
	return code;
}

static int fail(const struct gm_err *err)
{
	(void)fprintf(stderr, "nvml-sim-ctl: %s%s%s\n", err->where, err->where[0] ? ": " : "", err->text);
	return EXIT_REFUSED;
}

int main(int argc, char **argv)
{
	struct options o = { .state = getenv("NVML_SIM_STATE"), .scenario = getenv("NVML_SIM_SCENARIO") };
	GM_AUTO(nvs_world_close_p) struct nvs_world *w = NULL;
	GM_AUTO(gm_buf_fini_p) struct gm_buf line = { 0 };
	struct gm_err err = { 0 };
	if (!read_options(argc, argv, &o))
		return EXIT_USAGE;
	if (o.help) {
		print_help();
		return EXIT_SUCCESS;
	}
	if (!o.state || !*o.state) {
		(void)fprintf(stderr, "nvml-sim-ctl: no state folder: --state or NVML_SIM_STATE\n");
		return EXIT_USAGE;
	}
	if (o.scenario && !*o.scenario)
		o.scenario = NULL;
	join_words(argv + o.first, argc - o.first, &line);
	/* Another scenario is taken up by a reset, and by nothing else. */
	if (gm_str_is(gm_buf_str(&line), "reset") && o.scenario)
		return nvs_world_reset_at(o.scenario, o.state, &err) < 0 ? fail(&err) : EXIT_SUCCESS;
	if (nvs_world_open_at(o.scenario, o.state, &w, &err) < 0)
		return fail(&err);
	return gm_str_is(gm_buf_str(&line), "-") ? run_stdin(w) : run_one(w, gm_buf_str(&line));
}
