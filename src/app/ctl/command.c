/* SPDX-License-Identifier: MIT */
#include "app/ctl/command.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "adapter/term/table.h"
#include "app/ctl/client.h"
#include "app/ctl/command-line.h"
#include "app/ctl/output.h"
#include "base/parse.h"

static int complain(const struct gm_err *err, int code)
{
	(void)fprintf(stderr, "gpuctl: %s%s%s\n", err->where, err->where[0] ? ": " : "", err->text);
	return code;
}

static int write_out(struct gm_buf *out, struct gm_err *err)
{
	if (out->failed || fwrite(out->n ? out->p : "", 1, out->n, stdout) != out->n || fflush(stdout) != 0)
		return gm_fail(err, GM_ERR_IO, "the answer could not be written");
	gm_buf_reset(out);
	return 0;
}

int gm_ctl_flush(const struct gm_ctl_run *run, struct gm_err *err)
{
	return write_out(run->out, err);
}

static int print(struct gm_buf *out, int code)
{
	struct gm_err err = { 0 };

	return write_out(out, &err) == 0 ? code : complain(&err, GM_CTL_EXIT_FAILED);
}

static int print_help(struct gm_str path)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };

	gm_ctl_help(path, &out);
	return print(&out, GM_CTL_EXIT_OK);
}

/* A place that is a flag or an operand is the command line's; another one is a file's. */
static int exit_code_of(const struct gm_err *err)
{
	bool of_file = err->where[0] && err->where[0] != '-';

	if (of_file)
		return GM_CTL_EXIT_INPUT;
	return err->code == GM_ERR_INVALID ? GM_CTL_EXIT_USAGE : GM_CTL_EXIT_FAILED;
}

/* What the server refused is said as the server said it. */
static int complain_of_run(const struct gm_ctl_client *client, const struct gm_err *err)
{
	enum gm_ctl_exit code = gm_ctl_client_exit(client);

	return complain(err, code == GM_CTL_EXIT_OK ? exit_code_of(err) : (int)code);
}

/* A command that asks no server knows tables and JSON; YAML is made of its JSON. */
static int run_local(const struct gm_ctl_command *command, struct gm_ctl_run *run, struct gm_err *err)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf json = { 0 };
	struct gm_buf *out = run->out;
	int rc;

	if (run->output == GM_CTL_OUTPUT_WIDE)
		run->output = GM_CTL_OUTPUT_TABLE;
	if (run->output != GM_CTL_OUTPUT_YAML)
		return command->run(run, err);
	run->output = GM_CTL_OUTPUT_JSON;
	run->out = &json;
	rc = command->run(run, err);
	run->out = out;
	return rc == 0 && json.n ? gm_ctl_yaml_of(gm_buf_str(&json), out, err) : rc;
}

static int run_line(struct gm_ctl_line *l)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };
	GM_AUTO(gm_ctl_client_free_p) struct gm_ctl_client *client = NULL;
	enum gm_ctl_exit exit_code = GM_CTL_EXIT_OK;
	struct gm_ctl_progress progress;
	struct gm_err err = { 0 };
	struct gm_ctl_run run = { .command = l->command,
				  .globals = &l->globals,
				  .output = (enum gm_ctl_output)l->globals.output,
				  .args = l->args,
				  .options = &l->options,
				  .out = &out,
				  .progress = &progress,
				  .clock = gm_clock_system(),
				  .colors = gm_term_colors(STDOUT_FILENO),
				  .exit = &exit_code };
	int rc = 0;

	if (l->command->flags & GM_CTL_REMOTE)
		rc = gm_ctl_client_new(&l->globals, &client, &err);
	if (rc < 0)
		return complain(&err, exit_code_of(&err));
	run.client = client;
	gm_ctl_progress_init(&progress, stderr, run.clock);
	rc = client ? l->command->run(&run, &err) : run_local(l->command, &run, &err);
	gm_ctl_progress_end(&progress);
	return rc < 0 ? complain_of_run(client, &err) : print(&out, (int)exit_code);
}

static int run(const struct gm_ctl_command *command, int argc, char *const *argv)
{
	GM_AUTO(gm_ctl_line_fini_p) struct gm_ctl_line l = { 0 };
	struct gm_err err = { 0 };

	gm_ctl_line_init(&l, command);
	if (gm_ctl_line_read(&l, argc, argv, &err) < 0)
		return complain(&err, GM_CTL_EXIT_USAGE);
	return l.globals.help ? print_help(gm_str(command->path)) : run_line(&l);
}

