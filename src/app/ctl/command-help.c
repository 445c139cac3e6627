/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "app/ctl/command.h"

/* The left column of a list. */
#define LEFT 34
#define RIGHT 72

/* The right column, broken between words. */
static void add_wrapped(struct gm_buf *out, struct gm_str text)
{
	size_t used = 0;
	struct gm_str word;

	while (gm_str_split(&text, ' ', &word)) {
		if (used && used + 1 + word.n > RIGHT) {
			gm_buf_addf(out, "\n%*s", LEFT + 4, "");
			used = 0;
		}
		gm_buf_addf(out, "%s%.*s", used ? " " : "", GM_STR_ARG(word));
		used += (used > 0) + word.n;
	}
	gm_buf_add_char(out, '\n');
}

static void add_row(struct gm_buf *out, struct gm_str left, const char *right)
{
	gm_buf_addf(out, "  %.*s", GM_STR_ARG(left));
	if (left.n > LEFT)
		gm_buf_addf(out, "\n  %*s", LEFT, "");
	else
		gm_buf_addf(out, "%*s", (int)(LEFT - left.n), "");
	gm_buf_add_cstr(out, "  ");
	add_wrapped(out, gm_str(right));
}

static void add_option(struct gm_buf *out, const struct gm_ctl_option *o)
{
	GM_AUTO(gm_buf_fini_p) struct gm_buf left = { 0 };
	GM_AUTO(gm_buf_fini_p) struct gm_buf right = { 0 };
	const char *value = o->value ? o->value : o->option.choices;

	if (o->letter)
		gm_buf_addf(&left, "-%c, ", o->letter);
	gm_buf_addf(&left, "--%s%s%s", o->option.key, value ? " " : "", value ? value : "");
	gm_buf_add_cstr(&right, o->option.help);
	if (o->option.min && o->option.max && o->option.type == GM_OPTION_INT)
		gm_buf_addf(&right, ", %s to %s", o->option.min, o->option.max);
	if (o->required)
		gm_buf_add_cstr(&right, " (required)");
	else if (o->option.type != GM_OPTION_BOOL && o->option.def)
		gm_buf_addf(&right, " (default %s)", o->option.def);
	add_row(out, gm_buf_str(&left), gm_buf_cstr(&right));
}

static void add_globals(struct gm_buf *out, const struct gm_ctl_command *command)
{
	for (size_t i = 0; i < gm_ctl_global_count; i++)
		if (gm_ctl_global_applies(&gm_ctl_global_options[i], command))
			add_option(out, &gm_ctl_global_options[i]);
}

static void add_operand(struct gm_buf *out, const struct gm_ctl_option *o)
{
	add_row(out, gm_str(o->value), o->option.help);
}

static void add_exit_codes(struct gm_buf *out)
{
	gm_buf_add_cstr(out, "\nexit codes:\n");
#define EXIT_ROW(name, code, text) gm_buf_add_cstr(out, "  " #code "  " text "\n");
	GM_CTL_EXIT_LIST(EXIT_ROW)
#undef EXIT_ROW
}

static void add_usage(struct gm_buf *out, const struct gm_ctl_command *c)
{
	gm_buf_addf(out, "usage: gpuctl %s", c->path);
	for (size_t i = 0; i < c->operand_count; i++) {
		const struct gm_ctl_option *o = &c->operands[i];

		gm_buf_addf(out, o->required ? " %s%s" : " [%s%s]", o->value,
			    o->option.type == GM_OPTION_LIST ? "..." : "");
	}
	for (size_t i = 0; i < c->option_count; i++)
		if (c->options[i].required)
			gm_buf_addf(out, " --%s %s", c->options[i].option.key,
				    c->options[i].value ? c->options[i].value : c->options[i].option.choices);
	gm_buf_add_cstr(out, " [options]\n\n");
}

static void command_help(const struct gm_ctl_command *c, struct gm_buf *out)
{
	gm_buf_addf(out, "%s.\n\n", c->summary);
	add_usage(out, c);
	for (size_t i = 0; i < c->operand_count; i++)
		add_operand(out, &c->operands[i]);
	for (size_t i = 0; i < c->option_count; i++)
		add_option(out, &c->options[i]);
	add_globals(out, c);
	if (c->notes)
		gm_buf_addf(out, "\n%s", c->notes);
	add_exit_codes(out);
}

static bool below(const char *path, struct gm_str group)
{
	return group.n == 0 || (gm_str_starts(gm_str(path), group) && path[group.n] == ' ');
}

void gm_ctl_help(struct gm_str path, struct gm_buf *out)
{
	const struct gm_ctl_command *c;
	const char *summary = "Watch and place GPU work from the command line";

	for (size_t i = 0; (c = gm_ctl_command_at(i)) != NULL; i++)
		if (gm_str_is(path, c->path)) {
			command_help(c, out);
			return;
		}
	for (size_t i = 0; i < gm_ctl_group_count; i++)
		if (gm_str_is(path, gm_ctl_groups[i].path))
			summary = gm_ctl_groups[i].summary;
	gm_buf_addf(out,
		    "%s.\n\nusage: gpuctl %.*s%sCOMMAND [options]\n\ncommands (gpuctl COMMAND --help says more):\n",
		    summary, GM_STR_ARG(path), path.n ? " " : "");
	for (size_t i = 0; (c = gm_ctl_command_at(i)) != NULL; i++)
		if (below(c->path, path))
			add_row(out, gm_str(c->path), c->summary);
	gm_buf_add_cstr(out, "\noptions:\n");
	add_globals(out, NULL);
	if (!path.n)
		gm_buf_add_cstr(out, "  --version                           The version\n");
	add_exit_codes(out);
}
