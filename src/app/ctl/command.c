/* SPDX-License-Identifier: MIT */
#include "app/ctl/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/parse.h"

/* What is in front of every command's own options. */
struct globals {
	int output;
	bool help;
};
static const struct gm_ctl_option GLOBALS[] = {
	{ .option = { .key = "output",
		      .type = GM_OPTION_ENUM,
		      .offset = offsetof(struct globals, output),
		      .choices = "table|json",
		      .def = "table",
		      .help = "How the answer is written; -o is short for it" } },
	{ .option = { .key = "help",
		      .type = GM_OPTION_BOOL,
		      .offset = offsetof(struct globals, help),
		      .def = "false",
		      .help = "This text" } },
};

/* The options of one command line: base's option tables over the command's struct and the globals. */
struct line {
	const struct gm_ctl_command *command;
	struct gm_option rows[GM_CTL_OPTIONS_MAX], global_rows[GM_LEN(GLOBALS)];
	void *args;
	struct globals globals;
	struct gm_options options, global_options;
};

static void line_fini(struct line *l)
{
	gm_options_fini(&l->options);
	gm_options_fini(&l->global_options);
	free(l->args);
	*l = (struct line){ 0 };
}
GM_DEFINE_AUTO_VALUE(struct line, line_fini)

static void line_init(struct line *l, const struct gm_ctl_command *command)
{
	*l = (struct line){ .command = command, .args = gm_xalloc(command->args_size + 1) };
	for (size_t i = 0; i < command->option_count && i < GM_CTL_OPTIONS_MAX; i++)
		l->rows[i] = command->options[i].option;
	for (size_t i = 0; i < GM_LEN(GLOBALS); i++)
		l->global_rows[i] = GLOBALS[i].option;
	gm_options_init(&l->options, l->rows, command->option_count, l->args);
	gm_options_init(&l->global_options, l->global_rows, GM_LEN(GLOBALS), &l->globals);
}

static int unknown(const struct line *l, struct gm_str name, struct gm_err *err)
{
	const char *near = gm_option_nearest(&l->options, name);

	if (near)
		return gm_fail(err, GM_ERR_INVALID, "unknown option '--%.*s'; did you mean '--%s'?", GM_STR_ARG(name),
			       near);
	return gm_fail(err, GM_ERR_INVALID, "unknown option '--%.*s'; --help lists all", GM_STR_ARG(name));
}

/* One flag at argv[*at]; *at is left on the last argument it took. */
static int take_flag(struct line *l, int argc, char *const *argv, int *at, struct gm_err *err)
{
	struct gm_str text = gm_str(argv[*at]), name;
	struct gm_origin origin = { .kind = GM_ORIGIN_FLAG };
	struct gm_options *table = &l->options;
	const struct gm_option *row;
	size_t equals = gm_str_find(text, '=');

	if (gm_str_is(text, "-h"))
		name = GM_STR("help");
	else if (gm_str_is(text, "-o"))
		name = GM_STR("output");
	else if (!gm_str_starts(text, GM_STR("--")))
		return gm_fail(err, GM_ERR_INVALID, "'%s' is not expected; --help says how", argv[*at]);
	else
		name = gm_str_n(text.p + 2, equals - 2);
	row = gm_option_find(table, name);
	if (!row) {
		table = &l->global_options;
		row = gm_option_find(table, name);
	}
	if (!row)
		return unknown(l, name, err);
	(void)snprintf(origin.where, sizeof(origin.where), "--%.*s", GM_STR_ARG(name));
	if (equals < text.n)
		text = gm_str_n(text.p + equals + 1, text.n - equals - 1);
	else if (row->type == GM_OPTION_BOOL)
		text = GM_STR("true");
	else if (*at + 1 < argc)
		text = gm_str(argv[++*at]);
	else
		return gm_fail_at(err, GM_ERR_INVALID, origin.where, "wants a value");
	return gm_option_set(table, row, text, &origin, err);
}

static int check_required(const struct line *l, struct gm_err *err)
{
	for (size_t i = 0; i < l->command->option_count; i++)
		if (l->command->options[i].required &&
		    gm_option_origin(&l->options, &l->rows[i])->kind == GM_ORIGIN_DEFAULT)
			return gm_fail(err, GM_ERR_INVALID, "'--%s' is missing; 'gpuctl %s --help' says how",
				       l->rows[i].key, l->command->path);
	return 0;
}

static int complain(const struct gm_err *err, int code)
{
	(void)fprintf(stderr, "gpuctl: %s%s%s\n", err->where, err->where[0] ? ": " : "", err->text);
	return code;
}

static int print(const struct gm_buf *out)
{
	struct gm_err err;

	if (!out->failed && fwrite(out->n ? out->p : "", 1, out->n, stdout) == out->n && fflush(stdout) == 0)
		return GM_CTL_EXIT_OK;
	gm_fail(&err, GM_ERR_IO, "the answer could not be written");
	return complain(&err, GM_CTL_EXIT_FAILED);
}

static int print_help(struct gm_str path)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };

	gm_ctl_help(path, &out);
	return print(&out);
}

static int exit_code_of(const struct gm_err *err)
{
	bool of_file = err->where[0] && err->where[0] != '-';

	if (of_file)
		return GM_CTL_EXIT_INPUT;
	return err->code == GM_ERR_INVALID ? GM_CTL_EXIT_USAGE : GM_CTL_EXIT_FAILED;
}

static int run(const struct gm_ctl_command *command, int argc, char *const *argv)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf out = { 0 };
	GM_AUTO(line_fini_p) struct line l = { 0 };
	struct gm_ctl_progress progress;
	struct gm_err err = { 0 };
	int rc = 0;

	line_init(&l, command);
	for (int i = 0; i < argc && rc == 0; i++)
		rc = take_flag(&l, argc, argv, &i, &err);
	if (rc == 0 && l.globals.help)
		return print_help(gm_str(command->path));
	if (rc == 0)
		rc = check_required(&l, &err);
	if (rc < 0)
		return complain(&err, GM_CTL_EXIT_USAGE);
	gm_ctl_progress_init(&progress, stderr, gm_clock_system());
	rc = command->run(&(struct gm_ctl_run){ .output = (enum gm_ctl_output)l.globals.output,
						.args = l.args,
						.out = &out,
						.progress = &progress },
			  &err);
	gm_ctl_progress_end(&progress);
	return rc < 0 ? complain(&err, exit_code_of(&err)) : print(&out);
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
		for (size_t i = 0; i < gm_ctl_command_count; i++) {
			struct gm_str whole = gm_str(gm_ctl_commands[i]->path);

			if (gm_str_eq(whole, gm_buf_str(path))) {
				*out_command = gm_ctl_commands[i];
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

	if (command)
		return run(command, argc - words, argv + words);
	if (next && !words && strcmp(next, "--version") == 0) {
		gm_buf_add_cstr(&path, "gpuctl " GM_VERSION "\n");
		return print(&path);
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