bool gm_ctl_given(const struct gm_ctl_run *r, const char *key)
{
	const struct gm_option *row = gm_option_find(r->options, gm_str(key));

	return row && gm_option_origin(r->options, row)->kind != GM_ORIGIN_DEFAULT;
}

int gm_ctl_confirm(const struct gm_ctl_run *r, const char *question, struct gm_err *err)
{
	char answer[16];

	if (r->globals->yes || r->globals->dry_run)
		return 0;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return gm_fail(err, GM_ERR_INVALID, "%s? Without a terminal --yes is the answer that is wanted",
			       question);
	(void)fprintf(stderr, "%s? [y/N] ", question);
	if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
		return 0;
	return gm_fail(err, GM_ERR_CONFLICT, "not done");
}

const struct gm_ctl_command *gm_ctl_command_at(size_t n)
{
	for (size_t i = 0; i < gm_ctl_set_count; i++) {
		if (n < *gm_ctl_sets[i].count)
			return &gm_ctl_sets[i].commands[n];
		n -= *gm_ctl_sets[i].count;
	}
	return NULL;
}

/* The words of argv that are one of our paths, or lead to one: the longest. How many words; *out_command when it is whole. */
static int find(int argc, char *const *argv, struct gm_buf *path, const struct gm_ctl_command **out_command)
{
	for (int words = 0; words < argc; words++) {
		size_t before = path->n;
		bool leads = false;

		if (words)
			gm_buf_add_char(path, ' ');
		gm_buf_add_cstr(path, argv[words]);
		const struct gm_ctl_command *c;
		for (size_t i = 0; (c = gm_ctl_command_at(i)) != NULL; i++) {
			struct gm_str whole = gm_str(c->path);

			if (gm_str_eq(whole, gm_buf_str(path))) {
				*out_command = c;
				return words + 1;
			}
			leads |= gm_str_starts(whole, gm_buf_str(path)) && whole.p[path->n] == ' ';
		}
		if (!leads) {
			path->n = before;
			return words;
		}
	}
	return argc;
}

int gm_ctl_main(int argc, char *const *argv)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf path = { 0 };
	const struct gm_ctl_command *command = NULL;
	struct gm_err err;
	int words = find(argc, argv, &path, &command);
	const char *next = words < argc ? argv[words] : NULL;

	gm_term_locale();
	if (command)
		return run(command, argc - words, argv + words);
	if (next && !words && strcmp(next, "--version") == 0) {
		gm_buf_add_cstr(&path, "gpuctl " GM_VERSION "\n");
		return print(&path, GM_CTL_EXIT_OK);
	}
	if (next && (strcmp(next, "--help") == 0 || strcmp(next, "-h") == 0))
		return print_help(gm_buf_str(&path));
	if (next)
		gm_fail(&err, GM_ERR_INVALID, "unknown command '%.*s%s%s'; 'gpuctl --help' lists all",
			GM_STR_ARG(gm_buf_str(&path)), words ? " " : "", next);
	else
		gm_fail(&err, GM_ERR_INVALID, "a command is missing; 'gpuctl %.*s%s--help' lists them",
			GM_STR_ARG(gm_buf_str(&path)), words ? " " : "");
	return complain(&err, GM_CTL_EXIT_USAGE);
}

int gm_ctl_range_parse(struct gm_str text, struct gm_ctl_range *out, struct gm_err *err)
{
	struct gm_ctl_range r;
	size_t dot = gm_str_find(text, '.');
	struct gm_str first = gm_str_n(text.p, dot), last = first;

	if (dot < text.n) {
		if (text.n < dot + 2 || text.p[dot + 1] != '.')
			return gm_fail(err, GM_ERR_INVALID, "'%.*s' is no range: 1..200", GM_STR_ARG(text));
		last = gm_str_n(text.p + dot + 2, text.n - dot - 2);
	}
	if (!gm_parse_u64(first, 0, UINT32_MAX, &r.first) || !gm_parse_u64(last, 0, UINT32_MAX, &r.last))
		return gm_fail(err, GM_ERR_INVALID, "'%.*s' is no range of whole numbers up to %u: 1..200",
			       GM_STR_ARG(text), UINT32_MAX);
	if (r.last < r.first || r.last - r.first >= GM_CTL_RANGE_MAX)
		return gm_fail(err, GM_ERR_INVALID, "'%.*s' is empty or more than %d", GM_STR_ARG(text),
			       GM_CTL_RANGE_MAX);
	*out = r;
	return 0;
}

int gm_ctl_range_check(struct gm_str text, struct gm_err *err)
{
	struct gm_ctl_range r;

	return gm_ctl_range_parse(text, &r, err);
}
